"""What tasklets take of memory in a sealed job, and what others take for the same: by name, KiB of each of so many.

By python3 it is Debian's own, with its greenlet. By the most that the process has ever had, which only grows: a process an operation. A few come
and go first, so that what they share is there. What is left of them in no figure is what the process had free before: some 100 KiB.
"""
import asyncio
import gc
import os
import resource
import sys

sys.path.insert(0, os.path.dirname(__file__))
from serve import serve


def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def each(make, n):
    """KiB; make(n) makes n that wait, and returns what keeps them."""
    del make(100)[:]
    gc.collect()
    before = most()
    kept = make(n)
    assert len(kept) == n
    return (most() - before) / n


def waits():
    import stackless
    stackless.schedule_remove(None)


def tasklets(n):
    import stackless
    kept = [stackless.tasklet(waits)() for _ in range(n)]
    stackless.run()
    assert all(t.paused for t in kept)
    return kept


def asleep(n):
    """A hundred at a time, so that few are there who do not hibernate yet."""
    kept = []
    while len(kept) < n:
        some = tasklets(100)
        for t in some:
            t.hibernate()
        kept += some
    assert all(t.hibernated for t in kept)
    return kept


def alive(n):
    """How many of n that wait at once have had two turns more, and ended."""
    import stackless
    turns = []

    def f():
        for _ in range(2):
            stackless.schedule_remove(None)
            turns.append(None)
    kept = [stackless.tasklet(f)() for _ in range(n)]
    stackless.run()
    for _ in range(2):
        assert all(t.paused for t in kept)
        for t in kept:
            t.insert()
        stackless.run()
    return sum(not t.alive for t in kept) if len(turns) == 2 * n else 0


def greenlets(n):
    import greenlet

    def f():
        greenlet.getcurrent().parent.switch()
    kept = [greenlet.greenlet(f) for _ in range(n)]
    for g in kept:
        g.switch()
    return kept


def tasks(n):
    """Of asyncio, which wait for a future each."""
    async def main():
        loop = asyncio.get_running_loop()

        async def f():
            await loop.create_future()
        kept = [loop.create_task(f()) for _ in range(n)]
        await asyncio.sleep(0)
        rounds.append(most())
        return kept
    rounds = []
    asyncio.run(main())
    return rounds[-1:] * n


serve({"idle": lambda n: each(tasklets, int(n)), "hibernated": lambda n: each(asleep, int(n)), "many": lambda n: each(tasklets, int(n)),
       "alive": lambda n: alive(int(n)), "greenlet": lambda n: each(greenlets, int(n)), "asyncio": lambda n: each(tasks, int(n))})
