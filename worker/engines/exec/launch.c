/* launch.c - see launch.h: init's half. */
#include "worker/engines/exec/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/engines/exec/child.h"
#include "worker/engines/exec/program_limits.h"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- its stdio ----------------------------------------------------------------------------------------------------------------- */

/* Ours does not block; the program's does, as it would expect. theirs: 0 the read end, 1 the write end. */
static int make_pipe(int theirs, int *ret_ours, int *ret_theirs)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    *ret_theirs = ends[theirs];
    *ret_ours = ends[1 - theirs];
    return fcntl(*ret_ours, F_SETFL, O_NONBLOCK) == 0 ? 0 : -errno;
}

static int use_terminal(struct exec_job *j, struct child *c)
{
    for (int i = 0; i < 3; i++)
        c->stdio[i] = j->slave;
    j->in = j->out = j->master;
    return 0;
}

/* A job without input has what our own is: /dev/null. */
static int make_stdio(struct exec_job *j, struct child *c)
{
    int rc = 0;

    c->stdio[0] = STDIN_FILENO;
    c->stdio[1] = c->stdio[2] = -1;
    if (j->slave >= 0)
        return use_terminal(j, c);
    if (j->spec->stdin_mode != PB__STDIN_MODE__STDIN_MODE_NONE)
        rc = make_pipe(0, &j->in, &c->stdio[0]);
    if (rc == 0)
        rc = make_pipe(1, &j->out, &c->stdio[1]);
    if (rc == 0)
        rc = make_pipe(1, &j->err, &c->stdio[2]);
    return rc;
}

static void drop_theirs(struct exec_job *j, struct child *c)
{
    for (int i = 0; i < 3 && j->slave < 0; i++)
        if (c->stdio[i] > 2)
            close_fd(&c->stdio[i]);
    close_fd(&c->init_fd);
}

/* ---- what it says -------------------------------------------------------------------------------------------------------------- */

/* One message and at most one descriptor. 0, -EPIPE when the child has gone or become the program, or -errno. */
static int hear(int fd, int flags, struct child_said *ret_s, int *ret_fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .room = { 0 } };
    struct iovec iov = { ret_s, sizeof(*ret_s) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room) };
    ssize_t n;

    do {
        n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | flags);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n == 0 ? -EPIPE : -errno;
    if (n != sizeof(*ret_s))
        return -EPROTO;
    *ret_fd = -1;
    if (CMSG_FIRSTHDR(&msg) != NULL)
        memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
    return 0;
}

static int hear_ready(struct exec_job *j, bool *ret_unnamed, const char **ret_step)
{
    static struct child_said s; /* its step's name outlives us */
    int rc = hear(j->launch_fd, 0, &s, &j->listener);

    *ret_step = "program_fork";
    if (rc != 0)
        return rc;
    *ret_step = s.step;
    *ret_unnamed = s.what == CHILD_READY_UNNAMED;
    return s.what == CHILD_STEP_FAILED ? -s.error : 0;
}

int launch_fork(struct exec_job *j, const struct launch_filters *filters, bool *ret_unnamed, const char **ret_step)
{
    struct child c = { .job = j, .filters = filters, .init = getpid(), .init_fd = -1 };
    int pair[2], rc;

    *ret_step = "program_stdio";
    rc = make_stdio(j, &c);
    if (rc == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        rc = -errno;
    if (rc != 0)
        return rc;
    j->launch_fd = pair[0];
    c.init_fd = pair[1];
    *ret_step = "program_fork";
    j->pid = fork();
    if (j->pid < 0)
        return -errno;
    if (j->pid == 0)
        child_main(&c);
    drop_theirs(j, &c);
    rc = hear_ready(j, ret_unnamed, ret_step);
    if (rc == 0) {
        *ret_step = "program_limits";
        rc = program_limits_files(j->pid, j->spec->limits);
    }
    return rc;
}

void launch_go(struct exec_job *j)
{
    (void)!write(j->launch_fd, "", 1); /* a child that has died is reaped as any */
}

/* By read, as init's policy has no recvmsg: what comes now has no descriptor with it. */
bool launch_failed(struct exec_job *j, struct program_fault *f, struct program_fault *lacks)
{
    struct child_said s;
    bool failed = false;

    lacks->exit_code = 0;
    while (!failed && read(j->launch_fd, &s, sizeof(s)) == sizeof(s)) {
        failed = s.what == CHILD_EXEC_FAILED;
        *(failed ? f : lacks) = s.fault;
    }
    return failed;
}
