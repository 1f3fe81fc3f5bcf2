/*
 * asking.h - asks of Python's code (worker/asks.h): an Ask is an object, so that whatever ends the code that waits for it takes it back.
 *
 * Side:    worker, sealed. With the GIL held; while the whole OS thread waits it is not.
 * Waits:   as ask_wait() does: where there are tasklets the others go on, else the other threads of Python's.
 * Threads: any. Of several that wait for one Ask the first does; the others are told when it has come.
 */
#ifndef PYTHON_ASKING_H
#define PYTHON_ASKING_H

#include "worker/engines/python/job.h"

#include "worker/asks.h"
#include "worker/packed.h"

/* ask_wait(), while others go on: 0, or its errors; -EBUSY: an exception is set. */
int python_asking_wait(struct ask *a, int64_t deadline);
/* Once it has returned 0: the answer, unless it is a failure; then NULL, with an exception. */
const Pb__Answer *python_asking_answer(struct ask *a);

/* All of it. The caller ends it. NULL with an exception: the answer is a failure, too. */
struct ask *python_asking_do(Pb__Ask *a);

/* Before it is sent: packed_fit(), and what it returns; or -1 with an exception. */
int python_packed_move(struct packed *p, const char *root, struct packed_error *e);
int python_packed_fit(struct packed *p, const char *root);

/* Adds the type Ask to the module: Ask(name, fields) is sent; wait([seconds]), done(), cancel(); and wait_any(tuple, seconds). */
int python_asking_add(PyObject *module);

#endif
