/*
 * test_stopped.c - processes that are stopped for a while and go on, as by a debugger, a freezer, or a machine that sleeps: the kernel resumes what they
 * waited for by calls that nobody has written down, and none of them may take that for an end.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

/* Its state's letter; 'X': it is gone. */
static char state_of(pid_t pid)
{
    char line[512], state = 'X', *paren;
    FILE *f = fopen(support_text("/proc/%d/stat", (int)pid), "re");

    if (f == NULL)
        return 'X';
    if (fgets(line, sizeof(line), f) != NULL && (paren = strrchr(line, ')')) != NULL)
        (void)sscanf(paren + 1, " %c", &state);
    (void)fclose(f);
    return state;
}

static bool is_stopped_or_gone(pid_t pid)
{
    return strchr("TZX", state_of(pid)) != NULL;
}

/* All of them at once, from the broker down. A spare worker may have ended since they were listed. */
static void stop_and_go_on(const struct tree *t)
{
    uint64_t started = support_now_ms();

    for (unsigned i = 0; i < t->n; i++)
        (void)syscall(SYS_pidfd_send_signal, t->pidfds[i], SIGSTOP, NULL, 0);
    for (unsigned i = 0; i < t->n; i++)
        while (!is_stopped_or_gone(t->pids[i]))
            support_turn(started, "all processes to stand still");
    for (unsigned i = 0; i < t->n; i++)
        (void)syscall(SYS_pidfd_send_signal, t->pidfds[i], SIGCONT, NULL, 0);
    for (unsigned i = 0; i < t->n; i++)
        while (state_of(t->pids[i]) == 'T')
            support_turn(started, "all processes to go on");
}

static void a_broker_and_all_below_it_go_on_with_their_jobs(void **state)
{
    enum { ROUNDS = 3, JOBS = 2 };
    struct broker *b = *state;
    struct proc *jobs[JOBS];
    pid_t janitor, zygote;

    jobs[0] = coop_start(b, "run", script(b, "waits.lua", "print('up') print(io.read())"));
    jobs[1] = coop_start(b, "run", "--", "sh", "-c", "echo up; read line; echo $line");
    for (int i = 0; i < JOBS; i++)
        proc_until(jobs[i], &jobs[i]->out, "up\n");
    janitor = broker_janitor(b);
    zygote = broker_zygote(b);
    for (int i = 0; i < ROUNDS; i++) {
        stop_and_go_on(tree_of(b->proc->pid));
        expect_text(proc_expect(coop(b, "run", script(b, "a.lua", "print(1)")), 0)->out, "1\n");
        expect_text(proc_expect(coop(b, "run", "--", "echo", "2"), 0)->out, "2\n");
    }
    for (int i = 0; i < JOBS; i++) {
        proc_write(jobs[i], "on\n", 3);
        expect_text(proc_expect(jobs[i], 0)->out, "up\non\n");
    }
    assert_int_equal(broker_janitor(b), janitor);
    assert_int_equal(broker_zygote(b), zygote);
    assert_int_equal(broker_said(b, "event=janitor_gone", ""), 0);
    assert_int_equal(broker_said(b, "event=zygote_gone", ""), 0);
    expect_receipts(b, JOBS + 2 * ROUNDS);
}

static void an_interpreter_keeps_its_state(void **state)
{
    struct broker *b = *state;
    const char *id = heard_line(&proc_expect(coop(b, "interp", "create", "--engine", "lua", "-q"), 0)->out);

    (void)proc_expect(coop(b, "interp", "exec", id, "--source", "n = 41"), 0);
    stop_and_go_on(tree_of(b->proc->pid));
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "return n + 1"), 0)->out, "42\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_broker_and_all_below_it_go_on_with_their_jobs),
        TEST(an_interpreter_keeps_its_state),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("stopped", tests, NULL, NULL);
}
