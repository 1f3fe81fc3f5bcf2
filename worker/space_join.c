/* space_join.c - see space_join.h. */
#include "worker/space_join.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ABSENT = 1 };

struct space_state space_now = { .tier = TIER_T3, .proc_fd = -1, .zygote_fd = -1, .work_fd = -1, .own_proc_fd = -1 };

/* The cgroup namespace is not among them: its root would be the zygote's cgroup, and not the one that the worker is put into. */
#define OWN_NAMESPACES (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

/* ---- the zygote ------------------------------------------------------------------------------------------------------------------ */

static bool own_namespaces(void)
{
    return space_now.programs && space_now.entered;
}

int space_write(int dir_fd, const char *path, const char *text)
{
    int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        rc = -errno;
    close(fd);
    return rc;
}

static int write_proc(pid_t pid, const char *name, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
    return space_write(space_now.proc_fd, path, text);
}

/* Inside: one user and one group. No other can be become, and none of ours is to be seen. */
static int map_user(pid_t pid, uint32_t uid, uint32_t gid)
{
    char text[64];
    int rc = write_proc(pid, "setgroups", "deny");

    if (rc == 0) {
        snprintf(text, sizeof(text), "%d %u 1", SPACE_UID_INSIDE, gid);
        rc = write_proc(pid, "gid_map", text);
    }
    if (rc == 0) {
        snprintf(text, sizeof(text), "%d %u 1", SPACE_UID_INSIDE, uid);
        rc = write_proc(pid, "uid_map", text);
    }
    return rc;
}

static int may_be(const struct space_spawn *s)
{
    if (space_now.programs && space_now.real_root && s->uid == 0)
        return -EPERM; /* without a capability it would still own what root owns: half of /proc/sys, for one */
    return own_namespaces() && s->uid != 0 && s->uid != getuid() && !space_now.may_map ? -EINVAL : 0;
}

static int let_go(const struct space_spawn *s, pid_t pid, int go_fd)
{
    int rc = map_user(pid, s->uid != 0 ? s->uid : getuid(), s->uid != 0 ? s->uid : getgid());

    return rc == 0 && write(go_fd, "m", 1) != 1 ? -errno : rc;
}

static pid_t split_by_clone3(const struct space_spawn *s, int *ret_pidfd)
{
    struct clone_args args = { .flags = CLONE_PIDFD, .pidfd = (uintptr_t)ret_pidfd, .exit_signal = SIGCHLD };
    pid_t pid;

    if (own_namespaces())
        args.flags |= OWN_NAMESPACES;
    if (s->cgroup_v2 >= 0 && !s->moves_itself) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)s->cgroup_v2;
    }
    pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    return pid >= 0 ? pid : -errno;
}

/* Only this keeps libc's own books, and tells those that asked it to be told of a fork. */
static pid_t split_by_fork(int *ret_pidfd)
{
    pid_t pid = fork();

    if (pid <= 0)
        return pid == 0 ? 0 : -errno;
    *ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* nobody but us can reap it, so the pid is still this child's */
    if (*ret_pidfd >= 0)
        return pid;
    kill(pid, SIGKILL);
    return -errno;
}

/* Containers may have none: their filter says so. EPERM without a cgroup is such a filter's as well, as nothing was asked that could be forbidden. */
static bool has_no_clone3(const struct space_spawn *s, pid_t pid)
{
    return pid == -ENOSYS || (pid == -EPERM && s->cgroup_v2 < 0);
}

/*
 * Where nothing more is asked, libc's fork; one that is bare does without what that does beside, and without a call for the descriptor. Without clone3
 * a worker goes to its cgroup by itself.
 */
static pid_t split(struct space_spawn *s, int *ret_pidfd)
{
    pid_t pid;

    if (!own_namespaces() && s->cgroup_v2 < 0 && !s->bare)
        return split_by_fork(ret_pidfd);
    pid = split_by_clone3(s, ret_pidfd);
    if (!has_no_clone3(s, pid) || own_namespaces())
        return pid;
    s->moves_itself = s->cgroup_v2 >= 0;
    return split_by_fork(ret_pidfd);
}

pid_t space_clone(struct space_spawn *s, int *ret_pidfd)
{
    int go[2] = { -1, -1 }, rc = may_be(s);
    pid_t pid;

    if (rc == 0 && own_namespaces() && pipe2(go, O_CLOEXEC) != 0)
        rc = -errno;
    if (rc != 0)
        return rc;
    pid = split(s, ret_pidfd);
    if (pid == 0) {
        s->go_fd = go[0];
        close(go[1]);
        return 0;
    }
    if (pid > 0 && own_namespaces() && let_go(s, pid, go[1]) != 0)
        kill(pid, SIGKILL); /* its Exited says the rest */
    if (go[0] >= 0)
        close(go[0]);
    if (go[1] >= 0)
        close(go[1]);
    return pid;
}

/* ---- the worker ------------------------------------------------------------------------------------------------------------------ */

static int move_to(int procs)
{
    return write(procs, "0", 1) == 1 ? 0 : -errno;
}

static int move_to_v2(int dir)
{
    int rc, procs = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);

    if (procs < 0)
        return -errno;
    rc = move_to(procs);
    close(procs);
    return rc;
}

/* "0": whoever writes. Before anything else, so that all it ever takes is counted there. */
int join_cgroups(const struct space_spawn *s)
{
    int rc = s->moves_itself ? move_to_v2(s->cgroup_v2) : 0;

    for (unsigned i = 0; i < s->n_cgroups_v1 && rc == 0; i++)
        rc = move_to(s->cgroups_v1[i]);
    return rc != 0 ? rc : s->n_cgroups_v1 > 0 || s->cgroup_v2 >= 0 ? 0 : ABSENT;
}

/* Zygotes whose maps cannot be written close the pipe, and kill us. */
int join_user(const struct space_spawn *s)
{
    uid_t r, e, saved;
    gid_t gr, ge, gsaved;
    char go;

    if (s->go_fd < 0)
        return ABSENT;
    if (read(s->go_fd, &go, 1) != 1)
        return -ESRCH;
    close(s->go_fd);
    if (setresgid(SPACE_UID_INSIDE, SPACE_UID_INSIDE, SPACE_UID_INSIDE) != 0 ||
        setresuid(SPACE_UID_INSIDE, SPACE_UID_INSIDE, SPACE_UID_INSIDE) != 0)
        return -errno;
    if (getresuid(&r, &e, &saved) != 0 || getresgid(&gr, &ge, &gsaved) != 0)
        return -errno;
    return r == e && e == saved && saved == SPACE_UID_INSIDE && gr == ge && ge == gsaved && gsaved == SPACE_UID_INSIDE ? 0 : -EPERM;
}

/* getppid() is 0 for the first process of a pid namespace, so the zygote's pidfd is asked. */
int join_parent_death(void)
{
    struct pollfd zygote = { .fd = space_now.zygote_fd, .events = POLLIN };

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return -errno;
    return poll(&zygote, 1, 0) == 0 ? 0 : -ESRCH;
}

int join_cgroup_namespace(void)
{
    if (!own_namespaces())
        return ABSENT;
    return unshare(CLONE_NEWCGROUP) == 0 ? 0 : -errno;
}

/* Otherwise all programs had the session keyring that the broker was started with. */
int join_keyring(void)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0)
        return 0;
    return errno == ENOSYS ? ABSENT : -errno;
}
