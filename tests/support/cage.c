/* cage.c - see cage.h. */
#include "tests/support/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct cage {
    const char *what;
    bool as_root, no_userns;
} cages[] = {
    {"no_userns",  false, true },
    { "lone_root", true,  false},
    { "both",      true,  true },
};

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        rc = -errno;
    close(fd);
    return rc;
}

/* Our own id alone, which is all that an ordinary user may map. */
static int map_self(bool as_root, uid_t uid, gid_t gid)
{
    char uids[48], gids[48];
    int rc;

    snprintf(uids, sizeof(uids), "%u %u 1", as_root ? 0 : uid, uid);
    snprintf(gids, sizeof(gids), "%u %u 1", as_root ? 0 : gid, gid);
    rc = put("/proc/self/setgroups", "deny");
    if (rc == 0)
        rc = put("/proc/self/uid_map", uids);
    return rc == 0 ? put("/proc/self/gid_map", gids) : rc;
}

/* Root's helper stays outside, from where all ids can be mapped; it waits for the byte that says that we are inside. */
_Noreturn static void map_all(pid_t pid, int go)
{
    char path[64], c;
    int rc;

    if (read(go, &c, 1) != 1)
        _exit(1);
    snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
    rc = put(path, "0 0 4294967295");
    snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
    _exit(rc == 0 && put(path, "0 0 4294967295") == 0 ? 0 : 1);
}

static int enter_with_all(void)
{
    int go[2], status, rc = 0;
    pid_t self = getpid(), helper;

    if (pipe2(go, O_CLOEXEC) != 0)
        return -errno;
    helper = fork();
    if (helper == 0)
        map_all(self, go[0]);
    if (helper < 0 || unshare(CLONE_NEWUSER) != 0)
        rc = -errno;
    if (rc == 0 && write(go[1], "", 1) != 1)
        rc = -errno;
    close(go[0]);
    close(go[1]);
    if (helper > 0 && (waitpid(helper, &status, 0) != helper || status != 0) && rc == 0)
        rc = -EPERM;
    return rc;
}

static int enter(const struct cage *c)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int rc;

    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* who has just become another user is not, and then /proc/self is root's */
    if (uid == 0 && !c->as_root) {
        rc = enter_with_all();
    } else {
        rc = unshare(CLONE_NEWUSER) != 0 ? -errno : 0;
        if (rc == 0)
            rc = map_self(c->as_root, uid, gid);
    }
    return rc == 0 && c->no_userns ? put("/proc/sys/user/max_user_namespaces", "0") : rc;
}

int cage_enter(const char *what)
{
    for (size_t i = 0; i < sizeof(cages) / sizeof(cages[0]); i++)
        if (strcmp(cages[i].what, what) == 0)
            return enter(&cages[i]);
    return -ENOENT;
}
