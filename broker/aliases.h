/*
 * aliases.h - functions that a parent offers to an interpreter it makes: the child calls by name, the parent pulls the call and answers it.
 *
 * Side:    broker. Both ends are workers, or the parent a host program; neither sees more of the other than arguments and value.
 * Pulled:  nothing is pushed to a parent: AliasNext waits for a call, AliasDone answers it. A parent that never asks leaves its child
 *          waiting until the call's own time is over; one that ends answers all calls of its aliases with DEAD.
 * Owned:   offers belong to the interpreter; they outlive the parent and each process of the child. The child's right to call is a handle
 *          ("alias=NAME"), which it may hand on, and which the parent takes back by HandleRevoke.
 * Audited: each call that has ended is a line in the broker's log and a row in the store (docs/capabilities.md), in that order, whatever
 *          became of it.
 * Bounded: ALIASES_MAX for each interpreter, ALIASES_ALL in all, of which a tenant has its share (estate.h), ALIAS_CALLS_OPEN calls that are open with one parent.
 */
#ifndef BROKER_ALIASES_H
#define BROKER_ALIASES_H

#include <stddef.h>

#include "broker/handles.h"

#define ALIASES_MAX      256
#define ALIASES_ALL      65536 /* of all interpreters together */
#define ALIAS_CALLS_OPEN 8192

struct alias_offers;
struct ask;

/*
 * What server offers to the interpreter of this id: n names (each once, 1 to LIMITS_NAME bytes, no control characters). *ret NULL when n is
 * 0. -1 with why: BAD_REQUEST, LIMIT, TEMPORARY.
 */
int aliases_offer(struct asker *server, const char *interp, char *const *names, size_t n, struct alias_offers **ret, struct call_why *why);
/* To each process of the interpreter when it begins: a handle of each in its table. -1 with why: LIMIT. */
int aliases_give(struct alias_offers *o, struct asker *child, struct call_why *why);
/* The interpreter has ended for good. NULL is nothing. */
void aliases_free(struct alias_offers *o);

/* HandleRevoke.alias: answers the ask. */
void alias_take_back(struct ask *a);
/* asks.c: it serves nothing any more. Its asks have ended. */
void aliases_asker_gone(struct asker *a);

#endif
