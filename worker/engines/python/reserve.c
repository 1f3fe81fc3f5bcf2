/*
 * reserve.c - see reserve.h.
 *
 * Threads: the lowest pages of a stack are closed before the seal, and opened in the handler: one RecursionError for each function that a thread is
 *          given, and those after it come at the same depth, which CPython knows by then.
 * Main:    the kernel makes its stack grow as far as RLIMIT_STACK, whose lower value leaves the reserve out, until the handler raises it.
 */
#include "worker/engines/python/reserve.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "worker/engines/python/stack.h"
#include "worker/engines/python/state.h"

enum { RESERVE = 256 << 10, BELOW = 1 << 20 }; /* bytes; how far below its end a frame that does not fit can touch, at most */

static __thread struct {
    char *low; /* NULL: it is none of the pool's */
    char *top;
    bool open;
} own;

static void close_reserve(void)
{
    own.open = mmap(own.low, RESERVE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED;
}

int python_reserve_thread(void *memory)
{
    const stack_t handlers = { .ss_sp = memory, .ss_size = RESERVE_SIGNAL_STACK };
    char *low, *top;
    int rc = python_stack_bounds(&low, &top);

    if (rc != 0)
        return rc;
    if (sigaltstack(&handlers, NULL) != 0)
        return -errno;
    own.low = low;
    own.top = top;
    close_reserve();
    return own.open ? -ENOMEM : 0;
}

void python_reserve_again(void)
{
    if (own.open)
        close_reserve();
}

void python_reserve_main(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_max == RLIM_INFINITY || limit.rlim_max <= 4 * RESERVE)
        return;
    limit.rlim_cur = limit.rlim_max - RESERVE;
    (void)setrlimit(RLIMIT_STACK, &limit);
}

/* ---- in the handler -------------------------------------------------------------------------------------------------------------- */

static bool open_threads(const char *at)
{
    if (at < own.low - BELOW || at >= own.top)
        return false;
    if (own.open || at < own.low || at >= own.low + RESERVE || mprotect(own.low, RESERVE, PROT_READ | PROT_WRITE) != 0) {
        python_stack_used_up();
        return false;
    }
    own.open = true;
    return true;
}

static bool open_mains(const void *at)
{
    struct rlimit limit;

    if (!python_stack_has(at) || getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= limit.rlim_max)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_STACK, &limit) == 0;
}

bool python_reserve_fault(const void *address)
{
    PyThreadState *ts = py_state_own();
    int before = errno;
    bool mended = own.low != NULL ? open_threads(address) : open_mains(address);

    if (mended && ts != NULL)
        py_state_no_deeper(ts);
    errno = before;
    return mended;
}
