/*
 * store_kv.c - keys and values of tenants, and the calls of aliases that have been made; see store.h.
 *
 * Side:    broker. store_kv_put(), store_kv_drop() and store_alias_add() run on the writer thread, inside its transaction; the rest is the main thread's.
 * Quota:   kv_total says what a tenant has, and is changed with it: a put asks two rows, and never counts.
 */
#include "store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the writer -------------------------------------------------------------------------------------------------------------------- */

static void bind_key(sqlite3_stmt *stmt, const struct store_op *op)
{
    (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)op->kv.tenant);
    (void)sqlite3_bind_text(stmt, 2, op->kv.key, -1, SQLITE_STATIC);
}

/* Up to two numbers of the first row; *ret_there says whether there is one. */
static int look_up(struct store *s, sqlite3_stmt *stmt, int64_t ret[2], bool *ret_there)
{
    int rc = sqlite3_step(stmt), err = store_errno(s->writer, rc);

    *ret_there = rc == SQLITE_ROW;
    for (int i = 0; i < 2; i++)
        ret[i] = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, i) : 0; /* a column that is not there is 0 */
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return err;
}

static int old_length(struct store *s, const struct store_op *op, int64_t *ret, bool *ret_there)
{
    int64_t row[2];
    int err;

    bind_key(s->w[W_KV_OLD], op);
    err = look_up(s, s->w[W_KV_OLD], row, ret_there);
    *ret = row[0];
    return err;
}

static int add_to_total(struct store *s, const struct store_op *op, int64_t keys, int64_t bytes)
{
    sqlite3_stmt *stmt = s->w[W_KV_ADD];

    (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)op->kv.tenant);
    (void)sqlite3_bind_int64(stmt, 2, keys);
    (void)sqlite3_bind_int64(stmt, 3, bytes);
    return store_run(s, W_KV_ADD);
}

/* What it adds to the tenant's total, and whether that may be. */
static int check_put(struct store *s, struct store_op *op, int64_t *ret_keys, int64_t *ret_bytes)
{
    int64_t old = 0, total[2];
    bool there, any;
    int err = old_length(s, op, &old, &there);

    if (err != 0)
        return err;
    *ret_keys = !there;
    *ret_bytes = (int64_t)op->kv.value.len - old + (there ? 0 : (int64_t)strlen(op->kv.key));
    if (there && op->kv.only_new) {
        op->status = -EEXIST;
        return 0;
    }
    (void)sqlite3_bind_int64(s->w[W_KV_TOTAL], 1, (sqlite3_int64)op->kv.tenant);
    err = look_up(s, s->w[W_KV_TOTAL], total, &any);
    if (err == 0 && ((*ret_keys > 0 && total[0] >= STORE_KV_KEYS) || (*ret_bytes > 0 && total[1] + *ret_bytes > STORE_KV_BYTES)))
        op->status = -EDQUOT;
    return err;
}

int store_kv_put(struct store *s, struct store_op *op, int64_t now_us)
{
    sqlite3_stmt *stmt = s->w[W_KV_PUT];
    int64_t keys, bytes;
    int err = check_put(s, op, &keys, &bytes);

    if (err != 0 || op->status != 0)
        return err;
    bind_key(stmt, op);
    err = store_bind_blob(stmt, 3, &op->kv.value);
    (void)sqlite3_bind_int64(stmt, 4, now_us);
    if (err == 0)
        err = store_run(s, W_KV_PUT);
    return err == 0 ? add_to_total(s, op, keys, bytes) : err;
}

int store_kv_drop(struct store *s, struct store_op *op, int64_t now_us)
{
    int64_t old = 0;
    bool there;
    int err = old_length(s, op, &old, &there);

    (void)now_us;
    if (err == 0 && !there)
        op->status = -ENOENT;
    if (err != 0 || !there)
        return err;
    bind_key(s->w[W_KV_DROP], op);
    err = store_run(s, W_KV_DROP);
    return err == 0 ? add_to_total(s, op, -1, -old - (int64_t)strlen(op->kv.key)) : err;
}

int store_alias_add(struct store *s, struct store_op *op, int64_t now_us)
{
    const struct store_alias *a = &op->alias;
    sqlite3_stmt *stmt = s->w[W_ALIAS];
    int err;

    (void)now_us;
    (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)a->ended_us);
    (void)sqlite3_bind_int64(stmt, 2, (sqlite3_int64)a->wall_us);
    (void)sqlite3_bind_text(stmt, 3, a->caller, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 4, a->server, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 5, a->name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 6, (sqlite3_int64)a->bytes_in);
    (void)sqlite3_bind_int64(stmt, 7, (sqlite3_int64)a->bytes_out);
    (void)sqlite3_bind_int64(stmt, 8, a->error);
    (void)sqlite3_bind_int64(stmt, 9, (sqlite3_int64)a->tenant);
    err = store_run(s, W_ALIAS);
    if (err != 0)
        return err;
    (void)sqlite3_bind_int64(s->w[W_ALIAS_FORGET], 1, STORE_ALIASES);
    return store_run(s, W_ALIAS_FORGET);
}

/* ---- the main thread ------------------------------------------------------------------------------------------------------------------ */

int store_kv_get(struct store *s, uint64_t tenant, const char *key, struct store_blob *ret)
{
    sqlite3_stmt *stmt = s->r[R_KV_GET];
    struct store_blob b = { NULL, 0 };
    int rc, err;

    (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)tenant);
    (void)sqlite3_bind_text(stmt, 2, key, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    err = rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENOENT : store_errno(s->reader, rc);
    if (err == 0 && (b.len = (size_t)sqlite3_column_bytes(stmt, 0)) > 0) {
        b.bytes = malloc(b.len);
        if (b.bytes == NULL)
            err = -ENOMEM;
        else
            memcpy(b.bytes, sqlite3_column_blob(stmt, 0), b.len);
    }
    (void)sqlite3_reset(stmt);
    if (err == 0)
        *ret = b;
    return err;
}

int store_kv_list(struct store *s, uint64_t tenant, const char *prefix, const char *after, char **ret_keys, int max)
{
    sqlite3_stmt *stmt = s->r[R_KV_LIST];
    char end[STORE_KV_KEY + 2];
    int n = 0, rc = SQLITE_DONE, err = 0;

    (void)snprintf(end, sizeof(end), "%s\xff", prefix); /* behind every text that begins with prefix: no letter has this byte */
    (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)tenant);
    (void)sqlite3_bind_text(stmt, 2, prefix, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 3, end, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 4, after, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int(stmt, 5, max);
    while (err == 0 && n < max && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        ret_keys[n] = strdup((const char *)sqlite3_column_text(stmt, 0));
        err = ret_keys[n] == NULL ? -ENOMEM : 0;
        n += err == 0;
    }
    if (err == 0)
        err = store_errno(s->reader, rc);
    (void)sqlite3_reset(stmt);
    while (err != 0 && n > 0)
        free(ret_keys[--n]);
    return err == 0 ? n : err;
}

int store_alias_list(struct store *s, const uint64_t *tenant, uint64_t before, struct store_alias *ret, int max)
{
    sqlite3_stmt *stmt = s->r[tenant != NULL ? R_ALIASES_OF : R_ALIASES];
    int n = 0, rc = SQLITE_DONE, err;

    (void)sqlite3_bind_int64(stmt, 1, before != 0 && before <= INT64_MAX ? (sqlite3_int64)before : INT64_MAX);
    (void)sqlite3_bind_int(stmt, 2, max);
    if (tenant != NULL)
        (void)sqlite3_bind_int64(stmt, 3, (sqlite3_int64)*tenant);
    while (n < max && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct store_alias *a = &ret[n++];

        *a = (struct store_alias){
            .number = (uint64_t)sqlite3_column_int64(stmt, 0),
            .ended_us = (uint64_t)sqlite3_column_int64(stmt, 1),
            .wall_us = (uint64_t)sqlite3_column_int64(stmt, 2),
            .bytes_in = (uint64_t)sqlite3_column_int64(stmt, 6),
            .bytes_out = (uint64_t)sqlite3_column_int64(stmt, 7),
            .error = (uint32_t)sqlite3_column_int64(stmt, 8),
            .tenant = (uint64_t)sqlite3_column_int64(stmt, 9),
        };
        (void)snprintf(a->caller, sizeof(a->caller), "%s", (const char *)sqlite3_column_text(stmt, 3));
        (void)snprintf(a->server, sizeof(a->server), "%s", (const char *)sqlite3_column_text(stmt, 4));
        (void)snprintf(a->name, sizeof(a->name), "%s", (const char *)sqlite3_column_text(stmt, 5));
    }
    err = store_errno(s->reader, rc);
    (void)sqlite3_reset(stmt);
    return err == 0 ? n : err;
}
