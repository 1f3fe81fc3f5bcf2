/*
 * hibernate.h - the bytes of a parked stack in a block of their own size, its pages given back; and back again before it runs.
 *
 * Side:    worker. One thread state's.
 * Seen by: nobody. A hibernated tasklet's registers lead to a small stack of the thread state, where hibernate_wake() is called and
 *          its own registers are gone on with: the switch knows nothing of it and pays nothing for it.
 * Foreign: whoever of this thread follows a pointer into a hibernated stack faults on a guard; hibernate_touched() brings the stack back and
 *          the access is repeated. Where the kernel has no such guards it would be lost, so there the program must have promised that
 *          nobody does that (coop_options.private_stacks). The kernel itself, and other threads, get no such help: coop_pin_stack().
 * Order:   sched->all holds those that are resident before those that are not; of the resident ones the last was made, woken or
 *          passed over longest ago.
 */
#ifndef WORKER_TASK_HIBERNATE_H
#define WORKER_TASK_HIBERNATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coop/task.h>

#include "worker/task/switch.h"

struct frozen;

struct hibernate {
    size_t above;        /* parked stacks that may be resident; SIZE_MAX: any number */
    size_t trigger;      /* so many alive, and coop_spawn() calls hibernate_some() */
    uint64_t not_before; /* switches: nobody was old enough before */
    bool private_stacks; /* nobody points into a parked stack: guards are not needed */
    coop_task *edge;     /* of sched->all: the first that is hibernated; NULL: none */
    size_t count, bytes; /* hibernated now, and what their blocks take */
    size_t usual;        /* bytes of the last that had a berth */
    struct frozen *spent, *unbegun;
    char **batch; /* stacks */
    void *stack;  /* whoever is woken runs there until its own is back */
    size_t stack_size;
    struct switch_regs entry;
};

enum { HIBERNATE_BATCH = 256 }; /* stacks, in one go */

/* above and private_stacks are in place. */
void hibernate_init(struct hibernate *h, size_t above, bool private_stacks);
void hibernate_finish(struct hibernate *h);

/* ---- hibernate_choose.c: who, and when ---- */

/* Some of the oldest, when more than the watermark are resident; how many. idle: nobody else has anything to do, so age does not count. */
size_t hibernate_some(bool idle);

/* ---- hibernate.c: away, and back again ---- */

/* Before the first is made that has a berth, and before the first hibernates; 0 or -ENOMEM. t, which has one and has not begun, is away from the beginning. */
int hibernate_prepare(void);
void hibernate_begin(coop_task *t);

/* Memory for what will be on t's stack, as a rule, so that it can make way whatever happens. 0 or -ENOMEM. And t ends. */
int hibernate_promise(coop_task *t);
void hibernate_forget(coop_task *t);

/* t, which is parked, makes way for another owner of its stack, or for none: the pages are still there. 0 or -errno. */
int hibernate_guest(coop_task *t);

/* Brings t's stack back; t is hibernated. */
void hibernate_wake(coop_task *t);

/* Async-signal-safe: the same, when the address lies in a stack that is hibernated: true. */
bool hibernate_touched(const void *address);

/* t is hibernated, and has begun. */
bool hibernate_has_bytes(const coop_task *t);

/* Blocks that were emptied where free() could not be called. */
void hibernate_free_spent(struct hibernate *h);

/* Where t's registers are, and where the byte of its stack at regs->sp and upwards can be read; t is parked. */
const char *hibernate_look(const coop_task *t, struct switch_regs *ret_regs);

#endif
