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

static void count_live(const struct array *a, Pb__ArrayCounts *c)
{
    c->waiting = a->fresh != NULL ? a->fresh->n - a->fresh->at : 0;
    for (size_t i = 0; i < a->n; i++) {
        if (a->tasks[i] == NULL)
            continue;
        if (job_waits((Pb__State)a->tasks[i]->state))
            c->waiting++;
        else
            c->running++;
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
    char on[ULID_LEN + 1];

    *own = (struct array_look){ .row = a->row, .counts = a->counts };
    count_live(a, &own->counts);
    fill_row(a->broker, own, ret);
    if (a->live == 0 && a->fresh == NULL) {
        fill_end(own, ret);
        return;
    }
    ret->state = ST(RUNNING);
    if (a->wish == ARRAY_WISH_HOLD)
        snprintf(own->reason, sizeof(own->reason), "HELD_USER");
    else if (a->unmet > 0 && deps_first(a->broker, a->row.id, on))
        snprintf(own->reason, sizeof(own->reason), "DEP:%s", on);
    ret->reason = own->reason;
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
                .next = a->waiters
    };
    a->waiters = w;
    timers_arm(&b->loop.timers, &w->deadline, b->loop.now_us + timeout_ms * 1000);
}
