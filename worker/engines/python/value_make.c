/* value_make.c - see value.h: to Python. */
#include "worker/engines/python/value.h"

#include <errno.h>

#include "worker/engines/python/call_error.h"
#include "worker/engines/python/handle.h"

struct making {
    struct value_reader r;
    const Pb__Value *v;
    PyObject *handles[VALUE_HANDLES]; /* one object each, wherever it stands; NULL: not met yet */
};

static PyObject *not_a_value(void)
{
    return python_call_raise(PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE, "what has come is not a value", NULL);
}

static PyObject *make_item(struct making *m, const struct value_item *item);

static PyObject *make_next(struct making *m)
{
    struct value_item item;

    return value_next(&m->r, &item) == 0 ? make_item(m, &item) : not_a_value();
}

/* The reader has seen that so many may follow. */
static PyObject *make_list(struct making *m, size_t n)
{
    PyObject *list = PyList_New((Py_ssize_t)n);

    for (size_t i = 0; list != NULL && i < n; i++) {
        PyObject *o = make_next(m);

        if (o == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, o);
    }
    return list;
}

/* 1, 1.0 and True are one key in Python; others may tell them apart. */
static int add_pair(PyObject *dict, PyObject *key, PyObject *value)
{
    int taken = PyDict_Contains(dict, key);

    if (taken > 0)
        (void)python_call_raise(PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE,
                                "what has come has a number and a boolean as keys that are one in Python", NULL);
    return taken != 0 ? -1 : PyDict_SetItem(dict, key, value);
}

static PyObject *make_map(struct making *m, size_t n)
{
    PyObject *dict = PyDict_New();

    for (size_t i = 0; dict != NULL && i < n; i++) {
        PyObject *key = make_next(m), *value = key != NULL ? make_next(m) : NULL;

        if (value == NULL || add_pair(dict, key, value) != 0)
            Py_CLEAR(dict);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *make_big(const struct value_item *item)
{
    char digits[VALUE_BIG_DIGITS + 2];

    if (item->len >= sizeof(digits))
        return not_a_value();
    memcpy(digits, item->bytes, item->len);
    digits[item->len] = '\0';
    return PyLong_FromString(digits, NULL, 10);
}

static PyObject *make_handle(struct making *m, uint32_t place)
{
    if (place >= VALUE_HANDLES)
        return not_a_value();
    if (m->handles[place] == NULL)
        m->handles[place] = python_handle_new(m->v->handles[place]);
    return Py_XNewRef(m->handles[place]);
}

static PyObject *make_item(struct making *m, const struct value_item *item)
{
    switch (item->type) {
    case VALUE_NULL: Py_RETURN_NONE;
    case VALUE_BOOL: return PyBool_FromLong(item->boolean);
    case VALUE_INT: return PyLong_FromLongLong(item->integer);
    case VALUE_BIG: return make_big(item);
    case VALUE_DOUBLE: return PyFloat_FromDouble(item->number);
    case VALUE_TEXT: return PyUnicode_DecodeUTF8(item->bytes, (Py_ssize_t)item->len, NULL);
    case VALUE_DATA: return PyBytes_FromStringAndSize(item->bytes, (Py_ssize_t)item->len);
    case VALUE_LIST: return make_list(m, item->count);
    case VALUE_MAP: return make_map(m, item->count);
    case VALUE_HANDLE: return make_handle(m, item->handle);
    }
    return not_a_value();
}

static PyObject *make_all(struct making *m)
{
    struct value_item item;
    PyObject *o = make_next(m);

    if (o == NULL || value_next(&m->r, &item) == -ENODATA)
        return o;
    Py_DECREF(o);
    return python_call_raise(PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE, "what has come is not a value, but more", NULL);
}

/* Those that came along and stand nowhere are given back. */
static void forget_handles(struct making *m)
{
    for (size_t i = 0; i < m->v->n_handles && i < VALUE_HANDLES; i++) {
        if (m->handles[i] == NULL)
            python_handle_give_back(m->v->handles[i]->handle);
        Py_XDECREF(m->handles[i]);
    }
}

/* The encoding lies at bytes; nothing follows it. */
static PyObject *make_from(const Pb__Value *v, const void *bytes, size_t len, size_t max)
{
    struct making *m = PyMem_Calloc(1, sizeof(*m)); /* not on the stack: value.c */
    PyObject *o;

    if (m == NULL)
        return PyErr_NoMemory();
    m->v = v;
    if (value_reader_init(&m->r, bytes, len, max, (uint32_t)v->n_handles) != 0)
        o = python_call_raise(PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "what has come is too big", NULL);
    else
        o = make_all(m);
    forget_handles(m);
    PyMem_Free(m);
    return o;
}

static PyObject *make_whole(const Pb__Value *v)
{
    PyObject *buffer = python_handle_new(v->whole), *o = NULL;
    Py_buffer b;

    if (buffer == NULL)
        return NULL;
    if (PyObject_GetBuffer(buffer, &b, PyBUF_SIMPLE) == 0) {
        o = make_from(v, b.buf, (size_t)b.len, VALUE_WHOLE_BYTES);
        PyBuffer_Release(&b);
    }
    Py_DECREF(buffer); /* which gives it back */
    return o;
}

PyObject *python_value_make(const Pb__Value *v)
{
    if (v == NULL || (v->cbor.len == 0 && v->whole == NULL))
        Py_RETURN_NONE;
    return v->whole != NULL ? make_whole(v) : make_from(v, v->cbor.data, v->cbor.len, VALUE_BYTES);
}
