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

#include "sp.h"

enum {
    GREETING_MS = 5000, /* for the peer to say its eight bytes */
    REDIAL_MIN_MS = 10,
    REDIAL_MAX_MS = 200,
};

#define NEVER UINT64_MAX

static const uint8_t greeting_ours[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_REQ0);
static const uint8_t greeting_theirs[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_REP0);

enum req_call { CALL_NONE, CALL_PENDING, CALL_DONE };

struct req_socket {
    struct sockaddr_un addr;
    size_t max_body;
    int epoll_fd, timer_fd;
    int fd; /* -1 when down */
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

    uint8_t *out;
    size_t out_at, out_len;
    uint8_t head[SP_HEADER_LEN];
    size_t head_have;
    uint8_t *body; /* NULL while a header is read */
    size_t body_len, body_have;
};

static uint64_t now_ms(void)
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
    if (s->fd >= 0)
        close(s->fd); /* leaves the epoll set by that */
    s->fd = -1;
    free(s->out);
    free(s->body);
    s->out = s->body = NULL;
    s->out_at = s->out_len = s->head_have = 0;
    s->state = REQ_DOWN;
    s->last_error = why;
    s->link_at_ms = now_ms() + s->redial_ms;
    s->redial_ms = s->redial_ms * 2 > REDIAL_MAX_MS ? REDIAL_MAX_MS : s->redial_ms * 2;
    end_call(s, -ECONNRESET);
    arm(s);
}

/* ---- out ----------------------------------------------------------------------------------------------------------------------- */

static void watch_for(const struct req_socket *s, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.fd = s->fd };

    epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev);
}

static int flush(struct req_socket *s)
{
    while (s->out_at < s->out_len) {
        ssize_t n = send(s->fd, s->out + s->out_at, s->out_len - s->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            watch_for(s, EPOLLIN | EPOLLOUT);
            return 0;
        }
        if (n < 0)
            return -ECONNRESET;
        s->out_at += (size_t)n;
    }
    if (s->out != NULL) {
        free(s->out);
        s->out = NULL;
        s->out_at = s->out_len = 0;
        watch_for(s, EPOLLIN);
    }
    return 0;
}

/* ---- in ------------------------------------------------------------------------------------------------------------------------ */

static int take_greeting(struct req_socket *s)
{
    if (memcmp(s->head, greeting_theirs, SP_HELLO_LEN) != 0)
        return -EPROTO;
    s->state = REQ_UP;
    s->head_have = 0;
    s->redial_ms = REDIAL_MIN_MS;
    s->link_at_ms = NEVER;
    arm(s);
    return 0;
}

static int take_header(struct req_socket *s)
{
    uint64_t len;

    if (sp_header_get(s->head, &len) != 0 || len < SP_REQUEST_ID)
        return -EPROTO;
    if (len > s->max_body + SP_REQUEST_ID) {
        end_call(s, -EMSGSIZE);
        return -EPROTO;
    }
    s->body = malloc(len);
    s->body_len = len;
    s->body_have = 0;
    s->head_have = 0;
    if (s->body != NULL)
        return 0;
    end_call(s, -ENOMEM);
    return -ENOMEM;
}

/* An answer to what is no longer asked is dropped. */
static int take_body(struct req_socket *s)
{
    if (s->call == CALL_PENDING && sp_request_id_get(s->body) == s->call_id) {
        s->reply = s->body;
        s->reply_len = s->body_len - SP_REQUEST_ID;
        memmove(s->reply, s->reply + SP_REQUEST_ID, s->reply_len);
        end_call(s, 0);
        arm(s);
    } else {
        free(s->body);
    }
    s->body = NULL;
    return 0;
}

/* One read of what is wanted next. 1: there may be more; 0: not now; -errno: the connection is over. */
static int hear(struct req_socket *s)
{
    size_t head_len = s->state == REQ_GREETING ? SP_HELLO_LEN : SP_HEADER_LEN;
    uint8_t *at = s->body != NULL ? s->body + s->body_have : s->head + s->head_have;
    size_t want = s->body != NULL ? s->body_len - s->body_have : head_len - s->head_have;
    ssize_t n = recv(s->fd, at, want, MSG_DONTWAIT);
    int rc;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return -ECONNRESET;
    if (s->body != NULL)
        s->body_have += (size_t)n;
    else
        s->head_have += (size_t)n;
    if ((size_t)n < want)
        return 1;
    rc = s->body != NULL ? take_body(s) : s->state == REQ_GREETING ? take_greeting(s) : take_header(s);
    return rc == 0 ? 1 : rc;
}

/* ---- dialling ------------------------------------------------------------------------------------------------------------------ */

/* Whoever made the socket we connected to: root, or this user. */
static int check_peer(struct req_socket *s)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return -errno;
    s->peer_uid = peer.uid;
    return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

static int connect_now(struct req_socket *s)
{
    struct epoll_event ev = { .events = EPOLLIN };

    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return -errno;
    ev.data.fd = s->fd;
    if (connect(s->fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) != 0)
        return errno == ENOENT ? -ECONNREFUSED : -errno; /* EAGAIN: its queue is full, it lives */
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev) != 0)
        return -errno;
    return check_peer(s);
}

void req_dial(struct req_socket *s)
{
    int rc;

    if (s->state != REQ_DOWN)
        return;
    rc = connect_now(s);
    if (rc == 0 && send(s->fd, greeting_ours, sizeof(greeting_ours), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(greeting_ours))
        rc = -ECONNRESET;
    if (rc != 0) {
        go_down(s, rc);
        return;
    }
    s->state = REQ_GREETING;
    s->link_at_ms = now_ms() + GREETING_MS;
    arm(s);
}

/* ---- the socket ---------------------------------------------------------------------------------------------------------------- */

static void on_timer(struct req_socket *s)
{
    uint64_t fired, now = now_ms();

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
    int rc = 0;

    on_timer(s);
    if (s->state == REQ_DOWN)
        return;
    if (s->state == REQ_UP)
        rc = flush(s);
    while (rc >= 0 && (rc = hear(s)) > 0)
        ;
    if (rc < 0)
        go_down(s, rc);
}

int req_send(struct req_socket *s, const void *body, size_t len, int timeout_ms)
{
    uint8_t *out;
    int rc;

    if (s->call != CALL_NONE)
        return -EBUSY;
    if (s->state != REQ_UP)
        return -ECONNRESET;
    out = realloc(s->out, s->out_len + SP_HEADER_LEN + SP_REQUEST_ID + len);
    if (out == NULL)
        return -ENOMEM;
    s->out = out;
    out += s->out_len; /* what an earlier, timed-out request left unsent goes first */
    s->call_id = (s->call_id + 1) | 0x80000000u;
    sp_header_put(out, len + SP_REQUEST_ID);
    sp_request_id_put(out + SP_HEADER_LEN, s->call_id);
    memcpy(out + SP_HEADER_LEN + SP_REQUEST_ID, body, len);
    s->out_len += SP_HEADER_LEN + SP_REQUEST_ID + len;
    s->call = CALL_PENDING;
    s->call_at_ms = timeout_ms < 0 ? NEVER : now_ms() + (uint64_t)timeout_ms;
    rc = flush(s);
    if (rc != 0) {
        s->call = CALL_NONE;
        go_down(s, rc);
    } else {
        arm(s);
    }
    return rc;
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
    s->fd = -1;
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
    if (s->fd >= 0)
        close(s->fd);
    if (s->timer_fd >= 0)
        close(s->timer_fd);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    free(s->reply);
    free(s->out);
    free(s->body);
    free(s);
}
