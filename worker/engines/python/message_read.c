/* message_read.c - see message.h: from messages. */
#include "worker/engines/python/message.h"

#include <ctype.h>
#include <string.h>

#include "calls.pb-c.h"
#include "worker/engines/python/value.h"

/* "oom" of CAUSE_OOM: what comes behind the words that its 0, CAUSE_NONE, begins with. */
static PyObject *read_enum(const ProtobufCEnumDescriptor *d, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value), *none = protobuf_c_enum_descriptor_get_value(d, 0);
    size_t prefix = none != NULL && strlen(none->name) > 4 ? strlen(none->name) - 4 : 0, n = 0;
    char text[64];

    if (value == 0)
        Py_RETURN_NONE;
    if (v == NULL || strlen(v->name) <= prefix)
        return PyLong_FromLong(value);
    for (const char *s = v->name + prefix; *s != '\0' && n + 1 < sizeof(text); s++)
        text[n++] = (char)tolower((unsigned char)*s);
    return PyUnicode_FromStringAndSize(text, (Py_ssize_t)n);
}

static PyObject *read_one(const ProtobufCFieldDescriptor *f, const void *at)
{
    const ProtobufCMessage *m;

    switch (f->type) {
    case PROTOBUF_C_TYPE_UINT32: return PyLong_FromUnsignedLong(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_UINT64: return PyLong_FromUnsignedLongLong(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32: return PyLong_FromLong(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64: return PyLong_FromLongLong(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_BOOL: return PyBool_FromLong(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM: return read_enum(f->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(char *const *)at != NULL ? *(char *const *)at : "";

        return PyUnicode_DecodeUTF8(s, (Py_ssize_t)strlen(s), "replace");
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *b = at;

        return PyBytes_FromStringAndSize((const char *)b->data, (Py_ssize_t)b->len);
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        m = *(ProtobufCMessage *const *)at;
        return f->descriptor == &pb__value__descriptor ? python_value_make((const Pb__Value *)m) : python_message_read(m);
    default: Py_RETURN_NONE;
    }
}

static PyObject *read_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
    size_t size = f->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : f->type == PROTOBUF_C_TYPE_UINT32 ? 4 : 8;
    const char *items = *(char *const *)((const char *)m + f->offset);
    PyObject *list = PyList_New((Py_ssize_t)n);

    for (size_t i = 0; list != NULL && i < n; i++) {
        PyObject *o = read_one(f, items + i * size);

        if (o == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, o);
    }
    return list;
}

PyObject *python_message_read(const ProtobufCMessage *m)
{
    PyObject *dict;

    if (m == NULL)
        Py_RETURN_NONE;
    dict = PyDict_New();
    for (unsigned i = 0; dict != NULL && i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        PyObject *o;

        if (f->descriptor == &pb__value__descriptor && *(void *const *)((const char *)m + f->offset) == NULL)
            continue;
        o = f->label == PROTOBUF_C_LABEL_REPEATED ? read_list(m, f) : read_one(f, (const char *)m + f->offset);
        if (o == NULL || PyDict_SetItemString(dict, f->name, o) != 0)
            Py_CLEAR(dict);
        Py_XDECREF(o);
    }
    return dict;
}
