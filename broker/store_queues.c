/*
 * store_queues.c - durable queues and what is in them; see store.h.
 *
 * Side:    broker. The functions that take an op run on the writer thread, inside its transaction; those that call back are the main thread's.
 */
#include "store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static void take_text(char *into, size_t size, sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    (void)snprintf(into, size, "%s", text != NULL ? text : "");
}

int store_each_queue(struct store *s, int (*fn)(void *ctx, const struct store_queue *q), void *ctx)
{
    sqlite3_stmt *stmt = s->r[R_QUEUES];
    int rc, err = 0;

    while (err == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct store_queue q = {
            .max_items = (uint32_t)sqlite3_column_int64(stmt, 2),
            .max_bytes = (uint64_t)sqlite3_column_int64(stmt, 3),
            .unbound = (uint32_t)sqlite3_column_int64(stmt, 4),
            .closed = sqlite3_column_int(stmt, 5) != 0,
            .tenant = (uint64_t)sqlite3_column_int64(stmt, 6),
        };

        take_text(q.id, sizeof(q.id), stmt, 0);
        take_text(q.name, sizeof(q.name), stmt, 1);
        err = fn(ctx, &q);
    }
    if (err == 0)
        err = store_errno(s->reader, rc);
    (void)sqlite3_reset(stmt);
    return err;
}

int store_each_queue_item(struct store *s, const char *queue, int (*fn)(void *ctx, const struct store_queue_item *i), void *ctx)
{
    sqlite3_stmt *stmt = s->r[R_QUEUE_ITEMS];
    int rc, err = 0;

    bind_text(stmt, 1, queue);
    while (err == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct store_queue_item i = {
            .row = (uint64_t)sqlite3_column_int64(stmt, 0),
            .unbound = (uint32_t)sqlite3_column_int64(stmt, 1),
            .value = sqlite3_column_blob(stmt, 3),
            .len = (size_t)sqlite3_column_bytes(stmt, 3),
        };

        take_text(i.sender, sizeof(i.sender), stmt, 2);
        err = fn(ctx, &i);
    }
    if (err == 0)
        err = store_errno(s->reader, rc);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return err;
}
