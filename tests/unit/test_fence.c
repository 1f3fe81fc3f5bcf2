/*
 * test_fence.c - a broker whose job another broker on the same store has claimed: its run is ended and leaves no trace; and one whose own steps
 * were lost to the disk: its receipt is taken all the same. The store is real, the second broker is a second store on its database, the workers
 * are hand-made. What the store says is heard when the test wants it to.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bare_broker.h"
#include "broker/jobs_own.h"
#include "store_fixture.h"

#define CA(name) PB__CAUSE__CAUSE_##name
#define ST(name) PB__STATE__STATE_##name
enum { LATER_US = 10000000 };

struct two {
    struct bare_broker bare;
    struct fixture store;
    struct store *other;
    struct worker *workers[2];
    int links[2];
    char id[ULID_LEN + 1];
};

/* ---- the store's answers --------------------------------------------------------------------------------------------------------------- */

static void heard(struct two *t, struct store_op *op)
{
    if (op->done != NULL)
        op->done(op);
    jobs_on_op(&t->bare.b.jobs, op);
    store_op_free(op);
}

/* The next of this kind, not heard yet; those that come with it are. */
static struct store_op *answer(struct two *t, enum store_kind kind)
{
    struct store_op *found = NULL;

    while (found == NULL)
        for (struct store_op *op = wait_for_ops(t->store.store), *next; op != NULL; op = next) {
            next = op->next;
            if (op->kind == kind && found == NULL)
                found = op;
            else
                heard(t, op);
        }
    return found;
}

static void settle(struct two *t)
{
    while (store_pending(t->store.store) > 0)
        for (struct store_op *op = wait_for_ops(t->store.store), *next; op != NULL; op = next) {
            next = op->next;
            heard(t, op);
        }
}

static int do_other(struct two *t, struct store_op *op)
{
    int status;

    store_push(t->other, op);
    assert_ptr_equal(wait_for_ops(t->other), op);
    status = op->status;
    if (status == 0 && op->kind == STORE_CLAIM)
        status = op->claims.at[0].status;
    store_op_free(op);
    return status;
}

/* The row as it was before: what the disk lost. */
static void undo(struct two *t, Pb__State state, uint64_t epoch_is, uint64_t epoch)
{
    struct store_op *op = move_of(state, t->id, 0, epoch);

    op->move.fence.was = epoch_is;
    assert_int_equal(do_other(t, op), 0);
}

/* ---- the broker ------------------------------------------------------------------------------------------------------------------------ */

static void on_submitted(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status)
{
    (void)ctx;
    (void)id;
    (void)limits;
    (void)existing;
    assert_int_equal(status, 0);
}

static struct job *the_job(struct two *t)
{
    return jobs_find(&t->bare.b.jobs, t->id);
}

static struct waiting *the_entry(struct two *t)
{
    return waiting_find(&t->bare.b.jobs.table, t->id);
}

/* Committed, READY, and not claimed until jobs_dispatch(). */
static void submit_one(struct two *t)
{
    struct jobs *j = &t->bare.b.jobs;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits limits = PB__LIMITS__INIT;
    struct jobs_order o = { .tenant = tenants_of_uid(&t->bare.b.tenants, geteuid()), .user = "uid:0", .spec = &spec, .done = on_submitted };
    struct jobs_refusal no;

    spec.engine = (char *)"lua";
    spec.source_name = (char *)"a.lua";
    spec.source = (ProtobufCBinaryData){ 2, (uint8_t *)"--" };
    spec.limits = &limits;
    j->claiming = true;
    if (jobs_submit(j, &o, t->id, &no) != 0)
        fail_msg("%s", no.why);
    settle(t);
    j->claiming = false;
}

static struct worker *busy_worker(struct two *t)
{
    struct job *job = the_job(t);

    assert_non_null(job);
    assert_non_null(job->worker);
    assert_int_equal(job->state, ST(STARTING));
    return job->worker;
}

static void begin(struct two *t)
{
    jobs_dispatch(&t->bare.b.jobs);
    (void)busy_worker(t);
}

static int start(void **state)
{
    struct two *t = calloc(1, sizeof(*t));
    struct broker *b = &t->bare.b;
    char path[300];

    *state = t;
    if (bare_start(&t->bare) != 0)
        return 1;
    t->store.dir = scratch_make();
    if (store_open(t->store.dir, &t->store.store, t->store.why) != 0)
        return 1;
    (void)snprintf(path, sizeof(path), "%s/lock", t->store.dir); /* which is what keeps a second broker out today */
    if (unlink(path) != 0 || store_open(t->store.dir, &t->other, t->store.why) != 0)
        return 1;
    b->store = t->store.store;
    b->phase = BROKER_UP;
    events_init(&b->events, b);
    plans_init(b);
    for (int i = 0; i < 2; i++) {
        t->workers[i] = bare_worker(&t->bare);
        t->workers[i]->hello = 1;
        pool_set_phase(t->workers[i], WORKER_IDLE);
        t->links[i] = bare_open_link(&t->bare, t->workers[i]);
    }
    submit_one(t);
    return 0;
}

static int stop(void **state)
{
    struct two *t = *state;

    plans_finish(&t->bare.b);
    events_finish(&t->bare.b.events);
    for (int i = 0; i < 2; i++)
        (void)close(t->links[i]);
    bare_stop(&t->bare);
    store_close(t->other);
    store_close(t->store.store);
    scratch_remove(t->store.dir);
    free(t);
    return 0;
}

static struct store_op *claim_by(struct two *t, uint64_t epoch)
{
    struct store_op *op = store_op_new(STORE_CLAIM, "");

    store_claim_add(op, t->id)->epoch = epoch;
    return op;
}

static void assert_no_trace(struct two *t)
{
    struct store_blob b;

    assert_null(the_job(t));
    assert_null(the_entry(t));
    assert_int_equal(store_pending(t->store.store), 0);
    assert_int_equal(store_read_receipt(t->store.store, t->id, &b), -ENOENT);
    assert_int_equal(do_other(t, finish_of(t->id, 77, "the other's")), 0);
}

/* ---- another broker's ------------------------------------------------------------------------------------------------------------------ */

static void a_claim_that_is_refused_ends_the_run(void **state)
{
    struct two *t = *state;
    struct worker *w;

    assert_int_equal(do_other(t, claim_by(t, 77)), 0); /* its clock is behind: so much for epochs that only rise */
    begin(t);
    w = busy_worker(t);
    settle(t);
    assert_int_equal(w->phase, WORKER_ENDING);
    assert_true(the_job(t)->refused);
    jobs_on_worker_end(the_job(t));
    assert_no_trace(t);
}

static void a_claim_of_what_has_ended_elsewhere_ends_the_run(void **state)
{
    struct two *t = *state;

    assert_int_equal(do_other(t, claim_by(t, 77)), 0);
    assert_int_equal(do_other(t, finish_of(t->id, 77, "the other's")), 0);
    begin(t);
    settle(t);
    assert_true(the_job(t)->refused);
    jobs_on_worker_end(the_job(t));
    assert_null(the_entry(t));
}

/* The end came first: what this broker says of it is not taken, and nobody is told an end. */
static void a_receipt_of_a_run_that_was_never_claimed_is_dropped(void **state)
{
    struct two *t = *state;
    uint64_t ended = t->bare.b.jobs.ended;

    assert_int_equal(do_other(t, claim_by(t, 77)), 0);
    begin(t);
    jobs_decide(the_job(t), CA(EXIT), "it ended");
    jobs_on_worker_end(the_job(t));
    assert_int_equal(the_job(t)->state, ST(FINISHING));
    settle(t);
    assert_int_equal(t->bare.b.jobs.ended, ended);
    assert_no_trace(t);
}

static void a_step_of_a_job_that_waits_lets_it_go_when_it_is_anothers(void **state)
{
    struct two *t = *state;

    assert_int_equal(do_other(t, claim_by(t, 77)), 0);
    assert_int_equal(jobs_hold(&t->bare.b.jobs, the_entry(t)), 0);
    settle(t);
    assert_no_trace(t);
}

/* ---- its own ----------------------------------------------------------------------------------------------------------------------------- */

/* Not before the store has the new spec: its claim would come first. */
static void one_that_is_being_edited_is_claimed_by_nobody(void **state)
{
    struct two *t = *state;
    struct jobs *j = &t->bare.b.jobs;

    assert_int_equal(jobs_begin_edit(j, the_entry(t)), 0);
    assert_int_equal(jobs_begin_edit(j, the_entry(t)), -EALREADY);
    jobs_dispatch(j);
    assert_null(the_job(t));
    assert_int_equal(jobs_hold(j, the_entry(t)), 0);
    assert_int_equal(jobs_release(j, the_entry(t)), 0);
    assert_null(the_job(t));
    jobs_undo_edit(j, the_entry(t));
    (void)busy_worker(t);
    settle(t);
}

static void an_edit_of_its_limits_is_what_it_will_cost(void **state)
{
    struct two *t = *state;
    struct jobs *j = &t->bare.b.jobs;
    struct waiting *w = the_entry(t);
    const struct store_job brief = { .wall_us = 1000 };
    const struct store_blob packed = { (uint8_t *)"", 0 };
    const struct jobs_edit none = { .packed = &packed }, e = { .packed = &packed, .limits = &brief };
    const float before = w->sched.cost;

    j->claiming = true;
    assert_int_equal(jobs_begin_edit(j, w), 0);
    jobs_edited(j, w, &none);
    assert_true(w->sched.cost <= before && w->sched.cost >= before);
    assert_int_equal(jobs_begin_edit(j, w), 0);
    jobs_edited(j, w, &e);
    assert_true(w->sched.cost < before / 10);
    assert_true(sched_waits(&w->sched));
    settle(t);
}

/* The pause before another attempt is no time before which it may not begin: who holds and releases it has ended it. */
static void a_pause_is_not_a_time_that_somebody_asked_for(void **state)
{
    struct two *t = *state;
    struct jobs *j = &t->bare.b.jobs;
    struct store_job row;

    begin(t);
    jobs_decide(the_job(t), CA(INTERNAL), "no room");
    jobs_on_worker_end(the_job(t));
    settle(t);
    assert_int_equal(the_entry(t)->state, ST(RETRY_WAIT));
    assert_int_equal(the_entry(t)->not_before_us, 0);
    assert_int_equal(store_find(t->store.store, t->id, &row), 0);
    assert_int_equal(row.state, ST(RETRY_WAIT));
    assert_int_equal(row.not_before_us, the_entry(t)->pause_until_us); /* what the next broker goes by */
    j->claiming = true;
    assert_int_equal(jobs_edit(j, the_entry(t), &(struct jobs_edit){ .priority = 5 }), 0);
    assert_int_equal(the_entry(t)->state, ST(RETRY_WAIT));
    assert_int_equal(jobs_hold(j, the_entry(t)), 0);
    assert_int_equal(jobs_release(j, the_entry(t)), 0);
    assert_int_equal(the_entry(t)->state, ST(READY));
    settle(t);
}

/* ---- the disk's ------------------------------------------------------------------------------------------------------------------------ */

static void finish_run(struct two *t)
{
    jobs_decide(the_job(t), CA(OK), "%s", "");
    jobs_on_worker_end(the_job(t));
}

static void assert_receipt(struct two *t)
{
    struct store_blob b = { 0 };

    settle(t);
    assert_null(the_entry(t));
    assert_int_equal(store_read_receipt(t->store.store, t->id, &b), 0);
    free(b.bytes);
}

static void a_run_whose_claim_the_disk_lost_gets_its_receipt(void **state)
{
    struct two *t = *state;
    struct store_op *op;

    begin(t);
    op = answer(t, STORE_CLAIM);
    undo(t, ST(READY), the_job(t)->epoch, 0);
    op->status = -ENOSPC;
    heard(t, op);
    assert_false(the_job(t)->refused);
    finish_run(t);
    assert_receipt(t);
}

/* The second attempt's claim is lost, and its receipt is on its way before the broker hears that the first one's steps were stored. */
static void a_receipt_that_went_by_what_was_known_then_is_sent_again(void **state)
{
    struct two *t = *state;
    struct jobs *j = &t->bare.b.jobs;
    struct store_op *claim, *move, *lost, *receipt;
    uint64_t first;

    begin(t);
    claim = answer(t, STORE_CLAIM);
    first = the_job(t)->epoch;
    jobs_decide(the_job(t), CA(INTERNAL), "no room");
    jobs_on_worker_end(the_job(t));
    assert_int_equal(the_job(t)->state, ST(RETRY_WAIT));
    move = answer(t, STORE_MOVE);
    j->broker->loop.now_us += LATER_US;
    j->claiming = true;
    jobs_on_due(j);
    settle(t); /* that it is READY */
    j->claiming = false;
    assert_int_equal(the_entry(t)->stored_epoch, first);
    the_entry(t)->stored_epoch = 0; /* as if that were still on its way */
    begin(t);
    lost = answer(t, STORE_CLAIM);
    undo(t, ST(READY), the_job(t)->epoch, first);
    lost->status = -ENOSPC;
    finish_run(t);
    receipt = answer(t, STORE_FINISH);
    assert_int_equal(receipt->status, -ESTALE);
    heard(t, claim);
    heard(t, move);
    heard(t, lost);
    heard(t, receipt);
    assert_receipt(t);
}

static void a_claim_that_went_by_what_was_known_then_is_made_again(void **state)
{
    struct two *t = *state;
    struct store_op *op;

    assert_int_equal(do_other(t, claim_by(t, 77)), 0);
    undo(t, ST(READY), 77, 77); /* 77 is a step of this broker's own, which it is to hear of now */
    begin(t);
    op = answer(t, STORE_CLAIM);
    assert_int_equal(op->claims.at[0].status, -ESTALE);
    the_entry(t)->stored_epoch = 77;
    heard(t, op);
    assert_false(the_job(t)->refused);
    settle(t);
    assert_int_equal(the_entry(t)->stored_epoch, the_job(t)->epoch);
    finish_run(t);
    assert_receipt(t);
}

/* Of another program's: specs cannot be read as long as the table has another name. */
static void sql(struct two *t, const char *text)
{
    char path[300];
    sqlite3 *db;

    (void)snprintf(path, sizeof(path), "%s/coop.db", t->store.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Claimed, and put back: it has not begun. */
static void look_in_vain(struct two *t, uint64_t pause_us)
{
    struct jobs *j = &t->bare.b.jobs;
    struct waiting *w = the_entry(t);

    jobs_dispatch(j);
    assert_null(w->job);
    assert_int_equal(w->state, ST(READY));
    assert_int_equal(w->attempt + w->infra, 0);
    assert_false(sched_waits(&w->sched));
    assert_int_equal(w->due_us - j->broker->loop.now_us, pause_us);
    j->broker->loop.now_us = w->due_us;
    j->claiming = true;
    jobs_on_due(j);
    j->claiming = false;
    assert_true(sched_waits(&w->sched));
}

static void a_spec_that_cannot_be_read_now_is_looked_for_again(void **state)
{
    struct two *t = *state;

    jobs_drop_spec(&t->bare.b.jobs, the_entry(t));
    sql(t, "ALTER TABLE spec RENAME TO gone");
    look_in_vain(t, 1000000);
    look_in_vain(t, 2000000);
    sql(t, "ALTER TABLE gone RENAME TO spec");
    begin(t);
    assert_int_equal(the_entry(t)->unread, 0);
    settle(t);
}

static void and_not_for_ever(void **state)
{
    struct two *t = *state;
    struct store_job row;

    jobs_drop_spec(&t->bare.b.jobs, the_entry(t));
    sql(t, "ALTER TABLE spec RENAME TO gone");
    for (unsigned i = 0; i < 7; i++)
        look_in_vain(t, UINT64_C(1000000) << i);
    jobs_dispatch(&t->bare.b.jobs);
    settle(t);
    assert_null(the_entry(t));
    assert_int_equal(store_find(t->store.store, t->id, &row), 0);
    assert_int_equal(row.state, ST(FAILED));
    assert_int_equal(row.cause, CA(INTERNAL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_claim_that_is_refused_ends_the_run),
        TEST(a_claim_of_what_has_ended_elsewhere_ends_the_run),
        TEST(a_receipt_of_a_run_that_was_never_claimed_is_dropped),
        TEST(a_step_of_a_job_that_waits_lets_it_go_when_it_is_anothers),
        TEST(one_that_is_being_edited_is_claimed_by_nobody),
        TEST(an_edit_of_its_limits_is_what_it_will_cost),
        TEST(a_pause_is_not_a_time_that_somebody_asked_for),
        TEST(a_run_whose_claim_the_disk_lost_gets_its_receipt),
        TEST(a_receipt_that_went_by_what_was_known_then_is_sent_again),
        TEST(a_claim_that_went_by_what_was_known_then_is_made_again),
        TEST(a_spec_that_cannot_be_read_now_is_looked_for_again),
        TEST(and_not_for_ever),
    };

    return cmocka_run_group_tests_name("fence", tests, NULL, NULL);
}
