/*
 * exec_attempts.h - what is tried from inside a program (engine exec), and what has to come of it: one row an attempt.
 *
 * Side:   tests. tests/escape/probes/ does it, tests/escape/test_exec_escape.c judges; both expand this list.
 * Number: of the list that the sandbox is judged by (sandbox.md, section 5).
 *
 * Expected, first for T0 and T1, then behind " | " for T2 where that differs:
 *
 *   K CALL      the job ends, cause policy, and the receipt names the call
 *   Ks          the kernel kills the process at once: a foreign ABI
 *   A ERRNO...  the call returns -1 with one of these, and the job goes on
 *   O NUMBER    it returns that, which is harmless; without a number: whatever it returns
 *   C CAUSE...  contained: the job ends with one of these causes
 *   S REASON    not there at this tier, and why
 */
#ifndef TESTS_ESCAPE_EXEC_ATTEMPTS_H
#define TESTS_ESCAPE_EXEC_ATTEMPTS_H

/* One system call: number, name, expected, then the call and its arguments. */
/* clang-format off */
#define EXEC_CALLS(X)                                                                                                                      \
    X(8,  seccomp_allow_all,     "A EPERM",            SYS_seccomp, 1, 0, BUF)                                                             \
    X(9,  seccomp_listener,      "A EPERM",            SYS_seccomp, 1, 8, BUF)                                                             \
    X(10, prctl_strict,          "A EPERM",            SYS_prctl, PR_SET_SECCOMP, 1)                                                       \
    X(10, prctl_filter,          "A EPERM",            SYS_prctl, PR_SET_SECCOMP, 2, BUF)                                                  \
    X(10, prctl_nnp_off,         "A EPERM EINVAL",     SYS_prctl, PR_SET_NO_NEW_PRIVS, 0)                                                  \
    X(10, prctl_securebits,      "A EPERM",            SYS_prctl, PR_SET_SECUREBITS, 0)                                                    \
    X(10, prctl_ambient,         "A EPERM",            SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21)                                \
    X(15, modify_ldt,            "K modify_ldt",       SYS_modify_ldt, 1, BUF, 16)                                                         \
    X(15, arch_prctl_gs,         "A EPERM",            SYS_arch_prctl, 0x1001, BUF)                                                        \
    X(15, arch_prctl_vdso32,     "A EPERM",            SYS_arch_prctl, 0x2002, 0)                                                          \
    X(15, arch_prctl_xcomp,      "A EPERM",            SYS_arch_prctl, 0x1023, 18)                                                         \
    X(16, personality,           "A EPERM",            SYS_personality, 0x0440000)                                                         \
    X(17, shmat_exec,            "A ENOSYS",           SYS_shmat, 0, 0, 0100000)                                                           \
    X(17, remap_file_pages,      "A ENOSYS",           SYS_remap_file_pages, BUF, 4096, 0, 0, 0)                                           \
    X(17, mmap_hugetlb,          "A ENOMEM",           SYS_mmap, 0, 2097152, 3, 0x40022, -1, 0)                                            \
    X(17, mlockall,              "A EPERM",            SYS_mlockall, 1)                                                                    \
    X(19, memfd_create,          "A EPERM",            SYS_memfd_create, BUF, 0)                                                           \
    X(19, memfd_secret,          "A ENOSYS",           447, 0)                                                                             \
    X(19, execveat_empty,        "A EPERM",            SYS_execveat, 0, BUF, 0, 0, 0x1000)                                                 \
    X(21, userfaultfd,           "K userfaultfd",      SYS_userfaultfd, 0)                                                                 \
    X(21, process_madvise,       "K process_madvise",  SYS_process_madvise, -1, 0, 0, 20, 0)                                               \
    X(21, process_mrelease,      "K process_mrelease", 448, -1, 0)                                                                         \
    X(32, clone_newuser,         "K clone",            SYS_clone, 0x10000000 | 17)                                                         \
    X(32, clone_newns,           "K clone",            SYS_clone, 0x00020000 | 17)                                                         \
    X(32, clone_newpid,          "K clone",            SYS_clone, 0x20000000 | 17)                                                         \
    X(32, clone_newnet,          "K clone",            SYS_clone, 0x40000000 | 17)                                                         \
    X(32, clone_newipc,          "K clone",            SYS_clone, 0x08000000 | 17)                                                         \
    X(32, clone_newuts,          "K clone",            SYS_clone, 0x04000000 | 17)                                                         \
    X(32, clone_newcgroup,       "K clone",            SYS_clone, 0x02000000 | 17)                                                         \
    X(32, clone3,                "A ENOSYS",           SYS_clone3, BUF, 88)                                                                \
    X(32, unshare_user,          "K unshare",          SYS_unshare, 0x10000000)                                                            \
    X(32, unshare_ns,            "K unshare",          SYS_unshare, 0x00020000)                                                            \
    X(32, unshare_time,          "K unshare",          SYS_unshare, 0x80)                                                                  \
    X(32, setns,                 "K setns",            SYS_setns, 0, 0)                                                                    \
    X(40, sched_setscheduler,    "A EPERM",            SYS_sched_setscheduler, 0, 1, BUF)                                                  \
    X(40, sched_setattr,         "A EPERM",            SYS_sched_setattr, 0, BUF, 0)                                                       \
    X(40, sched_setparam,        "A EPERM",            SYS_sched_setparam, 0, BUF)                                                         \
    X(40, sched_setaffinity,     "A EPERM",            SYS_sched_setaffinity, 0, 128, BUF)                                                 \
    X(40, setpriority,           "A EPERM",            SYS_setpriority, 0, 0, -20)                                                         \
    X(40, ioprio_set,            "A EPERM",            SYS_ioprio_set, 1, 0, 0x2000)                                                       \
    X(40, prctl_sched_core,      "A EPERM",            SYS_prctl, 62, 1, 0, 1, 0)                                                          \
    X(41, prlimit_init,          "A EPERM",            SYS_prlimit64, 1, 7, BUF, 0)                                                        \
    X(42, kill_broker,           "A ESRCH | A EPERM ESRCH", SYS_kill, BROKER, 9)                                                                \
    X(42, kill_zygote,           "A ESRCH | A EPERM ESRCH", SYS_kill, ZYGOTE, 9)                                                                \
    X(42, kill_far,              "A ESRCH | A EPERM ESRCH", SYS_kill, 4000000, 9)                                                               \
    X(42, tgkill_broker,         "A ESRCH | A EPERM ESRCH", SYS_tgkill, BROKER, BROKER, 9)                                                      \
    X(42, tkill_broker,          "A ESRCH | A EPERM ESRCH", SYS_tkill, BROKER, 9)                                                               \
    X(42, sigqueue_broker,       "A ESRCH EPERM",      SYS_rt_sigqueueinfo, BROKER, 9, BUF)                                                \
    X(42, pidfd_open_broker,     "A ESRCH | O",        SYS_pidfd_open, BROKER, 0)                                                          \
    X(42, pidfd_getfd,           "K pidfd_getfd",      SYS_pidfd_getfd, 0, 0, 0)                                                           \
    X(44, ptrace_traceme,        "K ptrace",           SYS_ptrace, 0)                                                                      \
    X(44, ptrace_attach,         "K ptrace",           SYS_ptrace, 16, 1)                                                                  \
    X(44, ptrace_seize,          "K ptrace",           SYS_ptrace, 0x4206, 1)                                                              \
    X(44, process_vm_readv,      "K process_vm_readv", SYS_process_vm_readv, 1, BUF, 1, BUF, 1, 0)                                         \
    X(44, process_vm_writev,     "K process_vm_writev", SYS_process_vm_writev, 1, BUF, 1, BUF, 1, 0)                                       \
    X(44, kcmp,                  "K kcmp",             SYS_kcmp, 1, 1, 0, 0, 0)                                                            \
    X(44, perf_event_open,       "K perf_event_open",  SYS_perf_event_open, BUF, 0, -1, -1, 0)                                             \
    X(45, prctl_ptracer,         "A EPERM",            SYS_prctl, 0x59616d61, -1)                                                          \
    X(45, prctl_dumpable,        "A EPERM",            SYS_prctl, PR_SET_DUMPABLE, 1)                                                      \
    X(45, prctl_subreaper,       "A EPERM",            SYS_prctl, PR_SET_CHILD_SUBREAPER, 1)                                               \
    X(45, prctl_pdeathsig,       "A EPERM",            SYS_prctl, PR_SET_PDEATHSIG, 0)                                                     \
    X(51, open_by_handle_at,     "K open_by_handle_at", SYS_open_by_handle_at, 0, BUF, 0)                                                  \
    X(51, name_to_handle_at,     "A EOPNOTSUPP",       SYS_name_to_handle_at, -100, BUF, BUF, BUF, 0)                                      \
    X(63, mknod_device,          "A EPERM",            SYS_mknod, TEXT("dev"), 0020666, 0x103)                                             \
    X(63, setxattr,              "A EOPNOTSUPP",       SYS_setxattr, TEXT("."), TEXT("user.x"), BUF, 1, 0)                                 \
    X(63, canary_chmod,            "A ENOENT | A EPERM",  SYS_chmod, TEXT(canary), 04777)                                                  \
    X(63, canary_fchmodat,         "A ENOENT | A EPERM",  SYS_fchmodat, -100, TEXT(canary), 0777)                                          \
    X(63, canary_chown,            "A ENOENT | A EPERM",  SYS_chown, TEXT(canary), 65534, 65534)                                           \
    X(63, canary_lchown,           "A ENOENT | A EPERM",  SYS_lchown, TEXT(canary), 65534, 65534)                                          \
    X(63, canary_fchownat,         "A ENOENT | A EPERM",  SYS_fchownat, -100, TEXT(canary), 65534, 65534, 0)                               \
    X(63, canary_truncate,         "A ENOENT | A EPERM EACCES", SYS_truncate, TEXT(canary), 0)                                             \
    X(63, canary_utimensat,        "A ENOENT | A EPERM",  SYS_utimensat, -100, TEXT(canary), 0, 0)                                         \
    X(63, canary_utimes,           "A ENOENT | A EPERM",  SYS_utimes, TEXT(canary), 0)                                                     \
    X(63, canary_utime,            "A ENOENT | A EPERM",  SYS_utime, TEXT(canary), 0)                                                      \
    X(63, canary_futimesat,        "A ENOENT | A EPERM",  SYS_futimesat, -100, TEXT(canary), 0)                                            \
    X(63, canary_setxattr,         "A EOPNOTSUPP",        SYS_setxattr, TEXT(canary), TEXT("user.x"), BUF, 1, 0)                           \
    X(63, parent_chmod,            "A EPERM EROFS",       SYS_chmod, TEXT(".."), 0777)                                                     \
    X(63, new_setuid_file,         "O 3 | A EPERM",       SYS_open, TEXT("new"), O_CREAT | O_WRONLY, 04755)                                \
    X(70, bind_a_pair,             "A ENOTSOCK | A EACCES", SYS_bind, 0, BUF, 20)                                                          \
    X(85, socket_filter,           "A EPERM",             SYS_setsockopt, 0, SOL_SOCKET, 26, BUF, 16)                                      \
    X(93, pipe_size,               "A EPERM",             SYS_fcntl, 1, 1031, 1048576)                                                     \
    X(67, mount,                 "K mount",            SYS_mount, TEXT("x"), TEXT("/tmp"), TEXT("tmpfs"), 0, 0)                            \
    X(67, mount_bind,            "K mount",            SYS_mount, TEXT("/"), TEXT("/tmp"), 0, 4096, 0)                                     \
    X(67, umount2,               "K umount2",          SYS_umount2, TEXT("/usr"), 2)                                                       \
    X(67, pivot_root,            "K pivot_root",       SYS_pivot_root, TEXT("."), TEXT("."))                                               \
    X(67, chroot,                "K chroot",           SYS_chroot, TEXT("."))                                                              \
    X(67, fsopen,                "K fsopen",           SYS_fsopen, TEXT("tmpfs"), 0)                                                       \
    X(67, fsconfig,              "K fsconfig",         SYS_fsconfig, -1, 6, 0, 0, 0)                                                       \
    X(67, fsmount,               "K fsmount",          SYS_fsmount, -1, 0, 0)                                                              \
    X(67, open_tree,             "K open_tree",        SYS_open_tree, -100, TEXT("/"), 1)                                                  \
    X(67, move_mount,            "K move_mount",       SYS_move_mount, -1, BUF, -1, BUF, 4)                                                \
    X(67, mount_setattr,         "K mount_setattr",    442, -100, TEXT("/"), 0, BUF, 32)                                                   \
    X(71, shmget,                "A ENOSYS",           SYS_shmget, 0x4711, 4096, 01666)                                                    \
    X(71, semget,                "A ENOSYS",           SYS_semget, 0x4711, 1, 01666)                                                       \
    X(71, msgget,                "A ENOSYS",           SYS_msgget, 0x4711, 01666)                                                          \
    X(71, mq_open,               "A ENOSYS",           SYS_mq_open, TEXT("x"), 0102, 0666, 0)                                              \
    X(72, add_key,               "K add_key",          SYS_add_key, TEXT("user"), TEXT("x"), BUF, 1, -5)                                   \
    X(72, keyctl,                "K keyctl",           SYS_keyctl, 0, -5, 0)                                                               \
    X(72, request_key,           "K request_key",      SYS_request_key, TEXT("user"), TEXT("x"), 0, -5)                                    \
    X(74, socket_inet,           "K socket",           SYS_socket, AF_INET, SOCK_STREAM, 0)                                                \
    X(74, socket_inet6,          "K socket",           SYS_socket, AF_INET6, SOCK_DGRAM, 0)                                                \
    X(74, socket_raw,            "K socket",           SYS_socket, AF_INET, SOCK_RAW, 1)                                                   \
    X(74, socket_high_bits,      "K socket",           SYS_socket, 0x100000002, SOCK_STREAM, 0)                                            \
    X(74, socket_vsock,          "A EAFNOSUPPORT",     SYS_socket, 40, SOCK_STREAM, 0)                                                     \
    X(74, socket_netlink,        "A EAFNOSUPPORT",     SYS_socket, AF_NETLINK, SOCK_RAW, 0)                                                \
    X(74, socket_alg,            "A EAFNOSUPPORT",     SYS_socket, 38, SOCK_SEQPACKET, 0)                                                  \
    X(74, socket_packet,         "A EAFNOSUPPORT",     SYS_socket, AF_PACKET, SOCK_RAW, 0)                                                 \
    X(74, socket_xdp,            "A EAFNOSUPPORT",     SYS_socket, 44, SOCK_RAW, 0)                                                        \
    X(74, socket_rxrpc,          "A EAFNOSUPPORT",     SYS_socket, 33, SOCK_DGRAM, 0)                                                      \
    X(74, socket_bluetooth,      "A EAFNOSUPPORT",     SYS_socket, 31, SOCK_RAW, 0)                                                        \
    X(81, memory_merge,          "A EPERM",            SYS_prctl, 67, 1)                                                                   \
    X(81, madvise_merge,         "A EINVAL",           SYS_madvise, BUF, 4096, 12)                                                         \
    X(84, io_uring_setup,        "A ENOSYS",           SYS_io_uring_setup, 8, BUF)                                                         \
    X(84, io_uring_enter,        "A ENOSYS",           SYS_io_uring_enter, 0, 0, 0, 0, 0, 0)                                               \
    X(84, io_uring_register,     "A ENOSYS",           SYS_io_uring_register, 0, 0, 0, 0)                                                  \
    X(85, bpf,                   "K bpf",              SYS_bpf, 0, BUF, 64)                                                                \
    X(85, landlock_create,       "A ENOSYS",           SYS_landlock_create_ruleset, 0, 0, 1)                                               \
    X(85, landlock_restrict,     "A ENOSYS",           SYS_landlock_restrict_self, 0, 0)                                                   \
    X(85, lookup_dcookie,        "K lookup_dcookie",   SYS_lookup_dcookie, 0, BUF, 8)                                                      \
    X(85, kexec_load,            "K kexec_load",       SYS_kexec_load, 0, 0, 0, 0)                                                         \
    X(85, kexec_file_load,       "K kexec_file_load",  SYS_kexec_file_load, 0, 0, 0, 0, 0)                                                 \
    X(85, init_module,           "K init_module",      SYS_init_module, BUF, 1, BUF)                                                       \
    X(85, finit_module,          "K finit_module",     SYS_finit_module, 0, BUF, 0)                                                        \
    X(85, delete_module,         "K delete_module",    SYS_delete_module, TEXT("x"), 0)                                                    \
    X(85, quotactl,              "K quotactl",         SYS_quotactl, 0, 0, 0, 0)                                                           \
    X(85, swapon,                "K swapon",           SYS_swapon, TEXT("x"), 0)                                                           \
    X(85, reboot,                "K reboot",           SYS_reboot, 0, 0, 0, 0)                                                             \
    X(85, syslog,                "K syslog",           SYS_syslog, 3, BUF, 16)                                                             \
    X(85, iopl,                  "K iopl",             SYS_iopl, 3)                                                                        \
    X(85, ioperm,                "K ioperm",           SYS_ioperm, 0x60, 1, 1)                                                             \
    X(85, vhangup,               "K vhangup",          SYS_vhangup)                                                                        \
    X(85, nfsservctl,            "K nfsservctl",       SYS_nfsservctl, 0, 0, 0)                                                            \
    X(86, splice,                "A EINVAL",           SYS_splice, 0, 0, 1, 0, 1, 0)                                                       \
    X(86, tee,                   "A EINVAL",           SYS_tee, 0, 1, 1, 0)                                                                \
    X(86, vmsplice,              "A EINVAL",           SYS_vmsplice, 1, BUF, 1, 0)                                                         \
    X(86, sendfile,              "A EINVAL",           SYS_sendfile, 1, 0, 0, 1)                                                           \
    X(86, copy_file_range,       "A ENOSYS",           SYS_copy_file_range, 0, 0, 1, 0, 1, 0)                                              \
    X(86, futex_lock_pi,         "A ENOSYS",           SYS_futex, BUF, 6, 0, 0, 0, 0)                                                      \
    X(86, futex_requeue_pi,      "A ENOSYS",           SYS_futex, BUF, 12, 1, 0, BUF, 0)                                                   \
    X(90, ioctl_tiocsti,         "A EPERM",            SYS_ioctl, 0, 0x5412, BUF)                                                          \
    X(90, ioctl_tioclinux,       "A EPERM",            SYS_ioctl, 0, 0x541c, BUF)                                                          \
    X(90, ioctl_fioqsize,        "A ENOTTY",           SYS_ioctl, 0, 0x5460, BUF)                                                          \
    X(90, ioctl_setflags,        "A ENOTTY",           SYS_ioctl, 0, 0x40086602, BUF)                                                      \
    X(90, ioctl_ficlone,         "A ENOTTY",           SYS_ioctl, 0, 0x40049409, 1)                                                        \
    X(90, ioctl_high_bits,       "A EPERM",            SYS_ioctl, 0, 0x100005412, BUF)                                                     \
    X(93, acct,                  "K acct",             SYS_acct, TEXT("x"))                                                                \
    X(93, membarrier_global,     "A EPERM",            SYS_membarrier, 1, 0)                                                               \
    X(93, sync,                  "A EPERM",            SYS_sync)                                                                           \
    X(93, syncfs,                "A EPERM",            SYS_syncfs, 0)                                                                      \
    X(109, clock_settime,        "A EPERM",            SYS_clock_settime, 0, BUF)                                                          \
    X(109, settimeofday,         "A EPERM",            SYS_settimeofday, BUF, 0)                                                           \
    X(109, adjtimex,             "A EPERM",            SYS_adjtimex, BUF)

/* More than one call: number, name, expected, tighter limits or NULL. The function is do_NAME() of a file in probes/. */
#define EXEC_ACTS(X)                                                                                                                       \
    X(1,  x32_getpid,            "Ks",                 NULL)                                                                               \
    X(2,  int80_getpid,          "Ks",                 NULL)                                                                               \
    X(2,  int80_execve,          "Ks",                 NULL)                                                                               \
    X(3,  elf32,                 "O 0",                NULL)                                                                               \
    X(4,  unknown_numbers,       "O 0",                NULL)                                                                               \
    X(7,  vsyscall,              "C ok signal",        NULL)                                                                               \
    X(12, sigsys_handled,        "K socket",           NULL)                                                                               \
    X(12, sigsys_blocked,        "K socket",           NULL)                                                                               \
    X(20, proc_self_mem,         "A ENOENT EACCES",    NULL)                                                                               \
    X(23, memory,                "C oom signal",            "memory=48M")                                                                       \
    X(24, mmap_1tb,              "C ok",               NULL)                                                                               \
    X(25, deep_recursion,        "C signal",           NULL)                                                                               \
    X(25, alloca_jump,           "C signal",           NULL)                                                                               \
    X(26, many_maps,             "C ok oom",           NULL)                                                                               \
    X(27, page_cache,            "C ok",               "memory=48M")                                                                       \
    X(30, fork_bomb,             "C ok pids_limit",    "pids=20")                                                                          \
    X(30, vfork_bomb,            "C ok pids_limit",    "pids=20")                                                                          \
    X(30, clone_parent_bomb,     "C ok pids_limit",    "pids=20")                                                                          \
    X(31, thread_bomb,           "C ok pids_limit",    "pids=20")                                                                          \
    X(31, clone_untraced,        "O 0",                NULL)                                                                               \
    X(34, daemonise,             "O 0",                NULL)                                                                               \
    X(35, ignore_everything,     "C cpu_limit",        "cpu=1s")                                                                        \
    X(36, stop_self,             "C wall_limit",       "wall=1500ms")                                                                   \
    X(37, sleep_forever,         "C wall_limit",       "wall=1500ms")                                                                   \
    X(37, futex_forever,         "C wall_limit",       "wall=1500ms")                                                                   \
    X(38, burn_in_threads,       "C cpu_limit",        "cpu=1s")                                                                        \
    X(38, burn_in_children,      "C cpu_limit",        "cpu=1s")                                                                        \
    X(41, raise_limits,          "O 0",                NULL)                                                                               \
    X(42, kill_all,              "A ESRCH | O", NULL)                                                                               \
    X(42, kill_init,             "O | A EPERM",        NULL)                                                                               \
    X(42, kill_guesses,          "O 0",                NULL)                                                                               \
    X(47, abort,                 "C signal",           NULL)                                                                               \
    X(47, quit,                  "C signal | O",       NULL)                                                                               \
    X(48, vfork_exit,            "O 0",                NULL)                                                                               \
    X(48, script_chain,          "O 0",                NULL)                                                                               \
    X(48, huge_argv,             "A E2BIG",            NULL)                                                                               \
    X(49, descriptors,           "O 3",                NULL)                                                                               \
    X(51, open_parents,          "A ENOENT EACCES",    NULL)                                                                               \
    X(51, fchdir_out,            "A ENOENT EACCES",    NULL)                                                                               \
    X(60, write_much,            "C output_limit",     "stdout=32K")                                                                       \
    X(61, control_socket,        "A ENOENT EACCES",    NULL)                                                                               \
    X(63, write_view,            "O 0",                NULL)                                                                               \
    X(63, write_canary,          "A ENOENT EACCES EROFS", NULL)                                                                            \
    X(63, setuid_file,           "O 0",                NULL)                                                                               \
    X(68, proc_1_root,           "A ENOENT EACCES",    NULL)                                                                               \
    X(68, proc_self_exe,         "A ENOENT | A EACCES ETXTBSY", NULL)                                                                           \
    X(68, core_pattern,          "A ENOENT EACCES",    NULL)                                                                               \
    X(68, sysrq,                 "A ENOENT EACCES",    NULL)                                                                               \
    X(68, kcore,                 "A ENOENT EACCES",    NULL)                                                                               \
    X(68, cgroup_files,          "A ENOENT EACCES",    NULL)                                                                               \
    X(69, etc_shadow,            "A ENOENT EACCES",    NULL)                                                                               \
    X(69, host_passwd,           "O 0 | S T2 shows no passwd of its own", NULL)                                                            \
    X(69, broker_environ,        "A ENOENT EACCES",    NULL)                                                                               \
    X(69, store,                 "A ENOENT EACCES",    NULL)                                                                               \
    X(70, abstract_socket,       "A ECONNREFUSED EACCES", NULL)                                                                            \
    X(70, dgram_pair,            "O 0 | A EACCES",     NULL)                                                                               \
    X(71, neighbours_tmp,        "A ENOENT EACCES",    NULL)                                                                               \
    X(71, neighbours_shm,        "A ENOENT EACCES",    NULL)                                                                               \
    X(76, hostname,              "O 0 | S T2 has the host's name", NULL)                                                                   \
    X(89, sendmsg_spray,         "C ok",               NULL)                                                                               \
    X(97, killed_while_asking,   "C policy ok",        NULL)                                                                               \
    X(98, alarm_storm,           "O 0",                NULL)                                                                               \
    X(102, odd_addresses,        "O 0",                NULL)                                                                               \
    X(104, flood_both,           "C output_limit",     "stdout=32K,stderr=32K")                                                            \
    X(104, held_stdout,          "O 0",                NULL)                                                                               \
    X(106, exit_1,               "C exit",             NULL)                                                                               \
    X(106, exit_255,             "C exit",             NULL)                                                                               \
    X(106, exit_256,             "C ok",               NULL)                                                                               \
    X(106, dies_by_each_signal,  "O 0 | O",            NULL)                                                                               \
    X(110, own_receipt,          "A ENOENT EACCES",    NULL)
/* clang-format on */

/* Of the list, what a program cannot try or what is tried elsewhere: number, why. */
#define EXEC_LEFT_OUT(X)                                                                                                                   \
    X(11, "no thread of a program is there before the seal")                                                                               \
    X(29, "tests/system/test_leftovers.c: a thousand jobs in a row")                                                                       \
    X(46, "tests/system/test_kill_points.c: the broker killed at each of 24 points")                                                       \
    X(52, "a program has no link; tests/escape/test_attempts.c tries it from the worker")                                                  \
    X(54, "a program has no link; tests/escape/test_attempts.c")                                                                           \
    X(55, "a program has no link; tests/escape/test_attempts.c, tests/system/test_liar.c")                                                 \
    X(56, "a program has no link; tests/escape/test_attempts.c, tests/system/test_liar.c")                                                 \
    X(58, "a program has no link; tests/escape/test_attempts.c, tests/system/test_liar.c")                                                 \
    X(59, "no message of a worker names a job; tests/unit/test_gate.c")                                                                    \
    X(64, "outputs: tests/unit/test_exec.c collects past symlinks, FIFOs and devices")                                                     \
    X(65, "outputs are collected when every process of the job is dead: nobody swaps")                                                     \
    X(77, "a network of its own; the loopback of another job is not there to be tried")                                                    \
    X(79, "timing between processors that share a core is not prevented")                                                                  \
    X(82, "no worker has a second job")                                                                                                    \
    X(83, "a program is started by execve, which draws addresses and canaries anew")                                                       \
    X(95, "no file is opened on a program's behalf")                                                                                       \
    X(100, "the first notification ends the job")                                                                                          \
    X(103, "the broker answers no call of a program")                                                                                      \
    X(111, "Lua: tests/escape/test_lua_escape.c")                                                                                          \
    X(112, "no engine for CPython")                                                                                                        \
    X(113, "native: tests/escape/test_native_escape.c")

#endif
