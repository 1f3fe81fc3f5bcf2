/* call_error.c - see call_error.h. */
#include "worker/engines/python/call_error.h"

#include <errno.h>
#include <string.h>

#include "call_errors.h"
#include "worker/engines/python/message.h"
#include "worker/engines/python/task.h"

/* errors.make(name, message, all that the failure says) -> the exception */
PyObject *python_call_raise_failure(const Pb__CallFailure *f)
{
    const struct call_error_row *row = call_error(f->error);
    PyObject *module = PyImport_ImportModule("coop.errors"), *all, *error = NULL;

    all = module != NULL ? python_message_read(&f->base) : NULL;
    if (all != NULL)
        error = PyObject_CallMethod(module, "make", "ssO", row->name, f->message != NULL && f->message[0] != '\0' ? f->message : row->what,
                                    all);
    if (error != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
    Py_XDECREF(all);
    Py_XDECREF(module);
    return NULL;
}

PyObject *python_call_raise(Pb__CallError error, const char *message, const char *path)
{
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;

    f.error = error;
    if (message != NULL)
        f.message = (char *)message;
    if (path != NULL)
        f.path = (char *)path;
    return python_call_raise_failure(&f);
}

PyObject *python_call_raise_packed(const struct packed_error *e)
{
    return python_call_raise(e->error, e->message, e->path);
}

/* The cancel of a job, and the interrupt of a call, are a signal of Python's too: that says what is raised. */
static PyObject *cancelled(void)
{
    if (PyErr_CheckSignals() == 0)
        PyErr_SetNone(PyExc_KeyboardInterrupt);
    return NULL;
}

int python_call_came_back(int rc)
{
    const PyObject *value = py_thread != NULL ? py_current()->tempval : NULL;

    if (rc != 0 && rc != -ETIMEDOUT)
        return rc;
    return value != NULL && Py_IS_TYPE(value, &slp_bomb_type) ? -EINTR : rc;
}

/* Something was thrown at the tasklet while it waited. */
static PyObject *woken(int rc)
{
    PyObject *value = py_thread != NULL ? py_came_back(py_current(), rc) : NULL;

    Py_XDECREF(value);
    if (PyErr_Occurred() == NULL)
        PyErr_SetString(PyExc_RuntimeError, "somebody else has woken this tasklet");
    return NULL;
}

PyObject *python_call_failed(int rc)
{
    if (PyErr_Occurred() != NULL)
        return NULL;
    switch (rc) {
    case -EINTR: return woken(rc);
    case -ECANCELED: return cancelled();
    case -ENOMEM: return PyErr_NoMemory();
    case -EDQUOT: return python_call_raise(PB__CALL_ERROR__CALL_ERROR_LIMIT, "too many asks are open", NULL);
    case -E2BIG: return python_call_raise(PB__CALL_ERROR__CALL_ERROR_TOO_BIG, NULL, NULL);
    case -ETIMEDOUT: return python_call_raise(PB__CALL_ERROR__CALL_ERROR_TIMED_OUT, NULL, NULL);
    case -EPIPE: return python_call_raise(PB__CALL_ERROR__CALL_ERROR_BAD_HANDLE, "it was asked by the template", NULL);
    case -EPERM: PyErr_SetString(PyExc_RuntimeError, "nothing may wait here"); return NULL;
    default: return python_call_raise(PB__CALL_ERROR__CALL_ERROR_INTERNAL, strerror(-rc), NULL);
    }
}
