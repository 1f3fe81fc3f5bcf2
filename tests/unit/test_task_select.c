/* test_task_select.c - one of several channel operations: which one, that the others do not happen, and that a select never meets itself. */
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

enum { CHANS = 4, SHORT_US = 3000 };

static coop_chan *chans[CHANS];

static int setup(void **state)
{
    if (task_setup(state) != 0)
        return 1;
    for (int i = 0; i < CHANS; i++)
        if (coop_chan_new(0, &chans[i]) != 0)
            return 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (coop_finish() != 0)
        return 1;
    for (int i = 0; i < CHANS; i++)
        if (coop_chan_free(chans[i]) != 0)
            return 1;
    return 0;
}

static struct coop_clause recv_from(coop_chan *c)
{
    return (struct coop_clause){ .op = COOP_RECV, .chan = c, .word = -1, .rc = 1 };
}

static struct coop_clause send_to(coop_chan *c, intptr_t word)
{
    return (struct coop_clause){ .op = COOP_SEND, .chan = c, .word = word, .rc = 1 };
}

static void use_buffers(size_t capacity)
{
    for (int i = 0; i < CHANS; i++) {
        assert_int_equal(coop_chan_free(chans[i]), 0);
        assert_int_equal(coop_chan_new(capacity, &chans[i]), 0);
    }
}

static void assert_nobody_waits(void)
{
    for (int i = 0; i < CHANS; i++)
        assert_int_equal(coop_chan_balance(chans[i]), 0);
}

/* Runs a select in a tasklet, with what the test gives it; its results stay here. */
struct job {
    struct coop_clause clauses[8];
    size_t n;
    enum coop_select_policy policy;
    int64_t deadline;
    int rc;
};

static int select_it(void *arg)
{
    struct job *j = arg;

    return j->rc = coop_select(j->clauses, j->n, j->policy, j->deadline);
}

/* ---- ready at once ------------------------------------------------------------------------------------------------------------- */

static void of_several_ready_the_first_listed_is_taken(void **state)
{
    struct coop_clause c[3];

    (void)state;
    use_buffers(1);
    for (int i = 1; i < 3; i++)
        assert_int_equal(coop_chan_send(chans[i], 10 + i, 0), 0);
    for (int i = 0; i < 3; i++)
        c[i] = recv_from(chans[i]);
    assert_int_equal(coop_select(c, 3, COOP_FIRST, COOP_NEVER), 1);
    assert_int_equal(c[1].word, 11);
    assert_int_equal(c[1].rc, 0);
    assert_int_equal(c[2].word, -1);
    assert_int_equal(coop_chan_len(chans[2]), 1);
    assert_int_equal(coop_select(c, 3, COOP_DEFAULT, COOP_NEVER), 2);
    assert_int_equal(coop_select(c, 3, COOP_DEFAULT, COOP_NEVER), -EAGAIN);
}

static void fair_takes_each_ready_one_about_as_often(void **state)
{
    enum { ROUNDS = 3000 };
    struct coop_clause c[4];
    int times[4] = { 0 };
    intptr_t word;

    (void)state;
    use_buffers(1);
    for (int k = 0; k < ROUNDS; k++) {
        int i;

        for (int n = 0; n < 4; n++)
            c[n] = send_to(n == 2 ? NULL : chans[n], n);
        i = coop_select(c, 4, COOP_FAIR, COOP_NEVER);
        assert_in_range(i, 0, 3);
        times[i]++;
        assert_int_equal(coop_chan_recv(chans[i], &word, 0), 0);
        assert_int_equal(word, i);
    }
    assert_int_equal(times[2], 0);
    for (int n = 0; n < 4; n++)
        if (n != 2)
            assert_in_range(times[n], ROUNDS / 3 - ROUNDS / 10, ROUNDS / 3 + ROUNDS / 10);
}

static int send_word(void *arg)
{
    return coop_chan_send(chans[(intptr_t)arg], (intptr_t)arg, COOP_NEVER);
}

static int recv_word(void *arg)
{
    intptr_t word = -1;
    int rc = coop_chan_recv(chans[(intptr_t)arg], &word, COOP_NEVER);

    return rc == 0 ? (int)word : rc;
}

static void a_select_meets_those_that_wait_already(void **state)
{
    struct coop_clause c[2];
    coop_task *t;

    (void)state;
    t = start(send_word, (void *)1);
    coop_yield();
    c[0] = recv_from(chans[0]);
    c[1] = recv_from(chans[1]);
    assert_int_equal(coop_select(c, 2, COOP_FAIR, COOP_NEVER), 1);
    assert_int_equal(c[1].word, 1);
    assert_int_equal(joined(t), 0);
    t = start(recv_word, (void *)0);
    coop_yield();
    c[0] = send_to(chans[0], 33);
    assert_int_equal(coop_select(c, 2, COOP_FAIR, COOP_NEVER), 0);
    assert_int_equal(joined(t), 33);
    assert_nobody_waits();
}

static void a_closed_channel_is_ready_with_epipe(void **state)
{
    struct coop_clause c[2] = { recv_from(chans[0]), send_to(chans[1], 1) };

    (void)state;
    assert_int_equal(coop_chan_close(chans[1]), 0);
    assert_int_equal(coop_select(c, 2, COOP_FAIR, COOP_NEVER), 1);
    assert_int_equal(c[1].rc, -EPIPE);
    assert_int_equal(c[0].rc, 1);
    c[1] = recv_from(chans[1]);
    assert_int_equal(coop_select(c, 2, COOP_DEFAULT, 0), 1);
    assert_int_equal(c[1].rc, -EPIPE);
    assert_int_equal(c[1].word, -1);
}

static void an_error_that_was_sent_is_the_clauses_rc(void **state)
{
    struct coop_clause c;

    (void)state;
    use_buffers(1);
    c = recv_from(chans[0]);
    assert_int_equal(coop_chan_send_error(chans[0], -EIO, 0), 0);
    assert_int_equal(coop_select(&c, 1, COOP_FIRST, COOP_NEVER), 0);
    assert_int_equal(c.rc, -EIO);
    assert_int_equal(c.word, -1);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

static void one_clause_happens_and_the_others_do_not(void **state)
{
    struct job j = {
        .clauses = {recv_from(chans[0]), recv_from(chans[1]), send_to(chans[2], 5)},
          .n = 3, .deadline = COOP_NEVER
    };
    intptr_t word;
    coop_task *t = start(select_it, &j);

    (void)state;
    coop_yield();
    assert_int_equal(coop_chan_balance(chans[0]), -1);
    assert_int_equal(coop_chan_balance(chans[2]), 1);
    assert_int_equal(coop_chan_send(chans[1], 8, 0), 0);
    assert_nobody_waits();
    assert_int_equal(coop_chan_send(chans[0], 8, 0), -ETIMEDOUT);
    assert_int_equal(coop_chan_recv(chans[2], &word, 0), -ETIMEDOUT);
    assert_int_equal(joined(t), 1);
    assert_int_equal(j.clauses[1].rc, 0);
    assert_int_equal(j.clauses[1].word, 8);
    assert_int_equal(j.clauses[0].rc, 1);
    assert_int_equal(j.clauses[2].rc, 1);
}

static void a_waiting_send_clause_gives_its_word(void **state)
{
    struct job j = {
        .clauses = {recv_from(chans[0]), send_to(chans[2], 5)},
          .n = 2, .deadline = COOP_NEVER
    };
    intptr_t word = 0;
    coop_task *t = start(select_it, &j);

    (void)state;
    coop_yield();
    assert_int_equal(coop_chan_recv(chans[2], &word, 0), 0);
    assert_int_equal(word, 5);
    assert_nobody_waits();
    assert_int_equal(joined(t), 1);
    assert_int_equal(j.clauses[1].rc, 0);
}

static void a_waiting_select_is_preferred_like_any_receiver(void **state)
{
    struct job j = {
        .clauses = {recv_from(chans[0]), recv_from(chans[1])},
          .n = 2, .deadline = COOP_NEVER, .rc = -1
    };
    coop_task *t = start(select_it, &j);

    (void)state;
    coop_yield();
    assert_int_equal(coop_chan_send(chans[0], 1, 0), 0);
    assert_int_equal(j.rc, 0); /* it has run already */
    assert_int_equal(joined(t), 0);
}

static void a_close_wakes_a_waiting_select(void **state)
{
    struct job j = {
        .clauses = {send_to(chans[0], 1), send_to(chans[1], 2)},
          .n = 2, .deadline = COOP_NEVER
    };
    coop_task *t = start(select_it, &j);

    (void)state;
    coop_yield();
    assert_int_equal(coop_chan_close(chans[1]), 0);
    assert_nobody_waits();
    assert_int_equal(joined(t), 1);
    assert_int_equal(j.clauses[1].rc, -EPIPE);
}

static void two_selects_meet_each_other(void **state)
{
    struct job a = {
        .clauses = {send_to(chans[0], 1), recv_from(chans[1])},
          .n = 2, .deadline = COOP_NEVER
    };
    struct job b = {
        .clauses = {send_to(chans[1], 2), recv_from(chans[2])},
          .n = 2, .deadline = COOP_NEVER
    };
    coop_task *ta = start(select_it, &a), *tb = start(select_it, &b);

    (void)state;
    assert_int_equal(joined(ta), 1);
    assert_int_equal(joined(tb), 0);
    assert_int_equal(a.clauses[1].word, 2);
    assert_nobody_waits();
}

static void a_select_never_meets_itself(void **state)
{
    struct job j = {
        .clauses = {send_to(chans[0], 4), recv_from(chans[0])},
          .n = 2, .deadline = COOP_NEVER
    };
    intptr_t word = 0;
    coop_task *t = start(select_it, &j);

    (void)state;
    coop_yield();
    assert_true(coop_blocked(t));
    assert_int_equal(coop_chan_recv(chans[0], &word, 0), 0);
    assert_int_equal(word, 4);
    assert_int_equal(joined(t), 0);
    j.rc = -1;
    t = start(select_it, &j);
    coop_yield();
    assert_int_equal(coop_chan_send(chans[0], 6, 0), 0);
    assert_int_equal(joined(t), 1);
    assert_int_equal(j.clauses[1].word, 6);
    assert_nobody_waits();
}

static void the_same_clause_twice_counts_once(void **state)
{
    struct job j = {
        .clauses = {recv_from(chans[0]), recv_from(chans[0])},
          .n = 2, .policy = COOP_FIRST, .deadline = COOP_NEVER
    };
    coop_task *t = start(select_it, &j);

    (void)state;
    coop_yield();
    assert_int_equal(coop_chan_balance(chans[0]), -1);
    assert_int_equal(coop_chan_send(chans[0], 6, 0), 0);
    assert_int_equal(joined(t), 0);
    assert_int_equal(j.clauses[0].word, 6);
    assert_int_equal(j.clauses[1].rc, 1);
}

static void several_selects_on_the_same_channels_are_served_in_order(void **state)
{
    enum { N = 5 };
    struct job j[N];
    coop_task *t[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        j[i] = (struct job){
            .clauses = {recv_from(chans[0]), recv_from(chans[1])},
              .n = 2, .deadline = COOP_NEVER
        };
        t[i] = start(select_it, &j[i]);
    }
    coop_yield();
    assert_int_equal(coop_chan_balance(chans[0]), -N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(coop_chan_send(chans[i % 2], i, 0), 0);
        assert_int_equal(coop_chan_balance(chans[0]), i + 1 - N);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(joined(t[i]), i % 2);
        assert_int_equal(j[i].clauses[i % 2].word, i);
    }
    assert_nobody_waits();
}

static void channels_may_be_freed_before_the_select_they_served_has_run(void **state)
{
    struct job j = {
        .clauses = {recv_from(chans[0]), recv_from(chans[1])},
          .n = 2, .deadline = COOP_NEVER
    };
    coop_task *t = start(select_it, &j);

    (void)state;
    coop_yield();
    assert_int_equal(coop_chan_free(chans[1]), -EBUSY);
    assert_int_equal(coop_chan_set_preference(chans[0], COOP_PREFER_NEITHER), 0);
    assert_int_equal(coop_chan_send(chans[0], 3, 0), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(coop_chan_free(chans[i]), 0);
        chans[i] = NULL;
    }
    assert_int_equal(joined(t), 0);
    assert_int_equal(j.clauses[0].word, 3);
}

/* ---- not done ------------------------------------------------------------------------------------------------------------------ */

static void a_try_does_not_wait(void **state)
{
    struct coop_clause c[2] = { recv_from(chans[0]), send_to(chans[1], 1) };

    (void)state;
    assert_int_equal(coop_select(c, 2, COOP_FAIR, 0), -ETIMEDOUT);
    assert_int_equal(coop_select(c, 2, COOP_FIRST, 0), -ETIMEDOUT);
    assert_int_equal(coop_select(c, 2, COOP_DEFAULT, COOP_NEVER), -EAGAIN);
    assert_int_equal(coop_select(NULL, 0, COOP_DEFAULT, COOP_NEVER), -EAGAIN);
    assert_nobody_waits();
}

static void a_deadline_ends_the_wait_and_leaves_all_queues(void **state)
{
    struct coop_clause c[3] = { recv_from(chans[0]), recv_from(NULL), send_to(chans[1], 1) };
    int64_t before = coop_now();

    (void)state;
    assert_int_equal(coop_select(c, 3, COOP_FAIR, before + SHORT_US), -ETIMEDOUT);
    assert_true(coop_now() - before >= SHORT_US);
    assert_nobody_waits();
    for (int i = 0; i < 3; i++)
        assert_int_equal(c[i].rc, 1);
}

static void a_cancel_ends_the_wait_and_leaves_all_queues(void **state)
{
    struct job j = {
        .clauses = {recv_from(chans[0]), send_to(chans[1], 1)},
          .n = 2, .deadline = COOP_NEVER
    };
    coop_task *t = start(select_it, &j);

    (void)state;
    coop_yield();
    assert_int_equal(coop_cancel(t), 0);
    assert_nobody_waits();
    assert_int_equal(joined(t), -ECANCELED);
}

static void a_cancelled_tasklet_does_not_even_try(void **state)
{
    struct job j = { .n = 1, .policy = COOP_DEFAULT };
    coop_task *t;

    (void)state;
    use_buffers(1);
    j.clauses[0] = send_to(chans[0], 1);
    t = start(select_it, &j);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
    assert_int_equal(coop_chan_len(chans[0]), 0);
}

static void nothing_to_wait_for_is_a_deadlock_when_alone(void **state)
{
    struct coop_clause c = recv_from(NULL);

    (void)state;
    assert_int_equal(coop_select(NULL, 0, COOP_FAIR, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_select(&c, 1, COOP_FIRST, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_select(NULL, 0, COOP_FAIR, coop_after(SHORT_US)), -ETIMEDOUT);
}

static void a_trapped_select_takes_what_is_ready_only(void **state)
{
    struct coop_clause c;
    int rc[2];

    (void)state;
    use_buffers(1);
    c = send_to(chans[0], 1);
    coop_block_trap(true);
    for (int i = 0; i < 2; i++)
        rc[i] = coop_select(&c, 1, COOP_FIRST, COOP_NEVER);
    coop_block_trap(false);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -EPERM);
    assert_nobody_waits();
}

static void senseless_arguments_are_refused(void **state)
{
    struct coop_clause c[2] = { recv_from(chans[0]), recv_from(chans[1]) };

    (void)state;
    assert_int_equal(coop_select(NULL, 1, COOP_FIRST, 0), -EINVAL);
    assert_int_equal(coop_select(c, 2, (enum coop_select_policy)3, 0), -EINVAL);
    c[1].op = (enum coop_select_op)2;
    assert_int_equal(coop_select(c, 2, COOP_FIRST, 0), -EINVAL);
}

/* ---- many ---------------------------------------------------------------------------------------------------------------------- */

enum { WORKERS = 8, EACH = 500 };

static long sum_sent, sum_received;

/* Sends on a channel or receives from another, as it comes, until it has done each often enough. */
static int trade(void *arg)
{
    intptr_t me = (intptr_t)arg, sent = 0, received = 0;

    while (sent < EACH || received < EACH) {
        struct coop_clause c[2] = { send_to(sent < EACH ? chans[(me + sent) % CHANS] : NULL, me * EACH + sent),
                                    recv_from(received < EACH ? chans[(me + received + 1) % CHANS] : NULL) };
        int i = coop_select(c, 2, COOP_FAIR, coop_after(100 * SHORT_US));

        if (i == -ETIMEDOUT)
            break; /* the last ones may have nobody left that wants what they have */
        assert_in_range(i, 0, 1);
        assert_int_equal(c[i].rc, 0);
        if (i == 0) {
            sum_sent += c[0].word;
            sent++;
        } else {
            sum_received += c[1].word;
            received++;
        }
    }
    return 0;
}

static void what_was_sent_is_what_was_received(void **state)
{
    coop_task *t[WORKERS];

    (void)state;
    sum_sent = sum_received = 0;
    for (intptr_t i = 0; i < WORKERS; i++)
        t[i] = start(trade, (void *)i);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(joined(t[i]), 0);
    assert_true(sum_sent > 0);
    assert_int_equal(sum_sent, sum_received);
    assert_nobody_waits();
}

/* ---- the hook ------------------------------------------------------------------------------------------------------------------ */

static int told[2];

static void hook(coop_chan *c, coop_task *t, bool sending, bool will_block)
{
    (void)c;
    (void)sending;
    assert_ptr_equal(t, coop_self());
    told[will_block]++;
}

static void the_hook_hears_of_what_is_done_and_of_all_that_is_waited_for(void **state)
{
    struct coop_clause c[3] = { recv_from(chans[0]), recv_from(NULL), send_to(chans[1], 1) };

    (void)state;
    told[0] = told[1] = 0;
    coop_set_chan_hook(hook);
    assert_int_equal(coop_select(c, 3, COOP_FAIR, coop_after(SHORT_US)), -ETIMEDOUT);
    assert_int_equal(told[1], 2);
    assert_int_equal(coop_chan_close(chans[1]), 0);
    assert_int_equal(coop_select(c, 3, COOP_FAIR, COOP_NEVER), 2);
    assert_int_equal(told[0], 1);
    assert_int_equal(coop_select(c, 2, COOP_FAIR, 0), -ETIMEDOUT);
    assert_int_equal(told[1], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_several_ready_the_first_listed_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(fair_takes_each_ready_one_about_as_often, setup, teardown),
        cmocka_unit_test_setup_teardown(a_select_meets_those_that_wait_already, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closed_channel_is_ready_with_epipe, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_that_was_sent_is_the_clauses_rc, setup, teardown),
        cmocka_unit_test_setup_teardown(one_clause_happens_and_the_others_do_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_waiting_send_clause_gives_its_word, setup, teardown),
        cmocka_unit_test_setup_teardown(a_waiting_select_is_preferred_like_any_receiver, setup, teardown),
        cmocka_unit_test_setup_teardown(a_close_wakes_a_waiting_select, setup, teardown),
        cmocka_unit_test_setup_teardown(two_selects_meet_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_select_never_meets_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_clause_twice_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(several_selects_on_the_same_channels_are_served_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(channels_may_be_freed_before_the_select_they_served_has_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_try_does_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deadline_ends_the_wait_and_leaves_all_queues, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancel_ends_the_wait_and_leaves_all_queues, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_tasklet_does_not_even_try, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_wait_for_is_a_deadlock_when_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_trapped_select_takes_what_is_ready_only, setup, teardown),
        cmocka_unit_test_setup_teardown(senseless_arguments_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_sent_is_what_was_received, setup, teardown),
        cmocka_unit_test_setup_teardown(the_hook_hears_of_what_is_done_and_of_all_that_is_waited_for, setup, teardown),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
