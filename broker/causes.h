/*
 * causes.h - which cause a job gets when several would do: one table, first row first.
 *
 * Side:    broker. What the broker decides while a job runs stands, unless a row above it strikes in the same look; so does what the job's own
 *          end shows. docs/security.md explains the order; tests/unit/test_causes.c holds it.
 */
#ifndef BROKER_CAUSES_H
#define BROKER_CAUSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job.pb-c.h"

#define CAUSES_DETAIL 256

/* All that is known of a job at one moment. Times are monotonic, microseconds. */
struct causes_facts {
    const Pb__Limits *limits;
    bool lives;  /* an interpreter: cpu and wall are those of a call, idle of the time between two */
    bool ended;  /* its program ended, or its worker died; else it runs */
    bool failed; /* and not with exit code 0 */
    int exit_code;
    int signal;            /* that ended it, 0: none */
    bool disk_full;        /* when it ended: no byte was left, or no inode */
    bool inodes_full;      /* it was the inodes */
    bool oom;              /* a process of it was killed because its memory limit was reached, or it was seen above that */
    uint64_t memory_bytes; /* what it was seen to hold; 0: the kernel enforces the limit */
    uint64_t memory_files; /* so much of its memory are files of its work directory; 0: none, or it cannot be told */
    uint64_t cpu_us;
    uint64_t cpu_below_us;     /* of that, what interpreters used that it made */
    uint64_t wall_us, idle_us; /* so long has it run, and been idle */
    uint64_t pids_refused;     /* processes and threads that its limit refused */
    uint64_t pids_seen;        /* that it was seen to have; 0: the kernel enforces the limit */
};

struct causes_row {
    Pb__Cause cause;
    const char *name; /* of the row: a cause may have several */
    bool (*struck)(const struct causes_facts *f);
    void (*say)(const struct causes_facts *f, char detail[CAUSES_DETAIL]); /* NULL: whoever saw it has the words */
    const char *reason;                                                    /* for its place */
};

extern const struct causes_row causes_table[];
extern const size_t causes_count;

/* The first row that has struck; NULL: none, and the job's own end is all there is to say. */
const struct causes_row *causes_find(const struct causes_facts *f);

#endif
