/* watch.c - see watch.h. */
#include "broker/watch_own.h"

#include <errno.h>
#include <unistd.h>

#include "broker/meter.h"

enum {
    AGAIN_US = 1000, /* between two looks at least: so far past its limit may a job compute on each processor */
    IDLE_LOOKS = 4,  /* in the idle limit: silence is noticed after at most a quarter more */
};

static void on_look(void *ctx);
static void on_oom(void *ctx);

void watch_init(struct job *job)
{
    job->watch = (struct watch){
        .look = {.fn = on_look, .ctx = job}
    };
}

/* ---- when to look ------------------------------------------------------------------------------------------------------------------- */

/* So many processors can work for it at once. */
static uint64_t parallel(const struct job *job)
{
    static long processors;
    uint64_t n = watch_of_programs(job) ? job->limits.pids + WATCH_INIT_ITSELF : job->limits.threads;

    if (processors <= 0)
        processors = sysconf(_SC_NPROCESSORS_ONLN);
    n += job->n_below;
    if (n < 1)
        n = 1;
    return processors > 0 && n > (uint64_t)processors ? (uint64_t)processors : n;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* CPU time passes no faster than the clock on each processor. */
static uint64_t cpu_due(const struct job *job, uint64_t now)
{
    uint64_t limit = job->limits.cpu_us, used = watch_less(job->watch.total_cpu_us, job->watch.call_cpu_us),
             left = limit > used ? (limit - used) / parallel(job) : 0;

    return now + (left > AGAIN_US ? left : AGAIN_US);
}

/* CPU time between two looks may have been used at any moment of it, so one look at the end would not do. */
static uint64_t idle_due(const struct job *job, uint64_t now)
{
    uint64_t limit = job->limits.idle_us;

    if (job->watch.lives)
        return job->watch.in_call ? UINT64_MAX : job->watch.call_at + limit;
    if (limit >= job->limits.wall_us)
        return UINT64_MAX;
    return sooner(job->watch.active_at + limit, now + limit / IDLE_LOOKS);
}

static uint64_t wall_due(const struct job *job)
{
    const struct watch *watch = &job->watch;

    if (!watch->lives)
        return job->assigned_at + watch->paused_us + job->limits.wall_us;
    return watch->in_call ? watch->call_at + job->limits.wall_us : UINT64_MAX;
}

static uint64_t due(const struct job *job)
{
    uint64_t now = loop_clock_us(), at = wall_due(job);

    if (job->watch.rests)
        at = UINT64_MAX;
    at = sooner(at, cpu_due(job, now));
    if (!job->watch.rests)
        at = sooner(at, idle_due(job, now));
    if (job->watch.sampled)
        at = sooner(at, now + WATCH_SAMPLE_US);
    return at;
}

static void arm(struct job *job)
{
    if (!job->watch.paused)
        timers_arm(&job->broker->loop.timers, &job->watch.look, due(job));
}

void watch_sooner(struct job *job)
{
    if (job->worker == NULL)
        return;
    watch_refresh(job, job->worker);
    if (due(job) < job->watch.look.at_us)
        arm(job);
}

/* A look that comes too early costs less than to move it with each call. */
void watch_call(struct job *job, bool begins)
{
    struct watch *watch = &job->watch;

    if (job->worker == NULL)
        return;
    watch->cpu_us = watch_own_cpu(job, job->worker);
    watch->total_cpu_us = watch->call_cpu_us = watch->cpu_us + interps_cpu_below(job);
    watch->call_below_us = watch->total_cpu_us - watch->cpu_us;
    watch->call_at = loop_clock_us();
    watch->in_call = begins;
    if (watch->look.place == 0 || due(job) < watch->look.at_us)
        arm(job);
}

static void look(struct job *job)
{
    const struct causes_row *row;
    char detail[CAUSES_DETAIL];
    struct causes_facts facts;

    if (job->worker == NULL)
        return;
    watch_refresh(job, job->worker);
    watch_facts(job, job->worker, false, &facts);
    if (job->watch.paused)
        facts.wall_us = facts.idle_us = 0;
    row = causes_find(&facts);
    if (row == NULL) {
        arm(job);
        return;
    }
    row->say(&facts, detail);
    jobs_decide(job, row->cause, "%s", detail);
}

static void on_look(void *ctx)
{
    look(ctx);
}

/* v1 tells of the groups above ours too; watch_facts() knows whether it was ours. */
static void on_oom(void *ctx)
{
    struct job *job = ctx;
    uint64_t times;

    if (job->worker == NULL || job->worker->leaf == NULL || read(job->worker->leaf->oom.fd, &times, sizeof(times)) < 0)
        return;
    job->watch.oom_told = 1;
    look(job);
}

/* ---- from its start to its end ------------------------------------------------------------------------------------------------------ */

static int limit_group(struct job *job, struct cgroup_leaf *leaf)
{
    int rc = cgroup_limit(leaf, job->limits.memory_bytes, job->limits.pids + WATCH_INIT_ITSELF);

    if (rc != 0)
        return rc;
    (void)cgroup_read(leaf, CGROUP_F_CPU, &job->watch.base_sys_us); /* what a worker does before its job, the kernel does */
    if (leaf->oom.fd < 0)
        return 0;
    leaf->oom.fn = on_oom;
    leaf->oom.ctx = job;
    return loop_add(&job->broker->loop, &leaf->oom);
}

/* What the limit does not count. A template's child has the template's memory, which counts: for it, what the template began with. */
static uint64_t base_bytes(const struct job *job, const struct worker *w)
{
    uint64_t bytes = 0;

    if (watch_of_programs(job))
        return 0;
    if (w->role == WORKER_FORKED)
        return w->of->base_bytes;
    (void)meter_resident(w->pid, &bytes);
    return bytes;
}

int watch_start(struct job *job)
{
    struct watch *watch = &job->watch;
    struct worker *w = job->worker;
    int rc;

    if (w->leaf == NULL && watch_of_programs(job) && job->broker->cgroups.kind != CGROUP_NONE)
        return -ENODEV;            /* other jobs here are held by one: this one is not to be held by less without a word */
    family_finish(&watch->family); /* a job that runs again has had another worker, whose use is not its own */
    *watch = (struct watch){ .look = watch->look };
    rc = w->leaf != NULL ? limit_group(job, w->leaf) : 0;
    if (rc != 0)
        return rc;
    watch->sampled =
        watch_of_programs(job) && (!watch_leaf_has(w, CGROUP_CPU) || !watch_leaf_has(w, CGROUP_MEMORY) || watch_counts_pids(job, w));
    if (watch->sampled)
        watch_sample(job, w);
    watch->base_bytes = base_bytes(job, w);
    if (w->role == WORKER_TEMPLATE) /* its children may begin when it has ended */
        w->of->base_bytes = watch->base_bytes;
    if (!watch_leaf_has(w, CGROUP_CPU))
        watch->base_user_us = w->boot_cpu_us;
    watch->active_at = watch->call_at = job->assigned_at;
    watch->lives = watch->in_call = job->interp != NULL; /* to begin is bounded as a call is */
    watch_name_holders(job, w);
    arm(job);
    return 0;
}

void watch_rest(struct job *job)
{
    job->watch.rests = 1;
    arm(job);
}

void watch_pause(struct job *job)
{
    if (job->worker != NULL)
        watch_refresh(job, job->worker);
    job->watch.paused = true;
    timers_cancel(&job->broker->loop.timers, &job->watch.look);
}

void watch_resume(struct job *job, uint64_t length_us)
{
    job->watch.paused = false;
    job->watch.paused_us += length_us;
    job->watch.active_at += length_us;
    arm(job);
}

void watch_allow(struct job *job, uint64_t cpu_us)
{
    job->watch.base_user_us += cpu_us;
}

void watch_stop(struct job *job)
{
    timers_cancel(&job->broker->loop.timers, &job->watch.look);
    if (job->worker != NULL && job->worker->leaf != NULL)
        loop_del(&job->broker->loop, &job->worker->leaf->oom);
}
