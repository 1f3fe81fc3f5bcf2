/*
 * loop.h - the main thread's event loop: descriptors and deadlines. Everything the broker owns is touched from here only.
 *
 * Side:    broker.
 * Owned:   watches and timers live inside their owners; take them out before the memory goes.
 * Returns: 0 or -errno.
 */
#ifndef BROKER_LOOP_H
#define BROKER_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#include "broker/timers.h"

struct loop_watch {
    int fd;
    void (*fn)(void *ctx);
    void *ctx;
};

#define LOOP_BATCH 64

struct loop {
    int epoll_fd;
    int stop;
    uint64_t now_us; /* monotonic, read once a round */
    struct timers timers;
    struct epoll_event batch[LOOP_BATCH];
    int batch_at, batch_len;
};

int loop_init(struct loop *l);
void loop_finish(struct loop *l);
int loop_add(struct loop *l, struct loop_watch *w);                     /* readable or hung up: fn is called each round until it is not */
int loop_change(struct loop *l, struct loop_watch *w, uint32_t events); /* other epoll events than EPOLLIN; fn finds out which */
void loop_del(struct loop *l, struct loop_watch *w);                    /* safe inside a handler; a watch with fd -1 is ignored */
/* Runs until loop_stop(). */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

uint64_t loop_clock_us(void); /* CLOCK_MONOTONIC */
uint64_t loop_wall_us(void);  /* CLOCK_REALTIME, for people */

#endif
