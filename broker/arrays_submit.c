/* arrays_submit.c - a spec with a range becomes an array and its tasks, in one commit; the failed ones of an array once more. See arrays.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array_range.h"
#include "broker/arrays_own.h"
#include "broker/broker.h"
#include "broker/jobs_own.h"
#include "frame.h"
#include "log.h"

/* Before anything of it is allocated. */
static int check_range(const struct jobs_order *o, const Pb__ArrayRange *r, uint64_t *ret_tasks, struct jobs_refusal *no)
{
    uint64_t bound = tenant_bound(o->tenant, QUOTA_ARRAY), n;
    bool said = bound != TENANT_NO_BOUND;
    char why[ARRAY_RANGE_WHY];

    if (array_range_check(r, why) != 0)
        return jobs_refuse(no, -EINVAL, "%s", why);
    n = array_range_count(r);
    if (!said)
        bound = ARRAYS_TASKS;
    if (bound > ARRAYS_MAX)
        bound = ARRAYS_MAX;
    if (n > bound)
        return jobs_refuse(no, -EDQUOT, "an array of %" PRIu64 "%s tasks: tenant %s may have at most %" PRIu64 " in one (max_array%s)", n,
                           n == UINT64_MAX ? " or more" : "", o->tenant->name, bound, said ? "" : ": the most where that does not say so");
    if (o->spec->stdin_mode == PB__STDIN_MODE__STDIN_MODE_STREAM)
        return jobs_refuse(no, -EINVAL, "an array's tasks cannot share one stream as their standard input; give it inline");
    *ret_tasks = n;
    return 0;
}

/* ---- what it is made of -------------------------------------------------------------------------------------------------------------------------- */

static int make_tasks(const Pb__ArrayRange *r, const struct arrays_subset *only, uint64_t n, struct store_task **ret)
{
    struct store_task *tasks = calloc(n, sizeof(*tasks));
    uint64_t now_ms = loop_wall_us() / 1000;

    if (tasks == NULL)
        return -ENOMEM;
    for (uint64_t i = 0; i < n; i++) {
        ulid_make(now_ms, tasks[i].id);
        tasks[i].index = only != NULL ? only->index[i] : array_range_index(r, i);
    }
    *ret = tasks;
    return 0;
}

static int copy_deps(const struct deps_list *l, struct store_op *op)
{
    op->submit.deps = calloc(l->n + 1, sizeof(*op->submit.deps));
    if (op->submit.deps == NULL)
        return -ENOMEM;
    memcpy(op->submit.deps, l->deps, l->n * sizeof(*l->deps));
    op->submit.n_deps = l->n;
    return 0;
}

static int fill_op(const struct jobs_order *o, const struct jobs_plan *plan, uint64_t n, const struct arrays_subset *only,
                   struct store_op *op)
{
    const Pb__ArrayRange *r = o->spec->schedule->array;
    struct store_submit *m = &op->submit;
    int rc = frame_pack(&o->spec->base, &m->spec.bytes, &m->spec.len);

    if (rc == 0)
        rc = jobs_labels(o->spec, &m->labels, &m->n_labels);
    if (rc == 0)
        rc = make_tasks(r, only, n, &m->tasks);
    if (rc == 0)
        rc = copy_deps(&plan->deps, op);
    m->array = rc == 0 ? calloc(1, sizeof(*m->array)) : NULL;
    if (m->array == NULL)
        return -ENOMEM;
    jobs_row(o->spec, o->tenant, &m->row);
    memcpy(m->row.limiters, plan->limiters, sizeof(m->row.limiters));
    memcpy(m->row.array_id, op->job, sizeof(m->row.array_id));
    *m->array =
        (struct store_array){ .tenant = o->tenant->id, .from = r->from, .to = r->to, .step = r->step != 0 ? r->step : 1, .tasks = n };
    m->array->max_parallel = r->max_parallel;
    m->array->submitted_us = m->row.submitted_us;
    m->array->not_before_us = m->row.not_before_us;
    m->array->deadline_us = m->row.deadline_us;
    m->array->prio = m->row.prio;
    m->array->hold = ARRAY_WISH_NONE; /* each of its tasks is held by itself */
    m->array->class = m->row.class;
    memcpy(m->array->id, op->job, sizeof(m->array->id));
    snprintf(m->array->name, sizeof(m->array->name), "%s", m->row.name);
    snprintf(m->array->engine, sizeof(m->array->engine), "%s", m->row.engine);
    snprintf(m->array->queue, sizeof(m->array->queue), "%s", m->row.queue);
    snprintf(m->array->user, sizeof(m->array->user), "%s", m->row.user);
    return 0;
}

static Pb__State first_state(const struct store_job *row, unsigned unmet)
{
    const struct waiting like = { .holds = row->hold, .unmet = unmet, .not_before_us = row->not_before_us };

    return jobs_first_state(&like);
}

/* What stays in memory until each task has its entry. */
static int keep_fresh(struct array *a, const struct jobs_order *o, const struct store_op *op)
{
    struct array_fresh *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -ENOMEM;
    a->fresh = f;
    f->n = op->submit.array->tasks;
    f->tasks = calloc(f->n, sizeof(*f->tasks));
    if (f->tasks == NULL)
        return -ENOMEM;
    memcpy(f->tasks, op->submit.tasks, f->n * sizeof(*f->tasks));
    f->row = op->submit.row;
    f->done = o->done;
    f->ctx = o->ctx;
    f->limits = *o->spec->limits;
    return 0;
}

/* ---- the commit is back ---------------------------------------------------------------------------------------------------------------------------- */

static void tell_submit(const struct array *a)
{
    struct event_note note = {
        .kind = EVENT_SUBMIT, .job = a->row.id, .tenant = a->tenant, .to = PB__STATE__STATE_RUNNING, .name = a->row.name
    };

    events_tell(&a->broker->events, &note);
}

static void on_stored(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status)
{
    struct array *a = ctx;
    struct array_fresh *f = a->fresh;

    deps_admit(a->broker, id, status);
    if (status == 0) {
        a->committed = true;
        tell_submit(a);
        array_go_on(a); /* the answer follows when all tasks are there */
        return;
    }
    tenant_job_queued(a->tenant, -(int64_t)f->n);
    f->done(f->ctx, id, limits, existing, status);
    array_free(a);
}

static int enter(struct broker *b, const struct jobs_order *o, const uint8_t *hash, struct store_op *op, const struct deps_list *deps)
{
    struct jobs_order own = *o;
    struct array *a = array_new(b, op->submit.array, o->tenant);
    int rc = a != NULL ? keep_fresh(a, o, op) : -ENOMEM;

    own.done = on_stored;
    own.ctx = a;
    if (rc == 0)
        rc = deps_enter(b, op->job, NULL, deps);
    if (rc == 0)
        rc = jobs_note_submit(&b->jobs, &own, hash, op);
    if (rc != 0) {
        deps_leave(b, op->job);
        if (a != NULL)
            array_free(a);
        return rc;
    }
    op->submit.row.state = first_state(&op->submit.row, a->unmet);
    a->fresh->row.state = op->submit.row.state;
    tenant_job_queued(o->tenant, (int64_t)op->submit.array->tasks); /* until each counts itself */
    return 0;
}

static int enter_and_push(struct broker *b, const struct jobs_order *o, const uint8_t *hash, uint64_t n, const struct arrays_subset *only,
                          char ret_id[ULID_LEN + 1], struct jobs_refusal *no)
{
    struct jobs_plan plan;
    struct store_op *op = NULL;
    int rc = jobs_plan(&b->jobs, o, &plan, no);

    if (rc != 0)
        return rc;
    if (!o->dry_run) {
        ulid_make(loop_wall_us() / 1000, ret_id);
        op = store_op_new(STORE_SUBMIT, ret_id);
        rc = op != NULL ? fill_op(o, &plan, n, only, op) : -ENOMEM;
        if (rc == 0)
            rc = enter(b, o, hash, op, &plan.deps);
        if (rc == 0)
            store_push(b->store, op);
        else
            store_op_free(op);
        if (rc != 0)
            jobs_refuse(no, rc, "out of memory");
    }
    deps_list_finish(&plan.deps);
    return rc;
}

int arrays_submit_only(struct broker *b, const struct jobs_order *o, const struct arrays_subset *only, char ret_id[ULID_LEN + 1],
                       uint64_t *ret_tasks, struct jobs_refusal *no)
{
    uint8_t hash[STORE_HASH] = { 0 };
    uint64_t n = 0;
    int rc;

    *no = (struct jobs_refusal){ "", "" };
    ret_id[0] = '\0';
    rc = check_range(o, o->spec->schedule->array, &n, no);
    if (rc != 0)
        return rc;
    if (only != NULL)
        n = only->n;
    rc = jobs_prepare(&b->jobs, o, n, hash, ret_id, no);
    if (rc == 0)
        rc = enter_and_push(b, o, hash, n, only, ret_id, no);
    *ret_tasks = n;
    return rc > 0 ? 0 : rc;
}

int arrays_submit(struct broker *b, const struct jobs_order *o, char ret_id[ULID_LEN + 1], uint64_t *ret_tasks, struct jobs_refusal *no)
{
    return arrays_submit_only(b, o, NULL, ret_id, ret_tasks, no);
}
