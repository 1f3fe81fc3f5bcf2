/* watch.c - see watch.h. */
#include "cli/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/follow.h"
#include "cli/screen.h"

#include <coop/exit_codes.h>

enum { ANSWER_S = 30 };
#define SECOND_US UINT64_C(1000000)

struct picture {
    const struct command *c;
    struct coop_client *client;
    const struct watch *w;
    struct coop_op *op;
    struct coop_error why; /* with failed */
    bool failed;
    char *text; /* the last one */
    uint64_t next_us, deadline_us;
};

static void fail(struct picture *p, const struct coop_error *why)
{
    p->why = *why;
    p->failed = true;
}

static void show(struct picture *p, const char *note)
{
    char *all = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&all, &len);

    if (out == NULL)
        return;
    fprintf(out, "%s%s", note, p->text != NULL ? p->text : "");
    if (fclose(out) == 0)
        screen_show(all);
    free(all);
}

/* Also the broker of a restart is asked again. */
static void on_lost(struct picture *p)
{
    struct coop_error why;

    show(p, "the broker went away; reconnecting\n");
    if (coop_client_revive(p->client, &why) != 0)
        fail(p, &why);
}

static void ask(struct picture *p)
{
    struct coop_error why;
    int rc;

    if (!coop_client_connected(p->client)) {
        on_lost(p);
        return;
    }
    rc = ask_begin(p->client, p->w->request, ANSWER_S * (int64_t)SECOND_US, &p->op, &why);
    if (rc == -ECONNRESET)
        on_lost(p);
    else if (rc != 0)
        fail(p, &why);
}

static void draw(struct picture *p, const Pb__Reply *r)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return;
    p->w->draw(out, p->w->ctx, r);
    if (fclose(out) != 0)
        return;
    free(p->text);
    p->text = text;
    show(p, "");
}

static void on_answer(struct picture *p)
{
    struct frame reply;
    struct coop_error why;
    int rc;

    (void)coop_client_step(p->client);
    rc = p->op != NULL ? ask_end(&p->op, &reply, &why) : -EINPROGRESS;
    if (rc == -EINPROGRESS)
        return;
    if (rc == -ECONNRESET) {
        on_lost(p);
        return;
    }
    if (rc != 0) {
        fail(p, &why);
        return;
    }
    if (ask_check(&reply, p->w->wanted, &why) != 0)
        fail(p, &why);
    else
        draw(p, (const Pb__Reply *)reply.msg);
    frame_release(&reply);
}

/* false: enough. */
static bool turn(struct picture *p)
{
    uint64_t now = follow_now_us(), until;

    if (p->deadline_us != 0 && now >= p->deadline_us) {
        coop_error_set(&p->why, ETIMEDOUT, COOP_EXIT_TIME_LIMIT, "--timeout is over");
        p->failed = true;
        return false;
    }
    if (p->op == NULL && now >= p->next_us) {
        p->next_us = now + SECOND_US;
        ask(p);
    }
    until = p->op != NULL ? now + ANSWER_S * SECOND_US : p->next_us;
    if (p->deadline_us != 0 && until > p->deadline_us)
        until = p->deadline_us;
    switch (screen_wait(coop_client_fd(p->client), until)) {
    case SCREEN_QUIT: return false;
    case SCREEN_REDRAW: show(p, ""); break;
    case SCREEN_READY: on_answer(p); break;
    case SCREEN_TIME: break;
    }
    return !p->failed;
}

int watch_run(const struct command *c, struct coop_client *client, const struct watch *w)
{
    struct picture p = { .c = c, .client = client, .w = w };
    struct coop_error why;
    int rc = screen_open();

    if (rc != 0) {
        screen_close();
        coop_error_set(&why, -rc, COOP_EXIT_PLATFORM, "the terminal: %s", strerror(-rc));
        return say_error(c, &why);
    }
    if (c->opt.timeout_us != 0)
        p.deadline_us = follow_now_us() + c->opt.timeout_us;
    while (turn(&p))
        ;
    screen_close();
    coop_op_free(p.op);
    free(p.text);
    return p.failed ? say_error(c, &p.why) : 0;
}
