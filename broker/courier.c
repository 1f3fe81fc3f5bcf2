/* courier.c - see courier.h. */
#include "broker/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/broker.h"
#include "frame.h"
#include "log.h"

enum { BROKER_FD = 3, PACKET_MAX = 8 << 10, SOCKET_BUFFER = 1 << 20, RESTART_FIRST_US = 100000, RESTART_LAST_US = 60000000 };

static void on_socket(void *ctx);
static void on_restart(void *ctx);

/* Beside the worker program. */
static int open_program(const char *worker)
{
    char path[4096 + 32];
    const char *slash = strrchr(worker, '/');
    int fd, high;

    snprintf(path, sizeof(path), "%.*scoop-courier", slash != NULL ? (int)(slash + 1 - worker) : 0, worker);
    fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return fd;
    high = fcntl(fd, F_DUPFD_CLOEXEC, BROKER_FD + 1); /* BROKER_FD is another in the courier, before it is started by this one */
    close(fd);
    return high;
}

void courier_init(struct courier *c, struct broker *b, const struct courier_handler *h)
{
    *c = (struct courier){
        .broker = b, .handler = *h, .socket = {-1, on_socket, c},
                .program = open_program(b->config.worker)
    };
    c->restart = (struct timer){ .fn = on_restart, .ctx = c };
}

/* ---- its process -------------------------------------------------------------------------------------------------------------------- */

/* posix_spawn, not fork: the store's writer is running. */
static int launch(struct courier *c, int their_end)
{
    const char *const *nets = c->broker->config.webhook_nets;
    char *argv[2 * CONFIG_NETS + 2], *empty[] = { NULL }, path[32];
    posix_spawn_file_actions_t files;
    int rc = posix_spawn_file_actions_init(&files), n = 0;

    if (rc != 0)
        return -rc;
    argv[n++] = (char *)"coop-courier";
    for (; *nets != NULL; nets++) {
        argv[n++] = (char *)"--allow";
        argv[n++] = (char *)*nets;
    }
    argv[n] = NULL;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", c->program);
    rc = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", 0, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&files, their_end, BROKER_FD);
    if (rc == 0)
        rc = posix_spawn(&c->pid, path, &files, NULL, argv, empty);
    posix_spawn_file_actions_destroy(&files);
    return -rc;
}

static int start(struct courier *c)
{
    int pair[2], rc, size = SOCKET_BUFFER;

    if (c->program < 0)
        return -ENOENT;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    c->pid = 0;
    c->ready = false;
    rc = launch(c, pair[1]);
    close(pair[1]);
    if (rc != 0) {
        close(pair[0]);
        return rc;
    }
    c->socket.fd = pair[0];
    return loop_add(&c->broker->loop, &c->socket);
}

/* Also of one that has ended. What was under way is not known to have arrived. */
static void bury(struct courier *c)
{
    uint64_t lost[COURIER_ERRANDS];
    unsigned n = c->n;

    loop_del(&c->broker->loop, &c->socket);
    close(c->socket.fd);
    c->socket.fd = -1;
    c->ready = false;
    if (c->pid > 0) {
        kill(c->pid, SIGKILL); /* our unreaped child: the pid is still its own */
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    c->pid = 0;
    memcpy(lost, c->under_way, sizeof(lost));
    c->n = 0;
    for (unsigned i = 0; i < n; i++)
        c->handler.on_lost(c->handler.ctx, lost[i]);
}

static void on_gone(struct courier *c)
{
    uint64_t delay = (uint64_t)RESTART_FIRST_US << (c->failures < 10 ? c->failures : 10);

    log_event(LOG_LEVEL_WARN, "courier_gone", "pid=%d ready=%d", (int)c->pid, c->ready);
    c->failures = c->ready ? 0 : c->failures + 1;
    bury(c);
    timers_arm(&c->broker->loop.timers, &c->restart, c->broker->loop.now_us + (delay < RESTART_LAST_US ? delay : RESTART_LAST_US));
}

static void on_restart(void *ctx)
{
    struct courier *c = ctx;

    c->handler.on_room(c->handler.ctx); /* whoever still has an errand starts it */
}

void courier_stop(struct courier *c)
{
    timers_cancel(&c->broker->loop.timers, &c->restart);
    c->n = 0; /* nobody is told any more */
    if (c->socket.fd >= 0)
        bury(c);
    if (c->program >= 0)
        close(c->program);
    c->program = -1;
}

/* ---- what it says ------------------------------------------------------------------------------------------------------------------- */

static int take_done(struct courier *c, const Pb__ErrandDone *d)
{
    char error[200];

    for (unsigned i = 0; i < c->n; i++)
        if (c->under_way[i] == d->id) {
            c->under_way[i] = c->under_way[--c->n];
            log_escape(error, sizeof(error), d->error, strlen(d->error));
            c->handler.on_done(c->handler.ctx, d->id, d->status, error);
            c->handler.on_room(c->handler.ctx);
            return 0;
        }
    return -EPROTO; /* of nothing that it was given */
}

static int take(struct courier *c, const Pb__FromCourier *m)
{
    if (m->body_case == PB__FROM_COURIER__BODY_DONE)
        return take_done(c, m->done);
    if (m->body_case != PB__FROM_COURIER__BODY_READY || c->ready)
        return -EPROTO;
    c->ready = true;
    c->failures = 0;
    log_event(LOG_LEVEL_INFO, "courier_ready", "pid=%d", (int)c->pid);
    c->handler.on_room(c->handler.ctx);
    return 0;
}

static void on_socket(void *ctx)
{
    struct courier *c = ctx;
    uint8_t bytes[PACKET_MAX];
    struct frame f;
    ssize_t n = recv(c->socket.fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC);
    int rc;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || (size_t)n > sizeof(bytes)) {
        on_gone(c);
        return;
    }
    rc = frame_decode(&f, &pb__from_courier__descriptor, bytes, (size_t)n, PACKET_MAX);
    if (rc == 0) {
        rc = take(c, (const Pb__FromCourier *)f.msg);
        frame_release(&f);
    }
    if (rc != 0) {
        log_event(LOG_LEVEL_ERROR, "courier_refused", "pid=%d error=\"%s\"", (int)c->pid, strerror(-rc));
        on_gone(c);
    }
}

/* ---- what it is told ---------------------------------------------------------------------------------------------------------------- */

bool courier_has_room(const struct courier *c)
{
    return c->socket.fd < 0 ? c->restart.place == 0 : c->ready && c->n < COURIER_ERRANDS;
}

int courier_send(struct courier *c, const Pb__Errand *e)
{
    Pb__ToCourier m = PB__TO_COURIER__INIT;
    uint8_t *bytes;
    size_t len;
    int rc = 0;

    if (c->socket.fd < 0) {
        if (c->restart.place != 0)
            return -EAGAIN;
        rc = start(c);
    }
    if (rc != 0)
        return rc;
    if (!c->ready || c->n == COURIER_ERRANDS)
        return -EAGAIN;
    m.body_case = PB__TO_COURIER__BODY_ERRAND;
    m.errand = (Pb__Errand *)e;
    if ((rc = frame_pack(&m.base, &bytes, &len)) != 0)
        return rc;
    if (len > COURIER_PACKET)
        rc = -EMSGSIZE;
    else if (send(c->socket.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
        rc = errno == EAGAIN || errno == ENOBUFS || errno == EPIPE ? -EAGAIN : -errno; /* its end is about to be heard */
    free(bytes);
    if (rc == 0)
        c->under_way[c->n++] = e->id;
    return rc;
}
