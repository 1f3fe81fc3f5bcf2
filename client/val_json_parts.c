/* val_json_parts.c - see val_json_read.h. */
#include "client/val_json_read.h"

#include <string.h>

#include "client/val_json.h"

/* ---- base64 -------------------------------------------------------------------------------------------------------------------------- */

static int digit64(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

long val_json_base64(const char *text, size_t len, unsigned char *to)
{
    unsigned char *at = to;
    unsigned v = 0;
    size_t pad = len >= 4 && text[len - 1] == '=' ? 1 + (text[len - 2] == '=') : 0;

    if (len % 4 != 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        int d = i >= len - pad ? 0 : digit64(text[i]);

        if (d < 0)
            return -1;
        v = v << 6 | (unsigned)d;
        if (i % 4 == 3) {
            *at++ = (unsigned char)(v >> 16);
            *at++ = (unsigned char)(v >> 8);
            *at++ = (unsigned char)v;
        }
    }
    for (size_t i = 1; i <= pad; i++)
        if (at[-(long)i] != 0)
            return -1;
    return at - to - (long)pad;
}

/* ---- handles ------------------------------------------------------------------------------------------------------------------------- */

static int right_of(const json_t *j)
{
    const char *word = json_string_value(j), *known;
    unsigned bit;

    for (unsigned i = 0; word != NULL && (known = val_json_right(i, &bit)) != NULL; i++)
        if (strcmp(known, word) == 0)
            return (int)bit;
    return -1;
}

static bool rights_of(const json_t *j, unsigned *ret)
{
    for (size_t i = 0; i < json_array_size(j); i++) {
        int bit = right_of(json_array_get(j, i));

        if (bit < 0)
            return false;
        *ret |= (unsigned)bit;
    }
    return j == NULL || (json_is_array(j) && *ret != 0);
}

static bool is_id(const char *text)
{
    return strlen(text) == sizeof(((struct coop_handle *)0)->id) - 1 && strspn(text, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == strlen(text);
}

const char *val_json_handle(const json_t *object, struct coop_handle *ret)
{
    struct coop_handle h = { 0 };
    const char *called = json_string_value(json_object_get(object, JSON_WORD_HANDLE)),
               *kind = json_string_value(json_object_get(object, "kind"));
    static const char *const known[] = { JSON_WORD_HANDLE, "kind", "rights", "name", "bytes" };
    size_t n = 0;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        n += json_object_get(object, known[i]) != NULL;
    if (n != json_object_size(object))
        return "a handle has \"kind\" and \"rights\", and nothing else is read";
    if (called == NULL || called[0] == '\0' || strlen(called) >= sizeof(h.name) ||
        strlen(called) != json_string_length(json_object_get(object, JSON_WORD_HANDLE)))
        return JSON_WORD_HANDLE " is a string: an id or a name";
    h.kind = kind != NULL ? val_json_kind(kind) : COOP_KIND_NONE;
    if (h.kind == COOP_KIND_NONE)
        return "a handle needs its \"kind\": interp, queue, buffer, alias or kv";
    if (!rights_of(json_object_get(object, "rights"), &h.rights))
        return "\"rights\" is a list, of call, manage, send, recv, read, write, grant";
    memcpy(is_id(called) ? h.id : h.name, called, strlen(called));
    *ret = h;
    return NULL;
}
