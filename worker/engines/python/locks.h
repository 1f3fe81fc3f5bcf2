/*
 * locks.h - what the module _thread has, for tasklets: identity, locks, and time.sleep().
 *
 * Side:    worker. Installed before anybody makes a lock: in the zygote.
 * Rule:    all tasklets of a thread have its OS thread; to Python each is a thread of its own. So a lock excludes tasklets, an RLock belongs
 *          to one of them, and who waits for either, or sleeps, lets the others run. A thread without tasklets waits as it always did.
 */
#ifndef PYTHON_LOCKS_H
#define PYTHON_LOCKS_H

#include "worker/engines/python/task.h"

/* 0, or -1 with an exception set. */
int py_locks_install(void);

/* The tasklet with this identity ends: threading forgets it. */
void py_locks_forget(unsigned long ident);

/* Of the tasklet that runs, or of a thread without. */
unsigned long py_ident(void);

/* This thread has others that could run while the caller waits, and the caller may wait. */
bool py_has_others(void);

/* ---- between locks.c and idents.c ---- */

extern PyTypeObject py_lock_type, py_rlock_type;
PyObject *py_lock_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);

#endif
