/*
 * wheel.h - deadlines by the thousand, most of which are cancelled: arming and cancelling are O(1).
 *
 * Side:    worker. One thread state's.
 * Owned:   nodes live inside their owners; cancel before the memory goes.
 * Unit:    ticks of one millisecond. A deadline is never early: it is due at the first tick that is not before it.
 * Source:  hierarchical timing wheels, Varghese and Lauck 1987, scheme 6: five wheels of 64 slots, cascading.
 */
#ifndef WORKER_TASK_WHEEL_H
#define WORKER_TASK_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WHEEL_TICK_US = 1000, WHEEL_LEVELS = 5, WHEEL_SLOTS = 64, WHEEL_BITS = 6 };

struct wheel_node {
    struct wheel_node *next, *prev; /* next NULL: not armed */
    uint64_t tick;
};

struct wheel {
    uint64_t now; /* the tick up to which everything has been taken out */
    uint64_t count;
    uint64_t used[WHEEL_LEVELS];                        /* a bit for each slot that may hold something */
    struct wheel_node slots[WHEEL_LEVELS][WHEEL_SLOTS]; /* list heads */
};

void wheel_init(struct wheel *w, int64_t now_us);
void wheel_arm(struct wheel *w, struct wheel_node *n, int64_t deadline_us);
void wheel_cancel(struct wheel *w, struct wheel_node *n); /* not armed: nothing */

static inline bool wheel_armed(const struct wheel_node *n)
{
    return n->next != NULL;
}

/* Takes out one node that is due by now_us, NULL when there is none (left). */
struct wheel_node *wheel_expire(struct wheel *w, int64_t now_us);

/* Microseconds until wheel_expire() may have something, rounded up; it may be too early, never too late. -1: nothing is armed. */
int64_t wheel_wait_us(const struct wheel *w, int64_t now_us);

#endif
