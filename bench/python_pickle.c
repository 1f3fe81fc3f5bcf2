/* python_pickle.c - bench_python: a tasklet to bytes and back in a sealed job, the broker's seal included. */
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench_python.h"
#include "bench/measure.h"

enum { ROUNDS = 9, US = 50, TRIPS = 200, MESSAGE = 53 /* bytes: an ask for a seal, and its answer */ };

/* An operation of bench/python/pickles.py: by the clock on the wall, as the broker works on it, too; and CPU time of the job's own. */
static const struct operation {
    const char *wall, *cpu, *what;
    double ask;
} operations[] = {
    {"dump-wall",         "dump-cpu",        "dump a tasklet of three frames, sealed", US},
    { "load-wall",        "load-cpu",        "load it again, its seal checked",        US},
    { "ask-wall",         "ask-cpu",         "an ask of the broker for nothing",       0 },
    { "dump-record-wall", "dump-record-cpu", "dump a dict of 300 numbers, unsealed",   0 },
    { "load-record-wall", "load-record-cpu", "load that",                              0 },
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

/* ---- the bare limit: a message to another process and back ------------------------------------------------------------------------ */

static struct {
    int fd;
    pid_t pid;
} echo;

/* Whether the message came. */
static bool hear(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char message[MESSAGE];

    return poll(&p, 1, -1) == 1 && read(fd, message, sizeof(message)) == MESSAGE;
}

static bool say(int fd)
{
    static const char message[MESSAGE];

    return write(fd, message, sizeof(message)) == MESSAGE;
}

static void echo_begin(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 || (echo.pid = fork()) < 0)
        host_die("echo", -5);
    if (echo.pid == 0) {
        close(pair[0]);
        while (hear(pair[1]) && say(pair[1]))
            ;
        _exit(0);
    }
    close(pair[1]);
    echo.fd = pair[0];
}

static void echo_end(void)
{
    close(echo.fd);
    (void)waitpid(echo.pid, NULL, 0);
}

static double round_trip_us(void)
{
    double start = measure_now_ns();

    for (int i = 0; i < TRIPS; i++)
        if (!say(echo.fd) || !hear(echo.fd))
            host_die("echo", -5);
    return (measure_now_ns() - start) / TRIPS / 1000;
}

void py_pickle_rows(void)
{
    static const char *const modules[] = { "serve.py", "tasklets.py", NULL };
    struct py_samples wall[OPERATIONS] = { 0 }, cpu[OPERATIONS] = { 0 }, bare = { 0 };
    struct py_answerer job;
    double bytes;

    py_begin("2");
    if (!py_answerer_sealed(&job, "pickles.py", modules))
        host_die("pickles.py", -5);
    bytes = py_ask(&job, "bytes");
    echo_begin();
    for (int i = 0; i < ROUNDS; i++) {
        py_add(&bare, round_trip_us());
        for (int o = 0; o < OPERATIONS; o++) {
            py_add(&wall[o], py_ask(&job, operations[o].wall));
            py_add(&cpu[o], py_ask(&job, operations[o].cpu));
        }
    }
    echo_end();
    py_answerer_end(&job);
    host_broker_stop();
    for (int o = 0; o < OPERATIONS; o++) {
        py_row(operations[o].what, py_median(&wall[o]), "us", operations[o].ask > 0 ? PY_AT_MOST : PY_NO_ASK, operations[o].ask);
        py_row("  CPU time of the job in that", py_median(&cpu[o]), "us", PY_NO_ASK, 0);
    }
    py_row("a message to another process and back, by a bare socket", py_median(&bare), "us", PY_NO_ASK, 0);
    py_row("its bytes", bytes, "", PY_NO_ASK, 0);
}
