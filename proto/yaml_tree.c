/* yaml_tree.c - see yaml_tree.h. */
#include "yaml_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "frame.h"
#include "log.h"
#include "yaml_json.h"

enum { BLOCK = 64 << 10, SHOWN = 60 };

/* ---- memory --------------------------------------------------------------------------------------------------------------------- */

struct yaml_block {
    struct yaml_block *next;
    size_t used, size;
    max_align_t bytes[];
};

void *yaml_alloc(struct yaml_doc *doc, size_t size)
{
    struct yaml_block *b = doc->blocks;
    size_t need = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    void *at;

    if (b == NULL || b->size - b->used < need) {
        size_t room = need > BLOCK / 4 ? need : BLOCK;
        bool alone = room == need && b != NULL; /* a large one leaves the block that is being filled where it is */

        b = calloc(1, sizeof(*b) + room);
        if (b == NULL)
            return NULL;
        b->size = room;
        b->next = alone ? doc->blocks->next : doc->blocks;
        *(alone ? &doc->blocks->next : &doc->blocks) = b;
    }
    at = (char *)b->bytes + b->used;
    b->used += need;
    return at;
}

void yaml_finish(struct yaml_doc *doc)
{
    struct yaml_block *next;

    for (struct yaml_block *b = doc->blocks; b != NULL; b = next) {
        next = b->next;
        free(b);
    }
    *doc = (struct yaml_doc){ 0 };
}

/* ---- refusals -------------------------------------------------------------------------------------------------------------------- */

int yaml_refuse(struct yaml_error *why, int error, const struct yaml_node *node, const char *format, ...)
{
    va_list ap;

    why->line = node != NULL ? node->line : 0;
    why->column = node != NULL ? node->column : 0;
    why->hint[0] = '\0';
    va_start(ap, format);
    vsnprintf(why->text, sizeof(why->text), format, ap);
    va_end(ap);
    return -error;
}

void yaml_hint(struct yaml_error *why, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(why->hint, sizeof(why->hint), format, ap);
    va_end(ap);
}

static int at_mark(struct yaml_error *why, yaml_mark_t at, int error, const char *text)
{
    struct yaml_node place = { .line = (unsigned)at.line + 1, .column = (unsigned)at.column + 1 };

    return yaml_refuse(why, error, &place, "%s", text);
}

/* ---- building -------------------------------------------------------------------------------------------------------------------- */

struct level {
    struct yaml_node *node;
    struct yaml_node *key; /* of a map: its value is next */
    size_t room;           /* of node->items */
};

struct builder {
    struct yaml_doc *doc;
    struct yaml_error *why;
    struct level levels[YAML_DEPTH];
    unsigned depth;
    size_t nodes;
};

static int no_memory(struct builder *b)
{
    return yaml_refuse(b->why, ENOMEM, NULL, "out of memory");
}

/* The lists of a node double; what they leave behind is freed with the document. */
static int grow(struct builder *b, struct level *l)
{
    size_t room = l->room == 0 ? 8 : l->room * 2;
    struct yaml_node **items = yaml_alloc(b->doc, room * sizeof(struct yaml_node *));
    struct yaml_node **keys = l->node->kind == YAML_MAP ? yaml_alloc(b->doc, room * sizeof(struct yaml_node *)) : NULL;

    if (items == NULL || (l->node->kind == YAML_MAP && keys == NULL))
        return no_memory(b);
    if (l->node->n > 0)
        memcpy(items, l->node->items, l->node->n * sizeof(*items));
    if (keys != NULL && l->node->n > 0)
        memcpy(keys, l->node->keys, l->node->n * sizeof(*keys));
    l->node->items = items;
    l->node->keys = keys;
    l->room = room;
    return 0;
}

static int take_key(struct builder *b, struct level *l, struct yaml_node *key)
{
    char shown[SHOWN + 1];

    if (key->kind != YAML_TEXT)
        return yaml_refuse(b->why, EINVAL, key, "a key is a text, this is a %s", key->kind == YAML_LIST ? "list" : "map");
    log_escape(shown, sizeof(shown), key->text, key->len);
    if (memchr(key->text, '\0', key->len) != NULL)
        return yaml_refuse(b->why, EINVAL, key, "the key '%s' has a NUL byte in it", shown);
    if (key->plain && strcmp(key->text, "<<") == 0)
        return yaml_refuse(b->why, EINVAL, key, "merge keys are not taken: write the values out");
    l->key = key;
    return 0;
}

static int add(struct builder *b, struct yaml_node *node)
{
    struct level *l;

    if (b->depth == 0) {
        b->doc->root = node;
        return 0;
    }
    l = &b->levels[b->depth - 1];
    if (l->node->kind == YAML_MAP && l->key == NULL)
        return take_key(b, l, node);
    if (l->node->n == l->room && grow(b, l) != 0)
        return -ENOMEM;
    if (l->node->kind == YAML_MAP)
        l->node->keys[l->node->n] = l->key;
    l->node->items[l->node->n++] = node;
    l->key = NULL;
    return 0;
}

static struct yaml_node *make(struct builder *b, const yaml_event_t *e, enum yaml_kind kind)
{
    struct yaml_node *node = yaml_alloc(b->doc, sizeof(*node));

    if (node == NULL)
        return NULL;
    node->kind = kind;
    node->line = (unsigned)e->start_mark.line + 1;
    node->column = (unsigned)e->start_mark.column + 1;
    return node;
}

static int open_level(struct builder *b, const yaml_event_t *e, enum yaml_kind kind)
{
    struct yaml_node *node = make(b, e, kind);
    int rc;

    if (node == NULL)
        return no_memory(b);
    rc = add(b, node);
    if (rc == 0 && b->depth == YAML_DEPTH)
        return yaml_refuse(b->why, EINVAL, node, "lists and maps are nested more than %d deep", YAML_DEPTH);
    if (rc == 0)
        b->levels[b->depth++] = (struct level){ .node = node };
    return rc;
}

/* Qsort's order: by text, and where texts are the same by their place. */
static int by_text(const void *a, const void *b)
{
    const struct yaml_node *x = *(struct yaml_node *const *)a, *y = *(struct yaml_node *const *)b;
    int order = strcmp(x->text, y->text);

    if (order != 0)
        return order;
    return x->line != y->line ? (x->line > y->line) - (x->line < y->line) : (x->column > y->column) - (x->column < y->column);
}

/* A map of many keys is sorted once: the text may be made to have as many as it can. */
static int check_keys(struct builder *b, const struct yaml_node *map)
{
    struct yaml_node **sorted = map->n > 1 ? malloc(map->n * sizeof(struct yaml_node *)) : NULL, *twice = NULL;
    char shown[SHOWN + 1];

    if (map->n <= 1)
        return 0;
    if (sorted == NULL)
        return no_memory(b);
    memcpy(sorted, map->keys, map->n * sizeof(struct yaml_node *));
    qsort(sorted, map->n, sizeof(struct yaml_node *), by_text);
    for (size_t i = 1; i < map->n && twice == NULL; i++)
        if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0) {
            twice = sorted[i];
            yaml_refuse(b->why, EINVAL, twice, "'%s' is given twice, first in line %u",
                        log_escape(shown, sizeof(shown), twice->text, twice->len), sorted[i - 1]->line);
        }
    free(sorted);
    return twice != NULL ? -EINVAL : 0;
}

static int close_level(struct builder *b)
{
    const struct yaml_node *node = b->levels[--b->depth].node;

    return node->kind == YAML_MAP ? check_keys(b, node) : 0;
}

static int add_text(struct builder *b, const yaml_event_t *e)
{
    struct yaml_node *node = make(b, e, YAML_TEXT);
    char *copy = node != NULL ? yaml_alloc(b->doc, e->data.scalar.length + 1) : NULL;

    if (copy == NULL)
        return no_memory(b);
    memcpy(copy, e->data.scalar.value, e->data.scalar.length);
    node->text = copy;
    node->len = e->data.scalar.length;
    node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return add(b, node);
}

/* ---- events ---------------------------------------------------------------------------------------------------------------------- */

static int refuse_extra(struct builder *b, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        return at_mark(b->why, e->start_mark, EINVAL,
                       "anchors (&) and aliases (*) are not taken: write the value out; quote a text that begins with one");
    if (tag != NULL)
        return at_mark(b->why, e->start_mark, EINVAL,
                       "tags (!) are not taken: what a value is, its key says; quote a text that begins with one");
    if (++b->nodes > YAML_NODES)
        return at_mark(b->why, e->start_mark, EDQUOT, "there are too many values, a file may have 200000");
    return 0;
}
_Static_assert(YAML_NODES == 200000, "as the sentence says");

static int take(struct builder *b, const yaml_event_t *e)
{
    int rc;

    switch (e->type) {
    case YAML_SCALAR_EVENT: rc = refuse_extra(b, e, e->data.scalar.anchor, e->data.scalar.tag); return rc == 0 ? add_text(b, e) : rc;
    case YAML_SEQUENCE_START_EVENT:
        rc = refuse_extra(b, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
        return rc == 0 ? open_level(b, e, YAML_LIST) : rc;
    case YAML_MAPPING_START_EVENT:
        rc = refuse_extra(b, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
        return rc == 0 ? open_level(b, e, YAML_MAP) : rc;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return close_level(b);
    case YAML_ALIAS_EVENT: return refuse_extra(b, e, e->data.alias.anchor, NULL);
    case YAML_DOCUMENT_START_EVENT:
        if (b->doc->root != NULL)
            return at_mark(b->why, e->start_mark, EINVAL, "a second document begins here: one file is one document");
        if (e->data.document_start.version_directive != NULL ||
            e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
            return at_mark(b->why, e->start_mark, EINVAL, "directives (%) are not taken");
        return 0;
    default: return 0;
    }
}

/* The mistake that is made most, and that the parser has several names for. Before a tab there are only blanks, so columns are bytes. */
static bool is_tab(const char *text, size_t len, yaml_mark_t at)
{
    const char *p = text, *end = text + len;

    for (size_t line = 0; line < at.line && p != NULL; line++) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p != NULL ? p + 1 : NULL;
    }
    return p != NULL && (size_t)(end - p) > at.column && p[at.column] == '\t';
}

/* The parser's own words and place. A character of the encoding has no line, only an offset. */
static int parser_refused(const yaml_parser_t *p, const char *text_read, size_t len, struct yaml_error *why)
{
    char text[YAML_WHY];
    bool context = p->context != NULL && p->context[0] != '\0';

    if (p->error == YAML_MEMORY_ERROR)
        return yaml_refuse(why, ENOMEM, NULL, "out of memory");
    snprintf(text, sizeof(text), "%s%s%s", context ? p->context : "", context ? ": " : "", p->problem != NULL ? p->problem : "no YAML");
    if (p->error == YAML_READER_ERROR)
        return yaml_refuse(why, EINVAL, NULL, "byte %zu: %s", p->problem_offset, text);
    if (is_tab(text_read, len, p->problem_mark))
        return at_mark(why, p->problem_mark, EINVAL, "there is a tab here: lines are indented with blanks");
    return at_mark(why, p->problem_mark, EINVAL, text);
}

static int run(yaml_parser_t *p, const char *text, size_t len, struct builder *b)
{
    yaml_event_t e;
    bool end = false;
    int rc = 0;

    while (rc == 0 && !end) {
        if (!yaml_parser_parse(p, &e))
            return parser_refused(p, text, len, b->why);
        end = e.type == YAML_STREAM_END_EVENT;
        rc = take(b, &e);
        yaml_event_delete(&e);
    }
    return rc;
}

/* ---- the text -------------------------------------------------------------------------------------------------------------------- */

/* Said before the parser sees it, with a place: what the parser would call a control character, or read as another encoding. */
static int check_bytes(const char *text, size_t len, struct yaml_error *why)
{
    struct yaml_node at = { .line = 1, .column = 1 };

    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

        if (c == '\0')
            return yaml_refuse(why, EINVAL, &at, "there is a NUL byte here: this is no text");
        if (n > len - i || (n > 1 && !frame_is_utf8(text + i, n)) || (c >= 0x80 && c < 0xc0))
            return yaml_refuse(why, EINVAL, &at, "byte 0x%02x: this is no UTF-8 text", c);
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return yaml_refuse(why, EINVAL, &at, "there is a control character (0x%02x) here; between double quotes write \\x%02x", c, c);
        at.column = c == '\n' ? 1 : at.column + 1;
        at.line += c == '\n';
        i += n;
    }
    return 0;
}

static int parse_once(const char *text, size_t len, struct yaml_doc *ret, struct yaml_error *why)
{
    struct builder b = { .doc = ret, .why = why };
    yaml_parser_t p;
    int rc;

    if (!yaml_parser_initialize(&p))
        return yaml_refuse(why, ENOMEM, NULL, "out of memory");
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
    rc = run(&p, text, len, &b);
    yaml_parser_delete(&p);
    if (rc != 0)
        yaml_finish(ret);
    return rc;
}

int yaml_parse(const char *text, size_t len, struct yaml_doc *ret, struct yaml_error *why)
{
    char *plain = NULL;
    int rc;

    *ret = (struct yaml_doc){ 0 };
    *why = (struct yaml_error){ 0 };
    rc = check_bytes(text, len, why);
    if (rc == 0)
        rc = yaml_json_escapes(text, len, &plain, &len);
    if (rc == -ENOMEM)
        yaml_refuse(why, ENOMEM, NULL, "out of memory");
    if (rc == 0)
        rc = parse_once(plain != NULL ? plain : text, len, ret, why);
    free(plain);
    return rc;
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; map->kind == YAML_MAP && i < map->n; i++)
        if (strcmp(map->keys[i]->text, key) == 0)
            return map->items[i];
    return NULL;
}

bool yaml_is_null(const struct yaml_node *n)
{
    return n->kind == YAML_TEXT && n->plain && (n->len == 0 || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}
