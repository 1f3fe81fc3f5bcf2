/*
 * coop/task.h - tasklets: many threads of control that take turns on one operating-system thread, or on a few, and what they wait on.
 *
 * A tasklet is a C function with a stack of its own. It runs until it blocks, yields or returns; nothing else interrupts it. Each
 * operating-system thread that calls coop_init() has a thread state: a run queue, timers, descriptors, and the main tasklet, which is
 * the caller of coop_init(). What is made here belongs to the thread state that made it, but for what Threads names.
 *
 * Before:    nothing but coop_init(), coop_now() and coop_after() may be called before coop_init() or after coop_finish().
 * Threads:   coop_options.threads makes a group of thread states. Their tasklets share channels (select too) and each other: spawn, join,
 *            gather, wait, detach, cancel, unpark. Mutexes, rwlocks, semaphores, events, conditions, barriers, waitgroups, generators, timers,
 *            keys and scopes stay one thread state's: -EXDEV from a tasklet of another, and what they would tell (a value, whether it is
 *            set) is 0 there. In a group, channels that were made outside of it: -EXDEV.
 * Returns:   0 (or a documented count) or -errno, always. -EINVAL: a NULL, dead or senseless argument. -ENOMEM.
 * Blocking:  a function with a deadline blocks until it is done, or returns -ETIMEDOUT at the deadline, -ECANCELED when the caller is
 *            cancelled (and again each time, until it returns: cancellation is a level, not an edge), -EDEADLK when nothing can ever wake
 *            it, -EPERM while blocking is forbidden (coop_block_trap(), coop_switch_trap()). What it would have done has then not happened.
 * Deadlines: microseconds of CLOCK_MONOTONIC, absolute. COOP_NEVER: none. 0: try, do not block, -ETIMEDOUT if it would. So any past time,
 *            as the thread state knows it: it looks at the clock when it is idle and every 61 switches, and wakes to the millisecond.
 * Memory:    what coop_x_new() made, coop_x_free() frees; *_free(NULL) does nothing. Freeing what somebody waits on is refused: -EBUSY.
 */
#ifndef COOP_TASK_H
#define COOP_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct coop_task coop_task;
typedef struct coop_chan coop_chan;
typedef struct coop_scope coop_scope;
typedef struct coop_gen coop_gen;
typedef struct coop_mutex coop_mutex;
typedef struct coop_rwlock coop_rwlock;
typedef struct coop_sem coop_sem;
typedef struct coop_event coop_event;
typedef struct coop_cond coop_cond;
typedef struct coop_barrier coop_barrier;
typedef struct coop_waitgroup coop_waitgroup;
typedef struct coop_timer coop_timer;

/* What a tasklet runs; what it returns is what coop_join() gives. A negative value is a failure to a scope. */
typedef int (*coop_fn)(void *arg);

#define COOP_NEVER INT64_MAX

/* ---- thread state -------------------------------------------------------------------------------------------------------------- */

struct coop_options {
    size_t max_tasklets; /* alive at once in the group, main not counted; 0: 1,048,576 */
    size_t stack_size;   /* of a tasklet that asks for none; 0: 64 KiB */
    /* Stacks that may stay in memory while more tasklets are alive: beyond, those that have waited longest are hibernated. 0: 65,536, and
     * none where the kernel has no guards (Linux before 6.13) and private_stacks is false. SIZE_MAX: never by itself. */
    size_t hibernate_above;
    bool private_stacks; /* the program promises: nothing outside a waiting tasklet points into its stack. Needed before Linux 6.13 only. */
    unsigned threads;    /* thread states in the group, each on an OS thread of its own, at most 64 (-EINVAL); 0 or 1: the caller's alone */
};

/*
 * Makes this thread's state; the caller becomes its main tasklet. options may be NULL. -EALREADY: it has one.
 * The first of a process installs a handler of SIGSEGV, which names the tasklet whose stack is too small and brings hibernated stacks back;
 * every other fault is handed to the handler that was there. A thread without an alternate signal stack is given one.
 * Threads are made here and at no other time, so a program may forbid itself to make more afterwards. They block all signals but those of
 * their own faults; each sleeps in an epoll of its own when none of its tasklets can run. -EAGAIN, -EMFILE: the system has no thread, no
 * descriptor for them (two each).
 */
int coop_init(const struct coop_options *options);

/* Cancels and joins every tasklet, then takes the thread state down, with all the threads of a group. Only main may (-EPERM), of the first
 * thread; -EBUSY: some refuse to end. */
int coop_finish(void);

/* The number of the caller's thread state, from 1, and how many there are. */
unsigned coop_thread(void);
unsigned coop_threads(void);

/* Runs the others until none is alive but main. Only main may (-EPERM). -EDEADLK: those that are left wait for each other, or for
 * somebody to go on with a generator, which is a tasklet too; found as soon as all threads sleep, and no deadline or descriptor can wake one. */
int coop_run(int64_t deadline);

/* Now, by the clock; and us microseconds from now (a negative one is the past). */
int64_t coop_now(void);
int64_t coop_after(int64_t us);

/* ---- tasklets ------------------------------------------------------------------------------------------------------------------ */

struct coop_attr {
    const char *name;  /* copied, at most 15 bytes are kept; NULL: none */
    size_t stack_size; /* bytes, rounded up to 8, 16, 64, 256 KiB or 1 MiB; 0: the thread state's. -EINVAL above 1 MiB. */
    coop_scope *scope; /* whose child it is; NULL: nobody's. -EXDEV: with thread or movable, it would run on another thread state */
    unsigned thread;   /* the thread state it starts on, from 1; 0: the caller's. -EINVAL: there are not so many */
    bool movable;      /* see below; alone it means nothing */
};

/*
 * Movable: a thread state that has nothing to do takes it out of another's run queue, so it may go on on another OS thread after yield, sleep,
 * park, join, gather, wait and what it does to channels; not after other calls. It has neither keys nor scopes (-EXDEV), and what it makes of
 * the objects above stays where it was made. A compiler may keep the address of errno, or of any variable of a thread, over such a call: do not
 * use either in the same function on both sides of one. errno's value goes with the tasklet.
 */

/*
 * Makes a tasklet and puts it at the end of the run queue. attr may be NULL. With ret_task it stays joinable until coop_join(); with NULL
 * nobody joins it, and it vanishes when it ends. -EAGAIN: max_tasklets are alive.
 */
int coop_spawn(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr);

/* Waits until it has ended and frees it; *ret_result (may be NULL) is what it returned. -EDEADLK for oneself. -EBUSY: another joins it. */
int coop_join(coop_task *t, int *ret_result, int64_t deadline);

/* Nobody will join it: it is freed when it ends, or now when it has. */
int coop_detach(coop_task *t);

/* Ends the calling tasklet with this result, as if its function had returned it. Main cannot (-EPERM). */
int coop_exit(int result);

/* From now on every blocking call of t fails with -ECANCELED, the one it is in too. Ended: 0. Never blocks. On another thread it takes
 * effect there: a value that is on its way to t arrives first. */
int coop_cancel(coop_task *t);

/* Whether the caller is cancelled and not shielded: -ECANCELED, else 0. For loops that do not block. */
int coop_cancelled(void);

/* While on (they nest), the caller's cancellation waits. */
void coop_shield(bool on);

/* Lets the others run once around. 0, or -ECANCELED. */
int coop_yield(void);

/* Runs t now, but every 61st time when its turn comes; the caller stays in the run queue, behind it. -EINVAL: t is not in the run queue.
 * -EXDEV: it is in another's, or may be moved. */
int coop_yield_to(coop_task *t);

/* Blocks until somebody unparks the caller; *ret_value (may be NULL) is what was given. An unpark before the park is kept: once. */
int coop_park(intptr_t *ret_value, int64_t deadline);
int coop_unpark(coop_task *t, intptr_t value);

int coop_sleep_until(int64_t deadline); /* 0 at the deadline, never -ETIMEDOUT */

coop_task *coop_self(void);
coop_task *coop_main(void);
uint64_t coop_id(const coop_task *t);      /* 1: main; never given twice in a group */
const char *coop_name(const coop_task *t); /* "" when it has none */
bool coop_alive(const coop_task *t);
bool coop_blocked(const coop_task *t); /* false also of one on another thread */

/* While on (they nest), a call of the caller that would block fails with -EPERM. */
void coop_block_trap(bool on);

/* While above 0, any switch of this thread state fails with -EPERM. Returns the old level. */
int coop_switch_trap(int delta);

/* No slice of the caller is ended for it by preemption. Returns the old value. */
bool coop_atomic(bool on);

/* ---- hibernation: a waiting tasklet takes a few hundred bytes instead of a page and more -------------------------------------------

 * What is on its stack is kept in a block of that size, and its pages are given back. Before it runs again, or when this thread follows a
 * pointer into its stack, all is put back where it was. Two do not get that help: the kernel (a system call that is handed such a pointer
 * fails with EFAULT), and other threads (they fault). Whoever gives its stack's addresses to them pins its stack meanwhile.
 */

/* Hibernates t now, which waits. 0: also when it is already. -EINVAL: it does not wait. -EBUSY: pinned. -ENOMEM: also when its memory is
 * locked. -ENOTSUP: this build cannot, there are several thread states, or the kernel has no guards and the program has not promised
 * private_stacks. */
int coop_hibernate(coop_task *t);
bool coop_hibernated(const coop_task *t);

/* While on (they nest), the caller's stack is not hibernated. */
void coop_pin_stack(bool on);

/* ---- tasklet-local values ------------------------------------------------------------------------------------------------------ */

/* A key of this thread state; destroy (may be NULL) is called with a value that is not NULL, when its tasklet ends. -ENOSPC: 64 exist. */
int coop_key_new(unsigned *ret_key, void (*destroy)(void *value));
int coop_key_set(unsigned key, void *value);
void *coop_key_get(unsigned key); /* NULL when unset, or no such key */

/* Context: like a key, but a spawned tasklet starts with its parent's value. No destructor: the values are borrowed. */
int coop_context_set(const void *name, void *value);
void *coop_context_get(const void *name);

/* ---- descriptors --------------------------------------------------------------------------------------------------------------- */

enum { COOP_READABLE = 1, COOP_WRITABLE = 2 };

/* Blocks until fd is ready for one of events; returns those that are. -EPERM in a job: it has none. -EBUSY: another tasklet waits on this fd. A plain file always is. */
int coop_fd_wait(int fd, int events, int64_t deadline);

/* ---- channels ------------------------------------------------------------------------------------------------------------------ */

/* What travels: a word, or a pointer whose ownership travels with it. err != 0: an error was sent instead (coop_chan_send_error()). */
struct coop_value {
    intptr_t word;
    int err;
};

enum coop_preference { /* between two of the same thread state; a partner on another is made runnable there, and the caller goes on */
                       COOP_PREFER_RECEIVER = -1, /* a sender that meets a waiting receiver lets it run at once */
                       COOP_PREFER_NEITHER = 0,
                       COOP_PREFER_SENDER = 1,
};

/* capacity: values held without a receiver, at most 2^24 (-EINVAL); 0: each send meets a receive. Preference starts at RECEIVER. */
int coop_chan_new(size_t capacity, coop_chan **ret_chan);
int coop_chan_free(coop_chan *c);

/* -EPIPE: closed. */
int coop_chan_send(coop_chan *c, intptr_t word, int64_t deadline);
/* The receiver's coop_chan_recv() returns err (a negative errno, else -EINVAL here). */
int coop_chan_send_error(coop_chan *c, int err, int64_t deadline);
/* -EPIPE: closed, and nothing is left in it. */
int coop_chan_recv(coop_chan *c, intptr_t *ret_word, int64_t deadline);

/* No more sends: a blocked sender fails with -EPIPE, and so do receives once what is buffered is gone. Twice: -EPIPE. */
int coop_chan_close(coop_chan *c);
bool coop_chan_is_closed(const coop_chan *c);  /* closed, and nothing left to receive */
bool coop_chan_is_closing(const coop_chan *c); /* coop_chan_close() was called */
int coop_chan_open(coop_chan *c);              /* takes a close back */

/* Above 0: so many senders wait. Below 0: so many receivers. */
long coop_chan_balance(const coop_chan *c);
size_t coop_chan_len(const coop_chan *c);
size_t coop_chan_cap(const coop_chan *c);
int coop_chan_set_preference(coop_chan *c, enum coop_preference p);
enum coop_preference coop_chan_preference(const coop_chan *c);

enum coop_select_op { COOP_SEND, COOP_RECV };
enum coop_select_policy {
    COOP_FAIR,    /* of several that are ready, one at random */
    COOP_FIRST,   /* the first listed */
    COOP_DEFAULT, /* as FIRST; none ready: -EAGAIN at once */
};

struct coop_clause {
    enum coop_select_op op;
    coop_chan *chan; /* NULL: never ready */
    intptr_t word;   /* sent, or received */
    int rc;          /* of the chosen one: 0, -EPIPE, or the error that was sent */
};

/* One clause happens, the others do not. Returns its index. A closed channel is ready, with -EPIPE. n 0 without deadline: -EDEADLK when alone. */
int coop_select(struct coop_clause *clauses, size_t n, enum coop_select_policy policy, int64_t deadline);

/* ---- timers -------------------------------------------------------------------------------------------------------------------- */

/* Calls fn(arg) in a tasklet of its own at the deadline, and then every period_us (0: once). */
int coop_timer_new(coop_fn fn, void *arg, coop_timer **ret_timer);
/* While it is set, somebody can always be woken: coop_run() does not return, and no deadlock is found. */
int coop_timer_set(coop_timer *t, int64_t deadline, int64_t period_us);
int coop_timer_stop(coop_timer *t); /* 1: it was set; 0: it was not */
int coop_timer_free(coop_timer *t);

/* ---- generators ---------------------------------------------------------------------------------------------------------------- */

/* Runs inside the generator; ends it by returning: 0 is a normal end, another value is what the last coop_gen_next() returns. */
typedef int (*coop_gen_fn)(coop_gen *g, void *arg);

int coop_gen_new(coop_gen_fn fn, void *arg, coop_gen **ret_gen);
/* Runs it to its next yield. 0 with *ret_word; -EPIPE: it has ended; -EBUSY: it is running (from inside itself too). */
int coop_gen_next(coop_gen *g, intptr_t *ret_word);
/* The same; the yield it is at returns 0 with word. -EINVAL: it has not started, and word is not 0. */
int coop_gen_send(coop_gen *g, intptr_t word, intptr_t *ret_word);
/* The same; the yield it is at returns err (negative). */
int coop_gen_throw(coop_gen *g, int err, intptr_t *ret_word);
/* Its yield returns -ECANCELED, and again, until it ends. -EINVAL: it yielded instead. */
int coop_gen_close(coop_gen *g);
int coop_gen_free(coop_gen *g); /* closes first */
/* Inside: gives word to the caller; *ret_sent (may be NULL) is what came back. */
int coop_gen_yield(coop_gen *g, intptr_t word, intptr_t *ret_sent);
/* Inside: yields everything of another, handing sends and throws on. Returns its end. */
int coop_gen_yield_from(coop_gen *g, coop_gen *inner);

/* ---- futures: a joinable tasklet is one ----------------------------------------------------------------------------------------- */

/* Waits for all; results (may be NULL) has n places. Frees them all when it returns 0. Fails as one join would; none is freed then. */
int coop_gather(coop_task *const *tasks, size_t n, int *results, int64_t deadline);
/* Waits until one has ended and returns its index; joins nothing. */
int coop_wait_first(coop_task *const *tasks, size_t n, int64_t deadline);
/* Joins; at the deadline cancels it and waits for its end: -ETIMEDOUT, and it is freed. */
int coop_wait_for(coop_task *t, int *ret_result, int64_t deadline);

/* ---- scopes -------------------------------------------------------------------------------------------------------------------- */

struct coop_failure {
    uint64_t task; /* coop_id() */
    char name[16];
    int result; /* below 0 */
};

/* Children are spawned with attr.scope (-EINVAL there: the one that opened the scope has ended). At the deadline all are cancelled. */
int coop_scope_new(coop_scope **ret_scope, int64_t deadline);
/* Waits until all children have ended. A child that fails (returns below 0, unless it was cancelled) cancels the others. Returns the first failure, or 0. */
int coop_scope_join(coop_scope *s, int64_t deadline);
/* Cancels all children, joins them and frees the scope. Returns the first failure, or 0. -EDEADLK: called by a child of it. */
int coop_scope_close(coop_scope *s);
int coop_scope_cancel(coop_scope *s);
/* The failures so far, oldest first; at most COOP_FAILURES_KEPT are kept. */
#define COOP_FAILURES_KEPT 16
size_t coop_scope_failures(const coop_scope *s, const struct coop_failure **ret_list);

/* ---- locks and the like: all are fair, first come first served ------------------------------------------------------------------- */

int coop_mutex_new(coop_mutex **ret);
int coop_mutex_free(coop_mutex *m);
int coop_mutex_lock(coop_mutex *m, int64_t deadline); /* -EDEADLK: the caller holds it */
int coop_mutex_unlock(coop_mutex *m);                 /* -EPERM: the caller does not hold it */

int coop_rwlock_new(coop_rwlock **ret);
int coop_rwlock_free(coop_rwlock *l);
int coop_rwlock_read(coop_rwlock *l, int64_t deadline); /* behind a writer that waits */
int coop_rwlock_write(coop_rwlock *l, int64_t deadline);
int coop_rwlock_unlock(coop_rwlock *l); /* -EPERM: nobody holds it, or another for writing */

int coop_sem_new(unsigned value, coop_sem **ret);
int coop_sem_free(coop_sem *s);
int coop_sem_wait(coop_sem *s, int64_t deadline);
int coop_sem_post(coop_sem *s); /* -EOVERFLOW */
unsigned coop_sem_value(const coop_sem *s);

int coop_event_new(coop_event **ret);
int coop_event_free(coop_event *e);
int coop_event_wait(coop_event *e, int64_t deadline);
int coop_event_set(coop_event *e);
int coop_event_clear(coop_event *e);
bool coop_event_is_set(const coop_event *e);

int coop_cond_new(coop_cond **ret);
int coop_cond_free(coop_cond *c);
/* Holds m again whatever it returns, but for -EPERM: it did not hold it. Main, told -EDEADLK, has it when its holder can go on. */
int coop_cond_wait(coop_cond *c, coop_mutex *m, int64_t deadline);
int coop_cond_signal(coop_cond *c);
int coop_cond_broadcast(coop_cond *c);

int coop_barrier_new(unsigned parties, coop_barrier **ret);
int coop_barrier_free(coop_barrier *b);
/* Returns 1 to the one that came last, 0 to the others. -EPIPE: broken, as when one gave up waiting; for good. */
int coop_barrier_wait(coop_barrier *b, int64_t deadline);

int coop_waitgroup_new(coop_waitgroup **ret);
int coop_waitgroup_free(coop_waitgroup *w);
int coop_waitgroup_add(coop_waitgroup *w, int delta); /* -EINVAL: below 0 */
int coop_waitgroup_done(coop_waitgroup *w);
int coop_waitgroup_wait(coop_waitgroup *w, int64_t deadline);

/* Runs fn(arg) once, whoever comes first; the others wait for its end. Zero-initialised: static coop_once o. */
typedef struct {
    int state;
    coop_event *done;
} coop_once; /* also one of several thread states; while it runs on another: -EXDEV */
int coop_once_run(coop_once *o, coop_fn fn, void *arg, int64_t deadline);

/* ---- looking in ---------------------------------------------------------------------------------------------------------------- */

struct coop_stats {
    uint64_t switches, spawned, ended; /* of the caller's thread state, as are those below */
    uint64_t slices;                   /* that preemption has ended; in C there is none */
    size_t alive;                      /* in the group */
    size_t peak, runnable;
    uint64_t stack_bytes;         /* address space of all stacks in use, of those it has made */
    size_t hibernated;            /* tasklets, now */
    uint64_t hibernated_bytes;    /* that their blocks take */
    uint64_t hibernations, wakes; /* so far */
};
void coop_get_stats(struct coop_stats *ret);

/* Called before each switch (to NULL: from has ended, and from is NULL in the call after that), and before each channel operation. They must
 * not switch. NULL: none. */
typedef void (*coop_switch_hook)(coop_task *from, coop_task *to);
typedef void (*coop_chan_hook)(coop_chan *c, coop_task *t, bool sending, bool will_block);
void coop_set_switch_hook(coop_switch_hook hook);
void coop_set_chan_hook(coop_chan_hook hook);

/* One line for each tasklet and up to depth lines of its calls, by write(2) to fd. Of those on other threads, and of movable ones that wait for
 * their turn: the name and the thread. */
void coop_backtrace(int fd, int depth);

#ifdef __cplusplus
}
#endif

#endif
