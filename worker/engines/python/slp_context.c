/* slp_context.c - see slp.h: the context of a tasklet, as contextvars has it: whose it is, and calls in it. */
#include "worker/engines/python/slp.h"

/* Its own, which is made when there is none. Borrowed; NULL with an error. */
static PyObject *context_of(py_tasklet *t)
{
    PyObject *made;

    if (py_begun(t) && py_state_context(t->ts) != NULL)
        return py_state_context(t->ts);
    if (!py_begun(t) && t->context != NULL)
        return t->context;
    made = PyContext_New();
    if (made == NULL)
        return NULL;
    if (py_begun(t))
        py_state_set_context(t->ts, made);
    else
        t->context = Py_NewRef(made);
    t->own_context = !py_begun(t);
    Py_DECREF(made);
    return made;
}

static int may_set(const py_tasklet *t, PyObject *context)
{
    if (!PyContext_CheckExact(context)) {
        PyErr_Format(PyExc_TypeError, "set_context() argument must be a contextvars.Context, not %s", Py_TYPE(context)->tp_name);
        return -1;
    }
    if (py_here() != 0)
        return -1;
    if (py_begun(t) && t->thread != py_thread && !py_floats(t))
        PyErr_SetString(PyExc_RuntimeError, "tasklet belongs to a different thread");
    else if (py_begun(t) && py_state_context_entered(t->ts))
        PyErr_SetString(PyExc_RuntimeError, "the current context of the tasklet has been entered");
    return PyErr_Occurred() != NULL ? -1 : 0;
}

static PyObject *set_context(PyObject *self, PyObject *context)
{
    py_tasklet *t = (py_tasklet *)self;

    if (may_set(t, context) != 0)
        return NULL;
    if (py_begun(t)) {
        py_state_set_context(t->ts, context);
    } else {
        Py_XSETREF(t->context, Py_NewRef(context));
        t->own_context = true;
    }
    return Py_NewRef(self);
}

/* context_run(f, *args, **kwargs): whoever calls has the other's context meanwhile, in its own turns too. */
static PyObject *context_run(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *context, *before, *rest, *result;
    py_tasklet *me;

    if (PyTuple_GET_SIZE(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "context_run() missing 1 required positional argument: 'callable'");
        return NULL;
    }
    if (py_here() != 0 || (context = context_of((py_tasklet *)self)) == NULL)
        return NULL;
    rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    if (rest == NULL)
        return NULL;
    me = py_current();
    before = Py_XNewRef(py_state_context(me->ts));
    py_state_set_context(me->ts, context);
    result = PyObject_Call(PyTuple_GET_ITEM(args, 0), rest, kwargs);
    py_state_set_context(me->ts, before);
    Py_XDECREF(before);
    Py_DECREF(rest);
    return result;
}

PyObject *slp_context_id(PyObject *self, void *closure)
{
    PyObject *context = context_of((py_tasklet *)self);

    (void)closure;
    return context != NULL ? PyLong_FromVoidPtr(context) : NULL;
}

PyMethodDef slp_context_methods[] = {
    {"set_context",  set_context,                              METH_O,                       "set_context(context): it runs in that; the tasklet."},
    { "context_run", (PyCFunction)(void (*)(void))context_run, METH_VARARGS | METH_KEYWORDS,
     "context_run(f, *args, **kwargs): f(*args, **kwargs) in the tasklet's context."                                                              },
    { NULL,          NULL,                                     0,                            NULL                                                 }
};
