"""stackless.run(): watchdogs and their interrupts. runtime.md 1.3, row by row."""

import greenlet
import stackless
import sys
import threading
import time
from rows import main, raises, same, sliced, started
from stackless import channel, run, schedule, schedule_remove, tasklet

log = []


def say(*what):
    return lambda *_: log.extend(what)


def said():
    s = " ".join(map(str, log))
    log.clear()
    return s


def spin(n):
    for _ in range(n):
        pass


def run_returns_when_nobody_can_run():
    c = channel()
    t = tasklet(c.receive)()
    tasklet(say("a"))()
    assert run() is None
    same((stackless.runcount, c.balance, said()), (1, -1, "a"))
    t.kill()


def run_waits_for_those_that_sleep():
    def sleeps():
        time.sleep(0.01)
        log.append("slept")
        lock.acquire()
        same(lock.acquire(timeout=0.01), False)
        log.append("timed out")
    lock = threading.Lock()
    tasklet(sleeps)()
    assert run() is None
    same(said(), "slept timed out")


def threadblock_waits_for_what_other_threads_do_and_for_their_end():
    c, go = channel(), threading.Lock()
    go.acquire()

    def other():
        go.acquire()
        c.send("sent")
    thread = started(other)
    t = tasklet(lambda: (log.append(c.receive()), c.receive()))()
    run()
    same((said(), t.blocked), ("", -1))
    go.release()
    run(threadblock=True)
    same((said(), t.blocked), ("sent", -1))
    thread.join()
    t.kill()


def main_that_waits_learns_that_the_last_other_thread_has_ended():
    go = threading.Lock()
    go.acquire()
    thread = started(go.acquire)
    tasklet(go.release)()
    raises(RuntimeError, "the main tasklet is receiving without a sender available.", channel().receive)
    thread.join()


def a_hard_timeout_returns_the_victim_which_is_out_of_the_ring():
    n = [0]

    def f():
        while True:
            n[0] += 1
    t = tasklet(f)()
    assert run(1000) is t and t.paused and not t.scheduled
    same(stackless.runcount, 1)
    was = n[0]
    assert 50 < was < 1000
    t.insert()
    assert run(1000) is t and abs(n[0] - 2 * was) < 20
    t.kill()


def a_timeout_of_a_few_instructions_is_exact():
    t = tasklet(lambda: [None for _ in range(1000)])()
    turns = 0
    while (v := run(25)) is not None:
        assert v is t
        turns += 1
        v.insert()
    assert 60 < turns < 300, turns


def a_timeout_counts_each_slice_anew_unless_it_is_total():
    def polite(n):
        for _ in range(n):
            spin(20)
            schedule()
    for _ in range(2):
        tasklet(polite)(30)
    assert run(500) is None
    two = [tasklet(polite)(30) for _ in range(2)]
    v = run(500, totaltimeout=True)
    assert v in two
    v.insert()
    assert run(timeout=500, totaltimeout=True) in two
    [t.kill() for t in two]


def a_soft_timeout_comes_at_the_next_switch():
    def f():
        spin(1000)
        log.append("long")
        schedule()
        log.append("after")
    tasklet(f)(), tasklet(say("b"))()
    assert run(100, False, True) is None
    same((said(), stackless.runcount), ("long", 3))
    run()
    same(said(), "b after")


def a_meeting_on_a_channel_passes_a_soft_interrupt_on():
    c = channel()
    tasklet(lambda: (c.receive(), log.append("r"), schedule(), log.append("r2")))()
    run()
    tasklet(lambda: (spin(1000), c.send(1), log.append("s")))()
    run(100, soft=True)
    same(said(), "r")
    run()
    same(said(), "s r2")


def an_atomic_tasklet_is_not_interrupted_until_it_allows_it():
    def f():
        me = stackless.current
        old = me.set_atomic(True)
        log.append((old, me.atomic))
        spin(1000)
        log.append("atomic")
        me.set_atomic(old)
        spin(1000)
        log.append("after")
    t = tasklet(f)()
    assert run(200) is t
    same(said(), "(False, True) atomic")
    t.kill()

    def g():
        with stackless.atomic():
            spin(1000)
            log.append("in")
        spin(1000)
        log.append("out")
    t = tasklet(g)()
    assert run(200) is t
    same(said(), "in")
    t.kill()


def an_interrupt_waits_while_c_is_on_the_stack_unless_nesting_is_ignored():
    def sorts(ignore):
        if ignore:
            stackless.current.set_ignore_nesting(True)
        sorted([2, 1], key=lambda _: (spin(1000), log.append("sorted")))
        spin(1000)
        log.append("end")
    t = tasklet(sorts)(False)
    assert run(200) is t
    same(said(), "sorted sorted")
    t.kill()
    t = tasklet(sorts)(True)
    assert run(200) is t
    same((said(), t.nesting_level), ("", 1))
    t.kill()
    t = tasklet(sorts)(False)
    assert run(200, ignore_nesting=True) is t
    same(said(), "")
    t.kill()


def a_switch_trap_keeps_interrupts_away():
    def f():
        stackless.switch_trap(1)
        spin(1000)
        log.append("trapped")
        stackless.switch_trap(-1)
        spin(1000)
        log.append("after")
    t = tasklet(f)()
    assert run(200) is t
    same(said(), "trapped")
    t.kill()


def generators_are_counted_too():
    def gen():
        while True:
            yield

    def f():
        for _ in gen():
            pass
    t = tasklet(f)()
    assert run(2000) is t
    t.kill()


def an_interrupted_tasklet_can_be_killed_and_cleans_up():
    def f():
        try:
            while True:
                pass
        finally:
            log.append("finally")
    tasklet(f)()
    run(100).kill()
    same(said(), "finally")


def an_interrupted_tasklet_can_be_unbound_where_it_stands():
    def f():
        try:
            while True:
                pass
        finally:
            log.append("finally")
    for n in range(90, 120):
        tasklet(f)()
        t = run(n)
        frame = t.frame
        t.bind(None)
        assert not t.alive and frame.f_code.co_name == "f"
    same(said(), "")


def its_own_tracing_goes_on_while_it_is_counted():
    seen = []

    def tracer(frame, what, arg):
        seen.append(what)
        return tracer

    def f():
        sys.settrace(tracer)
        spin(100)
        sys.settrace(None)
    tasklet(f)()
    while (v := run(50)) is not None:
        v.insert()
    assert "call" in seen and seen.count("line") > 50 and sys.gettrace() is None


def _calls_that_greenlets_trace(run_them):
    """Those of leaf() in two that take turns and share what one has set, and what that is in the end."""
    seen = []

    def leaf():
        pass

    def tracer(frame, what, arg):
        if (frame.f_code, what) == (leaf.__code__, "call"):
            seen.append(greenlet.getcurrent() is back)
        return tracer

    def other():
        leaf()
        back.switch()
        leaf()

    def f():
        nonlocal back
        back, g = greenlet.getcurrent(), greenlet.greenlet(other)
        sys.settrace(tracer)
        g.switch()
        leaf()
        g.switch()
        leaf()
        seen.append(sys.gettrace() is tracer)
        sys.settrace(None)
    back = None
    run_them(f)
    return seen


def greenlets_share_their_tracing_while_they_are_counted():
    def counted(f):
        tasklet(f)()
        assert run(100000) is None
    same(_calls_that_greenlets_trace(lambda f: f()), [False, True, False, True, True])
    same(_calls_that_greenlets_trace(counted), [False, True, False, True, True])
    assert sys.gettrace() is None


@sliced
def a_tasklet_that_sets_tracing_is_counted_all_the_same():
    def f(tracer):
        sys.settrace(tracer)
        while True:
            pass
    for tracer in None, lambda *_: None:
        t = tasklet(f)(tracer)
        assert run(1000) is t and t.paused
        t.kill()


MANY = 3000000  # more than are counted one by one


@sliced
def many_instructions_are_a_time():
    n = [0]

    def f():
        while True:
            n[0] += 1
    t = tasklet(f)()
    assert run(MANY) is t and t.paused and not t.scheduled
    was = n[0]
    assert was > 1000
    t.insert()
    assert run(MANY, totaltimeout=True) is t and n[0] > was
    t.kill()


@sliced
def they_are_counted_anew_in_each_slice_unless_they_are_total():
    def polite(n):
        for _ in range(n):
            spin(1000)
            schedule()
    for _ in range(2):
        tasklet(polite)(500)
    assert run(MANY) is None
    two = [tasklet(polite)(10 ** 9) for _ in range(2)]
    assert run(MANY, totaltimeout=True) in two
    [t.kill() for t in two]


def they_wait_while_a_tasklet_is_atomic_or_c_is_on_the_stack_or_the_interrupt_is_soft():
    def long():
        spin(3 * MANY)

    def atomic():
        with stackless.atomic():
            long()
            log.append("atomic")
        while True:
            pass

    def sorts():
        sorted([1], key=lambda _: (long(), log.append("sorted")))
        while True:
            pass
    for f, name in (atomic, "atomic"), (sorts, "sorted"):
        t = tasklet(f)()
        assert run(MANY) is t
        same(said(), name)
        t.kill()
    t = tasklet(sorts)()
    assert run(MANY, ignore_nesting=True) is t
    same(said(), "")
    t.kill()
    tasklet(lambda: (long(), log.append("long"), schedule(), log.append("after")))(), tasklet(say("b"))()
    stackless._set_slice(0.01)
    assert run(MANY, soft=True) is None
    stackless._set_slice(0)
    same(said(), "long")
    run()
    same(said(), "b after")


@sliced
def without_slices_they_are_counted_too():
    stackless._set_slice(0)
    try:
        t = tasklet(spin)(10 ** 9)
        assert run(MANY) is t
        t.kill()
    finally:
        stackless._set_slice(0.01)


def watchdogs_nest_and_the_innermost_is_revived_first():
    def f():
        tasklet(say("child"))()
        run()
        log.append("inner")
    tasklet(f)()
    run()
    log.append("outer")
    same(said(), "child inner outer")


def only_the_outermost_timeout_interrupts():
    inner, long = [], []

    def f():
        long.append(tasklet(spin)(3000))
        inner.append(run(100))
    tasklet(f)()
    v = run(1000)
    assert v is long[0] and not inner
    schedule()
    same(inner, [None])
    v.kill()


def a_watchdog_that_wakes_frees_the_inner_ones():
    def g():
        stackless.main.insert()
        schedule_remove()

    def f():
        tasklet(g)()
        run()
        log.append("inner")
    tasklet(f)()
    run()
    log.append("outer")
    run()
    same(said(), "outer inner")


def a_timeout_that_is_no_number_is_refused():
    raises(TypeError, None, run, "soon")


if __name__ == "__main__":
    main(globals())
