/* turns.c - see threads.h: who runs next on a thread state of a group, what is done for whoever has left, and what idle ones do. */
#include <errno.h>
#include <stdlib.h>

#include "worker/task/threads.h"

__attribute__((noinline)) struct sched *sched_here(void)
{
    __asm__ volatile(""); /* so that no two calls are made one */
    return sched;
}

/* ---- who is next -------------------------------------------------------------------------------------------------------------------- */

static coop_task *run_queue_take(struct sched *s)
{
    coop_task *t = s->ring->next;

    if (t == s->ring)
        return NULL;
    sched_unready(t);
    return t;
}

void threads_look_around(struct member *m)
{
    inbox_drain(m);
    if (--m->until_look > 0)
        return;
    m->until_look = SCHED_POLL_EVERY;
    (void)sched_poll(false);
}

/* NULL: nobody. until_poll stays at 1, so that each round comes here. */
static coop_task *pick(struct sched *s)
{
    struct member *m = s->member;
    coop_task *t = NULL;

    s->until_poll = 1;
    threads_look_around(m);
    if (m->until_look == SCHED_POLL_EVERY)
        t = steal_take_fairly(m);
    m->other_turn = !m->other_turn;
    if (t == NULL && (m->other_turn || s->ring->next == s->ring))
        t = steal_take(m);
    return t != NULL ? t : run_queue_take(s);
}

coop_task *threads_next(void)
{
    coop_task *t = pick(sched);

    return t != NULL ? t : sched->member->idle;
}

int threads_yield(void)
{
    struct sched *s = sched;
    coop_task *t = s->current, *next;

    if (threads_cancelled(t) != 0)
        return -ECANCELED;
    if (s->switch_trap > 0)
        return -EPERM;
    next = pick(s);
    if (next == NULL)
        return 0;
    return threads_give_way(next);
}

int threads_give_way(coop_task *to)
{
    coop_task *t = sched->current;

    t->regs.result = 0;
    if (t->movable)
        sched->member->left = t;
    else
        sched_ready(t);
    return sched_switch(to);
}

/* ---- arriving ----------------------------------------------------------------------------------------------------------------------- */

/* Its memory is not free before its stack is at home: until then somebody else may still have it in an inbox. */
void threads_release(coop_task *t)
{
    if (t->home == sched && t->stack == NULL && atomic_load(&t->mail) == 0)
        task_put(t);
    else
        mail_post(t, MAIL_FREE);
}

void threads_take_stack(struct sched *home, coop_task *t)
{
    if (stacks_put(&home->stacks, t->stack_class, t->stack) != 0)
        abort(); /* it wrote below its stack */
    t->stack = NULL;
}

/* t has left its stack. As soon as it is over who joins it may free it. */
static void bury(struct sched *s, coop_task *t)
{
    struct group *g = s->member->group;
    coop_task *joiners;
    bool detached, last;

    atomic_store(&t->owner, t->home);
    if (t->home != s)
        mail_post(t, MAIL_STACK);
    else
        threads_take_stack(s, t);
    /* Before who joins it can know: there is room for another then. */
    last = atomic_fetch_sub(&g->alive, 1) == 1;
    shared_lock(g, t);
    t->over = true;
    detached = t->detached;
    joiners = shared_claim_all(&t->joiners, 0);
    shared_unlock(g, t);
    shared_wake_all(joiners);
    if (detached)
        threads_release(t);
    if (last)
        mail_post(&g->members[0]->sched->main, MAIL_ALL_ENDED);
}

void threads_arrive(void)
{
    struct sched *s = sched;
    struct member *m = s->member;
    coop_task *t;

    if (m == NULL)
        return;
    t = m->left;
    m->left = NULL;
    if (t != NULL)
        steal_put(m, t);
    t = m->ending;
    m->ending = NULL;
    if (t != NULL)
        bury(s, t);
}

void threads_end(coop_task *t)
{
    sched->stats.ended++;
    sched->member->ending = t;
    (void)sched_switch(threads_next());
    abort(); /* nobody switches to one that has ended */
}

/* ---- spawning ----------------------------------------------------------------------------------------------------------------------- */

static int make(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr)
{
    struct sched *s = sched;
    struct group *g = s->member->group;
    size_t alive = atomic_fetch_add(&g->alive, 1) + 1;
    int rc = alive <= s->max_tasklets ? task_make(ret_task, fn, arg, attr) : -EAGAIN;

    if (rc != 0)
        atomic_fetch_sub(&g->alive, 1);
    else if (alive > s->stats.peak)
        s->stats.peak = alive;
    return rc;
}

int threads_spawn(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr)
{
    struct member *m = sched->member, *to = m;
    coop_task *t;
    int rc;

    if (attr->thread > m->group->n)
        return -EINVAL;
    if (attr->thread > 0)
        to = m->group->members[attr->thread - 1];
    if (attr->scope != NULL && (to != m || attr->movable))
        return -EXDEV;
    inbox_drain(m); /* memory may have come home */
    rc = make(&t, fn, arg, attr);
    if (rc != 0)
        return rc;
    t->detached = ret_task == NULL;
    t->movable = attr->movable;
    t->cancelled |= atomic_load(&m->group->finishing); /* it is in the list by now: MAIL_CANCEL_ALL comes to it, or has been before */
    atomic_store(&t->owner, to->sched);
    if (ret_task != NULL)
        *ret_task = t;
    if (to != m)
        mail_post(t, MAIL_START);
    else if (t->movable)
        steal_put(m, t);
    else
        sched_ready(t);
    return 0;
}

void threads_cancel_all(struct group *g, unsigned mail)
{
    for (unsigned i = 0; i < g->n; i++)
        mail_post(&g->members[i]->sched->main, MAIL_CANCEL_ALL | mail);
}

void threads_finishing(struct group *g, bool on)
{
    atomic_store(&g->finishing, on);
    if (on)
        threads_cancel_all(g, 0);
}

/* ---- idle --------------------------------------------------------------------------------------------------------------------------- */

/* One that was woken to steal has found something, or not: another may be, if there is more. */
static void search_is_over(struct member *m, bool found)
{
    struct group *g = m->group;
    unsigned none = 0;

    m->searching = false;
    atomic_store(&g->searching, 0);
    if (found && atomic_load(&g->n_asleep) > 0 && steal_any(g) && atomic_compare_exchange_strong(&g->searching, &none, 1))
        inbox_wake_thief(g);
}

void threads_idle(struct member *m)
{
    while (!m->stop) {
        coop_task *t = pick(m->sched);

        if (t == NULL && !m->stop)
            t = steal_from_others(m);
        if (m->searching)
            search_is_over(m, t != NULL);
        if (t != NULL) {
            (void)sched_switch(t); /* until nobody else can run */
        } else if (!m->stop) {
            inbox_sleep(m);
            m->until_look = 1;
        }
    }
}
