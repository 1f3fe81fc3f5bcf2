/* test_task_inline.c - the operations of coop/task_inline.h do what the calls do, alone and mixed with them. */
#include <errno.h>
#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <coop/task_inline.h>

#include "task_fixture.h"

enum { MANY = 100000 };

static coop_chan *chan;

/* ---- yield --------------------------------------------------------------------------------------------------------------------- */

static int three_inline(void *arg)
{
    for (int i = 0; i < 3; i++) {
        note((char)(intptr_t)arg);
        assert_int_equal(coop_yield_inline(), 0);
    }
    return 0;
}

static int three_by_call(void *arg)
{
    for (int i = 0; i < 3; i++) {
        note((char)(intptr_t)arg);
        assert_int_equal(coop_yield(), 0);
    }
    return 0;
}

static void yields_of_both_kinds_take_turns(void **state)
{
    (void)state;
    assert_int_equal(coop_spawn(NULL, three_inline, (void *)'a', NULL), 0);
    assert_int_equal(coop_spawn(NULL, three_by_call, (void *)'b', NULL), 0);
    assert_int_equal(coop_spawn(NULL, three_inline, (void *)'c', NULL), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_string_equal(trace, "abcabcabc");
}

static void alone_it_goes_on(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(coop_yield_inline(), 0);
}

/* More values than there are registers, of each kind, live across the switch. */
static int keeps_values(void *arg)
{
    int seed = (int)(intptr_t)arg;
    double d[8];
    long n[12];
    long double x = seed / 3.0L;

    for (int i = 0; i < 8; i++)
        d[i] = seed + i / 7.0;
    for (int i = 0; i < 12; i++)
        n[i] = seed * 1000 + i;
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 8; i++)
            d[i] += 1;
        for (int i = 0; i < 12; i++)
            n[i] += 1;
        x += 1;
        if ((round + seed) % 3 == 0)
            (void)coop_yield();
        else
            (void)coop_yield_inline();
    }
    for (int i = 0; i < 8; i++)
        if (d[i] < seed + i / 7.0 + 999.9 || d[i] > seed + i / 7.0 + 1000.1)
            return -EIO;
    for (int i = 0; i < 12; i++)
        if (n[i] != seed * 1000 + i + 1000)
            return -EIO;
    return x > seed / 3.0L + 999.9L && x < seed / 3.0L + 1000.1L ? 0 : -EIO;
}

static void values_in_registers_survive(void **state)
{
    coop_task *t[5];

    (void)state;
    for (int i = 0; i < 5; i++)
        t[i] = start(keeps_values, (void *)(intptr_t)i);
    for (int i = 0; i < 5; i++)
        assert_int_equal(joined(t[i]), 0);
}

static int rounds(void *arg)
{
    int mode = (int)(intptr_t)arg;

    fesetround(mode);
    for (int i = 0; i < 200; i++) {
        if (fegetround() != mode)
            return -EIO;
        (void)(i % 2 == 0 ? coop_yield_inline() : coop_yield());
    }
    return 0;
}

static void each_tasklet_keeps_its_rounding_mode(void **state)
{
    coop_task *up, *down;

    (void)state;
    up = start(rounds, (void *)FE_UPWARD);
    down = start(rounds, (void *)FE_DOWNWARD);
    assert_int_equal(joined(up), 0);
    assert_int_equal(joined(down), 0);
    assert_int_equal(fegetround(), FE_TONEAREST);
}

static int keeps_errno(void *arg)
{
    for (int i = 0; i < 100; i++) {
        errno = (int)(intptr_t)arg;
        (void)coop_yield_inline();
        if (errno != (int)(intptr_t)arg)
            return -EIO;
    }
    return 0;
}

static void errno_is_each_tasklets_own(void **state)
{
    coop_task *a, *b;

    (void)state;
    a = start(keeps_errno, (void *)ENOENT);
    b = start(keeps_errno, (void *)EPERM);
    assert_int_equal(joined(a), 0);
    assert_int_equal(joined(b), 0);
}

/* ---- channels ------------------------------------------------------------------------------------------------------------------ */

struct traffic {
    bool inlined;
    long n;
};

static int sends(void *arg)
{
    const struct traffic *t = arg;

    for (long i = 1; i <= t->n; i++) {
        int rc = t->inlined ? coop_chan_send_inline(chan, i) : coop_chan_send(chan, i, COOP_NEVER);

        if (rc != 0)
            return rc;
    }
    return 0;
}

static int receives(void *arg)
{
    const struct traffic *t = arg;

    for (long i = 1; i <= t->n; i++) {
        intptr_t word = 0;
        int rc = t->inlined ? coop_chan_recv_inline(chan, &word) : coop_chan_recv(chan, &word, COOP_NEVER);

        if (rc != 0 || word != i)
            return rc != 0 ? rc : -EIO;
    }
    return 0;
}

static void exchange(size_t capacity, bool sender_inline, bool receiver_inline, enum coop_preference preference)
{
    struct traffic to = { sender_inline, 5000 }, from = { receiver_inline, 5000 };
    coop_task *a, *b;

    assert_int_equal(coop_chan_new(capacity, &chan), 0);
    assert_int_equal(coop_chan_set_preference(chan, preference), 0);
    a = start(sends, &to);
    b = start(receives, &from);
    assert_int_equal(joined(a), 0);
    assert_int_equal(joined(b), 0);
    assert_int_equal(coop_chan_balance(chan), 0);
    assert_int_equal(coop_chan_free(chan), 0);
}

static void messages_arrive_in_order_whoever_is_inlined(void **state)
{
    (void)state;
    for (int preference = COOP_PREFER_RECEIVER; preference <= COOP_PREFER_SENDER; preference++)
        for (int who = 0; who < 4; who++)
            for (size_t capacity = 0; capacity <= 3; capacity++)
                exchange(capacity, (who & 1) != 0, (who & 2) != 0, (enum coop_preference)preference);
}

static int receives_by_select(void *arg)
{
    struct coop_clause k = { .op = COOP_RECV, .chan = chan };

    (void)arg;
    return coop_select(&k, 1, COOP_FAIR, COOP_NEVER) == 0 ? (int)k.word : -EIO;
}

static int receives_in_time(void *arg)
{
    intptr_t word = 0;
    int rc = coop_chan_recv(chan, &word, coop_after(60000000));

    (void)arg;
    return rc != 0 ? rc : (int)word;
}

static void a_select_and_a_deadline_are_met_too(void **state)
{
    coop_task *t;

    (void)state;
    assert_int_equal(coop_chan_new(0, &chan), 0);
    t = start_blocked(receives_by_select, NULL);
    assert_int_equal(coop_chan_send_inline(chan, 7), 0);
    assert_int_equal(joined(t), 7);
    t = start_blocked(receives_in_time, NULL);
    assert_int_equal(coop_chan_send_inline(chan, 8), 0);
    assert_int_equal(joined(t), 8);
    assert_int_equal(coop_chan_free(chan), 0);
}

static int receives_one(void *arg)
{
    intptr_t word = 0;
    int rc = coop_chan_recv_inline(chan, &word);

    (void)arg;
    return rc != 0 ? rc : (int)word;
}

static void a_receive_fails_as_the_call_does(void **state)
{
    intptr_t word;
    coop_task *t;

    (void)state;
    assert_int_equal(coop_chan_recv_inline(NULL, &word), -EINVAL);
    assert_int_equal(coop_chan_send_inline(NULL, 1), -EINVAL);
    assert_int_equal(coop_chan_new(0, &chan), 0);
    assert_int_equal(coop_chan_recv_inline(chan, &word), -EDEADLK);

    t = start_blocked(receives_one, NULL);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);

    t = start_blocked(receives_one, NULL);
    assert_int_equal(coop_chan_send_error(chan, -ENOENT, COOP_NEVER), 0);
    assert_int_equal(joined(t), -ENOENT);

    coop_block_trap(true);
    (void)start(keeps_errno, NULL); /* somebody who might run */
    assert_int_equal(coop_chan_recv_inline(chan, &word), -EPERM);
    coop_block_trap(false);

    t = start_blocked(receives_one, NULL);
    assert_int_equal(coop_chan_close(chan), 0);
    assert_int_equal(joined(t), -EPIPE);
    assert_int_equal(coop_chan_send_inline(chan, 1), -EPIPE);
    assert_int_equal(coop_chan_recv_inline(chan, &word), -EPIPE);
    assert_int_equal(coop_chan_free(chan), 0);
}

static int hooked;

static void count_channel(coop_chan *c, coop_task *t, bool sending, bool will_block)
{
    (void)c;
    (void)t;
    (void)sending;
    (void)will_block;
    hooked++;
}

static void hooks_hear_of_it(void **state)
{
    intptr_t word;

    (void)state;
    assert_int_equal(coop_chan_new(1, &chan), 0);
    hooked = 0;
    coop_set_chan_hook(count_channel);
    assert_int_equal(coop_chan_send_inline(chan, 1), 0);
    assert_int_equal(coop_chan_recv_inline(chan, &word), 0);
    coop_set_chan_hook(NULL);
    assert_int_equal(hooked, 2);
    assert_int_equal(coop_chan_free(chan), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(yields_of_both_kinds_take_turns, task_setup, task_teardown),
        cmocka_unit_test_setup_teardown(alone_it_goes_on, task_setup, task_teardown),
        cmocka_unit_test_setup_teardown(values_in_registers_survive, task_setup, task_teardown),
        cmocka_unit_test_setup_teardown(each_tasklet_keeps_its_rounding_mode, task_setup, task_teardown),
        cmocka_unit_test_setup_teardown(errno_is_each_tasklets_own, task_setup, task_teardown),
        cmocka_unit_test_setup_teardown(messages_arrive_in_order_whoever_is_inlined, task_setup, task_teardown),
        cmocka_unit_test_setup_teardown(a_select_and_a_deadline_are_met_too, task_setup, task_teardown),
        cmocka_unit_test_setup_teardown(a_receive_fails_as_the_call_does, task_setup, task_teardown),
        cmocka_unit_test_setup_teardown(hooks_hear_of_it, task_setup, task_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
