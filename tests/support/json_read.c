/* json_read.c - see json_read.h. */
#include "tests/support/json_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop(void *doc)
{
    json_decref(doc);
}

static json_t *parse(const char *text, size_t len)
{
    json_error_t why;
    json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

    if (doc == NULL)
        support_fail("not JSON: %s: %.*s", why.text, (int)(len < 500 ? len : 500), text);
    support_on_release(drop, doc);
    return doc;
}

char *json_shown(json_t *doc)
{
    return support_keep(json_dumps(doc, 0));
}

json_t *json_of(const struct heard *h)
{
    return parse(h->bytes, h->len);
}

json_t *json_line(const struct heard *h, size_t n)
{
    const char *p = h->bytes, *end = h->bytes + h->len, *newline;

    for (; (newline = memchr(p, '\n', (size_t)(end - p))) != NULL; p = newline + 1)
        if (n-- == 0)
            return parse(p, (size_t)(newline - p));
    support_fail("too few lines of JSON: %.500s", h->bytes);
}

size_t json_lines(const struct heard *h)
{
    size_t n = 0;

    for (size_t i = 0; i < h->len; i++)
        n += h->bytes[i] == '\n';
    return n;
}

json_t *json_at(json_t *doc, const char *path)
{
    char copy[128], *rest = copy, *name;
    json_t *at = doc;

    (void)snprintf(copy, sizeof(copy), "%s", path);
    while ((name = strsep(&rest, ".")) != NULL) {
        json_t *next = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10)) : json_object_get(at, name);

        if (next == NULL)
            support_fail("no field %s in %.1000s", path, json_shown(doc));
        at = next;
    }
    return at;
}

const char *json_str(json_t *doc, const char *path)
{
    json_t *at = json_at(doc, path);

    if (!json_is_string(at))
        support_fail("field %s is not a string in %.1000s", path, json_shown(doc));
    return json_string_value(at);
}

json_int_t json_num(json_t *doc, const char *path)
{
    json_t *at = json_at(doc, path);

    if (!json_is_integer(at))
        support_fail("field %s is not a whole number in %.1000s", path, json_shown(doc));
    return json_integer_value(at);
}

/* The names of an object's fields, in the order in which they were printed, with spaces between. */
static char *json_names(json_t *object)
{
    char *names = support_text("%s", "");

    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i))
        names = support_text("%s%s%s", names, names[0] != '\0' ? " " : "", json_object_iter_key(i));
    return names;
}

void json_expect_shape(json_t *object, const char *schema, const char *names)
{
    const char *is = json_names(object), *want = schema != NULL ? support_text("schema %s", names) : names;

    if (strcmp(is, want) != 0)
        support_fail("fields:  %s\nwanted:  %s", is, want);
    if (schema != NULL && strcmp(json_str(object, "schema"), schema) != 0)
        support_fail("schema %s, wanted %s", json_str(object, "schema"), schema);
}
