/* test_when.c - points in time: each form that is written, in a zone with summer time; what is no time; that what is written is read again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "when.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NOW          1800000000000000ull /* 2027-01-15T08:00:00Z, 09:00 in Berlin */

static int in_berlin(void **state)
{
    (void)state;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    return 0;
}

static void every_form_is_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } rows[] = {
        {"2027-01-15T08:00:00Z",          NOW                     },
        { "2027-01-15T08:00Z",            NOW                     },
        { "2027-01-15t08:00:00z",         NOW                     },
        { "2027-01-15 08:00:00 Z",        NOW                     },
        { "2027-01-15T09:00:00+01:00",    NOW                     },
        { "2027-01-15T09:30:00+0130",     NOW                     },
        { "2027-01-15T02:00:00-06",       NOW                     },
        { "2027-01-15T09:00:00",          NOW                     },
        { "2027-01-15 09:00",             NOW                     },
        { "2027-01-15T08:00:00.5Z",       NOW + 500000            },
        { "2027-01-15T08:00:00.1234567Z", NOW + 123456            },
        { "2027-01-15",                   NOW - 9 * 3600000000ull },
        { "2027-07-01T10:00",             1814428800000000ull     }, /* summer time */
        { "09:00:01",                     NOW + 1000000           },
        { "09:00",                        NOW + 86400000000ull    },
        { "08:00",                        NOW + 23 * 3600000000ull},
        { "23:59:59.5",                   NOW + 53999500000ull    },
        { "+90m",                         NOW + 5400000000ull     },
        { "+0",                           NOW                     },
        { "-2h",                          NOW - 7200000000ull     },
        { "@1800000000",                  NOW                     },
        { "1970-01-01T00:00:01Z",         1000000                 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t us = 0;
        int rc = when_parse(rows[i].text, NOW, &us);

        if (rc != 0 || us != rows[i].us)
            fail_msg("%s: %d, %llu, wanted %llu", rows[i].text, rc, (unsigned long long)us, (unsigned long long)rows[i].us);
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "now",
        "tomorrow",
        "2027",
        "2027-01",
        "2027-1-1",
        "2027-00-01",
        "2027-13-01",
        "2027-01-00",
        "2027-02-29",
        "2027-04-31",
        "2027-01-15T",
        "2027-01-15T24:00",
        "2027-01-15T08:60",
        "2027-01-15T08:00:60",
        "2027-01-15T08",
        "2027-01-15T08:00:00.",
        "2027-01-15T08:00:00 CET",
        "2027-01-15T08:00:00+15:00",
        "2027-01-15T08:00:00+1",
        "2027-01-15T08:00:00Zx",
        "2027-01-15x",
        " 2027-01-15",
        "24:00",
        "9:00",
        "09:00x",
        "09:0",
        "+",
        "+x",
        "+-1",
        "-",
        "@",
        "@x",
        "@-1",
        "@1x",
        "1800000000",
        "2027-03-28T02:30", /* the hour that summer time leaves out */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t us = 77;

        if (when_parse(bad[i], NOW, &us) != -EINVAL || us != 77)
            fail_msg("%s", bad[i]);
    }
}

static void what_is_out_of_range_is_refused(void **state)
{
    static const char *const bad[] = { "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00", "-99999999h",
                                       "+99999999d",           "+18446744073709551615us",   "@253402300800",
                                       "@99999999999999999999" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t us;

        if (when_parse(bad[i], NOW, &us) != -ERANGE)
            fail_msg("%s", bad[i]);
    }
}

static void what_is_written_is_read_as_the_same(void **state)
{
    static const struct {
        uint64_t us;
        const char *text;
    } rows[] = {
        {0,             "1970-01-01T00:00:00Z"       },
        { NOW,          "2027-01-15T08:00:00Z"       },
        { NOW + 500000, "2027-01-15T08:00:00.5Z"     },
        { NOW + 1,      "2027-01-15T08:00:00.000001Z"},
        { WHEN_LAST_US, "9999-12-31T23:59:59.999999Z"},
    };
    char buf[WHEN_BUF];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t us;

        assert_string_equal(when_format(rows[i].us, buf), rows[i].text);
        assert_int_equal(when_parse(buf, NOW, &us), 0);
        assert_true(us == rows[i].us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(what_is_out_of_range_is_refused),
        cmocka_unit_test(what_is_written_is_read_as_the_same),
    };

    return cmocka_run_group_tests_name("when", tests, in_berlin, NULL);
}
