/*
 * wide.c - a native job for tests: a tasklet on each of its threads says where it is, and main adds up what they computed. With an argument
 * the last of them does what that says instead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <coop/native.h>

enum { UPTO = 100000 };

static coop_chan *sums;
static const char *what;

static int overflow(volatile char *above)
{
    volatile char here[256];

    here[0] = *above;
    return overflow(here) + here[0];
}

/* What the last thread does: 0, or it does not return. */
static int misbehave(void)
{
    static volatile char begin;

    if (strcmp(what, "socket") == 0)
        return syscall(SYS_socket, 2, 1, 0) < 0 ? -errno : 0;
    if (strcmp(what, "crash") == 0)
        return *(volatile int *)(uintptr_t)16;
    if (strcmp(what, "overflow") == 0)
        return overflow(&begin);
    if (strcmp(what, "abort") == 0)
        abort();
    if (strcmp(what, "exit") == 0)
        exit(5);
    return 0;
}

static int add(void *arg)
{
    long k = (long)(intptr_t)arg, n = (long)coop_threads(), sum = 0;

    printf("thread %u\n", coop_thread());
    if (k == n && what != NULL)
        return misbehave();
    for (long i = k; i <= UPTO; i += n)
        sum += i;
    return coop_chan_send(sums, sum, COOP_NEVER);
}

int coop_job(int argc, char **argv)
{
    unsigned n = coop_threads();
    intptr_t sum, all = 0;

    what = argc > 1 ? argv[1] : NULL;
    printf("%u threads\n", n);
    if (coop_chan_new(0, &sums) != 0)
        return 2;
    for (unsigned k = 1; k <= n; k++) {
        const struct coop_attr there = { .name = "adds", .thread = k };

        if (coop_spawn(NULL, add, (void *)(intptr_t)k, &there) != 0)
            return 3;
    }
    for (unsigned k = 1; k <= n; k++) {
        int rc = coop_chan_recv(sums, &sum, COOP_NEVER);

        if (rc != 0)
            return -rc;
        all += sum;
    }
    printf("sum %ld\n", (long)all);
    return 0;
}
