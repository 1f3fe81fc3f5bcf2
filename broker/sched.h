/*
 * sched.h - which waiting job runs next: a weighted fair share between tenants, then class, priority and age within one, and the gates that keep
 * a job back although it is ready (running at once, quotas, limiters). Also says why a job waits.
 *
 * Side:    broker (trusted). Pure: no I/O, no clock; now_us is handed in, monotonic, and never goes back.
 * Owned:   struct sched_tenant, sched_limiter and sched_job are parts of the caller's structs, which must stay where they are while they are
 *          known here. A struct sched_uses is ours, counted: each job holds one from before its sched_put() until after its sched_done().
 * Returns: 0 or -errno where it says int. Only making a tenant, a set of uses, and a job's first sched_put() or sched_move() into a class and
 *          priority that its set has not had can run out of memory (-ENOMEM, nothing changed).
 * Life of a job here:  sched_put() -> [sched_move()...] -> sched_take() (cancelled, held ...)       : gone, nothing was charged
 *                                                        -> sched_next() returned it: it runs -> sched_done(): gone, settled
 * Algorithm and its sources: sched.c.
 */
#ifndef BROKER_SCHED_H
#define BROKER_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/sched_rank.h"
#include "job.pb-c.h"

struct sched;
struct sched_tenant;
struct sched_limiter;

#define SCHED_PRIORITIES   5
#define SCHED_BANDS        (3 * SCHED_PRIORITIES) /* class and priority: 0 goes first */
#define SCHED_PATIENCE     32                     /* of each band: so many claims of its tenant may pass it by */
#define SCHED_USES_MAX     11
#define SCHED_UNLIMITED    UINT32_MAX /* max of a limiter */
#define SCHED_HALF_LIFE_US (86400ull * 1000000)
#define SCHED_COST_MIN     1e-6 /* of a job: nothing is for free */
#define SCHED_WEIGHT_MIN   0.001
#define SCHED_WEIGHT_MAX   1e6
#define SCHED_NEVER        UINT64_MAX

/* ---- what the three kinds of things are; read their fields, change them through calls ------------------------------------------------ */

/* A job that waits. Zeroed by the caller before the first sched_put(), but for what is said to be the caller's. */
struct sched_job {
    struct sched_rank rank;  /* key is the caller's: smaller is older, unique in its tenant (of a ulid: the time and some of the rest) */
    struct sched_uses *uses; /* the caller's: sched_uses_get(); says the tenant as well */
    float cost;              /* the caller's: sched_cost(), an estimate */
    float charged;           /* what its last claim charged: the estimate, as its tenant's estimates turned out of late */
};

/* A lane: those of a set of uses that are of one class and priority. Ours. */
struct sched_lane;

/* Lanes by class and priority, each a set ordered by its oldest job. */
struct sched_bands {
    struct sched_rank *lanes[SCHED_BANDS];
    uint16_t passed[SCHED_BANDS]; /* claims that went to a better band since one went to it */
    uint16_t full;                /* bit: has a lane */
};

/* A place in the tree of shares. */
struct sched_node {
    struct sched_rank rank; /* in its parent's set while it may run something; key: vtime */
    double vtime;           /* cost / weight, had in all; of the parent's clock */
    double floor; /* its parent's clock when it began to have something to run: a settlement gives back no more than down to here */
    double weight;
    double pending; /* cost that was charged for what runs now, its own and below: an estimate until it is settled */
};

/* n places of a limiter. */
struct sched_use {
    struct sched_limiter *limiter;
    uint32_t n; /* >= 1 */
};

/* Why a tenant may run nothing. */
enum sched_block {
    SCHED_SUSPENDED,
    SCHED_QUOTA_CPU_DAY,
    SCHED_QUOTA_MEM_DAY,
    SCHED_QUOTA_RUNNING_0,
    SCHED_BLOCKS
}; /* the last: max_running is 0 */

/* A set of uses; the jobs that use no limiter have one as well, one of each tenant. Fields are ours. */
struct sched_uses {
    struct sched_lane *lanes; /* list */
    struct sched_uses *next, *prev;
    UT_hash_handle hh;
    uint32_t holders, n;
    struct sched_tenant *tenant; /* from here to the end: what the table finds it by */
    struct sched_use use[];      /* sorted by limiter, each once */
};

struct sched_tenant {
    struct sched_tenant *parent;      /* of an uppermost one: the broker's own root, whose parent is NULL */
    struct sched_node node;           /* among its parent's children */
    struct sched_node self;           /* its own jobs, among its children: weight 1 */
    struct sched_rank *children;      /* nodes that may run something now */
    double clock;                     /* virtual time of its children */
    double work_weight;               /* of all children that have jobs waiting or running */
    struct sched_bands bands;         /* of its own lanes that may run something, as far as is known */
    struct sched_uses *uses;          /* list of all its sets */
    struct sched_uses *plain;         /* the one of jobs without limiter */
    struct sched_tenant *next, *prev; /* of all */
    uint64_t waiting, running;        /* its own and below */
    uint64_t own_waiting, own_running;
    uint64_t claims;     /* its own and below, since it was made */
    double cost_waiting; /* of what waits, its own and below */
    double own_cost_waiting;
    double usage; /* cost, its own and below, decayed to usage_at_us */
    uint64_t usage_at_us;
    double factor;        /* what its jobs and those below turned out to cost of late, of what was estimated */
    uint32_t max_running; /* its own and below; 0: no bound */
    uint32_t n_children;
    struct sched_rank block;                 /* among the blocked ones; key: when the next of its blocks ends */
    uint64_t blocked_until_us[SCHED_BLOCKS]; /* 0: not; SCHED_NEVER: until it is told otherwise */
};

/* A named semaphore, or anything else that keeps jobs back: an array's max_parallel, a crew whose workers do not boot (max 0 until they do). */
struct sched_limiter {
    const char *reason; /* what sched_why() says of who waits for it: "LIMITER:db", "NO_WORKER". The caller's, as long as it lives */
    uint32_t max, used; /* used > max: max was lowered */
    bool shared;        /* by several tenants */
    struct sched_bands waiting; /* lanes that wait for it */
    struct sched_lane *insists; /* places are kept for this one; NULL: for none */
    struct sched_rank *beyond;  /* those that need more than max: they wait until it is raised, and keep nobody back */
    uint32_t known;             /* sets of uses that name it */
    uint64_t jobs;              /* that wait and name it */
};

/* ---- the scheduler ------------------------------------------------------------------------------------------------------------------- */

/* half_life_us: of what a tenant has had; 0: SCHED_HALF_LIFE_US. NULL without memory. */
struct sched *sched_new(uint64_t half_life_us, uint64_t now_us);
/* Forgets all tenants, limiters and jobs; they are not touched any more. */
void sched_free(struct sched *s);

/* What a job is estimated, or known, to take of the machine: the largest of its part of the CPUs, of the memory and of the slots (one
 * of slots_all: who sleeps in one keeps others out of it), times the seconds that it has them.
 * A part is cut to 1; the result is at least SCHED_COST_MIN. */
double sched_cost(double cpus, double cpus_all, double memory, double memory_all, double slots_all, double seconds);

/* ---- jobs -------------------------------------------------------------------------------------------------------------------------------- */

/* The job waits from now on: priority 1 to 5, 5 first. Needs rank.key, uses and cost. -EBUSY: it waits already. */
int sched_put(struct sched *s, struct sched_job *job, Pb__JobClass class, unsigned priority, uint64_t now_us);
void sched_take(struct sched *s, struct sched_job *job, uint64_t now_us); /* it waits no longer. Does not wait: nothing happens */
int sched_move(struct sched *s, struct sched_job *job, Pb__JobClass class, unsigned priority,
               uint64_t now_us); /* it waits: its place changes */
static inline bool sched_waits(const struct sched_job *job)
{
    return job->rank.size != 0;
}

/* Claims: the job that runs next, or NULL when none may. It waits no longer; it counts as running at its tenant and all above, has its places of
 * limiters, and job->charged has been charged. */
struct sched_job *sched_next(struct sched *s, uint64_t now_us);
/* The claim is over, however it ended: gives back what it had, settles charged (its job->charged) to true_cost, and learns how far the estimate (its
 * job->cost) was right. The job may be gone already; its set of uses may not. A claim that came to nothing has true_cost 0. */
void sched_done(struct sched *s, struct sched_uses *uses, double estimate, double charged, double true_cost, uint64_t now_us);
/* A job runs that was not claimed here (taken over from another broker): counts and charges as sched_next() does, whatever the bounds say. */
void sched_adopt(struct sched *s, struct sched_uses *uses, double cost, uint64_t now_us);
/* The tenant has had so much beside its jobs: what no claim stands for. */
void sched_charge(struct sched *s, struct sched_tenant *t, double cost, uint64_t now_us);
/* When sched_next() may have something although nothing else has happened: the end of a block. SCHED_NEVER: not before something happens. */
uint64_t sched_wake_us(const struct sched *s);

/* The set of these n uses (0 to SCHED_USES_MAX, in any order; a limiter named twice: places are added) for jobs of this tenant. One more holder;
 * NULL without memory. The same uses give the same set. */
struct sched_uses *sched_uses_get(struct sched *s, struct sched_tenant *t, const struct sched_use *use, unsigned n);
void sched_uses_drop(struct sched *s, struct sched_uses *u); /* NULL is fine */

/* ---- tenants --------------------------------------------------------------------------------------------------------------------------- */

/* Zeroes *t. parent NULL: of the broker itself. weight: SCHED_WEIGHT_MIN to SCHED_WEIGHT_MAX, -EINVAL else. */
int sched_tenant_add(struct sched *s, struct sched_tenant *t, struct sched_tenant *parent, double weight, uint64_t now_us);
/* -EBUSY: it has jobs waiting or running, children, or sets of uses that are held. */
int sched_tenant_remove(struct sched *s, struct sched_tenant *t);
int sched_tenant_set_weight(struct sched *s, struct sched_tenant *t, double weight);      /* -EINVAL as above */
void sched_tenant_set_max_running(struct sched *s, struct sched_tenant *t, uint32_t max); /* 0: no bound. Those that run stay */
/* Neither it nor those below run anything before until_us (SCHED_NEVER: until it is told otherwise; 0: it may again). */
void sched_tenant_block(struct sched *s, struct sched_tenant *t, enum sched_block why, uint64_t until_us);
/* What it has had is put back from the store: usage as sched_tenant_usage() said at a time that is age_us ago. */
void sched_tenant_restore(struct sched *s, struct sched_tenant *t, double usage, uint64_t age_us, uint64_t now_us);

double sched_tenant_usage(const struct sched *s, const struct sched_tenant *t, uint64_t now_us); /* cost, decayed to now */
double sched_share(const struct sched *s, const struct sched_tenant *t, uint64_t now_us);        /* of all usage; 0..1 */
double sched_entitled(const struct sched *s, const struct sched_tenant *t); /* by weight, among those that have work (and itself); 0..1 */

/* ---- limiters --------------------------------------------------------------------------------------------------------------------------- */

/* Zeroes *l. shared: jobs of several tenants name it. */
void sched_limiter_init(struct sched_limiter *l, const char *reason, uint32_t max, bool shared);
/* 0: nothing of it runs until it is raised. Below what is used: nothing is taken away, and nothing given until it fits. */
void sched_limiter_set(struct sched *s, struct sched_limiter *l, uint32_t max);
static inline uint64_t sched_limiter_waiting(const struct sched_limiter *l) /* jobs that wait and name it */
{
    return l->jobs;
}
static inline bool sched_limiter_known(const struct sched_limiter *l) /* a set of uses names it: its memory must stay */
{
    return l->known != 0;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------------------ */

struct sched_why {
    const char *
        reason; /* "SUSPENDED", "QUOTA_CPU_DAY", "QUOTA_MEM_DAY", "QUOTA_RUNNING", a limiter's, "FAIRSHARE", "NO_SLOT". A constant, or the limiter's */
    const struct sched_tenant *tenant;   /* of the first six but the limiter's: whose it is, its own or one above; NULL else */
    const struct sched_limiter *limiter; /* NULL: it is not that */
    uint64_t until_us;                   /* of a block: when it ends; 0: not known */
    uint64_t
        position; /* from 1, among all that wait and may run: exact within its tenant, else by what each tenant's next jobs cost. 0: it may not run */
    uint64_t ahead_own; /* of its own tenant, those that may run and will be claimed before it */
    double share, entitled;
    uint64_t estimate_us; /* until it begins, by the claims of the last minutes; 0: not known */
};

/* Why it waits; the job must wait. */
void sched_why(struct sched *s, const struct sched_job *job, uint64_t now_us, struct sched_why *ret);
/* The reason alone, without a look at those before it: for lists. */
const char *sched_reason(struct sched *s, const struct sched_job *job, uint64_t now_us);

uint64_t sched_waiting(const struct sched *s); /* jobs, of all tenants */
uint64_t sched_running(const struct sched *s);
double sched_claims_per_s(const struct sched *s, uint64_t now_us); /* of the last minutes */
/* Each job that waits, of one tenant (NULL: of all), in no order that means anything, until fn returns not 0, which is returned. fn changes nothing here. */
int sched_each(const struct sched *s, const struct sched_tenant *t, int (*fn)(void *ctx, struct sched_job *job), void *ctx);
Pb__JobClass sched_job_class(const struct sched_job *job);
unsigned sched_job_priority(const struct sched_job *job);

#endif
