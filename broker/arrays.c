/* arrays.c - see arrays.h: the table of arrays that have not ended, how their tasks stand, and their end. */
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

/* ---- the table -------------------------------------------------------------------------------------------------------------------------- */

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
    a->step = (struct timer){ .fn = array_on_step, .ctx = a };
    pb__array_counts__init(&a->counts);
    sched_limiter_init(&a->bound, "ARRAY_MAX_PARALLEL", array_bound(a), false);
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
    a->in_state[w->state]++;
}

static void settle_quarantine(struct array *a, const struct waiting *w)
{
    uint8_t *flags = &a->flags[array_place(a, w->array_index)];
    bool was = (*flags & ARRAY_TASK_QUARANTINED) != 0, is = w->state == ST(HELD) && (w->holds & WAITING_HELD_QUARANTINE) != 0;

    if (was == is)
        return;
    *flags ^= ARRAY_TASK_QUARANTINED;
    a->quarantined += is ? 1 : -1;
}

static void leave(struct array *a, struct waiting *w)
{
    size_t place = array_place(a, w->array_index);

    a->in_state[w->state]--;
    if (a->flags[place] & ARRAY_TASK_QUARANTINED)
        a->quarantined--;
    a->flags[place] &= (uint8_t)~ARRAY_TASK_QUARANTINED;
    a->tasks[place] = NULL;
    a->live--;
}

void arrays_leave_task(struct waiting *w)
{
    struct array *a = w->array;

    if (a == NULL)
        return;
    leave(a, w);
    w->array = NULL;
}

void arrays_task_moved(struct waiting *w, Pb__State from)
{
    struct array *a = w->array;

    if (a == NULL || from == (Pb__State)w->state)
        return;
    a->in_state[from]--;
    a->in_state[w->state]++;
    settle_quarantine(a, w);
    if (w->state == ST(RUNNING) && a->wish == ARRAY_WISH_PAUSE)
        array_sweep(a); /* it was on its way to a worker, where nothing can be paused */
    array_tell_stuck(a);
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
    leave(a, e->entry);
    count(&a->counts, e->outcome);
    if (a->live == 0 && a->fresh == NULL)
        array_end(a);
    else
        array_tell_stuck(a);
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
                array_settle_block(a, i);
    }
}

void arrays_start(struct broker *b)
{
    struct array *a, *next;

    jobs_on_end(&b->jobs, on_job_end, b);
    HASH_ITER (hh, b->plans.arrays.by_id, a, next)
        array_sweep(a); /* its wish goes on; one that has no task left ends */
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
