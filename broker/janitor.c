/* janitor.c - see janitor.h. */
#include "broker/janitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/cgroup.h"
#include "broker/janitor_seal.h"
#include "broker/work_dirs.h"
#include "log.h"

enum {
    LAST_S = 30,       /* how long a broker waits for the janitor of the one before */
    LEAVES_MS = 10000, /* how long the dead may take to leave their groups */
    FINISH_MS = 15000,
};

/* ---- the janitor itself ---------------------------------------------------------------------------------------------------------- */

/* The names of leaves that the broker has dropped. 0: it has gone. */
static int hear(struct cgroups *g, int socket)
{
    char name[CGROUP_NAME_MAX];
    ssize_t n = recv(socket, name, sizeof(name) - 1, 0);

    if (n <= 0)
        return n < 0 && errno == EINTR;
    name[n] = '\0';
    cgroup_remove(g, name);
    return 1;
}

static void serve(struct cgroups *g, int socket)
{
    struct pollfd p[2] = {
        {.fd = socket,         .events = POLLIN},
        { .fd = g->inotify.fd, .events = POLLIN},
    };

    for (;;) {
        if (poll(p, 2, g->dying != NULL ? CGROUP_AGAIN_US / 1000 : -1) < 0 && errno != EINTR)
            return;
        if (p[0].revents != 0 && !hear(g, socket))
            return;
        if (p[1].revents != 0)
            cgroup_on_inotify(g);
        else if (g->dying != NULL)
            cgroup_remove_dying(g);
    }
}

/* The broker has gone, and holds no lock any more; its place is not free before ours goes, with us. */
static void clear(struct cgroups *g, int run_dir)
{
    (void)unlinkat(run_dir, "control.sock", 0);
    cgroup_sweep(g);
    work_dirs_clear(run_dir);
    cgroup_wait_for_dying(g, LEAVES_MS);
    cgroup_leave(g);
}

static _Noreturn void be_janitor(struct cgroups *g, int socket, int run_dir)
{
    int *kept[] = { &socket, &run_dir, &g->inotify.fd };
    sigset_t all;
    int rc;

    sigfillset(&all); /* who stops a group of processes, or hangs up a terminal, stops the broker; we follow */
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)setsid();
    (void)prctl(PR_SET_NAME, "coop-janitor");
    log_init("janitor", LOG_LEVEL_INFO);
    cgroup_unlock_bases(g);
    if (g->kind == CGROUP_V2)
        g->inotify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    rc = janitor_seal(kept, g->inotify.fd >= 0 ? 3 : 2);
    if (rc != 0) {
        log_event(LOG_LEVEL_ERROR, "janitor_failed", "error=\"%s\"", strerror(-rc));
        _exit(1);
    }
    serve(g, socket);
    clear(g, run_dir);
    _exit(0);
}

/* ---- the broker ------------------------------------------------------------------------------------------------------------------ */

static void on_alarm(int sig)
{
    (void)sig;
}

/* An alarm ends the wait: it is before there is a loop. */
static int lock_in_time(int fd)
{
    struct sigaction now = { .sa_handler = on_alarm }, before;
    int rc;

    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    log_event(LOG_LEVEL_INFO, "waiting", "why=\"what an earlier broker left is being removed\"");
    if (sigaction(SIGALRM, &now, &before) != 0)
        return -errno;
    (void)alarm(LAST_S);
    rc = flock(fd, LOCK_EX) == 0 ? 0 : errno == EINTR ? -EBUSY : -errno;
    (void)alarm(0);
    (void)sigaction(SIGALRM, &before, NULL);
    return rc;
}

int janitor_lock(struct janitor *j, int run_dir)
{
    int rc;

    *j = (struct janitor){ .socket = -1, .lock = -1 };
    j->lock = openat(run_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a lock of its own: it goes with the last who has this one open */
    if (j->lock < 0)
        return -errno;
    rc = lock_in_time(j->lock);
    if (rc != 0) {
        close(j->lock);
        j->lock = -1;
    }
    return rc;
}

static int fork_janitor(struct janitor *j, struct cgroups *g)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    pid = fork();
    if (pid == 0) {
        close(pair[0]);
        be_janitor(g, pair[1], j->lock);
    }
    close(pair[1]);
    if (pid < 0) {
        int rc = -errno;

        close(pair[0]);
        return rc;
    }
    j->pid = pid;
    j->socket = g->janitor = pair[0];
    return 0;
}

int janitor_start(struct janitor *j, struct cgroups *g)
{
    int rc = fork_janitor(j, g);

    close(j->lock);
    j->lock = -1;
    return rc;
}

static void hang_up(struct janitor *j, struct cgroups *g)
{
    if (j->socket >= 0)
        close(j->socket);
    j->socket = g->janitor = -1;
}

void janitor_on_child(struct janitor *j, struct cgroups *g)
{
    int status;

    if (j->pid == 0 || waitpid(j->pid, &status, WNOHANG) != j->pid)
        return;
    log_event(LOG_LEVEL_WARN, "janitor_gone", "pid=%d status=%d lost=\"what removes control groups when the broker is killed\"",
              (int)j->pid, status);
    j->pid = 0;
    hang_up(j, g);
}

void janitor_finish(struct janitor *j, struct cgroups *g)
{
    struct pollfd p = { .events = POLLIN };

    if (j->lock >= 0)
        close(j->lock);
    j->lock = -1;
    hang_up(j, g);
    if (j->pid == 0)
        return;
    p.fd = (int)syscall(SYS_pidfd_open, j->pid, 0);
    if (p.fd >= 0 && poll(&p, 1, FINISH_MS) == 0) {
        log_event(LOG_LEVEL_WARN, "janitor_killed", "why=\"it does not end\"");
        (void)kill(j->pid, SIGKILL); /* our unreaped child: the pid is still its own */
    }
    if (p.fd >= 0)
        close(p.fd);
    while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    j->pid = 0;
}
