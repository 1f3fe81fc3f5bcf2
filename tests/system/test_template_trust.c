/*
 * test_template_trust.c - templates that say they are warm and give no child: they keep one slot at most, end in quarantine, and what is of their tenant's
 * making is charged to it.
 */
#include <setjmp.h>
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
#include "tests/support/py_host.h"

/* An init that says Warm itself. Then it answers the order to fork with what is no frame, or never. */
#define WARM                                                                                                                               \
    "import os, struct\n"                                                                                                                  \
    "os.write(3, b'\\1' + struct.pack('>Q', 2) + b'\\x72\\x00')\n"
#define BREAKS WARM "os.read(3, 100)\nos.write(3, b'\\xff' * 9)\nwhile True: pass\n"
#define SLEEPS WARM "import time\nwhile True: time.sleep(1)\n"

static int setup(void **state)
{
    struct broker *b = broker_new();

    b->args[0] = "--workers";
    b->args[1] = "4";
    broker_up(b);
    *state = b;
    return 0;
}

static void build(struct broker *b, const char *name, const char *init)
{
    proc_expect(coop(b, "template", "build", name, "--run", script(b, support_text("%s.py", name), init)), 0);
}

/* It may break before the build is stored, and is refused then. Returns which version it is: then not the first. */
static const char *build_one_that_breaks(struct broker *b, const char *name)
{
    const char *init = script(b, support_text("%s.py", name), BREAKS);
    unsigned refused = 0;
    struct proc *p;

    while ((p = coop(b, "template", "build", name, "--run", init))->code != 0)
        assert_true(++refused < 20);
    return heard_line(&p->out);
}

static const char *listed(struct broker *b)
{
    return support_text("%s", proc_expect(coop(b, "template", "ls"), 0)->out.bytes);
}

static unsigned lines(const char *text)
{
    unsigned n = 0;

    for (; (text = strchr(text, '\n')) != NULL; text++)
        n++;
    return n;
}

static void one_that_fails_again_and_again_is_in_quarantine(void **state)
{
    struct broker *b = *state;
    const char *bad = build_one_that_breaks(b, "bad"), *builds;
    char *array;

    array = submit(b, "--array", "1-20", "--template", "bad", "-c", "print(1)");
    (void)coop(b, "wait", array);
    broker_says(b, support_text("template_quarantine template=%s ", bad), "quarantines=1");
    assert_non_null(strstr(listed(b), "quarantined"));
    builds = support_text("template_build template=%s ", bad);
    assert_in_range(broker_said(b, builds, ""), 3, 5); /* and not once for each task */
    expect_has(coop(b, "run", "--template", "bad", "-c", "print(1)")->err, "it is in quarantine for ");
    expect_text(proc_expect(coop(b, "run", script(b, "a.py", "print(2)")), 0)->out, "2\n");
    expect_receipts(b, 20 + 2 + broker_said(b, "template_build ", ""));
}

static void another_version_is_not_in_it(void **state)
{
    struct broker *b = *state;

    const char *bad = build_one_that_breaks(b, "t");

    for (int i = 0; i < 4; i++)
        (void)coop(b, "run", "--template", "t", "-c", "print(1)");
    broker_says(b, support_text("template_quarantine template=%s ", bad), "");
    build(b, "t", "x = 41\n");
    expect_text(proc_expect(coop(b, "run", "--template", "t", "-c", "print(x + 1)"), 0)->out, "42\n");
    expect_has(coop(b, "run", "--template", bad, "-c", "print(1)")->err, "it is in quarantine for ");
}

static void one_that_serves_is_never(void **state)
{
    struct broker *b = *state;

    build(b, "good", "x = 1\n");
    proc_expect(coop(b, "submit", "--array", "1-60", "--template", "good", "-c", "print(x)", "--wait"), 0);
    (void)coop(b, "run", "--template", "good", "-c", "1 / 0");
    (void)coop(b, "run", "--template", "good", "-c", "import os; os.abort()");
    proc_expect(coop(b, "submit", "--array", "1-20", "--template", "good", "-c", "print(x)", "--wait"), 0);
    assert_int_equal(broker_said(b, "template_quarantine", ""), 0);
    assert_int_equal(broker_said(b, "template_build", ""), 1);
}

/* The hello of a child may be late because the machine is: its job is tried again, as after any fault of the host. */
static void one_that_sleeps_keeps_one_slot_and_its_jobs_are_tried_again(void **state)
{
    struct broker *b = *state;
    char *array;

    build(b, "idle", SLEEPS);
    array = submit(b, "--array", "1-10", "--template", "idle", "-c", "print(1)");
    broker_says_times(b, "template_warm template=idle@1", "", 2); /* of the build, and for the jobs */
    /* none: the one that tried has been told already that its child is late */
    assert_in_range(lines(proc_expect(coop(b, "ls", "--state", "claimed", "--quiet"), 0)->out.bytes), 0, 1);
    for (int i = 0; i < 8; i++) /* they find room */
        expect_text(proc_expect(coop(b, "run", script(b, "a.py", "print(2)")), 0)->out, "2\n");
    broker_says(b, "job_retries", "cause=start_failed");
    broker_says(b, "template_quarantine template=idle@1", "");
    (void)coop(b, "wait", array);
    expect_has(coop(b, "result", support_text("%s.1", array))->out, "start_failed");
}

static unsigned long long first_number(const char *text, const char *after)
{
    const char *at = strstr(text, after);

    assert_non_null(at);
    return strtoull(at + strlen(after), NULL, 10);
}

static void an_init_is_in_its_tenants_account(void **state)
{
    struct broker *b = *state;

    build(b, "burns", "import time\nt = time.process_time()\nwhile time.process_time() - t < 0.2: pass\n");
    proc_expect(coop(b, "template", "rm", "burns"), 0);
    broker_says(b, "template_ended template=burns@1", "");
    broker_says(b, "job_state", "from=finishing to=succeeded");
    assert_true(first_number(proc_expect(coop(b, "usage", "--json"), 0)->out.bytes, "\"cpu_us\": ") >= 200000);
    expect_has(proc_expect(coop(b, "tenant", "ls"), 0)->out, " 100.0%  100.0%"); /* of all that was used */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_fails_again_and_again_is_in_quarantine),
        TEST(another_version_is_not_in_it),
        TEST(one_that_serves_is_never),
        TEST(one_that_sleeps_keeps_one_slot_and_its_jobs_are_tried_again),
        TEST(an_init_is_in_its_tenants_account),
    };

    if (!py_host_is_here())
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
