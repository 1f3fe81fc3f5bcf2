"""CPython's own sub-interpreters (_xxsubinterpreters, 3.11): in one process, in turn, behind one lock.

A line an operation: its name, the figure, what it did. Times are in microseconds, medians and 99th percentiles of single operations.
"""
import os
import sys
import time

try:
    import _xxsubinterpreters as interpreters
except ImportError:
    sys.exit(3)  # another version of Python: it is left out

ROUNDS, CALLS, MANY = 200, 2000, 200


def say(operation, value, what):
    print(f"{operation}\t{value:.3f}\t{what}", flush=True)


def at(samples, p):
    return sorted(samples)[min(len(samples) - 1, int(p * len(samples)))]


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def sample(f):
    start = time.perf_counter()
    f()
    return (time.perf_counter() - start) * 1e6


def life():
    i = interpreters.create()
    interpreters.run_string(i, "x = 1")
    interpreters.destroy(i)


def many():
    before = resident()
    start = time.perf_counter()
    alive = [interpreters.create() for _ in range(MANY)]
    spent = time.perf_counter() - start
    say("idle-memory", (resident() - before) / MANY / 1024, f"create, resident KiB each of {MANY}")
    say("idle-create", spent / MANY * 1e6, f"create, each of {MANY} that live")
    for i in alive:
        interpreters.destroy(i)


life()
lives = [sample(life) for _ in range(ROUNDS)]
say("life-p50", at(lives, 0.5), "create, run_string, destroy: p50")
say("life-p99", at(lives, 0.99), "create, run_string, destroy: p99")
live = interpreters.create()
calls = [sample(lambda: interpreters.run_string(live, "x = 1")) for _ in range(CALLS)]
say("call-p50", at(calls, 0.5), "run_string on a live one: p50")
say("call-p99", at(calls, 0.99), "run_string on a live one: p99")
many()
