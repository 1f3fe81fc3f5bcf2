"""Tasklets and channels by pickle: what stands on a stack goes on where it was loaded."""

import contextlib
import contextvars
import copy
import copyreg
import functools
import gc
import io
import pickle
import rows
import stackless
import sys

from rows import main, raises, same

seen = []


def _say(what):
    """What a tasklet has on its stack it has its own copy of, in another interpreter and here; but not of its module's globals."""
    seen.append(what)


def _again(o, protocol=None):
    return pickle.loads(pickle.dumps(o, protocol))


def _paused(f, *args):
    """A tasklet of f that has had its turn, and waits."""
    t = stackless.tasklet(f)(*args)
    stackless.run()
    assert t.alive, "it has ended"
    return t


def _turn(t):
    """What it leaves in seen in one turn. One that was forgotten and whose slice was over before its end has its turns first."""
    stackless.run()
    del seen[:]
    t.insert()
    stackless.run()
    return seen[:]


def _to_end(t):
    """What it leaves in seen, from there on to its end."""
    del seen[:]
    while t.alive:
        t.insert()
        stackless.run()
    return seen[:]


def _refused(t, *words):
    assert not t.restorable
    e = raises(pickle.PicklingError, None, pickle.dumps, t)
    for word in words:
        assert word in str(e), f"{word!r} is not in {e}"
    t.kill()


def _innermost(n):
    total = 0
    for i in range(n):
        total += stackless.schedule_remove(i) * 10 + i
        _say((i, total))
    return total


def _middle(n):
    return [1, 2] + [_innermost(n)]


def _outermost(n):
    try:
        _say(_middle(n))
    finally:
        _say("end")


def a_channel_out_of_which_an_error_came_does_not_go_along():
    c = stackless.channel()

    def f():
        try:
            c.receive()
        except ValueError:
            pass
        stackless.schedule_remove()
        _say("went on")
    t = _paused(f)
    assert b"set_channel" in pickle.dumps(t)
    t.throw(ValueError)
    del f
    c = None  # nobody else has it, and the tasklet never had
    blob = pickle.dumps(t)
    assert b"set_channel" not in blob
    same(_to_end(pickle.loads(blob)), ["went on"])
    t.kill()


def three_frames_that_wait_in_a_loop_go_on():
    t = _paused(_outermost, 3)
    assert t.restorable
    for protocol in range(0, 6):
        u = _again(t, protocol)
        assert u.paused and u.restorable and u is not t
        same((u.recursion_depth, u.nesting_level, u.frame.f_code.co_name), (3, 0, "_innermost"))
        same(_to_end(u), [(0, 0), (1, 11), (2, 33), [1, 2, 33], "end"])
    same(_to_end(t), [(0, 0), (1, 11), (2, 33), [1, 2, 33], "end"])


def one_is_pickled_again_at_each_turn():
    t, all_of_it = _paused(_outermost, 3), []
    while t.alive:
        t = _again(_again(t))
        all_of_it += _turn(t)
    same(all_of_it, [(0, 0), (1, 11), (2, 33), [1, 2, 33], "end"])


def what_is_pickled_and_what_is_loaded_are_two():
    def f(box):
        stackless.schedule_remove()
        box.append(1)
        _say(list(box))
    t = _paused(f, [])
    u = _again(t)
    same((_to_end(u), _to_end(t)), ([[1]], [[1]]))


def who_waits_for_a_channel_that_nobody_else_knows_keeps_it():
    def f():
        _say(stackless.channel().receive())
    del seen[:]
    for end in lambda t, c: c.send("sent"), lambda t, c: t.kill():
        t = _paused(f)
        u = _again(t)
        t.kill()
        gc.collect()
        junk = [bytearray(b"A" * n) for n in range(8, 600, 8) for _ in range(9)]
        assert u.blocked and u._channel.balance == -1 and junk
        end(u, u._channel)
        stackless.run()
        assert not u.alive and u._channel is None
    same(seen, ["sent"])
    del seen[:]


class _LetsRun:
    """Whoever pickles one lets a tasklet run, and uses up what memory that gives back."""
    tasklets = []

    def __reduce__(self):
        while self.tasklets:
            self.tasklets.pop().run()
            gc.collect()
            self.junk = [bytearray(b"A" * n) for n in range(8, 600, 8)]
        return str, ("as it was",)


def one_that_goes_on_while_it_is_dumped_is_dumped_as_it_was():
    def inner(x):
        stackless.schedule_remove()
        return x

    def generates():
        yield [str(n) * 40 for n in range(3)] + [inner(_LetsRun()), "generated"]

    def outer():
        words = [str(n) * 40 for n in range(3)]
        _say([words[0] + "a", words[1] + "b", {"k": inner(_LetsRun())}, next(generates()), words])
        return 1

    def outermost():
        _say(outer() + 1)
    for turns in 1, 2:
        t = _paused(outermost)
        if turns == 2:
            t.insert()
            stackless.run()
        _LetsRun.tasklets.append(t)
        blob = pickle.dumps(t)
        assert not t.paused or turns == 1
        words = [str(n) * 40 for n in range(3)]
        got = _to_end(pickle.loads(blob))
        assert got[1:] == [2] and got[0][:2] == [words[0] + "a", words[1] + "b"] and got[0][4] == words, got
        assert got[0][3][:3] == words and got[0][3][4] == "generated", got


def objects_are_shared_as_they_were():
    box = []

    def f():
        me, mine = stackless.current, box
        stackless.schedule_remove()
        _say((me is stackless.current, mine is box, len(box)))
    t = _paused(f)
    other, same_box, u = _again((t, box, t))
    assert other is u
    same_box.append(1)
    same(_to_end(u), [(True, True, 1)])
    same(box, [])


def every_call_that_gives_up_the_turn_is_answered():
    c = stackless.channel()

    def calls(other):
        _say(stackless.schedule_remove(1))
        _say(stackless.schedule_remove(retval=2))
        _say(stackless.schedule_remove(*(3,)))
        _say(c.receive())
        _say(stackless.channel.receive(c))
        _say(c.send("sent"))
        remove = stackless.schedule_remove
        _say(remove(4))
        for value in c:
            _say(value)
        _say("closed")
    t = _paused(calls, None)
    for _ in range(3):
        t = _again(t)
        t.insert()
        stackless.run()
    c = t._channel
    c, t = _again((c, t))
    c.send(5)
    c, t = _again((c, t))
    same((c.balance, c.queue is t, t.blocked), (-1, True, -1))
    c.send(6)
    c, t = _again((c, t))
    same((c.balance, t.blocked), (1, 1))
    same(c.receive(), "sent")
    stackless.run()
    t = _again(t)
    t.insert()
    stackless.run()
    c = t._channel
    c.send("in a loop")
    t = _again(t)
    c = t._channel
    c.send("twice")
    c.close()
    t = _again(t)
    same((t._channel.closing, t._channel.balance), (True, -1))
    t._channel.send("last")
    same(seen[-11:], [1, 2, 3, 5, 6, None, 4, "in a loop", "twice", "last", "closed"])
    del seen[:]
    c.send(None)


def run_and_switch_are_answered_too():
    pickled = []

    def g(caller):
        pickled.append(pickle.dumps(caller))
    t = stackless.tasklet(lambda: _say(stackless.tasklet(g)(stackless.current).run()))()
    stackless.run()
    assert not t.alive
    t = _paused(lambda: _say(stackless.tasklet(g)(stackless.current).switch()))
    for data in pickled:
        same(_to_end(pickle.loads(data)), [None])
    same(_to_end(t), [None])


def a_hard_interrupt_leaves_one_that_can_be_pickled():
    def busy(n):
        while n < 1000:
            n += 1
        _say(n)
    stackless.tasklet(busy)(0)
    t = stackless.run(50)
    n = t.frame.f_locals["n"]
    assert 0 < n < 1000
    u = _again(t)
    same(u.frame.f_locals["n"], n)
    same((_to_end(u), _to_end(t)), ([1000], [1000]))


def _statements(n, *rest, key=3, **more):
    out, d = [], {"a": 1, **more}
    for i, x in enumerate([n, *rest]):
        if i % 2 and x is not None or not d:
            out.append(f"{i!r}:{x:>3}")
        elif x is None:
            continue
        else:
            out += [x if x > key else -x]
    while len(out) < 6:
        out.append(len(out))
        if len(out) == 5:
            break
    else:
        out.append("else")
    first, *middle, last = out
    d["k"] = d["a"] + (lambda y, z=n: y * z)(2)
    del d["a"]
    assert d, "message"
    out[0], out[-1] = last, first
    return out, d, [a + b for a in range(2) for b in (10, 20) if a != b], {c for c in "ab"}, {c: c for c in "a"}, middle[::-1][0:1]


def _errors(n):
    out = []
    for i in range(n):
        try:
            try:
                if i == 0:
                    raise ValueError(i)
                if i == 1:
                    {}[i]
                if i == 2:
                    continue
                out.append("none")
            except ValueError as e:
                out.append(repr(e))
                raise LookupError("again") from e
            else:
                out.append("else")
            finally:
                out.append("finally")
        except KeyError:
            out.append("KeyError")
        except LookupError as e:
            out.append(str(e))
    with _Box("a"), _Box("b") as b:
        out.append(b.name)
        return out


def _generates(n):
    def pairs(n):
        for i in range(n):
            got = yield (i, i + 1)
            if got:
                yield got

    def all_of(n):
        yield from pairs(n)
        return "ended"

    def with_end(n):
        return (yield from all_of(n)), (yield 5)
    out = [a + b for a, b in pairs(n)]
    out.append(_sum_of(x * 2 for x in range(n)))
    for x in with_end(2):
        out.append(x)
    g = pairs(2)
    next(g)
    out.append(g.send("sent"))
    return out


def _sum_of(it):
    total = 0
    for x in it:
        total += x
    return total


class _Point:
    __match_args__ = "x", "y"

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __getitem__(self, i):
        return (self.x, self.y)[i]

    @property
    def both(self):
        return self.x + self.y


def _matches(n):
    out = []
    for o in [1, "two", [1, 2, 3], {"k": 5, "more": 6}, _Point(1, 2), None, (n,)]:
        match o:
            case 1 | 2:
                out.append("number")
            case str() as s if s:
                out.append(s)
            case [a, *b, c]:
                out.append((a, b, c))
            case {"k": k, **others}:
                out.append((k, others))
            case _Point(x, y):
                out.append((x, y, o[0], o[1], o.both))
            case None:
                out.append(None)
            case _:
                out.append("rest")
    return out


def every_instruction_is_one_to_go_on_from():
    for f in (lambda: _statements(4, 5, None, 2, key=3, b=6)), (lambda: _errors(4)), (lambda: _generates(3)), (lambda: _matches(0)):
        right, places, why = f(), 0, set()
        t = stackless.tasklet(_result_of)(f)
        while True:
            t = stackless.run(1, ignore_nesting=True)
            if t.frame.f_code.co_name == "_result_of" and "result" in t.frame.f_locals:
                break
            if t.restorable:
                t, places = _again(t), places + 1
            else:
                why.add(str(raises(pickle.PicklingError, None, pickle.dumps, t)).partition(": ")[2])
            t.insert()
        same(t.frame.f_locals["result"], right)
        assert places > 10 and all(w.startswith("C code stands between it") for w in why), (places, why)
        t.kill()


def _result_of(f):
    result = f()
    while result:
        pass


def one_that_was_loaded_is_interrupted_like_any_other():
    def busy(n):
        while True:
            n += 1
    stackless.tasklet(busy)(0)
    t = stackless.run(100)
    n = t.frame.f_locals["n"]
    t.kill()
    u = _again(t) if t.alive else None
    assert u is None
    stackless.tasklet(busy)(0)
    t = _again(stackless.run(100))
    for _ in range(3):
        t.insert()
        assert stackless.run(100) is t
        assert t.frame.f_locals["n"] > n
        n = t.frame.f_locals["n"]
        t = _again(t)


def errors_that_are_handled_are_handled_still():
    def f():
        try:
            1 / 0
        except ZeroDivisionError as e:
            try:
                {}["key"]
            except KeyError:
                stackless.schedule_remove()
                _say(repr(sys.exc_info()[1]))
            _say(sys.exc_info()[1] is e)
            try:
                raise
            except ZeroDivisionError as again:
                _say(again is e)
        _say(sys.exc_info()[1])
    same(_to_end(_again(_paused(f))), ["KeyError('key')", True, True, None])


class _Waits:
    def __enter__(self):
        return stackless.schedule_remove("entered")

    def __exit__(self, kind, value, traceback):
        stackless.schedule_remove()
        _say(kind and kind.__name__)
        return kind is KeyError


@contextlib.contextmanager
def _waiting(name):
    stackless.schedule_remove()
    yield name
    stackless.schedule_remove()


def with_blocks_whose_ends_wait_go_on():
    def f():
        with _Waits() as w:
            _say(w)
        with _Waits(), _waiting("a name") as name:
            _say(name)
            raise KeyError
        _say("end")
    t, said, turns = _paused(f), [], 0
    while t.alive:
        t, turns = _again(t) if t.restorable else t, turns + t.restorable
        del seen[:]
        t.insert()
        stackless.run()
        said += seen
    same(said, ["entered", None, "a name", "KeyError", "end"])
    assert turns >= 4, turns


def an_error_group_is_handled_part_by_part():
    def f():
        try:
            raise ExceptionGroup("both", [ValueError(1), TypeError(2)])
        except* ValueError as g:
            _say(len(g.exceptions))
            stackless.schedule_remove()
            _say(repr(sys.exc_info()[1]))
        except* TypeError as g:
            stackless.schedule_remove()
            _say(str(g.exceptions[0]))
    t = _again(_paused(f))
    del seen[:]
    t.insert()
    stackless.run()
    said = seen[:]
    same(said + _to_end(_again(t)), ["ExceptionGroup('both', [ValueError(1)])", "2"])
    _to_end(t)


def with_blocks_and_finally_end_as_they_would_have():
    class Manager:
        pass

    def f():
        with _Box("outer"), _Box("inner"):
            stackless.schedule_remove()
            raise ValueError("out of both")
    t = _paused(f)
    u = _again(t)
    u.throw(KeyError, "thrown", pending=True)
    del seen[:]
    raises(KeyError, None, stackless.run)
    same(seen, ["inner KeyError", "outer KeyError"])
    u = _again(t)
    del seen[:]
    u.insert()
    raises(ValueError, "out of both", stackless.run)
    same(seen, ["inner ValueError", "outer ValueError"])
    del seen[:]
    t.kill()
    same(seen, ["inner TaskletExit", "outer TaskletExit"])
    u = _again(_paused(f))
    del seen[:]
    u.kill()
    same(seen, ["inner TaskletExit", "outer TaskletExit"])


class _Box:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        _say(f"{self.name} {kind.__name__ if kind else kind}")


def an_error_goes_out_through_all_frames_and_its_traceback_shows_them():
    def f():
        g()

    def g():
        stackless.schedule_remove()
        raise ValueError("far below")
    u = _again(_paused(f))
    u.insert()
    e = raises(ValueError, "far below", stackless.run)
    names, tb = [], e.__traceback__
    while tb is not None:
        names.append(tb.tb_frame.f_code.co_name)
        tb = tb.tb_next
    same(names[-2:], ["f", "g"])
    inner = e.__traceback__
    while inner.tb_next is not None:
        inner = inner.tb_next
    same(inner.tb_frame.f_back.f_code.co_name, "f")


def closures_are_one_between_frames_and_functions():
    def f():
        n = 0

        def more():
            nonlocal n
            n += 1
        more()
        stackless.schedule_remove()
        more()
        _say(n)
    same(_to_end(_again(_paused(f))), [2])


def code_in_exec_is_named():
    _refused(_paused(lambda: exec("import stackless\nstackless.schedule_remove()", {})), "<lambda>", "exec")


def a_generator_that_runs_goes_with_the_tasklet():
    def numbers(n):
        try:
            for i in range(n):
                got = stackless.schedule_remove(i)
                yield got
        finally:
            _say("numbers end")
        return "returned"

    def delegates(n):
        _say((yield from numbers(n)))

    def f():
        for x in delegates(3):
            _say(x)
        _say([x * 2 for x in numbers(2)])
        _say(next(numbers(1)))
        g = numbers(1)
        _say((g.send(None), next(g, "none left")))
    t, all_of_it, turns = _paused(f), [], 0
    while t.alive:
        t, turns = _again(t), turns + 1
        all_of_it += _turn(t)
    same(all_of_it, [0, 1, 2, "numbers end", "returned", "numbers end", [0, 2], "numbers end", 0, "numbers end", (0, "none left")])
    same(turns, 7)


def an_error_in_a_generator_that_runs_reaches_its_caller():
    def numbers():
        try:
            stackless.schedule_remove()
            raise LookupError("inside")
        finally:
            _say("cleaned")
        yield

    def f():
        try:
            for x in numbers():
                pass
        except LookupError as e:
            _say(str(e))
    same(_to_end(_again(_paused(f))), ["cleaned", "inside"])
    t = _again(_paused(f))
    del seen[:]
    t.kill()
    same(seen, ["cleaned"])


def who_iterates_over_a_generator_that_waits_on_a_stack_is_told_so():
    def numbers():
        stackless.schedule_remove()
        yield 1

    def f(g):
        for x in g:
            _say(x)
    g = numbers()
    t = _paused(f, g)
    u, g = _again((t, g))
    raises(ValueError, "generator already executing", next, g)
    same(_to_end(u), [1])
    t.kill()
    u = _again(_paused(f, numbers()))
    del u
    gc.collect()


def a_coroutine_that_is_driven_by_hand_goes_with_the_tasklet():
    async def inner():
        return stackless.schedule_remove(7)

    async def outer():
        return await inner() + 1

    def f():
        try:
            outer().send(None)
        except StopIteration as e:
            _say(e.value)
    same(_to_end(_again(_paused(f))), [8])


def calls_with_packed_arguments_and_partials_are_let_through():
    def wrapped(*args, **kwargs):
        return innermost(*args, **kwargs)

    def innermost(a, b=2):
        return stackless.schedule_remove((a, b))

    class Called:
        def __call__(self, x):
            return wrapped(x, b=4)

    def f():
        _say(wrapped(1, b=3))
        _say(functools.partial(innermost, 5)())
    t = _again(_paused(f))
    t.insert()
    del seen[:]
    stackless.run()
    same(seen, [(1, 3)])
    same(_to_end(_again(t)), [(5, 2)])
    same(_to_end(_again(_paused(functools.partial(wrapped, 1)))), [])


def c_code_on_the_stack_is_named():
    def key(x):
        return stackless.schedule_remove(x)

    def f():
        sorted([2, 1], key=key)
    _refused(_paused(f), "frame c_code_on_the_stack_is_named.<locals>.f, file ", "freeze_tasklets.py, line ", "<built-in function sorted>")


def a_constructor_that_waits_is_named():
    class A:
        def __init__(self):
            stackless.schedule_remove()
    _refused(_paused(lambda: A()), "<lambda>", "A'>")
    _refused(_paused(A), "A.__init__", "was called by C code")


def a_tasklet_of_c_code_alone_is_refused():
    _refused(_paused(stackless.schedule_remove, 1), "stands in no frame")


def one_that_sleeps_or_waits_for_a_lock_is_refused():
    import _thread
    lock = _thread.allocate_lock()
    lock.acquire()

    def f():
        with lock:
            _say("has it")
    t = stackless.tasklet(f)()
    stackless.schedule()
    e = raises(pickle.PicklingError, None, pickle.dumps, t)
    assert "waits for what is no channel" in str(e)
    lock.release()
    stackless.run()


def the_current_one_and_main_are_refused():
    raises(RuntimeError, "You cannot __reduce__ the tasklet which is current.", pickle.dumps, stackless.current)
    e = []

    def f():
        e.append(raises(pickle.PicklingError, None, pickle.dumps, stackless.main))
    stackless.tasklet(f)()
    stackless.run()
    assert "main tasklet" in str(e[0])


def what_has_not_begun_and_what_has_ended_are_pickled():
    t = stackless.tasklet(_add)
    u = _again(t)
    assert not u.alive
    u(1)
    stackless.run()
    t = stackless.tasklet(_add, (5,), {})
    u = _again(t)
    assert u.paused and u.alive
    same(_to_end(u), [5])
    same(_to_end(t), [5])
    u = _again(t)
    assert not u.alive
    raises(RuntimeError, None, u.insert)


def _add(n):
    _say(n)


class Named(stackless.tasklet):
    pass


def classes_attributes_and_flags_are_kept():
    t = Named(_outermost)(2)
    t.name, t.block_trap = "a name", False
    t.set_ignore_nesting(True)
    stackless.run()
    t.set_atomic(True)
    t.block_trap = True
    u = _again(t)
    same((type(u), u.name, u.block_trap, u.ignore_nesting, u.atomic), (Named, "a name", True, True, True))
    t.kill()
    u.set_atomic(False)
    u.kill()


class WithMore(stackless.tasklet):
    def __reduce_ex__(self, protocol):
        return _with_more, (super().__reduce_ex__(protocol), "more")


def _with_more(reduced, more):
    t = reduced[0](*reduced[1])
    t.more = more
    return t


def a_class_that_reduces_itself_is_asked():
    t = WithMore(_outermost)(2)
    stackless.run()
    u = _again([t, t])
    assert u[0] is u[1]
    same((type(u[0]), u[0].more, _to_end(u[0])), (WithMore, "more", [(0, 0), (1, 11), [1, 2, 11], "end"]))
    t.kill()


class Anew(stackless.tasklet):
    __slots__ = ("slot",)

    def __reduce__(self):
        return Anew, (), ({"a": self.a}, {"slot": self.slot})


def states_that_are_given_by_hand_are_attributes_or_refused():
    t = Anew(_outermost)(2)
    t.a, t.slot = 1, 2
    u = _again(t)
    same((u.a, u.slot, u.alive, u.paused), (1, 2, False, False))
    t.kill()
    for o, what in (stackless.tasklet(), "tasklet"), (type("Named", (stackless.channel,), {})(), "channel"):
        o.__setstate__({"a": 1})
        o.__setstate__((None, {"b": 2}))
        o.__setstate__(None)
        same(o.__dict__, {"a": 1, "b": 2})
        for state in (), (1,), (0, None, 0, ()), [1], ({}, 1), "text":
            e = raises(pickle.UnpicklingError, None, o.__setstate__, state)
            assert str(e).startswith(f"the state of a {what} comes only out of a sealed blob"), e
    for o in stackless.tasklet(), stackless.channel():
        for reduced in o.__reduce__(), o.__reduce_ex__(4):
            assert type(reduced[0](*reduced[1])) is type(o)


def a_channel_keeps_its_own_and_all_who_wait():
    c = stackless.channel()
    c.preference, c.schedule_all = 1, 1

    def send(n):
        c.send(n)
        _say(n)
    all_of_them = [stackless.tasklet(send)(n) for n in range(3)]
    stackless.run()
    u = _again(c)
    same((u.balance, u.preference, u.schedule_all, u.closing), (3, 1, 1, False))
    del seen[:]
    same([u.receive() for _ in range(3)], [0, 1, 2])
    stackless.run()
    same(seen, [0, 1, 2])
    same((c.balance, u.balance), (3, 0))
    for t in all_of_them:
        t.kill()
    u = _again(stackless.channel())
    same((u.balance, u.preference), (0, -1))


def one_in_the_run_queue_that_has_had_no_turn_is_pickled():
    t = stackless.tasklet(_add)(9).remove()
    u = _again(t)
    assert u.paused and t.restorable
    same((_to_end(u), _to_end(t)), ([9], [9]))
    t = stackless.tasklet(_add)(9)
    assert _again(t).alive
    stackless.run()


def the_variable_that_cannot_go_along_is_named():
    def f():
        kept = open_ = sys.stdout
        stackless.schedule_remove()
        return kept, open_
    t = _paused(f)
    e = raises(TypeError, "cannot pickle '_io.TextIOWrapper' object", pickle.dumps, t)
    same([note.split(": ")[1] for note in e.__notes__], ["its variable kept cannot be pickled", "its variable open_ cannot be pickled"])
    assert "frame the_variable_that_cannot_go_along_is_named.<locals>.f, file " in e.__notes__[0], e.__notes__
    t.kill()


def atomic_blocks_end_as_they_would_have():
    def f():
        with stackless.atomic():
            stackless.schedule_remove()
            _say(stackless.current.atomic)
        _say(stackless.current.atomic)
    t = _paused(f)
    same(_to_end(_again(t)), [True, False])
    t.kill()


def bombs_and_pending_errors_are_raised_where_it_is_loaded():
    def f():
        try:
            stackless.schedule_remove()
        except KeyError as e:
            _say(repr(e))
    t = _paused(f)
    t.tempval = stackless.bomb(KeyError, KeyError("as tempval"))
    same(_to_end(_again(t)), ["KeyError('as tempval')"])
    u = _again(_paused(f))
    u.throw(KeyError("thrown"), pending=True)
    del seen[:]
    stackless.run()
    same(seen, ["KeyError('thrown')"])
    t.kill()


def one_that_was_loaded_and_is_forgotten_is_no_leak():
    class Token:
        pass
    data = pickle.dumps(_paused(_outermost, 3))
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        pickle.loads(data)
    gc.collect()
    assert len(gc.get_objects()) - before < 100, len(gc.get_objects()) - before
    for _ in range(200):
        t = pickle.loads(data)
        t.insert()
        stackless.run()
        t.kill()
    del t
    gc.collect()
    assert len(gc.get_objects()) - before < 300, len(gc.get_objects()) - before


def copies_and_other_picklers_have_blobs_of_their_own():
    t = _paused(_outermost, 2)
    same(_to_end(copy.copy(t)), [(0, 0), (1, 11), [1, 2, 11], "end"])
    a, b = copy.deepcopy([t, t])
    assert a is b
    same(_to_end(a), [(0, 0), (1, 11), [1, 2, 11], "end"])
    for kind in pickle.Pickler, pickle._Pickler:
        file = io.BytesIO()
        kind(file, 4).dump({"t": t, "again": t})
        d = pickle.loads(file.getvalue())
        assert d["t"] is d["again"]
        same(_to_end(d["t"]), [(0, 0), (1, 11), [1, 2, 11], "end"])
    file = io.BytesIO()
    pickle.dump(t, file)
    file.seek(0)
    same(_to_end(pickle.load(file)), [(0, 0), (1, 11), [1, 2, 11], "end"])
    t.kill()


def slices_that_end_leave_ones_that_can_be_pickled():
    def busy(n):
        while n < 3000000:
            n += 1
        _say(n)

    def calls(n):
        for n in range(600000):
            _same(abs(n))
        _say(n)

    def steps(n):
        for x in _count(1000000):
            n += x & 1
        _say(n)
    stackless._set_slice(0.001)
    try:
        for f, result in (busy, 3000000), (calls, 599999), (steps, 500000):
            del seen[:]
            t, n = stackless.tasklet(f)(0), 0
            while t.alive and n < 3:
                stackless.schedule()
                t.remove()
                if t.restorable and t.frame:
                    t, n = _again(t), n + 1
                if t.alive:
                    t.insert()
            same(n, 3)
            while t.alive:
                stackless.schedule()
            same(seen, [result])
    finally:
        stackless._set_slice(0.01)


def _same(x):
    return x


def _count(n):
    for x in range(n):
        yield x


def tracing_is_kept_when_it_is_asked_for():
    lines = []

    def tracer(frame, event, arg):
        _say(event)
        return tracer

    def f():
        sys.settrace(tracer)
        stackless.schedule_remove()
        g()
        sys.settrace(None)

    def g():
        pass
    t = _paused(f)
    assert "call" not in _to_end(_again(t))
    stackless.pickle_flags(stackless.PICKLEFLAGS_PRESERVE_TRACING_STATE)
    try:
        assert "call" in _to_end(_again(t))
    finally:
        stackless.pickle_flags(0)
    t.kill()
    same(lines, [])


def _context(value):
    context = contextvars.Context()
    context.run(rows.variable.set, value)
    return context


def contexts_are_kept_when_it_is_asked_for_and_somebody_can_pickle_them():
    def f():
        rows.variable.set("mine")
        stackless.schedule_remove()
        _say(rows.variable.get())
    t = _paused(f)
    same(_to_end(_again(t)), ["nobody's"])
    stackless.pickle_flags(stackless.PICKLEFLAGS_PICKLE_CONTEXT)
    try:
        raises(TypeError, "cannot pickle '_contextvars.Context' object", pickle.dumps, t)
        copyreg.pickle(contextvars.Context, lambda c: (_context, (c[rows.variable],)))
        same(_to_end(_again(t)), ["mine"])
    finally:
        copyreg.dispatch_table.pop(contextvars.Context, None)
        stackless.pickle_flags(0)
    t.kill()


def one_that_has_not_had_a_turn_is_pickled_though_it_is_traced():
    before = stackless.pickle_flags(stackless.PICKLEFLAGS_PRESERVE_TRACING_STATE, stackless.PICKLEFLAGS_PRESERVE_TRACING_STATE)
    t = stackless.tasklet(len)([1])
    t.trace_function = print
    try:
        u = pickle.loads(pickle.dumps(t))
    finally:
        stackless.pickle_flags(before, -1)
    assert u.alive and u.trace_function is None
    t.kill()


if __name__ == "__main__":
    main(globals())
