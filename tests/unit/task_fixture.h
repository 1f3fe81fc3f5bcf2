/*
 * task_fixture.h - a thread state for each test of the tasklet library, and the few things all of them do with tasklets.
 *
 * Side: tests. Included after cmocka.h.
 */
#ifndef TESTS_UNIT_TASK_FIXTURE_H
#define TESTS_UNIT_TASK_FIXTURE_H

#include <limits.h>
#include <string.h>

#include <coop/task.h>

static char trace[256]; /* who did what, in order */

static inline void note(char c)
{
    size_t n = strlen(trace);

    assert_true(n + 1 < sizeof(trace));
    trace[n] = c;
    trace[n + 1] = '\0';
}

static inline int task_setup(void **state)
{
    (void)state;
    trace[0] = '\0';
    return coop_init(NULL);
}

static inline int task_teardown(void **state)
{
    (void)state;
    return coop_finish();
}

static inline coop_task *start(coop_fn fn, void *arg)
{
    coop_task *t = NULL;

    assert_int_equal(coop_spawn(&t, fn, arg, NULL), 0);
    return t;
}

static inline coop_task *start_blocked(coop_fn fn, void *arg)
{
    coop_task *t = start(fn, arg);

    assert_int_equal(coop_yield(), 0);
    assert_true(coop_blocked(t));
    return t;
}

/* What it returned; a test that would wait for ever fails. */
static inline int joined(coop_task *t)
{
    int result = INT_MIN;

    assert_int_equal(coop_join(t, &result, coop_after(5000000)), 0);
    return result;
}

#endif
