/*
 * store_fixture.h - a store in a directory of its own, ops made and waited for, and another program's hand on its database.
 *
 * Side:    tests.
 * Shared by the tests of the store. The program that includes it is linked with libbroker.a.
 */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/store.h"
#include "broker/store_sqlite.h"
#include "scratch.h"

/* Back to schema 2, or marked as the newest, as if by another hand. */
#define STAMP(version)      "PRAGMA user_version = " #version
#define STAMP_TEXT(version) STAMP(version)
#define SCHEMA_STAMP        STAMP_TEXT(SCHEMA_VERSION)
#define BACK_TO_7                                                                                                                            \
    "DROP INDEX job_unfinished; DROP INDEX job_of_tenant; DROP INDEX job_of_array; DROP INDEX job_shares; "                                  \
    "DROP INDEX job_log_due; DROP INDEX job_keep_due; "                                                                                      \
    "ALTER TABLE job DROP COLUMN tenant; ALTER TABLE job DROP COLUMN user; ALTER TABLE job DROP COLUMN queue; "                              \
    "ALTER TABLE job DROP COLUMN class; ALTER TABLE job DROP COLUMN prio; ALTER TABLE job DROP COLUMN hold; "                                \
    "ALTER TABLE job DROP COLUMN infra; ALTER TABLE job DROP COLUMN max_attempts; "                                                          \
    "ALTER TABLE job DROP COLUMN not_before_us; ALTER TABLE job DROP COLUMN deadline_us; "                                                   \
    "ALTER TABLE job DROP COLUMN array_id; ALTER TABLE job DROP COLUMN array_index; "                                                        \
    "ALTER TABLE job DROP COLUMN spec_of; ALTER TABLE job DROP COLUMN template; "                                                            \
    "ALTER TABLE job DROP COLUMN builds; ALTER TABLE job DROP COLUMN limiters; "                                                             \
    "ALTER TABLE job DROP COLUMN memory_bytes; ALTER TABLE job DROP COLUMN wall_us; "                                                        \
    "ALTER TABLE job DROP COLUMN threads; ALTER TABLE job DROP COLUMN ended_us; "                                                            \
    "ALTER TABLE job DROP COLUMN log_until_us; ALTER TABLE job DROP COLUMN keep_until_us; "                                                  \
    "ALTER TABLE job DROP COLUMN kept_bytes; ALTER TABLE job DROP COLUMN log_bytes; "                                                        \
    "DROP TABLE idem; DROP TABLE label; DROP TABLE arr; DROP TABLE dep; DROP TABLE attempt; DROP TABLE cron; "                               \
    "DROP TABLE limiter; DROP TABLE tenant; DROP TABLE tenant_total; DROP TABLE token; DROP TABLE usage_day; "                               \
    "DROP TABLE admin_act; DROP TABLE removed; DROP TABLE broker; DROP TABLE hook; DROP TABLE secret; "                                      \
    "DROP INDEX alias_of_tenant; ALTER TABLE alias_call DROP COLUMN tenant; CREATE INDEX job_unfinished ON job(id) WHERE state < 5; " STAMP( \
        7) ";"
#define BACK_TO_2                                                                                                                          \
    BACK_TO_7 "DROP TABLE queue; DROP TABLE queue_item; DROP TABLE template; DROP TABLE kv; DROP TABLE kv_total; DROP TABLE alias_call; "  \
              "DROP TABLE interp; ALTER TABLE job DROP COLUMN lives; " STAMP(2)

#define TENANT 1000

struct fixture {
    char *dir;
    struct store *store;
    char why[STORE_WHY];
};

static inline int setup_dir(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->dir = scratch_make();
    *state = f;
    return f->dir == NULL;
}

static inline int setup(void **state)
{
    struct fixture *f;

    if (setup_dir(state) != 0)
        return 1;
    f = *state;
    if (store_open(f->dir, &f->store, f->why) == 0)
        return 0;
    print_error("store_open: %s\n", f->why);
    return 1;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

/* ---- little helpers --------------------------------------------------------------------------------------------------------------- */

/* The n-th of ids that sort by n; they share their first 20 characters for n < 32768. */
static const char *id_of(unsigned n)
{
    static const char digit[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    static char id[4][ULID_LEN + 1];
    static unsigned turn;
    char *p = id[turn++ % 4];

    memcpy(p, "01HZZZZZZZ0000000000000000", ULID_LEN + 1);
    for (int i = ULID_LEN - 1; n != 0; i--, n /= 32)
        p[i] = digit[n % 32];
    return p;
}

static inline struct store_blob blob_of(const void *bytes, size_t len)
{
    struct store_blob b = { len == 0 ? NULL : malloc(len), len };

    if (len != 0)
        memcpy(b.bytes, bytes, len);
    return b;
}

static inline struct store_op *submit_of(const char *id)
{
    struct store_op *op = store_op_new(STORE_SUBMIT, id);

    (void)snprintf(op->submit.row.name, sizeof(op->submit.row.name), "job %s", id);
    (void)snprintf(op->submit.row.engine, sizeof(op->submit.row.engine), "lua");
    op->submit.row.tenant = TENANT;
    op->submit.row.submitted_us = 1700000000000000u;
    op->submit.row.stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    op->submit.spec = blob_of(id, ULID_LEN);
    return op;
}

static inline struct store_op *move_of(Pb__State state, const char *id, uint32_t attempt, uint64_t epoch)
{
    struct store_op *op = store_op_new(STORE_MOVE, id);

    op->move.state = state;
    op->move.attempt = attempt;
    op->move.epoch = op->move.fence.was = epoch;
    return op;
}

static inline struct store_op *finish_of(const char *id, uint64_t epoch, const char *receipt)
{
    struct store_op *op = store_op_new(STORE_FINISH, id);

    op->finish.attempt = 1;
    op->finish.epoch = op->finish.fence.was = epoch;
    op->finish.state = PB__STATE__STATE_SUCCEEDED;
    op->finish.cause = PB__CAUSE__CAUSE_OK;
    op->finish.receipt = blob_of(receipt, strlen(receipt));
    return op;
}

static inline struct store_op *wait_for_ops(struct store *s)
{
    struct pollfd p = { .fd = store_event_fd(s), .events = POLLIN };

    while (poll(&p, 1, -1) < 0)
        ;
    return store_collect(s);
}

static inline int list_jobs(struct store *s, uint32_t states, const char *before, struct store_job *ret, int max)
{
    return store_list(s, &(struct store_filter){ .states = states, .before = before }, ret, max);
}

/* Pushes, waits, returns the status of this one op, and frees it. */
static inline int do_op(struct store *s, struct store_op *op)
{
    int status;

    store_push(s, op);
    assert_ptr_equal(wait_for_ops(s), op);
    status = op->status;
    store_op_free(op);
    return status;
}

/* Waits until nothing is pending; returns how many of the ops had this status. */
static inline unsigned collect_all(struct store *s, int status)
{
    unsigned n = 0;

    while (store_pending(s) > 0)
        for (struct store_op *op = wait_for_ops(s), *next; op != NULL; op = next) {
            next = op->next;
            n += op->status == status;
            store_op_free(op);
        }
    return n;
}

static inline void submit_many(struct store *s, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        store_push(s, submit_of(id_of(i)));
    assert_int_equal(collect_all(s, 0), to - from);
}

static inline void reopen(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
    if (store_open(f->dir, &f->store, f->why) != 0)
        fail_msg("%s", f->why);
}

static inline void assert_blob(struct store_blob b, const void *want, size_t len)
{
    assert_int_equal(b.len, len);
    if (len != 0)
        assert_memory_equal(b.bytes, want, len);
    else
        assert_null(b.bytes);
    free(b.bytes);
}

static inline void path_of(const struct fixture *f, const char *name, char path[256])
{
    (void)snprintf(path, 256, "%s/%s", f->dir, name);
}

/* Runs SQL on the closed store's database, as another program would. */
static inline void run_sql(const struct fixture *f, const char *sql)
{
    char path[256], *said = NULL;
    sqlite3 *db = NULL;

    path_of(f, "coop.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK)
        fail_msg("%s", said);
    (void)sqlite3_close(db);
}

#endif
