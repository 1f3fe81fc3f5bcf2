/* yaml_write.c - see yaml_write.h. */
#include "yaml_write.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <yaml.h>

#include "enum_name.h"
#include "field_size.h"
#include "frame.h"
#include "units.h"
#include "when.h"
#include "yaml_value.h"

enum { WIDTH = 140, NUMBER = 40, SHORT = 400, FIELDS_MAX = 64, GROUP = 64 };

struct writer {
    yaml_emitter_t emitter;
    const struct yaml_key *keys;
    int failed; /* everything after it does nothing */
};

/* ---- events ------------------------------------------------------------------------------------------------------------------------- */

static void emit(struct writer *w, int made, yaml_event_t *e)
{
    if (w->failed == 0 && (!made || !yaml_emitter_emit(&w->emitter, e)))
        w->failed = w->emitter.error == YAML_WRITER_ERROR ? -EIO : -ENOMEM;
    else if (made && w->failed != 0)
        yaml_event_delete(e);
}

static void scalar(struct writer *w, const char *text, size_t len, yaml_scalar_style_t style)
{
    yaml_event_t e;

    emit(w, yaml_scalar_event_initialize(&e, NULL, NULL, (const unsigned char *)text, (int)len, 1, 1, style), &e);
}

static void word(struct writer *w, const char *text)
{
    scalar(w, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

static void open_map(struct writer *w)
{
    yaml_event_t e;

    emit(w, yaml_mapping_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE), &e);
}

static void close_map(struct writer *w)
{
    yaml_event_t e;

    emit(w, yaml_mapping_end_event_initialize(&e), &e);
}

static void open_list(struct writer *w, int flow)
{
    yaml_event_t e;

    emit(w, yaml_sequence_start_event_initialize(&e, NULL, NULL, 1, flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE), &e);
}

static void close_list(struct writer *w)
{
    yaml_event_t e;

    emit(w, yaml_sequence_end_event_initialize(&e), &e);
}

/* ---- texts -------------------------------------------------------------------------------------------------------------------------- */

/* What no reader of YAML takes for anything but this text: it begins with a letter or a slash, and is no word with a meaning. */
static int is_tame(const char *text, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const meanings[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n" };

    if (len == 0 || (memchr(letters, text[0], sizeof(letters) - 1) == NULL && text[0] != '/'))
        return 0;
    for (size_t i = 0; i < len; i++)
        if (memchr(letters, text[i], sizeof(letters) - 1) == NULL && memchr("0123456789_-./+@=", text[i], 17) == NULL)
            return 0;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (strlen(meanings[i]) == len && strncasecmp(meanings[i], text, len) == 0)
            return 0;
    return 1;
}

static void text_of(struct writer *w, const char *text, size_t len)
{
    if (is_tame(text, len))
        scalar(w, text, len, YAML_PLAIN_SCALAR_STYLE);
    else
        scalar(w, text, len, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

/* Lines stay lines, where YAML has a way to keep each of their bytes. */
static void long_text(struct writer *w, const char *text, size_t len)
{
    int lines = memchr(text, '\n', len) != NULL;

    for (size_t i = 0; i < len; i++)
        lines &= (unsigned char)text[i] >= ' ' ? (unsigned char)text[i] < 0x7f : text[i] == '\n';
    if (lines && text[0] != ' ' && text[0] != '\n' && text[len - 1] == '\n' && (len < 2 || text[len - 2] != '\n'))
        scalar(w, text, len, YAML_LITERAL_SCALAR_STYLE);
    else
        text_of(w, text, len);
}

static void base64(struct writer *w, const ProtobufCBinaryData *b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = malloc((b->len + 2) / 3 * 4 + 1);
    size_t n = 0;

    if (out == NULL) {
        w->failed = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < b->len; i += 3) {
        unsigned v =
            (unsigned)b->data[i] << 16 | (i + 1 < b->len ? (unsigned)b->data[i + 1] << 8 : 0) | (i + 2 < b->len ? b->data[i + 2] : 0);

        out[n++] = digits[v >> 18];
        out[n++] = digits[v >> 12 & 63];
        out[n++] = i + 1 < b->len ? digits[v >> 6 & 63] : '=';
        out[n++] = i + 2 < b->len ? digits[v & 63] : '=';
    }
    open_map(w);
    word(w, "base64");
    scalar(w, out, n, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
    close_map(w);
    free(out);
}

static void bytes(struct writer *w, const ProtobufCBinaryData *b)
{
    if (b->len == 0)
        scalar(w, "", 0, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
    else if (memchr(b->data, '\0', b->len) == NULL && frame_is_utf8((const char *)b->data, b->len))
        long_text(w, (const char *)b->data, b->len);
    else
        base64(w, b);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------------------- */

struct scale {
    uint64_t factor;
    const char *unit;
};

/* In the largest unit that it is a whole number of. */
static void in_units(char buf[NUMBER], uint64_t value, const struct scale *scales)
{
    while (scales->factor > 1 && value % scales->factor != 0)
        scales++;
    snprintf(buf, NUMBER, "%" PRIu64 "%s", value / scales->factor, scales->unit);
}

static void with_unit(struct writer *w, enum yaml_unit unit, uint64_t value)
{
    static const struct scale sizes[] = {
        {1ull << 30, "GiB"},
        { 1 << 20,   "MiB"},
        { 1 << 10,   "KiB"},
        { 1,         "B"  }
    };
    static const struct scale times[] = {
        {86400000000ull, "d" },
        { 3600000000ull, "h" },
        { 60000000,      "m" },
        { 1000000,       "s" },
        { 1000,          "ms"},
        { 1,             "us"}
    };
    char buf[NUMBER + WHEN_BUF];

    if (unit == YAML_WHEN)
        when_format(value, buf);
    else
        in_units(buf, value, unit == YAML_SIZE ? sizes : times);
    word(w, buf);
}

/* So many digits as it takes to read the same number. */
static void real(struct writer *w, double value)
{
    char buf[NUMBER];

    for (int digits = 6; digits <= 17; digits++) {
        snprintf(buf, sizeof(buf), "%.*g", digits, value);
        if (strtod(buf, NULL) == value)
            break;
    }
    word(w, buf);
}

static void number(struct writer *w, ProtobufCType t, const void *at)
{
    char buf[NUMBER];

    switch (t) {
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: snprintf(buf, sizeof(buf), "%" PRIu64, *(const uint64_t *)at); break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64: snprintf(buf, sizeof(buf), "%" PRId64, *(const int64_t *)at); break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32: snprintf(buf, sizeof(buf), "%" PRIu32, *(const uint32_t *)at); break;
    default: snprintf(buf, sizeof(buf), "%" PRId32, *(const int32_t *)at); break;
    }
    word(w, buf);
}

/* ---- values -------------------------------------------------------------------------------------------------------------------------- */

static void message(struct writer *w, const ProtobufCMessage *m);

static void item(struct writer *w, const struct yaml_key *row, const ProtobufCMessage *m)
{
    char buf[SHORT];

    if (row != NULL && row->to_text != NULL && row->to_text(m, buf, sizeof(buf)) == 0)
        text_of(w, buf, strlen(buf));
    else
        message(w, m);
}

static void value(struct writer *w, const struct yaml_key *row, const ProtobufCFieldDescriptor *f, const void *at)
{
    enum yaml_unit unit = yaml_unit_of(f, row != NULL ? row->unit : YAML_AS_TYPED);
    char name[JSON_ENUM_BUF];
    const char *text;

    if (unit != YAML_AS_TYPED) {
        with_unit(w, unit, *(const uint64_t *)at);
        return;
    }
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        text = *(char *const *)at;
        long_text(w, text, strlen(text));
        break;
    case PROTOBUF_C_TYPE_BYTES: bytes(w, at); break;
    case PROTOBUF_C_TYPE_BOOL: word(w, *(const protobuf_c_boolean *)at ? "true" : "false"); break;
    case PROTOBUF_C_TYPE_ENUM: word(w, json_enum_name(f->descriptor, *(const int *)at, name)); break;
    case PROTOBUF_C_TYPE_FLOAT: real(w, (double)*(const float *)at); break;
    case PROTOBUF_C_TYPE_DOUBLE: real(w, *(const double *)at); break;
    case PROTOBUF_C_TYPE_MESSAGE: item(w, row, *(ProtobufCMessage *const *)at); break;
    default: number(w, f->type, at); break;
    }
}

static void pair(struct writer *w, const struct yaml_key *row, const ProtobufCMessage *m)
{
    const char *const names[] = { row->pair_key, row->pair_value };

    for (int i = 0; i < 2; i++) {
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, names[i]);

        value(w, NULL, f, (const char *)m + f->offset);
    }
}

static size_t count_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return *(const size_t *)((const char *)m + f->quantifier_offset);
}

static void list(struct writer *w, const struct yaml_key *row, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const char *items = *(char *const *)((const char *)m + f->offset);
    int pairs = row != NULL && row->pair_key != NULL;

    if (pairs)
        open_map(w);
    else
        open_list(w, f->type == PROTOBUF_C_TYPE_ENUM);
    for (size_t i = 0; i < count_of(m, f); i++) {
        const char *at = items + i * field_size_in_list(f->type);

        if (pairs)
            pair(w, row, *(ProtobufCMessage *const *)at);
        else
            value(w, row, f, at);
    }
    if (pairs)
        close_map(w);
    else
        close_list(w);
}

/* ---- messages ------------------------------------------------------------------------------------------------------------------------ */

static int is_default(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const void *at = (const char *)m + f->offset;

    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return count_of(m, f) == 0;
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING: return *(char *const *)at == NULL || **(char *const *)at == '\0';
    case PROTOBUF_C_TYPE_MESSAGE: return *(void *const *)at == NULL;
    case PROTOBUF_C_TYPE_BYTES: return ((const ProtobufCBinaryData *)at)->len == 0;
    case PROTOBUF_C_TYPE_DOUBLE: return *(const double *)at == 0;
    case PROTOBUF_C_TYPE_FLOAT: return *(const float *)at == 0;
    case PROTOBUF_C_TYPE_BOOL: return *(const protobuf_c_boolean *)at == 0;
    default: return field_size_in_list(f->type) == 8 ? *(const uint64_t *)at == 0 : *(const uint32_t *)at == 0;
    }
}

/* "notify.": the map that the field stands in; "" none. */
static const char *group_of(const struct yaml_key *row, char buf[GROUP])
{
    const char *dot = row != NULL ? strchr(row->key, '.') : NULL;

    snprintf(buf, GROUP, "%.*s", dot != NULL ? (int)(dot - row->key) + 1 : 0, row != NULL ? row->key : "");
    return buf;
}

static int is_written(const struct writer *w, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const struct yaml_key *row = yaml_key_of(w->keys, m->descriptor, f->name);

    return (row == NULL || row->refused == NULL) && !is_default(m, f);
}

static void field(struct writer *w, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const char *group)
{
    const struct yaml_key *row = yaml_key_of(w->keys, m->descriptor, f->name);

    word(w, row != NULL ? row->key + strlen(group) : f->name);
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        list(w, row, m, f);
    else
        value(w, row, f, (const char *)m + f->offset);
}

/* All fields of one group, from the first of them. */
static void write_group(struct writer *w, const ProtobufCMessage *m, unsigned first, const char *group, char done[FIELDS_MAX])
{
    char name[GROUP], other[GROUP];

    snprintf(name, sizeof(name), "%.*s", (int)strlen(group) - 1, group);
    word(w, name);
    open_map(w);
    for (unsigned i = first; i < m->descriptor->n_fields && i < FIELDS_MAX; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

        if (!is_written(w, m, f) || strcmp(group_of(yaml_key_of(w->keys, m->descriptor, f->name), other), group) != 0)
            continue;
        field(w, m, f, group);
        done[i] = 1;
    }
    close_map(w);
}

static void message(struct writer *w, const ProtobufCMessage *m)
{
    char done[FIELDS_MAX] = { 0 }, group[GROUP];

    open_map(w);
    for (unsigned i = 0; i < m->descriptor->n_fields && i < FIELDS_MAX; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

        if (done[i] || !is_written(w, m, f))
            continue;
        if (group_of(yaml_key_of(w->keys, m->descriptor, f->name), group)[0] != '\0')
            write_group(w, m, i, group, done);
        else
            field(w, m, f, "");
    }
    close_map(w);
}

static int to_stream(void *out, unsigned char *text, size_t len)
{
    return fwrite(text, 1, len, out) == len;
}

int yaml_write(FILE *out, const struct yaml_key *keys, const ProtobufCMessage *m)
{
    struct writer w = { .keys = keys };
    yaml_event_t e;

    if (!yaml_emitter_initialize(&w.emitter))
        return -ENOMEM;
    yaml_emitter_set_output(&w.emitter, to_stream, out);
    yaml_emitter_set_unicode(&w.emitter, 1);
    yaml_emitter_set_width(&w.emitter, WIDTH);
    emit(&w, yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING), &e);
    emit(&w, yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1), &e);
    message(&w, m);
    emit(&w, yaml_document_end_event_initialize(&e, 1), &e);
    emit(&w, yaml_stream_end_event_initialize(&e), &e);
    yaml_emitter_delete(&w.emitter);
    return w.failed;
}
