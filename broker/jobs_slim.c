/* jobs_slim.c - see jobs.h: the end of one that waits and never became a struct job: its receipt is made from its spec alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"
#include "coop/version.h"
#include "frame.h"
#include "log.h"

#define CA(name) PB__CAUSE__CAUSE_##name
#define ST(name) PB__STATE__STATE_##name
enum { AGAIN_US = 1000000 };

/* Sub-messages of a receipt; they must live until it is packed. */
struct parts {
    Pb__Receipt receipt;
    Pb__StreamTotal streams[2];
    Pb__Usage usage;
    Pb__Enforcement enforcement;
    Pb__Times times;
    Pb__Where where;
    char id[ULID_LEN + 1];
    Pb__Attempt **attempts;
    size_t n_attempts;
};

static int take_attempt(void *ctx, const struct store_attempt *a)
{
    struct job past = { .attempts = ((struct parts *)ctx)->attempts, .n_attempts = ((struct parts *)ctx)->n_attempts };
    int rc = job_add_attempt(&past, a);

    ((struct parts *)ctx)->attempts = past.attempts;
    ((struct parts *)ctx)->n_attempts = past.n_attempts;
    return rc;
}

static void drop_attempts(struct parts *p)
{
    struct job past = { .attempts = p->attempts, .n_attempts = p->n_attempts };

    jobs_drop_attempts(&past);
}

static void fill_nothing(struct parts *p)
{
    Pb__Enforcement *e = &p->enforcement;

    for (int i = 0; i < 2; i++)
        pb__stream_total__init(&p->streams[i]);
    pb__usage__init(&p->usage);
    pb__enforcement__init(e);
    e->tier = e->cpu = e->wall = e->memory = e->output = e->net = e->fs = e->seccomp = e->swap = e->pids = e->disk = e->idle = "none";
    p->receipt.stdout = &p->streams[0];
    p->receipt.stderr = &p->streams[1];
    p->receipt.usage = &p->usage;
    p->receipt.enforcement = e;
}

static void fill_when_and_where(struct jobs *j, const struct waiting *w, struct parts *p)
{
    pb__times__init(&p->times);
    p->times.submitted_us = w->submitted_us;
    p->times.ended_us = p->times.recorded_us = loop_wall_us();
    p->receipt.times = &p->times;
    pb__where__init(&p->where);
    p->where.broker = COOP_VERSION;
    p->where.kernel = j->broker->kernel;
    p->receipt.where = &p->where;
}

static void fill(struct jobs *j, const struct waiting *w, const Pb__JobSpec *spec, Pb__Cause cause, const char *detail, struct parts *p)
{
    Pb__Receipt *r = &p->receipt;

    pb__receipt__init(r);
    waiting_id(w, p->id);
    r->job = p->id;
    r->name = spec->name;
    r->engine = spec->engine;
    r->tenant = (char *)w->tenant->name;
    r->user = spec->user;
    r->attempt = w->attempt;
    r->epoch = w->epoch;
    r->outcome = job_outcome(cause);
    r->cause = cause;
    r->cause_detail = (char *)detail;
    r->fault = (char *)job_fault_name(job_cause_fault(cause));
    r->limits_effective = spec->limits;
    r->array_id = w->array != NULL ? w->array->row.id : (char *)"";
    r->array_index = w->array_index;
    r->attempts = p->attempts;
    r->n_attempts = p->n_attempts;
    fill_nothing(p);
    fill_when_and_where(j, w, p);
}

/*
 * Tasks that end together (a cancel, a dependency that failed) share a spec, which may be long: it is read once a turn of the loop. Not longer:
 * an edit may change it.
 */
static int read_shared(struct jobs *j, const struct waiting *w)
{
    uint64_t now = j->broker->loop.now_us;
    char id[ULID_LEN + 1], owner[ULID_LEN + 1];
    int rc;

    waiting_id(w, id);
    rc = store_spec_owner(j->broker->store, id, owner);
    if (rc != 0 || (j->shared.frame.msg != NULL && j->shared.turn_us == now && strcmp(owner, j->shared.owner) == 0))
        return rc;
    jobs_forget_shared(j);
    rc = jobs_read_spec(j, w, &j->shared.frame);
    if (rc != 0)
        return rc;
    memcpy(j->shared.owner, owner, sizeof(owner));
    j->shared.turn_us = now;
    return 0;
}

void jobs_forget_shared(struct jobs *j)
{
    if (j->shared.frame.msg != NULL)
        frame_release(&j->shared.frame);
    j->shared.frame.msg = NULL;
}

/* *ret_own: the caller's to release; its msg NULL: the spec is not its own. Without one the receipt says less, but it says how the job ended. */
static int spec_of(struct jobs *j, const struct waiting *w, struct frame *ret_own, const Pb__JobSpec **ret)
{
    static const Pb__JobSpec nothing = PB__JOB_SPEC__INIT;
    int rc;

    memset(ret_own, 0, sizeof(*ret_own));
    *ret = &nothing;
    if (w->array != NULL) {
        rc = read_shared(j, w);
        if (rc == 0)
            *ret = (const Pb__JobSpec *)j->shared.frame.msg;
    } else {
        rc = jobs_read_spec(j, w, ret_own);
        if (rc == 0)
            *ret = (const Pb__JobSpec *)ret_own->msg;
    }
    return rc == -ENOMEM ? rc : 0;
}

static int pack(struct jobs *j, struct waiting *w, Pb__Cause cause, const char *detail, struct store_finish *keep, uint8_t **ret,
                size_t *ret_len)
{
    struct parts p = { 0 };
    const Pb__JobSpec *spec;
    struct frame own;
    char id[ULID_LEN + 1];
    int rc = spec_of(j, w, &own, &spec);

    if (rc != 0)
        return rc;
    waiting_id(w, id);
    if (w->attempt > 0 && store_each_attempt(j->broker->store, id, take_attempt, &p) != 0)
        log_event(LOG_LEVEL_ERROR, "attempts_unread", "job=%s", id); /* a receipt that says less is better than none */
    if (rc == 0) {
        fill(j, w, spec, cause, detail, &p);
        rc = frame_pack(&p.receipt.base, ret, ret_len);
    }
    if (rc == 0)
        jobs_retention(w->tenant, spec->retention, p.times.ended_us, keep);
    drop_attempts(&p);
    if (own.msg != NULL)
        frame_release(&own);
    return rc;
}

static int push(struct jobs *j, struct waiting *w, const Pb__Receipt *r)
{
    struct store_op *op;
    char id[ULID_LEN + 1];

    waiting_id(w, id);
    op = store_op_new(STORE_FINISH, id);
    if (op == NULL || (op->finish.receipt.bytes = malloc(w->spec->len)) == NULL) {
        store_op_free(op);
        return -ENOMEM;
    }
    memcpy(op->finish.receipt.bytes, w->spec->bytes, w->spec->len);
    op->finish.receipt.len = w->spec->len;
    op->finish.attempt = w->attempt;
    op->finish.infra = w->infra;
    op->finish.epoch = w->epoch;
    op->finish.fence = (struct store_fence){ w->epoch, w->stored_epoch };
    op->finish.state = r->outcome;
    op->finish.cause = r->cause;
    op->finish.usage = (struct store_usage){ .tenant = w->tenant->id, .jobs = 1, .failed = job_has_failed(r->outcome) };
    op->finish.log_until_us = w->spec->log_until_us;
    op->finish.keep_until_us = w->spec->keep_until_us;
    jobs_flush_claims(j);
    store_push(j->broker->store, op);
    return 0;
}

static void again_later(struct jobs *j, struct waiting *w, int status)
{
    log_event(LOG_LEVEL_ERROR, "receipt_not_stored", "error=\"%s\"", strerror(-status));
    (void)waiting_arm(&j->table, w, WAITING_MONOTONIC, j->broker->loop.now_us + AGAIN_US);
    jobs_arm_clocks(j);
}

/* The receipt is kept where the spec was: both are never needed. */
static int keep_receipt(struct jobs *j, struct waiting *w, const uint8_t *packed, size_t len)
{
    struct waiting_spec *kept = malloc(sizeof(*kept) + len);

    if (kept == NULL)
        return -ENOMEM;
    jobs_drop_spec(j, w);
    kept->len = len;
    memcpy(kept->bytes, packed, len);
    w->spec = kept;
    j->spec_bytes += waiting_spec_room(len);
    return 0;
}

void jobs_slim_again(struct jobs *j, struct waiting *w)
{
    struct frame f;
    int rc = frame_decode(&f, &pb__receipt__descriptor, w->spec->bytes, w->spec->len, FRAME_MAX_CONTROL);

    if (rc == 0) {
        rc = push(j, w, (const Pb__Receipt *)f.msg);
        frame_release(&f);
    }
    if (rc != 0)
        again_later(j, w, rc);
}

void jobs_end_slim(struct jobs *j, struct waiting *w, Pb__Cause cause, const char *detail)
{
    struct store_finish keep = { 0 };
    char id[ULID_LEN + 1];
    uint8_t *packed;
    size_t len;
    int rc = pack(j, w, cause, detail, &keep, &packed, &len);

    waiting_id(w, id);
    if (rc == 0) {
        rc = keep_receipt(j, w, packed, len);
        free(packed);
    }
    if (rc != 0) { /* it stays as it is, and can be ended again: in a while, by what ended it now */
        log_event(LOG_LEVEL_ERROR, "not_ended", "job=%s error=\"%s\"", id, strerror(-rc));
        if (cause == CA(DEADLINE))
            (void)waiting_arm(&j->table, w, WAITING_WALL, loop_wall_us() + AGAIN_US);
        else if (cause == CA(DEP_FAILED))
            (void)waiting_arm(&j->table, w, WAITING_MONOTONIC, j->broker->loop.now_us + AGAIN_US);
        jobs_arm_clocks(j);
        return;
    }
    w->spec->log_until_us = keep.log_until_us;
    w->spec->keep_until_us = keep.keep_until_us;
    jobs_move(j, w, JOB_EV_END, job_cause_name(cause));
    log_event(LOG_LEVEL_INFO, "job_ended", "job=%s cause=%s attempt=%u wall_us=0", id, job_cause_name(cause), w->attempt);
    jobs_slim_again(j, w);
}

static void conclude(struct jobs *j, struct waiting *w, const struct store_op *op)
{
    Pb__State outcome = op->finish.state;
    Pb__Cause cause = op->finish.cause;

    jobs_move(j, w, job_outcome_event(outcome), job_cause_name(cause));
    if (w->job != NULL)
        jobs_free(w->job); /* somebody looked: those who wait are answered from the store */
    jobs_tell_end(j, w, outcome, cause);
    jobs_drop_entry(j, w);
}

void jobs_slim_finished(struct jobs *j, struct waiting *w, const struct store_op *op)
{
    int status = op->status;

    if (status == -ESTALE && !w->refused && jobs_is_behind(j, op->job, &op->finish.fence)) {
        jobs_slim_again(j, w);
        return;
    }
    if (status == -ESTALE && !w->refused)
        jobs_fenced(j, op->job, status); /* which leaves the entry, for it is FINISHING */
    if (status != 0 && w->refused) {
        if (w->job != NULL)
            jobs_free(w->job);
        jobs_drop_entry(j, w);
        return;
    }
    if (status != 0 && status != -EEXIST && status != -ENOENT) {
        again_later(j, w, status);
        return;
    }
    if (status != 0)
        log_event(LOG_LEVEL_ERROR, "receipt_refused", "job=%s error=\"%s\"", op->job, strerror(-status));
    conclude(j, w, op);
}
