/* store_reads.c - what the main thread asks the store; see store.h. Sees what is committed, nothing else. */
#include "store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB_COLUMNS       "id, name, engine, state, cause, attempt, epoch, submitted_us, stdin_mode, lives"
#define UNFINISHED_STATES ((1u << PB__STATE__STATE_SUCCEEDED) - 1)
#define PAST_EVERY_ID     "~" /* sorts behind the alphabet of ids */

#define AUDIT_SQL                                                                                                                          \
    "SELECT c.seq, c.hash, c.job, r.job, r.epoch, r.outcome, r.cause, r.recorded_us, r.receipt, j.state, j.cause "                         \
    "FROM chain c LEFT JOIN result r ON r.job = c.job LEFT JOIN job j ON j.id = c.job WHERE c.seq > ?1 ORDER BY c.seq"

/* clang-format off */
const char *const store_read_sql[R_COUNT] = {
    [R_FIND] = "SELECT " JOB_COLUMNS " FROM job WHERE id BETWEEN ?1 AND ?2 LIMIT 2",
    [R_SPEC] = "SELECT body FROM spec WHERE job = ?1",
    [R_RECEIPT] = "SELECT receipt FROM result WHERE job = ?1",
    /* one row for a job that exists, its data NULL when there is none */
    [R_OUTPUT] = "SELECT (SELECT data FROM output WHERE job = ?1 AND stream = ?2) FROM job WHERE id = ?1",
    [R_LIST] = "SELECT " JOB_COLUMNS " FROM job WHERE id < ?1 AND (?2 = 0 OR (?2 >> state) & 1) ORDER BY id DESC LIMIT ?3",
    /* the same for questions about unfinished jobs only: a few among millions */
    [R_LIST_UNFINISHED] = "SELECT " JOB_COLUMNS " FROM job INDEXED BY job_unfinished "
                          "WHERE " UNFINISHED_SQL " AND id < ?1 AND (?2 >> state) & 1 ORDER BY id DESC LIMIT ?3",
    [R_HEAD] = "SELECT h.seq, h.hash, r.recorded_us FROM head h LEFT JOIN chain c ON c.seq = h.seq LEFT JOIN result r ON r.job = c.job",
    [R_LINK] = "SELECT c.seq, c.hash, (SELECT hash FROM chain WHERE seq = c.seq - 1) FROM chain c WHERE c.job = ?1",
    [R_KV_GET] = "SELECT value FROM kv WHERE tenant = ?1 AND key = ?2",
    [R_KV_LIST] = "SELECT key FROM kv WHERE tenant = ?1 AND key >= ?2 AND key < ?3 AND key > ?4 ORDER BY key LIMIT ?5",
    [R_ALIASES] = ("SELECT number, ended_us, wall_us, caller, server, name, bytes_in, bytes_out, error FROM alias_call "
                   "WHERE number < ?1 ORDER BY number DESC LIMIT ?2"),
    [R_QUEUES] = "SELECT id, name, max_items, max_bytes, unbound, closed FROM queue ORDER BY id",
    [R_QUEUE_ITEMS] = "SELECT number, unbound, sender, value FROM queue_item WHERE queue = ?1 ORDER BY number",
    [R_AUDIT] = AUDIT_SQL,
    [R_DEFINITION] = "SELECT definition FROM interp WHERE job = ?1",
    [R_AUDIT_OTHERS] = "SELECT job, EXISTS(SELECT 1 FROM chain WHERE job = result.job) FROM result WHERE job > ?1 ORDER BY job",
    [R_TEMPLATES] = "SELECT name, version, created_us, body FROM template ORDER BY created_us, version",
    [R_TEMPLATE_LAST] = "SELECT max(version) FROM template WHERE name = ?1",
};
/* clang-format on */

static const char each_unfinished[] = "SELECT " JOB_COLUMNS " FROM job INDEXED BY job_unfinished "
                                      "WHERE " UNFINISHED_SQL " ORDER BY id";

static void copy_text(char *to, size_t size, sqlite3_stmt *stmt, int column)
{
    const unsigned char *text = sqlite3_column_text(stmt, column);

    (void)snprintf(to, size, "%s", text == NULL ? "" : (const char *)text);
}

static void read_job(sqlite3_stmt *stmt, struct store_job *ret)
{
    copy_text(ret->id, sizeof(ret->id), stmt, 0);
    copy_text(ret->name, sizeof(ret->name), stmt, 1);
    copy_text(ret->engine, sizeof(ret->engine), stmt, 2);
    ret->state = (Pb__State)sqlite3_column_int(stmt, 3);
    ret->cause = (Pb__Cause)sqlite3_column_int(stmt, 4);
    ret->attempt = (uint32_t)sqlite3_column_int64(stmt, 5);
    ret->epoch = (uint64_t)sqlite3_column_int64(stmt, 6);
    ret->submitted_us = (uint64_t)sqlite3_column_int64(stmt, 7);
    ret->stdin_mode = (uint32_t)sqlite3_column_int64(stmt, 8);
    ret->lives = (enum store_lives)sqlite3_column_int(stmt, 9);
}

int store_find(struct store *s, const char *id_or_prefix, struct store_job *ret_job)
{
    sqlite3_stmt *stmt = s->r[R_FIND];
    char low[ULID_LEN + 1], high[ULID_LEN + 1];
    struct store_job job;
    int rc, err;

    if (ulid_normalize(id_or_prefix, low) != 0)
        return -ENOENT; /* what cannot be an id names no job */
    memset(high, 'Z', ULID_LEN);
    high[ULID_LEN] = '\0';
    memcpy(high, low, strlen(low));
    (void)sqlite3_bind_text(stmt, 1, low, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 2, high, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    err = store_errno(s->reader, rc);
    if (err == 0 && rc != SQLITE_ROW)
        err = -ENOENT;
    if (err == 0) {
        read_job(stmt, &job);
        rc = sqlite3_step(stmt);
        err = rc == SQLITE_ROW ? -ENOTUNIQ : store_errno(s->reader, rc);
    }
    (void)sqlite3_reset(stmt);
    if (err == 0)
        *ret_job = job;
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

int store_list(struct store *s, uint32_t states, const char *before, struct store_job *ret_jobs, int max)
{
    bool unfinished = states != 0 && (states & ~UNFINISHED_STATES) == 0;
    sqlite3_stmt *stmt = s->r[unfinished ? R_LIST_UNFINISHED : R_LIST];
    int n = 0, rc = SQLITE_DONE, err;

    (void)sqlite3_bind_text(stmt, 1, before == NULL ? PAST_EVERY_ID : before, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 2, states);
    (void)sqlite3_bind_int(stmt, 3, max < 0 ? 0 : max);
    while (n < max && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        read_job(stmt, &ret_jobs[n++]);
    err = store_errno(s->reader, rc);
    (void)sqlite3_reset(stmt);
    return err == 0 ? n : err;
}

/* A statement of its own: fn may ask the store anything, this included. */
int store_each_unfinished(struct store *s, int (*fn)(void *ctx, const struct store_job *job), void *ctx)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->reader, each_unfinished, -1, &stmt, NULL), stopped = 0;
    int err = store_errno(s->reader, rc);

    while (err == 0 && stopped == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct store_job job;

        read_job(stmt, &job);
        stopped = fn(ctx, &job);
    }
    if (err == 0 && stopped == 0)
        err = store_errno(s->reader, rc);
    (void)sqlite3_finalize(stmt);
    return err != 0 ? err : stopped;
}

int store_each_template(struct store *s,
                        int (*fn)(void *ctx, const char *name, uint32_t version, uint64_t created_us, const struct store_blob *spec),
                        void *ctx)
{
    sqlite3_stmt *stmt = s->r[R_TEMPLATES];
    int rc = SQLITE_DONE, stopped = 0, err;

    while (stopped == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct store_blob spec = { (uint8_t *)sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3) };

        if (spec.len > 0) /* else removed */
            stopped = fn(ctx, (const char *)sqlite3_column_text(stmt, 0), (uint32_t)sqlite3_column_int64(stmt, 1),
                         (uint64_t)sqlite3_column_int64(stmt, 2), &spec);
    }
    err = stopped == 0 ? store_errno(s->reader, rc) : 0;
    (void)sqlite3_reset(stmt);
    return err != 0 ? err : stopped;
}

uint32_t store_last_template(struct store *s, const char *name)
{
    sqlite3_stmt *stmt = s->r[R_TEMPLATE_LAST];
    uint32_t last = 0;

    (void)sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        last = (uint32_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return last;
}
