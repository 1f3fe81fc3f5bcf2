/*
 * task.h - between the files of this folder: the parts of the scheduler that only they use.
 *
 * Side: worker. Rules: sched.h.
 */
#ifndef WORKER_TASK_TASK_H
#define WORKER_TASK_TASK_H

#include "worker/task/sched.h"

/* t, which is in no ring, comes before at. */
static inline void link_before(coop_task *at, coop_task *t)
{
    t->next = at;
    t->prev = at->prev;
    at->prev->next = t;
    at->prev = t;
}

static inline void unlink_task(coop_task *t)
{
    t->prev->next = t->next;
    t->next->prev = t->prev;
}

/* Puts t at the end of the run queue. */
static inline void sched_ready(coop_task *t)
{
    t->state = TASK_READY;
    link_before(sched->ring, t);
    sched->runnable++;
}

/* The same at its head. */
static inline void sched_ready_first(coop_task *t)
{
    t->state = TASK_READY;
    link_before(sched->ring->next, t);
    sched->runnable++;
}

/* Takes it out. */
static inline void sched_unready(coop_task *t)
{
    unlink_task(t);
    sched->runnable--;
}

/* The running tasklet stays in the ring, and so comes behind everybody; t, which is in no ring, runs. Goes with sched_switch(t). */
static inline void sched_put_before(coop_task *t)
{
    sched->current->state = TASK_READY;
    link_before(sched->current->next, t);
    sched->runnable++;
}

static inline char *task_stack_top(const coop_task *t)
{
    return (char *)t->stack + t->stack_size;
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
 * Leaves the running tasklet, whose state the caller has set, for to, which is in the ring. Returns what the tasklet's regs.result is by
 * the time it goes on: a caller that has nothing else to do returns it in tail position (switch.h).
 */
int sched_switch(coop_task *to);

void sched_hooks_changed(struct sched *s);

/* Takes the running tasklet out of the ring and says who is next; sleeps until somebody is; breaks a deadlock. */
coop_task *sched_next(void);

extern const char task_parked[]; /* why, of one in coop_park() */

/* Calls on_deadlock, when there is one. */
void sched_tell_deadlock(void);

/* Cancels everybody, main too. */
void task_cancel_all(void);

/* Makes a tasklet of this thread state's memory, all but runnable. */
int task_make(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr);

/* Its memory can be used again, its stack is given back. */
void task_put(coop_task *t);

/* The claim on a blocked tasklet: whoever has it wakes it, nobody else. One that waits only for its own thread state needs none. */
static inline bool task_claim(coop_task *t)
{
    unsigned char open = 1; /* CLAIM_OPEN */

    return atomic_load_explicit(&t->claim, memory_order_relaxed) == 0 || atomic_compare_exchange_strong(&t->claim, &open, 2);
}

#endif
