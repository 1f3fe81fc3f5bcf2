/*
 * signals.h - what a worker does with each signal; fixed before the seal, since rt_sigaction is not allowed after it.
 *
 * Side:    worker.
 * Returns: 0 or -errno.
 */
#ifndef WORKER_SIGNALS_H
#define WORKER_SIGNALS_H

/* Every signal to its default, then the handlers of the table; nothing blocked. */
int signals_install(void);

/* Those of the table to their defaults: what a program is not to inherit, and no handler for its process until it is one. */
int signals_drop(void);

#endif
