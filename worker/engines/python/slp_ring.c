/* slp_ring.c - see slp.h: in and out of the ring of those that can run, and around it. */
#include <errno.h>

#include "worker/engines/python/slp.h"

static PyObject *insert(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return py_here() == 0 && py_insert((py_tasklet *)self) == 0 ? Py_NewRef(self) : NULL;
}

static PyObject *remove_it(PyObject *self, PyObject *nothing)
{
    py_tasklet *t = (py_tasklet *)self;

    (void)nothing;
    if (py_here() != 0)
        return NULL;
    if (!py_begun(t))
        return Py_NewRef(self);
    if (t->thread != py_thread)
        PyErr_SetString(PyExc_RuntimeError, "can't remove a tasklet of a different thread.");
    else if (t == py_current())
        PyErr_SetString(PyExc_RuntimeError, "The current tasklet cannot be removed.");
    else if (py_blocked(t))
        PyErr_SetString(PyExc_RuntimeError, "You cannot remove a blocked tasklet.");
    if (PyErr_Occurred())
        return NULL;
    Py_INCREF(self);
    if (t->task->state == TASK_READY) {
        ring_remove(t->task, py_paused);
        if (t->posted)
            py_unpost(t);
        py_unhold(t);
    }
    return self;
}

static PyObject *run_or_switch(py_tasklet *t, bool stays)
{
    PyObject *result;

    if (py_may_switch() != 0)
        return NULL;
    if (coop_cancelled() != 0)
        return py_failed(-ECANCELED);
    if (t == py_current())
        Py_RETURN_NONE;
    if (py_is_elsewhere(t)) {
        PyErr_SetString(PyExc_RuntimeError, "can't switch to a different thread.");
        return NULL;
    }
    if (sched->switch_trap > 0)
        return py_failed(-EPERM);
    if (py_insert(t) != 0)
        return NULL;
    Py_INCREF(t);
    result = py_switch_to(t, stays);
    Py_DECREF(t);
    return result;
}

/* Not part of Stackless. */
static PyObject *hibernate(PyObject *self, PyObject *nothing)
{
    py_tasklet *t = (py_tasklet *)self;
    const char *why = NULL;
    int rc = 0;

    (void)nothing;
    if (py_here() != 0)
        return NULL;
    if (!py_begun(t))
        return Py_NewRef(self);
    if (t == py_current())
        why = "The current tasklet cannot be hibernated.";
    else if (t->thread != py_thread)
        why = "can't hibernate a tasklet of a different thread.";
    else if (t == py_thread->main)
        why = "The main tasklet cannot be hibernated.";
    if (why != NULL)
        PyErr_SetString(PyExc_RuntimeError, why);
    else
        rc = coop_hibernate(t->task);
    if (rc != 0)
        (void)py_failed(rc);
    return PyErr_Occurred() ? NULL : Py_NewRef(self);
}

static PyObject *run(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return run_or_switch((py_tasklet *)self, true);
}

static PyObject *switch_over(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return run_or_switch((py_tasklet *)self, false);
}

PyMethodDef slp_ring_methods[] = {
    {"insert",     insert,      METH_NOARGS, "insert(): to the end of the run queue."                                        },
    { "remove",    remove_it,   METH_NOARGS, "remove(): out of the run queue, paused."                                       },
    { "run",       run,         METH_NOARGS, "run(): it runs now; all that are behind it in the queue run before the caller."},
    { "switch",    switch_over, METH_NOARGS, "switch(): it runs now, and the caller is paused."                              },
    { "hibernate", hibernate,   METH_NOARGS, "hibernate(): the memory of its C stack is given back until its next turn."     },
    { NULL,        NULL,        0,           NULL                                                                            }
};

/* ---- functions ----------------------------------------------------------------------------------------------------------------- */

/* The one argument, retval, by place or by name. 0: *ret_o is it, or NULL. */
static int one_argument(PyObject *const *args, Py_ssize_t n, PyObject *names, const char *who, PyObject **ret_o)
{
    Py_ssize_t named = names != NULL ? PyTuple_GET_SIZE(names) : 0;

    *ret_o = NULL;
    if (n + named > 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most 1 argument (%zd given)", who, n + named);
        return -1;
    }
    if (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "retval") != 0) {
        PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", who, PyTuple_GET_ITEM(names, 0));
        return -1;
    }
    if (n + named == 1)
        *ret_o = args[0];
    return 0;
}

/* schedule(retval=current): to the end of the run queue; returns its tempval, which is retval. */
static PyObject *schedule(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *value = NULL;
    py_tasklet *me;

    (void)self;
    if (__builtin_expect(n > 0 || names != NULL, 0) && one_argument(args, n, names, "schedule", &value) != 0)
        return NULL;
    if (__builtin_expect(py_may_switch() != 0, 0))
        return NULL;
    me = py_current();
    if (value == NULL)
        value = (PyObject *)me;
    if (__builtin_expect(sched->switch_trap > 0, 0))
        return sched_any() ? py_failed(-EPERM) : Py_NewRef(value);
    py_set_tempval(me, Py_NewRef(value));
    py_soft_interrupt();
    return py_came_back(me, coop_yield());
}

/* schedule_remove(retval=current): the same, and out of the run queue. */
static PyObject *schedule_remove(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *value = NULL;
    py_tasklet *me;

    (void)self;
    if (one_argument(args, n, names, "schedule_remove", &value) != 0 || py_may_switch() != 0)
        return NULL;
    me = py_current();
    if (value == NULL)
        value = (PyObject *)me;
    if (py_is_last() && py_watchdog() != me)
        return py_failed(-EDEADLK);
    if (sched->switch_trap > 0)
        return sched_any() ? py_failed(-EPERM) : Py_NewRef(value);
    py_set_tempval(me, Py_NewRef(value));
    py_soft_interrupt();
    return py_came_back(me, py_float(py_paused));
}

static PyObject *getcurrent(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return py_here() == 0 ? slp_of(sched->current) : NULL;
}

static PyObject *getmain(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return py_here() == 0 ? Py_NewRef((PyObject *)py_thread->main) : NULL;
}

static long runcount(void)
{
    return (long)sched->runnable + (sched->current->state == TASK_RUNNING);
}

static PyObject *getruncount(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return py_here() == 0 ? PyLong_FromLong(runcount()) : NULL;
}

/* Main's is its thread's. */
static PyObject *getcurrentid(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return py_here() == 0 ? PyLong_FromUnsignedLong(py_current()->ts->thread_id) : NULL;
}

/* get_thread_info(id=-1) -> (main, current, runcount) */
static PyObject *get_thread_info(PyObject *self, PyObject *args)
{
    const struct py_thread *p;
    long id = -1;

    (void)self;
    if (py_here() != 0 || !PyArg_ParseTuple(args, "|l:get_thread_info", &id))
        return NULL;
    p = id == -1 ? py_thread : py_thread_of((unsigned long)id);
    if (p == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "Thread id not found");
        return NULL;
    }
    if (p == py_thread)
        return Py_BuildValue("(ONl)", p->main, slp_of(sched->current), runcount());
    return Py_BuildValue("(ONl)", p->main, slp_of(p->sched->current), (long)p->sched->runnable + 1);
}

/* switch_trap(change=0) -> the old level */
static PyObject *switch_trap(PyObject *self, PyObject *args)
{
    int delta = 0;

    (void)self;
    if (py_here() != 0 || !PyArg_ParseTuple(args, "|i:switch_trap", &delta))
        return NULL;
    return PyLong_FromLong(coop_switch_trap(delta));
}

static PyObject *threads(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return py_here() == 0 ? py_thread_idents() : NULL;
}

#define METHOD(f) ((PyCFunction)(void (*)(void))(f))

PyMethodDef slp_ring_functions[] = {
    {"schedule",         METHOD(schedule),        METH_FASTCALL | METH_KEYWORDS,
     "schedule(retval=current): all others have their turn; returns retval."                                                                              },
    { "schedule_remove", METHOD(schedule_remove), METH_FASTCALL | METH_KEYWORDS,
     "schedule_remove(retval=current): the same, and the caller is paused."                                                                               },
    { "getcurrent",      getcurrent,              METH_NOARGS,                   "getcurrent(): the tasklet that runs."                                   },
    { "getmain",         getmain,                 METH_NOARGS,                   "getmain(): the first tasklet of this thread."                           },
    { "getruncount",     getruncount,             METH_NOARGS,                   "getruncount(): how many can run, with the one that does."               },
    { "getcurrentid",    getcurrentid,            METH_NOARGS,                   "getcurrentid(): what threading.get_ident() says in this tasklet."       },
    { "get_thread_info", get_thread_info,         METH_VARARGS,                  "get_thread_info(id=-1) -> (main, current, runcount)"                    },
    { "switch_trap",     switch_trap,             METH_VARARGS,                  "switch_trap(change=0): above 0 every switch is an error; the old level."},
    { "_threads",        threads,                 METH_NOARGS,                   NULL                                                                     },
    { NULL,              NULL,                    0,                             NULL                                                                     }
};
