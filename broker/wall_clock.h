/*
 * wall_clock.h - a time of the wall clock to be called at, which follows when somebody sets the clock.
 *
 * Side:    broker, main thread.
 * Owned:   the struct is the caller's; wall_clock_close() before its memory goes.
 */
#ifndef BROKER_WALL_CLOCK_H
#define BROKER_WALL_CLOCK_H

#include <stdint.h>

#include "broker/loop.h"

struct wall_clock {
    struct loop_watch watch; /* a timerfd; fd -1: none */
    struct loop *loop;
    uint64_t at_us; /* UINT64_MAX: never */
    void (*fn)(void *ctx);
    void *ctx;
};

/* fn is called when a time has come, and whenever the clock was set: it looks at the clock, and arms again. -errno: there is none. */
int wall_clock_open(struct wall_clock *c, struct loop *l, void (*fn)(void *ctx), void *ctx);
void wall_clock_close(struct wall_clock *c);               /* one that was never opened: fd -1 */
void wall_clock_arm(struct wall_clock *c, uint64_t at_us); /* UINT64_MAX: only when the clock is set */

#endif
