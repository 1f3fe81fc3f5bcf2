/*
 * store_salvage.c - what can be read of a damaged store goes into a new one; see store_care.h.
 *
 * Every table is walked in the order of its rows. Where a page cannot be read, the walk goes on behind it: in a table with a rowid at the
 * next number that can be found, in others from the other end and, for jobs, by the ids that other tables know. A job whose own row is
 * lost is made again of its receipt; one of which only the spec is left comes back held, so that a person decides.
 */
#include "broker/store_care.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/store_sqlite.h"
#include "broker/waiting.h"
#include "frame.h"

enum { PATIENCE_MS = 5000, LEAP_MAX = 40, COLUMNS_MAX = 64 };

struct salvage {
    sqlite3 *from, *to;
    struct care *care;
};

/* In this order: what refers comes behind what it refers to. rowid: it has one. */
/* clang-format off */
static const struct {
    const char *name;
    bool rowid;
    const char *key; /* without a rowid: what it is sorted by first */
} tables[] = {
    { "job",          false, "id" },
    { "spec",         true,  NULL },
    { "result",       true,  NULL },
    { "output",       true,  NULL },
    { "chain",        true,  NULL },
    { "head",         true,  NULL },
    { "interp",       true,  NULL },
    { "kv",           true,  NULL },
    { "kv_total",     true,  NULL },
    { "alias_call",   true,  NULL },
    { "template",     true,  NULL },
    { "queue",        false, "id" },
    { "queue_item",   true,  NULL },
    { "idem",         false, "tenant" },
    { "label",        false, "job" },
    { "arr",          true,  NULL },
    { "dep",          false, "job" },
    { "attempt",      false, "job" },
    { "cron",         true,  NULL },
    { "limiter",      false, "tenant" },
    { "tenant",       true,  NULL },
    { "tenant_total", true,  NULL },
    { "token",        false, "id" },
    { "usage_day",    false, "tenant" },
    { "admin_act",    true,  NULL },
    { "removed",      true,  NULL },
    { "broker",       false, "id" },
    { "hook",         false, "job" },
    { "secret",       true,  NULL },
};
/* clang-format on */

const char *store_salvaged_table(size_t i)
{
    return i < sizeof(tables) / sizeof(tables[0]) ? tables[i].name : NULL;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------------ */

/* A new store has rows there already. */
static bool is_made_new(const char *table)
{
    return strcmp(table, "head") == 0 || strcmp(table, "secret") == 0;
}

/* INSERT OR IGNORE for the columns of this statement from first on, by name: the new database may have more of them. */
static sqlite3_stmt *make_insert(struct salvage *v, const char *table, sqlite3_stmt *from, int first)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_stmt *stmt = NULL;
    int n = sqlite3_column_count(from);
    char *text;

    sqlite3_str_appendf(sql, "INSERT OR %s INTO \"%w\"(", is_made_new(table) ? "REPLACE" : "IGNORE", table);
    for (int i = first; i < n; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i > first ? "," : "", sqlite3_column_name(from, i));
    sqlite3_str_appendall(sql, ") VALUES(");
    for (int i = first; i < n; i++)
        sqlite3_str_appendall(sql, i > first ? ",?" : "?");
    sqlite3_str_appendall(sql, ")");
    text = sqlite3_str_finish(sql);
    if (text != NULL)
        (void)sqlite3_prepare_v2(v->to, text, -1, &stmt, NULL);
    sqlite3_free(text);
    return stmt;
}

/* 1: taken; 0: it was there, or does not fit; -errno: the new database cannot be written. */
static int take_row(struct salvage *v, sqlite3_stmt *from, int first, sqlite3_stmt *to)
{
    int rc;

    for (int i = first; i < sqlite3_column_count(from); i++)
        (void)sqlite3_bind_value(to, i - first + 1, sqlite3_column_value(from, i));
    rc = sqlite3_step(to);
    (void)sqlite3_reset(to);
    (void)sqlite3_clear_bindings(to);
    if ((rc & 0xff) == SQLITE_CONSTRAINT)
        return 0;
    return rc == SQLITE_DONE ? sqlite3_changes(v->to) > 0 : store_errno(v->to, rc);
}

struct walk {
    const char *table;
    uint64_t rows, holes;
    int64_t last; /* rowid */
};

static bool is_damage(int rc)
{
    return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB || (rc & 0xff) == SQLITE_IOERR;
}

/*
 * The rows that sql asks for (sqlite3_mprintf()'s, which goes with it), up to the first that cannot be read. *ret_damaged: there is one.
 * first: of their columns, the first that is taken; before it stands the rowid.
 */
static int walk_rows(struct salvage *v, struct walk *w, char *sql, int first, bool *ret_damaged)
{
    sqlite3_stmt *from = NULL, *to = NULL;
    int rc = sql != NULL ? sqlite3_prepare_v2(v->from, sql, -1, &from, NULL) : SQLITE_NOMEM, took = 0;

    if (rc == SQLITE_OK && (to = make_insert(v, w->table, from, first)) == NULL)
        took = store_errno(v->to, sqlite3_errcode(v->to));
    while (rc == SQLITE_OK && took >= 0 && (rc = sqlite3_step(from)) == SQLITE_ROW) {
        if (first > 0)
            w->last = sqlite3_column_int64(from, 0);
        took = take_row(v, from, first, to);
        w->rows += took > 0;
        rc = SQLITE_OK;
    }
    *ret_damaged = is_damage(rc);
    (void)sqlite3_finalize(from);
    (void)sqlite3_finalize(to);
    sqlite3_free(sql);
    return took < 0 ? took : 0;
}

/* ---- by rowid ---- */

static int walk_rowids(struct salvage *v, struct walk *w, int64_t from_row, bool *ret_damaged)
{
    char *sql =
        sqlite3_mprintf("SELECT rowid, * FROM \"%w\" NOT INDEXED WHERE rowid >= %lld ORDER BY rowid", w->table, (long long)from_row);

    return walk_rows(v, w, sql, 1, ret_damaged);
}

/* Can something at or behind this rowid be found? 1: *ret_row; 0: there is nothing more; -1: damage. */
static int probe(struct salvage *v, const char *table, int64_t row, int64_t *ret_row)
{
    char *sql = sqlite3_mprintf("SELECT rowid FROM \"%w\" NOT INDEXED WHERE rowid >= %lld ORDER BY rowid LIMIT 1", table, (long long)row);
    sqlite3_stmt *stmt = NULL;
    int rc = sql != NULL ? sqlite3_prepare_v2(v->from, sql, -1, &stmt, NULL) : SQLITE_NOMEM;

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret_row = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

/* The first row behind the damage after row: found in leaps that double, then between the last two. 0: there is none. */
static int64_t leap(struct salvage *v, const char *table, int64_t row)
{
    int64_t bad = row, good = 0, found = 0;

    for (int i = 0; i < LEAP_MAX && good == 0; i++) {
        int64_t at = row + ((int64_t)1 << i);
        int got = probe(v, table, at, &found);

        if (got > 0)
            good = found;
        else if (got == 0)
            return 0;
        else
            bad = at;
    }
    while (good != 0 && good - bad > 1) {
        int64_t middle = bad + (good - bad) / 2;

        if (probe(v, table, middle, &found) > 0)
            good = middle == found ? middle : good > found ? found : middle;
        else
            bad = middle;
    }
    return good;
}

static int salvage_rowids(struct salvage *v, struct walk *w)
{
    bool damaged = true;
    int64_t next = INT64_MIN;
    int err = 0;

    w->last = 0;
    while (err == 0 && damaged) {
        err = walk_rowids(v, w, next, &damaged);
        if (err == 0 && damaged) {
            w->holes++;
            next = leap(v, w->table, w->last);
            if (next == 0 || next <= w->last)
                break;
        }
    }
    return err;
}

/* ---- by key, from one end ---- */

static int walk_keys(struct salvage *v, struct walk *w, const char *key, bool down, bool *ret_damaged)
{
    char *sql = sqlite3_mprintf("SELECT * FROM \"%w\" NOT INDEXED ORDER BY \"%w\" %s", w->table, key, down ? "DESC" : "");

    return walk_rows(v, w, sql, 0, ret_damaged);
}

static int salvage_keys(struct salvage *v, struct walk *w, const char *key)
{
    bool damaged;
    int err = walk_keys(v, w, key, false, &damaged);

    if (err == 0 && damaged) {
        w->holes++;
        err = walk_keys(v, w, key, true, &damaged);
    }
    return err;
}

/* ---- a table ---- */

static int salvage_table(struct salvage *v, size_t i)
{
    struct walk w = { .table = tables[i].name };
    int err = tables[i].rowid ? salvage_rowids(v, &w) : salvage_keys(v, &w, tables[i].key);

    if (err == 0)
        care_say(v->care, tables[i].name, w.holes == 0, w.holes == 0 ? "%llu rows" : "%llu rows; what lay on %llu damaged places is lost",
                 (unsigned long long)w.rows, (unsigned long long)w.holes);
    return err;
}

static bool has_table(sqlite3 *db, const char *name)
{
    return sqlite3_table_column_metadata(db, "main", name, NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

/* ---- jobs whose own row is lost ----------------------------------------------------------------------------------------------------------- */

/* Rows of jobs that the walk from both ends has not met, by the ids that other tables know. */
static int look_up_jobs(struct salvage *v)
{
    sqlite3_stmt *ids = NULL, *from = NULL, *to = NULL;
    int rc =
            sqlite3_prepare_v2(v->to,
                               "SELECT job FROM spec UNION SELECT job FROM result UNION SELECT job FROM output UNION SELECT job FROM chain "
                               "EXCEPT SELECT id FROM job",
                               -1, &ids, NULL),
        err = store_errno(v->to, rc);

    if (err != 0 || sqlite3_prepare_v2(v->from, "SELECT * FROM job NOT INDEXED WHERE id = ?1", -1, &from, NULL) != SQLITE_OK)
        goto out;
    to = make_insert(v, "job", from, 0);
    while (to != NULL && err == 0 && sqlite3_step(ids) == SQLITE_ROW) {
        (void)sqlite3_bind_text(from, 1, (const char *)sqlite3_column_text(ids, 0), -1, SQLITE_TRANSIENT);
        if (sqlite3_step(from) == SQLITE_ROW && (rc = take_row(v, from, 0, to)) < 0)
            err = rc;
        (void)sqlite3_reset(from);
    }
out:
    (void)sqlite3_finalize(ids);
    (void)sqlite3_finalize(from);
    (void)sqlite3_finalize(to);
    return err;
}

struct remade {
    char id[ULID_LEN + 1], name[129], engine[33];
    int state, cause;
    uint64_t attempt, epoch, submitted_us, ended_us;
};

static int insert_remade(struct salvage *v, const struct remade *r)
{
    sqlite3_stmt *stmt = NULL;
    struct binder b;
    int err =
        store_errno(v->to, sqlite3_prepare_v2(v->to,
                                              "INSERT OR IGNORE INTO job(id, name, engine, state, cause, attempt, epoch, submitted_us, "
                                              "stdin_mode, updated_us, ended_us, hold, tenant) "
                                              "VALUES(?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?)",
                                              -1, &stmt, NULL));

    if (err != 0)
        return err;
    b = store_binder(stmt);
    store_put_text(&b, r->id);
    store_put_text(&b, r->name);
    store_put_text(&b, r->engine);
    store_put_num(&b, (uint64_t)r->state);
    store_put_num(&b, (uint64_t)r->cause);
    store_put_num(&b, r->attempt);
    store_put_num(&b, r->epoch);
    store_put_num(&b, r->submitted_us);
    store_put_num(&b, r->ended_us);
    store_put_num(&b, r->state == PB__STATE__STATE_HELD ? WAITING_HELD_USER : 0);
    store_put_num(&b, geteuid());
    err = store_step(stmt);
    (void)sqlite3_finalize(stmt);
    return err;
}

static void fill_from(struct remade *r, const ProtobufCMessageDescriptor *d, const void *bytes, size_t len)
{
    struct frame f;

    if (bytes == NULL || frame_decode(&f, d, bytes, len, FRAME_MAX_CONTROL) != 0)
        return;
    if (d == &pb__receipt__descriptor) {
        const Pb__Receipt *m = (const Pb__Receipt *)f.msg;

        (void)snprintf(r->name, sizeof(r->name), "%s", m->name);
        (void)snprintf(r->engine, sizeof(r->engine), "%s", m->engine);
        r->attempt = m->attempt;
        r->submitted_us = m->times != NULL ? m->times->submitted_us : 0;
    } else {
        (void)snprintf(r->name, sizeof(r->name), "%s", ((const Pb__JobSpec *)f.msg)->name);
        (void)snprintf(r->engine, sizeof(r->engine), "%s", ((const Pb__JobSpec *)f.msg)->engine);
    }
    frame_release(&f);
}

/* Of its receipt; else of its spec, and held. */
static int remake_jobs(struct salvage *v)
{
    sqlite3_stmt *stmt = NULL;
    int err = store_errno(v->to, sqlite3_prepare_v2(v->to,
                                                    "SELECT x.job, r.outcome, r.cause, r.epoch, r.recorded_us, r.receipt, s.body FROM "
                                                    "(SELECT job FROM spec UNION SELECT job FROM result EXCEPT SELECT id FROM job) x "
                                                    "LEFT JOIN result r ON r.job = x.job LEFT JOIN spec s ON s.job = x.job",
                                                    -1, &stmt, NULL));

    while (err == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
        struct columns c = store_columns(stmt);
        bool ended = sqlite3_column_type(stmt, 1) != SQLITE_NULL;
        struct remade r = { .state = PB__STATE__STATE_HELD };
        struct store_blob receipt, spec;

        store_take_text(&c, r.id, sizeof(r.id));
        if (ended)
            r.state = (int)store_take_num(&c);
        c.at = 2;
        r.cause = (int)store_take_num(&c);
        r.epoch = store_take_num(&c);
        r.ended_us = store_take_num(&c);
        receipt = store_take_blob(&c);
        spec = store_take_blob(&c);
        fill_from(&r, &pb__job_spec__descriptor, spec.bytes, spec.len);
        if (ended)
            fill_from(&r, &pb__receipt__descriptor, receipt.bytes, receipt.len);
        err = insert_remade(v, &r);
        if (err == 0)
            care_say(v->care, "job", false, ended ? "%s: its row is made again of its receipt" : "%s: only its spec is left; it is held",
                     r.id);
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

/* Rows that mean nothing without another that is lost: told by id, and dropped or ended. */
static int tell_lost(struct salvage *v)
{
    static const char sql[] = "SELECT id FROM job WHERE NOT (" UNFINISHED_SQL ") AND NOT EXISTS(SELECT 1 FROM result WHERE job = id) UNION "
                              "SELECT job FROM chain WHERE NOT EXISTS(SELECT 1 FROM result WHERE job = chain.job) AND "
                              "NOT EXISTS(SELECT 1 FROM removed WHERE seq = chain.seq)";
    sqlite3_stmt *stmt = NULL;
    int err = store_errno(v->to, sqlite3_prepare_v2(v->to, sql, -1, &stmt, NULL));

    while (err == 0 && sqlite3_step(stmt) == SQLITE_ROW)
        care_say(v->care, "receipt", false, "%s: its receipt is lost", (const char *)sqlite3_column_text(stmt, 0));
    (void)sqlite3_finalize(stmt);
    if (err == 0)
        err = store_errno(v->to, sqlite3_prepare_v2(v->to,
                                                    "SELECT id FROM job j WHERE " UNFINISHED_SQL
                                                    " AND NOT EXISTS(SELECT 1 FROM spec WHERE job IN (j.id, j.spec_of)) "
                                                    "AND NOT EXISTS(SELECT 1 FROM arr WHERE id IN (j.spec_of, j.array_id))",
                                                    -1, &stmt, NULL));
    while (err == 0 && sqlite3_step(stmt) == SQLITE_ROW)
        care_say(v->care, "spec", false, "%s: its spec is lost, it cannot run", (const char *)sqlite3_column_text(stmt, 0));
    if (stmt != NULL && err == 0)
        (void)sqlite3_finalize(stmt);
    /* a job that waits without a spec would keep every later broker from starting */
    return err == 0 ? store_errno(v->to, sqlite3_exec(v->to,
                                                      "DELETE FROM job WHERE " UNFINISHED_SQL
                                                      " AND NOT EXISTS(SELECT 1 FROM spec WHERE job IN (job.id, job.spec_of)) "
                                                      "AND NOT EXISTS(SELECT 1 FROM arr WHERE id IN (job.spec_of, job.array_id))",
                                                      NULL, NULL, NULL))
                    : err;
}

/* The new store has made its own: what was stamped with the one that is lost is nobody's any more. */
static void tell_lost_secret(struct salvage *v)
{
    int64_t n = 0;

    if (store_number(v->from, "SELECT " SECRET_IS_THERE_SQL, &n) != 0 || n == 0)
        care_say(v->care, "secret", false,
                 "the key of sealed blobs is lost, there is a new one: what was sealed before cannot be loaded any more");
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------------------------- */

/* The chain's head may be lost, or be behind what was read. */
static const char mend_head[] = "INSERT OR REPLACE INTO head(one, seq, hash) SELECT 1, seq, hash FROM chain ORDER BY seq DESC LIMIT 1";

/* As step 8 of the schema: what is older belongs to the broker's own user. */
static int adopt_older(struct salvage *v)
{
    static const char *const sets[] = { "UPDATE job SET tenant = %u", "UPDATE template SET tenant = %u", "UPDATE queue SET tenant = %u" };
    int64_t version = 0;
    char sql[64];
    int err = store_number(v->from, "PRAGMA user_version", &version);

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]) && err == 0 && version < 8; i++) {
        (void)sqlite3_snprintf(sizeof(sql), sql, sets[i], (unsigned)geteuid());
        err = store_errno(v->to, sqlite3_exec(v->to, sql, NULL, NULL, NULL));
    }
    return err;
}

/* One that an older version did not have is no loss; nobody can tell which version it was when that cannot be read either. */
static void note_missing(struct salvage *v, const char *table)
{
    int64_t version = SCHEMA_VERSION;

    (void)store_number(v->from, "PRAGMA user_version", &version);
    if (version >= SCHEMA_VERSION)
        care_say(v->care, table, false, "where it lies cannot be read: all of it is lost");
}

static int salvage_all(struct salvage *v)
{
    int err = store_errno(v->to, sqlite3_exec(v->to, "PRAGMA foreign_keys = OFF; PRAGMA synchronous = FULL; BEGIN", NULL, NULL, NULL));

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && err == 0; i++)
        if (has_table(v->from, tables[i].name))
            err = salvage_table(v, i);
        else
            note_missing(v, tables[i].name);
    if (has_table(v->from, "secret"))
        tell_lost_secret(v);
    if (err == 0)
        err = look_up_jobs(v);
    if (err == 0)
        err = adopt_older(v);
    if (err == 0)
        err = remake_jobs(v);
    if (err == 0)
        err = store_errno(v->to, sqlite3_exec(v->to,
                                              "UPDATE job SET state = (SELECT outcome FROM result WHERE job = id), "
                                              "cause = (SELECT cause FROM result WHERE job = id) "
                                              "WHERE " UNFINISHED_SQL " AND EXISTS(SELECT 1 FROM result WHERE job = id)",
                                              NULL, NULL, NULL));
    if (err == 0)
        err = tell_lost(v);
    if (err == 0)
        err = store_errno(v->to, sqlite3_exec(v->to, mend_head, NULL, NULL, NULL));
    return err == 0 ? store_errno(v->to, sqlite3_exec(v->to, "COMMIT", NULL, NULL, NULL)) : err;
}

/* What was read is what somebody had written there. */
static int mend_all(struct salvage *v)
{
    int err = store_errno(v->to, sqlite3_exec(v->to, "PRAGMA foreign_keys = ON; BEGIN", NULL, NULL, NULL));

    if (err == 0)
        err = store_mend(v->to, v->care);
    if (err == 0)
        err = tell_lost(v); /* an array that has gone took the spec of its tasks with it */
    if (err == 0)
        err = store_errno(v->to, sqlite3_exec(v->to,
                                              "UPDATE job SET array_id = '' WHERE array_id <> '' AND "
                                              "NOT EXISTS(SELECT 1 FROM arr WHERE id = job.array_id); "
                                              "DELETE FROM queue_item WHERE NOT EXISTS(SELECT 1 FROM queue WHERE id = queue_item.queue)",
                                              NULL, NULL, NULL));
    return err == 0 ? store_errno(v->to, sqlite3_exec(v->to, "COMMIT", NULL, NULL, NULL)) : err;
}

/* writable_schema: of a schema that is damaged itself, what can be read counts, and a file may be shorter than it says. */
static const char salvage_setup[] = "PRAGMA writable_schema = ON; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;";

int store_salvage(int dir_fd, const char *name, struct care *c)
{
    struct salvage v = { .care = c };
    char path[128], why[STORE_WHY] = "";
    int err;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/coop.db", dir_fd);
    err = store_connect(path, SQLITE_OPEN_READWRITE, PATIENCE_MS, &v.from, why);
    if (err == 0)
        (void)sqlite3_exec(v.from, salvage_setup, NULL, NULL, NULL);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%.60s", dir_fd, name);
    if (err == 0)
        err = store_connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, PATIENCE_MS, &v.to, why);
    if (err == 0)
        err = store_schema_upgrade(v.to, why);
    if (err == 0 && !has_table(v.from, "job") && !has_table(v.from, "spec") && !has_table(v.from, "result")) {
        care_say(c, "file", false,
                 "its first page cannot be read, and with it where everything lies: take a backup (coop store restore DIR)");
        err = -EUCLEAN;
    }
    if (err == 0)
        err = salvage_all(&v);
    if (err == 0)
        err = mend_all(&v);
    if (err != 0 && err != -EUCLEAN)
        care_say(c, "file", false, "the new database cannot be made: %s", why[0] != '\0' ? why : strerror(-err));
    (void)sqlite3_close(v.from);
    (void)sqlite3_close(v.to);
    return err;
}
