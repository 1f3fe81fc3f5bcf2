/* templates.c - the table of templates: their names and versions, who holds them, the jobs that want one. See templates.h. */
#include "broker/templates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/store.h"
#include "frame.h"
#include "job_caps.h"
#include "units.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

/* ---- one template -------------------------------------------------------------------------------------------------------------- */

static void on_idle(void *ctx)
{
    template_end(ctx);
}

struct template *template_new(struct estate *e, const char *name, uint32_t version, uint8_t *packed, size_t len, const Pb__JobSpec *spec)
{
    struct template *t = calloc(1, sizeof(*t));
    struct broker *b = e->broker;

    if (t == NULL) {
        free(packed);
        return NULL;
    }
    t->broker = b;
    t->estate = estate_ref(e);
    estate_count(e, ESTATE_TEMPLATES, 1);
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->version = version;
    snprintf(t->full, sizeof(t->full), "%s@%u", name, version);
    t->spec = packed;
    t->spec_len = len;
    t->limits = *spec->limits;
    t->created_us = loop_wall_us();
    t->listener.fd = -1;
    t->idle = (struct timer){ .fn = on_idle, .ctx = t };
    pool_crew_init(&t->crew, &b->crews[engine_find(spec->engine)], t);
    t->next = b->templates.all;
    b->templates.all = t;
    b->templates.count++;
    return t;
}

static void unlink_from(struct templates *all, struct template *t)
{
    struct template **at = &all->all;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    all->count--;
}

static void template_free(struct template *t)
{
    struct timers *timers = &t->broker->loop.timers;

    unlink_from(&t->broker->templates, t);
    template_listen_no_more(t);
    timers_cancel(timers, &t->idle);
    timers_cancel(timers, &t->crew.retry);
    timers_cancel(timers, &t->crew.refill);
    estate_count(t->estate, ESTATE_TEMPLATES, -1);
    if (t->job != NULL)
        estate_count(t->estate, ESTATE_TEMPLATES_ALIVE, -1); /* the broker leaves */
    estate_unref(t->estate);
    free(t->spec);
    free(t);
}

static bool has_workers(const struct template *t)
{
    for (const struct worker *w = t->broker->pool.all; w != NULL; w = w->next)
        if (w->of == t)
            return true;
    return false;
}

/* Removed, or never made; and nobody has it any more. */
static bool is_over(const struct template *t)
{
    return (t->removed || !t->stored) && t->refs == 0 && t->job == NULL && t->asks == NULL && crew_waiting(&t->crew) == 0 &&
           !sched_limiter_known(&t->gate) && !has_workers(t);
}

static void on_tidy(void *ctx)
{
    struct templates *all = ctx;
    struct template *next;

    for (struct template *t = all->all; t != NULL; t = next) {
        next = t->next;
        if (t->removed && t->refs <= (t->job != NULL)) /* its own init has it too */
            template_end(t);
        if (is_over(t))
            template_free(t);
    }
}

/* Not here and now: whoever calls may be walking the table. */
void template_free_if_unused(struct template *t)
{
    struct broker *b = t->broker;

    if (t->removed || !t->stored)
        timers_arm(&b->loop.timers, &b->templates.tidy, b->loop.now_us);
}

struct template *template_ref(struct template *t)
{
    t->refs++;
    return t;
}

void template_unref(struct template *t)
{
    if (t == NULL)
        return;
    t->refs--;
    template_free_if_unused(t);
}

/* ---- names --------------------------------------------------------------------------------------------------------------------- */

int template_parse_name(const char *text, char name[LIMITS_NAME + 1], uint32_t *ret_version)
{
    const char *at = strchr(text, '@');
    size_t len = at != NULL ? (size_t)(at - text) : strlen(text);
    uint64_t version = 0;

    if (len == 0 || len > LIMITS_NAME || (at != NULL && at[1] == '\0'))
        return -EINVAL;
    for (const char *p = at != NULL ? at + 1 : ""; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || (version = version * 10 + (uint64_t)(*p - '0')) > UINT32_MAX)
            return -EINVAL;
    }
    if (at != NULL && version == 0)
        return -EINVAL;
    memcpy(name, text, len);
    name[len] = '\0';
    *ret_version = (uint32_t)version;
    return 0;
}

struct template *templates_find(struct broker *b, uint64_t tenant, const char *text)
{
    char name[LIMITS_NAME + 1];
    struct template *best = NULL;
    uint32_t version;

    if (template_parse_name(text, name, &version) != 0)
        return NULL;
    for (struct template *t = b->templates.all; t != NULL; t = t->next)
        if (t->estate->tenant == tenant && strcmp(t->name, name) == 0 &&
            (version != 0 ? t->version == version : t->stored && !t->removed && (best == NULL || t->version > best->version)))
            best = t;
    return best;
}

/* ---- a job that wants one ------------------------------------------------------------------------------------------------------ */

static int check_limits(const struct template *t, Pb__Limits *l, struct call_why *why)
{
    char is[UNITS_BUF], max[UNITS_BUF];

    if (l->memory_bytes == 0)
        l->memory_bytes = t->limits.memory_bytes;
    if (l->memory_bytes > t->limits.memory_bytes)
        return call_refuse(why, CE(LIMIT), "limit memory: %s is above the %s that the template %s was built with",
                           units_format_size(l->memory_bytes, is), units_format_size(t->limits.memory_bytes, max), t->full);
    if (l->threads > 1)
        return call_refuse(why, CE(BAD_REQUEST), "limit threads: a child of a template has one");
    return 0;
}

/* Named or not, it is the template's; of one that has `packages` its children have them, whether they ask or not. */
static int check_engine(const struct template *t, const Pb__JobSpec *s, struct call_why *why)
{
    const struct engine_row *e = t->crew.engine;

    if (s->engine[0] != '\0' && strcmp(s->engine, e->name) != 0 && (e->instead_of == NULL || strcmp(s->engine, e->instead_of) != 0))
        return call_refuse(why, CE(BAD_REQUEST), "the template %s is one of the engine '%s'", t->full, e->name);
    if (job_has_cap(s, "packages") && e->instead_of == NULL)
        return call_refuse(why, CE(BAD_REQUEST), "the template %s was built without --cap packages, which is for its build to say",
                           t->full);
    return 0;
}

/* What is set in the spec is the template's: it outlives the request. */
int templates_resolve(struct broker *b, uint64_t tenant, Pb__JobSpec *spec, struct call_why *why)
{
    struct template *t;

    if (spec->builds[0] != '\0')
        return call_refuse(why, CE(BAD_REQUEST), "builds is the broker's own to say");
    if (spec->template_[0] == '\0')
        return 0;
    t = templates_find(b, tenant, spec->template_);
    if (t == NULL || !t->stored || t->removed)
        return call_refuse(why, CE(NOT_FOUND), "there is no template '%.64s'", spec->template_);
    if (check_engine(t, spec, why) != 0)
        return -1;
    spec->template_ = t->full;
    spec->engine = (char *)t->crew.engine->name;
    return spec->limits != NULL ? check_limits(t, spec->limits, why) : 0;
}

static void fail(struct job *job, const struct template *t, bool of_host, const char *why)
{
    if (of_host)
        jobs_decide(job, PB__CAUSE__CAUSE_START_FAILED, "template %s: %s", t->full, why);
    else
        jobs_cannot_have(job, "template %s: %s", t->full, why);
}

void template_fail_waiting(struct template *t, bool of_host, const char *why)
{
    for (unsigned n = t->crew.plain.waiting; n > 0 && t->crew.plain.first != NULL; n--)
        fail(t->crew.plain.first, t, of_host, why);
    for (unsigned n = t->crew.living.waiting; n > 0 && t->crew.living.first != NULL; n--)
        fail(t->crew.living.first, t, of_host, why);
}

/* ---- from start to end --------------------------------------------------------------------------------------------------------- */

static int recover_one(void *ctx, const struct store_template *row)
{
    const struct store_blob *spec = &row->spec;
    struct broker *b = ctx;
    struct estate *e;
    struct template *t;
    struct frame f;
    uint8_t *packed;
    int rc = store_decode_spec(&f, spec->bytes, spec->len);

    if (rc == -ENOMEM)
        return rc;
    if (rc != 0) {
        store_tell_unsound(b->store, "template", row->name, "what it is made of cannot be read");
        return 0;
    }
    if (((const Pb__JobSpec *)f.msg)->limits == NULL || engine_find(((const Pb__JobSpec *)f.msg)->engine) < 0) {
        frame_release(&f);
        return 0; /* of an engine that this broker has not */
    }
    packed = malloc(spec->len);
    if (packed != NULL)
        memcpy(packed, spec->bytes, spec->len);
    e = packed != NULL ? estate_get(b, row->tenant) : NULL;
    if (e == NULL)
        free(packed);
    t = e != NULL ? template_new(e, row->name, row->version, packed, spec->len, (const Pb__JobSpec *)f.msg) : NULL;
    if (t != NULL) {
        t->stored = true;
        t->created_us = row->created_us;
    }
    estate_unref(e); /* the template has its own */
    frame_release(&f);
    return t != NULL ? 0 : -ENOMEM;
}

int templates_recover(struct broker *b)
{
    b->templates.tidy = (struct timer){ .fn = on_tidy, .ctx = &b->templates };
    return store_each_template(b->store, recover_one, b);
}

void templates_let_go(struct broker *b, bool all)
{
    for (struct template *t = b->templates.all; t != NULL; t = t->next)
        if (all || (t->asks == NULL && crew_waiting(&t->crew) == 0))
            template_end(t);
}

unsigned templates_resting(const struct broker *b)
{
    unsigned n = 0;

    for (const struct template *t = b->templates.all; t != NULL; t = t->next)
        n += template_is_warm(t) && t->asks == NULL && crew_waiting(&t->crew) == 0;
    return n;
}

void templates_finish(struct broker *b)
{
    timers_cancel(&b->loop.timers, &b->templates.tidy);
    while (b->templates.all != NULL)
        template_free(b->templates.all);
}
