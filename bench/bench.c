/*
 * bench.c - what coop costs, as a small table, beside the bare limit that the same machine sets in the same run.
 *
 * Side:    host. Starts a broker of its own in a temporary directory, with the binaries beside it.
 * Method:  the clock is CLOCK_MONOTONIC; each figure is a median of many, p99 where it says so; ratios are within one run. The bare
 *          limits are taken before and after, so that a machine that changed its speed in between shows.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <seccomp.h>

#include "bench/host.h"
#include "link.pb-c.h"
#include "sp.h"
#include "zygote.pb-c.h"

extern char **environ;

enum { BARE_RUNS = 400, JOB_RUNS = 1500, JOB_WARM = 100, CLIENTS = 32, JOBS_EACH = 100 };

/* ---- the bare limits ---- */

static struct sock_fprog allow_all; /* the shortest filter there is */

static void bare_fork(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &allow_all);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void bare_exec(void)
{
    char *argv[] = { "true", NULL };
    pid_t pid;

    if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0)
        waitpid(pid, NULL, 0);
}

static double median_of(void (*fn)(void))
{
    double v[BARE_RUNS];

    for (int i = 0; i < BARE_RUNS; i++) {
        double start = host_now_us();
        fn();
        v[i] = host_now_us() - start;
    }
    return host_percentile(v, BARE_RUNS, 0.5);
}

/* ---- a sealed worker, from the request to its exit, without a broker ---- */

struct spawner {
    int socket;
    pid_t pid;
};

static void zygote_launch(struct spawner *z)
{
    char path[4200];
    char *argv[] = { path, "--engine", "lua", "--control-fd", "3", NULL };
    posix_spawn_file_actions_t files;
    uint8_t bytes[4096];
    int pair[2], rc;

    snprintf(path, sizeof(path), "%s/coop-worker", host_build_dir);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        host_die("socketpair", -errno);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, pair[1], 3);
    rc = posix_spawn(&z->pid, path, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    close(pair[1]);
    if (rc != 0)
        host_die(path, -rc);
    z->socket = pair[0];
    if (recv(z->socket, bytes, sizeof(bytes), 0) <= 0) /* ready */
        host_die("zygote", -EPIPE);
}

static void zygote_send(struct spawner *z, const Pb__ToZygote *m, int fd)
{
    uint8_t bytes[256];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } a = { 0 };
    struct iovec iov = { bytes, protobuf_c_message_pack(&m->base, bytes) };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        struct cmsghdr *c;

        h.msg_control = &a;
        h.msg_controllen = sizeof(a);
        c = CMSG_FIRSTHDR(&h);
        *c = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    if (sendmsg(z->socket, &h, 0) < 0)
        host_die("sendmsg", -errno);
}

/* Receives reports until one of this kind came; closes descriptors that come along. */
static void zygote_expect(struct spawner *z, Pb__FromZygote__BodyCase kind)
{
    for (;;) {
        uint8_t bytes[4096];
        char a[CMSG_SPACE(sizeof(int))];
        struct iovec iov = { bytes, sizeof(bytes) };
        struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = a, .msg_controllen = sizeof(a) };
        ssize_t n = recvmsg(z->socket, &h, 0);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        Pb__FromZygote *m = n > 0 ? pb__from_zygote__unpack(NULL, (size_t)n, bytes) : NULL;
        int found;

        if (m == NULL)
            host_die("zygote report", -EPIPE);
        if (c != NULL) {
            int fd;
            memcpy(&fd, CMSG_DATA(c), sizeof(fd));
            close(fd);
        }
        found = m->body_case == kind;
        pb__from_zygote__free_unpacked(m, NULL);
        if (found)
            return;
    }
}

/* Fork, seal, hello; then the link closes and the worker exits. */
static double sealed_worker(struct spawner *z, uint64_t id, uint8_t **buf, size_t *cap)
{
    uint8_t token[16] = { 0 };
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Spawn s = PB__SPAWN__INIT;
    Pb__Reap r = PB__REAP__INIT;
    double start = host_now_us(), took;
    int pair[2], rc;
    size_t len;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        host_die("socketpair", -errno);
    s.worker = id;
    s.token = (ProtobufCBinaryData){ sizeof(token), token };
    s.uid = geteuid() == 0 ? 1879000000 : 0;
    m.body_case = PB__TO_ZYGOTE__BODY_SPAWN;
    m.spawn = &s;
    zygote_send(z, &m, pair[1]);
    close(pair[1]);
    if ((rc = sp_handshake(pair[0])) != 0 || (rc = sp_recv(pair[0], buf, cap, 65536, &len)) != 0)
        host_die("worker's hello", rc);
    close(pair[0]);
    zygote_expect(z, PB__FROM_ZYGOTE__BODY_EXITED);
    took = host_now_us() - start;
    r.worker = id;
    m.body_case = PB__TO_ZYGOTE__BODY_REAP;
    m.reap = &r;
    zygote_send(z, &m, -1);
    return took;
}

static double median_sealed_worker(void)
{
    struct spawner z;
    double v[BARE_RUNS];
    uint8_t *buf = NULL;
    size_t cap = 0;

    zygote_launch(&z);
    for (uint64_t i = 0; i < BARE_RUNS; i++)
        v[i] = sealed_worker(&z, i + 1, &buf, &cap);
    free(buf);
    close(z.socket);
    waitpid(z.pid, NULL, 0);
    return host_percentile(v, BARE_RUNS, 0.5);
}

static double noop(struct coop_client *c)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;

    spec.engine = "lua";
    spec.source_name = "noop.lua";
    spec.source = (ProtobufCBinaryData){ 8, (uint8_t *)"return 0" };
    return host_job(c, &spec);
}

static void latency(double *ret_p50, double *ret_p99)
{
    static double v[JOB_RUNS];
    struct coop_client *c = host_client_new();

    for (int i = 0; i < JOB_WARM; i++)
        noop(c);
    for (int i = 0; i < JOB_RUNS; i++)
        v[i] = noop(c);
    coop_client_close(c);
    *ret_p50 = host_percentile(v, JOB_RUNS, 0.5);
    *ret_p99 = host_percentile(v, JOB_RUNS, 0.99);
}

static void *client_thread(void *arg)
{
    struct coop_client *c = arg;

    for (int i = 0; i < JOBS_EACH; i++)
        noop(c);
    return NULL;
}

static double jobs_per_second(void)
{
    pthread_t threads[CLIENTS];
    struct coop_client *clients[CLIENTS];
    double start;

    for (int i = 0; i < CLIENTS; i++)
        clients[i] = host_client_new();
    start = host_now_us();
    for (int i = 0; i < CLIENTS; i++)
        if (pthread_create(&threads[i], NULL, client_thread, clients[i]) != 0)
            host_die("thread", -EAGAIN);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    start = host_now_us() - start;
    for (int i = 0; i < CLIENTS; i++)
        coop_client_close(clients[i]);
    return CLIENTS * JOBS_EACH / (start / 1e6);
}

/* ---- memory ---- */

static long read_kib(int pid, const char *field)
{
    char path[64], line[256];
    long kib = 0, value;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, field, strlen(field)) == 0 && sscanf(line + strlen(field), "%ld", &value) == 1)
            kib += value;
    if (f != NULL)
        fclose(f);
    return kib;
}

/* First child of pid, 0 when it has none. */
static int child_of(int pid)
{
    char path[64];
    int child = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    f = fopen(path, "re");
    if (f != NULL && fscanf(f, "%d", &child) != 1)
        child = 0;
    if (f != NULL)
        fclose(f);
    return child;
}

static long idle_worker_kib(void)
{
    int worker = child_of(child_of(host_broker_pid)); /* coopd, its zygote, its first idle worker */

    return worker == 0 ? -1 : read_kib(worker, "Private_Clean:") + read_kib(worker, "Private_Dirty:");
}

int main(void)
{
    struct sock_filter allow = { 0x06, 0, 0, 0x7fff0000 }; /* RET ALLOW */
    double fork_us, exec_us, sealed_us, p50, p99, rate;

    host_init();
    allow_all = (struct sock_fprog){ 1, &allow };

    printf("coop bench: medians, %ld cores\n\nbare limits of this run\n", sysconf(_SC_NPROCESSORS_ONLN));
    fork_us = median_of(bare_fork);
    exec_us = median_of(bare_exec);
    host_print_row("fork + seccomp + exit", fork_us, "us", "");
    host_print_row("posix_spawn of /bin/true", exec_us, "us", "");

    printf("\ncoop\n");
    sealed_us = median_sealed_worker();
    host_print_row("sealed Lua worker, fork to exit", sealed_us, "us", "");
    host_print_row("  against fork + seccomp + exit", sealed_us / fork_us, "x", "design: 2");
    host_print_row("  against exec of /bin/true", sealed_us / exec_us, "x", "design: below 1");
    if (!host_broker_start(NULL))
        host_die("coopd did not become ready", -EPIPE);
    latency(&p50, &p99);
    host_print_row("submit -> receipt, one client, warm pool, p50", p50, "us", "ask: 1000");
    host_print_row("submit -> receipt, one client, warm pool, p99", p99, "us", "ask: 5000");
    rate = jobs_per_second();
    host_print_row("jobs/s, 32 clients, fresh sealed process and durable each", rate, "", "ask: 800");
    host_print_row("private memory of an idle sealed Lua worker", (double)idle_worker_kib(), "KiB", "ask: 400");
    host_broker_stop();
    printf("\nbare limits again\n");
    host_print_row("fork + seccomp + exit", median_of(bare_fork), "us", "");
    host_print_row("posix_spawn of /bin/true", median_of(bare_exec), "us", "");
    return 0;
}
