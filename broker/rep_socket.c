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
    MUCH = 512 << 10,      /* held for one peer: from then on it is counted what its origin has */
    OUT_PAUSE = 256 << 10, /* unread replies beyond which a peer is not heard */
};

struct rep_peer {
    struct rep_socket *socket;
    uint32_t id;
    struct rep_origin from;
    bool own; /* our own user or root: none of the bounds of others */
    struct loop_watch watch;
    struct sp_stream stream;
    struct timer greeting;
    struct timer room; /* armed when all has been sent, until the handler is told */
    int owes_room;     /* something has waited to be sent since it was */
    int greeted;       /* and said so to the handler */
    bool known;        /* somebody's, by rep_know(); local ones are by their uid */
    int dropped;       /* nothing it says counts any more */
    uint32_t events;   /* what epoll watches for */
    UT_hash_handle hh;
};

/* ---- going ---- */

static void peer_free(struct rep_peer *p)
{
    struct rep_socket *s = p->socket;

    timers_cancel(&s->loop->timers, &p->greeting);
    timers_cancel(&s->loop->timers, &p->room);
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

/* ---- whose ---- */

static bool is_same(const struct rep_origin *a, const struct rep_origin *b)
{
    return a->local == b->local && (a->local ? a->uid == b->uid : strcmp(a->address, b->address) == 0);
}

static size_t held(const struct rep_peer *p)
{
    return p->stream.body_cap + p->stream.out_cap;
}

/* A stranger may have as much as REP_ORIGIN_BYTES of our memory, over however many connections. */
static bool has_too_much(const struct rep_peer *p)
{
    size_t sum = 0;

    if (p->own || held(p) <= MUCH)
        return false;
    for (struct rep_peer *q = p->socket->peers; q != NULL; q = q->hh.next)
        if (is_same(&q->from, &p->from))
            sum += held(q);
    return sum > REP_ORIGIN_BYTES;
}

/* ---- out ---- */

static void on_room_due(void *ctx)
{
    struct rep_peer *p = ctx;
    struct rep_handler *h = &p->socket->handler;

    if (!p->owes_room || sp_stream_unsent(&p->stream) > 0)
        return;
    p->owes_room = 0;
    if (p->greeted && h->on_room != NULL)
        h->on_room(h->ctx, p->id);
}

/* The last byte may go out with any send: then nothing is left for epoll to tell of. Not told in here: who sends may be walking its lists. */
static void flush(struct rep_peer *p)
{
    uint32_t want;

    sp_stream_flush(&p->stream);
    if (sp_stream_unsent(&p->stream) > 0)
        p->owes_room = 1;
    else if (p->owes_room && p->room.place == 0)
        (void)timers_arm(&p->socket->loop->timers, &p->room, p->socket->loop->now_us);
    want = (sp_stream_unsent(&p->stream) > 0 ? EPOLLOUT : 0) | (sp_stream_unsent(&p->stream) <= OUT_PAUSE ? EPOLLIN : 0);
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
    if (has_too_much(p)) {
        log_event(LOG_LEVEL_WARN, "peer_dropped", "peer=%u why=\"replies that it does not read\"", p->id);
        rep_drop(s, way.peer);
    }
}

/* ---- in ---- */

static void note_greeting(struct rep_peer *p)
{
    struct rep_socket *s = p->socket;

    p->greeted = 1;
    if (p->known)
        timers_cancel(&s->loop->timers, &p->greeting);
    else
        (void)timers_arm(&s->loop->timers, &p->greeting, s->loop->now_us + REP_LOGIN_US); /* an armed one is moved, which takes no memory */
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

/* At most one message, so that no peer keeps the others waiting. A handler may drop the peer, but not free it. */
static void on_ready(void *ctx)
{
    struct rep_peer *p = ctx;
    uint8_t *body;
    size_t len;
    int rc;

    flush(p);
    if (sp_stream_unsent(&p->stream) > OUT_PAUSE)
        return;
    rc = sp_stream_hear(&p->stream, READ_MAX, &body, &len);
    if (rc == 0 && has_too_much(p))
        rc = -EDQUOT;
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

static int credentials(int fd, struct rep_origin *ret)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return -errno;
    *ret = (struct rep_origin){ .local = true, .uid = peer.uid };
    return 0;
}

static bool is_own(const struct rep_origin *from)
{
    return from->local && (from->uid == geteuid() || from->uid == 0);
}

/* No stranger takes so many places that others, or we, find none. */
static bool has_place(const struct rep_socket *s, const struct rep_origin *from)
{
    unsigned same = 0, remote = 0, others = 0;

    if (HASH_COUNT(s->peers) >= REP_PEERS)
        return false;
    if (is_own(from))
        return true;
    for (const struct rep_peer *p = s->peers; p != NULL; p = p->hh.next) {
        same += is_same(&p->from, from);
        remote += !p->from.local;
        others += !p->own;
    }
    return others < REP_PEERS_OTHERS && same < (from->local ? REP_PEERS_UID : REP_PEERS_ADDRESS) &&
           (from->local || remote < REP_PEERS_REMOTE);
}

/* The directory's mode says the same where the broker is not shared; this is the second lock. */
static bool may_connect(struct rep_socket *s, const struct rep_origin *from)
{
    const struct rep_handler *h = &s->handler;

    if (!has_place(s, from))
        return false;
    return h->may_connect != NULL ? h->may_connect(h->ctx, from) : is_own(from);
}

/* Whoever has not said who it is gives way, the oldest first: of the newcomer's own address when that has its share, else of all from afar. */
static void make_place(struct rep_socket *s, const struct rep_origin *from)
{
    struct rep_peer *of_all = NULL, *of_own = NULL;
    unsigned same = 0;

    for (struct rep_peer *p = s->peers; p != NULL; p = p->hh.next) { /* in the order of their coming */
        bool is_own_address = is_same(&p->from, from);

        same += is_own_address;
        if (p->known)
            continue;
        if (of_all == NULL)
            of_all = p;
        if (of_own == NULL && is_own_address)
            of_own = p;
    }
    if (same >= REP_PEERS_ADDRESS)
        of_all = of_own;
    if (of_all != NULL)
        hang_up(of_all);
}

void rep_know(struct rep_socket *s, uint32_t peer)
{
    struct rep_peer *p = find(s, peer);

    if (p == NULL || p->known)
        return;
    p->known = true;
    timers_cancel(&s->loop->timers, &p->greeting);
}

void rep_adopt(struct rep_socket *s, int fd, const struct rep_origin *from)
{
    struct rep_peer *p;

    if (!from->local && !has_place(s, from))
        make_place(s, from);
    p = may_connect(s, from) ? calloc(1, sizeof(*p)) : NULL;
    if (p == NULL) {
        log_event(LOG_LEVEL_WARN, "peer_refused", "connections=%u uid=%d address=%s", HASH_COUNT(s->peers), (int)from->uid, from->address);
        close(fd);
        return;
    }
    p->socket = s;
    p->id = ++s->last_id;
    p->from = *from;
    p->own = is_own(from);
    p->known = from->local;
    p->watch = (struct loop_watch){ fd, on_ready, p };
    p->stream.fd = fd;
    p->greeting = (struct timer){ .fn = on_greeting_over, .ctx = p };
    p->room = (struct timer){ .fn = on_room_due, .ctx = p };
    p->events = EPOLLIN;
    HASH_ADD(hh, s->peers, id, sizeof(p->id), p);
    if (loop_add(s->loop, &p->watch) != 0 || timers_arm(&s->loop->timers, &p->greeting, s->loop->now_us + GREETING_US) != 0 ||
        sp_stream_init(&p->stream, fd, SP_PROTO_REP0, SP_PROTO_REQ0, s->max_body + SP_REQUEST_ID) != 0)
        hang_up(p);
    else {
        p->stream.takes_fds = from->local;
        flush(p);
    }
}

const struct rep_origin *rep_origin_of(struct rep_socket *s, uint32_t peer)
{
    const struct rep_peer *p = find(s, peer);

    return p != NULL ? &p->from : NULL;
}

static void add_peer(struct rep_socket *s, int fd)
{
    struct rep_origin from;

    if (credentials(fd, &from) != 0)
        close(fd);
    else
        rep_adopt(s, fd, &from);
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

static int listen_at(const char *path, mode_t mode)
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
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || chmod(path, mode) != 0 || listen(fd, BACKLOG) != 0) {
        rc = -errno;
        close(fd);
    }
    return rc != 0 ? rc : fd;
}

int rep_open(struct rep_socket *s, struct loop *l, const char *path, mode_t mode, size_t max_body, const struct rep_handler *h)
{
    int fd = listen_at(path, mode);

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
