/*
 * heap.h - under AddressSanitizer only: what CPython allocates is malloc()'s, which alone it watches, and is counted against the job's memory, for its
 * shadow has no room in the walls (worker/walls.c). Empty without it.
 *
 * Side:    worker.
 * Errors:  none. What CPython has allocated before stays where it is, and goes back to where it came from.
 * Threads: any, with or without the interpreter lock.
 */
#ifndef WORKER_ENGINES_PYTHON_HEAP_H
#define WORKER_ENGINES_PYTHON_HEAP_H

#include <stdint.h>

#if defined(COOP_ASAN)
/* In the zygote, before anything of ours is made. */
void python_heap_watch(void);
/* In the zygote. No file can be opened from here on: what a report wants to know of the process is learned now. */
void python_heap_sealed_soon(void);
/* What is there by now and so much more is all that can be had. 0: no limit. */
void python_heap_limit(uint64_t bytes);
#else
static inline void python_heap_watch(void)
{
}
static inline void python_heap_sealed_soon(void)
{
}
static inline void python_heap_limit(uint64_t bytes)
{
    (void)bytes;
}
#endif

#endif
