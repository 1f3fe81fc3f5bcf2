/*
 * arrays_sweep.c - see arrays.h: the slices in which an array's tasks are touched, and what has them touched.
 *
 * A sweep looks at each task once and brings it where the array is: made, blocked or not, skipped, held, released, paused, cancelled. Whatever
 * changes meanwhile has it begin anew, so that the order of what is asked does not matter, only the last word. What a sweep has done is each
 * task's own from then on: the wish is over, and one task can be released of an array that is held.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays_own.h"
#include "broker/broker.h"
#include "log.h"

#define ST(name) PB__STATE__STATE_##name

enum {
    STORE_BUSY = 8192, /* ops on their way: a sweep that adds to them waits a little */
    STORE_BUSY_US = 5000
};

uint32_t array_bound(const struct array *a)
{
    if (a->wish == ARRAY_WISH_HOLD || a->wish == ARRAY_WISH_PAUSE)
        return 0;
    return a->row.max_parallel != 0 ? a->row.max_parallel : SCHED_UNLIMITED;
}

/* ---- slices -------------------------------------------------------------------------------------------------------------------------------- */

void array_go_on(struct array *a)
{
    struct loop *l = &a->broker->loop;

    if (a->step.place == 0)
        timers_arm(&l->timers, &a->step, l->now_us + 1); /* the next turn: others have theirs before */
}

void array_sweep(struct array *a)
{
    a->sweep_at = 0;
    array_go_on(a);
}

/* A task without memory for it stays in the store, and the next broker finds it; until then the array does not end. */
static void enter_task(struct array *a, const struct store_task *t)
{
    struct jobs *j = &a->broker->jobs;
    struct array_fresh *f = a->fresh;
    struct waiting *w;

    memcpy(f->row.id, t->id, sizeof(f->row.id));
    f->row.array_index = t->index;
    tenant_job_queued(a->tenant, -1); /* counted by itself from here on */
    w = jobs_enter(j, &f->row, a->tenant);
    if (w == NULL) {
        log_event(LOG_LEVEL_ERROR, "task_not_entered", "array=%s job=%s error=\"no memory\"", a->row.id, t->id);
        a->live++;
        return;
    }
    if (a->unmet > 0) {
        jobs_block(j, w);
        a->flags[array_place(a, t->index)] |= ARRAY_TASK_BLOCKED;
    }
    jobs_admit(j, w, 0);
}

static void enter_slice(struct array *a)
{
    struct array_fresh *f = a->fresh;

    for (unsigned i = 0; i < ARRAYS_SLICE && f->at < f->n; i++)
        enter_task(a, &f->tasks[f->at++]);
    if (f->at < f->n)
        return;
    f->done(f->ctx, a->row.id, &f->limits, false, 0);
    array_fresh_free(a);
}

void array_fresh_free(struct array *a)
{
    if (a->fresh == NULL)
        return;
    free(a->fresh->tasks);
    free(a->fresh);
    a->fresh = NULL;
}

void array_settle_block(struct array *a, size_t place)
{
    bool is = (a->flags[place] & ARRAY_TASK_BLOCKED) != 0, wanted = a->unmet > 0;

    if (is == wanted)
        return;
    a->flags[place] ^= ARRAY_TASK_BLOCKED;
    if (wanted)
        jobs_block(&a->broker->jobs, a->tasks[place]);
    else
        jobs_unblock(&a->broker->jobs, a->tasks[place]);
}

static void end_task(struct array *a, struct waiting *w, void (*end)(struct job *job), const char *detail)
{
    if (jobs_cancel_waiting(&a->broker->jobs, w, detail) != 0 && w->job != NULL)
        end(w->job);
}

/* Of one that has begun it holds for the attempt that may follow. */
static void hold_task(struct array *a, struct waiting *w, enum waiting_hold who)
{
    char why[JOBS_WHY];

    (void)jobs_hold_by(&a->broker->jobs, w, who);
    if (who == WAITING_HELD_ARRAY && w->state == ST(RUNNING) && w->job != NULL)
        (void)jobs_pause(w->job, why); /* whoever asked was told of those that cannot be */
}

static void free_task(struct array *a, struct waiting *w, unsigned holds)
{
    (void)jobs_lift(&a->broker->jobs, w, holds);
    if (a->wish == ARRAY_WISH_RESUME && w->state == ST(PAUSED) && w->job != NULL)
        (void)jobs_resume(w->job);
}

static void sweep_task(struct array *a, size_t place)
{
    struct jobs *j = &a->broker->jobs;
    struct waiting *w = a->tasks[place];

    if (w == NULL || w->entering)
        return;
    array_settle_block(a, place);
    if (a->has_edit)
        (void)jobs_edit(j, w, &a->edit); /* one that runs stays as it is */
    switch (a->wish) {
    case ARRAY_WISH_HOLD: hold_task(a, w, WAITING_HELD_USER); break; /* one that runs goes on */
    case ARRAY_WISH_PAUSE: hold_task(a, w, WAITING_HELD_ARRAY); break;
    case ARRAY_WISH_RELEASE: free_task(a, w, UINT8_MAX); break;
    case ARRAY_WISH_RESUME: free_task(a, w, WAITING_HELD_ARRAY); break;
    case ARRAY_WISH_CANCEL: end_task(a, w, jobs_cancel, "cancelled with its array"); return;
    case ARRAY_WISH_KILL: end_task(a, w, jobs_kill, "killed with its array"); return;
    default: break;
    }
    if (a->skip != NULL)
        jobs_skip(j, w, a->skip);
}

/* Lost, or failed: the next broker does once more what has been done. Another wish that is being written down has the last word. */
static void wish_is_over(struct array *a)
{
    if (a->wish == ARRAY_WISH_PAUSE && a->in_state[ST(STARTING)] > 0)
        return; /* arrays_task_moved() has it go on */
    a->wish = ARRAY_WISH_NONE;
    if (a->wishing > 0)
        return;
    sched_limiter_set(a->broker->tenants.sched, &a->bound, array_bound(a));
    (void)arrays_wish(a, ARRAY_WISH_NONE, NULL, NULL);
}

static void sweep_slice(struct array *a)
{
    for (unsigned i = 0; i < ARRAYS_SLICE && a->sweep_at < a->n; i++)
        sweep_task(a, a->sweep_at++);
    if (a->sweep_at < a->n)
        return;
    a->has_edit = false;
    if (a->wish != ARRAY_WISH_NONE && a->wish != ARRAY_WISH_CANCEL && a->wish != ARRAY_WISH_KILL)
        wish_is_over(a);
}

void array_on_step(void *ctx)
{
    struct array *a = ctx;
    struct broker *b = a->broker;

    if (a->over) {
        if (sched_limiter_known(&a->bound)) {
            array_go_on(a);
            return;
        }
        webhooks_array_over(&b->webhooks, a->row.id);
        array_free(a); /* its last task's entry has gone by now */
        return;
    }
    if (a->fresh != NULL && a->committed) {
        enter_slice(a);
    } else if (store_pending(b->store) > STORE_BUSY) {
        timers_arm(&b->loop.timers, &a->step, b->loop.now_us + STORE_BUSY_US);
        return;
    } else {
        sweep_slice(a);
    }
    if (a->fresh != NULL || a->sweep_at < a->n)
        array_go_on(a);
    else if (a->live == 0)
        array_end(a);
    jobs_dispatch(&b->jobs);
}

/* ---- what is done to all -------------------------------------------------------------------------------------------------------------------- */

void arrays_block(struct array *a)
{
    if (a->unmet++ == 0 && a->fresh == NULL)
        array_sweep(a);
}

void arrays_unblock(struct array *a)
{
    assert(a->unmet > 0);
    if (--a->unmet == 0)
        array_sweep(a);
}

void arrays_skip(struct array *a, const char *detail)
{
    if (a->skip == NULL)
        a->skip = strdup(detail); /* without memory it stays blocked until the next broker */
    array_sweep(a);
}

int arrays_wish(struct array *a, enum array_wish wish, void (*done)(struct store_op *op), void *owner)
{
    struct store_op *op = store_op_new(STORE_EDIT, a->row.id);

    if (op == NULL)
        return -ENOMEM;
    op->edit.what = STORE_EDIT_STATE;
    op->edit.row.hold = (uint32_t)wish;
    op->done = done;
    op->owner = owner;
    store_push(a->broker->store, op);
    return 0;
}

void arrays_begin_wish(struct array *a, enum array_wish wish)
{
    a->wish = wish;
    sched_limiter_set(a->broker->tenants.sched, &a->bound, array_bound(a));
    array_sweep(a);
}

void arrays_begin_edit(struct array *a, const struct jobs_edit *e)
{
    struct jobs_edit *into = &a->edit;

    if (!a->has_edit)
        *into = (struct jobs_edit){ 0 };
    a->has_edit = true;
    into->priority = e->priority != 0 ? e->priority : into->priority;
    into->not_before_us = e->not_before_us != 0 ? e->not_before_us : into->not_before_us;
    into->deadline_us = e->deadline_us != 0 ? e->deadline_us : into->deadline_us;
    if (e->set_class) {
        into->set_class = true;
        into->class = e->class;
    }
    array_sweep(a);
}

void arrays_set_bound(struct array *a, bool shut)
{
    sched_limiter_set(a->broker->tenants.sched, &a->bound, shut ? 0 : array_bound(a));
}
