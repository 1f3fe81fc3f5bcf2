/* call_words.c - the tables behind syscall_words.h: constants by what they are for, arguments by call. */
#include "syscall_words.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define ONE(x)                                                                                                                             \
    {                                                                                                                                      \
#x, (uint64_t)(x), WORD_ONE_OF                                                                                                     \
    }
#define BIT(x)                                                                                                                             \
    {                                                                                                                                      \
#x, (uint64_t)(x), WORD_BIT                                                                                                        \
    }
#define ALONE(x)                                                                                                                           \
    {                                                                                                                                      \
#x, (uint64_t)(x), WORD_ALONE                                                                                                      \
    }
#define NAMED(n, v)                                                                                                                        \
    {                                                                                                                                      \
#n, v, WORD_ONE_OF                                                                                                                 \
    }
#define NAMED_BIT(n, v)                                                                                                                    \
    {                                                                                                                                      \
#n, v, WORD_BIT                                                                                                                    \
    }
#define LAST                                                                                                                               \
    {                                                                                                                                      \
        NULL, 0, WORD_ONE_OF                                                                                                               \
    }

/* clang-format off */
static const struct word families[] = {
    ONE(AF_UNSPEC), ONE(AF_UNIX), ONE(AF_INET), ONE(AF_AX25), ONE(AF_IPX), ONE(AF_APPLETALK), ONE(AF_X25), ONE(AF_INET6), ONE(AF_KEY),
    ONE(AF_NETLINK), ONE(AF_PACKET), ONE(AF_RDS), ONE(AF_PPPOX), ONE(AF_LLC), ONE(AF_IB), ONE(AF_MPLS), ONE(AF_CAN), ONE(AF_TIPC),
    ONE(AF_BLUETOOTH), ONE(AF_RXRPC), ONE(AF_PHONET), ONE(AF_ALG), ONE(AF_NFC), ONE(AF_VSOCK), ONE(AF_KCM), ONE(AF_QIPCRTR), ONE(AF_SMC),
    ONE(AF_XDP), NAMED(AF_MCTP, 45), LAST
};
static const struct word socket_types[] = {
    ONE(SOCK_STREAM), ONE(SOCK_DGRAM), ONE(SOCK_RAW), ONE(SOCK_RDM), ONE(SOCK_SEQPACKET), ONE(SOCK_DCCP), ONE(SOCK_PACKET),
    BIT(SOCK_CLOEXEC), BIT(SOCK_NONBLOCK), LAST
};
static const struct word protections[] = {
    ALONE(PROT_NONE), BIT(PROT_READ), BIT(PROT_WRITE), BIT(PROT_EXEC), BIT(PROT_GROWSDOWN), BIT(PROT_GROWSUP), LAST
};
static const struct word map_flags[] = {
    ONE(MAP_SHARED), ONE(MAP_PRIVATE), NAMED(MAP_SHARED_VALIDATE, 3), BIT(MAP_FIXED), BIT(MAP_ANONYMOUS), BIT(MAP_32BIT), BIT(MAP_GROWSDOWN),
    BIT(MAP_DENYWRITE), BIT(MAP_LOCKED), BIT(MAP_NORESERVE), BIT(MAP_POPULATE), BIT(MAP_NONBLOCK), BIT(MAP_STACK), BIT(MAP_HUGETLB),
    NAMED_BIT(MAP_FIXED_NOREPLACE, 0x100000), LAST
};
static const struct word remap_flags[] = { BIT(MREMAP_MAYMOVE), BIT(MREMAP_FIXED), NAMED_BIT(MREMAP_DONTUNMAP, 4), LAST };
static const struct word advice[] = {
    ONE(MADV_NORMAL), ONE(MADV_RANDOM), ONE(MADV_SEQUENTIAL), ONE(MADV_WILLNEED), ONE(MADV_DONTNEED), ONE(MADV_FREE), ONE(MADV_REMOVE),
    ONE(MADV_DONTFORK), ONE(MADV_DOFORK), ONE(MADV_MERGEABLE), ONE(MADV_UNMERGEABLE), ONE(MADV_HUGEPAGE), ONE(MADV_NOHUGEPAGE),
    ONE(MADV_DONTDUMP), ONE(MADV_DODUMP), ONE(MADV_WIPEONFORK), ONE(MADV_KEEPONFORK), ONE(MADV_COLD), ONE(MADV_PAGEOUT),
    ONE(MADV_HWPOISON), NAMED(MADV_GUARD_INSTALL, 102), NAMED(MADV_GUARD_REMOVE, 103), LAST
};
static const struct word futex_ops[] = {
    ONE(FUTEX_WAIT), ONE(FUTEX_WAKE), ONE(FUTEX_FD), ONE(FUTEX_REQUEUE), ONE(FUTEX_CMP_REQUEUE), ONE(FUTEX_WAKE_OP), ONE(FUTEX_LOCK_PI),
    ONE(FUTEX_UNLOCK_PI), ONE(FUTEX_TRYLOCK_PI), ONE(FUTEX_WAIT_BITSET), ONE(FUTEX_WAKE_BITSET), ONE(FUTEX_WAIT_REQUEUE_PI),
    ONE(FUTEX_CMP_REQUEUE_PI), NAMED(FUTEX_LOCK_PI2, 13), BIT(FUTEX_PRIVATE_FLAG), BIT(FUTEX_CLOCK_REALTIME), LAST
};
static const struct word clone_flags[] = {
    BIT(CLONE_VM), BIT(CLONE_FS), BIT(CLONE_FILES), BIT(CLONE_SIGHAND), BIT(CLONE_PIDFD), BIT(CLONE_PTRACE), BIT(CLONE_VFORK), BIT(CLONE_PARENT),
    BIT(CLONE_THREAD), BIT(CLONE_NEWNS), BIT(CLONE_SYSVSEM), BIT(CLONE_SETTLS), BIT(CLONE_PARENT_SETTID), BIT(CLONE_CHILD_CLEARTID),
    BIT(CLONE_DETACHED), BIT(CLONE_UNTRACED), BIT(CLONE_CHILD_SETTID), BIT(CLONE_NEWCGROUP), BIT(CLONE_NEWUTS), BIT(CLONE_NEWIPC),
    BIT(CLONE_NEWUSER), BIT(CLONE_NEWPID), BIT(CLONE_NEWNET), BIT(CLONE_IO), NAMED_BIT(CLONE_NEWTIME, 0x80), LAST
};
static const struct word signals[] = {
    ONE(SIGHUP), ONE(SIGINT), ONE(SIGQUIT), ONE(SIGILL), ONE(SIGTRAP), ONE(SIGABRT), ONE(SIGBUS), ONE(SIGFPE), ONE(SIGKILL), ONE(SIGUSR1),
    ONE(SIGSEGV), ONE(SIGUSR2), ONE(SIGPIPE), ONE(SIGALRM), ONE(SIGTERM), ONE(SIGSTKFLT), ONE(SIGCHLD), ONE(SIGCONT), ONE(SIGSTOP),
    ONE(SIGTSTP), ONE(SIGTTIN), ONE(SIGTTOU), ONE(SIGURG), ONE(SIGXCPU), ONE(SIGXFSZ), ONE(SIGVTALRM), ONE(SIGPROF), ONE(SIGWINCH),
    ONE(SIGIO), ONE(SIGPWR), ONE(SIGSYS), LAST
};
static const struct word requests[] = {
    ONE(TCGETS), ONE(TCSETS), ONE(TCSETSW), ONE(TCSETSF), ONE(TCGETA), ONE(TCSETA), ONE(TCSETAW), ONE(TCSETAF), ONE(TCSBRK), ONE(TCXONC),
    ONE(TCFLSH), NAMED(TCGETS2, 0x802c542a), NAMED(TCSETS2, 0x402c542b), NAMED(TCSETSW2, 0x402c542c), NAMED(TCSETSF2, 0x402c542d),
    ONE(TIOCEXCL), ONE(TIOCNXCL), ONE(TIOCSCTTY), ONE(TIOCGPGRP), ONE(TIOCSPGRP), ONE(TIOCOUTQ), ONE(TIOCSTI), ONE(TIOCGWINSZ), ONE(TIOCSWINSZ),
    ONE(FIONREAD), ONE(TIOCLINUX), ONE(TIOCCONS), ONE(FIONBIO), ONE(TIOCNOTTY), ONE(TIOCSETD), ONE(TIOCGETD), ONE(TIOCGSID), ONE(TIOCGPTN),
    ONE(TIOCSPTLCK), ONE(TIOCGPTPEER), ONE(FIONCLEX), ONE(FIOCLEX), ONE(FIOASYNC), ONE(FIOQSIZE), ONE(FS_IOC_GETFLAGS), ONE(FS_IOC_SETFLAGS),
    ONE(FICLONE), NAMED(FS_IOC_FIEMAP, 0xc020660b), ONE(BLKGETSIZE64), ONE(SIOCGIFNAME), ONE(SIOCGIFCONF), ONE(SIOCGIFFLAGS), ONE(SIOCSIFFLAGS),
    ONE(SIOCGIFADDR), ONE(SIOCGIFNETMASK), ONE(SIOCGIFMTU), ONE(SIOCGIFHWADDR), ONE(SIOCGIFINDEX), ONE(SECCOMP_IOCTL_NOTIF_RECV),
    ONE(SECCOMP_IOCTL_NOTIF_SEND), NAMED(SECCOMP_IOCTL_NOTIF_ID_VALID, 0x40082102), LAST
};
static const struct word options[] = {
    ONE(PR_SET_PDEATHSIG), ONE(PR_GET_PDEATHSIG), ONE(PR_GET_DUMPABLE), ONE(PR_SET_DUMPABLE), ONE(PR_GET_KEEPCAPS), ONE(PR_SET_KEEPCAPS),
    ONE(PR_GET_TIMING), ONE(PR_SET_TIMING), ONE(PR_SET_NAME), ONE(PR_GET_NAME), ONE(PR_GET_SECCOMP), ONE(PR_SET_SECCOMP), ONE(PR_CAPBSET_READ),
    ONE(PR_CAPBSET_DROP), ONE(PR_GET_TSC), ONE(PR_SET_TSC), ONE(PR_GET_SECUREBITS), ONE(PR_SET_SECUREBITS), ONE(PR_SET_TIMERSLACK),
    ONE(PR_GET_TIMERSLACK), ONE(PR_SET_MM), ONE(PR_SET_CHILD_SUBREAPER), ONE(PR_GET_CHILD_SUBREAPER), ONE(PR_SET_NO_NEW_PRIVS),
    ONE(PR_GET_NO_NEW_PRIVS), ONE(PR_GET_TID_ADDRESS), ONE(PR_SET_THP_DISABLE), ONE(PR_GET_THP_DISABLE), ONE(PR_CAP_AMBIENT),
    ONE(PR_GET_SPECULATION_CTRL), ONE(PR_SET_SPECULATION_CTRL), NAMED(PR_SET_SYSCALL_USER_DISPATCH, 59), NAMED(PR_SCHED_CORE, 62),
    NAMED(PR_SET_MDWE, 65), NAMED(PR_GET_MDWE, 66), NAMED(PR_SET_MEMORY_MERGE, 67), NAMED(PR_GET_MEMORY_MERGE, 68), ONE(PR_SET_PTRACER),
    NAMED(PR_SET_VMA, 0x53564d41), NAMED(PR_GET_AUXV, 0x41555856), LAST
};
static const struct word commands[] = {
    ONE(F_DUPFD), ONE(F_GETFD), ONE(F_SETFD), ONE(F_GETFL), ONE(F_SETFL), ONE(F_GETLK), ONE(F_SETLK), ONE(F_SETLKW), ONE(F_SETOWN), ONE(F_GETOWN),
    ONE(F_SETSIG), ONE(F_GETSIG), ONE(F_SETOWN_EX), ONE(F_GETOWN_EX), ONE(F_OFD_GETLK), ONE(F_OFD_SETLK), ONE(F_OFD_SETLKW), ONE(F_SETLEASE),
    ONE(F_GETLEASE), ONE(F_NOTIFY), ONE(F_DUPFD_CLOEXEC), ONE(F_SETPIPE_SZ), ONE(F_GETPIPE_SZ), ONE(F_ADD_SEALS), ONE(F_GET_SEALS), LAST
};
static const struct word seals[] = {
    BIT(F_SEAL_SEAL), BIT(F_SEAL_SHRINK), BIT(F_SEAL_GROW), BIT(F_SEAL_WRITE), NAMED_BIT(F_SEAL_FUTURE_WRITE, 0x10), LAST
};
static const struct word traces[] = {
    NAMED(PTRACE_TRACEME, 0), NAMED(PTRACE_PEEKTEXT, 1), NAMED(PTRACE_PEEKDATA, 2), NAMED(PTRACE_POKETEXT, 4), NAMED(PTRACE_POKEDATA, 5),
    NAMED(PTRACE_CONT, 7), NAMED(PTRACE_ATTACH, 16), NAMED(PTRACE_SEIZE, 0x4206), LAST
};
static const struct word arch_codes[] = {
    ONE(ARCH_SET_GS), ONE(ARCH_SET_FS), ONE(ARCH_GET_FS), ONE(ARCH_GET_GS), NAMED(ARCH_GET_XCOMP_SUPP, 0x1021), NAMED(ARCH_GET_XCOMP_PERM, 0x1022),
    NAMED(ARCH_REQ_XCOMP_PERM, 0x1023), NAMED(ARCH_MAP_VDSO_32, 0x2002), LAST
};
static const struct word barriers[] = {
    ONE(MEMBARRIER_CMD_QUERY), ONE(MEMBARRIER_CMD_GLOBAL), ONE(MEMBARRIER_CMD_GLOBAL_EXPEDITED), ONE(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED),
    ONE(MEMBARRIER_CMD_PRIVATE_EXPEDITED), ONE(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED), ONE(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE),
    ONE(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE), LAST
};
static const struct word levels[] = { ONE(SOL_SOCKET), ONE(IPPROTO_IP), ONE(IPPROTO_TCP), ONE(IPPROTO_UDP), ONE(IPPROTO_IPV6), LAST };
static const struct word file_types[] = {
    ONE(S_IFIFO), ONE(S_IFREG), ONE(S_IFSOCK), ONE(S_IFCHR), ONE(S_IFBLK), LAST
};
static const struct word timers[] = { ONE(ITIMER_REAL), ONE(ITIMER_VIRTUAL), ONE(ITIMER_PROF), LAST };
static const struct word random_flags[] = { BIT(GRND_NONBLOCK), BIT(GRND_RANDOM), LAST };
static const struct word personalities[] = { ONE(PER_LINUX), BIT(ADDR_NO_RANDOMIZE), BIT(READ_IMPLIES_EXEC), LAST };
static const struct word seccomp_ops[] = { ONE(SECCOMP_SET_MODE_STRICT), ONE(SECCOMP_SET_MODE_FILTER), ONE(SECCOMP_GET_ACTION_AVAIL), LAST };
static const struct word priorities[] = { ONE(PRIO_PROCESS), ONE(PRIO_PGRP), ONE(PRIO_USER), LAST };
static const struct word schedulers[] = { ONE(SCHED_OTHER), ONE(SCHED_FIFO), ONE(SCHED_RR), ONE(SCHED_BATCH), ONE(SCHED_IDLE), ONE(SCHED_DEADLINE), LAST };

/* A word may stand in several tables, with one value. */
static const struct word *const all_words[] = {
    families, socket_types, protections, map_flags, remap_flags, advice, futex_ops, clone_flags, signals, requests, options, commands, seals,
    traces, arch_codes, barriers, levels, file_types, timers, random_flags, personalities, seccomp_ops, priorities, schedulers,
};

#define I(name)        { name, ARG_INT, NULL }
#define L(name)        { name, ARG_LONG, NULL }
#define IW(name, of)   { name, ARG_INT, of }
#define LW(name, of)   { name, ARG_LONG, of }
#define CALL(x, s, ...) { __NR_##x, { __VA_ARGS__ }, s }

/* ordered as a reader would look for them; not every call is here */
static const struct call_words calls[] = {
    CALL(socket,       0, IW("family", families), IW("type", socket_types), I("protocol")),
    CALL(socketpair,   0, IW("family", families), IW("type", socket_types), I("protocol"), L("pair")),
    CALL(setsockopt,   1, I("fd"), IW("level", levels), I("option"), L("value"), I("len")),
    CALL(getsockopt,  -1, I("fd"), IW("level", levels), I("option"), L("value"), L("len")),
    CALL(connect,     -1, I("fd"), L("address"), I("len")),
    CALL(bind,        -1, I("fd"), L("address"), I("len")),
    CALL(sendto,      -1, I("fd"), L("buf"), L("len"), I("flags"), L("address"), I("address_len")),
    CALL(recvfrom,    -1, I("fd"), L("buf"), L("len"), I("flags"), L("address"), L("address_len")),
    CALL(mmap,        -1, L("address"), L("len"), LW("prot", protections), LW("flags", map_flags), I("fd"), L("offset")),
    CALL(mprotect,    -1, L("address"), L("len"), LW("prot", protections)),
    CALL(pkey_mprotect, -1, L("address"), L("len"), LW("prot", protections), I("key")),
    CALL(mremap,      -1, L("address"), L("old_len"), L("new_len"), LW("flags", remap_flags), L("new_address")),
    CALL(madvise,      2, L("address"), L("len"), IW("advice", advice)),
    CALL(process_madvise, -1, I("pidfd"), L("iovec"), L("count"), IW("advice", advice), I("flags")),
    CALL(futex,        1, L("address"), IW("op", futex_ops), I("value"), L("timeout"), L("address2"), I("value3")),
    CALL(clone,       -1, LW("flags", clone_flags), L("stack"), L("parent_tid"), L("child_tid"), L("tls")),
    CALL(unshare,      0, LW("flags", clone_flags)),
    CALL(setns,       -1, I("fd"), IW("type", clone_flags)),
    CALL(kill,        -1, I("pid"), IW("signal", signals)),
    CALL(tkill,       -1, I("tid"), IW("signal", signals)),
    CALL(tgkill,      -1, I("pid"), I("tid"), IW("signal", signals)),
    CALL(ioctl,        1, I("fd"), IW("request", requests), L("arg")),
    CALL(prctl,        0, IW("option", options), L("a2"), L("a3"), L("a4"), L("a5")),
    CALL(arch_prctl,   0, IW("code", arch_codes), L("value")),
    CALL(fcntl,        1, I("fd"), IW("command", commands), LW("value", seals)),
    CALL(ptrace,       0, LW("request", traces), L("pid"), L("address"), L("data")),
    CALL(process_vm_readv,  -1, I("pid"), L("local"), L("n_local"), L("remote"), L("n_remote"), L("flags")),
    CALL(process_vm_writev, -1, I("pid"), L("local"), L("n_local"), L("remote"), L("n_remote"), L("flags")),
    CALL(membarrier,   0, IW("command", barriers), I("flags"), I("cpu")),
    CALL(mknod,       -1, L("path"), IW("mode", file_types), L("dev")),
    CALL(mknodat,     -1, I("dir"), L("path"), IW("mode", file_types), I("dev")),
    CALL(setitimer,    0, IW("timer", timers), L("new"), L("old")),
    CALL(getrandom,   -1, L("buf"), L("len"), IW("flags", random_flags)),
    CALL(personality,  0, IW("persona", personalities)),
    CALL(prlimit64,   -1, I("pid"), I("resource"), L("new"), L("old")),
    CALL(get_robust_list, -1, I("pid"), L("head"), L("len")),
    CALL(clock_gettime, -1, I("clock"), L("time")),
    CALL(clock_getres, -1, I("clock"), L("time")),
    CALL(clock_settime, -1, I("clock"), L("time")),
    CALL(clock_nanosleep, -1, I("clock"), I("flags"), L("time"), L("left")),
    CALL(seccomp,      0, IW("op", seccomp_ops), I("flags"), L("args")),
    CALL(bpf,          0, I("command"), L("attr"), I("size")),
    CALL(keyctl,       0, I("command"), L("a2"), L("a3"), L("a4"), L("a5")),
    CALL(setpriority, -1, IW("which", priorities), I("who"), I("nice")),
    CALL(sched_setscheduler, -1, I("pid"), IW("policy", schedulers), L("param")),
    CALL(sched_setaffinity, -1, I("pid"), I("len"), L("mask")),
    CALL(mount,       -1, L("source"), L("target"), L("type"), L("flags"), L("data")),
    CALL(umount2,     -1, L("target"), I("flags")),
    CALL(pivot_root,  -1, L("new_root"), L("put_old")),
    CALL(chroot,      -1, L("path")),
    CALL(swapon,      -1, L("path"), I("flags")),
    CALL(reboot,      -1, I("magic"), I("magic2"), I("command"), L("arg")),
    CALL(syslog,       0, I("type"), L("buf"), I("len")),
    CALL(perf_event_open, -1, L("attr"), I("pid"), I("cpu"), I("group"), L("flags")),
    CALL(userfaultfd, -1, I("flags")),
    CALL(open,        -1, L("path"), I("flags"), I("mode")),
    CALL(openat,      -1, I("dir"), L("path"), I("flags"), I("mode")),
    CALL(execve,      -1, L("path"), L("argv"), L("envp")),
    CALL(execveat,    -1, I("dir"), L("path"), L("argv"), L("envp"), I("flags")),
    CALL(read,        -1, I("fd"), L("buf"), L("len")),
    CALL(write,       -1, I("fd"), L("buf"), L("len")),
    CALL(readv,       -1, I("fd"), L("iovec"), L("count")),
    CALL(writev,      -1, I("fd"), L("iovec"), L("count")),
    CALL(pread64,     -1, I("fd"), L("buf"), L("len"), L("offset")),
    CALL(pwrite64,    -1, I("fd"), L("buf"), L("len"), L("offset")),
    CALL(close,       -1, I("fd")),
    CALL(dup,         -1, I("fd")),
    CALL(epoll_wait,  -1, I("fd"), L("events"), I("max"), I("timeout")),
    CALL(fork,        -1, L(NULL)),
    CALL(vfork,       -1, L(NULL)),
    CALL(vhangup,     -1, L(NULL)),
};
/* clang-format on */

const struct call_words *call_words_find(uint32_t nr)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (calls[i].nr == nr)
            return &calls[i];
    return NULL;
}

enum { N_TABLES = sizeof(all_words) / sizeof(all_words[0]), NAMES_MAX = 512 };

bool word_value(const char *name, uint64_t *ret_value)
{
    for (size_t t = 0; t < N_TABLES; t++)
        for (const struct word *w = all_words[t]; w->name != NULL; w++)
            if (strcmp(w->name, name) == 0) {
                *ret_value = w->value;
                return true;
            }
    return false;
}

const char *const *word_all_names(void)
{
    static const char *names[NAMES_MAX];
    size_t n = 0;

    for (size_t t = 0; t < N_TABLES; t++)
        for (const struct word *w = all_words[t]; w->name != NULL && n < NAMES_MAX - 1; w++)
            names[n++] = w->name;
    return names;
}
