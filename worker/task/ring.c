/* ring.c - see ring.h. */
#include "worker/task/ring.h"

#include "worker/task/task.h"

coop_task *ring_next(const coop_task *t)
{
    return t->next;
}

coop_task *ring_prev(const coop_task *t)
{
    return t->prev;
}

void ring_turn_to(coop_task *t)
{
    coop_task *self = sched->current;

    if (self->next == t)
        return;
    unlink_task(self);
    link_before(t, self);
}

void ring_wake_first(coop_task *t, int rc)
{
    task_wake(t, rc);
    sched_unready(t);
    sched_ready_first(t);
}

/* The running one keeps its place among the others; that before t is kept by idle. */
void ring_stay_and_turn_to(coop_task *t)
{
    struct sched *s = sched;

    s->current->regs.result = 0;
    s->current->state = TASK_READY;
    link_before(t, &s->idle);
    s->ring = &s->idle;
    s->runnable++;
}

int ring_leave(void)
{
    struct sched *s = sched;
    coop_task *to;

    if (--s->until_poll == 0) {
        s->until_poll = SCHED_POLL_EVERY;
        (void)sched_poll(false);
    }
    to = s->idle.next;
    unlink_task(&s->idle);
    s->runnable--;
    return sched_switch(to);
}

void ring_remove(coop_task *t, const char *why)
{
    sched_unready(t);
    t->state = TASK_BLOCKED;
    t->why = why;
    t->waits_for = NULL;
    t->blocked_on = NULL;
}
