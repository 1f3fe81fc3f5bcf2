/* req_socket.c - see req_socket.h. */
#include "client/req_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/endpoint.h"
#include "sp_stream.h"

enum {
    GREETING_MS = 5000, /* for the peer to say its eight bytes */
    REDIAL_MIN_MS = 10,
    REDIAL_MAX_MS = 200,
    READ_MAX = 1 << 20, /* in one step */
};

#define NEVER UINT64_MAX

enum req_call { CALL_NONE, CALL_PENDING, CALL_DONE };

struct req_socket {
    struct sockaddr_un addr;
    size_t max_body;
    int epoll_fd, timer_fd;
    struct sp_stream stream; /* of nothing when down */
    enum req_state state;
    int last_error;
    uid_t peer_uid;
    unsigned redial_ms;
    uint64_t link_at_ms; /* down: when to dial; greeting: when to give up */

    enum req_call call;
    uint32_t call_id;
    int call_rc;
    uint64_t call_at_ms; /* when to give up */
    uint8_t *reply;
    size_t reply_len;
};

uint64_t req_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One timer for whatever is due first. */
static void arm(const struct req_socket *s)
{
    uint64_t at = s->link_at_ms;
    struct itimerspec t = { .it_value = { 0 } };

    if (s->call == CALL_PENDING && s->call_at_ms < at)
        at = s->call_at_ms;
    if (at != NEVER) {
        t.it_value.tv_sec = (time_t)(at / 1000);
        t.it_value.tv_nsec = (long)(at % 1000) * 1000000 + 1; /* 0.0 would disarm it */
    }
    timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static void end_call(struct req_socket *s, int rc)
{
    if (s->call != CALL_PENDING)
        return;
    s->call = CALL_DONE;
    s->call_rc = rc;
}

static void go_down(struct req_socket *s, int why)
{
    sp_stream_finish(&s->stream); /* its descriptor leaves the epoll set by that */
    s->state = REQ_DOWN;
    s->last_error = why;
    s->link_at_ms = req_now_ms() + s->redial_ms;
    s->redial_ms = s->redial_ms * 2 > REDIAL_MAX_MS ? REDIAL_MAX_MS : s->redial_ms * 2;
    end_call(s, -ECONNRESET);
    arm(s);
}

/* ---- out and in ---------------------------------------------------------------------------------------------------------------- */

static void flush(struct req_socket *s)
{
    struct epoll_event ev = { .data.fd = s->stream.fd };

    sp_stream_flush(&s->stream);
    ev.events = EPOLLIN | (sp_stream_unsent(&s->stream) > 0 ? EPOLLOUT : 0);
    epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->stream.fd, &ev);
}

static void note_greeting(struct req_socket *s)
{
    s->state = REQ_UP;
    s->redial_ms = REDIAL_MIN_MS;
    s->link_at_ms = NEVER;
    arm(s);
}

/* An answer to what is no longer asked is dropped. */
static void take_reply(struct req_socket *s, uint8_t *body, size_t len)
{
    if (s->call != CALL_PENDING || len < SP_REQUEST_ID || sp_request_id_get(body) != s->call_id) {
        free(body);
        return;
    }
    s->reply = body;
    s->reply_len = len - SP_REQUEST_ID;
    memmove(s->reply, s->reply + SP_REQUEST_ID, s->reply_len);
    end_call(s, 0);
    arm(s);
}

static int hear(struct req_socket *s)
{
    uint8_t *body;
    size_t len;
    int rc;

    while ((rc = sp_stream_hear(&s->stream, READ_MAX, &body, &len)) == 1)
        take_reply(s, body, len);
    if (rc == 0 && s->stream.greeted && s->state == REQ_GREETING)
        note_greeting(s);
    return rc == -EPIPE ? -ECONNRESET : rc;
}

/* ---- dialling ------------------------------------------------------------------------------------------------------------------ */

/* Whoever made the socket we connected to must be somebody we trust. */
static int check_peer(struct req_socket *s)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(s->stream.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return -errno;
    s->peer_uid = peer.uid;
    return endpoint_trusts(peer.uid) ? 0 : -EPERM;
}

static int connect_now(struct req_socket *s)
{
    struct epoll_event ev = { .events = EPOLLIN };

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (sp_stream_init(&s->stream, fd, SP_PROTO_REQ0, SP_PROTO_REP0, s->max_body + SP_REQUEST_ID) != 0)
        return -ENOMEM;
    ev.data.fd = s->stream.fd;
    if (connect(s->stream.fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) != 0)
        return errno == ENOENT ? -ECONNREFUSED : -errno; /* EAGAIN: its queue is full, it lives */
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->stream.fd, &ev) != 0)
        return -errno;
    return check_peer(s);
}

void req_dial(struct req_socket *s)
{
    int rc;

    if (s->state != REQ_DOWN)
        return;
    rc = connect_now(s);
    if (rc != 0) {
        go_down(s, rc);
        return;
    }
    s->state = REQ_GREETING;
    s->link_at_ms = req_now_ms() + GREETING_MS;
    arm(s);
    flush(s);
}

/* ---- the socket ---------------------------------------------------------------------------------------------------------------- */

static void on_timer(struct req_socket *s)
{
    uint64_t fired, now = req_now_ms();

    if (read(s->timer_fd, &fired, sizeof(fired)) < 0)
        return; /* not yet */
    if (s->call == CALL_PENDING && now >= s->call_at_ms)
        end_call(s, -ETIMEDOUT);
    if (now >= s->link_at_ms) {
        if (s->state == REQ_GREETING)
            go_down(s, -ETIMEDOUT);
        else
            req_dial(s);
    }
    arm(s);
}

void req_step(struct req_socket *s)
{
    int rc;

    on_timer(s);
    if (s->state == REQ_DOWN)
        return;
    flush(s);
    rc = hear(s);
    if (rc >= 0)
        return;
    if (rc == -EMSGSIZE || rc == -ENOMEM)
        end_call(s, rc);
    go_down(s, rc);
}

int req_send(struct req_socket *s, const void *body, size_t len, int timeout_ms)
{
    uint8_t *at;

    if (s->call != CALL_NONE)
        return -EBUSY;
    if (s->state != REQ_UP)
        return -ECONNRESET;
    at = sp_stream_frame(&s->stream, SP_REQUEST_ID + len);
    if (at == NULL)
        return -ENOMEM;
    s->call_id = (s->call_id + 1) | 0x80000000u;
    sp_request_id_put(at, s->call_id);
    memcpy(at + SP_REQUEST_ID, body, len);
    s->call = CALL_PENDING;
    s->call_at_ms = timeout_ms < 0 ? NEVER : req_now_ms() + (uint64_t)timeout_ms;
    arm(s);
    flush(s); /* a peer that is gone is found by the next step, which ends the call */
    return 0;
}

int req_take(struct req_socket *s, uint8_t **ret_body, size_t *ret_len)
{
    if (s->call != CALL_DONE)
        return -EAGAIN;
    s->call = CALL_NONE;
    if (s->call_rc == 0) {
        *ret_body = s->reply;
        *ret_len = s->reply_len;
        s->reply = NULL;
    }
    return s->call_rc;
}

void req_wait(const struct req_socket *s, int timeout_ms)
{
    struct pollfd p = { .fd = s->epoll_fd, .events = POLLIN };

    if (s->call != CALL_DONE)
        (void)poll(&p, 1, timeout_ms);
}

int req_fd(const struct req_socket *s)
{
    return s->epoll_fd;
}

enum req_state req_state(const struct req_socket *s)
{
    return s->state;
}

int req_last_error(const struct req_socket *s, uid_t *ret_uid)
{
    *ret_uid = s->peer_uid;
    return s->last_error;
}

int req_open(const char *path, size_t max_body, struct req_socket **ret)
{
    struct req_socket *s;
    struct epoll_event ev = { .events = EPOLLIN };

    if (strlen(path) >= sizeof(s->addr.sun_path))
        return -ENAMETOOLONG;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->addr.sun_family = AF_UNIX;
    strcpy(s->addr.sun_path, path);
    s->max_body = max_body;
    s->stream.fd = -1;
    s->redial_ms = REDIAL_MIN_MS;
    s->link_at_ms = NEVER;
    s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ev.data.fd = s->timer_fd;
    if (s->timer_fd < 0 || s->epoll_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->timer_fd, &ev) != 0) {
        int rc = -errno;

        req_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void req_close(struct req_socket *s)
{
    if (s == NULL)
        return;
    sp_stream_finish(&s->stream);
    if (s->timer_fd >= 0)
        close(s->timer_fd);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    free(s->reply);
    free(s);
}
