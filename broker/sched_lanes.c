/* sched_lanes.c - see sched_own.h: lanes, in which the jobs of one set of uses, class and priority stand by age; and the order among lanes. */
#include "broker/sched_own.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- bands: the best first, unless another has been passed by for too long --------------------------------------------------------------- */

static bool impatient(const struct sched_bands *b, unsigned band)
{
    return b->passed[band] >= SCHED_PATIENCE;
}

int sched_bands_turn(const struct sched_bands *b)
{
    for (unsigned i = 0; i < SCHED_BANDS; i++) {
        if ((b->full & (1u << i)) != 0 && impatient(b, i))
            return (int)i;
    }
    return __builtin_ffs(b->full) - 1;
}

struct sched_lane *sched_bands_first(const struct sched_bands *b)
{
    int band = sched_bands_turn(b);

    return band < 0 ? NULL : SCHED_OWNER(sched_rank_first(b->lanes[band]), struct sched_lane, rank);
}

bool sched_bands_before(const struct sched_bands *b, const struct sched_lane *x, const struct sched_lane *y)
{
    if (x->band == y->band)
        return x->rank.key < y->rank.key;
    if (impatient(b, x->band) != impatient(b, y->band))
        return impatient(b, x->band);
    return x->band < y->band;
}

static void sched_bands_add(struct sched_bands *b, struct sched_lane *lane)
{
    sched_rank_add(&b->lanes[lane->band], &lane->rank);
    b->full |= (uint16_t)(1u << lane->band);
}

static void sched_bands_remove(struct sched_bands *b, struct sched_lane *lane)
{
    sched_rank_remove(&b->lanes[lane->band], &lane->rank);
    if (b->lanes[lane->band] == NULL)
        b->full &= (uint16_t) ~(1u << lane->band);
}

void sched_bands_claimed(struct sched_bands *b, unsigned band)
{
    b->passed[band] = 0;
    for (unsigned i = band + 1; i < SCHED_BANDS; i++) {
        if ((b->full & (1u << i)) != 0 && b->passed[i] < UINT16_MAX)
            b->passed[i]++;
    }
}

/* ---- lanes ------------------------------------------------------------------------------------------------------------------------------ */

struct sched_lane *sched_lane_get(struct sched_uses *u, unsigned band)
{
    struct sched_lane *lane = u->lanes;

    while (lane != NULL && lane->band != band)
        lane = lane->next;
    if (lane != NULL)
        return lane;
    lane = calloc(1, sizeof(*lane));
    if (lane == NULL)
        return NULL;
    lane->uses = u;
    lane->band = band;
    lane->next = u->lanes;
    u->lanes = lane;
    return lane;
}

void sched_lane_out(struct sched_lane *lane)
{
    if (lane->at == NULL)
        sched_bands_remove(&lane->uses->tenant->bands, lane);
    else if (lane->beyond)
        sched_rank_remove(&lane->at->beyond, &lane->rank);
    else
        sched_bands_remove(&lane->at->waiting, lane);
}

void sched_lane_in(struct sched_lane *lane)
{
    if (lane->at == NULL)
        sched_bands_add(&lane->uses->tenant->bands, lane);
    else if (lane->beyond)
        sched_rank_add(&lane->at->beyond, &lane->rank);
    else
        sched_bands_add(&lane->at->waiting, lane);
}

/* It stands by its oldest job, which may be another now. */
static void settle(struct sched_lane *lane)
{
    uint64_t key = sched_rank_first(lane->jobs)->key;

    if (key == lane->rank.key)
        return;
    sched_lane_out(lane);
    lane->rank.key = key;
    sched_lane_in(lane);
    if (lane->at != NULL)
        sched_limiter_wake(lane->at);
}

void sched_lane_add(struct sched_lane *lane, struct sched_job *job)
{
    bool empty = lane->jobs == NULL;

    job->rank.tag[0] = (uint8_t)lane->band;
    sched_rank_add(&lane->jobs, &job->rank);
    if (!empty) {
        settle(lane);
        return;
    }
    lane->rank.key = job->rank.key;
    sched_lane_in(lane);
    sched_tenant_refresh(lane->uses->tenant);
}

void sched_lane_remove(struct sched_lane *lane, struct sched_job *job)
{
    struct sched_limiter *at = lane->at;

    sched_rank_remove(&lane->jobs, &job->rank);
    if (lane->jobs != NULL) {
        settle(lane);
        return;
    }
    sched_lane_out(lane);
    lane->at = NULL;
    lane->beyond = false;
    sched_limiter_let_go(lane);
    if (at != NULL)
        sched_limiter_wake(at);
    sched_tenant_refresh(lane->uses->tenant);
}

/* ---- sets of uses ----------------------------------------------------------------------------------------------------------------------- */

static struct sched_uses *uses_new(struct sched_tenant *t, const struct sched_use *use, unsigned n)
{
    struct sched_uses *u = calloc(1, sizeof(*u) + n * sizeof(*use));

    if (u == NULL)
        return NULL;
    u->tenant = t;
    u->n = n;
    for (unsigned i = 0; i < n; i++) { /* member by member: what lies between them stays 0, and is part of what it is found by */
        u->use[i].limiter = use[i].limiter;
        u->use[i].n = use[i].n;
        use[i].limiter->known++;
    }
    u->next = t->uses;
    if (t->uses != NULL)
        t->uses->prev = u;
    t->uses = u;
    return u;
}

static void uses_free(struct sched_uses *u)
{
    while (u->lanes != NULL) {
        struct sched_lane *lane = u->lanes;

        u->lanes = lane->next;
        free(lane);
    }
    free(u);
}

static void uses_remove(struct sched *s, struct sched_uses *u)
{
    if (u->n > 0)
        HASH_DEL(s->sets, u);
    if (u->prev != NULL)
        u->prev->next = u->next;
    else
        u->tenant->uses = u->next;
    if (u->next != NULL)
        u->next->prev = u->prev;
    uses_free(u);
}

int sched_uses_begin(struct sched_tenant *t)
{
    t->plain = uses_new(t, NULL, 0);
    return t->plain != NULL ? 0 : -ENOMEM;
}

void sched_uses_finish(struct sched *s, struct sched_tenant *t)
{
    while (t->uses != NULL)
        uses_remove(s, t->uses);
    t->plain = NULL;
}

/* Sorted by limiter, each once. Returns how many. */
static unsigned in_order(struct sched_use *to, const struct sched_use *use, unsigned n)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        uint32_t places = use[i].n > 0 ? use[i].n : 1;
        unsigned at = 0;

        while (at < count && (uintptr_t)to[at].limiter < (uintptr_t)use[i].limiter)
            at++;
        if (at < count && to[at].limiter == use[i].limiter) {
            to[at].n = places > UINT32_MAX - to[at].n ? UINT32_MAX : to[at].n + places;
            continue;
        }
        memmove(&to[at + 1], &to[at], (count - at) * sizeof(*to));
        to[at].limiter = use[i].limiter;
        to[at].n = places;
        count++;
    }
    return count;
}

static size_t key_len(unsigned n)
{
    return sizeof(struct sched_uses) - offsetof(struct sched_uses, tenant) + n * sizeof(struct sched_use);
}

static struct sched_uses *sched_uses_hold(struct sched_uses *u)
{
    u->holders++;
    return u;
}

struct sched_uses *sched_uses_get(struct sched *s, struct sched_tenant *t, const struct sched_use *use, unsigned n)
{
    struct {
        struct sched_tenant *tenant;
        struct sched_use use[SCHED_USES_MAX + 1];
    } key;
    struct sched_uses *u;

    assert(n <= SCHED_USES_MAX);
    _Static_assert(sizeof(struct sched_uses) == offsetof(struct sched_uses, use), "the key has no hole");
    if (n == 0)
        return sched_uses_hold(t->plain);
    memset(&key, 0, sizeof(key));
    key.tenant = t;
    n = in_order(key.use, use, n);
    HASH_FIND(hh, s->sets, &key, key_len(n), u);
    if (u != NULL)
        return sched_uses_hold(u);
    u = uses_new(t, key.use, n);
    if (u == NULL)
        return NULL;
    HASH_ADD_KEYPTR(hh, s->sets, &u->tenant, key_len(n), u);
    return sched_uses_hold(u);
}

void sched_uses_drop(struct sched *s, struct sched_uses *u)
{
    if (u == NULL)
        return;
    assert(u->holders > 0);
    if (--u->holders > 0 || u == u->tenant->plain)
        return;
    for (unsigned i = 0; i < u->n; i++)
        u->use[i].limiter->known--;
    uses_remove(s, u);
}
