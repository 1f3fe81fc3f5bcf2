/*
 * queue_store.c - durable queues: what is promised of them is on disk before it is promised; see queues.h.
 *
 * A put is answered when its items are committed. An item that is taken leaves the disk with a commit soon after: a broker that is killed in between
 * hands it out once more. So each is delivered at least once, and, as long as the broker lives, exactly once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/queues_own.h"
#include "log.h"

/* ---- what the store has to say first -------------------------------------------------------------------------------------------------- */

static void note_storing(struct queue_wait *w)
{
    struct queue_wait **all = &w->queue->thing.broker->queues.storing;

    if (w->storing++ > 0)
        return;
    w->storing_prev = NULL;
    w->storing_next = *all;
    if (*all != NULL)
        (*all)->storing_prev = w;
    *all = w;
}

static void note_stored(struct queue_wait *w)
{
    if (--w->storing > 0)
        return;
    if (w->storing_prev != NULL)
        w->storing_prev->storing_next = w->storing_next;
    else
        w->queue->thing.broker->queues.storing = w->storing_next;
    if (w->storing_next != NULL)
        w->storing_next->storing_prev = w->storing_prev;
}

/* It is not to be had either: its put says that it failed. */
static void drop_row(struct queue *q, uint64_t row)
{
    struct queue_item *i = q->items.first;

    while (i != NULL && i->row != row)
        i = i->next;
    if (i == NULL)
        return;
    i->row = 0;
    queue_take_out(q, i);
    item_free(q->thing.broker, i);
}

static void on_stored(struct store_op *op)
{
    struct queue_wait *w = op->owner;
    struct queue *q = w->queue;

    thing_ref(&q->thing);
    if (op->status != 0) {
        w->stored = op->status;
        if (op->kind == STORE_QUEUE_PUT)
            drop_row(q, op->item.row);
        log_event(LOG_LEVEL_ERROR, "queue_not_stored", "queue=%s error=\"%s\"", q->thing.id, strerror(-op->status));
    }
    note_stored(w);
    wait_look(w);
    queue_serve(q);
    thing_unref(&q->thing);
}

static struct store_op *new_op(enum store_kind kind, struct queue *q, struct queue_wait *w)
{
    struct store_op *op = store_op_new(kind, q->thing.id);

    if (op == NULL) {
        w->stored = -ENOMEM;
        return NULL;
    }
    op->owner = w;
    op->done = on_stored;
    return op;
}

static void push(struct store_op *op)
{
    struct queue_wait *w = op->owner;

    note_storing(w);
    store_push(w->queue->thing.broker->store, op);
}

/* ---- items ------------------------------------------------------------------------------------------------------------------------------ */

void item_store(struct queue *q, struct queue_item *i, struct queue_wait *w)
{
    struct store_op *op = new_op(STORE_QUEUE_PUT, q, w);

    if (op == NULL)
        return;
    op->item.row = ++q->thing.broker->queues.last_row;
    op->item.unbound = (uint32_t)i->unbound;
    memcpy(op->item.sender, i->from, sizeof(i->from));
    op->item.value = (struct store_blob){ malloc(i->parcel.len + 1), i->parcel.len };
    if (op->item.value.bytes == NULL) {
        store_op_free(op);
        w->stored = -ENOMEM;
        return;
    }
    if (i->parcel.len > 0)
        memcpy(op->item.value.bytes, i->parcel.cbor, i->parcel.len);
    i->row = op->item.row;
    push(op);
}

void item_unstore(struct broker *b, struct queue_item *i)
{
    struct store_op *op = b->queues.leaving ? NULL : store_op_new(STORE_QUEUE_TAKE, "");

    if (op != NULL) {
        op->item.row = i->row;
        store_push(b->store, op);
    }
    i->row = 0;
}

/* ---- queues ----------------------------------------------------------------------------------------------------------------------------- */

int queue_store_add(struct queue *q, struct queue_wait *w)
{
    struct store_op *op = new_op(STORE_QUEUE_ADD, q, w);

    if (op == NULL)
        return -ENOMEM;
    memcpy(op->queue.id, q->thing.id, sizeof(op->queue.id));
    memcpy(op->queue.name, q->thing.name, sizeof(q->thing.name));
    op->queue.tenant = q->thing.tenant;
    op->queue.max_items = q->max_items;
    op->queue.max_bytes = q->max_bytes;
    op->queue.unbound = (uint32_t)q->unbound;
    push(op);
    return 0;
}

int queue_store_close(struct queue *q, struct queue_wait *w, bool discard)
{
    struct store_op *op = new_op(STORE_QUEUE_CLOSE, q, w);

    if (op == NULL)
        return -ENOMEM;
    op->discard = discard;
    push(op);
    return 0;
}

int queue_store_remove(struct queue *q, struct queue_wait *w)
{
    struct store_op *op = new_op(STORE_QUEUE_REMOVE, q, w);

    if (op == NULL)
        return -ENOMEM;
    push(op);
    return 0;
}

/* ---- a new broker --------------------------------------------------------------------------------------------------------------------------- */

/* Every sender has ended: each was a connection to a broker that is gone, or a job of its. */
static int recover_item(void *ctx, const struct store_queue_item *stored)
{
    struct queue *q = ctx;
    struct broker *b = q->thing.broker;
    struct queue_item *i = item_new(NULL, (Pb__Unbound)stored->unbound);

    if (i == NULL)
        return -ENOMEM;
    i->row = stored->row;
    if (b->queues.last_row < stored->row)
        b->queues.last_row = stored->row;
    memcpy(i->from, stored->sender, sizeof(i->from));
    if (stored->len > 0 && (i->parcel.cbor = malloc(stored->len)) == NULL) {
        free(i);
        return -ENOMEM;
    }
    if (stored->len > 0)
        memcpy(i->parcel.cbor, stored->value, i->parcel.len = stored->len);
    i->bytes = parcel_bytes(&i->parcel);
    queue_append(q, i);
    item_orphaned(b, i);
    return 0;
}

static int recover_queue(void *ctx, const struct store_queue *stored)
{
    struct broker *b = ctx;
    Pb__QueueCreate m = PB__QUEUE_CREATE__INIT;
    struct estate *e = estate_get(b, stored->tenant);
    struct queue *q;

    m.max_items = stored->max_items;
    m.max_bytes = stored->max_bytes;
    m.unbound = (Pb__Unbound)stored->unbound;
    m.durable = true;
    q = e != NULL ? queue_new(e, &m) : NULL;
    estate_unref(e); /* the queue has its own */
    if (q == NULL)
        return -ENOMEM;
    q->of_host = true;
    q->closed = stored->closed;
    memcpy(q->thing.id, stored->id, sizeof(q->thing.id));
    if (thing_register(&q->thing, stored->name) != 0) {
        thing_unref(&q->thing);
        return -EUCLEAN;
    }
    queue_reserve(q);
    return store_each_queue_item(b->store, stored->id, recover_item, q);
}

int queues_recover(struct broker *b)
{
    return store_each_queue(b->store, recover_queue, b);
}
