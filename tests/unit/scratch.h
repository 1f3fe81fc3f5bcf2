/*
 * scratch.h - directories that vanish after a test, and file systems that are full after a few kilobytes.
 *
 * Side:    tests.
 * Small file systems need a mount namespace: root's, or one in a user namespace of our own. Where neither is allowed (or threads
 * already run, as under tsan without root) scratch_can_mount stays 0 and the test skips itself. Mounts die with the process.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int scratch_can_mount;

static inline int scratch_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), ok;

    if (fd < 0)
        return -1;
    ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    (void)close(fd);
    return ok ? 0 : -1;
}

/* Once, first thing in main(). */
static inline void scratch_start(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();

    if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0)
        return;
    if (uid != 0) {
        (void)scratch_put("/proc/self/setgroups", "deny");
        (void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
        if (scratch_put("/proc/self/uid_map", map) != 0)
            return;
        (void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
        (void)scratch_put("/proc/self/gid_map", map);
    }
    scratch_can_mount = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A fresh directory, 0700. The caller passes it to scratch_remove(). */
static inline char *scratch_make(void)
{
    char *dir = strdup("/tmp/coop-test-XXXXXX");

    return dir != NULL && mkdtemp(dir) != NULL ? dir : NULL;
}

static inline int scratch_drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    (void)remove(path);
    return 0;
}

static inline void scratch_remove(char *dir)
{
    if (dir == NULL)
        return;
    (void)umount2(dir, MNT_DETACH);
    (void)chmod(dir, 0700);
    (void)nftw(dir, scratch_drop, 16, FTW_DEPTH | FTW_PHYS);
    free(dir);
}

/* Mounts a file system of this many bytes over dir. */
static inline int scratch_mount(const char *dir, unsigned bytes)
{
    char options[64];

    (void)snprintf(options, sizeof(options), "size=%u,mode=0700", bytes);
    return mount("coop-test", dir, "tmpfs", 0, options);
}

#endif
