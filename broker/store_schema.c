/*
 * store_schema.c - the tables, and the steps that lead to them.
 *
 * A released step is never edited: databases out there have taken it. The version is PRAGMA user_version, written in the transaction
 * of the step, so that a crash leaves a database of the version before or after, never between.
 * job is narrow and WITHOUT ROWID (one b-tree, in order of age); bodies live in tables with a rowid, where long rows do not
 * thin out the inner pages.
 */
#include "store_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define APPLICATION_ID 0x636f6f70 /* "coop", for file(1) and for us */

/* Step 8: whatever is there belongs to the broker's own user, and has a size. */
static int adopt_rows(sqlite3 *db)
{
    static const char *const sql[] = {
        "UPDATE job SET tenant = %u,"
        "  ended_us = coalesce((SELECT recorded_us FROM result WHERE job = id), 0),"
        "  kept_bytes = coalesce((SELECT length(body) FROM spec WHERE job = id), 0) +"
        "               coalesce((SELECT length(receipt) FROM result WHERE job = id), 0),"
        "  log_bytes = coalesce((SELECT sum(length(data)) FROM output WHERE job = id), 0)",
        "INSERT INTO tenant_total SELECT %u, sum(kept_bytes + log_bytes) FROM job HAVING count(*) > 0",
        "UPDATE template SET tenant = %u",
        "UPDATE queue SET tenant = %u",
        "UPDATE alias_call SET tenant = %u",
    };
    char text[512];
    int rc = SQLITE_OK;

    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]) && rc == SQLITE_OK; i++) {
        (void)sqlite3_snprintf(sizeof(text), text, sql[i], (unsigned)geteuid());
        rc = sqlite3_exec(db, text, NULL, NULL, NULL);
    }
    return store_errno(db, rc);
}

/* clang-format off */
const struct schema_step store_schema[SCHEMA_VERSION] = {
    { 1, "jobs, specs, results, outputs",
      "PRAGMA application_id = 0x636f6f70;"
      "CREATE TABLE job("
      "  id           TEXT    NOT NULL PRIMARY KEY," /* ULID: sorts by age */
      "  name         TEXT    NOT NULL,"
      "  engine       TEXT    NOT NULL,"
      "  state        INTEGER NOT NULL," /* pb.State */
      "  cause        INTEGER NOT NULL DEFAULT 0," /* pb.Cause */
      "  attempt      INTEGER NOT NULL DEFAULT 0,"
      "  epoch        INTEGER NOT NULL DEFAULT 0," /* fencing: only rises */
      "  submitted_us INTEGER NOT NULL,"
      "  stdin_mode   INTEGER NOT NULL," /* pb.StdinMode */
      "  updated_us   INTEGER NOT NULL"
      ") WITHOUT ROWID;"
      "CREATE TABLE spec("
      "  job  TEXT NOT NULL PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE,"
      "  body BLOB NOT NULL" /* pb.JobSpec */
      ");"
      "CREATE TABLE result(" /* a row here is the receipt: written once, never changed */
      "  job         TEXT    NOT NULL PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE,"
      "  epoch       INTEGER NOT NULL,"
      "  outcome     INTEGER NOT NULL,"
      "  cause       INTEGER NOT NULL,"
      "  recorded_us INTEGER NOT NULL,"
      "  receipt     BLOB    NOT NULL" /* pb.Receipt */
      ");"
      "CREATE TABLE output(" /* small outputs; long ones are files beside the database */
      "  job    TEXT    NOT NULL REFERENCES job(id) ON DELETE CASCADE,"
      "  stream INTEGER NOT NULL," /* 0 stdout, 1 stderr */
      "  data   BLOB    NOT NULL,"
      "  PRIMARY KEY(job, stream)"
      ");", NULL },
    { 2, "an index of the jobs that have not ended",
      "CREATE INDEX job_unfinished ON job(id) WHERE state < 5;", NULL },
    { 3, "receipts in a chain of hashes",
      "CREATE TABLE chain(" /* a row here is never changed, and stays when its job is deleted */
      "  seq  INTEGER NOT NULL PRIMARY KEY," /* 1, 2, 3, ... */
      "  job  TEXT    NOT NULL UNIQUE,"
      "  hash BLOB    NOT NULL" /* SHA-256: see docs/security.md */
      ");"
      "CREATE TABLE head(" /* one row: the last of the chain */
      "  one  INTEGER NOT NULL PRIMARY KEY CHECK(one = 1),"
      "  seq  INTEGER NOT NULL,"
      "  hash BLOB    NOT NULL"
      ");"
      "INSERT INTO head(one, seq, hash) VALUES(1, 0, zeroblob(32));", store_chain_adopt },
    { 4, "interpreters among the jobs",
      "ALTER TABLE job ADD COLUMN lives INTEGER NOT NULL DEFAULT 0;" /* store_lives */
      "CREATE TABLE interp(" /* of named ones: what the next broker makes them of, beside the spec */
      "  job        TEXT NOT NULL PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE,"
      "  definition BLOB NOT NULL" /* pb.InterpCreate */
      ");", NULL },
    { 5, "keys and values, calls of aliases",
      "CREATE TABLE kv("
      "  tenant     INTEGER NOT NULL," /* uid */
      "  key        TEXT    NOT NULL,"
      "  value      BLOB    NOT NULL,"
      "  updated_us INTEGER NOT NULL,"
      "  PRIMARY KEY(tenant, key)"
      ");"
      "CREATE TABLE kv_total(" /* kept in the transactions that change kv: a quota must not count */
      "  tenant INTEGER NOT NULL PRIMARY KEY,"
      "  keys   INTEGER NOT NULL,"
      "  bytes  INTEGER NOT NULL"
      ");"
      "CREATE TABLE alias_call(" /* the newest ones */
      "  number    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,"
      "  ended_us  INTEGER NOT NULL,"
      "  wall_us   INTEGER NOT NULL,"
      "  caller    TEXT    NOT NULL,"
      "  server    TEXT    NOT NULL,"
      "  name      TEXT    NOT NULL,"
      "  bytes_in  INTEGER NOT NULL,"
      "  bytes_out INTEGER NOT NULL,"
      "  error     INTEGER NOT NULL" /* pb.CallError */
      ");", NULL },
    { 6, "templates",
      "CREATE TABLE template("
      "  name       TEXT    NOT NULL,"
      "  version    INTEGER NOT NULL,"
      "  created_us INTEGER NOT NULL,"
      "  body       BLOB    NOT NULL," /* pb.JobSpec: its source is the init */
      "  PRIMARY KEY(name, version)"
      ");", NULL },
    { 7, "durable queues",
      "CREATE TABLE queue("
      "  id         TEXT    NOT NULL PRIMARY KEY," /* ULID */
      "  name       TEXT    NOT NULL UNIQUE,"
      "  max_items  INTEGER NOT NULL,"
      "  max_bytes  INTEGER NOT NULL,"
      "  unbound    INTEGER NOT NULL," /* pb.Unbound */
      "  closed     INTEGER NOT NULL DEFAULT 0,"
      "  created_us INTEGER NOT NULL"
      ") WITHOUT ROWID;"
      "CREATE TABLE queue_item("
      "  number  INTEGER NOT NULL PRIMARY KEY," /* rises: the order in which they came */
      "  queue   TEXT    NOT NULL,"
      "  unbound INTEGER NOT NULL," /* pb.Unbound */
      "  sender  TEXT    NOT NULL," /* id of a job, '': a host program */
      "  value   BLOB    NOT NULL" /* CBOR, proto/value.h */
      ");"
      "CREATE INDEX queue_item_of ON queue_item(queue, number);", NULL },
    { 8, "tenants, and what a job host has to know of a job",
      /* job_unfinished was of states below 5: there are others now that are no ends */
      "DROP INDEX job_unfinished;"
      "ALTER TABLE job ADD COLUMN tenant        INTEGER NOT NULL DEFAULT 0;" /* those that are there: the broker's own, in adopt_jobs() */
      "ALTER TABLE job ADD COLUMN user          TEXT    NOT NULL DEFAULT '';"
      "ALTER TABLE job ADD COLUMN queue         TEXT    NOT NULL DEFAULT '';"
      "ALTER TABLE job ADD COLUMN class         INTEGER NOT NULL DEFAULT 0;" /* pb.JobClass */
      "ALTER TABLE job ADD COLUMN prio          INTEGER NOT NULL DEFAULT 3;"
      "ALTER TABLE job ADD COLUMN hold          INTEGER NOT NULL DEFAULT 0;" /* bits */
      "ALTER TABLE job ADD COLUMN infra         INTEGER NOT NULL DEFAULT 0;" /* attempts that the platform lost */
      "ALTER TABLE job ADD COLUMN max_attempts  INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN not_before_us INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN deadline_us   INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN array_id      TEXT    NOT NULL DEFAULT '';"
      "ALTER TABLE job ADD COLUMN array_index   INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN spec_of       TEXT    NOT NULL DEFAULT '';" /* whose spec it shares; '': its own, or its array's */
      "ALTER TABLE job ADD COLUMN template      TEXT    NOT NULL DEFAULT '';"
      "ALTER TABLE job ADD COLUMN builds        INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN limiters      TEXT    NOT NULL DEFAULT '';"
      "ALTER TABLE job ADD COLUMN memory_bytes  INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN wall_us       INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN threads       INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN ended_us      INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN log_until_us  INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN keep_until_us INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE job ADD COLUMN kept_bytes    INTEGER NOT NULL DEFAULT 0;" /* its spec and its receipt */
      "ALTER TABLE job ADD COLUMN log_bytes     INTEGER NOT NULL DEFAULT 0;" /* its outputs, with those in files */
      "CREATE INDEX job_unfinished ON job(id) WHERE state NOT BETWEEN 5 AND 11;"
      "CREATE INDEX job_of_tenant ON job(tenant, id);"
      "CREATE UNIQUE INDEX job_of_array ON job(array_id, array_index) WHERE array_id <> '';"
      "CREATE INDEX job_shares ON job(spec_of) WHERE spec_of <> '';"
      "CREATE INDEX job_log_due ON job(log_until_us) WHERE log_until_us <> 0;"
      "CREATE INDEX job_keep_due ON job(keep_until_us) WHERE keep_until_us <> 0;"
      "CREATE TABLE idem(" /* of a job, an array or a cron entry */
      "  tenant    INTEGER NOT NULL,"
      "  key       TEXT    NOT NULL,"
      "  id        TEXT    NOT NULL UNIQUE,"
      "  spec_hash BLOB    NOT NULL,"
      "  PRIMARY KEY(tenant, key)"
      ") WITHOUT ROWID;"
      "CREATE TABLE label("
      "  job    TEXT    NOT NULL," /* or array */
      "  key    TEXT    NOT NULL,"
      "  value  TEXT    NOT NULL,"
      "  owner  INTEGER NOT NULL," /* the job's tenant: for the index */
      "  PRIMARY KEY(job, key)"
      ") WITHOUT ROWID;"
      "CREATE INDEX label_of ON label(key, value, owner, job);"
      "CREATE TABLE arr("
      "  id            TEXT    NOT NULL PRIMARY KEY," /* ULID */
      "  tenant        INTEGER NOT NULL,"
      "  user          TEXT    NOT NULL,"
      "  name          TEXT    NOT NULL,"
      "  engine        TEXT    NOT NULL,"
      "  queue         TEXT    NOT NULL,"
      "  class         INTEGER NOT NULL,"
      "  prio          INTEGER NOT NULL,"
      "  hold          INTEGER NOT NULL,"
      "  first         INTEGER NOT NULL,"
      "  last          INTEGER NOT NULL,"
      "  step          INTEGER NOT NULL,"
      "  tasks         INTEGER NOT NULL,"
      "  max_parallel  INTEGER NOT NULL,"
      "  submitted_us  INTEGER NOT NULL,"
      "  not_before_us INTEGER NOT NULL,"
      "  deadline_us   INTEGER NOT NULL,"
      "  ended_us      INTEGER NOT NULL DEFAULT 0,"
      "  succeeded     INTEGER NOT NULL DEFAULT 0," /* written when it ends, as the two below */
      "  failed        INTEGER NOT NULL DEFAULT 0,"
      "  cancelled     INTEGER NOT NULL DEFAULT 0,"
      "  spec          BLOB    NOT NULL" /* pb.JobSpec, of all its tasks */
      ");"
      "CREATE INDEX arr_unfinished ON arr(id) WHERE ended_us = 0;"
      "CREATE INDEX arr_of_tenant ON arr(tenant, id);"
      "CREATE TABLE dep("
      "  job    TEXT    NOT NULL," /* waits; or array */
      "  on_job TEXT    NOT NULL," /* for this one; or array */
      "  after  INTEGER NOT NULL," /* pb.After */
      "  met    INTEGER NOT NULL DEFAULT 0,"
      "  PRIMARY KEY(job, on_job)"
      ") WITHOUT ROWID;"
      "CREATE INDEX dep_open ON dep(job) WHERE met = 0;"
      "CREATE TABLE attempt("
      "  job        TEXT    NOT NULL,"
      "  epoch      INTEGER NOT NULL,"
      "  n          INTEGER NOT NULL,"
      "  cause      INTEGER NOT NULL," /* pb.Cause */
      "  detail     TEXT    NOT NULL,"
      "  started_us INTEGER NOT NULL,"
      "  ended_us   INTEGER NOT NULL,"
      "  cpu_us     INTEGER NOT NULL,"
      "  infra      INTEGER NOT NULL,"
      "  PRIMARY KEY(job, epoch)"
      ") WITHOUT ROWID;"
      "CREATE TABLE cron("
      "  id         TEXT    NOT NULL PRIMARY KEY," /* ULID */
      "  tenant     INTEGER NOT NULL,"
      "  user       TEXT    NOT NULL,"
      "  name       TEXT    NOT NULL,"
      "  engine     TEXT    NOT NULL,"
      "  expr       TEXT    NOT NULL,"
      "  zone       TEXT    NOT NULL,"
      "  paused     INTEGER NOT NULL,"
      "  created_us INTEGER NOT NULL,"
      "  next_us    INTEGER NOT NULL,"
      "  last_us    INTEGER NOT NULL,"
      "  last_job   TEXT    NOT NULL,"
      "  spec       BLOB    NOT NULL" /* pb.JobSpec */
      ");"
      "CREATE INDEX cron_of_tenant ON cron(tenant);"
      "CREATE TABLE limiter("
      "  tenant INTEGER NOT NULL,"
      "  key    TEXT    NOT NULL,"
      "  max    INTEGER NOT NULL,"
      "  PRIMARY KEY(tenant, key)"
      ") WITHOUT ROWID;"
      "CREATE TABLE tenant("
      "  id         INTEGER NOT NULL PRIMARY KEY,"
      "  name       TEXT    NOT NULL UNIQUE,"
      "  parent     INTEGER NOT NULL," /* 0: none */
      "  weight     REAL    NOT NULL,"
      "  suspended  INTEGER NOT NULL,"
      "  created_us INTEGER NOT NULL,"
      "  body       BLOB    NOT NULL," /* pb.Tenant */
      "  vtime      REAL    NOT NULL DEFAULT 0,"
      "  used       REAL    NOT NULL DEFAULT 0,"
      "  used_at_us INTEGER NOT NULL DEFAULT 0"
      ");"
      "CREATE INDEX tenant_below ON tenant(parent);"
      "CREATE TABLE tenant_total(" /* kept in the transactions that change what it says: a quota must not count */
      "  tenant INTEGER NOT NULL PRIMARY KEY,"
      "  bytes  INTEGER NOT NULL" /* specs, receipts, outputs */
      ");"
      "CREATE TABLE token("
      "  id           TEXT    NOT NULL PRIMARY KEY,"
      "  tenant       INTEGER NOT NULL,"
      "  hash         BLOB    NOT NULL," /* SHA-256 of the secret */
      "  scopes       INTEGER NOT NULL," /* bits */
      "  queue        TEXT    NOT NULL,"
      "  created_us   INTEGER NOT NULL,"
      "  expires_us   INTEGER NOT NULL,"
      "  last_used_us INTEGER NOT NULL,"
      "  revoked      INTEGER NOT NULL,"
      "  note         TEXT    NOT NULL,"
      "  made_by      TEXT    NOT NULL"
      ") WITHOUT ROWID;"
      "CREATE INDEX token_of_tenant ON token(tenant);"
      "CREATE TABLE usage_day("
      "  tenant  INTEGER NOT NULL,"
      "  day     INTEGER NOT NULL," /* since 1970, UTC */
      "  jobs    INTEGER NOT NULL,"
      "  failed  INTEGER NOT NULL,"
      "  refused INTEGER NOT NULL,"
      "  cpu_us  INTEGER NOT NULL,"
      "  wall_us INTEGER NOT NULL,"
      "  mib_us  INTEGER NOT NULL," /* MiB times microseconds */
      "  PRIMARY KEY(tenant, day)"
      ") WITHOUT ROWID;"
      "CREATE TABLE admin_act("
      "  seq    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,"
      "  at_us  INTEGER NOT NULL,"
      "  actor  TEXT    NOT NULL,"
      "  tenant INTEGER NOT NULL,"
      "  verb   TEXT    NOT NULL,"
      "  object TEXT    NOT NULL,"
      "  detail TEXT    NOT NULL"
      ");"
      "CREATE TABLE removed(" /* records of the chain whose job was removed by order */
      "  seq   INTEGER NOT NULL PRIMARY KEY,"
      "  job   TEXT    NOT NULL,"
      "  at_us INTEGER NOT NULL"
      ");"
      "CREATE TABLE broker(" /* for several of them on one store: who may claim, until when */
      "  id             TEXT    NOT NULL PRIMARY KEY,"
      "  epoch          INTEGER NOT NULL,"
      "  lease_until_us INTEGER NOT NULL"
      ") WITHOUT ROWID;"
      "ALTER TABLE alias_call ADD COLUMN tenant INTEGER NOT NULL DEFAULT 0;"
      "CREATE INDEX alias_of_tenant ON alias_call(tenant);"
      /* names of templates and of durable queues: one of each tenant */
      "CREATE TABLE template_8("
      "  tenant     INTEGER NOT NULL,"
      "  name       TEXT    NOT NULL,"
      "  version    INTEGER NOT NULL,"
      "  created_us INTEGER NOT NULL,"
      "  body       BLOB    NOT NULL," /* pb.JobSpec: its source is the init */
      "  PRIMARY KEY(tenant, name, version)"
      ");"
      "INSERT INTO template_8 SELECT 0, name, version, created_us, body FROM template;"
      "DROP TABLE template;"
      "ALTER TABLE template_8 RENAME TO template;"
      "CREATE TABLE queue_8("
      "  id         TEXT    NOT NULL PRIMARY KEY," /* ULID */
      "  tenant     INTEGER NOT NULL,"
      "  name       TEXT    NOT NULL,"
      "  max_items  INTEGER NOT NULL,"
      "  max_bytes  INTEGER NOT NULL,"
      "  unbound    INTEGER NOT NULL," /* pb.Unbound */
      "  closed     INTEGER NOT NULL DEFAULT 0,"
      "  created_us INTEGER NOT NULL,"
      "  UNIQUE(tenant, name)"
      ") WITHOUT ROWID;"
      "INSERT INTO queue_8 SELECT id, 0, name, max_items, max_bytes, unbound, closed, created_us FROM queue;"
      "DROP TABLE queue;"
      "ALTER TABLE queue_8 RENAME TO queue;"
      "CREATE TABLE hook(" /* jobs and arrays that owe somebody the notice of their end */
      "  job TEXT NOT NULL PRIMARY KEY" /* ULID */
      ") WITHOUT ROWID;", adopt_rows },
    { 9, "the store's own secrets",
      "CREATE TABLE secret("
      "  name  TEXT NOT NULL PRIMARY KEY,"
      "  value BLOB NOT NULL CHECK(typeof(value) = 'blob' AND length(value) = 32)"
      ");", store_make_secrets },
};
/* clang-format on */

int store_schema_check(sqlite3 *db, char why[STORE_WHY])
{
    int64_t version = 0, application = 0, tables = 0;
    int rc;

    if ((rc = store_number(db, "PRAGMA user_version", &version)) != 0 ||
        (rc = store_number(db, "PRAGMA application_id", &application)) != 0 ||
        (rc = store_number(db, "SELECT count(*) FROM sqlite_schema", &tables)) != 0) {
        store_say(why, "cannot read the job database: %s", sqlite3_errmsg(db));
        return rc;
    }
    if (version == 0 && application == 0 && tables == 0)
        return 0; /* new */
    if (application != APPLICATION_ID) {
        store_say(why, "coop.db is a database of another program");
        return -EUCLEAN;
    }
    if (version > SCHEMA_VERSION) {
        store_say(why, "the job database has schema version %lld, this coop knows versions up to %d: install the newer coop again",
                  (long long)version, SCHEMA_VERSION);
        return -EPROTONOSUPPORT;
    }
    return 0;
}

static int take_step(sqlite3 *db, const struct schema_step *step, char why[STORE_WHY])
{
    char stamp[64];
    int rc, err = 0;

    (void)snprintf(stamp, sizeof(stamp), "PRAGMA user_version = %d", step->version);
    rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, step->sql, NULL, NULL, NULL);
    if (rc == SQLITE_OK && step->also != NULL)
        err = step->also(db);
    if (rc == SQLITE_OK && err == 0)
        rc = sqlite3_exec(db, stamp, NULL, NULL, NULL);
    if (rc == SQLITE_OK && err == 0)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc == SQLITE_OK && err == 0)
        return 0;
    store_say(why, "cannot bring the job database to version %d (%s): %s", step->version, step->what, sqlite3_errmsg(db));
    rc = err != 0 ? err : store_errno(db, rc);
    if (!sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int store_schema_upgrade(sqlite3 *db, char why[STORE_WHY])
{
    int64_t version = 0;
    int rc = store_number(db, "PRAGMA user_version", &version);

    for (int i = 0; i < SCHEMA_VERSION && rc == 0; i++)
        if (store_schema[i].version > version)
            rc = take_step(db, &store_schema[i], why);
    return rc;
}

/* ---- is it ours, whole? ------------------------------------------------------------------------------------------------------------------ */

/* Each thing in it as one text; columns as SQLite reads them, which older versions of it may have written in other words. */
static const char shape_sql[] =
    "SELECT m.type || ' ' || m.name FROM sqlite_schema m WHERE m.name NOT LIKE 'sqlite_%' UNION ALL "
    "SELECT 'column ' || m.name || '.' || p.name || ' ' || p.type || ' ' || p.\"notnull\" || p.pk FROM sqlite_schema m "
    "JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' UNION ALL "
    "SELECT 'index ' || m.name || ': ' || m.sql FROM sqlite_schema m WHERE m.type = 'index' AND m.sql IS NOT NULL ORDER BY 1";

/* All of it into a table of own's that holds nothing else. */
static int note_shape(sqlite3 *own, const char *table, sqlite3 *of)
{
    char *sql = sqlite3_mprintf("INSERT INTO temp.%s VALUES(?1)", table);
    sqlite3_stmt *shape = NULL, *note = NULL;
    int rc = SQLITE_DONE, err = store_errno(of, sqlite3_prepare_v2(of, shape_sql, -1, &shape, NULL));

    if (err == 0)
        err = store_errno(own, sqlite3_prepare_v2(own, sql, -1, &note, NULL));
    while (err == 0 && (rc = sqlite3_step(shape)) == SQLITE_ROW) {
        (void)sqlite3_bind_value(note, 1, sqlite3_column_value(shape, 0));
        err = store_step(note);
    }
    if (err == 0)
        err = store_errno(of, rc);
    (void)sqlite3_finalize(shape);
    (void)sqlite3_finalize(note);
    sqlite3_free(sql);
    return err;
}

static int tell_strange(sqlite3 *own, char why[STORE_WHY])
{
    static const char sql[] = "SELECT (SELECT 'it has ' || t FROM (SELECT t FROM theirs EXCEPT SELECT t FROM ours) LIMIT 1), "
                              "(SELECT 'it lacks ' || t FROM (SELECT t FROM ours EXCEPT SELECT t FROM theirs) LIMIT 1)";
    sqlite3_stmt *stmt = NULL;
    const char *more, *less;
    int err = store_errno(own, sqlite3_prepare_v2(own, sql, -1, &stmt, NULL));

    if (err == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
        more = (const char *)sqlite3_column_text(stmt, 0);
        less = (const char *)sqlite3_column_text(stmt, 1);
        if (more != NULL || less != NULL) {
            store_say(why, "the job database is not as coop makes it: %.120s%s%.120s", more != NULL ? more : "",
                      more != NULL && less != NULL ? ", " : "", less != NULL ? less : "");
            err = -EUCLEAN;
        }
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

int store_schema_compare(sqlite3 *db, char why[STORE_WHY])
{
    sqlite3 *own = NULL;
    int err = store_errno(NULL, sqlite3_open(":memory:", &own));

    why[0] = '\0';
    if (err == 0)
        err = store_schema_upgrade(own, why);
    if (err == 0)
        err = store_errno(own, sqlite3_exec(own, "BEGIN; CREATE TEMP TABLE ours(t); CREATE TEMP TABLE theirs(t)", NULL, NULL, NULL));
    if (err == 0)
        err = note_shape(own, "ours", own);
    if (err == 0)
        err = note_shape(own, "theirs", db);
    if (err == 0)
        err = tell_strange(own, why);
    if (err != 0 && why[0] == '\0')
        store_say(why, "what the job database is made of cannot be read: %s", sqlite3_errmsg(db));
    (void)sqlite3_close(own);
    return err;
}
