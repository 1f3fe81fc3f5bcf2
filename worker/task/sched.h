/*
 * sched.h - a thread state: who runs, who may run, who waits and for what. What everything in this folder is built on.
 *
 * Side:    worker. One thread state for each OS thread; no function here is called for another thread's. Several of a group: threads.h.
 * Rules:   A tasklet waits by task_block() and is woken by task_wake(), nothing else. Nobody writes into a parked tasklet's stack: what is
 *          given to it goes into its struct coop_task, its wait nodes are there too. So a parked stack may be packed away.
 * Order:   the run queue is first in, first out. It is a ring that the running tasklet is part of: to yield is to go on in the next.
 * Clock:   read when the queue runs dry, and every SCHED_POLL_EVERY switches; never by an operation.
 */
#ifndef WORKER_TASK_SCHED_H
#define WORKER_TASK_SCHED_H

#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include <coop/task_inline.h>

#include "worker/task/berths.h"
#include "worker/task/hibernate.h"
#include "worker/task/stacks.h"
#include "worker/task/switch.h"
#include "worker/task/wheel.h"

enum { SCHED_POLL_EVERY = 61, TASK_NAME = 16, TASK_KEYS = 64, TASK_BACKTRACE = 32 };

enum task_state { TASK_READY, TASK_RUNNING, TASK_BLOCKED, TASK_ENDED };

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

struct wait_node {
    struct wait_node *next, *prev; /* both NULL in no queue, and in a queue of one */
    coop_task *task;
    intptr_t word; /* what it brings, or was given; the queue's owner says */
    int err;
    int index; /* of a select's clause; the queue's owner says */
};

struct wait_queue {
    struct wait_node *first, *last;
    long count;
};

static inline bool wait_empty(const struct wait_queue *q)
{
    return q->first == NULL;
}

void wait_push(struct wait_queue *q, struct wait_node *n);
void wait_push_first(struct wait_queue *q, struct wait_node *n);
void wait_remove(struct wait_queue *q, struct wait_node *n); /* in no queue: nothing */

/* ---- tasklets ------------------------------------------------------------------------------------------------------------------ */

struct task_context { /* one inherited value */
    const void *name;
    void *value;
    struct task_context *next;
};

struct coop_task {
    struct switch_regs regs; /* first: the switch's */
    coop_task *next, *prev;  /* in the ring */
    enum task_state state;
    bool cancelled;
    uint32_t block_trap, shield; /* levels */
    bool atomic;
    bool joined; /* somebody waits in coop_join() */
    bool detached;
    bool has_permit; /* an unpark before the park */
    uint8_t pins;    /* levels: its stack stays where it is */
    bool movable;    /* may be stolen by another thread state of its group */
    bool loose;      /* blocked where it may go on anywhere */
    bool over;       /* in a group, under its lock: has ended and left its stack */
    bool released;   /* the same, at home: nobody knows it any more */
    atomic_uchar claim;
    intptr_t permit;
    struct wait_queue *blocked_on; /* that wait.next is in; NULL: none */
    void (*on_wake)(coop_task *t); /* takes further nodes out of their queues; NULL: none. Called by task_wake(), before t runs. */
    struct wait_node wait;
    struct wheel_node timer;
    const char *why; /* it is blocked: "chan send", for backtraces */
    void *waits_for; /* the object, for the same */

    coop_fn fn;
    void *arg;
    int result;
    int stack_class;
    void *stack;
    size_t stack_size;
    uint64_t id;
    char name[TASK_NAME];
    struct wait_queue joiners;
    coop_scope *scope;
    coop_task *scope_next, *scope_prev;
    void **keys; /* TASK_KEYS of them, or NULL */
    struct task_context *context;
    void *engine;        /* of the language that runs in it */
    uint32_t blocked_at; /* how many switches there had been, modulo 2^32 */
    coop_task *all_next, *all_prev;
    struct frozen *frozen; /* what was on its stack, and in regs; NULL: it still is */
    struct berth *berth;   /* of its stack; NULL: that is its alone */
    struct frozen *kept;   /* of one that shares its stack: for what will be on it when it has to make way */
#if defined(__SANITIZE_ADDRESS__) || defined(COOP_ASAN)
    void *fake_stack;
#endif
#if defined(__SANITIZE_THREAD__) || defined(COOP_TSAN)
    void *fiber;
#endif
    /* Of a group, threads.h; outside of one there is no memory for it, but in main. */
    struct sched *home; /* the first of them; whose stack and memory it has */
    _Atomic(struct sched *) owner;
    coop_task *mail_next;
    atomic_intptr_t mail_value;
    atomic_uint mail;
};

/* ---- the thread state ---------------------------------------------------------------------------------------------------------- */

struct sched_pollee { /* one descriptor's waiter */
    coop_task *task;
    bool known; /* to epoll */
};

struct sched {
    coop_task *current;
    size_t
        runnable; /* length of the run queue; and between two that a switch stores the same in: together, in a vector, that takes longer */
    coop_task *ring; /* those that run or may: current, or what keeps its place. The run queue begins behind it and ends before it. */
    unsigned until_poll;
    int switch_trap;
    int *errno_at;         /* this thread's: errno is a call */
    bool hooked;           /* one of switch_hook, on_switch, chan_hook is set, canaries are to be looked at, or member is set */
    uint64_t switches;     /* of coop_stats */
    struct member *member; /* of a group of thread states; NULL: is alone */
    struct wheel wheel;
    int64_t now_us; /* of the last look at the clock */
    struct stacks stacks;
    coop_task main;
    coop_task idle; /* in the ring while nobody runs */
    coop_task *all; /* list of all that have not been freed, main not among them */
    coop_task *free_tasks;
    coop_task *dead;  /* the last that ended detached: it may still be leaving its stack; freed when the next ends */
    void *dead_stack; /* the same of the last stack that was left */
    int dead_class;
    void *slabs;
    size_t alive, max_tasklets;
    int default_class;
    uint64_t last_id, id_step;
    bool main_runs_all;           /* in coop_run(): wakes when alive is 0 */
    int epoll_fd;                 /* -1 until a descriptor is waited for */
    int wake_fd;                  /* an eventfd of the engine's, that ends a sleep of who is in no group; -1: none */
    struct sched_pollee *pollees; /* by descriptor */
    size_t n_pollees, polled;     /* places; how many tasklets wait */
    size_t watching;              /* how many of those wait for watched_fd, beside the pollees */
    int watched_fd;
    void (*on_readable)(void);
    volatile sig_atomic_t interrupted;
    volatile struct timespec nap; /* how long the next one is, which sched_interrupt() sets to nothing */
    coop_switch_hook switch_hook;
    coop_chan_hook chan_hook;
    struct {
        void (*destroy)(void *value);
        bool used;
    } keys[TASK_KEYS];
    struct coop_stats stats;
    /* The run queue is empty, before anybody sleeps: may wake somebody. */
    void (*on_idle)(void);
    /* Nothing can ever run again; main is woken with -EDEADLK afterwards. The default does nothing. */
    void (*on_deadlock)(void);
    /* Before the switch, on the old stack: what an engine keeps that belongs to whoever runs. Set by sched_on_switch(). */
    void (*on_switch)(coop_task *from, coop_task *to);
    /* A tasklet of this engine has ended: t->engine is its own. */
    void (*on_end)(coop_task *t);
    coop_task *all_last;
    struct hibernate hibernate;
    struct berths berths;
    coop_task waker;    /* what sanitizers know the stack by on which others are brought back */
    void *signal_stack; /* this thread had none before; NULL: it had */
    size_t daemons;     /* of alive: those that coop_run() does not wait for. An engine's; not in a group */
    /* sched_interrupt() was called: who is cancelled by it. NULL: all are. */
    void (*on_interrupt)(void);
};

extern __thread struct sched *sched __asm__("coop_thread_state"); /* this thread's; NULL before coop_init() */

/* The same, asked for again: a compiler may keep the address of a thread's variable across a switch, after which a movable tasklet is on
 * another thread. For code that goes on after a switch of one that may have moved. */
struct sched *sched_here(void);

/* Who an object belongs to that is made now, and whether one is somebody else's: -EXDEV. Without a group there is nobody else. */
static inline struct member *task_home(void)
{
    return sched != NULL ? sched->member : NULL;
}

static inline bool task_foreign(const struct member *home)
{
    return sched != NULL && sched->member != home;
}

/* Whether somebody could have the turn of the one that runs, now or when a look at clock and descriptors finds him due. Async-signal-safe. */
static inline bool sched_others_wait(void)
{
    return sched->runnable > 0 || sched->wheel.count > 0 || sched->polled > 0;
}

/* Whether the run queue has somebody. */
static inline bool sched_any(void)
{
    return sched->ring->next != sched->ring;
}

/*
 * Blocks the running tasklet at the end of q (NULL: in no queue) until task_wake(), its deadline, or its cancellation.
 * Returns what it was woken with, -ETIMEDOUT, -ECANCELED or -EDEADLK; when it was not woken by task_wake(), its node has left q.
 * The caller has filled in current->wait.word and the like. why: a constant, for backtraces; object: what it names.
 */
int task_block(struct wait_queue *q, int64_t deadline, const char *why, void *object);

/* The same, for somebody who waits for a word: regs.word goes to *into when it returns 0. Both are for tail position. */
int task_block_receive(struct wait_queue *q, int64_t deadline, const char *why, void *object, intptr_t *into);

/* What task_block() would return at once: -ECANCELED, -EPERM, or -ETIMEDOUT for a deadline that is past; 0: it would block. */
int task_may_block(int64_t deadline);

/* Takes t out of what it waits for and puts it at the end of the run queue. t must be blocked. */
void task_wake(coop_task *t, int rc);

/* The same for one that is blocked, unless somebody of another thread state has woken it: that wins. */
void task_interrupt(coop_task *t, int rc);

/* The same as task_wake(), but t runs now and the caller comes behind everybody. Falls back to task_wake() while switching is forbidden.
 * Returns 0. */
int task_wake_now(coop_task *t, int rc);

void sched_on_switch(void (*fn)(coop_task *from, coop_task *to));

/* Async-signal-safe: main and all others are cancelled as soon as the thread state looks. */
void sched_interrupt(struct sched *s);

/* Only main, of an interpreter: no interrupt is under way, it is not cancelled, and nothing keeps it from blocking, whatever a tenant has
 * left behind. */
void sched_main_afresh(void);

/* poll.c: looks at clock and descriptors and wakes who is due. wait: sleeps until there is somebody; false: nobody can ever come. */
bool sched_poll(bool wait);

/* poll.c: sleeps until a signal, a descriptor or the next deadline, and wakes who waits for a descriptor. */
void sched_sleep(void);

/* poll.c: ends the sleep of the thread state that has this wake_fd, or its next one. Async-signal-safe. */
void sched_wake_by(int wake_fd);

/* In a sandbox: there is nothing to wait on, coop_fd_wait() is -EPERM. */
extern bool sched_no_descriptors;

/*
 * One descriptor that any number of tasklets wait for, by calls that every policy has. While one does, readable() is called when fd can be
 * read, on the stack of whoever looked: it reads, and task_wake()s those whose turn has come. sched_watch_block() blocks the running tasklet as
 * task_block() does, until that. -EBUSY: there is a group.
 */
int sched_watch_block(int fd, void (*readable)(void), int64_t deadline, const char *why, void *object);

/* Who waits for what, a line each, and up to depth lines of its calls. Nothing is allocated. */
void sched_describe(void (*line)(void *ctx, const char *text), void *ctx, int depth);

#endif
