/* receipt.c - see receipt.h. */
#include "broker/receipt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "coop/version.h"
#include "frame.h"

/* Sub-messages of one receipt; they must live until it is packed. */
struct parts {
    Pb__Receipt receipt;
    Pb__JobError error;
    Pb__StreamTotal streams[2];
    Pb__Usage usage;
    Pb__Limits limits;
    Pb__Enforcement enforcement;
    Pb__Times times;
    Pb__Where where;
    Pb__OutputFile **outputs; /* malloc'd */
    Pb__LearnedRow **learned; /* the same */
};

static char *or_empty(char *text)
{
    return text != NULL ? text : (char *)protobuf_c_empty_string;
}

static void fill_streams(const struct job *job, struct parts *p)
{
    for (int i = 0; i < 2; i++) {
        pb__stream_total__init(&p->streams[i]);
        p->streams[i].bytes = job->spools[i].len;
        p->streams[i].dropped = job->end.dropped[i] + job->spools[i].refused;
        p->streams[i].truncated = p->streams[i].dropped > 0;
    }
    p->receipt.stdout = &p->streams[0];
    p->receipt.stderr = &p->streams[1];
}

static void fill_error(const struct job *job, struct parts *p)
{
    if (job->end.error_type == NULL)
        return;
    pb__job_error__init(&p->error);
    p->error.type = job->end.error_type;
    p->error.message = or_empty(job->end.error_message);
    p->error.traceback = or_empty(job->end.error_traceback);
    p->receipt.error = &p->error;
}

/* The sanitizer's shadow leaves no room for an address-space limit. */
static char *memory_walls(const struct job *job)
{
#if defined(COOP_ASAN) || defined(COOP_TSAN)
    return job->crew->engine->own_allocator ? "allocator" : "none";
#else
    return job->crew->engine->own_allocator ? "allocator, RLIMIT_DATA" : "RLIMIT_AS, RLIMIT_DATA";
#endif
}

/* Who holds it; a job that has not been given to a worker is held by nobody. */
static char *held_by(const char *words)
{
    return words != NULL ? (char *)words : "none";
}

static bool has_namespace(const struct job *job, const char *name)
{
    for (size_t i = 0; i < job->enforcement.n_namespaces; i++)
        if (strcmp(job->namespaces[i], name) == 0)
            return true;
    return false;
}

void receipt_held(const struct job *job, Pb__Enforcement *ret)
{
    const struct watch_words *words = &job->watch.words;
    Pb__Enforcement *e = ret;

    *e = job->enforcement;
    e->tier = job->tier != NULL ? (char *)job->tier : e->landlock_abi > 0 ? "T2" : "T3";
    e->cpu = held_by(words->cpu);
    e->swap = held_by(words->swap);
    e->pids = held_by(words->pids);
    e->disk = held_by(words->disk);
    e->idle = held_by(words->idle);
    e->wall = "broker timer";
    e->memory = words->memory != NULL ? (char *)words->memory : memory_walls(job);
    e->output = "link credit";
    e->net = has_namespace(job, "net") ? "network namespace, filter" : "filter";
    e->fs = has_namespace(job, "mnt") ? (e->landlock_abi > 0 ? "mount namespace, Landlock" : "mount namespace")
            : e->landlock_abi > 0     ? "Landlock"
                                      : "filter";
    e->seccomp = or_empty(e->seccomp);
    e->seccomp_hash = (char *)job->seccomp_hash;
    e->seal = (char **)job->seal;
    e->namespaces = (char **)job->namespaces;
}

/* What held each limit, by name; a job that never reached a worker was held by nothing. */
static void fill_enforcement(const struct job *job, struct parts *p)
{
    Pb__Enforcement *e = &p->enforcement;

    receipt_held(job, e);
    if (job->started_us == 0) /* said by the worker after its last step, the kernel's limits */
        e->tier = e->cpu = e->wall = e->memory = e->output = e->net = e->fs = e->seccomp = e->swap = e->pids = e->disk = e->idle = "none";
    p->receipt.enforcement = e;
}

static void fill_times(const struct job *job, struct parts *p)
{
    Pb__Times *t = &p->times;

    pb__times__init(t);
    t->submitted_us = job->submitted_us;
    t->started_us = job->started_us;
    t->first_output_us = job->first_output_us;
    t->ended_us = job->ended_us;
    t->recorded_us = loop_wall_us();
    p->receipt.times = t;
}

static void fill_where(const struct job *job, struct parts *p)
{
    Pb__Where *w = &p->where;

    pb__where__init(w);
    w->broker = COOP_VERSION;
    w->worker_pid = job->worker_pid;
    w->engine_version = (char *)job->engine_version;
    w->kernel = job->broker->kernel;
    p->receipt.where = w;
}

static int fill_outputs(const struct job *job, struct parts *p)
{
    size_t count = job->outputs.count;

    p->outputs = malloc((count + 1) * sizeof(*p->outputs));
    if (p->outputs == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        p->outputs[i] = &job->outputs.files[i];
    p->receipt.outputs = p->outputs;
    p->receipt.n_outputs = count;
    p->receipt.outputs_note = or_empty(job->end.outputs_note);
    return 0;
}

static int fill_evidence(const struct job *job, struct parts *p)
{
    size_t count = job->evidence.learned_count;

    p->learned = malloc((count + 1) * sizeof(*p->learned));
    if (p->learned == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        p->learned[i] = &job->evidence.learned[i];
    p->receipt.learned = p->learned;
    p->receipt.n_learned = count;
    p->receipt.violation = job->evidence.violation;
    return 0;
}

/* Whose it is, what came before, and what it cost. */
static void fill_belonging(const struct job *job, Pb__Receipt *r)
{
    r->fault = (char *)job_fault_name(jobs_fault(job));
    r->user = or_empty(job->user);
    r->attempts = job->attempts;
    r->n_attempts = job->n_attempts;
    r->cost_charged = job->cost_charged;
    r->cost_settled = job->cost_settled;
    if (job->entry == NULL)
        return;
    r->tenant = (char *)job->entry->tenant->name;
    r->array_id = or_empty(job->array_id);
    r->array_index = job->entry->array_index;
}

int receipt_pack(const struct job *job, uint8_t **ret_bytes, size_t *ret_len)
{
    struct parts p = { 0 };
    Pb__Receipt *r = &p.receipt;
    int rc;

    pb__receipt__init(r);
    r->job = (char *)job->id;
    r->name = (char *)job->name;
    r->engine = (char *)job->engine;
    r->interp = job->interp != NULL;
    r->attempt = job->attempt;
    r->epoch = job->epoch;
    r->outcome = job->is_dead ? PB__STATE__STATE_DEAD : job_outcome(job->end.cause);
    r->cause = job->end.cause;
    r->cause_detail = (char *)job->end.detail;
    r->exit_code = job->end.exit_code;
    r->signal = job->end.signal;
    fill_error(job, &p);
    fill_streams(job, &p);
    fill_belonging(job, r);
    p.usage = job->usage;
    r->usage = &p.usage;
    p.limits = job->limits;
    r->limits_effective = &p.limits;
    fill_enforcement(job, &p);
    fill_times(job, &p);
    fill_where(job, &p);
    rc = fill_outputs(job, &p);
    if (rc == 0)
        rc = fill_evidence(job, &p);
    if (rc == 0)
        rc = frame_pack(&r->base, ret_bytes, ret_len);
    free(p.outputs);
    free(p.learned);
    return rc;
}
