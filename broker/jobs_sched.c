/* jobs_sched.c - see jobs.h: what the scheduler knows of a job, its claims and what they cost; the crews' queues of those that have one. */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"
#include "broker/templates.h"
#include "log.h"

#define ST(name) PB__STATE__STATE_##name
#define CA(name) PB__CAUSE__CAUSE_##name

enum {
    GUESS_JOBS = 4,     /* so many jobs of a day say how long the next one takes */
    GUESS_US = 1000000, /* before that */
    BLIND_US = 1000000, /* its spec could not be read: not before then, and twice as long each time */
    BLIND_TRIES = 8,    /* so often: two minutes in all */
    US_PER_S = 1000000
};

static struct sched *scheduler(const struct jobs *j)
{
    return j->broker->tenants.sched;
}

/* ---- what a job costs -------------------------------------------------------------------------------------------------------------------- */

/* Asked once: libc opens a file for each answer. */
static double processors(void)
{
    static long n;

    if (n <= 0)
        n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (double)n : 1;
}

static double memory(void)
{
    static double bytes;

    if (bytes <= 0)
        bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return bytes;
}

/* As long as those of its tenant took today, on average; no longer than it may. */
static double guess_s(const struct tenant *t, uint64_t wall_limit_us)
{
    struct tenant_day day = tenant_today(t, loop_wall_us());
    uint64_t us = day.jobs >= GUESS_JOBS ? day.wall_us / day.jobs : GUESS_US;

    return (double)(wall_limit_us != 0 && us > wall_limit_us ? wall_limit_us : us) / US_PER_S;
}

static double estimate(const struct jobs *j, const struct tenant *t, const struct store_job *row)
{
    double cpus = row->threads > 1 ? row->threads : 1;

    return sched_cost(cpus, processors(), (double)row->memory_bytes, memory(), j->broker->config.workers, guess_s(t, row->wall_us));
}

/* A pause is no part of its wall time. But it has kept its slot and its memory meanwhile, and others out of them. */
static double cost_of(const struct jobs *j, const Pb__Usage *u)
{
    double held = (double)(u->wall_us + u->paused_us > 0 ? u->wall_us + u->paused_us : 1);

    return sched_cost((double)(u->cpu_user_us + u->cpu_sys_us) / held, processors(), (double)u->mem_peak_bytes, memory(),
                      j->broker->config.workers, held / US_PER_S);
}

/* ---- what the scheduler knows ------------------------------------------------------------------------------------------------------------- */

/* Of an engine whose workers do not boot one job at a time is claimed: it tries. */
static struct sched_limiter *gate_of(struct jobs *j, const struct waiting *w)
{
    struct sched_limiter *gate = w->engine < ENGINE_COUNT ? &j->broker->crews[w->engine].gate : NULL;

    if (gate != NULL && gate->reason == NULL)
        sched_limiter_init(gate, "NO_WORKER", SCHED_UNLIMITED, true);
    return gate;
}

void jobs_sched_cost(struct jobs *j, struct waiting *w, const struct store_job *row)
{
    w->sched.cost = (float)estimate(j, w->tenant, row);
}

int jobs_sched_enter(struct jobs *j, struct waiting *w, const struct store_job *row)
{
    struct sched_use use[SCHED_USES_MAX];
    struct template *t;
    unsigned n = 0;
    int rc;

    w->sched.rank.key = ++j->last_key;
    jobs_sched_cost(j, w, row);
    use[n].limiter = gate_of(j, w);
    if (use[n].limiter != NULL)
        use[n++].n = 1;
    t = row->template[0] != '\0' ? templates_find(j->broker, w->tenant->id, row->template) : NULL;
    if (t != NULL)
        use[n++] = (struct sched_use){ template_gate(t), 1 };
    rc = limiters_uses(j->broker, w->tenant, row->limiters, w->array, use, n);
    if (rc < 0)
        return rc;
    w->sched.uses = scheduler(j) != NULL ? sched_uses_get(scheduler(j), &w->tenant->sched, use, (unsigned)rc) : NULL;
    return w->sched.uses != NULL ? 0 : -ENOMEM;
}

void jobs_sched_leave(struct jobs *j, struct waiting *w)
{
    if (scheduler(j) == NULL)
        return;
    if (w->claimed)
        (void)jobs_settle(j, w, NULL);
    sched_take(scheduler(j), &w->sched, j->broker->loop.now_us);
    sched_uses_drop(scheduler(j), w->sched.uses);
    w->sched.uses = NULL;
}

/* A spec that is not at hand is not read before it is committed: it would not be there. */
static bool may_be_known(const struct waiting *w)
{
    return !w->entering && !w->editing && (w->committed || w->spec != NULL || w->job != NULL);
}

int jobs_sched_put(struct jobs *j, struct waiting *w)
{
    if (!may_be_known(w) || sched_waits(&w->sched))
        return 0;
    return sched_put(scheduler(j), &w->sched, waiting_class(w), waiting_priority(w), j->broker->loop.now_us);
}

void jobs_sched_take(struct jobs *j, struct waiting *w)
{
    sched_take(scheduler(j), &w->sched, j->broker->loop.now_us);
}

double jobs_settle(struct jobs *j, struct waiting *w, const Pb__Usage *used)
{
    double cost = used != NULL ? cost_of(j, used) : 0;

    if (!w->claimed)
        return 0;
    w->claimed = false;
    sched_done(scheduler(j), w->sched.uses, w->sched.cost, w->sched.charged, cost, j->broker->loop.now_us);
    return cost;
}

/* It never had a worker: of a template, which somebody else has written, it has kept a slot all the same. */
static double settle_unbegun(struct job *job)
{
    Pb__Usage held = PB__USAGE__INIT;

    held.wall_us = job->broker->loop.now_us - job->ready_at;
    return jobs_settle(&job->broker->jobs, job->entry, job->crew->template != NULL ? &held : NULL);
}

void jobs_settle_job(struct job *job)
{
    if (job->entry != NULL && job->entry->claimed)
        job->cost_settled += job->assigned_at != 0 ? jobs_settle(&job->broker->jobs, job->entry, &job->usage) : settle_unbegun(job);
}

/* It has no slot of the broker's: what it computed counts, and the memory that it kept others out of. */
double jobs_charge(struct jobs *j, struct tenant *t, const struct tenant_use *used)
{
    double us = (double)(used->wall_us > 0 ? used->wall_us : 1), cost;

    cost = sched_cost((double)used->cpu_us / us, processors(), (double)used->mib_us / us * (1 << 20), memory(), INFINITY, us / US_PER_S);
    if (scheduler(j) != NULL)
        sched_charge(scheduler(j), &t->sched, cost, j->broker->loop.now_us);
    return cost;
}

/* ---- the crews' queues -------------------------------------------------------------------------------------------------------------------- */

static unsigned threads_of(const struct job *job)
{
    return job->limits.threads > 1 ? (unsigned)job->limits.threads : 1;
}

static struct crew_queue *queue_of(const struct job *job)
{
    return threads_of(job) > 1 ? &job->crew->wide : job->interp != NULL ? &job->crew->living : &job->crew->plain;
}

static void enqueue(struct job *job, int at_head)
{
    struct crew_queue *q = queue_of(job);

    job->ready_at = job->broker->loop.now_us;
    if (q->first == NULL) {
        job->queue_next = job->queue_prev = job;
        q->first = job;
    } else {
        job->queue_next = q->first;
        job->queue_prev = q->first->queue_prev;
        job->queue_prev->queue_next = job;
        q->first->queue_prev = job;
        if (at_head)
            q->first = job;
    }
    q->waiting++;
    job->broker->jobs.waiting++;
}

void jobs_dequeue(struct job *job)
{
    struct crew_queue *q = queue_of(job);

    if (job->queue_next == NULL)
        return;
    if (job->queue_next == job) {
        q->first = NULL;
    } else {
        job->queue_prev->queue_next = job->queue_next;
        job->queue_next->queue_prev = job->queue_prev;
        if (q->first == job)
            q->first = job->queue_next;
    }
    job->queue_next = job->queue_prev = NULL;
    q->waiting--;
    job->broker->jobs.waiting--;
}

void jobs_put_in_queue(struct job *job, int at_head)
{
    if (job->builds != NULL) { /* it has a worker of its own */
        template_prepare(job->builds);
        return;
    }
    enqueue(job, at_head);
    jobs_dispatch(&job->broker->jobs);
    pool_refill(&job->broker->pool);
}

/* ---- claims ------------------------------------------------------------------------------------------------------------------------------- */

void jobs_unclaim(struct jobs *j, struct waiting *w)
{
    jobs_dequeue(w->job);
    w->job->cost_charged -= w->sched.charged; /* it came to nothing: so it is settled too */
    (void)jobs_settle(j, w, NULL);
    jobs_move(j, w, JOB_EV_UNCLAIM, "");
}

/* The machine's trouble, and nothing of the job has begun: it is looked at again. What the spec itself is no wait mends. */
static bool is_for_now(int rc)
{
    return rc == -ENOMEM || rc == -EIO || rc == -EMFILE || rc == -ENFILE || rc == -EBUSY || rc == -EAGAIN;
}

/* It has not begun: no attempt is counted. */
static void look_again(struct jobs *j, struct waiting *w)
{
    uint64_t pause = (uint64_t)BLIND_US << w->unread;

    w->unread++;
    jobs_move(j, w, JOB_EV_UNCLAIM, "");
    jobs_sched_take(j, w);
    (void)waiting_arm(&j->table, w, WAITING_MONOTONIC, j->broker->loop.now_us + pause);
    jobs_arm_clocks(j);
}

/* A claimed job whose spec cannot be had, now or at all. */
static void cannot_begin(struct jobs *j, struct waiting *w, int rc)
{
    char detail[128];

    (void)jobs_settle(j, w, NULL);
    log_event(LOG_LEVEL_WARN, "spec_not_read", "error=\"%s\" tries=%u", strerror(-rc), w->unread + 1u);
    if (is_for_now(rc) && w->unread + 1 < BLIND_TRIES) {
        look_again(j, w);
        return;
    }
    snprintf(detail, sizeof(detail), "its spec cannot be read from the store: %s", strerror(-rc));
    jobs_end_slim(j, w, CA(INTERNAL), detail);
    if (w->state == ST(CLAIMED)) { /* there was no memory for its receipt: it is tried once more */
        w->unread = BLIND_TRIES - 2;
        look_again(j, w);
    }
}

static void take_claim(struct jobs *j, struct waiting *w)
{
    struct job *job = w->job;
    int rc;

    w->claimed = true;
    jobs_move(j, w, JOB_EV_CLAIM, "");
    rc = job != NULL ? 0 : jobs_make(j, w, &job);
    if (rc != 0) {
        cannot_begin(j, w, rc);
        return;
    }
    w->unread = 0;
    job->cost_charged += w->sched.charged;
    job->claimed_us = loop_wall_us();
    enqueue(job, 0);
    if (w->engine == WAITING_NO_ENGINE)
        jobs_cannot_have(job, "this broker has no engine '%.32s'", job->engine);
    else if (job->templated && job->template == NULL)
        jobs_cannot_have(job, "the template of the job has been removed");
    else if (job->template != NULL)
        template_on_claim(job->template);
}

static void on_no_more(struct jobs *j)
{
    uint64_t wake = sched_wake_us(scheduler(j));
    struct timers *t = &j->broker->loop.timers;

    if (wake == SCHED_NEVER)
        timers_cancel(t, &j->claim);
    else if (j->claim.place == 0 || j->claim.at_us != wake)
        timers_arm(t, &j->claim, wake);
}

static bool has_slot(const struct jobs *j)
{
    return j->broker->pool.busy + j->table.in_state[ST(CLAIMED)] < j->broker->config.workers;
}

static void claim(struct jobs *j)
{
    struct sched_job *next;

    if (j->claiming || j->closed || scheduler(j) == NULL)
        return;
    j->claiming = true;
    while (has_slot(j) && (next = sched_next(scheduler(j), j->broker->loop.now_us)) != NULL)
        take_claim(j, (struct waiting *)(void *)((char *)next - offsetof(struct waiting, sched)));
    if (has_slot(j))
        on_no_more(j);
    j->claiming = false;
}

void jobs_on_claim_due(void *ctx)
{
    jobs_dispatch(ctx);
}

void jobs_crew_changed(struct crew *c)
{
    struct broker *b = c->broker;
    uint32_t max = c->boot_failures > 0 ? 1 : SCHED_UNLIMITED;

    if (c->gate.reason == NULL || c->gate.max == max)
        return;
    sched_limiter_set(b->tenants.sched, &c->gate, max);
    while (c->boot_failures > 0 && c->plain.waiting > 1 && c->plain.first->queue_prev->entry != NULL)
        jobs_unclaim(&b->jobs, c->plain.first->queue_prev->entry);
    if (max == SCHED_UNLIMITED)
        jobs_dispatch(&b->jobs);
}

/* The first of a queue, when it has waited longer than best and there is a worker for it. */
static void take_if_older(const struct crew_queue *q, struct job **best, struct worker **ret_w)
{
    struct job *job = q->first;
    struct worker *w;

    if (job != NULL && job->interp == NULL && job->broker->pool.busy >= job->broker->config.workers)
        return;
    if (job == NULL || (*best != NULL && (*best)->ready_at <= job->ready_at))
        return;
    w = pool_idle(&job->broker->pool, job->crew, threads_of(job));
    if (w == NULL)
        return;
    *best = job;
    *ret_w = w;
}

static struct job *next_of(const struct broker *b, struct worker **ret_w)
{
    struct job *job = NULL;

    for (int i = 0; i < ENGINE_COUNT; i++) {
        take_if_older(&b->crews[i].plain, &job, ret_w);
        take_if_older(&b->crews[i].wide, &job, ret_w);
        take_if_older(&b->crews[i].living, &job, ret_w);
    }
    for (const struct template *t = b->templates.all; t != NULL; t = t->next) {
        take_if_older(&t->crew.plain, &job, ret_w);
        take_if_older(&t->crew.living, &job, ret_w);
    }
    return job;
}

/* Who came first goes first, among those whose engine has a worker: nobody waits for another engine. The store hears of all claims at once. */
void jobs_dispatch(struct jobs *j)
{
    struct broker *b = j->broker;
    struct worker *w = NULL;
    struct job *job;

    if (b->phase == BROKER_DRAINING)
        return;
    j->dispatching++;
    claim(j);
    while (j->waiting > 0 && (job = next_of(b, &w)) != NULL)
        jobs_assign(job, w);
    if (--j->dispatching == 0)
        jobs_flush_claims(j);
    pool_refill(&b->pool);
}
