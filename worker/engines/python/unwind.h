/*
 * unwind.h - a tasklet leaves its frames as if no code in them handled errors: no finally, no except, no __exit__. What stackless's bind(None) does to one that
 * has begun.
 *
 * Side:    worker. unwind.c looks into CPython 3.11, as state.c does.
 * Differs: Stackless drops the frames where they lie. Here a C stack stands below them, so an error goes through them.
 */
#ifndef PYTHON_UNWIND_H
#define PYTHON_UNWIND_H

#include "worker/engines/python/state.h"

/*
 * From now on no frame of ts, which is not current, handles an error. Returns what has to live until they are left, a new reference; NULL with an error:
 * nothing has changed.
 */
PyObject *py_unwind_prepare(PyThreadState *ts);

#endif
