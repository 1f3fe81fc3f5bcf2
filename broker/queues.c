/* queues.c - what a queue is, who may make one, and how it ends; see queues.h. */
#include "broker/queues.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/caps.h"
#include "broker/queues_own.h"
#include "ulid.h"

enum { TRIM_BYTES = 1 << 20 };

/* ---- askers ------------------------------------------------------------------------------------------------------------------------- */

struct queue_user *queue_user(struct asker *a)
{
    if (a->queues == NULL && (a->queues = calloc(1, sizeof(*a->queues))) != NULL)
        a->queues->by = a;
    return a->queues;
}

void queues_on_asker_end(struct asker *a)
{
    struct queue_user *u = a->queues;

    if (u == NULL)
        return;
    flights_put_back(u);
    items_forget_sender(u);
    while (u->made != NULL)
        queue_end(u->made);
    a->queues = NULL;
    if (u->most_waiting > TRIM_BYTES)
        (void)malloc_trim(TRIM_BYTES); /* a flood of small pieces: libc would keep it */
    free(u);
}

/* ---- life --------------------------------------------------------------------------------------------------------------------------- */

/* What all queues may come to hold is known before there is anything in them: no put fails because others are full. */
static uint64_t queue_cost(const struct queue *q)
{
    return q->max_bytes + (uint64_t)q->max_items * QUEUE_ITEM_COST;
}

static void free_queue(struct thing *t)
{
    free(queue_of(t));
}

/* Of an anonymous one nobody can say anything any more; but a host program may know its id. */
static void on_unheld(struct thing *t)
{
    struct queue *q = queue_of(t);

    if (t->name[0] == '\0' && !q->of_host)
        queue_end(q);
}

static const struct thing_ops queue_ops = { .free = free_queue, .unheld = on_unheld };

struct queue *queue_new(struct estate *e, const Pb__QueueCreate *m)
{
    struct queue *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return NULL;
    thing_init(&q->thing, e, PB__KIND__KIND_QUEUE, &queue_ops);
    q->max_items = m->max_items != 0 ? m->max_items : QUEUE_ITEMS;
    q->max_bytes = m->max_bytes != 0 ? m->max_bytes : QUEUE_BYTES;
    q->durable = m->durable;
    q->unbound = m->unbound != UB(NONE) ? m->unbound : m->durable ? UB(PERSIST) : UB(REPLACE);
    return q;
}

static void link_maker(struct queue *q, struct queue_user *u)
{
    q->maker = u;
    u->n_made++;
    u->reserved += q->reserved;
    q->made_next = u->made;
    if (u->made != NULL)
        u->made->made_prev = q;
    u->made = q;
}

static void unlink_maker(struct queue *q)
{
    struct queue_user *u = q->maker;

    if (u == NULL)
        return;
    if (q->made_prev != NULL)
        q->made_prev->made_next = q->made_next;
    else
        u->made = q->made_next;
    if (q->made_next != NULL)
        q->made_next->made_prev = q->made_prev;
    u->n_made--;
    u->reserved -= q->reserved;
    q->maker = NULL;
}

void queue_reserve(struct queue *q)
{
    struct queues *all = &q->thing.broker->queues;

    q->reserved = queue_cost(q);
    all->count++;
    all->durable += q->durable;
    all->reserved += q->reserved;
    if (q->of_host)
        all->reserved_host += q->reserved;
    estate_count(q->thing.estate, ESTATE_QUEUES, 1);
    estate_count(q->thing.estate, ESTATE_QUEUE_BYTES, (int64_t)q->reserved);
}

static void unreserve(struct queue *q)
{
    struct queues *all = &q->thing.broker->queues;

    all->count--;
    all->durable -= q->durable;
    all->reserved -= q->reserved;
    if (q->of_host)
        all->reserved_host -= q->reserved;
    estate_count(q->thing.estate, ESTATE_QUEUES, -1);
    estate_count(q->thing.estate, ESTATE_QUEUE_BYTES, -(int64_t)q->reserved);
}

void queue_end(struct queue *q)
{
    struct broker *b = q->thing.broker;

    if (q->over)
        return;
    q->over = q->closed = q->discarded = true;
    unlink_maker(q);
    unreserve(q);
    queue_turn_away(&q->putters);
    queue_turn_away(&q->getters);
    while (q->items.first != NULL) {
        struct queue_item *i = q->items.first;

        i->row = 0; /* a durable one is removed as a whole, or stays */
        queue_take_out(q, i);
        item_free(b, i);
    }
    thing_unregister(&q->thing);
    thing_revoke_all(&q->thing);
    thing_unref(&q->thing); /* the one it was made with */
}

void queues_finish(struct broker *b)
{
    struct things *all = &b->things[PB__KIND__KIND_QUEUE];
    struct queue_wait *w;

    b->queues.leaving = true;
    while ((w = b->queues.storing) != NULL) { /* the store's ops end with it, unheard */
        b->queues.storing = w->storing_next;
        w->storing = 0;
        wait_free(w);
    }
    while (all->by_id != NULL)
        queue_end(queue_of(all->by_id));
}

/* ---- making one --------------------------------------------------------------------------------------------------------------------- */

static int check_name(const Pb__QueueCreate *m, struct call_why *why)
{
    char id[ULID_LEN + 1];

    if (strlen(m->name) > LIMITS_NAME)
        return call_refuse(why, CE(BAD_REQUEST), "a name has at most %d bytes", LIMITS_NAME);
    for (const char *p = m->name; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return call_refuse(why, CE(BAD_REQUEST), "a name has no control characters");
    if (strlen(m->name) == ULID_LEN && ulid_normalize(m->name, id) == 0)
        return call_refuse(why, CE(BAD_REQUEST), "a name cannot be the id of something");
    if (m->durable && m->name[0] == '\0')
        return call_refuse(why, CE(BAD_REQUEST), "a durable queue needs a name");
    return 0;
}

static int check_create(const Pb__QueueCreate *m, struct call_why *why)
{
    if (m->max_items > QUEUE_ITEMS_MAX)
        return call_refuse(why, CE(BAD_REQUEST), "a queue has at most %u items", QUEUE_ITEMS_MAX);
    if (m->max_bytes > QUEUE_BYTES_MAX)
        return call_refuse(why, CE(BAD_REQUEST), "a queue has at most %u bytes", QUEUE_BYTES_MAX);
    if ((unsigned)m->unbound > UB(PERSIST))
        return call_refuse(why, CE(BAD_REQUEST), "no such policy for items whose sender ends");
    return check_name(m, why);
}

/* Names are the whole tenant's, and what lasts needs somebody who answers for it. */
static int check_maker(const struct asker *a, const Pb__QueueCreate *m, struct call_why *why)
{
    if (a->worker == NULL)
        return 0;
    if (m->name[0] != '\0' || m->durable)
        return call_refuse(why, CE(NOT_ALLOWED), "named and durable queues are made by host programs");
    if (a->queues->n_made >= caps_of(a->worker)->queues)
        return call_refuse(why, CE(LIMIT), "the job may have %u queues of its own at once", caps_of(a->worker)->queues);
    return 0;
}

static int check_room(const struct asker *a, const struct queue *q, struct call_why *why)
{
    const struct queues *all = &a->broker->queues;
    uint64_t cost = queue_cost(q), of_job = a->worker != NULL ? a->worker->job->limits.memory_bytes : 0;

    if (a->worker != NULL && a->queues->reserved + cost > of_job)
        return call_refuse(why, CE(LIMIT), "its queues could come to hold %llu bytes, and its memory limit is %llu",
                           (unsigned long long)(a->queues->reserved + cost), (unsigned long long)of_job);
    if (all->count >= QUEUES_MAX)
        return call_refuse(why, CE(LIMIT), "there are %u queues already", all->count);
    if (all->reserved + cost > QUEUES_RESERVED || (a->worker == NULL && all->reserved_host + cost > QUEUES_RESERVED_HOST))
        return call_refuse(why, CE(LIMIT), "all queues together could come to hold too much; this one %llu bytes",
                           (unsigned long long)cost);
    return estate_room(q->thing.estate, ESTATE_QUEUES, 1, why) != 0 ? -1 : estate_room(q->thing.estate, ESTATE_QUEUE_BYTES, cost, why);
}

static int make(struct asker *a, const Pb__QueueCreate *m, struct queue **ret, struct call_why *why)
{
    struct queue *q;

    if (queue_user(a) == NULL || (q = queue_new(a->estate, m)) == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    q->of_host = a->worker == NULL;
    if (!q->of_host)
        memcpy(q->owner, a->worker->job->id, sizeof(q->owner));
    if (check_room(a, q, why) != 0 ||
        (thing_register(&q->thing, m->name) != 0 && call_refuse(why, CE(NAME_TAKEN), "there is a queue of this name"))) {
        thing_unref(&q->thing);
        return -1;
    }
    queue_reserve(q);
    if (m->name[0] == '\0')
        link_maker(q, a->queues);
    *ret = q;
    return 0;
}

static void give(struct ask *a, struct queue *q)
{
    struct handle *h = handle_new(&q->thing, RIGHTS_QUEUE, NULL);

    if (h == NULL)
        ask_fail(a, CE(TEMPORARY), "out of memory");
    else
        ask_reply_handle(a, h, NULL, -1);
}

/* The ask goes on without its asker: what was asked for happens. */
static void on_wait_end(struct ask *a, enum ask_end how)
{
    (void)how;
    wait_free(a->thing);
}

/* Parked until the store has what is pushed next. NULL: no memory, and the ask is as it was. */
static struct queue_wait *wait_for_store(struct queue *q, struct ask *a, void (*then)(struct queue_wait *w))
{
    struct queue_wait *w = wait_new(q, a);

    if (w == NULL)
        return NULL;
    w->then = then;
    ask_park(a, ASK_NEVER, on_wait_end, w);
    return w;
}

static void refuse_unstored(struct queue_wait *w, struct ask *a)
{
    if (w != NULL)
        wait_free(w);
    ask_fail(a, CE(TEMPORARY), "out of memory");
}

static void on_created(struct queue_wait *w)
{
    struct queue *q = w->queue;
    struct ask *a = w->ask;
    int stored = w->stored;

    thing_ref(&q->thing);
    wait_free(w);
    if (stored != 0)
        queue_end(q);
    if (a != NULL && stored != 0)
        ask_fail(a, CE(TEMPORARY), "it could not be written to disk");
    else if (a != NULL)
        give(a, q);
    thing_unref(&q->thing);
}

void call_queue_create(struct ask *a)
{
    const Pb__QueueCreate *m = a->message->queue_create;
    struct queue_wait *w;
    struct queue *q = NULL;
    struct call_why why;

    if (queue_user(a->by) == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
        return;
    }
    if (check_maker(a->by, m, &why) != 0 || check_create(m, &why) != 0 || make(a->by, m, &q, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    if (!q->durable) {
        give(a, q);
        return;
    }
    w = wait_for_store(q, a, on_created);
    if (w == NULL || queue_store_add(q, w) != 0) {
        queue_end(q);
        refuse_unstored(w, a);
    }
}

void call_queue_open(struct ask *a)
{
    const Pb__QueueOpen *m = a->message->queue_open;
    struct handle *h = NULL;
    struct call_why why;
    struct thing *t;
    int rc = 0;

    if ((m->rights & ~RIGHTS_QUEUE) != 0)
        rc = call_refuse(&why, CE(BAD_REQUEST), "no such right over a queue");
    else if (a->by->worker != NULL)
        rc = caps_open(a->by, PB__KIND__KIND_QUEUE, m->name, m->rights, &h, &why);
    else if ((t = thing_seen(a->by, PB__KIND__KIND_QUEUE, m->name)) == NULL)
        rc = call_refuse(&why, CE(NOT_FOUND), "there is no such queue");
    else if ((h = handle_new(t, m->rights != 0 ? m->rights : RIGHTS_QUEUE, NULL)) == NULL)
        rc = call_refuse(&why, CE(TEMPORARY), "out of memory");
    if (rc == 0)
        ask_reply_handle(a, h, NULL, -1);
    else
        ask_fail_why(a, &why);
}

/* ---- closing and deleting ------------------------------------------------------------------------------------------------------------- */

static void close_queue(struct queue *q, bool discard)
{
    q->closed = true;
    q->discarded |= discard;
    queue_turn_away(&q->putters);
    while (discard && q->items.first != NULL) {
        struct queue_item *i = q->items.first;

        i->row = 0; /* they go as a whole */
        queue_take_out(q, i);
        item_free(q->thing.broker, i);
    }
    queue_serve(q);
}

static void on_settled(struct queue_wait *w)
{
    struct ask *a = w->ask;
    int stored = w->stored;

    wait_free(w);
    if (a != NULL && stored != 0)
        ask_fail(a, CE(TEMPORARY), "it could not be written to disk");
    else if (a != NULL)
        ask_done(a);
}

void call_queue_close(struct ask *a)
{
    const Pb__QueueClose *m = a->message->queue_close;
    struct queue_wait *w = NULL;
    struct call_why why;
    struct thing *t;

    if (ref_find(a->by, m->queue, PB__KIND__KIND_QUEUE, PB__RIGHT__RIGHT_MANAGE, &t, NULL, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    thing_ref(t);
    if (!queue_of(t)->durable) {
        close_queue(queue_of(t), m->discard);
        ask_done(a);
    } else if ((w = wait_for_store(queue_of(t), a, on_settled)) != NULL && queue_store_close(queue_of(t), w, m->discard) == 0) {
        close_queue(queue_of(t), m->discard);
    } else {
        refuse_unstored(w, a);
    }
    thing_unref(t);
}

void call_queue_delete(struct ask *a)
{
    struct queue_wait *w = NULL;
    struct call_why why;
    struct thing *t;

    if (ref_find(a->by, a->message->queue_delete->queue, PB__KIND__KIND_QUEUE, PB__RIGHT__RIGHT_MANAGE, &t, NULL, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    thing_ref(t);
    if (!queue_of(t)->durable) {
        queue_end(queue_of(t));
        ask_done(a);
    } else if ((w = wait_for_store(queue_of(t), a, on_settled)) != NULL && queue_store_remove(queue_of(t), w) == 0) {
        queue_end(queue_of(t));
    } else {
        refuse_unstored(w, a);
    }
    thing_unref(t);
}
