/*
 * queues.h - queues between interpreters and host programs: owned by the broker, bounded, first come first served on either side.
 *
 * Side:    broker. Who puts and gets may be hostile; handles and their rights are judged before anything here (handles.h).
 * Order:   putters that wait for room, and getters that wait for an item, are served in the order in which they came; nobody passes one who waits. So
 *          the items of one producer stay in its order.
 * Ends:    a named queue is a host program's, and stays until it is deleted; a durable one also over a restart of the broker. Any other ends with its
 *          maker, and a worker's with its last handle.
 * Senders: when one ends, its items that nobody has taken become what their Unbound says. What was handed to a getter that was dead, or died
 *          before it was sent all of it, is put back in front.
 * Bounded: QUEUE_ITEMS_MAX and QUEUE_BYTES_MAX for each; what all may come to hold is reserved when they are made: QUEUES_RESERVED in all, of a job
 *          as much as its memory limit. What putters have waiting: QUEUE_WAITING_MAX for each, QUEUES_WAITING in all.
 * Files:   queues.c what they are and how they end, queue_look.c what is told of them; queue_items.c what is in them; queue_waits.c who waits,
 *          queue_put.c and queue_get.c what for; queue_flights.c what is on its way; queue_store.c durable ones.
 */
#ifndef BROKER_QUEUES_H
#define BROKER_QUEUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/asks.h"

#define QUEUE_ITEMS          1024u /* when nothing is said */
#define QUEUE_BYTES          (1u << 20)
#define QUEUE_ITEMS_MAX      (1u << 20)
#define QUEUE_BYTES_MAX      (256u << 20)
#define QUEUES_MAX           4096u /* in all */
#define QUEUES_RESERVED      (512u << 20)
#define QUEUES_RESERVED_HOST (384u << 20) /* of host programs, together */
#define QUEUE_WAITING_MAX    (16u << 20)
#define QUEUES_WAITING       (256u << 20)
#define QUEUE_BATCH          256u       /* items in one put or get */
#define QUEUE_GET_BYTES      (1u << 20) /* in one answer, beyond its first item */
#define QUEUE_ITEM_COST      256u       /* bytes that an item counts for in what is reserved, beside its own */

struct queue;
struct queue_item;
struct queue_flight;
struct queue_wait;
struct store_op;

/* Of a broker. */
struct queues {
    unsigned count, durable;
    uint64_t reserved, reserved_host, waiting; /* bytes */
    uint64_t last_row;                         /* of an item of a durable queue */
    uint64_t turns;                            /* of queues_on_room() */
    struct queue_wait *storing;                /* asks that wait for the store */
    struct queue_item *dead;                   /* to be freed: what is in them may end other queues */
    bool burying;
    bool leaving; /* the broker ends: what is on disk stays there */
};

/* What an asker has to do with queues; from its first put or queue to its end. */
struct queue_user {
    struct asker *by;
    struct queue_item *sent; /* in a queue, or under way, and something becomes of them when it ends */
    struct queue *made;      /* that end with it */
    unsigned n_made;
    uint64_t reserved, waiting, most_waiting;
    struct queue_flight *flights, *last_flight; /* the oldest first */
};

/* The asker is about to drop its handles. */
void queues_on_asker_end(struct asker *a);
/* It has read what kept it from being given more. */
void queues_on_room(struct asker *a);
/* Takes up the durable ones. 0 or -errno. */
int queues_recover(struct broker *b);
void queues_finish(struct broker *b);

#endif
