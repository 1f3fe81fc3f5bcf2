/* children.c - see children.h. */
#include "worker/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

int children_reserve(struct children *c)
{
    size_t cap = c->cap > 0 ? c->cap * 2 : 64;
    struct child *rows;

    if (c->n < c->cap)
        return 0;
    rows = reallocarray(c->rows, cap, sizeof(*rows));
    if (rows == NULL)
        return -ENOMEM;
    c->rows = rows;
    c->cap = cap;
    return 0;
}

void children_add(struct children *c, uint64_t worker, pid_t pid)
{
    c->rows[c->n++] = (struct child){ .worker = worker, .pid = pid };
}

static uint64_t micros(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

/* Looks without reaping. The raw call, because libc's waitid has no rusage. 1 when the child has ended. */
static int peek(const struct child *ch, Pb__Exited *ret_e)
{
    siginfo_t si = { .si_pid = 0 };
    struct rusage ru;

    if (syscall(SYS_waitid, P_PID, ch->pid, &si, WEXITED | WNOHANG | WNOWAIT, &ru) != 0 || si.si_pid == 0)
        return 0;
    ret_e->worker = ch->worker;
    ret_e->code = (uint32_t)si.si_code;
    ret_e->status = si.si_status;
    ret_e->cpu_user_us = micros(ru.ru_utime);
    ret_e->cpu_sys_us = micros(ru.ru_stime);
    ret_e->max_rss_bytes = (uint64_t)ru.ru_maxrss * 1024;
    ret_e->minor_faults = (uint64_t)ru.ru_minflt;
    ret_e->major_faults = (uint64_t)ru.ru_majflt;
    ret_e->csw_vol = (uint64_t)ru.ru_nvcsw;
    ret_e->csw_forced = (uint64_t)ru.ru_nivcsw;
    return 1;
}

void children_collect(struct children *c, void (*tell)(void *arg, const Pb__Exited *e), void *arg)
{
    for (size_t i = 0; i < c->n; i++) {
        Pb__Exited e = PB__EXITED__INIT;

        if (c->rows[i].told || !peek(&c->rows[i], &e))
            continue;
        c->rows[i].told = 1;
        tell(arg, &e);
    }
}

int children_reap(struct children *c, uint64_t worker)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->rows[i].worker != worker)
            continue;
        if (!c->rows[i].told)
            return -EBUSY;
        if (waitpid(c->rows[i].pid, NULL, 0) < 0)
            return -errno;
        c->rows[i] = c->rows[--c->n];
        return 0;
    }
    return -ENOENT;
}

static bool is_worker(const struct children *c, pid_t pid)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->rows[i].pid == pid)
            return true;
    return false;
}

/* Our children, one pid a word; NULL with errno. */
static FILE *open_list(int proc_fd)
{
    char path[64];
    FILE *f;
    int fd;

    snprintf(path, sizeof(path), "%d/task/%d/children", (int)getpid(), (int)getpid());
    fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    f = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (f == NULL && fd >= 0)
        close(fd);
    return f;
}

/* wait_options: of waitpid(2), for each that is killed. Returns how many there were, or -errno. */
static int end_strays(const struct children *c, int proc_fd, int wait_options)
{
    FILE *f = open_list(proc_fd);
    int pid, n = 0;

    if (f == NULL)
        return -errno;
    while (fscanf(f, "%d", &pid) == 1)
        if (!is_worker(c, pid)) {
            kill(pid, SIGKILL); /* our own child, and not yet reaped: nobody else has its number */
            (void)waitpid(pid, NULL, wait_options);
            n++;
        }
    fclose(f);
    return n;
}

static int end_orphans(const struct children *c, int proc_fd, int wait_options)
{
    int rc = end_strays(c, proc_fd, wait_options);

    if (rc < 0)
        log_event(LOG_LEVEL_ERROR, "orphans_unknown", "error=%s", strerrorname_np(-rc));
    return rc;
}

void children_end_orphans(const struct children *c, int proc_fd)
{
    (void)end_orphans(c, proc_fd, WNOHANG);
}

int children_is_stray(const struct children *c, pid_t pid)
{
    siginfo_t si = { .si_pid = 0 };

    if (is_worker(c, pid))
        return -EEXIST;
    return waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 ? 0 : -errno;
}

/* The list may leave some out while others go, so it is read until it has none. */
int children_sweep(const struct children *c, int proc_fd, unsigned *ret_ended)
{
    int n;

    *ret_ended = 0;
    while ((n = end_strays(c, proc_fd, 0)) > 0)
        *ret_ended += (unsigned)n;
    return n;
}

/* As for a sweep: who was left out of the list must not be waited for before it has been in it. Without a list there is only waiting. */
void children_finish(struct children *c, int proc_fd)
{
    int rc;

    c->n = 0; /* nobody is told any more */
    do
        rc = end_orphans(c, proc_fd, 0);
    while (waitpid(-1, NULL, rc < 0 ? 0 : WNOHANG) >= 0 || errno == EINTR);
}
