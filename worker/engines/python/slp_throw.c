/* slp_throw.c - see slp.h: errors for other tasklets. */
#include <errno.h>

#include "worker/engines/python/slp.h"

static bool is_exit(PyObject *bomb)
{
    PyObject *type = PyObject_GetAttrString(bomb, "type");
    bool yes = type != NULL && PyErr_GivenExceptionMatches(type, slp_tasklet_exit);

    Py_XDECREF(type);
    return yes;
}

/* To end what has ended already is no error; to raise anything else there is. The bomb is taken over. */
static PyObject *throw_to_dead(PyObject *bomb)
{
    bool ok = is_exit(bomb);

    Py_DECREF(bomb);
    if (ok)
        Py_RETURN_NONE;
    PyErr_SetString(PyExc_RuntimeError, "You cannot throw to a dead tasklet");
    return NULL;
}

/* One that has not begun has nothing to clean up. */
static PyObject *drop(py_tasklet *t, PyObject *bomb)
{
    Py_DECREF(bomb);
    if (t->posted)
        py_unpost(t);
    slp_unbind(t);
    Py_CLEAR(t->func);
    Py_RETURN_NONE;
}

/* Its thread may have ended: then it is as dead as can be, and a kill makes it so. */
static PyObject *throw_elsewhere(py_tasklet *t, PyObject *bomb)
{
    if (!py_is_stranded(t))
        return py_throw_abroad(t, bomb);
    if (py_begun(t) && is_exit(bomb))
        py_abandon(t);
    return throw_to_dead(bomb);
}

/* It is in the run queue with the bomb as what it comes back with. */
static int hand_over(py_tasklet *t, PyObject *bomb)
{
    py_set_tempval(t, bomb);
    if (py_begun(t))
        py_wake(t, 0);
    return py_begun(t) ? 0 : py_begin(t);
}

PyObject *py_throw(py_tasklet *t, PyObject *bomb, bool pending)
{
    PyObject *result;

    if (bomb == NULL)
        return NULL;
    if (py_may_switch() != 0) {
        Py_DECREF(bomb);
        return NULL;
    }
    if (t == py_current())
        return py_explode(bomb);
    if (!py_alive(t))
        return throw_to_dead(bomb);
    if (!py_begun(t) && t->frozen == NULL && is_exit(bomb))
        return drop(t, bomb);
    if (py_is_elsewhere(t))
        return throw_elsewhere(t, bomb);
    if (sched->switch_trap > 0 && !pending) {
        Py_DECREF(bomb);
        return py_failed(-EPERM);
    }
    if (hand_over(t, bomb) != 0)
        return NULL;
    if (pending)
        Py_RETURN_NONE;
    Py_INCREF(t);
    result = py_switch_to(t, true);
    Py_DECREF(t);
    return result;
}

PyObject *py_kill(py_tasklet *t, bool pending)
{
    return py_throw(t, py_bomb_of(slp_tasklet_exit, NULL, NULL), pending);
}

/* throw(exc, val=None, tb=None, pending=False) */
static PyObject *throw_it(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "exc", "val", "tb", "pending", NULL };
    PyObject *type, *value = NULL, *traceback = NULL;
    int pending = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOp:throw", names, &type, &value, &traceback, &pending))
        return NULL;
    return py_throw((py_tasklet *)self, py_bomb_of(type, value, traceback), pending);
}

/* raise_exception(cls, *args): made in the target. */
static PyObject *raise_exception(PyObject *self, PyObject *args)
{
    PyObject *type, *rest, *result;

    if (PyTuple_GET_SIZE(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "raise_exception() takes at least 1 argument (0 given)");
        return NULL;
    }
    type = PyTuple_GET_ITEM(args, 0);
    if (!PyExceptionClass_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "raise_exception() argument 1 must be an exception class");
        return NULL;
    }
    rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    if (rest == NULL)
        return NULL;
    result = py_throw((py_tasklet *)self, py_bomb_of(type, rest, NULL), false);
    Py_DECREF(rest);
    return result;
}

/* kill(pending=False) */
static PyObject *kill_it(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "pending", NULL };
    int pending = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:kill", names, &pending))
        return NULL;
    return py_kill((py_tasklet *)self, pending);
}

#define METHOD(f) ((PyCFunction)(void (*)(void))(f))

PyMethodDef slp_throw_methods[] = {
    {"throw",            METHOD(throw_it),        METH_VARARGS | METH_KEYWORDS,
     "throw(exc, val=None, tb=None, pending=False): raised in the tasklet, now or when its turn comes."                                                 },
    { "raise_exception", METHOD(raise_exception), METH_VARARGS,                 "raise_exception(cls, *args): cls(*args) is raised in the tasklet, now."},
    { "kill",            METHOD(kill_it),         METH_VARARGS | METH_KEYWORDS, "kill(pending=False): TaskletExit is raised in it."                     },
    { NULL,              NULL,                    0,                            NULL                                                                    }
};
