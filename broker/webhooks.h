/*
 * webhooks.h - tells addresses that a job names what becomes of it: one POST for each event, signed, tried again until it is taken or given up.
 *
 * Side:    broker. It makes no request itself: courier.h does. Where one may go, the courier checks.
 * Promise: the end of a job is told at least once, also by the next broker (the store knows which jobs still owe it); other events once, while this
 *          broker lives. The same notice has the same number in each try.
 * Signed:  with a key of the tenant's (kv) named in the spec: "Coop-Signature: t=SECONDS,v1=HEX", HMAC-SHA256 (RFC 2104) of "SECONDS.BODY".
 * Bounded: WEBHOOKS_OPEN notices in all, WEBHOOKS_TENANT of one tenant; what is beyond is dropped, logged, and for an end left to the next broker.
 */
#ifndef BROKER_WEBHOOKS_H
#define BROKER_WEBHOOKS_H

#include <uthash.h>

#include "broker/courier.h"
#include "broker/timers.h"
#include "job.pb-c.h"
#include "ulid.h"

struct broker;
struct notice;
struct tenant;
struct waiting;
struct webhook_job;

enum { WEBHOOKS_OPEN = 10000, WEBHOOKS_TENANT = 1000, WEBHOOK_TRIES = 6, WEBHOOK_URL = 2048 };

struct webhooks {
    struct broker *broker;
    struct courier courier;
    struct webhook_job *jobs;     /* that name an address, and have not told their end */
    struct notice *first, **last; /* that are to be sent now, oldest first */
    struct notice *by_id;         /* all */
    unsigned open;
    uint64_t last_id;
};

/* Before root is given up. */
void webhooks_init(struct webhooks *w, struct broker *b);
/* After the jobs: what an earlier broker owes. */
int webhooks_recover(struct webhooks *w);
void webhooks_finish(struct webhooks *w);

/* A job (or an array: each of its tasks) that names some has been accepted. */
void webhooks_add(struct webhooks *w, const char *job);

/* Its state, unless it has ended: that is told when its receipt is committed. */
void webhooks_changed(struct webhooks *w, const struct waiting *entry, Pb__State from, Pb__State to, const char *reason);

/* Pause before try n (from 2), us: 5 s, then four times as long each. */
uint64_t webhook_pause_us(unsigned n);
/* "t=SECONDS,v1=HEX". */
enum { WEBHOOK_SIGNATURE = 100 };
void webhook_sign(const void *key, size_t key_len, uint64_t seconds, const void *body, size_t len, char ret[WEBHOOK_SIGNATURE]);

#endif
