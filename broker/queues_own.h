/*
 * queues_own.h - what the parts of queues.h share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_QUEUES_OWN_H
#define BROKER_QUEUES_OWN_H

#include "broker/queues.h"
#include "broker/store.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name
#define UB(name) PB__UNBOUND__UNBOUND_##name

struct queue_items {
    struct queue_item *first, *last;
};

struct queue_item {
    struct queue_item *next, *prev;
    struct queue *queue;       /* in whose list it is; NULL: it is with somebody who waits, or in flight */
    struct queue_user *sender; /* something becomes of it when that ends; NULL: nothing (any more) */
    struct queue_item *sent_next, *sent_prev;
    struct parcel parcel;
    size_t bytes; /* that it counts for */
    Pb__Unbound unbound;
    bool orphan;  /* its sender has ended: unbound says what it is now */
    bool lost;    /* its sender ended while it was on its way */
    uint64_t row; /* in the store; 0: not there */
    char from[ULID_LEN + 1];
};

/* A put or a get that is not answered yet. */
struct queue_wait {
    struct queue_wait *next, *prev;
    struct queue *queue; /* a reference */
    struct ask *ask;     /* NULL: ended already; the store still knows this */
    bool listed;         /* it is in the line */
    bool *gone;          /* set when it is freed; NULL: nobody asks */
    /* of a put */
    struct queue_user *user;  /* NULL: a get */
    struct queue_items items; /* not yet in */
    uint32_t in, left;        /* items that are in, that are not */
    size_t counted;           /* bytes, as long as it is in the line */
    struct timer patience;
    uint32_t storing; /* what the store has not brought back yet; of a put, items that are in */
    int stored;       /* what it said: 0, or a -errno */
    struct queue_wait *storing_next, *storing_prev;
    void (*then)(struct queue_wait
                     *w); /* when it has brought all back; NULL: it is a put. Answers the ask, if that is still open, and wait_free() */
    /* of a get */
    uint32_t max;
};

struct queue_waits {
    struct queue_wait *first, *last;
    unsigned count;
};

struct queue {
    struct thing thing;
    struct queue_user *maker; /* ends with it; NULL: a named one, or one that has ended */
    struct queue *made_next, *made_prev;
    uint64_t reserved;
    bool of_host;
    char owner[ULID_LEN + 1]; /* job that made it; "": a host program */
    uint32_t max_items;
    uint64_t max_bytes;
    Pb__Unbound unbound;
    bool durable, closed;
    bool discarded; /* closed, and what was in it is not wanted */
    bool over;      /* it has ended: there is nothing in it, and nobody waits */
    bool serving;   /* queue_serve() runs */
    bool to_serve;  /* it is in the list of queues_on_room() */
    struct queue *serve_next;
    struct queue_items items;
    uint32_t n_items;
    uint64_t bytes, put_total, got_total;
    struct queue_waits putters, getters;
};

static inline struct queue *queue_of(struct thing *t)
{
    return (struct queue *)t;
}

/* ---- queues.c ---- */
struct queue_user *queue_user(struct asker *a); /* NULL: no memory */
void queue_end(struct queue *q);                /* everybody who waits is told, what is in it goes */
/* A queue that nobody has yet; the caller holds its one reference, and reserves. NULL: no memory. */
struct queue *queue_new(struct estate *e, const Pb__QueueCreate *m);
void queue_reserve(struct queue *q);

/* ---- queue_items.c ---- */
void items_push(struct queue_items *l, struct queue_item *i);
void items_take_out(struct queue_items *l, struct queue_item *i);
struct queue_item *item_new(struct queue_user *from, Pb__Unbound unbound); /* NULL: no memory */
void item_free(struct broker *b, struct queue_item *i);                    /* in no list any more */
void items_free(struct broker *b, struct queue_items *l);
/* Into and out of the queue itself, counted. */
void queue_append(struct queue *q, struct queue_item *i);
void queue_put_back(struct queue *q, struct queue_item *i);
void queue_take_out(struct queue *q, struct queue_item *i);
bool queue_fits(const struct queue *q, const struct queue_item *i);
/* Its sender has ended before anybody had it. It may be gone when this returns, and its queue over: the caller holds a reference to that. */
void item_orphaned(struct broker *b, struct queue_item *i);
void items_forget_sender(struct queue_user *u);

/* ---- queue_waits.c ---- */
struct queue_wait *wait_new(struct queue *q, struct ask *a); /* NULL: no memory */
void wait_free(struct queue_wait *w);                        /* its ask is answered, or will be by somebody else */
__attribute__((nonnull)) void wait_refuse(struct queue_wait *w, Pb__CallError error,
                                          const char *what); /* answers "queue NAME what", and frees it */
void wait_line_up(struct queue_wait *w);
void wait_give_up(struct queue_wait *w);             /* what is left of a put does not go in any more */
void wait_count(struct queue_wait *w, size_t bytes); /* what a put has waiting: the broker's to keep, beside what the queue may hold */
/* Until nobody can be served. */
void queue_serve(struct queue *q);
/* Everybody in the line is told that nothing will come. */
void queue_turn_away(struct queue_waits *l);

/* ---- queue_put.c ---- */
bool queue_admit(struct queue *q);    /* who waits longest, and nobody else; true: some of its items have gone in */
void put_done(struct queue_wait *w);  /* nothing more goes in; answers, unless the disk has to first */
void wait_look(struct queue_wait *w); /* the store has brought something back: answers when that was the last thing it waited for */

/* ---- queue_get.c ---- */
bool queue_hand_over(struct queue *q); /* to who waits longest, of those who would read it; true: somebody was answered */

/* ---- queue_flights.c ---- */
/* These were handed over by the answer that was just sent: frees those that have gone out, keeps the others until they have. */
void flight_begin(struct queue *q, struct asker *to, struct queue_items *items, struct parcel_told *told);
void flights_look(struct queue_user *u);     /* lets go of what has been sent */
void flights_put_back(struct queue_user *u); /* and what has not been goes back, in its order */

/* ---- queue_store.c: w is kept until the store has answered ---- */
int queue_store_add(struct queue *q, struct queue_wait *w);
int queue_store_close(struct queue *q, struct queue_wait *w, bool discard);
int queue_store_remove(struct queue *q, struct queue_wait *w);
void item_store(struct queue *q, struct queue_item *i, struct queue_wait *w);
void item_unstore(struct broker *b, struct queue_item *i);

#endif
