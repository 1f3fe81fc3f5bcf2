/*
 * freeze_step.c - see freeze.h: what somebody awaits who wants a value of an async generator (asend(), athrow(), aclose()), and what __await__() of a
 * coroutine returns. CPython 3.11.
 *
 * Steps: while one is under way its generator takes no other. So of a generator that waits in one, the step goes along, or nothing does.
 */
#include "worker/engines/python/freeze.h"

enum { IS_NEW, IS_UNDER_WAY, HAS_ENDED };

/* PyAsyncGenASend and PyAsyncGenAThrow, as Objects/genobject.c has them; nobody else sees more than their types. */
struct step {
    PyObject_HEAD PyGenObject *gen;
    PyObject *with; /* asend()'s value, athrow()'s arguments; NULL: None, aclose() */
    int state;
};

static PyTypeObject *const types[] = { &_PyAsyncGenASend_Type, &_PyAsyncGenAThrow_Type }; /* by their numbers in blobs */

struct wrapper {
    PyObject_HEAD PyObject *coroutine;
};

static int type_of(PyObject *o)
{
    return Py_IS_TYPE(o, types[1]);
}

PyObject *py_reduce_step(struct py_dump *d, PyObject *o)
{
    const struct step *s = (struct step *)o;

    d->used = true;
    if (s->state == IS_UNDER_WAY && PyDict_SetItem(d->steps, (PyObject *)s->gen, Py_True) != 0)
        return NULL;
    return py_reduced("step", Py_BuildValue("(iO)", type_of(o), s->gen), "set_step", Py_BuildValue("(Oi)", py_or_none(s->with), s->state));
}

PyObject *py_reduce_await(struct py_dump *d, PyObject *o)
{
    d->used = true;
    return Py_BuildValue("(N())", PyObject_GetAttrString(((struct wrapper *)o)->coroutine, "__await__"));
}

int py_dump_waits_in_step(struct py_dump *d, PyObject *gen)
{
    return PyDict_SetDefault(d->steps, gen, Py_False) != NULL ? 0 : -1;
}

/* step(type, generator): one that has ended, until it has its state. */
static PyObject *make_step(PyObject *self, PyObject *args)
{
    struct step *s;
    PyObject *gen;
    int type;

    (void)self;
    if (!py_load_is_open("a step") || !PyArg_ParseTuple(args, "iO!:step", &type, &PyAsyncGen_Type, &gen))
        return NULL;
    if (type < 0 || type > 1 || types[type]->tp_basicsize != sizeof(*s))
        return py_freeze_error("UnpicklingError", "an async generator has no step %d", type);
    s = PyObject_GC_New(struct step, types[type]);
    if (s == NULL)
        return NULL;
    s->gen = (PyGenObject *)Py_NewRef(gen);
    s->with = NULL;
    s->state = HAS_ENDED;
    PyObject_GC_Track(s);
    return (PyObject *)s;
}

/* set_step(step, (with, state)) */
static PyObject *set_step(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    PyObject *with;
    struct step *s;
    int state;

    (void)self;
    if (!py_load_is_open("a step"))
        return NULL;
    if (n != 2 || (!Py_IS_TYPE(args[0], types[0]) && !Py_IS_TYPE(args[0], types[1])) || !PyTuple_CheckExact(args[1]))
        return py_freeze_error("UnpicklingError", "a step has a state of other types");
    s = (struct step *)args[0];
    if (!PyArg_ParseTuple(args[1], "Oi;a step's state", &with, &state))
        return NULL;
    if (s->state != HAS_ENDED || s->with != NULL || state < IS_NEW || state > HAS_ENDED ||
        (type_of(args[0]) == 1 && with != Py_None && !PyTuple_CheckExact(with)))
        return py_freeze_error("UnpicklingError", "a step has a state of other types");
    s->with = with != Py_None ? Py_NewRef(with) : NULL;
    s->state = state;
    Py_RETURN_NONE;
}

PyMethodDef py_freeze_step_functions[] = {
    {"step",      make_step,                             METH_VARARGS,  NULL},
    { "set_step", (PyCFunction)(void (*)(void))set_step, METH_FASTCALL, NULL},
    { NULL,       NULL,                                  0,             NULL}
};
