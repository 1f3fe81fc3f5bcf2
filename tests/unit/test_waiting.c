/* test_waiting.c - the table of those that wait: found by id, counted by state, due by two clocks, and small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/waiting.h"

#define ST(name) PB__STATE__STATE_##name
enum { MANY = 20000 };

static char ids[MANY][ULID_LEN + 1];

static void make_ids(void)
{
    for (int i = 0; i < MANY; i++)
        ulid_make(1700000000000u + (uint64_t)i / 100, ids[i]); /* a hundred in a millisecond count up */
}

static int setup(void **state)
{
    struct waiting_table *t = calloc(1, sizeof(*t));

    *state = t;
    return t != NULL ? waiting_init(t) : -1;
}

static int teardown(void **state)
{
    waiting_finish(*state);
    free(*state);
    return 0;
}

static void what_was_added_is_found_and_what_was_dropped_is_not(void **state)
{
    struct waiting_table *t = *state;
    char id[ULID_LEN + 1];

    for (int i = 0; i < MANY; i++)
        assert_non_null(waiting_add(t, ids[i]));
    assert_null(waiting_add(t, ids[7])); /* it is there */
    assert_null(waiting_add(t, "not an id"));
    assert_int_equal(t->count, MANY);
    for (int i = 0; i < MANY; i += 2)
        waiting_drop(t, waiting_find(t, ids[i]));
    for (int i = 0; i < MANY; i++) {
        struct waiting *w = waiting_find(t, ids[i]);

        assert_int_equal(w != NULL, i % 2);
        if (w == NULL)
            continue;
        waiting_id(w, id);
        assert_string_equal(id, ids[i]);
    }
    assert_int_equal(t->count, MANY / 2);
    assert_null(waiting_find(t, "01HZ"));
}

/* Tasks of an array have ids that count up: a chain of many would make the table a list. */
static void ids_that_count_up_are_spread(void **state)
{
    struct waiting_table *t = *state;
    size_t longest = 0;
    char id[ULID_LEN + 1];

    for (int i = 0; i < MANY; i++) {
        ulid_make(1800000000000u, id);
        assert_non_null(waiting_add(t, id));
    }
    for (size_t i = 0; i <= t->mask; i++) {
        size_t n = 0;

        for (const struct waiting *w = t->buckets[i]; w != NULL; w = w->chain)
            n++;
        longest = n > longest ? n : longest;
    }
    assert_true(longest < 16);
}

static int count_and_drop(void *ctx, struct waiting *w)
{
    waiting_drop(ctx, w);
    return 0;
}

static void a_walk_sees_each_and_may_drop_it(void **state)
{
    struct waiting_table *t = *state;

    for (int i = 0; i < 1000; i++)
        (void)waiting_add(t, ids[i]);
    assert_int_equal(waiting_each(t, count_and_drop, t), 0);
    assert_int_equal(t->count, 0);
    assert_int_equal(t->in_state[ST(READY)], 0);
}

static void states_are_counted_and_those_that_wait_together(void **state)
{
    struct waiting_table *t = *state;

    for (int i = 0; i < 6; i++)
        (void)waiting_add(t, ids[i]);
    waiting_set_state(t, waiting_find(t, ids[0]), ST(HELD));
    waiting_set_state(t, waiting_find(t, ids[1]), ST(RUNNING));
    waiting_set_state(t, waiting_find(t, ids[2]), ST(FINISHING));
    waiting_set_state(t, waiting_find(t, ids[3]), ST(RETRY_WAIT));
    assert_int_equal(t->in_state[ST(READY)], 2);
    assert_int_equal(waiting_count(t), 4);
    waiting_drop(t, waiting_find(t, ids[1]));
    assert_int_equal(t->in_state[ST(RUNNING)], 0);
}

/* Against a list that is sorted: whatever is armed, moved and disarmed, they come in the order of their time. */
static void those_that_are_due_come_in_order(void **state)
{
    struct waiting_table *t = *state;
    uint64_t last = 0, left = 0;
    struct waiting *w;

    srand(7);
    for (int i = 0; i < 5000; i++) {
        w = waiting_add(t, ids[i]);
        assert_int_equal(waiting_arm(t, w, WAITING_WALL, (uint64_t)rand() % 100000), 0);
        if (i % 3 == 0)
            assert_int_equal(waiting_arm(t, w, WAITING_WALL, (uint64_t)rand() % 100000), 0); /* moves */
        if (i % 5 == 0)
            waiting_disarm(t, w);
        if (i % 7 == 0)
            assert_int_equal(waiting_arm(t, w, WAITING_MONOTONIC, (uint64_t)i), 0); /* to the other clock */
        if (i % 11 == 0)
            waiting_drop(t, w);
        else
            left += w->due_place != 0 && w->due_clock == WAITING_WALL;
    }
    assert_null(waiting_due(t, WAITING_WALL, waiting_next_due(t, WAITING_WALL) - 1));
    for (uint64_t now = 0; (now = waiting_next_due(t, WAITING_WALL)) != UINT64_MAX; left--) {
        w = waiting_due(t, WAITING_WALL, now);
        assert_non_null(w);
        assert_true(w->due_us >= last && w->due_us == now && w->due_place == 0);
        last = w->due_us;
    }
    assert_int_equal(left, 0);
    for (last = 0; (w = waiting_due(t, WAITING_MONOTONIC, UINT64_MAX)) != NULL; last = w->due_us)
        assert_true(w->due_us >= last);
}

static void class_and_priority_share_a_byte(void **state)
{
    static const Pb__JobClass classes[] = { PB__JOB_CLASS__JOB_CLASS_NORMAL, PB__JOB_CLASS__JOB_CLASS_INTERACTIVE,
                                            PB__JOB_CLASS__JOB_CLASS_BATCH };
    struct waiting w;

    (void)state;
    for (unsigned c = 0; c < 3; c++)
        for (unsigned p = 1; p <= 5; p++) {
            waiting_set_band(&w, classes[c], p);
            assert_int_equal(waiting_class(&w), classes[c]);
            assert_int_equal(waiting_priority(&w), p);
        }
}

static void an_id_is_its_bytes_and_back(void **state)
{
    static const char *const bad[] = { "", "01HZ", "81HZZZZZZZ0000000000000000", "01HZZZZZZZ000000000000000U",
                                       "01hzzzzzzz0000000000000000" };
    uint8_t bytes[ULID_BYTES], last[ULID_BYTES] = { 0 };
    char id[ULID_LEN + 1];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(ulid_to_bytes(ids[i], bytes), 0);
        assert_true(memcmp(bytes, last, sizeof(bytes)) > 0); /* they sort as the text does */
        memcpy(last, bytes, sizeof(last));
        ulid_from_bytes(bytes, id);
        assert_string_equal(id, ids[i]);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(ulid_to_bytes(bad[i], bytes), 0);
    assert_int_equal(ulid_to_bytes("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", bytes), 0);
    ulid_from_bytes(bytes, id);
    assert_string_equal(id, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_added_is_found_and_what_was_dropped_is_not),
        TEST(ids_that_count_up_are_spread),
        TEST(a_walk_sees_each_and_may_drop_it),
        TEST(states_are_counted_and_those_that_wait_together),
        TEST(those_that_are_due_come_in_order),
        cmocka_unit_test(class_and_priority_share_a_byte),
        cmocka_unit_test(an_id_is_its_bytes_and_back),
    };

    make_ids();
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
