/*
 * test_tier2.c - programs where there are no user namespaces, as in a container of an ordinary user: they run, and nothing of them stays.
 *
 * No first process of a pid namespace ends the others here; what a program leaves behind is adopted and killed one by one.
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

static int setup(void **state)
{
    struct broker *b = broker_new();

    *state = NULL;
    if (geteuid() == 0 && !broker_belongs_to(b, SUPPORT_NOBODY))
        return 0; /* the test skips itself */
    *state = b;
    b->cage = "no_userns";
    b->args[0] = "--cgroup"; /* what a container has not: they would end what lives in one by themselves */
    b->args[1] = "none";
    broker_up(b);
    return 0;
}

static unsigned work_dirs(const struct broker *b)
{
    DIR *d = opendir(support_text("%s/work", b->run_dir));
    const struct dirent *e;
    unsigned n = 0;

    if (d == NULL && errno == ENOENT)
        return 0; /* it goes with the broker */
    if (d == NULL)
        support_fail("%s/work: %s", b->run_dir, strerror(errno));
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

/* Those of the workers that wait for jobs are there all the time. */
static void expect_no_work_dirs(struct broker *b)
{
    assert_int_equal(broker_down(b), 0);
    assert_int_equal(work_dirs(b), 0);
}

static void a_program_runs_and_its_receipt_says_by_what_it_was_held(void **state)
{
    struct broker *b = *state;
    struct proc *p;
    json_t *r;
    char *id;

    if (b == NULL)
        skip();
    p = proc_expect(coop_in(b, "in\n", 3, "run", "--", "sh", "-c", "cat; echo out > file; cat file; ls"), 0);
    expect_text(p->out, "in\nout\nfile\n");
    id = submit(b, "--", "sh", "-c", "exit 7");
    (void)coop(b, "wait", "--quiet", id);
    r = receipt_of(b, id);
    assert_string_equal(json_str(r, "cause"), "exit");
    assert_string_equal(json_str(r, "enforcement.tier"), "T2");
    assert_int_equal(json_array_size(json_at(r, "enforcement.namespaces")), 0);
    assert_true(json_num(r, "enforcement.landlock_abi") > 0);
    p = proc_expect(coop(b, "run", "--require", "tier=T1", "--", "true"), COOP_EXIT_PLATFORM);
    expect_has(p->err, "it requires tier=T1, and here it is: T2");
    expect_no_work_dirs(b);
}

static void what_the_tier_does_not_have_is_refused_by_name(void **state)
{
    /* clang-format off */
    static const struct {
        const char *option, *value, *why;
    } rows[] = {
        { "--limit", "disk=1M",      "limit disk: nothing enforces it here, at tier T2" },
        { "--limit", "inodes=100",   "limit inodes: nothing enforces it here, at tier T2" },
        { "--limit", "pids=5",       "limit pids: nothing enforces it here, at tier T2 without a control group" },
        { "--cap",   "proc",         "capability proc: tier T2 has no /proc of a job's own" },
        { "--cap",   "net=loopback", "capability net=loopback: tier T2 has no network of a job's own" },
    };
    /* clang-format on */
    struct broker *b = *state;

    if (b == NULL)
        skip();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *id = submit(b, rows[i].option, rows[i].value, "--", "sh", "-c", "echo ran");
        json_t *r;

        (void)coop(b, "wait", "--quiet", id);
        r = receipt_of(b, id);
        assert_string_equal(json_str(r, "cause"), "start_failed");
        if (strstr(json_shown(r), rows[i].why) == NULL)
            support_fail("no \"%s\" in %s", rows[i].why, json_shown(r));
        expect_text(proc_expect(coop(b, "logs", id), 0)->out, "");
    }
    expect_text(proc_expect(coop(b, "run", "--", "echo", "next"), 0)->out, "next\n");
    expect_no_work_dirs(b);
}

/* Where root started it and there are control groups, they hold what they can; the rest is as refused. */
static void a_tier_that_root_asked_for_refuses_the_same(void **state)
{
    struct broker *b = broker_new();

    *state = NULL;
    if (geteuid() != 0)
        skip();
    *state = b;
    b->args[0] = "--tier";
    b->args[1] = "T2";
    broker_up(b);
    expect_has(coop(b, "run", "--cap", "proc", "--", "true")->err, "tier T2 has no /proc of a job's own");
    expect_has(coop(b, "run", "--cap", "net=loopback", "--", "true")->err, "tier T2 has no network of a job's own");
    expect_has(coop(b, "run", "--limit", "disk=1M", "--", "true")->err, "limit disk: nothing enforces it here, at tier T2");
    expect_has(coop(b, "run", "--limit", "inodes=100", "--", "true")->err, "limit inodes: nothing enforces it here, at tier T2");
    expect_text(proc_expect(coop(b, "run", "--", "echo", "next"), 0)->out, "next\n");
    expect_no_work_dirs(b);
}

/* Nothing in the kernel counts for one job here: the broker does, and a job with too many ends. */
static void a_program_of_too_many_processes_is_ended(void **state)
{
    struct broker *b = *state;
    json_t *r;
    char *id;

    if (b == NULL)
        skip();
    id = submit(b, "--limit", "wall=60s", "--", "sh", "-c", "for i in $(seq 90); do sleep 1000 & done; wait");
    (void)coop(b, "wait", "--quiet", id);
    r = receipt_of(b, id);
    assert_string_equal(json_str(r, "cause"), "pids_limit");
    assert_non_null(strstr(json_str(r, "cause_detail"), "its pids limit is 64"));
    assert_string_equal(json_str(r, "enforcement.pids"), "sampled count");
    id = submit(b, "--limit", "pids=100", "--", "true");
    (void)coop(b, "wait", "--quiet", id);
    r = receipt_of(b, id);
    assert_string_equal(json_str(r, "cause"), "start_failed");
    assert_non_null(strstr(json_str(r, "cause_detail"), "limit pids"));
    expect_no_work_dirs(b);
}

/* The broker has the job's uid and is one pid away; and there is no network to be given. */
static void what_reaches_others_is_refused_and_not_advised(void **state)
{
    struct broker *b = *state;
    struct proc *p;

    if (b == NULL)
        skip();
    p = coop(b, "run", "--policy", script(b, "prio.policy", "allow setpriority # x\n"), "--", "echo", "ran");
    assert_int_not_equal(p->code, 0);
    expect_has(p->err, "could reach processes that are not the job's");
    p = coop(b, "run", "--policy", script(b, "limit.policy", "allow prlimit64 # x\n"), "--", "echo", "ran");
    assert_int_not_equal(p->code, 0);
    expect_has(p->err, "only its own limits");
    p = coop(b, "run", "--", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9");
    expect_has(p->err, "no network can be had here");
}

static void what_a_program_leaves_in_its_directory_goes(void **state)
{
    struct broker *b = *state;
    const char *mess = "mkdir -p a/b/c; touch a/b/x; ln -s / root; mkfifo f; "
                       "perl -e 'for (\"a/b\", \"a\") { open F, \"<\", $_; chmod 0, *F }'; ls a 2>/dev/null; echo done";

    if (b == NULL)
        skip();
    for (int i = 0; i < 3; i++)
        expect_text(proc_expect(coop(b, "run", "--", "sh", "-c", mess), 0)->out, "done\n");
    expect_no_work_dirs(b);
}

/* In the background, in sessions of their own, their parents gone. */
#define SCATTER "(setsid sleep 1000 &) ; setsid sh -c 'sleep 1000 & sleep 1000' & sh -c 'trap \"\" TERM; sleep 1000' & "

static struct tree *scattered(struct broker *b, struct proc **ret_p)
{
    uint64_t started = support_now_ms();
    struct tree *t;

    *ret_p = coop_start(b, "run", "--", "sh", "-c", SCATTER "echo started; exec sleep 1000");
    proc_until(*ret_p, &(*ret_p)->out, "started\n");
    do {
        t = tree_of(broker_zygote_of(b, "exec"));
        if (t->n >= 1 + 1 + 5)
            return t;
        support_turn(started, "the program's processes");
    } while (true);
}

static void expect_gone(struct tree *t)
{
    for (unsigned i = 0; i < t->n; i++)
        proc_wait_gone(t->pidfds[i]);
}

static void what_outlives_the_zygote_is_killed_by_the_broker(void **state)
{
    struct broker *b = *state;
    struct proc *p;
    struct tree *t;

    if (b == NULL)
        skip();
    t = scattered(b, &p);
    support_kill(broker_zygote_of(b, "exec"), SIGKILL);
    expect_gone(t);
    proc_kill(p, SIGINT); /* it runs again with the next zygote */
    proc_kill(p, SIGINT);
    (void)proc_end(p);
    expect_text(proc_expect(coop(b, "run", "--", "echo", "again"), 0)->out, "again\n");
    expect_no_work_dirs(b);
}

/* False when it is gone already. */
static bool is_coop(pid_t pid)
{
    char name[32] = "";
    FILE *f = fopen(support_text("/proc/%d/comm", (int)pid), "re");

    if (f != NULL && fgets(name, sizeof(name), f) == NULL)
        name[0] = '\0';
    if (f != NULL)
        (void)fclose(f);
    return strncmp(name, "coop", 4) == 0;
}

static void nothing_outlives_a_job_that_is_killed(void **state)
{
    struct broker *b = *state;
    struct proc *p;
    struct tree *t;

    if (b == NULL)
        skip();
    t = scattered(b, &p);
    proc_kill(p, SIGINT);
    proc_kill(p, SIGINT);
    (void)proc_end(p);
    for (unsigned i = 0; i < t->n; i++)
        if (!is_coop(t->pids[i])) /* while broker, zygote and the workers of other jobs go on */
            proc_wait_gone(t->pidfds[i]);
    expect_no_work_dirs(b);
}

static void a_broker_that_leaves_takes_all_of_it_along(void **state)
{
    struct broker *b = *state;
    struct proc *p;
    struct tree *t;

    if (b == NULL)
        skip();
    t = scattered(b, &p);
    proc_kill(b->proc, SIGTERM);
    broker_says(b, "draining", "running=1"); /* else the two would be one */
    proc_kill(b->proc, SIGTERM);
    assert_int_equal(broker_wait(b), 0);
    expect_gone(t);
    proc_kill(p, SIGKILL);
    assert_int_equal(work_dirs(b), 0);
}

static void the_next_broker_removes_what_a_killed_one_left(void **state)
{
    struct broker *b = *state;
    struct proc *p;

    if (b == NULL)
        skip();
    p = coop_start(b, "run", "--", "sh", "-c", "mkdir -p a/b; echo started; exec sleep 1000");
    proc_until(p, &p->out, "started\n");
    proc_kill(b->proc, SIGSTOP); /* it would start another janitor */
    assert_int_not_equal(broker_janitor(b), 0);
    support_kill(broker_janitor(b), SIGKILL);
    broker_kill(b);
    assert_true(work_dirs(b) > 0);
    proc_kill(p, SIGKILL);
    b->args[2] = "--workers"; /* none of its own beside */
    b->args[3] = "1";
    broker_up(b);
    expect_no_work_dirs(b);
}

static int teardown_own(void **state)
{
    return *state != NULL ? broker_teardown(state) : 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(a_program_runs_and_its_receipt_says_by_what_it_was_held),
        TEST(what_the_tier_does_not_have_is_refused_by_name),
        cmocka_unit_test_teardown(a_tier_that_root_asked_for_refuses_the_same, teardown_own),
        TEST(what_reaches_others_is_refused_and_not_advised),
        TEST(a_program_of_too_many_processes_is_ended),
        TEST(what_a_program_leaves_in_its_directory_goes),
        TEST(what_outlives_the_zygote_is_killed_by_the_broker),
        TEST(nothing_outlives_a_job_that_is_killed),
        TEST(a_broker_that_leaves_takes_all_of_it_along),
        TEST(the_next_broker_removes_what_a_killed_one_left),
    };

    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("tier2", tests, NULL, NULL);
}
