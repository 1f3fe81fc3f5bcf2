/*
 * value.h - typed values that travel between interpreters and host programs, as CBOR (RFC 8949), and the bounds on them.
 *
 * Side:    both. Who decodes them takes them for hostile; the broker passes them on unread.
 * Types:   null, bool, 64-bit integer, integer of any size (decimal text behind VALUE_TAG_BIG), double, text (UTF-8), bytes, list, map,
 *          handle (VALUE_TAG_HANDLE on its place in Value.handles). Keys of a map: bool, 64-bit integer, double, text or bytes; each stands
 *          in it once.
 * Form:    one value has one encoding (RFC 8949, 4.2.1): definite lengths, shortest heads, doubles in 8 bytes, one NaN, no other tag, no
 *          other simple value, keys of a map in the order of their encodings. So two values are equal when their bytes are, and a reader
 *          sees a key that comes twice without memory. A double that is a key is neither NaN nor a number that an integer can be. The
 *          reader refuses all else; the writer takes keys in any order and brings everything into this form.
 * Bounds:  VALUE_DEPTH lists and maps within each other, VALUE_BYTES of encoding inline (what is larger travels in a buffer: Value.whole),
 *          VALUE_WHOLE_BYTES in a buffer, VALUE_ITEMS items in all, VALUE_HANDLES handles.
 * Paths:   an error names the element: "args[2].list[\"name\"][1]": places are counted from 1, as in Lua; path holds VALUE_PATH bytes.
 * Returns: 0 or -errno: -EPROTO not such a value (a writer's caller: not one that can be made), -ELOOP too deep, -E2BIG too big, -ENOMEM.
 */
#ifndef PROTO_VALUE_H
#define PROTO_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VALUE_DEPTH = 64,
    VALUE_BYTES = 64 << 10,
    VALUE_WHOLE_BYTES = 64 << 20,
    VALUE_ITEMS = 1 << 20,
    VALUE_HANDLES = 64,
    VALUE_BIG_DIGITS = 4096,
    VALUE_PATH = 256,
};
#define VALUE_TAG_BIG    0x636f6f70 /* "coop": of the first-come-first-served range of tags; content: text, an optional '-' and digits */
#define VALUE_TAG_HANDLE 0x636f6f71 /* content: an unsigned integer below the number of handles */

enum value_type {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_BIG, /* text: decimal, no zeros in front, does not fit int64 */
    VALUE_DOUBLE,
    VALUE_TEXT,
    VALUE_DATA,
    VALUE_LIST, /* count: elements that follow */
    VALUE_MAP,  /* count: pairs that follow, key then value */
    VALUE_HANDLE,
};

/* One step of a value: scalars whole, lists and maps as their head. Bytes are borrowed from the encoding, and have no NUL behind them. */
struct value_item {
    enum value_type type;
    bool key;       /* of a map: its value is the next item */
    unsigned depth; /* lists and maps that it lies in */
    bool boolean;
    int64_t integer;
    double number;
    const char *bytes; /* TEXT, DATA, BIG */
    size_t len;
    size_t count;
    uint32_t handle; /* place in handles */
};

/* ---- reading: one item after another, no recursion, no memory; everything is checked on the way -------------------------------------- */

struct value_reader {
    const uint8_t *at, *end;
    uint32_t n_handles;
    size_t items, pending; /* read; announced by lists and maps, and still to come */
    unsigned depth;
    int error;
    struct value_level {
        size_t left, count; /* items (of a map: keys and values) still to come, and in all */
        bool map;
        const uint8_t *key; /* the last one's encoding; NULL: none yet */
        size_t key_len;
    } level[VALUE_DEPTH];
};

/* max: VALUE_BYTES or VALUE_WHOLE_BYTES. An error is what value_next() returns from then on, too. */
int value_reader_init(struct value_reader *r, const void *cbor, size_t len, size_t max, uint32_t n_handles);
/* The next item; a list or a map with nothing in it is its head alone. -ENODATA: the value is complete, and nothing follows. */
int value_next(struct value_reader *r, struct value_item *ret);
/* Reads it to its end: for who wants to know, and for the path of what another found. root: the word that paths begin with; path (may be
 * NULL): VALUE_PATH bytes, "" when nothing is wrong. */
int value_check(const void *cbor, size_t len, size_t max, uint32_t n_handles, const char *root, char *path);

/* ---- writing: into memory that grows; the first error stays and later calls do nothing ----------------------------------------------- */

struct value_writer {
    uint8_t *bytes; /* malloc'ed; value_writer_take() or value_writer_finish() */
    size_t len, cap, max;
    size_t items;
    unsigned depth; /* kept by value_list(), value_map() and value_end() */
    int error;
    struct value_open {
        size_t left, count;
        bool map, unsorted;
        size_t at;           /* where its items begin */
        size_t key, key_len; /* the last one's encoding; length 0: none yet */
    } open[VALUE_DEPTH];
};

void value_writer_init(struct value_writer *w, size_t max);
void value_null(struct value_writer *w);
void value_bool(struct value_writer *w, bool b);
void value_int(struct value_writer *w, int64_t i);
void value_big(struct value_writer *w, const char *digits, size_t len); /* -EPROTO: not decimal; one that fits becomes an integer */
void value_double(struct value_writer *w, double d);                    /* as a key: an integer when it is one; -EPROTO: NaN */
void value_text(struct value_writer *w, const char *text, size_t len);  /* -EPROTO: not UTF-8 */
void value_data(struct value_writer *w, const void *bytes, size_t len);
void value_list(struct value_writer *w, size_t count);
void value_map(struct value_writer *w, size_t count);
void value_end(struct value_writer *w); /* of the innermost list or map; -EPROTO: it has fewer items than it said, or a key twice */
void value_handle(struct value_writer *w, uint32_t place);
/* Gives the encoding away; the caller frees it. Returns the writer's error, or 0. -EPROTO: there is not one whole value. */
int value_writer_take(struct value_writer *w, uint8_t **ret, size_t *ret_len);
void value_writer_finish(struct value_writer *w);

/* ---- paths: kept by whoever walks a value, so that an error can name the element ----------------------------------------------------- */

struct value_path {
    char text[VALUE_PATH]; /* what does not fit ends with "..." */
    size_t len;
};

void value_path_init(struct value_path *p, const char *root);
size_t value_path_index(struct value_path *p, size_t place);               /* "[3]"; returns the mark to go back to */
size_t value_path_key(struct value_path *p, const struct value_item *key); /* ".name", "[\"any text\"]", "[-1]", "[true]" */
void value_path_back(struct value_path *p, size_t mark);

#endif
