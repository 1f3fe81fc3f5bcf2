/* verbs_deeds.c - what is done to a job by request; see control_verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/stored.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

/* ---- an answer ------------------------------------------------------------------------------------------------------------------------------- */

/* How a job stands: its row's word, and what is newer than that. A job without either is an interpreter that is being stored. */
static int read_status(struct control_call *c, struct store_job *row, char reason[JOBS_REASON], Pb__JobStatus *ret)
{
    struct jobs *j = &c->broker->jobs;
    const struct waiting *w = waiting_find(&j->table, c->id);
    const struct job *job = w != NULL ? w->job : jobs_find(j, c->id);
    int rc;

    if (job != NULL) {
        jobs_status(job, ret);
        return 0;
    }
    rc = store_find(c->broker->store, c->id, row);
    if (rc != 0)
        return rc;
    stored_status(c->broker, row, ret);
    if (w == NULL)
        return 0;
    jobs_status_slim(j, w, ret);
    ret->reason = (char *)jobs_reason(j, w, reason);
    return 0;
}

static void reply_status(struct control_call *c)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SignalReply s = PB__SIGNAL_REPLY__INIT;
    char reason[JOBS_REASON];
    struct store_job row;
    Pb__JobStatus status;
    int rc = read_status(c, &row, reason, &status);

    if (rc != 0) {
        control_refuse(c->broker, c->way, ER(INTERNAL), "job %s cannot be read: %s", c->id, strerror(-rc));
        return;
    }
    s.status = &status;
    r.body_case = PB__REPLY__BODY_SIGNAL;
    r.signal = &s;
    control_reply(c->broker, c->way, &r);
}

static const char *state_of(struct control_call *c)
{
    const struct waiting *w = waiting_find(&c->broker->jobs.table, c->id);
    const struct job *job = jobs_find(&c->broker->jobs, c->id);
    struct store_job row;

    if (w != NULL)
        return job_state_name((Pb__State)w->state);
    if (job != NULL)
        return job->interp != NULL ? "an interpreter" : job_state_name(job->state);
    return store_find(c->broker->store, c->id, &row) == 0 ? job_state_name(row.state) : "gone";
}

void verb_refuse_state(struct control_call *c, const char *what)
{
    if (!jobs_lives(&c->broker->jobs, c->id))
        control_refuse(c->broker, c->way, ER(CONFLICT), "job %s has already ended (%s)", c->id, state_of(c));
    else
        control_refuse(c->broker, c->way, ER(CONFLICT), "job %s is %s: %s", c->id, state_of(c), what);
}

/* ---- deeds ------------------------------------------------------------------------------------------------------------------------------------- */

/* Cancel and kill: act, then say how the job stands. It may go on to FINISHING, but is there until its receipt is committed. */
static void act_on_job(struct control_call *c, void (*act)(struct job *job), const char *detail)
{
    struct jobs *j = &c->broker->jobs;
    struct waiting *w = waiting_find(&j->table, c->id);
    struct job *job = jobs_find(j, c->id);

    if (w == NULL && job == NULL) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "job %s has already ended", c->id);
        return;
    }
    if (w == NULL || jobs_cancel_waiting(j, w, detail) != 0) {
        if (job != NULL)
            act(job);
    }
    reply_status(c);
}

void verb_cancel(struct control_call *c)
{
    act_on_job(c, jobs_cancel, "cancelled before it started");
}

void verb_kill(struct control_call *c)
{
    act_on_job(c, jobs_kill, "killed by request");
}

/* Who is to hear of it when it is stored: a hold that a broker's death undoes was none. */
struct deed {
    struct broker *broker;
    struct rep_way way;
    struct actor actor;
    unsigned holds; /* before */
};

static void on_deed_stored(struct store_op *op)
{
    struct deed *d = op->owner;
    struct control_call again = { .broker = d->broker, .way = d->way, .actor = d->actor };
    struct waiting *w = waiting_find(&d->broker->jobs.table, op->job);

    memcpy(again.id, op->job, sizeof(again.id));
    if (op->status == 0) {
        reply_status(&again);
    } else if (op->status == -ESTALE || op->status == -ENOENT) {
        control_refuse(d->broker, d->way, ER(CONFLICT), "job %s does not wait any more", op->job);
    } else {
        if (w != NULL)
            jobs_put_holds(&d->broker->jobs, w, d->holds);
        control_refuse(d->broker, d->way, ER(TEMPORARY), "that could not be stored of job %s: %s", op->job, strerror(-op->status));
    }
    free(d);
}

static void act_on_entry(struct control_call *c, int (*act)(struct jobs *j, struct waiting *w), const char *when)
{
    struct waiting *w = waiting_find(&c->broker->jobs.table, c->id);
    struct deed *d = malloc(sizeof(*d));
    int rc = -ENOMEM;

    if (d != NULL) {
        *d = (struct deed){ c->broker, c->way, c->actor, w != NULL ? w->holds : 0 };
        rc = w != NULL ? jobs_deed(&c->broker->jobs, w, act, on_deed_stored, d) : -EBUSY;
    }
    if (rc == 0)
        return;
    free(d);
    if (rc == -ENOMEM || rc == -EALREADY)
        control_refuse(c->broker, c->way, ER(TEMPORARY),
                       rc == -ENOMEM ? "out of memory" : "job %s is being changed by another request; ask again", c->id);
    else
        verb_refuse_state(c, when);
}

void verb_hold(struct control_call *c)
{
    act_on_entry(c, jobs_hold, "only one that waits can be held");
}

void verb_release(struct control_call *c)
{
    act_on_entry(c, jobs_release, "only one that is held can be released");
}

void verb_pause(struct control_call *c)
{
    struct job *job = jobs_find(&c->broker->jobs, c->id);
    char why[JOBS_WHY] = "";
    int rc = job != NULL ? jobs_pause(job, why) : -EBUSY;

    if (rc == -EBUSY)
        verb_refuse_state(c, "only one that runs can be paused");
    else if (rc != 0)
        control_refuse(c->broker, c->way, ER(CONFLICT), "job %s cannot be paused: %s", c->id, why);
    else
        reply_status(c);
}

void verb_resume(struct control_call *c)
{
    struct job *job = jobs_find(&c->broker->jobs, c->id);

    if (job == NULL || jobs_resume(job) != 0)
        verb_refuse_state(c, "only one that is paused can be resumed");
    else
        reply_status(c);
}

void verb_resize_tty(struct control_call *c)
{
    struct job *job = NULL;
    const Pb__TtySize *size = c->request->resize_tty->size;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__ResizeReply done = PB__RESIZE_REPLY__INIT;
    int rc;

    if (size == NULL || size->rows == 0 || size->columns == 0 || size->rows > LIMITS_TTY || size->columns > LIMITS_TTY) {
        control_refuse(c->broker, c->way, ER(USAGE), "a terminal has 1 to %d rows and columns", LIMITS_TTY);
        return;
    }
    (void)jobs_look(&c->broker->jobs, c->id, &job);
    rc = job != NULL ? jobs_resize_tty(job, size->rows, size->columns) : -ESRCH;
    if (rc != 0) {
        control_refuse(c->broker, c->way, rc == -EAGAIN ? ER(TEMPORARY) : ER(CONFLICT), "job %s %s", c->id,
                       rc == -ESRCH    ? "has ended"
                       : rc == -EAGAIN ? "does not listen at the moment"
                                       : "has no terminal");
        return;
    }
    r.body_case = PB__REPLY__BODY_RESIZE_TTY;
    r.resize_tty = &done;
    control_reply(c->broker, c->way, &r);
}
