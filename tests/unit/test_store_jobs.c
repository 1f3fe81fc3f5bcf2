/*
 * test_store_jobs.c - what the store keeps of a job host's jobs: keys that are given once, claims by epoch, edits, arrays, dependencies,
 * labels, what is removed, and what is found again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_fixture.h"
#include "when.h"

#define ST(name) PB__STATE__STATE_##name

static struct store_op *keyed(unsigned n, const char *key, uint8_t hash)
{
    struct store_op *op = submit_of(id_of(n));

    (void)snprintf(op->submit.idem.key, sizeof(op->submit.idem.key), "%s", key);
    memset(op->submit.idem.spec_hash, hash, STORE_HASH);
    return op;
}

static struct store_op *claim_of(const char *id, uint64_t epoch_was, uint64_t epoch)
{
    struct store_op *op = store_op_new(STORE_CLAIM, "");
    struct store_claim *c = store_claim_add(op, id);

    c->fence = (struct store_fence){ epoch_was, epoch_was };
    c->epoch = epoch;
    c->attempt = 1;
    return op;
}

/* The answer to a batch of one. */
static int claim(struct store *s, struct store_op *op)
{
    int status;

    store_push(s, op);
    assert_ptr_equal(wait_for_ops(s), op);
    status = op->status != 0 ? op->status : op->claims.at[0].status;
    store_op_free(op);
    return status;
}

static void add_label(struct store_op *op, const char *key, const char *value)
{
    struct store_submit *m = &op->submit;

    m->labels = realloc(m->labels, (m->n_labels + 1) * sizeof(*m->labels));
    m->labels[m->n_labels++] = (struct store_label){ strdup(key), strdup(value) };
}

static void add_dep(struct store_op *op, const char *on, Pb__After after)
{
    struct store_submit *m = &op->submit;

    m->deps = realloc(m->deps, (m->n_deps + 1) * sizeof(*m->deps));
    m->deps[m->n_deps] = (struct store_dep){ .after = after };
    memcpy(m->deps[m->n_deps++].on, on, ULID_LEN + 1);
}

/* The array has id n, its tasks those that follow. */
static struct store_op *array_of(unsigned n, unsigned tasks)
{
    struct store_op *op = submit_of(id_of(n));
    struct store_submit *m = &op->submit;

    m->array = calloc(1, sizeof(*m->array));
    m->array->from = 1;
    m->array->to = tasks;
    m->array->step = 1;
    m->array->tasks = tasks;
    m->array->max_parallel = 7;
    m->tasks = calloc(tasks, sizeof(*m->tasks));
    for (unsigned i = 0; i < tasks; i++) {
        memcpy(m->tasks[i].id, id_of(n + 1 + i), ULID_LEN + 1);
        m->tasks[i].index = i + 1;
    }
    return op;
}

static struct store_job found(struct store *s, const char *id)
{
    struct store_job job = { .state = ST(NONE) };

    assert_int_equal(store_find(s, id, &job), 0);
    return job;
}

static uint64_t stored_bytes(struct store *s)
{
    uint64_t n = 0;

    assert_int_equal(store_stored_bytes(s, TENANT, &n), 0);
    return n;
}

static void assert_spec(struct store *s, const char *id, const char *want)
{
    struct store_blob b;

    assert_int_equal(store_read_spec(s, id, &b), 0);
    assert_blob(b, want, strlen(want));
}

static int finish(struct store *s, const char *id, uint64_t epoch)
{
    return do_op(s, finish_of(id, epoch, "receipt"));
}

/* ---- submit ------------------------------------------------------------------------------------------------------------------------- */

static void everything_of_a_row_is_read_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = submit_of(id_of(1));
    struct store_job *w = &op->submit.row, want, got;

    (void)snprintf(w->template, sizeof(w->template), "warm@3");
    (void)snprintf(w->queue, sizeof(w->queue), "nightly");
    (void)snprintf(w->user, sizeof(w->user), "token:01HZZZZZZZ0000000000000009");
    (void)snprintf(w->limiters, sizeof(w->limiters), "db=1 net=2");
    w->tenant = (1ull << 32) + 5;
    w->state = ST(SCHEDULED);
    w->class = PB__JOB_CLASS__JOB_CLASS_BATCH;
    w->prio = 5;
    w->hold = 6;
    w->max_attempts = 4;
    w->not_before_us = 1800000000000000;
    w->deadline_us = 1900000000000000;
    w->memory_bytes = 1 << 20;
    w->wall_us = UINT64_MAX; /* no limit */
    w->threads = 3;
    w->builds = true;
    want = *w;
    memcpy(want.id, id_of(1), ULID_LEN + 1);
    want.wall_us = INT64_MAX; /* as large as there is */
    assert_int_equal(do_op(f->store, op), 0);
    got = found(f->store, id_of(1));
    assert_string_equal(got.template, want.template);
    assert_string_equal(got.queue, want.queue);
    assert_string_equal(got.user, want.user);
    assert_string_equal(got.limiters, want.limiters);
    assert_int_equal(got.tenant, want.tenant);
    assert_int_equal(got.state, want.state);
    assert_int_equal(got.class, want.class);
    assert_int_equal(got.prio, 5);
    assert_int_equal(got.hold, 6);
    assert_int_equal(got.max_attempts, 4);
    assert_int_equal(got.not_before_us, want.not_before_us);
    assert_int_equal(got.deadline_us, want.deadline_us);
    assert_int_equal(got.memory_bytes, want.memory_bytes);
    assert_int_equal(got.wall_us, want.wall_us);
    assert_int_equal(got.threads, 3);
    assert_true(got.builds);
    assert_int_equal(found(f->store, id_of(1)).ended_us, 0);
}

static void a_key_is_given_once_and_who_has_it_is_told(void **state)
{
    struct fixture *f = *state;
    struct store_op *ops[] = { keyed(1, "k", 7), keyed(2, "k", 7), keyed(3, "k", 8), keyed(4, "other", 7) };
    static const int want[] = { 0, -EEXIST, -EEXIST, 0 };
    char there[ULID_LEN + 1];
    uint8_t hash[STORE_HASH];
    struct store_job job;
    struct store_op *op;

    for (unsigned i = 0; i < 4; i++) /* in one commit */
        store_push(f->store, ops[i]);
    for (unsigned i = 0; i < 4;) {
        struct store_op *next;

        for (op = wait_for_ops(f->store); op != NULL; op = next, i++) {
            next = op->next;
            assert_int_equal(op->status, want[i]);
            if (want[i] != 0) {
                assert_string_equal(op->submit.there, id_of(1));
                assert_int_equal(op->submit.same, i == 1);
            }
            store_op_free(op);
        }
    }
    assert_int_equal(store_find(f->store, id_of(2), &job), -ENOENT); /* nothing of a refused one is there */
    assert_int_equal(store_find_idem(f->store, TENANT, "k", there, hash), 0);
    assert_string_equal(there, id_of(1));
    assert_int_equal(hash[5], 7);
    assert_int_equal(store_find_idem(f->store, TENANT + 1, "k", there, hash), -ENOENT);
    op = keyed(5, "k", 9);
    op->submit.row.tenant++; /* another's key is another key */
    assert_int_equal(do_op(f->store, op), 0);
}

static void a_taken_id_does_not_take_the_key_along(void **state)
{
    struct fixture *f = *state;
    char there[ULID_LEN + 1];
    uint8_t hash[STORE_HASH];

    submit_many(f->store, 1, 2);
    assert_int_equal(do_op(f->store, keyed(1, "k", 7)), -EEXIST);
    assert_int_equal(store_find_idem(f->store, TENANT, "k", there, hash), -ENOENT);
    assert_int_equal(stored_bytes(f->store), ULID_LEN);
}

static void a_spec_is_shared_and_stays_as_long_as_one_needs_it(void **state)
{
    struct fixture *f = *state;
    struct store_op *op;

    submit_many(f->store, 1, 2);
    for (unsigned i = 2; i < 5; i++) { /* each shares with the one before: all share the first one's */
        op = submit_of(id_of(i));
        free(op->submit.spec.bytes);
        op->submit.spec = (struct store_blob){ 0 };
        memcpy(op->submit.row.spec_of, id_of(i - 1), ULID_LEN + 1);
        assert_int_equal(do_op(f->store, op), 0);
        assert_string_equal(found(f->store, id_of(i)).spec_of, id_of(1));
        assert_spec(f->store, id_of(i), id_of(1));
    }
    assert_int_equal(stored_bytes(f->store), ULID_LEN);
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(finish(f->store, id_of(i), 1), 0);
        assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(i))), 0);
        assert_spec(f->store, id_of(4), id_of(1));
    }
    assert_string_equal(found(f->store, id_of(4)).spec_of, "");
    assert_int_equal(stored_bytes(f->store), ULID_LEN);
    op = submit_of(id_of(9));
    memcpy(op->submit.row.spec_of, id_of(8), ULID_LEN + 1);
    assert_int_equal(do_op(f->store, op), -ENOENT);
}

/* ---- moving ------------------------------------------------------------------------------------------------------------------------- */

static void a_job_is_claimed_by_one_epoch(void **state)
{
    struct fixture *f = *state;

    submit_many(f->store, 1, 2);
    assert_int_equal(claim(f->store, claim_of(id_of(1), 3, 9)), -ESTALE); /* its epoch is another */
    assert_int_equal(claim(f->store, claim_of(id_of(1), 0, 9)), 0);
    assert_int_equal(found(f->store, id_of(1)).state, ST(CLAIMED));
    assert_int_equal(claim(f->store, claim_of(id_of(1), 0, 10)), -ESTALE);
    assert_int_equal(claim(f->store, claim_of(id_of(1), 9, 10)), -ESTALE); /* it does not wait */
    assert_int_equal(claim(f->store, claim_of(id_of(2), 0, 1)), -ENOENT);
    assert_int_equal(finish(f->store, id_of(1), 8), -ESTALE);
    assert_int_equal(finish(f->store, id_of(1), 9), 0);
    assert_int_equal(claim(f->store, claim_of(id_of(1), 9, 10)), -EEXIST);
}

/* As of a scheduler that has several slots: one call, each job with an answer of its own. */
static void a_batch_is_claimed_at_once_and_each_is_answered_for(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = store_op_new(STORE_CLAIM, "");

    submit_many(f->store, 1, 20);
    assert_int_equal(claim(f->store, claim_of(id_of(7), 0, 5)), 0);
    assert_int_equal(finish(f->store, id_of(9), 3), 0);
    for (unsigned i = 1; i <= 20; i++) {
        struct store_claim *c = store_claim_add(op, id_of(i));

        c->epoch = 100 + i;
        c->attempt = 2;
    }
    store_push(f->store, op);
    assert_ptr_equal(wait_for_ops(f->store), op);
    assert_int_equal(op->status, 0);
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(op->claims.at[i - 1].status, i == 7 ? -ESTALE : i == 9 ? -EEXIST : i == 20 ? -ENOENT : 0);
        if (op->claims.at[i - 1].status == 0)
            assert_int_equal(found(f->store, id_of(i)).epoch, 100 + i);
    }
    assert_int_equal(found(f->store, id_of(7)).epoch, 5);
    store_op_free(op);
}

/* Two stores on one database, as two brokers would have: the lock of the directory, which keeps a second broker out, is out of the way. */
static void of_two_brokers_the_one_that_claimed_a_job_ends_it(void **state)
{
    struct fixture *f = *state;
    struct store *other = NULL;
    struct store_blob b;
    char path[300];

    submit_many(f->store, 1, 2);
    (void)snprintf(path, sizeof(path), "%s/lock", f->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_open(f->dir, &other, f->why), 0);
    assert_int_equal(claim(f->store, claim_of(id_of(1), 0, 1000)), 0);
    assert_int_equal(claim(other, claim_of(id_of(1), 0, 9000)), -ESTALE); /* whatever its clock says */
    assert_int_equal(do_op(other, move_of(ST(RETRY_WAIT), id_of(1), 1, 9000)), -ESTALE);
    assert_int_equal(finish(other, id_of(1), 9000), -ESTALE);
    assert_int_equal(store_read_receipt(f->store, id_of(1), &b), -ENOENT);
    assert_int_equal(do_op(f->store, move_of(ST(RUNNING), id_of(1), 1, 1000)), 0);
    assert_int_equal(finish(f->store, id_of(1), 1000), 0);
    assert_int_equal(finish(other, id_of(1), 9000), -EEXIST);
    store_close(other);
}

/* A step that the disk refused is not there; the next one says what it was to be, and what is known to be there. */
static void a_claim_that_was_lost_to_the_disk_keeps_nobody_from_his_receipt(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = finish_of(id_of(1), 20, "receipt");

    submit_many(f->store, 1, 3);
    assert_int_equal(claim(f->store, claim_of(id_of(1), 0, 10)), 0);
    assert_int_equal(do_op(f->store, move_of(ST(RETRY_WAIT), id_of(1), 1, 10)), 0);
    op->finish.fence.stored = 10; /* its claim as 20 never came to the disk */
    assert_int_equal(do_op(f->store, op), 0);
    op = finish_of(id_of(2), 20, "receipt");
    op->finish.fence.stored = 10;
    assert_int_equal(do_op(f->store, op), -ESTALE); /* neither of them */
}

static void every_state_that_waits_can_be_claimed_and_no_other(void **state)
{
    static const Pb__State waits[] = { ST(READY), ST(HELD), ST(SCHEDULED), ST(BLOCKED), ST(RETRY_WAIT) };
    struct fixture *f = *state;

    for (unsigned s = ST(READY); s <= ST(PAUSED); s++) {
        bool may = false;

        if (s >= ST(SUCCEEDED) && s <= ST(DEAD))
            continue;
        for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
            may = may || waits[i] == (Pb__State)s;
        submit_many(f->store, s, s + 1);
        assert_int_equal(do_op(f->store, move_of((Pb__State)s, id_of(s), 1, 1)), 0);
        assert_int_equal(claim(f->store, claim_of(id_of(s), 1, 2)), may ? 0 : -ESTALE);
    }
}

struct seen {
    unsigned n;
    struct store_attempt last;
};

static int see_attempt(void *ctx, const struct store_attempt *a)
{
    struct seen *s = ctx;

    s->n++;
    s->last = *a;
    return 0;
}

static void an_attempt_that_ended_is_kept_with_the_step_that_ended_it(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = move_of(ST(RETRY_WAIT), id_of(1), 1, 5);
    struct seen s = { 0 };
    struct store_job job;

    submit_many(f->store, 1, 2);
    op->move.not_before_us = 77;
    op->move.infra = 2;
    op->move.ended = malloc(sizeof(*op->move.ended));
    *op->move.ended = (struct store_attempt){ .n = 1, .epoch = 5, .started_us = 10, .ended_us = 20, .cpu_us = 3, .infra = true };
    op->move.ended->cause = PB__CAUSE__CAUSE_WORKER_LOST;
    (void)snprintf(op->move.ended->detail, sizeof(op->move.ended->detail), "lost");
    assert_int_equal(do_op(f->store, op), 0);
    job = found(f->store, id_of(1));
    assert_int_equal(job.state, ST(RETRY_WAIT));
    assert_int_equal(job.not_before_us, 77);
    assert_int_equal(job.infra, 2);
    assert_int_equal(store_each_attempt(f->store, id_of(1), see_attempt, &s), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.last.cause, PB__CAUSE__CAUSE_WORKER_LOST);
    assert_string_equal(s.last.detail, "lost");
    assert_true(s.last.infra);
    op = store_op_new(STORE_ATTEMPT, id_of(1)); /* of a worker that came back too late */
    op->attempt = (struct store_attempt){ .n = 1, .epoch = 5 };
    assert_int_equal(do_op(f->store, op), 0);
    s.n = 0;
    assert_int_equal(store_each_attempt(f->store, id_of(1), see_attempt, &s), 0);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.last.detail, "lost"); /* what was there stays */
    assert_int_equal(do_op(f->store, store_op_new(STORE_ATTEMPT, id_of(9))), -ENOENT);
}

/* ---- edit --------------------------------------------------------------------------------------------------------------------------- */

static void an_edit_changes_what_it_names_of_a_job_that_waits(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = store_op_new(STORE_EDIT, id_of(1));
    struct store_job before, after;

    submit_many(f->store, 1, 2);
    before = found(f->store, id_of(1));
    op->edit.what = STORE_EDIT_PRIO | STORE_EDIT_DEADLINE | STORE_EDIT_SPEC;
    op->edit.row.prio = 1;
    op->edit.row.deadline_us = 99;
    op->edit.spec = blob_of("new spec", 8);
    assert_int_equal(do_op(f->store, op), 0);
    after = found(f->store, id_of(1));
    assert_int_equal(after.prio, 1);
    assert_int_equal(after.deadline_us, 99);
    assert_string_equal(after.name, before.name);
    assert_int_equal(after.state, before.state);
    assert_spec(f->store, id_of(1), "new spec");
    assert_int_equal(stored_bytes(f->store), 8);
    assert_int_equal(claim(f->store, claim_of(id_of(1), 0, 4)), 0);
    assert_int_equal(do_op(f->store, store_op_new(STORE_EDIT, id_of(1))), -ESTALE);
    assert_int_equal(do_op(f->store, store_op_new(STORE_EDIT, id_of(3))), -ENOENT);
}

static void an_edit_of_what_is_shared_changes_only_its_own(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = submit_of(id_of(2));

    submit_many(f->store, 1, 2);
    memcpy(op->submit.row.spec_of, id_of(1), ULID_LEN + 1);
    free(op->submit.spec.bytes);
    op->submit.spec = (struct store_blob){ 0 };
    assert_int_equal(do_op(f->store, op), 0);
    for (unsigned i = 1; i < 3; i++) { /* first who has it, then who shares it */
        op = store_op_new(STORE_EDIT, id_of(i));
        op->edit.what = STORE_EDIT_SPEC;
        op->edit.spec = blob_of(i == 1 ? "one" : "three", i == 1 ? 3 : 5);
        assert_int_equal(do_op(f->store, op), 0);
        assert_spec(f->store, id_of(1), "one");
        assert_spec(f->store, id_of(2), i == 1 ? id_of(1) : "three");
    }
    assert_int_equal(stored_bytes(f->store), 8);
}

/* ---- arrays ------------------------------------------------------------------------------------------------------------------------- */

static int count_job(void *ctx, const struct store_job *job)
{
    unsigned *n = ctx;

    assert_int_equal(job->array_index, ++*n);
    return 0;
}

static int count_array(void *ctx, const struct store_array *a)
{
    unsigned *n = ctx;

    assert_int_equal(a->max_parallel, 7);
    ++*n;
    return 0;
}

static void an_array_is_stored_with_all_its_tasks_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct store_array a;
    Pb__ArrayCounts counts;
    struct store_op *op;
    struct store_job job;
    unsigned n = 0;

    assert_int_equal(do_op(f->store, array_of(1, 100)), 0);
    assert_int_equal(store_find_array(f->store, id_of(1), NULL, 0, &a), 0);
    assert_int_equal(a.tasks, 100);
    assert_int_equal(a.to, 100);
    assert_int_equal(store_find(f->store, id_of(1), &job), -ENOENT); /* it is no job */
    assert_int_equal(store_each_task(f->store, id_of(1), true, count_job, &n), 0);
    assert_int_equal(n, 100);
    assert_string_equal(found(f->store, id_of(50)).array_id, id_of(1));
    assert_spec(f->store, id_of(50), id_of(1));
    assert_spec(f->store, id_of(1), id_of(1));
    assert_int_equal(stored_bytes(f->store), ULID_LEN); /* one spec for all */
    op = array_of(200, 10);
    memcpy(op->submit.tasks[9].id, id_of(50), ULID_LEN + 1); /* the last one's id is taken */
    (void)snprintf(op->submit.idem.key, sizeof(op->submit.idem.key), "k");
    assert_int_equal(do_op(f->store, op), -EEXIST);
    assert_int_equal(store_find_array(f->store, id_of(200), NULL, 0, &a), -ENOENT);
    assert_int_equal(store_find(f->store, id_of(201), &job), -ENOENT);
    assert_int_equal(stored_bytes(f->store), ULID_LEN);
    assert_int_equal(store_array_counts(f->store, id_of(1), &counts), 0);
    assert_int_equal(counts.tasks, 100);
    assert_int_equal(counts.waiting, 100);
    n = 0;
    assert_int_equal(store_each_array(f->store, count_array, &n), 0);
    assert_int_equal(n, 1);
}

static void an_array_goes_when_all_of_it_has_ended(void **state)
{
    struct fixture *f = *state;
    Pb__ArrayCounts counts;
    struct store_array a;
    struct store_op *op;
    unsigned n = 0;

    assert_int_equal(do_op(f->store, array_of(1, 3)), 0);
    op = submit_of(id_of(9)); /* a retry of one of its tasks, on its own */
    memcpy(op->submit.row.spec_of, id_of(2), ULID_LEN + 1);
    free(op->submit.spec.bytes);
    op->submit.spec = (struct store_blob){ 0 };
    assert_int_equal(do_op(f->store, op), 0);
    for (unsigned i = 2; i < 4; i++)
        assert_int_equal(finish(f->store, id_of(i), 1), 0);
    assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(1))), -EBUSY);
    op = finish_of(id_of(4), 1, "r");
    op->finish.state = ST(DEAD);
    assert_int_equal(do_op(f->store, op), 0);
    assert_int_equal(store_array_counts(f->store, id_of(1), &counts), 0);
    assert_int_equal(counts.succeeded, 2);
    assert_int_equal(counts.failed, 1);
    op = store_op_new(STORE_ARRAY_END, id_of(1));
    op->array_end = counts;
    assert_int_equal(do_op(f->store, op), 0);
    assert_int_equal(store_each_array(f->store, count_array, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(store_find_array(f->store, id_of(1), NULL, 0, &a), 0);
    assert_int_equal(a.counts.failed, 1);
    assert_true(a.ended_us > 0);
    assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(1))), 0);
    assert_int_equal(store_find_array(f->store, id_of(1), NULL, 0, &a), -ENOENT);
    assert_spec(f->store, id_of(9), id_of(1));
    assert_int_equal(stored_bytes(f->store), ULID_LEN);
}

static void the_last_task_takes_its_ended_array_along(void **state)
{
    struct fixture *f = *state;
    struct store_array a;

    assert_int_equal(do_op(f->store, array_of(1, 2)), 0);
    for (unsigned i = 2; i < 4; i++)
        assert_int_equal(finish(f->store, id_of(i), 1), 0);
    assert_int_equal(do_op(f->store, store_op_new(STORE_ARRAY_END, id_of(1))), 0);
    for (unsigned i = 2; i < 4; i++) {
        assert_int_equal(store_find_array(f->store, id_of(1), NULL, 0, &a), 0);
        assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(i))), 0);
    }
    assert_int_equal(store_find_array(f->store, id_of(1), NULL, 0, &a), -ENOENT);
    assert_int_equal(stored_bytes(f->store), 0);
}

static void an_edit_of_an_array_changes_those_of_its_tasks_that_wait(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = store_op_new(STORE_EDIT, id_of(1));
    struct store_array a;

    assert_int_equal(do_op(f->store, array_of(1, 3)), 0);
    assert_int_equal(claim(f->store, claim_of(id_of(3), 0, 1)), 0);
    op->edit.what = STORE_EDIT_PRIO | STORE_EDIT_MAX_PARALLEL | STORE_EDIT_SPEC;
    op->edit.row.prio = 5;
    op->edit.max_parallel = 2;
    op->edit.spec = blob_of("other", 5);
    assert_int_equal(do_op(f->store, op), 0);
    assert_int_equal(found(f->store, id_of(2)).prio, 5);
    assert_int_equal(found(f->store, id_of(3)).prio, 3); /* runs */
    assert_int_equal(store_find_array(f->store, id_of(1), NULL, 0, &a), 0);
    assert_int_equal(a.max_parallel, 2);
    assert_spec(f->store, id_of(2), "other");
    assert_int_equal(stored_bytes(f->store), 5);
}

/* ---- dependencies ------------------------------------------------------------------------------------------------------------------- */

static int see_dep(void *ctx, const struct store_dep *d)
{
    char *text = ctx;
    size_t len = strlen(text);

    (void)snprintf(text + len, 256 - len, "%c>%c:%d ", d->job[ULID_LEN - 1], d->on[ULID_LEN - 1], (int)d->after);
    return 0;
}

static const char *open_deps(struct store *s, char text[256])
{
    text[0] = '\0';
    assert_int_equal(store_each_dep(s, see_dep, text), 0);
    return text;
}

static struct store_op *dep_op(enum store_kind kind, unsigned job, unsigned on)
{
    struct store_op *op = store_op_new(kind, id_of(job));

    memcpy(op->dep.on, id_of(on), ULID_LEN + 1);
    return op;
}

static void dependencies_are_kept_until_they_are_met_or_dropped(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = submit_of(id_of(3));
    char text[256];
    struct store_job job;

    submit_many(f->store, 1, 3);
    add_dep(op, id_of(1), PB__AFTER__AFTER_OK);
    add_dep(op, id_of(2), PB__AFTER__AFTER_ANY);
    op->submit.row.state = ST(BLOCKED);
    assert_int_equal(do_op(f->store, op), 0);
    assert_string_equal(open_deps(f->store, text), "3>1:0 3>2:2 ");
    assert_int_equal(do_op(f->store, dep_op(STORE_DEP_MET, 3, 1)), 0);
    assert_string_equal(open_deps(f->store, text), "3>2:2 ");
    assert_int_equal(do_op(f->store, dep_op(STORE_DEP_ADD, 3, 2)), -EEXIST);
    assert_int_equal(do_op(f->store, dep_op(STORE_DEP_ADD, 3, 8)), -ENOENT);
    assert_int_equal(do_op(f->store, dep_op(STORE_DEP_DROP, 3, 2)), 0);
    assert_int_equal(do_op(f->store, dep_op(STORE_DEP_DROP, 3, 2)), -ENOENT);
    assert_string_equal(open_deps(f->store, text), "");
    text[0] = '\0';
    assert_int_equal(store_each_dep_of(f->store, id_of(3), see_dep, text), 0);
    assert_string_equal(text, "3>1:0 ");
    op = submit_of(id_of(4));
    add_dep(op, id_of(1), PB__AFTER__AFTER_OK);
    add_dep(op, id_of(9), PB__AFTER__AFTER_OK); /* there is none */
    assert_int_equal(do_op(f->store, op), -ENOENT);
    assert_int_equal(store_find(f->store, id_of(4), &job), -ENOENT);
    assert_string_equal(open_deps(f->store, text), "");
}

static void an_edit_adds_and_drops_dependencies_in_one_commit(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = submit_of(id_of(4));
    char text[256];

    submit_many(f->store, 1, 4);
    add_dep(op, id_of(1), PB__AFTER__AFTER_OK);
    op->submit.row.state = ST(BLOCKED);
    assert_int_equal(do_op(f->store, op), 0);
    op = store_op_new(STORE_EDIT, id_of(4));
    op->edit.n_drop = 1;
    op->edit.drop = calloc(1, sizeof(*op->edit.drop));
    memcpy(op->edit.drop[0].on, id_of(1), ULID_LEN + 1);
    op->edit.n_add = 2;
    op->edit.add = calloc(2, sizeof(*op->edit.add));
    memcpy(op->edit.add[0].on, id_of(2), ULID_LEN + 1);
    memcpy(op->edit.add[1].on, id_of(8), ULID_LEN + 1); /* there is none: nothing of the edit stays */
    assert_int_equal(do_op(f->store, op), -ENOENT);
    assert_string_equal(open_deps(f->store, text), "4>1:0 ");
    op = store_op_new(STORE_EDIT, id_of(4));
    op->edit.n_drop = 1;
    op->edit.drop = calloc(1, sizeof(*op->edit.drop));
    memcpy(op->edit.drop[0].on, id_of(1), ULID_LEN + 1);
    op->edit.n_add = 1;
    op->edit.add = calloc(1, sizeof(*op->edit.add));
    op->edit.add[0].after = PB__AFTER__AFTER_FAIL;
    memcpy(op->edit.add[0].on, id_of(2), ULID_LEN + 1);
    assert_int_equal(do_op(f->store, op), 0);
    assert_string_equal(open_deps(f->store, text), "4>2:1 ");
    assert_int_equal(finish(f->store, id_of(4), 1), 0);
    assert_string_equal(open_deps(f->store, text), ""); /* who has ended waits for nothing */
}

/* ---- lists -------------------------------------------------------------------------------------------------------------------------- */

static int see_label(void *ctx, const char *key, const char *value)
{
    char *text = ctx;
    size_t len = strlen(text);

    (void)snprintf(text + len, 256 - len, "%s=%s ", key, value);
    return 0;
}

static const char *listed(struct store *s, const struct store_filter *filter, char text[256])
{
    static struct store_job jobs[40];
    int n = store_list(s, filter, jobs, 40);
    size_t len = 0;

    assert_true(n >= 0);
    text[0] = '\0';
    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, 256 - len, "%c", jobs[i].id[ULID_LEN - 1]);
    return text;
}

/* 1 a=x b=1, 2 a=x, 3 a=y, 4 none, 5 a=x of another tenant; A array with a task B, both a=x; 4 has ended */
static void fill_for_lists(struct store *s)
{
    static const struct {
        const char *a, *b;
    } rows[] = {
        {"x",   "1" },
        { "x",  NULL},
        { "y",  NULL},
        { NULL, NULL},
        { "x",  NULL},
    };
    struct store_op *op;

    for (unsigned i = 0; i < 5; i++) {
        op = submit_of(id_of(i + 1));
        if (rows[i].a != NULL)
            add_label(op, "a", rows[i].a);
        if (rows[i].b != NULL)
            add_label(op, "b", rows[i].b);
        op->submit.row.tenant = i == 4 ? TENANT + 1 : TENANT;
        op->submit.row.submitted_us = 100 + i;
        (void)snprintf(op->submit.row.name, sizeof(op->submit.row.name), "it's %u", i / 2);
        assert_int_equal(do_op(s, op), 0);
    }
    op = array_of(10, 1);
    add_label(op, "a", "x");
    assert_int_equal(do_op(s, op), 0);
    assert_int_equal(finish(s, id_of(4), 1), 0);
}

static void a_list_is_of_what_was_asked_for(void **state)
{
    struct fixture *f = *state;
    static const uint64_t own[] = { TENANT }, both[] = { TENANT, TENANT + 1 };
    char *array = strdup(id_of(10)), *fourth = strdup(id_of(4));
    static const struct store_label ax[] = {
        {(char *)"a",  (char *)"x"},
        { (char *)"b", NULL       }
    };
    const struct {
        struct store_filter filter;
        const char *want;
    } rows[] = {
        {{ 0 },                                                            "B54321"},
        { { .n_tenants = 1, .tenants = own },                              "B4321" },
        { { .n_tenants = 2, .tenants = both },                             "B54321"},
        { { .n_labels = 1, .labels = ax },                                 "B521"  },
        { { .n_labels = 1, .labels = ax, .n_tenants = 1, .tenants = own }, "B21"   },
        { { .n_labels = 2, .labels = ax },                                 "1"     },
        { { .n_labels = 1, .labels = ax, .no_tasks = true },               "521"   },
        { { .n_labels = 1, .labels = &ax[1] },                             "1"     },
        { { .array_id = array },                                           "B"     },
        { { .array_id = "" },                                              ""      },
        { { .name = "it's 1" },                                            "43"    },
        { { .name = "it's" },                                              ""      },
        { { .since_us = 102, .no_tasks = true },                           "543"   },
        { { .states = 1u << ST(SUCCEEDED) },                               "4"     },
        { { .states = 1u << ST(READY) },                                   "B5321" },
        { { .states = 1u << ST(READY), .n_labels = 1, .labels = ax },      "B521"  },
        { { .states = 1u << ST(READY), .n_tenants = 1, .tenants = own },   "B321"  },
        { { .before = fourth, .n_tenants = 1, .tenants = own },            "321"   },
    };
    struct store_array a[4];
    char text[256];

    fill_for_lists(f->store);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        listed(f->store, &rows[i].filter, text);
        if (strcmp(text, rows[i].want) != 0)
            fail_msg("row %zu: %s, not %s", i, text, rows[i].want);
    }
    assert_int_equal(
        store_list_arrays(f->store, &(struct store_filter){ .n_labels = 1, .labels = ax, .n_tenants = 1, .tenants = own }, a, 4), 1);
    assert_string_equal(a[0].id, id_of(10));
    assert_int_equal(store_list_arrays(f->store, &(struct store_filter){ .name = "none" }, a, 4), 0);
    text[0] = '\0';
    assert_int_equal(store_each_label(f->store, id_of(1), see_label, text), 0);
    assert_string_equal(text, "a=x b=1 ");
    free(array);
    free(fourth);
}

static void another_tenants_job_is_not_there(void **state)
{
    struct fixture *f = *state;
    static const uint64_t own[] = { TENANT };
    struct store_job job;
    char prefix[ULID_LEN + 1];

    fill_for_lists(f->store);
    assert_int_equal(store_find_of(f->store, id_of(1), own, 1, &job), 0);
    assert_int_equal(store_find_of(f->store, id_of(5), own, 1, &job), -ENOENT);
    assert_int_equal(store_find_of(f->store, id_of(5), NULL, 0, &job), 0);
    memcpy(prefix, id_of(5), ULID_LEN + 1);
    prefix[20] = '\0';
    assert_int_equal(store_find_of(f->store, prefix, own, 1, &job), -ENOTUNIQ); /* among its own */
}

static void labels_are_edited_all_at_once(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = store_op_new(STORE_EDIT, id_of(10));
    char text[256] = "";

    fill_for_lists(f->store);
    op->edit.what = STORE_EDIT_LABELS;
    op->edit.n_labels = 1;
    op->edit.labels = calloc(1, sizeof(*op->edit.labels));
    op->edit.labels[0] = (struct store_label){ strdup("c"), strdup("") };
    assert_int_equal(do_op(f->store, op), 0); /* of an array: its tasks have them, too */
    assert_int_equal(store_each_label(f->store, id_of(11), see_label, text), 0);
    assert_string_equal(text, "c= ");
}

/* ---- after the end ------------------------------------------------------------------------------------------------------------------ */

static void what_is_removed_is_gone_and_the_chain_stays_whole(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = keyed(2, "k", 1);
    struct store_audit a = { 0 };
    struct store_blob b;
    struct store_job job;
    struct store_link link;

    submit_many(f->store, 1, 2);
    add_label(op, "a", "x");
    add_dep(op, id_of(1), PB__AFTER__AFTER_OK);
    assert_int_equal(do_op(f->store, op), 0);
    submit_many(f->store, 3, 4);
    for (unsigned i = 1; i < 4; i++) {
        op = finish_of(id_of(i), 1, "receipt");
        op->finish.out[0] = blob_of("output", 6);
        op->finish.spooled_bytes = 1000;
        assert_int_equal(do_op(f->store, op), 0);
    }
    assert_int_equal(stored_bytes(f->store), 3 * (ULID_LEN + 7 + 6 + 1000));
    assert_int_equal(do_op(f->store, store_op_new(STORE_DROP_LOGS, id_of(2))), 0);
    assert_int_equal(store_read_output(f->store, id_of(2), 0, 0, 99, &b), 0);
    assert_blob(b, NULL, 0);
    assert_int_equal(store_read_receipt(f->store, id_of(2), &b), 0);
    free(b.bytes);
    assert_int_equal(stored_bytes(f->store), 3 * (ULID_LEN + 7) + 2 * 1006);
    assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(2))), 0);
    assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(2))), -ENOENT);
    assert_int_equal(store_find(f->store, id_of(2), &job), -ENOENT);
    assert_int_equal(store_read_spec(f->store, id_of(2), &b), -ENOENT);
    assert_int_equal(store_read_receipt(f->store, id_of(2), &b), -ENOENT);
    assert_int_equal(stored_bytes(f->store), 2 * (ULID_LEN + 7 + 1006));
    assert_int_equal(do_op(f->store, keyed(5, "k", 2)), 0); /* the key is free again */
    assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(5))), -EBUSY);
    assert_int_equal(store_read_link(f->store, id_of(2), &link), 0);
    while (!a.ended && a.fault == AUDIT_NONE)
        assert_int_equal(store_audit(f->store, &a), 0);
    assert_int_equal(a.fault, AUDIT_NONE);
    assert_int_equal(a.seq, 3);
    assert_int_equal(a.removed, 1);
}

static int note_due(void *ctx, const struct store_job *job)
{
    char *text = ctx;
    size_t len = strlen(text);

    (void)snprintf(text + len, 256 - len, "%c", job->id[ULID_LEN - 1]);
    return 0;
}

static void what_is_due_is_found_when_it_is_due(void **state)
{
    struct fixture *f = *state;
    static const uint64_t keep[] = { 0, 0, 300, 100, 0, 200 };
    char text[256] = "";

    submit_many(f->store, 1, 6);
    for (unsigned i = 2; i < 6; i++) {
        struct store_op *op = finish_of(id_of(i), 1, "r");

        op->finish.keep_until_us = keep[i];
        op->finish.log_until_us = keep[i] / 2;
        assert_int_equal(do_op(f->store, op), 0);
    }
    assert_int_equal(store_each_due(f->store, false, 99, 10, note_due, text), 0);
    assert_string_equal(text, "");
    assert_int_equal(store_each_due(f->store, false, 200, 10, note_due, text), 0);
    assert_string_equal(text, "35");
    text[0] = '\0';
    assert_int_equal(store_each_due(f->store, false, 1000, 2, note_due, text), 0);
    assert_string_equal(text, "35");
    text[0] = '\0';
    assert_int_equal(store_each_due(f->store, true, 100, 10, note_due, text), 0);
    assert_string_equal(text, "35");
    assert_int_equal(do_op(f->store, store_op_new(STORE_DROP_LOGS, id_of(3))), 0);
    text[0] = '\0';
    assert_int_equal(store_each_due(f->store, true, 100, 10, note_due, text), 0);
    assert_string_equal(text, "5");
}

/* ---- clocks ------------------------------------------------------------------------------------------------------------------------- */

static void ids_go_on_behind_the_newest_one_when_the_clock_was_put_back(void **state)
{
    struct fixture *f = *state;
    char tomorrow[] = "01ZZZZZZZZ00000000000000ZZ", id[ULID_LEN + 1], next[ULID_LEN + 1]; /* of a clock that went wrong, long ago */

    assert_int_equal(do_op(f->store, submit_of(tomorrow)), 0);
    ulid_make(1700000000000, id);
    assert_true(strcmp(id, tomorrow) < 0); /* nobody has looked yet */
    reopen(f);
    ulid_make(1700000000000, id);
    ulid_make(1700000000000 - 86400000, next);
    assert_true(strcmp(id, tomorrow) > 0);
    assert_true(strcmp(next, id) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void what_no_job_may_have_is_read_as_what_it_may(void **state)
{
    struct fixture *f = *state;
    struct store_array a;
    struct store_job job;

    assert_int_equal(do_op(f->store, array_of(1, 2)), 0);
    run_sql(f, "UPDATE job SET class = 7, prio = 0, state = 99, cause = -4, not_before_us = -1, deadline_us = 9223372036854775807; "
               "UPDATE arr SET class = -1, prio = 6");
    reopen(f);
    job = found(f->store, id_of(2));
    assert_int_equal(job.class, PB__JOB_CLASS__JOB_CLASS_NORMAL);
    assert_int_equal(job.prio, 3);
    assert_int_equal(job.state, ST(READY));
    assert_int_equal(job.cause, PB__CAUSE__CAUSE_NONE);
    assert_int_equal(job.not_before_us, WHEN_LAST_US);
    assert_int_equal(job.deadline_us, WHEN_LAST_US);
    assert_int_equal(store_find_array(f->store, id_of(1), NULL, 0, &a), 0);
    assert_int_equal(a.class, PB__JOB_CLASS__JOB_CLASS_NORMAL);
    assert_int_equal(a.prio, 3);
    run_sql(f, "UPDATE job SET state = 0");
    assert_int_equal(found(f->store, id_of(2)).state, ST(READY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_of_a_row_is_read_as_it_was_written),
        TEST(what_no_job_may_have_is_read_as_what_it_may),
        TEST(a_key_is_given_once_and_who_has_it_is_told),
        TEST(a_taken_id_does_not_take_the_key_along),
        TEST(a_spec_is_shared_and_stays_as_long_as_one_needs_it),
        TEST(a_job_is_claimed_by_one_epoch),
        TEST(a_batch_is_claimed_at_once_and_each_is_answered_for),
        TEST(of_two_brokers_the_one_that_claimed_a_job_ends_it),
        TEST(a_claim_that_was_lost_to_the_disk_keeps_nobody_from_his_receipt),
        TEST(every_state_that_waits_can_be_claimed_and_no_other),
        TEST(an_attempt_that_ended_is_kept_with_the_step_that_ended_it),
        TEST(an_edit_changes_what_it_names_of_a_job_that_waits),
        TEST(an_edit_of_what_is_shared_changes_only_its_own),
        TEST(an_array_is_stored_with_all_its_tasks_or_not_at_all),
        TEST(an_array_goes_when_all_of_it_has_ended),
        TEST(the_last_task_takes_its_ended_array_along),
        TEST(an_edit_of_an_array_changes_those_of_its_tasks_that_wait),
        TEST(dependencies_are_kept_until_they_are_met_or_dropped),
        TEST(an_edit_adds_and_drops_dependencies_in_one_commit),
        TEST(a_list_is_of_what_was_asked_for),
        TEST(another_tenants_job_is_not_there),
        TEST(labels_are_edited_all_at_once),
        TEST(what_is_removed_is_gone_and_the_chain_stays_whole),
        TEST(what_is_due_is_found_when_it_is_due),
        TEST(ids_go_on_behind_the_newest_one_when_the_clock_was_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
