"""Tasklets of stackless: runtime.md 1.1, row by row."""

import builtins
import contextvars
import gc
import pickle
import stackless
import sys
import threading
import weakref
from rows import main, raises, same, started
from stackless import TaskletExit, channel, getruncount, run, schedule, schedule_remove, tasklet

log = []


def say(*what):
    return lambda *_: log.extend(what)


def said():
    s = " ".join(map(str, log))
    log.clear()
    return s


def pause():
    return schedule_remove(None)


def paused(f=pause, *args):
    t = tasklet(f)(*args)
    run()
    assert t.paused
    return t


# ---- binding and setting up -----------------------------------------------------------------------------------------------------------

def a_call_is_a_setup_and_returns_the_tasklet():
    t = tasklet(lambda *a, **k: log.append((a, k)))
    assert t(1, 2, x=3) is t and t.scheduled and t.alive
    run()
    same(log.pop(), ((1, 2), {"x": 3}))
    assert not t.alive and not t.scheduled
    assert t.bind(lambda *a, **k: log.append((a, k))).setup("again") is t
    run()
    same(log.pop(), (("again",), {}))


def arguments_given_to_bind_leave_it_alive_but_paused():
    t = tasklet()
    assert not t.alive and not t.paused
    assert t.bind(say("ran")) is t and not t.alive
    t.bind(None, (1, 2), {})
    assert t.alive and t.paused and not t.scheduled
    same(getruncount(), 1)
    t.insert()
    assert not t.paused and t.scheduled
    run()
    same(said(), "ran")
    tasklet(say("init"), ()).run()
    same(said(), "init")
    tasklet(lambda k: log.append(k), kwargs={"k": "named"}).run()
    same(said(), "named")


def what_cannot_be_bound_is_refused_with_the_texts_of_stackless():
    t = tasklet(say())
    raises(TypeError, "tasklet function must be a callable or None", t.bind, 5)
    raises(TypeError, "tasklet args must be a tuple or None", t.bind, say(), 5)
    raises(TypeError, "tasklet kwargs must be a dict or None", t.bind, say(), (), 5)
    raises(RuntimeError, "can't (re)bind the current tasklet", stackless.current.bind, say())
    t()
    raises(RuntimeError, "tasklet is scheduled", t.bind, say())
    raises(RuntimeError, "tasklet is alive", t.setup)
    raises(RuntimeError, "tasklet is alive", t)
    run()
    p = paused(lambda: sorted([2, 1], key=lambda _: pause()))
    raises(RuntimeError, "tasklet has C state on its stack", p.bind, None)
    p.kill()
    raises(RuntimeError, "the tasklet was not bound to a function", tasklet().setup)
    got = []
    tasklet(lambda: got.append(raises(RuntimeError, "can't unbind the main tasklet", stackless.main.bind, None)))()
    run()
    same(len(got), 1)


def a_dead_tasklet_can_be_bound_again():
    t = tasklet(say("a"))()
    run()
    t.bind(say("b"))()
    run()
    same(said(), "a b")
    t.bind(say("never"), ())
    t.bind(None)
    assert not t.alive and t.tempval is None


def a_bind_to_none_unbinds_one_that_has_not_begun_without_running_it():
    t = tasklet(say("never"))()
    t.remove()
    t.bind(None) if not t.scheduled and t.restorable else t.kill()
    assert not t.alive
    run()
    same(said(), "")


def a_bind_to_none_unbinds_one_that_has_begun_without_running_its_finally():
    class Held:
        def __del__(self):
            try:
                raise KeyError
            except KeyError:
                log.append("dropped")

    def inner(held):
        try:
            with stackless.atomic():
                pause()
            log.append("never")
        except BaseException:
            log.append("except")
        finally:
            log.append("finally")

    def f(held):
        try:
            inner(held)
        finally:
            log.append("outer finally")
    t = paused(f, Held())
    assert t.bind(None) is t and not t.alive and t.frame is None
    same(said(), "dropped")
    t = paused(f, Held())
    t.bind(say("bound anew"), ())
    assert t.alive and t.paused
    t.run()
    same(said(), "dropped bound anew")
    t = paused(f, 1)
    t.kill()
    same(said(), "except finally outer finally")


def other_frames_of_the_same_code_still_run_their_finally():
    def f(name):
        try:
            pause()
        finally:
            log.append(name)
    a, b = paused(f, "a"), paused(f, "b")
    a.bind(None)
    b.insert()
    run()
    same(said(), "b")
    try:
        f_frame = paused(f, "c")
        f_frame.bind(None)
    finally:
        same(said(), "")


def one_that_was_restored_is_unbound_in_all_its_frames():
    if "_coop" not in sys.modules:
        return  # whose broker would seal it?

    def f(n):
        try:
            f(n - 1) if n else (pause(), pause())
        finally:
            log.append("finally")
    t = paused(f, 3)
    again = pickle.loads(pickle.dumps(t))
    again.insert()
    run()
    assert again.paused and again.recursion_depth == t.recursion_depth
    again.bind(None), t.bind(None)
    assert not again.alive
    same(said(), "")


def a_subclass_has_attributes_slots_and_its_own_init():
    class Sub(tasklet):
        def __init__(self, func, tag):
            super().__init__(func)
            self.tag = tag

    class Slotted(tasklet):
        __slots__ = ("place",)

    s = Sub(say("sub"), "tagged")
    t = Slotted(say("slotted"))
    t.place = 1
    s(), t()
    run()
    same((s.tag, t.place, said()), ("tagged", 1, "sub slotted"))
    t = tasklet(say())
    t.anything = 5
    same(t.__dict__, {"anything": 5})
    t.kill()


def a_tasklet_can_be_held_weakly():
    a, b = weakref.ref(tasklet(say("ran"))()), weakref.ref(tasklet(say("never")))
    assert a() is not None and b() is None
    run()
    assert a() is None
    same(said(), "ran")


# ---- the ring ------------------------------------------------------------------------------------------------------------------------

def insert_is_the_tail_and_happens_once():
    a, b = tasklet(say("a"), ()), tasklet(say("b"), ())
    b.insert(), a.insert()
    assert b.insert() is b
    same(getruncount(), 3)
    schedule()
    same(said(), "b a")


def the_blocked_and_the_dead_are_not_run():
    c = channel()
    t = tasklet(c.receive)()
    run()
    for f in t.insert, t.run, t.switch:
        raises(RuntimeError, "You cannot run a blocked tasklet", f)
    raises(RuntimeError, "You cannot remove a blocked tasklet.", t.remove)
    t.kill()
    d = tasklet(say())
    for f in d.insert, d.run, d.switch, t.run:
        raises(RuntimeError, "You cannot run an unbound(dead) tasklet", f)
    raises(RuntimeError, "The current tasklet cannot be removed.", stackless.current.remove)


def remove_pauses_and_insert_brings_back():
    a, b = tasklet(say("a"))(), tasklet(say("b"))()
    assert a.remove() is a and a.paused and not a.scheduled
    run()
    same(said(), "b")
    a.insert()
    run()
    same(said(), "a")


def run_turns_the_ring_to_the_tasklet():
    t = {n: tasklet(say(n))() for n in "abcd"}
    t["c"].run()
    log.append("main")
    run()
    same(said(), "c d main a b")
    for n in "ab":
        tasklet(say(n))()
    tasklet(say("new"), ()).run()
    log.append("main")
    run()
    same(said(), "new main a b")


def switch_takes_the_caller_out_of_the_ring():
    m = stackless.main
    seen = []

    def f():
        seen.append((m.paused, m.scheduled, getruncount()))
        m.insert()
    t, b = tasklet(f)(), tasklet(say("b"))()
    t.switch()
    same((seen, said()), ([(True, False, 2)], "b"))
    assert b.alive is False


def schedule_goes_around_once_and_gives_its_value_back():
    tasklet(say("a"))(), tasklet(say("b"))()
    same(schedule("v"), "v")
    same(said(), "a b")
    assert schedule() is stackless.current and schedule(None) is None and schedule(retval=7) == 7
    raises(TypeError, "schedule() takes at most 1 argument (2 given)", schedule, 1, 2)


def schedule_remove_leaves_the_ring_until_somebody_inserts():
    t = paused(lambda: log.append(schedule_remove("mine")))
    same(t.tempval, "mine")
    t.insert()
    run()
    same(said(), "mine")
    t = paused(lambda: log.append(schedule_remove()))
    t.tempval = "given"
    t.run()
    same(said(), "given")


def next_and_prev_walk_the_ring():
    m = stackless.current
    assert m.next is m and m.prev is m
    a, b = tasklet(say())(), tasklet(say())()
    assert m.next is a and a.next is b and b.next is m and m.prev is b and b.prev is a and a.prev is m
    a.remove()
    assert a.next is None and a.prev is None and m.next is b
    a.kill()
    run()


# ---- what it says of itself ------------------------------------------------------------------------------------------------------------

def the_attributes_say_what_a_tasklet_is_in():
    c, m = channel(), stackless.main
    assert m.is_main and m.is_current and m.alive and m.scheduled and not m.paused and m.blocked == 0 and not m.restorable
    r, s = tasklet(c.receive)(), tasklet(c.send)
    assert r.blocked == 0 and not r.is_main and not r.is_current and r.thread_id == m.thread_id
    run()
    assert r.blocked == -1 and r.scheduled and not r.paused and r._channel is c and r.next is None
    r.kill()
    s(1)
    run()
    assert r.blocked == 0 and s.blocked == 1 and s.tempval == 1 and not r.alive
    s.kill()
    assert tasklet(say(), ()).restorable and s.cstate is None


def read_only_attributes_are():
    t = tasklet(say())
    for name in ("alive paused blocked scheduled restorable atomic ignore_nesting is_main is_current thread_id next prev frame recursion_depth "
                 "nesting_level cstate _channel context_id").split():
        raises(AttributeError, None, setattr, t, name, 1)


def depth_nesting_and_frame_show_where_it_stands():
    def deep(n):
        deep(n - 1) if n else pause()

    t = paused(deep, 3)
    same((t.recursion_depth, t.nesting_level, t.frame.f_code.co_name, t.frame.f_back.f_code.co_name), (5, 0, "pause", "deep"))
    t.kill()
    assert t.frame is None and t.recursion_depth == 0
    t = paused(lambda: sorted([2, 1], key=lambda _: pause()))
    same(t.nesting_level, 1)
    t.kill()


def tracing_is_each_tasklets_own():
    lines = []

    def tracer(frame, what, arg):
        lines.append((stackless.current, what))
        return tracer

    def f():
        schedule()
        x = 1
        return x
    a, b = tasklet(f)(), tasklet(f)()
    a.trace_function = tracer
    assert a.trace_function is tracer and b.trace_function is None and sys.gettrace() is None
    run()
    assert lines and all(t is a for t, _ in lines)
    same([w for _, w in lines][:2], ["call", "line"])
    p = paused()
    p.profile_function = tracer
    assert p.profile_function is tracer and sys.getprofile() is None
    p.profile_function = None
    p.kill()


class Ends:
    """A tracer, whose own end runs f."""

    def __init__(self, f):
        self.f = f

    def __call__(self, *_):
        return None

    def __del__(self):
        self.f()


def a_tracer_that_is_replaced_ends_in_the_state_of_who_replaced_it():
    for name in "trace_function", "profile_function":
        t, where, here = paused(), [], sys._getframe().f_code.co_name

        def look():
            where.append(sys._getframe(2).f_code.co_name)
            raises(RuntimeError, "a tasklet cannot be switched here: an object is being deallocated", schedule)
        setattr(t, name, Ends(look))
        setattr(t, name, None)
        same(where, [here])
        assert t.paused
        t.kill()


def a_replaced_settrace_cannot_switch_in_the_state_of_another():
    real, t, other = sys.settrace, paused(), paused()

    def settrace(f):
        raises(RuntimeError, "a tasklet cannot be switched here: another tasklet's state is looked at", schedule)
        raises(RuntimeError, "a tasklet cannot be switched here: another tasklet's state is looked at", other.run)
        log.append("tried")
    sys.settrace = settrace
    try:
        t.trace_function = None
    finally:
        sys.settrace = real
    same(said(), "tried")
    assert t.paused and other.paused
    t.kill()
    other.kill()


def a_collection_does_not_run_a_tasklet_whose_frame_is_asked_for():
    callbacks, armed, gone = gc.callbacks[:], False, []

    def deep(n):
        return deep(n - 1) if n else pause()

    def run_it(*_):
        if armed and t.alive:
            t.run()
    before = gc.get_threshold()
    gc.callbacks[:] = [run_it]
    try:
        for n in range(5):
            t = paused(deep, 5)
            gc.set_threshold(100000)
            gc.collect()
            some = [[] for _ in range(20)]
            gc.set_threshold(gc.get_count()[0] + n - 2)
            armed = True
            f = t.frame
            armed = False
            gc.set_threshold(*before)
            gone.append(not t.alive)
            same((len(some), f.f_back.f_code), (20, deep.__code__))
            t.kill()
    finally:
        gc.callbacks[:] = callbacks
        gc.set_threshold(*before)
    same(gone, [False] * 5)


class _Collecting:
    """In it whatever the collector counts is a collection, of which told(phase) hears; no dict is there to be had without one."""
    def __init__(self, told=None):
        self.told = told

    def hear(self, phase, info):
        if gc.isenabled():
            self.told(phase)

    def __enter__(self):
        self.before, self.callbacks = gc.get_threshold(), gc.callbacks[:]
        gc.disable()
        self.some = [{} for _ in range(300)]
        if self.told is not None:
            gc.callbacks[:] = [self.hear]
        gc.set_threshold(1)
        gc.enable()

    def __exit__(self, *_):
        gc.disable()
        gc.set_threshold(*self.before)
        gc.callbacks[:] = self.callbacks
        gc.enable()


def a_collection_does_not_run_a_tasklet_whose_variables_are_asked_for():
    def body():
        a, b, c = 1, 2, 3
        pause()
        return a, b, c

    def run_it(phase):
        if phase == "stop" and t.alive:
            raises(RuntimeError, "a tasklet cannot be switched here: the garbage collector is at work", t.run)
    for _ in range(10):
        t = paused(body)
        f = t.frame.f_back
        with _Collecting(run_it):
            seen = f.f_locals
        same((seen, t.alive), ({"a": 1, "b": 2, "c": 3}, True))
        t.kill()


def a_tasklet_may_run_on_while_its_variables_are_asked_for():
    """What the dict had of before is let go, and runs it to its end, and others in what was its memory."""
    def generator():
        try:
            yield
        finally:
            t.run()
            others.append(paused(other))

    def other():
        a = b = c = d = e = g = h = i = "another's"
        pause()
        return a, b, c, d, e, g, h, i

    def body():
        x = generator()
        next(x)
        y = z = None
        pause()
        x, y, z = 1, [2], [3]
        pause()
        return x, y, z
    for _ in range(10):
        others = []
        t = paused(body)
        f = t.frame.f_back
        same(sorted(f.f_locals), ["generator", "x", "y", "z"])
        t.run()
        seen = f.f_locals
        same([seen[k] for k in "xyz"], [1, [2], [3]])
        same((t.alive, len(others)), (False, 1))
        del seen["x"], f
        others[0].kill()


def the_variables_of_a_frame_are_what_they_are_now():
    def body(kept, gone):
        def inner():
            return kept, cell
        cell, late = 1, None
        pause()
        del gone
        cell, late = 2, inner
        pause()

    t = paused(body, "kept", "gone")
    f = t.frame.f_back
    seen = f.f_locals
    same({k: seen[k] for k in ("kept", "gone", "cell", "late")}, {"kept": "kept", "gone": "gone", "cell": 1, "late": None})
    seen["mine"] = "stays"
    t.run()
    assert f.f_locals is seen
    same(sorted(seen), ["cell", "inner", "kept", "late", "mine"])
    same((seen["cell"], seen["late"] is seen["inner"], seen["late"]()), (2, True, ("kept", 2)))
    t.run()
    same((t.alive, f.f_locals is seen, seen["cell"]), (False, True, 2))


def what_a_class_body_only_uses_is_none_of_its_variables():
    seen = []

    def body(used):
        class Body:
            a = used
            pause()
            seen.append(sys._getframe().f_locals)
            b = a
    t = paused(body, 1)
    f = t.frame.f_back
    same((sorted(k for k in f.f_locals if k[0] != "_"), f.f_code.co_freevars), (["a"], ("seen", "used")))
    t.run()
    same(seen[0] is f.f_locals, True)
    same(sorted(k for k in seen[0] if k[0] != "_"), ["a", "b"])


def a_collection_does_not_end_a_tasklet_whose_callers_are_asked_for():
    """Nobody knows it but itself, and somebody has its frame."""
    def deep(n):
        if n:
            return deep(n - 1)
        frames.append(sys._getframe())
        pause()

    def other(n):
        a = b = c = [n]
        if n:
            return other(n - 1)
        pause()
        return a, b, c
    for _ in range(10):
        frames = []
        gc.collect()
        t = paused(deep, 5)
        t.cycle = [t]
        f = frames[0]
        with _Collecting():
            del t
            while f is not None and f.f_code is deep.__code__:
                frames.append(f)
                f = f.f_back
        f = None
        gc.collect()
        t = paused(other, 5)
        same({f.f_code for f in frames}, {deep.__code__})
        t.kill()


def a_collection_does_not_ask_for_all_frames_while_they_are_asked_for():
    with _Collecting(lambda phase: sys._current_frames()):
        for ask in sys._current_frames, sys._current_exceptions:
            assert ask()


def a_thread_cannot_be_chosen_for_what_has_begun():
    t = tasklet(say())
    t.bind_thread()
    t.bind_thread(t.thread_id)
    raises(ValueError, "bad thread", t.bind_thread, 7)
    t()
    raises(RuntimeError, "can't (re)bind a runnable tasklet", t.bind_thread, t.thread_id)
    run()


def a_tasklet_that_has_not_begun_can_be_given_to_another_thread():
    import threading
    ready, go, got = threading.Event(), channel(), []

    def other():
        got.append(stackless.main.thread_id)
        ready.set()
        go.receive()
        run()
    thread = started(other)
    ready.wait()
    t, u = tasklet(lambda: got.append(stackless.current.thread_id)), tasklet(lambda: got.append(stackless.current.thread_id), ())
    t.bind_thread(got[0]), u.bind_thread(got[0])
    same(t.thread_id, got[0])
    raises(RuntimeError, "can't switch to a different thread.", u.run)
    t(), u.insert()
    go.send(None)
    thread.join()
    same(got, [got[0]] * 3)
    assert stackless.main.thread_id != got[0]
    t = tasklet(lambda: None)()
    run()


# ---- contexts ----------------------------------------------------------------------------------------------------------------------------

var = contextvars.ContextVar("var", default="none")


def a_tasklets_context_can_be_set_and_used_from_outside():
    context = contextvars.Context()
    context.run(var.set, "given")
    t = tasklet(lambda: (log.append(var.get()), var.set("changed"), pause(), log.append(var.get())))
    assert t.set_context(context) is t and t.context_id == id(context)
    t()
    run()
    same((said(), t.context_run(var.get), var.get(), context[var]), ("given", "changed", "none", "changed"))
    t.context_run(var.set, "from outside")
    same(t.context_run(lambda *a, **k: (a, k, var.get()), 1, x=2), ((1,), {"x": 2}, "from outside"))
    t.insert()
    run()
    same((said(), var.get()), ("from outside", "none"))


def set_context_refuses_what_is_no_context_and_one_that_is_entered():
    raises(TypeError, "set_context() argument must be a contextvars.Context, not int", tasklet().set_context, 5)
    raises(RuntimeError, "the current context of the tasklet has been entered", contextvars.Context().run,
           lambda: stackless.current.set_context(contextvars.Context()))
    raises(TypeError, "context_run() missing 1 required positional argument: 'callable'", stackless.current.context_run)
    raises(KeyError, "'k'", tasklet().context_run, fail, KeyError("k"))
    same(var.get(), "none")


def a_tasklet_without_variables_has_a_context_of_its_own_too():
    a, b = tasklet(pause)(), tasklet(pause)()
    run()
    assert a.context_id != b.context_id and a.context_id == a.context_id
    a.context_run(var.set, "a")
    same((a.context_run(var.get), b.context_run(var.get), var.get()), ("a", "none", "none"))
    a.kill(), b.kill()


# ---- errors for others -------------------------------------------------------------------------------------------------------------------

def throw_raises_in_the_target_at_once_and_comes_back():
    def f():
        try:
            pause()
        except ValueError as e:
            log.append(str(e))
    t = paused(f)
    tasklet(say("c"))()
    t.throw(ValueError, "bad")
    log.append("main")
    run()
    same(said(), "bad main c")


def a_pending_throw_waits_for_its_turn():
    c = channel()
    t = tasklet(lambda: log.append(str(raises(ValueError, None, c.receive))))()
    run()
    t.throw(ValueError("x"), pending=True)
    assert t.scheduled and t.blocked == 0 and c.balance == 0
    log.append("main")
    run()
    same(said(), "main x")


def throw_takes_what_raise_takes():
    def catch(*args):
        def f():
            try:
                pause()
            except BaseException as e:
                log.append(e)
        t = paused(f)
        try:
            t.throw(*args)
        finally:
            t.kill()
        return log.pop()
    v = ValueError("v")
    assert catch(v) is v and catch(ValueError, v) is v
    same((str(catch(RuntimeError, "r")), type(catch(RuntimeError))), ("r", RuntimeError))
    same(catch(ValueError, ("a", "b")).args, ("a", "b"))
    raises(TypeError, "instance exceptions cannot have a separate value", catch, v, 1)
    log.clear()
    raises(TypeError, "exceptions must be classes, or instances, not str", catch, "text")
    log.clear()
    try:
        1 / 0
    except ZeroDivisionError as e:
        tb = e.__traceback__
    same(catch(KeyError, "k", tb).__traceback__.tb_next is not None, True)
    raises(TypeError, "third argument must be a traceback object", catch, KeyError, "k", 5)
    log.clear()


def raise_exception_makes_the_error_from_its_arguments():
    def f():
        try:
            pause()
        except RuntimeError as e:
            log.append(e.args)
    paused(f).raise_exception(RuntimeError, "one", "two")
    same(log.pop(), ("one", "two"))
    t = tasklet(say())
    raises(RuntimeError, "You cannot throw to a dead tasklet", t.raise_exception, ValueError)


def only_taskletexit_may_be_thrown_at_the_dead():
    t = tasklet(say())()
    run()
    assert t.throw(TaskletExit) is None and t.kill() is None and t.kill(pending=True) is None
    raises(RuntimeError, "You cannot throw to a dead tasklet", t.throw, ValueError)

    class Mine(TaskletExit):
        pass
    assert t.throw(Mine) is None


def kill_ends_silently_and_lets_it_clean_up():
    def f():
        try:
            channel().receive()
        finally:
            log.append("finally")
    t = tasklet(f)()
    run()
    t.kill()
    assert not t.alive
    same(said(), "finally")
    t = tasklet(f)()
    run()
    t.kill(pending=True)
    assert t.alive and t.scheduled
    run()
    assert not t.alive
    same(said(), "finally")
    t = tasklet(say("never"), ())
    t.kill()
    assert not t.alive


def an_error_thrown_before_its_first_turn_is_raised_in_its_name():
    t = tasklet(say("never"))()
    raises(KeyError, "'k'", t.throw, KeyError, "k")
    t = tasklet(say("never"), ())
    raises(KeyError, "'k'", t.throw, KeyError, "k")
    assert not t.alive
    same(said(), "")


def taskletexit_can_be_caught():
    def f():
        try:
            pause()
        except TaskletExit as e:
            log.append(type(e).__name__)
        pause()
    t = paused(f)
    t.kill()
    assert t.alive
    t.kill()
    assert not t.alive
    same(said(), "TaskletExit")
    assert issubclass(TaskletExit, SystemExit) and builtins.TaskletExit is TaskletExit is stackless.TaskletExit


def thrown_at_oneself_is_raised():
    raises(KeyError, None, stackless.current.throw, KeyError)
    raises(TaskletExit, None, stackless.current.kill)
    tasklet(lambda: (stackless.current.kill(), log.append("never")))()
    run()
    same(said(), "")


# ---- ends ------------------------------------------------------------------------------------------------------------------------------

def fail(e=None):
    raise e if e is not None else ValueError("boom")


def an_uncaught_error_is_raised_out_of_mains_run_and_the_rest_stays():
    tasklet(say("a"))(), tasklet(fail)(), tasklet(say("b"))()
    e = raises(ValueError, "boom", run)
    same(said(), "a")
    assert any(f.f_code.co_name == "fail" for f in frames(e.__traceback__))
    same(getruncount(), 2)
    run()
    same(said(), "b")


def frames(tb):
    while tb is not None:
        yield tb.tb_frame
        tb = tb.tb_next


def an_uncaught_error_reaches_a_main_that_receives_or_schedules():
    c = channel()
    tasklet(fail)()
    raises(ValueError, "boom", c.receive)
    same(c.balance, 0)
    tasklet(fail)()
    raises(ValueError, "boom", schedule)


def an_error_goes_to_the_innermost_watchdog():
    def watch():
        tasklet(fail)()
        log.append(str(raises(ValueError, None, run)))
    tasklet(watch)()
    run()
    same(said(), "boom")


def systemexit_is_mains_whoever_watches():
    def watch():
        tasklet(lambda: sys.exit(3))()
        run()
        log.append("watchdog")
    tasklet(watch)()
    e = raises(SystemExit, None, run)
    same(e.code, 3)
    run()
    same(said(), "watchdog")


def the_error_handler_takes_errors_instead_of_main():
    def handler(t, v, tb):
        log.append((t.__name__, str(v), tb is not None))
    assert stackless.set_error_handler(handler) is None
    tasklet(fail)()
    run()
    assert stackless.set_error_handler(lambda *a: fail(KeyError("handler"))) is handler
    tasklet(fail)()
    raises(KeyError, None, run)
    stackless.set_error_handler(None)
    same(log.pop(), ("ValueError", "boom", True))
    tasklet(fail)()
    raises(ValueError, None, run)


def bombs_are_raised_where_they_arrive():
    b = stackless.bomb(ValueError, "b")
    same((b.type, b.value, b.traceback), (ValueError, "b", None))
    c = channel()
    tasklet(c.send)(b)
    raises(ValueError, "b", c.receive)
    raises(KeyError, "'k'", schedule, stackless.bomb(KeyError, "k"))
    try:
        1 / 0
    except ZeroDivisionError:
        b = stackless.bomb()
    assert b.type is ZeroDivisionError and b.traceback is not None


def one_that_nobody_knows_is_killed_when_it_pauses():
    def f():
        try:
            schedule_remove(None)
        finally:
            log.append("finally")
    tasklet(f)()
    run()
    same(said(), "finally")
    tasklet(f)()
    schedule()
    gc.collect()
    same(said(), "finally")


def one_in_a_cycle_with_itself_is_killed_by_the_collector():
    def f():
        try:
            schedule_remove()
        finally:
            log.append("finally")
    tasklet(f)()
    run()
    gc.collect()
    same(said(), "finally")


def one_that_survives_ten_kills_is_told_among_the_uncollectables():
    kills = []

    def f():
        while not kills or kills[-1] < 11:
            try:
                schedule_remove(None)
            except TaskletExit:
                kills.append(len(kills) + 1)
    tasklet(f)()
    run()
    same(len(kills), 10)
    same(len(stackless.uncollectables), 1)
    t = gc.garbage.pop()
    assert isinstance(t, tasklet) and t.alive
    t.kill()
    assert not t.alive


# ---- the module ------------------------------------------------------------------------------------------------------------------------

def the_module_knows_who_runs():
    import threading
    assert stackless.current is stackless.getcurrent() and stackless.main is stackless.getmain() and stackless.runcount == getruncount()
    assert not stackless.debug and stackless.uncollectables == [] and stackless.threads == [stackless.main.thread_id]
    same(stackless.get_thread_info(), (stackless.main, stackless.current, 1))
    same(stackless.get_thread_info(stackless.main.thread_id), (stackless.main, stackless.current, 1))
    raises(RuntimeError, "Thread id not found", stackless.get_thread_info, 99)
    same(stackless.getcurrentid(), threading.get_ident())
    tasklet(lambda: log.extend([stackless.current is stackless.main, stackless.getcurrentid() == stackless.main.thread_id]))()
    run()
    same(said(), "False False")


def the_switch_trap_stops_every_switch():
    t = tasklet(say("t"))()
    same(stackless.switch_trap(1), 0)
    for f in schedule, schedule_remove, run, t.run, t.switch, t.kill, channel().receive:
        raises(RuntimeError, "switch_trap", f)
    same((stackless.switch_trap(-1), stackless.switch_trap()), (1, 0))
    run()
    stackless.switch_trap(1)
    assert run() is None and schedule("alone") == "alone"
    stackless.switch_trap(-1)
    same(said(), "t")


def the_schedule_callback_sees_each_switch():
    t = tasklet(schedule)()
    names = {stackless.main: "main", t: "t", None: None}
    assert stackless.set_schedule_callback(lambda prev, next: log.append((names[prev], names[next]))) is None
    run()
    assert callable(stackless.get_schedule_callback()) and callable(stackless.set_schedule_callback(None))
    same(log, [("main", "t"), ("t", None), (None, "main")])
    log.clear()


def a_schedule_callback_cannot_switch_and_its_error_is_told():
    told = []
    sys.unraisablehook = lambda u: told.append(str(u.exc_value))
    stackless.set_schedule_callback(lambda prev, next: schedule())
    tasklet(say("ran"))(), tasklet(say("too"))()
    run()
    stackless.set_schedule_callback(None)
    sys.unraisablehook = sys.__unraisablehook__
    same(said(), "ran too")
    same(set(told), {"switch_trap", "a tasklet cannot be switched here: nobody runs"})


def a_callback_after_an_end_finds_nobody_running():
    def callback(prev, next):
        if prev is not None:
            return
        stackless.set_schedule_callback(None)
        assert stackless.current is None
        for f in (schedule, schedule_remove, run, channel().receive, lambda: channel().send(1), stackless.main.kill, stackless.main.run,
                  stackless.main.switch, lambda: tasklet(say("new"), ()).run()):
            raises(RuntimeError, "a tasklet cannot be switched here: nobody runs", f)
        tasklet(say("made"))()
        log.append("told")
    t = tasklet(say("ran"))()
    stackless.set_schedule_callback(callback)
    run()
    same(said(), "ran told")
    run()
    same(said(), "made")


def a_tasklet_that_a_callback_after_an_end_makes_has_a_state_of_its_own():
    """The callback still runs in that of the one that has ended."""
    made = []

    def callback(prev, next):
        if prev is not None:
            return
        stackless.set_schedule_callback(None)
        try:
            1 / 0
        except ZeroDivisionError:
            for _ in range(3):
                made.append(tasklet(say("made"))())
            made[0].hibernate()
            log.append(sys.exc_info()[0].__name__)
    for n in range(10):
        t = tasklet(say("ran"))()
        stackless.set_schedule_callback(callback)
        run()
        same(said(), "ran ZeroDivisionError")
        run()
        same(said(), "made made made")
        same([t.alive for t in made], [False] * 3)
        made.clear()


def a_callback_after_an_end_finds_no_greenlet_either():
    import greenlet

    def callback(prev, next):
        if prev is not None:
            return
        stackless.set_schedule_callback(None)
        for f in greenlet.getcurrent, lambda: greenlet.greenlet(int), known.switch, lambda: known.throw(ValueError):
            raises(greenlet.error, "there is no current greenlet: nobody runs", f)
        log.append("told")
    known = greenlet.greenlet(say("switched"))
    t = tasklet(say("ran"))()
    stackless.set_schedule_callback(callback)
    run()
    same(said(), "ran told")
    known.switch()
    same(said(), "switched")


def a_greenlet_that_a_collection_has_begun_meanwhile_begins_once():
    import greenlet
    began, back = [], []

    def f(*args):
        began.append(args)
        began.append(back[0].switch())
        return "end"

    def dies():
        try:
            pause()
        finally:
            back.append(greenlet.getcurrent())
            g.switch("first")
    for _ in range(3):
        g = greenlet.greenlet(f)
        t = paused(dies)
        t.cycle = [t]
        with _Collecting():
            del t
            got = g.switch("then")
        same((got, began, g.dead, len(back)), ("end", [("first",), "then"], True, 1))
        began.clear()
        back.clear()


def the_tracer_of_greenlets_is_told_of_nobody_who_has_gone():
    import greenlet

    def holds():
        greenlet.greenlet(pause).switch()
    for _ in range(3):
        seen = []
        t = paused(holds)
        greenlet.settrace(lambda *what: seen.append(what))
        try:
            greenlet.greenlet(say()).switch()
            others = [greenlet.greenlet(say()) for _ in range(3)]
            seen.clear()
            t.kill()
        finally:
            greenlet.settrace(None)
        assert seen and all(g not in others and type(g) is greenlet.greenlet for _, pair in seen for g in pair), seen


def an_error_that_comes_to_a_parent_that_has_not_begun_ends_it_and_is_that_ones_parents():
    import greenlet

    class Begins(greenlet.greenlet):
        def run(self, *args):
            log.append(args)
            return "returned"

    def leave():
        raise greenlet.GreenletExit
    for f, error in (lambda: 1 / 0, ZeroDivisionError), (lambda: {}[5], KeyError), (leave, None), (lambda: 5, None):
        outer = Begins()
        inner = Begins(parent=outer)
        g = greenlet.greenlet(f, parent=inner)
        log.clear()
        if error is not None:
            raises(error, None, g.switch)
            same(log, [])
        else:
            same((g.switch(), len(log), log[1]), ("returned", 2, ("returned",)))
        same([(x.dead, bool(x)) for x in (outer, inner, g)], [(True, False)] * 3)
        same(inner.switch(7), 7)
        raises(KeyError, "8", outer.throw, KeyError, 8)
    log.clear()


def a_switch_to_the_root_greenlet_of_a_tasklet_that_has_ended_is_an_error():
    import greenlet
    roots = []
    tasklet(lambda: roots.append(greenlet.getcurrent()))()
    run()
    for f in roots[0].switch, lambda: roots[0].switch(1), roots[0].throw, lambda: roots[0].throw(ValueError):
        raises(greenlet.error, "the greenlet has ended, and so have all its parents", f)


def a_new_thread_has_the_pickle_flags_that_are_default_by_then():
    def flags_of_a_thread():
        got = []
        t = threading.Thread(target=lambda: got.append((stackless.pickle_flags(), stackless.pickle_flags(8), stackless.pickle_flags())))
        t.start()
        t.join()
        return got[0]
    mine = stackless.pickle_flags()
    same(flags_of_a_thread(), (0, 0, 8))
    try:
        same(stackless.pickle_flags_default(new_default=6), 0)
        same((stackless.pickle_flags(), flags_of_a_thread(), stackless.pickle_flags()), (mine, (6, 6, 8), mine))
        same(stackless.pickle_with_tracing_state, False)
        stackless.pickle_with_tracing_state = True
        same((stackless.pickle_with_tracing_state, stackless.pickle_flags(), stackless.pickle_flags_default(), flags_of_a_thread()), (True, mine | 1, 7, (7, 7, 8)))
        stackless.pickle_with_tracing_state = False
        same((stackless.pickle_flags(), stackless.pickle_flags_default()), (mine, 6))
    finally:
        stackless.pickle_flags_default(0)


def pickle_flags_are_bits_and_others_are_refused():
    same(stackless.pickle_flags(stackless.PICKLEFLAGS_PRESERVE_TRACING_STATE | stackless.PICKLEFLAGS_RESET_AG_FINALIZER), 0)
    same((stackless.pickle_flags(0, 4), stackless.pickle_flags(), stackless.pickle_flags_default(0)), (5, 1, 0))
    for f in stackless.pickle_flags, stackless.pickle_flags_default:
        before = f()
        same((f(-1), f(-1, -1), f(0xffffff, 0), f()), (before,) * 4)
        for wrong in -2, 16, 1 << 10, 31:
            raises(ValueError, "you must not set an undefined pickle-flag", f, wrong)
        same((f(15), f(1 << 20, 1), f(before)), (before, 15, 14))
    same(stackless.pickle_flags(0), 1)


def names_of_the_module_that_only_other_stacks_need_are_there():
    assert stackless.enable_softswitch(False) in (True, False)
    raises(RuntimeError, "You cannot __reduce__ the tasklet which is current.", stackless.current.__reduce__)


def thousands_come_and_go_and_none_is_kept():
    c, n = channel(), []
    for _ in range(40):
        for _ in range(50):
            tasklet(lambda: n.append(c.receive()))()
        run()
        for _ in range(50):
            c.send(1)
        run()
    same(len(n), 2000)
    refs = [weakref.ref(tasklet(fail)(TaskletExit())) for _ in range(500)]
    run()
    assert not any(r() for r in refs)


def objects_of_other_kinds_are_refused():
    t, c = tasklet, channel
    for f in t.run, t.insert, t.kill, t.throw, t.bind, t.set_atomic, c.send, c.receive, c.close, c.send_sequence:
        raises(TypeError, None, f, 5)
        raises(TypeError, None, f)
    raises(TypeError, "set_atomic needs exactly one bool or integer", stackless.current.set_atomic, "x")
    raises(TypeError, "set_ignore_nesting needs exactly one bool or integer", stackless.current.set_ignore_nesting, None)


def uncollectables_is_empty_when_a_script_has_put_something_else_for_the_list_of_garbage():
    before = gc.garbage
    gc.garbage = 5
    try:
        same(stackless.uncollectables, [])
    finally:
        gc.garbage = before


if __name__ == "__main__":
    main(globals())
