/*
 * jobs_edit.c - see jobs.h: one that waits gets another spec. It goes by the old one, and is claimed by nobody, until the store has the new one: what
 * the disk refuses has changed nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"

#define ST(name) PB__STATE__STATE_##name

/* What its struct job has of the spec before it runs. Who looks at it goes on looking. */
static void take_anew(struct job *job, const Pb__JobSpec *spec)
{
    job->limits = *spec->limits;
    snprintf(job->name, sizeof(job->name), "%s", spec->name);
    job->spools[0].cap = job->limits.stdout_bytes;
    job->spools[1].cap = job->limits.stderr_bytes;
    job->outputs.spool.cap = job->limits.result_bytes;
}

int jobs_begin_edit(struct jobs *j, struct waiting *w)
{
    if (w->editing)
        return -EALREADY;
    if (w->state == ST(CLAIMED))
        jobs_unclaim(j, w);
    if (w->state == ST(READY))
        jobs_sched_take(j, w);
    w->editing = true;
    return 0;
}

void jobs_undo_edit(struct jobs *j, struct waiting *w)
{
    w->editing = false;
    if (w->state == ST(READY))
        jobs_make_ready(j, w);
    jobs_dispatch(j);
}

void jobs_edited(struct jobs *j, struct waiting *w, const struct jobs_edit *e)
{
    w->editing = false;
    if (!job_waits((Pb__State)w->state))
        return; /* its end came in between */
    jobs_keep_spec(j, w, e->packed->bytes, e->packed->len);
    if (w->job != NULL)
        take_anew(w->job, e->spec);
    if (e->limits != NULL)
        jobs_sched_cost(j, w, e->limits);
    (void)jobs_edit(j, w, e);
    if (w->state == ST(READY))
        jobs_make_ready(j, w);
    jobs_dispatch(j);
}
