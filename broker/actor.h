/*
 * actor.h - who asks, and what they may: worked out once for each request, before control_gate.c looks at anything else of it.
 *
 * Side:    broker. A token is bytes of a stranger until it was found; a uid is the kernel's word.
 * Local:   the peer's uid, when the connection was accepted. Root and the broker's own uid are operators. Any other has submit, read and
 *          cancel in its own tenant. With a token, it is the token that counts.
 * TLS:     only the token of the request.
 * Owned:   an actor borrows its tenant: good until control returns to the loop.
 */
#ifndef BROKER_ACTOR_H
#define BROKER_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/rep_socket.h"

struct broker;
struct tenant;
struct token;

/* What a request of control.proto needs: all that its row names. */
enum actor_scope {
    ACTOR_SUBMIT = 1 << 0,
    ACTOR_READ = 1 << 1,
    ACTOR_CANCEL = 1 << 2,
    ACTOR_ADMIN = 1 << 3,    /* of its tenant and those below: tenants, tokens, quotas */
    ACTOR_OPERATOR = 1 << 4, /* of the broker: all tenants; no token has it */
};
#define ACTOR_SCOPES 5
#define ACTOR_ALL    ((1u << ACTOR_SCOPES) - 1)

#define ACTOR_NAME  64 /* bytes of "uid:1000", "token:ID" */
#define ACTOR_QUEUE 64 /* of a queue's name */
#define ACTOR_WHY   256

#define ACTOR_DEFAULT_QUEUE "default" /* where a job without one is */

extern const char *const actor_scope_names[ACTOR_SCOPES]; /* by bit */

struct actor {
    struct tenant *tenant; /* whose its own jobs are; NULL: nobody, see no */
    unsigned scopes;
    char queue[ACTOR_QUEUE + 1]; /* a token's: it sees, and submits to, this queue alone; "": any */
    char name[ACTOR_NAME + 1];
    uint32_t uid;        /* of a local peer; UINT32_MAX: it is not one */
    struct token *token; /* NULL: known by its uid */
};

/*
 * Whoever sent this. Returns 0; -EACCES: no such token, or a wrong secret, an expired or revoked one (the same answer for all of them);
 * -EPERM: no token where one is needed; -EDQUOT: too many local users. why: for the peer.
 */
int actor_find(struct broker *b, const struct rep_origin *from, const char *token, struct actor *ret, char why[ACTOR_WHY]);

/* It may know that this job exists. queue: of the job. A job that it may not see is answered as one that does not exist. */
bool actor_sees(const struct broker *b, const struct actor *a, uint64_t tenant, const char *queue);
/* It may know that this tenant exists: its own, and with admin those below; an operator all. */
bool actor_sees_tenant(const struct actor *a, const struct tenant *t);
/* Ids of all that it sees, for a question to the store: malloc'd; NULL with 0 for an operator, who sees all, those of nobody too. */
int actor_seen_tenants(const struct broker *b, const struct actor *a, uint64_t **ret, size_t *ret_n);
/* It has them all. */
bool actor_may(const struct actor *a, unsigned needs);
/* The scope that is missing, for the refusal; NULL: none is. */
const char *actor_lacks(const struct actor *a, unsigned needs);
/* The same of scopes alone. */
const char *actor_scope_missing(unsigned scopes, unsigned needs);
/* The queue that a job of this actor goes to, "" becomes its own. -EPERM: a token that is bound to another. */
int actor_settle_queue(const struct actor *a, const char *asked, const char **ret_queue);

#endif
