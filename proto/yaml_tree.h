/*
 * yaml_tree.h - a YAML or JSON text as a tree of texts, lists and maps, each with its place in the text.
 *
 * Side:    both (the command reads job files, the broker its configuration). The text is a user's: of any kind and size.
 * What is taken: one document of UTF-8 without NUL. JSON is YAML, and its escapes of characters beyond U+FFFF are read too. Refused by name:
 *          anchors and aliases (with them a short text can mean a huge one), tags, merge keys, keys that are no text, the same key twice,
 *          a second document, more than YAML_DEPTH levels, more than YAML_NODES values.
 * What nothing says: whether a text is a number. Whoever wants a number reads one (yaml_message.h), so no is a name and 1e3 may be one.
 * Owned:   everything hangs from the document; yaml_finish() frees it.
 * Returns: 0 or -errno with the error filled in: -EINVAL (makes no sense), -EDQUOT (too much of it), -ENOMEM.
 */
#ifndef PROTO_YAML_TREE_H
#define PROTO_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#define YAML_DEPTH 16
#define YAML_NODES 200000
#define YAML_WHY   512
#define YAML_HINT  256

struct yaml_error {
    unsigned line, column; /* from 1; 0: of the text as a whole */
    char text[YAML_WHY];   /* what is wrong: printable, one line */
    char hint[YAML_HINT];  /* what would be right; "" nothing */
};

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    bool plain;            /* a text without quotes */
    unsigned line, column; /* where it begins, from 1; columns are characters */
    const char *text;      /* NUL-terminated; may have NUL inside when quoted */
    size_t len;
    size_t n;
    struct yaml_node **keys; /* of a map, each a text */
    struct yaml_node **items;
};

struct yaml_block;

struct yaml_doc {
    struct yaml_node *root; /* NULL: there is nothing in the text but comments */
    struct yaml_block *blocks;
};

int yaml_parse(const char *text, size_t len, struct yaml_doc *ret, struct yaml_error *why);
void yaml_finish(struct yaml_doc *doc);

/* Zeroed memory that lives as long as the document. NULL: none is left. */
void *yaml_alloc(struct yaml_doc *doc, size_t size);

/* The value of a key, or NULL. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* Empty, ~ or null without quotes: nothing is given. */
bool yaml_is_null(const struct yaml_node *n);

/* Fills in why for a place in the text; both return -error. node NULL: the text as a whole. */
__attribute__((format(printf, 4, 5))) int yaml_refuse(struct yaml_error *why, int error, const struct yaml_node *node, const char *format,
                                                      ...);
__attribute__((format(printf, 2, 3))) void yaml_hint(struct yaml_error *why, const char *format, ...);

#endif
