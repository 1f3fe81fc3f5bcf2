/* test_task_sched.c - tasklets: spawn, join, turns, cancel, park, sleep, descriptors, deadlock, limits; and the timer wheel. */
#include <errno.h>
#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/task/task.h"

static char order[256];

static void note(const char *what)
{
    assert_true(strlen(order) + strlen(what) < sizeof(order));
    strcat(order, what);
}

static int setup(void **state)
{
    (void)state;
    order[0] = '\0';
    return coop_init(NULL);
}

static int teardown(void **state)
{
    (void)state;
    return coop_finish();
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------- */

static int give_back(void *arg)
{
    return (int)(intptr_t)arg;
}

static void a_join_gives_what_the_function_returned(void **state)
{
    coop_task *t;
    int result;

    (void)state;
    assert_int_equal(coop_spawn(&t, give_back, (void *)42, NULL), 0);
    assert_true(coop_alive(t));
    assert_int_equal(coop_join(t, &result, COOP_NEVER), 0);
    assert_int_equal(result, 42);
}

static int leave_early(void *arg)
{
    coop_exit((int)(intptr_t)arg);
    note("never");
    return 0;
}

static void an_exit_ends_the_tasklet_with_its_result(void **state)
{
    coop_task *t;
    int result;

    (void)state;
    assert_int_equal(coop_spawn(&t, leave_early, (void *)7, NULL), 0);
    assert_int_equal(coop_join(t, &result, COOP_NEVER), 0);
    assert_int_equal(result, 7);
    assert_string_equal(order, "");
    assert_int_equal(coop_exit(1), -EPERM); /* main cannot */
}

static int say_three_times(void *arg)
{
    for (int i = 0; i < 3; i++) {
        note(arg);
        assert_int_equal(coop_yield(), 0);
    }
    return 0;
}

static void those_who_yield_take_turns(void **state)
{
    (void)state;
    assert_int_equal(coop_spawn(NULL, say_three_times, "a", NULL), 0);
    assert_int_equal(coop_spawn(NULL, say_three_times, "b", NULL), 0);
    assert_int_equal(coop_spawn(NULL, say_three_times, "c", NULL), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_string_equal(order, "abcabcabc");
}

static int say(void *arg)
{
    note(arg);
    return 0;
}

static void yield_to_runs_one_before_its_turn(void **state)
{
    coop_task *c;

    (void)state;
    assert_int_equal(coop_spawn(NULL, say, "a", NULL), 0);
    assert_int_equal(coop_spawn(NULL, say, "b", NULL), 0);
    assert_int_equal(coop_spawn(&c, say, "c", NULL), 0);
    assert_int_equal(coop_yield_to(c), 0);
    assert_string_equal(order, "cab"); /* the caller comes behind everybody */
    assert_int_equal(coop_yield_to(c), -EINVAL);
    assert_int_equal(coop_join(c, NULL, COOP_NEVER), 0);
}

static int wait_for_ever(void *arg)
{
    int rc = coop_park(NULL, COOP_NEVER);

    (void)arg;
    return rc;
}

static void a_join_that_is_too_early_times_out_and_can_be_repeated(void **state)
{
    coop_task *t;
    int result;

    (void)state;
    assert_int_equal(coop_spawn(&t, wait_for_ever, NULL, NULL), 0);
    assert_int_equal(coop_join(t, NULL, 0), -ETIMEDOUT);
    assert_int_equal(coop_join(t, NULL, coop_after(2000)), -ETIMEDOUT);
    assert_int_equal(coop_unpark(t, 5), 0);
    assert_int_equal(coop_join(t, &result, COOP_NEVER), 0);
    assert_int_equal(result, 0);
}

static int join_it(void *arg)
{
    return coop_join(arg, NULL, COOP_NEVER);
}

static int join_self(void *arg)
{
    (void)arg;
    return coop_join(coop_self(), NULL, COOP_NEVER);
}

static void who_may_not_be_joined_says_why(void **state)
{
    coop_task *t, *joiner, *self;
    int result;

    (void)state;
    assert_int_equal(coop_join(NULL, NULL, COOP_NEVER), -EINVAL);
    assert_int_equal(coop_join(coop_main(), NULL, COOP_NEVER), -EINVAL);
    assert_int_equal(coop_spawn(&self, join_self, NULL, NULL), 0);
    assert_int_equal(coop_join(self, &result, COOP_NEVER), 0);
    assert_int_equal(result, -EDEADLK);
    assert_int_equal(coop_spawn(&t, wait_for_ever, NULL, NULL), 0);
    assert_int_equal(coop_spawn(&joiner, join_it, t, NULL), 0);
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(coop_join(t, NULL, COOP_NEVER), -EBUSY);
    assert_int_equal(coop_detach(t), -EBUSY);
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(coop_join(joiner, &result, COOP_NEVER), 0);
    assert_int_equal(result, 0);
}

static void more_than_the_limit_are_refused(void **state)
{
    const struct coop_options few = { .max_tasklets = 3 };
    coop_task *t;

    (void)state;
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(coop_init(&few), 0);
    assert_int_equal(coop_init(NULL), -EALREADY);
    assert_int_equal(coop_spawn(&t, give_back, NULL, NULL), 0);
    assert_int_equal(coop_spawn(NULL, give_back, NULL, NULL), 0);
    assert_int_equal(coop_spawn(NULL, give_back, NULL, NULL), 0);
    assert_int_equal(coop_spawn(NULL, give_back, NULL, NULL), -EAGAIN);
    assert_int_equal(coop_join(t, NULL, COOP_NEVER), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_int_equal(coop_spawn(NULL, give_back, NULL, NULL), 0);
}

static void senseless_attributes_are_refused(void **state)
{
    const struct coop_attr huge = { .stack_size = (1 << 20) + 1 };

    (void)state;
    assert_int_equal(coop_spawn(NULL, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(coop_spawn(NULL, give_back, NULL, &huge), -EINVAL);
    assert_int_equal(coop_cancel(NULL), -EINVAL);
    assert_int_equal(coop_unpark(NULL, 0), -EINVAL);
    assert_int_equal(coop_yield_to(NULL), -EINVAL);
    assert_int_equal(coop_detach(NULL), -EINVAL);
}

static int fill_stack(void *arg)
{
    volatile char big[40 << 10];
    unsigned seed = (unsigned)(uintptr_t)arg;

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(seed * 31 + i);
    assert_int_equal(coop_yield(), 0);
    for (size_t i = 0; i < sizeof(big); i++)
        if (big[i] != (char)(seed * 31 + i))
            return -1;
    return (int)seed;
}

static void two_thousand_stacks_keep_what_is_on_them(void **state)
{
    enum { N = 2000 };
    static coop_task *all[N];
    int result;

    (void)state;
    for (intptr_t i = 0; i < N; i++)
        assert_int_equal(coop_spawn(&all[i], fill_stack, (void *)i, NULL), 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(coop_join(all[i], &result, COOP_NEVER), 0);
        assert_int_equal(result, i);
    }
}

static int round_up_and_yield(void *arg)
{
    (void)arg;
    assert_int_equal(fesetround(FE_UPWARD), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(coop_yield(), 0);
        assert_int_equal(fegetround(), FE_UPWARD);
    }
    return 0;
}

static void each_tasklet_has_its_own_rounding_mode(void **state)
{
    (void)state;
    assert_int_equal(coop_spawn(NULL, round_up_and_yield, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(coop_yield(), 0);
        assert_int_equal(fegetround(), FE_TONEAREST);
    }
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_int_equal(fegetround(), FE_TONEAREST);
}

static int set_errno(void *arg)
{
    errno = (int)(intptr_t)arg;
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(errno, (int)(intptr_t)arg);
    return 0;
}

static void each_tasklet_has_its_own_errno(void **state)
{
    (void)state;
    assert_int_equal(coop_spawn(NULL, set_errno, (void *)ENOENT, NULL), 0);
    assert_int_equal(coop_spawn(NULL, set_errno, (void *)EPIPE, NULL), 0);
    errno = 0;
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(errno, 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
}

/* ---- cancel -------------------------------------------------------------------------------------------------------------------- */

static int block_again_and_again(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++)
        if (coop_park(NULL, COOP_NEVER) == -ECANCELED)
            note("x");
    assert_int_equal(coop_sleep_until(COOP_NEVER), -ECANCELED);
    assert_int_equal(coop_yield(), -ECANCELED);
    assert_int_equal(coop_fd_wait(0, COOP_READABLE, COOP_NEVER), -ECANCELED);
    assert_int_equal(coop_run(COOP_NEVER), -EPERM);
    return -ECANCELED;
}

static void after_a_cancel_every_blocking_call_fails_until_the_end(void **state)
{
    coop_task *t;
    int result;

    (void)state;
    assert_int_equal(coop_spawn(&t, block_again_and_again, NULL, NULL), 0);
    assert_int_equal(coop_yield(), 0);
    assert_true(coop_blocked(t));
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(coop_join(t, &result, COOP_NEVER), 0);
    assert_int_equal(result, -ECANCELED);
    assert_string_equal(order, "xxx");
}

static int shielded(void *arg)
{
    (void)arg;
    coop_shield(true);
    assert_int_equal(coop_park(NULL, COOP_NEVER), 0);
    note("kept");
    coop_shield(false);
    return coop_park(NULL, COOP_NEVER);
}

static void a_shield_lets_the_cancel_wait(void **state)
{
    coop_task *t;
    int result;

    (void)state;
    assert_int_equal(coop_spawn(&t, shielded, NULL, NULL), 0);
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(coop_yield(), 0);
    assert_string_equal(order, "");
    assert_int_equal(coop_unpark(t, 1), 0);
    assert_int_equal(coop_join(t, &result, COOP_NEVER), 0);
    assert_int_equal(result, -ECANCELED);
    assert_string_equal(order, "kept");
}

static void one_that_is_cancelled_before_it_began_still_begins(void **state)
{
    coop_task *t;
    int result;

    (void)state;
    assert_int_equal(coop_spawn(&t, wait_for_ever, NULL, NULL), 0);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(coop_join(t, &result, COOP_NEVER), 0);
    assert_int_equal(result, -ECANCELED);
}

static void an_interrupt_cancels_everybody(void **state)
{
    coop_task *t;
    int result;

    (void)state;
    assert_int_equal(coop_spawn(&t, wait_for_ever, NULL, NULL), 0);
    assert_int_equal(coop_yield(), 0);
    sched_interrupt(sched);
    assert_int_equal(coop_park(NULL, COOP_NEVER), -ECANCELED);
    assert_int_equal(coop_yield(), -ECANCELED);
    coop_shield(true);
    assert_int_equal(coop_join(t, &result, COOP_NEVER), 0);
    coop_shield(false);
    assert_int_equal(result, -ECANCELED);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

static void an_unpark_before_the_park_is_kept_once(void **state)
{
    intptr_t value = 0;

    (void)state;
    assert_int_equal(coop_unpark(coop_self(), 1), 0);
    assert_int_equal(coop_unpark(coop_self(), 2), 0);
    assert_int_equal(coop_park(&value, 0), 0);
    assert_int_equal(value, 2);
    assert_int_equal(coop_park(&value, 0), -ETIMEDOUT);
}

static int64_t began;

static int sleep_and_say(void *arg)
{
    assert_int_equal(coop_sleep_until(began + (((const char *)arg)[0] == 'b' ? 4000 : 2000)), 0);
    note(arg);
    return 0;
}

/* Both are to be asleep before the first is due: a machine that stood still just then is asked again. */
static void sleepers_wake_in_the_order_of_their_deadlines(void **state)
{
    int tries = 0;
    bool late;

    (void)state;
    do {
        assert_true(++tries < 100);
        order[0] = '\0';
        began = coop_now();
        assert_int_equal(coop_spawn(NULL, sleep_and_say, "b", NULL), 0);
        assert_int_equal(coop_spawn(NULL, sleep_and_say, "a", NULL), 0);
        assert_int_equal(coop_yield(), 0);
        late = coop_now() >= began + 2000;
        assert_int_equal(coop_run(COOP_NEVER), 0);
        assert_true(coop_now() - began >= 4000);
    } while (late);
    assert_string_equal(order, "ab");
    assert_int_equal(coop_sleep_until(0), 0); /* long past */
}

static int read_one(void *arg)
{
    int fd = *(int *)arg;
    char c;

    assert_int_equal(coop_fd_wait(fd, COOP_READABLE, COOP_NEVER), COOP_READABLE);
    assert_int_equal(read(fd, &c, 1), 1);
    note((char[]){ c, '\0' });
    return 0;
}

static void a_descriptor_wakes_the_one_that_waits_for_it(void **state)
{
    int a[2], b[2];
    coop_task *first;

    (void)state;
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    assert_int_equal(coop_spawn(&first, read_one, &a[0], NULL), 0);
    assert_int_equal(coop_spawn(NULL, read_one, &b[0], NULL), 0);
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(coop_fd_wait(a[0], COOP_READABLE, COOP_NEVER), -EBUSY);
    assert_int_equal(coop_fd_wait(b[1], COOP_READABLE | COOP_WRITABLE, COOP_NEVER), COOP_WRITABLE);
    assert_int_equal(write(b[1], "b", 1), 1);
    while (order[0] == '\0')
        assert_int_equal(coop_yield(), 0);
    assert_int_equal(write(a[1], "a", 1), 1);
    assert_int_equal(coop_join(first, NULL, COOP_NEVER), 0);
    assert_string_equal(order, "ba");
    assert_int_equal(coop_fd_wait(a[0], COOP_READABLE, 0), -ETIMEDOUT);
    assert_int_equal(coop_fd_wait(a[0], COOP_READABLE, coop_after(2000)), -ETIMEDOUT);
    assert_int_equal(coop_fd_wait(-1, COOP_READABLE, COOP_NEVER), -EBADF);
    assert_int_equal(coop_fd_wait(a[0], 0, COOP_NEVER), -EINVAL);
    (void)close(a[1]);
    assert_int_equal(coop_fd_wait(a[0], COOP_READABLE, COOP_NEVER), COOP_READABLE); /* its end */
    (void)close(a[0]);
    (void)close(b[0]);
    (void)close(b[1]);
}

static void a_descriptor_number_that_is_reused_is_watched_anew(void **state)
{
    int p[2];

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pipe(p), 0);
        assert_int_equal(coop_fd_wait(p[0], COOP_READABLE, coop_after(1500)), -ETIMEDOUT);
        (void)close(p[0]);
        (void)close(p[1]);
    }
}

/* ---- deadlock and traps -------------------------------------------------------------------------------------------------------- */

static void when_nobody_can_ever_run_main_is_told(void **state)
{
    coop_task *t;

    (void)state;
    assert_int_equal(coop_park(NULL, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_spawn(&t, wait_for_ever, NULL, NULL), 0);
    assert_int_equal(coop_join(t, NULL, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_run(COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(coop_join(t, NULL, COOP_NEVER), 0);
}

static void collect(void *ctx, const char *line)
{
    strncat(ctx, line, 1000 - strlen(ctx));
    strcat(ctx, "\n");
}

static void a_description_names_everybody_and_what_it_waits_for(void **state)
{
    const struct coop_attr named = { .name = "philosopher-of-Elea" };
    char text[1100] = "";
    coop_task *t;

    (void)state;
    assert_int_equal(coop_spawn(&t, wait_for_ever, NULL, &named), 0);
    assert_int_equal(coop_yield(), 0);
    sched_describe(collect, text, 0);
    assert_non_null(strstr(text, "tasklet 1 main [running]\n"));
    assert_non_null(strstr(text, "tasklet 2 philosopher-of- [park]\n"));
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(coop_join(t, NULL, COOP_NEVER), 0);
}

static void traps_refuse_to_block_and_to_switch(void **state)
{
    coop_task *t;

    (void)state;
    assert_int_equal(coop_spawn(&t, give_back, NULL, NULL), 0);
    coop_block_trap(true);
    assert_int_equal(coop_join(t, NULL, COOP_NEVER), -EPERM);
    assert_int_equal(coop_join(t, NULL, 0), -ETIMEDOUT); /* that would not have blocked */
    coop_block_trap(false);
    assert_int_equal(coop_switch_trap(1), 0);
    assert_int_equal(coop_yield(), -EPERM);
    assert_int_equal(coop_yield_to(t), -EPERM);
    assert_int_equal(coop_park(NULL, COOP_NEVER), -EPERM);
    assert_int_equal(coop_switch_trap(-1), 1);
    assert_int_equal(coop_join(t, NULL, COOP_NEVER), 0);
}

static void those_that_are_left_are_cancelled_at_the_end(void **state)
{
    coop_task *t;

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(coop_spawn(NULL, wait_for_ever, NULL, NULL), 0);
    assert_int_equal(coop_spawn(&t, wait_for_ever, NULL, NULL), 0);
    assert_int_equal(coop_yield(), 0);
    /* teardown asserts that coop_finish() says 0 */
}

/* ---- stacks -------------------------------------------------------------------------------------------------------------------- */

/* As on a kernel before 6.13, where the guards are of more than one kind. */
static void stacks_of_every_kind_of_guard_come_back_whole(void **state)
{
    enum { N = STACKS_MPROTECT + 200 };
    struct stacks s;
    static void *small[N];
    size_t size;
    void *large;

    (void)state;
    stacks_init(&s);
    s.no_madvise = true;
    for (int i = 0; i < N; i++)
        assert_non_null(small[i] = stacks_get(&s, 0, &size));
    s.mprotected = STACKS_MPROTECT; /* none left for the large one */
    assert_non_null(large = stacks_get(&s, 4, &size));
    assert_true(s.any_canary);
    assert_true(stacks_is_guard(&s, (char *)small[0] - 1));
    assert_false(stacks_is_guard(&s, small[0]));
    for (int i = 0; i < N; i++)
        assert_int_equal(stacks_put(&s, 0, small[i]), 0);
    assert_int_equal(stacks_put(&s, 4, large), 0);
    assert_non_null(large = stacks_get(&s, 4, &size));
    memset(large, 'x', 16); /* somebody wrote down to the end */
    assert_int_equal(stacks_put(&s, 4, large), -EFAULT);
    stacks_finish(&s);
}

/* ---- the wheel ----------------------------------------------------------------------------------------------------------------- */

static void a_deadline_is_never_early_and_never_forgotten(void **state)
{
    enum { N = 4000 };
    static struct wheel w;
    static struct wheel_node nodes[N];
    static int64_t due[N];
    int64_t now = 123456789;
    unsigned seed = 12345, fired = 0;

    (void)state;
    wheel_init(&w, now);
    memset(nodes, 0, sizeof(nodes));
    for (int i = 0; i < N; i++) { /* from a millisecond to twelve days and beyond */
        int64_t span;

        seed = seed * 1103515245 + 12345;
        span = (int64_t)(seed >> 8) << (seed % 21);
        due[i] = now + span;
        wheel_arm(&w, &nodes[i], due[i]);
    }
    for (int i = 0; i < N; i += 4)
        wheel_cancel(&w, &nodes[i]);
    while (w.count > 0) {
        struct wheel_node *n;
        int64_t wait = wheel_wait_us(&w, now);

        assert_true(wait >= 0);
        now += wait > 0 ? wait : WHEEL_TICK_US;
        while ((n = wheel_expire(&w, now)) != NULL) {
            assert_true(due[n - nodes] <= now && now < due[n - nodes] + 2 * WHEEL_TICK_US);
            assert_true((n - nodes) % 4 != 0);
            fired++;
        }
    }
    assert_int_equal(fired, N - N / 4);
    assert_int_equal(wheel_wait_us(&w, now), -1);
}

static void a_wait_is_exact_when_the_next_deadline_is_near(void **state)
{
    static struct wheel w;
    struct wheel_node n = { 0 };

    (void)state;
    for (int64_t base = 0; base < 70000; base += 500)
        for (int64_t span = 1; span < 63000; span += 3001) {
            wheel_init(&w, base);
            wheel_arm(&w, &n, base + span);
            for (int64_t now = base, wait; wheel_expire(&w, now) == NULL; now += wait) {
                wait = wheel_wait_us(&w, now);
                assert_true(wait > 0 && now + wait < base + span + 2 * WHEEL_TICK_US);
            }
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void shields_nest_deep(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        coop_shield(true);
    for (int i = 0; i < 299; i++)
        coop_shield(false);
    assert_int_equal(coop_cancel(coop_self()), 0);
    assert_int_equal(coop_cancelled(), 0);
    coop_shield(false);
    assert_int_equal(coop_cancelled(), -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_join_gives_what_the_function_returned),
        TEST(an_exit_ends_the_tasklet_with_its_result),
        TEST(those_who_yield_take_turns),
        TEST(yield_to_runs_one_before_its_turn),
        TEST(a_join_that_is_too_early_times_out_and_can_be_repeated),
        TEST(who_may_not_be_joined_says_why),
        TEST(more_than_the_limit_are_refused),
        TEST(senseless_attributes_are_refused),
        TEST(two_thousand_stacks_keep_what_is_on_them),
        TEST(each_tasklet_has_its_own_rounding_mode),
        TEST(each_tasklet_has_its_own_errno),
        TEST(after_a_cancel_every_blocking_call_fails_until_the_end),
        TEST(a_shield_lets_the_cancel_wait),
        TEST(one_that_is_cancelled_before_it_began_still_begins),
        TEST(an_interrupt_cancels_everybody),
        TEST(an_unpark_before_the_park_is_kept_once),
        TEST(sleepers_wake_in_the_order_of_their_deadlines),
        TEST(a_descriptor_wakes_the_one_that_waits_for_it),
        TEST(a_descriptor_number_that_is_reused_is_watched_anew),
        TEST(when_nobody_can_ever_run_main_is_told),
        TEST(a_description_names_everybody_and_what_it_waits_for),
        TEST(traps_refuse_to_block_and_to_switch),
        TEST(those_that_are_left_are_cancelled_at_the_end),
        TEST(shields_nest_deep),
        cmocka_unit_test(stacks_of_every_kind_of_guard_come_back_whole),
        cmocka_unit_test(a_deadline_is_never_early_and_never_forgotten),
        cmocka_unit_test(a_wait_is_exact_when_the_next_deadline_is_near),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
