/* yaml_value.c - see yaml_value.h. */
#include "yaml_value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enum_name.h"
#include "log.h"
#include "nearest.h"
#include "units.h"
#include "when.h"

enum { SHOWN = 80, WORDS_MAX = 64, NUMBER = 64 };

const char *yaml_what(const struct yaml_node *n)
{
    return n->kind == YAML_LIST ? "a list" : n->kind == YAML_MAP ? "a map" : yaml_is_null(n) ? "nothing" : "a text";
}

static int wants(struct yaml_reader *r, const char *name, const struct yaml_node *n, const char *what)
{
    char shown[SHOWN];

    if (n->kind != YAML_TEXT || yaml_is_null(n))
        return yaml_refuse(r->why, EINVAL, n, "%s: wants %s, this is %s", name, what, yaml_what(n));
    return yaml_refuse(r->why, EINVAL, n, "%s: '%s' is not %s", name, log_escape(shown, sizeof(shown), n->text, n->len), what);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), e = strlen(end);

    return n >= e && strcmp(text + n - e, end) == 0;
}

enum yaml_unit yaml_unit_of(const ProtobufCFieldDescriptor *f, enum yaml_unit row)
{
    if (row != YAML_AS_TYPED || f->type != PROTOBUF_C_TYPE_UINT64)
        return row;
    return ends_with(f->name, "_bytes") ? YAML_SIZE : ends_with(f->name, "_us") ? YAML_TIME : YAML_AS_TYPED;
}

/* ---- texts and bytes -------------------------------------------------------------------------------------------------------------- */

int yaml_read_text(struct yaml_reader *r, const char *name, const struct yaml_node *n, const char **ret)
{
    if (n->kind != YAML_TEXT)
        return wants(r, name, n, "a text");
    if (memchr(n->text, '\0', n->len) != NULL)
        return yaml_refuse(r->why, EINVAL, n, "%s: there is a NUL in this text", name);
    *ret = n->text;
    return 0;
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* As json_of_base64() writes it: groups of four, padded, nothing between them. */
static bool decode(const char *text, size_t len, uint8_t *out, size_t *ret_len)
{
    size_t pad = len >= 2 && text[len - 1] == '=' ? 1 + (text[len - 2] == '=') : 0, n = 0;

    if (len % 4 != 0)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        unsigned v = 0;

        for (size_t k = i; k < i + 4; k++) {
            int d = k >= len - pad ? 0 : digit_of(text[k]);

            if (d < 0)
                return false;
            v = v << 6 | (unsigned)d;
        }
        for (int shift = 16; shift >= 0; shift -= 8)
            out[n++] = (uint8_t)(v >> shift);
    }
    *ret_len = n - pad;
    return true;
}

static int read_bytes(struct yaml_reader *r, const char *name, const struct yaml_node *n, ProtobufCBinaryData *ret)
{
    const struct yaml_node *b = n->kind == YAML_MAP && n->n == 1 ? yaml_get(n, "base64") : NULL;

    if (b == NULL && n->kind != YAML_TEXT)
        return wants(r, name, n, "a text, or {base64: TEXT}");
    if (b != NULL && b->kind != YAML_TEXT)
        return wants(r, "base64", b, "a text");
    ret->data = b != NULL ? yaml_alloc(r->doc, b->len + 1) : (uint8_t *)n->text;
    ret->len = n->len;
    if (ret->data == NULL)
        return yaml_refuse(r->why, ENOMEM, NULL, "out of memory");
    if (b != NULL && !decode(b->text, b->len, ret->data, &ret->len))
        return wants(r, "base64", b, "base64: groups of four of A-Z a-z 0-9 + /, the last padded with =");
    return 0;
}

/* ---- numbers ---------------------------------------------------------------------------------------------------------------------- */

static int read_bool(struct yaml_reader *r, const char *name, const struct yaml_node *n, protobuf_c_boolean *ret)
{
    if (n->kind != YAML_TEXT || !n->plain || (strcmp(n->text, "true") != 0 && strcmp(n->text, "false") != 0))
        return wants(r, name, n, "true or false");
    *ret = n->text[0] == 't';
    return 0;
}

/* A plain run of digits, with a sign when it may have one. */
static bool is_whole(const struct yaml_node *n, bool negative)
{
    const char *p = n->kind == YAML_TEXT && n->plain ? n->text : "";

    if (negative && *p == '-')
        p++;
    return *p != '\0' && strspn(p, "0123456789") == strlen(p);
}

static int out_of_range(struct yaml_reader *r, const char *name, const struct yaml_node *n, const char *least, const char *most)
{
    char shown[SHOWN];

    return yaml_refuse(r->why, EINVAL, n, "%s: %s is not between %s and %s", name, log_escape(shown, sizeof(shown), n->text, n->len), least,
                       most);
}

static int read_unsigned(struct yaml_reader *r, const char *name, const struct yaml_node *n, uint64_t max, uint64_t *ret)
{
    char most[NUMBER];

    if (!is_whole(n, false))
        return wants(r, name, n, "a whole number");
    errno = 0;
    *ret = strtoull(n->text, NULL, 10);
    snprintf(most, sizeof(most), "%" PRIu64, max);
    return errno == ERANGE || *ret > max ? out_of_range(r, name, n, "0", most) : 0;
}

static int read_signed(struct yaml_reader *r, const char *name, const struct yaml_node *n, int64_t min, int64_t max, int64_t *ret)
{
    char least[NUMBER], most[NUMBER];

    if (!is_whole(n, true))
        return wants(r, name, n, "a whole number");
    errno = 0;
    *ret = strtoll(n->text, NULL, 10);
    snprintf(least, sizeof(least), "%" PRId64, min);
    snprintf(most, sizeof(most), "%" PRId64, max);
    return errno == ERANGE || *ret < min || *ret > max ? out_of_range(r, name, n, least, most) : 0;
}

/* 2, 0.5, 1e3: what JSON has for numbers. No NaN, no infinity, no hexadecimal. */
static int read_real(struct yaml_reader *r, const char *name, const struct yaml_node *n, double *ret)
{
    char *end;

    if (n->kind != YAML_TEXT || !n->plain || n->len == 0 || strspn(n->text, "0123456789+-.eE") != n->len)
        return wants(r, name, n, "a number");
    *ret = strtod(n->text, &end) + 0.0; /* -0 is 0 */
    return *end != '\0' || !isfinite(*ret) ? wants(r, name, n, "a number") : 0;
}

/* "256MiB", "30s", a time; see yaml_message.h for bare numbers. */
static int read_unit(struct yaml_reader *r, const char *name, enum yaml_unit unit, const struct yaml_node *n, uint64_t *ret)
{
    static const char *const forms[] = { [YAML_SIZE] = "a size; write 4096, 512K, 64M or 256MiB",
                                         [YAML_TIME] = "a time; write 500ms, 2s, 5m, 1h or 7d",
                                         [YAML_WHEN] = "a point in time; write " WHEN_FORMS };
    char shown[SHOWN];
    int rc;

    if (n->kind != YAML_TEXT)
        return wants(r, name, n, forms[unit]);
    if (is_whole(n, false) && ends_with(name, "_us"))
        return read_unsigned(r, name, n, unit == YAML_WHEN ? WHEN_LAST_US : UINT64_MAX, ret);
    if (memchr(n->text, '\0', n->len) != NULL)
        return wants(r, name, n, forms[unit]);
    rc = unit == YAML_SIZE   ? units_parse_size(n->text, ret)
         : unit == YAML_TIME ? units_parse_duration(n->text, ret)
                             : when_parse(n->text, r->now_us, ret);
    if (rc == -ERANGE)
        return yaml_refuse(r->why, EINVAL, n, "%s: '%s' is out of range", name, log_escape(shown, sizeof(shown), n->text, n->len));
    if (rc == 0 && *ret == 0 && unit != YAML_WHEN && !ends_with(name, "_us") && !ends_with(name, "_bytes"))
        return yaml_refuse(r->why, EINVAL, n, "%s: must be above 0", name);
    return rc == 0 ? 0 : wants(r, name, n, forms[unit]);
}

/* ---- enums ------------------------------------------------------------------------------------------------------------------------ */

static int refuse_enum(struct yaml_reader *r, const char *name, const struct yaml_node *n, const ProtobufCEnumDescriptor *d)
{
    char names[WORDS_MAX][JSON_ENUM_BUF], list[YAML_WHY / 2] = "", shown[SHOWN];
    const char *words[WORDS_MAX + 1], *near;
    size_t k = 0, used = 0;

    for (unsigned i = 0; i < d->n_values && k < WORDS_MAX; i++)
        if (strcmp(json_enum_name(d, d->values[i].value, names[k]), "none") != 0)
            words[k] = names[k], k++;
    words[k] = NULL;
    for (size_t i = 0; i < k && used < sizeof(list) - JSON_ENUM_BUF; i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", words[i]);
    near = nearest_word(n->text, words);
    yaml_refuse(r->why, EINVAL, n, "%s: '%s' is not one of %s", name, log_escape(shown, sizeof(shown), n->text, n->len), list);
    if (near != NULL)
        yaml_hint(r->why, "did you mean '%s'?", near);
    return -EINVAL;
}

static int read_enum(struct yaml_reader *r, const char *name, const struct yaml_node *n, const ProtobufCEnumDescriptor *d, int *ret)
{
    if (n->kind != YAML_TEXT)
        return wants(r, name, n, "a word");
    return enum_value(d, n->text, ret) == 0 ? 0 : refuse_enum(r, name, n, d);
}

/* ---- by type ---------------------------------------------------------------------------------------------------------------------- */

static int read_number(struct yaml_reader *r, const char *name, const struct yaml_node *n, ProtobufCType t, void *at)
{
    double real = 0;
    uint64_t u = 0;
    int64_t i = 0;
    int rc;

    switch (t) {
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64: return read_unsigned(r, name, n, UINT64_MAX, at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        rc = read_unsigned(r, name, n, UINT32_MAX, &u);
        *(uint32_t *)at = (uint32_t)u;
        return rc;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64: return read_signed(r, name, n, INT64_MIN, INT64_MAX, at);
    case PROTOBUF_C_TYPE_FLOAT:
        rc = read_real(r, name, n, &real);
        *(float *)at = (float)real;
        return rc;
    case PROTOBUF_C_TYPE_DOUBLE: return read_real(r, name, n, at);
    default:
        rc = read_signed(r, name, n, INT32_MIN, INT32_MAX, &i);
        *(int32_t *)at = (int32_t)i;
        return rc;
    }
}

int yaml_read_value(struct yaml_reader *r, const char *name, enum yaml_unit unit, const struct yaml_node *n,
                    const ProtobufCFieldDescriptor *f, void *at)
{
    unit = yaml_unit_of(f, unit);
    if (unit != YAML_AS_TYPED)
        return read_unit(r, name, unit, n, at);
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING: return yaml_read_text(r, name, n, at);
    case PROTOBUF_C_TYPE_BYTES: return read_bytes(r, name, n, at);
    case PROTOBUF_C_TYPE_BOOL: return read_bool(r, name, n, at);
    case PROTOBUF_C_TYPE_ENUM: return read_enum(r, name, n, f->descriptor, at);
    default: return read_number(r, name, n, f->type, at);
    }
}
