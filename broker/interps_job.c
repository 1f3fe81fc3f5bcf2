/* interps_job.c - see interps.h: what an interpreter's job tells of, from its worker's start to its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/aliases.h"
#include "broker/interps_own.h"
#include "broker/jobs.h"
#include "broker/watch.h"

int interps_on_assigned(struct job *job)
{
    struct interp *i = job->interp;
    struct call_why why;

    if (i == NULL || (grants_give(i, &job->worker->asker, &why) == 0 && aliases_give(i->aliases, &job->worker->asker, &why) == 0))
        return 0;
    return why.error == CE(LIMIT) ? -EDQUOT : -ENOMEM;
}

/* What its begin takes is bounded as a call is. */
void interps_on_started(struct job *job)
{
    if (job->interp != NULL)
        watch_call(job, true);
}

void interp_begun(struct interp *i)
{
    struct ask *a;

    i->state = IS(IDLE);
    watch_call(i->job, false);
    interp_tell_created(i);
    if ((a = i->resetting) != NULL) {
        i->resetting = NULL;
        ask_done(a);
    }
    calls_pump(i);
}

void interps_on_stored(struct job *job, int status)
{
    struct interp *i = job->interp;

    if (i == NULL)
        return;
    if (status == 0) {
        i->stored = true;
        job->broker->interps.unstored--;
        if (i->state != IS(STARTING))
            interp_tell_created(i);
    } else if (i->state != IS(ENDED)) {
        i->cause_detail = strdup("it could not be stored");
        i->cause = CA(INTERNAL);
    }
}

static void remember(struct interps *all, struct interp *i)
{
    thing_ref(&i->thing);
    if (all->ended_last != NULL)
        all->ended_last->ended_next = i;
    else
        all->ended = i;
    all->ended_last = i;
    if (++all->n_ended <= INTERPS_ENDED)
        return;
    i = all->ended;
    all->ended = i->ended_next;
    all->n_ended--;
    thing_unregister(&i->thing);
    thing_unref(&i->thing);
}

static void fail_parked(struct interp *i, struct ask **at, Pb__CallError error)
{
    struct ask *a = *at;

    *at = NULL;
    if (a != NULL)
        interp_fail_ended(a, i, error);
}

static void tell_closed(struct interp *i)
{
    struct ask *a = i->closing;

    if (a == NULL || i->cause != CA(OK))
        return;
    i->closing = NULL;
    ask_done(a);
}

static void ended(struct interp *i, Pb__Cause cause, const char *detail)
{
    struct broker *b = i->thing.broker;

    if (i->state == IS(ENDED))
        return;
    if (i->state == IS(NONE))
        b->interps.unstarted--;
    i->state = IS(ENDED);
    i->cause = cause;
    if (i->cause_detail == NULL)
        i->cause_detail = strdup(detail);
    b->interps.alive--;
    estate_lives(i->thing.estate, -1);
    timers_cancel(&b->loop.timers, &i->grace);
    tree_leave(i);
    calls_fail_all(i);
    tell_closed(i);
    fail_parked(i, &i->creating, CE(EXECUTION_FAILED));
    fail_parked(i, &i->closing, CE(EXECUTION_FAILED));
    fail_parked(i, &i->resetting, CE(EXECUTION_FAILED));
    grants_finish(i);
    aliases_free(i->aliases);
    i->aliases = NULL;
    thing_unregister(&i->thing); /* its name is free */
    (void)thing_register(&i->thing, "");
    remember(&b->interps, i);
}

void interps_on_end(struct job *job)
{
    struct interps *all = &job->broker->interps;
    struct interp *i = job->interp;

    all->walks++;
    tree_end_below(job); /* first: they count for all above them */
    if (i != NULL && job->end.cause != CA(NONE))
        ended(i, job->end.cause, job->end.detail);
    if (job->end.cause != CA(NONE))
        ties_on_end(job);
    if (all->walks == 1) /* a tie may lead up the tree that is being walked, and a chain of them to as many as there are */
        ties_work_off(all);
    all->walks--;
}

bool interps_again(struct job *job)
{
    bool again = job->interp != NULL && job->interp->renewing;

    if (again)
        job->interp->renewing = false;
    return again;
}

void interps_on_receipt(struct job *job)
{
    if (job->interp != NULL)
        watchers_tell(job->interp);
}

void interps_on_job_gone(struct job *job)
{
    struct interp *i = job->interp;

    while (job->below != NULL)
        tree_leave(job->below); /* the broker leaves: each is let go by itself */
    ties_forget(job);
    if (i == NULL)
        return;
    job->broker->interps.unstored -= !i->stored;
    ended(i, i->cause != CA(NONE) ? i->cause : CA(BROKER_LOST), job->end.detail); /* it was refused, or the broker leaves */
    watchers_tell(i);
    i->job = NULL;
    job->interp = NULL;
    thing_unref(&i->thing);
}

void interps_finish(struct broker *b)
{
    struct interps *all = &b->interps;
    struct interp *i;

    while ((i = all->ended) != NULL) {
        all->ended = i->ended_next;
        thing_unregister(&i->thing);
        thing_unref(&i->thing);
    }
    *all = (struct interps){ 0 };
}
