/*
 * scope.c - see scope.h: tasklets that end before their parent goes on.
 *
 * Waiting: who is woken is given the first failure and does not look at the scope again, but for coop_scope_close(), which frees it.
 * Deadline: a timer that is set while there are children, so that an idle scope keeps nobody alive.
 */
#include "worker/task/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/task/local.h"
#include "worker/task/locks.h"

struct coop_scope {
    struct member *home;
    coop_task *parent;               /* NULL: has ended */
    struct coop_scope *next, **link; /* among those the parent has opened */
    coop_task *children;             /* by scope_next */
    size_t n_children;
    bool cancelled, closing;
    int64_t deadline;
    coop_timer *timer; /* NULL: no deadline */
    struct wait_queue waiters;
    size_t n_failures;
    struct coop_failure failures[COOP_FAILURES_KEPT];
};

static int first_failure(const coop_scope *s)
{
    return s->n_failures > 0 ? s->failures[0].result : 0;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------- */

static int at_deadline(void *arg)
{
    return coop_scope_cancel(arg);
}

static void open_in(coop_scope *s, coop_scope **open)
{
    s->parent = sched->current;
    s->next = *open;
    s->link = open;
    if (s->next != NULL)
        s->next->link = &s->next;
    *open = s;
}

int coop_scope_new(coop_scope **ret_scope, int64_t deadline)
{
    coop_scope *s, **open;

    if (sched == NULL || ret_scope == NULL)
        return -EINVAL;
    if (sched->current->movable)
        return -EXDEV; /* it might end where its scopes are not */
    open = local_scopes();
    s = open != NULL ? calloc(1, sizeof(*s)) : NULL;
    if (s == NULL)
        return -ENOMEM;
    s->home = task_home();
    s->deadline = deadline;
    if (deadline != COOP_NEVER && coop_timer_new(at_deadline, s, &s->timer) != 0) {
        free(s);
        return -ENOMEM;
    }
    open_in(s, open);
    *ret_scope = s;
    return 0;
}

void scope_parent_ended(coop_scope **open)
{
    while (*open != NULL) {
        coop_scope *s = *open;

        *open = s->next;
        s->parent = NULL;
        s->next = NULL;
        s->link = NULL;
    }
}

/* ---- children ------------------------------------------------------------------------------------------------------------------ */

/* The first child has come: from now on somebody minds the deadline. */
static int mind_deadline(coop_scope *s)
{
    if (s->timer == NULL || s->cancelled)
        return 0;
    if (s->deadline <= coop_now()) {
        s->cancelled = true;
        return 0;
    }
    return coop_timer_set(s->timer, s->deadline, 0);
}

int scope_adopt(coop_scope *s, coop_task *t)
{
    int rc;

    if (task_foreign(s->home))
        return -EXDEV;
    if (s->parent == NULL)
        return -EINVAL;
    if (s->closing)
        return -ECANCELED;
    if (s->n_children == 0 && (rc = mind_deadline(s)) != 0)
        return rc;
    t->scope = s;
    t->cancelled = s->cancelled;
    t->scope_prev = NULL;
    t->scope_next = s->children;
    if (s->children != NULL)
        s->children->scope_prev = t;
    s->children = t;
    s->n_children++;
    return 0;
}

static void forget(coop_scope *s, coop_task *t)
{
    if (t->scope_prev != NULL)
        t->scope_prev->scope_next = t->scope_next;
    else
        s->children = t->scope_next;
    if (t->scope_next != NULL)
        t->scope_next->scope_prev = t->scope_prev;
    t->scope = NULL;
    t->scope_next = t->scope_prev = NULL;
    s->n_children--;
}

static void note_failure(coop_scope *s, const coop_task *t)
{
    struct coop_failure *f = &s->failures[s->n_failures];

    if (s->n_failures == COOP_FAILURES_KEPT)
        return;
    f->task = t->id;
    f->result = t->result;
    memcpy(f->name, t->name, sizeof(f->name));
    s->n_failures++;
}

void scope_child_ended(coop_task *t)
{
    coop_scope *s = t->scope;

    forget(s, t);
    if (t->result < 0 && !t->cancelled) {
        note_failure(s, t);
        (void)coop_scope_cancel(s);
    }
    if (s->n_children > 0)
        return;
    if (s->timer != NULL)
        (void)coop_timer_stop(s->timer);
    wake_all(&s->waiters, first_failure(s));
}

int coop_scope_cancel(coop_scope *s)
{
    if (s == NULL)
        return -EINVAL;
    if (task_foreign(s->home))
        return -EXDEV;
    s->cancelled = true;
    if (s->timer != NULL)
        (void)coop_timer_stop(s->timer);
    for (coop_task *t = s->children; t != NULL; t = t->scope_next)
        if (t->id != 0)
            (void)coop_cancel(t);
        else
            t->cancelled = true; /* still being made */
    return 0;
}

/* ---- joining ------------------------------------------------------------------------------------------------------------------- */

/* Whether the caller is a child of s, or of a child's scope: s cannot end before the caller does. */
static bool is_inside(const coop_scope *s)
{
    const coop_scope *up = sched->current->scope;

    while (up != NULL && up != s)
        up = up->parent != NULL ? up->parent->scope : NULL;
    return up != NULL;
}

int coop_scope_join(coop_scope *s, int64_t deadline)
{
    int rc;

    if (s == NULL)
        return -EINVAL;
    if (task_foreign(s->home))
        return -EXDEV;
    if ((rc = coop_cancelled()) != 0)
        return rc;
    if (is_inside(s))
        return -EDEADLK;
    if (s->n_children == 0)
        return first_failure(s);
    return task_block(&s->waiters, deadline, "scope", s);
}

/* Also for a caller that is cancelled: what it opened has to end before it may. */
static int end_children(coop_scope *s)
{
    int rc;

    coop_shield(true);
    rc = task_may_block(COOP_NEVER);
    if (rc == 0) {
        s->closing = true;
        (void)coop_scope_cancel(s);
        rc = task_block(&s->waiters, COOP_NEVER, "scope", s);
        s->closing = false;
    }
    coop_shield(false);
    return s->n_children > 0 ? rc : 0;
}

int coop_scope_close(coop_scope *s)
{
    int rc;

    if (s == NULL)
        return -EINVAL;
    if (task_foreign(s->home))
        return -EXDEV;
    if (is_inside(s))
        return -EDEADLK;
    if (s->closing || !wait_empty(&s->waiters))
        return -EBUSY;
    if (s->n_children > 0 && (rc = end_children(s)) != 0)
        return rc;
    rc = first_failure(s);
    if (s->link != NULL)
        *s->link = s->next;
    if (s->next != NULL)
        s->next->link = s->link;
    (void)coop_timer_free(s->timer);
    free(s);
    return rc;
}

size_t coop_scope_failures(const coop_scope *s, const struct coop_failure **ret_list)
{
    if (s == NULL || task_foreign(s->home))
        return 0;
    if (ret_list != NULL)
        *ret_list = s->failures;
    return s->n_failures;
}
