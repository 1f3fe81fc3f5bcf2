/* arrays_look.c - an array as a status, and who waits for its end; see arrays.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays_own.h"
#include "broker/arrays_verbs.h"
#include "broker/broker.h"
#include "broker/plans_own.h"

#define ST(name) PB__STATE__STATE_##name
#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name
enum { WAITERS_OF_PEER = CONTROL_PARKED };

/* ---- a status ------------------------------------------------------------------------------------------------------------------------------ */

/* From the furthest on. */
static const Pb__State by_progress[] = { ST(RUNNING), ST(STARTING),   ST(FINISHING), ST(CLAIMED), ST(PAUSED),
                                         ST(READY),   ST(RETRY_WAIT), ST(SCHEDULED), ST(BLOCKED), ST(HELD) };
enum { HAVE_SLOTS = 4 };

static void count_live(const struct array *a, Pb__ArrayCounts *c)
{
    c->waiting = a->fresh != NULL ? a->fresh->n - a->fresh->at : 0;
    c->running = 0;
    for (unsigned s = 0; s < JOB_STATES; s++) {
        if (job_waits((Pb__State)s))
            c->waiting += a->in_state[s];
        else
            c->running += a->in_state[s];
    }
    c->held = a->in_state[ST(HELD)];
    c->quarantined = a->quarantined;
    c->paused = a->in_state[ST(PAUSED)];
}

/* Those in quarantine are named, where there is one. */
static void name_held(const struct array *a, struct array_look *own)
{
    size_t all = a->quarantined > 0 ? a->quarantined : a->in_state[ST(HELD)], left = all < ARRAYS_NAMED ? all : ARRAYS_NAMED;

    own->counts.held_index = own->held;
    for (size_t i = 0; i < a->n && left > 0; i++) {
        const struct waiting *w = a->tasks[i];

        if (w == NULL || w->state != ST(HELD) || (a->quarantined > 0 && (a->flags[i] & ARRAY_TASK_QUARANTINED) == 0))
            continue;
        own->held[own->counts.n_held_index++] = w->array_index;
        left--;
    }
}

bool array_is_stuck(const struct array *a)
{
    return a->fresh == NULL && a->live > 0 && a->in_state[ST(HELD)] == a->live;
}

static const struct waiting *first_in(const struct array *a, Pb__State state)
{
    bool bad = state == ST(HELD) && a->quarantined > 0;

    for (size_t i = 0; i < a->n; i++)
        if (a->tasks[i] != NULL && a->tasks[i]->state == state && (!bad || (a->flags[i] & ARRAY_TASK_QUARANTINED) != 0))
            return a->tasks[i];
    return NULL;
}

const struct waiting *array_first_waiting(const struct array *a)
{
    for (size_t i = 0; i < sizeof(by_progress) / sizeof(by_progress[0]); i++)
        if (job_waits(by_progress[i]) && a->in_state[by_progress[i]] > 0)
            return first_in(a, by_progress[i]);
    return NULL;
}

/* That of the task that has come furthest, and why it waits. */
static void fill_live(const struct array *a, struct array_look *own, Pb__JobStatus *ret)
{
    const struct waiting *w;

    ret->state = a->fresh != NULL ? a->fresh->row.state : ST(RUNNING);
    ret->reason = own->reason;
    for (size_t i = 0; i < sizeof(by_progress) / sizeof(by_progress[0]); i++) {
        if (a->in_state[by_progress[i]] == 0)
            continue;
        ret->state = i < HAVE_SLOTS ? ST(RUNNING) : by_progress[i];
        w = job_waits(ret->state) ? first_in(a, ret->state) : NULL;
        if (w != NULL)
            (void)jobs_reason(&a->broker->jobs, w, own->reason);
        return;
    }
}

static void fill_row(struct broker *b, struct array_look *own, Pb__JobStatus *ret)
{
    const struct tenant *t = tenants_find(&b->tenants, own->row.tenant);

    pb__job_status__init(ret);
    ret->id = own->row.id;
    ret->name = own->row.name;
    ret->engine = own->row.engine;
    ret->queue = own->row.queue;
    ret->tenant = t != NULL ? (char *)t->name : (char *)"";
    ret->class_ = own->row.class;
    ret->priority = own->row.prio;
    ret->submitted_us = own->row.submitted_us;
    ret->not_before_us = own->row.not_before_us;
    ret->is_array = true;
    own->counts.tasks = own->row.tasks;
    ret->tasks = &own->counts;
}

static void fill_end(struct array_look *own, Pb__JobStatus *ret)
{
    const Pb__ArrayCounts *c = &own->counts;

    ret->state = array_outcome(c);
    if (ret->state == ST(SUCCEEDED))
        ret->cause = PB__CAUSE__CAUSE_OK;
    else if (ret->state == ST(CANCELLED))
        ret->cause = PB__CAUSE__CAUSE_CANCELLED;
    if (c->failed + c->cancelled > 0)
        snprintf(own->detail, sizeof(own->detail), "of %llu tasks %llu failed, %llu were cancelled", (unsigned long long)c->tasks,
                 (unsigned long long)c->failed, (unsigned long long)c->cancelled);
    ret->cause_detail = own->detail;
}

void array_fill_status(const struct array *a, struct array_look *own, Pb__JobStatus *ret)
{
    *own = (struct array_look){ .row = a->row, .counts = a->counts };
    count_live(a, &own->counts);
    fill_row(a->broker, own, ret);
    if (a->live == 0 && a->fresh == NULL) {
        fill_end(own, ret);
        return;
    }
    name_held(a, own);
    fill_live(a, own, ret);
}

int arrays_status(struct broker *b, const char *id, struct array_look *own, Pb__JobStatus *ret)
{
    const struct array *a = arrays_find(b, id);
    int rc;

    if (a != NULL) {
        array_fill_status(a, own, ret);
        return 0;
    }
    *own = (struct array_look){ 0 };
    pb__array_counts__init(&own->counts);
    rc = store_find_array(b->store, id, NULL, 0, &own->row);
    if (rc == 0 && own->row.ended_us == 0) /* the note of its end is on the way */
        rc = store_array_counts(b->store, id, &own->counts);
    else
        own->counts = own->row.counts;
    if (rc != 0)
        return rc;
    fill_row(b, own, ret);
    if (own->counts.waiting + own->counts.running == 0)
        fill_end(own, ret);
    else
        ret->state = ST(RUNNING);
    return 0;
}

/* ---- waiting for its end ------------------------------------------------------------------------------------------------------------------- */

struct array_waiter {
    struct array *array;
    struct rep_way way;
    struct timer deadline;
    bool was_stuck; /* when it was asked */
    struct array_waiter *next;
};

static void free_waiter(struct array_waiter *w)
{
    timers_cancel(&w->array->broker->loop.timers, &w->deadline);
    free(w);
}

static void unlink_waiter(struct array_waiter *w)
{
    struct array_waiter **at = &w->array->waiters;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

static void answer(const struct array *a, struct rep_way way)
{
    struct array_look own;
    Pb__JobStatus status;

    array_fill_status(a, &own, &status);
    verb_reply_wait(a->broker, way, &status);
}

static void on_deadline(void *ctx)
{
    struct array_waiter *w = ctx;

    unlink_waiter(w);
    answer(w->array, w->way);
    free_waiter(w);
}

void array_answer_waiters(struct array *a)
{
    while (a->waiters != NULL) {
        struct array_waiter *w = a->waiters;

        a->waiters = w->next;
        answer(a, w->way);
        free_waiter(w);
    }
}

/* It may stay so for ever: who waits for its end is to know. */
void array_tell_stuck(struct array *a)
{
    struct array_waiter **at = &a->waiters, *w;

    if (a->waiters == NULL || !array_is_stuck(a))
        return;
    while ((w = *at) != NULL) {
        if (w->was_stuck) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        answer(a, w->way);
        free_waiter(w);
    }
}

void arrays_drop_peer(struct broker *b, uint32_t peer)
{
    struct array *a, *next;

    HASH_ITER (hh, b->plans.arrays.by_id, a, next) {
        struct array_waiter *w, *after;

        for (w = a->waiters; w != NULL; w = after) {
            after = w->next;
            if (w->way.peer != peer)
                continue;
            unlink_waiter(w);
            free_waiter(w);
        }
    }
}

static unsigned waiters_of(const struct broker *b, uint32_t peer)
{
    struct array *a, *next;
    unsigned n = 0;

    HASH_ITER (hh, b->plans.arrays.by_id, a, next) {
        for (const struct array_waiter *w = a->waiters; w != NULL; w = w->next)
            n += w->way.peer == peer;
    }
    return n;
}

void array_verb_wait(struct control_call *c)
{
    struct broker *b = c->broker;
    struct array *a = arrays_find(b, c->id);
    uint64_t timeout_ms = c->request->wait->timeout_ms < CONTROL_WAIT_MS ? c->request->wait->timeout_ms : CONTROL_WAIT_MS;
    struct array_look own;
    Pb__JobStatus status;
    struct array_waiter *w;

    if (a == NULL || timeout_ms == 0) {
        if (arrays_status(b, c->id, &own, &status) == 0)
            verb_reply_wait(b, c->way, &status);
        else
            control_refuse(b, c->way, ER(INTERNAL), "array %s cannot be read", c->id);
        return;
    }
    w = waiters_of(b, c->way.peer) < WAITERS_OF_PEER ? calloc(1, sizeof(*w)) : NULL;
    if (w == NULL) {
        control_refuse(b, c->way, ER(QUOTA), "this connection has %d requests waiting already", WAITERS_OF_PEER);
        return;
    }
    *w = (struct array_waiter){
        .array = a, .way = c->way, .deadline = {.fn = on_deadline, .ctx = w},
                .was_stuck = array_is_stuck(a), .next = a->waiters
    };
    a->waiters = w;
    timers_arm(&b->loop.timers, &w->deadline, b->loop.now_us + timeout_ms * 1000);
}
