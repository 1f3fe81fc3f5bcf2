/*
 * test_template_places.c - templates wherever a broker may run (with and without namespaces and control groups), and what is left of one whose child does not
 * want to die with anybody when its template, its zygote or its broker is killed: nothing, although no other broker is started.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/broker_fixture.h"
#include "tests/support/template_peer.h"

/* clang-format off */
static const struct place {
    const char *name, *tier;
    uid_t uid;
    const char *cage, *cgroup;
} places[] = {
    { "templates at T0, as started by root",                    "T0", 0,              NULL,        "auto" },
    { "templates at T0, without control groups",                "T0", 0,              NULL,        "none" },
    { "templates at T1, as started by another user",            "T1", SUPPORT_NOBODY, NULL,        "auto" },
    { "templates at T2, without namespaces and control groups", "T2", SUPPORT_NOBODY, "no_userns", "none" },
    { "templates at T2, with control groups",                   "T2", 0,              NULL,        "auto" },
    { "templates at T3",                                        "T3", 0,              NULL,        "none" },
};
/* clang-format on */
enum { PLACES = sizeof(places) / sizeof(places[0]) };

static const struct place *place; /* of the group */
static bool hostile;
static const char *job; /* of start() */

static int setup(void **state)
{
    struct broker *b = broker_new();
    const char *const args[] = { "--pool",   "1",           "--tier",   place->tier,
                                 "--cgroup", place->cgroup, "--worker", support_program("tests/escape/probe-template") };

    *state = NULL;
    if (geteuid() == 0 ? place->uid != 0 && !broker_belongs_to(b, place->uid) : place->uid == 0)
        return 0; /* the test skips itself */
    b->cage = place->cage;
    memcpy(b->args, args, sizeof(args));
    if (!hostile)
        b->args[6] = b->args[7] = NULL;
    broker_up(b);
    template_peer(b);
    *state = b;
    return 0;
}

static int setup_honest(void **state)
{
    hostile = false;
    return setup(state);
}

static int setup_hostile(void **state)
{
    hostile = true;
    return setup(state);
}

static int teardown(void **state)
{
    template_peer_close();
    return broker_teardown(state);
}

/* A child that has a job, and everything below the broker. */
static struct tree *start(struct broker *b, pid_t *ret_template)
{
    *ret_template = (pid_t)template_build("undying", "undying")->pid;
    job = template_submit("undying", "x");
    broker_says(b, support_text("job_state job=%s", job), "to=starting");
    return tree_of(b->proc->pid);
}

static void expect_gone(const struct tree *t, pid_t but)
{
    for (unsigned i = 0; i < t->n; i++)
        if (t->pids[i] != but && kill(t->pids[i], 0) == 0)
            proc_wait_gone(t->pidfds[i]);
}

static void a_job_finds_the_state_of_its_template(void **state)
{
    struct broker *b = *state;

    if (b == NULL)
        skip();
    template_build("state", "n = 41");
    for (int i = 0; i < 3; i++)
        assert_string_equal(template_run("state", "n = n + 1; print(n)"), "42\n");
}

static void nothing_is_left_when_the_broker_is_killed(void **state)
{
    struct broker *b = *state;
    struct tree *t;
    pid_t template;

    if (b == NULL)
        skip();
    t = start(b, &template);
    template_peer_close();
    broker_kill(b);
    expect_gone(t, 0);
}

static void nothing_is_left_of_a_zygote_that_is_killed(void **state)
{
    struct broker *b = *state;
    struct tree *t;
    pid_t template, zygote;

    if (b == NULL)
        skip();
    zygote = broker_zygote(b);
    t = start(b, &template);
    support_kill(zygote, SIGKILL);
    for (unsigned i = 0; i < t->n; i++)
        if (t->pids[i] == template || t->pids[i] == zygote)
            proc_wait_gone(t->pidfds[i]);
    broker_says(b, "zygote_gone", "");
    template_expect_no_children(b, t);
}

static void a_child_goes_on_when_its_template_is_killed_and_ends_with_its_job(void **state)
{
    struct broker *b = *state;
    pid_t template;

    if (b == NULL)
        skip();
    (void)start(b, &template);
    support_kill(template, SIGKILL);
    broker_says(b, "template_ended", "worker_lost");
    template_kill_job(b, job);
    expect_end(b, job, "cancelled");
}

#define HONEST(name)  cmocka_unit_test_setup_teardown(name, setup_honest, teardown)
#define HOSTILE(name) cmocka_unit_test_setup_teardown(name, setup_hostile, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        HONEST(a_job_finds_the_state_of_its_template),
        HOSTILE(nothing_is_left_when_the_broker_is_killed),
        HOSTILE(nothing_is_left_of_a_zygote_that_is_killed),
        HOSTILE(a_child_goes_on_when_its_template_is_killed_and_ends_with_its_job),
    };
    int failed = 0;

    for (int i = 0; i < PLACES; i++) {
        place = &places[i];
        failed += _cmocka_run_group_tests(place->name, tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
    }
    return failed;
}
