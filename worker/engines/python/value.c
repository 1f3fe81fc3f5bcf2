/* value.c - see value.h: from Python. */
#include "worker/engines/python/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engines/python/handle.h"

/* One value on its way out. */
struct packing {
    struct value_writer w;
    struct value_path path;
    const PyObject *open[VALUE_DEPTH + 1]; /* that the current one lies in */
    int depth;
    struct packed *packed;
    struct packed_error *e;
};

static bool put(struct packing *p, PyObject *o);

/* ---- what cannot be ------------------------------------------------------------------------------------------------------------ */

static bool refuse(struct packing *p, Pb__CallError error, const char *message)
{
    p->e->error = error;
    memcpy(p->e->path, p->path.text, sizeof(p->e->path));
    snprintf(p->e->message, sizeof(p->e->message), "%s", message);
    return false;
}

static bool not_shareable(struct packing *p, const char *what, const char *type)
{
    char text[160];

    snprintf(text, sizeof(text), "%s%.100s cannot be sent", what, type);
    return refuse(p, PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE, text);
}

static bool no_memory(struct packing *p)
{
    PyErr_Clear();
    return refuse(p, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "not enough memory");
}

static bool too_deep(struct packing *p)
{
    return refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_DEEP, "lists and maps nest too deeply");
}

/* After each item: what the writer says of it. */
static bool written(struct packing *p)
{
    switch (p->w.error) {
    case 0: return true;
    case -ELOOP: return too_deep(p);
    case -E2BIG: return refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "the value is too big: use a buffer");
    case -ENOMEM: return no_memory(p);
    default: return not_shareable(p, "this", "");
    }
}

/* An exception of Python's own: for want of memory, or of what is said. */
static bool failed(struct packing *p, const char *what)
{
    bool starved = PyErr_ExceptionMatches(PyExc_MemoryError) != 0;

    PyErr_Clear();
    return starved ? no_memory(p) : not_shareable(p, what, "");
}

/* ---- scalars ------------------------------------------------------------------------------------------------------------------- */

/* Digits by int's own method, whatever a class derived from it says; as many as the interpreter turns into text. */
static bool put_big(struct packing *p, PyObject *o)
{
    PyObject *digits;
    const char *s;
    Py_ssize_t len;

    if (_PyLong_NumBits(o) > (size_t)VALUE_BIG_DIGITS * 4)
        return refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "an integer of too many digits");
    digits = _PyLong_Format(o, 10);
    s = digits != NULL ? PyUnicode_AsUTF8AndSize(digits, &len) : NULL;
    if (s == NULL) {
        Py_XDECREF(digits);
        if (PyErr_ExceptionMatches(PyExc_MemoryError))
            return no_memory(p);
        PyErr_Clear();
        return refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "an integer of too many digits");
    }
    value_big(&p->w, s, (size_t)len);
    Py_DECREF(digits);
    return p->w.error == -EPROTO ? refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "an integer of too many digits") : written(p);
}

static bool put_int(struct packing *p, PyObject *o)
{
    int overflow;
    long long i = PyLong_AsLongLongAndOverflow(o, &overflow);

    if (overflow != 0)
        return put_big(p, o);
    value_int(&p->w, i);
    return written(p);
}

static bool put_text(struct packing *p, PyObject *o)
{
    Py_ssize_t len;
    const char *s = PyUnicode_AsUTF8AndSize(o, &len);

    if (s == NULL)
        return failed(p, "text with half a character of two (a lone surrogate)");
    value_text(&p->w, s, (size_t)len);
    return written(p);
}

static bool put_buffer(struct packing *p, PyObject *o)
{
    Py_buffer b;

    if (PyObject_GetBuffer(o, &b, PyBUF_CONTIG_RO) != 0)
        return failed(p, "memory that does not lie in one piece");
    value_data(&p->w, b.buf, (size_t)b.len);
    PyBuffer_Release(&b);
    return written(p);
}

static bool put_handle(struct packing *p, const struct python_handle *h)
{
    int place;

    if (h->number == 0)
        return not_shareable(p, "an object that was closed", "");
    place = packed_add_handle(p->packed, h->number);
    if (place == -E2BIG)
        return refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "too many handles in one value");
    if (place < 0)
        return no_memory(p);
    value_handle(&p->w, (uint32_t)place);
    return written(p);
}

/* ---- lists and maps ------------------------------------------------------------------------------------------------------------- */

static bool enter(struct packing *p, PyObject *o)
{
    for (int i = 0; i < p->depth; i++)
        if (p->open[i] == o)
            return not_shareable(p, Py_TYPE(o)->tp_name, " that contains itself");
    if (p->depth == VALUE_DEPTH)
        return too_deep(p);
    p->open[p->depth++] = o;
    return true;
}

static bool leave(struct packing *p)
{
    p->depth--;
    value_end(&p->w);
    return written(p);
}

/* Of a list or a tuple: the items themselves, by no method. */
static bool put_list(struct packing *p, PyObject *o)
{
    Py_ssize_t n = PySequence_Fast_GET_SIZE(o);

    if (!enter(p, o))
        return false;
    value_list(&p->w, (size_t)n);
    for (Py_ssize_t i = 0; i < n; i++) {
        size_t mark = value_path_index(&p->path, (size_t)i + 1);

        if (!written(p) || !put(p, PySequence_Fast_GET_ITEM(o, i)))
            return false;
        value_path_back(&p->path, mark);
    }
    return leave(p);
}

/* How the path names a key. False: it is of a type that is none. */
static bool key_item(PyObject *key, struct value_item *ret)
{
    Py_ssize_t len = 0;

    memset(ret, 0, sizeof(*ret));
    if (PyBool_Check(key)) {
        ret->type = VALUE_BOOL;
        ret->boolean = key == Py_True;
    } else if (PyLong_Check(key)) {
        int overflow;

        ret->type = VALUE_INT;
        ret->integer = PyLong_AsLongLongAndOverflow(key, &overflow);
        return overflow == 0;
    } else if (PyFloat_Check(key)) {
        ret->type = VALUE_DOUBLE;
        ret->number = PyFloat_AS_DOUBLE(key);
    } else if (PyUnicode_Check(key)) {
        ret->type = VALUE_TEXT;
        ret->bytes = PyUnicode_AsUTF8AndSize(key, &len);
        PyErr_Clear(); /* putting it says so */
    } else if (PyBytes_Check(key)) {
        ret->type = VALUE_DATA;
        ret->bytes = PyBytes_AS_STRING(key);
        len = PyBytes_GET_SIZE(key);
    } else {
        return false;
    }
    ret->len = ret->bytes != NULL ? (size_t)len : 0;
    return true;
}

static bool put_pair(struct packing *p, PyObject *key, PyObject *value)
{
    struct value_item item;
    size_t mark;

    if (!key_item(key, &item))
        return not_shareable(p, PyLong_Check(key) ? "a dict with a key outside of 64 bits: " : "a dict with a key of the type ",
                             Py_TYPE(key)->tp_name);
    if (!put(p, key))
        return false;
    mark = value_path_key(&p->path, &item);
    if (!put(p, value))
        return false;
    value_path_back(&p->path, mark);
    return true;
}

static bool put_dict(struct packing *p, PyObject *o)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;

    if (!enter(p, o))
        return false;
    value_map(&p->w, (size_t)PyDict_GET_SIZE(o));
    while (PyDict_Next(o, &at, &key, &value))
        if (!written(p) || !put_pair(p, key, value))
            return false;
    return leave(p);
}

/* ---- any value ------------------------------------------------------------------------------------------------------------------ */

static bool put(struct packing *p, PyObject *o)
{
    struct python_handle *h;

    if (o == Py_None) {
        value_null(&p->w);
        return written(p);
    }
    if (PyBool_Check(o)) {
        value_bool(&p->w, o == Py_True);
        return written(p);
    }
    if (PyLong_Check(o))
        return put_int(p, o);
    if (PyUnicode_Check(o))
        return put_text(p, o);
    if (PyFloat_Check(o)) {
        value_double(&p->w, PyFloat_AS_DOUBLE(o));
        return written(p);
    }
    if (PyDict_Check(o))
        return put_dict(p, o);
    if (PyList_Check(o) || PyTuple_Check(o))
        return put_list(p, o);
    h = python_handle_of(o);
    if (h != NULL)
        return put_handle(p, h);
    if (PyObject_CheckBuffer(o))
        return put_buffer(p, o);
    return not_shareable(p, "an object of the type ", Py_TYPE(o)->tp_name);
}

int python_value_pack(PyObject *o, const char *root, struct packed *ret, struct packed_error *e)
{
    struct packing *p = malloc(sizeof(*p)); /* not on the stack, of which each tasklet that waits keeps what it has opened */
    int rc = -1;

    *e = (struct packed_error){ .error = PB__CALL_ERROR__CALL_ERROR_TEMPORARY, .message = "not enough memory" };
    if (p == NULL)
        return -1;
    p->packed = ret;
    p->e = e;
    p->depth = 0;
    value_writer_init(&p->w, VALUE_WHOLE_BYTES);
    value_path_init(&p->path, root);
    if (put(p, o) && (packed_take(ret, &p->w) == 0 || written(p)))
        rc = 0;
    if (rc == 0)
        e->error = PB__CALL_ERROR__CALL_ERROR_NONE;
    value_writer_finish(&p->w);
    free(p);
    return rc;
}
