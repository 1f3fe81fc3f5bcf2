/* policy_grant.c - see policy_grant.h. */
#include "policy_grant.h"

#include <asm/prctl.h>
#include <asm/sockios.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NEVER(x)                                                                                                                           \
    __NR_##x, 0,                                                                                                                           \
    {                                                                                                                                      \
        0, 0, 0                                                                                                                            \
    }
#define NEVER_GIVEN(given, x)                                                                                                              \
    __NR_##x, given,                                                                                                                       \
    {                                                                                                                                      \
        0, 0, 0                                                                                                                            \
    }
#define NEVER_GIVEN_IF(given, x, i, v)                                                                                                     \
    __NR_##x, given,                                                                                                                       \
    {                                                                                                                                      \
        i, 0xffffffffu, (uint32_t)(v)                                                                                                      \
    }
#define NEVER_IF(x, i, v)                                                                                                                  \
    __NR_##x, 0,                                                                                                                           \
    {                                                                                                                                      \
        i, 0xffffffffu, (uint32_t)(v)                                                                                                      \
    }
#define NEVER_BIT(x, i, v)                                                                                                                 \
    __NR_##x, 0,                                                                                                                           \
    {                                                                                                                                      \
        i, (uint32_t)(v), (uint32_t)(v)                                                                                                    \
    }
#define NEVER_FUTEX(op)                                                                                                                    \
    __NR_futex, 0,                                                                                                                         \
    {                                                                                                                                      \
        1, 0xffffffffu & ~(uint32_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME), op                                                        \
    }

/* Ways out of the sandbox, ways into other processes, and kernel that is attacked more than it is used. */
/* clang-format off */
static const struct never {
    uint32_t nr;
    unsigned given;
    struct policy_arg arg; /* mask 0: whatever its arguments */
    const char *why;
} never[] = {
    { NEVER(mount),             "mounts are the sandbox's own" },
    { NEVER(umount2),           "mounts are the sandbox's own" },
    { NEVER(pivot_root),        "mounts are the sandbox's own" },
    { NEVER(chroot),            "mounts are the sandbox's own" },
    { NEVER(open_tree),         "mounts are the sandbox's own" },
    { NEVER(move_mount),        "mounts are the sandbox's own" },
    { NEVER(fsopen),            "mounts are the sandbox's own" },
    { NEVER(fsconfig),          "mounts are the sandbox's own" },
    { NEVER(fsmount),           "mounts are the sandbox's own" },
    { NEVER(fspick),            "mounts are the sandbox's own" },
    { NEVER(mount_setattr),     "mounts are the sandbox's own" },
    { NEVER(unshare),           "namespaces are the sandbox's own" },
    { NEVER(setns),             "namespaces are the sandbox's own" },
    { NEVER(clone3),            "its flags are behind a pointer that no filter can read" },
    { NEVER_BIT(clone, 0, CLONE_NEWNS),     "namespaces are the sandbox's own" },
    { NEVER_BIT(clone, 0, CLONE_NEWCGROUP), "namespaces are the sandbox's own" },
    { NEVER_BIT(clone, 0, CLONE_NEWUTS),    "namespaces are the sandbox's own" },
    { NEVER_BIT(clone, 0, CLONE_NEWIPC),    "namespaces are the sandbox's own" },
    { NEVER_BIT(clone, 0, CLONE_NEWUSER),   "namespaces are the sandbox's own" },
    { NEVER_BIT(clone, 0, CLONE_NEWPID),    "namespaces are the sandbox's own" },
    { NEVER_BIT(clone, 0, CLONE_NEWNET),    "namespaces are the sandbox's own" },
    { NEVER(ptrace),            "a job looks into no process; trace it outside" },
    { NEVER(process_vm_readv),  "a job looks into no process" },
    { NEVER(process_vm_writev), "a job looks into no process" },
    { NEVER(process_madvise),   "a job looks into no process" },
    { NEVER(process_mrelease),  "a job looks into no process" },
    { NEVER(pidfd_getfd),       "a job looks into no process" },
    { NEVER(kcmp),              "a job looks into no process" },
    { NEVER(seccomp),           "a filter of its own could take calls away from ours" },
    { NEVER_IF(prctl, 0, PR_SET_SECCOMP), "a filter of its own could take calls away from ours" },
    { NEVER_IF(prctl, 0, PR_SET_DUMPABLE), "its memory is sampled where no cgroup counts it" },
    { NEVER_IF(prctl, 0, PR_SET_PTRACER), "a job looks into no process" },
    { NEVER_IF(prctl, 0, PR_SET_CHILD_SUBREAPER), "orphans are the first process's, which ends them" },
    { NEVER_IF(prctl, 0, PR_SET_MM), "what /proc says of it is what it is" },
    { NEVER_IF(prctl, 0, 67 /* PR_SET_MEMORY_MERGE */), "merged pages tell jobs about each other" },
    { NEVER_IF(prctl, 0, 62 /* PR_SCHED_CORE */), "which processors it shares is the broker's business" },
    { NEVER(bpf),               "programs in the kernel" },
    { NEVER(perf_event_open),   "counts what others do" },
    { NEVER(userfaultfd),       "stops the kernel in the middle of what it does" },
    { NEVER(lookup_dcookie),    "names files outside the view" },
    { NEVER(name_to_handle_at), "names files outside the view" },
    { NEVER(open_by_handle_at), "opens files outside the view" },
    { NEVER(fanotify_init),     "shows what others do with files" },
    { NEVER(fanotify_mark),     "shows what others do with files" },
    { NEVER(inotify_init),      "shows what others do with files" },
    { NEVER(inotify_init1),     "shows what others do with files" },
    { NEVER(inotify_add_watch), "shows what others do with files" },
    { NEVER_IF(fcntl, 1, F_NOTIFY),   "shows what others do with files" },
    { NEVER_IF(fcntl, 1, F_SETLEASE), "shows what others do with files" },
    { NEVER(add_key),           "keys are shared by all jobs of a user" },
    { NEVER(request_key),       "keys are shared by all jobs of a user" },
    { NEVER(keyctl),            "keys are shared by all jobs of a user" },
    { NEVER(io_uring_setup),    "its operations pass by every filter" },
    { NEVER(io_uring_enter),    "its operations pass by every filter" },
    { NEVER(io_uring_register), "its operations pass by every filter" },
    { NEVER(sendfile),          "splices pages of files that all jobs share" },
    { NEVER(splice),            "splices pages of files that all jobs share" },
    { NEVER(tee),               "splices pages of files that all jobs share" },
    { NEVER(vmsplice),          "splices pages of files that all jobs share" },
    { NEVER(copy_file_range),   "splices pages of files that all jobs share" },
    { NEVER(memfd_create),      "memory that no limit counts everywhere" },
    { NEVER(memfd_secret),      "memory that no limit counts everywhere" },
    { NEVER_BIT(mmap, 3, MAP_HUGETLB), "huge pages are the host's, and no limit counts them" },
    { NEVER_IF(madvise, 2, MADV_MERGEABLE), "merged pages tell jobs about each other" },
    { NEVER(shmget),            "memory that is freed late, outside of every limit" },
    { NEVER(shmat),             "memory that is freed late, outside of every limit" },
    { NEVER(shmctl),            "memory that is freed late, outside of every limit" },
    { NEVER(shmdt),              "memory that is freed late, outside of every limit" },
    { NEVER(semget),            "memory that is freed late, outside of every limit" },
    { NEVER(semop),              "memory that is freed late, outside of every limit" },
    { NEVER(semctl),             "memory that is freed late, outside of every limit" },
    { NEVER(semtimedop),         "memory that is freed late, outside of every limit" },
    { NEVER(msgget),            "memory that is freed late, outside of every limit" },
    { NEVER(msgsnd),            "memory that is freed late, outside of every limit" },
    { NEVER(msgrcv),             "memory that is freed late, outside of every limit" },
    { NEVER(msgctl),             "memory that is freed late, outside of every limit" },
    { NEVER(mq_open),           "memory that is freed late, outside of every limit" },
    { NEVER(mq_unlink),          "memory that is freed late, outside of every limit" },
    { NEVER(mq_timedsend),       "memory that is freed late, outside of every limit" },
    { NEVER(mq_timedreceive),    "memory that is freed late, outside of every limit" },
    { NEVER(mq_notify),          "memory that is freed late, outside of every limit" },
    { NEVER(mq_getsetattr),      "memory that is freed late, outside of every limit" },
    { NEVER_FUTEX(FUTEX_LOCK_PI),         "priority inheritance: kernel code that was broken too often" },
    { NEVER_FUTEX(FUTEX_UNLOCK_PI),       "priority inheritance: kernel code that was broken too often" },
    { NEVER_FUTEX(FUTEX_TRYLOCK_PI),      "priority inheritance: kernel code that was broken too often" },
    { NEVER_FUTEX(FUTEX_WAIT_REQUEUE_PI), "priority inheritance: kernel code that was broken too often" },
    { NEVER_FUTEX(FUTEX_CMP_REQUEUE_PI),  "priority inheritance: kernel code that was broken too often" },
    { NEVER_FUTEX(13 /* FUTEX_LOCK_PI2 */), "priority inheritance: kernel code that was broken too often" },
    { NEVER_IF(membarrier, 0, MEMBARRIER_CMD_GLOBAL), "interrupts every processor of the host" },
    { NEVER_IF(membarrier, 0, MEMBARRIER_CMD_GLOBAL_EXPEDITED), "interrupts every processor of the host" },
    { NEVER_IF(ioctl, 1, TIOCSTI),   "types into a terminal" },
    { NEVER_IF(ioctl, 1, TIOCLINUX), "pastes into a console" },
    { NEVER_IF(ioctl, 1, TIOCCONS),  "takes the console's output" },
    { NEVER_IF(ioctl, 1, TIOCSETD),  "loads a line discipline" },
    { NEVER_IF(ioctl, 1, TIOCSCTTY), "a job has the terminal it was given, or none" },
    { NEVER_IF(arch_prctl, 0, ARCH_MAP_VDSO_32), "for the foreign ABI" },
    { NEVER(modify_ldt),        "kernel that is attacked more than it is used" },
    { NEVER(sync),              "makes the whole host wait" },
    { NEVER(syncfs),            "makes the whole host wait" },
    { NEVER(init_module),       "the host's" },
    { NEVER(finit_module),      "the host's" },
    { NEVER(delete_module),     "the host's" },
    { NEVER(create_module),     "the host's" },
    { NEVER(query_module),      "the host's" },
    { NEVER(get_kernel_syms),   "the host's" },
    { NEVER(kexec_load),        "the host's" },
    { NEVER(kexec_file_load),   "the host's" },
    { NEVER(reboot),            "the host's" },
    { NEVER(swapon),            "the host's" },
    { NEVER(swapoff),           "the host's" },
    { NEVER(quotactl),          "the host's" },
    { NEVER(quotactl_fd),       "the host's" },
    { NEVER(acct),              "the host's" },
    { NEVER(syslog),            "the host's" },
    { NEVER(iopl),              "the host's" },
    { NEVER(ioperm),            "the host's" },
    { NEVER(vhangup),           "the host's" },
    { NEVER(uselib),            "kernel that is attacked more than it is used" },
    { NEVER(ustat),             "the host's" },
    { NEVER(sysfs),             "the host's" },
    { NEVER(nfsservctl),        "the host's" },
    { NEVER_GIVEN(POLICY_SHARED_SIGNALS, kill),              "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_SIGNALS, tkill),             "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_SIGNALS, tgkill),            "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_SIGNALS, rt_sigqueueinfo),   "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_SIGNALS, rt_tgsigqueueinfo), "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_SIGNALS, pidfd_send_signal), "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_SIGNALS, pidfd_open),        "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_SIGNALS, fcntl),             "could reach processes that are not the job's" },
    { NEVER_GIVEN_IF(POLICY_SHARED_SIGNALS, ioctl, 1, FIOSETOWN), "could reach processes that are not the job's" },
    { NEVER_GIVEN_IF(POLICY_SHARED_SIGNALS, ioctl, 1, SIOCSPGRP), "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_PIDS, setpriority),          "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_PIDS, ioprio_set),           "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_PIDS, sched_setaffinity),    "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_PIDS, sched_setparam),       "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_PIDS, sched_setscheduler),   "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_PIDS, sched_setattr),        "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_PIDS, migrate_pages),        "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_PIDS, move_pages),           "could reach processes that are not the job's" },
    { NEVER_GIVEN(POLICY_SHARED_FILES, setxattr),              "reaches every file of the broker's user: Landlock does not hold it" },
    { NEVER_GIVEN(POLICY_SHARED_FILES, lsetxattr),             "reaches every file of the broker's user: Landlock does not hold it" },
    { NEVER_GIVEN(POLICY_SHARED_FILES, fsetxattr),             "reaches every file of the broker's user: Landlock does not hold it" },
    { NEVER_GIVEN(POLICY_SHARED_FILES, removexattr),           "reaches every file of the broker's user: Landlock does not hold it" },
    { NEVER_GIVEN(POLICY_SHARED_FILES, lremovexattr),          "reaches every file of the broker's user: Landlock does not hold it" },
    { NEVER_GIVEN(POLICY_SHARED_FILES, fremovexattr),          "reaches every file of the broker's user: Landlock does not hold it" },
    { NEVER(io_setup),            "its contexts are counted for the whole machine" },
    { NEVER(io_submit),           "its contexts are counted for the whole machine" },
    { NEVER_GIVEN(POLICY_SHARED_SOCKETS, socket),            "could connect to the host's services" },
    { NEVER_GIVEN(POLICY_SHARED_SOCKETS, socketpair),        "could connect to the host's services" },
};

/* Calls that are many: a row has to say which, and it is one of these. */
enum { PIN_VALUES = 4 };

static const struct pin {
    uint32_t nr;
    uint8_t index;
    unsigned n;
    uint32_t values[PIN_VALUES];
    const char *why;
} pins[] = {
    { __NR_socket,      0, 3, { AF_UNIX, AF_INET, AF_INET6 }, "only families AF_UNIX, AF_INET and AF_INET6: the others are much kernel and many bugs" },
    { __NR_socketpair,  0, 1, { AF_UNIX }, "only family AF_UNIX" },
    { __NR_prlimit64,   0, 1, { 0 }, "only its own limits: pid == 0" },
    { __NR_personality, 0, 3, { 0, 0xffffffff, ADDR_NO_RANDOMIZE }, "only ADDR_NO_RANDOMIZE, or none" },
};
/* clang-format on */

enum { N_NEVER = sizeof(never) / sizeof(never[0]), N_PINS = sizeof(pins) / sizeof(pins[0]) };

/* The two can hold together: no bit that both ask for is asked for differently. */
static bool args_meet(const struct policy_arg *a, const struct policy_arg *b)
{
    return a->index != b->index || ((a->value ^ b->value) & a->mask & b->mask) == 0;
}

static bool row_meets_arg(const struct policy_row *r, const struct policy_arg *a)
{
    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++)
        if (!args_meet(&r->args[i], a))
            return false;
    return true;
}

bool policy_rows_meet(const struct policy_row *a, const struct policy_row *b)
{
    if (a->nr != b->nr)
        return false;
    for (int i = 0; i < POLICY_ARGS && b->args[i].mask != 0; i++)
        if (!row_meets_arg(a, &b->args[i]))
            return false;
    return true;
}

bool policy_row_holds(const struct policy_row *r, const uint64_t args[6])
{
    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++)
        if ((args[r->args[i].index] & r->args[i].mask) != r->args[i].value)
            return false;
    return true;
}

static bool among(const struct pin *p, uint32_t value)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->values[i] == value)
            return true;
    return false;
}

static bool pinned(const struct policy_row *r, const struct pin *p)
{
    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++)
        if (r->args[i].index == p->index && (r->args[i].mask & 0xffffffffu) == 0xffffffffu && among(p, (uint32_t)r->args[i].value))
            return true;
    return false;
}

bool policy_row_may_be_granted(const struct policy_row *r, unsigned given, const char **ret_why)
{
    for (size_t i = 0; i < N_NEVER; i++)
        if (never[i].nr == r->nr && (never[i].given & ~given) == 0 && row_meets_arg(r, &never[i].arg)) {
            *ret_why = never[i].why;
            return false;
        }
    for (size_t i = 0; i < N_PINS; i++)
        if (pins[i].nr == r->nr && !pinned(r, &pins[i])) {
            *ret_why = pins[i].why;
            return false;
        }
    return true;
}

/* NULL: nothing speaks against it. */
static const char *why_never(uint32_t nr, const uint64_t args[6], unsigned given)
{
    for (size_t i = 0; i < N_PINS; i++)
        if (pins[i].nr == nr && !among(&pins[i], (uint32_t)args[pins[i].index]))
            return pins[i].why;
    for (size_t i = 0; i < N_NEVER; i++)
        if (never[i].nr == nr && (never[i].given & ~given) == 0 && (args[never[i].arg.index] & never[i].arg.mask) == never[i].arg.value)
            return never[i].why;
    return NULL;
}

bool policy_call_may_be_granted(uint32_t nr, const uint64_t args[6], unsigned given, const char **ret_why)
{
    const char *why = why_never(nr, args, given);

    if (why != NULL && ret_why != NULL)
        *ret_why = why;
    return why == NULL;
}

bool policy_may_be_granted(uint32_t nr)
{
    for (size_t i = 0; i < N_NEVER; i++)
        if (never[i].nr == nr && never[i].given == 0 && never[i].arg.mask == 0)
            return false;
    return true;
}
