/*
 * test_cron_expr.c - expressions of cron: what is one, what is refused and how, and that the next minute is the one that somebody finds who
 * looks at a clock every minute for years.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "broker/cron_expr.h"

#define MINUTE_US 60000000ull

static void use_zone(const char *name)
{
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
}

static struct cron_expr expr_of(const char *text)
{
    struct cron_expr e;
    char why[CRON_WHY] = "";

    if (cron_expr_parse(text, &e, why) != 0)
        fail_msg("%s: %s", text, why);
    return e;
}

/* "2026-03-29 01:30" in UTC. */
static uint64_t at(const char *text)
{
    struct tm tm = { 0 };

    assert_int_equal(sscanf(text, "%d-%d-%d %d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min), 5);
    tm.tm_year -= 1900;
    tm.tm_mon--;
    return (uint64_t)timegm(&tm) * 1000000;
}

static const char *text_of(uint64_t us, char buf[32])
{
    time_t s = (time_t)(us / 1000000);
    struct tm tm;

    gmtime_r(&s, &tm);
    strftime(buf, 32, "%Y-%m-%d %H:%M", &tm);
    return buf;
}

static void check_next(const char *text, enum cron_zone zone, const char *after, const char *expected)
{
    struct cron_expr e = expr_of(text);
    char got[32];

    text_of(cron_expr_next(&e, zone, at(after)), got);
    if (strcmp(got, expected) != 0)
        fail_msg("'%s' after %s UTC: %s, expected %s", text, after, got, expected);
}

/* ---- what it says ---- */

static void the_next_time_of_expressions_in_utc(void **state)
{
    static const struct {
        const char *expr, *after, *next;
    } rows[] = {
        {"* * * * *",                "2026-11-22 18:55", "2026-11-22 18:56"},
        { "  0\t4  * * *  ",         "2026-11-22 18:55", "2026-11-23 04:00"},
        { "*/15 * * * *",            "2026-11-22 23:45", "2026-11-23 00:00"},
        { "10-40/15,5 3 * * *",      "2026-11-22 03:10", "2026-11-22 03:25"},
        { "0 0 29 2 *",              "2026-11-22 18:55", "2028-02-29 00:00"},
        { "0 0 29 2 *",              "2097-01-01 00:00", "2104-02-29 00:00"}, /* 2100 is no leap year */
        { "0 0 29 2 */7",            "2076-03-01 00:00", "2088-02-29 00:00"},
        { "0 12 13 * fri",           "2026-11-22 18:55", "2026-11-27 12:00"}, /* both given: either */
        { "0 12 13 * *",             "2026-11-22 18:55", "2026-12-13 12:00"},
        { "0 12 */13 * fri",         "2026-11-22 18:55", "2026-11-27 12:00"}, /* begins with '*': both; the 27th is 1 + 2 * 13 */
        { "0 12 * * FRI",            "2026-11-22 18:55", "2026-11-27 12:00"},
        { "0 12 * * 7",              "2026-11-22 12:00", "2026-11-29 12:00"},
        { "0 12 * * 0",              "2026-11-22 12:00", "2026-11-29 12:00"},
        { "0 12 * * fri-sun",        "2026-11-22 12:00", "2026-11-27 12:00"},
        { "0 12 * * 5-7",            "2026-11-27 12:00", "2026-11-28 12:00"},
        { "0 0 31 4,jun,DEC *",      "2026-11-22 18:55", "2026-12-31 00:00"},
        { "0 0 1-31/30 jan-mar/2 *", "2026-01-01 00:00", "2026-01-31 00:00"},
        { "59 23 31 12 *",           "2026-12-31 23:59", "2027-12-31 23:59"},
        { "@hourly",                 "2026-11-22 18:55", "2026-11-22 19:00"},
        { "@DAILY",                  "2026-11-22 18:55", "2026-11-23 00:00"},
        { "@midnight",               "2026-11-22 18:55", "2026-11-23 00:00"},
        { "@weekly",                 "2026-11-22 00:00", "2026-11-29 00:00"},
        { "@monthly",                "2026-11-22 18:55", "2026-12-01 00:00"},
        { "@yearly",                 "2026-11-22 18:55", "2027-01-01 00:00"},
        { "@annually",               "2026-11-22 18:55", "2027-01-01 00:00"},
        { "000005 08 01 01 *",       "2026-11-22 18:55", "2027-01-01 08:05"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_next(rows[i].expr, CRON_UTC, rows[i].after, rows[i].next);
}

static void what_is_no_expression_is_refused_with_the_field_and_the_reason(void **state)
{
    static const struct {
        const char *expr;
        int rc;
        const char *why; /* part of it */
    } rows[] = {
        {"",                              -EINVAL, "here are 0"                          },
        { "* * * *",                      -EINVAL, "here are 4"                          },
        { "* * * * * *",                  -EINVAL, "one too many"                        },
        { "60 * * * *",                   -EINVAL, "minute 60 is not within 0 to 59"     },
        { "* 24 * * *",                   -EINVAL, "hour 24"                             },
        { "* * 0 * *",                    -EINVAL, "day of month 0 is not within 1 to 31"},
        { "* * 32 * *",                   -EINVAL, "day of month 32"                     },
        { "* * * 13 *",                   -EINVAL, "month 13"                            },
        { "* * * * 8",                    -EINVAL, "day of week 8 is not within 0 to 7"  },
        { "99999999999999999999 * * * *", -EINVAL, "minute 99999999"                     },
        { "* * * foo *",                  -EINVAL, "'foo' is not a month"                },
        { "* * * january *",              -EINVAL, "'january' is not a month"            },
        { "mon * * * *",                  -EINVAL, "'mon' is not a minute"               },
        { "5/10 * * * *",                 -EINVAL, "a step follows a range"              },
        { "*/0 * * * *",                  -EINVAL, "step 0"                              },
        { "*/60 * * * *",                 -EINVAL, "step 60"                             },
        { "*/ * * * *",                   -EINVAL, "a step is missing"                   },
        { "*/-1 * * * *",                 -EINVAL, "a step is missing"                   },
        { "30-10 * * * *",                -EINVAL, "ends before it begins"               },
        { "1- * * * *",                   -EINVAL, "a value is missing"                  },
        { "1,,2 * * * *",                 -EINVAL, "a value is missing"                  },
        { "1, * * * *",                   -EINVAL, "a value is missing"                  },
        { ",1 * * * *",                   -EINVAL, "a value is missing"                  },
        { "** * * * *",                   -EINVAL, "not understood"                      },
        { "1-2-3 * * * *",                -EINVAL, "not understood"                      },
        { "-1 * * * *",                   -EINVAL, "'-1' is not a minute"                },
        { "+1 * * * *",                   -EINVAL, "'+1' is not a minute"                },
        { "\x1b[31m * * * *",             -EINVAL, "'?[31m' is not a minute"             }, /* no terminal is talked to */
        { "@reboot",                      -EINVAL, "'@reboot' is not one of"             },
        { "@",                            -EINVAL, "is not one of"                       },
        { "0 0 31 2 *",                   -EDOM,   "never fires"                         },
        { "0 0 30,31 feb *",              -EDOM,   "never fires"                         },
        { "0 0 31 4,6,9,11 *",            -EDOM,   "never fires"                         },
    };
    char why[CRON_WHY], longest[CRON_EXPR_MAX + 8];
    struct cron_expr e;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = cron_expr_parse(rows[i].expr, &e, why);

        if (rc != rows[i].rc || strstr(why, rows[i].why) == NULL)
            fail_msg("'%s': %d \"%s\", expected %d \"%s\"", rows[i].expr, rc, why, rows[i].rc, rows[i].why);
    }
    memset(longest, ' ', sizeof(longest));
    memcpy(longest, "0 0 1 1 *", 9);
    longest[CRON_EXPR_MAX] = '\0';
    assert_int_equal(cron_expr_parse(longest, &e, why), 0);
    longest[CRON_EXPR_MAX] = ' ';
    longest[CRON_EXPR_MAX + 1] = '\0';
    assert_int_equal(cron_expr_parse(longest, &e, why), -EINVAL);
}

static void a_day_that_a_weekday_may_save_is_not_refused(void **state)
{
    (void)state;
    check_next("0 0 31 2 mon", CRON_UTC, "2026-11-22 00:00", "2027-02-01 00:00");
}

static void zones_are_utc_and_local(void **state)
{
    char why[CRON_WHY];
    enum cron_zone z = CRON_LOCAL;

    (void)state;
    assert_int_equal(cron_zone_parse("", &z, why), 0);
    assert_int_equal(z, CRON_UTC);
    assert_int_equal(cron_zone_parse("local", &z, why), 0);
    assert_int_equal(z, CRON_LOCAL);
    assert_int_equal(cron_zone_parse("utc", &z, why), 0);
    assert_int_equal(z, CRON_UTC);
    assert_int_equal(cron_zone_parse("Europe/Berlin", &z, why), -EINVAL);
    assert_non_null(strstr(why, "Europe/Berlin"));
}

/* ---- summer time ---- */

static void gaps_and_overlaps_fire_once(void **state)
{
    static const struct {
        const char *zone, *expr, *after, *next; /* in UTC */
    } rows[] = {
  /* Berlin 2026-03-29: 02:00 CET is 03:00 CEST, at 01:00 UTC */
        {"Europe/Berlin",        "30 2 * * *",   "2026-03-28 12:00", "2026-03-29 01:00"}, /* skipped: the first minute after */
        { "Europe/Berlin",       "30 2 * * *",   "2026-03-29 01:00", "2026-03-30 00:30"},
        { "Europe/Berlin",       "*/20 2 * * *", "2026-03-28 12:00", "2026-03-29 01:00"}, /* three of them, one firing */
        { "Europe/Berlin",       "*/20 2 * * *", "2026-03-29 01:00", "2026-03-30 00:00"},
        { "Europe/Berlin",       "0 2,3 * * *",  "2026-03-29 00:00", "2026-03-29 01:00"}, /* 2:00 and 3:00 are one minute */
        { "Europe/Berlin",       "0 2,3 * * *",  "2026-03-29 01:00", "2026-03-30 00:00"},
        { "Europe/Berlin",       "59 1 * * *",   "2026-03-29 00:00", "2026-03-29 00:59"},
        { "Europe/Berlin",       "* * * * *",    "2026-03-29 00:59", "2026-03-29 01:00"},
 /* Berlin 2026-10-25: 03:00 CEST is 02:00 CET, at 01:00 UTC */
        { "Europe/Berlin",       "30 2 * * *",   "2026-10-24 12:00", "2026-10-25 00:30"}, /* comes twice: the first */
        { "Europe/Berlin",       "30 2 * * *",   "2026-10-25 00:30", "2026-10-26 01:30"},
        { "Europe/Berlin",       "30 2 * * *",   "2026-10-25 01:00", "2026-10-26 01:30"}, /* asked within the second one */
        { "Europe/Berlin",       "* * * * *",    "2026-10-25 00:59", "2026-10-25 02:00"},
        { "Europe/Berlin",       "0 3 * * *",    "2026-10-25 00:59", "2026-10-25 02:00"},
        { "Europe/Berlin",       "0 2 * * *",    "2026-10-24 12:00", "2026-10-25 00:00"},
 /* New York 2026-03-08 07:00 UTC, 2026-11-01 06:00 UTC */
        { "America/New_York",    "15 2 * * *",   "2026-03-08 00:00", "2026-03-08 07:00"},
        { "America/New_York",    "30 1 1 11 *",  "2026-10-01 00:00", "2026-11-01 05:30"},
 /* Lord Howe: half an hour. 2026-10-04 02:00 +10:30 is 02:30 +11, at 15:30 UTC the day before; back 2026-04-05 at 15:00 UTC before */
        { "Australia/Lord_Howe", "10 2 4 10 *",  "2026-09-01 00:00", "2026-10-03 15:30"},
        { "Australia/Lord_Howe", "40 1 5 4 *",   "2026-04-01 00:00", "2026-04-04 14:40"},
        { "Australia/Lord_Howe", "40 1 * * *",   "2026-04-04 14:40", "2026-04-05 15:10"},
 /* Kathmandu: a quarter, and no summer */
        { "Asia/Kathmandu",      "0 0 * * *",    "2026-11-22 00:00", "2026-11-22 18:15"},
 /* Samoa had no 2011-12-30: the clock went from -10 to +14 at 10:00 UTC */
        { "Pacific/Apia",        "0 12 30 12 *", "2011-12-29 00:00", "2011-12-30 10:00"},
        { "Pacific/Apia",        "0 12 30 12 *", "2011-12-30 10:00", "2012-12-29 22:00"},
 /* Kwajalein had no 1993-08-21: from -12 to +12 at 12:00 UTC */
        { "Pacific/Kwajalein",   "0 0 * * *",    "1993-08-21 00:00", "1993-08-21 12:00"},
 /* south of the equator */
        { "America/Santiago",    "30 0 * 9 *",   "2026-09-05 12:00", "2026-09-06 04:00"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        use_zone(rows[i].zone);
        check_next(rows[i].expr, CRON_LOCAL, rows[i].after, rows[i].next);
    }
    use_zone("UTC");
}

/* ---- against somebody who looks at the clock each minute ---- */

enum { EXPRS = 12, DAYS = 400 };

struct naive {
    char text[CRON_EXPR_MAX];
    bool set[5][64];
    bool star[5];
    struct cron_expr e;
    uint64_t expected; /* what next() said the last time */
    unsigned fired;
};

static unsigned rnd(unsigned n)
{
    return (unsigned)random() % n;
}

/* A field as text and, by itself, as the values that are in it. */
static void random_field(struct naive *n, int f)
{
    static const int low[] = { 0, 0, 1, 1, 0 }, high[] = { 59, 23, 31, 12, 6 };
    int pieces = 1 + (int)rnd(3), span = high[f] - low[f] + 1;
    char piece[32];

    if (rnd(3) == 0) {
        int step = rnd(2) == 0 ? 1 : 1 + (int)rnd((unsigned)span / 2);

        n->star[f] = true;
        snprintf(piece, sizeof(piece), step == 1 ? "*" : "*/%d", step);
        strcat(n->text, piece);
        for (int i = low[f]; i <= high[f]; i += step)
            n->set[f][i] = true;
    } else {
        for (int i = 0; i < pieces; i++) {
            int a = low[f] + (int)rnd((unsigned)span), b = a + (int)rnd((unsigned)(high[f] - a + 1)), step = 1 + (int)rnd(5);

            if (rnd(2) == 0)
                b = a;
            if (step > high[f])
                step = 1;
            if (a == b)
                snprintf(piece, sizeof(piece), "%s%d", i > 0 ? "," : "", a), step = 1;
            else
                snprintf(piece, sizeof(piece), "%s%d-%d/%d", i > 0 ? "," : "", a, b, step);
            strcat(n->text, piece);
            for (int v = a; v <= b; v += step)
                n->set[f][v] = true;
        }
    }
    strcat(n->text, " ");
}

static void random_expr(struct naive *n)
{
    char why[CRON_WHY];

    do {
        memset(n, 0, sizeof(*n));
        for (int f = 0; f < 5; f++)
            random_field(n, f);
    } while (cron_expr_parse(n->text, &n->e, why) == -EDOM);
    n->e = expr_of(n->text);
}

static bool matches(const struct naive *n, const struct tm *tm)
{
    bool day = n->set[2][tm->tm_mday], weekday = n->set[4][tm->tm_wday];

    return n->set[0][tm->tm_min] && n->set[1][tm->tm_hour] && n->set[3][tm->tm_mon + 1] &&
           (n->star[2] || n->star[4] ? day && weekday : day || weekday);
}

static int64_t shown_at(time_t t)
{
    struct tm tm;

    localtime_r(&t, &tm);
    return (t + tm.tm_gmtoff) / 60 * 60;
}

/* The minute at t has begun; of those that the clock shows for the first time, or has skipped, one is named. */
static void expect(struct naive *n, time_t t, bool named)
{
    char got[32], now[32];

    if (named != (n->expected == (uint64_t)t * 1000000))
        fail_msg("'%s' (TZ=%s): at %s it %s, and next() had said %s", n->text, getenv("TZ"), text_of((uint64_t)t * 1000000, now),
                 named ? "fires" : "does not fire", text_of(n->expected, got));
    if (!named)
        return;
    n->fired++;
    n->expected = cron_expr_next(&n->e, CRON_LOCAL, (uint64_t)t * 1000000 + rnd(60) * 1000000);
}

static void walk_years(const char *zone, const char *from)
{
    struct naive *all = calloc(EXPRS, sizeof(*all));
    time_t t = (time_t)(at(from) / 1000000), end = t + DAYS * 86400ll;
    unsigned fired = 0;
    int64_t most;

    assert_non_null(all);
    use_zone(zone);
    most = shown_at(t);
    for (int i = 0; i < EXPRS; i++) {
        random_expr(&all[i]);
        all[i].expected = cron_expr_next(&all[i].e, CRON_LOCAL, (uint64_t)t * 1000000);
    }
    for (t += 60; t < end; t += 60) {
        bool named[EXPRS] = { false };
        int64_t now = shown_at(t);

        for (; most < now; most += 60) {
            time_t m = (time_t)most + 60;
            struct tm shown;

            gmtime_r(&m, &shown);
            for (int i = 0; i < EXPRS; i++)
                named[i] = named[i] || matches(&all[i], &shown);
        }
        for (int i = 0; i < EXPRS; i++)
            expect(&all[i], t, named[i]);
    }
    for (int i = 0; i < EXPRS; i++)
        fired += all[i].fired;
    assert_true(fired > 100);
    free(all);
    use_zone("UTC");
}

static void next_agrees_with_a_look_at_the_clock_every_minute_for_years(void **state)
{
    (void)state;
    srandom(20261122);
    walk_years("UTC", "2023-12-31 23:00");
    walk_years("Europe/Berlin", "2022-01-01 00:00");
    walk_years("America/St_Johns", "2004-06-01 00:00"); /* changed its clock a minute past midnight */
    walk_years("Australia/Lord_Howe", "2024-01-01 00:00");
    walk_years("Pacific/Apia", "2011-01-01 00:00");      /* a day is skipped */
    walk_years("Africa/Casablanca", "2015-01-01 00:00"); /* four changes a year */
    walk_years("Antarctica/Troll", "2018-01-01 00:00");  /* two hours */
}

static void the_last_one_before_a_time_is_what_a_walk_over_all_finds(void **state)
{
    struct naive n;

    (void)state;
    srandom(4711);
    use_zone("Europe/Berlin");
    for (int i = 0; i < 400; i++) {
        uint64_t after = at("2026-01-01 00:00") + (uint64_t)rnd(600000) * 37 * 1000000,
                 until = after + (uint64_t)rnd(200000) * 60 * 1000000;
        uint64_t last = 0;

        random_expr(&n);
        for (uint64_t t = after; (t = cron_expr_next(&n.e, CRON_LOCAL, t)) != 0 && t <= until;)
            last = t;
        assert_int_equal(cron_expr_last(&n.e, CRON_LOCAL, after, until), last);
    }
    use_zone("UTC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_time_of_expressions_in_utc),
        cmocka_unit_test(what_is_no_expression_is_refused_with_the_field_and_the_reason),
        cmocka_unit_test(a_day_that_a_weekday_may_save_is_not_refused),
        cmocka_unit_test(zones_are_utc_and_local),
        cmocka_unit_test(gaps_and_overlaps_fire_once),
        cmocka_unit_test(next_agrees_with_a_look_at_the_clock_every_minute_for_years),
        cmocka_unit_test(the_last_one_before_a_time_is_what_a_walk_over_all_finds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
