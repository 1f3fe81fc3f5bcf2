/*
 * kv.h - a durable store of keys and values, one for each tenant, seen through handles of prefixes.
 *
 * Side:    broker. All keys of a tenant are one thing; a handle of it has a prefix, and its holder names, sees and lists what comes behind that,
 *          without it. Attenuated, it gets longer.
 * Order:   changes are committed in the order in which they came, and answered then; a read that comes after a change of its key, or a list
 *          after any change, is answered after that change has been committed.
 * Bounded: STORE_KV_KEY, _VALUE, _KEYS, _BYTES (store.h); a page of a list: KV_PAGE.
 */
#ifndef BROKER_KV_H
#define BROKER_KV_H

#include "broker/handles.h"

struct broker;
struct estate;

#define KV_PAGE 1000

/* The one thing of KIND_KV that a tenant has; NULL: no memory. It is there until kv_finish(). */
struct thing *kv_thing(struct estate *e);
/* Appends to the prefix of a handle that nothing was derived from yet. -1 with why: longer than a key may be. */
int kv_lengthen(struct handle *h, const char *more, struct call_why *why);
/* After the last ask and handle have gone. */
void kv_finish(struct broker *b);

#endif
