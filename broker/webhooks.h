/*
 * webhooks.h - tells addresses that a job names what becomes of it: one POST for each event, signed, tried again until it is taken or given up.
 *
 * Side:    broker. It makes no request itself: courier.h does. Where one may go, the courier checks.
 * Promise: the end of a job, and of each task of an array, is told at least once, also by the next broker (the store knows who still owes it);
 *          other events once, while this broker lives. The same notice has the same number in each try.
 * Signed:  with a key of the tenant's (kv) named in the spec: "Coop-Signature: t=SECONDS,v1=HEX", HMAC-SHA256 (RFC 2104) of "SECONDS.BODY".
 * Fair:    tenants take turns, and one has at most WEBHOOKS_AT_ONCE requests under way: who answers slowly delays his own.
 * Bounded: WEBHOOKS_OPEN notices in all, WEBHOOKS_TENANT of one tenant; what is beyond is dropped, logged, and for an end left to the next broker.
 *          A body has at most WEBHOOK_BODY bytes: what is long in a receipt is left out, and left_out says what.
 */
#ifndef BROKER_WEBHOOKS_H
#define BROKER_WEBHOOKS_H

#include <uthash.h>

#include "broker/courier.h"
#include "broker/timers.h"
#include "broker/webhook_log.h"
#include "job.pb-c.h"
#include "ulid.h"

struct broker;
struct notice;
struct waiting;
struct webhook_job;
struct webhook_set;
struct webhook_tenant;

enum {
    WEBHOOKS_OPEN = 10000,
    WEBHOOKS_TENANT = 1000,
    WEBHOOKS_AT_ONCE = 4,
    WEBHOOK_TRIES = 6,
    WEBHOOK_DEATHS = 2, /* of the courier with this notice under way: then it is given up */
    WEBHOOK_TIMEOUT_MS = 10000,
    WEBHOOK_BODY = 64 << 10
};

struct webhooks {
    struct broker *broker;
    struct courier courier;
    struct webhook_job *jobs;       /* that name an address, and have not told their end */
    struct notice *by_id;           /* all */
    struct webhook_tenant *tenants; /* that have one open */
    struct webhook_tenant *turn;    /* of these, those that have one to send and may; the next first */
    unsigned open;
    uint64_t last_id;
    struct webhook_log log;     /* for show */
    struct webhook_set *recent; /* the set read last, of recent_of: that of an array is read once for its tasks */
    char recent_of[ULID_LEN + 1];
};

/* Before root is given up. */
void webhooks_init(struct webhooks *w, struct broker *b);
/* After the jobs and the arrays: what an earlier broker owes. */
int webhooks_recover(struct webhooks *w);
void webhooks_finish(struct webhooks *w);

/* A job (or an array: each of its tasks) that names some is being submitted. */
void webhooks_add(struct webhooks *w, const char *job, const Pb__JobSpec *spec);
void webhooks_refused(struct webhooks *w, const char *job); /* the store would not have it */
void webhooks_array_over(struct webhooks *w, const char *array);

/* Its state, unless it has ended: that is told when its receipt is committed. */
void webhooks_changed(struct webhooks *w, const struct waiting *entry, Pb__State from, Pb__State to, const char *reason);

/* Pause before try n (from 2), us: the first (--webhook-pause), then four times as long each. */
uint64_t webhook_pause_us(uint64_t first_us, unsigned n);
/* "t=SECONDS,v1=HEX". */
enum { WEBHOOK_SIGNATURE = 100 };
void webhook_sign(const void *key, size_t key_len, uint64_t seconds, const void *body, size_t len, char ret[WEBHOOK_SIGNATURE]);

#endif
