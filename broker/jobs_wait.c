/* jobs_wait.c - see jobs.h: steps of those that wait, what keeps each of them back, and the clocks that end it. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"
#include "log.h"

#define ST(name) PB__STATE__STATE_##name
#define CA(name) PB__CAUSE__CAUSE_##name

enum {
    DUE_AT_ONCE = 1000,    /* entries a round: the rest the next one */
    PUT_AGAIN_US = 1000000 /* there was no memory to let the scheduler know it */
};

/* ---- steps ------------------------------------------------------------------------------------------------------------------------------ */

static void tell(struct broker *b, const char *id, const struct waiting *w, Pb__State from, Pb__State to, const char *reason)
{
    const struct job *job = w != NULL ? w->job : jobs_find(&b->jobs, id);
    struct event_note note = { .kind = EVENT_STATE, .job = id, .from = from, .to = to, .reason = reason };

    note.tenant = w != NULL ? w->tenant : NULL;
    note.attempt = job != NULL ? job->attempt : w != NULL ? w->attempt : 0;
    note.cause = job != NULL ? job->end.cause : CA(NONE);
    note.name = job != NULL ? job->name : NULL;
    note.array_id = w != NULL && w->array != NULL ? w->array->row.id : job != NULL ? job->array_id : NULL;
    log_event(LOG_LEVEL_DEBUG, "job_state", "job=%s from=%s to=%s", id, job_state_name(from), job_state_name(to));
    events_tell(&b->events, &note);
    if (w != NULL)
        webhooks_changed(&b->webhooks, w, from, to, reason);
}

/* Each job counts once with its tenant: as one that waits, or as one that runs, until its receipt is stored. */
static void count(struct waiting *w, Pb__State state, int by)
{
    if (w->tenant == NULL)
        return;
    tenant_job_state(w->tenant, state, by);
    if (job_waits(state))
        tenant_job_queued(w->tenant, by);
    else
        tenant_job_running(w->tenant, by);
}

/* Until it has begun for the first time its deadline counts. */
static bool may_expire(const struct waiting *w)
{
    return w->deadline_us != 0 && w->attempt == 0 && job_waits((Pb__State)w->state);
}

static void arm_entry(struct jobs *j, struct waiting *w)
{
    uint64_t at = may_expire(w) ? w->deadline_us : UINT64_MAX;

    if (w->state == ST(SCHEDULED) && w->not_before_us < at)
        at = w->not_before_us;
    if (at != UINT64_MAX && waiting_arm(&j->table, w, WAITING_WALL, at) != 0)
        log_event(LOG_LEVEL_ERROR, "not_armed", "error=\"no memory\""); /* it is looked at when something else happens to it */
}

void jobs_make_ready(struct jobs *j, struct waiting *w)
{
    w->ready_at = j->broker->loop.now_us;
    if (jobs_sched_put(j, w) != 0)
        (void)waiting_arm(&j->table, w, WAITING_MONOTONIC, j->broker->loop.now_us + PUT_AGAIN_US);
}

void jobs_move(struct jobs *j, struct waiting *w, enum job_event event, const char *reason)
{
    Pb__State from = (Pb__State)w->state, next = (Pb__State)job_next[from][event];
    char id[ULID_LEN + 1];

    assert(next != ST(NONE)); /* our own bug, whatever the worker did */
    if (from == ST(READY) && next != ST(CLAIMED))
        jobs_sched_take(j, w);
    waiting_disarm(&j->table, w);
    count(w, from, -1);
    count(w, next, 1);
    waiting_set_state(&j->table, w, next);
    if (w->job != NULL)
        w->job->state = next;
    arm_entry(j, w);
    if (next == ST(READY))
        jobs_make_ready(j, w);
    jobs_arm_clocks(j);
    waiting_id(w, id);
    tell(j->broker, id, w, from, next, reason);
    arrays_task_moved(w, from);
    if (w->job != NULL && job_waits(next))
        jobs_may_let_go(w->job);
    else if (w->job != NULL)
        jobs_looked_off(w->job);
}

void jobs_step(struct job *job, enum job_event event)
{
    Pb__State from = job->state, next = (Pb__State)job_next[from][event];

    if (job->entry != NULL) {
        jobs_move(&job->broker->jobs, job->entry, event, "");
        return;
    }
    assert(next != ST(NONE));
    job->state = next;
    tell(job->broker, job->id, NULL, from, next, "");
}

void jobs_drop_entry(struct jobs *j, struct waiting *w)
{
    assert(w->job == NULL);
    if (w->state == ST(READY))
        jobs_sched_take(j, w);
    jobs_sched_leave(j, w);
    count(w, (Pb__State)w->state, -1);
    jobs_drop_spec(j, w);
    waiting_drop(&j->table, w);
    jobs_arm_clocks(j);
}

/* ---- where it belongs -------------------------------------------------------------------------------------------------------------------- */

static enum job_event wanted(const struct waiting *w)
{
    if (w->holds != 0)
        return JOB_EV_HOLD;
    if (w->unmet > 0)
        return JOB_EV_BLOCK;
    return w->not_before_us > loop_wall_us() ? JOB_EV_SCHEDULE : JOB_EV_READY;
}

static Pb__State state_of(enum job_event event)
{
    return (Pb__State)job_next[event == JOB_EV_HOLD ? ST(READY) : ST(HELD)][event];
}

Pb__State jobs_first_state(const struct waiting *w)
{
    return state_of(wanted(w));
}

void jobs_place_first(struct jobs *j, struct waiting *w)
{
    Pb__State state = jobs_first_state(w), was = (Pb__State)w->state;

    waiting_set_state(&j->table, w, state);
    arrays_task_moved(w, was);
    count(w, state, 1);
    arm_entry(j, w);
    if (state == ST(READY))
        jobs_make_ready(j, w);
    jobs_arm_clocks(j);
}

void jobs_place(struct jobs *j, struct waiting *w, const char *reason)
{
    enum job_event event = wanted(w);

    if (w->entering || !job_waits((Pb__State)w->state))
        return;
    if (w->state == ST(RETRY_WAIT) && (event == JOB_EV_READY || event == JOB_EV_SCHEDULE))
        return; /* its pause is not over: the monotonic clock says when */
    if (state_of(event) == (Pb__State)w->state) {
        arm_entry(j, w); /* its time may be another */
        jobs_arm_clocks(j);
        return;
    }
    jobs_move(j, w, event, reason);
    jobs_note_move(j, w, NULL);
    if (w->job != NULL)
        control_wake(w->job);
    if (w->state == ST(READY))
        jobs_dispatch(j);
}

void jobs_end_waiting(struct jobs *j, struct waiting *w, Pb__Cause cause, const char *detail)
{
    if (w->job != NULL)
        jobs_decide(w->job, cause, "%s", detail);
    else
        jobs_end_slim(j, w, cause, detail);
}

/* ---- dependencies ------------------------------------------------------------------------------------------------------------------------ */

void jobs_block(struct jobs *j, struct waiting *w)
{
    w->unmet++;
    w->has_deps = true;
    jobs_place(j, w, "");
}

void jobs_unblock(struct jobs *j, struct waiting *w)
{
    assert(w->unmet > 0);
    if (--w->unmet == 0)
        jobs_place(j, w, "");
}

void jobs_skip(struct jobs *j, struct waiting *w, const char *detail)
{
    if (job_waits((Pb__State)w->state))
        jobs_end_waiting(j, w, CA(DEP_FAILED), detail);
}

/* ---- deeds ------------------------------------------------------------------------------------------------------------------------------- */

/* A claim that has no worker yet is given back. */
static bool back_to_waiting(struct jobs *j, struct waiting *w)
{
    if (w->state == ST(CLAIMED))
        jobs_unclaim(j, w);
    return job_waits((Pb__State)w->state);
}

static const char *hold_reason(const struct waiting *w)
{
    return w->holds & WAITING_HELD_USER ? "HELD_USER" : "ARRAY_PAUSED";
}

int jobs_hold(struct jobs *j, struct waiting *w)
{
    if (w->entering || !back_to_waiting(j, w))
        return -EBUSY;
    return jobs_hold_by(j, w, WAITING_HELD_USER);
}

int jobs_hold_by(struct jobs *j, struct waiting *w, enum waiting_hold who)
{
    bool waits = back_to_waiting(j, w);

    if (w->entering || w->state == ST(FINISHING))
        return -EBUSY;
    w->holds |= (uint8_t)who;
    if (!waits || w->state == ST(HELD))
        jobs_note_move(j, w, NULL); /* by another before, or for its next attempt */
    else
        jobs_place(j, w, hold_reason(w));
    return 0;
}

int jobs_lift(struct jobs *j, struct waiting *w, unsigned holds)
{
    if (w->entering || (w->holds & holds) == 0)
        return -EBUSY;
    w->holds &= (uint8_t)~holds;
    if (w->state == ST(HELD) && w->holds == 0)
        jobs_place(j, w, "RELEASED");
    else
        jobs_note_move(j, w, NULL);
    return 0;
}

void jobs_held_meanwhile(struct jobs *j, struct waiting *w)
{
    if (w->holds != 0 && w->state != ST(HELD))
        jobs_place(j, w, hold_reason(w));
}

int jobs_release(struct jobs *j, struct waiting *w)
{
    if (w->entering || w->state != ST(HELD))
        return -EBUSY;
    w->holds = 0;
    jobs_place(j, w, "RELEASED");
    return 0;
}

int jobs_deed(struct jobs *j, struct waiting *w, int (*deed)(struct jobs *j, struct waiting *w), void (*done)(struct store_op *op),
              void *owner)
{
    unsigned before = w->holds;
    int rc = job_waits((Pb__State)w->state) || w->state == ST(CLAIMED) ? 0 : -EBUSY;

    if (rc == 0)
        rc = jobs_begin_edit(j, w); /* what is released does not begin before the store has it */
    if (rc != 0)
        return rc;
    j->told.done = done;
    j->told.owner = owner;
    rc = deed(j, w);
    if (rc == 0 && j->told.done != NULL) { /* there was no memory to tell the store */
        j->told.done = NULL;
        jobs_put_holds(j, w, before);
        rc = -ENOMEM;
    }
    j->told.done = NULL;
    if (rc != 0)
        jobs_undo_edit(j, w);
    return rc;
}

void jobs_put_holds(struct jobs *j, struct waiting *w, unsigned holds)
{
    if (!back_to_waiting(j, w))
        return;
    w->holds = holds & WAITING_HOLDS;
    jobs_place(j, w, "NOT_STORED");
}

int jobs_cancel_waiting(struct jobs *j, struct waiting *w, const char *detail)
{
    if (w->entering || !back_to_waiting(j, w))
        return -EBUSY;
    jobs_end_waiting(j, w, CA(CANCELLED), detail);
    return 0;
}

int jobs_edit(struct jobs *j, struct waiting *w, const struct jobs_edit *e)
{
    if (w->entering || !back_to_waiting(j, w))
        return -EBUSY;
    if (w->state == ST(READY))
        jobs_sched_take(j, w);
    waiting_set_band(w, e->set_class ? e->class : waiting_class(w), e->priority != 0 ? e->priority : waiting_priority(w));
    if (w->state == ST(READY))
        jobs_make_ready(j, w);
    if (e->not_before_us != 0)
        w->not_before_us = e->not_before_us;
    if (e->deadline_us != 0)
        w->deadline_us = e->deadline_us;
    if (w->state == ST(RETRY_WAIT) && e->not_before_us > loop_wall_us() && w->holds == 0 && w->unmet == 0) { /* in place of its pause */
        jobs_move(j, w, JOB_EV_SCHEDULE, "EDITED");
        return 0;
    }
    jobs_place(j, w, "EDITED");
    return 0;
}

/* ---- the clocks -------------------------------------------------------------------------------------------------------------------------- */

void jobs_arm_clocks(struct jobs *j)
{
    uint64_t wall = waiting_next_due(&j->table, WAITING_WALL), mono = waiting_next_due(&j->table, WAITING_MONOTONIC);
    struct timers *t = &j->broker->loop.timers;

    wall_clock_arm(&j->wall, wall);
    if (mono == UINT64_MAX)
        timers_cancel(t, &j->due);
    else if (j->due.place == 0 || j->due.at_us != mono)
        timers_arm(t, &j->due, mono);
}

static void due_wall(struct jobs *j, struct waiting *w, uint64_t now)
{
    if (may_expire(w) && w->deadline_us <= now)
        jobs_end_waiting(j, w, CA(DEADLINE), "it had not begun when its deadline came");
    else
        jobs_place(j, w, "DUE");
}

static void due_monotonic(struct jobs *j, struct waiting *w)
{
    if (w->state == ST(FINISHING)) {
        jobs_slim_again(j, w);
    } else if (w->state == ST(RETRY_WAIT)) {
        jobs_move(j, w, JOB_EV_READY, "RETRY");
        jobs_note_move(j, w, NULL);
        if (w->job != NULL)
            control_wake(w->job);
    } else if (w->state == ST(READY)) {
        jobs_make_ready(j, w);
        arm_entry(j, w);
    } else if (w->state == ST(BLOCKED)) { /* there was no memory when it was to be skipped */
        jobs_skip(j, w, "a job that it waits for did not end as --after asks");
    }
}

void jobs_on_wall(void *ctx)
{
    struct jobs *j = ctx;
    uint64_t now = loop_wall_us();
    struct waiting *w;

    for (int n = 0; n < DUE_AT_ONCE && (w = waiting_due(&j->table, WAITING_WALL, now)) != NULL; n++)
        due_wall(j, w, now);
    jobs_arm_clocks(j);
    jobs_dispatch(j);
}

void jobs_on_due(void *ctx)
{
    struct jobs *j = ctx;
    struct waiting *w;

    for (int n = 0; n < DUE_AT_ONCE && (w = waiting_due(&j->table, WAITING_MONOTONIC, j->broker->loop.now_us)) != NULL; n++)
        due_monotonic(j, w);
    jobs_arm_clocks(j);
    jobs_dispatch(j);
}
