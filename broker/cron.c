/*
 * cron.c - see cron.h: the table of entries, who is due, and the firing.
 *
 * The row says what is planned. A firing is submitted under a key made of the entry and of the planned minute, and then the row is written with
 * the next plan; a broker that dies in between leaves the plan, and the next one finds the key taken: fired.
 */
#include "broker/cron.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/cron_own.h"
#include "broker/plans_own.h"
#include "broker/stored.h"
#include "frame.h"
#include "log.h"

enum { AGAIN_US = 5000000, KEY = 64 };

/* ---- the table ---------------------------------------------------------------------------------------------------------------------------- */

struct cron *cron_new(struct broker *b, const struct store_cron *row, struct tenant *t, char why[CRON_WHY])
{
    struct cron *e = calloc(1, sizeof(*e));

    snprintf(why, CRON_WHY, "out of memory");
    if (e == NULL)
        return NULL;
    if (cron_expr_parse(row->expr, &e->expr, why) != 0 || cron_zone_parse(row->zone, &e->zone, why) != 0) {
        free(e);
        return NULL;
    }
    e->row = *row;
    e->row.spec = (struct store_blob){ 0 };
    e->tenant = t;
    e->broker = b;
    tenant_cron(t, 1);
    HASH_ADD_STR(b->plans.crons.by_id, row.id, e);
    return e;
}

void cron_unuse(struct cron *e)
{
    e->uses--;
    if (e->removed && e->uses == 0)
        free(e);
}

void cron_drop(struct cron *e)
{
    HASH_DEL(e->broker->plans.crons.by_id, e);
    tenant_cron(e->tenant, -1);
    e->removed = true;
    e->uses++;
    cron_unuse(e);
}

int cron_note(struct cron *e, void (*done)(struct store_op *op), void *owner)
{
    struct store_op *op = e->removing ? NULL : store_op_new(STORE_CRON_PUT, "");

    if (op == NULL)
        return e->removing ? -ESTALE : -ENOMEM;
    op->cron.row = e->row;
    op->owner = owner;
    op->done = done;
    store_push(e->broker->store, op);
    return 0;
}

bool cron_is_busy(struct cron *e)
{
    struct broker *b = e->broker;

    return e->row.last_job[0] != '\0' && (waiting_find(&b->jobs.table, e->row.last_job) != NULL || arrays_find(b, e->row.last_job) != NULL);
}

/* ---- a firing ----------------------------------------------------------------------------------------------------------------------------- */

int cron_submit_now(struct cron *e, const char *key,
                    void (*done)(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status), void *ctx,
                    struct jobs_refusal *no)
{
    struct jobs_order o = { .tenant = e->tenant, .user = e->row.user, .of_clock = key[0] != '\0', .done = done, .ctx = ctx };
    char id[ULID_LEN + 1];
    struct frame f;
    uint64_t tasks;
    int rc = stored_spec(e->broker, e->row.id, &f);

    *no = (struct jobs_refusal){ "its spec cannot be read", "" };
    if (rc == 0) {
        o.spec = (Pb__JobSpec *)f.msg;
        o.spec->idem_key = (char *)key;
        if (o.spec->schedule != NULL)
            o.spec->schedule->cron = o.spec->schedule->zone = (char *)protobuf_c_empty_string;
        rc = plans_submit(e->broker, &o, id, &tasks, no);
    }
    frame_release(&f);
    return rc;
}

static void plan_after(struct cron *e, uint64_t covered_us)
{
    e->row.last_us = covered_us;
    e->row.next_us = cron_expr_next(&e->expr, e->zone, covered_us);
}

/* The minutes up to covers_us are done with. Is it not written down, the next broker asks for the key of the old plan, and finds it. */
static void advance(struct cron *e, uint64_t covers_us, const char *job)
{
    if (job != NULL)
        snprintf(e->row.last_job, sizeof(e->row.last_job), "%s", job);
    plan_after(e, covers_us);
    (void)cron_note(e, NULL, NULL);
}

static void try_again(struct cron *e)
{
    e->not_before = e->broker->loop.now_us + AGAIN_US;
}

static void on_fired(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status)
{
    struct cron *e = ctx;

    (void)limits;
    e->firing = false;
    if (!e->removed && status == 0) {
        log_event(LOG_LEVEL_INFO, "cron_fired", "entry=%s job=%s planned_us=%" PRIu64 " existing=%d", e->row.id, id, e->row.next_us,
                  existing);
        advance(e, e->covers_us, id);
    } else if (!e->removed) {
        log_event(LOG_LEVEL_ERROR, "cron_not_stored", "entry=%s error=\"%s\"", e->row.id, strerror(-status));
        try_again(e);
    }
    crons_look_soon(e->broker);
    cron_unuse(e);
}

/* It was fired before, and only the note of it is missing: up to when it was submitted, which is not to be in the future. */
static bool was_fired(struct cron *e, const char *key, uint64_t now_us)
{
    struct broker *b = e->broker;
    uint8_t hash[STORE_HASH];
    uint64_t at_us = e->row.next_us, covers;
    char id[ULID_LEN + 1];
    struct store_array array;
    struct store_job job;

    if (store_find_idem(b->store, e->tenant->id, key, id, hash) != 0)
        return false;
    if (store_find(b->store, id, &job) == 0)
        at_us = job.submitted_us;
    else if (store_find_array(b->store, id, NULL, 0, &array) == 0)
        at_us = array.submitted_us;
    covers = cron_expr_last(&e->expr, e->zone, e->row.next_us - 1, at_us < now_us ? at_us : now_us);
    advance(e, covers > e->row.next_us ? covers : e->row.next_us, id);
    return true;
}

static void pass_over(struct cron *e, uint64_t covers_us, const char *why)
{
    char text[256];

    log_event(LOG_LEVEL_WARN, "cron_passed_over", "entry=%s planned_us=%" PRIu64 " why=\"%s\"", e->row.id, e->row.next_us,
              log_escape(text, sizeof(text), why, strlen(why)));
    advance(e, covers_us, NULL);
}

static void fire(struct cron *e, uint64_t now_us)
{
    uint64_t covers = cron_expr_last(&e->expr, e->zone, e->row.next_us - 1, now_us);
    struct jobs_refusal no;
    char key[KEY];
    int rc;

    if (covers < e->row.next_us)
        covers = e->row.next_us;
    snprintf(key, sizeof(key), "cron:%s:%" PRIu64, e->row.id, e->row.next_us / 1000000);
    if (was_fired(e, key, now_us))
        return;
    if (cron_is_busy(e)) {
        pass_over(e, covers, "the last one has not ended");
        return;
    }
    e->covers_us = covers;
    e->firing = true;
    e->uses++;
    rc = cron_submit_now(e, key, on_fired, e, &no);
    if (rc == 0)
        return;
    e->firing = false;
    cron_unuse(e);
    if (rc == -EBUSY || rc == -ENOMEM)
        try_again(e);
    else
        pass_over(e, covers, no.why);
}

/* ---- who is due --------------------------------------------------------------------------------------------------------------------------- */

/* The clock was put back, and by so much that the times which were planned mean nothing. */
static void believe_clock(struct cron *e, uint64_t now_us)
{
    uint64_t known = e->row.last_us > e->row.created_us ? e->row.last_us : e->row.created_us;

    if (known <= now_us + CRON_BACK_US)
        return;
    log_event(LOG_LEVEL_WARN, "cron_clock_back", "entry=%s last_us=%" PRIu64, e->row.id, e->row.last_us);
    e->row.created_us = now_us;
    plan_after(e, now_us);
    (void)cron_note(e, NULL, NULL);
}

/* Fires it when it is due. Returns the wall clock's time of its next look, UINT64_MAX: none. */
static uint64_t look_at(struct cron *e, uint64_t now_us, unsigned *left)
{
    if (!e->committed || e->row.paused || e->firing || e->removing)
        return UINT64_MAX;
    believe_clock(e, now_us);
    if (e->row.next_us != 0 && e->row.next_us <= now_us && e->not_before <= e->broker->loop.now_us && *left > 0) {
        (*left)--;
        fire(e, now_us);
    }
    if (e->firing || e->row.next_us == 0)
        return UINT64_MAX;
    return e->row.next_us;
}

static void again_at(struct broker *b, uint64_t at)
{
    struct timer *t = &b->plans.crons.again;

    if (t->place == 0 || t->at_us > at)
        timers_arm(&b->loop.timers, t, at);
}

void crons_look_soon(struct broker *b)
{
    if (b->plans.crons.started)
        again_at(b, b->loop.now_us + 1);
}

void crons_look(struct broker *b)
{
    struct crons *c = &b->plans.crons;
    uint64_t now_us = c->wall_us(), first = UINT64_MAX;
    unsigned left = CRON_SLICE;
    struct cron *e, *next;

    if (!c->started || c->looking || b->phase == BROKER_DRAINING)
        return;
    c->looking = true; /* a firing may be answered at once, and have us look again */
    HASH_ITER (hh, c->by_id, e, next) {
        uint64_t at = look_at(e, now_us, &left);

        c->looks++;
        if (at <= now_us) /* no more this turn, or not yet again */
            again_at(b, e->not_before > b->loop.now_us ? e->not_before : b->loop.now_us + 1);
        else
            first = at < first ? at : first;
    }
    c->looking = false;
    wall_clock_arm(&c->clock, first);
}

static void on_time(void *ctx)
{
    crons_look(ctx);
}

/* ---- its life ----------------------------------------------------------------------------------------------------------------------------- */

static int load_one(void *ctx, const struct store_cron *row)
{
    struct broker *b = ctx;
    struct tenant *t = tenants_of_job(&b->tenants, row->tenant);
    char why[CRON_WHY] = "its tenant is not there";
    struct cron *e = t != NULL ? cron_new(b, row, t, why) : NULL;

    if (e == NULL)
        log_event(LOG_LEVEL_ERROR, "cron_not_loaded", "entry=%s why=\"%s\"", row->id, why);
    else
        e->committed = true;
    return 0;
}

int crons_load(struct broker *b)
{
    return store_each_cron(b->store, load_one, b);
}

void crons_start(struct broker *b)
{
    struct crons *c = &b->plans.crons;
    int rc = wall_clock_open(&c->clock, &b->loop, on_time, b);

    if (rc != 0)
        log_event(LOG_LEVEL_ERROR, "no_wall_clock", "lost=cron error=\"%s\"", strerror(-rc));
    c->again = (struct timer){ .fn = on_time, .ctx = b };
    c->started = true;
    crons_look(b);
}

void crons_finish(struct broker *b)
{
    struct crons *c = &b->plans.crons;

    c->started = false;
    wall_clock_close(&c->clock);
    timers_cancel(&b->loop.timers, &c->again);
}

void crons_free(struct broker *b)
{
    struct cron *e, *next;

    HASH_ITER (hh, b->plans.crons.by_id, e, next) {
        HASH_DEL(b->plans.crons.by_id, e);
        free(e);
    }
}
