/*
 * ring.h - the run queue as Stackless sees it: a ring that begins with the running tasklet and ends with whoever is last in the queue.
 *
 * Side:  worker. Rules: sched.h. For the engines' stackless modules.
 * Order: to run a tasklet at once is to turn the ring to it: who stands before it runs after all the others, in the old order.
 */
#ifndef WORKER_TASK_RING_H
#define WORKER_TASK_RING_H

#include "worker/task/sched.h"

/* Who comes after t, which runs or is in the run queue, and who before it; t itself when it is alone. */
coop_task *ring_next(const coop_task *t);
coop_task *ring_prev(const coop_task *t);

/* Turns the run queue until t, which is in it, is its first. */
void ring_turn_to(coop_task *t);

/* The blocked t is woken as by task_wake(), and is the first of the run queue. */
void ring_wake_first(coop_task *t, int rc);

/* Turns the ring to t, which is in the run queue, for ring_leave() to run next. The running one stays in it. */
void ring_stay_and_turn_to(coop_task *t);

/* Switches to the first of the run queue, in which the running one is. Returns 0 when its turn comes. */
int ring_leave(void);

/* Takes t out of the run queue: it is blocked from then on, on nothing, until task_wake(). why: a constant. */
void ring_remove(coop_task *t, const char *why);

#endif
