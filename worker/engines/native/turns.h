/*
 * turns.h - tells of tasklets that do not let others run. Nothing takes a native tasklet's turn away from it: it runs until it blocks,
 * yields or returns. When one computes for TURNS_PATIENCE_US while others could run, a line on standard error names it, once.
 *
 * Side: worker. Everything here but turns_watch() is called from a signal handler.
 */
#ifndef NATIVE_TURNS_H
#define NATIVE_TURNS_H

enum { TURNS_SLICE_US = 100000, TURNS_PATIENCE_US = 1000000 }; /* of the process's CPU time */

/* From now on: starts the timer. */
void turns_watch(void);

/* A slice is over. context: of what was interrupted, as in sigaction(2). */
void turns_slice(const void *context);

#endif
