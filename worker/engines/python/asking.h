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

/*
 * Around a wait for the broker: where there are tasklets this one parks, and the others go on; else the whole thread waits, without the GIL.
 * begins: 1, 0, or -EBUSY with an exception: then there is no end.
 */
struct python_wait {
    PyThreadState *here;
    bool parks;
};
int python_wait_begins(struct python_wait *w);
void python_wait_ends(struct python_wait *w);

/* Whether one that begins now would park. */
bool python_asking_parks(void);

/* All of it. The caller ends it. NULL with an exception: the answer is a failure, too. */
struct ask *python_asking_do(Pb__Ask *a);

/* Before it is sent: packed_fit(), and what it returns; or -1 with an exception. */
int python_packed_move(struct packed *p, const char *root, struct packed_error *e);
int python_packed_fit(struct packed *p, const char *root);

/* Adds the type Ask to the module: Ask(name, fields) is sent; wait([seconds]), done(), cancel(); and wait_any(tuple, seconds). */
int python_asking_add(PyObject *module);

#endif
