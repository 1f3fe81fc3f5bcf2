/* sched.c - see sched.h: queues, blocking, waking, and the switch itself. */
#include "worker/task/sched.h"

#include <errno.h>

#include "worker/task/chan.h"
#include "worker/task/overflow.h"
#include "worker/task/sanitize.h"
#include "worker/task/task.h"
#include "worker/task/threads.h"

__thread struct sched *sched;

#if COOP_TASK_INLINE
#define SAME(internal, field, public, its_field)                                                                                           \
    _Static_assert(offsetof(internal, field) == offsetof(public, its_field), "coop/task_inline.h knows where " #field " is")

SAME(coop_task, regs, struct coop_hot_task, sp);
SAME(coop_task, regs.float_control, struct coop_hot_task, float_control);
SAME(coop_task, regs.x87_control, struct coop_hot_task, x87_control);
SAME(coop_task, regs.result, struct coop_hot_task, result);
SAME(coop_task, regs.kept_errno, struct coop_hot_task, kept_errno);
SAME(coop_task, regs.word, struct coop_hot_task, word);
SAME(coop_task, regs.into, struct coop_hot_task, into);
SAME(coop_task, next, struct coop_hot_task, next);
SAME(coop_task, prev, struct coop_hot_task, prev);
SAME(coop_task, state, struct coop_hot_task, state);
SAME(coop_task, cancelled, struct coop_hot_task, cancelled);
SAME(coop_task, block_trap, struct coop_hot_task, block_trap);
SAME(coop_task, blocked_on, struct coop_hot_task, blocked_on);
SAME(coop_task, on_wake, struct coop_hot_task, on_wake);
SAME(coop_task, wait, struct coop_hot_task, wait);
SAME(coop_task, timer.next, struct coop_hot_task, timer);
SAME(coop_task, why, struct coop_hot_task, why);
SAME(coop_task, waits_for, struct coop_hot_task, waits_for);
SAME(struct wait_node, next, struct coop_hot_node, next);
SAME(struct wait_node, prev, struct coop_hot_node, prev);
SAME(struct wait_node, task, struct coop_hot_node, task);
SAME(struct wait_node, word, struct coop_hot_node, word);
SAME(struct wait_queue, first, struct coop_hot_queue, first);
SAME(struct wait_queue, last, struct coop_hot_queue, last);
SAME(struct wait_queue, count, struct coop_hot_queue, count);
SAME(struct sched, current, struct coop_hot_thread, current);
SAME(struct sched, ring, struct coop_hot_thread, ring);
SAME(struct sched, runnable, struct coop_hot_thread, runnable);
SAME(struct sched, until_poll, struct coop_hot_thread, until_poll);
SAME(struct sched, switch_trap, struct coop_hot_thread, switch_trap);
SAME(struct sched, errno_at, struct coop_hot_thread, errno_at);
SAME(struct sched, hooked, struct coop_hot_thread, hooked);
SAME(struct sched, switches, struct coop_hot_thread, switches);
SAME(struct coop_chan, waiting, struct coop_hot_chan, waiting);
SAME(struct coop_chan, ring, struct coop_hot_chan, ring);
SAME(struct coop_chan, mask, struct coop_hot_chan, mask);
SAME(struct coop_chan, head, struct coop_hot_chan, head);
SAME(struct coop_chan, len, struct coop_hot_chan, len);
SAME(struct coop_chan, cap, struct coop_hot_chan, cap);
SAME(struct coop_chan, preference, struct coop_hot_chan, preference);
SAME(struct coop_chan, closing, struct coop_hot_chan, closing);
_Static_assert(sizeof(struct wait_queue) == sizeof(struct coop_hot_queue), "channels have two of them");
_Static_assert((int)TASK_READY == 0 && (int)TASK_RUNNING == 1 && (int)TASK_BLOCKED == 2, "coop/task_inline.h knows the states");
#endif

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

void wait_push_first(struct wait_queue *q, struct wait_node *n)
{
    n->next = q->first;
    n->prev = NULL;
    if (q->first != NULL)
        q->first->prev = n;
    else
        q->last = n;
    q->first = n;
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

/* A group's idle tasklet is nobody: who ran before it gives way to who runs after it. One that may be gone by then is not named. */
static void tell_switch(coop_task *from, coop_task *to)
{
    struct member *m = sched->member;

    if (from->state == TASK_ENDED)
        from = NULL;
    if (m != NULL && to == m->idle) {
        m->before_idle = from != NULL && from->movable ? NULL : from;
        return;
    }
    if (m != NULL && from == m->idle)
        from = m->before_idle;
    if (from != to)
        sched->switch_hook(from, to);
}

static void call_hooks(coop_task *from, coop_task *to)
{
    if (sched->switch_hook != NULL)
        tell_switch(from, to);
    if (sched->on_switch != NULL)
        sched->on_switch(from, to);
    if (sched->stacks.any_canary)
        overflow_check(from);
}

void sched_hooks_changed(struct sched *s)
{
    s->hooked = s->on_switch != NULL || s->switch_hook != NULL || s->chan_hook != NULL || s->stacks.any_canary || s->member != NULL;
}

void sched_on_switch(void (*fn)(coop_task *from, coop_task *to))
{
    sched->on_switch = fn;
    sched_hooks_changed(sched);
}

/* The two ways differ in what they do on the way back only. */
typedef int (*switch_way)(struct switch_regs *from, struct switch_regs *to);

static inline __attribute__((always_inline)) void hand_on(struct sched *s, coop_task *from, coop_task *to)
{
    int *here = s->errno_at;

    from->regs.kept_errno = *here;
    *here = to->regs.kept_errno;
    s->current = to;
    to->state = TASK_RUNNING;
    s->switches++;
}

static inline __attribute__((always_inline)) int go(struct sched *s, coop_task *from, coop_task *to, switch_way way)
{
    hand_on(s, from, to);
    s->ring = to;
#ifdef SANITIZE_SWITCH
    if (to->frozen != NULL && to->stack != from->stack) /* here, and not on a stack that they have not heard of */
        hibernate_wake(to);
    sanitize_leave(from, to->frozen != NULL ? &s->waker : to);
    (void)way(&from->regs, &to->regs);
    sanitize_arrive(from);
    return from->regs.result;
#else
    return way(&from->regs, &to->regs);
#endif
}

/* In a group the running tasklet is not in the ring: there are more places than that to which it may go. */
static __attribute__((noinline)) int go_in_group(struct sched *s, coop_task *from, coop_task *to)
{
    hand_on(s, from, to);
#ifdef SANITIZE_SWITCH
    sanitize_leave(from, to);
#endif
    (void)switch_stacks(&from->regs, &to->regs);
#ifdef SANITIZE_SWITCH
    sanitize_arrive(from);
#endif
    threads_arrive();
    return from->regs.result;
}

static inline __attribute__((always_inline)) int leave_for(coop_task *to, switch_way way)
{
    struct sched *s = sched;
    coop_task *from = s->current;

    if (__builtin_expect(s->hooked, 0)) {
        if (s->member == NULL)
            s->ring = to; /* from may have left it, and a hook may make somebody runnable */
        call_hooks(from, to);
        if (s->member != NULL)
            return go_in_group(s, from, to);
    }
    return go(s, from, to, way);
}

int sched_switch(coop_task *to)
{
    return leave_for(to, switch_stacks);
}

/* The last to block has not left its stack: its registers are of the time before, and who describes it is to see where it stands now. */
__attribute__((noinline)) void sched_tell_deadlock(void)
{
    coop_task *last = sched->current;

    if (sched->on_deadlock == NULL)
        return;
    if (last->state == TASK_BLOCKED)
        last->regs.sp = last->regs.bp = __builtin_frame_address(0);
    sched->on_deadlock();
}

/* Nothing can ever run again: main is told, whatever it waits for. Main is blocked, or somebody would be runnable. */
static void break_deadlock(void)
{
    sched_tell_deadlock();
    task_interrupt(&sched->main, -EDEADLK);
}

/* While nobody runs a place in the ring is kept for whoever is next. Returns him: from, too, when that was woken meanwhile. */
static __attribute__((noinline)) coop_task *look_around(coop_task *from)
{
    struct sched *s = sched;
    coop_task *to, *idle = &s->idle;

    if (s->member != NULL)
        return threads_next();
    link_before(from, idle);
    unlink_task(from);
    s->ring = idle;
    s->until_poll = SCHED_POLL_EVERY;
    if (idle->next == idle && s->on_idle != NULL)
        s->on_idle();
    if (!sched_poll(idle->next == idle))
        break_deadlock();
    to = idle->next;
    unlink_task(idle);
    s->ring = to;
    s->runnable--;
    return to;
}

static inline coop_task *take_next(void)
{
    struct sched *s = sched;
    coop_task *from = s->current, *to;

    /* In a group it always is: there others may already be changing from->next. */
    if (__builtin_expect(--s->until_poll == 0, 0))
        return look_around(from);
    to = from->next;
    if (__builtin_expect(to == from, 0))
        return look_around(from);
    unlink_task(from);
    s->runnable--;
    return to;
}

coop_task *sched_next(void)
{
    return take_next();
}

/* With something to look at first: the clock, descriptors, hooks. */
static __attribute__((noinline)) int yield_slowly(void)
{
    struct sched *s = sched;
    coop_task *t = s->current, *to = t->next;

    if (s->member != NULL)
        return threads_yield();
    if (t->cancelled && t->shield == 0)
        return -ECANCELED;
    if (s->switch_trap > 0)
        return -EPERM;
    s->ring = to; /* whoever is woken now comes behind t, before to's next turn; or behind nobody, when t is alone */
    if (to == t || --s->until_poll == 0) {
        s->until_poll = SCHED_POLL_EVERY;
        (void)sched_poll(false);
    }
    s->ring = t;
    if (to == t)
        to = t->next;
    if (to == t)
        return 0;
    t->regs.result = 0;
    t->state = TASK_READY;
    return sched_switch(to);
}

int coop_yield(void)
{
    struct sched *s = sched;
    coop_task *from = s->current, *to = from->next;

    if (__builtin_expect(from->cancelled || s->hooked || s->switch_trap > 0 || to == from || s->until_poll <= 1, 0))
        return yield_slowly();
    s->until_poll--;
    from->regs.result = 0;
    from->state = TASK_READY;
    return go(s, from, to, switch_stacks);
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
    t->blocked_at = (uint32_t)sched->switches;
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
    if (__builtin_expect(t->loose, 0))
        steal_put(sched->member, t);
    else
        sched_ready(t);
}

void task_interrupt(coop_task *t, int rc)
{
    if (task_claim(t))
        task_wake(t, rc);
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
    if (__builtin_expect(sched->member != NULL, 0))
        return threads_give_way(t);
    sched_put_before(t);
    return leave_for(t, switch_stacks);
}

void sched_interrupt(struct sched *s)
{
    s->interrupted = 1;
    s->nap.tv_sec = s->nap.tv_nsec = 0;
    if (s->member != NULL)
        inbox_poke(s->member);
    else if (s->wake_fd >= 0)
        sched_wake_by(s->wake_fd);
}

void sched_main_afresh(void)
{
    coop_task *t = &sched->main;

    sched->interrupted = 0;
    t->cancelled = false;
    atomic_fetch_and(&t->mail, ~(unsigned)(MAIL_CANCEL | MAIL_FORCE));
    t->block_trap = t->shield = 0;
    t->atomic = false;
    sched->switch_trap = 0;
}
