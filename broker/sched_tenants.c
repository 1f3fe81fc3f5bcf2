/* sched_tenants.c - see sched_own.h: the tree of shares, whose every level is a queue by virtual time; what keeps a whole tenant back. */
#include "broker/sched_own.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* ---- virtual time ------------------------------------------------------------------------------------------------------------------------ */

/* Virtual times are never negative, and then their bits have their order. */
static uint64_t key_of(double vtime)
{
    uint64_t key;

    memcpy(&key, &vtime, sizeof(key));
    return key;
}

static struct sched_node *first_of(const struct sched_tenant *group)
{
    struct sched_rank *r = sched_rank_first(group->children);

    return r != NULL ? SCHED_OWNER(r, struct sched_node, rank) : NULL;
}

/* Virtual time that somebody begins with who has something to run from now on. */
static double sched_tenant_clock(const struct sched_tenant *group)
{
    const struct sched_node *first = first_of(group);

    return first != NULL ? fmin(first->vtime, group->clock) : group->clock;
}

/* It stands among its group's children if it may run something, at the place of its virtual time. */
static void place(struct sched_tenant *group, struct sched_node *node, bool may)
{
    bool is_in = node->rank.size != 0;

    if (is_in && may && node->rank.key == key_of(node->vtime))
        return;
    if (is_in)
        sched_rank_remove(&group->children, &node->rank);
    if (!may)
        return;
    if (!is_in) { /* it comes back: what it could have had meanwhile is not saved up */
        node->floor = sched_tenant_clock(group);
        if (node->vtime < node->floor)
            node->vtime = node->floor;
    }
    node->rank.key = key_of(node->vtime);
    sched_rank_add(&group->children, &node->rank);
}

/* It itself may run nothing: blocked, or as many run as may. */
static bool sched_tenant_gated(const struct sched_tenant *t)
{
    for (unsigned i = 0; i < SCHED_BLOCKS; i++) {
        if (t->blocked_until_us[i] != 0)
            return true;
    }
    return t->max_running != 0 && t->running >= t->max_running;
}

void sched_tenant_refresh(struct sched_tenant *t)
{
    place(t, &t->self, t->bands.full != 0);
    for (; t->parent != NULL; t = t->parent)
        place(t->parent, &t->node, t->children != NULL && !sched_tenant_gated(t));
}

struct sched_tenant *sched_tenant_turn(const struct sched *s)
{
    struct sched_node *node = first_of(&s->root);

    while (node != NULL && node->rank.tag[0] == SCHED_NODE_TENANT)
        node = first_of(SCHED_OWNER(node, struct sched_tenant, node));
    return node != NULL ? SCHED_OWNER(node, struct sched_tenant, self) : NULL;
}

/* What it has truly had: its virtual time without the estimates for what runs. */
static double settled(const struct sched_node *node)
{
    return fmax(node->vtime - node->pending / node->weight, 0);
}

void sched_tenant_serve(struct sched_tenant *t)
{
    t->clock = settled(&t->self);
    for (; t->parent != NULL; t = t->parent)
        t->parent->clock = settled(&t->node);
}

static void shift(struct sched_node *node, double cost)
{
    double v = node->vtime + cost / node->weight;
    double least = node->rank.size != 0 ? fmin(node->vtime, node->floor) : 0;

    node->vtime = cost < 0 ? fmax(v, least) : v;
}

static double faded(double amount, uint64_t age_us, uint64_t half_life_us)
{
    return amount * exp2(-(double)age_us / (double)half_life_us);
}

static void add_usage(const struct sched *s, struct sched_tenant *t, double cost, uint64_t now_us)
{
    t->usage = fmax(sched_tenant_usage(s, t, now_us) + cost, 0);
    t->usage_at_us = now_us;
}

/* Estimates that are much too high would make whoever has one job more running than its due wait for long, and the other way round. */
void sched_tenant_learn(struct sched_tenant *t, double estimate, double true_cost)
{
    double now = fmin(fmax(true_cost / fmax(estimate, SCHED_COST_MIN), SCHED_FACTOR_MIN), SCHED_FACTOR_MAX);

    for (; t != NULL; t = t->parent)
        t->factor += (now - t->factor) / SCHED_LEARN_OF;
}

static void pend(struct sched_node *node, double cost)
{
    node->pending = fmax(node->pending + cost, 0);
}

void sched_tenant_pend(struct sched_tenant *t, double cost)
{
    for (pend(&t->self, cost); t->parent != NULL; t = t->parent)
        pend(&t->node, t->running > 0 ? cost : -t->node.pending); /* what rounding leaves does not gather */
}

void sched_tenant_charge(struct sched *s, struct sched_tenant *t, double cost, uint64_t now_us)
{
    shift(&t->self, cost);
    for (; t->parent != NULL; t = t->parent) {
        shift(&t->node, cost);
        add_usage(s, t, cost, now_us);
    }
    add_usage(s, t, cost, now_us);
}

/* Whoever is ahead of the others comes nearer. Those at the clock stay, so the order does. */
static void fade(const struct sched_tenant *group, struct sched_node *node, double factor)
{
    double clock = sched_tenant_clock(group);

    if (node->vtime > clock)
        node->vtime = clock + (node->vtime - clock) * factor;
    node->floor = fmin(node->floor, node->vtime);
    if (node->rank.size != 0)
        node->rank.key = key_of(node->vtime);
}

void sched_tenants_fade(struct sched *s, uint64_t now_us)
{
    uint64_t step = s->half_life_us / SCHED_FADES + 1;
    uint64_t steps;

    if (now_us < s->next_fade_us)
        return;
    steps = 1 + (now_us - s->next_fade_us) / step;
    for (struct sched_tenant *t = s->tenants; t != NULL; t = t->next) {
        fade(t->parent, &t->node, exp2(-(double)steps / SCHED_FADES));
        fade(t, &t->self, exp2(-(double)steps / SCHED_FADES));
    }
    s->next_fade_us += steps * step;
}

/* ---- counts ------------------------------------------------------------------------------------------------------------------------------ */

/* One of the group's children has work now, or has none any more. */
static void weigh(struct sched_tenant *group, double weight, bool had, bool has)
{
    if (has != had)
        group->work_weight += has ? weight : -weight;
}

void sched_tenant_count(struct sched_tenant *t, int d_waiting, int d_running, double d_cost)
{
    bool had = t->own_waiting + t->own_running > 0;

    t->own_waiting += (uint64_t)(int64_t)d_waiting;
    t->own_running += (uint64_t)(int64_t)d_running;
    t->own_cost_waiting = t->own_waiting > 0 ? t->own_cost_waiting + d_cost : 0; /* what rounding leaves does not gather */
    weigh(t, t->self.weight, had, t->own_waiting + t->own_running > 0);
    for (; t != NULL; t = t->parent) {
        had = t->waiting + t->running > 0;
        t->waiting += (uint64_t)(int64_t)d_waiting;
        t->running += (uint64_t)(int64_t)d_running;
        t->cost_waiting = t->waiting > 0 ? t->cost_waiting + d_cost : 0;
        if (t->waiting + t->running == 0)
            t->work_weight = 0;
        if (t->parent != NULL)
            weigh(t->parent, t->node.weight, had, t->waiting + t->running > 0);
    }
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------------------------ */

/* It stands among the blocked ones by the first block that ends by itself. */
static void place_block(struct sched *s, struct sched_tenant *t)
{
    uint64_t until = SCHED_NEVER;

    for (unsigned i = 0; i < SCHED_BLOCKS; i++) {
        if (t->blocked_until_us[i] != 0 && t->blocked_until_us[i] < until)
            until = t->blocked_until_us[i];
    }
    if (t->block.size != 0)
        sched_rank_remove(&s->blocked, &t->block);
    t->block.key = until;
    if (until != SCHED_NEVER)
        sched_rank_add(&s->blocked, &t->block);
}

void sched_tenant_block(struct sched *s, struct sched_tenant *t, enum sched_block why, uint64_t until_us)
{
    t->blocked_until_us[why] = until_us;
    place_block(s, t);
    sched_tenant_refresh(t);
}

void sched_tenant_expire(struct sched *s, uint64_t now_us)
{
    struct sched_rank *r;

    while ((r = sched_rank_first(s->blocked)) != NULL && r->key <= now_us) {
        struct sched_tenant *t = SCHED_OWNER(r, struct sched_tenant, block);

        for (unsigned i = 0; i < SCHED_BLOCKS; i++) {
            if (t->blocked_until_us[i] <= now_us)
                t->blocked_until_us[i] = 0;
        }
        place_block(s, t);
        sched_tenant_refresh(t);
    }
}

uint64_t sched_wake_us(const struct sched *s)
{
    const struct sched_rank *r = sched_rank_first(s->blocked);

    return r != NULL ? r->key : SCHED_NEVER;
}

/* ---- tenants ----------------------------------------------------------------------------------------------------------------------------- */

static bool weight_is_right(double weight)
{
    return weight >= SCHED_WEIGHT_MIN && weight <= SCHED_WEIGHT_MAX; /* false of what is no number */
}

int sched_tenant_add(struct sched *s, struct sched_tenant *t, struct sched_tenant *parent, double weight, uint64_t now_us)
{
    if (!weight_is_right(weight))
        return -EINVAL;
    *t = (struct sched_tenant){ .parent = parent != NULL ? parent : &s->root, .usage_at_us = now_us, .factor = 1 };
    t->node.weight = weight;
    t->self.weight = 1;
    t->self.rank.tag[0] = SCHED_NODE_SELF;
    if (sched_uses_begin(t) != 0)
        return -ENOMEM;
    t->parent->n_children++;
    t->next = s->tenants;
    if (s->tenants != NULL)
        s->tenants->prev = t;
    s->tenants = t;
    return 0;
}

static bool is_held(const struct sched_tenant *t)
{
    for (const struct sched_uses *u = t->uses; u != NULL; u = u->next) {
        if (u->holders > 0)
            return true;
    }
    return false;
}

int sched_tenant_remove(struct sched *s, struct sched_tenant *t)
{
    if (t->waiting + t->running > 0 || t->n_children > 0 || is_held(t))
        return -EBUSY;
    if (t->block.size != 0)
        sched_rank_remove(&s->blocked, &t->block);
    sched_uses_finish(s, t);
    t->parent->n_children--;
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        s->tenants = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    return 0;
}

int sched_tenant_set_weight(struct sched *s, struct sched_tenant *t, double weight)
{
    (void)s;
    if (!weight_is_right(weight))
        return -EINVAL;
    if (t->waiting + t->running > 0)
        t->parent->work_weight += weight - t->node.weight;
    t->node.vtime = fmax(t->node.vtime + t->node.pending / weight - t->node.pending / t->node.weight, 0); /* what it truly had stays */
    t->node.weight = weight;
    sched_tenant_refresh(t);
    return 0;
}

void sched_tenant_set_max_running(struct sched *s, struct sched_tenant *t, uint32_t max)
{
    (void)s;
    t->max_running = max;
    sched_tenant_refresh(t);
}

void sched_tenant_restore(struct sched *s, struct sched_tenant *t, double usage, uint64_t age_us, uint64_t now_us)
{
    if (!(usage > 0) || !isfinite(usage))
        return;
    usage = faded(usage, age_us, s->half_life_us);
    for (; t->parent != NULL; t = t->parent)
        add_usage(s, t, usage, now_us);
    add_usage(s, t, usage, now_us);
}

double sched_tenant_usage(const struct sched *s, const struct sched_tenant *t, uint64_t now_us)
{
    return faded(t->usage, now_us - t->usage_at_us, s->half_life_us);
}
