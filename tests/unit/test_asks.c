/* test_asks.c - asks and their answers: the broker's end of the link is in the same process, and answers when a test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>

#include "fake_broker.h"
#include "worker/asks.h"
#include "worker/inbound.h"
#include "worker/input.h"
#include "worker/link.h"

enum { MANY = 1000 };

static int broker_end, worker_end;

static int setup(void **state)
{
    int pair[2];
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    broker_end = fcntl(pair[0], F_DUPFD_CLOEXEC, 10);
    worker_end = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(dup2(worker_end, LINK_FD), LINK_FD);
    close(worker_end);
    worker_end = LINK_FD;
    link_use(LINK_FD);
    spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    input_begin(&spec);
    return 0;
}

/* With tasklets. */
static int setup_tasklets(void **state)
{
    setup(state);
    return coop_init(NULL);
}

static int teardown(void **state)
{
    (void)state;
    if (sched != NULL)
        assert_int_equal(coop_finish(), 0);
    close(broker_end);
    close(worker_end);
    return 0;
}

/* ---- the broker ---------------------------------------------------------------------------------------------------------------------- */

/* The next thing the worker has said; the caller releases it. */
static const Pb__FromWorker *heard(struct frame *f)
{
    uint8_t *bytes = NULL;
    size_t cap = 0, len;

    assert_int_equal(sp_recv(broker_end, &bytes, &cap, FRAME_MAX_LINK, &len), 0);
    assert_int_equal(frame_decode(f, &pb__from_worker__descriptor, bytes, len, FRAME_MAX_LINK), 0);
    free(bytes);
    return (const Pb__FromWorker *)f->msg;
}

static uint64_t heard_ask(int body)
{
    struct frame f;
    const Pb__FromWorker *m = heard(&f);
    uint64_t number;

    assert_int_equal(m->body_case, PB__FROM_WORKER__BODY_ASK);
    assert_int_equal(m->ask->body_case, body);
    number = m->ask->body_case == PB__ASK__BODY_ASK_CANCEL ? m->ask->ask_cancel->number : m->ask->number;
    frame_release(&f);
    return number;
}

/* taken.count says which it is. */
static void answer(uint64_t number, uint32_t count)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__QueueTaken taken = PB__QUEUE_TAKEN__INIT;

    taken.count = count;
    a.number = number;
    a.body_case = PB__ANSWER__BODY_TAKEN;
    a.taken = &taken;
    m.body_case = PB__TO_WORKER__BODY_ANSWER;
    m.answer = &a;
    told_send(broker_end, &m);
}

/* The same with a descriptor beside its first byte. */
static void answer_with(uint64_t number, int fd)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Answer a = PB__ANSWER__INIT;
    uint8_t frame[256];
    size_t len;
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { frame, 1 };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);

    a.number = number;
    a.descriptors = 1;
    m.body_case = PB__TO_WORKER__BODY_ANSWER;
    m.answer = &a;
    len = protobuf_c_message_pack(&m.base, frame + SP_HEADER_LEN);
    sp_header_put(frame, len);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    assert_int_equal(sendmsg(broker_end, &h, 0), 1);
    assert_int_equal(write(broker_end, frame + 1, SP_HEADER_LEN + len - 1), SP_HEADER_LEN + len - 1);
}

static void feed(const char *text)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__StdinData d = PB__STDIN_DATA__INIT;

    d.data.data = (uint8_t *)text;
    d.data.len = strlen(text);
    m.body_case = PB__TO_WORKER__BODY_STDIN_DATA;
    m.stdin_data = &d;
    told_send(broker_end, &m);
}

/* ---- the worker ---------------------------------------------------------------------------------------------------------------------- */

static struct ask *begin(int body)
{
    static Pb__QueueInfo info = PB__QUEUE_INFO__INIT;
    static Pb__BufferMap map = PB__BUFFER_MAP__INIT;
    Pb__Ask a = PB__ASK__INIT;
    struct ask *made = NULL;

    a.body_case = (Pb__Ask__BodyCase)body;
    if (body == PB__ASK__BODY_BUFFER_MAP)
        a.buffer_map = &map;
    else
        a.queue_info = &info;
    assert_int_equal(ask_begin(&a, &made), 0);
    assert_non_null(made);
    return made;
}

static struct ask *begin_info(void)
{
    return begin(PB__ASK__BODY_QUEUE_INFO);
}

static uint32_t count_of(const struct ask *a)
{
    assert_int_equal(ask_answer(a)->body_case, PB__ANSWER__BODY_TAKEN);
    return ask_answer(a)->taken->count;
}

static int lowest_free_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    close(fd);
    return fd;
}

/* ---- tasklets ------------------------------------------------------------------------------------------------------------------------ */

static int got[MANY], order[MANY], n_got;

static int ask_for_one(void *arg)
{
    struct ask *a = begin_info();
    intptr_t i = (intptr_t)arg;

    assert_int_equal(ask_wait(a, COOP_NEVER), 0);
    got[i] = (int)count_of(a);
    order[n_got++] = (int)i;
    ask_end(a);
    return 0;
}

static void spawn_many(int n)
{
    n_got = 0;
    for (intptr_t i = 0; i < n; i++)
        assert_int_equal(coop_spawn(NULL, ask_for_one, (void *)i, NULL), 0);
}

/* In a thread: so many do not find room in the socket at once. */
static void *answer_backwards(void *arg)
{
    static uint64_t numbers[MANY];

    for (int i = 0; i < MANY; i++)
        numbers[i] = heard_ask(PB__ASK__BODY_QUEUE_INFO);
    for (int i = MANY; i-- > 0;)
        answer(numbers[i], (uint32_t)i + 7);
    return arg;
}

static void a_thousand_tasklets_wait_and_each_gets_its_own_answer(void **state)
{
    pthread_t broker;

    (void)state;
    spawn_many(MANY);
    assert_int_equal(pthread_create(&broker, NULL, answer_backwards, NULL), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_int_equal(pthread_join(broker, NULL), 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(got[i], i + 7);
        assert_int_equal(order[i], MANY - 1 - i);
    }
}

static int turns;

static int take_turns(void *arg)
{
    (void)arg;
    while (n_got == 0 && turns < 1000000) {
        turns++;
        if (turns == 500)
            answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 1);
        coop_yield();
    }
    return 0;
}

static void others_run_while_one_waits_and_it_comes_back_among_them(void **state)
{
    (void)state;
    turns = 0;
    spawn_many(1);
    assert_int_equal(coop_spawn(NULL, take_turns, NULL, NULL), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_int_equal(n_got, 1);
    assert_true(turns >= 500 && turns < 1000);
}

static int wait_for_ever(void *arg)
{
    struct ask *a = begin_info();
    int rc = ask_wait(a, COOP_NEVER);

    (void)arg;
    ask_end(a);
    return rc;
}

static void a_cancelled_one_is_taken_back_and_its_late_answer_is_dropped(void **state)
{
    coop_task *t;
    uint64_t number;
    struct ask *next;
    int rc;

    (void)state;
    assert_int_equal(coop_spawn(&t, wait_for_ever, NULL, NULL), 0);
    coop_yield();
    number = heard_ask(PB__ASK__BODY_QUEUE_INFO);
    coop_cancel(t);
    assert_int_equal(coop_join(t, &rc, COOP_NEVER), 0);
    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(heard_ask(PB__ASK__BODY_ASK_CANCEL), number);
    next = begin_info(); /* in the same slot */
    answer(number, 1);
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 2);
    assert_int_equal(ask_wait(next, COOP_NEVER), 0);
    assert_int_equal(count_of(next), 2);
    ask_end(next);
}

/* An answer that gives a handle: of a queue that was made, or opened. */
static void answer_handle(uint64_t number, uint32_t handle)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__Handle h = PB__HANDLE__INIT;

    h.handle = handle;
    a.number = number;
    a.body_case = PB__ANSWER__BODY_HANDLE;
    a.handle = &h;
    m.body_case = PB__TO_WORKER__BODY_ANSWER;
    m.answer = &a;
    told_send(broker_end, &m);
}

static struct ask *begin_giving(bool gives)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__QueueCreate create = PB__QUEUE_CREATE__INIT;
    Pb__HandleGranted granted = PB__HANDLE_GRANTED__INIT;
    struct ask *made = NULL;

    a.body_case = gives ? PB__ASK__BODY_QUEUE_CREATE : PB__ASK__BODY_HANDLE_GRANTED;
    if (gives)
        a.queue_create = &create;
    else
        a.handle_granted = &granted;
    assert_int_equal(ask_begin(&a, &made), 0);
    return made;
}

static void what_a_late_answer_gives_is_given_back_and_what_it_only_names_is_not(void **state)
{
    struct ask *made = begin_giving(true), *granted = begin_giving(false), *next;
    uint64_t one = heard_ask(PB__ASK__BODY_QUEUE_CREATE), two = heard_ask(PB__ASK__BODY_HANDLE_GRANTED);
    struct frame f;
    const Pb__FromWorker *m;

    (void)state;
    ask_end(made);
    ask_end(granted);
    assert_int_equal(heard_ask(PB__ASK__BODY_ASK_CANCEL), one);
    assert_int_equal(heard_ask(PB__ASK__BODY_ASK_CANCEL), two);
    answer_handle(one, 5);
    answer_handle(two, 6);
    next = begin_info();
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 1);
    assert_int_equal(ask_wait(next, COOP_NEVER), 0);
    ask_end(next);
    next = begin_info();
    m = heard(&f);
    assert_int_equal(m->ask->body_case, PB__ASK__BODY_HANDLE_DROP);
    assert_int_equal(m->ask->handle_drop->handle, 5);
    frame_release(&f);
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 2);
    assert_int_equal(ask_wait(next, COOP_NEVER), 0);
    ask_end(next);
}

static void so_is_what_nobody_has_looked_at(void **state)
{
    struct ask *made = begin_giving(true), *next = begin_info();
    struct frame f;
    const Pb__FromWorker *m;

    (void)state;
    answer_handle(heard_ask(PB__ASK__BODY_QUEUE_CREATE), 7);
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 1);
    assert_int_equal(ask_wait(next, COOP_NEVER), 0);
    assert_true(ask_is_answered(made));
    ask_end(next);
    ask_end(made);
    next = begin_info();
    m = heard(&f);
    assert_int_equal(m->ask->body_case, PB__ASK__BODY_HANDLE_DROP);
    assert_int_equal(m->ask->handle_drop->handle, 7);
    frame_release(&f);
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 2);
    assert_int_equal(ask_wait(next, COOP_NEVER), 0);
    ask_end(next);
}

static void what_a_template_has_asked_is_lost_to_its_child(void **state)
{
    struct ask *open = begin_info(), *answered = begin_info(), *next;

    (void)state;
    (void)heard_ask(PB__ASK__BODY_QUEUE_INFO);
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 4);
    assert_int_equal(ask_wait(answered, COOP_NEVER), 0);
    asks_forked();
    assert_int_equal(ask_wait(open, COOP_NEVER), -EPIPE);
    assert_int_equal(count_of(answered), 4);
    ask_end(open);
    ask_end(answered);
    next = begin_info(); /* nothing was said before it: the child's broker knows nothing of those */
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 5);
    assert_int_equal(ask_wait(next, COOP_NEVER), 0);
    ask_end(next);
}

/* Without a second look at the link: nobody would be told of what was read ahead. */
static void answers_that_came_together_are_taken_together(void **state)
{
    struct ask *a[3] = { begin_info(), begin_info(), begin_info() };
    uint64_t number[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        number[i] = heard_ask(PB__ASK__BODY_QUEUE_INFO);
    for (int i = 0; i < 3; i++)
        answer(number[i], (uint32_t)i + 5);
    assert_int_equal(ask_wait(a[1], COOP_NEVER), 0);
    assert_true(ask_is_answered(a[0]) && ask_is_answered(a[2]));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_wait(a[i], 0), 0);
        assert_int_equal(count_of(a[i]), i + 5);
        ask_end(a[i]);
    }
}

/* As long as one may come nothing is read ahead, so it is still known whose it is. */
static void a_descriptor_among_answers_that_came_together_is_its_own_answers(void **state)
{
    struct ask *first = begin_info(), *map = begin(PB__ASK__BODY_BUFFER_MAP), *failed = begin(PB__ASK__BODY_BUFFER_MAP),
               *last = begin_info();
    uint64_t number[4] = { heard_ask(PB__ASK__BODY_QUEUE_INFO), heard_ask(PB__ASK__BODY_BUFFER_MAP), heard_ask(PB__ASK__BODY_BUFFER_MAP),
                           heard_ask(PB__ASK__BODY_QUEUE_INFO) };
    int fd;

    (void)state;
    answer(number[0], 1);
    answer(number[2], 2);
    answer_with(number[1], STDERR_FILENO);
    answer(number[3], 3);
    assert_int_equal(ask_wait(last, COOP_NEVER), 0);
    assert_int_equal(ask_wait(first, 0), 0);
    assert_int_equal(ask_wait(failed, 0), 0);
    assert_int_equal(ask_wait(map, 0), 0);
    assert_int_equal(ask_descriptor(first), -1);
    assert_int_equal(ask_descriptor(failed), -1);
    assert_int_equal(ask_descriptor(last), -1);
    fd = ask_descriptor(map);
    assert_true(fd >= 0);
    close(fd);
    ask_end(first);
    ask_end(map);
    ask_end(failed);
    ask_end(last);
}

/* One of them begins in what was read ahead and ends behind it. */
static void answers_longer_than_what_is_read_ahead_arrive_whole(void **state)
{
    static char text[LINK_AHEAD + 1000];
    struct ask *small = begin_info(), *large = begin_info();
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    f.message = text;
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 1);
    a.number = heard_ask(PB__ASK__BODY_QUEUE_INFO);
    a.body_case = PB__ANSWER__BODY_FAILURE;
    a.failure = &f;
    m.body_case = PB__TO_WORKER__BODY_ANSWER;
    m.answer = &a;
    told_send(broker_end, &m);
    assert_int_equal(ask_wait(small, COOP_NEVER), 0);
    assert_int_equal(ask_wait(large, COOP_NEVER), 0);
    assert_string_equal(ask_answer(large)->failure->message, text);
    ask_end(small);
    ask_end(large);
}

static void one_that_timed_out_may_be_waited_for_again(void **state)
{
    struct ask *a;

    (void)state;
    a = begin_info();
    assert_int_equal(ask_wait(a, 0), -ETIMEDOUT);
    assert_int_equal(ask_wait(a, coop_after(1000)), -ETIMEDOUT);
    assert_false(ask_is_answered(a));
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 3);
    assert_int_equal(ask_wait(a, COOP_NEVER), 0);
    assert_true(ask_is_answered(a));
    assert_int_equal(ask_wait(a, 0), 0);
    assert_int_equal(count_of(a), 3);
    ask_end(a);
}

static void where_blocking_is_forbidden_it_is_not_waited_for(void **state)
{
    struct ask *a = begin_info();

    (void)state;
    coop_block_trap(true);
    assert_int_equal(ask_wait(a, COOP_NEVER), -EPERM);
    coop_block_trap(false);
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 3);
    assert_int_equal(ask_wait(a, COOP_NEVER), 0);
    ask_end(a);
}

static int read_stdin(void *arg)
{
    const uint8_t *bytes;
    size_t len;

    (void)arg;
    input_ask();
    assert_int_equal(input_await(COOP_NEVER), 0);
    assert_int_equal(input_peek(&bytes, &len), 1);
    assert_int_equal(len, 5);
    assert_memory_equal(bytes, "hello", 5);
    return 0;
}

static int answer_both(void *arg)
{
    struct frame f;
    uint64_t number = heard_ask(PB__ASK__BODY_QUEUE_INFO);

    (void)arg;
    assert_int_equal(heard(&f)->body_case, PB__FROM_WORKER__BODY_STDIN_WANT);
    frame_release(&f);
    feed("hello");
    answer(number, 9);
    return 0;
}

static void input_and_answers_each_find_their_tasklet(void **state)
{
    (void)state;
    spawn_many(1);
    assert_int_equal(coop_spawn(NULL, read_stdin, NULL, NULL), 0);
    assert_int_equal(coop_spawn(NULL, answer_both, NULL, NULL), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_int_equal(got[0], 9);
}

/* ---- descriptors --------------------------------------------------------------------------------------------------------------------- */

static void a_descriptor_that_comes_along_is_given_once(void **state)
{
    struct ask *a = begin(PB__ASK__BODY_BUFFER_MAP);
    int pipe_ends[2], fd;

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    answer_with(heard_ask(PB__ASK__BODY_BUFFER_MAP), pipe_ends[1]);
    assert_int_equal(ask_wait(a, COOP_NEVER), 0);
    fd = ask_descriptor(a);
    assert_true(fd >= 0);
    assert_int_equal(ask_descriptor(a), -1);
    assert_int_equal(write(fd, "x", 1), 1);
    ask_end(a);
    close(fd);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

/* Whichever way it is left: not taken, dropped late, or never asked for. */
static void a_descriptor_that_nobody_takes_is_closed(void **state)
{
    struct ask *left = begin(PB__ASK__BODY_BUFFER_MAP), *late = begin(PB__ASK__BODY_BUFFER_MAP), *open = begin(PB__ASK__BODY_BUFFER_MAP);
    struct ask *info = begin_info();
    uint64_t numbers[4];
    int free_before = lowest_free_fd(), keep = dup(broker_end);

    (void)state;
    for (int i = 0; i < 4; i++)
        numbers[i] = heard_ask(i < 3 ? PB__ASK__BODY_BUFFER_MAP : PB__ASK__BODY_QUEUE_INFO);
    ask_end(late);
    answer_with(numbers[0], keep);
    answer_with(numbers[1], keep);
    answer_with(numbers[2], keep);
    assert_int_equal(ask_wait(left, COOP_NEVER), 0);
    assert_int_equal(ask_wait(open, COOP_NEVER), 0);
    ask_end(left);
    ask_end(open);
    answer_with(numbers[3], keep); /* of one that brings none */
    assert_int_equal(ask_wait(info, COOP_NEVER), 0);
    assert_int_equal(ask_descriptor(info), -1);
    ask_end(info);
    close(keep);
    assert_int_equal(lowest_free_fd(), free_before);
}

/* ---- bounds -------------------------------------------------------------------------------------------------------------------------- */

static void no_more_than_so_many_are_open(void **state)
{
    static struct ask *all[ASKS_OPEN];
    struct ask *more = NULL;
    Pb__Ask a = PB__ASK__INIT;
    Pb__QueueInfo info = PB__QUEUE_INFO__INIT;

    (void)state;
    for (int i = 0; i < ASKS_OPEN; i++) {
        all[i] = begin_info();
        (void)heard_ask(PB__ASK__BODY_QUEUE_INFO);
    }
    a.body_case = PB__ASK__BODY_QUEUE_INFO;
    a.queue_info = &info;
    assert_int_equal(ask_begin(&a, &more), -EDQUOT);
    assert_null(more);
    for (int i = 0; i < ASKS_OPEN; i++) {
        ask_end(all[i]);
        (void)heard_ask(PB__ASK__BODY_ASK_CANCEL);
    }
    more = begin_info();
    answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), 1);
    assert_int_equal(ask_wait(more, COOP_NEVER), 0);
    ask_end(more);
}

static void one_that_is_too_big_sends_nothing(void **state)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__KvPut put = PB__KV_PUT__INIT;
    struct ask *made = NULL;
    struct frame f;
    const Pb__FromWorker *m;

    (void)state;
    a.body_case = PB__ASK__BODY_KV_PUT;
    a.kv_put = &put;
    put.value.len = ASK_BYTES;
    put.value.data = calloc(1, put.value.len);
    assert_int_equal(ask_begin(&a, &made), -E2BIG);
    put.value.len = ASK_BYTES - 64; /* larger than what the link has room of its own for */
    assert_true(put.value.len > LINK_SEND_MAX);
    (void)fcntl(worker_end, F_SETFL, 0);
    assert_int_equal(setsockopt(worker_end, SOL_SOCKET, SO_SNDBUF, &(int){ 1 << 20 }, sizeof(int)), 0);
    assert_int_equal(ask_begin(&a, &made), 0);
    m = heard(&f);
    assert_int_equal(m->ask->kv_put->value.len, put.value.len);
    frame_release(&f);
    ask_end(made);
    free(put.value.data);
}

/* ---- without tasklets, and in threads -------------------------------------------------------------------------------------------------- */

static void without_tasklets_the_worker_waits_and_keeps_what_is_for_others(void **state)
{
    struct ask *first = begin_info(), *second = begin_info();
    uint64_t one = heard_ask(PB__ASK__BODY_QUEUE_INFO), two = heard_ask(PB__ASK__BODY_QUEUE_INFO);

    (void)state;
    assert_int_equal(ask_wait(first, coop_after(1000)), -ETIMEDOUT);
    answer(two, 2);
    answer(one, 1);
    assert_int_equal(ask_wait(first, COOP_NEVER), 0);
    assert_int_equal(ask_wait(second, 0), 0);
    assert_int_equal(count_of(first), 1);
    assert_int_equal(count_of(second), 2);
    ask_end(first);
    ask_end(second);
}

static void *ask_in_thread(void *arg)
{
    for (int i = 0; i < 100; i++)
        (void)ask_for_one(arg);
    return NULL;
}

static void *answer_in_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 400; i++)
        answer(heard_ask(PB__ASK__BODY_QUEUE_INFO), (uint32_t)i);
    return NULL;
}

static void of_several_threads_one_reads_for_all(void **state)
{
    pthread_t threads[5];

    (void)state;
    n_got = 0;
    assert_int_equal(pthread_create(&threads[4], NULL, answer_in_thread, NULL), 0);
    for (intptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_in_thread, (void *)i), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

#define TASKLETS(name) cmocka_unit_test_setup_teardown(name, setup_tasklets, teardown)
#define ALONE(name)    cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TASKLETS(a_thousand_tasklets_wait_and_each_gets_its_own_answer),
        TASKLETS(others_run_while_one_waits_and_it_comes_back_among_them),
        TASKLETS(a_cancelled_one_is_taken_back_and_its_late_answer_is_dropped),
        TASKLETS(what_a_late_answer_gives_is_given_back_and_what_it_only_names_is_not),
        TASKLETS(so_is_what_nobody_has_looked_at),
        TASKLETS(what_a_template_has_asked_is_lost_to_its_child),
        TASKLETS(one_that_timed_out_may_be_waited_for_again),
        TASKLETS(answers_longer_than_what_is_read_ahead_arrive_whole),
        TASKLETS(a_descriptor_among_answers_that_came_together_is_its_own_answers),
        TASKLETS(answers_that_came_together_are_taken_together),
        TASKLETS(where_blocking_is_forbidden_it_is_not_waited_for),
        TASKLETS(input_and_answers_each_find_their_tasklet),
        TASKLETS(a_descriptor_that_comes_along_is_given_once),
        TASKLETS(a_descriptor_that_nobody_takes_is_closed),
        TASKLETS(no_more_than_so_many_are_open),
        TASKLETS(one_that_is_too_big_sends_nothing),
        ALONE(without_tasklets_the_worker_waits_and_keeps_what_is_for_others),
        ALONE(of_several_threads_one_reads_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
