/*
 * halt.c - halt.so: counts calls of libc in the program that it is loaded into, and ends the program before one of them (halt.h).
 *
 * What is counted is where a program meets the kernel, so a kill before each of them leaves the machine in every state that it can be seen in.
 * Each wrapper takes and returns what registers hold: all the functions of the list have whole numbers and pointers for arguments, seven at
 * most. A sealed worker may not kill itself: it turns in a loop, for the test to do it.
 */
#include "tests/halt/halt.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct halt_area *area;
static enum halt_role role = HALT_NOBODY;
static int number;   /* of this worker */
static int is_ready; /* this zygote */

static long raw(long nr, long a, long b)
{
    long ret;

    __asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
    return ret;
}

/* The tens of capabilities that are dropped one by one are one step. */
static int is_the_same_step(const char *name)
{
    static const char *last;
    int same = name == last && strcmp(name, "prctl") == 0;

    last = name;
    return same;
}

static int is_the_call(void)
{
    int is_worker = role == HALT_WORKER, none = 0;

    if (atomic_fetch_add(is_worker ? &area->count_of[number] : &area->count[role], 1) + 1 != atomic_load(&area->at[role]))
        return 0;
    if (!atomic_compare_exchange_strong(&area->halting, &none, 1))
        return 0;
    atomic_store(&area->halted_worker, number);
    return 1;
}

static void before(const char *name)
{
    if (role == HALT_ZYGOTE && strcmp(name, "sendmsg") == 0)
        is_ready = 1; /* its first word to the broker */
    if (area == NULL || role == HALT_NOBODY || !atomic_load(&area->armed) || is_the_same_step(name) || !is_the_call())
        return;
    for (int i = 0; i < HALT_NAME - 1 && name[i] != '\0'; i++)
        area->name[i] = name[i];
    atomic_store(&area->halted, role + 1);
    if (role != HALT_WORKER)
        (void)raw(SYS_kill, raw(SYS_getpid, 0, 0), SIGKILL);
    for (;;)
        __builtin_ia32_pause();
}

typedef long any_function(long a, long b, long c, long d, long e, long f, long g);

static any_function *find(const char *name)
{
    any_function *fn = NULL;
    void *at = dlsym(RTLD_NEXT, name);

    memcpy(&fn, &at, sizeof(fn));
    return fn;
}

/* clang-format off */
#define WRAPPED(X) \
    X(read) X(write) X(readv) X(writev) X(pread) X(pwrite) X(pread64) X(pwrite64) X(recv) X(recvmsg) X(send) X(sendmsg) X(open) \
    X(open64) X(openat) X(openat64) X(close) X(unlink) X(unlinkat) X(mkdir) X(mkdirat) X(rename) X(renameat) X(symlinkat) X(fsync) \
    X(fdatasync) X(ftruncate) X(ftruncate64) X(epoll_wait) X(epoll_ctl) X(poll) X(ppoll) X(prctl) X(dup2) X(dup3) X(pipe2) \
    X(socketpair) X(waitpid) X(waitid) X(mount) X(umount2) X(setns) X(unshare) X(setresuid) X(setresgid) X(setgroups) X(setrlimit) \
    X(chdir) X(fchdir) X(fcntl) X(fcntl64) X(setsid) X(sethostname) X(chown) X(fchown) X(fchownat) X(chmod) X(fchmod) X(kill) \
    X(accept4) X(shutdown) X(posix_spawn) X(execve) X(timerfd_settime) X(inotify_add_watch) X(rmdir) X(flock)
/* clang-format on */

#define WRAPPER(fn)                                                                                                                        \
    static any_function *real_##fn;                                                                                                        \
    any_function halt_##fn __asm__(#fn);                                                                                                   \
    long halt_##fn(long a, long b, long c, long d, long e, long f, long g)                                                                 \
    {                                                                                                                                      \
        if (real_##fn == NULL)                                                                                                             \
            real_##fn = find(#fn);                                                                                                         \
        before(#fn);                                                                                                                       \
        return real_##fn(a, b, c, d, e, f, g);                                                                                             \
    }
WRAPPED(WRAPPER)

/* ---- forks: who is who --------------------------------------------------------------------------------------------------------- */

/* Taken before the fork, so that the worker knows it. */
static int take_number(void)
{
    return role == HALT_ZYGOTE && is_ready && area != NULL ? atomic_fetch_add(&area->workers, 1) : HALT_WORKERS;
}

static long after_fork(long pid, int taken)
{
    if (pid == 0) {
        role = role == HALT_ZYGOTE && taken < HALT_WORKERS ? HALT_WORKER : HALT_NOBODY;
        number = taken;
    } else if (pid > 0 && taken < HALT_WORKERS) {
        atomic_store(&area->pids[taken], (int)pid);
    }
    return pid;
}

static any_function *real_fork, *real_syscall;
any_function halt_fork __asm__("fork");
any_function halt_syscall __asm__("syscall");

long halt_fork(long a, long b, long c, long d, long e, long f, long g)
{
    int taken;

    if (real_fork == NULL)
        real_fork = find("fork");
    before("fork");
    taken = take_number();
    return after_fork((int)real_fork(a, b, c, d, e, f, g), taken);
}

long halt_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
    if (real_syscall == NULL)
        real_syscall = find("syscall");
    before("syscall");
    if (nr == SYS_clone3 || nr == SYS_clone) {
        int taken = take_number();

        return after_fork(real_syscall(nr, a, b, c, d, e, f), taken);
    }
    return real_syscall(nr, a, b, c, d, e, f);
}

/* ---- start --------------------------------------------------------------------------------------------------------------------- */

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv(HALT_ENV_AREA), *who = getenv(HALT_ENV_ROLE);
    int fd;

    real_fork = find("fork");
    real_syscall = find("syscall");
#define FIND(fn) real_##fn = find(#fn);
    WRAPPED(FIND) /* now: a sealed worker cannot look them up */
    if (path == NULL || who == NULL)
        return;
    fd = (int)real_open((long)path, O_RDWR | O_CLOEXEC, 0, 0, 0, 0, 0);
    if (fd < 0)
        return;
    area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)real_close(fd, 0, 0, 0, 0, 0, 0);
    if (area == MAP_FAILED)
        area = NULL;
    role = strcmp(who, "broker") == 0 ? HALT_BROKER : HALT_ZYGOTE;
    (void)unsetenv("LD_PRELOAD"); /* what this program starts is another matter */
}
