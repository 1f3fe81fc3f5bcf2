/* test_exec_tty.c - a job with a terminal of its own: its size, its keys, its end. */
#include "exec_fixture.h"

static void with_terminal(struct job *j, unsigned rows, unsigned columns)
{
    pb__tty_size__init(&j->tty);
    j->tty.rows = rows;
    j->tty.columns = columns;
    j->spec.tty = &j->tty;
}

static void all_three_are_a_terminal_of_the_given_size(void **state)
{
    struct job *j = *state;

    with_terminal(j, 33, 77);
    run_shell(j, "test -t 0 -a -t 1 -a -t 2 && echo yes; stty size; echo $TERM; echo err >&2");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "yes\r\n33 77\r\nxterm\r\nerr\r\n");
    assert_int_equal(j->t.err_len, 0);
}

static void it_has_a_name_and_is_the_controlling_one(void **state)
{
    struct job *j = *state;

    if (without_namespaces())
        skip();
    with_terminal(j, 24, 80);
    add_cap(j, "proc");
    run_shell(j, "tty; read -r a b c d e f g rest < /proc/self/stat; echo $((g != 0)) $(ls /dev/pts)");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "/dev/pts/0\r\n1 0 ptmx\r\n");
}

static void what_is_typed_is_echoed_and_read(void **state)
{
    struct job *j = *state;

    with_terminal(j, 24, 80);
    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    j->how.stdin_pieces[0] = "hello\n";
    run_shell(j, "read x; echo got $x");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "hello\r\ngot hello\r\n");
}

static void its_end_of_input_is_a_key(void **state)
{
    struct job *j = *state;

    with_terminal(j, 24, 80);
    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    j->how.stdin_pieces[0] = "one\n";
    j->how.stdin_pieces[1] = "half";
    j->how.feed_after = "ready";
    run_shell(j, "stty -echo; echo ready; cat; echo end");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "ready\r\none\r\nhalfend\r\n");
}

static void the_interrupt_key_is_a_signal(void **state)
{
    struct job *j = *state;

    with_terminal(j, 24, 80);
    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    j->how.stdin_pieces[0] = "\003";
    j->how.feed_after = "ready";
    run_shell(j, "trap 'echo interrupted; exit 7' INT; echo ready; sleep 1000 & wait");
    ended_with(j, 7);
    assert_non_null(strstr(j->t.out, "interrupted"));
}

static void another_size_is_told_by_its_signal(void **state)
{
    static Pb__TtySize other;
    struct job *j = *state;

    pb__tty_size__init(&other);
    other.rows = 50;
    other.columns = 132;
    with_terminal(j, 24, 80);
    j->how.resize_on = &other;
    run_shell(j, "trap 'stty size; exit 0' WINCH; echo ready; sleep 1000 & wait");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "ready\r\n50 132\r\n");
}

static void everything_that_was_printed_last_arrives(void **state)
{
    struct job *j = *state;

    with_terminal(j, 24, 80);
    run_shell(j, "seq 1 20000");
    ended_with(j, 0);
    assert_true(j->t.out_len > 20000);
    assert_string_equal(j->t.out + j->t.out_len - 7, "20000\r\n");
}

static void nobody_types_for_somebody_else(void **state)
{
    struct job *j = *state;

    with_terminal(j, 24, 80);
    run_shell(j, "perl -e 'my $c = \"x\"; ioctl(STDIN, 0x5412, $c) or print \"no: $!\\n\"'");
    if (j->t.violations == 0)
        assert_non_null(strstr(j->t.out, "no: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(all_three_are_a_terminal_of_the_given_size),
        T(it_has_a_name_and_is_the_controlling_one),
        T(what_is_typed_is_echoed_and_read),
        T(its_end_of_input_is_a_key),
        T(the_interrupt_key_is_a_signal),
        T(another_size_is_told_by_its_signal),
        T(everything_that_was_printed_last_arrives),
        T(nobody_types_for_somebody_else),
    };

    return cmocka_run_group_tests(tests, zygote_start, zygote_stop);
}
