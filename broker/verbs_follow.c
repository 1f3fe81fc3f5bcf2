/* verbs_follow.c - requests that follow a job: wait, logs, its standard input. Each is answered now, or parked; see control_verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/stored.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

void verb_reply_wait(struct broker *b, struct rep_way way, Pb__JobStatus *status)
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

static bool is_quarantined(const struct job *job)
{
    return job->entry != NULL && job->state == PB__STATE__STATE_HELD && (job->entry->holds & WAITING_HELD_QUARANTINE) != 0;
}

/* It may stay so for ever: who waits for its end is to know. */
static bool is_news(const struct waiter *w)
{
    return is_quarantined(w->job) && !w->was_quarantined;
}

static int logs_have_news(const struct waiter *w)
{
    const struct job *job = w->job;

    if (is_news(w))
        return 1;

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
        if (!now && !is_news(w)) /* else only the end is news, and control_release() brings it */
            return 0;
        jobs_status(w->job, &status);
        verb_reply_wait(w->broker, w->way, &status);
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

/* all: how much it printed, by its receipt: behind that there is nothing to look for. */
static size_t read_ended_output(struct broker *b, const char *id, int stream, uint64_t offset, uint64_t all, uint8_t *buf)
{
    struct store_blob blob = { 0 };
    size_t n = 0;

    if (offset >= all)
        return 0;
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
        k.reply.stdout_data.len = read_ended_output(w->broker, s->job.id, 0, w->offset[0], s->status.stdout_bytes, k.bytes[0]);
        k.reply.stderr_data.len = read_ended_output(w->broker, s->job.id, 1, w->offset[1], s->status.stderr_bytes, k.bytes[1]);
    }
    k.reply.status = &s->status;
    k.reply.ended = w->offset[0] + k.reply.stdout_data.len >= s->status.stdout_bytes &&
                    w->offset[1] + k.reply.stderr_data.len >= s->status.stderr_bytes;
    if (k.reply.ended && w->want_receipt)
        k.reply.receipt = (Pb__Receipt *)s->receipt.msg;
    send_chunk(w->broker, w->way, &k);
}

/* f: its FINISH, which is back with status 0; NULL: it is read. */
static void answer_ended(struct waiter *w, const char *id, const struct store_finish *f)
{
    struct stored s;
    int rc = f != NULL ? stored_finished(w->broker, f, &s) : stored_read(w->broker, id, &s);

    if (rc != 0)
        control_refuse(w->broker, w->way, ER(INTERNAL), "job %s cannot be read: %s", id, strerror(-rc));
    else if (w->kind == PB__REQUEST__BODY_WAIT)
        verb_reply_wait(w->broker, w->way, &s.status);
    else if (w->kind == PB__REQUEST__BODY_LOGS)
        answer_logs_ended(w, &s);
    else
        reply_stdin(w->broker, w->way, w->offset[0], 1);
    frame_release(&s.receipt);
}

void verb_answer_ended(struct waiter *w, const struct store_finish *f)
{
    answer_ended(w, w->job->id, f);
}

/* Common to the three: parked on a live job and looked at once, or answered from the store. fill sets the waiter's own fields. */
static void answer_or_park(struct control_call *c, Pb__Request__BodyCase kind, uint32_t timeout_ms,
                           void (*fill)(struct waiter *w, const Pb__Request *q))
{
    struct job *job;
    int rc = jobs_look(&c->broker->jobs, c->id, &job);

    if (rc != 0 && rc != -ENOENT) {
        control_refuse(c->broker, c->way, ER(TEMPORARY), "job %s cannot be read now: %s", c->id, strerror(-rc));
    } else if (job == NULL) {
        struct waiter w = { .broker = c->broker, .way = c->way, .kind = kind };

        fill(&w, c->request);
        answer_ended(&w, c->id, NULL);
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
    (void)q;
    w->was_quarantined = w->job != NULL && is_quarantined(w->job);
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
    w->was_quarantined = w->job != NULL && is_quarantined(w->job);
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
    struct job *job;

    (void)jobs_look(&c->broker->jobs, c->id, &job);
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
