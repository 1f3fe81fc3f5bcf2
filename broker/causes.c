/* causes.c - see causes.h. */
#include "broker/causes.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "units.h"

static bool policy(const struct causes_facts *f)
{
    return f->ended && f->signal == SIGSYS;
}

static bool oom(const struct causes_facts *f)
{
    return f->oom;
}

static void say_oom(const struct causes_facts *f, char detail[CAUSES_DETAIL])
{
    char limit[UNITS_BUF], held[UNITS_BUF], files[UNITS_BUF];

    units_format_size(f->limits->memory_bytes, limit);
    if (f->memory_bytes > 0)
        snprintf(detail, CAUSES_DETAIL, "its processes held %s together, its memory limit is %s", units_format_size(f->memory_bytes, held),
                 limit);
    else if (f->memory_files > 0)
        snprintf(detail, CAUSES_DETAIL, "it needed more than its memory limit of %s, %s of it for files of its work directory", limit,
                 units_format_size(f->memory_files, files));
    else
        snprintf(detail, CAUSES_DETAIL, "it needed more than its memory limit of %s", limit);
}

/* A job that ended by itself a moment before it was noticed has ended by itself; the kernel's own signal is another matter. */
static bool cpu(const struct causes_facts *f)
{
    return f->cpu_us >= f->limits->cpu_us && (!f->ended || f->signal == SIGXCPU);
}

static void say_cpu(const struct causes_facts *f, char detail[CAUSES_DETAIL])
{
    char limit[UNITS_BUF], below[UNITS_BUF], with[96] = "";

    if (f->cpu_below_us > 0)
        snprintf(with, sizeof(with), ", %s of it by interpreters that it made", units_format_duration(f->cpu_below_us, below));
    snprintf(detail, CAUSES_DETAIL, "it used its cpu limit of %s%s%s%s", units_format_duration(f->limits->cpu_us, limit),
             f->lives ? " for a call" : "", with, f->signal == SIGXCPU ? " (RLIMIT_CPU)" : "");
}

static bool idle(const struct causes_facts *f)
{
    return !f->ended && f->idle_us >= f->limits->idle_us;
}

static void say_idle(const struct causes_facts *f, char detail[CAUSES_DETAIL])
{
    char limit[UNITS_BUF];

    snprintf(detail, CAUSES_DETAIL,
             f->lives ? "no call came for its idle limit of %s" : "it neither computed, nor read, nor wrote for its idle limit of %s",
             units_format_duration(f->limits->idle_us, limit));
}

static bool wall(const struct causes_facts *f)
{
    return !f->ended && f->wall_us >= f->limits->wall_us;
}

static void say_wall(const struct causes_facts *f, char detail[CAUSES_DETAIL])
{
    char limit[UNITS_BUF];

    snprintf(detail, CAUSES_DETAIL, f->lives ? "a call of it ran for its wall limit of %s" : "it ran for its wall limit of %s",
             units_format_duration(f->limits->wall_us, limit));
}

static bool pids_seen(const struct causes_facts *f)
{
    return !f->ended && f->pids_seen > f->limits->pids;
}

static void say_pids_seen(const struct causes_facts *f, char detail[CAUSES_DETAIL])
{
    snprintf(detail, CAUSES_DETAIL, "it had %llu processes and threads, its pids limit is %llu", (unsigned long long)f->pids_seen,
             (unsigned long long)f->limits->pids);
}

/* "it ended with exit code 3" or "it died by signal 6 (Aborted)" */
static void how_it_ended(const struct causes_facts *f, char text[96])
{
    if (f->signal != 0)
        snprintf(text, 96, "it died by signal %d (%.40s)", f->signal, strsignal(f->signal));
    else
        snprintf(text, 96, "it ended with exit code %d", f->exit_code);
}

static bool file_size(const struct causes_facts *f)
{
    return f->ended && f->signal == SIGXFSZ;
}

static void say_file_size(const struct causes_facts *f, char detail[CAUSES_DETAIL])
{
    char limit[UNITS_BUF];

    snprintf(detail, CAUSES_DETAIL, "it wrote a file past its file_size limit of %s (SIGXFSZ)",
             units_format_size(f->limits->file_bytes, limit));
}

static bool pids(const struct causes_facts *f)
{
    return f->ended && f->failed && f->pids_refused > 0;
}

static void say_pids(const struct causes_facts *f, char detail[CAUSES_DETAIL])
{
    char end[96];

    how_it_ended(f, end);
    snprintf(detail, CAUSES_DETAIL, "%s, after its pids limit of %llu had refused it a process or thread %llu time%s", end,
             (unsigned long long)f->limits->pids, (unsigned long long)f->pids_refused, f->pids_refused == 1 ? "" : "s");
}

static bool disk(const struct causes_facts *f)
{
    return f->ended && f->failed && f->disk_full;
}

static void say_disk(const struct causes_facts *f, char detail[CAUSES_DETAIL])
{
    char end[96], limit[UNITS_BUF];

    how_it_ended(f, end);
    if (f->inodes_full)
        snprintf(detail, CAUSES_DETAIL, "%s, and its inodes limit of %llu was used up", end, (unsigned long long)f->limits->inodes);
    else
        snprintf(detail, CAUSES_DETAIL, "%s, and its disk limit of %s was used up", end, units_format_size(f->limits->disk_bytes, limit));
}

/* clang-format off */
const struct causes_row causes_table[] = {
    { PB__CAUSE__CAUSE_POLICY,     "policy",     policy,    NULL,          "an attack that also met a limit is an attack" },
    { PB__CAUSE__CAUSE_OOM,        "oom",        oom,       say_oom,       "the kernel's own act; what the rest of the job did without the victim says nothing" },
    { PB__CAUSE__CAUSE_PIDS_LIMIT, "pids_seen",  pids_seen, say_pids_seen, "what the many computed meanwhile follows from there being so many" },
    { PB__CAUSE__CAUSE_CPU_LIMIT,  "cpu",        cpu,       say_cpu,       "it says what the time on the clock went into" },
    { PB__CAUSE__CAUSE_IDLE_LIMIT, "idle",       idle,      say_idle,      "the same, for a job that did nothing" },
    { PB__CAUSE__CAUSE_WALL_LIMIT, "wall",       wall,      say_wall,      "true of every job that runs for long: the last thing to say of a running one" },
    { PB__CAUSE__CAUSE_DISK_LIMIT, "file_size",  file_size, say_file_size, "the signal that ended it names its reason" },
    { PB__CAUSE__CAUSE_PIDS_LIMIT, "pids",       pids,      say_pids,      "the kernel counted what it refused, and the job failed" },
    { PB__CAUSE__CAUSE_DISK_LIMIT, "disk",       disk,      say_disk,      "seen at the end only: full, and the job failed" },
};
/* clang-format on */
const size_t causes_count = sizeof(causes_table) / sizeof(causes_table[0]);

const struct causes_row *causes_find(const struct causes_facts *f)
{
    for (size_t i = 0; i < causes_count; i++)
        if (causes_table[i].struck(f))
            return &causes_table[i];
    return NULL;
}
