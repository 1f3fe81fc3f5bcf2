/* ring.c - see ring.h. */
#include "worker/task/ring.h"

#include "worker/task/task.h"

coop_task *ring_next(const coop_task *t)
{
    coop_task *next = t == sched->current ? sched->first : t->next;

    return next != NULL ? next : sched->current;
}

coop_task *ring_prev(const coop_task *t)
{
    coop_task *prev = t == sched->current ? sched->last : t->prev;

    return prev != NULL ? prev : sched->current;
}

void ring_turn_to(coop_task *t)
{
    if (t == sched->first)
        return;
    sched->last->next = sched->first;
    sched->first->prev = sched->last;
    sched->last = t->prev;
    sched->last->next = NULL;
    sched->first = t;
    t->prev = NULL;
}

void ring_wake_first(coop_task *t, int rc)
{
    task_wake(t, rc);
    sched_unready(t);
    sched_ready_first(t);
}

void ring_stay_and_turn_to(coop_task *t)
{
    sched->current->regs.result = 0;
    sched_ready_first(sched->current);
    ring_turn_to(t);
}

int ring_leave(void)
{
    return sched_switch(sched_next());
}

void ring_remove(coop_task *t, const char *why)
{
    sched_unready(t);
    t->state = TASK_BLOCKED;
    t->why = why;
    t->waits_for = NULL;
    t->blocked_on = NULL;
}
