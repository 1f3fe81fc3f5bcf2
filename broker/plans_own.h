/*
 * plans_own.h - what the parts of plans.h share; nobody else includes it.
 *
 * Side:    broker, main thread.
 */
#ifndef BROKER_PLANS_OWN_H
#define BROKER_PLANS_OWN_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/control_verbs.h"
#include "broker/loop.h"
#include "broker/plans.h"

/* A request that is answered when its commit is back. */
struct plans_call {
    struct broker *broker;
    struct rep_way way;
};
struct plans_call *plans_call_new(const struct control_call *c); /* malloc'd; NULL without memory */
/* what: "the limiter". status: what the store said. */
void plans_refuse_store(const struct plans_call *call, const char *what, int status);

/* Whose things a request is about: "" the actor's own, a name, or "*" for all that it may see. Answers, and returns NULL or false, when there is
 * no such tenant for this actor. */
struct tenant *plans_tenant_to_change(struct control_call *c, const char *name); /* of its own, or, with admin, of one below; no "*" */
struct plans_scope {
    const struct tenant *one; /* NULL: all that may be seen */
};
bool plans_scope_of(struct control_call *c, const char *name, struct plans_scope *ret);
bool plans_in_scope(const struct control_call *c, const struct plans_scope *s, uint64_t tenant);

struct limiter *limiters_find(const struct broker *b, uint64_t tenant, const char *key);
struct limiter *limiters_put(struct broker *b, uint64_t tenant, const char *key, uint32_t max); /* new, or with another max */
void limiters_drop(struct broker *b, struct limiter *l);
bool limiters_key_ok(const char *key, char why[LIMITERS_WHY]);

#endif
