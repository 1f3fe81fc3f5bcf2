/* rep_socket.c - see rep_socket.h. */
#include "broker/rep_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "sp.h"

enum {
    BACKLOG = 128,
    GREETING_US = 10000000, /* to say the eight bytes */
    ACCEPT_PAUSE_US = 100000,
    READ_MAX = 256 << 10, /* of one peer in one round */
    BODY_FIRST = 4 << 10,
    OUT_PAUSE = 256 << 10, /* unread replies beyond which a peer is not heard */
};

static const uint8_t greeting_ours[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_REP0);
static const uint8_t greeting_theirs[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_REQ0);

enum rep_state { REP_GREETING, REP_HEADER, REP_BODY };

struct rep_peer {
    struct rep_socket *socket;
    uint32_t id;
    struct loop_watch watch;
    struct timer greeting;
    enum rep_state state;
    int dropped; /* nothing it says counts any more */
    uint8_t head[SP_HEADER_LEN];
    size_t head_have;
    uint8_t *body;
    size_t body_len, body_have, body_cap;
    uint8_t *out;
    size_t out_at, out_len, out_cap;
    uint32_t events; /* what epoll watches for */
    UT_hash_handle hh;
};

/* ---- going ---- */

static void peer_free(struct rep_peer *p)
{
    struct rep_socket *s = p->socket;

    timers_cancel(&s->loop->timers, &p->greeting);
    loop_del(s->loop, &p->watch);
    close(p->watch.fd);
    HASH_DEL(s->peers, p);
    free(p->body);
    free(p->out);
    free(p);
}

static void hang_up(struct rep_peer *p)
{
    struct rep_handler h = p->socket->handler;
    uint32_t id = p->id;
    int greeted = p->state != REP_GREETING;

    peer_free(p);
    if (greeted)
        h.on_peer(h.ctx, id, 0);
}

static struct rep_peer *find(struct rep_socket *s, uint32_t id)
{
    struct rep_peer *p;

    HASH_FIND(hh, s->peers, &id, sizeof(id), p);
    return p;
}

void rep_drop(struct rep_socket *s, uint64_t peer)
{
    struct rep_peer *p = find(s, (uint32_t)peer);

    if (p == NULL)
        return;
    p->dropped = 1;
    shutdown(p->watch.fd, SHUT_RDWR); /* the next round reads its end */
}

/* ---- out ---- */

static size_t out_left(const struct rep_peer *p)
{
    return p->out_len - p->out_at;
}

static void watch_for(struct rep_peer *p)
{
    uint32_t want = (out_left(p) > 0 ? EPOLLOUT : 0) | (out_left(p) <= OUT_PAUSE ? EPOLLIN : 0);

    if (want != p->events && loop_change(p->socket->loop, &p->watch, want) == 0)
        p->events = want;
}

/* Writes what the peer takes now. One that is gone takes everything: its end is read later, by on_ready(). */
static void flush(struct rep_peer *p)
{
    while (out_left(p) > 0) {
        ssize_t n = send(p->watch.fd, p->out + p->out_at, out_left(p), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        p->out_at += n < 0 ? out_left(p) : (size_t)n;
    }
    if (out_left(p) == 0)
        p->out_at = p->out_len = 0;
    watch_for(p);
}

static int append(struct rep_peer *p, const void *bytes, size_t len)
{
    if (p->out_at > 0) {
        memmove(p->out, p->out + p->out_at, out_left(p));
        p->out_len -= p->out_at;
        p->out_at = 0;
    }
    if (p->out_len + len > p->out_cap) {
        size_t cap = p->out_len + len;
        uint8_t *more = realloc(p->out, cap);

        if (more == NULL)
            return -ENOMEM;
        p->out = more;
        p->out_cap = cap;
    }
    memcpy(p->out + p->out_len, bytes, len);
    p->out_len += len;
    return 0;
}

void rep_send(struct rep_socket *s, nng_msg *msg)
{
    uint8_t head[SP_HEADER_LEN + SP_REQUEST_ID];
    uint32_t request, peer;
    struct rep_peer *p;

    if (nng_msg_header_trim_u32(msg, &peer) == 0 && nng_msg_header_trim_u32(msg, &request) == 0 && (p = find(s, peer)) != NULL &&
        !p->dropped) {
        sp_header_put(head, nng_msg_len(msg) + SP_REQUEST_ID);
        sp_request_id_put(head + SP_HEADER_LEN, request);
        if (out_left(p) + sizeof(head) + nng_msg_len(msg) > REP_OUT_MAX || append(p, head, sizeof(head)) != 0 ||
            append(p, nng_msg_body(msg), nng_msg_len(msg)) != 0)
            rep_drop(s, peer); /* half a frame may lie there now: nothing after it would make sense */
        else
            flush(p);
    }
    nng_msg_free(msg);
}

/* ---- in ---- */

static int grow_body(struct rep_peer *p)
{
    size_t cap = p->body_cap == 0 ? BODY_FIRST : p->body_cap * 2;
    uint8_t *more;

    if (p->body_have < p->body_cap)
        return 0;
    if (cap > p->body_len)
        cap = p->body_len;
    more = realloc(p->body, cap);
    if (more == NULL)
        return -ENOMEM;
    p->body = more;
    p->body_cap = cap;
    return 0;
}

static int take_greeting(struct rep_peer *p)
{
    struct rep_socket *s = p->socket;

    if (memcmp(p->head, greeting_theirs, SP_HELLO_LEN) != 0)
        return -EPROTO;
    timers_cancel(&s->loop->timers, &p->greeting);
    p->state = REP_HEADER;
    p->head_have = 0;
    s->handler.on_peer(s->handler.ctx, p->id, 1);
    return 0;
}

static int take_header(struct rep_peer *p)
{
    uint64_t len;

    if (sp_header_get(p->head, &len) != 0 || len < SP_REQUEST_ID || len > p->socket->max_body + SP_REQUEST_ID)
        return -EPROTO;
    p->state = REP_BODY;
    p->head_have = 0;
    p->body_len = (size_t)len;
    p->body_have = p->body_cap = 0;
    return 0;
}

static int take_body(struct rep_peer *p)
{
    struct rep_socket *s = p->socket;
    uint8_t *body = p->body;
    uint32_t request = sp_request_id_get(body);
    nng_msg *msg;
    int rc = 0;

    p->state = REP_HEADER;
    p->body = NULL;
    if ((request & 0x80000000u) == 0)
        rc = -EPROTO;
    else if (nng_msg_alloc(&msg, 0) != 0)
        rc = -ENOMEM;
    else if (nng_msg_append(msg, body + SP_REQUEST_ID, p->body_len - SP_REQUEST_ID) != 0 || nng_msg_header_append_u32(msg, p->id) != 0 ||
             nng_msg_header_append_u32(msg, request) != 0) {
        nng_msg_free(msg);
        rc = -ENOMEM;
    } else {
        s->handler.on_message(s->handler.ctx, p->id, msg);
    }
    free(body);
    return rc;
}

/* Where the next bytes go, and how many are still wanted there. */
static int wanted(struct rep_peer *p, uint8_t **ret_at, size_t *ret_len)
{
    size_t head_len = p->state == REP_GREETING ? SP_HELLO_LEN : SP_HEADER_LEN;

    if (p->state != REP_BODY) {
        *ret_at = p->head + p->head_have;
        *ret_len = head_len - p->head_have;
        return 0;
    }
    if (grow_body(p) != 0)
        return -ENOMEM;
    *ret_at = p->body + p->body_have;
    *ret_len = p->body_cap - p->body_have;
    return 0;
}

/* n bytes have come. 1: a message was delivered; 0: more is wanted; -errno: the peer is wrong. */
static int advance(struct rep_peer *p, size_t n)
{
    if (p->state == REP_BODY) {
        p->body_have += n;
        if (p->body_have < p->body_len)
            return 0;
        return take_body(p) == 0 ? 1 : -EPROTO;
    }
    p->head_have += n;
    if (p->state == REP_GREETING)
        return p->head_have < SP_HELLO_LEN ? 0 : take_greeting(p);
    return p->head_have < SP_HEADER_LEN ? 0 : take_header(p);
}

/* Reads at most one message, so that no peer keeps the others waiting. -EPIPE: it is gone. */
static int hear(struct rep_peer *p)
{
    size_t budget = READ_MAX;
    int rc = 0;

    while (rc == 0 && budget > 0) {
        uint8_t *at;
        size_t len;
        ssize_t n;

        if ((rc = wanted(p, &at, &len)) != 0)
            return rc;
        n = recv(p->watch.fd, at, len < budget ? len : budget, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n <= 0)
            return -EPIPE;
        budget -= (size_t)n;
        rc = p->dropped ? 0 : advance(p, (size_t)n);
        if (p->dropped) /* read to the end, which is near, without hearing */
            p->head_have = p->body_have = 0;
    }
    return rc < 0 ? rc : 0;
}

static void on_ready(void *ctx)
{
    struct rep_peer *p = ctx;
    int rc;

    flush(p);
    if (out_left(p) > OUT_PAUSE)
        return;
    rc = hear(p);
    if (rc == 0)
        return;
    if (rc != -EPIPE)
        log_event(LOG_LEVEL_WARN, "peer_dropped", "peer=%u why=\"%s\"", p->id, strerror(-rc));
    hang_up(p);
}

/* ---- coming ---- */

static void on_greeting_over(void *ctx)
{
    hang_up(ctx);
}

/* Only our own user and root may speak to this broker; the directory's mode says the same, this is the second lock. */
static int may_speak(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

static void add_peer(struct rep_socket *s, int fd)
{
    struct rep_peer *p = HASH_COUNT(s->peers) < REP_PEERS && may_speak(fd) ? calloc(1, sizeof(*p)) : NULL;

    if (p == NULL) {
        log_event(LOG_LEVEL_WARN, "peer_refused", "connections=%u", HASH_COUNT(s->peers));
        close(fd);
        return;
    }
    p->socket = s;
    p->id = ++s->last_id;
    p->watch = (struct loop_watch){ fd, on_ready, p };
    p->greeting = (struct timer){ .fn = on_greeting_over, .ctx = p };
    p->events = EPOLLIN;
    HASH_ADD(hh, s->peers, id, sizeof(p->id), p);
    if (loop_add(s->loop, &p->watch) != 0 || timers_arm(&s->loop->timers, &p->greeting, s->loop->now_us + GREETING_US) != 0 ||
        append(p, greeting_ours, sizeof(greeting_ours)) != 0)
        hang_up(p);
    else
        flush(p);
}

static void on_accept(void *ctx)
{
    struct rep_socket *s = ctx;
    int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        add_peer(s, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        log_event(LOG_LEVEL_ERROR, "accept_failed", "error=\"%s\"", strerror(errno));
        loop_del(s->loop, &s->listener);
        timers_arm(&s->loop->timers, &s->accept_again, s->loop->now_us + ACCEPT_PAUSE_US);
    }
}

static void on_accept_again(void *ctx)
{
    struct rep_socket *s = ctx;

    loop_add(s->loop, &s->listener);
}

static int listen_at(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd, rc = 0;

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);
    unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || chmod(path, 0600) != 0 || listen(fd, BACKLOG) != 0) {
        rc = -errno;
        close(fd);
    }
    return rc != 0 ? rc : fd;
}

int rep_open(struct rep_socket *s, struct loop *l, const char *path, size_t max_body, const struct rep_handler *h)
{
    int fd = listen_at(path);

    *s = (struct rep_socket){ .loop = l, .handler = *h, .max_body = max_body };
    s->listener = (struct loop_watch){ fd, on_accept, s };
    s->accept_again = (struct timer){ .fn = on_accept_again, .ctx = s };
    if (fd < 0) {
        log_event(LOG_LEVEL_ERROR, "listen_failed", "path=%s error=\"%s\"", path, strerror(-fd));
        return fd;
    }
    return loop_add(l, &s->listener);
}

void rep_close(struct rep_socket *s)
{
    struct rep_peer *p, *next;

    if (s->loop == NULL)
        return;
    timers_cancel(&s->loop->timers, &s->accept_again);
    HASH_ITER (hh, s->peers, p, next) {
        peer_free(p);
    }
    if (s->listener.fd >= 0) {
        loop_del(s->loop, &s->listener);
        close(s->listener.fd);
    }
    s->loop = NULL;
}
