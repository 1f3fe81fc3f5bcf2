/* probe.c - see probe.h. The table is at the end. */
#include "worker/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json_text.h"
#include "worker/landlock.h"
#include "worker/sys_mount.h"
#include "worker/view.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef MADV_GUARD_INSTALL /* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#endif
#ifndef PR_SET_MDWE /* Linux 6.3 */
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int errno_of(long result)
{
    return result >= 0 ? 0 : -errno;
}

/* ---- namespaces -------------------------------------------------------------------------------------------------------------------- */

static int try_user(const struct space_ask *ask, struct probe_answer *a)
{
    (void)ask;
    (void)a;
    return space_enter_user(&(struct space_ask){ .tier = TIER_T1, .userns_fd = -1 });
}

static int try_range(const struct space_ask *ask, struct probe_answer *a)
{
    snprintf(a->detail, sizeof(a->detail), "%s",
             ask->userns_fd >= 0 ? "given by the broker" : "only a broker that root starts can make one");
    return ask->userns_fd >= 0 ? errno_of(setns(ask->userns_fd, CLONE_NEWUSER)) : -EPERM;
}

static int try_namespace(const struct space_ask *ask, int which)
{
    int rc = space_enter_user(ask); /* with the capabilities that the others take */

    return rc == 0 ? errno_of(unshare(which)) : rc;
}

static int try_mnt(const struct space_ask *ask, struct probe_answer *a)
{
    (void)a;
    return try_namespace(ask, CLONE_NEWNS);
}

static int try_pid(const struct space_ask *ask, struct probe_answer *a)
{
    (void)a;
    return try_namespace(ask, CLONE_NEWPID);
}

static int try_net(const struct space_ask *ask, struct probe_answer *a)
{
    (void)a;
    return try_namespace(ask, CLONE_NEWNET);
}

static int try_ipc(const struct space_ask *ask, struct probe_answer *a)
{
    (void)a;
    return try_namespace(ask, CLONE_NEWIPC);
}

static int try_uts(const struct space_ask *ask, struct probe_answer *a)
{
    (void)a;
    return try_namespace(ask, CLONE_NEWUTS);
}

static int try_cgroup_namespace(const struct space_ask *ask, struct probe_answer *a)
{
    (void)a;
    return try_namespace(ask, CLONE_NEWCGROUP);
}

static int try_mounting(const struct space_ask *ask, struct probe_answer *a)
{
    int rc = try_namespace(ask, CLONE_NEWNS), fd;

    if (rc != 0)
        return rc;
    snprintf(a->detail, sizeof(a->detail), "tmpfs");
    fd = mount_new("tmpfs", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (fd < 0)
        return fd;
    snprintf(a->detail, sizeof(a->detail), "a read-only copy of /usr");
    fd = mount_copy(AT_FDCWD, "/usr", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
    return fd < 0 ? fd : 0;
}

static int try_pivot(const struct space_ask *ask, struct probe_answer *a)
{
    const char *step = "";
    int rc = try_namespace(ask, CLONE_NEWNS);

    if (rc == 0)
        rc = view_enter(false, &step);
    if (rc != 0)
        snprintf(a->detail, sizeof(a->detail), "%s", step);
    return rc;
}

/* By the first process of a pid namespace, since a procfs belongs to one. */
static int try_proc(const struct space_ask *ask, struct probe_answer *a)
{
    int rc = try_namespace(ask, CLONE_NEWNS | CLONE_NEWPID), status;
    pid_t pid;

    (void)a;
    if (rc != 0)
        return rc;
    pid = fork();
    if (pid == 0) {
        rc = mount_new("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        _exit(rc < 0 ? -rc : 0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/* ---- the kernel's calls ------------------------------------------------------------------------------------------------------------- */

static int try_landlock(const struct space_ask *ask, struct probe_answer *a)
{
    uint32_t abi = 0;
    int rc;

    (void)ask;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    rc = landlock_take_all(&abi);
    a->value = abi;
    return rc == 0 && abi == 0 ? -EOPNOTSUPP : rc;
}

static long install(unsigned flags)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { 1, &allow };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static int try_seccomp(const struct space_ask *ask, struct probe_answer *a)
{
    (void)ask;
    (void)a;
    return errno_of(install(0));
}

static int try_notify(const struct space_ask *ask, struct probe_answer *a)
{
    (void)ask;
    (void)a;
    return errno_of(install(SECCOMP_FILTER_FLAG_NEW_LISTENER));
}

static int try_killable(const struct space_ask *ask, struct probe_answer *a)
{
    (void)ask;
    (void)a;
    return errno_of(install(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV));
}

static int try_guard(const struct space_ask *ask, struct probe_answer *a)
{
    void *page = mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)ask;
    (void)a;
    return page == MAP_FAILED ? -errno : errno_of(madvise(page, (size_t)getpagesize(), MADV_GUARD_INSTALL));
}

static int try_mdwe(const struct space_ask *ask, struct probe_answer *a)
{
    (void)ask;
    (void)a;
    return errno_of(prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0));
}

static int try_memfd(const struct space_ask *ask, struct probe_answer *a)
{
    (void)ask;
    (void)a;
    return errno_of(memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

/* A descriptor that is none is refused as such only by a kernel that looks at it. */
static int try_into_cgroup(const struct space_ask *ask, struct probe_answer *a)
{
    struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = 1 << 20 };
    long pid = syscall(SYS_clone3, &args, sizeof(args));

    (void)ask;
    (void)a;
    if (pid == 0)
        _exit(0);
    return pid > 0 || errno == EBADF ? 0 : -errno;
}

static int try_branch(const struct space_ask *ask, struct probe_answer *a)
{
    (void)ask;
    (void)a;
    return errno_of(prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE, 0, 0));
}

static int try_bypass(const struct space_ask *ask, struct probe_answer *a)
{
    (void)ask;
    (void)a;
    return errno_of(prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_FORCE_DISABLE, 0, 0));
}

/* ---- tiers: by what the zygote itself does ------------------------------------------------------------------------------------------- */

static int try_tier(const struct space_ask *ask, enum tier tier, bool programs, struct probe_answer *a)
{
    struct space_ask one = *ask;

    one.tier = (int)tier;
    one.programs = programs;
    return space_try(&one, tier, a->detail, sizeof(a->detail));
}

static int try_t0(const struct space_ask *ask, struct probe_answer *a)
{
    return try_tier(ask, TIER_T0, true, a);
}

static int try_t1(const struct space_ask *ask, struct probe_answer *a)
{
    return try_tier(ask, TIER_T1, true, a);
}

static int try_t2(const struct space_ask *ask, struct probe_answer *a)
{
    return try_tier(ask, TIER_T2, true, a);
}

static int try_t3(const struct space_ask *ask, struct probe_answer *a)
{
    return try_tier(ask, TIER_T3, false, a);
}

/* clang-format off */
const struct probe_row probe_rows[] = {
    { "user_namespaces",  try_user,             "T1: namespaces without root",                "T2: Landlock and the system call filter alone hold workers" },
    { "uid_range",        try_range,            "T0: each worker has a uid of its own",       "T1: workers have the broker's uid, in namespaces of their own" },
    { "mount_namespace",  try_mnt,              "workers see no file but what is for them",   "T2: what they may see is Landlock's rules" },
    { "mounting",         try_mounting,         "a work directory with limits, a view",       "T2: no limit on disk and inodes" },
    { "pivot_root",       try_pivot,            "the host's tree is left for good",           "T2: it is hidden by Landlock's rules" },
    { "pid_namespace",    try_pid,              "a job's processes end with their first",     "T2: what is left behind is adopted and killed one by one" },
    { "private_proc",     try_proc,             "--cap proc, and the module in a violation",  "--cap proc is refused; violations name addresses only" },
    { "net_namespace",    try_net,              "no network but its own loopback",            "T2: the filter refuses sockets; --cap net=loopback is refused" },
    { "ipc_namespace",    try_ipc,              "no System V memory of others",               "T2: the filter refuses those calls" },
    { "uts_namespace",    try_uts,              "the host's name is not seen",                "T2: it is" },
    { "cgroup_namespace", try_cgroup_namespace, "the host's groups are not seen in /proc",    "T2: there is no /proc" },
    { "clone_into_cgroup", try_into_cgroup,     "a worker begins its life in its group",      "it moves itself there first, which takes longer" },
    { "landlock",         try_landlock,         "a second wall before files, ports, signals", "T3: one wall less, and no programs without namespaces" },
    { "seccomp",          try_seccomp,          "the system call filter",                     "nothing runs" },
    { "seccomp_notify",   try_notify,           "a program's forbidden call is named",        "the program is killed, and the call not named" },
    { "seccomp_killable", try_killable,         "a signal does not repeat such a report",     "a signal at the wrong moment may" },
    { "mdwe",             try_mdwe,             "no memory of a job becomes code",            "the filter alone sees to it" },
    { "guard_install",    try_guard,            "a million tasklets' guard pages",            "guard pages by mprotect, for some thousands of tasklets" },
    { "memfd",            try_memfd,            "native jobs are loaded from memory",         "native jobs are refused" },
    { "no_branch_sharing", try_branch,          "branch predictions are a worker's own",      "as the machine's own mitigations have it" },
    { "no_store_bypass",  try_bypass,           "no speculation past a store",                "as the machine's own mitigations have it" },
    { "tier_T0",          try_t0,               "the whole of tier T0, programs included",    "" },
    { "tier_T1",          try_t1,               "the whole of tier T1, programs included",    "" },
    { "tier_T2",          try_t2,               "the whole of tier T2, programs included",    "" },
    { "tier_T3",          try_t3,               "tier T3, which has no programs",             "" },
    { NULL,               NULL,                 NULL,                                         NULL },
};
/* clang-format on */

/* ---- running and telling --------------------------------------------------------------------------------------------------------------- */

int probe_run(const struct probe_row *row, const struct space_ask *ask, struct probe_answer *ret_a)
{
    struct probe_answer a = { .rc = -EIO };
    int out[2];
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) != 0)
        return -errno;
    pid = fork();
    if (pid == 0) {
        memset(&a, 0, sizeof(a));
        a.rc = row->try(ask, &a);
        _exit(write(out[1], &a, sizeof(a)) == sizeof(a) ? 0 : 1);
    }
    close(out[1]);
    if (pid > 0) {
        if (read(out[0], &a, sizeof(a)) != sizeof(a)) /* it was killed for trying */
            a = (struct probe_answer){ .rc = -EIO };
        waitpid(pid, NULL, 0);
    }
    close(out[0]);
    if (pid < 0)
        return -EAGAIN;
    *ret_a = a;
    return 0;
}

static void print_text(FILE *to, const char *name, const char *text)
{
    fprintf(to, ",\"%s\":", name);
    json_text(to, text);
}

int probe_print(FILE *to, const struct space_ask *ask)
{
    for (const struct probe_row *row = probe_rows; row->name != NULL; row++) {
        struct probe_answer a;
        const char *error;
        int rc;

        (void)fflush(to); /* or the child would have it too */
        rc = probe_run(row, ask, &a);
        if (rc != 0)
            return rc;
        error = a.rc != 0 ? strerrorname_np(-a.rc) : "";
        fprintf(to, "{\"probe\":\"%s\",\"ok\":%s", row->name, a.rc == 0 ? "true" : "false");
        print_text(to, "error", error != NULL ? error : "?");
        fprintf(to, ",\"value\":%ld", a.value);
        print_text(to, "detail", a.detail);
        print_text(to, "for", row->needed);
        print_text(to, "lost", row->lost);
        fprintf(to, "}\n");
    }
    return fflush(to) == 0 ? 0 : -errno;
}
