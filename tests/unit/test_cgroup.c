/*
 * test_cgroup.c - control groups: found by what the kernel's lists say, on a tree of plain files; then real ones, of each kind this machine
 * has and we may make. What it has not is skipped by name.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/cgroup.h"
#include "log.h"
#include "scratch.h"

/* ---- a tree of plain files ----------------------------------------------------------------------------------------------------------- */

static char *tree;

static char *under(const char *group, const char *file)
{
    static char path[4][1024];
    static unsigned turn;
    char *p = path[turn++ % 4];

    (void)snprintf(p, sizeof(path[0]), "%s/%s%s%s", tree, group, file[0] != '\0' ? "/" : "", file);
    return p;
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static const char *get(const char *path)
{
    static char text[256];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void dir(const char *path)
{
    if (mkdir(path, 0700) != 0)
        assert_int_equal(errno, EEXIST);
}

static int make_tree(void **state)
{
    (void)state;
    log_init("test", LOG_LEVEL_ERROR);
    tree = scratch_make();
    return tree != NULL ? 0 : -1;
}

static int remove_tree(void **state)
{
    (void)state;
    scratch_remove(tree);
    return 0;
}

static void a_v1_hierarchy_is_found_by_its_controller_and_only_what_is_mounted_of_it_counts(void **state)
{
    struct cgroups g = { .prefix = "coop-test" };
    char mountinfo[2048], expected[1024];

    (void)state;
    dir(under("mem ory", ""));
    dir(under("mem ory/job", ""));
    dir(under("cpu,cpuacct", ""));
    (void)snprintf(mountinfo, sizeof(mountinfo),
                   "30 25 0:26 / %s rw shared:9 - tmpfs tmpfs rw\n"
                   "31 25 0:27 /docker/7f %s/mem\\040ory rw,nosuid shared:10 - cgroup cgroup rw,memory\n"
                   "32 25 0:28 / %s/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                   "33 25 0:29 /elsewhere %s/nothing rw - cgroup cgroup rw,pids\n",
                   tree, tree, tree, tree);
    assert_int_equal(cgroup_find(&g, CGROUP_V1, mountinfo, "3:memory:/docker/7f/job\n2:cpu,cpuacct:/\n4:pids:/\n0::/\n", geteuid()), 0);
    assert_true(g.kind == CGROUP_V1 && g.has[CGROUP_MEMORY] && g.has[CGROUP_CPU]);
    assert_false(g.has[CGROUP_PIDS] || g.has[CGROUP_FREEZER] || g.has[CGROUP_IO]);
    (void)snprintf(expected, sizeof(expected), "%s/mem ory/job/coop-%u", tree, geteuid());
    assert_string_equal(g.base[CGROUP_MEMORY], expected);
    (void)snprintf(expected, sizeof(expected), "%s/cpu,cpuacct/coop-%u", tree, geteuid());
    assert_string_equal(g.base[CGROUP_CPU], expected);
    assert_int_equal(access(expected, F_OK), 0);
}

static void what_two_brokers_share_goes_with_the_last_of_them(void **state)
{
    struct cgroups first = { .prefix = "coop-a" }, second = { .prefix = "coop-b" };
    char mountinfo[1024];

    (void)state;
    dir(under("shared", ""));
    (void)snprintf(mountinfo, sizeof(mountinfo), "31 25 0:27 / %s/shared rw - cgroup cgroup rw,memory\n", tree);
    assert_int_equal(cgroup_find(&first, CGROUP_V1, mountinfo, "3:memory:/\n", geteuid()), 0);
    assert_int_equal(cgroup_find(&second, CGROUP_V1, mountinfo, "3:memory:/\n", geteuid()), 0);
    cgroup_leave(&second); /* coop doctor, say, beside a broker that has no job */
    assert_int_equal(access(first.base[CGROUP_MEMORY], F_OK), 0);
    assert_int_equal(cgroup_find(&second, CGROUP_V1, mountinfo, "3:memory:/\n", geteuid()), 0);
    cgroup_leave(&first); /* who made it leaves first */
    assert_int_equal(access(second.base[CGROUP_MEMORY], F_OK), 0);
    cgroup_leave(&second);
    assert_int_equal(access(second.base[CGROUP_MEMORY], F_OK), -1);
}

/* ---- what other brokers do in the moment between two calls of ours ------------------------------------------------------------------- */

static void (*before_lock)(int operation), (*after_mkdir)(const char *path); /* libc's, where these are NULL */

int flock(int fd, int operation)
{
    if (before_lock != NULL)
        before_lock(operation);
    return (int)syscall(SYS_flock, fd, operation);
}

int mkdir(const char *path, mode_t mode)
{
    int rc = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);

    if (rc == 0 && after_mkdir != NULL)
        after_mkdir(path);
    return rc;
}

static struct cgroups comer = { .prefix = "coop-c" };
static char shared_mountinfo[1024];
static int losses;

static const char *base_name(void)
{
    static char name[32];

    (void)snprintf(name, sizeof(name), "coop-%u", geteuid());
    return name;
}

static int nothing_between(void **state)
{
    (void)state;
    before_lock = NULL;
    after_mkdir = NULL;
    if (comer.kind != CGROUP_NONE)
        cgroup_leave(&comer);
    comer.kind = CGROUP_NONE;
    return 0;
}

static const char *find_shared(struct cgroups *g)
{
    dir(under("shared", ""));
    (void)snprintf(shared_mountinfo, sizeof(shared_mountinfo), "31 25 0:27 / %s/shared rw - cgroup cgroup rw,memory\n", tree);
    assert_int_equal(cgroup_find(g, CGROUP_V1, shared_mountinfo, "3:memory:/\n", geteuid()), 0);
    return g->base[CGROUP_MEMORY];
}

/* One that leaves too was faster, and one that comes has made it again. */
static void it_is_another_now(int operation)
{
    if ((operation & LOCK_EX) == 0)
        return;
    before_lock = NULL;
    assert_int_equal(rmdir(under("shared", base_name())), 0);
    (void)find_shared(&comer);
}

static void who_leaves_does_not_remove_what_somebody_has_made_again_meanwhile(void **state)
{
    struct cgroups leaver = { .prefix = "coop-a" };

    (void)state;
    (void)find_shared(&leaver);
    before_lock = it_is_another_now;
    cgroup_leave(&leaver);
    assert_null(before_lock);
    assert_int_equal(access(comer.base[CGROUP_MEMORY], F_OK), 0);
    cgroup_leave(&comer);
    assert_int_equal(access(comer.base[CGROUP_MEMORY], F_OK), -1);
}

static void it_goes_again(int operation)
{
    if ((operation & LOCK_SH) != 0 && losses-- > 0)
        assert_int_equal(rmdir(under("shared", base_name())), 0);
}

static void many_that_leave_do_not_keep_out_who_comes(void **state)
{
    (void)state;
    losses = 100;
    before_lock = it_goes_again;
    assert_int_equal(access(find_shared(&comer), F_OK), 0);
    assert_true(losses < 0);
}

/* Our lock is on a directory that has no name any more; the new one is another broker's, until it leaves. */
static void a_base_that_is_another_by_now_is_locked_again(void **state)
{
    struct cgroups first = { .prefix = "coop-a" };

    (void)state;
    assert_int_equal(rmdir(find_shared(&first)), 0);
    (void)find_shared(&comer);
    assert_int_equal(cgroup_remake_bases(&first), 0);
    cgroup_leave(&comer);
    assert_int_equal(access(first.base[CGROUP_MEMORY], F_OK), 0);
    cgroup_leave(&first);
    assert_int_equal(access(first.base[CGROUP_MEMORY], F_OK), -1);
}

static void nobody_else_may_open_what_is_locked(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(stat(find_shared(&comer), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void without_a_hierarchy_there_is_none_and_the_reason_is_said(void **state)
{
    struct cgroups g = { .prefix = "coop-test" };

    (void)state;
    assert_int_equal(cgroup_find(&g, CGROUP_V1, "1 2 0:1 / / rw - ext4 /dev/a rw\n", "0::/\n", geteuid()), -ENOENT);
    assert_int_equal(g.kind, CGROUP_NONE);
    assert_non_null(strstr(g.why, "memory"));
    assert_int_equal(cgroup_find(&g, CGROUP_V2, "1 2 0:1 / / rw - ext4 /dev/a rw\n", "0::/\n", geteuid()), -ENOENT);
    assert_non_null(strstr(g.why, "not mounted"));
    assert_int_equal(cgroup_find(&g, CGROUP_V1, " - \n - cgroup x\n31 - cgroup", "::::\n:\nmemory", geteuid()), -ENOENT); /* no kernel's */
    assert_int_equal(cgroup_find(&g, CGROUP_V2, "", "", geteuid()), -ENOENT);
}

static char *v2_mountinfo(void)
{
    static char text[1024];

    (void)snprintf(text, sizeof(text), "31 25 0:27 / %s rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n", tree);
    return text;
}

static void a_v2_group_with_no_controller_of_use_is_refused_by_name(void **state)
{
    struct cgroups g = { .prefix = "coop-test" };

    (void)state;
    dir(under("bare", ""));
    put(under("bare/cgroup.controllers", ""), "hugetlb\n");
    assert_int_equal(cgroup_find(&g, CGROUP_V2, v2_mountinfo(), "0::/bare\n", geteuid()), -ENOENT);
    assert_non_null(strstr(g.why, "neither memory nor pids is delegated to"));
    assert_non_null(strstr(g.why, "/bare"));
}

/* A file here does not obey: of what is written into subtree_control, +memory and the like, the words after the first seven bytes stay. */
#define OBEYED "......., memory pids\n"

static void fake_group(const char *name, const char *procs)
{
    char path[256];

    dir(under(name, ""));
    (void)snprintf(path, sizeof(path), "%s/broker", name);
    dir(under(path, ""));
    put(under(name, "cgroup.type"), "domain\n");
    put(under(name, "cgroup.controllers"), "cpu io memory pids\n");
    put(under(name, "cgroup.subtree_control"), OBEYED);
    put(under(name, "cgroup.procs"), procs);
    put(under(name, "broker/cgroup.procs"), "?");
}

/* Alone in our group: we move into a leaf of it, and its other leaves are the jobs'. */
static void a_v2_group_of_our_own_is_divided(void **state)
{
    struct cgroups g = { .prefix = "coop-test" };
    char self[32];

    (void)state;
    (void)snprintf(self, sizeof(self), "%d\n", (int)getpid());
    fake_group("unit", self);
    assert_int_equal(cgroup_find(&g, CGROUP_V2, v2_mountinfo(), "0::/unit\n", geteuid()), 0);
    assert_string_equal(strrchr(g.base[CGROUP_MEMORY], '/'), "/unit");
    assert_true(g.has[CGROUP_MEMORY] && g.has[CGROUP_PIDS] && g.has[CGROUP_CPU] && !g.has[CGROUP_IO]);
    assert_false(g.base_made[CGROUP_MEMORY]);                             /* not ours to remove */
    assert_string_equal(get(under("unit/broker/cgroup.procs", "")), "0"); /* where we moved */
}

/* A login's group holds a shell too: a group that holds processes cannot have children with controllers, its parent can. */
static void beside_a_v2_group_that_others_live_in_one_of_our_own_is_made(void **state)
{
    struct cgroups g = { .prefix = "coop-test" };
    char ours[64];

    (void)state;
    (void)snprintf(ours, sizeof(ours), "slice/coop-%u", geteuid());
    dir(under("slice", ""));
    put(under("slice/cgroup.type", ""), "domain\n");
    fake_group("slice/scope", "1\n2\n");
    fake_group(ours, "");
    assert_int_equal(cgroup_find(&g, CGROUP_V2, v2_mountinfo(), "0::/slice/scope\n", geteuid()), 0);
    assert_string_equal(strstr(g.base[CGROUP_PIDS], "/slice") + 1, ours);
    assert_true(g.base_made[CGROUP_MEMORY]);
    assert_string_equal(get(under("slice/scope/broker/cgroup.procs", "")), "?");
    assert_string_equal(get(under(ours, "broker/cgroup.procs")), "0");
}

/* As the kernel does: a group has its files as soon as it is there. Another broker that leaves takes the first few away. */
static void a_group_has_files_unless_it_goes(const char *path)
{
    char file[1024];

    if (strcmp(strrchr(path, '/'), "/broker") != 0)
        return;
    if (losses-- > 0) {
        assert_int_equal(rmdir(path), 0);
        return;
    }
    (void)snprintf(file, sizeof(file), "%s/cgroup.procs", path);
    put(file, "?");
}

static void a_v2_group_that_goes_before_we_live_in_it_is_made_again(void **state)
{
    struct cgroups g = { .prefix = "coop-test" };
    char ours[64], path[1024];

    (void)state;
    (void)snprintf(ours, sizeof(ours), "busy/%s", base_name());
    dir(under("busy", ""));
    put(under("busy/cgroup.type", ""), "domain\n");
    fake_group("busy/scope", "1\n2\n");
    fake_group(ours, "");
    (void)snprintf(path, sizeof(path), "%s/broker", ours);
    assert_int_equal(unlink(under(path, "cgroup.procs")), 0);
    assert_int_equal(rmdir(under(path, "")), 0);
    losses = 20;
    after_mkdir = a_group_has_files_unless_it_goes;
    assert_int_equal(cgroup_find(&g, CGROUP_V2, v2_mountinfo(), "0::/busy/scope\n", geteuid()), 0);
    assert_string_equal(strstr(g.base[CGROUP_PIDS], "/busy") + 1, ours);
    assert_string_equal(get(under(path, "cgroup.procs")), "0");
}

/* ---- real ones ------------------------------------------------------------------------------------------------------------------------- */

enum { MIB = 1 << 20 };

static struct cgroups real;
static char run_dir[256];

static int open_kind(const char *kind)
{
    (void)snprintf(run_dir, sizeof(run_dir), "%s", tree);
    assert_int_equal(cgroup_open(&real, run_dir, geteuid(), kind), 0);
    if (real.kind == CGROUP_NONE)
        print_message("cgroup %s is not to be had here: %s\n", kind, real.why);
    return 0;
}

static int open_v1(void **state)
{
    (void)state;
    return open_kind("v1");
}

static int open_v2(void **state)
{
    (void)state;
    return open_kind("v2");
}

static int close_real(void **state)
{
    (void)state;
    cgroup_close(&real);
    return 0;
}

static void need(bool there)
{
    if (real.kind == CGROUP_NONE || !there)
        skip();
}

/* As a worker does: by the descriptors of Spawn. */
static void join(const struct cgroup_leaf *leaf)
{
    int fds[CGROUP_FDS_MAX];
    unsigned n = cgroup_fds(leaf, fds);

    for (unsigned i = 0; i < n; i++) {
        int fd = leaf->groups->kind == CGROUP_V2 ? openat(fds[i], "cgroup.procs", O_WRONLY | O_CLOEXEC) : fds[i];

        if (write(fd, "0", 1) != 1)
            _exit(99);
    }
}

/* Runs act in a child that has joined the leaf; returns its pid. */
static pid_t in_leaf(const struct cgroup_leaf *leaf, void (*act)(void))
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        join(leaf);
        act();
        _exit(0);
    }
    return pid;
}

static int status_of(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static struct cgroup_leaf *take(uint64_t memory, uint64_t pids)
{
    struct cgroup_leaf *leaf = cgroup_take(&real);

    assert_non_null(leaf);
    assert_int_equal(cgroup_limit(leaf, memory, pids), 0);
    return leaf;
}

static void nothing(void)
{
}

static void eat(void)
{
    volatile char *p = mmap(NULL, 256 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (size_t i = 0; i < 256 * MIB; i += 4096)
        p[i] = 1;
}

static void more_memory_than_the_limit_is_killed_and_counted_as_that(void **state)
{
    struct cgroup_usage u;
    struct cgroup_leaf *leaf;
    uint64_t kills;
    int status;

    (void)state;
    need(real.has[CGROUP_MEMORY]);
    leaf = take(16 * MIB, 100);
    assert_int_equal(cgroup_read(leaf, CGROUP_F_OOM_KILLS, &kills), 0);
    assert_true(kills == 0 && !cgroup_ran_out(leaf, false) && cgroup_is_empty(leaf));
    status = status_of(in_leaf(leaf, eat));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(cgroup_read(leaf, CGROUP_F_OOM_KILLS, &kills), 0);
    assert_true(kills >= 1); /* Linux 6.1 counts the victim once more, as one of its group */
    assert_true(cgroup_ran_out(leaf, false));
    cgroup_usage(leaf, &u);
    assert_true(!u.has_memory || (u.memory_peak > 8 * MIB && u.memory_peak <= 16 * MIB));
    if (real.kind == CGROUP_V1) { /* who watches hears of it at once */
        struct pollfd p = { .fd = leaf->oom.fd, .events = POLLIN };

        assert_int_equal(poll(&p, 1, 0), 1);
    }
    cgroup_drop(leaf);
}

static void a_quarter_each(void)
{
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            volatile char *p = mmap(NULL, 6 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

            for (size_t k = 0; k < 6 * MIB; k += 4096)
                p[k] = 1;
            (void)pause();
        }
    while (wait(NULL) > 0) /* ends when one of them was killed */
        _exit(7);
}

static void memory_is_the_sum_over_processes(void **state)
{
    struct cgroup_leaf *leaf;

    (void)state;
    need(real.has[CGROUP_MEMORY]);
    leaf = take(16 * MIB, 100);
    (void)status_of(in_leaf(leaf, a_quarter_each));
    assert_true(cgroup_ran_out(leaf, false));
    cgroup_drop(leaf);
}

static void bomb(void)
{
    while (fork() >= 0)
        ;
    (void)pause();
}

static void a_fork_bomb_is_held_and_ended_whole(void **state)
{
    struct cgroup_usage u;
    struct cgroup_leaf *leaf;
    uint64_t refused;
    pid_t first;

    (void)state;
    need(real.has[CGROUP_PIDS]);
    leaf = take(64 * MIB, 20);
    first = in_leaf(leaf, bomb);
    do {
        assert_int_equal(cgroup_read(leaf, CGROUP_F_PIDS_REFUSED, &refused), 0);
    } while (refused == 0);
    assert_false(cgroup_is_empty(leaf));
    cgroup_usage(leaf, &u);
    assert_true(!u.has_pids_peak || u.pids_peak <= 20);
    (void)cgroup_kill(leaf);
    while (cgroup_kill(leaf) > 0)
        ;
    assert_true(WIFSIGNALED(status_of(first)));
    cgroup_drop(leaf);
    cgroup_wait_for_dying(&real, 10000); /* the others are init's to reap */
    assert_null(real.dying);
}

static void spin(void)
{
    struct timespec t;

    do {
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    } while (t.tv_nsec < 60000000);
}

/* Two of them at once, whose parent never waits for them. */
static void spin_in_children(void)
{
    pid_t pids[2];

    (void)signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 2; i++)
        if ((pids[i] = fork()) == 0) {
            spin();
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
}

static void cpu_is_the_sum_over_children_that_nobody_waited_for(void **state)
{
    struct cgroup_usage u;
    struct cgroup_leaf *leaf;

    (void)state;
    need(real.has[CGROUP_CPU]);
    leaf = take(64 * MIB, 20);
    assert_int_equal(status_of(in_leaf(leaf, spin_in_children)), 0);
    cgroup_usage(leaf, &u);
    assert_true(u.has_cpu);
    assert_true(u.cpu_user_us + u.cpu_sys_us >= 120000);
    cgroup_drop(leaf);
}

static void sleep_on(void)
{
    (void)setsid();
    if (fork() == 0)
        (void)setsid();
    (void)raise(SIGSTOP);
    (void)pause();
}

static bool leaf_is_there(const char *name)
{
    for (int part = 0; part < CGROUP_PARTS; part++) {
        char path[CGROUP_PATH + CGROUP_NAME_MAX + 2];

        (void)snprintf(path, sizeof(path), "%s/%s", real.base[part], name);
        if (real.has[part] && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static void a_dropped_leaf_is_gone_with_all_that_was_in_it_also_what_stands_still(void **state)
{
    char name[CGROUP_NAME_MAX];
    struct cgroup_leaf *leaf;
    pid_t pid;
    int status;

    (void)state;
    need(true);
    leaf = take(64 * MIB, 20);
    (void)strcpy(name, leaf->name);
    assert_true(leaf_is_there(name));
    pid = in_leaf(leaf, sleep_on);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    cgroup_drop(leaf);
    assert_true(WIFSIGNALED(status_of(pid)));
    cgroup_close(&real); /* waits for what was not quite dead */
    assert_false(leaf_is_there(name));
}

static void what_a_dead_broker_left_is_swept_by_the_next_of_its_run_directory_only(void **state)
{
    struct cgroups other;
    struct loop loop;
    struct cgroup_leaf *leaf;
    char name[CGROUP_NAME_MAX];
    const char *kind = cgroup_kind_names[real.kind];
    pid_t pid;
    int status;

    (void)state;
    need(true);
    leaf = take(64 * MIB, 20);
    (void)strcpy(name, leaf->name);
    pid = in_leaf(leaf, sleep_on);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_int_equal(loop_init(&loop), 0);
    assert_int_equal(cgroup_open(&other, "/", geteuid(), kind), 0);
    assert_int_equal(cgroup_start(&other, &loop), 0);
    assert_true(leaf_is_there(name));
    cgroup_close(&other);
    assert_int_equal(cgroup_open(&other, run_dir, geteuid(), kind), 0); /* the first one is as good as dead: it has done nothing since */
    assert_int_equal(cgroup_start(&other, &loop), 0);
    assert_true(WIFSIGNALED(status_of(pid)));
    cgroup_close(&other);
    assert_false(leaf_is_there(name));
    loop_finish(&loop);
    cgroup_leaf_free(leaf);
}

/* Its socket fills while nobody reads. What was told to nobody goes at the end, too. */
static void a_janitor_that_does_not_keep_up_leaves_the_removal_to_the_broker(void **state)
{
    enum { MOST = 2000 };
    char name[CGROUP_NAME_MAX] = "", told[CGROUP_NAME_MAX] = "", first[CGROUP_NAME_MAX];
    int pair[2], small = 1, n = 0;

    (void)state;
    need(true);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    real.janitor = pair[0];
    do {
        struct cgroup_leaf *leaf = take(64 * MIB, 20);

        (void)strcpy(name, leaf->name);
        cgroup_drop(leaf);
        if (n++ == 0)
            (void)strcpy(first, name);
    } while (leaf_is_there(name) && n < MOST);
    assert_true(n > 1 && n < MOST);
    assert_true(recv(pair[1], told, sizeof(told) - 1, 0) > 0);
    assert_string_equal(told, first);
    assert_true(leaf_is_there(first));
    real.janitor = -1;
    cgroup_close(&real);
    assert_false(leaf_is_there(first));
    close(pair[0]);
    close(pair[1]);
}

static void only_leaves_of_this_run_directory_are_removed_by_their_names(void **state)
{
    static const char *const formats[] = { "%s",      "%.10s-1", "%s-0",
                                           "%s-01",   "%s-1x",   "%s-",
                                           "../%s-1", "%s-1/..", "%s-99999999999999999999999999" };
    struct cgroup_leaf *leaf;
    char name[2 * CGROUP_NAME_MAX], kept[CGROUP_NAME_MAX];

    (void)state;
    need(true);
    leaf = take(64 * MIB, 20);
    (void)strcpy(kept, leaf->name);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(name, sizeof(name), formats[i], real.prefix);
#pragma GCC diagnostic pop
        cgroup_remove(&real, name);
        assert_true(leaf_is_there(kept));
    }
    cgroup_remove(&real, kept);
    assert_false(leaf_is_there(kept));
    cgroup_drop(leaf);
}

static void a_directory_that_somebody_removed_is_made_again(void **state)
{
    struct cgroup_leaf *leaf;

    (void)state;
    need(real.kind == CGROUP_V1);
    for (int part = 0; part < CGROUP_PARTS; part++)
        if (cgroup_distinct(&real, part))
            (void)rmdir(real.base[part]); /* unless a broker of this user is at work here */
    leaf = take(16 * MIB, 10);
    assert_int_equal(status_of(in_leaf(leaf, nothing)), 0);
    cgroup_drop(leaf);
}

/* The leaf that was begun in the others is in the way of none. */
static void one_directory_that_somebody_removed_is_made_again_at_once(void **state)
{
    struct cgroup_leaf *leaf;

    (void)state;
    need(real.kind == CGROUP_V1);
    for (int part = CGROUP_PARTS - 1; part >= 0; part--)
        if (cgroup_distinct(&real, part)) {
            (void)rmdir(real.base[part]); /* the last of them */
            break;
        }
    leaf = take(16 * MIB, 10);
    assert_int_equal(status_of(in_leaf(leaf, nothing)), 0);
    cgroup_drop(leaf);
}

static void leaves_are_made_ahead_and_each_is_used_once(void **state)
{
    struct cgroup_leaf *a, *b, *c;

    (void)state;
    need(true);
    cgroup_stock(&real, 3);
    assert_int_equal(real.spares, 3);
    a = cgroup_take(&real);
    assert_int_equal(real.spares, 2);
    cgroup_drop(a);
    assert_int_equal(real.spares, 2);
    a = cgroup_take(&real);
    b = cgroup_take(&real);
    assert_string_not_equal(a->name, b->name);
    assert_int_equal(real.spares, 0);
    c = cgroup_take(&real); /* made at once */
    assert_non_null(c);
    cgroup_drop(c);
    cgroup_drop(a);
    cgroup_drop(b);
}

static void told_to_use_none_there_are_none(void **state)
{
    struct cgroups g;

    (void)state;
    assert_int_equal(cgroup_open(&g, tree, geteuid(), "none"), 0);
    assert_true(g.kind == CGROUP_NONE && g.why[0] != '\0');
    assert_null(cgroup_take(&g));
    cgroup_stock(&g, 4);
    cgroup_close(&g);
    assert_int_equal(cgroup_open(&g, tree, geteuid(), "v3"), -EINVAL);
}

#define TEST(name)    cmocka_unit_test(name)
#define BETWEEN(name) cmocka_unit_test_setup_teardown(name, NULL, nothing_between)
#define REAL(name)    cmocka_unit_test_setup_teardown(name, open_v1, close_real), cmocka_unit_test_setup_teardown(name, open_v2, close_real)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_v1_hierarchy_is_found_by_its_controller_and_only_what_is_mounted_of_it_counts),
        TEST(what_two_brokers_share_goes_with_the_last_of_them),
        BETWEEN(who_leaves_does_not_remove_what_somebody_has_made_again_meanwhile),
        BETWEEN(many_that_leave_do_not_keep_out_who_comes),
        BETWEEN(a_base_that_is_another_by_now_is_locked_again),
        BETWEEN(nobody_else_may_open_what_is_locked),
        BETWEEN(a_v2_group_that_goes_before_we_live_in_it_is_made_again),
        TEST(without_a_hierarchy_there_is_none_and_the_reason_is_said),
        TEST(a_v2_group_with_no_controller_of_use_is_refused_by_name),
        TEST(a_v2_group_of_our_own_is_divided),
        TEST(beside_a_v2_group_that_others_live_in_one_of_our_own_is_made),
        TEST(told_to_use_none_there_are_none),
        REAL(more_memory_than_the_limit_is_killed_and_counted_as_that),
        REAL(memory_is_the_sum_over_processes),
        REAL(a_fork_bomb_is_held_and_ended_whole),
        REAL(cpu_is_the_sum_over_children_that_nobody_waited_for),
        REAL(a_dropped_leaf_is_gone_with_all_that_was_in_it_also_what_stands_still),
        REAL(what_a_dead_broker_left_is_swept_by_the_next_of_its_run_directory_only),
        REAL(a_janitor_that_does_not_keep_up_leaves_the_removal_to_the_broker),
        REAL(only_leaves_of_this_run_directory_are_removed_by_their_names),
        REAL(a_directory_that_somebody_removed_is_made_again),
        REAL(one_directory_that_somebody_removed_is_made_again_at_once),
        REAL(leaves_are_made_ahead_and_each_is_used_once),
    };

    return cmocka_run_group_tests_name("cgroup", tests, make_tree, remove_tree);
}
