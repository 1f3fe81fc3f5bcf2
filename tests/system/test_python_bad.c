/* test_python_bad.c - scripts of Python that are wrong, greedy or hostile: each ends by its name, and the broker takes the next. */
#include <setjmp.h>
#include <signal.h>
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
#include "tests/support/py_jobs.h"

static struct broker *b;

struct end {
    const char *sentence;
    const char *code;
    const char *limit; /* or NULL */
    int exit;
    const char *cause;
    const char *err; /* has it */
};

#define FAILS     COOP_EXIT_EXCEPTION, "exception"
#define POLICY    COOP_EXIT_POLICY, "policy"
#define SIGNAL(n) COOP_EXIT_SIGNAL_BASE + (n), "signal"
#define EXIT(n)   (n), (n) == 0 ? "ok" : "exit"
#define LIBC      "import ctypes; libc = ctypes.CDLL(None); "
#define PROGRAMS  "no program is started from in here: coop run --engine exec runs programs"

/* clang-format off */
static const struct end ends[] = {
    /* wrong */
    { "a syntax error is shown with its place", "x = 1\ndef f(:\n  pass", NULL, FAILS, "  File \"<string>\", line 2\n    def f(:\n          ^\nSyntaxError: invalid syntax" },
    { "source that is not UTF-8 is a syntax error", "# \xff\xfe\nprint(1)", NULL, FAILS, "SyntaxError: (unicode error) 'utf-8' codec can't decode byte 0xff" },
    { "a missing module is named", "import no_such", NULL, FAILS, "ModuleNotFoundError: No module named 'no_such'" },
    { "one of the user's own is to be sent, which is said", "import no_such", NULL, FAILS, "\na module of yours is sent with the job: --file no_such.py, or " },
    { "one of the library's that there is not is no such", "try: import json.no_such\nexcept ImportError as e: print(e)\nimport importlib.util as u, sys; sys.exit(repr([u.find_spec(n) for n in ('tkinter', 'no_such')]))", NULL, EXIT(1), "[None, None]" },
    { "one that cannot be had says why", "import tkinter", NULL, FAILS, "No module named 'tkinter': there is no display in here" },
    { "endless recursion is RecursionError", "def f(): f()\nf()", NULL, FAILS, "RecursionError: maximum recursion depth exceeded" },
    { "recursion through C is", "class A:\n    def __repr__(self): return repr(self)\nrepr(A())", NULL, FAILS, "RecursionError" },
    { "deeper than the memory limit, with the limit taken away, is CPython's own word for it, and ours", "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()", "memory=32M,cpu=1h", FAILS, "calls were nested until their frames had filled the memory limit: " },
    { "deeper than the stack, with the limit taken away, is RecursionError", "import sys\nsys.setrecursionlimit(10**9)\nx = []\nfor i in range(10**6): x = [x]\nrepr(x)", "cpu=1h", FAILS, "RecursionError: maximum recursion depth exceeded while getting the repr" },
    { "which can be handled, and comes again", "import sys\nsys.setrecursionlimit(10**9)\nclass R:\n    def __repr__(self): return repr(self)\nfor i in range(9):\n    try: repr(R())\n    except RecursionError: pass\n    else: 1 / 0", NULL, EXIT(0), "" },
    { "so it is in threads, in each anew", "import sys, threading\nsys.setrecursionlimit(10**9)\ndone = []\nclass R:\n    def __repr__(self): return repr(self)\ndef f():\n    for i in range(3):\n        try: repr(R())\n        except RecursionError: done.append(i)\nfor i in range(9):\n    t = threading.Thread(target=f); t.start(); t.join()\nassert len(done) == 27, done", "threads=2", EXIT(0), "" },
    { "and in tasklets of a thread", "import stackless, sys, threading\nsys.setrecursionlimit(10**9)\ndone = []\nclass R:\n    def __repr__(self): return repr(self)\ndef f():\n    try: repr(R())\n    except RecursionError: done.append(1)\ndef g(): stackless.tasklet(f)(); stackless.tasklet(f)(); stackless.run(); f()\nt = threading.Thread(target=g); t.start(); t.join()\nassert len(done) == 3, done", "threads=2", EXIT(0), "" },
    { "what C nests without asking Python ends it by that name", "it = iter(())\nfor i in range(10**6): it = filter(None, it)\nnext(it)", NULL, FAILS, "RecursionError: the C stack is used up" },
    { "in a thread too", "import threading\nit = iter(())\nfor i in range(10**6): it = filter(None, it)\nthreading.Thread(target=next, args=(it,)).start()", "threads=2", FAILS, "RecursionError: the C stack is used up" },
    { "a thread can be started when another was joined", "import threading\nfor i in range(500):\n    t = threading.Thread(target=int); t.start(); t.join()", "threads=2", EXIT(0), "" },

    /* greedy */
    { "a huge allocation is MemoryError", "x = [0] * 10**10", NULL, FAILS, "MemoryError" },
    { "many small ones are", "x = []\nwhile True: x.append('a' * 10000)", "memory=64M", FAILS, "MemoryError" },
    { "what would give more is said", "x = [0] * 10**10", NULL, FAILS, "MemoryError\nthe job's memory limit is reached; --limit memory=SIZE sets another\n" },
    { "MemoryError can be handled", "x = []\ntry:\n    while True: x.append(bytes(10**6))\nexcept MemoryError:\n    n = len(x); x.clear()\nassert 30 < n < 300, n", "memory=128M", EXIT(0), "" },
    { "an endless loop ends at the cpu limit", "while True: pass", "cpu=200ms", COOP_EXIT_TIME_LIMIT, "cpu_limit", "cpu_limit" },
    { "one that catches everything does", "while True:\n    try:\n        while True: pass\n    except BaseException: pass", "cpu=200ms", COOP_EXIT_TIME_LIMIT, "cpu_limit", "cpu_limit" },
    { "one that sleeps ends at the wall limit", "import time; time.sleep(1000)", "wall=300ms", COOP_EXIT_TIME_LIMIT, "wall_limit", "wall_limit" },
    { "one in C does", "'a' * 10**7 in ('a' * 10**7 + 'b') * 2; sum(range(10**12))", "cpu=300ms", COOP_EXIT_TIME_LIMIT, "cpu_limit", "cpu_limit" },
    { "an atexit function that never ends does", "import atexit\n@atexit.register\ndef f():\n    while True: pass", "cpu=200ms", COOP_EXIT_TIME_LIMIT, "cpu_limit", "cpu_limit" },
    { "a thread that never ends does", "import threading\ndef f():\n    while True: pass\nthreading.Thread(target=f).start()", "cpu=300ms,threads=2", COOP_EXIT_TIME_LIMIT, "cpu_limit", "cpu_limit" },
    { "output past the cap ends it", "while True: print('x' * 1000)", "stdout=10K", COOP_EXIT_JOB_FAILED, "output_limit", "output_limit" },
    { "a trace function that raises is its own error", "import sys\ndef t(*a): 1 / 0\nsys.settrace(t)\ndef f(): pass\nf()", NULL, FAILS, "ZeroDivisionError" },

    /* files, programs, networks: refused where they are asked for */
    { "a file cannot be opened", "open('/etc/passwd')", NULL, FAILS, "PermissionError: [Errno 13] Permission denied: '/etc/passwd'" },
    { "and it is said which can", "open('/etc/passwd')", NULL, FAILS, "\nno path is there but files that were sent with the job, to be read: --file NAME." },
    { "nor made", "open('x', 'w')", NULL, FAILS, "PermissionError: [Errno 13] Permission denied: 'x'" },
    { "nor a directory made, listed, left", "import os\nfor f in os.mkdir, os.listdir, os.rmdir, os.unlink, os.chdir, os.stat:\n    try: f('/tmp/x')\n    except PermissionError: pass\n    else: raise SystemExit(f)", NULL, EXIT(0), "" },
    { "no program is started by subprocess", "import subprocess; subprocess.run(['ls'])", NULL, FAILS, PROGRAMS },
    { "nor by os.system", "import os; os.system('ls')", NULL, FAILS, PROGRAMS },
    { "nor by os.popen", "import os; os.popen('ls')", NULL, FAILS, PROGRAMS },
    { "there is no network", "import socket; socket.create_connection(('127.0.0.1', 1))", NULL, FAILS, "PermissionError: [Errno 13] Permission denied: there is no network in here" },
    { "nor has a name an address", "import urllib.request; urllib.request.urlopen('http://example.org/')", NULL, FAILS, "urlopen error [Errno -4] there is no network in here" },
    { "nor is there one for asyncio, or a program, or a pipe", "import asyncio, sys\n"
      "async def go(f):\n    try: await f()\n    except (OSError, NotImplementedError) as e: print(e, file=sys.stderr)\n    else: raise SystemExit('not refused')\n"
      "for f in (lambda: asyncio.open_connection('127.0.0.1', 1), lambda: asyncio.create_subprocess_exec('ls'), lambda: asyncio.create_subprocess_shell('ls'),\n"
      "          lambda: asyncio.get_running_loop().connect_read_pipe(asyncio.Protocol, sys.stdin)):\n    asyncio.run(go(f))",
      NULL, EXIT(0), "there is no network in here: what a job needs comes with it (--file, standard input); coop.queues lead to others\n"
      "[Errno 1] no program is started from in here: coop run --engine exec runs programs\n[Errno 1] no program is started from in here: coop run --engine exec runs programs\n"
      "a job's loop has no descriptors: await coop_asyncio.to_tasklet(sys.stdin.readline) reads a line\n" },
    { "the error before a thread that there is not is shown", "import threading\ntry: 1 / 0\nfinally: threading.Thread(target=print).start()", NULL, FAILS, "\nZeroDivisionError: division by zero\n\nDuring handling of the above exception" },

    /* the seal */
    { "os.fork() ends it, and is named", "import os; os.fork()", NULL, POLICY, "clone(17|CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID" },
    { "with what there is instead", "import os; os.fork()", NULL, POLICY, " is not in profile python; fork(): a script is one process; coop.interpreters and InterpreterPoolExecutor (--cap interpreters=N) and threads (--limit threads=N) run beside it" },
    { "so does a fork by ctypes", LIBC "libc.fork()", NULL, POLICY, "clone(17|" },
    { "so does a raw system call", LIBC "libc.syscall(101, 0, 0, 0, 0)", NULL, POLICY, "ptrace(" },
    { "a program by execve does", "import os; os.execv('/bin/ls', ['ls'])", NULL, POLICY, "execve(" },
    { "and is told what runs programs", "import os; os.execv('/bin/ls', ['ls'])", NULL, POLICY, " is not in profile python; no program is started from in here: coop run --engine exec runs programs" },
    { "a signal to others does", "import os; os.kill(1, 9)", NULL, POLICY, "kill(1, SIGKILL)" },
    { "no path is an errno, as the kernel has it", LIBC "libc = ctypes.CDLL(None, use_errno=True); b = ctypes.create_string_buffer(256)\nfor call in (libc.open, None, 0), (libc.openat, 7, None, 0), (libc.access, None, 4), (libc.stat, None, b), (libc.fstatat, -100, None, b, 0x1000):\n    assert call[0](*call[1:]) == -1 and ctypes.get_errno() == 14, call; ctypes.set_errno(0)", NULL, EXIT(0), "" },
    { "memory cannot be made executable", LIBC "libc.mmap.restype = ctypes.c_void_p; libc.mmap(None, 4096, 7, 0x22, -1, 0)", NULL, POLICY, "PROT_READ|PROT_WRITE|PROT_EXEC" },
    { "nor is there any for a function of Python's that C is to call", "import ctypes; ctypes.CFUNCTYPE(None)(print)", NULL, POLICY, "PROT_READ|PROT_WRITE|PROT_EXEC" },
    { "what was written stays counted: it is not made read-only", LIBC "libc.mmap.restype = ctypes.c_void_p; libc.mprotect(ctypes.c_void_p(libc.mmap(None, 4096, 3, 0x22, -1, 0)), 4096, 1)", NULL, POLICY, "mprotect(" },
    { "nor closed", LIBC "libc.mmap.restype = ctypes.c_void_p; libc.mprotect(ctypes.c_void_p(libc.mmap(None, 4096, 3, 0x22, -1, 0)), 4096, 0)", NULL, POLICY, "mprotect(" },
    { "the image of the library cannot be made writable", LIBC "import _coop_finder, struct; m = _coop_finder.image.memory\n"
      "libc = ctypes.CDLL(None, use_errno=True); at = struct.unpack('P', ctypes.string_at(id(m) + 56, 8))[0]\n"
      "assert ctypes.string_at(at, 8) == bytes(m[:8])\n"
      "assert libc.mprotect(ctypes.c_void_p(at), 4096, 3) == -1; raise SystemExit(ctypes.get_errno())", NULL, EXIT(13), "" },
    { "shared memory is refused to C", "import ctypes; libc = ctypes.CDLL(None, use_errno=True); assert libc.mmap(None, 4096, 3, 0x21, -1, 0) == -1; raise SystemExit(ctypes.get_errno())", NULL, EXIT(1), "" },
    { "what asks about the machine is an error, and it goes on", "import os, signal, time, fcntl, resource\nbad = []\n"
      "for f in (os.getloadavg, lambda: os.nice(1), lambda: os.getpriority(0, 0), lambda: os.setpriority(0, 0, 1), lambda: os.sched_setaffinity(0, {0}), lambda: os.sched_getaffinity(1),\n"
      "        lambda: os.sched_getscheduler(0), lambda: os.sched_getparam(0), lambda: os.sched_rr_get_interval(0), lambda: signal.alarm(1), lambda: signal.setitimer(0, 1),\n"
      "        lambda: signal.setitimer(2, 1), lambda: signal.getitimer(0), lambda: signal.sigwait({10}), lambda: signal.sigtimedwait({10}, 0), signal.sigpending, os.pipe,\n"
      "        lambda: time.clock_settime(0, 1), os.wait, lambda: os.waitpid(-1, 0), lambda: os.waitid(0, 0, 4), lambda: os.getsid(0), lambda: os.getpgid(0), os.setsid, os.getgroups,\n"
      "        os.getresuid, lambda: os.memfd_create('x'), lambda: os.pread(0, 1, 0), lambda: os.pwrite(1, b'x', 0), lambda: os.fsync(1), lambda: os.ftruncate(1, 0),\n"
      "        lambda: fcntl.flock(1, 2), lambda: os.mkfifo('x'), lambda: os.sendfile(1, 0, 0, 1), lambda: os.splice(0, 1, 1), lambda: os.posix_fallocate(1, 0, 1),\n"
      "        lambda: signal.pthread_kill(1, 0), lambda: os.getrandom(1, os.GRND_RANDOM), lambda: os.getxattr(1, 'user.x'), lambda: os.fstatvfs(1)):\n"
      "    try: bad.append(f())\n    except OSError as e: assert e.errno and e.strerror\n"
      "os.closerange(5, 9); os.sync()\nassert not bad, bad", NULL, EXIT(0), "" },
    { "the signal that ends slices has no other handler, and slices go on", "import _signal, signal, stackless\n"
      "for f in signal.signal, _signal.signal:\n    try: f(signal.SIGVTALRM, print)\n    except PermissionError: pass\n    else: raise SystemExit('done')\n"
      "signal.signal(signal.SIGALRM, lambda *a: print('alarm')); signal.raise_signal(signal.SIGALRM)\n"
      "def spin():\n    while not over: pass\nover = []\nstackless.tasklet(spin)(); stackless.tasklet(over.append)(1); stackless.run()", NULL, EXIT(0), "" },
    { "with the reason where that is no secret", "import signal; signal.alarm(1)", NULL, FAILS, "PermissionError: [Errno 1] SIGALRM and the timers of a process are the worker's own" },
    { "CPython's subinterpreters are coop's", "import _xxsubinterpreters; _xxsubinterpreters.create()", NULL, FAILS, "RuntimeError: CPython's subinterpreters cannot be made in here: from coop import interpreters" },
    { "who becomes another user is named", "import os; os.setuid(0)", NULL, POLICY, "setuid(" },
    { "a job has as many tasklets as its limit says", "import stackless\nc = stackless.channel()\nfor i in range(10): stackless.tasklet(c.receive)()", "tasklets=3", FAILS, "RuntimeError: tasklets limit (3) reached; raise it with --limit tasklets=N" },
    { "memory that ends at a tasklet is an error that names the limit", "import stackless\nc = stackless.channel()\nwhile True: stackless.tasklet(c.receive)()", "memory=64M,tasklets=1000000", FAILS, "MemoryError: no memory for one more tasklet; raise it with --limit memory=SIZE" },
    { "tasklets that hibernate are thrown out at the end", "import stackless, sys\ndef f():\n    try: stackless.schedule_remove()\n    finally: print('thrown out', file=sys.stderr)\n"
      "all = [stackless.tasklet(f)() for i in range(3)]\nstackless.run()\nfor t in all: t.hibernate()", NULL, EXIT(0), "thrown out\nthrown out\nthrown out\n" },
    { "the link cannot be closed or read by number through Python's own calls", "import os\nfor f in lambda: os.close(3), lambda: os.dup(3):\n    try: f()\n    except OSError: pass\n    else: raise SystemExit('done')", NULL, EXIT(0), "" },
    { "the handlers of our signals stay", LIBC "\nfor s in 31, 14, 26, 11, 15:\n    libc.signal(s, ctypes.c_void_p(1))\nimport os; os.fork()", NULL, POLICY, "clone(17|" },

    /* how it ends is its own, whatever it does to what tells it */
    { "an exit code that cannot be had is 1", "class X(SystemExit):\n    @property\n    def code(self): 1 / 0\nraise X", NULL, EXIT(1), "" },
    { "nor is one that cannot be printed", "class X:\n    def __str__(self): 1 / 0\nraise SystemExit(X())", NULL, EXIT(1), "" },
    { "one of a class of its own is a number all the same", "class N(int): __and__ = None\nraise SystemExit(N(7))", NULL, EXIT(7), "" },
    { "sys.exit() in sys.excepthook is an end", "import sys\nsys.excepthook = lambda *e: sys.exit(5)\n1 / 0", NULL, EXIT(5), "" },
    { "an error in sys.excepthook is printed with the first", "import sys\nsys.excepthook = lambda *e: [][0]\n1 / 0", NULL, FAILS, "IndexError: list index out of range\n\nOriginal exception was:\nTraceback (most recent call last):\n  File \"<string>\", line 3, in <module>\n" },
    { "that there is none is said", "import sys\ndel sys.excepthook\n1 / 0", NULL, FAILS, "sys.excepthook is missing, printing exception and traceback\nTraceback" },
    { "as many frames are printed as it says, the last ones", "import sys\nsys.tracebacklimit = 1\ndef f(): 1 / 0\nf()", NULL, FAILS, "Traceback (most recent call last):\n  File \"<string>\", line 3, in f\n" },
    { "and a limit that is none is as good as none", "import sys\nsys.tracebacklimit = 'x'\n1 / 0", NULL, FAILS, "ZeroDivisionError: division by zero\n" },
    { "streams that are no more do not fail it", "import sys\ndel sys.stdin, sys.stdout, sys.stderr, sys.argv", NULL, EXIT(0), "" },
    { "nor do names that are none", "globals()[5] = 1", NULL, EXIT(0), "" },
    { "nor does a __main__ that is no module", "import sys\nsys.modules['__main__'] = 5", NULL, EXIT(0), "" },
    { "nor what threading has lost, which is told", "import threading\ndel threading._shutdown", NULL, EXIT(0), "AttributeError: module 'threading' has no attribute '_shutdown'" },
    { "standard output that cannot be flushed is CPython's exit code", "import sys\nclass S:\n    def write(self, text): pass\n    def flush(self): raise OSError('full')\nsys.stdout = S()", NULL, EXIT(120), "OSError: full" },
    { "a profile function that raises does not raise in what comes after it", "import sys\ndef t(*a): sys.setprofile(t); sys.settrace(t); 1 / 0\ntry: sys.setprofile(t); len('')\nexcept ZeroDivisionError: pass", NULL, EXIT(0), "" },
    { "without a standard output an error is told all the same", "import sys; sys.stdout = None; 1/0", NULL, FAILS, "\nZeroDivisionError: division by zero\n" },
    { "with a closed one, too", "import sys; sys.stdout.close(); 1/0", NULL, FAILS, "\nZeroDivisionError: division by zero\n" },
    { "and with one that cannot be flushed", "import sys\nclass S:\n  def write(self, s): pass\n  def flush(self): raise ValueError('no flush')\nsys.stdout = S(); 1/0", NULL, FAILS, "\nZeroDivisionError: division by zero\n" },
    { "half a surrogate pair in a message is shown", "raise ValueError('\\udc80')", NULL, FAILS, "ValueError: \\udc80\n" },

    /* crashes */
    { "a bad pointer is SIGSEGV", "import ctypes; ctypes.string_at(0)", NULL, SIGNAL(SIGSEGV), "signal 11" },
    { "abort() is SIGABRT", "import os; os.abort()", NULL, SIGNAL(SIGABRT), "it called abort()" },
#if defined(COOP_ASAN)
    { "a write that the sanitizer sees is told and ends the job", "import ctypes\nc = ctypes.CDLL(None)\nc.malloc.restype = ctypes.c_void_p\nc.memset(ctypes.c_void_p(c.malloc(8)), 0, 9)", NULL, SIGNAL(SIGABRT), "AddressSanitizer: heap-buffer-overflow" },
#endif
    { "faulthandler takes nothing of ours", "import faulthandler; faulthandler.enable(); faulthandler._sigsegv()", NULL, COOP_EXIT_SIGNAL_BASE + SIGSEGV, NULL, "" },
};
/* clang-format on */

enum { N_ENDS = sizeof(ends) / sizeof(ends[0]) };

static void it_ends_so(void **state)
{
    const struct end *e = *state;
    struct proc *p = proc_expect(coop(b, "run", "--limit", e->limit != NULL ? e->limit : "cpu=20s", "-c", e->code), e->exit);
    const char *id = json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id");

    if (e->cause != NULL)
        assert_string_equal(json_str(receipt_of(b, id), "cause"), e->cause);
    expect_has(p->err, e->err);
    expect_text(proc_expect(coop(b, "run", "-c", "print('next')"), 0)->out, "next\n");
}

/* What a receipt says of an exception, whatever that does when it is looked at. */
static void a_receipt_names_what_a_script_has_raised(void **state)
{
    static const struct {
        const char *code, *type, *message;
    } all[] = {
        {"raise Exception('a\\ud800b')",                                                                                  "Exception",         "a\\ud800b"                                      },
        { "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E",                                        "E",                 "<exception str() failed>"                       },
        { "class E(Exception): __traceback__ = 1\nraise E(2)",                                                            "E",                 "2"                                              },
        { "class E(Exception): __module__ = 5\nraise E(2)",                                                               "<unknown>.E",       "2"                                              },
        { "class E(Exception, metaclass=type('M', (type,), {'__getattribute__': lambda c, n: 1 / 0})): pass\nraise E(2)", "E",                 "2"                                              },
        { "import traceback\ntraceback.format_exception = traceback.print_exception = None\n1 / 0",                       "ZeroDivisionError",
         "division by zero"                                                                                                                                                                     },
        { "import sys\ndel sys.stdout, sys.stderr\n1 / 0",                                                                "ZeroDivisionError", "division by zero"                               },
        { "import builtins\nbuiltins.__dict__.clear()",                                                                   "NameError",         "what says how it ended was broken by the script"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct proc *p = proc_expect(coop(b, "run", "--json", "-c", all[i].code), COOP_EXIT_EXCEPTION);
        json_t *r = json_line(&p->out, json_lines(&p->out) - 1);

        assert_string_equal(json_str(r, "error.type"), all[i].type);
        assert_string_equal(json_str(r, "error.message"), all[i].message);
    }
}

static void a_cancel_while_threads_outlive_main_is_one(void **state)
{
    struct proc *p = coop_start(b, "run", "--limit", "threads=2", "-c",
                                "import threading, time\ndef f():\n    print('up', flush=True)\n    while True: time.sleep(0.01)\n"
                                "threading.Thread(target=f).start()");

    (void)state;
    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
}

static void a_script_with_nul_bytes_is_refused_before_it_is_sent(void **state)
{
    (void)state;
    expect_has(proc_expect(coop_in(b, "a\0b", 3, "run", "--engine", "python", "-"), COOP_EXIT_USAGE)->err, "it has NUL bytes");
}

/* Told by print() or sys.stdout.flush(), it has left before whatever comes next. */
static void what_was_flushed_before_a_crash_is_seen(void **state)
{
    (void)state;
    expect_text(proc_expect(coop(b, "run", "-c", "print('before', flush=True)\nimport ctypes; ctypes.string_at(0)"),
                            COOP_EXIT_SIGNAL_BASE + SIGSEGV)
                    ->out,
                "before\n");
    expect_text(proc_expect(coop(b, "run", "-c", "import sys, ctypes\nprint('told'); sys.stdout.flush(); ctypes.string_at(0)"),
                            COOP_EXIT_SIGNAL_BASE + SIGSEGV)
                    ->out,
                "told\n");
    expect_text(proc_expect(coop(b, "run", "-c", "import ctypes\nprint('not told'); ctypes.CDLL(None).write(1, 8, 100)"),
                            COOP_EXIT_SIGNAL_BASE + SIGSEGV)
                    ->out,
                "not told\n");
}

/* Python's MemoryError, or what is told where there is no room for one: never an exit code that the script has not given. */
static void input_that_has_no_room_is_memory_that_ran_out(void **state)
{
    static char much[4 << 20];
    struct proc *p;
    json_t *r;

    (void)state;
    memset(much, 'x', sizeof(much));
    for (int mib = 8; mib <= 10; mib++) {
        p = coop_in(b, much, sizeof(much), "run", "--json", "--limit", support_text("memory=%dM", mib), "-c",
                    "import sys\nx = []\nwhile (a := sys.stdin.buffer.read1()): x += [a, a + b'', bytearray(a) * 3]");
        r = json_line(&p->out, json_lines(&p->out) - 1);
        if (strcmp(json_str(r, "cause"), "oom") != 0 && strcmp(json_str(r, "error.type"), "MemoryError") != 0)
            support_fail("%s", json_shown(r));
    }
}

static void one_that_ignores_a_cancel_is_killed(void **state)
{
    struct proc *p =
        coop_start(b, "run", "-c", "import time\nprint('up')\nwhile True:\n    try: time.sleep(1000)\n    except BaseException: pass");

    (void)state;
    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
}

/* As CPython: nothing, and least of all on standard output. */
static void without_a_standard_error_nothing_is_told(void **state)
{
    static const char *const codes[] = { "import sys; sys.stderr = None; 1/0", "import sys; del sys.stderr; 1/0" };

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct proc *p = proc_expect(coop(b, "run", "--json", "-c", codes[i]), COOP_EXIT_EXCEPTION);

        assert_string_equal(json_str(json_line(&p->out, json_lines(&p->out) - 1), "error.type"), "ZeroDivisionError");
        expect_text(proc_expect(coop(b, "run", "-c", codes[i]), COOP_EXIT_EXCEPTION)->out, "");
    }
}

/* Its threads go on, and are ended with the process. */
static void a_cancel_ends_the_wait_for_threads(void **state)
{
    struct proc *p = coop_start(b, "run", "--json", "--limit", "threads=2", "-c",
                                "import threading, time, sys\nthreading.Thread(target=time.sleep, args=(100,)).start()\n"
                                "print('up', file=sys.stderr, flush=True)");

    (void)state;
    proc_until(p, &p->out, "up");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    assert_string_equal(json_str(json_line(&p->out, json_lines(&p->out) - 1), "cause"), "cancelled");
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(without_a_standard_error_nothing_is_told),
        cmocka_unit_test(a_cancel_ends_the_wait_for_threads),
        cmocka_unit_test(a_script_with_nul_bytes_is_refused_before_it_is_sent),
        cmocka_unit_test(what_was_flushed_before_a_crash_is_seen),
        cmocka_unit_test(input_that_has_no_room_is_memory_that_ran_out),
        cmocka_unit_test(one_that_ignores_a_cancel_is_killed),
        cmocka_unit_test(a_receipt_names_what_a_script_has_raised),
        cmocka_unit_test(a_cancel_while_threads_outlive_main_is_one),
    };
    const struct py_jobs jobs = { "python, bad input", &b,         ends,   N_ENDS,
                                  sizeof(ends[0]),     it_ends_so, others, sizeof(others) / sizeof(others[0]) };

    return py_jobs_main(&jobs);
}
