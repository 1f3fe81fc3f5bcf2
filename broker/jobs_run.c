/* jobs_run.c - see jobs.h: a job goes to its worker, and what goes to and fro while it runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/gate.h"
#include "broker/interps.h"
#include "broker/jobs_own.h"
#include "broker/meter.h"
#include "broker/receipt.h"
#include "broker/stored.h"
#include "frame.h"
#include "log.h"
#include "require.h"

#define CA(name) PB__CAUSE__CAUSE_##name
enum { RECEIPT_ROOM = 1 << 20 };

/* ---- to a worker ---- */

static int load_spec(struct job *job, struct frame *f)
{
    if (job->entry != NULL)
        return jobs_read_spec(&job->broker->jobs, job->entry, f);
    if (job->spec != NULL)
        return store_decode_spec(f, job->spec, job->spec_len);
    return stored_spec(job->broker, job->id, f);
}

static void take_evidence(struct job *job, struct worker *w)
{
    const struct zygote *z = w->zygote;

    jobs_drop_seal(job);
    memcpy(job->seal, w->seal, w->seal_count * sizeof(w->seal[0]));
    job->enforcement.n_seal = w->seal_count;
    w->seal_count = 0; /* the texts are the job's now */
    job->enforcement.landlock_abi = w->landlock_abi;
    job->enforcement.uid = w->uid;
    job->enforcement.seccomp = (char *)(w->of != NULL ? z->template_profile : z->profile);
    snprintf(job->seccomp_hash, sizeof(job->seccomp_hash), "%s", w->of != NULL ? z->template_filter_hash : z->filter_hash);
    job->enforcement.filter_len = w->of != NULL ? z->template_filter_len : z->filter_len;
    job->tier = z->tier;
    memcpy(job->namespaces, z->namespaces, sizeof(job->namespaces));
    job->enforcement.n_namespaces = z->namespace_count;
    snprintf(job->engine_version, sizeof(job->engine_version), "%s", z->engine_version);
    job->worker_pid = (uint32_t)w->pid;
}

/* Only now is all of it known. What was made for it is not used for a job that asked for more. */
static int check_required(struct job *job, const char *require)
{
    char why[REQUIRE_WHY];
    Pb__Enforcement held;
    int rc;

    receipt_held(job, &held);
    rc = require_met(require, &held, why);
    if (rc != 0)
        jobs_cannot_have(job, "%s", why);
    return rc;
}

/* A default that cannot be had is said in the receipt; what was asked for is refused. */
static int check_asked(struct job *job, uint32_t asked)
{
    const char *limit = watch_cannot(job, asked);

    if (limit == NULL)
        return 0;
    jobs_cannot_have(job, "limit %s: nothing enforces it here, at tier %s%s", limit, job->tier != NULL ? job->tier : "none",
                     job->worker->leaf == NULL ? " without a control group" : "");
    return -ENOTSUP;
}

/* What a namespace of its own gives a job, no other job's could be given. */
static int check_caps(struct job *job, const Pb__JobSpec *spec)
{
    static const struct {
        const char *cap, *what;
    } own[] = {
        {"net=loopback", "network"},
        { "proc",        "/proc"  },
    };

    if (job->tier != NULL && (strcmp(job->tier, "T0") == 0 || strcmp(job->tier, "T1") == 0))
        return 0;
    for (size_t i = 0; i < spec->n_caps; i++)
        for (size_t k = 0; k < sizeof(own) / sizeof(own[0]); k++)
            if (strcmp(spec->caps[i], own[k].cap) == 0) {
                jobs_cannot_have(job, "capability %s: tier %s has no %s of a job's own", own[k].cap, job->tier != NULL ? job->tier : "none",
                                 own[k].what);
                return -ENOTSUP;
            }
    return 0;
}

static int send_assign(struct job *job, struct worker *w)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Assign a = PB__ASSIGN__INIT;
    struct array_dress dress;
    struct frame f;
    int rc = load_spec(job, &f);

    if (rc != 0)
        return rc;
    rc = arrays_dress(job->entry, (Pb__JobSpec *)f.msg, &dress);
    a.job = job->id;
    a.spec = (Pb__JobSpec *)f.msg;
    a.rlimit_memory = w->leaf == NULL || !w->leaf->groups->has[CGROUP_MEMORY];
    a.rlimit_pids = w->leaf == NULL || !w->leaf->groups->has[CGROUP_PIDS];
    a.interpreter = job->interp != NULL;
    a.template_ = job->builds != NULL;
    a.children_cpu_us = job->builds != NULL ? UINT64_MAX : 0; /* they may be interpreters, and live for long */
    m.body_case = PB__TO_WORKER__BODY_ASSIGN;
    m.assign = &a;
    if (rc == 0)
        rc = check_asked(job, a.spec->limits_asked);
    if (rc == 0)
        rc = check_caps(job, a.spec);
    if (rc == 0)
        rc = check_required(job, a.spec->require);
    if (rc == 0)
        rc = interps_on_assigned(job);
    if (rc == 0)
        rc = gate_say(w, &m);
    arrays_undress(&dress);
    frame_release(&f);
    return rc;
}

uint64_t jobs_next_epoch(const struct job *job)
{
    uint64_t now = loop_wall_us();

    return now > job->epoch ? now : job->epoch + 1;
}

/* The store hears of it before the step's event is told. An interpreter that is not named is not begun again: nothing is noted of it. */
static void begin_attempt(struct job *job)
{
    uint64_t was = job->epoch;

    job->attempt++;
    job->epoch = jobs_next_epoch(job);
    if (job->entry != NULL) {
        job->entry->attempt++;
        job->entry->epoch = job->epoch;
    }
    if (job->entry != NULL)
        jobs_note_claim(job, was);
    else if (job->interp == NULL || job->interp->owner == PB__OWNER__OWNER_NAMED)
        jobs_note_living(job, PB__STATE__STATE_CLAIMED, was);
    jobs_step(job, JOB_EV_ASSIGN);
}

static void assign(struct job *job, struct worker *w)
{
    struct broker *b = job->broker;
    int rc;

    jobs_dequeue(job);
    begin_attempt(job);
    job->worker = w;
    w->job = job;
    w->lives = job->interp != NULL;
    pool_set_phase(w, WORKER_ASSIGNED);
    job->assigned_at = b->loop.now_us;
    job->usage.queue_us = job->assigned_at - (job->entry != NULL ? job->entry->ready_at : job->ready_at);
    meter_cpu(w->pid, &w->boot_cpu_us);
    take_evidence(job, w);
    rc = watch_start(job);
    if (rc != 0) {
        jobs_decide(job, CA(START_FAILED), "%s: %s",
                    w->leaf != NULL ? "its limits could not be written into its control group"
                                    : "no control group could be made for it, where other jobs have one; the broker's log says why",
                    strerror(-rc));
        return;
    }
    rc = send_assign(job, w);
    if (rc == -ENOTSUP)
        return; /* decided */
    if (rc != 0) {
        log_event(LOG_LEVEL_WARN, "assign_failed", "job=%s worker=%llu error=\"%s\"", job->id, (unsigned long long)w->id, strerror(-rc));
        if (rc != -ESRCH && rc != -EPIPE) /* a dead worker's job is judged by how it died */
            jobs_decide(job, CA(INTERNAL), "the job could not be handed to a worker: %s", strerror(-rc));
        else
            pool_kill(w);
        return;
    }
    control_wake(job);
}

void jobs_assign(struct job *job, struct worker *w)
{
    struct jobs *j = &job->broker->jobs;

    assign(job, w);
    if (j->dispatching == 0)
        jobs_flush_claims(j);
}

/* ---- while it runs ---- */

/* A program's filter is made for it. */
static void take_filter(struct job *job, const Pb__Started *s)
{
    job->unnamed_violations = s->unnamed_violations;
    if (s->filter_hash.len == 0)
        return;
    for (size_t i = 0; i < s->filter_hash.len; i++)
        snprintf(job->seccomp_hash + 2 * i, 3, "%02x", s->filter_hash.data[i]);
    job->enforcement.filter_len = s->filter_len;
}

void jobs_on_started(struct job *job, const Pb__Started *s)
{
    take_filter(job, s);
    jobs_step(job, JOB_EV_STARTED);
    job->started_us = loop_wall_us();
    job->started_at = job->broker->loop.now_us;
    job->usage.start_us = job->started_at - job->assigned_at;
    if (job->tty.changed)
        jobs_resize_tty(job, job->tty.rows, job->tty.columns);
    control_wake(job);
    interps_on_started(job);
}

int jobs_resize_tty(struct job *job, uint32_t rows, uint32_t columns)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__TtySize size = PB__TTY_SIZE__INIT;

    if (!job->tty.wanted)
        return -ENOTTY;
    job->tty.rows = rows;
    job->tty.columns = columns;
    job->tty.changed = job->worker == NULL || job->worker->phase != WORKER_BUSY;
    if (job->tty.changed)
        return 0;
    size.rows = rows;
    size.columns = columns;
    m.body_case = PB__TO_WORKER__BODY_TTY_SIZE;
    m.tty_size = &size;
    return gate_say(job->worker, &m) == -EAGAIN ? -EAGAIN : 0; /* a worker that is going away needs none */
}

void jobs_on_output(struct job *job, int stream, const void *bytes, size_t len)
{
    int rc = spool_append(&job->spools[stream], bytes, len);

    watch_active(job);
    if (job->first_output_us == 0)
        job->first_output_us = loop_wall_us();
    if (rc != 0) {
        spool_give_back(&job->spools[stream], RECEIPT_ROOM); /* the receipt needs a place on the same disk */
        jobs_decide(job, CA(INTERNAL), "its output cannot be kept: %s", strerror(-rc));
    }
    control_wake(job);
}

void jobs_on_collected(struct job *job, const Pb__Collected *c)
{
    int rc = outputs_take(&job->outputs, c);

    if (rc == 0)
        return;
    outputs_reset(&job->outputs); /* as above: half of the files would be no answer either */
    jobs_decide(job, CA(INTERNAL), "its output files cannot be kept: %s", strerror(-rc));
}

/* Answers the worker's wish when there is something to answer with. */
static void feed(struct job *job)
{
    struct job_stdin *in = &job->input;
    size_t n = in->len < in->want_max ? in->len : in->want_max;
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__StdinData d = PB__STDIN_DATA__INIT;

    if (!in->wanted || (n == 0 && !in->eof) || job->worker == NULL)
        return;
    d.data = (ProtobufCBinaryData){ n, in->bytes };
    d.eof = n == in->len && in->eof;
    m.body_case = PB__TO_WORKER__BODY_STDIN_DATA;
    m.stdin_data = &d;
    if (gate_say(job->worker, &m) != 0)
        return; /* it is going away; its end will be reported */
    watch_active(job);
    in->wanted = 0;
    in->told_eof = d.eof;
    in->len -= n;
    if (in->len > 0) /* bytes is NULL until something came */
        memmove(in->bytes, in->bytes + n, in->len);
    control_wake(job);
}

void jobs_on_stdin_want(struct job *job, uint32_t max)
{
    job->input.wanted = 1;
    job->input.want_max = max;
    feed(job);
}

size_t jobs_stdin_put(struct job *job, const void *bytes, size_t len, int eof)
{
    struct job_stdin *in = &job->input;

    if (in->bytes == NULL && (in->bytes = malloc(JOB_STDIN_BUFFER)) == NULL)
        return 0;
    if (len > JOB_STDIN_BUFFER - in->len) {
        len = JOB_STDIN_BUFFER - in->len;
        eof = 0;
    }
    if (len > 0)
        memcpy(in->bytes + in->len, bytes, len);
    in->len += len;
    in->taken += len;
    in->eof |= eof;
    feed(job);
    return len;
}
