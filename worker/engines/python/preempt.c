/*
 * preempt.c - see task.h: turns for tasklets that do not yield.
 *
 * A timer of the process's own CPU time ends a slice. Its handler trips the signal for CPython, which calls what is registered for it between two
 * instructions: a builtin of ours, that gives up the turn. So a script that has one tasklet, or only polite ones, pays nothing.
 * Threads: CPython handles signals in the process's first thread only; tasklets of others keep their turns.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "worker/engines/python/freeze_code.h"
#include "worker/engines/python/slp.h"

enum { SLICE_US = 10000, SLICE_MIN_US = 1000 };

static pthread_t first;
static struct py_thread *first_thread;
static long slice_us;

static bool wanted(void)
{
    const coop_task *t = sched->current;

    if (py_counts_here())
        return py_count_due();
    return (sched_others_wait() || sched->interrupted) && !t->atomic && sched->switch_trap == 0;
}

void py_preempt(const void *context)
{
    (void)context;
    if (first_thread == NULL)
        return;
    if (!pthread_equal(pthread_self(), first)) {
        if (first_thread->sched->runnable > 0 || first_thread->sched->interrupted)
            (void)pthread_kill(first, SIGVTALRM);
        return;
    }
    if (wanted())
        (void)PyErr_SetInterruptEx(SIGVTALRM);
}

/* Between two instructions of whoever runs. */
static PyObject *end_slice(PyObject *self, PyObject *args)
{
    PyObject *result;
    py_tasklet *me;

    (void)self;
    (void)args;
    if (py_thread == NULL || py_thread != first_thread || sched->current->state != TASK_RUNNING || !wanted())
        Py_RETURN_NONE;
    if (py_counts_here())
        return py_count_tick() == 0 ? Py_NewRef(Py_None) : NULL;
    me = py_current();
    if (py_state_busy(me->ts) != NULL || py_state_imports())
        Py_RETURN_NONE;
    sched->stats.slices++;
    sched->until_poll = 1; /* that was long enough to look at clock and link */
    py_set_tempval(me, NULL);
    me->left = PY_LEFT_BREAKER;
    result = py_came_back(me, coop_yield());
    me->left = PY_LEFT_CALL;
    return result;
}

static void on_signal(int signo)
{
    int before = errno;

    (void)signo;
    py_preempt(NULL);
    errno = before;
}

/* CPython's table has our builtin, the kernel our handler, or the worker's, which was there. */
int py_preempt_open(void)
{
    static PyMethodDef method = { "end_slice", end_slice, METH_VARARGS, NULL };
    struct sigaction before, ours = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };
    PyObject *signals = PyImport_ImportModule("_signal"), *f = PyCFunction_New(&method, NULL), *done = NULL;

    (void)sigaction(SIGVTALRM, NULL, &before);
    if (signals != NULL && f != NULL)
        done = PyObject_CallMethod(signals, "signal", "iO", SIGVTALRM, f);
    Py_XDECREF(f);
    Py_XDECREF(signals);
    if (done == NULL)
        return -1;
    Py_DECREF(done);
    (void)sigaction(SIGVTALRM, before.sa_handler == SIG_DFL ? &ours : &before, NULL);
    first = pthread_self();
    return 0;
}

/* The caller's thread has tasklets from now on. */
void py_preempt_begin(void)
{
    if (first_thread != NULL || !pthread_equal(pthread_self(), first))
        return;
    first_thread = py_thread;
    (void)py_set_slice(SLICE_US);
}

void py_preempt_forked(void)
{
    if (first_thread != NULL)
        (void)py_set_slice(SLICE_US);
}

/* CPython gives signals back to the kernel when it ends. */
void py_preempt_end(void)
{
    if (first_thread != py_thread)
        return;
    (void)py_set_slice(0);
    (void)signal(SIGVTALRM, SIG_IGN);
    first_thread = NULL;
}

static int set_timer(long us)
{
    struct itimerval slice = {
        .it_interval = {us / 1000000,  us % 1000000},
          .it_value = { us / 1000000, us % 1000000}
    };

    return setitimer(ITIMER_VIRTUAL, &slice, NULL);
}

int py_set_slice(long us)
{
    slice_us = us;
    return set_timer(us);
}

bool py_preempts(void)
{
    return py_thread != NULL && py_thread == first_thread;
}

void py_tick_every(int64_t us)
{
    if (us > 0 && us < SLICE_MIN_US)
        us = SLICE_MIN_US;
    (void)set_timer(us > 0 && (slice_us == 0 || us < slice_us) ? (long)us : slice_us);
}

/* ---- of the module stackless --------------------------------------------------------------------------------------------------- */

/* _set_slice(seconds): how long one may compute while others wait; at least a millisecond; 0: for ever. */
static PyObject *set_slice(PyObject *self, PyObject *seconds)
{
    double us = PyFloat_AsDouble(seconds) * 1e6;

    (void)self;
    if (PyErr_Occurred())
        return NULL;
    if (!(us >= 0 && us < 1e6)) {
        PyErr_SetString(PyExc_ValueError, "a slice is less than a second");
        return NULL;
    }
    if (py_set_slice(us == 0 ? 0 : us < SLICE_MIN_US ? SLICE_MIN_US : (long)us) != 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

/* _slices(): how many have ended. */
static PyObject *slices(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return py_here() == 0 ? PyLong_FromUnsignedLongLong(sched->stats.slices) : NULL;
}

PyMethodDef slp_slice_functions[] = {
    {"_set_slice", set_slice, METH_O,      "_set_slice(seconds): how long one may compute while others wait; 0: for ever."},
    { "_slices",   slices,    METH_NOARGS, "_slices(): how many turns were taken away."                                   },
    { NULL,        NULL,      0,           NULL                                                                           }
};
