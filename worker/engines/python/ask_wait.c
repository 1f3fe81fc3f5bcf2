/* ask_wait.c - see ask_object.h: whoever waits for an Ask, or for one of several. */
#include <errno.h>
#include <pthread.h>

#include "coop/task.h"
#include "worker/engines/python/ask_object.h"
#include "worker/engines/python/call_error.h"
#include "worker/engines/python/task.h"
#include "worker/engines/python/waits.h"
#include "worker/task/task.h"

/* Of all Asks: those are few for which more than one thread waits. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t somebody_settled = PTHREAD_COND_INITIALIZER;
static unsigned long settled; /* counts; under the lock */

static void wake_others(struct asking *s)
{
    pthread_mutex_lock(&lock);
    settled++;
    pthread_cond_broadcast(&somebody_settled);
    pthread_mutex_unlock(&lock);
    while (!wait_empty(&s->waiters)) {
        task_wake(s->waiters.first->task, 0);
        if (s->ask != NULL)
            return;
    }
}

/* Another thread waits for it: until anything is settled. */
static int wait_for_thread(int64_t deadline)
{
    struct timespec t = { .tv_sec = deadline / 1000000, .tv_nsec = deadline % 1000000 * 1000 };
    PyThreadState *here;
    unsigned long before;
    int rc = 0;

    pthread_mutex_lock(&lock);
    before = settled;
    here = PyEval_SaveThread(); /* who settles needs it before the lock */
    while (rc == 0 && settled == before)
        rc = deadline == COOP_NEVER ? pthread_cond_wait(&somebody_settled, &lock)
                                    : pthread_cond_clockwait(&somebody_settled, &lock, CLOCK_MONOTONIC, &t);
    pthread_mutex_unlock(&lock);
    PyEval_RestoreThread(here);
    return -rc;
}

/* One that was woken to wait in another's place, and does not, wakes the next. */
static int await_others(struct asking *s, int64_t deadline)
{
    int rc = python_asking_parks() ? python_call_came_back(task_block(&s->waiters, deadline, "answer", s)) : wait_for_thread(deadline);

    if (rc != 0 && !s->waited)
        wake_others(s);
    return rc;
}

int python_ask_await(struct asking *s, int64_t deadline)
{
    int rc = 0;

    while (s->ask != NULL && rc == 0) {
        if (s->waited) {
            rc = await_others(s, deadline);
            continue;
        }
        s->waited = true;
        rc = python_asking_wait(s->ask, deadline);
        if (rc == 0)
            python_ask_settle(s);
        s->waited = false;
        wake_others(s);
    }
    return rc;
}

static void mark(PyObject *list, bool waited)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        struct asking *s = (struct asking *)PyTuple_GET_ITEM(list, i);

        s->waited = waited;
        if (!waited)
            wake_others(s);
    }
}

static PyObject *told_by_others(struct asking *s, int64_t deadline)
{
    int rc = await_others(s, deadline);

    return rc == 0 || rc == -ETIMEDOUT ? PyBool_FromLong(rc == 0) : python_call_failed(rc);
}

PyObject *python_ask_wait_any(PyObject *self, PyObject *args)
{
    struct ask *asks[ASKS_ANY];
    PyObject *list, *seconds;
    struct python_wait w;
    int64_t deadline;
    Py_ssize_t n;
    int rc;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!O", &PyTuple_Type, &list, &seconds) || py_deadline_of(seconds, &deadline) != 0)
        return NULL;
    n = PyTuple_GET_SIZE(list);
    if (n < 1 || n > ASKS_ANY)
        return PyErr_Format(PyExc_ValueError, "1 to %d of them", ASKS_ANY);
    for (Py_ssize_t i = 0; i < n; i++) {
        struct asking *s = (struct asking *)PyTuple_GET_ITEM(list, i);

        if (!Py_IS_TYPE((PyObject *)s, python_ask_type))
            return PyErr_Format(PyExc_TypeError, "an Ask is needed");
        if (s->ask == NULL)
            Py_RETURN_TRUE;
        if (s->waited) /* whoever does so tells us when it is over */
            return told_by_others(s, deadline);
        asks[i] = s->ask;
    }
    mark(list, true);
    rc = python_wait_begins(&w);
    if (rc >= 0) {
        rc = ask_wait_any(asks, (size_t)n, deadline);
        if (w.parks)
            rc = python_call_came_back(rc);
        python_wait_ends(&w);
    }
    mark(list, false);
    if (rc != 0 && rc != -ETIMEDOUT)
        return python_call_failed(rc);
    return PyBool_FromLong(rc == 0);
}
