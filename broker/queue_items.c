/* queue_items.c - what is in queues, in the order in which it came, and what becomes of it when its sender ends; see queues.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/queues_own.h"

/* ---- lists ------------------------------------------------------------------------------------------------------------------------ */

void items_push(struct queue_items *l, struct queue_item *i)
{
    i->next = NULL;
    i->prev = l->last;
    if (l->last != NULL)
        l->last->next = i;
    else
        l->first = i;
    l->last = i;
}

static void items_push_front(struct queue_items *l, struct queue_item *i)
{
    i->prev = NULL;
    i->next = l->first;
    if (l->first != NULL)
        l->first->prev = i;
    else
        l->last = i;
    l->first = i;
}

void items_take_out(struct queue_items *l, struct queue_item *i)
{
    if (i->prev != NULL)
        i->prev->next = i->next;
    else
        l->first = i->next;
    if (i->next != NULL)
        i->next->prev = i->prev;
    else
        l->last = i->prev;
    i->next = i->prev = NULL;
}

bool queue_fits(const struct queue *q, const struct queue_item *i)
{
    return q->n_items < q->max_items && q->bytes + i->bytes <= q->max_bytes;
}

static void count_in(struct queue *q, struct queue_item *i)
{
    i->queue = q;
    q->n_items++;
    q->bytes += i->bytes;
}

void queue_append(struct queue *q, struct queue_item *i)
{
    items_push(&q->items, i);
    count_in(q, i);
    q->put_total++;
}

/* It may be one too many for a moment: nothing is put until there is room again. */
void queue_put_back(struct queue *q, struct queue_item *i)
{
    items_push_front(&q->items, i);
    count_in(q, i);
    q->got_total--;
}

void queue_take_out(struct queue *q, struct queue_item *i)
{
    items_take_out(&q->items, i);
    i->queue = NULL;
    q->n_items--;
    q->bytes -= i->bytes;
}

/* ---- an item's life ----------------------------------------------------------------------------------------------------------------- */

static void link_sender(struct queue_item *i, struct queue_user *from)
{
    i->sender = from;
    i->sent_next = from->sent;
    if (i->sent_next != NULL)
        i->sent_next->sent_prev = i;
    from->sent = i;
}

static void unlink_sender(struct queue_item *i)
{
    if (i->sender == NULL)
        return;
    if (i->sent_prev != NULL)
        i->sent_prev->sent_next = i->sent_next;
    else
        i->sender->sent = i->sent_next;
    if (i->sent_next != NULL)
        i->sent_next->sent_prev = i->sent_prev;
    i->sender = NULL;
    i->sent_next = i->sent_prev = NULL;
}

struct queue_item *item_new(struct queue_user *from, Pb__Unbound unbound)
{
    struct queue_item *i = calloc(1, sizeof(*i));
    const struct worker *w = from != NULL ? from->by->worker : NULL;

    if (i == NULL)
        return NULL;
    i->unbound = unbound;
    if (from != NULL && unbound != UB(PERSIST))
        link_sender(i, from);
    if (w != NULL && w->job != NULL)
        memcpy(i->from, w->job->id, sizeof(i->from));
    return i;
}

static void bury(struct broker *b)
{
    struct queue_item *i;

    b->queues.burying = true;
    while ((i = b->queues.dead) != NULL) {
        b->queues.dead = i->next;
        parcel_finish(&i->parcel);
        free(i);
    }
    b->queues.burying = false;
}

/*
 * What is in it may hold the last handle of another queue, in which there is another item, and so on for as long as somebody likes: so one is freed
 * after the other, not within the other.
 */
void item_free(struct broker *b, struct queue_item *i)
{
    unlink_sender(i);
    if (i->row != 0)
        item_unstore(b, i);
    i->next = b->queues.dead;
    b->queues.dead = i;
    if (!b->queues.burying)
        bury(b);
}

void items_free(struct broker *b, struct queue_items *l)
{
    struct queue_item *i;

    while ((i = l->first) != NULL) {
        items_take_out(l, i);
        item_free(b, i);
    }
}

/* ---- the end of a sender --------------------------------------------------------------------------------------------------------------- */

/*
 * The value goes; that there was one stays. Its parcel is freed as any item is, and last of all: the last handle of its own queue may be in it, and then the
 * queue ends, and the item with it.
 */
static void empty(struct broker *b, struct queue_item *i)
{
    struct queue_item *shell = calloc(1, sizeof(*shell));

    if (i->queue != NULL)
        i->queue->bytes -= i->bytes;
    i->bytes = 0;
    i->orphan = true;
    if (shell == NULL)
        return;
    shell->parcel = i->parcel;
    i->parcel = (struct parcel){ 0 };
    item_free(b, shell); /* last: it may hold the last handle of the queue that i is in, and i is gone then */
}

void item_orphaned(struct broker *b, struct queue_item *i)
{
    unlink_sender(i);
    if (i->unbound == UB(PERSIST) || i->orphan)
        return;
    if (i->unbound != UB(REMOVE)) {
        empty(b, i);
        return;
    }
    if (i->queue != NULL)
        queue_take_out(i->queue, i);
    item_free(b, i);
}

/*
 * From the start again after each, and each queue is served when all are done: serving ends asks and hands items over. One that is on its way to a
 * getter is that one's; should it come back, it is an orphan's then.
 */
void items_forget_sender(struct queue_user *u)
{
    struct broker *b = u->by->broker;

    while (u->sent != NULL) {
        struct queue_item *i = u->sent;
        struct queue *q = i->queue;

        if (q == NULL) {
            unlink_sender(i);
            i->lost = true;
            continue;
        }
        thing_ref(&q->thing);
        item_orphaned(b, i);
        queue_serve(q);
        thing_unref(&q->thing);
    }
}
