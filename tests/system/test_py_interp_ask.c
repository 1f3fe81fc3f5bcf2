/*
 * test_py_interp_ask.c - what a script of Python asks the broker for: queues, buffers, keys, capabilities, aliases, pools; and that tasklets and threads
 * which wait keep nobody waiting.
 */
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

#include "tests/support/broker_fixture.h"
#include "tests/support/py_host.h"

#define HEAD                                                                                                                               \
    "from coop import interpreters, queues, buffers, kv, caps\n"                                                                           \
    "import coop\n"                                                                                                                        \
    "def fails(f, *args, **kwargs):\n"                                                                                                     \
    "    try: f(*args, **kwargs)\n"                                                                                                        \
    "    except coop.InterpreterError as error: return error\n"

static void expect_script(void *state, const char *source, const char *out)
{
    struct broker *b = state;
    const char *path = script(b, "a.py", support_text(HEAD "%s", source));

    expect_text(proc_expect(coop(b, "run", "--cap", "interpreters=64", "--cap", "queues", "--cap", "buffers", "--cap", "kv=p/:rw",
                                 "--limit", "threads=12", path),
                            0)
                    ->out,
                out);
}

/* ---- queues, buffers, keys ------------------------------------------------------------------------------------------------------------------ */

static void a_queue_is_bounded_and_in_order(void **state)
{
    expect_script(*state,
                  "q = queues.create(max_items=3)\n"
                  "for n in range(3): q.put(n)\n"
                  "print(type(fails(q.put, 3, timeout=0.01)).__name__, type(fails(q.put_nowait, 3)).__name__, q.qsize(), q.full())\n"
                  "print(q.get(), q.get_many(10), type(fails(q.get, timeout=0)).__name__)\n"
                  "print(q.put_many(range(5), timeout=0.01), q.get_many(2))\n"
                  "q.close(); print(list(q), type(fails(q.put, 1)).__name__, type(fails(q.get)).__name__)\n"
                  "q = queues.create(); print(q.put_many(range(1000), timeout=None), sum(q.get_many(256)) + sum(q.get_many(256)))\n",
                  "QueueFull QueueFull 3 True\n"
                  "0 [1, 2] QueueEmpty\n"
                  "3 [0, 1]\n"
                  "[2] Closed Closed\n"
                  "1000 130816\n");
}

static void items_without_their_sender_are_as_the_queue_says(void **state)
{
    expect_script(*state,
                  "for u in (queues.UNBOUND, queues.UNBOUND_ERROR, queues.UNBOUND_REMOVE, queues.PERSIST):\n"
                  "    q = queues.create(unbound=u); i = interpreters.create(); i.prepare_main(q=q); i.exec('q.put(7)'); i.close()\n"
                  "    try: print(u, q.get(timeout=0))\n"
                  "    except coop.InterpreterError as error: print(u, type(error).__name__)\n",
                  "UNBOUND UNBOUND\n"
                  "UNBOUND_ERROR ItemInterpreterDestroyed\n"
                  "UNBOUND_REMOVE QueueEmpty\n"
                  "PERSIST 7\n");
}

static void a_buffer_is_memory_that_is_handed_over_and_nobody_can_change_it(void **state)
{
    expect_script(*state,
                  "b = buffers.new(1 << 20); b.write(5, b'abc'); m = memoryview(b); m[0] = 1\n"
                  "try: b.seal()\n"
                  "except BufferError as error: print('looked at')\n"
                  "m.release(); b.seal(); print(len(b), b.read(4, 4), bytes(memoryview(b)[:1]), type(fails(b.write, 0, b'x')).__name__)\n"
                  "i = interpreters.create(); i.prepare_main(b=b)\n"
                  "print(i.exec('[b.read(5, 3), memoryview(b).readonly, len(b)]'))\n"
                  "c = buffers.new(b'x' * 100000); print(i.call(lambda c: c.read(99999), c), c == b, b == b)\n"
                  "c.drop(); print(type(fails(i.call, 'len', c)).__name__)\n",
                  "looked at\n"
                  "1048576 b'\\x00abc' b'\\x01' NotAllowed\n"
                  "[b'abc', True, 1048576]\n"
                  "b'x' False True\n"
                  "NotShareableError\n");
}

static void keys_are_kept_and_what_was_granted_may_shrink(void **state)
{
    expect_script(
        *state,
        "k = kv.open('p/'); k.put('a', b'1'); k.put('b', 'two'); print(k.get('a'), k.get('b'), k.get('c'), k.get('c', 0), list(k.keys()))\n"
        "print(type(fails(k.put, 'a', b'2', only_new=True)).__name__); k.delete('a'); print(list(k.keys()), type(fails(k.delete, 'a')).__name__)\n"
        "print(caps.rights(caps.granted('kv=p/')), type(fails(kv.open, 'q/')).__name__)\n"
        "print(caps.rights(kv.open('p/', 'ro')), caps.rights(kv.open('p/', 'rw')))\n"
        "ro = caps.attenuate(k, ['read', 'grant']); print(ro.get('b'), type(fails(ro.put, 'b', b'')).__name__)\n"
        "i = interpreters.create(grants={'keys': ro})\n"
        "print(i.exec('__import__(\"coop.caps\").caps.granted(\"keys\").get(\"b\")'))\n"
        "caps.revoke(ro); print(fails(i.exec, '__import__(\"coop.caps\").caps.granted(\"keys\").get(\"b\")').excinfo.type.__name__)\n",
        "b'1' b'two' None 0 ['a', 'b']\n"
        "NameTaken\n"
        "['b'] InterpreterNotFoundError\n"
        "['read', 'write', 'grant'] NotAllowed\n"
        "['read'] ['read', 'write']\n"
        "b'two' NotAllowed\n"
        "b'two'\n"
        "Revoked\n");
}

/* A digest of bytes that are kept, its stamp, and one more bit. */
static void what_is_sealed_is_known_again_by_this_tenant_on_another_day(void **state)
{
    static const char seals[] = "import _coop, hashlib\n"
                                "d = hashlib.sha256(b'kept').digest()\n"
                                "print(_coop.Ask('blob_seal', {'digest': d}).take()['mac'].hex())\n";
    static const char checks[] =
        "import _coop, hashlib\n"
        "mac = bytes.fromhex('%.64s')\n"
        "def good(text, mac): return _coop.Ask('blob_check', {'digest': hashlib.sha256(text).digest(), 'mac': mac}).take()['good']\n"
        "print(good(b'kept', mac), good(b'kept', bytes([mac[0] ^ 1]) + mac[1:]), good(b'Kept', mac))\n"
        "try: good(b'kept', mac[:31])\n"
        "except Exception as error: print(type(error).__name__, error)\n";
    struct broker *b = *state;
    const char *mac = support_text("%s", proc_expect(coop(b, "run", script(b, "a.py", seals)), 0)->out.bytes);

    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    expect_text(proc_expect(coop(b, "run", script(b, "b.py", support_text(checks, mac))), 0)->out,
                "True False False\nBadRequest mac has 31 bytes, and must have 32\n");
}

static void the_example_does_what_it_says(void **state)
{
    struct proc *p =
        proc_expect(coop((struct broker *)*state, "run", "--cap", "interpreters=4", "--cap", "queues", "examples/interp/mean.py"), 0);

    expect_text(p->out, "499.5\n");
}

/* ---- aliases and pools ------------------------------------------------------------------------------------------------------------------------- */

static void a_child_calls_what_its_parent_offers(void **state)
{
    expect_script(
        *state,
        "def bad(): raise KeyError('gone')\n"
        "i = interpreters.create(aliases={'shout': lambda s, n=1: s.upper() * n, 'bad': bad, 'odd': lambda: object()})\n"
        "i.exec('''\n"
        "import coop\n"
        "def why(name):\n"
        "    try: return coop.alias(name, 'ab', 2)\n"
        "    except coop.InterpreterError as error: return [error.type, getattr(error, 'remote_type', '')]\n"
        "''')\n"
        "print(i.call('why', 'shout'), i.call('why', 'none'))\n"
        "print(i.exec('try: coop.alias(\"bad\")\\nexcept coop.InterpreterError as error: kind = error.remote_type'), i.exec('kind'))\n",
        "ABAB ['NoFunction', '']\n"
        "None KeyError\n");
}

/* The thread that answers is not the function's: it answers the next call, too. */
static void whatever_an_offered_function_raises_its_caller_is_told(void **state)
{
    expect_script(*state,
                  "import sys\n"
                  "class Mute(Exception):\n"
                  "    def __str__(self): raise SystemExit\n"
                  "def fail(k):\n"
                  "    if k == 'exit': sys.exit(3)\n"
                  "    if k == 'kbd': raise KeyboardInterrupt\n"
                  "    if k == 'mute': raise Mute\n"
                  "    if k == 'half': raise ValueError('\\ud800')\n"
                  "    if k == 'long': raise type('X' * 10**6, (Exception,), {})('y' * 10**6)\n"
                  "    if k == 'deep': x = []; x.append(x); return x\n"
                  "    return k\n"
                  "i = interpreters.create(aliases={'fail': fail})\n"
                  "i.exec('''\n"
                  "import coop\n"
                  "def why(k):\n"
                  "    try: return coop.alias('fail', k)\n"
                  "    except coop.InterpreterError as error: return error.remote_type[:20]\n"
                  "''')\n"
                  "for k in 'exit', 'kbd', 'mute', 'half', 'long', 'deep', 'none': print(i.call('why', k))\n",
                  "SystemExit\nKeyboardInterrupt\nMute\nValueError\nXXXXXXXXXXXXXXXXXXXX\nNotShareable\nnone\n");
}

static void a_pool_of_interpreters_is_an_executor(void **state)
{
    expect_script(*state,
                  "from concurrent.futures import InterpreterPoolExecutor, as_completed, wait, TimeoutError\n"
                  "def square(x): return x * x\n"
                  "def start(n):\n"
                  "    global base\n"
                  "    base = n\n"
                  "with InterpreterPoolExecutor(3, initializer=start, initargs=(100,)) as pool:\n"
                  "    print(list(pool.map(square, range(10))), pool.submit(lambda x: base + x, 1).result())\n"
                  "    print(sorted(f.result() for f in as_completed([pool.submit(square, n) for n in range(7)])))\n"
                  "    f = pool.submit(lambda: 1 / 0); print(f.exception().excinfo.type.__name__, f.done())\n"
                  "    f = pool.submit(lambda: __import__('os')._exit(3)); print(f.exception().cause, pool.submit(square, 3).result())\n"
                  "    q = queues.create(); f = pool.submit(lambda q: q.get(), q)\n"
                  "    try: f.result(timeout=0.01)\n"
                  "    except TimeoutError: q.put(5); print('not yet', f.result())\n"
                  "    print(len(wait([pool.submit(square, n) for n in range(9)]).done))\n"
                  "    try: pool.submit([].append)\n"
                  "    except coop.NotShareableError: print('refused')\n"
                  "try: pool.submit(square, 1)\n"
                  "except RuntimeError as error: print(error)\n"
                  "print(len([i for i in interpreters.list() if i['state'] != 'ended']))\n"
                  "with InterpreterPoolExecutor(1, initializer=square) as pool: print(type(pool.submit(square, 1).exception()).__name__)\n",
                  "[0, 1, 4, 9, 16, 25, 36, 49, 64, 81] 101\n"
                  "[0, 1, 4, 9, 16, 25, 36]\n"
                  "ZeroDivisionError True\n"
                  "exit 9\n"
                  "not yet 5\n"
                  "9\n"
                  "refused\n"
                  "cannot schedule new futures after shutdown\n"
                  "0\n"
                  "BrokenInterpreterPool\n");
}

/* A loop leaves a callback, and looks at no future. */
static void an_event_loop_awaits_calls_and_a_pool(void **state)
{
    expect_script(
        *state,
        "import asyncio\n"
        "from concurrent.futures import InterpreterPoolExecutor\n"
        "def late(q): return q.get()\n"
        "async def main():\n"
        "    loop, q, i = asyncio.get_running_loop(), queues.create(), interpreters.create()\n"
        "    print(await i.call_async(pow, 2, 3), *await asyncio.gather(*(asyncio.wait_for(i.call_async(pow, 2, n), 60) for n in range(3))))\n"
        "    try: await i.call_async('nothing')\n"
        "    except coop.InterpreterError as error: print(error.type)\n"
        "    f = i.call_async(late, q)\n"
        "    try: await asyncio.wait_for(f, 0.01)\n"
        "    except TimeoutError: q.put('not lost'); print(await f, await f)\n"
        "    with InterpreterPoolExecutor(2) as pool:\n"
        "        print(await loop.run_in_executor(pool, pow, 2, 5))\n"
        "        slow = loop.run_in_executor(pool, late, q)\n"
        "        print(await asyncio.gather(*(loop.run_in_executor(pool, pow, 2, n) for n in range(5))), slow.done())\n"
        "        plain = pool.submit(pow, 3, 3)\n"
        "        print(await asyncio.wrap_future(plain), await pool.submit(pow, 3, 2), pool.submit(pow, 3, 4).result())\n"
        "        q.put('slow'); print(await slow)\n"
        "        try: await loop.run_in_executor(pool, lambda: 1 / 0)\n"
        "        except interpreters.ExecutionFailed as error: print(error.excinfo.type.__name__)\n"
        "asyncio.run(main())\n",
        "8 1 2 4\n"
        "NoFunction\n"
        "not lost not lost\n"
        "32\n"
        "[1, 2, 4, 8, 16] False\n"
        "27 9 81\n"
        "slow\n"
        "ZeroDivisionError\n");
}

static void a_pool_is_used_by_several_threads(void **state)
{
    expect_script(*state,
                  "from concurrent.futures import InterpreterPoolExecutor\n"
                  "import threading\n"
                  "out = []\n"
                  "with InterpreterPoolExecutor(2) as pool:\n"
                  "    def use(n): out.append(sum(f.result() for f in [pool.submit(pow, n, k) for k in range(10)]))\n"
                  "    ts = [threading.Thread(target=use, args=(n,)) for n in range(1, 5)]\n"
                  "    for t in ts: t.start()\n"
                  "    for t in ts: t.join()\n"
                  "print(sorted(out))\n",
                  "[10, 1023, 29524, 349525]\n");
}

/* ---- who waits keeps nobody waiting -------------------------------------------------------------------------------------------------------------- */

static void threads_that_ask_at_the_same_time_all_have_their_answers(void **state)
{
    expect_script(
        *state,
        "import threading\n"
        "q, out, sums = queues.create(max_items=4), [], []\n"
        "js = [interpreters.create() for _ in range(3)]\n"
        "def put(n):\n"
        "    for k in range(50): q.put([n, k])\n"
        "def get():\n"
        "    for k in range(50): out.append(tuple(q.get()))\n"
        "def call(j):\n"
        "    for k in range(20): sums.append(j.call(sum, [k, k]))\n"
        "f = js[0].call_async(pow, 2, 5)\n"
        "work = [(put, n) for n in range(3)] + [(get,) for n in range(3)] + [(call, j) for j in js] + [(lambda: sums.append(f.wait()),)]\n"
        "ts = [threading.Thread(target=w[0], args=w[1:]) for w in work]\n"
        "for t in ts: t.start()\n"
        "for t in ts: t.join()\n"
        "print(len(out), len(set(out)), sum(sums), f.wait())\n",
        "150 150 1172 32\n");
}

static void a_tasklet_that_waits_keeps_no_other_waiting(void **state)
{
    expect_script(
        *state,
        "import stackless\n"
        "q, c, log = queues.create(), stackless.channel(), []\n"
        "def get(n): c.send((n, q.get()))\n"
        "def tick():\n"
        "    for n in range(3):\n"
        "        log.append(n)\n"
        "        stackless.schedule()\n"
        "for n in range(100): stackless.tasklet(get)(n)\n"
        "stackless.tasklet(tick)()\n"
        "i = interpreters.create()\n"
        "while len(log) < 3: i.call(sum, [1, 2])\n"
        "for n in range(100): q.put(n)\n"
        "got = [c.receive() for _ in range(100)]; print(sorted(n for n, _ in got) == sorted(v for _, v in got) == list(range(100)))\n"
        "f = i.call_async(pow, 2, 4)\n"
        "for _ in range(3): stackless.tasklet(lambda: c.send(f.wait()))()\n"
        "print([c.receive() for _ in range(3)])\n"
        "t = stackless.tasklet(q.get)(); t.run(); t.kill(); print(t.alive)\n"
        "tries = []\n"
        "def catch():\n"
        "    try: tries.append(1), q.get()\n"
        "    except ValueError as error: c.send(str(error))\n"
        "t = stackless.tasklet(catch)(); t.run()\n"
        "while not tries: stackless.schedule()\n"
        "t.throw(ValueError('thrown'), pending=True); print(c.receive())\n"
        "q.put(1); print(q.get())\n",
        "True\n"
        "[16, 16, 16]\n"
        "False\n"
        "thrown\n"
        "1\n");
}

static void tasklets_and_threads_of_a_call_go_on_between_calls(void **state)
{
    expect_script(*state,
                  "q = queues.create()\n"
                  "for how in ('stackless.tasklet(work)()', 'threading.Thread(target=work, daemon=True).start()'):\n"
                  "    i = interpreters.create(limits={'threads': 4}); i.prepare_main(q=q)\n"
                  "    i.exec('import stackless, threading, time\\ndef work():\\n    for n in range(3): q.put(n)\\n' + how)\n"
                  "    print(q.get(), q.get(), q.get(), i.call(pow, 2, 2)); i.close()\n",
                  "0 1 2 4\n"
                  "0 1 2 4\n");
}

static void an_interrupt_ends_a_call_and_its_tasklets_alike(void **state)
{
    expect_script(
        *state,
        "def stubborn():\n"
        "    import stackless\n"
        "    c = stackless.channel()\n"
        "    def worker():\n"
        "        while True:\n"
        "            try: stackless.schedule()\n"
        "            except BaseException: pass\n"
        "    stackless.tasklet(worker)()\n"
        "    while True:\n"
        "        try: c.receive()\n"
        "        except BaseException: pass\n"
        "i = interpreters.create(caps=['queues'])\n"
        "print(type(fails(i.call_for, 0.2, stubborn)).__name__, i.call(pow, 2, 3))\n"
        "print(type(fails(i.call_for, 0.2, lambda: __import__('coop.queues').queues.create().get())).__name__, i.call(pow, 2, 3))\n",
        "TimedOut 8\n"
        "TimedOut 8\n");
}

static void an_interrupt_strikes_the_tasklets_of_its_call_and_no_others(void **state)
{
    expect_script(*state,
                  "i, q = interpreters.create(), queues.create(); i.prepare_main(q=q)\n"
                  "i.exec('''\n"
                  "import stackless, time\n"
                  "said, n, c, stop = [], [0, 0], stackless.channel(), []\n"
                  "def tell(name, f, *args):\n"
                  "    try: f(*args)\n"
                  "    except BaseException as e: said.append(name + ': ' + type(e).__name__)\n"
                  "def spins():\n"
                  "    while not stop: n[0] += 1\n"
                  "def yields():\n"
                  "    while not stop: n[1] += 1; stackless.schedule()\n"
                  "def start(name, *f): stackless.tasklet(tell)(name, *f)\n"
                  "start('spins', spins); start('yields', yields); start('receives', c.receive); start('sleeps', time.sleep, 1000)\n"
                  "''')\n"
                  "def blocks():\n"
                  "    start('own spins', spins); start('own receives', c.receive); start('own sleeps', time.sleep, 1000)\n"
                  "    stackless.schedule(); q.put(1); stackless.channel().receive()\n"
                  "def loops():\n"
                  "    start('child receives', start, 'grandchild receives', c.receive)\n"
                  "    stackless.schedule(); stackless.schedule(); q.put(1)\n"
                  "    while True: stackless.schedule()\n"
                  "def catches():\n"
                  "    q.put(1)\n"
                  "    while True:\n"
                  "        try: stackless.channel().receive()\n"
                  "        except BaseException: pass\n"
                  "for f in blocks, loops, catches:\n"
                  "    call = i.call_async(f); q.get(); i.interrupt(); print(type(fails(call.wait)).__name__)\n"
                  "    i.exec('was = n[:]\\nwhile n[0] == was[0] or n[1] == was[1]: stackless.schedule()')\n"
                  "    print(i.exec('sorted(said)')); i.exec('said.clear()')\n"
                  "i.exec('stop.append(1)\\nc.send(1)\\nfor _ in range(9): stackless.schedule()')\n"
                  "print(i.exec('said'), i.exec('stackless.runcount'))\n",
                  "Interrupted\n"
                  "['own receives: KeyboardInterrupt', 'own sleeps: KeyboardInterrupt', 'own spins: KeyboardInterrupt']\n"
                  "Interrupted\n"
                  "['grandchild receives: KeyboardInterrupt']\n"
                  "Interrupted\n"
                  "[]\n"
                  "[] 1\n");
}

static void what_a_tasklet_of_an_earlier_call_dies_of_is_no_later_calls_error(void **state)
{
    expect_script(
        *state,
        "i = interpreters.create()\n"
        "i.exec('import stackless\\ndef late(): stackless.schedule_remove(); 1 / 0\\nt = stackless.tasklet(late)(); stackless.run()')\n"
        "i.exec('t.insert()\\nstackless.run()')\n"
        "print(i.exec('t.alive'), type(fails(i.exec, 'stackless.tasklet(lambda: 1 / 0)()\\nstackless.run()')).__name__)\n",
        "False ExecutionFailed\n");
}

/* Once without tasklets, and once with. */
static void a_cancel_ends_a_wait_for_the_broker(void **state)
{
    static const char *const before[] = { "", "import stackless\nstackless.tasklet(q.get)()\nstackless.schedule()\n" };
    struct broker *b = *state;

    for (size_t i = 0; i < 2; i++) {
        const char *source = "try: print('waits', flush=True), q.get()\nexcept KeyboardInterrupt: print('told')\n";
        const char *path = script(b, "a.py", support_text(HEAD "q = queues.create()\n%s%s", before[i], source));
        struct proc *p = coop_start(b, "run", "--cap", "queues", path);

        proc_until(p, &p->out, "waits\n");
        proc_kill(p, SIGINT);
        (void)proc_end(p);
        expect_text(p->out, "waits\n"
                            "told\n");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_queue_is_bounded_and_in_order),
        TEST(items_without_their_sender_are_as_the_queue_says),
        TEST(a_buffer_is_memory_that_is_handed_over_and_nobody_can_change_it),
        TEST(keys_are_kept_and_what_was_granted_may_shrink),
        TEST(what_is_sealed_is_known_again_by_this_tenant_on_another_day),
        TEST(the_example_does_what_it_says),
        TEST(a_child_calls_what_its_parent_offers),
        TEST(whatever_an_offered_function_raises_its_caller_is_told),
        TEST(a_pool_of_interpreters_is_an_executor),
        TEST(an_event_loop_awaits_calls_and_a_pool),
        TEST(a_pool_is_used_by_several_threads),
        TEST(threads_that_ask_at_the_same_time_all_have_their_answers),
        TEST(a_tasklet_that_waits_keeps_no_other_waiting),
        TEST(tasklets_and_threads_of_a_call_go_on_between_calls),
        TEST(an_interrupt_ends_a_call_and_its_tasklets_alike),
        TEST(an_interrupt_strikes_the_tasklets_of_its_call_and_no_others),
        TEST(what_a_tasklet_of_an_earlier_call_dies_of_is_no_later_calls_error),
        TEST(a_cancel_ends_a_wait_for_the_broker),
    };

    if (!py_host_is_here())
        return 0;
    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
