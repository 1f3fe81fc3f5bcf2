/* when.c - see when.h. */
#include "when.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "units.h"

enum { SECOND = 1000000 };

/* Exactly n digits; moves *p behind them. -1: there are not. */
static int digits(const char **p, int n)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        if (**p < '0' || **p > '9')
            return -1;
        value = value * 10 + (*(*p)++ - '0');
    }
    return value;
}

static bool skip(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

static bool read_date(const char **p, struct tm *tm)
{
    tm->tm_year = digits(p, 4) - 1900;
    if (tm->tm_year < -1900 || !skip(p, '-'))
        return false;
    tm->tm_mon = digits(p, 2) - 1;
    if (tm->tm_mon < 0 || tm->tm_mon > 11 || !skip(p, '-'))
        return false;
    tm->tm_mday = digits(p, 2);
    return tm->tm_mday >= 1 && tm->tm_mday <= 31;
}

/* HH:MM, perhaps :SS, perhaps a fraction. */
static bool read_clock(const char **p, struct tm *tm, unsigned *ret_us)
{
    unsigned unit = SECOND / 10;

    *ret_us = 0;
    tm->tm_hour = digits(p, 2);
    if (tm->tm_hour < 0 || tm->tm_hour > 23 || !skip(p, ':'))
        return false;
    tm->tm_min = digits(p, 2);
    if (tm->tm_min < 0 || tm->tm_min > 59)
        return false;
    if (!skip(p, ':'))
        return true;
    tm->tm_sec = digits(p, 2);
    if (tm->tm_sec < 0 || tm->tm_sec > 59)
        return false;
    if (!skip(p, '.'))
        return true;
    if (**p < '0' || **p > '9')
        return false;
    for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
        *ret_us += (unsigned)(**p - '0') * unit;
    return true;
}

/* "Z", "+01:00", "-0330", "+01": seconds east of UTC. ret_local: there is none. */
static bool read_zone(const char **p, long *ret_east, bool *ret_local)
{
    int sign = **p == '-' ? -1 : 1, hours, minutes = 0;

    *ret_east = 0;
    *ret_local = **p == '\0';
    if (*ret_local || skip(p, 'Z') || skip(p, 'z'))
        return true;
    if (!skip(p, '+') && !skip(p, '-'))
        return false;
    hours = digits(p, 2);
    if (skip(p, ':') || **p != '\0')
        minutes = digits(p, 2);
    if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59)
        return false;
    *ret_east = sign * (hours * 3600L + minutes * 60L);
    return true;
}

/* Libc moves what is not there (31 February, the hour that summer time leaves out) to what is: that is no such time. */
static int to_seconds(const struct tm *want, bool local, long east, time_t *ret)
{
    struct tm tm = *want;

    tm.tm_isdst = -1;
    *ret = local ? mktime(&tm) : timegm(&tm);
    if (tm.tm_mday != want->tm_mday || tm.tm_mon != want->tm_mon || tm.tm_hour != want->tm_hour || tm.tm_min != want->tm_min)
        return -EINVAL;
    *ret -= east;
    return *ret < 0 ? -ERANGE : 0;
}

static int parse_date(const char *p, uint64_t *ret_us)
{
    struct tm tm = { 0 };
    bool local = true;
    unsigned us = 0;
    long east = 0;
    time_t s;
    int rc;

    if (!read_date(&p, &tm))
        return -EINVAL;
    if (*p != '\0') {
        if (!skip(&p, 'T') && !skip(&p, 't') && !skip(&p, ' '))
            return -EINVAL;
        if (!read_clock(&p, &tm, &us))
            return -EINVAL;
        skip(&p, ' ');
        if (!read_zone(&p, &east, &local) || *p != '\0')
            return -EINVAL;
    }
    rc = to_seconds(&tm, local, east, &s);
    if (rc == 0)
        *ret_us = (uint64_t)s * SECOND + us;
    return rc;
}

/* Today, or tomorrow when it has been. */
static int parse_clock(const char *p, uint64_t now_us, uint64_t *ret_us)
{
    time_t now = (time_t)(now_us / SECOND), s = 0;
    struct tm tm = { 0 }, read = { 0 };
    unsigned us;

    if (!read_clock(&p, &read, &us) || *p != '\0' || localtime_r(&now, &tm) == NULL)
        return -EINVAL;
    for (int day = 0; day < 3; day++) {
        struct tm then = tm;

        then.tm_hour = 12; /* of any day there is a noon */
        then.tm_mday += day;
        then.tm_isdst = -1;
        mktime(&then);
        then.tm_hour = read.tm_hour;
        then.tm_min = read.tm_min;
        then.tm_sec = read.tm_sec;
        if (to_seconds(&then, true, 0, &s) == 0 && (uint64_t)s * SECOND + us > now_us) {
            *ret_us = (uint64_t)s * SECOND + us;
            return 0;
        }
    }
    return -EINVAL;
}

/* "+90m", "-2h" */
static int parse_span(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    uint64_t span;
    int rc = units_parse_duration(text + 1, &span);

    if (rc != 0)
        return rc;
    if (text[0] == '-' ? span > now_us : now_us > WHEN_LAST_US || span > WHEN_LAST_US - now_us)
        return -ERANGE;
    *ret_us = text[0] == '-' ? now_us - span : now_us + span;
    return 0;
}

/* "@SECONDS" */
static int parse_seconds(const char *text, uint64_t *ret_us)
{
    char *end;
    unsigned long long s = strtoull(text + 1, &end, 10);

    if (text[1] < '0' || text[1] > '9' || *end != '\0')
        return -EINVAL;
    if (s > WHEN_LAST_US / SECOND)
        return -ERANGE;
    *ret_us = s * SECOND;
    return 0;
}

int when_parse(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    if (text[0] == '+' || text[0] == '-')
        return parse_span(text, now_us, ret_us);
    if (text[0] == '@')
        return parse_seconds(text, ret_us);
    return strlen(text) > 2 && text[2] == ':' ? parse_clock(text, now_us, ret_us) : parse_date(text, ret_us);
}

uint64_t when_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec / 1000;
}

char *when_format(uint64_t us, char buf[WHEN_BUF])
{
    time_t s = (time_t)(us / SECOND);
    struct tm tm;
    size_t n;

    if (gmtime_r(&s, &tm) == NULL || tm.tm_year > 8099) {
        snprintf(buf, WHEN_BUF, "%llu", (unsigned long long)us);
        return buf;
    }
    n = strftime(buf, WHEN_BUF, "%Y-%m-%dT%H:%M:%S", &tm);
    if (us % SECOND != 0) {
        n += (size_t)snprintf(buf + n, WHEN_BUF - n, ".%06u", (unsigned)(us % SECOND));
        while (buf[n - 1] == '0')
            n--;
    }
    snprintf(buf + n, WHEN_BUF - n, "Z");
    return buf;
}
