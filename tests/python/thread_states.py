"""Every tasklet has a thread state of its own: runtime.md 4.3, each pitfall a row."""

import builtins
import contextvars
import ctypes
import gc
import logging
import queue
import stackless
import sys
import threading
import time
from rows import Skipped, main, raises, same, sliced, started, together, until
from stackless import channel, run, schedule, schedule_remove, tasklet

log = []


def said():
    s = " ".join(map(str, log))
    log.clear()
    return s


def state():
    f = ctypes.pythonapi.PyThreadState_Get
    f.restype = ctypes.c_void_p
    return f()


# ---- 1: what a thread is told to be its state -----------------------------------------------------------------------------------------

def a_callback_of_ctypes_runs_on_the_tasklets_own_state():
    if "_coop" in sys.modules:
        raise Skipped("sealed: a callback would be machine code that is made now")

    def calls(kind):
        seen = []
        back = kind(ctypes.c_int)(lambda: (seen.append((state(), stackless.current)), schedule(), seen.append((state(), stackless.current)), 7)[3])
        schedule()
        same(back(), 7)
        same(seen, [(state(), stackless.current)] * 2)
        return state()
    two = [lambda: calls(ctypes.PYFUNCTYPE), lambda: calls(ctypes.CFUNCTYPE)]
    states = together(*two, *two)
    assert len(set(states)) == 4 and state() not in states


# ---- 2: turns of those who compute ------------------------------------------------------------------------------------------------------

@sliced
def three_that_compute_share_the_processor():
    until, counts = time.process_time() + 0.4, [0, 0, 0]

    def f(i):
        while time.process_time() < until:
            counts[i] += 1
    together(*(lambda i=i: f(i) for i in range(3)))
    assert min(counts) > sum(counts) / 10, counts


def no_slice_ends_while_atomic_or_in_the_collector():
    order = []

    def busy(name):
        """Slices end from here on, until it has said so: before and after it another's turn is nobody's business."""
        stackless._set_slice(0.01)
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
        order.append(name)
        stackless._set_slice(0)

    def atomically():
        with stackless.atomic():
            busy("atomic")

    class Cycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            busy("collected")

    def collects():
        Cycle()
        gc.collect()
    for f, name in (atomically, "atomic"), (collects, "collected"):
        order.clear()
        together(f, lambda: order.append("other"))
        same(order, [name, "other"])


class _Slow:
    """A module whose first line takes as long as wait() does."""
    def __init__(self, wait):
        self.wait = wait

    def find_spec(self, name, path=None, target=None):
        from importlib.machinery import ModuleSpec
        return ModuleSpec(name, self) if name == "slow_module" else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self.wait()
        module.value = 1


def _imported_at_once(wait, *others):
    """What three that import it have of it, while others have turns, too."""
    def imports():
        import slow_module
        return slow_module.value
    finder = _Slow(wait)
    sys.meta_path.insert(0, finder)
    try:
        return together(imports, imports, imports, *others)[:3]
    finally:
        sys.meta_path.remove(finder)
        sys.modules.pop("slow_module", None)


@sliced
def a_slice_may_end_in_an_import_and_whoever_imports_the_same_has_it_whole():
    others, limit = [], time.process_time() + 5

    def wait():
        while not others and time.process_time() < limit:
            pass
    same(_imported_at_once(wait, lambda: others.append("slow_module" in sys.modules)), [1, 1, 1])
    assert others == [True] and time.process_time() < limit, others


# ---- 4: where no tasklet may give up its turn ------------------------------------------------------------------------------------------

def the_collector_keeps_its_turn():
    class Cycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            log.append(str(raises(RuntimeError, None, schedule)))

    def f():
        Cycle()
        gc.collect()
    together(f, lambda: None)
    same(said(), "a tasklet cannot be switched here: the garbage collector is at work")


def _tries(*_):
    log.append(str(raises(RuntimeError, None, schedule)).split(": ")[1])


def whoever_is_told_of_a_collection_keeps_its_turn():
    same(gc.callbacks, [])
    for change in (lambda: gc.callbacks.append(_tries), lambda: gc.callbacks.insert(0, _tries), lambda: gc.callbacks.__setitem__(slice(None), [_tries])):
        change()
        try:
            together(gc.collect, lambda: None)
        finally:
            gc.callbacks.clear()
        same(said(), " ".join(["the garbage collector is at work"] * 2))


def the_collector_keeps_its_turn_whatever_becomes_of_its_callbacks():
    class Cycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            _tries()

    def f():
        Cycle()
        gc.collect()
    gc.callbacks.clear()
    together(f, lambda: None)
    same(said(), "the garbage collector is at work")
    known = sys.modules.pop("gc")
    import gc as anew
    sys.modules["gc"] = known
    before = anew.callbacks[:]
    for change in (anew.callbacks.clear, lambda: anew.callbacks.append(_tries), lambda: anew.callbacks.extend([_tries, *before])):
        change()
        try:
            together(f, lambda: None)
        finally:
            anew.callbacks[:] = before
        assert set(said().split(" the ")) >= {"the garbage collector is at work"}
    together(f, lambda: None)
    same(said(), "the garbage collector is at work")


def what_a_callback_of_the_collectors_raises_is_unraisable():
    def fails(*_):
        raise ValueError("fails")
    before, sys.unraisablehook = sys.unraisablehook, lambda u: log.append(f"{u.exc_value} {u.object is fails}")
    gc.callbacks[:] = [fails, lambda phase, info: log.append(f"{phase} {info['generation']}")]
    try:
        gc.collect(1)
    finally:
        sys.unraisablehook = before
        gc.callbacks.clear()
    same(said(), "fails True start 1 fails True stop 1")


def an_object_that_is_deallocated_keeps_its_turn():
    class Item:
        def __del__(self):
            log.append(str(raises(RuntimeError, None, schedule)))

    def f():
        x = [Item()]
        del x
    together(f, lambda: None)
    same(said(), "a tasklet cannot be switched here: an object is being deallocated")


def a_generators_finally_may_give_up_its_turn_though_it_is_taken_apart():
    def generator():
        try:
            yield
        finally:
            schedule()
            log.append("finally")
    g = generator()
    next(g)
    tasklet(log.append)("other")
    del g
    same(said(), "other finally")


def a_pending_call_of_c_may_give_up_its_turn_and_the_next_ones_wait_for_it():
    api = ctypes.pythonapi
    call, lines = ctypes.cast(api.PyRun_SimpleString, ctypes.c_void_p), (b"import builtins; builtins.pending('first')", b"import builtins; builtins.pending('next')")

    def pending(name):
        log.append(name)
        schedule()
        log.append(name)

    def other():
        for _ in range(1000):
            pass
        log.append("other")
    builtins.pending = pending
    tasklet(other)()
    for line in lines:
        same(api.Py_AddPendingCall(call, ctypes.c_char_p(line)), 0)
    while len(log) < 5:
        pass
    del builtins.pending
    same(said(), "first other first next next")


def tasklets_that_import_one_module_all_have_it_whole():
    def wait():
        schedule()
        schedule()
    same(_imported_at_once(wait), [1, 1, 1])


# ---- 5: recursion ------------------------------------------------------------------------------------------------------------------------

def the_recursion_limit_is_each_tasklets_own():
    def deep(n):
        if n:
            return deep(n - 1)
        schedule()
        return "deep"
    same(together(*[lambda: deep(900)] * 3), ["deep"] * 3)
    together(lambda: raises(RecursionError, None, deep, 10 ** 6))


def recursion_through_c_is_a_recursionerror_and_no_crash():
    import copy
    import json
    import pickle

    class Init:
        def __init__(self):
            Init()

    class Attr:
        def __getattr__(self, name):
            return getattr(self, name + "x")

    class Repr:
        def __repr__(self):
            return repr(self)
    nested = []
    for _ in range(100000):
        nested = [nested]

    def through_sorted():
        return sorted([1], key=lambda _: through_sorted())
    for f in (Init, lambda: Attr().x, lambda: repr(Repr()), through_sorted, lambda: repr(nested), lambda: json.loads("[" * 100000),
              lambda: pickle.dumps(nested), lambda: copy.deepcopy(nested), lambda: compile("-" * 5000 + "1", "x", "eval")):
        together(lambda: raises(RecursionError, None, f))
    while nested:
        nested = nested[0]


def source_that_is_nested_deeply_compiles_in_a_tasklet():
    text = "(" * 180 + ")" * 180
    same(together(lambda: eval(text)), [()])


def a_tasklet_goes_on_after_its_recursionerror():
    def through_c():
        return list(map(lambda _: through_c(), [1]))

    def f():
        for _ in range(3):
            raises(RecursionError, None, through_c)
        schedule()
        return "on"
    same(together(f, f), ["on", "on"])


# ---- 6: identity, locks --------------------------------------------------------------------------------------------------------------

def each_tasklet_has_an_identity_of_its_own():
    def f():
        me = threading.get_ident()
        schedule()
        assert threading.get_ident() == me and threading.current_thread().ident == me
        return me
    idents = together(f, f, f) + [threading.get_ident()]
    same(len(set(idents)), 4)
    assert threading.current_thread() is threading.main_thread()
    same(set(threading._active), {threading.main_thread().ident})


def a_thread_local_is_a_tasklets_own():
    local = threading.local()

    def f(i):
        local.value = i
        schedule()
        return local.value
    same(together(*(lambda i=i: f(i) for i in range(3))), [0, 1, 2])
    assert not hasattr(local, "value")


def an_rlock_excludes_tasklets_and_not_its_owner():
    lock, inside = threading.RLock(), []

    def f():
        with lock, lock:
            assert not inside
            inside.append(1)
            schedule()
            schedule()
            inside.pop()
    together(f, f, f)
    raises(RuntimeError, "cannot release un-acquired lock", lock.release)
    together(lock.acquire)
    raises(RuntimeError, "cannot release un-acquired lock", lock.release)


def a_lock_lets_the_others_run_while_one_waits():
    lock = threading.Lock()

    def holder():
        with lock:
            for _ in range(3):
                log.append("h")
                schedule()

    def waiter():
        with lock:
            log.append("w")

    def other():
        for _ in range(3):
            log.append("o")
            schedule()
    together(holder, waiter, other)
    same(said(), "h o h o h o w")
    assert not lock.locked() and lock.acquire(False)
    same(together(lambda: lock.acquire(False), lambda: lock.acquire(timeout=0.01)), [False, False])
    lock.release()
    raises(RuntimeError, "release unlocked lock", lock.release)


def conditions_events_semaphores_and_queues_join_tasklets():
    q, event, cond, sem, got = queue.Queue(1), threading.Event(), threading.Condition(), threading.Semaphore(0), []

    def consumer():
        while (x := q.get()) is not None:
            got.append(x)
        event.set()

    def producer():
        for i in range(5):
            q.put(i)
        q.put(None)

    def waits():
        event.wait()
        with cond:
            cond.notify_all()
        sem.release()

    def condition():
        with cond:
            return cond.wait(10)
    same(together(consumer, condition, producer, waits, sem.acquire)[1], True)
    same(got, list(range(5)))


def logging_from_several_tasklets_does_not_lock():
    class Yields(logging.Handler):
        def emit(self, record):
            schedule()
            log.append(record.getMessage())
    logger = logging.Logger("rows")
    logger.addHandler(Yields())
    together(*(lambda i=i: logger.warning("m%d", i) for i in range(3)))
    same(sorted(said().split()), ["m0", "m1", "m2"])


def sleep_lets_the_others_run():
    def sleeps():
        due = time.monotonic() + 0.01
        while len(log) < 2:
            time.sleep(0.01)
            assert time.monotonic() >= due
        log.append("slept")

    def others():
        for _ in range(3):
            schedule()
        log.append("other")
    together(sleeps, others, others)
    same(said(), "other other slept")


# ---- 7: contexts ---------------------------------------------------------------------------------------------------------------------

var = contextvars.ContextVar("var", default="none")


def a_tasklet_begins_with_a_copy_of_its_makers_context():
    token = var.set("main")

    def f(i):
        before = var.get()
        var.set(i)
        schedule()
        return before, var.get()
    same(together(*(lambda i=i: f(i) for i in range(3))), [("main", 0), ("main", 1), ("main", 2)])
    same(var.get(), "main")
    var.reset(token)
    same(together(var.get), ["none"])


# ---- 9: a life ------------------------------------------------------------------------------------------------------------------------

def nothing_of_one_tasklet_is_found_by_the_next_on_its_state():
    class Value:
        def __del__(self):
            log.append("gone")
    local = threading.local()

    def leaves():
        local.value = Value()
        var.set("left")
        sys.settrace(lambda *a: None)
        sys.set_asyncgen_hooks(lambda a: None, lambda a: None)
        try:
            raise ValueError
        except ValueError:
            raise stackless.TaskletExit

    def finds():
        return (hasattr(local, "value"), var.get(), sys.gettrace(), sys.exc_info(), tuple(sys.get_asyncgen_hooks()))
    together(leaves)
    same(said(), "gone")
    same(together(finds, finds), [(False, "none", None, (None, None, None), (None, None))] * 2)


def an_error_that_is_handled_is_a_tasklets_own():
    def f(e):
        try:
            raise e
        except type(e):
            schedule()
            same(sys.exc_info()[1], e)
            try:
                schedule()
                raise KeyError
            except KeyError as k:
                assert k.__context__ is e
                return True
    same(together(lambda: f(ValueError()), lambda: f(TypeError()), lambda: sys.exc_info()), [True, True, (None, None, None)])


def a_generator_that_runs_in_one_tasklet_is_refused_to_the_next():
    def gen():
        schedule()
        yield 1
        yield 2
    g = gen()
    same(together(lambda: next(g), lambda: str(raises(ValueError, None, next, g))), [1, "generator already executing"])
    same(next(g), 2)


def frames_of_all_tasklets_are_known_to_sys():
    t = tasklet(schedule_remove)(None)
    s = tasklet(lambda: schedule_remove(None))()
    run()
    frames = sys._current_frames()
    assert any(f is s.frame for f in frames.values()) and frames[threading.get_ident()] is sys._getframe()
    t.kill(), s.kill()


def an_async_exception_meets_its_tasklet():
    idents = []

    def f():
        idents.append(threading.get_ident())
        schedule_remove(None)
        for _ in range(1000000):
            pass
    t = tasklet(lambda: raises(KeyError, None, f))()
    run()
    same(ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(idents[0]), ctypes.py_object(KeyError)), 1)
    other = together(lambda: sum(range(1000)))
    t.insert()
    run()
    assert other == [499500] and not t.alive


def sched_of_another_thread_is_its_own():
    done, c = [], channel()

    def other():
        done.append((stackless.main is not main_tasklet, stackless.current is stackless.main, stackless.getruncount()))
        t = tasklet(lambda: done.append(stackless.current.thread_id == stackless.main.thread_id))()
        raises(RuntimeError, "can't switch to a different thread.", paused.run)
        run()
        done.append(t.alive)
        c.send("across")
    main_tasklet = stackless.main
    paused = tasklet(lambda: schedule_remove(None))()
    run()
    thread = started(other)
    same(c.receive(), "across")
    thread.join()
    same(done, [(True, True, 1), True, False])
    paused.kill()


def a_channel_joins_tasklets_of_two_threads():
    there, back = channel(), channel()

    def other():
        for _ in range(100):
            back.send(there.receive() + 1)
    thread = started(other)
    got = []
    for i in range(100):
        there.send(i)
        got.append(back.receive())
    thread.join()
    same(got, list(range(1, 101)))


def a_thread_that_has_no_tasklets_sees_the_neighbours_of_others():
    c, go, seen = channel(), [], []

    def look():
        until(lambda: go)
        for t in waiting + queued:
            seen.append((t.prev, t.next))
        seen.append(c.queue)
    thread = started(look)
    waiting = [tasklet(c.receive)() for _ in range(2)]
    run()
    with stackless.atomic():
        queued = [tasklet(lambda: None)() for _ in range(2)]
        go.append(1)
        until(lambda: len(seen) == 5 or not thread.is_alive())
    same(seen, [(None, waiting[1]), (waiting[0], None), (stackless.main, queued[1]), (queued[0], stackless.main), waiting[0]])
    for t in waiting + queued:
        t.kill()


def tasklets_of_a_thread_that_ends_are_thrown_out():
    kept = []

    def f():
        try:
            schedule_remove(None)
        finally:
            log.append("finally")

    def other():
        kept.append(tasklet(f)())
        run()
    thread = started(other)
    thread.join()
    same(said(), "finally")
    assert not kept[0].alive and kept[0].thread_id == -1


def one_whose_last_reference_goes_in_another_thread_is_thrown_out_in_its_own():
    def goes(last_turns):
        kept, dropped = [], []

        def f():
            try:
                schedule_remove(None)
            finally:
                log.append(stackless.main.thread_id)

        def other():
            t = tasklet(f)()
            run()
            kept.append((stackless.main.thread_id, [t]))
            del t
            until(lambda: dropped)
            last_turns()
        thread = started(other)
        until(lambda: kept)
        ident, one = kept[0]
        if last_turns is cycle:
            one.append(one)
            kept.clear()
            del one
            gc.collect()
        else:
            one.clear()
        many = [tasklet(print) for _ in range(200)]  # where it was, if it is gone
        dropped.append(True)
        thread.join()
        same(log, [ident])
        same({t.thread_id for t in many}, {stackless.main.thread_id})
        log.clear()

    def ends():
        pass

    def cycle():
        pass

    def goes_on():
        while not log:
            schedule()
    for last_turns in ends, cycle, goes_on:
        goes(last_turns)


def a_lock_that_is_free_goes_to_the_next_when_the_one_that_was_woken_for_it_is_killed_or_too_late():
    def goes(end, *timeout):
        lock, got = threading.Lock(), []

        def f(name, *timeout):
            if lock.acquire(True, *timeout):
                got.append(name)
                lock.release()
        lock.acquire()
        first, second = tasklet(f)("first", *timeout), tasklet(f)("second")
        schedule()
        lock.release()
        end(first)
        run()
        same((got[-1:], lock.locked(), second.alive), (["second"], False, False))

    def throws(t):
        raises(KeyError, None, t.throw, KeyError)
    goes(tasklet.kill)
    goes(throws)
    goes(lambda t: t.kill(pending=True))


def due():
    """Somebody else could run by now, and has not."""
    stackless.switch_trap(1)
    while stackless.runcount == 1:
        raises(RuntimeError, "switch_trap", channel().receive)
    stackless.switch_trap(-1)


def a_kill_between_the_timeout_of_a_lock_and_the_turn_is_met():
    lock = threading.Lock()
    lock.acquire()
    t = tasklet(lambda: log.append(lock.acquire(timeout=0.001)))()
    schedule()
    due()
    t.kill()
    same((log, t.alive), ([], False))


def a_kill_between_an_answer_and_the_turn_is_met():
    if "_coop" not in sys.modules:
        raise Skipped("there is nobody to ask")
    from coop import errors, queues

    def asks():
        try:
            queues.create(max_items=1)
        except errors.NotAllowed:
            log.append("answered")
    for end in tasklet.kill, lambda t: raises(KeyError, None, t.throw, KeyError):
        t = tasklet(asks)()
        schedule()
        due()
        end(t)
        same((log, t.alive), ([], False))
    t = tasklet(asks)()
    run()
    same(said(), "answered")


def one_that_another_thread_wakes_and_its_own_throws_at_is_woken_once():
    first, second, ready, sent = channel(), channel(), [], []

    def f():
        raises(ValueError, None, first.receive)
        log.append(second.receive())

    def other():
        t = tasklet(f)()
        schedule()
        ready.append(True)
        until(lambda: sent)
        t.throw(ValueError)
        for _ in range(200):
            schedule()
        log.append((t.alive, second.balance))
        second.send("value") if t.alive else None
    thread = started(other)
    until(lambda: ready)
    first.send("never met")
    sent.append(True)
    thread.join()
    same(said(), "(True, -1) value")


def one_that_a_thread_was_given_and_has_run_at_once_is_woken_by_another_all_the_same():
    c, ident, given, waits, sent = channel(), [], [], [], []

    def other():
        ident.append(stackless.main.thread_id)
        until(lambda: given)
        given[0].run()
        waits.append(True)
        until(lambda: sent)
        for _ in range(200):
            schedule()
        log.append(given[0].alive)
    thread = started(other)
    until(lambda: ident)
    t = tasklet(lambda: log.append(c.receive()), ())
    t.bind_thread(ident[0])
    t.insert()
    raises(RuntimeError, "can't (re)bind a runnable tasklet", t.bind_thread)
    raises(RuntimeError, "tasklet is scheduled", t.bind, print)
    given.append(t)
    until(lambda: waits)
    c.send("value")
    same(c.balance, 0)
    sent.append(True)
    thread.join()
    same(said(), "value False")


def a_runnable_tasklet_of_another_thread_is_not_removed():
    made, counted = [], []

    def other():
        made.append(tasklet(lambda: log.append("ran"))())
        until(lambda: counted)
        log.append(stackless.runcount)
        run()
    thread = started(other)
    until(lambda: made)
    raises(RuntimeError, "can't remove a tasklet of a different thread.", made[0].remove)
    counted.append(stackless.runcount)
    thread.join()
    same((said(), counted), ("2 ran", [1]))


def what_is_thrown_at_one_that_was_given_to_another_thread_is_raised_there():
    ident, thrown = [], []

    def other():
        ident.append(stackless.main.thread_id)
        until(lambda: len(thrown) == 2)
        for _ in range(2):
            raises(KeyError, None, run)
    thread = started(other)
    until(lambda: ident)
    for pending in False, True:
        t = tasklet(print, ())
        t.bind_thread(ident[0])
        t.throw(KeyError, pending=pending)
        same((t.thread_id, stackless.runcount), (ident[0], 1))
        thrown.append(t)
    thread.join()
    assert not thrown[0].alive and not thrown[1].alive


def one_that_no_kill_ends_never_runs_again_when_its_thread_has_ended():
    kept, lock, c = [], threading.Lock(), channel()

    def stays(wait):
        while True:
            try:
                wait()
            except BaseException:
                pass

    def other():
        lock.acquire()
        kept.extend(tasklet(stays)(wait) for wait in (lambda: schedule_remove(None), lock.acquire, c.receive))
        run()
    started(other).join()
    same([(t.alive, t.thread_id) for t in kept], [(True, -1)] * 3)
    same((c.balance, lock.locked()), (0, True))
    lock.release()
    assert not lock.locked()
    raises(RuntimeError, "the tasklet's thread has ended", kept[0].insert)
    raises(RuntimeError, "can't switch to a different thread.", kept[0].run)
    for t in kept:
        raises(RuntimeError, "You cannot throw to a dead tasklet", t.throw, KeyError)
        same((t.kill(), t.alive), (None, False))
    kept.clear()


def one_that_was_given_to_a_thread_that_has_ended_waits_for_another():
    ident, given = [], []

    def other():
        ident.append(stackless.main.thread_id)
        until(lambda: given)
    thread = started(other)
    until(lambda: ident)
    t, late = tasklet(log.append, ("ran",)), tasklet(log.append, ("never",))
    t.bind_thread(ident[0]), late.bind_thread(ident[0])
    late.insert()
    given.append(late)
    thread.join()
    same((t.thread_id, late.alive), (-1, False))
    raises(RuntimeError, "the tasklet's thread has ended", t.insert)
    raises(RuntimeError, "You cannot throw to a dead tasklet", t.throw, KeyError)
    t.bind_thread()
    t.insert()
    run()
    same(said(), "ran")


@sliced
def slices_end_while_another_thread_counts_instructions():
    counts, stop, turns = [], [], [0, 0]

    def spins():
        counts.append(True)
        until(lambda: stop)

    def other():
        tasklet(spins)()
        run(10 ** 9)
    thread = started(other)
    until(lambda: counts)
    limit = time.process_time() + 5

    def f(i):
        while time.process_time() < limit and not all(turns):
            turns[i] += 1
    tasklet(f)(0), tasklet(f)(1)
    run()
    stop.append(True)
    thread.join()
    assert all(turns), turns


def a_thread_goes_on_counting_when_another_has_counted():
    lock, waits, victims, stop = threading.Lock(), [], [], []

    def spins():
        until(lambda: stop)

    def f():
        waits.append(tasklet(spins))
        lock.acquire()
        waits[0]()
        schedule()

    def other():
        tasklet(f)()
        victims.append(run(10000, threadblock=True))
        stop.append(True)
    lock.acquire()
    thread = started(other)
    until(lambda: waits)
    tasklet(int)()
    run(10)
    lock.release()
    thread.join(5)
    stop.append(True)
    thread.join()
    same(victims, waits)


def a_callback_of_one_thread_keeps_no_other_from_its_channels():
    first, entered, done = stackless.main, [], []

    def callback(*what):
        if stackless.main is first and not entered:
            entered.append(True)
            until(lambda: done)

    def other():
        until(lambda: entered)
        c = channel()
        tasklet(lambda: log.append(c.receive()))()
        try:
            c.send("sent")
        except RuntimeError as e:
            log.append(e)
        done.append(True)
    for set_it in stackless.set_schedule_callback, stackless.set_channel_callback:
        entered.clear(), done.clear()
        thread = started(other)
        set_it(callback)
        c = channel()
        tasklet(c.receive)()
        c.send(None)
        set_it(None)
        thread.join()
        same(said(), "sent")


def the_schedule_callback_hears_of_every_threads_switches():
    heard, here, go = {}, [], []

    def other():
        heard[stackless.main] = []
        here.append(True)
        until(lambda: go)
        t = tasklet(int)()
        run()
        me, told = stackless.main, heard.pop(stackless.main)
        log.append([tuple({me: "main", t: "t", None: None}[x] for x in pair) for pair in told])
    before = started(other)
    until(lambda: here)
    stackless.set_schedule_callback(lambda *pair: heard[stackless.main].append(pair) if stackless.main in heard else None)
    after = started(other)
    until(lambda: len(here) == 2)
    go.append(True)
    before.join(), after.join()
    stackless.set_schedule_callback(None)
    same(log, [[("main", "t"), ("t", None), (None, "main")]] * 2)
    log.clear()


def whoever_waits_calls_nothing_of_the_scripts():
    real = builtins.__import__
    builtins.__import__ = lambda name, *args, **kwargs: (log.append(name), real(name, *args, **kwargs))[1]
    try:
        t = tasklet(channel().receive)()
        schedule()
        raises(RuntimeError, "Deadlock: the last runnable tasklet cannot be blocked.", channel().receive)
        together(lambda: time.sleep(0.001))
    finally:
        builtins.__import__ = real
    t.kill()
    same(log, [])


def of_threads_that_wait_for_each_other_the_last_to_wait_is_told():
    text = "Deadlock: the last runnable tasklet cannot be blocked."
    mine, others = channel(), channel()

    def last():
        until(lambda: mine.balance == -1)
        raises(RuntimeError, text, others.receive)
        log.append("told")
    thread = started(last)
    raises(RuntimeError, text, mine.receive)
    same(said(), "told")
    thread.join()
    thread = started(lambda: log.append(others.receive()))
    until(lambda: others.balance == -1)
    raises(RuntimeError, text, mine.receive)
    others.send("on")
    thread.join()
    same(said(), "on")


def a_thread_that_waits_for_others_runs_on_when_none_of_them_can():
    c = channel()

    def other():
        until(lambda: c.balance == -1)
        t = tasklet(channel().receive)()
        run(threadblock=True)
        log.append(t.blocked)
        t.kill()
        c.send("over")
    thread = started(other)
    same(c.receive(), "over")
    thread.join()
    same(said(), "-1")


if __name__ == "__main__":
    main(globals())
