/* watch_use.c - what a job uses, while it runs and in all; see watch.h. */
#include <errno.h>

#include "broker/meter.h"
#include "broker/watch_own.h"

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- now ---- */

void watch_sample(struct job *job, const struct worker *w)
{
    struct watch *watch = &job->watch;

    family_walk(&watch->family, w->pid, !watch_leaf_has(w, CGROUP_MEMORY));
    if (watch->family.memory_bytes > watch->memory_peak)
        watch->memory_peak = watch->family.memory_bytes;
    if (watch->family.threads > watch->pids_peak)
        watch->pids_peak = watch->family.threads;
}

uint64_t watch_own_cpu(const struct job *job, const struct worker *w)
{
    const struct watch *watch = &job->watch;
    uint64_t base = watch->base_user_us + watch->base_sys_us, now;
    int rc;

    if (watch_leaf_has(w, CGROUP_CPU))
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
    return watch_own_cpu(job, w) + interps_cpu_below(job);
}

uint64_t watch_cpu(const struct job *job)
{
    const struct worker *w = job->worker;

    if (w == NULL)
        return 0;
    return w->exited ? w->usage.cpu_user_us + w->usage.cpu_sys_us : watch_own_cpu(job, w);
}

void watch_refresh(struct job *job, const struct worker *w)
{
    struct watch *watch = &job->watch;

    if (watch->sampled && !w->exited)
        watch_sample(job, w);
    watch->cpu_us = watch_own_cpu(job, w);
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
    ret->cpu_us = watch_less(used_cpu(job, w), watch->call_cpu_us);
    ret->cpu_below_us = watch_less(interps_cpu_below(job), watch->call_below_us);
    ret->wall_us = watch_less(now, watch->lives ? watch->call_at : job->assigned_at + watch->paused_us);
    ret->idle_us = watch_less(now, watch->lives ? watch->call_at : watch->active_at);
    if (watch->rests || (watch->lives && watch->in_call))
        ret->idle_us = 0;
    if (watch->rests || (watch->lives && !watch->in_call))
        ret->wall_us = 0;
    if (watch_leaf_has(w, CGROUP_MEMORY))
        ret->oom = cgroup_ran_out(w->leaf, watch->oom_told);
    if (ret->oom)
        (void)cgroup_read(w->leaf, CGROUP_F_MEMORY_FILES, &ret->memory_files);
    if (ended && w->leaf != NULL)
        (void)cgroup_read(w->leaf, CGROUP_F_PIDS_REFUSED, &ret->pids_refused);
    if (watch->sampled && watch_counts_pids(job, w))
        ret->pids_seen = watch_less(watch->pids_peak, WATCH_INIT_ITSELF);
    if (watch->sampled && !watch_leaf_has(w, CGROUP_MEMORY) && watch->memory_peak > job->limits.memory_bytes) {
        ret->oom = true;
        ret->memory_bytes = watch->memory_peak;
    }
}

/* ---- in all ---- */

/* The group knows its dead too; what it does not count comes from the first process's own account, which has those it waited for. */
static void account_group(struct job *job, const struct worker *w)
{
    Pb__Usage *u = &job->usage;
    struct cgroup_usage g;

    if (!cgroup_is_empty(w->leaf))
        (void)cgroup_kill(w->leaf); /* what outlived the first process ends now, and is counted */
    cgroup_usage(w->leaf, &g);
    if (g.has_cpu) {
        uint64_t used = watch_less(g.cpu_user_us + g.cpu_sys_us, job->watch.base_user_us + job->watch.base_sys_us);

        u->cpu_sys_us = least(watch_less(g.cpu_sys_us, job->watch.base_sys_us), used);
        u->cpu_user_us = used - u->cpu_sys_us;
    }
    if (g.has_memory)
        u->mem_peak_bytes = g.memory_peak;
    if (g.has_io) {
        u->io_read_bytes = g.io_read;
        u->io_write_bytes = g.io_write;
    }
    if (g.has_pids_peak)
        u->pids_peak = watch_less(g.pids_peak, WATCH_INIT_ITSELF);
}

static void account_sampled(struct job *job)
{
    const struct watch *watch = &job->watch;
    Pb__Usage *u = &job->usage;

    u->mem_peak_bytes = most(u->mem_peak_bytes, watch->memory_peak);
    u->pids_peak = watch_less(watch->pids_peak, WATCH_INIT_ITSELF);
    if (watch->cpu_us > u->cpu_user_us + u->cpu_sys_us) /* children that nobody waited for; how it divides is not known */
        u->cpu_user_us = watch->cpu_us - u->cpu_sys_us;
}

void watch_account(struct job *job, const struct worker *w)
{
    Pb__Usage *u = &job->usage;

    u->cpu_user_us = w->usage.cpu_user_us;
    u->cpu_sys_us = w->usage.cpu_sys_us;
    u->mem_peak_bytes = watch_less(w->usage.max_rss_bytes, job->watch.base_bytes);
    u->page_faults = w->usage.minor_faults + w->usage.major_faults;
    u->csw_vol = w->usage.csw_vol;
    u->csw_forced = w->usage.csw_forced;
    if (watch_of_programs(job) && w->pid != 0 && !w->orphan)
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

    *ret_cpu_us = watch_own_cpu(job, w);
    if (watch_leaf_has(w, CGROUP_MEMORY)) {
        (void)cgroup_read(w->leaf, CGROUP_F_MEMORY_NOW, ret_memory_bytes);
    } else if (job->watch.sampled) {
        *ret_memory_bytes = job->watch.family.memory_bytes;
    } else if (meter_resident(w->pid, ret_memory_bytes) == 0) {
        *ret_memory_bytes = watch_less(*ret_memory_bytes, job->watch.base_bytes);
    }
}
