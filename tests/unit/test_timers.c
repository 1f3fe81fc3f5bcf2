/* test_timers.c - deadlines under a clock that the test turns by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "broker/timers.h"

enum { N = 200 };

struct fixture;

/* A timer that writes down when it rang, and may do something else as well. */
struct bell {
    struct timer timer;
    struct fixture *f;
    void (*then)(struct bell *b);
    struct bell *other;
    uint64_t step;
    unsigned rings;
};

struct fixture {
    struct timers timers;
    uint64_t now;
    struct bell bells[N];
    struct bell *rung[4 * N];
    unsigned rung_count;
};

static void ring(void *ctx)
{
    struct bell *b = ctx;

    assert_int_equal(b->timer.place, 0); /* out of the heap before it is called */
    assert_true(b->timer.at_us <= b->f->now);
    b->rings++;
    if (b->f->rung_count < 4 * N)
        b->f->rung[b->f->rung_count++] = b;
    if (b->then != NULL)
        b->then(b);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    for (unsigned i = 0; i < N; i++) {
        f->bells[i].f = f;
        f->bells[i].timer = (struct timer){ .fn = ring, .ctx = &f->bells[i] };
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    timers_finish(&f->timers);
    free(f);
    return 0;
}

static void arm(struct bell *b, uint64_t at)
{
    assert_int_equal(timers_arm(&b->f->timers, &b->timer, at), 0);
}

static void turn_clock(struct fixture *f, uint64_t now)
{
    f->now = now;
    timers_run(&f->timers, now);
}

/* ---- one by one --------------------------------------------------------------------------------------------------------------------- */

static void without_timers_there_is_no_deadline(void **state)
{
    struct fixture *f = *state;

    assert_true(timers_next(&f->timers) == UINT64_MAX);
    turn_clock(f, UINT64_MAX);
    timers_cancel(&f->timers, &f->bells[0].timer); /* not armed: nothing happens */
    assert_int_equal(f->timers.count, 0);
}

static void a_timer_rings_at_its_time_once_and_not_before(void **state)
{
    struct fixture *f = *state;

    arm(&f->bells[0], 1000);
    assert_true(timers_next(&f->timers) == 1000);
    turn_clock(f, 999);
    assert_int_equal(f->bells[0].rings, 0);
    turn_clock(f, 1000);
    assert_int_equal(f->bells[0].rings, 1);
    turn_clock(f, 5000);
    assert_int_equal(f->bells[0].rings, 1);
    assert_true(timers_next(&f->timers) == UINT64_MAX);
}

static void timers_ring_in_the_order_of_their_deadlines(void **state)
{
    static const uint64_t at[] = { 50, 10, 40, 30, 20, 60, 0, 35, 15, 45 };
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++)
        arm(&f->bells[i], at[i]);
    turn_clock(f, 100);
    assert_int_equal(f->rung_count, 10);
    for (unsigned i = 1; i < 10; i++)
        assert_true(f->rung[i - 1]->timer.at_us < f->rung[i]->timer.at_us);
}

static void only_those_that_are_due_ring(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < N; i++)
        arm(&f->bells[i], i * 10);
    turn_clock(f, 505);
    assert_int_equal(f->rung_count, 51);
    assert_true(timers_next(&f->timers) == 510);
}

static void arming_again_moves_a_timer_either_way(void **state)
{
    struct fixture *f = *state;

    arm(&f->bells[0], 100);
    arm(&f->bells[1], 200);
    arm(&f->bells[0], 300);
    assert_true(timers_next(&f->timers) == 200);
    arm(&f->bells[0], 50);
    assert_true(timers_next(&f->timers) == 50);
    assert_int_equal(f->timers.count, 2);
    turn_clock(f, 1000);
    assert_int_equal(f->bells[0].rings, 1);
    assert_int_equal(f->bells[1].rings, 1);
}

static void a_cancelled_timer_never_rings_and_can_be_armed_again(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 5; i++)
        arm(&f->bells[i], 10 + i);
    timers_cancel(&f->timers, &f->bells[2].timer);
    timers_cancel(&f->timers, &f->bells[2].timer);
    timers_cancel(&f->timers, &f->bells[0].timer);
    turn_clock(f, 100);
    assert_int_equal(f->rung_count, 3);
    arm(&f->bells[2], 101);
    turn_clock(f, 101);
    assert_int_equal(f->bells[2].rings, 1);
}

static void deadlines_at_both_ends_of_time_work(void **state)
{
    struct fixture *f = *state;

    arm(&f->bells[0], UINT64_MAX);
    arm(&f->bells[1], 0);
    turn_clock(f, 0);
    assert_int_equal(f->bells[1].rings, 1);
    turn_clock(f, UINT64_MAX - 1);
    assert_int_equal(f->bells[0].rings, 0);
    turn_clock(f, UINT64_MAX);
    assert_int_equal(f->bells[0].rings, 1);
}

static void finishing_forgets_what_was_armed(void **state)
{
    struct fixture *f = *state;

    arm(&f->bells[0], 10);
    timers_finish(&f->timers);
    turn_clock(f, 100);
    assert_int_equal(f->bells[0].rings, 0);
}

/* ---- inside a callback ---------------------------------------------------------------------------------------------------------------- */

static void arm_self_later(struct bell *b)
{
    arm(b, b->f->now + b->step);
}

static void a_timer_may_arm_itself_again(void **state)
{
    struct fixture *f = *state;

    f->bells[0].then = arm_self_later;
    f->bells[0].step = 10;
    arm(&f->bells[0], 10);
    for (uint64_t now = 0; now <= 100; now++)
        turn_clock(f, now);
    assert_int_equal(f->bells[0].rings, 10);
}

static void arm_self_until_third(struct bell *b)
{
    if (b->rings < 3)
        arm(b, b->timer.at_us + b->step);
}

static void one_armed_for_a_time_that_has_passed_rings_in_the_same_run(void **state)
{
    struct fixture *f = *state;

    f->bells[0].then = arm_self_until_third;
    f->bells[0].step = 5;
    arm(&f->bells[0], 10);
    turn_clock(f, 1000);
    assert_int_equal(f->bells[0].rings, 3);
}

static void arm_other_now(struct bell *b)
{
    arm(b->other, b->f->now);
}

static void a_timer_may_arm_another_for_now(void **state)
{
    struct fixture *f = *state;

    f->bells[0].then = arm_other_now;
    f->bells[0].other = &f->bells[1];
    arm(&f->bells[0], 10);
    turn_clock(f, 20);
    assert_int_equal(f->bells[1].rings, 1);
}

static void cancel_other(struct bell *b)
{
    timers_cancel(&b->f->timers, &b->other->timer);
}

static void a_timer_may_cancel_another_that_is_due_as_well(void **state)
{
    struct fixture *f = *state;

    f->bells[0].then = cancel_other;
    f->bells[0].other = &f->bells[1];
    arm(&f->bells[0], 10);
    arm(&f->bells[1], 11);
    arm(&f->bells[2], 12);
    turn_clock(f, 20);
    assert_int_equal(f->bells[1].rings, 0);
    assert_int_equal(f->bells[2].rings, 1);
}

static void a_timer_may_cancel_itself(void **state)
{
    struct fixture *f = *state;

    f->bells[0].then = cancel_other;
    f->bells[0].other = &f->bells[0];
    arm(&f->bells[0], 10);
    arm(&f->bells[1], 10);
    turn_clock(f, 20);
    assert_int_equal(f->rung_count, 2);
}

static void cancel_all(struct bell *b)
{
    for (unsigned i = 0; i < N; i++)
        timers_cancel(&b->f->timers, &b->f->bells[i].timer);
}

static void a_timer_may_cancel_all_others(void **state)
{
    struct fixture *f = *state;

    f->bells[7].then = cancel_all;
    for (unsigned i = 0; i < N; i++)
        arm(&f->bells[i], i == 7 ? 1 : 2);
    turn_clock(f, 20);
    assert_int_equal(f->rung_count, 1);
    assert_true(timers_next(&f->timers) == UINT64_MAX);
}

/* ---- against a model ------------------------------------------------------------------------------------------------------------------- */

static uint64_t rng;

static uint64_t roll(uint64_t below)
{
    rng ^= rng << 13; /* xorshift64 */
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng % below;
}

/* The model is a plain array: deadline of each bell, UINT64_MAX for none. */
struct model {
    uint64_t at[N];
};

static uint64_t model_next(const struct model *m)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < N; i++)
        if (m->at[i] < next)
            next = m->at[i];
    return next;
}

static void check_heap(const struct fixture *f, const struct model *m)
{
    unsigned armed = 0;

    for (unsigned i = 0; i < N; i++) {
        const struct timer *t = &f->bells[i].timer;

        armed += m->at[i] != UINT64_MAX;
        assert_int_equal(t->place != 0, m->at[i] != UINT64_MAX);
        if (t->place != 0) {
            assert_ptr_equal(f->timers.heap[t->place - 1], t);
            assert_true(t->at_us == m->at[i]);
        }
    }
    assert_int_equal(f->timers.count, armed);
    assert_true(timers_next(&f->timers) == model_next(m));
}

static void check_run(struct fixture *f, struct model *m)
{
    for (unsigned i = 0; i < f->rung_count; i++) {
        unsigned k = (unsigned)(f->rung[i] - f->bells);

        assert_true(m->at[k] == model_next(m)); /* each was the earliest when it rang */
        m->at[k] = UINT64_MAX;
    }
    assert_true(model_next(m) > f->now);
}

static void random_use_agrees_with_a_sorted_model(void **state)
{
    struct fixture *f = *state;
    struct model m;
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

    print_message("seed %llu (again: SEED=%llu)\n", (unsigned long long)seed, (unsigned long long)seed);
    rng = seed * 0x9e3779b97f4a7c15ull | 1;
    memset(&m, 0xff, sizeof(m));
    for (int step = 0; step < 20000; step++) {
        unsigned k = (unsigned)roll(N);

        switch (roll(8)) {
        case 0:
            timers_cancel(&f->timers, &f->bells[k].timer);
            m.at[k] = UINT64_MAX;
            break;
        case 1:
            f->rung_count = 0;
            turn_clock(f, f->now + roll(300));
            check_run(f, &m);
            break;
        default:
            m.at[k] = f->now + roll(roll(4) == 0 ? 4 : 2000); /* many equal ones, too */
            arm(&f->bells[k], m.at[k]);
        }
        check_heap(f, &m);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_timers_there_is_no_deadline),
        TEST(a_timer_rings_at_its_time_once_and_not_before),
        TEST(timers_ring_in_the_order_of_their_deadlines),
        TEST(only_those_that_are_due_ring),
        TEST(arming_again_moves_a_timer_either_way),
        TEST(a_cancelled_timer_never_rings_and_can_be_armed_again),
        TEST(deadlines_at_both_ends_of_time_work),
        TEST(finishing_forgets_what_was_armed),
        TEST(a_timer_may_arm_itself_again),
        TEST(one_armed_for_a_time_that_has_passed_rings_in_the_same_run),
        TEST(a_timer_may_arm_another_for_now),
        TEST(a_timer_may_cancel_another_that_is_due_as_well),
        TEST(a_timer_may_cancel_itself),
        TEST(a_timer_may_cancel_all_others),
        TEST(random_use_agrees_with_a_sorted_model),
    };

    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
