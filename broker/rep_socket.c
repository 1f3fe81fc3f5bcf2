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
#include "sp_stream.h"

enum {
    BACKLOG = 128,
    GREETING_US = 10000000, /* to say the eight bytes */
    ACCEPT_PAUSE_US = 100000,
    READ_MAX = 256 << 10,  /* of one peer in one round */
    OUT_PAUSE = 256 << 10, /* unread replies beyond which a peer is not heard */
};

struct rep_peer {
    struct rep_socket *socket;
    uint32_t id;
    struct loop_watch watch;
    struct sp_stream stream;
    struct timer greeting;
    bool owes_room;  /* a reply had to wait since on_room() was called */
    int greeted;     /* and said so to the handler */
    int dropped;     /* nothing it says counts any more */
    uint32_t events; /* what epoll watches for */
    UT_hash_handle hh;
};

/* ---- going ---- */

static void peer_free(struct rep_peer *p)
{
    struct rep_socket *s = p->socket;

    timers_cancel(&s->loop->timers, &p->greeting);
    loop_del(s->loop, &p->watch);
    HASH_DEL(s->peers, p);
    sp_stream_finish(&p->stream);
    free(p);
}

static void hang_up(struct rep_peer *p)
{
    struct rep_handler *h = &p->socket->handler;

    p->dropped = 1;
    if (p->greeted)
        h->on_peer(h->ctx, p->id, 0);
    peer_free(p);
}

static struct rep_peer *find(struct rep_socket *s, uint32_t id)
{
    struct rep_peer *p;

    HASH_FIND(hh, s->peers, &id, sizeof(id), p);
    return p;
}

void rep_drop(struct rep_socket *s, uint32_t peer)
{
    struct rep_peer *p = find(s, peer);

    if (p == NULL)
        return;
    p->dropped = 1;
    shutdown(p->watch.fd, SHUT_RDWR); /* the next round reads its end */
}

/* ---- out ---- */

static void flush(struct rep_peer *p)
{
    uint32_t want;

    sp_stream_flush(&p->stream);
    p->owes_room |= sp_stream_unsent(&p->stream) > 0;
    want = (p->owes_room ? EPOLLOUT : 0) | /* also when a send found room: on_room is never called from within one */
           (sp_stream_unsent(&p->stream) <= OUT_PAUSE ? EPOLLIN : 0);
    if (want != p->events && loop_change(p->socket->loop, &p->watch, want) == 0)
        p->events = want;
}

void rep_send(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m)
{
    rep_send_fd(s, way, m, -1);
}

size_t rep_fds_unread(struct rep_socket *s, uint32_t peer)
{
    struct rep_peer *p = find(s, peer);

    return p != NULL ? sp_stream_fds_unread(&p->stream) : 0;
}

void rep_sent(struct rep_socket *s, uint32_t peer, uint64_t *ret_put, uint64_t *ret_sent)
{
    struct rep_peer *p = find(s, peer);

    *ret_put = p != NULL ? p->stream.put : 0;
    *ret_sent = p != NULL ? p->stream.sent : 0;
}

int rep_take_fd(struct rep_socket *s, uint32_t peer)
{
    struct rep_peer *p = find(s, peer);

    return p != NULL ? sp_stream_take_fd(&p->stream) : -1;
}

void rep_send_fd(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m, int fd)
{
    struct rep_peer *p = find(s, way.peer);
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *at;

    if (p == NULL || p->dropped)
        return;
    if (sp_stream_unsent(&p->stream) + len > REP_OUT_MAX || (at = sp_stream_frame_dup(&p->stream, SP_REQUEST_ID + len, fd)) == NULL) {
        rep_drop(s, way.peer); /* it would wait for ever for this one */
        return;
    }
    sp_request_id_put(at, way.request);
    protobuf_c_message_pack(m, at + SP_REQUEST_ID);
    flush(p);
}

/* ---- in ---- */

static void note_greeting(struct rep_peer *p)
{
    struct rep_socket *s = p->socket;

    p->greeted = 1;
    timers_cancel(&s->loop->timers, &p->greeting);
    s->handler.on_peer(s->handler.ctx, p->id, 1);
}

static int deliver(struct rep_peer *p, const uint8_t *body, size_t len)
{
    struct rep_socket *s = p->socket;
    struct rep_way way = { .peer = p->id };

    if (len < SP_REQUEST_ID)
        return -EPROTO;
    way.request = sp_request_id_get(body);
    if ((way.request & 0x80000000u) == 0)
        return -EPROTO;
    s->handler.on_message(s->handler.ctx, way, body + SP_REQUEST_ID, len - SP_REQUEST_ID);
    return 0;
}

/* All that waited has been read. */
static void tell_of_room(struct rep_peer *p)
{
    const struct rep_handler *h = &p->socket->handler;

    flush(p);
    if (!p->owes_room || sp_stream_unsent(&p->stream) > 0)
        return;
    p->owes_room = false;
    flush(p);
    if (p->greeted && h->on_room != NULL)
        h->on_room(h->ctx, p->id);
}

/* At most one message, so that no peer keeps the others waiting. A handler may drop the peer, but not free it. */
static void on_ready(void *ctx)
{
    struct rep_peer *p = ctx;
    uint8_t *body;
    size_t len;
    int rc;

    tell_of_room(p);
    if (sp_stream_unsent(&p->stream) > OUT_PAUSE)
        return;
    rc = sp_stream_hear(&p->stream, READ_MAX, &body, &len);
    if (rc >= 0 && p->stream.greeted && !p->greeted && !p->dropped)
        note_greeting(p);
    if (rc == 1) {
        rc = p->dropped ? 0 : deliver(p, body, len);
        sp_stream_drop_fd(&p->stream); /* nobody wanted it */
        free(body);
    }
    if (rc >= 0)
        return;
    if (rc != -EPIPE && !p->dropped)
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
    p->stream.fd = fd;
    p->greeting = (struct timer){ .fn = on_greeting_over, .ctx = p };
    p->events = EPOLLIN;
    HASH_ADD(hh, s->peers, id, sizeof(p->id), p);
    if (loop_add(s->loop, &p->watch) != 0 || timers_arm(&s->loop->timers, &p->greeting, s->loop->now_us + GREETING_US) != 0 ||
        sp_stream_init(&p->stream, fd, SP_PROTO_REP0, SP_PROTO_REQ0, s->max_body + SP_REQUEST_ID) != 0)
        hang_up(p);
    else {
        p->stream.takes_fds = true;
        flush(p);
    }
}

/* A pause without hearing of it: the listener stays ready. Whoever waits in its queue is heard in the end. */
static void starve(struct rep_socket *s, int error)
{
    if (!s->starved)
        log_event(LOG_LEVEL_ERROR, "accept_failed", "connections=%u error=\"%s\"", HASH_COUNT(s->peers), strerror(error));
    s->starved = 1;
    loop_del(s->loop, &s->listener);
    timers_arm(&s->loop->timers, &s->accept_again, s->loop->now_us + ACCEPT_PAUSE_US);
}

static void on_accept(void *ctx)
{
    struct rep_socket *s = ctx;
    int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        starve(s, errno);
        return;
    }
    if (s->starved)
        log_event(LOG_LEVEL_INFO, "accept_works", "connections=%u", HASH_COUNT(s->peers));
    s->starved = 0;
    if (fd >= 0)
        add_peer(s, fd);
}

int rep_starved(const struct rep_socket *s)
{
    return s->starved;
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
