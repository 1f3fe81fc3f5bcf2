/*
 * sched_limiters.c - see sched.h: named semaphores. A lane that finds its limiter full waits at it, however many jobs are in it, and is woken
 * when places are free: the best one first, and no more than there are places for.
 *
 * None starves. The first that waits at a tenant's own limiter is not passed there by a worse one that needs fewer places. Nobody who waits
 * for one limiter keeps places of another: but who was woken SCHED_PATIENCE times, and each time found another of its limiters full, insists:
 * the places that it needs are kept for it at all of them. There is at most one who insists at a limiter, and it does so at all of its own or at
 * none, so that they do not wait for each other.
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

/* Places that are kept at l for somebody other than the lane. */
static uint32_t kept(const struct sched_limiter *l, const struct sched_lane *lane)
{
    return l->insists != NULL && l->insists != lane ? places(l->insists->uses, l) : 0;
}

/* There are places for it, and so many more. */
static bool has_room(const struct sched_limiter *l, const struct sched_lane *lane, uint64_t more)
{
    return fits(l, (uint64_t)places(lane->uses, l) + kept(l, lane) + more);
}

static bool beyond(const struct sched_limiter *l, uint32_t n)
{
    return n > l->max;
}

void sched_limiter_init(struct sched_limiter *l, const char *reason, uint32_t max, bool shared)
{
    *l = (struct sched_limiter){ .reason = reason, .max = max, .shared = shared };
}

static struct sched_limiter *full_one(const struct sched_lane *lane)
{
    for (unsigned i = 0; i < lane->uses->n; i++) {
        if (!has_room(lane->uses->use[i].limiter, lane, 0))
            return lane->uses->use[i].limiter;
    }
    return NULL;
}

/* Who waits at this limiter and goes before the lane there; NULL: nobody. */
static struct sched_lane *first_before(const struct sched_limiter *l, const struct sched_lane *lane)
{
    struct sched_lane *first = sched_bands_first(&l->waiting);

    if (l->shared || l->insists == lane || first == NULL || first == lane || !sched_bands_before(&l->waiting, first, lane))
        return NULL;
    return first;
}

struct sched_limiter *sched_limiter_of(const struct sched_lane *lane, struct sched_lane **ret_before)
{
    struct sched_limiter *full = full_one(lane);

    *ret_before = NULL;
    for (unsigned i = 0; full == NULL && i < lane->uses->n; i++) {
        struct sched_limiter *l = lane->uses->use[i].limiter;
        struct sched_lane *first = first_before(l, lane);

        if (first != NULL && !has_room(l, first, 0))
            full = l;
        else if (first != NULL)
            *ret_before = first;
    }
    if (full != NULL)
        *ret_before = NULL;
    return full;
}

/* ---- who was passed by too often ---------------------------------------------------------------------------------------------------------- */

static void insist(struct sched_lane *lane)
{
    const struct sched_uses *u = lane->uses;

    for (unsigned i = 0; i < u->n; i++) {
        if (u->use[i].limiter->insists != NULL || beyond(u->use[i].limiter, u->use[i].n))
            return;
    }
    for (unsigned i = 0; i < u->n; i++) {
        if (!u->use[i].limiter->shared)
            u->use[i].limiter->insists = lane;
    }
    lane->insists = true;
}

static void stop_insisting(struct sched_lane *lane)
{
    const struct sched_uses *u = lane->uses;

    lane->bounced = 0;
    if (!lane->insists)
        return;
    lane->insists = false;
    for (unsigned i = 0; i < u->n; i++) {
        if (!u->use[i].limiter->shared)
            u->use[i].limiter->insists = NULL;
    }
    for (unsigned i = 0; i < u->n; i++)
        sched_limiter_wake(u->use[i].limiter);
}

/* ---- waiting and waking --------------------------------------------------------------------------------------------------------------------- */

void sched_limiter_wake_lane(struct sched_lane *lane)
{
    assert(lane->woken_by == NULL);
    sched_lane_out(lane);
    lane->woken_by = lane->at;
    lane->at = NULL;
    sched_lane_in(lane);
    sched_tenant_refresh(lane->uses->tenant);
}

static void put_beyond(struct sched_lane *lane)
{
    sched_lane_out(lane);
    lane->beyond = true;
    sched_lane_in(lane);
}

/* Who is to be woken next: whom places are kept for, else the best. */
static struct sched_lane *first_waiting(const struct sched_limiter *l)
{
    if (l->insists != NULL && l->insists->at == l)
        return l->insists;
    return sched_bands_first(&l->waiting);
}

void sched_limiter_wake(struct sched_limiter *l)
{
    struct sched_lane *lane;
    uint64_t woken = 0;

    while ((lane = first_waiting(l)) != NULL) {
        uint32_t n = places(lane->uses, l);

        if (beyond(l, n)) {
            put_beyond(lane);
            continue;
        }
        if (!has_room(l, lane, woken))
            return;
        sched_limiter_wake_lane(lane);
        woken += l->shared ? 0 : n; /* of several tenants: whose turn it is, shares decide */
    }
}

static void forget(struct sched_lane *lane)
{
    struct sched_limiter *l = lane->woken_by;

    lane->woken_by = NULL;
    if (l != NULL)
        sched_limiter_wake(l);
}

void sched_limiter_park(struct sched_lane *lane, struct sched_limiter *l)
{
    sched_lane_out(lane);
    lane->at = l;
    lane->beyond = beyond(l, places(lane->uses, l));
    sched_lane_in(lane);
    if (lane->woken_by != NULL && lane->woken_by != l && ++lane->bounced >= SCHED_PATIENCE && !lane->insists)
        insist(lane);
    forget(lane);
    sched_limiter_wake(l);
    sched_tenant_refresh(lane->uses->tenant);
}

void sched_limiter_let_go(struct sched_lane *lane)
{
    forget(lane);
    stop_insisting(lane);
}

void sched_limiter_set(struct sched *s, struct sched_limiter *l, uint32_t max)
{
    struct sched_rank *next;

    (void)s;
    l->max = max;
    if (l->insists != NULL && beyond(l, places(l->insists->uses, l)))
        stop_insisting(l->insists);
    for (struct sched_rank *r = sched_rank_first(l->beyond); r != NULL; r = next) {
        struct sched_lane *lane = SCHED_OWNER(r, struct sched_lane, rank);

        next = sched_rank_next(r);
        if (beyond(l, places(lane->uses, l)))
            continue;
        sched_lane_out(lane);
        lane->beyond = false;
        sched_lane_in(lane);
    }
    sched_limiter_wake(l);
}

void sched_limiters_take(struct sched_uses *u, unsigned band)
{
    for (unsigned i = 0; i < u->n; i++) {
        u->use[i].limiter->used += u->use[i].n;
        sched_bands_claimed(&u->use[i].limiter->waiting, band);
    }
}

void sched_limiters_give(struct sched_uses *u)
{
    for (unsigned i = 0; i < u->n; i++) {
        assert(u->use[i].limiter->used >= u->use[i].n);
        u->use[i].limiter->used -= u->use[i].n;
        sched_limiter_wake(u->use[i].limiter);
    }
}

void sched_limiters_count(struct sched_uses *u, int d)
{
    for (unsigned i = 0; i < u->n; i++)
        u->use[i].limiter->jobs += (uint64_t)(int64_t)d;
}
