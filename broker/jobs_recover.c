/* jobs_recover.c - see jobs.h: what an earlier broker left without a receipt is taken up. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/interps.h"
#include "broker/jobs_own.h"
#include "broker/stored.h"
#include "frame.h"
#include "log.h"

#define CA(name) PB__CAUSE__CAUSE_##name
#define ST(name) PB__STATE__STATE_##name

struct recovery {
    struct jobs *jobs;
    unsigned waiting, lost;
    struct waiting **running; /* an earlier broker had given them to workers; malloc'd */
    size_t n_running, cap;
};

/* ---- interpreters, and inits of templates ---------------------------------------------------------------------------------------------------- */

/* A named one is made anew when it is used; any other belonged to somebody who has gone with the broker. */
static void recover_living(struct job *job, const struct store_job *s, const Pb__JobSpec *spec)
{
    struct store_blob definition = { 0 };
    int rc = s->lives == STORE_LIVES_NAMED ? store_read_definition(job->broker->store, job->id, &definition) : -ENOENT;

    if (rc == 0 && spec->template_[0] != '\0' && job->template == NULL) {
        jobs_cannot_have(job, "the template %.100s has been removed", spec->template_);
        rc = -EALREADY;
    }
    if (rc == 0)
        rc = interps_adopt(job, spec, definition.bytes, definition.len);
    free(definition.bytes);
    if (rc != 0 && s->lives == STORE_LIVES_NAMED)
        jobs_decide(job, CA(BROKER_LOST), "the broker ended, and it could not be made anew: %s", strerror(-rc));
    else if (rc != 0)
        jobs_decide(job, CA(BROKER_LOST), "the broker ended, and the interpreter with it");
}

static int recover_with_spec(struct jobs *j, const struct store_job *s)
{
    struct frame f;
    struct job *job;
    int rc = stored_spec(j->broker, s->id, &f);

    if (rc == -ENOMEM || rc == -EIO)
        return rc;
    if (rc != 0) {
        store_tell_unsound(j->broker->store, "job", s->id, "its spec is not there, or cannot be read");
        return 0;
    }
    job = job_alloc(j, s->id, s->name, s->engine);
    if (job != NULL) {
        job->tenant = s->tenant;
        job_take_spec(job, (const Pb__JobSpec *)f.msg);
        job->submitted_us = s->submitted_us;
        job->attempt = s->attempt;
        job->epoch = job->stored_epoch = s->epoch;
        if (s->lives != STORE_LIVES_NOT)
            recover_living(job, s, (const Pb__JobSpec *)f.msg);
        else
            jobs_decide(job, CA(BROKER_LOST),
                        "the broker ended, and with it the template's process; the next job that asks for it has it built again");
    }
    frame_release(&f);
    return job == NULL ? -ENOMEM : 0;
}

/* ---- jobs: first all entries, for one may wait for another ------------------------------------------------------------------------------------ */

static int note_running(struct recovery *r, struct waiting *w)
{
    if (r->n_running == r->cap) {
        size_t cap = r->cap == 0 ? 64 : 2 * r->cap;
        struct waiting **more = realloc(r->running, cap * sizeof(struct waiting *));

        if (more == NULL)
            return -ENOMEM;
        r->running = more;
        r->cap = cap;
    }
    r->running[r->n_running++] = w;
    return 0;
}

static bool is_spec_needed(const struct store_job *s)
{
    return s->lives != STORE_LIVES_NOT || s->builds;
}

static int recover_row(void *ctx, const struct store_job *s)
{
    struct recovery *r = ctx;
    struct jobs *j = r->jobs;
    struct tenant *t;
    struct waiting *w;

    if (is_spec_needed(s))
        return recover_with_spec(j, s);
    t = tenants_of_job(&j->broker->tenants, s->tenant);
    w = t != NULL ? jobs_enter(j, s, t) : NULL;
    if (w == NULL)
        return -ENOMEM;
    r->waiting++;
    if (s->state == ST(RETRY_WAIT))
        w->pause_until_us = s->not_before_us;
    if (!job_waits(s->state))
        return note_running(r, w);
    return 0;
}

/* ---- then each gets its place ------------------------------------------------------------------------------------------------------------------ */

/* What is left of its pause, as far as the wall clock can tell. */
static void pause_again(struct jobs *j, struct waiting *w, uint64_t until_us)
{
    uint64_t now = loop_wall_us(), left = until_us > now ? until_us - now : 0;

    jobs_sched_take(j, w);
    waiting_set_state(&j->table, w, ST(RETRY_WAIT));
    tenant_job_state(w->tenant, ST(READY), -1);
    tenant_job_state(w->tenant, ST(RETRY_WAIT), 1);
    arrays_task_moved(w, ST(READY));
    (void)waiting_arm(&j->table, w, WAITING_MONOTONIC, loop_clock_us() + (left < JOB_RETRY_MAX_US ? left : JOB_RETRY_MAX_US));
    jobs_arm_clocks(j);
}

static int place(void *ctx, struct waiting *w)
{
    struct recovery *r = ctx;
    uint64_t until = w->pause_until_us;

    if (!w->entering)
        return 0;
    if (until != 0)
        w->not_before_us = 0;
    jobs_admit(r->jobs, w, 0);
    if (until != 0 && w->state == ST(READY))
        pause_again(r->jobs, w, until);
    return 0;
}

static void end_stream(struct jobs *j, struct waiting *w)
{
    struct job *job;

    if (!w->stream)
        return;
    if (w->job != NULL || jobs_make(j, w, &job) == 0)
        jobs_decide(w->job, CA(BROKER_LOST), "the broker ended, and with it the stream of its standard input");
    else
        jobs_end_slim(j, w, CA(BROKER_LOST), "the broker ended, and with it the stream of its standard input");
}

static int look_at_stream(void *ctx, struct waiting *w)
{
    if (job_waits((Pb__State)w->state))
        end_stream(ctx, w);
    return 0;
}

/* Its worker ended with the broker: an attempt that nobody but the platform is to blame for. */
static void settle_running(struct jobs *j, struct waiting *w)
{
    struct store_attempt ended = {
        .n = w->attempt, .epoch = w->epoch, .cause = CA(BROKER_LOST), .infra = true, .ended_us = loop_wall_us()
    };
    struct job *job;

    if (w->state == ST(FINISHING))
        return; /* its stream has ended it */
    w->infra++;
    if (jobs_make(j, w, &job) != 0)
        return; /* it is tried again, and its claim will say what is wrong */
    snprintf(ended.detail, sizeof(ended.detail), "the broker ended");
    /* workers that it lost while their broker lived are another thing: quarantine's */
    if (jobs_ended_by(job, CA(BROKER_LOST)) + 1 >= job->retry.infra_attempts) {
        jobs_decide(job, CA(BROKER_LOST), "the broker ended during %u of its %u attempts", jobs_ended_by(job, CA(BROKER_LOST)) + 1,
                    job->attempt);
        return;
    }
    (void)job_add_attempt(job, &ended);
    jobs_note_move(j, w, &ended);
    jobs_may_let_go(job);
}

/*
 * Whose file is kept: an ended job's. What attempts left of one that has not ended is nobody's; one that began before its submit, or its claim, was
 * committed has left it without a word to the store.
 */
static int is_known(void *ctx, const char *id)
{
    struct jobs *j = ctx;
    struct store_job stored;

    if (waiting_find(&j->table, id) != NULL || jobs_find(j, id) != NULL)
        return 0;
    return store_find(j->broker->store, id, &stored) != -ENOENT;
}

int jobs_recover(struct jobs *j)
{
    struct recovery r = { .jobs = j };
    int rc = wall_clock_open(&j->wall, &j->broker->loop, jobs_on_wall, j);

    j->claiming = true; /* nothing begins before everything is there */
    if (rc == 0)
        rc = store_each_unfinished(j->broker->store, recover_row, &r);
    if (rc == 0)
        rc = plans_recover(j->broker);
    if (rc == 0)
        (void)waiting_each(&j->table, place, &r);
    if (rc == 0)
        (void)waiting_each(&j->table, look_at_stream, j);
    for (size_t i = 0; rc == 0 && i < r.n_running; i++)
        settle_running(j, r.running[i]);
    free(r.running);
    j->claiming = false;
    if (rc == 0)
        jobs_dispatch(j);
    if (rc == 0 && r.waiting > 0)
        log_event(LOG_LEVEL_INFO, "recovered", "jobs=%u running=%zu", r.waiting, r.n_running);
    if (rc == 0)
        spool_sweep(j->broker->output_dir, is_known, j);
    return rc;
}
