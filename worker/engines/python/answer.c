/*
 * answer.c - calls that the policy leaves to us, in the handler of SIGSYS: the standard streams and the files of the job, which are no descriptors here,
 * and signals, whose handlers are ours. The caller may be any code of the tenant's, in any thread.
 */
#include "worker/engines/python/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

#include "worker/engines/python/files.h"
#include "worker/engines/python/job.h"
#include "worker/engines/python/state.h"
#include "worker/input.h"
#include "worker/output.h"
#include "worker/serve.h"

/* ---- streams ------------------------------------------------------------------------------------------------------------------- */

enum { MOST = 0x7ffff000 }; /* that one call writes, as the kernel has it */

static long answer_write(uint64_t fd, const void *bytes, size_t len)
{
    if ((int)fd != STDOUT_FILENO && (int)fd != STDERR_FILENO)
        return -EBADF;
    if (len > SSIZE_MAX)
        return -EINVAL;
    if (len > MOST)
        len = MOST;
    output_write((int)fd == STDOUT_FILENO ? PB__STREAM__STREAM_STDOUT : PB__STREAM__STREAM_STDERR, bytes, len);
    if ((int)fd == STDOUT_FILENO)
        output_flush(); /* what goes round Python's buffer is not held back in ours either */
    return (long)len;
}

static long answer_writev(uint64_t fd, const struct iovec *iov, uint64_t n)
{
    long total = 0;

    if (n > IOV_MAX)
        return -EINVAL;
    for (uint64_t i = 0; i < n; i++) {
        long put = answer_write(fd, iov[i].iov_base, iov[i].iov_len);

        if (put < 0)
            return put;
        total += put;
    }
    return total;
}

/* What is there, and at most size. */
static long answer_read(uint64_t fd, void *into, size_t size)
{
    const uint8_t *bytes;
    size_t len;
    int rc;

    if ((int)fd != STDIN_FILENO)
        return python_files_read(fd, into, size);
    rc = input_peek(&bytes, &len);
    if (rc <= 0)
        return rc == -ECANCELED ? -EINTR : rc;
    if (len > size)
        len = size;
    memcpy(into, bytes, len);
    input_take(len);
    return (long)len;
}

static long answer_readv(uint64_t fd, const struct iovec *iov, uint64_t n)
{
    uint64_t i = 0;

    if (n > IOV_MAX)
        return -EINVAL;
    while (i < n && iov[i].iov_len == 0)
        i++;
    return i < n ? answer_read(fd, iov[i].iov_base, iov[i].iov_len) : 0; /* less than asked for, as from any pipe */
}

static bool is_stream(uint64_t fd)
{
    return (int)fd >= STDIN_FILENO && (int)fd <= STDERR_FILENO;
}

static long answer_fstat(uint64_t fd, struct stat *ret_st)
{
    if (!is_stream(fd))
        return python_files_stat(fd, ret_st);
    *ret_st = (struct stat){ .st_mode = S_IFIFO | 0600, .st_nlink = 1, .st_blksize = 4096 };
    return 0;
}

static long answer_fstatat(const uint64_t args[6])
{
    const char *path = (const char *)(uintptr_t)args[1];

    if ((args[3] & AT_EMPTY_PATH) != 0 && path != NULL && path[0] == '\0')
        return answer_fstat(args[0], (struct stat *)(uintptr_t)args[2]);
    return python_files_stat_path(path, (struct stat *)(uintptr_t)args[2]);
}

static long answer_lseek(const uint64_t args[6])
{
    return is_stream(args[0]) ? -ESPIPE : python_files_seek(args[0], (int64_t)args[1], (int)args[2]);
}

static long answer_pread(const uint64_t args[6])
{
    return is_stream(args[0]) ? -ESPIPE : python_files_pread(args[0], (void *)(uintptr_t)args[1], args[2], (int64_t)args[3]);
}

static long answer_close(uint64_t fd)
{
    return is_stream(fd) ? 0 : python_files_close(fd);
}

static long answer_fcntl(const uint64_t args[6])
{
    bool file = python_files_is(args[0]);

    if (!is_stream(args[0]) && !file)
        return -EBADF;
    switch ((int)args[1]) {
    case F_GETFL: return file || (int)args[0] == STDIN_FILENO ? O_RDONLY : O_WRONLY;
    case F_GETFD:
    case F_SETFD: return 0;
    default: return -EPERM;
    }
}

/* ---- signals ------------------------------------------------------------------------------------------------------------------- */

/* As the kernel has it; our signals' handlers stay, and are told to nobody. The module signal keeps its own table, which it goes by. */
static long answer_sigaction(const uint64_t args[6])
{
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } *old = (void *)(uintptr_t)args[2];

    if (old != NULL)
        memset(old, 0, sizeof(*old));
    return 0;
}

/* abort(): the filter, made once for all workers, cannot tell this process from another, so it is told instead. */
static _Noreturn void aborted(void)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_ABORTED };

    serve_finish(&o);
}

/* As a shell says that a signal has ended somebody. */
static _Noreturn void ended_by(int signo)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_EXIT };

    o.exit_code = 128 + signo;
    serve_finish(&o);
}

/* Those whose handler in the kernel is ours, or was taken away before the seal: Python's table says what it does. */
static bool is_of_the_table(int signo)
{
    return signo == SIGINT || signo == SIGTERM || signo == SIGALRM || signo == SIGVTALRM || signo == SIGPIPE;
}

/* The signal to the process itself, done as the kernel would do it. */
static long answer_raise(pid_t pid, int signo)
{
    struct sigaction now;

    if (pid != getpid())
        return -EPERM;
    if (signo == 0)
        return 0;
    if (signo == SIGABRT)
        aborted();
    if (is_of_the_table(signo))
        return PyErr_SetInterruptEx(signo) == 0 ? 0 : -EINVAL;
    if (signo == SIGSEGV || signo == SIGSYS)
        ended_by(signo);
    if (sigaction(signo, NULL, &now) != 0)
        return -EINVAL;
    if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler == SIG_DFL)
        ended_by(signo);
    if (now.sa_handler != SIG_IGN)
        now.sa_handler(signo);
    return 0;
}

/* Until Python has a signal to handle: not one of the worker's own, which is what output that is due makes. */
static long answer_pause(void)
{
    sigset_t all, before;

    sigfillset(&all);
    sigdelset(&all, SIGSYS);
    sigdelset(&all, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (!py_state_signalled())
        (void)ppoll(NULL, 0, NULL, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -EINTR;
}

/* ---- the machine --------------------------------------------------------------------------------------------------------------- */

/* libc's sysconf() does not look whether it has failed, so what it reads is nothing, and not what was on its stack. */
static long answer_sysinfo(struct sysinfo *ret_info)
{
    memset(ret_info, 0, sizeof(*ret_info));
    return -EPERM;
}

/* ---- all of them ----------------------------------------------------------------------------------------------------------------- */

bool python_answer(long nr, const uint64_t args[6], long *ret_result)
{
    void *memory = (void *)(uintptr_t)args[1];

    if (nr == SYS_kill && (pid_t)args[0] != getpid())
        return false; /* which ends the job, and names it */
    switch (nr) {
    case SYS_kill: *ret_result = answer_raise((pid_t)args[0], (int)args[1]); return true;
    case SYS_read: *ret_result = answer_read(args[0], memory, args[2]); return true;
    case SYS_write: *ret_result = answer_write(args[0], memory, args[2]); return true;
    case SYS_writev: *ret_result = answer_writev(args[0], memory, args[2]); return true;
    case SYS_openat: *ret_result = python_files_open(memory, (int)args[2]); return true;
    case SYS_access: *ret_result = python_files_access((const char *)(uintptr_t)args[0], (int)args[1]); return true;
    case SYS_pread64: *ret_result = answer_pread(args); return true;
    case SYS_lseek: *ret_result = answer_lseek(args); return true;
    case SYS_close: *ret_result = answer_close(args[0]); return true;
    case SYS_readv: *ret_result = answer_readv(args[0], memory, args[2]); return true;
    case SYS_pause: *ret_result = answer_pause(); return true;
    case SYS_msync: *ret_result = 0; return true;
    case SYS_sysinfo: *ret_result = answer_sysinfo((struct sysinfo *)(uintptr_t)args[0]); return true;
    case SYS_fstat: *ret_result = answer_fstat(args[0], memory); return true;
    case SYS_newfstatat: *ret_result = answer_fstatat(args); return true;
    case SYS_fcntl: *ret_result = answer_fcntl(args); return true;
    case SYS_rt_sigaction: *ret_result = answer_sigaction(args); return true;
    case SYS_tgkill: *ret_result = answer_raise((pid_t)args[0], (int)args[2]); return true;
    default: return false;
    }
}
