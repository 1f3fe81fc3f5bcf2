/* test_task_berths.c - more tasklets than stacks: each finds on its own what it left there, and memory that ends is told to whoever can be told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "task_fixture.h"
#include "worker/task/sanitize.h"
#include "worker/task/sched.h"

enum { STACKS = 8, STACK = 64 << 10, MANY = 1000, ROUNDS = 5, WORDS = 32 };

/* ---- an engine of the test's ----------------------------------------------------------------------------------------------------- */

static size_t gone, back, opened_most;
static bool nothing_opens;

static int open_stack(coop_task *t, size_t len)
{
    if (nothing_opens)
        return -ENOMEM;
    opened_most = len > opened_most ? len : opened_most;
    if (t->berth->low == NULL)
        t->berth->low = (char *)t->stack;
    return 0;
}

static void goes(coop_task *t)
{
    assert_ptr_equal(t->berth->low, t->stack);
    gone++;
}

static void comes(coop_task *t)
{
    assert_ptr_equal(t->berth->guest, t);
    back++;
}

static void no_memory(void)
{
    _exit(77);
}

static const struct berth_engine engine = { .open = open_stack, .goes = goes, .comes = comes, .no_memory = no_memory };

static int setup(void **state)
{
    (void)state;
    gone = back = opened_most = 0;
    nothing_opens = false;
    trace[0] = '\0';
    if (coop_init(&(struct coop_options){ .stack_size = STACK, .private_stacks = true }) != 0 ||
        berths_open(STACKS, STACK, false, &engine) != 0)
        return -1;
    sched->hibernate.above = sched->hibernate.trigger = SIZE_MAX; /* nobody goes unless the test says so */
    return 0;
}

static size_t hibernated(void)
{
    struct coop_stats s;

    coop_get_stats(&s);
    return s.hibernated;
}

/* ---- what tasklets do ------------------------------------------------------------------------------------------------------------ */

static uint64_t word_of(uintptr_t who, int round, int i)
{
    return (who + 1) * 0x9e3779b97f4a7c15u ^ (uint64_t)(round * WORDS + i);
}

/* Pointers into its own stack are good whenever it runs. */
static int keeps_words(void *arg)
{
    volatile uint64_t words[WORDS], *volatile own = words;
    uintptr_t who = (uintptr_t)arg;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WORDS; i++)
            words[i] = word_of(who, round, i);
        if (who % 3 == 0 ? coop_park(NULL, COOP_NEVER) != 0 : coop_yield() != 0)
            return 1;
        if (own != words)
            return 2;
        for (int i = 0; i < WORDS; i++)
            if (own[i] != word_of(who, round, i))
                return 3;
    }
    return 0;
}

static __attribute__((noinline)) int deeper(int levels)
{
    volatile char page[1 << 10];
    int rc;

    page[0] = page[sizeof(page) - 1] = (char)levels;
    rc = levels > 0 ? deeper(levels - 1) : coop_park(NULL, COOP_NEVER);
    return page[0] == (char)levels && page[sizeof(page) - 1] == (char)levels ? rc : 1;
}

static int goes_deep(void *arg)
{
    return deeper((int)(intptr_t)arg);
}

static int does_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------ */

static void a_thousand_on_eight_stacks_keep_what_is_theirs(void **state)
{
    static coop_task *t[MANY];

    (void)state;
    for (uintptr_t i = 0; i < MANY; i++)
        t[i] = start(keeps_words, (void *)i);
    assert_int_equal(sched->stacks.classes[sched->berths.class].handed_out, STACKS * STACK);
    assert_int_equal(hibernated(), MANY - STACKS); /* those have not begun */
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 2; i++)
            assert_int_equal(coop_yield(), 0);
        for (uintptr_t i = 0; i < MANY; i += 3)
            assert_int_equal(coop_unpark(t[(i * 7) % (MANY - 1) / 3 * 3], 0), 0);
    }
    for (uintptr_t i = 0; i < MANY; i += 3)
        while (coop_alive(t[i])) {
            (void)coop_unpark(t[i], 0);
            assert_int_equal(coop_yield(), 0);
        }
    for (uintptr_t i = 0; i < MANY; i++)
        assert_int_equal(joined(t[i]), 0);
    assert_int_equal(hibernated(), 0);
    assert_int_equal(gone, back);
    assert_true(gone > MANY);
}

/* The stack's owners are its own and one that has ended on it: it is left before the other's bytes come. */
static void two_of_one_stack_take_turns_and_end(void **state)
{
    coop_task *t[STACKS + 2];

    (void)state;
    for (uintptr_t i = 0; i < STACKS + 2; i++)
        t[i] = start(keeps_words, (void *)(i * 3 + 1));
    assert_ptr_equal(t[STACKS]->berth, t[0]->berth);
    assert_int_equal(t[0]->berth->owners, 2);
    for (uintptr_t i = 0; i < STACKS + 2; i++)
        assert_int_equal(joined(t[STACKS + 1 - i]), 0);
}

static void a_stack_that_nobody_is_on_is_the_next_ones(void **state)
{
    coop_task *t[STACKS + 1], *next;

    (void)state;
    for (intptr_t i = 0; i < STACKS; i++)
        t[i] = start_blocked(goes_deep, (void *)(i % 4));
    assert_int_equal(coop_hibernate(t[3]), 0);
    assert_true(coop_hibernated(t[3]));
    next = start_blocked(goes_deep, (void *)2);
    assert_ptr_equal(next->berth, t[3]->berth);
    assert_false(coop_hibernated(next));
    assert_int_equal(coop_unpark(t[3], 0), 0);
    assert_int_equal(joined(t[3]), 0);
    assert_true(coop_hibernated(next)); /* it had to make way */
    assert_int_equal(coop_unpark(next, 0), 0);
    assert_int_equal(joined(next), 0);
    for (int i = 0; i < STACKS; i++)
        if (i != 3) {
            assert_int_equal(coop_unpark(t[i], 0), 0);
            assert_int_equal(joined(t[i]), 0);
        }
    assert_true(opened_most > 2 << 10);
}

static void of_more_than_half_as_many_the_oldest_hibernate_by_themselves(void **state)
{
    coop_task *t[40];

    (void)state;
    berths_limit(STACKS);
    for (int i = 0; i < 40; i++)
        t[i] = start_blocked(goes_deep, NULL);
    assert_true(hibernated() > 20);
    assert_true(sched->stacks.classes[sched->berths.class].handed_out < STACKS * STACK); /* the others come where they were */
    assert_true(coop_hibernated(t[0]));
    assert_false(coop_hibernated(t[39]));
    for (int i = 0; i < 40; i++) {
        assert_int_equal(coop_unpark(t[i], 0), 0);
        assert_int_equal(joined(t[i]), 0);
    }
}

/* Before the first tasklet there are none to be shared; afterwards there are. */
static void without_memory_for_a_stack_there_is_an_error(void **state)
{
    coop_task *t;

    (void)state;
    nothing_opens = true;
    assert_int_equal(coop_spawn(&t, does_nothing, NULL, NULL), -ENOMEM);
    nothing_opens = false;
    assert_int_equal(joined(start(does_nothing, NULL)), 0);
}

static void one_that_never_ran_is_cancelled_and_joined(void **state)
{
    coop_task *t[STACKS * 3];

    (void)state;
    for (int i = 0; i < STACKS * 3; i++)
        t[i] = start(goes_deep, NULL);
    for (int i = 0; i < STACKS * 3; i++)
        assert_int_equal(coop_cancel(t[i]), 0);
    for (int i = 0; i < STACKS * 3; i++)
        assert_int_equal(joined(t[i]), -ECANCELED);
}

/* A tasklet that ends makes others, which get its stack when it has left it. */
static int has_children(void *arg)
{
    intptr_t more = (intptr_t)arg;
    coop_task *t[2];
    int rc = 0;

    for (int i = 0; more > 0 && i < 2; i++)
        rc |= coop_spawn(&t[i], has_children, (void *)(more - 1), NULL);
    for (int i = 0; more > 0 && i < 2; i++) {
        int result = 1;

        rc |= coop_join(t[i], &result, COOP_NEVER) | result;
    }
    return rc;
}

static void those_that_wait_for_their_children_share_with_them(void **state)
{
    (void)state;
    assert_int_equal(joined(start(has_children, (void *)9)), 0);
    assert_int_equal(hibernated(), 0);
    assert_int_equal(sched->stacks.classes[sched->berths.class].handed_out, STACKS * STACK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thousand_on_eight_stacks_keep_what_is_theirs, setup, task_teardown),
        cmocka_unit_test_setup_teardown(two_of_one_stack_take_turns_and_end, setup, task_teardown),
        cmocka_unit_test_setup_teardown(a_stack_that_nobody_is_on_is_the_next_ones, setup, task_teardown),
        cmocka_unit_test_setup_teardown(of_more_than_half_as_many_the_oldest_hibernate_by_themselves, setup, task_teardown),
        cmocka_unit_test_setup_teardown(without_memory_for_a_stack_there_is_an_error, setup, task_teardown),
        cmocka_unit_test_setup_teardown(one_that_never_ran_is_cancelled_and_joined, setup, task_teardown),
        cmocka_unit_test_setup_teardown(those_that_wait_for_their_children_share_with_them, setup, task_teardown),
    };

    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("task_berths", tests, NULL, NULL);
}
