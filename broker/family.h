/*
 * family.h - a process and all that descend from it, as /proc shows them: what they use, where no control group counts it.
 *
 * Side:    broker. The processes are a job's: they come and go while we look, and what a short-lived one used is missed unless somebody
 *          waited for it. So every sum here is a lower bound.
 * Owned:   the caller's struct; family_finish() frees what is inside.
 */
#ifndef BROKER_FAMILY_H
#define BROKER_FAMILY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FAMILY_MAX 20000 /* processes looked at in one walk: above what a job's pids limit allows */

struct family_member;

struct family {
    struct family_member *members; /* by pid, those that lived at the last walk */
    uint64_t gone_us;              /* CPU time last seen of those that have ended since */
    uint64_t cpu_us;               /* of all, dead ones too, by what has been seen of them */
    uint64_t memory_bytes;         /* of the living: each page by its share (PSS), or where that may not be read what is theirs alone */
    unsigned processes, threads;
};

/* Walks the tree below pid, which counts too. with_memory: reading it costs more than all the rest. */
void family_walk(struct family *f, pid_t pid, bool with_memory);
void family_finish(struct family *f);

#endif
