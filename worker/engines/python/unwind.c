/*
 * unwind.c - see unwind.h. CPython 3.11.
 *
 * Where an error goes is in the table of a code object. Each frame gets a copy of its code, with an empty table, and goes on at the same place in that.
 * Those who run the same code elsewhere, destructors of what the frames hold among them, keep the one they have.
 */
#include "worker/engines/python/unwind.h"

#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>

static PyObject *without_handlers(PyCodeObject *code)
{
    PyObject *replace = PyObject_GetAttrString((PyObject *)code, "replace"), *none = PyTuple_New(0), *copy = NULL;
    PyObject *table = Py_BuildValue("{s:y#}", "co_exceptiontable", "", (Py_ssize_t)0);

    if (replace != NULL && none != NULL && table != NULL)
        copy = PyObject_Call(replace, none, table);
    Py_XDECREF(table);
    Py_XDECREF(none);
    Py_XDECREF(replace);
    return copy;
}

/* The frames' codes, and their copies, innermost first. NULL with an error. */
static PyObject *copies_for(const PyThreadState *ts)
{
    PyObject *list = PyList_New(0);

    for (const _PyInterpreterFrame *f = ts->cframe->current_frame; list != NULL && f != NULL; f = f->previous) {
        PyObject *copy = without_handlers(f->f_code), *pair = copy != NULL ? PyTuple_Pack(2, (PyObject *)f->f_code, copy) : NULL;

        if (pair == NULL || PyList_Append(list, pair) != 0)
            Py_CLEAR(list);
        Py_XDECREF(copy);
        Py_XDECREF(pair);
    }
    return list;
}

/* The interpreter's loop still looks at the old code where it stands: that lives in the list. */
static void put_in(_PyInterpreterFrame *f, PyCodeObject *copy)
{
    PyCodeObject *old = f->f_code;

    f->prev_instr = _PyCode_CODE(copy) + (f->prev_instr - _PyCode_CODE(old));
    f->f_code = (PyCodeObject *)Py_NewRef((PyObject *)copy);
    Py_DECREF((PyObject *)old);
}

PyObject *py_unwind_prepare(PyThreadState *ts)
{
    PyObject *list = copies_for(ts);
    Py_ssize_t i = 0;

    if (list == NULL)
        return NULL;
    for (_PyInterpreterFrame *f = ts->cframe->current_frame; f != NULL && i < PyList_GET_SIZE(list); f = f->previous, i++) {
        PyObject *pair = PyList_GET_ITEM(list, i);

        put_in(f, (PyCodeObject *)PyTuple_GET_ITEM(pair, 1));
    }
    return list;
}
