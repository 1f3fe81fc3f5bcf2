"""A million tasklets come and go, and memory is flat."""

import gc
import stackless
from rows import main, started
from stackless import channel, run, schedule, schedule_remove, tasklet

ROUND = 10000


def resident():
    """KiB."""
    try:
        with open("/proc/self/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    except PermissionError:  # sealed: what Python has allocated
        import sys
        return sys.getallocatedblocks() // 16


def flat(make, rounds):
    for _ in range(3):
        make()
    gc.collect()
    before = resident()
    for _ in range(rounds):
        make()
    gc.collect()
    grown = resident() - before
    assert grown < 1024, f"{grown} KiB"


def a_million_tasklets_come_and_go_and_memory_flat():
    def nothing():
        pass

    def make():
        for _ in range(ROUND // 100):
            for _ in range(100):
                tasklet(nothing)()
            run()
    flat(make, 1000000 // ROUND)


def those_that_wait_are_killed_or_fail_leave_nothing():
    def waits(c):
        try:
            c.receive()
        finally:
            schedule()

    def fails():
        raise stackless.TaskletExit

    def make():
        for _ in range(20):
            c = channel()
            for _ in range(10):
                tasklet(waits)(c)
                tasklet(fails)()
                tasklet(lambda: schedule_remove(None))()
            run()
            while c.balance < 0:
                c.send(1) if c.balance % 2 else c.queue.kill()
            run()
    flat(make, 100)


def greenlets_that_are_dropped_leave_nothing():
    from greenlet import getcurrent, greenlet

    def suspended(parent):
        parent.switch(1)

    def make():
        for _ in range(500):
            greenlet(suspended).switch(getcurrent())
            greenlet(lambda: None).switch()
    flat(make, 50)


def threads_that_had_tasklets_and_greenlets_leave_nothing():
    from greenlet import greenlet

    def other():
        tasklet(int)()
        run()
        greenlet(int).switch()

    def make():
        for _ in range(5):
            started(other).join()
    for _ in range(3):
        make()
    gc.collect()
    objects = len(gc.get_objects())
    flat(make, 50)
    gc.collect()
    grown = len(gc.get_objects()) - objects
    assert grown < 50, f"{grown} objects"


if __name__ == "__main__":
    main(globals())
