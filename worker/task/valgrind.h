/*
 * valgrind.h - tells Valgrind where stacks lie, so that it does not take a switch for one stack that has grown by megabytes.
 *
 * Side: worker. Outside Valgrind a request is a few rotations that leave every register as it was. Its own header is not used: with it,
 *       whether a build can be run under Valgrind would depend on what was installed where it was built. The sequence and the numbers are
 *       part of Valgrind's interface to compiled programs and do not change.
 */
#ifndef WORKER_TASK_VALGRIND_H
#define WORKER_TASK_VALGRIND_H

#include <stdbool.h>
#include <stdint.h>

enum valgrind_request { VALGRIND_IS_RUNNING = 0x1001, VALGRIND_STACK_IS_NEW = 0x1501, VALGRIND_STACK_IS_GONE = 0x1502 };

static inline uintptr_t valgrind_ask(enum valgrind_request what, uintptr_t first, uintptr_t second)
{
    volatile uintptr_t question[6] = { (uintptr_t)what, first, second, 0, 0, 0 };
    uintptr_t answer = 0;

#if defined(__x86_64__)
    __asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\txchgq %%rbx, %%rbx"
                     : "+d"(answer)
                     : "a"(question)
                     : "cc", "memory");
#elif defined(__aarch64__)
    register volatile uintptr_t *asked __asm__("x4") = question;
    register uintptr_t told __asm__("x3") = answer;

    __asm__ volatile("ror x12, x12, #3\n\tror x12, x12, #13\n\tror x12, x12, #51\n\tror x12, x12, #61\n\torr x10, x10, x10"
                     : "+r"(told)
                     : "r"(asked)
                     : "cc", "memory");
    answer = told;
#else
    (void)question;
#endif
    return answer;
}

static inline bool valgrind_is_running(void)
{
    return valgrind_ask(VALGRIND_IS_RUNNING, 0, 0) != 0;
}

/* Every value that its stack pointer can have; returns the name to take it back by. */
static inline unsigned valgrind_stack_is_new(const void *low, const void *high)
{
    return (unsigned)valgrind_ask(VALGRIND_STACK_IS_NEW, (uintptr_t)low, (uintptr_t)high);
}

static inline void valgrind_stack_is_gone(unsigned name)
{
    (void)valgrind_ask(VALGRIND_STACK_IS_GONE, name, 0);
}

#endif
