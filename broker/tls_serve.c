/*
 * tls_serve.c - the process that speaks TLS with strangers, and passes on what is inside; see tls_front.h.
 *
 * Each connection: a handshake within HANDSHAKE_MS, then two buffers of 16 KiB, one each way, and nothing is read where one is full. What ends on
 * one side is ended on the other when what lay between has been passed on.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "broker/janitor_seal.h"
#include "broker/tls_front.h"
#include "broker/tls_keys.h"
#include "log.h"

enum {
    CONNECTIONS = 768, /* more than the broker takes: it knows who has logged in, and whom to let go for a newcomer */
    OF_ADDRESS = 80,   /* the same */
    HANDSHAKES = 128,  /* at once; then the oldest gives way */
    HANDSHAKES_OF_ADDRESS = 16,
    HANDSHAKE_MS = 10000,
    LINGER_MS = 2000, /* after our last word, for the peer to take it */
    LOOK_MS = 1000,   /* at who is late */
    BUFFER = 16384,
    TURNS = 4, /* of one connection before the next */
    PAUSE_MS = 100,
    NICE = 5, /* whoever is in the queue for a handshake shall not be in that of the broker */
};

enum state { HANDSHAKE, OPEN, LINGER };

struct end {
    struct connection *of; /* NULL: the listener, or the broker */
    int fd;
    uint32_t events;
};

struct connection {
    enum state state;
    struct end tcp, plain;
    mbedtls_ssl_context ssl;
    char address[48];
    uint64_t deadline_ms;
    int wants; /* MBEDTLS_ERR_SSL_WANT_..., of what was tried last */
    uint8_t in[BUFFER], out[BUFFER];
    size_t in_at, in_len, out_at, out_len; /* in: from the peer */
    bool out_ended, dead;
    struct connection *next, **at;
};

struct server {
    int listener, broker, epoll;
    struct end listener_end, broker_end;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    struct connection *all;
    uint64_t pause_until_ms; /* out of descriptors; 0: accepting */
};

/* clang-format off */
static const int calls[] = {
    SYS_read, SYS_write, SYS_writev, SYS_recvfrom, SYS_sendto, SYS_recvmsg, SYS_sendmsg, SYS_accept4, SYS_socketpair, SYS_setsockopt,
    SYS_shutdown, SYS_close, SYS_epoll_pwait, SYS_epoll_ctl, SYS_clock_gettime, SYS_gettimeofday, SYS_getrandom, SYS_mmap, SYS_munmap,
    SYS_mremap, SYS_brk, SYS_madvise, SYS_futex, SYS_getpid, SYS_rt_sigreturn, SYS_exit_group, SYS_fcntl, SYS_fstat, SYS_newfstatat,
    SYS_restart_syscall,
#if defined(__x86_64__)
    SYS_epoll_wait, SYS_time,
#endif
};

/* Forward secret and authenticated, no others. */
static const int suites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, 0,
};
/* clang-format on */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- what mbedTLS reads and writes by ----------------------------------------------------------------------------------------------- */

static int tcp_send(void *ctx, const unsigned char *bytes, size_t len)
{
    ssize_t n = send(((struct connection *)ctx)->tcp.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int tcp_recv(void *ctx, unsigned char *bytes, size_t len)
{
    ssize_t n = recv(((struct connection *)ctx)->tcp.fd, bytes, len, MSG_DONTWAIT);

    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* ---- life of a connection ------------------------------------------------------------------------------------------------------------ */

static void set_events(struct server *s, struct end *e, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = e };

    if (e->fd >= 0 && e->events != events && epoll_ctl(s->epoll, EPOLL_CTL_MOD, e->fd, &ev) == 0)
        e->events = events;
}

static int watch(struct server *s, struct end *e, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = e };

    e->events = events;
    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, e->fd, &ev) == 0 ? 0 : -errno;
}

/* Not freed before the round is over: an event of its other end may be in the same batch. */
static void kill_connection(struct connection *c)
{
    if (c->plain.fd >= 0)
        close(c->plain.fd);
    if (c->tcp.fd >= 0)
        close(c->tcp.fd);
    c->tcp.fd = c->plain.fd = -1;
    c->dead = true;
}

static void bury(struct server *s)
{
    for (struct connection *c = s->all, *next; c != NULL; c = next) {
        next = c->next;
        if (!c->dead)
            continue;
        *c->at = c->next;
        if (c->next != NULL)
            c->next->at = c->at;
        mbedtls_ssl_free(&c->ssl);
        free(c);
    }
}

static int tell_broker(struct server *s, const struct connection *c, int fd)
{
    struct tls_arrival a = { "" };
    struct iovec v = { &a, sizeof(a) };
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&m);

    memcpy(a.address, c->address, sizeof(a.address));
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(int));
    return sendmsg(s->broker, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(a) ? 0 : -errno;
}

/* Known to be somebody who speaks TLS: now the broker hears of it. */
static int open_plain(struct server *s, struct connection *c)
{
    int pair[2], rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return -errno;
    rc = tell_broker(s, c, pair[1]);
    close(pair[1]);
    c->plain.fd = pair[0];
    return rc != 0 ? rc : watch(s, &c->plain, EPOLLIN);
}

/* ---- passing on ---------------------------------------------------------------------------------------------------------------------- */

static bool is_want(int rc)
{
    return rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* 1: something was passed on, 0: not now, -1: it is over. */
static int pass_in(struct connection *c)
{
    ssize_t n;
    int rc;

    if (c->in_len > 0) {
        n = send(c->plain.fd, c->in + c->in_at, c->in_len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        c->in_at += (size_t)n;
        c->in_len -= (size_t)n;
        return 1;
    }
    rc = mbedtls_ssl_read(&c->ssl, c->in, sizeof(c->in));
    if (is_want(rc)) {
        c->wants = rc;
        return 0;
    }
    if (rc <= 0)
        return -1;
    c->in_at = 0;
    c->in_len = (size_t)rc;
    return 1;
}

static int pass_out(struct connection *c)
{
    ssize_t n;
    int rc;

    if (c->out_len > 0) {
        rc = mbedtls_ssl_write(&c->ssl, c->out + c->out_at, c->out_len);
        if (is_want(rc)) {
            c->wants = rc;
            return 0;
        }
        if (rc < 0)
            return -1;
        c->out_at += (size_t)rc;
        c->out_len -= (size_t)rc;
        return 1;
    }
    if (c->out_ended)
        return 0;
    n = recv(c->plain.fd, c->out, sizeof(c->out), MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    c->out_at = 0;
    c->out_len = (size_t)n;
    c->out_ended = n == 0;
    return n > 0;
}

/* The broker hung up, and all it said has been written: the peer is to get that before the reset that unread bytes of it would make. */
static void begin_linger(struct server *s, struct connection *c)
{
    (void)mbedtls_ssl_close_notify(&c->ssl);
    (void)shutdown(c->tcp.fd, SHUT_WR);
    close(c->plain.fd);
    c->plain.fd = -1;
    c->deadline_ms = now_ms() + LINGER_MS;
    c->state = LINGER;
    set_events(s, &c->tcp, EPOLLIN);
}

static void linger(struct connection *c)
{
    for (int i = 0; i < TURNS; i++) {
        ssize_t n = recv(c->tcp.fd, c->in, sizeof(c->in), MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            kill_connection(c);
        if (n <= 0)
            return;
    }
}

static void shake(struct server *s, struct connection *c)
{
    int rc = mbedtls_ssl_handshake(&c->ssl);

    if (is_want(rc)) {
        set_events(s, &c->tcp, rc == MBEDTLS_ERR_SSL_WANT_WRITE ? EPOLLOUT : EPOLLIN);
        return;
    }
    if (rc != 0 || open_plain(s, c) != 0) {
        kill_connection(c);
        return;
    }
    c->state = OPEN;
    c->deadline_ms = UINT64_MAX;
}

static void pass(struct server *s, struct connection *c)
{
    int in = 1, out = 1;

    c->wants = 0;
    for (int i = 0; i < TURNS && (in > 0 || out > 0); i++) {
        in = pass_in(c);
        out = in < 0 ? 0 : pass_out(c);
        if (in < 0 || out < 0) {
            kill_connection(c);
            return;
        }
    }
    if (c->out_ended && c->out_len == 0) {
        begin_linger(s, c);
        return;
    }
    set_events(s, &c->tcp, (c->in_len == 0 ? EPOLLIN : 0) | (c->out_len > 0 || c->wants == MBEDTLS_ERR_SSL_WANT_WRITE ? EPOLLOUT : 0));
    set_events(s, &c->plain, (c->out_len == 0 ? EPOLLIN : 0) | (c->in_len > 0 ? EPOLLOUT : 0));
}

static void turn(struct server *s, struct connection *c)
{
    if (!c->dead && c->state == HANDSHAKE)
        shake(s, c);
    if (!c->dead && c->state == OPEN)
        pass(s, c);
    if (!c->dead && c->state == LINGER)
        linger(c);
}

/* ---- coming -------------------------------------------------------------------------------------------------------------------------- */

/* An IPv6 network of 64 bits is one address to us: whoever has one has all of it. */
static void put_address(const struct sockaddr_storage *from, char ret[48])
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    struct in6_addr net;

    ret[0] = '\0';
    if (from->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, ret, 48);
    } else if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        (void)inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], ret, 48);
    } else {
        net = six->sin6_addr;
        memset(net.s6_addr + 8, 0, 8);
        (void)inet_ntop(AF_INET6, &net, ret, 44);
        strcat(ret, "/64");
    }
}

/* The list begins with the newest. */
static struct connection *oldest_handshake(const struct server *s)
{
    struct connection *oldest = NULL;

    for (struct connection *c = s->all; c != NULL; c = c->next)
        if (!c->dead && c->state == HANDSHAKE)
            oldest = c;
    return oldest;
}

/* Many addresses that begin and do not go on keep nobody out: who has had the longest time gives way. */
static bool make_place(const struct server *s, const char *address)
{
    unsigned there = 0, same = 0, shaking = 0, handshakes = 0;

    for (const struct connection *c = s->all; c != NULL; c = c->next) {
        bool is_same = strcmp(c->address, address) == 0;

        if (c->dead)
            continue;
        there++;
        same += is_same;
        handshakes += c->state == HANDSHAKE;
        shaking += is_same && c->state == HANDSHAKE;
    }
    if (there >= CONNECTIONS || same >= OF_ADDRESS || shaking >= HANDSHAKES_OF_ADDRESS)
        return false;
    if (handshakes >= HANDSHAKES)
        kill_connection(oldest_handshake(s));
    return true;
}

static void add(struct server *s, int fd, const struct sockaddr_storage *from)
{
    int on = 1, idle = 60;
    struct connection *c;
    char address[48];

    put_address(from, address);
    c = make_place(s, address) ? calloc(1, sizeof(*c)) : NULL;
    if (c == NULL) {
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    c->tcp = (struct end){ .of = c, .fd = fd };
    c->plain = (struct end){ .of = c, .fd = -1 };
    c->deadline_ms = now_ms() + HANDSHAKE_MS;
    memcpy(c->address, address, sizeof(address));
    mbedtls_ssl_init(&c->ssl);
    c->at = &s->all;
    c->next = s->all;
    if (c->next != NULL)
        c->next->at = &c->next;
    s->all = c;
    if (mbedtls_ssl_setup(&c->ssl, &s->config) != 0 || watch(s, &c->tcp, EPOLLIN) != 0) {
        kill_connection(c);
        return;
    }
    mbedtls_ssl_set_bio(&c->ssl, c, tcp_send, tcp_recv, NULL);
}

static void on_accept(struct server *s)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    int fd = accept4(s->listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        add(s, fd, &from);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        s->pause_until_ms = now_ms() + PAUSE_MS;
        set_events(s, &s->listener_end, 0);
    }
}

/* Who is late goes. Returns how long to sleep. */
static int look_at_clock(struct server *s)
{
    uint64_t now = now_ms();
    bool timed = false;

    if (s->pause_until_ms != 0 && now >= s->pause_until_ms) {
        s->pause_until_ms = 0;
        set_events(s, &s->listener_end, EPOLLIN);
    }
    for (struct connection *c = s->all; c != NULL; c = c->next) {
        if (now >= c->deadline_ms)
            kill_connection(c);
        timed |= c->deadline_ms != UINT64_MAX;
    }
    return s->pause_until_ms != 0 ? PAUSE_MS : timed ? LOOK_MS : -1;
}

static _Noreturn void serve(struct server *s)
{
    struct epoll_event batch[64];

    for (;;) {
        int wait_ms = look_at_clock(s), n;

        bury(s);
        n = epoll_wait(s->epoll, batch, 64, wait_ms);
        for (int i = 0; i < n; i++) {
            struct end *e = batch[i].data.ptr;

            if (e == &s->broker_end)
                _exit(0); /* it says nothing, so it has gone */
            if (e == &s->listener_end)
                on_accept(s);
            else
                turn(s, e->of);
        }
    }
}

/* ---- beginning ------------------------------------------------------------------------------------------------------------------------ */

static int configure(struct server *s, const struct tls_keys *keys)
{
    mbedtls_ssl_config *c = &s->config;

    mbedtls_entropy_init(&s->entropy);
    mbedtls_ctr_drbg_init(&s->random);
    mbedtls_ssl_config_init(c);
    if (mbedtls_ctr_drbg_seed(&s->random, mbedtls_entropy_func, &s->entropy, (const unsigned char *)"coop-tls", 8) != 0 ||
        mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return -EIO;
    mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &s->random);
    mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3); /* TLS 1.2, the newest that it has */
    mbedtls_ssl_conf_ciphersuites(c, suites);
    mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_NONE); /* of clients: they have tokens */
    mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_session_tickets(c, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    return mbedtls_ssl_conf_own_cert(c, (mbedtls_x509_crt *)&keys->cert, (mbedtls_pk_context *)&keys->key) == 0 ? 0 : -EINVAL;
}

_Noreturn void tls_serve(int listener, int broker, const struct tls_keys *keys)
{
    static struct server s;
    int *kept[] = { &s.listener, &s.broker, &s.epoll };
    int rc;

    s.listener = listener;
    s.broker = broker;
    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    (void)setpriority(PRIO_PROCESS, 0, NICE);
    rc = s.epoll < 0 ? -errno : configure(&s, keys);
    if (rc == 0)
        rc = process_seal(kept, 3, calls, sizeof(calls) / sizeof(calls[0]));
    s.listener_end = (struct end){ .fd = s.listener };
    s.broker_end = (struct end){ .fd = s.broker };
    if (rc == 0 && (rc = watch(&s, &s.listener_end, EPOLLIN)) == 0)
        rc = watch(&s, &s.broker_end, EPOLLIN);
    if (rc != 0) {
        log_event(LOG_LEVEL_ERROR, "tls_front_failed", "error=\"%s\"", strerror(-rc));
        _exit(1);
    }
    serve(&s);
}
