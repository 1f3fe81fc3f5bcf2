/*
 * serve.h - the life of one worker after its seal: Hello, one Assign, the job or an interpreter's calls (interp.h), one Result, silence.
 *
 * Side:    worker.
 * Returns: nothing here returns to a caller that could go on: a worker serves one job.
 */
#ifndef WORKER_SERVE_H
#define WORKER_SERVE_H

#include <signal.h>

#include "worker/engine.h"

/* Waits for the Assign and runs it. */
_Noreturn void serve(const struct engine *e);

/* In a child of a template: it has no job, and nobody has cancelled it. */
void serve_forked(void);

/* Ends the job from inside the engine: flushes, sends the Result, and waits for the broker's kill. */
_Noreturn void serve_finish(const struct outcome *o);

/* 1 when the broker asked the job, or of an interpreter the call that runs, to end (SIGTERM). */
int serve_cancelled(void);

/* The SIGVTALRM handler: tells the engine. context: as in sigaction(2). */
void serve_slice_over(const void *context);

/* The SIGSYS handler, of a call without leave: whether the engine answers it in the kernel's place, and with what. */
/* The file that an address of code lies in, the job's own first; NULL: none that is known. From signal handlers. */
const char *serve_place(uintptr_t address, uintptr_t *ret_offset);
bool serve_answer(long nr, const uint64_t args[6], long *ret_result);

/* From the fault's handler: what struct engine's fault says. */
int serve_fault(void *address);

/* The SIGTERM handler: remembers it, and tells the engine. In an interpreter it is an interrupt (interp.h). */
void serve_cancel(const siginfo_t *si);

#endif
