/*
 * places.c - see places.h.
 *
 * Root hands a directory over once: one that it owns itself, that nobody else could write to, and that holds nothing but what a broker
 * makes. From then on it is the broker's user's, and root touches nothing in it any more: a name in a directory of another user may be a
 * link to anything by the time it is used.
 */
#include "broker/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/store.h"

enum { HIGH_FD = 16 }; /* above what a zygote is given by number, so that dup2() there closes none of these first */

/* What a broker makes: a name, or its beginning. The directories are its own through and through. */
/* clang-format off */
static const struct made {
    const char *name;
    bool is_prefix, is_dir;
} made_names[] = {
    { "coop.db",      true,  false }, { "lock",   false, false }, { "coopd.log", true,  false },
    { "control.sock", false, false }, { "output", true,  true },  { "work",      false, true },
};
/* clang-format on */

__attribute__((format(printf, 3, 4))) static int say(char why[PLACES_WHY], int rc, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, PLACES_WHY, fmt, ap);
    va_end(ap);
    return rc;
}

static const struct made *find_made(const char *name)
{
    for (size_t i = 0; i < sizeof(made_names) / sizeof(made_names[0]); i++) {
        const struct made *m = &made_names[i];

        if (m->is_prefix ? strncmp(name, m->name, strlen(m->name)) == 0 : strcmp(name, m->name) == 0)
            return m;
    }
    return NULL;
}

/* ---- handing over --------------------------------------------------------------------------------------------------------------- */

/* fn for each entry; what it returns other than 0 ends the walk. */
static int each_entry(int dir_fd, int (*fn)(int dir_fd, const char *name, const struct privilege *who), const struct privilege *who)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    if (d == NULL) {
        rc = -errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (errno = 0, e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = fn(dir_fd, e->d_name, who);
    if (rc == 0)
        rc = -errno;
    (void)closedir(d);
    return rc;
}

/* A file that has a second name is somebody else's as well, and stays what it is. */
static int hand_over_file(int dir_fd, const char *name, const struct privilege *who)
{
    int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        rc = -errno;
    else if ((!S_ISREG(st.st_mode) && !S_ISSOCK(st.st_mode)) || st.st_nlink != 1 || (st.st_uid != 0 && st.st_uid != who->user.uid))
        rc = -EPERM;
    else if (fchownat(fd, "", who->user.uid, who->user.gid, AT_EMPTY_PATH) != 0)
        rc = -errno;
    if (fd >= 0)
        close(fd);
    return rc;
}

static int hand_over_dir(int dir_fd, const char *name, const struct privilege *who)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc;

    if (fd < 0)
        return -errno;
    rc = each_entry(fd, hand_over_file, who);
    if (rc == 0 && fchown(fd, who->user.uid, who->user.gid) != 0)
        rc = -errno;
    close(fd);
    return rc;
}

static int hand_over_entry(int dir_fd, const char *name, const struct privilege *who)
{
    const struct made *m = find_made(name);

    return m != NULL && m->is_dir ? hand_over_dir(dir_fd, name, who) : hand_over_file(dir_fd, name, who);
}

static int is_made(int dir_fd, const char *name, const struct privilege *who)
{
    (void)dir_fd;
    (void)who;
    return find_made(name) != NULL ? 0 : -ENOTEMPTY;
}

static int hand_over(int dir_fd, const char *path, const struct privilege *who, char why[PLACES_WHY])
{
    int rc = each_entry(dir_fd, is_made, who); /* all of it is looked at before any of it is changed */

    if (rc == -ENOTEMPTY)
        return say(why, -EPERM, "%.200s is root's and holds what coop did not make; name a directory of its own, or chown that to %s", path,
                   who->user.name);
    if (rc == 0)
        rc = each_entry(dir_fd, hand_over_entry, who);
    if (rc == 0 && fchown(dir_fd, who->user.uid, who->user.gid) != 0) /* last: cut off half way, it is done again */
        rc = -errno;
    return rc == 0 ? 0 : say(why, rc, "%.200s cannot be handed over to user %s: %s", path, who->user.name, strerror(-rc));
}

/* Ours already, or root's to be handed over. */
static int take(int dir_fd, const char *path, const struct privilege *who, char why[PLACES_WHY])
{
    struct stat st;

    if (fstat(dir_fd, &st) != 0)
        return say(why, -errno, "%.200s: %s", path, strerror(errno));
    if (st.st_uid == who->user.uid)
        return 0;
    if (!who->was_root || st.st_uid != 0)
        return say(why, -EPERM, "%.200s belongs to uid %u, and the broker is uid %u", path, (unsigned)st.st_uid, (unsigned)who->user.uid);
    if ((st.st_mode & 0022) != 0)
        return say(why, -EPERM, "%.200s may be written by others (mode %03o): chmod go-w it", path, (unsigned)st.st_mode & 0777);
    return hand_over(dir_fd, path, who, why);
}

/* ---- opening -------------------------------------------------------------------------------------------------------------------- */

/* A directory for sockets: ours alone, or for others to look into, and really a directory, or we do not use it. */
static int open_run_dir(struct places *p, const char *path, const struct privilege *who, char why[PLACES_WHY])
{
    mode_t mode = p->shared ? 0755 : 0700;
    int rc = mkdir(path, 0700) != 0 && errno != EEXIST ? -errno : 0;
    struct stat st;

    if (rc == 0)
        p->run_dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (rc != 0 || p->run_dir < 0 || fstat(p->run_dir, &st) != 0) {
        rc = rc != 0 ? rc : -errno;
        return say(why, rc == -ELOOP ? -ENOTDIR : rc, "run directory %.200s: %s", path, strerror(-rc));
    }
    snprintf(p->socket, sizeof(p->socket), "/proc/self/fd/%d/control.sock", p->run_dir);
    rc = take(p->run_dir, path, who, why);
    if (rc == 0 && (st.st_mode & 0777) != mode && fchmod(p->run_dir, mode) != 0)
        rc = say(why, -errno, "run directory %.200s: %s", path, strerror(errno));
    return rc;
}

static int open_worker(struct places *p, const char *path, const struct privilege *who, char why[PLACES_WHY])
{
    int fd;

    snprintf(p->worker_path, sizeof(p->worker_path), "%s", path);
    if (!who->was_root)
        return 0;
    fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return say(why, -errno, "worker program %.200s: %s", path, strerror(errno));
    p->worker = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    close(fd);
    if (p->worker < 0)
        return say(why, -errno, "worker program %.200s: %s", path, strerror(errno));
    snprintf(p->worker_path, sizeof(p->worker_path), "/proc/self/fd/%d", p->worker);
    return 0;
}

/* path is dir, or lies below it. Both real. */
static bool lies_in(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    while (n > 0 && dir[n - 1] == '/')
        n--;
    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Programs may look at anything but the broker: jobs of other people lie in its state, and its socket is a way out. */
static int check_view(const char *dir, const char *own, char why[PLACES_WHY])
{
    char *view = realpath(dir, NULL), *real = NULL;
    struct stat st;
    int rc = 0;

    if (view == NULL || stat(view, &st) != 0)
        rc = say(why, -errno, "--view %.200s: %s", dir, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        rc = say(why, -ENOTDIR, "--view %.200s: that is no directory", dir);
    else if ((real = realpath(own, NULL)) == NULL)
        rc = errno == ENOENT ? 0 : say(why, -errno, "%.200s: %s", own, strerror(errno)); /* what is not there yet shows nothing */
    else if (lies_in(real, view) || lies_in(view, real))
        rc = say(why, -EPERM, "--view %.200s: that would show %.200s, the broker's own, to jobs", dir, own);
    free(view);
    free(real);
    return rc;
}

int places_check_views(const struct config *c, char why[PLACES_WHY])
{
    int rc = 0;

    for (int i = 0; c->views[i] != NULL && rc == 0; i++) {
        rc = check_view(c->views[i], c->run_dir, why);
        if (rc == 0)
            rc = check_view(c->views[i], c->state_dir, why);
    }
    return rc;
}

/* By itself only the system's broker, at the system's place: one that root starts elsewhere is for root. */
static bool is_shared(const struct config *c, const struct privilege *who)
{
    if (strcmp(c->share, "auto") == 0)
        return who->was_root && strcmp(c->run_dir, CONFIG_SYSTEM_RUN_DIR) == 0;
    return strcmp(c->share, "all") == 0;
}

int places_open(struct places *p, const struct config *c, const struct privilege *who, char why[PLACES_WHY])
{
    int rc;

    *p = (struct places){ .run_dir = -1, .state_dir = -1, .worker = -1, .shared = is_shared(c, who) };
    rc = open_run_dir(p, c->run_dir, who, why);
    if (rc == 0)
        rc = store_open_dir(c->state_dir, &p->state_dir, why);
    if (rc == 0)
        rc = take(p->state_dir, c->state_dir, who, why);
    if (rc == 0)
        rc = places_check_views(c, why);
    if (rc == 0)
        rc = open_worker(p, c->worker, who, why);
    return rc;
}

void places_close(struct places *p)
{
    int *const fds[] = { &p->run_dir, &p->state_dir, &p->worker };

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}
