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

#define APPLICATION_ID 0x636f6f70 /* "coop", for file(1) and for us */

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
      "CREATE INDEX job_unfinished ON job(id) WHERE " UNFINISHED_SQL ";", NULL },
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
