/* bench_policy.c - what a profile's filter costs: to compile, to install, and at each call that it judges. */
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "worker/bpf.h"
#include "worker/policy.h"

enum { TIMES = 21, CALLS = 20000 };

/* What a child under the filter has measured, in microseconds and nanoseconds. */
struct cost {
    double install_us, plain_ns, judged_ns;
};

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, TIMES, sizeof(*values), by_value);
    return values[TIMES / 2];
}

/* A call whose answer depends on no argument, which the kernel remembers, and one whose answer does. */
static double call_ns(long nr, long argument)
{
    double start = now_us();

    for (int i = 0; i < CALLS; i++)
        syscall(nr, 0, argument, 0);
    return (now_us() - start) * 1e3 / CALLS;
}

static _Noreturn void measure(const struct bpf_program *prog, unsigned flags, struct cost *ret)
{
    double start;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(1);
    start = now_us();
    if (prog != NULL && bpf_install(prog, flags) < 0)
        _exit(1);
    ret->install_us = now_us() - start;
    ret->plain_ns = call_ns(SYS_getpid, 0);
    ret->judged_ns = call_ns(SYS_ioctl, 0x5460); /* FIOQSIZE: what no row of ioctl is about */
    _exit(0);
}

/* shared: mapped so that a child that may not write can tell. */
static int run_child(const struct bpf_program *prog, unsigned flags, struct cost *shared)
{
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0)
        measure(prog, flags, shared);
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int print_row(const char *name, const struct policy *p, struct cost *shared)
{
    double compile[TIMES], install[TIMES], plain[TIMES], judged[TIMES];
    unsigned flags = p != NULL && p->unlisted == POLICY_NOTIFY ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    struct bpf_program prog = { 0 };

    for (int i = 0; i < TIMES; i++) {
        double start = now_us();

        if (p != NULL && bpf_compile(p, &prog) != 0)
            return -1;
        compile[i] = now_us() - start;
        if (run_child(p != NULL ? &prog : NULL, flags, shared) != 0)
            return -1;
        install[i] = shared->install_us;
        plain[i] = shared->plain_ns;
        judged[i] = shared->judged_ns;
        if (i < TIMES - 1 && p != NULL)
            bpf_finish(&prog);
    }
    printf("%-22s %5zu %5u %11.0f %11.0f %11.0f %11.0f\n", name, p != NULL ? p->n_rows : 0, prog.len, median(compile), median(install),
           median(plain), median(judged));
    bpf_finish(&prog);
    return 0;
}

int main(void)
{
    static const char *const pure[] = { "compute", "lua", "native", "init", "exec" };
    struct policy net = *policy_find("exec");
    struct cost *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int rc;

    if (shared == MAP_FAILED)
        return 1;
    printf("%-22s %5s %5s %11s %11s %11s %11s\n", "profile", "rows", "BPF", "compile us", "install us", "getpid ns", "ioctl ns");
    rc = print_row("(none)", NULL, shared);
    for (size_t i = 0; rc == 0 && i < sizeof(pure) / sizeof(pure[0]); i++)
        rc = print_row(pure[i], policy_find(pure[i]), shared);
    net.given = POLICY_NET_LOOPBACK;
    if (rc == 0)
        rc = print_row("exec, net=loopback", &net, shared);
    return rc == 0 ? 0 : 1;
}
