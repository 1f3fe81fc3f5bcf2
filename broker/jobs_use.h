/*
 * jobs_use.h - what a job that lives long has used so far: told to its tenant's day, to the scheduler and to the store before it ends.
 *
 * Side:    broker, main thread.
 * Sum:     job->told is what was told; with its end goes what is left of job->usage.
 */
#ifndef BROKER_JOBS_USE_H
#define BROKER_JOBS_USE_H

#include "broker/jobs.h"

/* A call of an interpreter is over. Less than 10 ms of CPU time and 1 s of living wait for the next call, or the end. */
void jobs_tell_use(struct job *job);
/* What of an attempt's usage has not been told yet; jobs and failed are 0. */
void jobs_use_left(const struct job *job, struct tenant_use *ret);

#endif
