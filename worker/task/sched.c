/* sched.c - see sched.h: queues, blocking, waking, and the switch itself. */
#include "worker/task/sched.h"

#include <errno.h>

#include "worker/task/sanitize.h"
#include "worker/task/task.h"

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

void sched_on_switch(void (*fn)(coop_task *from, coop_task *to))
{
    sched->on_switch = fn;
    sched->hooked = fn != NULL || sched->switch_hook != NULL;
}

/* The two ways differ in what they do on the way back only. */
typedef int (*switch_way)(struct switch_regs *from, struct switch_regs *to);

static inline __attribute__((always_inline)) int go(struct sched *s, coop_task *from, coop_task *to, switch_way way)
{
    int *here = s->errno_at;

    from->regs.kept_errno = *here;
    *here = to->regs.kept_errno;
    s->current = to;
    to->state = TASK_RUNNING;
    s->switches++;
#ifdef SANITIZE_SWITCH
    sanitize_leave(from, to);
    (void)way(&from->regs, &to->regs);
    sanitize_arrive(from);
    return from->regs.result;
#else
    return way(&from->regs, &to->regs);
#endif
}

static inline __attribute__((always_inline)) int leave_for(coop_task *to, switch_way way)
{
    struct sched *s = sched;
    coop_task *from = s->current;

    if (__builtin_expect(s->hooked, 0))
        call_hooks(from, to);
    return go(s, from, to, way);
}

int sched_switch(coop_task *to)
{
    return leave_for(to, switch_stacks);
}

/* Nothing can ever run again: main is told, whatever it waits for. Main is blocked, or somebody would be runnable. */
static void break_deadlock(void)
{
    if (sched->on_deadlock != NULL)
        sched->on_deadlock();
    task_wake(&sched->main, -EDEADLK);
}

static __attribute__((noinline)) void look_around(void)
{
    sched->until_poll = SCHED_POLL_EVERY;
    if (!sched_poll(sched->first == NULL))
        break_deadlock();
}

static inline coop_task *take_next(void)
{
    coop_task *t;

    if (__builtin_expect(sched->first == NULL || --sched->until_poll == 0, 0))
        look_around();
    t = sched->first;
    sched_unready_first(sched);
    return t;
}

/* With something to look at first: the clock, descriptors, hooks. */
static __attribute__((noinline)) int yield_slowly(void)
{
    coop_task *t = sched->current;

    if (t->cancelled && t->shield == 0)
        return -ECANCELED;
    if (sched->switch_trap > 0)
        return -EPERM;
    if (sched->first == NULL && (!sched_poll(false) || sched->first == NULL))
        return 0;
    t->regs.result = 0;
    sched_ready(t);
    return sched_switch(take_next());
}

/* The queue is not empty afterwards, which saves it all its cases. */
int coop_yield(void)
{
    struct sched *s = sched;
    coop_task *from = s->current, *to = s->first;

    if (__builtin_expect(from->cancelled || s->hooked || s->switch_trap > 0 || to == NULL || s->until_poll <= 1, 0))
        return yield_slowly();
    s->until_poll--;
    from->regs.result = 0;
    from->state = TASK_READY;
    from->next = NULL;
    from->prev = s->last;
    s->last->next = from;
    s->last = from;
    s->first = to->next;
    to->next->prev = NULL;
    return go(s, from, to, switch_stacks);
}

coop_task *sched_next(void)
{
    return take_next();
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

static __attribute__((noinline)) void arm(coop_task *t, int64_t deadline)
{
    if (sched->wheel.count == 0)
        sched->now_us = coop_now(); /* nobody has looked for long */
    wheel_arm(&sched->wheel, &t->timer, deadline);
}

/* Puts t, the running tasklet, where it waits; task_may_block() has said that it may. */
static inline void lie_down(coop_task *t, struct wait_queue *q, int64_t deadline, const char *why, void *object)
{
    t->state = TASK_BLOCKED;
    t->why = why;
    t->waits_for = object;
    t->blocked_on = q;
    if (q != NULL) {
        t->wait.task = t;
        wait_push(q, &t->wait);
    }
    if (deadline != COOP_NEVER)
        arm(t, deadline);
}

int task_block(struct wait_queue *q, int64_t deadline, const char *why, void *object)
{
    coop_task *t = sched->current, *next;
    int rc = task_may_block(deadline);

    if (rc != 0)
        return rc;
    lie_down(t, q, deadline, why, object);
    next = take_next();
    if (next != t)
        return leave_for(next, switch_stacks);
    t->state = TASK_RUNNING;
    return t->regs.result;
}

int task_block_receive(struct wait_queue *q, int64_t deadline, const char *why, void *object, intptr_t *into)
{
    coop_task *t = sched->current, *next;
    int rc = task_may_block(deadline);

    if (rc != 0)
        return rc;
    lie_down(t, q, deadline, why, object);
    t->regs.into = into;
    next = take_next();
    if (next != t)
        return leave_for(next, switch_receive);
    t->state = TASK_RUNNING;
    if (t->regs.result == 0)
        *into = t->regs.word;
    return t->regs.result;
}

static inline void unblock(coop_task *t, int rc)
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

int task_wake_now(coop_task *t, int rc)
{
    coop_task *self = sched->current;

    unblock(t, rc);
    if (sched->switch_trap > 0) {
        sched_ready(t);
        return 0;
    }
    self->regs.result = 0;
    sched_ready(self);
    return leave_for(t, switch_stacks);
}

void sched_interrupt(struct sched *s)
{
    s->interrupted = 1;
}
