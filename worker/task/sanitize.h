/*
 * sanitize.h - tells AddressSanitizer and ThreadSanitizer which stack is which. Empty without them.
 *
 * Side: worker.
 */
#ifndef WORKER_TASK_SANITIZE_H
#define WORKER_TASK_SANITIZE_H

#include <stddef.h>

#include "worker/task/sched.h"

/* gcc says so itself; for clang the Makefile does. */
#if defined(__SANITIZE_ADDRESS__) && !defined(COOP_ASAN)
#define COOP_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(COOP_TSAN)
#define COOP_TSAN 1
#endif

#if defined(COOP_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(COOP_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

#if defined(COOP_ASAN) || defined(COOP_TSAN)
#define SANITIZE_SWITCH 1
#endif

static inline void sanitize_leave(coop_task *from, coop_task *to)
{
    (void)from;
    (void)to;
#if defined(COOP_ASAN) /* one that ends gives its fake stack back: NULL */
    __sanitizer_start_switch_fiber(from->state == TASK_ENDED ? NULL : &from->fake_stack, to->stack, to->stack_size);
#endif
#if defined(COOP_TSAN)
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

static inline void sanitize_arrive(coop_task *self)
{
    (void)self;
#if defined(COOP_ASAN)
    const void *left;
    struct sched *here;
    size_t size;

    __sanitizer_finish_switch_fiber(self->fake_stack, &left, &size);
    here = sched_here();
    if (here->main.stack == NULL) { /* the first switch of all is main's: AddressSanitizer knows its stack, we may not ask the kernel */
        here->main.stack = (void *)(uintptr_t)left;
        here->main.stack_size = size;
    }
#endif
}

/* t has its stack, and is about to be made runnable. */
static inline void sanitize_start(coop_task *t)
{
    (void)t;
#if defined(COOP_ASAN)
    __asan_unpoison_memory_region(t->stack, t->stack_size);
    t->fake_stack = NULL;
#endif
#if defined(COOP_TSAN)
    t->fiber = __tsan_create_fiber(0);
#endif
}

/* t's bytes are about to come back to a stack on which another has left words poisoned. */
static inline void sanitize_moved(coop_task *t)
{
    (void)t;
#if defined(COOP_ASAN)
    __asan_unpoison_memory_region(t->stack, t->stack_size);
#endif
}

/* t is nobody's, in a list by its next, and its id says so to whoever still asks: all else that each has is out of bounds until it is somebody's. */
static inline void sanitize_put(coop_task *t)
{
    (void)t;
#if defined(COOP_ASAN)
    __asan_poison_memory_region(t, offsetof(coop_task, next));
    __asan_poison_memory_region(&t->prev, offsetof(coop_task, id) - offsetof(coop_task, prev));
    __asan_poison_memory_region(t->name, offsetof(coop_task, home) - offsetof(coop_task, name));
#endif
}

static inline void sanitize_got(coop_task *t)
{
    (void)t;
#if defined(COOP_ASAN)
    __asan_unpoison_memory_region(t, offsetof(coop_task, home));
#endif
}

/* The thread's own stack. */
static inline void sanitize_main(coop_task *t)
{
    (void)t;
#if defined(COOP_TSAN)
    t->fiber = __tsan_get_current_fiber();
#endif
}

/* Nobody will switch to t again. */
static inline void sanitize_end(coop_task *t)
{
    (void)t;
#if defined(COOP_TSAN)
    if (t->fiber != NULL)
        __tsan_destroy_fiber(t->fiber);
    t->fiber = NULL;
#endif
}

#endif
