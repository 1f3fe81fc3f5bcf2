/* store_check.c - is a store whole? Everything that can be found out by looking; see store_care.h. Nothing is changed. */
#include "broker/store_care.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/store_sqlite.h"
#include "frame.h"

enum { MANY = 20 }; /* findings of one kind that are told one by one */

/* ---- pages and indexes ----------------------------------------------------------------------------------------------------------------- */

static int check_pages(sqlite3 *db, struct care *c)
{
    sqlite3_stmt *stmt = NULL;
    int err = store_errno(db, sqlite3_prepare_v2(db, "PRAGMA integrity_check(20)", -1, &stmt, NULL)), rc = SQLITE_DONE;

    while (err == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *says = (const char *)sqlite3_column_text(stmt, 0);
        bool ok = says != NULL && strcmp(says, "ok") == 0;

        care_say(c, "pages", ok, "%s", ok ? "every page and every index is as it has to be" : says != NULL ? says : "no verdict");
    }
    if (err == 0)
        err = store_errno(db, rc);
    if (err == -EUCLEAN)
        care_say(c, "pages", false, "they cannot be walked: %s", sqlite3_errmsg(db));
    (void)sqlite3_finalize(stmt);
    return err == -EUCLEAN ? 0 : err;
}

/* ---- rows that belong together --------------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
    int since; /* schema version */
    const char *what, *text, *sql; /* sql: how many */
} row_checks[] = {
    { 1, "specs", "jobs without a spec",
      "SELECT count(*) FROM job WHERE NOT EXISTS(SELECT 1 FROM spec WHERE job = id)" },
    { 8, "specs", "jobs without a spec",
      "SELECT count(*) FROM job j WHERE NOT EXISTS(SELECT 1 FROM spec WHERE job = j.id) AND NOT EXISTS(SELECT 1 FROM spec WHERE job = j.spec_of) "
      "AND NOT EXISTS(SELECT 1 FROM arr WHERE id = CASE WHEN j.spec_of <> '' THEN j.spec_of ELSE j.array_id END)" },
    { 1, "receipts", "ended jobs without a receipt",
      "SELECT count(*) FROM job WHERE NOT (" UNFINISHED_SQL ") AND NOT EXISTS(SELECT 1 FROM result WHERE job = id)" },
    { 1, "receipts", "jobs that have a receipt and are said to run",
      "SELECT count(*) FROM job WHERE " UNFINISHED_SQL " AND EXISTS(SELECT 1 FROM result WHERE job = id)" },
    { 1, "receipts", "receipts of no job",
      "SELECT count(*) FROM result WHERE NOT EXISTS(SELECT 1 FROM job WHERE id = result.job)" },
    { 7, "queues", "items of no queue",
      "SELECT count(*) FROM queue_item WHERE NOT EXISTS(SELECT 1 FROM queue WHERE id = queue_item.queue)" },
    { 8, "arrays", "tasks of no array",
      "SELECT count(*) FROM job WHERE array_id <> '' AND NOT EXISTS(SELECT 1 FROM arr WHERE id = job.array_id)" },
    { 9, "secrets", "secrets of the store that are missing",
      "SELECT NOT " SECRET_IS_THERE_SQL },
};
/* clang-format on */

static int check_rows(sqlite3 *db, int version, struct care *c)
{
    int err = 0;

    for (size_t i = 0; i < sizeof(row_checks) / sizeof(row_checks[0]) && err == 0; i++) {
        bool newer = i + 1 < sizeof(row_checks) / sizeof(row_checks[0]) && strcmp(row_checks[i].text, row_checks[i + 1].text) == 0 &&
                     row_checks[i + 1].since <= version;
        int64_t n = 0;

        if (row_checks[i].since > version || newer)
            continue;
        err = store_number(db, row_checks[i].sql, &n);
        if (err == 0)
            care_say(c, row_checks[i].what, n == 0, "%s: %lld", row_checks[i].text, (long long)n);
        else if (err == -EUCLEAN)
            care_say(c, row_checks[i].what, false, "cannot be read: %s", sqlite3_errmsg(db));
        if (err == -EUCLEAN)
            err = 0;
    }
    return err;
}

/* ---- rows that a broker takes up when it starts: by its own walks -------------------------------------------------------------------- */

static int of_job(void *ctx, const struct store_job *j)
{
    struct store *s = ctx;
    struct store_blob spec = { 0 };
    struct frame f;
    int rc = store_read_spec(s, j->id, &spec);

    if (rc == -ENOENT)
        return 0; /* check_rows() has counted it */
    if (rc == 0 && store_decode_spec(&f, spec.bytes, spec.len) == 0)
        frame_release(&f);
    else if (rc == 0) {
        store_tell_unsound(s, "job", j->id, "its spec cannot be read");
        if (s->mend.fn != NULL)
            s->mend.fn(s->mend.ctx, &(struct store_met){ .table = "job", .row = j }, false);
    }
    free(spec.bytes);
    return rc;
}

static int of_template(void *ctx, const struct store_template *t)
{
    struct store *s = ctx;
    struct frame f;

    if (store_decode_spec(&f, t->spec.bytes, t->spec.len) == 0) {
        frame_release(&f);
        return 0;
    }
    store_tell_unsound(s, "template", t->name, "what it is made of cannot be read");
    if (s->mend.fn != NULL)
        s->mend.fn(s->mend.ctx, &(struct store_met){ .table = "template", .row = t }, false);
    return 0;
}

static int of_queue(void *ctx, const struct store_queue *q)
{
    return store_each_queue_item(ctx, q->id, NULL, NULL);
}

int store_walk_start(struct store *s)
{
    int err = store_each_tenant(s, NULL, NULL);

    if (err == 0)
        err = store_each_limiter(s, NULL, NULL);
    if (err == 0)
        err = store_each_array(s, NULL, NULL);
    if (err == 0)
        err = store_each_unfinished(s, of_job, s);
    if (err == 0)
        err = store_each_dep(s, NULL, NULL);
    if (err == 0)
        err = store_each_cron(s, NULL, NULL);
    if (err == 0)
        err = store_each_template(s, of_template, s);
    return err == 0 ? store_each_queue(s, of_queue, s) : err;
}

static void tell_unsound(void *ctx, const struct store_unsound *u)
{
    care_say(ctx, u->table, false, "%s: %s", u->row, u->why);
}

static int check_start(sqlite3 *db, struct care *c)
{
    struct store s = {
        .reader = db, .on_unsound = {tell_unsound, c}
    };
    int err = store_prepare(db, store_read_sql, s.r, R_COUNT);

    if (err == 0)
        err = store_walk_start(&s);
    if (err == -EUCLEAN)
        care_say(c, "rows", false, "cannot be read: %s", sqlite3_errmsg(db));
    else if (err == 0 && s.unsound == 0)
        care_say(c, "rows", true, "a broker takes up each that waits, and what it waits for");
    store_drop(s.r, R_COUNT);
    return err == -EUCLEAN ? 0 : err;
}

/* ---- the chain of receipts --------------------------------------------------------------------------------------------------------------- */

static int check_chain(sqlite3 *db, struct care *c)
{
    struct store s = { .reader = db };
    struct store_audit a = { 0 };
    int err = store_prepare(db, store_read_sql, s.r, R_COUNT);

    while (err == 0 && !a.ended && a.fault == AUDIT_NONE)
        err = store_audit(&s, &a);
    if (err == -EUCLEAN)
        care_say(c, "chain", false, "cannot be read: %s", sqlite3_errmsg(db));
    else if (err == 0 && a.fault != AUDIT_NONE)
        care_say(c, "chain", false, "%s", a.text);
    else if (err == 0)
        care_say(c, "chain", true, "%llu receipts, each as it was recorded%s", (unsigned long long)a.seq,
                 a.removed > 0 ? ", but for those of jobs that were removed by order" : "");
    store_drop(s.r, R_COUNT);
    return err == -EUCLEAN ? 0 : err;
}

/* ---- files of outputs -------------------------------------------------------------------------------------------------------------------- */

static int check_files(sqlite3 *db, int output_dir, struct care *c)
{
    int fd = openat(output_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    unsigned files = 0, strange = 0;
    sqlite3_stmt *stmt = NULL;
    const struct dirent *e;

    if (d == NULL)
        return -errno;
    err = store_errno(db, sqlite3_prepare_v2(db, "SELECT 1 FROM job WHERE id = ?1", -1, &stmt, NULL));
    while (err == 0 && (e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        files++;
        (void)sqlite3_bind_text(stmt, 1, e->d_name, strlen(e->d_name) < ULID_LEN ? -1 : ULID_LEN, SQLITE_STATIC);
        if (sqlite3_step(stmt) != SQLITE_ROW && strange++ < MANY)
            care_say(c, "outputs", true, "%.80s belongs to no job; the next broker removes it", e->d_name);
        (void)sqlite3_reset(stmt);
    }
    if (err == 0)
        care_say(c, "outputs", true, "%u files", files);
    (void)sqlite3_finalize(stmt);
    (void)closedir(d);
    return err;
}

static int check_schema(sqlite3 *db, struct care *c, bool *ret_as_expected)
{
    char why[STORE_WHY];
    int err = store_schema_compare(db, why);

    *ret_as_expected = err == 0;
    if (err == -EUCLEAN)
        care_say(c, "schema", false, "%s", why);
    return err == -EUCLEAN ? 0 : err;
}

/* A connection that may not write knows of no CHECK in a table, and passes what a broker's refuses. */
int store_connect_to_look(const char *path, int patience_ms, sqlite3 **ret, char why[STORE_WHY])
{
    int err = store_connect(path, SQLITE_OPEN_READWRITE, patience_ms, ret, why);

    if (err == 0) {
        (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void)sqlite3_exec(*ret, "PRAGMA query_only = ON", NULL, NULL, NULL);
        return 0;
    }
    (void)sqlite3_close(*ret);
    return store_connect(path, SQLITE_OPEN_READONLY, patience_ms, ret, why); /* on a file system that is read-only */
}

int store_has_tenant(const char *dir, const char *name)
{
    char path[4200], why[STORE_WHY];
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    int n = snprintf(path, sizeof(path), "%s/coop.db", dir), err = n > 0 && (size_t)n < sizeof(path) ? 0 : -ENAMETOOLONG;

    if (err == 0)
        err = store_connect(path, SQLITE_OPEN_READONLY, 0, &db, why);
    if (err == 0)
        err = store_errno(db, sqlite3_prepare_v2(db, "SELECT 1 FROM tenant WHERE name = ?1", -1, &stmt, NULL));
    if (err == 0) {
        (void)sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        n = sqlite3_step(stmt);
        err = n == SQLITE_ROW ? 1 : store_errno(db, n);
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return err;
}

int store_check_db(sqlite3 *db, int output_dir, struct care *c)
{
    char why[STORE_WHY];
    bool as_expected = true;
    int64_t version = 0;
    int err = store_schema_check(db, why);

    if (err == -EUCLEAN || err == -EPROTONOSUPPORT) {
        care_say(c, "file", false, "%s", why);
        return 0;
    }
    if (err == 0)
        err = store_number(db, "PRAGMA user_version", &version);
    if (err != 0)
        return err;
    care_say(c, "file", true, "a job database of version %lld, this coop writes %d", (long long)version, SCHEMA_VERSION);
    err = check_pages(db, c);
    if (err == 0 && version == SCHEMA_VERSION)
        err = check_schema(db, c, &as_expected);
    if (err == 0 && as_expected)
        err = check_rows(db, (int)version, c);
    if (err == 0 && as_expected && version == SCHEMA_VERSION)
        err = check_start(db, c);
    if (err == 0 && as_expected && version == SCHEMA_VERSION)
        err = check_chain(db, c);
    if (err == 0 && output_dir >= 0)
        err = check_files(db, output_dir, c);
    return err;
}
