/* view.c - see view.h. */
#include "worker/view.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/sys_mount.h"

#define SHOWN (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID)

/* What a host does not have is left out. A symlink is made again, not followed: on most systems /bin is one. */
/* clang-format off */
const struct view_row view_rows[] = {
    { VIEW_TREE, "/usr",                      "programs, libraries, and what they read" },
    { VIEW_TREE, "/bin",                      "on most systems a link into /usr" },
    { VIEW_TREE, "/sbin",                     "the same" },
    { VIEW_TREE, "/lib",                      "the same" },
    { VIEW_TREE, "/lib32",                    "the same" },
    { VIEW_TREE, "/lib64",                    "the same; every program's interpreter is named by it" },
    { VIEW_TREE, "/libx32",                   "the same" },
    { VIEW_TREE, "/etc/ld.so.cache",          "where libraries are" },
    { VIEW_TREE, "/etc/ld.so.conf",           "the same, for linkers" },
    { VIEW_TREE, "/etc/ld.so.conf.d",         "the same" },
    { VIEW_TREE, "/etc/alternatives",         "which of several programs a name in /usr/bin means" },
    { VIEW_TREE, "/etc/localtime",            "the time zone" },
    { VIEW_TREE, "/etc/timezone",             "its name" },
    { VIEW_TREE, "/etc/os-release",           "which system this is" },
    { VIEW_TREE, "/etc/debian_version",       "the same" },
    { VIEW_TREE, "/etc/locale.alias",         "names of languages" },
    { VIEW_TREE, "/etc/mime.types",           "types of files by their endings" },
    { VIEW_TREE, "/etc/magic*",               "the same by their beginnings" },
    { VIEW_TREE, "/etc/protocols",            "names of protocols" },
    { VIEW_TREE, "/etc/services",             "names of ports" },
    { VIEW_TREE, "/etc/terminfo",             "what terminals can do" },
    { VIEW_TREE, "/etc/inputrc",              "keys of a line editor" },
    { VIEW_TREE, "/etc/ssl/certs",            "public certificates" },
    { VIEW_TREE, "/etc/ssl/openssl.cnf",      "which algorithms are good enough" },
    { VIEW_TREE, "/etc/ca-certificates",      "public certificates" },
    { VIEW_TREE, "/etc/ca-certificates.conf", "the same" },
    { VIEW_TREE, "/etc/pki/tls/certs",        "the same, elsewhere" },
    { VIEW_TREE, "/etc/pki/ca-trust",         "the same" },
    { VIEW_TREE, "/etc/perl",                 "a part of its library" },
    { VIEW_TREE, "/etc/python3*",             "what its library links to" },
    { VIEW_TREE, "/etc/java-*-openjdk",       "the same" },
    { VIEW_NODE, "/dev/null",                 "to throw away" },
    { VIEW_NODE, "/dev/zero",                 "zeros" },
    { VIEW_NODE, "/dev/full",                 "a disk that is full" },
    { VIEW_NODE, "/dev/random",               "random bytes" },
    { VIEW_NODE, "/dev/urandom",              "the same" },
    { VIEW_WORK, "/work",                     "the job's directory, its HOME and where it starts" },
    { VIEW_WORK, "/tmp",                      "the job's too" },
    { VIEW_WORK, "/dev/shm",                  "the job's too: where shared memory has its names" },
    { VIEW_TERM, "/dev/pts",                  "a terminal, for a job that asked for one" },
    { VIEW_PROC, "/proc",                     "the job's own processes, for a job that asked for it" },
    { VIEW_END,  NULL,                        NULL },
};

/* Files that say who the job is, instead of who lives on the host. */
static const struct {
    const char *path, *text;
} written[] = {
    { "etc/passwd",        "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
                           "coop:x:1000:1000:coop:/work:/bin/sh\n"
                           "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
    { "etc/group",         "root:x:0:\ncoop:x:1000:\nnogroup:x:65534:\n" },
    { "etc/hosts",         "127.0.0.1 localhost coop\n::1 localhost\n" },
    { "etc/host.conf",     "multi on\n" },
    { "etc/hostname",      "coop\n" },
    { "etc/resolv.conf",   "" },
    { "etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\nprotocols: files\nservices: files\n" },
};

static const struct {
    const char *path, *target;
} links[] = {
    { "dev/fd",     "/proc/self/fd" },   { "dev/stdin", "/proc/self/fd/0" }, { "dev/stdout", "/proc/self/fd/1" },
    { "dev/stderr", "/proc/self/fd/2" }, { "dev/ptmx",  "pts/ptmx" },        { "etc/mtab",   "/proc/mounts" },
};
/* clang-format on */

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *extra[VIEW_EXTRA_MAX];
static unsigned n_extra;

static bool is_beneath(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Where the job's own files come to lie over it, it would never be seen; and where it would lie over them, neither would they. */
static bool is_covered(const char *dir)
{
    if (is_beneath(dir, "/dev"))
        return true;
    for (const struct view_row *r = view_rows; r->kind != VIEW_END; r++)
        if (r->kind != VIEW_TREE && (is_beneath(dir, r->path) || is_beneath(r->path, dir)))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(written); i++) /* whose paths have no slash in front */
        if (is_beneath(written[i].path, dir + 1))
            return true;
    return false;
}

int view_add(const char *dir)
{
    char real[PATH_MAX];
    struct stat st;

    if (n_extra == VIEW_EXTRA_MAX)
        return -E2BIG;
    if (dir[0] != '/' || strcmp(dir, "/") == 0 || realpath(dir, real) == NULL || strcmp(dir, real) != 0)
        return -EINVAL;
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return -ENOTDIR;
    if (is_covered(dir))
        return -EBUSY;
    extra[n_extra++] = dir;
    return 0;
}

const char *view_extra(unsigned i)
{
    return i < n_extra ? extra[i] : NULL;
}

void view_explain(FILE *to)
{
    static const char *const kinds[] = {
        [VIEW_TREE] = "read, run", [VIEW_NODE] = "device", [VIEW_WORK] = "write", [VIEW_TERM] = "--tty", [VIEW_PROC] = "--cap proc"
    };

    fprintf(to, "%-26s %-11s %s\n", "path", "for", "why");
    for (const struct view_row *r = view_rows; r->kind != VIEW_END; r++)
        fprintf(to, "%-26s %-11s %s\n", r->path, kinds[r->kind], r->why);
    for (size_t i = 0; i < ARRAY_LEN(written); i++)
        fprintf(to, "/%-25s %-11s %s\n", written[i].path, "read", "the sandbox's own, not the host's");
}

/* ---- building, below the descriptor of the new root --------------------------------------------------------------------------- */

static int make_dir(int root, const char *path)
{
    return mkdirat(root, path, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

/* The directories that path (relative) lies in. */
static int make_parents(int root, const char *path)
{
    char part[PATH_MAX];
    int rc = 0;

    for (const char *slash = strchr(path, '/'); slash != NULL && rc == 0; slash = strchr(slash + 1, '/')) {
        if ((size_t)(slash - path) >= sizeof(part))
            return -ENAMETOOLONG;
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        rc = make_dir(root, part);
    }
    return rc;
}

static int make_file(int root, const char *path, const char *text)
{
    int fd = openat(root, path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644), rc = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        rc = -EIO;
    close(fd);
    return rc;
}

/* Shows one file or directory of the host under its own name. */
static int show(int root, const char *path, unsigned attributes)
{
    const char *rel = path + 1;
    char target[PATH_MAX];
    struct stat st;
    ssize_t n;
    int fd, rc;

    if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -errno;
    rc = make_parents(root, rel);
    if (rc == 0 && S_ISLNK(st.st_mode)) {
        n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
            return -errno;
        target[n] = '\0';
        return symlinkat(target, root, rel) == 0 || errno == EEXIST ? 0 : -errno;
    }
    if (rc == 0)
        rc = S_ISDIR(st.st_mode) ? make_dir(root, rel) : make_file(root, rel, "");
    if (rc != 0)
        return rc;
    fd = mount_copy(AT_FDCWD, path, attributes);
    if (fd < 0)
        return fd;
    rc = mount_put(fd, root, rel);
    close(fd);
    return rc;
}

static int show_pattern(int root, const char *pattern)
{
    glob_t found;
    int rc = 0;

    if (strchr(pattern, '*') == NULL)
        return show(root, pattern, SHOWN | MOUNT_ATTR_NODEV);
    if (glob(pattern, 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc && rc == 0; i++)
        rc = show(root, found.gl_pathv[i], SHOWN | MOUNT_ATTR_NODEV);
    globfree(&found);
    return rc;
}

/*
 * A fresh procfs may only be mounted where one can be seen already, and by the kernel's rule it must not be covered itself: so the
 * host's is put one directory deeper, and that directory's parent is covered. Nobody without capabilities can take a cover away.
 */
static int hide_proc(int root)
{
    static const struct mount_option tiny[] = {
        {"size",       "4k"  },
        { "nr_inodes", "1"   },
        { "mode",      "0555"},
        { NULL,        NULL  }
    };
    int fd, rc = make_dir(root, "proc/outer");

    if (rc != 0)
        return rc;
    fd = mount_copy(AT_FDCWD, "/proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (fd < 0)
        return fd;
    rc = mount_put(fd, root, "proc/outer");
    close(fd);
    if (rc != 0)
        return rc;
    fd = mount_new("tmpfs", tiny, SHOWN | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (fd < 0)
        return fd;
    rc = mount_put(fd, root, "proc");
    close(fd);
    return rc;
}

static int make_row(int root, const struct view_row *r)
{
    int rc;

    switch (r->kind) {
    case VIEW_TREE: return show_pattern(root, r->path);
    case VIEW_NODE: return show(root, r->path, SHOWN | MOUNT_ATTR_NOEXEC);
    default: break;
    }
    rc = make_parents(root, r->path + 1);
    if (rc == 0)
        rc = make_dir(root, r->path + 1);
    return rc == 0 && r->kind == VIEW_PROC ? hide_proc(root) : rc;
}

static int fill(int root, const char **ret_step)
{
    int rc = 0;

    for (const struct view_row *r = view_rows; r->kind != VIEW_END && rc == 0; r++) {
        *ret_step = r->path;
        rc = make_row(root, r);
    }
    for (unsigned i = 0; i < n_extra && rc == 0; i++) {
        *ret_step = extra[i];
        rc = show(root, extra[i], SHOWN | MOUNT_ATTR_NODEV);
    }
    for (size_t i = 0; i < ARRAY_LEN(written) && rc == 0; i++) {
        *ret_step = written[i].path;
        rc = make_file(root, written[i].path, written[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(links) && rc == 0; i++) {
        *ret_step = links[i].path;
        rc = symlinkat(links[i].target, root, links[i].path) == 0 ? 0 : -errno;
    }
    return rc;
}

/* ---- moving in ----------------------------------------------------------------------------------------------------------------- */

/* Put over the old root, where every path still means the host's: only the descriptor leads into it. */
static int new_root(const char **ret_step)
{
    static const struct mount_option options[] = {
        {"size",       "1m"  },
        { "nr_inodes", "400" },
        { "mode",      "0755"},
        { NULL,        NULL  }
    };
    int fd, rc;

    *ret_step = "mount tmpfs";
    fd = mount_new("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (fd < 0)
        return fd;
    *ret_step = "mount over /";
    rc = mount_put(fd, AT_FDCWD, "/");
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

/* Both names are ".": the old root is put over the new one, and taken away from there. An initramfs cannot be left like this (EINVAL). */
static int move_in(int root, const char **ret_step)
{
    struct mount_attr sealed = { .attr_set = MOUNT_ATTR_RDONLY };

    *ret_step = "pivot_root";
    if (fchdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0)
        return -errno;
    *ret_step = "umount the old root";
    if (umount2(".", MNT_DETACH) != 0)
        return -errno;
    *ret_step = "chdir /";
    if (chdir("/") != 0)
        return -errno;
    *ret_step = "read-only /";
    return mount_setattr(root, "", AT_EMPTY_PATH, &sealed, sizeof(sealed)) == 0 ? 0 : -errno;
}

int view_enter(bool programs, const char **ret_step)
{
    int root, rc = 0;

    *ret_step = "private mounts";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return -errno;
    root = new_root(ret_step);
    if (root < 0)
        return root;
    umask(0);
    if (programs)
        rc = fill(root, ret_step);
    umask(077);
    if (rc == 0)
        rc = move_in(root, ret_step);
    close(root);
    return rc;
}
