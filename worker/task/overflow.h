/*
 * overflow.h - a stack was too small: who it was, and where.
 *
 * Side:  worker.
 * Found: by the fault on the guard (fault.h), or by the canary that is gone when the tasklet leaves its stack.
 */
#ifndef WORKER_TASK_OVERFLOW_H
#define WORKER_TASK_OVERFLOW_H

#include "worker/task/describe.h"

/* "stack overflow in tasklet ID NAME", and its calls: the innermost, how many more, the outermost. Nothing is allocated. */
void overflow_describe(const coop_task *t, const void *ip, const void *bp, describe_line line, void *ctx);

/* The same to standard error. */
void overflow_say(const coop_task *t, const void *ip, const void *bp);

/* t leaves its stack: says so and ends the process if its canary is gone. */
void overflow_check(const coop_task *t);

/* What ends the process instead, for a canary; it does not return. NULL: overflow_say() and SIGSEGV. */
extern void (*overflow_end)(const coop_task *t, const void *ip, const void *bp);

#endif
