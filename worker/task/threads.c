/* threads.c - see threads.h: the OS threads of a group, from coop_init() to coop_finish(). */
#include "worker/task/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/task/fault.h"
#include "worker/task/sanitize.h"

enum { IDLE_STACK = 64 << 10, THREAD_STACK = 256 << 10 }; /* nothing but threads_idle() runs on a thread's own stack */

int threads_descriptors;

/* ---- the first's idle tasklet ------------------------------------------------------------------------------------------------------------ */

static void idle_begin(void)
{
    struct member *m = sched->member;

    sanitize_arrive(m->idle);
    threads_arrive();
    threads_idle(m);
    abort(); /* the first thread is not told to stop */
}

/* The first thread's own stack is its main tasklet's. */
static int make_idle(struct member *m)
{
    coop_task *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return -ENOMEM;
    t->stack_class = stacks_class_of(IDLE_STACK);
    t->stack = stacks_get(&m->sched->stacks, t->stack_class, &t->stack_size);
    if (t->stack == NULL) {
        free(t);
        return -ENOMEM;
    }
    switch_prepare(&t->regs, t->stack, t->stack_size, idle_begin);
    sanitize_start(t);
    m->idle = t;
    return 0;
}

/* ---- the threads -------------------------------------------------------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
    struct sched *s = arg;

    sched = s;
    s->errno_at = &errno;
    fault_begin_thread(s);
    sanitize_main(&s->main);
    sem_post(&s->member->group->begun);
    threads_idle(s->member);
    fault_end_thread(s);
    return NULL;
}

/* No signal is theirs, those of the process go to the first thread; but for those that a fault of the thread itself raises. */
static int start_thread(struct member *m)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
    pthread_attr_t attr;
    sigset_t all, kept;
    int rc = pthread_attr_init(&attr);

    if (rc != 0)
        return -rc;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    rc = pthread_create(&m->thread, &attr, thread_main, m->sched);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    pthread_attr_destroy(&attr);
    return -rc;
}

/* fd is taken. */
static int move_to(int fd, int from)
{
    int moved = fd >= 0 && threads_descriptors > 0 ? fcntl(fd, F_DUPFD_CLOEXEC, from) : fd, kept = errno;

    if (moved != fd && fd >= 0)
        close(fd);
    errno = kept;
    return moved;
}

static int open_inbox(struct member *m)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = -1 }; /* each write is an edge: nobody need read it */
    struct sched *s = m->sched;

    s->epoll_fd = move_to(epoll_create1(EPOLL_CLOEXEC), threads_descriptors);
    m->event_fd = move_to(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), threads_descriptors + THREADS_MAX);
    if (s->epoll_fd < 0 || m->event_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, m->event_fd, &ev) != 0)
        return -errno;
    return 0;
}

static int add_member(struct group *g, unsigned index, struct sched *s)
{
    struct member *m = aligned_alloc(_Alignof(struct member), sizeof(*m));

    if (m == NULL)
        return -ENOMEM;
    memset(m, 0, sizeof(*m));
    m->group = g;
    m->sched = s;
    m->index = index;
    m->event_fd = -1;
    m->until_look = SCHED_POLL_EVERY;
    m->idle = &s->main;
    pthread_mutex_init(&m->all, NULL);
    s->member = g->members[index] = m;
    s->until_poll = 1;
    s->ring = &s->idle;
    sched_hooks_changed(s);
    s->last_id = s->main.id = index + 1;
    s->id_step = g->n;
    s->main.home = s;
    atomic_store(&s->main.owner, s);
    if (index > 0)
        snprintf(s->main.name, sizeof(s->main.name), "thread %u", index + 1);
    return open_inbox(m);
}

static struct group *group_new(unsigned n)
{
    static atomic_uint_fast64_t ids;
    struct group *g = aligned_alloc(_Alignof(struct group), sizeof(*g));

    if (g == NULL)
        return NULL;
    memset(g, 0, sizeof(*g));
    g->id = atomic_fetch_add(&ids, 1) + 1;
    g->n = n;
    pthread_mutex_init(&g->sleep, NULL);
    pthread_mutex_init(&g->overflow, NULL);
    sem_init(&g->begun, 0, 0);
    for (unsigned i = 0; i < SHARED_LOCKS; i++)
        pthread_mutex_init(&g->locks[i].mutex, NULL);
    return g;
}

/* Of a group that was not made to the end, too. */
static void group_free(struct group *g)
{
    for (unsigned i = 0; i < g->n; i++) {
        struct member *m = g->members[i];

        if (m == NULL)
            continue;
        if (m->event_fd >= 0)
            close(m->event_fd);
        if (m->idle != &m->sched->main && m->idle != NULL) {
            sanitize_end(m->idle);
            free(m->idle);
        }
        m->sched->member = NULL;
        free(m);
    }
    free(g);
}

/* The threads from 1 to n are told, and waited for. */
static void end_threads(struct group *g, unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        mail_post(&g->members[i]->sched->main, MAIL_STOP);
    for (unsigned i = 1; i < n; i++)
        pthread_join(g->members[i]->thread, NULL);
}

int threads_start(struct sched *const *states, unsigned n)
{
    struct group *g = group_new(n);
    unsigned started = 1;
    int rc = g != NULL ? 0 : -ENOMEM;

    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = add_member(g, i, states[i]);
    if (rc == 0)
        rc = make_idle(g->members[0]);
    while (started < n && rc == 0) {
        rc = start_thread(g->members[started]);
        started += rc == 0;
    }
    for (unsigned i = 1; i < started; i++) /* what libc does at a thread's start may be forbidden soon */
        while (sem_wait(&g->begun) != 0)
            ;
    if (rc == 0)
        return 0;
    if (g != NULL) {
        end_threads(g, started);
        group_free(g);
    }
    return rc;
}

/* What has come home too late. */
static void drain_all(struct group *g, struct sched *s)
{
    for (unsigned i = 0; i < 2 * g->n; i++) { /* twice: some of it is sent on */
        sched = g->members[i % g->n]->sched;
        inbox_drain(sched->member);
    }
    sched = s;
}

unsigned threads_finish(struct sched **states)
{
    struct sched *s = sched;
    struct group *g = s->member->group;
    unsigned n = g->n;

    end_threads(g, n);
    drain_all(g, s);
    for (unsigned i = 0; i < n; i++)
        states[i] = g->members[i]->sched;
    group_free(g);
    return n;
}

void threads_set_max(size_t max_tasklets)
{
    const struct group *g = task_group();

    sched->max_tasklets = max_tasklets;
    for (unsigned i = 0; g != NULL && i < g->n; i++)
        g->members[i]->sched->max_tasklets = max_tasklets;
}

/* ---- looking in ----------------------------------------------------------------------------------------------------------------------- */

unsigned coop_thread(void)
{
    return sched == NULL ? 0 : sched->member != NULL ? sched->member->index + 1 : 1;
}

unsigned coop_threads(void)
{
    return sched == NULL ? 0 : sched->member != NULL ? sched->member->group->n : 1;
}
