/* units.c - see units.h. */
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* clang-format off */
static const struct unit size_units[] = {
    { "", 1 },          { "B", 1 },
    { "K", 1ull << 10 }, { "KB", 1ull << 10 }, { "KiB", 1ull << 10 },
    { "M", 1ull << 20 }, { "MB", 1ull << 20 }, { "MiB", 1ull << 20 },
    { "G", 1ull << 30 }, { "GB", 1ull << 30 }, { "GiB", 1ull << 30 },
    { "T", 1ull << 40 }, { "TB", 1ull << 40 }, { "TiB", 1ull << 40 },
    { NULL, 0 },
};
/* clang-format on */

/* clang-format off */
static const struct unit time_units[] = {
    { "", 1000000 },      { "us", 1 },          { "ms", 1000 },         { "s", 1000000 },
    { "m", 60000000 },    { "min", 60000000 },  { "h", 3600000000ull }, { "d", 86400000000ull },
    { NULL, 0 },
};
/* clang-format on */

/* digits [. digits] unit. Integer arithmetic throughout, so that 0.1s is 100000 us and nothing depends on the locale. */
static int parse(const char *text, const struct unit *units, uint64_t *ret)
{
    uint64_t whole = 0, frac = 0, frac_base = 1, value;
    const char *p = text;
    const struct unit *u;

    if (*p < '0' || *p > '9')
        return -EINVAL;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
            return -ERANGE;
    if (*p == '.') {
        if (p[1] < '0' || p[1] > '9')
            return -EINVAL;
        for (p++; *p >= '0' && *p <= '9'; p++)
            if (frac_base < 1000000) { /* finer than a millionth of a unit is dropped */
                frac = frac * 10 + (uint64_t)(*p - '0');
                frac_base *= 10;
            }
    }
    for (u = units; u->name != NULL && strcmp(u->name, p) != 0; u++)
        ;
    if (u->name == NULL)
        return -EINVAL;
    if (__builtin_mul_overflow(whole, u->factor, &value))
        return -ERANGE;
    /* factor <= 2^40 and frac < 10^6 < 2^20: the product fits */
    if (__builtin_add_overflow(value, frac * u->factor / frac_base, &value))
        return -ERANGE;
    *ret = value;
    return 0;
}

int units_parse_size(const char *text, uint64_t *ret_bytes)
{
    return parse(text, size_units, ret_bytes);
}

int units_parse_duration(const char *text, uint64_t *ret_us)
{
    return parse(text, time_units, ret_us);
}

/* value / factor with at most two decimals, without trailing zeros. */
static char *format(uint64_t value, uint64_t factor, const char *name, char *buf)
{
    uint64_t whole = value / factor, cents = (value % factor) * 100 / factor;

    if (cents == 0)
        snprintf(buf, UNITS_BUF, "%" PRIu64 "%s", whole, name);
    else if (cents % 10 == 0)
        snprintf(buf, UNITS_BUF, "%" PRIu64 ".%" PRIu64 "%s", whole, cents / 10, name);
    else
        snprintf(buf, UNITS_BUF, "%" PRIu64 ".%02" PRIu64 "%s", whole, cents, name);
    return buf;
}

char *units_format_size(uint64_t bytes, char *buf)
{
    if (bytes >= 1ull << 30)
        return format(bytes, 1ull << 30, "G", buf);
    if (bytes >= 1ull << 20)
        return format(bytes, 1ull << 20, "M", buf);
    if (bytes >= 1ull << 10)
        return format(bytes, 1ull << 10, "K", buf);
    return format(bytes, 1, "B", buf);
}

char *units_format_duration(uint64_t us, char *buf)
{
    if (us >= 3600000000ull)
        return format(us, 3600000000ull, "h", buf);
    if (us >= 60000000)
        return format(us, 60000000, "m", buf);
    if (us >= 1000000)
        return format(us, 1000000, "s", buf);
    if (us >= 1000)
        return format(us, 1000, "ms", buf);
    return format(us, 1, "us", buf);
}
