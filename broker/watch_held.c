/* watch_held.c - who holds which limit of a job; see watch.h. */
#include <string.h>

#include "broker/watch_own.h"
#include "held_words.h"
#include "tiers.h"

bool watch_of_programs(const struct job *job)
{
    return job->crew->engine->runs_programs;
}

bool watch_leaf_has(const struct worker *w, enum cgroup_part part)
{
    return w->leaf != NULL && w->leaf->groups->has[part];
}

/* clang-format off */
static const enum held_group group_of_kind[CGROUP_KINDS] = {
    [CGROUP_NONE] = HELD_NO_GROUP, [CGROUP_V1] = HELD_CGROUP_V1, [CGROUP_V2] = HELD_CGROUP_V2,
};
/* clang-format on */

/* RLIMIT_NPROC counts for one job only in a user namespace of its own. */
bool watch_has_spaces(const struct job *job)
{
    return tier_has_namespaces(job->tier);
}

bool watch_counts_pids(const struct job *job, const struct worker *w)
{
    return !watch_leaf_has(w, CGROUP_PIDS) && !watch_has_spaces(job);
}

/* By part: a machine may have some of v1's hierarchies and not the others. */
void watch_name_holders(struct job *job, const struct worker *w)
{
    struct watch_words *words = &job->watch.words;
    const struct held_words *none = &held_by_group[HELD_NO_GROUP], *group;
    bool sees_tmpfs = watch_has_spaces(job);

    words->idle = "broker timer";
    if (!watch_of_programs(job)) {
        words->cpu = job->interp != NULL ? "broker timer on the process clock" : "broker timer on the process clock, RLIMIT_CPU";
        words->memory = NULL; /* the engine's own walls: receipt.c */
        words->swap = "none";
        words->pids = job->crew->template != NULL ? "seccomp filter, the broker's leave" : "RLIMIT_NPROC 0, seccomp filter";
        words->disk = "no file system";
        return;
    }
    group = w->leaf != NULL ? &held_by_group[group_of_kind[w->leaf->groups->kind]] : none;
    words->cpu = watch_leaf_has(w, CGROUP_CPU) ? group->cpu : none->cpu;
    words->memory = watch_leaf_has(w, CGROUP_MEMORY) ? group->memory : none->memory;
    words->swap = watch_leaf_has(w, CGROUP_MEMORY) && w->leaf->holds_swap ? group->swap : none->swap;
    words->pids = watch_leaf_has(w, CGROUP_PIDS) ? group->pids : sees_tmpfs ? none->pids : HELD_PIDS_COUNTED;
    words->disk = sees_tmpfs ? HELD_DISK_SPACES : HELD_DISK_NONE;
}

const char *watch_cannot(const struct job *job, uint32_t asked)
{
    const struct watch_words *words = &job->watch.words;
    bool counted = words->pids != NULL && strcmp(words->pids, HELD_PIDS_COUNTED) == 0;
    const struct {
        const char *limit, *held, *by;
    } needs[] = {
        {"disk",    words->disk,                  "tmpfs"}, /* RLIMIT_FSIZE bounds one file, and there may be many */
        { "inodes", words->disk,                  "tmpfs"},
        { "pids",   counted ? NULL : words->pids, NULL   }, /* between two looks there may be more */
    };

    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]) && watch_of_programs(job); i++) {
        bool held = needs[i].held != NULL && strcmp(needs[i].held, "none") != 0 &&
                    (needs[i].by == NULL || strstr(needs[i].held, needs[i].by) != NULL);

        if (!held && (asked & 1u << (limits_find(needs[i].limit) - limits_table)) != 0)
            return needs[i].limit;
    }
    return NULL;
}
