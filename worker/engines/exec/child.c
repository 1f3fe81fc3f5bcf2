/* child.c - see child.h. Read child_steps[] first: it is the order in which a program's process is made ready. */
#include "worker/engines/exec/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/engines/exec/program_limits.h"
#include "worker/signals.h"
#include "worker/space.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

enum { INIT_FD = 3, CHILD_END = 125 };

/* ---- to init ------------------------------------------------------------------------------------------------------------------- */

static void say(const struct child *c, const struct child_said *s, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .room = { 0 } };
    struct iovec iov = { (void *)s, sizeof(*s) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof(control.room);
        control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
    }
    if (sendmsg(c->init_fd, &msg, MSG_NOSIGNAL) != sizeof(*s))
        _exit(CHILD_END); /* init has gone, or ends us */
}

static _Noreturn void fail(const struct child *c, const char *step, int error)
{
    struct child_said s = { .what = CHILD_STEP_FAILED, .error = error };

    snprintf(s.step, sizeof(s.step), "%s", step);
    say(c, &s, -1);
    _exit(CHILD_END);
}

/* ---- steps --------------------------------------------------------------------------------------------------------------------- */

/* In a pid namespace the end of init is ours anyway; elsewhere this is what tells us. */
static int step_parent(struct child *c)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return -errno;
    return getppid() == c->init ? 0 : -ESRCH;
}

static int step_session(struct child *c)
{
    if (setsid() < 0)
        return -errno;
    if (c->job->slave >= 0 && ioctl(c->job->slave, TIOCSCTTY, 0) != 0)
        return -errno;
    return 0;
}

static int step_directory(struct child *c)
{
    return fchdir(c->job->work_fd) == 0 ? 0 : -errno;
}

/* init's own 0, 1 and 2 are /dev/null, so every other descriptor lies above them. */
static int step_stdio(struct child *c)
{
    for (int fd = 0; fd < 3; fd++)
        if (dup2(c->stdio[fd], fd) < 0)
            return -errno;
    return 0;
}

static int step_descriptors(struct child *c)
{
    if (c->init_fd != INIT_FD && dup3(c->init_fd, INIT_FD, O_CLOEXEC) < 0)
        return -errno;
    c->init_fd = INIT_FD;
    return syscall(SYS_close_range, INIT_FD + 1, ~0U, 0) == 0 ? 0 : -errno;
}

static int step_limits(struct child *c)
{
    return program_limits_set(c->job->assign, c->job->own_pids);
}

static int step_signals(struct child *c)
{
    stack_t no_stack = { .ss_flags = SS_DISABLE };
    sigset_t none;
    int rc = signals_drop(); /* all others are as they were made: the default */

    (void)c;
    sigemptyset(&none);
    if (rc != 0)
        return rc;
    if (sigaltstack(&no_stack, NULL) != 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return -errno;
    return 0;
}

static int step_confined(struct child *c)
{
    (void)c;
    return space_confine();
}

/* clang-format off */
static const struct child_step {
    const char *name;
    int (*take)(struct child *c);
} child_steps[] = {
    { "program_parent",      step_parent },
    { "program_session",     step_session },     /* its own; a terminal becomes its controlling one */
    { "program_directory",   step_directory },
    { "program_stdio",       step_stdio },
    { "program_descriptors", step_descriptors }, /* from here on: its stdio, and the socket to init until execve() */
    { "program_limits",      step_limits },
    { "program_signals",     step_signals },
    { "program_confined",    step_confined },    /* init, above all, gets no signal from it */
};
/* clang-format on */

/* ---- the filter ---------------------------------------------------------------------------------------------------------------- */

/* A caller that waits for its answer is woken by nothing but its end, so that no signal takes a call back that has been answered. */
static int install_notify(const struct bpf_program *p)
{
    int fd = bpf_install(p, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

    return fd == -EINVAL ? bpf_install(p, SECCOMP_FILTER_FLAG_NEW_LISTENER) : fd;
}

/* -EBUSY: a supervisor around us has a listener already, and there can be but one. */
static void take_filter(struct child *c)
{
    struct child_said s = { .what = CHILD_READY };
    int fd = install_notify(c->filters->notify);

    if (fd == -EBUSY) {
        s.what = CHILD_READY_UNNAMED;
        fd = bpf_install(c->filters->kill, 0);
        if (fd == 0)
            fd = -1;
        else
            fail(c, "program_seccomp", -fd);
    } else if (fd < 0) {
        fail(c, "program_seccomp", -fd);
    }
    say(c, &s, fd);
    if (fd >= 0)
        close(fd); /* only init has it: what waits in a call cannot answer itself */
}

/* ---- the program --------------------------------------------------------------------------------------------------------------- */

static const char *variable(char *const *envp, const char *name)
{
    size_t n = strlen(name);

    for (; *envp != NULL; envp++)
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

static void note_lacking_library(const struct child *c, const char *path)
{
    struct child_said s = { .what = CHILD_LACKS };

    if (variable(c->job->envp, "LD_LIBRARY_PATH") == NULL && program_lacks_library(path, &s.fault))
        say(c, &s, -1);
}

/* A program that the job brings is where it was staged; its name for itself is that path. */
static _Noreturn void become_program(const struct child *c)
{
    struct child_said s = { .what = CHILD_EXEC_FAILED };
    const char *path_list = variable(c->job->envp, "PATH");
    char path[PATH_MAX];

    if (program_find(c->job->argv[0], path_list != NULL ? path_list : "", path, &s.fault) == 0) {
        note_lacking_library(c, path);
        execve(path, c->job->argv, c->job->envp);
        program_explain(path, errno, &s.fault);
    }
    say(c, &s, -1);
    _exit(CHILD_END);
}

_Noreturn void child_main(struct child *c)
{
    char go;

    for (size_t i = 0; i < sizeof(child_steps) / sizeof(child_steps[0]); i++) {
        int rc = child_steps[i].take(c);

        if (rc != 0)
            fail(c, child_steps[i].name, -rc);
    }
    take_filter(c);
    if (read(INIT_FD, &go, 1) != 1)
        _exit(CHILD_END);
    become_program(c);
}
