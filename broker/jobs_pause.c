/* jobs_pause.c - see jobs.h: a running job's processes stand still, and its clocks with them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"
#include "log.h"
#include "units.h"

#define ST(name) PB__STATE__STATE_##name

/* Its control group where it has one that can; else its one process, where it is sure to be the only one. */
static int stop(struct job *job, char why[JOBS_WHY])
{
    struct worker *w = job->worker;
    int rc;

    if (w->leaf != NULL && cgroup_freeze(w->leaf, true) == 0) {
        job->pause.by = "cgroup freezer";
        return 0;
    }
    if (job->crew->engine->runs_programs) {
        snprintf(why, JOBS_WHY, "nothing here can stop all of its processes at once: that takes a control group with a freezer");
        return -ENOTSUP;
    }
    rc = pool_signal(w, SIGSTOP);
    job->pause.by = "SIGSTOP";
    if (rc != 0)
        snprintf(why, JOBS_WHY, "its process cannot be stopped: %s", strerror(-rc));
    return rc;
}

static void go_on(struct job *job)
{
    struct worker *w = job->worker;

    if (strcmp(job->pause.by, "SIGSTOP") == 0)
        (void)pool_signal(w, SIGCONT);
    else if (w->leaf != NULL)
        (void)cgroup_freeze(w->leaf, false);
}

void jobs_let_die(struct job *job)
{
    go_on(job);
}

/* Its slot, its memory and its places at limiters are kept meanwhile: for the longest pause, in all pauses of an attempt together. */
static uint64_t left_us(const struct job *job)
{
    uint64_t max = job->broker->config.max_pause_us;

    return max > job->pause.total_us ? max - job->pause.total_us : 0;
}

static int goes_on(struct job *job, const char *reason);

void jobs_on_pause_long(void *ctx)
{
    struct job *job = ctx;

    log_event(LOG_LEVEL_WARN, "pause_over", "job=%s max_us=%llu", job->id, (unsigned long long)job->broker->config.max_pause_us);
    (void)goes_on(job, "MAX_PAUSE");
}

int jobs_pause(struct job *job, char why[JOBS_WHY])
{
    char max[UNITS_BUF];
    int rc;

    if (job->state != ST(RUNNING) || job->worker == NULL || job->worker->phase != WORKER_BUSY || job->end.cause != PB__CAUSE__CAUSE_NONE) {
        snprintf(why, JOBS_WHY, "it is %s", job_state_name(job->state));
        return -EBUSY;
    }
    if (job->interp != NULL || job->builds != NULL) {
        snprintf(why, JOBS_WHY, "it is an interpreter or a template: others wait for its answers");
        return -EBUSY;
    }
    if (left_us(job) == 0) {
        snprintf(why, JOBS_WHY, "it has been paused for %s in all, the most this broker allows (--max-pause)",
                 units_format_duration(job->broker->config.max_pause_us, max));
        return -EDQUOT;
    }
    if (timers_arm(&job->broker->loop.timers, &job->pause.over, loop_clock_us() + left_us(job)) != 0) {
        snprintf(why, JOBS_WHY, "out of memory");
        return -ENOMEM;
    }
    rc = stop(job, why);
    if (rc != 0) {
        timers_cancel(&job->broker->loop.timers, &job->pause.over);
        return rc;
    }
    job->pause.since = loop_clock_us();
    watch_pause(job);
    jobs_step(job, JOB_EV_PAUSE);
    control_wake(job);
    return 0;
}

static void count_pause(struct job *job)
{
    uint64_t length = loop_clock_us() - job->pause.since;

    job->pause.since = 0;
    job->pause.total_us += length;
    watch_resume(job, length);
}

static int goes_on(struct job *job, const char *reason)
{
    if (job->state != ST(PAUSED) || job->worker == NULL)
        return -EBUSY;
    timers_cancel(&job->broker->loop.timers, &job->pause.over);
    count_pause(job);
    jobs_move(&job->broker->jobs, job->entry, JOB_EV_RESUME, reason);
    go_on(job);
    control_wake(job);
    return 0;
}

int jobs_resume(struct job *job)
{
    return goes_on(job, "");
}

void jobs_pause_over(struct job *job)
{
    timers_cancel(&job->broker->loop.timers, &job->pause.over);
    if (job->pause.since != 0)
        job->pause.total_us += loop_clock_us() - job->pause.since;
    job->pause.since = 0;
}
