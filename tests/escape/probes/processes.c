/* processes.c - too many of them, deaf ones, others' ones (numbers 30 to 48, 97, 98, 106). */
#include "tests/escape/probes/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/exec_attempts.h"

#define DECLARE(number, name, expected, limits) void do_##name(const char *name_);
EXEC_ACTS(DECLARE)

enum { MANY = 5000 };

static _Noreturn void wait_for_ever(void)
{
    for (;;)
        (void)pause();
}

/* Each child stays. 0: a limit came before MANY did. */
static long bomb(long (*fork_one)(void))
{
    for (long n = 0; n < MANY; n++) {
        long pid = fork_one();

        if (pid == 0)
            wait_for_ever();
        if (pid < 0)
            return 0;
    }
    return 1;
}

static long plain_fork(void)
{
    return fork();
}

/* A child of vfork may only exec or exit: it execs something that stays. */
static long vfork_one(void)
{
    pid_t pid = vfork();

    if (pid == 0) {
        (void)execl("/usr/bin/sleep", "sleep", "1000", NULL);
        _exit(0);
    }
    return pid;
}

static long clone_parent(void)
{
    return syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

void do_fork_bomb(const char *name)
{
    say(name, bomb(plain_fork));
}

void do_vfork_bomb(const char *name)
{
    say(name, bomb(vfork_one));
}

void do_clone_parent_bomb(const char *name)
{
    say(name, bomb(clone_parent));
}

static void *stay(void *arg)
{
    (void)arg;
    wait_for_ever();
}

void do_thread_bomb(const char *name)
{
    pthread_attr_t a;
    pthread_t t;
    long n = 0;

    (void)pthread_attr_init(&a);
    (void)pthread_attr_setstacksize(&a, 65536);
    while (n < MANY && pthread_create(&t, &a, stay, NULL) == 0)
        n++;
    say(name, n < MANY ? 0 : 1);
}

void do_clone_untraced(const char *name)
{
    long pid = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        _exit(0);
    say(name, pid > 0 ? 0 : pid);
}

void do_daemonise(const char *name)
{
    if (fork() == 0) {
        (void)setsid();
        if (fork() == 0) {
            for (int fd = 0; fd < 3; fd++)
                (void)close(fd);
            wait_for_ever();
        }
        _exit(0);
    }
    say(name, 0);
}

void do_ignore_everything(const char *name)
{
    sigset_t all;

    for (int sig = 1; sig < 65; sig++)
        (void)signal(sig, SIG_IGN);
    sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    for (volatile long n = 0;; n++)
        ;
    say(name, 1);
}

void do_stop_self(const char *name)
{
    say(name, kill(getpid(), SIGSTOP));
    wait_for_ever(); /* for the first of a name space, which nothing stops */
}

void do_sleep_forever(const char *name)
{
    (void)name;
    wait_for_ever();
}

void do_futex_forever(const char *name)
{
    int word = 0;

    say(name, syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
}

static void *burn(void *arg)
{
    (void)arg;
    for (volatile long n = 0;; n++)
        ;
    return NULL;
}

void do_burn_in_threads(const char *name)
{
    pthread_t t;

    for (int i = 0; i < 3; i++)
        (void)pthread_create(&t, NULL, burn, NULL);
    (void)burn(NULL);
    say(name, 1);
}

/* Short-lived ones: what they used counts when they are dead. */
void do_burn_in_children(const char *name)
{
    for (;;) {
        if (fork() == 0) {
            for (volatile long n = 0; n < 3000000; n++)
                ;
            _exit(0);
        }
        (void)wait(NULL);
    }
    say(name, 1);
}

/* How many of its limits it could raise. */
void do_raise_limits(const char *name)
{
    static const int which[] = { RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_FSIZE, RLIMIT_CORE, RLIMIT_MEMLOCK, RLIMIT_CPU };
    const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
    long raised = 0;

    for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
        struct rlimit was;

        if (getrlimit((__rlimit_resource_t)which[i], &was) == 0 && was.rlim_max != RLIM_INFINITY)
            raised += setrlimit((__rlimit_resource_t)which[i], &none) == 0;
    }
    say(name, raised);
}

void do_kill_all(const char *name)
{
    say(name, kill(-1, SIGKILL));
}

void do_kill_init(const char *name)
{
    say(name, kill(1, SIGKILL));
}

/* Every pid near the broker's; 0: none of them is to be reached. */
void do_kill_guesses(const char *name)
{
    long reached = 0;

    for (long pid = broker_pid - 500; pid < broker_pid + 500; pid++)
        if (pid > 100)
            reached += kill((pid_t)pid, 0) == 0;
    say(name, reached);
}

void do_abort(const char *name)
{
    (void)name;
    abort();
}

void do_quit(const char *name)
{
    say(name, raise(SIGQUIT));
}

void do_vfork_exit(const char *name)
{
    pid_t pid = vfork();
    int status = -1;

    if (pid == 0)
        _exit(0);
    (void)waitpid(pid, &status, 0);
    say(name, status);
}

static int run_and_wait(const char *path, char *const *argv)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        (void)execv(path, argv);
        _exit(errno == ELOOP ? 0 : 1);
    }
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

/* A script whose interpreter is a script, and so on: runs or is ELOOP. */
void do_script_chain(const char *name)
{
    char path[32], text[600], here[512] = "";

    (void)!getcwd(here, sizeof(here));
    for (int i = 0; i < 10; i++) {
        int fd,
            n = i == 0 ? snprintf(text, sizeof(text), "#!/usr/bin/true\n") : snprintf(text, sizeof(text), "#!%s/chain%d\n", here, i - 1);

        (void)snprintf(path, sizeof(path), "chain%d", i);
        fd = open(path, O_WRONLY | O_CREAT, 0755);
        (void)!write(fd, text, (size_t)n);
        (void)close(fd);
    }
    say(name, run_and_wait("chain9", (char *[]){ path, NULL }) == 0 ? 0 : 1);
}

void do_huge_argv(const char *name)
{
    enum { LEN = 2 << 20 };
    char *arg = malloc(LEN);

    memset(arg, 'x', LEN - 1);
    arg[LEN - 1] = '\0';
    say(name, execv("/usr/bin/true", (char *[]){ arg, NULL }));
}

/* ---- while somebody looks at it --------------------------------------------------------------------------------------------------- */

void do_killed_while_asking(const char *name)
{
    for (int i = 0; i < 200; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            (void)syscall(SYS_ptrace, 0, 0, 0, 0);
            _exit(0);
        }
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    say(name, 0);
}

static void on_alarm(int sig)
{
    (void)sig;
}

/* 10 kHz without SA_RESTART through a pipeline: EINTR only where it may be, nothing lost. */
void do_alarm_storm(const char *name)
{
    struct sigaction a = { .sa_handler = on_alarm };
    const struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
    long lost = 0;
    int fds[2];

    (void)sigaction(SIGALRM, &a, NULL);
    (void)setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 3000; i++) {
        char byte = 'x';

        if (pipe(fds) != 0 || write(fds[1], &byte, 1) != 1 || read(fds[0], &byte, 1) != 1)
            lost += errno != EINTR;
        lost += close(fds[0]) != 0;
        lost += close(fds[1]) != 0;
    }
    (void)setitimer(ITIMER_REAL, &never, NULL);
    say(name, lost);
}

/* ---- ends ---------------------------------------------------------------------------------------------------------------------- */

void do_exit_1(const char *name)
{
    (void)name;
    exit(1);
}

void do_exit_255(const char *name)
{
    (void)name;
    exit(255);
}

void do_exit_256(const char *name)
{
    (void)name;
    exit(256);
}

/* Children; their death is seen as it is. */
void do_dies_by_each_signal(const char *name)
{
    static const int fatal[] = { SIGHUP, SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                 SIGFPE, SIGKILL, SIGSEGV, SIGTERM, SIGSYS,  SIGXCPU };
    long wrong = 0;

    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        pid_t pid = fork();
        int status = 0;

        if (pid == 0) {
            (void)raise(fatal[i]);
            _exit(0);
        }
        (void)waitpid(pid, &status, 0);
        wrong += !WIFSIGNALED(status) || WTERMSIG(status) != fatal[i];
        wrong += WIFSIGNALED(status) && WCOREDUMP(status);
    }
    say(name, wrong);
}
