/* test_control_records.c - what the control socket answers about jobs that have ended: their files in slices, and the chain of receipts. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bare_broker.h"
#include "coop/version.h"
#include "store_fixture.h"

#define ER(name)    PB__ERROR_CODE__ERROR_CODE_##name
#define FAULT(name) PB__AUDIT_FAULT_KIND__AUDIT_FAULT_KIND_##name

enum { BIG = 600 << 10, SMALL = 5 }; /* bytes: of three slices, and of less than one */

struct records {
    struct bare_broker bare;
    struct fixture store;
    struct frame reply; /* the last one */
    unsigned replies, dropped;
};

static struct records *now; /* whose replies are heard */

static void hear(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m)
{
    uint8_t *bytes;
    size_t len;

    (void)s;
    (void)way;
    frame_release(&now->reply);
    assert_int_equal(frame_pack(m, &bytes, &len), 0);
    assert_int_equal(frame_decode(&now->reply, &pb__reply__descriptor, bytes, len, FRAME_MAX_CONTROL), 0);
    free(bytes);
    now->replies++;
}

static void drop(struct rep_socket *s, uint32_t peer)
{
    (void)s;
    (void)peer;
    now->dropped++;
}

static int start(void **state)
{
    struct records *r = calloc(1, sizeof(*r));

    now = r;
    *state = r;
    if (bare_start(&r->bare) != 0)
        return 1;
    r->bare.engine = ENGINE_EXEC;
    r->store.dir = scratch_make();
    if (store_open(r->store.dir, &r->store.store, r->store.why) != 0)
        return 1;
    r->bare.b.store = r->store.store;
    r->bare.b.phase = BROKER_UP;
    r->bare.b.control = (struct control){ .broker = &r->bare.b, .send = hear, .drop = drop };
    return 0;
}

static int stop(void **state)
{
    struct records *r = *state;

    frame_release(&r->reply);
    bare_stop(&r->bare);
    store_close(r->store.store);
    scratch_remove(r->store.dir);
    free(r);
    return 0;
}

static const Pb__Reply *ask(struct records *r, Pb__Request__BodyCase body, const ProtobufCMessage *m)
{
    Pb__Request q = PB__REQUEST__INIT;
    unsigned before = r->replies;
    uint8_t *bytes;
    size_t len;

    q.protocol = COOP_PROTOCOL;
    q.body_case = body;
    q.submit = (Pb__Submit *)m; /* a union: any body */
    assert_int_equal(frame_pack(&q.base, &bytes, &len), 0);
    control_on_message(&r->bare.b.control, (struct rep_way){ 1, 0x80000000u }, bytes, len);
    free(bytes);
    assert_int_equal(r->replies, before + 1);
    return (const Pb__Reply *)r->reply.msg;
}

static void assert_refused(const Pb__Reply *reply, Pb__ErrorCode code, const char *words)
{
    assert_int_equal(reply->body_case, PB__REPLY__BODY_ERROR);
    assert_int_equal(reply->error->code, code);
    if (strstr(reply->error->message, words) == NULL)
        fail_msg("'%s' does not say '%s'", reply->error->message, words);
}

/* ---- files ------------------------------------------------------------------------------------------------------------------------ */

static uint8_t byte_at(uint64_t n)
{
    return (uint8_t)(n * 31 + n / 256);
}

static void collect(struct job *job, const char *name, uint64_t size)
{
    uint64_t done = 0;

    do {
        Pb__Collected c = PB__COLLECTED__INIT;
        uint8_t piece[10000];
        size_t n = size - done < sizeof(piece) ? (size_t)(size - done) : sizeof(piece);

        for (size_t i = 0; i < n; i++)
            piece[i] = byte_at(done + i);
        if (done == 0) {
            c.name = (char *)name;
            c.mode = 0640;
            c.size = size;
        }
        c.data = (ProtobufCBinaryData){ n, piece };
        done += n;
        c.last = done == size;
        assert_int_equal(outputs_check(&job->outputs, &c), 0);
        jobs_on_collected(job, &c);
    } while (done < size);
}

/* A job of a worker that collects these files and ends well; its receipt is committed when this returns. */
static void run_job(struct records *r, uint64_t first, uint64_t second, uint64_t third)
{
    Pb__Result result = PB__RESULT__INIT;
    struct store_op *op;
    struct job *job;

    bare_enter(&r->bare, WORKER_BUSY);
    job = r->bare.job;
    assert_int_equal(do_op(r->store.store, submit_of(job->id)), 0);
    job->outputs.spool.cap = 10 << 20;
    collect(job, "first", first);
    collect(job, "dir/second", second);
    collect(job, "third", third);
    result.kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    jobs_on_result(job, &result);
    jobs_on_worker_end(job);
    op = wait_for_ops(r->store.store);
    assert_int_equal(op->kind, STORE_FINISH);
    jobs_finished(job, op);
    assert_int_equal(op->status, 0);
    store_op_free(op);
    r->bare.job = NULL;
}

static char the_job[] = "01HZZZZZZZ0000000000000000"; /* the first of bare_job() */

static const Pb__Reply *ask_output(struct records *r, const char *name, uint64_t offset)
{
    Pb__GetOutput q = PB__GET_OUTPUT__INIT;

    q.id = the_job;
    q.name = (char *)name;
    q.offset = offset;
    return ask(r, PB__REQUEST__BODY_OUTPUT, &q.base);
}

static void assert_file(struct records *r, const char *name, uint64_t size)
{
    uint64_t at = 0;
    bool end = false;

    while (!end) {
        const Pb__Reply *reply = ask_output(r, name, at);
        const Pb__OutputReply *o = reply->output;

        assert_int_equal(reply->body_case, PB__REPLY__BODY_OUTPUT);
        assert_int_equal(o->bytes, size);
        assert_int_equal(o->mode, 0640);
        assert_true(o->data.len <= CONTROL_CHUNK && (o->data.len > 0 || size == 0));
        for (size_t i = 0; i < o->data.len; i++)
            assert_int_equal(o->data.data[i], byte_at(at + i));
        at += o->data.len;
        end = o->end;
        assert_int_equal(end, at == size);
    }
}

static void files_are_served_byte_for_byte_from_memory_and_from_disk(void **state)
{
    static const uint64_t rows[][3] = {
        {SMALL,  0,             7  }, /* all in the receipt's transaction */
        { BIG,   SMALL,         BIG}, /* all in a file */
        { SMALL, BIG,           0  },
        { 1,     SPOOL_MEMORY,  1  },
        { 0,     CONTROL_CHUNK, 0  }, /* one slice exactly */
        { 0,     0,             0  },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct records *r;

        if (i > 0) {
            stop(state);
            start(state);
        }
        r = *state;
        run_job(r, rows[i][0], rows[i][1], rows[i][2]);
        assert_file(r, "first", rows[i][0]);
        assert_file(r, "dir/second", rows[i][1]);
        assert_file(r, "third", rows[i][2]);
    }
}

static void past_the_end_of_a_file_is_nothing(void **state)
{
    static const uint64_t offsets[] = { SMALL, SMALL + 1, INT64_MAX, UINT64_MAX };
    struct records *r = *state;

    run_job(r, SMALL, SMALL, SMALL);
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        const Pb__Reply *reply = ask_output(r, "first", offsets[i]); /* never its neighbour's bytes */

        assert_int_equal(reply->body_case, PB__REPLY__BODY_OUTPUT);
        assert_int_equal(reply->output->data.len, 0);
        assert_true(reply->output->end);
    }
}

static void a_file_that_was_not_collected_is_not_found(void **state)
{
    static const char *const names[] = { "", "fourth", "second", "dir", "dir/", "../first", "/etc/passwd", "FIRST", "first/", "%s%n" };
    struct records *r = *state;

    run_job(r, SMALL, SMALL, SMALL);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_refused(ask_output(r, names[i], 0), ER(NOT_FOUND), "has no output file");
}

static void files_of_a_job_that_runs_are_a_conflict(void **state)
{
    struct records *r = *state;

    bare_enter(&r->bare, WORKER_BUSY);
    collect(r->bare.job, "first", SMALL);
    assert_refused(ask_output(r, "first", 0), ER(CONFLICT), "has not ended");
}

static void files_of_nobody_are_not_found(void **state)
{
    assert_refused(ask_output(*state, "first", 0), ER(NOT_FOUND), "there is no job");
}

/* Somebody has tidied up below the broker: an error, never fewer bytes than the receipt says. */
static void a_file_whose_bytes_are_gone_is_an_error(void **state)
{
    struct records *r = *state;

    run_job(r, BIG, SMALL, SMALL);
    assert_int_equal(unlinkat(r->bare.b.output_dir, "01HZZZZZZZ0000000000000000.outputs", 0), 0);
    assert_refused(ask_output(r, "first", 0), ER(INTERNAL), "cannot be read");
}

static void a_receipt_says_where_it_stands_in_the_chain(void **state)
{
    struct records *r = *state;
    Pb__GetResult q = PB__GET_RESULT__INIT;
    const Pb__Reply *reply;
    struct store_head head;
    char hex[2 * STORE_HASH + 1];

    run_job(r, SMALL, 0, 0);
    q.id = the_job;
    reply = ask(r, PB__REQUEST__BODY_RESULT, &q.base);
    assert_int_equal(reply->body_case, PB__REPLY__BODY_RESULT);
    assert_int_equal(reply->result->n_outputs, 3);
    assert_non_null(reply->result->chain);
    assert_int_equal(reply->result->chain->seq, 1);
    assert_int_equal(store_read_head(r->store.store, &head), 0);
    for (size_t i = 0; i < STORE_HASH; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", head.hash[i]);
    assert_string_equal(reply->result->chain->sha256, hex);
    assert_int_equal(strspn(reply->result->chain->previous, "0"), 2 * STORE_HASH);
}

/* ---- what is left behind ---------------------------------------------------------------------------------------------------------- */

static unsigned files_in(int dir_fd)
{
    DIR *d = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    unsigned n = 0;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strchr(e->d_name, '.') != NULL && e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

static void put_file(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
}

/* What a broker that was killed had begun for jobs that nobody was promised goes when the next one starts; what is of a job stays. */
static void files_of_jobs_that_never_were_go_at_the_next_start(void **state)
{
    struct records *r = *state;
    int dir = r->bare.b.output_dir;

    run_job(r, BIG, 0, 0);
    put_file(dir, "01HZZZZZZZ000000000000000A.stdout");
    put_file(dir, "01HZZZZZZZ000000000000000A.stderr");
    put_file(dir, "01HZZZZZZZ000000000000000B.outputs");
    put_file(dir, "01HZZZZZZZ000000000000000B.other"); /* not of ours */
    put_file(dir, "short.outputs");
    assert_int_equal(files_in(dir), 6);
    assert_int_equal(jobs_recover(&r->bare.b.jobs), 0);
    assert_int_equal(files_in(dir), 3);
    assert_file(r, "first", BIG);
}

static void a_job_that_could_not_be_stored_leaves_no_file(void **state)
{
    struct records *r = *state;
    struct job *job;

    bare_enter(&r->bare, WORKER_BUSY);
    job = r->bare.job;
    job->outputs.spool.cap = 10 << 20;
    job->spools[0].cap = 10 << 20;
    collect(job, "first", BIG);
    for (unsigned i = 0; i < 10; i++)
        jobs_on_output(job, 0, (uint8_t[20000]){ 0 }, 20000);
    assert_int_equal(files_in(r->bare.b.output_dir), 2);
    jobs_stored(job, -ENOSPC);
    jobs_on_worker_end(job);
    r->bare.job = NULL;
    assert_int_equal(files_in(r->bare.b.output_dir), 0);
}

/* ---- terminals -------------------------------------------------------------------------------------------------------------------- */

static const Pb__Reply *resize(struct records *r, uint32_t rows, uint32_t columns, bool any)
{
    Pb__ResizeTty q = PB__RESIZE_TTY__INIT;
    Pb__TtySize size = PB__TTY_SIZE__INIT;

    q.id = the_job;
    size.rows = rows;
    size.columns = columns;
    if (any)
        q.size = &size;
    return ask(r, PB__REQUEST__BODY_RESIZE_TTY, &q.base);
}

static void a_terminal_takes_sizes_that_a_terminal_can_have(void **state)
{
    static const struct {
        uint32_t rows, columns;
        int taken;
    } rows[] = {
        {1,           1,          1},
        { LIMITS_TTY, LIMITS_TTY, 1},
        { 0,          80,         0},
        { 24,         0,          0},
        { 4097,       80,         0},
        { 24,         4097,       0},
        { UINT32_MAX, UINT32_MAX, 0}
    };
    struct records *r = *state;
    int fd;

    bare_enter(&r->bare, WORKER_BUSY);
    fd = bare_open_link(&r->bare, r->bare.w);
    r->bare.job->tty.wanted = 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const Pb__Reply *reply = resize(r, rows[i].rows, rows[i].columns, true);

        if (rows[i].taken)
            assert_int_equal(reply->body_case, PB__REPLY__BODY_RESIZE_TTY);
        else
            assert_refused(reply, ER(USAGE), "rows and columns");
    }
    assert_refused(resize(r, 0, 0, false), ER(USAGE), "rows and columns");
    assert_int_equal(bare_heard(fd), 2);
    (void)close(fd);
}

static void a_terminal_that_is_not_there_has_no_size(void **state)
{
    struct records *r = *state;

    bare_enter(&r->bare, WORKER_BUSY);
    assert_refused(resize(r, 24, 80, true), ER(CONFLICT), "has no terminal");
    run_job(r, 0, 0, 0);
    assert_refused(resize(r, 24, 80, true), ER(CONFLICT), "has ended");
}

/* ---- audit ------------------------------------------------------------------------------------------------------------------------ */

static const Pb__Reply *audit(struct records *r, Pb__Audit *q)
{
    return ask(r, PB__REQUEST__BODY_AUDIT, &q->base);
}

static void an_audit_goes_on_where_the_reply_before_said(void **state)
{
    struct records *r = *state;
    unsigned slices = 0;
    uint8_t hash[STORE_HASH];
    char job[ULID_LEN + 1] = "";
    Pb__Audit q = PB__AUDIT__INIT;
    const Pb__AuditReply *a;

    submit_many(r->store.store, 0, 600);
    for (unsigned i = 0; i < 600; i++)
        store_push(r->store.store, finish_of(id_of(i), 1, "r"));
    assert_int_equal(collect_all(r->store.store, 0), 600);
    do {
        a = audit(r, &q)->audit;
        assert_null(a->fault);
        q.seq = a->seq;
        memcpy(hash, a->sha256.data, STORE_HASH);
        q.sha256 = (ProtobufCBinaryData){ STORE_HASH, hash };
        (void)snprintf(job, sizeof(job), "%s", a->job);
        q.job = job;
        assert_int_equal(a->head_seq, 600);
        assert_true(++slices < 100);
    } while (!a->ended);
    assert_int_equal(a->seq, 600);
    assert_memory_equal(a->head_sha256.data, hash, STORE_HASH);
    assert_true(slices > 1);
}

static void a_cursor_that_is_none_is_refused(void **state)
{
    static uint8_t bytes[64];
    struct records *r = *state;
    char job[2 * ULID_LEN];

    for (size_t n = 1; n <= sizeof(bytes); n++) {
        Pb__Audit q = PB__AUDIT__INIT;

        q.sha256 = (ProtobufCBinaryData){ n, bytes };
        if (n != STORE_HASH)
            assert_refused(audit(r, &q), ER(USAGE), "32 bytes");
        q.sha256.len = 0;
        q.find = (ProtobufCBinaryData){ n, bytes };
        if (n != STORE_HASH)
            assert_refused(audit(r, &q), ER(USAGE), "32 bytes");
    }
    memset(job, 'Z', sizeof(job));
    for (size_t n = ULID_LEN; n <= ULID_LEN + 1; n++) {
        Pb__Audit q = PB__AUDIT__INIT;

        job[n] = '\0';
        q.job = job;
        if (n == ULID_LEN)
            assert_int_equal(audit(r, &q)->body_case, PB__REPLY__BODY_AUDIT);
        else
            assert_refused(audit(r, &q), ER(USAGE), "");
        job[n] = 'Z';
    }
}

static void a_cursor_from_elsewhere_finds_a_fault_and_nothing_worse(void **state)
{
    static const uint64_t seqs[] = { 1, 2, 3, 1000, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };
    struct records *r = *state;

    submit_many(r->store.store, 0, 3);
    for (unsigned i = 0; i < 3; i++)
        store_push(r->store.store, finish_of(id_of(i), 1, "r"));
    assert_int_equal(collect_all(r->store.store, 0), 3);
    for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++) {
        Pb__Audit q = PB__AUDIT__INIT;
        const Pb__Reply *reply;

        q.seq = seqs[i];
        reply = audit(r, &q);
        assert_int_equal(reply->body_case, PB__REPLY__BODY_AUDIT);
        assert_non_null(reply->audit->fault);
        assert_false(reply->audit->ended);
    }
}

static void a_head_alone_is_told_without_a_walk(void **state)
{
    struct records *r = *state;
    Pb__Audit q = PB__AUDIT__INIT;
    const Pb__Reply *reply;

    run_job(r, 0, 0, 0);
    q.head_only = 1;
    reply = audit(r, &q);
    assert_int_equal(reply->audit->head_seq, 1);
    assert_int_equal(reply->audit->head_sha256.len, STORE_HASH);
    assert_true(reply->audit->head_recorded_us > 0);
    assert_int_equal(reply->audit->seq, 0);
}

/* Another hand may put anything where a job's name belongs. */
static void a_fault_with_a_name_that_is_no_text_is_still_an_answer(void **state)
{
    struct records *r = *state;
    Pb__Audit q = PB__AUDIT__INIT;
    const Pb__Reply *reply;

    run_job(r, 0, 0, 0);
    store_close(r->store.store);
    run_sql(&r->store, "UPDATE chain SET job = CAST(x'fffe1b5b' AS TEXT)");
    assert_int_equal(store_open(r->store.dir, &r->store.store, r->store.why), 0);
    r->bare.b.store = r->store.store;
    reply = audit(r, &q);
    assert_int_equal(reply->body_case, PB__REPLY__BODY_AUDIT);
    assert_int_equal(reply->audit->fault->kind, FAULT(REMOVED));
    assert_int_equal(r->dropped, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_served_byte_for_byte_from_memory_and_from_disk),
        TEST(past_the_end_of_a_file_is_nothing),
        TEST(a_file_that_was_not_collected_is_not_found),
        TEST(files_of_a_job_that_runs_are_a_conflict),
        TEST(files_of_nobody_are_not_found),
        TEST(a_file_whose_bytes_are_gone_is_an_error),
        TEST(a_receipt_says_where_it_stands_in_the_chain),
        TEST(files_of_jobs_that_never_were_go_at_the_next_start),
        TEST(a_job_that_could_not_be_stored_leaves_no_file),
        TEST(a_terminal_takes_sizes_that_a_terminal_can_have),
        TEST(a_terminal_that_is_not_there_has_no_size),
        TEST(an_audit_goes_on_where_the_reply_before_said),
        TEST(a_cursor_that_is_none_is_refused),
        TEST(a_cursor_from_elsewhere_finds_a_fault_and_nothing_worse),
        TEST(a_head_alone_is_told_without_a_walk),
        TEST(a_fault_with_a_name_that_is_no_text_is_still_an_answer),
    };

    return cmocka_run_group_tests_name("control_records", tests, NULL, NULL);
}
