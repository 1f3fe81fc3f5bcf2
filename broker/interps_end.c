/* interps_end.c - see interps.h: how an interpreter is ended, or begun anew, by those who may. */
#include <errno.h>
#include <string.h>

#include "broker/interps_own.h"
#include "broker/jobs.h"

/* Nothing runs or waits in it, and it is not the asker itself: else the ask is answered. */
static bool is_at_rest(struct ask *a, const struct interp *i, const char *verb)
{
    if (a->by->worker != NULL && a->by->worker->job == i->job)
        ask_fail(a, CE(BUSY), "an interpreter cannot %s itself", verb);
    else if (i->running != NULL || i->waiting != NULL)
        ask_fail(a, CE(BUSY), "%s runs in interpreter %s, and %u more wait", i->running != NULL ? "a call" : "nothing", interp_shown(i),
                 i->n_waiting);
    else if (i->state == IS(STARTING))
        ask_fail(a, CE(BUSY), "interpreter %s has not started yet", interp_shown(i));
    else
        return true;
    return false;
}

/* It ends all the same. */
static void on_close_end(struct ask *a, enum ask_end how)
{
    struct interp *i = a->thing;

    (void)how;
    i->closing = NULL;
}

void call_interp_close(struct ask *a)
{
    struct interp *i = interp_named(a, a->message->interp_close->interp, PB__RIGHT__RIGHT_MANAGE, NULL);
    int rc;

    if (i == NULL || !interp_takes(i, a) || !is_at_rest(a, i, "close"))
        return;
    i->closing = a;
    ask_park(a, ASK_NEVER, on_close_end, i);
    if (i->state == IS(NONE)) { /* it has no process */
        jobs_decide(i->job, CA(OK), "%s", "");
        return;
    }
    rc = calls_close(i);
    if (rc != 0) /* it does not read */
        jobs_decide(i->job, CA(CANCELLED), "it was closed and could not be told: %s", strerror(-rc));
}

/* Of oneself too: nobody can keep an interpreter alive against its own will. */
void call_interp_kill(struct ask *a)
{
    struct interp *i = interp_named(a, a->message->interp_kill->interp, PB__RIGHT__RIGHT_MANAGE, NULL);

    if (i == NULL)
        return;
    if (i->state == IS(ENDED)) {
        interp_fail_ended(a, i, CE(DEAD));
        return;
    }
    thing_ref(&i->thing);
    ask_done(a); /* before: it may be, or be below, what is killed */
    jobs_kill(i->job);
    thing_unref(&i->thing);
}

static void on_reset_end(struct ask *a, enum ask_end how)
{
    struct interp *i = a->thing;

    (void)how;
    i->resetting = NULL;
}

/* The process goes, its job does not end: jobs_on_worker_end() makes the next attempt of it. */
void call_interp_reset(struct ask *a)
{
    struct interp *i = interp_named(a, a->message->interp_reset->interp, PB__RIGHT__RIGHT_MANAGE, NULL);

    if (i == NULL || !interp_takes(i, a) || !is_at_rest(a, i, "reset"))
        return;
    if (i->thing.broker->phase == BROKER_DRAINING) {
        ask_fail(a, CE(TEMPORARY), "the broker is draining; try again later");
        return;
    }
    i->incarnation++;
    if (i->state == IS(NONE)) { /* it has no state yet */
        ask_done(a);
        return;
    }
    i->state = IS(STARTING);
    i->renewing = true;
    i->resetting = a;
    ask_park(a, ASK_NEVER, on_reset_end, i);
    tree_end_below(i->job);
    pool_kill(i->job->worker);
}
