/*
 * job_limits.h - the limits of a job as one table, and the fixed bounds of a job spec.
 *
 * Side:    both: the CLI parses with it, the broker fills in and refuses with it.
 * Returns: 0 or -errno; every refusal also writes one sentence for the user into why.
 */
#ifndef PROTO_JOB_LIMITS_H
#define PROTO_JOB_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "engine_table.h"
#include "job.pb-c.h"

/* Fixed bounds of a spec, bytes or counts. A name for each, because the refusal names it. */
#define LIMITS_SOURCE   (8u << 20) /* "source": the script */
#define LIMITS_MODULES  (8u << 20) /* "modules": all modules together */
#define LIMITS_MODULE_N 256        /* "module count" */
#define LIMITS_STDIN    (4u << 20) /* "stdin": when sent with the job */
#define LIMITS_ARGS     (1u << 20) /* "args": all arguments and variables together */
#define LIMITS_ARG_N    4096       /* "argument count" */
#define LIMITS_NAME     128        /* "name": of a job, a source, a variable or a module */
#define LIMITS_WHY      256

/* The same of what only programs have. */
#define LIMITS_STAGED   (16u << 20) /* "staged": a program and the files sent with it, together */
#define LIMITS_STAGED_N 1024        /* "file count" */
#define LIMITS_PATH     1024        /* "program": its name */
#define LIMITS_OUTPUT_N 64          /* "output count": globs */
#define LIMITS_POLICY   (64u << 10) /* "policy": rows added, as text */
#define LIMITS_REQUIRE  256         /* "require" */
#define LIMITS_TTY      4096        /* rows and columns of a terminal */

enum limits_kind { LIMITS_TIME, LIMITS_SIZE, LIMITS_COUNT };

/* What a row is for one engine. All 0: its jobs have no such thing, and asking for a limit of it is refused. */
struct limits_range {
    uint64_t initial; /* default */
    uint64_t min;     /* what the engine needs to start anything */
};

struct limits_row {
    const char *name; /* as typed after --limit */
    enum limits_kind kind;
    size_t offset; /* of the uint64_t in Pb__Limits */
    uint64_t max;
    struct limits_range of[ENGINE_COUNT];
    const char *help;
};

enum { LIMITS_ANY_ENGINE = -1 }; /* in place of an engine: not known yet */

extern const struct limits_row limits_table[];
extern const size_t limits_count;

/* Reads "cpu=2s,memory=64M" into l; rows not named stay as they are. -EINVAL with why. */
int limits_parse(const char *text, Pb__Limits *l, char why[LIMITS_WHY]);

/*
 * Fills in the engine's defaults for rows that are 0, and checks each against its min and max. Rows that the engine has no use for stay 0.
 * -EINVAL: below min, or given for an engine that has no such thing; -EDQUOT: above max; with why. engine: its place in engine_table, or
 * LIMITS_ANY_ENGINE, which only checks that there may be an engine for which l is good.
 */
int limits_settle(Pb__Limits *l, int engine, char why[LIMITS_WHY]);

/* The rows that are not 0, one bit each by their place in limits_table: called before limits_settle(), what was asked for. */
uint32_t limits_asked(const Pb__Limits *l);
const struct limits_row *limits_find(const char *name); /* NULL: no such row */

/* The value of one row, and it as text (units_format_*, buf of UNITS_BUF bytes). */
uint64_t limits_get(const Pb__Limits *l, const struct limits_row *row);
char *limits_format(const struct limits_row *row, uint64_t value, char *buf);

#endif
