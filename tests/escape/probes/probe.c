/* probe.c - probe NAME BROKER-PID ZYGOTE-PID CANARY RUN-DIR: makes the attempt of that name (exec_attempts.h); "neighbour" is the honest job. */
#include "tests/escape/probes/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/escape/exec_attempts.h"

long broker_pid, zygote_pid;
const char *canary = "", *run_dir = "";
char page[8192] __attribute__((aligned(4096)));

void say(const char *name, long ret)
{
    int error = ret == -1 ? errno : 0;
    char line[128];
    int n = snprintf(line, sizeof(line), "%s %ld %d\n", name, ret, error);

    (void)!write(1, line, (size_t)n);
}

long read_of(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    long n = fd < 0 ? -1 : read(fd, &byte, 1);

    return n;
}

long write_of(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    return fd < 0 ? -1 : write(fd, "x", 1);
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------- */

#define BUF       ((uintptr_t)page)
#define TEXT(x)   ((uintptr_t)(x))
#define BROKER    broker_pid
#define ZYGOTE    zygote_pid
#define ARGS(...) (const long[7]){ __VA_ARGS__ }

static void call(const char *name, const long a[7])
{
    say(name, syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]));
}

#define DECLARE(number, name, expected, limits) void do_##name(const char *name_);
EXEC_ACTS(DECLARE)

static void run(const char *name)
{
#define CALL(number, row, expected, ...)                                                                                                   \
    if (strcmp(name, #row) == 0) {                                                                                                         \
        call(name, ARGS(__VA_ARGS__));                                                                                                     \
        return;                                                                                                                            \
    }
#define ACT(number, row, expected, limits)                                                                                                 \
    if (strcmp(name, #row) == 0) {                                                                                                         \
        do_##row(name);                                                                                                                    \
        return;                                                                                                                            \
    }
    EXEC_CALLS(CALL)
    EXEC_ACTS(ACT)
    fprintf(stderr, "no attempt %s\n", name);
    exit(99);
}

/* ---- the neighbour: has something of each kind that others should not see, and answers each line ------------------------------------ */

static void own_things(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0coop-neighbour" };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family) + 15) == 0)
        (void)listen(fd, 8);
    (void)close(open("/tmp/neighbour", O_CREAT | O_WRONLY, 0666));
    (void)close(open("/dev/shm/neighbour", O_CREAT | O_WRONLY, 0666));
}

static int neighbour(void)
{
    char line[64], answer[2048];

    own_things();
    while (fgets(line, sizeof(line), stdin) != NULL) {
        unsigned seed = (unsigned)strtoul(line, NULL, 10);

        for (size_t i = 0; i < sizeof(answer) - 1; i++) {
            seed = seed * 1664525u + 1013904223u;
            answer[i] = (char)('a' + (seed >> 24) % 26);
        }
        answer[sizeof(answer) - 1] = '\n';
        (void)!write(1, answer, sizeof(answer));
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "neighbour") == 0)
        return neighbour();
    if (argc > 1 && strcmp(argv[1], "noop") == 0)
        return 0;
    if (argc != 6)
        return 99;
    broker_pid = strtol(argv[2], NULL, 10);
    zygote_pid = strtol(argv[3], NULL, 10);
    canary = argv[4];
    run_dir = argv[5];
    run(argv[1]);
    return 0;
}
