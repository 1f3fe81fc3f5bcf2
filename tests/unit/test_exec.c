/* test_exec.c - the engine exec: programs of the host, run to their end, and what is said of those that cannot be. */
#include "exec_fixture.h"

#include <signal.h>
#include <sys/syscall.h>

#include "worker/engines/exec/reap.h"

/* ---- running ------------------------------------------------------------------------------------------------------------------- */

static void a_program_runs_and_its_exit_code_is_the_jobs(void **state)
{
    struct job *j = *state;

    run_shell(j, "echo out; echo err >&2; exit 3");
    ended_with(j, 3);
    assert_string_equal(j->t.out, "out\n");
    assert_string_equal(j->t.err, "err\n");
    assert_int_equal(j->t.started, 1);
    assert_true(j->t.filter_len > 0);
}

static void a_name_is_looked_for_in_the_path(void **state)
{
    struct job *j = *state;

    j->spec.program = (char *)"printf";
    add_arg(j, "%s");
    add_arg(j, "a b");
    run(j);
    ended_with(j, 0);
    assert_string_equal(j->t.out, "a b");
}

static void the_source_is_the_program_where_none_is_named(void **state)
{
    static const char script[] = "#!/bin/sh\necho \"$0 $1\"; pwd; stat -c %a \"$0\"\n";
    struct job *j = *state;
    char text[256];

    j->spec.source_name = (char *)"hello.sh";
    j->spec.source = (ProtobufCBinaryData){ sizeof(script) - 1, (uint8_t *)script };
    add_arg(j, "one");
    run(j);
    ended_with(j, 0);
    snprintf(text, sizeof(text), "%s/hello.sh one\n%s\n755\n", work_path(), work_path());
    assert_string_equal(j->t.out, text);
}

static void a_signal_that_kills_it_is_told_as_one(void **state)
{
    struct job *j = *state;

    run_shell(j, "kill -SEGV $$");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_SIGNAL);
    assert_int_equal(j->t.signal, SIGSEGV);
}

static void its_environment_is_short_and_the_jobs_comes_first(void **state)
{
    struct job *j = *state;
    char text[512];

    j->spec.program = (char *)"/usr/bin/env";
    set_env(j, "LANG", "C");
    run(j);
    ended_with(j, 0);
    snprintf(text, sizeof(text), "HOME=%s\nTMPDIR=%s\nPATH=/usr/local/bin:/usr/bin:/bin\nUSER=coop\nLOGNAME=coop\nLANG=C\n", work_path(),
             without_namespaces() ? work_path() : "/tmp");
    assert_string_equal(j->t.out, text);
}

static void it_has_its_stdio_and_no_other_descriptor(void **state)
{
    struct job *j = *state;

    if (without_namespaces())
        skip();
    add_cap(j, "proc");
    run_shell(j, "cd /proc/self/fd; for f in *; do [ $f -gt 2 ] && [ $f -ne 255 ] && [ -e $f ] && readlink $f; done; echo done");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "done\n");
}

static void the_program_is_not_the_first_process_and_leads_its_session(void **state)
{
    struct job *j = *state;

    if (without_namespaces())
        skip();
    add_cap(j, "proc");
    run_shell(j, "read -r pid comm state ppid pgrp session tty rest < /proc/self/stat; echo $ppid $((pgrp - $$)) $((session - $$)) $tty");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "1 0 0 0\n");
}

static void init_cannot_be_looked_into(void **state)
{
    struct job *j = *state;

    if (without_namespaces())
        skip();
    add_cap(j, "proc");
    run_shell(j,
              "cd /proc/1; for f in maps environ mem fd/0 root/etc cwd/etc map_files task/1/maps; do cat $f > /dev/null 2>&1 && echo $f; "
              "ls $f > /dev/null 2>&1 && [ ! -f $f ] && echo $f; done; ls fd map_files 2> /dev/null; echo done");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "done\n");
}

static int has_output(const struct told *t)
{
    return t->out_len > 0;
}

static void init_is_sealed_before_the_program_begins(void **state)
{
    struct job *j = *state;

    if (without_namespaces())
        skip();
    add_cap(j, "proc");
    run_shell(j, "for p in 1 $$; do grep -E '^(Seccomp|NoNewPrivs|CapPrm|CapBnd):' /proc/$p/status | tr -d '[:space:]'; echo; done");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "CapPrm:0000000000000000CapBnd:0000000000000000NoNewPrivs:1Seccomp:2\n"
                                  "CapPrm:0000000000000000CapBnd:0000000000000000NoNewPrivs:1Seccomp:2\n");
}

/* ---- its end ------------------------------------------------------------------------------------------------------------------- */

static void its_end_is_the_jobs_though_others_hold_its_output(void **state)
{
    struct job *j = *state;

    run_shell(j, "(trap '' TERM HUP; setsid sleep 1000.125) & (sleep 1000.125 &) ; echo left; exit 5");
    ended_with(j, 5);
    assert_string_equal(j->t.out, "left\n");
    assert_int_equal(processes_with("1000.125"), 0);
}

/* Whoever forks and ends leaves a child to somebody else; here ten times twenty in a row. */
static void daemons_of_daemons_are_found(void **state)
{
    struct job *j = *state;

    run_shell(j, "chain() { if [ $1 -gt 0 ]; then (chain $(($1 - 1)) &); else exec sleep 1000.25; fi; }; "
                 "for i in {1..10}; do chain 20; done; exit 5");
    ended_with(j, 5);
    assert_int_equal(processes_with("1000.25"), 0);
}

/* The link closes in the middle of it: what the broker's death looks like. */
static void without_a_broker_everything_ends(void **state)
{
    struct job *j = *state;
    pid_t pid;
    int link = zygote_spawn(&pid);

    assert_int_equal(sp_handshake(link), 0);
    j->spec.program = (char *)"/bin/bash";
    add_arg(j, "-c");
    add_arg(j, "setsid bash -c 'echo ready; sleep 1000.375' 1000.375 & wait");
    j->how.stop = has_output;
    told_assign(link, &j->spec);
    told_hear(link, pid, &j->how, &j->t);
    assert_string_equal(j->t.out, "ready\n");
    assert_true(processes_with("1000.375") >= 1);
    close(link);
    zygote_reap();
    assert_int_equal(processes_with("1000.375"), 0);
}

static void a_cancel_asks_it_to_end(void **state)
{
    struct job *j = *state;

    j->how.term_after = "ready";
    run_shell(j, "trap 'echo asked; exit 0' TERM; echo ready; sleep 1000 & wait");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_CANCELLED);
    assert_string_equal(j->t.out, "ready\nasked\n");
}

/* Of all signals: those that init handles, those that would stop or kill it, those that say something to it when the kernel sends them. */
static void signals_from_inside_mean_nothing_to_init(void **state)
{
    struct job *j = *state;

    run_shell(j, "for s in {1..64}; do kill -$s $PPID 2>/dev/null; done; head -c 1 /dev/zero > /dev/null; echo on");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "on\n");
    assert_int_equal(j->t.violations, 0);
}

/* ---- output and input ---------------------------------------------------------------------------------------------------------- */

static void output_past_the_limit_ends_the_job(void **state)
{
    struct job *j = *state;

    j->limits.stdout_bytes = 1000;
    run_shell(j, "yes");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_OUTPUT_LIMIT);
    assert_int_equal(j->t.out_len, 1000);
}

enum { PIPE_ROOM = 64 << 10 };

/* All of it fits into the pipe, so that the end may be seen before the limit is. */
static void output_past_the_limit_is_found_after_the_end_too(void **state)
{
    struct job *j = *state;

    j->limits.stdout_bytes = PIPE_ROOM - 1000;
    run_shell(j, "exec dd if=/dev/zero bs=65536 count=1 status=none");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_OUTPUT_LIMIT);
    assert_int_equal(j->t.out_len, PIPE_ROOM - 1000);
}

static void output_past_the_limit_is_counted_when_truncated(void **state)
{
    struct job *j = *state;

    j->limits.stdout_bytes = 1000;
    j->spec.on_output_limit = PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE;
    run_shell(j, "head -c 3000000 /dev/zero; exit 4");
    ended_with(j, 4);
    assert_int_equal(j->t.out_len, 1000);
    assert_int_equal(j->t.out_dropped, 3000000 - 1000);
}

static void inline_input_is_read_to_its_end(void **state)
{
    static uint8_t zeros[300000];
    struct job *j = *state;

    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    j->spec.stdin_data = (ProtobufCBinaryData){ sizeof(zeros), zeros };
    run_shell(j, "wc -c");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "300000\n");
}

static void streamed_input_comes_in_pieces(void **state)
{
    struct job *j = *state;

    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    j->how.stdin_pieces[0] = "one\n";
    j->how.stdin_pieces[1] = "two\n";
    run_shell(j, "cat; echo end");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "one\ntwo\nend\n");
}

static void a_program_that_closes_its_input_goes_on(void **state)
{
    static uint8_t zeros[300000];
    struct job *j = *state;

    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    j->spec.stdin_data = (ProtobufCBinaryData){ sizeof(zeros), zeros };
    run_shell(j, "exec <&-; echo on");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "on\n");
}

static void input_that_never_comes_does_not_hold_the_end(void **state)
{
    struct job *j = *state;

    j->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    j->how.never_feed = 1;
    run_shell(j, "exit 6");
    ended_with(j, 6);
}

static void without_input_it_reads_the_end(void **state)
{
    struct job *j = *state;

    run_shell(j, "cat; echo $?");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "0\n");
}

/* ---- what cannot be run -------------------------------------------------------------------------------------------------------- */

static void cannot_run(const struct job *j, int code, const char *type, const char *words)
{
    if (j->t.kind != PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN || strstr(j->t.message, words) == NULL)
        print_message("kind %d code %d signal %d violation %u %s: %s\n%s\n", (int)j->t.kind, j->t.exit_code, j->t.signal, j->t.violation_nr,
                      j->t.type, j->t.message, j->t.err);
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN);
    assert_int_equal(j->t.exit_code, code);
    assert_string_equal(j->t.type, type);
    assert_non_null(strstr(j->t.message, words));
}

static void run_staged(struct job *j, const void *bytes, size_t len)
{
    j->spec.source_name = (char *)"prog";
    j->spec.source = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
    run(j);
}

static void a_name_that_is_nowhere(void **state)
{
    struct job *j = *state;

    j->spec.program = (char *)"no-such-program";
    run(j);
    cannot_run(j, 127, "NotFound", "no-such-program: not found in the sandbox's PATH (/usr/local/bin:/usr/bin:/bin)");
}

static void a_path_that_is_nowhere(void **state)
{
    struct job *j = *state;

    j->spec.program = (char *)"/opt/none/prog";
    run(j);
    cannot_run(j, 127, "NotFound", "/opt/none/prog: not found; the sandbox shows");
}

static void a_directory(void **state)
{
    struct job *j = *state;

    j->spec.program = (char *)"/usr/bin";
    run(j);
    cannot_run(j, 126, "IsDirectory", "/usr/bin: is a directory");
}

static void a_file_that_is_not_executable(void **state)
{
    struct job *j = *state;

    add_file(j, "data", 0, "#!/bin/sh\n");
    j->spec.program = (char *)"./data";
    run(j);
    cannot_run(j, 126, "NotExecutable", "./data: is not executable (its mode is 644)");
}

static void a_script_whose_interpreter_is_missing(void **state)
{
    run_staged(*state, "#!/usr/bin/nosuch -x\n", 21);
    cannot_run(*state, 127, "NoInterpreter", "its interpreter /usr/bin/nosuch, named in its #! line, is not there");
}

static void a_script_with_the_line_ends_of_dos(void **state)
{
    run_staged(*state, "#!/bin/sh\r\necho\r\n", 17);
    cannot_run(*state, 127, "NoInterpreter", "carriage return");
}

static void a_text_without_an_interpreter_line(void **state)
{
    run_staged(*state, "echo hello\n", 11);
    cannot_run(*state, 126, "WrongFormat", "is neither an ELF program nor a script");
}

static void an_empty_file(void **state)
{
    run_staged(*state, "", 0);
    cannot_run(*state, 126, "WrongFormat", "is empty");
}

/* Of this test's own program: a copy to be spoilt. */
static uint8_t *own_image(size_t *ret_len)
{
    FILE *f = fopen("/bin/true", "re");
    uint8_t *bytes = malloc(MIB);

    assert_non_null(f);
    *ret_len = fread(bytes, 1, MIB, f);
    fclose(f);
    return bytes;
}

static void another_machines_program(void **state)
{
    size_t len;
    uint8_t *bytes = own_image(&len);

    bytes[18] = 183; /* aarch64 */
    run_staged(*state, bytes, len);
    free(bytes);
    cannot_run(*state, 126, "WrongFormat", "is built for aarch64, this machine is x86-64");
}

static void a_program_of_32_bits(void **state)
{
    static const uint8_t head[64] = { 0x7f, 'E', 'L', 'F', 1, 1, 1, [16] = 2, [18] = 3, [20] = 1 };

    run_staged(*state, head, sizeof(head));
    cannot_run(*state, 126, "WrongFormat", "is a 32-bit program (i386)");
}

static void a_truncated_program(void **state)
{
    size_t len;
    uint8_t *bytes = own_image(&len);

    run_staged(*state, bytes, 100);
    free(bytes);
    cannot_run(*state, 126, "WrongFormat", "is damaged or truncated");
}

static void a_program_whose_loader_is_missing(void **state)
{
    size_t len;
    uint8_t *bytes = own_image(&len), *at = memmem(bytes, len, "/lib64/ld-linux", 15);

    assert_non_null(at);
    memcpy(at, "/lib65", 6);
    run_staged(*state, bytes, len);
    free(bytes);
    cannot_run(*state, 127, "NoInterpreter", "its loader /lib65/ld-linux-x86-64.so.2 is not there");
}

static void a_program_whose_library_is_missing(void **state)
{
    size_t len;
    uint8_t *bytes = own_image(&len), *at = memmem(bytes, len, "libc.so.6", 9);

    assert_non_null(at);
    memcpy(at, "libz.so.9", 9);
    run_staged(*state, bytes, len);
    free(bytes);
    cannot_run(*state, 127, "NoLibrary", "needs the shared library libz.so.9");
    assert_non_null(strstr(((struct job *)*state)->t.err, "libz.so.9")); /* the loader's own words */
}

static void arguments_that_are_too_long(void **state)
{
    struct job *j = *state;
    size_t len = 200000; /* the kernel takes 128 KiB in one */
    char *text = malloc(len + 1);

    memset(text, 'x', len);
    text[len] = '\0';
    j->spec.program = (char *)"true";
    add_arg(j, text);
    run(j);
    free(text);
    cannot_run(j, 126, "ArgumentsTooLong", "true: its arguments and environment are longer");
}

/* ---- staging ------------------------------------------------------------------------------------------------------------------- */

static void files_are_staged_with_their_modes(void **state)
{
    struct job *j = *state;

    add_file(j, "a.txt", 0, "A");
    add_file(j, "d/e/b.sh", 0700, "B");
    run_shell(j, "stat -c '%n %a' a.txt d d/e d/e/b.sh; cat a.txt d/e/b.sh");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "a.txt 644\nd 755\nd/e 755\nd/e/b.sh 700\nAB");
}

static void staged_names_that_are_refused(void **state)
{
    static const struct {
        const char *name, *words;
    } rows[] = {
        {"/etc/x",     "is not relative"           },
        { "../x",      "has a component '..'"      },
        { "a/../../x", "has a component '..'"      },
        { "a//b",      "has an empty component"    },
        { "./a",       "has a component '.'"       },
        { "a/",        "has an empty component"    },
        { "",          "is empty"                  },
        { "a\nb",      "has a control character"   },
        { "taken",     "there already is one"      },
        { "taken/x",   "is already there as a file"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct job *j;

        setup(state);
        j = *state;
        add_file(j, "taken", 0, "T");
        add_file(j, rows[i].name, 0, "x");
        j->spec.program = (char *)"true";
        run(j);
        cannot_run(j, 126, "Staging", rows[i].words);
        if (i + 1 < sizeof(rows) / sizeof(rows[0]))
            teardown(state);
    }
}

static void a_file_larger_than_the_disk_is_refused(void **state)
{
    struct job *j = *state;
    char *text = malloc(200001);

    if (without_namespaces())
        skip();
    memset(text, 'x', 200000);
    text[200000] = '\0';
    j->limits.disk_bytes = 100000;
    add_file(j, "big", 0, text);
    j->spec.program = (char *)"true";
    run(j);
    free(text);
    cannot_run(j, 126, "Staging", "big: does not fit into the work directory");
}

static void a_mode_that_gives_more_than_permissions_is_refused(void **state)
{
    struct job *j = *state;

    add_file(j, "x", 04755, "x");
    j->spec.program = (char *)"true";
    run(j);
    cannot_run(j, 126, "Staging", "mode 4755");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_program_runs_and_its_exit_code_is_the_jobs),
        T(a_name_is_looked_for_in_the_path),
        T(the_source_is_the_program_where_none_is_named),
        T(a_signal_that_kills_it_is_told_as_one),
        T(its_environment_is_short_and_the_jobs_comes_first),
        T(it_has_its_stdio_and_no_other_descriptor),
        T(the_program_is_not_the_first_process_and_leads_its_session),
        T(init_is_sealed_before_the_program_begins),
        T(init_cannot_be_looked_into),
        T(its_end_is_the_jobs_though_others_hold_its_output),
        T(daemons_of_daemons_are_found),
        T(without_a_broker_everything_ends),
        T(a_cancel_asks_it_to_end),
        T(signals_from_inside_mean_nothing_to_init),
        T(output_past_the_limit_ends_the_job),
        T(output_past_the_limit_is_found_after_the_end_too),
        T(output_past_the_limit_is_counted_when_truncated),
        T(inline_input_is_read_to_its_end),
        T(streamed_input_comes_in_pieces),
        T(a_program_that_closes_its_input_goes_on),
        T(input_that_never_comes_does_not_hold_the_end),
        T(without_input_it_reads_the_end),
        T(a_name_that_is_nowhere),
        T(a_path_that_is_nowhere),
        T(a_directory),
        T(a_file_that_is_not_executable),
        T(a_script_whose_interpreter_is_missing),
        T(a_script_with_the_line_ends_of_dos),
        T(a_text_without_an_interpreter_line),
        T(an_empty_file),
        T(another_machines_program),
        T(a_program_of_32_bits),
        T(a_truncated_program),
        T(a_program_whose_loader_is_missing),
        T(a_program_whose_library_is_missing),
        T(arguments_that_are_too_long),
        T(files_are_staged_with_their_modes),
        T(staged_names_that_are_refused),
        T(a_file_larger_than_the_disk_is_refused),
        T(a_mode_that_gives_more_than_permissions_is_refused),
    };

    const struct CMUnitTest listed[] = {
        T(its_end_is_the_jobs_though_others_hold_its_output),
        T(daemons_of_daemons_are_found),
        T(without_a_broker_everything_ends),
    };
    int failed = cmocka_run_group_tests(tests, zygote_start, zygote_stop);

    reap_by_list = true; /* says something at T2 only */
    return failed + cmocka_run_group_tests(listed, zygote_start, zygote_stop);
}
