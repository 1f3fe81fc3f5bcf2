/*
 * berths.h - more tasklets than stacks: those that share a stack take turns on it, and the bytes of all but one are away (hibernate.h).
 *
 * Side:    worker. One thread state's, of an engine that has asked for it, and of the tasklets of one class of stacks.
 * Guest:   whose bytes are on the stack. Before another of its owners runs the guest's are moved away: that gives no page back and makes no
 *          system call. Nobody is moved while he runs.
 * Foreign: a pointer into a parked stack may lead to somebody else's bytes, as with copied stacks of other libraries. The engine keeps
 *          elsewhere what others look at, and coop_pin_stack() keeps nobody there.
 */
#ifndef WORKER_TASK_BERTHS_H
#define WORKER_TASK_BERTHS_H

#include <stdbool.h>
#include <stddef.h>

#include <coop/task.h>

struct berth {
    coop_task *guest; /* NULL: nobody's bytes are there, or those of one that has ended */
    unsigned owners;  /* tasklets whose stack it is */
    bool listed;      /* among the vacant */
    char *low;        /* the engine's; NULL: it has not seen this stack yet */
};

/* What the engine has to do with it. */
struct berth_engine {
    /* At least len bytes below the top of t's stack can be touched from now on. 0 or -ENOMEM. */
    int (*open)(coop_task *t, size_t len);
    /* t's bytes are about to go away, or are back. */
    void (*goes)(coop_task *t);
    void (*comes)(coop_task *t);
    /* There is none for somebody's bytes, and nobody who could be told. Does not return. */
    void (*no_memory)(void);
};

struct berths {
    size_t max; /* stacks that there are before they are shared; 0: nobody has asked for it */
    int class;
    const struct berth_engine *engine;
    char **vacant; /* stacks that have owners and no guest, the last to become so last */
    size_t n_vacant, cap_vacant;
    struct berth *dead; /* of sched->dead_stack */
    size_t chunk, slot; /* which one is shared next */
};

/*
 * From now on tasklets with stacks of the class of size bytes have berths. closed: no page of such a stack can be touched before it is opened.
 * 0 or -ENOMEM.
 */
int berths_open(size_t max, size_t size, bool closed, const struct berth_engine *engine);
/* There are max stacks from now on, those that there are already stay; of more than half as many those that have waited longest hibernate. */
void berths_limit(size_t max);
void berths_finish(struct berths *b);

/* t gets its stack, and when it has registers begins; where somebody else is guest its own, of which there are none yet, are away. 0 or -ENOMEM. */
int berth_take(coop_task *t);
void berth_begin(coop_task *t);

/* t ends, on its stack still. And when nobody is on the stack of one that has ended. */
void berth_end(coop_task *t);
void berth_put(char *stack);

/* Of hibernate.c: t's bytes have gone away. And: t's stack is its own from now on, len bytes of it open; t is not on it, nor is who runs. */
void berth_leave(coop_task *t);
void berth_enter(coop_task *t, size_t len);

#endif
