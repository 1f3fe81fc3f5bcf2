/*
 * future.c - coop_gather(), coop_wait_first(), coop_wait_for(): joins of more than one kind.
 *
 * A tasklet that is gathered is marked as being joined, so that nobody else can free it meanwhile. One that is only waited for is not:
 * it may be gone when the waiter runs, so which one has ended is found out when the waiter is woken.
 */
#include <errno.h>
#include <stdlib.h>

#include "worker/task/threads.h"

static int may_join(const coop_task *t)
{
    if (t == NULL || t->id <= 1 || t->detached)
        return -EINVAL;
    return t == sched->current ? -EDEADLK : 0;
}

/* ---- all ----------------------------------------------------------------------------------------------------------------------- */

static void release(coop_task *const *tasks, size_t n)
{
    while (n-- > 0)
        tasks[n]->joined = false;
}

static int claim(coop_task *const *tasks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int rc = may_join(tasks[i]);

        if (rc == 0 && tasks[i]->joined)
            rc = -EBUSY; /* also when it is listed twice */
        if (rc != 0) {
            release(tasks, i);
            return rc;
        }
        tasks[i]->joined = true;
    }
    return 0;
}

/* All have ended, so nothing blocks. */
static void collect(coop_task *const *tasks, size_t n, int *results)
{
    coop_shield(true);
    for (size_t i = 0; i < n; i++)
        (void)coop_join(tasks[i], results != NULL ? &results[i] : NULL, 0);
    coop_shield(false);
}

int coop_gather(coop_task *const *tasks, size_t n, int *results, int64_t deadline)
{
    int rc;

    if (sched == NULL || (tasks == NULL && n > 0))
        return -EINVAL;
    if (sched->member != NULL)
        return shared_gather(tasks, n, results, deadline);
    rc = claim(tasks, n);
    if (rc != 0)
        return rc;
    rc = coop_cancelled();
    for (size_t i = 0; i < n && rc == 0; i++)
        if (tasks[i]->state != TASK_ENDED)
            rc = task_block(&tasks[i]->joiners, deadline, "gather", tasks[i]);
    release(tasks, n);
    if (rc == 0)
        collect(tasks, n, results);
    return rc;
}

/* ---- the first ----------------------------------------------------------------------------------------------------------------- */

struct first {
    int n, ended;             /* index; -1: none */
    struct wait_node nodes[]; /* word: the tasklet that is waited for */
};

static void on_wake(coop_task *t)
{
    struct first *f = (struct first *)t->wait.word;

    for (int i = 0; i < f->n; i++) {
        coop_task *other = (coop_task *)f->nodes[i].word;

        if (f->ended < 0 && other->state == TASK_ENDED)
            f->ended = i;
        wait_remove(&other->joiners, &f->nodes[i]);
    }
}

static struct first *line_up(coop_task *const *tasks, size_t n)
{
    struct first *f = calloc(1, sizeof(*f) + n * sizeof(f->nodes[0]));

    if (f == NULL)
        return NULL;
    f->n = (int)n;
    f->ended = -1;
    for (size_t i = 0; i < n; i++) {
        f->nodes[i].task = sched->current;
        f->nodes[i].word = (intptr_t)tasks[i];
        wait_push(&tasks[i]->joiners, &f->nodes[i]);
    }
    return f;
}

static int block_for_first(coop_task *const *tasks, size_t n, int64_t deadline)
{
    coop_task *me = sched->current;
    struct first *f = line_up(tasks, n);
    int rc;

    if (f == NULL)
        return -ENOMEM;
    me->wait.word = (intptr_t)f;
    me->on_wake = on_wake;
    rc = task_block(NULL, deadline, "first of several", NULL);
    me->on_wake = NULL;
    if (rc == 0)
        rc = f->ended;
    free(f);
    return rc;
}

int coop_wait_first(coop_task *const *tasks, size_t n, int64_t deadline)
{
    int rc, ended = -1;

    if (sched == NULL || tasks == NULL || n == 0 || n > INT32_MAX)
        return -EINVAL;
    if (sched->member != NULL)
        return shared_wait_first(tasks, n, deadline);
    for (size_t i = n; i-- > 0;) {
        if ((rc = may_join(tasks[i])) != 0)
            return rc;
        if (tasks[i]->state == TASK_ENDED)
            ended = (int)i;
    }
    if ((rc = coop_cancelled()) != 0 || ended >= 0)
        return rc != 0 ? rc : ended;
    if ((rc = task_may_block(deadline)) != 0)
        return rc;
    return block_for_first(tasks, n, deadline);
}

/* ---- one, or never mind -------------------------------------------------------------------------------------------------------- */

int coop_wait_for(coop_task *t, int *ret_result, int64_t deadline)
{
    int rc = coop_join(t, ret_result, deadline);

    if (rc != -ETIMEDOUT)
        return rc;
    if ((rc = task_may_block(COOP_NEVER)) != 0)
        return rc; /* it cannot wait for the end, so it does not bring it about */
    (void)coop_cancel(t);
    rc = coop_join(t, NULL, COOP_NEVER);
    return rc == 0 ? -ETIMEDOUT : rc;
}
