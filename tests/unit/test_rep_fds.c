/* test_rep_fds.c - descriptors over the control socket: with the request they came with or not at all, and with the reply they belong to. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/rep_socket.h"
#include "control.pb-c.h"
#include "log.h"
#include "sp.h"
#include "tests/unit/scratch.h"

enum { BODY_MAX = 4096 };

struct scene {
    struct loop loop;
    struct rep_socket socket;
    char *dir;
    int client;
    bool takes, answers;          /* what on_message does: takes the descriptor, answers with one */
    int messages, gone, sizes[8]; /* of the descriptors that came with them; -1: none */
    int until, until_gone;
};

static int make_file(int size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    return fd;
}

static int size_of(int fd)
{
    struct stat st;
    int size;

    if (fd < 0)
        return -1;
    size = fstat(fd, &st) == 0 ? (int)st.st_size : -2;
    (void)close(fd);
    return size;
}

static void on_message(void *ctx, struct rep_way way, const uint8_t *bytes, size_t len)
{
    struct scene *s = ctx;
    Pb__Reply r = PB__REPLY__INIT;

    (void)bytes;
    (void)len;
    s->sizes[s->messages] = s->takes ? size_of(rep_take_fd(&s->socket, way.peer)) : -1;
    if (s->answers) {
        int fd = make_file(1000 + s->messages);

        rep_send_fd(&s->socket, way, &r.base, s->messages % 2 == 0 ? fd : -1);
        assert_int_equal(close(fd), 0); /* it stayed ours */
    }
    if (++s->messages == s->until)
        loop_stop(&s->loop);
}

static void on_peer(void *ctx, uint32_t peer, int arrived)
{
    struct scene *s = ctx;

    (void)peer;
    s->gone += !arrived;
    if (s->until_gone && s->gone > 0)
        loop_stop(&s->loop);
}

static int connect_client(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    return fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? fd : -1;
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    struct rep_handler h = { on_message, on_peer, s, NULL, NULL };
    char path[256];

    log_init("test", LOG_LEVEL_ERROR);
    if (s == NULL || (s->dir = scratch_make()) == NULL || loop_init(&s->loop) != 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/socket", s->dir);
    if (rep_open(&s->socket, &s->loop, path, 0600, BODY_MAX, &h) != 0)
        return -1;
    s->client = connect_client(path);
    *state = s;
    return s->client >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    rep_close(&s->socket);
    (void)close(s->client);
    loop_finish(&s->loop);
    scratch_remove(s->dir);
    free(s);
    return 0;
}

/* Bytes, with some descriptors. */
static void say(struct scene *s, const void *bytes, size_t len, const int *fds, size_t n)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(4 * sizeof(int))] = { 0 };
    struct iovec io = { (void *)(uintptr_t)bytes, len };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };

    if (n > 0) {
        m.msg_control = room;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, n * sizeof(int));
    }
    assert_int_equal(sendmsg(s->client, &m, 0), len);
}

static void greet(struct scene *s)
{
    const uint8_t hello[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_REQ0);

    say(s, hello, sizeof(hello), NULL, 0);
}

static const uint8_t request[] = { 1, 0, 0, 0, 0, 0, 0, 0, 6, 0x80, 0, 0, 1, 'x', 'y' };

static unsigned count_open(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void run_until(struct scene *s, int messages)
{
    s->until = messages;
    s->loop.stop = 0;
    assert_int_equal(loop_run(&s->loop), 0);
}

static void a_descriptor_comes_with_the_request_whose_byte_it_came_with(void **state)
{
    struct scene *s = *state;
    int fds[] = { make_file(41), make_file(42) };

    s->takes = true;
    greet(s);
    say(s, request, sizeof(request), &fds[0], 1);
    say(s, request, sizeof(request), NULL, 0);
    say(s, request, sizeof(request), &fds[1], 1);
    run_until(s, 3);
    assert_int_equal(s->sizes[0], 41);
    assert_int_equal(s->sizes[1], -1);
    assert_int_equal(s->sizes[2], 42);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void one_that_nobody_takes_is_closed(void **state)
{
    struct scene *s = *state;
    int fd = make_file(1);
    unsigned before;

    greet(s);
    say(s, request, sizeof(request), NULL, 0);
    run_until(s, 1);
    before = count_open();
    for (int i = 0; i < 3; i++)
        say(s, request, sizeof(request), &fd, 1);
    run_until(s, 4);
    assert_int_equal(count_open(), before);
    (void)close(fd);
}

/* Of two the kernel drops one for want of room, and says so. */
static void a_request_with_two_ends_the_connection(void **state)
{
    struct scene *s = *state;
    int fds[] = { make_file(1), make_file(2) };
    unsigned before;

    greet(s);
    say(s, request, sizeof(request), NULL, 0);
    run_until(s, 1);
    before = count_open();
    say(s, request, 1, &fds[0], 1); /* in two messages, too */
    say(s, request + 1, sizeof(request) - 1, &fds[1], 1);
    s->until_gone = 1;
    run_until(s, 99);
    assert_int_equal(s->messages, 1);
    assert_int_equal(s->gone, 1);
    assert_int_equal(count_open(), before - 1); /* the connection */
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void nor_does_one_get_two_at_once(void **state)
{
    struct scene *s = *state;
    int fds[] = { make_file(1), make_file(2) };
    unsigned before;

    greet(s);
    say(s, request, sizeof(request), NULL, 0);
    run_until(s, 1);
    before = count_open();
    say(s, request, sizeof(request), fds, 2);
    s->until_gone = 1;
    run_until(s, 99);
    assert_int_equal(s->messages, 1);
    assert_int_equal(count_open(), before - 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void one_with_the_greeting_belongs_to_no_request(void **state)
{
    struct scene *s = *state;
    const uint8_t hello[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_REQ0);
    int fd = make_file(1);

    s->takes = true;
    say(s, hello, sizeof(hello), &fd, 1);
    say(s, request, sizeof(request), NULL, 0);
    run_until(s, 1);
    assert_int_equal(s->sizes[0], -1);
    (void)close(fd);
}

static void a_reply_brings_its_own(void **state)
{
    struct scene *s = *state;
    uint8_t hello[SP_HELLO_LEN];

    s->answers = true;
    greet(s);
    for (int i = 0; i < 4; i++)
        say(s, request, sizeof(request), NULL, 0);
    run_until(s, 4);
    assert_int_equal(recv(s->client, hello, sizeof(hello), MSG_WAITALL), sizeof(hello));
    for (int i = 0; i < 4; i++) {
        _Alignas(struct cmsghdr) char room[CMSG_SPACE(4 * sizeof(int))];
        uint8_t whole[SP_HEADER_LEN + SP_REQUEST_ID]; /* an empty Reply */
        struct iovec io = { whole, sizeof(whole) };
        struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
        struct cmsghdr *c;
        int fd = -1;

        assert_int_equal(recvmsg(s->client, &m, 0), sizeof(whole));
        c = CMSG_FIRSTHDR(&m);
        if (c != NULL)
            memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        assert_int_equal(size_of(fd), i % 2 == 0 ? 1000 + i : -1);
    }
    assert_int_equal(rep_fds_unread(&s->socket, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- from afar ---- */

static int adopt(struct scene *s, const char *address)
{
    struct rep_origin from = { .uid = UINT32_MAX };
    int pair[2];

    (void)snprintf(from.address, sizeof(from.address), "%s", address);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    rep_adopt(&s->socket, pair[1], &from);
    return pair[0];
}

static int may_connect(void *ctx, const struct rep_origin *from)
{
    (void)ctx;
    (void)from;
    return 1;
}

static bool is_open(int fd)
{
    char sink[64];
    ssize_t n;

    while ((n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT)) > 0)
        ;
    return n < 0;
}

/* Who has said who it is stays; of the others the oldest goes for a newcomer. */
static void those_without_a_login_give_way(void **state)
{
    struct scene *s = *state;
    int fds[REP_PEERS_ADDRESS + 2];

    s->socket.handler.may_connect = may_connect;
    fds[0] = adopt(s, "192.0.2.1");
    rep_know(&s->socket, s->socket.last_id);
    for (int i = 1; i < REP_PEERS_ADDRESS + 2; i++)
        fds[i] = adopt(s, "192.0.2.1");
    assert_true(is_open(fds[0]));
    assert_false(is_open(fds[1]));
    assert_false(is_open(fds[2]));
    for (int i = 3; i < REP_PEERS_ADDRESS + 2; i++)
        assert_true(is_open(fds[i]));
    s->loop.now_us += REP_LOGIN_US;
    timers_run(&s->loop.timers, s->loop.now_us);
    assert_true(is_open(fds[0]));
    for (int i = 1; i < REP_PEERS_ADDRESS + 2; i++)
        assert_false(is_open(fds[i]));
    for (int i = 0; i < REP_PEERS_ADDRESS + 2; i++)
        close(fds[i]);
}

static void all_from_afar_have_their_places_from_each_other(void **state)
{
    struct scene *s = *state;
    int first = -1, fds[REP_PEERS_REMOTE];

    s->socket.handler.may_connect = may_connect;
    for (int i = 0; i < REP_PEERS_REMOTE; i++) {
        char address[48];

        (void)snprintf(address, sizeof(address), "192.0.2.%d", i / REP_PEERS_ADDRESS);
        fds[i] = adopt(s, address);
    }
    first = adopt(s, "198.51.100.1");
    assert_true(is_open(first));
    assert_false(is_open(fds[0]));
    assert_true(is_open(fds[1]));
    for (int i = 0; i < REP_PEERS_REMOTE; i++)
        close(fds[i]);
    close(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_descriptor_comes_with_the_request_whose_byte_it_came_with),
        TEST(one_that_nobody_takes_is_closed),
        TEST(a_request_with_two_ends_the_connection),
        TEST(nor_does_one_get_two_at_once),
        TEST(one_with_the_greeting_belongs_to_no_request),
        TEST(a_reply_brings_its_own),
        TEST(those_without_a_login_give_way),
        TEST(all_from_afar_have_their_places_from_each_other),
    };

    return cmocka_run_group_tests_name("descriptors over the control socket", tests, NULL, NULL);
}
