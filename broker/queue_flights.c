/*
 * queue_flights.c - items that have been handed over and not been sent yet, because their getter is slow to read; see queues.h.
 *
 * A getter that ends takes nothing with it: what the kernel has not taken from us goes back in front of its queue. (What it has taken the getter may have
 * read, so that is gone.) A send to a process that is dead fails, so that nothing handed to one is ever counted as sent.
 */
#include <stdlib.h>

#include "broker/broker.h"
#include "broker/queues_own.h"

/* Numbers of the handles that the getter was given with an item. */
struct flight_handles {
    unsigned n;
    uint32_t whole, *numbers;
};

struct queue_flight {
    struct queue_flight *next, *prev;
    struct queue *queue; /* a reference */
    uint64_t end;        /* where in what its getter is sent the answer ends */
    struct queue_items items;
    struct flight_handles *handles; /* for each item, in their order; NULL: none has any */
};

static void flight_free(struct queue_user *u, struct queue_flight *f)
{
    if (f->prev != NULL)
        f->prev->next = f->next;
    else
        u->flights = f->next;
    if (f->next != NULL)
        f->next->prev = f->prev;
    else
        u->last_flight = f->prev;
    items_free(f->queue->thing.broker, &f->items);
    free(f->handles);
    thing_unref(&f->queue->thing);
    free(f);
}

void flights_look(struct queue_user *u)
{
    uint64_t put, sent;

    asker_sent(u->by, &put, &sent);
    while (u->flights != NULL && u->flights->end <= sent)
        flight_free(u, u->flights);
}

/* One block for them all: the numbers stand behind. NULL: there are none, or no memory, and then they are lost with the getter. */
static struct flight_handles *note_handles(const struct queue_items *items, const struct parcel_told *told)
{
    size_t n = 0, all = 0, k = 0;
    struct flight_handles *ret;
    uint32_t *at;

    for (const struct queue_item *i = items->first; i != NULL; i = i->next, n++)
        all += told[n].value.n_handles + (told[n].value.whole != NULL);
    if (all == 0 || (ret = calloc(1, n * sizeof(*ret) + all * sizeof(*at))) == NULL)
        return NULL;
    at = (uint32_t *)(void *)(ret + n);
    for (; k < n; k++) {
        ret[k] = (struct flight_handles){ .n = (unsigned)told[k].value.n_handles, .numbers = at };
        for (unsigned j = 0; j < ret[k].n; j++)
            *at++ = told[k].told[j].handle;
        ret[k].whole = told[k].value.whole != NULL ? told[k].whole.handle : 0;
    }
    return ret;
}

void flight_begin(struct queue *q, struct asker *to, struct queue_items *items, struct parcel_told *told)
{
    struct queue_user *u = to->queues;
    struct queue_flight *f;
    uint64_t put, sent;

    flights_look(u);
    asker_sent(to, &put, &sent);
    f = put > sent ? calloc(1, sizeof(*f)) : NULL;
    if (f == NULL) {
        items_free(q->thing.broker, items);
        return;
    }
    *f = (struct queue_flight){ .queue = q, .end = put, .items = *items, .handles = note_handles(items, told) };
    *items = (struct queue_items){ 0 };
    thing_ref(&q->thing);
    f->prev = u->last_flight;
    if (u->last_flight != NULL)
        u->last_flight->next = f;
    else
        u->flights = f;
    u->last_flight = f;
}

/* Out of the getter's table again. One that it has given up (it may have guessed the number) is dead in its place. */
static struct handle *take_back(struct asker *by, uint32_t number)
{
    struct handle *h = handle_find(by, number);

    if (h == NULL)
        return calloc(1, sizeof(*h));
    handle_take_back(h);
    return h;
}

static void refill(struct queue_item *i, struct asker *by, const struct flight_handles *had)
{
    for (unsigned k = 0; k < had->n; k++)
        if ((i->parcel.handles[i->parcel.n_handles] = take_back(by, had->numbers[k])) != NULL)
            i->parcel.n_handles++;
    if (had->whole != 0)
        i->parcel.whole = take_back(by, had->whole);
}

static void put_back(struct queue_flight *f, struct asker *by)
{
    struct queue *q = f->queue;
    size_t n = 0;
    struct queue_item *i;

    for (i = f->items.first; i != NULL; i = i->next, n++)
        if (f->handles != NULL)
            refill(i, by, &f->handles[n]);
    while (!q->over && !q->discarded && (i = f->items.last) != NULL) {
        items_take_out(&f->items, i);
        queue_put_back(q, i);
        if (i->lost)
            item_orphaned(q->thing.broker, i);
    }
}

/* The last one first, so that the first is in front; nobody is served before all are back. */
void flights_put_back(struct queue_user *u)
{
    flights_look(u);
    for (struct queue_flight *f = u->last_flight; f != NULL; f = f->prev)
        put_back(f, u->by);
    while (u->flights != NULL) {
        struct queue *q = u->flights->queue;

        thing_ref(&q->thing);
        flight_free(u, u->flights);
        queue_serve(q);
        thing_unref(&q->thing);
    }
}
