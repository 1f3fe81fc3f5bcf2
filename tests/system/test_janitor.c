/*
 * test_janitor.c - a broker that dies by SIGKILL leaves nothing, at any tier, although nobody starts another: no process, group, mount, file. And
 * what happens to the janitor itself.
 */
#include <dirent.h>
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

#include "tests/support/broker_fixture.h"
#include "tests/support/traces.h"

/* ---- where ---------------------------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct place {
    const char *name, *tier;
    uid_t uid;
    const char *cage, *cgroup;
} places[] = {
    { "T0, as started by root",                    "T0", 0,              NULL,        "auto" },
    { "T1, as started by another user",            "T1", SUPPORT_NOBODY, NULL,        "auto" },
    { "T2, without namespaces and control groups", "T2", SUPPORT_NOBODY, "no_userns", "none" },
    { "T2, with control groups",                   "T2", 0,              NULL,        "auto" },
};
/* clang-format on */
enum { PLACES = sizeof(places) / sizeof(places[0]) };

static const struct place *place; /* of the group */

static struct broker *make_broker(void)
{
    struct broker *b = broker_new();
    const char *const args[] = { "--pool", "1", "--tier", place->tier, "--cgroup", place->cgroup };

    if (geteuid() == 0 ? place->uid != 0 && !broker_belongs_to(b, place->uid) : place->uid == 0)
        return NULL; /* the test skips itself */
    b->cage = place->cage;
    memcpy(b->args, args, sizeof(args));
    return b;
}

static int setup(void **state)
{
    *state = make_broker();
    return 0;
}

/* ---- what is left to be ended ---------------------------------------------------------------------------------------------------- */

/* Processes in sessions of their own whose parents are gone, one that never stops to make others and files, and ones that hear no signal. */
#define SCATTER                                                                                                                            \
    "(setsid sleep 1000 &) ; setsid sh -c 'sleep 1000 & sleep 1000' & sh -c 'trap \"\" TERM; sleep 1000' & "                               \
    "(setsid sh -c 'i=0; while :; do mkdir -p d$i/e; : >d$i/f; (:); i=$((i + 1)); done' &) ; "

struct jobs {
    struct proc *program, *script;
    struct tree *tree; /* the broker and all below it */
};

static struct jobs start_jobs(struct broker *b)
{
    struct jobs j;

    j.program = coop_start(b, "run", "--", "sh", "-c", SCATTER "echo up; exec sleep 1000");
    j.script = coop_start(b, "run", script(b, "loop.lua", "print('up') while true do end"));
    proc_until(j.program, &j.program->out, "up");
    proc_until(j.script, &j.script->out, "up");
    j.tree = tree_of(b->proc->pid);
    return j;
}

static void expect_gone(const struct jobs *j)
{
    for (unsigned i = 0; i < j->tree->n; i++)
        proc_wait_gone(j->tree->pidfds[i]);
    proc_kill(j->program, SIGKILL); /* the clients would wait for the next broker */
    proc_kill(j->script, SIGKILL);
    (void)proc_end(j->program);
    (void)proc_end(j->script);
}

/* ---- tests ---------------------------------------------------------------------------------------------------------------------- */

static long status_number(pid_t pid, const char *name, int base)
{
    const char *line = strstr(support_get(support_text("/proc/%d/status", (int)pid), &(size_t){ 0 }), name);

    if (line == NULL)
        support_fail("/proc/%d/status has no %s", (int)pid, name);
    return strtol(line + strlen(name), NULL, base);
}

#if defined(COOP_ASAN) || defined(COOP_TSAN) || defined(COOP_UBSAN)
#define LAST_OF_SEAL "\nNoNewPrivs:", 1
#else
#define LAST_OF_SEAL "\nSeccomp:", 2
#endif

/* It seals itself while the broker is at work already. */
static void wait_until_sealed(pid_t janitor, const char *last, long is)
{
    uint64_t started = support_now_ms();

    while (status_number(janitor, last, 10) != is)
        support_turn(started, "the janitor's seal");
}

static void the_janitor_has_no_more_than_it_takes(void **state)
{
    struct broker *b = *state;
    const struct dirent *e;
    uint64_t started = support_now_ms();
    unsigned fds;
    pid_t janitor;
    DIR *d;

    if (b == NULL)
        skip();
    broker_up(b);
    (void)proc_expect(coop(b, "run", "--", "true"), 0);
    janitor = broker_janitor(b);
    wait_until_sealed(janitor, LAST_OF_SEAL);
    assert_int_equal(status_number(janitor, "\nNoNewPrivs:", 10), 1);
    assert_int_equal(status_number(janitor, "\nCapEff:", 16), 0);
    assert_int_equal(status_number(janitor, "\nCapPrm:", 16), 0);
    do { /* while it removes a group it has more of them */
        fds = 0;
        d = opendir(support_text("/proc/%d/fd", (int)janitor)); /* it is not dumpable: only root may look */
        assert_true((d != NULL) == (geteuid() == 0));
        while (d != NULL && (e = readdir(d)) != NULL)
            fds += e->d_name[0] != '.';
        if (d != NULL)
            (void)closedir(d);
        support_turn(started, "the janitor to have no more than six descriptors");
    } while (fds > 6);
    assert_int_equal(broker_down(b), 0);
}

static void a_killed_broker_leaves_nothing(void **state)
{
    struct broker *b = *state;
    const struct traces *nothing;
    struct jobs j;

    if (b == NULL)
        skip();
    traces_begin();
    nothing = traces_take(b);
    broker_up(b);
    j = start_jobs(b);
    assert_int_not_equal(broker_janitor(b), 0);
    broker_kill(b);
    expect_gone(&j);
    traces_expect(b, nothing);
}

static void a_broker_whose_janitor_was_killed_goes_on_and_leaves_nothing(void **state)
{
    struct broker *b = *state;
    const struct traces *nothing;
    pid_t janitor;

    if (b == NULL)
        skip();
    traces_begin();
    nothing = traces_take(b);
    broker_up(b);
    janitor = broker_janitor(b);
    support_kill(janitor, SIGSTOP);
    for (int i = 0; i < 3; i++) /* it is told of these, and does not hear it */
        (void)proc_expect(coop(b, "run", "--", "true"), 0);
    support_kill(janitor, SIGKILL);
    broker_says(b, "event=janitor_gone", NULL);
    for (int i = 0; i < 3; i++)
        expect_text(proc_expect(coop(b, "run", "--", "sh", "-c", "(setsid sleep 1000 &) ; echo x >file; echo on"), 0)->out, "on\n");
    assert_int_equal(broker_down(b), 0);
    traces_expect(b, nothing);
}

static char state_of(pid_t pid)
{
    const char *stat = support_get(support_text("/proc/%d/stat", (int)pid), &(size_t){ 0 }), *behind = strrchr(stat, ')');

    return behind != NULL && behind[1] == ' ' ? behind[2] : '?';
}

static void wait_for_state(pid_t pid, char is)
{
    uint64_t started = support_now_ms();

    while (state_of(pid) != is)
        support_turn(started, "a process to stop, or to wait");
}

/* As by whoever freezes all processes for a while: its wait is begun anew by the kernel's own call, and not over. */
static void a_janitor_that_was_stopped_and_goes_on_clears_nothing(void **state)
{
    struct broker *b = *state;
    const struct traces *nothing;
    struct jobs j;
    pid_t janitor;

    if (b == NULL)
        skip();
    traces_begin();
    nothing = traces_take(b);
    broker_up(b);
    j = start_jobs(b);
    janitor = broker_janitor(b);
    wait_until_sealed(janitor, LAST_OF_SEAL);
    wait_for_state(janitor, 'S');
    support_kill(janitor, SIGSTOP);
    wait_for_state(janitor, 'T');
    support_kill(janitor, SIGCONT);
    wait_for_state(janitor, 'S');
    expect_text(proc_expect(coop(b, "run", "--", "echo", "on"), 0)->out, "on\n"); /* it has its socket */
    assert_int_equal(broker_janitor(b), janitor);
    broker_kill(b);
    expect_gone(&j);
    traces_expect(b, nothing);
}

/* No process stays even then; groups and directories stay for the next one. */
static void what_both_leave_is_removed_by_the_next_broker(void **state)
{
    struct broker *b = *state;
    const struct traces *nothing;
    struct jobs j;

    if (b == NULL)
        skip();
    traces_begin();
    nothing = traces_take(b);
    broker_up(b);
    j = start_jobs(b);
    support_kill(broker_janitor(b), SIGKILL);
    broker_kill(b);
    expect_gone(&j);
    broker_up(b);
    assert_int_equal(broker_down(b), 0);
    traces_expect(b, nothing);
}

/* Nor does a stopped janitor: the next broker waits for it, because it would take the new groups for the old. */
static void the_next_broker_waits_until_the_janitor_has_done(void **state)
{
    struct broker *b = *state;
    pid_t janitor, helper;
    struct jobs j;
    int status;

    if (b == NULL)
        skip();
    traces_begin();
    broker_up(b);
    j = start_jobs(b);
    janitor = broker_janitor(b);
    support_kill(janitor, SIGSTOP);
    broker_kill(b);
    helper = fork();
    assert_true(helper >= 0);
    if (helper == 0) {
        uint64_t started = support_now_ms();

        while (broker_said(b, "event=waiting", NULL) == 0)
            support_turn(started, "the next broker to wait");
        _exit(kill(janitor, SIGCONT) == 0 ? 0 : 1);
    }
    broker_up(b);
    assert_int_equal(waitpid(helper, &status, 0), helper);
    assert_int_equal(status, 0);
    expect_gone(&j);
    expect_text(proc_expect(coop(b, "run", "--", "echo", "again"), 0)->out, "again\n");
    assert_int_equal(broker_down(b), 0);
}

/* They share a user and a place for their groups. */
static void the_jobs_of_another_broker_are_not_touched(void **state)
{
    struct broker *b = *state, *other;
    struct proc *p;
    struct jobs j;

    if (b == NULL)
        skip();
    other = make_broker();
    traces_begin();
    broker_up(other);
    broker_up(b);
    p = coop_start(other, "run", "--", "sh", "-c", "echo x >file; echo up; read x; cat file");
    proc_until(p, &p->out, "up\n");
    j = start_jobs(b);
    broker_kill(b);
    expect_gone(&j);
    proc_write(p, "x\n", 2);
    proc_close_in(p);
    expect_text(proc_expect(p, 0)->out, "up\nx\n");
    expect_text(proc_expect(coop(other, "run", "--", "echo", "next"), 0)->out, "next\n");
    assert_int_equal(broker_down(other), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(the_janitor_has_no_more_than_it_takes),
        TEST(a_killed_broker_leaves_nothing),
        TEST(a_broker_whose_janitor_was_killed_goes_on_and_leaves_nothing),
        TEST(a_janitor_that_was_stopped_and_goes_on_clears_nothing),
        TEST(what_both_leave_is_removed_by_the_next_broker),
        TEST(the_next_broker_waits_until_the_janitor_has_done),
        TEST(the_jobs_of_another_broker_are_not_touched),
    };
    int failed = 0;

    cmocka_set_test_filter(getenv("TEST"));
    for (int i = 0; i < PLACES; i++) {
        place = &places[i];
        failed += cmocka_run_group_tests_name(place->name, tests, NULL, NULL);
    }
    return failed == 0 ? 0 : 1;
}
