/*
 * fault.c - fault.so: the wall clock of the program that it is loaded into, its timers by it, and what its disk says of outputs (fault.h).
 *
 * The monotonic clock and everything else are the machine's. As kernels do when a clock is set, timers of the wall clock are woken: at the next
 * epoll_wait(), so a test that has turned the clock asks the broker something.
 */
#include "tests/fault/fault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { TIMERS = 16, US = 1000000, NS = 1000 };

static struct fault_area *area;
static int timers[TIMERS];
static unsigned n_timers;
static long long told_us; /* what the timers go by */

static int (*real_clock_gettime)(clockid_t clock, struct timespec *ret);
static int (*real_fdatasync)(int fd);
static int (*real_timerfd_create)(int clock, int flags);
static int (*real_timerfd_settime)(int fd, int flags, const struct itimerspec *to, struct itimerspec *ret_was);
static int (*real_ftruncate)(int fd, off_t len);
static ssize_t (*real_write)(int fd, const void *bytes, size_t len);
static ssize_t (*real_pwrite)(int fd, const void *bytes, size_t len, off_t at);
static int (*real_openat)(int dir, const char *path, int flags, ...);
static int (*real_epoll_wait)(int fd, struct epoll_event *ret, int max, int ms);

static void find(const char *name, void *ret_fn)
{
    void *at = dlsym(RTLD_NEXT, name);

    memcpy(ret_fn, &at, sizeof(at));
}

static long long ahead_us(void)
{
    return area != NULL ? atomic_load(&area->clock_us) : 0;
}

static void shift(struct timespec *t, long long us)
{
    long long all = (long long)t->tv_sec * US + t->tv_nsec / NS + us;

    all = all > 0 ? all : 1;
    *t = (struct timespec){ (time_t)(all / US), (long)(all % US) * NS };
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int rc;

    if (real_clock_gettime == NULL)
        find("clock_gettime", &real_clock_gettime);
    rc = real_clock_gettime(clock, ret);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        shift(ret, ahead_us());
    return rc;
}

/* ---- timers of the wall clock ---------------------------------------------------------------------------------------------------------- */

static int is_timer(int fd)
{
    for (unsigned i = 0; i < n_timers; i++)
        if (timers[i] == fd)
            return 1;
    return 0;
}

int timerfd_create(int clock, int flags)
{
    int fd = real_timerfd_create(clock, flags);

    if (fd >= 0 && clock == CLOCK_REALTIME && !is_timer(fd) && n_timers < TIMERS)
        timers[n_timers++] = fd;
    return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *ret_was)
{
    struct itimerspec mine = *to;

    if (is_timer(fd) && (mine.it_value.tv_sec != 0 || mine.it_value.tv_nsec > 1))
        shift(&mine.it_value, -ahead_us());
    return real_timerfd_settime(fd, flags, &mine, ret_was);
}

int epoll_wait(int fd, struct epoll_event *ret, int max, int ms)
{
    const struct itimerspec now = {
        .it_value = {0, 1}
    };
    long long ahead = ahead_us();

    for (unsigned i = 0; ahead != told_us && i < n_timers; i++)
        (void)real_timerfd_settime(timers[i], 0, &now, NULL);
    told_us = ahead;
    return real_epoll_wait(fd, ret, max, ms);
}

/* ---- the disk -------------------------------------------------------------------------------------------------------------------------- */

static int lies_in(int fd, const char *part)
{
    char name[64], path[512];
    ssize_t n;

    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    n = readlink(name, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    return strstr(path, part) != NULL;
}

int fdatasync(int fd)
{
    if (area != NULL && atomic_load(&area->sync_fails) > 0 && lies_in(fd, "/output/")) {
        atomic_fetch_sub(&area->sync_fails, 1);
        atomic_fetch_add(&area->sync_failed, 1);
        errno = EIO;
        return -1;
    }
    return real_fdatasync(fd);
}

/* The log is kept elsewhere. */
static int is_refused(int fd)
{
    if (area == NULL || atomic_load(&area->read_only) == 0 || !lies_in(fd, "/state/"))
        return 0;
    errno = EROFS;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    return is_refused(fd) ? -1 : real_write(fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return is_refused(fd) ? -1 : real_pwrite(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    return is_refused(fd) ? -1 : real_pwrite(fd, bytes, len, at);
}

int ftruncate(int fd, off_t len)
{
    return is_refused(fd) ? -1 : real_ftruncate(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
    return is_refused(fd) ? -1 : real_ftruncate(fd, len);
}

/* A new file for output; the directory is open. */
int openat(int dir, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    va_start(ap, flags);
    if ((flags & O_CREAT) != 0)
        mode = va_arg(ap, mode_t);
    va_end(ap);
    if ((flags & O_CREAT) != 0 && dir >= 0 && is_refused(dir))
        return -1;
    return real_openat(dir, path, flags, mode);
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv(FAULT_ENV_AREA);
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;

    find("clock_gettime", &real_clock_gettime);
    find("fdatasync", &real_fdatasync);
    find("timerfd_create", &real_timerfd_create);
    find("timerfd_settime", &real_timerfd_settime);
    find("epoll_wait", &real_epoll_wait);
    find("write", &real_write);
    find("pwrite", &real_pwrite);
    find("ftruncate", &real_ftruncate);
    find("openat", &real_openat);
    (void)unsetenv("LD_PRELOAD"); /* what this program starts is another matter */
    if (fd < 0)
        return;
    area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (area == MAP_FAILED)
        area = NULL;
    told_us = ahead_us();
}
