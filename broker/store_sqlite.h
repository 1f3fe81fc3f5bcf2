/*
 * store_sqlite.h - what the parts of the SQLite store share; nobody else includes it.
 *
 *   store_sqlite.c  the directory, the lock, opening and closing         store_schema.c     tables and their versions
 *   store_writer.c  the queue, the writer thread, group commit           store_sql.c        what the writer says
 *   store_jobs.c    jobs come in, move, end                              store_edit.c       are edited and removed
 *   store_reads.c   what the main thread asks of one                     store_list.c       of many
 *   store_chain.c   receipts in a chain of hashes, and its audit         store_bind.c       parameters and columns
 *   store_plans.c   arrays, dependencies, cron entries, limiters         store_tenants.c    tenants, tokens, use by day
 *   store_tally.c   counts of tenants in a transaction                   store_templates.c  templates
 *   store_kv.c      keys and values, calls of aliases                    store_queues.c     durable queues
 *   store_sound.c   what a row has to be, for start, check and repair
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
#include "store_sound.h"

/* States without a receipt, and those of them that wait; SQL says it as numbers, because a partial index needs literals. */
#define UNFINISHED_SQL "state NOT BETWEEN 5 AND 11"
#define WAITS_SQL      "state IN (1, 12, 13, 14, 16)"
_Static_assert(PB__STATE__STATE_SUCCEEDED == 5 && PB__STATE__STATE_DEAD == 11, "UNFINISHED_SQL names the end states");
_Static_assert(PB__STATE__STATE_READY == 1 && PB__STATE__STATE_HELD == 12 && PB__STATE__STATE_SCHEDULED == 13 &&
                   PB__STATE__STATE_BLOCKED == 14 && PB__STATE__STATE_RETRY_WAIT == 16,
               "WAITS_SQL names the states that wait");

#define SECRET_IS_THERE_SQL "EXISTS(SELECT 1 FROM secret WHERE name = '" STORE_SECRET_BLOB "' AND length(value) = 32)"

enum write_sql {
    W_BEGIN,
    W_COMMIT,
    W_ROLLBACK,
    W_SAVE,
    W_SAVE_BACK,
    W_SAVE_END,
    W_SUBMIT,
    W_SPEC,
    W_INTERP,
    W_IDEM,
    W_IDEM_THERE,
    W_IDEM_DROP,
    W_LABEL,
    W_LABELS_DROP,
    W_SPEC_ROOT,
    W_ARRAY,
    W_ARRAY_WHOLE,
    W_ARRAY_NOT_WHOLE,
    W_ARRAY_END,
    W_CLAIM,
    W_MOVE,
    W_FINISH,
    W_ROW,
    W_RESULT,
    W_OUTPUT,
    W_WHY_NOT,
    W_ATTEMPT,
    W_EDIT,
    W_EDIT_TASKS,
    W_EDIT_ARRAY,
    W_EDIT_ARRAY_SPEC,
    W_EDIT_SPEC,
    W_OWN_SPEC,
    W_ADD_KEPT,
    W_SPEC_LENGTH,
    W_ARRAY_SPEC_LENGTH,
    W_ENDED,
    W_ENDED_ARRAY,
    W_ARRAY_OF,
    W_ARRAY_LEFT,
    W_HEIR,
    W_HEIR_SPEC,
    W_HEIR_ARRAY_SPEC,
    W_HEIRS,
    W_REMOVED,
    W_REMOVE_JOB,
    W_REMOVE_ARRAY,
    W_REMOVE_ATTEMPTS,
    W_REMOVE_DEPS,
    W_TASKS,
    W_TASK,
    W_LOGS,
    W_LOGS_DROP,
    W_LOGS_NONE,
    W_DEP_ADD,
    W_DEP_KNOWN,
    W_DEP_MET,
    W_DEP_DROP,
    W_CRON_PUT,
    W_CRON_KNOWN,
    W_CRON_REMOVE,
    W_LIMITER_PUT,
    W_LIMITER_REMOVE,
    W_TENANT_NAME,
    W_TENANT_PUT,
    W_TENANT_USE,
    W_TENANT_BUSY,
    W_TENANT_REMOVE,
    W_TENANT_FORGET,
    W_TOKEN_PUT = W_TENANT_FORGET + 7,
    W_TOKEN_USED,
    W_TOKEN_REMOVE,
    W_USAGE,
    W_TOTAL,
    W_ADMIN_ACT,
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
    W_HOOK,
    W_HOOK_TASK,
    W_HOOK_DONE,
    W_CHAIN,
    W_COUNT = W_CHAIN + 4
};
enum read_sql {
    R_FIND,
    R_FIND_ARRAY,
    R_FIND_TASK,
    R_IDEM,
    R_SPEC,
    R_SPEC_OWNER,
    R_RECEIPT,
    R_OUTPUT,
    R_LABELS,
    R_ATTEMPTS,
    R_ARRAY_COUNTS,
    R_STORED_BYTES,
    R_ADMIN_ACTS,
    R_HEAD,
    R_LINK,
    R_KV_GET,
    R_KV_LIST,
    R_ALIASES,
    R_ALIASES_OF,
    R_QUEUES,
    R_QUEUE_ITEMS,
    R_AUDIT,
    R_DEFINITION,
    R_AUDIT_OTHERS,
    R_TEMPLATES,
    R_TEMPLATE_LAST,
    R_HOOKS,
    R_SECRET,
    R_COUNT
};

struct op_list {
    struct store_op *first, **last;
};

/* What a transaction adds to counts of tenants, written once at its end; all zero at its begin. */
#define TALLY_ROWS 32
struct tally {
    struct {
        uint64_t tenant;
        int64_t bytes;
    } totals[TALLY_ROWS];
    struct store_usage usages[TALLY_ROWS];
    unsigned n_totals, n_usages;
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
    unsigned unsound; /* rows that a walk has told of */
    struct {
        void (*fn)(void *ctx, const struct store_unsound *u);
        void *ctx;
    } on_unsound;
    struct {
        void (*fn)(void *ctx, const struct store_met *met, bool sound); /* repair: may change the row that the walk stands on */
        void *ctx;
    } mend;

    sqlite3 *writer; /* writer thread, once it runs */
    sqlite3_stmt *w[W_COUNT];
    int wal_pages;          /* writer thread: how long the log is */
    struct chain_end chain; /* the same: of the transaction that is open */
    struct tally tally;     /* the same */
    struct store_op *op;    /* the same: that is being written; NULL: none */

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

/* Opens a database, through a descriptor's path where it is one. *ret is to be closed also on failure. */
int store_connect(const char *path, int flags, int patience_ms, sqlite3 **ret, char why[STORE_WHY]);
/* Ours, and nobody else's to write. */
int store_check_dir(int fd, const char *dir, char why[STORE_WHY]);
/* The first name in the directory that begins so. */
#define STORE_LEFT      128
#define STORE_REPAIRING "repair-"
#define STORE_DAMAGED   "coop.db.damaged-"
bool store_find_left(int dir_fd, const char *begin, char ret[STORE_LEFT]);
/* DIR/lock, held until *ret_fd is closed. -EBUSY: somebody has it, why says who. */
int store_take_lock(int dir_fd, const char *dir, int *ret_fd, char why[STORE_WHY]);

/* One step of the schema: what brings a database of version-1 to version. */
struct schema_step {
    int version;
    const char *what;
    const char *sql;
    int (*also)(sqlite3 *db); /* after the SQL, in the same transaction; NULL: nothing */
};
#define SCHEMA_VERSION 9
extern const struct schema_step store_schema[SCHEMA_VERSION];
/* Refuses what is not ours or newer than we are; writes nothing. -EPROTONOSUPPORT, -EUCLEAN. */
int store_schema_check(sqlite3 *db, char why[STORE_WHY]);
/* Whether a database of the newest version has the tables, indexes and columns of it, and nothing else that acts. -EUCLEAN: why says it. */
int store_schema_compare(sqlite3 *db, char why[STORE_WHY]);
/* Takes the missing steps, each in a transaction of its own. */
int store_schema_upgrade(sqlite3 *db, char why[STORE_WHY]);

/* Makes each secret that the store keeps: step 9, once in a store's life. */
int store_make_secrets(sqlite3 *db);

/* What a record's hash is made of, beside the hash before it. Pointers are borrowed. */
struct chain_record {
    uint64_t seq;
    const char *job;
    uint64_t epoch, outcome, cause, recorded_us;
    const void *receipt;
    size_t receipt_len;
    struct store_link *ret_link; /* of store_chain_append(): where it stands now; NULL: nobody asks */
};
/* The statements that append, in this order wherever they are prepared. */
enum chain_sql { CHAIN_LAST, CHAIN_HEAD, CHAIN_ADD, CHAIN_SET_HEAD, CHAIN_STMTS };
_Static_assert(W_COUNT - W_CHAIN == CHAIN_STMTS, "the writer has all of them");
#define CHAIN_LAST_SQL     "SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1"
#define CHAIN_HEAD_SQL     "SELECT seq, hash FROM head"
#define CHAIN_ADD_SQL      "INSERT INTO chain(seq, job, hash) VALUES(?1, ?2, ?3)"
#define CHAIN_SET_HEAD_SQL "UPDATE head SET seq = ?1, hash = ?2"

/* Appends, inside the caller's transaction; sets r->seq. */
int store_chain_append(sqlite3_stmt *const stmts[CHAIN_STMTS], struct chain_end *end, struct chain_record *r);
/* At the end of a transaction that has appended. */
int store_chain_set_head(sqlite3_stmt *const stmts[CHAIN_STMTS], const struct chain_end *end);
/* Chains the receipts that are there already, in the order in which they were written. */
int store_chain_adopt(sqlite3 *db);

/* ---- parameters and columns, one after the other ---- */

struct binder {
    sqlite3_stmt *stmt;
    int at, err; /* err: the first that failed; only blobs can */
};
struct binder store_binder(sqlite3_stmt *stmt);
void store_put_text(struct binder *b, const char *text); /* borrowed until the statement has run */
void store_put_num(struct binder *b, uint64_t n);
void store_put_real(struct binder *b, double x);
void store_put_blob(struct binder *b, const struct store_blob *blob);
void store_put_bytes(struct binder *b, const void *bytes, size_t len);
void store_put_null(struct binder *b);

struct columns {
    sqlite3_stmt *stmt;
    int at;
    const char *odd; /* the first whose value was none that it may have; NULL: none */
};
struct columns store_columns(sqlite3_stmt *stmt);
void store_take_text(struct columns *c, char *ret, size_t size);
uint64_t store_take_num(struct columns *c);
double store_take_real(struct columns *c);
struct store_blob store_take_blob(struct columns *c);             /* borrowed */
void store_take_hash(struct columns *c, uint8_t ret[STORE_HASH]); /* zeros when it is none */
/* A value that it may not have becomes instead, or the nearest that it may, and the column is odd. */
uint64_t store_take_enum(struct columns *c, const char *column, const ProtobufCEnumDescriptor *d, uint64_t instead);
uint64_t store_take_most(struct columns *c, const char *column, uint64_t most);
double store_take_use(struct columns *c, const char *column); /* no less than 0, finite */

#define JOB_COLUMNS                                                                                                                        \
    "id, name, engine, template, queue, user, limiters, tenant, state, cause, class, prio, hold, attempt, infra, max_attempts, epoch, "    \
    "submitted_us, not_before_us, deadline_us, ended_us, array_id, array_index, spec_of, memory_bytes, wall_us, threads, log_until_us, "   \
    "keep_until_us, stdin_mode, builds, lives"
const char *store_take_job(sqlite3_stmt *stmt, struct store_job *ret); /* returns which column was odd; NULL: none */
/* Those of local users are made when they are needed. */
#define TENANT_KNOWN_SQL(table) "(" table ".tenant BETWEEN 0 AND 4294967294 OR EXISTS(SELECT 1 FROM tenant WHERE id = " table ".tenant))"
#define ARRAY_COLUMNS                                                                                                                      \
    "id, tenant, user, name, engine, queue, class, prio, hold, first, last, step, tasks, max_parallel, submitted_us, not_before_us, "      \
    "deadline_us, ended_us, succeeded, failed, cancelled"
const char *store_take_array(sqlite3_stmt *stmt, struct store_array *ret);

/* Walks the rows of a statement that is bound, and resets it. one: -errno or what ends the walk. */
int store_walk(sqlite3_stmt *stmt, int (*one)(void *ctx, sqlite3_stmt *stmt), void *ctx);

/* The same for SQL of the main thread that is compiled for this once, so that the callback may ask the store anything. text: ?1, or NULL. */
int store_query(struct store *s, const char *sql, const char *text, int (*one)(void *ctx, sqlite3_stmt *stmt), void *ctx);
/* As the text of ?1 of json_each(); *ret NULL with n 0: everybody. For sqlite3_free(). */
int store_tenant_list(const uint64_t *tenants, size_t n, char **ret);

/* ---- the writer: what each kind of op writes. 0, and op->status says whether it was refused; -errno when the database failed. ---- */

struct op_rule {
    const char *name;
    bool urgent; /* somebody waits for it */
    bool saves;  /* it may be refused after it has written something: it gets a savepoint */
    int (*apply)(struct store *s, struct store_op *op, int64_t now_us);
};
extern const struct op_rule store_op_rules[STORE_KINDS];

int store_submit(struct store *s, struct store_op *op, int64_t now_us);
int store_claim(struct store *s, struct store_op *op, int64_t now_us);
int store_move(struct store *s, struct store_op *op, int64_t now_us);
int store_attempt_add(struct store *s, struct store_op *op, int64_t now_us);
int store_edit(struct store *s, struct store_op *op, int64_t now_us);
int store_finish(struct store *s, struct store_op *op, int64_t now_us);
int store_remove(struct store *s, struct store_op *op, int64_t now_us);
#define STORE_SLICE 1000 /* tasks of an array that one transaction makes or removes */
/* An array that never became whole, and some of its tasks: the next slice. op->slice.more: there are others. */
int store_array_whole(struct store *s, const char *id, uint64_t tasks); /* 0: it is not whole any more */
int store_remove_not_whole(struct store *s, struct store_op *op, int64_t now_us);
/* The id of one; "": there is none. */
int store_not_whole(struct store *s, char ret[ULID_LEN + 1]);
int store_drop_logs(struct store *s, struct store_op *op, int64_t now_us);
int store_array_end(struct store *s, struct store_op *op, int64_t now_us);
int store_dep_add(struct store *s, struct store_op *op, int64_t now_us);
int store_dep_met(struct store *s, struct store_op *op, int64_t now_us);
int store_dep_drop(struct store *s, struct store_op *op, int64_t now_us);
int store_cron_put(struct store *s, struct store_op *op, int64_t now_us);
int store_cron_remove(struct store *s, struct store_op *op, int64_t now_us);
int store_limiter_put(struct store *s, struct store_op *op, int64_t now_us);
int store_limiter_remove(struct store *s, struct store_op *op, int64_t now_us);
int store_tenant_put(struct store *s, struct store_op *op, int64_t now_us);
int store_tenant_use(struct store *s, struct store_op *op, int64_t now_us);
int store_tenant_remove(struct store *s, struct store_op *op, int64_t now_us);
int store_token_put(struct store *s, struct store_op *op, int64_t now_us);
int store_token_used(struct store *s, struct store_op *op, int64_t now_us);
int store_token_remove(struct store *s, struct store_op *op, int64_t now_us);
int store_usage_add(struct store *s, struct store_op *op, int64_t now_us);
int store_admin_add(struct store *s, struct store_op *op, int64_t now_us);
int store_template_add(struct store *s, struct store_op *op, int64_t now_us);
int store_template_remove(struct store *s, struct store_op *op, int64_t now_us);
int store_kv_put(struct store *s, struct store_op *op, int64_t now_us);
int store_kv_drop(struct store *s, struct store_op *op, int64_t now_us);
int store_alias_add(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_add(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_close(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_remove(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_put(struct store *s, struct store_op *op, int64_t now_us);
int store_queue_take(struct store *s, struct store_op *op, int64_t now_us);
int store_hook_add(struct store *s, const char *job);
int store_hook_task(struct store *s, const char *job); /* when its array is one that owes */
int store_hook_done(struct store *s, struct store_op *op, int64_t now_us);

/* What they share. */
int store_run(struct store *s, enum write_sql which);
int store_bind_blob(sqlite3_stmt *stmt, int at, const struct store_blob *b); /* -EFBIG: longer than SQLite takes */
/* The same with parameters that were put: *ret_changed (may be NULL): rows. */
int store_run_with(struct store *s, enum write_sql which, const struct binder *b, int *ret_changed);
/* Up to count numbers of the first row; *ret_there: there is one. A column that is NULL, or not there, is 0. */
int store_ask(struct store *s, enum write_sql which, int64_t *ret, int count, bool *ret_there);
/* The tenant's key is this id's from now on; op refused with -EEXIST and there, same when it is another's. */
int store_claim_idem(struct store *s, const struct store_idem *idem, uint64_t tenant, const char *id, int *ret_status,
                     char there[ULID_LEN + 1], bool *ret_same);
int store_put_labels(struct store *s, const char *job, uint64_t tenant, const struct store_label *labels, size_t n);
int store_put_dep(struct store *s, const char *job, const struct store_dep *d, int *ret_status);

/* ---- counts of tenants: store_tally.c ---- */
int store_count_bytes(struct store *s, uint64_t tenant, int64_t bytes);
int store_count_usage(struct store *s, const struct store_usage *u);
int store_tally_write(struct store *s); /* and is empty */

extern const char *const store_write_sql[W_COUNT];
extern const char *const store_read_sql[R_COUNT];
int store_writer_start(struct store *s);
void store_writer_stop(struct store *s); /* commits what is queued, joins; fine when never started */

#endif
