/*
 * policy_exec.c - the profile of an arbitrary program: what Debian's shells, compilers and runtimes ask for.
 *
 * Here the walls are the view, the namespaces and Landlock; the filter takes away the parts of the kernel that reach around them, and those that
 * hostile code attacks the kernel with. Memory may be written and executed: a JIT (node, Java) needs it, and a program that can be any file
 * gains nothing by it. A call that programs make out of habit is refused with an errno that they cope with; one that no honest program here
 * needs has no row, and ends the job with its name in the receipt.
 *
 * Left open on purpose, because programs need it and no filter can tell: locks (flock, fcntl) on files of the view, which are the same inodes for
 * all jobs, and so a channel of a few bits between two jobs that both want one.
 */
#include "worker/policy_rows.h"

#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef ARCH_GET_XCOMP_SUPP /* Linux 5.16 */
#define ARCH_GET_XCOMP_SUPP 0x1021
#define ARCH_GET_XCOMP_PERM 0x1022
#endif
#ifndef PR_GET_AUXV /* Linux 6.4 */
#define PR_GET_AUXV 0x41555856
#endif
#ifndef PR_GET_MEMORY_MERGE /* Linux 6.4 */
#define PR_GET_MEMORY_MERGE 68
#endif
#define IOCTL_TCGETS2  0x802c542a /* their macros need a struct that libc's headers clash with */
#define IOCTL_TCSETS2  0x402c542b
#define IOCTL_TCSETSW2 0x402c542c
#define IOCTL_TCSETSF2 0x402c542d

#define WITH_NET       POLICY_NET_LOOPBACK
#define SHARED_SIGNALS POLICY_SHARED_SIGNALS
#define SHARED_SOCKETS POLICY_SHARED_SOCKETS
#define SHARED_FILES   POLICY_SHARED_FILES
#define SHARED_SIZES   POLICY_SHARED_SIZES
#define SAMPLED        POLICY_SAMPLED_MEMORY
#define NEW_SPACES     (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define ASKS(request)  INT_IS(1, request)
#define OPTION(option) INT_IS(0, option)
#define FUTEX_IS(op)   INT_BUT(1, FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, op)
#define KIND(i, kind)                                                                                                                      \
    {                                                                                                                                      \
        i, S_IFMT, kind                                                                                                                    \
    }
#define INET(family, type, proto) INT_IS(0, family), INT_BUT(1, SOCK_CLOEXEC | SOCK_NONBLOCK, type), INT_IS(2, proto)

/* clang-format off */
/* Files: what there is to be seen is the view's business, and that it cannot be written is Landlock's and the mounts'. */
#define ROWS_FILES \
    { ALLOW(read),                            ANY,                                                  "files, pipes" }, \
    { ALLOW(write),                           ANY,                                                  "files, pipes" }, \
    { ALLOW(readv),                           ANY,                                                  "files, pipes" }, \
    { ALLOW(writev),                          ANY,                                                  "files, pipes" }, \
    { ALLOW(pread64),                         ANY,                                                  "files" }, \
    { ALLOW(pwrite64),                        ANY,                                                  "files" }, \
    { ALLOW(preadv),                          ANY,                                                  "files" }, \
    { ALLOW(pwritev),                         ANY,                                                  "files" }, \
    { ALLOW(preadv2),                         ANY,                                                  "files" }, \
    { ALLOW(pwritev2),                        ANY,                                                  "files" }, \
    { REFUSE_IF(SHARED_FILES, open, EPERM),   IF(INT_HAS(1, O_CREAT), INT_HAS(2, S_ISUID)),         "a set-uid or set-gid file of the broker's user, for others to run" }, \
    { REFUSE_IF(SHARED_FILES, open, EPERM),   IF(INT_HAS(1, O_CREAT), INT_HAS(2, S_ISGID)),         "as S_ISUID" }, \
    { REFUSE_IF(SHARED_FILES, open, EPERM),   IF(INT_HAS(1, O_TMPFILE), INT_HAS(2, S_ISUID)),       "as O_CREAT" }, \
    { REFUSE_IF(SHARED_FILES, open, EPERM),   IF(INT_HAS(1, O_TMPFILE), INT_HAS(2, S_ISGID)),       "as S_ISUID" }, \
    { ALLOW(open),                            ANY,                                                  "files" }, \
    { REFUSE_IF(SHARED_FILES, openat, EPERM), IF(INT_HAS(2, O_CREAT), INT_HAS(3, S_ISUID)),         "as open" }, \
    { REFUSE_IF(SHARED_FILES, openat, EPERM), IF(INT_HAS(2, O_CREAT), INT_HAS(3, S_ISGID)),         "as S_ISUID" }, \
    { REFUSE_IF(SHARED_FILES, openat, EPERM), IF(INT_HAS(2, O_TMPFILE), INT_HAS(3, S_ISUID)),       "as open" }, \
    { REFUSE_IF(SHARED_FILES, openat, EPERM), IF(INT_HAS(2, O_TMPFILE), INT_HAS(3, S_ISGID)),       "as S_ISUID" }, \
    { ALLOW(openat),                          ANY,                                                  "files" }, \
    { REFUSE_IF(SHARED_FILES, openat2, ENOSYS), ANY,                                                  "the mode of a new file is behind a pointer; openat does it" }, \
    { ALLOW(openat2),                         ANY,                                                  "files; its flags are behind a pointer, and can only narrow what openat may" }, \
    { REFUSE_IF(SHARED_FILES, creat, EPERM),  IF(INT_HAS(1, S_ISUID)),                              "as open" }, \
    { REFUSE_IF(SHARED_FILES, creat, EPERM),  IF(INT_HAS(1, S_ISGID)),                              "as S_ISUID" }, \
    { ALLOW(creat),                           ANY,                                                  "files" }, \
    { ALLOW(close),                           ANY,                                                  "files" }, \
    { ALLOW(close_range),                     ANY,                                                  "posix_spawn" }, \
    { ALLOW(lseek),                           ANY,                                                  "files" }, \
    { ALLOW(stat),                            ANY,                                                  "files" }, \
    { ALLOW(lstat),                           ANY,                                                  "files" }, \
    { ALLOW(fstat),                           ANY,                                                  "files" }, \
    { ALLOW(newfstatat),                      ANY,                                                  "files" }, \
    { ALLOW(statx),                           ANY,                                                  "files" }, \
    { ALLOW(statfs),                          ANY,                                                  "how full the work directory is" }, \
    { ALLOW(fstatfs),                         ANY,                                                  "as statfs" }, \
    { ALLOW(access),                          ANY,                                                  "files" }, \
    { ALLOW(faccessat),                       ANY,                                                  "files" }, \
    { ALLOW(faccessat2),                      ANY,                                                  "files" }, \
    { ALLOW(readlink),                        ANY,                                                  "files" }, \
    { ALLOW(readlinkat),                      ANY,                                                  "files" }, \
    { ALLOW(getdents),                        ANY,                                                  "directories" }, \
    { ALLOW(getdents64),                      ANY,                                                  "directories" }, \
    { ALLOW(getcwd),                          ANY,                                                  "directories" }, \
    { ALLOW(chdir),                           ANY,                                                  "directories" }, \
    { ALLOW(fchdir),                          ANY,                                                  "directories" }, \
    { ALLOW(mkdir),                           ANY,                                                  "directories" }, \
    { ALLOW(mkdirat),                         ANY,                                                  "directories" }, \
    { ALLOW(rmdir),                           ANY,                                                  "directories" }, \
    { ALLOW(unlink),                          ANY,                                                  "files" }, \
    { ALLOW(unlinkat),                        ANY,                                                  "files" }, \
    { ALLOW(rename),                          ANY,                                                  "files" }, \
    { ALLOW(renameat),                        ANY,                                                  "files" }, \
    { ALLOW(renameat2),                       ANY,                                                  "files" }, \
    { ALLOW(link),                            ANY,                                                  "files" }, \
    { ALLOW(linkat),                          ANY,                                                  "files" }, \
    { ALLOW(symlink),                         ANY,                                                  "files; whoever collects outputs follows none" }, \
    { ALLOW(symlinkat),                       ANY,                                                  "as symlink" }, \
    { REFUSE_IF(SHARED_FILES, chmod, EPERM),  ANY,                                                  "by its path it reaches files outside of the work directory, which Landlock does not hold" }, \
    { ALLOW(chmod),                           ANY,                                                  "files; set-uid bits do nothing: nosuid, and no new privileges" }, \
    { REFUSE_IF(SHARED_FILES, fchmod, EPERM), IF(INT_HAS(1, S_ISUID)),                              "as open" }, \
    { REFUSE_IF(SHARED_FILES, fchmod, EPERM), IF(INT_HAS(1, S_ISGID)),                              "as S_ISUID" }, \
    { ALLOW(fchmod),                          ANY,                                                  "as chmod" }, \
    { REFUSE_IF(SHARED_FILES, fchmodat, EPERM), ANY,                                                  "as chmod" }, \
    { ALLOW(fchmodat),                        ANY,                                                  "as chmod" }, \
    { REFUSE_IF(SHARED_FILES, chown, EPERM),  ANY,                                                  "as chmod" }, \
    { ALLOW(chown),                           ANY,                                                  "cp -p, tar; to itself, there is nobody else" }, \
    { ALLOW(fchown),                          ANY,                                                  "as chown" }, \
    { REFUSE_IF(SHARED_FILES, lchown, EPERM), ANY,                                                  "as chmod" }, \
    { ALLOW(lchown),                          ANY,                                                  "as chown" }, \
    { REFUSE_IF(SHARED_FILES, fchownat, EPERM), ANY,                                                  "as chmod" }, \
    { ALLOW(fchownat),                        ANY,                                                  "as chown" }, \
    { ALLOW(umask),                           ANY,                                                  "files" }, \
    { REFUSE_IF(SHARED_SIZES, truncate, EPERM), ANY,                                                  "as chmod, where Landlock does not know it (before ABI 3)" }, \
    { ALLOW(truncate),                        ANY,                                                  "files" }, \
    { ALLOW(ftruncate),                       ANY,                                                  "files" }, \
    { ALLOW(fallocate),                       ANY,                                                  "files" }, \
    { ALLOW(fadvise64),                       ANY,                                                  "files" }, \
    { ALLOW(readahead),                       ANY,                                                  "files" }, \
    { ALLOW(fsync),                           ANY,                                                  "files; the work directory is memory" }, \
    { ALLOW(fdatasync),                       ANY,                                                  "as fsync" }, \
    { ALLOW(sync_file_range),                 ANY,                                                  "as fsync" }, \
    { ALLOW(msync),                           ANY,                                                  "as fsync" }, \
    { REFUSE(sync, EPERM),                    ANY,                                                  "would make the whole host wait for its disks" }, \
    { REFUSE(syncfs, EPERM),                  ANY,                                                  "as sync" }, \
    { REFUSE_IF(SHARED_FILES, utime, EPERM),  ANY,                                                  "as chmod" }, \
    { ALLOW(utime),                           ANY,                                                  "touch, tar, make" }, \
    { REFUSE_IF(SHARED_FILES, utimes, EPERM), ANY,                                                  "as chmod" }, \
    { ALLOW(utimes),                          ANY,                                                  "as utime" }, \
    { ALLOW_IF(SHARED_FILES, futimesat),      IF(LONG_IS(1, 0)),                                    "of a descriptor" }, \
    { REFUSE_IF(SHARED_FILES, futimesat, EPERM), ANY,                                                  "as chmod" }, \
    { ALLOW(futimesat),                       ANY,                                                  "as utime" }, \
    { ALLOW_IF(SHARED_FILES, utimensat),      IF(LONG_IS(1, 0)),                                    "of a descriptor" }, \
    { REFUSE_IF(SHARED_FILES, utimensat, EPERM), ANY,                                                  "as chmod" }, \
    { ALLOW(utimensat),                       ANY,                                                  "as utime" }, \
    { REFUSE_IF(SHARED_FILES, mknod, EPERM),  IF(INT_HAS(1, S_ISUID)),                              "as open" }, \
    { REFUSE_IF(SHARED_FILES, mknod, EPERM),  IF(INT_HAS(1, S_ISGID)),                              "as S_ISUID" }, \
    { ALLOW(mknod),                           IF(KIND(1, S_IFIFO)),                                 "mkfifo" }, \
    { ALLOW(mknod),                           IF(KIND(1, S_IFREG)),                                 "an empty file" }, \
    { REFUSE(mknod, EPERM),                   ANY,                                                  "no devices" }, \
    { REFUSE_IF(SHARED_FILES, mknodat, EPERM), IF(INT_HAS(2, S_ISUID)),                              "as open" }, \
    { REFUSE_IF(SHARED_FILES, mknodat, EPERM), IF(INT_HAS(2, S_ISGID)),                              "as S_ISUID" }, \
    { ALLOW(mknodat),                         IF(KIND(2, S_IFIFO)),                                 "mkfifo" }, \
    { ALLOW(mknodat),                         IF(KIND(2, S_IFREG)),                                 "an empty file" }, \
    { REFUSE(mknodat, EPERM),                 ANY,                                                  "no devices" }, \
    { ALLOW(flock),                           ANY,                                                  "sqlite, git, package managers" }, \
    { ALLOW(getxattr),                        ANY,                                                  "ls -l, cp -a" }, \
    { ALLOW(lgetxattr),                       ANY,                                                  "as getxattr" }, \
    { ALLOW(fgetxattr),                       ANY,                                                  "as getxattr" }, \
    { ALLOW(listxattr),                       ANY,                                                  "as getxattr" }, \
    { ALLOW(llistxattr),                      ANY,                                                  "as getxattr" }, \
    { ALLOW(flistxattr),                      ANY,                                                  "as getxattr" }, \
    { REFUSE(setxattr, EOPNOTSUPP),           ANY,                                                  "kernel memory beside the disk limit; cp and tar go on without" }, \
    { REFUSE(lsetxattr, EOPNOTSUPP),          ANY,                                                  "as setxattr" }, \
    { REFUSE(fsetxattr, EOPNOTSUPP),          ANY,                                                  "as setxattr" }, \
    { REFUSE(removexattr, EOPNOTSUPP),        ANY,                                                  "as setxattr" }, \
    { REFUSE(lremovexattr, EOPNOTSUPP),       ANY,                                                  "as setxattr" }, \
    { REFUSE(fremovexattr, EOPNOTSUPP),       ANY,                                                  "as setxattr" }, \
    { REFUSE(sendfile, EINVAL),               ANY,                                                  "splices pages of read-only files; callers copy by hand" }, \
    { REFUSE(copy_file_range, ENOSYS),        ANY,                                                  "as sendfile" }, \
    { REFUSE(splice, EINVAL),                 ANY,                                                  "as sendfile" }, \
    { REFUSE(tee, EINVAL),                    ANY,                                                  "as sendfile" }, \
    { REFUSE(vmsplice, EINVAL),               ANY,                                                  "as sendfile" }, \
    { REFUSE(name_to_handle_at, EOPNOTSUPP),  ANY,                                                  "handles would name files outside the view" }, \
    { REFUSE(inotify_init, ENOSYS),           ANY,                                                  "would show what other jobs do with the host's files; tail -f polls" }, \
    { REFUSE(inotify_init1, ENOSYS),          ANY,                                                  "as inotify_init" },

#define ROWS_DESCRIPTORS \
    { ALLOW(pipe),                            ANY,                                                  "pipes" }, \
    { ALLOW(pipe2),                           ANY,                                                  "pipes" }, \
    { ALLOW(dup),                             ANY,                                                  "shells" }, \
    { ALLOW(dup2),                            ANY,                                                  "shells" }, \
    { ALLOW(dup3),                            ANY,                                                  "shells" }, \
    { REFUSE(fcntl, EINVAL),                  IF(INT_IS(1, F_NOTIFY)),                              "as inotify_init" }, \
    { REFUSE(fcntl, EINVAL),                  IF(INT_IS(1, F_SETLEASE)),                            "would show who opens a file" }, \
    { REFUSE_IF(SHARED_SIGNALS, fcntl, EPERM),IF(INT_IS(1, F_SETOWN)),                              "a signal to a process that is not the job's" }, \
    { REFUSE_IF(SHARED_SIGNALS, fcntl, EPERM),IF(INT_IS(1, F_SETOWN_EX)),                           "as F_SETOWN" }, \
    { REFUSE(fcntl, EPERM),                   IF(INT_IS(1, F_SETPIPE_SZ)),                          "larger pipes, of which a user has so many that others' become small" }, \
    { ALLOW(fcntl),                           ANY,                                                  "descriptors, locks" }, \
    { ALLOW(poll),                            ANY,                                                  "waiting" }, \
    { ALLOW(ppoll),                           ANY,                                                  "waiting" }, \
    { ALLOW(select),                          ANY,                                                  "waiting" }, \
    { ALLOW(pselect6),                        ANY,                                                  "waiting" }, \
    { ALLOW(epoll_create),                    ANY,                                                  "waiting" }, \
    { ALLOW(epoll_create1),                   ANY,                                                  "waiting" }, \
    { ALLOW(epoll_ctl),                       ANY,                                                  "waiting" }, \
    { ALLOW(epoll_wait),                      ANY,                                                  "waiting" }, \
    { ALLOW(epoll_pwait),                     ANY,                                                  "waiting" }, \
    { ALLOW(epoll_pwait2),                    ANY,                                                  "waiting" }, \
    { ALLOW(eventfd),                         ANY,                                                  "waiting" }, \
    { ALLOW(eventfd2),                        ANY,                                                  "waiting" }, \
    { ALLOW(signalfd),                        ANY,                                                  "waiting" }, \
    { ALLOW(signalfd4),                       ANY,                                                  "waiting" }, \
    { ALLOW(timerfd_create),                  ANY,                                                  "waiting" }, \
    { ALLOW(timerfd_settime),                 ANY,                                                  "waiting" }, \
    { ALLOW(timerfd_gettime),                 ANY,                                                  "waiting" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCGETS)),                                     "is it a terminal?" }, \
    { ALLOW(ioctl),                           IF(ASKS(TIOCGWINSZ)),                                 "a terminal's size" }, \
    { ALLOW(ioctl),                           IF(ASKS(FIONREAD)),                                   "how much there is to read" }, \
    { ALLOW(ioctl),                           IF(ASKS(FIONBIO)),                                    "not to block" }, \
    { ALLOW(ioctl),                           IF(ASKS(FIOCLEX)),                                    "close-on-exec" }, \
    { ALLOW(ioctl),                           IF(ASKS(FIONCLEX)),                                   "close-on-exec" }, \
    { ALLOW(ioctl),                           IF(ASKS(FIOASYNC)),                                   "SIGIO, to itself" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCSETS)),                                     "modes of its own terminal" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCSETSW)),                                    "as TCSETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCSETSF)),                                    "as TCSETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCGETA)),                                     "as TCGETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCSETA)),                                     "as TCSETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCSETAW)),                                    "as TCSETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCSETAF)),                                    "as TCSETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(IOCTL_TCGETS2)),                              "as TCGETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(IOCTL_TCSETS2)),                              "as TCSETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(IOCTL_TCSETSW2)),                             "as TCSETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(IOCTL_TCSETSF2)),                             "as TCSETS" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCSBRK)),                                     "tcdrain" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCXONC)),                                     "tcflow" }, \
    { ALLOW(ioctl),                           IF(ASKS(TCFLSH)),                                     "tcflush" }, \
    { ALLOW(ioctl),                           IF(ASKS(TIOCGPGRP)),                                  "job control" }, \
    { ALLOW(ioctl),                           IF(ASKS(TIOCSPGRP)),                                  "job control" }, \
    { ALLOW(ioctl),                           IF(ASKS(TIOCGSID)),                                   "job control" }, \
    { ALLOW(ioctl),                           IF(ASKS(TIOCNOTTY)),                                  "a daemon lets go of its terminal" }, \
    { ALLOW(ioctl),                           IF(ASKS(TIOCOUTQ)),                                   "how much is not yet written" }, \
    { ALLOW(ioctl),                           IF(ASKS(TIOCSWINSZ)),                                 "stty; its own terminal's size" }, \
    { ALLOW(ioctl),                           IF(ASKS(TIOCGETD)),                                   "which line discipline" }, \
    { ALLOW_IF(WITH_NET, ioctl),              IF(ASKS(SIOCGIFCONF)),                                "lists interfaces: lo" }, \
    { ALLOW_IF(WITH_NET, ioctl),              IF(ASKS(SIOCGIFNAME)),                                "as SIOCGIFCONF" }, \
    { ALLOW_IF(WITH_NET, ioctl),              IF(ASKS(SIOCGIFINDEX)),                               "as SIOCGIFCONF" }, \
    { ALLOW_IF(WITH_NET, ioctl),              IF(ASKS(SIOCGIFFLAGS)),                               "as SIOCGIFCONF" }, \
    { ALLOW_IF(WITH_NET, ioctl),              IF(ASKS(SIOCGIFADDR)),                                "as SIOCGIFCONF" }, \
    { ALLOW_IF(WITH_NET, ioctl),              IF(ASKS(SIOCGIFNETMASK)),                             "as SIOCGIFCONF" }, \
    { ALLOW_IF(WITH_NET, ioctl),              IF(ASKS(SIOCGIFMTU)),                                 "as SIOCGIFCONF" }, \
    { REFUSE(ioctl, EPERM),                   IF(ASKS(TIOCSTI)),                                    "types into a terminal" }, \
    { REFUSE(ioctl, EPERM),                   IF(ASKS(TIOCLINUX)),                                  "pastes into a console" }, \
    { REFUSE(ioctl, EPERM),                   IF(ASKS(TIOCCONS)),                                   "takes the console's output" }, \
    { REFUSE(ioctl, EPERM),                   IF(ASKS(TIOCSETD)),                                   "loads a line discipline: old drivers, many bugs" }, \
    { REFUSE(ioctl, EPERM),                   IF(ASKS(TIOCSCTTY)),                                  "a job has the terminal it was given, or none" }, \
    { REFUSE(ioctl, ENOTTY),                  ANY,                                                  "all other requests, of devices and file systems" },

/* Local sockets reach the job's own processes; where they would reach others (T2) there are only pairs, which are connected for good. */
#define ROWS_SOCKETS \
    { REFUSE_IF(SHARED_SOCKETS, socket, EACCES),IF(INT_IS(0, AF_UNIX)),                             "could connect to the host's services by name" }, \
    { ALLOW(socket),                          IF(INT_IS(0, AF_UNIX)),                               "between processes of the job" }, \
    { END_IF(SHARED_SOCKETS, socket),         IF(INT_IS(0, AF_INET)),                               "the loopback would be the host's" }, \
    { END_IF(SHARED_SOCKETS, socket),         IF(INT_IS(0, AF_INET6)),                              "the loopback would be the host's" }, \
    { ALLOW_IF(WITH_NET, socket),             IF(INET(AF_INET, SOCK_STREAM, 0)),                    "net=loopback" }, \
    { ALLOW_IF(WITH_NET, socket),             IF(INET(AF_INET, SOCK_STREAM, IPPROTO_TCP)),          "net=loopback" }, \
    { ALLOW_IF(WITH_NET, socket),             IF(INET(AF_INET, SOCK_DGRAM, 0)),                     "net=loopback" }, \
    { ALLOW_IF(WITH_NET, socket),             IF(INET(AF_INET, SOCK_DGRAM, IPPROTO_UDP)),           "net=loopback" }, \
    { ALLOW_IF(WITH_NET, socket),             IF(INET(AF_INET6, SOCK_STREAM, 0)),                   "net=loopback" }, \
    { ALLOW_IF(WITH_NET, socket),             IF(INET(AF_INET6, SOCK_STREAM, IPPROTO_TCP)),         "net=loopback" }, \
    { ALLOW_IF(WITH_NET, socket),             IF(INET(AF_INET6, SOCK_DGRAM, 0)),                    "net=loopback" }, \
    { ALLOW_IF(WITH_NET, socket),             IF(INET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)),          "net=loopback" }, \
    { REFUSE_IF(WITH_NET, socket, EPROTONOSUPPORT),IF(INT_IS(0, AF_INET)),                          "no raw sockets, no other protocols" }, \
    { REFUSE_IF(WITH_NET, socket, EPROTONOSUPPORT),IF(INT_IS(0, AF_INET6)),                         "as AF_INET" }, \
    { END(socket),                            IF(INT_IS(0, AF_INET)),                               "no network: better said than a program that waits" }, \
    { END(socket),                            IF(INT_IS(0, AF_INET6)),                              "as AF_INET" }, \
    { REFUSE(socket, EAFNOSUPPORT),           ANY,                                                  "netlink, vsock, alg, packet and all that will be: much kernel, many bugs" }, \
    { ALLOW(socketpair),                      IF(INT_IS(0, AF_UNIX), INT_BUT(1, SOCK_CLOEXEC | SOCK_NONBLOCK, SOCK_STREAM)), "between processes of the job" }, \
    { ALLOW(socketpair),                      IF(INT_IS(0, AF_UNIX), INT_BUT(1, SOCK_CLOEXEC | SOCK_NONBLOCK, SOCK_SEQPACKET)), "as SOCK_STREAM" }, \
    { REFUSE_IF(SHARED_SOCKETS, socketpair, EACCES),IF(INT_IS(0, AF_UNIX)),                         "a datagram socket of a pair can be connected to others" }, \
    { ALLOW(socketpair),                      IF(INT_IS(0, AF_UNIX)),                               "between processes of the job" }, \
    { REFUSE(socketpair, EAFNOSUPPORT),       ANY,                                                  "as socket" }, \
    { ALLOW(connect),                         ANY,                                                  "on sockets it could make" }, \
    { ALLOW(accept),                          ANY,                                                  "as connect" }, \
    { ALLOW(accept4),                         ANY,                                                  "as connect" }, \
    { REFUSE_IF(SHARED_SOCKETS, bind, EACCES), ANY,                                                  "an end of a pair would take an abstract name of the host's" }, \
    { ALLOW(bind),                            ANY,                                                  "as connect" }, \
    { ALLOW(listen),                          ANY,                                                  "as connect" }, \
    { ALLOW(shutdown),                        ANY,                                                  "as connect" }, \
    { ALLOW(getsockname),                     ANY,                                                  "as connect" }, \
    { ALLOW(getpeername),                     ANY,                                                  "as connect" }, \
    { REFUSE(setsockopt, EPERM),              IF(INT_IS(1, SOL_SOCKET), INT_IS(2, SO_ATTACH_FILTER)),"programs in the kernel" }, \
    { REFUSE(setsockopt, EPERM),              IF(INT_IS(1, SOL_SOCKET), INT_IS(2, SO_ATTACH_BPF)),  "as SO_ATTACH_FILTER" }, \
    { REFUSE(setsockopt, EPERM),              IF(INT_IS(1, SOL_SOCKET), INT_IS(2, SO_ATTACH_REUSEPORT_CBPF)),"as SO_ATTACH_FILTER" }, \
    { REFUSE(setsockopt, EPERM),              IF(INT_IS(1, SOL_SOCKET), INT_IS(2, SO_ATTACH_REUSEPORT_EBPF)),"as SO_ATTACH_FILTER" }, \
    { REFUSE(setsockopt, EPERM),              IF(INT_IS(1, SOL_SOCKET), INT_IS(2, SO_LOCK_FILTER)), "as SO_ATTACH_FILTER" }, \
    { REFUSE_IF(SAMPLED, setsockopt, EPERM),  IF(INT_IS(1, SOL_SOCKET), INT_IS(2, SO_SNDBUF)),      "kernel memory that no sample of its processes' shows" }, \
    { REFUSE_IF(SAMPLED, setsockopt, EPERM),  IF(INT_IS(1, SOL_SOCKET), INT_IS(2, SO_RCVBUF)),      "as SO_SNDBUF" }, \
    { REFUSE_IF(SAMPLED, setsockopt, EPERM),  IF(INT_IS(1, SOL_SOCKET), INT_IS(2, SO_SNDBUFFORCE)), "as SO_SNDBUF" }, \
    { REFUSE_IF(SAMPLED, setsockopt, EPERM),  IF(INT_IS(1, SOL_SOCKET), INT_IS(2, SO_RCVBUFFORCE)), "as SO_SNDBUF" }, \
    { ALLOW(setsockopt),                      IF(INT_IS(1, SOL_SOCKET)),                            "as connect" }, \
    { ALLOW_IF(WITH_NET, setsockopt),         IF(INT_IS(1, IPPROTO_TCP)),                           "net=loopback" }, \
    { ALLOW_IF(WITH_NET, setsockopt),         IF(INT_IS(1, IPPROTO_IP)),                            "net=loopback" }, \
    { ALLOW_IF(WITH_NET, setsockopt),         IF(INT_IS(1, IPPROTO_IPV6)),                          "net=loopback" }, \
    { REFUSE(setsockopt, ENOPROTOOPT),        ANY,                                                  "options of protocols that the job has not" }, \
    { ALLOW(getsockopt),                      ANY,                                                  "as connect" }, \
    { ALLOW(sendto),                          ANY,                                                  "as connect" }, \
    { ALLOW(recvfrom),                        ANY,                                                  "as connect" }, \
    { ALLOW(sendmsg),                         ANY,                                                  "as connect; descriptors between processes of the job" }, \
    { ALLOW(recvmsg),                         ANY,                                                  "as sendmsg" }, \
    { ALLOW(sendmmsg),                        ANY,                                                  "as connect" }, \
    { ALLOW(recvmmsg),                        ANY,                                                  "as connect" },

#define ROWS_MEMORY \
    { REFUSE(mmap, ENOMEM),                   IF(INT_HAS(3, MAP_HUGETLB)),                          "huge pages are the host's, and no limit counts them" }, \
    { REFUSE_IF(SAMPLED, mmap, ENOMEM),       IF(INT_BUT(3, ~(MAP_TYPE | MAP_ANONYMOUS), MAP_SHARED | MAP_ANONYMOUS)),"pages that stay when they are unmapped, where no sample shows them: as memfd_create" }, \
    { REFUSE_IF(SAMPLED, mmap, ENOMEM),       IF(INT_BUT(3, ~(MAP_TYPE | MAP_ANONYMOUS), MAP_SHARED_VALIDATE | MAP_ANONYMOUS)),"as MAP_SHARED" }, \
    { ALLOW(mmap),                            ANY,                                                  "libraries, malloc, JITs" }, \
    { ALLOW(munmap),                          ANY,                                                  "memory" }, \
    { ALLOW(mremap),                          ANY,                                                  "memory" }, \
    { ALLOW(mprotect),                        ANY,                                                  "memory; executable too: JITs" }, \
    { ALLOW(pkey_mprotect),                   ANY,                                                  "as mprotect" }, \
    { ALLOW(pkey_alloc),                      ANY,                                                  "JITs" }, \
    { ALLOW(pkey_free),                       ANY,                                                  "JITs" }, \
    { REFUSE(madvise, EINVAL),                IF(INT_IS(2, MADV_MERGEABLE)),                        "merged pages tell jobs about each other" }, \
    { ALLOW(madvise),                         ANY,                                                  "memory" }, \
    { ALLOW(brk),                             ANY,                                                  "memory" }, \
    { ALLOW(mincore),                         ANY,                                                  "memory" }, \
    { ALLOW(munlock),                         ANY,                                                  "memory" }, \
    { ALLOW(munlockall),                      ANY,                                                  "memory" }, \
    { REFUSE(mlock, EPERM),                   ANY,                                                  "no memory is held back from the host" }, \
    { REFUSE(mlock2, EPERM),                  ANY,                                                  "as mlock" }, \
    { REFUSE(mlockall, EPERM),                ANY,                                                  "as mlock" }, \
    { REFUSE(memfd_create, EPERM),            ANY,                                                  "a file that neither the disk limit nor a sampled memory limit counts" }, \
    { REFUSE(memfd_secret, ENOSYS),           ANY,                                                  "as mlock" }, \
    { REFUSE(remap_file_pages, ENOSYS),       ANY,                                                  "old; mmap does it" }, \
    { REFUSE(mbind, ENOSYS),                  ANY,                                                  "where memory lies is the host's business" }, \
    { REFUSE(set_mempolicy, ENOSYS),          ANY,                                                  "as mbind" }, \
    { REFUSE(get_mempolicy, ENOSYS),          ANY,                                                  "as mbind" }, \
    { REFUSE(set_mempolicy_home_node, ENOSYS),ANY,                                                  "as mbind" }, \
    { REFUSE(migrate_pages, ENOSYS),          ANY,                                                  "as mbind" }, \
    { REFUSE(move_pages, ENOSYS),             ANY,                                                  "as mbind" }, \
    { REFUSE(shmget, ENOSYS),                 ANY,                                                  "System V memory is freed late, outside of every limit" }, \
    { REFUSE(shmat, ENOSYS),                  ANY,                                                  "as shmget" }, \
    { REFUSE(shmctl, ENOSYS),                 ANY,                                                  "as shmget" }, \
    { REFUSE(shmdt, ENOSYS),                  ANY,                                                  "as shmget" }, \
    { REFUSE(semget, ENOSYS),                 ANY,                                                  "as shmget" }, \
    { REFUSE(semop, ENOSYS),                  ANY,                                                  "as shmget" }, \
    { REFUSE(semctl, ENOSYS),                 ANY,                                                  "as shmget" }, \
    { REFUSE(semtimedop, ENOSYS),             ANY,                                                  "as shmget" }, \
    { REFUSE(msgget, ENOSYS),                 ANY,                                                  "as shmget" }, \
    { REFUSE(msgsnd, ENOSYS),                 ANY,                                                  "as shmget; a favourite way to shape kernel memory" }, \
    { REFUSE(msgrcv, ENOSYS),                 ANY,                                                  "as shmget" }, \
    { REFUSE(msgctl, ENOSYS),                 ANY,                                                  "as shmget" }, \
    { REFUSE(mq_open, ENOSYS),                ANY,                                                  "as shmget" }, \
    { REFUSE(mq_unlink, ENOSYS),              ANY,                                                  "as shmget" }, \
    { REFUSE(mq_timedsend, ENOSYS),           ANY,                                                  "as shmget" }, \
    { REFUSE(mq_timedreceive, ENOSYS),        ANY,                                                  "as shmget" }, \
    { REFUSE(mq_notify, ENOSYS),              ANY,                                                  "as shmget" }, \
    { REFUSE(mq_getsetattr, ENOSYS),          ANY,                                                  "as shmget" },

#define ROWS_PROCESSES \
    { ALLOW(clone),                           IF(INT_LACKS(0, NEW_SPACES)),                         "threads and processes; no new namespaces, where one is root" }, \
    { REFUSE(clone3, ENOSYS),                 ANY,                                                  "its flags are behind a pointer that no filter can read; libc uses clone" }, \
    { ALLOW(fork),                            ANY,                                                  "processes" }, \
    { ALLOW(vfork),                           ANY,                                                  "processes" }, \
    { ALLOW(execve),                          ANY,                                                  "programs" }, \
    { REFUSE(execveat, EPERM),                ANY,                                                  "what runs has a name in the view" }, \
    { ALLOW(exit),                            ANY,                                                  "processes" }, \
    { ALLOW(exit_group),                      ANY,                                                  "processes" }, \
    { ALLOW(wait4),                           ANY,                                                  "processes" }, \
    { ALLOW(waitid),                          ANY,                                                  "processes" }, \
    { REFUSE_IF(SHARED_SIGNALS, kill, EPERM), ANY,                                                  "could reach processes that are not the job's" }, \
    { ALLOW(kill),                            ANY,                                                  "processes of the job: there are no others" }, \
    { REFUSE_IF(SHARED_SIGNALS, tkill, EPERM),ANY,                                                  "as kill" }, \
    { ALLOW(tkill),                           ANY,                                                  "as kill" }, \
    { REFUSE_IF(SHARED_SIGNALS, tgkill, EPERM),ANY,                                                 "as kill" }, \
    { ALLOW(tgkill),                          ANY,                                                  "as kill; abort()" }, \
    { REFUSE_IF(SHARED_SIGNALS, rt_sigqueueinfo, EPERM),ANY,                                        "as kill" }, \
    { ALLOW(rt_sigqueueinfo),                 ANY,                                                  "as kill" }, \
    { REFUSE_IF(SHARED_SIGNALS, rt_tgsigqueueinfo, EPERM),ANY,                                      "as kill" }, \
    { ALLOW(rt_tgsigqueueinfo),               ANY,                                                  "as kill" }, \
    { REFUSE_IF(SHARED_SIGNALS, pidfd_send_signal, EPERM),ANY,                                      "as kill" }, \
    { ALLOW(pidfd_send_signal),               ANY,                                                  "as kill" }, \
    { REFUSE_IF(SHARED_SIGNALS, pidfd_open, EPERM),ANY,                                             "as kill" }, \
    { ALLOW(pidfd_open),                      ANY,                                                  "waiting for processes" }, \
    { ALLOW(getpid),                          ANY,                                                  "processes" }, \
    { ALLOW(getppid),                         ANY,                                                  "processes" }, \
    { ALLOW(gettid),                          ANY,                                                  "processes" }, \
    { ALLOW(getpgid),                         ANY,                                                  "job control" }, \
    { ALLOW(getpgrp),                         ANY,                                                  "job control" }, \
    { ALLOW(setpgid),                         ANY,                                                  "job control" }, \
    { ALLOW(getsid),                          ANY,                                                  "job control" }, \
    { ALLOW(setsid),                          ANY,                                                  "daemons; they die with the job" }, \
    { ALLOW(set_tid_address),                 ANY,                                                  "threads" }, \
    { ALLOW(set_robust_list),                 ANY,                                                  "threads" }, \
    { ALLOW(get_robust_list),                 IF(INT_IS(0, 0)),                                     "threads; its own" }, \
    { REFUSE(get_robust_list, EPERM),         ANY,                                                  "tells where another process's memory lies" }, \
    { ALLOW(rseq),                            ANY,                                                  "threads" }, \
    { ALLOW(futex),                           IF(FUTEX_IS(FUTEX_WAIT)),                             "locks" }, \
    { ALLOW(futex),                           IF(FUTEX_IS(FUTEX_WAKE)),                             "locks" }, \
    { ALLOW(futex),                           IF(FUTEX_IS(FUTEX_WAIT_BITSET)),                      "locks" }, \
    { ALLOW(futex),                           IF(FUTEX_IS(FUTEX_WAKE_BITSET)),                      "locks" }, \
    { ALLOW(futex),                           IF(FUTEX_IS(FUTEX_REQUEUE)),                          "locks" }, \
    { ALLOW(futex),                           IF(FUTEX_IS(FUTEX_CMP_REQUEUE)),                      "locks" }, \
    { ALLOW(futex),                           IF(FUTEX_IS(FUTEX_WAKE_OP)),                          "locks" }, \
    { REFUSE(futex, ENOSYS),                  ANY,                                                  "priority inheritance: kernel code that was broken too often" }, \
    { REFUSE(futex_waitv, ENOSYS),            ANY,                                                  "libc falls back" }, \
    { ALLOW(membarrier),                      IF(INT_IS(0, MEMBARRIER_CMD_QUERY)),                  "threads" }, \
    { ALLOW(membarrier),                      IF(INT_IS(0, MEMBARRIER_CMD_PRIVATE_EXPEDITED)),      "threads" }, \
    { ALLOW(membarrier),                      IF(INT_IS(0, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)), "threads" }, \
    { ALLOW(membarrier),                      IF(INT_IS(0, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)), "threads; JITs" }, \
    { ALLOW(membarrier),                      IF(INT_IS(0, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)), "threads; JITs" }, \
    { REFUSE(membarrier, EPERM),              ANY,                                                  "interrupts every processor of the host" }, \
    { ALLOW(arch_prctl),                      IF(INT_IS(0, ARCH_SET_FS)),                           "threads" }, \
    { ALLOW(arch_prctl),                      IF(INT_IS(0, ARCH_GET_FS)),                           "threads" }, \
    { ALLOW(arch_prctl),                      IF(INT_IS(0, ARCH_GET_XCOMP_SUPP)),                   "what the processor can" }, \
    { ALLOW(arch_prctl),                      IF(INT_IS(0, ARCH_GET_XCOMP_PERM)),                   "what the processor can" }, \
    { REFUSE(arch_prctl, EPERM),              ANY,                                                  "libc asks about shadow stacks, and copes" }, \
    { REFUSE(set_thread_area, ENOSYS),        ANY,                                                  "as on any x86-64 kernel" }, \
    { REFUSE(get_thread_area, ENOSYS),        ANY,                                                  "as on any x86-64 kernel" }, \
    { ALLOW(personality),                     IF(INT_IS(0, 0xffffffff)),                            "asks which it has" }, \
    { ALLOW(personality),                     IF(INT_IS(0, 0)),                                     "the usual one" }, \
    { REFUSE(personality, EPERM),             ANY,                                                  "executable data, no address randomisation, other systems' ways" }, \
    { ALLOW(getcpu),                          ANY,                                                  "threads" }, \
    { ALLOW(sched_yield),                     ANY,                                                  "threads" }, \
    { ALLOW(sched_getaffinity),               ANY,                                                  "how many processors" }, \
    { ALLOW(sched_getparam),                  ANY,                                                  "threads" }, \
    { ALLOW(sched_getscheduler),              ANY,                                                  "threads" }, \
    { ALLOW(sched_getattr),                   ANY,                                                  "threads" }, \
    { ALLOW(sched_get_priority_max),          ANY,                                                  "threads" }, \
    { ALLOW(sched_get_priority_min),          ANY,                                                  "threads" }, \
    { ALLOW(sched_rr_get_interval),           ANY,                                                  "threads" }, \
    { ALLOW(getpriority),                     ANY,                                                  "nice" }, \
    { ALLOW(ioprio_get),                      ANY,                                                  "ionice" }, \
    { REFUSE(sched_setaffinity, EPERM),       ANY,                                                  "which processors a job has is the broker's business" }, \
    { REFUSE(sched_setparam, EPERM),          ANY,                                                  "as sched_setaffinity" }, \
    { REFUSE(sched_setscheduler, EPERM),      ANY,                                                  "as sched_setaffinity" }, \
    { REFUSE(sched_setattr, EPERM),           ANY,                                                  "as sched_setaffinity" }, \
    { REFUSE(setpriority, EPERM),             ANY,                                                  "as sched_setaffinity" }, \
    { REFUSE(ioprio_set, EPERM),              ANY,                                                  "as sched_setaffinity" },

#define ROWS_PRCTL \
    { ALLOW(prctl),                           IF(OPTION(PR_SET_NAME)),                              "a thread's name" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_NAME)),                              "a thread's name" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_SET_VMA)),                               "names for memory" }, \
    { REFUSE(prctl, EPERM),                   IF(OPTION(PR_SET_PDEATHSIG), LONG_IS(1, 0)),          "nothing outlives its job" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_SET_PDEATHSIG)),                         "a child that ends with its parent" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_PDEATHSIG)),                         "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_DUMPABLE)),                          "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_KEEPCAPS)),                          "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_TIMING)),                            "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_SECCOMP)),                           "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_CAPBSET_READ)),                          "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_TSC)),                               "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_SECUREBITS)),                        "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_SET_TIMERSLACK)),                        "how late its timers may be" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_TIMERSLACK)),                        "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_CHILD_SUBREAPER)),                   "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_SET_NO_NEW_PRIVS), LONG_IS(1, 1)),       "has it already" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_NO_NEW_PRIVS)),                      "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_TID_ADDRESS)),                       "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_SET_THP_DISABLE)),                       "its own memory" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_THP_DISABLE)),                       "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_SPECULATION_CTRL)),                  "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_CAP_AMBIENT), LONG_IS(1, PR_CAP_AMBIENT_IS_SET)), "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_MEMORY_MERGE)),                      "asks" }, \
    { ALLOW(prctl),                           IF(OPTION(PR_GET_AUXV)),                              "asks" }, \
    { REFUSE(prctl, EPERM),                   IF(OPTION(PR_SET_DUMPABLE)),                          "its memory is sampled where no cgroup counts it, and looked at when a call is reported" }, \
    { REFUSE(prctl, EPERM),                   IF(OPTION(PR_SET_PTRACER)),                           "nobody traces" }, \
    { REFUSE(prctl, EPERM),                   IF(OPTION(PR_SET_CHILD_SUBREAPER)),                   "orphans are the first process's, which ends them" }, \
    { REFUSE(prctl, EPERM),                   ANY,                                                  "all others: they set, and what they set is fixed" },

#define ROWS_IDENTITY \
    { ALLOW(getuid),                          ANY,                                                  "who am I" }, \
    { ALLOW(geteuid),                         ANY,                                                  "who am I" }, \
    { ALLOW(getgid),                          ANY,                                                  "who am I" }, \
    { ALLOW(getegid),                         ANY,                                                  "who am I" }, \
    { ALLOW(getgroups),                       ANY,                                                  "who am I" }, \
    { ALLOW(getresuid),                       ANY,                                                  "who am I" }, \
    { ALLOW(getresgid),                       ANY,                                                  "who am I" }, \
    { ALLOW(setuid),                          ANY,                                                  "to itself, there is nobody else" }, \
    { ALLOW(setgid),                          ANY,                                                  "as setuid" }, \
    { ALLOW(setreuid),                        ANY,                                                  "as setuid" }, \
    { ALLOW(setregid),                        ANY,                                                  "as setuid" }, \
    { ALLOW(setresuid),                       ANY,                                                  "as setuid" }, \
    { ALLOW(setresgid),                       ANY,                                                  "as setuid" }, \
    { ALLOW(setfsuid),                        ANY,                                                  "as setuid" }, \
    { ALLOW(setfsgid),                        ANY,                                                  "as setuid" }, \
    { REFUSE(setgroups, EPERM),               ANY,                                                  "groups are fixed" }, \
    { ALLOW(capget),                          ANY,                                                  "who am I: nothing" }, \
    { REFUSE(capset, EPERM),                  ANY,                                                  "there is nothing to give or to take" }, \
    { ALLOW(uname),                           ANY,                                                  "which system" }, \
    { ALLOW(sysinfo),                         ANY,                                                  "how much memory the host has; runtimes size their heaps" }, \
    { ALLOW(getrusage),                       ANY,                                                  "what it used" }, \
    { ALLOW(times),                           ANY,                                                  "what it used" }, \
    { ALLOW(getrlimit),                       ANY,                                                  "its limits" }, \
    { ALLOW(setrlimit),                       ANY,                                                  "its limits, down" }, \
    { ALLOW(prlimit64),                       IF(INT_IS(0, 0)),                                     "its limits, down" }, \
    { REFUSE(prlimit64, EPERM),               ANY,                                                  "another process's limits" },

#define ROWS_TIME \
    { ALLOW(rt_sigaction),                    ANY,                                                  "signals" }, \
    { ALLOW(rt_sigprocmask),                  ANY,                                                  "signals" }, \
    { ALLOW(rt_sigreturn),                    ANY,                                                  "signals" }, \
    { ALLOW(rt_sigpending),                   ANY,                                                  "signals" }, \
    { ALLOW(rt_sigtimedwait),                 ANY,                                                  "signals" }, \
    { ALLOW(rt_sigsuspend),                   ANY,                                                  "signals" }, \
    { ALLOW(sigaltstack),                     ANY,                                                  "signals" }, \
    { ALLOW(pause),                           ANY,                                                  "signals" }, \
    { ALLOW(restart_syscall),                 ANY,                                                  "the kernel's own way to resume a wait" }, \
    { ALLOW(alarm),                           ANY,                                                  "time" }, \
    { ALLOW(getitimer),                       ANY,                                                  "time" }, \
    { ALLOW(setitimer),                       ANY,                                                  "time" }, \
    { ALLOW(timer_create),                    ANY,                                                  "time" }, \
    { ALLOW(timer_settime),                   ANY,                                                  "time" }, \
    { ALLOW(timer_gettime),                   ANY,                                                  "time" }, \
    { ALLOW(timer_getoverrun),                ANY,                                                  "time" }, \
    { ALLOW(timer_delete),                    ANY,                                                  "time" }, \
    { ALLOW(nanosleep),                       ANY,                                                  "time" }, \
    { ALLOW(clock_nanosleep),                 ANY,                                                  "time" }, \
    { ALLOW(clock_gettime),                   ANY,                                                  "time" }, \
    { ALLOW(clock_getres),                    ANY,                                                  "time" }, \
    { ALLOW(gettimeofday),                    ANY,                                                  "time" }, \
    { ALLOW(time),                            ANY,                                                  "time" }, \
    { REFUSE(settimeofday, EPERM),            ANY,                                                  "the clock is the host's" }, \
    { REFUSE(clock_settime, EPERM),           ANY,                                                  "as settimeofday" }, \
    { REFUSE(clock_adjtime, EPERM),           ANY,                                                  "as settimeofday" }, \
    { REFUSE(adjtimex, EPERM),                ANY,                                                  "as settimeofday" }, \
    { ALLOW(getrandom),                       ANY,                                                  "chance" },

/* Asked out of habit, or whether the kernel has it. */
#define ROWS_SOFT \
    { REFUSE(seccomp, EPERM),                 ANY,                                                  "a program's own filter; it has ours, and no listener but ours" }, \
    { REFUSE(io_uring_setup, ENOSYS),         ANY,                                                  "its operations pass by every filter" }, \
    { REFUSE(io_uring_enter, ENOSYS),         ANY,                                                  "as io_uring_setup" }, \
    { REFUSE(io_uring_register, ENOSYS),      ANY,                                                  "as io_uring_setup" }, \
    { REFUSE(io_setup, ENOSYS),               ANY,                                                  "seldom used, much kernel" }, \
    { REFUSE(io_destroy, ENOSYS),             ANY,                                                  "as io_setup" }, \
    { REFUSE(io_submit, ENOSYS),              ANY,                                                  "as io_setup" }, \
    { REFUSE(io_cancel, ENOSYS),              ANY,                                                  "as io_setup" }, \
    { REFUSE(io_getevents, ENOSYS),           ANY,                                                  "as io_setup" }, \
    { REFUSE(io_pgetevents, ENOSYS),          ANY,                                                  "as io_setup" }, \
    { REFUSE(landlock_create_ruleset, ENOSYS),ANY,                                                  "a program's own walls; it has ours" }, \
    { REFUSE(landlock_add_rule, ENOSYS),      ANY,                                                  "as landlock_create_ruleset" }, \
    { REFUSE(landlock_restrict_self, ENOSYS), ANY,                                                  "as landlock_create_ruleset" }, \
    { REFUSE(_sysctl, ENOSYS),                ANY,                                                  "as on any newer kernel" },

static const struct policy_row exec_rows[] = {
    ROWS_FILES
    ROWS_DESCRIPTORS
    ROWS_SOCKETS
    ROWS_MEMORY
    ROWS_PROCESSES
    ROWS_PRCTL
    ROWS_IDENTITY
    ROWS_TIME
    ROWS_SOFT
};
/* clang-format on */

const struct policy_table policy_table_exec = POLICY_TABLE("exec", exec_rows, POLICY_NOTIFY);
