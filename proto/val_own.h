/*
 * val_own.h - what a coop_val is made of: for val.c, val_map.c and val_code.c alone.
 *
 * Side:  both. A list or map that has been put into another (owned) is not changed, so no value can come to lie in itself, and how deep it
 *        is (height) is known without looking into it.
 */
#ifndef PROTO_VAL_OWN_H
#define PROTO_VAL_OWN_H

#include <coop/value.h>

struct val_pair {
    coop_val *key, *value;
};

struct coop_val {
    enum coop_val_type type;
    bool owned;
    unsigned char height; /* lists and maps within each other from here down, itself included */
    int error;            /* the first one in it, or 0 */
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            size_t len;
            char *bytes; /* behind the struct, a NUL after them; big: digits */
        } text;
        struct {
            size_t count, cap;
            coop_val **items;
        } list;
        struct {
            size_t count, cap;
            struct val_pair **pairs; /* in the order in which they came */
            void *tree;              /* of them, by tsearch(3); NULL while they came in the order of val_key_cmp() */
        } map;
        struct coop_handle *handle; /* behind the struct */
    };
};

/* The value that says that one could not be made; it is nobody's to free. */
coop_val *val_broken(int error);
/* Text, bytes, or digits in the form of value.h, unchecked. */
coop_val *val_text(enum coop_val_type type, const void *bytes, size_t len);
/* A list's or map's part: checks that item may be put into c, and takes it over. -errno: it may not, and has been freed unless it is
 * another's. */
int val_adopt(coop_val *c, coop_val *item);
/* Frees one that was taken over. */
void val_discard(coop_val *item);
/* The same when there was no room for it in c. -ENOMEM, or the error that c had before. */
int val_give_up(coop_val *c, coop_val *item);
/* Room for one more of size bytes. */
int val_grow(void *array, size_t count, size_t *cap, size_t size);

/* The order of the encodings of keys. */
int val_key_cmp(const coop_val *a, const coop_val *b);
void val_map_free(coop_val *map);

#endif
