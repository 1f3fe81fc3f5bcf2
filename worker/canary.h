/*
 * canary.h - a stack canary of a process's own. All forks of a process have its canary, and a native job can read it.
 *
 * Side:    worker. The functions that are on the stack when it is changed must not look for it: they never return, or have none
 *          (no_stack_protector). So it is inlined into such a one.
 */
#ifndef WORKER_CANARY_H
#define WORKER_CANARY_H

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

__attribute__((always_inline)) static inline int canary_new(void)
{
    uintptr_t canary;

    if (getrandom(&canary, sizeof(canary), 0) != sizeof(canary))
        return -EIO;
    canary &= ~(uintptr_t)0xff; /* ends strings, as libc's */
    __asm__ volatile("mov %0, %%fs:0x28" : : "r"(canary) : "memory");
    return 0;
}

#endif
