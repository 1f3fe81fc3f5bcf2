/* program_limits.c - see program_limits.h. */
#include "worker/engines/exec/program_limits.h"

#include <errno.h>
#include <sys/resource.h>

enum { CPU_SLACK_S = 2, INIT_ITSELF = 1 };

struct limit_row {
    int resource;
    rlim_t soft, hard;
};

/* What is tighter already stays: raising it is not ours. */
static int limit(const struct limit_row *row)
{
    struct rlimit had, want = { row->soft, row->hard };

    if (getrlimit(row->resource, &had) != 0)
        return -errno;
    if (had.rlim_max < want.rlim_max)
        want.rlim_max = had.rlim_max;
    if (want.rlim_max < want.rlim_cur)
        want.rlim_cur = want.rlim_max;
    return setrlimit(row->resource, &want) == 0 ? 0 : -errno;
}

static rlim_t or_none(bool has, uint64_t most)
{
    return has && most != 0 ? most : RLIM_INFINITY;
}

int program_limits_set(const Pb__Assign *a, bool own_pids)
{
    const Pb__Limits *l = a->spec->limits;
    rlim_t cpu = l->cpu_us / 1000000 + CPU_SLACK_S, file = or_none(true, l->file_bytes);
    rlim_t data = or_none(a->rlimit_memory, l->memory_bytes), pids = or_none(own_pids && a->rlimit_pids, l->pids + INIT_ITSELF);
    const struct limit_row rows[] = {
        {RLIMIT_CPU,    cpu,  cpu + 1}, /* a signal that says so, before the one that ends it */
        { RLIMIT_FSIZE, file, file   },
        { RLIMIT_DATA,  data, data   },
        { RLIMIT_NPROC, pids, pids   },
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && rc == 0; i++)
        rc = limit(&rows[i]);
    return rc;
}

uint64_t program_limits_files_allowed(void)
{
    struct rlimit had;

    return getrlimit(RLIMIT_NOFILE, &had) == 0 ? had.rlim_max : 0;
}

int program_limits_files(pid_t pid, const Pb__Limits *l)
{
    struct rlimit files = { l->files, l->files };

    if (l->files == 0)
        return 0;
    return prlimit(pid, RLIMIT_NOFILE, &files, NULL) == 0 ? 0 : -errno;
}
