/* work_dirs.c - see work_dirs.h. */
#include "broker/work_dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

enum { PIECE = 256, SOON_US = 1000, LATER_US = 200000 };

#define LIVE  "live."
#define DYING "up."
#define STAYS "stays." /* what could not be removed; tried again when the next broker starts, and at the end */

/* A directory that its owner, who is us, may have shut against himself. The path goes by a descriptor: no link is followed. */
static int open_shut(int at, const char *name)
{
    char path[48];
    int shut = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 0;

    if (shut < 0)
        return -errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", shut);
    if (chmod(path, 0700) != 0)
        rc = -errno;
    close(shut);
    if (rc != 0)
        return rc;
    shut = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return shut < 0 ? -errno : shut;
}

/* Beside the others, under a name that nothing has; an earlier broker may have used the first ones. */
static int carry_up(struct work_dirs *d, int at, const char *name, const char *as)
{
    char up[32];

    do {
        snprintf(up, sizeof(up), "%s%" PRIu64, as, d->moved++);
        if (renameat(at, name, d->dir, up) == 0)
            return 0;
    } while (errno == ENOTEMPTY || errno == EEXIST);
    return -errno;
}

/* One entry of a dying directory. A directory is carried up beside it instead of being gone down into: depth costs nothing then. */
static int remove_entry(struct work_dirs *d, int at, const char *name)
{
    int fd;

    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    fd = open_shut(at, name); /* the kernel lets move only who may write to it */
    if (fd < 0)
        return fd;
    close(fd);
    return carry_up(d, at, name, DYING);
}

/* Empties it, as far as *left allows, which counts entries. 1: there is more in it. What cannot be removed keeps nothing else. */
static int empty_some(struct work_dirs *d, int fd, unsigned *left)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *e;
    bool any = false;
    int rc = 0;

    if (dir == NULL) {
        rc = -errno;
        close(fd);
        return rc;
    }
    while (*left > 0 && (errno = 0, e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            int one = remove_entry(d, fd, e->d_name);

            any |= one == 0;
            rc = rc == 0 ? one : rc;
            (*left)--;
        }
    (void)closedir(dir);
    return *left == 0 && any ? 1 : rc != 0 ? rc : *left == 0;
}

/* One name of ours that is not live. */
static int remove_top(struct work_dirs *d, const char *name, unsigned *left)
{
    int fd, rc;

    (*left)--;
    if (unlinkat(d->dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    fd = open_shut(d->dir, name);
    if (fd < 0)
        return fd;
    rc = empty_some(d, fd, left);
    if (rc == 0 && unlinkat(d->dir, name, AT_REMOVEDIR) != 0)
        rc = errno == ENOTEMPTY ? 1 : -errno; /* readdir() may have missed what was made meanwhile */
    return rc;
}

static bool is_named(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Out of the way of the others, and said once. */
static int set_aside(struct work_dirs *d, const char *name, int why)
{
    log_event(LOG_LEVEL_WARN, "work_dir_stays", "error=\"%s\"", strerror(-why));
    return carry_up(d, d->dir, name, STAYS);
}

/* 0: nothing but live ones is left, and what stays. 1: more of it is. */
static int remove_some(struct work_dirs *d, unsigned left)
{
    int fd = openat(d->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0, more = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    if (dir == NULL) {
        rc = -errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (left > 0 && (errno = 0, e = readdir(dir)) != NULL) {
        int one;

        if (e->d_name[0] == '.' || is_named(e->d_name, LIVE) || is_named(e->d_name, STAYS))
            continue;
        one = remove_top(d, e->d_name, &left);
        if (one < 0)
            one = set_aside(d, e->d_name, one);
        if (one < 0)
            rc = one;
        more = 1; /* what was carried up may stand before us in the directory */
    }
    (void)closedir(dir);
    return rc < 0 ? rc : more;
}

static void remove_all(struct work_dirs *d)
{
    int rc;

    while ((rc = remove_some(d, UINT_MAX)) > 0)
        ;
    if (rc < 0)
        log_event(LOG_LEVEL_WARN, "work_dir_stays", "error=\"%s\"", strerror(-rc));
}

static void again_in(struct work_dirs *d, uint64_t us)
{
    if (d->again.place == 0)
        timers_arm(&d->loop->timers, &d->again, d->loop->now_us + us);
}

static void on_again(void *ctx)
{
    struct work_dirs *d = ctx;
    int rc = remove_some(d, PIECE);

    if (rc < 0)
        log_event(LOG_LEVEL_WARN, "work_dir_stays", "error=\"%s\"", strerror(-rc));
    if (rc != 0)
        again_in(d, rc > 0 ? SOON_US : LATER_US);
}

/* Live ones, too: nobody lives yet, or any more. What would not go may go now. */
static void bury_live(struct work_dirs *d)
{
    int fd = openat(d->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    while (dir != NULL && (e = readdir(dir)) != NULL)
        if (is_named(e->d_name, LIVE) || is_named(e->d_name, STAYS))
            (void)carry_up(d, d->dir, e->d_name, DYING);
    if (dir != NULL)
        (void)closedir(dir);
    else if (fd >= 0)
        close(fd);
}

static void remove_whole(struct work_dirs *d)
{
    bury_live(d);
    remove_all(d);
    close(d->dir);
    d->dir = -1;
    (void)unlinkat(d->run_dir, "work", AT_REMOVEDIR); /* what could not be removed has been said */
}

int work_dirs_open(struct work_dirs *d, int run_dir, struct loop *loop)
{
    *d = (struct work_dirs){ .loop = loop, .run_dir = run_dir };
    d->again = (struct timer){ .fn = on_again, .ctx = d };
    d->dir = openat(run_dir, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (d->dir < 0)
        return errno == ENOENT ? 0 : -errno;
    remove_whole(d);
    return 0;
}

void work_dirs_close(struct work_dirs *d)
{
    if (d->loop == NULL)
        return;
    timers_cancel(&d->loop->timers, &d->again);
    if (d->dir >= 0)
        remove_whole(d);
    d->loop = NULL;
}

void work_dirs_clear(int run_dir)
{
    struct work_dirs d = { .run_dir = run_dir, .dir = openat(run_dir, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) };

    if (d.dir >= 0)
        remove_whole(&d);
}

static void live_name(char name[32], uint64_t id)
{
    snprintf(name, 32, LIVE "%" PRIu64, id);
}

int work_dirs_make(struct work_dirs *d, uint64_t id)
{
    char name[32];
    int fd;

    if (d->dir < 0 && mkdirat(d->run_dir, "work", 0700) != 0 && errno != EEXIST)
        return -errno;
    if (d->dir < 0 && (d->dir = openat(d->run_dir, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return -errno;
    live_name(name, id);
    if (mkdirat(d->dir, name, 0700) != 0)
        return -errno;
    fd = openat(d->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void work_dirs_drop(struct work_dirs *d, uint64_t id)
{
    char name[32];
    int rc;

    live_name(name, id);
    rc = carry_up(d, d->dir, name, DYING);
    if (rc != 0)
        log_event(LOG_LEVEL_WARN, "work_dir_stays", "error=\"%s\"", strerror(-rc));
    again_in(d, SOON_US);
}
