/*
 * program_limits.h - the kernel's limits on each process of a job, beside those of every worker (seal.c). The job as a whole is held by its
 *                    cgroup, or counted by the broker.
 *
 * Side:    worker.
 * Returns: 0 or -errno; failing is fatal.
 */
#ifndef WORKER_ENGINES_EXEC_PROGRAM_LIMITS_H
#define WORKER_ENGINES_EXEC_PROGRAM_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "link.pb-c.h"

/* On the calling process, hard. own_pids: its uid counts for no other job, so how many processes it has can be limited here. */
int program_limits_set(const Pb__Assign *a, bool own_pids);

/* As many open files as a program may be given. */
uint64_t program_limits_files_allowed(void);

/* Open files of another process of ours. Set last: descriptors under way to us count as its own. */
int program_limits_files(pid_t pid, const Pb__Limits *l);

#endif
