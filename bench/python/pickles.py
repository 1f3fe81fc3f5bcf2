"""A tasklet of three frames to bytes and back, in a sealed job: microseconds of each, by name. What is dumped and what is loaded asks the broker for its seal."""
import os
import pickle
import sys

sys.path.insert(0, os.path.dirname(__file__))
import tasklets
from serve import cpu, serve, wall

N = 200
three = tasklets.three_frames()
data = pickle.dumps(three)
record = {"name": "a" * 400, "rows": list(range(300))}  # of about as many bytes


def times(f, what):
    def go():
        for _ in range(N):
            f(what)
    return go


def ask():
    from coop import interpreters

    def go():
        for _ in range(N):
            interpreters.current()
    return go


OPERATIONS = {"dump": times(pickle.dumps, three), "load": times(pickle.loads, data), "dump-record": times(pickle.dumps, record),
              "load-record": times(pickle.loads, pickle.dumps(record)), "ask": ask()}
clocks = {"wall": wall, "cpu": cpu}

serve({"bytes": lambda: len(data), **{f"{name}-{clock}": lambda f=f, c=c: c(f) / N for name, f in OPERATIONS.items() for clock, c in clocks.items()}})
