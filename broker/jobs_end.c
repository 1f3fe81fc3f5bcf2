/* jobs_end.c - how a job's end is decided, from what its worker says and how it dies; see jobs.h. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "broker/broker.h"
#include "broker/interps.h"
#include "broker/jobs.h"
#include "broker/jobs_own.h"
#include "broker/meter.h"
#include "broker/templates.h"
#include "log.h"
#include "policy_row.h"
#include "units.h"

#define CA(name) PB__CAUSE__CAUSE_##name
enum { WALL_ABOVE_US = 1000000 };

/* ---- decided ---- */

__attribute__((format(printf, 3, 0))) static void set_end(struct job *job, Pb__Cause cause, const char *fmt, va_list ap)
{
    if (job->end.cause != CA(NONE))
        return;
    job->end.cause = cause;
    vsnprintf(job->end.detail, sizeof(job->end.detail), fmt, ap);
    job->ended_us = loop_wall_us();
    job->ended_at = loop_clock_us();
    jobs_pause_over(job);
    if (job->assigned_at != 0)
        job->usage.wall_us = job->ended_at - job->assigned_at - job->pause.total_us;
    job->usage.paused_us = job->pause.total_us;
}

void jobs_note_end(struct job *job, Pb__Cause cause, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_end(job, cause, fmt, ap);
    va_end(ap);
}

/* set_end() was the first to decide it. */
static void on_decided(struct job *job)
{
    interps_on_end(job);
    if (job->worker != NULL) {
        pool_kill(job->worker); /* jobs_on_worker_end() goes on from here */
        if (job->state == PB__STATE__STATE_PAUSED)
            jobs_let_die(job);
    } else {
        jobs_conclude(job);
    }
}

void jobs_decide(struct job *job, Pb__Cause cause, const char *fmt, ...)
{
    va_list ap;

    if (job->end.cause != CA(NONE))
        return;
    va_start(ap, fmt);
    set_end(job, cause, fmt, ap);
    va_end(ap);
    on_decided(job);
}

void jobs_cannot_have(struct job *job, const char *fmt, ...)
{
    va_list ap;

    if (job->end.cause != CA(NONE))
        return;
    va_start(ap, fmt);
    set_end(job, CA(START_FAILED), fmt, ap);
    va_end(ap);
    job->end.asked = true;
    on_decided(job);
}

enum job_fault jobs_fault(const struct job *job)
{
    return job->end.asked ? JOB_FAULT_JOB : job_cause_fault(job->end.cause);
}

static void keep_error(struct job *job, const Pb__JobError *e)
{
    if (e == NULL)
        return;
    job->end.error_type = strdup(e->type);
    job->end.error_message = strdup(e->message);
    job->end.error_traceback = strdup(e->traceback);
}

static void decide_output_limit(struct job *job)
{
    char out[UNITS_BUF], err[UNITS_BUF];

    jobs_decide(job, CA(OUTPUT_LIMIT), "it wrote past its limit of %s on stdout or %s on stderr",
                units_format_size(job->limits.stdout_bytes, out), units_format_size(job->limits.stderr_bytes, err));
}

static const char *profile_of(const struct job *job)
{
    const struct zygote *z = job->worker != NULL ? job->worker->zygote : job->crew->zygote;

    return job->crew->template != NULL ? z->template_profile : z->profile;
}

/* A program's filter has a listener that names the call; SIGSYS is what the others get, those of another ABI first. */
static void decide_signal(struct job *job, int sig)
{
    const char *profile = profile_of(job);

    if (sig != SIGSYS)
        jobs_decide(job, CA(SIGNAL), "it died by signal %d (%s)", sig, strsignal(sig));
    else if (job->unnamed_violations)
        jobs_decide(job, CA(POLICY), "a system call that is not in profile %s; which one cannot be told where coop itself is supervised",
                    profile);
    else
        jobs_decide(job, CA(POLICY), "a system call of a foreign ABI (i386 or x32) is not in profile %s", profile);
}

/* The worker's own, fit for a log and a terminal. */
static const char *words_of(const struct job *job, const Pb__JobError *e, char *buf, size_t size)
{
    const char *type = e != NULL && job->crew->engine->names_errors ? e->type : "", *message = e != NULL ? e->message : "";
    char text[JOB_DETAIL];

    snprintf(text, sizeof(text), "%s%s%s", type, type[0] != '\0' && message[0] != '\0' ? ": " : "", message);
    return log_escape(buf, size, text, strlen(text));
}

/*
 * Evidence that says more about a program's end than the end itself: the table of causes.h. NULL: there is none. Of a policy's signal the
 * profile is to be named, which others do.
 */
static const struct causes_row *evidence_of(const struct job *job, const struct worker *w, bool failed, int sig, char detail[CAUSES_DETAIL])
{
    const struct causes_row *row;
    struct causes_facts facts;

    if (!job->crew->engine->runs_programs)
        return NULL;
    watch_facts(job, w, true, &facts);
    facts.failed = failed;
    facts.exit_code = job->end.exit_code;
    facts.signal = sig;
    facts.disk_full = job->end.disk_full;
    facts.inodes_full = job->end.inodes_full;
    row = causes_find(&facts);
    if (row == NULL || row->say == NULL)
        return NULL;
    row->say(&facts, detail);
    return row;
}

void jobs_on_result(struct job *job, const Pb__Result *r)
{
    const struct causes_row *row;
    char text[JOB_DETAIL];
    bool by_signal = r->kind == PB__RESULT_KIND__RESULT_KIND_SIGNAL;
    bool failed = by_signal || (r->kind == PB__RESULT_KIND__RESULT_KIND_EXIT && !retry_is_success(&job->retry, r->exit_code));

    if (job->end.cause != CA(NONE))
        return;
    job->end.dropped[0] = r->stdout_dropped;
    job->end.dropped[1] = r->stderr_dropped;
    job->end.exit_code = r->exit_code;
    job->end.disk_full = r->disk_full;
    job->end.inodes_full = r->inodes_full;
    if (r->outputs_note[0] != '\0')
        job->end.outputs_note = strdup(r->outputs_note);
    keep_error(job, r->error);
    row = evidence_of(job, job->worker, failed, by_signal ? r->signal : 0, text);
    if (row != NULL) {
        job->end.signal = by_signal ? r->signal : 0;
        jobs_decide(job, row->cause, "%s", text);
        return;
    }
    switch (r->kind) {
    case PB__RESULT_KIND__RESULT_KIND_EXIT:
        if (retry_is_success(&job->retry, r->exit_code))
            jobs_decide(job, CA(OK), "%s", "");
        else
            jobs_decide(job, CA(EXIT), "it ended with exit code %d", r->exit_code);
        break;
    case PB__RESULT_KIND__RESULT_KIND_EXCEPTION: jobs_decide(job, CA(EXCEPTION), "%s", words_of(job, r->error, text, 128)); break;
    case PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN: jobs_decide(job, CA(BAD_SPEC), "%s", words_of(job, r->error, text, sizeof(text))); break;
    case PB__RESULT_KIND__RESULT_KIND_SIGNAL:
        job->end.signal = r->signal;
        decide_signal(job, r->signal);
        break;
    case PB__RESULT_KIND__RESULT_KIND_OOM:
        jobs_decide(job, CA(OOM), "it needed more than its memory limit of %s", units_format_size(job->limits.memory_bytes, text));
        break;
    case PB__RESULT_KIND__RESULT_KIND_ABORTED:
        job->end.signal = SIGABRT;
        jobs_decide(job, CA(SIGNAL), "it called abort()");
        break;
    case PB__RESULT_KIND__RESULT_KIND_OUTPUT_LIMIT: decide_output_limit(job); break;
    default: jobs_decide(job, CA(CANCELLED), "cancelled");
    }
}

void jobs_on_violation(struct job *job, const Pb__Violation *v)
{
    char text[EVIDENCE_TEXT] = "";
    unsigned given = watch_has_spaces(job) ? 0 : POLICY_SHARED_SOCKETS | POLICY_SHARED_PIDS;

    if (job->end.cause != CA(NONE))
        return;
    if (evidence_take_violation(&job->evidence, v, profile_of(job), given) == 0)
        log_escape(text, sizeof(text), job->evidence.violation->text, strlen(job->evidence.violation->text));
    jobs_decide(job, CA(POLICY), "%s", text);
}

void jobs_on_learned(struct job *job, const Pb__Learned *l)
{
    if (evidence_take_learned(&job->evidence, l) != 0)
        jobs_decide(job, CA(INTERNAL), "out of memory");
}

/* ---- the worker is gone ---- */

/* The kernel's kill for a hard RLIMIT_CPU looks like any other; the dead worker, not reaped yet, still shows what limit it had. Its walls.c
 * sets it seconds above the job's, a template's as high as there is: in microseconds that has no room. */
static int own_limit_lowered(const struct job *job, const struct worker *w)
{
    uint64_t seconds;

    return !w->orphan && w->pid != 0 && meter_cpu_wall(w->pid, &seconds) == 0 && seconds <= UINT64_MAX / 1000000 &&
           seconds * 1000000 < job->limits.cpu_us + WALL_ABOVE_US;
}

/* By _exit(), without a word: what it had printed by then has been heard. */
static void exited(struct job *job, int code)
{
    job->end.exit_code = code;
    if (job->cancelling)
        jobs_note_end(job, CA(CANCELLED), "cancelled");
    else if (retry_is_success(&job->retry, code))
        jobs_note_end(job, CA(OK), "%s", "");
    else
        jobs_note_end(job, CA(EXIT), "it ended with exit code %d", code);
}

static void judge_death(struct job *job, const struct worker *w)
{
    bool killed = w->exit_code == CLD_KILLED || w->exit_code == CLD_DUMPED;
    int sig = w->exit_status;
    char detail[CAUSES_DETAIL];
    const struct causes_row *row = evidence_of(job, w, killed, killed ? sig : 0, detail);

    if (row != NULL) {
        jobs_note_end(job, row->cause, "%s", detail);
        return;
    }
    if (!killed) {
        if (w->exit_code == CLD_EXITED && job->crew->engine->may_exit && job->started_at != 0)
            exited(job, w->exit_status);
        else if (w->exit_code == CLD_EXITED)
            jobs_note_end(job, CA(BAD_RESULT), "the worker ended with code %d and no result", w->exit_status);
        else
            jobs_worker_lost(job);
        return;
    }
    if (sig == SIGKILL && !own_limit_lowered(job, w)) { /* not ours: each of our kills has decided the end before */
        jobs_worker_lost(job);
        return;
    }
    job->end.signal = sig;
    if (sig == SIGKILL)
        jobs_note_end(job, CA(SIGNAL), "it lowered its own RLIMIT_CPU and was killed by it");
    else if (sig == SIGXCPU)
        jobs_note_end(job, CA(CPU_LIMIT), "it used its cpu limit (RLIMIT_CPU)");
    else if (sig == SIGSYS)
        jobs_note_end(job, CA(POLICY), "a system call of a foreign ABI, or with SIGSYS blocked, is not in profile %s", profile_of(job));
    else
        jobs_note_end(job, CA(SIGNAL), "it died by signal %d (%s)", sig, strsignal(sig));
}

void jobs_on_worker_end(struct job *job)
{
    struct worker *w = job->worker;

    jobs_stop_timers(job); /* while it has its worker */
    job->worker = NULL;
    w->job = NULL;
    jobs_pause_over(job);
    watch_account(job, w);
    job->usage.msgs_in = w->msgs_in;
    job->usage.msgs_out = w->msgs_out;
    if (job->refused) {
        if (job->entry != NULL)
            (void)jobs_settle(&job->broker->jobs, job->entry, &job->usage);
        jobs_forget(job);
        return;
    }
    outputs_close(&job->outputs);
    if (job->end.cause == CA(NONE) && interps_again(job)) {
        interps_on_end(job);
        jobs_run_again(job, JOB_EV_LOST);
        return;
    }
    if (job->end.cause == CA(NONE))
        judge_death(job, w);
    interps_on_end(job);
    if (job->end.cause == CA(NONE))
        jobs_lost(job);
    else
        jobs_conclude(job);
}

void jobs_start_failed(struct crew *c, struct crew_queue *q, const char *why)
{
    if (q->first != NULL && (q == &c->wide || c->idle == 0))
        jobs_decide(q->first, CA(START_FAILED), "%s", why);
}
