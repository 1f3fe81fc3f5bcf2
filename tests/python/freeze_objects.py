"""Generators, functions, code and the rest by pickle; and what is refused that claims to be such a pickle."""

import asyncio
import collections
import contextlib
import copy
import copyreg
import functools
import io
import json
import pickle
import pickletools
import stackless
import sys
import types

from rows import main, raises, same

PROTOCOLS = range(0, 6)
counter = 0


def _again(o, protocol=None):
    return pickle.loads(pickle.dumps(o, protocol))


class _Plain:
    def __init__(self, x):
        self.x = x

    def method(self):
        return self.x

    def __eq__(self, other):
        return self.x == other.x


def _numbers(n):
    total = 0
    for i in range(n):
        total += (yield total + i) or 0
    return total


def ordinary_pickles_are_byte_for_byte_what_they_were():
    import _coop_freeze
    objects = [1, "text", [1, [2]], {"a": (1, 2)}, _Plain(3), [_Plain(4)] * 3, _Plain, _Plain(5).method, json.dumps, functools.partial(json.dumps, 1),
               ordinary_pickles_are_byte_for_byte_what_they_were, collections.OrderedDict(a=1), ValueError("x"), b"x" * 100000, ["y" * 70000] * 2,
               bytearray(b"z"), range(3), iter([1, 2]), {1, 2}, frozenset((1, 2)), complex(1, 2), Ellipsis, type, sys.getsizeof, type(None), type(...), type(NotImplemented), int, list]
    for protocol in PROTOCOLS:
        for o in objects:
            same(pickle.dumps(o, protocol), _coop_freeze._plain_dumps(o, protocol))
            file = io.BytesIO()
            pickle.dump(o, file, protocol)
            same(file.getvalue(), _coop_freeze._plain_dumps(o, protocol))
            file = io.BytesIO()
            pickle.Pickler(file, protocol).dump(o)
            same(file.getvalue(), _coop_freeze._plain_dumps(o, protocol))


def what_cannot_be_pickled_is_refused_with_pythons_own_words():
    raises(TypeError, "cannot pickle '_io.TextIOWrapper' object", pickle.dumps, sys.stdout)
    raises(TypeError, "cannot pickle '_thread.lock' object", pickle.dumps, [__import__("_thread").allocate_lock()])
    raises(ValueError, "pickle protocol must be <= 5", pickle.dumps, 1, 6)


def buffers_of_protocol_5_go_where_they_went():
    buffers = []
    data = pickle.dumps(pickle.PickleBuffer(b"abc"), 5, buffer_callback=buffers.append)
    same((len(buffers), bytes(pickle.loads(data, buffers=buffers))), (1, b"abc"))


def a_generator_goes_on_where_it_was():
    for protocol in PROTOCOLS:
        g = _numbers(4)
        same(list(_again(g, protocol)), [0, 1, 2, 3])
        same(next(g), 0)
        h = _again(g, protocol)
        same((h.send(10), g.send(20)), (11, 21))
        h = _again(h, protocol)
        same((h.gi_frame.f_lineno, h.gi_code.co_name, h.__name__, h.gi_frame.f_locals["total"]), (g.gi_frame.f_lineno, "_numbers", "_numbers", 10))
        same(list(h), [12, 13])
        same(list(_again(h, protocol)), [])
        raises(StopIteration, None, next, h)


def generators_that_delegate_go_on_in_the_innermost():
    def outer(n):
        x = yield from inner(n)
        yield ("inner returned", x)

    def inner(n):
        for x in range(n):
            try:
                yield x
            except KeyError:
                yield "caught"
        return n
    g = outer(2)
    next(g)
    h = _again(g)
    assert h.gi_yieldfrom is not None
    same(h.throw(KeyError), "caught")
    same(list(_again(h)), [1, ("inner returned", 2)])
    same(list(g), [1, ("inner returned", 2)])


def one_that_has_not_begun_takes_none_but_none():
    h = _again(_numbers(1))
    raises(TypeError, "can't send non-None value to a just-started generator", h.send, 1)
    same(next(h), 0)


def errors_that_a_generator_handles_it_handles_still():
    def g():
        try:
            raise KeyError("mine")
        except KeyError:
            yield
            try:
                raise
            except KeyError as e:
                yield str(e)
        yield sys.exc_info()[1]
    h = g()
    next(h)
    h = _again(h)
    same((next(h), next(h)), ("'mine'", None))


def generator_expressions_with_and_finally_work():
    order = []

    @contextlib.contextmanager
    def manager(order):
        order.append("enter")
        try:
            yield "value"
        finally:
            order.append("exit")

    def g(order):
        with manager(order) as v:
            yield v
        yield order
    h = g(order)
    next(h)
    h = _again(h)
    same(next(h), ["enter", "exit"])
    e = (x * 2 for x in range(3))
    next(e)
    same(list(_again(e)), [2, 4])
    k = g([])
    next(k)
    k = _again(k)
    k.close()


def a_generator_that_runs_is_refused_by_name():
    def g():
        yield pickle.dumps(h)
    h = g()
    e = raises(pickle.PicklingError, None, next, h)
    assert "it runs" in str(e) and "freeze_objects.py" in str(e), e


def coroutines_go_on():
    async def value(x):
        await asyncio.sleep(0)
        return x

    async def both():
        return [await value(1), await value(2)]
    c = both()
    same(asyncio.run(_again(c)), [1, 2])
    c.send(None)
    d = _again(c)
    d.send(None)
    same(raises(StopIteration, None, d.send, None).value, [1, 2])
    c.close()
    same(type(_again(c)), types.CoroutineType)


def async_generators_go_on():
    async def numbers():
        try:
            for i in range(3):
                yield i
        finally:
            pass

    async def use():
        a = numbers()
        await a.__anext__()
        b, hooks = _again(a), sys.get_asyncgen_hooks()
        return [x async for x in b] + [x async for x in a] + [hooks.finalizer is not None]
    same(asyncio.run(use()), [1, 2, 1, 2, True])
    a = numbers()
    same(type(_again(a)), types.AsyncGeneratorType)


@types.coroutine
def _pauses(x):
    return (yield x)


async def _steps(n, to_the_last=False):
    try:
        for i in range(n):
            try:
                i += (await _pauses(("before", i))) or 0
                i += (yield i) or 0
                await _pauses(("after", i))
            except KeyError:
                await _pauses("caught")
                yield "thrown"
    finally:
        if to_the_last:
            await _pauses("finally")


async def _uses_steps():
    a = _steps(4, to_the_last=True)
    got = [await a.__anext__(), await a.asend(10), await a.athrow(KeyError)]
    async for x in a:
        got.append(x)
        if x == 3:
            break
    await a.aclose()
    return got


def _to_its_end(c, *send):
    seen, value = [], None
    try:
        for i in range(100):
            seen.append(c.send(value))
            value = i * 100 if type(seen[-1]) is tuple and seen[-1][0] == "before" else None
    except StopIteration as e:
        return seen, e.value
    raise AssertionError("it does not end")


def whoever_awaits_a_step_of_an_async_generator_goes_on_with_it():
    seen, value = _to_its_end(_uses_steps())
    assert "thrown" in value and "caught" in seen and seen[-1] == "finally", (seen, value)
    for n in range(1, len(seen)):
        for protocol in 2, 5:
            c = _uses_steps()
            for i in range(n):
                last = c.send(None)
            kept = _again(c, protocol)
            same(_to_its_end(kept)[0], _to_its_end(c)[0])


def a_step_is_pickled_before_under_way_and_after():
    for make in (lambda a: a.asend(None), lambda a: a.__anext__(), lambda a: a.athrow(KeyError, KeyError("x"), None), lambda a: a.aclose()):
        a = _steps(2)
        a.__anext__().send(None)
        first = make(_steps(2))
        for protocol in PROTOCOLS:
            same(type(_again(first, protocol)), type(first))
    step = _steps(1).asend(None)
    same(_again(step).send(None), ("before", 0))
    step.send(None)
    for way in _again, copy.copy, lambda o: pickle._loads(pickle._dumps(o)), lambda o: pickle.loads(_by_class(pickle.Pickler)(o, 4)):
        same(raises(StopIteration, None, way(step).send, 5).value, 5)
    a, again = _steps(1), None
    step = a.asend(None)
    step.send(None)
    a, again = _again([a, step])
    raises(RuntimeError, "anext(): asynchronous generator is already running", a.__anext__().send, None)
    same(raises(StopIteration, None, again.send, 1).value, 1)
    raises(RuntimeError, "cannot reuse already awaited __anext__()/asend()", _again(again).send, None)
    same(a.__anext__().send(None), ("after", 1))


def an_async_generator_without_the_step_that_it_waits_in_is_refused():
    a = _steps(1)
    step = a.asend(None)
    step.send(None)
    e = raises(pickle.PicklingError, None, pickle.dumps, a)
    assert "it runs, and who awaits it is not in the dump" in str(e) and "freeze_objects.py" in str(e), e
    raises(pickle.PicklingError, None, copy.copy, a)


def what_a_coroutine_is_awaited_by_is_pickled():
    async def f():
        return await _pauses(1), await _pauses(2)
    w = f().__await__()
    same(next(w), 1)
    for way in _again, copy.deepcopy, lambda o: pickle._loads(pickle._dumps(o)):
        v = way(w)
        same((type(v), v.send(5), raises(StopIteration, None, v.send, 6).value), (type(w), 2, (5, 6)))


def pickle_flags_say_what_becomes_of_an_async_generators_finalizer():
    async def numbers():
        yield 1
    calls, old = [], sys.get_asyncgen_hooks()
    try:
        sys.set_asyncgen_hooks(lambda a: calls.append("first"), _finalizer)
        a = numbers()
        step = a.__anext__()
        raises(StopIteration, None, step.send, None)
        same(calls, ["first"])
        b = _again(a)
        same(calls, ["first", "first"])
        stackless.pickle_flags(stackless.PICKLEFLAGS_RESET_AG_FINALIZER)
        b = _again(a)
        same(calls, ["first", "first"])
        raises(StopAsyncIteration, None, b.__anext__().send, None)
        same(calls, ["first", "first", "first"])
        stackless.pickle_flags(stackless.PICKLEFLAGS_PRESERVE_AG_FINALIZER)
        b = _again(a)
        sys.set_asyncgen_hooks(*old)
        raises(StopAsyncIteration, None, b.__anext__().send, None)
        same(len(calls), 3)
        data = pickle.dumps(a)
        sys.set_asyncgen_hooks(lambda a: calls.append("loads"), None)
        for flags, more in ((0, 1), (stackless.PICKLEFLAGS_RESET_AG_FINALIZER, 0), (15, 0)):
            del calls[:]
            stackless.pickle_flags(flags)
            b = pickle.loads(data)
            same(len(calls), more)
    finally:
        stackless.pickle_flags(0)
        sys.set_asyncgen_hooks(*old)


def _finalizer(a):
    pass


def functions_that_no_name_finds_go_by_value():
    def outer(n):
        def more(by=1, *, twice=False):
            "its text"
            nonlocal n
            n += by * (2 if twice else 1)
            return n

        def get() -> int:
            return n
        more.attribute = [1]
        return more, get
    for protocol in PROTOCOLS:
        more, get = _again(outer(5), protocol)
        same((more(), more(2), more(twice=True), get()), (6, 8, 10, 10))
        same((more.__name__, more.__doc__, more.attribute, more.__module__, get.__annotations__), ("more", "its text", [1], "__main__", {"return": int}))
        same(more.__qualname__, "functions_that_no_name_finds_go_by_value.<locals>.outer.<locals>.more")
    same(_again(lambda a, b=2: a + b)(1), 3)
    f = lambda n: 1 if n == 0 else n * f(n - 1)
    same(_again(f)(5), 120)


def functions_of_modules_go_by_name_and_are_the_same():
    assert _again(json.dumps) is json.dumps
    a, b = _again([json.dumps, lambda: json.dumps])
    assert a is b() is json.dumps


def those_of_this_main_are_the_same_here():
    a, b = _again([_numbers, lambda: _numbers])
    assert a is _numbers and b() is _numbers
    before = counter

    def count():
        global counter
        counter += 1
    _again(count)()
    same(counter, before + 1)


def code_cells_modules_and_views_are_pickled():
    same(_again(_numbers.__code__), _numbers.__code__)
    same(_again(compile("1 + 1", "x", "eval")), compile("1 + 1", "x", "eval"))
    cell, empty = types.CellType(5), types.CellType()
    same(_again(cell).cell_contents, 5)
    raises(ValueError, None, lambda: _again(empty).cell_contents)
    knot = types.CellType()
    knot.cell_contents = [knot]
    again = _again(knot)
    assert again.cell_contents[0] is again
    for module in sys, json, stackless, collections.abc:
        assert _again(module) is module
    e = raises(pickle.PicklingError, None, pickle.dumps, types.ModuleType("none_such"))
    assert "not in sys.modules" in str(e)
    for d in {"a": 1, "b": 2}, collections.OrderedDict(a=1, b=2):
        for view in d.keys(), d.values(), d.items():
            same((type(_again(view)), list(_again(view))), (type(view), list(view)))
            deep = copy.deepcopy(view)
            d["more"] = 1
            same((len(deep), len(copy.copy(view))), (len(d) - 1, len(d)))
            del d["more"]


def tracebacks_are_pickled_with_their_frames():
    def f(x):
        local = x
        g(local + 1)

    def g(y):
        raise ValueError(y)
    try:
        f(1)
    except ValueError as e:
        tb = e.__traceback__
    again = _again(tb)
    lines, names = [], []
    while tb is not None:
        lines.append((tb.tb_lineno, tb.tb_lasti, tb.tb_frame.f_code.co_name))
        names.append((again.tb_lineno, again.tb_lasti, again.tb_frame.f_code.co_name))
        last = again
        tb, again = tb.tb_next, again.tb_next
    same(names, lines)
    same((last.tb_frame.f_locals, last.tb_frame.f_lineno), ({"y": 2}, lines[-1][0]))
    last.tb_frame.clear()


def a_frame_is_a_picture_of_its_variables():
    def f():
        x = [1]
        return sys._getframe()
    frame = f()
    again = _again(frame)
    same((again.f_locals, again.f_code, again.f_lineno), ({"x": [1]}, frame.f_code, frame.f_lineno))
    again = _again(sys._getframe())
    same(again.f_code.co_name, "a_frame_is_a_picture_of_its_variables")
    g = _numbers(2)
    next(g)
    h, frame = _again((g, g.gi_frame))
    assert h.gi_frame is frame


def types_that_only_the_module_types_names_are_found():
    for t in types.GeneratorType, types.CellType, types.FunctionType, types.ModuleType, types.FrameType, int, type, _Plain, type(None):
        assert _again(t) is t
    same(next(_again(types.GeneratorType.__next__)(_again(_numbers(1))) for _ in "a"), 0)


def copies_of_them_are_made():
    g = _numbers(3)
    next(g)
    same((list(copy.copy(g)), list(copy.deepcopy([g])[0]), list(g)), ([1, 2], [1, 2], [1, 2]))
    f = lambda: 1
    assert copy.copy(f) is f and copy.deepcopy(f) is f


def picklers_with_persistent_ids_and_tables_of_their_own_seal_each_alone():
    class Mine(pickle.Pickler):
        def persistent_id(self, o):
            return "id of it" if type(o) is _Plain else None

    class Back(pickle.Unpickler):
        def persistent_load(self, pid):
            return pid
    g = _numbers(3)
    next(g)
    file = io.BytesIO()
    Mine(file).dump([_Plain(1), g, g, lambda: 7])
    file.seek(0)
    plain, a, b, f = Back(file).load()
    same((plain, a is b, list(a), f()), ("id of it", True, [1, 2], 7))
    file = io.BytesIO()
    p = pickle.Pickler(file)
    p.dispatch_table = copyreg.dispatch_table.copy()
    p.dump(_numbers(2))
    same(list(pickle.loads(file.getvalue())), [0, 1])


def the_picklers_in_python_take_what_those_in_c_take():
    """Each such object is sealed alone; what is loaded by one was dumped by any."""
    g, f, objects = _numbers(3), lambda: 7, [_numbers.__code__, types.CellType(1), sys, {"a": 1}.keys(), sys._getframe(), stackless.channel(), types.GeneratorType]
    next(g)
    for protocol in PROTOCOLS:
        for dumps in pickle.dumps, pickle._dumps, _by_class(pickle.Pickler), _by_class(pickle._Pickler):
            for loads in pickle.loads, pickle._loads, lambda b: pickle._load(io.BytesIO(b)):
                a, b, h = loads(dumps([g, g, f], protocol))
                same((a is b, list(a), h()), (True, [1, 2], 7))
            same([type(o) for o in pickle._loads(dumps(objects, protocol))], [type(o) for o in objects])


def _by_class(kind):
    def dumps(o, protocol):
        file = io.BytesIO()
        type("Mine", (kind,), {})(file, protocol).dump(o)
        return file.getvalue()
    return dumps


def files_shelves_and_the_pickler_of_multiprocessing_take_them():
    import shelve
    from multiprocessing.reduction import ForkingPickler
    g = _numbers(3)
    next(g)
    for dump, load in (pickle.dump, pickle.load), (pickle._dump, pickle._load):
        file = io.BytesIO()
        for i in range(2):
            dump([g, i], file, 5)
        file.seek(0)
        same([(list(a), i) for a, i in (load(file), load(file))], [([1, 2], 0), ([1, 2], 1)])
    shelf = shelve.Shelf({})
    shelf["g"] = g
    same(list(shelf["g"]), [1, 2])
    same(list(pickle.loads(ForkingPickler.dumps(g))), [1, 2])


def buffers_of_what_is_sealed_are_in_the_blob():
    buffers = []
    data = pickle.dumps([pickle.PickleBuffer(bytearray(b"abc")), lambda: 3], 5, buffer_callback=buffers.append)
    for again in pickle.loads(data), pickle.loads(data, buffers=buffers), pickle._loads(data, buffers=buffers):
        same((bytes(again[0]), again[1]()), (b"abc", 3))


def a_reducer_that_somebody_has_registered_is_asked_by_all():
    kept = dict(copyreg.dispatch_table)
    g = _numbers(3)
    next(g)
    t = stackless.tasklet(_iterates)(g)
    stackless.run()
    try:
        copyreg.pickle(types.CodeType, lambda code: (str, (code.co_name,)))
        copyreg.pickle(types.GeneratorType, lambda g: (iter, ([7],)))
        for dumps in pickle.dumps, pickle._dumps, lambda o: _by_class(pickle.Pickler)(o, 4):
            code, it, f = pickle.loads(dumps([_numbers.__code__, g, json.dumps]))
            same((code, list(it), f), ("_numbers", [7], json.dumps))
        same(list(copy.copy(g)), [7])
        raises(pickle.UnpicklingError, None, _again, t)
        copyreg.pickle(types.GeneratorType, lambda g: (_numbers, (3,)))
        raises(pickle.UnpicklingError, None, _again, t)
    finally:
        copyreg.dispatch_table.clear()
        copyreg.dispatch_table.update(kept)
    same(list(_again(g)), [1, 2])
    t.kill()


def _iterates(g):
    for x in _waits_in():
        pass


def _waits_in():
    stackless.schedule_remove()
    yield 1


def an_unpickler_that_picks_what_it_finds_says_whether_it_takes_blobs():
    for kind in pickle.Unpickler, pickle._Unpickler:
        class Picky(kind):
            def find_class(self, module, name):
                raise pickle.UnpicklingError(f"no {module}.{name}")
        raises(pickle.UnpicklingError, "no _coop_freeze._open", Picky(io.BytesIO(pickle.dumps(lambda: 1))).load)


# ---- what is refused -------------------------------------------------------------------------------------------------------------------

def _blob():
    return pickle.dumps(_again_later)


_again_later = lambda: 1


def _sealed(o):
    """The bytes that _open() is called with."""
    return next(arg for op, arg, _ in pickletools.genops(pickle.dumps(o)) if type(arg) is bytes)


def _open_is_refused(blob, *words):
    import _coop_freeze
    e = raises(pickle.UnpicklingError, None, _coop_freeze._open, blob)
    for word in words:
        assert word in str(e), e


def blobs_that_were_cut_changed_or_made_elsewhere_are_refused_by_name():
    blob = _sealed(lambda: "some text")
    _open_is_refused(b"", "does not begin")
    _open_is_refused("text", "does not begin")
    _open_is_refused(blob[:-1], "was cut")
    _open_is_refused(blob + b"x", "was cut, or something was added")
    _open_is_refused(blob.replace(b"some text", b"sOme text"), "changed after it was made")
    _open_is_refused(blob.replace(b"cpython-311", b"cpython-312"), "made by python cpython-312 magic")
    _open_is_refused(blob.replace(b"bytes ", b"bytes x"), "first line")
    _open_is_refused(blob[:30], "")
    at = blob.index(b"\n") + 1
    for i in range(at, at + 32):
        _open_is_refused(blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1:], "changed")
    for i in range(at + 32, at + 64):
        _open_is_refused(blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1:], "its seal is not this broker's for this tenant")


def every_byte_of_a_blob_counts():
    blob = _sealed(lambda: 1)
    for i in range(len(blob)):
        _open_is_refused(blob[:i] + bytes([blob[i] ^ 0x41]) + blob[i + 1:])


def makers_of_code_and_frames_work_for_nobody_without_a_blob():
    import _coop_freeze
    code, globals_ = _numbers.__code__, {}
    for name, args in (("code", (b"\xe3",)), ("function", (code, globals_, None)), ("frame", (code, globals_)), ("generator", (0, code, globals_, "a", "b")),
                       ("traceback", (None, 0, 0)), ("tasklet", (stackless.tasklet,)), ("channel", (stackless.channel,)), ("frame_of", (_numbers(1),)),
                       ("set_frame", (None, None)), ("set_generator", (_numbers(1), ())), ("set_tasklet", (stackless.tasklet(), ())),
                       ("set_channel", (stackless.channel(), ())), ("set_traceback", (None, None)), ("set_function", (lambda: 1, ())),
                       ("step", (0, None)), ("set_step", (None, None)), ("globals", (b"", "x")), ("globals_of", ("sys",)), ("cell", ()), ("set_cell", (types.CellType(), 1)), ("load", (pickle.loads, b"N."))):
        e = raises(pickle.UnpicklingError, None, getattr(_coop_freeze, name), *args)
        assert "only out of a sealed blob" in str(e), e

        class Hand:
            def __reduce__(self):
                return getattr(_coop_freeze, name), args
        if name not in ("set_function", "set_tasklet", "set_channel"):
            raises(pickle.UnpicklingError, None, pickle.loads, _coop_freeze._plain_dumps(Hand(), 4))


def a_pickle_opens_no_load_of_bytes_that_nobody_sealed():
    import _coop_freeze
    import _pickle
    import marshal
    code = marshal.dumps(_numbers.__code__)

    class Code:
        def __reduce__(self):
            return _coop_freeze.code, (code,)
    inner = _coop_freeze._plain_dumps(Code(), 4)
    for args, words in (((_pickle.loads, inner), "only out of a sealed blob"), ((inner,), "this blob is refused"), ((), "only out of a sealed blob")):
        class Load:
            def __reduce__(self):
                return _coop_freeze.load, args
        gadget = _coop_freeze._plain_dumps(Load(), 4)
        for loads in _pickle.loads, pickle.loads:
            e = raises(pickle.UnpicklingError, None, loads, gadget)
            assert words in str(e), e
    by_hand = b"c_coop_freeze\nload\n(c_pickle\nloads\nB" + len(inner).to_bytes(4, "little") + inner + b"tR."
    e = raises(pickle.UnpicklingError, None, _pickle.loads, by_hand)
    assert "only out of a sealed blob" in str(e), e


def who_checks_and_who_loads_is_nobodys_to_choose():
    import _coop_freeze
    code = _coop_freeze._plain_dumps(1, 4)
    kept = _coop_freeze._unseal, _coop_freeze._plain_loads
    try:
        _coop_freeze._unseal = lambda blob: blob
        _coop_freeze._plain_loads = None
        e = raises(pickle.UnpicklingError, None, _coop_freeze.load, code)
        assert "this blob is refused" in str(e), e
        assert _coop_freeze.load(_sealed(lambda: 3))() == 3
    finally:
        _coop_freeze._unseal, _coop_freeze._plain_loads = kept


def what_is_in_a_checked_blob_is_checked_too():
    """As a worker of this tenant could seal it."""
    import marshal
    code = marshal.dumps(_numbers.__code__)
    states = [(1, None, None, 1, 3, b"\x07", (1, 2, 3)), (1, None, None, 1 << 20, 3, b"\x07", (1, 2, 3)), (1, None, None, -1, 3, b"\x07", (1, 2, 3)),
              (2, None, None, -1, 3, b"\x07", (1, 2, 3)),
              (1, None, None, 2, 300, b"\xff" * 38, tuple(range(300))), (1, None, None, 2, -5, b"", ()), (1, None, None, 2, 3, b"", ()),
              None, (), (1,)]
    for state in states:
        class Hand:
            def __reduce__(self):
                return _by_hand, (code, state)
        try:
            _sealed_by_hand(Hand())
        except (pickle.UnpicklingError, TypeError):
            continue
        raise AssertionError(f"{state} is taken")

    class Runs:
        def __reduce__(self):
            return _by_hand, (code, (2, None, None, 2, 3, b"\x07", (1, 2, 3)))
    g = _sealed_by_hand(Runs())
    raises(ValueError, "generator already executing", next, g)
    raises(ValueError, "generator already executing", g.close)


def steps_that_somebody_makes_up_are_refused_or_end_and_no_crash():
    for state in (None, 7), (None, -1), (), (1,), (None, "x"), None:
        for kind in 0, 1:
            _StepByHand.args = kind, state
            try:
                _sealed_by_hand(_StepByHand())
            except (pickle.UnpicklingError, TypeError):
                continue
            raise AssertionError(f"{state} is taken")
    for kind, state in (2, (None, 0)), (-1, (None, 0)), (1, ("no arguments", 0)):
        _StepByHand.args = kind, state
        raises(pickle.UnpicklingError, None, _sealed_by_hand, _StepByHand())
    for args in (0, ("value", 1)), (0, (None, 0)), (1, (None, 1)), (1, ((), 0)), (1, ((KeyError, 1, 2, 3, 4), 0)), (1, (None, 2)):
        _StepByHand.args = args
        step = _sealed_by_hand(_StepByHand())
        for send in step.send, step.throw:
            try:
                send(None if send == step.send else KeyError())
            except Exception:
                pass


class _StepByHand:
    args = None

    def __reduce__(self):
        return _step_by_hand, self.args


def _step_by_hand(kind, state):
    import _coop_freeze as f

    async def g():
        yield 1
    step = f.step(kind, g())
    f.set_step(step, state)
    return step


def a_frame_stands_at_none_of_the_instructions_before_its_first():
    class Hand:
        def __reduce__(self):
            return _frame_by_hand, (_numbers.__code__, -1)
    e = raises(pickle.UnpicklingError, None, _sealed_by_hand, Hand())
    assert "stands at no instruction" in str(e), e


def what_seals_has_no_name_that_a_pickle_could_call():
    import _coop_freeze
    import inspect
    for name in dir(_coop_freeze):
        o = getattr(_coop_freeze, name)
        assert not inspect.isroutine(o) or "seal" not in name.replace("unseal", "").replace("is_sealed", ""), name
    for name in "_seal", "_seals", "_mac", "_local_mac", "_blob", "_keeper", "_own_key":
        raises(AttributeError, None, pickle.loads, b"c_coop_freeze\n" + name.encode() + b"\n.")


def bytes_that_nobody_sealed_are_refused_within_a_load_too():
    """By a __setstate__ that reads a pickle of its own; what was sealed goes on after it."""
    import _coop_freeze
    import _pickle
    import marshal
    code = marshal.dumps(_numbers.__code__)

    class Code:
        def __reduce__(self):
            return _coop_freeze.code, (code,)
    inner = _coop_freeze._plain_dumps(Code(), 4)
    ways = [pickle.loads, _pickle.loads, _coop_freeze._plain_loads, lambda b: pickle.load(io.BytesIO(b)), lambda b: pickle.Unpickler(io.BytesIO(b)).load(),
            lambda b: type("U", (pickle.Unpickler,), {})(io.BytesIO(b)).load(),
            pickle._loads, lambda b: pickle._load(io.BytesIO(b)), lambda b: type("U", (pickle._Unpickler,), {})(io.BytesIO(b)).load()]
    for way in ways:
        _Reads.seen, _Reads.way = [], way
        o, again, f = pickle.loads(pickle.dumps([_Reads(inner), _Reads(pickle.dumps(lambda: 5)), lambda: 7]))
        assert "only out of a sealed blob" in str(_Reads.seen[0]), _Reads.seen
        same((_Reads.seen[1](), f()), (5, 7))


class _Reads:
    seen = way = None

    def __init__(self, data):
        self.data = data

    def __setstate__(self, state):
        try:
            self.seen.append(_Reads.way(state["data"]))
        except pickle.UnpicklingError as e:
            self.seen.append(e)


def loads_under_way_in_very_many_tasklets_are_each_their_own():
    """Those that began first end first: whoever walked past all of them at each step would be at it for long."""
    import _coop_freeze
    done, data = [], pickle.dumps([lambda: 1, _Stays(), lambda: 2])
    for _ in range(100):
        for _ in range(100):
            stackless.tasklet(lambda: done.append(pickle.loads(data)))()
        stackless.run()
    same((len(done), len(_Stays.waiting)), (0, 10000))
    raises(pickle.UnpicklingError, None, _coop_freeze.cell)
    for t in _Stays.waiting:
        t.insert()
    del _Stays.waiting[:]
    stackless.run()
    same({(a(), b()) for a, _, b in done}, {(1, 2)})
    same(len(done), 10000)


class _Stays:
    waiting = []

    def __getstate__(self):
        return 1

    def __setstate__(self, state):
        _Stays.waiting.append(stackless.current)
        stackless.schedule_remove()


# ---- what is half made -----------------------------------------------------------------------------------------------------------------

class _Looks:
    """Does something with what it holds as soon as it has it; by then that has nothing yet."""
    look = None
    seen = []

    def __getstate__(self):
        return {"held": self.held}

    def __setstate__(self, state):
        self.held = state["held"]
        try:
            _Looks.seen.append(_Looks.look(self.held))
        except Exception as e:
            _Looks.seen.append(e)


def _look(make, look):
    o = _Looks()
    o.held = make(o)
    _Looks.look, _Looks.seen = look, []
    again = _again(o.held)
    return _Looks.seen[0], again


def _closes_over(o, a=1):
    b = 2
    return lambda: (o, a, b)


def _walks(o, a=1, b=2, c=3, d=4):
    e = lambda: (o, e)
    yield o
    yield e


def _walks_within(o):
    b = 2

    def walks(a=1):
        yield o, a, b
        yield b
    return walks()


def a_function_without_its_closure_is_called_and_no_crash():
    e, f = _look(_closes_over, lambda f: f())
    assert isinstance(e, NameError), e
    same(f()[1:], (1, 2))


def a_generator_without_its_values_is_looked_at_and_no_crash():
    junk = [_walks(object(), *[bytearray(i) for i in range(4)]) for _ in range(200)]
    for g in junk:
        next(g)
    del junk, g
    for make in _walks, _walks_within:
        for begun in False, True:
            def made(o):
                g = make(o)
                if begun:
                    next(g)
                return g
            for look in (lambda g: g.gi_frame.f_locals, next, lambda g: g.gi_frame.f_lineno, lambda g: g.close(), lambda g: repr(g.gi_frame)):
                seen, g = _look(made, look)
                assert seen == {} or seen is None or isinstance(seen, (StopIteration, int, str)), seen
                same(len(list(g)), 2 - begun)


class _Registers(_Looks):
    def __setstate__(self, state):
        _Looks.seen.append(state["held"])


class _Fails:
    def __reduce__(self):
        return int, ("no number",)


def what_a_load_that_failed_has_left_is_called_and_no_crash():
    bus, gone = _Registers(), _Fails()
    bus.held = lambda: (bus, gone)
    _Looks.seen = []
    raises(ValueError, None, pickle.loads, pickle.dumps(bus.held))
    raises(NameError, None, _Looks.seen[0])


def a_frame_that_was_cleared_before_its_turn_is_an_error_and_no_crash():
    t = stackless.tasklet(_waits)()
    stackless.run()
    u = _again(t)
    u.frame.clear()
    u.insert()
    e = raises(pickle.UnpicklingError, None, stackless.run)
    assert "cannot go on" in str(e), e
    u = _again(t)
    u.insert()
    stackless.schedule()
    t.kill()


def _waits():
    x = stackless.schedule_remove(1)
    return x


def _sealed_by_hand(o):
    """Whatever is dumped beside a function is sealed with it."""
    return pickle.loads(pickle.dumps((lambda: 1, o)))[1]


def _frame_by_hand(code, at):
    import _coop_freeze as f
    frame = f.frame(code, {})
    f.set_frame(frame, ((at, code.co_nlocals, b"\0", (), None), None))
    return frame


def _by_hand(code, state):
    import _coop_freeze as f
    g = f.generator(0, f.code(code), {}, "g", "g")
    f.set_generator(g, (state, None))
    return g


if __name__ == "__main__":
    main(globals())
