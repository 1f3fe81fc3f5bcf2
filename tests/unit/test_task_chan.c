/* test_task_chan.c - channels: who runs when two meet, what the buffer holds, what a close does to those who wait, and what a failure leaves. */
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

enum { SHORT_US = 3000 };

static coop_chan *chan;

static int setup(void **state)
{
    chan = NULL;
    return task_setup(state);
}

static int teardown(void **state)
{
    (void)state;
    if (coop_finish() != 0)
        return 1;
    return coop_chan_free(chan);
}

static coop_chan *make(size_t capacity, enum coop_preference p)
{
    assert_int_equal(coop_chan_new(capacity, &chan), 0);
    assert_int_equal(coop_chan_set_preference(chan, p), 0);
    return chan;
}

/* ---- tasklets ------------------------------------------------------------------------------------------------------------------ */

static int send_it(void *arg)
{
    return coop_chan_send(chan, (intptr_t)arg, COOP_NEVER);
}

static int recv_it(void *arg)
{
    intptr_t word = -1;
    int rc = coop_chan_recv(chan, &word, COOP_NEVER);

    (void)arg;
    note(rc == 0 ? (char)word : '!');
    return rc;
}

static int recv_shortly(void *arg)
{
    intptr_t word = 77;
    int rc = coop_chan_recv(chan, &word, coop_after((intptr_t)arg));

    assert_int_equal(word, 77);
    return rc;
}

static int send_shortly(void *arg)
{
    return coop_chan_send(chan, 5, coop_after((intptr_t)arg));
}

static int by_stander(void *arg)
{
    note((char)(intptr_t)arg);
    return 0;
}

/* ---- meeting ------------------------------------------------------------------------------------------------------------------- */

static int recv_noted(void *arg)
{
    intptr_t word;
    int rc = coop_chan_recv(chan, &word, COOP_NEVER);

    (void)arg;
    note('R');
    return rc;
}

static int send_noted(void *arg)
{
    int rc = coop_chan_send(chan, (intptr_t)arg, COOP_NEVER);

    note('S');
    return rc;
}

/* First blocks; then main acts, with a bystander in the run queue. */
static void meet(coop_fn first, enum coop_preference p, bool main_sends, const char *expected)
{
    intptr_t word;
    coop_task *t, *b;

    make(0, p);
    t = start(first, (void *)9);
    assert_int_equal(coop_yield(), 0);
    b = start(by_stander, (void *)'B');
    assert_int_equal(main_sends ? coop_chan_send(chan, 9, COOP_NEVER) : coop_chan_recv(chan, &word, COOP_NEVER), 0);
    note('M');
    assert_int_equal(joined(t), 0);
    assert_int_equal(joined(b), 0);
    assert_string_equal(trace, expected);
}

static void a_waiting_receiver_runs_at_once_when_receivers_are_preferred(void **state)
{
    (void)state;
    meet(recv_noted, COOP_PREFER_RECEIVER, true, "RBM");
}

static void a_sender_goes_on_when_nobody_is_preferred(void **state)
{
    (void)state;
    meet(recv_noted, COOP_PREFER_NEITHER, true, "MBR");
}

static void a_sender_goes_on_when_senders_are_preferred(void **state)
{
    (void)state;
    meet(recv_noted, COOP_PREFER_SENDER, true, "MBR");
}

static void a_waiting_sender_runs_at_once_when_senders_are_preferred(void **state)
{
    (void)state;
    meet(send_noted, COOP_PREFER_SENDER, false, "SBM");
}

static void a_receiver_goes_on_when_receivers_are_preferred(void **state)
{
    (void)state;
    meet(send_noted, COOP_PREFER_RECEIVER, false, "MBS");
}

static void a_receiver_goes_on_when_nobody_is_preferred(void **state)
{
    (void)state;
    meet(send_noted, COOP_PREFER_NEITHER, false, "MBS");
}

static void a_preferred_partner_only_becomes_runnable_while_switching_is_forbidden(void **state)
{
    coop_task *t;

    (void)state;
    make(0, COOP_PREFER_RECEIVER);
    t = start(recv_noted, NULL);
    coop_yield();
    (void)coop_switch_trap(1);
    assert_int_equal(coop_chan_send(chan, 1, COOP_NEVER), 0);
    note('M');
    (void)coop_switch_trap(-1);
    assert_int_equal(joined(t), 0);
    assert_string_equal(trace, "MR");
}

static int receive_all(void *arg)
{
    intptr_t word = 0;

    for (intptr_t i = 0; i < (intptr_t)arg; i++) {
        assert_int_equal(coop_chan_recv(chan, &word, COOP_NEVER), 0);
        assert_int_equal(word, i);
    }
    return 0;
}

static void a_message_costs_two_switches_at_most(void **state)
{
    enum { N = 100 };
    struct coop_stats before, after;
    coop_task *t;

    (void)state;
    make(0, COOP_PREFER_RECEIVER);
    t = start(receive_all, (void *)N);
    coop_yield();
    coop_get_stats(&before);
    for (intptr_t i = 0; i < N; i++)
        assert_int_equal(coop_chan_send(chan, i, COOP_NEVER), 0);
    coop_get_stats(&after);
    assert_in_range(after.switches - before.switches, N, 2 * N);
    assert_int_equal(joined(t), 0);
}

static void messages_keep_their_order_in_every_preference_and_capacity(void **state)
{
    enum { N = 1000 };
    static const size_t capacities[] = { 0, 1, 2, 3, 5, 8, 1000 };

    (void)state;
    for (size_t k = 0; k < sizeof(capacities) / sizeof(capacities[0]); k++)
        for (int p = COOP_PREFER_RECEIVER; p <= COOP_PREFER_SENDER; p++) {
            coop_task *t;

            make(capacities[k], (enum coop_preference)p);
            t = start(receive_all, (void *)N);
            for (intptr_t i = 0; i < N; i++)
                assert_int_equal(coop_chan_send(chan, i, COOP_NEVER), 0);
            assert_int_equal(joined(t), 0);
            assert_int_equal(coop_chan_free(chan), 0);
            chan = NULL;
        }
}

static void receivers_and_senders_are_served_in_the_order_they_came(void **state)
{
    coop_task *t[3];
    intptr_t word;

    (void)state;
    make(0, COOP_PREFER_NEITHER);
    for (int i = 0; i < 3; i++)
        t[i] = start(recv_it, NULL);
    coop_yield();
    assert_int_equal(coop_chan_balance(chan), -3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(coop_chan_send(chan, 'a' + i, 0), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(joined(t[i]), 0);
    assert_string_equal(trace, "abc");
    for (int i = 0; i < 3; i++)
        t[i] = start(send_it, (void *)(intptr_t)i);
    coop_yield();
    assert_int_equal(coop_chan_balance(chan), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(coop_chan_recv(chan, &word, 0), 0);
        assert_int_equal(word, i);
    }
    assert_int_equal(coop_chan_balance(chan), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(joined(t[i]), 0);
}

/* ---- the buffer ---------------------------------------------------------------------------------------------------------------- */

static void a_buffer_holds_exactly_its_capacity(void **state)
{
    static const size_t capacities[] = { 1, 3, 4, 7 };
    intptr_t word;

    (void)state;
    for (size_t k = 0; k < sizeof(capacities) / sizeof(capacities[0]); k++) {
        make(capacities[k], COOP_PREFER_RECEIVER);
        assert_int_equal(coop_chan_cap(chan), capacities[k]);
        for (size_t i = 0; i < capacities[k]; i++)
            assert_int_equal(coop_chan_send(chan, (intptr_t)i, 0), 0);
        assert_int_equal(coop_chan_len(chan), capacities[k]);
        assert_int_equal(coop_chan_send(chan, 99, 0), -ETIMEDOUT);
        for (size_t i = 0; i < capacities[k]; i++) {
            assert_int_equal(coop_chan_recv(chan, &word, 0), 0);
            assert_int_equal(word, i);
        }
        assert_int_equal(coop_chan_recv(chan, &word, 0), -ETIMEDOUT);
        assert_int_equal(coop_chan_free(chan), 0);
        chan = NULL;
    }
}

static void a_sender_that_waits_for_a_place_comes_after_what_is_buffered(void **state)
{
    intptr_t word = 0;
    coop_task *t;

    (void)state;
    make(1, COOP_PREFER_RECEIVER);
    assert_int_equal(coop_chan_send(chan, 1, 0), 0);
    t = start(send_it, (void *)2);
    coop_yield();
    assert_int_equal(coop_chan_balance(chan), 1);
    assert_int_equal(coop_chan_recv(chan, &word, 0), 0);
    assert_int_equal(word, 1);
    assert_int_equal(coop_chan_len(chan), 1);
    assert_int_equal(coop_chan_balance(chan), 0);
    assert_int_equal(coop_chan_recv(chan, &word, 0), 0);
    assert_int_equal(word, 2);
    assert_int_equal(joined(t), 0);
}

static void a_capacity_beyond_the_limit_is_refused(void **state)
{
    coop_chan *c = NULL;

    (void)state;
    assert_int_equal(coop_chan_new(((size_t)1 << 24) + 1, &c), -EINVAL);
    assert_null(c);
    assert_int_equal(coop_chan_new((size_t)1 << 24, &c), 0);
    assert_int_equal(coop_chan_cap(c), 1 << 24);
    assert_int_equal(coop_chan_free(c), 0);
}

/* ---- errors that are sent ------------------------------------------------------------------------------------------------------ */

static void an_error_that_is_sent_is_what_the_receiver_gets(void **state)
{
    intptr_t word = 3;
    coop_task *t;

    (void)state;
    make(2, COOP_PREFER_RECEIVER);
    assert_int_equal(coop_chan_send(chan, 1, 0), 0);
    assert_int_equal(coop_chan_send_error(chan, -EIO, 0), 0);
    assert_int_equal(coop_chan_recv(chan, &word, 0), 0);
    assert_int_equal(word, 1);
    assert_int_equal(coop_chan_recv(chan, &word, 0), -EIO);
    assert_int_equal(word, 1);
    t = start(recv_it, NULL);
    coop_yield();
    assert_int_equal(coop_chan_send_error(chan, -ENXIO, 0), 0);
    assert_int_equal(joined(t), -ENXIO);
}

static int send_an_error(void *arg)
{
    return coop_chan_send_error(chan, (int)(intptr_t)arg, COOP_NEVER);
}

static void a_blocked_sender_of_an_error_succeeds(void **state)
{
    intptr_t word;
    coop_task *t;

    (void)state;
    make(0, COOP_PREFER_RECEIVER);
    t = start(send_an_error, (void *)(intptr_t)-EIO);
    coop_yield();
    assert_int_equal(coop_chan_recv(chan, &word, COOP_NEVER), -EIO);
    assert_int_equal(joined(t), 0);
}

static void what_is_no_error_cannot_be_sent_as_one(void **state)
{
    (void)state;
    make(1, COOP_PREFER_RECEIVER);
    assert_int_equal(coop_chan_send_error(chan, 0, 0), -EINVAL);
    assert_int_equal(coop_chan_send_error(chan, 5, 0), -EINVAL);
    assert_int_equal(coop_chan_len(chan), 0);
}

/* ---- closing ------------------------------------------------------------------------------------------------------------------- */

static void a_close_fails_all_that_wait(void **state)
{
    coop_task *t[2];

    (void)state;
    make(0, COOP_PREFER_RECEIVER);
    t[0] = start(recv_it, NULL);
    t[1] = start(recv_it, NULL);
    coop_yield();
    assert_int_equal(coop_chan_close(chan), 0);
    assert_int_equal(coop_chan_balance(chan), 0);
    assert_int_equal(joined(t[0]), -EPIPE);
    assert_int_equal(joined(t[1]), -EPIPE);
    assert_int_equal(coop_chan_open(chan), 0);
    t[0] = start(send_it, (void *)1);
    coop_yield();
    assert_int_equal(coop_chan_close(chan), 0);
    assert_int_equal(joined(t[0]), -EPIPE);
}

static void what_is_buffered_survives_a_close(void **state)
{
    intptr_t word = 0;

    (void)state;
    make(2, COOP_PREFER_RECEIVER);
    assert_int_equal(coop_chan_send(chan, 7, 0), 0);
    assert_false(coop_chan_is_closing(chan));
    assert_int_equal(coop_chan_close(chan), 0);
    assert_true(coop_chan_is_closing(chan));
    assert_false(coop_chan_is_closed(chan));
    assert_int_equal(coop_chan_close(chan), -EPIPE);
    assert_int_equal(coop_chan_send(chan, 8, COOP_NEVER), -EPIPE);
    assert_int_equal(coop_chan_send_error(chan, -EIO, COOP_NEVER), -EPIPE);
    assert_int_equal(coop_chan_recv(chan, &word, COOP_NEVER), 0);
    assert_int_equal(word, 7);
    assert_true(coop_chan_is_closed(chan));
    assert_int_equal(coop_chan_recv(chan, &word, COOP_NEVER), -EPIPE);
}

static void an_opened_channel_works_again(void **state)
{
    intptr_t word = 0;

    (void)state;
    make(1, COOP_PREFER_RECEIVER);
    assert_int_equal(coop_chan_close(chan), 0);
    assert_int_equal(coop_chan_open(chan), 0);
    assert_false(coop_chan_is_closed(chan));
    assert_int_equal(coop_chan_send(chan, 4, 0), 0);
    assert_int_equal(coop_chan_recv(chan, &word, 0), 0);
    assert_int_equal(word, 4);
    assert_int_equal(coop_chan_close(chan), 0);
}

/* ---- deadlines, cancellation, traps -------------------------------------------------------------------------------------------- */

static void a_try_does_not_wait_and_changes_nothing(void **state)
{
    intptr_t word = 3;

    (void)state;
    make(0, COOP_PREFER_RECEIVER);
    assert_int_equal(coop_chan_send(chan, 1, 0), -ETIMEDOUT);
    assert_int_equal(coop_chan_recv(chan, &word, 0), -ETIMEDOUT);
    assert_int_equal(word, 3);
    assert_int_equal(coop_chan_balance(chan), 0);
}

static void a_deadline_ends_the_wait_and_leaves_the_queue(void **state)
{
    coop_task *r, *s;
    int64_t before = coop_now();

    (void)state;
    make(0, COOP_PREFER_RECEIVER);
    r = start(recv_shortly, (void *)SHORT_US);
    assert_int_equal(joined(r), -ETIMEDOUT);
    assert_true(coop_now() - before >= SHORT_US);
    assert_int_equal(coop_chan_balance(chan), 0);
    s = start(send_shortly, (void *)SHORT_US);
    assert_int_equal(joined(s), -ETIMEDOUT);
    assert_int_equal(coop_chan_balance(chan), 0);
}

static void a_cancel_ends_the_wait_and_leaves_the_queue(void **state)
{
    coop_task *r, *s;

    (void)state;
    make(0, COOP_PREFER_RECEIVER);
    r = start(recv_it, NULL);
    coop_yield();
    assert_int_equal(coop_cancel(r), 0);
    assert_int_equal(coop_chan_balance(chan), 0);
    assert_int_equal(joined(r), -ECANCELED);
    s = start(send_it, NULL);
    coop_yield();
    assert_int_equal(coop_cancel(s), 0);
    assert_int_equal(coop_chan_balance(chan), 0);
    assert_int_equal(joined(s), -ECANCELED);
}

static void a_cancelled_tasklet_does_not_even_try(void **state)
{
    coop_task *t;
    intptr_t word;

    (void)state;
    make(1, COOP_PREFER_RECEIVER);
    t = start(send_it, (void *)1);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
    assert_int_equal(coop_chan_len(chan), 0);
    assert_int_equal(coop_chan_send(chan, 2, 0), 0);
    t = start(recv_it, NULL);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
    assert_int_equal(coop_chan_recv(chan, &word, 0), 0);
    assert_int_equal(word, 2);
}

static void a_value_handed_over_before_a_cancel_is_received(void **state)
{
    coop_task *t;

    (void)state;
    make(0, COOP_PREFER_NEITHER);
    t = start(recv_it, NULL);
    coop_yield();
    assert_int_equal(coop_chan_send(chan, 'v', 0), 0);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), 0);
    assert_string_equal(trace, "v");
}

static void a_trapped_tasklet_may_do_what_does_not_block(void **state)
{
    intptr_t word = 0;

    (void)state;
    make(1, COOP_PREFER_RECEIVER);
    coop_block_trap(true);
    assert_int_equal(coop_chan_recv(chan, &word, COOP_NEVER), -EPERM);
    assert_int_equal(coop_chan_send(chan, 6, COOP_NEVER), 0);
    assert_int_equal(coop_chan_send(chan, 6, COOP_NEVER), -EPERM);
    assert_int_equal(coop_chan_recv(chan, &word, COOP_NEVER), 0);
    coop_block_trap(false);
    assert_int_equal(word, 6);
}

static void the_last_one_to_block_is_told_of_the_deadlock(void **state)
{
    intptr_t word;

    (void)state;
    make(0, COOP_PREFER_RECEIVER);
    assert_int_equal(coop_chan_recv(chan, &word, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_chan_send(chan, 1, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_chan_balance(chan), 0);
}

/* ---- arguments, freeing, the hook ---------------------------------------------------------------------------------------------- */

static void senseless_arguments_are_refused(void **state)
{
    intptr_t word;

    (void)state;
    assert_int_equal(coop_chan_new(0, NULL), -EINVAL);
    assert_int_equal(coop_chan_send(NULL, 1, 0), -EINVAL);
    assert_int_equal(coop_chan_send_error(NULL, -EIO, 0), -EINVAL);
    assert_int_equal(coop_chan_recv(NULL, &word, 0), -EINVAL);
    assert_int_equal(coop_chan_close(NULL), -EINVAL);
    assert_int_equal(coop_chan_open(NULL), -EINVAL);
    assert_int_equal(coop_chan_set_preference(NULL, COOP_PREFER_SENDER), -EINVAL);
    assert_int_equal(coop_chan_free(NULL), 0);
    make(1, COOP_PREFER_SENDER);
    assert_int_equal(coop_chan_send(chan, 1, 0), 0);
    assert_int_equal(coop_chan_recv(chan, NULL, 0), -EINVAL);
    assert_int_equal(coop_chan_len(chan), 1);
    assert_int_equal(coop_chan_set_preference(chan, (enum coop_preference)2), -EINVAL);
    assert_int_equal(coop_chan_preference(chan), COOP_PREFER_SENDER);
}

static void a_new_channel_prefers_receivers(void **state)
{
    (void)state;
    assert_int_equal(coop_chan_new(0, &chan), 0);
    assert_int_equal(coop_chan_preference(chan), COOP_PREFER_RECEIVER);
    assert_int_equal(coop_chan_cap(chan), 0);
}

static void a_channel_somebody_waits_on_is_not_freed(void **state)
{
    coop_task *t;

    (void)state;
    make(0, COOP_PREFER_RECEIVER);
    t = start(recv_it, NULL);
    coop_yield();
    assert_int_equal(coop_chan_free(chan), -EBUSY);
    assert_int_equal(coop_chan_send(chan, 'x', 0), 0);
    assert_int_equal(joined(t), 0);
    t = start(send_it, NULL);
    coop_yield();
    assert_int_equal(coop_chan_free(chan), -EBUSY);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
}

static void a_channel_may_be_freed_before_the_one_it_served_has_run(void **state)
{
    coop_task *t;

    (void)state;
    make(0, COOP_PREFER_NEITHER);
    t = start(recv_it, NULL);
    coop_yield();
    assert_int_equal(coop_chan_send(chan, 'x', 0), 0);
    assert_int_equal(coop_chan_free(chan), 0);
    chan = NULL;
    assert_int_equal(joined(t), 0);
    assert_string_equal(trace, "x");
}

static int nested_rc;

static void hook(coop_chan *c, coop_task *t, bool sending, bool will_block)
{
    assert_ptr_equal(c, chan);
    assert_ptr_equal(t, coop_self());
    note(sending ? (will_block ? 'S' : 's') : will_block ? 'R' : 'r');
    nested_rc = coop_chan_send(c, 1, 0);
    assert_int_equal(coop_chan_close(c), -EPERM);
}

static void the_hook_hears_of_each_operation_and_cannot_do_any(void **state)
{
    coop_task *t;
    intptr_t word;

    (void)state;
    make(1, COOP_PREFER_NEITHER);
    coop_set_chan_hook(hook);
    assert_int_equal(coop_chan_send(chan, 1, COOP_NEVER), 0);
    assert_int_equal(nested_rc, -EPERM);
    assert_int_equal(coop_chan_send(chan, 1, 0), -ETIMEDOUT); /* not done: not told */
    t = start(send_it, NULL);
    coop_yield();
    assert_int_equal(coop_chan_recv(chan, &word, COOP_NEVER), 0);
    assert_int_equal(joined(t), 0);
    assert_string_equal(trace, "sSr");
    assert_int_equal(coop_chan_len(chan), 1);
    coop_set_chan_hook(NULL);
    assert_int_equal(coop_chan_recv(chan, &word, 0), 0);
    assert_string_equal(trace, "sSr");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_waiting_receiver_runs_at_once_when_receivers_are_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sender_goes_on_when_nobody_is_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sender_goes_on_when_senders_are_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(a_waiting_sender_runs_at_once_when_senders_are_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(a_receiver_goes_on_when_receivers_are_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(a_receiver_goes_on_when_nobody_is_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(a_preferred_partner_only_becomes_runnable_while_switching_is_forbidden, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_costs_two_switches_at_most, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_keep_their_order_in_every_preference_and_capacity, setup, teardown),
        cmocka_unit_test_setup_teardown(receivers_and_senders_are_served_in_the_order_they_came, setup, teardown),
        cmocka_unit_test_setup_teardown(a_buffer_holds_exactly_its_capacity, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sender_that_waits_for_a_place_comes_after_what_is_buffered, setup, teardown),
        cmocka_unit_test_setup_teardown(a_capacity_beyond_the_limit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_that_is_sent_is_what_the_receiver_gets, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blocked_sender_of_an_error_succeeds, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_error_cannot_be_sent_as_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_close_fails_all_that_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_buffered_survives_a_close, setup, teardown),
        cmocka_unit_test_setup_teardown(an_opened_channel_works_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_try_does_not_wait_and_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deadline_ends_the_wait_and_leaves_the_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancel_ends_the_wait_and_leaves_the_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_tasklet_does_not_even_try, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_handed_over_before_a_cancel_is_received, setup, teardown),
        cmocka_unit_test_setup_teardown(a_trapped_tasklet_may_do_what_does_not_block, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_one_to_block_is_told_of_the_deadlock, setup, teardown),
        cmocka_unit_test_setup_teardown(senseless_arguments_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_channel_prefers_receivers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_channel_somebody_waits_on_is_not_freed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_channel_may_be_freed_before_the_one_it_served_has_run, setup, teardown),
        cmocka_unit_test_setup_teardown(the_hook_hears_of_each_operation_and_cannot_do_any, setup, teardown),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
