/* jobs_receipt.c - how an end becomes a receipt; see jobs.h. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/interps.h"
#include "broker/jobs_own.h"
#include "broker/jobs_use.h"
#include "broker/receipt.h"
#include "broker/templates.h"
#include "log.h"

#define CA(name) PB__CAUSE__CAUSE_##name
#define ST(name) PB__STATE__STATE_##name
enum { STORE_RETRY_US = 1000000 };

static Pb__State outcome_of(const struct job *job)
{
    return job->is_dead ? ST(DEAD) : job_outcome(job->end.cause);
}

/* The first bytes of a stream travel in the receipt's transaction; a long stream already lies in its file. */
static void attach_output(struct store_finish *f, const struct spool *s, int stream)
{
    size_t len = s->len;

    if (s->fd >= 0) {
        f->sync_fd[stream] = s->fd;
        f->spooled_bytes += s->len;
        return;
    }
    if (len == 0 || (f->out[stream].bytes = malloc(len)) == NULL)
        return;
    if (spool_read(s, 0, f->out[stream].bytes, len, &f->out[stream].len) != 0)
        f->out[stream].len = 0;
}

/* Of the attempt that ended last; those before were told when they ended, and of one that lived long a part before. */
static void fill_usage(const struct job *job, struct store_usage *ret)
{
    struct tenant_use left;

    jobs_use_left(job, &left);
    ret->tenant = job_tenant(job); /* an interpreter's, too */
    ret->jobs = 1;
    ret->failed = job_has_failed(outcome_of(job));
    ret->cpu_us = left.cpu_us;
    ret->wall_us = left.wall_us;
    ret->mib_us = left.mib_us;
}

void jobs_retention(const struct tenant *t, const Pb__Retention *asked, uint64_t ended_us, struct store_finish *ret)
{
    retention_until(t, asked, ended_us, &ret->log_until_us, &ret->keep_until_us);
}

static int push_finish(struct job *job)
{
    struct store_op *op = store_op_new(STORE_FINISH, job->id);
    struct store_finish *f;
    int rc;

    if (op == NULL)
        return -ENOMEM;
    f = &op->finish;
    rc = receipt_pack(job, &f->receipt.bytes, &f->receipt.len);
    if (rc != 0) {
        store_op_free(op);
        return rc;
    }
    f->attempt = job->attempt;
    f->infra = job->infra;
    f->epoch = job->epoch;
    jobs_fence(job, &f->fence);
    f->cause = job->end.cause;
    f->state = outcome_of(job);
    fill_usage(job, &f->usage);
    if (job->entry != NULL)
        jobs_retention(job->entry->tenant, &job->retention, job->ended_us, f);
    attach_output(f, &job->spools[0], 0);
    attach_output(f, &job->spools[1], 1);
    attach_output(f, &job->outputs.spool, OUTPUTS_STREAM);
    jobs_flush_claims(&job->broker->jobs);
    store_push(job->broker->store, op);
    return 0;
}

static void retry_later(struct job *job, int status)
{
    log_event(LOG_LEVEL_ERROR, "receipt_not_stored", "job=%s error=\"%s\"", job->id, strerror(-status));
    timers_arm(&job->broker->loop.timers, &job->store_retry, job->broker->loop.now_us + STORE_RETRY_US);
}

void jobs_on_store_retry(void *ctx)
{
    int rc = push_finish(ctx);

    if (rc != 0)
        retry_later(ctx, rc);
}

/* Its slot is free, and what it cost is known. */
static void settle(struct job *job)
{
    struct store_usage used = { 0 };
    struct tenant_use use;
    struct tenant *t = tenants_of_job(&job->broker->tenants, job_tenant(job));

    jobs_settle_job(job);
    fill_usage(job, &used);
    use = (struct tenant_use){
        .jobs = used.jobs, .failed = used.failed, .cpu_us = used.cpu_us, .mib_us = used.mib_us, .wall_us = used.wall_us
    };
    if (t != NULL && (job->interp != NULL || job->builds != NULL) && job->assigned_at != 0)
        job->cost_settled += jobs_charge(&job->broker->jobs, t, &use);
    if (t != NULL)
        tenant_used(t, loop_wall_us(), &use);
}

void jobs_write_receipt(struct job *job)
{
    int rc;

    jobs_dequeue(job);
    settle(job);
    jobs_step(job, JOB_EV_END);
    log_event(LOG_LEVEL_INFO, "job_ended", "job=%s cause=%s attempt=%u wall_us=%llu", job->id, job_cause_name(job->end.cause), job->attempt,
              (unsigned long long)job->usage.wall_us);
    rc = push_finish(job);
    if (rc != 0)
        retry_later(job, rc);
    control_wake(job);
    if (job->builds != NULL && job->builds->job == job)
        template_job_ended(job->builds, job);
}

void jobs_conclude(struct job *job)
{
    /* an interpreter, or a template's init, has no entry: whoever made it hears of its end, and makes another */
    if (job->entry != NULL && jobs_wants_another(job))
        jobs_back_off(job);
    else
        jobs_write_receipt(job);
}

void jobs_tell_end(struct jobs *j, struct waiting *w, Pb__State outcome, Pb__Cause cause)
{
    char id[ULID_LEN + 1];
    struct jobs_ended ended = { .id = id, .entry = w, .outcome = outcome, .cause = cause };

    waiting_id(w, id);
    j->ended++;
    j->failed += job_has_failed(outcome);
    if (w->tenant != NULL) {
        w->tenant->tally.ended++;
        w->tenant->tally.failed += job_has_failed(outcome);
    }
    for (unsigned i = 0; i < j->n_listeners; i++)
        j->listeners[i].on_end(j->listeners[i].ctx, &ended);
}

void jobs_on_end(struct jobs *j, void (*fn)(void *ctx, const struct jobs_ended *e), void *ctx)
{
    assert(j->n_listeners < JOBS_LISTENERS);
    j->listeners[j->n_listeners++] = (struct jobs_listener){ fn, ctx };
}

/*
 * The kernel tells once of bytes that did not come to the disk; asked again it says that all is well. So what may not be there is not promised:
 * the receipt says that it was lost.
 */
static void lose_output(struct job *job, const struct store_op *op)
{
    for (int i = 0; i < 2; i++)
        if ((op->sync_lost & 1u << i) != 0)
            spool_lose(&job->spools[i]);
    if ((op->sync_lost & 1u << OUTPUTS_STREAM) != 0)
        outputs_reset(&job->outputs);
    log_event(LOG_LEVEL_ERROR, "output_lost", "job=%s error=\"%s\"", job->id, strerror(-op->sync_status));
    job->end.cause = CA(INTERNAL);
    snprintf(job->end.detail, sizeof(job->end.detail), "its output could not be kept: %s", strerror(-op->sync_status));
    job->is_dead = false;
}

/* Its receipt was refused, and never will be taken. */
static void let_go(struct job *job)
{
    struct jobs *j = &job->broker->jobs;

    if (job->entry != NULL)
        arrays_leave_task(job->entry);
    log_event(LOG_LEVEL_ERROR, "receipt_fenced", "job=%s epoch=%llu", job->id, (unsigned long long)job->epoch);
    deps_leave(j->broker, job->id);
    webhooks_refused(&j->broker->webhooks, job->id);
    jobs_forget(job);
}

void jobs_finished(struct job *job, const struct store_op *op)
{
    struct jobs *j = &job->broker->jobs;
    struct waiting *w = job->entry;
    Pb__State outcome = outcome_of(job);
    Pb__Cause cause = job->end.cause;
    int status = op->status;

    if (status != 0 && job->refused) {
        jobs_forget(job);
        return;
    }
    if (op->sync_lost != 0) {
        lose_output(job, op);
        jobs_on_store_retry(job);
        return;
    }
    if (status == -ESTALE && jobs_is_behind(j, job->id, &op->finish.fence)) {
        jobs_on_store_retry(job);
        return;
    }
    if (status == -ESTALE && w != NULL) {
        let_go(job);
        return;
    }
    if (status != 0 && status != -EEXIST && status != -ESTALE && status != -ENOENT) {
        retry_later(job, status); /* the disk's trouble: the receipt is owed, so we try until it is there */
        interps_on_receipt(job);
        return;
    }
    if (status != 0)
        log_event(LOG_LEVEL_ERROR, "receipt_refused", "job=%s error=\"%s\"", job->id, strerror(-status));
    jobs_step(job, job_outcome_event(outcome));
    interps_on_receipt(job);
    control_release(job, status == 0 ? &op->finish : NULL);
    jobs_free(job);
    if (w == NULL)
        return;
    jobs_tell_end(j, w, outcome, cause);
    jobs_drop_entry(j, w);
}
