/* test_python.c - scripts of Python: what reaches them, what they find, how they end. Bad input and the seal are in test_python_bad.c. */
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
#include "tests/support/py_jobs.h"

static struct broker *b; /* one for all: each job is a fork of its own */

static json_t *last_receipt(void)
{
    return receipt_of(b, json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id"));
}

/* ---- what a script finds, and how it ends ------------------------------------------------------------------------------------------ */

struct end {
    const char *sentence;
    const char *code;  /* of Python */
    const char *limit; /* or NULL */
    int exit;
    const char *cause;
    const char *out; /* exactly; NULL: not looked at */
    const char *err; /* has it; NULL: nothing was said but by the command */
};

#define ENDS(n) (n), (n) == 0 ? "ok" : "exit"
#define FAILS   COOP_EXIT_EXCEPTION, "exception"

/* clang-format off */
static const struct end ends[] = {
    { "print() prints", "print('hello', 'wörld')", NULL, ENDS(0), "hello wörld\n", NULL },
    { "sys.exit(7) is exit code 7", "import sys; print(1); sys.exit(7)", NULL, ENDS(7), "1\n", NULL },
    { "sys.exit() with a text prints it and is 1", "import sys; sys.exit('no way')", NULL, ENDS(1), "", "no way\n" },
    { "an exit code is taken as the low byte", "raise SystemExit(256 + 3)", NULL, ENDS(3), "", NULL },
    { "os._exit() ends it at once, and nothing printed is lost", "import os; print('kept'); os._exit(5)", NULL, ENDS(5), "kept\n", NULL },
    { "an exception has its traceback with the source line", "def f():\n    return 1 / 0\nf()", NULL, FAILS, "", "    return 1 / 0\n           ~~^~~\nZeroDivisionError: division by zero\n" },
    { "a line of the standard library stands in a traceback", "import json; json.loads('[')", NULL, FAILS, "", "    obj, end = self.raw_decode(s, idx=_w(s, 0).end())\n" },
    { "no frame of ours stands in one", "import sys, traceback\ndef f():\n    traceback.print_stack(); print(sys._getframe(1).f_back)\nf()", NULL, ENDS(0), "None\n", "  File \"<string>\", line 4, in <module>\n" },
    { "an exception group is shown", "raise ExceptionGroup('g', [ValueError(1)])", NULL, FAILS, "", "+-+---------------- 1 ----------------" },
    { "standard error is text that never fails", "import sys; print('\\udc80', file=sys.stderr)", NULL, ENDS(0), "", "\\udc80" },
    { "sys.stdout.buffer takes bytes", "import sys; sys.stdout.buffer.write(b'\\x01\\xff\\n')", NULL, ENDS(0), "\x01\xff\n", NULL },
    { "os.write() goes the same way, in order", "import os; print(1); os.write(1, b'2\\n'); print(3)", NULL, ENDS(0), "1\n2\n3\n", NULL },
    { "open(1) is standard output", "with open(1, 'w') as f: f.write('x\\n')", NULL, ENDS(0), "x\n", NULL },
    { "atexit functions run, and may print", "import atexit; atexit.register(print, 'bye'); print('hi')", NULL, ENDS(0), "hi\nbye\n", NULL },
    { "tasklets have turns in an atexit function", "import atexit, stackless\n@atexit.register\ndef f():\n    stackless.tasklet(print)('other'); stackless.schedule(); print('bye')", NULL, ENDS(0), "other\nbye\n", NULL },
    { "finalizers of what the script made run", "class A:\n    def __del__(self): print('gone')\na = A()", NULL, ENDS(0), "gone\n", NULL },
    { "an error in a finalizer is told and no end", "class A:\n    def __del__(self): 1 / 0\nA(); print('on')", NULL, ENDS(0), "on\n", "Exception ignored in: <function A.__del__" },
    { "it is __main__, and its name is its file's", "print(__name__, __file__); import sys; print(sys.modules['__main__'].__name__)", NULL, ENDS(0), "__main__ <string>\n__main__\n", NULL },
    { "pickle finds a class of the script", "import pickle\nclass P: x = 3\nprint(pickle.loads(pickle.dumps(P())).x)", NULL, ENDS(0), "3\n", NULL },
    { "its source can be had by inspect", "import inspect, textwrap\ndef f(): return 1\nprint(inspect.getsource(f), end='')\nprint(inspect.getsource(textwrap.dedent)[:10])", NULL, ENDS(0), "def f(): return 1\ndef dedent\n", NULL },
    { "sqlite3 works in memory", "import sqlite3; c = sqlite3.connect(':memory:'); c.execute('create table t(a)'); c.executemany('insert into t values(?)', [(1,), (2,)]); print(c.execute('select sum(a) from t').fetchall())", NULL, ENDS(0), "[(3,)]\n", NULL },
    { "a time zone is there without a file", "import datetime, zoneinfo; print(datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')))", NULL, ENDS(0), "2024-07-01 00:00:00+02:00\n", NULL },
    { "modules that nobody imports are there too", "import xml.etree.ElementTree as E, tomllib, lzma, bz2, decimal, csv, html.parser, email.message, unittest, asyncio, concurrent.futures, ssl, xmlrpc.client, zipfile, encodings.cp1252, encodings.big5\nprint(E.fromstring('<a><b/></a>')[0].tag, tomllib.loads('x=1'), lzma.decompress(lzma.compress(b'z')), 'ä'.encode('cp1252'))", NULL, ENDS(0), "b {'x': 1} b'z' b'\\xe4'\n", NULL },
    { "datetime.strptime finds what it imports late", "import datetime; print(datetime.datetime.strptime('2020-02-03', '%Y-%m-%d').date())", NULL, ENDS(0), "2020-02-03\n", NULL },
    { "signals raised by itself reach its handlers", "import signal\nfor s in signal.SIGUSR1, signal.SIGTERM, signal.SIGINT:\n    signal.signal(s, lambda n, f: print(n))\n    signal.raise_signal(s)", NULL, ENDS(0), "10\n15\n2\n", NULL },
    { "threads within the limit run and end", "import threading\nr = []\nfor k in range(20):\n    t = [threading.Thread(target=r.append, args=(i,)) for i in range(3)]\n    [x.start() for x in t]; [x.join() for x in t]\nprint(len(r), sorted(set(r)))", "threads=4", ENDS(0), "60 [0, 1, 2]\n", NULL },
    { "asyncio has a thread to run a function in, or a tasklet", "import asyncio, time\nasync def f():\n    return await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.001) for i in range(5)), asyncio.to_thread(pow, 2, 3))\nprint(asyncio.run(f())[-1])", NULL, ENDS(0), "8\n", NULL },
    { "it has no more of them than the job may have", "import asyncio, time, threading\nasync def f():\n    await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.001) for i in range(5)))\n    return await asyncio.to_thread(threading.current_thread)\nprint(asyncio.run(f()).name)", "threads=2", ENDS(0), "asyncio_0\n", NULL },
    { "it ends when they have", "import asyncio, time\ndef f():\n    time.sleep(0.02); print('late')\nasync def main():\n    asyncio.get_running_loop().run_in_executor(None, f)\nasyncio.run(main()); print('end')", "threads=2", ENDS(0), "late\nend\n", NULL },
    { "or the tasklets have", "import asyncio, time\ndef f():\n    time.sleep(0.02); print('late')\nasync def main():\n    asyncio.get_running_loop().run_in_executor(None, f)\nasyncio.run(main()); print('end')", NULL, ENDS(0), "late\nend\n", NULL },
    { "what fails in a tasklet of asyncio's is its future's", "import asyncio\nasync def f():\n    try: await asyncio.to_thread(int, 'x')\n    except ValueError as e: print(e)\nasyncio.run(f())", NULL, ENDS(0), "invalid literal for int() with base 10: 'x'\n", NULL },
    { "numbers are looked up without a network", "import asyncio, socket\nprint(socket.getaddrinfo('127.0.0.1', 80)[0][4], asyncio.run(asyncio.new_event_loop().getaddrinfo('::1', 1, type=1))[0][4][:2])", NULL, ENDS(0), "('127.0.0.1', 80) ('::1', 1)\n", NULL },
    { "a pool of threads works", "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(3) as p: print(sum(p.map(lambda x: x * x, range(100))))", "threads=4", ENDS(0), "328350\n", NULL },
    { "memory is mapped", "import mmap\nm = mmap.mmap(-1, 8192); m[:3] = b'abc'; m.flush(); m.resize(1 << 20)\nprint(m[:3], len(m), type(m) is mmap.mmap); m.close()\nprint(mmap.mmap(-1, 10, access=mmap.ACCESS_WRITE).write(b'xy'))", NULL, ENDS(0), "b'abc' 1048576 True\n2\n", NULL },
    { "its own signals reach it from any thread", "import os, signal, threading\ngot = []\nsignal.signal(signal.SIGUSR1, lambda n, f: got.append(threading.current_thread() is threading.main_thread()))\n"
      "other = lambda f: (t := threading.Thread(target=f), t.start(), t.join())\nme, end = threading.get_ident(), threading.Event()\n"
      "os.kill(os.getpid(), 10); signal.pthread_kill(me, 10); signal.raise_signal(10)\nother(lambda: os.kill(os.getpid(), 10)); other(lambda: signal.pthread_kill(me, 10))\n"
      "t = threading.Thread(target=end.wait); t.start(); signal.pthread_kill(t.ident, 10); signal.pthread_kill(t.ident, 0); end.set(); t.join()\nprint(got)", "threads=2", ENDS(0), "[True, True, True, True, True, True]\n", NULL },
    { "a thread too many is refused with the limit named", "import threading; threading.Thread(target=print).start()", NULL, FAILS, "", "can't start new thread: the job's limit is threads=1, main included (--limit threads=2)" },
    { "an error in a thread is told with its line", "import threading\ndef f():\n    1 / 0\nthreading.Thread(target=f).start()", "threads=2", ENDS(0), "", "    1 / 0\n    ~~^~~\nZeroDivisionError" },
    { "threads that outlive main are waited for", "import threading\nsaid = threading.Event()\nthreading.Thread(target=lambda: (said.wait(), print('late'))).start(); print('main'); said.set()", "threads=2", ENDS(0), "main\nlate\n", NULL },
    { "daemon threads are not", "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start(); print('main')", "threads=2", ENDS(0), "main\n", NULL },
    { "a thread's Event.set() wakes a tasklet", "import stackless, threading\nev = threading.Event()\ndef f(): ev.wait(); print('woken')\nstackless.tasklet(f)(); stackless.run()\nt = threading.Thread(target=ev.set); t.start(); t.join(); stackless.run(threadblock=True); print('end')", "threads=4", ENDS(0), "woken\nend\n", NULL },
    { "its Lock.release() does", "import stackless, threading\nl = threading.Lock(); l.acquire()\ndef f():\n    with l: print('locked')\nstackless.tasklet(f)(); stackless.run()\nt = threading.Thread(target=l.release); t.start(); t.join(); stackless.run(threadblock=True); print('end')", "threads=4", ENDS(0), "locked\nend\n", NULL },
    { "its send() wakes main, which sleeps", "import stackless, threading\nc = stackless.channel()\nstackless.tasklet(lambda: threading.Thread(target=c.send, args=(5,)).start())()\nprint(c.receive())", "threads=2", ENDS(0), "5\n", NULL },
    { "and a thread that sleeps is woken by main", "import stackless, threading\nc, d = stackless.channel(), stackless.channel()\ndef f():\n    for x in c: d.send(x + 1)\nt = threading.Thread(target=f); t.start()\nr = []\nfor i in range(200): c.send(i); r.append(d.receive())\nc.send_exception(StopIteration); t.join(); print(sum(r))", "threads=2", ENDS(0), "20100\n", NULL },
    { "a thread's queue feeds tasklets", "import stackless, threading, queue\nq, r = queue.Queue(), []\ndef f():\n    while (x := q.get()) is not None: r.append(x)\nfor i in range(3): stackless.tasklet(f)()\nstackless.run()\ndef w():\n    for i in [*range(300), None, None, None]: q.put(i)\nt = threading.Thread(target=w); t.start(); stackless.run(threadblock=True); t.join(); print(len(r), sum(r))", "threads=4", ENDS(0), "300 44850\n", NULL },
    { "a thread inserts a tasklet of main's", "import stackless, threading\ndef f(): stackless.schedule_remove(); print('back')\nw = stackless.tasklet(f)(); stackless.run(); stackless._set_slice(0)\nt = threading.Thread(target=w.insert); t.start(); t.join(); print('inserted'); stackless.run()", "threads=2", ENDS(0), "inserted\nback\n", NULL },
    { "exit() and quit() are there", "import atexit; atexit.register(lambda: quit); print(exit); exit(3)", NULL, ENDS(3), "Use exit() or Ctrl-D (i.e. EOF) to exit\n", NULL },
    { "quit() with a text is as sys.exit()", "quit('enough')", NULL, ENDS(1), "", "enough\n" },
    { "help() says that it is not here", "help(int)", NULL, FAILS, "", "NotImplementedError: help() is not here: " },
    { "a signal that it sends to itself by number is raised", "import os, signal\nsignal.signal(signal.SIGUSR1, lambda n, f: print(n))\nos.kill(os.getpid(), signal.SIGUSR1); os.kill(os.getpid(), 0); print('on')", NULL, ENDS(0), "10\non\n", NULL },
    { "and one without a handler is its end", "import os; print('kept'); os.kill(os.getpid(), 9)", NULL, ENDS(137), "kept\n", NULL },
    { "carets stand below what they mean in a last line without an end", "x = 1\nx.nosuch", NULL, FAILS, "", "    x.nosuch\nAttributeError: 'int' object has no attribute 'nosuch'\n" },
    { "and in one of which a part is meant", "print('x'.nosuch)", NULL, FAILS, "", "    print('x'.nosuch)\n          ^^^^^^^^^^\nAttributeError" },
    { "no variable but the job's is there", "import os; print(dict(os.environ))", NULL, ENDS(0), "{}\n", NULL },
    { "no variable of our own program is to be seen", "import sys; print(sys.argv, sys.path, sys.flags.isolated, sys.dont_write_bytecode)", NULL, ENDS(0), "['-c'] [] 1 True\n", NULL },
};
/* clang-format on */

enum { N_ENDS = sizeof(ends) / sizeof(ends[0]) };

static void it_ends_so(void **state)
{
    const struct end *e = *state;
    struct proc *p = proc_expect(coop(b, "run", "--limit", e->limit != NULL ? e->limit : "cpu=20s", "-c", e->code), e->exit);
    json_t *r = last_receipt();

    assert_string_equal(json_str(r, "cause"), e->cause);
    assert_string_equal(json_str(r, "engine"), "python");
    assert_string_equal(json_str(r, "enforcement.seccomp"), "python");
    if (e->out != NULL)
        expect_text(p->out, e->out);
    if (e->err != NULL)
        expect_has(p->err, e->err);
    else
        expect_text(p->err, "");
}

static void an_exception_has_its_type_message_and_traceback_in_the_receipt(void **state)
{
    json_t *r;

    (void)state;
    (void)proc_expect(coop(b, "run", "-c", "import decimal\ndecimal.Decimal('x')"), COOP_EXIT_EXCEPTION);
    r = last_receipt();
    assert_string_equal(json_str(r, "error.type"), "decimal.InvalidOperation");
    assert_non_null(strstr(json_str(r, "error.message"), "ConversionSyntax"));
    assert_non_null(strstr(json_str(r, "error.traceback"), "line 2, in <module>"));
}

/* ---- how it is started --------------------------------------------------------------------------------------------------------------- */

/* In the text form, too: the message of a KeyError is its key, and that of an assertion nothing. */
static void the_type_of_an_exception_is_said_to_people(void **state)
{
    const char *id = submit(b, "-c", "raise KeyError('a')");
    struct proc *p;

    (void)state;
    expect_end(b, id, "exception");
    p = proc_expect(coop(b, "result", id), COOP_EXIT_EXCEPTION);
    expect_has(p->out, "failed (exception): KeyError: 'a'\n");
    expect_has(p->out, "error       KeyError: 'a'\n");
    expect_has(proc_expect(coop(b, "run", "--receipt", "-c", "assert False"), COOP_EXIT_EXCEPTION)->err,
               "failed (exception): AssertionError\n");
}

static void nothing_is_a_script_that_does_nothing(void **state)
{
    (void)state;
    expect_text(proc_expect(coop(b, "run", "-c", ""), 0)->err, "");
    expect_text(proc_expect(coop(b, "run", script(b, "empty.py", "")), 0)->err, "");
}

static void a_file_is_known_by_its_ending_or_its_first_line(void **state)
{
    const char *show = "import sys; print(sys.argv[0], sys.argv[1:])\n";

    (void)state;
    expect_text(proc_expect(coop(b, "run", script(b, "x.py", show), "a", "-b"), 0)->out, "x.py ['a', '-b']\n");
    expect_text(proc_expect(coop(b, "run", script(b, "x", "#!/usr/bin/env python3\nprint(1)\n")), 0)->out, "1\n");
    expect_text(proc_expect(coop_in(b, show, strlen(show), "run", "--engine", "python", "-", "c"), 0)->out, "stdin ['c']\n");
}

static void a_module_runs_as_a_script(void **state)
{
    (void)state;
    expect_text(proc_expect(coop_in(b, "{\"b\":1,\"a\":2}", 13, "run", "-m", "json.tool", "--sort-keys", "--compact"), 0)->out,
                "{\"a\":2,\"b\":1}\n");
    expect_text(
        proc_expect(coop(b, "run", "--file", script(b, "mine.py", "import sys; print(__name__, sys.argv[1:])\n"), "-m", "mine", "x"), 0)
            ->out,
        "__main__ ['x']\n");
    expect_has(proc_expect(coop(b, "run", "-m", "no_such_module"), 1)->err,
               "No module named no_such_module\na module of yours is sent with the job: --file no_such_module.py");
    expect_has(proc_expect(coop(b, "run", "-m", "idlelib"), 1)->err, "No module named idlelib\nthere is no display in here\n");
}

static void modules_and_packages_that_were_sent_come_first(void **state)
{
    const char *a = script(b, "one.py", "x = 'one'\n"), *c = script(b, "two.py", "from . import z\nx = z.x + '!'\n");
    const char *own = script(b, "csv.py", "x = 'my own'\n");

    (void)state;
    expect_text(proc_expect(coop(b, "run", "--file", a, "--file", support_text("%s:p/__init__.py", a), "--file",
                                 support_text("%s:p/z.py", a), "--file", support_text("%s:p/q.py", c), "--file", own, "-c",
                                 "import one, p.q, csv, inspect; print(one.x, p.q.x, csv.x, inspect.getsource(p.q)[:6])"),
                            0)
                    ->out,
                "one one! my own from .\n");
    expect_has(proc_expect(coop(b, "run", "--file", script(b, "bad.py", "def f(:\n"), "-c", "import bad"), COOP_EXIT_EXCEPTION)->err,
               "  File \"bad.py\", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n");
}

/* tests/python/sent_files.py says what is expected of them. */
static void files_that_were_sent_can_be_opened(void **state)
{
    const char *words = script(b, "words.txt", "one\ntwo\n"), *table = script(b, "table.csv", "a,b\r\n1,2\r\n"),
               *empty = script(b, "empty", "");
    char many[10001];

    (void)state;
    memset(many, 'm', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    expect_text(proc_expect(coop(b, "run", "--limit", "threads=4,cpu=1h,wall=1h", "--file", words, "--file",
                                 support_text("%s:data/table.csv", table), "--file", support_text("%s:data/empty", empty), "--file",
                                 support_text("%s:data/many", script(b, "many", many)), "tests/python/sent_files.py"),
                            0)
                    ->out,
                "all\n");
}

/* A pickle, a picture, an archive: what is no module may be any bytes. A module is text, which is said before it is sent. */
static void a_file_that_was_sent_may_be_any_bytes(void **state)
{
    char *data = support_put(b->dir, "any.bin", "a\0b\xff", 4), *module = support_put(b->dir, "any.py", "a\0b", 3);

    (void)state;
    expect_text(proc_expect(coop(b, "run", "--file", data, "-c", "print(open('any.bin', 'rb').read())"), 0)->out, "b'a\\x00b\\xff'\n");
    expect_has(proc_expect(coop(b, "run", "--file", module, "-c", "print(1)"), COOP_EXIT_USAGE)->err,
               "any.py is not text: it has NUL bytes");
    expect_has(proc_expect(coop(b, "run", "--file", data, script(b, "any.lua", "print(1)")), COOP_EXIT_USAGE)->err,
               "any.bin is not text: it has NUL bytes");
}

/* As a project lies on a disk: what nobody has written himself stays there. */
static void a_directory_is_sent_with_all_files_below_it(void **state)
{
    static const char list[] = "import os, app.util, app\n"
                               "print(app.WORD, app.util.__file__, open('app/data/x').read(), os.path.exists('app/.hidden'), "
                               "os.path.exists('app/__pycache__/y'), os.path.exists('app/link'))";
    static const char *const dirs[] = { "tree", "tree/app", "tree/app/data", "tree/app/__pycache__", "tree/none" };
    char link_path[256];

    (void)state;
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        assert_int_equal(mkdir(support_text("%s/%s", b->dir, dirs[i]), 0755), 0);
    (void)script(b, "tree/app/__init__.py", "WORD = 'word'");
    (void)script(b, "tree/app/util.py", "");
    (void)script(b, "tree/app/data/x", "data");
    (void)script(b, "tree/app/.hidden", "");
    (void)script(b, "tree/app/__pycache__/y", "");
    snprintf(link_path, sizeof(link_path), "%s/tree/app/link", b->dir);
    assert_int_equal(symlink("/etc/passwd", link_path), 0);
    expect_text(proc_expect(coop(b, "run", "--file", support_text("%s/tree/app", b->dir), "-c", list), 0)->out,
                "word app/util.py data False False False\n");
    expect_text(proc_expect(coop(b, "run", "--file", support_text("%s/tree/:.", b->dir), "-c", list), 0)->out,
                "word app/util.py data False False False\n");
    expect_text(
        proc_expect(coop(b, "run", "--file", support_text("%s/tree/app/data:other/", b->dir), "-c", "print(open('other/x').read())"), 0)
            ->out,
        "data\n");
    expect_has(proc_expect(coop(b, "run", "--file", support_text("%s/tree:", b->dir), "-c", list), COOP_EXIT_USAGE)->err,
               "the name of a module is 1 to 128 bytes");
    expect_has(proc_expect(coop(b, "run", "--file", support_text("%s/tree/none", b->dir), "-c", list), COOP_EXIT_USAGE)->err,
               "is a directory without a file to send");
}

/* A child reads those of its template and its own, which come first. */
static void files_of_a_template_are_its_childrens(void **state)
{
    const char *both = script(b, "both.txt", "template"), *one = script(b, "one.txt", "its own");

    (void)state;
    (void)proc_expect(coop(b, "template", "build", "filed", "--file", both, "--file", one, "--run",
                           script(b, "filed.py", "assert open('both.txt').read() == 'template'")),
                      0);
    expect_text(proc_expect(coop(b, "run", "--template", "filed", "--file", script(b, "both.txt", "job"), "-c",
                                 "print(open('both.txt').read(), open('one.txt').read())"),
                            0)
                    ->out,
                "job its own\n");
}

static void variables_reach_it(void **state)
{
    (void)state;
    expect_text(proc_expect(coop(b, "run", "-e", "A=b c", "-c", "import os; print(os.environ['A'], os.getenv('HOME'))"), 0)->out,
                "b c None\n");
}

/* ---- streams ------------------------------------------------------------------------------------------------------------------------- */

static void standard_input_is_text_and_bytes(void **state)
{
    (void)state;
    expect_text(
        proc_expect(coop_in(b, "ann\nbob\r\nz", 10, "run", "-c",
                            "import sys\nprint(input('name? '))\nprint(repr(sys.stdin.readline()))\nprint(sys.stdin.buffer.read())"),
                    0)
            ->out,
        "name? ann\n'bob\\n'\nb''\n");
    expect_text(proc_expect(coop_in(b, "\x80\x81", 2, "run", "-c", "import sys; print(sys.stdin.buffer.read())"), 0)->out,
                "b'\\x80\\x81'\n");
    expect_text(proc_expect(coop_in(b, "abc", 3, "run", "-c", "import os; print(os.read(0, 2), open(0).read())"), 0)->out, "b'ab' c\n");
}

static void a_line_is_out_before_the_script_goes_on(void **state)
{
    struct proc *p = coop_start(b, "run", "-c", "print('first'); import sys; print(sys.stdin.readline())");

    (void)state;
    proc_until(p, &p->out, "first\n");
    proc_write(p, "x\n", 2);
    proc_until(p, &p->out, "x\n");
    proc_close_in(p);
    (void)proc_expect(p, 0);
}

/* ---- cancel -------------------------------------------------------------------------------------------------------------------------- */

static bool is_told(const char *code)
{
    struct proc *p = coop_start(b, "run", "-c", code);
    bool told;

    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    told = strcmp(proc_expect(p, COOP_EXIT_CANCELLED)->out.bytes, "up\ntold\n") == 0;
    assert_string_equal(json_str(last_receipt(), "cause"), "cancelled");
    return told;
}

static void a_cancel_is_keyboardinterrupt(void **state)
{
    static const char *const codes[] = {
        "try:\n    print('up')\n    for x in iter(int, 1): pass\nexcept KeyboardInterrupt:\n    print('told')\n    raise",
        "import time\ntry:\n    print('up')\n    time.sleep(1000)\nexcept KeyboardInterrupt:\n    print('told')\n    raise",
        "try:\n    print('up')\n    input()\nexcept KeyboardInterrupt:\n    print('told')\n    raise",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        assert_true(is_told(codes[i]));
}

/* In any Python a signal that comes between its last look and the wait of a lock is seen after that: then the job is ended without a word. */
static void a_cancel_ends_the_wait_for_a_lock(void **state)
{
    static const char *const codes[] = {
        "import threading\ntry:\n    print('up')\n    threading.Event().wait()\nexcept KeyboardInterrupt:\n    print('told')\n    raise",
        "import queue\ntry:\n    print('up')\n    queue.SimpleQueue().get()\nexcept KeyboardInterrupt:\n    print('told')\n    raise"
    };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        int tries = 0;

        while (!is_told(codes[i]))
            assert_true(++tries < 8);
    }
}

static void a_handler_of_sigterm_is_asked_instead(void **state)
{
    struct proc *p = coop_start(b, "run", "-c",
                                "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda n, f: (print('term'), sys.exit(3)))\n"
                                "print('up')\ntime.sleep(1000)");

    (void)state;
    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    expect_text(proc_expect(p, 3)->out, "up\nterm\n");
}

/* ---- what must not be the same twice --------------------------------------------------------------------------------------------------- */

/* A signal that comes before pause() is none that it waits for, in any Python: the handler tells by the line that it was too early, and it is tried again. */
static void signal_pause_waits_for_it(void **state)
{
    enum { TOO_EARLY = 9 };
    static const char code[] = "import signal, sys\n"
                               "def term(n, f):\n    if f.f_lineno < 7: sys.exit(9)\n    print('term')\n"
                               "signal.signal(signal.SIGTERM, term)\n"
                               "print('up')\n"
                               "signal.pause()\nprint('back')";
    struct proc *p;
    int tries = 0;

    (void)state;
    do {
        assert_true(++tries < 8);
        p = coop_start(b, "run", "-c", code);
        proc_until(p, &p->out, "up\n");
        proc_kill(p, SIGINT);
    } while (proc_end(p) == TOO_EARLY);
    expect_text(proc_expect(p, 0)->out, "up\nterm\nback\n");
}

static void random_numbers_of_two_jobs_differ(void **state)
{
    static const char *const codes[] = { "import random; print(random.random())", "import secrets; print(secrets.token_hex())",
                                         "import uuid; print(uuid.uuid4())" };

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_string_not_equal(proc_expect(coop(b, "run", "-c", codes[i]), 0)->out.bytes,
                                proc_expect(coop(b, "run", "-c", codes[i]), 0)->out.bytes);
}

/* ---- Debian's packages ----------------------------------------------------------------------------------------------------------------- */

static void numpy_works_by_capability_and_is_named_without(void **state)
{
    (void)state;
    if (access("/usr/lib/python3/dist-packages/numpy/__init__.py", R_OK) != 0)
        skip();
    expect_has(proc_expect(coop(b, "run", "-c", "import numpy"), COOP_EXIT_EXCEPTION)->err,
               "ModuleNotFoundError: No module named 'numpy': it is one of Debian's packages, which the capability gives: --cap packages");
    expect_text(proc_expect(coop(b, "run", "--cap", "packages", "-c",
                                 "import numpy as np\na = np.arange(9.).reshape(3, 3) + np.eye(3)\n"
                                 "print((a @ np.linalg.inv(a)).round(6).trace(), np.fft.fft(a)[0, 0].real, np.ones(10**6).sum())"),
                            0)
                    ->out,
                "3.0 4.0 1000000.0\n");
    assert_string_equal(json_str(last_receipt(), "enforcement.seccomp"), "python");
}

/* What it was built with its children have, who ask for it or do not. */
static void a_template_with_packages_gives_them_to_jobs_and_interpreters(void **state)
{
    static const char make[] = "from coop import interpreters\ni = interpreters.create(template='data2'%s)\n"
                               "i.exec('import yaml')\n"
                               "print(i.exec('sum(yaml.safe_load(\"[1, 2]\"))'))";
    struct proc *p;

    (void)state;
    if (access("/usr/lib/python3/dist-packages/yaml/__init__.py", R_OK) != 0)
        skip();
    expect_has(
        proc_expect(coop(b, "template", "build", "data2", "--engine", "python", "-m", "json", "-m", "yaml"), COOP_EXIT_EXCEPTION)->err,
        "--cap packages");
    (void)proc_expect(coop(b, "template", "build", "data2", "--engine", "python", "--cap", "packages", "-m", "json", "-m", "yaml"), 0);
    expect_text(proc_expect(coop(b, "run", "--template", "data2", script(b, "y.py", "import yaml; print(yaml.safe_load('a: 1'))")), 0)->out,
                "{'a': 1}\n");
    expect_text(proc_expect(coop(b, "run", "--template", "data2", "--cap", "packages", "-c", "import json; print(json.dumps(1))"), 0)->out,
                "1\n");
    expect_text(proc_expect(coop(b, "run", "--template", "data2", "--engine", "python-packages", script(b, "two.py", "print(2)")), 0)->out,
                "2\n");
    expect_text(proc_expect(coop(b, "call", "--template", "data2", "yaml.safe_load", "\"[1, 2]\""), 0)->out, "[1, 2]\n");
    p = proc_expect(coop(b, "interp", "create", "--template", "data2", "--cap", "packages"), 0);
    (void)proc_expect(coop(b, "interp", "close", support_text("%.*s", (int)strcspn(p->out.bytes, "\n"), p->out.bytes)), 0);
    expect_text(proc_expect(coop(b, "run", "--cap", "interpreters=1", "--cap", "template=data2", "-c", support_text(make, "")), 0)->out,
                "3\n");
    expect_text(proc_expect(coop(b, "run", "--cap", "packages", "--cap", "interpreters=1", "--cap", "template=data2", "-c",
                                 support_text(make, ", caps=['packages']")),
                            0)
                    ->out,
                "3\n");
}

static void a_template_without_packages_has_none_to_give(void **state)
{
    (void)state;
    (void)proc_expect(coop(b, "template", "build", "plain", "--engine", "python", "-m", "json"), 0);
    expect_has(proc_expect(coop(b, "run", "--template", "plain", "--cap", "packages", "-c", "print(1)"), COOP_EXIT_USAGE)->err,
               "the template plain@1 was built without --cap packages");
    expect_has(proc_expect(coop(b, "interp", "create", "--template", "plain", "--cap", "packages"), COOP_EXIT_USAGE)->err,
               "the template plain@1 was built without --cap packages");
}

static void the_capability_is_pythons_alone(void **state)
{
    (void)state;
    expect_has(proc_expect(coop(b, "run", "--cap", "packages", script(b, "a.lua", "print(1)")), COOP_EXIT_USAGE)->err, "modules of Python");
    expect_has(proc_expect(coop(b, "run", "--engine", "python-packages", script(b, "a.py", "print(1)")), COOP_EXIT_USAGE)->err,
               "--engine python --cap packages");
}

/* Who begins as a copy of it names neither the engine nor the capability again, and may. */
static void what_a_template_has_of_debians_packages_its_children_have(void **state)
{
    const char *use = script(b, "use.py", "print(table.sum(), numpy.__name__)");

    (void)state;
    if (access("/usr/lib/python3/dist-packages/numpy/__init__.py", R_OK) != 0)
        skip();
    (void)proc_expect(coop(b, "template", "build", "tables", "--cap", "packages", "--run",
                           script(b, "init.py", "import numpy\ntable = numpy.arange(4)\ndef total(): return int(table.sum())\n")),
                      0);
    expect_text(proc_expect(coop(b, "run", "--template", "tables", use), 0)->out, "6 numpy\n");
    expect_text(proc_expect(coop(b, "run", "--cap", "packages", "--template", "tables", use), 0)->out, "6 numpy\n");
    expect_text(proc_expect(coop(b, "call", "--template", "tables", "total"), 0)->out, "6\n");
    expect_text(proc_expect(coop(b, "call", "--cap", "packages", "--template", "tables", "total"), 0)->out, "6\n");
    expect_text(proc_expect(coop(b, "run", "--cap", "interpreters=1", "--cap", "template=tables", "-c",
                                 "from coop import interpreters\nprint(interpreters.create(template='tables').call('total'))"),
                            0)
                    ->out,
                "6\n");
    expect_has(proc_expect(coop(b, "run", "--template", "tables", script(b, "a.lua", "print(1)")), COOP_EXIT_USAGE)->err,
               "is one of the engine 'python-packages'");
}

/* ---- templates ------------------------------------------------------------------------------------------------------------------------- */

static void a_template_has_its_modules_and_its_names(void **state)
{
    (void)state;
    (void)proc_expect(coop(b, "template", "build", "data", "--engine", "python", "-m", "sqlite3", "-m", "decimal"), 0);
    expect_text(proc_expect(coop(b, "run", "--template", "data", "-c", "import sys; print('_sqlite3' in sys.modules)"), 0)->out, "True\n");
    (void)proc_expect(
        coop(b, "template", "build", "words", "--run", script(b, "init.py", "words = {'a': 1}\ndef count(): return len(words)\n")), 0);
    expect_text(proc_expect(coop(b, "run", "--template", "words", "-c", "words['b'] = 2; print(count())"), 0)->out, "2\n");
    expect_text(proc_expect(coop(b, "run", "--template", "words", "-c", "print(count())"), 0)->out, "1\n");
    assert_string_equal(json_str(last_receipt(), "enforcement.seccomp"), "python-template");
    assert_string_not_equal(
        proc_expect(coop(b, "run", "--template", "words", "-c", "import random; print(random.random())"), 0)->out.bytes,
        proc_expect(coop(b, "run", "--template", "words", "-c", "import random; print(random.random())"), 0)->out.bytes);
}

/* Their stacks have the canary of the template's process: each child has one of its own. */
static void a_template_leaves_no_tasklet(void **state)
{
    static const char *const inits[] = {
        "import stackless\ndef f(): stackless.schedule_remove()\nt = [stackless.tasklet(f)() for _ in range(3)]\nstackless.run()\nt[1].hibernate()\n",
        "import greenlet\ng = [greenlet.greenlet(lambda: greenlet.getcurrent().parent.switch()) for _ in range(3)]\nfor x in g: x.switch()\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(inits) / sizeof(inits[0]); i++)
        expect_has(coop(b, "template", "build", "bad", "--run", script(b, "init.py", inits[i]))->err,
                   "the init of a template leaves 3 tasklets that have not ended; wait for them first");
    (void)proc_expect(coop(b, "template", "build", "served", "--run",
                           script(b, "init.py",
                                  "import stackless\nfor _ in range(100): stackless.tasklet(len)('')\nstackless.run()\n"
                                  "t = stackless.tasklet(print)\nt.bind(args=('first turn',))\n")),
                      0);
    expect_text(proc_expect(coop(b, "run", "--template", "served", "-c", "t.insert()\nstackless.run()"), 0)->out, "first turn\n");
}

static void a_template_that_fails_says_why(void **state)
{
    (void)state;
    expect_has(coop(b, "template", "build", "bad", "--run", script(b, "init.py", "x = 1\nx / 0\n"))->err,
               "  File \"init.py\", line 2, in <module>\n    x / 0\n    ~~^~~\nZeroDivisionError: division by zero");
    expect_has(coop(b, "template", "build", "bad", "--run", script(b, "init.py", "raise SystemExit(3)\n"))->err,
               "the init of a template ended with exit code 3");
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(an_exception_has_its_type_message_and_traceback_in_the_receipt),
        cmocka_unit_test(the_type_of_an_exception_is_said_to_people),
        cmocka_unit_test(nothing_is_a_script_that_does_nothing),
        cmocka_unit_test(a_file_is_known_by_its_ending_or_its_first_line),
        cmocka_unit_test(a_module_runs_as_a_script),
        cmocka_unit_test(modules_and_packages_that_were_sent_come_first),
        cmocka_unit_test(files_that_were_sent_can_be_opened),
        cmocka_unit_test(a_file_that_was_sent_may_be_any_bytes),
        cmocka_unit_test(a_directory_is_sent_with_all_files_below_it),
        cmocka_unit_test(files_of_a_template_are_its_childrens),
        cmocka_unit_test(variables_reach_it),
        cmocka_unit_test(standard_input_is_text_and_bytes),
        cmocka_unit_test(a_line_is_out_before_the_script_goes_on),
        cmocka_unit_test(a_cancel_is_keyboardinterrupt),
        cmocka_unit_test(a_cancel_ends_the_wait_for_a_lock),
        cmocka_unit_test(a_handler_of_sigterm_is_asked_instead),
        cmocka_unit_test(random_numbers_of_two_jobs_differ),
        cmocka_unit_test(signal_pause_waits_for_it),
        cmocka_unit_test(numpy_works_by_capability_and_is_named_without),
        cmocka_unit_test(a_template_with_packages_gives_them_to_jobs_and_interpreters),
        cmocka_unit_test(a_template_without_packages_has_none_to_give),
        cmocka_unit_test(the_capability_is_pythons_alone),
        cmocka_unit_test(what_a_template_has_of_debians_packages_its_children_have),
        cmocka_unit_test(a_template_has_its_modules_and_its_names),
        cmocka_unit_test(a_template_leaves_no_tasklet),
        cmocka_unit_test(a_template_that_fails_says_why),
    };
    const struct py_jobs jobs = { "python", &b, ends, N_ENDS, sizeof(ends[0]), it_ends_so, others, sizeof(others) / sizeof(others[0]) };

    return py_jobs_main(&jobs);
}
