/* held_words.c - see held_words.h. */
#include "held_words.h"

/* clang-format off */
const struct held_words held_by_group[HELD_GROUPS] = {
    [HELD_NO_GROUP]  = { "broker timer on sampled process clocks, RLIMIT_CPU", "RLIMIT_DATA, sampled PSS", "none", "RLIMIT_NPROC" },
    [HELD_CGROUP_V1] = { "broker timer on cgroup v1 cpuacct.usage, RLIMIT_CPU", "cgroup v1 memory.limit_in_bytes", "cgroup v1 memory.memsw.limit_in_bytes", "cgroup v1 pids.max" },
    [HELD_CGROUP_V2] = { "broker timer on cgroup v2 cpu.stat, RLIMIT_CPU", "cgroup v2 memory.max", "cgroup v2 memory.swap.max=0", "cgroup v2 pids.max" },
};
/* clang-format on */
