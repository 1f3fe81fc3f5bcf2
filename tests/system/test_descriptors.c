/* test_descriptors.c - a broker that may open few files: it says so, does less, and loses nobody who waits. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/sp_peer.h"

enum { NONE_FREE = 5 }; /* below all that it has open */

/* As the broker's own user, who may: it changes the soft limit only. */
static void allow(const struct broker *b, unsigned long files)
{
    const struct proc_how how = { .uid = b->uid };
    const char *pid = support_text("%d", (int)b->proc->pid), *limit = support_text("--nofile=%lu:", files);

    (void)proc_expect(proc_start(&how, (const char *const[]){ "/usr/bin/prlimit", "--pid", pid, limit, NULL }), 0);
}

static unsigned long hard(void)
{
    struct rlimit l;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
    return l.rlim_max;
}

static struct broker *owned(void **state)
{
    struct broker *b = broker_new();

    *state = b;
    if (geteuid() == 0 && !broker_belongs_to(b, SUPPORT_NOBODY)) {
        *state = NULL;
        support_release();
        skip();
    }
    return b;
}

static void who_cannot_be_accepted_is_waited_for_and_served_in_the_end(void **state)
{
    struct broker *b = owned(state);
    struct proc *p;
    int first, last;

    b->args[0] = "--idle-exit";
    b->args[1] = "1s";
    broker_up(b);
    first = sp_peer_open(b->socket); /* it has somebody, and is not idle */
    allow(b, NONE_FREE);
    p = coop_start(b, "ls", "--timeout", "60s");
    broker_says(b, "event=accept_failed", "Too many open files");
    (void)shutdown(first, SHUT_RDWR);
    broker_says(b, "event=staying", "clients wait");                /* its idle time is over, and it does not leave */
    assert_int_equal(broker_said(b, "event=accept_failed", ""), 1); /* though it was tried many times */
    last = sp_peer_connect(b->socket); /* who stays until the next command has been served, however long it takes to begin */
    assert_int_equal(sp_peer_write(last, "\0SP\0\0\x30\0\0", 8), 0);
    allow(b, hard());
    broker_says(b, "event=accept_works", "");
    proc_kill(p, SIGKILL);
    (void)proc_end(p);
    (void)proc_expect(coop(b, "ls"), 0);
    (void)shutdown(last, SHUT_RDWR);
    assert_int_equal(broker_wait(b), 0); /* nobody waits any more, and it leaves */
}

static void who_is_not_accepted_is_told_where_to_look(void **state)
{
    struct broker *b = owned(state);
    struct proc *p;

    broker_up(b);
    allow(b, NONE_FREE);
    p = proc_expect(coop(b, "ls"), COOP_EXIT_TEMPORARY);
    expect_has(p->err, "does not answer: it accepts nobody now");
    allow(b, hard());
}

static void a_soft_limit_is_raised_to_the_hard_one(void **state)
{
    struct broker *b = broker_new();
    struct rlimit had, few;
    const char *line;
    size_t len;

    *state = b;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
    few = (struct rlimit){ 60, had.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    broker_up(b);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
    line = strstr(support_get(support_text("/proc/%d/limits", (int)b->proc->pid), &len), "Max open files");
    assert_non_null(line);
    assert_int_equal(strtoul(line + strlen("Max open files"), NULL, 10), hard());
    expect_text(proc_expect(coop(b, "run", "--", "echo", "ok"), 0)->out, "ok\n");
}

static void with_few_less_runs_at_once_and_a_program_that_wants_more_is_refused_in_words(void **state)
{
    struct broker *b = broker_new();
    struct proc *p;

    *state = b;
    b->files = 100;
    broker_up(b);
    broker_says(b, "event=few_descriptors", "allowed=100 needed=");
    p = proc_expect(coop(b, "run", "--", "echo", "ok"), 126);
    expect_has(p->err, "limit files 256 is above what this broker may give (100");
    expect_text(proc_expect(coop(b, "run", "--limit", "files=64", "--", "echo", "ok"), 0)->out, "ok\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, broker_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(who_cannot_be_accepted_is_waited_for_and_served_in_the_end),
        TEST(who_is_not_accepted_is_told_where_to_look),
        TEST(a_soft_limit_is_raised_to_the_hard_one),
        TEST(with_few_less_runs_at_once_and_a_program_that_wants_more_is_refused_in_words),
    };

    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
