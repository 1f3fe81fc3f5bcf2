/* estate.c - see estate.h. */
#include "broker/estate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/aliases.h"
#include "broker/broker.h"
#include "broker/waiting.h"
#include "log.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

/* clang-format off */
static const struct {
    const char *what;
    uint64_t all; /* 0: not a constant, see all_of() */
} kinds[ESTATE_KINDS] = {
    [ESTATE_INTERPRETERS]    = { "interpreters alive",                          0 },
    [ESTATE_QUEUES]          = { "queues",                                      QUEUES_MAX },
    [ESTATE_QUEUE_BYTES]     = { "bytes that queues may come to hold",          QUEUES_RESERVED },
    [ESTATE_QUEUE_WAITING]   = { "bytes of items that wait for room in queues", QUEUES_WAITING },
    [ESTATE_BUFFERS]         = { "buffers",                                     0 },
    [ESTATE_BUFFER_BYTES]    = { "bytes of buffers",                            0 },
    [ESTATE_TEMPLATES]       = { "versions of templates",                       TEMPLATES_MAX },
    [ESTATE_TEMPLATES_ALIVE] = { "templates with a process",                    TEMPLATES_ALIVE },
    [ESTATE_ALIASES]         = { "functions offered to interpreters",           ALIASES_ALL },
    [ESTATE_CALL_BYTES]      = { "bytes of calls that wait for interpreters",   INTERPS_WAITING_ALL },
};
/* clang-format on */

/* ---- one for each tenant ------------------------------------------------------------------------------------------------------------ */

static struct estate *find(const struct broker *b, uint64_t tenant)
{
    struct estate *e;

    HASH_FIND(hh, b->estates, &tenant, sizeof(tenant), e);
    return e;
}

struct estate *estate_get(struct broker *b, uint64_t tenant)
{
    struct estate *e = find(b, tenant);

    if (e != NULL)
        return estate_ref(e);
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->broker = b;
    e->tenant = tenant;
    e->refs = 1;
    HASH_ADD(hh, b->estates, tenant, sizeof(e->tenant), e);
    return e;
}

struct estate *estate_ref(struct estate *e)
{
    e->refs++;
    return e;
}

void estate_unref(struct estate *e)
{
    if (e == NULL || --e->refs > 0)
        return;
    HASH_DEL(e->broker->estates, e);
    free(e);
}

bool estate_is_used(const struct broker *b, uint64_t tenant)
{
    const struct estate *e = find(b, tenant);

    for (unsigned kind = 0; e != NULL && kind < ESTATE_KINDS; kind++)
        if (e->has[kind] > 0)
            return true;
    return false;
}

uint64_t job_tenant(const struct job *job)
{
    return job->entry != NULL && job->entry->tenant != NULL ? job->entry->tenant->id : job->tenant;
}

/* ---- shares -------------------------------------------------------------------------------------------------------------------------- */

static uint64_t all_of(const struct broker *b, enum estate_kind kind)
{
    switch (kind) {
    case ESTATE_INTERPRETERS: return b->config.interpreters;
    case ESTATE_BUFFERS: return buffers_most();
    case ESTATE_BUFFER_BYTES: return buffers_most_bytes();
    default: return kinds[kind].all;
    }
}

uint64_t estate_bound(const struct estate *e, enum estate_kind kind)
{
    uint64_t all = all_of(e->broker, kind);

    if (e->tenant == 0 || e->tenant == geteuid())
        return all;
    return all > ESTATE_SHARE ? all / ESTATE_SHARE : all > 0;
}

static const struct tenant *top_of(const struct tenant *t)
{
    while (t != NULL && t->parent != NULL)
        t = t->parent;
    return t;
}

/* With all of its tree: else who may make tenants below its own would have as many shares as it likes. */
static uint64_t has(const struct estate *e, enum estate_kind kind)
{
    const struct tenants *all = &e->broker->tenants;
    const struct tenant *own = tenants_find(all, e->tenant), *top = top_of(own);
    uint64_t sum = 0;

    if (own == NULL || (own == top && own->children == 0))
        return e->has[kind];
    for (const struct estate *o = e->broker->estates; o != NULL; o = o->hh.next)
        if (o->has[kind] > 0 && top_of(tenants_find(all, o->tenant)) == top)
            sum += o->has[kind];
    return sum;
}

bool estate_has_room(const struct estate *e, enum estate_kind kind, uint64_t n)
{
    uint64_t bound = estate_bound(e, kind), now = has(e, kind);

    return now <= bound && n <= bound - now;
}

int estate_room(const struct estate *e, enum estate_kind kind, uint64_t n, struct call_why *why)
{
    if (estate_has_room(e, kind, n))
        return 0;
    return call_refuse(why, CE(LIMIT), "one tenant may have %" PRIu64 " %s; this one has %" PRIu64 ", and asks for %" PRIu64 " more",
                       estate_bound(e, kind), kinds[kind].what, has(e, kind), n);
}

void estate_count(struct estate *e, enum estate_kind kind, int64_t by)
{
    if (by < 0 && e->has[kind] < (uint64_t)-by) {
        log_event(LOG_LEVEL_ERROR, "estate_counter", "tenant=%" PRIu64 " what=\"%s\" why=\"more was given back than was taken\"", e->tenant,
                  kinds[kind].what);
        e->has[kind] = 0;
        return;
    }
    e->has[kind] += (uint64_t)by;
}

/* ---- interpreters --------------------------------------------------------------------------------------------------------------------- */

/* The scheduler keeps jobs back when a day's quota is used up; of interpreters it does not know. */
static int check_day(const struct tenant *t, struct call_why *why)
{
    for (; t != NULL; t = t->parent) {
        struct tenant_day today = tenant_today(t, loop_wall_us());

        if (t->quota[QUOTA_CPU_DAY] != TENANT_NO_BOUND && today.cpu_us / 1000000 >= t->quota[QUOTA_CPU_DAY])
            return call_refuse(why, CE(LIMIT), "tenant %s has used today's CPU time", t->name);
        if (t->quota[QUOTA_MIB_DAY] != TENANT_NO_BOUND && today.mib_us / 1000000 >= t->quota[QUOTA_MIB_DAY])
            return call_refuse(why, CE(LIMIT), "tenant %s has used today's memory", t->name);
    }
    return 0;
}

int estate_may_call(const struct estate *e, struct call_why *why)
{
    return check_day(tenants_find(&e->broker->tenants, e->tenant), why);
}

/* Where a quota says how many, that counts, and no share. */
int estate_may_live(const struct estate *e, struct call_why *why)
{
    const struct tenant *t = tenants_find(&e->broker->tenants, e->tenant), *of;

    if (t != NULL && !tenant_is_active(t))
        return call_refuse(why, CE(NOT_ALLOWED), "tenant %s is suspended", t->name);
    if (check_day(t, why) != 0)
        return -1;
    if (t == NULL || tenant_bound(t, QUOTA_INTERPRETERS) == TENANT_NO_BOUND)
        return estate_room(e, ESTATE_INTERPRETERS, 1, why);
    of = tenant_lacks(t, QUOTA_INTERPRETERS, 1);
    if (of == NULL)
        return 0;
    return call_refuse(why, CE(LIMIT), "quota max_interpreters of tenant %s is %" PRIu64 ", and %" PRIu64 " are alive", of->name,
                       of->quota[QUOTA_INTERPRETERS], of->interpreters);
}

int estate_settle_limits(const struct estate *e, Pb__JobSpec *spec, char why[SPEC_WHY])
{
    const struct tenant *t = tenants_find(&e->broker->tenants, e->tenant);
    char text[TENANT_WHY];
    int rc = t != NULL ? tenant_settle_limits(t, spec->limits, spec->limits_asked, engine_find(spec->engine), text) : 0;

    if (rc != 0)
        snprintf(why, SPEC_WHY, "%s", text);
    return rc;
}

void estate_lives(struct estate *e, int by)
{
    struct tenant *t = tenants_of_job(&e->broker->tenants, e->tenant);

    estate_count(e, ESTATE_INTERPRETERS, by);
    if (t != NULL)
        tenant_interpreter(t, by);
}
