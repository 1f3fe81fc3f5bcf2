/*
 * task.h - between the files of this folder: the parts of the scheduler that only they use.
 *
 * Side: worker. Rules: sched.h.
 */
#ifndef WORKER_TASK_TASK_H
#define WORKER_TASK_TASK_H

#include "worker/task/sched.h"

/* Puts t, which is in no queue, at the end of the run queue. */
static inline void sched_ready(coop_task *t)
{
    t->state = TASK_READY;
    t->next = NULL;
    t->prev = sched->last;
    if (sched->last != NULL)
        sched->last->next = t;
    else
        sched->first = t;
    sched->last = t;
    sched->runnable++;
}

/* The same at its head. */
static inline void sched_ready_first(coop_task *t)
{
    t->state = TASK_READY;
    t->prev = NULL;
    t->next = sched->first;
    if (sched->first != NULL)
        sched->first->prev = t;
    else
        sched->last = t;
    sched->first = t;
    sched->runnable++;
}

/* Takes it out. */
static inline void sched_unready(coop_task *t)
{
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        sched->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    else
        sched->last = t->prev;
    sched->runnable--;
}

/*
 * Leaves the running tasklet, whose state the caller has set, for to, which is in no queue. Returns what the tasklet's regs.result is by
 * the time it goes on: a caller that has nothing else to do returns it in tail position (switch.h).
 */
int sched_switch(coop_task *to);

/* Takes the next of the run queue out of it; sleeps until there is one; breaks a deadlock. */
coop_task *sched_next(void);

extern const char task_parked[]; /* why, of one in coop_park() */

/* After one of hooked's reasons has changed. */
void sched_hooks_changed(void);

/* The part of task_wake() that comes before the run queue. */
void task_unblock(coop_task *t, int rc);

/* Cancels everybody, main too. */
void task_cancel_all(void);

/* Makes a tasklet of this thread state's memory, all but runnable and known: task_enlist(). */
int task_make(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr);

void task_enlist(coop_task *t);

/* Its memory can be used again; its stack has been given back. This and task_enlist() under member.all, when there is one. */
void task_put(coop_task *t);

/* The claim on a blocked tasklet: whoever has it wakes it, nobody else. One that waits only for its own thread state needs none. */
static inline bool task_claim(coop_task *t)
{
    unsigned char open = 1; /* CLAIM_OPEN */

    return atomic_load_explicit(&t->claim, memory_order_relaxed) == 0 || atomic_compare_exchange_strong(&t->claim, &open, 2);
}

#endif
