/* space.c - see space.h: what a program's worker does once it has its job. */
#include "worker/space.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/landlock.h"
#include "worker/space_join.h"
#include "worker/sys_mount.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the work directory ------------------------------------------------------------------------------------------------------------ */

/* Parts of the one tmpfs, and where each is shown. The first one's place holds all of it beneath, where no name leads. */
/* clang-format off */
static const struct {
    const char *part;
    mode_t mode;
    const char *place;
} parts[] = {
    { "work", 0755,  "/work" },
    { "tmp",  01777, "/tmp" },
    { "shm",  01777, "/dev/shm" },
};
/* clang-format on */

enum { OWN_INODES = 1 + ARRAY_LEN(parts) }; /* of the limit, those that are not the job's */

static int make_parts(int root)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (mkdirat(root, parts[i].part, 0700) != 0 || fchmodat(root, parts[i].part, parts[i].mode, 0) != 0)
            return -errno;
    return 0;
}

static int show_part(int root, const char *part, const char *place)
{
    int rc, fd = open_tree(root, part, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (fd < 0)
        return -errno;
    rc = mount_put(fd, AT_FDCWD, place);
    close(fd);
    return rc;
}

static int work_root = -1; /* of the tmpfs, while its size is not the job's */

/* Ahead of the job, so with room for nothing but its own parts. */
static int mount_work(void)
{
    static const struct mount_option options[] = {
        {"size",       "64k" },
        { "nr_inodes", "16"  },
        { "mode",      "0700"},
        { NULL,        NULL  }
    };
    int root, rc;

    root = mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (root < 0)
        return root;
    rc = make_parts(root);
    if (rc == 0)
        rc = mount_put(root, AT_FDCWD, parts[0].place); /* before it can be shown in parts, it has to be somewhere */
    for (size_t i = 0; i < ARRAY_LEN(parts) && rc == 0; i++)
        rc = show_part(root, parts[i].part, parts[i].place);
    if (rc == 0)
        work_root = root;
    else
        close(root);
    return rc;
}

static int size_work(const struct space_work *want)
{
    char size[32], inodes[32];
    const struct mount_option options[] = {
        {"size",       size  },
        { "nr_inodes", inodes},
        { NULL,        NULL  }
    };
    int rc;

    if (work_root < 0)
        return -EBADF;
    snprintf(size, sizeof(size), "%llu", (unsigned long long)want->disk_bytes);
    snprintf(inodes, sizeof(inodes), "%llu", (unsigned long long)want->inodes + OWN_INODES);
    rc = mount_change(work_root, options);
    close(work_root);
    work_root = -1;
    return rc;
}

/* ---- what else was asked for -------------------------------------------------------------------------------------------------------- */

static int loopback_up(void)
{
    struct ifreq lo = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

    if (fd < 0)
        return -errno;
    if (ioctl(fd, SIOCGIFFLAGS, &lo) != 0)
        rc = -errno;
    lo.ifr_flags |= IFF_UP;
    if (rc == 0 && ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
        rc = -errno;
    close(fd);
    return rc;
}

#define PROC_ATTR (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static int show_proc(void)
{
    int rc, fd = mount_new("proc", NULL, PROC_ATTR);

    if (fd < 0)
        return fd;
    rc = mount_put(fd, AT_FDCWD, "/proc");
    close(fd);
    return rc;
}

/* The host's table of them is limited for all together, so a job gets a few. */
static int show_terminals(void)
{
    static const struct mount_option own[] = {
        {"newinstance", NULL  },
        { "ptmxmode",   "0666"},
        { "mode",       "0620"},
        { "max",        "16"  },
        { NULL,         NULL  }
    };
    int rc, fd = mount_new("devpts", own, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);

    if (fd < 0)
        return fd;
    rc = mount_put(fd, AT_FDCWD, "/dev/pts");
    close(fd);
    return rc;
}

/* A container whose /proc is covered in parts refuses to have another, whole one: then there is none, and only reports are shorter. */
static void open_own_proc(void)
{
    static const struct mount_option pids[] = {
        {"subset", "pid"},
        { NULL,    NULL }
    };
    int fd = mount_new("proc", pids, PROC_ATTR);

    if (fd >= 0)
        space_now.own_proc_fd = fd;
}

int space_proc_fd(void)
{
    return space_now.own_proc_fd;
}

/* ---- the two tiers of it ------------------------------------------------------------------------------------------------------------- */

static const char *failed_part = "work_directory";

const char *space_failed_part(void)
{
    return failed_part;
}

static int work_in_namespaces(const struct space_work *want)
{
    const struct {
        const char *name;
        bool wanted;
        int (*make)(void);
    } more[] = {
        {"loopback",   want->loopback, loopback_up   },
        { "own_proc",  want->proc,     show_proc     },
        { "terminals", want->terminal, show_terminals},
    };
    int rc;

    failed_part = "work_directory";
    rc = size_work(want);
    for (size_t i = 0; i < ARRAY_LEN(more) && rc == 0; i++)
        if (more[i].wanted) {
            failed_part = more[i].name;
            rc = more[i].make();
        }
    return rc;
}

static int open_work(int *ret_work_fd, const char **ret_path)
{
    int fd = open(parts[0].place, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return -errno;
    *ret_work_fd = fd;
    *ret_path = parts[0].place;
    return 0;
}

/* What the broker made, by whatever name it has; it was passed by descriptor, and is ours to write to alone. */
static int open_given_work(int *ret_work_fd, const char **ret_path)
{
    static char path[PATH_MAX];
    char self[64];
    ssize_t n;
    int fd;

    snprintf(self, sizeof(self), "/proc/self/fd/%d", space_now.work_fd);
    n = readlink(self, path, sizeof(path) - 1);
    if (n < 0)
        return -errno;
    path[n] = '\0';
    fd = openat(space_now.work_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret_work_fd = fd;
    *ret_path = path;
    return 0;
}

int space_ready(void)
{
    int rc = 0;

    if (space_now.entered)
        rc = mount_work();
    if (rc == 0 && space_now.entered)
        open_own_proc();
    return rc == 0 ? landlock_make_view(false) : rc;
}

/* What was made ahead knows neither. */
static int view_again(const struct space_work *want)
{
    if (!want->loopback && !want->terminal)
        return 0;
    failed_part = "landlock_view";
    return landlock_make_view(want->loopback);
}

int space_work(const struct space_work *want, int *ret_work_fd, const char **ret_path)
{
    int rc;

    if (!space_now.entered) {
        failed_part = want->loopback ? "loopback" : want->proc ? "own_proc" : "work_directory";
        if (want->loopback || want->proc)
            return -EOPNOTSUPP;
        return space_now.work_fd >= 0 ? open_given_work(ret_work_fd, ret_path) : -EBADF;
    }
    rc = work_in_namespaces(want);
    if (rc == 0)
        rc = open_work(ret_work_fd, ret_path);
    return rc == 0 ? view_again(want) : rc;
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

    memset(none, 0, sizeof(none));
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return -errno;
    return syscall(SYS_capset, &head, none) == 0 ? 0 : -errno;
}

int space_close(void)
{
    int rc = drop_capabilities();

    if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        rc = -errno;
    if (rc == 0)
        rc = landlock_take_view();
    return rc;
}

int space_confine(void)
{
    return landlock_take_signals();
}
