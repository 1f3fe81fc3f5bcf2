/* abi.c - calls by other numbers and ABIs, signals about them, memory (numbers 1 to 29). */
#include "tests/escape/probes/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/escape/exec_attempts.h"

#define DECLARE(number, name, expected, limits) void do_##name(const char *name_);
EXEC_ACTS(DECLARE)

void do_x32_getpid(const char *name)
{
    say(name, syscall(0x40000000L | SYS_getpid));
}

static long int80(long nr)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    return ret;
}

void do_int80_getpid(const char *name)
{
    say(name, int80(20));
}

void do_int80_execve(const char *name)
{
    say(name, int80(11));
}

/* The smallest 32-bit program: mov $1, %eax; mov $7, %ebx; int $0x80. 0 is said when it was not run, or was killed at its first call. */
void do_elf32(const char *name)
{
    static const uint8_t program[] = {
        0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 0, 0, 0, 0x54, 0x80, 4, 8, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0x34, 0, 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 4, 8, 0, 0x80, 4, 8, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 5, 0, 0, 0,
        0, 0x10, 0, 0, 0xb8, 1, 0, 0, 0, 0xbb, 7, 0, 0, 0, 0xcd, 0x80
    };
    int fd = open("elf32", O_WRONLY | O_CREAT, 0755), status;
    pid_t pid;

    (void)!write(fd, program, sizeof(program));
    (void)close(fd);
    pid = fork();
    if (pid == 0) {
        (void)execl("./elf32", "elf32", NULL);
        _exit(0);
    }
    (void)waitpid(pid, &status, 0);
    say(name, WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* How many of the numbers that are no calls here are answered otherwise than ENOSYS. */
void do_unknown_numbers(const char *name)
{
    static const long few[] = { 400, 999, 1000, -1, 0x12345, 0x3fffffff };
    long others = 0;

    for (long nr = 512; nr < 548; nr++)
        others += syscall(nr, 0, 0, 0) != -1 || errno != ENOSYS;
    for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++)
        others += syscall(few[i], 0, 0, 0) != -1 || errno != ENOSYS;
    say(name, others);
}

void do_vsyscall(const char *name)
{
    long (*vtime)(long *) = (long (*)(long *))0xffffffffff600400ul;

    say(name, vtime(NULL) > 0 ? 0 : 1);
}

static void on_sigsys(int sig)
{
    (void)sig;
}

void do_sigsys_handled(const char *name)
{
    (void)signal(SIGSYS, on_sigsys);
    say(name, socket(AF_INET, SOCK_STREAM, 0));
}

void do_sigsys_blocked(const char *name)
{
    sigset_t all;

    sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    say(name, socket(AF_INET, SOCK_STREAM, 0));
}

/* ---- memory -------------------------------------------------------------------------------------------------------------------- */

void do_proc_self_mem(const char *name)
{
    say(name, write_of("/proc/self/mem"));
}

void do_memory(const char *name)
{
    for (long n = 0; n < 1000; n++) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            abort(); /* a limit on addresses: what a program does when malloc() fails */
        memset(p, 1, 1 << 20);
    }
    say(name, 0);
}

void do_mmap_1tb(const char *name)
{
    (void)mmap(NULL, 1ul << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); /* addresses, or none */
    say(name, 0);
}

static int deeper(volatile char *above)
{
    volatile char here[512];

    here[0] = above[0];
    return deeper(here) + here[0];
}

void do_deep_recursion(const char *name)
{
    volatile char first[1] = { 0 };

    say(name, deeper(first));
}

void do_alloca_jump(const char *name)
{
    volatile char *far = __builtin_alloca(1ul << 30);

    far[0] = 1;
    say(name, far[0]);
}

void do_many_maps(const char *name)
{
    long n = 0;

    for (; n < 200000; n++)
        if (mmap(NULL, 4096, n % 2 == 0 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            break;
    say(name, n < 200000 ? 0 : 1);
}

/* Files of the host that are larger together than the memory of the job. */
void do_page_cache(const char *name)
{
    static char block[1 << 16];
    long total = 0;

    for (int i = 0; i < 40; i++) {
        int fd = open("/proc/self/exe", O_RDONLY);

        if (fd < 0)
            fd = open("/usr/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY);
        for (ssize_t n; (n = read(fd, block, sizeof(block))) > 0;)
            total += n;
        (void)close(fd);
    }
    say(name, total > 0 ? 0 : 1);
}
