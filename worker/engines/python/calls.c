/* calls.c - what the modules of lib/ need beside asking: the module _coop's functions for them. */
#include "worker/engines/python/calls.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "job_limits.h"
#include "worker/engines/python/asking.h"
#include "worker/engines/python/handle.h"
#include "worker/engines/python/message.h"
#include "worker/engines/python/value.h"

/* why_not_shareable(value) -> None, or where and why */
static PyObject *why_not_shareable(PyObject *self, PyObject *value)
{
    struct packed p = { .cbor = NULL };
    struct packed_error e;
    int rc = python_value_pack(value, "value", &p, &e);

    (void)self;
    packed_finish(&p);
    if (rc == 0)
        Py_RETURN_NONE;
    return e.error == PB__CALL_ERROR__CALL_ERROR_TEMPORARY ? PyErr_NoMemory() : Py_BuildValue("(ss)", e.path, e.message);
}

/* A number is seconds, bytes or a count; text is read as the command's --limit is: "200ms", "64M". */
static int read_limit(Pb__Limits *l, const char *name, PyObject *value)
{
    const struct limits_row *row = limits_find(name);
    char text[128], why[LIMITS_WHY];
    double n;

    if (row == NULL)
        return PyErr_Format(PyExc_ValueError, "there is no limit '%s'", name), -1;
    if (PyUnicode_Check(value)) {
        snprintf(text, sizeof(text), "%s=%s", name, PyUnicode_AsUTF8(value));
        return limits_parse(text, l, why) == 0 ? 0 : (PyErr_SetString(PyExc_ValueError, why), -1);
    }
    n = PyFloat_AsDouble(value);
    if (n == -1.0 && PyErr_Occurred() != NULL)
        return -1;
    n *= row->kind == LIMITS_TIME ? 1e6 : 1;
    if (!(n >= 0 && n < 1e18))
        return PyErr_Format(PyExc_ValueError, "limit '%s' is out of range", name), -1;
    *(uint64_t *)((char *)l + row->offset) = (uint64_t)ceil(n);
    return 0;
}

/* limits({name: number or text}) -> the fields of a Limits */
static PyObject *limits(PyObject *self, PyObject *dict)
{
    Pb__Limits l = PB__LIMITS__INIT;
    PyObject *key, *value;
    Py_ssize_t at = 0;

    (void)self;
    if (!PyDict_CheckExact(dict))
        return PyErr_Format(PyExc_TypeError, "limits must be a dict");
    while (PyDict_Next(dict, &at, &key, &value)) {
        const char *name = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : NULL;

        if (name == NULL)
            return PyErr_Occurred() != NULL ? NULL : PyErr_Format(PyExc_TypeError, "limits must have names as keys");
        if (read_limit(&l, name, value) != 0)
            return NULL;
    }
    return python_message_read(&l.base);
}

static PyMethodDef functions[] = {
    {"why_not_shareable", why_not_shareable, METH_O, NULL},
    { "limits",           limits,            METH_O, NULL},
    { NULL,               NULL,              0,      NULL}
};

int python_calls_add(PyObject *module)
{
    if (PyModule_AddFunctions(module, functions) != 0 || python_lib_modules_add(module) != 0 || python_handle_add(module) != 0)
        return -1;
    return python_asking_add(module);
}
