/* loop.c - see loop.h. */
#include "worker/engines/exec/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/engines/exec/notify.h"
#include "worker/engines/exec/reap.h"
#include "worker/engines/exec/streams.h"
#include "worker/engines/exec/terminal.h"
#include "worker/link.h"
#include "worker/output.h"

enum { EVENTS = 8, EXIT_PROTOCOL = 70 };

/* What is watched; the epoll data says which row. */
enum watched { ON_LINK, ON_SIGNALS, ON_OUT, ON_ERR, ON_IN, ON_MASTER, ON_LISTENER, WATCHED };

/* ---- what happens -------------------------------------------------------------------------------------------------------------- */

static void end_as(struct exec_job *j, Pb__ResultKind kind)
{
    j->outcome->kind = kind;
    j->over = true;
}

static void on_message(struct exec_job *j, struct frame *f)
{
    const Pb__ToWorker *m = (const Pb__ToWorker *)f->msg;

    switch (m->body_case) {
    case PB__TO_WORKER__BODY_STDIN_DATA: streams_answer(j, f); return; /* f is taken */
    case PB__TO_WORKER__BODY_TTY_SIZE: terminal_resize(j, m->tty_size); break;
    default: _exit(EXIT_PROTOCOL);
    }
    frame_release(f);
}

/* Without a broker nobody is left to tell: everything ends with us, and before us where we are not the namespace's first. */
static void on_link(struct exec_job *j, uint32_t events)
{
    struct frame f;

    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        reap_all(j);
        _exit(0);
    }
    if (link_wait(&f) != 0)
        _exit(EXIT_PROTOCOL);
    on_message(j, &f);
}

/*
 * Whoever waits at the listener when the first process ends has made a call that ends the job; killed with the rest, it would never be told of.
 * Asked of the epoll first, since a listener that nobody is at would have us wait.
 */
static void hear_last_calls(struct exec_job *j)
{
    struct epoll_event events[WATCHED];
    int n = epoll_wait(j->epoll, events, WATCHED, 0);

    for (int i = 0; i < n && !j->violated; i++)
        if (events[i].data.u32 == ON_LISTENER && (events[i].events & EPOLLIN) != 0)
            notify_receive(j);
}

/*
 * Anybody inside may send us a signal; only the broker's means something, and only to a program that has not ended yet. That it was sent by
 * kill(2) is said by the kernel: queued ones carry whatever number their sender wrote, and a descriptor's have none.
 */
static bool is_cancel(const struct exec_job *j, const struct signalfd_siginfo *si)
{
    return si->ssi_signo == SIGTERM && si->ssi_code == SI_USER && (pid_t)si->ssi_pid == j->broker;
}

static void on_signals(struct exec_job *j, uint32_t events)
{
    struct signalfd_siginfo si;
    bool asked = false;

    (void)events;
    while (read(j->signals, &si, sizeof(si)) == sizeof(si))
        asked |= is_cancel(j, &si);
    reap_ended(j);
    if (asked && !j->ended && !j->term_sent)
        reap_ask(j);
    if (j->ended)
        hear_last_calls(j);
    j->over |= j->ended;
}

static void forward(struct exec_job *j, int *fd, Pb__Stream id)
{
    int rc = streams_forward(j, *fd, id);

    if (rc == -EFBIG)
        end_as(j, PB__RESULT_KIND__RESULT_KIND_OUTPUT_LIMIT);
    if (rc != 0)
        return;
    loop_forget(j, *fd); /* closed by all who had it; the job goes on */
    if (*fd != j->master)
        close(*fd);
    *fd = -1;
}

static void on_out(struct exec_job *j, uint32_t events)
{
    (void)events;
    forward(j, &j->out, PB__STREAM__STREAM_STDOUT);
}

static void on_err(struct exec_job *j, uint32_t events)
{
    (void)events;
    forward(j, &j->err, PB__STREAM__STREAM_STDERR);
}

static void on_in(struct exec_job *j, uint32_t events)
{
    if ((events & EPOLLERR) != 0)
        streams_close_input(j);
    else if (!streams_feed(j))
        loop_want_write(j, j->in, false); /* until the broker has answered */
}

static void on_master(struct exec_job *j, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        forward(j, &j->out, PB__STREAM__STREAM_STDOUT);
    if ((events & EPOLLOUT) != 0 && j->in >= 0 && !streams_feed(j))
        loop_want_write(j, j->master, false);
}

static void on_listener(struct exec_job *j, uint32_t events)
{
    if ((events & EPOLLIN) != 0)
        notify_receive(j);
    else
        loop_forget(j, j->listener); /* nobody is left under the filter */
}

/* clang-format off */
static const struct {
    uint32_t events;
    void (*on)(struct exec_job *j, uint32_t events);
} watches[WATCHED] = {
    [ON_LINK]     = { EPOLLIN | EPOLLRDHUP, on_link },
    [ON_SIGNALS]  = { EPOLLIN,              on_signals },
    [ON_OUT]      = { EPOLLIN,              on_out },
    [ON_ERR]      = { EPOLLIN,              on_err },
    [ON_IN]       = { EPOLLOUT,             on_in },
    [ON_MASTER]   = { EPOLLIN | EPOLLOUT,   on_master },
    [ON_LISTENER] = { EPOLLIN,              on_listener },
};
/* clang-format on */

/* ---- watching ------------------------------------------------------------------------------------------------------------------ */

/* A signal from outside of our pid namespace has the number 0, and so has a peer there. */
static int find_broker(struct exec_job *j)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(LINK_FD, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return -errno;
    j->broker = peer.pid;
    return 0;
}

/*
 * What the program sends us must not matter. A pid namespace keeps back what has no handler, so faults have none: a real one still ends us.
 * What is left is the timer of held-back output, which comes too early at worst, and the refusal of a call, which only the kernel can make.
 */
static int drop_handlers(void)
{
    struct sigaction dfl = { .sa_handler = SIG_DFL }, ign = { .sa_handler = SIG_IGN };

    return sigaction(SIGSEGV, &dfl, NULL) == 0 && sigaction(SIGVTALRM, &ign, NULL) == 0 ? 0 : -errno;
}

static void our_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGCHLD);
}

int loop_take_signals(void)
{
    sigset_t set;

    our_signals(&set);
    return drop_handlers() == 0 && sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? 0 : -errno;
}

int loop_prepare(struct exec_job *j)
{
    sigset_t set;

    our_signals(&set);
    j->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (j->signals < 0)
        return -errno;
    j->epoll = epoll_create1(EPOLL_CLOEXEC);
    return j->epoll >= 0 ? find_broker(j) : -errno;
}

static int watch(struct exec_job *j, enum watched what, int fd)
{
    struct epoll_event e = { .events = watches[what].events, .data.u32 = what };

    return fd < 0 || epoll_ctl(j->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : -errno;
}

int loop_watch(struct exec_job *j)
{
    const struct {
        enum watched what;
        int fd;
    } rows[] = {
        {ON_LINK,      LINK_FD                     },
        { ON_SIGNALS,  j->signals                  },
        { ON_LISTENER, j->listener                 },
        { ON_MASTER,   j->master                   },
        { ON_OUT,      j->master >= 0 ? -1 : j->out},
        { ON_ERR,      j->err                      },
        { ON_IN,       j->master >= 0 ? -1 : j->in },
    };
    int rc = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && rc == 0; i++)
        rc = watch(j, rows[i].what, rows[i].fd);
    return rc;
}

void loop_forget(struct exec_job *j, int fd)
{
    (void)epoll_ctl(j->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void loop_want_write(struct exec_job *j, int fd, bool want)
{
    enum watched what = fd == j->master ? ON_MASTER : ON_IN;
    struct epoll_event e = { .events = watches[what].events, .data.u32 = what };

    if (!want)
        e.events &= ~(uint32_t)EPOLLOUT;
    (void)epoll_ctl(j->epoll, EPOLL_CTL_MOD, fd, &e);
}

void loop_run(struct exec_job *j)
{
    struct epoll_event events[EVENTS];

    while (!j->over) {
        int n = epoll_wait(j->epoll, events, EVENTS, -1);

        for (int i = 0; i < n && !j->over; i++)
            watches[events[i].data.u32].on(j, events[i].events);
    }
}
