/* retention.c - see retention.h. */
#include "broker/retention.h"

#include <errno.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/spool.h"
#include "log.h"

enum { STUCK_US = 60000000 }; /* the store failed: not before then */

static void look(struct broker *b);

void retention_until(const struct tenant *t, const Pb__Retention *asked, uint64_t ended_us, uint64_t *ret_log_until_us,
                     uint64_t *ret_keep_until_us)
{
    uint64_t keep_us, log_us, keep = 0, log = 0;

    tenant_retention(t, asked, &keep_us, &log_us);
    if (keep_us != 0 && __builtin_add_overflow(ended_us, keep_us, &keep))
        keep = 0;
    if (log_us != 0 && __builtin_add_overflow(ended_us, log_us, &log))
        log = 0;
    *ret_keep_until_us = keep <= INT64_MAX ? keep : 0;
    *ret_log_until_us = log <= INT64_MAX && (keep == 0 || log < keep) ? log : 0; /* with all of it the logs go too */
}

void retention_note(struct broker *b, uint64_t log_until_us, uint64_t keep_until_us)
{
    struct wall_clock *c = &b->plans.retention.clock;

    if (log_until_us != 0 && log_until_us < c->at_us)
        wall_clock_arm(c, log_until_us);
    if (keep_until_us != 0 && keep_until_us < c->at_us)
        wall_clock_arm(c, keep_until_us);
}

void retention_look_soon(struct broker *b)
{
    wall_clock_arm(&b->plans.retention.clock, 0);
}

/* ---- what is due ---------------------------------------------------------------------------------------------------------------------------- */

static void on_gone(struct store_op *op)
{
    struct broker *b = op->owner;
    struct retention *r = &b->plans.retention;

    r->removing--;
    if (op->status != 0 && op->status != -ENOENT && op->status != -EBUSY) {
        log_event(LOG_LEVEL_ERROR, "not_removed", "job=%s error=\"%s\"", op->job, strerror(-op->status));
        r->stuck = true;
    } else if (op->status == 0) {
        log_event(LOG_LEVEL_INFO, "kept_no_longer", "job=%s what=%s", op->job, op->kind == STORE_REMOVE ? "all" : "output");
        for (int i = 0; i < SPOOL_STREAMS; i++) /* behind the commit: what the store still knows of has its file */
            spool_remove_file(b->output_dir, op->job, i);
    }
    if (r->removing == 0)
        look(b);
}

struct slice {
    struct broker *b;
    enum store_kind kind;
    int rc;
};

static int remove_one(void *ctx, const struct store_job *job)
{
    struct slice *s = ctx;
    struct store_op *op = store_op_new(s->kind, job->id);

    if (op == NULL)
        return -ENOMEM;
    op->owner = s->b;
    op->done = on_gone;
    store_push(s->b->store, op);
    s->b->plans.retention.removing++;
    return 0;
}

static int take_time(void *ctx, const struct store_job *job)
{
    uint64_t *at = ctx;

    if (job->keep_until_us != 0 && job->keep_until_us < *at)
        *at = job->keep_until_us;
    if (job->log_until_us != 0 && job->log_until_us < *at)
        *at = job->log_until_us;
    return 0;
}

/* When the next one is due: that of each kind which is due longest, whenever that is. */
static void arm(struct broker *b, uint64_t now_us)
{
    uint64_t at = UINT64_MAX;

    (void)store_each_due(b->store, true, INT64_MAX, 1, take_time, &at);
    (void)store_each_due(b->store, false, INT64_MAX, 1, take_time, &at);
    if (at <= now_us && at != UINT64_MAX) /* it could not be removed */
        at = now_us + STUCK_US;
    wall_clock_arm(&b->plans.retention.clock, at);
}

static void look(struct broker *b)
{
    struct retention *r = &b->plans.retention;
    uint64_t now_us = loop_wall_us();
    struct slice s = { .b = b, .kind = STORE_DROP_LOGS };
    int rc;

    if (!r->started || r->removing > 0)
        return;
    if (!r->stuck) {
        rc = store_each_due(b->store, true, now_us, RETENTION_SLICE, remove_one, &s);
        s.kind = STORE_REMOVE;
        if (rc == 0)
            rc = store_each_due(b->store, false, now_us, RETENTION_SLICE, remove_one, &s);
        if (rc != 0)
            log_event(LOG_LEVEL_ERROR, "retention_not_read", "error=\"%s\"", strerror(-rc));
    }
    if (r->removing == 0)
        arm(b, now_us);
}

static void on_time(void *ctx)
{
    struct broker *b = ctx;

    b->plans.retention.stuck = false;
    look(b);
}

void retention_start(struct broker *b)
{
    struct retention *r = &b->plans.retention;
    int rc = wall_clock_open(&r->clock, &b->loop, on_time, b);

    if (rc != 0)
        log_event(LOG_LEVEL_ERROR, "no_wall_clock", "lost=retention error=\"%s\"", strerror(-rc));
    r->started = true;
    look(b);
}

void retention_finish(struct broker *b)
{
    b->plans.retention.started = false;
    wall_clock_close(&b->plans.retention.clock);
}
