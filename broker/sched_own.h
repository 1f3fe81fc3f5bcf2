/*
 * sched_own.h - what the files of the scheduler share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_SCHED_OWN_H
#define BROKER_SCHED_OWN_H

#include "broker/sched.h"

#define SCHED_RATE_BUCKETS   12
#define SCHED_RATE_BUCKET_US 10000000ull
#define SCHED_LOOK_AHEAD     20000 /* claims of a tenant that are played in mind, to say where a job stands */
#define SCHED_LEARN_OF       32    /* jobs: how slowly a tenant's estimates are trusted less or more */
#define SCHED_FACTOR_MIN     1e-4
#define SCHED_FACTOR_MAX     16.0
#define SCHED_FADES          64 /* in a half-life: how often what tenants are ahead of the clock is made less */

struct sched_lane {
    struct sched_rank rank; /* in its tenant's bands, or in those of the limiter that it waits at; key: of its oldest job */
    struct sched_rank *jobs;
    struct sched_uses *uses;
    struct sched_lane *next;        /* of the same set of uses */
    struct sched_limiter *at;       /* it waits there; NULL: it does not */
    struct sched_limiter *woken_by; /* and since then neither claimed from nor found to be kept back; NULL: was not */
    unsigned band;
    unsigned bounced; /* woken, and then found another limiter full, since a job of it was claimed */
    bool insists;     /* places are kept for it at each of its own limiters */
    bool beyond;      /* it waits in at->beyond */
};

struct sched {
    struct sched_tenant root;     /* its children are the uppermost tenants; it has no jobs of its own */
    struct sched_tenant *tenants; /* list of all but root */
    struct sched_uses *sets;      /* table of all but the plain ones */
    struct sched_rank *blocked;   /* tenants whose block ends by itself */
    uint64_t half_life_us, next_fade_us;
    uint64_t began_us;
    uint64_t rate_bucket;              /* number of the newest, since began_us */
    uint32_t rate[SCHED_RATE_BUCKETS]; /* claims */
};

#define SCHED_OWNER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
enum { SCHED_NODE_TENANT, SCHED_NODE_SELF }; /* rank.tag[0] of a node: whose it is */

/* ---- sched_lanes.c: bands, lanes, sets of uses ---------------------------------------------------------------------------------------- */

/* The band whose turn it is; -1: none. */
int sched_bands_turn(const struct sched_bands *b);
/* The lane whose turn it is; NULL: none. */
struct sched_lane *sched_bands_first(const struct sched_bands *b);
/* Whether x goes before y in these bands, or would if both stood in them: one that was woken out of them keeps its place, or it would be put back
 * behind the other, be the first again as soon as it stands there, and so on for ever. */
bool sched_bands_before(const struct sched_bands *b, const struct sched_lane *x, const struct sched_lane *y);
/* One of this band was claimed: those below have been passed by. */
void sched_bands_claimed(struct sched_bands *b, unsigned band);
/* NULL without memory. */
struct sched_lane *sched_lane_get(struct sched_uses *u, unsigned band);
/* It leaves the set in which it stands, and comes back into it. */
void sched_lane_out(struct sched_lane *lane);
void sched_lane_in(struct sched_lane *lane);
static inline struct sched_job *sched_lane_first(const struct sched_lane *lane)
{
    return SCHED_OWNER(sched_rank_first(lane->jobs), struct sched_job, rank);
}
static inline struct sched_lane *sched_lane_of(const struct sched_job *job)
{
    return sched_lane_get(job->uses, job->rank.tag[0]); /* it is there: the job waits in it */
}
/* A job comes in or goes: the lane keeps its place right, its tenant is looked at again. */
void sched_lane_add(struct sched_lane *lane, struct sched_job *job);
void sched_lane_remove(struct sched_lane *lane, struct sched_job *job);
/* Tenant's plain set. -ENOMEM. */
int sched_uses_begin(struct sched_tenant *t);
void sched_uses_finish(struct sched *s, struct sched_tenant *t);

/* ---- sched_limiters.c ----------------------------------------------------------------------------------------------------------------- */

/* The limiter that keeps it back; NULL: none. *ret_before: not NULL where another lane, that may run and waits for one of its limiters, has to be
 * looked at first; then nothing is said yet. */
struct sched_limiter *sched_limiter_of(const struct sched_lane *lane, struct sched_lane **ret_before);
/* A lane that waits for places which are there may look for itself. */
void sched_limiter_wake_lane(struct sched_lane *lane);
/* It waits there from now on. */
void sched_limiter_park(struct sched_lane *lane, struct sched_limiter *l);
/* A lane that was woken for places, or that places were kept for, has them or needs none: others may look. */
void sched_limiter_let_go(struct sched_lane *lane);
/* The best of those that wait are woken, as many as there are places for. */
void sched_limiter_wake(struct sched_limiter *l);
/* Places of a set of uses. */
void sched_limiters_take(struct sched_uses *u, unsigned band);
void sched_limiters_give(struct sched_uses *u);
/* A job that waits names them, or does no longer. */
void sched_limiters_count(struct sched_uses *u, int d);

/* ---- sched_tenants.c: the tree of shares ---------------------------------------------------------------------------------------------- */

/* Whatever has changed about it: it and those above are put where they belong now. */
void sched_tenant_refresh(struct sched_tenant *t);
/* Adds to what waits and runs, here and above; d is 1, -1 or 0. */
void sched_tenant_count(struct sched_tenant *t, int d_waiting, int d_running, double d_cost);
/* It has had so much more (or less: a settlement), here and above. */
void sched_tenant_charge(struct sched *s, struct sched_tenant *t, double cost, uint64_t now_us);
void sched_tenant_learn(struct sched_tenant *t, double estimate, double true_cost);
/* So much of what was charged is an estimate for what runs, or (less than 0) no longer. After sched_tenant_count(). */
void sched_tenant_pend(struct sched_tenant *t, double cost);
void sched_tenant_expire(struct sched *s, uint64_t now_us); /* ends blocks that are over */
void sched_tenants_fade(struct sched *s, uint64_t now_us);  /* the half-life, when it is time */
/* The tenant whose own jobs are next by share; NULL: none may run. */
struct sched_tenant *sched_tenant_turn(const struct sched *s);
/* A job of it is claimed: the clocks here and above go on. */
void sched_tenant_serve(struct sched_tenant *t);

/* ---- sched.c ------------------------------------------------------------------------------------------------------------------------------ */

/* The lane whose turn it is, and that may run: lanes that turn out to be kept back go to their limiters. NULL: none. */
struct sched_lane *sched_turn(struct sched *s, uint64_t now_us);

#endif
