/*
 * slp_hook.c - see slp.h: callbacks of a script before each switch and each channel's move, and its handler of errors.
 *
 * A callback may not switch. What the schedule callback raises is told to sys.unraisablehook: the switch is under way. What the channel's
 * raises is the operation's, which has not happened then.
 */
#include "worker/engines/python/slp.h"
#include "worker/task/task.h"

__thread bool slp_in_callback;
bool slp_channel_told;
PyObject *slp_error_handler;

static PyObject *schedule_callback, *channel_callback;

static PyObject *object_of(const coop_task *t)
{
    return t != NULL && t->engine != NULL && t->engine != py_thread->nobody ? t->engine : Py_None;
}

static void tell(PyObject *prev, PyObject *next)
{
    PyObject *type, *value, *traceback, *done, *f = schedule_callback;

    if (f == NULL || slp_in_callback)
        return;
    slp_in_callback = true;
    sched->switch_trap++;
    PyErr_Fetch(&type, &value, &traceback);
    Py_INCREF(f);
    done = PyObject_CallFunctionObjArgs(f, prev, next, NULL);
    if (done == NULL)
        PyErr_WriteUnraisable(f);
    Py_XDECREF(done);
    Py_DECREF(f);
    PyErr_Restore(type, value, traceback);
    sched->switch_trap--;
    slp_in_callback = false;
}

/* The end of a tasklet was told before, by slp_tell_end(). */
static void on_switch(coop_task *from, coop_task *to)
{
    if (to != NULL)
        tell(object_of(from), object_of(to));
}

void slp_hook_thread(struct sched *s)
{
    s->switch_hook = schedule_callback != NULL ? on_switch : NULL;
    sched_hooks_changed(s);
}

void slp_tell_end(py_tasklet *t)
{
    if (__builtin_expect(schedule_callback != NULL, 0))
        tell((PyObject *)t, Py_None);
}

void py_tell_watchers(py_tasklet *t)
{
    PyObject *watchers = t->watchers, *type, *value, *traceback;

    t->watchers = NULL;
    if (watchers == NULL)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    sched->switch_trap++;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(watchers); i++) {
        PyObject *done = PyObject_CallNoArgs(PyList_GET_ITEM(watchers, i));

        if (done == NULL)
            PyErr_WriteUnraisable(PyList_GET_ITEM(watchers, i));
        Py_XDECREF(done);
    }
    sched->switch_trap--;
    Py_DECREF(watchers);
    PyErr_Restore(type, value, traceback);
}

int slp_tell_channel(struct slp_chan *c, bool sending, bool will_block)
{
    PyObject *f = channel_callback, *done;

    if (f == NULL)
        return 0;
    slp_in_callback = true;
    sched->switch_trap++;
    Py_INCREF(f);
    done = PyObject_CallFunctionObjArgs(f, (PyObject *)c, (PyObject *)py_current(), sending ? Py_True : Py_False,
                                        will_block ? Py_True : Py_False, NULL);
    Py_DECREF(f);
    sched->switch_trap--;
    slp_in_callback = false;
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

/* ---- setting them -------------------------------------------------------------------------------------------------------------- */

/* Returns the one before. */
static PyObject *set(PyObject **at, PyObject *callback)
{
    PyObject *old = *at;

    if (callback != Py_None && !PyCallable_Check(callback)) {
        PyErr_SetString(PyExc_TypeError, "parameter must be callable or None");
        return NULL;
    }
    if (py_here() != 0)
        return NULL;
    *at = callback == Py_None ? NULL : Py_NewRef(callback);
    return old != NULL ? old : Py_NewRef(Py_None);
}

static PyObject *set_schedule(PyObject *self, PyObject *callback)
{
    PyObject *old = set(&schedule_callback, callback);

    (void)self;
    if (old != NULL)
        py_threads_hook();
    return old;
}

static PyObject *set_channel(PyObject *self, PyObject *callback)
{
    PyObject *old = set(&channel_callback, callback);

    (void)self;
    slp_channel_told = channel_callback != NULL;
    return old;
}

static PyObject *set_error(PyObject *self, PyObject *handler)
{
    (void)self;
    return set(&slp_error_handler, handler);
}

static PyObject *get(PyObject *at)
{
    return Py_NewRef(at != NULL ? at : Py_None);
}

static PyObject *get_schedule(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return get(schedule_callback);
}

static PyObject *get_channel(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return get(channel_callback);
}

PyMethodDef slp_hook_functions[] = {
    {"set_schedule_callback",  set_schedule, METH_O,      "set_schedule_callback(f): f(prev, next) before each switch; the one before."             },
    { "get_schedule_callback", get_schedule, METH_NOARGS, "get_schedule_callback()"                                                                 },
    { "set_channel_callback",  set_channel,  METH_O,
     "set_channel_callback(f): f(channel, tasklet, sending, willblock) before each operation."                                                      },
    { "get_channel_callback",  get_channel,  METH_NOARGS, "get_channel_callback()"                                                                  },
    { "set_error_handler",     set_error,    METH_O,      "set_error_handler(f): f(type, value, traceback) for what nobody catches; the one before."},
    { NULL,                    NULL,         0,           NULL                                                                                      }
};
