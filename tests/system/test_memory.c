/*
 * test_memory.c - a memory limit is what the job takes itself, in each engine: it gets that much, a slack that is named (worker/engine.h) and no more; and
 * its receipt says what it held, by the same measure.
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

#include "tests/support/broker_fixture.h"

enum {
    MIB = 1 << 20,
    SLACK = 2, /* MiB: ENGINE_SLACK */
    UNFIT = 6, /* of a limit as much may be lost between blocks of 1 MiB, and to what the script itself is */
    PAGES = 3, /* of the program and its libraries, which a job touches and nothing counts */
};

static struct broker *b;

/* Each takes blocks of 1 MiB until there are no more, and says how many it got. */
static const char in_python[] =
    "L = []\ntry:\n    while True: L.append(bytearray(b'z') * 2**20)\nexcept MemoryError: n = len(L); L = None; print(n)";
static const char in_lua[] =
    "local t = {}\nlocal ok = pcall(function() while true do t[#t + 1] = string.rep(tostring(#t % 10), 2^20) end end)\n"
    "local n = #t\nt = nil\nprint(n)";

struct filler {
    const char *sentence;
    const char *engine;
    int mib;
};

static const struct filler fillers[] = {
    {"python holds 30 MiB",   "python", 30 },
    { "python holds 64 MiB",  "python", 64 },
    { "python holds 256 MiB", "python", 256},
    { "lua holds 30 MiB",     "lua",    30 },
    { "lua holds 64 MiB",     "lua",    64 },
    { "lua holds 256 MiB",    "lua",    256},
    { "native holds 30 MiB",  "native", 30 },
    { "native holds 64 MiB",  "native", 64 },
    { "native holds 256 MiB", "native", 256},
};
enum { FILLERS = sizeof(fillers) / sizeof(fillers[0]) };

static bool is_there(const char *engine)
{
    return strcmp(engine, "python") != 0 || access(support_program("coop_python.so"), R_OK) == 0;
}

static struct proc *run_filler(const struct filler *f)
{
    const char *limit = support_text("memory=%dM", f->mib);

    if (strcmp(f->engine, "python") == 0)
        return coop(b, "run", "--limit", limit, "-c", in_python);
    if (strcmp(f->engine, "lua") == 0)
        return coop(b, "run", "--limit", limit, script(b, "fill.lua", in_lua));
    return coop(b, "run", "--limit", limit, support_program("tests/native/behave.so"), "fills");
}

static int64_t last_peak(void)
{
    json_t *r = receipt_of(b, json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id"));

    return json_num(r, "usage.mem_peak_bytes");
}

static void it_holds_so_much(void **state)
{
    const struct filler *f = *state;
    int got;

#if defined(COOP_ASAN) || defined(COOP_TSAN)
    skip(); /* the sanitizers' shadow alone is larger than any limit: these are not set */
#endif
    if (!is_there(f->engine))
        skip();
    got = atoi(proc_expect(run_filler(f), 0)->out.bytes);
    assert_in_range(got, f->mib - f->mib / UNFIT - 2, f->mib + SLACK);
    assert_in_range(last_peak(), (uint64_t)got * MIB, (uint64_t)(f->mib + SLACK + PAGES) * MIB);
}

/* What the zygote had before the job is none of its memory. */
static void a_job_that_takes_nothing_holds_next_to_nothing(void **state)
{
    (void)state;
#if defined(COOP_ASAN) || defined(COOP_TSAN)
    skip();
#endif
    (void)proc_expect(coop(b, "run", script(b, "nothing.lua", "local x = 1")), 0);
    assert_in_range(last_peak(), 0, PAGES * MIB);
    if (!is_there("python"))
        skip();
    (void)proc_expect(coop(b, "run", "-c", "pass"), 0);
    assert_in_range(last_peak(), 0, PAGES * MIB);
}

/* Of a template the child has what the init made, and that counts: in its limit, and in its receipt. */
static void what_a_template_made_is_its_childs_too(void **state)
{
    (void)state;
#if defined(COOP_ASAN) || defined(COOP_TSAN)
    skip();
#endif
    if (!is_there("python"))
        skip();
    (void)proc_expect(coop(b, "template", "build", "data", "--limit", "memory=64M", "--run",
                           script(b, "init.py", "data = bytearray(b'z') * (20 * 2**20)")),
                      0);
    assert_in_range(atoi(proc_expect(coop(b, "run", "--template", "data", "-c", in_python), 0)->out.bytes), 30, 64 + SLACK - 20);
    assert_in_range(last_peak(), 60 * MIB, (64 + SLACK + PAGES) * MIB);
}

static int up(void **state)
{
    (void)state;
    b = broker_new();
    broker_up(b);
    return 0;
}

static int down(void **state)
{
    void *made = b;

    (void)state;
    return broker_teardown(&made);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(a_job_that_takes_nothing_holds_next_to_nothing),
        cmocka_unit_test(what_a_template_made_is_its_childs_too),
    };
    static struct CMUnitTest tests[FILLERS + sizeof(others) / sizeof(others[0])];

    for (size_t i = 0; i < FILLERS; i++)
        tests[i] = (struct CMUnitTest){ fillers[i].sentence, it_holds_so_much, NULL, NULL, (void *)&fillers[i] };
    memcpy(tests + FILLERS, others, sizeof(others));
    cmocka_set_test_filter(getenv("TEST"));
    return _cmocka_run_group_tests("memory", tests, sizeof(tests) / sizeof(tests[0]), up, down);
}
