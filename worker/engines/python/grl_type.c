/* grl_type.c - see grl.h: the type greenlet. */
#include "worker/engines/python/grl.h"

#define SELF ((greenlet *)self)

/* ---- making one ---------------------------------------------------------------------------------------------------------------- */

static PyObject *grl_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *none = PyTuple_New(0);
    greenlet *current = grl_current(), *g = NULL;

    (void)args;
    (void)kwargs;
    if (current != NULL && none != NULL) /* object's own refuses abstract classes */
        g = (greenlet *)PyBaseObject_Type.tp_new(type, none, NULL);
    Py_XDECREF(none);
    if (g == NULL)
        return NULL;
    g->parent = (greenlet *)Py_NewRef((PyObject *)current);
    g->thread = py_thread_get(py_thread);
    return (PyObject *)g;
}

static int set_run(PyObject *self, PyObject *run, void *closure)
{
    (void)closure;
    if (SELF->started) {
        PyErr_SetString(PyExc_AttributeError, "run cannot be set after the start of the greenlet");
        return -1;
    }
    Py_XSETREF(SELF->run, Py_XNewRef(run));
    return 0;
}

static int set_parent(PyObject *self, PyObject *parent, void *closure)
{
    greenlet *g;

    (void)closure;
    if (parent == NULL) {
        PyErr_SetString(PyExc_AttributeError, "can't delete attribute");
        return -1;
    }
    if (!PyObject_TypeCheck(parent, &grl_type)) {
        PyErr_Format(PyExc_TypeError, "GreenletChecker: Expected any type of greenlet, not %s", Py_TYPE(parent)->tp_name);
        return -1;
    }
    if (SELF->parent == NULL) {
        PyErr_SetString(PyExc_AttributeError, "cannot set the parent of a main greenlet");
        return -1;
    }
    for (g = (greenlet *)parent; g != NULL; g = g->parent)
        if (g == SELF) {
            PyErr_SetString(PyExc_ValueError, "cyclic parent chain");
            return -1;
        }
    if (((greenlet *)parent)->thread != SELF->thread) {
        PyErr_SetString(PyExc_ValueError, "parent cannot be on a different thread");
        return -1;
    }
    Py_SETREF(SELF->parent, (greenlet *)Py_NewRef(parent));
    return 0;
}

static int init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "run", "parent", NULL };
    PyObject *run = NULL, *parent = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:greenlet", names, &run, &parent))
        return -1;
    if (run != NULL && set_run(self, run, NULL) != 0)
        return -1;
    return parent != NULL && parent != Py_None ? set_parent(self, parent, NULL) : 0;
}

/* ---- methods ------------------------------------------------------------------------------------------------------------------- */

static PyObject *switch_to(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *value = grl_value_of(SELF, args, kwargs);

    return value != NULL ? grl_switch(SELF, value, false) : NULL;
}

static PyObject *throw_it(PyObject *self, PyObject *args)
{
    PyObject *type = grl_exit, *value = NULL, *traceback = NULL;

    if (!PyArg_ParseTuple(args, "|OOO:throw", &type, &value, &traceback))
        return NULL;
    return grl_throw(SELF, type, value, traceback);
}

static PyObject *getstate(PyObject *self, PyObject *none)
{
    (void)none;
    return PyErr_Format(PyExc_TypeError, "cannot serialize '%s' object", Py_TYPE(self)->tp_name);
}

static PyMethodDef methods[] = {
    {"switch",        (PyCFunction)(void (*)(void))switch_to, METH_VARARGS | METH_KEYWORDS,
     "switch(*args, **kwargs): it has the turn, with these; returns what somebody hands back."                                                                             },
    { "throw",        throw_it,                               METH_VARARGS,                 "throw(type=GreenletExit, value=None, traceback=None): the same with an error."},
    { "__getstate__", getstate,                               METH_NOARGS,                  NULL                                                                           },
    { NULL,           NULL,                                   0,                            NULL                                                                           }
};

/* ---- attributes ---------------------------------------------------------------------------------------------------------------- */

static bool is_current(PyObject *self)
{
    return SELF->t != NULL && py_thread != NULL && SELF->t == py_current() && SELF->t->greenlet == self;
}

static bool is_active(PyObject *self)
{
    return SELF->started && !SELF->dead;
}

static PyObject *get_run(PyObject *self, void *closure)
{
    (void)closure;
    if (SELF->run != NULL && !SELF->started)
        return Py_NewRef(SELF->run);
    PyErr_SetString(PyExc_AttributeError, "run");
    return NULL;
}

static PyObject *get_parent(PyObject *self, void *closure)
{
    (void)closure;
    return Py_NewRef(SELF->parent != NULL ? (PyObject *)SELF->parent : Py_None);
}

static PyObject *get_dead(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(SELF->dead || (SELF->started && SELF->thread->ended));
}

static PyObject *get_frame(PyObject *self, void *closure)
{
    (void)closure;
    if (!is_active(self) || is_current(self) || SELF->t == NULL || SELF->t->ts == NULL)
        Py_RETURN_NONE;
    return py_state_frame(SELF->t->ts);
}

/* Another thread's may be changing under our eyes. */
static bool is_abroad(PyObject *self, const char *what)
{
    if (!is_active(self) || SELF->thread == py_thread || SELF->thread->ended || SELF->t != SELF->thread->sched->current->engine)
        return false;
    PyErr_Format(PyExc_ValueError, "cannot %s context of a greenlet that is running in a different thread", what);
    return true;
}

static PyObject *get_context(PyObject *self, void *closure)
{
    PyObject *context = SELF->t != NULL && SELF->t->ts != NULL ? py_state_context(SELF->t->ts) : SELF->context;

    (void)closure;
    if (is_abroad(self, "get"))
        return NULL;
    return Py_NewRef(context != NULL ? context : Py_None);
}

static int set_context(PyObject *self, PyObject *context, void *closure)
{
    (void)closure;
    if (context == NULL) {
        PyErr_SetString(PyExc_AttributeError, "can't delete context attribute");
        return -1;
    }
    if (context != Py_None && !PyContext_CheckExact(context)) {
        PyErr_SetString(PyExc_TypeError, "greenlet context must be a contextvars.Context or None");
        return -1;
    }
    if (is_abroad(self, "set"))
        return -1;
    if (context == Py_None)
        context = NULL;
    if (SELF->t != NULL && SELF->t->ts != NULL)
        py_state_set_context(SELF->t->ts, context);
    else
        Py_XSETREF(SELF->context, Py_XNewRef(context));
    return 0;
}

static PyGetSetDef attrs[] = {
    {"__dict__",    PyObject_GenericGetDict, PyObject_GenericSetDict, NULL,                                   NULL},
    { "run",        get_run,                 set_run,                 "What it will call.",                   NULL},
    { "parent",     get_parent,              set_parent,              "Who gets what it ends with.",          NULL},
    { "dead",       get_dead,                NULL,                    "It has ended.",                        NULL},
    { "gr_frame",   get_frame,               NULL,                    "Where it is suspended, or None.",      NULL},
    { "gr_context", get_context,             set_context,             "Its context of contextvars, or None.", NULL},
    { NULL,         NULL,                    NULL,                    NULL,                                   NULL}
};

static int as_bool(PyObject *self)
{
    return is_active(self);
}

static PyNumberMethods as_number = { .nb_bool = as_bool };

static PyObject *repr(PyObject *self)
{
    const char *name = Py_TYPE(self)->tp_name;
    void *thread = (void *)SELF->thread;

    if (SELF->thread->ended)
        return PyUnicode_FromFormat("<%s object at %p (otid=%p) (thread exited) dead>", name, self, thread);
    if (SELF->dead)
        return PyUnicode_FromFormat("<%s object at %p (otid=%p) dead>", name, self, thread);
    return PyUnicode_FromFormat("<%s object at %p (otid=%p)%s%s%s%s>", name, self, thread,
                                is_current(self) ? " current"
                                : SELF->started  ? " suspended"
                                                 : "",
                                is_active(self) ? " active" : "", SELF->started ? " started" : " pending",
                                SELF->parent == NULL ? " main" : "");
}

/* ---- its end ------------------------------------------------------------------------------------------------------------------- */

/* Nobody knows it, and it is suspended: GreenletExit; what it ends with comes back here. */
static void finalize(PyObject *self)
{
    PyObject *type, *value, *traceback, *done;
    greenlet *me;
    py_tasklet *t;

    if (!is_active(self) || SELF->parent == NULL || SELF->running || SELF->thread != py_thread || py_thread == NULL)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    me = grl_current();
    if (me != NULL) {
        bool before = (t = py_current())->unloved;
        greenlet *parent = SELF->parent;

        SELF->parent = (greenlet *)Py_NewRef((PyObject *)me);
        t->unloved = true; /* the guards are for what tenants do here */
        done = grl_throw(SELF, grl_exit, NULL, NULL);
        t->unloved = before;
        if (done == NULL)
            PyErr_WriteUnraisable(self);
        Py_XDECREF(done);
        Py_SETREF(SELF->parent, parent);
    }
    if (is_active(self))
        py_state_refinalize(self);
    PyErr_Restore(type, value, traceback);
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(SELF->dict);
    Py_VISIT(SELF->run);
    Py_VISIT(SELF->parent);
    Py_VISIT(SELF->context);
    return 0;
}

static int clear(PyObject *self)
{
    Py_CLEAR(SELF->dict);
    Py_CLEAR(SELF->run);
    if (SELF->parent != NULL && !is_active(self))
        Py_CLEAR(SELF->parent);
    Py_CLEAR(SELF->context);
    return 0;
}

/* One that would not end keeps its stack, and itself. */
static void dealloc(PyObject *self)
{
    if (PyObject_CallFinalizerFromDealloc(self) < 0)
        return;
    if (is_active(self) && SELF->parent != NULL) {
        Py_SET_REFCNT(self, 1);
        return;
    }
    PyObject_GC_UnTrack(self);
    if (SELF->weak != NULL)
        PyObject_ClearWeakRefs(self);
    (void)clear(self);
    Py_CLEAR(SELF->parent);
    Py_CLEAR(SELF->t);
    py_thread_put(SELF->thread);
    Py_TYPE(self)->tp_free(self);
}

PyTypeObject grl_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "greenlet.greenlet",
    .tp_basicsize = sizeof(greenlet),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "greenlet(run=None, parent=None): run on a stack of its own, which has the turn when somebody switches to it.",
    .tp_new = grl_new,
    .tp_init = init,
    .tp_repr = repr,
    .tp_as_number = &as_number,
    .tp_finalize = finalize,
    .tp_dealloc = dealloc,
    .tp_free = PyObject_GC_Del,
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_dictoffset = offsetof(greenlet, dict),
    .tp_weaklistoffset = offsetof(greenlet, weak),
    .tp_methods = methods,
    .tp_getset = attrs,
};
