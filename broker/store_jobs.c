/*
 * store_jobs.c - how a job comes in, moves and ends; see store.h. Its later changes are those of store_edit.c.
 *
 * Side:    broker, on the writer thread, inside its transaction. The first statement of a kind is its guard, unless its row in
 *          store_op_rules[] says that it gets a savepoint.
 */
#include "store_sqlite.h"

#include <errno.h>
#include <string.h>

#define DAY_US 86400000000ULL

/* ---- coming in ----------------------------------------------------------------------------------------------------------------------- */

/* In order of JOB_COLUMNS, as store_take_job(). */
static void put_job(struct binder *b, const struct store_job *j, const char *id, uint64_t array_index)
{
    store_put_text(b, id);
    store_put_text(b, j->name);
    store_put_text(b, j->engine);
    store_put_text(b, j->template);
    store_put_text(b, j->queue);
    store_put_text(b, j->user);
    store_put_text(b, j->limiters);
    store_put_num(b, j->tenant);
    store_put_num(b, j->state != PB__STATE__STATE_NONE ? j->state : PB__STATE__STATE_READY);
    store_put_num(b, 0); /* cause */
    store_put_num(b, j->class);
    store_put_num(b, j->prio != 0 ? j->prio : 3);
    store_put_num(b, j->hold);
    store_put_num(b, j->attempt);
    store_put_num(b, j->infra);
    store_put_num(b, j->max_attempts);
    store_put_num(b, j->epoch);
    store_put_num(b, j->submitted_us);
    store_put_num(b, j->not_before_us);
    store_put_num(b, j->deadline_us);
    store_put_num(b, 0); /* ended_us */
    store_put_text(b, j->array_id);
    store_put_num(b, array_index);
    store_put_text(b, j->spec_of);
    store_put_num(b, j->memory_bytes);
    store_put_num(b, j->wall_us);
    store_put_num(b, j->threads);
    store_put_num(b, j->log_until_us);
    store_put_num(b, j->keep_until_us);
    store_put_num(b, j->stdin_mode);
    store_put_num(b, j->builds);
    store_put_num(b, (uint64_t)j->lives);
}

static int insert_job(struct store *s, const struct store_job *j, const char *id, uint64_t index, size_t kept, int64_t now_us, int *ret_new)
{
    struct binder b = store_binder(s->w[W_SUBMIT]);

    put_job(&b, j, id, index);
    store_put_num(&b, kept);
    store_put_num(&b, (uint64_t)now_us);
    return store_run_with(s, W_SUBMIT, &b, ret_new);
}

int store_claim_idem(struct store *s, const struct store_idem *idem, uint64_t tenant, const char *id, int *ret_status,
                     char there[ULID_LEN + 1], bool *ret_same)
{
    struct binder b = store_binder(s->w[W_IDEM]);
    sqlite3_stmt *stmt = s->w[W_IDEM_THERE];
    uint8_t hash[STORE_HASH];
    int changed = 0, err, rc;

    store_put_num(&b, tenant);
    store_put_text(&b, idem->key);
    store_put_text(&b, id);
    store_put_bytes(&b, idem->spec_hash, STORE_HASH);
    err = store_run_with(s, W_IDEM, &b, &changed);
    if (err != 0 || changed != 0)
        return err;
    *ret_status = -EEXIST;
    b = store_binder(stmt);
    store_put_num(&b, tenant);
    store_put_text(&b, idem->key);
    rc = sqlite3_step(stmt);
    err = store_errno(s->writer, rc);
    if (rc == SQLITE_ROW) { /* else the id has another key: it is taken */
        struct columns c = store_columns(stmt);

        store_take_text(&c, there, ULID_LEN + 1);
        store_take_hash(&c, hash);
        *ret_same = memcmp(hash, idem->spec_hash, STORE_HASH) == 0;
    }
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return err;
}

int store_put_labels(struct store *s, const char *job, uint64_t tenant, const struct store_label *labels, size_t n)
{
    int err = 0;

    for (size_t i = 0; i < n && err == 0; i++) {
        struct binder b = store_binder(s->w[W_LABEL]);

        store_put_text(&b, job);
        store_put_text(&b, labels[i].key);
        store_put_text(&b, labels[i].value);
        store_put_num(&b, tenant);
        err = store_run_with(s, W_LABEL, &b, NULL);
    }
    return err;
}

static int put_spec(struct store *s, const char *job, const struct store_blob *spec)
{
    struct binder b = store_binder(s->w[W_SPEC]);

    store_put_text(&b, job);
    store_put_blob(&b, spec);
    return store_run_with(s, W_SPEC, &b, NULL);
}

/* The job or array where the spec lies that is to be shared: the one that was named may share it itself. */
static int find_root(struct store *s, struct store_op *op)
{
    sqlite3_stmt *stmt = s->w[W_SPEC_ROOT];
    struct binder b = store_binder(stmt);
    struct columns c = store_columns(stmt);
    char root[ULID_LEN + 1] = "";
    int rc, err;

    store_put_text(&b, op->submit.row.spec_of);
    rc = sqlite3_step(stmt);
    err = store_errno(s->writer, rc);
    if (rc == SQLITE_ROW)
        store_take_text(&c, root, sizeof(root));
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    if (err == 0 && root[0] == '\0')
        op->status = -ENOENT;
    memcpy(op->submit.row.spec_of, root, sizeof(root));
    return err;
}

static int submit_job(struct store *s, struct store_op *op, int64_t now_us)
{
    struct store_submit *m = &op->submit;
    struct binder b;
    int fresh = 0, err = 0;

    if (m->row.spec_of[0] != '\0')
        err = find_root(s, op);
    if (err == 0 && op->status == 0)
        err = insert_job(s, &m->row, op->job, m->row.array_index, m->spec.len, now_us, &fresh);
    if (err == 0 && op->status == 0 && fresh == 0)
        op->status = -EEXIST;
    if (err != 0 || op->status != 0)
        return err;
    if (m->row.spec_of[0] == '\0')
        err = put_spec(s, op->job, &m->spec);
    if (err == 0)
        err = store_count_bytes(s, m->row.tenant, (int64_t)m->spec.len);
    if (err != 0 || m->row.lives != STORE_LIVES_NAMED)
        return err;
    b = store_binder(s->w[W_INTERP]);
    store_put_text(&b, op->job);
    store_put_blob(&b, &m->definition);
    return store_run_with(s, W_INTERP, &b, NULL);
}

static int insert_array(struct store *s, const struct store_op *op, int *ret_new)
{
    const struct store_array *a = op->submit.array;
    const struct store_job *j = &op->submit.row;
    struct binder b = store_binder(s->w[W_ARRAY]);

    store_put_text(&b, op->job);
    store_put_num(&b, j->tenant);
    store_put_text(&b, j->user);
    store_put_text(&b, j->name);
    store_put_text(&b, j->engine);
    store_put_text(&b, j->queue);
    store_put_num(&b, j->class);
    store_put_num(&b, j->prio != 0 ? j->prio : 3);
    store_put_num(&b, a->hold);
    store_put_num(&b, a->from);
    store_put_num(&b, a->to);
    store_put_num(&b, a->step);
    store_put_num(&b, a->tasks > STORE_SLICE ? 0 : a->tasks); /* 0: not whole yet */
    store_put_num(&b, a->max_parallel);
    store_put_num(&b, j->submitted_us);
    store_put_num(&b, j->not_before_us);
    store_put_num(&b, j->deadline_us);
    store_put_blob(&b, &op->submit.spec);
    return store_run_with(s, W_ARRAY, &b, ret_new);
}

int store_array_whole(struct store *s, const char *id, uint64_t tasks)
{
    struct binder b = store_binder(s->w[W_ARRAY_WHOLE]);

    store_put_text(&b, id);
    store_put_num(&b, tasks);
    return store_run_with(s, W_ARRAY_WHOLE, &b, NULL);
}

/* The next of its tasks; with the last of them it is whole. */
static int submit_tasks(struct store *s, struct store_op *op, int64_t now_us)
{
    struct store_submit *m = &op->submit;
    uint64_t left = m->array->tasks - op->slice.at, i = op->slice.at, end = i + (left < STORE_SLICE ? left : STORE_SLICE);
    int fresh = 1, err = 0;

    memcpy(m->row.array_id, op->job, sizeof(m->row.array_id));
    for (; i < end && err == 0 && fresh != 0; i++) {
        err = insert_job(s, &m->row, m->tasks[i].id, m->tasks[i].index, 0, now_us, &fresh);
        if (err == 0 && fresh != 0)
            err = store_put_labels(s, m->tasks[i].id, m->row.tenant, m->labels, m->n_labels);
    }
    if (err == 0 && fresh == 0)
        op->status = -EEXIST;
    op->slice.next = end;
    op->slice.more = end < m->array->tasks;
    return err == 0 && op->status == 0 && !op->slice.more && m->array->tasks > STORE_SLICE ? store_array_whole(s, op->job, m->array->tasks)
                                                                                           : err;
}

static int submit_array(struct store *s, struct store_op *op, int64_t now_us)
{
    struct store_submit *m = &op->submit;
    int fresh = 0, err = insert_array(s, op, &fresh);

    if (err == 0 && fresh == 0)
        op->status = -EEXIST;
    if (err == 0 && op->status == 0)
        err = submit_tasks(s, op, now_us);
    return err != 0 || op->status != 0 ? err : store_count_bytes(s, m->row.tenant, (int64_t)m->spec.len);
}

int store_submit(struct store *s, struct store_op *op, int64_t now_us)
{
    struct store_submit *m = &op->submit;
    int err = 0;

    if (op->slice.undo != 0)
        return store_remove_not_whole(s, op, now_us);
    if (op->slice.at > 0)
        return submit_tasks(s, op, now_us);
    m->there[0] = '\0';
    m->same = false;
    if (m->idem.key[0] != '\0')
        err = store_claim_idem(s, &m->idem, m->row.tenant, op->job, &op->status, m->there, &m->same);
    if (err == 0 && op->status == 0)
        err = m->array != NULL ? submit_array(s, op, now_us) : submit_job(s, op, now_us);
    if (err == 0 && op->status == 0)
        err = store_put_labels(s, op->job, m->row.tenant, m->labels, m->n_labels);
    for (size_t i = 0; i < m->n_deps && err == 0 && op->status == 0; i++)
        err = store_put_dep(s, op->job, &m->deps[i], &op->status);
    if (m->hooks && err == 0 && op->status == 0)
        err = store_hook_add(s, op->job);
    return err;
}

/* ---- moving -------------------------------------------------------------------------------------------------------------------------- */

/* The guard of a change let no row through. Why? */
static int why_not(struct store *s, const char *job, int *ret_status)
{
    sqlite3_stmt *stmt = s->w[W_WHY_NOT];
    int64_t unfinished = 0;
    bool there;
    int err;

    (void)sqlite3_bind_text(stmt, 1, job, -1, SQLITE_STATIC);
    err = store_ask(s, W_WHY_NOT, &unfinished, 1, &there);
    if (err == 0)
        *ret_status = !there ? -ENOENT : unfinished != 0 ? -ESTALE : -EEXIST;
    return err;
}

static int put_attempt(struct store *s, const char *job, const struct store_attempt *a)
{
    struct binder b = store_binder(s->w[W_ATTEMPT]);

    store_put_text(&b, job);
    store_put_num(&b, a->n);
    store_put_num(&b, a->epoch);
    store_put_num(&b, a->started_us);
    store_put_num(&b, a->ended_us);
    store_put_num(&b, a->cpu_us);
    store_put_num(&b, a->cause);
    store_put_num(&b, a->infra);
    store_put_text(&b, a->detail);
    return store_run_with(s, W_ATTEMPT, &b, NULL);
}

static void put_fence(struct binder *b, const struct store_fence *f)
{
    store_put_num(b, f->was);
    store_put_num(b, f->stored);
}

/* W_CLAIM and W_MOVE have the same parameters. */
static int move_job(struct store *s, const char *job, const struct store_move *m, enum write_sql which, int64_t now_us, int *ret_status)
{
    struct binder b = store_binder(s->w[which]);
    int changed = 0, err;

    store_put_text(&b, job);
    store_put_num(&b, m->state);
    store_put_num(&b, m->attempt);
    store_put_num(&b, m->epoch);
    store_put_num(&b, (uint64_t)now_us);
    store_put_num(&b, m->infra);
    store_put_num(&b, m->hold);
    store_put_num(&b, m->not_before_us);
    put_fence(&b, &m->fence);
    err = store_run_with(s, which, &b, &changed);
    if (err == 0 && changed == 0)
        return why_not(s, job, ret_status);
    return err == 0 && m->ended != NULL ? put_attempt(s, job, m->ended) : err;
}

int store_claim(struct store *s, struct store_op *op, int64_t now_us)
{
    int err = 0;

    for (size_t i = 0; i < op->claims.n && err == 0; i++) {
        struct store_claim *c = &op->claims.at[i];
        const struct store_move m = { .state = PB__STATE__STATE_CLAIMED,
                                      .attempt = c->attempt,
                                      .infra = c->infra,
                                      .not_before_us = c->not_before_us,
                                      .epoch = c->epoch,
                                      .fence = c->fence };

        c->status = 0;
        err = move_job(s, c->job, &m, W_CLAIM, now_us, &c->status);
    }
    return err;
}

int store_move(struct store *s, struct store_op *op, int64_t now_us)
{
    return move_job(s, op->job, &op->move, W_MOVE, now_us, &op->status);
}

int store_attempt_add(struct store *s, struct store_op *op, int64_t now_us)
{
    int64_t unused;
    bool there;
    int err;

    (void)now_us;
    (void)sqlite3_bind_text(s->w[W_WHY_NOT], 1, op->job, -1, SQLITE_STATIC);
    err = store_ask(s, W_WHY_NOT, &unused, 1, &there);
    if (err == 0 && !there)
        op->status = -ENOENT;
    return err != 0 || !there ? err : put_attempt(s, op->job, &op->attempt);
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------------- */

static int chain(struct store *s, struct store_op *op, int64_t now_us)
{
    struct store_finish *f = &op->finish;
    struct chain_record r = {
        .job = op->job,
        .epoch = f->epoch,
        .outcome = (uint64_t)f->state,
        .cause = (uint64_t)f->cause,
        .recorded_us = (uint64_t)now_us,
        .receipt = f->receipt.bytes,
        .receipt_len = f->receipt.len,
        .ret_link = &f->link,
    };

    return store_chain_append(&s->w[W_CHAIN], &s->chain, &r);
}

static int put_result(struct store *s, const struct store_op *op, int64_t now_us)
{
    const struct store_finish *f = &op->finish;
    struct binder b = store_binder(s->w[W_RESULT]);

    store_put_text(&b, op->job);
    store_put_num(&b, f->epoch);
    store_put_num(&b, f->state);
    store_put_num(&b, f->cause);
    store_put_num(&b, (uint64_t)now_us);
    store_put_blob(&b, &f->receipt);
    return store_run_with(s, W_RESULT, &b, NULL);
}

static int put_outputs(struct store *s, const struct store_op *op)
{
    int err = 0;

    for (int i = 0; i < STORE_STREAMS && err == 0; i++) {
        struct binder b = store_binder(s->w[W_OUTPUT]);

        if (op->finish.out[i].len == 0)
            continue;
        store_put_text(&b, op->job);
        store_put_num(&b, (uint64_t)i);
        store_put_blob(&b, &op->finish.out[i]);
        err = store_run_with(s, W_OUTPUT, &b, NULL);
    }
    return err;
}

static uint64_t log_bytes(const struct store_finish *f)
{
    uint64_t n = f->spooled_bytes;

    for (int i = 0; i < STORE_STREAMS; i++)
        n += f->out[i].len;
    return n;
}

static int end_job(struct store *s, const struct store_op *op, int64_t now_us, int *ret_changed)
{
    const struct store_finish *f = &op->finish;
    struct binder b = store_binder(s->w[W_FINISH]);

    store_put_text(&b, op->job);
    store_put_num(&b, f->state);
    store_put_num(&b, f->attempt);
    store_put_num(&b, f->epoch);
    store_put_num(&b, (uint64_t)now_us);
    store_put_num(&b, f->infra);
    store_put_num(&b, f->cause);
    store_put_num(&b, f->log_until_us);
    store_put_num(&b, f->keep_until_us);
    store_put_num(&b, f->receipt.len);
    store_put_num(&b, log_bytes(f));
    put_fence(&b, &f->fence);
    return store_run_with(s, W_FINISH, &b, ret_changed);
}

/* As it is now: its tenant is charged, and who waits for its end is answered from it without a read of the main thread's. */
static int read_row(struct store *s, struct store_op *op)
{
    sqlite3_stmt *stmt = s->w[W_ROW];
    int rc, err;

    (void)sqlite3_bind_text(stmt, 1, op->job, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    err = store_errno(s->writer, rc);
    if (err == 0 && rc == SQLITE_ROW)
        (void)store_take_job(stmt, &op->finish.row);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return err;
}

static int count(struct store *s, const struct store_op *op, int64_t now_us)
{
    const struct store_finish *f = &op->finish;
    struct store_usage u = f->usage;
    int err = store_count_bytes(s, f->row.tenant, (int64_t)(f->receipt.len + log_bytes(f)));

    if (err != 0 || u.jobs == 0)
        return err;
    u.tenant = f->row.tenant;
    u.day = (uint64_t)now_us / DAY_US;
    return store_count_usage(s, &u);
}

int store_finish(struct store *s, struct store_op *op, int64_t now_us)
{
    int changed = 0, err = end_job(s, op, now_us, &changed);

    if (err == 0 && changed == 0)
        return why_not(s, op->job, &op->status);
    if (err == 0)
        err = put_result(s, op, now_us);
    if (err == 0)
        err = chain(s, op, now_us);
    if (err == 0)
        err = put_outputs(s, op);
    if (err == 0)
        err = store_hook_task(s, op->job);
    if (err == 0)
        err = read_row(s, op);
    return err == 0 ? count(s, op, now_us) : err;
}

int store_usage_add(struct store *s, struct store_op *op, int64_t now_us)
{
    (void)now_us;
    return store_count_usage(s, &op->usage);
}
