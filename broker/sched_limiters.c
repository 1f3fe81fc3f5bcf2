/*
 * sched_limiters.c - see sched.h: named semaphores. A lane that finds its limiter full waits at it, however many jobs are in it, and is woken
 * when places are free: the best one first, and no more than there are places for.
 *
 * The first that waits at a tenant's own limiter is not passed there by a worse one that needs fewer places, or it might wait for ever. It
 * keeps places only of the limiter it waits at, never several at once: so nobody waits for somebody who waits.
 */
#include "broker/sched_own.h"

#include <assert.h>

static uint32_t places(const struct sched_uses *u, const struct sched_limiter *l)
{
    for (unsigned i = 0; i < u->n; i++) {
        if (u->use[i].limiter == l)
            return u->use[i].n;
    }
    return 0;
}

static bool fits(const struct sched_limiter *l, uint64_t n)
{
    return l->used + n <= l->max || l->max == SCHED_UNLIMITED;
}

static bool beyond(const struct sched_limiter *l, uint32_t n)
{
    return n > l->max;
}

void sched_limiter_init(struct sched_limiter *l, const char *reason, uint32_t max, bool shared)
{
    *l = (struct sched_limiter){ .reason = reason, .max = max, .shared = shared };
}

struct sched_limiter *sched_limiter_of(const struct sched_lane *lane, struct sched_lane **ret_before)
{
    const struct sched_uses *u = lane->uses;

    *ret_before = NULL;
    for (unsigned i = 0; i < u->n; i++) {
        struct sched_limiter *l = u->use[i].limiter;
        struct sched_lane *first = sched_bands_first(&l->waiting);

        if (!fits(l, u->use[i].n))
            return l;
        if (l->shared || lane->promise == l || first == NULL || first == lane || !sched_bands_before(&l->waiting, first, lane))
            continue;
        if (!fits(l, places(first->uses, l)))
            return l;
        *ret_before = first;
        return NULL;
    }
    return NULL;
}

void sched_limiter_wake_lane(struct sched *s, struct sched_lane *lane)
{
    struct sched_limiter *l = lane->at;

    (void)s;
    sched_lane_out(lane);
    lane->at = NULL;
    lane->beyond = false;
    assert(lane->promise == NULL);
    if (!l->shared) {
        lane->promise = l;
        lane->promise_n = places(lane->uses, l);
        l->promised += lane->promise_n;
    }
    sched_lane_in(lane);
    sched_tenant_refresh(lane->uses->tenant);
}

static void put_beyond(struct sched_lane *lane)
{
    sched_lane_out(lane);
    lane->beyond = true;
    sched_lane_in(lane);
}

void sched_limiter_wake(struct sched *s, struct sched_limiter *l)
{
    struct sched_lane *lane;

    while ((lane = sched_bands_first(&l->waiting)) != NULL) {
        uint32_t n = places(lane->uses, l);

        if (beyond(l, n))
            put_beyond(lane);
        else if (fits(l, (uint64_t)l->promised + n))
            sched_limiter_wake_lane(s, lane);
        else
            return;
    }
}

void sched_limiter_park(struct sched *s, struct sched_lane *lane, struct sched_limiter *l)
{
    sched_lane_out(lane);
    lane->at = l;
    lane->beyond = beyond(l, places(lane->uses, l));
    sched_lane_in(lane);
    sched_limiter_forget(s, lane);
    sched_limiter_wake(s, l);
    sched_tenant_refresh(lane->uses->tenant);
}

void sched_limiter_forget(struct sched *s, struct sched_lane *lane)
{
    struct sched_limiter *l = lane->promise;

    if (l == NULL)
        return;
    lane->promise = NULL;
    l->promised -= lane->promise_n;
    sched_limiter_wake(s, l);
}

void sched_limiter_set(struct sched *s, struct sched_limiter *l, uint32_t max)
{
    struct sched_rank *next;

    l->max = max;
    for (struct sched_rank *r = sched_rank_first(l->beyond); r != NULL; r = next) {
        struct sched_lane *lane = SCHED_OWNER(r, struct sched_lane, rank);

        next = sched_rank_next(r);
        if (beyond(l, places(lane->uses, l)))
            continue;
        sched_lane_out(lane);
        lane->beyond = false;
        sched_lane_in(lane);
    }
    sched_limiter_wake(s, l);
}

void sched_limiters_take(struct sched_uses *u, unsigned band)
{
    for (unsigned i = 0; i < u->n; i++) {
        u->use[i].limiter->used += u->use[i].n;
        sched_bands_claimed(&u->use[i].limiter->waiting, band);
    }
}

void sched_limiters_give(struct sched *s, struct sched_uses *u)
{
    for (unsigned i = 0; i < u->n; i++) {
        assert(u->use[i].limiter->used >= u->use[i].n);
        u->use[i].limiter->used -= u->use[i].n;
        sched_limiter_wake(s, u->use[i].limiter);
    }
}

void sched_limiters_count(struct sched_uses *u, int d)
{
    for (unsigned i = 0; i < u->n; i++)
        u->use[i].limiter->jobs += (uint64_t)(int64_t)d;
}
