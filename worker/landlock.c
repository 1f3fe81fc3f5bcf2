/* landlock.c - see landlock.h. Debian 12's <linux/landlock.h> ends at ABI 2, so the later parts are spelled out here. */
#include "worker/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/space_join.h"
#include "worker/view.h"

struct ruleset { /* struct landlock_ruleset_attr of ABI 6; older kernels want the rest to be zero */
    uint64_t fs, net, scoped;
};

struct beneath { /* struct landlock_path_beneath_attr */
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };

/* What each ABI can take away, all of it. A later ABI than the last row gets the last row. */
/* clang-format off */
static const struct {
    struct ruleset all;
    const char *news;
} abis[] = {
    [1] = { { 0x1fff, 0x0, 0x0 }, "files: execute to make symlinks" },
    [2] = { { 0x3fff, 0x0, 0x0 }, "rename and link across directories" },
    [3] = { { 0x7fff, 0x0, 0x0 }, "truncate" },
    [4] = { { 0x7fff, 0x3, 0x0 }, "TCP bind and connect" },
    [5] = { { 0xffff, 0x3, 0x0 }, "ioctl on devices" },
    [6] = { { 0xffff, 0x3, 0x3 }, "abstract Unix sockets, signals out of the domain" },
};

/* Bits of ruleset.fs. What a kernel's ABI does not have is left out of a grant: there it cannot be taken away either. */
enum {
    FS_RUN = 0x1, FS_WRITE = 0x2, FS_READ = 0x4, FS_LIST = 0x8, FS_CHAR = 0x40, FS_BLOCK = 0x800, FS_TRUNCATE = 0x4000, FS_IOCTL = 0x8000,
    FS_OF_A_FILE = FS_RUN | FS_WRITE | FS_READ | FS_TRUNCATE | FS_IOCTL,
};

static const uint32_t granted[] = {
    [VIEW_TREE] = FS_RUN | FS_READ | FS_LIST,
    [VIEW_NODE] = FS_READ | FS_WRITE,
    [VIEW_WORK] = 0x7fff & ~(FS_CHAR | FS_BLOCK),
    [VIEW_TERM] = FS_READ | FS_WRITE | FS_LIST | FS_IOCTL,
    [VIEW_PROC] = FS_READ | FS_LIST,
};
/* clang-format on */

/* The ABI's row, or NULL. */
static const struct ruleset *row_of(int abi)
{
    int last = (int)(sizeof(abis) / sizeof(abis[0])) - 1;

    return abi < 1 ? NULL : &abis[abi < last ? abi : last].all;
}

int landlock_abi(void)
{
    static long abi = -1; /* a kernel's is one */

    if (abi < 0)
        abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static int restrict_self(int fd)
{
    return syscall(SYS_landlock_restrict_self, fd, 0) == 0 ? 0 : -errno;
}

int landlock_take_all(uint32_t *ret_abi)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    int fd, rc;

    if (abi < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) {
        *ret_abi = 0;
        return 0;
    }
    if (abi < 1)
        return abi < 0 ? -errno : -EINVAL;
    fd = (int)syscall(SYS_landlock_create_ruleset, row_of((int)abi), sizeof(struct ruleset), 0);
    if (fd < 0)
        return -errno;
    rc = restrict_self(fd);
    close(fd);
    if (rc == 0)
        *ret_abi = (uint32_t)abi;
    return rc;
}

/* ---- a view for programs --------------------------------------------------------------------------------------------------------- */

struct grants {
    int ruleset;
    uint64_t handled;
};

static int grant_fd(const struct grants *g, int fd, uint64_t access)
{
    struct beneath rule = { .access = access & g->handled, .fd = fd };
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        rule.access &= FS_OF_A_FILE;
    return syscall(SYS_landlock_add_rule, g->ruleset, RULE_PATH_BENEATH, &rule, 0) == 0 ? 0 : -errno;
}

/* What is not there needs no rule. */
static int grant(const struct grants *g, const char *path, enum view_kind kind)
{
    int fd = open(path, O_PATH | O_CLOEXEC), rc;

    if (fd < 0)
        return errno == ENOENT || errno == EACCES ? 0 : -errno;
    rc = grant_fd(g, fd, granted[kind]);
    close(fd);
    return rc;
}

static int grant_pattern(const struct grants *g, const char *pattern)
{
    glob_t found;
    int rc = 0;

    if (strchr(pattern, '*') == NULL)
        return grant(g, pattern, VIEW_TREE);
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
        rc = grant(g, found.gl_pathv[i], VIEW_TREE);
    globfree(&found);
    return rc;
}

/* Inside the view everything may be read and run, so that is one rule. */
static int grant_view(const struct grants *g)
{
    int rc = grant(g, "/", VIEW_TREE);

    for (const struct view_row *r = view_rows; r->kind != VIEW_END && rc == 0; r++)
        if (r->kind != VIEW_TREE && r->kind != VIEW_PROC)
            rc = grant(g, r->path, r->kind);
    return rc;
}

/* On the host's own tree: what the view would have shown, and the one directory that the broker made. */
static int grant_host(const struct grants *g)
{
    int rc = 0;

    for (const struct view_row *r = view_rows; r->kind != VIEW_END && rc == 0; r++)
        if (r->kind == VIEW_TREE)
            rc = grant_pattern(g, r->path);
        else if (r->kind == VIEW_NODE)
            rc = grant(g, r->path, VIEW_NODE);
    for (unsigned i = 0; view_extra(i) != NULL && rc == 0; i++)
        rc = grant(g, view_extra(i), VIEW_TREE);
    if (rc == 0 && space_now.work_fd >= 0)
        rc = grant_fd(g, space_now.work_fd, granted[VIEW_WORK]);
    return rc;
}

enum { NOT_MADE = -2, NO_LANDLOCK = -1 };

static int view_ruleset = NOT_MADE;

int landlock_make_view(bool ports)
{
    const struct ruleset *all = row_of(landlock_abi());
    struct ruleset taken;
    struct grants g;
    int rc;

    if (view_ruleset >= 0)
        close(view_ruleset);
    view_ruleset = all == NULL ? NO_LANDLOCK : NOT_MADE;
    if (all == NULL)
        return 0;
    taken = *all;
    if (ports)
        taken.net = 0; /* there is nobody else in its network */
    g.handled = taken.fs;
    g.ruleset = (int)syscall(SYS_landlock_create_ruleset, &taken, sizeof(taken), 0);
    if (g.ruleset < 0)
        return -errno;
    rc = space_now.entered ? grant_view(&g) : grant_host(&g);
    if (rc == 0 && space_now.own_proc_fd >= 0)
        rc = grant_fd(&g, space_now.own_proc_fd,
                      granted[VIEW_PROC]); /* init's alone: no program has the descriptor, and it is mounted nowhere */
    if (rc == 0)
        view_ruleset = g.ruleset;
    else
        close(g.ruleset);
    return rc;
}

int landlock_take_view(void)
{
    int rc;

    if (view_ruleset == NOT_MADE)
        return -EBADF;
    if (view_ruleset == NO_LANDLOCK)
        return space_now.entered ? 0 : -EOPNOTSUPP; /* without namespaces it is all there is */
    rc = restrict_self(view_ruleset);
    close(view_ruleset);
    view_ruleset = NOT_MADE;
    return rc;
}

int landlock_take_signals(void)
{
    const struct ruleset *all = row_of(landlock_abi());
    struct ruleset only = { .scoped = all != NULL ? all->scoped : 0 };
    int fd, rc;

    if (only.scoped == 0)
        return 0;
    fd = (int)syscall(SYS_landlock_create_ruleset, &only, sizeof(only), 0);
    if (fd < 0)
        return -errno;
    rc = restrict_self(fd);
    close(fd);
    return rc;
}
