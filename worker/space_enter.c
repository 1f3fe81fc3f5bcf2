/* space_enter.c - see space_enter.h. */
#include "worker/space_enter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/landlock.h"
#include "worker/space_join.h"
#include "worker/view.h"

enum { STEP_TEXT = 64 };

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

int space_tier(const char *name, int *ret_tier)
{
    if (strcmp(name, "auto") == 0) {
        *ret_tier = -1;
        return 0;
    }
    *ret_tier = tier_find(name);
    return *ret_tier >= 0 ? 0 : -EINVAL;
}

/* ---- one step after the other: namespaces ---------------------------------------------------------------------------------------- */

/* In whose user namespace do we start? A container's root may be nobody outside. */
static bool is_real_root(void)
{
    unsigned inside = 1, outside = 1;
    FILE *f;

    if (geteuid() != 0)
        return false;
    f = fopen("/proc/self/uid_map", "re");
    if (f == NULL)
        return true; /* not known: take care */
    if (fscanf(f, "%u %u", &inside, &outside) != 2)
        outside = 0;
    fclose(f);
    return inside == 0 && outside == 0;
}

static int write_self(const char *name, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/%s", name);
    return space_write(AT_FDCWD, path, text);
}

/* One that maps who we are, under the same number, and nobody else. */
static int step_new_user(const struct space_ask *ask)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    char uids[64], gids[64];
    int rc;

    (void)ask;
    snprintf(uids, sizeof(uids), "%u %u 1", uid, uid);
    snprintf(gids, sizeof(gids), "%u %u 1", gid, gid);
    if (unshare(CLONE_NEWUSER) != 0)
        return -errno;
    rc = write_self("setgroups", "deny");
    if (rc == 0)
        rc = write_self("uid_map", uids);
    if (rc == 0)
        rc = write_self("gid_map", gids);
    if (rc == 0)
        space_now.own_userns = true;
    return rc;
}

/* The broker's, who made it when it still was root: its owner has every capability in it, and all of its uids to give. */
static int step_given_user(const struct space_ask *ask)
{
    if (ask->userns_fd < 0)
        return space_now.real_root ? 0 : -EBADF; /* root itself needs none to make the others */
    if (setns(ask->userns_fd, CLONE_NEWUSER) != 0)
        return -errno;
    space_now.own_userns = true;
    return 0;
}

/* Groups that the broker was started with: not for workers. Who has only one uid cannot leave them; they give no more than the uid does. */
static int step_groups(const struct space_ask *ask)
{
    (void)ask;
    if (setgroups(0, NULL) != 0)
        return -errno;
    space_now.may_map = true;
    return 0;
}

int space_enter_user(const struct space_ask *ask)
{
    space_now.real_root = is_real_root();
    return ask->tier != TIER_T1 && (ask->userns_fd >= 0 || space_now.real_root) ? step_given_user(ask) : step_new_user(ask);
}

static int step_mnt(const struct space_ask *ask)
{
    (void)ask;
    return unshare(CLONE_NEWNS) == 0 ? 0 : -errno;
}

static int step_net(const struct space_ask *ask)
{
    (void)ask;
    return unshare(CLONE_NEWNET) == 0 ? 0 : -errno;
}

static int step_ipc(const struct space_ask *ask)
{
    (void)ask;
    return unshare(CLONE_NEWIPC) == 0 ? 0 : -errno;
}

static int step_uts(const struct space_ask *ask)
{
    (void)ask;
    return unshare(CLONE_NEWUTS) == 0 && sethostname("coop", 4) == 0 ? 0 : -errno;
}

/* No namespaces are to be had, but uids still are; not for programs, whose directory is the broker's: what they leave in it has to be too. */
static int step_range(const struct space_ask *ask)
{
    int rc;

    if (ask->userns_fd < 0 || ask->programs)
        return 0;
    rc = step_given_user(ask);
    return rc == 0 ? step_groups(ask) : rc;
}

static int step_landlock(const struct space_ask *ask)
{
    (void)ask;
    return landlock_abi() > 0 ? 0 : -EOPNOTSUPP;
}

/* Whatever a program leaves behind when its first process ends comes to us, to be killed. */
static int step_orphans(const struct space_ask *ask)
{
    if (!ask->programs)
        return 0;
    return prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 ? 0 : -errno;
}

static int step_no_programs(const struct space_ask *ask)
{
    return ask->programs ? -EOPNOTSUPP : 0;
}

/* clang-format off */
static const struct step {
    const char *name;
    int (*take)(const struct space_ask *ask);
} steps_t0[] = {
    { "setns user",  step_given_user }, { "setgroups",   step_groups }, { "unshare mnt", step_mnt }, { "unshare net", step_net },
    { "unshare ipc", step_ipc },        { "unshare uts", step_uts },    { NULL, NULL },
}, steps_t1[] = {
    { "unshare user", step_new_user },  { "unshare mnt", step_mnt },    { "unshare net", step_net },
    { "unshare ipc",  step_ipc },       { "unshare uts", step_uts },    { NULL, NULL },
}, steps_t2[] = {
    { "setns user",   step_range },     { "landlock",    step_landlock }, { "subreaper",   step_orphans }, { NULL, NULL },
}, steps_t3[] = {
    { "programs need more than the system call filter", step_no_programs }, { "setns user",   step_range }, { NULL, NULL },
};

static const struct {
    const struct step *steps;
    bool namespaces;
} tiers[TIERS] = {
    [TIER_T0] = { steps_t0, true }, [TIER_T1] = { steps_t1, true }, [TIER_T2] = { steps_t2, false }, [TIER_T3] = { steps_t3, false },
};
/* clang-format on */

static int open_what_stays(void)
{
    space_now.zygote_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (space_now.zygote_fd < 0)
        return -errno;
    space_now.proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return space_now.proc_fd >= 0 ? 0 : -errno;
}

/* All of it, in this process. */
static int take(const struct space_ask *ask, enum tier tier, const char **ret_step)
{
    int rc = 0;

    space_now.tier = tier;
    space_now.programs = ask->programs;
    space_now.real_root = is_real_root();
    *ret_step = "/proc";
    if (ask->programs)
        rc = open_what_stays();
    for (const struct step *s = tiers[tier].steps; s->name != NULL && rc == 0; s++) {
        *ret_step = s->name;
        rc = s->take(ask);
    }
    if (rc == 0 && tiers[tier].namespaces)
        rc = view_enter(ask->programs, ret_step);
    if (rc == 0)
        space_now.entered = tiers[tier].namespaces;
    space_now.uid = getuid();
    return rc;
}

/* ---- trying it out ---------------------------------------------------------------------------------------------------------------- */

struct verdict {
    int rc;
    char step[STEP_TEXT];
};

/* A whole worker's way into its space and to its work directory, on a uid that any worker may have. */
static int trial_worker(const char **ret_step)
{
    struct space_spawn s = { .cgroup_v2 = -1, .work_fd = -1, .go_fd = -1, .uid = 0 };
    struct space_work want = { .disk_bytes = 1 << 16, .inodes = 16 };
    int pidfd = -1, status, fd;
    const char *path;
    pid_t pid;

    if (space_now.may_map) /* the first of a range; of root's, one that owns nothing */
        s.uid = space_now.real_root ? 65534 : 1;
    pid = space_clone(&s, &pidfd);
    *ret_step = space_now.real_root && !space_now.may_map ? "a program would be root" : "clone3";
    if (pid < 0)
        return pid;
    if (pid == 0) {
        int rc = join_user(&s);

        if (rc >= 0)
            rc = join_cgroup_namespace();
        if (rc >= 0)
            rc = space_ready();
        if (rc >= 0)
            rc = space_work(&want, &fd, &path);
        _exit(rc >= 0 ? 0 : -rc);
    }
    close(pidfd);
    *ret_step = "a worker's own namespaces";
    if (waitpid(pid, &status, 0) != pid)
        return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static _Noreturn void try_in_child(const struct space_ask *ask, enum tier tier, int fd)
{
    struct verdict v = { 0 };
    const char *step = "";

    v.rc = take(ask, tier, &step);
    if (v.rc == 0 && ask->programs && tiers[tier].namespaces)
        v.rc = trial_worker(&step);
    snprintf(v.step, sizeof(v.step), "%s", step);
    _exit(write(fd, &v, sizeof(v)) == sizeof(v) ? 0 : 1);
}

int space_try(const struct space_ask *ask, enum tier tier, char *why, size_t size)
{
    struct verdict v = { .rc = -EIO, .step = "the trying child" };
    int out[2];
    pid_t pid;

    why[0] = '\0';
    if (pipe2(out, O_CLOEXEC) != 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        try_in_child(ask, tier, out[1]);
    close(out[1]);
    if (pid > 0) {
        if (read(out[0], &v, sizeof(v)) != sizeof(v))
            v = (struct verdict){ .rc = -EIO, .step = "the trying child" };
        waitpid(pid, NULL, 0);
    }
    close(out[0]);
    v.step[sizeof(v.step) - 1] = '\0';
    if (v.rc != 0)
        snprintf(why, size, "%s: %s: %s", tier_names[tier], v.step, strerrorname_np(-v.rc) != NULL ? strerrorname_np(-v.rc) : "?");
    return v.rc;
}

/* ---- choosing -------------------------------------------------------------------------------------------------------------------- */

static int choose(const struct space_ask *ask, struct space_got *got)
{
    int first = ask->tier >= 0 ? ask->tier : TIER_T0, last = ask->tier >= 0 ? ask->tier : TIER_T3, rc = -EINVAL;
    char above[SPACE_WHY] = "";

    got->why[0] = '\0';
    for (int t = first; t <= last; t++) {
        char why[SPACE_WHY];

        if (t == TIER_T0 && last != t && ask->userns_fd < 0 && !is_real_root()) {
            snprintf(above, sizeof(above), "T0: no range of uids was given; a broker that root starts makes one");
            continue;
        }
        rc = space_try(ask, (enum tier)t, why, sizeof(why));
        if (rc == 0) {
            got->tier = (enum tier)t;
            memcpy(got->why, above, sizeof(above));
            return 0;
        }
        memcpy(above, why, sizeof(above));
    }
    memcpy(got->why, above, sizeof(above));
    return rc;
}

static void name_namespaces(const struct space_ask *ask, struct space_got *got)
{
    static const char *const names[] = { "mnt", "net", "ipc", "uts" }, *const programs_have[] = { "pid", "cgroup" };

    bool programs = ask->programs && space_now.entered;

    got->n_namespaces = 0;
    if (space_now.own_userns || programs)
        got->namespaces[got->n_namespaces++] = (char *)"user";
    for (size_t i = 0; i < ARRAY_LEN(names) && space_now.entered; i++)
        got->namespaces[got->n_namespaces++] = (char *)names[i];
    for (size_t i = 0; i < ARRAY_LEN(programs_have) && programs; i++)
        got->namespaces[got->n_namespaces++] = (char *)programs_have[i];
}

int space_enter(const struct space_ask *ask, struct space_got *ret_got)
{
    const char *step = "";
    int rc = choose(ask, ret_got);

    if (rc != 0)
        return rc;
    rc = take(ask, ret_got->tier, &step);
    if (ask->userns_fd >= 0)
        close(ask->userns_fd);
    if (rc != 0) {
        snprintf(ret_got->why, sizeof(ret_got->why), "%s: %s after it worked once", tier_names[ret_got->tier], step);
        return rc;
    }
    name_namespaces(ask, ret_got);
    return 0;
}
