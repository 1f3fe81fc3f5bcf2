/*
 * coop/value.h - typed values: what is given to a call of an interpreter, what it returns, and what lies in a queue.
 *
 * The same in a host program (libcoop) and in a native job. A value is a tree, made from its leaves up:
 *
 *     coop_val *args = coop_val_list();
 *     coop_val_add(args, coop_val_text("n", SIZE_MAX));
 *     coop_val_add(args, coop_val_int(42));
 *
 * Types:   null, bool, 64-bit integer, integer of any size (decimal digits), double, text (UTF-8), bytes, list, map, handle. Keys of a map:
 *          bool, integer, double, text or bytes, each once. A double that is a key and has no fraction is the integer (1.0 is 1); NaN is no
 *          key.
 * Bounds:  COOP_VAL_DEPTH lists and maps within each other, COOP_VAL_ITEMS items in all (each key is one, too), COOP_VAL_HANDLES handles;
 *          COOP_VAL_INLINE_BYTES of encoding that travel inline, COOP_VAL_WHOLE_BYTES in a buffer.
 * Errors:  functions that can fail return 0 or a negative errno. A constructor never returns NULL: what could not be made is a value of
 *          type COOP_VAL_ERROR, which every function takes. The first error in a list or map stays in it and in what it is put into, so it
 *          is enough to ask at the end: coop_val_error(), coop_val_encode() and every call that sends a value return it and name the
 *          element.
 * Paths:   name an element by its place from 1, as in Lua, and by its key: args[2].list["any key"][1].
 * Owned:   the caller frees a value with coop_val_free() unless it has been put into another, to which it then belongs; that one frees it.
 *          What has been put somewhere is changed no more (-EINVAL). Pointers that getters return are borrowed: until their value is freed,
 *          or in a map their key is set anew.
 * Stack:   what goes through all of a value (copy, free, encode, equal) needs up to 16 KiB of it.
 * Threads: a value may be read by several threads while nobody changes it. There is no global state.
 */
#ifndef COOP_VALUE_H
#define COOP_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct coop_val coop_val;

enum coop_val_type {
    COOP_VAL_NULL,
    COOP_VAL_BOOL,
    COOP_VAL_INT,
    COOP_VAL_BIG, /* an integer that does not fit int64_t */
    COOP_VAL_DOUBLE,
    COOP_VAL_TEXT,
    COOP_VAL_BYTES,
    COOP_VAL_LIST,
    COOP_VAL_MAP,
    COOP_VAL_HANDLE,
    COOP_VAL_ERROR, /* could not be made: coop_val_error() says why */
};

enum {
    COOP_VAL_DEPTH = 64,
    COOP_VAL_ITEMS = 1 << 20,
    COOP_VAL_HANDLES = 64,
    COOP_VAL_DIGITS = 4096, /* of an integer of any size */
    COOP_VAL_INLINE_BYTES = 64 << 10,
    COOP_VAL_WHOLE_BYTES = 64 << 20,
    COOP_VAL_PATH = 256, /* what holds a path, with its NUL */
};

/* ---- handles: what names a thing of the broker's ------------------------------------------------------------------------------------- */

enum coop_kind { COOP_KIND_NONE, COOP_KIND_INTERP, COOP_KIND_QUEUE, COOP_KIND_BUFFER, COOP_KIND_ALIAS, COOP_KIND_KV };

enum coop_right {
    COOP_RIGHT_CALL = 1,   /* interpreter: exec, call, prepare; alias: call */
    COOP_RIGHT_MANAGE = 2, /* interpreter: interrupt, close, kill, reset, link; queue: close */
    COOP_RIGHT_SEND = 4,   /* queue: put */
    COOP_RIGHT_RECV = 8,   /* queue: get */
    COOP_RIGHT_READ = 16,  /* buffer, kv */
    COOP_RIGHT_WRITE = 32, /* kv; of a buffer, until it is sealed */
    COOP_RIGHT_GRANT = 64, /* may be handed to others */
};

/*
 * In an interpreter number names it: a place in the interpreter's own table, never used twice. In a host program id (or name) does, and
 * number is 0. Sent in a value, rights are those to pass on, 0: all that the sender has; never more. Received: those that it has.
 */
struct coop_handle {
    enum coop_kind kind;
    unsigned rights; /* of enum coop_right */
    uint32_t number; /* from 1; 0: it has none */
    char id[27];     /* 26 letters and digits; "": it has none */
    char name[129];  /* UTF-8; "": it has none */
    uint64_t bytes;  /* of a buffer */
};

/* ---- making them --------------------------------------------------------------------------------------------------------------------- */

/* Errors: -ENOMEM; -EILSEQ: text that is not UTF-8; -EINVAL: digits that are none, a handle that names nothing; -E2BIG: too many digits. */
coop_val *coop_val_null(void);
coop_val *coop_val_bool(bool b);
coop_val *coop_val_int(int64_t i);
coop_val *coop_val_double(double d);
/* An optional '-' and decimal digits, ended by a NUL. Becomes an int when it fits one. Copied. */
coop_val *coop_val_big(const char *digits);
/* len in bytes, SIZE_MAX: up to the NUL. Copied; may hold NULs. */
coop_val *coop_val_text(const char *text, size_t len);
coop_val *coop_val_bytes(const void *bytes, size_t len);
/* Copied. kind, and number or id or name, must be there. */
coop_val *coop_val_handle(const struct coop_handle *h);
coop_val *coop_val_list(void); /* empty */
coop_val *coop_val_map(void);  /* empty */

/*
 * Puts item at the end of list, to which it belongs from now on, whatever is returned: when it fails, item has been freed. NULL as item is
 * an error (-EINVAL) that stays in the list. -EINVAL: list is no list or has been put somewhere, or item has (then it is left alone).
 * -ELOOP: too deep.
 */
int coop_val_add(coop_val *list, coop_val *item);
/* The same for a map; a key that is there gets the new value. name: UTF-8, ended by a NUL, copied. -EILSEQ: it is not UTF-8. */
int coop_val_set(coop_val *map, const char *name, coop_val *value);
/* With any key, which then belongs to the map, too. -EINVAL: it cannot be a key. */
int coop_val_set_key(coop_val *map, coop_val *key, coop_val *value);

/* NULL: -EINVAL. 0: whole; else the first error in it. */
int coop_val_error(const coop_val *v);

/* A copy of all of it, handles too (they name the same things). COOP_VAL_ERROR: no memory. */
coop_val *coop_val_copy(const coop_val *v);
/* With all that is in it. NULL, and what belongs to another: nothing happens. */
void coop_val_free(coop_val *v);

/* ---- looking into them --------------------------------------------------------------------------------------------------------------- */

/* NULL: COOP_VAL_NULL. */
enum coop_val_type coop_val_type(const coop_val *v);
/* "null", "bool", "int", "big", "double", "text", "bytes", "list", "map", "handle", "error"; "?" for any other number. */
const char *coop_val_type_name(enum coop_val_type type);

/* 0, -EINVAL: of another type. *ret is touched on success only. */
int coop_val_as_bool(const coop_val *v, bool *ret);
/* A double without fraction, too. -ERANGE: it does not fit, or has a fraction. */
int coop_val_as_int(const coop_val *v, int64_t *ret);
/* An int, too. -ERANGE: no double is exactly that. */
int coop_val_as_double(const coop_val *v, double *ret);
/* Of COOP_VAL_BIG: '-' and digits, ended by a NUL. NULL: of another type. */
const char *coop_val_as_big(const coop_val *v);
/* Ended by a NUL, and may hold others; ret_len (bytes, without the last) may be NULL. NULL: of another type. */
const char *coop_val_as_text(const coop_val *v, size_t *ret_len);
/* Of bytes and of a text; never NULL for them. */
const void *coop_val_as_bytes(const coop_val *v, size_t *ret_len);
const struct coop_handle *coop_val_as_handle(const coop_val *v);

/* Elements of a list, pairs of a map; 0 of all others. */
size_t coop_val_count(const coop_val *v);
/* The element of a list, or the value and the key of a pair, at this place, from 0 here. NULL: there is none. Pairs stand in the order in
 * which their keys were first set; in a received map in that of their encodings. */
const coop_val *coop_val_at(const coop_val *v, size_t place);
const coop_val *coop_val_key_at(const coop_val *map, size_t place);
/* A map's value by its key. NULL: no such key, or no map. */
const coop_val *coop_val_get(const coop_val *map, const char *name);
const coop_val *coop_val_get_key(const coop_val *map, const coop_val *key);

/* Same type and content; maps in whatever order; NaN is itself, 0.0 is not -0.0, 1 is not 1.0; handles by what they name and their rights.
 * Values with an error are equal to nothing. */
bool coop_val_equal(const coop_val *a, const coop_val *b);

/* ---- as bytes ------------------------------------------------------------------------------------------------------------------------ */

/* CBOR (RFC 8949), one encoding for one value, and the handles that are named in it by their place. */
struct coop_encoding {
    void *cbor;
    size_t len;
    struct coop_handle *handles; /* NULL: none */
    size_t n_handles;
};

/*
 * The bytes that v is. max: COOP_VAL_INLINE_BYTES or COOP_VAL_WHOLE_BYTES. root: the word that the path begins with ("value"). path:
 * COOP_VAL_PATH bytes, "" when nothing is wrong; may be NULL. The caller frees *ret by coop_encoding_free(). -E2BIG: more than max, than
 * COOP_VAL_ITEMS or COOP_VAL_HANDLES; -ENOMEM; or what coop_val_error() says.
 */
int coop_val_encode(const coop_val *v, size_t max, const char *root, struct coop_encoding *ret, char *path);
void coop_encoding_free(struct coop_encoding *e);
/*
 * The bytes may be anybody's: what is not exactly such a value is refused. The handles are copied. *ret is the caller's. -EPROTO: not a
 * value (or a handle that is not among those given), -ELOOP: too deep, -E2BIG: more than max or COOP_VAL_ITEMS, -ENOMEM. Takes up to 100
 * bytes of memory for an item.
 */
int coop_val_decode(const void *cbor, size_t len, size_t max, const struct coop_handle *handles, size_t n_handles, const char *root,
                    coop_val **ret, char *path);

#ifdef __cplusplus
}
#endif

#endif
