/*
 * steal.c - see threads.h: the queues of those that may run on any thread state of the group.
 *
 * Source: Go's runqput(), runqget(), runqgrab() and globrunqget() (proc.go): one place that runs next, a ring of 256 that only its owner puts
 *         into, half of it moved to a list of all when it is full, half of it stolen at a time.
 */
#include "worker/task/threads.h"

enum { ROUNDS = 4 };

/* ---- into and out of the air ----------------------------------------------------------------------------------------------------- */

/* false: mail is under way to t where it is. */
static bool let_go(coop_task *t)
{
    unsigned none = 0;

    return atomic_compare_exchange_strong(&t->mail, &none, MAIL_AIR);
}

static coop_task *catch (struct member *m, coop_task *t)
{
    atomic_store(&t->owner, m->sched);
    mail_flags(t, atomic_exchange(&t->mail, 0));
    return t;
}

/* ---- the overflow ---------------------------------------------------------------------------------------------------------------- */

static void overflow_push(struct group *g, coop_task *t)
{
    t->next = NULL;
    if (g->last != NULL)
        g->last->next = t;
    else
        g->first = t;
    g->last = t;
    atomic_fetch_add(&g->n_overflow, 1);
}

static coop_task *overflow_pop(struct group *g)
{
    coop_task *t = g->first;

    if (t == NULL)
        return NULL;
    g->first = t->next;
    if (g->first == NULL)
        g->last = NULL;
    atomic_fetch_sub(&g->n_overflow, 1);
    return t;
}

/* Half of a full ring, and t. false: somebody has just stolen, there is room. */
static bool spill(struct member *m, coop_task *t, unsigned head)
{
    struct steal_queue *q = &m->steal;
    coop_task *half[STEAL_SLOTS / 2];

    for (unsigned i = 0; i < STEAL_SLOTS / 2; i++)
        half[i] = atomic_load_explicit(&q->slots[(head + i) % STEAL_SLOTS], memory_order_relaxed);
    if (!atomic_compare_exchange_strong(&q->head, &head, head + STEAL_SLOTS / 2))
        return false;
    pthread_mutex_lock(&m->group->overflow);
    for (unsigned i = 0; i < STEAL_SLOTS / 2; i++)
        overflow_push(m->group, half[i]);
    overflow_push(m->group, t);
    pthread_mutex_unlock(&m->group->overflow);
    return true;
}

/* ---- putting --------------------------------------------------------------------------------------------------------------------- */

static void ring_put(struct member *m, coop_task *t)
{
    struct steal_queue *q = &m->steal;

    for (;;) {
        unsigned head = atomic_load(&q->head), tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

        if (tail - head < STEAL_SLOTS) {
            atomic_store_explicit(&q->slots[tail % STEAL_SLOTS], t, memory_order_relaxed);
            atomic_store(&q->tail, tail + 1);
            return;
        }
        if (spill(m, t, head))
            return;
    }
}

void steal_put(struct member *m, coop_task *t)
{
    struct group *g = m->group;
    unsigned none = 0;

    t->loose = false;
    if (t == m->sched->current || !let_go(t)) {
        sched_ready(t);
        return;
    }
    t->state = TASK_READY;
    t = atomic_exchange(&m->steal.next, t);
    if (t != NULL)
        ring_put(m, t);
    if (atomic_load(&g->n_asleep) > 0 && atomic_compare_exchange_strong(&g->searching, &none, 1))
        inbox_wake_thief(g);
}

/* ---- taking one's own ------------------------------------------------------------------------------------------------------------ */

static coop_task *ring_take(struct member *m)
{
    struct steal_queue *q = &m->steal;
    unsigned head = atomic_load(&q->head);

    while (head != atomic_load_explicit(&q->tail, memory_order_relaxed)) {
        coop_task *t = atomic_load_explicit(&q->slots[head % STEAL_SLOTS], memory_order_relaxed);

        if (atomic_compare_exchange_strong(&q->head, &head, head + 1))
            return t;
    }
    return NULL;
}

/* One to run; a fair share of the rest into the ring. */
static coop_task *overflow_take(struct member *m)
{
    struct group *g = m->group;
    coop_task *t, *more;
    size_t share;

    if (atomic_load(&g->n_overflow) == 0)
        return NULL;
    pthread_mutex_lock(&g->overflow);
    share = atomic_load(&g->n_overflow) / g->n;
    share = share < STEAL_SLOTS / 2 ? share : STEAL_SLOTS / 2;
    t = overflow_pop(g);
    while (share-- > 0 && atomic_load(&m->steal.tail) - atomic_load(&m->steal.head) < STEAL_SLOTS && (more = overflow_pop(g)) != NULL)
        ring_put(m, more);
    pthread_mutex_unlock(&g->overflow);
    return t;
}

coop_task *steal_take(struct member *m)
{
    coop_task *t = atomic_load_explicit(&m->steal.next, memory_order_relaxed) != NULL ? atomic_exchange(&m->steal.next, NULL) : NULL;

    if (t == NULL)
        t = ring_take(m);
    if (t == NULL)
        t = overflow_take(m);
    return t != NULL ? catch (m, t) : NULL;
}

coop_task *steal_take_fairly(struct member *m)
{
    coop_task *t = overflow_take(m);

    if (t == NULL)
        t = ring_take(m);
    return t != NULL ? catch (m, t) : steal_take(m);
}

/* ---- stealing -------------------------------------------------------------------------------------------------------------------- */

/* Half of a victim's ring into ours, which is empty; returns the last of them, to run. */
static coop_task *grab(struct member *m, struct steal_queue *victim)
{
    unsigned head = atomic_load(&victim->head), n, tail = atomic_load_explicit(&m->steal.tail, memory_order_relaxed);
    coop_task *t;

    for (;;) {
        n = atomic_load(&victim->tail) - head;
        n -= n / 2;
        if (n == 0)
            return NULL;
        if (n > STEAL_SLOTS / 2) { /* head is old by now */
            head = atomic_load(&victim->head);
            continue;
        }
        for (unsigned i = 0; i < n; i++) {
            t = atomic_load_explicit(&victim->slots[(head + i) % STEAL_SLOTS], memory_order_relaxed);
            atomic_store_explicit(&m->steal.slots[(tail + i) % STEAL_SLOTS], t, memory_order_relaxed);
        }
        if (atomic_compare_exchange_strong(&victim->head, &head, head + n))
            break;
    }
    t = atomic_load_explicit(&m->steal.slots[(tail + n - 1) % STEAL_SLOTS], memory_order_relaxed);
    atomic_store(&m->steal.tail, tail + n - 1);
    return t;
}

static coop_task *grab_next(struct steal_queue *victim)
{
    return atomic_load(&victim->next) != NULL ? atomic_exchange(&victim->next, NULL) : NULL;
}

coop_task *steal_from_others(struct member *m)
{
    const struct group *g = m->group;

    for (int round = 0; round < ROUNDS; round++)
        for (unsigned i = 1; i < g->n; i++) {
            struct steal_queue *victim = &g->members[(m->index + i) % g->n]->steal;
            coop_task *t = grab(m, victim);

            if (t == NULL && round == ROUNDS - 1)
                t = grab_next(victim); /* its owner is about to run it, unless it is busy */
            if (t != NULL)
                return catch (m, t);
        }
    return NULL;
}

bool steal_any(const struct group *g)
{
    for (unsigned i = 0; i < g->n; i++) {
        const struct steal_queue *q = &g->members[i]->steal;

        if (atomic_load(&q->next) != NULL || atomic_load(&q->head) != atomic_load(&q->tail))
            return true;
    }
    return atomic_load(&g->n_overflow) > 0;
}
