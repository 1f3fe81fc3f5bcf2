/*
 * test_store_arrays.c - long arrays in the store: made and removed in many transactions, between which others commit, and whole or not there at
 * all for whoever opens the store next.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"

enum { LONG = 20 * STORE_SLICE + 7, ARRAY = 1, JOB = 30000 };

/* The array has id n, its tasks those that follow; each has a label. */
static struct store_op *array_of(unsigned n, unsigned tasks)
{
    struct store_op *op = submit_of(id_of(n));
    struct store_submit *m = &op->submit;

    m->array = calloc(1, sizeof(*m->array));
    *m->array = (struct store_array){ .from = 1, .to = tasks, .step = 1, .tasks = tasks };
    m->tasks = calloc(tasks, sizeof(*m->tasks));
    for (unsigned i = 0; i < tasks; i++) {
        memcpy(m->tasks[i].id, id_of(n + 1 + i), ULID_LEN + 1);
        m->tasks[i].index = i + 1;
    }
    m->labels = calloc(1, sizeof(*m->labels));
    m->labels[0] = (struct store_label){ strdup("a"), strdup("x") };
    m->n_labels = 1;
    (void)snprintf(m->idem.key, sizeof(m->idem.key), "key");
    return op;
}

static int count_job(void *ctx, const struct store_job *job)
{
    (void)job;
    ++*(unsigned *)ctx;
    return 0;
}

static unsigned tasks_in(struct store *s)
{
    unsigned n = 0;

    assert_int_equal(store_each_task(s, id_of(ARRAY), false, count_job, &n), 0);
    return n;
}

static uint64_t stored_bytes(struct store *s)
{
    uint64_t n = 0;

    assert_int_equal(store_stored_bytes(s, TENANT, &n), 0);
    return n;
}

static void expect_nothing(struct store *s)
{
    uint8_t hash[STORE_HASH];
    struct store_array a;
    struct store_job job;
    char id[ULID_LEN + 1];

    assert_int_equal(store_find_array(s, id_of(ARRAY), NULL, 0, &a), -ENOENT);
    assert_int_equal(tasks_in(s), 0);
    assert_int_equal(store_list(s,
                                &(struct store_filter){
                                    .labels = &(struct store_label){(char *)"a", NULL},
                                       .n_labels = 1
    },
                                &job, 1),
                     0);
    assert_int_equal(store_find_idem(s, TENANT, "key", id, hash), -ENOENT);
    assert_int_equal(stored_bytes(s), 0);
}

/* Pushes both; whether the second comes back before the first. Statuses are kept, the ops freed. */
static bool is_overtaken(struct store *s, struct store_op *first, struct store_op *second, int ret_status[2])
{
    bool seen_first = false, overtaken = false;

    store_push(s, first);
    store_push(s, second);
    while (store_pending(s) > 0)
        for (struct store_op *op = wait_for_ops(s), *next; op != NULL; op = next) {
            next = op->next;
            seen_first = seen_first || op == first;
            overtaken = overtaken || (op == second && !seen_first);
            ret_status[op == second] = op->status;
            store_op_free(op);
        }
    return overtaken;
}

static void others_commit_while_a_long_array_is_made(void **state)
{
    struct fixture *f = *state;
    struct store_array a;
    int status[2];

    assert_true(is_overtaken(f->store, array_of(ARRAY, LONG), submit_of(id_of(JOB)), status));
    assert_int_equal(status[0], 0);
    assert_int_equal(status[1], 0);
    assert_int_equal(store_find_array(f->store, id_of(ARRAY), NULL, 0, &a), 0);
    assert_int_equal(a.tasks, LONG);
    assert_int_equal(tasks_in(f->store), LONG);
    assert_int_equal(stored_bytes(f->store), 2 * ULID_LEN);
    reopen(f);
    assert_int_equal(tasks_in(f->store), LONG);
}

static void others_commit_while_a_long_array_is_removed(void **state)
{
    struct fixture *f = *state;
    struct store_op *end;
    int status[2];

    assert_int_equal(do_op(f->store, array_of(ARRAY, LONG)), 0);
    assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(ARRAY))), -EBUSY);
    store_close(f->store);
    f->store = NULL;
    run_sql(f, "UPDATE job SET state = 5; UPDATE arr SET ended_us = 1"); /* all have succeeded */
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    end = store_op_new(STORE_REMOVE, id_of(ARRAY));
    assert_true(is_overtaken(f->store, end, submit_of(id_of(JOB)), status));
    assert_int_equal(status[0], 0);
    assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(ARRAY))), -ENOENT);
    assert_int_equal(stored_bytes(f->store), ULID_LEN); /* the other's */
    assert_int_equal(tasks_in(f->store), 0);
}

static void one_that_fails_half_way_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = array_of(ARRAY, LONG);

    memcpy(op->submit.tasks[LONG - 1].id, op->submit.tasks[0].id, ULID_LEN + 1);
    assert_int_equal(do_op(f->store, op), -EEXIST);
    expect_nothing(f->store);
    assert_int_equal(do_op(f->store, array_of(ARRAY, 3)), 0); /* the key, and the ids, can be had */
    assert_int_equal(tasks_in(f->store), 3);
}

/* As a crash leaves it: the mark, and so many of its tasks. */
static void one_that_is_not_whole_is_dropped_by_whoever_opens_the_store(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(do_op(f->store, array_of(ARRAY, LONG)), 0);
    store_close(f->store);
    f->store = NULL;
    run_sql(f, "UPDATE arr SET tasks = 0; DELETE FROM job WHERE array_index > 4321");
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    expect_nothing(f->store);
}

/* In a process of its own: the array's removal is under way when another's job is in, and nobody goes on with it. */
static _Noreturn void begin_removal_and_die(struct fixture *f)
{
    struct store_op *op;

    if (store_open(f->dir, &f->store, f->why) != 0)
        _exit(1);
    store_push(f->store, store_op_new(STORE_REMOVE, id_of(ARRAY)));
    store_push(f->store, submit_of(id_of(JOB)));
    op = wait_for_ops(f->store);
    _exit(op->kind == STORE_SUBMIT && op->status == 0 ? 0 : 2);
}

static void one_whose_removal_was_cut_short_goes_when_the_store_is_opened_next(void **state)
{
    struct fixture *f = *state;
    int status;
    pid_t pid;

    assert_int_equal(do_op(f->store, array_of(ARRAY, LONG)), 0);
    store_close(f->store);
    f->store = NULL;
    run_sql(f, "UPDATE job SET state = 5; UPDATE arr SET ended_us = 1");
    pid = fork();
    if (pid == 0)
        begin_removal_and_die(f);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    assert_int_equal(tasks_in(f->store), 0);
    assert_int_equal(stored_bytes(f->store), ULID_LEN);
    assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(ARRAY))), -ENOENT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(others_commit_while_a_long_array_is_made),
        T(others_commit_while_a_long_array_is_removed),
        T(one_that_fails_half_way_leaves_nothing),
        T(one_that_is_not_whole_is_dropped_by_whoever_opens_the_store),
        T(one_whose_removal_was_cut_short_goes_when_the_store_is_opened_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
