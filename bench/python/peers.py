"""CPython's own ways to an interpreter more, by python3: microseconds of one sample by the clock on the wall, a line for each.

The argument says which: subinterpreters or multiprocessing.
"""
import multiprocessing
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from serve import median, serve, wall

try:
    import _xxsubinterpreters as interpreters
except ImportError:
    sys.exit(3)  # another version of Python

CALLS = 50
fork = multiprocessing.get_context("fork")


def subinterpreter():
    i = interpreters.create()
    interpreters.run_string(i, "x = 1")
    interpreters.destroy(i)


def echo(end, other):
    other.close()
    try:
        while True:
            end.send(end.recv() + 1)
    except EOFError:
        pass


def process():
    """One that is forked from this, small, Python: nothing is made anew in it, and it is not sealed."""
    ours, theirs = fork.Pipe()
    p = fork.Process(target=echo, args=(theirs, ours))
    p.start()
    theirs.close()
    ours.send(1)
    ours.recv()
    ours.close()
    p.join()


def subinterpreters():
    live = interpreters.create()
    return {"life": lambda: wall(subinterpreter),
            "call": lambda: median([wall(interpreters.run_string, live, "x = 1") for _ in range(CALLS)])}


def processes():
    ours, theirs = fork.Pipe()
    fork.Process(target=echo, args=(theirs, ours), daemon=True).start()
    theirs.close()

    def round_trip():
        ours.send(1)
        assert ours.recv() == 2
    return {"life": lambda: wall(process), "call": lambda: median([wall(round_trip) for _ in range(CALLS)])}


# Each in a process of its own: 3.11 does not survive a fork while it has subinterpreters.
serve({"subinterpreters": subinterpreters, "multiprocessing": processes}[sys.argv[1]]())
