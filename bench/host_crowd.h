/*
 * host_crowd.h - what the parts of bench_host that start a broker share: its clients, of one local user or of many, and requests to it.
 *
 * Side:    host. As root a client may be any local user's: the broker tells them apart by the uid of who connects, and each is a tenant.
 */
#ifndef BENCH_HOST_CROWD_H
#define BENCH_HOST_CROWD_H

#include "bench/host.h"

#define CROWD_UID 24000 /* the first of the users that are made up */

/* Answered, or the program ends; the caller releases the reply. */
const Pb__Reply *crowd_ask(struct coop_client *c, Pb__Request *q, struct frame *reply);
/* Connected as this user; 0: as who runs the bench. */
struct coop_client *crowd_client(unsigned uid);
/* Whether clients can be other users'. */
bool crowd_is_possible(void);
/* Changes the tenant of a user: its weight, and its quotas, all of them so high that they are looked at and never reached. */
void crowd_set_tenant(struct coop_client *operator, unsigned uid, double weight, bool quotas);
/* Jobs that do nothing, one after the other at each of n clients, a thread each: jobs a second. */
double crowd_rate(struct coop_client *const *clients, unsigned n, unsigned jobs_each);
/* Submits spec n times, many requests under way at once. */
void crowd_submit(struct coop_client *c, Pb__JobSpec *spec, unsigned n);
/* The tenant of a user, as an operator sees it, in *reply. */
const Pb__Tenant *crowd_tenant(struct coop_client *operator, unsigned uid, struct frame *reply);
/* None of its jobs may run, or all that fit. */
void crowd_shut(struct coop_client *operator, unsigned uid, bool shut);
/* A job that does nothing, of the engine Lua. */
void crowd_noop(Pb__JobSpec *ret_spec);
/* Of the broker's process, bytes. */
double crowd_broker_memory(void);

#endif
