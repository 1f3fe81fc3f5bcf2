/*
 * test_native_inside.c - coop/interp.h from inside: what each call says to the broker, and what it makes of the answers. The broker is a
 * tasklet of the same process, at the other end of the link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>

#include <coop/interp.h>

#include "call_errors.h"
#include "fake_broker.h"
#include "worker/engines/native/inside.h"
#include "worker/engines/native/request.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/task/sched.h"

enum { MANY = 1000, HEARD = 16 };

static int broker_end;

static int setup(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    broker_end = fcntl(pair[0], F_DUPFD_CLOEXEC, 10);
    close(pair[0]);
    if (pair[1] != LINK_FD) {
        assert_int_equal(dup2(pair[1], LINK_FD), LINK_FD);
        close(pair[1]);
    }
    link_use(LINK_FD);
    assert_int_equal(coop_init(NULL), 0);
    inside_begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    inside_forget();
    assert_int_equal(coop_finish(), 0);
    close(broker_end);
    close(LINK_FD);
    return 0;
}

/* ---- the broker ----------------------------------------------------------------------------------------------------------------- */

/* Fills in the answer to an ask; body_case NOT_SET: none is sent. fd: comes along, and is closed here; -1. */
typedef void (*reply_fn)(const Pb__Ask *a, Pb__Answer *ret, int *ret_fd);

static struct {
    reply_fn reply;
    int n;            /* asks it answers before it goes */
    int heard[HEARD]; /* their bodies */
    uint64_t numbers[HEARD];
    int n_heard;
    coop_task *task;
} broker;

static void send_answer(Pb__Answer *a, int fd)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
    uint8_t head[SP_HEADER_LEN], *bytes;
    struct iovec iov = { head, 1 };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    size_t len;

    m.body_case = PB__TO_WORKER__BODY_ANSWER;
    m.answer = a;
    if (fd < 0) {
        told_send(broker_end, &m);
        return;
    }
    a->descriptors = 1;
    assert_int_equal(frame_pack(&m.base, &bytes, &len), 0);
    sp_header_put(head, len);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    assert_int_equal(sendmsg(broker_end, &h, 0), 1);
    assert_int_equal(write(broker_end, head + 1, SP_HEADER_LEN - 1), SP_HEADER_LEN - 1);
    assert_int_equal(write(broker_end, bytes, len), len);
    free(bytes);
    close(fd);
}

static void hear(void)
{
    Pb__Answer answer = PB__ANSWER__INIT;
    const Pb__FromWorker *m;
    uint8_t *bytes = NULL;
    size_t cap = 0, len;
    struct frame f;
    int fd = -1;

    assert_int_equal(sp_recv(broker_end, &bytes, &cap, FRAME_MAX_LINK, &len), 0);
    assert_int_equal(frame_decode(&f, &pb__from_worker__descriptor, bytes, len, FRAME_MAX_LINK), 0);
    free(bytes);
    m = (const Pb__FromWorker *)f.msg;
    assert_int_equal(m->body_case, PB__FROM_WORKER__BODY_ASK);
    if (broker.n_heard < HEARD) {
        broker.heard[broker.n_heard] = m->ask->body_case;
        broker.numbers[broker.n_heard] = m->ask->number;
    }
    broker.n_heard++;
    answer.number = m->ask->number;
    broker.reply(m->ask, &answer, &fd);
    if (answer.body_case != PB__ANSWER__BODY__NOT_SET)
        send_answer(&answer, fd);
    frame_release(&f);
}

static int serve(void *unused)
{
    struct pollfd p = { .fd = broker_end, .events = POLLIN };

    (void)unused;
    for (; broker.n > 0; broker.n--) {
        while (poll(&p, 1, 0) == 0)
            (void)coop_yield();
        hear();
    }
    return 0;
}

/* Answers the next n asks, each as soon as who asks waits. */
static void answers(int n, reply_fn reply)
{
    broker.reply = reply;
    broker.n = n;
    broker.n_heard = 0;
    assert_int_equal(coop_spawn(NULL, serve, NULL, NULL), 0);
}

static void expect_nothing_said(void)
{
    struct pollfd p = { .fd = broker_end, .events = POLLIN };

    assert_int_equal(poll(&p, 1, 0), 0);
}

static void say_failure(Pb__Answer *ret, Pb__CallError e)
{
    static Pb__CallFailure f;

    pb__call_failure__init(&f);
    f.error = e;
    ret->body_case = PB__ANSWER__BODY_FAILURE;
    ret->failure = &f;
}

static void say_done(Pb__Answer *ret)
{
    static Pb__Done d = PB__DONE__INIT;

    ret->body_case = PB__ANSWER__BODY_DONE;
    ret->done = &d;
}

static void say_handle(Pb__Answer *ret, uint32_t number, Pb__Kind kind, uint64_t bytes)
{
    static Pb__Handle h;

    pb__handle__init(&h);
    h.handle = number;
    h.kind = kind;
    h.rights = 127;
    h.id = (char *)"01ARZ3NDEKTSV4RRFFQ69G5FAV";
    h.name = (char *)"thing";
    h.bytes = bytes;
    ret->body_case = PB__ANSWER__BODY_HANDLE;
    ret->handle = &h;
}

/* v: what value.proto's message is then made of; frees v. */
static void say_value(Pb__Answer *ret, coop_val *v)
{
    static struct coop_encoding e;
    static Pb__CallResult r;
    static Pb__Value value;

    coop_encoding_free(&e);
    assert_int_equal(coop_val_encode(v, COOP_VAL_INLINE_BYTES, "value", &e, NULL), 0);
    coop_val_free(v);
    pb__value__init(&value);
    value.cbor.data = e.cbor;
    value.cbor.len = e.len;
    pb__call_result__init(&r);
    r.value = &value;
    ret->body_case = PB__ANSWER__BODY_RESULT;
    ret->result = &r;
}

static coop_val *value_of(const Pb__Value *v)
{
    struct coop_handle handles[8] = { 0 };
    coop_val *val = NULL;

    for (size_t i = 0; i < v->n_handles && i < 8; i++)
        handles[i] = (struct coop_handle){ .kind = COOP_KIND_QUEUE, .number = v->handles[i]->handle, .rights = v->handles[i]->rights };
    assert_int_equal(coop_val_decode(v->cbor.data, v->cbor.len, COOP_VAL_INLINE_BYTES, handles, v->n_handles, "value", &val, NULL), 0);
    return val;
}

static const struct coop_handle interp = { .kind = COOP_KIND_INTERP, .number = 7, .rights = 127 };
static const struct coop_handle queue = { .kind = COOP_KIND_QUEUE, .number = 9, .rights = 127 };

/* ---- calls ---------------------------------------------------------------------------------------------------------------------- */

static void double_it(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    coop_val *args = value_of(a->interp_call->args);
    int64_t n;

    (void)fd;
    assert_int_equal(a->body_case, PB__ASK__BODY_INTERP_CALL);
    assert_int_equal(a->interp_call->interp->handle, 7);
    assert_string_equal(a->interp_call->function, "double");
    assert_int_equal(coop_val_as_int(coop_val_at(args, 0), &n), 0);
    coop_val_free(args);
    say_value(ret, coop_val_int(2 * n));
}

static coop_val *one_int(int64_t n)
{
    coop_val *args = coop_val_list();

    coop_val_add(args, coop_val_int(n));
    return args;
}

static void a_call_gives_its_value(void **state)
{
    coop_val *args = one_int(21), *value;
    int64_t n = 0;

    (void)state;
    answers(1, double_it);
    assert_int_equal(coop_interp_call(&interp, "double", args, COOP_NEVER, &value), 0);
    assert_int_equal(coop_val_as_int(value, &n), 0);
    assert_int_equal(n, 42);
    coop_val_free(value);
    coop_val_free(args);
    assert_string_equal(coop_last_error()->name, "");
}

static uint64_t timeout_said;
static int64_t patience_said;

static void note_time(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static Pb__QueueTaken taken = PB__QUEUE_TAKEN__INIT;

    (void)fd;
    if (a->body_case == PB__ASK__BODY_INTERP_CALL) {
        timeout_said = a->interp_call->timeout_us;
        say_value(ret, coop_val_null());
        return;
    }
    patience_said = a->queue_put->timeout_us;
    taken.count = 1;
    ret->body_case = PB__ANSWER__BODY_TAKEN;
    ret->taken = &taken;
}

static void call_until(int64_t deadline)
{
    answers(1, note_time);
    assert_int_equal(coop_interp_call(&interp, "f", NULL, deadline, NULL), 0);
}

static void put_until(int64_t deadline)
{
    answers(1, note_time);
    assert_int_equal(coop_queue_put_one(&queue, NULL, deadline), 0);
}

static void a_deadline_is_what_is_left_until_it(void **state)
{
    (void)state;
    call_until(COOP_NEVER);
    assert_int_equal(timeout_said, 0); /* none */
    call_until(0);
    assert_int_equal(timeout_said, 1);
    call_until(coop_after(1000000));
    assert_in_range(timeout_said, 1, 1000000);
    put_until(COOP_NEVER);
    assert_int_equal(patience_said, -1);
    put_until(0);
    assert_int_equal(patience_said, 0);
    put_until(coop_after(1000000));
    assert_in_range(patience_said, 0, 1000000);
}

/* Of a thousand calls the last is answered first. */
static void answer_backwards(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static uint64_t numbers[MANY];
    static int64_t words[MANY];
    coop_val *args = value_of(a->interp_call->args);
    int at = broker.n_heard - 1;

    (void)fd;
    numbers[at] = a->number;
    assert_int_equal(coop_val_as_int(coop_val_at(args, 0), &words[at]), 0);
    coop_val_free(args);
    if (at + 1 < MANY)
        return;
    for (int i = MANY - 1; i > 0; i--) {
        Pb__Answer m = PB__ANSWER__INIT;

        m.number = numbers[i];
        say_value(&m, coop_val_int(words[i] * 3));
        send_answer(&m, -1);
        (void)coop_yield(); /* a link holds only so much */
    }
    ret->number = numbers[0];
    say_value(ret, coop_val_int(words[0] * 3));
}

static void a_thousand_calls_wait_at_once(void **state)
{
    static coop_call *calls[MANY];
    int64_t n;

    (void)state;
    answers(MANY, answer_backwards);
    for (int i = 0; i < MANY; i++) {
        coop_val *args = one_int(i);

        assert_int_equal(coop_call_begin(&interp, "triple", args, COOP_NEVER, &calls[i]), 0);
        coop_val_free(args);
        assert_int_equal(coop_call_wait(calls[i], 0, NULL), -ETIMEDOUT);
        assert_int_equal(coop_yield(), 0); /* the broker has to read */
    }
    assert_false(coop_call_is_done(calls[0]));
    for (int i = 0; i < MANY; i++) {
        coop_val *value;

        assert_int_equal(coop_call_wait(calls[i], COOP_NEVER, &value), 0);
        assert_true(coop_call_is_done(calls[i]));
        assert_int_equal(coop_val_as_int(value, &n), 0);
        assert_int_equal(n, 3 * i);
        coop_val_free(value);
        assert_int_equal(coop_call_wait(calls[i], COOP_NEVER, NULL), 0);
        assert_int_equal(coop_call_wait(calls[i], COOP_NEVER, &value), -EINVAL); /* it has been given */
        coop_call_free(calls[i]);
    }
}

struct waiter {
    coop_call *call;
    int64_t got;
};

static int wait_for_it(void *arg)
{
    struct waiter *w = arg;
    coop_val *args = one_int(w->got), *value;
    int rc = coop_interp_call(&interp, "triple", args, COOP_NEVER, &value);

    coop_val_free(args);
    if (rc == 0)
        rc = coop_val_as_int(value, &w->got);
    if (rc == 0)
        coop_val_free(value);
    return rc;
}

static void a_thousand_tasklets_wait_at_once(void **state)
{
    static struct waiter waiters[MANY];
    static coop_task *tasks[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        waiters[i].got = i;
        assert_int_equal(coop_spawn(&tasks[i], wait_for_it, &waiters[i], NULL), 0);
        if (i == 0)
            answers(MANY, answer_backwards);
        assert_int_equal(coop_yield(), 0);
    }
    assert_int_equal(coop_gather(tasks, MANY, NULL, COOP_NEVER), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(waiters[i].got, 3 * i);
}

/* ---- failures ------------------------------------------------------------------------------------------------------------------- */

static Pb__CallError next_error;

static void fail_next(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    (void)a;
    (void)fd;
    say_failure(ret, next_error);
}

static void every_error_of_the_list_is_its_errno(void **state)
{
    const ProtobufCEnumDescriptor *d = &pb__call_error__descriptor;

    (void)state;
    for (unsigned i = 0; i < d->n_values; i++) {
        const struct call_error_row *row;

        next_error = (Pb__CallError)d->values[i].value;
        if (next_error == PB__CALL_ERROR__CALL_ERROR_NONE)
            continue;
        row = call_error(next_error);
        answers(1, fail_next);
        assert_int_equal(coop_interp_close(&interp), -row->error);
        assert_string_equal(coop_last_error()->name, row->name);
        assert_int_equal(coop_last_error()->error, row->error);
        assert_string_equal(coop_last_error()->message, row->what);
        assert_int_equal(inside_error_of(-row->error), next_error);
    }
}

static void fail_at_length(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static Pb__JobError e = PB__JOB_ERROR__INIT;
    static char *cycle[] = { (char *)"A", (char *)"B" };

    (void)a;
    (void)fd;
    say_failure(ret, PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED);
    e.type = (char *)"ValueError";
    e.message = (char *)"no such thing";
    e.traceback = (char *)"line 1";
    ret->failure->message = (char *)"it failed";
    ret->failure->path = (char *)"args[1]";
    ret->failure->remote = &e;
    ret->failure->cause = PB__CAUSE__CAUSE_CPU_LIMIT;
    ret->failure->cause_detail = (char *)"cpu_limit 2s";
    ret->failure->receipt = (char *)"01ARZ3NDEKTSV4RRFFQ69G5FAV";
    ret->failure->cycle = cycle;
    ret->failure->n_cycle = 2;
}

static void a_failure_is_told_in_full(void **state)
{
    const struct coop_why *w;

    (void)state;
    answers(1, fail_at_length);
    assert_int_equal(coop_interp_call(&interp, "f", NULL, COOP_NEVER, NULL), -ECHILD);
    w = coop_last_error();
    assert_string_equal(w->name, "ExecutionFailed");
    assert_string_equal(w->message, "it failed");
    assert_string_equal(w->path, "args[1]");
    assert_string_equal(w->remote_type, "ValueError");
    assert_string_equal(w->remote_message, "no such thing");
    assert_string_equal(w->traceback, "line 1");
    assert_string_equal(w->cause, "cpu_limit");
    assert_string_equal(w->cause_detail, "cpu_limit 2s");
    assert_string_equal(w->receipt, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_int_equal(w->n_cycle, 2);
    assert_string_equal(w->cycle[0], "A");
    assert_string_equal(w->cycle[1], "B");
}

static int fail_elsewhere(void *unused)
{
    (void)unused;
    assert_string_equal(coop_last_error()->name, "");
    assert_int_equal(coop_interp_call(NULL, "f", NULL, COOP_NEVER, NULL), -EINVAL);
    assert_string_equal(coop_last_error()->name, "BadRequest");
    return 0;
}

static void each_tasklet_has_its_own_last_error(void **state)
{
    coop_task *t;

    (void)state;
    next_error = PB__CALL_ERROR__CALL_ERROR_QUEUE_FULL;
    answers(1, fail_next);
    assert_int_equal(coop_queue_put_one(&queue, NULL, 0), -ENOBUFS);
    assert_int_equal(coop_spawn(&t, fail_elsewhere, NULL, NULL), 0);
    assert_int_equal(coop_join(t, NULL, COOP_NEVER), 0);
    assert_string_equal(coop_last_error()->name, "QueueFull");
}

static void what_makes_no_sense_is_not_sent(void **state)
{
    coop_val *map = coop_val_map(), *bad = coop_val_list(), *deep = coop_val_list();

    (void)state;
    assert_int_equal(coop_interp_call(&interp, "f", map, COOP_NEVER, NULL), -EINVAL);
    assert_string_equal(coop_last_error()->message, "args is of type map: a list is wanted, or NULL");
    coop_val_add(bad, coop_val_int(1));
    coop_val_add(bad, coop_val_text("\xff", SIZE_MAX));
    assert_int_equal(coop_interp_call(&interp, "f", bad, COOP_NEVER, NULL), -EPROTOTYPE);
    assert_string_equal(coop_last_error()->name, "NotShareable");
    assert_string_equal(coop_last_error()->path, "args[2]");
    for (int i = 0; i <= COOP_VAL_DEPTH; i++) {
        coop_val *outer = coop_val_list();

        coop_val_add(outer, deep);
        deep = outer;
    }
    assert_int_equal(coop_interp_call(&interp, "f", deep, COOP_NEVER, NULL), -ELOOP);
    assert_string_equal(coop_last_error()->name, "TooDeep");
    assert_int_equal(coop_interp_prepare(&interp, bad, COOP_NEVER), -EINVAL);
    assert_int_equal(coop_interp_exec(&interp, NULL, NULL, 0, COOP_NEVER), -EINVAL);
    assert_int_equal(coop_queue_get(&queue, 0, COOP_NEVER, NULL), -EINVAL);
    assert_int_equal(coop_handle_granted(NULL, NULL), -EINVAL);
    expect_nothing_said();
    coop_val_free(map);
    coop_val_free(bad);
    coop_val_free(deep);
}

static void where_a_tasklet_may_not_block_it_is_told(void **state)
{
    (void)state;
    coop_block_trap(true);
    assert_int_equal(coop_interp_close(&interp), -EPERM);
    coop_block_trap(false);
    assert_string_equal(coop_last_error()->name, "NotAllowed");
    assert_int_equal(coop_last_error()->error, EPERM);
}

/* ---- cancelled while it waits --------------------------------------------------------------------------------------------------- */

static uint64_t cancelled_number;

static void wait_for_cancel(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    (void)fd;
    if (a->body_case != PB__ASK__BODY_ASK_CANCEL) {
        coop_cancel(coop_main());
        return;
    }
    cancelled_number = a->ask_cancel->number;
    ret->number = cancelled_number;
    say_failure(ret, PB__CALL_ERROR__CALL_ERROR_INTERRUPTED);
}

static void a_cancelled_caller_takes_it_back(void **state)
{
    (void)state;
    answers(2, wait_for_cancel);
    assert_int_equal(coop_interp_call(&interp, "f", NULL, COOP_NEVER, NULL), -ECANCELED);
    assert_string_equal(coop_last_error()->name, "Interrupted");
    assert_int_equal(broker.heard[1], PB__ASK__BODY_ASK_CANCEL);
    assert_int_equal(cancelled_number, broker.numbers[0]);
    sched_main_afresh();
}

static void say_item(Pb__Answer *ret, Pb__Unbound unbound)
{
    static uint8_t seven[] = { 7 };
    static Pb__QueueItem item, *list[] = { &item };
    static Pb__QueueItems items;
    static Pb__Value value;

    pb__value__init(&value);
    value.cbor.data = seven;
    value.cbor.len = 1;
    pb__queue_item__init(&item);
    item.unbound = unbound;
    item.sender = (char *)"01ARZ3NDEKTSV4RRFFQ69G5FAV";
    item.value = unbound == PB__UNBOUND__UNBOUND_NONE ? &value : NULL;
    pb__queue_items__init(&items);
    items.items = list;
    items.n_items = 1;
    ret->body_case = PB__ANSWER__BODY_ITEMS;
    ret->items = &items;
}

/* The item had left the queue before the cancel came. */
static void item_on_its_way(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    (void)fd;
    if (a->body_case != PB__ASK__BODY_ASK_CANCEL) {
        coop_cancel(coop_main());
        return;
    }
    ret->number = a->ask_cancel->number;
    say_item(ret, PB__UNBOUND__UNBOUND_NONE);
}

static void what_has_happened_meanwhile_is_not_lost(void **state)
{
    coop_val *value = NULL;
    int64_t n = 0;

    (void)state;
    answers(2, item_on_its_way);
    assert_int_equal(coop_queue_get_one(&queue, COOP_NEVER, &value), 0);
    assert_int_equal(coop_val_as_int(value, &n), 0);
    assert_int_equal(n, 7);
    coop_val_free(value);
    assert_int_equal(coop_cancelled(), -ECANCELED);
    sched_main_afresh();
}

static void open_at_the_deadline(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    (void)fd;
    if (a->body_case != PB__ASK__BODY_ASK_CANCEL)
        return;
    ret->number = a->ask_cancel->number;
    say_failure(ret, PB__CALL_ERROR__CALL_ERROR_INTERRUPTED);
}

static void what_is_not_made_by_its_deadline_is_taken_back(void **state)
{
    struct coop_handle h;

    (void)state;
    answers(2, open_at_the_deadline);
    assert_int_equal(coop_interp_create(&(struct coop_interp_spec){ .engine = "lua" }, coop_after(1000), &h), -ETIMEDOUT);
    assert_string_equal(coop_last_error()->name, "TimedOut");
}

/* ---- interpreters --------------------------------------------------------------------------------------------------------------- */

static void check_create(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    const Pb__InterpCreate *m = a->interp_create;

    (void)fd;
    assert_int_equal(a->body_case, PB__ASK__BODY_INTERP_CREATE);
    assert_string_equal(m->spec->engine, "lua");
    assert_string_equal(m->spec->name, "child");
    assert_string_equal(m->spec->source_name, "init.lua");
    assert_int_equal(m->spec->source.len, 5);
    assert_int_equal(m->spec->limits->memory_bytes, 64 << 20);
    assert_int_equal(m->spec->n_caps, 1);
    assert_string_equal(m->spec->caps[0], "queues");
    assert_int_equal(m->spec->n_args, 2);
    assert_memory_equal(m->spec->args[1].data, "two", 3);
    assert_int_equal(m->spec->n_env, 1);
    assert_string_equal(m->spec->env[0]->name, "KEY");
    assert_memory_equal(m->spec->env[0]->value.data, "a=b", 3);
    assert_string_equal(m->template_, "base@2");
    assert_int_equal(m->n_grants, 1);
    assert_string_equal(m->grants[0]->name, "jobs");
    assert_int_equal(m->grants[0]->handle->handle, 9);
    assert_int_equal(m->grants[0]->handle->rights, COOP_RIGHT_RECV);
    assert_int_equal(m->n_aliases, 2);
    assert_string_equal(m->aliases[1], "save");
    assert_int_equal(m->max_children, 3);
    say_handle(ret, 11, PB__KIND__KIND_INTERP, 0);
}

static void an_interpreter_is_made_as_was_said(void **state)
{
    static const char *const caps[] = { "queues", NULL }, *const args[] = { "one", "two", NULL }, *const env[] = { "KEY=a=b", NULL },
                             *const aliases[] = { "load", "save", NULL };
    const struct coop_grant grant = {
        "jobs", {.kind = COOP_KIND_QUEUE, .number = 9, .rights = COOP_RIGHT_RECV}
    };
    const struct coop_interp_spec spec = {
        .engine = "lua",
        .template_name = "base@2",
        .name = "child",
        .source = "x = 1",
        .source_len = 5,
        .source_name = "init.lua",
        .limits = "memory=64M",
        .caps = caps,
        .args = args,
        .env = env,
        .grants = &grant,
        .n_grants = 1,
        .aliases = aliases,
        .max_children = 3,
    };
    struct coop_handle h;

    (void)state;
    answers(1, check_create);
    assert_int_equal(coop_interp_create(&spec, COOP_NEVER, &h), 0);
    assert_int_equal(h.number, 11);
    assert_int_equal(h.kind, COOP_KIND_INTERP);
    assert_int_equal(h.rights, 127);
    assert_string_equal(h.id, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_string_equal(h.name, "thing");
}

static void a_spec_that_makes_no_sense_is_refused_by_name(void **state)
{
    static const char *const env[] = { "=x", NULL };
    const struct coop_grant nothing = { "jobs", { .number = 0 } };
    struct coop_handle h;

    (void)state;
    assert_int_equal(coop_interp_create(&(struct coop_interp_spec){ .engine = "lua", .limits = "memory=lots" }, COOP_NEVER, &h), -EINVAL);
    assert_non_null(strstr(coop_last_error()->message, "memory"));
    assert_int_equal(coop_interp_create(&(struct coop_interp_spec){ .engine = "lua", .env = env }, COOP_NEVER, &h), -EINVAL);
    assert_string_equal(coop_last_error()->message, "env[0] is \"=x\": NAME=value is wanted");
    assert_int_equal(coop_interp_create(&(struct coop_interp_spec){ .engine = "lua", .grants = &nothing, .n_grants = 1 }, COOP_NEVER, &h),
                     -EINVAL);
    assert_string_equal(coop_last_error()->message, "grants[0]: a name and a handle are wanted");
    assert_int_equal(coop_interp_create(NULL, COOP_NEVER, &h), -EINVAL);
    expect_nothing_said();
}

static void tell_status(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static Pb__InterpStatus s;
    static Pb__Handle h;

    (void)fd;
    assert_int_equal(a->interp_wait->interp->handle, 7);
    pb__handle__init(&h);
    h.id = (char *)"01ARZ3NDEKTSV4RRFFQ69G5FAV";
    pb__interp_status__init(&s);
    s.interp = &h;
    s.state = PB__INTERP_STATE__INTERP_STATE_ENDED;
    s.engine = (char *)"lua";
    s.cause = PB__CAUSE__CAUSE_OOM;
    s.cause_detail = (char *)"memory";
    s.receipt = (char *)"R";
    s.calls = 5;
    ret->body_case = PB__ANSWER__BODY_INTERP;
    ret->interp = &s;
}

static void a_monitor_says_how_it_ended(void **state)
{
    struct coop_interp_info info;

    (void)state;
    answers(1, tell_status);
    assert_int_equal(coop_interp_wait(&interp, COOP_NEVER, &info), 0);
    assert_int_equal(info.state, COOP_INTERP_ENDED);
    assert_string_equal(info.handle.id, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_string_equal(info.engine, "lua");
    assert_string_equal(info.cause, "oom");
    assert_string_equal(info.cause_detail, "memory");
    assert_string_equal(info.receipt, "R");
    assert_int_equal(info.calls, 5);
}

static void done(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    (void)a;
    (void)fd;
    say_done(ret);
}

static void each_call_has_its_message(void **state)
{
    struct {
        int rc, body;
    } said[7];

    (void)state;
    answers(7, done);
    said[0].rc = coop_interp_interrupt(&interp);
    said[1].rc = coop_interp_close(&interp);
    said[2].rc = coop_interp_kill(&interp);
    said[3].rc = coop_interp_reset(&interp);
    said[4].rc = coop_interp_link(&interp, true);
    said[5].rc = coop_queue_close(&queue, true);
    said[6].rc = coop_handle_revoke(&queue);
    for (int i = 0; i < 7; i++)
        assert_int_equal(said[i].rc, 0);
    assert_int_equal(broker.heard[0], PB__ASK__BODY_INTERP_INTERRUPT);
    assert_int_equal(broker.heard[1], PB__ASK__BODY_INTERP_CLOSE);
    assert_int_equal(broker.heard[2], PB__ASK__BODY_INTERP_KILL);
    assert_int_equal(broker.heard[3], PB__ASK__BODY_INTERP_RESET);
    assert_int_equal(broker.heard[4], PB__ASK__BODY_INTERP_LINK);
    assert_int_equal(broker.heard[5], PB__ASK__BODY_QUEUE_CLOSE);
    assert_int_equal(broker.heard[6], PB__ASK__BODY_HANDLE_REVOKE);
}

/* ---- handles in values ---------------------------------------------------------------------------------------------------------- */

static void pass_handles(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    const Pb__Value *v = a->interp_call->args;
    static uint8_t handle_0[] = { 0xda, 0x63, 0x6f, 0x6f, 0x71, 0x00 };
    static Pb__Handle given, *list[] = { &given };

    (void)fd;
    assert_int_equal(v->n_handles, 1);
    assert_int_equal(v->handles[0]->handle, 9);
    assert_int_equal(v->handles[0]->rights, COOP_RIGHT_SEND);
    say_value(ret, coop_val_null());
    pb__handle__init(&given);
    given.handle = 33;
    given.kind = PB__KIND__KIND_BUFFER;
    given.bytes = 100;
    ret->result->value->cbor.data = handle_0;
    ret->result->value->cbor.len = sizeof(handle_0);
    ret->result->value->handles = list;
    ret->result->value->n_handles = 1;
}

static coop_val *queue_to_send_to(void)
{
    struct coop_handle h = queue;
    coop_val *args = coop_val_list();

    h.rights = COOP_RIGHT_SEND;
    coop_val_add(args, coop_val_handle(&h));
    return args;
}

static void handles_go_and_come_in_values(void **state)
{
    coop_val *args = queue_to_send_to(), *value;
    const struct coop_handle *h;

    (void)state;
    answers(1, pass_handles);
    assert_int_equal(coop_interp_call(&interp, "f", args, COOP_NEVER, &value), 0);
    h = coop_val_as_handle(value);
    assert_non_null(h);
    assert_int_equal(h->number, 33);
    assert_int_equal(h->kind, COOP_KIND_BUFFER);
    assert_int_equal(h->bytes, 100);
    coop_val_free(value);
    coop_val_free(args);
}

static uint32_t dropped;

static void note_drop(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    if (a->body_case != PB__ASK__BODY_HANDLE_DROP) {
        pass_handles(a, ret, fd);
        return;
    }
    dropped = a->handle_drop->handle;
}

static void handles_that_nobody_wants_are_dropped(void **state)
{
    coop_val *args = queue_to_send_to();

    (void)state;
    dropped = 0;
    answers(2, note_drop);
    assert_int_equal(coop_interp_call(&interp, "f", args, COOP_NEVER, NULL), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_int_equal(dropped, 33);
    coop_val_free(args);
}

/* ---- large values: in buffers --------------------------------------------------------------------------------------------------- */

enum { LARGE = 100 << 10 };

static int memory_fd = -1;

/* Buffers are asked for and filled, the call names one; its answer does, too. */
static void large(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static Pb__Handle whole;

    switch (a->body_case) {
    case PB__ASK__BODY_BUFFER_NEW:
        memory_fd = memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(memory_fd, (off_t)a->buffer_new->bytes), 0);
        *fd = fcntl(memory_fd, F_DUPFD_CLOEXEC, 10);
        say_handle(ret, 50, PB__KIND__KIND_BUFFER, a->buffer_new->bytes);
        break;
    case PB__ASK__BODY_BUFFER_SEAL:
        assert_int_equal(a->buffer_seal->buffer->handle, 50);
        assert_int_equal(fcntl(memory_fd, F_ADD_SEALS, F_SEAL_WRITE), 0); /* -EBUSY while it is mapped */
        say_done(ret);
        break;
    case PB__ASK__BODY_INTERP_CALL:
        assert_int_equal(a->interp_call->args->cbor.len, 0);
        assert_int_equal(a->interp_call->args->whole->handle, 50);
        say_value(ret, coop_val_null());
        pb__handle__init(&whole);
        whole.handle = 51;
        whole.bytes = (uint64_t)lseek(memory_fd, 0, SEEK_END);
        ret->result->value->cbor.len = 0;
        ret->result->value->whole = &whole;
        break;
    case PB__ASK__BODY_BUFFER_MAP:
        assert_int_equal(a->buffer_map->buffer->handle, 51);
        *fd = memory_fd;
        say_handle(ret, 51, PB__KIND__KIND_BUFFER, (uint64_t)lseek(memory_fd, 0, SEEK_END));
        break;
    default: assert_int_equal(a->body_case, PB__ASK__BODY_HANDLE_DROP); break;
    }
}

static void a_large_value_travels_in_a_buffer(void **state)
{
    static char bytes[LARGE];
    coop_val *args = coop_val_list(), *value;
    size_t len;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    coop_val_add(args, coop_val_bytes(bytes, sizeof(bytes)));
    answers(6, large);
    assert_int_equal(coop_interp_call(&interp, "f", args, COOP_NEVER, &value), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_int_equal(broker.heard[4], PB__ASK__BODY_HANDLE_DROP);
    assert_int_equal(broker.heard[5], PB__ASK__BODY_HANDLE_DROP);
    assert_memory_equal(coop_val_as_bytes(coop_val_at(value, 0), &len), bytes, LARGE);
    assert_int_equal(len, LARGE);
    coop_val_free(value);
    coop_val_free(args);
}

/* ---- queues --------------------------------------------------------------------------------------------------------------------- */

static void take_two(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static Pb__QueueTaken taken = PB__QUEUE_TAKEN__INIT;

    (void)fd;
    assert_int_equal(a->queue_put->queue->handle, 9);
    assert_int_equal(a->queue_put->n_items, 3);
    assert_int_equal(a->queue_put->items[2]->cbor.data[0], 3);
    assert_int_equal(a->queue_put->unbound, PB__UNBOUND__UNBOUND_PERSIST);
    taken.count = 2;
    ret->body_case = PB__ANSWER__BODY_TAKEN;
    ret->taken = &taken;
}

static void a_batch_says_how_many_are_in(void **state)
{
    coop_val *one = coop_val_int(1), *two = coop_val_int(2), *three = coop_val_int(3);
    const coop_val *items[] = { one, two, three };
    size_t n = 0;

    (void)state;
    answers(1, take_two);
    assert_int_equal(coop_queue_put(&queue, items, 3, COOP_UNBOUND_PERSIST, COOP_NEVER, &n), 0);
    assert_int_equal(n, 2);
    coop_val_free(one);
    coop_val_free(two);
    coop_val_free(three);
}

static void item_by_item(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static const Pb__Unbound what[] = { PB__UNBOUND__UNBOUND_NONE, PB__UNBOUND__UNBOUND_REPLACE, PB__UNBOUND__UNBOUND_ERROR };

    (void)a;
    (void)fd;
    say_item(ret, what[broker.n_heard <= 3 ? broker.n_heard - 1 : 0]);
    if (broker.n_heard > 3) {
        ret->items->n_items = 0;
        ret->items->closed = broker.n_heard == 5;
    }
}

static void an_item_may_have_lost_its_sender(void **state)
{
    coop_val *value;

    (void)state;
    answers(5, item_by_item);
    assert_int_equal(coop_queue_get_one(&queue, COOP_NEVER, &value), 0);
    assert_int_equal(coop_val_type(value), COOP_VAL_INT);
    coop_val_free(value);
    assert_int_equal(coop_queue_get_one(&queue, COOP_NEVER, &value), 1);
    assert_null(value);
    assert_int_equal(coop_queue_get_one(&queue, COOP_NEVER, &value), -EIDRM);
    assert_non_null(strstr(coop_last_error()->message, "01ARZ3NDEKTSV4RRFFQ69G5FAV"));
    assert_int_equal(coop_queue_get_one(&queue, 0, &value), -EAGAIN);
    assert_int_equal(coop_queue_get_one(&queue, 0, &value), -EPIPE);
}

/* The middle one is no value: the others are taken all the same. */
static void three_items(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static uint8_t good[] = { 5 }, bad[] = { 0xff };
    static Pb__QueueItem items[3], *list[] = { &items[0], &items[1], &items[2] };
    static Pb__Value values[3];
    static Pb__QueueItems m;

    (void)fd;
    assert_int_equal(a->queue_get->max, 10);
    for (int i = 0; i < 3; i++) {
        pb__value__init(&values[i]);
        values[i].cbor.data = i == 1 ? bad : good;
        values[i].cbor.len = 1;
        pb__queue_item__init(&items[i]);
        items[i].value = &values[i];
        items[i].sender = (char *)"S";
    }
    pb__queue_items__init(&m);
    m.items = list;
    m.n_items = 3;
    m.closed = true;
    ret->body_case = PB__ANSWER__BODY_ITEMS;
    ret->items = &m;
}

static void an_item_that_is_no_value_takes_no_other_with_it(void **state)
{
    struct coop_items items;

    (void)state;
    answers(1, three_items);
    assert_int_equal(coop_queue_get(&queue, 10, COOP_NEVER, &items), 0);
    assert_int_equal(items.n, 3);
    assert_true(items.closed);
    assert_int_equal(coop_val_type(items.items[0].value), COOP_VAL_INT);
    assert_null(items.items[1].value);
    assert_int_equal(items.items[1].error, -EPROTOTYPE);
    assert_int_equal(coop_val_type(items.items[2].value), COOP_VAL_INT);
    assert_string_equal(items.items[2].sender, "S");
    coop_items_free(&items);
    coop_items_free(&items);
}

/* ---- aliases -------------------------------------------------------------------------------------------------------------------- */

static int greet(coop_request *r)
{
    const char *name;
    char text[64];

    if (coop_arg_text(r, 0, &name, NULL) != 0)
        return -EINVAL;
    if (strcmp(name, "nobody") == 0)
        return coop_fail(r, "ValueError", "there is no %s", name);
    snprintf(text, sizeof(text), "hello %s from %s", name, coop_request_caller(r));
    return coop_return_text(r, text);
}

static const struct coop_function offered[] = {
    {"greet", greet},
    { NULL,   NULL },
};

static void call_aliases(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static const struct {
        const char *alias, *arg, *type, *words;
    } calls[] = {
        {"greet",  "you",    NULL,         "hello you from C"                              },
        { "greet", "nobody", "ValueError", "there is no nobody"                            },
        { "greet", NULL,     "TypeError",  "greet: argument 1 is missing: a text is wanted"},
        { "fly",   "you",    "NoFunction", "nobody serves the alias \"fly\""               },
    };
    static Pb__AliasInvocation m;
    static struct coop_encoding e;
    static Pb__Value args;
    int at = (broker.n_heard - 1) / 2;
    coop_val *list, *value;

    (void)fd;
    if (at == 4) {
        say_failure(ret, PB__CALL_ERROR__CALL_ERROR_DEAD);
        return;
    }
    if (a->body_case == PB__ASK__BODY_ALIAS_DONE) {
        assert_int_equal(a->alias_done->number, 100 + at);
        if (calls[at].type == NULL) {
            value = value_of(a->alias_done->value);
            assert_string_equal(coop_val_as_text(value, NULL), calls[at].words);
            coop_val_free(value);
        } else {
            assert_string_equal(a->alias_done->error->type, calls[at].type);
            assert_string_equal(a->alias_done->error->message, calls[at].words);
        }
        return;
    }
    assert_int_equal(a->body_case, PB__ASK__BODY_ALIAS_NEXT);
    assert_int_equal(a->alias_next->interp->handle, 7);
    list = coop_val_list();
    if (calls[at].arg != NULL)
        coop_val_add(list, coop_val_text(calls[at].arg, SIZE_MAX));
    coop_encoding_free(&e);
    assert_int_equal(coop_val_encode(list, COOP_VAL_INLINE_BYTES, "args", &e, NULL), 0);
    coop_val_free(list);
    pb__value__init(&args);
    args.cbor.data = e.cbor;
    args.cbor.len = e.len;
    pb__alias_invocation__init(&m);
    m.number = (uint64_t)(100 + at);
    m.name = (char *)calls[at].alias;
    m.caller = (char *)"C";
    m.args = &args;
    ret->body_case = PB__ANSWER__BODY_INVOCATION;
    ret->invocation = &m;
}

static void aliases_are_served_until_the_child_has_ended(void **state)
{
    (void)state;
    answers(9, call_aliases);
    assert_int_equal(coop_alias_serve(&interp, offered), 0);
    assert_int_equal(broker.n_heard, 9);
}

/* ---- keys, and what is held ----------------------------------------------------------------------------------------------------- */

static void keys(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static char *names[] = { (char *)"a", (char *)"bc" };
    static uint8_t bytes[] = { 'v', 0, 'w' };
    static Pb__KvKeys list = PB__KV_KEYS__INIT;
    static Pb__KvValue value = PB__KV_VALUE__INIT;

    (void)fd;
    switch (a->body_case) {
    case PB__ASK__BODY_KV_OPEN:
        assert_string_equal(a->kv_open->prefix, "app/");
        say_handle(ret, 60, PB__KIND__KIND_KV, 0);
        break;
    case PB__ASK__BODY_KV_GET:
        assert_string_equal(a->kv_get->key, "k");
        value.value.data = bytes;
        value.value.len = sizeof(bytes);
        ret->body_case = PB__ANSWER__BODY_KV_VALUE;
        ret->kv_value = &value;
        break;
    case PB__ASK__BODY_KV_LIST:
        assert_string_equal(a->kv_list->after, "Z");
        assert_int_equal(a->kv_list->limit, 2);
        list.keys = names;
        list.n_keys = 2;
        list.more = true;
        ret->body_case = PB__ANSWER__BODY_KV_KEYS;
        ret->kv_keys = &list;
        break;
    default:
        assert_int_equal(a->body_case, PB__ASK__BODY_KV_PUT);
        assert_true(a->kv_put->only_new);
        assert_int_equal(a->kv_put->value.len, 2);
        say_failure(ret, PB__CALL_ERROR__CALL_ERROR_NAME_TAKEN);
        break;
    }
}

static void keys_and_their_values(void **state)
{
    struct coop_handle kv;
    struct coop_bytes bytes;
    struct coop_keys list;

    (void)state;
    answers(4, keys);
    assert_int_equal(coop_kv_open("app/", 0, &kv), 0);
    assert_int_equal(coop_kv_get(&kv, "k", &bytes), 0);
    assert_int_equal(bytes.len, 3);
    assert_memory_equal(bytes.at, "v\0w", 4);
    free(bytes.at);
    assert_int_equal(coop_kv_list(&kv, NULL, "Z", 2, &list), 0);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.keys[1], "bc");
    assert_null(list.keys[2]);
    assert_true(list.more);
    coop_keys_free(&list);
    assert_int_equal(coop_kv_put(&kv, "k", "xy", 2, true), -EEXIST);
}

static void held(const Pb__Ask *a, Pb__Answer *ret, int *fd)
{
    static Pb__Handle h[2];
    static Pb__Grant g[2], *list[] = { &g[0], &g[1] };
    static Pb__HandleListed m;

    (void)a;
    (void)fd;
    for (int i = 0; i < 2; i++) {
        pb__handle__init(&h[i]);
        pb__grant__init(&g[i]);
        h[i].handle = (uint32_t)(70 + i);
        g[i].handle = &h[i];
    }
    g[1].name = (char *)"jobs";
    pb__handle_listed__init(&m);
    m.handles = list;
    m.n_handles = 2;
    ret->body_case = PB__ANSWER__BODY_HANDLES;
    ret->handles = &m;
}

static void what_is_held_is_listed(void **state)
{
    struct coop_handle_list list;

    (void)state;
    answers(1, held);
    assert_int_equal(coop_handle_list(&list), 0);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.items[0].name, "");
    assert_string_equal(list.items[1].name, "jobs");
    assert_int_equal(list.items[1].handle.number, 71);
    coop_handle_list_free(&list);
}

/* ---- a request's arguments ------------------------------------------------------------------------------------------------------ */

static void args_of(struct coop_request *r, coop_val *list)
{
    memset(r, 0, sizeof(*r));
    r->name = "f";
    r->caller = "";
    r->args = list;
}

static void arguments_are_had_by_type(void **state)
{
    coop_val *list = coop_val_list();
    struct coop_request r;
    const coop_val *v;
    const void *bytes;
    const char *text;
    double d;
    int64_t i;
    size_t n;
    bool b;

    (void)state;
    coop_val_add(list, coop_val_bool(true));
    coop_val_add(list, coop_val_int(5));
    coop_val_add(list, coop_val_double(2.5));
    coop_val_add(list, coop_val_text("a\0b", 3));
    coop_val_add(list, coop_val_bytes("xyz", 3));
    coop_val_add(list, coop_val_list());
    coop_val_add(list, coop_val_map());
    args_of(&r, list);
    assert_int_equal(coop_n_args(&r), 7);
    assert_true(coop_arg_bool(&r, 0, &b) == 0 && b);
    assert_true(coop_arg_int(&r, 1, &i) == 0 && i == 5);
    assert_true(coop_arg_double(&r, 1, &d) == 0 && d == 5);
    assert_true(coop_arg_double(&r, 2, &d) == 0 && d == 2.5);
    assert_true(coop_arg_text(&r, 3, &text, &n) == 0 && n == 3);
    assert_true(coop_arg_bytes(&r, 4, &bytes, &n) == 0 && n == 3);
    assert_int_equal(coop_arg_list(&r, 5, &v), 0);
    assert_int_equal(coop_arg_map(&r, 6, &v), 0);
    assert_null(r.error);

    assert_int_equal(coop_arg_int(&r, 2, &i), -EINVAL);
    assert_string_equal(r.error->type, "TypeError");
    assert_string_equal(r.error->message, "f: argument 3 is of type double: an integer of 64 bits is wanted");
    assert_int_equal(coop_arg_text(&r, 3, &text, NULL), -EINVAL);
    assert_string_equal(r.error->message, "f: argument 4 is of type text: a text without NUL is wanted");
    assert_int_equal(coop_arg_bool(&r, 7, &b), -EINVAL);
    assert_string_equal(r.error->message, "f: argument 8 is missing: a bool is wanted");
    request_finish(&r);
}

static void a_request_fails_with_the_best_that_is_known(void **state)
{
    const struct request_error *error;
    struct inside_value value;
    struct coop_request r;

    (void)state;
    inside_forget();
    args_of(&r, coop_val_list());
    assert_int_equal(request_judge(&r, -ENOENT, &value, &error), 0);
    assert_string_equal(error->type, "Error");
    assert_string_equal(error->message, "No such file or directory (errno 2)");
    request_finish(&r);

    args_of(&r, coop_val_list());
    assert_int_equal(coop_interp_close(NULL), -EINVAL);
    assert_int_equal(request_judge(&r, -EINVAL, &value, &error), 0); /* it passes on what had failed */
    assert_string_equal(error->type, "BadRequest");
    request_finish(&r);

    args_of(&r, coop_val_list());
    assert_int_equal(coop_fail(&r, "My\xff", "%d is too many", 7), -ECHILD);
    assert_int_equal(request_judge(&r, -1, &value, &error), 0);
    assert_string_equal(error->type, "My\\xff");
    assert_string_equal(error->message, "7 is too many");
    request_finish(&r);

    args_of(&r, coop_val_list());
    assert_int_equal(coop_return_int(&r, 1), 0);
    assert_int_equal(coop_return_int(&r, 2), 0); /* the last one counts */
    assert_int_equal(request_judge(&r, 0, &value, &error), 0);
    assert_null(error);
    assert_int_equal(value.message.cbor.len, 1);
    assert_int_equal(value.message.cbor.data[0], 2);
    inside_value_finish(&value);
    request_finish(&r);

    args_of(&r, coop_val_list());
    assert_int_equal(coop_return_text(&r, "\xff"), 0);
    assert_int_equal(request_judge(&r, 0, &value, &error), -EPROTOTYPE);
    assert_string_equal(coop_last_error()->path, "value");
    request_finish(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_gives_its_value),
        TEST(a_deadline_is_what_is_left_until_it),
        TEST(a_thousand_calls_wait_at_once),
        TEST(a_thousand_tasklets_wait_at_once),
        TEST(every_error_of_the_list_is_its_errno),
        TEST(a_failure_is_told_in_full),
        TEST(each_tasklet_has_its_own_last_error),
        TEST(what_makes_no_sense_is_not_sent),
        TEST(where_a_tasklet_may_not_block_it_is_told),
        TEST(a_cancelled_caller_takes_it_back),
        TEST(what_has_happened_meanwhile_is_not_lost),
        TEST(what_is_not_made_by_its_deadline_is_taken_back),
        TEST(an_interpreter_is_made_as_was_said),
        TEST(a_spec_that_makes_no_sense_is_refused_by_name),
        TEST(a_monitor_says_how_it_ended),
        TEST(each_call_has_its_message),
        TEST(handles_go_and_come_in_values),
        TEST(handles_that_nobody_wants_are_dropped),
        TEST(a_large_value_travels_in_a_buffer),
        TEST(a_batch_says_how_many_are_in),
        TEST(an_item_may_have_lost_its_sender),
        TEST(an_item_that_is_no_value_takes_no_other_with_it),
        TEST(aliases_are_served_until_the_child_has_ended),
        TEST(keys_and_their_values),
        TEST(what_is_held_is_listed),
        TEST(arguments_are_had_by_type),
        TEST(a_request_fails_with_the_best_that_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
