/* landlock.c - see landlock.h. Debian 12's <linux/landlock.h> ends at ABI 2, so the later parts are spelled out here. */
#include "worker/landlock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ruleset { /* struct landlock_ruleset_attr of ABI 6; older kernels want the rest to be zero */
    uint64_t fs, net, scoped;
};

enum { CREATE_VERSION = 1 };

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
/* clang-format on */

int landlock_take_all(uint32_t *ret_abi)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    long last = (long)(sizeof(abis) / sizeof(abis[0])) - 1;
    int fd, rc;

    if (abi < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) {
        *ret_abi = 0;
        return 0;
    }
    if (abi < 1)
        return abi < 0 ? -errno : -EINVAL;
    fd = (int)syscall(SYS_landlock_create_ruleset, &abis[abi < last ? abi : last].all, sizeof(struct ruleset), 0);
    if (fd < 0)
        return -errno;
    rc = syscall(SYS_landlock_restrict_self, fd, 0) == 0 ? 0 : -errno;
    close(fd);
    if (rc == 0)
        *ret_abi = (uint32_t)abi;
    return rc;
}
