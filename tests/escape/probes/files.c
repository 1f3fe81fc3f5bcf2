/* files.c - descriptors, the host's files, other jobs' things, output (numbers 49 to 110). */
#include "tests/escape/probes/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/exec_attempts.h"

#define DECLARE(number, name, expected, limits) void do_##name(const char *name_);
EXEC_ACTS(DECLARE)

void do_descriptors(const char *name)
{
    long open_ones = 0;

    for (int fd = 0; fd < 65536; fd++)
        open_ones += fcntl(fd, F_GETFD) >= 0;
    say(name, open_ones);
}

void do_open_parents(const char *name)
{
    say(name, read_of("../../../../../../../../etc/shadow"));
}

void do_fchdir_out(const char *name)
{
    int fd = open("/", O_PATH | O_DIRECTORY);

    for (int i = 0; i < 20; i++)
        (void)!chdir("..");
    (void)fchdir(fd);
    (void)!chdir("../../..");
    say(name, read_of("etc/shadow"));
}

/* ---- the host's files ---------------------------------------------------------------------------------------------------------------- */

static long connect_to(const struct sockaddr_un *a, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    return fd < 0 ? -1 : connect(fd, (const struct sockaddr *)a, len);
}

void do_control_socket(const char *name)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", run_dir);
    say(name, connect_to(&a, sizeof(a)));
}

/* How many ways there are to change what is shown read-only. */
void do_write_view(const char *name)
{
    static const char *const files[] = { "/usr/bin/true", "/etc/hostname", "/etc/ld.so.cache", "/etc/passwd", "/usr/lib/os-release" };
    static const char *const dirs[] = { "/", "/usr", "/etc", "/usr/bin", "/usr/lib", "/dev" };
    long could = 0;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        could += open(files[i], O_WRONLY) >= 0;
        could += open(files[i], O_RDWR | O_APPEND) >= 0;
        could += truncate(files[i], 0) == 0;
        could += chmod(files[i], 0777) == 0;
        could += chown(files[i], 1000, 1000) == 0;
        could += rename(files[i], "/work/moved") == 0;
        could += link(files[i], "/work/linked") == 0;
        could += unlink(files[i]) == 0;
        could += utimensat(AT_FDCWD, files[i], NULL, 0) == 0;
    }
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "%s/made", dirs[i]);
        could += open(path, O_CREAT | O_WRONLY, 0666) >= 0;
        could += mkdir(path, 0777) == 0;
        could += symlink("/x", path) == 0;
        could += mkfifo(path, 0666) == 0;
        could += open(dirs[i], O_TMPFILE | O_WRONLY, 0666) >= 0;
    }
    say(name, could);
}

void do_write_canary(const char *name)
{
    say(name, write_of(canary));
}

/* A set-uid file of its own gives nothing. */
void do_setuid_file(const char *name)
{
    char script[64];
    int status, fd = open("raise", O_WRONLY | O_CREAT, 0755), from = open("/usr/bin/dash", O_RDONLY);
    static char block[65536];
    pid_t pid;

    for (ssize_t n; (n = read(from, block, sizeof(block))) > 0;)
        (void)!write(fd, block, (size_t)n);
    (void)fchmod(fd, 06755);
    (void)close(fd);
    (void)snprintf(script, sizeof(script), "[ \"$(/usr/bin/id -u)\" = %u ]", (unsigned)getuid());
    pid = fork();
    if (pid == 0) {
        (void)execl("./raise", "raise", "-c", script, NULL);
        _exit(0);
    }
    (void)waitpid(pid, &status, 0);
    say(name, status);
}

#define READS(act, path)                                                                                                                   \
    void do_##act(const char *name)                                                                                                        \
    {                                                                                                                                      \
        say(name, read_of(path));                                                                                                          \
    }
#define WRITES(act, path)                                                                                                                  \
    void do_##act(const char *name)                                                                                                        \
    {                                                                                                                                      \
        say(name, write_of(path));                                                                                                         \
    }
READS(proc_1_root, "/proc/1/root/etc/passwd")
WRITES(proc_self_exe, "/proc/self/exe")
WRITES(core_pattern, "/proc/sys/kernel/core_pattern")
WRITES(sysrq, "/proc/sysrq-trigger")
READS(kcore, "/proc/kcore")
READS(cgroup_files, "/sys/fs/cgroup/cgroup.procs")
READS(etc_shadow, "/etc/shadow")

/* The file that is there instead names root, coop and nobody. */
void do_host_passwd(const char *name)
{
    FILE *f = fopen("/etc/passwd", "r");
    char line[256];
    long others = f == NULL;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        others += strncmp(line, "root:", 5) != 0 && strncmp(line, "coop:", 5) != 0 && strncmp(line, "nobody:", 7) != 0;
    say(name, others);
}

void do_broker_environ(const char *name)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%ld/environ", broker_pid);
    say(name, read_of(path));
}

void do_store(const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/../state/coop.db", run_dir);
    say(name, read_of(path));
}

void do_own_receipt(const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/../state/output", run_dir);
    say(name, open(path, O_RDONLY | O_DIRECTORY));
}

/* ---- other jobs' things -------------------------------------------------------------------------------------------------------------- */

void do_abstract_socket(const char *name)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0coop-neighbour" };

    say(name, connect_to(&a, sizeof(a.sun_family) + 15));
}

void do_dgram_pair(const char *name)
{
    int fds[2];

    say(name, socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
}

READS(neighbours_tmp, "/tmp/neighbour")
READS(neighbours_shm, "/dev/shm/neighbour")

void do_hostname(const char *name)
{
    char host[256] = "";

    (void)gethostname(host, sizeof(host) - 1);
    say(name, strcmp(host, "coop") != 0);
}

/* ---- sockets between its own processes ------------------------------------------------------------------------------------------------- */

void do_sendmsg_spray(const char *name)
{
    static char block[60000];
    int fds[2];
    long sent = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0)
        for (int i = 0; i < 100000; i++) {
            struct iovec iov = { block, sizeof(block) };
            struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

            if (sendmsg(fds[0], &m, MSG_DONTWAIT) < 0)
                break;
            sent++;
        }
    say(name, sent < 100000 ? 0 : 1);
}

/* Lengths that no address has: an error, nothing else. */
void do_odd_addresses(const char *name)
{
    static char long_one[8192];
    int fds[2];
    long could = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) {
        say(name, -1);
        return;
    }
    could += connect(fds[0], (struct sockaddr *)long_one, 0) == 0;
    could += connect(fds[0], (struct sockaddr *)long_one, 4096) == 0;
    could += bind(fds[0], (struct sockaddr *)long_one, 8192) == 0;
    could += sendto(fds[0], "x", 1, MSG_DONTWAIT, (struct sockaddr *)long_one, 4096) == -1 && errno != EINVAL && errno != EISCONN &&
             errno != EOPNOTSUPP;
    say(name, could);
}

/* ---- output ---------------------------------------------------------------------------------------------------------------------- */

void do_write_much(const char *name)
{
    static char block[4096];

    memset(block, 'x', sizeof(block));
    for (int i = 0; i < 100000; i++)
        if (write(1, block, sizeof(block)) < 0)
            break;
    (void)name;
}

void do_flood_both(const char *name)
{
    static char block[4096];

    (void)name;
    for (int i = 0; i < 100000; i++)
        if (write(1 + i % 2, block, sizeof(block)) < 0)
            break;
}

/* A grandchild keeps it open: the result is not delayed. */
void do_held_stdout(const char *name)
{
    if (fork() == 0) {
        (void)setsid();
        for (;;)
            (void)pause();
    }
    say(name, 0);
    (void)close(1);
}
