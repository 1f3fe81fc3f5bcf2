/*
 * events.c - sem, event, barrier, waitgroup, once: waiting for something to happen, or to have happened often enough.
 *
 * Side:    worker. One thread state's.
 * Rules:   as in locks.c: a woken waiter does not look at the object again, because the object may be gone by then.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "worker/task/local.h"
#include "worker/task/locks.h"

struct coop_sem {
    struct member *home;
    unsigned value; /* above 0: nobody waits */
    struct wait_queue waiters;
};

struct coop_event {
    struct member *home;
    bool set;
    struct wait_queue waiters;
};

struct coop_barrier {
    struct member *home;
    unsigned parties;
    unsigned waiting; /* in the queue, or gave up and not run since */
    bool broken;
    struct wait_queue waiters;
};

struct coop_waitgroup {
    struct member *home;
    int64_t count;
    struct wait_queue waiters;
};

/* ---- sem ----------------------------------------------------------------------------------------------------------------------- */

int coop_sem_new(unsigned value, coop_sem **ret)
{
    if (ret == NULL)
        return -EINVAL;
    coop_sem *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->home = task_home();
    s->value = value;
    *ret = s;
    return 0;
}

int coop_sem_free(coop_sem *s)
{
    if (s != NULL && task_foreign(s->home))
        return -EXDEV;
    if (s != NULL && !wait_empty(&s->waiters))
        return -EBUSY;
    free(s);
    return 0;
}

int coop_sem_wait(coop_sem *s, int64_t deadline)
{
    int rc;

    if (s == NULL)
        return -EINVAL;
    if (task_foreign(s->home))
        return -EXDEV;
    if ((rc = coop_cancelled()) != 0)
        return rc;
    if (s->value == 0)
        return task_block(&s->waiters, deadline, "sem", s);
    s->value--;
    return 0;
}

int coop_sem_post(coop_sem *s)
{
    if (s == NULL)
        return -EINVAL;
    if (task_foreign(s->home))
        return -EXDEV;
    if (!wait_empty(&s->waiters))
        task_wake(s->waiters.first->task, 0);
    else if (s->value == UINT_MAX)
        return -EOVERFLOW;
    else
        s->value++;
    return 0;
}

unsigned coop_sem_value(const coop_sem *s)
{
    return s != NULL && !task_foreign(s->home) ? s->value : 0;
}

/* ---- event --------------------------------------------------------------------------------------------------------------------- */

int coop_event_new(coop_event **ret)
{
    if (ret == NULL)
        return -EINVAL;
    coop_event *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return -ENOMEM;
    e->home = task_home();
    *ret = e;
    return 0;
}

int coop_event_free(coop_event *e)
{
    if (e != NULL && task_foreign(e->home))
        return -EXDEV;
    if (e != NULL && !wait_empty(&e->waiters))
        return -EBUSY;
    free(e);
    return 0;
}

int coop_event_wait(coop_event *e, int64_t deadline)
{
    int rc;

    if (e == NULL)
        return -EINVAL;
    if (task_foreign(e->home))
        return -EXDEV;
    if ((rc = coop_cancelled()) != 0 || e->set)
        return rc;
    return task_block(&e->waiters, deadline, "event", e);
}

int coop_event_set(coop_event *e)
{
    if (e == NULL)
        return -EINVAL;
    if (task_foreign(e->home))
        return -EXDEV;
    e->set = true;
    wake_all(&e->waiters, 0);
    return 0;
}

int coop_event_clear(coop_event *e)
{
    if (e == NULL)
        return -EINVAL;
    if (task_foreign(e->home))
        return -EXDEV;
    e->set = false;
    return 0;
}

bool coop_event_is_set(const coop_event *e)
{
    return e != NULL && !task_foreign(e->home) && e->set;
}

/* ---- barrier ------------------------------------------------------------------------------------------------------------------- */

int coop_barrier_new(unsigned parties, coop_barrier **ret)
{
    if (ret == NULL || parties == 0)
        return -EINVAL;
    coop_barrier *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return -ENOMEM;
    b->home = task_home();
    b->parties = parties;
    *ret = b;
    return 0;
}

int coop_barrier_free(coop_barrier *b)
{
    if (b != NULL && task_foreign(b->home))
        return -EXDEV;
    if (b != NULL && b->waiting > 0)
        return -EBUSY;
    free(b);
    return 0;
}

static void let_go(coop_barrier *b, int rc)
{
    b->waiting -= (unsigned)b->waiters.count;
    wake_all(&b->waiters, rc);
}

int coop_barrier_wait(coop_barrier *b, int64_t deadline)
{
    int rc;

    if (b == NULL)
        return -EINVAL;
    if (task_foreign(b->home))
        return -EXDEV;
    if ((rc = coop_cancelled()) != 0)
        return rc;
    if (b->broken)
        return -EPIPE;
    if ((unsigned long)b->waiters.count + 1 >= b->parties) {
        let_go(b, 0);
        return 1;
    }
    if ((rc = task_may_block(deadline)) != 0)
        return rc; /* it never waited, so it breaks nothing */
    b->waiting++;
    rc = task_block(&b->waiters, deadline, "barrier", b);
    if (rc != 0 && rc != -EPIPE) {
        b->waiting--;
        b->broken = true;
        let_go(b, -EPIPE);
    }
    return rc;
}

/* ---- waitgroup ----------------------------------------------------------------------------------------------------------------- */

int coop_waitgroup_new(coop_waitgroup **ret)
{
    if (ret == NULL)
        return -EINVAL;
    coop_waitgroup *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -ENOMEM;
    w->home = task_home();
    *ret = w;
    return 0;
}

int coop_waitgroup_free(coop_waitgroup *w)
{
    if (w != NULL && task_foreign(w->home))
        return -EXDEV;
    if (w != NULL && !wait_empty(&w->waiters))
        return -EBUSY;
    free(w);
    return 0;
}

int coop_waitgroup_add(coop_waitgroup *w, int delta)
{
    if (w == NULL)
        return -EINVAL;
    if (task_foreign(w->home))
        return -EXDEV;
    if (w->count + delta < 0)
        return -EINVAL;
    w->count += delta;
    if (w->count == 0)
        wake_all(&w->waiters, 0);
    return 0;
}

int coop_waitgroup_done(coop_waitgroup *w)
{
    return coop_waitgroup_add(w, -1);
}

int coop_waitgroup_wait(coop_waitgroup *w, int64_t deadline)
{
    int rc;

    if (w == NULL)
        return -EINVAL;
    if (task_foreign(w->home))
        return -EXDEV;
    if ((rc = coop_cancelled()) != 0 || w->count == 0)
        return rc;
    return task_block(&w->waiters, deadline, "waitgroup", w);
}

/* ---- once ---------------------------------------------------------------------------------------------------------------------- */

/* Below 0: done, and failed with that, which everybody is told. From ONCE_RUNNING on: runs on the thread state of that number. */
enum { ONCE_NEW, ONCE_DONE, ONCE_RUNNING };

struct once_run {
    coop_event done; /* first: coop_once.done is its address */
    uint64_t runner;
    coop_once *once;
    struct once_run *outer; /* another of the same runner */
    bool movable;           /* what the runner was before */
};

/* The innermost of *runs has ended with rc. */
static void end_run(struct once_run **runs, int rc)
{
    struct once_run *run = *runs;

    *runs = run->outer;
    sched->current->movable = run->movable;
    run->once->done = NULL;
    atomic_store((_Atomic int *)&run->once->state, rc < 0 ? rc : ONCE_DONE);
    (void)coop_event_set(&run->done);
    free(run);
}

void once_runner_ended(struct once_run **runs, int rc)
{
    while (*runs != NULL)
        end_run(runs, rc);
}

/* *state, o's, says that we run it. */
static int run_it(coop_once *o, _Atomic int *state, coop_fn fn, void *arg)
{
    struct once_run **runs = local_onces(), *run = runs != NULL ? calloc(1, sizeof(*run)) : NULL;
    coop_task *self = sched->current;
    int rc;

    if (run == NULL) {
        atomic_store(state, ONCE_NEW);
        return -ENOMEM;
    }
    *run = (struct once_run){ .runner = self->id, .once = o, .outer = *runs, .movable = self->movable };
    run->done.home = task_home();
    *runs = run;
    o->done = &run->done;
    self->movable = false; /* others of this thread state wait for its end */
    rc = fn(arg);
    end_run(runs, rc);
    return rc < 0 ? rc : 0;
}

int coop_once_run(coop_once *o, coop_fn fn, void *arg, int64_t deadline)
{
    int rc, now = ONCE_NEW, running;
    _Atomic int *state;

    if (o == NULL || fn == NULL)
        return -EINVAL;
    if ((rc = coop_cancelled()) != 0)
        return rc;
    state = (_Atomic int *)&o->state;
    running = ONCE_RUNNING + (int)coop_thread();
    if (atomic_compare_exchange_strong(state, &now, running))
        return run_it(o, state, fn, arg);
    if (now == running) {
        if (((const struct once_run *)o->done)->runner == sched->current->id)
            return -EDEADLK;
        rc = coop_event_wait(o->done, deadline);
    } else if (now > ONCE_RUNNING) {
        return -EXDEV;
    }
    now = atomic_load(state);
    return rc == 0 && now < 0 ? now : rc;
}
