/*
 * interp.h - the life of an interpreter: Started has been said; it begins, and says so by a CallDone of number 0; then one
 *            Call after another, until CLOSE.
 *
 * Side:    worker. An engine is an interpreter's by its struct interp_engine (engine.h).
 * Output:  all that a call has printed is on its way before its CallDone.
 * Interrupt: SIGTERM while a call runs. When it was sent with a value (pidfd_send_signal(2) with si_code SI_QUEUE), that is the low 31 bits of
 *          the number of the Call that is meant: so one that comes before its Call has been read holds for it, and one that is late for none
 *          other. Without a value: the call that runs, if any. The interpreter lives on.
 * Threads: calls run on the first.
 */
#ifndef WORKER_INTERP_H
#define WORKER_INTERP_H

#include <signal.h>

#include "worker/engine.h"

/* After Started. assign lives as long as the process. */
_Noreturn void interp_serve(const struct engine *e, const Pb__Assign *assign);

/* For an engine, in its call(): nothing interrupts it from now on. Whether somebody has: then what it failed with is that. */
bool interp_call_is_over(void);

/* Whether the call that runs is to end. */
bool interp_interrupted(void);

/* The SIGTERM handler's part. */
void interp_signal(const siginfo_t *si);

#endif
