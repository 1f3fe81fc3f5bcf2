/* policy.c - see policy.h. */
#include "worker/policy.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>

#ifndef __x86_64__
#error "the system call policy knows x86-64 only"
#endif

#define SYS(x) __NR_##x, #x
#define ANY                                                                                                                                \
    {                                                                                                                                      \
        {                                                                                                                                  \
            0, 0, 0, NULL                                                                                                                  \
        }                                                                                                                                  \
    }
/*
 * An int argument: the kernel looks at the low 32 bits only, so must we; a call is not made legal or illegal by what lies above.
 * A long argument: the kernel looks at all 64 bits, so must we.
 */
#define INT_IS(i, v)                                                                                                                       \
    {                                                                                                                                      \
        {                                                                                                                                  \
            i, 0xffffffffu, (uint32_t)(v), #v                                                                                              \
        }                                                                                                                                  \
    }
#define INT_IN(i, bits)                                                                                                                    \
    {                                                                                                                                      \
        {                                                                                                                                  \
            i, 0xffffffffu & ~(uint32_t)(bits), 0, "only " #bits                                                                           \
        }                                                                                                                                  \
    }
#define LONG_IN(i, bits)                                                                                                                   \
    {                                                                                                                                      \
        i, ~(uint64_t)(bits), 0, "only " #bits                                                                                             \
    }
#define FUTEX_IS(op)                                                                                                                       \
    {                                                                                                                                      \
        {                                                                                                                                  \
            1, 0xffffffffu & ~(uint32_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME), op, #op                                               \
        }                                                                                                                                  \
    }

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define MAP_MUST (MAP_PRIVATE | MAP_ANONYMOUS)
#define MAP_MAY  (MAP_STACK | MAP_NORESERVE | MAP_FIXED | MAP_FIXED_NOREPLACE)
#define MMAP_ANON                                                                                                                          \
    {                                                                                                                                      \
        LONG_IN(2, PROT_READ | PROT_WRITE),                                                                                                \
        {                                                                                                                                  \
            3, ~(uint64_t)MAP_MAY, MAP_MUST, "MAP_PRIVATE|MAP_ANONYMOUS, no file"                                                          \
        }                                                                                                                                  \
    }

/* clang-format off */
static const struct policy_row lua_rows[] = {
    /* the link, and memory of our own */
    { SYS(read),            POLICY_ALLOW,  0,      ANY,                                "frames from the broker, on the link" },
    { SYS(write),           POLICY_ALLOW,  0,      ANY,                                "libc's own last words, to /dev/null" },
    { SYS(readv),           POLICY_ALLOW,  0,      ANY,                                "as read" },
    { SYS(writev),          POLICY_ALLOW,  0,      ANY,                                "frames to the broker, on the link" },
    { SYS(ppoll),           POLICY_ALLOW,  0,      ANY,                                "waiting for stdin so that a cancel can interrupt" },
    { SYS(mmap),            POLICY_ALLOW,  0,      MMAP_ANON,                          "malloc; never a file, never executable" },
    { SYS(munmap),          POLICY_ALLOW,  0,      ANY,                                "malloc" },
    { SYS(mremap),          POLICY_ALLOW,  0,      { LONG_IN(3, MREMAP_MAYMOVE) },     "malloc growing a large block" },
    { SYS(mprotect),        POLICY_ALLOW,  0,      { LONG_IN(2, PROT_READ | PROT_WRITE) }, "malloc; never executable" },
    { SYS(madvise),         POLICY_ALLOW,  0,      INT_IS(2, MADV_DONTNEED),           "malloc giving pages back" },
    { SYS(madvise),         POLICY_ALLOW,  0,      INT_IS(2, MADV_FREE),               "malloc giving pages back" },
    { SYS(madvise),         POLICY_ALLOW,  0,      INT_IS(2, MADV_GUARD_INSTALL),      "guards below tasklets' stacks, and in the place of those that are hibernated" },
    { SYS(madvise),         POLICY_ALLOW,  0,      INT_IS(2, MADV_GUARD_REMOVE),       "a hibernated stack comes back" },
    { SYS(madvise),         POLICY_ALLOW,  0,      INT_IS(2, MADV_NOHUGEPAGE),         "tasklets' stacks: a few small pages each" },
    { SYS(brk),             POLICY_ALLOW,  0,      ANY,                                "malloc" },
    { SYS(futex),           POLICY_ALLOW,  0,      FUTEX_IS(FUTEX_WAIT),               "libc locks; never priority inheritance" },
    { SYS(futex),           POLICY_ALLOW,  0,      FUTEX_IS(FUTEX_WAKE),               "libc locks" },
    { SYS(futex),           POLICY_ALLOW,  0,      FUTEX_IS(FUTEX_WAIT_BITSET),        "libc locks" },
    { SYS(futex),           POLICY_ALLOW,  0,      FUTEX_IS(FUTEX_WAKE_BITSET),        "libc locks" },

    /* time and chance */
    { SYS(clock_gettime),   POLICY_ALLOW,  0,      INT_IN(0, 7),                       "os.time, os.clock; not another process's clock" },
    { SYS(clock_getres),    POLICY_ALLOW,  0,      INT_IN(0, 7),                       "as clock_gettime" },
    { SYS(setitimer),       POLICY_ALLOW,  0,      INT_IS(0, ITIMER_REAL),             "pushes buffered output out while the job computes" },
    { SYS(setitimer),       POLICY_ALLOW,  0,      INT_IS(0, ITIMER_VIRTUAL),          "turns for tasklets that do not yield" },
    { SYS(getrandom),       POLICY_ALLOW,  0,      INT_IN(2, GRND_NONBLOCK),           "seeds: forks of one zygote must differ" },

    /* signals: handlers are fixed before the seal, so rt_sigaction has no row; raise() and abort() need the worker's own pid in
     * the filter, which is compiled once for all workers, so tgkill has no row either: an abort is reported as a violation */
    { SYS(rt_sigreturn),    POLICY_ALLOW,  0,      ANY,                                "end of a signal handler" },
    { SYS(rt_sigprocmask),  POLICY_ALLOW,  0,      ANY,                                "closing the race of cancel and wait; a blocked SIGSYS still kills" },
    { SYS(sigaltstack),     POLICY_ALLOW,  0,      ANY,                                "harmless: a handler without a stack dies" },
    { SYS(restart_syscall), POLICY_ALLOW,  0,      ANY,                                "the kernel's own way to resume a wait" },
    { SYS(getpid),          POLICY_ALLOW,  0,      ANY,                                "libc" },
    { SYS(gettid),          POLICY_ALLOW,  0,      ANY,                                "libc" },
    { SYS(prlimit64),       POLICY_ALLOW,  0,      INT_IS(0, 0),                       "the job's own walls, between Assign and its first byte; later it could only lower them" },
    { SYS(exit),            POLICY_ALLOW,  0,      ANY,                                "the end" },
    { SYS(exit_group),      POLICY_ALLOW,  0,      ANY,                                "the end" },

    /* soft answers: libc asks these out of habit and copes with no */
    { SYS(open),            POLICY_REFUSE, EACCES, ANY,                                "libc looks for locale and time zone files" },
    { SYS(openat),          POLICY_REFUSE, EACCES, ANY,                                "libc looks for locale and time zone files" },
    { SYS(stat),            POLICY_REFUSE, EACCES, ANY,                                "libc looks for files" },
    { SYS(lstat),           POLICY_REFUSE, EACCES, ANY,                                "libc looks for files" },
    { SYS(fstat),           POLICY_REFUSE, EACCES, ANY,                                "stdio sizes its buffers" },
    { SYS(newfstatat),      POLICY_REFUSE, EACCES, ANY,                                "libc looks for files" },
    { SYS(access),          POLICY_REFUSE, EACCES, ANY,                                "libc looks for files" },
    { SYS(faccessat),       POLICY_REFUSE, EACCES, ANY,                                "libc looks for files" },
    { SYS(readlink),        POLICY_REFUSE, EACCES, ANY,                                "libc looks for itself" },
    { SYS(readlinkat),      POLICY_REFUSE, EACCES, ANY,                                "libc looks for itself" },
    { SYS(lseek),           POLICY_REFUSE, ESPIPE, ANY,                                "stdio" },
    { SYS(ioctl),           POLICY_REFUSE, ENOTTY, ANY,                                "stdio asks whether this is a terminal" },
    { SYS(clone3),          POLICY_REFUSE, ENOSYS, ANY,                                "its argument is a pointer that no filter can read" },
    { SYS(statx),           POLICY_REFUSE, ENOSYS, ANY,                                "libc falls back" },
    { SYS(openat2),         POLICY_REFUSE, ENOSYS, ANY,                                "its argument is a pointer that no filter can read" },
    { SYS(faccessat2),      POLICY_REFUSE, ENOSYS, ANY,                                "libc falls back" },
    { SYS(pidfd_open),      POLICY_REFUSE, ENOSYS, ANY,                                "libc falls back" },
    { SYS(futex_waitv),     POLICY_REFUSE, ENOSYS, ANY,                                "libc falls back" },
    { SYS(io_uring_setup),  POLICY_REFUSE, ENOSYS, ANY,                                "its operations pass by every filter" },
    { SYS(io_uring_enter),  POLICY_REFUSE, ENOSYS, ANY,                                "as io_uring_setup" },
    { SYS(io_uring_register), POLICY_REFUSE, ENOSYS, ANY,                              "as io_uring_setup" },

#if defined(COOP_ASAN) || defined(COOP_TSAN)
    /* builds with a sanitizer only: its runtime lives in the worker too */
    { SYS(sched_yield),     POLICY_ALLOW,  0,      ANY,                                "sanitizer: spin locks" },
    { SYS(sched_getaffinity), POLICY_REFUSE, EPERM, ANY,                               "sanitizer: counts processors" },
    { SYS(madvise),         POLICY_ALLOW,  0,      INT_IS(2, MADV_DONTDUMP),           "sanitizer: shadow memory" },
    { SYS(rt_sigaction),    POLICY_REFUSE, EPERM,  ANY,                                "sanitizer: on its way out" },
    { SYS(close),           POLICY_REFUSE, EPERM,  ANY,                                "sanitizer: on its way out" },
#endif
};
/* clang-format on */

/*
 * x86-64: 335..423 were skipped when the ABIs' numbers were unified; from 512 on lie x32's own. Linux 6.11 put uretprobe at 335,
 * and lets it pass by every filter; called by anyone but the kernel's own probe it ends the process with SIGILL.
 */
static const struct policy_gap x86_64_gaps[] = {
    {335, 423}
};

/* clang-format off */
static const struct policy policies[] = {
    { "lua", lua_rows, sizeof(lua_rows) / sizeof(lua_rows[0]), x86_64_gaps, 1, 450 /* set_mempolicy_home_node, Linux 5.17 */ },
};
/* clang-format on */

const struct policy *policy_find(const char *profile)
{
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (strcmp(policies[i].name, profile) == 0)
            return &policies[i];
    return NULL;
}

static void explain_row(const struct policy_row *r, FILE *to)
{
    char verdict[32];

    if (r->verdict == POLICY_REFUSE)
        snprintf(verdict, sizeof(verdict), "refuse %s", strerrorname_np(r->error));
    else
        snprintf(verdict, sizeof(verdict), "allow");
    fprintf(to, "%-20s %-15s %s", r->name, verdict, r->why);
    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++)
        fprintf(to, "%s argument %u: %s", i == 0 ? "  [if" : ",", r->args[i].index, r->args[i].text);
    fprintf(to, "%s\n", r->args[0].mask != 0 ? "]" : "");
}

void policy_explain(const struct policy *p, FILE *to)
{
    fprintf(to, "profile %s\n\n%-20s %-15s %s\n", p->name, "system call", "verdict", "why");
    for (size_t i = 0; i < p->n_rows; i++)
        explain_row(&p->rows[i], to);
    fprintf(to, "%-20s %-15s %s\n", "any other, known", "end, reported", "nothing a worker needs; the receipt names the call");
    fprintf(to, "%-20s %-15s %s\n", "unknown number", "refuse ENOSYS", "what an older kernel would say");
    fprintf(to, "%-20s %-15s %s\n", "i386 or x32 call", "kill", "the numbers mean other calls there");
}
