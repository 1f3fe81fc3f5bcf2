/* jobs_submit.c - see jobs.h: a spec is checked, filled in and becomes an entry; the same idempotency key again is the same job again. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sha256.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/interps.h"
#include "broker/jobs_own.h"
#include "broker/spec_check.h"
#include "broker/templates.h"
#include "broker/webhook_check.h"
#include "frame.h"
#include "log.h"

#define CA(name) PB__CAUSE__CAUSE_##name
#define ST(name) PB__STATE__STATE_##name

_Static_assert(STORE_HASH == SHA256_DIGEST_LENGTH, "the hash of a spec is a SHA-256");
enum { PRIORITY = 3 };
static const char not_stored[] = "its submit was not stored";

int jobs_refuse(struct jobs_refusal *no, int rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(no->why, sizeof(no->why), fmt, ap);
    va_end(ap);
    return rc;
}

/* ---- the same key again ------------------------------------------------------------------------------------------------------------------- */

/* Somebody who is to hear of a submit. */
struct listener {
    void (*done)(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status);
    void *ctx;
    struct listener *next;
};

/* A submit on its way; with a key it is found by it. */
struct jobs_idem {
    struct {
        uint64_t tenant;
        char key[STORE_IDEM_LEN + 1];
    } name; /* zeroed behind the key: it is hashed whole */
    uint8_t hash[STORE_HASH];
    char id[ULID_LEN + 1];
    struct jobs *jobs;
    Pb__Limits limits;
    struct listener own, *followers;
    UT_hash_handle hh;
};

static void name_it(struct jobs_idem *s, const struct tenant *t, const char *key)
{
    memset(&s->name, 0, sizeof(s->name));
    s->name.tenant = t->id;
    snprintf(s->name.key, sizeof(s->name.key), "%s", key);
}

/* Whoever is bound to a queue does not hear which job it is: it may be in another. */
static int refuse_other(const struct jobs_order *o, struct jobs_refusal *no, const char *key, const char *id)
{
    if (o->queue != NULL && o->queue[0] != '\0')
        snprintf(no->hint, sizeof(no->hint), "another job wants another key");
    else
        snprintf(no->hint, sizeof(no->hint), "the job is %s; another job wants another key", id);
    return jobs_refuse(no, -EEXIST, "the idempotency key '%.100s' was given to another spec", key);
}

/* One whose commit is under way: whoever comes second hears when the first does. */
static int join(struct jobs_idem *first, const struct jobs_order *o, const uint8_t *hash, char ret_id[ULID_LEN + 1],
                struct jobs_refusal *no)
{
    struct listener *l;

    if (memcmp(first->hash, hash, STORE_HASH) != 0)
        return refuse_other(o, no, first->name.key, first->id);
    l = malloc(sizeof(*l));
    if (l == NULL)
        return jobs_refuse(no, -ENOMEM, "out of memory");
    *l = (struct listener){ o->done, o->ctx, first->followers };
    first->followers = l;
    memcpy(ret_id, first->id, sizeof(first->id));
    return 0;
}

/* 1: the key is there, and the order is answered for; 0: it is not; -errno. */
static int look_up(struct jobs *j, const struct jobs_order *o, const uint8_t *hash, char ret_id[ULID_LEN + 1], struct jobs_refusal *no)
{
    uint8_t stored[STORE_HASH];
    struct jobs_idem probe, *first;
    int rc;

    name_it(&probe, o->tenant, o->spec->idem_key);
    HASH_FIND(hh, j->idem, &probe.name, sizeof(probe.name), first);
    if (first != NULL) {
        rc = join(first, o, hash, ret_id, no);
        return rc == 0 ? 1 : rc;
    }
    rc = store_find_idem(j->broker->store, o->tenant->id, o->spec->idem_key, ret_id, stored);
    if (rc == -ENOENT)
        return 0;
    if (rc != 0)
        return jobs_refuse(no, rc, "the store cannot be read: %s", strerror(-rc));
    if (memcmp(stored, hash, STORE_HASH) != 0)
        return refuse_other(o, no, o->spec->idem_key, ret_id);
    if (!o->dry_run)
        o->done(o->ctx, ret_id, o->spec->limits, true, 0);
    return 1;
}

/* ---- the spec ------------------------------------------------------------------------------------------------------------------------------ */

static int hash_of(const Pb__JobSpec *s, uint8_t ret[STORE_HASH])
{
    uint8_t *packed;
    size_t len;
    SHA2_CTX ctx;
    int rc = frame_pack(&s->base, &packed, &len);

    if (rc != 0)
        return rc;
    SHA256Init(&ctx);
    SHA256Update(&ctx, packed, len);
    SHA256Final(ret, &ctx);
    free(packed);
    return 0;
}

/* As a job of this tenant: template, text, limits; in full. */
static int settle(struct jobs *j, const struct jobs_order *o, struct spec_room *room, struct jobs_refusal *no)
{
    Pb__JobSpec *s = o->spec;
    char why[SPEC_WHY];
    struct call_why call;
    int rc;

    if (templates_resolve(j->broker, o->tenant->id, s, &call) != 0)
        return jobs_refuse(no, call.error == PB__CALL_ERROR__CALL_ERROR_NOT_FOUND ? -ENOENT : -EINVAL, "%s", call.message);
    rc = spec_check(s, why);
    if (rc == 0)
        rc = tenant_settle_limits(o->tenant, s->limits, s->limits_asked, engine_find(s->engine), why);
    if (rc != 0)
        return jobs_refuse(no, rc, "%s", why);
    s->tenant = o->tenant->name;
    s->user = (char *)o->user;
    spec_fill(s, room);
    return 0;
}

void jobs_row(const Pb__JobSpec *spec, const struct tenant *t, struct store_job *ret)
{
    *ret = (struct store_job){ .tenant = t->id, .class = spec->class_, .prio = spec->priority != 0 ? spec->priority : PRIORITY };
    snprintf(ret->name, sizeof(ret->name), "%s", spec->name);
    snprintf(ret->engine, sizeof(ret->engine), "%s", spec->engine);
    snprintf(ret->template, sizeof(ret->template), "%s", spec->template_);
    snprintf(ret->queue, sizeof(ret->queue), "%s", spec->queue);
    snprintf(ret->user, sizeof(ret->user), "%s", spec->user);
    ret->hold = spec->hold ? WAITING_HELD_USER : 0;
    ret->max_attempts = spec->retry != NULL && spec->retry->max_attempts > 0 ? spec->retry->max_attempts : 1;
    ret->submitted_us = loop_wall_us();
    ret->not_before_us = spec->schedule != NULL ? spec->schedule->not_before_us : 0;
    ret->deadline_us = spec->schedule != NULL ? spec->schedule->deadline_us : 0;
    ret->memory_bytes = spec->limits->memory_bytes;
    ret->wall_us = spec->limits->wall_us;
    ret->threads = (uint32_t)spec->limits->threads;
    ret->stdin_mode = spec->stdin_mode;
    ret->builds = spec->builds[0] != '\0';
}

/* ---- an entry ------------------------------------------------------------------------------------------------------------------------------ */

struct waiting *jobs_enter(struct jobs *j, const struct store_job *row, struct tenant *tenant)
{
    struct waiting *w = waiting_add(&j->table, row->id);
    int engine = engine_find(row->engine);

    if (w == NULL)
        return NULL;
    w->tenant = tenant;
    w->epoch = w->stored_epoch = row->epoch;
    w->submitted_us = row->submitted_us;
    w->not_before_us = row->not_before_us;
    w->deadline_us = row->deadline_us;
    w->attempt = (uint16_t)row->attempt;
    w->infra = (uint16_t)row->infra;
    w->max_attempts = (uint16_t)row->max_attempts;
    w->holds = (uint8_t)row->hold;
    w->engine = engine >= 0 ? (uint8_t)engine : WAITING_NO_ENGINE;
    w->stream = row->stdin_mode == PB__STDIN_MODE__STDIN_MODE_STREAM;
    w->array_index = row->array_index;
    w->entering = true;
    waiting_set_band(w, row->class, row->prio);
    if (row->array_id[0] != '\0')
        arrays_take_task(j->broker, row->array_id, w);
    if (jobs_sched_enter(j, w, row) == 0)
        return w;
    arrays_leave_task(w);
    waiting_drop(&j->table, w);
    return NULL;
}

void jobs_admit(struct jobs *j, struct waiting *w, int status)
{
    if (status != 0) {
        arrays_leave_task(w);
        jobs_sched_leave(j, w);
        jobs_drop_spec(j, w);
        waiting_drop(&j->table, w);
        return;
    }
    w->entering = false;
    w->committed = true;
    jobs_place_first(j, w);
}

static void tell_submit(struct jobs *j, const struct waiting *w, const Pb__JobSpec *spec, const char *id)
{
    struct event_note note = { .kind = EVENT_SUBMIT, .job = id, .tenant = w->tenant, .to = (Pb__State)w->state };

    note.name = spec->name;
    events_tell(&j->broker->events, &note);
}

/* ---- submit -------------------------------------------------------------------------------------------------------------------------------- */

int jobs_note_submit(struct jobs *j, const struct jobs_order *o, const uint8_t hash[STORE_HASH], struct store_op *op)
{
    struct jobs_idem *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return -ENOMEM;
    op->owner = s;
    snprintf(op->submit.idem.key, sizeof(op->submit.idem.key), "%s", o->spec->idem_key);
    memcpy(op->submit.idem.spec_hash, hash, STORE_HASH);
    name_it(s, o->tenant, o->spec->idem_key);
    memcpy(s->hash, hash, STORE_HASH);
    memcpy(s->id, op->job, sizeof(s->id));
    s->jobs = j;
    s->limits = *o->spec->limits;
    s->own = (struct listener){ o->done, o->ctx, NULL };
    if (s->name.key[0] != '\0')
        HASH_ADD(hh, j->idem, name, sizeof(s->name), s);
    op->submit.hooks = o->spec->n_webhooks > 0;
    if (op->submit.hooks)
        webhooks_add(&j->broker->webhooks, op->job, o->spec);
    return 0;
}

static void forget_submit(struct jobs_idem *s)
{
    if (s->name.key[0] != '\0')
        HASH_DEL(s->jobs->idem, s);
    while (s->followers != NULL) {
        struct listener *l = s->followers;

        s->followers = l->next;
        free(l);
    }
    free(s);
}

void jobs_submit_finish(struct jobs *j)
{
    struct jobs_idem *s, *next;

    HASH_ITER (hh, j->idem, s, next)
        forget_submit(s); /* nobody hears of its op any more: what is not collected by now is freed with the store */
}

static void answer_submit(struct jobs_idem *s, int status)
{
    s->own.done(s->own.ctx, s->id, &s->limits, false, status);
    for (struct listener *l = s->followers; l != NULL; l = l->next)
        l->done(l->ctx, s->id, &s->limits, true, status);
}

/* What it waits for, for the store and for the broker. */
static int begin_waiting(struct jobs *j, struct store_op *op, struct waiting *w, struct jobs_plan *plan)
{
    op->submit.deps = plan->deps.deps; /* the op's from now on */
    op->submit.n_deps = plan->deps.n;
    plan->deps = (struct deps_list){ 0 };
    return deps_enter(j->broker, op->job, w, &(struct deps_list){ op->submit.deps, op->submit.n_deps });
}

static int begin(struct jobs *j, const struct jobs_order *o, struct store_op *op, const uint8_t *hash, struct jobs_plan *plan,
                 struct waiting **ret)
{
    struct store_job *row = &op->submit.row;
    struct waiting *w;
    int rc = -ENOMEM;

    jobs_row(o->spec, o->tenant, row);
    memcpy(row->id, op->job, sizeof(row->id));
    memcpy(row->limiters, plan->limiters, sizeof(row->limiters));
    w = jobs_enter(j, row, o->tenant);
    if (w != NULL)
        rc = begin_waiting(j, op, w, plan);
    if (rc == 0)
        rc = jobs_note_submit(j, o, hash, op);
    if (rc != 0) {
        deps_leave(j->broker, op->job);
        if (w != NULL)
            jobs_admit(j, w, rc);
        return rc;
    }
    row->state = jobs_first_state(w);
    *ret = w;
    return 0;
}

/* Everything is checked: from here only memory can be short. */
static int enter_and_push(struct jobs *j, const struct jobs_order *o, const uint8_t *hash, struct jobs_plan *plan,
                          char ret_id[ULID_LEN + 1], struct jobs_refusal *no)
{
    struct waiting *w = NULL;
    struct store_op *op;
    int rc = -ENOMEM;

    ulid_make(loop_wall_us() / 1000, ret_id);
    op = store_op_new(STORE_SUBMIT, ret_id);
    if (op != NULL)
        rc = frame_pack(&o->spec->base, &op->submit.spec.bytes, &op->submit.spec.len);
    if (rc == 0)
        rc = jobs_labels(o->spec, &op->submit.labels, &op->submit.n_labels);
    if (rc == 0)
        rc = begin(j, o, op, hash, plan, &w);
    if (rc != 0) {
        store_op_free(op);
        return jobs_refuse(no, rc, "out of memory");
    }
    jobs_keep_spec(j, w, op->submit.spec.bytes, op->submit.spec.len);
    store_push(j->broker->store, op);
    j->submitted++;
    w->tenant->tally.submitted++;
    w->entering = false;
    j->fresh = w;
    j->fresh_spec = o->spec;
    jobs_place_first(j, w);
    tell_submit(j, w, o->spec, ret_id);
    jobs_dispatch(j); /* before it is committed: see jobs_start_early() */
    j->fresh = NULL;
    j->fresh_spec = NULL;
    return 0;
}

int jobs_plan(struct jobs *j, const struct jobs_order *o, struct jobs_plan *ret, struct jobs_refusal *no)
{
    const Pb__Schedule *s = o->spec->schedule;
    char why[JOBS_PLAN_WHY];
    int rc;

    *ret = (struct jobs_plan){ 0 };
    rc = limiters_settle(j->broker, o->tenant, s, ret->limiters, why);
    if (rc == 0)
        rc = deps_resolve(j->broker, o->tenant, o->queue != NULL ? o->queue : "", NULL, s != NULL ? s->after : NULL,
                          s != NULL ? s->n_after : 0, &ret->deps, why);
    return rc == 0 ? 0 : jobs_refuse(no, rc, "%s", why);
}

static enum tenant_rate rate_of(const struct jobs_order *o)
{
    return o->of_clock ? TENANT_RATE_FREE : o->dry_run ? TENANT_RATE_LOOK : TENANT_RATE_TAKE;
}

/*
 * What all may have waiting is divided as the rest of what they share (estate.h): one tenant, with all below it, takes no more than a part of
 * ESTATE_SHARE of it, unless an operator gave it a max_queued of its own. Operators' own jobs have all of it.
 */
static int has_share(struct jobs *j, const struct jobs_order *o, uint64_t tasks, struct jobs_refusal *no)
{
    const struct tenant *top = o->tenant;
    uint64_t share = j->broker->config.max_queued / ESTATE_SHARE;

    while (top->parent != NULL)
        top = top->parent;
    if (top->id == 0 || top->id == geteuid() || top->quota[QUOTA_QUEUED] != TENANT_NO_BOUND)
        return 0;
    share = share > 0 ? share : 1;
    if (tasks <= share && top->queued <= share - tasks)
        return 0;
    snprintf(no->hint, sizeof(no->hint), "an operator can give it more: coop quota set %.64s max_queued=N, and coopd --max-queued",
             top->name);
    return jobs_refuse(no, -EDQUOT,
                       "one tenant, with those below it, may have %" PRIu64 " jobs waiting (a quarter of --max-queued); %s has %" PRIu64,
                       share, top->name, top->queued);
}

int jobs_prepare(struct jobs *j, const struct jobs_order *o, uint64_t tasks, uint8_t hash[STORE_HASH], char ret_id[ULID_LEN + 1],
                 struct jobs_refusal *no)
{
    struct broker *b = j->broker;
    static struct spec_room room; /* of the last spec that was filled in: good until the next */
    char why[SPEC_WHY];
    int rc = 0;

    *no = (struct jobs_refusal){ "", "" };
    ret_id[0] = '\0';
    if (b->phase == BROKER_DRAINING || j->closed)
        return jobs_refuse(no, -EBUSY, "the broker is draining and takes no new jobs; try again later");
    spec_clear_own(o->spec);
    if (strlen(o->spec->idem_key) > STORE_IDEM_LEN)
        return jobs_refuse(no, -EINVAL, "an idempotency key has at most %d bytes", STORE_IDEM_LEN);
    if (o->spec->idem_key[0] != '\0' && (rc = hash_of(o->spec, hash)) != 0)
        return jobs_refuse(no, rc, "out of memory");
    if (o->spec->idem_key[0] != '\0')
        rc = look_up(j, o, hash, ret_id, no);
    if (o->later && tasks <= tenant_bound(o->tenant, QUOTA_QUEUED))
        tasks = 0;
    if (rc == 0 && waiting_count(&j->table) + tasks > b->config.max_queued)
        rc = jobs_refuse(no, -EDQUOT, "%u jobs are waiting already, the most this broker takes (--max-queued)", b->config.max_queued);
    if (rc == 0)
        rc = has_share(j, o, tasks, no);
    if (rc == 0 && spec_settle_times(o->spec->schedule, loop_wall_us(), why) != 0)
        rc = jobs_refuse(no, -EINVAL, "%s", why);
    if (rc == 0)
        rc = settle(j, o, &room, no);
    if (rc == 0 && !o->of_clock) /* what cron makes runs also when nobody can be told */
        rc = webhook_check(b, o->tenant, o->spec, no);
    if (rc == 0)
        rc = tenant_admits(o->tenant, tasks, rate_of(o), b->loop.now_us, no->why, no->hint);
    return rc;
}

int jobs_submit(struct jobs *j, const struct jobs_order *o, char ret_id[ULID_LEN + 1], struct jobs_refusal *no)
{
    uint8_t hash[STORE_HASH] = { 0 };
    struct jobs_plan plan = { 0 };
    int rc = jobs_prepare(j, o, 1, hash, ret_id, no);

    if (rc == 0)
        rc = jobs_plan(j, o, &plan, no);
    if (rc == 0 && !o->dry_run)
        rc = enter_and_push(j, o, hash, &plan, ret_id, no);
    deps_list_finish(&plan.deps);
    return rc > 0 ? 0 : rc;
}

/* ---- the commit is back --------------------------------------------------------------------------------------------------------------------- */

/* The store would not have it, or another broker has it: every trace of a run that began goes. */
static void let_go(struct job *job, const char *why)
{
    job->refused = 1;
    if (job->worker != NULL) {
        jobs_decide(job, CA(INTERNAL), "%s", why);
        return; /* jobs_on_worker_end() lets it go */
    }
    jobs_dequeue(job);
    if (job->state != ST(FINISHING)) /* else its receipt comes back refused, and it is dropped then */
        jobs_forget(job);
}

void jobs_let_go_refused(struct jobs *j, struct waiting *w, const char *why)
{
    w->refused = true;
    if (w->job != NULL)
        let_go(w->job, why);
    else if (w->state != ST(FINISHING)) /* as above */
        jobs_drop_entry(j, w);
}

static void admitted(struct jobs *j, struct waiting *w)
{
    w->committed = true;
    if (w->state == ST(READY) && !sched_waits(&w->sched)) { /* its spec is read back from the store */
        (void)jobs_sched_put(j, w);
        jobs_dispatch(j);
    }
}

static void submit_back(struct jobs *j, struct store_op *op)
{
    struct waiting *w = waiting_find(&j->table, op->job);
    struct jobs_idem *s = op->owner;

    op->owner = NULL;
    if (op->submit.hooks && op->status != 0)
        webhooks_refused(&j->broker->webhooks, op->job);
    answer_submit(s, op->status);
    forget_submit(s);
    if (w == NULL) /* an array, which has been told; or it has ended already */
        return;
    if (w->has_deps)
        deps_admit(j->broker, op->job, op->status);
    if (op->status == 0)
        admitted(j, w);
    else
        jobs_let_go_refused(j, w, not_stored);
}

void jobs_on_op(struct jobs *j, struct store_op *op)
{
    struct waiting *w = waiting_find(&j->table, op->job);
    struct job *job = w != NULL ? w->job : jobs_find(j, op->job);

    if (op->kind == STORE_FINISH && op->status == 0)
        retention_note(j->broker, op->finish.log_until_us, op->finish.keep_until_us);
    if (op->kind == STORE_SUBMIT && op->owner != NULL)
        submit_back(j, op);
    else if (op->kind == STORE_SUBMIT && job != NULL)
        jobs_stored(job, op->status);
    else if (op->kind == STORE_CLAIM)
        jobs_claims_back(j, op);
    else if (op->kind == STORE_MOVE)
        jobs_move_back(j, op);
    else if (op->kind == STORE_FINISH && w != NULL && (job == NULL || job->end.cause == CA(NONE)))
        jobs_slim_finished(j, w, op);
    else if (op->kind == STORE_FINISH && job != NULL)
        jobs_finished(job, op);
}

/* ---- those without an entry: interpreters, inits of templates ------------------------------------------------------------------------------- */

static void fill_living(struct store_op *op, const Pb__JobSpec *spec, const struct jobs_living *living)
{
    struct tenant nobody = { .id = living->tenant };

    jobs_row(spec, &nobody, &op->submit.row);
    op->submit.row.state = ST(READY);
    memcpy(op->submit.row.id, op->job, sizeof(op->job));
    if (living->init)
        return;
    op->submit.row.lives = living->named ? STORE_LIVES_NAMED : STORE_LIVES;
    op->submit.definition = living->definition;
}

struct job *jobs_new_living(struct jobs *j, const Pb__JobSpec *spec, uint8_t *packed, size_t len, const struct jobs_living *living)
{
    struct store_op *op = NULL;
    char id[ULID_LEN + 1];
    struct job *job;

    if (!living->init)
        memcpy(id, living->id, sizeof(id));
    else
        ulid_make(loop_wall_us() / 1000, id);
    job = job_alloc(j, id, spec->name, spec->engine);
    if (job != NULL)
        op = store_op_new(STORE_SUBMIT, id);
    if (op == NULL) {
        free(packed);
        free(living->definition.bytes);
        if (job != NULL)
            jobs_free(job);
        return NULL;
    }
    job->tenant = living->tenant;
    job_take_spec(job, spec);
    fill_living(op, spec, living);
    job->submitted_us = op->submit.row.submitted_us;
    op->submit.spec = (struct store_blob){ packed, len };
    job_keep_spec(job, packed, len);
    store_push(j->broker->store, op);
    return job;
}

/*
 * The commit is under way, and the job starts meanwhile: nobody has been promised anything, and a sandboxed run that is never
 * recorded harms nobody. Its receipt follows its submit through the same queue, so the store sees them in order.
 */
void jobs_start_early(struct job *job)
{
    if (job->spec != NULL)
        jobs_put_in_queue(job, 0);
}

void jobs_stored(struct job *job, int status)
{
    interps_on_stored(job, status);
    if (status != 0)
        let_go(job, not_stored);
    else if (job->state == ST(READY) && job->queue_next == NULL)
        jobs_put_in_queue(job, 0); /* its spec is read back from the store */
}
