/* when.c - see when.h. */
#include "cli/when.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "units.h"

#define SECOND_US UINT64_C(1000000)
#define LAST_S    INT64_C(253402300799) /* the end of the year 9999 */

uint64_t when_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * SECOND_US + (uint64_t)t.tv_nsec / 1000;
}

/* "+90m", "-2h" */
static int relative(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    uint64_t d;

    if (units_parse_duration(text + 1, &d) != 0 || (text[0] == '-' && d > now_us) || d > (uint64_t)LAST_S * SECOND_US - now_us)
        return -EINVAL;
    *ret_us = text[0] == '-' ? now_us - d : now_us + d;
    return 0;
}

static int in_range(int64_t s, uint64_t *ret_us)
{
    if (s <= 0 || s > LAST_S)
        return -EINVAL;
    *ret_us = (uint64_t)s * SECOND_US;
    return 0;
}

/* Exactly n digits; NULL: they are not. */
static const char *digits(const char *p, int n, int *ret)
{
    for (*ret = 0; n > 0; n--, p++) {
        if (*p < '0' || *p > '9')
            return NULL;
        *ret = *ret * 10 + (*p - '0');
    }
    return p;
}

/* "18:30" or "18:30:05" */
static const char *clock_of(const char *p, struct tm *tm)
{
    p = digits(p, 2, &tm->tm_hour);
    if (p == NULL || *p++ != ':' || (p = digits(p, 2, &tm->tm_min)) == NULL)
        return NULL;
    if (*p == ':' && (p = digits(p + 1, 2, &tm->tm_sec)) == NULL)
        return NULL;
    return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60 ? p : NULL;
}

/* "2026-11-23" */
static const char *date_of(const char *p, struct tm *tm)
{
    if ((p = digits(p, 4, &tm->tm_year)) == NULL || *p++ != '-' || (p = digits(p, 2, &tm->tm_mon)) == NULL || *p++ != '-' ||
        (p = digits(p, 2, &tm->tm_mday)) == NULL)
        return NULL;
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return p;
}

/* "Z", "+01:00"; how far it is before UTC, in seconds. */
static int zone_of(const char *p, int64_t *ret_s)
{
    int hours, minutes, sign = *p == '-' ? -1 : 1;

    *ret_s = 0;
    if (strcmp(p, "Z") == 0)
        return 0;
    if ((*p != '+' && *p != '-') || (p = digits(p + 1, 2, &hours)) == NULL || *p++ != ':' || (p = digits(p, 2, &minutes)) == NULL ||
        *p != '\0' || hours > 14 || minutes > 59)
        return -EINVAL;
    *ret_s = sign * (hours * 3600 + minutes * 60);
    return 0;
}

/* mktime(3) and timegm(3) make the 3rd of March of the 31st of February. */
static bool same_day(const struct tm *a, const struct tm *b)
{
    return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday;
}

static int absolute(const char *text, uint64_t *ret_us)
{
    struct tm tm = { .tm_isdst = -1 }, normal;
    const char *p = date_of(text, &tm);
    int64_t zone, s;

    if (p != NULL && (*p == 'T' || *p == ' '))
        p = clock_of(p + 1, &tm);
    if (p == NULL || (*p != '\0' && zone_of(p, &zone) != 0))
        return -EINVAL;
    normal = tm;
    s = *p == '\0' ? (int64_t)mktime(&normal) : (int64_t)timegm(&normal) - zone;
    return same_day(&tm, &normal) ? in_range(s, ret_us) : -EINVAL;
}

/* The next time that the local clock shows it. */
static int today(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    time_t now = (time_t)(now_us / SECOND_US), then;
    struct tm tm;
    const char *p;

    if (localtime_r(&now, &tm) == NULL)
        return -EINVAL;
    tm.tm_sec = 0;
    p = clock_of(text, &tm);
    if (p == NULL || *p != '\0')
        return -EINVAL;
    for (int day = 0; day < 3; day++) {
        struct tm t = tm;

        t.tm_mday += day;
        t.tm_isdst = -1;
        then = mktime(&t);
        if (then > now)
            return in_range(then, ret_us);
    }
    return -EINVAL;
}

int when_parse(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    char *end;
    long long s;

    if (text[0] == '+' || text[0] == '-')
        return relative(text, now_us, ret_us);
    if (text[0] == '@') {
        s = strtoll(text + 1, &end, 10);
        return end != text + 1 && *end == '\0' ? in_range(s, ret_us) : -EINVAL;
    }
    return strlen(text) > 8 ? absolute(text, ret_us) : today(text, now_us, ret_us);
}
