/*
 * reserve.h - the last part of the C stacks of OS threads, main's too: who comes so deep gets a RecursionError, which has room to be raised in there.
 *
 * Side:    worker. Tasklets' stacks have the same: task_stack.c.
 * Why:     CPython counts calls, not bytes. With sys.setrecursionlimit() raised, a stack's end comes first.
 */
#ifndef PYTHON_RESERVE_H
#define PYTHON_RESERVE_H

#include <stdbool.h>

enum { RESERVE_SIGNAL_STACK = 32 << 10 };

/* On a thread of the pool, before the seal. memory: of RESERVE_SIGNAL_STACK bytes, for as long as the thread lives: handlers run there. 0 or -errno. */
int python_reserve_thread(void *memory);

/* The same thread has done what it was given, and is at the top of its stack again. */
void python_reserve_again(void);

/* On the first thread, before the job's first byte. */
void python_reserve_main(void);

/*
 * From the handler of a fault at address. True: it was this thread's reserve, which is open now. Where it was open already and is used up too, the job
 * ends by name, and this does not return. Async-signal-safe.
 */
bool python_reserve_fault(const void *address);

#endif
