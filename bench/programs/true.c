/*
 * true.c - does nothing, and has no libc that would do something first: what is left is what starting a program costs. Linked statically; with
 * WITH_LIBC it is what a static program usually is, 750 KiB.
 */
#ifdef WITH_LIBC
int main(void)
{
    return 0;
}
#else
#include <sys/syscall.h>

_Noreturn void _start(void);

_Noreturn void _start(void)
{
    for (;;)
        __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(0) : "rcx", "r11", "memory");
}
#endif
