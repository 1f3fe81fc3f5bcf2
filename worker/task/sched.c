/* sched.c - see sched.h: queues, blocking, waking, and the switch itself. */
#include "worker/task/sched.h"

#include <errno.h>

#include "worker/task/sanitize.h"
#include "worker/task/task.h"
#include "worker/task/threads.h"

__thread struct sched *sched;

/* ---- queues -------------------------------------------------------------------------------------------------------------------- */

void wait_push(struct wait_queue *q, struct wait_node *n)
{
    n->next = NULL;
    n->prev = q->last;
    if (q->last != NULL)
        q->last->next = n;
    else
        q->first = n;
    q->last = n;
    q->count++;
}

void wait_remove(struct wait_queue *q, struct wait_node *n)
{
    if (q->first != n && n->prev == NULL)
        return;
    if (n->prev != NULL)
        n->prev->next = n->next;
    else
        q->first = n->next;
    if (n->next != NULL)
        n->next->prev = n->prev;
    else
        q->last = n->prev;
    n->next = n->prev = NULL;
    q->count--;
}

/* ---- switching ----------------------------------------------------------------------------------------------------------------- */

static void call_hooks(coop_task *from, coop_task *to)
{
    if (sched->switch_hook != NULL)
        sched->switch_hook(from->state == TASK_ENDED ? NULL : from, to);
    if (sched->on_switch != NULL)
        sched->on_switch(from, to);
}

void sched_hooks_changed(void)
{
    sched->hooked = sched->on_switch != NULL || sched->switch_hook != NULL || sched->chan_hook != NULL || sched->member != NULL;
}

void sched_on_switch(void (*fn)(coop_task *from, coop_task *to))
{
    sched->on_switch = fn;
    sched_hooks_changed();
}

/* Everything but what hooks and groups do. */
static inline __attribute__((always_inline)) void leave_for(coop_task *from, coop_task *to)
{
    from->saved_errno = errno;
    errno = to->saved_errno;
    sched->current = to;
    to->state = TASK_RUNNING;
    sched->stats.switches++;
}

static __attribute__((noinline)) int switch_hooked(coop_task *to)
{
    coop_task *from = sched->current;

    call_hooks(from, to);
    leave_for(from, to);
    return threads_switch(from, to);
}

int sched_switch(coop_task *to)
{
    coop_task *from = sched->current;

    if (SWITCH_IS_SANITIZED || __builtin_expect(sched->hooked, 0))
        return switch_hooked(to);
    leave_for(from, to);
    return switch_stacks(&from->regs, &to->regs);
}

/* Nothing can ever run again: main is told, whatever it waits for. Main is blocked, or somebody would be runnable. */
static void break_deadlock(void)
{
    if (sched->on_deadlock != NULL)
        sched->on_deadlock();
    task_interrupt(&sched->main, -EDEADLK);
}

coop_task *sched_next(void)
{
    coop_task *t;

    if (__builtin_expect(sched->first == NULL || --sched->until_poll == 0, 0)) {
        if (sched->member != NULL)
            return threads_next();
        sched->until_poll = SCHED_POLL_EVERY;
        if (!sched_poll(sched->first == NULL))
            break_deadlock();
    }
    t = sched->first;
    sched_unready(t);
    return t;
}

/* ---- blocking ------------------------------------------------------------------------------------------------------------------ */

int task_may_block(int64_t deadline)
{
    const coop_task *t = sched->current;

    if (t->cancelled && t->shield == 0)
        return -ECANCELED;
    if (deadline <= sched->now_us)
        return -ETIMEDOUT;
    return t->block_trap > 0 || sched->switch_trap > 0 ? -EPERM : 0;
}

int task_block(struct wait_queue *q, int64_t deadline, const char *why, void *object)
{
    coop_task *t = sched->current, *next;
    int rc = task_may_block(deadline);

    if (rc != 0)
        return rc;
    t->state = TASK_BLOCKED;
    t->why = why;
    t->waits_for = object;
    t->blocked_on = q;
    if (q != NULL) {
        t->wait.task = t;
        wait_push(q, &t->wait);
    }
    if (deadline != COOP_NEVER) {
        if (sched->wheel.count == 0)
            sched->now_us = coop_now(); /* nobody has looked for long */
        wheel_arm(&sched->wheel, &t->timer, deadline);
    }
    next = sched_next();
    if (next != t)
        return sched_switch(next);
    t->state = TASK_RUNNING;
    return t->regs.result;
}

static void unblock(coop_task *t, int rc)
{
    if (t->blocked_on != NULL)
        wait_remove(t->blocked_on, &t->wait);
    t->blocked_on = NULL;
    if (wheel_armed(&t->timer))
        wheel_cancel(&sched->wheel, &t->timer);
    t->regs.result = rc;
    t->why = NULL;
    if (t->on_wake != NULL)
        t->on_wake(t);
}

void task_wake(coop_task *t, int rc)
{
    unblock(t, rc);
    sched_ready(t);
}

void task_unblock(coop_task *t, int rc)
{
    unblock(t, rc);
}

void task_interrupt(coop_task *t, int rc)
{
    if (!task_claim(t))
        return;
    if (t->loose)
        threads_wake(t, rc);
    else
        task_wake(t, rc);
}

void task_wake_now(coop_task *t, int rc)
{
    unblock(t, rc);
    if (sched->switch_trap > 0) {
        sched_ready(t);
        return;
    }
    sched->current->regs.result = 0;
    sched_ready(sched->current);
    (void)sched_switch(t);
}

void sched_interrupt(struct sched *s)
{
    s->interrupted = 1;
    if (s->member != NULL)
        inbox_poke(s->member);
}
