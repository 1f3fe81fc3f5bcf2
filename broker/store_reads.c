/* store_reads.c - what the main thread asks the store; see store.h. Sees what is committed, nothing else. */
#include "store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUDIT_SQL                                                                                                                          \
    "SELECT c.seq, c.hash, c.job, r.job, r.epoch, r.outcome, r.cause, r.recorded_us, r.receipt, j.state, j.cause, m.seq "                  \
    "FROM chain c LEFT JOIN result r ON r.job = c.job LEFT JOIN job j ON j.id = c.job LEFT JOIN removed m ON m.seq = c.seq AND m.job = c.job WHERE c.seq > ?1 ORDER BY c.seq"

/* clang-format off */
const char *const store_read_sql[R_COUNT] = {
    /* ?3: a list of tenants, or NULL */
    [R_FIND] = "SELECT " JOB_COLUMNS " FROM job WHERE id BETWEEN ?1 AND ?2 "
               "AND (?3 IS NULL OR tenant IN (SELECT value FROM json_each(?3))) LIMIT 2",
    [R_FIND_TASK] = "SELECT " JOB_COLUMNS " FROM job WHERE array_id = ?1 AND array_id <> '' AND array_index = ?2",
    [R_FIND_ARRAY] = "SELECT " ARRAY_COLUMNS " FROM arr WHERE id BETWEEN ?1 AND ?2 "
                     "AND (?3 IS NULL OR tenant IN (SELECT value FROM json_each(?3))) LIMIT 2",
    [R_IDEM] = "SELECT id, spec_hash FROM idem WHERE tenant = ?1 AND key = ?2",
    /* its own, that of whom it shares, its array's, an array's, a cron entry's */
    [R_SPEC] = "SELECT coalesce((SELECT body FROM spec WHERE job = ?1), "
               "(SELECT s.body FROM job j JOIN spec s ON s.job = j.spec_of WHERE j.id = ?1), "
               "(SELECT a.spec FROM job j JOIN arr a ON a.id = CASE WHEN j.spec_of <> '' THEN j.spec_of ELSE j.array_id END WHERE j.id = ?1), "
               "(SELECT spec FROM arr WHERE id = ?1), (SELECT spec FROM cron WHERE id = ?1)) AS found WHERE found IS NOT NULL",
    /* the same, whose row it is: no body is read */
    [R_SPEC_OWNER] = "SELECT coalesce((SELECT job FROM spec WHERE job = ?1), "
                     "(SELECT s.job FROM job j JOIN spec s ON s.job = j.spec_of WHERE j.id = ?1), "
                     "(SELECT a.id FROM job j JOIN arr a ON a.id = CASE WHEN j.spec_of <> '' THEN j.spec_of ELSE j.array_id END "
                     "WHERE j.id = ?1)) AS found WHERE found IS NOT NULL",
    [R_RECEIPT] = "SELECT receipt FROM result WHERE job = ?1",
    /* one row for a job that exists, its data NULL when there is none */
    [R_OUTPUT] = "SELECT (SELECT data FROM output WHERE job = ?1 AND stream = ?2) FROM job WHERE id = ?1",
    [R_LABELS] = "SELECT key, value FROM label WHERE job = ?1 ORDER BY key",
    [R_ATTEMPTS] = "SELECT n, epoch, started_us, ended_us, cpu_us, cause, detail, infra FROM attempt WHERE job = ?1 ORDER BY epoch",
    [R_ARRAY_COUNTS] = "SELECT state, count(*) FROM job WHERE array_id = ?1 AND array_id <> '' GROUP BY state",
    [R_STORED_BYTES] = "SELECT bytes FROM tenant_total WHERE tenant = ?1",
    [R_ADMIN_ACTS] = "SELECT seq, at_us, actor, tenant, verb, object, detail FROM admin_act WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
    [R_HEAD] = "SELECT h.seq, h.hash, r.recorded_us FROM head h LEFT JOIN chain c ON c.seq = h.seq LEFT JOIN result r ON r.job = c.job",
    [R_LINK] = "SELECT c.seq, c.hash, (SELECT hash FROM chain WHERE seq = c.seq - 1) FROM chain c WHERE c.job = ?1",
    [R_KV_GET] = "SELECT value FROM kv WHERE tenant = ?1 AND key = ?2",
    [R_KV_LIST] = "SELECT key FROM kv WHERE tenant = ?1 AND key >= ?2 AND key < ?3 AND key > ?4 ORDER BY key LIMIT ?5",
    [R_ALIASES] = ("SELECT number, ended_us, wall_us, caller, server, name, bytes_in, bytes_out, error, tenant FROM alias_call "
                   "WHERE number < ?1 ORDER BY number DESC LIMIT ?2"),
    [R_ALIASES_OF] = ("SELECT number, ended_us, wall_us, caller, server, name, bytes_in, bytes_out, error, tenant FROM alias_call "
                      "WHERE tenant = ?3 AND number < ?1 ORDER BY number DESC LIMIT ?2"),
    [R_QUEUES] = "SELECT id, name, max_items, max_bytes, unbound, closed, tenant FROM queue ORDER BY id",
    [R_QUEUE_ITEMS] = "SELECT number, unbound, sender, value FROM queue_item WHERE queue = ?1 ORDER BY number",
    [R_AUDIT] = AUDIT_SQL,
    [R_DEFINITION] = "SELECT definition FROM interp WHERE job = ?1",
    [R_AUDIT_OTHERS] = "SELECT job, EXISTS(SELECT 1 FROM chain WHERE job = result.job) FROM result WHERE job > ?1 ORDER BY job",
    [R_TEMPLATES] = "SELECT tenant, name, version, created_us, body FROM template ORDER BY created_us, version",
    [R_HOOKS] = "SELECT job FROM hook ORDER BY job",
    [R_SECRET] = "SELECT value FROM secret WHERE name = ?1",
    [R_TEMPLATE_LAST] = "SELECT max(version) FROM template WHERE tenant = ?1 AND name = ?2",
};
/* clang-format on */

/* A prefix of an id becomes the first and the last id that begin with it. */
static int id_range(const char *prefix, char low[ULID_LEN + 1], char high[ULID_LEN + 1])
{
    if (ulid_normalize(prefix, low) != 0)
        return -ENOENT; /* what cannot be an id names no job */
    memset(high, 'Z', ULID_LEN);
    high[ULID_LEN] = '\0';
    memcpy(high, low, strlen(low));
    return 0;
}

/* One row, taken; -ENOENT: none, -ENOTUNIQ: several. */
static int find_one(struct store *s, sqlite3_stmt *stmt, const char *prefix, const uint64_t *tenants, size_t n,
                    void (*take)(sqlite3_stmt *stmt, void *ret), void *ret)
{
    char low[ULID_LEN + 1], high[ULID_LEN + 1], *list = NULL;
    int rc, err = id_range(prefix, low, high);

    if (err == 0)
        err = store_tenant_list(tenants, n, &list);
    if (err != 0)
        return err;
    (void)sqlite3_bind_text(stmt, 1, low, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 2, high, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 3, list, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    err = store_errno(s->reader, rc);
    if (err == 0 && rc != SQLITE_ROW)
        err = -ENOENT;
    if (err == 0) {
        take(stmt, ret);
        rc = sqlite3_step(stmt);
        err = rc == SQLITE_ROW ? -ENOTUNIQ : store_errno(s->reader, rc);
    }
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    sqlite3_free(list);
    return err;
}

static void take_job(sqlite3_stmt *stmt, void *ret)
{
    store_take_job(stmt, ret);
}

static void take_array(sqlite3_stmt *stmt, void *ret)
{
    store_take_array(stmt, ret);
}

int store_find_of(struct store *s, const char *id_or_prefix, const uint64_t *tenants, size_t n, struct store_job *ret_job)
{
    struct store_job job;
    int err = find_one(s, s->r[R_FIND], id_or_prefix, tenants, n, take_job, &job);

    if (err == 0)
        *ret_job = job;
    return err;
}

int store_find(struct store *s, const char *id_or_prefix, struct store_job *ret_job)
{
    return store_find_of(s, id_or_prefix, NULL, 0, ret_job);
}

int store_find_array(struct store *s, const char *id_or_prefix, const uint64_t *tenants, size_t n, struct store_array *ret)
{
    struct store_array a;
    int err = find_one(s, s->r[R_FIND_ARRAY], id_or_prefix, tenants, n, take_array, &a);

    if (err == 0)
        *ret = a;
    return err;
}

int store_find_task(struct store *s, const char *array, uint64_t index, struct store_job *ret_job)
{
    sqlite3_stmt *stmt = s->r[R_FIND_TASK];
    struct binder b = store_binder(stmt);
    int rc, err;

    store_put_text(&b, array);
    store_put_num(&b, index);
    rc = sqlite3_step(stmt);
    err = rc == SQLITE_DONE ? -ENOENT : store_errno(s->reader, rc);
    if (err == 0)
        store_take_job(stmt, ret_job);
    (void)sqlite3_reset(stmt);
    return err;
}

int store_find_idem(struct store *s, uint64_t tenant, const char *key, char ret_id[ULID_LEN + 1], uint8_t ret_hash[STORE_HASH])
{
    sqlite3_stmt *stmt = s->r[R_IDEM];
    struct binder b = store_binder(stmt);
    struct columns c = store_columns(stmt);
    int rc, err;

    store_put_num(&b, tenant);
    store_put_text(&b, key);
    rc = sqlite3_step(stmt);
    err = rc == SQLITE_DONE ? -ENOENT : store_errno(s->reader, rc);
    if (err == 0) {
        store_take_text(&c, ret_id, ULID_LEN + 1);
        store_take_hash(&c, ret_hash);
    }
    (void)sqlite3_reset(stmt);
    return err;
}

/* At most max bytes of a column from offset, as malloc'd bytes; NULL and 0 when that is nothing. */
static int copy_blob(sqlite3_stmt *stmt, uint64_t offset, size_t max, struct store_blob *ret)
{
    const uint8_t *bytes = sqlite3_column_blob(stmt, 0);
    size_t len = (size_t)sqlite3_column_bytes(stmt, 0);
    struct store_blob b = { NULL, 0 };

    if (len > 0 && bytes == NULL)
        return -ENOMEM;
    if (offset < len)
        b.len = len - (size_t)offset < max ? len - (size_t)offset : max;
    if (b.len > 0) {
        b.bytes = malloc(b.len);
        if (b.bytes == NULL)
            return -ENOMEM;
        memcpy(b.bytes, bytes + offset, b.len);
    }
    *ret = b;
    return 0;
}

/* stmt has ?1 left to bind. */
static int read_blob(struct store *s, sqlite3_stmt *stmt, const char *id, uint64_t offset, size_t max, struct store_blob *ret)
{
    int rc, err;

    (void)sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    err = store_errno(s->reader, rc);
    if (err == 0)
        err = rc == SQLITE_ROW ? copy_blob(stmt, offset, max, ret) : -ENOENT;
    (void)sqlite3_reset(stmt);
    return err;
}

int store_spec_owner(struct store *s, const char *id, char ret_id[ULID_LEN + 1])
{
    sqlite3_stmt *stmt = s->r[R_SPEC_OWNER];
    struct binder b = store_binder(stmt);
    struct columns c = store_columns(stmt);
    int rc, err;

    store_put_text(&b, id);
    rc = sqlite3_step(stmt);
    err = rc == SQLITE_DONE ? -ENOENT : store_errno(s->reader, rc);
    if (err == 0)
        store_take_text(&c, ret_id, ULID_LEN + 1);
    (void)sqlite3_reset(stmt);
    return err;
}

int store_read_spec(struct store *s, const char *id, struct store_blob *ret)
{
    return read_blob(s, s->r[R_SPEC], id, 0, SIZE_MAX, ret);
}

int store_read_definition(struct store *s, const char *id, struct store_blob *ret)
{
    return read_blob(s, s->r[R_DEFINITION], id, 0, SIZE_MAX, ret);
}

int store_read_receipt(struct store *s, const char *id, struct store_blob *ret)
{
    return read_blob(s, s->r[R_RECEIPT], id, 0, SIZE_MAX, ret);
}

int store_read_output(struct store *s, const char *id, int stream, uint64_t offset, size_t max, struct store_blob *ret)
{
    (void)sqlite3_bind_int(s->r[R_OUTPUT], 2, stream);
    return read_blob(s, s->r[R_OUTPUT], id, offset, max, ret);
}

/* ---- walks --------------------------------------------------------------------------------------------------------------------------- */

struct call {
    union {
        int (*label)(void *ctx, const char *key, const char *value);
        int (*attempt)(void *ctx, const struct store_attempt *a);
    };
    void *ctx;
};

static int one_label(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    const char *key = (const char *)sqlite3_column_text(stmt, 0), *value = (const char *)sqlite3_column_text(stmt, 1);

    return call->label(call->ctx, key != NULL ? key : "", value != NULL ? value : "");
}

int store_each_label(struct store *s, const char *id, int (*fn)(void *ctx, const char *key, const char *value), void *ctx)
{
    struct call call = { .label = fn, .ctx = ctx };

    (void)sqlite3_bind_text(s->r[R_LABELS], 1, id, -1, SQLITE_STATIC);
    return store_walk(s->r[R_LABELS], one_label, &call);
}

static int one_attempt(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct columns c = store_columns(stmt);
    struct store_attempt a = { .n = (uint32_t)store_take_num(&c) };

    a.epoch = store_take_num(&c);
    a.started_us = store_take_num(&c);
    a.ended_us = store_take_num(&c);
    a.cpu_us = store_take_num(&c);
    a.cause = (Pb__Cause)store_take_num(&c);
    store_take_text(&c, a.detail, sizeof(a.detail));
    a.infra = store_take_num(&c) != 0;
    return call->attempt(call->ctx, &a);
}

int store_each_attempt(struct store *s, const char *id, int (*fn)(void *ctx, const struct store_attempt *a), void *ctx)
{
    struct call call = { .attempt = fn, .ctx = ctx };

    (void)sqlite3_bind_text(s->r[R_ATTEMPTS], 1, id, -1, SQLITE_STATIC);
    return store_walk(s->r[R_ATTEMPTS], one_attempt, &call);
}
