/* poll.c - see sched.h: the clock, the descriptors, and sleeping when there is nothing to do. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "worker/task/task.h"

bool sched_no_descriptors;

enum { EVENTS = 16, POLLEES_FIRST = 64, FD_MAX = 1 << 20, NAP_LONGEST_S = 1 << 30 };

int64_t coop_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t coop_after(int64_t us)
{
    int64_t at;

    return __builtin_add_overflow(coop_now(), us, &at) ? (us > 0 ? COOP_NEVER : 0) : at;
}

/* ---- waking -------------------------------------------------------------------------------------------------------------------- */

static void wake_late(void)
{
    struct wheel_node *n;

    if (sched->wheel.count == 0)
        return;
    sched->now_us = coop_now();
    while ((n = wheel_expire(&sched->wheel, sched->now_us)) != NULL)
        task_interrupt((coop_task *)((char *)n - offsetof(coop_task, timer)), -ETIMEDOUT);
}

static int events_of(uint32_t e)
{
    int events = 0;

    if ((e & (EPOLLIN | EPOLLHUP | EPOLLRDHUP | EPOLLERR)) != 0)
        events |= COOP_READABLE;
    if ((e & (EPOLLOUT | EPOLLERR)) != 0)
        events |= COOP_WRITABLE;
    return events;
}

static void wake_polled(int timeout_ms)
{
    struct epoll_event ev[EVENTS];
    int n = epoll_wait(sched->epoll_fd, ev, EVENTS, timeout_ms);

    for (int i = 0; i < n; i++) {
        coop_task *t;

        if (ev[i].data.fd < 0)
            continue; /* somebody pokes us: inbox.c */
        t = sched->pollees[ev[i].data.fd].task;
        if (t == NULL || t->state != TASK_BLOCKED)
            continue; /* it has just timed out, or was cancelled */
        t->wait.word = events_of(ev[i].events);
        task_wake(t, 0);
    }
}

/*
 * The call that every policy allows. us: below 0: no end. Signals come in the sleep or before the look at what they leave, not between: a handler that
 * leaves something ends the nap that has not begun, for the kernel reads the time when it does. libc's own would read it before.
 */
static void nap(struct pollfd *p, nfds_t n, int64_t us)
{
    volatile struct timespec *t = &sched->nap;

    t->tv_nsec = us < 0 ? 0 : us % 1000000 * 1000;
    t->tv_sec = us < 0 ? NAP_LONGEST_S : us / 1000000;
    if (!sched->interrupted)
        (void)syscall(SYS_ppoll, p, n, t, NULL, sizeof(uint64_t));
}

void sched_wake_by(int wake_fd)
{
    static const uint64_t one = 1;
    int kept = errno;

    if (write(wake_fd, &one, sizeof(one)) < 0)
        errno = kept; /* 2^64 that nobody has looked at: it is awake */
}

/* Whoever woke us has set interrupted before: the next look comes after this. */
static void take_wakes(const struct pollfd *p)
{
    uint64_t n;

    if (p->revents != 0 && read(p->fd, &n, sizeof(n)) < 0)
        return; /* the tenant was first */
}

/* A nap that nothing but a signal, the clock and another thread's sched_interrupt() end. */
static void nap_alone(int64_t us)
{
    struct pollfd p = { .fd = sched->wake_fd, .events = POLLIN };

    nap(&p, 1, us);
    take_wakes(&p);
}

/* The watched descriptor, and behind its epoll all others. */
static void wake_watched(int64_t us)
{
    struct pollfd p[3] = {
        {.fd = sched->watched_fd, .events = POLLIN},
        { .fd = sched->epoll_fd,  .events = POLLIN},
        { .fd = sched->wake_fd,   .events = POLLIN}
    };

    if (us != 0)
        nap(p, 3, us);
    else
        (void)ppoll(p, 3, &(struct timespec){ 0 }, NULL);
    take_wakes(&p[2]);
    if (p[1].revents != 0)
        wake_polled(0);
    if (p[0].revents != 0)
        sched->on_readable();
}

void sched_sleep(void)
{
    int64_t us = wheel_wait_us(&sched->wheel, coop_now());

    if (sched->watching > 0)
        wake_watched(us);
    else if (sched->polled > 0 || sched->member != NULL)
        wake_polled(us < 0 ? -1 : us / 1000 >= INT32_MAX ? INT32_MAX : (int)((us + 999) / 1000));
    else
        nap_alone(us);
}

bool sched_poll(bool wait)
{
    bool looked = false;

    for (;;) {
        if (sched->interrupted) {
            sched->interrupted = 0;
            sched->on_interrupt != NULL ? sched->on_interrupt() : task_cancel_all();
        }
        wake_late();
        if (sched->watching > 0 && !looked && (sched_any() || !wait)) /* else the sleep looks, or has */
            wake_watched(0);
        else if (sched->watching == 0 && sched->polled > 0)
            wake_polled(0);
        if (sched_any() || !wait) {
            if (sched->alive - sched->hibernate.count > sched->hibernate.above && sched->switches >= sched->hibernate.not_before)
                (void)hibernate_some(false);
            return true;
        }
        if (hibernate_some(true) > 0)
            continue; /* a batch takes a while */
        if (sched->wheel.count == 0 && sched->polled == 0)
            return false;
        sched_sleep();
        looked = true;
    }
}

int sched_watch_block(int fd, void (*readable)(void), int64_t deadline, const char *why, void *object)
{
    struct sched *s = sched;
    int rc;

    if (s->member != NULL)
        return -EBUSY;
    s->watched_fd = fd;
    s->on_readable = readable;
    s->watching++;
    s->polled++;
    rc = task_block(NULL, deadline, why, object);
    s->polled--;
    s->watching--;
    return rc;
}

/* ---- descriptors --------------------------------------------------------------------------------------------------------------- */

static int make_place(int fd)
{
    size_t n = sched->n_pollees == 0 ? POLLEES_FIRST : sched->n_pollees;
    struct sched_pollee *more;

    if (fd < 0 || fd >= FD_MAX)
        return -EBADF;
    if (sched->epoll_fd < 0) {
        sched->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (sched->epoll_fd < 0)
            return -errno;
    }
    while (n <= (size_t)fd)
        n *= 2;
    if (n == sched->n_pollees)
        return 0;
    more = realloc(sched->pollees, n * sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    for (size_t i = sched->n_pollees; i < n; i++)
        more[i] = (struct sched_pollee){ NULL, false };
    sched->pollees = more;
    sched->n_pollees = n;
    return 0;
}

/* Once: epoll forgets a descriptor that was closed, and so must we. */
static int watch(int fd, int events)
{
    struct epoll_event ev = { .events = EPOLLONESHOT | EPOLLRDHUP, .data.fd = fd };
    bool known = sched->pollees[fd].known;
    int rc;

    ev.events |= ((events & COOP_READABLE) != 0 ? EPOLLIN : 0) | ((events & COOP_WRITABLE) != 0 ? EPOLLOUT : 0);
    rc = epoll_ctl(sched->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev);
    if (rc != 0 && (errno == ENOENT || errno == EEXIST))
        rc = epoll_ctl(sched->epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
    sched->pollees[fd].known = rc == 0;
    return rc == 0 ? 0 : -errno;
}

static int ready_now(int fd, int events)
{
    struct pollfd p = { .fd = fd };
    int n;

    p.events = (short)(((events & COOP_READABLE) != 0 ? POLLIN : 0) | ((events & COOP_WRITABLE) != 0 ? POLLOUT : 0));
    n = poll(&p, 1, 0);
    if (n <= 0)
        return n == 0 ? 0 : -errno;
    if ((p.revents & POLLNVAL) != 0)
        return -EBADF;
    return ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0 ? COOP_READABLE : 0) |
           ((p.revents & (POLLOUT | POLLERR)) != 0 ? COOP_WRITABLE : 0);
}

int coop_fd_wait(int fd, int events, int64_t deadline)
{
    int rc;

    if (sched == NULL || events == 0 || (events & ~(COOP_READABLE | COOP_WRITABLE)) != 0)
        return -EINVAL;
    if (sched_no_descriptors)
        return -EPERM;
    rc = task_may_block(COOP_NEVER);
    if (rc == -ECANCELED)
        return rc;
    rc = ready_now(fd, events);
    if (rc < 0 || (rc & events) != 0)
        return rc < 0 ? rc : rc & events;
    rc = task_may_block(deadline);
    if (rc == 0)
        rc = make_place(fd);
    if (rc == 0 && sched->pollees[fd].task != NULL)
        rc = -EBUSY;
    if (rc == 0)
        rc = watch(fd, events);
    if (rc != 0)
        return rc;
    sched->pollees[fd].task = sched->current;
    sched->polled++;
    rc = task_block(NULL, deadline, "descriptor", NULL);
    sched->pollees[fd].task = NULL;
    sched->polled--;
    return rc == 0 ? (int)sched->current->wait.word : rc;
}
