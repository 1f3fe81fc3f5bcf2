/*
 * inbox.h - hands what nng's threads received over to the main thread.
 *
 * Side:    broker. inbox_push() is the only function here that runs on nng's threads.
 * Bounded: a link is given its next receive only after the main thread has handled the last one, so the inbox holds at most one
 *          message and one notice for each worker.
 */
#ifndef BROKER_INBOX_H
#define BROKER_INBOX_H

#include <pthread.h>
#include <stdint.h>

#include <nng/nng.h>

enum inbox_kind {
    INBOX_LINK,      /* msg from a worker; id = worker */
    INBOX_LINK_GONE, /* the worker's end is closed; id = worker */
};

struct inbox_item {
    enum inbox_kind kind;
    uint64_t id;
    nng_msg *msg; /* owned by whoever takes the item */
    struct inbox_item *next;
};

struct inbox {
    pthread_mutex_t lock;
    struct inbox_item *first, **last;
    int event_fd; /* readable when not empty */
};

int inbox_init(struct inbox *b);
void inbox_finish(struct inbox *b);
void inbox_push(struct inbox *b, enum inbox_kind kind, uint64_t id, nng_msg *msg);
/* Makes the inbox readable once, though it may be empty. */
void inbox_poke(struct inbox *b);
/* All items, oldest first; NULL when none. The caller frees each (free()). */
struct inbox_item *inbox_take(struct inbox *b);

#endif
