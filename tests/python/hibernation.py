"""What is on a tasklet's C stack goes away and comes back, and nobody can tell."""

import asyncio
import gc
import json
import re
import stackless
import sys
import threading
import time
import traceback
import weakref
from rows import main, raises, same, sliced
from stackless import channel, run, schedule, schedule_remove, tasklet

MANY = 40000  # more than there is room for in 65,530 mappings of memory, two for each stack

log = []


def said():
    s = " ".join(map(str, log))
    log.clear()
    return s


def away(*tasklets):
    for t in tasklets:
        assert t.hibernate() is t
        assert t.hibernated and t.alive, t
    return tasklets[0]


def parked(f, *args):
    """A tasklet that is away, in f."""
    t = tasklet(f)(*args)
    t.run()
    return away(t)


def resume(t, value=None):
    t.tempval = value
    t.insert()
    run()


# ---- what it was in ---------------------------------------------------------------------------------------------------------------------

def a_wait_in_an_except_block_comes_back_to_the_exception():
    def f():
        try:
            raise KeyError("outer")
        except KeyError:
            try:
                raise ValueError("inner")
            except ValueError:
                schedule_remove()
                log.append(sys.exc_info()[1].args[0])
                log.append(sys.exc_info()[1].__context__.args[0])
            log.append(sys.exc_info()[1].args[0])
        log.append(sys.exc_info()[1])
    t = parked(f)
    same(sys.exc_info(), (None, None, None))
    resume(t)
    same(said(), "inner outer outer None")


def a_wait_in_a_with_block_leaves_it_properly():
    class manager:
        def __enter__(self):
            log.append("in")
            schedule_remove()
            return self

        def __exit__(self, *error):
            schedule_remove()
            log.append(f"out {error[1]}")
            return True

    def f():
        with manager():
            raise OSError(7)
        log.append("after")
    t = parked(f)
    resume(t)
    resume(away(t))
    same(said(), "in out 7 after")


def a_wait_in_a_generator_in_a_generator_goes_on_there():
    c = channel()

    def inner():
        for _ in range(3):
            yield c.receive()

    def outer():
        yield from (x * 2 for x in inner())

    def f():
        log.extend(outer())
    t = tasklet(f)()
    run()
    for i in range(3):
        away(t)
        gc.collect()
        c.send(i)
        run()
    same(said(), "0 2 4")


def a_wait_under_many_calls_through_c_keeps_all_of_them():
    class deep:
        def __init__(self, n):
            self.n = n

        def __repr__(self):
            if self.n == 0:
                schedule_remove()
                return "end"
            return "(" + repr(deep(self.n - 1)) + str(self.n) + ")"

    def f(n):
        log.append(repr(deep(n)))
    expected = "end"
    for i in range(100):
        expected = f"({expected}{i + 1})"
    several = [parked(f, 100) for _ in range(5)]
    for _ in range(50):  # and others on stacks like theirs
        tasklet(f)(3)
    run()
    for t in stackless.main, *several:
        if t is not stackless.main:
            resume(away(t))
    same(log, [expected] * 5)
    log.clear()


def c_code_that_points_into_its_own_stack_finds_it_there():
    def f():
        numbers = sorted(range(50), key=lambda i: (schedule_remove(), -i)[1])  # the list's keys are on the stack
        text = re.sub("[0-9]", lambda m: str(schedule_remove(m[0])) + ".", "a1b2c3")
        dumped = json.dumps([{1}, {2}], default=lambda s: (schedule_remove(), list(s))[1])
        log.extend([numbers == list(range(49, -1, -1)), text, dumped])
    t = tasklet(f)()
    t.run()
    others = [parked(f) for _ in range(3)]
    while t.alive:
        away(t)
        t.insert()
        run()
    same(log, [True, "a1.b2.c3.", "[[1], [2]]"])
    log.clear()
    for t in others:
        t.kill()


def an_event_loop_in_a_tasklet_goes_on():
    import coop_asyncio
    c = channel()

    async def wait():
        return await coop_asyncio.receive(c)

    def f():
        with asyncio.Runner(loop_factory=coop_asyncio.EventLoopPolicy().new_event_loop) as runner:
            log.append(runner.run(wait()))
    t = tasklet(f)()
    while c.balance == 0:
        schedule()
    away(t)
    c.send(5)
    run()
    same(said(), "5")


# ---- who looks at it --------------------------------------------------------------------------------------------------------------------

def its_frames_can_be_looked_at():
    def inner(secret):
        schedule_remove()
        return secret

    def f():
        log.append(inner("hidden"))
    t = parked(f)
    same(t.frame.f_code.co_name, "inner")
    same(t.frame.f_locals, {"secret": "hidden"})
    same(t.frame.f_back.f_code.co_name, "f")
    same([s.name for s in traceback.extract_stack(t.frame)][-2:], ["f", "inner"])
    assert t.recursion_depth >= 2
    frame = t.frame
    assert any(f is frame for f in sys._current_frames().values())
    gc.collect()
    assert t.hibernated
    resume(t)
    same(said(), "hidden")
    same(frame.f_locals, {"secret": "hidden"})


def what_only_its_frames_know_is_not_collected():
    class thing:
        pass
    known = []

    def f():
        mine = thing()
        mine.itself = mine
        known.append(weakref.ref(mine))
        schedule_remove()
        log.append(mine.itself is mine)
    t = parked(f)
    gc.collect()
    assert known[0]() is not None
    resume(t)
    same(said(), "True")
    gc.collect()
    assert known[0]() is None


def it_is_traced_from_its_next_turn_on():
    def f():
        schedule_remove()
        return g()

    def g():
        return 1

    def tracer(frame, what, arg):
        log.append(f"{what}:{frame.f_code.co_name}")
        return tracer
    t = parked(f)
    t.trace_function = tracer
    assert t.trace_function is tracer and t.hibernated
    resume(t)
    assert "call:g" in log, log
    log.clear()
    assert sys.gettrace() is None


# ---- who wakes it -----------------------------------------------------------------------------------------------------------------------

def one_that_is_killed_cleans_up():
    def f():
        try:
            schedule_remove()
        finally:
            schedule()
            log.append("clean")
    t = parked(f)
    t.kill()
    run()
    same(said(), "clean")
    assert not t.alive and not t.hibernated


def what_is_thrown_is_raised_in_it():
    def f():
        try:
            schedule_remove()
        except KeyError as e:
            log.append(e)
            schedule_remove()
    t = parked(f)
    t.throw(KeyError("now"))
    away(t)
    t.throw(stackless.TaskletExit, pending=True)
    assert t.hibernated and t.scheduled
    run()
    same(said(), "'now'")
    assert not t.alive


def what_it_raises_itself_is_mains():
    def f():
        schedule_remove()
        raise LookupError("mine")
    t = parked(f)
    t.insert()
    raises(LookupError, "mine", run)


def one_that_nobody_knows_is_thrown_out():
    def f():
        try:
            schedule_remove()
        finally:
            log.append("out")
    t = parked(f)
    del t
    gc.collect()
    run()
    same(said(), "out")


@sliced
def one_that_was_interrupted_in_its_turn_computes_on():
    def f():
        x = 0
        for i in range(2000000):
            x += i
        log.append(x)
    t = tasklet(f)()
    n = 0
    while t.alive:
        schedule()
        if t.alive:
            away(t)
            n += 1
    assert n > 0
    same(said(), str(sum(range(2000000))))


def a_sleep_and_a_lock_end_it():
    lock = threading.Lock()

    def sleeps():
        time.sleep(0.05)
        log.append("slept")

    def locks():
        with lock:
            log.append("locked")
    lock.acquire()
    t = tasklet(sleeps)(), tasklet(locks)()
    schedule()
    t[0].hibernate()  # it may have slept already, on a machine with much to do
    away(t[1])
    lock.release()
    run()
    same(sorted(log), ["locked", "slept"])
    log.clear()


def another_thread_wakes_it():
    c = channel()

    def f():
        log.append(c.receive())
    t = tasklet(f)()
    run()
    away(t)
    thread = threading.Thread(target=c.send, args=["from there"])
    try:
        thread.start()
    except RuntimeError as e:  # a job's limit is one
        assert "thread" in str(e), e
        c.send("from there")
    else:
        while t.alive:
            run(threadblock=True)
            schedule()
        thread.join()
    same(said(), "from there")


def a_greenlet_switches_to_one_whose_tasklet_is_away():
    from greenlet import getcurrent, greenlet
    main = getcurrent()

    def f(x):
        while x is not None:
            log.append(x)
            x = main.switch(x + 1)
    g = greenlet(f)
    same(g.switch(1), 2)
    for t in gc.get_objects():
        if type(t) is tasklet and t.paused and not t.is_main:
            t.hibernate()
    same(g.switch(5), 6)
    g.switch(None)
    same(said(), "1 5")


# ---- who cannot -------------------------------------------------------------------------------------------------------------------------

def who_runs_and_who_has_no_stack_cannot():
    raises(RuntimeError, "The current tasklet cannot be hibernated.", stackless.main.hibernate)
    t = tasklet(lambda: raises(RuntimeError, "The main tasklet cannot be hibernated.", stackless.main.hibernate))()
    run()
    t = tasklet(len)
    assert t.hibernate() is t and not t.hibernated
    t("")
    assert away(t).hibernate() is t  # before its first turn
    run()
    assert t.hibernate() is t and not t.hibernated and not t.alive


# ---- many -------------------------------------------------------------------------------------------------------------------------------

def more_wait_than_there_are_stacks():
    def f(i):
        mine = [i]
        for k in range(2):
            try:
                raise KeyError(i)
            except KeyError as e:
                mine.append(schedule_remove())
                assert e.args == (i,) and sys.exc_info()[1] is e
        assert mine == [i, -i, i + 1]
        done[i] += 1
    done = [0] * MANY
    all = [tasklet(f)(i) for i in range(MANY)]
    run()
    assert sum(t.paused for t in all) == MANY
    assert sum(t.hibernated for t in all) > MANY - 10000
    for value in lambda i: -i, lambda i: i + 1:
        for i, t in enumerate(all):
            t.tempval = value(i)
        for i in range(MANY):
            all[i * 7919 % MANY].insert()
        run()
    same(sum(done), MANY)
    assert not any(t.alive or t.hibernated for t in all)


def the_oldest_of_a_few_thousand_hibernate_by_themselves():
    c = channel()
    all = []
    for _ in range(50):
        all += [tasklet(c.receive)() for _ in range(100)]
        run()
    assert sum(t.hibernated for t in all[:1000]) > sum(t.hibernated for t in all[-1000:]) == 0
    while c.balance < 0:
        c.send(None)
    run()
    assert not any(t.alive for t in all)


if __name__ == "__main__":
    main(globals())
