/* test_py_interp.c - interpreters of Python: from a terminal, from Lua and from Python; with a real broker and real processes. */
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

#define HEAD                                                                                                                               \
    "from coop import interpreters\n"                                                                                                      \
    "import coop.errors as errors\n"                                                                                                       \
    "def fails(f, *args, **kwargs):\n"                                                                                                     \
    "    try: f(*args, **kwargs)\n"                                                                                                        \
    "    except errors.InterpreterError as error: return error\n"

/* Runs it with the capabilities for all of this, and expects that it prints out and ends well. */
static void expect_script(void *state, const char *source, const char *out)
{
    struct broker *b = state;
    const char *path = script(b, "a.py", support_text(HEAD "%s", source));

    expect_text(
        proc_expect(coop(b, "run", "--cap", "interpreters=64", "--cap", "queues", "--cap", "buffers", "--limit", "threads=4", path), 0)
            ->out,
        out);
}

/* ---- from a terminal ------------------------------------------------------------------------------------------------------------------- */

static const char *made(struct broker *b)
{
    struct proc *p = proc_expect(coop(b, "interp", "create", "--engine", "python"), 0);

    return support_text("%.*s", (int)strcspn(p->out.bytes, "\n"), p->out.bytes);
}

static void the_command_runs_source_and_calls_functions(void **state)
{
    struct broker *b = *state;
    const char *id = made(b);

    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "def add(a, b=1, *rest): return a + b\nprint('said')"), 0)->out,
                "said\n");
    expect_text(proc_expect(coop(b, "interp", "call", id, "add", "40", "2"), 0)->out, "42\n");
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "add('x', 'y')"), 0)->out, "\"xy\"\n");
    expect_text(proc_expect(coop(b, "interp", "call", id, "json.dumps", "[1, {\"a\": null}]"), 0)->out, "\"[1, {\\\"a\\\": null}]\"\n");
    proc_expect(coop(b, "interp", "prepare", id, "n=7", "words=[\"a\", \"b\"]"), 0);
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "words * 2 + [n]"), 0)->out, "[\"a\", \"b\", \"a\", \"b\", 7]\n");
    expect_text(proc_expect(coop(b, "interp", "call", id, "eval", "\"n + 1\""), 0)->out, "8\n");
    expect_has(proc_expect(coop(b, "interp", "call", id, "dir"), 0)->out, "\"n\"");
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "globals().keys() >= {'n'}"), 0)->out, "true\n");
    (void)proc_expect(coop(b, "interp", "call", id, "exec", "\"made = locals() is globals()\""), 0);
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "made"), 0)->out, "true\n");
    expect_has(proc_expect(coop(b, "interp", "call", id, ":call", "5"), COOP_EXIT_USAGE)->err, "BadRequest: ':call' is of three values");
    expect_text(proc_expect(coop(b, "interp", "exec", id, "-c", "n * 2"), 0)->out, "14\n");
    expect_text(proc_expect(coop(b, "interp", "call", id, "add"), COOP_EXIT_EXCEPTION)->err,
                "coop: ExecutionFailed: TypeError: add() missing 1 required positional argument: 'a'\n");
    proc_expect(coop(b, "interp", "close", id), 0);
    expect_text(proc_expect(coop(b, "call", "--engine", "python", "math.sqrt", "9"), 0)->out, "3.0\n");
}

static void a_syntax_error_is_told_once(void **state)
{
    struct broker *b = *state;
    const char *id = made(b);

    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "def f(:"), COOP_EXIT_EXCEPTION)->err,
                "coop: ExecutionFailed: SyntaxError: invalid syntax (source, line 1)\n"
                "  File \"source\", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n");
}

static void its_errors_are_told_with_the_lines_of_their_source(void **state)
{
    struct broker *b = *state;
    const char *id = made(b);
    struct proc *p = proc_expect(coop(b, "interp", "exec", id, "--source", "def f(x):\n    return 1 // x\nf(0)"), COOP_EXIT_EXCEPTION);

    expect_has(p->err, "ZeroDivisionError: integer division or modulo by zero");
    expect_has(p->err, "line 2, in f");
    expect_has(p->err, "return 1 // x");
    p = proc_expect(coop(b, "interp", "exec", id, "--source", "def ("), COOP_EXIT_EXCEPTION);
    expect_has(p->err, "SyntaxError");
    proc_expect(coop(b, "interp", "close", id), 0);
}

static void lua_and_python_call_each_other(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              "local i = require('coop.interpreters').create{engine = 'python', source = 'def twice(x): return [x, x]'}\n"
                              "local two = i:call('twice', {a = 1.5, s = 'text'})\n"
                              "print(two[2].a, two[2].s, i:exec('len(__name__)'))\n"
                              "local ok, e = pcall(i.exec, i, 'raise KeyError(3)') print(ok, e.type, e.remote_type, e.message)\n");

    /* Its time goes on while an engine starts for its call, on an emulated machine for minutes. */
    expect_text(proc_expect(coop(b, "run", "--limit", "wall=1h", "--cap", "interpreters=2", path), 0)->out,
                "1.5\ttext\t8\n"
                "false\tExecutionFailed\tKeyError\t3\n");
    expect_script(b,
                  "i = interpreters.create(engine='lua', source='function add(a, b) return a + b end')\n"
                  "print(i.call('add', 1, 2), i.exec('return 1, 2'))\n",
                  "3 [1, 2]\n");
}

/* ---- its state ------------------------------------------------------------------------------------------------------------------------- */

static void what_an_interpreter_knows_it_keeps(void **state)
{
    expect_script(*state,
                  "i = interpreters.create()\n"
                  "i.exec('x = 40'); i.exec('x = x + 2'); print(i.exec('x'), i.exec('y = 1'))\n"
                  "i.prepare_main({'a': [1, {'b': 'c'}]}, n=2.5); print(i.exec('[a[1][\"b\"], n]'))\n"
                  "print('x' in globals(), i.is_running(), i.whence, i.info()['state'])\n"
                  "i.close(); print(type(fails(i.exec, '1')).__name__)\n",
                  "42 None\n"
                  "['c', 2.5]\n"
                  "False False spawned idle\n"
                  "Closed\n");
}

static void its_source_is_run_before_its_first_call(void **state)
{
    expect_script(
        *state,
        "i = interpreters.create(source='import sys\\ndef twice(x): return x * 2\\nwords = sys.argv[1:]', args=['a', 'b'],\n"
        "                        modules={'mine.py': 'n = 5'}, env={'HERE': 'there'})\n"
        "print(i.call('twice', 21), i.exec('words'), i.call('mine.n.bit_length'), i.exec('__import__(\"os\").environ[\"HERE\"]'))\n"
        "e = fails(interpreters.create, source='x = 1\\nraise ValueError(x)', source_name='b.py')\n"
        "print(e.type, e.cause, e.excinfo.formatted, 'b.py\", line 2' in e.traceback)\n"
        "print(fails(interpreters.create, source='raise SystemExit(3)').cause)\n",
        "42 ['a', 'b'] 3 there\n"
        "ExecutionFailed exception ValueError: 1 True\n"
        "exit\n");
}

static void one_of_a_template_begins_with_its_names_and_is_reset_to_them(void **state)
{
    struct broker *b = *state;
    const char *init = script(b, "init.py", "import json\ndef parse(s): return json.loads(s)\nn = 5\n"), *id;
    struct proc *p;

    proc_expect(coop(b, "template", "build", "data", "--engine", "python", "--run", init), 0);
    p = proc_expect(coop(b, "interp", "create", "--template", "data"), 0);
    id = support_text("%.*s", (int)strcspn(p->out.bytes, "\n"), p->out.bytes);
    expect_text(proc_expect(coop(b, "interp", "call", id, "parse", "\"[1, 2]\""), 0)->out, "[1, 2]\n");
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "n = n + 1"), 0)->out, "");
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "n"), 0)->out, "6\n");
    proc_expect(coop(b, "interp", "reset", id), 0);
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "n"), 0)->out, "5\n");
    proc_expect(coop(b, "interp", "close", id), 0);
}

/* ---- values and functions ----------------------------------------------------------------------------------------------------------------- */

static void values_of_every_type_come_back_as_they_went(void **state)
{
    expect_script(*state,
                  "i = interpreters.create(caps=['buffers'])\n"
                  "same = [None, True, 0, -2**63, 2**64, -10**40, 1.5, 'text', '', b'\\0\\xff', [], {}, {'a': {1: [2]}, b'b': 3.5}]\n"
                  "i.exec('def same(*args): return args')\n"
                  "print(i.call('same', *same) == same, i.call('same', (1, 2), bytearray(b'x')))\n"
                  "print(len(i.call('same', 'x' * 300000)[0]))\n",
                  "True [[1, 2], b'x']\n"
                  "300000\n");
}

static void what_cannot_be_sent_is_named_by_its_path(void **state)
{
    expect_script(
        *state,
        "i = interpreters.create()\n"
        "e = fails(i.call, 'len', [1, {'rows': [2, {3}]}]); print(type(e).__name__, isinstance(e, TypeError), e)\n"
        "e = fails(i.call, lambda: {'a': [object()]}); print(type(e).__name__, e)\n"
        "e = fails(i.call, lambda: 'x' * 100000); print(type(e).__name__, e.path, 'buffers' in str(e))\n"
        "print(i.exec('object()'), interpreters.is_shareable([1]), interpreters.is_shareable([len]))\n"
        "e = fails(i.prepare_main, {'f': len}); print(e)\n"
        "def f(n, default={'a': 1}): return n\n"
        "e = fails(i.call, f, 1, [2, {'rows': [object()]}]); print(e, '|', e.path)\n"
        "print(fails(i.call, f, n=[object()]), fails(i.call_async, 'pow', 1, exp=len), sep=' | ')\n"
        "from concurrent.futures import InterpreterPoolExecutor as Pool\n"
        "with Pool(1) as pool: print(fails(pool.submit(f, 1, default=object).result), fails(pool.submit('pow', object).result), sep=' | ')\n"
        "f.__defaults__ = [2, object()],; print(fails(i.call, f, 1))\n",
        "NotShareableError True args[1][2].rows[2]: an object of the type set cannot be sent\n"
        "NotShareableError result.a[1]: an object of the type object cannot be sent\n"
        "TooBig result True\n"
        "None True False\n"
        "names.f: an object of the type builtin_function_or_method cannot be sent\n"
        "args[2][2].rows[1]: an object of the type object cannot be sent | args[2][2].rows[1]\n"
        "kwargs.n[1]: an object of the type object cannot be sent | kwargs.exp: an object of the type builtin_function_or_method cannot be sent\n"
        "kwargs.default: an object of the type type cannot be sent | args[1]: an object of the type type cannot be sent\n"
        "defaults[1][2]: an object of the type object cannot be sent\n");
}

static void functions_are_called_by_value_or_by_name(void **state)
{
    expect_script(
        *state,
        "import json\n"
        "i = interpreters.create()\n"
        "def mean(values, *, digits=2, scale=1): return round(sum(values) / len(values) * scale, digits)\n"
        "print(i.call(mean, [1, 2, 4], scale=10), i.call('pow', 2, exp=3), i.call(json.loads, '[1]'), i.call(dict.fromkeys, [1], 2))\n"
        "i.prepare_main(base=100); print(i.call(lambda n: n + base, 1), i.call(eval, 'base'))\n"
        "def closure(n):\n"
        "    def inner(): return n\n"
        "    return inner\n"
        "print(fails(i.call, closure(1)))\n"
        "print(type(fails(i.call, 'nowhere.f')).__name__, fails(i.call, [].append) is not None)\n"
        "def late(): raise LookupError('late')\n"
        "e = fails(i.call, late); print(e.excinfo.type.__name__, e.excinfo.msg, 'in late' in e.traceback)\n"
        "i.exec(lambda: None)\n",
        "23.33 8 [1] {1: 2}\n"
        "101 100\n"
        "inner() is a closure over n: it cannot be sent; pass what it needs as arguments\n"
        "NoFunction True\n"
        "LookupError late True\n");
}

/* ---- how calls end -------------------------------------------------------------------------------------------------------------------------- */

/* As in a job: of more nobody would see anything, and the frames of a recursion without a limit are as many as memory bears. */
static void a_traceback_has_a_thousand_frames_at_most(void **state)
{
    expect_script(*state,
                  "i = interpreters.create()\n"
                  "e = fails(i.exec, 'import sys\\nsys.setrecursionlimit(5000)\\ndef f(): f()\\nf()')\n"
                  "print(e.excinfo.type.__name__, 'Previous line repeated 997 more times' in e.traceback)\n",
                  "RecursionError True\n");
}

static void an_uncaught_error_ends_the_job_with_both_tracebacks(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.py",
                              "from coop import interpreters\n"
                              "interpreters.create().exec('def inside():\\n    raise ValueError(\"deep\")\\ninside()')\n");
    struct proc *p = proc_expect(coop(b, "run", "--cap", "interpreters=1", path), COOP_EXIT_EXCEPTION);

    expect_has(p->err, "File \"a.py\", line 2");
    expect_has(p->err, "Uncaught in the interpreter:");
    expect_has(p->err, "in inside");
}

static void an_interpreter_that_dies_takes_nobody_along(void **state)
{
    expect_script(*state,
                  "i = interpreters.create()\n"
                  "e = fails(i.exec, 'import os; print(1, flush=True); os._exit(3)'); print(e.type, e.cause, e.receipt == i.id)\n"
                  "e = fails(i.exec, '1'); print(type(e).__name__, isinstance(e, interpreters.InterpreterNotFoundError))\n"
                  "i = interpreters.create()\n"
                  "print(fails(i.exec, 'import ctypes; ctypes.string_at(8)').cause)\n"
                  "i = interpreters.create()\n"
                  "e = fails(i.exec, 'raise SystemExit(4)'); print(e.excinfo.type.__name__, i.exec('1 + 1'))\n"
                  "i = interpreters.create(limits={'memory': '64M'})\n"
                  "print(fails(i.exec, 'x = bytes(1 << 30)').excinfo.type.__name__, i.exec('2 + 2'))\n",
                  "ExecutionFailed exit True\n"
                  "Dead True\n"
                  "signal\n"
                  "SystemExit 2\n"
                  "MemoryError 4\n");
}

static void a_time_out_ends_the_call_whatever_it_catches(void **state)
{
    expect_script(*state,
                  "def endless():\n"
                  "    while True: pass\n"
                  "def stubborn():\n"
                  "    while True:\n"
                  "        try:\n"
                  "            while True: pass\n"
                  "        except BaseException: pass\n"
                  "        finally:\n"
                  "            try:\n"
                  "                while True: pass\n"
                  "            except BaseException: pass\n"
                  "def sleeper():\n"
                  "    import time\n"
                  "    while True:\n"
                  "        try: time.sleep(1000)\n"
                  "        except BaseException: pass\n"
                  "i = interpreters.create(); i.exec('x = 5')\n"
                  "for f in (endless, stubborn, sleeper): print(type(fails(i.call_for, 0.2, f)).__name__)\n"
                  "print(i.exec('x'))\n"
                  "f = i.call_async(stubborn)\n"
                  "while not i.is_running(): pass\n"
                  "print(type(fails(i.close)).__name__); i.interrupt(); print(type(fails(f.wait)).__name__, i.exec('x'))\n"
                  "i.interrupt(); print(i.exec('x'))\n",
                  "TimedOut\n"
                  "TimedOut\n"
                  "TimedOut\n"
                  "5\n"
                  "Busy\n"
                  "Interrupted 5\n"
                  "5\n");
}

static void limits_hold_for_each_call_and_a_link_takes_the_other_along(void **state)
{
    expect_script(*state,
                  "i = interpreters.create(limits={'cpu': 0.3})\n"
                  "e = fails(i.call, lambda: any(False for _ in iter(int, 1))); print(e.type, e.cause)\n"
                  "i = interpreters.create(); i.kill(); print(i.wait()['cause'], type(fails(i.kill)).__name__)\n"
                  "i = interpreters.create()\n"
                  "i.exec('n = 1'); i.reset(); print(fails(i.exec, 'n').excinfo.type.__name__)\n"
                  "print(fails(interpreters.create, engine='none').type != '', type(fails(i.wait, 0)).__name__)\n",
                  "ExecutionFailed cpu_limit\n"
                  "cancelled Dead\n"
                  "NameError\n"
                  "True TimedOut\n");
}

static void a_call_that_fails_says_what_would_have_helped_where_that_is_known(void **state)
{
    expect_script(
        *state,
        "i = interpreters.create(limits={'memory': '64M'}, source='def late(): return missing\\n')\n"
        "K = 5\n"
        "def last(f, *args): print(fails(f, *args).traceback.splitlines()[-1])\n"
        "last(i.call, lambda n: K + n, 1)\n"
        "i.prepare_main(K=4); print(i.call(lambda n: K + n, 1))\n"
        "for source in 'K2', 'late()', 'import a.b', 'import no.such', 'import numpy', 'bytes(1 << 30)':\n"
        "    last(i.exec, source)\n",
        "a function is sent without what is around it: make K an argument, or give it by prepare_main(K=VALUE)\n"
        "5\n"
        "NameError: name 'K2' is not defined\n"
        "NameError: name 'missing' is not defined\n"
        "a module of yours is given to an interpreter: create(modules={'a.py': SOURCE})\n"
        "a module of yours is given to an interpreter: create(modules={'no.py': SOURCE})\n"
        "ModuleNotFoundError: No module named 'numpy': it is one of Debian's packages, which the capability gives: --cap packages\n"
        "the memory limit of this interpreter is reached; create(limits={'memory': SIZE}) sets another\n");
}

/* ---- the names of PEP 734 ---------------------------------------------------------------------------------------------------------------------- */

static void programs_for_pep_734_find_its_names(void **state)
{
    expect_script(
        *state,
        "from concurrent import interpreters as pep\n"
        "i = pep.create(); i.prepare_main(a=1); i.exec('''\n"
        "    a += 1\n"
        "    ''')\n"
        "print(i.call(eval, 'a'), i in pep.list_all(), pep.get_current() in pep.list_all(), i.id in [x.id for x in pep.list_all()])\n"
        "try: i.exec('1 / 0')\n"
        "except pep.ExecutionFailed as error: print(error.excinfo.type.__name__, error.excinfo.formatted)\n"
        "q = pep.create_queue(2); i.prepare_main(q=q); i.exec('q.put(1); q.put({2: 3})')\n"
        "print(q.full(), q.get(), q.get(timeout=5), q.empty(), q.maxsize)\n"
        "try: q.get_nowait()\n"
        "except pep.QueueEmpty: print('empty')\n"
        "t = i.call_in_thread(print, 'unseen'); t.join()\n"
        "i.close()\n"
        "try: i.exec('')\n"
        "except pep.InterpreterNotFoundError: print('gone')\n"
        "import _interpreters\n"
        "id = _interpreters.create(); print(_interpreters.exec(id, 'n = 1'), _interpreters.exec(id, '0 / 0').type.__name__)\n"
        "print(_interpreters.call(id, len, ([1, 2],)), _interpreters.is_running(id)); _interpreters.destroy(id)\n",
        "2 True True True\n"
        "ZeroDivisionError ZeroDivisionError: division by zero\n"
        "True 1 {2: 3} True 2\n"
        "empty\n"
        "gone\n"
        "None ZeroDivisionError\n"
        "(2, None) False\n");
}

static void names_of_sources_are_told_apart_and_not_kept_for_ever(void **state)
{
    expect_script(*state,
                  "i = interpreters.create()\n"
                  "for n in range(1200): i.exec('', name=f'n{n}')\n"
                  "i.exec('import sys\\nseen = []\\ndef name(): return sys._getframe(1).f_code.co_filename')\n"
                  "i.exec('''sys.addaudithook(lambda e, a: e == 'compile' and seen.append(sys._getframe(1).f_globals['named']))''')\n"
                  "print(i.exec('len(seen[0]) <= 1001'), [i.exec('name()', name=n) for n in ['n1', 'new', 'new', 'n1']])\n",
                  "True ['n1 (2)', 'new (204)', 'new (205)', 'n1 (3)']\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_command_runs_source_and_calls_functions),
        TEST(a_syntax_error_is_told_once),
        TEST(its_errors_are_told_with_the_lines_of_their_source),
        TEST(lua_and_python_call_each_other),
        TEST(what_an_interpreter_knows_it_keeps),
        TEST(its_source_is_run_before_its_first_call),
        TEST(one_of_a_template_begins_with_its_names_and_is_reset_to_them),
        TEST(values_of_every_type_come_back_as_they_went),
        TEST(what_cannot_be_sent_is_named_by_its_path),
        TEST(functions_are_called_by_value_or_by_name),
        TEST(a_traceback_has_a_thousand_frames_at_most),
        TEST(an_uncaught_error_ends_the_job_with_both_tracebacks),
        TEST(an_interpreter_that_dies_takes_nobody_along),
        TEST(a_time_out_ends_the_call_whatever_it_catches),
        TEST(limits_hold_for_each_call_and_a_link_takes_the_other_along),
        TEST(a_call_that_fails_says_what_would_have_helped_where_that_is_known),
        TEST(programs_for_pep_734_find_its_names),
        TEST(names_of_sources_are_told_apart_and_not_kept_for_ever),
    };

    if (!py_host_is_here())
        return 0;
    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
