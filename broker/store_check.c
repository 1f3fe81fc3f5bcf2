/* store_check.c - is a store whole? Everything that can be found out by looking; see store_care.h. Nothing is changed. */
#include "broker/store_care.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/store_sqlite.h"

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

int store_check_db(sqlite3 *db, int output_dir, struct care *c)
{
    char why[STORE_WHY];
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
    if (err == 0)
        err = check_rows(db, (int)version, c);
    if (err == 0 && version == SCHEMA_VERSION)
        err = check_chain(db, c);
    if (err == 0 && output_dir >= 0)
        err = check_files(db, output_dir, c);
    return err;
}
