/* engine.c - see engine.h: what an init does, in its order. */
#include "worker/engines/exec/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sha256.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/engines/exec/arguments.h"
#include "worker/engines/exec/collect.h"
#include "worker/engines/exec/launch.h"
#include "worker/engines/exec/learn.h"
#include "worker/engines/exec/loop.h"
#include "worker/engines/exec/notify.h"
#include "worker/engines/exec/program_limits.h"
#include "worker/engines/exec/reap.h"
#include "worker/engines/exec/stage.h"
#include "worker/engines/exec/streams.h"
#include "worker/engines/exec/terminal.h"
#include "worker/landlock.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/serve.h"
#include "worker/space.h"
#include "worker/space_join.h"

enum { LACKING = 127 }; /* the exit code of libc's loader */

/* A policy twice: what would be asked about is told to a listener, or, where there can be none, ends the process. */
struct filter_pair {
    struct bpf_program notify, kill;
};

static struct {
    /* Made by the zygote, of programs that ask for nothing special: [without namespaces][memory is sampled]. */
    struct filter_pair made[2][2];
    struct filter_pair job;  /* the job's */
    struct bpf_program init; /* init's own, by the zygote */
} filters;

static struct outcome refusal; /* filled where the job cannot be run, found before Started */
static struct exec_job job = { .work_fd = -1,
                               .children_fd = -1,
                               .launch_fd = -1,
                               .in = -1,
                               .out = -1,
                               .err = -1,
                               .master = -1,
                               .slave = -1,
                               .listener = -1,
                               .signals = -1,
                               .epoll = -1 };

/* Ends the job as one that cannot be run: exit code 126 or 127, a type, and a sentence. Only the first counts. */
static void job_cannot_run(struct exec_job *j, int exit_code, const char *type, const char *format, ...)
{
    struct outcome *o = j->outcome;
    char text[OUTCOME_MESSAGE];
    va_list ap;

    if (o->kind != PB__RESULT_KIND__RESULT_KIND_NONE)
        return;
    o->kind = PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN;
    o->exit_code = exit_code;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    outcome_text(o->type, sizeof(o->type), type, strlen(type));
    outcome_text(o->message, sizeof(o->message), text, strlen(text));
}

/* ---- in the zygote ------------------------------------------------------------------------------------------------------------- */

/* The same filter, but that what would be asked about ends the process. */
static int make_killing(const struct bpf_program *from, struct bpf_program *ret)
{
    SHA2_CTX sha;

    *ret = *from;
    ret->insns = malloc(from->len * sizeof(*from->insns));
    if (ret->insns == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < from->len; i++) {
        ret->insns[i] = from->insns[i];
        if (from->insns[i].code == (BPF_RET | BPF_K) && from->insns[i].k == SECCOMP_RET_USER_NOTIF)
            ret->insns[i].k = SECCOMP_RET_KILL_PROCESS;
    }
    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)ret->insns, ret->len * sizeof(*ret->insns));
    SHA256Final(ret->hash, &sha);
    return 0;
}

/* Without namespaces a file is in reach as far as Landlock, of its ABI, does not keep it away, and so are sockets and processes. */
static unsigned tier_given(bool shared)
{
    if (!shared)
        return 0;
    return POLICY_SHARED_SOCKETS | POLICY_SHARED_FILES | POLICY_SHARED_PIDS |
           (landlock_abi() < LANDLOCK_SIGNALS ? POLICY_SHARED_SIGNALS : 0) | (landlock_abi() < LANDLOCK_SIZES ? POLICY_SHARED_SIZES : 0);
}

static int make_pair(const struct policy *p, struct filter_pair *ret)
{
    int rc = bpf_compile(p, &ret->notify);

    return rc == 0 ? make_killing(&ret->notify, &ret->kill) : rc;
}

/* Before its tier is known, and whether its jobs will have control groups. */
static int exec_prepare(void)
{
    struct policy p = *policy_find("exec");
    int rc = bpf_compile(policy_find("init"), &filters.init);

    for (int i = 0; i < 4 && rc == 0; i++) {
        bool shared = i / 2, sampled = i % 2;

        p.given = tier_given(shared) | (sampled ? POLICY_SAMPLED_MEMORY : 0);
        rc = make_pair(&p, &filters.made[shared][sampled]);
    }
    return rc;
}

static const struct bpf_program *exec_filter(void)
{
    return &filters.made[0][0].notify;
}

/* ---- in a worker that has no job yet --------------------------------------------------------------------------------------------- */

static int exec_open(unsigned threads)
{
    int rc = reap_prepare(&job); /* what the job's end is brought about by */

    (void)threads;
    if (rc == 0)
        rc = loop_prepare(&job);
    return rc == 0 ? notify_prepare() : rc;
}

/* ---- between Assign and Started ------------------------------------------------------------------------------------------------ */

static bool has_cap(const Pb__JobSpec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_caps; i++)
        if (strcmp(spec->caps[i], name) == 0)
            return true;
    return false;
}

static int step_space(void)
{
    const struct space_work want = { .disk_bytes = job.spec->limits->disk_bytes,
                                     .inodes = job.spec->limits->inodes,
                                     .loopback = has_cap(job.spec, "net=loopback"),
                                     .proc = has_cap(job.spec, "proc"),
                                     .terminal = job.spec->tty != NULL };

    return space_work(&want, &job.work_fd, &job.work_path);
}

/* With /proc of its own the program reads the first process's command line, whose first word is a path of the host's. */
static int step_name(void)
{
    char *path = program_invocation_name, *name = program_invocation_short_name;
    size_t all = strlen(path), len = strlen(name);

    memmove(path, name, len);
    memset(path + len, 0, all - len);
    program_invocation_short_name = path;
    return 0;
}

static int step_terminal(void)
{
    return job.spec->tty != NULL ? terminal_open(&job) : 0;
}

static int step_events(void)
{
    return loop_take_signals();
}

/* A mistake of the job's is no failure of the seal: it is told as its result. */
static int step_stage(void)
{
    char why[STAGE_WHY] = "";

    umask(022); /* the program's */
    if (stage_job(job.work_fd, job.spec, why) != 0)
        job_cannot_run(&job, PROGRAM_NOT_RUNNABLE, "Staging", "%s", why);
    return 0;
}

static int step_outputs(void)
{
    char why[GLOB_WHY] = "";

    if (collect_read(job.spec, why) != 0)
        job_cannot_run(&job, PROGRAM_NOT_RUNNABLE, "BadSpec", "%s", why);
    return 0;
}

static int step_arguments(void)
{
    char why[ARGUMENTS_WHY] = "";
    int rc = arguments_make(&job, why);

    if (rc == -EINVAL)
        job_cannot_run(&job, PROGRAM_NOT_RUNNABLE, "BadSpec", "%s", why);
    return rc == -EINVAL ? 0 : rc;
}

/* What rows may depend on. */
static unsigned given(void)
{
    return (has_cap(job.spec, "net=loopback") ? POLICY_NET_LOOPBACK : 0) | tier_given(!space_now.entered) |
           (job.assign->rlimit_memory ? POLICY_SAMPLED_MEMORY : 0);
}

static int compile(const struct policy *base)
{
    char why[POLICY_WHY] = "";
    struct policy *merged;
    int rc;

    if (job.spec->policy[0] == '\0')
        return make_pair(base, &filters.job);
    rc = policy_merge(base, job.spec->policy, &merged, why);
    if (rc == -EINVAL) {
        job_cannot_run(&job, PROGRAM_NOT_RUNNABLE, "BadSpec", "policy: %s", why);
        return 0;
    }
    if (rc != 0)
        return rc;
    rc = make_pair(merged, &filters.job);
    policy_free(merged);
    return rc;
}

/* Of a job without rows of its own, and with nothing given beyond its tier's, the zygote has made it. */
static int step_policy(void)
{
    struct policy base = *policy_find("exec");

    base.given = job.given = given();
    if (job.spec->policy[0] != '\0' || has_cap(job.spec, "net=loopback"))
        return compile(&base);
    filters.job = filters.made[!space_now.entered][job.assign->rlimit_memory];
    return 0;
}

/* What the broker may have open is what it can give. */
static int step_files(void)
{
    uint64_t allowed = program_limits_files_allowed(), asked = job.spec->limits->files;

    if (asked > allowed)
        job_cannot_run(&job, PROGRAM_NOT_RUNNABLE, "BadSpec",
                       "limit files %" PRIu64 " is above what this broker may give (%" PRIu64 ", the ulimit -n of whoever started it)",
                       asked, allowed);
    return 0;
}

/* clang-format off */
static const struct enter_step {
    const char *name;
    int (*take)(void);
} enter_steps[] = {
    { "space_work",       step_space },     /* the last mounts */
    { "name",             step_name },
    { "terminal",         step_terminal },
    { "space_close",      space_close },    /* no capability from here on */
    { "events",           step_events },
    { "stage",            step_stage },
    { "arguments",        step_arguments },
    { "files",            step_files },
    { "outputs",          step_outputs },
    { "program_policy",   step_policy },
};
/* clang-format on */

/* The child is ready under its filter when this returns, we are under ours, and nothing of the job has run. */
static int launch(Pb__Started *started, const char **ret_step)
{
    const struct launch_filters both = { &filters.job.notify, &filters.job.kill };
    const struct bpf_program *used;
    bool unnamed = false;
    int rc = launch_fork(&job, &both, &unnamed, ret_step);

    if (rc != 0)
        return rc;
    *ret_step = "events";
    rc = loop_watch(&job);
    if (rc != 0)
        return rc;
    used = unnamed ? both.kill : both.notify;
    started->filter_hash.data = (uint8_t *)used->hash;
    started->filter_hash.len = sizeof(used->hash);
    started->filter_len = used->len;
    started->unnamed_violations = unnamed;
    *ret_step = "seccomp";
    return bpf_install(&filters.init, 0);
}

static int exec_enter(const Pb__Assign *assign, Pb__Started *started, const char **ret_step)
{
    int rc;

    job.assign = assign;
    job.spec = assign->spec;
    job.outcome = &refusal;
    for (size_t i = 0; i < sizeof(enter_steps) / sizeof(enter_steps[0]); i++) {
        rc = enter_steps[i].take();
        *ret_step = rc != 0 && enter_steps[i].take == step_space ? space_failed_part() : enter_steps[i].name;
        if (rc != 0)
            return rc;
    }
    if (refusal.kind != PB__RESULT_KIND__RESULT_KIND_NONE)
        return 0;
    rc = launch(started, ret_step);
    if (rc == 0 && started->unnamed_violations && job.spec->learn)
        job_cannot_run(&job, PROGRAM_NOT_RUNNABLE, "NoListener",
                       "a program cannot be watched here: coop itself runs under a supervisor that is told of system calls, "
                       "and there can be but one");
    return rc;
}

/* ---- its end ------------------------------------------------------------------------------------------------------------------- */

static _Noreturn void end_violated(void)
{
    reap_all(&job);
    (void)streams_drain(&job);
    output_flush();
    notify_report();
    link_rest();
}

/* How the first process ended is how the job did; unless it never became the program. */
static void judge(struct exec_job *j)
{
    struct program_fault failed, lacks;
    struct outcome *o = j->outcome;

    if (launch_failed(j, &failed, &lacks)) {
        job_cannot_run(j, failed.exit_code, failed.type, "%s", failed.why);
    } else if (lacks.exit_code != 0 && j->code == CLD_EXITED && j->status == LACKING) {
        job_cannot_run(j, lacks.exit_code, lacks.type, "%s", lacks.why);
    } else if (j->term_sent) {
        o->kind = PB__RESULT_KIND__RESULT_KIND_CANCELLED;
    } else if (j->code == CLD_EXITED) {
        o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
        o->exit_code = j->status;
    } else {
        o->kind = PB__RESULT_KIND__RESULT_KIND_SIGNAL;
        o->signal = j->status;
    }
}

/* Its own file system is as large as its limits; the host's being full (T2) says nothing of the job. */
static void look_at_disk(struct exec_job *j)
{
    struct statvfs s;

    if (!space_now.entered || fstatvfs(j->work_fd, &s) != 0)
        return;
    j->outcome->disk_full = s.f_blocks > 0 && s.f_bfree == 0;
    j->outcome->inodes_full = !j->outcome->disk_full && s.f_files > 0 && s.f_ffree == 0;
    j->outcome->disk_full |= j->outcome->inodes_full;
}

static void exec_run(const Pb__JobSpec *spec, struct outcome *ret_o)
{
    (void)spec;
    *ret_o = refusal;
    job.outcome = ret_o;
    if (serve_cancelled() && ret_o->kind == PB__RESULT_KIND__RESULT_KIND_NONE)
        ret_o->kind = PB__RESULT_KIND__RESULT_KIND_CANCELLED;
    if (ret_o->kind != PB__RESULT_KIND__RESULT_KIND_NONE) {
        reap_all(&job); /* a child that waits to be let go */
        return;
    }
    if (spec->tty != NULL)
        output_gather(0);
    launch_go(&job);
    loop_run(&job);
    if (job.violated)
        end_violated();
    reap_all(&job);
    if (streams_drain(&job) == -EFBIG && ret_o->kind == PB__RESULT_KIND__RESULT_KIND_NONE)
        ret_o->kind = PB__RESULT_KIND__RESULT_KIND_OUTPUT_LIMIT; /* as if it had been seen while the program ran */
    if (ret_o->kind == PB__RESULT_KIND__RESULT_KIND_NONE)
        judge(&job);
    look_at_disk(&job);
    if (ret_o->kind == PB__RESULT_KIND__RESULT_KIND_EXIT || ret_o->kind == PB__RESULT_KIND__RESULT_KIND_SIGNAL)
        collect_send(job.work_fd, ret_o->outputs_note, sizeof(ret_o->outputs_note));
    learn_tell();
}

/* clang-format off */
const struct engine exec_engine = {
    .name = "exec",
    .version = "1",
    .prepare = exec_prepare,
    .filter = exec_filter,
    .open = exec_open,
    .enter = exec_enter,
    .run = exec_run,
    .programs = true,
};
/* clang-format on */
