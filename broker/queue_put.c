/* queue_put.c - puts: those that can be answered at once, and those that wait for room; see queues.h. */
#include <stdio.h>

#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/queues_own.h"

static void answer_put(struct queue_wait *w)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__QueueTaken taken = PB__QUEUE_TAKEN__INIT;
    struct ask *a = w->ask;

    taken.count = w->in;
    m.body_case = PB__ANSWER__BODY_TAKEN;
    m.taken = &taken;
    wait_free(w);
    ask_reply(a, &m);
}

/* Nothing more goes in. Answers, unless the disk has to first. */
void put_done(struct queue_wait *w)
{
    wait_give_up(w);
    if (w->storing > 0)
        return;
    if (w->stored != 0)
        wait_refuse(w, CE(TEMPORARY), "could not be written to disk");
    else
        answer_put(w);
}

void wait_look(struct queue_wait *w)
{
    if (w->storing > 0 || w->left > 0)
        return;
    if (w->then != NULL)
        w->then(w);
    else if (w->ask != NULL)
        put_done(w);
    else
        wait_free(w);
}

/* As many as there is room for. True: some. */
static bool move_in(struct queue_wait *w)
{
    struct queue *q = w->queue;
    struct queue_item *i;
    size_t counted = w->counted;
    uint32_t before = w->in;

    while ((i = w->items.first) != NULL && queue_fits(q, i)) {
        items_take_out(&w->items, i);
        counted -= w->listed ? i->bytes + QUEUE_ITEM_COST : 0;
        w->in++;
        w->left--;
        queue_append(q, i);
        if (q->durable)
            item_store(q, i, w);
    }
    wait_count(w, counted);
    return w->in > before;
}

/* Who waits longest, and nobody else: none passes. */
bool queue_admit(struct queue *q)
{
    struct queue_wait *w = q->putters.first;
    bool moved = w != NULL && move_in(w);

    if (w != NULL && w->left == 0)
        put_done(w);
    return moved;
}

static void stop_waiting(struct queue_wait *w)
{
    struct queue *q = w->queue;

    thing_ref(&q->thing);
    if (w->in > 0)
        put_done(w);
    else
        wait_refuse(w, CE(QUEUE_FULL), "is full");
    queue_serve(q); /* the next one's items may be smaller */
    thing_unref(&q->thing);
}

static void on_patience_over(void *ctx)
{
    stop_waiting(ctx);
}

/* Its asker has lost interest, or the right to it, or is gone. What is in stays in, and is told of where it can be. */
static void on_put_end(struct ask *a, enum ask_end how)
{
    struct queue_wait *w = a->thing;
    struct queue *q = w->queue;

    thing_ref(&q->thing);
    if (how == ASK_CANCELLED && w->in > 0 && w->storing == 0 && w->stored == 0)
        put_done(w);
    else
        wait_free(w);
    queue_serve(q);
    thing_unref(&q->thing);
}

static size_t waiting_bytes(const struct queue_wait *w)
{
    size_t bytes = 0;

    for (const struct queue_item *i = w->items.first; i != NULL; i = i->next)
        bytes += i->bytes + QUEUE_ITEM_COST;
    return bytes;
}

static bool may_wait(const struct queue_wait *w, size_t bytes)
{
    const struct thing *t = &w->queue->thing;

    return w->user->waiting + bytes <= QUEUE_WAITING_MAX && t->broker->queues.waiting + bytes <= QUEUES_WAITING &&
           estate_has_room(t->estate, ESTATE_QUEUE_WAITING, bytes);
}

/* Into the line, for some time. False: it has been answered. */
static bool stand_in_line(struct queue_wait *w, int64_t timeout_us)
{
    struct loop *l = &w->queue->thing.broker->loop;
    size_t bytes = waiting_bytes(w);

    if (timeout_us == 0 || !may_wait(w, bytes)) {
        if (w->in > 0)
            put_done(w);
        else if (timeout_us == 0)
            wait_refuse(w, CE(QUEUE_FULL), "is full");
        else
            wait_refuse(w, CE(LIMIT), "is full, and too much waits for room already");
        return false;
    }
    wait_line_up(w);
    wait_count(w, bytes);
    w->patience = (struct timer){ .fn = on_patience_over, .ctx = w };
    if (timeout_us > 0)
        timers_arm(&l->timers, &w->patience, l->now_us + (uint64_t)timeout_us);
    return true;
}

static void put(struct queue_wait *w, int64_t timeout_us, struct handle *h)
{
    struct queue *q = w->queue;
    struct ask *a = w->ask;
    bool gone = false;

    thing_ref(&q->thing);
    w->gone = &gone;
    if (q->putters.first == NULL)
        (void)move_in(w);
    if (w->left == 0)
        put_done(w);
    else
        (void)stand_in_line(w, timeout_us);
    if (!gone) {
        w->gone = NULL;
        ask_park(a, ASK_NEVER, on_put_end, w);
        ask_through(a, h);
    }
    queue_serve(q);
    thing_unref(&q->thing);
}

static int at_item(size_t k, struct call_why *why)
{
    (void)snprintf(why->path, sizeof(why->path), "items[%zu]", k + 1);
    return -1;
}

static int take_item(struct queue_wait *w, const Pb__Value *v, Pb__Unbound unbound, size_t k, struct call_why *why)
{
    struct queue_item *i = item_new(w->user, unbound);
    const struct queue *q = w->queue;

    if (i == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    items_push(&w->items, i);
    w->left++;
    if (parcel_take(&i->parcel, w->user->by, q->thing.estate, v, "items", why) != 0)
        return at_item(k, why);
    i->bytes = parcel_bytes(&i->parcel);
    if (i->bytes > q->max_bytes) {
        call_refuse(why, CE(TOO_BIG), "the item counts for %zu bytes, and the whole queue holds %llu", i->bytes,
                    (unsigned long long)q->max_bytes);
        return at_item(k, why);
    }
    if (q->durable && parcel_handles(&i->parcel) > 0) {
        call_refuse(why, CE(NOT_SHAREABLE), "the queue is durable, and no handle survives the broker");
        return at_item(k, why);
    }
    return 0;
}

static int check_put(const struct queue *q, const Pb__QueuePut *m, struct call_why *why)
{
    if (m->timeout_us < -1)
        return call_refuse(why, CE(BAD_REQUEST), "a timeout is -1, for ever, or not below 0");
    if ((unsigned)m->unbound > UB(PERSIST))
        return call_refuse(why, CE(BAD_REQUEST), "no such policy for items whose sender ends");
    if (m->n_items > QUEUE_BATCH)
        return call_refuse(why, CE(TOO_BIG), "at most %u items go in one put", QUEUE_BATCH);
    if (q->closed)
        return call_refuse(why, CE(CLOSED), "queue %s is closed", q->thing.name[0] != '\0' ? q->thing.name : q->thing.id);
    return 0;
}

void call_queue_put(struct ask *a)
{
    const Pb__QueuePut *m = a->message->queue_put;
    struct queue_user *u = queue_user(a->by);
    struct queue_wait *w = NULL;
    struct handle *h;
    struct thing *t;
    struct call_why why;
    int rc = ref_find(a->by, m->queue, PB__KIND__KIND_QUEUE, PB__RIGHT__RIGHT_SEND, &t, &h, &why);

    if (rc == 0)
        rc = check_put(queue_of(t), m, &why);
    if (rc == 0 && (u == NULL || (w = wait_new(queue_of(t), a)) == NULL))
        rc = call_refuse(&why, CE(TEMPORARY), "out of memory");
    if (w != NULL)
        w->user = u;
    for (size_t k = 0; rc == 0 && k < m->n_items; k++)
        rc = take_item(w, m->items[k], m->unbound != UB(NONE) ? m->unbound : queue_of(t)->unbound, k, &why);
    if (rc == 0) {
        put(w, m->timeout_us, h);
        return;
    }
    if (w != NULL)
        wait_free(w);
    ask_fail_why(a, &why);
}
