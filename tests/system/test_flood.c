/* test_flood.c - jobs that print without end and readers that do not read: the broker stays as large as it is, and no byte is lost. */
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

enum { MIB = 1 << 20, FLAT_KB = 32 << 10 };

/* A broker that has run a job or two has the size that it keeps. */
static long settled_kb(const struct broker *b)
{
    for (int i = 0; i < 4; i++)
        (void)proc_expect(coop(b, "run", script(b, "warm.lua", "io.write(('x'):rep(500000))")), 0);
    return tree_status_kb(b->proc->pid, "VmRSS");
}

/* VmHWM is the most that it ever was, so nothing between two looks is missed. */
static void expect_flat(const struct broker *b, long before_kb)
{
    long most = tree_status_kb(b->proc->pid, "VmHWM");

    if (most - before_kb >= FLAT_KB)
        fail_msg("the broker grew from %ld KiB to %ld KiB", before_kb, most);
}

/* Lines of 8 bytes, numbered: what a job prints by COUNT, as the test knows it. */
#define COUNT(stream, kib) "for i = 0, " kib " - 1 do io." stream ":write((('%07d\\n'):format(i)):rep(128)) end\n"

static void expect_count(const struct heard *h, size_t len)
{
    char line[16];

    if (h->len != len)
        fail_msg("%zu bytes, wanted %zu", h->len, len);
    for (size_t at = 0; at < len; at += 8) {
        (void)snprintf(line, sizeof(line), "%07zu\n", at / 1024);
        if (memcmp(h->bytes + at, line, len - at < 8 ? len - at : 8) != 0)
            fail_msg("other bytes than were written, at %zu", at);
    }
}

static void printing_for_ever_and_cut_off_the_broker_stays_flat(void **state)
{
    struct broker *b = *state;
    long before = settled_kb(b);
    struct proc *p = coop(b, "run", "--limit", "stdout=8M,stderr=8M,cpu=2s", "--on-output-limit", "truncate",
                          script(b, "a.lua", "while true do print(('x'):rep(10000))\n io.stderr:write(('y'):rep(10000)) end"));

    (void)proc_expect(p, COOP_EXIT_TIME_LIMIT);
    assert_int_equal(p->out.len, 8 * MIB);
    expect_flat(b, before);
}

static void printing_for_ever_until_it_is_ended_the_broker_stays_flat(void **state)
{
    struct broker *b = *state;
    long before = settled_kb(b);
    char *id = submit(b, "--limit", "stdout=256M", script(b, "a.lua", "local s = ('x'):rep(100000)\nwhile true do io.write(s) end"));
    json_t *r;

    (void)proc_expect(coop(b, "wait", "-q", id), COOP_EXIT_JOB_FAILED);
    r = expect_end(b, id, "output_limit");
    assert_int_equal(json_num(r, "stdout.bytes"), 256 * (json_int_t)MIB);
    expect_flat(b, before);
}

static void many_small_writes_leave_the_broker_flat(void **state)
{
    struct broker *b = *state;
    long before = settled_kb(b);
    struct proc *p = coop(b, "run", "--limit", "stderr=20K,cpu=5s", script(b, "a.lua", "while true do io.stderr:write('x') end"));

    (void)proc_expect(p, COOP_EXIT_JOB_FAILED);
    expect_flat(b, before);
}

static void eight_floods_at_once_leave_room_for_others(void **state)
{
    enum { FLOODS = 8 };
    struct broker *b = *state;
    long before = settled_kb(b);
    const char *path = script(b, "a.lua", "local s = ('x'):rep(100000)\nprint(s)\nwhile true do io.write(s) end");
    char *ids[FLOODS];

    for (int i = 0; i < FLOODS; i++)
        ids[i] = submit(b, ENDLESS, "--limit", "stdout=32M", "--on-output-limit", "truncate", path);
    for (int i = 0; i < 5; i++)
        expect_text(proc_expect(coop(b, "run", script(b, "ok.lua", "print(1)")), 0)->out, "1\n");
    for (int i = 0; i < FLOODS; i++) {
        (void)proc_expect(coop(b, "kill", "-q", ids[i]), 0);
        (void)expect_end(b, ids[i], "cancelled");
    }
    expect_flat(b, before);
}

static void sixty_four_mebibytes_arrive_to_the_byte(void **state)
{
    struct broker *b = *state;
    long before = settled_kb(b);
    struct proc *p = coop(b, "run", "--limit", "stdout=64M", script(b, "a.lua", COUNT("stdout", "65536")));

    (void)proc_expect(p, 0);
    expect_count(&p->out, 64 * MIB);
    expect_flat(b, before);
}

static void what_is_cut_is_cut_at_the_byte(void **state)
{
    struct broker *b = *state;
    struct proc *p =
        coop(b, "run", "--limit", "stdout=5000011", "--on-output-limit", "truncate", script(b, "a.lua", COUNT("stdout", "8192")));

    (void)proc_expect(p, 0);
    expect_count(&p->out, 5000011);
    p = coop(b, "run", "--limit", "stderr=5000011", script(b, "a.lua", COUNT("stderr", "8192")));
    (void)proc_expect(p, COOP_EXIT_JOB_FAILED);
    assert_true(p->err.len > 5000011); /* and a word of coop's own behind it */
    p->err.len = 5000011;
    expect_count(&p->err, 5000011);
}

static void a_reader_that_is_slow_gets_everything_and_delays_nobody(void **state)
{
    struct broker *b = *state;
    long before = settled_kb(b);
    struct proc *slow = coop_start_as(b, (&(struct proc_how){ .unread = true }), "run", "--limit", "stdout=32M",
                                      script(b, "a.lua", COUNT("stdout", "32768")));
    const char *id;

    broker_says_times(b, "from=running to=finishing", NULL, 5); /* the job does not wait for its reader */
    id = json_str(json_of(&coop(b, "ls", "--json")->out), "jobs.0.id");
    (void)expect_end(b, id, "ok");
    expect_text(proc_expect(coop(b, "run", script(b, "ok.lua", "print(1)")), 0)->out, "1\n");
    proc_read(slow);
    (void)proc_expect(slow, 0);
    expect_count(&slow->out, 32 * MIB);
    expect_flat(b, before);
}

static void input_that_is_not_read_stays_with_the_client(void **state)
{
    enum { LEN = 64 * MIB };
    struct broker *b = *state;
    long before = settled_kb(b);
    struct proc *p =
        coop_in(b, support_noise(LEN, 3), LEN, "run", "--limit", "cpu=300ms", script(b, "a.lua", "io.read(1)\nwhile true do end"));

    (void)proc_expect(p, COOP_EXIT_TIME_LIMIT);
    expect_flat(b, before);
}

static void a_long_output_can_be_had_again_and_from_the_next_broker(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--limit", "stdout=16M", script(b, "a.lua", COUNT("stdout", "16384")));
    struct proc *p;

    (void)expect_end(b, id, "ok");
    for (int i = 0; i < 2; i++) {
        p = proc_expect(coop(b, "logs", id), 0);
        expect_count(&p->out, 16 * MIB);
        broker_kill(b);
        broker_up(b);
    }
}

/* A sanitizer keeps freed memory for a while; little of it here, or that would be what is measured. */
static const char *const env[] = { "ASAN_OPTIONS=quarantine_size_mb=1:thread_local_quarantine_size_kb=16", NULL };

static int setup(void **state)
{
    struct broker *b = broker_new();

    b->env = env;
    *state = b;
    broker_up(b);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(printing_for_ever_and_cut_off_the_broker_stays_flat),
        TEST(printing_for_ever_until_it_is_ended_the_broker_stays_flat),
        TEST(many_small_writes_leave_the_broker_flat),
        TEST(eight_floods_at_once_leave_room_for_others),
        TEST(sixty_four_mebibytes_arrive_to_the_byte),
        TEST(what_is_cut_is_cut_at_the_byte),
        TEST(a_reader_that_is_slow_gets_everything_and_delays_nobody),
        TEST(input_that_is_not_read_stays_with_the_client),
        TEST(a_long_output_can_be_had_again_and_from_the_next_broker),
    };

    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("flood", tests, NULL, NULL);
}
