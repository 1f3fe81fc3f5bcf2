/* control_wait.c - requests that wait for something about their job; see control.h. */
#include <stdlib.h>

#include "broker/broker.h"
#include "broker/control_own.h"
#include "broker/control_verbs.h"

static void waiter_free(struct waiter *w)
{
    struct control_peer *p = control_find_peer(&w->broker->control, w->way.peer);

    if (p != NULL)
        p->parked--;
    timers_cancel(&w->broker->loop.timers, &w->deadline);
    jobs_tidy_soon(&w->broker->jobs);
    free(w->bytes);
    free(w);
}

static void unlink_waiter(struct waiter *w)
{
    struct waiter **at = &w->job->waiters;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

static void on_deadline(void *ctx)
{
    struct waiter *w = ctx;

    unlink_waiter(w);
    verb_answer(w, 1);
    waiter_free(w);
}

struct waiter *control_park(struct broker *b, struct job *job, struct rep_way way, Pb__Request__BodyCase kind, uint32_t timeout_ms)
{
    struct control_peer *p = control_find_peer(&b->control, way.peer);
    struct waiter *w;

    if (p == NULL || p->parked >= CONTROL_PARKED || (w = calloc(1, sizeof(*w))) == NULL) {
        control_refuse(b, way, PB__ERROR_CODE__ERROR_CODE_QUOTA, "this connection has %d requests waiting already", CONTROL_PARKED);
        return NULL;
    }
    p->parked++;
    w->broker = b;
    w->job = job;
    w->way = way;
    w->kind = kind;
    w->deadline = (struct timer){ .fn = on_deadline, .ctx = w };
    w->next = job->waiters;
    job->waiters = w;
    if (timeout_ms > CONTROL_WAIT_MS)
        timeout_ms = CONTROL_WAIT_MS;
    timers_arm(&b->loop.timers, &w->deadline, b->loop.now_us + (uint64_t)timeout_ms * 1000);
    return w;
}

void control_wake(struct job *job)
{
    struct waiter **at = &job->waiters;

    while (*at != NULL) {
        struct waiter *w = *at;

        if (verb_answer(w, 0)) {
            *at = w->next;
            waiter_free(w);
        } else {
            at = &w->next;
        }
    }
}

void control_release(struct job *job, const struct store_finish *f)
{
    while (job->waiters != NULL) {
        struct waiter *w = job->waiters;

        job->waiters = w->next;
        verb_answer_ended(w, f);
        waiter_free(w);
    }
}

void control_drop_waiters(struct broker *b, uint32_t peer)
{
    struct job *job, *next;

    HASH_ITER (hh, b->jobs.by_id, job, next) {
        struct waiter **at = &job->waiters;

        while (*at != NULL) {
            struct waiter *w = *at;

            if (w->way.peer == peer) {
                *at = w->next;
                waiter_free(w);
            } else {
                at = &w->next;
            }
        }
    }
}
