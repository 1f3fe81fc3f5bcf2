/* test_task_look.c - looking in: names, numbers, hooks, backtraces, and what is kept for the one who runs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "task_fixture.h"

static int parks(void *arg)
{
    (void)arg;
    return coop_park(NULL, COOP_NEVER);
}

static int yields(void *arg)
{
    (void)arg;
    return coop_yield();
}

static coop_task *start_named(coop_fn fn, const char *name)
{
    const struct coop_attr attr = { .name = name };
    coop_task *t = NULL;

    assert_int_equal(coop_spawn(&t, fn, NULL, &attr), 0);
    return t;
}

static void release(coop_task *t)
{
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

/* ---- names --------------------------------------------------------------------------------------------------------------------- */

static void a_name_is_copied_and_15_bytes_of_it_are_kept(void **state)
{
    char name[] = "0123456789abcdefgh";
    coop_task *t = start_named(parks, name), *nameless = start(parks, NULL);

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    assert_string_equal(coop_name(t), "0123456789abcde");
    assert_string_equal(coop_name(nameless), "");
    assert_string_equal(coop_name(coop_main()), "main");
    assert_string_equal(coop_name(NULL), "");
    release(t);
    release(nameless);
}

static void an_id_is_never_given_twice(void **state)
{
    uint64_t last = coop_id(coop_main());

    (void)state;
    assert_int_equal(last, 1);
    for (int i = 0; i < 300; i++) { /* the memory of those that ended is used again */
        coop_task *t = start(yields, NULL);

        assert_true(coop_id(t) > last);
        last = coop_id(t);
        assert_int_equal(joined(t), 0);
    }
    assert_int_equal(coop_id(NULL), 0);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------------- */

static void the_numbers_add_up(void **state)
{
    struct coop_stats before, during, after;
    coop_task *t[3];

    (void)state;
    coop_get_stats(&before);
    assert_int_equal(before.alive, 0);
    assert_int_equal(before.stack_bytes, 0);
    for (int i = 0; i < 3; i++)
        t[i] = start(parks, NULL);
    coop_get_stats(&during);
    assert_int_equal(during.alive, 3);
    assert_int_equal(during.runnable, 3);
    assert_true(during.stack_bytes >= 3 * (64 << 10));
    assert_int_equal(coop_yield(), 0);
    coop_get_stats(&during);
    assert_int_equal(during.runnable, 0);
    assert_int_equal(during.switches - before.switches, 4); /* to each of them, and back */
    for (int i = 0; i < 3; i++)
        release(t[i]);
    coop_get_stats(&after);
    assert_int_equal(after.alive, 0);
    assert_int_equal(after.peak, 3);
    assert_int_equal(after.spawned, 3);
    assert_int_equal(after.ended, 3);
}

/* ---- hooks --------------------------------------------------------------------------------------------------------------------- */

static char heard[256];

static void hear(coop_task *from, coop_task *to)
{
    size_t n = strlen(heard);

    snprintf(heard + n, sizeof(heard) - n, "%s>%s ", from != NULL ? coop_name(from) : "-", to != NULL ? coop_name(to) : "-");
}

static void the_switch_hook_hears_of_each_switch_and_each_end(void **state)
{
    (void)state;
    heard[0] = '\0';
    coop_set_switch_hook(hear);
    assert_int_equal(coop_detach(start_named(yields, "a")), 0);
    assert_int_equal(coop_detach(start_named(yields, "b")), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_string_equal(heard, "main>a a>b b>a a>- ->b b>- ->main ");
    coop_set_switch_hook(NULL);
    assert_int_equal(joined(start(yields, NULL)), 0);
    assert_string_equal(heard, "main>a a>b b>a a>- ->b b>- ->main ");
}

/* ---- backtraces ---------------------------------------------------------------------------------------------------------------- */

/* What coop_backtrace() writes; little enough for a pipe. */
static const char *backtrace_of_all(int depth)
{
    static char text[4096];
    ssize_t n;
    int fd[2];

    assert_int_equal(pipe(fd), 0);
    coop_backtrace(fd[1], depth);
    close(fd[1]);
    n = read(fd[0], text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    close(fd[0]);
    return text;
}

/* Indented lines right after the one that begins with this. */
static int frames_below(const char *text, const char *line)
{
    int n = 0;

    text = strstr(text, line);
    assert_non_null(text);
    while ((text = strchr(text, '\n')) != NULL && strncmp(++text, "    ", 4) == 0)
        n++;
    return n;
}

static void a_backtrace_has_a_line_for_each_and_no_more_calls_than_asked_for(void **state)
{
    coop_task *waits = start_named(parks, "waits"), *ready;
    const char *text;

    (void)state;
    assert_int_equal(coop_yield(), 0);
    ready = start_named(yields, "ready");
    assert_int_equal(coop_cancel(ready), 0);
    text = backtrace_of_all(0);
    assert_non_null(strstr(text, "tasklet 1 main [running]\n"));
    assert_non_null(strstr(text, "tasklet 2 waits [park]\n"));
    assert_non_null(strstr(text, "tasklet 3 ready [runnable] cancelled\n"));
    assert_int_equal(frames_below(text, "tasklet 2 "), 0);
    assert_int_equal(frames_below(backtrace_of_all(-1), "tasklet 2 "), 0);
    assert_int_equal(frames_below(backtrace_of_all(1), "tasklet 2 "), 1);
    assert_in_range(frames_below(backtrace_of_all(64), "tasklet 2 "), 2, 64);
    assert_int_equal(joined(ready), -ECANCELED);
    release(waits);
}

/* ---- of the one who runs ------------------------------------------------------------------------------------------------------- */

static bool was_atomic;

static int is_atomic(void *arg)
{
    (void)arg;
    was_atomic = coop_atomic(true);
    return coop_yield() == 0 ? coop_atomic(false) : -1;
}

static void atomic_is_each_tasklets_own(void **state)
{
    coop_task *a = start(is_atomic, NULL), *b = start(is_atomic, NULL);

    (void)state;
    assert_false(coop_atomic(true));
    assert_int_equal(coop_yield(), 0); /* a call that lets others run does so all the same */
    assert_false(was_atomic);
    assert_true(coop_atomic(false));
    assert_false(coop_atomic(false));
    assert_int_equal(joined(a), true);
    assert_int_equal(joined(b), true);
}

static int who_am_i(void *arg)
{
    return coop_self() == *(coop_task **)arg && coop_alive(coop_self()) && !coop_blocked(coop_self());
}

static void a_tasklet_knows_itself(void **state)
{
    static coop_task *t;

    (void)state;
    assert_ptr_equal(coop_self(), coop_main());
    t = start(who_am_i, &t);
    assert_int_equal(joined(t), true);
    assert_false(coop_alive(t));
    assert_false(coop_alive(NULL));
    assert_false(coop_blocked(NULL));
}

static void without_a_thread_state_there_is_nobody(void **state)
{
    (void)state;
    assert_null(coop_self());
    assert_null(coop_main());
    assert_int_equal(coop_finish(), -EINVAL);
    assert_int_equal(coop_run(COOP_NEVER), -EINVAL);
    assert_int_equal(coop_spawn(NULL, parks, NULL, NULL), -EINVAL);
    coop_backtrace(STDERR_FILENO, 8);
}

#define T(f) cmocka_unit_test_setup_teardown(f, task_setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_name_is_copied_and_15_bytes_of_it_are_kept),
        T(an_id_is_never_given_twice),
        T(the_numbers_add_up),
        T(the_switch_hook_hears_of_each_switch_and_each_end),
        T(a_backtrace_has_a_line_for_each_and_no_more_calls_than_asked_for),
        T(atomic_is_each_tasklets_own),
        T(a_tasklet_knows_itself),
        cmocka_unit_test(without_a_thread_state_there_is_nobody),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
