"""Loops that compute, of the kinds that interpreters are compared by, some 30 ms each: the same file by python3 and as a job.

A line in: a loop's name; a line out: microseconds of CPU time for one run. `spin N` is N runs
of one that allocates nothing, by the clock on the wall.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from serve import cpu, serve, wall


# ---- floating point: five bodies that attract each other ----------------------------------------------------------------------------

def nbody(steps=6000):
    bodies = [[x, y, z, vx, vy, vz, m] for x, y, z, vx, vy, vz, m in (
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 39.5), (4.84, -1.16, -0.1, 0.6, 2.8, -0.03, 0.038), (8.34, 4.12, -0.4, -1.0, 1.8, 0.01, 0.011),
        (12.9, -15.1, -0.2, 1.08, 0.87, -0.01, 0.0017), (15.4, -25.9, 0.18, 0.98, 0.6, -0.03, 0.002))]
    pairs = [(a, b) for i, a in enumerate(bodies) for b in bodies[i + 1:]]
    for _ in range(steps):
        for a, b in pairs:
            dx, dy, dz = a[0] - b[0], a[1] - b[1], a[2] - b[2]
            pull = 0.01 * (dx * dx + dy * dy + dz * dz) ** -1.5
            for body, by in ((a, -b[6] * pull), (b, a[6] * pull)):
                body[3] += dx * by
                body[4] += dy * by
                body[5] += dz * by
        for body in bodies:
            body[0] += 0.01 * body[3]
            body[1] += 0.01 * body[4]
            body[2] += 0.01 * body[5]
    return bodies[0][0]


# ---- objects: a scheduler of tasks that send packets to each other, in the manner of Richards ---------------------------------------

class Packet:
    __slots__ = ("next", "kind", "data")

    def __init__(self, kind):
        self.next, self.kind, self.data = None, kind, [0, 0, 0, 0]


class Task:
    def __init__(self, ident, priority):
        self.ident, self.priority, self.queue, self.held, self.done = ident, priority, None, False, 0

    def append(self, packet):
        packet.next = None
        if self.queue is None:
            self.queue = packet
            return
        last = self.queue
        while last.next is not None:
            last = last.next
        last.next = packet

    def take(self):
        packet = self.queue
        if packet is not None:
            self.queue = packet.next
        return packet

    def run(self, system):
        raise NotImplementedError


class Worker(Task):
    def run(self, system):
        packet = self.take()
        if packet is None:
            self.held = True
            return
        packet.data = [(d + self.ident) % 26 for d in packet.data]
        self.done += 1
        system.send(packet, (self.ident + 1) % len(system.tasks))


class Device(Task):
    def run(self, system):
        packet = self.take()
        if packet is None:
            self.held = True
            return
        packet.kind ^= 1
        self.done += 1
        system.send(packet, (self.ident * 3 + packet.kind) % len(system.tasks))


class System:
    def __init__(self):
        self.tasks = [(Worker if i % 2 else Device)(i, i * 100) for i in range(6)]
        for i in range(9):
            self.send(Packet(i & 1), i % 6)

    def send(self, packet, ident):
        task = self.tasks[ident]
        task.append(packet)
        task.held = False

    def run(self, turns):
        for _ in range(turns):
            for task in self.tasks:
                if not task.held:
                    task.run(self)
        return sum(task.done for task in self.tasks)


def richards():
    return System().run(18000)


# ---- dicts and strings --------------------------------------------------------------------------------------------------------------

TEXT = " ".join(f"{w}{i % 97}" for i in range(1500) for w in ("alpha", "beta,", "Gamma", "delta.", "EPSILON"))


def words(rounds=24):
    for _ in range(rounds):
        counts = {}
        for word in TEXT.split():
            word = word.strip(".,").lower()
            counts[word] = counts.get(word, 0) + 1
        lines = [f"{n:6} {word!r}" for word, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return len("\n".join(lines))


# ---- json ---------------------------------------------------------------------------------------------------------------------------

ROWS = [{"id": i, "name": f"row {i}", "tags": ["a", "b", str(i)], "price": i / 7, "nested": {"ok": i % 2 == 0, "none": None}}
        for i in range(300)]


def json_both(rounds=45):
    for _ in range(rounds):
        assert len(json.loads(json.dumps(ROWS))) == len(ROWS)


# ---- calls, generators --------------------------------------------------------------------------------------------------------------

def fib(n=26):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def queens(n=9):
    def place(row, columns, up, down):
        if row == n:
            yield columns
            return
        for c in range(n):
            if c not in columns and row + c not in up and row - c not in down:
                yield from place(row + 1, columns + (c,), up | {row + c}, down | {row - c})
    return sum(1 for _ in place(0, (), frozenset(), frozenset()))


def spin(runs):
    def go():
        for _ in range(int(runs)):
            fib(24)
    return wall(go)


LOOPS = {"nbody": nbody, "richards": richards, "words": words, "json": json_both, "fib": fib, "queens": queens}
operations = {name: lambda f=f: cpu(f) for name, f in LOOPS.items()}
operations["spin"] = spin
if __name__ == "__main__":
    for f in LOOPS.values():
        f()
    serve(operations)
