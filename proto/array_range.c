/* array_range.c - see array_range.h. */
#include "array_range.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static int say(int rc, char why[ARRAY_RANGE_WHY], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, ARRAY_RANGE_WHY, fmt, ap);
    va_end(ap);
    for (char *p = why; *p != '\0'; p++)
        if (!isprint((unsigned char)*p))
            *p = '?';
    return rc;
}

/* Digits at *at, which moves behind them. */
static int take_number(const char **at, uint64_t max, uint64_t *ret, char why[ARRAY_RANGE_WHY])
{
    uint64_t value = 0;

    if (!isdigit((unsigned char)**at))
        return say(-EINVAL, why, "a number is missing in front of '%.20s'; an array is FROM-TO[:STEP][%%PARALLEL], as in 1-1000%%20", *at);
    for (; isdigit((unsigned char)**at); ++*at)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value) || value > max)
            return say(-ERANGE, why, "a number of the array is above %" PRIu64, max);
    *ret = value;
    return 0;
}

int array_range_parse(const char *text, Pb__ArrayRange *ret, char why[ARRAY_RANGE_WHY])
{
    Pb__ArrayRange r = PB__ARRAY_RANGE__INIT;
    uint64_t parallel = 0;
    const char *at = text;
    int rc = take_number(&at, UINT64_MAX, &r.from, why);

    r.to = r.from;
    r.step = 1;
    if (rc == 0 && *at == '-') {
        at++;
        rc = take_number(&at, UINT64_MAX, &r.to, why);
        if (rc == 0 && *at == ':') {
            at++;
            rc = take_number(&at, UINT64_MAX, &r.step, why);
            if (rc == 0 && r.step == 0)
                rc = say(-EINVAL, why, "the step of an array is at least 1");
        }
    }
    if (rc == 0 && *at == '%') {
        at++;
        rc = take_number(&at, UINT32_MAX, &parallel, why);
        if (rc == 0 && parallel == 0)
            rc = say(-EINVAL, why, "at least 1 task of an array runs at a time: %%0 is none");
    }
    if (rc == 0 && *at != '\0')
        rc = say(-EINVAL, why, "'%.20s' is not understood; an array is FROM-TO[:STEP][%%PARALLEL], as in 1-1000%%20", at);
    if (rc == 0)
        rc = array_range_check(&r, why);
    if (rc != 0)
        return rc;
    ret->from = r.from;
    ret->to = r.to;
    ret->step = r.step;
    ret->max_parallel = (uint32_t)parallel;
    return 0;
}

int array_range_check(const Pb__ArrayRange *r, char why[ARRAY_RANGE_WHY])
{
    if (r->to < r->from)
        return say(-EINVAL, why, "the array ends before it begins: %" PRIu64 "-%" PRIu64, r->from, r->to);
    return 0;
}

uint64_t array_range_count(const Pb__ArrayRange *r)
{
    uint64_t more = (r->to - r->from) / (r->step != 0 ? r->step : 1);

    return more == UINT64_MAX ? more : more + 1;
}

uint64_t array_range_index(const Pb__ArrayRange *r, uint64_t n)
{
    return r->from + n * (r->step != 0 ? r->step : 1);
}

char *array_range_format(const Pb__ArrayRange *r, char buf[ARRAY_RANGE_TEXT])
{
    int n = snprintf(buf, ARRAY_RANGE_TEXT, "%" PRIu64 "-%" PRIu64, r->from, r->to);

    if (r->step > 1)
        n += snprintf(buf + n, ARRAY_RANGE_TEXT - (size_t)n, ":%" PRIu64, r->step);
    if (r->max_parallel != 0)
        snprintf(buf + n, ARRAY_RANGE_TEXT - (size_t)n, "%%%" PRIu32, r->max_parallel);
    return buf;
}
