/*
 * test_space.c - what a program's worker finds around it, at each tier, started by root and by an ordinary user: who it is, which files,
 * network and processes there are, and that all of it ends with it.
 *
 * The engine is one whose jobs are questions, answered on standard output after space_close(): so nothing here depends on engine exec.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "worker/landlock.h"
#include "worker/output.h"
#include "worker/space.h"
#include "worker/view.h"
#include "worker/zygote.h"
#include "zygote.pb-c.h"

enum { WAIT_MS = 60000, NOBODY = 65534, SOME_UID = 1879200000, RANGE = 1879300000, DISK = 1 << 20, INODES = 20 };

/* ---- questions --------------------------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    output_write(PB__STREAM__STREAM_STDOUT, text, strlen(text));
}

static const char *how(long result)
{
    return result >= 0 ? "ok" : strerrorname_np(errno);
}

static void ask_who(int work)
{
    char host[64] = "";

    (void)work;
    gethostname(host, sizeof(host));
    say("pid %d ppid %d sid %d uid %u gid %u host %s umask %o", (int)getpid(), (int)getppid(), (int)getsid(0), getuid(), getgid(), host,
        umask(0));
}

/* Everything of the host's that a path might lead to, and what of ours is hidden. */
static void ask_outside(int work)
{
    static const char *const paths[] = {
        "/root",    "/home",    "/etc/shadow",      "/var",          "/sys",          "/run",     "/mnt",     "/boot",    "/opt",
        "/srv",     "/media",   "/proc/self",       "/proc/outer",   "/proc/outer/1", "/dev/mem", "/dev/tty", "/dev/vda", "/dev/pts/0",
        "/var/tmp", "/etc/ssh", "/etc/ssl/private", "/work/../root", "/../root"
    };

    (void)work;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (access(paths[i], F_OK) == 0 || errno != ENOENT)
            say("%s:%s ", paths[i], how(access(paths[i], F_OK)));
    say("end");
}

static void run(const char *script)
{
    int out[2], status = 0;
    char text[256];
    ssize_t n;
    pid_t pid;

    if (pipe(out) != 0)
        return;
    pid = fork();
    if (pid == 0) {
        dup2(out[1], 1);
        execl("/bin/sh", "sh", "-c", script, NULL);
        _exit(errno);
    }
    close(out[1]);
    while ((n = read(out[0], text, sizeof(text))) > 0)
        output_write(PB__STREAM__STREAM_STDOUT, text, (size_t)n);
    close(out[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    say("status %x", (unsigned)status);
}

static void ask_program(int work)
{
    (void)work;
    run("pwd; echo x > f && cat f; ls /usr/bin | grep -c '^sh$'; cp /bin/true . && ./true && echo ran; ");
}

static void ask_identity(int work)
{
    (void)work;
    run("id -un; id -gn; cat /etc/hostname; cat /etc/passwd | wc -l");
}

/* Fills one file to the brim in dir. Returns how much went in. */
static uint64_t fill(const char *dir)
{
    static char block[4096];
    char path[64];
    uint64_t done = 0;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "%s/fill", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    while ((n = write(fd, block, sizeof(block))) > 0)
        done += (uint64_t)n;
    close(fd);
    return done;
}

static void ask_disk(int work)
{
    uint64_t first = fill("/work"), rest = fill("/tmp") + fill("/dev/shm");

    (void)work;
    say("%llu %llu %s", (unsigned long long)first, (unsigned long long)rest, how(open("/tmp/one_more_block", O_WRONLY | O_CREAT, 0600)));
}

static void ask_inodes(int work)
{
    int n = 0;
    char path[64];

    (void)work;
    for (; n < 1000; n++) {
        static const char *const dirs[] = { "/work", "/tmp", "/dev/shm" };

        snprintf(path, sizeof(path), "%s/%d", dirs[n % 3], n);
        if (mkdir(path, 0700) != 0)
            break;
    }
    say("%d %s", n, how(-1));
}

/* Each must fail: the view is read-only, also for its owner. */
static void ask_writing(int work)
{
    (void)work;
    say("%s %s %s %s %s %s %s", how(mkdir("/x", 0700)), how(mkdir("/usr/x", 0700)), how(open("/etc/passwd", O_WRONLY)),
        how(chmod("/dev/null", 0600)), how(unlink("/etc/hosts")), how(mkdir("/dev/x", 0700)), how(symlink("a", "/proc/x")));
}

static void ask_nodes(int work)
{
    char zero = 1;
    int fd = open("/dev/zero", O_RDWR);

    (void)work;
    say("%s ", how(read(fd, &zero, 1) == 1 && zero == 0 ? 0 : -1));
    say("%s ", how(write(open("/dev/null", O_WRONLY), "x", 1)));
    say("%s ", how(write(open("/dev/full", O_WRONLY), "x", 1)));
    say("%s ", how(read(open("/dev/urandom", O_RDONLY), &zero, 1)));
    say("%s ", how(mknod("/work/null", S_IFCHR | 0600, makedev(1, 3))));
    say("%s", how(mkfifo("/work/fifo", 0600)));
}

static void ask_flags(int work)
{
    static const char *const paths[] = { "/", "/usr", "/work", "/tmp", "/dev/shm", "/dev/null", "/proc" };
    struct statvfs st;
    struct stat mode;

    (void)work;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (statvfs(paths[i], &st) == 0 && stat(paths[i], &mode) == 0)
            say("%s%s%s%s%s:%o ", paths[i], (st.f_flag & ST_RDONLY) != 0 ? " ro" : "", (st.f_flag & ST_NOSUID) != 0 ? " nosuid" : "",
                (st.f_flag & ST_NODEV) != 0 ? " nodev" : "", (st.f_flag & ST_NOEXEC) != 0 ? " noexec" : "", mode.st_mode & 07777);
}

static void ask_power(int work)
{
    uint32_t head[2] = { 0x20080522, 0 }, caps[6] = { 1, 1, 1, 1, 1, 1 };

    (void)work;
    say("%s ", how(syscall(SYS_capget, head, caps)));
    say("%x%x%x ", caps[0] | caps[3], caps[1] | caps[4], caps[2] | caps[5]);
    say("bound %d nnp %d ", prctl(PR_CAPBSET_READ, 21), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say("mount %s ", how(mount("tmpfs", "/tmp", "tmpfs", 0, NULL)));
    say("umount %s %s %s ", how(umount2("/proc", MNT_DETACH)), how(umount2("/work", MNT_DETACH)), how(umount2("/usr", MNT_DETACH)));
    say("setuid %s host %s ", how(setuid(0)), how(sethostname("x", 1)));
    say("net %s", how(unshare(CLONE_NEWNET)));
}

static void ask_network(int work)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0), bound = bind(fd, (struct sockaddr *)&at, len);

    (void)work;
    say("bind %s ", how(bound));
    if (bound == 0) {
        listen(fd, 1);
        getsockname(fd, (struct sockaddr *)&at, &len);
        say("connect %s ", how(connect(other, (struct sockaddr *)&at, len)));
    }
    at.sin_addr.s_addr = htonl(0x01010101);
    at.sin_port = htons(53);
    say("out %s", how(connect(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&at, sizeof(at))));
}

static void ask_descriptors(int work)
{
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            say("%s ", fd <= 3 ? "-" : fd == work ? "work" : fd == space_proc_fd() ? "proc" : fd == 4 ? "given" : "?");
    say("end");
}

/* A program that has been executed, and waits. Its end of the pipe is what it waits on. */
static pid_t start_program(int *ret_hold)
{
    int hold[2], begun[2];
    char byte;
    pid_t pid;

    if (pipe2(hold, O_CLOEXEC) != 0 || pipe2(begun, O_CLOEXEC) != 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        dup2(hold[0], 0);
        execl("/bin/cat", "cat", NULL);
        _exit(1);
    }
    close(begun[1]);
    (void)!read(begun[0], &byte, 1); /* its copy closes with the exec */
    close(begun[0]);
    close(hold[0]);
    *ret_hold = hold[1];
    return pid;
}

static bool maps_name_cat(pid_t pid)
{
    char path[32], text[4096] = "";
    int fd;
    bool does;

    snprintf(path, sizeof(path), "%d/maps", (int)pid);
    fd = openat(space_proc_fd(), path, O_RDONLY | O_CLOEXEC);
    does = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strstr(text, "/usr/bin/cat") != NULL;
    if (fd >= 0)
        close(fd);
    return does;
}

static void ask_processes(int work)
{
    int hold = -1;
    pid_t pid = start_program(&hold);

    (void)work;
    say("%s", maps_name_cat(pid) ? "seen" : "?");
    close(hold);
    waitpid(pid, NULL, 0);
    say(" %s", how(faccessat(space_proc_fd(), "3", F_OK, 0)));
    say(" /proc/1 %s /proc/cpuinfo %s", how(access("/proc/1", F_OK)), how(access("/proc/cpuinfo", R_OK)));
}

static void ask_key(int work)
{
    (void)work;
    say("%s", how(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "coop-test-key", 0)));
}

static void ask_terminal(int work)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    char name[64] = "";

    (void)work;
    say("%s ", how(fd));
    if (fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0 && ptsname_r(fd, name, sizeof(name)) == 0)
        say("%s %s", name, how(open(name, O_RDWR | O_NOCTTY)));
}

/* A daemon that keeps the link open: as long as one byte can still come through, it lives. */
static void ask_daemon(int work)
{
    (void)work;
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            signal(SIGTERM, SIG_IGN);
            for (;;)
                pause();
        }
        _exit(0);
    }
    say("left behind");
}

/* There until it is killed. */
static void ask_rest(int work)
{
    (void)work;
    output_flush();
    for (;;)
        pause();
}

/* By a process of the job's, and by one that has confined itself. */
static int signals_by_a_child(bool confined)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit((confined ? space_confine() : 0) != 0 ? 99 : kill(getppid(), 0) == 0 ? 0 : errno);
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

static void ask_signals(int work)
{
    (void)work;
    say("zygote %s ", how(kill(getppid(), 0)));
    errno = signals_by_a_child(false);
    say("init %s ", errno == 0 ? "ok" : strerrorname_np(errno));
    errno = signals_by_a_child(true);
    say("confined %s", errno == 0 ? "ok" : strerrorname_np(errno));
}

static char shown[64]; /* a directory for --view */

static void ask_view(int work)
{
    char path[128];

    (void)work;
    snprintf(path, sizeof(path), "%s/file", shown);
    say("read %s write %s ", how(open(path, O_RDONLY)), how(open(path, O_WRONLY)));
    snprintf(path, sizeof(path), "%s/../neighbour", shown);
    say("beside %s", how(open(path, O_RDONLY)));
}

/* At T2, whose tree is the host's. */
static void ask_host(int work)
{
    say("work %s ", how(openat(work, "f", O_WRONLY | O_CREAT, 0600)));
    say("exec %s ", how(open("/bin/sh", O_RDONLY)));
    say("etc %s %s ", how(open("/etc/passwd", O_RDONLY)), how(open("/etc/ld.so.cache", O_RDONLY)));
    say("tmp %s ", how(open("/tmp/coop-space-x", O_WRONLY | O_CREAT, 0600)));
    say("root %s proc %s null %s", how(open("/", O_RDONLY)), how(open("/proc/self/mem", O_RDONLY)), how(open("/dev/null", O_RDWR)));
}

/* clang-format off */
static const struct question {
    const char *name;
    void (*ask)(int work);
    bool loopback, proc, terminal;
} questions[] = {
    { .name = "who", .ask = ask_who },
    { .name = "rest", .ask = ask_who },
    { .name = "outside", .ask = ask_outside },
    { .name = "program", .ask = ask_program },
    { .name = "identity", .ask = ask_identity },
    { .name = "disk", .ask = ask_disk },
    { .name = "inodes", .ask = ask_inodes },
    { .name = "writing", .ask = ask_writing },
    { .name = "nodes", .ask = ask_nodes },
    { .name = "flags", .ask = ask_flags },
    { .name = "power", .ask = ask_power },
    { .name = "network", .ask = ask_network },
    { .name = "key", .ask = ask_key },
    { .name = "processes", .ask = ask_processes },
    { .name = "daemon", .ask = ask_daemon },
    { .name = "signals", .ask = ask_signals },
    { .name = "host", .ask = ask_host },
    { .name = "view", .ask = ask_view },
    { .name = "descriptors", .ask = ask_descriptors },
    { .name = "loopback", .ask = ask_network, .loopback = true },
    { .name = "own proc", .ask = ask_processes, .proc = true },
    { .name = "terminal", .ask = ask_terminal, .terminal = true },
    { .name = "no terminal", .ask = ask_terminal },
};
/* clang-format on */

static void run_question(const Pb__JobSpec *spec, struct outcome *o)
{
    const struct question *q = questions;
    const char *path;
    int work, rc;

    while (strcmp(q->name, spec->source_name) != 0)
        q++; /* tests name no other */
    struct space_work want = { .disk_bytes = DISK, .inodes = INODES, .loopback = q->loopback, .proc = q->proc, .terminal = q->terminal };

    rc = space_work(&want, &work, &path);
    o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    if (rc == 0)
        rc = space_close();
    if (rc == 0 && fchdir(work) != 0)
        rc = -errno;
    if (rc == 0)
        q->ask(work);
    else
        say("no space: %s, %s", space_failed_part(), strerrorname_np(-rc));
    if (strcmp(q->name, "rest") == 0) /* with a space or without */
        ask_rest(-1);
}

static int nothing(void)
{
    return 0;
}

static int opens(unsigned threads)
{
    return threads == 1 ? 0 : -EINVAL;
}

static const struct engine asker = {
    .name = "lua", .version = "0", .prepare = nothing, .open = opens, .run = run_question, .programs = true
};
static const struct engine *const askers[] = { &asker, NULL };

/* ---- the broker's side --------------------------------------------------------------------------------------------------------------- */

struct world {
    int control;
    pid_t zygote;
    uint32_t uid; /* of workers; 0: the zygote's */
    int fds[4];   /* that go along with each spawn */
    unsigned n_fds, cgroup_v2, cgroup_v1, work_dir;
    char tier[8], why[256], namespaces[128];
};

/* Who starts a zygote: what the process does before it becomes one. */
static int as_we_are(char fd[16])
{
    (void)fd;
    return 0;
}

static int as_nobody(char fd[16])
{
    (void)fd;
    if (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
        return -errno;
    return prctl(PR_SET_DUMPABLE, 1) == 0 ? 0 : -errno; /* as after the exec that we leave out */
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        _exit(97);
    close(fd);
}

/* In a user namespace where no other can be made, as in many containers. */
static int where_no_namespace_is(char fd[16])
{
    int rc = geteuid() == 0 ? as_nobody(fd) : 0;
    char map[64];

    snprintf(map, sizeof(map), "%u %u 1", getuid(), getuid());
    if (rc != 0 || unshare(CLONE_NEWUSER) != 0)
        return rc != 0 ? rc : -errno;
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", map);
    write_file("/proc/sys/user/max_user_namespaces", "0");
    return 0;
}

/* As in a container that covers parts of /proc: who may not uncover them may not have a whole one either. */
static int with_proc_in_parts(char fd[16])
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/proc/sys", "tmpfs", 0, NULL) != 0)
        return -errno;
    return as_nobody(fd);
}

/* As in a container whose filter does not know clone3; unshare it may know. */
static int without_clone3(char fd[16])
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

    (void)fd;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : -errno;
}

/* As a broker that root started: one uid, and a namespace with a range that belongs to it. */
static int with_a_range(char fd[16])
{
    int out[2], back[2], ns;
    char path[64], byte;
    pid_t child;

    if (pipe(out) != 0 || pipe(back) != 0)
        return -errno;
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (setresgid(RANGE, RANGE, RANGE) != 0 || setresuid(RANGE, RANGE, RANGE) != 0 || unshare(CLONE_NEWUSER) != 0)
            _exit(1);
        _exit(write(out[1], "x", 1) == 1 && read(back[0], &byte, 1) == 1 ? 0 : 1);
    }
    if (read(out[0], &byte, 1) != 1)
        return -EIO;
    snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)child);
    write_file(path, "0 1879300000 1\n1 1879300001 1000\n");
    snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)child);
    write_file(path, "0 1879300000 1\n1 1879300001 1000\n");
    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
    ns = open(path, O_RDONLY);
    snprintf(fd, 16, "%d", ns);
    if (ns < 0 || write(back[1], "x", 1) != 1 || waitpid(child, NULL, 0) != child)
        return -EIO;
    close(out[0]);
    close(out[1]);
    close(back[0]);
    close(back[1]);
    if (setgroups(0, NULL) != 0 || setresgid(RANGE, RANGE, RANGE) != 0 || setresuid(RANGE, RANGE, RANGE) != 0)
        return -errno;
    return prctl(PR_SET_DUMPABLE, 1) == 0 ? 0 : -errno;
}

static _Noreturn void be_zygote(int control, const char *tier, int (*become)(char fd[16]))
{
    char fd[16], userns[16] = "";
    char *argv[12] = {
        (char *)"coop-worker", (char *)"--engine", (char *)"lua", (char *)"--control-fd", fd, (char *)"--tier", (char *)tier
    };
    int argc = 7;

    snprintf(fd, sizeof(fd), "%d", control);
    if (become(userns) != 0)
        _exit(99);
    if (userns[0] != '\0') {
        argv[argc++] = (char *)"--userns-fd";
        argv[argc++] = userns;
    }
    if (shown[0] != '\0') {
        argv[argc++] = (char *)"--view";
        argv[argc++] = shown;
    }
    _exit(zygote_main(argc, argv, askers));
}

static void start(struct world *w, const char *tier, int (*become)(char fd[16]))
{
    int pair[2];

    memset(w, 0, sizeof(*w));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    w->zygote = fork();
    if (w->zygote == 0) {
        close(pair[0]);
        be_zygote(pair[1], tier, become);
    }
    close(pair[1]);
    w->control = pair[0];
    if ((become == as_we_are || become == without_clone3) && geteuid() == 0)
        w->uid = SOME_UID;
    if (become == with_a_range)
        w->uid = 7;
}

static const Pb__FromZygote *hear(struct world *w, struct frame *f)
{
    uint8_t bytes[FRAME_MAX_ZYGOTE];
    struct pollfd p = { .fd = w->control, .events = POLLIN };
    ssize_t got;

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    got = recv(w->control, bytes, sizeof(bytes), 0); /* a pidfd that comes along is left to the kernel */
    assert_true(got > 0);
    assert_int_equal(frame_decode(f, &pb__from_zygote__descriptor, bytes, (size_t)got, FRAME_MAX_ZYGOTE), 0);
    return (const Pb__FromZygote *)f->msg;
}

static void expect_ready(struct world *w)
{
    struct frame f;
    const Pb__FromZygote *m = hear(w, &f);

    if (m->body_case == PB__FROM_ZYGOTE__BODY_REFUSED)
        print_message("%s\n", m->refused->why);
    assert_int_equal(m->body_case, PB__FROM_ZYGOTE__BODY_READY);
    snprintf(w->tier, sizeof(w->tier), "%s", m->ready->tier);
    snprintf(w->why, sizeof(w->why), "%s", m->ready->tier_why);
    for (size_t i = 0; i < m->ready->n_namespaces; i++)
        snprintf(w->namespaces + strlen(w->namespaces), sizeof(w->namespaces) - strlen(w->namespaces), "%s ", m->ready->namespaces[i]);
    frame_release(&f);
}

static void expect_refused(struct world *w, const char *why)
{
    struct frame f;
    const Pb__FromZygote *m = hear(w, &f);
    int status;

    assert_int_equal(m->body_case, PB__FROM_ZYGOTE__BODY_REFUSED);
    if (strstr(m->refused->why, why) == NULL)
        fail_msg("it says: %s", m->refused->why);
    frame_release(&f);
    assert_int_equal(waitpid(w->zygote, &status, 0), w->zygote);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    close(w->control);
}

static void send_spawn(struct world *w, int link)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Spawn s = PB__SPAWN__INIT;
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(8 * sizeof(int))] = { 0 };
    struct cmsghdr *c = (struct cmsghdr *)room;
    struct iovec iov;
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room };
    uint8_t *bytes;
    size_t len, n = (1 + w->n_fds) * sizeof(int);

    s.worker = 1;
    s.uid = w->uid;
    s.cgroup_v2 = w->cgroup_v2;
    s.cgroup_v1 = w->cgroup_v1;
    s.work_dir = w->work_dir;
    s.token = (ProtobufCBinaryData){ 16, (uint8_t *)"0123456789abcdef" };
    m.body_case = PB__TO_ZYGOTE__BODY_SPAWN;
    m.spawn = &s;
    *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(c), &link, sizeof(int));
    memcpy(CMSG_DATA(c) + sizeof(int), w->fds, w->n_fds * sizeof(int));
    msg.msg_controllen = CMSG_SPACE(n);
    assert_int_equal(frame_pack(&m.base, &bytes, &len), 0);
    iov = (struct iovec){ bytes, len };
    assert_int_equal(sendmsg(w->control, &msg, 0), (ssize_t)len);
    free(bytes);
}

static const Pb__FromZygote *hear_of_spawn(struct world *w, struct frame *f)
{
    const Pb__FromZygote *m = hear(w, f);

    while (m->body_case == PB__FROM_ZYGOTE__BODY_EXITED) { /* of the one before */
        frame_release(f);
        m = hear(w, f);
    }
    return m;
}

/* A worker that has been asked. Returns our end of its link. */
static int ask_open(struct world *w, const char *question, pid_t *ret_pid)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits limits = PB__LIMITS__INIT;
    const Pb__FromZygote *m;
    struct frame f;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    send_spawn(w, pair[1]);
    close(pair[1]);
    m = hear_of_spawn(w, &f);
    assert_int_equal(m->body_case, PB__FROM_ZYGOTE__BODY_SPAWNED);
    *ret_pid = (pid_t)m->spawned->pid;
    frame_release(&f);
    limits.stdout_bytes = limits.stderr_bytes = 10000;
    spec.limits = &limits;
    spec.source_name = (char *)question;
    assert_int_equal(sp_handshake(pair[0]), 0);
    told_assign(pair[0], &spec);
    return pair[0];
}

static char *ask(struct world *w, const char *question)
{
    static const struct told_how how_told;
    static struct told t;
    pid_t pid;
    int link = ask_open(w, question, &pid);

    free(t.out);
    free(t.err);
    memset(&t, 0, sizeof(t));
    told_listen(link, pid, &how_told, &t);
    close(link);
    if (t.seal_failed)
        fail_msg("seal failed at %s: %s", t.step, strerror(t.step_error));
    assert_int_equal(t.results, 1);
    return t.out;
}

static void stop(struct world *w)
{
    int status;

    close(w->control);
    assert_int_equal(waitpid(w->zygote, &status, 0), w->zygote);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- worlds with namespaces ---------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*become)(char fd[16]);
    bool root; /* only root can make it */
    const char *tier;
} spaces[] = {
    {"as started",    as_we_are,    false, NULL},
    { "as a user",    as_nobody,    true,  "T1"},
    { "with a range", with_a_range, true,  "T0"},
};

/* Runs one test in each of them. */
static void in_each(void (*test)(struct world *w))
{
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        struct world w;

        if (spaces[i].root && geteuid() != 0)
            continue;
        start(&w, "auto", spaces[i].become);
        expect_ready(&w);
        if (strcmp(w.tier, "T2") == 0 && spaces[i].tier == NULL) {
            print_message("no namespaces for us here: %s\n", w.why);
            stop(&w);
            skip();
        }
        if (spaces[i].tier != NULL)
            assert_string_equal(w.tier, spaces[i].tier);
        test(&w);
        stop(&w);
    }
}

static void check_identity(struct world *w)
{
    assert_string_equal(w->namespaces, "user mnt net ipc uts pid cgroup ");
    assert_string_equal(ask(w, "who"), "pid 1 ppid 0 sid 1 uid 1000 gid 1000 host coop umask 22");
    assert_string_equal(ask(w, "identity"), "coop\ncoop\ncoop\n3\nstatus 0");
}

static void it_is_coop_the_first_process(void **state)
{
    (void)state;
    in_each(check_identity);
}

static void check_outside(struct world *w)
{
    assert_string_equal(ask(w, "outside"), "end");
}

static void nothing_of_the_host_is_reachable_by_a_path(void **state)
{
    (void)state;
    in_each(check_outside);
}

static void check_program(struct world *w)
{
    assert_string_equal(ask(w, "program"), "/work\nx\n1\nran\nstatus 0");
}

static void programs_of_the_host_run_and_the_work_directory_takes_files_and_programs(void **state)
{
    (void)state;
    in_each(check_program);
}

static void check_limits(struct world *w)
{
    unsigned long long first, rest;
    int n;
    char error[32];

    assert_int_equal(sscanf(ask(w, "disk"), "%llu %llu", &first, &rest), 2);
    assert_int_equal(first + rest, DISK);
    assert_int_equal(sscanf(ask(w, "inodes"), "%d %31s", &n, error), 2);
    assert_int_equal(n, INODES);
    assert_string_equal(error, "ENOSPC");
}

static void bytes_and_inodes_are_limited_for_all_its_directories_together(void **state)
{
    (void)state;
    in_each(check_limits);
}

static void check_writing(struct world *w)
{
    char *said = ask(w, "writing"), *end;

    for (char *word = strtok_r(said, " ", &end); word != NULL; word = strtok_r(NULL, " ", &end))
        if (strcmp(word, "EROFS") != 0 && strcmp(word, "EACCES") != 0 && strcmp(word, "EPERM") != 0)
            fail_msg("%s", word);
}

static void the_view_cannot_be_written_to(void **state)
{
    (void)state;
    in_each(check_writing);
}

static void check_nodes(struct world *w)
{
    assert_string_equal(ask(w, "nodes"), landlock_abi() > 0 ? "ok ok ENOSPC ok EACCES ok" : "ok ok ENOSPC ok EPERM ok");
}

static void its_devices_work_and_no_other_can_be_made(void **state)
{
    (void)state;
    in_each(check_nodes);
}

static void check_flags(struct world *w)
{
    const char *said = ask(w, "flags");

    assert_non_null(strstr(said, "/ ro nosuid nodev noexec:755 "));
    assert_non_null(strstr(said, "/usr ro nosuid nodev:755 "));
    assert_non_null(strstr(said, "/work nosuid nodev:755 "));
    assert_non_null(strstr(said, "/tmp nosuid nodev:1777 "));
    assert_non_null(strstr(said, "/dev/shm nosuid nodev:1777 "));
    assert_non_null(strstr(said, "/dev/null ro nosuid noexec:666 "));
    assert_non_null(strstr(said, "/proc ro nosuid nodev noexec:555 "));
}

static void mounts_give_no_power_and_directories_have_their_modes(void **state)
{
    (void)state;
    in_each(check_flags);
}

static void check_power(struct world *w)
{
    assert_string_equal(ask(w, "power"), "ok 000 bound 0 nnp 1 mount EPERM umount EPERM EPERM EPERM setuid EINVAL host EPERM net EPERM");
}

static void no_capability_is_left_after_space_close(void **state)
{
    (void)state;
    in_each(check_power);
}

static void check_network(struct world *w)
{
    const char *said = ask(w, "network");

    assert_null(strstr(said, "bind ok connect ok"));
    assert_non_null(strstr(said, "out ENETUNREACH"));
    assert_string_equal(ask(w, "loopback"), "bind ok connect ok out ENETUNREACH");
}

static void there_is_no_network_but_the_loopback_that_was_asked_for(void **state)
{
    (void)state;
    in_each(check_network);
}

static void check_processes(struct world *w)
{
    assert_string_equal(ask(w, "processes"), "seen ENOENT /proc/1 ENOENT /proc/cpuinfo ENOENT");
    assert_string_equal(ask(w, "own proc"), "seen ENOENT /proc/1 ok /proc/cpuinfo ok");
}

static void init_sees_its_processes_and_programs_only_with_a_proc_of_their_own(void **state)
{
    (void)state;
    in_each(check_processes);
}

static void a_proc_that_cannot_be_had_is_named_and_only_missed_by_who_asks(void **state)
{
    struct world w;

    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can cover it */
    start(&w, "T1", with_proc_in_parts);
    expect_ready(&w);
    assert_string_equal(ask(&w, "own proc"), "no space: own_proc, EPERM");
    assert_string_equal(ask(&w, "program"), "/work\nx\n1\nran\nstatus 0");
    assert_string_equal(ask(&w, "descriptors"), "- - - - work end");
    assert_string_equal(ask(&w, "outside"), "end");
    stop(&w);
}

static void check_descriptors(struct world *w)
{
    assert_string_equal(ask(w, "descriptors"), "- - - - work proc end");
}

static void no_descriptor_is_left_but_those_that_are_named(void **state)
{
    (void)state;
    in_each(check_descriptors);
}

static void check_terminal(struct world *w)
{
    assert_string_equal(ask(w, "terminal"), "ok /dev/pts/0 ok");
    assert_string_equal(ask(w, "no terminal"), "ENOENT ");
}

static void a_terminal_is_of_an_instance_of_its_own(void **state)
{
    (void)state;
    in_each(check_terminal);
}

static void check_key(struct world *w)
{
    assert_string_equal(ask(w, "key"), "ENOKEY");
}

static void keys_of_who_started_it_are_not_found(void **state)
{
    (void)state;
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ||
        syscall(SYS_add_key, "user", "coop-test-key", "secret", 6, KEY_SPEC_SESSION_KEYRING) < 0)
        skip();
    assert_true(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "coop-test-key", 0) > 0);
    in_each(check_key);
}

/* ---- ends ---------------------------------------------------------------------------------------------------------------------------- */

/* The link is open as long as any process of the job's is alive. */
static void expect_all_dead(int link)
{
    struct pollfd p = { .fd = link, .events = POLLIN };
    char bytes[4096];
    ssize_t n;

    do {
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        n = read(link, bytes, sizeof(bytes));
    } while (n > 0);
}

static void expect_message(int link, Pb__FromWorker__BodyCase body)
{
    struct pollfd p = { .fd = link, .events = POLLIN };
    uint8_t *bytes = NULL;
    size_t cap = 0, len;
    bool there = false;

    while (!there) {
        struct frame f;

        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        assert_int_equal(sp_recv(link, &bytes, &cap, FRAME_MAX_LINK, &len), 0);
        assert_int_equal(frame_decode(&f, &pb__from_worker__descriptor, bytes, len, FRAME_MAX_LINK), 0);
        there = ((const Pb__FromWorker *)f.msg)->body_case == body;
        frame_release(&f);
    }
    free(bytes);
}

static void expect_words(int link)
{
    expect_message(link, PB__FROM_WORKER__BODY_RESULT);
}

static void check_end_with_init(struct world *w)
{
    pid_t pid;
    int link = ask_open(w, "daemon", &pid);

    expect_words(link);
    kill(pid, SIGKILL);
    expect_all_dead(link);
    close(link);
}

static void what_a_program_leaves_behind_ends_with_init(void **state)
{
    (void)state;
    in_each(check_end_with_init);
}

static void all_ends_with_a_killed_zygote(void **state)
{
    int (*const who[])(char fd[16]) = { as_we_are, as_nobody, with_a_range };

    (void)state;
    for (size_t i = 0; i < (geteuid() == 0 ? 3 : 1); i++) {
        struct world w;
        pid_t pid;
        int link;

        start(&w, "auto", who[i]);
        expect_ready(&w);
        if (strcmp(w.tier, "T2") == 0)
            skip();
        link = ask_open(&w, "daemon", &pid);
        expect_words(link);
        kill(w.zygote, SIGKILL);
        assert_int_equal(waitpid(w.zygote, NULL, 0), w.zygote);
        expect_all_dead(link);
        close(link);
        close(w.control);
    }
}

/* ---- uids and cgroups ---------------------------------------------------------------------------------------------------------------- */

static void a_program_is_never_root(void **state)
{
    struct world w;
    struct frame f;
    const Pb__FromZygote *m;
    int pair[2];

    (void)state;
    if (geteuid() != 0)
        skip();
    start(&w, "T0", as_we_are);
    expect_ready(&w);
    w.uid = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    send_spawn(&w, pair[1]);
    m = hear(&w, &f);
    assert_int_equal(m->body_case, PB__FROM_ZYGOTE__BODY_SPAWN_FAILED);
    assert_int_equal(m->spawn_failed->error, EPERM);
    frame_release(&f);
    close(pair[0]);
    close(pair[1]);
    stop(&w);
}

/* What the kernel says of the worker's uid, seen from here. */
static void check_uid(uint32_t uid_outside, int (*become)(char fd[16]))
{
    struct world w;
    char path[64];
    struct stat st;
    pid_t pid;
    int link;

    start(&w, "auto", become);
    expect_ready(&w);
    link = ask_open(&w, "daemon", &pid);
    expect_words(link);
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_uid == uid_outside || st.st_uid == 0); /* 0: it is not dumpable; the map says it all the same */
    snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
    FILE *map = fopen(path, "re");
    unsigned inside = 0, outside = 0, count = 0;
    assert_non_null(map);
    assert_int_equal(fscanf(map, "%u %u %u", &inside, &outside, &count), 3);
    fclose(map);
    assert_int_equal(inside, 1000);
    assert_int_equal(outside, uid_outside);
    assert_int_equal(count, 1);
    close(link);
    stop(&w);
}

static void each_worker_has_the_uid_it_was_given_and_no_other(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    check_uid(SOME_UID, as_we_are);
    check_uid(NOBODY, as_nobody);
    check_uid(RANGE + 7, with_a_range);
}

static bool is_member(const char *dir, pid_t pid)
{
    char path[128];
    bool is = false;
    FILE *f;
    int member;

    snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
    f = fopen(path, "re");
    while (f != NULL && fscanf(f, "%d", &member) == 1)
        is |= member == (int)pid;
    if (f != NULL)
        fclose(f);
    return is;
}

/* From its first instruction: by clone3 in the one, by itself in the other. dir: of the group. */
static void check_cgroup(const char *dir, bool v2, int (*become)(char fd[16]))
{
    char procs[160];
    struct world w;
    struct frame f;
    pid_t pid;
    int link;

    snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
    start(&w, "auto", become);
    expect_ready(&w);
    if (become == without_clone3)
        assert_string_equal(w.tier, "T2");
    w.fds[w.n_fds++] = v2 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : open(procs, O_WRONLY | O_CLOEXEC);
    w.cgroup_v2 = v2;
    w.cgroup_v1 = !v2;
    link = ask_open(&w, "rest", &pid);
    expect_message(link, PB__FROM_WORKER__BODY_OUTPUT);
    assert_true(is_member(dir, pid));
    kill(pid, SIGKILL);
    assert_int_equal(hear(&w, &f)->body_case, PB__FROM_ZYGOTE__BODY_EXITED); /* only then has it left the group for sure */
    frame_release(&f);
    close(link);
    close(w.fds[0]);
    stop(&w);
}

static void a_worker_is_in_the_cgroups_that_came_along(void **state)
{
    static const struct {
        const char *root;
        bool v2;
    } hierarchies[] = {
        {"/sys/fs/cgroup/unified", true },
        { "/sys/fs/cgroup",        true },
        { "/sys/fs/cgroup/pids",   false},
    };
    int checked = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
        char dir[128], procs[160];

        snprintf(dir, sizeof(dir), "%s/coop-test-%d", hierarchies[i].root, (int)getpid());
        if (mkdir(dir, 0755) != 0)
            continue;
        snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
        if (access(procs, W_OK) == 0) {
            checked++;
            check_cgroup(dir, hierarchies[i].v2, as_we_are);
            check_cgroup(dir, hierarchies[i].v2, without_clone3);
        }
        assert_int_equal(rmdir(dir), 0);
    }
    if (checked == 0)
        skip(); /* needs root */
}

/* ---- tiers --------------------------------------------------------------------------------------------------------------------------- */

static void where_no_namespace_can_be_made_it_is_landlock(void **state)
{
    struct world w;

    (void)state;
    if (landlock_abi() == 0)
        skip();
    start(&w, "auto", where_no_namespace_is);
    expect_ready(&w);
    assert_string_equal(w.tier, "T2");
    assert_string_equal(w.namespaces, "");
    assert_string_equal(w.why, "T1: unshare user: ENOSPC");
    stop(&w);
}

static void a_tier_that_cannot_be_had_is_refused_and_not_replaced(void **state)
{
    struct world w;

    (void)state;
    start(&w, "T1", where_no_namespace_is);
    expect_refused(&w, "T1: unshare user: ENOSPC");
    start(&w, "T3", as_we_are);
    expect_refused(&w, "T3: programs need more than the system call filter: EOPNOTSUPP");
    start(&w, "T0", geteuid() == 0 ? as_nobody : as_we_are);
    expect_refused(&w, "T0: setns user: EBADF");
    if (geteuid() == 0) {
        start(&w, "T1", as_we_are);
        expect_refused(&w, "T1: a program would be root: EPERM");
    }
}

/* A world of T2, with a directory as the broker makes it. */
static char *start_t2(struct world *w, int (*become)(char fd[16]))
{
    static char dir[64];
    uid_t owner = become == where_no_namespace_is && geteuid() == 0 ? NOBODY : w->uid;

    start(w, "T2", become);
    expect_ready(w);
    owner = become == where_no_namespace_is && geteuid() == 0 ? NOBODY : w->uid;
    snprintf(dir, sizeof(dir), "/tmp/coop-space-XXXXXX");
    assert_non_null(mkdtemp(dir));
    if (geteuid() == 0)
        assert_int_equal(chown(dir, owner, owner), 0);
    w->fds[0] = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->n_fds = w->work_dir = 1;
    return dir;
}

static void stop_t2(struct world *w, const char *dir)
{
    char path[128];

    stop(w);
    close(w->fds[0]);
    snprintf(path, sizeof(path), "%s/f", dir);
    (void)unlink(path);
    snprintf(path, sizeof(path), "%s/true", dir);
    (void)unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

/* The three kinds of process there are at T2. */
static int (*const t2_worlds[])(char fd[16]) = { as_we_are, where_no_namespace_is, NULL };

static void landlock_shows_the_system_and_the_one_directory(void **state)
{
    (void)state;
    if (landlock_abi() == 0)
        skip();
    for (int i = 0; t2_worlds[i] != NULL; i++) {
        struct world w;
        const char *dir = start_t2(&w, t2_worlds[i]);
        char expected[256];

        assert_string_equal(ask(&w, "host"), "work ok exec ok etc EACCES ok tmp EACCES root EACCES proc EACCES null ok");
        snprintf(expected, sizeof(expected), "%s\nx\n1\nran\nstatus 0", dir);
        assert_string_equal(ask(&w, "program"), expected);
        assert_string_equal(ask(&w, "descriptors"), "- - - - given work end");
        stop_t2(&w, dir);
    }
}

static void what_needs_namespaces_is_refused_without_them(void **state)
{
    struct world w;
    const char *dir;

    (void)state;
    if (landlock_abi() == 0)
        skip();
    dir = start_t2(&w, as_we_are);
    assert_string_equal(ask(&w, "loopback"), "no space: loopback, EOPNOTSUPP");
    assert_string_equal(ask(&w, "own proc"), "no space: own_proc, EOPNOTSUPP");
    w.n_fds = w.work_dir = 0;
    assert_string_equal(ask(&w, "host"), "no space: work_directory, EBADF");
    w.n_fds = 1;
    stop_t2(&w, dir);
}

static void without_a_pid_namespace_the_zygote_ends_what_was_left_behind(void **state)
{
    (void)state;
    if (landlock_abi() == 0)
        skip();
    for (int i = 0; t2_worlds[i] != NULL; i++) {
        struct world w;
        const char *dir = start_t2(&w, t2_worlds[i]);

        check_end_with_init(&w);
        stop_t2(&w, dir);
    }
}

static void signals_reach_neither_the_zygote_nor_from_a_program_its_init(void **state)
{
    struct world w;
    const char *dir;

    (void)state;
    if (landlock_abi() < 6)
        skip();
    dir = start_t2(&w, where_no_namespace_is);
    assert_string_equal(ask(&w, "signals"), "zygote EPERM init ok confined EPERM");
    stop_t2(&w, dir);
}

/* ---- the view ------------------------------------------------------------------------------------------------------------------------ */

static void put(const char *dir, const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0); /* so that only the view refuses */
    close(fd);
}

static void drop(const char *dir, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(unlink(path), 0);
}

static void check_view(struct world *w)
{
    const char *said = ask(w, "view");

    assert_non_null(strstr(said, "read ok "));
    assert_non_null(strstr(said, strcmp(w->tier, "T2") == 0 ? "write EACCES " : "write EROFS "));
    assert_non_null(strstr(said, strcmp(w->tier, "T2") == 0 ? "beside EACCES" : "beside ENOENT"));
}

/* Below none of the directories that a job has of its own. False: there is none we may make. */
static bool make_beside_tmp(char parent[64])
{
    const char *const places[] = { "/var/tmp", getenv("HOME") };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(parent, 64, "%s/coop-space-XXXXXX", places[i] != NULL ? places[i] : "/nowhere");
        if (mkdtemp(parent) != NULL)
            return chmod(parent, 0755) == 0;
    }
    return false;
}

static void a_directory_of_the_brokers_choice_is_shown_and_nothing_beside_it(void **state)
{
    struct world w;
    const char *dir;
    char parent[64];

    (void)state;
    if (!make_beside_tmp(parent))
        skip();
    snprintf(shown, sizeof(shown), "%.50s/shown", parent);
    assert_int_equal(mkdir(shown, 0777), 0);
    assert_int_equal(chmod(shown, 0777), 0);
    put(shown, "file");
    put(parent, "neighbour");
    in_each(check_view);
    if (landlock_abi() > 0) {
        dir = start_t2(&w, as_we_are);
        check_view(&w);
        stop_t2(&w, dir);
    }
    drop(shown, "file");
    drop(parent, "neighbour");
    assert_int_equal(rmdir(shown), 0);
    assert_int_equal(rmdir(parent), 0);
    shown[0] = '\0';
}

static void directories_of_the_command_line_are_checked(void **state)
{
    (void)state;
    assert_int_equal(view_add("/tmp"), -EBUSY);
    assert_int_equal(view_add("/etc"), -EBUSY); /* would show the host's passwd instead of ours */
    assert_int_equal(view_add("/dev/shm"), -EBUSY);
    assert_int_equal(view_add("/proc/sys"), -EBUSY);
    assert_int_equal(view_add("/usr/bin/env"), -ENOTDIR);
    assert_int_equal(view_add("relative"), -EINVAL);
    assert_int_equal(view_add("/"), -EINVAL);
    assert_int_equal(view_add("/no/such/directory"), -EINVAL);
    assert_int_equal(view_add("/usr/../root"), -EINVAL);
    assert_null(view_extra(0));
}

static void rows_of_the_view_are_distinct_and_have_reasons(void **state)
{
    (void)state;
    for (const struct view_row *r = view_rows; r->kind != VIEW_END; r++) {
        assert_true(r->path[0] == '/' && r->why[0] != '\0');
        for (const struct view_row *other = r + 1; other->kind != VIEW_END; other++)
            assert_string_not_equal(r->path, other->path);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_coop_the_first_process),
        cmocka_unit_test(nothing_of_the_host_is_reachable_by_a_path),
        cmocka_unit_test(programs_of_the_host_run_and_the_work_directory_takes_files_and_programs),
        cmocka_unit_test(bytes_and_inodes_are_limited_for_all_its_directories_together),
        cmocka_unit_test(the_view_cannot_be_written_to),
        cmocka_unit_test(its_devices_work_and_no_other_can_be_made),
        cmocka_unit_test(mounts_give_no_power_and_directories_have_their_modes),
        cmocka_unit_test(no_capability_is_left_after_space_close),
        cmocka_unit_test(there_is_no_network_but_the_loopback_that_was_asked_for),
        cmocka_unit_test(init_sees_its_processes_and_programs_only_with_a_proc_of_their_own),
        cmocka_unit_test(a_proc_that_cannot_be_had_is_named_and_only_missed_by_who_asks),
        cmocka_unit_test(no_descriptor_is_left_but_those_that_are_named),
        cmocka_unit_test(a_terminal_is_of_an_instance_of_its_own),
        cmocka_unit_test(keys_of_who_started_it_are_not_found),
        cmocka_unit_test(what_a_program_leaves_behind_ends_with_init),
        cmocka_unit_test(all_ends_with_a_killed_zygote),
        cmocka_unit_test(a_program_is_never_root),
        cmocka_unit_test(each_worker_has_the_uid_it_was_given_and_no_other),
        cmocka_unit_test(a_worker_is_in_the_cgroups_that_came_along),
        cmocka_unit_test(where_no_namespace_can_be_made_it_is_landlock),
        cmocka_unit_test(a_tier_that_cannot_be_had_is_refused_and_not_replaced),
        cmocka_unit_test(landlock_shows_the_system_and_the_one_directory),
        cmocka_unit_test(what_needs_namespaces_is_refused_without_them),
        cmocka_unit_test(without_a_pid_namespace_the_zygote_ends_what_was_left_behind),
        cmocka_unit_test(signals_reach_neither_the_zygote_nor_from_a_program_its_init),
        cmocka_unit_test(a_directory_of_the_brokers_choice_is_shown_and_nothing_beside_it),
        cmocka_unit_test(directories_of_the_command_line_are_checked),
        cmocka_unit_test(rows_of_the_view_are_distinct_and_have_reasons),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
