/* sched_why.c - see sched.h: why a job waits, where it stands, what its tenant has and is entitled to. */
#include "broker/sched_own.h"

#include <assert.h>
#include <math.h>

/* ---- shares -------------------------------------------------------------------------------------------------------------------------------- */

double sched_share(const struct sched *s, const struct sched_tenant *t, uint64_t now_us)
{
    double all = sched_tenant_usage(s, &s->root, now_us);

    return all > 0 ? fmin(sched_tenant_usage(s, t, now_us) / all, 1) : 0;
}

double sched_entitled(const struct sched *s, const struct sched_tenant *t)
{
    double part = 1;

    (void)s;
    for (; t->parent != NULL; t = t->parent) {
        double others = t->parent->work_weight - (t->waiting + t->running > 0 ? t->node.weight : 0);

        part *= t->node.weight / (t->node.weight + fmax(others, 0));
    }
    return part;
}

/* ---- rate ---------------------------------------------------------------------------------------------------------------------------------- */

double sched_claims_per_s(const struct sched *s, uint64_t now_us)
{
    uint64_t bucket = (now_us - s->began_us) / SCHED_RATE_BUCKET_US, sum = 0, seen_us = now_us - s->began_us;
    uint64_t whole_us = (SCHED_RATE_BUCKETS - 1) * SCHED_RATE_BUCKET_US + (now_us - s->began_us) % SCHED_RATE_BUCKET_US;

    for (uint64_t i = 0; i < SCHED_RATE_BUCKETS && i <= s->rate_bucket; i++) {
        if (s->rate_bucket - i + SCHED_RATE_BUCKETS > bucket)
            sum += s->rate[(s->rate_bucket - i) % SCHED_RATE_BUCKETS];
    }
    if (seen_us > whole_us)
        seen_us = whole_us;
    return seen_us > 0 ? (double)sum * 1e6 / (double)seen_us : 0;
}

/* ---- position -------------------------------------------------------------------------------------------------------------------------------- */

static struct sched_limiter *kept_back_by(const struct sched_lane *lane)
{
    struct sched_lane *before;
    struct sched_limiter *l = sched_limiter_of(lane, &before);

    return l;
}

/* How many of a tenant's own may run, by band. */
static void count_bands(const struct sched_tenant *t, uint64_t jobs[SCHED_BANDS])
{
    for (const struct sched_uses *u = t->uses; u != NULL; u = u->next) {
        for (const struct sched_lane *lane = u->lanes; lane != NULL; lane = lane->next) {
            if (lane->jobs != NULL && kept_back_by(lane) == NULL)
                jobs[lane->band] += sched_rank_size(lane->jobs);
        }
    }
}

/* Of its own band, those that may run and are older. */
static uint64_t older(const struct sched_job *job)
{
    uint64_t n = 0;

    for (const struct sched_uses *u = job->uses->tenant->uses; u != NULL; u = u->next) {
        for (const struct sched_lane *lane = u->lanes; lane != NULL; lane = lane->next) {
            if (lane->jobs != NULL && lane->band == job->rank.tag[0] && kept_back_by(lane) == NULL)
                n += sched_rank_below(lane->jobs, job->rank.key);
        }
    }
    return n;
}

/* Of its tenant's own, those that will be claimed before it when nothing is put or taken: the order of sched_lanes.c, played. */
static uint64_t ahead_own(const struct sched_job *job)
{
    const struct sched_tenant *t = job->uses->tenant;
    uint64_t jobs[SCHED_BANDS] = { 0 }, before = older(job), ahead;
    struct sched_bands b = t->bands;
    unsigned band = job->rank.tag[0];

    count_bands(t, jobs);
    for (ahead = 0; ahead < SCHED_LOOK_AHEAD; ahead++) {
        int turn;

        b.full = 0;
        for (unsigned i = 0; i < SCHED_BANDS; i++)
            b.full |= (uint16_t)((jobs[i] > 0) << i);
        turn = sched_bands_turn(&b);
        if (turn < 0 || ((unsigned)turn == band && before == 0))
            return ahead;
        before -= (unsigned)turn == band;
        jobs[turn]--;
        sched_bands_claimed(&b, (unsigned)turn);
    }
    for (unsigned i = 0; i < band; i++)
        ahead += jobs[i];
    return ahead + before;
}

/* What a node's jobs that wait cost on average, and how many there are. */
static double mean_cost(const struct sched_node *node, uint64_t *ret_waiting)
{
    const struct sched_tenant *t =
        node->rank.tag[0] == SCHED_NODE_SELF ? SCHED_OWNER(node, struct sched_tenant, self) : SCHED_OWNER(node, struct sched_tenant, node);
    bool own = node->rank.tag[0] == SCHED_NODE_SELF;
    double cost = own ? t->own_cost_waiting : t->cost_waiting;

    *ret_waiting = own ? t->own_waiting : t->waiting;
    return *ret_waiting > 0 ? fmax(cost / (double)*ret_waiting * t->factor, SCHED_COST_MIN) : SCHED_COST_MIN;
}

/* Claims of another node of the group that begin before virtual time v. tie: one that begins at v does as well. */
static double claims_before(const struct sched_node *node, double v, bool tie)
{
    uint64_t waiting;
    double cost = mean_cost(node, &waiting);
    double steps = (v - node->vtime) * node->weight / cost;
    double n = tie ? floor(steps + 1e-9) + 1 : ceil(steps - 1e-9);

    return fmin(fmax(n, 0), (double)waiting);
}

/* The k-th claim of a node from now on is which one of its group's? */
static double place_in_group(const struct sched_tenant *group, const struct sched_node *node, double k)
{
    uint64_t waiting;
    double v = node->vtime + (k - 1) * mean_cost(node, &waiting) / node->weight, sum = k;
    bool before = true;

    for (struct sched_rank *r = sched_rank_first(group->children); r != NULL; r = sched_rank_next(r)) {
        const struct sched_node *other = SCHED_OWNER(r, struct sched_node, rank);

        if (other == node)
            before = false;
        else
            sum += claims_before(other, v, before);
    }
    return sum;
}

/* turn: the lane whose first job is the next; 1 is that one's alone. */
static uint64_t position(const struct sched_job *job, uint64_t ahead, const struct sched_lane *turn)
{
    const struct sched_tenant *t = job->uses->tenant;
    double k = place_in_group(t, &t->self, (double)ahead + 1);

    if (turn == sched_lane_of(job) && sched_lane_first(turn) == job)
        return 1;
    for (; t->parent != NULL; t = t->parent)
        k = place_in_group(t->parent, &t->node, k);
    return (uint64_t)fmax(k, 2);
}

/* ---- why ------------------------------------------------------------------------------------------------------------------------------------- */

static bool blocked_because(const struct sched_tenant *t, struct sched_why *ret)
{
    static const char *const words[SCHED_BLOCKS] = { [SCHED_SUSPENDED] = "SUSPENDED",
                                                     [SCHED_QUOTA_CPU_DAY] = "QUOTA_CPU_DAY",
                                                     [SCHED_QUOTA_MEM_DAY] = "QUOTA_MEM_DAY",
                                                     [SCHED_QUOTA_RUNNING_0] = "QUOTA_RUNNING" };

    ret->tenant = t;
    for (unsigned i = 0; i < SCHED_BLOCKS; i++) {
        if (t->blocked_until_us[i] == 0)
            continue;
        ret->reason = words[i];
        ret->until_us = t->blocked_until_us[i] != SCHED_NEVER ? t->blocked_until_us[i] : 0;
        return true;
    }
    ret->reason = "QUOTA_RUNNING";
    return t->max_running != 0 && t->running >= t->max_running;
}

static bool gated_because(const struct sched_job *job, struct sched_why *ret)
{
    for (const struct sched_tenant *t = job->uses->tenant; t->parent != NULL; t = t->parent) {
        if (blocked_because(t, ret))
            return true;
    }
    ret->tenant = NULL;
    ret->limiter = kept_back_by(sched_lane_of(job));
    if (ret->limiter != NULL)
        ret->reason = ret->limiter->reason;
    return ret->limiter != NULL;
}

void sched_why(struct sched *s, const struct sched_job *job, uint64_t now_us, struct sched_why *ret)
{
    const struct sched_tenant *t = job->uses->tenant;
    const struct sched_lane *turn = sched_turn(s, now_us);
    double rate = sched_claims_per_s(s, now_us);

    assert(sched_waits(job));
    *ret = (struct sched_why){ .share = sched_share(s, t, now_us), .entitled = sched_entitled(s, t), .ahead_own = ahead_own(job) };
    if (gated_because(job, ret))
        return;
    ret->position = position(job, ret->ahead_own, turn);
    ret->reason = turn != NULL && turn->uses->tenant == t ? "NO_SLOT" : "FAIRSHARE";
    if (rate > 0)
        ret->estimate_us = (uint64_t)fmin((double)ret->position / rate * 1e6, 1e18);
}

const char *sched_reason(struct sched *s, const struct sched_job *job, uint64_t now_us)
{
    const struct sched_lane *turn = sched_turn(s, now_us);
    struct sched_why why = { 0 };

    assert(sched_waits(job));
    if (gated_because(job, &why))
        return why.reason;
    return turn != NULL && turn->uses->tenant == job->uses->tenant ? "NO_SLOT" : "FAIRSHARE";
}

/* ---- listing ---------------------------------------------------------------------------------------------------------------------------------- */

uint64_t sched_waiting(const struct sched *s)
{
    return s->root.waiting;
}

uint64_t sched_running(const struct sched *s)
{
    return s->root.running;
}

static int each_of_lane(const struct sched_lane *lane, int (*fn)(void *ctx, struct sched_job *job), void *ctx)
{
    int rc = 0;

    for (struct sched_rank *r = sched_rank_first(lane->jobs); r != NULL && rc == 0; r = sched_rank_next(r))
        rc = fn(ctx, SCHED_OWNER(r, struct sched_job, rank));
    return rc;
}

static int each_of_tenant(const struct sched_tenant *t, int (*fn)(void *ctx, struct sched_job *job), void *ctx)
{
    for (const struct sched_uses *u = t->uses; u != NULL; u = u->next) {
        for (const struct sched_lane *lane = u->lanes; lane != NULL; lane = lane->next) {
            int rc = each_of_lane(lane, fn, ctx);

            if (rc != 0)
                return rc;
        }
    }
    return 0;
}

int sched_each(const struct sched *s, const struct sched_tenant *t, int (*fn)(void *ctx, struct sched_job *job), void *ctx)
{
    int rc = 0;

    if (t != NULL)
        return each_of_tenant(t, fn, ctx);
    for (t = s->tenants; t != NULL && rc == 0; t = t->next)
        rc = each_of_tenant(t, fn, ctx);
    return rc;
}
