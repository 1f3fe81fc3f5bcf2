"""Tasklets of Python beside greenlet, asyncio and threads: nanoseconds of CPU time each, the least of five rounds.

bench/python/tasklets.py [MODULE [DIRECTORY]]: coop_python.so, by default build/release's; where Debian's greenlet lies when it is not installed.
Run by /usr/bin/python3.11.
coop run --limit memory=2G,tasklets=200000 bench/python/tasklets.py 100000: so many alive in one sealed worker.
"""

import asyncio
import gc
import sys
import time

N = 100000


def load(path):
    import _imp
    from _frozen_importlib import ModuleSpec
    module = _imp.create_dynamic(ModuleSpec("coop_python", None, origin=path))
    _imp.exec_dynamic(module)
    module.tasklets()


def least(f, n, rounds=5):
    """Nanoseconds of one of n."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        t = time.thread_time_ns()
        f()
        best = min(best, time.thread_time_ns() - t)
    return best / n


def resident():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


# ---- ours ------------------------------------------------------------------------------------------------------------------------------

def stackless_yield():
    import stackless

    def f(n):
        schedule = stackless.schedule
        for _ in range(n):
            schedule()

    def go():
        stackless.tasklet(f)(N)
        stackless.tasklet(f)(N)
        stackless.run()
    return least(go, 2 * N)


def stackless_message():
    import stackless

    def receiver(c):
        for _ in range(N):
            c.receive()

    def sender(c):
        for _ in range(N):
            c.send(None)

    def go():
        c = stackless.channel()
        stackless.tasklet(receiver)(c)
        stackless.tasklet(sender)(c)
        stackless.run()
    return least(go, N)


def nothing():
    pass


def stackless_spawn():
    import stackless

    def go():
        for _ in range(N // 100):
            for _ in range(100):
                stackless.tasklet(nothing)()
            stackless.run()
    return least(go, N)


def our_greenlet_switch():
    import greenlet
    return greenlet_switch(greenlet)


def three_frames():
    """A tasklet that waits in the innermost of three frames, in a loop."""
    import stackless

    def innermost(n):
        for i in range(n):
            stackless.schedule_remove(i)

    def middle(n):
        return [n, innermost(n)]

    def outermost(n):
        return middle(n)
    t = stackless.tasklet(outermost)(10)
    stackless.run()
    return t


def stackless_pickle():
    """Nanoseconds to dump one and to load one, and its bytes; sealed by the process itself: in a worker an ask of the broker comes on top."""
    import pickle
    t, n = three_frames(), 2000
    data = pickle.dumps(t)

    def dump():
        for _ in range(n):
            pickle.dumps(t)

    def load():
        for _ in range(n):
            pickle.loads(data)
    return least(dump, n), least(load, n), len(data)


# ---- peers -----------------------------------------------------------------------------------------------------------------------------

def greenlet_switch(module):
    main = module.getcurrent()

    def f():
        switch = main.switch
        while True:
            switch()

    def go():
        switch = module.greenlet(f).switch
        for _ in range(N):
            switch()
    return least(go, 2 * N)


def greenlet_spawn(module):
    def go():
        for _ in range(N):
            module.greenlet(nothing).switch()
    return least(go, N)


def asyncio_yield():
    async def f(n):
        for _ in range(n):
            await asyncio.sleep(0)

    async def both():
        await asyncio.gather(f(N // 10), f(N // 10))
    return least(lambda: asyncio.run(both()), 2 * N // 10, 3)


def asyncio_message():
    async def get(q):
        for _ in range(N // 10):
            await q.get()

    async def both():
        q = asyncio.Queue(1)
        task = asyncio.create_task(get(q))
        for _ in range(N // 10):
            await q.put(None)
        await task
    return least(lambda: asyncio.run(both()), N // 10, 3)


def asyncio_spawn():
    async def f():
        pass

    async def go():
        for _ in range(N // 1000):
            await asyncio.gather(*(f() for _ in range(100)))
    return least(lambda: asyncio.run(go()), N // 10, 3)


def idle(n):
    """KiB resident of each of n that wait, and how many seconds of CPU time it took to make and to end them."""
    import stackless

    def f():
        stackless.schedule_remove(None)
    before, t = resident(), time.process_time()
    kept = [stackless.tasklet(f)() for _ in range(n)]
    stackless.run()
    each = (resident() - before) / n
    assert all(t.paused for t in kept)
    for tasklet in kept:
        tasklet.insert()
    stackless.run()
    return each, time.process_time() - t


def hibernated(n):
    """KiB of each of n that wait and are hibernated; microseconds of CPU time to hibernate one, and to wake it, run it and see it end."""
    import stackless

    def f():
        stackless.schedule_remove(None)
    before, kept, spent = resident(), [], 0
    for _ in range(n // 1000):
        some = [stackless.tasklet(f)() for _ in range(1000)]
        stackless.run()
        t = time.process_time()
        for tasklet in some:
            tasklet.hibernate()
        spent += time.process_time() - t
        kept += some
    each = (resident() - before) / n
    assert all(t.hibernated for t in kept)
    t = time.process_time()
    for tasklet in kept:
        tasklet.insert()
    stackless.run()
    return each, spent / n * 1e6, (time.process_time() - t) / n * 1e6


def alive(n):
    """A job's: n wait at once, each of them has its turn once more, and all end."""
    import resource
    import stackless

    def f():
        stackless.schedule_remove(None)
        stackless.schedule_remove(None)

    def turn():
        t = time.process_time()
        for tasklet in kept:
            tasklet.insert()
        stackless.run()
        return (time.process_time() - t) / n * 1e6
    before, t = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    kept = [stackless.tasklet(f)() for _ in range(n)]
    stackless.run()
    made = (time.process_time() - t) / n * 1e6
    assert all(t.paused for t in kept)
    once, last = turn(), turn()
    assert not any(t.alive for t in kept)
    each = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / n
    print(f"{n} alive: {each:.2f} KiB each at most; made and run in {made:.2f} us each, one turn more {once:.2f} us, the last {last:.2f} us")


def cpu_loop():
    """A loop that computes, in a tasklet and in the main one: the ratio."""
    import stackless

    def f():
        x = 0
        for i in range(3000000):
            x += i & 3
        return x
    alone = least(f, 1)

    def go():
        stackless.tasklet(f)()
        stackless.run()
    return least(go, 1) / alone


def debians_greenlet(directory):
    """The real one, of a process that has not loaded ours."""
    sys.path.insert(0, directory)
    import greenlet
    print(f"greenlet {greenlet.__version__}: switch {greenlet_switch(greenlet):.0f}, spawn {greenlet_spawn(greenlet):.0f}")


def main():
    if sys.argv[1:] and sys.argv[1].isdecimal():
        alive(int(sys.argv[1]))
        return
    path = sys.argv[1] if len(sys.argv) > 1 else "build/release/coop_python.so"
    if path == "--greenlet":
        debians_greenlet(sys.argv[2])
        return
    load(path)
    import greenlet
    print(f"ours: yield {stackless_yield():.0f}, channel message {stackless_message():.0f}, spawn {stackless_spawn():.0f}, "
          f"greenlet switch {our_greenlet_switch():.0f}, greenlet spawn {greenlet_spawn(greenlet):.0f}")
    print(f"asyncio: yield {asyncio_yield():.0f}, message {asyncio_message():.0f}, spawn {asyncio_spawn():.0f}")
    print("three frames: dumped in %.0f, loaded in %.0f, %d bytes" % stackless_pickle())
    print("hibernated: %.2f KiB each; %.2f us to go, %.2f us to wake and end" % hibernated(50000))
    for n in 2000, 10000, 100000:
        print("%d idle: %.2f KiB resident each, made and ended in %.2f s" % (n, *idle(n)))
    print(f"a loop that computes, in a tasklet beside none: {cpu_loop():.3f}")


if __name__ == "__main__":
    main()
