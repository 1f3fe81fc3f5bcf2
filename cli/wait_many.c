/* wait_many.c - see wait_many.h. */
#include "cli/wait_many.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/feed.h"
#include "cli/progress.h"
#include "cli/signals.h"

#include <coop/exit_codes.h>

struct awaited {
    char id[JOB_REF_LEN + 1]; /* the whole one, once the broker has said it */
    bool due;                 /* something has happened to it: look */
    bool reached;             /* it has been in a state that was asked for, perhaps only for a moment */
    bool done;
    bool told_held;
    bool otherwise; /* it has ended, and was never in a state that was asked for */
    char *line;     /* to be printed when those before it are */
    int code;
};

struct waits {
    const struct command *c;
    struct coop_client *client;
    struct awaited *items;
    size_t *order; /* places in items, by id */
    size_t n, n_done, n_failed, n_told;
    struct feed feed;
    int code; /* the first that is not 0, in the order given */
};

/* ---- which of them an event means ---------------------------------------------------------------------------------------------------- */

static const struct awaited *sorting;

static int by_id(const void *a, const void *b)
{
    return strcmp(sorting[*(const size_t *)a].id, sorting[*(const size_t *)b].id);
}

static void sort(struct waits *w)
{
    for (size_t i = 0; i < w->n; i++)
        w->order[i] = i;
    sorting = w->items;
    qsort(w->order, w->n, sizeof(*w->order), by_id);
}

/* All with this id: it may have been given twice. */
static void mark(struct waits *w, const char *id, bool reached)
{
    size_t low = 0, high = w->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(w->items[w->order[middle]].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < w->n && strcmp(w->items[w->order[low]].id, id) == 0; low++) {
        w->items[w->order[low]].due = true;
        w->items[w->order[low]].reached |= reached;
    }
}

static bool is_wanted(const struct waits *w, Pb__State s)
{
    return (w->c->opt.states >> s & 1) != 0;
}

/* A state that was asked for may be over before anybody looks. An array is told of by its tasks. */
static int on_event(void *ctx, const Pb__Event *e)
{
    struct waits *w = ctx;

    if (is_wanted(w, e->to) || selection_ended(e->to) || strcmp(e->reason, "QUARANTINE") == 0)
        mark(w, e->job, is_wanted(w, e->to));
    if (e->array_id[0] != '\0')
        mark(w, e->array_id, false);
    return 0;
}

/* ---- how they stand ------------------------------------------------------------------------------------------------------------------ */

static int code_of(struct waits *w, const struct awaited *a, const Pb__JobStatus *s)
{
    if (a->reached)
        return 0;
    return w->c->opt.states == 0 ? wait_code(w->c, w->client, s) : COOP_EXIT_CONFLICT;
}

static void finish(struct waits *w, struct awaited *a, int code)
{
    a->done = true;
    a->code = code;
    w->n_done++;
    w->n_failed += code != 0;
}

static void judge(struct waits *w, struct awaited *a, const Pb__WaitReply *r)
{
    const Pb__JobStatus *s = r->status;

    a->due = false;
    if (s == NULL)
        return;
    snprintf(a->id, sizeof(a->id), "%s", s->id);
    a->reached |= is_wanted(w, s->state);
    if (!a->reached && say_is_quarantined(s)) {
        finish(w, a, say_quarantined(w->c, s));
        return;
    }
    if (!a->reached && !r->ended) {
        say_held(w->c, s, &a->told_held);
        return;
    }
    a->line = wait_line(w->c, s);
    a->otherwise = !a->reached && w->c->opt.states != 0;
    finish(w, a, code_of(w, a, s));
}

/* What is wrong with one of them does not end the waiting for the others. */
static void look(struct waits *w, struct awaited *a)
{
    Pb__Wait body = PB__WAIT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct frame reply;
    int code;

    body.id = a->id;
    req.body_case = PB__REQUEST__BODY_WAIT;
    req.wait = &body;
    code = say_call(w->c, w->client, &req, PB__REPLY__BODY_WAIT, &reply);
    if (code != 0) {
        finish(w, a, code);
        return;
    }
    judge(w, a, ((const Pb__Reply *)reply.msg)->wait);
    frame_release(&reply);
}

static void look_at(struct waits *w, bool all)
{
    for (size_t i = 0; i < w->n; i++)
        if (!w->items[i].done && (all || w->items[i].due))
            look(w, &w->items[i]);
}

/* ---- what is said -------------------------------------------------------------------------------------------------------------------- */

static void tell(struct waits *w, struct awaited *a)
{
    struct coop_error why;

    if (a->line != NULL) {
        status_clear();
        puts(a->line);
    }
    if (a->otherwise) {
        coop_error_set(&why, EBUSY, COOP_EXIT_CONFLICT, "job %s has ended otherwise", a->id);
        (void)say_error(w->c, &why);
    }
    if (w->code == 0)
        w->code = a->code;
}

/* The first of them for --any; else in the order given, as far as all before are done. Then the bar. */
static void tell_all(struct waits *w)
{
    for (size_t i = 0; w->c->opt.any && i < w->n; i++)
        if (w->items[i].done) {
            tell(w, &w->items[i]);
            break;
        }
    for (; !w->c->opt.any && w->n_told < w->n && w->items[w->n_told].done; w->n_told++)
        tell(w, &w->items[w->n_told]);
    fflush(stdout);
    if (progress_wanted(w->c) && w->n > 1 && !w->c->opt.any)
        progress_show(&(struct progress){ .all = w->n, .ended = w->n_done, .failed = w->n_failed });
}

static bool is_over(const struct waits *w)
{
    return w->n_done == w->n || (w->c->opt.any && w->n_done > 0);
}

static int not_in_time(const struct waits *w)
{
    struct coop_error why;

    coop_error_set(&why, ETIMEDOUT, COOP_EXIT_TIME_LIMIT, "%zu of %zu jobs have not %s within --timeout", w->n - w->n_done, w->n,
                   w->c->opt.states == 0 ? "ended" : "come so far");
    return say_error(w->c, &why);
}

/* Events are asked for from before the first look on, so that nothing falls between. */
static int wait_all(struct waits *w)
{
    int code = feed_start(&w->feed, w->c, w->client, 0);

    if (code != 0)
        return code;
    look_at(w, true);
    sort(w);
    for (;;) {
        tell_all(w);
        if (is_over(w))
            return w->code;
        switch (feed_turn(&w->feed, on_event, w)) {
        case FEED_SIGNAL: (void)signals_next(w->feed.signal_fd); return COOP_EXIT_CANCELLED;
        case FEED_DEADLINE: return not_in_time(w);
        case FEED_FAILED: return w->feed.code;
        case FEED_LOST: look_at(w, true); break;
        case FEED_NEWS:
        case FEED_STOPPED: look_at(w, w->feed.missed > 0); break;
        }
    }
}

int wait_many(const struct command *c, struct coop_client *client, const struct selection *s, int signal_fd, uint64_t deadline_us)
{
    struct waits w = { .c = c, .client = client, .n = s->n };
    struct coop_error why;
    int code;

    w.items = calloc(s->n + 1, sizeof(*w.items));
    w.order = calloc(s->n + 1, sizeof(*w.order));
    w.feed = (struct feed){ .signal_fd = signal_fd, .deadline_us = deadline_us, .tenant = "*" };
    if (w.items == NULL || w.order == NULL) {
        coop_error_set(&why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
        code = say_error(c, &why);
    } else {
        for (size_t i = 0; i < s->n; i++)
            memcpy(w.items[i].id, s->ids[i], sizeof(w.items[i].id));
        code = wait_all(&w);
    }
    status_clear();
    feed_finish(&w.feed);
    for (size_t i = 0; w.items != NULL && i < s->n; i++)
        free(w.items[i].line);
    free(w.items);
    free(w.order);
    return code;
}
