/* sys_mount.c - see sys_mount.h. */
#include "worker/sys_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

static int or_errno(int rc)
{
    return rc >= 0 ? rc : -errno;
}

static int configure(int fs, const struct mount_option *options)
{
    int rc = 0;

    for (; options != NULL && options->key != NULL && rc == 0; options++)
        rc = or_errno(fsconfig(fs, options->value != NULL ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, options->key, options->value, 0));
    return rc == 0 ? or_errno(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)) : rc;
}

int mount_change(int mount_fd, const struct mount_option *options)
{
    int fs = fspick(mount_fd, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC), rc = 0;

    if (fs < 0)
        return -errno;
    for (; options->key != NULL && rc == 0; options++)
        rc = or_errno(fsconfig(fs, FSCONFIG_SET_STRING, options->key, options->value, 0));
    if (rc == 0)
        rc = or_errno(fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    close(fs);
    return rc;
}

int mount_new(const char *type, const struct mount_option *options, unsigned attributes)
{
    int fs = fsopen(type, FSOPEN_CLOEXEC), rc;

    if (fs < 0)
        return -errno;
    rc = configure(fs, options);
    if (rc == 0)
        rc = or_errno(fsmount(fs, FSMOUNT_CLOEXEC, attributes));
    close(fs);
    return rc;
}

int mount_copy(int dir_fd, const char *path, unsigned attributes)
{
    struct mount_attr attr = { .attr_set = attributes, .propagation = MS_PRIVATE };
    int fd = open_tree(dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW), rc;

    if (fd < 0)
        return -errno;
    rc = or_errno(mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)));
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

int mount_put(int mount_fd, int dir_fd, const char *path)
{
    return or_errno(move_mount(mount_fd, "", dir_fd, path, MOVE_MOUNT_F_EMPTY_PATH));
}
