/* pool.c - see pool.h: what becomes of a worker: told by its zygote, by itself, by its deadline; and its end. */
#include "broker/pool.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/pool_own.h"
#include "broker/templates.h"
#include "log.h"

enum { REPORT_US = 5000000 }; /* from our SIGKILL to the zygote's report */

struct worker *pool_find(struct pool *p, uint64_t id)
{
    for (struct worker *w = p->all; w != NULL; w = w->next)
        if (w->id == id)
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
        timers_arm(&w->broker->loop.timers, &w->deadline, w->broker->loop.now_us + (pool_is_nobodys(w) ? 0 : REPORT_US));
    }
    pool_signal(w, SIGKILL); /* no pidfd yet: pool_on_spawned() comes back to it */
}

bool pool_is_old_spare(const struct worker *w, const struct crew *c)
{
    return w->crew == c && w->phase == WORKER_IDLE && w->role == WORKER_PLAIN && w->threads == 1 && w->zygote->retired;
}

static void end_old_spare(const struct crew *c)
{
    for (struct worker *w = c->broker->pool.all; w != NULL; w = w->next)
        if (pool_is_old_spare(w, c)) {
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

/* A worker that was to be sealed and is not: say why, tell a waiting job, do not spin. */
static void boot_failed(struct worker *w)
{
    struct broker *b = w->broker;
    struct crew *c = w->crew;
    uint64_t delay = (uint64_t)POOL_RETRY_FIRST_US << (c->boot_failures < 6 ? c->boot_failures : 6);
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
        timers_arm(&b->loop.timers, &c->retry, b->loop.now_us + (delay < POOL_RETRY_LAST_US ? delay : POOL_RETRY_LAST_US));
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
    pool_worker_free(w);
    jobs_dispatch(&b->jobs); /* there is a place now; and it refills the pool */
    broker_check_rest(b);
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

void pool_on_pidfd(void *ctx)
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

void pool_on_deadline(void *ctx)
{
    struct worker *w = ctx;

    if (w->phase == WORKER_ENDING && pool_is_nobodys(w)) {
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
        pool_worker_free(w);
    }
}
