/*
 * early.c - a job that tries a forbidden call before its coop_job(): in a constructor, or, built with -DIN_IFUNC, in the function that the
 * loader asks which of several others to use; or, -DEXITS, ends the job from a constructor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <coop/native.h>

#ifndef EXITS
static long forbidden(void)
{
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(SYS_socket), "D"(2), "S"(1), "d"(0)
                     : "rcx", "r11", "memory"); /* no libc: not relocated yet */
    return ret;
}
#endif

#if defined(IN_IFUNC)
static int plain(void)
{
    return 1;
}

static int (*resolve(void))(void)
{
    (void)forbidden();
    return plain;
}

int chosen(void) __attribute__((ifunc("resolve")));
#elif defined(EXITS)
__attribute__((constructor)) static void early(void)
{
    puts("in the constructor");
    exit(4);
}
#else
__attribute__((constructor)) static void early(void)
{
    puts("in the constructor");
    (void)forbidden();
}
#endif

int coop_job(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("in the job");
#ifdef IN_IFUNC
    return chosen();
#else
    return 0;
#endif
}
