"""CPython's multiprocessing: processes by fork, queues over pipes with pickle.

A line an operation: its name, the figure, what it did. Times are in microseconds; a rate is items a second, the median of ROUNDS runs.
"""
import multiprocessing as mp
import os
import time

ROUNDS, ITEMS, CALLS, LIVES = 5, 20480, 2000, 100
BATCH, BIG = 64, 64 << 20
fork = mp.get_context("fork")


def say(operation, value, what):
    print(f"{operation}\t{value:.3f}\t{what}", flush=True)


def at(samples, p):
    return sorted(samples)[min(len(samples) - 1, int(p * len(samples)))]


def same(x):
    return x


def produce(q, batch):
    if batch == 1:
        for i in range(ITEMS):
            q.put(i)
    else:
        for i in range(0, ITEMS, batch):
            q.put(list(range(i, i + batch)))


def consume(q, batch, done):
    n = total = 0
    while n < ITEMS:
        got = q.get()
        n += 1 if batch == 1 else len(got)
        total += got if batch == 1 else sum(got)
    done.put(total)


def rate(batch):
    """From one process to another; their start is not counted."""
    q, done, ready = fork.Queue(1024), fork.Queue(), fork.Barrier(3)

    def begin(work, *args):
        ready.wait()
        work(*args)

    ends = [fork.Process(target=begin, args=(produce, q, batch)), fork.Process(target=begin, args=(consume, q, batch, done))]
    for p in ends:
        p.start()
    ready.wait()
    start = time.perf_counter()
    total = done.get()
    spent = time.perf_counter() - start
    assert total == ITEMS * (ITEMS - 1) // 2
    for p in ends:
        p.join()
    return ITEMS / spent


def fork_life():
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return (time.perf_counter() - start) * 1e6


def length(data):
    return len(data)


def life():
    start = time.perf_counter()
    with fork.Pool(1) as pool:
        pool.apply(same, (1,))
    return (time.perf_counter() - start) * 1e6


if __name__ == "__main__":
    lives = [life() for _ in range(LIVES)]
    say("life-p50", at(lives, 0.5), "Pool(1), apply, terminate: p50")
    state = [chr(97 + i % 26) * 1000 + str(i) for i in range(10000)]
    forks = [fork_life() for _ in range(LIVES)]
    say("fork", at(forks, 0.5), "os.fork with 10 MB, exit, wait: p50")
    del state
    with fork.Pool(1) as pool:
        calls = []
        for i in range(CALLS):
            start = time.perf_counter()
            pool.apply(same, (i,))
            calls.append((time.perf_counter() - start) * 1e6)
        say("call-p50", at(calls, 0.5), "Pool.apply of a function: p50")
        say("call-p99", at(calls, 0.99), "Pool.apply of a function: p99")
        data = bytes(BIG)
        big = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            pool.apply(length, (data,))
            big.append((time.perf_counter() - start) * 1e6)
        say("buffer", at(big, 0.5), "Pool.apply with 64 MiB of bytes")
    say("queue", at([rate(1) for _ in range(ROUNDS)], 0.5), "Queue, two processes, one by one")
    say("queue-batch", at([rate(BATCH) for _ in range(ROUNDS)], 0.5), "the same, lists of 64")
