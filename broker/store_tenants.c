/*
 * store_tenants.c - tenants, their tokens, their use by day, and what administrators did; see store.h.
 *
 * Side:    broker. The functions that take an op run on the writer thread, inside its transaction; the rest is the main thread's.
 */
#include "store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/tenants.h"

/* ---- the writer ---------------------------------------------------------------------------------------------------------------------- */

static int run_found(struct store *s, struct store_op *op, enum write_sql which, const struct binder *b)
{
    int changed = 0, err = store_run_with(s, which, b, &changed);

    if (err == 0 && changed == 0)
        op->status = -ENOENT;
    return err;
}

int store_tenant_put(struct store *s, struct store_op *op, int64_t now_us)
{
    const struct store_tenant *t = &op->tenant;
    struct binder b = store_binder(s->w[W_TENANT_NAME]);
    int64_t unused;
    bool taken;
    int err;

    (void)now_us;
    store_put_num(&b, t->id);
    store_put_text(&b, t->name);
    err = store_ask(s, W_TENANT_NAME, &unused, 1, &taken);
    if (err == 0 && taken)
        op->status = -EEXIST;
    if (err != 0 || taken)
        return err;
    b = store_binder(s->w[W_TENANT_PUT]);
    store_put_num(&b, t->id);
    store_put_num(&b, t->parent);
    store_put_text(&b, t->name);
    store_put_real(&b, t->weight);
    store_put_num(&b, t->suspended);
    store_put_num(&b, t->created_us);
    store_put_blob(&b, &t->body);
    return store_run_with(s, W_TENANT_PUT, &b, NULL);
}

int store_tenant_use(struct store *s, struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_TENANT_USE]);

    (void)now_us;
    store_put_num(&b, op->tenant.id);
    store_put_real(&b, op->tenant.vtime);
    store_put_real(&b, op->tenant.used);
    store_put_num(&b, op->tenant.used_at_us);
    return run_found(s, op, W_TENANT_USE, &b);
}

static int run_tenant(struct store *s, enum write_sql which, uint64_t tenant)
{
    struct binder b = store_binder(s->w[which]);

    store_put_num(&b, tenant);
    return store_run_with(s, which, &b, NULL);
}

int store_tenant_remove(struct store *s, struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_TENANT_BUSY]);
    int64_t busy = 0;
    bool there;
    int err;

    (void)now_us;
    store_put_num(&b, op->tenant.id);
    err = store_ask(s, W_TENANT_BUSY, &busy, 1, &there);
    if (err == 0 && (!there || busy != 0))
        op->status = there ? -EBUSY : -ENOENT;
    if (err != 0 || op->status != 0)
        return err;
    for (int which = W_TENANT_FORGET; which < W_TOKEN_PUT && err == 0; which++)
        err = run_tenant(s, (enum write_sql)which, op->tenant.id);
    return err == 0 ? run_tenant(s, W_TENANT_REMOVE, op->tenant.id) : err;
}

int store_token_put(struct store *s, struct store_op *op, int64_t now_us)
{
    const struct store_token *t = &op->token;
    struct binder b = store_binder(s->w[W_TOKEN_PUT]);

    (void)now_us;
    store_put_text(&b, t->id);
    store_put_num(&b, t->tenant);
    store_put_bytes(&b, t->hash, STORE_HASH);
    store_put_num(&b, t->scopes);
    store_put_text(&b, t->queue);
    store_put_num(&b, t->created_us);
    store_put_num(&b, t->expires_us);
    store_put_num(&b, t->last_used_us);
    store_put_num(&b, t->revoked);
    store_put_text(&b, t->note);
    store_put_text(&b, t->made_by);
    return store_run_with(s, W_TOKEN_PUT, &b, NULL);
}

int store_token_used(struct store *s, struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_TOKEN_USED]);

    (void)now_us;
    store_put_text(&b, op->token.id);
    store_put_num(&b, op->token.last_used_us);
    return store_run_with(s, W_TOKEN_USED, &b, NULL);
}

int store_token_remove(struct store *s, struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_TOKEN_REMOVE]);

    (void)now_us;
    store_put_text(&b, op->token.id);
    return run_found(s, op, W_TOKEN_REMOVE, &b);
}

int store_admin_add(struct store *s, struct store_op *op, int64_t now_us)
{
    const struct store_admin_act *a = &op->admin_act;
    struct binder b = store_binder(s->w[W_ADMIN_ACT]);

    store_put_num(&b, a->at_us != 0 ? a->at_us : (uint64_t)now_us);
    store_put_text(&b, a->actor);
    store_put_num(&b, a->tenant);
    store_put_text(&b, a->verb);
    store_put_text(&b, a->object);
    store_put_text(&b, a->detail);
    return store_run_with(s, W_ADMIN_ACT, &b, NULL);
}

/* ---- the main thread ------------------------------------------------------------------------------------------------------------------ */

#define TAKE_TEXT(c, array) store_take_text(c, array, sizeof(array))

struct call {
    union {
        int (*tenant)(void *ctx, const struct store_tenant *t);
        int (*token)(void *ctx, const struct store_token *t);
        int (*usage)(void *ctx, const struct store_usage *u);
    };
    void *ctx;
    struct store *store;
};

static int one_tenant(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_tenant t = { .id = store_take_num(&c) };
    struct store_met met = { stmt, "tenant", 1, &t, NULL };
    char why[SOUND_WHY] = "";
    bool sound;

    t.parent = store_take_num(&c);
    TAKE_TEXT(&c, t.name);
    t.weight = store_take_real(&c);
    t.suspended = store_take_num(&c) != 0;
    t.created_us = store_take_num(&c);
    t.body = store_take_blob(&c);
    t.vtime = store_take_use(&c, "vtime");
    t.used = store_take_use(&c, "used");
    t.used_at_us = store_take_num(&c);
    t.stored_bytes = store_take_most(&c, "stored bytes", INT64_MAX);
    met.odd = tenant_weight_ok(t.weight) ? c.odd : "weight";
    sound = store_tenant_sound(&t, store_take_num(&c) != 0, why);
    return store_take_row(call->store, &met, sound, why) && call->tenant != NULL ? call->tenant(call->ctx, &t) : 0;
}

int store_each_tenant(struct store *s, int (*fn)(void *ctx, const struct store_tenant *t), void *ctx)
{
    struct call call = { .tenant = fn, .ctx = ctx, .store = s };

    return store_query(s,
                       "WITH RECURSIVE rooted(id) AS (SELECT id FROM tenant WHERE parent = 0 UNION "
                       "SELECT t.id FROM tenant t JOIN rooted r ON t.parent = r.id) "
                       "SELECT id, parent, name, weight, suspended, created_us, body, vtime, used, used_at_us, "
                       "coalesce((SELECT bytes FROM tenant_total WHERE tenant = id), 0), "
                       "id IN (SELECT id FROM rooted) FROM tenant ORDER BY id",
                       NULL, one_tenant, &call);
}

static int one_token(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_token t;

    TAKE_TEXT(&c, t.id);
    t.tenant = store_take_num(&c);
    store_take_hash(&c, t.hash);
    t.scopes = (uint32_t)store_take_num(&c);
    TAKE_TEXT(&c, t.queue);
    t.created_us = store_take_num(&c);
    t.expires_us = store_take_num(&c);
    t.last_used_us = store_take_num(&c);
    t.revoked = store_take_num(&c) != 0;
    TAKE_TEXT(&c, t.note);
    TAKE_TEXT(&c, t.made_by);
    return call->token(call->ctx, &t);
}

int store_each_token(struct store *s, int (*fn)(void *ctx, const struct store_token *t), void *ctx)
{
    struct call call = { .token = fn, .ctx = ctx };

    return store_query(s,
                       "SELECT id, tenant, hash, scopes, queue, created_us, expires_us, last_used_us, revoked, note, made_by FROM token "
                       "ORDER BY id",
                       NULL, one_token, &call);
}

static int one_usage(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_usage u = { .tenant = store_take_num(&c) };

    u.day = store_take_num(&c);
    u.jobs = store_take_most(&c, "jobs", INT64_MAX);
    u.failed = store_take_most(&c, "failed", INT64_MAX);
    u.refused = store_take_most(&c, "refused", INT64_MAX);
    u.cpu_us = store_take_most(&c, "cpu_us", INT64_MAX);
    u.wall_us = store_take_most(&c, "wall_us", INT64_MAX);
    u.mib_us = store_take_most(&c, "mib_us", INT64_MAX);
    return call->usage(call->ctx, &u);
}

int store_each_usage(struct store *s, const uint64_t *tenants, size_t n, uint64_t from_day, uint64_t to_day,
                     int (*fn)(void *ctx, const struct store_usage *u), void *ctx)
{
    struct call call = { .usage = fn, .ctx = ctx };
    char *list = NULL, *sql;
    int err = store_tenant_list(tenants, n, &list);

    if (err != 0)
        return err;
    sql = sqlite3_mprintf("SELECT tenant, day, jobs, failed, refused, cpu_us, wall_us, mib_us FROM usage_day "
                          "WHERE day >= %lld AND day < %lld%s ORDER BY day, tenant",
                          (long long)(from_day & INT64_MAX), to_day > INT64_MAX ? INT64_MAX : (long long)to_day,
                          list != NULL ? " AND tenant IN (SELECT value FROM json_each(?1))" : "");
    err = sql != NULL ? store_query(s, sql, list, one_usage, &call) : -ENOMEM;
    sqlite3_free(sql);
    sqlite3_free(list);
    return err;
}

int store_stored_bytes(struct store *s, uint64_t tenant, uint64_t *ret)
{
    sqlite3_stmt *stmt = s->r[R_STORED_BYTES];
    struct binder b = store_binder(stmt);
    int rc, err;

    store_put_num(&b, tenant);
    rc = sqlite3_step(stmt);
    err = store_errno(s->reader, rc);
    if (err == 0)
        *ret = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    (void)sqlite3_reset(stmt);
    return err;
}

int store_admin_list(struct store *s, uint64_t before, struct store_admin_act *ret, int max)
{
    sqlite3_stmt *stmt = s->r[R_ADMIN_ACTS];
    struct binder b = store_binder(stmt);
    int n = 0, rc = SQLITE_DONE, err;

    store_put_num(&b, before != 0 ? before : UINT64_MAX);
    store_put_num(&b, max > 0 ? (uint64_t)max : 0);
    while (n < max && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct columns c = store_columns(stmt);
        struct store_admin_act *a = &ret[n++];

        a->seq = store_take_num(&c);
        a->at_us = store_take_num(&c);
        TAKE_TEXT(&c, a->actor);
        a->tenant = store_take_num(&c);
        TAKE_TEXT(&c, a->verb);
        TAKE_TEXT(&c, a->object);
        TAKE_TEXT(&c, a->detail);
    }
    err = store_errno(s->reader, rc);
    (void)sqlite3_reset(stmt);
    return err == 0 ? n : err;
}
