/*
 * interp.h - the engine python as one of interpreters.
 *
 * Side:   worker, sealed.
 * Calls:  run on the first thread, one after another, in one __main__; threads and tasklets that they leave behind go on.
 */
#ifndef PYTHON_INTERP_H
#define PYTHON_INTERP_H

#include "worker/engines/python/job.h"

extern const struct interp_engine python_interp;

/* In the zygote, after all else: lib/interp.py and the modules of coop. -1 with an exception. */
int python_interp_prepare(void);

/* on_interrupt(signal number, frame), for the module _coop: the handler of SIGINT, by which jobs are cancelled and calls interrupted. */
int python_interp_add(PyObject *module);

#endif
