/* test_task_future.c - waiting for several tasklets, for one with a deadline, and timers. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "task_fixture.h"

enum { SHORT_US = 3000, N = 3 };

static int give(void *arg)
{
    return (int)(intptr_t)arg;
}

#define GIVE(n) give, (void *)(intptr_t)(n)

static int sleep_long(void *arg)
{
    (void)arg;
    return coop_sleep_until(COOP_NEVER);
}

/* From one moment on, the test's first: whoever starts late is not later for that. */
static int64_t began;

static int sleep_and_give(void *arg)
{
    int n = (int)(intptr_t)arg;

    return coop_sleep_until(began + (int64_t)n * SHORT_US) != 0 ? -ECANCELED : n;
}

static int setup(void **state)
{
    began = coop_after(SHORT_US);
    return task_setup(state);
}

static void end_it(coop_task *t)
{
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
}

/* ---- gather -------------------------------------------------------------------------------------------------------------------- */

static void gather_has_the_results_in_the_order_of_the_tasks(void **state)
{
    coop_task *t[N] = { start(sleep_and_give, (void *)2), start(GIVE(-5)), start(sleep_and_give, (void *)1) };
    int results[N] = { 0 };

    (void)state;
    assert_int_equal(coop_gather(t, N, results, COOP_NEVER), 0);
    assert_int_equal(results[0], 2);
    assert_int_equal(results[1], -5);
    assert_int_equal(results[2], 1);
    for (int i = 0; i < N; i++)
        assert_int_equal(coop_id(t[i]), 0); /* freed */
    t[0] = start(GIVE(1));
    assert_int_equal(coop_gather(t, 1, NULL, COOP_NEVER), 0);
    assert_int_equal(coop_gather(NULL, 0, NULL, 0), 0);
}

static void a_gather_that_fails_frees_nobody_and_writes_nothing(void **state)
{
    coop_task *t[2] = { start(GIVE(1)), start(sleep_long, NULL) };
    int results[2] = { 77, 77 };

    (void)state;
    assert_int_equal(coop_gather(t, 2, results, 0), -ETIMEDOUT);
    assert_int_equal(coop_gather(t, 2, results, coop_after(SHORT_US)), -ETIMEDOUT);
    assert_int_equal(results[0], 77);
    assert_int_equal(joined(t[0]), 1);
    end_it(t[1]);
}

static void gather_refuses_what_a_join_refuses(void **state)
{
    coop_task *t[3] = { start(sleep_long, NULL), coop_self(), NULL };

    (void)state;
    assert_int_equal(coop_gather(NULL, 1, NULL, 0), -EINVAL);
    assert_int_equal(coop_gather(t + 2, 1, NULL, 0), -EINVAL);
    assert_int_equal(coop_gather(t, 2, NULL, 0), -EINVAL); /* main does not end */
    t[1] = t[0];
    assert_int_equal(coop_gather(t, 2, NULL, 0), -EBUSY); /* listed twice */
    end_it(t[0]);                                         /* nothing has stuck to it */
}

static int join_it(void *t)
{
    return coop_join(t, NULL, COOP_NEVER);
}

struct list {
    coop_task *const *tasks;
    size_t n;
};

static int gather_them(void *arg)
{
    const struct list *l = arg;

    return coop_gather(l->tasks, l->n, NULL, COOP_NEVER);
}

static void one_that_is_gathered_is_joined_by_nobody_else(void **state)
{
    coop_task *t[2] = { start(sleep_long, NULL), start(sleep_long, NULL) };
    struct list l = { t, 2 };
    coop_task *g = start_blocked(gather_them, &l);

    (void)state;
    assert_int_equal(coop_join(t[1], NULL, 0), -EBUSY);
    assert_int_equal(coop_detach(t[1]), -EBUSY);
    assert_int_equal(coop_cancel(g), 0);
    assert_int_equal(joined(g), -ECANCELED);
    g = start_blocked(join_it, t[1]);
    assert_int_equal(coop_gather(t, 2, NULL, COOP_NEVER), -EBUSY);
    assert_int_equal(coop_cancel(t[1]), 0);
    assert_int_equal(joined(g), 0);
    end_it(t[0]);
}

static void a_cancelled_caller_gathers_nothing(void **state)
{
    coop_task *t[1] = { start(GIVE(4)) };
    struct list l = { t, 1 };
    coop_task *g;

    (void)state;
    assert_int_equal(coop_yield(), 0);
    assert_false(coop_alive(t[0]));
    g = start(gather_them, &l);
    assert_int_equal(coop_cancel(g), 0);
    assert_int_equal(joined(g), -ECANCELED);
    assert_int_equal(joined(t[0]), 4);
}

/* ---- wait_first ---------------------------------------------------------------------------------------------------------------- */

static int wait_for_first(void *arg)
{
    const struct list *l = arg;

    return coop_wait_first(l->tasks, l->n, COOP_NEVER);
}

static int park_and_give(void *arg)
{
    return coop_park(NULL, COOP_NEVER) != 0 ? -ECANCELED : (int)(intptr_t)arg;
}

static void the_first_that_ends_is_named_and_not_joined(void **state)
{
    coop_task *t[N] = { start(sleep_long, NULL), start(park_and_give, (void *)2), start(park_and_give, (void *)1) };

    (void)state;
    assert_int_equal(coop_unpark(t[2], 0), 0);
    assert_int_equal(coop_wait_first(t, N, COOP_NEVER), 2);
    assert_int_equal(coop_wait_first(t, N, 0), 2); /* still there */
    assert_int_equal(joined(t[2]), 1);
    assert_int_equal(coop_unpark(t[1], 0), 0);
    assert_int_equal(coop_wait_first(t, 2, COOP_NEVER), 1);
    assert_int_equal(joined(t[1]), 2);
    end_it(t[0]);
}

static void of_several_that_have_ended_the_first_listed_is_named(void **state)
{
    coop_task *t[N] = { start(sleep_long, NULL), start(GIVE(1)), start(GIVE(2)) };

    (void)state;
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(coop_wait_first(t, N, 0), 1);
    assert_int_equal(joined(t[1]), 1);
    assert_int_equal(joined(t[2]), 2);
    end_it(t[0]);
}

static void waiting_for_the_first_has_a_deadline_and_leaves_nothing_behind(void **state)
{
    coop_task *t[2] = { start(sleep_long, NULL), start(sleep_long, NULL) };
    struct list l = { t, 2 };
    coop_task *w;

    (void)state;
    assert_int_equal(coop_wait_first(t, 2, 0), -ETIMEDOUT);
    assert_int_equal(coop_wait_first(t, 2, coop_after(SHORT_US)), -ETIMEDOUT);
    w = start_blocked(wait_for_first, &l);
    end_it(w);
    w = start(wait_for_first, &l);
    end_it(w); /* it was cancelled before it came to wait */
    end_it(t[0]);
    end_it(t[1]);
}

static void everybody_who_waits_for_one_is_woken_when_it_ends(void **state)
{
    coop_task *t[2] = { start(sleep_long, NULL), start(sleep_long, NULL) };
    struct list l = { t, 2 };
    coop_task *joiner = start_blocked(join_it, t[1]);
    coop_task *a = start_blocked(wait_for_first, &l), *b = start_blocked(wait_for_first, &l);

    (void)state;
    assert_int_equal(coop_cancel(t[1]), 0);
    assert_int_equal(joined(joiner), 0); /* it frees t[1] before the two run */
    assert_int_equal(joined(a), 1);
    assert_int_equal(joined(b), 1);
    end_it(t[0]);
}

static void waiting_for_the_first_of_nothing_is_refused(void **state)
{
    coop_task *t[2] = { start(GIVE(1)), NULL };

    (void)state;
    assert_int_equal(coop_wait_first(t, 0, COOP_NEVER), -EINVAL);
    assert_int_equal(coop_wait_first(NULL, 1, COOP_NEVER), -EINVAL);
    assert_int_equal(coop_wait_first(t, 2, COOP_NEVER), -EINVAL);
    assert_int_equal(joined(t[0]), 1);
}

/* ---- wait_for ------------------------------------------------------------------------------------------------------------------ */

static void waiting_for_one_joins_it(void **state)
{
    coop_task *t = start(sleep_and_give, (void *)1);
    int result = 0;

    (void)state;
    assert_int_equal(coop_wait_for(t, &result, coop_after(5000000)), 0);
    assert_int_equal(result, 1);
    assert_int_equal(coop_id(t), 0);
    assert_int_equal(coop_wait_for(NULL, &result, 0), -EINVAL);
}

static int clean_up_slowly(void *arg)
{
    int rc = coop_sleep_until(COOP_NEVER);

    (void)arg;
    coop_shield(true);
    (void)coop_sleep_until(coop_after(SHORT_US));
    note('e');
    return rc;
}

static void at_the_deadline_it_is_cancelled_and_its_end_waited_for(void **state)
{
    coop_task *t = start_blocked(clean_up_slowly, NULL);
    int result = 77;

    (void)state;
    assert_int_equal(coop_wait_for(t, &result, coop_after(SHORT_US)), -ETIMEDOUT);
    assert_string_equal(trace, "e");
    assert_int_equal(result, 77);
    assert_int_equal(coop_id(t), 0);
    t = start(sleep_long, NULL);
    assert_int_equal(coop_wait_for(t, NULL, 0), -ETIMEDOUT);
    assert_int_equal(coop_id(t), 0);
}

static int wait_for_it(void *t)
{
    return coop_wait_for(t, NULL, COOP_NEVER);
}

static void who_is_cancelled_while_it_waits_leaves_the_other_alone(void **state)
{
    coop_task *t = start(sleep_long, NULL), *w = start_blocked(wait_for_it, t);

    (void)state;
    assert_int_equal(coop_cancel(w), 0);
    assert_int_equal(joined(w), -ECANCELED);
    assert_true(coop_blocked(t));
    end_it(t);
}

/* ---- timers -------------------------------------------------------------------------------------------------------------------- */

static int fire(void *arg)
{
    note((char)(intptr_t)arg);
    return 0;
}

static void a_timer_fires_once_and_not_too_early(void **state)
{
    int64_t due = coop_after(SHORT_US);
    coop_timer *t;

    (void)state;
    assert_int_equal(coop_timer_new(fire, (void *)'t', &t), 0);
    assert_int_equal(coop_timer_set(t, due, 0), 0);
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_true(coop_now() >= due);
    assert_string_equal(trace, "t");
    assert_int_equal(coop_timer_stop(t), 0);
    assert_int_equal(coop_timer_set(t, 0, 0), 0); /* past: as soon as others run */
    assert_string_equal(trace, "t");
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_string_equal(trace, "tt");
    assert_int_equal(coop_timer_free(t), 0);
}

/* A timer that is due after so many turns of others, and has had its time when it returns. Whether all that was before it was due. */
static bool is_stopped_in_time(int yields)
{
    int64_t due;
    coop_timer *t;
    bool in_time;
    int stopped;

    trace[0] = '\0';
    assert_int_equal(coop_timer_new(fire, (void *)'t', &t), 0);
    assert_int_equal(coop_timer_stop(t), 0);
    due = coop_after(SHORT_US);
    assert_int_equal(coop_timer_set(t, due, 0), 0);
    for (int i = 0; i < yields; i++)
        assert_int_equal(coop_yield(), 0);
    stopped = coop_timer_stop(t);
    in_time = coop_now() < due;
    assert_int_equal(stopped, trace[0] == '\0'); /* it fires or is stopped */
    assert_true(stopped == 1 || !in_time);
    assert_int_equal(coop_timer_stop(t), 0);
    assert_int_equal(coop_timer_set(t, 0, 0), 0);
    assert_int_equal(coop_timer_free(t), 0);
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_int_equal(coop_sleep_until(coop_after((int64_t)2 * SHORT_US)), 0);
    return in_time;
}

/* Of one that was due before it was stopped, because the machine stood still, nothing is said here. */
static void a_stopped_timer_does_not_fire_and_may_be_freed_at_once(void **state)
{
    (void)state;
    for (int yields = 0; yields < 2; yields++) { /* its tasklet has not run yet; it sleeps */
        for (int tries = 0; !is_stopped_in_time(yields);)
            assert_true(++tries < 100);
        assert_string_equal(trace, "");
    }
}

static void a_timer_that_is_due_but_has_not_run_can_still_be_stopped(void **state)
{
    int64_t due;
    coop_timer *t;

    (void)state;
    assert_int_equal(coop_timer_new(fire, (void *)'t', &t), 0);
    do {
        due = coop_after(SHORT_US);
        assert_int_equal(coop_timer_set(t, due, 0), 0);
    } while (coop_now() >= due);                /* main is to sleep when it is not due yet */
    assert_int_equal(coop_sleep_until(due), 0); /* main slept first, so it is woken first */
    assert_string_equal(trace, "");
    assert_int_equal(coop_timer_free(t), 0);
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_string_equal(trace, "");
}

static void a_timer_that_is_set_again_fires_at_the_new_time_only(void **state)
{
    coop_timer *t;

    (void)state;
    assert_int_equal(coop_timer_new(fire, (void *)'t', &t), 0);
    assert_int_equal(coop_timer_set(t, coop_after(60000000), 0), 0);
    assert_int_equal(coop_timer_set(t, coop_after(SHORT_US), 0), 0);
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_string_equal(trace, "t");
    assert_int_equal(coop_timer_free(t), 0);
}

struct ticker {
    coop_timer *timer;
    int64_t begin;
    int ticks;
};

static int tick(void *arg)
{
    struct ticker *k = arg;

    k->ticks++;
    assert_true(coop_now() >= k->begin + (int64_t)k->ticks * SHORT_US);
    if (k->ticks == 3)
        assert_int_equal(coop_timer_stop(k->timer), 1);
    return coop_exit(0);
}

static void a_periodic_timer_fires_until_it_is_stopped_from_inside_too(void **state)
{
    struct ticker k = { .begin = coop_now() };

    (void)state;
    assert_int_equal(coop_timer_new(tick, &k, &k.timer), 0);
    assert_int_equal(coop_timer_set(k.timer, k.begin + SHORT_US, SHORT_US), 0);
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_int_equal(k.ticks, 3);
    assert_int_equal(coop_timer_free(k.timer), 0);
}

static int tick_and_hog(void *arg)
{
    struct ticker *k = arg;

    k->ticks++;
    while (k->ticks == 1 && coop_now() < k->begin + (int64_t)11 * SHORT_US / 2)
        ; /* nobody else runs */
    if (k->ticks == 3) {
        assert_true(coop_now() >= k->begin + (int64_t)6 * SHORT_US);
        assert_int_equal(coop_timer_stop(k->timer), 1);
    }
    return 0;
}

static void a_periodic_timer_that_is_late_does_not_catch_up(void **state)
{
    struct ticker k = { .begin = coop_now() };

    (void)state;
    assert_int_equal(coop_timer_new(tick_and_hog, &k, &k.timer), 0);
    assert_int_equal(coop_timer_set(k.timer, k.begin + SHORT_US, SHORT_US), 0);
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_int_equal(k.ticks, 3);
    assert_int_equal(coop_timer_free(k.timer), 0);
}

static int fire_again(void *arg)
{
    struct ticker *k = arg;

    return ++k->ticks < 3 ? coop_timer_set(k->timer, coop_after(SHORT_US), 0) : coop_timer_free(k->timer);
}

static void a_timer_may_be_set_and_freed_by_what_it_calls(void **state)
{
    struct ticker k = { 0 };

    (void)state;
    assert_int_equal(coop_timer_new(fire_again, &k, &k.timer), 0);
    assert_int_equal(coop_timer_set(k.timer, 0, 0), 0);
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_int_equal(k.ticks, 3);
}

static void a_timer_outlives_the_thread_state_that_set_it(void **state)
{
    coop_timer *t;

    (void)state;
    assert_int_equal(coop_timer_new(fire, (void *)'t', &t), 0);
    assert_int_equal(coop_timer_set(t, coop_after(60000000), 0), 0);
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(coop_timer_stop(t), 0);
    assert_int_equal(coop_timer_free(t), 0);
    assert_int_equal(coop_init(NULL), 0);
    assert_string_equal(trace, "");
}

static void senseless_timers_are_refused(void **state)
{
    coop_timer *t;

    (void)state;
    assert_int_equal(coop_timer_new(NULL, NULL, &t), -EINVAL);
    assert_int_equal(coop_timer_new(fire, NULL, NULL), -EINVAL);
    assert_int_equal(coop_timer_set(NULL, 0, 0), -EINVAL);
    assert_int_equal(coop_timer_stop(NULL), -EINVAL);
    assert_int_equal(coop_timer_free(NULL), 0);
    assert_int_equal(coop_timer_new(fire, NULL, &t), 0);
    assert_int_equal(coop_timer_set(t, COOP_NEVER, 0), -EINVAL);
    assert_int_equal(coop_timer_set(t, 0, -1), -EINVAL);
    assert_int_equal(coop_timer_free(t), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(gather_has_the_results_in_the_order_of_the_tasks),
        T(a_gather_that_fails_frees_nobody_and_writes_nothing),
        T(gather_refuses_what_a_join_refuses),
        T(one_that_is_gathered_is_joined_by_nobody_else),
        T(a_cancelled_caller_gathers_nothing),
        T(the_first_that_ends_is_named_and_not_joined),
        T(of_several_that_have_ended_the_first_listed_is_named),
        T(waiting_for_the_first_has_a_deadline_and_leaves_nothing_behind),
        T(everybody_who_waits_for_one_is_woken_when_it_ends),
        T(waiting_for_the_first_of_nothing_is_refused),
        T(waiting_for_one_joins_it),
        T(at_the_deadline_it_is_cancelled_and_its_end_waited_for),
        T(who_is_cancelled_while_it_waits_leaves_the_other_alone),
        T(a_timer_fires_once_and_not_too_early),
        T(a_stopped_timer_does_not_fire_and_may_be_freed_at_once),
        T(a_timer_that_is_due_but_has_not_run_can_still_be_stopped),
        T(a_timer_that_is_set_again_fires_at_the_new_time_only),
        T(a_periodic_timer_fires_until_it_is_stopped_from_inside_too),
        T(a_periodic_timer_that_is_late_does_not_catch_up),
        T(a_timer_may_be_set_and_freed_by_what_it_calls),
        T(a_timer_outlives_the_thread_state_that_set_it),
        T(senseless_timers_are_refused),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
