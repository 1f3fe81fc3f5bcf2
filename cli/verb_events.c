/* verb_events.c - what has happened, one line each: what the broker keeps, and what comes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/feed.h"
#include "cli/follow.h"
#include "cli/json.h"
#include "cli/selection.h"
#include "cli/signals.h"
#include "cli/text.h"

#include <coop/exit_codes.h>

struct printer {
    const struct command *c;
    bool one_job, ended; /* its end ends the list */
    bool failed;         /* nobody reads it any more */
    unsigned printed;
};

static void print_time(uint64_t unix_us)
{
    time_t t = (time_t)(unix_us / 1000000);
    char text[32] = "-";
    struct tm tm;

    if (localtime_r(&t, &tm) != NULL)
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    printf("%s.%03u", text, (unsigned)(unix_us % 1000000 / 1000));
}

static void print_states(const Pb__Event *e)
{
    char from[JSON_ENUM_BUF], to[JSON_ENUM_BUF], cause[JSON_ENUM_BUF];

    if (e->to == PB__STATE__STATE_NONE)
        return;
    if (e->from != PB__STATE__STATE_NONE)
        printf("  %s ->", json_enum_name(&pb__state__descriptor, (int)e->from, from));
    printf("%s%s", e->from != PB__STATE__STATE_NONE ? " " : "  ", json_enum_name(&pb__state__descriptor, (int)e->to, to));
    json_enum_name(&pb__cause__descriptor, (int)e->cause, cause);
    if (e->cause != PB__CAUSE__CAUSE_NONE && strcmp(cause, to) != 0)
        printf(" (%s)", cause);
}

static void print_words(const char *before, const char *text)
{
    char safe[1024];

    if (text[0] != '\0')
        printf("  %s%s", before, text_safe_str(safe, sizeof(safe), text));
}

static void print_line(const struct printer *p, const Pb__Event *e)
{
    print_time(e->at_us);
    print_words("", e->job);
    if (strcmp(e->kind, "state") != 0)
        print_words("", e->kind);
    print_states(e);
    print_words("", e->reason);
    if (e->attempt > 1)
        printf("  attempt %u", e->attempt);
    print_words("", e->name);
    print_words("of ", e->array_id);
    if (p->c->opt.tenant != NULL)
        print_words("tenant ", e->tenant);
    fputc('\n', stdout);
}

/* A reader that has gone is noticed with the next line. */
static int print(void *ctx, const Pb__Event *e)
{
    struct printer *p = ctx;

    if (p->c->opt.json)
        p->failed = json_print(json_document(&e->base)) != 0;
    else
        print_line(p, e);
    p->printed++;
    p->ended = p->one_job && selection_ended(e->to);
    return p->failed || p->ended;
}

static int over_by(const struct feed *f, enum feed_end end)
{
    struct coop_error why;

    switch (end) {
    case FEED_SIGNAL: (void)signals_next(f->signal_fd); return COOP_EXIT_CANCELLED;
    case FEED_DEADLINE: coop_error_set(&why, ETIMEDOUT, COOP_EXIT_TIME_LIMIT, "--timeout is over"); return say_error(f->c, &why);
    case FEED_FAILED: return f->code;
    default: return 0;
    }
}

/* What is kept, until an answer has none, and then, with -f, what comes. */
static int print_all(struct feed *f, struct printer *p)
{
    enum feed_end end = FEED_NEWS;

    while (end == FEED_NEWS || end == FEED_LOST) {
        p->printed = 0;
        end = feed_turn(f, print, p);
        if (fflush(stdout) != 0 || p->failed)
            return COOP_EXIT_SIGNAL_BASE + SIGPIPE;
        if (end == FEED_NEWS && f->missed > 0)
            say_note(p->c, "%llu older events are not kept any more", (unsigned long long)f->missed);
        if (end == FEED_NEWS && f->restarted)
            say_note(p->c, "another broker has begun; what happened under the one before is not kept");
        if (end == FEED_NEWS && p->printed == 0 && f->no_wait)
            break;
    }
    return over_by(f, end);
}

/* The whole id, and whether it has ended: then nothing more comes. One that was removed still has its events, under its whole id. */
static int find_job(const struct command *c, struct coop_client *client, char *id, bool *ret_ended)
{
    Pb__Wait body = PB__WAIT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    const Pb__WaitReply *r;
    struct coop_error why;
    struct frame reply;

    body.id = id;
    req.body_case = PB__REQUEST__BODY_WAIT;
    req.wait = &body;
    *ret_ended = true;
    if (say_try(c, client, &req, PB__REPLY__BODY_WAIT, &reply, &why) != 0)
        return why.exit_code == COOP_EXIT_NOT_FOUND && strlen(id) == ULID_LEN ? 0 : say_error(c, &why);
    r = ((const Pb__Reply *)reply.msg)->wait;
    *ret_ended = r->ended;
    if (r->status != NULL)
        snprintf(id, JOB_REF_LEN + 1, "%s", r->status->id);
    frame_release(&reply);
    return 0;
}

static int print_of(const struct command *c, struct coop_client *client, int signal_fd)
{
    struct feed f = { .signal_fd = signal_fd, .tenant = c->opt.tenant };
    struct printer p = { .c = c, .one_job = c->n_args == 1 };
    char id[JOB_REF_LEN + 1];
    bool ended = false;
    int code = 0;

    if (c->n_args == 1) {
        (void)say_id(c, c->args[0], id);
        code = find_job(c, client, id, &ended);
        f.job = id;
    }
    f.no_wait = !c->opt.follow || ended;
    if (c->opt.timeout_us != 0)
        f.deadline_us = follow_now_us() + c->opt.timeout_us;
    if (code == 0)
        code = feed_start(&f, c, client, c->opt.follow && !c->opt.since_start ? 0 : 1);
    if (code == 0)
        code = print_all(&f, &p);
    feed_finish(&f);
    return code;
}

int verb_events(const struct command *c)
{
    struct coop_client *client;
    char id[JOB_REF_LEN + 1];
    int signal_fd, code = c->n_args == 1 ? say_id(c, c->args[0], id) : 0;

    if (code == 0)
        code = say_open(c, &client);
    if (code != 0)
        return code;
    signal_fd = signals_hold(false);
    code = print_of(c, client, signal_fd);
    if (signal_fd >= 0)
        close(signal_fd);
    coop_client_close(client);
    return code;
}
