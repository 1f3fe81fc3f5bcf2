/* job_limits.c - see job_limits.h. */
#include "job_limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nearest.h"
#include "units.h"

#define SECOND     1000000ull
#define MIB        (1ull << 20)
#define ROW(field) offsetof(Pb__Limits, field)

/* clang-format off */
const struct limits_row limits_table[] = {
    /* name      kind         field                default       min           max */
    { "cpu",    LIMITS_TIME, ROW(cpu_us),       10 * SECOND,  1000,         3600 * SECOND,  "CPU time, user and system together" },
    { "wall",   LIMITS_TIME, ROW(wall_us),      60 * SECOND,  1000,         86400 * SECOND, "time on the clock since the job was assigned" },
    { "memory", LIMITS_SIZE, ROW(memory_bytes), 64 * MIB,     1 * MIB,      4096 * MIB,     "memory the job may hold" },
    { "stdout", LIMITS_SIZE, ROW(stdout_bytes), 1 * MIB,      1,            1024 * MIB,     "bytes kept of standard output" },
    { "stderr", LIMITS_SIZE, ROW(stderr_bytes), 1 * MIB,      1,            1024 * MIB,     "bytes kept of standard error" },
    { "tasklets", LIMITS_COUNT, ROW(tasklets),  100000,       1,            1u << 20,       "tasklets alive at once, main not counted" },
    { "threads", LIMITS_COUNT, ROW(threads),    1,            1,            64,             "threads of the operating system (native jobs)" },
};
/* clang-format on */
const size_t limits_count = sizeof(limits_table) / sizeof(limits_table[0]);

static uint64_t *cell(Pb__Limits *l, const struct limits_row *row)
{
    return (uint64_t *)((char *)l + row->offset);
}

uint64_t limits_get(const Pb__Limits *l, const struct limits_row *row)
{
    return *(const uint64_t *)((const char *)l + row->offset);
}

char *limits_format(const struct limits_row *row, uint64_t value, char *buf)
{
    switch (row->kind) {
    case LIMITS_TIME: return units_format_duration(value, buf);
    case LIMITS_SIZE: return units_format_size(value, buf);
    default: snprintf(buf, UNITS_BUF, "%llu", (unsigned long long)value); return buf;
    }
}

static const struct limits_row *find(const char *name)
{
    for (size_t i = 0; i < limits_count; i++)
        if (strcmp(limits_table[i].name, name) == 0)
            return &limits_table[i];
    return NULL;
}

static int refuse_name(const char *name, char why[LIMITS_WHY])
{
    enum { ROWS = sizeof(limits_table) / sizeof(limits_table[0]) };
    const char *names[ROWS + 1], *close;

    for (size_t i = 0; i < ROWS; i++)
        names[i] = limits_table[i].name;
    names[ROWS] = NULL;
    close = nearest_word(name, names);
    if (close != NULL)
        snprintf(why, LIMITS_WHY, "unknown limit '%s'; did you mean '%s'?", name, close);
    else
        snprintf(why, LIMITS_WHY, "unknown limit '%s'; known: cpu, wall, memory, stdout, stderr, tasklets, threads", name);
    return -EINVAL;
}

static int parse_count(const char *text, uint64_t *ret)
{
    uint64_t n = 0;

    if (*text == '\0')
        return -EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
            return -ERANGE;
    }
    *ret = n;
    return 0;
}

/* clang-format off */
static const struct {
    int (*parse)(const char *text, uint64_t *ret);
    const char *form, *unit;
} limits_kinds[] = {
    [LIMITS_TIME]  = { units_parse_duration, "a time; write 500ms, 2s, 5m or 1h",   "us" },
    [LIMITS_SIZE]  = { units_parse_size,     "a size; write 4096, 512K, 64M or 1G", "B" },
    [LIMITS_COUNT] = { parse_count,          "a whole number",                      "" },
};
/* clang-format on */

static int parse_value(const struct limits_row *row, const char *text, uint64_t *ret, char why[LIMITS_WHY])
{
    int rc = limits_kinds[row->kind].parse(text, ret);

    if (rc == -ERANGE)
        snprintf(why, LIMITS_WHY, "limit %s: '%s' is too large a number", row->name, text);
    else if (rc != 0)
        snprintf(why, LIMITS_WHY, "limit %s: '%s' is not %s", row->name, text, limits_kinds[row->kind].form);
    else if (*ret == 0)
        snprintf(why, LIMITS_WHY, "limit %s: must be above 0", row->name);
    else
        return 0;
    return -EINVAL;
}

int limits_parse(const char *text, Pb__Limits *l, char why[LIMITS_WHY])
{
    char copy[512], *rest = copy, *item;

    if (strlen(text) >= sizeof(copy)) {
        snprintf(why, LIMITS_WHY, "--limit is longer than %zu bytes", sizeof(copy) - 1);
        return -EINVAL;
    }
    strcpy(copy, text);
    while ((item = strsep(&rest, ",")) != NULL) {
        const struct limits_row *row;
        char *value = strchr(item, '=');
        uint64_t number;
        int rc;

        if (value == NULL || value == item) {
            snprintf(why, LIMITS_WHY, "--limit wants NAME=VALUE pairs like cpu=2s,memory=64M, not '%.100s'", item);
            return -EINVAL;
        }
        *value++ = '\0';
        if ((row = find(item)) == NULL)
            return refuse_name(item, why);
        rc = parse_value(row, value, &number, why);
        if (rc != 0)
            return rc;
        *cell(l, row) = number;
    }
    return 0;
}

int limits_settle(Pb__Limits *l, char why[LIMITS_WHY])
{
    for (size_t i = 0; i < limits_count; i++) {
        const struct limits_row *row = &limits_table[i];
        uint64_t *value = cell(l, row);
        char asked[UNITS_BUF], bound[UNITS_BUF];

        if (*value == 0)
            *value = row->initial;
        if (*value >= row->min && *value <= row->max)
            continue;
        limits_format(row, *value, asked);
        limits_format(row, *value < row->min ? row->min : row->max, bound);
        if (strcmp(asked, bound) == 0) /* too near for two decimals */
            snprintf(asked, sizeof(asked), "%llu%s", (unsigned long long)*value, limits_kinds[row->kind].unit);
        snprintf(why, LIMITS_WHY, "limit %s: %s is %s the %s of %s", row->name, asked, *value < row->min ? "below" : "above",
                 *value < row->min ? "minimum" : "maximum", bound);
        return *value < row->min ? -EINVAL : -EDQUOT;
    }
    return 0;
}
