"""Rows of tests, each a function whose name is a sentence. `program.py` runs all, `program.py --list` names them, `program.py NAME...` runs those."""

import contextvars
import stackless
import sys
import threading
import traceback

variable = contextvars.ContextVar("variable", default="nobody's")


class Skipped(Exception):
    """Here a row cannot be had; why."""


def raises(kind, text, f, *args, **kwargs):
    """f raises kind with this text (None: any)."""
    try:
        result = f(*args, **kwargs)
    except BaseException as e:
        assert type(e) is kind, f"{type(e).__name__}: {e}, not {kind.__name__}"
        assert text is None or str(e) == text, f"{e!s} is not {text}"
        return e
    raise AssertionError(f"{result!r} came back, no {kind.__name__}")


def same(is_, should_be):
    assert is_ == should_be, f"{is_!r} is not {should_be!r}"


def together(*functions):
    """Each in a tasklet of its own, until all have ended; what they returned."""
    results = [None] * len(functions)

    def call(i, f):
        results[i] = f()
    for i, f in enumerate(functions):
        stackless.tasklet(call)(i, f)
    stackless.run(threadblock=True)
    return results


def started(function, *args):
    """A thread that runs it."""
    thread = threading.Thread(target=function, args=args)
    try:
        thread.start()
    except RuntimeError:
        raise Skipped("the job has no further thread") from None
    return thread


def until(condition):
    """Nobody of this thread's has a turn meanwhile; other threads do."""
    while not condition():
        pass


def sliced(f):
    """For a row about slices. In the others none ends: they say who runs after whom, and a slow machine would have it otherwise."""
    f.slice = 0.01
    return f


def begin(f):
    stackless.getruncount()  # this thread has tasklets now, and their slices
    stackless._set_slice(getattr(f, "slice", 0))
    for _ in range(2):  # one that is over already ends here
        pass


def is_clean():
    """What a row leaves behind would change the next one. Those that can still run have their turns first."""
    stackless.run()
    same(stackless.getruncount(), 1)
    same(stackless.switch_trap(0), 0)
    assert stackless.current is stackless.main and not stackless.main.atomic and not stackless.main.block_trap


def main(names):
    rows = [f for f in names.values() if callable(f) and getattr(f, "__module__", None) == "__main__" and "_" in f.__name__[1:]
            and not f.__name__.startswith("_") and not isinstance(f, type)]
    if sys.argv[1:] == ["--list"]:
        print("\n".join(f.__name__ for f in rows))
        return
    failed = 0
    for f in rows:
        if sys.argv[1:] and f.__name__ not in sys.argv[1:]:
            continue
        try:
            begin(f)
            f()
            is_clean()
        except Skipped as e:
            print("skipped:", f.__name__, "-", e)
        except BaseException:
            failed += 1
            print("not ok", f.__name__)
            traceback.print_exc()
    print(len(rows), "rows,", failed, "failed")
    sys.exit(1 if failed else 0)
