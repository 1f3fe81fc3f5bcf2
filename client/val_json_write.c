/* val_json_write.c - coop/value_json.h: values become text. */
#include "client/val_json.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
    char *at;
    size_t len, cap;
    bool no_memory;
};

static void add(struct text *t, const char *bytes, size_t len)
{
    if (!t->no_memory && t->cap - t->len < len + 1) {
        size_t cap = t->cap * 2 + len + 64;
        char *moved = realloc(t->at, cap);

        t->no_memory = moved == NULL;
        if (moved != NULL) {
            t->at = moved;
            t->cap = cap;
        }
    }
    if (t->no_memory)
        return;
    memcpy(t->at + t->len, bytes, len);
    t->len += len;
    t->at[t->len] = '\0';
}

static void say(struct text *t, const char *words)
{
    add(t, words, strlen(words));
}

/* ---- scalars ------------------------------------------------------------------------------------------------------------------------ */

/* The character that begins here, in well-formed UTF-8. */
static unsigned long take_char(const unsigned char **at)
{
    const unsigned char *p = *at;
    unsigned follow = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
    unsigned long c = follow == 0 ? p[0] : p[0] & (0x3fu >> follow);

    for (unsigned i = 1; i <= follow; i++)
        c = c << 6 | (p[i] & 0x3f);
    *at = p + follow + 1;
    return c;
}

static void write_char(struct text *t, unsigned long c)
{
    char words[24];

    if (c == '"' || c == '\\')
        (void)snprintf(words, sizeof(words), "\\%c", (char)c);
    else if (c == '\n')
        (void)snprintf(words, sizeof(words), "\\n");
    else if (c == '\t')
        (void)snprintf(words, sizeof(words), "\\t");
    else if (c >= 0x20 && c < 0x7f)
        (void)snprintf(words, sizeof(words), "%c", (char)c);
    else if (c < 0x10000)
        (void)snprintf(words, sizeof(words), "\\u%04lx", c);
    else
        (void)snprintf(words, sizeof(words), "\\u%04lx\\u%04lx", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
    say(t, words);
}

static void write_text(struct text *t, const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + len;

    say(t, "\"");
    while (at < end)
        write_char(t, take_char(&at));
    say(t, "\"");
}

static void write_bytes(struct text *t, const unsigned char *p, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    say(t, "{\"" JSON_WORD_BYTES "\": \"");
    for (size_t i = 0; i < len; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < len ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < len ? p[i + 2] : 0);
        const char four[4] = { digits[v >> 18], digits[v >> 12 & 63], i + 1 < len ? digits[v >> 6 & 63] : '=',
                               i + 2 < len ? digits[v & 63] : '=' };

        add(t, four, sizeof(four));
    }
    say(t, "\"}");
}

/* The shortest that is read as the same; with a dot whatever the locale says, and never like an integer. */
static void write_double(struct text *t, double d)
{
    char words[64];
    const char *point = localeconv()->decimal_point;
    char *at;

    if (!isfinite(d)) {
        say(t, isnan(d) ? "{\"" JSON_WORD_DOUBLE "\": \"nan\"}"
               : d > 0  ? "{\"" JSON_WORD_DOUBLE "\": \"inf\"}"
                        : "{\"" JSON_WORD_DOUBLE "\": \"-inf\"}");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(words, sizeof(words), "%.*g", digits, d);
        if (strtod(words, NULL) == d)
            break;
    }
    at = strstr(words, point);
    if (at != NULL && strcmp(point, ".") != 0) {
        *at = '.';
        memmove(at + 1, at + strlen(point), strlen(at + strlen(point)) + 1);
    }
    say(t, words);
    if (strpbrk(words, ".e") == NULL)
        say(t, ".0");
}

static int write_handle(struct text *t, const struct coop_handle *h)
{
    const char *called = h->id[0] != '\0' ? h->id : h->name, *word, *between = "";
    char words[32];
    unsigned bit;

    if (called[0] == '\0')
        return -EINVAL;
    say(t, "{\"" JSON_WORD_HANDLE "\": ");
    write_text(t, called, strlen(called));
    say(t, ", \"kind\": \"");
    say(t, val_json_kind_word(h->kind));
    say(t, "\"");
    if (h->rights != 0)
        say(t, ", \"rights\": [");
    for (unsigned i = 0; (word = val_json_right(i, &bit)) != NULL; i++)
        if ((h->rights & bit) != 0) {
            say(t, between);
            write_text(t, word, strlen(word));
            between = ", ";
        }
    if (h->rights != 0)
        say(t, "]");
    if (h->name[0] != '\0') {
        say(t, ", \"name\": ");
        write_text(t, h->name, strlen(h->name));
    }
    if (h->bytes != 0) {
        (void)snprintf(words, sizeof(words), ", \"bytes\": %" PRIu64, h->bytes);
        say(t, words);
    }
    say(t, "}");
    return 0;
}

/* ---- lists and maps ----------------------------------------------------------------------------------------------------------------- */

static int write_value(struct text *t, const coop_val *v);

static int write_list(struct text *t, const coop_val *v)
{
    int rc = 0;

    say(t, "[");
    for (size_t i = 0; i < coop_val_count(v) && rc == 0; i++) {
        say(t, i > 0 ? ", " : "");
        rc = write_value(t, coop_val_at(v, i));
    }
    say(t, "]");
    return rc;
}

static bool is_object(const coop_val *map)
{
    for (size_t i = 0; i < coop_val_count(map); i++) {
        size_t len;
        const char *key = coop_val_as_text(coop_val_key_at(map, i), &len);

        if (key == NULL || strlen(key) != len || val_json_is_word(key, len))
            return false;
    }
    return true;
}

static int write_map(struct text *t, const coop_val *map)
{
    bool object = is_object(map);
    int rc = 0;

    say(t, object ? "{" : "{\"" JSON_WORD_MAP "\": [");
    for (size_t i = 0; i < coop_val_count(map) && rc == 0; i++) {
        say(t, i > 0 ? ", " : "");
        say(t, object ? "" : "[");
        rc = write_value(t, coop_val_key_at(map, i));
        say(t, object ? ": " : ", ");
        if (rc == 0)
            rc = write_value(t, coop_val_at(map, i));
        say(t, object ? "" : "]");
    }
    say(t, object ? "}" : "]}");
    return rc;
}

static int write_value(struct text *t, const coop_val *v)
{
    char words[32];
    bool b = false;
    int64_t i = 0;
    double d = 0;
    size_t len = 0;

    switch (coop_val_type(v)) {
    case COOP_VAL_NULL: say(t, "null"); return 0;
    case COOP_VAL_BOOL:
        (void)coop_val_as_bool(v, &b);
        say(t, b ? "true" : "false");
        return 0;
    case COOP_VAL_INT:
        (void)coop_val_as_int(v, &i);
        (void)snprintf(words, sizeof(words), "%" PRId64, i);
        say(t, words);
        return 0;
    case COOP_VAL_BIG: say(t, coop_val_as_big(v)); return 0;
    case COOP_VAL_DOUBLE:
        (void)coop_val_as_double(v, &d);
        write_double(t, d);
        return 0;
    case COOP_VAL_TEXT: {
        const char *text = coop_val_as_text(v, &len);

        write_text(t, text, len);
        return 0;
    }
    case COOP_VAL_BYTES: {
        const unsigned char *bytes = coop_val_as_bytes(v, &len);

        write_bytes(t, bytes, len);
        return 0;
    }
    case COOP_VAL_HANDLE: return write_handle(t, coop_val_as_handle(v));
    case COOP_VAL_LIST: return write_list(t, v);
    case COOP_VAL_MAP: return write_map(t, v);
    case COOP_VAL_ERROR: break;
    }
    return coop_val_error(v);
}

int coop_val_to_json(const coop_val *v, char **ret)
{
    struct text t = { 0 };
    int rc = coop_val_error(v);

    if (rc == 0)
        rc = write_value(&t, v);
    if (rc == 0 && t.no_memory)
        rc = -ENOMEM;
    if (rc == 0)
        *ret = t.at;
    else
        free(t.at);
    return rc;
}
