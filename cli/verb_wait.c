/* verb_wait.c - wait until jobs have ended: one after the other, in the order given, or at once (wait_many.h). */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/follow.h"
#include "cli/human.h"
#include "cli/json.h"
#include "cli/outcome.h"
#include "cli/progress.h"
#include "cli/selection.h"
#include "cli/signals.h"
#include "cli/wait_many.h"

#include <coop/exit_codes.h>

enum { LONG_POLL_MS = 25000, FIRST_LINE_MS = 300, NEXT_LINE_MS = 1000, SLACK_MS = 30000, LOST_FOR_MS = 30000 };

struct waiting {
    const struct command *c;
    struct coop_client *client;
    uint64_t deadline_us; /* 0: none */
    int signal_fd;        /* -1: none */
    bool interrupted;
    const char *id;
};

static int time_is_over(const struct waiting *w)
{
    struct coop_error why;

    coop_error_set(&why, ETIMEDOUT, COOP_EXIT_TIME_LIMIT, "job %s has not ended within --timeout", w->id);
    return say_error(w->c, &why);
}

/* Until the connection has something, or Ctrl-C. */
static bool is_interrupted(struct waiting *w)
{
    struct pollfd p[2];

    p[0] = (struct pollfd){ .fd = coop_client_fd(w->client), .events = POLLIN };
    p[1] = (struct pollfd){ .fd = w->signal_fd, .events = POLLIN };
    w->interrupted = poll(p, 2, -1) > 0 && p[1].revents != 0;
    return w->interrupted;
}

/* 0 when the broker is there again. Sleeps in poll(2) until the connection says so. */
static int come_back(struct waiting *w)
{
    uint64_t give_up = follow_now_us() + LOST_FOR_MS * 1000ull;
    struct coop_error why;

    say_note(w->c, "the broker went away; reconnecting");
    while (!coop_client_connected(w->client)) {
        if (w->deadline_us != 0 && follow_now_us() >= w->deadline_us)
            return time_is_over(w);
        if (follow_now_us() >= give_up) {
            coop_error_set(&why, ECONNRESET, COOP_EXIT_TEMPORARY, "the broker went away and has not come back for 30 s");
            return say_error(w->c, &why);
        }
        if (coop_client_revive(w->client, &why) != 0)
            return say_error(w->c, &why);
        if (is_interrupted(w))
            return COOP_EXIT_CANCELLED;
        (void)coop_client_step(w->client);
    }
    return 0;
}

/* The answer, or -1 to ask again, or the exit code. */
static int answer(struct waiting *w, struct coop_op **op, struct frame *ret_reply)
{
    struct coop_error why;
    int rc;

    (void)coop_client_step(w->client);
    rc = ask_end(op, ret_reply, &why);
    if (rc == -EINPROGRESS)
        return rc;
    if (rc == -ECONNRESET) {
        int code = come_back(w);
        return code == 0 ? -1 : code;
    }
    if (rc != 0)
        return say_error(w->c, &why);
    if (ask_check(ret_reply, PB__REPLY__BODY_WAIT, &why) == 0)
        return 0;
    frame_release(ret_reply);
    return say_error(w->c, &why);
}

/* Until the answer is there, or a signal. */
static int hear(struct waiting *w, struct coop_op **op, struct frame *ret_reply)
{
    for (;;) {
        int code;

        if (is_interrupted(w))
            return COOP_EXIT_CANCELLED;
        code = answer(w, op, ret_reply);
        if (code != -EINPROGRESS)
            return code;
    }
}

/* One long-poll. 0 with a reply, -1 to ask again, else the exit code. */
static int ask(struct waiting *w, int ms, struct frame *ret_reply)
{
    Pb__Wait body = PB__WAIT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_op *op = NULL;
    struct coop_error why;
    int rc, code;

    if (w->deadline_us != 0 && follow_ms_until(w->deadline_us) < ms)
        ms = follow_ms_until(w->deadline_us);
    body.id = (char *)w->id;
    body.timeout_ms = (uint32_t)ms;
    req.body_case = PB__REQUEST__BODY_WAIT;
    req.wait = &body;
    rc = ask_begin(w->client, &req, (ms + SLACK_MS) * INT64_C(1000), &op, &why);
    if (rc == -ECONNRESET) {
        code = come_back(w);
        return code == 0 ? -1 : code;
    }
    if (rc != 0)
        return say_error(w->c, &why);
    code = hear(w, &op, ret_reply);
    coop_op_free(op);
    return code;
}

/* The status lacks the signal; the receipt has it. */
int wait_code(const struct command *c, struct coop_client *client, const Pb__JobStatus *s)
{
    Pb__GetResult body = PB__GET_RESULT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct frame reply;
    int code;

    if (s->is_array && s->state == PB__STATE__STATE_FAILED) /* its tasks have causes, it has none */
        return COOP_EXIT_JOB_FAILED;
    if (s->cause != PB__CAUSE__CAUSE_SIGNAL)
        return outcome_of_wait(s->cause, s->exit_code, 0);
    body.id = s->id;
    req.body_case = PB__REQUEST__BODY_RESULT;
    req.result = &body;
    code = say_call(c, client, &req, PB__REPLY__BODY_RESULT, &reply);
    if (code != 0)
        return code;
    code = outcome_of_wait(s->cause, s->exit_code, ((const Pb__Reply *)reply.msg)->result->signal);
    frame_release(&reply);
    return code;
}

char *wait_line(const struct command *c, const Pb__JobStatus *s)
{
    char text[HUMAN_BUF], *line = NULL;
    json_t *doc;

    if (c->opt.json) {
        doc = json_document(&s->base);
        line = doc != NULL ? json_dumps(doc, JSON_ENSURE_ASCII) : NULL;
        json_decref(doc);
    } else if (!c->opt.quiet && asprintf(&line, "%s %s", s->id, human_outcome(s->state, s->cause, text)) < 0) {
        line = NULL;
    }
    return line;
}

static int tell(struct waiting *w, const Pb__JobStatus *s)
{
    char *line = wait_line(w->c, s);

    status_clear();
    if (line != NULL)
        puts(line);
    free(line);
    return wait_code(w->c, w->client, s);
}

static void show_live(const struct waiting *w, const Pb__JobStatus *s)
{
    struct progress p;

    if (s->tasks == NULL) {
        status_show(s);
    } else if (progress_wanted(w->c)) {
        p = progress_of(s->tasks);
        progress_show(&p);
    }
}

static int wait_for(struct waiting *w)
{
    bool live = status_wanted(w->c), told_held = false;
    int ms = FIRST_LINE_MS; /* it may be in quarantine already, which is no news to the broker */

    for (;;) {
        struct frame reply;
        const Pb__WaitReply *r;
        int code = ask(w, ms, &reply);

        if (code > 0)
            return code;
        if (code < 0)
            continue;
        r = ((const Pb__Reply *)reply.msg)->wait;
        if (r->ended && r->status != NULL) {
            code = tell(w, r->status);
            frame_release(&reply);
            return code;
        }
        if (r->status != NULL && say_is_quarantined(r->status)) {
            code = say_quarantined(w->c, r->status);
            frame_release(&reply);
            return code;
        }
        if (r->status != NULL)
            say_held(w->c, r->status, &told_held);
        if (live && r->status != NULL)
            show_live(w, r->status);
        frame_release(&reply);
        if (w->deadline_us != 0 && follow_now_us() >= w->deadline_us)
            return time_is_over(w);
        ms = live ? NEXT_LINE_MS : LONG_POLL_MS;
    }
}

static int wait_in_order(struct waiting *w, const struct selection *s)
{
    int first = 0;

    for (size_t i = 0; i < s->n; i++) {
        int code;

        w->id = s->ids[i];
        code = wait_for(w);
        if (code == COOP_EXIT_CANCELLED && w->interrupted)
            return code;
        first = first != 0 ? first : code;
    }
    return first;
}

/* Several are waited for by events where one that ends is to be seen at once: of the first that does, of a bar, of a state in between. */
static bool at_once(const struct command *c, const struct selection *s)
{
    return c->opt.any || c->opt.states != 0 || (s->n > 1 && progress_wanted(c));
}

static int wait_selected(const struct command *c, struct waiting *w, const struct selection *s)
{
    int code;

    w->signal_fd = signals_hold(false);
    code = at_once(c, s) ? wait_many(c, w->client, s, w->signal_fd, w->deadline_us) : wait_in_order(w, s);
    if (w->signal_fd >= 0)
        close(w->signal_fd);
    return code;
}

int verb_wait(const struct command *c)
{
    struct waiting w = { .c = c };
    struct selection s = { 0 };
    struct coop_error why;
    int code;

    if (c->opt.any && c->opt.all_of) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "--any and --all are each other's opposite");
        return say_error(c, &why);
    }
    code = selection_check(c);

    if (c->opt.timeout_us != 0)
        w.deadline_us = follow_now_us() + c->opt.timeout_us;
    if (code == 0)
        code = say_open(c, &w.client);
    if (code != 0)
        return code;
    code = selection_make(c, w.client, 0, &s); /* also those that have ended: to lose the race with a short job is no success */
    if (code == 0 && s.n == 0) {
        coop_error_set(&why, ENOENT, COOP_EXIT_NOT_FOUND, "there is no such job, so there is nothing to wait for");
        code = say_error(c, &why);
    }
    if (code == 0 && s.n > 0)
        code = wait_selected(c, &w, &s);
    status_clear();
    selection_finish(&s);
    coop_client_close(w.client);
    return code;
}
