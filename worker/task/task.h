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

/* Into sched->all, in front of next (NULL: at its end). */
static inline void all_insert(coop_task *t, coop_task *next)
{
    coop_task *prev = next != NULL ? next->all_prev : sched->all_last;

    t->all_prev = prev;
    t->all_next = next;
    if (prev != NULL)
        prev->all_next = t;
    else
        sched->all = t;
    if (next != NULL)
        next->all_prev = t;
    else
        sched->all_last = t;
}

static inline void all_push(coop_task *t)
{
    all_insert(t, sched->all);
}

static inline void all_remove(coop_task *t)
{
    if (sched->hibernate.edge == t)
        sched->hibernate.edge = t->all_next;
    if (t->all_prev != NULL)
        t->all_prev->all_next = t->all_next;
    else
        sched->all = t->all_next;
    if (t->all_next != NULL)
        t->all_next->all_prev = t->all_prev;
    else
        sched->all_last = t->all_prev;
}

/*
 * Leaves the running tasklet, whose state the caller has set, for to, which is in no queue. Returns what the tasklet's regs.result is by
 * the time it goes on: a caller that has nothing else to do returns it in tail position (switch.h).
 */
int sched_switch(coop_task *to);

/* Takes the next of the run queue out of it; sleeps until there is one; breaks a deadlock. */
coop_task *sched_next(void);

/* Cancels everybody, main too. */
void task_cancel_all(void);

#endif
