/* jobs.c - see jobs.h: the table of struct job, how one is made and let go. */
#include "broker/jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/interps.h"
#include "broker/jobs_own.h"
#include "broker/stored.h"
#include "broker/templates.h"
#include "frame.h"
#include "log.h"

#define CA(name) PB__CAUSE__CAUSE_##name

static void on_grace(void *ctx);

void jobs_init(struct jobs *j, struct broker *b)
{
    *j = (struct jobs){ .broker = b, .wall.watch.fd = -1 };
    j->tidy = (struct timer){ .fn = jobs_on_tidy, .ctx = j };
    j->due = (struct timer){ .fn = jobs_on_due, .ctx = j };
    j->claim = (struct timer){ .fn = jobs_on_claim_due, .ctx = j };
    (void)waiting_init(&j->table); /* without memory it takes none in, and says so */
}

struct job *job_alloc(struct jobs *j, const char *id, const char *name, const char *engine)
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
    job->pause.over = (struct timer){ .fn = jobs_on_pause_long, .ctx = job };
    pb__usage__init(&job->usage);
    pb__enforcement__init(&job->enforcement);
    HASH_ADD_STR(j->by_id, id, job);
    return job;
}

/* What earlier brokers' attempts left was swept away when this one started. */
static bool has_never_run(const struct job *job)
{
    return job->entry != NULL && job->entry->attempt == 0 && job->entry->infra == 0;
}

static void open_spools(struct job *job)
{
    if (has_never_run(job)) {
        spool_init_new(&job->spools[0], job->broker->output_dir, job->id, 0, job->limits.stdout_bytes);
        spool_init_new(&job->spools[1], job->broker->output_dir, job->id, 1, job->limits.stderr_bytes);
        outputs_init_new(&job->outputs, job->broker->output_dir, job->id, job->limits.result_bytes);
        return;
    }
    spool_init(&job->spools[0], job->broker->output_dir, job->id, 0, job->limits.stdout_bytes);
    spool_init(&job->spools[1], job->broker->output_dir, job->id, 1, job->limits.stderr_bytes);
    outputs_init(&job->outputs, job->broker->output_dir, job->id, job->limits.result_bytes);
}

static char *copy_or_null(const char *text)
{
    return text[0] != '\0' ? strdup(text) : NULL; /* without memory its receipt says less */
}

/* What its spec says that is needed while it runs. */
void job_take_spec(struct job *job, const Pb__JobSpec *spec)
{
    char why[JOB_CAPS_WHY];

    job->limits = *spec->limits;
    job->on_output_limit = (int)spec->on_output_limit;
    job->stdin_mode = spec->stdin_mode;
    job->input.eof = spec->stdin_mode != PB__STDIN_MODE__STDIN_MODE_STREAM;
    job->learn = spec->learn;
    job->collects = spec->n_outputs > 0;
    job->tty.wanted = spec->tty != NULL;
    job->user = copy_or_null(spec->user);
    job->templated = spec->template_[0] != '\0';
    job->template = spec->template_[0] != '\0' ? templates_find(job->broker, job_tenant(job), spec->template_) : NULL;
    job->builds = spec->builds[0] != '\0' ? templates_find(job->broker, job_tenant(job), spec->builds) : NULL;
    if (job->template != NULL)
        job->crew = &template_ref(job->template)->crew;
    if (job->builds != NULL)
        job->crew = &template_ref(job->builds)->crew;
    if (job_caps_read(spec, &job->caps, why) != 0) /* checked when it came: there is no memory, and it has none */
        log_event(LOG_LEVEL_WARN, "no_caps", "job=%s why=\"%s\"", job->id, why);
    retry_from_spec(spec, &job->retry);
    pb__retention__init(&job->retention);
    if (spec->retention != NULL)
        job->retention = *spec->retention;
    open_spools(job);
}

void job_keep_spec(struct job *job, const uint8_t *packed, size_t len)
{
    struct jobs *j = &job->broker->jobs;

    if (j->spec_bytes + waiting_spec_room(len) > JOB_SPEC_CACHE || (job->spec = malloc(len)) == NULL)
        return;
    memcpy(job->spec, packed, len);
    job->spec_len = len;
    j->spec_bytes += waiting_spec_room(len);
}

static void drop_spec(struct job *job)
{
    if (job->spec != NULL)
        job->broker->jobs.spec_bytes -= waiting_spec_room(job->spec_len);
    free(job->spec);
    job->spec = NULL;
}

void jobs_drop_seal(struct job *job)
{
    for (size_t i = 0; i < job->enforcement.n_seal; i++)
        free(job->seal[i]);
    job->enforcement.n_seal = 0;
}

void jobs_drop_attempts(struct job *job)
{
    for (size_t i = 0; i < job->n_attempts; i++) {
        free(job->attempts[i]->cause_detail);
        free(job->attempts[i]);
    }
    free(job->attempts);
    job->attempts = NULL;
    job->n_attempts = 0;
}

void jobs_stop_timers(struct job *job)
{
    struct timers *t = &job->broker->loop.timers;

    watch_stop(job);
    timers_cancel(t, &job->grace);
    timers_cancel(t, &job->store_retry);
    timers_cancel(t, &job->pause.over);
}

void jobs_free(struct job *job)
{
    control_release(job, NULL); /* nobody is left waiting for what is gone */
    interps_on_job_gone(job);
    jobs_looked_off(job);
    if (job->entry != NULL)
        job->entry->job = NULL;
    HASH_DEL(job->broker->jobs.by_id, job);
    jobs_stop_timers(job);
    drop_spec(job);
    job_caps_finish(&job->caps);
    jobs_drop_seal(job);
    jobs_drop_attempts(job);
    spool_finish(&job->spools[0]);
    spool_finish(&job->spools[1]);
    outputs_finish(&job->outputs);
    evidence_finish(&job->evidence);
    free(job->input.bytes);
    free(job->end.error_type);
    free(job->end.error_message);
    free(job->end.error_traceback);
    free(job->end.outputs_note);
    free(job->user);
    free(job->array_id);
    template_unref(job->template);
    template_unref(job->builds);
    free(job);
}

void jobs_forget(struct job *job)
{
    struct waiting *w = job->entry;
    struct jobs *j = &job->broker->jobs;

    spool_reset(&job->spools[0]);
    spool_reset(&job->spools[1]);
    outputs_reset(&job->outputs);
    jobs_free(job);
    if (w != NULL)
        jobs_drop_entry(j, w);
}

static int leave_sched(void *ctx, struct waiting *w)
{
    jobs_sched_leave(ctx, w);
    return 0;
}

void jobs_finish(struct jobs *j)
{
    struct job *job, *next;

    HASH_ITER (hh, j->by_id, job, next) {
        if (job->worker != NULL)
            job->worker->job = NULL;
        jobs_free(job);
    }
    (void)waiting_each(&j->table, leave_sched, j);
    waiting_finish(&j->table);
    jobs_submit_finish(j);
    jobs_forget_shared(j);
    if (j->claims != NULL)
        store_op_free(j->claims);
    j->claims = NULL;
    timers_cancel(&j->broker->loop.timers, &j->tidy);
    timers_cancel(&j->broker->loop.timers, &j->due);
    timers_cancel(&j->broker->loop.timers, &j->claim);
    wall_clock_close(&j->wall);
}

struct job *jobs_find(struct jobs *j, const char *id)
{
    struct job *job;

    HASH_FIND_STR(j->by_id, id, job);
    return job;
}

bool jobs_lives(const struct jobs *j, const char *id)
{
    return waiting_find(&j->table, id) != NULL || jobs_find((struct jobs *)j, id) != NULL;
}

/* ---- those that have an entry ---------------------------------------------------------------------------------------------------------- */

void jobs_keep_spec(struct jobs *j, struct waiting *w, const uint8_t *packed, size_t len)
{
    jobs_drop_spec(j, w);
    if (j->spec_bytes + waiting_spec_room(len) > JOB_SPEC_CACHE || (w->spec = malloc(sizeof(*w->spec) + len)) == NULL)
        return;
    w->spec->len = len;
    memcpy(w->spec->bytes, packed, len);
    j->spec_bytes += waiting_spec_room(len);
}

void jobs_drop_spec(struct jobs *j, struct waiting *w)
{
    if (w->spec != NULL)
        j->spec_bytes -= waiting_spec_room(w->spec->len);
    free(w->spec);
    w->spec = NULL;
}

int jobs_read_spec(struct jobs *j, const struct waiting *w, struct frame *ret)
{
    char id[ULID_LEN + 1];

    if (w->spec != NULL && w->state != PB__STATE__STATE_FINISHING)
        return store_decode_spec(ret, w->spec->bytes, w->spec->len);
    waiting_id(w, id);
    return stored_spec(j->broker, id, ret);
}

static int take_attempt(void *ctx, const struct store_attempt *a)
{
    return job_add_attempt(ctx, a);
}

/* What happened to it before, when it is not its first attempt. */
static int read_past(struct job *job)
{
    return job->attempt > 0 ? store_each_attempt(job->broker->store, job->id, take_attempt, job) : 0;
}

static struct job *job_of_spec(struct jobs *j, struct waiting *w, const Pb__JobSpec *spec)
{
    char id[ULID_LEN + 1];
    struct job *job;

    waiting_id(w, id);
    job = job_alloc(j, id, spec->name, spec->engine);
    if (job == NULL)
        return NULL;
    job->entry = w;
    w->job = job;
    job->state = (Pb__State)w->state;
    job->attempt = w->attempt;
    job->infra = w->infra;
    job->epoch = w->epoch;
    job->submitted_us = w->submitted_us;
    job_take_spec(job, spec);
    if (w->array != NULL)
        job->array_id = strdup(w->array->row.id);
    return job;
}

int jobs_make(struct jobs *j, struct waiting *w, struct job **ret)
{
    struct frame f;
    int rc;

    if (j->fresh == w) {
        *ret = job_of_spec(j, w, j->fresh_spec);
        return *ret != NULL ? 0 : -ENOMEM;
    }
    rc = jobs_read_spec(j, w, &f);
    if (rc != 0)
        return rc;
    *ret = job_of_spec(j, w, (const Pb__JobSpec *)f.msg);
    frame_release(&f);
    if (*ret == NULL)
        return -ENOMEM;
    rc = read_past(*ret);
    if (rc != 0) {
        log_event(LOG_LEVEL_ERROR, "attempts_unread", "job=%s error=\"%s\"", (*ret)->id, strerror(-rc));
        jobs_free(*ret);
    }
    return rc;
}

/* ---- looked at while it waits ----------------------------------------------------------------------------------------------------------- */

static void looked_on(struct job *job)
{
    struct jobs *j = &job->broker->jobs;

    if (job->looked_next != NULL)
        return;
    if (j->looked == NULL) {
        j->looked = job->looked_next = job->looked_prev = job;
    } else {
        job->looked_next = j->looked;
        job->looked_prev = j->looked->looked_prev;
        job->looked_prev->looked_next = job;
        j->looked->looked_prev = job;
    }
    j->n_looked++;
}

void jobs_looked_off(struct job *job)
{
    struct jobs *j = &job->broker->jobs;

    if (job->looked_next == NULL)
        return;
    if (job->looked_next == job) {
        j->looked = NULL;
    } else {
        job->looked_prev->looked_next = job->looked_next;
        job->looked_next->looked_prev = job->looked_prev;
        if (j->looked == job)
            j->looked = job->looked_next;
    }
    job->looked_next = job->looked_prev = NULL;
    j->n_looked--;
}

void jobs_tidy_soon(struct jobs *j)
{
    if (j->tidy.place == 0 && j->n_looked > 0)
        timers_arm(&j->broker->loop.timers, &j->tidy, j->broker->loop.now_us);
}

void jobs_may_let_go(struct job *job)
{
    if (job->entry == NULL || !job_waits(job->state))
        return;
    looked_on(job);
    jobs_tidy_soon(&job->broker->jobs);
}

/* What only the struct job knows: bytes of its input, the size of its terminal, and what is on its way to the store. */
static bool holds_something(const struct job *job)
{
    return job->waiters != NULL || job->input.taken > 0 || job->tty.changed || job->moves > 0 || job->refused ||
           (!job->entry->committed && job->entry->spec == NULL);
}

void jobs_on_tidy(void *ctx)
{
    struct jobs *j = ctx;
    struct job *job = j->looked, *next;

    for (unsigned n = j->n_looked; n > 0; n--, job = next) {
        next = job->looked_next;
        if (!holds_something(job))
            jobs_free(job);
    }
    broker_check_rest(j->broker);
}

int jobs_look(struct jobs *j, const char *id, struct job **ret)
{
    struct waiting *w;
    int rc = 0;

    *ret = jobs_find(j, id);
    if (*ret == NULL && (w = waiting_find(&j->table, id)) != NULL)
        rc = w->entering ? -EAGAIN : jobs_make(j, w, ret);
    if (rc != 0)
        return rc;
    if (*ret == NULL)
        return -ENOENT;
    jobs_may_let_go(*ret);
    return 0;
}

/* ---- by request ------------------------------------------------------------------------------------------------------------------------- */

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
    if (job->state == PB__STATE__STATE_PAUSED)
        (void)jobs_resume(job); /* or it would hear nothing of it */
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
