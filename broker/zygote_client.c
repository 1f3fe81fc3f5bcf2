/* zygote_client.c - see zygote_client.h. */
#include "broker/zygote_client.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/templates.h"
#include "broker/zygotes.h"
#include "frame.h"
#include "log.h"
#include "tiers.h"
#include "zygote.pb-c.h"

extern char **environ;

enum {
    CONTROL_FD = 3,
    USERNS_FD = 4,
    RESTART_FIRST_US = 100000,
    RESTART_LAST_US = 5000000,
    SOCKET_BUFFER = 1 << 20,
    SPAWN_FDS = CGROUP_FDS_MAX + 2
};

static void on_readable(void *ctx);
static void on_restart(void *ctx);

void zygote_init(struct zygote *z, struct crew *c)
{
    *z = (struct zygote){ .broker = c->broker, .crew = c };
    z->socket = (struct loop_watch){ -1, on_readable, z };
    z->restart = (struct timer){ .fn = on_restart, .ctx = z };
    z->renew = (struct timer){ .ctx = z }; /* zygotes.c */
    z->next = z->broker->zygotes;
    z->broker->zygotes = z;
}

enum { ARGS = 5 + 2 + 2 + 2 * CONFIG_VIEWS + 1 };

/* What is not given to it is left to what the zygote does by itself. */
static void command_line(const struct zygote *z, char *argv[ARGS])
{
    const struct broker *b = z->broker;
    int n = 5;

    memcpy(argv, ((char *[]){ (char *)b->config.worker, "--engine", (char *)z->crew->engine->name, "--control-fd", "3" }),
           5 * sizeof(*argv));
    if (strcmp(b->config.tier, "auto") != 0) {
        argv[n++] = "--tier";
        argv[n++] = (char *)b->config.tier;
    }
    if (b->privilege.userns_fd >= 0) {
        argv[n++] = "--userns-fd";
        argv[n++] = "4";
    }
    for (int i = 0; b->config.views[i] != NULL; i++) {
        argv[n++] = "--view";
        argv[n++] = (char *)b->config.views[i];
    }
    argv[n] = NULL;
}

/* posix_spawn, not fork: the store's writer is running, and no lock of its may be copied into a child that goes on living. */
static int launch(struct zygote *z, int their_end)
{
    const struct broker *b = z->broker;
    char *argv[ARGS], *empty[] = { NULL }; /* nothing of our environment reaches an interpreter */
    posix_spawn_file_actions_t files;
    int rc = posix_spawn_file_actions_init(&files);

    if (rc != 0)
        return -rc;
    command_line(z, argv);
    rc = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", 0, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&files, their_end, CONTROL_FD);
    if (rc == 0 && b->privilege.userns_fd >= 0)
        rc = posix_spawn_file_actions_adddup2(&files, b->privilege.userns_fd, USERNS_FD);
    if (rc == 0)
        rc = posix_spawn(&z->pid, b->places.worker_path, &files, NULL, argv, empty);
    posix_spawn_file_actions_destroy(&files);
    return -rc;
}

int zygote_start(struct zygote *z)
{
    int pair[2], rc, size = SOCKET_BUFFER;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    z->pid = 0;
    z->ready = 0;
    rc = launch(z, pair[1]);
    close(pair[1]);
    if (rc == 0) {
        z->socket.fd = pair[0];
        rc = loop_add(&z->broker->loop, &z->socket);
    } else {
        close(pair[0]);
    }
    if (rc == 0)
        log_event(LOG_LEVEL_INFO, "zygote_started", "engine=%s pid=%d", z->crew->engine->name, (int)z->pid);
    return rc;
}

static void hang_up(struct zygote *z)
{
    loop_del(&z->broker->loop, &z->socket);
    if (z->socket.fd >= 0)
        close(z->socket.fd);
    z->socket.fd = -1;
    z->ready = 0;
}

/* The socket is closed, so the zygote is ending or has ended; SIGKILL makes sure of it. */
static void bury(struct zygote *z)
{
    if (z->pid > 0) {
        kill(z->pid, SIGKILL); /* our unreaped child: the pid is still its own */
        while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    z->pid = 0;
}

void zygote_stop(struct zygote *z)
{
    timers_cancel(&z->broker->loop.timers, &z->restart);
    hang_up(z);
    bury(z);
}

void zygote_replace(struct zygote *z)
{
    if (z->pid > 0)
        kill(z->pid, SIGKILL); /* unreaped: still its own; the socket's end comes next */
}

static void on_restart(void *ctx)
{
    struct zygote *z = ctx;
    int rc = zygote_start(z);

    if (rc != 0) {
        log_event(LOG_LEVEL_ERROR, "zygote_failed", "worker=%s error=\"%s\"", z->broker->config.worker, strerror(-rc));
        timers_arm(&z->broker->loop.timers, &z->restart, z->broker->loop.now_us + RESTART_LAST_US);
    }
}

void zygote_want(struct zygote *z)
{
    if (z->socket.fd < 0 && z->restart.place == 0 && !z->retired)
        timers_arm(&z->broker->loop.timers, &z->restart, z->broker->loop.now_us);
}

static void on_gone(struct zygote *z)
{
    uint64_t delay = RESTART_FIRST_US << (z->failures < 6 ? z->failures : 6);

    log_event(LOG_LEVEL_WARN, "zygote_gone", "engine=%s pid=%d ready=%d", z->crew->engine->name, (int)z->pid, z->ready);
    z->failures = z->ready ? 0 : z->failures + 1;
    if (z->failures > 0) { /* it never came up: whoever waits should hear it */
        char why[400] = "the zygote ended before it was ready; see the broker's log";

        if (z->refused[0] != '\0')
            snprintf(why, sizeof(why), "%s (coop doctor says more)", z->refused);
        if (z->refused[0] != '\0' && strcmp(z->broker->config.tier, "auto") != 0)
            snprintf(why, sizeof(why), "the broker is to give tier %s and no other: %s (coop doctor says more)", z->broker->config.tier,
                     z->refused);
        if (zygote_serves(z)) {
            jobs_start_failed(z->crew, &z->crew->plain, why);
            jobs_start_failed(z->crew, &z->crew->wide, why);
            jobs_start_failed(z->crew, &z->crew->living, why);
        }
        templates_cannot(z, why);
    }
    hang_up(z);
    bury(z);
    z->life++;
    z->forks = 0; /* what its templates made is ours to end now, as every orphan is */
    z->sweep_due = z->sweeping = 0;
    pool_on_zygote_gone(&z->broker->pool, z);
    if (zygotes_on_gone(z))
        return;
    if (delay > RESTART_LAST_US)
        delay = RESTART_LAST_US;
    timers_arm(&z->broker->loop.timers, &z->restart, z->broker->loop.now_us + (z->failures > 0 ? delay : 0));
}

const char *const zygote_namespaces[] = { "user", "pid", "mnt", "net", "ipc", "uts", "cgroup", NULL };

/* The constant of this text, or NULL. */
static const char *word_of(const char *const *words, const char *text)
{
    while (*words != NULL && strcmp(*words, text) != 0)
        words++;
    return *words;
}

static int take_tier(struct zygote *z, const Pb__ZygoteReady *r)
{
    z->tier = word_of(tier_names, r->tier);
    z->namespace_count = 0;
    if (z->tier == NULL || r->n_namespaces > ZYGOTE_NAMESPACES_MAX)
        return -EPROTO;
    for (size_t i = 0; i < r->n_namespaces; i++)
        if ((z->namespaces[z->namespace_count++] = word_of(zygote_namespaces, r->namespaces[i])) == NULL)
            return -EPROTO;
    snprintf(z->tier_why, sizeof(z->tier_why), "%s", r->tier_why);
    return 0;
}

static int apply_ready(struct zygote *z, const Pb__FromZygote *m, int fd)
{
    const Pb__ZygoteReady *r = m->ready;

    (void)fd;
    if (r->filter_hash.len != 32 || strcmp(r->engine, z->crew->engine->name) != 0 || take_tier(z, r) != 0)
        return -EPROTO;
    if (strcmp(z->broker->config.tier, "auto") != 0 && strcmp(z->broker->config.tier, z->tier) != 0)
        return -EPROTO; /* what was asked for by name is taken or refused */
    z->filter_len = r->filter_len;
    for (size_t i = 0; i < 32; i++)
        snprintf(z->filter_hash + 2 * i, 3, "%02x", r->filter_hash.data[i]);
    if (r->template_profile[0] != '\0' && r->template_filter_hash.len != 32)
        return -EPROTO;
    z->template_filter_len = r->template_filter_len;
    for (size_t i = 0; i < r->template_filter_hash.len; i++)
        snprintf(z->template_filter_hash + 2 * i, 3, "%02x", r->template_filter_hash.data[i]);
    snprintf(z->template_profile, sizeof(z->template_profile), "%s", r->template_profile);
    snprintf(z->engine, sizeof(z->engine), "%s", r->engine);
    snprintf(z->engine_version, sizeof(z->engine_version), "%s", r->engine_version);
    snprintf(z->profile, sizeof(z->profile), "%s", r->profile);
    z->ready = 1;
    z->refused[0] = '\0';
    z->failures = 0;
    log_event(LOG_LEVEL_INFO, "zygote_ready", "engine=%s version=\"%s\" tier=%s filter=%s instructions=%u why=\"%s\"", z->engine,
              z->engine_version, z->tier != NULL ? z->tier : "?", z->filter_hash, r->filter_len, z->tier_why);
    zygotes_on_ready(z);
    pool_refill(&z->broker->pool);
    return 0;
}

static int apply_refused(struct zygote *z, const Pb__FromZygote *m, int fd)
{
    (void)fd;
    snprintf(z->refused, sizeof(z->refused), "%s", m->refused->why);
    return 0; /* its end comes next */
}

/* A worker that this zygote may speak of. */
static struct worker *find_own(struct zygote *z, uint64_t id)
{
    struct worker *w = pool_find(&z->broker->pool, id);

    return w != NULL && w->zygote == z ? w : NULL;
}

static int apply_spawned(struct zygote *z, const Pb__FromZygote *m, int fd)
{
    struct worker *w = find_own(z, m->spawned->worker);

    if (w == NULL || w->pid != 0 || m->spawned->pid == 0 || fd < 0 ||
        (w->role == WORKER_FORKED && m->spawned->pid != (uint32_t)w->said_pid))
        return -EPROTO;
    pool_on_spawned(w, (pid_t)m->spawned->pid, fd);
    return 1; /* the descriptor has an owner */
}

static int apply_spawn_failed(struct zygote *z, const Pb__FromZygote *m, int fd)
{
    struct worker *w = find_own(z, m->spawn_failed->worker);

    (void)fd;
    if (w == NULL || w->pid != 0)
        return -EPROTO;
    pool_on_spawn_failed(w, (int)m->spawn_failed->error);
    return 0;
}

static int apply_exited(struct zygote *z, const Pb__FromZygote *m, int fd)
{
    struct worker *w = find_own(z, m->exited->worker);

    (void)fd;
    if (w == NULL) /* its spawn was reported as failed after the fork: we have forgotten it, the zygote may too */
        return zygote_reap(z, m->exited->worker) == 0 ? 0 : -EPROTO;
    if (w->pid == 0 || w->exited)
        return -EPROTO;
    pool_on_exited(w, m->exited);
    return 0;
}

static int apply_swept(struct zygote *z, const Pb__FromZygote *m, int fd)
{
    (void)fd;
    if (!z->sweeping)
        return -EPROTO;
    z->sweeping = 0;
    log_event(LOG_LEVEL_WARN, "swept", "engine=%s ended=%u", z->crew->engine->name, m->swept->ended);
    pool_refill(&z->broker->pool);
    return 0;
}

/* clang-format off */
static const struct {
    const char *name;
    int before_ready;
    int (*apply)(struct zygote *z, const Pb__FromZygote *m, int fd); /* 1: took fd */
} zygote_rules[] = {
    [PB__FROM_ZYGOTE__BODY_READY]        = { "ready",        1, apply_ready },
    [PB__FROM_ZYGOTE__BODY_REFUSED]      = { "refused",      1, apply_refused },
    [PB__FROM_ZYGOTE__BODY_SPAWNED]      = { "spawned",      0, apply_spawned },
    [PB__FROM_ZYGOTE__BODY_SPAWN_FAILED] = { "spawn_failed", 0, apply_spawn_failed },
    [PB__FROM_ZYGOTE__BODY_EXITED]       = { "exited",       0, apply_exited },
    [PB__FROM_ZYGOTE__BODY_SWEPT]        = { "swept",        0, apply_swept },
};
/* clang-format on */

static int dispatch(struct zygote *z, const Pb__FromZygote *m, int fd)
{
    unsigned i = (unsigned)m->body_case;

    if (i >= sizeof(zygote_rules) / sizeof(zygote_rules[0]) || zygote_rules[i].apply == NULL)
        return -EPROTO;
    if (zygote_rules[i].before_ready == z->ready)
        return -EPROTO;
    return zygote_rules[i].apply(z, m, fd);
}

/* One packet and at most one descriptor. Returns its length, 0 when the zygote is gone, -EAGAIN when there is none. */
static ssize_t receive(int socket_fd, uint8_t *bytes, size_t size, int *ret_fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } ancillary;
    struct iovec iov = { bytes, size };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ancillary, .msg_controllen = sizeof(ancillary) };
    ssize_t n = recvmsg(socket_fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *c;

    *ret_fd = -1;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : 0;
    c = CMSG_FIRSTHDR(&h);
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
    return n;
}

static void on_readable(void *ctx)
{
    struct zygote *z = ctx;
    uint8_t bytes[FRAME_MAX_ZYGOTE];
    struct frame f;
    int fd, rc;
    ssize_t n = receive(z->socket.fd, bytes, sizeof(bytes), &fd);

    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        on_gone(z);
        return;
    }
    rc = frame_decode(&f, &pb__from_zygote__descriptor, bytes, (size_t)n, sizeof(bytes));
    if (rc == 0) {
        rc = dispatch(z, (const Pb__FromZygote *)f.msg, fd);
        frame_release(&f);
    }
    if (rc != 1 && fd >= 0)
        close(fd);
    if (rc < 0) {
        log_event(LOG_LEVEL_ERROR, "zygote_refused", "why=\"%s\"", strerror(-rc));
        on_gone(z); /* it is ours and it is wrong: start afresh */
    }
}

static int send_packet(struct zygote *z, const Pb__ToZygote *m, const int *fds, unsigned count)
{
    uint8_t bytes[FRAME_MAX_ZYGOTE];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(SPAWN_FDS * sizeof(int))];
    } ancillary = { 0 };
    struct iovec iov = { bytes, protobuf_c_message_get_packed_size(&m->base) };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (z->socket.fd < 0)
        return -ENOTCONN;
    protobuf_c_message_pack(&m->base, bytes);
    if (count > 0) {
        struct cmsghdr *c;

        h.msg_control = &ancillary;
        h.msg_controllen = CMSG_SPACE(count * sizeof(int));
        c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    return sendmsg(z->socket.fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The link first, then its group, the work directory last: as zygote.proto says. */
int zygote_spawn(struct zygote *z, const struct zygote_order *order)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Spawn s = PB__SPAWN__INIT;
    int fds[SPAWN_FDS];
    unsigned count = 0, grouped;

    fds[count++] = order->link_fd;
    if (order->leaf != NULL) {
        grouped = cgroup_fds(order->leaf, fds + count);
        count += grouped;
        if (order->leaf->groups->kind == CGROUP_V2)
            s.cgroup_v2 = grouped;
        else
            s.cgroup_v1 = grouped;
    }
    if (order->work_dir >= 0)
        fds[count++] = order->work_dir;
    s.work_dir = order->work_dir >= 0;
    s.worker = order->worker;
    s.token = (ProtobufCBinaryData){ ZYGOTE_TOKEN, (uint8_t *)order->token };
    s.uid = order->uid;
    s.threads = order->threads;
    s.template_ = order->children > 0;
    s.children = order->children;
    m.body_case = PB__TO_ZYGOTE__BODY_SPAWN;
    m.spawn = &s;
    return send_packet(z, &m, fds, count);
}

int zygote_reap(struct zygote *z, uint64_t worker)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Reap r = PB__REAP__INIT;

    r.worker = worker;
    m.body_case = PB__TO_ZYGOTE__BODY_REAP;
    m.reap = &r;
    return send_packet(z, &m, NULL, 0);
}

int zygote_adopt(struct zygote *z, uint64_t worker, pid_t pid)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Adopt a = PB__ADOPT__INIT;

    a.worker = worker;
    a.pid = (uint32_t)pid;
    m.body_case = PB__TO_ZYGOTE__BODY_ADOPT;
    m.adopt = &a;
    return send_packet(z, &m, NULL, 0);
}

static void sweep_now(struct zygote *z)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Sweep s = PB__SWEEP__INIT;

    m.body_case = PB__TO_ZYGOTE__BODY_SWEEP;
    m.sweep = &s;
    z->sweep_due = 0;
    z->sweeping = 1;
    if (send_packet(z, &m, NULL, 0) != 0)
        zygote_replace(z); /* what cannot be swept goes with it */
}

int zygote_may_fork(const struct zygote *z)
{
    return z->ready && !z->sweep_due && !z->sweeping;
}

uint64_t zygote_fork_begins(struct zygote *z)
{
    z->forks++;
    return z->life;
}

void zygote_fork_ends(struct zygote *z, uint64_t life, int stray)
{
    if (life != z->life)
        return;
    z->forks--;
    z->sweep_due |= stray;
    if (z->sweep_due && z->forks == 0 && !z->sweeping && z->socket.fd >= 0)
        sweep_now(z);
}
