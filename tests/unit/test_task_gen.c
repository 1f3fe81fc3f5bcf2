/* test_task_gen.c - generators: words out, words and errors in, how they end, and what reaches them when their caller is stopped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "task_fixture.h"

static coop_gen *gen;
static coop_chan *chan;
static int seen; /* what a generator's last call returned */

static int setup(void **state)
{
    gen = NULL;
    chan = NULL;
    seen = 0;
    return task_setup(state);
}

static int teardown(void **state)
{
    (void)state;
    if (coop_finish() != 0 || coop_gen_free(gen) != 0)
        return 1;
    return coop_chan_free(chan);
}

static coop_gen *make(coop_gen_fn fn, void *arg)
{
    assert_int_equal(coop_gen_new(fn, arg, &gen), 0);
    return gen;
}

static void assert_next(coop_gen *g, intptr_t expected)
{
    intptr_t word = -1;

    assert_int_equal(coop_gen_next(g, &word), 0);
    assert_int_equal(word, expected);
}

static int next_of(coop_gen *g)
{
    intptr_t word = 99;
    int rc = coop_gen_next(g, &word);

    if (rc != 0)
        assert_int_equal(word, 99);
    return rc;
}

/* ---- generators ---------------------------------------------------------------------------------------------------------------- */

static int count_to(coop_gen *g, void *arg)
{
    for (intptr_t i = 0; i < (intptr_t)arg; i++) {
        seen = coop_gen_yield(g, i, NULL);
        if (seen != 0)
            return seen;
    }
    return 0;
}

/* Yields what it is sent, plus 100; errors as they are. */
static int echo(coop_gen *g, void *arg)
{
    intptr_t word = 0;

    (void)arg;
    for (;;) {
        intptr_t sent = 0;

        seen = coop_gen_yield(g, word, &sent);
        if (seen == -ECANCELED)
            return 0;
        word = seen != 0 ? seen : sent + 100;
    }
}

static int yield_and_end(coop_gen *g, void *arg)
{
    (void)coop_gen_yield(g, 1, NULL);
    return (int)(intptr_t)arg;
}

/* ---- words out ----------------------------------------------------------------------------------------------------------------- */

static void it_yields_its_words_and_ends(void **state)
{
    (void)state;
    make(count_to, (void *)3);
    for (int i = 0; i < 3; i++)
        assert_next(gen, i);
    assert_int_equal(next_of(gen), -EPIPE);
    assert_int_equal(next_of(gen), -EPIPE);
}

static void one_that_yields_nothing_ends_at_once(void **state)
{
    (void)state;
    make(count_to, NULL);
    assert_int_equal(next_of(gen), -EPIPE);
}

static void what_it_returns_is_told_once(void **state)
{
    (void)state;
    make(yield_and_end, (void *)(intptr_t)-EIO);
    assert_next(gen, 1);
    assert_int_equal(next_of(gen), -EIO);
    assert_int_equal(next_of(gen), -EPIPE);
    assert_int_equal(coop_gen_free(gen), 0);
    make(yield_and_end, (void *)7);
    assert_next(gen, 1);
    assert_int_equal(next_of(gen), 7);
    assert_int_equal(next_of(gen), -EPIPE);
}

static int leave(coop_gen *g, void *arg)
{
    (void)coop_gen_yield(g, 1, NULL);
    return coop_exit((int)(intptr_t)arg);
}

static void an_exit_ends_it_as_a_return_would(void **state)
{
    (void)state;
    make(leave, (void *)(intptr_t)-EIO);
    assert_next(gen, 1);
    assert_int_equal(next_of(gen), -EIO);
    assert_int_equal(next_of(gen), -EPIPE);
}

static int mark(void *arg)
{
    *(bool *)arg = true;
    return 0;
}

static void nobody_runs_between_a_caller_and_its_generator(void **state)
{
    bool ran = false;
    struct coop_stats before, after;
    coop_task *t = start(mark, &ran);

    (void)state;
    make(count_to, (void *)3);
    coop_get_stats(&before);
    assert_next(gen, 0);
    assert_next(gen, 1);
    coop_get_stats(&after);
    assert_int_equal(after.switches - before.switches, 4);
    assert_next(gen, 2);
    assert_int_equal(next_of(gen), -EPIPE);
    assert_false(ran);
    assert_int_equal(joined(t), 0);
}

static void it_does_not_run_before_it_is_asked(void **state)
{
    (void)state;
    seen = 42;
    make(count_to, (void *)3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(coop_yield(), 0);
    assert_int_equal(seen, 42);
    assert_next(gen, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(coop_yield(), 0);
    assert_int_equal(seen, 42);
}

static void two_take_turns(void **state)
{
    coop_gen *a, *b;

    (void)state;
    assert_int_equal(coop_gen_new(count_to, (void *)100, &a), 0);
    assert_int_equal(coop_gen_new(count_to, (void *)100, &b), 0);
    for (int i = 0; i < 100; i++) {
        assert_next(a, i);
        assert_next(b, i);
    }
    assert_int_equal(next_of(a), -EPIPE);
    assert_int_equal(next_of(b), -EPIPE);
    assert_int_equal(coop_gen_free(a), 0);
    assert_int_equal(coop_gen_free(b), 0);
}

static int sleep_then_yield(coop_gen *g, void *arg)
{
    (void)arg;
    seen = coop_sleep_until(coop_after(2000));
    return seen != 0 ? seen : coop_gen_yield(g, 5, NULL);
}

static void one_that_blocks_lets_others_run(void **state)
{
    bool ran = false;
    coop_task *t = start(mark, &ran);

    (void)state;
    make(sleep_then_yield, NULL);
    assert_next(gen, 5);
    assert_true(ran);
    assert_int_equal(joined(t), 0);
}

/* ---- words and errors in ------------------------------------------------------------------------------------------------------- */

static void what_is_sent_is_what_its_yield_brings(void **state)
{
    intptr_t word = 0;

    (void)state;
    make(echo, NULL);
    assert_next(gen, 0);
    assert_int_equal(coop_gen_send(gen, 5, &word), 0);
    assert_int_equal(word, 105);
    assert_int_equal(coop_gen_send(gen, -7, &word), 0);
    assert_int_equal(word, 93);
    assert_next(gen, 100);
}

static void nothing_but_zero_is_sent_to_one_that_has_not_started(void **state)
{
    intptr_t word = 99;

    (void)state;
    make(echo, NULL);
    assert_int_equal(coop_gen_send(gen, 5, &word), -EINVAL);
    assert_int_equal(word, 99);
    assert_int_equal(coop_gen_send(gen, 0, &word), 0);
    assert_int_equal(word, 0);
}

static void what_is_thrown_is_what_its_yield_returns(void **state)
{
    intptr_t word = 0;

    (void)state;
    make(echo, NULL);
    assert_next(gen, 0);
    assert_int_equal(coop_gen_throw(gen, -EIO, &word), 0);
    assert_int_equal(word, -EIO);
    assert_int_equal(coop_gen_send(gen, 1, &word), 0); /* once */
    assert_int_equal(word, 101);
    assert_int_equal(coop_gen_throw(gen, 0, &word), -EINVAL);
    assert_int_equal(coop_gen_throw(gen, 3, &word), -EINVAL);
}

static void a_throw_that_is_not_caught_comes_back(void **state)
{
    intptr_t word = 99;

    (void)state;
    make(count_to, (void *)5);
    assert_next(gen, 0);
    assert_int_equal(coop_gen_throw(gen, -EIO, &word), -EIO);
    assert_int_equal(word, 99);
    assert_int_equal(next_of(gen), -EPIPE);
    assert_int_equal(coop_gen_throw(gen, -EIO, &word), -EPIPE);
}

static void a_throw_ends_one_that_has_not_started(void **state)
{
    intptr_t word;

    (void)state;
    seen = 42;
    make(count_to, (void *)5);
    assert_int_equal(coop_gen_throw(gen, -EIO, &word), -EIO);
    assert_int_equal(next_of(gen), -EPIPE);
    assert_int_equal(seen, 42);
}

/* ---- closing ------------------------------------------------------------------------------------------------------------------- */

static void a_close_ends_it(void **state)
{
    (void)state;
    make(count_to, (void *)5);
    assert_next(gen, 0);
    assert_int_equal(coop_gen_close(gen), 0);
    assert_int_equal(seen, -ECANCELED);
    assert_int_equal(next_of(gen), -EPIPE);
    assert_int_equal(coop_gen_close(gen), 0);
}

static void a_close_before_the_start_never_runs_it(void **state)
{
    (void)state;
    seen = 42;
    make(count_to, (void *)5);
    assert_int_equal(coop_gen_close(gen), 0);
    assert_int_equal(next_of(gen), -EPIPE);
    assert_int_equal(seen, 42);
}

static int stubborn(coop_gen *g, void *arg)
{
    for (intptr_t i = 0; i < (intptr_t)arg; i++)
        seen = coop_gen_yield(g, i, NULL);
    return 0;
}

static void one_that_yields_instead_of_ending_is_told_again(void **state)
{
    (void)state;
    make(stubborn, (void *)3);
    assert_next(gen, 0);
    assert_int_equal(coop_gen_close(gen), -EINVAL);
    assert_int_equal(seen, -ECANCELED);
    seen = 0;
    assert_int_equal(coop_gen_free(gen), -EINVAL);
    assert_int_equal(seen, -ECANCELED);
    seen = 0;
    assert_int_equal(coop_gen_close(gen), 0);
    assert_int_equal(seen, -ECANCELED);
}

static int clean_up(coop_gen *g, void *arg)
{
    seen = coop_gen_yield(g, 1, NULL);
    *(int *)arg = coop_sleep_until(coop_after(1000)); /* it may block while it cleans up */
    return seen;
}

static int close_it(void *arg)
{
    (void)arg;
    return coop_gen_close(gen);
}

static void a_cancelled_tasklet_can_close_it(void **state)
{
    int slept = 1;
    coop_task *t;

    (void)state;
    make(clean_up, &slept);
    assert_next(gen, 1);
    t = start(close_it, NULL);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), 0);
    assert_int_equal(seen, -ECANCELED);
    assert_int_equal(slept, 0);
}

/* ---- running already ----------------------------------------------------------------------------------------------------------- */

static int ask_myself(coop_gen *g, void *arg)
{
    intptr_t word;

    (void)arg;
    assert_int_equal(coop_gen_next(g, &word), -EBUSY);
    assert_int_equal(coop_gen_close(g), -EBUSY);
    assert_int_equal(coop_gen_free(g), -EBUSY);
    assert_int_equal(coop_gen_throw(g, -EIO, &word), -EBUSY);
    return coop_gen_yield(g, 3, NULL);
}

static void one_that_runs_is_busy_from_inside(void **state)
{
    (void)state;
    make(ask_myself, NULL);
    assert_next(gen, 3);
}

static int recv_then_yield(coop_gen *g, void *arg)
{
    intptr_t word = 0;

    (void)arg;
    seen = coop_chan_recv(chan, &word, COOP_NEVER);
    return seen != 0 ? seen : coop_gen_yield(g, word, NULL);
}

static int next_word(void *arg)
{
    intptr_t word = -1;
    int rc = coop_gen_next(arg, &word);

    return rc == 0 ? (int)word : rc;
}

static void one_that_runs_is_busy_for_other_tasklets(void **state)
{
    coop_task *t;

    (void)state;
    assert_int_equal(coop_chan_new(0, &chan), 0);
    t = start(next_word, make(recv_then_yield, NULL));
    coop_yield();
    assert_int_equal(next_of(gen), -EBUSY);
    assert_int_equal(coop_gen_close(gen), -EBUSY);
    assert_int_equal(coop_gen_free(gen), -EBUSY);
    assert_int_equal(coop_chan_send(chan, 8, COOP_NEVER), 0);
    assert_int_equal(joined(t), 8);
    assert_int_equal(coop_gen_close(gen), 0);
}

/* ---- what stops the caller ----------------------------------------------------------------------------------------------------- */

static void a_cancel_of_the_caller_reaches_the_generator(void **state)
{
    coop_task *t;

    (void)state;
    assert_int_equal(coop_chan_new(0, &chan), 0);
    t = start(next_word, make(recv_then_yield, NULL));
    coop_yield();
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
    assert_int_equal(seen, -ECANCELED);
    assert_int_equal(coop_chan_balance(chan), 0);
    assert_int_equal(next_of(gen), -EPIPE);
}

static int shrug(coop_gen *g, void *arg)
{
    intptr_t word;

    (void)g;
    (void)arg;
    seen = coop_chan_recv(chan, &word, COOP_NEVER);
    return 0;
}

static void an_end_that_a_cancel_brought_about_is_no_normal_end(void **state)
{
    coop_task *t;

    (void)state;
    assert_int_equal(coop_chan_new(0, &chan), 0);
    t = start(next_word, make(shrug, NULL));
    coop_yield();
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
}

static void a_cancelled_caller_does_not_run_it(void **state)
{
    coop_task *t;

    (void)state;
    make(count_to, (void *)5);
    assert_next(gen, 0);
    t = start(next_word, gen);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
    assert_next(gen, 1);
}

static void a_deadlock_reaches_the_call_that_waits(void **state)
{
    (void)state;
    assert_int_equal(coop_chan_new(0, &chan), 0);
    make(recv_then_yield, NULL);
    assert_int_equal(next_of(gen), -EDEADLK);
    assert_int_equal(seen, -EDEADLK);
    assert_int_equal(coop_chan_balance(chan), 0);
    assert_int_equal(next_of(gen), -EPIPE);
}

static void a_switch_trap_forbids_it(void **state)
{
    int rc;

    (void)state;
    make(count_to, (void *)5);
    assert_next(gen, 0);
    (void)coop_switch_trap(1);
    rc = next_of(gen);
    (void)coop_switch_trap(-1);
    assert_int_equal(rc, -EPERM);
    assert_next(gen, 1);
}

static void finish_ends_one_that_nobody_closed(void **state)
{
    (void)state;
    make(count_to, (void *)5);
    assert_next(gen, 0);
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(seen, -ECANCELED);
    assert_int_equal(coop_gen_free(gen), 0);
    gen = NULL;
    assert_int_equal(coop_init(NULL), 0);
}

static int shielded_end(coop_gen *g, void *arg)
{
    seen = coop_gen_yield(g, 1, NULL);
    coop_shield(true);
    *(int *)arg = coop_sleep_until(coop_after(1000));
    coop_shield(false);
    return seen;
}

static int own_one(void *arg)
{
    int rc;

    assert_next(gen, 1);
    rc = coop_sleep_until(COOP_NEVER - 1);
    assert_int_equal(rc, -ECANCELED);
    *(int *)arg = coop_gen_free(gen);
    gen = NULL;
    return rc;
}

/* Its own tasklet is cancelled too, and runs alone when the owner comes to free it. */
static void an_owner_that_is_ended_by_finish_can_free_it(void **state)
{
    int slept = 1, freed = 1;

    (void)state;
    make(shielded_end, &slept);
    assert_int_equal(coop_spawn(NULL, own_one, &freed, NULL), 0);
    coop_yield();
    coop_yield();
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(freed, 0);
    assert_int_equal(slept, 0);
    assert_int_equal(seen, -ECANCELED);
    assert_int_equal(coop_init(NULL), 0);
}

/* ---- delegation ---------------------------------------------------------------------------------------------------------------- */

struct delegate {
    coop_gen *inner;
    int rc;
};

static int outer(coop_gen *g, void *arg)
{
    struct delegate *d = arg;

    d->rc = coop_gen_yield_from(g, d->inner);
    if (d->rc == -ECANCELED)
        return d->rc;
    return coop_gen_yield(g, 1000, NULL);
}

static struct delegate delegate_to(coop_gen_fn fn, void *arg)
{
    struct delegate d = { .rc = 1 };

    assert_int_equal(coop_gen_new(fn, arg, &d.inner), 0);
    return d;
}

static void delegation_yields_all_of_the_other(void **state)
{
    struct delegate d = delegate_to(count_to, (void *)3);

    (void)state;
    make(outer, &d);
    for (int i = 0; i < 3; i++)
        assert_next(gen, i);
    assert_next(gen, 1000);
    assert_int_equal(d.rc, 0);
    assert_int_equal(next_of(gen), -EPIPE);
    assert_int_equal(coop_gen_free(d.inner), 0);
}

static void delegation_hands_sends_and_throws_on(void **state)
{
    struct delegate d = delegate_to(echo, NULL);
    intptr_t word = 0;

    (void)state;
    make(outer, &d);
    assert_next(gen, 0);
    assert_int_equal(coop_gen_send(gen, 5, &word), 0);
    assert_int_equal(word, 105);
    assert_int_equal(coop_gen_throw(gen, -EIO, &word), 0);
    assert_int_equal(word, -EIO);
    assert_int_equal(coop_gen_close(gen), 0);
    assert_int_equal(d.rc, -ECANCELED);
    assert_int_equal(next_of(d.inner), -EPIPE);
    assert_int_equal(coop_gen_free(d.inner), 0);
}

static void delegation_returns_the_others_end(void **state)
{
    static const int ends[] = { -EIO, -EPIPE, 6 };

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct delegate d = delegate_to(yield_and_end, (void *)(intptr_t)ends[i]);

        make(outer, &d);
        assert_next(gen, 1);
        assert_next(gen, 1000);
        assert_int_equal(d.rc, ends[i]);
        assert_int_equal(coop_gen_free(gen), 0);
        gen = NULL;
        assert_int_equal(coop_gen_free(d.inner), 0);
    }
}

static int to_itself(coop_gen *g, void *arg)
{
    (void)arg;
    seen = coop_gen_yield_from(g, g);
    return 0;
}

static void delegation_to_itself_is_refused(void **state)
{
    (void)state;
    make(to_itself, NULL);
    assert_int_equal(next_of(gen), -EPIPE);
    assert_int_equal(seen, -EBUSY);
}

/* ---- arguments ----------------------------------------------------------------------------------------------------------------- */

static void senseless_arguments_are_refused(void **state)
{
    coop_gen *other = NULL;
    intptr_t word;

    (void)state;
    make(count_to, (void *)3);
    assert_int_equal(coop_gen_new(NULL, NULL, &other), -EINVAL);
    assert_int_equal(coop_gen_new(count_to, NULL, NULL), -EINVAL);
    assert_int_equal(coop_gen_next(NULL, &word), -EINVAL);
    assert_int_equal(coop_gen_next(gen, NULL), -EINVAL);
    assert_int_equal(coop_gen_send(NULL, 0, &word), -EINVAL);
    assert_int_equal(coop_gen_throw(NULL, -EIO, &word), -EINVAL);
    assert_int_equal(coop_gen_close(NULL), -EINVAL);
    assert_int_equal(coop_gen_yield(NULL, 0, NULL), -EINVAL);
    assert_int_equal(coop_gen_yield(gen, 0, NULL), -EINVAL); /* not inside */
    assert_int_equal(coop_gen_yield_from(gen, gen), -EINVAL);
    assert_int_equal(coop_gen_free(NULL), 0);
    assert_next(gen, 0);
}

static void no_tasklet_is_left_of_one_that_ended(void **state)
{
    struct coop_stats s;

    (void)state;
    for (int i = 0; i < 300; i++) {
        make(count_to, (void *)2);
        assert_next(gen, 0);
        assert_int_equal(coop_gen_free(gen), 0);
    }
    gen = NULL;
    coop_get_stats(&s);
    assert_int_equal(s.alive, 0);
    assert_int_equal(s.spawned, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_yields_its_words_and_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_yields_nothing_ends_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_it_returns_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(an_exit_ends_it_as_a_return_would, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_runs_between_a_caller_and_its_generator, setup, teardown),
        cmocka_unit_test_setup_teardown(it_does_not_run_before_it_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(two_take_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_blocks_lets_others_run, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_is_what_its_yield_brings, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_but_zero_is_sent_to_one_that_has_not_started, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_thrown_is_what_its_yield_returns, setup, teardown),
        cmocka_unit_test_setup_teardown(a_throw_that_is_not_caught_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_throw_ends_one_that_has_not_started, setup, teardown),
        cmocka_unit_test_setup_teardown(a_close_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_close_before_the_start_never_runs_it, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_yields_instead_of_ending_is_told_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_tasklet_can_close_it, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_runs_is_busy_from_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_runs_is_busy_for_other_tasklets, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancel_of_the_caller_reaches_the_generator, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_that_a_cancel_brought_about_is_no_normal_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_caller_does_not_run_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deadlock_reaches_the_call_that_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_switch_trap_forbids_it, setup, teardown),
        cmocka_unit_test_setup_teardown(finish_ends_one_that_nobody_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_owner_that_is_ended_by_finish_can_free_it, setup, teardown),
        cmocka_unit_test_setup_teardown(delegation_yields_all_of_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(delegation_hands_sends_and_throws_on, setup, teardown),
        cmocka_unit_test_setup_teardown(delegation_returns_the_others_end, setup, teardown),
        cmocka_unit_test_setup_teardown(delegation_to_itself_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(senseless_arguments_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(no_tasklet_is_left_of_one_that_ended, setup, teardown),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
