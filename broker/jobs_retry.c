/* jobs_retry.c - see jobs.h: whether there is another attempt, and when; what is kept of those before. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"
#include "log.h"

#define CA(name) PB__CAUSE__CAUSE_##name
#define ST(name) PB__STATE__STATE_##name

enum { BASE_US = 1000000, FACTOR = 2, MAX_US = 300000000, MIB = 1 << 20 };
static const double usual_jitter = 0.1;
/* After a fault of the host: soon, for most are over soon, then more slowly. What the spec says is of the job's own failures. */
static const struct job_retry host_pauses = { .base_us = 1000000, .factor = 4, .max_us = 60000000, .jitter = 0.1 };

/* ---- the policy --------------------------------------------------------------------------------------------------------------------------- */

static void take_backoff(const Pb__Backoff *b, struct job_retry *ret)
{
    *ret = (struct job_retry){ .base_us = BASE_US, .factor = FACTOR, .max_us = MAX_US, .jitter = usual_jitter };
    if (b == NULL)
        return;
    ret->base_us = b->base_us;
    ret->factor = b->factor >= 1 ? b->factor : 1;
    ret->max_us = b->max_us != 0 && b->max_us < JOB_RETRY_MAX_US ? b->max_us : JOB_RETRY_MAX_US;
    ret->jitter = b->jitter > 0 ? (b->jitter < 1 ? b->jitter : 1) : 0;
}

void retry_from_spec(const Pb__JobSpec *spec, struct job_retry *ret)
{
    const Pb__Retry *r = spec->retry;

    take_backoff(r != NULL ? r->backoff : NULL, ret);
    ret->max_attempts = r != NULL && r->max_attempts > 0 ? r->max_attempts : 1;
    ret->infra_attempts = r != NULL && r->infra_attempts > 0 ? r->infra_attempts : JOB_INFRA_ATTEMPTS;
    for (size_t i = 0; r != NULL && i < r->n_on; i++)
        if ((unsigned)r->on[i] < 32)
            ret->on |= 1u << r->on[i];
    for (size_t i = 0; r != NULL && i < r->n_success_exit_codes && ret->n_success < JOB_SUCCESS_CODES; i++)
        ret->success[ret->n_success++] = (uint8_t)r->success_exit_codes[i];
}

bool retry_is_success(const struct job_retry *r, int exit_code)
{
    for (unsigned i = 0; i < r->n_success; i++)
        if (r->success[i] == exit_code)
            return true;
    return exit_code == 0;
}

uint64_t retry_pause_us(const struct job_retry *r, unsigned failed, double random)
{
    double pause = (double)r->base_us, max = (double)r->max_us;

    for (; failed > 1 && pause < max && r->factor > 1; failed--)
        pause *= r->factor;
    if (pause > max)
        pause = max;
    return (uint64_t)(pause * (1 - r->jitter * random));
}

static bool is_tried_again(const struct job_retry *r, Pb__Cause cause)
{
    return r->on != 0 ? (r->on & 1u << cause) != 0 : job_cause_retries(cause);
}

/* A stream that was read cannot be read twice. */
static bool has_read(const struct job *job)
{
    return job->stdin_mode == PB__STDIN_MODE__STDIN_MODE_STREAM && job->input.taken > 0;
}

unsigned jobs_ended_by(const struct job *job, Pb__Cause cause)
{
    unsigned n = 0;

    for (size_t i = 0; i < job->n_attempts; i++)
        n += job->attempts[i]->cause == cause;
    return n;
}

/* Attempts that the host could not make, or whose end it could not keep. Lost workers and lost brokers are counted by themselves. */
static unsigned faults_of_host(const struct job *job)
{
    return jobs_ended_by(job, CA(INTERNAL)) + jobs_ended_by(job, CA(START_FAILED));
}

bool jobs_wants_another(struct job *job)
{
    Pb__Cause cause = job->end.cause;
    Pb__State outcome = job_outcome(cause);
    enum job_fault fault = jobs_fault(job);

    if (fault == JOB_FAULT_NOBODY || cause == CA(WORKER_LOST) || cause == CA(BROKER_LOST) || job_waits(job->state) || job->cancelling ||
        job->refused || has_read(job))
        return false;
    if (fault == JOB_FAULT_PLATFORM)
        return faults_of_host(job) + 1 < job->retry.infra_attempts;
    if (!is_tried_again(&job->retry, cause))
        return false;
    if (job->attempt - job->infra < job->retry.max_attempts)
        return true;
    job->is_dead = job->retry.max_attempts > 1 && (outcome == ST(FAILED) || outcome == ST(TIMED_OUT));
    return false;
}

/* ---- what is kept of them ------------------------------------------------------------------------------------------------------------------ */

int job_add_attempt(struct job *job, const struct store_attempt *a)
{
    Pb__Attempt **more = realloc(job->attempts, (job->n_attempts + 1) * sizeof(Pb__Attempt *)), *one;

    if (more == NULL)
        return -ENOMEM;
    job->attempts = more;
    one = malloc(sizeof(*one));
    if (one == NULL)
        return -ENOMEM;
    pb__attempt__init(one);
    one->cause_detail = strdup(a->detail);
    if (one->cause_detail == NULL) {
        free(one);
        return -ENOMEM;
    }
    one->n = a->n;
    one->epoch = a->epoch;
    one->cause = a->cause;
    one->started_us = a->started_us;
    one->ended_us = a->ended_us;
    one->cpu_us = a->cpu_us;
    one->infra = a->infra;
    job->attempts[job->n_attempts++] = one;
    return 0;
}

static void describe(const struct job *job, Pb__Cause cause, const char *detail, struct store_attempt *ret)
{
    *ret = (struct store_attempt){ .n = job->attempt, .epoch = job->epoch, .cause = cause };
    ret->started_us = job->claimed_us != 0 ? job->claimed_us : job->started_us; /* wall time counts from there, too */
    ret->ended_us = job->ended_us != 0 ? job->ended_us : loop_wall_us();
    ret->cpu_us = job->usage.cpu_user_us + job->usage.cpu_sys_us;
    ret->infra = job_cause_fault(cause) == JOB_FAULT_PLATFORM;
    (void)snprintf(ret->detail, sizeof(ret->detail), "%s", detail);
}

static void push_usage(struct job *job)
{
    const Pb__Usage *u = &job->usage;
    struct store_op *op = store_op_new(STORE_USAGE, "");
    struct tenant_use use = { .cpu_us = u->cpu_user_us + u->cpu_sys_us, .wall_us = u->wall_us };

    use.mib_us = u->mem_peak_bytes / MIB * u->wall_us;
    tenant_used(job->entry->tenant, loop_wall_us(), &use);
    if (op == NULL)
        return; /* only the day's account is less exact */
    op->usage = (struct store_usage){ .tenant = job->entry->tenant->id,
                                      .day = loop_wall_us() / 86400000000u,
                                      .cpu_us = use.cpu_us,
                                      .wall_us = use.wall_us,
                                      .mib_us = use.mib_us };
    store_push(job->broker->store, op);
}

/* Nothing of the last run is left in it. */
static void forget_run(struct job *job)
{
    spool_reset(&job->spools[0]);
    spool_reset(&job->spools[1]);
    outputs_reset(&job->outputs);
    evidence_finish(&job->evidence);
    free(job->end.error_type);
    free(job->end.error_message);
    free(job->end.error_traceback);
    free(job->end.outputs_note);
    job->end = (struct job_end){ 0 };
    job->tty.changed = job->tty.rows != 0;
    job->first_output_us = job->started_us = job->ended_us = 0;
    job->assigned_at = job->started_at = job->ended_at = 0;
    job->input.wanted = job->input.told_eof = 0;
    job->worker_pid = 0;
    job->seccomp_hash[0] = '\0';
    job->tier = NULL;
    job->told = (struct tenant_use){ 0 };
    job->unnamed_violations = 0;
    job->pause.total_us = 0;
    jobs_drop_seal(job);
    pb__enforcement__init(&job->enforcement);
}

/* The account of an attempt that is not the last is closed. */
static void close_attempt(struct job *job, Pb__Cause cause, const char *detail, struct store_attempt *ret)
{
    describe(job, cause, detail, ret);
    if (job_add_attempt(job, ret) != 0)
        log_event(LOG_LEVEL_ERROR, "attempt_lost", "job=%s attempt=%u error=\"no memory\"", job->id, job->attempt);
    jobs_settle_job(job);
    push_usage(job);
}

/* ---- when ----------------------------------------------------------------------------------------------------------------------------------- */

static double draw(void)
{
    uint32_t n = 0;

    return getrandom(&n, sizeof(n), 0) == sizeof(n) ? (double)n / UINT32_MAX : 0;
}

static void count_infra(struct job *job)
{
    job->infra++;
    if (job->entry != NULL)
        job->entry->infra = (uint16_t)job->infra;
}

/* By what has failed so far: the job, or the host under it. */
static uint64_t pause_of(const struct job *job)
{
    if (jobs_fault(job) == JOB_FAULT_PLATFORM)
        return retry_pause_us(&host_pauses, faults_of_host(job) + 1, draw());
    return retry_pause_us(&job->retry, job->attempt - job->infra, draw());
}

/* It never had a worker: an attempt all the same, with a name of its own. */
static void count_unbegun(struct job *job)
{
    struct waiting *w = job->entry;

    w->attempt = (uint16_t)++job->attempt;
    w->epoch = job->epoch = jobs_next_epoch(job);
}

void jobs_back_off(struct job *job)
{
    struct jobs *j = &job->broker->jobs;
    struct waiting *w = job->entry;
    struct store_attempt ended;
    uint64_t pause, was = w->epoch;

    jobs_dequeue(job);
    if (job->state == ST(CLAIMED))
        count_unbegun(job);
    if (jobs_fault(job) == JOB_FAULT_PLATFORM)
        count_infra(job);
    pause = pause_of(job);
    log_event(LOG_LEVEL_INFO, "job_retries", "job=%s cause=%s attempt=%u pause_us=%llu", job->id, job_cause_name(job->end.cause),
              job->attempt, (unsigned long long)pause);
    close_attempt(job, job->end.cause, job->end.detail, &ended);
    jobs_move(j, w, JOB_EV_BACKOFF, job_cause_name(ended.cause));
    forget_run(job);
    w->pause_until_us = loop_wall_us() + pause;
    jobs_note_step(j, w, was, &ended);
    (void)waiting_arm(&j->table, w, WAITING_MONOTONIC, j->broker->loop.now_us + pause);
    jobs_arm_clocks(j);
    jobs_held_meanwhile(j, w);
    control_wake(job);
    timers_arm(&j->broker->loop.timers, &j->claim, j->broker->loop.now_us); /* not from here: this may be the end of a walk along a queue */
}

void jobs_worker_lost(struct job *job)
{
    if (job->cancelling) {
        jobs_note_end(job, CA(CANCELLED), "cancelled");
        return;
    }
    if (job->interp != NULL) { /* its state was in there */
        jobs_note_end(job, CA(WORKER_LOST), "its process was lost, and its state with it");
        return;
    }
    count_infra(job);
    if (job->builds != NULL)
        jobs_note_end(job, CA(WORKER_LOST), "the template's process was lost");
    else if (has_read(job))
        jobs_note_end(job, CA(WORKER_LOST), "the worker was lost, and its standard input cannot be read again");
    else if (job->entry == NULL && job->infra >= JOB_INFRA_ATTEMPTS)
        jobs_note_end(job, CA(WORKER_LOST), "the worker was lost in each of %u attempts", job->infra);
}

void jobs_run_again(struct job *job, enum job_event event)
{
    struct jobs *j = &job->broker->jobs;
    struct store_attempt ended;

    log_event(LOG_LEVEL_WARN, "job_requeued", "job=%s attempt=%u losses=%u", job->id, job->attempt, job->infra);
    if (job->entry == NULL) {
        jobs_step(job, event);
        forget_run(job);
        jobs_note_living(job, ST(READY), job->epoch);
        control_wake(job);
        jobs_put_in_queue(job, 1);
        return;
    }
    close_attempt(job, CA(WORKER_LOST), "the worker was lost", &ended);
    jobs_move(j, job->entry, event, event == JOB_EV_QUARANTINE ? "QUARANTINE" : "WORKER_LOST");
    forget_run(job);
    jobs_note_move(j, job->entry, &ended);
    jobs_held_meanwhile(j, job->entry);
    control_wake(job);
    jobs_dispatch(j);
}

static void tell_quarantine(const struct job *job)
{
    struct event_note note = { .kind = EVENT_QUARANTINE, .job = job->id, .tenant = job->entry->tenant, .reason = "QUARANTINE" };

    note.attempt = job->attempt;
    note.name = job->name;
    log_event(LOG_LEVEL_WARN, "quarantine", "job=%s losses=%u", job->id, job->infra);
    events_tell(&job->broker->events, &note);
}

/* Each time that it was lost as often as it may be: whoever releases it lets it try that often again. */
void jobs_lost(struct job *job)
{
    bool once_too_often = job->entry != NULL && (jobs_ended_by(job, CA(WORKER_LOST)) + 1) % job->retry.infra_attempts == 0;

    if (once_too_often) {
        job->entry->holds |= WAITING_HELD_QUARANTINE;
        tell_quarantine(job);
    }
    jobs_run_again(job, once_too_often ? JOB_EV_QUARANTINE : JOB_EV_LOST);
}
