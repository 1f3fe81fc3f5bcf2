/*
 * mine.h - what this engine keeps of a tasklet, in the one word that it has there: a pointer, and in its lowest bit whether somebody was
 * told that the tasklet does not yield (turns.c).
 *
 * Side: worker. The bit is set in a signal handler: one that interrupts mine_keep() may be lost, and then it is told again.
 */
#ifndef NATIVE_MINE_H
#define NATIVE_MINE_H

#include "worker/task/sched.h"

static inline void *mine_kept(const coop_task *t)
{
    return (void *)((uintptr_t)t->engine & ~(uintptr_t)1);
}

static inline void mine_keep(coop_task *t, void *what)
{
    t->engine = (void *)((uintptr_t)what | ((uintptr_t)t->engine & 1));
}

static inline bool mine_is_told(const coop_task *t)
{
    return ((uintptr_t)t->engine & 1) != 0;
}

static inline void mine_tell(coop_task *t)
{
    t->engine = (void *)((uintptr_t)t->engine | 1);
}

#endif
