/*
 * tenants.h - whom jobs belong to: a tenant's place among the others, what it may use, and what it uses.
 *
 * Side:    broker, main thread.
 * Owned:   the table owns its tenants; a pointer is good until tenants_remove() of that tenant, which is refused while it has jobs.
 * Ids:     a local user's tenant has the user's id and the name "uid-1000", and is made at its first request. Tenants with a name of their
 *          own have ids from TENANT_FIRST_NAMED. No id is given twice.
 * Parents: what a parent may not exceed, all below it together may not exceed: counters are kept for it and everybody below.
 * Quotas:  three things can be said of each: nothing (TENANT_NO_BOUND: the parent's holds), a bound, and 0: nothing may. A suspended tenant
 *          starts and submits nothing, whatever its quotas; what runs goes on. So does one below a suspended one.
 * Returns: 0 or -errno; where there is a why, a sentence for the user.
 */
#ifndef BROKER_TENANTS_H
#define BROKER_TENANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/job_matrix.h"
#include "broker/sched.h"
#include "broker/timers.h"
#include "broker/wall_clock.h"
#include "control.pb-c.h"

struct actor;
struct broker;
struct store_op;

#define TENANT_NAME        64 /* bytes: letters, digits, '-', '_', '.', beginning with a letter or digit */
#define TENANT_FIRST_NAMED (UINT64_C(1) << 32)
#define TENANT_NO_BOUND    UINT64_MAX
#define TENANT_DEPTH       8     /* of parents above each other */
#define TENANTS_MAX        10000 /* in all */
#define TENANTS_OF_UIDS    4096  /* of those, made for a local user's first request */
#define TENANTS_BELOW      100   /* that an admin makes below its tenant, however deep */
#define TENANTS_OF_ADMINS  5000  /* named ones, from which on only an operator makes more: the others are for it and for local users */
#define TENANT_WEIGHT_MIN  1e-3
#define TENANT_WEIGHT_MAX  1e6
#define TENANT_WHY         256
#define TENANT_UIDS        64      /* local users that are one tenant */
#define TENANT_REFUSED_US  1000000 /* refused submits are written down once in so long */
#define TENANT_DAY_US      (UINT64_C(86400) * 1000000)

/* By place in quota_table (tenant_quota.c). */
enum quota {
    QUOTA_RUNNING,
    QUOTA_QUEUED,
    QUOTA_SUBMIT_RATE, /* millionths of a submit a second */
    QUOTA_CPU_DAY,     /* s, UTC days */
    QUOTA_MIB_DAY,     /* MiB * s */
    QUOTA_STORED,      /* bytes */
    QUOTA_ARRAY,
    QUOTA_CRON,
    QUOTA_INTERPRETERS,
    QUOTAS,
};

enum tenant_state { TENANT_ACTIVE, TENANT_SUSPENDED };

/* What was used on a UTC day. */
struct tenant_day {
    uint64_t day_us; /* its beginning, wall clock; 0: none yet */
    uint64_t jobs, failed, refused, cpu_us, mib_us, wall_us;
};

/* What a look at the broker says to those who do not see all of it: its own jobs and interpreters, not of those below. */
struct tenant_tally {
    size_t in_state[JOB_STATES]; /* as in waiting_table */
    uint64_t interpreters;
    uint64_t submitted, ended, failed; /* since the broker began */
};

struct tenant_bucket {
    double left; /* submits */
    uint64_t at_us;
};

struct tenant {
    struct tenants *owner;
    uint64_t id;
    char name[TENANT_NAME + 1];
    struct tenant *parent; /* NULL: at the top */
    unsigned children;
    double weight;
    uint64_t quota[QUOTAS];                /* its own words; what holds is tenant_bound() */
    Pb__Limits limits_default, limits_max; /* 0: its parent's, else the built-in one */
    enum tenant_state state;
    struct sched_tenant sched; /* its place in the scheduler, which is told of every change of weight, max_running, state and day's quota */
    uint64_t retention_result_us, retention_log_us; /* 0: its parent's, else for ever */
    uint64_t created_us;
    /* counters: of it and of all below it */
    uint64_t queued, running, stored_bytes, interpreters, crons;
    uint64_t own_stored_bytes;
    uint64_t refused_unwritten;
    unsigned tokens;         /* of it and all below it, those that are being made included; tokens.c counts */
    unsigned tokens_making;  /* its own: it does not go before their commits are back */
    bool fresh;              /* made for the request that is being acted on */
    bool removing;           /* its removal is on its way to the store */
    struct tenant_day today; /* as of the last that was used; tenant_today() says it for now */
    struct tenant_bucket bucket;
    struct tenant_tally tally;
    uint64_t own_jobs; /* that wait or run, tasks of arrays included: its own, not those below */
    UT_hash_handle hh, by_name;
};

struct tenants {
    struct broker *broker;
    struct sched *sched; /* the broker's one scheduler: made by tenants_init(), for all to use; NULL without memory */
    struct tenant *by_id, *by_name;
    struct tenant_uid *uids; /* local users that were given to a tenant; what the configuration says of one comes first */
    unsigned of_uids;
    struct timer write_refused;
    struct wall_clock clock; /* tells when somebody sets it */
};

void tenants_init(struct tenants *t, struct broker *b);
int tenants_load(struct tenants *t); /* from the store; the broker's own uid's is there afterwards */
int tenants_watch_clock(
    struct tenants *t); /* with a loop: a day that is another by the hand of somebody ends what was blocked until tomorrow */
void tenants_finish(struct tenants *t);

struct tenant *tenants_find(const struct tenants *t, uint64_t id);       /* NULL: there is none */
struct tenant *tenants_named(const struct tenants *t, const char *name); /* the same */
/* Of a local user: the one that the configuration maps it to, or its own, which is made. NULL: TENANTS_OF_UIDS are there, or no memory. */
struct tenant *tenants_of_uid(struct tenants *t, uint32_t uid);
bool tenants_is_mapped(const struct tenants *t, uint32_t uid); /* the configuration names its tenant */
/* Each user that the configuration gives to a tenant which is not there is told in the log. */
void tenants_check_config(const struct tenants *t);
/* Of a stored job: also a local user's that nobody has asked for yet. NULL: there is none. */
struct tenant *tenants_of_job(struct tenants *t, uint64_t id);
/* The same, and one of a local user that nobody has asked for yet: an operator may say what it may before it comes. */
struct tenant *tenants_named_or_uid(struct tenants *t, const char *name);
/* A request of this tenant's has been acted on. One that was made for it, and has only looked, goes again: a read makes no tenant. */
void tenants_was_asked(struct tenants *t, uint64_t id, bool only_looked);
/* t is below, or is, above. */
bool tenant_is_within(const struct tenant *t, const struct tenant *above);
bool tenant_is_active(const struct tenant *t); /* it and all above */

/* ---- of the table (for its own files) ---- */

struct tenant *tenants_add(struct tenants *t, uint64_t id, const char *name, struct tenant *parent, double weight); /* NULL: no memory */
int tenants_drop(struct tenants *t, struct tenant *of); /* -EBUSY: it has jobs, tokens, children ... */
/* Local users that are this tenant. -EEXIST: another's. */
int tenants_give_uid(struct tenants *t, uint32_t uid, struct tenant *to);
void tenants_take_uids(struct tenants *t, const struct tenant *of);
size_t tenants_uids(const struct tenants *t, const struct tenant *of, uint32_t *ret, size_t max);

/* ---- what it may ---- */

/* The least of what it and those above it say; TENANT_NO_BOUND. */
uint64_t tenant_bound(const struct tenant *t, enum quota q);
/* The one, of it and those above it, that has no room for n more of q; NULL: there is room. Only for those that are counted now. */
const struct tenant *tenant_lacks(const struct tenant *t, enum quota q, uint64_t n);

/*
 * n jobs (1, or an array's tasks) may be submitted now, in one request: its state, max_queued, stored_bytes, max_array and the rate. Takes
 * from the rate when it is 0. -EDQUOT: why and hint say which, of whom, and when to try again; -EPERM: suspended. Counts a refused one.
 */
int tenant_may_submit(struct tenant *t, uint64_t n, uint64_t now_us, char why[TENANT_WHY], char hint[TENANT_WHY]);
/* The same, and what it is to the rate: it takes from it; it would, but is only a question (a dry run); it is none of its (a cron entry's time). */
enum tenant_rate { TENANT_RATE_TAKE, TENANT_RATE_LOOK, TENANT_RATE_FREE };
int tenant_admits(struct tenant *t, uint64_t n, enum tenant_rate rate, uint64_t now_us, char why[TENANT_WHY], char hint[TENANT_WHY]);
/*
 * After spec_check(): what was not asked for becomes the tenant's default where it has one, and no more than its maximum; what was asked
 * for (spec->limits_asked) and is above the maximum is -EDQUOT. engine: its place in engine_table.
 */
int tenant_settle_limits(const struct tenant *t, Pb__Limits *l, uint32_t asked, int engine, char why[TENANT_WHY]);
/* How long a receipt and its output are kept after the end, us; 0: for ever. asked: of the spec, may be NULL. */
void tenant_retention(const struct tenant *t, const Pb__Retention *asked, uint64_t *ret_result_us, uint64_t *ret_log_us);

/* ---- what it has and uses: each counts for those above it too ---- */

void tenant_job_queued(struct tenant *t, int64_t by);  /* waits, in whatever state of waiting: +1 when accepted, -1 when claimed or ended */
void tenant_job_running(struct tenant *t, int64_t by); /* from CLAIMED until its receipt */
void tenant_job_state(struct tenant *t, Pb__State state, int64_t by); /* of the table's: for its tally */
void tenant_stored(struct tenant *t, int64_t bytes);                  /* spec, receipt, output in the store */
void tenant_interpreter(struct tenant *t, int64_t by);
void tenant_cron(struct tenant *t, int64_t by);
/*
 * An attempt, or a job (jobs 1), has ended: what it used counts for the day of wall_us, and blocks the tenant in the scheduler until the next day
 * when a day's quota is used up. In memory: the store has it by STORE_FINISH (usage), or STORE_USAGE of an attempt that was not the last.
 */
struct tenant_use {
    uint64_t jobs, failed, refused, cpu_us, mib_us, wall_us; /* mib_us: MiB * us */
};
void tenant_used(struct tenant *t, uint64_t wall_us, const struct tenant_use *use);
/* Today, as of wall_us: all 0 on a new day. */
struct tenant_day tenant_today(const struct tenant *t, uint64_t wall_us);
/* After a change of a day's quota: tells the scheduler whether it is used up. */
void tenant_look_at_day(struct tenant *t, uint64_t wall_us);

/* ---- what is said of it (tenant_set.c) ---- */

extern const char *const tenant_state_names[];
int tenant_check_name(const char *name, char why[TENANT_WHY]);
/* not negative, NaN, infinite, nor 0 */
bool tenant_weight_ok(double weight);
/*
 * Makes (create), or changes the fields named in mask, in memory and at once; tenant_put_op() brings it to the store. -EINVAL, -ENOENT, -EEXIST,
 * -EDQUOT, -EPERM: by may not set this; why, and nothing has changed.
 */
int tenants_set(struct tenants *t, const struct actor *by, const Pb__TenantSet *set, struct tenant **ret, char why[TENANT_WHY]);
struct store_op *tenant_put_op(const struct tenant *t); /* NULL: no memory */

/* As a message, which points into this. */
struct tenant_pb {
    Pb__Tenant message;
    Pb__Quota quota;
    Pb__Limits limits_default, limits_max;
    Pb__Retention retention;
    char *nothing[QUOTAS];
    uint32_t uids[TENANT_UIDS];
};
void tenant_to_pb(const struct tenant *t, struct tenant_pb *ret);

#endif
