/* test_store_chain.c - the chain of receipts: whole after every way to write it, and whatever another hand changes in it is named. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <sha2.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "store_fixture.h"

enum { JOBS = 12 };

static const uint8_t zeros[STORE_HASH];

/* Submits and finishes jobs first to last-1, many in one transaction; receipts are "receipt N". */
static void finish_many(struct store *s, unsigned first, unsigned last)
{
    submit_many(s, first, last);
    for (unsigned i = first; i < last; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "receipt %u", i);
        store_push(s, finish_of(id_of(i), 1, text));
    }
    assert_int_equal(collect_all(s, 0), last - first);
}

/* Walks to the end or the first fault; returns how many slices that took. */
static unsigned walk_chain(struct store *s, struct store_audit *a, const uint8_t *find, uint64_t *ret_found)
{
    unsigned slices = 0;

    *a = (struct store_audit){ .find = find };
    *ret_found = 0;
    do {
        assert_int_equal(store_audit(s, a), 0);
        if (a->found_seq != 0)
            *ret_found = a->found_seq;
        assert_true(++slices < 10000);
    } while (!a->ended && a->fault == AUDIT_NONE);
    return slices;
}

static void assert_whole(struct store *s, uint64_t records)
{
    struct store_audit a;
    uint64_t found;

    walk_chain(s, &a, NULL, &found);
    if (a.fault != AUDIT_NONE)
        fail_msg("%s", a.text);
    assert_true(a.ended);
    assert_int_equal(a.seq, records);
    assert_int_equal(a.head.seq, records);
}

/* ---- whole ------------------------------------------------------------------------------------------------------------------------- */

static void an_empty_chain_is_whole(void **state)
{
    struct fixture *f = *state;
    struct store_head head;

    assert_whole(f->store, 0);
    assert_int_equal(store_read_head(f->store, &head), 0);
    assert_true(head.there);
    assert_int_equal(head.seq, 0);
    assert_memory_equal(head.hash, zeros, STORE_HASH);
}

static void number(SHA2_CTX *sha, uint64_t n)
{
    uint8_t b[8] = { (uint8_t)(n >> 56), (uint8_t)(n >> 48), (uint8_t)(n >> 40), (uint8_t)(n >> 32),
                     (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),  (uint8_t)n };

    SHA256Update(sha, b, 8);
}

/* As docs/security.md describes it, written a second time: others recompute it too. */
static void documented_hash(const uint8_t previous[STORE_HASH], uint64_t seq, const char *job, uint64_t epoch, uint64_t outcome,
                            uint64_t cause, uint64_t recorded_us, const char *receipt, uint8_t ret[STORE_HASH])
{
    SHA2_CTX sha;

    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)"coop receipt 1\n", 15);
    SHA256Update(&sha, previous, 32);
    number(&sha, seq);
    number(&sha, strlen(job));
    SHA256Update(&sha, (const uint8_t *)job, strlen(job));
    number(&sha, epoch);
    number(&sha, outcome);
    number(&sha, cause);
    number(&sha, recorded_us);
    number(&sha, strlen(receipt));
    SHA256Update(&sha, (const uint8_t *)receipt, strlen(receipt));
    SHA256Final(ret, &sha);
}

static void each_record_covers_its_receipt_and_the_record_before(void **state)
{
    struct fixture *f = *state;
    uint8_t previous[STORE_HASH] = { 0 }, want[STORE_HASH];
    struct store_link link;
    struct store_head head;

    for (unsigned i = 1; i <= 3; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "receipt %u", i);
        finish_many(f->store, i, i + 1);
        assert_int_equal(store_read_head(f->store, &head), 0);
        assert_int_equal(store_read_link(f->store, id_of(i), &link), 0);
        assert_int_equal(link.seq, i);
        assert_memory_equal(link.previous, previous, STORE_HASH);
        documented_hash(previous, i, id_of(i), 1, PB__STATE__STATE_SUCCEEDED, PB__CAUSE__CAUSE_OK, head.recorded_us, text, want);
        assert_memory_equal(link.hash, want, STORE_HASH);
        assert_memory_equal(head.hash, want, STORE_HASH);
        memcpy(previous, want, STORE_HASH);
    }
    assert_int_equal(store_read_link(f->store, id_of(4), &link), -ENOENT);
}

/* All that a status is made of. */
static void assert_same_row(const struct store_job *a, const struct store_job *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->engine, b->engine);
    assert_string_equal(a->queue, b->queue);
    assert_string_equal(a->array_id, b->array_id);
    assert_int_equal(a->array_index, b->array_index);
    assert_int_equal(a->tenant, b->tenant);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->cause, b->cause);
    assert_int_equal(a->class, b->class);
    assert_int_equal(a->prio, b->prio);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->infra, b->infra);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->submitted_us, b->submitted_us);
    assert_int_equal(a->not_before_us, b->not_before_us);
    assert_int_equal(a->ended_us, b->ended_us);
    assert_int_equal(a->keep_until_us, b->keep_until_us);
    assert_int_equal(a->lives, b->lives);
}

/* Who waits for an end is answered by what the writer handed back: it is what a read would say, of the row and of the chain. */
static void what_a_finish_brings_back_is_what_is_stored(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = submit_of(id_of(7));
    struct store_job row;
    struct store_link link;

    finish_many(f->store, 0, 2);
    (void)snprintf(op->submit.row.queue, sizeof(op->submit.row.queue), "night");
    assert_int_equal(do_op(f->store, op), 0);
    op = finish_of(id_of(7), 1, "receipt");
    op->finish.keep_until_us = 77;
    op->finish.infra = 3;
    store_push(f->store, op);
    assert_ptr_equal(wait_for_ops(f->store), op);
    assert_int_equal(op->status, 0);
    assert_int_equal(store_find(f->store, id_of(7), &row), 0);
    assert_string_equal(row.queue, "night");
    assert_same_row(&op->finish.row, &row);
    assert_int_equal(store_read_link(f->store, id_of(7), &link), 0);
    assert_int_equal(link.seq, 3);
    assert_memory_equal(&op->finish.link, &link, sizeof(link));
    store_op_free(op);
}

static void many_in_one_transaction_are_one_chain(void **state)
{
    struct fixture *f = *state;
    struct store_audit a;
    uint64_t found;

    finish_many(f->store, 0, 1000);
    assert_whole(f->store, 1000);
    assert_true(walk_chain(f->store, &a, NULL, &found) > 1); /* in slices: the main thread has other things to do */
    reopen(f);
    finish_many(f->store, 1000, 1010);
    assert_whole(f->store, 1010);
}

static void records_grow_while_the_chain_is_walked(void **state)
{
    struct fixture *f = *state;
    struct store_audit a = { 0 };

    finish_many(f->store, 0, 600);
    assert_int_equal(store_audit(f->store, &a), 0);
    assert_false(a.ended);
    finish_many(f->store, 600, 900);
    while (!a.ended && a.fault == AUDIT_NONE)
        assert_int_equal(store_audit(f->store, &a), 0);
    assert_int_equal(a.fault, AUDIT_NONE);
    assert_int_equal(a.seq, 900);
}

static void a_receipt_that_is_refused_leaves_no_record(void **state)
{
    struct fixture *f = *state;

    finish_many(f->store, 0, 3);
    submit_many(f->store, 3, 5);
    assert_int_equal(do_op(f->store, finish_of(id_of(1), 2, "again")), -EEXIST);
    assert_int_equal(do_op(f->store, finish_of(id_of(9), 1, "nobody's")), -ENOENT);
    assert_int_equal(do_op(f->store, move_of(PB__STATE__STATE_RUNNING, id_of(3), 1, 7)), 0);
    assert_int_equal(do_op(f->store, finish_of(id_of(3), 6, "late")), -ESTALE);
    assert_int_equal(do_op(f->store, finish_of(id_of(4), 1, "r")), 0);
    assert_whole(f->store, 4);
}

static void a_transaction_that_goes_back_takes_its_records_along(void **state)
{
    struct fixture *f = *state;
    struct store_op *huge;

    finish_many(f->store, 0, 3);
    submit_many(f->store, 3, 6);
    (void)sqlite3_limit(f->store->writer, SQLITE_LIMIT_LENGTH, 100000);
    store_push(f->store, finish_of(id_of(3), 1, "small"));
    huge = finish_of(id_of(4), 1, "");
    huge->finish.receipt = (struct store_blob){ calloc(1, 200000), 200000 };
    store_push(f->store, huge);
    store_push(f->store, finish_of(id_of(5), 1, "small too"));
    assert_int_equal(collect_all(f->store, -EFBIG), 1);
    assert_whole(f->store, 5);
}

/* In the child: jobs from first on until it is killed; a byte in the pipe for each receipt that was promised. */
static void finish_until_killed(const char *dir, unsigned next, int pipe_fd)
{
    char why[STORE_WHY];
    struct store *s;

    if (store_open(dir, &s, why) != 0)
        _exit(1);
    for (;; next++) {
        store_push(s, submit_of(id_of(next)));
        store_push(s, finish_of(id_of(next), 1, "r"));
        while (store_pending(s) > 8)
            for (struct store_op *op = wait_for_ops(s), *rest; op != NULL; op = rest) {
                rest = op->next;
                if (op->kind == STORE_FINISH && write(pipe_fd, "r", 1) != 1)
                    _exit(1);
                store_op_free(op);
            }
    }
}

static void the_chain_is_whole_after_kill_9(void **state)
{
    struct fixture *f = *state;
    struct store_head head = { 0 };
    uint64_t promised = 0;

    for (unsigned round = 0; round < 5; round++) {
        int pipes[2];
        char bytes[64];
        ssize_t n;
        pid_t child;

        assert_int_equal(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
            (void)close(pipes[0]);
            finish_until_killed(f->dir, (unsigned)head.seq, pipes[1]);
        }
        (void)close(pipes[1]);
        for (unsigned heard = 0; heard < 20 + round * 7; heard += (unsigned)n, promised += (uint64_t)n)
            if ((n = read(pipes[0], bytes, sizeof(bytes))) <= 0)
                fail_msg("the child ended by itself");
        (void)kill(child, SIGKILL);
        while ((n = read(pipes[0], bytes, sizeof(bytes))) > 0)
            promised += (uint64_t)n;
        (void)close(pipes[0]);
        (void)waitpid(child, NULL, 0);
        if (store_open(f->dir, &f->store, f->why) != 0)
            fail_msg("%s", f->why);
        assert_int_equal(store_read_head(f->store, &head), 0);
        assert_true(head.seq >= promised);
        promised = head.seq;
        assert_whole(f->store, head.seq);
        store_close(f->store);
        f->store = NULL;
    }
}

/* ---- not whole: each change that another program can make to the file, and how it is told ---------------------------------------------- */

#define JOB5  "'01HZZZZZZZ0000000000000005'" /* of record 6 */
#define JOB6  "'01HZZZZZZZ0000000000000006'"
#define OTHER "'01HZZZZZZZ000000000000000Z'"

static const struct {
    const char *what, *sql;
    enum audit_fault fault;
    unsigned seq; /* named; 0: where is not the point */
} tricks[] = {
    {"a receipt's bytes",                          "UPDATE result SET receipt = x'00' WHERE job = " JOB5,                         AUDIT_CHANGED,   6 },
    { "one byte more",                             "UPDATE result SET receipt = receipt || x'00' WHERE job = " JOB5,              AUDIT_CHANGED,   6 },
    { "an empty receipt",                          "UPDATE result SET receipt = x'' WHERE job = " JOB5,                           AUDIT_CHANGED,   6 },
    { "the cause beside it",                       "UPDATE result SET cause = 2 WHERE job = " JOB5,                               AUDIT_CHANGED,   6 },
    { "the outcome beside it",                     "UPDATE result SET outcome = 6 WHERE job = " JOB5,                             AUDIT_CHANGED,   6 },
    { "its epoch",                                 "UPDATE result SET epoch = 9 WHERE job = " JOB5,                               AUDIT_CHANGED,   6 },
    { "its time",                                  "UPDATE result SET recorded_us = recorded_us - 1 WHERE job = " JOB5,           AUDIT_CHANGED,   6 },
    { "the first",                                 "UPDATE result SET receipt = x'00' WHERE rowid = 1",                           AUDIT_CHANGED,   1 },
    { "the last",                                  "UPDATE result SET receipt = x'00' WHERE rowid = 12",                          AUDIT_CHANGED,   12},
    { "two receipts swapped",
     "UPDATE result SET job = 'x' WHERE job = " JOB5 "; UPDATE result SET job = " JOB5 " WHERE job = " JOB6
      "; UPDATE result SET job = " JOB6 " WHERE job = 'x'",
     AUDIT_CHANGED,                                                                                                                                6 },
    { "two records swapped",
     "UPDATE chain SET seq = 99 WHERE seq = 6; UPDATE chain SET seq = 6 WHERE seq = 7; UPDATE chain SET seq = 7 WHERE seq = 99",  AUDIT_CHANGED,   6 },
    { "a record's hash",                           "UPDATE chain SET hash = zeroblob(32) WHERE seq = 6",                          AUDIT_CHANGED,   6 },
    { "a hash that is none",                       "UPDATE chain SET hash = x'00' WHERE seq = 6",                                 AUDIT_CHANGED,   6 },
    { "a hash of text",                            "UPDATE chain SET hash = 'abc' WHERE seq = 6",                                 AUDIT_CHANGED,   6 },
    { "a receipt gone",                            "DELETE FROM result WHERE job = " JOB5,                                        AUDIT_REMOVED,   6 },
    { "all receipts gone",                         "DELETE FROM result",                                                          AUDIT_REMOVED,   1 },
    { "a job gone with all that is its",           "PRAGMA foreign_keys = ON; DELETE FROM job WHERE id = " JOB5,                  AUDIT_REMOVED,   6 },
    { "a record for another job",                  "UPDATE chain SET job = " OTHER " WHERE seq = 6",                              AUDIT_REMOVED,   6 },
    { "a record gone",                             "DELETE FROM chain WHERE seq = 6",                                             AUDIT_GAP,       6 },
    { "receipt and record gone",                   "DELETE FROM chain WHERE seq = 6; DELETE FROM result WHERE job = " JOB5,       AUDIT_GAP,       6 },
    { "the first record gone",                     "DELETE FROM chain WHERE seq = 1",                                             AUDIT_GAP,       1 },
    { "a record gone and the later ones moved up",
     "DELETE FROM chain WHERE seq = 6; UPDATE chain SET seq = -seq + 1 WHERE seq > 6; UPDATE chain SET seq = -seq WHERE seq < 0", AUDIT_CHANGED,   6 },
    { "the end gone",                              "DELETE FROM chain WHERE seq > 9",                                             AUDIT_TRUNCATED, 10},
    { "the end gone with its receipts",
     "DELETE FROM result WHERE job IN (SELECT job FROM chain WHERE seq > 9); DELETE FROM chain WHERE seq > 9",                    AUDIT_TRUNCATED, 10},
    { "all gone",                                  "DELETE FROM result; DELETE FROM chain",                                       AUDIT_TRUNCATED, 1 },
    { "the end gone and the head moved back",      "DELETE FROM chain WHERE seq > 9; UPDATE head SET seq = 9",                    AUDIT_HEAD,      0 },
    { "a head of more",                            "UPDATE head SET seq = 13",                                                    AUDIT_TRUNCATED, 13},
    { "a head of less",                            "UPDATE head SET seq = 11",                                                    AUDIT_HEAD,      0 },
    { "a head of another hash",                    "UPDATE head SET hash = zeroblob(32)",                                         AUDIT_HEAD,      0 },
    { "no head",                                   "DELETE FROM head",                                                            AUDIT_HEAD,      0 },
    { "a head that is none",                       "UPDATE head SET hash = x'00'",                                                AUDIT_HEAD,      0 },
    { "a receipt beside the chain",
     "INSERT INTO job(id, name, engine, state, cause, attempt, epoch, submitted_us, stdin_mode, updated_us, lives) SELECT " OTHER
      ", name, engine, state, cause, attempt, epoch, submitted_us, stdin_mode, "
      "updated_us, lives FROM job WHERE id = " JOB5 "; INSERT INTO result SELECT " OTHER
      ", epoch, outcome, cause, recorded_us, receipt FROM result WHERE job = " JOB5,
     AUDIT_ADDED,                                                                                                                                  0 },
    { "a record too many",                         "INSERT INTO chain VALUES(13, " OTHER ", zeroblob(32))",                       AUDIT_REMOVED,   13},
    { "a job that ended otherwise",                "UPDATE job SET state = 6 WHERE id = " JOB5,                                   AUDIT_JOB,       6 },
    { "a job of another cause",                    "UPDATE job SET cause = 5 WHERE id = " JOB5,                                   AUDIT_JOB,       6 },
    { "a job's row alone gone",                    "DELETE FROM job WHERE id = " JOB5,                                            AUDIT_JOB,       6 },
};

static void every_change_by_another_hand_is_found_and_named(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
        struct store_audit a;
        uint64_t found;

        finish_many(f->store, 0, JOBS);
        assert_whole(f->store, JOBS);
        store_close(f->store);
        f->store = NULL;
        run_sql(f, tricks[i].sql);
        assert_int_equal(store_open(f->dir, &f->store, f->why), 0); /* its jobs can still be read */
        walk_chain(f->store, &a, NULL, &found);
        if (a.fault != tricks[i].fault || (tricks[i].seq != 0 && a.fault_seq != tricks[i].seq))
            fail_msg("%s: fault %d at %llu: %s", tricks[i].what, (int)a.fault, (unsigned long long)a.fault_seq, a.text);
        assert_true(strlen(a.text) > 0);
        assert_false(a.ended);
        store_close(f->store);
        scratch_remove(f->dir);
        f->dir = scratch_make();
        assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    }
}

/* The broker goes on recording, and what was done stays to be found. Not said of a head alone: it is written anew, and the chain is whole. */
static void what_was_changed_stays_found_when_receipts_follow(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
        struct store_audit a;
        uint64_t found;

        finish_many(f->store, 0, JOBS);
        store_close(f->store);
        f->store = NULL;
        run_sql(f, tricks[i].sql);
        assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
        finish_many(f->store, 50, 53);
        walk_chain(f->store, &a, NULL, &found);
        if (tricks[i].fault == AUDIT_HEAD && strncmp(tricks[i].sql, "UPDATE head", 11) == 0 && a.fault == AUDIT_NONE)
            assert_int_equal(a.seq, JOBS + 3); /* nothing of the chain was touched */
        else if (a.fault == AUDIT_NONE && strcmp(tricks[i].what, "the end gone and the head moved back") != 0)
            fail_msg("%s: is not found any more", tricks[i].what);
        store_close(f->store);
        scratch_remove(f->dir);
        f->dir = scratch_make();
        assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    }
}

/* Who can write the file can write all of it anew. A hash that was kept elsewhere is what tells. */
static void a_chain_forged_as_a_whole_is_told_by_a_hash_kept_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct store_head kept, later;
    struct store_audit a;
    uint64_t found;

    finish_many(f->store, 0, JOBS);
    assert_int_equal(store_read_head(f->store, &kept), 0);
    finish_many(f->store, JOBS, JOBS + 3);
    walk_chain(f->store, &a, kept.hash, &found);
    assert_int_equal(a.fault, AUDIT_NONE);
    assert_int_equal(found, JOBS);
    store_close(f->store);
    f->store = NULL;
    run_sql(f, "UPDATE result SET receipt = x'00' WHERE job = " JOB5 "; DROP TABLE chain; DROP TABLE head; " BACK_TO_2);
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0); /* chains them all again */
    walk_chain(f->store, &a, kept.hash, &found);
    assert_int_equal(a.fault, AUDIT_NONE);
    assert_int_equal(a.seq, JOBS + 3);
    assert_int_equal(found, 0);
    assert_int_equal(store_read_head(f->store, &later), 0);
    walk_chain(f->store, &a, later.hash, &found);
    assert_int_equal(found, JOBS + 3);
}

static void the_end_cut_with_its_head_is_told_by_a_hash_kept_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct store_head kept;
    struct store_audit a;
    uint64_t found;

    finish_many(f->store, 0, JOBS);
    assert_int_equal(store_read_head(f->store, &kept), 0);
    store_close(f->store);
    f->store = NULL;
    run_sql(f, "DELETE FROM job WHERE id IN (SELECT job FROM chain WHERE seq > 9);"
               "DELETE FROM result WHERE job IN (SELECT job FROM chain WHERE seq > 9); DELETE FROM chain WHERE seq > 9;"
               "UPDATE head SET seq = 9, hash = (SELECT hash FROM chain WHERE seq = 9)");
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    walk_chain(f->store, &a, kept.hash, &found);
    assert_int_equal(a.fault, AUDIT_NONE); /* nothing inside tells */
    assert_int_equal(found, 0);            /* and this does */
}

/* ---- older databases -------------------------------------------------------------------------------------------------------------- */

static void receipts_older_than_the_chain_are_taken_into_it_as_they_came(void **state)
{
    struct fixture *f = *state;
    struct store_link link;

    finish_many(f->store, 20, 23);
    finish_many(f->store, 10, 13); /* later, of lower ids */
    store_close(f->store);
    f->store = NULL;
    run_sql(f, "DROP TABLE chain; DROP TABLE head; " BACK_TO_2);
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    assert_whole(f->store, 6);
    assert_int_equal(store_read_link(f->store, id_of(20), &link), 0);
    assert_int_equal(link.seq, 1);
    assert_int_equal(store_read_link(f->store, id_of(10), &link), 0);
    assert_int_equal(link.seq, 4);
    finish_many(f->store, 30, 31);
    assert_whole(f->store, 7);
}

static void a_migration_that_fails_leaves_no_half_of_a_chain(void **state)
{
    struct fixture *f = *state;

    finish_many(f->store, 0, 3);
    store_close(f->store);
    f->store = NULL;
    run_sql(f, "DROP TABLE chain; " BACK_TO_2); /* head is in the way */
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EIO);
    assert_non_null(strstr(f->why, "version 3"));
    run_sql(f, "DROP TABLE head");
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    assert_whole(f->store, 3);
}

#define FRESH(name) cmocka_unit_test_setup_teardown(name, setup_dir, teardown)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_chain_is_whole),
        TEST(each_record_covers_its_receipt_and_the_record_before),
        TEST(what_a_finish_brings_back_is_what_is_stored),
        TEST(many_in_one_transaction_are_one_chain),
        TEST(records_grow_while_the_chain_is_walked),
        TEST(a_receipt_that_is_refused_leaves_no_record),
        TEST(a_transaction_that_goes_back_takes_its_records_along),
        FRESH(the_chain_is_whole_after_kill_9),
        TEST(every_change_by_another_hand_is_found_and_named),
        TEST(what_was_changed_stays_found_when_receipts_follow),
        TEST(a_chain_forged_as_a_whole_is_told_by_a_hash_kept_elsewhere),
        TEST(the_end_cut_with_its_head_is_told_by_a_hash_kept_elsewhere),
        TEST(receipts_older_than_the_chain_are_taken_into_it_as_they_came),
        TEST(a_migration_that_fails_leaves_no_half_of_a_chain),
    };

    return cmocka_run_group_tests_name("store_chain", tests, NULL, NULL);
}
