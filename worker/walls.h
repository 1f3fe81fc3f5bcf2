/*
 * walls.h - the kernel's own limits on one job: RLIMIT_CPU, RLIMIT_DATA and RLIMIT_AS, set by the worker on itself between Assign and the
 * first tenant byte.
 *
 * Side:    worker. The broker cannot set them from outside: another uid's limits want CAP_SYS_RESOURCE, which root in a container
 *          often lacks. They are the second wall: the broker's timer and the engine's allocator stand before them.
 * Returns: 0 or -errno; failing is fatal to the worker.
 */
#ifndef WORKER_WALLS_H
#define WORKER_WALLS_H

#include <stdint.h>

#include "job.pb-c.h"

/* In the zygote, once: how much address space the program itself has mapped, and how much of it can be written. */
int walls_measure(void);
/* Of a template, before walls_set(): the CPU time that its children may be given. They inherit its hard limit, which nobody can raise. */
void walls_keep_cpu(uint64_t us);
/* Of an interpreter, before walls_set(): limits.cpu_us is that of a call, and the process lives for many. The broker's timer alone holds it. */
void walls_cpu_by_calls(void);
/* What the job may have above what the zygote had: its limit, slack_bytes, and closed_bytes of addresses alone (struct engine). */
int walls_set(const Pb__Limits *l, uint64_t slack_bytes, uint64_t closed_bytes);

#endif
