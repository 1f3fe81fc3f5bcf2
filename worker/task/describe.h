/*
 * describe.h - calls of a tasklet, as text.
 *
 * Side:    worker.
 * Method:  frame pointers only: cheap, needs no tables, and never leaves the stack. Code built without them ends the walk early.
 * Signals: nothing here allocates.
 */
#ifndef WORKER_TASK_DESCRIBE_H
#define WORKER_TASK_DESCRIBE_H

#include "worker/task/sched.h"

enum { DESCRIBE_LINE = 256 };

typedef void (*describe_line)(void *ctx, const char *text);

struct frames {
    uintptr_t low, high, bp; /* of the stack: what may be read, and where the next frame is */
    const char *bytes;       /* where the byte at low is */
};

/* The calls of one that is parked, or of t, which runs (or did, when a signal came), from a frame pointer. */
struct frames frames_from(const coop_task *t, const void *bp);

/* The next return address, from the innermost out; NULL: there is no more. */
void *frames_next(struct frames *f);

/* "tasklet 2 alice [chan recv]", without a newline: one of this thread. */
void describe_task(char text[DESCRIBE_LINE], const coop_task *t);

/* "    function+0x12", without a newline. */
void describe_address(char text[DESCRIBE_LINE], const void *address);

#endif
