/*
 * signals.h - what a worker does with each signal; fixed before the seal, since rt_sigaction is not allowed after it.
 *
 * Side:    worker.
 * Returns: 0 or -errno.
 */
#ifndef WORKER_SIGNALS_H
#define WORKER_SIGNALS_H

/* Every signal to its default, once: the zygote does it for its workers, which inherit that. Nobody may install a handler between the two. */
int signals_default(void);

/* Every signal to its default where the zygote has not done it, then the handlers of the table; nothing blocked. */
int signals_install(void);

/* A cancel ends the system call that is under way, in libc's locks too: for an engine that looks then. After signals_install(). */
int signals_cancel_ends_waits(void);

/* Those of the table to their defaults: what a program is not to inherit, and no handler for its process until it is one. */
int signals_drop(void);

#endif
