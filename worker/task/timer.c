/*
 * timer.c - coop_timer: a tasklet sleeps for each timer that is set.
 *
 * The sleeper never looks at a timer that was stopped, because that may be freed: the two know each other through a struct sleep, which
 * the sleeper frees. It calls no fn of a periodic timer itself, because fn may block longer than a period, or never come back.
 */
#include <errno.h>
#include <stdlib.h>

#include "worker/task/sched.h"

struct sleep {
    coop_timer *timer; /* NULL: stopped */
    coop_task *sleeper;
    int64_t deadline, period_us;
};

struct coop_timer {
    struct member *home;
    coop_fn fn;
    void *arg;
    struct sleep *sleep; /* NULL: not set */
};

int coop_timer_new(coop_fn fn, void *arg, coop_timer **ret_timer)
{
    if (fn == NULL || ret_timer == NULL)
        return -EINVAL;
    coop_timer *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return -ENOMEM;
    t->home = task_home();
    t->fn = fn;
    t->arg = arg;
    *ret_timer = t;
    return 0;
}

/* The next multiple of the period that is still to come: those that were missed are left out. */
static int64_t next_deadline(int64_t deadline, int64_t period_us)
{
    int64_t late = coop_now() - deadline, next;

    if (late > 0)
        deadline += late / period_us * period_us;
    return __builtin_add_overflow(deadline, period_us, &next) ? COOP_NEVER : next;
}

/* Returns whether the deadline came and the timer is still set. */
static bool sleep_well(const struct sleep *s)
{
    return task_block(NULL, s->deadline, "timer", (void *)s) == -ETIMEDOUT && s->timer != NULL && coop_cancelled() == 0;
}

static int sleeper(void *arg)
{
    struct sleep *s = arg;
    coop_fn fn = NULL;
    void *fn_arg = NULL;

    while (fn == NULL && sleep_well(s)) {
        if (s->period_us == 0) {
            fn = s->timer->fn;
            fn_arg = s->timer->arg;
        } else {
            (void)coop_spawn(NULL, s->timer->fn, s->timer->arg, NULL); /* no room for it: this one is left out */
            s->deadline = next_deadline(s->deadline, s->period_us);
        }
    }
    if (s->timer != NULL)
        s->timer->sleep = NULL;
    free(s);
    return fn != NULL ? fn(fn_arg) : 0;
}

int coop_timer_set(coop_timer *t, int64_t deadline, int64_t period_us)
{
    static const struct coop_attr attr = { .name = "timer" };
    struct sleep *s;
    int rc;

    if (sched == NULL || t == NULL || deadline == COOP_NEVER || period_us < 0)
        return -EINVAL;
    if (task_foreign(t->home))
        return -EXDEV;
    s = malloc(sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    *s = (struct sleep){ .timer = t, .deadline = deadline > 0 ? deadline : 0, .period_us = period_us };
    rc = coop_spawn(&s->sleeper, sleeper, s, &attr);
    if (rc != 0) {
        free(s);
        return rc;
    }
    (void)coop_detach(s->sleeper);
    (void)coop_timer_stop(t);
    t->sleep = s;
    return 0;
}

int coop_timer_stop(coop_timer *t)
{
    struct sleep *s;

    if (t == NULL)
        return -EINVAL;
    if (task_foreign(t->home))
        return -EXDEV;
    s = t->sleep;
    if (s == NULL)
        return 0;
    t->sleep = NULL;
    s->timer = NULL;
    (void)coop_cancel(s->sleeper);
    return 1;
}

int coop_timer_free(coop_timer *t)
{
    if (t != NULL && task_foreign(t->home))
        return -EXDEV;
    if (t != NULL)
        (void)coop_timer_stop(t);
    free(t);
    return 0;
}
