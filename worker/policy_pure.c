/* policy_pure.c - profiles of processes that only compute: compute, lua, python, native. No files, no processes, no network. */
#include "worker/policy_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "worker/engines/native/engine.h"
#include "worker/engines/native/load.h"
#include "worker/link.h"
#include "worker/template.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

_Static_assert(RECEIVED_FIRST == 4 && RECEIVED_END == 64, "ROWS_CLOSE_RECEIVED is all of them, but for the module's");

#define FD_AMONG(first) INT_BUT(0, NATIVE_THREADS - 1, first)
#define FUTEX_IS(op)    INT_BUT(1, FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, op)
#define MMAP_ANON                                                                                                                          \
    LONG_IN(2, PROT_READ | PROT_WRITE),                                                                                                    \
        LONG_BUT(3, MAP_STACK | MAP_NORESERVE | MAP_FIXED | MAP_FIXED_NOREPLACE, MAP_PRIVATE | MAP_ANONYMOUS)
#define MMAP_EXACT(prot)                                                                                                                   \
    LONG_IS(2, prot), LONG_BUT(3, MAP_STACK | MAP_NORESERVE | MAP_FIXED | MAP_FIXED_NOREPLACE, MAP_PRIVATE | MAP_ANONYMOUS)
#define MMAP_MODULE(prot) LONG_IN(2, prot), LONG_BUT(3, MAP_FIXED | MAP_DENYWRITE, MAP_PRIVATE), INT_IS(4, MODULE_FD)
#define SEAL_MODULE       INT_IS(0, MODULE_FD), INT_IS(1, F_ADD_SEALS), LONG_IS(2, MODULE_SEALS)
#define PTHREAD_FLAGS                                                                                                                      \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |               \
     CLONE_CHILD_CLEARTID)

/* clang-format off */
/* memory of our own */
#define ROWS_MEMORY \
    { ALLOW(mmap),                       IF(MMAP_ANON),                             "malloc; never a file, never executable" }, \
    { ALLOW(mprotect),                   IF(LONG_IN(2, PROT_READ | PROT_WRITE)),    "malloc; never executable" }, \
    ROWS_MALLOC

/* what malloc does with memory that it has */
#define ROWS_MALLOC \
    { ALLOW(ppoll),                      ANY,                                       "waiting for stdin so that a cancel can interrupt" }, \
    { ALLOW(munmap),                     ANY,                                       "malloc" }, \
    { ALLOW(mremap),                     IF(LONG_IN(3, MREMAP_MAYMOVE)),            "malloc growing a large block" }, \
    { ALLOW(madvise),                    IF(INT_IS(2, MADV_DONTNEED)),              "malloc giving pages back" }, \
    { ALLOW(madvise),                    IF(INT_IS(2, MADV_FREE)),                  "malloc giving pages back" }, \
    { ALLOW(brk),                        ANY,                                       "malloc" }, \
    { ALLOW(futex),                      IF(FUTEX_IS(FUTEX_WAIT)),                  "libc locks; never priority inheritance" }, \
    { ALLOW(futex),                      IF(FUTEX_IS(FUTEX_WAKE)),                  "libc locks" }, \
    { ALLOW(futex),                      IF(FUTEX_IS(FUTEX_WAIT_BITSET)),           "libc locks" }, \
    { ALLOW(futex),                      IF(FUTEX_IS(FUTEX_WAKE_BITSET)),           "libc locks" },

/* tasklets, in the engines that have them */
#define ROWS_TASKLETS \
    { ALLOW(madvise),                    IF(INT_IS(2, MADV_GUARD_INSTALL)),         "guards below tasklets' stacks, and in the place of those that are hibernated" }, \
    { ALLOW(madvise),                    IF(INT_IS(2, MADV_GUARD_REMOVE)),          "a hibernated stack comes back" }, \
    { ALLOW(madvise),                    IF(INT_IS(2, MADV_NOHUGEPAGE)),            "tasklets' stacks: a few small pages each" }, \
    { ALLOW(setitimer),                  IF(INT_IS(0, ITIMER_VIRTUAL)),             "turns for tasklets that do not yield" },

/*
 * Buffers: memory of the broker's making, whose descriptor comes with an answer. One that may be read only is sealed, so that no mapping of it can be
 * written, or made writable. They are mapped shared, and never to be executed: MMAP_MODULE, which may be, wants a private one of a number that none of
 * these can have.
 */
#define RECEIVED_BUFFER(prot)        LONG_IN(2, prot), LONG_IS(3, MAP_SHARED)
#define RECEIVE_FLAGS                (MSG_CMSG_CLOEXEC | MSG_DONTWAIT)
#define ROWS_BUFFERS \
    { ALLOW(recvmsg),                    IF(INT_IS(0, LINK_FD), INT_IN(2, RECEIVE_FLAGS)), "an answer, with the descriptor of a buffer" }, \
    { ALLOW(mmap),                       IF(RECEIVED_BUFFER(PROT_READ | PROT_WRITE)), "a buffer; never executable" },
#define ROWS_CLOSE_RECEIVED \
    { ALLOW(close),                      IF(INT_IS(0, 5)),                          "a buffer's descriptor, when it is mapped" }, \
    { ALLOW(close),                      IF(INT_BUT(0, 1, 6)),                      "the same" }, \
    { ALLOW(close),                      IF(INT_BUT(0, 7, 8)),                      "the same" }, \
    { ALLOW(close),                      IF(INT_BUT(0, 15, 16)),                    "the same" }, \
    { ALLOW(close),                      IF(INT_BUT(0, 31, 32)),                    "the same" },

/* time and chance */
#define ROWS_TIME \
    { ALLOW(clock_gettime),              IF(INT_IN(0, 7)),                          "os.time, os.clock; not another process's clock" }, \
    { ALLOW(clock_getres),               IF(INT_IN(0, 7)),                          "as clock_gettime" }, \
    { ALLOW(setitimer),                  IF(INT_IS(0, ITIMER_REAL)),                "pushes buffered output out while the job computes" }, \
    { ALLOW(getrandom),                  IF(INT_IN(2, GRND_NONBLOCK)),              "seeds: forks of one zygote must differ" },

/* signals: handlers are fixed before the seal, so rt_sigaction has no row; raise() and abort() need the worker's own pid in
 * the filter, which is compiled once for all workers, so tgkill has no row either */
#define ROWS_SELF \
    { ALLOW(rt_sigreturn),               ANY,                                       "end of a signal handler" }, \
    { ALLOW(rt_sigprocmask),             ANY,                                       "closing the race of cancel and wait; a blocked SIGSYS still kills" }, \
    { ALLOW(sigaltstack),                ANY,                                       "harmless: a handler without a stack dies" }, \
    { ALLOW(restart_syscall),            ANY,                                       "the kernel's own way to resume a wait" }, \
    { ALLOW(getpid),                     ANY,                                       "libc" }, \
    { ALLOW(gettid),                     ANY,                                       "libc" }, \
    { ALLOW(prlimit64),                  IF(INT_IS(0, 0)),                          "the job's own walls, between Assign and its first byte; later it could only lower them" }, \
    { ALLOW(exit),                       ANY,                                       "the end" }, \
    { ALLOW(exit_group),                 ANY,                                       "the end" },

/* no files at all; native answers these itself */
#define ROWS_NO_FILES \
    { REFUSE(openat, EACCES),            ANY,                                       "libc looks for locale and time zone files" }, \
    { REFUSE(fstat, EACCES),             ANY,                                       "stdio sizes its buffers" }, \
    { REFUSE(newfstatat, EACCES),        ANY,                                       "libc looks for files" },

/* soft answers: libc asks these out of habit and copes with no */
#define ROWS_SOFT \
    { REFUSE(access, EACCES),            ANY,                                       "libc looks for files" }, \
    { REFUSE(lseek, ESPIPE),             ANY,                                       "stdio" }, \
    ROWS_SOFT_BUT_FILES
#define ROWS_SOFT_BUT_FILES \
    { REFUSE(open, EACCES),              ANY,                                       "libc looks for locale and time zone files" }, \
    { REFUSE(stat, EACCES),              ANY,                                       "libc looks for files" }, \
    { REFUSE(lstat, EACCES),             ANY,                                       "libc looks for files" }, \
    { REFUSE(faccessat, EACCES),         ANY,                                       "libc looks for files" }, \
    { REFUSE(readlink, EACCES),          ANY,                                       "libc looks for itself" }, \
    { REFUSE(readlinkat, EACCES),        ANY,                                       "libc looks for itself" }, \
    { REFUSE(ioctl, ENOTTY),             ANY,                                       "stdio asks whether this is a terminal" }, \
    { REFUSE(clone3, ENOSYS),            ANY,                                       "its argument is a pointer that no filter can read" }, \
    { REFUSE(statx, ENOSYS),             ANY,                                       "libc falls back" }, \
    { REFUSE(openat2, ENOSYS),           ANY,                                       "its argument is a pointer that no filter can read" }, \
    { REFUSE(faccessat2, ENOSYS),        ANY,                                       "libc falls back" }, \
    { REFUSE(pidfd_open, ENOSYS),        ANY,                                       "libc falls back" }, \
    { REFUSE(futex_waitv, ENOSYS),       ANY,                                       "libc falls back" }, \
    { REFUSE(io_uring_setup, ENOSYS),    ANY,                                       "its operations pass by every filter" }, \
    { REFUSE(io_uring_enter, ENOSYS),    ANY,                                       "as io_uring_setup" }, \
    { REFUSE(io_uring_register, ENOSYS), ANY,                                       "as io_uring_setup" },

#if defined(COOP_ASAN) || defined(COOP_TSAN)
/* builds with a sanitizer only: its runtime lives in the worker too */
#define ROWS_SANITIZER \
    { ALLOW(madvise),                    IF(INT_IS(2, MADV_DONTDUMP)),              "sanitizer: shadow memory" },
/* Python's profile has an answer of its own to it */
#define ROWS_SANITIZER_SIGNALS \
    { REFUSE(rt_sigaction, EPERM),       ANY,                                       "sanitizer: on its way out" },
#define ROWS_SANITIZER_LUA \
    { ALLOW(sched_yield),                ANY,                                       "sanitizer: spin locks" }, \
    { REFUSE(sched_getaffinity, EPERM),  ANY,                                       "sanitizer: counts processors" }, \
    { REFUSE(close, EPERM),              ANY,                                       "sanitizer: on its way out" },
#else
#define ROWS_SANITIZER
#define ROWS_SANITIZER_SIGNALS
#define ROWS_SANITIZER_LUA
#endif

/* the link: the only descriptor but /dev/null */
#define ROWS_LINK \
    { ALLOW(read),                       ANY,                                       "frames from the broker, on the link" }, \
    { ALLOW(write),                      ANY,                                       "libc's own last words, to /dev/null" }, \
    { ALLOW(readv),                      ANY,                                       "as read" }, \
    { ALLOW(writev),                     ANY,                                       "frames to the broker, on the link" },

/*
 * The common part of the pure profiles: a process that computes, and speaks on its link. It is nobody's profile yet; whoever writes an engine
 * begins from it.
 */
static const struct policy_row compute_rows[] = {
    ROWS_LINK
    ROWS_MEMORY
    ROWS_TIME
    ROWS_SELF
    ROWS_NO_FILES
    ROWS_SOFT
};

static const struct policy_row lua_rows[] = {
    ROWS_LINK
    ROWS_MEMORY
    ROWS_TASKLETS
    ROWS_BUFFERS
    ROWS_CLOSE_RECEIVED
    { ALLOW(close),                      IF(INT_IS(0, RECEIVED_FIRST)),             "the same" },
    ROWS_TIME
    ROWS_SELF
    ROWS_NO_FILES
    ROWS_SOFT
    ROWS_SANITIZER
    ROWS_SANITIZER_SIGNALS
    ROWS_SANITIZER_LUA
};

/*
 * A template (worker/template.h) and its children: what Lua may, and the fork. The descriptor of a child's link comes beside the order for it, as that of a
 * buffer does; the child puts it in the place of the template's.
 */
_Static_assert((int)FORK_FD == (int)RECEIVED_FIRST, "what is received first is either");
#define ROWS_FORK \
    { ALLOW(dup2),                       IF(INT_IS(0, FORK_FD), INT_IS(1, LINK_FD)), "the child: its link in the place of the template's" }, \
    { ASK(clone),                        IF(LONG_IS(0, FORK_FLAGS), LONG_IS(1, 0)), "a fork: a child of the zygote's, with a stack of its own" }, \
    { ALLOW(prctl),                      IF(INT_IS(0, PR_SET_PDEATHSIG), LONG_IS(1, SIGKILL)), "the child: dies with the zygote" },

static const struct policy_row lua_template_rows[] = {
    ROWS_LINK
    ROWS_FORK
    ROWS_MEMORY
    ROWS_TASKLETS
    ROWS_BUFFERS
    ROWS_CLOSE_RECEIVED
    { ALLOW(close),                      IF(INT_IS(0, FORK_FD)),                    "the same; and the child's link, of both" },
    ROWS_TIME
    ROWS_SELF
    ROWS_NO_FILES
    ROWS_SOFT
    ROWS_SANITIZER
    ROWS_SANITIZER_SIGNALS
    ROWS_SANITIZER_LUA
};

/* of this process, and nothing else */
#define ROWS_ABOUT_ITSELF \
    { ALLOW(getcwd),                     ANY,                                       "os.getcwd(): it is / of an empty view, os.path.abspath() wants a name for that" }, \
    { ALLOW(getuid),                     ANY,                                       "os.getuid(), getpass, tarfile" }, \
    { ALLOW(geteuid),                    ANY,                                       "the same" }, \
    { ALLOW(getgid),                     ANY,                                       "the same" }, \
    { ALLOW(getegid),                    ANY,                                       "the same" }, \
    { ALLOW(getppid),                    ANY,                                       "os.getppid(): a number, of a process that it can do nothing to" }, \
    { ALLOW(uname),                      ANY,                                       "platform, sysconfig" }, \
    { ALLOW(getrusage),                  ANY,                                       "resource: what it used" }, \
    { ALLOW(umask),                      ANY,                                       "libuuid; there is nothing that it could be of" }, \
    { ALLOW(times),                      ANY,                                       "os.times(): what it used" }, \
    { ALLOW(sched_getaffinity),          IF(INT_IS(0, 0)),                          "os.sched_getaffinity(0), os.cpu_count(): how many processors" },

/* what would change a path, or ask about one: as open, so that os.mkdir() is a PermissionError with its line, and not the job's end */
#define ROWS_NO_PATHS \
    { REFUSE(creat, EACCES),             ANY,                                       "os: no path can be changed" }, \
    { REFUSE(mkdir, EACCES),             ANY,                                       "the same" }, \
    { REFUSE(mkdirat, EACCES),           ANY,                                       "the same" }, \
    { REFUSE(rmdir, EACCES),             ANY,                                       "the same" }, \
    { REFUSE(unlink, EACCES),            ANY,                                       "the same" }, \
    { REFUSE(unlinkat, EACCES),          ANY,                                       "the same" }, \
    { REFUSE(rename, EACCES),            ANY,                                       "the same" }, \
    { REFUSE(renameat, EACCES),          ANY,                                       "the same" }, \
    { REFUSE(renameat2, EACCES),         ANY,                                       "the same" }, \
    { REFUSE(link, EACCES),              ANY,                                       "the same" }, \
    { REFUSE(linkat, EACCES),            ANY,                                       "the same" }, \
    { REFUSE(symlink, EACCES),           ANY,                                       "the same" }, \
    { REFUSE(symlinkat, EACCES),         ANY,                                       "the same" }, \
    { REFUSE(chmod, EACCES),             ANY,                                       "the same" }, \
    { REFUSE(fchmodat, EACCES),          ANY,                                       "the same" }, \
    { REFUSE(truncate, EACCES),          ANY,                                       "the same" }, \
    { REFUSE(utimensat, EACCES),         ANY,                                       "the same" }, \
    { REFUSE(mknod, EACCES),             ANY,                                       "the same" }, \
    { REFUSE(mknodat, EACCES),           ANY,                                       "os.mkfifo()" }, \
    { REFUSE(chown, EACCES),             ANY,                                       "the same" }, \
    { REFUSE(lchown, EACCES),            ANY,                                       "the same" }, \
    { REFUSE(fchownat, EACCES),          ANY,                                       "the same" }, \
    { REFUSE(fchdir, EACCES),            ANY,                                       "the same" }, \
    { REFUSE(utimes, EACCES),            ANY,                                       "the same" }, \
    { REFUSE(setxattr, EACCES),          ANY,                                       "the same" }, \
    { REFUSE(lsetxattr, EACCES),         ANY,                                       "the same" }, \
    { REFUSE(removexattr, EACCES),       ANY,                                       "the same" }, \
    { REFUSE(lgetxattr, EACCES),         ANY,                                       "the same" }, \
    { REFUSE(llistxattr, EACCES),        ANY,                                       "the same" }, \
    { REFUSE(getdents64, EACCES),        ANY,                                       "the same" }, \
    { REFUSE(fstatfs, EACCES),           ANY,                                       "os.fstatvfs(1)" }, \
    { REFUSE(chdir, EACCES),             ANY,                                       "os.chdir(): there is nowhere to go" }, \
    { REFUSE(statfs, EACCES),            ANY,                                       "shutil.disk_usage()" }, \
    { REFUSE(getxattr, EACCES),          ANY,                                       "shutil" }, \
    { REFUSE(listxattr, EACCES),         ANY,                                       "shutil" },

/*
 * Memory of an engine that keeps many addresses closed and whose tenant can make these calls (ctypes). RLIMIT_DATA counts what can be written now: so what
 * has been written stays writable until it is given back, and closed addresses have nothing in them.
 */
#define ROWS_MEMORY_COUNTED \
    { ALLOW(mmap),                       IF(MMAP_EXACT(PROT_READ | PROT_WRITE)),    "malloc; never a file, never executable" }, \
    { ALLOW(mmap),                       IF(MMAP_EXACT(PROT_NONE)),                 "malloc's arenas, stacks of tasklets: addresses, with nothing in them" }, \
    { ALLOW(mprotect),                   IF(LONG_IS(2, PROT_READ | PROT_WRITE)),    "malloc, stacks: opened, never closed; never executable" }, \
    ROWS_MALLOC

/*
 * What a program asks or does in innocence, of the machine it thinks it has: an error at its line, and not the job's end. Nothing here is allowed.
 */
#define ROWS_NO_MACHINE \
    { ANSWER(sysinfo),                   ANY,                                       "EPERM, and nothing is told: os.getloadavg(), sysconf(_SC_PHYS_PAGES)" }, \
    { ANSWER(pause),                     ANY,                                       "signal.pause(): until a signal of the worker's own comes" }, \
    { ANSWER(msync),                     ANY,                                       "mmap.flush(): there is nothing behind memory of a job's own; 0" }, \
    { REFUSE(getpriority, EPERM),        ANY,                                       "os.nice(): turns on a processor are the broker's business" }, \
    { REFUSE(setpriority, EPERM),        ANY,                                       "the same" }, \
    { REFUSE(sched_setaffinity, EPERM),  ANY,                                       "the same" }, \
    { REFUSE(sched_getaffinity, EPERM),  ANY,                                       "of another process" }, \
    { REFUSE(sched_getscheduler, EPERM), ANY,                                       "as getpriority" }, \
    { REFUSE(sched_setscheduler, EPERM), ANY,                                       "the same" }, \
    { REFUSE(sched_getparam, EPERM),     ANY,                                       "the same" }, \
    { REFUSE(sched_setparam, EPERM),     ANY,                                       "the same" }, \
    { REFUSE(sched_rr_get_interval, EPERM), ANY,                                    "the same" }, \
    { REFUSE(alarm, EPERM),              ANY,                                       "SIGALRM is ours: signal.alarm()" }, \
    { REFUSE(getitimer, EPERM),          ANY,                                       "the same" }, \
    { REFUSE(setitimer, EPERM),          ANY,                                       "signal.ITIMER_PROF: as the others" }, \
    { REFUSE(rt_sigtimedwait, EPERM),    ANY,                                       "signal.sigwait(): no signal comes but a cancel, whose handler runs" }, \
    { REFUSE(rt_sigpending, EPERM),      ANY,                                       "the same" }, \
    { REFUSE(rt_sigsuspend, EPERM),      ANY,                                       "the same" }, \
    { REFUSE(clock_settime, EPERM),      ANY,                                       "the clock is the machine's" }, \
    { REFUSE(settimeofday, EPERM),       ANY,                                       "the same" }, \
    { REFUSE(wait4, ECHILD),             ANY,                                       "os.wait(): there are no children" }, \
    { REFUSE(waitid, ECHILD),            ANY,                                       "the same" }, \
    { REFUSE(getpgrp, EPERM),            ANY,                                       "os.getpgrp(): of processes beside this one nothing is told" }, \
    { REFUSE(getpgid, EPERM),            ANY,                                       "the same" }, \
    { REFUSE(getsid, EPERM),             ANY,                                       "the same" }, \
    { REFUSE(setpgid, EPERM),            ANY,                                       "the same" }, \
    { REFUSE(setsid, EPERM),             ANY,                                       "the same" }, \
    { REFUSE(getgroups, EPERM),          ANY,                                       "os.getgroups(): whose process it is, is no concern of a job's" }, \
    { REFUSE(getresuid, EPERM),          ANY,                                       "the same" }, \
    { REFUSE(getresgid, EPERM),          ANY,                                       "the same" }, \
    { REFUSE(memfd_create, EPERM),       ANY,                                       "there is no descriptor but the link" }, \
    { REFUSE(pwrite64, ESPIPE),          ANY,                                       "the standard streams are pipes" }, \
    { REFUSE(preadv, ESPIPE),            ANY,                                       "the same" }, \
    { REFUSE(pwritev, ESPIPE),           ANY,                                       "the same" }, \
    { REFUSE(preadv2, ESPIPE),           ANY,                                       "the same" }, \
    { REFUSE(pwritev2, ESPIPE),          ANY,                                       "the same" }, \
    { REFUSE(fallocate, ESPIPE),         ANY,                                       "the same" }, \
    { REFUSE(ftruncate, EINVAL),         ANY,                                       "the same" }, \
    { REFUSE(fsync, EINVAL),             ANY,                                       "os.fsync(1): the same" }, \
    { REFUSE(fdatasync, EINVAL),         ANY,                                       "the same" }, \
    { REFUSE(sync, EPERM),               ANY,                                       "there is no file to write back" }, \
    { REFUSE(flock, EPERM),              ANY,                                       "nobody else has what would be locked" }, \
    { REFUSE(fchmod, EPERM),             ANY,                                       "the standard streams are as they are" }, \
    { REFUSE(fchown, EPERM),             ANY,                                       "the same" }, \
    { REFUSE(sendfile, EINVAL),          ANY,                                       "there are no files to copy from or to" }, \
    { REFUSE(copy_file_range, EINVAL),   ANY,                                       "the same" }, \
    { REFUSE(splice, EINVAL),            ANY,                                       "the same" }, \
    { REFUSE(fadvise64, ESPIPE),         ANY,                                       "the standard streams are pipes" }, \
    { REFUSE(fgetxattr, EPERM),          ANY,                                       "as fchmod" }, \
    { REFUSE(flistxattr, EPERM),         ANY,                                       "the same" }, \
    { REFUSE(fsetxattr, EPERM),          ANY,                                       "the same" }, \
    { REFUSE(fremovexattr, EPERM),       ANY,                                       "the same" }, \
    { REFUSE(close_range, EPERM),        ANY,                                       "os.closerange(): one by one then, which is asked about" }, \
    { REFUSE(sched_get_priority_max, EPERM), ANY,                                   "as getpriority" }, \
    { REFUSE(sched_get_priority_min, EPERM), ANY,                                   "the same" }, \
    { REFUSE(getrandom, EINVAL),         ANY,                                       "os.GRND_RANDOM: there is one source" },

/*
 * What CPython 3.11 still asks for once it has started and its modules are in memory. No thread is made in there: those that the job may have are there
 * before the seal. A row that says ANSWER is answered by us (worker/engines/python/answer.c): the standard streams are not descriptors, and the handlers
 * of our own signals stay ours, whatever the module signal says.
 */
#define ROWS_PYTHON \
    { ALLOW(read),                       IF(INT_IS(0, LINK_FD)),                    "frames from the broker" }, \
    { ALLOW(read),                       IF(FD_AMONG(NATIVE_EVENTS)),               "a thread of the job was woken by another; made before the seal" }, \
    { ANSWER(read),                      ANY,                                       "0: the job's standard input; a file that was sent; else EBADF" }, \
    { ANSWER(pread64),                   ANY,                                       "a file that was sent; 0, 1 and 2: ESPIPE" }, \
    { ANSWER(lseek),                     ANY,                                       "the same" }, \
    { ALLOW(write),                      IF(INT_IS(0, LINK_FD)),                    "frames to the broker" }, \
    { ALLOW(write),                      IF(FD_AMONG(NATIVE_EVENTS)),               "a thread of the job wakes another; made before the seal" }, \
    { ANSWER(write),                     ANY,                                       "1 and 2: the job's output, counted as any; else EBADF" }, \
    { ALLOW(readv),                      IF(INT_IS(0, LINK_FD)),                    "as read" }, \
    { ALLOW(writev),                     IF(INT_IS(0, LINK_FD)),                    "frames to the broker" }, \
    { ANSWER(writev),                    ANY,                                       "as write; libc's last words before it aborts" }, \
    { ANSWER(readv),                     ANY,                                       "as read" }, \
    { ANSWER(newfstatat),                ANY,                                       "0, 1 and 2 are pipes to open(0) and os.fstat(); a file that was sent; else EACCES" }, \
    { ANSWER(fstat),                     ANY,                                       "as newfstatat" }, \
    { ANSWER(fcntl),                     ANY,                                       "os.fdopen(1): flags of 0, 1 and 2; else EBADF" }, \
    ROWS_CLOSE_RECEIVED \
    { ALLOW(close),                      IF(INT_IS(0, RECEIVED_FIRST)),             "the same" }, \
    { ANSWER(close),                     ANY,                                       "0, 1 and 2: they stay; else EBADF, nobody closes the link by mistake" }, \
    ROWS_MEMORY_COUNTED \
    { REFUSE(mmap, EPERM),               IF(LONG_IN(2, PROT_READ | PROT_WRITE), LONG_IS(3, MAP_SHARED | MAP_ANONYMOUS), INT_IS(4, -1)), "mmap.mmap(-1, n): there is nobody to share with, and RLIMIT_DATA would not count it" }, \
    ROWS_TASKLETS \
    ROWS_BUFFERS \
    ROWS_TIME \
    { ALLOW(getrandom),                  IF(INT_IS(2, GRND_INSECURE)),              "seeds of hash tables, in packages written in Rust" }, \
    { ALLOW(clock_nanosleep),            IF(INT_IN(0, 7)),                          "time.sleep()" }, \
    { ALLOW(nanosleep),                  ANY,                                       "time.sleep(), older libcs" }, \
    { ALLOW(poll),                       ANY,                                       "select.poll(), selectors" }, \
    { ALLOW(select),                     ANY,                                       "select.select()" }, \
    { ALLOW(pselect6),                   ANY,                                       "as select" }, \
    ROWS_SELF \
    ROWS_ABOUT_ITSELF \
    { ANSWER(rt_sigaction),              IF(INT_IS(0, SIGSYS)),                     "0, and it stays ours: what the filter says" }, \
    { ANSWER(rt_sigaction),              IF(INT_IS(0, SIGALRM)),                    "the same: output that is due" }, \
    { ANSWER(rt_sigaction),              IF(INT_IS(0, SIGVTALRM)),                  "the same: turns of tasklets" }, \
    { ANSWER(rt_sigaction),              IF(INT_IS(0, SIGSEGV)),                    "the same: stacks of tasklets; faulthandler" }, \
    { ANSWER(rt_sigaction),              IF(INT_IS(0, SIGTERM)),                    "the same: a cancel, which runs Python's handler of it" }, \
    { ANSWER(rt_sigaction),              IF(INT_IS(0, SIGPIPE)),                    "the same: the broker has gone" }, \
    { ALLOW(rt_sigaction),               ANY,                                       "the module signal" }, \
    { ANSWER(tgkill),                    ANY,                                       "abort(), signal.raise_signal(): done as the signal would; no signal is sent" }, \
    { ANSWER(kill),                      ANY,                                       "os.kill(os.getpid(), n): as tgkill; of any other process it ends the job" }, \
    { ALLOW(prctl),                      IF(INT_IS(0, PR_SET_NAME)),                "a thread's name" }, \
    { ALLOW(sched_yield),                ANY,                                       "the interpreter lock" }, \
    { REFUSE(epoll_create1, EPERM),      ANY,                                       "there is no descriptor to wait on" }, \
    { REFUSE(eventfd2, EPERM),           ANY,                                       "the same" }, \
    { REFUSE(pipe, EPERM),               ANY,                                       "there is no other process to talk to" }, \
    { REFUSE(pipe2, EPERM),              ANY,                                       "the same" }, \
    { REFUSE(dup, EPERM),                ANY,                                       "the standard streams are no descriptors" }, \
    { REFUSE(dup2, EPERM),               ANY,                                       "the same" }, \
    { REFUSE(dup3, EPERM),               ANY,                                       "the same" }, \
    { REFUSE(socket, EACCES),            ANY,                                       "libraries ask whether there is a network (uuid, logging): there is none" }, \
    { REFUSE(socketpair, EACCES),        ANY,                                       "as socket" }, \
    { ANSWER(openat),                    ANY,                                       "a file that was sent with the job: its bytes are in memory, its descriptor is ours; else EACCES" }, \
    { ANSWER(access),                    ANY,                                       "the same" }, \
    ROWS_NO_PATHS \
    ROWS_NO_MACHINE \
    ROWS_SOFT_BUT_FILES \
    ROWS_SANITIZER

static const struct policy_row python_rows[] = {
    ROWS_PYTHON
};

/* As that of Lua's templates, above. */
static const struct policy_row python_template_rows[] = {
    ROWS_FORK
    { ALLOW(read),                       IF(INT_IS(0, FORK_FD)),                    "the child: its link's greeting, before that is in its place" },
    { ALLOW(writev),                     IF(INT_IS(0, FORK_FD)),                    "the same" },
    ROWS_PYTHON
};

/*
 * A native job can make any of these calls at any time with any argument that passes. So: it has no descriptor but the link and /dev/null,
 * and those of buffers that the broker sends; memory becomes executable in one way only, as a private mapping of the module, which is sealed
 * against writing before it is mapped, and in whose place /dev/null is put when the loader has mapped it. That number is never free again, so no
 * buffer gets it. openat, newfstatat and fstat are asked by libc's loader: the worker's own handler says what it is to believe, and the kernel is
 * never asked about a path.
 */
static const struct policy_row native_rows[] = {
    { ALLOW(read),                       IF(INT_IS(0, LINK_FD)),                    "frames from the broker" },
    { ALLOW(read),                       IF(INT_IS(0, MODULE_FD)),                  "the loader: the module's header; gone once it is mapped" },
    { ANSWER(read),                      ANY,                                       "0: the job's standard input; else EBADF" },
    { ALLOW(pwrite64),                   IF(INT_IS(0, MODULE_FD)),                  "the module's bytes, into memory, before it is sealed" },
    { ALLOW(write),                      IF(FD_AMONG(NATIVE_EVENTS)),               "a thread of the job wakes another; made before the seal" },
    { ALLOW(epoll_wait),                 IF(FD_AMONG(NATIVE_EPOLLS)),               "a thread of the job sleeps; made before the seal" },
    { REFUSE(epoll_ctl, EPERM),          ANY,                                       "as epoll_create1" },
    { ANSWER(write),                     ANY,                                       "1 and 2: the job's output, counted as any; else EBADF" },
    { ALLOW(readv),                      IF(INT_IS(0, LINK_FD)),                    "as read" },
    { ALLOW(writev),                     IF(INT_IS(0, LINK_FD)),                    "frames to the broker" },
    { ANSWER(writev),                    ANY,                                       "as write; libc's last words before it aborts" },
    ROWS_CLOSE_RECEIVED
    { ALLOW(dup2),                       IF(INT_IS(0, 0), INT_IS(1, MODULE_FD)),    "/dev/null in the module's place: nothing that comes later gets its number" },
    { ANSWER(close),                     ANY,                                       "the loader, when it has mapped the module: dup2; else EBADF, nobody closes the link by mistake" },
    { ALLOW(pread64),                    IF(INT_IS(0, MODULE_FD)),                  "the loader: program headers" },
    { ALLOW(fcntl),                      IF(SEAL_MODULE),                           "the module can never be written again: before it is mapped" },
    { ALLOW(mmap),                       IF(MMAP_MODULE(PROT_READ | PROT_EXEC)),    "the loader: code and constants; nothing else becomes executable" },
    { ALLOW(mmap),                       IF(MMAP_MODULE(PROT_READ | PROT_WRITE)),   "the loader: data, a private copy" },
    { ANSWER(openat),                    ANY,                                       "the loader opens the module: by that one name, once; else EACCES" },
    { ANSWER(newfstatat),                ANY,                                       "the loader asks what it opened; else EACCES" },
    { ANSWER(fstat),                     ANY,                                       "as newfstatat, for newer libcs" },
    { ANSWER(tgkill),                    IF(INT_IS(2, SIGABRT)),                    "abort(): told as its signal; no signal is sent" },
    ROWS_MEMORY
    ROWS_TASKLETS
    ROWS_BUFFERS
    ROWS_TIME
    { ALLOW(nanosleep),                  ANY,                                       "sleep(), within the wall limit" },
    { ALLOW(clock_nanosleep),            IF(INT_IN(0, 7)),                          "sleep(); not by another process's clock" },
    { ALLOW(poll),                       ANY,                                       "as ppoll" },
    { REFUSE(epoll_create1, EPERM),      ANY,                                       "coop_fd_wait(): a job has no descriptor to wait on" },
    ROWS_SELF
    { ALLOW(sched_yield),                ANY,                                       "spin locks" },
    { REFUSE(sched_getaffinity, EPERM),  ANY,                                       "C++ counts processors" },
    ROWS_SOFT
    ROWS_SANITIZER
    ROWS_SANITIZER_SIGNALS
};
/* clang-format on */

const struct policy_table policy_table_compute = POLICY_TABLE("compute", compute_rows, POLICY_VIOLATION);
const struct policy_table policy_table_lua = POLICY_TABLE("lua", lua_rows, POLICY_VIOLATION);
const struct policy_table policy_table_lua_template = POLICY_TABLE("lua-template", lua_template_rows, POLICY_VIOLATION);
const struct policy_table policy_table_python = POLICY_TABLE("python", python_rows, POLICY_VIOLATION);
const struct policy_table policy_table_python_template = POLICY_TABLE("python-template", python_template_rows, POLICY_VIOLATION);
const struct policy_table policy_table_native = POLICY_TABLE("native", native_rows, POLICY_VIOLATION);
