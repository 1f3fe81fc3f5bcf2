/* janitor_seal.c - see janitor_seal.h. */
#include "broker/janitor_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

/* What removing groups and directories takes, and what libc takes for it. */
static const int janitor_calls[] = {
    SYS_recvfrom,
    SYS_read,
    SYS_write,
    SYS_writev,
    SYS_openat,
    SYS_close,
    SYS_fstat,
    SYS_newfstatat,
    SYS_getdents64,
    SYS_lseek,
    SYS_fcntl,
    SYS_flock,
    SYS_unlinkat,
    SYS_renameat,
    SYS_renameat2,
    SYS_fchmodat,
    SYS_ppoll,
    SYS_restart_syscall, /* the kernel's own way to resume a wait: of one that was stopped and goes on */
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_brk,
    SYS_madvise,
    SYS_futex,
    SYS_getpid,
    SYS_rt_sigreturn,
    SYS_clock_gettime,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_exit_group,
#if defined(__x86_64__)
    SYS_poll,
    SYS_unlink,
    SYS_rmdir,
    SYS_rename,
    SYS_chmod,
#endif
};
enum { CALLS_MAX = 64 };
_Static_assert(sizeof(janitor_calls) / sizeof(janitor_calls[0]) <= CALLS_MAX, "the filter has room for them");

static int become_small(void)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    if (prctl(PR_SET_DUMPABLE, 0) != 0 || syscall(SYS_capset, &head, none) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return chdir("/") != 0 ? -errno : 0;
}

/* Any other call fails. */
static int filter(const int *calls, size_t n_calls)
{
#if defined(COOP_ASAN) || defined(COOP_TSAN) || defined(COOP_UBSAN) || !defined(ARCH)
    (void)calls;
    (void)n_calls;
    return 0; /* a sanitizer makes calls of its own */
#else
    struct sock_filter code[5 + CALLS_MAX + 2];
    struct sock_fprog program = { .filter = code };
    unsigned short n = 0;

    if (n_calls > CALLS_MAX)
        return -E2BIG;

    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < n_calls; i++) /* to the last instruction, over the rows that are left and the refusal */
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], (unsigned char)(n_calls - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program.len = n;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0 ? -errno : 0;
#endif
}

/* Standard error stays, for the log, and the descriptors that are kept, which become 3, 4 and so on. */
static int keep_descriptors(int *const *kept, int n)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int i = 0; i < n; i++) { /* out of the way first: one may stand where another is to be */
        *kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, 3 + n);
        if (*kept[i] < 0)
            return -errno;
    }
    for (int i = 0; i < n; i++) {
        if (dup3(*kept[i], 3 + i, O_CLOEXEC) < 0)
            return -errno;
        *kept[i] = 3 + i;
    }
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        return -errno;
    return close_range((unsigned)(3 + n), ~0U, 0) != 0 ? -errno : 0;
}

int process_seal(int *const *kept, int n, const int *calls, size_t n_calls)
{
    int rc = keep_descriptors(kept, n);

    if (rc == 0)
        rc = become_small();
    return rc == 0 ? filter(calls, n_calls) : rc;
}

int janitor_seal(int *const *kept, int n)
{
    return process_seal(kept, n, janitor_calls, sizeof(janitor_calls) / sizeof(janitor_calls[0]));
}
