/*
 * threads.h - a group: several thread states of one program, each on an OS thread of its own, and what passes between them.
 *
 * Side:    worker. sched->member is NULL in a thread state that is alone; then nothing here is ever called.
 * Rules:   A tasklet has an owner, the thread state whose OS thread alone may look into it and change it. Whoever else wants something of it
 *          sets a bit in its mail; the first to set one puts it into its owner's inbox. The owner changes only when a tasklet is taken out of
 *          a steal queue: while it is there (MAIL_AIR) it belongs to nobody, its mail waits for whoever takes it, and no mail may be under
 *          way when it is put there.
 * Shared:  wait queues that several thread states use (of channels, and of those who join) are changed under a lock found by the object's
 *          address: the lock outlives the object. Who wakes somebody in such a queue has claimed it first (task_claim()), once.
 * Ring:    that of a thread state of a group holds those that wait for their turn only, and sched->idle keeps the place before them.
 * Left:    what must not be seen by others before a tasklet has left its stack is done by whoever runs next (threads_arrive()).
 */
#ifndef WORKER_TASK_THREADS_H
#define WORKER_TASK_THREADS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "worker/task/task.h"

enum {
    THREADS_MAX = 64,
    STEAL_SLOTS = 256, /* a power of two */
    SHARED_LOCKS = 64, /* as many objects may be worked on at once; ThreadSanitizer follows no more of one thread */
    CACHE_LINE = 64,
};

enum mail {
    MAIL_WAKE = 1, /* whoever posts it has claimed the tasklet */
    MAIL_CANCEL = 2,
    MAIL_FORCE = 4,  /* shields do not hold */
    MAIL_UNPARK = 8, /* with mail_value */
    MAIL_START = 16,
    MAIL_STACK = 32,      /* home: the stack of one that has ended */
    MAIL_FREE = 64,       /* home: all of it */
    MAIL_ALL_ENDED = 128, /* from here on to a thread state's main */
    MAIL_DEADLOCK = 256,
    MAIL_CANCEL_ALL = 512, /* those it has made */
    MAIL_STOP = 1024,
    MAIL_POSTED = 1 << 14, /* is in an inbox */
    MAIL_AIR = 1 << 15,    /* is in a steal queue */
};

enum { CLAIM_NONE, CLAIM_OPEN, CLAIM_TAKEN };

struct steal_queue {           /* Go's: the owner puts at the tail, everybody takes at the head */
    _Atomic(coop_task *) next; /* runs before the others */
    _Alignas(CACHE_LINE) atomic_uint head;
    _Alignas(CACHE_LINE) atomic_uint tail;
    _Atomic(coop_task *) slots[STEAL_SLOTS];
};

struct member {                                      /* what a thread state has as one of a group */
    _Alignas(CACHE_LINE) _Atomic(coop_task *) inbox; /* the last that came; mail_next */
    atomic_bool asleep;                              /* written under group.sleep */
    bool hopes;                                      /* while asleep: a deadline or a descriptor may end it */
    struct group *group;
    struct sched *sched;
    unsigned index;
    int event_fd;
    coop_task *idle;        /* runs when nobody else can: the main of an extra thread, a tasklet of the first's */
    coop_task *before_idle; /* who ran before idle did, for the switch hook; NULL: has ended, or may be elsewhere */
    coop_task *left;        /* has just yielded, or been overtaken; others may have it as soon as it has left its stack */
    coop_task *ending;      /* the same: it has ended */
    unsigned until_look;
    bool other_turn; /* run queue and steal queue take turns */
    bool searching;  /* was woken to steal: nobody else is until it has found something or given up */
    bool stop;
    pthread_t thread;
    pthread_mutex_t all; /* held to change sched->all, and by others who walk it */
    struct steal_queue steal;
};

struct shared_lock {
    _Alignas(CACHE_LINE) pthread_mutex_t mutex;
};

struct group {
    uint64_t id; /* from 1; never given twice in a process */
    unsigned n;
    struct member *members[THREADS_MAX];
    atomic_size_t alive;
    sem_t begun;           /* each further thread, once */
    atomic_bool finishing; /* who is spawned now starts cancelled */
    atomic_uint searching; /* 0 or 1 */
    pthread_mutex_t sleep; /* who sleeps */
    atomic_uint n_asleep;  /* written under it */
    pthread_mutex_t overflow;
    coop_task *first, *last; /* of the steal queues that were full; by next, under overflow */
    atomic_size_t n_overflow;
    struct shared_lock locks[SHARED_LOCKS];
};

/* ---- threads.c: the OS threads ---------------------------------------------------------------------------------------------------- */

/* Above 0: the epolls of a group have the descriptors from here on, its eventfds those from here + THREADS_MAX on; a filter can name them. */
extern int threads_descriptors;

/* How many may be alive in the group of this thread state, from now on. */
void threads_set_max(size_t max_tasklets);

/* Makes a group of n thread states, the first of which is the caller's, and starts the threads of the others. */
int threads_start(struct sched *const *states, unsigned n);
/* All tasklets have ended: ends and joins the other threads. The thread states of all are in states[THREADS_MAX], alone again; their number. */
unsigned threads_finish(struct sched **states);

/* ---- turns.c: a thread state's round ----------------------------------------------------------------------------------------------- */

coop_task *threads_next(void); /* never sleeps: idle, when there is nobody else */
int threads_yield(void);
void threads_look_around(struct member *m); /* mail, and at times the clock and descriptors */
int threads_give_way(coop_task *to); /* which is in no queue: it runs now, and the caller behind everybody. Returns 0, in its turn. */
void threads_arrive(void);
void threads_idle(struct member *m); /* until it is told to stop */
void threads_end(coop_task *t) __attribute__((noreturn));
int threads_spawn(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr);
/* t has left its stack, which is home's again. */
void threads_take_stack(struct sched *home, coop_task *t);
/* Frees t, which is over and which nobody else knows. */
void threads_release(coop_task *t);
/* mail: MAIL_FORCE or 0. */
void threads_cancel_all(struct group *g, unsigned mail);
/* on: cancels them all, and those they spawn from now on. */
void threads_finishing(struct group *g, bool on);

/* ---- inbox.c: mail, sleeping, deadlock ------------------------------------------------------------------------------------------- */

void mail_post(coop_task *t, unsigned bits);
/* The caller owns t: what has come for it meanwhile, but for what makes it run. */
void mail_flags(coop_task *t, unsigned bits);
void inbox_drain(struct member *m);
/* Until somebody sends, a descriptor or a deadline. Returns at once when there is something to do. */
void inbox_sleep(struct member *m);
/* Wakes one that sleeps, so that it steals. */
void inbox_wake_thief(struct group *g);
/* Async-signal-safe. */
void inbox_poke(struct member *m);

/* ---- steal.c --------------------------------------------------------------------------------------------------------------------- */

/* t, which the caller owns and is nobody's current, may run anywhere. */
void steal_put(struct member *m, coop_task *t);
coop_task *steal_take(struct member *m);        /* of its own, or of the overflow; NULL: none */
coop_task *steal_take_fairly(struct member *m); /* the same; the overflow first, and next last */
coop_task *steal_from_others(struct member *m);
bool steal_any(const struct group *g); /* whether there is anything in any */

/* ---- shared.c: queues that several thread states wait in -------------------------------------------------------------------------- */

static inline unsigned shared_index(const void *object)
{
    return (unsigned)((((uintptr_t)object >> 5) * 0x9e3779b97f4a7c15u) >> 56) % SHARED_LOCKS;
}

void shared_lock(struct group *g, const void *object);
void shared_unlock(struct group *g, const void *object);

/* Under the lock: takes the first waiter out of q that nobody else has claimed, and claims it. NULL: none. */
coop_task *shared_claim_first(struct wait_queue *q, struct wait_node **ret_node);
/* Under the lock: takes away those in front that somebody else has. Returns whether one is left. */
bool shared_waiting(struct wait_queue *q);
/* Under the lock: claims all of them, with wait.err = err: a list by next, in their order. */
coop_task *shared_claim_all(struct wait_queue *q, int err);

/* The claimed one goes on with 0: at once, when now and it is of this thread state. No lock is held. */
void shared_wake(coop_task *t, bool now);
void shared_wake_all(coop_task *list);

/* The caller stands at the end of q; under the lock, and with its claim open. */
void shared_enter(struct wait_queue *q, struct wait_node *n);
/* Takes the lock. The object may be gone when n is in no queue any more. */
void shared_leave(struct group *g, const void *object, struct wait_queue *q, struct wait_node *n);

/* task_block(NULL, ...), after which a movable caller may be on another thread state. For what belongs to none. */
int shared_block(int64_t deadline, const char *why, void *object);

/* coop_cancelled() of the caller, that looks at its mail too. */
int threads_cancelled(const coop_task *t);

/* ---- the calls of coop/task.h, in a group ----------------------------------------------------------------------------------------- */

int shared_cancel(coop_task *t);
bool shared_is_over(const coop_task *t);
/* Whether it belongs to the caller's thread state, and is not in the steal queue. */
bool shared_is_ours(const coop_task *t);
int shared_unpark(coop_task *t, intptr_t value);
int shared_chan_send(coop_chan *c, struct coop_value v, int64_t deadline);
int shared_chan_recv(coop_chan *c, intptr_t *ret_word, int64_t deadline);
int shared_chan_close(coop_chan *c);
int shared_chan_open(coop_chan *c);
int shared_select(struct coop_clause *clauses, size_t n, enum coop_select_policy policy, int64_t deadline);
int shared_join(coop_task *t, int *ret_result, int64_t deadline);
int shared_detach(coop_task *t);
int shared_gather(coop_task *const *tasks, size_t n, int *results, int64_t deadline);
int shared_wait_first(coop_task *const *tasks, size_t n, int64_t deadline);

struct chan_sight {
    long waiting[2];
    size_t len;
    bool closing;
    enum coop_preference preference;
};
/* Of any channel. */
struct chan_sight shared_chan_look(const coop_chan *c);
int shared_chan_prefer(coop_chan *c, enum coop_preference p);

/* ---- shared_chan.c for shared_select.c: under the channel's lock -------------------------------------------------------------------- */

struct shared_partner {
    coop_task *task; /* claimed; to be woken by shared_wake() when nothing is locked. NULL: nobody */
    bool now;
};

bool shared_chan_ready(coop_chan *c, enum coop_select_op op);
/* As chan_try_send() and chan_try_recv(). */
bool shared_chan_try(coop_chan *c, enum coop_select_op op, struct coop_value *v, struct shared_partner *ret_partner);

static inline struct group *task_group(void)
{
    return sched != NULL && sched->member != NULL ? sched->member->group : NULL;
}

#endif
