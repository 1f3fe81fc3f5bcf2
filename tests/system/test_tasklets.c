/* test_tasklets.c - tasklets of a real job: what they print, how the job ends, and that those who compute take turns. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define COOP "local coop = require 'coop'\n"

/* The receipt of the job that was submitted last. */
static json_t *last_receipt(const struct broker *b, const char *cause)
{
    return expect_end(b, json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id"), cause);
}

static void a_channel_carries_values_from_one_to_another(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              COOP "local c = coop.channel()\n"
                                   "coop.spawn(function() for i = 1, 3 do c:send(i) end c:close() end)\n"
                                   "for v in c:each() do print(v) end");

    expect_text(proc_expect(coop(b, "run", path), 0)->out, "1\n2\n3\n");
}

/* Each ends with 0 only when it went well; and it printed what it found. */
static void the_examples_in_c_end_well(void **state)
{
    static const struct {
        const char *name, *prints;
    } examples[] = {
        {"hello",         "hello 1\nworld 1\nhello 2\nworld 2\nhello 3\nworld 3\nboth have ended: 5 and 5 letters\n"},
        { "sieve",        "2\n3\n5\n7\n11\n13\n17\n19\n23\n29\n31\n37\n41\n43\n47\n53\n59\n61\n67\n71\n"            },
        { "many",         "came out as 100000\n"                                                                    },
        { "timeouts",     "the same with one word in it: 7\nfast 1\n"                                               },
        { "pipeline",     "  3  that\n100  returns\n101  many\n"                                                    },
        { "scope",        "broken  4 of  9 parts\n"                                                                 },
        { "parallel_sum", "49999995000000\n"                                                                        },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        const char *const argv[] = { support_program(support_text("examples/task/%s", examples[i].name)), NULL };

        expect_has(proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, argv), 0)->out, examples[i].prints);
    }
}

static void the_example_finds_the_primes(void **state)
{
    struct broker *b = *state;

    expect_has(proc_expect(coop(b, "run", "examples/tasklets.lua"), 0)->out, "2 3 5 7 11 13");
}

static void a_deadlock_ends_the_job_at_once_as_an_exception_that_names_everybody(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop(b, "run",
                          script(b, "a.lua",
                                 COOP "coop.spawn(function() coop.channel():receive() end)\n"
                                      "coop.channel():receive()"));
    json_t *r;

    (void)proc_expect(p, COOP_EXIT_EXCEPTION);
    expect_has(p->err, "Deadlock: the last runnable tasklet cannot be blocked.");
    expect_has(p->err, "tasklet 2 ");
    r = last_receipt(b, "exception");
    assert_string_equal(json_str(r, "error.type"), "Deadlock");
}

static void an_error_that_nobody_joins_ends_the_job(void **state)
{
    struct broker *b = *state;
    struct proc *p =
        coop(b, "run", script(b, "a.lua", COOP "coop.spawn(function() error('alone') end)\ncoop.sleep(60)\nprint('not here')"));

    (void)proc_expect(p, COOP_EXIT_EXCEPTION);
    expect_has(p->err, "a.lua:2: alone");
    expect_text(p->out, "");
}

/* How fair they are is for a quiet machine to say: here each has had turns, though none has yielded. */
static void three_that_compute_take_turns(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              COOP "local n, stop = { 0, 0, 0 }, os.clock() + 0.6\n"
                                   "for i = 1, 3 do coop.spawn(function() while os.clock() < stop do n[i] = n[i] + 1 end end) end\n"
                                   "coop.run()\n"
                                   "local all = n[1] + n[2] + n[3]\n"
                                   "for i = 1, 3 do print(n[i] > all * 0.05 and 'turns' or n[i] / all) end print(coop.stats().slices > 3)");

    expect_text(proc_expect(coop(b, "run", path), 0)->out, "turns\nturns\nturns\ntrue\n");
}

static void one_that_computes_does_not_keep_a_timer_waiting(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              COOP "local done\n"
                                   "coop.spawn(function() coop.sleep(0.02) done = true end)\n"
                                   "coop.spawn(function() while not done do end end)\n"
                                   "coop.run() print('ended')");

    expect_text(proc_expect(coop(b, "run", path), 0)->out, "ended\n");
}

static void one_that_is_cancelled_while_it_computes_ends(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              COOP "local t = coop.async(function() while true do end end)\n"
                                   "coop.sleep(0.02) t:cancel() print(pcall(t.join, t))");

    expect_has(proc_expect(coop(b, "run", path), 0)->out, "false\t");
}

static void a_cancelled_job_ends_though_all_its_tasklets_sleep(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(
        b, "run", script(b, "a.lua", COOP "for i = 1, 50 do coop.spawn(coop.sleep, 1000) end\nprint('up') io.flush() coop.run()"));

    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
}

static void what_is_left_at_the_end_of_the_script_is_cancelled(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua", COOP "coop.spawn(function() print(pcall(coop.sleep, 1000)) end)\ncoop.yield()");

    expect_text(proc_expect(coop(b, "run", path), 0)->out, "false\tcancelled\n");
}

static void more_tasklets_than_the_limit_are_an_error_that_names_it(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              COOP "local n = 0\n"
                                   "local ok, e = pcall(function() while true do coop.spawn(coop.sleep, 1000) n = n + 1 end end)\n"
                                   "print(n, ok, e)");

    expect_text(proc_expect(coop(b, "run", "--limit", "tasklets=7", path), 0)->out,
                "7\tfalse\ta.lua:3: tasklets limit (7) reached; raise it with --limit tasklets=N\n");
}

/* The others must go on, or the second word never comes. */
static void who_reads_standard_input_waits_alone(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              COOP "local c = coop.channel()\n"
                                   "coop.spawn(function() for l in io.lines() do c:send(l) end c:close() end)\n"
                                   "coop.spawn(function() coop.sleep(0.01) print('meanwhile') end)\n"
                                   "for l in c:each() do print('got ' .. l) end print('end')");
    struct proc *p = coop_start(b, "run", path);

    proc_until(p, &p->out, "meanwhile\n");
    proc_write(p, "one\ntw", 6);
    proc_until(p, &p->out, "got one\n");
    proc_write(p, "o\n", 2);
    proc_until(p, &p->out, "got two\n");
    proc_close_in(p);
    expect_text(proc_expect(p, 0)->out, "meanwhile\ngot one\ngot two\nend\n");
}

static void two_readers_of_standard_input_take_whole_lines_in_turn(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              COOP "local function reads(name) return coop.async(function() local s = {} for l in io.lines() do "
                                   "s[#s + 1] = l coop.yield() end return name .. ': ' .. table.concat(s, ' ') end) end\n"
                                   "local a, b = reads('a'), reads('b') print(a:join()) print(b:join())");
    struct proc *p = coop_start(b, "run", path);

    for (int i = 1; i <= 4; i++) {
        const char *line = support_text("line %d\n", i);

        proc_write(p, line, 3); /* in two pieces: the one that began is to have the rest */
        proc_write(p, line + 3, strlen(line) - 3);
    }
    proc_close_in(p);
    p = proc_expect(p, 0);
    expect_has(p->out, "line 1");
    expect_has(p->out, "line 4");
    expect_lacks(p->out, "lin ");
}

static void a_tasklet_that_is_cancelled_while_it_reads_leaves_the_input_to_the_next(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              COOP "local t = coop.async(function() return io.read() end) coop.yield() coop.yield() t:cancel()\n"
                                   "print(pcall(t.join, t)) io.stdout:flush() print(io.read())");
    struct proc *p = coop_start(b, "run", path);

    proc_until(p, &p->out, "cancelled");
    proc_write(p, "for main\n", 9);
    proc_close_in(p);
    expect_has(proc_expect(p, 0)->out, "for main\n");
}

static void a_job_that_is_cancelled_while_a_tasklet_reads_ends(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua", COOP "coop.spawn(function() print('up') io.read() end) coop.run()");
    struct proc *p = coop_start(b, "run", path);

    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    (void)proc_end(p);
    (void)last_receipt(b, "cancelled");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_channel_carries_values_from_one_to_another),
        cmocka_unit_test(the_examples_in_c_end_well),
        TEST(the_example_finds_the_primes),
        TEST(a_deadlock_ends_the_job_at_once_as_an_exception_that_names_everybody),
        TEST(an_error_that_nobody_joins_ends_the_job),
        TEST(three_that_compute_take_turns),
        TEST(one_that_computes_does_not_keep_a_timer_waiting),
        TEST(one_that_is_cancelled_while_it_computes_ends),
        TEST(a_cancelled_job_ends_though_all_its_tasklets_sleep),
        TEST(what_is_left_at_the_end_of_the_script_is_cancelled),
        TEST(more_tasklets_than_the_limit_are_an_error_that_names_it),
        TEST(who_reads_standard_input_waits_alone),
        TEST(two_readers_of_standard_input_take_whole_lines_in_turn),
        TEST(a_tasklet_that_is_cancelled_while_it_reads_leaves_the_input_to_the_next),
        TEST(a_job_that_is_cancelled_while_a_tasklet_reads_ends),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("tasklets", tests, NULL, NULL);
}
