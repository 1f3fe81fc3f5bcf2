/*
 * store_writer.c - the queue, and the thread that commits it: whatever has gathered while the last commit ran goes into the next one.
 *
 * Side:    broker. store_push(), store_collect() and store_pending() are the main thread's; everything static below "the writer" runs
 *          on the writer thread, which alone touches s->writer, s->w and the ops it took.
 * Errors:  an op may be refused (its guard said no: nothing of it was written, the others go on), or the database may fail (the whole
 *          transaction goes back). The first statement of most ops is their guard; the others get a savepoint.
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
    RIDE_MS = 50,            /* how long what rides along waits for a commit it can share */
    RIDE_SUBMIT_MS = 5,      /* the same for an interpreter's SUBMIT: somebody may look for it */
    CHECKPOINT_PAGES = 2000, /* 8 MiB of log: hot pages are folded in once for many commits, and recovery stays short */
};

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
    if (kind == STORE_FINISH)
        for (int i = 0; i < STORE_STREAMS; i++)
            op->finish.sync_fd[i] = -1;
    return op;
}

struct store_claim *store_claim_add(struct store_op *op, const char *job)
{
    size_t cap = op->claims.cap == 0 ? 8 : 2 * op->claims.cap;
    struct store_claim *c = op->claims.at;

    assert(op->kind == STORE_CLAIM);
    if (op->claims.n == op->claims.cap) {
        c = realloc(c, cap * sizeof(*c));
        if (c == NULL)
            return NULL;
        op->claims.at = c;
        op->claims.cap = cap;
    }
    c += op->claims.n++;
    *c = (struct store_claim){ 0 };
    memcpy(c->job, job, strnlen(job, ULID_LEN));
    return c;
}

static void free_labels(struct store_label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(labels[i].key);
        free(labels[i].value);
    }
    free(labels);
}

static void free_submit(struct store_submit *m)
{
    free(m->spec.bytes);
    free(m->definition.bytes);
    free(m->array);
    free(m->tasks);
    free_labels(m->labels, m->n_labels);
    free(m->deps);
}

static void free_edit(struct store_edit *e)
{
    free(e->spec.bytes);
    free_labels(e->labels, e->n_labels);
    free(e->add);
    free(e->drop);
}

static void free_finish(struct store_finish *f)
{
    free(f->receipt.bytes);
    for (int i = 0; i < STORE_STREAMS; i++)
        free(f->out[i].bytes);
}

void store_op_free(struct store_op *op)
{
    if (op == NULL)
        return;
    switch (op->kind) {
    case STORE_SUBMIT: free_submit(&op->submit); break;
    case STORE_CLAIM: free(op->claims.at); break;
    case STORE_MOVE: free(op->move.ended); break;
    case STORE_EDIT: free_edit(&op->edit); break;
    case STORE_FINISH: free_finish(&op->finish); break;
    case STORE_TENANT_PUT: free(op->tenant.body.bytes); break;
    case STORE_CRON_PUT: free(op->cron.row.spec.bytes); break;
    case STORE_TEMPLATE: free(op->template.spec.bytes); break;
    case STORE_QUEUE_PUT: free(op->item.value.bytes); break;
    case STORE_KV_PUT:
    case STORE_KV_DROP:
        free(op->kv.key);
        free(op->kv.value.bytes);
        break;
    default: break;
    }
    free(op);
}

/* ---- the writer: statements ------------------------------------------------------------------------------------------------------- */

int store_run(struct store *s, enum write_sql which)
{
    int err = store_step(s->w[which]);

    (void)sqlite3_clear_bindings(s->w[which]);
    return err;
}

int store_run_with(struct store *s, enum write_sql which, const struct binder *b, int *ret_changed)
{
    int err = b->err != 0 ? b->err : store_run(s, which);

    if (err == 0 && ret_changed != NULL)
        *ret_changed = sqlite3_changes(s->writer);
    if (b->err != 0)
        (void)sqlite3_clear_bindings(s->w[which]);
    return err;
}

int store_ask(struct store *s, enum write_sql which, int64_t *ret, int count, bool *ret_there)
{
    sqlite3_stmt *stmt = s->w[which];
    int rc = sqlite3_step(stmt), err = store_errno(s->writer, rc), columns = sqlite3_column_count(stmt);

    *ret_there = rc == SQLITE_ROW;
    for (int i = 0; i < count; i++)
        ret[i] = rc == SQLITE_ROW && i < columns ? sqlite3_column_int64(stmt, i) : 0;
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return err;
}

/* clang-format off */
const struct op_rule store_op_rules[STORE_KINDS] = {
    /*                         name               urgent saves  */
    [STORE_SUBMIT]          = { "submit",          true,  true,  store_submit },
    [STORE_CLAIM]           = { "claim",           false, false, store_claim },
    [STORE_MOVE]            = { "move",            false, false, store_move },
    [STORE_ATTEMPT]         = { "attempt",         false, false, store_attempt_add },
    [STORE_EDIT]            = { "edit",            true,  true,  store_edit },
    [STORE_FINISH]          = { "finish",          true,  false, store_finish },
    [STORE_REMOVE]          = { "remove",          true,  false, store_remove },
    [STORE_DROP_LOGS]       = { "drop_logs",       false, false, store_drop_logs },
    [STORE_ARRAY_END]       = { "array_end",       false, false, store_array_end },
    [STORE_DEP_ADD]         = { "dep_add",         true,  false, store_dep_add },
    [STORE_DEP_MET]         = { "dep_met",         false, false, store_dep_met },
    [STORE_DEP_DROP]        = { "dep_drop",        true,  false, store_dep_drop },
    [STORE_TENANT_PUT]      = { "tenant_put",      true,  false, store_tenant_put },
    [STORE_TENANT_USE]      = { "tenant_use",      false, false, store_tenant_use },
    [STORE_TENANT_REMOVE]   = { "tenant_remove",   true,  false, store_tenant_remove },
    [STORE_TOKEN_PUT]       = { "token_put",       true,  false, store_token_put },
    [STORE_TOKEN_USED]      = { "token_used",      false, false, store_token_used },
    [STORE_TOKEN_REMOVE]    = { "token_remove",    true,  false, store_token_remove },
    [STORE_CRON_PUT]        = { "cron_put",        true,  false, store_cron_put },
    [STORE_CRON_REMOVE]     = { "cron_remove",     true,  false, store_cron_remove },
    [STORE_LIMITER_PUT]     = { "limiter_put",     true,  false, store_limiter_put },
    [STORE_LIMITER_REMOVE]  = { "limiter_remove",  true,  false, store_limiter_remove },
    [STORE_USAGE]           = { "usage",           false, false, store_usage_add },
    [STORE_ADMIN_ACT]       = { "admin_act",       true,  false, store_admin_add },
    [STORE_KV_PUT]          = { "kv_put",          true,  false, store_kv_put },
    [STORE_KV_DROP]         = { "kv_drop",         true,  false, store_kv_drop },
    [STORE_ALIAS]           = { "alias",           false, false, store_alias_add },
    [STORE_TEMPLATE]        = { "template",        true,  false, store_template_add },
    [STORE_TEMPLATE_REMOVE] = { "template_remove", true,  false, store_template_remove },
    [STORE_QUEUE_ADD]       = { "queue_add",       true,  false, store_queue_add },
    [STORE_QUEUE_CLOSE]     = { "queue_close",     true,  false, store_queue_close },
    [STORE_QUEUE_REMOVE]    = { "queue_remove",    true,  false, store_queue_remove },
    [STORE_QUEUE_PUT]       = { "queue_put",       true,  false, store_queue_put },
    [STORE_QUEUE_TAKE]      = { "queue_take",      false, false, store_queue_take },
    [STORE_HOOK_DONE]       = { "hook_done",       false, false, store_hook_done },
};
/* clang-format on */

/* ---- the writer: transactions --------------------------------------------------------------------------------------------------- */

static int64_t wall_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A plain submit of one job writes nothing before its guards have let it through. */
static bool needs_savepoint(const struct store_op *op)
{
    const struct store_submit *m = &op->submit;

    return store_op_rules[op->kind].saves && (op->kind != STORE_SUBMIT || m->idem.key[0] != '\0' || m->array != NULL || m->n_deps > 0);
}

/* Nothing of a refused op stays. */
static int apply(struct store *s, struct store_op *op, int64_t now_us)
{
    bool saved = needs_savepoint(op);
    struct tally before;
    int err;

    if (!saved)
        return store_op_rules[op->kind].apply(s, op, now_us);
    before = s->tally;
    err = store_run(s, W_SAVE);
    if (err == 0)
        err = store_op_rules[op->kind].apply(s, op, now_us);
    if (err == 0 && op->status != 0) {
        s->tally = before;
        err = store_run(s, W_SAVE_BACK);
    }
    return err == 0 ? store_run(s, W_SAVE_END) : err;
}

/* One transaction for the ops from first up to, not including, end. On failure nothing of them is in the database. */
static int commit_range(struct store *s, struct store_op *first, const struct store_op *end)
{
    int64_t now_us = wall_us();
    int err = store_run(s, W_BEGIN);

    s->chain = (struct chain_end){ 0 };
    s->tally.n_totals = s->tally.n_usages = 0;
    for (struct store_op *op = first; op != end && err == 0; op = op->next) {
        op->status = op->sync_status;
        op->counted.bytes = 0;
        s->op = op;
        if (op->status == 0)
            err = apply(s, op, now_us);
        if (op->status != 0)
            op->counted.bytes = 0;
    }
    s->op = NULL;
    if (err == 0)
        err = store_tally_write(s);
    if (err == 0)
        err = store_chain_set_head(&s->w[W_CHAIN], &s->chain);
    if (err == 0)
        err = store_run(s, W_COMMIT);
    if (!sqlite3_get_autocommit(s->writer)) /* SQLite rolls back by itself after some errors */
        (void)store_run(s, W_ROLLBACK);
    return err;
}

/* The files of a job before its receipt: a receipt that promises output must not outlive it. */
static void sync_files(struct store_op *op)
{
    op->sync_status = 0;
    op->sync_lost = 0;
    for (int i = 0; i < STORE_STREAMS && op->kind == STORE_FINISH; i++)
        if (op->finish.sync_fd[i] >= 0 && fdatasync(op->finish.sync_fd[i]) != 0) {
            op->sync_status = -errno;
            op->sync_lost |= 1u << i;
        }
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
        if (own != 0) {
            op->status = own;
            op->counted.bytes = 0;
        }
    }
}

/* More of it is to be done, in a transaction of its own. One that fails when some of it is in the database goes again, as it came. */
static bool goes_on(struct store_op *op)
{
    if (op->status == 0) {
        op->slice.at = op->slice.next;
        op->slice.bytes += op->counted.bytes;
        if (op->slice.more)
            return true;
    } else if (op->kind == STORE_SUBMIT && op->slice.at > 0 && op->slice.undo == 0) {
        op->slice.undo = op->status;
        return true;
    }
    op->counted.bytes = op->slice.bytes;
    if (op->slice.undo != 0)
        op->status = op->slice.undo; /* what could not be taken out again goes when the store is opened next */
    return false;
}

/* Takes those that go on out of a batch. */
static struct store_op *take_unfinished(struct store_op **batch)
{
    struct store_op *list = NULL, **last = &list;

    while (*batch != NULL) {
        struct store_op *op = *batch;

        if (!goes_on(op)) {
            batch = &op->next;
            continue;
        }
        *batch = op->next;
        op->next = NULL;
        *last = op;
        last = &op->next;
    }
    return list;
}

/* Nobody was told that they are there. */
static int drop_not_whole(struct store *s)
{
    struct store_op op = { .kind = STORE_SUBMIT, .slice.undo = -EINTR };
    int err = store_not_whole(s, op.job);

    while (err == 0 && op.job[0] != '\0') {
        err = commit_range(s, &op, NULL);
        if (err == 0 && !op.slice.more)
            err = store_not_whole(s, op.job);
    }
    return err;
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
    struct store_op **last = &batch;
    uint64_t one = 1;

    if (batch == NULL)
        return;
    while (*last != NULL)
        last = &(*last)->next;
    (void)pthread_mutex_lock(&s->lock);
    list_append(&s->done, batch, last);
    (void)!write(s->event_fd, &one, sizeof(one)); /* fails only when it is readable already */
    (void)pthread_mutex_unlock(&s->lock);
}

/* Behind whatever has come meanwhile. */
static void put_behind(struct store *s, struct store_op *list)
{
    struct store_op **last = &list;

    if (list == NULL)
        return;
    while (*last != NULL)
        last = &(*last)->next;
    (void)pthread_mutex_lock(&s->lock);
    list_append(&s->queue, list, last);
    s->urgent = true;
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
        put_behind(s, take_unfinished(&batch));
        hand_back(s, batch);
        checkpoint(s);
    }
}

/* ---- the main thread's side ------------------------------------------------------------------------------------------------------ */

int store_writer_start(struct store *s)
{
    sigset_t all, before;
    int rc;

    rc = drop_not_whole(s);
    if (rc != 0)
        return rc;
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
    bool begun = op->kind == STORE_SUBMIT && op->submit.row.lives == STORE_LIVES; /* an interpreter that is not named: nobody waits */
    unsigned ride_ms = begun ? RIDE_SUBMIT_MS : RIDE_MS;
    bool first, shorter, urgent = (op->urgent || store_op_rules[op->kind].urgent) && !begun;

    assert(op->kind != STORE_FINISH || (op->finish.state >= PB__STATE__STATE_SUCCEEDED && op->finish.state <= PB__STATE__STATE_DEAD));
    op->next = NULL;
    op->status = op->sync_status = 0;
    op->counted.bytes = 0;
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
