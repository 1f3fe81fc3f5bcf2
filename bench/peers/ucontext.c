/* ucontext.c - swapcontext(3) of this libc: the switch alone, without a scheduler. It changes the signal mask by a system call. */
#include <ucontext.h>

#include "bench/measure.h"

static ucontext_t here, there;

static void swaps(void)
{
    for (;;)
        swapcontext(&there, &here);
}

static void op_swap(unsigned n)
{
    for (unsigned i = 0; i < n; i += 2)
        swapcontext(&here, &there);
}

int main(void)
{
    static char stack[64 << 10];

    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof(stack);
    makecontext(&there, swaps, 0);
    measure_say("yield", measure(op_swap), "swapcontext(3), bare switch");
    return 0;
}
