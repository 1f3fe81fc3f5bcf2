/*
 * task.h - between the files of this folder: the parts of the scheduler that only they use.
 *
 * Side: worker. Rules: sched.h.
 */
#ifndef WORKER_TASK_TASK_H
#define WORKER_TASK_TASK_H

#include "worker/task/sched.h"

/* t, which is in no ring, comes before at. */
static inline void ring_insert(coop_task *at, coop_task *t)
{
    t->next = at;
    t->prev = at->prev;
    at->prev->next = t;
    at->prev = t;
}

static inline void ring_remove(coop_task *t)
{
    t->prev->next = t->next;
    t->next->prev = t->prev;
}

/* Puts t at the end of the run queue. */
static inline void sched_ready(coop_task *t)
{
    t->state = TASK_READY;
    ring_insert(sched->ring, t);
    sched->runnable++;
}

/* The same at its head. */
static inline void sched_ready_first(coop_task *t)
{
    t->state = TASK_READY;
    ring_insert(sched->ring->next, t);
    sched->runnable++;
}

/* Takes it out. */
static inline void sched_unready(coop_task *t)
{
    ring_remove(t);
    sched->runnable--;
}

/* The running tasklet stays in the ring, and so comes behind everybody; t, which is in no ring, runs. Goes with sched_switch(t). */
static inline void sched_put_before(coop_task *t)
{
    sched->current->state = TASK_READY;
    ring_insert(sched->current->next, t);
    sched->runnable++;
}

/*
 * Leaves the running tasklet, whose state the caller has set, for to, which is in the ring. Returns what the tasklet's regs.result is by
 * the time it goes on: a caller that has nothing else to do returns it in tail position (switch.h).
 */
int sched_switch(coop_task *to);

void sched_hooks_changed(void);

/* Takes the running tasklet out of the ring and says who is next; sleeps until somebody is; breaks a deadlock. */
coop_task *sched_next(void);

/* Cancels everybody, main too. */
void task_cancel_all(void);

#endif
