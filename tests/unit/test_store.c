/* test_store.c - what the broker's memory promises: durable submits, one receipt a job, and plain words when the disk says no. */
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "store_fixture.h"

/* ---- submit ----------------------------------------------------------------------------------------------------------------------- */

static void a_submitted_job_is_found_with_all_its_fields(void **state)
{
    struct fixture *f = *state;
    struct store_job job;
    struct store_blob spec;

    assert_int_equal(store_find(f->store, id_of(1), &job), -ENOENT);
    assert_int_equal(do_op(f->store, submit_of(id_of(1))), 0);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(store_find(f->store, id_of(1), &job), 0);
        assert_string_equal(job.id, id_of(1));
        assert_string_equal(job.name + 4, id_of(1));
        assert_string_equal(job.engine, "lua");
        assert_int_equal(job.state, PB__STATE__STATE_READY);
        assert_int_equal(job.cause, PB__CAUSE__CAUSE_NONE);
        assert_int_equal(job.attempt, 0);
        assert_int_equal(job.epoch, 0);
        assert_int_equal(job.submitted_us, 1700000000000000u);
        assert_int_equal(job.stdin_mode, PB__STDIN_MODE__STDIN_MODE_INLINE);
        assert_int_equal(store_read_spec(f->store, id_of(1), &spec), 0);
        assert_blob(spec, id_of(1), ULID_LEN);
        reopen(f);
    }
    assert_int_equal(store_read_spec(f->store, id_of(2), &spec), -ENOENT);
}

static void the_same_id_twice_is_refused_and_its_neighbours_go_through(void **state)
{
    struct fixture *f = *state;
    struct store_job job;
    struct store_op *again = submit_of(id_of(2));

    again->submit.row.name[0] = '\0';
    store_push(f->store, submit_of(id_of(1)));
    store_push(f->store, submit_of(id_of(2)));
    store_push(f->store, again);
    store_push(f->store, submit_of(id_of(3)));
    assert_int_equal(collect_all(f->store, 0), 3);
    assert_int_equal(do_op(f->store, submit_of(id_of(2))), -EEXIST);
    assert_int_equal(store_find(f->store, id_of(2), &job), 0);
    assert_int_equal(job.name[0], 'j');
    assert_int_equal(store_find(f->store, id_of(3), &job), 0);
}

static void an_empty_spec_is_empty_and_not_missing(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = store_op_new(STORE_SUBMIT, id_of(1));
    struct store_blob spec;

    assert_int_equal(do_op(f->store, op), 0);
    assert_int_equal(store_read_spec(f->store, id_of(1), &spec), 0);
    assert_blob(spec, NULL, 0);
}

static void ops_come_back_in_the_order_they_were_pushed(void **state)
{
    struct fixture *f = *state;
    unsigned next = 0;

    for (unsigned i = 0; i < 2000; i++) {
        struct store_op *op = submit_of(id_of(i));
        op->owner = (void *)(uintptr_t)i;
        store_push(f->store, op);
    }
    while (store_pending(f->store) > 0)
        for (struct store_op *op = wait_for_ops(f->store), *rest; op != NULL; op = rest) {
            rest = op->next;
            assert_int_equal((uintptr_t)op->owner, next++);
            store_op_free(op);
        }
    assert_int_equal(next, 2000);
    assert_null(store_collect(f->store));
}

static void pending_counts_until_collected(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = submit_of(id_of(1));

    assert_int_equal(store_pending(f->store), 0);
    store_push(f->store, op);
    assert_int_equal(store_pending(f->store), 1);
    assert_ptr_equal(wait_for_ops(f->store), op);
    assert_int_equal(store_pending(f->store), 0);
    store_op_free(op);
}

static void closing_commits_what_was_pushed(void **state)
{
    struct fixture *f = *state;
    struct store_job job;

    for (unsigned i = 0; i < 500; i++)
        store_push(f->store, submit_of(id_of(i)));
    store_push(f->store, move_of(PB__STATE__STATE_RUNNING, id_of(7), 1, 1));
    reopen(f);
    assert_int_equal(store_find(f->store, id_of(499), &job), 0);
    assert_int_equal(store_find(f->store, id_of(7), &job), 0);
    assert_int_equal(job.state, PB__STATE__STATE_RUNNING);
}

/* In the child: submits and finishes for ever; writes a job's number into the pipe only after its op came back. */
static void submit_until_killed(const char *dir, int pipe_fd)
{
    struct store *s;
    char why[STORE_WHY];
    unsigned next = 0;

    if (store_open(dir, &s, why) != 0)
        _exit(1);
    for (;;) {
        while (store_pending(s) < 50) {
            struct store_op *op = submit_of(id_of(next));
            op->owner = (void *)(uintptr_t)next++;
            store_push(s, op);
        }
        for (struct store_op *op = wait_for_ops(s), *rest; op != NULL; op = rest) {
            unsigned n = (unsigned)(uintptr_t)op->owner;

            rest = op->next;
            if (op->status != 0 || write(pipe_fd, &n, sizeof(n)) != sizeof(n))
                _exit(2);
            if (op->kind == STORE_SUBMIT && n % 3 == 0) {
                struct store_op *end = finish_of(op->job, 1, "receipt");
                end->owner = (void *)(uintptr_t)(n | 1u << 31);
                store_push(s, end);
            }
            store_op_free(op);
        }
    }
}

static void check_survivor(struct store *s, unsigned word)
{
    const char *id = id_of(word & 0x7fffffff);
    struct store_blob b;
    struct store_job job;

    assert_int_equal(store_find(s, id, &job), 0);
    assert_int_equal(store_read_spec(s, id, &b), 0);
    assert_blob(b, id, ULID_LEN);
    if (word >> 31) {
        assert_int_equal(job.state, PB__STATE__STATE_SUCCEEDED);
        assert_int_equal(store_read_receipt(s, id, &b), 0);
        assert_blob(b, "receipt", 7);
    }
}

static void an_acknowledged_submit_survives_kill_9(void **state)
{
    struct fixture *f = *state;

    for (unsigned round = 0; round < 3; round++) {
        unsigned want = 200 + 700 * round, got = 0, word;
        char *dir = scratch_make();
        int fd[2], status;
        pid_t pid;

        assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
            submit_until_killed(dir, fd[1]);
            _exit(3);
        }
        (void)close(fd[1]);
        scratch_remove(f->dir);
        f->dir = dir;
        unsigned *seen = calloc(want + 100000, sizeof(*seen));
        while (got < want + 100000 && read(fd[0], &word, sizeof(word)) == sizeof(word)) {
            seen[got++] = word;
            if (got == want)
                assert_int_equal(kill(pid, SIGKILL), 0); /* and read on: what it said before it died counts as well */
        }
        (void)close(fd[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_true(got >= want);
        assert_int_equal(store_open(f->dir, &f->store, f->why), 0); /* the lock died with its holder */
        for (unsigned i = 0; i < got; i++)
            check_survivor(f->store, seen[i]);
        free(seen);
        store_close(f->store);
        f->store = NULL;
    }
}

/* ---- start, requeue, finish --------------------------------------------------------------------------------------------------------- */

static void start_and_requeue_ride_along_within_their_time(void **state)
{
    struct fixture *f = *state;
    struct store_op *again;
    struct store_job job;
    struct timespec a, b;
    double ms;

    assert_int_equal(do_op(f->store, submit_of(id_of(1))), 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    assert_int_equal(do_op(f->store, move_of(PB__STATE__STATE_RUNNING, id_of(1), 1, 5)), 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
    assert_true(ms >= 45); /* it waited for company; how long at most is the scheduler's word, not ours */
    assert_int_equal(store_find(f->store, id_of(1), &job), 0);
    assert_int_equal(job.state, PB__STATE__STATE_RUNNING);
    assert_int_equal(job.attempt, 1);
    assert_int_equal(job.epoch, 5);

    again = move_of(PB__STATE__STATE_READY, id_of(1), 1, 6);
    again->move.fence.was = 5;
    store_push(f->store, again);
    store_push(f->store, submit_of(id_of(2)));
    assert_int_equal(collect_all(f->store, 0), 2);
    assert_int_equal(store_find(f->store, id_of(1), &job), 0);
    assert_int_equal(job.state, PB__STATE__STATE_READY);
    assert_int_equal(job.epoch, 6);
}

static void a_job_gets_its_receipt_exactly_once(void **state)
{
    struct fixture *f = *state;
    struct store_op *late = finish_of(id_of(1), 9, "second");
    struct store_blob b;
    struct store_job job;

    late->finish.out[0] = blob_of("late", 4);
    late->finish.state = PB__STATE__STATE_FAILED;
    store_push(f->store, submit_of(id_of(1)));
    store_push(f->store, finish_of(id_of(1), 1, "first"));
    assert_int_equal(collect_all(f->store, 0), 2);
    assert_int_equal(do_op(f->store, late), -EEXIST);
    assert_int_equal(do_op(f->store, finish_of(id_of(1), 0, "third")), -EEXIST);
    assert_int_equal(do_op(f->store, move_of(PB__STATE__STATE_RUNNING, id_of(1), 2, 10)), -EEXIST);
    assert_int_equal(do_op(f->store, move_of(PB__STATE__STATE_READY, id_of(1), 2, 10)), -EEXIST);
    assert_int_equal(store_read_receipt(f->store, id_of(1), &b), 0);
    assert_blob(b, "first", 5);
    assert_int_equal(store_read_output(f->store, id_of(1), 0, 0, 100, &b), 0);
    assert_blob(b, NULL, 0);
    assert_int_equal(store_find(f->store, id_of(1), &job), 0);
    assert_int_equal(job.state, PB__STATE__STATE_SUCCEEDED);
    assert_int_equal(job.cause, PB__CAUSE__CAUSE_OK);
    assert_int_equal(job.epoch, 1);
}

static void a_receipt_with_a_late_epoch_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store_op *again = move_of(PB__STATE__STATE_READY, id_of(1), 1, 8);
    struct store_blob b;

    again->move.fence.was = 7;
    store_push(f->store, submit_of(id_of(1)));
    store_push(f->store, move_of(PB__STATE__STATE_RUNNING, id_of(1), 1, 7));
    store_push(f->store, again);
    assert_int_equal(collect_all(f->store, 0), 3);
    assert_int_equal(do_op(f->store, finish_of(id_of(1), 7, "late")), -ESTALE);
    assert_int_equal(do_op(f->store, move_of(PB__STATE__STATE_RUNNING, id_of(1), 2, 7)), -ESTALE);
    assert_int_equal(store_read_receipt(f->store, id_of(1), &b), -ENOENT);
    assert_int_equal(do_op(f->store, finish_of(id_of(1), 8, "good")), 0);
    assert_int_equal(store_read_receipt(f->store, id_of(1), &b), 0);
    assert_blob(b, "good", 4);
}

static void moving_a_job_nobody_submitted_says_so(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(do_op(f->store, move_of(PB__STATE__STATE_RUNNING, id_of(1), 1, 1)), -ENOENT);
    assert_int_equal(do_op(f->store, move_of(PB__STATE__STATE_READY, id_of(1), 1, 1)), -ENOENT);
    assert_int_equal(do_op(f->store, finish_of(id_of(1), 1, "r")), -ENOENT);
}

static void kept_output_is_read_at_offsets(void **state)
{
    struct fixture *f = *state;
    struct store_op *op = finish_of(id_of(1), 1, "r");
    struct store_blob b;

    op->finish.out[0] = blob_of("hello\0world", 11);
    store_push(f->store, submit_of(id_of(1)));
    store_push(f->store, submit_of(id_of(2)));
    store_push(f->store, op);
    assert_int_equal(collect_all(f->store, 0), 3);
    static const struct {
        uint64_t offset;
        size_t max, len;
        const char *want;
    } rows[] = {
        {0,           100,      11, "hello\0world"},
        { 0,          5,        5,  "hello"       },
        { 5,          1,        1,  "\0"          },
        { 6,          100,      5,  "world"       },
        { 10,         1,        1,  "d"           },
        { 11,         1,        0,  ""            },
        { 0,          0,        0,  ""            },
        { 1ull << 32, 9,        0,  ""            },
        { UINT64_MAX, SIZE_MAX, 0,  ""            },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(store_read_output(f->store, id_of(1), 0, rows[i].offset, rows[i].max, &b), 0);
        assert_blob(b, rows[i].want, rows[i].len);
    }
    assert_int_equal(store_read_output(f->store, id_of(1), 1, 0, 9, &b), 0);
    assert_blob(b, NULL, 0);
    assert_int_equal(store_read_output(f->store, id_of(2), 0, 0, 9, &b), 0);
    assert_blob(b, NULL, 0);
    assert_int_equal(store_read_output(f->store, id_of(3), 0, 0, 9, &b), -ENOENT);
}

static void a_spool_file_that_cannot_be_synced_fails_its_receipt_alone(void **state)
{
    struct fixture *f = *state;
    struct store_op *bad = finish_of(id_of(1), 1, "r"), *good = finish_of(id_of(2), 1, "r");
    struct store_job job;
    char path[256];
    int fd[2], file;

    path_of(f, "spooled", path);
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    bad->finish.sync_fd[1] = fd[1]; /* a pipe cannot be synced: EINVAL */
    good->finish.sync_fd[0] = file;
    submit_many(f->store, 1, 3);
    store_push(f->store, bad);
    store_push(f->store, good);
    while (store_pending(f->store) > 0)
        for (struct store_op *op = wait_for_ops(f->store), *rest; op != NULL; op = rest) {
            rest = op->next;
            assert_int_equal(op->status, op == bad ? -EINVAL : 0);
            store_op_free(op);
        }
    assert_int_equal(store_find(f->store, id_of(1), &job), 0);
    assert_int_equal(job.state, PB__STATE__STATE_READY);
    assert_int_equal(write(file, "x", 1), 1); /* still open */
    (void)close(file);
    (void)close(fd[0]);
    (void)close(fd[1]);
}

static void an_op_too_large_for_the_database_fails_alone_and_wholly(void **state)
{
    struct fixture *f = *state;
    struct store_op *big = finish_of(id_of(1), 1, "r");
    struct store_blob b;
    struct store_job job;

    submit_many(f->store, 0, 3);
    (void)sqlite3_limit(f->store->writer, SQLITE_LIMIT_LENGTH, 1 << 20); /* a billion, normally */
    big->finish.out[1] = (struct store_blob){ calloc(1, 2 << 20), 2 << 20 };
    store_push(f->store, finish_of(id_of(0), 1, "r"));
    store_push(f->store, big);
    store_push(f->store, finish_of(id_of(2), 1, "r"));
    while (store_pending(f->store) > 0)
        for (struct store_op *op = wait_for_ops(f->store), *rest; op != NULL; op = rest) {
            rest = op->next;
            assert_int_equal(op->status, op == big ? -EFBIG : 0);
            store_op_free(op);
        }
    assert_int_equal(store_find(f->store, id_of(1), &job), 0);
    assert_int_equal(job.state, PB__STATE__STATE_READY); /* the half that came before is gone again */
    assert_int_equal(store_read_receipt(f->store, id_of(1), &b), -ENOENT);
    assert_int_equal(do_op(f->store, finish_of(id_of(1), 1, "r")), 0);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------------ */

static void lists_are_newest_first_and_paged_by_id(void **state)
{
    struct fixture *f = *state;
    struct store_job jobs[10];

    assert_int_equal(list_jobs(f->store, 0, NULL, jobs, 10), 0);
    submit_many(f->store, 1, 26);
    assert_int_equal(list_jobs(f->store, 0, NULL, jobs, 10), 10);
    for (unsigned i = 0; i < 10; i++)
        assert_string_equal(jobs[i].id, id_of(25 - i));
    assert_int_equal(list_jobs(f->store, 0, jobs[9].id, jobs, 10), 10);
    assert_string_equal(jobs[0].id, id_of(15));
    assert_int_equal(list_jobs(f->store, 0, jobs[9].id, jobs, 10), 5);
    assert_string_equal(jobs[4].id, id_of(1));
    assert_int_equal(list_jobs(f->store, 0, jobs[4].id, jobs, 10), 0);
    assert_int_equal(list_jobs(f->store, 0, NULL, jobs, 0), 0);
}

static void lists_keep_to_the_states_asked_for(void **state)
{
    struct fixture *f = *state;
    struct store_job jobs[40];

    submit_many(f->store, 0, 30);
    for (unsigned i = 0; i < 30; i++) {
        struct store_op *op = i % 3 == 0 ? move_of(PB__STATE__STATE_RUNNING, id_of(i), 1, 1) : finish_of(id_of(i), 1, "r");
        if (i % 3 == 2)
            op->finish.state = PB__STATE__STATE_FAILED;
        store_push(f->store, op);
    }
    assert_int_equal(collect_all(f->store, 0), 30);
    static const struct {
        uint32_t states;
        int want;
    } rows[] = {
        {0,                                                               30},
        { 1u << PB__STATE__STATE_RUNNING,                                 10},
        { 1u << PB__STATE__STATE_READY,                                   0 },
        { 1u << PB__STATE__STATE_READY | 1u << PB__STATE__STATE_RUNNING,  10},
        { 1u << PB__STATE__STATE_FAILED,                                  10},
        { 1u << PB__STATE__STATE_FAILED | 1u << PB__STATE__STATE_RUNNING, 20},
        { 1u << PB__STATE__STATE_CANCELLED,                               0 },
        { UINT32_MAX,                                                     30},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int n = list_jobs(f->store, rows[i].states, NULL, jobs, 40);

        assert_int_equal(n, rows[i].want);
        for (int k = 0; k < n; k++)
            assert_true(rows[i].states == 0 || rows[i].states >> jobs[k].state & 1);
        for (int k = 1; k < n; k++)
            assert_true(strcmp(jobs[k - 1].id, jobs[k].id) > 0);
    }
}

static void a_prefix_finds_one_job_or_says_that_it_names_several(void **state)
{
    struct fixture *f = *state;
    struct store_job job;

    store_push(f->store, submit_of("01HZZZZZZZ0000000000000001"));
    store_push(f->store, submit_of("01HZZZZZZZ0000000000000002"));
    store_push(f->store, submit_of("01HZZZZZZZZZZZZZZZZZZZZZZZ"));
    store_push(f->store, submit_of("01J00000000000000000000000"));
    assert_int_equal(collect_all(f->store, 0), 4);
    static const struct {
        const char *text;
        int want;
        const char *id;
    } rows[] = {
        {"01J00000",                     0,         "01J00000000000000000000000"},
        { "01j00000",                    0,         "01J00000000000000000000000"},
        { "01HZZZZZZZZ",                 0,         "01HZZZZZZZZZZZZZZZZZZZZZZZ"},
        { "01HZZZZZZZ0000000000000002",  0,         "01HZZZZZZZ0000000000000002"},
        { "01HZZZZZZZ",                  -ENOTUNIQ, NULL                        },
        { "01HZZZZZZZ000000000000000",   -ENOTUNIQ, NULL                        },
        { "01HZZZZZZZ0000000000000003",  -ENOENT,   NULL                        },
        { "01J00001",                    -ENOENT,   NULL                        },
        { "01J0000",                     -ENOENT,   NULL                        },
        { "",                            -ENOENT,   NULL                        },
        { "01J00000%",                   -ENOENT,   NULL                        },
        { "01HZZZZZZZ0000000000000002X", -ENOENT,   NULL                        },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(store_find(f->store, rows[i].text, &job), rows[i].want);
        if (rows[i].want == 0)
            assert_string_equal(job.id, rows[i].id);
    }
}

struct walk {
    struct store *store;
    unsigned seen, stop_after;
};

static int look(void *ctx, const struct store_job *job)
{
    struct walk *w = ctx;
    struct store_blob spec;

    assert_string_equal(job->id, id_of(w->seen * 2 + 1));
    assert_int_equal(store_read_spec(w->store, job->id, &spec), 0); /* asking during the walk is fine */
    assert_blob(spec, job->id, ULID_LEN);
    return ++w->seen == w->stop_after ? -ECANCELED : 0;
}

static void unfinished_jobs_are_walked_oldest_first(void **state)
{
    struct fixture *f = *state;
    struct walk w = { 0 };

    for (unsigned i = 100; i-- > 0;)
        store_push(f->store, submit_of(id_of(i)));
    for (unsigned i = 0; i < 100; i += 2)
        store_push(f->store, finish_of(id_of(i), 1, "r"));
    store_push(f->store, move_of(PB__STATE__STATE_RUNNING, id_of(51), 1, 1));
    assert_int_equal(collect_all(f->store, 0), 151);
    reopen(f);
    w.store = f->store;
    assert_int_equal(store_each_unfinished(f->store, look, &w), 0);
    assert_int_equal(w.seen, 50);
    w = (struct walk){ f->store, 0, 7 };
    assert_int_equal(store_each_unfinished(f->store, look, &w), -ECANCELED);
    assert_int_equal(w.seen, 7);
}

/* ---- the disk says no --------------------------------------------------------------------------------------------------------------- */

static void a_full_disk_refuses_by_name_and_later_works_again(void **state)
{
    struct fixture *f = *state;
    struct store_op *big = submit_of(id_of(1));
    struct store_job job;
    char path[256];
    int ballast;

    if (!scratch_can_mount || scratch_mount(f->dir, 8 << 20) != 0)
        skip();
    if (store_open(f->dir, &f->store, f->why) != 0)
        fail_msg("%s", f->why);
    path_of(f, "ballast", path);
    ballast = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(posix_fallocate(ballast, 0, 13 << 19), 0);
    assert_int_equal(do_op(f->store, submit_of(id_of(0))), 0);
    free(big->submit.spec.bytes);
    big->submit.spec = (struct store_blob){ calloc(1, 2 << 20), 2 << 20 };
    assert_int_equal(do_op(f->store, big), -ENOSPC);
    assert_int_equal(store_find(f->store, id_of(1), &job), -ENOENT);

    big = submit_of(id_of(1));
    free(big->submit.spec.bytes);
    big->submit.spec = (struct store_blob){ calloc(1, 2 << 20), 2 << 20 };
    store_push(f->store, submit_of(id_of(2)));
    store_push(f->store, move_of(PB__STATE__STATE_RUNNING, id_of(2), 1, 1));
    store_push(f->store, big);
    store_push(f->store, submit_of(id_of(3)));
    while (store_pending(f->store) > 0)
        for (struct store_op *op = wait_for_ops(f->store), *rest; op != NULL; op = rest) {
            rest = op->next;
            assert_int_equal(op->status, op == big ? -ENOSPC : 0); /* the huge one fails, its neighbours do not */
            if (op != big)
                store_op_free(op);
        }
    assert_int_equal(ftruncate(ballast, 0), 0);
    (void)close(ballast);
    assert_int_equal(do_op(f->store, big), 0); /* the same op, pushed again */
    reopen(f);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(store_find(f->store, id_of(i), &job), 0);
}

static void a_disk_that_fills_up_loses_nothing_acknowledged(void **state)
{
    struct fixture *f = *state;
    unsigned good = 0, status = 0;
    struct store_job job;

    if (!scratch_can_mount || scratch_mount(f->dir, 2 << 20) != 0)
        skip();
    if (store_open(f->dir, &f->store, f->why) != 0)
        fail_msg("%s", f->why);
    while (status == 0 && good < 30000) {
        struct store_op *op = submit_of(id_of(good));
        status = (unsigned)-do_op(f->store, op);
        good += status == 0;
    }
    assert_int_equal(status, ENOSPC);
    for (unsigned i = 0; i < good; i++)
        assert_int_equal(store_find(f->store, id_of(i), &job), 0);
    assert_int_equal(store_find(f->store, id_of(good), &job), -ENOENT);
}

static void a_full_disk_does_not_keep_a_broker_from_its_jobs(void **state)
{
    struct fixture *f = *state;
    struct store_op *big = submit_of(id_of(1));
    struct store_job job;
    char path[256];
    int ballast;

    if (!scratch_can_mount || scratch_mount(f->dir, 4 << 20) != 0)
        skip();
    if (store_open(f->dir, &f->store, f->why) != 0)
        fail_msg("%s", f->why);
    free(big->submit.spec.bytes);
    big->submit.spec = (struct store_blob){ calloc(1, 2 << 20), 2 << 20 };
    assert_int_equal(do_op(f->store, big), 0); /* is in the log now, and the database has no room for it */
    path_of(f, "ballast", path);
    ballast = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(posix_fallocate(ballast, 0, 1 << 20), 0);
    (void)close(ballast);
    reopen(f);
    path_of(f, "coop.db-wal", path);
    assert_true(access(path, F_OK) == 0);
    assert_int_equal(store_find(f->store, id_of(1), &job), 0);
}

/* In a user namespace of our own even uid 1000 may write everywhere, until it says no. */
static int give_up_capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { { 0 } };

    return (int)syscall(SYS_capset, &head, none);
}

/* Opens as another user in a child; returns the -errno. The sentence goes through the pipe. */
static int open_as(uid_t uid, const char *dir, char why[STORE_WHY])
{
    int fd[2], status;
    ssize_t got;
    pid_t pid;

    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        struct store *s = NULL;
        int err = -ENOSYS;

        if (uid == geteuid() || (setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0))
            err = give_up_capabilities() == 0 ? store_open(dir, &s, why) : -ENOSYS;
        store_close(s);
        (void)!write(fd[1], why, strlen(why) + 1);
        _exit(-err);
    }
    (void)close(fd[1]);
    got = read(fd[0], why, STORE_WHY - 1);
    why[got > 0 ? got : 0] = '\0';
    (void)close(fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void a_directory_we_may_not_write_is_refused_with_a_sentence(void **state)
{
    struct fixture *f = *state;
    uid_t uid = geteuid() == 0 ? 65534 : geteuid();

    assert_int_equal(chown(f->dir, uid, (gid_t)-1), 0);
    assert_int_equal(chmod(f->dir, 0500), 0);
    assert_int_equal(open_as(uid, f->dir, f->why), -EACCES);
    assert_non_null(strstr(f->why, "may not write"));
}

static void a_file_system_mounted_read_only_is_refused_with_a_sentence(void **state)
{
    struct fixture *f = *state;

    if (!scratch_can_mount || scratch_mount(f->dir, 1 << 20) != 0 || mount(NULL, f->dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0)
        skip();
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EROFS);
    assert_non_null(strstr(f->why, "read-only"));
}

static void a_directory_of_somebody_else_is_refused_and_the_owner_named(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(f->dir, 4711, (gid_t)-1), 0);
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EPERM);
    assert_non_null(strstr(f->why, "4711"));
}

static void a_directory_others_may_write_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(chmod(f->dir, 0777), 0);
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EPERM);
    assert_non_null(strstr(f->why, "777"));
}

static void a_missing_directory_is_made_and_is_private(void **state)
{
    struct fixture *f = *state;
    char path[256], file[300];
    struct stat st;

    path_of(f, "a/b//c/", path);
    assert_int_equal(store_open(path, &f->store, f->why), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(do_op(f->store, submit_of(id_of(1))), 0);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(file, sizeof(file), "%s/coop.db%s", path, i == 0 ? "" : i == 1 ? "-wal" : "-shm");
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void a_second_broker_is_told_who_has_the_first(void **state)
{
    struct fixture *f = *state;
    struct store *second = NULL;
    char pid[32];

    (void)snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
    assert_int_equal(store_open(f->dir, &second, f->why), -EBUSY);
    assert_null(second);
    assert_non_null(strstr(f->why, pid));
    assert_int_equal(open_as(geteuid(), f->dir, f->why), -EBUSY);
    assert_non_null(strstr(f->why, pid));
    reopen(f);
}

/* ---- versions and damage ------------------------------------------------------------------------------------------------------------ */

static void the_steps_of_the_schema_rise_by_one(void **state)
{
    (void)state;
    for (int i = 0; i < SCHEMA_VERSION; i++) {
        assert_int_equal(store_schema[i].version, i + 1);
        assert_true(strlen(store_schema[i].what) > 0);
        assert_true(strlen(store_schema[i].sql) > 0);
    }
}

/* What version 1 was, with a job of each kind in it. Frozen: this is what is out there. */
static const char version_1[] =
    "PRAGMA application_id = 0x636f6f70; PRAGMA user_version = 1;"
    "CREATE TABLE job(id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, engine TEXT NOT NULL, state INTEGER NOT NULL,"
    " cause INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 0,"
    " submitted_us INTEGER NOT NULL, stdin_mode INTEGER NOT NULL, updated_us INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE spec(job TEXT NOT NULL PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE, body BLOB NOT NULL);"
    "CREATE TABLE result(job TEXT NOT NULL PRIMARY KEY REFERENCES job(id) ON DELETE CASCADE, epoch INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, cause INTEGER NOT NULL, recorded_us INTEGER NOT NULL, receipt BLOB NOT NULL);"
    "CREATE TABLE output(job TEXT NOT NULL REFERENCES job(id) ON DELETE CASCADE, stream INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY(job, stream));"
    "INSERT INTO job VALUES('01HZZZZZZZ0000000000000001', 'old', 'lua', 1, 0, 0, 0, 42, 0, 42);"
    "INSERT INTO spec VALUES('01HZZZZZZZ0000000000000001', '01HZZZZZZZ0000000000000001');"
    "INSERT INTO job VALUES('01HZZZZZZZ0000000000000002', 'older', 'lua', 5, 1, 1, 3, 43, 0, 43);"
    "INSERT INTO spec VALUES('01HZZZZZZZ0000000000000002', x'');"
    "INSERT INTO result VALUES('01HZZZZZZZ0000000000000002', 3, 5, 1, 44, x'7265');";

static void a_database_of_version_1_is_brought_to_the_present(void **state)
{
    struct fixture *f = *state;
    struct walk w = { 0 };
    struct store_blob b;
    struct store_job job;

    run_sql(f, version_1);
    if (store_open(f->dir, &f->store, f->why) != 0)
        fail_msg("%s", f->why);
    w.store = f->store;
    assert_int_equal(store_each_unfinished(f->store, look, &w), 0); /* INDEXED BY: would fail without the index of version 2 */
    assert_int_equal(w.seen, 1);
    assert_int_equal(store_find(f->store, id_of(2), &job), 0);
    assert_int_equal(job.epoch, 3);
    assert_int_equal(store_read_receipt(f->store, id_of(2), &b), 0);
    assert_blob(b, "re", 2);
    assert_int_equal(do_op(f->store, finish_of(id_of(1), 1, "r")), 0);
    reopen(f);
}

static void a_step_that_fails_leaves_the_version_before_it(void **state)
{
    struct fixture *f = *state;

    run_sql(f, version_1);
    run_sql(f, "CREATE TABLE job_unfinished(x)"); /* in the way of the index */
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EIO);
    assert_non_null(strstr(f->why, "version 2"));
    run_sql(f, "DROP TABLE job_unfinished");
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
}

static void a_newer_schema_is_refused_and_left_alone(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    f->store = NULL;
    run_sql(f, "PRAGMA user_version = 99");
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EPROTONOSUPPORT);
    assert_non_null(strstr(f->why, "99"));
    run_sql(f, SCHEMA_STAMP);
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
}

static void a_database_of_another_program_is_refused(void **state)
{
    struct fixture *f = *state;

    run_sql(f, "CREATE TABLE cookies(a)");
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EUCLEAN);
    assert_non_null(strstr(f->why, "another program"));
}

static void overwrite(const struct fixture *f, off_t at, size_t len)
{
    uint8_t *junk = malloc(len);
    char path[256];
    int fd;

    path_of(f, "coop.db", path);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    memset(junk, 0xa5, len);
    assert_int_equal(pwrite(fd, junk, len, at), (ssize_t)len);
    (void)close(fd);
    free(junk);
}

static void a_damaged_database_is_refused_wherever_the_damage_is(void **state)
{
    struct fixture *f = *state;
    char path[256];
    static const struct {
        const char *name;
        off_t at;
        size_t len;
    } rows[] = {
        {"header",  0,    100  },
        { "schema", 100,  2000 },
        { "pages",  4096, 40960}
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        submit_many(f->store, 0, 500);
        store_close(f->store);
        f->store = NULL;
        overwrite(f, rows[i].at, rows[i].len);
        assert_int_equal(store_open(f->dir, &f->store, f->why), -EUCLEAN);
        assert_true(strlen(f->why) > 0);
        scratch_remove(f->dir);
        f->dir = scratch_make();
        assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    }
    submit_many(f->store, 0, 500);
    store_close(f->store);
    f->store = NULL;
    path_of(f, "coop.db", path);
    assert_int_equal(truncate(path, 16384), 0);
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EUCLEAN);
}

#define FRESH(name) cmocka_unit_test_setup_teardown(name, setup_dir, teardown)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_submitted_job_is_found_with_all_its_fields),
        TEST(the_same_id_twice_is_refused_and_its_neighbours_go_through),
        TEST(an_empty_spec_is_empty_and_not_missing),
        TEST(ops_come_back_in_the_order_they_were_pushed),
        TEST(pending_counts_until_collected),
        TEST(closing_commits_what_was_pushed),
        FRESH(an_acknowledged_submit_survives_kill_9),
        TEST(start_and_requeue_ride_along_within_their_time),
        TEST(a_job_gets_its_receipt_exactly_once),
        TEST(a_receipt_with_a_late_epoch_is_refused),
        TEST(moving_a_job_nobody_submitted_says_so),
        TEST(kept_output_is_read_at_offsets),
        TEST(a_spool_file_that_cannot_be_synced_fails_its_receipt_alone),
        TEST(an_op_too_large_for_the_database_fails_alone_and_wholly),
        TEST(lists_are_newest_first_and_paged_by_id),
        TEST(lists_keep_to_the_states_asked_for),
        TEST(a_prefix_finds_one_job_or_says_that_it_names_several),
        TEST(unfinished_jobs_are_walked_oldest_first),
        FRESH(a_full_disk_refuses_by_name_and_later_works_again),
        FRESH(a_disk_that_fills_up_loses_nothing_acknowledged),
        FRESH(a_full_disk_does_not_keep_a_broker_from_its_jobs),
        FRESH(a_directory_we_may_not_write_is_refused_with_a_sentence),
        FRESH(a_file_system_mounted_read_only_is_refused_with_a_sentence),
        FRESH(a_directory_of_somebody_else_is_refused_and_the_owner_named),
        FRESH(a_directory_others_may_write_is_refused),
        FRESH(a_missing_directory_is_made_and_is_private),
        TEST(a_second_broker_is_told_who_has_the_first),
        FRESH(the_steps_of_the_schema_rise_by_one),
        FRESH(a_database_of_version_1_is_brought_to_the_present),
        FRESH(a_step_that_fails_leaves_the_version_before_it),
        TEST(a_newer_schema_is_refused_and_left_alone),
        FRESH(a_database_of_another_program_is_refused),
        TEST(a_damaged_database_is_refused_wherever_the_damage_is),
    };

    scratch_start();
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
