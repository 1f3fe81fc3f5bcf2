/* tls_front.c - the broker's end; see tls_front.h. */
#include "broker/tls_front.h"

#include <errno.h>
#include <fcntl.h>
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

enum {
    LISTENER_FD = 3,
    BROKER_FD = 4,
    AGAIN_US = 200000, /* before one that died is made again */
    AGAIN_MAX_US = 30000000,
    LIVES_US = 60000000, /* one that served so long was no failure to begin */
    FINISH_MS = 5000,
};

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

        if (pid > 0 && watch_server(pid, c, &keys, &status)) { /* nobody is served with those before any more */
            log_event(LOG_LEVEL_INFO, "tls_pair_read", "cert=%s", c->tls_cert);
            continue;
        }
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
    if (dup2(listener, LISTENER_FD) < 0 || dup2(broker, BROKER_FD) < 0 || close_range(BROKER_FD + 1, ~0U, 0) != 0)
        _exit(1);
    supervise(LISTENER_FD, BROKER_FD, keys, c);
}

_Noreturn void tls_front_be(const char *cert, const char *key)
{
    static struct config c;
    struct tls_keys *keys = NULL;
    char why[TLS_FRONT_WHY];

    (void)prctl(PR_SET_DUMPABLE, 0);
    log_init("tls", LOG_LEVEL_INFO);
    snprintf(c.tls_cert, sizeof(c.tls_cert), "%s", cert);
    snprintf(c.tls_key, sizeof(c.tls_key), "%s", key);
    if (tls_keys_read(c.tls_cert, c.tls_key, &keys, why, sizeof(why)) != 0) {
        log_event(LOG_LEVEL_ERROR, "tls_pair_refused", "why=\"%s\" stays=none", why);
        _exit(1);
    }
    be_front(LISTENER_FD, BROKER_FD, keys, &c);
}

/* One that is to be the front; child: what it does there, with both descriptors above those that it gets them as. */
static int fork_front(struct tls_front *f, void (*child)(const struct tls_front *f, int listener, int broker))
{
    int pair[2], rc = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return -errno;
    f->pid = fork();
    if (f->pid == 0) {
        int listener = fcntl(f->listener, F_DUPFD_CLOEXEC, BROKER_FD + 1), broker = fcntl(pair[1], F_DUPFD_CLOEXEC, BROKER_FD + 1);

        if (listener >= 0 && broker >= 0)
            child(f, listener, broker);
        _exit(1);
    }
    if (f->pid < 0) {
        rc = -errno;
        f->pid = 0;
    }
    close(pair[1]);
    if (rc == 0)
        f->watch.fd = pair[0];
    else
        close(pair[0]);
    return rc;
}

static void begin(const struct tls_front *f, int listener, int broker)
{
    be_front(listener, broker, f->keys, f->config);
}

int tls_front_start(struct tls_front *f)
{
    int rc = f->listener >= 0 ? fork_front(f, begin) : 0;

    tls_keys_free(f->keys);
    f->keys = NULL;
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
        hang_up(f); /* its end is heard of, too */
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

/* ---- another one, when it has died ------------------------------------------------------------------------------------------------- */

/*
 * The broker has threads by now, jobs in its memory, and no key: the next front is coopd started anew, which reads the two files as the user
 * that it is now. Nothing but system calls between fork and exec.
 */
static void begin_again(const struct tls_front *f, int listener, int broker)
{
    const char *argv[] = { "coopd", TLS_FRONT_WORD, f->config->tls_cert, f->config->tls_key, NULL };

    if (dup2(listener, LISTENER_FD) >= 0 && dup2(broker, BROKER_FD) >= 0)
        (void)execv("/proc/self/exe", (char *const *)(void *)argv);
}

static int take_arrivals(struct tls_front *f)
{
    f->begun_us = f->loop->now_us;
    return loop_add(f->loop, &f->watch);
}

static void again_later(struct tls_front *f);

static void on_again(void *ctx)
{
    struct tls_front *f = ctx;
    int rc = fork_front(f, begin_again);

    if (rc == 0)
        rc = take_arrivals(f);
    if (rc == 0) {
        log_event(LOG_LEVEL_INFO, "tls_front_again", "pid=%d", (int)f->pid);
        return;
    }
    log_event(LOG_LEVEL_ERROR, "tls_front_failed", "error=\"%s\"", strerror(-rc));
    again_later(f);
}

/* Who connects meanwhile waits in the listener's queue. */
static void again_later(struct tls_front *f)
{
    uint64_t pause = AGAIN_US;

    if (f->failures > 0 && f->loop->now_us - f->begun_us > LIVES_US)
        f->failures = 0;
    for (unsigned i = 0; i < f->failures && pause < AGAIN_MAX_US; i++)
        pause *= 2;
    f->failures++;
    (void)timers_arm(&f->loop->timers, &f->again, f->loop->now_us + (pause < AGAIN_MAX_US ? pause : AGAIN_MAX_US));
}

int tls_front_open(struct tls_front *f, struct loop *loop, struct rep_socket *to)
{
    if (f->watch.fd < 0)
        return 0;
    f->loop = loop;
    f->to = to;
    f->watch.fn = on_arrival;
    f->watch.ctx = f;
    f->again = (struct timer){ .fn = on_again, .ctx = f };
    log_event(LOG_LEVEL_INFO, "tls_listens", "port=%d", f->port);
    return take_arrivals(f);
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
    log_event(LOG_LEVEL_ERROR, "tls_front_gone", "pid=%d status=%d lost=\"connections over TLS\" why=\"it is started again\"", (int)f->pid,
              status);
    f->pid = 0;
    hang_up(f);
    if (f->loop != NULL && f->again.fn != NULL)
        again_later(f);
}

void tls_front_finish(struct tls_front *f)
{
    struct pollfd p = { .events = POLLIN };

    if (f->loop != NULL)
        timers_cancel(&f->loop->timers, &f->again);
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
