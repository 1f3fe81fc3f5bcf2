/* value_path.c - the paths of value.h, and the check that finds one. */
#include "value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char cut[] = "...";

/* Adds what fits; what does not is cut off for good, until somebody goes back to before it. */
static void add(struct value_path *p, const char *text, size_t len)
{
    size_t room = sizeof(p->text) - 1, at = sizeof(p->text) - sizeof(cut);

    if (p->len > room)
        return;
    memcpy(p->text + p->len, text, len < room - p->len ? len : room - p->len);
    if (len <= room - p->len) {
        p->len += len;
        p->text[p->len] = '\0';
        return;
    }
    while (at > 0 && (p->text[at] & 0xc0) == 0x80) /* not within a character */
        at--;
    memcpy(p->text + at, cut, sizeof(cut));
    p->len = sizeof(p->text);
}

static void add_text(struct value_path *p, const char *text)
{
    add(p, text, strlen(text));
}

void value_path_init(struct value_path *p, const char *root)
{
    p->len = 0;
    p->text[0] = '\0';
    add_text(p, root);
}

void value_path_back(struct value_path *p, size_t mark)
{
    if (mark < sizeof(p->text)) {
        p->len = mark;
        p->text[mark] = '\0';
    }
}

size_t value_path_index(struct value_path *p, size_t place)
{
    size_t mark = p->len;
    char text[32];

    (void)snprintf(text, sizeof(text), "[%zu]", place);
    add_text(p, text);
    return mark;
}

/* ---- keys ---------------------------------------------------------------------------------------------------------------------------- */

static bool is_word(const char *s, size_t len)
{
    if (len == 0 || isdigit((unsigned char)s[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '_')
            return false;
    return true;
}

/* Of bytes those that are not ASCII are written as \xff too. */
static void add_quoted(struct value_path *p, const char *s, size_t len, bool utf8)
{
    add_text(p, "[\"");
    for (size_t i = 0; i < len && p->len < sizeof(p->text); i++) {
        unsigned char c = (unsigned char)s[i];
        char text[8];

        if (c == '"' || c == '\\')
            (void)snprintf(text, sizeof(text), "\\%c", c);
        else if (c < 0x20 || c == 0x7f || (c > 0x7f && !utf8))
            (void)snprintf(text, sizeof(text), "\\x%02x", c);
        else
            (void)snprintf(text, sizeof(text), "%c", c);
        add_text(p, text);
    }
    add_text(p, "\"]");
}

size_t value_path_key(struct value_path *p, const struct value_item *key)
{
    size_t mark = p->len;
    char text[48];

    text[0] = '\0';
    switch (key->type) {
    case VALUE_BOOL: (void)snprintf(text, sizeof(text), "[%s]", key->boolean ? "true" : "false"); break;
    case VALUE_INT: (void)snprintf(text, sizeof(text), "[%" PRId64 "]", key->integer); break;
    case VALUE_DOUBLE: (void)snprintf(text, sizeof(text), "[%.17g]", key->number); break;
    case VALUE_TEXT:
        if (is_word(key->bytes, key->len)) {
            add_text(p, ".");
            add(p, key->bytes, key->len);
        } else {
            add_quoted(p, key->bytes, key->len, true);
        }
        break;
    case VALUE_DATA: add_quoted(p, key->bytes, key->len, false); break;
    default: (void)snprintf(text, sizeof(text), "[?]"); break;
    }
    add_text(p, text);
    return mark;
}

/* ---- the check ----------------------------------------------------------------------------------------------------------------------- */

/* Where the walk stands: the path of each list or map that is open. */
struct trail {
    struct value_path path;
    size_t mark[VALUE_DEPTH + 1]; /* by depth: the length of the path of what holds the next item */
};

/* Before the next item is read: the path of it, or for a key that of its map. */
static void step(struct trail *t, struct value_reader *r)
{
    const struct value_level *l;

    while (r->depth > 0 && r->level[r->depth - 1].left == 0)
        r->depth--;
    l = r->depth > 0 ? &r->level[r->depth - 1] : NULL;
    if (l != NULL && l->map && l->left % 2 == 1) /* a value: its key is there */
        return;
    value_path_back(&t->path, t->mark[r->depth]);
    if (l != NULL && !l->map)
        (void)value_path_index(&t->path, l->count - l->left + 1);
}

static void stepped(struct trail *t, const struct value_reader *r, const struct value_item *item)
{
    if (item->key)
        (void)value_path_key(&t->path, item);
    else if (item->count > 0)
        t->mark[r->depth] = t->path.len;
}

static void find_path(struct value_reader *r, const char *root, char *path)
{
    struct trail t = { 0 };
    struct value_item item;

    value_path_init(&t.path, root);
    t.mark[0] = t.path.len;
    while (r->error == 0) {
        step(&t, r);
        if (value_next(r, &item) == 0)
            stepped(&t, r, &item);
    }
    memcpy(path, t.path.text, sizeof(t.path.text));
}

int value_check(const void *cbor, size_t len, size_t max, uint32_t n_handles, const char *root, char *path)
{
    struct value_reader r;
    struct value_item item;
    int rc = value_reader_init(&r, cbor, len, max, n_handles);

    while (rc == 0)
        rc = value_next(&r, &item);
    if (path != NULL)
        path[0] = '\0';
    if (rc == -ENODATA)
        return 0;
    if (path != NULL) {
        (void)value_reader_init(&r, cbor, len, max, n_handles);
        find_path(&r, root, path);
    }
    return rc;
}
