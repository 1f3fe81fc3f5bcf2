/*
 * store_hooks.c - which jobs still owe somebody the notice of their end; see store.h.
 *
 * Side:    broker. store_hook_add(), store_hook_task() and store_hook_done() run on the writer thread, inside its transaction; the rest is the main thread's.
 */
#include "store_sqlite.h"

int store_hook_add(struct store *s, const char *job)
{
    struct binder b = store_binder(s->w[W_HOOK]);

    store_put_text(&b, job);
    return store_run_with(s, W_HOOK, &b, NULL);
}

int store_hook_task(struct store *s, const char *job)
{
    struct binder b = store_binder(s->w[W_HOOK_TASK]);

    store_put_text(&b, job);
    return store_run_with(s, W_HOOK_TASK, &b, NULL);
}

int store_hook_done(struct store *s, struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_HOOK_DONE]);

    (void)now_us;
    store_put_text(&b, op->job);
    return store_run_with(s, W_HOOK_DONE, &b, NULL);
}

struct call {
    int (*fn)(void *ctx, const char *job);
    void *ctx;
};

static int one_hook(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    char id[ULID_LEN + 1];

    store_take_text(&c, id, sizeof(id));
    return call->fn(call->ctx, id);
}

int store_each_hook(struct store *s, int (*fn)(void *ctx, const char *job), void *ctx)
{
    struct call call = { fn, ctx };

    return store_walk(s->r[R_HOOKS], one_hook, &call);
}
