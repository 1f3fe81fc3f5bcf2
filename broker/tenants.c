/* tenants.c - the table of tenants, their places below each other, and what they have; see tenants.h. */
#include "broker/tenants.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "job_limits.h"
#include "log.h"

const char *const tenant_state_names[] = { [TENANT_ACTIVE] = "active", [TENANT_SUSPENDED] = "suspended" };

/* A tenant that was given the user. */
struct tenant_uid {
    uint32_t uid;
    struct tenant *tenant;
    UT_hash_handle hh;
};

/* ---- making and ending ---- */

static void free_tenant(struct tenants *t, struct tenant *of)
{
    if (of->parent != NULL)
        of->parent->children--;
    HASH_DELETE(hh, t->by_id, of);
    HASH_DELETE(by_name, t->by_name, of);
    free(of);
}

struct tenant *tenants_add(struct tenants *t, uint64_t id, const char *name, struct tenant *parent, double weight)
{
    struct tenant *of = calloc(1, sizeof(*of));

    if (of == NULL)
        return NULL;
    of->id = id;
    of->owner = t;
    of->parent = parent;
    of->weight = weight;
    snprintf(of->name, sizeof(of->name), "%s", name);
    pb__limits__init(&of->limits_default);
    pb__limits__init(&of->limits_max);
    for (int q = 0; q < QUOTAS; q++)
        of->quota[q] = TENANT_NO_BOUND;
    if (sched_tenant_add(t->sched, &of->sched, parent != NULL ? &parent->sched : NULL, weight, loop_clock_us()) != 0) {
        free(of);
        return NULL;
    }
    if (parent != NULL)
        parent->children++;
    HASH_ADD(hh, t->by_id, id, sizeof(of->id), of);
    HASH_ADD_KEYPTR(by_name, t->by_name, of->name, strlen(of->name), of);
    return of;
}

int tenants_drop(struct tenants *t, struct tenant *of)
{
    int rc;

    if (of->children > 0 || of->own_jobs > 0 || of->interpreters > 0 || of->crons > 0 || estate_is_used(t->broker, of->id))
        return -EBUSY;
    rc = sched_tenant_remove(t->sched, &of->sched);
    if (rc == 0) {
        tenants_take_uids(t, of);
        free_tenant(t, of);
    }
    return rc;
}

void tenants_init(struct tenants *t, struct broker *b)
{
    *t = (struct tenants){ .broker = b, .sched = sched_new(0, loop_clock_us()), .clock = { .watch = { .fd = -1 } } };
}

void tenants_finish(struct tenants *t)
{
    struct tenant *of, *next;
    struct tenant_uid *u, *next_u;

    if (t->broker != NULL) {
        timers_cancel(&t->broker->loop.timers, &t->write_refused);
        wall_clock_close(&t->clock);
    }
    sched_free(t->sched);
    for (of = t->by_id; of != NULL; of = of->hh.next)
        of->parent = NULL; /* which may go first */
    HASH_ITER (hh, t->by_id, of, next)
        free_tenant(t, of);
    HASH_ITER (hh, t->uids, u, next_u) {
        HASH_DELETE(hh, t->uids, u);
        free(u);
    }
    *t = (struct tenants){ 0 };
}

/* ---- finding ---- */

struct tenant *tenants_find(const struct tenants *t, uint64_t id)
{
    struct tenant *of;

    HASH_FIND(hh, t->by_id, &id, sizeof(id), of);
    return of;
}

struct tenant *tenants_named(const struct tenants *t, const char *name)
{
    struct tenant *of;

    HASH_FIND(by_name, t->by_name, name, strlen(name), of);
    return of;
}

/* Somebody said something of it, which would be lost. */
static bool was_set(const struct tenants *t, const struct tenant *of)
{
    bool set = of->created_us != 0 || of->parent != NULL || of->weight != 1 || of->state != TENANT_ACTIVE || of->retention_result_us != 0 ||
               of->retention_log_us != 0;

    for (int q = 0; q < QUOTAS; q++)
        set |= of->quota[q] != TENANT_NO_BOUND;
    for (size_t i = 0; i < limits_count; i++)
        set |= limits_get(&of->limits_default, &limits_table[i]) != 0 || limits_get(&of->limits_max, &limits_table[i]) != 0;
    for (const struct tenant_uid *u = t->uids; u != NULL; u = u->hh.next)
        set |= u->tenant == of;
    return set;
}

/* Of a local user who has done nothing but look, or whose jobs have all gone: it would be the same when it is made again. */
static bool is_idle(const struct tenants *t, const struct tenant *of)
{
    return of->id < TENANT_FIRST_NAMED && of->id != 0 && of->id != geteuid() && !was_set(t, of) && of->own_jobs == 0 && of->crons == 0 &&
           of->interpreters == 0 && of->own_stored_bytes == 0 && of->tokens == 0 && of->refused_unwritten == 0 && of->today.jobs == 0 &&
           of->today.cpu_us == 0;
}

/* The one that was made first goes first. */
static void forget_idle(struct tenants *t)
{
    struct tenant *of, *next;

    HASH_ITER (hh, t->by_id, of, next)
        if (is_idle(t, of) && tenants_drop(t, of) == 0) {
            t->of_uids--;
            return;
        }
}

void tenants_was_asked(struct tenants *t, uint64_t id, bool only_looked)
{
    struct tenant *of = tenants_find(t, id);

    if (of == NULL || !of->fresh)
        return;
    of->fresh = false;
    if (only_looked && is_idle(t, of) && tenants_drop(t, of) == 0)
        t->of_uids--;
}

static struct tenant *add_of_uid(struct tenants *t, uint32_t uid)
{
    char name[16];
    uint64_t stored = 0;
    struct tenant *of;

    if (t->of_uids >= TENANTS_OF_UIDS || HASH_COUNT(t->by_id) >= TENANTS_MAX)
        forget_idle(t);
    if (t->sched == NULL || t->of_uids >= TENANTS_OF_UIDS || HASH_COUNT(t->by_id) >= TENANTS_MAX)
        return NULL;
    snprintf(name, sizeof(name), "uid-%u", uid);
    of = tenants_add(t, uid, name, NULL, 1);
    if (of == NULL)
        return NULL;
    t->of_uids++;
    of->fresh = true;
    if (t->broker != NULL && t->broker->store != NULL && store_stored_bytes(t->broker->store, uid, &stored) == 0)
        tenant_stored(of, (int64_t)stored); /* of what it left behind before it was known here */
    return of;
}

struct tenant *tenants_of_job(struct tenants *t, uint64_t id)
{
    struct tenant *of = tenants_find(t, id);

    return of != NULL || id >= UINT32_MAX ? of : add_of_uid(t, (uint32_t)id);
}

struct tenant *tenants_named_or_uid(struct tenants *t, const char *name)
{
    struct tenant *of = tenants_named(t, name);
    char again[16];
    unsigned uid;

    if (of != NULL || sscanf(name, "uid-%u", &uid) != 1)
        return of;
    snprintf(again, sizeof(again), "uid-%u", uid);
    return strcmp(again, name) == 0 ? tenants_of_job(t, uid) : NULL;
}

static struct tenant_uid *find_uid(const struct tenants *t, uint32_t uid)
{
    struct tenant_uid *u;

    HASH_FIND(hh, t->uids, &uid, sizeof(uid), u);
    return u;
}

/* NULL: the configuration says nothing of it. */
static const char *configured(const struct tenants *t, uint32_t uid)
{
    const struct config_uids *u = &t->broker->config.uid_tenants;

    for (unsigned i = 0; i < u->n; i++)
        if (u->row[i].uid == uid)
            return u->row[i].name;
    return NULL;
}

bool tenants_is_mapped(const struct tenants *t, uint32_t uid)
{
    return configured(t, uid) != NULL;
}

void tenants_check_config(const struct tenants *t)
{
    const struct config_uids *u = &t->broker->config.uid_tenants;

    for (unsigned i = 0; i < u->n; i++)
        if (tenants_named(t, u->row[i].name) == NULL)
            log_event(LOG_LEVEL_WARN, "uid_tenant_missing",
                      "uid=%u tenant=%s lost=\"requests of that user\" way_out=\"coop tenant create %s\"", u->row[i].uid, u->row[i].name,
                      u->row[i].name);
}

/* Mapped to one that is not there (any more): nobody, and not suddenly a tenant of its own. */
struct tenant *tenants_of_uid(struct tenants *t, uint32_t uid)
{
    const char *name = configured(t, uid);
    const struct tenant_uid *u = find_uid(t, uid);

    if (name != NULL)
        return tenants_named(t, name);
    return u != NULL ? u->tenant : tenants_of_job(t, uid);
}

int tenants_give_uid(struct tenants *t, uint32_t uid, struct tenant *to)
{
    struct tenant_uid *u = find_uid(t, uid);

    if (u != NULL)
        return u->tenant == to ? 0 : -EEXIST;
    u = calloc(1, sizeof(*u));
    if (u == NULL)
        return -ENOMEM;
    u->uid = uid;
    u->tenant = to;
    HASH_ADD(hh, t->uids, uid, sizeof(u->uid), u);
    return 0;
}

void tenants_take_uids(struct tenants *t, const struct tenant *of)
{
    struct tenant_uid *u, *next;

    HASH_ITER (hh, t->uids, u, next) {
        if (u->tenant != of)
            continue;
        HASH_DELETE(hh, t->uids, u);
        free(u);
    }
}

size_t tenants_uids(const struct tenants *t, const struct tenant *of, uint32_t *ret, size_t max)
{
    size_t n = 0;

    for (const struct tenant_uid *u = t->uids; u != NULL && n < max; u = u->hh.next)
        if (u->tenant == of)
            ret[n++] = u->uid;
    return n;
}

/* ---- places ---- */

bool tenant_is_within(const struct tenant *t, const struct tenant *above)
{
    for (; t != NULL; t = t->parent)
        if (t == above)
            return true;
    return false;
}

bool tenant_is_active(const struct tenant *t)
{
    for (; t != NULL; t = t->parent)
        if (t->state != TENANT_ACTIVE)
            return false;
    return true;
}

/* ---- what it has ---- */

/* A counter that went below nothing would let the tenant have more than its quota for ever. */
static void add(uint64_t *counter, int64_t by)
{
    if (by < 0 && *counter < (uint64_t)-by) {
        log_event(LOG_LEVEL_ERROR, "tenant_counter", "why=\"more was given back than was taken\"");
        *counter = 0;
        return;
    }
    *counter += (uint64_t)by;
}

void tenant_job_queued(struct tenant *t, int64_t by)
{
    add(&t->own_jobs, by);
    for (; t != NULL; t = t->parent)
        add(&t->queued, by);
}

void tenant_job_running(struct tenant *t, int64_t by)
{
    add(&t->own_jobs, by);
    for (; t != NULL; t = t->parent)
        add(&t->running, by);
}

void tenant_job_state(struct tenant *t, Pb__State state, int64_t by)
{
    uint64_t n = t->tally.in_state[state];

    add(&n, by);
    t->tally.in_state[state] = (size_t)n;
}

void tenant_stored(struct tenant *t, int64_t bytes)
{
    add(&t->own_stored_bytes, bytes);
    for (; t != NULL; t = t->parent)
        add(&t->stored_bytes, bytes);
}

void tenant_interpreter(struct tenant *t, int64_t by)
{
    add(&t->tally.interpreters, by);
    for (; t != NULL; t = t->parent)
        add(&t->interpreters, by);
}

void tenant_cron(struct tenant *t, int64_t by)
{
    for (; t != NULL; t = t->parent)
        add(&t->crons, by);
}

struct tenant_day tenant_today(const struct tenant *t, uint64_t wall_us)
{
    uint64_t day = wall_us - wall_us % TENANT_DAY_US;

    return t->today.day_us == day ? t->today : (struct tenant_day){ .day_us = day };
}

/* The clock was set back: what has been used today stays used, so that nobody gains a day by it. */
static struct tenant_day *day_of(struct tenant *t, uint64_t wall_us)
{
    if (t->today.day_us < wall_us - wall_us % TENANT_DAY_US)
        t->today = tenant_today(t, wall_us);
    return &t->today;
}

static void block_until_tomorrow(struct tenant *t, enum quota q, enum sched_block why, uint64_t used, uint64_t wall_us)
{
    uint64_t until = 0;

    if (t->quota[q] == 0)
        until = SCHED_NEVER;
    else if (t->quota[q] != TENANT_NO_BOUND && used >= t->quota[q])
        until = loop_clock_us() + (TENANT_DAY_US - wall_us % TENANT_DAY_US);
    sched_tenant_block(t->owner->sched, &t->sched, why, until);
}

void tenant_look_at_day(struct tenant *t, uint64_t wall_us)
{
    uint64_t day = wall_us - wall_us % TENANT_DAY_US;
    struct tenant_day d = t->today.day_us > day ? t->today : tenant_today(t, wall_us); /* as day_of() counts */

    block_until_tomorrow(t, QUOTA_CPU_DAY, SCHED_QUOTA_CPU_DAY, d.cpu_us / 1000000, wall_us);
    block_until_tomorrow(t, QUOTA_MIB_DAY, SCHED_QUOTA_MEM_DAY, d.mib_us / 1000000, wall_us);
}

static void on_clock_set(void *ctx)
{
    struct tenants *all = ctx;

    for (struct tenant *t = all->by_id; t != NULL; t = t->hh.next)
        tenant_look_at_day(t, loop_wall_us());
    wall_clock_arm(&all->clock, UINT64_MAX);
    jobs_dispatch(&all->broker->jobs);
}

int tenants_watch_clock(struct tenants *t)
{
    int rc = wall_clock_open(&t->clock, &t->broker->loop, on_clock_set, t);

    if (rc == 0)
        wall_clock_arm(&t->clock, UINT64_MAX);
    return rc;
}

void tenant_used(struct tenant *t, uint64_t wall_us, const struct tenant_use *use)
{
    for (; t != NULL; t = t->parent) {
        struct tenant_day *d = day_of(t, wall_us);

        d->jobs += use->jobs;
        d->failed += use->failed;
        d->refused += use->refused;
        d->cpu_us += use->cpu_us;
        d->mib_us += use->mib_us;
        d->wall_us += use->wall_us;
        if (use->cpu_us > 0 || use->mib_us > 0)
            tenant_look_at_day(t, wall_us);
    }
}
