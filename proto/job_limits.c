/* job_limits.c - see job_limits.h. */
#include "job_limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nearest.h"
#include "units.h"

#define SECOND     1000000ull
#define DAY        (86400 * SECOND)
#define MIB        (1ull << 20)
#define ROW(field) offsetof(Pb__Limits, field)
#define NOT_EXEC(...)                                                                                                                      \
    [ENGINE_LUA] = { __VA_ARGS__ }, [ENGINE_NATIVE] = { __VA_ARGS__ }, [ENGINE_PYTHON] = { __VA_ARGS__ },                                  \
    [ENGINE_PACKAGES] = { __VA_ARGS__ }
#define ALL(...)                                                                                                                           \
    {                                                                                                                                      \
        [ENGINE_EXEC] = { __VA_ARGS__ }, NOT_EXEC(__VA_ARGS__)                                                                             \
    }
#define PURE(...)                                                                                                                          \
    {                                                                                                                                      \
        NOT_EXEC(__VA_ARGS__)                                                                                                              \
    }
#define EXEC(...)                                                                                                                          \
    {                                                                                                                                      \
        [ENGINE_EXEC] = { __VA_ARGS__ }                                                                                                    \
    }

/*
 * The minimum of an engine is what the smallest program of it needs, not what a useful one does. exec: its memory holds the files of the
 * job and the first process of its sandbox too; a program opens files to find its libraries, and makes directories on its disk.
 */
/* clang-format off */
const struct limits_row limits_table[] = {
    /* name        kind          field               max           default, min by engine */
    { "cpu",       LIMITS_TIME,  ROW(cpu_us),        3600 * SECOND, ALL(10 * SECOND, 1000), "CPU time, user and system, of all processes together" },
    { "wall",      LIMITS_TIME,  ROW(wall_us),       DAY,           ALL(60 * SECOND, 1000), "time on the clock since the job was assigned" },
    { "idle",      LIMITS_TIME,  ROW(idle_us),       DAY,           ALL(DAY, 100000),       "time without CPU use, output and input taken" },
    { "memory",    LIMITS_SIZE,  ROW(memory_bytes),  4096 * MIB,
      { [ENGINE_LUA] = { 64 * MIB, MIB }, [ENGINE_NATIVE] = { 64 * MIB, MIB }, [ENGINE_EXEC] = { 256 * MIB, 8 * MIB },
        [ENGINE_PYTHON] = { 256 * MIB, 8 * MIB }, [ENGINE_PACKAGES] = { 256 * MIB, 8 * MIB } }, "memory the job may hold" },
    { "pids",      LIMITS_COUNT, ROW(pids),          16384,         EXEC(64, 1),            "processes and threads alive at once" },
    { "files",     LIMITS_COUNT, ROW(files),         65536,         EXEC(256, 8),           "files each process has open at once" },
    { "file_size", LIMITS_SIZE,  ROW(file_bytes),    4096 * MIB,    EXEC(64 * MIB, 1),      "size of each file written; as large as disk where only disk is given" },
    { "disk",      LIMITS_SIZE,  ROW(disk_bytes),    4096 * MIB,    EXEC(64 * MIB, 65536),  "all files of the job; they count as memory too" },
    { "inodes",    LIMITS_COUNT, ROW(inodes),        1u << 20,      EXEC(10000, 16),        "files and directories of the job" },
    { "stdout",    LIMITS_SIZE,  ROW(stdout_bytes),  1024 * MIB,    ALL(MIB, 1),            "bytes kept of standard output" },
    { "stderr",    LIMITS_SIZE,  ROW(stderr_bytes),  1024 * MIB,    ALL(MIB, 1),            "bytes kept of standard error" },
    { "result",    LIMITS_SIZE,  ROW(result_bytes),  1024 * MIB,    EXEC(16 * MIB, 1),      "bytes kept of collected output files" },
    { "tasklets",  LIMITS_COUNT, ROW(tasklets),      1u << 20,      PURE(100000, 1),        "tasklets alive at once, main not counted" },
    { "threads",   LIMITS_COUNT, ROW(threads),       64,            PURE(1, 1),             "threads of the operating system; of lua 1" },
};
/* clang-format on */
enum { ROWS = sizeof(limits_table) / sizeof(limits_table[0]) };
_Static_assert(ROWS <= 32, "limits_asked() has one bit a row");
const size_t limits_count = ROWS;

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

const struct limits_row *limits_find(const char *name)
{
    for (size_t i = 0; i < limits_count; i++)
        if (strcmp(limits_table[i].name, name) == 0)
            return &limits_table[i];
    return NULL;
}

static int refuse_name(const char *name, char why[LIMITS_WHY])
{
    const char *names[ROWS + 1], *close;
    size_t len;

    for (size_t i = 0; i < ROWS; i++)
        names[i] = limits_table[i].name;
    names[ROWS] = NULL;
    close = nearest_word(name, names);
    if (close != NULL) {
        snprintf(why, LIMITS_WHY, "unknown limit '%.64s'; did you mean '%s'?", name, close);
        return -EINVAL;
    }
    len = (size_t)snprintf(why, LIMITS_WHY, "unknown limit '%.64s'; known: ", name);
    for (size_t i = 0; i < ROWS; i++)
        len += (size_t)snprintf(why + len, LIMITS_WHY - len, "%s%s", i > 0 ? ", " : "", names[i]);
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

        while (*item == ' ')
            item++;
        if (value == NULL || value <= item) {
            snprintf(why, LIMITS_WHY, "--limit wants NAME=VALUE pairs like cpu=2s,memory=64M, not '%.100s'", item);
            return -EINVAL;
        }
        *value++ = '\0';
        if ((row = limits_find(item)) == NULL)
            return refuse_name(item, why);
        rc = parse_value(row, value, &number, why);
        if (rc != 0)
            return rc;
        *cell(l, row) = number;
    }
    return 0;
}

uint32_t limits_asked(const Pb__Limits *l)
{
    uint32_t asked = 0;

    for (size_t i = 0; i < ROWS; i++)
        if (limits_get(l, &limits_table[i]) != 0)
            asked |= 1u << i;
    return asked;
}

/* Of an engine that is not known: no default, and the least that any of them needs. */
static struct limits_range range_for(const struct limits_row *row, int engine)
{
    struct limits_range any = { 0, UINT64_MAX };

    if (engine != LIMITS_ANY_ENGINE)
        return row->of[engine];
    for (int i = 0; i < ENGINE_COUNT; i++)
        if (row->of[i].min > 0 && row->of[i].min < any.min)
            any.min = row->of[i].min;
    return any;
}

static int refuse_bound(const struct limits_row *row, uint64_t value, uint64_t bound, int engine, char why[LIMITS_WHY])
{
    int below = value < bound;
    char asked[UNITS_BUF], limit[UNITS_BUF];

    limits_format(row, value, asked);
    limits_format(row, bound, limit);
    if (strcmp(asked, limit) == 0) /* too near for two decimals */
        snprintf(asked, sizeof(asked), "%llu%s", (unsigned long long)value, limits_kinds[row->kind].unit);
    snprintf(why, LIMITS_WHY, "limit %s: %s is %s the %s of %s%s%s", row->name, asked, below ? "below" : "above",
             below ? "minimum" : "maximum", limit, below && engine != LIMITS_ANY_ENGINE ? " for the engine " : "",
             below && engine != LIMITS_ANY_ENGINE ? engine_table[engine].name : "");
    return below ? -EINVAL : -EDQUOT;
}

static int settle_row(const struct limits_row *row, uint64_t *value, int engine, char why[LIMITS_WHY])
{
    struct limits_range r = range_for(row, engine);

    if (*value != 0 && r.min == 0) {
        snprintf(why, LIMITS_WHY, "limit %s: jobs of the engine %s have no such limit", row->name, engine_table[engine].name);
        return -EINVAL;
    }
    if (*value == 0)
        *value = r.initial;
    if (*value == 0)
        return 0;
    if (*value > row->max)
        return refuse_bound(row, *value, row->max, engine, why);
    return *value < r.min ? refuse_bound(row, *value, r.min, engine, why) : 0;
}

int limits_settle(Pb__Limits *l, int engine, char why[LIMITS_WHY])
{
    int own_file_size = l->file_bytes != 0;

    for (size_t i = 0; i < ROWS; i++) {
        int rc = settle_row(&limits_table[i], cell(l, &limits_table[i]), engine, why);

        if (rc != 0)
            return rc;
    }
    if (!own_file_size && l->file_bytes != 0) /* a larger disk is asked for to hold a larger file */
        l->file_bytes = l->disk_bytes;
    return 0;
}
