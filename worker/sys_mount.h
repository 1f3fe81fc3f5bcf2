/*
 * sys_mount.h - the mount calls by descriptor, said shortly. libc has the wrappers since 2.36; what they are called with is here.
 *
 * Side:    worker (zygote, and an init before it gives up its capabilities).
 * Returns: a descriptor or 0, or -errno.
 */
#ifndef WORKER_SYS_MOUNT_H
#define WORKER_SYS_MOUNT_H

#include <stdint.h>

enum { MOUNT_OPTIONS = 6 };

struct mount_option {
    const char *key, *value; /* value NULL: a flag */
};

/* A new file system that is mounted nowhere yet. attributes: MOUNT_ATTR_ of <sys/mount.h>. The caller closes it. */
int mount_new(const char *type, const struct mount_option *options, unsigned attributes);

/* Gives a mounted file system other options; those that are not named stay. */
int mount_change(int mount_fd, const struct mount_option *options);

/* A copy of the mounts at path and below, mounted nowhere yet, private, with these attributes more. A symlink is not followed. */
int mount_copy(int dir_fd, const char *path, unsigned attributes);

/* Puts what mount_new() or mount_copy() gave over what is at path. */
int mount_put(int mount_fd, int dir_fd, const char *path);

#endif
