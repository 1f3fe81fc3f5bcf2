/*
 * call_error.h - the errors of calls as exceptions: the classes of lib/coop/errors.py, one for each row of proto/call_errors.h.
 *
 * Side:    worker, sealed. With the GIL held.
 * Returns: NULL, an exception set, as all that raise do.
 */
#ifndef PYTHON_CALL_ERROR_H
#define PYTHON_CALL_ERROR_H

#include "worker/engines/python/job.h"

#include "calls.pb-c.h"
#include "worker/packed.h"

/* message NULL or empty: the error's own; path NULL: none. */
PyObject *python_call_raise(Pb__CallError error, const char *message, const char *path);
/* Why a value cannot be sent. */
PyObject *python_call_raise_packed(const struct packed_error *e);
/* What the broker has answered. */
PyObject *python_call_raise_failure(const Pb__CallFailure *f);
/* What ask_wait() and its like have returned, below 0. */
PyObject *python_call_failed(int rc);

/* How the running tasklet's wait has ended, which returned rc: -EINTR when something was thrown at it meanwhile, which python_call_failed() raises. */
int python_call_came_back(int rc);

#endif
