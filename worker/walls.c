/* walls.c - see walls.h. */
#include "worker/walls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Above what the script may hold: the interpreter's own blocks, frames on their way, and what malloc maps but does not use (its
 * arenas come 64 MiB at a time only for threads, and where there is no room a thread shares another's). A further thread has a stack.
 */
enum { AS_SLACK = 16 << 20, THREAD_SLACK = 9 << 20, CPU_SLACK_S = 2 };

/*
 * What may be written is RLIMIT_DATA's business. Addresses alone are many more: those of the stacks of tasklets, most of which are closed
 * (PROT_NONE) and would count when they are opened. As many as have room in the kernel's 65,530 mappings, two each.
 */
#define STACK_ADDRESSES (4ULL << 30)

static uint64_t mapped_bytes, data_bytes;

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

int walls_set(const Pb__Limits *l)
{
    rlim_t seconds = l->cpu_us / 1000000 + CPU_SLACK_S;
    struct rlimit cpu = { seconds, seconds + 1 };

    if (setrlimit(RLIMIT_CPU, &cpu) != 0)
        return -errno;
#if !defined(COOP_ASAN) && !defined(COOP_TSAN) /* the sanitizers' shadow alone is larger than any limit */
    rlim_t above = l->memory_bytes + AS_SLACK + (l->threads > 1 ? (l->threads - 1) * THREAD_SLACK : 0);
    struct rlimit data = { data_bytes + above, data_bytes + above };
    struct rlimit as = { mapped_bytes + above + STACK_ADDRESSES, mapped_bytes + above + STACK_ADDRESSES };

    if (setrlimit(RLIMIT_DATA, &data) != 0 || setrlimit(RLIMIT_AS, &as) != 0)
        return -errno;
#endif
    return 0;
}
