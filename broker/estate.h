/*
 * estate.h - what a tenant has in the broker besides its jobs: things, templates, calls that wait. Each of them belongs to one estate; who asks sees
 * what is of its own.
 *
 * Side:    broker.
 * Owned:   one for each tenant, by whoever refers to it: its things, templates and askers. It is gone with the last of them.
 * Bounded: what all tenants share is divided: one tenant, with all below it, may take a part of ESTATE_SHARE of it; those of root and of the broker's own
 *          user, who are its operators, all of it. Interpreters have a quota, too (tenants.h), which counts where it is set.
 */
#ifndef BROKER_ESTATE_H
#define BROKER_ESTATE_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/handles.h"
#include "broker/spec_check.h"

struct actor;
struct broker;
struct job;
struct kv;

#define ESTATE_SHARE 4 /* of what there is for all, a quarter */

/* By place in the table of estate.c. */
enum estate_kind {
    ESTATE_INTERPRETERS, /* alive */
    ESTATE_QUEUES,
    ESTATE_QUEUE_BYTES,   /* that they may come to hold */
    ESTATE_QUEUE_WAITING, /* bytes of what putters wait with */
    ESTATE_BUFFERS,
    ESTATE_BUFFER_BYTES,
    ESTATE_TEMPLATES,       /* versions */
    ESTATE_TEMPLATES_ALIVE, /* with a process */
    ESTATE_ALIASES,         /* offered */
    ESTATE_CALL_BYTES,      /* of calls that wait for interpreters */
    ESTATE_KINDS,
};

struct estate {
    struct broker *broker;
    uint64_t tenant; /* its id */
    unsigned refs;
    uint64_t has[ESTATE_KINDS];
    struct kv *kv; /* its keys; NULL: nobody has asked for them */
    UT_hash_handle hh;
};

/* With one reference more, the caller's. NULL: no memory. */
struct estate *estate_get(struct broker *b, uint64_t tenant);
struct estate *estate_ref(struct estate *e);
void estate_unref(struct estate *e); /* NULL is nothing */
/* Whether there is anything of this tenant's: it cannot be removed as long as there is. */
bool estate_is_used(const struct broker *b, uint64_t tenant);

/* The tenant of a job that lives, whatever it is: a plain one, an interpreter, a template's init. */
uint64_t job_tenant(const struct job *job);

/* By: may be negative; no more is given back than was taken. */
void estate_count(struct estate *e, enum estate_kind kind, int64_t by);
/* The most that it may have, with all of its tenant's tree. */
uint64_t estate_bound(const struct estate *e, enum estate_kind kind);
/* Room for n more; -1 with why: LIMIT. */
int estate_room(const struct estate *e, enum estate_kind kind, uint64_t n, struct call_why *why);
/* The same, and nobody is told why. */
bool estate_has_room(const struct estate *e, enum estate_kind kind, uint64_t n);
/* A call more of one that lives: today's quotas alone. */
int estate_may_call(const struct estate *e, struct call_why *why);
/* One interpreter more: the share, the quotas of its tenant and of those above it, today's too, and that none of them is suspended. */
int estate_may_live(const struct estate *e, struct call_why *why);
/* After its spec was checked: its tenant's defaults and maximums, as of a job. 0, or -EDQUOT with why. */
int estate_settle_limits(const struct estate *e, Pb__JobSpec *spec, char why[SPEC_WHY]);
/* One interpreter more or less. */
void estate_lives(struct estate *e, int by);

#endif
