/*
 * policy_init.c - the profile of the first process of a program's sandbox: it serves the job, and answers for the program's own filter.
 *
 * It reads what a hostile program writes, so it gets no more than serving takes: no new process, no file but by openat2 (whose flags keep it
 * below the work directory and out of links), no socket. It may kill: that is how a job ends.
 */
#include "worker/policy_rows.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/time.h>

#define FUTEX_IS(op) INT_BUT(1, FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, op)
#define MMAP_ANON    LONG_IN(2, PROT_READ | PROT_WRITE), LONG_BUT(3, MAP_STACK | MAP_NORESERVE, MAP_PRIVATE | MAP_ANONYMOUS)

/* clang-format off */
static const struct policy_row init_rows[] = {
    { ALLOW(read),             ANY,                                        "link, pipes, terminal, signals, files that are collected, /proc/PID/maps" },
    { ALLOW(readv),            ANY,                                        "as read" },
    { ALLOW(write),            ANY,                                        "the program's standard input, its go, the terminal" },
    { ALLOW(writev),           ANY,                                        "frames to the broker" },
    { ALLOW(pread64),          ANY,                                        "the list of its own children (T2)" },
    { ALLOW(lseek),            ANY,                                        "directories, from their start" },
    { ALLOW(close),            ANY,                                        "pipes that ended, directories it has walked" },
    { ALLOW(epoll_wait),       ANY,                                        "its loop" },
    { ALLOW(epoll_pwait),      ANY,                                        "its loop" },
    { ALLOW(epoll_ctl),        ANY,                                        "its loop" },
    { ALLOW(ioctl),            IF(INT_IS(1, SECCOMP_IOCTL_NOTIF_RECV)),    "a call of the program that no row allows" },
    { ALLOW(ioctl),            IF(INT_IS(1, SECCOMP_IOCTL_NOTIF_SEND)),    "the answer to it" },
    { ALLOW(ioctl),            IF(INT_IS(1, SECCOMP_IOCTL_NOTIF_ID_VALID)), "whether who made it is still there" },
    { ALLOW(ioctl),            IF(INT_IS(1, TIOCSWINSZ)),                  "the size of the job's terminal" },
    { REFUSE(ioctl, ENOTTY),   ANY,                                        "stdio asks whether this is a terminal" },
    { ALLOW(waitid),           ANY,                                        "reaping" },
    { ALLOW(wait4),            ANY,                                        "reaping" },
    { ALLOW(kill),             IF(INT_IS(1, SIGTERM)),                     "a cancel" },
    { ALLOW(kill),             IF(INT_IS(1, SIGKILL)),                     "the end of a job: all that is left of it" },
    { ALLOW(openat2),          ANY,                                        "outputs below the work directory, PID/maps below its own /proc" },
    { ALLOW(getdents64),       ANY,                                        "the walk for outputs" },
    { ALLOW(newfstatat),       ANY,                                        "what was opened: regular files only" },
    { ALLOW(fstat),            ANY,                                        "as newfstatat" },
    { ALLOW(fstatfs),          ANY,                                        "whether the work directory is full" },
    { ALLOW(setitimer),        IF(INT_IS(0, ITIMER_REAL)),                 "held-back output is due" },
    { ALLOW(rt_sigreturn),     ANY,                                        "end of a signal handler" },
    { ALLOW(rt_sigprocmask),   ANY,                                        "libc" },
    { ALLOW(restart_syscall),  ANY,                                        "the kernel's own way to resume a wait" },
    { ALLOW(clock_gettime),    IF(INT_IN(0, 7)),                           "libc" },
    { ALLOW(mmap),             IF(MMAP_ANON),                              "malloc; never a file, never executable" },
    { ALLOW(munmap),           ANY,                                        "malloc" },
    { ALLOW(mremap),           IF(LONG_IN(3, MREMAP_MAYMOVE)),             "malloc" },
    { ALLOW(mprotect),         IF(LONG_IN(2, PROT_READ | PROT_WRITE)),     "malloc; never executable" },
    { ALLOW(madvise),          IF(INT_IS(2, MADV_DONTNEED)),               "malloc" },
    { ALLOW(madvise),          IF(INT_IS(2, MADV_FREE)),                   "malloc" },
    { ALLOW(brk),              ANY,                                        "malloc" },
    { ALLOW(futex),            IF(FUTEX_IS(FUTEX_WAIT)),                   "libc locks" },
    { ALLOW(futex),            IF(FUTEX_IS(FUTEX_WAKE)),                   "libc locks" },
    { ALLOW(futex),            IF(FUTEX_IS(FUTEX_WAIT_BITSET)),            "libc locks" },
    { ALLOW(futex),            IF(FUTEX_IS(FUTEX_WAKE_BITSET)),            "libc locks" },
    { ALLOW(getpid),           ANY,                                        "libc" },
    { ALLOW(gettid),           ANY,                                        "libc" },
    { ALLOW(getrandom),        IF(INT_IN(2, GRND_NONBLOCK)),               "malloc" },
    { ALLOW(exit),             ANY,                                        "the end" },
    { ALLOW(exit_group),       ANY,                                        "the end" },
#if defined(COOP_ASAN) || defined(COOP_TSAN)
    { ALLOW(mmap),             IF(LONG_IN(2, PROT_READ | PROT_WRITE), LONG_BUT(3, MAP_FIXED | MAP_NORESERVE, MAP_PRIVATE | MAP_ANONYMOUS)), "sanitizer: its own heap" },
    { ALLOW(madvise),          IF(INT_IS(2, MADV_DONTDUMP)),               "sanitizer: shadow memory" },
    { ALLOW(sched_yield),      ANY,                                        "sanitizer: spin locks" },
    { REFUSE(rt_sigaction, EPERM), ANY,                                    "sanitizer: on its way out" },
    { REFUSE(readlink, EACCES), ANY,                                       "sanitizer: looks for itself" },
    { ALLOW(sigaltstack),      ANY,                                        "sanitizer: asks before each function that does not return" },
#endif
};
/* clang-format on */

const struct policy_table policy_table_init = POLICY_TABLE("init", init_rows, POLICY_VIOLATION);
