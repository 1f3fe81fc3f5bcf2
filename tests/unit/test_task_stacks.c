/* test_task_stacks.c - stacks that are too small: who is told, what is said, and and what becomes of other handlers. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "task_fixture.h"
#include "worker/task/sched.h"

/* ---- a process that may die ------------------------------------------------------------------------------------------------------ */

struct end {
    int status;
    char err[16384]; /* its standard error */
};

/* The child has no handler of SIGSEGV but the default, and no thread state. */
static struct end run_child(int (*body)(void))
{
    static struct end e;
    size_t len = 0;
    ssize_t n;
    pid_t pid;
    int p[2];

    assert_int_equal(pipe(p), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        signal(SIGSEGV, SIG_DFL);
        dup2(p[1], STDERR_FILENO);
        _exit(body());
    }
    close(p[1]);
    while (len + 1 < sizeof(e.err) && (n = read(p[0], e.err + len, sizeof(e.err) - 1 - len)) > 0)
        len += (size_t)n;
    e.err[len] = '\0';
    close(p[0]);
    assert_int_equal(waitpid(pid, &e.status, 0), pid);
    return e;
}

static void expect_death(const struct end *e, int sig)
{
    assert_true(WIFSIGNALED(e->status));
    assert_int_equal(WTERMSIG(e->status), sig);
}

static void expect_exit(const struct end *e, int code)
{
    assert_true(WIFEXITED(e->status));
    assert_int_equal(WEXITSTATUS(e->status), code);
}

/* ---- what is too deep ------------------------------------------------------------------------------------------------------------ */

__attribute__((noinline)) static int too_deep(volatile int *above, int n)
{
    volatile int eaten[16];

    eaten[n % 16] = n;
    return n < 0 ? *above : too_deep(eaten, n + 1) + eaten[0];
}

static int digs(void *arg)
{
    volatile int bottom = 0;

    (void)arg;
    return too_deep(&bottom, 0);
}

static int run_named(coop_fn fn)
{
    const struct coop_attr named = { .name = "mole" };

    if (coop_spawn(NULL, fn, NULL, &named) != 0)
        return 90;
    (void)coop_run(COOP_NEVER);
    return 91;
}

static int overflows(void)
{
    return coop_init(NULL) == 0 ? run_named(digs) : 92;
}

static void a_recursion_without_end_is_told_by_name_and_ends_the_process(void **state)
{
    struct end e = run_child(overflows);
    int lines = 0;

    (void)state;
    expect_death(&e, SIGSEGV);
    assert_ptr_equal(strstr(e.err, "stack overflow in tasklet 2 mole\n    "), e.err);
    assert_non_null(strstr(e.err, "test_task_stacks+0x"));
    assert_non_null(strstr(e.err, " more\n"));
    for (const char *at = e.err; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, 1 + 1 + 16 + 1 + 8); /* who, where, the innermost calls, how many more, the outermost */
}

static coop_task *parked_task;

static int parks_and_digs(void *arg)
{
    return coop_park(NULL, COOP_NEVER) == 0 ? digs(arg) : 93;
}

static int overflows_after_a_wake(void)
{
    const struct coop_attr named = { .name = "mole" };
    int rc;

    if (coop_init(NULL) != 0 || coop_spawn(&parked_task, parks_and_digs, NULL, &named) != 0 || coop_yield() != 0)
        return 92;
    rc = coop_hibernate(parked_task);
    if (rc != 0)
        return rc == -ENOTSUP ? 77 : 94;
    if (coop_unpark(parked_task, 0) != 0)
        return 95;
    (void)coop_run(COOP_NEVER);
    return 91;
}

static void the_guard_is_still_there_after_a_wake(void **state)
{
    struct end e = run_child(overflows_after_a_wake);

    (void)state;
    if (WIFEXITED(e.status) && WEXITSTATUS(e.status) == 77)
        skip();
    expect_death(&e, SIGSEGV);
    assert_ptr_equal(strstr(e.err, "stack overflow in tasklet 2 mole\n    "), e.err);
}

/* ---- canaries -------------------------------------------------------------------------------------------------------------------- */

static int start_with_canaries(void)
{
    if (coop_init(NULL) != 0)
        return -1;
    sched->stacks.no_madvise = true;
    sched->stacks.mprotected = STACKS_MPROTECT;
    return 0;
}

static int writes_below_and_yields(void *arg)
{
    (void)arg;
    memset(coop_self()->stack, 'x', 64);
    return coop_yield();
}

static int writes_below_and_ends(void *arg)
{
    (void)arg;
    memset(coop_self()->stack, 'x', 64);
    return 0;
}

static int spoils_and_yields(void)
{
    return start_with_canaries() == 0 ? run_named(writes_below_and_yields) : 92;
}

static int spoils_and_ends(void)
{
    return start_with_canaries() == 0 ? run_named(writes_below_and_ends) : 92;
}

static void without_a_guard_it_is_told_when_the_stack_is_left(void **state)
{
    struct end yields = run_child(spoils_and_yields), ends;

    (void)state;
    expect_death(&yields, SIGSEGV);
    assert_ptr_equal(strstr(yields.err, "stack overflow in tasklet 2 mole\n    "), yields.err);
    ends = run_child(spoils_and_ends);
    expect_death(&ends, SIGSEGV);
    assert_ptr_equal(strstr(ends.err, "stack overflow in tasklet 2 mole\n    "), ends.err);
}

/* ---- the handler that was there before ------------------------------------------------------------------------------------------- */

static volatile int *volatile nowhere = (volatile int *)16;

static int faults_in_main(void)
{
    if (coop_init(NULL) != 0)
        return 92;
    return *nowhere;
}

static int faults(void *arg)
{
    (void)arg;
    return *nowhere;
}

static int faults_in_a_tasklet(void)
{
    return coop_init(NULL) == 0 ? run_named(faults) : 92;
}

static int is_sent_a_signal(void)
{
    if (coop_init(NULL) != 0)
        return 92;
    raise(SIGSEGV);
    return 91;
}

static void another_fault_ends_the_process_as_ever(void **state)
{
    int (*const bodies[])(void) = { faults_in_main, faults_in_a_tasklet, is_sent_a_signal };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct end e = run_child(bodies[i]);

        expect_death(&e, SIGSEGV);
        assert_string_equal(e.err, "");
    }
}

static sigjmp_buf back;
static volatile int jumps;

static void jumps_out(int signo)
{
    (void)signo;
    jumps++;
    siglongjmp(back, 1);
}

static int has_a_handler(void)
{
    struct sigaction now;
    volatile int i = 0;

    signal(SIGSEGV, jumps_out);
    if (coop_init(NULL) != 0)
        return 92;
    sigsetjmp(back, 1);
    while (i < 3) {
        i = i + 1;
        (void)*nowhere;
    }
    if (coop_finish() != 0 || sigaction(SIGSEGV, NULL, &now) != 0 || now.sa_handler != jumps_out)
        return 93;
    return jumps;
}

static void a_handler_that_was_there_before_gets_its_faults_and_its_place_back(void **state)
{
    struct end e = run_child(has_a_handler);

    (void)state;
    expect_exit(&e, 3);
}

static struct sigaction ours;

static void calls_the_one_before(int signo, siginfo_t *si, void *context)
{
    (void)!write(STDERR_FILENO, "x", 1);
    ours.sa_sigaction(signo, si, context);
}

/* Theirs over ours, and a second thread state puts ours over theirs. */
static int has_a_ring_of_handlers(void)
{
    struct sigaction theirs = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

    theirs.sa_sigaction = calls_the_one_before;
    if (coop_init(NULL) != 0 || sigaction(SIGSEGV, &theirs, &ours) != 0 || coop_finish() != 0 || coop_init(NULL) != 0)
        return 92;
    return *nowhere;
}

static void handlers_that_call_each_other_come_to_an_end(void **state)
{
    struct end e = run_child(has_a_ring_of_handlers);

    (void)state;
    expect_death(&e, SIGSEGV);
    assert_string_equal(e.err, "x");
}

static void a_thread_gets_a_signal_stack_and_gives_it_back(void **state)
{
    stack_t before, during, after;

    (void)state;
    assert_int_equal(sigaltstack(NULL, &before), 0);
    assert_int_equal(coop_init(NULL), 0);
    assert_int_equal(sigaltstack(NULL, &during), 0);
    assert_int_equal(during.ss_flags & SS_DISABLE, 0);
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(sigaltstack(NULL, &after), 0);
    assert_int_equal(after.ss_flags, before.ss_flags);
}

/* ---- the stacks themselves -------------------------------------------------------------------------------------------------------- */

static void an_address_is_found_in_the_stack_it_lies_in(void **state)
{
    enum { N = 3000 };
    static char *stack[STACKS_CLASSES][N];
    static size_t size[STACKS_CLASSES];
    struct stacks s;
    size_t slot, other;

    (void)state;
    stacks_init(&s);
    for (int i = 0; i < N; i++)
        for (int class = 0; class < STACKS_CLASSES; class ++)
            assert_non_null(stack[class][i] = stacks_get(&s, class, &size[class]));
    for (int i = 0; i < N; i++)
        for (int class = 0; class < STACKS_CLASSES; class ++) {
            struct stack_chunk *k = stacks_find(&s, stack[class][i], &slot);

            assert_non_null(k);
            assert_ptr_equal(k->base + slot * k->slot + STACKS_GUARD, stack[class][i]);
            assert_ptr_equal(stacks_find(&s, stack[class][i] + size[class] - 1, &other), k);
            assert_int_equal(other, slot);
            assert_true(stacks_is_guard(&s, stack[class][i] - 1));
            assert_false(stacks_is_guard(&s, stack[class][i]));
        }
    assert_null(stacks_find(&s, &s, &slot));
    assert_null(stacks_find(&s, NULL, &slot));
    assert_null(stacks_find(&s, (void *)UINTPTR_MAX, &slot));
    stacks_finish(&s);
}

static void a_stack_that_was_cold_has_its_canary_again(void **state)
{
    enum { N = 2000 };
    static void *stack[N];
    struct stacks s;
    size_t size;

    (void)state;
    stacks_init(&s);
    s.no_madvise = true;
    s.mprotected = STACKS_MPROTECT;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++)
            assert_non_null(stack[i] = stacks_get(&s, 0, &size));
        for (int i = 0; i < N; i++)
            assert_int_equal(stacks_put(&s, 0, stack[i]), 0);
        assert_true(s.classes[0].n_cold > N / 2);
    }
    stacks_finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recursion_without_end_is_told_by_name_and_ends_the_process),
        cmocka_unit_test(the_guard_is_still_there_after_a_wake),
        cmocka_unit_test(without_a_guard_it_is_told_when_the_stack_is_left),
        cmocka_unit_test(another_fault_ends_the_process_as_ever),
        cmocka_unit_test(a_handler_that_was_there_before_gets_its_faults_and_its_place_back),
        cmocka_unit_test(handlers_that_call_each_other_come_to_an_end),
        cmocka_unit_test(a_thread_gets_a_signal_stack_and_gives_it_back),
        cmocka_unit_test(an_address_is_found_in_the_stack_it_lies_in),
        cmocka_unit_test(a_stack_that_was_cold_has_its_canary_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
