/*
 * store_edit.c - what becomes of a job while it waits, and after it has ended: edited, its logs dropped, removed; see store.h.
 *
 * Side:    broker, on the writer thread, inside its transaction.
 * Specs:   one may be shared (job.spec_of). Who is removed or gets a spec of its own first hands the old one to an heir, so that a spec is
 *          there as long as one job needs it.
 */
#include "store_sqlite.h"

#include <errno.h>
#include <string.h>

static int run_id(struct store *s, enum write_sql which, const char *id, int *ret_changed)
{
    struct binder b = store_binder(s->w[which]);

    store_put_text(&b, id);
    return store_run_with(s, which, &b, ret_changed);
}

static int ask_id(struct store *s, enum write_sql which, const char *id, int64_t *ret, int count, bool *ret_there)
{
    (void)sqlite3_bind_text(s->w[which], 1, id, -1, SQLITE_STATIC);
    return store_ask(s, which, ret, count, ret_there);
}

/* The first column of the first row, an id; "": there is none. */
static int ask_text(struct store *s, enum write_sql which, const char *id, char ret[ULID_LEN + 1])
{
    sqlite3_stmt *stmt = s->w[which];
    struct columns c = store_columns(stmt);
    int rc, err;

    (void)sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    err = store_errno(s->writer, rc);
    ret[0] = '\0';
    if (rc == SQLITE_ROW)
        store_take_text(&c, ret, ULID_LEN + 1);
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return err;
}

static int run_two(struct store *s, enum write_sql which, const char *one, const char *two)
{
    struct binder b = store_binder(s->w[which]);

    store_put_text(&b, one);
    store_put_text(&b, two);
    return store_run_with(s, which, &b, NULL);
}

static int add_kept(struct store *s, const char *job, int64_t bytes)
{
    struct binder b = store_binder(s->w[W_ADD_KEPT]);

    store_put_text(&b, job);
    (void)sqlite3_bind_int64(b.stmt, ++b.at, bytes);
    return store_run_with(s, W_ADD_KEPT, &b, NULL);
}

/* Others that share this job's or array's own spec get it. *ret_handed: bytes that now count as the heir's, 0 when there is none. */
static int hand_spec_over(struct store *s, const char *id, bool of_array, int64_t *ret_handed)
{
    char heir[ULID_LEN + 1];
    int64_t len = 0;
    bool there;
    int err = ask_text(s, W_HEIR, id, heir);

    *ret_handed = 0;
    if (err != 0 || heir[0] == '\0')
        return err;
    err = ask_id(s, of_array ? W_ARRAY_SPEC_LENGTH : W_SPEC_LENGTH, id, &len, 1, &there);
    if (err == 0)
        err = run_two(s, of_array ? W_HEIR_ARRAY_SPEC : W_HEIR_SPEC, id, heir);
    if (err == 0)
        err = run_two(s, W_HEIRS, id, heir);
    if (err == 0)
        err = add_kept(s, heir, len);
    *ret_handed = len;
    return err;
}

/* ---- edit ---------------------------------------------------------------------------------------------------------------------------- */

static void put_if(struct binder *b, bool counts, uint64_t n)
{
    if (counts)
        store_put_num(b, n);
    else
        store_put_null(b);
}

static void put_text_if(struct binder *b, bool counts, const char *text)
{
    if (counts)
        store_put_text(b, text);
    else
        store_put_null(b);
}

/* What W_EDIT and W_EDIT_TASKS share. */
static void put_edit(struct binder *b, const struct store_edit *e)
{
    const struct store_job *j = &e->row;

    put_text_if(b, e->what & STORE_EDIT_NAME, j->name);
    put_if(b, e->what & STORE_EDIT_PRIO, j->prio);
    put_if(b, e->what & STORE_EDIT_CLASS, j->class);
    put_if(b, e->what & STORE_EDIT_NOT_BEFORE, j->not_before_us);
    put_if(b, e->what & STORE_EDIT_DEADLINE, j->deadline_us);
    put_if(b, e->what & STORE_EDIT_LIMITS, j->memory_bytes);
    put_if(b, e->what & STORE_EDIT_LIMITS, j->wall_us);
    put_if(b, e->what & STORE_EDIT_LIMITS, j->threads);
    put_text_if(b, e->what & STORE_EDIT_LIMITERS, j->limiters);
}

static int edit_row(struct store *s, const struct store_op *op, int64_t now_us, int *ret_changed)
{
    const struct store_edit *e = &op->edit;
    struct binder b = store_binder(s->w[W_EDIT]);

    store_put_text(&b, op->job);
    store_put_num(&b, e->row.epoch);
    put_edit(&b, e);
    put_if(&b, e->what & STORE_EDIT_STATE, e->row.state);
    put_if(&b, e->what & STORE_EDIT_STATE, e->row.hold);
    store_put_num(&b, (uint64_t)now_us);
    return store_run_with(s, W_EDIT, &b, ret_changed);
}

static int edit_tasks(struct store *s, const struct store_op *op, int64_t now_us)
{
    struct binder b = store_binder(s->w[W_EDIT_TASKS]);

    store_put_text(&b, op->job);
    put_edit(&b, &op->edit);
    store_put_num(&b, (uint64_t)now_us);
    return store_run_with(s, W_EDIT_TASKS, &b, NULL);
}

/* The array itself, and those of its tasks that wait. */
static int edit_array(struct store *s, const struct store_op *op, int64_t now_us, int *ret_changed)
{
    const struct store_edit *e = &op->edit;
    struct binder b = store_binder(s->w[W_EDIT_ARRAY]);
    int err;

    store_put_text(&b, op->job);
    put_text_if(&b, e->what & STORE_EDIT_NAME, e->row.name);
    put_if(&b, e->what & STORE_EDIT_PRIO, e->row.prio);
    put_if(&b, e->what & STORE_EDIT_CLASS, e->row.class);
    put_if(&b, e->what & STORE_EDIT_NOT_BEFORE, e->row.not_before_us);
    put_if(&b, e->what & STORE_EDIT_DEADLINE, e->row.deadline_us);
    put_if(&b, e->what & STORE_EDIT_STATE, e->row.hold);
    put_if(&b, e->what & STORE_EDIT_MAX_PARALLEL, e->max_parallel);
    err = store_run_with(s, W_EDIT_ARRAY, &b, ret_changed);
    if (err != 0 || *ret_changed == 0 || (e->what & ~(STORE_EDIT_STATE | STORE_EDIT_MAX_PARALLEL)) == 0)
        return err; /* its tasks have neither */
    return edit_tasks(s, op, now_us);
}

static int edit_spec(struct store *s, const struct store_op *op, uint64_t tenant, bool of_array)
{
    int64_t len = 0, handed;
    struct binder b;
    bool there;
    int err = hand_spec_over(s, op->job, of_array, &handed);

    if (err == 0)
        err = ask_id(s, of_array ? W_ARRAY_SPEC_LENGTH : W_SPEC_LENGTH, op->job, &len, 1, &there);
    if (err != 0)
        return err;
    b = store_binder(s->w[of_array ? W_EDIT_ARRAY_SPEC : W_EDIT_SPEC]);
    store_put_text(&b, op->job);
    store_put_blob(&b, &op->edit.spec);
    err = store_run_with(s, of_array ? W_EDIT_ARRAY_SPEC : W_EDIT_SPEC, &b, NULL);
    if (err == 0 && !of_array) {
        err = run_id(s, W_OWN_SPEC, op->job, NULL);
        if (err == 0)
            err = add_kept(s, op->job, (int64_t)op->edit.spec.len - len - (len == 0 ? handed : 0));
    }
    return err == 0 ? store_count_bytes(s, tenant, (int64_t)op->edit.spec.len - len + (of_array ? handed : 0)) : err;
}

/* All of them anew; of an array, of each of its tasks as well. */
static int edit_labels(struct store *s, const struct store_op *op, uint64_t tenant, bool of_array)
{
    const struct store_edit *e = &op->edit;
    sqlite3_stmt *tasks = s->w[W_TASKS];
    int err = run_id(s, W_LABELS_DROP, op->job, NULL), rc = SQLITE_DONE;

    if (err == 0)
        err = store_put_labels(s, op->job, tenant, e->labels, e->n_labels);
    if (err != 0 || !of_array)
        return err;
    (void)sqlite3_bind_text(tasks, 1, op->job, -1, SQLITE_STATIC);
    while (err == 0 && (rc = sqlite3_step(tasks)) == SQLITE_ROW) {
        const char *task = (const char *)sqlite3_column_text(tasks, 0);

        err = run_id(s, W_LABELS_DROP, task, NULL);
        if (err == 0)
            err = store_put_labels(s, task, tenant, e->labels, e->n_labels);
    }
    if (err == 0)
        err = store_errno(s->writer, rc);
    (void)sqlite3_reset(tasks);
    (void)sqlite3_clear_bindings(tasks);
    return err;
}

static int edit_deps(struct store *s, struct store_op *op)
{
    const struct store_edit *e = &op->edit;
    int err = 0;

    for (size_t i = 0; i < e->n_drop && err == 0; i++)
        err = run_two(s, W_DEP_DROP, op->job, e->drop[i].on);
    for (size_t i = 0; i < e->n_add && err == 0 && op->status == 0; i++) {
        err = store_put_dep(s, op->job, &e->add[i], &op->status);
        if (op->status == -EEXIST)
            op->status = 0;
    }
    return err;
}

int store_edit(struct store *s, struct store_op *op, int64_t now_us)
{
    int64_t job[2] = { 0 }, array[2] = { 0 };
    bool is_job, is_array = false;
    int changed = 0, err = ask_id(s, W_ENDED, op->job, job, 2, &is_job);

    if (err == 0 && !is_job)
        err = ask_id(s, W_ARRAY_SPEC_LENGTH, op->job, array, 2, &is_array);
    if (err == 0 && !is_job && !is_array)
        op->status = -ENOENT;
    if (err != 0 || op->status != 0)
        return err;
    err = is_job ? edit_row(s, op, now_us, &changed) : edit_array(s, op, now_us, &changed);
    if (err == 0 && changed == 0)
        op->status = -ESTALE;
    if (err == 0 && op->status == 0 && (op->edit.what & STORE_EDIT_SPEC) != 0)
        err = edit_spec(s, op, (uint64_t)(is_job ? job[1] : array[1]), is_array);
    if (err == 0 && op->status == 0 && (op->edit.what & STORE_EDIT_LABELS) != 0)
        err = edit_labels(s, op, (uint64_t)(is_job ? job[1] : array[1]), is_array);
    return err == 0 && op->status == 0 ? edit_deps(s, op) : err;
}

/* ---- after the end ------------------------------------------------------------------------------------------------------------------- */

/* What jobs and arrays have in tables that name them. */
static int forget_about(struct store *s, const char *id)
{
    static const enum write_sql tables[] = { W_LABELS_DROP, W_IDEM_DROP, W_REMOVE_ATTEMPTS, W_REMOVE_DEPS };
    int err = 0;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && err == 0; i++)
        err = run_id(s, tables[i], id, NULL);
    return err;
}

/* row: ended, tenant, bytes */
static int remove_job(struct store *s, const char *id, const int64_t row[3], int64_t now_us)
{
    struct binder b = store_binder(s->w[W_REMOVED]);
    int64_t handed = 0;
    int err;

    store_put_text(&b, id);
    store_put_num(&b, (uint64_t)now_us);
    err = store_run_with(s, W_REMOVED, &b, NULL);
    if (err == 0)
        err = hand_spec_over(s, id, false, &handed);
    if (err == 0)
        err = forget_about(s, id);
    if (err == 0)
        err = run_id(s, W_REMOVE_JOB, id, NULL);
    return err == 0 ? store_count_bytes(s, (uint64_t)row[1], handed - row[2]) : err;
}

static int remove_array_row(struct store *s, const char *id)
{
    int64_t row[2] = { 0 }, handed = 0; /* spec's length, tenant */
    bool there;
    int err = ask_id(s, W_ARRAY_SPEC_LENGTH, id, row, 2, &there);

    if (err == 0)
        err = hand_spec_over(s, id, true, &handed);
    if (err == 0)
        err = forget_about(s, id);
    if (err == 0)
        err = run_id(s, W_REMOVE_ARRAY, id, NULL);
    return err == 0 ? store_count_bytes(s, (uint64_t)row[1], handed - row[0]) : err;
}

/* Some of its tasks; when none is left, the array. */
static int remove_slice(struct store *s, struct store_op *op, int64_t now_us)
{
    char task[ULID_LEN + 1];
    int64_t row[3];
    bool there;
    int err = 0;

    op->slice.more = false;
    for (unsigned i = 0; i < STORE_SLICE; i++) {
        err = ask_text(s, W_TASK, op->job, task);
        if (err == 0 && task[0] == '\0')
            return remove_array_row(s, op->job);
        if (err == 0)
            err = ask_id(s, W_ENDED, task, row, 3, &there);
        if (err == 0)
            err = remove_job(s, task, row, now_us);
        if (err != 0)
            return err;
    }
    op->slice.more = true;
    return 0;
}

static int remove_array(struct store *s, struct store_op *op, int64_t now_us)
{
    int64_t array[2] = { 0 }; /* tenant, every task has ended */
    bool there;
    int err;

    if (op->slice.at > 0) /* it was let through by the first */
        return remove_slice(s, op, now_us);
    op->slice.next = 1;
    err = ask_id(s, W_ENDED_ARRAY, op->job, array, 2, &there);
    if (err == 0 && !there)
        op->status = -ENOENT;
    else if (err == 0 && array[1] == 0)
        op->status = -EBUSY;
    if (err == 0 && op->status == 0)
        err = remove_slice(s, op, now_us);
    return err == 0 && op->slice.more ? store_array_whole(s, op->job, 0)
                                      : err; /* cut short, whatever opens the store next goes on with it */
}

int store_remove_not_whole(struct store *s, struct store_op *op, int64_t now_us)
{
    return remove_slice(s, op, now_us);
}

int store_not_whole(struct store *s, char ret[ULID_LEN + 1])
{
    sqlite3_stmt *stmt = s->w[W_ARRAY_NOT_WHOLE];
    struct columns c = store_columns(stmt);
    int rc = sqlite3_step(stmt), err = store_errno(s->writer, rc);

    ret[0] = '\0';
    if (rc == SQLITE_ROW)
        store_take_text(&c, ret, ULID_LEN + 1);
    (void)sqlite3_reset(stmt);
    return err;
}

/* With the last task of an array that has ended the array goes, too. */
static int remove_if_empty(struct store *s, const char *array)
{
    int64_t left = 0;
    bool ended;
    int err = array[0] != '\0' ? ask_id(s, W_ARRAY_LEFT, array, &left, 1, &ended) : 0;

    return err == 0 && array[0] != '\0' && ended && left == 0 ? remove_array_row(s, array) : err;
}

int store_remove(struct store *s, struct store_op *op, int64_t now_us)
{
    char array[ULID_LEN + 1];
    int64_t row[3];
    bool there;
    int err = ask_id(s, W_ENDED, op->job, row, 3, &there);

    if (err == 0 && !there)
        return remove_array(s, op, now_us);
    if (err == 0 && row[0] == 0)
        op->status = -EBUSY;
    if (err != 0 || op->status != 0)
        return err;
    err = ask_text(s, W_ARRAY_OF, op->job, array);
    if (err == 0)
        err = remove_job(s, op->job, row, now_us);
    return err == 0 ? remove_if_empty(s, array) : err;
}

int store_drop_logs(struct store *s, struct store_op *op, int64_t now_us)
{
    int64_t row[3]; /* ended, tenant, bytes */
    bool there;
    int err = ask_id(s, W_LOGS, op->job, row, 3, &there);

    (void)now_us;
    if (err == 0 && (!there || row[0] == 0))
        op->status = there ? -EBUSY : -ENOENT;
    if (err != 0 || op->status != 0)
        return err;
    err = run_id(s, W_LOGS_DROP, op->job, NULL);
    if (err == 0)
        err = run_id(s, W_LOGS_NONE, op->job, NULL);
    return err == 0 ? store_count_bytes(s, (uint64_t)row[1], -row[2]) : err;
}
