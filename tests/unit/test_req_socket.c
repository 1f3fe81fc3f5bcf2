/* test_req_socket.c - the asking end against a real nng rep socket, and against peers that hang up, lie, stall and come back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include <cmocka.h>

#include "client/req_socket.h"
#include "scratch.h"
#include "sp.h"

enum { MAX = 4096 };

static const uint8_t rep_hello[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_REP0);

struct fixture {
    char *dir;
    char path[108];
    int listener; /* the fake broker's */
    int peer;     /* its end of the connection */
    struct req_socket *req;
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

static int answer(const struct fixture *f, char *ret_text, size_t size)
{
    uint8_t *body;
    size_t len;
    int rc;

    while ((rc = req_take(f->req, &body, &len)) == -EAGAIN)
        turn(f);
    if (rc != 0)
        return rc;
    assert_true(len < size);
    memcpy(ret_text, body, len);
    ret_text[len] = '\0';
    free(body);
    return 0;
}

static void expect_answer(const struct fixture *f, const char *text)
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
    assert_int_equal(req_send(f->req, "who?", 4, -1), 0);
    assert_int_equal(req_send(f->req, "more", 4, -1), -EBUSY);
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
        assert_int_equal(req_send(f->req, "ping", 4, -1), 0);
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
    uint8_t frame[SP_HEADER_LEN + SP_REQUEST_ID + 2], *body;
    char text[64];
    size_t len;
    uint32_t id;

    up(f);
    assert_int_equal(req_send(f->req, "?", 1, -1), 0);
    id = hear_request(f, text, sizeof(text));
    sp_header_put(frame, SP_REQUEST_ID + 2);
    sp_request_id_put(frame + SP_HEADER_LEN, id);
    memcpy(frame + SP_HEADER_LEN + SP_REQUEST_ID, "ok", 2);
    for (size_t i = 0; i < sizeof(frame); i++) {
        assert_int_equal(req_take(f->req, &body, &len), -EAGAIN);
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
    assert_int_equal(req_send(f->req, "1", 1, 1), 0);
    assert_int_equal(answer(f, text, sizeof(text)), -ETIMEDOUT);
    assert_int_equal(req_send(f->req, "2", 1, -1), 0);
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
    assert_int_equal(req_send(f->req, "lost", 4, -1), 0);
    (void)close(f->peer);
    f->peer = -1;
    assert_int_equal(answer(f, text, sizeof(text)), -ECONNRESET);
    assert_int_equal(req_send(f->req, "lost", 4, -1), -ECONNRESET);
    while (req_state(f->req) == REQ_DOWN)
        turn(f);
    accept_one(f);
    greet(f);
    assert_int_equal(req_send(f->req, "again", 5, -1), 0);
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
    assert_int_equal(req_send(f->req, "?", 1, -1), 0);
    say(f, hear_request(f, text, sizeof(text)), "x", MAX + 1);
    assert_int_equal(answer(f, text, sizeof(text)), -EMSGSIZE);
    assert_int_equal(req_state(f->req), REQ_DOWN);
    while (req_state(f->req) == REQ_DOWN)
        turn(f);
    accept_one(f);
    greet(f);
    assert_int_equal(req_send(f->req, "?", 1, -1), 0);
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
    assert_int_equal(req_send(f->req, question, LONG, -1), 0);
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
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
