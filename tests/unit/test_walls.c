/* test_walls.c - the kernel's limits on a job's memory: what can be written is limited, addresses that are closed are not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/walls.h"

enum { MIB = 1 << 20, OPEN = PROT_READ | PROT_WRITE };

static void *map(size_t mib, int prot)
{
    void *p = mmap(NULL, mib * MIB, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p != MAP_FAILED ? p : NULL;
}

/* Runs f behind the walls of a job of 32 MiB, in a process of its own: true, when it says so. */
static bool behind_walls(bool (*f)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        Pb__Limits l = PB__LIMITS__INIT;

        l.memory_bytes = 32 * MIB;
        l.cpu_us = 10 * 1000000;
        _exit(walls_measure() == 0 && walls_set(&l, 2 * MIB, (uint64_t)4 << 30) == 0 && f() ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool too_much_to_write_is_refused(void)
{
    return map(32, OPEN) != NULL && map(32, OPEN) == NULL && errno == ENOMEM;
}

static bool closed_addresses_are_free(void)
{
    return map(1024, PROT_NONE) != NULL && map(32, OPEN) != NULL;
}

static bool opening_them_is_not(void)
{
    char *p = map(1024, PROT_NONE);

    return p != NULL && mprotect(p, 32 * MIB, OPEN) == 0 && mprotect(p + 64 * MIB, 32 * MIB, OPEN) != 0 && errno == ENOMEM;
}

static bool there_are_not_addresses_without_end(void)
{
    return map(6 << 10, PROT_NONE) == NULL && errno == ENOMEM;
}

static void the_kernel_refuses_what_a_job_may_not_write(void **state)
{
    (void)state;
#if defined(COOP_ASAN) || defined(COOP_TSAN)
    skip(); /* the sanitizers' shadow alone is larger than any limit: these are not set */
#endif
    assert_true(behind_walls(too_much_to_write_is_refused));
    assert_true(behind_walls(closed_addresses_are_free));
    assert_true(behind_walls(opening_them_is_not));
    assert_true(behind_walls(there_are_not_addresses_without_end));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_refuses_what_a_job_may_not_write),
    };

    return cmocka_run_group_tests_name("walls", tests, NULL, NULL);
}
