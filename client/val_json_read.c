/* val_json_read.c - coop/value_json.h: text becomes values. jansson reads it; what its integers cannot hold is wrapped before. */
#include "client/val_json.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "client/val_json_read.h"
#include "value.h"
#include "value_number.h"

/* ---- integers of any size ------------------------------------------------------------------------------------------------------------ */

/* The end of a string that begins at at; of one that never ends, end. */
static const char *after_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : end;
}

/* The end of what could be a number; *ret_integer: it has neither fraction nor exponent. */
static const char *after_number(const char *at, const char *end, bool *ret_integer)
{
    *ret_integer = true;
    for (at++; at < end && strchr("0123456789+-.eE", *at) != NULL && *at != '\0'; at++)
        if (*at < '0' || *at > '9')
            *ret_integer = false;
    return at;
}

struct wrapped {
    char *text;
    size_t len;
    bool any; /* something was wrapped: places are no longer those of the caller's text */
};

static void copy(FILE *f, const char *from, const char *to)
{
    (void)fwrite(from, 1, (size_t)(to - from), f);
}

/* Integers beyond int64 become the object that is read as the same. With a zero in front it is no JSON, and stays to be refused as that. */
static void wrap_into(FILE *f, const char *at, const char *end, struct wrapped *ret)
{
    while (at < end) {
        const char *from = at;
        struct value_digits d;
        bool integer = false;

        if (*at == '"')
            at = after_string(at, end);
        else if (*at == '-' || (*at >= '0' && *at <= '9'))
            at = after_number(at, end, &integer);
        else
            at++;
        if (integer && at - from > 18 && number_of_digits(from, (size_t)(at - from), &d) != 0)
            d.big = true; /* too many: refused by name later */
        if (integer && at - from > 18 && d.big && from[*from == '-'] != '0') {
            (void)fputs("{\"" JSON_WORD_BIG "\":\"", f);
            copy(f, from, at);
            (void)fputs("\"}", f);
            ret->any = true;
        } else {
            copy(f, from, at);
        }
    }
}

static int wrap(const char *text, size_t len, struct wrapped *ret)
{
    FILE *f;
    bool bad;

    *ret = (struct wrapped){ 0 };
    f = open_memstream(&ret->text, &ret->len);
    if (f == NULL)
        return -ENOMEM;
    wrap_into(f, text, text + len, ret);
    bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad) {
        free(ret->text);
        return -ENOMEM;
    }
    return 0;
}

/* ---- values -------------------------------------------------------------------------------------------------------------------------- */

struct reading {
    struct value_path path;
    unsigned depth; /* lists and maps that are open; jansson takes more than a value may have */
    int error;
    char *why;
};

__attribute__((format(printf, 3, 4))) static coop_val *refuse(struct reading *r, int error, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (r->error != 0)
        return NULL;
    r->error = error;
    if (r->why == NULL)
        return NULL;
    n = snprintf(r->why, COOP_JSON_WHY, "%s: ", r->path.text);
    va_start(ap, fmt);
    (void)vsnprintf(r->why + n, (size_t)(COOP_JSON_WHY - n), fmt, ap);
    va_end(ap);
    return NULL;
}

static coop_val *made(struct reading *r, coop_val *v)
{
    int error = coop_val_error(v);

    if (error == 0)
        return v;
    coop_val_free(v);
    return error == -ENOMEM ? refuse(r, error, "out of memory") : refuse(r, error, "not a value");
}

static coop_val *value_of(struct reading *r, const json_t *j);

static coop_val *bytes_of(struct reading *r, const json_t *j)
{
    const char *text = json_string_value(j);
    size_t len = json_string_length(j);
    unsigned char *bytes;
    coop_val *v;
    long n;

    if (text == NULL)
        return refuse(r, -EINVAL, JSON_WORD_BYTES " is a string, of base64");
    bytes = malloc(len / 4 * 3 + 1);
    if (bytes == NULL)
        return refuse(r, -ENOMEM, "out of memory");
    n = val_json_base64(text, len, bytes);
    v = n >= 0 ? made(r, coop_val_bytes(bytes, (size_t)n)) : refuse(r, -EINVAL, "not base64 with its padding");
    free(bytes);
    return v;
}

static coop_val *big_of(struct reading *r, const json_t *j)
{
    const char *text = json_string_value(j);
    struct value_digits d;
    int rc = text != NULL ? number_of_digits(text, json_string_length(j), &d) : -EPROTO;

    if (rc == -E2BIG)
        return refuse(r, rc, "an integer of more than %d digits", COOP_VAL_DIGITS);
    if (rc != 0)
        return refuse(r, -EINVAL, JSON_WORD_BIG " is a string, of decimal digits");
    return made(r, coop_val_big(text));
}

static coop_val *double_of(struct reading *r, const json_t *j)
{
    const char *text = json_string_value(j);

    if (text != NULL && strcmp(text, "nan") == 0)
        return made(r, coop_val_double(NAN));
    if (text != NULL && strcmp(text, "inf") == 0)
        return made(r, coop_val_double(INFINITY));
    if (text != NULL && strcmp(text, "-inf") == 0)
        return made(r, coop_val_double(-INFINITY));
    return refuse(r, -EINVAL, JSON_WORD_DOUBLE " is \"nan\", \"inf\" or \"-inf\"; others are numbers");
}

/* ---- lists and maps ----------------------------------------------------------------------------------------------------------------- */

static void begin(struct reading *r)
{
    if (++r->depth > COOP_VAL_DEPTH)
        (void)refuse(r, -ELOOP, "more than %d lists and maps within each other", COOP_VAL_DEPTH);
}

static void put(struct reading *r, int rc)
{
    if (rc != 0)
        (void)refuse(r, rc, rc == -ENOMEM ? "out of memory" : "not a value");
}

static coop_val *finished(struct reading *r, coop_val *v)
{
    r->depth--;
    if (r->error == 0)
        return made(r, v);
    coop_val_free(v);
    return NULL;
}

static coop_val *list_of(struct reading *r, const json_t *j)
{
    coop_val *list = coop_val_list();

    begin(r);
    for (size_t i = 0; i < json_array_size(j) && r->error == 0; i++) {
        size_t mark = value_path_index(&r->path, i + 1);
        coop_val *item = value_of(r, json_array_get(j, i));

        if (r->error == 0)
            put(r, coop_val_add(list, item));
        value_path_back(&r->path, mark);
    }
    return finished(r, list);
}

static void put_member(struct reading *r, coop_val *map, const char *name, const json_t *member)
{
    const struct value_item key = { .type = VALUE_TEXT, .bytes = name, .len = strlen(name) };
    size_t mark = value_path_key(&r->path, &key);
    coop_val *value = value_of(r, member);

    if (r->error == 0)
        put(r, coop_val_set(map, name, value));
    value_path_back(&r->path, mark);
}

static coop_val *object_of(struct reading *r, json_t *j)
{
    coop_val *map = coop_val_map();
    const char *name;
    json_t *member;

    begin(r);
    json_object_foreach(j, name, member)
    {
        if (r->error != 0)
            break;
        put_member(r, map, name, member);
    }
    return finished(r, map);
}

static void put_pair(struct reading *r, coop_val *map, const json_t *pair)
{
    coop_val *key = NULL, *value;

    if (json_array_size(pair) != 2) {
        (void)refuse(r, -EINVAL, "a pair of " JSON_WORD_MAP " is a list of two");
        return;
    }
    key = value_of(r, json_array_get(pair, 0));
    value = r->error == 0 ? value_of(r, json_array_get(pair, 1)) : NULL;
    if (r->error != 0) {
        coop_val_free(key);
    } else if (coop_val_get_key(map, key) != NULL) {
        coop_val_free(key);
        coop_val_free(value);
        (void)refuse(r, -EINVAL, "this key comes twice");
    } else {
        int rc = coop_val_set_key(map, key, value);

        if (rc == -EINVAL)
            (void)refuse(r, rc, "a key is a bool, a number that is not NaN, a text or bytes");
        else
            put(r, rc);
    }
}

static coop_val *map_of(struct reading *r, const json_t *j)
{
    coop_val *map = coop_val_map();

    begin(r);
    if (!json_is_array(j))
        (void)refuse(r, -EINVAL, JSON_WORD_MAP " is a list of pairs");
    for (size_t i = 0; i < json_array_size(j) && r->error == 0; i++) {
        size_t mark = value_path_index(&r->path, i + 1);

        put_pair(r, map, json_array_get(j, i));
        value_path_back(&r->path, mark);
    }
    return finished(r, map);
}

static const struct form {
    const char *word;
    coop_val *(*make)(struct reading *r, const json_t *content);
} forms[] = {
    {JSON_WORD_BYTES,   bytes_of },
    { JSON_WORD_BIG,    big_of   },
    { JSON_WORD_DOUBLE, double_of},
    { JSON_WORD_MAP,    map_of   },
};

static coop_val *map_or_form(struct reading *r, const json_t *j)
{
    if (json_object_get(j, JSON_WORD_HANDLE) != NULL) {
        struct coop_handle h;
        const char *wrong = val_json_handle(j, &h);

        return wrong == NULL ? made(r, coop_val_handle(&h)) : refuse(r, -EINVAL, "%s", wrong);
    }
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const json_t *content = json_object_get(j, forms[i].word);

        if (content != NULL && json_object_size(j) != 1)
            return refuse(r, -EINVAL, "%s stands alone; a map with such a key is written as " JSON_WORD_MAP, forms[i].word);
        if (content != NULL)
            return forms[i].make(r, content);
    }
    return object_of(r, (json_t *)(uintptr_t)j);
}

static coop_val *value_of(struct reading *r, const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_NULL: return made(r, coop_val_null());
    case JSON_TRUE:
    case JSON_FALSE: return made(r, coop_val_bool(json_is_true(j)));
    case JSON_INTEGER: return made(r, coop_val_int(json_integer_value(j)));
    case JSON_REAL: return made(r, coop_val_double(json_real_value(j)));
    case JSON_STRING: return made(r, coop_val_text(json_string_value(j), json_string_length(j)));
    case JSON_ARRAY: return list_of(r, j);
    case JSON_OBJECT: return map_or_form(r, j);
    }
    return refuse(r, -EINVAL, "not a value");
}

static int not_json(const json_error_t *e, bool wrapped, char *why)
{
    int error = json_error_code(e) == json_error_out_of_memory    ? -ENOMEM
                : json_error_code(e) == json_error_stack_overflow ? -ELOOP
                                                                  : -EBADMSG;

    if (why == NULL)
        return error;
    if (wrapped)
        (void)snprintf(why, COOP_JSON_WHY, "not JSON: %s", e->text);
    else
        (void)snprintf(why, COOP_JSON_WHY, "not JSON: %s (line %d, column %d)", e->text, e->line, e->column);
    return error;
}

int coop_val_from_json(const char *text, size_t len, coop_val **ret, char *why)
{
    struct reading r = { .why = why };
    struct wrapped w;
    json_error_t e;
    json_t *j;
    coop_val *v;
    int rc = wrap(text, len, &w);

    if (rc != 0)
        return rc;
    j = json_loadb(w.text, w.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    free(w.text);
    if (j == NULL)
        return not_json(&e, w.any, why);
    value_path_init(&r.path, "value");
    v = value_of(&r, j);
    json_decref(j);
    if (r.error == 0)
        *ret = v;
    return r.error;
}
