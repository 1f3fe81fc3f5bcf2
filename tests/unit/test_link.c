/* test_link.c - the broker's end of a link, and a far end that takes its time: what is begun has to end. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/link.h"
#include "link.pb-c.h"
#include "frame.h"
#include "sp.h"

enum { SOON_US = 20000 };

struct scene {
    struct loop loop;
    struct link link;
    int far; /* the worker's end */
    int messages, why;
    int until; /* messages that end the loop */
    int rooms, others;
};

static void on_message(void *ctx, const uint8_t *bytes, size_t len)
{
    struct scene *s = ctx;

    (void)bytes;
    (void)len;
    if (++s->messages == s->until)
        loop_stop(&s->loop);
}

static void on_gone(void *ctx, int why)
{
    struct scene *s = ctx;

    s->why = why;
    loop_stop(&s->loop);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    const struct link_handler h = { on_message, on_gone, s, NULL };

    if (s == NULL || loop_init(&s->loop) != 0 || link_open(&s->link, &s->loop, &h, &s->far) != 0)
        return -1;
    s->link.frame_us = SOON_US;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    link_close(&s->link);
    (void)close(s->far);
    loop_finish(&s->loop);
    free(s);
    return 0;
}

static const uint8_t greeting[] = { 0, 'S', 'P', 0, 0, 16, 0, 0 }, frame[] = { 1, 0, 0, 0, 0, 0, 0, 0, 3, 'a', 'b', 'c' };

static void say(const struct scene *s, const uint8_t *bytes, size_t len)
{
    assert_int_equal(write(s->far, bytes, len), len);
}

static void a_message_that_is_begun_and_does_not_end_is_the_end(void **state)
{
    static const size_t parts[] = { 1, 9, 10, sizeof(frame) - 1 }; /* within the header, behind it, within the body */
    struct scene *s;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        s = *state;
        say(s, greeting, sizeof(greeting));
        say(s, frame, parts[i]);
        assert_int_equal(loop_run(&s->loop), 0);
        assert_int_equal(s->why, -ETIMEDOUT);
        assert_int_equal(s->messages, 0);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void half_a_greeting_is_the_end_too(void **state)
{
    struct scene *s = *state;

    say(s, greeting, 3);
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->why, -ETIMEDOUT);
}

/* The time is a message's, not a byte's: one more byte does not buy more of it. */
static void on_byte(void *ctx)
{
    struct scene *s = ctx;

    say(s, (const uint8_t *)"x", 1);
}

static void a_byte_now_and_then_buys_no_time(void **state)
{
    struct scene *s = *state;
    struct timer bytes[8];
    const uint8_t long_frame[] = { 1, 0, 0, 0, 0, 0, 0, 0, 200 };

    say(s, greeting, sizeof(greeting));
    say(s, long_frame, sizeof(long_frame));
    for (int i = 0; i < 8; i++) {
        bytes[i] = (struct timer){ .fn = on_byte, .ctx = s };
        assert_int_equal(timers_arm(&s->loop.timers, &bytes[i], loop_clock_us() + (uint64_t)(i + 1) * SOON_US / 2), 0);
    }
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->why, -ETIMEDOUT);
    for (int i = 0; i < 8; i++)
        timers_cancel(&s->loop.timers, &bytes[i]);
}

static void on_stop(void *ctx)
{
    struct scene *s = ctx;

    loop_stop(&s->loop);
}

static void who_says_nothing_between_messages_has_all_the_time(void **state)
{
    struct scene *s = *state;
    struct timer stop = { .fn = on_stop, .ctx = s };

    s->until = 3;
    say(s, greeting, sizeof(greeting));
    for (int i = 0; i < 3; i++)
        say(s, frame, sizeof(frame));
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->messages, 3);
    s->loop.stop = 0;
    assert_int_equal(timers_arm(&s->loop.timers, &stop, loop_clock_us() + 5 * SOON_US), 0);
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->why, 0);
}

/* ---- room -------------------------------------------------------------------------------------------------------------------------- */

static void on_room(void *ctx)
{
    struct scene *s = ctx;

    s->rooms++;
    loop_stop(&s->loop);
}

static void send_some(struct scene *s, size_t len)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__StdinData d = PB__STDIN_DATA__INIT;

    d.data = (ProtobufCBinaryData){ len, calloc(1, len) };
    m.body_case = PB__TO_WORKER__BODY_STDIN_DATA;
    m.stdin_data = &d;
    assert_int_equal(link_send(&s->link, &m.base), 0);
    free(d.data.data);
}

/* The far end reads all that is there, without a word of it to the loop. */
static void read_all(const struct scene *s)
{
    static uint8_t buf[65536];

    while (recv(s->far, buf, sizeof(buf), MSG_DONTWAIT) > 0)
        ;
}

/* The last byte goes out with another message that is sent, and not when epoll tells of room. */
static void room_is_told_of_also_when_a_send_makes_it(void **state)
{
    struct scene *s = *state;

    s->link.handler.on_room = on_room;
    say(s, greeting, sizeof(greeting));
    while (link_unsent(&s->link) == 0)
        send_some(s, 60000);
    read_all(s);
    send_some(s, 1);
    while (link_unsent(&s->link) > 0) { /* what lay here filled the socket again */
        read_all(s);
        send_some(s, 1);
    }
    assert_int_equal(s->rooms, 0); /* whoever sends is not called back from in there */
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->rooms, 1);
    assert_int_equal(s->why, 0);
}

/* ---- long messages ----------------------------------------------------------------------------------------------------------------- */

enum { LONG = FRAME_MAX_LINK, LONG_ONES = 40 }; /* and a header */

static void *say_long_ones(void *ctx)
{
    const struct scene *s = ctx;
    uint8_t *bytes = calloc(1, 9 + LONG);

    for (int i = 7, len = LONG; i > 0; i--, len >>= 8)
        bytes[1 + i] = (uint8_t)len;
    bytes[0] = 1;
    for (int i = 0; i < LONG_ONES; i++)
        for (size_t at = 0; at < 9 + LONG;) {
            size_t piece = 1500 < 9 + LONG - at ? 1500 : 9 + LONG - at;

            if (write(s->far, bytes + at, piece) != (ssize_t)piece)
                abort();
            at += piece;
        }
    free(bytes);
    return NULL;
}

/* In pieces, so that a round's bytes are over when a piece has been read ahead. */
static void a_message_longer_than_a_round_is_heard_to_its_end(void **state)
{
    struct scene *s = *state;
    pthread_t t;

    s->link.frame_us = 5000000;
    s->until = LONG_ONES;
    say(s, greeting, sizeof(greeting));
    assert_int_equal(pthread_create(&t, NULL, say_long_ones, s), 0);
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->messages, LONG_ONES);
    assert_int_equal(s->why, 0);
    (void)shutdown(s->far, SHUT_RDWR);
    assert_int_equal(pthread_join(t, NULL), 0);
}

static void on_soon(void *ctx)
{
    struct scene *s = ctx;

    s->others = s->messages;
    loop_stop(&s->loop);
}

/* As many small ones as there are: others have their turn in between, and none is forgotten. */
static void one_who_has_much_to_say_lets_others_speak(void **state)
{
    struct scene *s = *state;
    struct timer other = { .fn = on_soon, .ctx = s };
    enum { SMALL = 1000 };
    static uint8_t all[SMALL * sizeof(frame)];

    say(s, greeting, sizeof(greeting));
    for (int i = 0; i < SMALL; i++)
        memcpy(all + (size_t)i * sizeof(frame), frame, sizeof(frame));
    say(s, all, sizeof(all)); /* at once: each by itself does not fit the socket */
    s->loop.now_us = loop_clock_us();
    assert_int_equal(timers_arm(&s->loop.timers, &other, s->loop.now_us), 0);
    assert_int_equal(loop_run(&s->loop), 0);
    assert_in_range(s->others, 0, SMALL / 2);
    s->loop.stop = 0;
    s->until = SMALL;
    if (s->messages < SMALL)
        assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->messages, SMALL);
    assert_int_equal(s->why, 0);
}

/* ---- descriptors ----------------------------------------------------------------------------------------------------------------- */

enum { FRAMES = 40, BIG = 50000 };

/* What the far end finds: in each frame its place, and with some of them the descriptor of a file that is as long as its place says. */
struct found {
    int far;
    int places[FRAMES], sizes[FRAMES]; /* size -1: no descriptor came, -2: several */
    size_t step;                       /* bytes it asks for at once */
};

static int size_of(int fd)
{
    struct stat st;
    int rc = fstat(fd, &st) == 0 ? (int)st.st_size : -3;

    (void)close(fd);
    return rc;
}

/* One read, and what came along with it. */
static ssize_t read_some(int from, uint8_t *at, size_t len, int *size)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(4 * sizeof(int))];
    struct iovec io = { at, len };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    ssize_t n = recvmsg(from, &m, 0);

    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); n > 0 && c != NULL; c = CMSG_NXTHDR(&m, c)) {
        int fd;

        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        *size = *size != -1 || c->cmsg_len != CMSG_LEN(sizeof(fd)) ? -2 : size_of(fd);
    }
    return n;
}

static void read_whole(struct found *f, uint8_t *at, size_t len, int *size)
{
    for (size_t have = 0; have < len;) {
        ssize_t n = read_some(f->far, at + have, len - have < f->step ? len - have : f->step, size);

        if (n <= 0)
            abort();
        have += (size_t)n;
    }
}

static void *reader(void *arg)
{
    static uint8_t body[BIG + 64];
    struct found *f = arg;
    uint8_t head[SP_HEADER_LEN];
    int none = -1;

    read_whole(f, head, SP_HELLO_LEN, &none);
    for (int i = 0; i < FRAMES; i++) {
        uint64_t len;
        Pb__ToWorker *m;

        f->sizes[i] = -1;
        read_whole(f, head, sizeof(head), &f->sizes[i]);
        if (sp_header_get(head, &len) != 0 || len > sizeof(body))
            abort();
        read_whole(f, body, len, &none);
        m = pb__to_worker__unpack(NULL, len, body);
        f->places[i] = m != NULL && m->body_case == PB__TO_WORKER__BODY_STDIN_DATA ? m->stdin_data->data.data[0] : -1;
        pb__to_worker__free_unpacked(m, NULL);
    }
    if (none != -1 || write(f->far, greeting, sizeof(greeting)) < 0 || write(f->far, frame, sizeof(frame)) < 0)
        abort();
    return NULL;
}

/* Two of three frames have one. */
static bool has_descriptor(int place)
{
    return place % 3 != 0;
}

static void send_one(struct scene *s, int place)
{
    static uint8_t bytes[BIG];
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__StdinData d = PB__STDIN_DATA__INIT;
    int fd = -1;

    bytes[0] = (uint8_t)place;
    d.data = (ProtobufCBinaryData){ place % 2 == 0 ? BIG : 1, bytes };
    m.body_case = PB__TO_WORKER__BODY_STDIN_DATA;
    m.stdin_data = &d;
    if (has_descriptor(place)) {
        fd = memfd_create("test", MFD_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, 1000 + place), 0);
    }
    assert_int_equal(link_send_fd(&s->link, &m.base, fd, SIZE_MAX), 0);
    if (fd >= 0)
        assert_int_equal(close(fd), 0); /* it was the caller's */
}

static void each_descriptor_comes_once_and_with_its_own_frame(void **state)
{
    static const size_t steps[] = { 1 << 20, 4096, 1 };
    struct scene *s;

    for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
        struct found f = { .step = steps[k] };
        pthread_t t;

        s = *state;
        f.far = s->far;
        s->until = 1;
        for (int i = 0; i < FRAMES; i++) /* far more than the socket takes: the rest goes bit by bit */
            send_one(s, i);
        assert_true(link_unsent(&s->link) > BIG);
        assert_true(link_fds_unread(&s->link) > 0);
        assert_int_equal(pthread_create(&t, NULL, reader, &f), 0);
        assert_int_equal(loop_run(&s->loop), 0);
        assert_int_equal(pthread_join(t, NULL), 0);
        for (int i = 0; i < FRAMES; i++) {
            assert_int_equal(f.places[i], i);
            assert_int_equal(f.sizes[i], has_descriptor(i) ? 1000 + i : -1);
        }
        assert_int_equal(link_unsent(&s->link), 0);
        assert_int_equal(link_fds_unread(&s->link), 0);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static unsigned count_open(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void a_link_that_closes_keeps_no_descriptor(void **state)
{
    struct scene *s = *state;
    unsigned before;

    link_close(&s->link);
    (void)close(s->far);
    before = count_open();
    loop_finish(&s->loop);
    free(s);
    assert_int_equal(setup(state), 0);
    s = *state;
    for (int i = 0; i < FRAMES; i++)
        send_one(s, i);
    assert_true(count_open() > before + 2);
    link_close(&s->link);
    (void)close(s->far);
    assert_int_equal(count_open(), before);
    loop_finish(&s->loop);
    free(s);
    assert_int_equal(setup(state), 0);
}

/* A sealed worker cannot send any; another process at the far end could. */
static void what_a_far_end_sends_is_not_taken(void **state)
{
    struct scene *s = *state;
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec io = { (void *)(uintptr_t)frame, sizeof(frame) };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    unsigned before = count_open();

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &s->far, sizeof(int));
    s->until = 1;
    say(s, greeting, sizeof(greeting));
    assert_int_equal(sendmsg(s->far, &m, 0), sizeof(frame));
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->messages, 1);
    assert_int_equal(count_open(), before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_that_is_begun_and_does_not_end_is_the_end),
        TEST(half_a_greeting_is_the_end_too),
        TEST(a_byte_now_and_then_buys_no_time),
        TEST(who_says_nothing_between_messages_has_all_the_time),
        TEST(room_is_told_of_also_when_a_send_makes_it),
        TEST(a_message_longer_than_a_round_is_heard_to_its_end),
        TEST(one_who_has_much_to_say_lets_others_speak),
        TEST(each_descriptor_comes_once_and_with_its_own_frame),
        TEST(a_link_that_closes_keeps_no_descriptor),
        TEST(what_a_far_end_sends_is_not_taken),
    };

    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
