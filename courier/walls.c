/* walls.c - see walls.h. */
#include "courier/walls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 128 };

#define ALL_V1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* the rights of the first ABI are the bits up to this one */
#define READ   (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static int allow_read(int rules, const char *path)
{
    struct landlock_path_beneath_attr beneath = { .allowed_access = READ, .parent_fd = open(path, O_PATH | O_CLOEXEC) };
    int rc = 0;

    if (beneath.parent_fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0)
        rc = -errno;
    close(beneath.parent_fd);
    return rc;
}

static int wall_off_files(void)
{
    static const char *const readable[] = { "/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve" };
    struct landlock_ruleset_attr attr = { .handled_access_fs = ALL_V1 };
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0), rc = 0;

    if (rules < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
    for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]) && rc == 0; i++)
        rc = allow_read(rules, readable[i]);
    if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0) != 0)
        rc = -errno;
    close(rules);
    return rc;
}

int walls_raise(void)
{
    const struct rlimit none = { 0, 0 }, files = { FILES, FILES };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0 ||
        setrlimit(RLIMIT_NOFILE, &files) != 0)
        return -errno;
    return wall_off_files();
}
