/* json.c - see json.h. */
#include "cli/json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "frame.h"

#include <coop/exit_codes.h>

/* ---- scalars ------------------------------------------------------------------------------------------------------------------ */

json_t *json_text(const char *text, size_t len)
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
        size_t n = text_char_len(text + i, len - i);

        if (n == 0)
            memcpy(clean + used, "\xef\xbf\xbd", 3), used += 3, i++;
        else
            memcpy(clean + used, text + i, n), used += n, i += n;
    }
    s = json_stringn(clean, used);
    free(clean);
    return s;
}

static json_t *base64(const unsigned char *p, size_t len)
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

static int is_text(const void *p, size_t len)
{
    return len == 0 || (memchr(p, '\0', len) == NULL && frame_is_utf8(p, len));
}

static json_t *of_bytes(const ProtobufCBinaryData *b)
{
    if (is_text(b->data, b->len))
        return json_stringn(b->len > 0 ? (const char *)b->data : "", b->len);
    return json_pack("{s:o}", "base64", base64(b->data, b->len));
}

static json_t *of_unsigned(uint64_t v)
{
    return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

/* "OnOutputLimit" -> how much of "ON_OUTPUT_LIMIT_KILL" is prefix: its words, with an underscore after each. */
static size_t prefix_len(const char *type, const char *value)
{
    size_t n = 0;

    for (const char *t = type; *t != '\0'; t++) {
        if (isupper((unsigned char)*t) && t != type && value[n++] != '_')
            return 0;
        if (value[n++] != toupper((unsigned char)*t))
            return 0;
    }
    return value[n] == '_' ? n + 1 : 0;
}

char *json_enum_name(const ProtobufCEnumDescriptor *d, int value, char buf[JSON_ENUM_BUF])
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);

    if (v == NULL) {
        snprintf(buf, JSON_ENUM_BUF, "unknown_%d", value);
        return buf;
    }
    snprintf(buf, JSON_ENUM_BUF, "%s", v->name + prefix_len(d->short_name, v->name));
    for (char *p = buf; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return buf;
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
    case PROTOBUF_C_TYPE_FIXED64: return of_unsigned(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT: return json_real((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE: return json_real(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL: return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM: return of_enum(f, *(const int *)at);
    case PROTOBUF_C_TYPE_BYTES: return of_bytes(at);
    case PROTOBUF_C_TYPE_MESSAGE: return json_of_message(*(ProtobufCMessage *const *)at);
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(char *const *)at;
        return json_text(s != NULL ? s : "", s != NULL ? strlen(s) : 0);
    }
    }
    return NULL;
}

static size_t size_in_list(ProtobufCType t)
{
    switch (t) {
    case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE: return sizeof(void *);
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT: return 4;
    default: return 8;
    }
}

static json_t *of_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
    const char *items = *(char *const *)((const char *)m + f->offset);
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(list, of_value(f, items + i * size_in_list(f->type))) != 0) {
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

static json_t *fill(json_t *object, const ProtobufCMessage *m)
{
    for (unsigned i = 0; object != NULL && i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

        if (json_object_set_new(object, f->name, of_field(m, f)) != 0) {
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

/* Names of the codes, as in control.proto's ErrorCode where it has one. */
/* clang-format off */
static const struct {
    int exit_code;
    const char *name;
} code_names[] = {
    { COOP_EXIT_USAGE,          "usage" },
    { COOP_EXIT_TEMPORARY,      "temporary" },
    { COOP_EXIT_PROTOCOL,       "protocol" },
    { COOP_EXIT_PERMISSION,     "permission" },
    { COOP_EXIT_CONFIG,         "config" },
    { COOP_EXIT_QUOTA,          "quota" },
    { COOP_EXIT_NOT_FOUND,      "not_found" },
    { COOP_EXIT_CONFLICT,       "conflict" },
    { COOP_EXIT_TIME_LIMIT,     "timeout" },
    { COOP_EXIT_NOT_EXECUTABLE, "not_executable" },
    { COOP_EXIT_PROGRAM_MISSING, "program_missing" },
};
/* clang-format on */

json_t *json_error(const struct coop_error *e)
{
    const char *name = "internal";
    json_t *doc = json_named("Error");

    for (size_t i = 0; i < sizeof(code_names) / sizeof(code_names[0]); i++)
        if (code_names[i].exit_code == e->exit_code)
            name = code_names[i].name;
    json_object_set_new(doc, "code", json_string(name));
    json_object_set_new(doc, "message", json_text(e->message, strlen(e->message)));
    json_object_set_new(doc, "hint", json_text(e->hint, strlen(e->hint)));
    json_object_set_new(doc, "exit_code", json_integer(e->exit_code));
    return doc;
}

json_t *json_log_chunk(const char *stream, uint64_t offset, const void *data, size_t len)
{
    json_t *doc = json_named("LogChunk");
    int text = is_text(data, len);

    json_object_set_new(doc, "stream", json_string(stream));
    json_object_set_new(doc, "offset", of_unsigned(offset));
    json_object_set_new(doc, "data", text ? json_stringn(data, len) : base64(data, len));
    json_object_set_new(doc, "encoding", json_string(text ? "utf8" : "base64"));
    return doc;
}

int json_print(json_t *doc)
{
    char *line = doc != NULL ? json_dumps(doc, JSON_ENSURE_ASCII) : NULL;
    int rc;

    json_decref(doc);
    if (line == NULL)
        return -ENOMEM;
    rc = puts(line) < 0 || fflush(stdout) != 0 ? -errno : 0;
    free(line);
    return rc;
}
