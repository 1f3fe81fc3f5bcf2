/* jobs.c - see jobs.h. */
#include "broker/jobs.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/gate.h"
#include "broker/interps.h"
#include "broker/jobs_own.h"
#include "broker/meter.h"
#include "broker/receipt.h"
#include "broker/templates.h"
#include "frame.h"
#include "log.h"
#include "require.h"
#include "units.h"

#define CA(name) PB__CAUSE__CAUSE_##name
enum { RECEIPT_ROOM = 1 << 20 };

static void on_grace(void *ctx);

/* ---- the table ---- */

void jobs_init(struct jobs *j, struct broker *b)
{
    *j = (struct jobs){ .broker = b };
}

void jobs_step(struct job *job, enum job_event event)
{
    Pb__State next = job_next[job->state][event];

    assert(next != PB__STATE__STATE_NONE); /* our own bug, whatever the worker did */
    log_event(LOG_LEVEL_DEBUG, "job_state", "job=%s from=%s to=%s", job->id, job_state_name(job->state), job_state_name(next));
    job->state = next;
}

static struct job *job_alloc(struct jobs *j, const char *id, const char *name, const char *engine)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    job->broker = j->broker;
    snprintf(job->id, sizeof(job->id), "%s", id);
    snprintf(job->name, sizeof(job->name), "%s", name);
    snprintf(job->engine, sizeof(job->engine), "%s", engine);
    job->crew = &j->broker->crews[engine_find(engine) >= 0 ? engine_find(engine) : ENGINE_LUA];
    job->state = PB__STATE__STATE_READY;
    watch_init(job);
    job->grace = (struct timer){ .fn = on_grace, .ctx = job };
    job->store_retry = (struct timer){ .fn = jobs_on_store_retry, .ctx = job };
    pb__usage__init(&job->usage);
    pb__enforcement__init(&job->enforcement);
    HASH_ADD_STR(j->by_id, id, job);
    return job;
}

static void job_open_spools(struct job *job)
{
    spool_init(&job->spools[0], job->broker->output_dir, job->id, 0, job->limits.stdout_bytes);
    spool_init(&job->spools[1], job->broker->output_dir, job->id, 1, job->limits.stderr_bytes);
    outputs_init(&job->outputs, job->broker->output_dir, job->id, job->limits.result_bytes);
}

/* What its spec says that is needed while it runs. */
static void take_spec(struct job *job, const Pb__JobSpec *spec)
{
    char why[JOB_CAPS_WHY];

    job->limits = *spec->limits;
    job->on_output_limit = (int)spec->on_output_limit;
    job->learn = spec->learn;
    job->collects = spec->n_outputs > 0;
    job->tty.wanted = spec->tty != NULL;
    job->template = spec->template_[0] != '\0' ? templates_find(job->broker, job_tenant(job), spec->template_) : NULL;
    job->builds = spec->builds[0] != '\0' ? templates_find(job->broker, job_tenant(job), spec->builds) : NULL;
    if (job->template != NULL)
        job->crew = &template_ref(job->template)->crew;
    if (job->builds != NULL)
        job->crew = &template_ref(job->builds)->crew;
    if (job_caps_read(spec, &job->caps, why) != 0) /* checked when it came: there is no memory, and it has none */
        log_event(LOG_LEVEL_WARN, "no_caps", "job=%s why=\"%s\"", job->id, why);
}

static void drop_spec(struct job *job)
{
    if (job->spec != NULL)
        job->broker->jobs.spec_bytes -= job->spec_len;
    free(job->spec);
    job->spec = NULL;
}

void jobs_drop_seal(struct job *job)
{
    for (size_t i = 0; i < job->enforcement.n_seal; i++)
        free(job->seal[i]);
    job->enforcement.n_seal = 0;
}

void jobs_stop_timers(struct job *job)
{
    struct timers *t = &job->broker->loop.timers;

    watch_stop(job);
    timers_cancel(t, &job->grace);
    timers_cancel(t, &job->store_retry);
}

void jobs_free(struct job *job)
{
    control_release(job); /* nobody is left waiting for what is gone */
    interps_on_job_gone(job);
    HASH_DEL(job->broker->jobs.by_id, job);
    jobs_stop_timers(job);
    drop_spec(job);
    job_caps_finish(&job->caps);
    jobs_drop_seal(job);
    spool_finish(&job->spools[0]);
    spool_finish(&job->spools[1]);
    outputs_finish(&job->outputs);
    evidence_finish(&job->evidence);
    free(job->input.bytes);
    free(job->end.error_type);
    free(job->end.error_message);
    free(job->end.error_traceback);
    free(job->end.outputs_note);
    template_unref(job->template);
    template_unref(job->builds);
    free(job);
}

void jobs_forget(struct job *job)
{
    spool_reset(&job->spools[0]);
    spool_reset(&job->spools[1]);
    outputs_reset(&job->outputs);
    jobs_free(job);
}

void jobs_finish(struct jobs *j)
{
    struct job *job, *next;

    HASH_ITER (hh, j->by_id, job, next) {
        if (job->worker != NULL)
            job->worker->job = NULL;
        jobs_free(job);
    }
}

struct job *jobs_find(struct jobs *j, const char *id)
{
    struct job *job;

    HASH_FIND_STR(j->by_id, id, job);
    return job;
}

/* ---- the queue ---- */

static unsigned threads_of(const struct job *job)
{
    return job->limits.threads > 1 ? (unsigned)job->limits.threads : 1;
}

static struct crew_queue *queue_of(const struct job *job)
{
    return threads_of(job) > 1 ? &job->crew->wide : job->interp != NULL ? &job->crew->living : &job->crew->plain;
}

static void enqueue(struct job *job, int at_head)
{
    struct crew_queue *q = queue_of(job);

    job->ready_at = job->broker->loop.now_us;
    if (q->first == NULL) {
        job->queue_next = job->queue_prev = job;
        q->first = job;
    } else {
        job->queue_next = q->first;
        job->queue_prev = q->first->queue_prev;
        job->queue_prev->queue_next = job;
        q->first->queue_prev = job;
        if (at_head)
            q->first = job;
    }
    q->waiting++;
    job->broker->jobs.waiting++;
}

void jobs_dequeue(struct job *job)
{
    struct crew_queue *q = queue_of(job);

    if (job->queue_next == NULL)
        return;
    if (job->queue_next == job) {
        q->first = NULL;
    } else {
        job->queue_prev->queue_next = job->queue_next;
        job->queue_next->queue_prev = job->queue_prev;
        if (q->first == job)
            q->first = job->queue_next;
    }
    job->queue_next = job->queue_prev = NULL;
    q->waiting--;
    job->broker->jobs.waiting--;
}

void jobs_put_in_queue(struct job *job, int at_head)
{
    if (job->builds != NULL) { /* it has a worker of its own */
        template_prepare(job->builds);
        return;
    }
    enqueue(job, at_head);
    jobs_dispatch(&job->broker->jobs);
    pool_refill(&job->broker->pool);
}

/* ---- coming in ---- */

/* A copy at hand, so that the store need not be read again; without room for it the job starts after its commit. */
static void keep_spec(struct job *job, const uint8_t *packed, size_t len)
{
    struct jobs *j = &job->broker->jobs;

    if (j->spec_bytes + len > JOB_SPEC_CACHE || (job->spec = malloc(len)) == NULL)
        return;
    memcpy(job->spec, packed, len);
    job->spec_len = len;
    j->spec_bytes += len;
}

static void fill_row(struct store_job *row, const struct job *job, const Pb__JobSpec *spec)
{
    snprintf(row->name, sizeof(row->name), "%s", job->name);
    snprintf(row->engine, sizeof(row->engine), "%s", job->engine);
    snprintf(row->template, sizeof(row->template), "%s", spec->template_);
    row->tenant = job->tenant;
    row->submitted_us = job->submitted_us;
    row->stdin_mode = job->stdin_mode;
    row->memory_bytes = job->limits.memory_bytes;
    row->wall_us = job->limits.wall_us;
    row->threads = (uint32_t)job->limits.threads;
    row->builds = job->builds != NULL;
}

struct job *jobs_new_living(struct jobs *j, const Pb__JobSpec *spec, uint8_t *packed, size_t len, const struct jobs_living *living)
{
    struct store_op *op = NULL;
    char id[ULID_LEN + 1];
    struct job *job;

    if (!living->plain)
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
    if (!living->plain) {
        op->submit.row.lives = living->named ? STORE_LIVES_NAMED : STORE_LIVES;
        op->submit.definition = living->definition;
    }
    take_spec(job, spec);
    job->stdin_mode = spec->stdin_mode;
    job->input.eof = spec->stdin_mode != PB__STDIN_MODE__STDIN_MODE_STREAM;
    job->submitted_us = loop_wall_us();
    job_open_spools(job);
    fill_row(&op->submit.row, job, spec);
    op->submit.spec = (struct store_blob){ packed, len };
    keep_spec(job, packed, len);
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

/* The store would not have it: the client was told so, and every trace of a run that began early goes. */
static void forget(struct job *job)
{
    job->refused = 1;
    if (job->worker != NULL) {
        jobs_decide(job, CA(INTERNAL), "%s", "its submit was not stored");
        return; /* jobs_on_worker_end() lets it go */
    }
    jobs_dequeue(job);
    if (job->state != PB__STATE__STATE_FINISHING) /* else its receipt comes back refused, and jobs_finished() lets it go */
        jobs_forget(job);
}

void jobs_stored(struct job *job, int status)
{
    struct rep_way way = job->submit_way;

    job->submit_way = (struct rep_way){ 0 };
    if (job->interp == NULL)
        verb_submitted(job->broker, way, job->id, &job->limits, status);
    interps_on_stored(job, status);
    if (status != 0)
        forget(job);
    else if (job->state == PB__STATE__STATE_READY && job->queue_next == NULL)
        jobs_put_in_queue(job, 0); /* its spec is read back from the store */
}

/* A named one is made anew when it is used; any other belonged to somebody who has gone with the broker. */
static void recover_living(struct job *job, const struct store_job *s, const Pb__JobSpec *spec)
{
    struct store_blob definition = { 0 };
    int rc = s->lives == STORE_LIVES_NAMED ? store_read_definition(job->broker->store, job->id, &definition) : -ENOENT;

    if (rc == 0 && spec->template_[0] != '\0' && job->template == NULL) {
        jobs_decide(job, CA(START_FAILED), "the template %.100s has been removed", spec->template_);
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

static int recover_one(void *ctx, const struct store_job *s)
{
    struct jobs *j = ctx;
    struct store_blob spec = { 0 };
    struct frame f;
    struct job *job;
    int rc = store_read_spec(j->broker->store, s->id, &spec);

    if (rc == 0)
        rc = frame_decode(&f, &pb__job_spec__descriptor, spec.bytes, spec.len, FRAME_MAX_CONTROL);
    free(spec.bytes);
    if (rc != 0)
        return rc;
    job = job_alloc(j, s->id, s->name, s->engine);
    if (job != NULL) {
        job->tenant = s->tenant;
        take_spec(job, (const Pb__JobSpec *)f.msg);
        job->stdin_mode = s->stdin_mode;
        job->submitted_us = s->submitted_us;
        job->attempt = s->attempt;
        job->epoch = s->epoch;
        job_open_spools(job);
        job->input.eof = job->stdin_mode != PB__STDIN_MODE__STDIN_MODE_STREAM;
        if (s->lives != STORE_LIVES_NOT) {
            recover_living(job, s, (const Pb__JobSpec *)f.msg);
            frame_release(&f);
            return 0;
        }
        if (job->builds == NULL)
            enqueue(job, 0);
        if (((const Pb__JobSpec *)f.msg)->builds[0] != '\0')
            jobs_decide(job, CA(BROKER_LOST),
                        "the broker ended, and with it the template's process; the next job that asks for it has it built again");
        else if (((const Pb__JobSpec *)f.msg)->template_[0] != '\0' && job->template == NULL)
            jobs_decide(job, CA(START_FAILED), "the template %.100s has been removed", ((const Pb__JobSpec *)f.msg)->template_);
        else if (job->stdin_mode == PB__STDIN_MODE__STDIN_MODE_STREAM)
            jobs_decide(job, CA(BROKER_LOST), "the broker ended, and with it the stream of its standard input");
        else if (job->attempt >= JOB_INFRA_ATTEMPTS && s->state == PB__STATE__STATE_RUNNING)
            jobs_decide(job, CA(BROKER_LOST), "the broker ended during each of its %u attempts", job->attempt);
        else if (engine_find(s->engine) < 0)
            jobs_decide(job, CA(START_FAILED), "this broker has no engine '%.32s'", s->engine);
    }
    frame_release(&f);
    return job == NULL ? -ENOMEM : 0;
}

/* A job that began before its submit was committed may have left a file, and the broker no word of it. */
static int is_known(void *ctx, const char *id)
{
    struct jobs *j = ctx;
    struct store_job stored;

    return jobs_find(j, id) != NULL || store_find(j->broker->store, id, &stored) != -ENOENT;
}

int jobs_recover(struct jobs *j)
{
    int rc = store_each_unfinished(j->broker->store, recover_one, j);

    if (rc == 0 && j->waiting > 0)
        log_event(LOG_LEVEL_INFO, "recovered", "jobs=%u", j->waiting);
    if (rc == 0)
        spool_sweep(j->broker->output_dir, is_known, j);
    return rc;
}

/* ---- to a worker ---- */

static int load_spec(struct job *job, struct frame *f)
{
    struct store_blob spec = { job->spec, job->spec_len };
    int rc = 0;

    if (spec.bytes == NULL)
        rc = store_read_spec(job->broker->store, job->id, &spec);
    if (rc == 0)
        rc = frame_decode(f, &pb__job_spec__descriptor, spec.bytes, spec.len, FRAME_MAX_CONTROL);
    if (job->spec == NULL)
        free(spec.bytes);
    return rc;
}

static void take_evidence(struct job *job, struct worker *w)
{
    const struct zygote *z = job->crew->zygote;

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

void jobs_note_start(struct job *job, Pb__State state)
{
    struct store_op *op = store_op_new(STORE_MOVE, job->id);

    if (op == NULL)
        return; /* only the count of attempts is less exact after a crash */
    op->move.state = state;
    op->move.attempt = job->attempt;
    op->move.epoch = job->epoch;
    store_push(job->broker->store, op);
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
        jobs_decide(job, CA(START_FAILED), "%s", why);
    return rc;
}

/* A default that cannot be had is said in the receipt; what was asked for is refused. */
static int check_asked(struct job *job, uint32_t asked)
{
    const char *limit = watch_cannot(job, asked);

    if (limit == NULL)
        return 0;
    jobs_decide(job, CA(START_FAILED), "limit %s: nothing enforces it here, at tier %s%s", limit, job->tier != NULL ? job->tier : "none",
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
                jobs_decide(job, CA(START_FAILED), "capability %s: tier %s has no %s of a job's own", own[k].cap,
                            job->tier != NULL ? job->tier : "none", own[k].what);
                return -ENOTSUP;
            }
    return 0;
}

static int send_assign(struct job *job, struct worker *w)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Assign a = PB__ASSIGN__INIT;
    struct frame f;
    int rc = load_spec(job, &f);

    if (rc != 0)
        return rc;
    a.job = job->id;
    a.spec = (Pb__JobSpec *)f.msg;
    a.rlimit_memory = w->leaf == NULL || !w->leaf->groups->has[CGROUP_MEMORY];
    a.rlimit_pids = w->leaf == NULL || !w->leaf->groups->has[CGROUP_PIDS];
    a.interpreter = job->interp != NULL;
    a.template_ = job->builds != NULL;
    a.children_cpu_us = job->builds != NULL ? UINT64_MAX : 0; /* they may be interpreters, and live for long */
    m.body_case = PB__TO_WORKER__BODY_ASSIGN;
    m.assign = &a;
    rc = check_asked(job, a.spec->limits_asked);
    if (rc == 0)
        rc = check_caps(job, a.spec);
    if (rc == 0)
        rc = check_required(job, a.spec->require);
    if (rc == 0)
        rc = interps_on_assigned(job);
    if (rc == 0)
        rc = gate_say(w, &m);
    frame_release(&f);
    return rc;
}

/* Names this run, for the store and for whoever follows its output: above every one before, also those a dead broker did not write down. */
static uint64_t next_epoch(const struct job *job)
{
    uint64_t now = loop_wall_us();

    return now > job->epoch ? now : job->epoch + 1;
}

void jobs_assign(struct job *job, struct worker *w)
{
    struct broker *b = job->broker;
    int rc;

    jobs_dequeue(job);
    jobs_step(job, JOB_EV_ASSIGN);
    job->attempt++;
    job->epoch = next_epoch(job);
    job->worker = w;
    w->job = job;
    w->lives = job->interp != NULL;
    pool_set_phase(w, WORKER_ASSIGNED);
    job->assigned_at = b->loop.now_us;
    job->usage.queue_us = job->assigned_at - job->ready_at;
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
    if (job->interp == NULL || job->interp->owner == PB__OWNER__OWNER_NAMED) /* no other is begun again */
        jobs_note_start(job, PB__STATE__STATE_RUNNING);
    control_wake(job);
}

/* The first of a queue, when it has waited longer than best and there is a worker for it. */
static void take_if_older(const struct crew_queue *q, struct job **best, struct worker **ret_w)
{
    struct job *job = q->first;
    struct worker *w;

    if (job != NULL && job->interp == NULL && job->broker->pool.busy >= job->broker->config.workers)
        return;
    if (job == NULL || (*best != NULL && (*best)->ready_at <= job->ready_at))
        return;
    w = pool_idle(&job->broker->pool, job->crew, threads_of(job));
    if (w == NULL)
        return;
    *best = job;
    *ret_w = w;
}

/* Who came first goes first, among those whose engine has a worker: nobody waits for another engine. */
void jobs_dispatch(struct jobs *j)
{
    struct broker *b = j->broker;

    if (b->phase == BROKER_DRAINING)
        return;
    while (j->waiting > 0) {
        struct job *job = NULL;
        struct worker *w = NULL;

        for (int i = 0; i < ENGINE_COUNT; i++) {
            take_if_older(&b->crews[i].plain, &job, &w);
            take_if_older(&b->crews[i].wide, &job, &w);
            take_if_older(&b->crews[i].living, &job, &w);
        }
        for (const struct template *t = b->templates.all; t != NULL; t = t->next) {
            take_if_older(&t->crew.plain, &job, &w);
            take_if_older(&t->crew.living, &job, &w);
        }
        if (job == NULL)
            break;
        jobs_assign(job, w);
    }
    pool_refill(&b->pool);
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

void jobs_cancel(struct job *job)
{
    if (job->cancelling || job->end.cause != CA(NONE))
        return;
    if (job->worker == NULL) {
        jobs_decide(job, CA(CANCELLED), "cancelled before it started");
        return;
    }
    if (job->interp != NULL) { /* its SIGTERM ends a call, not it */
        jobs_decide(job, CA(CANCELLED), "cancelled");
        return;
    }
    job->cancelling = 1;
    pool_signal(job->worker, SIGTERM);
    timers_arm(&job->broker->loop.timers, &job->grace, job->broker->loop.now_us + JOB_GRACE_US);
}

static void on_grace(void *ctx)
{
    jobs_decide(ctx, CA(CANCELLED), "cancelled; it did not end by itself in time");
}

void jobs_kill(struct job *job)
{
    jobs_decide(job, CA(CANCELLED), "killed by request");
}

/* ---- for those who look ---- */

static const char *waiting_reason(const struct job *job)
{
    const struct broker *b = job->broker;

    if (job->state != PB__STATE__STATE_READY)
        return "";
    if (b->phase == BROKER_DRAINING)
        return "DRAINING";
    if (job->interp != NULL)
        return job->queue_next == NULL ? "NOT_STARTED" : "NO_WORKER";
    return b->pool.busy >= b->config.workers ? "NO_SLOT" : "NO_WORKER";
}

void jobs_status(const struct job *job, Pb__JobStatus *ret)
{
    pb__job_status__init(ret);
    ret->id = (char *)job->id;
    ret->name = (char *)job->name;
    ret->engine = (char *)job->engine;
    ret->state = job->state;
    ret->cause = job->end.cause;
    ret->cause_detail = (char *)job->end.detail;
    ret->reason = (char *)waiting_reason(job);
    ret->attempt = job->attempt;
    ret->exit_code = job->end.exit_code;
    ret->submitted_us = job->submitted_us;
    ret->interp = job->interp != NULL;
    ret->stdout_bytes = job->spools[0].len;
    ret->stderr_bytes = job->spools[1].len;
    if (job->worker == NULL) {
        ret->elapsed_us = job->usage.wall_us;
        ret->cpu_us = job->usage.cpu_user_us + job->usage.cpu_sys_us;
        ret->mem_bytes = job->usage.mem_peak_bytes;
        return;
    }
    ret->elapsed_us = loop_clock_us() - job->assigned_at;
    watch_status(job, &ret->cpu_us, &ret->mem_bytes);
}
