/* control_verbs.c - see control_verbs.h. */
#include "broker/control_verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/spec_check.h"
#include "coop/version.h"
#include "frame.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

/* ---- submit ---- */

/* What would be kept, without what the client has itself. */
static void reply_dry_run(struct broker *b, struct rep_way way, Pb__JobSpec *spec)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SubmitReply s = PB__SUBMIT_REPLY__INIT;

    spec_strip(spec);
    s.limits_effective = spec->limits;
    s.effective = spec;
    s.tasks = spec->schedule != NULL && spec->schedule->array != NULL ? spec_array_tasks(spec->schedule->array) : 0;
    r.body_case = PB__REPLY__BODY_SUBMIT;
    r.submit = &s;
    control_reply(b, way, &r);
}

/* The answer waits for the commit; the way back is kept in the job (submit_way). */
void verb_submit(struct control_call *c)
{
    struct broker *b = c->broker;
    Pb__JobSpec *spec = c->request->submit->spec;
    Pb__Limits defaults = PB__LIMITS__INIT;
    struct spec_room room;
    char why[SPEC_WHY];
    struct call_why no;
    uint8_t *packed;
    size_t len;
    const struct jobs_living living = { .tenant = c->actor.tenant->id, .plain = true };
    struct job *job;
    int rc;

    if (spec == NULL) {
        control_refuse(b, c->way, ER(USAGE), "a submit without a job spec");
        return;
    }
    spec_clear_own(spec);
    if (spec->limits == NULL)
        spec->limits = &defaults;
    if (b->jobs.waiting + store_pending(b->store) >= b->config.max_queued) {
        control_refuse(b, c->way, ER(QUOTA), "%u jobs are waiting already, the most this broker takes (--max-queued)",
                       b->config.max_queued);
        return;
    }
    if (templates_resolve(b, c->actor.tenant->id, spec, &no) != 0) {
        control_refuse(b, c->way, no.error == PB__CALL_ERROR__CALL_ERROR_NOT_FOUND ? ER(NOT_FOUND) : ER(USAGE), "%s", no.message);
        return;
    }
    rc = spec_check(spec, why);
    if (rc != 0) {
        control_refuse(b, c->way, rc == -EDQUOT ? ER(QUOTA) : ER(USAGE), "%s", why);
        return;
    }
    spec_fill(spec, &room);
    if (c->request->submit->dry_run) {
        reply_dry_run(b, c->way, spec);
        return;
    }
    if (frame_pack(&spec->base, &packed, &len) != 0 || (job = jobs_new_living(&b->jobs, spec, packed, len, &living)) == NULL) {
        control_refuse(b, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    job->submit_way = c->way;
    jobs_start_early(job);
}

void verb_submitted(struct broker *b, struct rep_way way, const char *id, const Pb__Limits *limits, int status)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SubmitReply s = PB__SUBMIT_REPLY__INIT;

    if (status != 0) {
        control_refuse(b, way, ER(TEMPORARY), "the job was not accepted, it could not be stored in %s: %s", b->config.state_dir,
                       strerror(-status));
        return;
    }
    s.id = (char *)id;
    s.limits_effective = (Pb__Limits *)limits;
    r.body_case = PB__REPLY__BODY_SUBMIT;
    r.submit = &s;
    control_reply(b, way, &r);
}

/* ---- what the store knows ---- */

/* A stored job as a status; its receipt, when it has one, stays decoded in f (release it). */
struct stored {
    struct store_job job;
    struct frame receipt;
    Pb__Chain chain;
    char hashes[2][2 * STORE_HASH + 1];
    Pb__JobStatus status;
};

static char *hex(const uint8_t hash[STORE_HASH], char text[2 * STORE_HASH + 1])
{
    for (size_t i = 0; i < STORE_HASH; i++)
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return text;
}

/* Its place among all receipts; a receipt that somebody put beside the chain shows none. */
static void fill_chain(struct broker *b, struct stored *s)
{
    struct store_link link;

    if (store_read_link(b->store, s->job.id, &link) != 0)
        return;
    pb__chain__init(&s->chain);
    s->chain.seq = link.seq;
    s->chain.sha256 = hex(link.hash, s->hashes[0]);
    s->chain.previous = hex(link.previous, s->hashes[1]);
    ((Pb__Receipt *)s->receipt.msg)->chain = &s->chain;
}

static void fill_numbers(Pb__JobStatus *s, const Pb__Receipt *r)
{
    s->exit_code = r->exit_code;
    if (r->usage != NULL) {
        s->elapsed_us = r->usage->wall_us;
        s->cpu_us = r->usage->cpu_user_us + r->usage->cpu_sys_us;
        s->mem_bytes = r->usage->mem_peak_bytes;
    }
    s->stdout_bytes = r->stdout != NULL ? r->stdout->bytes : 0;
    s->stderr_bytes = r->stderr != NULL ? r->stderr->bytes : 0;
}

static void fill_from_receipt(Pb__JobStatus *s, const Pb__Receipt *r)
{
    fill_numbers(s, r);
    s->cause_detail = r->cause_detail; /* lives in the receipt */
}

static void fill_from_store(Pb__JobStatus *s, const struct store_job *job)
{
    pb__job_status__init(s);
    s->id = (char *)job->id;
    s->name = (char *)job->name;
    s->engine = (char *)job->engine;
    s->state = job->state;
    s->cause = job->cause;
    s->attempt = job->attempt;
    s->submitted_us = job->submitted_us;
    s->interp = job->lives != STORE_LIVES_NOT;
}

static int read_stored(struct broker *b, const char *id, struct stored *ret)
{
    struct store_blob blob = { 0 };
    int rc = store_find(b->store, id, &ret->job);

    memset(&ret->receipt, 0, sizeof(ret->receipt));
    if (rc != 0)
        return rc;
    fill_from_store(&ret->status, &ret->job);
    rc = store_read_receipt(b->store, id, &blob);
    if (rc == 0)
        rc = frame_decode(&ret->receipt, &pb__receipt__descriptor, blob.bytes, blob.len, FRAME_MAX_CONTROL);
    free(blob.bytes);
    if (rc == 0) {
        fill_from_receipt(&ret->status, (const Pb__Receipt *)ret->receipt.msg);
        fill_chain(b, ret);
    }
    return rc == -ENOENT ? 0 : rc;
}

static void refuse_store(struct control_call *c, int rc)
{
    control_refuse(c->broker, c->way, rc == -ENOENT ? ER(NOT_FOUND) : ER(INTERNAL), "job %s cannot be read: %s", c->id, strerror(-rc));
}

/* ---- wait, logs, stdin: now, or parked ---- */

static void reply_wait(struct broker *b, struct rep_way way, Pb__JobStatus *status)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__WaitReply w = PB__WAIT_REPLY__INIT;

    w.status = status;
    w.ended = job_is_terminal(status->state);
    r.body_case = PB__REPLY__BODY_WAIT;
    r.wait = &w;
    control_reply(b, way, &r);
}

static void reply_stdin(struct broker *b, struct rep_way way, uint64_t taken, int closed)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__StdinReply s = PB__STDIN_REPLY__INIT;

    s.offset = taken;
    s.closed = closed;
    r.body_case = PB__REPLY__BODY_STDIN_WRITE;
    r.stdin_write = &s;
    control_reply(b, way, &r);
}

/* One reply of output; the bytes are malloc'd here and freed after packing. */
struct chunk {
    Pb__LogsReply reply;
    uint8_t *bytes[2];
};

static void send_chunk(struct broker *b, struct rep_way way, struct chunk *k)
{
    Pb__Reply r = PB__REPLY__INIT;

    k->reply.stdout_data.data = k->bytes[0];
    k->reply.stderr_data.data = k->bytes[1];
    r.body_case = PB__REPLY__BODY_LOGS;
    r.logs = &k->reply;
    control_reply(b, way, &r);
    free(k->bytes[0]);
    free(k->bytes[1]);
}

static int start_chunk(struct chunk *k, const struct waiter *w, uint64_t run)
{
    memset(k, 0, sizeof(*k));
    pb__logs_reply__init(&k->reply);
    k->reply.run = run;
    k->reply.stdout_offset = w->offset[0];
    k->reply.stderr_offset = w->offset[1];
    k->bytes[0] = malloc(CONTROL_CHUNK);
    k->bytes[1] = malloc(CONTROL_CHUNK);
    return k->bytes[0] != NULL && k->bytes[1] != NULL ? 0 : -ENOMEM;
}

/* Another run than the asked one: its output begins at 0. */
static void settle_offsets(struct waiter *w, uint64_t run)
{
    if (w->run != 0 && w->run != run)
        w->offset[0] = w->offset[1] = 0;
}

static int logs_have_news(const struct waiter *w)
{
    const struct job *job = w->job;

    if (w->run != 0 && w->run != job->epoch)
        return 1;
    if (w->known_state != PB__STATE__STATE_NONE && w->known_state != job->state)
        return 1;
    return job->spools[0].len > w->offset[0] || job->spools[1].len > w->offset[1];
}

static void answer_logs(struct waiter *w)
{
    struct job *job = w->job;
    Pb__JobStatus status;
    struct chunk k;

    settle_offsets(w, job->epoch);
    if (start_chunk(&k, w, job->epoch) == 0) {
        spool_read(&job->spools[0], w->offset[0], k.bytes[0], CONTROL_CHUNK, &k.reply.stdout_data.len);
        spool_read(&job->spools[1], w->offset[1], k.bytes[1], CONTROL_CHUNK, &k.reply.stderr_data.len);
    }
    jobs_status(job, &status);
    k.reply.status = &status;
    send_chunk(w->broker, w->way, &k);
}

/* Takes what the job has room for. Returns 1 when the client can be answered: some was taken, or all, or it is no use. */
static int take_stdin(struct waiter *w)
{
    struct job *job = w->job;
    uint64_t done, taken = job->input.taken;

    if (job->end.cause != PB__CAUSE__CAUSE_NONE || job->input.eof || w->offset[0] > taken)
        return 1;
    done = taken - w->offset[0]; /* a repeated request: the first bytes are here already */
    if (done > w->len)
        return 1;
    if (done < w->len && job->input.len == JOB_STDIN_BUFFER)
        return 0;
    jobs_stdin_put(job, w->bytes + done, w->len - done, w->eof);
    return 1;
}

static int stdin_closed(const struct job *job)
{
    return job->end.cause != PB__CAUSE__CAUSE_NONE || job->input.eof;
}

int verb_answer(struct waiter *w, int now)
{
    Pb__JobStatus status;

    switch (w->kind) {
    case PB__REQUEST__BODY_WAIT:
        if (!now) /* only the end is news, and control_release() brings it */
            return 0;
        jobs_status(w->job, &status);
        reply_wait(w->broker, w->way, &status);
        break;
    case PB__REQUEST__BODY_LOGS:
        if (!now && !logs_have_news(w))
            return 0;
        answer_logs(w);
        break;
    default:
        /* feed() inside take_stdin() wakes this job's waiters, this one too: it must not be taken twice */
        if (w->busy)
            return 0;
        w->busy = 1;
        if (!take_stdin(w) && !now) {
            w->busy = 0;
            return 0;
        }
        reply_stdin(w->broker, w->way, w->job->input.taken, stdin_closed(w->job));
    }
    return 1;
}

static size_t read_ended_output(struct broker *b, const char *id, int stream, uint64_t offset, uint8_t *buf)
{
    struct store_blob blob = { 0 };
    size_t n = 0;

    if (spool_read_file(b->output_dir, id, stream, offset, buf, CONTROL_CHUNK, &n) == 0)
        return n;
    if (store_read_output(b->store, id, stream, offset, CONTROL_CHUNK, &blob) == 0 && blob.len <= CONTROL_CHUNK) {
        n = blob.len;
        if (n > 0)
            memcpy(buf, blob.bytes, n);
    }
    free(blob.bytes);
    return n;
}

static void answer_logs_ended(struct waiter *w, struct stored *s)
{
    struct chunk k;

    settle_offsets(w, s->job.epoch);
    if (start_chunk(&k, w, s->job.epoch) == 0) {
        k.reply.stdout_data.len = read_ended_output(w->broker, s->job.id, 0, w->offset[0], k.bytes[0]);
        k.reply.stderr_data.len = read_ended_output(w->broker, s->job.id, 1, w->offset[1], k.bytes[1]);
    }
    k.reply.status = &s->status;
    k.reply.ended = w->offset[0] + k.reply.stdout_data.len >= s->status.stdout_bytes &&
                    w->offset[1] + k.reply.stderr_data.len >= s->status.stderr_bytes;
    if (k.reply.ended && w->want_receipt)
        k.reply.receipt = (Pb__Receipt *)s->receipt.msg;
    send_chunk(w->broker, w->way, &k);
}

static void answer_ended(struct waiter *w, const char *id)
{
    struct stored s;
    int rc = read_stored(w->broker, id, &s);

    if (rc != 0)
        control_refuse(w->broker, w->way, ER(INTERNAL), "job %s cannot be read: %s", id, strerror(-rc));
    else if (w->kind == PB__REQUEST__BODY_WAIT)
        reply_wait(w->broker, w->way, &s.status);
    else if (w->kind == PB__REQUEST__BODY_LOGS)
        answer_logs_ended(w, &s);
    else
        reply_stdin(w->broker, w->way, w->offset[0], 1);
    frame_release(&s.receipt);
}

void verb_answer_ended(struct waiter *w)
{
    answer_ended(w, w->job->id);
}

/* Common to the three: parked on a live job and looked at once, or answered from the store. fill sets the waiter's own fields. */
static void answer_or_park(struct control_call *c, Pb__Request__BodyCase kind, uint32_t timeout_ms,
                           void (*fill)(struct waiter *w, const Pb__Request *q))
{
    struct job *job = jobs_find(&c->broker->jobs, c->id);

    if (job == NULL) {
        struct waiter w = { .broker = c->broker, .way = c->way, .kind = kind };

        fill(&w, c->request);
        answer_ended(&w, c->id);
        free(w.bytes);
    } else {
        struct waiter *w = control_park(c->broker, job, c->way, kind, timeout_ms);

        if (w == NULL)
            return;
        fill(w, c->request);
        control_wake(job);
    }
}

static void fill_wait(struct waiter *w, const Pb__Request *q)
{
    (void)w;
    (void)q;
}

void verb_wait(struct control_call *c)
{
    answer_or_park(c, PB__REQUEST__BODY_WAIT, c->request->wait->timeout_ms, fill_wait);
}

static void fill_logs(struct waiter *w, const Pb__Request *q)
{
    w->run = q->logs->run;
    w->offset[0] = q->logs->stdout_offset;
    w->offset[1] = q->logs->stderr_offset;
    w->known_state = q->logs->known_state;
    w->want_receipt = q->logs->want_receipt;
}

void verb_logs(struct control_call *c)
{
    answer_or_park(c, PB__REQUEST__BODY_LOGS, c->request->logs->timeout_ms, fill_logs);
}

static void fill_stdin(struct waiter *w, const Pb__Request *q)
{
    const Pb__StdinWrite *s = q->stdin_write;

    w->offset[0] = s->offset;
    w->eof = s->eof;
    w->bytes = malloc(s->data.len > 0 ? s->data.len : 1);
    if (w->bytes == NULL)
        return; /* len stays 0: nothing is taken, and the answer says so */
    w->len = s->data.len;
    if (w->len > 0)
        memcpy(w->bytes, s->data.data, w->len);
}

void verb_stdin_write(struct control_call *c)
{
    struct job *job = jobs_find(&c->broker->jobs, c->id);

    if (job != NULL && job->stdin_mode != PB__STDIN_MODE__STDIN_MODE_STREAM) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "job %s does not take a stream on its standard input", c->id);
        return;
    }
    if (c->request->stdin_write->data.len > JOB_STDIN_BUFFER) {
        control_refuse(c->broker, c->way, ER(USAGE), "a stdin_write carries at most %u bytes", JOB_STDIN_BUFFER);
        return;
    }
    answer_or_park(c, PB__REQUEST__BODY_STDIN_WRITE, CONTROL_WAIT_MS, fill_stdin);
}

/* ---- at once ---- */

void verb_result(struct control_call *c)
{
    Pb__Reply r = PB__REPLY__INIT;
    struct stored s;
    int rc;

    if (jobs_find(&c->broker->jobs, c->id) != NULL) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "job %s has not ended; wait for it first (coop wait)", c->id);
        return;
    }
    rc = read_stored(c->broker, c->id, &s);
    if (rc != 0 || s.receipt.msg == NULL) {
        refuse_store(c, rc != 0 ? rc : -ENOENT);
        return;
    }
    r.body_case = PB__REPLY__BODY_RESULT;
    r.result = (Pb__Receipt *)s.receipt.msg;
    control_reply(c->broker, c->way, &r);
    frame_release(&s.receipt);
}

static void strip_bytes(Pb__JobSpec *spec)
{
    spec->source.len = 0;
    spec->stdin_data.len = 0;
    for (size_t i = 0; i < spec->n_modules; i++)
        spec->modules[i]->source.len = 0;
}

void verb_show(struct control_call *c)
{
    struct job *job = jobs_find(&c->broker->jobs, c->id);
    Pb__Reply r = PB__REPLY__INIT;
    Pb__ShowReply show = PB__SHOW_REPLY__INIT;
    struct store_blob blob = { 0 };
    Pb__JobStatus live;
    struct frame spec = { 0 };
    struct stored s;
    int rc = read_stored(c->broker, c->id, &s);
    bool unstored = rc == -ENOENT && job != NULL && job->spec != NULL; /* an interpreter begins before it is committed */

    if (unstored)
        rc = frame_decode(&spec, &pb__job_spec__descriptor, job->spec, job->spec_len, FRAME_MAX_CONTROL);
    else if (rc == 0)
        rc = store_read_spec(c->broker->store, c->id, &blob);
    if (rc == 0 && !unstored)
        rc = frame_decode(&spec, &pb__job_spec__descriptor, blob.bytes, blob.len, FRAME_MAX_CONTROL);
    free(blob.bytes);
    if (rc != 0) {
        refuse_store(c, rc);
        frame_release(&s.receipt);
        return;
    }
    show.status = &s.status;
    if (job != NULL) {
        jobs_status(job, &live);
        show.status = &live;
    }
    show.spec = (Pb__JobSpec *)spec.msg;
    strip_bytes(show.spec);
    show.receipt = (Pb__Receipt *)s.receipt.msg;
    r.body_case = PB__REPLY__BODY_SHOW;
    r.show = &show;
    control_reply(c->broker, c->way, &r);
    frame_release(&spec);
    frame_release(&s.receipt);
}

enum { LS_DEFAULT = 50, LS_MAX = 1000 };

/* How an ended job ended, in numbers. One that cannot be read shows none: the list is still of use. */
static void fill_ended(struct broker *b, Pb__JobStatus *ret)
{
    struct store_blob blob = { 0 };
    struct frame receipt;

    if (store_read_receipt(b->store, ret->id, &blob) != 0)
        return;
    if (frame_decode(&receipt, &pb__receipt__descriptor, blob.bytes, blob.len, FRAME_MAX_CONTROL) == 0) {
        fill_numbers(ret, (const Pb__Receipt *)receipt.msg);
        frame_release(&receipt);
    }
    free(blob.bytes);
}

/* The store's word for a job, and where the job is alive, its own. */
static void fill_ls_row(struct broker *b, const struct store_job *row, Pb__JobStatus *ret)
{
    const struct job *job = jobs_find(&b->jobs, row->id);

    fill_from_store(ret, row);
    if (job != NULL)
        jobs_status(job, ret);
    else if (job_is_terminal(ret->state))
        fill_ended(b, ret);
    ret->id = (char *)row->id;
}

/* Live states are not in the store; a filter for any of them asks it for all unfinished jobs, and the live state decides. */
static uint32_t stored_states(uint32_t states)
{
    uint32_t live = (1u << PB__STATE__STATE_SUCCEEDED) - 1;

    return (states & live) != 0 ? states | live : states;
}

static bool is_unstored(const struct job *job)
{
    return job != NULL && job->interp != NULL && !job->interp->stored;
}

/* Interpreters begin before they are committed: the newest of all, for some milliseconds. Newest first, as the rest. */
static int list_unstored(struct broker *b, const char *before, uint32_t states, int max, struct store_job *rows, Pb__JobStatus *ret)
{
    struct UT_hash_table *all = b->jobs.by_id != NULL ? b->jobs.by_id->hh.tbl : NULL;
    struct job *job = all != NULL ? ELMT_FROM_HH(all, all->tail) : NULL;
    unsigned left = b->interps.unstored;
    int n = 0;

    for (; job != NULL && left > 0 && n < max; job = job->hh.prev) {
        if (!is_unstored(job))
            continue;
        left--;
        if (before[0] != '\0' && strcmp(job->id, before) >= 0)
            continue;
        jobs_status(job, &ret[n]);
        memcpy(rows[n].id, job->id, sizeof(rows[n].id));
        n += states == 0 || (states & 1u << ret[n].state) != 0;
    }
    return n;
}

static int read_ls(struct broker *b, const Pb__Ls *q, uint32_t states, int max, struct store_job *rows, Pb__JobStatus *ret)
{
    char before[ULID_LEN + 1] = "";
    struct store_filter filter = { .states = stored_states(states) };
    int n = 0, got;

    if (q->before[0] != '\0' && (ulid_normalize(q->before, before) != 0 || strlen(before) != ULID_LEN))
        return -EINVAL;
    n = list_unstored(b, before, states, max, rows, ret);
    if (n == max)
        return n;
    do { /* a filtered row leaves room for an older one */
        filter.before = before[0] != '\0' ? before : NULL;
        got = store_list(b->store, &filter, rows + n, max - n);
        if (got < 0)
            return got;
        if (got > 0)
            memcpy(before, rows[n + got - 1].id, sizeof(before));
        for (int i = n, end = n + got; i < end; i++) {
            struct store_job row = rows[i];

            rows[n] = row;
            fill_ls_row(b, &rows[n], &ret[n]);
            n += (states == 0 || (states & 1u << ret[n].state) != 0) && !is_unstored(jobs_find(&b->jobs, row.id));
        }
    } while (got > 0 && n < max);
    return n;
}

static uint32_t state_set(const Pb__Ls *q)
{
    uint32_t set = 0;

    for (size_t i = 0; i < q->n_states; i++)
        if ((unsigned)q->states[i] < 32)
            set |= 1u << q->states[i];
    return set;
}

void verb_ls(struct control_call *c)
{
    const Pb__Ls *q = c->request->ls;
    int max = q->limit == 0 ? LS_DEFAULT : q->limit > LS_MAX ? LS_MAX : (int)q->limit, n;
    struct store_job *rows = calloc((size_t)max + 1, sizeof(*rows));
    Pb__JobStatus *list = calloc((size_t)max + 1, sizeof(*list)), **pointers = calloc((size_t)max + 1, sizeof(Pb__JobStatus *));
    Pb__Reply r = PB__REPLY__INIT;
    Pb__LsReply ls = PB__LS_REPLY__INIT;

    n = rows != NULL && list != NULL && pointers != NULL ? read_ls(c->broker, q, state_set(q), max + 1, rows, list) : -ENOMEM;
    if (n < 0) {
        control_refuse(c->broker, c->way, n == -EINVAL ? ER(USAGE) : ER(INTERNAL), "the jobs cannot be listed: %s", strerror(-n));
    } else {
        ls.more = n > max;
        ls.n_jobs = (size_t)(n > max ? max : n);
        for (size_t i = 0; i < ls.n_jobs; i++)
            pointers[i] = &list[i];
        ls.jobs = pointers;
        r.body_case = PB__REPLY__BODY_LS;
        r.ls = &ls;
        control_reply(c->broker, c->way, &r);
    }
    free(rows);
    free(list);
    free(pointers);
}

/* Cancel and kill: act, then say how the job stands. */
static void act_on_job(struct control_call *c, void (*act)(struct job *job))
{
    struct job *job = jobs_find(&c->broker->jobs, c->id);
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SignalReply s = PB__SIGNAL_REPLY__INIT;
    Pb__JobStatus status;

    if (job == NULL) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "job %s has already ended", c->id);
        return;
    }
    act(job); /* the job may go on to FINISHING, but stays in the table until its receipt is committed */
    jobs_status(job, &status);
    s.status = &status;
    r.body_case = PB__REPLY__BODY_SIGNAL;
    r.signal = &s;
    control_reply(c->broker, c->way, &r);
}

void verb_cancel(struct control_call *c)
{
    act_on_job(c, jobs_cancel);
}

void verb_kill(struct control_call *c)
{
    act_on_job(c, jobs_kill);
}

void verb_resize_tty(struct control_call *c)
{
    struct job *job = jobs_find(&c->broker->jobs, c->id);
    const Pb__TtySize *size = c->request->resize_tty->size;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__ResizeReply done = PB__RESIZE_REPLY__INIT;
    int rc;

    if (size == NULL || size->rows == 0 || size->columns == 0 || size->rows > LIMITS_TTY || size->columns > LIMITS_TTY) {
        control_refuse(c->broker, c->way, ER(USAGE), "a terminal has 1 to %d rows and columns", LIMITS_TTY);
        return;
    }
    rc = job != NULL ? jobs_resize_tty(job, size->rows, size->columns) : -ESRCH;
    if (rc != 0) {
        control_refuse(c->broker, c->way, rc == -EAGAIN ? ER(TEMPORARY) : ER(CONFLICT), "job %s %s", c->id,
                       rc == -ESRCH    ? "has ended"
                       : rc == -EAGAIN ? "does not listen at the moment"
                                       : "has no terminal");
        return;
    }
    r.body_case = PB__REPLY__BODY_RESIZE_TTY;
    r.resize_tty = &done;
    control_reply(c->broker, c->way, &r);
}

void verb_version(struct control_call *c)
{
    struct broker *b = c->broker;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__VersionReply v = PB__VERSION_REPLY__INIT;

    v.version = COOP_VERSION;
    v.protocol = COOP_PROTOCOL;
    v.pid = (uint32_t)getpid();
    v.state_dir = b->config.state_dir;
    v.kernel = b->kernel;
    v.workers_idle = b->pool.idle;
    v.workers_busy = b->pool.busy;
    v.jobs_waiting = b->jobs.waiting;
    v.n_engines = ENGINE_COUNT;
    v.engines = (char **)engine_names;
    r.body_case = PB__REPLY__BODY_VERSION;
    r.version = &v;
    control_reply(b, c->way, &r);
}
