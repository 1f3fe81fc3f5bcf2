/*
 * shared_join.c - joins in a group: the ends of tasklets of any of its thread states, under the lock of the one that ends.
 *
 * Ended:  over says so, not the state, which only the owner may read: a tasklet is over when it has left its stack.
 * Frees:  who joins it, or it itself when it was detached; home gets the memory (threads_release()).
 */
#include <errno.h>
#include <stdlib.h>

#include "worker/task/threads.h"

struct node {
    struct wait_node wait;
    coop_task *other;
};

struct nodes { /* coop_task.waits_for */
    size_t n;
    struct node list[];
};

static struct group *group(void)
{
    return sched_here()->member->group; /* also after a switch */
}

static int may_join(const coop_task *t)
{
    if (t == NULL || t->id <= group()->n || t->detached)
        return -EINVAL;
    return t == sched->current ? -EDEADLK : 0;
}

/* ---- who has it --------------------------------------------------------------------------------------------------------------------- */

/* From now on nobody else can join it. */
static int take(coop_task *t)
{
    struct group *g = group();
    int rc = t != NULL ? 0 : -EINVAL;

    if (rc != 0)
        return rc;
    shared_lock(g, t);
    rc = may_join(t);
    if (rc == 0 && t->joined)
        rc = -EBUSY;
    if (rc == 0)
        t->joined = true;
    shared_unlock(g, t);
    return rc;
}

static void give_back(coop_task *t)
{
    shared_lock(group(), t);
    t->joined = false;
    shared_unlock(group(), t);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------------ */

static void leave(coop_task *self)
{
    coop_task *t = self->waits_for;

    self->on_wake = NULL;
    if (self->regs.result != 0)
        shared_leave(group(), t, &t->joiners, &self->wait);
    atomic_store(&self->claim, CLAIM_NONE);
}

/* Until t, which the caller has taken, is over. */
static int await(coop_task *t, int64_t deadline, const char *why)
{
    coop_task *self = sched_here()->current;
    int rc = threads_cancelled(self);
    bool over;

    if (rc != 0)
        return rc;
    shared_lock(group(), t);
    over = t->over;
    rc = over ? 0 : task_may_block(deadline);
    if (!over && rc == 0) {
        self->on_wake = leave;
        atomic_store(&self->claim, CLAIM_OPEN);
        shared_enter(&t->joiners, &self->wait);
    }
    shared_unlock(group(), t);
    return over || rc != 0 ? rc : shared_block(deadline, why, t);
}

int shared_join(coop_task *t, int *ret_result, int64_t deadline)
{
    int rc = take(t);

    if (rc != 0)
        return rc;
    rc = await(t, deadline, "join");
    if (rc != 0) {
        give_back(t);
        return rc;
    }
    if (ret_result != NULL)
        *ret_result = t->result;
    threads_release(t);
    return 0;
}

int shared_detach(coop_task *t)
{
    struct group *g = group();
    bool over = false;
    int rc;

    if (t == NULL)
        return -EINVAL;
    shared_lock(g, t);
    rc = t->id <= g->n || t->detached ? -EINVAL : t->joined ? -EBUSY : 0;
    if (rc == 0) {
        t->detached = true;
        over = t->over;
    }
    shared_unlock(g, t);
    if (over)
        threads_release(t);
    return rc;
}

/* ---- all ---------------------------------------------------------------------------------------------------------------------------- */

int shared_gather(coop_task *const *tasks, size_t n, int *results, int64_t deadline)
{
    size_t taken = 0;
    int rc = 0;

    while (taken < n && (rc = take(tasks[taken])) == 0)
        taken++;
    if (rc == 0)
        rc = threads_cancelled(sched->current);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = await(tasks[i], deadline, "gather");
    while (rc != 0 && taken > 0)
        give_back(tasks[--taken]);
    for (size_t i = 0; i < taken; i++) {
        if (results != NULL)
            results[i] = tasks[i]->result;
        threads_release(tasks[i]);
    }
    return rc;
}

/* ---- the first ---------------------------------------------------------------------------------------------------------------------- */

static void leave_all(coop_task *self)
{
    struct nodes *nodes = self->waits_for;

    self->on_wake = NULL;
    for (size_t i = 0; i < nodes->n; i++)
        shared_leave(group(), nodes->list[i].other, &nodes->list[i].other->joiners, &nodes->list[i].wait);
    atomic_store(&self->claim, CLAIM_NONE);
    free(nodes);
}

/* In line for t's end. false: it is over. */
static bool enter(struct node *n, coop_task *t, int index)
{
    bool over;

    n->other = t;
    n->wait.index = index;
    shared_lock(group(), t);
    over = t->over;
    if (!over)
        shared_enter(&t->joiners, &n->wait);
    shared_unlock(group(), t);
    return !over;
}

/* Each that ends from the first enter() on may wake us; it takes effect when we block. */
static int block_for_first(coop_task *const *tasks, size_t n, int64_t deadline)
{
    coop_task *self = sched->current;
    struct nodes *nodes = calloc(1, sizeof(*nodes) + n * sizeof(nodes->list[0]));
    bool waits = true;
    int rc;

    if (nodes == NULL)
        return -ENOMEM;
    self->waits_for = nodes;
    self->on_wake = leave_all;
    atomic_store(&self->claim, CLAIM_OPEN);
    for (size_t i = 0; i < n && waits; i++) {
        waits = enter(&nodes->list[i], tasks[i], (int)i);
        nodes->n += waits;
    }
    if (!waits && task_claim(self)) { /* nobody else wakes us now */
        rc = (int)nodes->n;
        leave_all(self);
        return rc;
    }
    rc = shared_block(deadline, "first of several", nodes);
    return rc != 0 ? rc : self->wait.index;
}

int shared_wait_first(coop_task *const *tasks, size_t n, int64_t deadline)
{
    int rc, first = -1;

    for (size_t i = n; i-- > 0;) {
        if (tasks[i] == NULL)
            return -EINVAL;
        shared_lock(group(), tasks[i]);
        rc = may_join(tasks[i]);
        first = rc == 0 && tasks[i]->over ? (int)i : first;
        shared_unlock(group(), tasks[i]);
        if (rc != 0)
            return rc;
    }
    rc = threads_cancelled(sched->current);
    if (rc != 0 || first >= 0)
        return rc != 0 ? rc : first;
    rc = task_may_block(deadline);
    return rc != 0 ? rc : block_for_first(tasks, n, deadline);
}
