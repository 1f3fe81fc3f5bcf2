/*
 * webhooks_own.h - what webhooks.c (who is owed what) and webhook_notices.c (one event on its way to one address) share; nobody else includes it.
 *
 * Side:    broker, main thread.
 */
#ifndef BROKER_WEBHOOKS_OWN_H
#define BROKER_WEBHOOKS_OWN_H

#include <jansson.h>

#include "broker/webhooks.h"

/* Of one job, or of an array and all its tasks: addresses, events and keys, kept packed; the spec is not read for an event. */
struct webhook_set {
    unsigned refs;
    uint32_t events; /* bit n: some address wants state n */
    size_t len;
    uint8_t bytes[]; /* a JobSpec of name and webhooks only */
};

/* A job or an array that names addresses, or a task whose end is being told. */
struct webhook_job {
    char id[ULID_LEN + 1];
    bool left;               /* a notice of its end did not find room: the store keeps it for the next broker */
    unsigned owes;           /* notices of its end that are open; when the last has gone, so does this */
    struct webhook_set *set; /* NULL: not read yet, of one that an earlier broker took in */
    UT_hash_handle hh;
};

/* Those notices of a tenant that are open; it goes with the last. */
struct webhook_tenant {
    uint64_t id;
    unsigned open, under_way;
    bool in_turn;
    struct notice *first, **last; /* to be sent, oldest first */
    struct webhook_tenant *prev, *next;
    UT_hash_handle hh;
};

/* One event for one address, place: which of the job's. owner: whose end it is, NULL when it is none. false: too many are open, or no memory. */
bool webhook_begin(struct webhooks *w, const Pb__Webhook *h, unsigned place, const Pb__Notice *what, uint64_t tenant, const char *owner);
void webhook_pump(void *webhooks); /* as many as the courier takes now */
void webhook_on_done(void *webhooks, uint64_t id, unsigned status, const char *error);
void webhook_on_lost(void *webhooks, uint64_t id);
void webhook_notices_finish(struct webhooks *w);

/* Takes away what is long until it fits in WEBHOOK_BODY, and says what. malloc'd; NULL: no memory. */
char *webhook_text(json_t *json);

/* A notice of an end has arrived, or was given up: webhooks.c. */
void webhook_told(struct webhooks *w, const char *owner);

#endif
