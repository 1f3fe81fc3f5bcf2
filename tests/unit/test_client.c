/* test_client.c - libcoop's connection and ops: threads, asynchronous calls, cancelling, a broker that dies. Its broker is
 * host_broker.h. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <coop/client.h>

#include "host_broker.h"
#include "scratch.h"

struct fixture {
    char *dir;
    char path[108], url[128];
    pid_t broker;
    struct coop_client *c;
    struct coop_error why;
};

static void open_client(struct fixture *f, struct coop_client **ret)
{
    struct coop_client_options o = { .size = sizeof(o), .endpoint = f->url, .no_autostart = true };

    if (coop_client_open(&o, ret, &f->why) != 0)
        fail_msg("%s", f->why.message);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->dir = scratch_make();
    *state = f;
    if (f->dir == NULL)
        return 1;
    (void)snprintf(f->path, sizeof(f->path), "%s/control.sock", f->dir);
    (void)snprintf(f->url, sizeof(f->url), "ipc://%s", f->path);
    f->broker = host_start(f->path);
    open_client(f, &f->c);
    return 0;
}

static void stop_broker(struct fixture *f)
{
    if (f->broker > 0) {
        (void)kill(f->broker, SIGKILL);
        (void)waitpid(f->broker, NULL, 0);
    }
    f->broker = 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    coop_client_close(f->c);
    stop_broker(f);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

static struct coop_op *begin(struct fixture *f, const char *text, int64_t timeout_us)
{
    struct coop_op *op;

    assert_int_equal(coop_interp_info_begin(f->c, text, timeout_us, &op, &f->why), 0);
    return op;
}

/* Steps in a poll loop, as a program without threads does. */
static void poll_until_done(struct fixture *f, const struct coop_op *op)
{
    while (!coop_op_done(op)) {
        struct pollfd p = { .fd = coop_client_fd(f->c), .events = POLLIN };

        assert_int_equal(poll(&p, 1, 60000), 1);
        (void)coop_client_step(f->c);
    }
}

static bool is_readable(const struct fixture *f)
{
    struct pollfd p = { .fd = coop_client_fd(f->c), .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

/* ---- one at a time ------------------------------------------------------------------------------------------------------------- */

static void a_call_blocks_until_its_answer(void **state)
{
    struct fixture *f = *state;
    struct coop_interp_info i;

    assert_int_equal(coop_interp_info(f->c, "hello", COOP_NO_LIMIT, &i, &f->why), 0);
    assert_string_equal(i.running, "hello");
}

static void a_failure_becomes_the_struct(void **state)
{
    struct fixture *f = *state;
    struct coop_interp_info i;
    struct coop_error *e = &f->why;

    assert_int_equal(coop_interp_info(f->c, "fail", COOP_NO_LIMIT, &i, e), -ECHILD);
    assert_string_equal(e->name, "ExecutionFailed");
    assert_int_equal(e->error, ECHILD);
    assert_int_equal(e->exit_code, 122);
    assert_string_equal(e->message, "it failed");
    assert_string_equal(e->path, "args[2]");
    assert_string_equal(e->remote_type, "error");
    assert_string_equal(e->remote_message, "x:1: boom");
    assert_non_null(strstr(e->traceback, "in main chunk"));
    assert_string_equal(e->cause, "cpu_limit");
    assert_string_equal(e->cause_detail, "200ms");
    assert_string_equal(e->receipt, "01J9ZQ6W3V8XK2T5M7N4P0RBCD");
    assert_int_equal(e->n_cycle, 2);
    assert_string_equal(e->cycle[1], "B");
    assert_int_equal(coop_interp_info(f->c, "fail", COOP_NO_LIMIT, &i, NULL), -ECHILD); /* nobody wants to know */
}

static void an_answer_that_makes_no_sense_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct coop_interp_info i;

    assert_int_equal(coop_interp_info(f->c, "wrong", COOP_NO_LIMIT, &i, &f->why), -EPROTO);
    assert_int_equal(coop_interp_info(f->c, "garbage", COOP_NO_LIMIT, &i, &f->why), -EPROTO);
    assert_int_equal(coop_interp_info(f->c, "still there", COOP_NO_LIMIT, &i, &f->why), 0);
}

static void a_late_answer_ends_the_call_and_the_ask_is_taken_back(void **state)
{
    struct fixture *f = *state;
    struct coop_interp_info i;

    assert_int_equal(coop_interp_info(f->c, "park", 1000, &i, &f->why), -ETIMEDOUT);
    assert_string_equal(f->why.name, "TimedOut");
    assert_int_equal(coop_interp_info(f->c, "cancels", COOP_NO_LIMIT, &i, &f->why), 0);
    assert_int_equal(i.calls, 1);
}

static void a_job_is_waited_for_however_often_the_broker_is_asked(void **state)
{
    struct fixture *f = *state;
    struct coop_job_info job;
    struct coop_result r;
    struct coop_op *op;

    assert_int_equal(coop_job_wait(f->c, "J", COOP_NO_LIMIT, &job, &f->why), 0);
    assert_int_equal(job.state, COOP_JOB_SUCCEEDED);
    assert_int_equal(coop_job_wait_begin(f->c, "K", COOP_NO_LIMIT, &op, &f->why), 0);
    poll_until_done(f, op);
    assert_int_equal(coop_op_take(op, &r, &f->why), 0);
    assert_int_equal(r.type, COOP_RESULT_JOB);
    assert_string_equal(r.job.id, "K");
    coop_op_free(op);
}

static void a_buffer_comes_with_its_answer(void **state)
{
    struct fixture *f = *state;
    struct coop_buffer b;

    assert_int_equal(coop_buffer_new(f->c, 100000, COOP_NO_LIMIT, &b, &f->why), 0);
    assert_true(b.writable);
    assert_int_equal(b.len, 100000);
    memset(b.at, 'x', b.len);
    coop_buffer_unmap(&b);
    assert_null(b.at);
}

/* ---- ops ------------------------------------------------------------------------------------------------------------------------ */

static void a_thousand_ops_are_one_poll_loop(void **state)
{
    enum { N = 1000 };
    struct fixture *f = *state;
    struct coop_op *op;
    char text[32];
    int seen[N] = { 0 }, ended = 0;

    for (intptr_t i = 0; i < N; i++) {
        (void)snprintf(text, sizeof(text), "hold %d", (int)i);
        op = begin(f, text, COOP_NO_LIMIT);
        coop_op_set_user(op, (void *)i);
    }
    coop_op_free(begin(f, "release", COOP_NO_LIMIT)); /* it is done all the same */
    while (ended < N) {
        struct pollfd p = { .fd = coop_client_fd(f->c), .events = POLLIN };

        assert_int_equal(poll(&p, 1, 60000), 1);
        (void)coop_client_step(f->c);
        while ((op = coop_client_next(f->c)) != NULL) {
            int i = (int)(intptr_t)coop_op_user(op);
            struct coop_result r;

            assert_int_equal(coop_op_take(op, &r, &f->why), 0);
            (void)snprintf(text, sizeof(text), "hold %d", i);
            assert_string_equal(r.interp.running, text);
            seen[i]++;
            ended++;
            coop_result_free(&r);
            coop_op_free(op);
        }
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(seen[i], 1);
    (void)coop_client_step(f->c);
    assert_false(is_readable(f));
}

static void the_descriptor_tells_until_the_op_is_taken(void **state)
{
    struct fixture *f = *state;
    struct coop_op *op = begin(f, "x", COOP_NO_LIMIT);
    struct coop_result r;

    assert_int_equal(coop_op_take(op, &r, &f->why), -EINPROGRESS);
    poll_until_done(f, op);
    assert_true(is_readable(f));
    assert_ptr_equal(coop_client_next(f->c), op);
    assert_null(coop_client_next(f->c)); /* once */
    assert_true(is_readable(f));
    assert_int_equal(coop_op_take(op, &r, &f->why), 0);
    assert_false(is_readable(f));
    assert_int_equal(coop_op_take(op, &r, &f->why), -EINVAL); /* spent */
    coop_op_free(op);
}

static void an_op_may_be_waited_for(void **state)
{
    struct fixture *f = *state;
    struct coop_op *op = begin(f, "park", COOP_NO_LIMIT), *quick = begin(f, "quick", COOP_NO_LIMIT);

    assert_int_equal(coop_op_wait(op, 1000), -ETIMEDOUT);
    assert_int_equal(coop_op_wait(quick, COOP_NO_LIMIT), 0);
    coop_op_free(quick);
    coop_op_free(op);
}

static void a_cancelled_op_ends_as_interrupted(void **state)
{
    struct fixture *f = *state;
    struct coop_op *op = begin(f, "park", COOP_NO_LIMIT);
    struct coop_result r;

    coop_op_cancel(op);
    assert_int_equal(coop_op_wait(op, COOP_NO_LIMIT), 0);
    assert_int_equal(coop_op_take(op, &r, &f->why), -ECANCELED);
    assert_string_equal(f->why.name, "Interrupted");
    coop_op_free(op);
    assert_int_equal(coop_job_resize_begin(f->c, "J", 1, 1, COOP_NO_LIMIT, &op, &f->why), 0); /* a request, which no broker can take back */
    coop_op_cancel(op);
    assert_true(coop_op_done(op));
    assert_int_equal(coop_op_take(op, &r, &f->why), -ECANCELED);
    coop_op_free(op);
}

static void one_that_is_given_back_open_is_cancelled(void **state)
{
    struct fixture *f = *state;
    struct coop_interp_info i;

    coop_op_free(begin(f, "park", COOP_NO_LIMIT));
    assert_int_equal(coop_interp_info(f->c, "cancels", COOP_NO_LIMIT, &i, &f->why), 0);
    assert_int_equal(i.calls, 1);
}

/* ---- threads --------------------------------------------------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 300, ASYNC = 8 };

struct worker {
    struct fixture *f;
    pthread_t thread;
    int place, errors;
    struct coop_error why;
    int rc;
};

static bool is_right(const struct coop_interp_info *i, const char *text)
{
    return strcmp(i->running, text) == 0;
}

/* Blocking calls, and between them a few ops that are waited for in another order than they began. */
static void *mixed(void *arg)
{
    struct worker *w = arg;
    struct coop_client *c = w->f->c;

    for (int k = 0; k < ROUNDS; k++) {
        struct coop_op *ops[ASYNC];
        struct coop_interp_info i;
        char text[64];

        for (int a = 0; a < ASYNC; a++) {
            (void)snprintf(text, sizeof(text), "async %d %d %d", w->place, k, a);
            w->errors += coop_interp_info_begin(c, text, COOP_NO_LIMIT, &ops[a], &w->why) != 0;
        }
        (void)snprintf(text, sizeof(text), "blocking %d %d", w->place, k);
        w->errors += coop_interp_info(c, text, COOP_NO_LIMIT, &i, &w->why) != 0 || !is_right(&i, text);
        for (int a = ASYNC - 1; a >= 0; a--) {
            struct coop_result r;

            (void)snprintf(text, sizeof(text), "async %d %d %d", w->place, k, a);
            w->errors += coop_op_wait(ops[a], COOP_NO_LIMIT) != 0 || coop_op_take(ops[a], &r, &w->why) != 0 || !is_right(&r.interp, text);
            coop_op_free(ops[a]);
        }
    }
    return NULL;
}

static void run(struct fixture *f, struct worker workers[THREADS], void *(*fn)(void *))
{
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .f = f, .place = i };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, fn, &workers[i]), 0);
    }
}

static void eight_threads_share_a_client(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS];

    run(f, workers, mixed);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].errors, 0);
    }
    (void)coop_client_step(f->c);
    assert_false(is_readable(f));
}

static void *parked(void *arg)
{
    struct worker *w = arg;
    struct coop_interp_info i;

    w->rc = coop_interp_info(w->f->c, "park", COOP_NO_LIMIT, &i, &w->why);
    return NULL;
}

/* A thread blocks, and reads for all; another one polls for its op: it hears of it. */
static void a_poll_loop_hears_of_what_another_thread_has_read(void **state)
{
    struct fixture *f = *state;
    struct worker w = { .f = f };
    struct coop_op *op, *parks = begin(f, "park first", COOP_NO_LIMIT);

    assert_int_equal(pthread_create(&w.thread, NULL, parked, &w), 0);
    for (int k = 0; k < 200; k++) {
        struct coop_result r;
        struct pollfd p = { .fd = coop_client_fd(f->c), .events = POLLIN };

        op = begin(f, "mine", COOP_NO_LIMIT);
        while (!coop_op_done(op)) {
            assert_int_equal(poll(&p, 1, 60000), 1);
            (void)coop_client_step(f->c);
        }
        assert_int_equal(coop_op_take(op, &r, &f->why), 0);
        coop_op_free(op);
    }
    stop_broker(f);
    assert_int_equal(pthread_join(w.thread, NULL), 0);
    assert_int_equal(w.rc, -ECONNRESET);
    coop_op_free(parks);
}

static void a_broker_that_dies_ends_every_call(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS];
    struct coop_op *ops[ASYNC];
    struct coop_interp_info i;
    struct coop_result r;

    for (int a = 0; a < ASYNC; a++)
        ops[a] = begin(f, "park", COOP_NO_LIMIT);
    run(f, workers, parked);
    assert_int_equal(coop_interp_info(f->c, "die", COOP_NO_LIMIT, &i, &f->why), -ECONNRESET);
    for (int k = 0; k < THREADS; k++) {
        assert_int_equal(pthread_join(workers[k].thread, NULL), 0);
        assert_true(workers[k].rc == -ECONNRESET || workers[k].rc == -ECONNREFUSED); /* that one came too late to be sent */
        assert_int_equal(workers[k].why.exit_code, 75);
    }
    for (int a = 0; a < ASYNC; a++) {
        assert_true(coop_op_done(ops[a]));
        assert_int_equal(coop_op_take(ops[a], &r, &f->why), -ECONNRESET);
        coop_op_free(ops[a]);
    }
    assert_false(coop_client_connected(f->c));
}

static void a_lost_connection_is_dialled_by_the_next_blocking_call(void **state)
{
    struct fixture *f = *state;
    struct coop_interp_info i;
    struct coop_op *op;

    stop_broker(f);
    assert_true(coop_interp_info(f->c, "x", COOP_NO_LIMIT, &i, &f->why) != 0);
    assert_int_equal(coop_interp_info(f->c, "x", COOP_NO_LIMIT, &i, &f->why), -ECONNREFUSED);
    assert_int_equal(coop_interp_info_begin(f->c, "x", COOP_NO_LIMIT, &op, &f->why), -ECONNRESET);
    f->broker = host_start(f->path);
    assert_int_equal(coop_interp_info(f->c, "there again", COOP_NO_LIMIT, &i, &f->why), 0);
    assert_string_equal(i.running, "there again");
}

/* ---- processes, mistakes ------------------------------------------------------------------------------------------------------------ */

static void a_child_may_not_use_its_parents_client(void **state)
{
    struct fixture *f = *state;
    struct coop_interp_info i;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int rc = coop_interp_info(f->c, "from the child", COOP_NO_LIMIT, &i, &f->why);

        coop_client_close(f->c);
        _exit(rc == -EINVAL ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(coop_interp_info(f->c, "from the parent", COOP_NO_LIMIT, &i, &f->why), 0); /* which the child's close left alone */
}

static void mistakes_are_refused_by_name(void **state)
{
    struct fixture *f = *state;
    struct coop_spec *spec = coop_spec_new("lua");
    struct coop_interp_options o = { .size = 0 };
    coop_val *deep = coop_val_list(), *args = coop_val_list();
    struct coop_handle h;
    char id[27];

    assert_int_equal(coop_interp_create(f->c, NULL, COOP_NO_LIMIT, &h, &f->why), -EINVAL);
    assert_int_equal(coop_interp_create(f->c, &o, COOP_NO_LIMIT, &h, &f->why), -EINVAL);
    coop_spec_limits(spec, "memory=lots");
    coop_spec_source_file(spec, "/no/such/file");
    assert_int_equal(coop_job_submit(f->c, spec, COOP_NO_LIMIT, id, &f->why), -EINVAL);
    assert_non_null(strstr(f->why.message, "lots")); /* the first mistake, not the last */
    coop_spec_free(spec);
    coop_val_add(deep, coop_val_text("\xff", 1));
    coop_val_add(args, coop_val_int(1));
    coop_val_add(args, deep);
    assert_int_equal(coop_interp_call(f->c, "x", "f", args, COOP_NO_LIMIT, NULL, &f->why), -EPROTOTYPE);
    assert_string_equal(f->why.name, "NotShareable");
    assert_string_equal(f->why.path, "args[2][1]");
    coop_val_free(args);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_blocks_until_its_answer),
        TEST(a_failure_becomes_the_struct),
        TEST(an_answer_that_makes_no_sense_is_an_error),
        TEST(a_late_answer_ends_the_call_and_the_ask_is_taken_back),
        TEST(a_job_is_waited_for_however_often_the_broker_is_asked),
        TEST(a_buffer_comes_with_its_answer),
        TEST(a_thousand_ops_are_one_poll_loop),
        TEST(the_descriptor_tells_until_the_op_is_taken),
        TEST(an_op_may_be_waited_for),
        TEST(a_cancelled_op_ends_as_interrupted),
        TEST(one_that_is_given_back_open_is_cancelled),
        TEST(eight_threads_share_a_client),
        TEST(a_poll_loop_hears_of_what_another_thread_has_read),
        TEST(a_broker_that_dies_ends_every_call),
        TEST(a_lost_connection_is_dialled_by_the_next_blocking_call),
        TEST(a_child_may_not_use_its_parents_client),
        TEST(mistakes_are_refused_by_name),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
