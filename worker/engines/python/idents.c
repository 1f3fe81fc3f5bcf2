/* idents.c - see locks.h: who a tasklet is to Python, how it sleeps, and what _thread and time have from us. */
#include <errno.h>

#include "worker/engines/python/locks.h"

unsigned long py_ident(void)
{
    PyThreadState *ts = py_state_current();
    py_tasklet *t = py_thread != NULL ? py_current() : NULL;

    if (t != NULL)
        t->named = true;
    return ts->thread_id;
}

bool py_has_others(void)
{
    return py_thread != NULL && sched->alive > 0 && sched->current->state == TASK_RUNNING && py_state_busy(py_current()->ts) == NULL &&
           sched->switch_trap == 0;
}

/* ---- the module's functions ---------------------------------------------------------------------------------------------------- */

static PyObject *allocate_lock(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return py_lock_new(&py_lock_type, NULL, NULL);
}

static PyObject *get_ident(PyObject *self, PyObject *nothing)
{
    (void)self;
    (void)nothing;
    return PyLong_FromUnsignedLong(py_ident());
}

void py_locks_forget(unsigned long id)
{
    static PyObject *name;
    PyObject *threading, *active, *key;

    if (name == NULL)
        name = PyUnicode_InternFromString("threading");
    threading = name != NULL ? PyImport_GetModule(name) : NULL;
    active = threading != NULL ? PyObject_GetAttrString(threading, "_active") : NULL;
    key = PyLong_FromUnsignedLong(id);

    if (active != NULL && key != NULL && PyDict_Contains(active, key) == 1)
        (void)PyDict_DelItem(active, key);
    PyErr_Clear();
    Py_XDECREF(key);
    Py_XDECREF(active);
    Py_XDECREF(threading);
}

static PyObject *time_sleep; /* time's own */

/* sleep(seconds): of a tasklet among others: they run. */
static PyObject *py_sleep(PyObject *self, PyObject *seconds)
{
    py_tasklet *me;
    double s;
    int rc;

    (void)self;
    if (!py_has_others() || (!PyFloat_Check(seconds) && !PyLong_Check(seconds)))
        return PyObject_CallOneArg(time_sleep, seconds);
    s = PyFloat_AsDouble(seconds);
    if (!(s >= 0 && s < 1e9)) {
        PyErr_Clear();
        return PyObject_CallOneArg(time_sleep, seconds);
    }
    me = py_current();
    py_set_tempval(me, NULL);
    rc = task_block(NULL, coop_after((int64_t)(s * 1e6)), "sleep", NULL);
    return py_came_back(me, rc == -ETIMEDOUT ? 0 : rc);
}

static PyMethodDef functions[] = {
    {"get_ident",      get_ident,     METH_NOARGS, "get_ident() -> int: of the thread, or of the tasklet."},
    { "allocate_lock", allocate_lock, METH_NOARGS, "allocate_lock() -> lock"                              },
    { "allocate",      allocate_lock, METH_NOARGS, NULL                                                   },
    { "sleep",         py_sleep,      METH_O,      "sleep(seconds): other tasklets run meanwhile."        },
    { NULL,            NULL,          0,           NULL                                                   }
};

static int set(PyObject *module, const char *name, PyObject *value)
{
    int rc = module != NULL && value != NULL ? PyObject_SetAttrString(module, name, value) : -1;

    Py_XDECREF(value);
    return rc;
}

static int set_time(void)
{
    PyObject *time = PyImport_ImportModule("time");

    time_sleep = time != NULL ? PyObject_GetAttrString(time, "sleep") : NULL;
    return time_sleep != NULL ? set(time, "sleep", PyCFunction_New(&functions[3], NULL)) : -1;
}

int py_locks_install(void)
{
    PyObject *thread = PyImport_ImportModule("_thread");
    int rc = thread != NULL && PyType_Ready(&py_lock_type) == 0 && PyType_Ready(&py_rlock_type) == 0 ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < 3; i++)
        rc = set(thread, functions[i].ml_name, PyCFunction_New(&functions[i], NULL));
    if (rc == 0)
        rc = set(thread, "LockType", Py_NewRef((PyObject *)&py_lock_type));
    if (rc == 0)
        rc = set(thread, "RLock", Py_NewRef((PyObject *)&py_rlock_type));
    if (rc == 0)
        rc = set_time();
    Py_XDECREF(thread);
    return rc;
}
