/*
 * locks.h - what locks, events and scopes share: waking who waits in a queue. The objects themselves are in coop/task.h.
 *
 * Side: worker. One thread state's.
 */
#ifndef WORKER_TASK_LOCKS_H
#define WORKER_TASK_LOCKS_H

#include "worker/task/sched.h"

/* For queues that hold only the tasks' own wait nodes: task_wake() takes those out. */
static inline void wake_all(struct wait_queue *q, int rc)
{
    while (!wait_empty(q))
        task_wake(q->first->task, rc);
}

/* events.c: who ran these ended, by coop_exit() inside, with rc: that counts as their end. */
struct once_run;
void once_runner_ended(struct once_run **runs, int rc);

#endif
