/* pool_worker.c - see pool.h: one worker's record: its phase and who counts it, its uid, its link; from before its process is there until after that. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/gate.h"
#include "broker/pool_own.h"
#include "broker/templates.h"
#include "broker/zygotes.h"

enum { LINK_GONE_US = 2000000 }; /* from the end of a template's link to the report of its own */

/* ---- its phase ------------------------------------------------------------------------------------------------------------------- */

/* The pool's count, and the crew's of those that any of its plain jobs may get; NULL: not counted. */
static void phase_counts(struct worker *w, enum worker_phase phase, unsigned *ret[2])
{
    struct pool *p = &w->broker->pool;
    int plain = w->threads == 1;

    ret[0] = ret[1] = NULL;
    if (w->role == WORKER_TEMPLATE)
        return; /* no job's place */
    if (phase == WORKER_BOOT)
        ret[0] = &p->booting, ret[1] = plain ? &w->crew->booting : NULL;
    else if (phase == WORKER_IDLE)
        ret[0] = &p->idle, ret[1] = plain ? &w->crew->idle : NULL;
    else if (phase == WORKER_ASSIGNED || phase == WORKER_BUSY)
        ret[0] = w->lives ? &p->living : &p->busy;
}

static void count(struct worker *w, enum worker_phase phase, int by)
{
    unsigned *counts[2];

    phase_counts(w, phase, counts);
    for (int i = 0; i < 2; i++)
        if (counts[i] != NULL)
            *counts[i] += (unsigned)by;
}

void pool_set_phase(struct worker *w, enum worker_phase phase)
{
    count(w, w->phase, -1);
    count(w, phase, 1);
    w->phase = phase;
    if (phase == WORKER_ASSIGNED)
        zygotes_on_job(w->zygote);
    if (phase == WORKER_ENDING)
        asker_finish(&w->asker);
}

/* ---- its link -------------------------------------------------------------------------------------------------------------------- */

static void on_link_message(void *ctx, const uint8_t *bytes, size_t len)
{
    struct worker *w = ctx;

    gate_receive(w, bytes, len);
    if (w->phase == WORKER_ENDING)
        link_mute(&w->link);
}

bool pool_is_nobodys(const struct worker *w)
{
    return w->role == WORKER_FORKED && w->pid == 0 && w->said_pid == 0;
}

static void on_link_room(void *ctx)
{
    struct worker *w = ctx;

    queues_on_room(&w->asker);
}

static void on_link_gone(void *ctx, int why)
{
    struct worker *w = ctx;

    w->gone = 1;
    if (w->phase == WORKER_ENDING)
        return;
    if (w->of != NULL && (why == -EXDEV || pool_is_nobodys(w))) {
        template_link_gone(w->of, w, why);
        return;
    }
    if (w->role == WORKER_TEMPLATE && why == -EPIPE) { /* its end is about to be reported, or it is a lie */
        timers_arm(&w->broker->loop.timers, &w->deadline, w->broker->loop.now_us + LINK_GONE_US);
        return;
    }
    if (why == -EPROTO || why == -EMSGSIZE || why == -ETIMEDOUT)
        gate_refuse(w, "?", why == -EPROTO ? "not a frame" : why == -EMSGSIZE ? "too long a frame" : "a frame that does not end");
    else if (why != -EPIPE)
        pool_signal(w, SIGKILL); /* we cannot hear it: lost, through no fault of its own */
}

int pool_worker_link(struct worker *w, int *ret_fd)
{
    const struct link_handler h = { on_link_message, on_link_gone, w, on_link_room };

    return link_open(&w->link, &w->broker->loop, &h, ret_fd);
}

/* ---- its record ------------------------------------------------------------------------------------------------------------------ */

static bool is_tier(const struct crew *c, const char *tier)
{
    return c->zygote->tier != NULL && strcmp(c->zygote->tier, tier) == 0;
}

bool pool_gives_dir(const struct crew *c)
{
    return c->engine->runs_programs && is_tier(c, "T2");
}

/* Whether its zygote has entered the namespace of the range. At T1 it has one of its own; and what another uid left in a directory of ours, we
 * could not remove. */
static bool in_range(const struct crew *c)
{
    return c->broker->privilege.ids > 0 && !is_tier(c, "T1") && !pool_gives_dir(c);
}

/*
 * Where there is a range of uids (root started us) each live worker gets one of its own, so that none can signal or inspect another even
 * without the filter: the next in turn that no live worker has. *ret 0: there is no range. -EAGAIN: until one of them ends; a container's
 * range may be short.
 */
static int free_uid(const struct pool *p, const struct crew *c, uint32_t *ret)
{
    uint32_t ids = p->broker->privilege.ids;
    uint64_t turn = p->last_id;
    const struct worker *w;

    *ret = 0;
    if (!in_range(c))
        return 0;
    for (uint32_t tries = 0; tries < ids; tries++) {
        uint32_t inside = 1 + (uint32_t)(turn++ % ids);

        for (w = p->all; w != NULL && w->uid_inside != inside; w = w->next)
            ;
        if (w == NULL) {
            *ret = inside;
            return 0;
        }
    }
    return -EAGAIN;
}

/* of: what it has its uid from, being its child; NULL: one of its own. */
int pool_worker_new(struct pool *p, struct crew *c, unsigned threads, enum worker_role role, const struct worker *of, struct worker **ret)
{
    uint32_t uid_inside = of != NULL ? of->uid_inside : 0;
    int rc = of == NULL ? free_uid(p, c, &uid_inside) : 0;
    struct worker *w = rc == 0 ? calloc(1, sizeof(*w)) : NULL;

    if (w == NULL)
        return rc != 0 ? rc : -ENOMEM;
    w->id = ++p->last_id;
    w->broker = p->broker;
    w->crew = c;
    w->zygote = of != NULL ? of->zygote : c->zygote;
    w->threads = threads;
    w->role = role;
    w->of = c->template;
    w->uid_inside = uid_inside;
    w->uid = w->uid_inside != 0 ? p->broker->privilege.first_id + w->uid_inside : geteuid();
    w->uid_said = in_range(c) ? w->uid_inside : w->uid;
    w->pidfd = (struct loop_watch){ -1, pool_on_pidfd, w };
    w->deadline = (struct timer){ .fn = pool_on_deadline, .ctx = w };
    asker_init(&w->asker, p->broker, w, 0);
    if (getrandom(w->token, sizeof(w->token), 0) != (ssize_t)sizeof(w->token)) {
        free(w);
        return -EIO;
    }
    w->next = p->all;
    if (p->all != NULL)
        p->all->prev = w;
    p->all = w;
    count(w, WORKER_BOOT, 1);
    *ret = w;
    return 0;
}

void pool_worker_free(struct worker *w)
{
    struct pool *p = &w->broker->pool;
    struct zygote *z = w->zygote;

    assert(w->phase == WORKER_ENDING && w->job == NULL);
    timers_cancel(&w->broker->loop.timers, &w->deadline);
    loop_del(&w->broker->loop, &w->pidfd);
    if (w->pidfd.fd >= 0)
        close(w->pidfd.fd);
    link_close(&w->link);
    if (w->leaf != NULL)
        cgroup_drop(w->leaf);
    den_leave(w->den);
    if (w->has_work_dir)
        work_dirs_drop(&w->broker->work_dirs, w->id);
    for (unsigned i = 0; i < w->seal_count; i++)
        free(w->seal[i]);
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        p->all = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    free(w);
    zygotes_on_worker_gone(z);
}
