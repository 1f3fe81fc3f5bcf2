/* zygotes.c - see zygotes.h. */
#include "broker/zygotes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "log.h"

static struct timers *timers_of(const struct zygote *z)
{
    return &z->broker->loop.timers;
}

struct zygote *zygotes_add(struct crew *c)
{
    struct zygote *z = calloc(1, sizeof(*z));

    if (z != NULL)
        zygote_init(z, c);
    return z;
}

static bool has_workers(const struct zygote *z)
{
    for (const struct worker *w = z->broker->pool.all; w != NULL; w = w->next)
        if (w->zygote == z)
            return true;
    return false;
}

int zygotes_add_for_template(struct crew *c, struct zygote **ret)
{
    unsigned n = 0;

    for (const struct zygote *z = c->broker->zygotes; z != NULL; z = z->next)
        n += z->of_template && !(z->retired && !has_workers(z)); /* that one is about to go */
    if (n >= ZYGOTES_OF_TEMPLATES)
        return -EMFILE;
    *ret = zygotes_add(c);
    if (*ret == NULL)
        return -ENOMEM;
    (*ret)->of_template = true;
    return 0;
}

bool zygote_serves(const struct zygote *z)
{
    return z->crew->zygote == z;
}

bool zygotes_have(const struct broker *b, pid_t pid)
{
    for (const struct zygote *z = b->zygotes; z != NULL; z = z->next)
        if (z->pid == pid)
            return true;
    return false;
}

/* ---- the end of one ---------------------------------------------------------------------------------------------------------------- */

static void drop(struct zygote *z)
{
    struct zygote **at = &z->broker->zygotes;

    zygote_stop(z);
    timers_cancel(timers_of(z), &z->renew);
    while (*at != z)
        at = &(*at)->next;
    *at = z->next;
    if (z != &z->crew->own_zygote)
        free(z);
}

static void on_over(void *ctx)
{
    drop(ctx);
}

/* Not here and now: it may be the one that is speaking. */
void zygotes_on_worker_gone(struct zygote *z)
{
    if (z->retired && !has_workers(z))
        timers_arm(timers_of(z), &z->restart, z->broker->loop.now_us);
}

void zygote_retire(struct zygote *z)
{
    if (z->retired)
        return;
    z->retired = true;
    timers_cancel(timers_of(z), &z->renew);
    timers_cancel(timers_of(z), &z->restart);
    z->restart.fn = on_over;
    zygotes_on_worker_gone(z);
}

/* ---- another in its place ---------------------------------------------------------------------------------------------------------- */

static void renew_later(struct zygote *z)
{
    uint64_t us = z->broker->config.zygote_renew_us;

    if (us > 0)
        timers_arm(timers_of(z), &z->renew, z->broker->loop.now_us + us);
    else
        timers_cancel(timers_of(z), &z->renew);
}

static unsigned old_ones(const struct crew *c)
{
    unsigned n = 0;

    for (const struct zygote *z = c->broker->zygotes; z != NULL; z = z->next)
        n += z->crew == c && z->retired && !z->of_template;
    return n;
}

/* The one that there is goes on, and tries again later. */
static void give_up(struct zygote *coming)
{
    coming->crew->coming = NULL;
    zygote_retire(coming);
    renew_later(coming->crew->zygote);
}

static void on_not_ready(void *ctx)
{
    struct zygote *z = ctx;

    log_event(LOG_LEVEL_WARN, "zygote_not_ready", "engine=%s pid=%d", z->crew->engine->name, (int)z->pid);
    give_up(z);
}

static int start_another(struct crew *c)
{
    int rc = (c->coming = zygotes_add(c)) != NULL ? zygote_start(c->coming) : -ENOMEM;

    if (rc == 0) {
        c->coming->renew.fn = on_not_ready;
        rc = timers_arm(timers_of(c->coming), &c->coming->renew, c->broker->loop.now_us + ZYGOTE_READY_US);
    }
    if (rc != 0 && c->coming != NULL)
        zygote_retire(c->coming);
    if (rc != 0)
        c->coming = NULL;
    return rc;
}

/* One that has had no job has told nobody what it is like. */
static void on_renew(void *ctx)
{
    struct zygote *z = ctx;
    struct crew *c = z->crew;
    unsigned old = old_ones(c);
    int rc;

    if (c->coming != NULL || z->broker->phase == BROKER_DRAINING)
        return;
    if (z->jobs == 0) {
        renew_later(z);
        return;
    }
    rc = old < ZYGOTES_OLD ? start_another(c) : -EBUSY;
    if (rc == 0)
        return;
    log_event(LOG_LEVEL_WARN, "zygote_not_renewed", "engine=%s pid=%d old=%u why=\"%s\"", c->engine->name, (int)z->pid, old,
              rc == -EBUSY ? "what earlier ones have made lives on" : strerror(-rc));
    renew_later(z);
}

void zygotes_on_job(struct zygote *z)
{
    if (++z->jobs == ZYGOTE_JOBS && zygote_serves(z) && z->broker->config.zygote_renew_us > 0)
        timers_arm(timers_of(z), &z->renew, z->broker->loop.now_us);
}

/* Those of its templates that have no process are to be made by the new one. */
static void hand_over(struct crew *c)
{
    struct zygote *old = c->zygote;

    c->zygote = c->coming;
    c->coming = NULL;
    for (struct template *t = c->broker->templates.all; t != NULL; t = t->next)
        if (t->crew.zygote == old && t->worker == NULL)
            t->crew.zygote = c->zygote;
    log_event(LOG_LEVEL_INFO, "zygote_renewed", "engine=%s pid=%d old=%d jobs=%u", c->engine->name, (int)c->zygote->pid, (int)old->pid,
              old->jobs);
    zygote_retire(old);
    pool_renew_spares(c);
}

void zygotes_on_ready(struct zygote *z)
{
    struct crew *c = z->crew;

    timers_cancel(timers_of(z), &z->renew);
    z->renew.fn = on_renew;
    if (z == c->coming)
        hand_over(c);
    if (zygote_serves(z))
        renew_later(z);
}

bool zygotes_on_gone(struct zygote *z)
{
    timers_cancel(timers_of(z), &z->renew);
    z->jobs = 0;
    if (z == z->crew->coming)
        give_up(z);
    return z->retired;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------------- */

void zygotes_check_config(struct broker *b)
{
    for (int i = 0; i < ENGINE_COUNT; i++)
        if (b->crews[i].zygote->ready)
            renew_later(b->crews[i].zygote);
}

void zygotes_finish(struct broker *b)
{
    while (b->zygotes != NULL)
        drop(b->zygotes);
}
