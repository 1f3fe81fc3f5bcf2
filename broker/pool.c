/* pool.c - see pool.h. */
#include "broker/pool.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/gate.h"
#include "broker/templates.h"
#include "broker/zygotes.h"
#include "log.h"

enum {
    BOOT_US = 20000000,     /* fork to hello; an overloaded machine is slow, a hung seal is for ever */
    REPORT_US = 5000000,    /* from our SIGKILL to the zygote's report */
    LINK_GONE_US = 2000000, /* from the end of a template's link to the report of its own */
    RETRY_FIRST_US = 100000,
    RETRY_LAST_US = 5000000,
};

static void settle(struct worker *w);
static void on_deadline(void *ctx);
static void on_retry(void *ctx);
static void on_refill(void *ctx);
static void on_pidfd(void *ctx);
static bool is_old_spare(const struct worker *w, const struct crew *c);

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

struct worker *pool_find(struct pool *p, uint64_t id)
{
    for (struct worker *w = p->all; w != NULL; w = w->next)
        if (w->id == id)
            return w;
    return NULL;
}

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

static void worker_free(struct worker *w)
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

static bool is_tier(const struct crew *c, const char *tier)
{
    return c->zygote->tier != NULL && strcmp(c->zygote->tier, tier) == 0;
}

/* Programs whose worker cannot mount a work directory get one made by us. */
static bool has_given_dir(const struct crew *c)
{
    return c->engine->runs_programs && is_tier(c, "T2");
}

/* Whether its zygote has entered the namespace of the range. At T1 it has one of its own; and what another uid left in a directory of ours, we
 * could not remove. */
static bool in_range(const struct crew *c)
{
    return c->broker->privilege.ids > 0 && !is_tier(c, "T1") && !has_given_dir(c);
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
static int worker_new(struct pool *p, struct crew *c, unsigned threads, enum worker_role role, const struct worker *of, struct worker **ret)
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
    w->pidfd = (struct loop_watch){ -1, on_pidfd, w };
    w->deadline = (struct timer){ .fn = on_deadline, .ctx = w };
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

static void on_link_message(void *ctx, const uint8_t *bytes, size_t len)
{
    struct worker *w = ctx;

    gate_receive(w, bytes, len);
    if (w->phase == WORKER_ENDING)
        link_mute(&w->link);
}

/* A child that was ordered and has not said hello: nobody will tell of it, whatever became of it (zygote_fork_ends()). */
static bool is_nobodys(const struct worker *w)
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
    if (w->of != NULL && (why == -EXDEV || is_nobodys(w))) {
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

/* A control group for those that may be several processes. Without one the broker samples (watch.h), which their receipts say. */
static struct cgroup_leaf *leaf_for(const struct crew *c)
{
    struct cgroups *g = &c->broker->cgroups;
    struct cgroup_leaf *leaf;

    if (!c->engine->runs_programs || g->kind == CGROUP_NONE)
        return NULL;
    leaf = cgroup_take(g);
    if (leaf == NULL)
        log_event(LOG_LEVEL_ERROR, "cgroup_failed", "error=\"%s\"", strerror(errno));
    return leaf;
}

/* -1: it needs none. */
static int work_dir_for(struct worker *w)
{
    int fd;

    if (!has_given_dir(w->crew))
        return -1;
    fd = work_dirs_make(&w->broker->work_dirs, w->id);
    w->has_work_dir = fd >= 0;
    if (fd < 0)
        log_event(LOG_LEVEL_ERROR, "work_dir_failed", "error=\"%s\"", strerror(-fd)); /* its worker will say so, too */
    return fd >= 0 ? fd : -1;
}

static int spawn_one(struct crew *c, unsigned threads)
{
    struct broker *b = c->broker;
    struct worker *w;
    int fd, rc = worker_new(&b->pool, c, threads, WORKER_PLAIN, NULL, &w);
    struct link_handler h = { on_link_message, on_link_gone, rc == 0 ? w : NULL, on_link_room };

    if (rc != 0)
        return rc;
    rc = timers_arm(&b->loop.timers, &w->deadline, b->loop.now_us + BOOT_US);
    if (rc == 0)
        rc = link_open(&w->link, &b->loop, &h, &fd);
    if (rc == 0) {
        struct zygote_order order = { .worker = w->id,
                                      .token = w->token,
                                      .uid = w->uid_inside,
                                      .threads = threads,
                                      .link_fd = fd,
                                      .leaf = w->leaf = leaf_for(c),
                                      .work_dir = work_dir_for(w) };

        rc = zygote_spawn(c->zygote, &order);
        close(fd);
        if (order.work_dir >= 0)
            close(order.work_dir);
    }
    if (rc != 0) {
        pool_set_phase(w, WORKER_ENDING);
        worker_free(w);
    }
    return rc;
}

int pool_new_child(struct template *t, struct worker **ret_w, int *ret_fd)
{
    struct broker *b = t->broker;
    struct worker *w;
    int rc = worker_new(&b->pool, &t->crew, 1, WORKER_FORKED, t->worker, &w);
    struct link_handler h = { on_link_message, on_link_gone, rc == 0 ? w : NULL, on_link_room };

    if (rc != 0)
        return rc;
    rc = link_open(&w->link, &b->loop, &h, ret_fd);
    if (rc == 0 && (rc = link_know_writer(&w->link)) != 0)
        close(*ret_fd);
    if (rc != 0) {
        pool_set_phase(w, WORKER_ENDING);
        worker_free(w);
        return rc;
    }
    w->den = den_enter(t->worker->den);
    *ret_w = w;
    return 0;
}

int pool_spawn_template(struct template *t)
{
    struct broker *b = t->broker;
    struct worker *w;
    int fd, rc = worker_new(&b->pool, &t->crew, 1, WORKER_TEMPLATE, NULL, &w);
    struct link_handler h = { on_link_message, on_link_gone, rc == 0 ? w : NULL, on_link_room };

    if (rc != 0)
        return rc;
    rc = timers_arm(&b->loop.timers, &w->deadline, b->loop.now_us + BOOT_US);
    if (rc == 0)
        rc = link_open(&w->link, &b->loop, &h, &fd);
    if (rc == 0) {
        rc = link_know_writer(&w->link);
        if (rc == 0)
            rc = den_new(&b->cgroups, &w->den);
        if (rc == 0) {
            struct zygote_order order = { .worker = w->id,
                                          .token = w->token,
                                          .uid = w->uid_inside,
                                          .threads = 1,
                                          .link_fd = fd,
                                          .leaf = den_leaf(w->den),
                                          .work_dir = -1,
                                          .children = TEMPLATE_CHILDREN };

            rc = zygote_spawn(t->crew.zygote, &order);
        }
        close(fd);
    }
    if (rc != 0) {
        pool_set_phase(w, WORKER_ENDING);
        worker_free(w);
        return rc;
    }
    t->worker = w;
    return 0;
}

static int may_spawn(const struct crew *c)
{
    return c->broker->phase != BROKER_DRAINING && c->zygote->ready && c->retry.place == 0;
}

/* 0, or -errno: no more of them now. */
static int spawn_or_wait(struct crew *c, unsigned threads)
{
    int rc = c->template != NULL ? template_fork(c->template) : spawn_one(c, threads);

    if (rc != 0 && rc != -EAGAIN) { /* EAGAIN: its next report brings us here again */
        log_event(LOG_LEVEL_ERROR, "spawn_failed", "error=\"%s\"", strerror(-rc));
        timers_arm(&c->broker->loop.timers, &c->retry, c->broker->loop.now_us + RETRY_LAST_US);
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
        n += is_old_spare(w, c);
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

int pool_signal(struct worker *w, int sig)
{
    if (w->pidfd.fd < 0)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, w->pidfd.fd, sig, NULL, 0) != 0 ? -errno : 0;
}

int pool_interrupt(struct worker *w, uint64_t number)
{
    siginfo_t info = { .si_signo = SIGTERM, .si_code = SI_QUEUE };

    if (w->pidfd.fd < 0)
        return -ESRCH;
    info.si_value.sival_int = (int)(number & INT32_MAX);
    return syscall(SYS_pidfd_send_signal, w->pidfd.fd, SIGTERM, &info, 0) != 0 ? -errno : 0;
}

void pool_kill(struct worker *w)
{
    if (w->phase != WORKER_ENDING) {
        pool_set_phase(w, WORKER_ENDING);
        timers_arm(&w->broker->loop.timers, &w->deadline, w->broker->loop.now_us + (is_nobodys(w) ? 0 : REPORT_US));
    }
    pool_signal(w, SIGKILL); /* no pidfd yet: pool_on_spawned() comes back to it */
}

static bool is_old_spare(const struct worker *w, const struct crew *c)
{
    return w->crew == c && w->phase == WORKER_IDLE && w->role == WORKER_PLAIN && w->threads == 1 && w->zygote->retired;
}

static void end_old_spare(const struct crew *c)
{
    for (struct worker *w = c->broker->pool.all; w != NULL; w = w->next)
        if (is_old_spare(w, c)) {
            pool_kill(w);
            return;
        }
}

/* Becomes idle when both halves are there: its own hello, and the zygote's word of which process it is. */
static void maybe_idle(struct worker *w)
{
    if (w->phase != WORKER_BOOT || !w->hello || w->pid == 0 || w->exited)
        return;
    timers_cancel(&w->broker->loop.timers, &w->deadline);
    w->crew->boot_failures = 0;
    jobs_crew_changed(w->crew);
    pool_set_phase(w, WORKER_IDLE);
    if (w->role == WORKER_TEMPLATE) {
        template_is_booted(w->of);
        return;
    }
    if (w->role == WORKER_FORKED)
        template_has_child(w->of, w);
    else if (w->threads == 1)
        end_old_spare(w->crew);
    jobs_dispatch(&w->broker->jobs);
}

void pool_on_hello(struct worker *w)
{
    w->hello = 1;
    maybe_idle(w);
}

void pool_on_spawned(struct worker *w, pid_t pid, int pidfd)
{
    w->pid = pid;
    w->pidfd.fd = pidfd;
    if (w->phase == WORKER_ENDING)
        pool_kill(w);
    maybe_idle(w);
}

void pool_on_spawn_failed(struct worker *w, int error)
{
    pool_drop(w, w->role == WORKER_FORKED ? "adopt" : "fork", error);
}

void pool_drop(struct worker *w, const char *failed_step, int error)
{
    snprintf(w->failed_step, sizeof(w->failed_step), "%s", failed_step);
    w->failed_error = (uint32_t)error;
    w->exited = 1;
    w->gone = 1;
    settle(w);
}

void pool_on_exited(struct worker *w, const Pb__Exited *e)
{
    w->exited = 1;
    w->exit_code = (int)e->code;
    w->exit_status = e->status;
    w->usage = *e;
    settle(w);
}

static void on_pidfd(void *ctx)
{
    struct worker *w = ctx;

    loop_del(&w->broker->loop, &w->pidfd);
    w->exited = 1;
    settle(w);
}

/* The zygote's children die with it; its reports have ended, so the pidfds tell. Idle ones are no place for a job to run again. */
void pool_on_zygote_gone(struct pool *p, const struct zygote *z)
{
    struct worker *next;

    for (struct worker *w = p->all; w != NULL; w = w->next) {
        if (w->zygote != z)
            continue;
        w->orphan = 1;
        if (w->job == NULL)
            pool_kill(w);
    }
    for (struct worker *w = p->all; w != NULL; w = next) {
        next = w->next;
        if (w->exited || w->zygote != z)
            continue;
        if (w->pidfd.fd >= 0) {
            pool_signal(w, SIGKILL);
            if (loop_add(&p->broker->loop, &w->pidfd) == 0)
                continue;
        }
        w->exited = 1;
        settle(w);
    }
}

static void on_deadline(void *ctx)
{
    struct worker *w = ctx;

    if (w->phase == WORKER_ENDING && is_nobodys(w)) {
        w->exited = 1;
        settle(w);
        return;
    }
    if (w->phase == WORKER_ENDING) { /* nothing outlives SIGKILL for so long: it is the zygote that does not report */
        log_event(LOG_LEVEL_ERROR, "zygote_silent", "worker=%llu", (unsigned long long)w->id);
        zygote_replace(w->zygote);
        return;
    }
    if (w->role == WORKER_FORKED) {
        template_child_late(w);
        return;
    }
    if (w->role == WORKER_TEMPLATE && w->gone) {
        template_broke(w->of, "it closed its link");
        return;
    }
    log_event(LOG_LEVEL_ERROR, "boot_timeout", "worker=%llu pid=%d", (unsigned long long)w->id, (int)w->pid);
    snprintf(w->failed_step, sizeof(w->failed_step), "boot");
    w->failed_error = ETIMEDOUT;
    pool_kill(w);
    if (w->pid == 0) /* not even reported: the zygote hangs, and all that wait for it with it */
        zygote_replace(w->zygote);
}

/* A worker that was to be sealed and is not: say why, tell a waiting job, do not spin. */
static void boot_failed(struct worker *w)
{
    struct broker *b = w->broker;
    struct crew *c = w->crew;
    uint64_t delay = (uint64_t)RETRY_FIRST_US << (c->boot_failures < 6 ? c->boot_failures : 6);
    char why[160];

    if (w->orphan)
        return; /* the zygote's end took it along: no fault of the seal */
    if (w->failed_step[0] != '\0')
        snprintf(why, sizeof(why), "seal step %s failed: %s (errno %u)", w->failed_step, strerror((int)w->failed_error), w->failed_error);
    else
        snprintf(why, sizeof(why), "the worker ended before it was sealed (code %d, status %d)", w->exit_code, w->exit_status);
    log_event(LOG_LEVEL_ERROR, "start_failed", "worker=%llu why=\"%s\"", (unsigned long long)w->id, why);
    if (w->role == WORKER_TEMPLATE) {
        template_boot_failed(w->of, w, why);
        return;
    }
    if (w->threads > 1) { /* made for one job, which takes the blame: nothing to be tried again, nobody else to wait */
        jobs_start_failed(c, &c->wide, why);
        return;
    }
    c->boot_failures++;
    jobs_crew_changed(c);
    if (c->retry.place == 0) /* first: whoever hears of it may want a worker again */
        timers_arm(&b->loop.timers, &c->retry, b->loop.now_us + (delay < RETRY_LAST_US ? delay : RETRY_LAST_US));
    jobs_start_failed(c, &c->plain, why);
    jobs_start_failed(c, &c->living, why);
}

/* The worker's process has ended: hears the rest of its link, closes its job's account, lets the zygote reap it. */
static void settle(struct worker *w)
{
    struct broker *b = w->broker;
    int booting = w->phase == WORKER_BOOT;

    if (!w->exited)
        return;
    if (w->phase != WORKER_ENDING) {
        w->asker.gone = true;
        link_drain(&w->link); /* everything it managed to say is heard before its end is judged */
        if (w->phase != WORKER_ENDING)
            pool_set_phase(w, WORKER_ENDING);
    }
    if (w->job != NULL)
        jobs_on_worker_end(w->job);
    assert(w->job == NULL);
    if (w->of != NULL)
        template_worker_ended(w->of, w);
    if (booting || (w->failed_step[0] != '\0' && !w->hello))
        boot_failed(w);
    if (w->pid != 0 && !w->orphan)
        zygote_reap(w->zygote, w->id);
    worker_free(w);
    jobs_dispatch(&b->jobs); /* there is a place now; and it refills the pool */
    broker_check_rest(b);
}

void pool_finish(struct pool *p)
{
    for (int i = 0; i < ENGINE_COUNT; i++) {
        timers_cancel(&p->broker->loop.timers, &p->broker->crews[i].retry);
        timers_cancel(&p->broker->loop.timers, &p->broker->crews[i].refill);
    }
    while (p->all != NULL) {
        struct worker *w = p->all;

        pool_kill(w);
        if (w->job != NULL)
            w->job->worker = NULL; /* it runs again with the next broker */
        w->job = NULL;
        worker_free(w);
    }
}
