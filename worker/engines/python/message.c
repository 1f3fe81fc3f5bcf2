/* message.c - see message.h: to messages. */
#include "worker/engines/python/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calls.pb-c.h"
#include "worker/engines/python/asking.h"
#include "worker/engines/python/call_error.h"
#include "worker/engines/python/handle.h"
#include "worker/engines/python/value.h"

/* One of three: memory behind it, an object of Python's that is borrowed from, or a value. */
struct python_block {
    struct python_block *next;
    PyObject *kept;
    struct packed *packed;
    max_align_t memory[];
};

static struct python_block *new_block(struct python_arena *a, size_t bytes)
{
    struct python_block *b = PyMem_Calloc(1, sizeof(*b) + bytes);

    if (b == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

static void *allocate(struct python_arena *a, size_t bytes)
{
    struct python_block *b = new_block(a, bytes);

    return b != NULL ? b->memory : NULL;
}

/* Takes the reference. */
static int keep(struct python_arena *a, PyObject *o)
{
    struct python_block *b = new_block(a, 0);

    if (b == NULL) {
        Py_DECREF(o);
        return -1;
    }
    b->kept = o;
    return 0;
}

void python_arena_finish(struct python_arena *a)
{
    while (a->blocks != NULL) {
        struct python_block *b = a->blocks;

        a->blocks = b->next;
        Py_XDECREF(b->kept);
        if (b->packed != NULL)
            packed_finish(b->packed);
        PyMem_Free(b);
    }
}

/* ---- one field ------------------------------------------------------------------------------------------------------------------- */

static int wrong(const ProtobufCFieldDescriptor *f, const char *what, PyObject *o)
{
    PyErr_Format(PyExc_TypeError, "%s must be %s, not %.100s", f->name, what, Py_TYPE(o)->tp_name);
    return -1;
}

static int set_unsigned(const ProtobufCFieldDescriptor *f, void *at, PyObject *o, uint64_t max)
{
    unsigned long long n;

    if (!PyLong_Check(o))
        return wrong(f, "a number", o);
    n = PyLong_AsUnsignedLongLong(o);
    if (PyErr_Occurred() != NULL || n > max) {
        PyErr_Format(PyExc_OverflowError, "%s is out of range", f->name);
        return -1;
    }
    if (max == UINT32_MAX)
        *(uint32_t *)at = (uint32_t)n;
    else
        *(uint64_t *)at = n;
    return 0;
}

static int set_signed(const ProtobufCFieldDescriptor *f, void *at, PyObject *o, bool wide)
{
    long long n;

    if (!PyLong_Check(o))
        return wrong(f, "a number", o);
    n = PyLong_AsLongLong(o);
    if (PyErr_Occurred() != NULL || (!wide && (n < INT32_MIN || n > INT32_MAX))) {
        PyErr_Format(PyExc_OverflowError, "%s is out of range", f->name);
        return -1;
    }
    if (wide)
        *(int64_t *)at = n;
    else
        *(int32_t *)at = (int32_t)n;
    return 0;
}

static int set_text(struct python_arena *a, const ProtobufCFieldDescriptor *f, void *at, PyObject *o)
{
    const char *text;
    Py_ssize_t len;

    if (!PyUnicode_Check(o))
        return wrong(f, "a str", o);
    text = PyUnicode_AsUTF8AndSize(o, &len);
    if (text == NULL)
        return -1;
    if (strlen(text) != (size_t)len) {
        PyErr_Format(PyExc_ValueError, "%s has a NUL in it", f->name);
        return -1;
    }
    *(char **)at = (char *)text;
    return keep(a, Py_NewRef(o));
}

/* Text as it is encoded, or the bytes of whatever has a buffer. */
static int set_bytes(struct python_arena *a, const ProtobufCFieldDescriptor *f, void *at, PyObject *o)
{
    ProtobufCBinaryData *b = at;
    PyObject *bytes;

    if (!PyUnicode_Check(o) && !PyObject_CheckBuffer(o))
        return wrong(f, "bytes or a str", o);
    bytes = PyUnicode_Check(o) ? PyUnicode_AsUTF8String(o) : PyBytes_FromObject(o);
    if (bytes == NULL)
        return -1;
    b->data = (uint8_t *)PyBytes_AS_STRING(bytes);
    b->len = (size_t)PyBytes_GET_SIZE(bytes);
    return keep(a, bytes);
}

static int set_handle(struct python_arena *a, const ProtobufCFieldDescriptor *f, void *at, PyObject *o)
{
    const struct python_handle *h = python_handle_of(o);
    ProtobufCMessage *m;

    if (h == NULL)
        return wrong(f, "an interpreter, a queue, a buffer or the like", o);
    if (h->number == 0) {
        (void)python_call_raise(PB__CALL_ERROR__CALL_ERROR_BAD_HANDLE, "it was dropped", NULL);
        return -1;
    }
    m = allocate(a, ((const ProtobufCMessageDescriptor *)f->descriptor)->sizeof_message);
    if (m == NULL)
        return -1;
    protobuf_c_message_init(f->descriptor, m);
    if (f->descriptor == &pb__ref__descriptor)
        ((Pb__Ref *)m)->handle = h->number;
    else
        ((Pb__Handle *)m)->handle = h->number;
    *(ProtobufCMessage **)at = m;
    return 0;
}

/* place: in a list, from 1 on; 0: in none. */
static int set_value(struct python_arena *a, const ProtobufCFieldDescriptor *f, void *at, PyObject *o, size_t place)
{
    struct python_block *b = new_block(a, sizeof(struct packed));
    struct packed_error e;
    char root[64];

    if (b == NULL)
        return -1;
    b->packed = (struct packed *)b->memory;
    snprintf(root, sizeof(root), place > 0 ? "%s[%zu]" : "%s", f->name, place);
    if (python_value_pack(o, root, b->packed, &e) != 0) {
        (void)python_call_raise_packed(&e);
        return -1;
    }
    if (python_packed_fit(b->packed, root) != 0)
        return -1;
    *(Pb__Value **)at = packed_message(b->packed);
    if (*(Pb__Value **)at != NULL)
        return 0;
    PyErr_NoMemory();
    return -1;
}

static int set_message(struct python_arena *a, const ProtobufCFieldDescriptor *f, void *at, PyObject *o, size_t place)
{
    ProtobufCMessage *m;

    if (f->descriptor == &pb__value__descriptor)
        return set_value(a, f, at, o, place);
    if (f->descriptor == &pb__ref__descriptor || f->descriptor == &pb__handle__descriptor)
        return set_handle(a, f, at, o);
    m = python_message_make(a, f->descriptor, o);
    *(ProtobufCMessage **)at = m;
    return m != NULL ? 0 : -1;
}

static int set_one(struct python_arena *a, const ProtobufCFieldDescriptor *f, void *at, PyObject *o, size_t place)
{
    int yes;

    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32: return set_unsigned(f, at, o, UINT32_MAX);
    case PROTOBUF_C_TYPE_UINT64: return set_unsigned(f, at, o, UINT64_MAX);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_ENUM: return set_signed(f, at, o, false);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64: return set_signed(f, at, o, true);
    case PROTOBUF_C_TYPE_STRING: return set_text(a, f, at, o);
    case PROTOBUF_C_TYPE_BYTES: return set_bytes(a, f, at, o);
    case PROTOBUF_C_TYPE_MESSAGE: return set_message(a, f, at, o, place);
    case PROTOBUF_C_TYPE_BOOL:
        yes = PyObject_IsTrue(o);
        *(protobuf_c_boolean *)at = yes > 0;
        return yes < 0 ? -1 : 0;
    default: return wrong(f, "of a type that messages have", o);
    }
}

/* ---- lists, and whole messages ----------------------------------------------------------------------------------------------------- */

static size_t size_in_list(ProtobufCType t)
{
    switch (t) {
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64: return 8;
    default: return 4;
    }
}

/* A copy of the list: while a value waits for its buffer, others may change theirs. */
static int set_list(struct python_arena *a, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, PyObject *o)
{
    PyObject *list;
    size_t size = size_in_list(f->type), n;
    char *items;

    if (!PyList_Check(o) && !PyTuple_Check(o))
        return wrong(f, "a list", o);
    list = PySequence_Tuple(o);
    if (list == NULL || keep(a, list) != 0)
        return -1;
    n = (size_t)PyTuple_GET_SIZE(list);
    items = allocate(a, n * size);
    if (items == NULL)
        return -1;
    *(size_t *)((char *)m + f->quantifier_offset) = n;
    *(char **)((char *)m + f->offset) = items;
    for (size_t i = 0; i < n; i++)
        if (set_one(a, f, items + i * size, PyTuple_GET_ITEM(list, (Py_ssize_t)i), i + 1) != 0)
            return -1;
    return 0;
}

static int set_field(struct python_arena *a, ProtobufCMessage *m, PyObject *key, PyObject *o)
{
    const char *name = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : NULL;
    const ProtobufCFieldDescriptor *f = name != NULL ? protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name) : NULL;

    if (f == NULL) {
        if (PyErr_Occurred() == NULL)
            PyErr_Format(PyExc_TypeError, "%s has no field %R", m->descriptor->short_name, key);
        return -1;
    }
    if (o == Py_None)
        return 0;
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return set_list(a, m, f, o);
    return set_one(a, f, (char *)m + f->offset, o, 0);
}

ProtobufCMessage *python_message_make(struct python_arena *a, const ProtobufCMessageDescriptor *d, PyObject *dict)
{
    ProtobufCMessage *m;
    PyObject *items;

    if (!PyDict_Check(dict))
        return PyErr_Format(PyExc_TypeError, "%s must be a dict, not %.100s", d->short_name, Py_TYPE(dict)->tp_name), NULL;
    m = allocate(a, d->sizeof_message);
    items = m != NULL ? PyDict_Items(dict) : NULL;
    if (items == NULL || keep(a, items) != 0)
        return NULL;
    protobuf_c_message_init(d, m);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);

        if (set_field(a, m, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1)) != 0)
            return NULL;
    }
    return m;
}
