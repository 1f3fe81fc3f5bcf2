/* req_dial.c - where a broker is, and a stream to it; see req_socket.h. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/endpoint.h"
#include "client/req_own.h"

/* ---- a stream ------------------------------------------------------------------------------------------------------------------ */

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

static int begin_stream(struct req_socket *s, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    return sp_stream_init(&s->stream, fd, SP_PROTO_REQ0, SP_PROTO_REP0, s->max_body + SP_REQUEST_ID) == 0 ? 0 : -ENOMEM;
}

static int watch_stream(struct req_socket *s, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.fd = s->stream.fd };

    s->events = events;
    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->stream.fd, &ev) == 0 ? 0 : -errno;
}

static int connect_unix(struct req_socket *s)
{
    int rc = begin_stream(s, AF_UNIX);

    if (rc != 0)
        return rc;
    s->stream.takes_fds = true;
    if (connect(s->stream.fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) != 0)
        return errno == ENOENT ? -ECONNREFUSED : -errno; /* EAGAIN: its queue is full, it lives */
    rc = watch_stream(s, EPOLLIN);
    return rc == 0 ? check_peer(s) : rc;
}

/* Who it is comes out in the handshake. */
static int connect_tls(struct req_socket *s)
{
    int rc = begin_stream(s, s->name->ai_family), on = 1;

    s->words[0] = '\0';
    s->hint = NULL;
    if (rc != 0)
        return rc;
    (void)setsockopt(s->stream.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    s->link = tls_link_new(s->tls, s->stream.fd, s->host);
    if (s->link == NULL)
        return -ENOMEM;
    s->stream.io = &tls_link_io;
    s->stream.io_ctx = s->link;
    if (connect(s->stream.fd, s->name->ai_addr, s->name->ai_addrlen) != 0 && errno != EINPROGRESS)
        return -errno;
    return watch_stream(s, EPOLLIN | EPOLLOUT);
}

int req_connect(struct req_socket *s)
{
    return s->names != NULL ? connect_tls(s) : connect_unix(s);
}

/* ---- a socket: nothing is dialled yet --------------------------------------------------------------------------------------------- */

static int open_common(size_t max_body, struct req_socket **ret)
{
    struct req_socket *s = calloc(1, sizeof(*s));
    struct epoll_event ev = { .events = EPOLLIN };

    if (s == NULL)
        return -ENOMEM;
    s->max_body = max_body;
    s->stream.fd = -1;
    s->redial_ms = REQ_REDIAL_MIN_MS;
    s->link_at_ms = s->armed_ms = REQ_NEVER;
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

int req_open(const char *path, size_t max_body, struct req_socket **ret)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int rc;

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    rc = open_common(max_body, ret);
    if (rc == 0) {
        (*ret)->addr = addr;
        strcpy((*ret)->addr.sun_path, path);
    }
    return rc;
}

static int look_up(struct req_socket *s, const struct tls_address *at, char why[REQ_WHY])
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    int rc = getaddrinfo(at->host, at->port, &hints, &s->names);

    if (rc != 0) {
        s->names = NULL;
        snprintf(why, REQ_WHY, "%s: %s", at->host, gai_strerror(rc));
        return rc == EAI_AGAIN ? -EAGAIN : -ENOENT;
    }
    s->name = s->names;
    snprintf(s->host, sizeof(s->host), "%s", at->host);
    return 0;
}

int req_open_tls(const struct tls_address *at, const char *ca, size_t max_body, struct req_socket **ret, char why[REQ_WHY])
{
    struct req_socket *s = NULL;
    int rc = open_common(max_body, &s);

    if (rc != 0) {
        snprintf(why, REQ_WHY, "%s", strerror(-rc));
        return rc;
    }
    rc = tls_context_new(ca, &s->tls, why);
    if (rc == 0)
        rc = look_up(s, at, why);
    if (rc == 0)
        *ret = s;
    else
        req_close(s);
    return rc;
}
