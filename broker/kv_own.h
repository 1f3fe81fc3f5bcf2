/*
 * kv_own.h - what kv.c (the thing, its prefixes, changes) and kv_read.c share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_KV_OWN_H
#define BROKER_KV_OWN_H

#include "broker/kv.h"
#include "broker/store.h"

struct ask;

/* A change on its way to the disk. */
struct kv_write {
    struct kv *kv;
    struct ask *ask;     /* NULL: nobody waits for it any more */
    struct ask *readers; /* list: they came after it */
    char key[STORE_KV_KEY + 1];
    struct kv_write *next, *prev;
};

struct kv {
    struct thing thing;
    struct kv_write *newest, *oldest;
};

/*
 * What a ref means: the prefix of a handle with these rights, or what a host program names. ret_handle: NULL for a host program that named
 * none. -1 with why.
 */
int kv_find_prefix(struct ask *a, const Pb__Ref *r, uint32_t rights, const char **ret, struct handle **ret_handle, struct call_why *why);
/* Whose keys those are that kv_find_prefix() found: the handle's, else the asker's own. */
struct kv *kv_of(const struct ask *a, const struct handle *h);
/* Prefix and name as a whole key. */
int kv_join(const char *prefix, const char *name, char ret[STORE_KV_KEY + 1], struct call_why *why);
/* Both; the name must not be empty. */
int kv_find_key(struct ask *a, const Pb__Ref *r, uint32_t rights, const char *name, char ret[STORE_KV_KEY + 1], struct handle **ret_handle,
                struct call_why *why);

/* Answers a read that waited for a change. */
void kv_answer_read(struct ask *a);

#endif
