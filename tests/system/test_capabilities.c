/*
 * test_capabilities.c - a hostile worker asks a real broker for what it has not: each ask is refused by the error that is documented, or its job ends;
 * nobody else's things are touched, and the broker is afterwards what it was.
 *
 * The asks are those of tests/escape/probe_asks.c, made from inside of the seal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/escape/host.h"

static struct host *host;

/* A job with these capabilities says the lines. */
static void says(const char *const *caps, const char *asks, const char *wanted)
{
    const char *args[32] = { "run", "--limit", "wall=60s,cpu=60s" };
    size_t n = 3;
    struct proc *p;

    for (; *caps != NULL; caps++) {
        args[n++] = "--cap";
        args[n++] = *caps;
    }
    args[n++] = script(host->b, "hostile.lua", asks);
    args[n] = NULL;
    p = proc_expect(coop_run_(host->b, &(struct proc_how){ .in = PROC_IN_NULL }, args), 0);
    expect_text(p->out, wanted);
    host_forget(p);
    host_unharmed(host);
}
#define CAPS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NO_CAPS   ((const char *const[]){ NULL })

static void numbers_are_guessed_in_vain(void **state)
{
    (void)state;
    says(NO_CAPS, "ask guess\n", "guess BadHandle 5003\n");
}

/* The neighbour holds a queue, and the attacker guesses while it does. */
static void what_a_neighbour_holds_is_not_to_be_had(void **state)
{
    struct proc *p = coop_start(host->b, "run", "--cap", "queues", "--cap", "kv=theirs/:rw",
                                script(host->b, "neighbour.lua", "ask rights\nwait\nask rights\n"));

    (void)state;
    proc_until(p, &p->out, "waiting\n");
    says(CAPS("queues=1", "kv=mine/:rw"), "ask guess\n", "guess BadHandle 5003\n");
    says(CAPS("queues=1", "kv=mine/:rw"), "ask keys theirs/\n", "keys NotAllowed NotAllowed ok NotFound NotFound\n");
    proc_write(p, "\n", 1);
    proc_close_in(p);
    (void)proc_expect(p, 0);
    expect_text(p->out, "rights NotAllowed NotAllowed NotAllowed ok\nwaiting\nrights NotAllowed NotAllowed NotAllowed ok\n");
    host_forget(p);
}

static void what_was_dropped_is_gone(void **state)
{
    (void)state;
    says(CAPS("queues=4"), "ask replay\n", "drop ok\nreplay BadHandle BadHandle BadHandle BadHandle\n");
}

static void what_was_revoked_is_dead(void **state)
{
    (void)state;
    says(CAPS("queues=4"), "ask revoke\n", "revoke ok\nuse Revoked Revoked Revoked Revoked ok\n");
}

static void rights_are_those_it_was_given(void **state)
{
    (void)state;
    says(CAPS("queues=4"), "ask rights\n", "rights NotAllowed NotAllowed NotAllowed ok\n");
}

/* A queue of a host program, by its name and by its id. */
static void a_name_is_not_a_capability(void **state)
{
    (void)state;
    (void)proc_expect(coop(host->b, "queue", "create", "theirs"), 0);
    says(CAPS("queues=1"), "ask name theirs\n", "name NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed BadRequest\n");
    says(CAPS("queue=other:both"), "ask name theirs\n",
         "name NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed NotAllowed BadRequest\n");
    (void)proc_expect(coop(host->b, "queue", "rm", "theirs"), 0);
}

static void what_is_for_host_programs_is_refused(void **state)
{
    (void)state;
    says(CAPS("queues=1"), "ask host\n", "host NotAllowed NotAllowed NotAllowed NotAllowed\n");
}

static void a_job_without_the_capability_makes_nothing(void **state)
{
    (void)state;
    says(NO_CAPS, "ask make\n", "make NotAllowed NotAllowed NotAllowed\n");
}

static void calls_of_aliases_are_not_forged(void **state)
{
    (void)state;
    says(NO_CAPS, "ask alias\n", "aliases BadRequest 1000 NoFunction\n");
}

static void values_have_their_bounds(void **state)
{
    (void)state;
    says(CAPS("queues=1"), "ask much\n", "much TooBig TooBig\n");
}

static void floods_meet_their_bounds(void **state)
{
    (void)state;
    says(CAPS("queues=1"), "ask flood\n", "flood Limit 952 ok\ndropped Interrupted 2048\n");
    says(CAPS("queues=1"), "ask churn\n", "churn 0 ok\n");
}

static void who_breaks_the_rules_is_retired(void **state)
{
    static const char *const attacks[] = { "storm", "twice", "zero", "empty" };

    (void)state;
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        const char *id = submit(host->b, "--cap", "queues=4000", "--limit", "wall=60s,cpu=60s",
                                script(host->b, "liar.lua", support_text("ask %s\n", attacks[i])));

        (void)expect_end(host->b, id, "bad_result");
        host_unharmed(host);
    }
}

static void the_broker_is_as_it_was(void **state)
{
    (void)state;
    host_at_rest(host);
    assert_int_equal(broker_said(host->b, "undocumented", ""), 0); /* no answer that docs/calls.md does not have */
}

static int group_up(void **state)
{
    (void)state;
    host = host_new();
    host->b->args[2] = "--worker";
    host->b->args[3] = support_program("tests/escape/probe-worker");
    host_up(host, script(host->b, "noop.lua", "noise 1 1\n"));
    return 0;
}

static int group_down(void **state)
{
    void *b = host->b;

    (void)state;
    return broker_teardown(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_guessed_in_vain),
        cmocka_unit_test(what_a_neighbour_holds_is_not_to_be_had),
        cmocka_unit_test(what_was_dropped_is_gone),
        cmocka_unit_test(what_was_revoked_is_dead),
        cmocka_unit_test(rights_are_those_it_was_given),
        cmocka_unit_test(a_name_is_not_a_capability),
        cmocka_unit_test(what_is_for_host_programs_is_refused),
        cmocka_unit_test(a_job_without_the_capability_makes_nothing),
        cmocka_unit_test(calls_of_aliases_are_not_forged),
        cmocka_unit_test(values_have_their_bounds),
        cmocka_unit_test(floods_meet_their_bounds),
        cmocka_unit_test(who_breaks_the_rules_is_retired),
        cmocka_unit_test(the_broker_is_as_it_was),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("capabilities", tests, group_up, group_down);
}
