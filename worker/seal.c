/* seal.c - see seal.h. Read seal_steps[] first: it is the order in which power is given up. */
#include "worker/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/engines/native/engine.h"
#include "worker/landlock.h"
#include "worker/link.h"
#include "worker/signals.h"
#include "worker/template.h"

#ifndef PR_SET_MDWE /* Linux 6.3 */
#define PR_SET_MDWE              65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

enum { PROGRAM_STACK = 8 << 20 };
enum { ABSENT = 1 }; /* a step's answer: this kernel (or this user) has nothing to give up here */

int (*seal_fault)(const char *step);

static int errno_of(long result)
{
    return result == 0 ? 0 : -errno;
}

static int step_signals(struct seal *s)
{
    int rc = signals_install();

    return rc == 0 && s->engine != NULL && s->engine->cancel_ends_waits ? signals_cancel_ends_waits() : rc;
}

/* Also again after the change of uid, which clears it. When the zygote died first there will be no signal: look. */
static int step_parent(struct seal *s)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return -errno;
    return getppid() == s->zygote ? 0 : -ESRCH;
}

static int step_session(struct seal *s)
{
    (void)s;
    return setsid() >= 0 ? 0 : -errno;
}

static int step_directory(struct seal *s)
{
    umask(s->engine->programs ? 022 : 077);
    return errno_of(chdir("/"));
}

/* clang-format off */
static const struct wall {
    int resource;
    rlim_t most;
} rlimits[] = {
    /* CPU, DATA and AS are the job's: walls.c sets them when it is assigned */
    { RLIMIT_CORE, 0 },        { RLIMIT_STACK, 8 << 20 }, { RLIMIT_MEMLOCK, 0 },     { RLIMIT_LOCKS, 0 },
    { RLIMIT_MSGQUEUE, 0 },    { RLIMIT_SIGPENDING, 16 }, { RLIMIT_NICE, 0 },    { RLIMIT_RTPRIO, 0 },
}, program_rlimits[] = {
    /* NOFILE, NPROC, FSIZE and the like are the job's. A core of one byte: the only size that also keeps a core_pattern's program away */
    { RLIMIT_CORE, 1 },        { RLIMIT_STACK, 64 << 20 }, { RLIMIT_MEMLOCK, 0 },
    { RLIMIT_MSGQUEUE, 0 },    { RLIMIT_SIGPENDING, 256 }, { RLIMIT_NICE, 0 },   { RLIMIT_RTPRIO, 0 },
};
/* clang-format on */

static int limit(int resource, rlim_t most)
{
    struct rlimit had, want = { most, most };

    if (getrlimit(resource, &had) != 0)
        return -errno;
    if (had.rlim_max < want.rlim_max) /* already tighter; raising it is not ours */
        want.rlim_cur = want.rlim_max = had.rlim_max;
    if (had.rlim_cur == want.rlim_cur && had.rlim_max == want.rlim_max)
        return 0;
    return errno_of(setrlimit(resource, &want));
}

int seal_limits(void)
{
    int rc = 0;

    for (size_t i = 0; i < sizeof(rlimits) / sizeof(rlimits[0]) && rc == 0; i++)
        rc = limit(rlimits[i].resource, rlimits[i].most);
    return rc;
}

/* Files: none of its own, but what its engine keeps in memory before the seal, and buffers that the broker sends, a few at a time. Threads sleep on
 * descriptors of known numbers. */
static int step_rlimits(struct seal *s)
{
    int rc = limit(RLIMIT_FSIZE, s->engine->file_bytes);

    if (rc == 0)
        rc = limit(RLIMIT_NOFILE, s->threads > 1 ? NATIVE_EVENTS + NATIVE_THREADS : RECEIVED_END);
    return rc == 0 ? seal_limits() : rc;
}

static int step_program_rlimits(struct seal *s)
{
    struct rlimit stack;
    int rc = 0;

    (void)s;
    for (size_t i = 0; i < sizeof(program_rlimits) / sizeof(program_rlimits[0]) && rc == 0; i++)
        rc = limit(program_rlimits[i].resource, program_rlimits[i].most);
    if (rc != 0 || getrlimit(RLIMIT_STACK, &stack) != 0)
        return rc != 0 ? rc : -errno;
    if (stack.rlim_cur > PROGRAM_STACK) /* to begin with: what each thread gets too */
        stack.rlim_cur = PROGRAM_STACK;
    return errno_of(setrlimit(RLIMIT_STACK, &stack));
}

/* A job's work directory, where the broker makes it, comes right behind the link. Returns the first descriptor that is nobody's. */
static int keep_work_fd(const struct seal *s)
{
    int fd = s->space != NULL ? s->space->work_fd : -1;

    if (fd < 0)
        return LINK_FD + 1;
    if (fd != LINK_FD + 1 && dup2(fd, LINK_FD + 1) < 0)
        return -errno;
    space_now.work_fd = LINK_FD + 1;
    return LINK_FD + 2;
}

static int step_descriptors(struct seal *s)
{
    int first;

    for (int fd = 0; fd <= 2; fd++) {
#if defined(COOP_ASAN) || defined(COOP_TSAN) || defined(COOP_UBSAN)
        if (fd == 2)
            continue; /* where the sanitizer reports */
#endif
        if (dup2(s->null_fd, fd) < 0)
            return -errno;
    }
    if (s->link_fd != LINK_FD && dup2(s->link_fd, LINK_FD) < 0)
        return -errno;
    s->link_fd = LINK_FD;
    link_use(LINK_FD);
    first = keep_work_fd(s);
    return first < 0 ? first : errno_of(syscall(SYS_close_range, first, ~0U, 0));
}

/*
 * So that not even a set-uid program could give them back. Without CAP_SETPCAP there is nothing in reach to be given back. Each worker looks at every
 * one, as a new user namespace begins with all of them again; one that its zygote has dropped ahead costs a look and no set of credentials. EINVAL:
 * the kernel has no more.
 */
int seal_bounding_set(void)
{
    for (int cap = 0;; cap++) {
        int has = prctl(PR_CAPBSET_READ, cap);

        if (has < 0)
            return errno == EINVAL ? 0 : -errno;
        if (has == 0 || prctl(PR_CAPBSET_DROP, cap) == 0)
            continue;
        if (errno != EPERM)
            return -errno;
        return geteuid() != 0 ? 0 : -EPERM;
    }
}

static int step_capabilities(struct seal *s)
{
    int rc = seal_bounding_set();

    (void)s;
    if (rc == 0)
        rc = errno_of(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    return rc;
}

static int become(uint32_t uid)
{
    uid_t r, e, saved;
    gid_t gr, ge, gsaved;

    if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)
        return -errno;
    if (getresuid(&r, &e, &saved) != 0 || getresgid(&gr, &ge, &gsaved) != 0)
        return -errno;
    return r == uid && e == uid && saved == uid && gr == uid && ge == uid && gsaved == uid ? 0 : -EPERM;
}

static int step_uid(struct seal *s)
{
    return s->uid == 0 ? ABSENT : become(s->uid);
}

static int step_cgroups(struct seal *s)
{
    return s->space == NULL ? ABSENT : join_cgroups(s->space);
}

/* In namespaces of its own it becomes coop; outside, and for the broker, that is the uid it was given. */
static int step_program_uid(struct seal *s)
{
    s->uid_now = s->uid != 0 ? s->uid : space_now.uid;
    if (s->space == NULL || s->space->go_fd < 0)
        return step_uid(s);
    return join_user(s->space);
}

static int step_program_parent(struct seal *s)
{
    (void)s;
    return join_parent_death();
}

static int step_cgroup_namespace(struct seal *s)
{
    (void)s;
    return join_cgroup_namespace();
}

static int step_keyring(struct seal *s)
{
    (void)s;
    return join_keyring();
}

/* Without a pid namespace, what its program leaves behind is adopted by it. */
static int step_orphans(struct seal *s)
{
    (void)s;
    if (space_now.entered)
        return ABSENT;
    return errno_of(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
}

/* What is left when the uid stays, and proof that nothing is when it changed. */
static int step_no_capabilities(struct seal *s)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

    s->uid_now = getuid();
    memset(none, 0, sizeof(none));
    return errno_of(syscall(SYS_capset, &head, none));
}

static int step_not_dumpable(struct seal *s)
{
    (void)s;
    return errno_of(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

static int step_no_new_privs(struct seal *s)
{
    (void)s;
    return errno_of(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* EPERM is the kernel's word for "this mitigation was switched off for the whole machine". */
static int end_speculation(unsigned long what)
{
    if (prctl(PR_SET_SPECULATION_CTRL, what, PR_SPEC_FORCE_DISABLE, 0, 0) == 0)
        return 0;
    return errno == ENXIO || errno == ENODEV || errno == EINVAL || errno == ERANGE || errno == EPERM ? ABSENT : -errno;
}

static int step_store_bypass(struct seal *s)
{
    (void)s;
    return end_speculation(PR_SPEC_STORE_BYPASS);
}

static int step_indirect_branch(struct seal *s)
{
    (void)s;
    return end_speculation(PR_SPEC_INDIRECT_BRANCH);
}

static int step_no_exec_gain(struct seal *s)
{
    (void)s;
    if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0)
        return 0;
    return errno == EINVAL ? ABSENT : -errno;
}

static int step_work_space(struct seal *s)
{
    (void)s;
    return space_ready();
}

static int step_landlock(struct seal *s)
{
    int rc = landlock_take_all(&s->landlock_abi);

    return rc == 0 && s->landlock_abi == 0 ? ABSENT : rc;
}

static int step_engine(struct seal *s)
{
    return s->engine->open(s->threads);
}

/*
 * Only now: an engine with several threads has just made them, and there will be no more. A template's forks are asked for one by one; where its
 * uid is its own, the kernel counts them too. Where it is not, it would count everybody's.
 */
static int step_no_processes(struct seal *s)
{
    if (s->leave == NULL)
        return limit(RLIMIT_NPROC, 0);
    return s->uid == 0 ? ABSENT : limit(RLIMIT_NPROC, 1 + s->children);
}

/* Before the filter of its own, under which it could not pass the listener on. */
static int step_leave(struct seal *s)
{
    return s->leave == NULL ? ABSENT : template_pass_listener(s->leave, s->token, s->token_len);
}

static int step_seccomp(struct seal *s)
{
    return bpf_install(s->filter, s->threads > 1 ? SECCOMP_FILTER_FLAG_TSYNC : 0);
}

/* clang-format off */
static const struct seal_step {
    const char *name;
    int (*take)(struct seal *s);
} seal_steps[] = {
    { "cgroups",           step_cgroups },         /* first: all that follows is counted there */
    { "signals",           step_signals },         /* handlers now, rt_sigaction never again */
    { "parent_death",      step_parent },
    { "session",           step_session },
    { "directory",         step_directory },
    { "rlimits",           step_rlimits },
    { "descriptors",       step_descriptors },     /* from here on: three times /dev/null, and the link */
    { "capabilities",      step_capabilities },
    { "uid",               step_uid },
    { "no_capabilities",   step_no_capabilities },
    { "parent_death_2",    step_parent },
    { "not_dumpable",      step_not_dumpable },
    { "no_new_privs",      step_no_new_privs },
    { "no_store_bypass",   step_store_bypass },
    { "no_branch_sharing", step_indirect_branch },
    { "no_exec_gain",      step_no_exec_gain },
    { "landlock",          step_landlock },
    { "engine",            step_engine },          /* not power given up, but the last moment at which it could need some */
    { "no_processes",      step_no_processes },
    { "leave",             step_leave },           /* of a template: the broker is asked before a fork */
    { "seccomp",           step_seccomp },         /* onto every thread there is */
}, program_steps[] = {
    /* No tenant's byte comes before space_close(), which takes the capabilities, and the filters that the engine installs behind it. */
    { "cgroups",           step_cgroups },
    { "signals",           step_signals },
    { "uid",               step_program_uid },
    { "parent_death",      step_program_parent },
    { "session",           step_session },
    { "cgroup_namespace",  step_cgroup_namespace },
    { "keyring",           step_keyring },
    { "orphans",           step_orphans },
    { "directory",         step_directory },
    { "rlimits",           step_program_rlimits },
    { "descriptors",       step_descriptors },     /* from here on: three times /dev/null, the link, and at T2 the work directory */
    { "capabilities",      step_capabilities },    /* of programs to come; its own are needed once more, to mount */
    { "not_dumpable",      step_not_dumpable },
    { "no_new_privs",      step_no_new_privs },
    { "no_store_bypass",   step_store_bypass },
    { "no_branch_sharing", step_indirect_branch },
    { "work_space",        step_work_space },      /* what every job gets, made ahead of it; its size comes with the job */
    { "engine",            step_engine },
};
/* clang-format on */

enum { N_STEPS = sizeof(seal_steps) / sizeof(seal_steps[0]), N_PROGRAM_STEPS = sizeof(program_steps) / sizeof(program_steps[0]) };
_Static_assert((int)N_STEPS < (int)SEAL_STEPS_MAX && (int)N_PROGRAM_STEPS < (int)SEAL_STEPS_MAX, "taken[] holds every step");

static int take_all(struct seal *s, const struct seal_step *steps, unsigned n, const char **ret_step)
{
    for (unsigned i = 0; i < n; i++) {
        const struct seal_step *step = &steps[i];
        int rc = seal_fault != NULL ? seal_fault(step->name) : 0;

        if (rc == 0)
            rc = step->take(s);
        if (rc < 0) {
            *ret_step = step->name;
            return rc;
        }
        if (rc != ABSENT)
            s->taken[s->n_taken++] = (char *)step->name;
    }
    return 0;
}

int seal_take(struct seal *s, const char **ret_step)
{
    bool programs = s->engine != NULL && s->engine->programs;

    s->n_taken = 0;
    s->landlock_abi = programs ? (uint32_t)landlock_abi() : 0; /* it comes with space_close() */
    return programs ? take_all(s, program_steps, N_PROGRAM_STEPS, ret_step) : take_all(s, seal_steps, N_STEPS, ret_step);
}

const char *const *seal_step_names(bool programs)
{
    static const char *names[SEAL_STEPS_MAX + 1];
    unsigned n = programs ? N_PROGRAM_STEPS : N_STEPS;

    for (unsigned i = 0; i < n; i++)
        names[i] = programs ? program_steps[i].name : seal_steps[i].name;
    names[n] = NULL;
    return names;
}
