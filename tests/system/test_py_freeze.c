/*
 * test_py_freeze.c - execution state by pickle between interpreters, jobs, brokers and tenants. What goes on where it was loaded, row by row, is in
 * tests/python/freeze_*.py, which test_py_tasklets runs.
 */
#include <setjmp.h>
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
#include "tests/support/py_host.h"

enum { ALICE = 60011, BOB = 60012 };

#define TASKLET                                                                                                                            \
    "import pickle, stackless, sys\n"                                                                                                      \
    "words = ['zero', 'one', 'two', 'three']\n"                                                                                            \
    "def say(n): print(n, words[n])\n"                                                                                                     \
    "def inner(n):\n"                                                                                                                      \
    "    for i in range(n):\n"                                                                                                             \
    "        stackless.schedule_remove()\n"                                                                                                \
    "        say(i)\n"                                                                                                                     \
    "    return 'returned'\n"                                                                                                              \
    "def middle(n): return [n, inner(n)]\n"                                                                                                \
    "def outer(n):\n"                                                                                                                      \
    "    try: print(middle(n))\n"                                                                                                          \
    "    finally: print('finally')\n"                                                                                                      \
    "t = stackless.tasklet(outer)(3); stackless.run(); t.insert(); stackless.run()\n"
#define GO_ON                                                                                                                              \
    "import stackless\n"                                                                                                                   \
    "while t.alive: t.insert(); stackless.run()\n"

static const char rest[] = "1 one\n"
                           "2 two\n"
                           "[3, 'returned']\n"
                           "finally\n";

static struct proc *run(void *state, const char *source)
{
    struct broker *b = state;
    const char *path = script(b, "a.py", source);

    return proc_expect(coop(b, "run", "--cap", "interpreters=8", "--cap", "queues", "--cap", "kv=p/:rw", path), 0);
}

#define PUT "from coop import kv\nkv.open('p/').put('t', pickle.dumps(t))\n"
#define GET "import pickle\nfrom coop import kv\nt = pickle.loads(kv.open('p/').get('t'))\n"

/* ---- where it goes on --------------------------------------------------------------------------------------------------------------- */

static void a_tasklet_of_three_frames_goes_on_in_another_job(void **state)
{
    expect_text(run(*state, TASKLET PUT)->out, "0 zero\nfinally\n");
    for (int i = 0; i < 2; i++)
        expect_text(run(*state, GET GO_ON)->out, rest);
}

static void it_goes_on_a_turn_in_each_of_several_jobs(void **state)
{
    static const char turn[] =
        GET "import stackless\nt.insert(); stackless.run()\nprint(t.alive)\n" PUT "t.bind(None) if not t.frame else None\n";

    (void)run(*state, TASKLET PUT);
    expect_text(run(*state, turn)->out, "1 one\nTrue\nfinally\n");
    expect_text(run(*state, turn)->out, "2 two\n[3, 'returned']\nfinally\nFalse\n");
}

static void it_goes_through_a_pipe(void **state)
{
    struct broker *b = *state;
    const char *from =
        script(b, "a.py", TASKLET "sys.stdout.flush(); sys.stdout.buffer.write(b'|' + pickle.dumps(t))\nsys.stdout = None\n");
    struct proc *p = proc_expect(coop(b, "run", from), 0);
    const char *bar = memchr(p->out.bytes, '|', p->out.len);
    const char *to = script(b, "b.py", "import pickle, sys\nt = pickle.load(sys.stdin.buffer)\n" GO_ON);

    assert_non_null(bar);
    p = proc_expect(coop_in(b, bar + 1, p->out.len - (size_t)(bar + 1 - p->out.bytes), "run", to), 0);
    expect_text(p->out, rest);
}

static void it_goes_through_a_queue_and_a_call_to_another_interpreter(void **state)
{
    expect_text(run(*state, TASKLET
                    "from coop import interpreters, queues\n"
                    "i, q = interpreters.create(), queues.create()\n"
                    "i.prepare_main(q=q); q.put(pickle.dumps(t))\n"
                    "i.exec('import pickle, stackless; t = pickle.loads(q.get()); t.insert(); stackless.run(); q.put(pickle.dumps(t))')\n"
                    "def go_on(data):\n"
                    "    import pickle, stackless\n"
                    "    t = pickle.loads(data); t.insert(); stackless.run()\n"
                    "    return pickle.dumps(t), t.alive\n"
                    "data, alive = i.call(go_on, q.get())\n"
                    "print(alive, pickle.loads(data).alive)\n"
                    "data = i.call(go_on, pickle.dumps(t))[0]; t.kill()\n"
                    "t = pickle.loads(data)\n"
                    "print('back'); t.insert(); stackless.run()\n")
                    ->out,
                "0 zero\nFalse False\nfinally\nback\n2 two\n[3, 'returned']\nfinally\n");
}

static void it_goes_on_after_the_broker_has_started_again(void **state)
{
    struct broker *b = *state;

    (void)run(*state, TASKLET PUT);
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    expect_text(run(*state, GET GO_ON)->out, rest);
}

static void a_channel_and_all_who_wait_for_it_go_on(void **state)
{
    (void)run(*state, "import pickle, stackless\n"
                      "c = stackless.channel()\n"
                      "def add(name):\n"
                      "    for v in c: print(name, v)\n"
                      "    print(name, 'ends')\n"
                      "for name in 'ab': stackless.tasklet(add)(name); stackless.run()\n"
                      "c.send(1); stackless.run()\n"
                      "t = c\n" PUT);
    expect_text(run(*state, GET "import stackless\nfor n in range(3): t.send(n); stackless.run()\nt.close()\nprint(t.balance)\n")->out,
                "b 0\na 1\nb 2\n-2\n");
}

static void generators_functions_and_closures_go_on(void **state)
{
    (void)run(*state, "import pickle\n"
                      "base = 10\n"
                      "def numbers(n):\n"
                      "    with_base = lambda x: x + base\n"
                      "    for i in range(n): yield with_base(i)\n"
                      "g = numbers(4); next(g)\n"
                      "async def value(): return base\n"
                      "t = (g, lambda: numbers(2), value())\n" PUT "t[2].close()\n");
    expect_text(run(*state, GET "print(list(t[0]), list(t[1]()))\nimport asyncio\nprint(asyncio.run(t[2]))\n")->out,
                "[11, 12, 13] [10, 11]\n10\n");
}

static void what_a_slice_has_ended_goes_on(void **state)
{
    (void)run(*state, "import pickle, stackless\n"
                      "stackless._set_slice(0.001)\n"
                      "def count(n):\n"
                      "    while n < 3000000: n += 1\n"
                      "    print('counted', n)\n"
                      "t = stackless.tasklet(count)(0)\n"
                      "while not (t.frame and t.frame.f_locals.get('n') and t.restorable): stackless.schedule()\n"
                      "t.remove()\n" PUT "t.kill()\n");
    expect_text(run(*state, GET GO_ON)->out, "counted 3000000\n");
}

/* ---- where it does not -------------------------------------------------------------------------------------------------------------- */

static const char refused[] = "import pickle\n"
                              "try: t = pickle.loads(DATA)\n"
                              "except pickle.UnpicklingError as e: print(e)\n"
                              "else: print('taken')\n";

/* The bytes of a blob, as Python writes them. */
static char *a_blob(const struct broker *b, const struct proc_how *how)
{
    const char *path = script(b, "a.py", "import pickle\nprint(pickle.dumps(lambda: 'some text'))\n");
    struct proc *p = proc_expect(coop_run_(b, how, (const char *const[]){ "run", path, NULL }), 0);

    return heard_line(&p->out);
}

static struct proc *load(const struct broker *b, const struct proc_how *how, const char *data, const char *more)
{
    const char *path = script(b, "b.py", support_text("DATA = %s%s\n%s", data, more, refused));

    return proc_expect(coop_run_(b, how, (const char *const[]){ "run", path, NULL }), 0);
}

static void a_changed_blob_is_refused_by_name(void **state)
{
    static const struct proc_how how = { .in = PROC_IN_NULL };
    const char *blob = a_blob(*state, &how);

    expect_text(load(*state, &how, blob, "")->out, "taken\n");
    expect_text(load(*state, &how, blob, ".replace(b'some text', b'sOme text')")->out,
                "this blob is refused: it was changed after it was made\n");
    expect_text(load(*state, &how, blob, ".replace(b'cpython-311', b'cpython-312')")->out,
                "this blob is refused: it was made by python cpython-312 magic 3495, and this is python cpython-311 magic 3495\n");
    expect_text(load(*state, &how, "b'c_coop_freeze\\ncode\\n(C\\x01xtR.'", "")->out,
                "code comes only out of a sealed blob, as pickle.dumps() makes it here\n");
}

static void another_brokers_blob_is_refused_by_name(void **state)
{
    static const struct proc_how how = { .in = PROC_IN_NULL };
    struct broker *other = broker_new();
    const char *blob;

    broker_up(other);
    blob = a_blob(other, &how);
    (void)broker_down(other);
    expect_text(load(*state, &how, blob, "")->out, "this blob is refused: its seal is not this broker's for this tenant\n");
}

static void another_tenants_blob_is_refused_by_name(void **state)
{
    static const struct proc_how alice = { .in = PROC_IN_NULL, .uid = ALICE }, bob = { .in = PROC_IN_NULL, .uid = BOB };
    const char *blob;

    if (geteuid() != 0)
        skip(); /* nobody else can be become */
    blob = a_blob(*state, &alice);
    expect_text(load(*state, &alice, blob, "")->out, "taken\n");
    expect_text(load(*state, &bob, blob, "")->out, "this blob is refused: its seal is not this broker's for this tenant\n");
}

/* A tenant that seals what no pickler would make has its own worker to lose. */
static void frames_that_a_tenant_makes_up_end_its_own_job_at_most(void **state)
{
    struct broker *b = *state;
    const char *path =
        script(b, "a.py",
               "import _coop_freeze as f, marshal, pickle\n"
               "def numbers(n):\n"
               "    for i in n: yield i\n"
               "def by_hand(code, state):\n"
               "    g = f.generator(0, f.code(code), {}, 'g', 'g'); f.set_generator(g, (state, None)); return g\n"
               "g = numbers([1, 2]); next(g)\n"
               "import _coop_freeze\n"
               "at = g.gi_frame.f_lasti // 2\n"
               "class Hand:\n"
               "    def __reduce__(self): return by_hand, (marshal.dumps(numbers.__code__), (1, None, None, at, 3, b'\\7', (1, 2, 3)))\n"
               "g = pickle.loads(pickle.dumps((lambda: 0, Hand())))[1]\n"
               "print('next', flush=True)\n"
               "next(g)\n");

    expect_has(coop(b, "run", path)->out, "next");
    (void)run(*state, TASKLET PUT);
    expect_text(run(*state, GET GO_ON)->out, rest);
}

/* Tasklets that stand in the middle of a load hibernate, and others take their stacks. */
static void loads_that_hibernate_go_on(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.py",
                              "import pickle, stackless\n"
                              "class X:\n"
                              "    def __setstate__(self, state): stackless.schedule_remove()\n"
                              "x = X(); x.v = 1\n"
                              "blob = pickle.dumps([lambda: 1, x, lambda: 2])\n"
                              "done = []\n"
                              "def load(): done.append(pickle.loads(blob))\n"
                              "loads = [stackless.tasklet(load)() for i in range(2)]; stackless.run()\n"
                              "def wait(n):\n"
                              "    if n: return list(map(wait, [n - 1]))\n"
                              "    stackless.schedule_remove()\n"
                              "others = []\n"
                              "for k in range(2000): others.append(stackless.tasklet(wait)(k % 6)); stackless.run()\n"
                              "print([t.hibernated for t in loads], flush=True)\n"
                              "print(pickle.loads(pickle.dumps(lambda: 3))())\n"
                              "for t in loads: t.run()\n"
                              "stackless.run()\n"
                              "print([(a(), b()) for a, _, b in done])\n");

    expect_text(proc_expect(coop(b, "run", "--limit", "memory=32M", path), 0)->out, "[True, True]\n3\n[(1, 2), (1, 2)]\n");
}

static void what_prevents_it_is_named(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.py",
                              "import pickle, stackless\n"
                              "def key(x): return stackless.schedule_remove(x)\n"
                              "def f(): return sorted([2, 1], key=key)\n"
                              "t = stackless.tasklet(f)(); stackless.run()\n"
                              "print(t.restorable)\n"
                              "pickle.dumps(t)\n");
    struct proc *p = proc_expect(coop(b, "run", path), COOP_EXIT_EXCEPTION);

    expect_text(p->out, "False\n");
    expect_has(p->err,
               "PicklingError: frame f, file a.py, line 3: C code stands between it and what it called: <built-in function sorted>");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

static int setup(void **state)
{
    struct broker *b = *state = broker_new();

    b->args[0] = "--share";
    b->args[1] = "all";
    broker_up(b);
    return chmod(b->dir, 0755);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tasklet_of_three_frames_goes_on_in_another_job),
        TEST(it_goes_on_a_turn_in_each_of_several_jobs),
        TEST(it_goes_through_a_pipe),
        TEST(it_goes_through_a_queue_and_a_call_to_another_interpreter),
        TEST(it_goes_on_after_the_broker_has_started_again),
        TEST(a_channel_and_all_who_wait_for_it_go_on),
        TEST(generators_functions_and_closures_go_on),
        TEST(what_a_slice_has_ended_goes_on),
        TEST(a_changed_blob_is_refused_by_name),
        TEST(another_brokers_blob_is_refused_by_name),
        TEST(another_tenants_blob_is_refused_by_name),
        TEST(frames_that_a_tenant_makes_up_end_its_own_job_at_most),
        TEST(loads_that_hibernate_go_on),
        TEST(what_prevents_it_is_named),
    };

    if (!py_host_is_here())
        return 0;
    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
