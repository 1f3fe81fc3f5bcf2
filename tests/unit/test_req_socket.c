/* test_req_socket.c - the asking end against a real nng rep socket, and against peers that hang up, lie, stall and come back; many
 * requests at once, and descriptors beside them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include <cmocka.h>

#include "client/req_socket.h"
#include "scratch.h"
#include "sp.h"
#include "sp_stream.h"

enum { MAX = 4096 };

static const uint8_t rep_hello[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_REP0);

struct fixture {
    char *dir;
    char path[108];
    int listener; /* the fake broker's */
    int peer;     /* its end of the connection */
    struct req_socket *req;
    struct req_call call; /* of the tests that have one at a time */
};

static void listen_here(struct fixture *f)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    strcpy(addr.sun_path, f->path);
    (void)unlink(f->path);
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(f->listener, 4), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->dir = scratch_make();
    f->listener = f->peer = -1;
    *state = f;
    if (f->dir == NULL)
        return 1;
    (void)snprintf(f->path, sizeof(f->path), "%s/sp", f->dir);
    return req_open(f->path, MAX, &f->req);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    req_forget(f->req, &f->call);
    req_close(f->req);
    if (f->peer >= 0)
        (void)close(f->peer);
    if (f->listener >= 0)
        (void)close(f->listener);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

static void turn(const struct fixture *f)
{
    req_wait(f->req, -1);
    req_step(f->req);
}

static void accept_one(struct fixture *f)
{
    if (f->peer >= 0)
        (void)close(f->peer);
    f->peer = accept(f->listener, NULL, NULL);
    assert_true(f->peer >= 0);
}

static void read_exactly(int fd, void *into, size_t len)
{
    assert_int_equal(recv(fd, into, len, MSG_WAITALL), len);
}

static void greet(struct fixture *f)
{
    uint8_t theirs[SP_HELLO_LEN];

    read_exactly(f->peer, theirs, sizeof(theirs));
    assert_int_equal(theirs[5], SP_PROTO_REQ0);
    assert_int_equal(write(f->peer, rep_hello, sizeof(rep_hello)), sizeof(rep_hello));
    while (req_state(f->req) == REQ_GREETING)
        turn(f);
}

static void up(struct fixture *f)
{
    listen_here(f);
    req_dial(f->req);
    assert_int_equal(req_state(f->req), REQ_GREETING);
    accept_one(f);
    greet(f);
    assert_int_equal(req_state(f->req), REQ_UP);
}

/* The request's id and its message, as the fake broker reads them. */
static uint32_t hear_request(const struct fixture *f, char *ret_text, size_t size)
{
    uint8_t head[SP_HEADER_LEN], id[SP_REQUEST_ID];
    uint64_t len;

    read_exactly(f->peer, head, sizeof(head));
    assert_int_equal(sp_header_get(head, &len), 0);
    assert_true(len >= sizeof(id) && len - sizeof(id) < size);
    read_exactly(f->peer, id, sizeof(id));
    read_exactly(f->peer, ret_text, len - sizeof(id));
    ret_text[len - sizeof(id)] = '\0';
    return sp_request_id_get(id);
}

static void say(const struct fixture *f, uint32_t id, const char *text, uint64_t claimed_len)
{
    uint8_t frame[SP_HEADER_LEN + SP_REQUEST_ID];

    sp_header_put(frame, claimed_len + SP_REQUEST_ID);
    sp_request_id_put(frame + SP_HEADER_LEN, id);
    assert_int_equal(send(f->peer, frame, sizeof(frame), MSG_NOSIGNAL), sizeof(frame));
    assert_int_equal(send(f->peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int ask(struct fixture *f, const char *text, int timeout_ms)
{
    return req_send(f->req, &f->call, text, strlen(text), -1, timeout_ms);
}

static int answer_to(const struct fixture *f, struct req_call *call, char *ret_text, size_t size)
{
    int rc;

    while (call->state == REQ_CALL_PENDING)
        turn(f);
    assert_int_equal(call->state, REQ_CALL_DONE);
    rc = call->rc;
    if (rc == 0) {
        assert_true(call->len < size);
        memcpy(ret_text, call->body, call->len);
        ret_text[call->len] = '\0';
    }
    req_forget(f->req, call);
    return rc;
}

static int answer(struct fixture *f, char *ret_text, size_t size)
{
    return answer_to(f, &f->call, ret_text, size);
}

static void expect_answer(struct fixture *f, const char *text)
{
    char got[MAX];

    assert_int_equal(answer(f, got, sizeof(got)), 0);
    assert_string_equal(got, text);
}

static void a_question_is_answered(void **state)
{
    struct fixture *f = *state;
    char text[64];
    uint32_t id;

    up(f);
    assert_int_equal(ask(f, "who?", -1), 0);
    assert_int_equal(ask(f, "more", -1), -EBUSY);
    id = hear_request(f, text, sizeof(text));
    assert_string_equal(text, "who?");
    assert_true((id & 0x80000000u) != 0);
    say(f, id, "me", 2);
    expect_answer(f, "me");
}

static void nng_answers_too(void **state)
{
    struct fixture *f = *state;
    char url[128];
    nng_socket rep;
    nng_msg *msg;

    (void)snprintf(url, sizeof(url), "ipc://%s", f->path);
    assert_int_equal(nng_rep0_open(&rep), 0);
    assert_int_equal(nng_listen(rep, url, NULL, 0), 0);
    req_dial(f->req);
    while (req_state(f->req) == REQ_GREETING)
        turn(f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(f, "ping", -1), 0);
        assert_int_equal(nng_recvmsg(rep, &msg, 0), 0);
        assert_memory_equal(nng_msg_body(msg), "ping", 4);
        assert_int_equal(nng_sendmsg(rep, msg, 0), 0);
        expect_answer(f, "ping");
    }
    nng_close(rep);
}

static void bytes_may_come_one_by_one(void **state)
{
    struct fixture *f = *state;
    uint8_t frame[SP_HEADER_LEN + SP_REQUEST_ID + 2];
    char text[64];
    uint32_t id;

    up(f);
    assert_int_equal(ask(f, "?", -1), 0);
    id = hear_request(f, text, sizeof(text));
    sp_header_put(frame, SP_REQUEST_ID + 2);
    sp_request_id_put(frame + SP_HEADER_LEN, id);
    memcpy(frame + SP_HEADER_LEN + SP_REQUEST_ID, "ok", 2);
    for (size_t i = 0; i < sizeof(frame); i++) {
        assert_int_equal(f->call.state, REQ_CALL_PENDING);
        assert_int_equal(write(f->peer, frame + i, 1), 1);
        turn(f);
    }
    expect_answer(f, "ok");
}

static void an_answer_too_late_is_dropped(void **state)
{
    struct fixture *f = *state;
    char text[64];
    uint32_t first, second;

    up(f);
    assert_int_equal(ask(f, "1", 1), 0);
    assert_int_equal(answer(f, text, sizeof(text)), -ETIMEDOUT);
    assert_int_equal(ask(f, "2", -1), 0);
    first = hear_request(f, text, sizeof(text));
    second = hear_request(f, text, sizeof(text));
    assert_string_equal(text, "2");
    assert_int_not_equal(first, second);
    say(f, first, "late", 4);
    say(f, second, "right", 5);
    expect_answer(f, "right");
}

static void one_that_hangs_up_is_dialled_again(void **state)
{
    struct fixture *f = *state;
    char text[64];
    uid_t uid;

    listen_here(f);
    req_dial(f->req);
    for (int i = 0; i < 5; i++) { /* in the greeting, once with half of it said */
        accept_one(f);
        if (i == 2)
            assert_int_equal(write(f->peer, rep_hello, 3), 3);
        (void)shutdown(f->peer, SHUT_RDWR);
        while (req_state(f->req) == REQ_GREETING)
            turn(f);
        assert_int_equal(req_last_error(f->req, &uid), -ECONNRESET);
        while (req_state(f->req) != REQ_GREETING)
            turn(f);
    }
    accept_one(f);
    greet(f);
    assert_int_equal(req_state(f->req), REQ_UP);
    assert_int_equal(ask(f, "lost", -1), 0);
    (void)close(f->peer);
    f->peer = -1;
    assert_int_equal(answer(f, text, sizeof(text)), -ECONNRESET);
    assert_int_equal(ask(f, "lost", -1), -ECONNRESET);
    while (req_state(f->req) == REQ_DOWN)
        turn(f);
    accept_one(f);
    greet(f);
    assert_int_equal(ask(f, "again", -1), 0);
    say(f, hear_request(f, text, sizeof(text)), "yes", 3);
    assert_string_equal(text, "again"); /* the lost one is not repeated */
    expect_answer(f, "yes");
}

static void nobody_there_is_refused_and_found_later(void **state)
{
    struct fixture *f = *state;
    uid_t uid;

    req_dial(f->req);
    assert_int_equal(req_state(f->req), REQ_DOWN);
    assert_int_equal(req_last_error(f->req, &uid), -ECONNREFUSED);
    listen_here(f);
    while (req_state(f->req) == REQ_DOWN)
        turn(f);
    accept_one(f);
    greet(f);
    assert_int_equal(req_state(f->req), REQ_UP);
}

static void what_is_no_broker_is_told_apart(void **state)
{
    struct fixture *f = *state;
    uid_t uid;

    listen_here(f);
    req_dial(f->req);
    accept_one(f);
    assert_int_equal(write(f->peer, "HTTP/1.1", 8), 8);
    while (req_state(f->req) == REQ_GREETING)
        turn(f);
    assert_int_equal(req_last_error(f->req, &uid), -EPROTO);
}

static void an_answer_that_is_too_long_or_no_frame_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    char text[64];

    up(f);
    assert_int_equal(ask(f, "?", -1), 0);
    say(f, hear_request(f, text, sizeof(text)), "x", MAX + 1);
    assert_int_equal(answer(f, text, sizeof(text)), -EMSGSIZE);
    assert_int_equal(req_state(f->req), REQ_DOWN);
    while (req_state(f->req) == REQ_DOWN)
        turn(f);
    accept_one(f);
    greet(f);
    assert_int_equal(ask(f, "?", -1), 0);
    assert_int_equal(write(f->peer, "\2\0\0\0\0\0\0\0\5", 9), 9);
    assert_int_equal(answer(f, text, sizeof(text)), -ECONNRESET);
}

/* A peer that does not read: the request waits in us, and goes out when it reads. */
static void a_long_request_goes_out_as_the_peer_reads(void **state)
{
    enum { LONG = 2 << 20 };
    struct fixture *f = *state;
    uint8_t head[SP_HEADER_LEN + SP_REQUEST_ID];
    char *question = calloc(1, LONG), *heard = malloc(LONG);
    size_t have = 0;

    up(f);
    memset(question, 'q', LONG);
    assert_int_equal(req_send(f->req, &f->call, question, LONG, -1, -1), 0);
    read_exactly(f->peer, head, sizeof(head));
    while (have < LONG) {
        ssize_t n = recv(f->peer, heard + have, LONG - have, MSG_DONTWAIT);

        if (n > 0)
            have += (size_t)n;
        else
            turn(f);
    }
    assert_memory_equal(heard, question, LONG);
    say(f, sp_request_id_get(head + SP_HEADER_LEN), "got it", 6);
    expect_answer(f, "got it");
    free(question);
    free(heard);
}

/* ---- many at once ------------------------------------------------------------------------------------------------------------- */

enum { MANY = 1000 };

static void answers_come_in_any_order(void **state)
{
    struct fixture *f = *state;
    struct req_call *calls = calloc(MANY, sizeof(*calls));
    uint32_t *ids = calloc(MANY, sizeof(*ids));
    char text[64], expected[64];

    up(f);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof(text), "question %d", i);
        assert_int_equal(req_send(f->req, &calls[i], text, strlen(text), -1, i % 2 ? -1 : 60000), 0);
        ids[i] = hear_request(f, text, sizeof(text));
    }
    assert_int_equal(req_open_calls(f->req), MANY);
    for (int i = 0; i < MANY; i++) {
        int k = (i * 377 + 5) % MANY; /* 377 and 1000 have no common factor */

        (void)snprintf(text, sizeof(text), "answer %d", k);
        say(f, ids[k], text, strlen(text));
        assert_int_equal(answer_to(f, &calls[k], text, sizeof(text)), 0);
        (void)snprintf(expected, sizeof(expected), "answer %d", k);
        assert_string_equal(text, expected);
    }
    assert_int_equal(req_open_calls(f->req), 0);
    free(calls);
    free(ids);
}

static void one_that_is_forgotten_does_not_disturb_the_others(void **state)
{
    struct fixture *f = *state;
    struct req_call other = { 0 };
    char text[64];
    uint32_t first, second;

    up(f);
    assert_int_equal(ask(f, "1", -1), 0);
    assert_int_equal(req_send(f->req, &other, "2", 1, -1, -1), 0);
    first = hear_request(f, text, sizeof(text));
    second = hear_request(f, text, sizeof(text));
    req_forget(f->req, &f->call);
    assert_int_equal(f->call.state, REQ_CALL_NONE);
    say(f, first, "to nobody", 9);
    say(f, second, "two", 3);
    assert_int_equal(answer_to(f, &other, text, sizeof(text)), 0);
    assert_string_equal(text, "two");
}

static int ends;

static void count_end(struct req_call *call)
{
    (void)call;
    ends++;
}

static void each_has_its_own_time_and_all_end_with_the_connection(void **state)
{
    struct fixture *f = *state;
    struct req_call calls[3] = { { .on_end = count_end }, { .on_end = count_end }, { .on_end = count_end } };
    char text[64];

    ends = 0;
    up(f);
    assert_int_equal(req_send(f->req, &calls[0], "a", 1, -1, -1), 0);
    assert_int_equal(req_send(f->req, &calls[1], "b", 1, -1, 60000), 0);
    assert_int_equal(req_send(f->req, &calls[2], "c", 1, -1, 1), 0);
    assert_int_equal(answer_to(f, &calls[2], text, sizeof(text)), -ETIMEDOUT);
    assert_int_equal(ends, 1);
    assert_int_equal(calls[0].state, REQ_CALL_PENDING);
    assert_int_equal(calls[1].state, REQ_CALL_PENDING);
    (void)shutdown(f->peer, SHUT_RDWR);
    assert_int_equal(answer_to(f, &calls[0], text, sizeof(text)), -ECONNRESET);
    assert_int_equal(answer_to(f, &calls[1], text, sizeof(text)), -ECONNRESET);
    assert_int_equal(ends, 3);
}

/* ---- descriptors -------------------------------------------------------------------------------------------------------------- */

static int file_with(const char *text)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

static void expect_file(int fd, const char *text)
{
    char got[64] = "";

    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(pread(fd, got, sizeof(got) - 1, 0), strlen(text));
    assert_string_equal(got, text);
    close(fd);
}

/* The broker's end is an sp_stream, as rep_socket.c has. */
static void stream_up(struct fixture *f, struct sp_stream *s)
{
    listen_here(f);
    req_dial(f->req);
    accept_one(f);
    assert_int_equal(fcntl(f->peer, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(sp_stream_init(s, f->peer, SP_PROTO_REP0, SP_PROTO_REQ0, MAX), 0);
    s->takes_fds = true;
    f->peer = -1;
    sp_stream_flush(s);
    while (req_state(f->req) == REQ_GREETING)
        turn(f);
}

static uint32_t stream_hear(struct sp_stream *s, int *ret_fd)
{
    uint8_t *body;
    size_t len;
    uint32_t id;
    int rc;

    while ((rc = sp_stream_hear(s, 1 << 20, &body, &len)) == 0) {
    }
    assert_int_equal(rc, 1);
    id = sp_request_id_get(body);
    *ret_fd = sp_stream_take_fd(s);
    free(body);
    return id;
}

static void stream_say(struct sp_stream *s, uint32_t id, int fd)
{
    uint8_t *at = fd < 0 ? sp_stream_frame(s, SP_REQUEST_ID + 1) : sp_stream_frame_fd(s, SP_REQUEST_ID + 1, fd);

    assert_non_null(at);
    sp_request_id_put(at, id);
    at[SP_REQUEST_ID] = '!';
}

/* Frames with and without one, all of them in the socket before any is read. */
static void a_descriptor_stays_with_its_frame(void **state)
{
    enum { FRAMES = 9 };
    struct fixture *f = *state;
    struct req_call calls[FRAMES] = { 0 };
    struct sp_stream s;
    uint32_t ids[FRAMES];
    char name[8];

    stream_up(f, &s);
    for (int i = 0; i < FRAMES; i++) {
        int fd = i % 3 == 0 ? -1 : file_with((snprintf(name, sizeof(name), "q%d", i), name));

        assert_int_equal(req_send(f->req, &calls[i], "?", 1, fd, -1), 0);
        if (fd >= 0)
            close(fd); /* a copy goes */
    }
    for (int i = 0; i < FRAMES; i++) {
        int fd;

        ids[i] = stream_hear(&s, &fd);
        (void)snprintf(name, sizeof(name), "q%d", i);
        if (i % 3 == 0)
            assert_int_equal(fd, -1);
        else
            expect_file(fd, name);
        (void)snprintf(name, sizeof(name), "a%d", i);
        stream_say(&s, ids[i], i % 2 == 0 ? file_with(name) : -1);
    }
    sp_stream_flush(&s);
    for (int i = 0; i < FRAMES; i++) {
        while (calls[i].state == REQ_CALL_PENDING)
            turn(f);
        assert_int_equal(calls[i].rc, 0);
        (void)snprintf(name, sizeof(name), "a%d", i);
        if (i % 2 == 0)
            expect_file(calls[i].fd, name);
        else
            assert_int_equal(calls[i].fd, -1);
        calls[i].fd = -1;
        req_forget(f->req, &calls[i]);
    }
    sp_stream_finish(&s);
}

static unsigned open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

static void a_descriptor_that_nobody_takes_is_closed(void **state)
{
    struct fixture *f = *state;
    struct sp_stream s;
    unsigned before;
    char text[64];
    int fd;

    stream_up(f, &s);
    before = open_descriptors();
    assert_int_equal(ask(f, "1", -1), 0);
    stream_say(&s, stream_hear(&s, &fd), file_with("x"));
    stream_say(&s, 0x80000000u, file_with("to nobody"));
    sp_stream_flush(&s);
    assert_int_equal(answer(f, text, sizeof(text)), 0); /* which forgets it with the descriptor */
    assert_int_equal(ask(f, "2", -1), 0);
    stream_say(&s, stream_hear(&s, &fd), -1);
    sp_stream_flush(&s);
    assert_int_equal(answer(f, text, sizeof(text)), 0);
    assert_int_equal(open_descriptors(), before);
    stream_say(&s, 0x80000000u, file_with("never sent"));
    sp_stream_finish(&s);
    assert_int_equal(open_descriptors(), before - 1);
}

static void a_frame_with_two_descriptors_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    struct sp_stream s;
    unsigned before;
    char text[64], room_for[CMSG_SPACE(2 * sizeof(int))] = { 0 };
    struct iovec v = { (void *)"\1", 1 };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room_for, .msg_controllen = sizeof(room_for) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int two[2] = { file_with("1"), file_with("2") };

    stream_up(f, &s);
    before = open_descriptors();
    assert_int_equal(ask(f, "?", -1), 0);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(two));
    memcpy(CMSG_DATA(c), two, sizeof(two));
    assert_int_equal(sendmsg(s.fd, &m, 0), 1);
    assert_int_equal(answer(f, text, sizeof(text)), -ECONNRESET);
    assert_int_equal(open_descriptors(), before - 1); /* the connection's own */
    close(two[0]);
    close(two[1]);
    sp_stream_finish(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_question_is_answered),
        TEST(nng_answers_too),
        TEST(bytes_may_come_one_by_one),
        TEST(an_answer_too_late_is_dropped),
        TEST(one_that_hangs_up_is_dialled_again),
        TEST(nobody_there_is_refused_and_found_later),
        TEST(what_is_no_broker_is_told_apart),
        TEST(an_answer_that_is_too_long_or_no_frame_ends_the_connection),
        TEST(a_long_request_goes_out_as_the_peer_reads),
        TEST(answers_come_in_any_order),
        TEST(one_that_is_forgotten_does_not_disturb_the_others),
        TEST(each_has_its_own_time_and_all_end_with_the_connection),
        TEST(a_descriptor_stays_with_its_frame),
        TEST(a_descriptor_that_nobody_takes_is_closed),
        TEST(a_frame_with_two_descriptors_ends_the_connection),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
