/* switch.c - see switch.h: a new stack's registers, and the switch of machines without an assembly of their own. */
#include "worker/task/switch.h"

#include <assert.h>
#include <string.h>

_Static_assert(offsetof(struct switch_regs, sp) == 0 && offsetof(struct switch_regs, ip) == 8 && offsetof(struct switch_regs, bp) == 16,
               "the assembly's offsets");
_Static_assert(offsetof(struct switch_regs, float_control) == 24 && offsetof(struct switch_regs, x87_control) == 28 &&
                   offsetof(struct switch_regs, result) == 32 && offsetof(struct switch_regs, word) == 40 &&
                   offsetof(struct switch_regs, into) == 48,
               "the assembly's offsets");

#ifndef COOP_SWITCH_UCONTEXT

#if defined(__x86_64__)
const char switch_name[] = "x86-64 assembly";

static void save_float_control(struct switch_regs *r)
{
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(r->float_control), "=m"(r->x87_control));
}
#elif defined(__aarch64__)
const char switch_name[] = "aarch64 assembly";

static void save_float_control(struct switch_regs *r)
{
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    r->float_control = (uint32_t)fpcr;
    r->x87_control = 0;
}
#else
#error "no assembly for this machine: build with SWITCH=ucontext"
#endif

void switch_prepare(struct switch_regs *regs, void *stack, size_t size, void (*entry)(void))
{
    regs->sp = (void *)(((uintptr_t)stack + size) & ~(uintptr_t)15);
    regs->ip = (void *)switch_begin;
    regs->bp = (void *)entry;
    save_float_control(regs);
}

#else

#include <stdlib.h>

const char switch_name[] = "ucontext";

void switch_prepare(struct switch_regs *regs, void *stack, size_t size, void (*entry)(void))
{
    ucontext_t *c = (ucontext_t *)(((uintptr_t)stack + size - sizeof(*c)) & ~(uintptr_t)63);

    getcontext(c);
    c->uc_link = NULL;
    c->uc_stack.ss_sp = stack;
    c->uc_stack.ss_size = (size_t)((char *)c - (char *)stack);
    makecontext(c, entry, 0);
    regs->context = c;
    regs->sp = c; /* nobody has run on it yet: no frames */
    regs->bp = NULL;
}

/* sp and bp are where the others look for the caller's frames: backtraces, and how much of the stack is in use. */
int switch_stacks(struct switch_regs *from, struct switch_regs *to)
{
    if (from->context == NULL) {
        from->context = malloc(sizeof(*from->context)); /* main's, once in a thread's life */
        assert(from->context != NULL);
    }
    from->bp = __builtin_frame_address(0);
    from->sp = (void *)&from;
    swapcontext(from->context, to->context);
    return from->result;
}

int switch_receive(struct switch_regs *from, struct switch_regs *to)
{
    int rc = switch_stacks(from, to);

    if (rc == 0)
        *from->into = from->word;
    return rc;
}
#endif
