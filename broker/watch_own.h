/*
 * watch_own.h - what the files watch*.c share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_WATCH_OWN_H
#define BROKER_WATCH_OWN_H

#include "broker/broker.h"
#include "broker/watch.h"

enum { WATCH_INIT_ITSELF = 1 }; /* the first process of a program's sandbox is ours */

/* a - b, and never less than 0. */
static inline uint64_t watch_less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ---- watch_held.c ---- */

bool watch_of_programs(const struct job *job);
bool watch_leaf_has(const struct worker *w, enum cgroup_part part);
/* Nothing in the kernel holds its number of processes: we count them, and end a job that has too many. */
bool watch_counts_pids(const struct job *job, const struct worker *w);
void watch_name_holders(struct job *job, const struct worker *w);

/* ---- watch_use.c ---- */

void watch_sample(struct job *job, const struct worker *w);
/* CPU time of its own processes since it has the job; as last seen when it cannot be read any more. */
uint64_t watch_own_cpu(const struct job *job, const struct worker *w);
void watch_refresh(struct job *job, const struct worker *w); /* as of now: cpu_us, total_cpu_us, its last sign of life */

#endif
