/*
 * task.h - Python's tasklets on worker/task: what stackless, greenlet and the event loop are made of.
 *
 * Side:    worker, sealed; with the GIL. Tenant code calls everything above this.
 * State:   every tasklet has a PyThreadState of its own, from its first turn to its end, and a C stack of its own; so it may give up its
 *          turn anywhere, in the middle of C code too.
 * Floats:  a tasklet that is in no queue and waits for nothing is paused; one in stackless.run() is a watchdog. To the scheduler both are
 *          blocked, on nothing.
 * Values:  what a call that gave up its turn returns lies in the tasklet's tempval; a bomb there is raised.
 * Owned:   a tasklet that is queued or blocked has a reference to itself (held); one that is paused lives as long as somebody knows it,
 *          and is killed when nobody does.
 * Threads: every OS thread that touches a tasklet has a scheduler, main tasklet and watchdogs of its own: struct py_thread.
 */
#ifndef PYTHON_TASK_H
#define PYTHON_TASK_H

#include <pthread.h>

#include "worker/engines/python/state.h"
#include "worker/task/ring.h"

struct slp_chan;
struct py_frozen;
struct py_load;
struct py_thread;

typedef struct py_tasklet {
    PyObject_HEAD PyObject *dict, *weak;
    PyObject *func;          /* that it will call */
    PyObject *args, *kwargs; /* alive and not begun: args is not NULL */
    PyObject *tempval;       /* NULL: None */
    PyObject *context;       /* before its first turn */
    PyObject *watchers;      /* a list of functions that are called when it has ended, or NULL */
    PyObject *greenlet;      /* that it carries, borrowed; NULL: none */
    coop_task *task;         /* from insert() to its end */
    PyThreadState *ts;
    struct py_thread *thread;     /* NULL: that has ended. Changed by py_belongs_to() alone */
    struct slp_chan *chan;        /* that it waits for */
    struct py_frozen *frozen;     /* it stood in them when it was pickled: freeze_frame.h; NULL: it begins with its function */
    struct py_load *load;         /* the innermost that is under way in it: freeze_open.c */
    PyObject *called;             /* its function, while that runs; borrowed */
    struct py_tasklet *watched;   /* the watchdog that is further out, while it is one itself; borrowed */
    struct py_tasklet *post_next; /* in its thread's inbox */
    void *cframe;                 /* CPython's, while what is on its stack is away */
    bool posted;
    bool lost; /* posted as its last reference went in another thread: its own throws it out */
    bool held, watches, waits_for_threads;
    bool atomic, block_trap, ignore_nesting, irq_pending;
    unsigned call;    /* of an interpreter: in which it was made */
    bool struck;      /* by an interrupt of that */
    bool forced;      /* thrown out by the end: whatever it raises is nobody's business */
    bool unloved;     /* its finalizer runs */
    bool has_root;    /* greenlet is a root, and ours */
    bool own_context; /* somebody has set it, before the first turn */
    bool sent;        /* bound to another thread, before it has begun */
    bool named;       /* somebody has asked for its identity */
    bool waited;      /* it was blocked when it was pickled: what it comes back with, its first turn has */
    char left;        /* enum py_left of its innermost frame, while others run */
} py_tasklet;

struct py_thread {
    struct sched *sched;
    py_tasklet *main, *nobody; /* who has ended and runs callbacks still */
    PyThreadState *ts;
    unsigned long ident;
    long pickle_flags;  /* stackless.pickle_flags() */
    size_t users;       /* tasklets and greenlets that name it; and itself, until it has ended */
    bool ending, ended; /* CPython counts it no more; it is gone */
    bool asleep;        /* until another thread wakes it: it waits for nothing else */
    pthread_t self;
    bool *wakes_by;                 /* whether its scheduler's wake_fd, of those made before the seal, is taken; NULL: it has none */
    py_tasklet *inbox, *inbox_last; /* woken by other threads, in that order */
    py_tasklet *post;               /* its last reference may be here: whoever arrives drops it */
    PyObject *post_greenlet;
    py_tasklet *innermost; /* of the watchdogs */
    struct py_thread *next;
};

extern PyTypeObject slp_tasklet_type, slp_bomb_type, slp_channel_type;
extern PyObject *slp_tasklet_exit;
extern const char py_paused[], py_watching[];
extern __thread struct py_thread *py_thread;
/* The job's limit, of each thread's: before its first byte, and in a template's child again. 0: none is set. */
void py_limit_tasklets(size_t max, uint64_t memory_bytes);

static inline py_tasklet *py_current(void)
{
    return sched->current->engine;
}

/* The process's, once; and this OS thread's, at its first use. 0, or -1 with an error. */
int py_task_open(void);
int py_thread_open(void);
static inline int py_here(void)
{
    return __builtin_expect(py_thread != NULL, 1) ? 0 : py_thread_open();
}
/* All tasklets of this thread are thrown out; those that stay are left where they are. */
void py_task_finish(void);

/* ---- what a tasklet is in ---- */

static inline bool py_begun(const py_tasklet *t)
{
    return t->task != NULL;
}

static inline bool py_alive(const py_tasklet *t)
{
    return t->task != NULL || t->args != NULL || t->frozen != NULL;
}

static inline bool py_queued(const py_tasklet *t)
{
    return t->task != NULL && (t->task->state == TASK_READY || t->task->state == TASK_RUNNING);
}

static inline bool py_floats(const py_tasklet *t)
{
    return t->task != NULL && t->task->state == TASK_BLOCKED && (t->task->why == py_paused || t->task->why == py_watching);
}

static inline bool py_blocked(const py_tasklet *t)
{
    return t->task != NULL && t->task->state == TASK_BLOCKED && !py_floats(t);
}

/* It runs in another thread, or will. */
static inline bool py_is_elsewhere(const py_tasklet *t)
{
    return (py_begun(t) || t->sent) && t->thread != py_thread;
}

/* ---- taking turns: task_turn.c ---- */

/* Whoever arrives, first thing. */
void py_drop_post_now(void);
static inline void py_drop_post(void)
{
    if (__builtin_expect(py_thread->post != NULL || py_thread->post_greenlet != NULL, 0))
        py_drop_post_now();
}

/* The reference of one that is queued or blocked. */
void py_hold(py_tasklet *t);
void py_unhold(py_tasklet *t);

/* One that is alive and has not begun is at the end of the run queue then. -1 with an error. */
int py_begin(py_tasklet *t);
/* The same for one that may have. */
int py_insert(py_tasklet *t);
/* In the run queue, whatever it waited for: its tempval is there already. */
void py_wake(py_tasklet *t, int rc);

/* -1 with an error: the running tasklet may not give up its turn. */
int py_may_switch(void);
/* What it came back with: a new reference, or NULL with an error. */
PyObject *py_came_back(py_tasklet *me, int rc);
/* seconds from now as a deadline: NULL and None are never. -1 with an error: it is no number. */
int py_deadline_of(PyObject *seconds, int64_t *ret);
/* The running tasklet floats until somebody wakes it. */
int py_float(const char *why);
/* Runs to, which is in the run queue; the caller stays in the ring, or floats. Returns what the caller's tempval is then. */
PyObject *py_switch_to(py_tasklet *to, bool stays);
/* For rc < 0 of a call that blocks: the error. Returns NULL. */
PyObject *py_failed(int rc);
/* threading, when there is one: py_is_last() asks it for threads that it has started and that have not begun. */
void py_starting_are_in(PyObject *threading);
/* Nobody else can run, now or later: the running tasklet must not block. */
bool py_is_last(void);
/* Who meets what nobody catches: the innermost watchdog, or main. */
py_tasklet *py_watchdog(void);
/* Hooks of the scheduler. */
void py_on_idle(void);
void py_on_interrupt(void);
void py_on_deadlock(void);
/* What main is told that waits there for nobody. */
const char *slp_deadlock_text(const struct slp_chan *c);

/* ---- greenlets: grl_switch.c ---- */

/* The tasklet ends whose root greenlet this is: a reference, which is taken over. */
void py_root_ends(PyObject *root);
/* The same of a main tasklet, whose thread ends. */
void py_root_stays(PyObject *root);

/* ---- asyncio: loop.c ---- */

/* __await__ of a tasklet, until it has ended, and of a channel, its next value. A new reference, or NULL with an error. */
PyObject *py_await(PyObject *self);

/* ---- threads: task_thread.c ---- */

/* This OS thread ends: its tasklets do, too. 0, or -1 with an error. */
int py_thread_at_end(void);
/* NULL: there is none of this name that knows tasklets. */
struct py_thread *py_thread_of(unsigned long ident);
PyObject *py_thread_idents(void);
void py_thread_add(struct py_thread *p);
void py_threads_hook(void); /* slp_hook_thread() of each */
/* Before the seal: what n threads sleep on. 0 or -errno. */
int py_threads_sleep_on(unsigned n);
void py_thread_free(struct py_thread *p);
/* The last one frees it. */
static inline __attribute__((always_inline)) struct py_thread *py_thread_get(struct py_thread *p)
{
    p->users++;
    return p;
}
static inline __attribute__((always_inline)) void py_thread_put(struct py_thread *p)
{
    if (__builtin_expect(p != NULL && --p->users == 0, 0))
        py_thread_free(p);
}
/* p may be NULL. */
static inline __attribute__((always_inline)) void py_belongs_to(py_tasklet *t, struct py_thread *p)
{
    struct py_thread *before = t->thread;

    if (before == p)
        return;
    t->thread = p;
    if (p != NULL)
        p->users++;
    py_thread_put(before);
}
/* t, of another thread, is woken there, or begins, or gets a bomb. That thread has not ended. */
void py_begin_abroad(py_tasklet *t);
void py_wake_abroad(py_tasklet *t);
/* Nobody knows t any more, which has begun, or has frames, in another thread: that throws it out. False: it has ended. */
bool py_lose_abroad(py_tasklet *t);
PyObject *py_throw_abroad(py_tasklet *t, PyObject *bomb);
/* The thread of one that is elsewhere has ended: it never runs again. */
static inline bool py_is_stranded(const py_tasklet *t)
{
    return t->thread == NULL || t->thread->ended;
}
/* It is not alive any more; what is on its stack stays. */
void py_abandon(py_tasklet *t);
/* Another thread may wake somebody of this one's: it runs, or it may for all that is known of it. */
bool py_threads_run(void);
/* Before this thread sleeps until others do something: their ends wake it, too. one_starts: there may be one that is not counted yet. */
void py_threads_tell_ends(bool one_starts);
/* Those that others have given to this thread. */
void py_take_in(void);
/* t, which is posted, has the turn, or loses it, in another way: what it waits for next is not what it was woken from. The caller knows t. */
void py_unpost(py_tasklet *t);

/* ---- pickled ones: freeze_task.c ---- */

/* The first turn of one that was: what its outermost frame returns, or NULL with an error. */
PyObject *py_thaw(py_tasklet *t);
void py_forget_frozen(py_tasklet *t);

/* Gives tempval the new value, a reference that is taken over. */
void py_set_tempval(py_tasklet *t, PyObject *stolen);

/* ---- stacks: task_stack.c ---- */

enum { PY_KILL_ROUNDS = 10 }; /* for one that catches what throws it out */

enum {
    PY_STACK = 1020 << 10, /* bytes: what CPython's parser takes for 200 parentheses, and some more */
    PY_STACKS = 8192,      /* two mappings each, of 65,530; more tasklets share them */
    PY_STACKS_MIN = 64,
    PY_STACK_SHARE = 32 << 10, /* bytes of the job's memory: one stack more for each */
};

/* Once. yes: in a worker. */
void py_stack_closes(bool yes);
bool py_stack_is_closed(void);
/* This thread's, before its first tasklet. 0 or -ENOMEM. */
int py_stacks_open(void);
/* The job has so much memory; 0: any. */
void py_stacks_limit(uint64_t memory_bytes);
/* It ends. */
void py_stack_leave(py_tasklet *owner);
/* struct engine's fault(). */
int py_stack_fault(void *address);

/* ---- bombs: slp_bomb.c ---- */

/* The current error, which is cleared, as a bomb; NULL with an error. */
PyObject *py_bomb_of_error(void);
/* The same of an exception, or a class and arguments. */
PyObject *py_bomb_of(PyObject *type, PyObject *value, PyObject *traceback);
/* Raises it; the reference is taken over. Returns NULL. */
PyObject *py_explode(PyObject *bomb);
/* The error that is set is nobody's: the handler of errors, or who meets it. t has ended. */
void py_carry_error(py_tasklet *t);

/* ---- calls of an interpreter: struck.c ---- */

/* Main runs another one; and none. */
void py_call_begins(void);
void py_call_ends(void);
unsigned py_call_now(void);
/* From SIGINT's handler of CPython's, in the first thread, while a call is to end: what that handler returns. */
PyObject *py_interrupt_call(void);
/* The error that is set is of such an interrupt, and t has ended with it. */
bool py_was_struck(const py_tasklet *t);
/* t is main, and runs another call than the one in which by was made, whose error is not that call's. */
bool py_is_no_business_of(const py_tasklet *t, const py_tasklet *by);
/* What becomes of it: prints the error that is set, and clears it. NULL: this is no interpreter. */
extern void (*py_late_error)(void);

/* ---- watchdogs: slp_run.c ---- */

extern bool py_counts;     /* somebody does, in any thread */
bool py_counts_here(void); /* in this one. Async-signal-safe. */
/* Before the running tasklet leaves: a soft interrupt that is due puts its watchdog first. */
void py_interrupt_softly(void);
static inline void py_soft_interrupt(void)
{
    if (__builtin_expect(py_current()->irq_pending, 0))
        py_interrupt_softly();
}
void py_pass_interrupt(py_tasklet *to);
/* It may be interrupted again. */
void py_irq_allowed(void);
/* comes is to run: its instructions are counted when that is asked for. */
void py_count_slice(py_tasklet *comes);
/* So many instructions that the running one comes to were counted before it was pickled. */
void py_count_again(int n);
/* The one that ends is no watchdog's business any more. */
void py_count_end(py_tasklet *t);
/* From the signal handler of slices: whether py_count_tick() has something to do. Async-signal-safe. */
bool py_count_due(void);
/* Between two instructions of whoever runs, when a slice is over: an interrupt that is due. 0, or -1 with an error. */
int py_count_tick(void);
/* CPU time of this thread, and what so many instructions take of it at best, both in us: slp_rate.c. */
int64_t py_cpu_us(void);
int64_t py_time_of(long instructions);
/* Nobody can run: a watchdog does. Returns whether one did. */
bool py_wake_watchdog(void);

/* ---- callbacks: slp_hook.c ---- */

/* t has ended: the schedule callback hears of it. */
void slp_tell_end(py_tasklet *t);
/* Its watchers, each once: it is not alive any more, or will not be when another runs. Errors of theirs are unraisable. */
void py_tell_watchers(py_tasklet *t);
extern __thread bool slp_in_callback; /* this thread is: no channel may move there */
/* Whether a thread's switches are told is asked again. */
void slp_hook_thread(struct sched *s);

/* ---- pickle_flags: slp_module.c ---- */

/* What a thread has to begin with. */
long slp_pickle_flags_default(void);

/* ---- slices: preempt.c ---- */

/* Before the seal, in the process's first thread: CPython knows who is called. 0, or -1 with an error. */
int py_preempt_open(void);
void py_preempt_begin(void);
void py_preempt_end(void);
void py_preempt_forked(void); /* in a template's child, which inherits no timer */
/* Of the signal handler: a slice of CPU time is over. Async-signal-safe. */
void py_preempt(const void *context);
int py_set_slice(long us); /* 0: none end */
/* Whether this thread's slices end by the clock; and while somebody counts by it: at least every so many us. 0: as before. */
bool py_preempts(void);
void py_tick_every(int64_t us);

/* A blocked tasklet gets a bomb and its turn; now or when that comes. A new reference, or NULL with an error. */
PyObject *py_throw(py_tasklet *t, PyObject *bomb, bool pending);
PyObject *py_kill(py_tasklet *t, bool pending);

#endif
