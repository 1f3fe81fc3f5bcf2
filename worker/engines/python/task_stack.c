/*
 * task_stack.c - see task.h: the C stack of a tasklet, and what happens where it ends.
 *
 * Each has a MiB of addresses. CPython counts calls, not bytes: code that recurses through C may need more for fewer calls than its limit.
 * So the lowest part of a stack is a reserve: who touches it faults, the fault's handler opens it, and tells CPython that the recursion limit has been
 * reached. The next call is a RecursionError. Who needs more than the reserve without a call of Python's ends the job.
 * Worker: only the last two pages of a stack can be touched at first. The rest is closed, and does not count for the job's memory (RLIMIT_DATA);
 *         the handler opens as much again as there was. What one has opened is closed when it ends.
 * Many:   from PY_STACKS on tasklets share stacks (worker/task/berths.h), and so they do where no memory is left for one more. What others look
 *         at in a parked tasklet, its frames, is not on its C stack; the word there that leads to them is kept in its state meanwhile.
 * Else:   a stack is open; a few guard pages of the kernel's lie above the reserve (Linux 6.13, else there is none).
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/engines/python/stack.h"
#include "worker/engines/python/task.h"
#include "worker/task/fault.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

enum { PAGE = 4096, FIRST = 2 * PAGE, RESERVE = 256 << 10, TRIP = 4 * PAGE };

static bool closes;
static size_t stacks_max = PY_STACKS;

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

/* ---- what struct berth_engine says --------------------------------------------------------------------------------------------- */

static int open_down_to(const coop_task *t, char *low)
{
    if (low >= t->berth->low)
        return 0;
    if (!closes) { /* there is nothing but the trip that anybody could not touch */
        (void)madvise(trip_of(t), TRIP, MADV_GUARD_REMOVE);
        low = t->stack;
    } else if (mprotect(low, (size_t)(t->berth->low - low), PROT_READ | PROT_WRITE) != 0) {
        return -ENOMEM;
    }
    t->berth->low = low;
    return 0;
}

static int open_stack(coop_task *t, size_t len)
{
    if (t->berth->low == NULL && !closes)
        (void)madvise(trip_of(t), TRIP, MADV_GUARD_INSTALL);
    if (t->berth->low == NULL)
        t->berth->low = closes ? top_of(t) : trip_of(t) + TRIP;
    return open_down_to(t, top_of(t) - (len > FIRST ? (len + PAGE - 1) / PAGE * PAGE : FIRST));
}

static void goes(coop_task *t)
{
    py_tasklet *owner = t->engine;

    if (owner != NULL)
        owner->cframe = py_state_away(owner->ts);
}

static void comes(coop_task *t)
{
    py_tasklet *owner = t->engine;

    if (owner != NULL)
        py_state_back(owner->ts, owner->cframe);
}

static void no_memory(void)
{
    static const char why[] = "no memory is left to move a tasklet's stack away\n";

    if (closes)
        python_out_of_memory();
    (void)!write(STDERR_FILENO, why, sizeof(why) - 1);
}

int py_stacks_open(void)
{
    static const struct berth_engine engine = { .open = open_stack, .goes = goes, .comes = comes, .no_memory = no_memory };

    return berths_open(stacks_max, PY_STACK, closes, &engine);
}

void py_stacks_limit(uint64_t memory_bytes)
{
    if (memory_bytes > 0 && memory_bytes / PY_STACK_SHARE < PY_STACKS)
        stacks_max = memory_bytes / PY_STACK_SHARE > PY_STACKS_MIN ? memory_bytes / PY_STACK_SHARE : PY_STACKS_MIN;
    if (py_thread != NULL)
        berths_limit(stacks_max);
}

/* ---- one's end, and where it ends ---------------------------------------------------------------------------------------------- */

/* On its stack still, near the top of it. */
void py_stack_leave(py_tasklet *owner)
{
    const coop_task *t = owner->task;
    char *first = top_of(t) - FIRST;

    if (t->berth == NULL)
        return;
    if (closes && t->berth->low < first) {
        close_pages(t->berth->low, (size_t)(first - t->berth->low));
        t->berth->low = first;
    } else if (!closes && t->berth->low == t->stack) {
        (void)madvise(trip_of(t), TRIP, MADV_GUARD_INSTALL);
        t->berth->low = trip_of(t) + TRIP;
    }
}

/* Opens as much again as is open, at least down to address. */
static int grow(const coop_task *t, char *address)
{
    size_t open = (size_t)(top_of(t) - t->berth->low), wanted = ((size_t)(top_of(t) - address) + PAGE - 1) / PAGE * PAGE;
    char *low;

    wanted = wanted < 2 * open ? 2 * open : wanted;
    low = wanted < t->stack_size - RESERVE ? top_of(t) - wanted : address >= trip_of(t) ? trip_of(t) : (char *)t->stack;
    return open_down_to(t, low) == 0 ? 1 : -ENOMEM;
}

/* From a signal handler. 1: mended; 0: not its business; -ENOMEM. */
int py_stack_fault(void *address)
{
    const coop_task *t = sched != NULL ? sched->current : NULL;
    py_tasklet *owner = t != NULL ? t->engine : NULL;
    char *at = address;
    int before = errno, rc = 1;

    if (owner == NULL || t->berth == NULL || at < (char *)t->stack || at >= t->berth->low)
        return 0;
    rc = closes ? grow(t, at) : open_down_to(t, at) == 0;
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
