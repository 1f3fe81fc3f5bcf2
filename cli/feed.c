/* feed.c - see feed.h. */
#include "cli/feed.h"

#include <errno.h>
#include <poll.h>

#include "cli/follow.h"

#include <coop/exit_codes.h>

enum { LONG_POLL_MS = 25000, SLACK_MS = 30000 }; /* the broker caps at 30 s */
#define LOST_FOR_US UINT64_C(30000000)

static void fill(const struct feed *f, Pb__GetEvents *body, Pb__Request *req)
{
    pb__get_events__init(body);
    pb__request__init(req);
    body->seq = f->seq;
    body->timeout_ms = f->no_wait || f->seq == 0 ? 0 : LONG_POLL_MS;
    if (f->job != NULL)
        body->job = (char *)f->job;
    if (f->tenant != NULL)
        body->tenant = (char *)f->tenant;
    req->body_case = PB__REQUEST__BODY_EVENTS;
    req->events = body;
}

int feed_start(struct feed *f, const struct command *c, struct coop_client *client, uint64_t seq)
{
    Pb__GetEvents body;
    Pb__Request req;
    struct frame reply;
    int code;

    f->c = c;
    f->client = client;
    f->seq = seq;
    if (seq != 0)
        return 0;
    fill(f, &body, &req);
    code = say_call(c, client, &req, PB__REPLY__BODY_EVENTS, &reply);
    if (code != 0)
        return code;
    f->seq = ((const Pb__Reply *)reply.msg)->events->seq;
    frame_release(&reply);
    return 0;
}

void feed_finish(struct feed *f)
{
    coop_op_free(f->op);
    f->op = NULL;
}

static enum feed_end fail(struct feed *f, const struct coop_error *why)
{
    f->code = say_error(f->c, why);
    return FEED_FAILED;
}

/* true: *ret_end says what for. */
static bool still_away(struct feed *f, enum feed_end *ret_end)
{
    struct coop_error why;

    *ret_end = FEED_FAILED;
    if (follow_now_us() >= f->lost_until_us) {
        coop_error_set(&why, ECONNRESET, COOP_EXIT_TEMPORARY, "the broker went away and has not come back for 30 s");
        fail(f, &why);
        return true;
    }
    if (coop_client_revive(f->client, &why) == 0)
        return false;
    fail(f, &why);
    return true;
}

static bool on_lost(struct feed *f, enum feed_end *ret_end)
{
    feed_finish(f);
    say_note(f->c, "the broker went away; reconnecting");
    f->lost_until_us = follow_now_us() + LOST_FOR_US;
    return still_away(f, ret_end);
}

/* From where it was: another broker knows the number of the one before. */
static bool is_back(struct feed *f, enum feed_end *ret_end)
{
    f->lost_until_us = 0;
    *ret_end = FEED_LOST;
    return true;
}

static bool ask(struct feed *f, enum feed_end *ret_end)
{
    Pb__GetEvents body;
    Pb__Request req;
    struct coop_error why;
    int rc;

    fill(f, &body, &req);
    rc = ask_begin(f->client, &req, (LONG_POLL_MS + SLACK_MS) * INT64_C(1000), &f->op, &why);
    if (rc == -ECONNRESET)
        return on_lost(f, ret_end);
    if (rc != 0)
        *ret_end = fail(f, &why);
    return rc != 0;
}

static enum feed_end deliver(struct feed *f, const Pb__EventsReply *r, feed_fn *fn, void *ctx)
{
    enum feed_end end = FEED_NEWS;

    f->missed = r->missed;
    f->restarted = r->restarted;
    f->seq = r->seq;
    for (size_t i = 0; i < r->n_events && end == FEED_NEWS; i++)
        if (fn(ctx, r->events[i]) != 0)
            end = FEED_STOPPED;
    return end;
}

/* An answer, or something else on the connection. */
static bool on_readable(struct feed *f, feed_fn *fn, void *ctx, enum feed_end *ret_end)
{
    struct frame reply;
    struct coop_error why;
    int rc;

    (void)coop_client_step(f->client);
    if (f->lost_until_us != 0)
        return coop_client_connected(f->client) ? is_back(f, ret_end) : still_away(f, ret_end);
    rc = ask_end(&f->op, &reply, &why);
    if (rc == -EINPROGRESS)
        return false;
    if (rc == -ECONNRESET)
        return on_lost(f, ret_end);
    if (rc == 0 && ask_check(&reply, PB__REPLY__BODY_EVENTS, &why) == 0)
        *ret_end = deliver(f, ((const Pb__Reply *)reply.msg)->events, fn, ctx);
    else
        *ret_end = fail(f, &why);
    if (rc == 0)
        frame_release(&reply);
    return true;
}

enum feed_end feed_turn(struct feed *f, feed_fn *fn, void *ctx)
{
    enum feed_end end;

    for (;;) {
        struct pollfd p[2];
        int rc;

        if (f->op == NULL && f->lost_until_us == 0 && ask(f, &end))
            return end;
        p[0] = (struct pollfd){ .fd = coop_client_fd(f->client), .events = POLLIN };
        p[1] = (struct pollfd){ .fd = f->signal_fd, .events = POLLIN };
        rc = poll(p, 2, f->deadline_us != 0 ? follow_ms_until(f->deadline_us) : -1);
        if (rc > 0 && p[1].revents != 0)
            return FEED_SIGNAL;
        if (rc > 0 && p[0].revents != 0 && on_readable(f, fn, ctx, &end))
            return end;
        if (f->deadline_us != 0 && follow_now_us() >= f->deadline_us)
            return FEED_DEADLINE;
    }
}
