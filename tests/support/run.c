/* run.c - see run.h. */
#include "tests/support/run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { SHOWN = 2000 }; /* bytes of a stream in a failure's text */

void (*proc_on_failure)(void);
static struct proc *live;

/* ---- what was heard ------------------------------------------------------------------------------------------------------------ */

static void heard_room(struct heard *h, size_t more)
{
    if (h->room - h->len > more)
        return;
    while (h->room - h->len <= more)
        h->room = h->room == 0 ? 4096 : h->room * 2;
    h->bytes = realloc(h->bytes, h->room);
    if (h->bytes == NULL)
        abort();
}

/* false: it has ended. */
static bool hear(struct heard *h, int fd)
{
    enum { TURN = 64 << 10 };
    ssize_t n;

    heard_room(h, TURN);
    n = read(fd, h->bytes + h->len, TURN);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n > 0)
        h->len += (size_t)n;
    h->bytes[h->len] = '\0';
    return n > 0; /* EIO: the other side of a terminal is gone */
}

static void show(const char *name, const struct heard *h)
{
    fprintf(stderr, "---- %s, %zu bytes\n", name, h->len);
    fwrite(h->bytes, 1, h->len < SHOWN ? h->len : SHOWN, stderr);
    if (h->len > 0 && h->bytes[h->len - 1] != '\n')
        fputc('\n', stderr);
}

static void show_proc(const struct proc *p)
{
    fflush(stdout);
    fprintf(stderr, "---- %s: code %d\n", p->what, p->code);
    show("stdout", &p->out);
    show("stderr", &p->err);
    if (proc_on_failure != NULL)
        proc_on_failure();
}

void heard_has_at(const char *file, int line, const struct heard *h, const char *text, bool wanted)
{
    if ((memmem(h->bytes, h->len, text, strlen(text)) != NULL) == wanted)
        return;
    show("heard", h);
    if (proc_on_failure != NULL)
        proc_on_failure();
    support_fail_at(file, line, "that has %s\"%s\" in it", wanted ? "not " : "", text);
}

void heard_is_at(const char *file, int line, const struct heard *h, const void *bytes, size_t len)
{
    const char *want = bytes;
    size_t at = 0;

    if (len == (size_t)-1)
        len = strlen(want);
    if (h->len == len && (len == 0 || memcmp(h->bytes, want, len) == 0))
        return;
    while (at < len && at < h->len && want[at] == h->bytes[at])
        at++;
    show("heard", h);
    if (proc_on_failure != NULL)
        proc_on_failure();
    support_fail_at(file, line, "%zu bytes, wanted %zu; they differ at byte %zu; wanted: %.200s", h->len, len, at, want);
}

char *heard_line(const struct heard *h)
{
    size_t len = h->len;

    while (len > 0 && h->bytes[len - 1] == '\n')
        len--;
    return support_text("%.*s", (int)len, h->bytes);
}

/* ---- starting ------------------------------------------------------------------------------------------------------------------ */

struct ends {
    int in[2], out[2], err[2]; /* [0] is read from, [1] written to */
};

static void need(int rc, const char *what)
{
    if (rc < 0)
        support_fail("%s: %s", what, strerror(errno));
}

static void open_ends(struct ends *e, const struct proc_how *how)
{
    if (how->in == PROC_IN_NULL) {
        e->in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        e->in[1] = -1;
        need(e->in[0], "/dev/null");
    } else {
        need(pipe2(e->in, O_CLOEXEC), "pipe");
    }
    need(pipe2(e->out, O_CLOEXEC), "pipe");
    if (how->err_file != NULL) {
        e->err[0] = -1;
        e->err[1] = open(how->err_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        need(e->err[1], how->err_file);
    } else if (how->err_is_terminal) {
        struct winsize w = { 24, 200, 0, 0 };

        need(openpty(&e->err[0], &e->err[1], NULL, NULL, &w), "openpty");
        (void)fcntl(e->err[0], F_SETFD, FD_CLOEXEC);
        (void)fcntl(e->err[1], F_SETFD, FD_CLOEXEC);
    } else {
        need(pipe2(e->err, O_CLOEXEC), "pipe");
    }
}

static void set_env(const char *const *env)
{
    for (; env != NULL && *env != NULL; env++)
        if (strchr(*env, '=') != NULL)
            (void)putenv((char *)*env);
        else
            (void)unsetenv(*env);
}

static int become(uid_t uid)
{
    if (uid == 0)
        return 0;
    return setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0 ? -1 : 0;
}

_Noreturn static void child(const struct proc_how *how, const struct ends *e, const char *const *argv, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(e->in[0], 0) < 0 || dup2(e->out[1], 1) < 0 || dup2(e->err[1], 2) < 0 || become(how->uid) != 0)
        _exit(121);
    if (how->pass_fd > 2)
        (void)fcntl(how->pass_fd, F_SETFD, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the change of uid, which clears it */
    if (getppid() != parent)
        _exit(121);
    set_env(how->env);
    if (how->before_exec != NULL)
        how->before_exec(how->arg);
    execvp(argv[0], (char *const *)argv);
    dprintf(2, "exec %s: %s\n", argv[0], strerror(errno));
    _exit(121);
}

static const char *join(const char *const *argv)
{
    const char *text = "$";

    for (; *argv != NULL; argv++)
        text = support_text("%s %.120s", text, *argv);
    return text;
}

static void set_nonblocking(int fd)
{
    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void note_end(struct proc *p)
{
    int status;

    if (p->code >= 0 || waitpid(p->pid, &status, 0) != p->pid)
        return;
    p->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void forget(void *thing)
{
    struct proc *p = thing, **at = &live;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    if (p->code < 0) {
        (void)kill(p->pid, SIGKILL);
        note_end(p);
    }
    close_fd(&p->pidfd);
    close_fd(&p->in_fd);
    close_fd(&p->out_fd);
    close_fd(&p->err_fd);
    free(p->out.bytes);
    free(p->err.bytes);
    free(p);
}

bool proc_is_started(pid_t pid)
{
    for (const struct proc *p = live; p != NULL; p = p->next)
        if (p->pid == pid)
            return true;
    return false;
}

struct proc *proc_start(const struct proc_how *how, const char *const *argv)
{
    struct proc *p = calloc(1, sizeof(*p));
    pid_t parent = getpid();
    struct ends e;

    if (p == NULL)
        abort();
    open_ends(&e, how);
    (void)signal(SIGPIPE, SIG_IGN);
    p->what = join(argv);
    fflush(NULL);
    p->pid = fork();
    need(p->pid, "fork");
    if (p->pid == 0) {
        (void)signal(SIGPIPE, SIG_DFL);
        child(how, &e, argv, parent);
    }
    close_fd(&e.in[0]);
    close_fd(&e.out[1]);
    close_fd(&e.err[1]);
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    p->in_fd = e.in[1];
    p->out_fd = e.out[0];
    p->err_fd = e.err[0];
    p->code = -1;
    p->unread = how->unread;
    set_nonblocking(p->in_fd);
    set_nonblocking(p->out_fd);
    set_nonblocking(p->err_fd);
    heard_room(&p->out, 1);
    heard_room(&p->err, 1);
    p->out.bytes[0] = p->err.bytes[0] = '\0';
    if (how->in == PROC_IN_BYTES) {
        p->in_bytes = how->bytes;
        p->in_left = how->len;
        p->in_ends = true;
        if (how->len == 0)
            close_fd(&p->in_fd);
    }
    p->next = live;
    live = p;
    support_on_release(forget, p);
    need(p->pidfd, "pidfd_open");
    return p;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

static void feed(struct proc *p)
{
    ssize_t n = write(p->in_fd, p->in_bytes, p->in_left);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        p->in_left = 0; /* it reads no more */
    else
        p->in_bytes += n, p->in_left -= (size_t)n;
    if (p->in_left == 0 && (p->in_ends || n < 0))
        close_fd(&p->in_fd);
}

/* Something happened to p, from which time is counted anew, or time is up: what is long but goes on is not lost. */
static void turn(struct proc *p, uint64_t *started_ms)
{
    struct pollfd f[] = {
        {.fd = p->in_left > 0 ? p->in_fd : -1, .events = POLLOUT},
        { .fd = p->unread ? -1 : p->out_fd,    .events = POLLIN },
        { .fd = p->unread ? -1 : p->err_fd,    .events = POLLIN },
        { .fd = p->code < 0 ? p->pidfd : -1,   .events = POLLIN },
    };

    if (poll(f, 4, support_left_ms(*started_ms)) == 0) {
        show_proc(p);
        support_fail("waited for ever for: %s", p->what);
    }
    *started_ms = support_now_ms();
    if (f[0].revents != 0)
        feed(p);
    if (f[1].revents != 0 && !hear(&p->out, p->out_fd))
        close_fd(&p->out_fd);
    if (f[2].revents != 0 && !hear(&p->err, p->err_fd))
        close_fd(&p->err_fd);
    if (f[3].revents != 0)
        note_end(p);
}

void proc_write(struct proc *p, const void *bytes, size_t len)
{
    uint64_t started = support_now_ms();

    p->in_bytes = bytes;
    p->in_left = len;
    while (p->in_left > 0 && p->in_fd >= 0)
        turn(p, &started);
}

void proc_close_in(struct proc *p)
{
    close_fd(&p->in_fd);
}

void proc_read(struct proc *p)
{
    p->unread = false;
}

static void turn_or_fail(struct proc *p, uint64_t *started_ms, const char *what)
{
    if (p->code >= 0 && p->out_fd < 0 && p->err_fd < 0) {
        show_proc(p);
        support_fail("ended without saying %s: %s", what, p->what);
    }
    turn(p, started_ms);
}

void proc_until(struct proc *p, const struct heard *h, const char *text)
{
    uint64_t started = support_now_ms();

    while (memmem(h->bytes, h->len, text, strlen(text)) == NULL)
        turn_or_fail(p, &started, text);
}

void proc_until_len(struct proc *p, const struct heard *h, size_t len)
{
    uint64_t started = support_now_ms();

    while (h->len < len)
        turn_or_fail(p, &started, "enough");
}

int proc_end(struct proc *p)
{
    uint64_t started = support_now_ms();

    while (p->code < 0 || (!p->unread && (p->out_fd >= 0 || p->err_fd >= 0)))
        turn(p, &started);
    return p->code;
}

void proc_kill(struct proc *p, int sig)
{
    if (p->code < 0)
        (void)syscall(SYS_pidfd_send_signal, p->pidfd, sig, NULL, 0);
}

struct proc *proc_expect_at(const char *file, int line, struct proc *p, int code)
{
    if (proc_end(p) == code)
        return p;
    show_proc(p);
    support_fail_at(file, line, "ended with %d, wanted %d: %s", p->code, code, p->what);
}

void proc_wait_gone(int pidfd)
{
    uint64_t started = support_now_ms();
    struct pollfd f = { .fd = pidfd, .events = POLLIN };
    int n;

    do {
        n = poll(&f, 1, support_left_ms(started));
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        if (proc_on_failure != NULL)
            proc_on_failure();
        support_fail("a process that should be gone is not");
    }
}
