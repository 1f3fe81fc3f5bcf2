/*
 * store_templates.c - templates of tenants; see store.h.
 *
 * Side:    broker. The functions that take an op run on the writer thread, inside its transaction; the rest is the main thread's.
 */
#include "store_sqlite.h"

#include <errno.h>

int store_template_add(struct store *s, struct store_op *op, int64_t now_us)
{
    const struct store_template *t = &op->template;
    struct binder b = store_binder(s->w[W_TEMPLATE]);
    int changed = 0, err;

    (void)now_us;
    store_put_num(&b, t->tenant);
    store_put_text(&b, t->name);
    store_put_num(&b, t->version);
    store_put_num(&b, t->created_us);
    store_put_blob(&b, &t->spec);
    err = store_run_with(s, W_TEMPLATE, &b, &changed);
    if (err == 0 && changed == 0)
        op->status = -EEXIST;
    return err;
}

int store_template_remove(struct store *s, struct store_op *op, int64_t now_us)
{
    const struct store_template *t = &op->template;
    struct binder b = store_binder(s->w[W_TEMPLATE_REMOVE]);

    (void)now_us;
    store_put_num(&b, t->tenant);
    store_put_text(&b, t->name);
    store_put_num(&b, t->version);
    return store_run_with(s, W_TEMPLATE_REMOVE, &b, NULL);
}

struct call {
    int (*fn)(void *ctx, const struct store_template *t);
    void *ctx;
    struct store *store;
};

static int one_template(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_template t = { .tenant = store_take_num(&c) };
    struct store_met met = { stmt, "template", 3, &t, NULL };
    char why[SOUND_WHY] = "";
    bool sound;

    store_take_text(&c, t.name, sizeof(t.name));
    t.version = (uint32_t)store_take_most(&c, "version", UINT32_MAX);
    t.created_us = store_take_num(&c);
    t.spec = store_take_blob(&c);
    if (t.spec.len == 0)
        return 0; /* removed */
    met.odd = c.odd;
    sound = store_template_sound(&t, why);
    return store_take_row(call->store, &met, sound, why) && call->fn != NULL ? call->fn(call->ctx, &t) : 0;
}

int store_each_template(struct store *s, int (*fn)(void *ctx, const struct store_template *t), void *ctx)
{
    struct call call = { fn, ctx, s };

    return store_walk(s->r[R_TEMPLATES], one_template, &call);
}

uint32_t store_last_template(struct store *s, uint64_t tenant, const char *name)
{
    sqlite3_stmt *stmt = s->r[R_TEMPLATE_LAST];
    struct binder b = store_binder(stmt);
    uint32_t last = 0;

    store_put_num(&b, tenant);
    store_put_text(&b, name);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        last = (uint32_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return last;
}
