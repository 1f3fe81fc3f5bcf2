/* jobs_edit.c - see jobs.h: one that waits gets another spec. */
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

int jobs_begin_edit(struct jobs *j, struct waiting *w, const uint8_t *packed, size_t len)
{
    struct waiting_spec *fresh = malloc(sizeof(*fresh) + len);

    if (fresh == NULL)
        return -ENOMEM;
    if (w->state == ST(CLAIMED))
        jobs_unclaim(j, w);
    fresh->len = len;
    memcpy(fresh->bytes, packed, len);
    j->before_edit = w->spec;
    w->spec = fresh;
    j->spec_bytes += len;
    j->claiming = true; /* nothing begins before the store has heard of it: its claim would come first, and the edit too late */
    return 0;
}

void jobs_undo_edit(struct jobs *j, struct waiting *w)
{
    jobs_drop_spec(j, w);
    w->spec = j->before_edit;
    j->before_edit = NULL;
    j->claiming = false;
    jobs_dispatch(j);
}

void jobs_edited(struct jobs *j, struct waiting *w, const struct jobs_edit *e, const Pb__JobSpec *spec)
{
    if (j->before_edit != NULL)
        j->spec_bytes -= j->before_edit->len;
    free(j->before_edit);
    j->before_edit = NULL;
    if (w->job != NULL && job_waits((Pb__State)w->state))
        take_anew(w->job, spec);
    (void)jobs_edit(j, w, e);
    j->claiming = false;
    jobs_dispatch(j);
}
