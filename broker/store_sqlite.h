/*
 * store_sqlite.h - what the parts of the SQLite store share; nobody else includes it.
 *
 *   store_sqlite.c  the directory, the lock, opening and closing         store_schema.c  tables and their versions
 *   store_writer.c  the queue, the writer thread, group commit           store_reads.c   what the main thread asks
 *   store_chain.c   receipts in a chain of hashes, and its audit         store_kv.c      keys and values, calls of aliases
 *
 * Side:    broker. Two connections to one WAL database: `writer` belongs to the writer thread, `reader` to the main thread.
 * Returns: 0 or -errno.
 */
#ifndef BROKER_STORE_SQLITE_H
#define BROKER_STORE_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

/* The states before a receipt are those below this one; SQL says it as a number, because a partial index needs a literal. */
#define UNFINISHED_SQL "state < 5"
_Static_assert(PB__STATE__STATE_SUCCEEDED == 5 && PB__STATE__STATE_FINISHING == 4, "UNFINISHED_SQL names the end states");

enum write_sql {
    W_BEGIN,
    W_COMMIT,
    W_ROLLBACK,
    W_SUBMIT,
    W_SPEC,
    W_INTERP,
    W_MOVE,
    W_FINISH,
    W_RESULT,
    W_OUTPUT,
    W_WHY_NOT,
    W_KV_OLD,
    W_KV_TOTAL,
    W_KV_PUT,
    W_KV_DROP,
    W_KV_ADD,
    W_ALIAS,
    W_ALIAS_FORGET,
    W_TEMPLATE,
    W_TEMPLATE_REMOVE,
    W_QUEUE_ADD,
    W_QUEUE_CLOSE,
    W_QUEUE_EMPTY,
    W_QUEUE_REMOVE,
    W_QUEUE_PUT,
    W_QUEUE_TAKE,
    W_CHAIN,
    W_COUNT = W_CHAIN + 4
};
enum read_sql {
    R_FIND,
    R_SPEC,
    R_RECEIPT,
    R_OUTPUT,
    R_LIST,
    R_LIST_UNFINISHED,
    R_HEAD,
    R_LINK,
    R_AUDIT,
    R_AUDIT_OTHERS,
    R_DEFINITION,
    R_KV_GET,
    R_KV_LIST,
    R_ALIASES,
    R_TEMPLATES,
    R_TEMPLATE_LAST,
    R_QUEUES,
    R_QUEUE_ITEMS,
    R_COUNT
};

struct op_list {
    struct store_op *first, **last;
};

/* Where the chain ends, known for the length of one transaction; all zero at its begin. */
struct chain_end {
    bool known;
    uint64_t seq;
    uint8_t hash[STORE_HASH];
};

struct store {
    int dir_fd;  /* the directory; the database is opened through it, whatever its path is by now */
    int lock_fd; /* holds the flock */
    int event_fd;

    sqlite3 *reader; /* main thread */
    sqlite3_stmt *r[R_COUNT];

    sqlite3 *writer; /* writer thread, once it runs */
    sqlite3_stmt *w[W_COUNT];
    int wal_pages;          /* writer thread: how long the log is */
    struct chain_end chain; /* the same: of the transaction that is open */

    bool running; /* main thread: there is a writer to join */
    pthread_t thread;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t wake;
    struct op_list queue, done;
    struct timespec oldest; /* CLOCK_MONOTONIC: when the first op of the queue was pushed */
    unsigned ride_ms;       /* since then, until they are written though none is urgent */
    size_t pending;         /* in the queue, in the writer's hands, or done and not collected */
    bool urgent, stop;
};

/* -errno for what SQLite just said on this connection. */
int store_errno(sqlite3 *db, int rc);
/* Steps a statement that returns no rows, and resets it. */
int store_step(sqlite3_stmt *stmt);
/* Compiles count statements; the ones compiled so far are left in ret on failure, for store_drop(). */
int store_prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **ret, int count);
void store_drop(sqlite3_stmt **stmt, int count);
/* The first column of the first row as a number. */
int store_number(sqlite3 *db, const char *sql, int64_t *ret);
__attribute__((format(printf, 2, 3))) void store_say(char why[STORE_WHY], const char *fmt, ...);

/* One step of the schema: what brings a database of version-1 to version. */
struct schema_step {
    int version;
    const char *what;
    const char *sql;
    int (*also)(sqlite3 *db); /* after the SQL, in the same transaction; NULL: nothing */
};
#define SCHEMA_VERSION 7
extern const struct schema_step store_schema[SCHEMA_VERSION];
/* Refuses what is not ours or newer than we are; writes nothing. -EPROTONOSUPPORT, -EUCLEAN. */
int store_schema_check(sqlite3 *db, char why[STORE_WHY]);
/* Takes the missing steps, each in a transaction of its own. */
int store_schema_upgrade(sqlite3 *db, char why[STORE_WHY]);

/* What a record's hash is made of, beside the hash before it. Pointers are borrowed. */
struct chain_record {
    uint64_t seq;
    const char *job;
    uint64_t epoch, outcome, cause, recorded_us;
    const void *receipt;
    size_t receipt_len;
};
/* The statements that append, in this order wherever they are prepared. */
enum chain_sql { CHAIN_LAST, CHAIN_HEAD, CHAIN_ADD, CHAIN_SET_HEAD, CHAIN_STMTS };
_Static_assert(W_COUNT - W_CHAIN == CHAIN_STMTS, "the writer has all of them");
#define CHAIN_LAST_SQL     "SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1"
#define CHAIN_HEAD_SQL     "SELECT seq, hash FROM head"
#define CHAIN_ADD_SQL      "INSERT INTO chain(seq, job, hash) VALUES(?1, ?2, ?3)"
#define CHAIN_SET_HEAD_SQL "UPDATE head SET seq = ?1, hash = ?2"

void store_chain_hash(const struct chain_record *r, const uint8_t previous[STORE_HASH], uint8_t ret[STORE_HASH]);
/* Appends, inside the caller's transaction; sets r->seq. */
int store_chain_append(sqlite3_stmt *const stmts[CHAIN_STMTS], struct chain_end *end, struct chain_record *r);
/* At the end of a transaction that has appended. */
int store_chain_set_head(sqlite3_stmt *const stmts[CHAIN_STMTS], const struct chain_end *end);
/* Chains the receipts that are there already, in the order in which they were written. */
int store_chain_adopt(sqlite3 *db);

/* As the apply of store_writer.c: 0, and op->status says whether it was refused; -errno when the database failed. */
int store_kv_put(struct store *s, struct store_op *op, int64_t now_us);
int store_kv_drop(struct store *s, struct store_op *op, int64_t now_us);
int store_alias_add(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_add(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_close(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_remove(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_put(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_take(struct store *s, struct store_op *op, int64_t now_us);
/* What they share with the writer. */
int store_run(struct store *s, enum write_sql which);
int store_bind_blob(sqlite3_stmt *stmt, int at, const struct store_blob *b); /* -EFBIG: longer than SQLite takes */

extern const char *const store_write_sql[W_COUNT];
extern const char *const store_read_sql[R_COUNT];
int store_writer_start(struct store *s);
void store_writer_stop(struct store *s); /* commits what is queued, joins; fine when never started */

#endif
