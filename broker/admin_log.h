/*
 * admin_log.h - each administrative act is a durable record: who, what, on what. No secret is ever in one.
 *
 * Side:    broker, main thread.
 * Order:   an act is pushed to the store, then recorded, then answered: whoever has the answer finds the record.
 */
#ifndef BROKER_ADMIN_LOG_H
#define BROKER_ADMIN_LOG_H

#include <stdint.h>

#include "broker/actor.h"
#include "broker/store.h"
#include "control.pb-c.h"

struct broker;
struct control_call;

/* An act on its way, for what is answered when it is on disk. */
struct admin_act {
    struct broker *broker;
    struct rep_way way;
    /* Its answer; status 0, or -errno of its change, or of its record. The act is freed afterwards, its detail wiped. */
    void (*answer)(struct admin_act *a, int status);
    void *thing; /* the caller's; so are the two below */
    uint64_t id;
    char secret[96]; /* to be answered, never recorded; wiped */
    struct store_admin_act record;
};

/* The act of this call: verb "tenant.set", object what it is done to, tenant whose it is. NULL: no memory, and that has been answered. */
__attribute__((format(printf, 5, 6))) struct admin_act *admin_act_new(const struct control_call *c, const char *verb, const char *object,
                                                                      uint64_t tenant, const char *detail, ...);
/* op: the change, taken over; when it is committed the record follows, then the answer. NULL: only the record. */
void admin_act_push(struct admin_act *a, struct store_op *op);
void admin_act_free(struct admin_act *a); /* of one that was not pushed */

/* For acts that are answered elsewhere: only the record, which goes with the next commit. */
__attribute__((format(printf, 6, 7))) void admin_log(struct broker *b, const struct actor *by, const char *verb, const char *object,
                                                     uint64_t tenant, const char *detail, ...);

#endif
