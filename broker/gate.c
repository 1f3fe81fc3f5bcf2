/* gate.c - see gate.h. */
#include "broker/gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/interps.h"
#include "broker/templates.h"
#include "frame.h"
#include "log.h"

#define IN(phase) GATE_IN(phase)
#define WITH_JOB  (IN(WORKER_BUSY))
#define WARM      (IN(WORKER_WARM))
enum { LOG_TEXT_MAX = 1024, ERROR_TEXT_MAX = 64 << 10, STDIN_WANT_MAX = 1 << 20, NOTE_MAX = 4096 };
enum { SIGNAL_MAX = 64, NOT_EXECUTABLE = 126, NOT_FOUND = 127, FILTER_HASH = 32 };

static int fits(const char *text, size_t max)
{
    return strlen(text) <= max;
}

/* Seal steps are named by our own code, like no_new_privs; their names go into logs, receipts and messages for people. */
static int names_a_step(const char *text, size_t max)
{
    return *text != '\0' && fits(text, max) && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static int runs_programs(const struct worker *w)
{
    return w->crew->engine->runs_programs;
}

/* ---- meaning: looks only at the body and at what is fixed about this worker ---- */

static int check_hello(const struct worker *w, const Pb__FromWorker *m)
{
    const Pb__Hello *h = m->hello;

    if (h->token.len != ZYGOTE_TOKEN || memcmp(h->token.data, w->token, ZYGOTE_TOKEN) != 0)
        return -EPROTO;
    if (h->n_seal == 0 || h->n_seal > WORKER_SEAL_MAX || h->uid != w->uid_said)
        return -EPROTO;
    for (size_t i = 0; i < h->n_seal; i++)
        if (!names_a_step(h->seal[i], 63))
            return -EPROTO;
    return w->failed_step[0] == '\0' ? 0 : -EPROTO; /* it says hello or seal_failed, not both */
}

static int check_seal_failed(const struct worker *w, const Pb__FromWorker *m)
{
    const Pb__SealFailed *s = m->seal_failed;

    /* with a job the worker has proved itself already */
    if (w->phase == WORKER_BOOT && (s->token.len != ZYGOTE_TOKEN || memcmp(s->token.data, w->token, ZYGOTE_TOKEN) != 0))
        return -EPROTO;
    if (w->phase == WORKER_BOOT && w->hello)
        return -EPROTO;
    return names_a_step(s->step, sizeof(w->failed_step) - 1) ? 0 : -EPROTO;
}

static int check_started(const struct worker *w, const Pb__FromWorker *m)
{
    const Pb__Started *s = m->started;

    if (!runs_programs(w))
        return s->filter_hash.len != 0 || s->filter_len != 0 || s->unnamed_violations ? -EPROTO : 0;
    if (s->filter_hash.len == 0)
        return s->filter_len == 0 ? 0 : -EPROTO;
    return s->filter_hash.len == FILTER_HASH ? 0 : -EPROTO;
}

static int check_output(const struct worker *w, const Pb__FromWorker *m)
{
    const Pb__Output *o = m->output;
    int stream = o->stream == PB__STREAM__STREAM_STDERR;

    if (o->stream != PB__STREAM__STREAM_STDOUT && o->stream != PB__STREAM__STREAM_STDERR)
        return -EPROTO;
    if (o->data.len == 0) /* a flood of nothing */
        return -EPROTO;
    /* past the credit that Assign gave */
    return o->data.len <= w->job->spools[stream].cap - w->job->spools[stream].len ? 0 : -EPROTO;
}

static int check_stdin_want(const struct worker *w, const Pb__FromWorker *m)
{
    const struct job_stdin *in = &w->job->input;

    if (m->stdin_want->max == 0 || m->stdin_want->max > STDIN_WANT_MAX)
        return -EPROTO;
    return in->wanted || in->told_eof ? -EPROTO : 0;
}

/* What only the worker of a program may say of its end. */
static int check_program_end(const struct worker *w, const Pb__Result *r)
{
    int signaled = r->kind == PB__RESULT_KIND__RESULT_KIND_SIGNAL, cannot_run = r->kind == PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN;

    if (!runs_programs(w))
        return signaled || cannot_run || r->signal != 0 || r->outputs_note[0] != '\0' || r->disk_full || r->inodes_full ? -EPROTO : 0;
    if (signaled ? r->signal < 1 || r->signal > SIGNAL_MAX : r->signal != 0)
        return -EPROTO;
    if (cannot_run && r->exit_code != NOT_EXECUTABLE && r->exit_code != NOT_FOUND)
        return -EPROTO;
    if (cannot_run && (r->error == NULL || r->error->message[0] == '\0')) /* it has to name what is missing */
        return -EPROTO;
    if (w->job->outputs.name != NULL || (r->outputs_note[0] != '\0' && !w->job->collects))
        return -EPROTO; /* a file has begun and not ended; nobody asked for files */
    return fits(r->outputs_note, NOTE_MAX) ? 0 : -EPROTO;
}

static int check_result(const struct worker *w, const Pb__FromWorker *m)
{
    const Pb__Result *r = m->result;

    if (r->kind <= PB__RESULT_KIND__RESULT_KIND_NONE || r->kind > PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN || check_program_end(w, r) != 0)
        return -EPROTO;
    if (r->exit_code < 0 || r->exit_code > 255)
        return -EPROTO;
    if (r->kind == PB__RESULT_KIND__RESULT_KIND_CANCELLED && !w->job->cancelling)
        return -EPROTO; /* nobody asked it to */
    if (r->error == NULL)
        return 0;
    return fits(r->error->type, 255) && fits(r->error->message, ERROR_TEXT_MAX) && fits(r->error->traceback, ERROR_TEXT_MAX) ? 0 : -EPROTO;
}

static int check_violation(const struct worker *w, const Pb__FromWorker *m)
{
    (void)w;
    return evidence_check_violation(m->violation);
}

static int check_collected(const struct worker *w, const Pb__FromWorker *m)
{
    return runs_programs(w) && w->job->collects ? outputs_check(&w->job->outputs, m->collected) : -EPROTO;
}

static int check_learned(const struct worker *w, const Pb__FromWorker *m)
{
    return runs_programs(w) && w->job->learn ? evidence_check_learned(m->learned) : -EPROTO;
}

/* What it means is looked up in a table of its own (calls.h). */
static int check_ask(const struct worker *w, const Pb__FromWorker *m)
{
    (void)w;
    return m->ask->number != 0 && m->ask->body_case != PB__ASK__BODY__NOT_SET ? 0 : -EPROTO;
}

static int check_call_done(const struct worker *w, const Pb__FromWorker *m)
{
    return interps_check_done(w, m->call_done);
}

static int check_log(const struct worker *w, const Pb__FromWorker *m)
{
    (void)w;
    return fits(m->log->text, LOG_TEXT_MAX) ? 0 : -EPROTO;
}

static int check_listener(const struct worker *w, const Pb__FromWorker *m)
{
    const Pb__Listener *l = m->listener;

    if (w->role != WORKER_TEMPLATE || w->hello || l->token.len != ZYGOTE_TOKEN || memcmp(l->token.data, w->token, ZYGOTE_TOKEN) != 0)
        return -EPROTO;
    return 0;
}

static int check_warm(const struct worker *w, const Pb__FromWorker *m)
{
    (void)m;
    return w->role == WORKER_TEMPLATE && w->job->end.cause == PB__CAUSE__CAUSE_NONE ? 0 : -EPROTO;
}

/* Only of the order that is under way. */
static int check_fork_failed(const struct worker *w, const Pb__FromWorker *m)
{
    const struct worker *child = w->of->forking;

    return child != NULL && child->id == m->fork_failed->worker && !child->hello && m->fork_failed->error != 0 &&
                   m->fork_failed->error <= INT32_MAX
               ? 0
               : -EPROTO;
}

/* ---- action ---- */

static int apply_hello(struct worker *w, const Pb__FromWorker *m)
{
    const Pb__Hello *h = m->hello;

    for (size_t i = 0; i < h->n_seal; i++) {
        w->seal[i] = strdup(h->seal[i]);
        if (w->seal[i] == NULL)
            return -ENOMEM;
        w->seal_count++;
    }
    w->landlock_abi = h->landlock_abi;
    if (w->role == WORKER_FORKED)
        template_on_hello(w);
    if (w->phase == WORKER_BOOT)
        pool_on_hello(w);
    return 0;
}

static int apply_seal_failed(struct worker *w, const Pb__FromWorker *m)
{
    snprintf(w->failed_step, sizeof(w->failed_step), "%s", m->seal_failed->step);
    w->failed_error = m->seal_failed->error;
    if (w->job != NULL)
        jobs_decide(w->job, PB__CAUSE__CAUSE_START_FAILED, "seal step %s failed: %s (errno %u)", w->failed_step,
                    strerror((int)w->failed_error), w->failed_error);
    return 0; /* its exit is what the pool acts on */
}

static int apply_started(struct worker *w, const Pb__FromWorker *m)
{
    pool_set_phase(w, WORKER_BUSY);
    jobs_on_started(w->job, m->started);
    return 0;
}

static int apply_output(struct worker *w, const Pb__FromWorker *m)
{
    jobs_on_output(w->job, m->output->stream == PB__STREAM__STREAM_STDERR, m->output->data.data, m->output->data.len);
    return 0;
}

static int apply_stdin_want(struct worker *w, const Pb__FromWorker *m)
{
    jobs_on_stdin_want(w->job, m->stdin_want->max);
    return 0;
}

static int apply_result(struct worker *w, const Pb__FromWorker *m)
{
    jobs_on_result(w->job, m->result);
    return 0;
}

static int apply_violation(struct worker *w, const Pb__FromWorker *m)
{
    jobs_on_violation(w->job, m->violation);
    return 0;
}

static int apply_collected(struct worker *w, const Pb__FromWorker *m)
{
    jobs_on_collected(w->job, m->collected);
    return 0;
}

static int apply_learned(struct worker *w, const Pb__FromWorker *m)
{
    jobs_on_learned(w->job, m->learned);
    return 0;
}

static int apply_log(struct worker *w, const Pb__FromWorker *m)
{
    char text[256];

    log_escape(text, sizeof(text), m->log->text, strlen(m->log->text));
    log_event(LOG_LEVEL_INFO, "worker_says", "worker=%llu text=\"%s\"", (unsigned long long)w->id, text);
    return 0;
}

static int apply_ask(struct worker *w, const Pb__FromWorker *m)
{
    return asks_receive(&w->asker, (struct rep_way){ 0 }, m->ask, -1);
}

static int apply_call_done(struct worker *w, const Pb__FromWorker *m)
{
    return interps_on_done(w, m->call_done);
}

static int apply_listener(struct worker *w, const Pb__FromWorker *m)
{
    (void)m;
    return template_listen(w->of, link_take_fd(&w->link));
}

static int apply_warm(struct worker *w, const Pb__FromWorker *m)
{
    (void)m;
    pool_set_phase(w, WORKER_WARM);
    template_on_warm(w->of);
    return 0;
}

static int apply_fork_failed(struct worker *w, const Pb__FromWorker *m)
{
    template_fork_refused(w->of, (int)m->fork_failed->error);
    return 0;
}

/* clang-format off */
const struct gate_rule gate_rules[] = {
    /* message                                    name           legal in           at most  meaning checked     acted on */
    [PB__FROM_WORKER__BODY_HELLO]       = { "hello",       IN(WORKER_BOOT),     1,  check_hello,        apply_hello },
    [PB__FROM_WORKER__BODY_SEAL_FAILED] = { "seal_failed", IN(WORKER_BOOT) | IN(WORKER_ASSIGNED), 1, check_seal_failed,  apply_seal_failed },
    [PB__FROM_WORKER__BODY_STARTED]     = { "started",     IN(WORKER_ASSIGNED), 1,  check_started,      apply_started },
    [PB__FROM_WORKER__BODY_OUTPUT]      = { "output",      WITH_JOB,            0,  check_output,       apply_output },
    [PB__FROM_WORKER__BODY_STDIN_WANT]  = { "stdin_want",  WITH_JOB,            0,  check_stdin_want,   apply_stdin_want },
    [PB__FROM_WORKER__BODY_RESULT]      = { "result",      WITH_JOB,            1,  check_result,       apply_result },
    [PB__FROM_WORKER__BODY_VIOLATION]   = { "violation",   WITH_JOB | WARM,     1,  check_violation,    apply_violation },
    [PB__FROM_WORKER__BODY_LOG]         = { "log",         WITH_JOB,            64, check_log,          apply_log },
    [PB__FROM_WORKER__BODY_COLLECTED]   = { "collected",   WITH_JOB,            0,  check_collected,    apply_collected },
    [PB__FROM_WORKER__BODY_LEARNED]     = { "learned",     WITH_JOB, EVIDENCE_ROWS, check_learned,      apply_learned },
    [PB__FROM_WORKER__BODY_ASK]         = { "ask",         WITH_JOB,            0,  check_ask,          apply_ask },
    [PB__FROM_WORKER__BODY_CALL_DONE]   = { "call_done",   WITH_JOB,            0,  check_call_done,    apply_call_done },
    [PB__FROM_WORKER__BODY_LISTENER]    = { "listener",    IN(WORKER_BOOT),     1,  check_listener,     apply_listener },
    [PB__FROM_WORKER__BODY_WARM]        = { "warm",        WITH_JOB,            1,  check_warm,         apply_warm },
    [PB__FROM_WORKER__BODY_FORK_FAILED] = { "fork_failed", WARM,                0,  check_fork_failed,  apply_fork_failed },
};
/* clang-format on */
const size_t gate_rules_count = sizeof(gate_rules) / sizeof(gate_rules[0]);

/* clang-format off */
const struct gate_say_rule gate_say_rules[] = {
    /* message                                 name          legal in         at most */
    [PB__TO_WORKER__BODY_ASSIGN]     = { "assign",     IN(WORKER_ASSIGNED), 1 },
    [PB__TO_WORKER__BODY_STDIN_DATA] = { "stdin_data", WITH_JOB,            0 },
    [PB__TO_WORKER__BODY_TTY_SIZE]   = { "tty_size",   WITH_JOB,            0 },
    [PB__TO_WORKER__BODY_ANSWER]     = { "answer",     WITH_JOB,            0 },
    [PB__TO_WORKER__BODY_CALL]       = { "call",       WITH_JOB,            0 },
    [PB__TO_WORKER__BODY_FORK]       = { "fork",       WARM,                0 },
};
/* clang-format on */
const size_t gate_say_rules_count = sizeof(gate_say_rules) / sizeof(gate_say_rules[0]);

int gate_refuse(struct worker *w, const char *name, const char *why)
{
    log_event(LOG_LEVEL_WARN, "refused", "worker=%llu job=%s msg=%s phase=%d why=\"%s\"", (unsigned long long)w->id,
              w->job != NULL ? w->job->id : "-", name, (int)w->phase, why);
    if (w->job != NULL)
        jobs_decide(w->job, PB__CAUSE__CAUSE_BAD_RESULT, "the worker sent a message that is refused (%s): %s", name, why);
    if (w->role == WORKER_FORKED && w->job == NULL) { /* a worker that no job has been given to: whoever made it made it lie */
        char text[128];

        snprintf(text, sizeof(text), "its child sent a message that is refused (%s): %s", name, why);
        template_child_failed(w->of, w, text);
        template_broke(w->of, "%s", text);
        return -EPROTO;
    }
    if (w->phase == WORKER_BOOT && w->failed_step[0] == '\0') { /* the next one will hardly do better: not made at once */
        snprintf(w->failed_step, sizeof(w->failed_step), "hello");
        w->failed_error = EPROTO;
    }
    pool_kill(w);
    return -EPROTO;
}

int gate_deliver(struct worker *w, const Pb__FromWorker *m)
{
    const struct gate_rule *r;
    int rc;

    if (w->phase == WORKER_ENDING)
        return 0; /* its end is decided: nothing it says counts */
    if ((unsigned)m->body_case >= gate_rules_count || gate_rules[m->body_case].apply == NULL)
        return gate_refuse(w, "?", "unknown message");
    r = &gate_rules[m->body_case];
    if ((r->phases & IN(w->phase)) == 0)
        return gate_refuse(w, r->name, "not allowed in this phase");
    if (r->max_times != 0 && ++w->seen[m->body_case] > r->max_times)
        return gate_refuse(w, r->name, "sent too often");
    if (r->check(w, m) != 0)
        return gate_refuse(w, r->name, "body makes no sense");
    rc = r->apply(w, m);
    return rc == 0 ? 0 : gate_refuse(w, r->name, strerror(-rc));
}

int gate_receive(struct worker *w, const void *bytes, size_t len)
{
    struct frame f;
    int rc;

    if (w->phase == WORKER_ENDING)
        return 0;
    w->msgs_in++;
    rc = frame_decode(&f, &pb__from_worker__descriptor, bytes, len, FRAME_MAX_LINK);
    if (rc != 0)
        return gate_refuse(w, "?", rc == -E2BIG ? "would need too much memory" : "not a message");
    rc = gate_deliver(w, (const Pb__FromWorker *)f.msg);
    frame_release(&f);
    return rc;
}

/* Whether this may be said now, and is not said too often. */
static bool may_say(const struct worker *w, const Pb__ToWorker *m)
{
    const struct gate_say_rule *r;

    if ((unsigned)m->body_case >= gate_say_rules_count)
        return false;
    r = &gate_say_rules[m->body_case];
    return r->name != NULL && (r->phases & IN(w->phase)) != 0 && (r->max_times == 0 || w->told[m->body_case] < r->max_times);
}

static int say(struct worker *w, const Pb__ToWorker *m, int fd, size_t max)
{
    int rc = may_say(w, m) ? link_send_fd(&w->link, &m->base, fd, max) : -EPROTO;

    if (rc == 0) {
        w->told[m->body_case]++;
        w->msgs_out++;
    }
    return rc;
}

int gate_say(struct worker *w, const Pb__ToWorker *m)
{
    return say(w, m, -1, LINK_OUT_MAX);
}

int gate_answer(struct worker *w, const Pb__ToWorker *m, int fd)
{
    return say(w, m, fd, LINK_ANSWERS_MAX);
}
