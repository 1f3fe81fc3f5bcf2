/* tls_front.c - the broker's end; see tls_front.h. */
#include "broker/tls_front.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broker/rep_socket.h"
#include "broker/tls_keys.h"
#include "log.h"
#include "tls_address.h"

enum {
    BACKLOG = 128,
    AGAIN_US = 200000, /* before one that died is made again */
    FINISH_MS = 5000,
};

/* ---- listening --------------------------------------------------------------------------------------------------------------------- */

static int bind_to(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0, rc = 0;

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* "*" is all there is */
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        rc = -errno;
        close(fd);
    }
    return rc != 0 ? rc : fd;
}

static int listen_at(const struct tls_address *at, char why[TLS_FRONT_WHY])
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(strcmp(at->host, "*") == 0 ? NULL : at->host, at->port, &hints, &list), fd = -EADDRNOTAVAIL;

    if (rc != 0) {
        snprintf(why, TLS_FRONT_WHY, "--listen %s: %s", at->host, gai_strerror(rc));
        return -EINVAL;
    }
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next)
        if (strcmp(at->host, "*") != 0 || a->ai_family == AF_INET6)
            fd = bind_to(a);
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) /* no IPv6 here */
        fd = bind_to(a);
    freeaddrinfo(list);
    if (fd < 0)
        snprintf(why, TLS_FRONT_WHY, "--listen %s port %s: %s", at->host, at->port, strerror(-fd));
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);

    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return 0;
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port : ((struct sockaddr_in *)&at)->sin_port);
}

int tls_front_listen(struct tls_front *f, const struct config *c, char why[TLS_FRONT_WHY])
{
    struct tls_address at;
    int rc;

    *f = (struct tls_front){ .listener = -1, .config = c, .watch = { .fd = -1 } };
    if (c->listen[0] == '\0')
        return 0;
    if (!tls_address_parse(c->listen, &at)) {
        snprintf(why, TLS_FRONT_WHY, "--listen %.200s: wants " TLS_SCHEME "HOST:PORT", c->listen);
        return -EINVAL;
    }
    if (c->tls_cert[0] == '\0' || c->tls_key[0] == '\0') {
        snprintf(why, TLS_FRONT_WHY, "--listen wants --tls-cert FILE and --tls-key FILE; coop cert DIR --host NAME makes a first pair");
        return -EINVAL;
    }
    rc = tls_keys_read(c->tls_cert, c->tls_key, &f->keys, why, TLS_FRONT_WHY);
    if (rc != 0)
        return rc;
    rc = listen_at(&at, why);
    if (rc < 0)
        return rc;
    f->listener = rc;
    f->port = port_of(rc);
    return 0;
}

/* ---- the process ------------------------------------------------------------------------------------------------------------------- */

/* The files as they are now. Bad ones change nothing. */
static bool read_again(const struct config *c, struct tls_keys **keys)
{
    struct tls_keys *fresh = NULL;
    char why[TLS_FRONT_WHY];

    if (tls_keys_read(c->tls_cert, c->tls_key, &fresh, why, sizeof(why)) != 0) {
        log_event(LOG_LEVEL_ERROR, "tls_pair_refused", "why=\"%s\" stays=\"the one before\"", why);
        return false;
    }
    tls_keys_free(*keys);
    *keys = fresh;
    log_event(LOG_LEVEL_INFO, "tls_pair_read", "cert=%s", c->tls_cert);
    return true;
}

static pid_t start_server(int listener, int broker, const struct tls_keys *keys)
{
    pid_t supervisor = getpid(), pid = fork();

    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(0);
    tls_serve(listener, broker, keys);
}

/* Until the server has ended. true: because there are other keys. */
static bool watch_server(pid_t pid, const struct config *c, struct tls_keys **keys, int *ret_status)
{
    bool anew = false;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGHUP);
    while (waitpid(pid, ret_status, WNOHANG) != pid) {
        if (sigwaitinfo(&set, NULL) != SIGHUP || !read_again(c, keys))
            continue;
        (void)kill(pid, SIGKILL); /* our unreaped child */
        anew = true;
    }
    return anew;
}

/* Makes the one that serves, and another when that dies. Ends with the broker: then the server sees its socket's end, and leaves with 0. */
static _Noreturn void supervise(int listener, int broker, struct tls_keys *keys, const struct config *c)
{
    const struct timespec pause = { .tv_nsec = (long)AGAIN_US * 1000 };
    int status = 0;

    for (;;) {
        pid_t pid = start_server(listener, broker, keys);

        if (pid > 0 && watch_server(pid, c, &keys, &status))
            continue;
        if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
            _exit(0);
        log_event(LOG_LEVEL_ERROR, "tls_front_died", "status=%d why=\"it is started again\"", pid > 0 ? status : -1);
        (void)nanosleep(&pause, NULL);
    }
}

static _Noreturn void be_front(int listener, int broker, struct tls_keys *keys, const struct config *c)
{
    sigset_t all;

    sigfillset(&all); /* as the janitor: who stops a group of processes stops the broker; we follow */
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)setsid();
    (void)prctl(PR_SET_NAME, "coop-tls");
    log_init("tls", LOG_LEVEL_INFO);
    if (dup2(listener, 3) < 0 || dup2(broker, 4) < 0 || close_range(5, ~0U, 0) != 0)
        _exit(1);
    supervise(3, 4, keys, c);
}

int tls_front_start(struct tls_front *f)
{
    int pair[2], rc = 0;

    if (f->listener < 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return -errno;
    f->pid = fork();
    if (f->pid == 0) {
        /* both out of the way of 3 and 4 first */
        int listener = fcntl(f->listener, F_DUPFD_CLOEXEC, 5), broker = fcntl(pair[1], F_DUPFD_CLOEXEC, 5);

        if (listener < 0 || broker < 0)
            _exit(1);
        be_front(listener, broker, f->keys, f->config);
    }
    if (f->pid < 0) {
        rc = -errno;
        f->pid = 0;
    }
    close(pair[1]);
    close(f->listener);
    f->listener = -1;
    tls_keys_free(f->keys);
    f->keys = NULL;
    if (rc == 0)
        f->watch.fd = pair[0];
    else
        close(pair[0]);
    return rc;
}

/* ---- arrivals ---------------------------------------------------------------------------------------------------------------------- */

static void hang_up(struct tls_front *f)
{
    if (f->watch.fd < 0)
        return;
    if (f->loop != NULL)
        loop_del(f->loop, &f->watch);
    close(f->watch.fd);
    f->watch.fd = -1;
}

/* One connection, its address with it. The front is ours, and may all the same be somebody else's by now: it says an address, and no more. */
static ssize_t receive(struct tls_front *f, struct tls_arrival *a, int *ret_fd)
{
    struct iovec v = { a, sizeof(*a) };
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    ssize_t n = recvmsg(f->watch.fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    *ret_fd = -1;
    for (struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL; c != NULL; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(sizeof(int)))
            memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
    return n;
}

static void on_arrival(void *ctx)
{
    struct tls_front *f = ctx;
    struct rep_origin from = { .uid = UINT32_MAX };
    struct tls_arrival a;
    int fd;
    ssize_t n = receive(f, &a, &fd);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        log_event(LOG_LEVEL_ERROR, "tls_front_gone", "lost=\"requests over TLS\"");
        hang_up(f);
    }
    if (n != (ssize_t)sizeof(a) || fd < 0) {
        if (fd >= 0)
            close(fd);
        return;
    }
    memcpy(from.address, a.address, sizeof(from.address));
    from.address[sizeof(from.address) - 1] = '\0';
    rep_adopt(f->to, fd, &from);
}

int tls_front_open(struct tls_front *f, struct loop *loop, struct rep_socket *to)
{
    if (f->watch.fd < 0)
        return 0;
    f->loop = loop;
    f->to = to;
    f->watch.fn = on_arrival;
    f->watch.ctx = f;
    log_event(LOG_LEVEL_INFO, "tls_listens", "port=%d", f->port);
    return loop_add(loop, &f->watch);
}

void tls_front_reload(const struct tls_front *f)
{
    if (f->pid > 0 && f->watch.fd >= 0)
        (void)kill(f->pid, SIGHUP); /* our unreaped child; what it has blocked waits for it */
}

void tls_front_on_child(struct tls_front *f)
{
    int status;

    if (f->pid == 0 || waitpid(f->pid, &status, WNOHANG) != f->pid)
        return;
    log_event(LOG_LEVEL_ERROR, "tls_front_gone", "pid=%d status=%d lost=\"requests over TLS\"", (int)f->pid, status);
    f->pid = 0;
    hang_up(f);
}

void tls_front_finish(struct tls_front *f)
{
    struct pollfd p = { .events = POLLIN };

    hang_up(f);
    if (f->listener >= 0)
        close(f->listener);
    tls_keys_free(f->keys);
    f->listener = -1;
    f->keys = NULL;
    if (f->pid == 0)
        return;
    p.fd = (int)syscall(SYS_pidfd_open, f->pid, 0);
    if (p.fd >= 0 && poll(&p, 1, FINISH_MS) == 0)
        (void)kill(f->pid, SIGKILL); /* our unreaped child; what it made dies with it */
    if (p.fd >= 0)
        close(p.fd);
    while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    f->pid = 0;
}
