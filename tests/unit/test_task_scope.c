/* test_task_scope.c - scopes: children end before their parent goes on, one failure ends them all. */
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

enum { SHORT_US = 3000 };

static coop_task *child(coop_scope *s, coop_fn fn, void *arg, const char *name)
{
    const struct coop_attr attr = { .scope = s, .name = name };
    coop_task *t = NULL;

    assert_int_equal(coop_spawn(&t, fn, arg, &attr), 0);
    return t;
}

static void child_alone(coop_scope *s, coop_fn fn, void *arg)
{
    const struct coop_attr attr = { .scope = s };

    assert_int_equal(coop_spawn(NULL, fn, arg, &attr), 0);
}

static int give(void *arg)
{
    return (int)(intptr_t)arg;
}

#define GIVE(n) give, (void *)(intptr_t)(n)

static int sleep_long(void *arg)
{
    int rc = coop_sleep_until(COOP_NEVER);

    (void)arg;
    note('c');
    return rc;
}

static int sleep_short(void *arg)
{
    int rc = coop_sleep_until(coop_after(SHORT_US));

    note((char)(intptr_t)arg);
    return rc;
}

static void a_join_waits_until_the_last_child_has_ended(void **state)
{
    coop_scope *s;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    assert_int_equal(coop_scope_join(s, 0), 0); /* nobody to wait for */
    child_alone(s, sleep_short, (void *)'a');
    child_alone(s, GIVE(5)); /* not a failure */
    child_alone(s, sleep_short, (void *)'b');
    assert_int_equal(coop_scope_join(s, COOP_NEVER), 0);
    assert_string_equal(trace, "ab");
    assert_int_equal(coop_scope_failures(s, NULL), 0);
    assert_int_equal(coop_scope_close(s), 0);
}

static void a_join_with_a_deadline_leaves_the_children_alone(void **state)
{
    coop_scope *s;
    coop_task *t;
    int64_t due;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    t = child(s, sleep_long, NULL, NULL);
    assert_int_equal(coop_scope_join(s, 0), -ETIMEDOUT);
    due = coop_after(SHORT_US);
    assert_int_equal(coop_scope_join(s, due), -ETIMEDOUT);
    assert_true(coop_now() >= due);
    assert_true(coop_blocked(t));
    assert_int_equal(coop_scope_close(s), 0);
    assert_int_equal(joined(t), -ECANCELED);
}

static void the_first_failure_cancels_the_others_and_is_what_join_returns(void **state)
{
    const struct coop_failure *list;
    coop_scope *s;
    coop_task *a, *b, *c;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    a = child(s, sleep_long, NULL, "sleeper");
    b = child(s, GIVE(-EIO), "loser");
    c = child(s, GIVE(-EBADF), "also"); /* cancelled before it ran: not a failure */
    assert_int_equal(coop_scope_join(s, COOP_NEVER), -EIO);
    assert_int_equal(coop_scope_failures(s, &list), 1);
    assert_int_equal(list[0].result, -EIO);
    assert_int_equal(list[0].task, coop_id(b));
    assert_string_equal(list[0].name, "loser");
    assert_int_equal(joined(a), -ECANCELED);
    assert_int_equal(joined(b), -EIO);
    assert_int_equal(joined(c), -EBADF);
    assert_int_equal(coop_scope_join(s, 0), -EIO);
    assert_int_equal(coop_scope_close(s), -EIO);
}

static int fail_shielded(void *arg)
{
    coop_shield(true);
    (void)coop_sleep_until(coop_after(SHORT_US));
    return (int)(intptr_t)arg;
}

static void a_child_that_was_cancelled_does_not_fail(void **state)
{
    coop_scope *s;
    coop_task *a, *b;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    a = child(s, fail_shielded, (void *)(intptr_t)-EIO, NULL);
    b = child(s, sleep_long, NULL, NULL);
    assert_int_equal(coop_cancel(a), 0);
    assert_int_equal(joined(a), -EIO);
    assert_true(coop_blocked(b));
    assert_int_equal(coop_scope_failures(s, NULL), 0);
    assert_int_equal(coop_scope_close(s), 0);
    assert_int_equal(joined(b), -ECANCELED);
}

static void of_many_failures_the_oldest_are_kept(void **state)
{
    const struct coop_failure *list;
    coop_scope *s;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    child_alone(s, GIVE(-1));
    assert_int_equal(coop_scope_join(s, COOP_NEVER), -1);
    assert_int_equal(coop_scope_failures(s, &list), 1);
    child_alone(s, GIVE(-2)); /* of a cancelled scope: starts cancelled, so does not count */
    assert_int_equal(coop_scope_join(s, COOP_NEVER), -1);
    assert_int_equal(coop_scope_failures(s, &list), 1);
    assert_int_equal(coop_scope_close(s), -1);
    assert_int_equal(coop_scope_failures(NULL, &list), 0);
}

static void the_deadline_cancels_all_children(void **state)
{
    coop_scope *s;
    coop_task *a, *b;
    int64_t due = coop_after(SHORT_US);

    (void)state;
    assert_int_equal(coop_scope_new(&s, due), 0);
    a = child(s, sleep_long, NULL, NULL);
    b = child(s, sleep_long, NULL, NULL);
    assert_int_equal(coop_scope_join(s, COOP_NEVER), 0);
    assert_true(coop_now() >= due);
    assert_int_equal(joined(a), -ECANCELED);
    assert_int_equal(joined(b), -ECANCELED);
    a = child(s, sleep_long, NULL, NULL); /* too late */
    assert_int_equal(joined(a), -ECANCELED);
    assert_int_equal(coop_scope_close(s), 0);
}

static void a_deadline_that_is_past_cancels_from_the_start(void **state)
{
    coop_scope *s;

    (void)state;
    assert_int_equal(coop_scope_new(&s, 0), 0);
    assert_int_equal(joined(child(s, sleep_long, NULL, NULL)), -ECANCELED);
    assert_int_equal(coop_scope_close(s), 0);
}

static void a_scope_without_children_keeps_nobody_alive(void **state)
{
    struct coop_stats stats;
    coop_scope *s;

    (void)state;
    assert_int_equal(coop_scope_new(&s, coop_after(60000000)), 0);
    child_alone(s, GIVE(0));
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    coop_get_stats(&stats);
    assert_int_equal(stats.alive, 0);
    child_alone(s, GIVE(0)); /* and again */
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_int_equal(coop_scope_close(s), 0);
}

static void close_cancels_and_waits_for_those_that_take_their_time(void **state)
{
    coop_scope *s;
    coop_task *t;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    t = child(s, fail_shielded, (void *)7, NULL);
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(coop_scope_close(s), 0);
    assert_false(coop_alive(t));
    assert_int_equal(joined(t), 7);
    assert_int_equal(coop_scope_close(NULL), -EINVAL);
}

static int close_it(void *s)
{
    return coop_scope_close(s);
}

static int join_it(void *s)
{
    return coop_scope_join(s, COOP_NEVER);
}

static void a_child_neither_closes_nor_joins_its_own_scope(void **state)
{
    coop_scope *s;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    assert_int_equal(joined(child(s, close_it, s, NULL)), -EDEADLK);
    assert_int_equal(coop_scope_close(s), -EDEADLK); /* its failure, not ours */
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    assert_int_equal(joined(child(s, join_it, s, NULL)), -EDEADLK);
    assert_int_equal(coop_scope_close(s), -EDEADLK);
}

static int close_outer_from_inside(void *outer)
{
    coop_scope *inner;
    coop_task *t;
    int rc;

    assert_int_equal(coop_scope_new(&inner, COOP_NEVER), 0);
    t = child(inner, close_it, outer, NULL);
    rc = joined(t);
    assert_int_equal(coop_scope_close(inner), rc);
    return 0;
}

static void a_child_of_a_child_does_not_close_the_outer_scope(void **state)
{
    coop_scope *s;
    coop_task *t;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    t = child(s, close_outer_from_inside, s, NULL);
    assert_int_equal(joined(t), 0);
    assert_int_equal(coop_scope_close(s), 0);
}

static void a_scope_somebody_joins_is_not_closed_by_another(void **state)
{
    coop_scope *s;
    coop_task *t;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    child_alone(s, sleep_long, NULL);
    t = start_blocked(join_it, s);
    assert_int_equal(coop_scope_close(s), -EBUSY);
    assert_int_equal(coop_scope_cancel(s), 0);
    assert_int_equal(joined(t), 0);
    assert_int_equal(coop_scope_close(s), 0);
    assert_int_equal(coop_scope_cancel(NULL), -EINVAL);
}

static void a_join_that_is_cancelled_leaves_the_scope_open(void **state)
{
    coop_scope *s;
    coop_task *t;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    t = start(join_it, s); /* cancelled before: fails though there is nobody to wait for */
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
    child_alone(s, sleep_long, NULL);
    t = start_blocked(join_it, s);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
    assert_int_equal(coop_scope_close(s), 0);
    assert_int_equal(coop_scope_join(NULL, 0), -EINVAL);
}

static int open_and_close(void *arg)
{
    coop_scope *s;

    (void)arg;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    child_alone(s, fail_shielded, NULL);
    (void)coop_sleep_until(COOP_NEVER);
    note('C');
    return coop_scope_close(s);
}

static void a_cancelled_parent_closes_its_scope_all_the_same(void **state)
{
    coop_task *t = start_blocked(open_and_close, NULL);

    (void)state;
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), 0);
    assert_string_equal(trace, "C");
}

static int open_and_leave(void *ret_scope)
{
    return coop_scope_new(ret_scope, COOP_NEVER);
}

static void nothing_is_spawned_into_the_scope_of_a_parent_that_has_ended(void **state)
{
    coop_scope *s = NULL;
    coop_task *t;

    (void)state;
    assert_int_equal(joined(start(open_and_leave, &s)), 0);
    const struct coop_attr attr = { .scope = s };
    assert_int_equal(coop_spawn(&t, GIVE(0), &attr), -EINVAL);
    assert_int_equal(coop_scope_close(s), 0);
    assert_int_equal(coop_scope_new(NULL, COOP_NEVER), -EINVAL);
}

static int spawn_late(void *s)
{
    const struct coop_attr attr = { .scope = s };

    (void)coop_sleep_until(COOP_NEVER);
    assert_int_equal(coop_spawn(NULL, GIVE(0), &attr), -ECANCELED);
    note('l');
    return 0;
}

static void nothing_is_spawned_into_a_scope_that_is_being_closed(void **state)
{
    coop_scope *s;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    child_alone(s, spawn_late, s);
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(coop_scope_close(s), 0);
    assert_string_equal(trace, "l");
}

static void a_trapped_caller_does_not_close_what_it_would_wait_for(void **state)
{
    coop_scope *s;
    coop_task *t;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    t = child(s, sleep_long, NULL, NULL);
    assert_int_equal(coop_yield(), 0);
    coop_block_trap(true);
    assert_int_equal(coop_scope_close(s), -EPERM);
    assert_int_equal(coop_scope_join(s, COOP_NEVER), -EPERM);
    coop_block_trap(false);
    assert_true(coop_blocked(t));
    assert_int_equal(coop_scope_close(s), 0);
    assert_int_equal(joined(t), -ECANCELED);
}

static int stuck(void *event)
{
    coop_shield(true);
    return coop_event_wait(event, COOP_NEVER);
}

static void a_close_that_can_never_end_says_so_and_can_be_tried_again(void **state)
{
    coop_event *e;
    coop_scope *s;

    (void)state;
    assert_int_equal(coop_event_new(&e), 0);
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    child_alone(s, stuck, e);
    assert_int_equal(coop_scope_close(s), -EDEADLK);
    assert_int_equal(coop_event_set(e), 0);
    assert_int_equal(coop_scope_close(s), 0);
    assert_int_equal(coop_event_free(e), 0);
}

static void several_scopes_of_one_parent_close_in_any_order(void **state)
{
    coop_scope *s[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(coop_scope_new(&s[i], coop_after(60000000)), 0);
        child_alone(s[i], sleep_long, NULL);
    }
    assert_int_equal(coop_scope_close(s[1]), 0);
    assert_int_equal(coop_scope_close(s[2]), 0);
    assert_int_equal(coop_scope_close(s[0]), 0);
    assert_string_equal(trace, "ccc");
}

#define T(f) cmocka_unit_test_setup_teardown(f, task_setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_join_waits_until_the_last_child_has_ended),
        T(a_join_with_a_deadline_leaves_the_children_alone),
        T(the_first_failure_cancels_the_others_and_is_what_join_returns),
        T(a_child_that_was_cancelled_does_not_fail),
        T(of_many_failures_the_oldest_are_kept),
        T(the_deadline_cancels_all_children),
        T(a_deadline_that_is_past_cancels_from_the_start),
        T(a_scope_without_children_keeps_nobody_alive),
        T(close_cancels_and_waits_for_those_that_take_their_time),
        T(a_child_neither_closes_nor_joins_its_own_scope),
        T(a_child_of_a_child_does_not_close_the_outer_scope),
        T(a_scope_somebody_joins_is_not_closed_by_another),
        T(a_join_that_is_cancelled_leaves_the_scope_open),
        T(a_cancelled_parent_closes_its_scope_all_the_same),
        T(nothing_is_spawned_into_the_scope_of_a_parent_that_has_ended),
        T(nothing_is_spawned_into_a_scope_that_is_being_closed),
        T(a_trapped_caller_does_not_close_what_it_would_wait_for),
        T(a_close_that_can_never_end_says_so_and_can_be_tried_again),
        T(several_scopes_of_one_parent_close_in_any_order),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
