/*
 * timers.h - deadlines of the main thread: a binary heap of timers that live inside their owners.
 *
 * Side:    broker. Time is handed in, so that a test can be the clock.
 * Owned:   the caller's structs; an armed timer must be cancelled before its memory goes.
 * Returns: 0 or -ENOMEM.
 */
#ifndef BROKER_TIMERS_H
#define BROKER_TIMERS_H

#include <stddef.h>
#include <stdint.h>

struct timer {
    uint64_t at_us; /* monotonic */
    void (*fn)(void *ctx);
    void *ctx;
    size_t place; /* 1 + index in the heap, 0 = not armed */
};

struct timers {
    struct timer **heap;
    size_t count, cap;
};

void timers_finish(struct timers *t);
int timers_arm(struct timers *t, struct timer *timer, uint64_t at_us); /* arms, or moves an armed one */
void timers_cancel(struct timers *t, struct timer *timer);             /* not armed: nothing happens */
/* The next deadline, or UINT64_MAX when there is none. */
uint64_t timers_next(const struct timers *t);
/* Takes out and calls each timer that is due at now_us. A timer may arm or cancel others, itself included. */
void timers_run(struct timers *t, uint64_t now_us);

#endif
