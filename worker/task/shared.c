/* shared.c - see threads.h: wait queues of several thread states, and what one does to another's tasklet. */
#include "worker/task/threads.h"

#include <errno.h>

/* ---- the locks ---------------------------------------------------------------------------------------------------------------------- */

void shared_lock(struct group *g, const void *object)
{
    pthread_mutex_lock(&g->locks[shared_index(object)].mutex);
}

void shared_unlock(struct group *g, const void *object)
{
    pthread_mutex_unlock(&g->locks[shared_index(object)].mutex);
}

/* ---- claiming ----------------------------------------------------------------------------------------------------------------------- */

/* A node that is in no queue any more has no task: its owner, who leaves, must know. */
static void take_out(struct wait_queue *q, struct wait_node *n)
{
    wait_remove(q, n);
    n->task = NULL;
}

coop_task *shared_claim_first(struct wait_queue *q, struct wait_node **ret_node)
{
    while (q->first != NULL) {
        struct wait_node *n = q->first;
        coop_task *t = n->task;
        bool ours = task_claim(t);

        take_out(q, n);
        if (ours) {
            *ret_node = n;
            return t;
        }
    }
    return NULL;
}

bool shared_waiting(struct wait_queue *q)
{
    while (q->first != NULL && atomic_load(&q->first->task->claim) == CLAIM_TAKEN)
        take_out(q, q->first);
    return q->first != NULL;
}

coop_task *shared_claim_all(struct wait_queue *q, int err)
{
    coop_task *list = NULL, **end = &list, *t;
    struct wait_node *n;

    while ((t = shared_claim_first(q, &n)) != NULL) {
        t->wait.index = n->index;
        t->wait.err = err;
        t->next = NULL;
        *end = t;
        end = &t->next;
    }
    return list;
}

/* ---- waking ------------------------------------------------------------------------------------------------------------------------- */

void shared_wake(coop_task *t, bool now)
{
    if (atomic_load(&t->owner) != sched)
        mail_post(t, MAIL_WAKE);
    else if (now)
        task_wake_now(t, 0);
    else
        task_wake(t, 0);
}

void shared_wake_all(coop_task *list)
{
    while (list != NULL) {
        coop_task *t = list;

        list = t->next;
        t->next = NULL;
        shared_wake(t, false);
    }
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------------ */

void shared_enter(struct wait_queue *q, struct wait_node *n)
{
    n->task = sched->current;
    wait_push(q, n);
}

void shared_leave(struct group *g, const void *object, struct wait_queue *q, struct wait_node *n)
{
    shared_lock(g, object);
    if (n->task != NULL)
        take_out(q, n);
    shared_unlock(g, object);
}

int shared_block(int64_t deadline, const char *why, void *object)
{
    coop_task *t = sched->current;
    int rc;

    if (__builtin_expect(!t->movable, 1))
        return task_block(NULL, deadline, why, object);
    t->loose = true;
    rc = task_block(NULL, deadline, why, object);
    t->loose = false;
    return rc;
}

/* ---- another's tasklet -------------------------------------------------------------------------------------------------------------- */

int threads_cancelled(const coop_task *t)
{
    bool cancelled = t->cancelled || (atomic_load_explicit(&t->mail, memory_order_relaxed) & MAIL_CANCEL) != 0;

    return cancelled && t->shield == 0 ? -ECANCELED : 0;
}

/* Also to one of our own: it may be in the steal queue. It is opened in this thread state's next round, or when it is taken out. */
int shared_cancel(coop_task *t)
{
    mail_post(t, MAIL_CANCEL);
    return 0;
}

bool shared_is_over(const coop_task *t)
{
    struct group *g = task_group();
    bool over;

    shared_lock(g, t);
    over = t->over;
    shared_unlock(g, t);
    return over;
}

bool shared_is_ours(const coop_task *t)
{
    return atomic_load(&t->owner) == sched && (atomic_load(&t->mail) & MAIL_AIR) == 0;
}

int shared_unpark(coop_task *t, intptr_t value)
{
    if (shared_is_over(t))
        return -EINVAL;
    atomic_store(&t->mail_value, value);
    mail_post(t, MAIL_UNPARK);
    return 0;
}
