/* waits.c - see waits.h. */
#include "worker/engines/python/waits.h"

#include <errno.h>

#include "worker/asks.h"
#include "worker/engines/python/state.h"
#include "worker/task/sched.h"

/*
 * One reader of the link at a time: tasklets of one thread park, and their scheduler reads it; or threads wait whole, and one of those reads. Both at once
 * would lose messages. With the GIL.
 */
static const struct sched *parked_of; /* whose tasklets are parked */
static unsigned parked, staying;

bool python_asking_parks(void)
{
    return sched != NULL && sched->member == NULL && staying == 0 && (parked == 0 || parked_of == sched);
}

/* A wait begins: 1: it parks; 0: the thread waits whole, without the GIL from now on; -EBUSY with an exception. */
static int begin(struct python_wait *w, bool parks)
{
    w->here = NULL;
    w->parks = parks;
    if (parks) {
        parked_of = sched;
        parked++;
        return 1;
    }
    if (parked > 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "tasklets of another thread wait for the broker: this thread cannot, until they have their answers");
        return -EBUSY;
    }
    staying++;
    asks_stay = true;
    w->here = PyEval_SaveThread();
    return 0;
}

int python_wait_begins(struct python_wait *w)
{
    return begin(w, python_asking_parks());
}

int python_rest_begins(struct python_wait *w)
{
    return begin(w, python_asking_parks() && py_state_threads() == 0);
}

void python_wait_ends(struct python_wait *w)
{
    if (w->parks) {
        parked--;
        return;
    }
    PyEval_RestoreThread(w->here);
    asks_stay = false;
    staying--;
}
