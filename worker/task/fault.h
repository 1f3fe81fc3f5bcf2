/*
 * fault.h - what a SIGSEGV means: a stack that is away, a stack that is too small, or nothing of ours.
 *
 * Side:    worker, and programs with the library. A worker has its own handler (signals.c), fixed before its seal; a program is given one.
 * Signals: fault_look() and fault_repeat() are async-signal-safe.
 */
#ifndef WORKER_TASK_FAULT_H
#define WORKER_TASK_FAULT_H

#include <signal.h>

#include "worker/task/sched.h"

enum fault {
    FAULT_FOREIGN,
    FAULT_WOKEN,    /* an access to a hibernated stack, which is back: return, and the access is repeated */
    FAULT_OVERFLOW, /* the running tasklet hit the guard below its stack */
};

enum fault fault_look(const siginfo_t *si, const void *ucontext);

/* Where it happened. */
struct fault_place {
    const void *ip, *bp;
};
struct fault_place fault_place(const void *ucontext);

/* The handler returns, the fault comes again, and ends the process, whatever handler there is: SIGSEGV is blocked by then. */
void fault_repeat(void *ucontext);

/* From now on the process's handler is the caller's, and coop_init() installs none. It calls fault_look(), with SA_ONSTACK. */
void fault_handler_is_elsewhere(void);

/* Of the handler that coop_init() installs: asked first. 1: it has mended the fault at address. Async-signal-safe. NULL: nobody is asked. */
extern int (*fault_mend)(void *address);

/* coop_init() and coop_finish(): the handler, and an alternate stack for this thread. 0 or -errno. */
int fault_open(struct sched *s);
void fault_close(struct sched *s);

/* The same alternate stack for a further thread of a group, called on it. */
void fault_begin_thread(struct sched *s);
void fault_end_thread(struct sched *s);

#endif
