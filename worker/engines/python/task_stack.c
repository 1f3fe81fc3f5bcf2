/*
 * task_stack.c - see task.h: the C stack of a tasklet, and what happens where it ends.
 *
 * Each has a MiB of addresses. CPython counts calls, not bytes: code that recurses through C may need more for fewer calls than its limit.
 * So the lowest part of a stack is a reserve: who touches it faults, the fault's handler opens it, and tells CPython that the recursion limit has been
 * reached. The next call is a RecursionError. Who needs more than the reserve without a call of Python's ends the job.
 * Worker: only the last two pages of a stack can be touched at first. The rest is closed, and does not count for the job's memory (RLIMIT_DATA);
 *         the handler opens as much again as there was. What one has opened is closed when it ends.
 * Else:   a stack is open; a few guard pages of the kernel's lie above the reserve (Linux 6.13, else there is none).
 */
#include <errno.h>
#include <sys/mman.h>

#include "worker/engines/python/task.h"
#include "worker/task/fault.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

enum { PAGE = 4096, FIRST = 2 * PAGE, RESERVE = 256 << 10, TRIP = 4 * PAGE };

static bool closes, new_chunk;
static size_t known; /* of stack_class.handed_out: stacks below it have had their first owner */

static struct stack_class *stacks(void)
{
    return &sched->stacks.classes[stacks_class_of(PY_STACK)];
}

static char *top_of(const coop_task *t)
{
    return (char *)t->stack + t->stack_size;
}

static char *trip_of(const coop_task *t)
{
    return (char *)t->stack + RESERVE;
}

/* Nothing is in them any more: addresses are all that is left. In place, for closed pages that hold something would count for nobody. */
static void close_pages(void *low, size_t len)
{
    (void)mmap(low, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

/* A new one's pages that are open at first; of a new chunk all are, until py_stack_took(). */
int py_stack_need(void)
{
    struct stack_class *c = stacks();

    if (!closes)
        return 0;
    new_chunk = c->n_free == 0 && c->fresh == c->fresh_end;
    if (c->n_free > 0 || new_chunk)
        return 0;
    return mprotect(c->fresh + c->size - FIRST, FIRST, PROT_READ | PROT_WRITE) == 0 ? 0 : -ENOMEM;
}

/* What cannot be closed stays open: the kernel counts it all the same. */
void py_stack_took(py_tasklet *owner)
{
    struct stack_class *c = stacks();
    const coop_task *t = owner->task;

    owner->stack_low = top_of(t) - FIRST;
    if (c->handed_out == known)
        return;
    known = c->handed_out;
    if (!closes) {
        (void)madvise(trip_of(t), TRIP, MADV_GUARD_INSTALL);
        return;
    }
    if (new_chunk) {
        close_pages(t->stack, t->stack_size - FIRST);
        if (c->fresh != c->fresh_end)
            close_pages(c->fresh, (size_t)(c->fresh_end - c->fresh));
    }
    new_chunk = false;
}

/* On its stack still, near the top of it. */
void py_stack_leave(py_tasklet *owner)
{
    const coop_task *t = owner->task;
    char *first = top_of(t) - FIRST;

    if (closes && owner->stack_low < first) {
        close_pages(owner->stack_low, (size_t)(first - owner->stack_low));
    } else if (!closes && owner->stack_low == t->stack) {
        (void)madvise(trip_of(t), TRIP, MADV_GUARD_INSTALL);
    }
    py_thread->nobody->stack_low = first;
}

/* Opens as much again as is open, at least down to address. */
static int grow(py_tasklet *owner, const coop_task *t, char *address)
{
    size_t open = (size_t)(top_of(t) - owner->stack_low), wanted = ((size_t)(top_of(t) - address) + PAGE - 1) / PAGE * PAGE;
    char *low;

    wanted = wanted < 2 * open ? 2 * open : wanted;
    low = wanted < t->stack_size - RESERVE ? top_of(t) - wanted : address >= trip_of(t) ? trip_of(t) : (char *)t->stack;
    if (mprotect(low, (size_t)(owner->stack_low - low), PROT_READ | PROT_WRITE) != 0)
        return -ENOMEM;
    owner->stack_low = low;
    return 1;
}

/* From a signal handler. 1: mended; 0: not its business; -ENOMEM. */
int py_stack_fault(void *address)
{
    const coop_task *t = sched != NULL ? sched->current : NULL;
    py_tasklet *owner = t != NULL ? t->engine : NULL;
    char *at = address;
    int before = errno, rc = 1;

    if (owner == NULL || t == &sched->main || at < (char *)t->stack || at >= owner->stack_low)
        return 0;
    if (closes)
        rc = grow(owner, t, at);
    else if (at < trip_of(t) + TRIP && madvise(trip_of(t), TRIP, MADV_GUARD_REMOVE) == 0)
        owner->stack_low = t->stack;
    else
        rc = 0;
    if (rc == 1 && at < trip_of(t) + (closes ? 0 : TRIP))
        py_state_no_deeper(owner->ts);
    errno = before;
    return rc;
}

/* A worker, before its seal: stacks are closed, and its own handler asks. A program of another kind asks by libcoop-task's. */
void py_stack_closes(bool yes)
{
    closes = yes;
    fault_mend = yes ? NULL : py_stack_fault;
}

bool py_stack_is_closed(void)
{
    return closes;
}
