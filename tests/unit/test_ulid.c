/* test_ulid.c - job ids sort by age, whatever the clock does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ulid.h"

/* ulid.c remembers the last time it saw, so each test begins later than the one before. */
static uint64_t clock_ms = 1700000000000ull;

static uint64_t later(void)
{
    return clock_ms += 100000;
}

static void an_id_is_26_characters_of_the_alphabet(void **state)
{
    char id[ULID_LEN + 1];

    (void)state;
    memset(id, '?', sizeof(id));
    ulid_make(later(), id);
    assert_int_equal(strlen(id), ULID_LEN);
    assert_int_equal(strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), ULID_LEN);
}

/* The first ten characters are the time: checked against values worked out by hand from the specification. */
static void the_time_stands_in_front(void **state)
{
    static const struct {
        uint64_t ms;
        const char *prefix;
    } rows[] = {
        {1469918176385,    "01ARYZ6S41"}, /* the specification's own example */
        { 1,               "0000000001"},
        { 281474976710655, "7ZZZZZZZZZ"}, /* 48 bits: the year 10889 */
    };
    char id[ULID_LEN + 1];

    (void)state;
    /* only a rising clock is taken: 1, then the example, then (last test of all) the largest */
    ulid_make(rows[1].ms, id);
    assert_memory_equal(id, rows[1].prefix, 10);
    ulid_make(rows[0].ms, id);
    assert_memory_equal(id, rows[0].prefix, 10);
}

static void the_largest_time_fits(void **state)
{
    char id[ULID_LEN + 1];

    (void)state;
    ulid_make(281474976710655ull, id);
    assert_memory_equal(id, "7ZZZZZZZZZ", 10);
}

static void ids_of_one_millisecond_rise(void **state)
{
    uint64_t now = later();
    char last[ULID_LEN + 1], id[ULID_LEN + 1];

    (void)state;
    ulid_make(now, last);
    for (int i = 0; i < 100000; i++) {
        ulid_make(now, id);
        assert_true(strcmp(last, id) < 0);
        assert_memory_equal(last, id, 10);
        memcpy(last, id, sizeof(last));
    }
}

static void ids_sort_by_age_also_when_the_clock_steps_back(void **state)
{
    static const int steps[] = { 0, 1, 0, -1, -5000, 0, 1, 7, -2, 10000, -1, 0, 3 };
    char last[ULID_LEN + 1] = "", id[ULID_LEN + 1];
    uint64_t now = later();

    (void)state;
    for (int round = 0; round < 1000; round++) {
        now = (uint64_t)((int64_t)now + steps[round % (sizeof(steps) / sizeof(steps[0]))]);
        ulid_make(now, id);
        assert_true(strcmp(last, id) < 0);
        memcpy(last, id, sizeof(last));
    }
    clock_ms = now + 20000;
}

static void the_random_part_differs_between_milliseconds(void **state)
{
    char a[ULID_LEN + 1], b[ULID_LEN + 1];
    uint64_t now = later();

    (void)state;
    ulid_make(now, a);
    ulid_make(now + 1, b);
    assert_string_not_equal(a + 10, b + 10);
}

static void lower_case_and_beginnings_are_made_whole_where_they_can_be(void **state)
{
    static const struct {
        const char *text, *id;
    } rows[] = {
        {"01ARZ3NDEKTSV4RRFFQ69G5FAV",  "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        { "01arz3ndektsv4rrffq69g5fav", "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        { "01arZ3nD",                   "01ARZ3ND"                  }, /* ULID_MIN_PREFIX */
        { "00000000000000000000000000", "00000000000000000000000000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char id[ULID_LEN + 1];

        assert_int_equal(ulid_normalize(rows[i].text, id), 0);
        assert_string_equal(id, rows[i].id);
    }
}

static void what_cannot_be_an_id_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "0",
        "01ARZ3N",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV0",
        "01ARZ3NDI",
        "01ARZ3NDL",
        "01ARZ3NDO",
        "01ARZ3NDU",
        "01arz3ndu",
        "01ARZ3ND ",
        " 01ARZ3ND",
        "01ARZ3N-",
        "01ARZ3N/../",
        "01ARZ3N%",
        "01ARZ3N\xc3\xbc",
        "01ARZ3N\n",
        "01ARZ3N\x80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char id[ULID_LEN + 1] = "untouched";

        assert_int_equal(ulid_normalize(bad[i], id), -EINVAL);
        assert_string_equal(id, "untouched"); /* written on success only */
    }
}

static void what_is_made_is_taken(void **state)
{
    char id[ULID_LEN + 1], back[ULID_LEN + 1];

    (void)state;
    ulid_make(later(), id);
    assert_int_equal(ulid_normalize(id, back), 0);
    assert_string_equal(id, back);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_time_stands_in_front), /* first: the clock only rises */
        TEST(an_id_is_26_characters_of_the_alphabet),
        TEST(ids_of_one_millisecond_rise),
        TEST(ids_sort_by_age_also_when_the_clock_steps_back),
        TEST(the_random_part_differs_between_milliseconds),
        TEST(lower_case_and_beginnings_are_made_whole_where_they_can_be),
        TEST(what_cannot_be_an_id_is_refused),
        TEST(what_is_made_is_taken),
        TEST(the_largest_time_fits), /* last, for the same reason */
    };

    return cmocka_run_group_tests_name("ulid", tests, NULL, NULL);
}
