/* slp_attr.c - see slp.h: what a tasklet says of itself, a row each. */
#include "worker/engines/python/freeze.h"

/* Of its own thread, whoever asks. */
static bool is_current(const py_tasklet *t)
{
    return py_begun(t) && t->thread != NULL && !t->thread->ended && t->thread->sched->current == t->task;
}

#define SELF ((py_tasklet *)self)
#define GETTER(name, value)                                                                                                                \
    static PyObject *name(PyObject *self, void *closure)                                                                                   \
    {                                                                                                                                      \
        (void)self;                                                                                                                        \
        (void)closure;                                                                                                                     \
        return value;                                                                                                                      \
    }

GETTER(get_alive, PyBool_FromLong(py_alive(SELF)))
GETTER(get_paused, PyBool_FromLong(py_alive(SELF) && !py_blocked(SELF) && !py_queued(SELF)))
GETTER(get_scheduled, PyBool_FromLong(py_queued(SELF) || py_blocked(SELF)))
GETTER(get_restorable, PyBool_FromLong(py_is_restorable(SELF)))
GETTER(get_atomic, PyBool_FromLong(py_begun(SELF) ? SELF->task->atomic : SELF->atomic))
GETTER(get_ignore_nesting, PyBool_FromLong(SELF->ignore_nesting))
GETTER(get_block_trap, PyBool_FromLong(SELF->block_trap))
GETTER(get_is_main, PyBool_FromLong(SELF->thread != NULL && SELF == SELF->thread->main))
GETTER(get_is_current, PyBool_FromLong(is_current(SELF)))
GETTER(get_recursion_depth, PyLong_FromLong(py_begun(SELF) ? py_state_depth(SELF->ts) : SELF->frozen != NULL ? SELF->frozen->n : 0))
GETTER(get_nesting_level, PyLong_FromLong(py_begun(SELF) ? py_state_nesting(SELF->ts) : 0))
GETTER(get_frame,
       py_begun(SELF) ? py_state_frame(SELF->ts) : Py_NewRef(SELF->frozen != NULL ? (PyObject *)SELF->frozen->frames[0].frame : Py_None))
GETTER(get_channel, Py_NewRef(py_blocked(SELF) && SELF->chan != NULL ? (PyObject *)SELF->chan : Py_None))
GETTER(get_hibernated, PyBool_FromLong(py_begun(SELF) && coop_hibernated(SELF->task)))
GETTER(get_cstate, Py_NewRef(Py_None))

/* -1 receives, 1 sends, 0 does neither; whatever else it waits for counts as receiving. */
static PyObject *get_blocked(PyObject *self, void *closure)
{
    const py_tasklet *t = SELF;

    (void)closure;
    return PyLong_FromLong(!py_blocked(t) ? 0 : t->chan != NULL ? t->chan->direction : -1);
}

static PyObject *get_thread_id(PyObject *self, void *closure)
{
    const py_tasklet *t = SELF;

    (void)closure;
    if (t->thread == NULL || t->thread->ended)
        return PyLong_FromLong(-1);
    return PyLong_FromUnsignedLong(t->thread->ident);
}

/* The neighbours in the ring, or in the channel's queue, which ends with None. */
static PyObject *get_next(PyObject *self, void *closure)
{
    const py_tasklet *t = SELF;

    (void)closure;
    if (py_queued(t))
        return slp_of(ring_next(t->task));
    if (py_blocked(t) && t->chan != NULL && t->task->wait.next != NULL)
        return slp_of(t->task->wait.next->task);
    Py_RETURN_NONE;
}

static PyObject *get_prev(PyObject *self, void *closure)
{
    const py_tasklet *t = SELF;

    (void)closure;
    if (py_queued(t))
        return slp_of(ring_prev(t->task));
    if (py_blocked(t) && t->chan != NULL && t->task->wait.prev != NULL)
        return slp_of(t->task->wait.prev->task);
    Py_RETURN_NONE;
}

/* Of one that is bound and has no arguments yet it is the function, as in Stackless. */
static PyObject *get_tempval(PyObject *self, void *closure)
{
    const py_tasklet *t = SELF;

    (void)closure;
    if (!py_alive(t) && t->func != NULL)
        return Py_NewRef(t->func);
    return Py_NewRef(t->tempval != NULL ? t->tempval : Py_None);
}

static int set_tempval(PyObject *self, PyObject *value, void *closure)
{
    (void)closure;
    py_set_tempval(SELF, Py_XNewRef(value));
    return 0;
}

static int set_block_trap(PyObject *self, PyObject *value, void *closure)
{
    int on = value != NULL ? PyObject_IsTrue(value) : 0;

    (void)closure;
    if (on < 0)
        return -1;
    SELF->block_trap = on;
    if (py_begun(SELF))
        SELF->task->block_trap = SELF->block_trap;
    return 0;
}

/* ---- tracing ------------------------------------------------------------------------------------------------------------------- */

/* With its state current: sys does the rest. What was set before dies when the caller's is current again, for its end may run code. */
static PyObject *call_sys(const py_tasklet *t, const char *name, PyObject *value)
{
    PyObject *f = PySys_GetObject(name), *result, *before_it;
    PyThreadState *before = py_state_current();

    if (f == NULL || !py_begun(t)) {
        PyErr_SetString(PyExc_RuntimeError, "tasklet is not alive");
        return NULL;
    }
    before_it = py_state_tracers(t->ts);
    if (before_it == NULL)
        return NULL;
    py_state_enter(t->ts);
    result = value == NULL ? PyObject_CallNoArgs(f) : PyObject_CallOneArg(f, value);
    if (result == NULL && before != t->ts) {
        PyObject *type, *v, *tb;

        PyErr_Fetch(&type, &v, &tb);
        py_state_enter(before);
        PyErr_Restore(type, v, tb);
    }
    py_state_enter(before);
    Py_DECREF(before_it);
    return result;
}

static PyObject *get_tracer(PyObject *self, void *name)
{
    char getter[32] = "get";

    if (!py_begun(SELF))
        Py_RETURN_NONE;
    strncat(getter, (const char *)name + 3, sizeof(getter) - 4);
    return call_sys(SELF, getter, NULL);
}

static int set_tracer(PyObject *self, PyObject *value, void *name)
{
    PyObject *done = call_sys(SELF, name, value != NULL ? value : Py_None);

    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

PyGetSetDef slp_tasklet_attrs[] = {
    {"__dict__",          PyObject_GenericGetDict, PyObject_GenericSetDict, NULL,                                                        NULL        },
    { "alive",            get_alive,               NULL,                    "It has something left to do.",                              NULL        },
    { "paused",           get_paused,              NULL,                    "Alive, neither queued nor blocked.",                        NULL        },
    { "blocked",          get_blocked,             NULL,                    "-1: it receives; 1: it sends; 0: it waits for nobody.",     NULL        },
    { "scheduled",        get_scheduled,           NULL,                    "Queued or blocked.",                                        NULL        },
    { "context_id",       slp_context_id,          NULL,                    "The id of its context.",                                    NULL        },
    { "restorable",       get_restorable,          NULL,                    "It could be pickled as it stands.",                         NULL        },
    { "atomic",           get_atomic,              NULL,                    "Its turn is not taken from it.",                            NULL        },
    { "ignore_nesting",   get_ignore_nesting,      NULL,                    "A watchdog may interrupt it when C stands on its stack.",   NULL        },
    { "block_trap",       get_block_trap,          set_block_trap,          "What would block it is an error.",                          NULL        },
    { "is_main",          get_is_main,             NULL,                    "It is its thread's first.",                                 NULL        },
    { "is_current",       get_is_current,          NULL,                    "It runs.",                                                  NULL        },
    { "thread_id",        get_thread_id,           NULL,                    "Its thread's; -1: that has ended.",                         NULL        },
    { "next",             get_next,                NULL,                    "Who comes after it, in the run queue or in its channel's.", NULL        },
    { "prev",             get_prev,                NULL,                    "Who comes before it.",                                      NULL        },
    { "recursion_depth",  get_recursion_depth,     NULL,                    "Calls that it stands in.",                                  NULL        },
    { "nesting_level",    get_nesting_level,       NULL,                    "How many of them came from C.",                             NULL        },
    { "frame",            get_frame,               NULL,                    "Its innermost frame, or None.",                             NULL        },
    { "tempval",          get_tempval,             set_tempval,             "What it comes back with.",                                  NULL        },
    { "_channel",         get_channel,             NULL,                    "That it waits for, or None.",                               NULL        },
    { "hibernated",       get_hibernated,          NULL,                    "What was on its C stack is away.",                          NULL        },
    { "cstate",           get_cstate,              NULL,                    "None: a C stack is no object here.",                        NULL        },
    { "trace_function",   get_tracer,              set_tracer,              "sys.settrace()'s, of this tasklet.",                        "settrace"  },
    { "profile_function", get_tracer,              set_tracer,              "sys.setprofile()'s, of this tasklet.",                      "setprofile"},
    { NULL,               NULL,                    NULL,                    NULL,                                                        NULL        }
};
