/* stack.c - see stack.h. */
#include "worker/engines/python/stack.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "worker/engine.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/serve.h"

enum { GUARD = 1 << 20, MOST = 8 << 20 }; /* below its end: a frame's size at most; the seal's limit of it */

static uintptr_t top;

int python_stack_bounds(char **ret_low, char **ret_top)
{
    pthread_attr_t attr;
    void *low;
    size_t size;
    int rc = pthread_getattr_np(pthread_self(), &attr);

    if (rc != 0)
        return -rc;
    rc = pthread_attr_getstack(&attr, &low, &size);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        return -rc;
    *ret_low = low;
    *ret_top = *ret_low + size;
    return 0;
}

int python_stack_measure(void)
{
    char *low, *high;
    int rc = python_stack_bounds(&low, &high);

    if (rc == 0)
        top = (uintptr_t)high;
    return rc;
}

static const char message[] = "the C stack is used up: calls through C (repr, json, pickle, re, __del__, ...) are nested too deep for it. "
                              "sys.setrecursionlimit() was set higher than its stack bears\n";

void python_stack_used_up(void)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_EXCEPTION, .type = "RecursionError" };

    if (link_is_mine())
        return;
    memcpy(o.message, message, sizeof(message) - 2); /* without the line's end */
    output_write(PB__STREAM__STREAM_STDERR, "RecursionError: ", 16);
    output_write(PB__STREAM__STREAM_STDERR, message, sizeof(message) - 1);
    serve_finish(&o);
}

/*
 * Above its end the kernel makes it grow, and no access to it faults: so any fault in it is its end, wherever that is. The kernel reckons from behind
 * arguments and variables, which libc's top is in front of.
 */
bool python_stack_has(const void *address)
{
    struct rlimit limit;
    uintptr_t at = (uintptr_t)address, size = MOST;

    if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < size)
        size = limit.rlim_cur;
    return top != 0 && at < top && at >= top - size - GUARD;
}

void python_stack_fault(const void *address)
{
    if (python_stack_has(address))
        python_stack_used_up();
}

void python_out_of_memory(void)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_OOM, .type = "memory", .message = "not enough memory" };

    if (link_is_mine())
        return;
    output_write(PB__STREAM__STREAM_STDERR, "not enough memory\n", 18);
    serve_finish(&o);
}
