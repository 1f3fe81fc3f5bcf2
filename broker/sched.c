/*
 * sched.c - see sched.h: putting, taking, claiming, settling.
 *
 * Between tenants: start-time fair queueing (Goyal, Vin, Cheng 1996), level by level down the tree of tenants. Each node has a virtual time, what
 * it has had divided by its weight; the smallest goes next. What that one has truly had, without the estimates for what runs, is the clock of its
 * level. Who comes back with work begins at the clock, or at its own virtual time when that is later: idle time is not banked. (Not at the least
 * of those that have work now: somebody who hands in one job after the other would lose what its weight gives it each time. The least is taken
 * where settlements have put it before the clock.)
 *
 * What a job costs is its dominant resource (Ghodsi et al. 2011): the larger of its parts of the machine's CPUs and memory, and of the slots that
 * jobs run in (one: who sleeps keeps others out as well), times its seconds. It is charged as an estimate with the claim, as far as its tenant's
 * estimates were right of late, so that somebody who claims many at once is seen to do so, and settled with what it truly used. A settlement gives
 * back no more than was charged since its tenant last came back. What somebody is ahead of the others halves with the half-life, which is also
 * that of the usage which is shown.
 *
 * Within a tenant: lanes, one for each set of uses, class and priority; in each the oldest first. Among lanes: class, then priority, then the age of
 * the first job, and so first in, first out for jobs of the same class and priority whatever limiters they use. But for each claim that goes past
 * a lower class or priority, that one is owed something: after SCHED_PATIENCE of them it goes first, once. So each of them has at least one claim
 * of its tenant's in SCHED_PATIENCE + SCHED_BANDS, and none starves.
 *
 * Gates: a tenant that may run nothing (blocked, max_running) is out of its level's queue until it may; a lane whose limiter is full waits at the
 * limiter, with all its jobs at once, and is found to do so only when its turn comes.
 *
 * Costs: put, take and claim are O(log jobs + depth * log tenants). A release of limiter's places wakes as many lanes as there are places for.
 */
#include "broker/sched_own.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sched *sched_new(uint64_t half_life_us, uint64_t now_us)
{
    struct sched *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->half_life_us = half_life_us > 0 ? half_life_us : SCHED_HALF_LIFE_US;
    s->began_us = now_us;
    s->next_fade_us = now_us + s->half_life_us / SCHED_FADES + 1;
    s->root.usage_at_us = now_us;
    s->root.factor = 1;
    s->root.node.weight = s->root.self.weight = 1;
    return s;
}

void sched_free(struct sched *s)
{
    if (s == NULL)
        return;
    for (struct sched_tenant *t = s->tenants; t != NULL; t = t->next)
        sched_uses_finish(s, t);
    free(s);
}

double sched_cost(double cpus, double cpus_all, double memory, double memory_all, double slots_all, double seconds)
{
    double cpu_part = cpus_all > 0 ? fmin(cpus / cpus_all, 1) : 1;
    double memory_part = memory_all > 0 ? fmin(memory / memory_all, 1) : 0;
    double slot_part = slots_all >= 1 ? 1 / slots_all : 1;

    return fmax(fmax(fmax(cpu_part, memory_part), slot_part) * seconds, SCHED_COST_MIN);
}

static unsigned band_of(Pb__JobClass class, unsigned priority)
{
    static const unsigned char rank[] = {
        [PB__JOB_CLASS__JOB_CLASS_INTERACTIVE] = 0, [PB__JOB_CLASS__JOB_CLASS_NORMAL] = 1, [PB__JOB_CLASS__JOB_CLASS_BATCH] = 2
    };

    assert((unsigned)class < sizeof(rank) && priority >= 1 && priority <= SCHED_PRIORITIES);
    return rank[class] * SCHED_PRIORITIES + (SCHED_PRIORITIES - priority);
}

Pb__JobClass sched_job_class(const struct sched_job *job)
{
    static const Pb__JobClass classes[] = { PB__JOB_CLASS__JOB_CLASS_INTERACTIVE, PB__JOB_CLASS__JOB_CLASS_NORMAL,
                                            PB__JOB_CLASS__JOB_CLASS_BATCH };

    return classes[job->rank.tag[0] / SCHED_PRIORITIES];
}

unsigned sched_job_priority(const struct sched_job *job)
{
    return SCHED_PRIORITIES - job->rank.tag[0] % SCHED_PRIORITIES;
}

/* ---- jobs come and go -------------------------------------------------------------------------------------------------------------------- */

static void wait_in(struct sched_lane *lane, struct sched_job *job)
{
    sched_tenant_count(job->uses->tenant, 1, 0, job->cost);
    sched_limiters_count(job->uses, 1);
    sched_lane_add(lane, job);
}

static void leave(struct sched_job *job)
{
    sched_lane_remove(sched_lane_of(job), job);
    sched_limiters_count(job->uses, -1);
    sched_tenant_count(job->uses->tenant, -1, 0, -(double)job->cost);
}

int sched_put(struct sched *s, struct sched_job *job, Pb__JobClass class, unsigned priority, uint64_t now_us)
{
    struct sched_lane *lane;

    (void)s;
    (void)now_us;
    if (sched_waits(job))
        return -EBUSY;
    lane = sched_lane_get(job->uses, band_of(class, priority));
    if (lane == NULL)
        return -ENOMEM;
    if (!(job->cost >= (float)SCHED_COST_MIN))
        job->cost = (float)SCHED_COST_MIN;
    wait_in(lane, job);
    return 0;
}

void sched_take(struct sched *s, struct sched_job *job, uint64_t now_us)
{
    (void)s;
    (void)now_us;
    if (sched_waits(job))
        leave(job);
}

int sched_move(struct sched *s, struct sched_job *job, Pb__JobClass class, unsigned priority, uint64_t now_us)
{
    struct sched_lane *lane = sched_lane_get(job->uses, band_of(class, priority));

    (void)s;
    (void)now_us;
    assert(sched_waits(job));
    if (lane == NULL)
        return -ENOMEM;
    if (lane->band == job->rank.tag[0])
        return 0;
    leave(job);
    wait_in(lane, job);
    return 0;
}

/* ---- claims -------------------------------------------------------------------------------------------------------------------------------- */

struct sched_lane *sched_turn(struct sched *s, uint64_t now_us)
{
    struct sched_tenant *t;

    sched_tenant_expire(s, now_us);
    sched_tenants_fade(s, now_us);
    while ((t = sched_tenant_turn(s)) != NULL) {
        struct sched_lane *lane = sched_bands_first(&t->bands), *before;
        struct sched_limiter *full = sched_limiter_of(lane, &before);

        if (before != NULL)
            sched_limiter_wake_lane(before);
        else if (full != NULL)
            sched_limiter_park(lane, full);
        else
            return lane;
    }
    return NULL;
}

static void count_claim(struct sched *s, struct sched_tenant *t, uint64_t now_us)
{
    uint64_t bucket = (now_us - s->began_us) / SCHED_RATE_BUCKET_US;

    for (; t != NULL; t = t->parent)
        t->claims++;
    for (unsigned i = 0; s->rate_bucket < bucket && i < SCHED_RATE_BUCKETS; i++)
        s->rate[++s->rate_bucket % SCHED_RATE_BUCKETS] = 0;
    if (s->rate_bucket < bucket) { /* a long pause: all are empty */
        s->rate_bucket = bucket;
    }
    s->rate[bucket % SCHED_RATE_BUCKETS]++;
}

static void begin_run(struct sched *s, struct sched_uses *u, double cost, uint64_t now_us)
{
    sched_tenant_count(u->tenant, 0, 1, 0);
    sched_tenant_pend(u->tenant, cost);
    sched_tenant_charge(s, u->tenant, cost, now_us);
    sched_tenant_refresh(u->tenant);
}

struct sched_job *sched_next(struct sched *s, uint64_t now_us)
{
    struct sched_lane *lane = sched_turn(s, now_us);
    struct sched_tenant *t;
    struct sched_job *job;

    if (lane == NULL)
        return NULL;
    t = lane->uses->tenant;
    job = sched_lane_first(lane);
    sched_tenant_serve(t);
    sched_bands_claimed(&t->bands, lane->band);
    sched_limiters_take(lane->uses, lane->band);
    sched_limiter_let_go(lane);
    leave(job);
    job->charged = (float)fmax(job->cost * t->factor, SCHED_COST_MIN);
    begin_run(s, job->uses, job->charged, now_us);
    count_claim(s, t, now_us);
    return job;
}

void sched_adopt(struct sched *s, struct sched_uses *uses, double cost, uint64_t now_us)
{
    for (unsigned i = 0; i < uses->n; i++)
        uses->use[i].limiter->used += uses->use[i].n;
    begin_run(s, uses, cost, now_us);
}

void sched_charge(struct sched *s, struct sched_tenant *t, double cost, uint64_t now_us)
{
    sched_tenant_charge(s, t, cost, now_us);
    sched_tenant_refresh(t);
}

void sched_done(struct sched *s, struct sched_uses *uses, double estimate, double charged, double true_cost, uint64_t now_us)
{
    struct sched_tenant *t = uses->tenant;

    assert(t->own_running > 0);
    sched_tenant_count(t, 0, -1, 0);
    sched_tenant_pend(t, -charged);
    if (true_cost > 0)
        sched_tenant_learn(t, estimate, true_cost);
    sched_tenant_charge(s, t, (true_cost > 0 ? true_cost : 0) - charged, now_us);
    sched_tenant_refresh(t);
    sched_limiters_give(uses);
}
