/*
 * life.h - between engine.c and interp.c: what a job and an interpreter have in common, from the first tenant byte to the last.
 *
 * Side: worker.
 */
#ifndef NATIVE_LIFE_H
#define NATIVE_LIFE_H

#include "worker/engine.h"

/* Everything but the shared object: arguments, environment, tasklets. false: there is no memory. From here on exit() is the tenant's. */
bool life_begin(const Pb__JobSpec *spec, char ***ret_argv);

/* Loads it; constructors run. false: life_fail() has been told why. */
bool life_load(const Pb__JobSpec *spec);

/* The outcome, and what standard error hears of it. */
void life_fail(const char *type, const char *message, const char *trace);

/* Cancels and joins the tasklets that are left. */
void life_end_tasklets(void);

/* Runs the tenant's handlers of exit() and says how it ended: what life_fail() was told, or well. */
_Noreturn void life_end(void);

/* Who waits for what, as it was when main was told of a deadlock; NULL: it was not, since this was asked for the last time. */
const char *life_deadlock(void);

#endif
