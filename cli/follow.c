/* follow.c - see follow.h. */
#include "cli/follow.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/input.h"
#include "cli/json.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "frame.h"

#include <coop/exit_codes.h>

enum {
    LONG_POLL_MS = 25000,  /* the broker caps at 30 s */
    STATUS_FIRST_MS = 300, /* silence before the live line appears */
    STATUS_NEXT_MS = 1000,
    ANSWER_SLACK_MS = 30000,
    SIGPIPE_EXIT = COOP_EXIT_SIGNAL_BASE + 13,
};
#define SECOND_US   1000000ull
#define LOST_FOR_US (30 * SECOND_US)
#define GRACE_US    (2 * SECOND_US) /* after --timeout: between cancel and kill, and then until we leave */

enum stream_id { STREAM_OUT, STREAM_ERR, STREAMS };

struct stream {
    const char *name;
    int fd;
    bool show;
    bool gone;       /* nobody reads it any more */
    bool plain_file; /* writing never blocks for long */
    bool mid_line;   /* on a terminal: the last byte was not a line feed */
    uint64_t offset;
};

struct follow {
    const struct command *c;
    const struct follow_plan *plan;
    struct follow_end *end;
    struct coop_client *client;
    struct stream streams[STREAMS];
    struct input input;
    uint64_t run;
    struct coop_op *op; /* of a Logs that is under way */
    bool live_line;
    bool live_due;          /* the next answer without output draws it */
    uint64_t deadline_us;   /* of --timeout and what follows it; 0: none */
    uint64_t lost_until_us; /* 0: connected */
    int timeouts, interrupts;
    bool done;
    int code;
};

uint64_t follow_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_US + (uint64_t)t.tv_nsec / 1000;
}

int follow_ms_until(uint64_t when_us)
{
    uint64_t now = follow_now_us(), ms = when_us > now ? (when_us - now + 999) / 1000 : 0;

    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void stop(struct follow *f, int code)
{
    if (!f->done)
        f->code = code;
    f->done = true;
}

static void fail(struct follow *f, const struct coop_error *why)
{
    stop(f, say_error(f->c, why));
}

/* ---- ending the job ------------------------------------------------------------------------------------------------------------ */

/* A job that has ended meanwhile is fine. */
static void end_job(struct follow *f, bool kill)
{
    Pb__Cancel cancel = PB__CANCEL__INIT;
    Pb__Kill murder = PB__KILL__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_error why;

    cancel.id = murder.id = (char *)f->plan->id;
    req.body_case = kill ? PB__REQUEST__BODY_KILL : PB__REQUEST__BODY_CANCEL;
    if (kill)
        req.kill = &murder;
    else
        req.cancel = &cancel;
    if (say_aside(f->c, &req, PB__REPLY__BODY_SIGNAL, &why) != 0 && why.exit_code != COOP_EXIT_CONFLICT)
        say_note(f->c, "cannot %s job %s: %s", kill ? "kill" : "cancel", f->plan->id, why.message);
}

/* The job's terminal becomes as large as ours. One that has no more of it, or a broker that is away for now, is no trouble. */
static void resize(struct follow *f)
{
    Pb__ResizeTty body = PB__RESIZE_TTY__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    Pb__TtySize size = PB__TTY_SIZE__INIT;
    struct coop_error why;

    terminal_size(&size.rows, &size.columns);
    body.id = (char *)f->plan->id;
    body.size = &size;
    req.body_case = PB__REQUEST__BODY_RESIZE_TTY;
    req.resize_tty = &body;
    (void)say_aside(f->c, &req, PB__REPLY__BODY_RESIZE_TTY, &why);
}

static void on_signal(struct follow *f)
{
    int sig = signals_next(f->plan->signal_fd);

    if (sig == SIGCONT)
        (void)terminal_raw(); /* whoever stopped us, or the shell meanwhile, may have changed it */
    if (sig == SIGCONT || sig == SIGWINCH)
        resize(f);
    if (sig == 0 || sig == SIGCONT || sig == SIGWINCH)
        return;
    switch (++f->interrupts) {
    case 1:
        say_note(f->c, "cancelling job %s (Ctrl-C again kills it)", f->plan->id);
        end_job(f, false);
        break;
    case 2:
        say_note(f->c, "killing job %s", f->plan->id);
        end_job(f, true);
        break;
    default: say_note(f->c, "leaving job %s to the broker", f->plan->id); stop(f, COOP_EXIT_CANCELLED);
    }
}

/* --timeout: who only watches stops watching; who owns the job cancels it, then kills it, then leaves. */
static void on_deadline(struct follow *f)
{
    f->end->timed_out = true;
    if (!f->plan->owns_job || f->timeouts == 2) {
        struct coop_error why;

        coop_error_set(&why, ETIMEDOUT, COOP_EXIT_TIME_LIMIT, "job %s has not ended within --timeout", f->plan->id);
        fail(f, &why);
        return;
    }
    if (f->timeouts == 0)
        say_note(f->c, "cancelling job %s: --timeout is over", f->plan->id);
    end_job(f, f->timeouts == 1);
    f->timeouts++;
    f->deadline_us = follow_now_us() + GRACE_US;
}

/* ---- output -------------------------------------------------------------------------------------------------------------------- */

static void on_closed_output(struct follow *f, struct stream *s)
{
    s->gone = true;
    if (s->fd != STDOUT_FILENO)
        return; /* a closed standard error is only silence */
    f->end->broken_pipe = true;
    if (f->plan->owns_job)
        end_job(f, false);
    stop(f, SIGPIPE_EXIT);
}

static void on_write_error(struct follow *f, struct stream *s)
{
    struct coop_error why;

    if (errno == EPIPE) {
        on_closed_output(f, s);
        return;
    }
    s->gone = true;
    coop_error_set(&why, errno, COOP_EXIT_TEMPORARY, "cannot write to standard %s: %s", s->fd == STDOUT_FILENO ? "output" : "error",
                   strerror(errno));
    if (f->plan->owns_job)
        end_job(f, false);
    fail(f, &why);
}

/* Waits until fd takes bytes. Ctrl-C and --timeout work meanwhile: a pager that holds our pipe must not hold the keyboard. */
static bool wait_writable(struct follow *f, const struct stream *s)
{
    struct pollfd p[2];

    p[0] = (struct pollfd){ .fd = s->fd, .events = POLLOUT };
    p[1] = (struct pollfd){ .fd = f->plan->signal_fd, .events = POLLIN };
    while (!f->done) {
        int rc = poll(p, 2, f->deadline_us != 0 ? follow_ms_until(f->deadline_us) : -1);

        if (rc == 0)
            on_deadline(f);
        else if (rc > 0 && p[1].revents != 0)
            on_signal(f);
        else if (rc > 0 && p[0].revents != 0)
            return true;
    }
    return false;
}

/* At most PIPE_BUF at a time into what may block: a pipe that polls writable takes that much at once. */
static void put_raw(struct follow *f, struct stream *s, const uint8_t *p, size_t len)
{
    status_clear();
    while (len > 0 && !s->gone) {
        size_t some = s->plain_file || len < PIPE_BUF ? len : PIPE_BUF;
        ssize_t n;

        if (!s->plain_file && !wait_writable(f, s))
            return;
        n = write(s->fd, p, some);
        if (n >= 0) {
            s->mid_line = n > 0 ? p[n - 1] != '\n' : s->mid_line;
            p += n;
            len -= (size_t)n;
        } else if (errno != EINTR && errno != EAGAIN)
            on_write_error(f, s);
    }
}

static void put_json(struct follow *f, struct stream *s, uint64_t offset, const uint8_t *p, size_t len)
{
    if (json_print(json_log_chunk(s->name, offset, p, len)) == 0)
        return;
    errno = EPIPE;
    on_closed_output(f, &f->streams[STREAM_OUT]);
}

/* What the broker sent of one stream, from where we stand; false when it brought nothing new. */
static bool put(struct follow *f, struct stream *s, uint64_t offset, const ProtobufCBinaryData *data)
{
    uint64_t skip = s->offset > offset ? s->offset - offset : 0;

    if (data->len <= skip)
        return false;
    if (offset > s->offset)
        say_note(f->c, "%s: %llu bytes are missing here", s->name, (unsigned long long)(offset - s->offset));
    if (s->show && !s->gone && f->c->opt.json)
        put_json(f, s, offset + skip, data->data + skip, data->len - skip);
    else if (s->show && !s->gone)
        put_raw(f, s, data->data + skip, data->len - skip);
    s->offset = offset + data->len;
    return true;
}

/* ---- the log ------------------------------------------------------------------------------------------------------------------- */

static uint32_t poll_ms(const struct follow *f)
{
    if (!f->plan->to_the_end)
        return 0;
    if (!f->live_line)
        return LONG_POLL_MS;
    return f->live_due ? STATUS_NEXT_MS : STATUS_FIRST_MS;
}

static void on_lost(struct follow *f)
{
    struct coop_error why;

    if (f->lost_until_us == 0) {
        say_note(f->c, "the broker went away; reconnecting");
        f->lost_until_us = follow_now_us() + LOST_FOR_US;
    }
    if (coop_client_revive(f->client, &why) != 0)
        fail(f, &why);
}

static void ask(struct follow *f)
{
    Pb__Logs logs = PB__LOGS__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_error why;
    int rc;

    logs.id = (char *)f->plan->id;
    logs.run = f->run;
    logs.stdout_offset = f->streams[STREAM_OUT].offset;
    logs.stderr_offset = f->streams[STREAM_ERR].offset;
    logs.timeout_ms = poll_ms(f);
    logs.want_receipt = f->plan->want_receipt;
    req.body_case = PB__REQUEST__BODY_LOGS;
    req.logs = &logs;
    rc = ask_begin(f->client, &req, (logs.timeout_ms + ANSWER_SLACK_MS) * INT64_C(1000), &f->op, &why);
    if (rc == -ECONNRESET)
        on_lost(f);
    else if (rc != 0)
        fail(f, &why);
    else
        f->lost_until_us = 0;
}

/* True when this is another run of the job than the one we were reading: both streams begin again. */
static bool is_new_run(struct follow *f, uint64_t run, const Pb__JobStatus *status)
{
    bool again = run != 0 && f->run != 0 && run != f->run;

    if (run != 0)
        f->run = run;
    if (!again)
        return false;
    say_note(f->c, "the job runs again (attempt %u)", status != NULL ? status->attempt : 0);
    f->streams[STREAM_OUT].offset = f->streams[STREAM_ERR].offset = 0;
    input_rewind(&f->input);
    return true;
}

static bool may_draw(const struct follow *f)
{
    return f->live_line && !f->streams[STREAM_OUT].mid_line && !f->streams[STREAM_ERR].mid_line;
}

static void on_log(struct follow *f, const Pb__LogsReply *r)
{
    bool news;

    if (is_new_run(f, r->run, r->status) && (r->stdout_offset != 0 || r->stderr_offset != 0))
        return; /* answered for the offsets of the old one: ask again from the start */
    news = put(f, &f->streams[STREAM_OUT], r->stdout_offset, &r->stdout_data);
    news |= put(f, &f->streams[STREAM_ERR], r->stderr_offset, &r->stderr_data);
    if (r->ended || (!f->plan->to_the_end && !news)) {
        f->end->receipt = r->receipt;
        f->end->status = r->status;
        stop(f, 0);
        return;
    }
    if (f->plan->owns_job && !news && r->status != NULL && say_is_quarantined(r->status)) {
        stop(f, say_quarantined(f->c, r->status));
        return;
    }
    f->live_due = !news;
    if (!news && may_draw(f) && r->status != NULL)
        status_show(r->status);
}

static void on_reply(struct follow *f)
{
    struct frame reply;
    struct coop_error why;
    int rc;

    (void)coop_client_step(f->client);
    rc = f->op != NULL ? ask_end(&f->op, &reply, &why) : -EINPROGRESS;
    if (rc == -EINPROGRESS)
        return;
    if (rc == -ECONNRESET) {
        on_lost(f);
        return;
    }
    if (rc != 0) {
        fail(f, &why);
        return;
    }
    if (ask_check(&reply, PB__REPLY__BODY_LOGS, &why) != 0)
        fail(f, &why);
    else
        on_log(f, ((const Pb__Reply *)reply.msg)->logs);
    if (f->done && f->end->status != NULL && f->end->reply.msg == NULL)
        f->end->reply = reply; /* the caller's now: receipt and status live in it */
    else
        frame_release(&reply);
}

/* ---- the loop ------------------------------------------------------------------------------------------------------------------ */

static void on_input(struct follow *f, const struct pollfd p[2])
{
    struct coop_error why;

    switch (input_step(&f->input, p, &why)) {
    case INPUT_GOES_ON: break;
    case INPUT_CANNOT_REPEAT:
        say_note(f->c, "the job starts again but its input cannot be read twice: cancelling it");
        end_job(f, false);
        break;
    case INPUT_FAILED:
        say_note(f->c, "cancelling job %s: %s", f->plan->id, why.message);
        end_job(f, false);
        break;
    }
}

static void on_still_lost(struct follow *f)
{
    struct coop_error why;

    if (follow_now_us() < f->lost_until_us) {
        on_lost(f);
        return;
    }
    coop_error_set(&why, ECONNRESET, COOP_EXIT_TEMPORARY,
                   "the broker went away and has not come back for 30 s; what became of job %s is not known", f->plan->id);
    coop_error_hint(&why, "when it is back: coop wait %s", f->plan->id);
    fail(f, &why);
}

static int poll_timeout(const struct follow *f)
{
    return f->deadline_us != 0 ? follow_ms_until(f->deadline_us) : -1;
}

static void turn(struct follow *f)
{
    struct pollfd p[4];
    int rc;

    p[0] = (struct pollfd){ .fd = coop_client_fd(f->client), .events = POLLIN };
    p[1] = (struct pollfd){ .fd = f->plan->signal_fd, .events = POLLIN };
    input_poll(&f->input, p + 2);
    rc = poll(p, 4, poll_timeout(f));
    if (rc < 0)
        return; /* EINTR */
    if (p[1].revents != 0)
        on_signal(f);
    if (!f->done && f->deadline_us != 0 && follow_now_us() >= f->deadline_us)
        on_deadline(f);
    if (!f->done)
        on_input(f, p + 2);
    if (!f->done && p[0].revents != 0)
        on_reply(f);
    if (!f->done && f->lost_until_us != 0 && !coop_client_connected(f->client))
        on_still_lost(f);
    if (!f->done && f->op == NULL && coop_client_connected(f->client))
        ask(f);
}

static void stream_init(struct stream *s, const char *name, int fd, bool show)
{
    struct stat st;

    s->name = name;
    s->fd = fd;
    s->show = show;
    s->gone = fstat(fd, &st) != 0;
    s->plain_file = !s->gone && S_ISREG(st.st_mode);
}

int follow_job(const struct command *c, struct coop_client *client, const struct follow_plan *plan, struct follow_end *ret)
{
    struct follow f = {
        .c = c, .plan = plan, .end = ret, .client = client, .live_line = plan->to_the_end && !plan->tty && status_wanted(c)
    };
    int rc;

    memset(ret, 0, sizeof(*ret));
    stream_init(&f.streams[STREAM_OUT], "stdout", STDOUT_FILENO, plan->show_stdout);
    stream_init(&f.streams[STREAM_ERR], "stderr", STDERR_FILENO, plan->show_stderr);
    if (c->opt.timeout_us != 0)
        f.deadline_us = follow_now_us() + c->opt.timeout_us;
    rc = input_start(&f.input, c, plan->id, plan->stdin_fd);
    if (rc != 0)
        return rc;
    ask(&f);
    while (!f.done)
        turn(&f);
    coop_op_free(f.op);
    status_clear();
    input_finish(&f.input);
    return f.code;
}

void follow_end_finish(struct follow_end *e)
{
    if (e->reply.msg != NULL)
        frame_release(&e->reply);
}
