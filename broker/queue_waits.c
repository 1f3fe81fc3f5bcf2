/* queue_waits.c - who stands in line at a queue, and is served in turn; see queues.h. */
#include <stdio.h>
#include <stdlib.h>

#include "broker/broker.h"
#include "broker/queues_own.h"

/* ---- the lines ---------------------------------------------------------------------------------------------------------------------- */

static struct queue_waits *line_of(struct queue_wait *w)
{
    return w->user != NULL ? &w->queue->putters : &w->queue->getters;
}

void wait_line_up(struct queue_wait *w)
{
    struct queue_waits *l = line_of(w);

    w->prev = l->last;
    w->next = NULL;
    if (l->last != NULL)
        l->last->next = w;
    else
        l->first = w;
    l->last = w;
    l->count++;
    w->listed = true;
}

static void leave_line(struct queue_wait *w)
{
    struct queue_waits *l = line_of(w);

    if (!w->listed)
        return;
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        l->first = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        l->last = w->prev;
    w->next = w->prev = NULL;
    l->count--;
    w->listed = false;
}

/* What waits is the broker's to keep, beside what the queue may hold. */
void wait_count(struct queue_wait *w, size_t bytes)
{
    struct broker *b = w->queue->thing.broker;

    estate_count(w->queue->thing.estate, ESTATE_QUEUE_WAITING, (int64_t)bytes - (int64_t)w->counted);
    w->user->waiting = w->user->waiting - w->counted + bytes;
    b->queues.waiting = b->queues.waiting - w->counted + bytes;
    w->counted = bytes;
    if (w->user->most_waiting < w->user->waiting)
        w->user->most_waiting = w->user->waiting;
}

struct queue_wait *wait_new(struct queue *q, struct ask *a)
{
    struct queue_wait *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->queue = q;
    w->ask = a;
    thing_ref(&q->thing);
    return w;
}

/* What is left of a put does not go in any more. */
void wait_give_up(struct queue_wait *w)
{
    struct broker *b = w->queue->thing.broker;

    leave_line(w);
    if (w->user != NULL) {
        wait_count(w, 0);
        timers_cancel(&b->loop.timers, &w->patience);
    }
    items_free(b, &w->items);
    w->left = 0;
}

void wait_free(struct queue_wait *w)
{
    wait_give_up(w);
    w->ask = NULL;
    w->user = NULL; /* it may end before the store is done */
    if (w->storing > 0)
        return;
    if (w->gone != NULL)
        *w->gone = true;
    thing_unref(&w->queue->thing);
    free(w);
}

void wait_refuse(struct queue_wait *w, Pb__CallError error, const char *what)
{
    struct ask *a = w->ask;
    const struct thing *t = &w->queue->thing;
    char name[LIMITS_NAME + 1];

    (void)snprintf(name, sizeof(name), "%s", t->name[0] != '\0' ? t->name : t->id);
    wait_free(w);
    ask_fail(a, error, "queue %s %s", name, what);
}

/* ---- serving ------------------------------------------------------------------------------------------------------------------------ */

void queue_turn_away(struct queue_waits *l)
{
    while (l->first != NULL) {
        struct queue_wait *w = l->first;

        if (w->in > 0)
            put_done(w);
        else
            wait_refuse(w, CE(CLOSED), "is closed");
    }
}

/* Until nobody can be served. An answer may bring another round about, within this one: that is done here too. */
void queue_serve(struct queue *q)
{
    bool more = true;

    if (q->serving)
        return;
    q->serving = true;
    thing_ref(&q->thing);
    while (more) {
        more = queue_admit(q);
        more |= queue_hand_over(q);
    }
    if (q->closed && q->items.first == NULL)
        queue_turn_away(&q->getters);
    q->serving = false;
    thing_unref(&q->thing);
}
