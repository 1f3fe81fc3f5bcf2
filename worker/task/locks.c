/*
 * locks.c - mutex, rwlock, cond: who may go on is decided by who lets go, so nobody overtakes those that wait.
 *
 * Side:    worker. One thread state's.
 * Rules:   a woken waiter already has what it waited for and does not look at the lock again: the lock may be gone by then.
 *          One that gives up does look again, so it counts as waiting until it has.
 * Owners:  are known by id, not by address: the memory of a tasklet that ended is used again.
 */
#include "worker/task/locks.h"

#include <errno.h>
#include <stdlib.h>

enum { READER, WRITER };

struct coop_mutex {
    struct member *home;
    uint64_t owner; /* 0: unlocked */
    struct wait_queue waiters;
    unsigned borrowers; /* in coop_cond_wait(), and will want it back */
};

struct coop_rwlock {
    struct member *home;
    uint64_t writer; /* 0: none */
    size_t readers;
    size_t waiting;            /* in the queue, or gave up and not run since */
    struct wait_queue waiters; /* wait.word: READER or WRITER */
};

struct coop_cond {
    struct member *home;
    struct wait_queue waiters;
};

/* ---- mutex --------------------------------------------------------------------------------------------------------------------- */

int coop_mutex_new(coop_mutex **ret)
{
    if (ret == NULL)
        return -EINVAL;
    coop_mutex *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return -ENOMEM;
    m->home = task_home();
    *ret = m;
    return 0;
}

int coop_mutex_free(coop_mutex *m)
{
    if (m != NULL && task_foreign(m->home))
        return -EXDEV;
    if (m != NULL && (!wait_empty(&m->waiters) || m->borrowers > 0))
        return -EBUSY;
    free(m);
    return 0;
}

int coop_mutex_lock(coop_mutex *m, int64_t deadline)
{
    int rc;

    if (m == NULL)
        return -EINVAL;
    if (task_foreign(m->home))
        return -EXDEV;
    if ((rc = coop_cancelled()) != 0)
        return rc;
    if (m->owner == sched->current->id)
        return -EDEADLK;
    if (m->owner != 0)
        return task_block(&m->waiters, deadline, "mutex", m);
    m->owner = sched->current->id;
    return 0;
}

int coop_mutex_unlock(coop_mutex *m)
{
    coop_task *heir;

    if (m == NULL)
        return -EINVAL;
    if (task_foreign(m->home))
        return -EXDEV;
    if (m->owner != sched->current->id)
        return -EPERM;
    m->owner = 0;
    if (!wait_empty(&m->waiters)) {
        heir = m->waiters.first->task;
        m->owner = heir->id;
        task_wake(heir, 0);
    }
    return 0;
}

/* ---- rwlock -------------------------------------------------------------------------------------------------------------------- */

int coop_rwlock_new(coop_rwlock **ret)
{
    if (ret == NULL)
        return -EINVAL;
    coop_rwlock *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return -ENOMEM;
    l->home = task_home();
    *ret = l;
    return 0;
}

int coop_rwlock_free(coop_rwlock *l)
{
    if (l != NULL && task_foreign(l->home))
        return -EXDEV;
    if (l != NULL && l->waiting > 0)
        return -EBUSY;
    free(l);
    return 0;
}

/* Lets in from the front of the queue whoever may be in together. */
static void admit(coop_rwlock *l)
{
    while (!wait_empty(&l->waiters) && l->writer == 0) {
        coop_task *t = l->waiters.first->task;

        if (t->wait.word == READER)
            l->readers++;
        else if (l->readers == 0)
            l->writer = t->id;
        else
            return;
        l->waiting--;
        task_wake(t, 0);
    }
}

static int wait_for_turn(coop_rwlock *l, intptr_t kind, int64_t deadline)
{
    int rc;

    if (l->writer == sched->current->id)
        return -EDEADLK;
    sched->current->wait.word = kind;
    l->waiting++;
    rc = task_block(&l->waiters, deadline, kind == READER ? "read lock" : "write lock", l);
    if (rc != 0) {
        l->waiting--;
        admit(l); /* those that stood behind this one */
    }
    return rc;
}

int coop_rwlock_read(coop_rwlock *l, int64_t deadline)
{
    int rc;

    if (l == NULL)
        return -EINVAL;
    if (task_foreign(l->home))
        return -EXDEV;
    if ((rc = coop_cancelled()) != 0)
        return rc;
    if (l->writer != 0 || !wait_empty(&l->waiters))
        return wait_for_turn(l, READER, deadline);
    l->readers++;
    return 0;
}

int coop_rwlock_write(coop_rwlock *l, int64_t deadline)
{
    int rc;

    if (l == NULL)
        return -EINVAL;
    if (task_foreign(l->home))
        return -EXDEV;
    if ((rc = coop_cancelled()) != 0)
        return rc;
    if (l->writer != 0 || l->readers > 0 || !wait_empty(&l->waiters))
        return wait_for_turn(l, WRITER, deadline);
    l->writer = sched->current->id;
    return 0;
}

int coop_rwlock_unlock(coop_rwlock *l)
{
    if (l == NULL)
        return -EINVAL;
    if (task_foreign(l->home))
        return -EXDEV;
    if (l->writer == sched->current->id)
        l->writer = 0;
    else if (l->readers > 0)
        l->readers--;
    else
        return -EPERM;
    admit(l);
    return 0;
}

/* ---- cond ---------------------------------------------------------------------------------------------------------------------- */

int coop_cond_new(coop_cond **ret)
{
    if (ret == NULL)
        return -EINVAL;
    coop_cond *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    c->home = task_home();
    *ret = c;
    return 0;
}

int coop_cond_free(coop_cond *c)
{
    if (c != NULL && task_foreign(c->home))
        return -EXDEV;
    if (c != NULL && !wait_empty(&c->waiters))
        return -EBUSY;
    free(c);
    return 0;
}

int coop_cond_wait(coop_cond *c, coop_mutex *m, int64_t deadline)
{
    int rc, locked;

    if (c == NULL || m == NULL)
        return -EINVAL;
    if (task_foreign(c->home) || task_foreign(m->home))
        return -EXDEV;
    if ((rc = coop_cancelled()) != 0)
        return rc;
    if (m->owner != sched->current->id)
        return -EPERM;
    if ((rc = task_may_block(deadline)) != 0)
        return rc;
    m->borrowers++;
    (void)coop_mutex_unlock(m);
    rc = task_block(&c->waiters, deadline, "cond", c);
    coop_shield(true);
    locked = coop_mutex_lock(m, COOP_NEVER);
    coop_shield(false);
    m->borrowers--;
    return locked != 0 ? locked : rc; /* not locked: its owner will never run, and main is told */
}

int coop_cond_signal(coop_cond *c)
{
    if (c == NULL)
        return -EINVAL;
    if (task_foreign(c->home))
        return -EXDEV;
    if (!wait_empty(&c->waiters))
        task_wake(c->waiters.first->task, 0);
    return 0;
}

int coop_cond_broadcast(coop_cond *c)
{
    if (c == NULL)
        return -EINVAL;
    if (task_foreign(c->home))
        return -EXDEV;
    wake_all(&c->waiters, 0);
    return 0;
}
