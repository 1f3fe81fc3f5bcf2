/* pool_refill.c - see pool.h: crews, and when workers are asked for: those that a job waits for at once, spare ones a moment later. */
#include <errno.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/pool_own.h"
#include "broker/templates.h"
#include "log.h"

static void on_retry(void *ctx);
static void on_refill(void *ctx);

void pool_crew_init(struct crew *c, const struct crew *like, struct template *t)
{
    *c = (struct crew){ .broker = like->broker, .engine = like->engine, .zygote = like->zygote, .template = t };
    c->retry = (struct timer){ .fn = on_retry, .ctx = c };
    c->refill = (struct timer){ .fn = on_refill, .ctx = c };
}

void pool_init(struct pool *p, struct broker *b)
{
    *p = (struct pool){ .broker = b };
    for (int i = 0; i < ENGINE_COUNT; i++) {
        struct crew *c = &b->crews[i];

        *c = (struct crew){ .broker = b, .engine = &engine_table[i] };
        c->retry = (struct timer){ .fn = on_retry, .ctx = c };
        c->refill = (struct timer){ .fn = on_refill, .ctx = c };
        c->zygote = &c->own_zygote;
        zygote_init(c->zygote, c);
    }
}

static int may_spawn(const struct crew *c)
{
    return c->broker->phase != BROKER_DRAINING && c->zygote->ready && c->retry.place == 0;
}

/* 0, or -errno: no more of them now. */
static int spawn_or_wait(struct crew *c, unsigned threads)
{
    int rc = c->template != NULL ? template_fork(c->template) : pool_spawn_plain(c, threads);

    if (rc != 0 && rc != -EAGAIN) { /* EAGAIN: its next report brings us here again */
        log_event(LOG_LEVEL_ERROR, "spawn_failed", "error=\"%s\"", strerror(-rc));
        timers_arm(&c->broker->loop.timers, &c->retry, c->broker->loop.now_us + POOL_RETRY_LAST_US);
    }
    return rc;
}

static void spawn_missing(struct crew *c, unsigned spare)
{
    if (!may_spawn(c))
        return;
    for (unsigned n = crew_missing(c, spare); n > 0; n--)
        if (spawn_or_wait(c, 1) != 0)
            return;
}

void pool_renew_spares(struct crew *c)
{
    unsigned n = 0;

    for (const struct worker *w = c->broker->pool.all; w != NULL; w = w->next)
        n += pool_is_old_spare(w, c);
    for (; n > 0 && may_spawn(c); n--)
        if (spawn_or_wait(c, 1) != 0)
            return; /* those that stay are used up */
}

static struct worker *wide_without_job(const struct crew *c)
{
    for (struct worker *w = c->broker->pool.all; w != NULL; w = w->next)
        if (w->crew == c && w->threads > 1 && (w->phase == WORKER_BOOT || w->phase == WORKER_IDLE))
            return w;
    return NULL;
}

/* Jobs of several threads get a worker made to measure, one after another. One that its job has no use for any more goes. */
static void spawn_wide(struct crew *c)
{
    const struct job *first = c->wide.first;
    struct worker *w = wide_without_job(c);

    if (w != NULL && (first == NULL || first->limits.threads != w->threads)) {
        if (w->phase == WORKER_IDLE)
            pool_kill(w);
        return; /* its end brings us here again */
    }
    if (w == NULL && first != NULL && may_spawn(c) && (first->interp != NULL || c->broker->pool.busy < c->broker->config.workers))
        (void)spawn_or_wait(c, (unsigned)first->limits.threads);
}

static void on_retry(void *ctx)
{
    const struct crew *c = ctx;

    pool_refill(&c->broker->pool);
}

static void on_refill(void *ctx)
{
    struct crew *c = ctx;

    spawn_missing(c, crew_spares(c));
    if (c->engine->runs_programs)
        cgroup_stock(&c->broker->cgroups, crew_spares(c)); /* for those that come after these */
}

/*
 * Workers that a job waits for are asked for at once. Spare ones come a moment later: making one costs this thread and both cores as
 * much as a small job does, and the job that has just been handed out would pay for it.
 */
static void refill(struct crew *c)
{
    if (c->template == NULL && (c->plain.waiting > 0 || c->wide.waiting > 0 || c->living.waiting > 0) &&
        c->broker->phase != BROKER_DRAINING)
        zygote_want(c->zygote);
    spawn_missing(c, 0);
    spawn_wide(c);
    if (c->refill.place == 0 && c->zygote->ready && crew_missing(c, crew_spares(c)) > 0)
        timers_arm(&c->broker->loop.timers, &c->refill, c->broker->loop.now_us + c->engine->refill_us);
}

void pool_refill(struct pool *p)
{
    struct broker *b = p->broker;

    for (int i = 0; i < ENGINE_COUNT; i++)
        refill(&b->crews[i]);
    for (struct template *t = b->templates.all; t != NULL; t = t->next) { /* none is freed in here */
        template_prepare(t);
        refill(&t->crew);
    }
}

struct worker *pool_idle(struct pool *p, const struct crew *c, unsigned threads)
{
    if (threads == 1 && c->idle == 0)
        return NULL; /* without a look at thousands of interpreters */
    for (struct worker *w = p->all; w != NULL; w = w->next)
        if (w->phase == WORKER_IDLE && w->crew == c && w->threads == threads && w->role != WORKER_TEMPLATE && !w->exited && !w->gone)
            return w;
    return NULL;
}
