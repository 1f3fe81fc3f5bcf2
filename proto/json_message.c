/* json_message.c - see json_message.h. */
#include "json_message.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field_size.h"
#include "frame.h"

/* ---- scalars ------------------------------------------------------------------------------------------------------------------ */

/* Bytes of the well-formed character at p; 0: none begins there. */
static size_t char_len(const char *p, size_t len)
{
    unsigned char c = len > 0 ? (unsigned char)*p : 0xff;
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

    return n <= len && frame_is_utf8(p, n) ? n : 0;
}

json_t *json_of_text(const char *text, size_t len)
{
    char *clean;
    size_t used = 0;
    json_t *s;

    if (frame_is_utf8(text, len))
        return json_stringn(text, len);
    clean = malloc(len * 3 + 1);
    if (clean == NULL)
        return NULL;
    for (size_t i = 0; i < len;) {
        size_t n = char_len(text + i, len - i);

        if (n == 0)
            memcpy(clean + used, "\xef\xbf\xbd", 3), used += 3, i++;
        else
            memcpy(clean + used, text + i, n), used += n, i += n;
    }
    s = json_stringn(clean, used);
    free(clean);
    return s;
}

json_t *json_of_base64(const unsigned char *p, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = malloc((len + 2) / 3 * 4 + 1);
    size_t n = 0;
    json_t *s;

    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < len ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < len ? p[i + 2] : 0);

        out[n++] = digits[v >> 18];
        out[n++] = digits[v >> 12 & 63];
        out[n++] = i + 1 < len ? digits[v >> 6 & 63] : '=';
        out[n++] = i + 2 < len ? digits[v & 63] : '=';
    }
    s = json_stringn(out, n);
    free(out);
    return s;
}

int json_is_text(const void *p, size_t len)
{
    return len == 0 || (memchr(p, '\0', len) == NULL && frame_is_utf8(p, len));
}

static json_t *of_bytes(const ProtobufCBinaryData *b)
{
    if (json_is_text(b->data, b->len))
        return json_stringn(b->len > 0 ? (const char *)b->data : "", b->len);
    return json_pack("{s:o}", "base64", json_of_base64(b->data, b->len));
}

json_t *json_of_unsigned(uint64_t v)
{
    return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

static json_t *of_enum(const ProtobufCFieldDescriptor *f, int value)
{
    char buf[JSON_ENUM_BUF];

    return json_string(json_enum_name(f->descriptor, value, buf));
}

/* ---- messages ----------------------------------------------------------------------------------------------------------------- */

static json_t *of_value(const ProtobufCFieldDescriptor *f, const void *at)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32: return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64: return json_integer(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return json_of_unsigned(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT: return json_real((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE: return json_real(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL: return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM: return of_enum(f, *(const int *)at);
    case PROTOBUF_C_TYPE_BYTES: return of_bytes(at);
    case PROTOBUF_C_TYPE_MESSAGE: return json_of_message(*(ProtobufCMessage *const *)at);
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(char *const *)at;
        return json_of_text(s != NULL ? s : "", s != NULL ? strlen(s) : 0);
    }
    }
    return NULL;
}

static json_t *of_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
    const char *items = *(char *const *)((const char *)m + f->offset);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, of_value(f, items + i * field_size_in_list(f->type))) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *of_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return of_list(m, f);
    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 && *(const uint32_t *)((const char *)m + f->quantifier_offset) != f->id)
        return json_null();
    return of_value(f, (const char *)m + f->offset);
}

/* A number of a message that lists the names of those that are 0 and mean it: any other 0 was not given. */
static bool was_not_given(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const json_t *value)
{
    const ProtobufCFieldDescriptor *list = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "nothing");
    char *const *names;
    size_t n;

    if (list == NULL || list->label != PROTOBUF_C_LABEL_REPEATED || !json_is_number(value) || json_number_value(value) != 0)
        return false;
    names = *(char *const *const *)((const char *)m + list->offset);
    n = *(const size_t *)((const char *)m + list->quantifier_offset);
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], f->name) == 0)
            return false;
    return true;
}

static json_t *fill(json_t *object, const ProtobufCMessage *m)
{
    for (unsigned i = 0; object != NULL && i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

        json_t *value = of_field(m, f);

        if (was_not_given(m, f, value)) {
            json_decref(value);
            value = json_null();
        }
        if (json_object_set_new(object, f->name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *json_of_message(const ProtobufCMessage *m)
{
    return m == NULL ? json_null() : fill(json_object(), m);
}

/* ---- documents ---------------------------------------------------------------------------------------------------------------- */

json_t *json_named(const char *name)
{
    return json_pack("{s:o}", "schema", json_sprintf("coop.%s/1", name));
}

json_t *json_document(const ProtobufCMessage *m)
{
    return fill(json_named(m->descriptor->short_name), m);
}
