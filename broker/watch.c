/* watch.c - see watch.h. */
#include "broker/watch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/meter.h"
#include "held_words.h"
#include "log.h"
#include "tiers.h"

enum {
    AGAIN_US = 1000, /* between two looks at least: so far past its limit may a job compute on each processor */
    IDLE_LOOKS = 4,  /* in the idle limit: silence is noticed after at most a quarter more */
    INIT_ITSELF = 1, /* the first process of a program's sandbox is ours */
};

static void on_look(void *ctx);
static void on_oom(void *ctx);

void watch_init(struct job *job)
{
    job->watch = (struct watch){
        .look = {.fn = on_look, .ctx = job}
    };
}

static bool programs(const struct job *job)
{
    return job->crew->engine->runs_programs;
}

static bool leaf_has(const struct worker *w, enum cgroup_part part)
{
    return w->leaf != NULL && w->leaf->groups->has[part];
}

/* ---- who holds what ----------------------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const enum held_group group_of_kind[CGROUP_KINDS] = {
    [CGROUP_NONE] = HELD_NO_GROUP, [CGROUP_V1] = HELD_CGROUP_V1, [CGROUP_V2] = HELD_CGROUP_V2,
};
/* clang-format on */

/* RLIMIT_NPROC counts for one job only in a user namespace of its own. */
bool watch_has_spaces(const struct job *job)
{
    return tier_has_namespaces(job->tier);
}

/* Nothing in the kernel holds its number of processes: we count them, and end a job that has too many. */
static bool counts_pids(const struct job *job, const struct worker *w)
{
    return !leaf_has(w, CGROUP_PIDS) && !watch_has_spaces(job);
}

/* By part: a machine may have some of v1's hierarchies and not the others. */
static void name_holders(struct job *job, const struct worker *w)
{
    struct watch_words *words = &job->watch.words;
    const struct held_words *none = &held_by_group[HELD_NO_GROUP], *group;
    bool sees_tmpfs = watch_has_spaces(job);

    words->idle = "broker timer";
    if (!programs(job)) {
        words->cpu = job->interp != NULL ? "broker timer on the process clock" : "broker timer on the process clock, RLIMIT_CPU";
        words->memory = NULL; /* the engine's own walls: receipt.c */
        words->swap = "none";
        words->pids = job->crew->template != NULL ? "seccomp filter, the broker's leave" : "RLIMIT_NPROC 0, seccomp filter";
        words->disk = "no file system";
        return;
    }
    group = w->leaf != NULL ? &held_by_group[group_of_kind[w->leaf->groups->kind]] : none;
    words->cpu = leaf_has(w, CGROUP_CPU) ? group->cpu : none->cpu;
    words->memory = leaf_has(w, CGROUP_MEMORY) ? group->memory : none->memory;
    words->swap = leaf_has(w, CGROUP_MEMORY) && w->leaf->holds_swap ? group->swap : none->swap;
    words->pids = leaf_has(w, CGROUP_PIDS) ? group->pids : sees_tmpfs ? none->pids : HELD_PIDS_COUNTED;
    words->disk = sees_tmpfs ? HELD_DISK_SPACES : HELD_DISK_NONE;
}

const char *watch_cannot(const struct job *job, uint32_t asked)
{
    const struct watch_words *words = &job->watch.words;
    bool counted = words->pids != NULL && strcmp(words->pids, HELD_PIDS_COUNTED) == 0;
    const struct {
        const char *limit, *held, *by;
    } needs[] = {
        {"disk",    words->disk,                  "tmpfs"}, /* RLIMIT_FSIZE bounds one file, and there may be many */
        { "inodes", words->disk,                  "tmpfs"},
        { "pids",   counted ? NULL : words->pids, NULL   }, /* between two looks there may be more */
    };

    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]) && programs(job); i++) {
        bool held = needs[i].held != NULL && strcmp(needs[i].held, "none") != 0 &&
                    (needs[i].by == NULL || strstr(needs[i].held, needs[i].by) != NULL);

        if (!held && (asked & 1u << (limits_find(needs[i].limit) - limits_table)) != 0)
            return needs[i].limit;
    }
    return NULL;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ---- what it uses ------------------------------------------------------------------------------------------------------------------- */

static void sample(struct job *job, const struct worker *w)
{
    struct watch *watch = &job->watch;

    family_walk(&watch->family, w->pid, !leaf_has(w, CGROUP_MEMORY));
    if (watch->family.memory_bytes > watch->memory_peak)
        watch->memory_peak = watch->family.memory_bytes;
    if (watch->family.threads > watch->pids_peak)
        watch->pids_peak = watch->family.threads;
}

/* CPU time of its own processes since it has the job; as last seen when it cannot be read any more. */
static uint64_t own_cpu(const struct job *job, const struct worker *w)
{
    const struct watch *watch = &job->watch;
    uint64_t base = watch->base_user_us + watch->base_sys_us, now;
    int rc;

    if (leaf_has(w, CGROUP_CPU))
        rc = cgroup_read(w->leaf, CGROUP_F_CPU, &now);
    else if (watch->sampled)
        rc = 0, now = watch->family.cpu_us;
    else
        rc = w->exited ? -ESRCH : meter_cpu(w->pid, &now);
    return rc == 0 && now > base ? now - base : watch->cpu_us;
}

/* With the interpreters that it made, and theirs: its limit is that of them all. */
static uint64_t used_cpu(const struct job *job, const struct worker *w)
{
    return own_cpu(job, w) + interps_cpu_below(job);
}

uint64_t watch_cpu(const struct job *job)
{
    const struct worker *w = job->worker;

    if (w == NULL)
        return 0;
    return w->exited ? w->usage.cpu_user_us + w->usage.cpu_sys_us : own_cpu(job, w);
}

static void refresh(struct job *job, const struct worker *w)
{
    struct watch *watch = &job->watch;

    if (watch->sampled && !w->exited)
        sample(job, w);
    watch->cpu_us = own_cpu(job, w);
    watch->total_cpu_us = watch->cpu_us + interps_cpu_below(job);
    if (watch->total_cpu_us != watch->active_cpu_us) {
        watch->active_cpu_us = watch->total_cpu_us;
        watch->active_at = loop_clock_us();
    }
}

void watch_active(struct job *job)
{
    job->watch.active_at = job->broker->loop.now_us;
}

void watch_facts(const struct job *job, const struct worker *w, bool ended, struct causes_facts *ret)
{
    const struct watch *watch = &job->watch;
    uint64_t now = loop_clock_us();

    *ret = (struct causes_facts){ .limits = &job->limits, .ended = ended, .lives = watch->lives };
    ret->cpu_us = less(used_cpu(job, w), watch->call_cpu_us);
    ret->cpu_below_us = less(interps_cpu_below(job), watch->call_below_us);
    ret->wall_us = less(now, watch->lives ? watch->call_at : job->assigned_at + watch->paused_us);
    ret->idle_us = less(now, watch->lives ? watch->call_at : watch->active_at);
    if (watch->rests || (watch->lives && watch->in_call))
        ret->idle_us = 0;
    if (watch->rests || (watch->lives && !watch->in_call))
        ret->wall_us = 0;
    if (leaf_has(w, CGROUP_MEMORY))
        ret->oom = cgroup_ran_out(w->leaf, watch->oom_told);
    if (ret->oom)
        (void)cgroup_read(w->leaf, CGROUP_F_MEMORY_FILES, &ret->memory_files);
    if (ended && w->leaf != NULL)
        (void)cgroup_read(w->leaf, CGROUP_F_PIDS_REFUSED, &ret->pids_refused);
    if (watch->sampled && counts_pids(job, w))
        ret->pids_seen = less(watch->pids_peak, INIT_ITSELF);
    if (watch->sampled && !leaf_has(w, CGROUP_MEMORY) && watch->memory_peak > job->limits.memory_bytes) {
        ret->oom = true;
        ret->memory_bytes = watch->memory_peak;
    }
}

/* ---- when to look ------------------------------------------------------------------------------------------------------------------- */

/* So many processors can work for it at once. */
static uint64_t parallel(const struct job *job)
{
    static long processors;
    uint64_t n = programs(job) ? job->limits.pids + INIT_ITSELF : job->limits.threads;

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
    uint64_t limit = job->limits.cpu_us, used = less(job->watch.total_cpu_us, job->watch.call_cpu_us),
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
    refresh(job, job->worker);
    if (due(job) < job->watch.look.at_us)
        arm(job);
}

/* A look that comes too early costs less than to move it with each call. */
void watch_call(struct job *job, bool begins)
{
    struct watch *watch = &job->watch;

    if (job->worker == NULL)
        return;
    watch->cpu_us = own_cpu(job, job->worker);
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
    refresh(job, job->worker);
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
    int rc = cgroup_limit(leaf, job->limits.memory_bytes, job->limits.pids + INIT_ITSELF);

    if (rc != 0)
        return rc;
    (void)cgroup_read(leaf, CGROUP_F_CPU, &job->watch.base_sys_us); /* what a worker does before its job, the kernel does */
    if (leaf->oom.fd < 0)
        return 0;
    leaf->oom.fn = on_oom;
    leaf->oom.ctx = job;
    return loop_add(&job->broker->loop, &leaf->oom);
}

int watch_start(struct job *job)
{
    struct watch *watch = &job->watch;
    struct worker *w = job->worker;
    int rc;

    if (w->leaf == NULL && programs(job) && job->broker->cgroups.kind != CGROUP_NONE)
        return -ENODEV;            /* other jobs here are held by one: this one is not to be held by less without a word */
    family_finish(&watch->family); /* a job that runs again has had another worker, whose use is not its own */
    *watch = (struct watch){ .look = watch->look };
    rc = w->leaf != NULL ? limit_group(job, w->leaf) : 0;
    if (rc != 0)
        return rc;
    watch->sampled = programs(job) && (!leaf_has(w, CGROUP_CPU) || !leaf_has(w, CGROUP_MEMORY) || counts_pids(job, w));
    if (watch->sampled)
        sample(job, w);
    if (!leaf_has(w, CGROUP_CPU))
        watch->base_user_us = w->boot_cpu_us;
    watch->active_at = watch->call_at = job->assigned_at;
    watch->lives = watch->in_call = job->interp != NULL; /* to begin is bounded as a call is */
    name_holders(job, w);
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
        refresh(job, job->worker);
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

/* The group knows its dead too; what it does not count comes from the first process's own account, which has those it waited for. */
static void account_group(struct job *job, const struct worker *w)
{
    Pb__Usage *u = &job->usage;
    struct cgroup_usage g;

    if (!cgroup_is_empty(w->leaf))
        (void)cgroup_kill(w->leaf); /* what outlived the first process ends now, and is counted */
    cgroup_usage(w->leaf, &g);
    if (g.has_cpu) {
        uint64_t used = less(g.cpu_user_us + g.cpu_sys_us, job->watch.base_user_us + job->watch.base_sys_us);

        u->cpu_sys_us = sooner(less(g.cpu_sys_us, job->watch.base_sys_us), used);
        u->cpu_user_us = used - u->cpu_sys_us;
    }
    if (g.has_memory)
        u->mem_peak_bytes = g.memory_peak;
    if (g.has_io) {
        u->io_read_bytes = g.io_read;
        u->io_write_bytes = g.io_write;
    }
    if (g.has_pids_peak)
        u->pids_peak = less(g.pids_peak, INIT_ITSELF);
}

static void account_sampled(struct job *job)
{
    const struct watch *watch = &job->watch;
    Pb__Usage *u = &job->usage;

    u->mem_peak_bytes = most(u->mem_peak_bytes, watch->memory_peak);
    u->pids_peak = less(watch->pids_peak, INIT_ITSELF);
    if (watch->cpu_us > u->cpu_user_us + u->cpu_sys_us) /* children that nobody waited for; how it divides is not known */
        u->cpu_user_us = watch->cpu_us - u->cpu_sys_us;
}

void watch_account(struct job *job, const struct worker *w)
{
    Pb__Usage *u = &job->usage;

    u->cpu_user_us = w->usage.cpu_user_us;
    u->cpu_sys_us = w->usage.cpu_sys_us;
    u->mem_peak_bytes = w->usage.max_rss_bytes;
    u->page_faults = w->usage.minor_faults + w->usage.major_faults;
    u->csw_vol = w->usage.csw_vol;
    u->csw_forced = w->usage.csw_forced;
    if (programs(job) && w->pid != 0 && !w->orphan)
        (void)meter_io(w->pid, &u->io_read_bytes, &u->io_write_bytes);
    if (job->watch.sampled)
        account_sampled(job);
    if (w->leaf != NULL)
        account_group(job, w);
    family_finish(&job->watch.family);
}

void watch_status(const struct job *job, uint64_t *ret_cpu_us, uint64_t *ret_memory_bytes)
{
    const struct worker *w = job->worker;

    *ret_cpu_us = own_cpu(job, w);
    if (leaf_has(w, CGROUP_MEMORY)) {
        (void)cgroup_read(w->leaf, CGROUP_F_MEMORY_NOW, ret_memory_bytes);
    } else if (job->watch.sampled) {
        *ret_memory_bytes = job->watch.family.memory_bytes;
    } else {
        (void)meter_resident(w->pid, ret_memory_bytes);
    }
}
