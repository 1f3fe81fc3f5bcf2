/*
 * arrays.c - see arrays.h: the table of arrays that have not ended, the slices in which their tasks are touched, and their end.
 *
 * A sweep looks at each task once and brings it where the array is: made, blocked or not, skipped, held, released, cancelled. Whatever changes
 * meanwhile has it begin anew, so that the order of what is asked does not matter, only the last word.
 */
#include "broker/arrays.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array_range.h"
#include "broker/arrays_own.h"
#include "broker/broker.h"
#include "log.h"

#define ST(name) PB__STATE__STATE_##name

enum {
    STORE_BUSY = 8192, /* ops on their way: a sweep that adds to them waits a little */
    STORE_BUSY_US = 5000
};

static void on_step(void *ctx);

/* ---- the table -------------------------------------------------------------------------------------------------------------------------- */

static uint32_t bound_of(const struct array *a)
{
    if (a->wish == ARRAY_WISH_HOLD)
        return 0;
    return a->row.max_parallel != 0 ? a->row.max_parallel : SCHED_UNLIMITED;
}

struct array *array_new(struct broker *b, const struct store_array *row, struct tenant *t)
{
    Pb__ArrayRange range = PB__ARRAY_RANGE__INIT;
    struct array *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    range.from = row->from;
    range.to = row->to;
    range.step = row->step;
    a->n = array_range_count(&range);
    a->tasks = calloc(a->n, sizeof(struct waiting *));
    a->flags = calloc(a->n, 1);
    if (a->tasks == NULL || a->flags == NULL) {
        array_free(a);
        return NULL;
    }
    a->row = *row;
    a->broker = b;
    a->tenant = t;
    a->wish = (enum array_wish)row->hold;
    a->sweep_at = a->n;
    a->step = (struct timer){ .fn = on_step, .ctx = a };
    pb__array_counts__init(&a->counts);
    sched_limiter_init(&a->bound, "ARRAY_MAX_PARALLEL", bound_of(a), false);
    HASH_ADD_STR(b->plans.arrays.by_id, row.id, a);
    return a;
}

void array_free(struct array *a)
{
    if (a->broker != NULL) {
        timers_cancel(&a->broker->loop.timers, &a->step);
        HASH_DEL(a->broker->plans.arrays.by_id, a);
    }
    array_fresh_free(a);
    free(a->skip);
    free(a->tasks);
    free(a->flags);
    free(a);
}

struct array *arrays_find(struct broker *b, const char *id)
{
    struct array *a;

    HASH_FIND_STR(b->plans.arrays.by_id, id, a);
    return a != NULL && !a->over ? a : NULL;
}

/* Of an index in its range. */
size_t array_place(const struct array *a, uint64_t index)
{
    return (size_t)((index - a->row.from) / (a->row.step != 0 ? a->row.step : 1));
}

void arrays_take_task(struct broker *b, const char *array_id, struct waiting *w)
{
    struct array *a = arrays_find(b, array_id);
    size_t place = a != NULL ? array_place(a, w->array_index) : 0;

    if (a == NULL || place >= a->n || a->tasks[place] != NULL) {
        log_event(LOG_LEVEL_ERROR, "task_without_array", "array=%s index=%llu", array_id, (unsigned long long)w->array_index);
        return; /* it runs as a job of its own */
    }
    w->array = a;
    a->tasks[place] = w;
    a->live++;
}

void arrays_leave_task(struct waiting *w)
{
    struct array *a = w->array;

    if (a == NULL)
        return;
    a->tasks[array_place(a, w->array_index)] = NULL;
    a->live--;
    w->array = NULL;
}

/* ---- slices -------------------------------------------------------------------------------------------------------------------------------- */

void array_go_on(struct array *a)
{
    struct loop *l = &a->broker->loop;

    if (a->step.place == 0)
        timers_arm(&l->timers, &a->step, l->now_us + 1); /* the next turn: others have theirs before */
}

static void sweep_anew(struct array *a)
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

static void settle_block(struct array *a, size_t place)
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

static void sweep_task(struct array *a, size_t place)
{
    struct jobs *j = &a->broker->jobs;
    struct waiting *w = a->tasks[place];

    if (w == NULL || w->entering)
        return;
    settle_block(a, place);
    if (a->has_edit)
        (void)jobs_edit(j, w, &a->edit); /* one that runs stays as it is */
    switch (a->wish) {
    case ARRAY_WISH_HOLD: (void)jobs_hold(j, w); break; /* one that runs goes on */
    case ARRAY_WISH_RELEASE: (void)jobs_release(j, w); break;
    case ARRAY_WISH_CANCEL: end_task(a, w, jobs_cancel, "cancelled with its array"); return;
    case ARRAY_WISH_KILL: end_task(a, w, jobs_kill, "killed with its array"); return;
    default: break;
    }
    if (a->skip != NULL)
        jobs_skip(j, w, a->skip);
}

static void note_released(struct array *a)
{
    a->wish = ARRAY_WISH_NONE;
    (void)arrays_wish(a, ARRAY_WISH_NONE, NULL, NULL); /* lost: the next broker releases what is held once more */
}

static void sweep_slice(struct array *a)
{
    for (unsigned i = 0; i < ARRAYS_SLICE && a->sweep_at < a->n; i++)
        sweep_task(a, a->sweep_at++);
    if (a->sweep_at < a->n)
        return;
    a->has_edit = false;
    if (a->wish == ARRAY_WISH_RELEASE)
        note_released(a);
}

static void on_step(void *ctx)
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
        sweep_anew(a);
}

void arrays_unblock(struct array *a)
{
    assert(a->unmet > 0);
    if (--a->unmet == 0)
        sweep_anew(a);
}

void arrays_skip(struct array *a, const char *detail)
{
    if (a->skip == NULL)
        a->skip = strdup(detail); /* without memory it stays blocked until the next broker */
    sweep_anew(a);
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
    sched_limiter_set(a->broker->tenants.sched, &a->bound, bound_of(a));
    sweep_anew(a);
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
    sweep_anew(a);
}

void arrays_set_bound(struct array *a, bool shut)
{
    sched_limiter_set(a->broker->tenants.sched, &a->bound, shut ? 0 : bound_of(a));
}

/* ---- the end -------------------------------------------------------------------------------------------------------------------------------- */

Pb__State array_outcome(const Pb__ArrayCounts *c)
{
    if (c->failed > 0)
        return ST(FAILED);
    return c->cancelled > 0 ? ST(CANCELLED) : ST(SUCCEEDED);
}

static void count(Pb__ArrayCounts *c, Pb__State outcome)
{
    if (outcome == ST(SUCCEEDED))
        c->succeeded++;
    else if (outcome == ST(CANCELLED))
        c->cancelled++;
    else
        c->failed++;
}

static void on_end_stored(struct store_op *op)
{
    retention_look_soon(op->owner);
}

void array_end(struct array *a)
{
    struct store_op *op = store_op_new(STORE_ARRAY_END, a->row.id);
    Pb__State outcome = array_outcome(&a->counts);

    if (op != NULL) { /* else the next broker writes it */
        op->array_end = a->counts;
        op->owner = a->broker;
        op->done = on_end_stored;
        store_push(a->broker->store, op);
    }
    log_event(LOG_LEVEL_INFO, "array_ended", "array=%s state=%s succeeded=%llu failed=%llu cancelled=%llu", a->row.id,
              job_state_name(outcome), (unsigned long long)a->counts.succeeded, (unsigned long long)a->counts.failed,
              (unsigned long long)a->counts.cancelled);
    array_answer_waiters(a);
    a->over = true;
    if (a->is_wanted)
        deps_ended(a->broker, a->row.id, outcome);
    deps_leave(a->broker, a->row.id);
    array_go_on(a); /* which lets it go: an entry still names its bound */
}

static void on_job_end(void *ctx, const struct jobs_ended *e)
{
    struct array *a = e->entry->array;

    (void)ctx;
    if (a == NULL)
        return;
    a->tasks[array_place(a, e->entry->array_index)] = NULL;
    a->live--;
    count(&a->counts, e->outcome);
    if (a->live == 0 && a->fresh == NULL)
        array_end(a);
}

/* ---- a restart -------------------------------------------------------------------------------------------------------------------------------- */

static int load_one(void *ctx, const struct store_array *row)
{
    struct broker *b = ctx;
    struct tenant *t = tenants_of_job(&b->tenants, row->tenant);
    struct array *a;

    a = t != NULL ? array_new(b, row, t) : NULL;
    if (a == NULL)
        return -ENOMEM;
    a->committed = true;
    return 0;
}

static int count_ended(struct broker *b)
{
    struct array *a, *next;
    int rc = 0;

    HASH_ITER (hh, b->plans.arrays.by_id, a, next) {
        if (rc == 0)
            rc = store_array_counts(b->store, a->row.id, &a->counts);
    }
    return rc;
}

int arrays_load(struct broker *b)
{
    int rc = store_each_array(b->store, load_one, b);

    return rc == 0 ? count_ended(b) : rc;
}

void arrays_recover(struct broker *b)
{
    struct array *a, *next;

    HASH_ITER (hh, b->plans.arrays.by_id, a, next) {
        for (size_t i = 0; i < a->n && a->unmet > 0; i++)
            if (a->tasks[i] != NULL)
                settle_block(a, i);
    }
}

void arrays_start(struct broker *b)
{
    struct array *a, *next;

    jobs_on_end(&b->jobs, on_job_end, b);
    HASH_ITER (hh, b->plans.arrays.by_id, a, next)
        sweep_anew(a); /* its wish goes on; one that has no task left ends */
}

void arrays_finish(struct broker *b)
{
    struct array *a, *next;

    HASH_ITER (hh, b->plans.arrays.by_id, a, next) {
        timers_cancel(&b->loop.timers, &a->step);
        array_answer_waiters(a);
    }
}

void arrays_free(struct broker *b)
{
    struct array *a, *next;

    HASH_ITER (hh, b->plans.arrays.by_id, a, next)
        array_free(a);
}

/* ---- a task's spec -------------------------------------------------------------------------------------------------------------------------- */

int arrays_dress(const struct waiting *task, Pb__JobSpec *spec, struct array_dress *d)
{
    char *names[] = { (char *)"COOP_ARRAY_ID", (char *)"COOP_ARRAY_INDEX" };
    char *values[] = { d->id, d->index };

    d->env = NULL;
    if (task == NULL || task->array == NULL)
        return 0;
    d->env = calloc(spec->n_env + 2, sizeof(*d->env));
    if (d->env == NULL)
        return -ENOMEM;
    memcpy(d->id, task->array->row.id, sizeof(d->id));
    snprintf(d->index, sizeof(d->index), "%llu", (unsigned long long)task->array_index);
    if (spec->n_env > 0) /* behind ours: a program takes the first of a name */
        memcpy(d->env + 2, spec->env, spec->n_env * sizeof(*d->env));
    for (int i = 0; i < 2; i++) {
        pb__env_var__init(&d->vars[i]);
        d->vars[i].name = names[i];
        d->vars[i].value = (ProtobufCBinaryData){ strlen(values[i]), (uint8_t *)values[i] };
        d->env[i] = &d->vars[i];
    }
    spec->env = d->env;
    spec->n_env += 2;
    spec->array_id = d->id;
    spec->array_index = task->array_index;
    return 0;
}

void arrays_undress(struct array_dress *d)
{
    free(d->env);
    d->env = NULL;
}
