/* jobs_use.c - see jobs_use.h. */
#include "broker/jobs_use.h"

#include "broker/broker.h"
#include "broker/estate.h"
#include "broker/jobs_own.h"
#include "broker/watch.h"

enum { MIB = 1 << 20, TELL_CPU_US = 10000, TELL_WALL_US = 1000000 };

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

void jobs_use_left(const struct job *job, struct tenant_use *ret)
{
    const Pb__Usage *u = &job->usage;

    *ret = (struct tenant_use){ .cpu_us = less(u->cpu_user_us + u->cpu_sys_us, job->told.cpu_us),
                                .wall_us = less(u->wall_us, job->told.wall_us),
                                .mib_us = less(u->mem_peak_bytes / MIB * u->wall_us, job->told.mib_us) };
}

static void push(struct job *job, const struct tenant *t, const struct tenant_use *use)
{
    struct store_op *op = store_op_new(STORE_USAGE, "");

    if (op == NULL)
        return; /* only the day's account is less exact */
    op->usage = (struct store_usage){
        .tenant = t->id, .day = loop_wall_us() / TENANT_DAY_US, .cpu_us = use->cpu_us, .wall_us = use->wall_us, .mib_us = use->mib_us
    };
    store_push(job->broker->store, op);
}

void jobs_tell_use(struct job *job)
{
    struct tenant *t = tenants_of_job(&job->broker->tenants, job_tenant(job));
    struct tenant_use use = { 0 };
    uint64_t cpu, memory = 0;

    if (job->worker == NULL || job->assigned_at == 0 || t == NULL)
        return;
    use.cpu_us = less(watch_cpu(job), job->told.cpu_us);
    use.wall_us = less(loop_clock_us() - job->assigned_at, job->pause.total_us + job->told.wall_us);
    if (use.cpu_us < TELL_CPU_US && use.wall_us < TELL_WALL_US)
        return;
    watch_status(job, &cpu, &memory);
    use.mib_us = memory / MIB * use.wall_us;
    job->told.cpu_us += use.cpu_us;
    job->told.wall_us += use.wall_us;
    job->told.mib_us += use.mib_us;
    job->cost_settled += jobs_charge(&job->broker->jobs, t, &use);
    tenant_used(t, loop_wall_us(), &use);
    push(job, t, &use);
}
