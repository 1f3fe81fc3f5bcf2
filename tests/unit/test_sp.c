/* test_sp.c - our SP endpoint against a real nng pair0 in both roles, and against peers that lie, stall, interrupt and vanish. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pair1/pair.h>

#include <cmocka.h>

#include "scratch.h"
#include "sp.h"

enum { MAX = 2 << 20, PATIENCE_MS = 20000 };

static const size_t sizes[] = { 0, 1, 8191, 65536, 1 << 20 };
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };
static const uint8_t good_hello[SP_HELLO_LEN] = { 0, 'S', 'P', 0, 0, 16, 0, 0 };

struct fixture {
    char *dir;
    char url[128];
    const char *path;
    nng_socket nng;
    int fd;       /* our endpoint */
    uint8_t *buf; /* of sp_recv() */
    size_t cap, len;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->dir = scratch_make();
    f->fd = -1;
    *state = f;
    if (f->dir == NULL)
        return 1;
    (void)snprintf(f->url, sizeof(f->url), "ipc://%s/sp", f->dir);
    f->path = f->url + strlen("ipc://");
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (f->fd >= 0)
        (void)close(f->fd);
    nng_close(f->nng); /* id 0: nothing happens */
    free(f->buf);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

/* ---- little helpers --------------------------------------------------------------------------------------------------------------- */

static uint8_t *bytes_of(size_t len, unsigned seed)
{
    uint8_t *p = malloc(len > 0 ? len : 1);

    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i * 31 + i / 251 + seed);
    return p;
}

static struct sockaddr_un address(const struct fixture *f)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->path);
    return a;
}

static void nng_settings(struct fixture *f)
{
    assert_int_equal(nng_socket_set_ms(f->nng, NNG_OPT_RECVTIMEO, PATIENCE_MS), 0);
    assert_int_equal(nng_socket_set_ms(f->nng, NNG_OPT_SENDTIMEO, PATIENCE_MS), 0);
    assert_int_equal(nng_socket_set_size(f->nng, NNG_OPT_RECVMAXSZ, MAX), 0);
}

static void connect_to_nng(struct fixture *f)
{
    struct sockaddr_un a = address(f);

    assert_int_equal(nng_listen(f->nng, f->url, NULL, 0), 0);
    f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(f->fd, (struct sockaddr *)&a, sizeof(a)), 0);
}

static void nng_listens_we_connect(struct fixture *f)
{
    assert_int_equal(nng_pair0_open(&f->nng), 0);
    nng_settings(f);
    connect_to_nng(f);
    assert_int_equal(sp_handshake(f->fd), 0);
}

static void we_listen_nng_dials(struct fixture *f)
{
    struct sockaddr_un a = address(f);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(nng_pair0_open(&f->nng), 0);
    nng_settings(f);
    assert_int_equal(nng_dial(f->nng, f->url, NULL, NNG_FLAG_NONBLOCK), 0);
    f->fd = accept(listener, NULL, NULL);
    assert_true(f->fd >= 0);
    (void)close(listener);
    assert_int_equal(sp_handshake(f->fd), 0);
}

static void to_nng(struct fixture *f, const uint8_t *body, size_t len)
{
    nng_msg *msg = NULL;

    assert_int_equal(sp_send(f->fd, body, len), 0);
    assert_int_equal(nng_recvmsg(f->nng, &msg, 0), 0);
    assert_int_equal(nng_msg_len(msg), len);
    assert_true(len == 0 || memcmp(nng_msg_body(msg), body, len) == 0);
    nng_msg_free(msg);
}

static void from_nng(struct fixture *f, const uint8_t *body, size_t len)
{
    nng_msg *msg;

    assert_int_equal(nng_msg_alloc(&msg, 0), 0);
    assert_int_equal(nng_msg_append(msg, body, len), 0);
    assert_int_equal(nng_sendmsg(f->nng, msg, 0), 0);
    f->len = SIZE_MAX;
    assert_int_equal(sp_recv(f->fd, &f->buf, &f->cap, MAX, &f->len), 0);
    assert_int_equal(f->len, len);
    assert_true(len == 0 || memcmp(f->buf, body, len) == 0);
}

static void every_size_both_ways(struct fixture *f)
{
    for (int round = 0; round < 2; round++) /* the second time the buffer is larger than the message */
        for (unsigned i = 0; i < SIZES; i++) {
            uint8_t *body = bytes_of(sizes[i], i);

            to_nng(f, body, sizes[i]);
            from_nng(f, body, sizes[i]);
            free(body);
        }
    assert_int_equal(f->cap, 1 << 20); /* grown to what was needed, kept */
}

/* ---- a real nng peer --------------------------------------------------------------------------------------------------------------- */

static void nng_listens_and_messages_of_every_size_go_both_ways(void **state)
{
    nng_listens_we_connect(*state);
    every_size_both_ways(*state);
}

static void nng_dials_and_messages_of_every_size_go_both_ways(void **state)
{
    we_listen_nng_dials(*state);
    every_size_both_ways(*state);
}

static void expect_at_nng(struct fixture *f, const char *text)
{
    nng_msg *msg = NULL;

    assert_int_equal(nng_recvmsg(f->nng, &msg, 0), 0);
    assert_int_equal(nng_msg_len(msg), strlen(text));
    assert_memory_equal(nng_msg_body(msg), text, strlen(text));
    nng_msg_free(msg);
}

static void our_greeting_may_come_with_our_first_message(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(nng_pair0_open(&f->nng), 0);
    nng_settings(f);
    connect_to_nng(f);
    assert_int_equal(sp_meet(f->fd), 0);
    assert_int_equal(sp_send_first(f->fd, "first", 5), 0);
    assert_int_equal(sp_send(f->fd, "second", 6), 0);
    expect_at_nng(f, "first");
    expect_at_nng(f, "second");
    from_nng(f, (const uint8_t *)"back", 4);
}

static void many_messages_keep_their_order_and_their_edges(void **state)
{
    struct fixture *f = *state;

    nng_listens_we_connect(f);
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t *body = bytes_of(i % 97, i);

        to_nng(f, body, i % 97);
        free(body);
    }
}

static void the_broker_closing_its_end_is_epipe(void **state)
{
    struct fixture *f = *state;

    nng_listens_we_connect(f);
    to_nng(f, (const uint8_t *)"x", 1); /* its side of the connection stands as well; nng 1.5.2 leaks one that is closed half made */
    nng_close(f->nng);
    f->nng = (nng_socket)NNG_SOCKET_INITIALIZER;
    assert_int_equal(sp_recv(f->fd, &f->buf, &f->cap, MAX, &f->len), -EPIPE);
    assert_int_equal(sp_send(f->fd, "x", 1), -EPIPE);
}

static void read_to_the_end(int fd)
{
    uint8_t rest[64];
    ssize_t n;

    do
        n = read(fd, rest, sizeof(rest));
    while (n > 0);
    assert_true(n == 0 || errno == ECONNRESET);
}

static void another_protocol_of_nng_is_refused_by_us(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(nng_pair1_open(&f->nng), 0);
    connect_to_nng(f);
    assert_int_equal(sp_handshake(f->fd), -EPROTO);
    read_to_the_end(f->fd); /* it refuses us, too */
}

static void nng_hangs_up_on_a_hello_that_is_not_ours(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(nng_pair0_open(&f->nng), 0);
    connect_to_nng(f);
    assert_int_equal(write(f->fd, "GET / HT", 8), 8);
    read_to_the_end(f->fd); /* its own hello, then the end */
}

static void nng_hangs_up_on_a_message_longer_than_it_allows(void **state)
{
    struct fixture *f = *state;
    uint8_t *body = bytes_of(MAX + 1, 0);
    int rc;

    nng_listens_we_connect(f);
    rc = sp_send(f->fd, body, MAX + 1);
    assert_true(rc == 0 || rc == -EPIPE);
    assert_int_equal(sp_recv(f->fd, &f->buf, &f->cap, MAX, &f->len), -EPIPE);
    free(body);
}

/* ---- a peer made by hand ------------------------------------------------------------------------------------------------------------- */

/* Ours is f->fd, theirs is returned. */
static int socket_pair(struct fixture *f)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = pair[0];
    return pair[1];
}

static void put(int fd, const void *bytes, size_t len)
{
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
}

static void our_hello_is_the_eight_bytes_of_the_specification(void **state)
{
    struct fixture *f = *state;
    int theirs = socket_pair(f);
    uint8_t got[SP_HELLO_LEN];

    put(theirs, good_hello, sizeof(good_hello));
    assert_int_equal(sp_handshake(f->fd), 0);
    assert_int_equal(read(theirs, got, sizeof(got)), sizeof(got));
    assert_memory_equal(got, good_hello, sizeof(got));
    (void)close(theirs);
}

static void a_wrong_hello_is_refused(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < SP_HELLO_LEN; i++) {
        uint8_t bad[SP_HELLO_LEN];
        int theirs = socket_pair(f);

        memcpy(bad, good_hello, sizeof(bad));
        bad[i] ^= 1;
        put(theirs, bad, sizeof(bad));
        assert_int_equal(sp_handshake(f->fd), -EPROTO);
        (void)close(theirs);
    }
}

static void a_hello_that_is_cut_off_is_epipe(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 0; n < SP_HELLO_LEN; n++) {
        int theirs = socket_pair(f);

        put(theirs, good_hello, n);
        (void)shutdown(theirs, SHUT_WR);
        assert_int_equal(sp_handshake(f->fd), -EPIPE);
        (void)close(theirs);
    }
}

static void a_frame_on_the_wire_is_type_length_body(void **state)
{
    struct fixture *f = *state;
    int theirs = socket_pair(f);
    uint8_t got[SP_HEADER_LEN + 258], *body = bytes_of(258, 3);

    assert_int_equal(sp_send(f->fd, body, 258), 0);
    assert_int_equal(recv(theirs, got, sizeof(got), MSG_WAITALL), sizeof(got));
    assert_memory_equal(got, "\x01\0\0\0\0\0\0\x01\x02", SP_HEADER_LEN);
    assert_memory_equal(got + SP_HEADER_LEN, body, 258);
    free(body);
    (void)close(theirs);
}

static void a_length_above_the_allowed_is_refused_before_any_memory_is_taken(void **state)
{
    static const uint8_t headers[][SP_HEADER_LEN] = {
        {1,  0,    0,    0,    0,    0,    0x20, 0,    1   }, /* MAX + 1 */
        { 1, 0,    0,    0,    1,    0,    0,    0,    0   }, /* 4 GiB: a cut to 32 bits would be 0 */
        { 1, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        { 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        int theirs = socket_pair(f);

        put(theirs, headers[i], sizeof(headers[i]));
        assert_int_equal(sp_recv(f->fd, &f->buf, &f->cap, MAX, &f->len), -EMSGSIZE);
        assert_null(f->buf);
        assert_int_equal(f->cap, 0);
        (void)close(theirs);
    }
}

static void another_message_type_than_1_is_refused(void **state)
{
    struct fixture *f = *state;

    for (unsigned type = 0; type < 256; type++) {
        uint8_t header[SP_HEADER_LEN] = { (uint8_t)type };
        int theirs = socket_pair(f);

        put(theirs, header, sizeof(header));
        assert_int_equal(sp_recv(f->fd, &f->buf, &f->cap, MAX, &f->len), type == 1 ? 0 : -EPROTO);
        (void)close(theirs);
    }
}

static void a_peer_that_closes_anywhere_in_a_frame_is_epipe(void **state)
{
    static const uint8_t frame[] = { 1, 0, 0, 0, 0, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o' };
    struct fixture *f = *state;

    for (size_t n = 0; n <= sizeof(frame); n++) {
        int theirs = socket_pair(f);

        put(theirs, frame, n);
        (void)close(theirs);
        f->len = 77;
        assert_int_equal(sp_recv(f->fd, &f->buf, &f->cap, MAX, &f->len), n == sizeof(frame) ? 0 : -EPIPE);
        assert_int_equal(f->len, n == sizeof(frame) ? 5 : 77);
    }
}

static void sending_to_a_peer_that_has_gone_is_epipe(void **state)
{
    struct fixture *f = *state;
    int theirs = socket_pair(f);

    (void)close(theirs);
    assert_int_equal(sp_send(f->fd, "x", 1), -EPIPE);
    assert_int_equal(sp_send(f->fd, NULL, 0), -EPIPE);
    assert_int_equal(sp_handshake(f->fd), -EPIPE);
}

static void a_descriptor_that_is_none_is_its_own_error(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(sp_handshake(-1), -EBADF);
    assert_int_equal(sp_send(-1, "x", 1), -EBADF);
    assert_int_equal(sp_recv(-1, &f->buf, &f->cap, MAX, &f->len), -EBADF);
}

static void of_two_descriptors_with_a_frame_the_second_is_not_kept(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[SP_HEADER_LEN + 1];
    int two[2] = { STDERR_FILENO, STDERR_FILENO }, got, next, peer = socket_pair(f);
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(two))];
    struct iovec iov = { frame, sizeof(frame) };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);

    sp_header_put(frame, 1);
    frame[SP_HEADER_LEN] = 'x';
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(two));
    memcpy(CMSG_DATA(c), two, sizeof(two));
    assert_int_equal(sendmsg(peer, &h, 0), sizeof(frame));
    assert_int_equal(sp_recv_descriptor(f->fd, &f->buf, &f->cap, MAX, &f->len, &got), 0);
    assert_true(got >= 0);
    next = dup(STDERR_FILENO); /* the lowest that is free */
    assert_int_equal(next, got + 1);
    close(next);
    close(got);
    close(peer);
}

/* ---- signals ---------------------------------------------------------------------------------------------------------------------- */

static atomic_int handled;

static void on_signal(int sig)
{
    (void)sig;
    atomic_fetch_add(&handled, 1);
}

/* Interrupts the main thread until told to stop, or for some time, and then writes what is left of a frame, or reads it. */
struct helper {
    pthread_t thread, main;
    int fd;
    const uint8_t *rest;
    size_t rest_len;
    int read_len;
    atomic_int stop;
};

static void pester(const struct helper *h, int times)
{
    for (int i = 0; i < times && !atomic_load(&h->stop); i++) {
        (void)pthread_kill(h->main, SIGUSR1);
        (void)usleep(500);
    }
}

static void *pester_until_stopped(void *arg)
{
    pester(arg, INT32_MAX);
    return NULL;
}

static void *pester_then_write(void *arg)
{
    struct helper *h = arg;

    pester(h, 40);
    if (write(h->fd, h->rest, h->rest_len) != (ssize_t)h->rest_len)
        abort();
    return NULL;
}

/* A slow reader: each signal finds the sender blocked with the frame half written. */
static void *pester_and_read(void *arg)
{
    struct helper *h = arg;
    uint8_t chunk[40000];

    pester(h, 20);
    while (h->read_len > 0) {
        ssize_t n = read(h->fd, chunk, sizeof(chunk));

        if (n <= 0)
            abort();
        h->read_len -= (int)n;
        pester(h, 1);
    }
    return NULL;
}

static void start(struct helper *h, void *(*fn)(void *))
{
    struct sigaction on = { .sa_handler = on_signal }; /* no SA_RESTART: as in a worker */

    assert_int_equal(sigaction(SIGUSR1, &on, NULL), 0);
    atomic_store(&handled, 0);
    h->main = pthread_self();
    assert_int_equal(pthread_create(&h->thread, NULL, fn, h), 0);
}

static void a_signal_between_frames_is_eintr_and_consumes_nothing(void **state)
{
    struct fixture *f = *state;
    struct helper h = { .fd = socket_pair(f) };

    start(&h, pester_until_stopped);
    assert_int_equal(sp_recv(f->fd, &f->buf, &f->cap, MAX, &f->len), -EINTR);
    atomic_store(&h.stop, 1);
    pthread_join(h.thread, NULL);
    put(h.fd, "\x01\0\0\0\0\0\0\0\x02ok", 11);
    assert_int_equal(sp_recv(f->fd, &f->buf, &f->cap, MAX, &f->len), 0);
    assert_int_equal(f->len, 2);
    assert_memory_equal(f->buf, "ok", 2);
    (void)close(h.fd);
}

static void a_signal_inside_a_frame_is_waited_out(void **state)
{
    static const uint8_t frame[] = { 1, 0, 0, 0, 0, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o' };
    static const size_t cuts[] = { 1, 4, SP_HEADER_LEN, SP_HEADER_LEN + 1, sizeof(frame) - 1 };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct helper h = { .fd = socket_pair(f), .rest = frame + cuts[i], .rest_len = sizeof(frame) - cuts[i] };

        put(h.fd, frame, cuts[i]); /* lies there before the first signal: the first read always gets something */
        start(&h, pester_then_write);
        assert_int_equal(sp_recv(f->fd, &f->buf, &f->cap, MAX, &f->len), 0);
        pthread_join(h.thread, NULL);
        assert_true(atomic_load(&handled) > 0);
        assert_memory_equal(f->buf, "hello", 5);
        (void)close(h.fd);
    }
}

static void a_signal_while_sending_does_not_tear_the_frame(void **state)
{
    struct fixture *f = *state;
    struct helper h = { .fd = socket_pair(f), .read_len = (4 << 20) + SP_HEADER_LEN };
    uint8_t *body = bytes_of(4 << 20, 1);

    start(&h, pester_and_read);
    assert_int_equal(sp_send(f->fd, body, 4 << 20), 0);
    pthread_join(h.thread, NULL);
    assert_true(atomic_load(&handled) > 0);
    assert_int_equal(h.read_len, 0); /* every byte, and none twice */
    assert_int_equal(recv(h.fd, body, 1, MSG_DONTWAIT), -1);
    free(body);
    (void)close(h.fd);
}

static void a_signal_during_the_handshake_is_waited_out(void **state)
{
    struct fixture *f = *state;
    struct helper h = { .fd = socket_pair(f), .rest = good_hello, .rest_len = sizeof(good_hello) };

    start(&h, pester_then_write);
    assert_int_equal(sp_handshake(f->fd), 0);
    pthread_join(h.thread, NULL);
    assert_true(atomic_load(&handled) > 0);
    (void)close(h.fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nng_listens_and_messages_of_every_size_go_both_ways),
        TEST(nng_dials_and_messages_of_every_size_go_both_ways),
        TEST(our_greeting_may_come_with_our_first_message),
        TEST(many_messages_keep_their_order_and_their_edges),
        TEST(the_broker_closing_its_end_is_epipe),
        TEST(another_protocol_of_nng_is_refused_by_us),
        TEST(nng_hangs_up_on_a_hello_that_is_not_ours),
        TEST(nng_hangs_up_on_a_message_longer_than_it_allows),
        TEST(our_hello_is_the_eight_bytes_of_the_specification),
        TEST(a_wrong_hello_is_refused),
        TEST(a_hello_that_is_cut_off_is_epipe),
        TEST(a_frame_on_the_wire_is_type_length_body),
        TEST(a_length_above_the_allowed_is_refused_before_any_memory_is_taken),
        TEST(another_message_type_than_1_is_refused),
        TEST(a_peer_that_closes_anywhere_in_a_frame_is_epipe),
        TEST(sending_to_a_peer_that_has_gone_is_epipe),
        TEST(a_descriptor_that_is_none_is_its_own_error),
        TEST(of_two_descriptors_with_a_frame_the_second_is_not_kept),
        TEST(a_signal_between_frames_is_eintr_and_consumes_nothing),
        TEST(a_signal_inside_a_frame_is_waited_out),
        TEST(a_signal_while_sending_does_not_tear_the_frame),
        TEST(a_signal_during_the_handshake_is_waited_out),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as both sides do: the error tells */
    return cmocka_run_group_tests_name("sp", tests, NULL, NULL);
}
