/* test_array_range.c - ranges of arrays: what people write, what is refused, and that nothing overflows. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "array_range.h"

static void what_people_write_is_read_and_written_back(void **state)
{
    static const struct {
        const char *text;
        uint64_t from, to, step;
        uint32_t parallel;
        uint64_t count, last;
        const char *back;
    } rows[] = {
        {"1-1000%20",                                               1,          1000,       1,          20,         1000,       1000,           "1-1000%20"                                },
        { "0-9",                                                    0,          9,          1,          0,          10,         9,              "0-9"                                      },
        { "7",                                                      7,          7,          1,          0,          1,          7,              "7-7"                                      },
        { "7%1",                                                    7,          7,          1,          1,          1,          7,              "7-7%1"                                    },
        { "1-10:3",                                                 1,          10,         3,          0,          4,          10,             "1-10:3"                                   },
        { "1-11:3%2",                                               1,          11,         3,          2,          4,          10,             "1-11:3%2"                                 },
        { "5-5:100",                                                5,          5,          100,        0,          1,          5,              "5-5:100"                                  },
        { "0-1000000000",                                           0,          1000000000, 1,          0,          1000000001, 1000000000,     "0-1000000000"                             },
        { "0-18446744073709551615",                                 0,          UINT64_MAX, 1,          0,          UINT64_MAX, UINT64_MAX - 1, "0-18446744073709551615"                   },
        { "0-18446744073709551615:18446744073709551615%4294967295", 0,          UINT64_MAX, UINT64_MAX, UINT32_MAX, 2,          UINT64_MAX,
         "0-18446744073709551615:18446744073709551615%4294967295"                                                                                                                          },
        { "18446744073709551615",                                   UINT64_MAX, UINT64_MAX, 1,          0,          1,          UINT64_MAX,     "18446744073709551615-18446744073709551615"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Pb__ArrayRange r = PB__ARRAY_RANGE__INIT;
        char why[ARRAY_RANGE_WHY], text[ARRAY_RANGE_TEXT];

        assert_int_equal(array_range_parse(rows[i].text, &r, why), 0);
        assert_int_equal(r.from, rows[i].from);
        assert_int_equal(r.to, rows[i].to);
        assert_int_equal(r.step, rows[i].step);
        assert_int_equal(r.max_parallel, rows[i].parallel);
        assert_int_equal(array_range_count(&r), rows[i].count);
        assert_int_equal(array_range_index(&r, rows[i].count - 1), rows[i].last);
        assert_string_equal(array_range_format(&r, text), rows[i].back);
    }
}

static void what_is_no_range_is_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        int rc;
        const char *why;
    } rows[] = {
        {"",                              -EINVAL, "a number is missing"        },
        { "-5",                           -EINVAL, "a number is missing"        },
        { "1-",                           -EINVAL, "a number is missing"        },
        { "1--5",                         -EINVAL, "a number is missing"        },
        { "a-b",                          -EINVAL, "'a-b'"                      },
        { "10-1",                         -EINVAL, "ends before it begins: 10-1"},
        { "1-10:0",                       -EINVAL, "step"                       },
        { "1-10%0",                       -EINVAL, "%0 is none"                 },
        { "1-10%",                        -EINVAL, "a number is missing"        },
        { "1-10:",                        -EINVAL, "a number is missing"        },
        { "1-10 ",                        -EINVAL, "' ' is not understood"      },
        { "1-10%5:2",                     -EINVAL, "':2' is not understood"     },
        { "3:2",                          -EINVAL, "':2' is not understood"     },
        { "1-10\x1b",                     -EINVAL, "'?' is not understood"      },
        { "1-18446744073709551616",       -ERANGE, "above 18446744073709551615" },
        { "1-10%4294967296",              -ERANGE, "above 4294967295"           },
        { "1-10:99999999999999999999999", -ERANGE, "above"                      },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Pb__ArrayRange r = PB__ARRAY_RANGE__INIT;
        char why[ARRAY_RANGE_WHY] = "";
        int rc;

        r.from = 42;
        rc = array_range_parse(rows[i].text, &r, why);
        if (rc != rows[i].rc || strstr(why, rows[i].why) == NULL)
            fail_msg("'%s': %d \"%s\", expected %d \"%s\"", rows[i].text, rc, why, rows[i].rc, rows[i].why);
        assert_int_equal(r.from, 42); /* untouched */
    }
}

static void count_and_index_agree_with_a_walk(void **state)
{
    (void)state;
    srandom(7);
    for (int i = 0; i < 2000; i++) {
        Pb__ArrayRange r = PB__ARRAY_RANGE__INIT;
        uint64_t n = 0;

        r.from = (uint64_t)random() % 50;
        r.to = r.from + (uint64_t)random() % 200;
        r.step = (uint64_t)random() % 9; /* 0 is 1 */
        for (uint64_t v = r.from; v <= r.to; v += r.step != 0 ? r.step : 1)
            assert_int_equal(array_range_index(&r, n++), v);
        assert_int_equal(array_range_count(&r), n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_is_read_and_written_back),
        cmocka_unit_test(what_is_no_range_is_refused_by_name),
        cmocka_unit_test(count_and_index_agree_with_a_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
