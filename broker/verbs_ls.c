/* verbs_ls.c - many jobs, newest first; see control_verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/stored.h"
#include "frame.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

enum {
    LS_DEFAULT = 50,
    LS_MAX = 1000,
    LS_PAGE = 256,   /* rows that are read at once */
    LS_LOOKED = 5000 /* rows that one request looks at, whatever it finds: others are waiting. The next one goes on behind them */
};

/* ---- one row ----------------------------------------------------------------------------------------------------------------------------------- */

/* A row, and what of its status lies nowhere else. */
struct ls_row {
    struct store_job job;
    struct array_look *array; /* malloc'd; NULL: it is a job */
    char reason[JOBS_REASON];
    Pb__Label **labels; /* malloc'd, as what is in them */
    size_t n_labels;
};

/* How an ended job ended, in numbers. One that cannot be read shows none: the list is still of use. */
static void fill_ended(struct broker *b, Pb__JobStatus *ret)
{
    struct store_blob blob = { 0 };
    struct frame receipt;

    if (store_read_receipt(b->store, ret->id, &blob) != 0)
        return;
    if (frame_decode(&receipt, &pb__receipt__descriptor, blob.bytes, blob.len, FRAME_MAX_CONTROL) == 0) {
        stored_numbers(ret, (const Pb__Receipt *)receipt.msg);
        frame_release(&receipt);
    }
    free(blob.bytes);
}

static int take_label(void *ctx, const char *key, const char *value)
{
    struct ls_row *r = ctx;
    Pb__Label **more = realloc(r->labels, (r->n_labels + 1) * sizeof(Pb__Label *)), *one;

    if (more == NULL)
        return -ENOMEM;
    r->labels = more;
    one = malloc(sizeof(*one));
    if (one == NULL)
        return -ENOMEM;
    pb__label__init(one);
    one->key = strdup(key);
    one->value = strdup(value);
    r->labels[r->n_labels++] = one;
    return one->key != NULL && one->value != NULL ? 0 : -ENOMEM;
}

static void drop_row(struct ls_row *r)
{
    for (size_t i = 0; i < r->n_labels; i++) {
        free(r->labels[i]->key);
        free(r->labels[i]->value);
        free(r->labels[i]);
    }
    free(r->labels);
    free(r->array);
}

static int fill_labels(struct broker *b, struct ls_row *r, Pb__JobStatus *ret)
{
    int rc = store_each_label(b->store, ret->id, take_label, r);

    ret->labels = r->labels;
    ret->n_labels = r->n_labels;
    return rc;
}

/* The store's word for a job, and where the job is alive, its own. */
static int fill_row(struct broker *b, struct ls_row *r, Pb__JobStatus *ret)
{
    const struct waiting *w = waiting_find(&b->jobs.table, r->job.id);
    const struct job *job = w != NULL ? w->job : jobs_find(&b->jobs, r->job.id);

    if (job != NULL)
        jobs_status(job, ret);
    else
        stored_status(b, &r->job, ret);
    if (job == NULL && w != NULL) {
        jobs_status_slim(&b->jobs, w, ret);
        ret->reason = (char *)jobs_reason(&b->jobs, w, r->reason);
    } else if (job == NULL && job_is_terminal(ret->state)) {
        fill_ended(b, ret);
    }
    ret->id = (char *)r->job.id;
    ret->queue = (char *)r->job.queue;
    ret->array_id = (char *)r->job.array_id;
    return fill_labels(b, r, ret);
}

/* ---- which ------------------------------------------------------------------------------------------------------------------------------------- */

/* Live states are not in the store; a filter for any of them asks it for all unfinished jobs, and the live state decides. */
static uint32_t stored_states(uint32_t states)
{
    uint32_t live = 0;

    for (unsigned s = 0; s < JOB_STATES; s++)
        live |= job_is_terminal((Pb__State)s) ? 0 : 1u << s;
    return (states & live) != 0 ? states | live : states;
}

static uint32_t state_set(const Pb__Ls *q)
{
    uint32_t set = 0;

    for (size_t i = 0; i < q->n_states; i++)
        if ((unsigned)q->states[i] < 32)
            set |= 1u << q->states[i];
    return set;
}

/* What is asked for, in the store's words; the rest of it is malloc'd. */
struct question {
    struct control_call *call;
    struct store_filter filter;
    uint32_t states;
    bool arrays;
    char before[ULID_LEN + 1]; /* at the end: the oldest that was looked at */
    unsigned looked;
    bool at_end; /* there is nothing older */
    uint64_t *tenants;
    struct store_label *labels;
};

static int take_tenants(struct question *q, const char *name)
{
    const struct tenant *t = q->call->actor.tenant;

    if (strcmp(name, "*") == 0) {
        int rc = actor_seen_tenants(q->call->broker, &q->call->actor, &q->tenants, &q->filter.n_tenants);

        q->filter.tenants = q->tenants;
        return rc == 0 && q->tenants != NULL && q->filter.n_tenants == 0 ? -ENOENT : rc;
    }
    if (name[0] != '\0')
        t = tenants_named(&q->call->broker->tenants, name);
    if (t == NULL || (name[0] != '\0' && !actor_sees_tenant(&q->call->actor, t)))
        return -ENOENT;
    q->tenants = malloc(sizeof(*q->tenants));
    if (q->tenants == NULL)
        return -ENOMEM;
    q->tenants[0] = t->id;
    q->filter.tenants = q->tenants;
    q->filter.n_tenants = 1;
    return 0;
}

/* "k=v" or "k": cut in the request's own text, which nobody reads again. */
static int take_labels(struct question *q, const Pb__Ls *m)
{
    if (m->n_labels == 0)
        return 0;
    q->labels = calloc(m->n_labels, sizeof(*q->labels));
    if (q->labels == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < m->n_labels; i++) {
        char *is = strchr(m->labels[i], '=');

        q->labels[i].key = m->labels[i];
        q->labels[i].value = is != NULL ? is + 1 : NULL;
        if (is != NULL)
            *is = '\0';
    }
    q->filter.labels = q->labels;
    q->filter.n_labels = m->n_labels;
    return 0;
}

static int take_question(struct question *q)
{
    const Pb__Ls *m = q->call->request->ls;
    int rc;

    if (m->arrays && m->array_id[0] != '\0')
        return -EINVAL; /* its tasks, and in place of its tasks */
    if (m->before[0] != '\0' && (ulid_normalize(m->before, q->before) != 0 || strlen(q->before) != ULID_LEN))
        return -EINVAL;
    q->arrays = q->filter.no_tasks = m->arrays;
    q->states = state_set(m);
    q->filter.states = stored_states(q->states);
    q->filter.since_us = m->since_us;
    q->filter.name = m->name[0] != '\0' ? m->name : NULL;
    q->filter.array_id = m->array_id[0] != '\0' ? m->array_id : NULL;
    rc = take_tenants(q, m->tenant);
    return rc != 0 ? rc : take_labels(q, m);
}

/* ---- the list ---------------------------------------------------------------------------------------------------------------------------------- */

static bool is_unstored(const struct job *job)
{
    return job != NULL && job->interp != NULL && !job->interp->stored;
}

static bool asks_of_jobs_alone(const struct question *q)
{
    return q->filter.n_labels > 0 || q->filter.array_id != NULL || q->filter.name != NULL;
}

/* Interpreters begin before they are committed: the newest of all, for some milliseconds. Newest first, as the rest. */
static int list_unstored(struct question *q, int max, struct ls_row *rows, Pb__JobStatus *ret)
{
    struct broker *b = q->call->broker;
    struct UT_hash_table *all = b->jobs.by_id != NULL ? b->jobs.by_id->hh.tbl : NULL;
    struct job *job = all != NULL ? ELMT_FROM_HH(all, all->tail) : NULL;
    unsigned left = asks_of_jobs_alone(q) ? 0 : b->interps.unstored;
    int n = 0;

    for (; job != NULL && left > 0 && n < max; job = job->hh.prev) {
        if (!is_unstored(job))
            continue;
        left--;
        if (q->before[0] != '\0' && strcmp(job->id, q->before) >= 0)
            continue;
        jobs_status(job, &ret[n]);
        memcpy(rows[n].job.id, job->id, sizeof(rows[n].job.id));
        n += q->states == 0 || (q->states & 1u << ret[n].state) != 0;
    }
    return n;
}

/* As it is now, and nothing else of it is read. */
static Pb__State state_now(struct broker *b, const struct store_job *row)
{
    const struct waiting *w = waiting_find(&b->jobs.table, row->id);
    const struct job *job = w == NULL ? jobs_find(&b->jobs, row->id) : NULL;

    if (w != NULL)
        return (Pb__State)w->state;
    return job != NULL ? job->state : row->state;
}

static bool has_state(const struct question *q, Pb__State state)
{
    return q->states == 0 || (q->states & 1u << state) != 0;
}

static bool is_wanted(const struct question *q, const struct store_job *row)
{
    struct broker *b = q->call->broker;

    return has_state(q, state_now(b, row)) && !is_unstored(jobs_find(&b->jobs, row->id)) &&
           actor_sees(b, &q->call->actor, row->tenant, row->queue);
}

/* 1: it is in the list now; 0: it is not wanted. */
static int take_job(struct question *q, const struct store_job *row, struct ls_row *r, Pb__JobStatus *ret)
{
    int rc;

    if (!is_wanted(q, row))
        return 0;
    r->job = *row;
    rc = fill_row(q->call->broker, r, ret);
    return rc != 0 ? rc : 1;
}

static int take_array(struct question *q, const struct store_array *row, struct ls_row *r, Pb__JobStatus *ret)
{
    struct broker *b = q->call->broker;
    int rc;

    if (!actor_sees(b, &q->call->actor, row->tenant, row->queue))
        return 0;
    r->array = malloc(sizeof(*r->array));
    rc = r->array != NULL ? arrays_status(b, row->id, r->array, ret) : -ENOMEM;
    if (rc == 0 && has_state(q, ret->state)) {
        rc = fill_labels(b, r, ret);
        return rc != 0 ? rc : 1;
    }
    free(r->array);
    r->array = NULL;
    return rc;
}

/* Rows that were read at once: of jobs, and of arrays where these are asked for; each newest first. */
struct page {
    struct store_job jobs[LS_PAGE];
    struct store_array arrays[LS_PAGE];
    int n_jobs, n_arrays, size, job, array; /* the next of each */
};

static int read_page(struct question *q, struct page *p, int size)
{
    struct store *s = q->call->broker->store;

    p->size = size < LS_PAGE ? size : LS_PAGE;
    p->job = p->array = p->n_arrays = 0;
    q->filter.before = q->before[0] != '\0' ? q->before : NULL;
    p->n_jobs = store_list(s, &q->filter, p->jobs, p->size);
    if (p->n_jobs >= 0 && q->arrays)
        p->n_arrays = store_list_arrays(s, &q->filter, p->arrays, p->size);
    return p->n_jobs < 0 ? p->n_jobs : p->n_arrays < 0 ? p->n_arrays : 0;
}

/* The next of a page is an array, and not a job. */
static bool array_is_next(const struct page *p)
{
    return p->array < p->n_arrays && (p->job == p->n_jobs || strcmp(p->arrays[p->array].id, p->jobs[p->job].id) > 0);
}

/* Of one kind there may be some that are newer than what is left of the other. */
static bool is_through(const struct page *p)
{
    return p->job == p->n_jobs ? p->n_jobs == p->size || p->array == p->n_arrays : p->array == p->n_arrays && p->n_arrays == p->size;
}

static int take_next(struct question *q, struct page *p, struct ls_row *r, Pb__JobStatus *ret)
{
    bool array = array_is_next(p);

    q->looked++;
    memcpy(q->before, array ? p->arrays[p->array].id : p->jobs[p->job].id, sizeof(q->before));
    return array ? take_array(q, &p->arrays[p->array++], r, ret) : take_job(q, &p->jobs[p->job++], r, ret);
}

static int read_ls(struct question *q, int max, struct ls_row *rows, Pb__JobStatus *ret)
{
    struct page *p = malloc(sizeof(*p));
    int n, rc = p != NULL ? 0 : -ENOMEM;

    n = rc == 0 ? list_unstored(q, max, rows, ret) : 0;
    while (rc >= 0 && n < max && !q->at_end && q->looked < LS_LOOKED) { /* a row that is not wanted leaves room for an older one */
        rc = read_page(q, p, q->states != 0 ? LS_PAGE : max - n);
        while (rc >= 0 && n < max && !is_through(p)) {
            rc = take_next(q, p, &rows[n], &ret[n]);
            n += rc > 0;
        }
        q->at_end = p->n_jobs < p->size && p->n_arrays < p->size && p->job == p->n_jobs && p->array == p->n_arrays;
    }
    free(p);
    return rc < 0 ? rc : n;
}

static void refuse_ls(struct control_call *c, int rc)
{
    if (rc == -ENOENT)
        control_refuse(c->broker, c->way, ER(NOT_FOUND), "there is no tenant %.64s", c->request->ls->tenant);
    else
        control_refuse(c->broker, c->way, rc == -EINVAL ? ER(USAGE) : ER(INTERNAL), "the jobs cannot be listed: %s", strerror(-rc));
}

static void reply_ls(struct question *q, Pb__JobStatus *list, Pb__JobStatus **pointers, int n, int max)
{
    struct control_call *c = q->call;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__LsReply ls = PB__LS_REPLY__INIT;

    ls.more = n > max || !q->at_end;
    if (ls.more)
        ls.next = n > max ? list[max - 1].id : q->before;
    ls.n_jobs = (size_t)(n > max ? max : n);
    for (size_t i = 0; i < ls.n_jobs; i++)
        pointers[i] = &list[i];
    ls.jobs = pointers;
    r.body_case = PB__REPLY__BODY_LS;
    r.ls = &ls;
    control_reply(c->broker, c->way, &r);
}

void verb_ls(struct control_call *c)
{
    const Pb__Ls *m = c->request->ls;
    int max = m->limit == 0 ? LS_DEFAULT : m->limit > LS_MAX ? LS_MAX : (int)m->limit, n;
    struct ls_row *rows = calloc((size_t)max + 1, sizeof(*rows));
    Pb__JobStatus *list = calloc((size_t)max + 1, sizeof(*list)), **pointers = calloc((size_t)max + 1, sizeof(Pb__JobStatus *));
    struct question q = { .call = c };

    n = rows != NULL && list != NULL && pointers != NULL ? take_question(&q) : -ENOMEM;
    if (n == 0)
        n = read_ls(&q, max + 1, rows, list);
    if (n < 0)
        refuse_ls(c, n);
    else
        reply_ls(&q, list, pointers, n, max);
    for (int i = 0; rows != NULL && i <= max; i++)
        drop_row(&rows[i]);
    free(q.tenants);
    free(q.labels);
    free(rows);
    free(list);
    free(pointers);
}
