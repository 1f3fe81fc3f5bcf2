/* slp_tasklet.c - see slp.h: the type tasklet: bound, set up, and what becomes of one that nobody knows any more. */
#include "worker/engines/python/freeze.h"
#include "worker/engines/python/unwind.h"

/* Whoever asks may be another thread, which has no tasklets. What runs callbacks after an end is none: it has no task. */
PyObject *slp_of(const coop_task *t)
{
    py_tasklet *o = t->engine;

    return Py_NewRef(o != NULL && o->task == t ? (PyObject *)o : Py_None);
}

/* ---- binding ------------------------------------------------------------------------------------------------------------------- */

static int raise_runtime(const char *text)
{
    PyErr_SetString(PyExc_RuntimeError, text);
    return -1;
}

static int may_bind(py_tasklet *t, PyObject *func, PyObject *args, PyObject *kwargs)
{
    if (func != Py_None && !PyCallable_Check(func)) {
        PyErr_SetString(PyExc_TypeError, "tasklet function must be a callable or None");
        return -1;
    }
    if (args != Py_None && !PyTuple_Check(args) && !PyList_Check(args)) {
        PyErr_SetString(PyExc_TypeError, "tasklet args must be a tuple or None");
        return -1;
    }
    if (kwargs != Py_None && !PyDict_Check(kwargs)) {
        PyErr_SetString(PyExc_TypeError, "tasklet kwargs must be a dict or None");
        return -1;
    }
    if (py_thread != NULL && t == py_current())
        return raise_runtime("can't (re)bind the current tasklet");
    if (t->thread != NULL && t == t->thread->main)
        return raise_runtime("can't unbind the main tasklet");
    if (t->posted || (py_begun(t) && !py_floats(t)))
        return raise_runtime("tasklet is scheduled");
    if (py_begun(t) && (t->greenlet != NULL || t->thread != py_thread || (py_state_nesting(t->ts) > 0 && !py_is_restorable(t))))
        return raise_runtime("tasklet has C state on its stack");
    return 0;
}

/* It leaves its frames, and nothing in them runs; but what they hold dies, which may run something. */
static int drop_frames(py_tasklet *t)
{
    PyObject *codes = py_unwind_prepare(t->ts), *done;

    if (codes == NULL)
        return -1;
    t->forced = true;
    t->task->atomic = true;
    done = py_kill(t, false);
    t->forced = false;
    Py_XDECREF(done);
    Py_DECREF(codes);
    if (done != NULL && py_begun(t))
        return raise_runtime("tasklet is scheduled");
    return done != NULL ? 0 : -1;
}

void slp_unbind(py_tasklet *t)
{
    Py_CLEAR(t->args);
    Py_CLEAR(t->kwargs);
    Py_CLEAR(t->tempval);
    if (!t->own_context)
        Py_CLEAR(t->context);
    if (t->frozen != NULL && !py_begun(t))
        py_forget_frozen(t);
    py_tell_watchers(t);
}

/* Alive, but paused: it has arguments. They are taken over. */
static int get_ready(py_tasklet *t, PyObject *args, PyObject *kwargs)
{
    if (t->func == NULL) {
        Py_DECREF(args);
        Py_XDECREF(kwargs);
        return raise_runtime("the tasklet was not bound to a function");
    }
    Py_XSETREF(t->args, args);
    Py_XSETREF(t->kwargs, kwargs);
    Py_CLEAR(t->tempval);
    if (!t->own_context)
        Py_XSETREF(t->context, py_state_copy_context());
    return 0;
}

static int bind_to(py_tasklet *t, PyObject *func, PyObject *args, PyObject *kwargs)
{
    PyObject *tuple;

    if (py_here() != 0 || may_bind(t, func, args, kwargs) != 0)
        return -1;
    if (py_begun(t) && drop_frames(t) != 0)
        return -1;
    t->own_context = t->own_context && func == Py_None;
    slp_unbind(t);
    if (func != Py_None || (args == Py_None && kwargs == Py_None))
        Py_XSETREF(t->func, func == Py_None ? NULL : Py_NewRef(func));
    py_belongs_to(t, py_thread);
    if (args == Py_None && kwargs == Py_None)
        return 0;
    tuple = args == Py_None ? PyTuple_New(0) : PySequence_Tuple(args);
    if (tuple == NULL)
        return -1;
    return get_ready(t, tuple, kwargs == Py_None ? NULL : PyDict_Copy(kwargs));
}

static int parse_bind(py_tasklet *t, PyObject *args, PyObject *kwargs, const char *format)
{
    static char *names[] = { "func", "args", "kwargs", NULL };
    PyObject *f = Py_None, *a = Py_None, *k = Py_None;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &f, &a, &k))
        return -1;
    return bind_to(t, f, a, k);
}

static PyObject *bind(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return parse_bind((py_tasklet *)self, args, kwargs, "|OOO:bind") == 0 ? Py_NewRef(self) : NULL;
}

static int init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return parse_bind((py_tasklet *)self, args, kwargs, "|OOO:tasklet");
}

int slp_set_up(py_tasklet *t, PyObject *args, PyObject *kwargs)
{
    if (py_here() != 0)
        return -1;
    if (__builtin_expect(py_alive(t), 0))
        return raise_runtime("tasklet is alive");
    if (!t->sent)
        py_belongs_to(t, py_thread);
    if (get_ready(t, Py_NewRef(args), kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0 ? PyDict_Copy(kwargs) : NULL) != 0)
        return -1;
    if (__builtin_expect(t->sent, 0) ? py_insert(t) == 0 : py_begin(t) == 0)
        return 0;
    slp_unbind(t);
    return -1;
}

PyObject *slp_setup(py_tasklet *t, PyObject *args, PyObject *kwargs)
{
    return slp_set_up(t, args, kwargs) == 0 ? Py_NewRef((PyObject *)t) : NULL;
}

static PyObject *setup(PyObject *self, PyObject *args, PyObject *kwargs)
{
    return slp_setup((py_tasklet *)self, args, kwargs);
}

/* bind_thread([id]): one that has a C stack stays where that is. */
static PyObject *bind_thread(PyObject *self, PyObject *args)
{
    py_tasklet *t = (py_tasklet *)self;
    struct py_thread *to;
    long id = -1;

    if (py_here() != 0 || !PyArg_ParseTuple(args, "|l:bind_thread", &id))
        return NULL;
    if (py_queued(t) || t->posted) {
        PyErr_SetString(PyExc_RuntimeError, "can't (re)bind a runnable tasklet");
        return NULL;
    }
    to = id == -1 ? py_thread : py_thread_of((unsigned long)id);
    if (to == NULL) {
        PyErr_SetString(PyExc_ValueError, "bad thread");
        return NULL;
    }
    if (py_begun(t) && t->thread != to) {
        PyErr_SetString(PyExc_RuntimeError, "tasklet has C state on its stack");
        return NULL;
    }
    py_belongs_to(t, to);
    t->sent = !py_begun(t) && to != py_thread;
    Py_RETURN_NONE;
}

#define METHOD(f) ((PyCFunction)(void (*)(void))(f))

PyMethodDef slp_tasklet_methods[] = {
    {"bind",           METHOD(bind),        METH_VARARGS | METH_KEYWORDS,
     "bind(func=None, args=None, kwargs=None): what it will call; with arguments it is alive, but paused."                                             },
    { "setup",         METHOD(setup),       METH_VARARGS | METH_KEYWORDS,
     "setup(*args, **kwargs): its arguments; it is at the end of the run queue then."                                                                  },
    { "bind_thread",   METHOD(bind_thread), METH_VARARGS,                 "bind_thread([id]): the thread that it will run in, by default the caller's."},
    { "__reduce_ex__", py_reduce_ex,        METH_O,                       NULL                                                                         },
    { "__reduce__",    py_reduce_alone,     METH_NOARGS,                  NULL                                                                         },
    { "__setstate__",  py_set_attributes,   METH_O,                       NULL                                                                         },
    { NULL,            NULL,                0,                            NULL                                                                         }
};

/* ---- its end ------------------------------------------------------------------------------------------------------------------- */

/* Nobody knows it any more, but it stands somewhere: it is thrown out of there. What is left after ten rounds stays, and is told. */
static void finalize(PyObject *self)
{
    py_tasklet *t = (py_tasklet *)self;
    PyObject *type, *value, *traceback;

    if ((!py_begun(t) && t->frozen == NULL) || t->held || t->thread == NULL)
        return;
    if (t->thread != py_thread) {
        if (py_lose_abroad(t))
            py_state_refinalize(self);
        return;
    }
    PyErr_Fetch(&type, &value, &traceback);
    for (int i = 0; i < PY_KILL_ROUNDS && (py_floats(t) || (t->frozen != NULL && !py_begun(t))) && Py_REFCNT(self) == 1; i++) {
        py_tasklet *me = py_current();
        bool before = me->unloved;
        PyObject *done;

        me->unloved = true; /* the guards are for what tenants do here */
        done = py_kill(t, false);
        me->unloved = before;
        if (done == NULL)
            PyErr_WriteUnraisable(self);
        Py_XDECREF(done);
    }
    if (py_begun(t) || t->frozen != NULL) /* a collection may find that it is known after all */
        py_state_refinalize(self);
    if (py_floats(t) && Py_REFCNT(self) == 1) {
        PyObject *gc = PyImport_ImportModule("gc"), *garbage = gc != NULL ? PyObject_GetAttrString(gc, "garbage") : NULL;

        if (garbage == NULL || PyList_Append(garbage, self) != 0)
            Py_INCREF(self); /* leaked: its stack knows it */
        Py_XDECREF(garbage);
        Py_XDECREF(gc);
        PyErr_Clear();
    }
    PyErr_Restore(type, value, traceback);
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    py_tasklet *t = (py_tasklet *)self;

    Py_VISIT(t->dict);
    Py_VISIT(t->func);
    Py_VISIT(t->args);
    Py_VISIT(t->kwargs);
    Py_VISIT(t->tempval);
    Py_VISIT(t->context);
    Py_VISIT(t->watchers);
    return t->frozen != NULL ? py_frozen_visit(t->frozen, visit, arg) : 0;
}

static int clear(PyObject *self)
{
    py_tasklet *t = (py_tasklet *)self;

    Py_CLEAR(t->dict);
    Py_CLEAR(t->func);
    Py_CLEAR(t->args);
    Py_CLEAR(t->kwargs);
    Py_CLEAR(t->tempval);
    Py_CLEAR(t->context);
    Py_CLEAR(t->watchers);
    if (t->frozen != NULL && !py_begun(t))
        py_forget_frozen(t);
    return 0;
}

static void dealloc(PyObject *self)
{
    py_tasklet *t = (py_tasklet *)self;

    if (py_begun(t) || t->frozen != NULL) /* it was finalized before, and known again afterwards */
        py_state_refinalize(self);
    if (PyObject_CallFinalizerFromDealloc(self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    if (t->weak != NULL)
        PyObject_ClearWeakRefs(self);
    if (py_begun(t)) /* its thread has ended, and its stack has stayed */
        t->task->engine = NULL;
    (void)clear(self);
    py_thread_put(t->thread);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *repr(PyObject *self)
{
    const py_tasklet *t = (py_tasklet *)self;
    const char *what = !py_alive(t) ? "dead" : py_blocked(t) ? "blocked" : py_queued(t) ? "scheduled" : "paused";

    return PyUnicode_FromFormat("<%s, %s at %p>", Py_TYPE(self)->tp_name, what, self);
}

static PyAsyncMethods async_methods = { .am_await = py_await };

PyTypeObject slp_tasklet_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stackless.tasklet",
    .tp_basicsize = sizeof(py_tasklet),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "tasklet(func=None, args=None, kwargs=None): a function that takes turns with others, on a stack of its own.",
    .tp_new = PyType_GenericNew,
    .tp_init = init,
    .tp_call = setup,
    .tp_repr = repr,
    .tp_finalize = finalize,
    .tp_dealloc = dealloc,
    .tp_free = PyObject_GC_Del,
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_dictoffset = offsetof(py_tasklet, dict),
    .tp_weaklistoffset = offsetof(py_tasklet, weak),
    .tp_getset = slp_tasklet_attrs,
    .tp_as_async = &async_methods,
    .tp_iter = NULL,
};
