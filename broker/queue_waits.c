/* queue_waits.c - puts and gets: those that can be answered at once, and those that stand in line; see queues.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/queues_own.h"

/* ---- the lines ---------------------------------------------------------------------------------------------------------------------- */

static struct queue_waits *line_of(struct queue_wait *w)
{
    return w->user != NULL ? &w->queue->putters : &w->queue->getters;
}

static void line_up(struct queue_wait *w)
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
static void count_waiting(struct queue_wait *w, size_t bytes)
{
    struct broker *b = w->queue->thing.broker;

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
static void give_up_rest(struct queue_wait *w)
{
    struct broker *b = w->queue->thing.broker;

    leave_line(w);
    if (w->user != NULL) {
        count_waiting(w, 0);
        timers_cancel(&b->loop.timers, &w->patience);
    }
    items_free(b, &w->items);
    w->left = 0;
}

void wait_free(struct queue_wait *w)
{
    give_up_rest(w);
    w->ask = NULL;
    w->user = NULL; /* it may end before the store is done */
    if (w->storing > 0)
        return;
    if (w->gone != NULL)
        *w->gone = true;
    thing_unref(&w->queue->thing);
    free(w);
}

static void refuse(struct queue_wait *w, Pb__CallError error, const char *what)
{
    struct ask *a = w->ask;
    const struct thing *t = &w->queue->thing;
    char name[LIMITS_NAME + 1];

    (void)snprintf(name, sizeof(name), "%s", t->name[0] != '\0' ? t->name : t->id);
    wait_free(w);
    ask_fail(a, error, "queue %s %s", name, what);
}

/* ---- putting ------------------------------------------------------------------------------------------------------------------------ */

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
static void put_done(struct queue_wait *w)
{
    give_up_rest(w);
    if (w->storing > 0)
        return;
    if (w->stored != 0)
        refuse(w, CE(TEMPORARY), "could not be written to disk");
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
    count_waiting(w, counted);
    return w->in > before;
}

/* Who waits longest, and nobody else: none passes. */
static bool admit(struct queue *q)
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
        refuse(w, CE(QUEUE_FULL), "is full");
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
    return w->user->waiting + bytes <= QUEUE_WAITING_MAX && w->queue->thing.broker->queues.waiting + bytes <= QUEUES_WAITING;
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
            refuse(w, CE(QUEUE_FULL), "is full");
        else
            refuse(w, CE(LIMIT), "is full, and too much waits for room already");
        return false;
    }
    line_up(w);
    count_waiting(w, bytes);
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
    if (parcel_take(&i->parcel, w->user->by, v, "items", why) != 0)
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

/* ---- getting ------------------------------------------------------------------------------------------------------------------------ */

/* What is handed over in one answer. */
struct handover {
    size_t n, bytes;
    Pb__QueueItem *items, **list;
    struct parcel_told *told;
    struct queue_items taken;
};

static bool handover_init(struct handover *o, size_t most)
{
    *o = (struct handover){ .items = calloc(most, sizeof(*o->items)) };
    o->list = calloc(most, sizeof(Pb__QueueItem *));
    o->told = calloc(most, sizeof(*o->told));
    return o->items != NULL && o->list != NULL && o->told != NULL;
}

static void handover_finish(struct handover *o)
{
    for (size_t k = 0; k < o->n; k++)
        parcel_told_finish(&o->told[k]);
    free(o->items);
    free(o->list);
    free(o->told);
}

static bool says_destroyed(const struct queue_item *i)
{
    return i->orphan && i->unbound == UB(ERROR);
}

static int add_item(struct handover *o, struct queue *q, struct queue_item *i, struct asker *to, struct call_why *why)
{
    Pb__QueueItem *m = &o->items[o->n];

    if (parcel_give(&i->parcel, to, &o->told[o->n], why) != 0)
        return -1;
    pb__queue_item__init(m);
    m->sender = i->from;
    if (i->orphan)
        m->unbound = i->unbound;
    else
        m->value = &o->told[o->n].value;
    o->bytes += i->bytes;
    o->list[o->n++] = m;
    queue_take_out(q, i);
    items_push(&o->taken, i);
    q->got_total++;
    return 0;
}

/* Up to max items; at least one, or -1 with why. */
static int gather(struct handover *o, struct queue *q, struct asker *to, uint32_t max, struct call_why *why)
{
    struct queue_item *i;

    while (o->n < max && (i = q->items.first) != NULL && !says_destroyed(i) && (o->n == 0 || o->bytes + i->bytes <= QUEUE_GET_BYTES))
        if (add_item(o, q, i, to, why) != 0)
            return o->n > 0 ? 0 : -1;
    return 0;
}

static void answer_get(struct queue_wait *w, struct handover *o)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__QueueItems items = PB__QUEUE_ITEMS__INIT;
    struct queue *q = w->queue;
    struct ask *a = w->ask;
    struct asker *to = a->by;

    items.n_items = o->n;
    items.items = o->list;
    items.closed = q->closed && q->n_items == 0;
    m.body_case = PB__ANSWER__BODY_ITEMS;
    m.items = &items;
    thing_ref(&q->thing);
    wait_free(w);
    ask_reply(a, &m);
    flight_begin(q, to, &o->taken, o->told);
    thing_unref(&q->thing);
}

static void hand_over(struct queue_wait *w)
{
    struct queue *q = w->queue;
    struct handover o;
    struct call_why why = { .error = CE(TEMPORARY), .message = "out of memory" };
    uint32_t max = w->max < q->n_items ? w->max : q->n_items;

    if (says_destroyed(q->items.first)) {
        struct queue_item *i = q->items.first;

        queue_take_out(q, i);
        q->got_total++;
        item_free(q->thing.broker, i);
        refuse(w, CE(ITEM_DESTROYED), "had an item whose sender has ended");
        return;
    }
    if (handover_init(&o, max) && gather(&o, q, w->ask->by, max, &why) == 0) {
        answer_get(w, &o);
    } else {
        struct ask *a = w->ask;

        wait_free(w);
        ask_fail_why(a, &why);
    }
    handover_finish(&o);
}

/* Who waits longest, of those who would read it. */
static bool serve_one(struct queue *q)
{
    struct queue_wait *w = q->getters.first;

    if (q->items.first == NULL)
        return false;
    while (w != NULL && !ask_has_room(w->ask, q->items.first->bytes))
        w = w->next;
    if (w == NULL)
        return false;
    hand_over(w);
    return true;
}

void queue_turn_away(struct queue_waits *l)
{
    while (l->first != NULL) {
        struct queue_wait *w = l->first;

        if (w->in > 0)
            put_done(w);
        else
            refuse(w, CE(CLOSED), "is closed");
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
        more = admit(q);
        more |= serve_one(q);
    }
    if (q->closed && q->items.first == NULL)
        queue_turn_away(&q->getters);
    q->serving = false;
    thing_unref(&q->thing);
}

static void on_get_end(struct ask *a, enum ask_end how)
{
    struct queue_wait *w = a->thing;

    if (how == ASK_TIMED_OUT)
        refuse(w, CE(QUEUE_EMPTY), "is empty");
    else
        wait_free(w);
}

static int check_get(const Pb__QueueGet *m, struct call_why *why)
{
    if (m->timeout_us < -1)
        return call_refuse(why, CE(BAD_REQUEST), "a timeout is -1, for ever, or not below 0");
    return 0;
}

/* In line at once: whoever came first is served first. */
static void get(struct queue_wait *w, int64_t timeout_us, struct handle *h)
{
    struct ask *a = w->ask;
    bool gone = false;

    w->gone = &gone;
    line_up(w);
    queue_serve(w->queue);
    if (gone)
        return;
    w->gone = NULL;
    if (timeout_us == 0) {
        refuse(w, CE(QUEUE_EMPTY), "is empty");
        return;
    }
    ask_park(a, timeout_us > 0 ? (uint64_t)timeout_us : ASK_NEVER, on_get_end, w);
    ask_through(a, h);
}

void call_queue_get(struct ask *a)
{
    const Pb__QueueGet *m = a->message->queue_get;
    struct queue_user *u = queue_user(a->by);
    struct queue_wait *w = NULL;
    struct handle *h;
    struct thing *t;
    struct call_why why;
    int rc = ref_find(a->by, m->queue, PB__KIND__KIND_QUEUE, PB__RIGHT__RIGHT_RECV, &t, &h, &why);

    if (rc == 0)
        rc = check_get(m, &why);
    if (rc == 0 && (u == NULL || (w = wait_new(queue_of(t), a)) == NULL))
        rc = call_refuse(&why, CE(TEMPORARY), "out of memory");
    if (rc != 0) {
        ask_fail_why(a, &why);
        return;
    }
    w->max = m->max == 0 ? 1 : m->max < QUEUE_BATCH ? m->max : QUEUE_BATCH;
    get(w, m->timeout_us, h);
}

/* More than it could be given has been read: the queues it waits for, each once, as serving one may end its waits for others. */
void queues_on_room(struct asker *a)
{
    struct queue *q[64];
    size_t n = 0;

    if (a->queues == NULL)
        return;
    flights_look(a->queues);
    for (struct ask *at = a->asks; at != NULL && n < sizeof(q) / sizeof(q[0]); at = at->hh.next)
        if (at->on_end == on_get_end) {
            struct queue *of = ((struct queue_wait *)at->thing)->queue;

            if (of->items.first != NULL) {
                thing_ref(&of->thing);
                q[n++] = of;
            }
        }
    for (size_t i = 0; i < n; i++) {
        queue_serve(q[i]);
        thing_unref(&q[i]->thing);
    }
}
