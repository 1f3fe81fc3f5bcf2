/* verb_wait.c - wait until jobs have ended, in the order given. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "cli/follow.h"
#include "cli/human.h"
#include "cli/json.h"
#include "cli/outcome.h"
#include "ulid.h"

#include <coop/exit_codes.h>

enum { LONG_POLL_MS = 25000, FIRST_LINE_MS = 300, NEXT_LINE_MS = 1000, SLACK_MS = 30000, LOST_FOR_MS = 30000 };

struct waiting {
    const struct command *c;
    struct coop_client *client;
    uint64_t deadline_us; /* 0: none */
    const char *id;
};

static int time_is_over(const struct waiting *w)
{
    struct coop_error why;

    coop_error_set(&why, ETIMEDOUT, COOP_EXIT_TIME_LIMIT, "job %s has not ended within --timeout", w->id);
    return say_error(w->c, &why);
}

/* 0 when the broker is there again. Sleeps in poll(2) until the connection says so. */
static int come_back(const struct waiting *w)
{
    uint64_t give_up = follow_now_us() + LOST_FOR_MS * 1000ull;
    struct coop_error why;

    say_note(w->c, "the broker went away; reconnecting");
    while (!coop_client_connected(w->client)) {
        struct pollfd p = { .fd = coop_client_fd(w->client), .events = POLLIN };

        if (w->deadline_us != 0 && follow_now_us() >= w->deadline_us)
            return time_is_over(w);
        if (follow_now_us() >= give_up) {
            coop_error_set(&why, ECONNRESET, COOP_EXIT_TEMPORARY, "the broker went away and has not come back for 30 s");
            return say_error(w->c, &why);
        }
        if (coop_client_revive(w->client, &why) != 0)
            return say_error(w->c, &why);
        if (poll(&p, 1, -1) > 0)
            (void)coop_client_step(w->client);
    }
    return 0;
}

/* One long-poll. 0 with a reply, -1 to ask again, else the exit code. */
static int ask(const struct waiting *w, int ms, struct frame *ret_reply)
{
    Pb__Wait body = PB__WAIT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_error why;
    int rc;

    if (w->deadline_us != 0 && follow_ms_until(w->deadline_us) < ms)
        ms = follow_ms_until(w->deadline_us);
    body.id = (char *)w->id;
    body.timeout_ms = (uint32_t)ms;
    req.body_case = PB__REQUEST__BODY_WAIT;
    req.wait = &body;
    rc = ask_broker(w->client, &req, (ms + SLACK_MS) * INT64_C(1000), ret_reply, &why);
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

/* The status lacks the signal; the receipt has it. */
static int exit_code_of(const struct waiting *w, const Pb__JobStatus *s)
{
    Pb__GetResult body = PB__GET_RESULT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct frame reply;
    int code;

    if (s->cause != PB__CAUSE__CAUSE_SIGNAL)
        return outcome_of_wait(s->cause, s->exit_code, 0);
    body.id = s->id;
    req.body_case = PB__REQUEST__BODY_RESULT;
    req.result = &body;
    code = say_call(w->c, w->client, &req, PB__REPLY__BODY_RESULT, &reply);
    if (code != 0)
        return code;
    code = outcome_of_wait(s->cause, s->exit_code, ((const Pb__Reply *)reply.msg)->result->signal);
    frame_release(&reply);
    return code;
}

static int tell(const struct waiting *w, const Pb__JobStatus *s)
{
    char text[HUMAN_BUF];

    status_clear();
    if (w->c->opt.json)
        json_print(json_document(&s->base));
    else if (!w->c->opt.quiet)
        printf("%s %s\n", s->id, human_outcome(s->state, s->cause, text));
    return exit_code_of(w, s);
}

static int wait_for(const struct waiting *w)
{
    bool live = status_wanted(w->c);
    int ms = live ? FIRST_LINE_MS : LONG_POLL_MS;

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
        if (live && r->status != NULL)
            status_show(r->status);
        frame_release(&reply);
        if (w->deadline_us != 0 && follow_now_us() >= w->deadline_us)
            return time_is_over(w);
        ms = live ? NEXT_LINE_MS : LONG_POLL_MS;
    }
}

int verb_wait(const struct command *c)
{
    struct waiting w = { .c = c };
    char id[JOB_REF_LEN + 1];
    int first = 0, code;

    for (int i = 0; i < c->n_args; i++)
        if ((code = say_id(c, c->args[i], id)) != 0)
            return code;
    if (c->opt.timeout_us != 0)
        w.deadline_us = follow_now_us() + c->opt.timeout_us;
    code = say_open(c, &w.client);
    if (code != 0)
        return code;
    for (int i = 0; i < c->n_args; i++) {
        ulid_normalize(c->args[i], id);
        w.id = id;
        code = wait_for(&w);
        if (first == 0)
            first = code;
    }
    coop_client_close(w.client);
    return first;
}
