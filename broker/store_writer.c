/*
 * store_writer.c - the queue, and the thread that commits it: whatever has gathered while the last commit ran goes into the next one.
 *
 * Side:    broker. store_push(), store_collect() and store_pending() are the main thread's; everything static below "the writer" runs
 *          on the writer thread, which alone touches s->writer, s->w and the ops it took.
 * Errors:  an op may be refused (its guard said no: nothing of it was written, the others go on), or the database may fail (the whole
 *          transaction goes back). The first statement of every op is its guard, so a refusal needs no savepoint.
 */
#include "store_sqlite.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    RIDE_MS = 50,            /* how long START and REQUEUE wait for a commit they can share */
    RIDE_SUBMIT_MS = 5,      /* the same for an interpreter's SUBMIT: somebody may look for it */
    CHECKPOINT_PAGES = 2000, /* 8 MiB of log: hot pages are folded in once for many commits, and recovery stays short */
};

/* clang-format off */
const char *const store_write_sql[W_COUNT] = {
    [W_BEGIN] = "BEGIN IMMEDIATE",
    [W_COMMIT] = "COMMIT",
    [W_ROLLBACK] = "ROLLBACK",
    [W_SUBMIT] = "INSERT INTO job(id, name, engine, state, submitted_us, stdin_mode, updated_us, lives) "
                 "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    [W_SPEC] = "INSERT INTO spec(job, body) VALUES(?1, ?2)",
    [W_INTERP] = "INSERT INTO interp(job, definition) VALUES(?1, ?2)",
    [W_MOVE] = "UPDATE job SET state = ?2, attempt = ?3, epoch = ?4, updated_us = ?5 "
               "WHERE id = ?1 AND epoch <= ?4 AND " UNFINISHED_SQL,
    [W_FINISH] = "UPDATE job SET state = ?2, attempt = ?3, epoch = ?4, updated_us = ?5, cause = ?6 "
                 "WHERE id = ?1 AND epoch <= ?4 AND " UNFINISHED_SQL,
    [W_RESULT] = "INSERT INTO result(job, epoch, outcome, cause, recorded_us, receipt) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [W_OUTPUT] = "INSERT INTO output(job, stream, data) VALUES(?1, ?2, ?3)",
    [W_WHY_NOT] = "SELECT " UNFINISHED_SQL " FROM job WHERE id = ?1",
    [W_KV_OLD] = "SELECT length(value) FROM kv WHERE tenant = ?1 AND key = ?2",
    [W_KV_TOTAL] = "SELECT keys, bytes FROM kv_total WHERE tenant = ?1",
    [W_KV_PUT] = "INSERT INTO kv(tenant, key, value, updated_us) VALUES(?1, ?2, ?3, ?4) "
                 "ON CONFLICT(tenant, key) DO UPDATE SET value = ?3, updated_us = ?4",
    [W_KV_DROP] = "DELETE FROM kv WHERE tenant = ?1 AND key = ?2",
    [W_KV_ADD] = "INSERT INTO kv_total(tenant, keys, bytes) VALUES(?1, ?2, ?3) "
                 "ON CONFLICT(tenant) DO UPDATE SET keys = keys + ?2, bytes = bytes + ?3",
    [W_ALIAS] = "INSERT INTO alias_call(ended_us, wall_us, caller, server, name, bytes_in, bytes_out, error) "
                "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [W_ALIAS_FORGET] = "DELETE FROM alias_call WHERE number <= last_insert_rowid() - ?1",
    [W_TEMPLATE] = "INSERT INTO template(name, version, created_us, body) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    [W_TEMPLATE_REMOVE] = "UPDATE template SET body = zeroblob(0) WHERE name = ?1 AND version = ?2", /* so that no number is given twice */
    [W_QUEUE_ADD] = "INSERT INTO queue(id, name, max_items, max_bytes, unbound, created_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6) "
                    "ON CONFLICT DO NOTHING",
    [W_QUEUE_CLOSE] = "UPDATE queue SET closed = 1 WHERE id = ?1",
    [W_QUEUE_EMPTY] = "DELETE FROM queue_item WHERE queue = ?1",
    [W_QUEUE_REMOVE] = "DELETE FROM queue WHERE id = ?1",
    [W_QUEUE_PUT] = "INSERT INTO queue_item(number, queue, unbound, sender, value) VALUES(?1, ?2, ?3, ?4, ?5)",
    [W_QUEUE_TAKE] = "DELETE FROM queue_item WHERE number = ?1",
    [W_CHAIN + CHAIN_LAST] = CHAIN_LAST_SQL,
    [W_CHAIN + CHAIN_HEAD] = CHAIN_HEAD_SQL,
    [W_CHAIN + CHAIN_ADD] = CHAIN_ADD_SQL,
    [W_CHAIN + CHAIN_SET_HEAD] = CHAIN_SET_HEAD_SQL,
};
/* clang-format on */

/* ---- ops -------------------------------------------------------------------------------------------------------------------------- */

struct store_op *store_op_new(enum store_kind kind, const char *job)
{
    struct store_op *op = calloc(1, sizeof(*op));
    size_t len = strlen(job);

    if (op == NULL)
        return NULL;
    assert(len <= ULID_LEN);
    op->kind = kind;
    memcpy(op->job, job, len + 1);
    for (int i = 0; i < STORE_STREAMS; i++)
        op->sync_fd[i] = -1;
    return op;
}

void store_op_free(struct store_op *op)
{
    if (op == NULL)
        return;
    free(op->spec.bytes);
    free(op->definition.bytes);
    free(op->receipt.bytes);
    free(op->key);
    free(op->value.bytes);
    free(op->alias);
    free(op->queue);
    for (int i = 0; i < STORE_STREAMS; i++)
        free(op->out[i].bytes);
    free(op);
}

/* ---- the writer: what each kind writes ---------------------------------------------------------------------------------------- */

int store_bind_blob(sqlite3_stmt *stmt, int at, const struct store_blob *b)
{
    int rc;

    if (b->len == 0)
        rc = sqlite3_bind_zeroblob(stmt, at, 0); /* NULL would be something else */
    else
        rc = sqlite3_bind_blob64(stmt, at, b->bytes, b->len, SQLITE_STATIC);
    return store_errno(sqlite3_db_handle(stmt), rc);
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

/* Binding a number or a short text to a parameter that exists cannot fail; blobs are checked. */
int store_run(struct store *s, enum write_sql which)
{
    int err = store_step(s->w[which]);

    (void)sqlite3_clear_bindings(s->w[which]);
    return err;
}

/* The guard of a START, REQUEUE or FINISH let no row through. Why? */
static int why_not(struct store *s, struct store_op *op)
{
    sqlite3_stmt *stmt = s->w[W_WHY_NOT];
    int rc, err;

    bind_text(stmt, 1, op->job);
    rc = sqlite3_step(stmt);
    err = store_errno(s->writer, rc);
    if (err == 0 && rc == SQLITE_ROW)
        op->status = sqlite3_column_int(stmt, 0) ? -ESTALE : -EEXIST;
    else if (err == 0)
        op->status = -ENOENT;
    (void)sqlite3_reset(stmt);
    return err;
}

static int apply_submit(struct store *s, struct store_op *op, int64_t now_us)
{
    sqlite3_stmt *stmt = s->w[W_SUBMIT];
    int err;

    bind_text(stmt, 1, op->job);
    bind_text(stmt, 2, op->name);
    bind_text(stmt, 3, op->engine);
    (void)sqlite3_bind_int(stmt, 4, PB__STATE__STATE_READY);
    (void)sqlite3_bind_int64(stmt, 5, (sqlite3_int64)op->submitted_us);
    (void)sqlite3_bind_int64(stmt, 6, op->stdin_mode);
    (void)sqlite3_bind_int64(stmt, 7, now_us);
    (void)sqlite3_bind_int(stmt, 8, (int)op->lives);
    err = store_run(s, W_SUBMIT);
    if (err != 0)
        return err;
    if (sqlite3_changes(s->writer) == 0) {
        op->status = -EEXIST;
        return 0;
    }
    bind_text(s->w[W_SPEC], 1, op->job);
    err = store_bind_blob(s->w[W_SPEC], 2, &op->spec);
    if (err == 0)
        err = store_run(s, W_SPEC);
    if (err != 0 || op->lives != STORE_LIVES_NAMED)
        return err;
    bind_text(s->w[W_INTERP], 1, op->job);
    err = store_bind_blob(s->w[W_INTERP], 2, &op->definition);
    return err != 0 ? err : store_run(s, W_INTERP);
}

/* W_MOVE and W_FINISH share their first five parameters. */
static void bind_move(sqlite3_stmt *stmt, const struct store_op *op, Pb__State state, int64_t now_us)
{
    bind_text(stmt, 1, op->job);
    (void)sqlite3_bind_int(stmt, 2, (int)state);
    (void)sqlite3_bind_int64(stmt, 3, op->attempt);
    (void)sqlite3_bind_int64(stmt, 4, (sqlite3_int64)op->epoch);
    (void)sqlite3_bind_int64(stmt, 5, now_us);
}

static int move(struct store *s, struct store_op *op, Pb__State state, int64_t now_us)
{
    int err;

    bind_move(s->w[W_MOVE], op, state, now_us);
    err = store_run(s, W_MOVE);
    return err == 0 && sqlite3_changes(s->writer) == 0 ? why_not(s, op) : err;
}

static int apply_start(struct store *s, struct store_op *op, int64_t now_us)
{
    return move(s, op, PB__STATE__STATE_RUNNING, now_us);
}

static int apply_requeue(struct store *s, struct store_op *op, int64_t now_us)
{
    return move(s, op, PB__STATE__STATE_READY, now_us);
}

static int chain(struct store *s, const struct store_op *op, int64_t now_us)
{
    struct chain_record r = {
        .job = op->job,
        .epoch = op->epoch,
        .outcome = (uint64_t)op->state,
        .cause = (uint64_t)op->cause,
        .recorded_us = (uint64_t)now_us,
        .receipt = op->receipt.bytes,
        .receipt_len = op->receipt.len,
    };

    return store_chain_append(&s->w[W_CHAIN], &s->chain, &r);
}

static int apply_finish(struct store *s, struct store_op *op, int64_t now_us)
{
    sqlite3_stmt *stmt = s->w[W_FINISH];
    int err;

    bind_move(stmt, op, op->state, now_us);
    (void)sqlite3_bind_int(stmt, 6, (int)op->cause);
    err = store_run(s, W_FINISH);
    if (err != 0)
        return err;
    if (sqlite3_changes(s->writer) == 0)
        return why_not(s, op);
    stmt = s->w[W_RESULT];
    bind_text(stmt, 1, op->job);
    (void)sqlite3_bind_int64(stmt, 2, (sqlite3_int64)op->epoch);
    (void)sqlite3_bind_int(stmt, 3, (int)op->state);
    (void)sqlite3_bind_int(stmt, 4, (int)op->cause);
    (void)sqlite3_bind_int64(stmt, 5, now_us);
    err = store_bind_blob(stmt, 6, &op->receipt);
    if (err == 0)
        err = store_run(s, W_RESULT);
    if (err == 0)
        err = chain(s, op, now_us);
    for (int i = 0; i < STORE_STREAMS && err == 0; i++) {
        if (op->out[i].len == 0)
            continue;
        bind_text(s->w[W_OUTPUT], 1, op->job);
        (void)sqlite3_bind_int(s->w[W_OUTPUT], 2, i);
        err = store_bind_blob(s->w[W_OUTPUT], 3, &op->out[i]);
        if (err == 0)
            err = store_run(s, W_OUTPUT);
    }
    return err;
}

static int apply_template(struct store *s, struct store_op *op, int64_t now_us)
{
    sqlite3_stmt *stmt = s->w[W_TEMPLATE];
    int err;

    (void)now_us;
    bind_text(stmt, 1, op->name);
    (void)sqlite3_bind_int64(stmt, 2, op->version);
    (void)sqlite3_bind_int64(stmt, 3, (sqlite3_int64)op->submitted_us);
    err = store_bind_blob(stmt, 4, &op->spec);
    if (err == 0)
        err = store_run(s, W_TEMPLATE);
    if (err == 0 && sqlite3_changes(s->writer) == 0)
        op->status = -EEXIST;
    return err;
}

static int apply_template_remove(struct store *s, struct store_op *op, int64_t now_us)
{
    (void)now_us;
    bind_text(s->w[W_TEMPLATE_REMOVE], 1, op->name);
    (void)sqlite3_bind_int64(s->w[W_TEMPLATE_REMOVE], 2, op->version);
    return store_run(s, W_TEMPLATE_REMOVE);
}

/* apply: 0 and op->status says whether it was refused; -errno when the database failed and the transaction has to go back. */
/* clang-format off */
static const struct {
    const char *name;
    bool urgent; /* somebody waits for it */
    int (*apply)(struct store *s, struct store_op *op, int64_t now_us);
} op_rules[] = {
    [STORE_SUBMIT]  = { "submit",  true,  apply_submit  },
    [STORE_START]   = { "start",   false, apply_start   },
    [STORE_REQUEUE] = { "requeue", false, apply_requeue },
    [STORE_FINISH]  = { "finish",  true,  apply_finish  },
    [STORE_KV_PUT]  = { "kv_put",  true,  store_kv_put  },
    [STORE_KV_DROP] = { "kv_drop", true,  store_kv_drop },
    [STORE_ALIAS]   = { "alias",   false, store_alias_add },
    [STORE_TEMPLATE] = { "template", true, apply_template },
    [STORE_TEMPLATE_REMOVE] = { "template_remove", true, apply_template_remove },
    [STORE_QUEUE_ADD]    = { "queue_add",    true,  store_queue_add },
    [STORE_QUEUE_CLOSE]  = { "queue_close",  true,  store_queue_close },
    [STORE_QUEUE_REMOVE] = { "queue_remove", true,  store_queue_remove },
    [STORE_QUEUE_PUT]    = { "queue_put",    true,  store_queue_put },
    [STORE_QUEUE_TAKE]   = { "queue_take",   false, store_queue_take },
};
/* clang-format on */

/* ---- the writer: transactions --------------------------------------------------------------------------------------------------- */

static int64_t wall_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* One transaction for the ops from first up to, not including, end. On failure nothing of them is in the database. */
static int commit_range(struct store *s, struct store_op *first, const struct store_op *end)
{
    int64_t now_us = wall_us();
    int err = store_run(s, W_BEGIN);

    s->chain = (struct chain_end){ 0 };
    for (struct store_op *op = first; op != end && err == 0; op = op->next) {
        op->status = op->sync_status;
        if (op->status == 0)
            err = op_rules[op->kind].apply(s, op, now_us);
    }
    if (err == 0)
        err = store_chain_set_head(&s->w[W_CHAIN], &s->chain);
    if (err == 0)
        err = store_run(s, W_COMMIT);
    if (!sqlite3_get_autocommit(s->writer)) /* SQLite rolls back by itself after some errors */
        (void)store_run(s, W_ROLLBACK);
    return err;
}

/* The files of a job before its receipt: a receipt that promises output must not outlive it. Asked once: a second fsync may lie. */
static void sync_files(struct store_op *op)
{
    op->sync_status = 0;
    for (int i = 0; i < STORE_STREAMS; i++)
        if (op->sync_fd[i] >= 0 && fdatasync(op->sync_fd[i]) != 0)
            op->sync_status = -errno;
}

/* Failures that one op can bring upon the others: each is then tried by itself, so that small ones get through. */
static bool is_about_size(int err)
{
    return err == -ENOSPC || err == -EFBIG || err == -ENOMEM;
}

static void commit_batch(struct store *s, struct store_op *batch)
{
    int err;

    for (struct store_op *op = batch; op != NULL; op = op->next)
        sync_files(op);
    err = commit_range(s, batch, NULL);
    if (err == 0)
        return;
    for (struct store_op *op = batch; op != NULL; op = op->next) {
        int own = is_about_size(err) && batch->next != NULL ? commit_range(s, op, op->next) : err;
        if (own != 0)
            op->status = own;
    }
}

static int note_wal_length(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct store *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

/* After the ops were handed back, so that nobody waits for it. A failure is no loss: the log is complete without it. */
static void checkpoint(struct store *s)
{
    if (s->wal_pages < CHECKPOINT_PAGES)
        return;
    (void)sqlite3_wal_checkpoint_v2(s->writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    s->wal_pages = 0;
}

/* ---- the writer: its life ------------------------------------------------------------------------------------------------------- */

static void list_append(struct op_list *list, struct store_op *first, struct store_op **last)
{
    *list->last = first;
    list->last = last;
}

/* Called with the lock held. NULL: stop was asked for and everything is committed. */
static struct store_op *take_batch(struct store *s)
{
    struct store_op *batch;
    struct timespec until;
    int rc = 0;

    while (s->queue.first == NULL && !s->stop)
        (void)pthread_cond_wait(&s->wake, &s->lock);
    while (!s->urgent && !s->stop && rc != ETIMEDOUT) {
        until = s->oldest;
        until.tv_nsec += s->ride_ms * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        rc = pthread_cond_timedwait(&s->wake, &s->lock, &until);
    }
    batch = s->queue.first;
    s->queue.first = NULL;
    s->queue.last = &s->queue.first;
    s->urgent = false;
    return batch;
}

static void hand_back(struct store *s, struct store_op *batch)
{
    struct store_op **last = &batch->next;
    uint64_t one = 1;

    while (*last != NULL)
        last = &(*last)->next;
    (void)pthread_mutex_lock(&s->lock);
    list_append(&s->done, batch, last);
    (void)!write(s->event_fd, &one, sizeof(one)); /* fails only when it is readable already */
    (void)pthread_mutex_unlock(&s->lock);
}

static void *writer_main(void *arg)
{
    struct store *s = arg;

    (void)pthread_setname_np(pthread_self(), "store");
    for (;;) {
        struct store_op *batch;

        (void)pthread_mutex_lock(&s->lock);
        batch = take_batch(s);
        (void)pthread_mutex_unlock(&s->lock);
        if (batch == NULL)
            return NULL;
        commit_batch(s, batch);
        hand_back(s, batch);
        checkpoint(s);
    }
}

/* ---- the main thread's side ------------------------------------------------------------------------------------------------------ */

int store_writer_start(struct store *s)
{
    sigset_t all, before;
    int rc;

    (void)sqlite3_wal_hook(s->writer, note_wal_length, s);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's business */
    rc = pthread_create(&s->thread, NULL, writer_main, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    s->running = rc == 0;
    return -rc;
}

void store_writer_stop(struct store *s)
{
    if (!s->running)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->stop = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    s->running = false;
}

void store_push(struct store *s, struct store_op *op)
{
    unsigned ride_ms = op->kind == STORE_SUBMIT ? RIDE_SUBMIT_MS : RIDE_MS;
    bool first, shorter, urgent = op_rules[op->kind].urgent && op->lives != STORE_LIVES; /* an interpreter has begun meanwhile */

    assert(op->kind != STORE_FINISH || op->state >= PB__STATE__STATE_SUCCEEDED);
    op->next = NULL;
    op->status = op->sync_status = 0;
    (void)pthread_mutex_lock(&s->lock);
    first = s->queue.first == NULL;
    shorter = first || ride_ms < s->ride_ms;
    if (first)
        (void)clock_gettime(CLOCK_MONOTONIC, &s->oldest);
    if (shorter)
        s->ride_ms = ride_ms;
    list_append(&s->queue, op, &op->next);
    s->pending++;
    if (shorter || (urgent && !s->urgent)) /* the writer has to set its clock */
        (void)pthread_cond_signal(&s->wake);
    s->urgent |= urgent;
    (void)pthread_mutex_unlock(&s->lock);
}

int store_event_fd(const struct store *s)
{
    return s->event_fd;
}

struct store_op *store_collect(struct store *s)
{
    struct store_op *done;
    uint64_t count;

    (void)pthread_mutex_lock(&s->lock);
    (void)!read(s->event_fd, &count, sizeof(count));
    done = s->done.first;
    s->done.first = NULL;
    s->done.last = &s->done.first;
    for (const struct store_op *op = done; op != NULL; op = op->next)
        s->pending--;
    (void)pthread_mutex_unlock(&s->lock);
    return done;
}

size_t store_pending(const struct store *s)
{
    struct store *unlocked = (struct store *)s; /* the mutex is not part of what const promises */
    size_t n;

    (void)pthread_mutex_lock(&unlocked->lock);
    n = s->pending;
    (void)pthread_mutex_unlock(&unlocked->lock);
    return n;
}
