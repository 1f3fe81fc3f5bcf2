/*
 * test_leftovers.c - after a job's death nothing of it is left on the machine, however it ended; after a thousand jobs the broker is as it was.
 *
 * Kills of broker, zygote and worker: test_kill_points.c, with the same look (tests/support/traces.h).
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
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/traces.h"

/* ---- each kind of end ---------------------------------------------------------------------------------------------------------- */

/* What a program leaves behind when it goes: processes in sessions of their own, files, FIFOs, a deleted open file. */
#define LEAVES                                                                                                                             \
    "(setsid sleep 1000 >/dev/null 2>&1 &) ; (trap '' TERM HUP INT; sleep 1001 & sleep 1002 &) ; "                                         \
    "echo x >/tmp/left-file; mkdir -p /tmp/left-dir/a/b; mkfifo /tmp/left-fifo; echo y >/dev/shm/left-shm; exec 7>/tmp/left-open; "        \
    "rm /tmp/left-open; (sleep 1003 <>/tmp/left-fifo &) ; "

enum how { TO_ITS_END, BY_CANCEL, BY_KILL };

/* clang-format off */
static const struct end {
    const char *name, *cause, *limits, *engine; /* engine exec: text is for sh -c */
    const char *text;
    enum how how;
} ends[] = {
    { "a program that ends well",            "ok",           "cpu=20s",                "exec",   LEAVES "exit 0",                      TO_ITS_END },
    { "a program that fails",                "exit",         "cpu=20s",                "exec",   LEAVES "exit 3",                      TO_ITS_END },
    { "a program that dies of a signal",     "signal",       "cpu=20s",                "exec",   LEAVES "kill -SEGV $$",               TO_ITS_END },
    { "a program that uses up its cpu",      "cpu_limit",    "cpu=300ms",              "exec",   LEAVES "while :; do :; done",         TO_ITS_END },
    { "a program that uses up its time",     "wall_limit",   "wall=500ms",             "exec",   LEAVES "sleep 1000",                  TO_ITS_END },
    { "a program that does nothing",         "idle_limit",   "idle=500ms",             "exec",   LEAVES "sleep 1000",                  TO_ITS_END },
    { "a program that prints too much",      "output_limit", "stdout=64K",             "exec",   LEAVES "while :; do echo xxxxxxxx; done", TO_ITS_END },
    { "a program that eats its memory",      "oom",          "memory=32M,cpu=20s",     "exec",   LEAVES "exec tail -n 1 /dev/zero", TO_ITS_END },
    { "a program that fills its disk",       "disk_limit",   "disk=1M",                "exec",   LEAVES "set -e; head -c 3M /dev/zero >/work/big", TO_ITS_END },
    { "a program that asks for the network", "policy",       "cpu=20s",                "exec",   LEAVES "exec python3 -c 'import socket; socket.socket()'", TO_ITS_END },
    { "a program that cannot be run",        "bad_spec",     "cpu=20s",                "exec",   "exec true",                          TO_ITS_END }, /* see program_of() */
    { "a program that is cancelled",         "cancelled",    "cpu=20s",                "exec",   LEAVES "echo up; sleep 1000",         BY_CANCEL },
    { "a program that is killed",            "cancelled",    "cpu=20s",                "exec",   LEAVES "trap '' TERM; echo up; while :; do sleep 1000; done", BY_KILL },
    { "a script that ends well",             "ok",           "cpu=20s",                "lua",    "print('x')",                         TO_ITS_END },
    { "a script that throws",                "exception",    "cpu=20s",                "lua",    "error('x')",                         TO_ITS_END },
    { "a script that uses up its cpu",       "cpu_limit",    "cpu=100ms",              "lua",    "while true do end",                  TO_ITS_END },
    { "a script that eats its memory",       "oom",          "memory=4M",              "lua",    "local s = 'x' while true do s = s .. s end", TO_ITS_END },
    { "a script that is cancelled",          "cancelled",    "cpu=20s",                "lua",    "print('up') while true do end",      BY_CANCEL },
    { "a native job that ends well",         "ok",           "cpu=20s",                "native", "echo",                               TO_ITS_END },
    { "a native job that crashes",           "signal",       "cpu=20s",                "native", "segv",                               TO_ITS_END },
    { "a native job that computes for ever", "cpu_limit",    "cpu=100ms",              "native", "loops",                              TO_ITS_END },
};
/* clang-format on */
enum { ENDS = sizeof(ends) / sizeof(ends[0]) };

static struct broker *shared; /* of a group; NULL: not to be had */

static struct proc *start_end(const struct broker *b, const struct end *e)
{
    if (strcmp(e->engine, "lua") == 0)
        return coop_start(b, "run", "--json", "--limit", e->limits, script(b, "end.lua", e->text));
    if (strcmp(e->engine, "native") == 0)
        return coop_start(b, "run", "--json", "--limit", e->limits, support_program("tests/native/behave.so"), e->text);
    if (strcmp(e->cause, "bad_spec") == 0)
        return coop_start(b, "run", "--json", "--limit", e->limits, "--", "no-such-program-anywhere");
    return coop_start(b, "run", "--json", "--limit", e->limits, "--", "sh", "-c", e->text);
}

/* A run stops being watched by its first line: its id is in ls then. */
static void end_it(const struct broker *b, const struct end *e, struct proc *p)
{
    const char *id;

    if (e->how == TO_ITS_END)
        return;
    proc_until(p, &p->out, "up");
    id = json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id");
    (void)proc_expect(coop(b, e->how == BY_CANCEL ? "cancel" : "kill", id), 0);
}

/* Where no control group counts it, a program is refused memory, and may end as it likes. */
static bool went_without_memory(const struct end *e, json_t *r)
{
    return strcmp(e->cause, "oom") == 0 && strcmp(json_str(r, "cause"), "exit") == 0 &&
           strstr(json_str(r, "enforcement.memory"), "cgroup") == NULL;
}

static void nothing_is_left(void **state)
{
    const struct end *e = *state;
    const struct traces *before;
    struct proc *p;
    json_t *r;

    if (shared == NULL)
        skip();
    before = traces_take(shared);
    p = start_end(shared, e);
    end_it(shared, e, p);
    (void)proc_end(p);
    r = json_line(&p->out, json_lines(&p->out) - 1);
    if (strcmp(json_str(r, "cause"), e->cause) != 0 && !went_without_memory(e, r))
        support_fail("it ended %s, wanted %s: %.3000s", json_str(r, "cause"), e->cause, json_shown(r));
    traces_expect(shared, before);
}

/* ---- the look itself ------------------------------------------------------------------------------------------------------------ */

/* While a job runs there is something to be seen: its processes, its namespaces, its group where the receipt says that it has one. */
static void a_running_job_leaves_traces_that_are_seen(void **state)
{
    const struct traces *before;
    struct proc *p;
    json_t *r;
    unsigned most;

    (void)state;
    if (shared == NULL)
        skip();
    before = traces_take(shared);
    p = coop_start(shared, "run", "--json", "--", "sh", "-c", "(sleep 1000 &); echo up; read x");
    proc_until(p, &p->out, "up");
    most = traces_differ(shared, before, "process ");
    assert_true(most >= 2);        /* a shell and what it has started */
    broker_expect_idle(shared, 3); /* a spare took a group, too; the job's is one more when the next spare has its own */
    most = traces_differ(shared, before, "cgroup ");
    proc_write(p, "x\n", 2);
    proc_close_in(p);
    (void)proc_expect(p, 0);
    r = json_line(&p->out, json_lines(&p->out) - 1);
    if (strstr(json_str(r, "enforcement.memory"), "cgroup") != NULL)
        assert_true(most >= 1);
    traces_expect(shared, before);
}

/* ---- a thousand ---------------------------------------------------------------------------------------------------------------- */

enum { JOBS = 1000, WARM = 100, RSS_SLACK_KB = 3 << 10 }; /* a leak of 4 KiB a job would break it */

/* One after another, of all engines, in one shell; every tenth fails in one way or another. */
static struct proc *jobs_in_a_row(const struct broker *b, int n)
{
    const char *lua = script(b, "row.lua", "print('x')"), *bad = script(b, "bad.lua", "error('x')");
    const char *loop = support_text(
        "c='%s'; i=0; while [ $i -lt %d ]; do case $((i %% 10)) in 0|1|2) $c run -q '%s' ;; 3|4) $c run -q '%s' echo ;; 9) $c run -q '%s' 2>/dev/null; "
        "[ $? -ne 0 ] ;; 8) $c run -q --file '%s' --output 'o*' --output-dir '%s' --force -- sh -c '(sleep 1000 &) ; echo o >out; exit 4'; [ $? -eq 4 ] ;; *) "
        "$c run -q -- true ;; esac || { echo \"job $i: $?\" >&2; exit 9; }; i=$((i + 1)); done",
        support_program("coop"), n, lua, support_program("tests/native/behave.so"), bad, lua, b->dir);

    return proc_start(
        &(struct proc_how){
            .env = (const char *const[]){support_text("COOP_ENDPOINT=%s", b->url), NULL},
                .uid = b->uid
    },
        (const char *const[]){ "/bin/sh", "-c", loop, NULL });
}

static void a_thousand_jobs_in_a_row_leave_the_broker_as_it_was(void **state)
{
    const struct traces *before;
    long before_kb, after_kb;

    (void)state;
    if (shared == NULL)
        skip();
    (void)proc_expect(jobs_in_a_row(shared, WARM), 0);
    before = traces_settled(shared); /* the last of them has ended, its connection's end and the next spare may not be there yet */
    before_kb = tree_status_kb(shared->proc->pid, "VmRSS");
    (void)proc_expect(jobs_in_a_row(shared, JOBS), 0);
    traces_expect(shared, before);
    after_kb = tree_status_kb(shared->proc->pid, "VmRSS");
    printf("@ %d jobs in a row: the broker holds %ld KiB, held %ld KiB\n", JOBS, after_kb, before_kb);
#if !defined(COOP_ASAN) && !defined(COOP_TSAN) /* the sanitizer keeps what was freed */
    assert_true(after_kb <= before_kb + RSS_SLACK_KB);
#endif
}

/* ---- groups -------------------------------------------------------------------------------------------------------------------- */

static uid_t group_uid;
static struct broker *group_broker;

static int group_up(void **state)
{
    struct broker *b = broker_new();

    (void)state; /* stays NULL: a group's state would stand before a test's own */
    group_broker = b;
    shared = NULL;
    b->args[0] = "--pool";
    b->args[1] = "1";
    if (group_uid != 0 && !broker_belongs_to(b, group_uid))
        return 0;
    traces_begin();
    broker_up(b);
    (void)coop(b, "run", "--", "true"); /* the zygotes that there will be */
    (void)coop(b, "run", script(b, "warm.lua", "print(1)"));
    (void)coop(b, "run", support_program("tests/native/behave.so"), "echo");
    broker_expect_idle(b, 3);
    traces_wait_alone(b);
    (void)broker_janitor(b); /* it has its name */
    (void)traces_settled(b); /* and what those three have left is removed */
    shared = b;
    return 0;
}

static int group_down(void **state)
{
    void *b = group_broker;

    (void)state;
    shared = NULL;
    return broker_teardown(&b);
}

static int run_as(const char *user)
{
    static struct CMUnitTest tests[ENDS + 2];
    size_t n = 0;

    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_running_job_leaves_traces_that_are_seen);
    for (size_t i = 0; i < ENDS; i++)
        tests[n++] = (struct CMUnitTest){ ends[i].name, nothing_is_left, NULL, NULL, (void *)&ends[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_thousand_jobs_in_a_row_leave_the_broker_as_it_was);
    return _cmocka_run_group_tests(user, tests, n, group_up, group_down);
}

int main(void)
{
    int failed;

    cmocka_set_test_filter(getenv("TEST"));
    failed = run_as("leftovers, as started by us");
    cmocka_set_skip_filter("*thousand*"); /* once is enough */
    group_uid = SUPPORT_NOBODY;
    return failed + run_as("leftovers, as started by another user") == 0 ? 0 : 1;
}
