/*
 * inbox.c - see threads.h: what thread states of a group want of each other's tasklets, and how they sleep.
 *
 * Deadlock: who wakes a thread state that sleeps counts it as awake before it goes on itself. So when all are counted as asleep nothing is
 *           under way, and unless one of them waits for a deadline or a descriptor nobody will ever wake: no time-out is needed to know.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/task/threads.h"

enum { ONLY_FOR_HOME = MAIL_STACK | MAIL_FREE, FOR_MAIN = MAIL_ALL_ENDED | MAIL_DEADLOCK | MAIL_CANCEL_ALL | MAIL_STOP };

/* ---- waking -------------------------------------------------------------------------------------------------------------------------- */

void inbox_poke(struct member *m)
{
    static const uint64_t one = 1;
    int kept = errno;

    if (write(m->event_fd, &one, sizeof(one)) < 0)
        errno = kept; /* 2^64 pokes that nobody has looked at: it is awake */
}

static bool count_awake(struct member *m)
{
    bool asleep = atomic_load(&m->asleep);

    if (asleep) {
        atomic_store(&m->asleep, false);
        atomic_fetch_sub(&m->group->n_asleep, 1);
    }
    return asleep;
}

static void wake(struct member *m)
{
    bool was_asleep;

    pthread_mutex_lock(&m->group->sleep);
    was_asleep = count_awake(m);
    pthread_mutex_unlock(&m->group->sleep);
    if (was_asleep)
        inbox_poke(m);
}

void inbox_wake_thief(struct group *g)
{
    struct member *thief = NULL;

    pthread_mutex_lock(&g->sleep);
    for (unsigned i = 0; i < g->n && thief == NULL; i++)
        if (count_awake(g->members[i]))
            thief = g->members[i];
    if (thief != NULL)
        thief->searching = true; /* it looks at it under the same lock */
    pthread_mutex_unlock(&g->sleep);
    if (thief != NULL)
        inbox_poke(thief);
    else
        atomic_store(&g->searching, 0);
}

/* ---- posting ------------------------------------------------------------------------------------------------------------------------- */

void mail_post(coop_task *t, unsigned bits)
{
    unsigned old = atomic_load(&t->mail);
    struct member *m;

    while (!atomic_compare_exchange_weak(&t->mail, &old, old | bits | ((old & MAIL_AIR) != 0 ? 0 : MAIL_POSTED)))
        ;
    if ((old & (MAIL_AIR | MAIL_POSTED)) != 0)
        return;
    m = atomic_load(&t->owner)->member;
    t->mail_next = atomic_load(&m->inbox);
    while (!atomic_compare_exchange_weak(&m->inbox, &t->mail_next, t))
        ;
    if ((bits & ~(unsigned)ONLY_FOR_HOME) != 0 && atomic_load(&m->asleep))
        wake(m);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------------- */

void mail_flags(coop_task *t, unsigned bits)
{
    if ((bits & MAIL_FORCE) != 0)
        t->shield = 0;
    if ((bits & MAIL_CANCEL) != 0)
        t->cancelled = true;
    if ((bits & MAIL_UNPARK) != 0) {
        t->has_permit = true;
        t->permit = atomic_load(&t->mail_value);
    }
}

static void at_home(struct sched *s, coop_task *t, unsigned bits)
{
    if (t->home != s) {
        mail_post(t, bits & ONLY_FOR_HOME);
        return;
    }
    if ((bits & MAIL_STACK) != 0)
        threads_take_stack(s, t);
    if ((bits & MAIL_FREE) != 0)
        t->released = true;
    if (t->released && t->stack == NULL) /* in whichever order they came */
        task_put(t);
}

static void for_main(struct member *m, coop_task *t, unsigned bits)
{
    struct sched *s = m->sched;

    if ((bits & MAIL_STOP) != 0)
        m->stop = true;
    if ((bits & MAIL_CANCEL_ALL) != 0)
        for (coop_task *other = s->all; other != NULL; other = other->all_next)
            mail_post(other, MAIL_CANCEL | (bits & MAIL_FORCE));
    if ((bits & MAIL_ALL_ENDED) != 0 && t->state == TASK_BLOCKED && s->main_runs_all)
        task_interrupt(t, 0);
    if ((bits & MAIL_DEADLOCK) != 0 && t->state == TASK_BLOCKED) {
        sched_tell_deadlock();
        task_interrupt(t, -EDEADLK);
    }
}

/* One of these at most makes it run. */
static void may_run(coop_task *t, unsigned bits)
{
    if ((bits & MAIL_START) != 0 && t->movable)
        steal_put(sched->member, t);
    else if ((bits & MAIL_START) != 0)
        sched_ready(t);
    else if ((bits & MAIL_WAKE) != 0)
        task_wake(t, 0);
    else if (t->state == TASK_BLOCKED && t->cancelled && t->shield == 0)
        task_interrupt(t, -ECANCELED);
    else if (t->state == TASK_BLOCKED && t->has_permit && t->why == task_parked)
        task_wake(t, 0);
}

static void open_mail(struct member *m, coop_task *t, unsigned bits)
{
    if ((bits & ONLY_FOR_HOME) != 0) {
        at_home(m->sched, t, bits); /* it has ended: nothing else matters to it */
        return;
    }
    if ((bits & FOR_MAIN) != 0)
        for_main(m, t, bits);
    mail_flags(t, bits);
    if ((bits & ~(unsigned)(FOR_MAIN | MAIL_FORCE)) != 0)
        may_run(t, bits);
}

void inbox_drain(struct member *m)
{
    coop_task *t, *next, *order = NULL;

    if (atomic_load_explicit(&m->inbox, memory_order_relaxed) == NULL)
        return;
    for (t = atomic_exchange(&m->inbox, NULL); t != NULL; t = next) {
        next = t->mail_next;
        t->mail_next = order;
        order = t;
    }
    for (t = order; t != NULL; t = next) {
        next = t->mail_next;
        open_mail(m, t, atomic_exchange(&t->mail, 0) & ~(unsigned)MAIL_POSTED);
    }
}

/* ---- sleeping ------------------------------------------------------------------------------------------------------------------------ */

/* Under group.sleep. */
static bool is_dead(const struct group *g)
{
    if (atomic_load(&g->n_asleep) < g->n)
        return false;
    for (unsigned i = 0; i < g->n; i++)
        if (g->members[i]->hopes)
            return false;
    return true;
}

/* Nobody would have to wake us: from here on whoever sends does. */
static bool lie_down(struct member *m, bool *ret_dead)
{
    struct group *g = m->group;
    bool stays;

    pthread_mutex_lock(&g->sleep);
    m->hopes = m->sched->wheel.count > 0 || m->sched->polled > 0;
    atomic_store(&m->asleep, true);
    atomic_fetch_add(&g->n_asleep, 1);
    stays = atomic_load(&m->inbox) == NULL && !steal_any(g) && !m->sched->interrupted;
    *ret_dead = stays && is_dead(g);
    if (!stays || *ret_dead)
        (void)count_awake(m);
    pthread_mutex_unlock(&g->sleep);
    return stays && !*ret_dead;
}

static void get_up(struct member *m)
{
    pthread_mutex_lock(&m->group->sleep);
    (void)count_awake(m);
    pthread_mutex_unlock(&m->group->sleep);
}

void inbox_sleep(struct member *m)
{
    bool dead;

    if (lie_down(m, &dead)) {
        sched_sleep();
        get_up(m);
    } else if (dead) {
        mail_post(&m->group->members[0]->sched->main, MAIL_DEADLOCK);
    }
}
