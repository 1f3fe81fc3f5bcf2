/* zygote.c - see zygote.h. */
#include "worker/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(COOP_ASAN)
#include <sanitizer/lsan_interface.h>
#endif

#include "coop/exit_codes.h"
#include "frame.h"
#include "log.h"
#include "worker/children.h"
#include "worker/place.h"
#include "worker/seal.h"
#include "worker/signals.h"
#include "worker/space_enter.h"
#include "worker/space_join.h"
#include "worker/walls.h"

enum { FDS_MAX = 8 }; /* descriptors of one packet: the link, cgroups, a work directory */

struct zygote {
    const struct engine *engine;
    const struct policy *policy;
    struct bpf_program filter;
    const struct policy *template_policy; /* of templates and their children; NULL: the engine has none */
    struct bpf_program template_filter, leave;
    int proc_fd; /* to find children that a template made */
    int had_template;
    struct children children;
    int control_fd, signal_fd, null_fd;
    struct space_ask ask;
    struct space_got space;
    int over; /* the control socket has closed */
};

/* A packet as it came: the message, and its descriptors. */
struct packet {
    struct frame frame;
    int fds[FDS_MAX];
    unsigned n_fds;
};

/* ---- saying ------------------------------------------------------------------------------------------------------------------ */

/* fd -1 = send none. The broker is all we live for: when it cannot be told, the zygote ends, and its workers with it. */
static void say(struct zygote *z, const Pb__FromZygote *m, int fd)
{
    uint8_t bytes[FRAME_MAX_ZYGOTE];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .room = { 0 } };
    struct iovec iov = { bytes, protobuf_c_message_get_packed_size(&m->base) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t put;

    if (iov.iov_len > sizeof(bytes))
        abort(); /* every message of ours is small */
    protobuf_c_message_pack(&m->base, bytes);
    if (fd >= 0) {
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof(control.room);
        control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
    }
    do {
        put = sendmsg(z->control_fd, &msg, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    if (put < 0)
        z->over = 1;
}

static void say_ready(struct zygote *z)
{
    Pb__FromZygote m = PB__FROM_ZYGOTE__INIT;
    Pb__ZygoteReady r = PB__ZYGOTE_READY__INIT;

    r.engine = (char *)z->engine->name;
    r.engine_version = (char *)z->engine->version;
    r.profile = (char *)z->policy->name;
    r.filter_hash.data = z->filter.hash;
    r.filter_hash.len = sizeof(z->filter.hash);
    r.filter_len = z->filter.len;
    r.tier = (char *)tier_names[z->space.tier];
    r.namespaces = z->space.namespaces;
    r.n_namespaces = z->space.n_namespaces;
    r.tier_why = z->space.why;
    if (z->template_policy != NULL) {
        r.template_profile = (char *)z->template_policy->name;
        r.template_filter_hash.data = z->template_filter.hash;
        r.template_filter_hash.len = sizeof(z->template_filter.hash);
        r.template_filter_len = z->template_filter.len;
    }
    m.body_case = PB__FROM_ZYGOTE__BODY_READY;
    m.ready = &r;
    say(z, &m, -1);
}

static void say_refused(struct zygote *z)
{
    Pb__FromZygote m = PB__FROM_ZYGOTE__INIT;
    Pb__ZygoteRefused r = PB__ZYGOTE_REFUSED__INIT;

    r.why = z->space.why;
    m.body_case = PB__FROM_ZYGOTE__BODY_REFUSED;
    m.refused = &r;
    say(z, &m, -1);
}

static void say_spawned(struct zygote *z, uint64_t worker, pid_t pid, int pidfd)
{
    Pb__FromZygote m = PB__FROM_ZYGOTE__INIT;
    Pb__Spawned s = PB__SPAWNED__INIT;

    s.worker = worker;
    s.pid = (uint32_t)pid;
    m.body_case = PB__FROM_ZYGOTE__BODY_SPAWNED;
    m.spawned = &s;
    say(z, &m, pidfd);
}

static void say_spawn_failed(struct zygote *z, uint64_t worker, int error)
{
    Pb__FromZygote m = PB__FROM_ZYGOTE__INIT;
    Pb__SpawnFailed f = PB__SPAWN_FAILED__INIT;

    f.worker = worker;
    f.error = (uint32_t)-error;
    m.body_case = PB__FROM_ZYGOTE__BODY_SPAWN_FAILED;
    m.spawn_failed = &f;
    say(z, &m, -1);
}

static void say_swept(struct zygote *z, unsigned ended)
{
    Pb__FromZygote m = PB__FROM_ZYGOTE__INIT;
    Pb__Swept s = PB__SWEPT__INIT;

    s.ended = ended;
    m.body_case = PB__FROM_ZYGOTE__BODY_SWEPT;
    m.swept = &s;
    say(z, &m, -1);
}

static void say_exited(void *arg, const Pb__Exited *e)
{
    Pb__FromZygote m = PB__FROM_ZYGOTE__INIT;

    m.body_case = PB__FROM_ZYGOTE__BODY_EXITED;
    m.exited = (Pb__Exited *)e;
    say(arg, &m, -1);
}

/* ---- hearing ----------------------------------------------------------------------------------------------------------------- */

static void close_fds(struct packet *p)
{
    for (unsigned i = 0; i < p->n_fds; i++)
        close(p->fds[i]);
    p->n_fds = 0;
}

/* All that came along; there is room for as many as the kernel could give. */
static void take_fds(struct msghdr *msg, struct packet *p)
{
    p->n_fds = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) && p->n_fds < FDS_MAX; i++)
            memcpy(&p->fds[p->n_fds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
}

/* -EPIPE: the broker has gone. -EPROTO and the like: a packet that makes no sense; it is dropped and what it carried is closed. */
static int hear(struct zygote *z, struct packet *ret_p)
{
    uint8_t bytes[FRAME_MAX_ZYGOTE];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct iovec iov = { bytes, sizeof(bytes) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room) };
    ssize_t got = recvmsg(z->control_fd, &msg, MSG_CMSG_CLOEXEC);
    int rc;

    if (got < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    take_fds(&msg, ret_p);
    if ((msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0)
        rc = -EPROTO;
    else if (got == 0)
        rc = -EPIPE;
    else
        rc = frame_decode(&ret_p->frame, &pb__to_zygote__descriptor, bytes, (size_t)got, FRAME_MAX_ZYGOTE);
    if (rc != 0)
        close_fds(ret_p);
    return rc;
}

/* ---- doing ------------------------------------------------------------------------------------------------------------------- */

static _Noreturn void become_worker(struct zygote *z, const Pb__Spawn *s, int link_fd, const struct space_spawn *space, pid_t zygote)
{
    struct worker_start w = { .link_fd = link_fd,
                              .null_fd = z->null_fd,
                              .zygote = zygote,
                              .uid = s->uid,
                              .threads = s->threads,
                              .token = s->token.data,
                              .token_len = s->token.len,
                              .engine = z->engine,
                              .filter = s->template_ ? &z->template_filter : &z->filter,
                              .space = space,
                              .leave = s->template_ ? &z->leave : NULL,
                              .children = s->children };

    worker_main(&w);
}

/* The link, then what Spawn says comes behind it, and nothing else. -EBADF: it did not come. */
static int read_fds(const struct packet *p, const Pb__Spawn *s, struct space_spawn *ret_space)
{
    unsigned at = 1;

    *ret_space = (struct space_spawn){ .uid = s->uid, .cgroup_v2 = -1, .work_fd = -1, .go_fd = -1 };
    if (s->cgroup_v2 > 1 || s->work_dir > 1 || s->cgroup_v1 > SPACE_CGROUPS)
        return -EINVAL;
    if (p->n_fds != 1 + s->cgroup_v2 + s->cgroup_v1 + s->work_dir)
        return -EBADF;
    if (s->cgroup_v2 == 1)
        ret_space->cgroup_v2 = p->fds[at++];
    for (unsigned i = 0; i < s->cgroup_v1; i++)
        ret_space->cgroups_v1[ret_space->n_cgroups_v1++] = p->fds[at++];
    if (s->work_dir == 1)
        ret_space->work_fd = p->fds[at];
    return 0;
}

/*
 * A template's child that is hostile does not ask for our death to be its own. So from the first template on we outlive the broker until we have
 * ended what is left; our own end is the broker's to clean up after, who is the next reaper.
 */
static int expect_templates(struct zygote *z)
{
    if (z->template_policy == NULL)
        return -EOPNOTSUPP;
    if (z->had_template)
        return 0;
    if (prctl(PR_SET_PDEATHSIG, 0) != 0)
        return -errno;
    z->had_template = 1;
    return 0;
}

static int fork_worker(struct zygote *z, const Pb__Spawn *s, const struct packet *p)
{
    pid_t self = getpid(), pid;
    struct space_spawn space;
    int pidfd, rc = s->template_ ? expect_templates(z) : 0;

    if (rc == 0)
        rc = read_fds(p, s, &space);
    space.bare = z->engine->bare;
    if (rc == 0)
        rc = children_reserve(&z->children);
    if (rc != 0)
        return rc;
    pid = space_clone(&space, &pidfd);
    if (pid == 0)
        become_worker(z, s, p->fds[0], &space, self);
    if (pid < 0)
        return pid;
    children_add(&z->children, s->worker, pid);
    say_spawned(z, s->worker, pid, pidfd);
    close(pidfd);
    return 0;
}

static void do_spawn(struct zygote *z, const Pb__Spawn *s, const struct packet *p)
{
    int rc = fork_worker(z, s, p);

    if (rc != 0)
        say_spawn_failed(z, s->worker, rc);
}

static void do_reap(struct zygote *z, const Pb__Reap *r)
{
    int rc = children_reap(&z->children, r->worker);

    if (rc != 0)
        log_event(LOG_LEVEL_WARN, "no_reap", "worker=%llu error=%d", (unsigned long long)r->worker, -rc);
}

static int adopt(struct zygote *z, const Pb__Adopt *a)
{
    pid_t pid = (pid_t)a->pid;
    int pidfd, rc = z->had_template && a->pid <= INT32_MAX ? children_is_stray(&z->children, pid) : -ECHILD;

    if (rc == 0)
        rc = children_reserve(&z->children);
    if (rc != 0)
        return rc;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* our unreaped child: the pid is its own */
    if (pidfd < 0)
        return -errno;
    children_add(&z->children, a->worker, pid);
    say_spawned(z, a->worker, pid, pidfd);
    close(pidfd);
    children_collect(&z->children, say_exited, z); /* it may have ended before it was one of them */
    return 0;
}

static void do_adopt(struct zygote *z, const Pb__Adopt *a)
{
    int rc = adopt(z, a);

    if (rc != 0)
        say_spawn_failed(z, a->worker, rc);
}

static void do_sweep(struct zygote *z)
{
    unsigned ended = 0;
    int rc = children_sweep(&z->children, z->proc_fd, &ended);

    if (rc != 0)
        log_event(LOG_LEVEL_ERROR, "no_sweep", "error=%d", -rc);
    say_swept(z, ended);
}

static void on_control(struct zygote *z)
{
    struct packet p;
    int rc = hear(z, &p);

    if (rc == -EINTR)
        return;
    if (rc == -EPIPE) {
        z->over = 1;
        return;
    }
    if (rc != 0) {
        log_event(LOG_LEVEL_ERROR, "bad_packet", "error=%d", -rc);
        return;
    }
    const Pb__ToZygote *m = (const Pb__ToZygote *)p.frame.msg;
    if (m->body_case == PB__TO_ZYGOTE__BODY_SPAWN)
        do_spawn(z, m->spawn, &p);
    else if (m->body_case == PB__TO_ZYGOTE__BODY_REAP)
        do_reap(z, m->reap);
    else if (m->body_case == PB__TO_ZYGOTE__BODY_ADOPT)
        do_adopt(z, m->adopt);
    else if (m->body_case == PB__TO_ZYGOTE__BODY_SWEEP)
        do_sweep(z);
    close_fds(&p);
    frame_release(&p.frame);
}

/* T2: what a program leaves behind is ours to end. */
static bool has_orphans(const struct zygote *z)
{
    return z->ask.programs && !space_now.entered;
}

static void on_sigchld(struct zygote *z)
{
    struct signalfd_siginfo si[16];

    if (read(z->signal_fd, si, sizeof(si)) < 0) /* how many and whose does not matter: signals of one kind merge */
        return;
    children_collect(&z->children, say_exited, z);
    if (has_orphans(z))
        children_end_orphans(&z->children, space_now.proc_fd);
}

static int loop(struct zygote *z)
{
    struct pollfd p[2] = {
        {.fd = z->control_fd, .events = POLLIN},
        { .fd = z->signal_fd, .events = POLLIN}
    };

    while (!z->over) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (p[1].revents != 0)
            on_sigchld(z);
        if (p[0].revents != 0)
            on_control(z);
    }
    return 0;
}

/* ---- starting ---------------------------------------------------------------------------------------------------------------- */

/* Dies with the broker, also when that died before we asked. */
static int tie_to_parent(void)
{
    pid_t parent = getppid();

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

static int watch_children(int *ret_fd)
{
    int rc = signals_default(); /* for all our workers; and a parent that ignores SIGCHLD would have the kernel reap for us */
    sigset_t set;

    if (rc != 0)
        return rc;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &set, NULL) != 0)
        return -errno;
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd >= 0 ? 0 : -errno;
}

/* When the machine has no memory left, let it be ours that go: they are what a broker can start again. Nothing depends on it. */
static void be_first_to_go(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)!write(fd, "1000", 4);
    close(fd);
}

/* libc reads the time zone from a file, once: now. */
static void warm_libc(void)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[64];

    tzset();
    if (localtime_r(&now, &tm) != NULL && strftime(text, sizeof(text), "%X %Z", &tm) == 0)
        text[0] = '\0';
}

/* Workers are copies of us: what stands in the broker's environment is none of theirs. TZ stays, libc looks at it again. */
static void forget_environment(void)
{
    const char *tz = getenv("TZ");
    char keep[256] = "";

    if (tz != NULL)
        snprintf(keep, sizeof(keep), "%s", tz);
    for (char **e = environ; e != NULL && *e != NULL; e++)
        explicit_bzero(*e, strlen(*e));
    clearenv();
    if (tz != NULL)
        setenv("TZ", keep, 1);
}

static const char *policy_name(const struct engine *e)
{
    return e->policy != NULL ? e->policy : e->name;
}

/* The filter of templates, and the one below it that asks before a fork. */
static int prepare_templates(struct zygote *z)
{
    static struct policy under;
    char profile[64];
    struct policy_row *room;
    struct policy leave;
    const struct policy *p;
    int rc;

    snprintf(profile, sizeof(profile), "%s-template", policy_name(z->engine));
    p = policy_find(profile);
    room = p != NULL ? calloc(p->n_rows, sizeof(*room)) : NULL;
    if (room == NULL)
        return p == NULL ? -ENOENT : -ENOMEM;
    under = *p;
    under.asked_before = true;
    rc = policy_leave(p, room, &leave) > 0 ? bpf_compile(&leave, &z->leave) : -ENOENT;
    if (rc == 0)
        rc = bpf_compile(&under, &z->template_filter);
    free(room);
    z->template_policy = p;
    return rc;
}

static int prepare(struct zygote *z)
{
    int rc = tie_to_parent();

    if (rc == 0)
        rc = watch_children(&z->signal_fd);
    if (rc != 0)
        return rc;
    z->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (z->null_fd < 0)
        return -errno;
    be_first_to_go();
    warm_libc();
    forget_environment();
    z->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (z->proc_fd < 0)
        return -errno;
    rc = z->engine->prepare();
    place_learn();
    if (rc == 0 && z->engine->filter != NULL)
        z->filter = *z->engine->filter();
    else if (rc == 0)
        rc = bpf_compile(z->policy, &z->filter);
    if (rc == 0 && z->engine->warm != NULL)
        rc = prepare_templates(z);
    malloc_trim(0); /* what compiling used is not for our children to carry */
    return rc == 0 ? walls_measure() : rc;
}

/* After all that needs the host's files. What changes our credentials may have forgotten whose death is ours. */
static int enter_space(struct zygote *z)
{
    int rc;

#if defined(COOP_ASAN)
    __lsan_do_leak_check(); /* now instead of at the end: it needs /proc */
#endif
    rc = space_enter(&z->ask, &z->space);
    if (rc != 0) {
        log_event(LOG_LEVEL_ERROR, "no_tier", "engine=%s why=\"%s\"", z->engine->name, z->space.why);
        say_refused(z);
        return rc;
    }
    if (!z->ask.programs) { /* ahead of workers, whose user namespace is ours. What we hold ourselves stays; programs we run none */
        rc = seal_bounding_set();
        if (rc == 0)
            rc = seal_limits();
    }
    if (rc != 0)
        return rc;
    if (!has_orphans(z))
        return tie_to_parent();
    /* it is the socket's end that tells us of the broker's: time is left then to end what nobody else would */
    return prctl(PR_SET_PDEATHSIG, 0) != 0 ? -errno : 0;
}

int zygote_run(const struct engine *e, int control_fd, const struct space_ask *ask)
{
    static struct zygote z = { .signal_fd = -1, .null_fd = -1, .proc_fd = -1 };
    int rc;

    log_init("zygote", LOG_LEVEL_INFO);
    z.engine = e;
    z.policy = policy_find(policy_name(e));
    z.control_fd = control_fd;
    z.ask = *ask;
    (void)prctl(PR_SET_NAME, "coop-worker"); /* a program started by descriptor is named by its number */
    z.ask.programs = e->programs;
    rc = z.policy != NULL ? prepare(&z) : -ENOENT;
    if (rc == 0)
        rc = enter_space(&z);
    if (rc == 0) {
        say_ready(&z);
        rc = loop(&z);
        if (has_orphans(&z) || z.had_template)
            children_finish(&z.children, z.proc_fd);
    }
    if (rc != 0)
        log_event(LOG_LEVEL_ERROR, "zygote_failed", "engine=%s error=%s", e->name, strerrorname_np(-rc));
    return rc == 0 ? COOP_EXIT_OK : COOP_EXIT_PLATFORM;
}

int zygote_refuse(const struct engine *e, int control_fd, const char *why)
{
    struct zygote z = { .engine = e, .control_fd = control_fd };

    log_init("zygote", LOG_LEVEL_INFO);
    snprintf(z.space.why, sizeof(z.space.why), "%s", why);
    log_event(LOG_LEVEL_ERROR, "no_engine", "engine=%s why=\"%s\"", e->name, why);
    say_refused(&z);
    return COOP_EXIT_PLATFORM;
}
