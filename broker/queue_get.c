/* queue_get.c - gets: what is handed over in an answer, and to whom; see queues.h. */
#include <stdlib.h>

#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/queues_own.h"

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
        wait_refuse(w, CE(ITEM_DESTROYED), "had an item whose sender has ended");
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
bool queue_hand_over(struct queue *q)
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

static void on_get_end(struct ask *a, enum ask_end how)
{
    struct queue_wait *w = a->thing;

    if (how == ASK_TIMED_OUT)
        wait_refuse(w, CE(QUEUE_EMPTY), "is empty");
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
    wait_line_up(w);
    queue_serve(w->queue);
    if (gone)
        return;
    w->gone = NULL;
    if (timeout_us == 0) {
        wait_refuse(w, CE(QUEUE_EMPTY), "is empty");
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

/* The queues with something in them that it waits for and that this turn has not looked at, up to max; each with a reference. */
static size_t collect(const struct asker *a, uint64_t turn, struct queue **q, size_t max)
{
    size_t n = 0;

    for (const struct ask *at = a->asks; at != NULL && n < max; at = at->hh.next) {
        struct queue *of = at->on_end == on_get_end ? ((struct queue_wait *)at->thing)->queue : NULL;

        if (of == NULL || of->items.first == NULL || of->looked == turn)
            continue;
        of->looked = turn;
        thing_ref(&of->thing);
        q[n++] = of;
    }
    return n;
}

/* More than it could be given has been read: the queues it waits for, each once, as serving one may end its waits for others. */
void queues_on_room(struct asker *a)
{
    uint64_t turn = ++a->broker->queues.turns;
    struct queue *q[64];
    size_t n;

    if (a->queues == NULL)
        return;
    flights_look(a->queues);
    while ((n = collect(a, turn, q, sizeof(q) / sizeof(q[0]))) > 0)
        for (size_t i = 0; i < n; i++) {
            queue_serve(q[i]);
            thing_unref(&q[i]->thing);
        }
}
