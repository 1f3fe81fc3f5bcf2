/* cgroup_find.c - see cgroup.h: where our own groups are, and which of them we may make groups in. Every answer is found by trying. */
#include "broker/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/small_file.h"

#define BROKER_GROUP "broker"  /* v2: where we live ourselves; a group that has children holds no processes */
#define BASE_GROUP   "coop-%u" /* made by us: one for all brokers of a user */

/* The files that whoever works in a directory of groups must be able to write. */
static const char *const delegated[] = { "cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "tasks" };

__attribute__((format(printf, 2, 3))) static int cannot(struct cgroups *g, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(g->why, sizeof(g->why), fmt, ap);
    va_end(ap);
    return -ENOENT;
}

/* ---- the kernel's lists ----------------------------------------------------------------------------------------------------------- */

/* A word of a list with commas or spaces between. */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
        if ((p == list || strchr(", \n", p[-1]) != NULL) && (p[n] == '\0' || strchr(", \n", p[n]) != NULL))
            return true;
    return false;
}

/* \040 and the like, as mountinfo writes what would end a field. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *p = text; *p != '\0'; p++)
        if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
            *to++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
            p += 3;
        } else {
            *to++ = *p;
        }
    *to = '\0';
}

struct mount {
    char root[CGROUP_PATH / 2], point[CGROUP_PATH / 2], type[32], options[512];
};

/* The mount of a type, and with a controller among its options when one is named. */
static int find_mount(const char *mountinfo, const char *type, const char *controller, struct mount *ret)
{
    for (const char *line = mountinfo; line != NULL && *line != '\0'; line = strchr(line, '\n'), line = line != NULL ? line + 1 : NULL) {
        const char *dash = strstr(line, " - "), *end = strchrnul(line, '\n');

        if (dash == NULL || dash > end || sscanf(line, "%*d %*d %*s %2047s %2047s", ret->root, ret->point) != 2 ||
            sscanf(dash + 3, "%31s %*s %511s", ret->type, ret->options) != 2)
            continue;
        if (strcmp(ret->type, type) != 0 || (controller != NULL && !has_word(ret->options, controller)))
            continue;
        unescape(ret->root);
        unescape(ret->point);
        return 0;
    }
    return -ENOENT;
}

/* "N:controllers:path"; controller NULL: the line of v2, which has none. */
static int find_own_path(const char *own, const char *controller, char path[CGROUP_PATH / 2])
{
    for (const char *line = own; line != NULL && *line != '\0'; line = strchr(line, '\n'), line = line != NULL ? line + 1 : NULL) {
        const char *first = strchr(line, ':'), *second = first != NULL ? strchr(first + 1, ':') : NULL, *end = strchrnul(line, '\n');
        char list[256];

        if (second == NULL || second > end)
            continue;
        snprintf(list, sizeof(list), "%.*s", (int)(second - first - 1), first + 1);
        if (controller != NULL ? !has_word(list, controller) : list[0] != '\0')
            continue;
        snprintf(path, CGROUP_PATH / 2, "%.*s", (int)(end - second - 1), second + 1);
        return 0;
    }
    return -ENOENT;
}

/* Our own group's directory: of a mount that may show only a part of the hierarchy. */
static int own_dir(const char *mountinfo, const char *own, const char *type, const char *controller, struct mount *ret_m,
                   char dir[CGROUP_PATH])
{
    char path[CGROUP_PATH / 2];
    const char *below = path;
    size_t n;

    if (find_mount(mountinfo, type, controller, ret_m) != 0 || find_own_path(own, controller, path) != 0)
        return -ENOENT;
    n = strcmp(ret_m->root, "/") == 0 ? 0 : strlen(ret_m->root);
    if (strncmp(path, ret_m->root, n) != 0 || (path[n] != '\0' && path[n] != '/') || strstr(path, "..") != NULL)
        return -ENOENT; /* it lies outside of what is mounted here */
    below += n;
    snprintf(dir, CGROUP_PATH, "%s%s", ret_m->point, strcmp(below, "/") == 0 ? "" : below);
    return 0;
}

/* ---- small hands ------------------------------------------------------------------------------------------------------------------- */

/* 0 or -errno. */
static int read_in(const char *dir, const char *name, char *text, size_t size)
{
    char path[CGROUP_PATH + 64];
    ssize_t len;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    len = small_file_read(AT_FDCWD, path, text, size);
    return len < 0 ? (int)len : 0;
}

static int put_in(const char *dir, const char *name, const char *text)
{
    char path[CGROUP_PATH + 64];
    int fd, rc;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    rc = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int make_group(const char *dir, mode_t mode)
{
    return mkdir(dir, mode) != 0 && errno != EEXIST ? -errno : 0;
}

/* The directory and the files that make it usable become owner's. */
static int hand_over(const char *dir, uid_t owner)
{
    char path[CGROUP_PATH + 64];

    if (owner == geteuid())
        return 0;
    if (chown(dir, owner, (gid_t)-1) != 0)
        return -errno;
    for (size_t i = 0; i < sizeof(delegated) / sizeof(delegated[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, delegated[i]);
        if (chown(path, owner, (gid_t)-1) != 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

/* ---- a directory that several brokers share ---------------------------------------------------------------------------------------- */

enum { TRIES = 1000 }; /* each lost to another broker that came or went in the moment between, so one of us gets on */

/* The directory that fd has open is the one of that name, still: one that was removed and made again is another. */
static bool is_there(int fd, const char *dir)
{
    struct stat held, there;

    return fstat(fd, &held) == 0 && stat(dir, &there) == 0 && held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

/*
 * Who uses it holds a shared lock on it, which ends with him however he ends; who can have it alone may remove it. -EAGAIN: it was removed
 * before it was locked.
 */
static int lock_base(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), rc = 0;

    if (fd < 0)
        return errno == ENOENT ? -EAGAIN : -errno;
    while ((rc = flock(fd, LOCK_SH) != 0 ? -errno : 0) == -EINTR)
        ;
    if (rc == 0 && !is_there(fd, dir))
        rc = -EAGAIN;
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

static int make_and_lock(const char *dir, uid_t owner)
{
    int rc = make_group(dir, 0700); /* nobody else may open it: his lock would keep brokers out */

    if (rc != 0)
        return rc;
    rc = hand_over(dir, owner);
    return rc == -ENOENT ? -EAGAIN : rc != 0 ? rc : lock_base(dir);
}

static int share_base(struct cgroups *g, int part, uid_t owner)
{
    int fd = -EAGAIN;

    for (int tries = 0; tries < TRIES && fd == -EAGAIN; tries++)
        fd = make_and_lock(g->base[part], owner);
    if (fd < 0)
        return fd;
    if (g->base_lock[part] >= 0)
        close(g->base_lock[part]);
    g->base_lock[part] = fd;
    return 0;
}

/* Only of those that are gone: the others' locks are still good. */
int cgroup_remake_bases(struct cgroups *g)
{
    int rc = 0;

    for (int part = 0; part < CGROUP_PARTS && rc == 0; part++)
        if (g->base_lock[part] >= 0 && !is_there(g->base_lock[part], g->base[part]))
            rc = share_base(g, part, geteuid());
    return rc;
}

void cgroup_unlock_bases(struct cgroups *g)
{
    for (int part = 0; part < CGROUP_PARTS; part++) {
        if (g->base_lock[part] >= 0)
            close(g->base_lock[part]);
        g->base_lock[part] = -1;
    }
}

/*
 * Nothing, as long as another broker uses it, though it may have no group in it at the moment. What we have alone may have been removed while
 * we opened it, and the one of that name now is another's. While it is there and ours alone, nobody else removes it.
 */
static void remove_base(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_there(fd, dir))
        (void)rmdir(dir);
    if (fd >= 0)
        close(fd);
}

/* ---- v1: a directory below our group in each hierarchy there is -------------------------------------------------------------------- */

static int find_v1_part(struct cgroups *g, enum cgroup_part part, const char *mountinfo, const char *own, uid_t owner)
{
    const char *controller = cgroup_controllers[CGROUP_V1][part];
    char dir[CGROUP_PATH];
    struct mount m;
    int rc = own_dir(mountinfo, own, "cgroup", controller, &m, dir);

    if (rc != 0)
        return cannot(g, "cgroup v1: no hierarchy has %s", controller);
    snprintf(g->base[part], CGROUP_PATH, "%.*s/" BASE_GROUP, CGROUP_PATH - CGROUP_NAME_MAX - 2, dir, (unsigned)owner);
    rc = share_base(g, part, owner);
    if (rc != 0)
        return cannot(g, "cgroup v1: no group can be made in %.150s: %s", dir, strerror(-rc));
    g->base_made[part] = g->has[part] = true;
    return 0;
}

/*
 * No more of them than it takes: to move a process into a group costs a grace period of the kernel in each hierarchy, milliseconds. Where
 * pids can be forbidden to grow, nothing has to be frozen to be killed whole.
 */
static int find_v1(struct cgroups *g, const char *mountinfo, const char *own, uid_t owner)
{
    static const enum cgroup_part parts[] = { CGROUP_CPU, CGROUP_PIDS, CGROUP_MEMORY }; /* last: what is wrong with it is what matters */

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        (void)find_v1_part(g, parts[i], mountinfo, own, owner);
    if (!g->has[CGROUP_MEMORY] && !g->has[CGROUP_PIDS] && !g->has[CGROUP_CPU])
        return -ENOENT;
    if (!g->has[CGROUP_PIDS])
        (void)find_v1_part(g, CGROUP_FREEZER, mountinfo, own, owner);
    return 0;
}

/* ---- v2: our own group when we are alone in it, else one beside it or above ------------------------------------------------------- */

/* What the groups below dir will have. Each by itself: one that cannot be had must not take the others along. */
static void enable_controllers(const char *dir)
{
    char text[32];

    for (int part = 0; part < CGROUP_PARTS; part++) {
        if (cgroup_controllers[CGROUP_V2][part] == NULL)
            continue;
        snprintf(text, sizeof(text), "+%s", cgroup_controllers[CGROUP_V2][part]);
        (void)put_in(dir, "cgroup.subtree_control", text);
    }
}

static bool alone_in(const char *dir)
{
    char text[64], self[32];

    snprintf(self, sizeof(self), "%d\n", (int)getpid());
    return read_in(dir, "cgroup.procs", text, sizeof(text)) == 0 && strcmp(text, self) == 0;
}

/* The top of the hierarchy has no type; it may hold processes and have children. */
static bool is_top(const char *dir)
{
    char path[CGROUP_PATH + 64];

    snprintf(path, sizeof(path), "%s/cgroup.type", dir);
    return access(path, F_OK) != 0;
}

/* Moves us into dir/broker and lets groups be made beside it. */
static int settle_in(struct cgroups *g, const char *dir, uid_t owner)
{
    char broker[CGROUP_PATH + 16], text[256];
    int rc;

    snprintf(broker, sizeof(broker), "%s/" BROKER_GROUP, dir);
    if ((rc = make_group(broker, 0755)) != 0 || (rc = put_in(broker, "cgroup.procs", "0")) != 0)
        return rc;
    enable_controllers(dir);
    if ((rc = read_in(dir, "cgroup.subtree_control", text, sizeof(text))) != 0 || (rc = hand_over(broker, owner)) != 0 ||
        (rc = hand_over(dir, owner)) != 0)
        return rc;
    for (int part = 0; part < CGROUP_PARTS; part++) {
        const char *controller = cgroup_controllers[CGROUP_V2][part];

        g->has[part] = part == CGROUP_CPU || part == CGROUP_FREEZER || has_word(text, controller); /* those two are in every group */
        snprintf(g->base[part], CGROUP_PATH, "%.*s", CGROUP_PATH - 1, dir);
    }
    return g->has[CGROUP_MEMORY] || g->has[CGROUP_PIDS] ? 0 : -ENOTSUP;
}

static int settle_in_ours(struct cgroups *g, const char *dir, const char *ours, uid_t owner)
{
    char text[256];
    int rc = make_group(ours, 0755);

    if (rc != 0)
        return rc;
    if (is_top(dir))
        enable_controllers(dir);
    rc = read_in(ours, "cgroup.controllers", text, sizeof(text));
    if (rc == 0)
        rc = has_word(text, "memory") || has_word(text, "pids") ? settle_in(g, ours, owner) : -ENOTSUP;
    if (rc != 0)
        (void)rmdir(ours);
    return rc;
}

/* A group of ours in dir, where the controllers reach. Until we live in it, another broker that leaves may take it away. */
static int settle_below(struct cgroups *g, const char *dir, uid_t owner)
{
    char ours[CGROUP_PATH];
    int rc = -ENOENT;

    snprintf(ours, sizeof(ours), "%.*s/" BASE_GROUP, CGROUP_PATH - CGROUP_NAME_MAX - 2, dir, (unsigned)owner);
    for (int tries = 0; tries < TRIES && rc == -ENOENT; tries++)
        rc = settle_in_ours(g, dir, ours, owner);
    if (rc == 0)
        g->base_made[CGROUP_MEMORY] = true; /* once: all parts are one directory */
    return rc;
}

/* Started by somebody who lives where a broker does: beside that one, with leaves of our own name. */
static int settle_where_one_is(struct cgroups *g, const char *own, uid_t owner)
{
    const char *name = strrchr(own, '/');
    char base[CGROUP_PATH];

    if (name == NULL || strcmp(name, "/" BROKER_GROUP) != 0)
        return -ENOENT;
    snprintf(base, sizeof(base), "%.*s", (int)(name - own), own);
    return settle_in(g, base, owner);
}

static int find_v2(struct cgroups *g, const char *mountinfo, const char *own, uid_t owner)
{
    char dir[CGROUP_PATH], text[256] = "";
    struct mount m;
    int rc;

    if (own_dir(mountinfo, own, "cgroup2", NULL, &m, dir) != 0)
        return cannot(g, "cgroup v2: it is not mounted, or our group is outside of what is mounted");
    rc = read_in(dir, "cgroup.controllers", text, sizeof(text));
    if (rc != 0 || (!has_word(text, "memory") && !has_word(text, "pids")))
        return cannot(g, "cgroup v2: neither memory nor pids is delegated to %.150s", dir);
    rc = -EBUSY;
    snprintf(g->home, sizeof(g->home), "%s", dir);
    if (settle_where_one_is(g, dir, owner) == 0 || (!is_top(dir) && alone_in(dir) && settle_in(g, dir, owner) == 0))
        return 0;
    if (!is_top(dir))
        *strrchr(dir, '/') = '\0'; /* others live in ours: it cannot have children with controllers */
    for (;; *strrchr(dir, '/') = '\0') {
        if (strlen(dir) < strlen(m.point))
            return cannot(g, "cgroup v2: no group can be made beside ours: %s", strerror(-rc));
        if ((rc = settle_below(g, dir, owner)) == 0)
            return 0;
    }
}

void cgroup_leave(struct cgroups *g)
{
    char broker[CGROUP_PATH + 16];

    cgroup_unlock_bases(g);
    if (g->kind == CGROUP_V2 && g->base_made[CGROUP_MEMORY] && put_in(g->home, "cgroup.procs", "0") == 0) {
        snprintf(broker, sizeof(broker), "%s/" BROKER_GROUP, g->base[CGROUP_MEMORY]);
        (void)rmdir(broker);
    }
    for (int part = 0; part < CGROUP_PARTS; part++)
        if (g->base_made[part])
            remove_base(g->base[part]);
}

int cgroup_find(struct cgroups *g, enum cgroup_kind kind, const char *mountinfo, const char *own, uid_t owner)
{
    int rc;

    memset(g->has, 0, sizeof(g->has));
    memset(g->base_made, 0, sizeof(g->base_made));
    memset(g->base_lock, -1, sizeof(g->base_lock));
    g->why[0] = '\0';
    rc = kind == CGROUP_V2 ? find_v2(g, mountinfo, own, owner) : find_v1(g, mountinfo, own, owner);
    g->kind = rc == 0 ? kind : CGROUP_NONE;
    return rc;
}
