/*
 * switch.h - from one stack to another: what a parked tasklet's registers are, and the two ways to leave.
 *
 * Side:    worker (and whoever links libcoop-task). Variants: switch_x86_64.S, switch_aarch64.S, switch_ucontext.c (SWITCH=ucontext).
 * Kept:    what the ABI says a call keeps, and the control bits of the floating-point unit, which are reloaded only when they differ:
 *          comparing MXCSR whole would pay 85 ns whenever one side has a sticky flag set that the other has not.
 * Source:  Boost.Context and libaco jump instead of returning, so that the return predictor is not asked about another stack.
 */
#ifndef WORKER_TASK_SWITCH_H
#define WORKER_TASK_SWITCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef COOP_SWITCH_UCONTEXT
#include <ucontext.h>
#endif

/* The assembly knows these offsets; switch.c asserts them. */
struct switch_regs {
    void *sp, *ip, *bp;
    uint32_t float_control; /* MXCSR, or FPCR */
    uint16_t x87_control;
    int32_t result; /* what the parked switch_stacks() returns: put there by whoever wakes it */
    int32_t kept_errno;
    intptr_t word;  /* what the parked switch_receive() stores in *into when result is 0: the same */
    intptr_t *into; /* set before switch_receive() */
#ifdef COOP_SWITCH_UCONTEXT
    ucontext_t *context; /* lies at the top of the stack; main's is malloc'ed */
#endif
};

/*
 * Parks the caller in from, goes on in to. Returns from->result when somebody switches to from. Called in tail position wherever that can
 * be: each return that is left is one that the processor predicts for another stack, and pays for.
 */
int switch_stacks(struct switch_regs *from, struct switch_regs *to);

/* The same; back in from, with from->result 0, it stores from->word in *from->into: in C that would be a return more. */
int switch_receive(struct switch_regs *from, struct switch_regs *to);

/* The first switch to regs calls entry() on this stack; entry never returns. The control bits are the caller's. */
void switch_prepare(struct switch_regs *regs, void *stack, size_t size, void (*entry)(void));

#ifndef COOP_SWITCH_UCONTEXT
/* Where a new stack begins, and where a parked switch_stacks() or switch_receive() goes on: what regs.ip is then. Not to be called. */
extern void switch_begin(void), switch_resumed(void), switch_received(void);
#endif

/* "x86-64 assembly", … */
extern const char switch_name[];

#endif
