/*
 * store_chain.c - receipts in a chain: each record's hash covers its receipt and the hash before it; see store.h and docs/security.md.
 *
 * The record of a receipt is written in the receipt's own transaction, so there is never one without the other. The head, in a row of its own,
 * says how long the chain is: without it a cut end would look like a shorter chain. Who can write the database can forge all of it, and
 * only a hash that was kept elsewhere tells; see `coop audit`.
 */
#include "store_sqlite.h"

#include <assert.h>
#include <errno.h>
#include <sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { AUDIT_RECORDS = 128, AUDIT_BYTES = 256 << 10, AUDIT_JOBS = 1024 }; /* of a slice: some milliseconds of the main thread */

_Static_assert(STORE_HASH == SHA256_DIGEST_LENGTH, "a hash of the chain is a SHA-256");

/* ---- the hash: its input is public, and never changes ---- */

static void add_number(SHA2_CTX *sha, uint64_t n)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> (56 - 8 * i));
    SHA256Update(sha, bytes, sizeof(bytes));
}

static void add_bytes(SHA2_CTX *sha, const void *bytes, size_t len)
{
    add_number(sha, len);
    SHA256Update(sha, bytes, len);
}

static void store_chain_hash(const struct chain_record *r, const uint8_t previous[STORE_HASH], uint8_t ret[STORE_HASH])
{
    static const char what[] = "coop receipt 1\n";
    SHA2_CTX sha;

    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)what, sizeof(what) - 1);
    SHA256Update(&sha, previous, STORE_HASH);
    add_number(&sha, r->seq);
    add_bytes(&sha, r->job, strlen(r->job));
    add_number(&sha, r->epoch);
    add_number(&sha, r->outcome);
    add_number(&sha, r->cause);
    add_number(&sha, r->recorded_us);
    add_bytes(&sha, r->receipt, r->receipt_len);
    SHA256Final(ret, &sha);
}

/* ---- the writer: one more ---- */

static int read_hash(sqlite3_stmt *stmt, int column, uint8_t ret[STORE_HASH])
{
    const void *bytes = sqlite3_column_blob(stmt, column);

    if (bytes == NULL || sqlite3_column_bytes(stmt, column) != STORE_HASH)
        return -EUCLEAN;
    memcpy(ret, bytes, STORE_HASH);
    return 0;
}

/* The later one of what is known and what the statement says. */
static int look_at_end(sqlite3_stmt *stmt, struct chain_end *end)
{
    int rc = sqlite3_step(stmt), err = store_errno(sqlite3_db_handle(stmt), rc);
    uint64_t seq = err == 0 && rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;

    if (seq > end->seq) {
        end->seq = seq;
        if (read_hash(stmt, 1, end->hash) != 0)
            memset(end->hash, 0, STORE_HASH);
    }
    (void)sqlite3_reset(stmt);
    return err;
}

/* The later of what is there and what the head says: a head that somebody damaged must not make two records of one number, nor keep receipts
 * from being written. The audit tells. */
static int find_end(sqlite3_stmt *const stmts[CHAIN_STMTS], struct chain_end *end)
{
    int err;

    *end = (struct chain_end){ 0 };
    err = look_at_end(stmts[CHAIN_LAST], end);
    if (err == 0)
        err = look_at_end(stmts[CHAIN_HEAD], end);
    end->known = err == 0;
    return err;
}

int store_chain_append(sqlite3_stmt *const stmts[CHAIN_STMTS], struct chain_end *end, struct chain_record *r)
{
    uint8_t hash[STORE_HASH];
    int err = end->known ? 0 : find_end(stmts, end);

    if (err != 0)
        return err;
    r->seq = end->seq + 1;
    store_chain_hash(r, end->hash, hash);
    (void)sqlite3_bind_int64(stmts[CHAIN_ADD], 1, (sqlite3_int64)r->seq);
    (void)sqlite3_bind_text(stmts[CHAIN_ADD], 2, r->job, -1, SQLITE_STATIC);
    (void)sqlite3_bind_blob(stmts[CHAIN_ADD], 3, hash, STORE_HASH, SQLITE_STATIC);
    err = store_step(stmts[CHAIN_ADD]);
    (void)sqlite3_clear_bindings(stmts[CHAIN_ADD]); /* hash is of this call */
    if (r->ret_link != NULL) {
        r->ret_link->seq = r->seq;
        memcpy(r->ret_link->hash, hash, STORE_HASH);
        memcpy(r->ret_link->previous, end->hash, STORE_HASH);
    }
    end->seq = r->seq;
    memcpy(end->hash, hash, STORE_HASH);
    return err;
}

int store_chain_set_head(sqlite3_stmt *const stmts[CHAIN_STMTS], const struct chain_end *end)
{
    int err;

    if (!end->known)
        return 0;
    (void)sqlite3_bind_int64(stmts[CHAIN_SET_HEAD], 1, (sqlite3_int64)end->seq);
    (void)sqlite3_bind_blob(stmts[CHAIN_SET_HEAD], 2, end->hash, STORE_HASH, SQLITE_STATIC);
    err = store_step(stmts[CHAIN_SET_HEAD]);
    (void)sqlite3_clear_bindings(stmts[CHAIN_SET_HEAD]);
    return err;
}

/* ---- the receipts that are older than the chain ---- */

static void read_record(sqlite3_stmt *stmt, int first, struct chain_record *r)
{
    r->job = (const char *)sqlite3_column_text(stmt, first);
    r->epoch = (uint64_t)sqlite3_column_int64(stmt, first + 1);
    r->outcome = (uint64_t)sqlite3_column_int64(stmt, first + 2);
    r->cause = (uint64_t)sqlite3_column_int64(stmt, first + 3);
    r->recorded_us = (uint64_t)sqlite3_column_int64(stmt, first + 4);
    r->receipt = sqlite3_column_blob(stmt, first + 5);
    r->receipt_len = (size_t)sqlite3_column_bytes(stmt, first + 5);
}

int store_chain_adopt(sqlite3 *db)
{
    static const char sql[] = "SELECT job, epoch, outcome, cause, recorded_us, receipt FROM result ORDER BY rowid"; /* as they came */
    const char *const chain[CHAIN_STMTS] = { CHAIN_LAST_SQL, CHAIN_HEAD_SQL, CHAIN_ADD_SQL, CHAIN_SET_HEAD_SQL };
    sqlite3_stmt *stmts[CHAIN_STMTS] = { NULL }, *old = NULL;
    struct chain_end end = { 0 };
    int rc = SQLITE_DONE, err = store_prepare(db, chain, stmts, CHAIN_STMTS);

    if (err == 0)
        err = store_errno(db, sqlite3_prepare_v2(db, sql, -1, &old, NULL));
    while (err == 0 && (rc = sqlite3_step(old)) == SQLITE_ROW) {
        struct chain_record r = { .ret_link = NULL };

        read_record(old, 0, &r);
        err = r.job != NULL ? store_chain_append(stmts, &end, &r) : -ENOMEM;
    }
    if (err == 0)
        err = store_errno(db, rc);
    if (err == 0)
        err = store_chain_set_head(stmts, &end);
    (void)sqlite3_finalize(old);
    store_drop(stmts, CHAIN_STMTS);
    return err;
}

/* ---- reads ---- */

static int read_head(struct store *s, struct store_head *ret)
{
    sqlite3_stmt *stmt = s->r[R_HEAD];
    int rc = sqlite3_step(stmt), err = store_errno(s->reader, rc);

    *ret = (struct store_head){ 0 };
    if (err == 0 && rc == SQLITE_ROW && read_hash(stmt, 1, ret->hash) == 0) {
        ret->there = true;
        ret->seq = (uint64_t)sqlite3_column_int64(stmt, 0);
        ret->recorded_us = (uint64_t)sqlite3_column_int64(stmt, 2);
    }
    (void)sqlite3_reset(stmt);
    return err;
}

int store_read_head(struct store *s, struct store_head *ret)
{
    return read_head(s, ret);
}

int store_read_link(struct store *s, const char *job, struct store_link *ret)
{
    sqlite3_stmt *stmt = s->r[R_LINK];
    int rc, err;

    (void)sqlite3_bind_text(stmt, 1, job, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    err = store_errno(s->reader, rc);
    if (err == 0)
        err = rc == SQLITE_ROW ? 0 : -ENOENT;
    if (err == 0) {
        *ret = (struct store_link){ .seq = (uint64_t)sqlite3_column_int64(stmt, 0) };
        err = read_hash(stmt, 1, ret->hash);
        if (sqlite3_column_type(stmt, 2) != SQLITE_NULL) /* the first has none before it */
            (void)read_hash(stmt, 2, ret->previous);
    }
    (void)sqlite3_reset(stmt);
    return err;
}

/* ---- the audit ---- */

__attribute__((format(printf, 4, 5))) static int fault(struct store_audit *a, enum audit_fault kind, const char *job, const char *fmt, ...)
{
    va_list ap;

    a->fault = kind;
    a->fault_seq = a->seq + 1;
    (void)snprintf(a->fault_job, sizeof(a->fault_job), "%s", job);
    va_start(ap, fmt);
    (void)vsnprintf(a->text, sizeof(a->text), fmt, ap);
    va_end(ap);
    return 1;
}

/* The columns of R_AUDIT. */
enum { A_SEQ, A_HASH, A_CHAINED_JOB, A_JOB, A_EPOCH, A_OUTCOME, A_CAUSE, A_RECORDED, A_RECEIPT, A_JOB_STATE, A_JOB_CAUSE, A_REMOVED };

/* A job that was removed by order leaves its record: what it hashed cannot be shown any more, what follows it can. */
static int pass_removed(sqlite3_stmt *stmt, struct store_audit *a, unsigned long long seq)
{
    if (read_hash(stmt, A_HASH, a->hash) != 0)
        return fault(a, AUDIT_CHANGED, "", "record %llu has no hash", seq);
    a->seq = seq;
    a->removed++;
    if (a->find != NULL && memcmp(a->find, a->hash, STORE_HASH) == 0)
        a->found_seq = seq;
    return 0;
}

/* 0: it fits, and a is one further. */
static int audit_record(sqlite3_stmt *stmt, struct store_audit *a, size_t *ret_len)
{
    unsigned long long seq = (unsigned long long)sqlite3_column_int64(stmt, A_SEQ), due = a->seq + 1;
    const char *job = (const char *)sqlite3_column_text(stmt, A_CHAINED_JOB);
    uint8_t said[STORE_HASH], made[STORE_HASH];
    struct chain_record r = { .seq = seq };

    job = job != NULL ? job : "";
    if (seq != due)
        return fault(a, AUDIT_GAP, "", "record %llu is not there: record %llu is followed by %llu", due, due - 1, seq);
    *ret_len = 0;
    if (sqlite3_column_type(stmt, A_JOB) == SQLITE_NULL && sqlite3_column_type(stmt, A_REMOVED) != SQLITE_NULL)
        return pass_removed(stmt, a, seq);
    if (sqlite3_column_type(stmt, A_JOB) == SQLITE_NULL)
        return fault(a, AUDIT_REMOVED, job, "record %llu is of job %.40s, whose receipt is not there", seq, job);
    read_record(stmt, A_JOB, &r);
    *ret_len = r.receipt_len;
    store_chain_hash(&r, a->hash, made);
    if (read_hash(stmt, A_HASH, said) != 0 || memcmp(said, made, STORE_HASH) != 0)
        return fault(a, AUDIT_CHANGED, job, "record %llu, of job %.40s, is not what was recorded in this place", seq, job);
    if (sqlite3_column_type(stmt, A_JOB_STATE) == SQLITE_NULL || (uint64_t)sqlite3_column_int64(stmt, A_JOB_STATE) != r.outcome ||
        (uint64_t)sqlite3_column_int64(stmt, A_JOB_CAUSE) != r.cause)
        return fault(a, AUDIT_JOB, job, "job %.40s is said to have ended otherwise than its receipt, record %llu, says", job, seq);
    a->seq = seq;
    memcpy(a->hash, made, STORE_HASH);
    if (a->find != NULL && memcmp(a->find, made, STORE_HASH) == 0)
        a->found_seq = seq;
    return 0;
}

static int audit_end(struct store_audit *a)
{
    const struct store_head *h = &a->head;

    if (!h->there)
        return fault(a, AUDIT_HEAD, "", "the chain's head is not there");
    if (h->seq > a->seq)
        return fault(a, AUDIT_TRUNCATED, "", "the chain ends with record %llu, and its head says that there are %llu",
                     (unsigned long long)a->seq, (unsigned long long)h->seq);
    if (h->seq < a->seq || memcmp(h->hash, a->hash, STORE_HASH) != 0)
        return fault(a, AUDIT_HEAD, "", "the chain's head is not that of its last record, %llu", (unsigned long long)a->seq);
    return 0;
}

/* *ret_more: the slice was full. Negative: -errno. */
static int audit_chain(struct store *s, struct store_audit *a, bool *ret_more)
{
    sqlite3_stmt *stmt = s->r[R_AUDIT];
    size_t bytes = 0, len = 0;
    int rc = SQLITE_DONE, records = 0, wrong = 0, err = 0;

    (void)sqlite3_bind_int64(stmt, 1, (sqlite3_int64)a->seq);
    while (wrong == 0 && records < AUDIT_RECORDS && bytes < AUDIT_BYTES && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        wrong = audit_record(stmt, a, &len);
        bytes += len;
        records++;
    }
    err = store_errno(s->reader, rc);
    *ret_more = wrong == 0 && rc == SQLITE_ROW;
    (void)sqlite3_reset(stmt);
    if (err == 0 && wrong == 0 && !*ret_more)
        (void)audit_end(a);
    return err;
}

/* Receipts that somebody added beside the chain. */
static int audit_others(struct store *s, struct store_audit *a)
{
    sqlite3_stmt *stmt = s->r[R_AUDIT_OTHERS];
    int rc = SQLITE_DONE, jobs = 0, wrong = 0, err;

    (void)sqlite3_bind_text(stmt, 1, a->job, -1, SQLITE_TRANSIENT);
    while (wrong == 0 && jobs < AUDIT_JOBS && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *job = (const char *)sqlite3_column_text(stmt, 0);

        job = job != NULL ? job : "";
        if (sqlite3_column_int(stmt, 1) == 0)
            wrong = fault(a, AUDIT_ADDED, job, "the receipt of job %.40s is not in the chain", job);
        (void)snprintf(a->job, sizeof(a->job), "%s", job);
        jobs++;
    }
    err = store_errno(s->reader, rc);
    a->ended = err == 0 && wrong == 0 && rc == SQLITE_DONE;
    (void)sqlite3_reset(stmt);
    return err;
}

int store_audit(struct store *s, struct store_audit *a)
{
    bool more = false;
    int err = store_errno(s->reader, sqlite3_exec(s->reader, "BEGIN", NULL, NULL, NULL)); /* head and records of one moment */

    a->found_seq = 0;
    a->fault = AUDIT_NONE;
    a->ended = false;
    if (err != 0)
        return err;
    err = read_head(s, &a->head);
    if (err == 0 && a->job[0] == '\0')
        err = audit_chain(s, a, &more);
    if (err == 0 && !more && a->fault == AUDIT_NONE)
        err = audit_others(s, a);
    (void)sqlite3_exec(s->reader, "COMMIT", NULL, NULL, NULL);
    return err;
}
