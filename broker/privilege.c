/* privilege.c - see privilege.h. Read steps[] first: it is the order in which root is given up. */
#include "broker/privilege.h"
#include "broker/uid_range.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HIGH_FD = 16 }; /* above what a zygote is given by number */

static int errno_of(long result)
{
    return result == 0 ? 0 : -errno;
}

/* ---- who ----------------------------------------------------------------------------------------------------------------------- */

/* The outer side of uid 0 in this namespace: in the first one, and where a container's root is the machine's, it is 0 again. */
static bool root_is_root(void)
{
    FILE *f = fopen("/proc/self/uid_map", "re");
    unsigned long inside = 1, outside = 0, length;
    bool is = true;

    if (f == NULL)
        return true;
    while (fscanf(f, "%lu %lu %lu", &inside, &outside, &length) == 3)
        if (inside == 0)
            is = outside == 0;
    (void)fclose(f);
    return is;
}

static int refuse_user(const char *wanted, int rc, char why[PRIVILEGE_WHY])
{
    if (rc == -EINVAL)
        snprintf(why, PRIVILEGE_WHY, "--user %.60s: that is root, which the broker does not stay; name another user", wanted);
    else
        snprintf(why, PRIVILEGE_WHY, "--user %.60s: there is no such user", wanted);
    return rc;
}

/*
 * A user namespace that has no id but 0, and that 0 is an ordinary user outside (a container without subordinate ids): there is nobody to
 * become, and nothing but capabilities to give up.
 */
static int stay_alone(struct privilege *p, char why[PRIVILEGE_WHY])
{
    if (root_is_root()) {
        snprintf(why, PRIVILEGE_WHY,
                 "started by root where no other user exists (/proc/self/uid_map): map a range of ids, or start it as "
                 "another user");
        return -EPERM;
    }
    p->user = (struct broker_user){ 0, 0, "0" };
    snprintf(p->why_no_range, sizeof(p->why_no_range), "this user namespace has no ids for workers (/proc/self/uid_map)");
    return 0;
}

int privilege_choose(struct privilege *p, const char *wanted, char why[PRIVILEGE_WHY])
{
    const struct id_range *range;
    int rc;

    *p = (struct privilege){ .was_root = geteuid() == 0, .userns_fd = -1, .ids_fd = -1 };
    if (!p->was_root) {
        p->user = (struct broker_user){ .uid = geteuid(), .gid = getegid() };
        snprintf(p->user.name, sizeof(p->user.name), "%u", (unsigned)geteuid());
        if (wanted[0] == '\0')
            return 0;
        snprintf(why, PRIVILEGE_WHY, "--user is for a broker that root starts; this one is uid %u", (unsigned)geteuid());
        return -EPERM;
    }
    range = broker_range_find("/proc/self/uid_map");
    if (range != NULL && !ids_exist("/proc/self/gid_map", range->first, range->count))
        range = NULL;
    rc = broker_user_find(wanted, range, &p->user);
    if (rc == -ENOENT && range == NULL && wanted[0] == '\0' && getenv("COOP_USER") == NULL)
        return stay_alone(p, why);
    if (rc != 0)
        return refuse_user(wanted[0] != '\0' ? wanted : "$COOP_USER", rc, why);
    if (!ids_exist("/proc/self/uid_map", p->user.uid, 1) || !ids_exist("/proc/self/gid_map", p->user.gid, 1)) {
        snprintf(why, PRIVILEGE_WHY, "user %.60s does not exist in this user namespace (/proc/self/uid_map)", p->user.name);
        return -EINVAL;
    }
    if (range == NULL) {
        snprintf(p->why_no_range, sizeof(p->why_no_range), "this user namespace has no ids for workers (/proc/self/uid_map)");
        return 0;
    }
    p->first_id = p->all_first = range->first;
    p->ids = p->all = range->count - 1;
    return 0;
}

/* ---- the range ------------------------------------------------------------------------------------------------------------------ */

static int set_capabilities(uint64_t caps)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {(uint32_t)caps,          (uint32_t)caps,         0},
        { (uint32_t)(caps >> 32), (uint32_t)(caps >> 32), 0}
    };

    return errno_of(syscall(SYS_capset, &head, data));
}

static int become(const struct broker_user *u)
{
    uid_t r, e, saved;
    gid_t gr, ge, gsaved;

    if (setgroups(0, NULL) != 0 && u->uid != 0) /* a namespace with one id may forbid it, and then it has no groups to lose */
        return -errno;
    if (setresgid(u->gid, u->gid, u->gid) != 0 || setresuid(u->uid, u->uid, u->uid) != 0)
        return -errno;
    if (getresuid(&r, &e, &saved) != 0 || getresgid(&gr, &ge, &gsaved) != 0)
        return -errno;
    return r == u->uid && e == u->uid && saved == u->uid && gr == u->gid && ge == u->gid && gsaved == u->gid ? 0 : -EPERM;
}

/*
 * A namespace belongs to the effective uid of who makes it. CAP_SYS_ADMIN is kept across the change of uid, because Debian's
 * kernel.unprivileged_userns_clone and Ubuntu's AppArmor let whoever has it.
 */
static int child_unshares(const struct privilege *p)
{
    int rc;

    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return -errno;
    rc = become(&p->user);
    if (rc != 0)
        return rc;
    (void)set_capabilities(UINT64_C(1) << CAP_SYS_ADMIN); /* a container's root may not have it; then the kernel decides */
    return errno_of(unshare(CLONE_NEWUSER));
}

/* How it went, and the namespace. By descriptor: to open another process's takes a capability that a container's root may not have. */
struct verdict {
    int rc;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
};

static struct msghdr message(struct verdict *v, struct iovec *iov)
{
    *iov = (struct iovec){ &v->rc, sizeof(v->rc) };
    return (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1, .msg_control = v->control.room, .msg_controllen = sizeof(v->control.room) };
}

static int tell(int socket_fd, int rc, int ns)
{
    struct verdict v = { .rc = rc };
    struct iovec iov;
    struct msghdr m = message(&v, &iov);

    if (rc != 0)
        m.msg_controllen = 0;
    v.control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(&v.control.head), &ns, sizeof(ns));
    return sendmsg(socket_fd, &m, MSG_NOSIGNAL) == sizeof(v.rc) ? 0 : -errno;
}

/* In the child: unshares, tells how that went, and holds the namespace until it is let go. */
_Noreturn static void child(const struct privilege *p, int fd)
{
    int rc = prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ? -errno : child_unshares(p), ns = -1;
    char go;

    if (rc == 0 && (ns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)) < 0)
        rc = -errno;
    if (tell(fd, rc, ns) != 0)
        _exit(1);
    _exit(read(fd, &go, 1) >= 0 ? 0 : 1);
}

static int write_map(pid_t pid, const char *kind, uint32_t own, const struct privilege *p)
{
    char path[64], map[128];
    int n, fd, rc = 0;

    snprintf(path, sizeof(path), "/proc/%d/%s_map", (int)pid, kind);
    n = snprintf(map, sizeof(map), "0 %u 1\n1 %u %u\n", own, p->first_id + 1, p->ids);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (write(fd, map, (size_t)n) != n)
        rc = -errno;
    close(fd);
    return rc;
}

static int hear(int socket_fd, int *ret_ns)
{
    struct verdict v = { 0 };
    struct iovec iov;
    struct msghdr m = message(&v, &iov);
    int fd;

    if (recvmsg(socket_fd, &m, MSG_CMSG_CLOEXEC) != sizeof(v.rc))
        return -ECHILD;
    if (v.rc != 0)
        return v.rc;
    if (m.msg_controllen < CMSG_LEN(sizeof(int)) || v.control.head.cmsg_type != SCM_RIGHTS)
        return -EPROTO;
    memcpy(&fd, CMSG_DATA(&v.control.head), sizeof(fd));
    *ret_ns = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    close(fd);
    return *ret_ns < 0 ? -errno : 0;
}

static int write_maps(const struct privilege *p, pid_t pid)
{
    int rc = write_map(pid, "uid", p->user.uid, p);

    return rc == 0 ? write_map(pid, "gid", p->user.gid, p) : rc;
}

static int make_namespace(struct privilege *p, const char **ret_what)
{
    int pair[2], rc = -ECHILD;
    pid_t pid;

    *ret_what = "fork";
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    pid = fork();
    if (pid < 0)
        rc = -errno;
    if (pid == 0) {
        close(pair[0]); /* so that the read of the child ends with us */
        child(p, pair[1]);
    }
    close(pair[1]);
    if (pid > 0) {
        *ret_what = "unshare(CLONE_NEWUSER)";
        rc = hear(pair[0], &p->userns_fd);
        if (rc == 0) {
            *ret_what = "writing its uid_map";
            rc = write_maps(p, pid);
        }
    }
    close(pair[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return rc;
}

void privilege_finish(struct privilege *p)
{
    if (p->userns_fd >= 0)
        close(p->userns_fd);
    p->userns_fd = -1;
    if (p->ids_fd >= 0)
        close(p->ids_fd);
    p->ids_fd = -1;
}

/* Inside, and as the machine counts: n is first_id + n, so that the first that may be a worker's is one above. */
static int take_ids(struct privilege *p, uint32_t want)
{
    uint32_t first;
    int rc = uid_range_take(UID_RANGE_FILE, p->first_id + 1, p->ids, want, &first, &p->ids);

    if (rc < 0)
        return rc;
    p->ids_fd = rc;
    p->first_id = first - 1;
    return 0;
}

void privilege_make_range(struct privilege *p, uint32_t want)
{
    const char *what = "taking a part of the range, " UID_RANGE_FILE;
    int rc;

    if (p->ids == 0)
        return;
    rc = take_ids(p, want);
    if (rc == 0)
        rc = make_namespace(p, &what);
    if (rc == 0)
        return;
    privilege_finish(p);
    p->ids = 0;
    snprintf(p->why_no_range, sizeof(p->why_no_range), "no user namespace with a range of ids: %s: %s", what,
             rc == -EUSERS ? "other brokers of root have all of it" : strerror(-rc));
}

/* ---- giving it up --------------------------------------------------------------------------------------------------------------- */

static int step_bounding_set(const struct privilege *p)
{
    (void)p;
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) != 0)
            return -errno;
    return errno_of(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}

/* Being uid 0 shall mean nothing: what counts where we stay 0 because there is no other. */
static int step_securebits(const struct privilege *p)
{
    (void)p;
    return errno_of(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                                                 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED));
}

static int step_uid(const struct privilege *p)
{
    return become(&p->user);
}

static int step_capabilities(const struct privilege *p)
{
    (void)p;
    return set_capabilities(0);
}

static int step_proof(const struct privilege *p)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    memset(data, 0xff, sizeof(data));
    if (syscall(SYS_capget, &head, data) != 0)
        return -errno;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if ((data[i].effective | data[i].permitted | data[i].inheritable) != 0)
            return -EPERM;
    return p->user.uid != 0 && (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0) ? -EPERM : 0;
}

static int step_no_new_privs(const struct privilege *p)
{
    (void)p;
    return errno_of(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* Again: a change of uid sets it to what fs.suid_dumpable says. */
static int step_not_dumpable(const struct privilege *p)
{
    (void)p;
    return errno_of(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

/* clang-format off */
static const struct {
    const char *name;
    int (*take)(const struct privilege *p);
} steps[] = {
    { "bounding_set", step_bounding_set }, /* needs CAP_SETPCAP, so first */
    { "securebits",   step_securebits },
    { "uid",          step_uid },
    { "capabilities", step_capabilities },
    { "no_new_privs", step_no_new_privs },
    { "not_dumpable", step_not_dumpable },
    { "proof",        step_proof },
};
/* clang-format on */

/* Whoever started us may have tied our life to theirs; a change of uid forgets that. */
static int keep_tie(int death_signal, pid_t parent)
{
    if (death_signal == 0)
        return 0;
    if (prctl(PR_SET_PDEATHSIG, death_signal) != 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

int privilege_give_up(const struct privilege *p, const char **ret_step)
{
    pid_t parent = getppid();
    int death_signal = 0, rc = 0;

    *ret_step = "parent_death";
    if (prctl(PR_GET_PDEATHSIG, &death_signal) != 0)
        return -errno;
    for (size_t i = 0; p->was_root && rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
        *ret_step = steps[i].name;
        rc = steps[i].take(p);
    }
    if (rc != 0)
        return rc;
    *ret_step = "parent_death";
    return keep_tie(death_signal, parent);
}
