/* loop.c - see loop.h. */
#include "broker/loop.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t loop_clock_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

uint64_t loop_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

int loop_init(struct loop *l)
{
    memset(l, 0, sizeof(*l));
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->now_us = loop_clock_us();
    return l->epoll_fd < 0 ? -errno : 0;
}

void loop_finish(struct loop *l)
{
    timers_finish(&l->timers);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    l->epoll_fd = -1;
}

int loop_add(struct loop *l, struct loop_watch *w)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = w };

    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) != 0 ? -errno : 0;
}

int loop_change(struct loop *l, struct loop_watch *w, uint32_t events)
{
    struct epoll_event ev = { .events = events, .data.ptr = w };

    return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) != 0 ? -errno : 0;
}

void loop_del(struct loop *l, struct loop_watch *w)
{
    if (w->fd < 0)
        return;
    epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    for (int i = l->batch_at; i < l->batch_len; i++) /* events of this round that the owner must not see any more */
        if (l->batch[i].data.ptr == w)
            l->batch[i].data.ptr = NULL;
}

void loop_stop(struct loop *l)
{
    l->stop = 1;
}

/* Milliseconds until the next deadline, rounded up so that it is due on waking; -1 when there is none. */
static int wait_ms(const struct loop *l)
{
    uint64_t next = timers_next(&l->timers), now;

    if (next == UINT64_MAX)
        return -1;
    now = loop_clock_us();
    if (next <= now)
        return 0;
    return (next - now + 999) / 1000 > INT_MAX ? INT_MAX : (int)((next - now + 999) / 1000);
}

int loop_run(struct loop *l)
{
    while (!l->stop) {
        int n = epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, wait_ms(l));

        if (n < 0 && errno != EINTR)
            return -errno;
        l->now_us = loop_clock_us();
        l->batch_len = n > 0 ? n : 0;
        for (l->batch_at = 0; l->batch_at < l->batch_len;) {
            struct loop_watch *w = l->batch[l->batch_at++].data.ptr;
            if (w != NULL)
                w->fn(w->ctx);
        }
        timers_run(&l->timers, l->now_us);
    }
    return 0;
}
