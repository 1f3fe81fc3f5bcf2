/* walls.c - see walls.h. */
#include "worker/walls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* A further thread has a stack, and no arena of malloc's own: those are of 64 MiB, and where there is no room it shares another's. */
enum { THREAD_SLACK = 1 << 20, CPU_SLACK_S = 2 };

static uint64_t mapped_bytes, data_bytes;
static rlim_t keep_cpu;
static bool by_calls;

void walls_keep_cpu(uint64_t us)
{
    keep_cpu = us / 1000000 + CPU_SLACK_S + 1;
}

void walls_cpu_by_calls(void)
{
    by_calls = true;
}

int walls_measure(void)
{
    char text[128] = "";
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL)
        return -errno;
    if (fgets(text, sizeof(text), f) != NULL && sscanf(text, "%" SCNu64 " %*u %*u %*u %*u %" SCNu64, &mapped_bytes, &data_bytes) == 2) {
        mapped_bytes *= (uint64_t)sysconf(_SC_PAGESIZE);
        data_bytes *= (uint64_t)sysconf(_SC_PAGESIZE);
    }
    fclose(f);
    return mapped_bytes > 0 && data_bytes > 0 ? 0 : -EIO;
}

/*
 * RLIMIT_DATA is what can be written, and RLIMIT_AS what there is in all. For machine code the second is the wall: it may write a page, and
 * then make it one that cannot be written, or grow the process's own stack, and neither counts for the first. An engine whose own code alone
 * makes mappings may have addresses that are closed beside what it holds.
 */
static int set_cpu(const Pb__Limits *l)
{
    rlim_t seconds = l->cpu_us / 1000000 + CPU_SLACK_S;
    struct rlimit cpu = { seconds, seconds + 1 > keep_cpu ? seconds + 1 : keep_cpu };

    if (by_calls && getrlimit(RLIMIT_CPU, &cpu) != 0)
        return -errno;
    if (by_calls)
        cpu.rlim_cur = cpu.rlim_max;
    return setrlimit(RLIMIT_CPU, &cpu) != 0 ? -errno : 0;
}

int walls_set(const Pb__Limits *l, uint64_t slack_bytes, uint64_t closed_bytes)
{
    int rc = set_cpu(l);

    if (rc != 0)
        return rc;
    (void)slack_bytes;
    (void)closed_bytes;
#if !defined(COOP_ASAN) && !defined(COOP_TSAN) /* the sanitizers' shadow alone is larger than any limit */
    rlim_t above = l->memory_bytes + slack_bytes + (l->threads > 1 ? (l->threads - 1) * THREAD_SLACK : 0);
    struct rlimit data = { data_bytes + above, data_bytes + above };
    struct rlimit as = { mapped_bytes + above + closed_bytes, mapped_bytes + above + closed_bytes };

    if (setrlimit(RLIMIT_DATA, &data) != 0 || setrlimit(RLIMIT_AS, &as) != 0)
        return -errno;
#endif
    return 0;
}
