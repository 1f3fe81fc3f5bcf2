/* jobs_pause.c - see jobs.h: a running job's processes stand still, and its clocks with them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"
#include "log.h"

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

int jobs_pause(struct job *job, char why[JOBS_WHY])
{
    int rc;

    if (job->state != ST(RUNNING) || job->worker == NULL || job->worker->phase != WORKER_BUSY || job->end.cause != PB__CAUSE__CAUSE_NONE) {
        snprintf(why, JOBS_WHY, "it is %s", job_state_name(job->state));
        return -EBUSY;
    }
    if (job->interp != NULL || job->builds != NULL) {
        snprintf(why, JOBS_WHY, "it is an interpreter or a template: others wait for its answers");
        return -EBUSY;
    }
    rc = stop(job, why);
    if (rc != 0)
        return rc;
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

int jobs_resume(struct job *job)
{
    if (job->state != ST(PAUSED) || job->worker == NULL)
        return -EBUSY;
    count_pause(job);
    jobs_step(job, JOB_EV_RESUME);
    go_on(job);
    control_wake(job);
    return 0;
}

void jobs_pause_over(struct job *job)
{
    if (job->pause.since != 0)
        job->pause.total_us += loop_clock_us() - job->pause.since;
    job->pause.since = 0;
}
