/* threads.c - see threads.h: the OS threads of a group, and who runs next on each. */
#include "worker/task/threads.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/task/sanitize.h"

enum { IDLE_STACK = 64 << 10, THREAD_STACK = 256 << 10 }; /* nothing but idle() runs on a thread's own stack */

__attribute__((noinline)) struct sched *sched_here(void)
{
    __asm__ volatile(""); /* so that no two calls are made one */
    return sched;
}

/* ---- who is next -------------------------------------------------------------------------------------------------------------------- */

static coop_task *run_queue_take(struct sched *s)
{
    coop_task *t = s->first;

    if (t != NULL)
        sched_unready(t);
    return t;
}

/* NULL: nobody. until_poll stays at 1, so that each round comes here. */
static coop_task *pick(struct sched *s)
{
    struct member *m = s->member;
    coop_task *t = NULL;

    s->until_poll = 1;
    inbox_drain(m);
    if (--m->until_look == 0) {
        m->until_look = SCHED_POLL_EVERY;
        (void)sched_poll(false);
        t = steal_take_fairly(m);
    }
    m->other_turn = !m->other_turn;
    if (t == NULL && (m->other_turn || s->first == NULL))
        t = steal_take(m);
    return t != NULL ? t : run_queue_take(s);
}

coop_task *threads_next(void)
{
    coop_task *t = pick(sched);

    return t != NULL ? t : sched->member->idle;
}

int threads_yield(void)
{
    struct sched *s = sched;
    coop_task *t = s->current, *next;

    if (threads_cancelled(t) != 0)
        return -ECANCELED;
    if (s->switch_trap > 0)
        return -EPERM;
    next = pick(s);
    if (next == NULL)
        return 0;
    t->regs.result = 0;
    if (t->movable)
        s->member->left = t;
    else
        sched_ready(t);
    return sched_switch(next);
}

/* ---- arriving ----------------------------------------------------------------------------------------------------------------------- */

void threads_release(coop_task *t)
{
    if (t->home == sched && atomic_load(&t->mail) == 0)
        task_put(t);
    else
        mail_post(t, MAIL_FREE);
}

/* t has left its stack. As soon as it is over who joins it may free it. */
static void bury(struct sched *s, coop_task *t)
{
    struct group *g = s->member->group;
    coop_task *joiners;
    bool detached;

    atomic_store(&t->owner, t->home);
    if (t->home != s)
        mail_post(t, MAIL_STACK);
    else if (stacks_put(&s->stacks, t->stack_class, t->stack) != 0)
        abort(); /* it wrote below its stack */
    shared_lock(g, t);
    t->over = true;
    detached = t->detached;
    joiners = shared_claim_all(&t->joiners, 0);
    shared_unlock(g, t);
    if (detached)
        threads_release(t);
    shared_wake_all(joiners);
    if (atomic_fetch_sub(&g->alive, 1) == 1)
        mail_post(&g->members[0]->sched->main, MAIL_ALL_ENDED);
}

void threads_arrive(void)
{
    struct sched *s = sched;
    struct member *m = s->member;
    coop_task *t;

    if (m == NULL)
        return;
    t = m->left;
    m->left = NULL;
    if (t != NULL)
        steal_put(m, t);
    t = m->ending;
    m->ending = NULL;
    if (t != NULL)
        bury(s, t);
}

int threads_switch(coop_task *from, coop_task *to)
{
    (void)switch_stacks(&from->regs, &to->regs);
    threads_arrive();
    return from->regs.result;
}

void threads_end(coop_task *t)
{
    sched->stats.ended++;
    sched->member->ending = t;
    (void)sched_switch(threads_next());
    abort(); /* nobody switches to one that has ended */
}

/* ---- spawning ----------------------------------------------------------------------------------------------------------------------- */

static int make(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr)
{
    struct sched *s = sched;
    struct group *g = s->member->group;
    size_t alive = atomic_fetch_add(&g->alive, 1) + 1;
    int rc = alive <= s->max_tasklets ? task_make(ret_task, fn, arg, attr) : -EAGAIN;

    if (rc != 0)
        atomic_fetch_sub(&g->alive, 1);
    else if (alive > s->stats.peak)
        s->stats.peak = alive;
    return rc;
}

int threads_spawn(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr)
{
    struct member *m = sched->member, *to = m;
    coop_task *t;
    int rc;

    if (attr->thread > m->group->n)
        return -EINVAL;
    if (attr->thread > 0)
        to = m->group->members[attr->thread - 1];
    if (attr->scope != NULL && (to != m || attr->movable))
        return -EXDEV;
    inbox_drain(m); /* memory may have come home */
    rc = make(&t, fn, arg, attr);
    if (rc != 0)
        return rc;
    t->detached = ret_task == NULL;
    t->movable = attr->movable;
    t->home = m->sched;
    atomic_store(&t->owner, to->sched);
    if (ret_task != NULL)
        *ret_task = t;
    if (to != m)
        mail_post(t, MAIL_START);
    else if (t->movable)
        steal_put(m, t);
    else
        sched_ready(t);
    return 0;
}

void threads_cancel_all(struct group *g, unsigned mail)
{
    for (unsigned i = 0; i < g->n; i++)
        mail_post(&g->members[i]->sched->main, MAIL_CANCEL_ALL | mail);
}

/* ---- idle --------------------------------------------------------------------------------------------------------------------------- */

/* One that was woken to steal has found something, or not: another may be, if there is more. */
static void search_is_over(struct member *m, bool found)
{
    struct group *g = m->group;
    unsigned none = 0;

    m->searching = false;
    atomic_store(&g->searching, 0);
    if (found && atomic_load(&g->n_asleep) > 0 && steal_any(g) && atomic_compare_exchange_strong(&g->searching, &none, 1))
        inbox_wake_thief(g);
}

static void idle(struct member *m)
{
    while (!m->stop) {
        coop_task *t = pick(m->sched);

        if (t == NULL && !m->stop)
            t = steal_from_others(m);
        if (m->searching)
            search_is_over(m, t != NULL);
        if (t != NULL) {
            (void)sched_switch(t); /* until nobody else can run */
        } else if (!m->stop) {
            inbox_sleep(m);
            m->until_look = 1;
        }
    }
}

static void idle_begin(void)
{
    struct member *m = sched->member;

    sanitize_arrive(m->idle);
    threads_arrive();
    idle(m);
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
    sanitize_main(&s->main);
    idle(s->member);
    return NULL;
}

/* No signal is theirs: those of the process go to the first thread. */
static int start_thread(struct member *m)
{
    pthread_attr_t attr;
    sigset_t all, kept;
    int rc = pthread_attr_init(&attr);

    if (rc != 0)
        return -rc;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    rc = pthread_create(&m->thread, &attr, thread_main, m->sched);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    pthread_attr_destroy(&attr);
    return -rc;
}

static int open_inbox(struct member *m)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.fd = -1 }; /* each write is an edge: nobody need read it */
    struct sched *s = m->sched;

    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    m->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
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
    m->until_look = SCHED_POLL_EVERY;
    m->idle = &s->main;
    pthread_mutex_init(&m->all, NULL);
    s->member = g->members[index] = m;
    s->until_poll = 1;
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
    struct group *g = aligned_alloc(_Alignof(struct group), sizeof(*g));

    if (g == NULL)
        return NULL;
    memset(g, 0, sizeof(*g));
    g->n = n;
    pthread_mutex_init(&g->sleep, NULL);
    pthread_mutex_init(&g->overflow, NULL);
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
        if (m->event_fd > 0)
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

/* ---- looking in ----------------------------------------------------------------------------------------------------------------------- */

unsigned coop_thread(void)
{
    return sched == NULL ? 0 : sched->member != NULL ? sched->member->index + 1 : 1;
}

unsigned coop_threads(void)
{
    return sched == NULL ? 0 : sched->member != NULL ? sched->member->group->n : 1;
}
