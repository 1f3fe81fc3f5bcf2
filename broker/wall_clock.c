/* wall_clock.c - see wall_clock.h. The kernel calls a timer of its real-time clock off when that is set (TFD_TIMER_CANCEL_ON_SET). */
#include "broker/wall_clock.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "log.h"

#define FAR_S 32503680000 /* the year 3000: armed for never, it is still told when the clock is set */

static void set(struct wall_clock *c, uint64_t at_us)
{
    struct itimerspec when = {
        .it_value = {(time_t)(at_us / 1000000), (long)(at_us % 1000000) * 1000}
    };

    if (at_us / 1000000 >= FAR_S)
        when.it_value = (struct timespec){ FAR_S, 0 };
    if (at_us == 0)
        when.it_value.tv_nsec = 1; /* all zero would disarm it */
    if (timerfd_settime(c->watch.fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) != 0)
        log_event(LOG_LEVEL_ERROR, "wall_clock", "error=\"%s\"", strerror(errno));
    c->at_us = at_us;
}

static void on_time(void *ctx)
{
    struct wall_clock *c = ctx;
    uint64_t times;

    (void)!read(c->watch.fd, &times, sizeof(times)); /* ECANCELED: the clock was set */
    set(c, UINT64_MAX);
    c->fn(c->ctx);
}

int wall_clock_open(struct wall_clock *c, struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    int rc;

    *c = (struct wall_clock){
        .watch = {timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK), on_time, c},
          .loop = l, .fn = fn, .ctx = ctx
    };
    if (c->watch.fd < 0)
        return -errno;
    set(c, UINT64_MAX);
    rc = loop_add(l, &c->watch);
    if (rc != 0) {
        close(c->watch.fd);
        c->watch.fd = -1;
    }
    return rc;
}

void wall_clock_close(struct wall_clock *c)
{
    if (c->watch.fd < 0 || c->loop == NULL)
        return;
    loop_del(c->loop, &c->watch);
    close(c->watch.fd);
    c->watch.fd = -1;
}

void wall_clock_arm(struct wall_clock *c, uint64_t at_us)
{
    if (c->watch.fd >= 0 && at_us != c->at_us)
        set(c, at_us);
}
