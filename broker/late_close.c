/* late_close.c - see late_close.h. */
#include "broker/late_close.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

static struct {
    bool running;
    int to; /* numbers of descriptors go in here */
    pthread_t thread;
} closer;

/* Until the other end is closed, and nothing is left in it. A number is whole: it is far below what a pipe takes at once. */
static void *close_all(void *arg)
{
    int from = (int)(intptr_t)arg, fd;
    ssize_t n;

    (void)pthread_setname_np(pthread_self(), "closer");
    while ((n = read(from, &fd, sizeof(fd))) == sizeof(fd) || (n < 0 && errno == EINTR))
        if (n > 0)
            close(fd);
    close(from);
    return NULL;
}

static bool start(void)
{
    sigset_t all, before;
    int ends[2], rc;

    if (closer.running)
        return true;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's business */
    rc = pthread_create(&closer.thread, NULL, close_all, (void *)(intptr_t)ends[0]);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    closer.to = ends[1];
    closer.running = true;
    return true;
}

void late_close(int fd)
{
    if (!start() || write(closer.to, &fd, sizeof(fd)) != sizeof(fd))
        close(fd);
}

void late_close_finish(void)
{
    if (!closer.running)
        return;
    close(closer.to);
    (void)pthread_join(closer.thread, NULL);
    closer.running = false;
}
