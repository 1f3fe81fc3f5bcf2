/*
 * sched_fixture.h - a scheduler under a clock that the test turns by hand, some tenants, and jobs as many as a test likes.
 *
 * Side:    tests.
 */
#ifndef TESTS_UNIT_SCHED_FIXTURE_H
#define TESTS_UNIT_SCHED_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/sched.h"

#define INTERACTIVE PB__JOB_CLASS__JOB_CLASS_INTERACTIVE
#define NORMAL      PB__JOB_CLASS__JOB_CLASS_NORMAL
#define BATCH       PB__JOB_CLASS__JOB_CLASS_BATCH

enum { FX_TENANTS = 12, FX_JOBS = 4096 };

struct fx_job {
    struct sched_job sched; /* first */
    unsigned number;
};

struct fixture {
    struct sched *s;
    struct sched_tenant t[FX_TENANTS];
    struct fx_job jobs[FX_JOBS];
    unsigned n_jobs;
    uint64_t now;
};

static inline int fx_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->now = 1000000;
    f->s = sched_new(0, f->now);
    assert_non_null(f->s);
    *state = f;
    return 0;
}

static inline int fx_teardown(void **state)
{
    struct fixture *f = *state;

    sched_free(f->s);
    free(f);
    return 0;
}

static inline struct sched_tenant *fx_tenant(struct fixture *f, unsigned i, struct sched_tenant *parent, double weight)
{
    assert_int_equal(sched_tenant_add(f->s, &f->t[i], parent, weight, f->now), 0);
    return &f->t[i];
}

/* A job of age `key`, put. n_use uses. */
static inline struct fx_job *fx_put_using(struct fixture *f, struct sched_tenant *t, uint64_t key, Pb__JobClass class, unsigned priority,
                                          float cost, const struct sched_use *use, unsigned n_use)
{
    struct fx_job *j = &f->jobs[f->n_jobs];

    assert_true(f->n_jobs < FX_JOBS);
    j->number = f->n_jobs++;
    j->sched.rank.key = key;
    j->sched.cost = cost;
    j->sched.uses = sched_uses_get(f->s, t, use, n_use);
    assert_non_null(j->sched.uses);
    assert_int_equal(sched_put(f->s, &j->sched, class, priority, f->now), 0);
    return j;
}

/* The next in age, of cost 1. */
static inline struct fx_job *fx_put(struct fixture *f, struct sched_tenant *t)
{
    return fx_put_using(f, t, 1000 + f->n_jobs, NORMAL, 3, 1, NULL, 0);
}

static inline struct fx_job *fx_next(struct fixture *f)
{
    return (struct fx_job *)sched_next(f->s, f->now);
}

/* It has run, and cost what was charged. */
static inline void fx_done(struct fixture *f, struct fx_job *j)
{
    sched_done(f->s, j->sched.uses, j->sched.cost, j->sched.charged, j->sched.cost, f->now);
}

static inline const char *fx_why(struct fixture *f, struct fx_job *j)
{
    static struct sched_why why;

    sched_why(f->s, &j->sched, f->now, &why);
    return why.reason;
}

#endif
