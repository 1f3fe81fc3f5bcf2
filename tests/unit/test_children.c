/* test_children.c - a zygote that ends takes everybody along who has come to it, also those whom the kernel's list of children leaves out for a moment. */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/children.h"

enum { TRIALS = 20, EACH = 3, WAIT_MS = 60000, LATE = 19 };

_Noreturn static void wait_for_ever(void)
{
    for (;;)
        (void)pause();
}

_Noreturn static void be_family(int there)
{
    for (int i = 0; i < EACH; i++)
        if (fork() == 0)
            wait_for_ever();
    (void)!write(there, "", 1);
    wait_for_ever();
}

/* Of one processor, and the last to have it: who is killed is dead before the zygote goes on, and what it leaves has come behind the list's end. */
_Noreturn static void be_zygote(void)
{
    struct children c = { 0 };
    int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), there[2];
    cpu_set_t one;
    char byte;

    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    if (proc_fd < 0 || pipe(there) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || sched_setaffinity(0, sizeof(one), &one) != 0)
        _exit(1);
    if (fork() == 0)
        be_family(there[1]);
    if (read(there[0], &byte, 1) != 1 || nice(LATE) == -1)
        _exit(1);
    children_finish(&c, proc_fd);
    _exit(waitpid(-1, NULL, 0) < 0 ? 0 : 2);
}

static void its_end_is_never_waited_for_in_vain(void **state)
{
    (void)state;
    for (int i = 0; i < TRIALS; i++) {
        pid_t zygote = fork();
        struct pollfd ends;
        int status, n;

        assert_true(zygote >= 0);
        if (zygote == 0)
            be_zygote();
        ends = (struct pollfd){ .fd = (int)syscall(SYS_pidfd_open, zygote, 0), .events = POLLIN };
        n = poll(&ends, 1, WAIT_MS);
        (void)kill(zygote, SIGKILL);
        assert_int_equal(waitpid(zygote, &status, 0), zygote);
        (void)close(ends.fd);
        assert_int_equal(n, 1);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(its_end_is_never_waited_for_in_vain) };

    return cmocka_run_group_tests_name("children", tests, NULL, NULL);
}
