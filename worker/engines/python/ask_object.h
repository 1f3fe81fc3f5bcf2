/*
 * ask_object.h - the type Ask from within: ask_object.c is what it is and what it becomes, ask_wait.c who waits for it.
 *
 * Side: worker, sealed. With the GIL held; asking.h says what is given up meanwhile.
 */
#ifndef PYTHON_ASK_OBJECT_H
#define PYTHON_ASK_OBJECT_H

#include "worker/engines/python/asking.h"
#include "worker/task/sched.h"

struct asking {
    PyObject_HEAD struct ask *ask; /* NULL: it was never sent, or has been settled */
    Pb__Ask__BodyCase which;
    uint64_t bytes; /* of a new buffer */
    PyObject *result, *error;
    bool waited;               /* somebody waits for the answer; the others for that */
    struct wait_queue waiters; /* tasklets; threads have the condition */
};

extern PyTypeObject *python_ask_type;

/* Its answer is here: it has a result, or an error. */
void python_ask_settle(struct asking *s);

/* ---- ask_wait.c ---- */

/* Until it is settled; what ends the wait otherwise: python_call_failed() takes it. */
int python_ask_await(struct asking *s, int64_t deadline);

/* wait_any(asks, seconds) -> whether one of them has been answered, and by whom it is asked next is told so. */
PyObject *python_ask_wait_any(PyObject *self, PyObject *args);

#endif
