/* program_limits.c - see program_limits.h. */
#include "worker/engines/exec/program_limits.h"

#include <errno.h>
#include <sys/resource.h>

#define MIB 1048576ull

/*
 * CORE: 0 would still start the machine's handler where core_pattern is a pipe, 1 byte does not, and is too small for a file.
 * STACK: every thread of libc's gets that much address space. SIGPENDING: queued signals and timers.
 */
enum { CPU_SLACK_S = 2, CORE_NONE = 1, STACK_MIB = 8, SIGNALS_QUEUED = 256, INIT_ITSELF = 1 };

/* What is tighter already stays: raising it is not ours. */
static int limit(int resource, rlim_t most)
{
    struct rlimit had, want = { most, most };

    if (getrlimit(resource, &had) != 0)
        return -errno;
    if (had.rlim_max < most)
        want.rlim_cur = want.rlim_max = had.rlim_max;
    return setrlimit(resource, &want) == 0 ? 0 : -errno;
}

struct limit_row {
    int resource;
    rlim_t most;
};

int program_limits_set(const Pb__Assign *a, bool own_pids)
{
    const Pb__Limits *l = a->spec->limits;
    const struct limit_row rows[] = {
        {RLIMIT_CPU,         l->cpu_us / 1000000 + CPU_SLACK_S                                 },
        { RLIMIT_CORE,       CORE_NONE                                                         },
        { RLIMIT_FSIZE,      l->file_bytes != 0 ? l->file_bytes : RLIM_INFINITY                },
        { RLIMIT_STACK,      STACK_MIB * MIB                                                   },
        { RLIMIT_MEMLOCK,    0                                                                 },
        { RLIMIT_MSGQUEUE,   0                                                                 },
        { RLIMIT_NICE,       0                                                                 },
        { RLIMIT_RTPRIO,     0                                                                 },
        { RLIMIT_SIGPENDING, SIGNALS_QUEUED                                                    },
        { RLIMIT_DATA,       a->rlimit_memory ? l->memory_bytes : RLIM_INFINITY                },
        { RLIMIT_NPROC,      own_pids && a->rlimit_pids ? l->pids + INIT_ITSELF : RLIM_INFINITY},
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && rc == 0; i++)
        rc = limit(rows[i].resource, rows[i].most);
    return rc;
}

int program_limits_files(pid_t pid, const Pb__Limits *l)
{
    struct rlimit files = { l->files, l->files };

    if (l->files == 0)
        return 0;
    return prlimit(pid, RLIMIT_NOFILE, &files, NULL) == 0 ? 0 : -errno;
}
