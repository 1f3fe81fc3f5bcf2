/*
 * store_queues.c - durable queues and what is in them; see store.h.
 *
 * Side:    broker. The functions that take an op run on the writer thread, inside its transaction; those that call back are the main thread's.
 */
#include "store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calls.pb-c.h"

/* ---- the writer -------------------------------------------------------------------------------------------------------------------- */

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

int store_queue_add(struct store *s, struct store_op *op, int64_t now_us)
{
    const struct store_queue *q = &op->queue;
    struct binder b = store_binder(s->w[W_QUEUE_ADD]);
    int changed = 0, err;

    store_put_text(&b, q->id);
    store_put_num(&b, q->tenant);
    store_put_text(&b, q->name);
    store_put_num(&b, q->max_items);
    store_put_num(&b, q->max_bytes);
    store_put_num(&b, q->unbound);
    store_put_num(&b, (uint64_t)now_us);
    err = store_run_with(s, W_QUEUE_ADD, &b, &changed);
    if (err == 0 && changed == 0)
        op->status = -EEXIST;
    return err;
}

static int forget_items(struct store *s, const struct store_op *op)
{
    bind_text(s->w[W_QUEUE_EMPTY], 1, op->job);
    return store_run(s, W_QUEUE_EMPTY);
}

int store_queue_close(struct store *s, struct store_op *op, int64_t now_us)
{
    int err;

    (void)now_us;
    bind_text(s->w[W_QUEUE_CLOSE], 1, op->job);
    err = store_run(s, W_QUEUE_CLOSE);
    return err == 0 && op->discard ? forget_items(s, op) : err;
}

int store_queue_remove(struct store *s, struct store_op *op, int64_t now_us)
{
    int err = forget_items(s, op);

    (void)now_us;
    bind_text(s->w[W_QUEUE_REMOVE], 1, op->job);
    return err == 0 ? store_run(s, W_QUEUE_REMOVE) : err;
}

int store_queue_put(struct store *s, struct store_op *op, int64_t now_us)
{
    const struct store_item *i = &op->item;
    struct binder b = store_binder(s->w[W_QUEUE_PUT]);

    (void)now_us;
    store_put_num(&b, i->row);
    store_put_text(&b, op->job);
    store_put_num(&b, i->unbound);
    store_put_text(&b, i->sender);
    store_put_blob(&b, &i->value);
    return store_run_with(s, W_QUEUE_PUT, &b, NULL);
}

int store_queue_take(struct store *s, struct store_op *op, int64_t now_us)
{
    (void)now_us;
    (void)sqlite3_bind_int64(s->w[W_QUEUE_TAKE], 1, (sqlite3_int64)op->item.row);
    return store_run(s, W_QUEUE_TAKE);
}

/* ---- the main thread ---------------------------------------------------------------------------------------------------------------- */

struct call {
    union {
        int (*queue)(void *ctx, const struct store_queue *q);
        int (*item)(void *ctx, const struct store_queue_item *i);
    };
    void *ctx;
    struct store *store;
};

static int one_queue(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_queue q;
    struct store_met met = { stmt, "queue", 1, &q, NULL };
    char why[SOUND_WHY] = "";
    bool sound;

    store_take_text(&c, q.id, sizeof(q.id));
    store_take_text(&c, q.name, sizeof(q.name));
    q.max_items = (uint32_t)store_take_most(&c, "max_items", UINT32_MAX);
    q.max_bytes = store_take_most(&c, "max_bytes", INT64_MAX);
    q.unbound = (uint32_t)store_take_enum(&c, "unbound", &pb__unbound__descriptor, PB__UNBOUND__UNBOUND_NONE);
    q.closed = store_take_num(&c) != 0;
    q.tenant = store_take_num(&c);
    met.odd = c.odd;
    sound = store_queue_sound(&q, why);
    return store_take_row(call->store, &met, sound, why) && call->queue != NULL ? call->queue(call->ctx, &q) : 0;
}

int store_each_queue(struct store *s, int (*fn)(void *ctx, const struct store_queue *q), void *ctx)
{
    struct call call = { .queue = fn, .ctx = ctx, .store = s };

    return store_walk(s->r[R_QUEUES], one_queue, &call);
}

static int one_item(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_queue_item i = { .row = store_take_num(&c) };
    struct store_met met = { stmt, "queue_item", 1, &i, NULL };
    char why[SOUND_WHY] = "";
    struct store_blob value;
    bool sound;

    i.unbound = (uint32_t)store_take_enum(&c, "unbound", &pb__unbound__descriptor, PB__UNBOUND__UNBOUND_PERSIST);
    store_take_text(&c, i.sender, sizeof(i.sender));
    value = store_take_blob(&c);
    i.value = value.bytes;
    i.len = value.len;
    met.odd = c.odd;
    sound = store_item_sound(&i, why);
    return store_take_row(call->store, &met, sound, why) && call->item != NULL ? call->item(call->ctx, &i) : 0;
}

int store_each_queue_item(struct store *s, const char *queue, int (*fn)(void *ctx, const struct store_queue_item *i), void *ctx)
{
    struct call call = { .item = fn, .ctx = ctx, .store = s };
    int err;

    bind_text(s->r[R_QUEUE_ITEMS], 1, queue);
    err = store_walk(s->r[R_QUEUE_ITEMS], one_item, &call);
    (void)sqlite3_clear_bindings(s->r[R_QUEUE_ITEMS]);
    return err;
}
