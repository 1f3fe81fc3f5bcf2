/*
 * store_plans.c - arrays that end, dependencies, cron entries, limiters; see store.h.
 *
 * Side:    broker. The functions that take an op run on the writer thread, inside its transaction; the rest is the main thread's.
 */
#include "store_sqlite.h"

#include <errno.h>
#include <string.h>

#include "when.h"

/* ---- the writer ---------------------------------------------------------------------------------------------------------------------- */

/* Runs what has to find its row. */
static int run_found(struct store *s, struct store_op *op, enum write_sql which, const struct binder *b)
{
    int changed = 0, err = store_run_with(s, which, b, &changed);

    if (err == 0 && changed == 0)
        op->status = -ENOENT;
    return err;
}

int store_array_end(struct store *s, struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_ARRAY_END]);

    store_put_text(&b, op->job);
    store_put_num(&b, (uint64_t)now_us);
    store_put_num(&b, op->array_end.succeeded);
    store_put_num(&b, op->array_end.failed);
    store_put_num(&b, op->array_end.cancelled);
    return run_found(s, op, W_ARRAY_END, &b);
}

int store_put_dep(struct store *s, const char *job, const struct store_dep *d, int *ret_status)
{
    struct binder b = store_binder(s->w[W_DEP_ADD]);
    int64_t known = 0;
    int changed = 0, err;
    bool there;

    (void)sqlite3_bind_text(s->w[W_DEP_KNOWN], 1, d->on, -1, SQLITE_STATIC);
    err = store_ask(s, W_DEP_KNOWN, &known, 1, &there);
    if (err == 0 && known == 0)
        *ret_status = -ENOENT;
    if (err != 0 || known == 0)
        return err;
    store_put_text(&b, job);
    store_put_text(&b, d->on);
    store_put_num(&b, d->after);
    err = store_run_with(s, W_DEP_ADD, &b, &changed);
    if (err == 0 && changed == 0)
        *ret_status = -EEXIST;
    return err;
}

int store_dep_add(struct store *s, struct store_op *op, int64_t now_us)
{
    (void)now_us;
    return store_put_dep(s, op->job, &op->dep, &op->status);
}

static int change_dep(struct store *s, struct store_op *op, enum write_sql which)
{
    struct binder b = store_binder(s->w[which]);

    store_put_text(&b, op->job);
    store_put_text(&b, op->dep.on);
    return run_found(s, op, which, &b);
}

int store_dep_met(struct store *s, struct store_op *op, int64_t now_us)
{
    (void)now_us;
    return change_dep(s, op, W_DEP_MET);
}

int store_dep_drop(struct store *s, struct store_op *op, int64_t now_us)
{
    (void)now_us;
    return change_dep(s, op, W_DEP_DROP);
}

static int put_cron(struct store *s, const struct store_cron *c)
{
    struct binder b = store_binder(s->w[W_CRON_PUT]);

    store_put_text(&b, c->id);
    store_put_num(&b, c->tenant);
    store_put_text(&b, c->user);
    store_put_text(&b, c->name);
    store_put_text(&b, c->engine);
    store_put_text(&b, c->expr);
    store_put_text(&b, c->zone);
    store_put_num(&b, c->paused);
    store_put_num(&b, c->created_us);
    store_put_num(&b, c->next_us);
    store_put_num(&b, c->last_us);
    store_put_text(&b, c->last_job);
    store_put_blob(&b, &c->spec);
    return store_run_with(s, W_CRON_PUT, &b, NULL);
}

int store_cron_put(struct store *s, struct store_op *op, int64_t now_us)
{
    const struct store_cron *c = &op->cron.row;
    int64_t known = 0;
    bool there = false;
    int err;

    (void)now_us;
    op->cron.there[0] = '\0';
    op->cron.same = false;
    (void)sqlite3_bind_text(s->w[W_CRON_KNOWN], 1, c->id, -1, SQLITE_STATIC);
    err = store_ask(s, W_CRON_KNOWN, &known, 1, &there);
    if (err == 0 && !there && c->spec.len == 0)
        op->status = -ENOENT; /* it has gone, and what is written of it comes too late */
    if (err == 0 && !there && op->status == 0 && op->cron.idem.key[0] != '\0')
        err = store_claim_idem(s, &op->cron.idem, c->tenant, c->id, &op->status, op->cron.there, &op->cron.same);
    return err == 0 && op->status == 0 ? put_cron(s, c) : err;
}

int store_cron_remove(struct store *s, struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_CRON_REMOVE]), idem = store_binder(s->w[W_IDEM_DROP]);
    int err;

    (void)now_us;
    store_put_text(&b, op->cron.row.id);
    err = run_found(s, op, W_CRON_REMOVE, &b);
    if (err != 0 || op->status != 0)
        return err;
    store_put_text(&idem, op->cron.row.id);
    return store_run_with(s, W_IDEM_DROP, &idem, NULL);
}

int store_limiter_put(struct store *s, struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_LIMITER_PUT]);

    (void)now_us;
    store_put_num(&b, op->limiter.tenant);
    store_put_text(&b, op->limiter.key);
    store_put_num(&b, op->limiter.max);
    return store_run_with(s, W_LIMITER_PUT, &b, NULL);
}

int store_limiter_remove(struct store *s, struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_LIMITER_REMOVE]);

    (void)now_us;
    store_put_num(&b, op->limiter.tenant);
    store_put_text(&b, op->limiter.key);
    return run_found(s, op, W_LIMITER_REMOVE, &b);
}

/* ---- the main thread ------------------------------------------------------------------------------------------------------------------ */

#define TAKE_TEXT(c, array) store_take_text(c, array, sizeof(array))

/* Who a walk calls back. */
struct call {
    union {
        int (*array)(void *ctx, const struct store_array *a);
        int (*dep)(void *ctx, const struct store_dep *d);
        int (*cron)(void *ctx, const struct store_cron *c);
        int (*limiter)(void *ctx, const struct store_limiter *l);
    };
    void *ctx;
    struct store *store; /* of a start's walk; NULL: of another's */
};

static int one_array(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct store_array a;
    struct store_met met = { stmt, "arr", 1, &a, store_take_array(stmt, &a) };
    char why[SOUND_WHY] = "";
    bool sound = store_array_sound(&a, sqlite3_column_int(stmt, sqlite3_column_count(stmt) - 1) != 0, why);

    return store_take_row(call->store, &met, sound, why) && call->array != NULL ? call->array(call->ctx, &a) : 0;
}

int store_each_array(struct store *s, int (*fn)(void *ctx, const struct store_array *a), void *ctx)
{
    struct call call = { .array = fn, .ctx = ctx, .store = s };

    return store_query(s, "SELECT " ARRAY_COLUMNS ", " TENANT_KNOWN_SQL("arr") " FROM arr WHERE ended_us = 0 ORDER BY id", NULL, one_array,
                       &call);
}

static void count_state(Pb__ArrayCounts *c, Pb__State state, uint64_t n)
{
    c->tasks += n;
    switch (state) {
    case PB__STATE__STATE_READY:
    case PB__STATE__STATE_HELD:
    case PB__STATE__STATE_SCHEDULED:
    case PB__STATE__STATE_BLOCKED:
    case PB__STATE__STATE_RETRY_WAIT: c->waiting += n; break;
    case PB__STATE__STATE_SUCCEEDED: c->succeeded += n; break;
    case PB__STATE__STATE_CANCELLED: c->cancelled += n; break;
    case PB__STATE__STATE_FAILED:
    case PB__STATE__STATE_TIMED_OUT:
    case PB__STATE__STATE_EXPIRED:
    case PB__STATE__STATE_SKIPPED:
    case PB__STATE__STATE_DEAD: c->failed += n; break;
    default: c->running += n;
    }
}

int store_array_counts(struct store *s, const char *array, Pb__ArrayCounts *ret)
{
    Pb__ArrayCounts counts = PB__ARRAY_COUNTS__INIT;
    sqlite3_stmt *stmt = s->r[R_ARRAY_COUNTS];
    int rc, err;

    (void)sqlite3_bind_text(stmt, 1, array, -1, SQLITE_STATIC);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        count_state(&counts, (Pb__State)sqlite3_column_int(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1));
    err = store_errno(s->reader, rc);
    (void)sqlite3_reset(stmt);
    if (err == 0)
        *ret = counts;
    return err;
}

static int one_dep(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_dep d;

    TAKE_TEXT(&c, d.job);
    TAKE_TEXT(&c, d.on);
    d.after = (Pb__After)store_take_enum(&c, "after", &pb__after__descriptor, PB__AFTER__AFTER_OK);
    d.met = store_take_num(&c) != 0;
    if (call->store != NULL) {
        struct store_met met = { stmt, "dep", 2, &d, c.odd };
        char why[SOUND_WHY] = "";
        bool sound = store_dep_sound(&d, why);

        return store_take_row(call->store, &met, sound, why) && call->dep != NULL ? call->dep(call->ctx, &d) : 0;
    }
    return call->dep(call->ctx, &d);
}

int store_each_dep(struct store *s, int (*fn)(void *ctx, const struct store_dep *d), void *ctx)
{
    struct call call = { .dep = fn, .ctx = ctx, .store = s };

    return store_query(s,
                       "SELECT job, on_job, after, met FROM dep WHERE met = 0 AND "
                       "(EXISTS(SELECT 1 FROM job WHERE id = dep.job AND " UNFINISHED_SQL ") OR "
                       "EXISTS(SELECT 1 FROM arr WHERE id = dep.job AND ended_us = 0)) ORDER BY job, on_job",
                       NULL, one_dep, &call);
}

int store_each_dep_of(struct store *s, const char *job, int (*fn)(void *ctx, const struct store_dep *d), void *ctx)
{
    struct call call = { .dep = fn, .ctx = ctx };

    return store_query(s, "SELECT job, on_job, after, met FROM dep WHERE job = ?1 ORDER BY on_job", job, one_dep, &call);
}

static int one_cron(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_cron row = { 0 };
    struct store_met met = { stmt, "cron", 1, &row, NULL };
    char why[SOUND_WHY] = "";
    bool sound;

    TAKE_TEXT(&c, row.id);
    row.tenant = store_take_num(&c);
    TAKE_TEXT(&c, row.user);
    TAKE_TEXT(&c, row.name);
    TAKE_TEXT(&c, row.engine);
    TAKE_TEXT(&c, row.expr);
    TAKE_TEXT(&c, row.zone);
    row.paused = store_take_num(&c) != 0;
    row.created_us = store_take_num(&c);
    row.next_us = store_take_most(&c, "next_us", WHEN_LAST_US);
    row.last_us = store_take_most(&c, "last_us", WHEN_LAST_US);
    TAKE_TEXT(&c, row.last_job);
    met.odd = c.odd;
    sound = store_cron_sound(&row, store_take_num(&c) != 0, why);
    return store_take_row(call->store, &met, sound, why) && call->cron != NULL ? call->cron(call->ctx, &row) : 0;
}

int store_each_cron(struct store *s, int (*fn)(void *ctx, const struct store_cron *c), void *ctx)
{
    struct call call = { .cron = fn, .ctx = ctx, .store = s };

    return store_query(
        s,
        "SELECT id, tenant, user, name, engine, expr, zone, paused, created_us, next_us, last_us, last_job, " TENANT_KNOWN_SQL(
            "cron") " FROM cron ORDER BY id",
        NULL, one_cron, &call);
}

static int one_limiter(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_limiter l;
    struct store_met met = { stmt, "limiter", 2, &l, NULL };
    char why[SOUND_WHY] = "";
    bool sound;

    l.tenant = store_take_num(&c);
    TAKE_TEXT(&c, l.key);
    l.max = (uint32_t)store_take_most(&c, "max", UINT32_MAX);
    met.odd = c.odd;
    sound = store_limiter_sound(&l, why);
    return store_take_row(call->store, &met, sound, why) && call->limiter != NULL ? call->limiter(call->ctx, &l) : 0;
}

int store_each_limiter(struct store *s, int (*fn)(void *ctx, const struct store_limiter *l), void *ctx)
{
    struct call call = { .limiter = fn, .ctx = ctx, .store = s };

    return store_query(s, "SELECT tenant, key, max FROM limiter ORDER BY tenant, key", NULL, one_limiter, &call);
}
