"""Functions that this interpreter offers to one that it has made, by name. The broker passes each call on and writes it down.

A thread asks for the next call and answers it. It ends with the child, or when the child's object was dropped."""

import _coop
import threading
import time

import _coop_interp as interp
from coop import _ask
from coop.errors import InterpreterError

_PASSING = "Limit", "Temporary"  # why there is no call just now
_LOST = {"type": "MemoryError", "message": "what the function did cannot be said", "traceback": ""}


def _cut(text, most):
    """As much of it as the broker takes."""
    return str.encode(text, "utf-8", "backslashreplace")[:most].decode("utf-8", "ignore")


def _failed(error):
    """What is said of it, whatever its class has made of that."""
    kind, message, traceback = interp.report(error)
    return {"type": _cut(kind, 255), "message": _cut(message, 32 << 10), "traceback": _cut(traceback, 32 << 10)}


def _fail(call, failed):
    return _ask("alias_done", number=call["number"], error=failed)


def _value_of(functions, call):
    if call["name"] not in functions:
        raise LookupError(f"there is no function behind the alias {call['name']!r}")
    return functions[call["name"]](*(call.get("args") or ()))


def _answer(functions, call):
    """One call: its value, or what the function has raised. sys.exit() is that, too: who calls waits for an answer, and this thread is not the function's."""
    try:
        value = _value_of(functions, call)
    except BaseException as error:
        return _fail(call, _failed(error))
    try:
        return _ask("alias_done", number=call["number"], value=value)
    except InterpreterError as error:
        return _fail(call, {"type": error.type, "message": str(error), "traceback": ""})


def _next(number):
    """None: there is none just now; InterpreterError: never again."""
    try:
        return _coop.Ask("alias_next", {"interp": number}).take()
    except InterpreterError as error:
        if error.type not in _PASSING:
            raise
    except (MemoryError, RuntimeError):  # a thread with tasklets waits for the broker, say
        pass
    time.sleep(0.01)
    return None


def _serve_one(functions, call):
    try:
        _answer(functions, call)
    except InterpreterError:
        pass  # whether the caller is still there is no matter of ours
    except BaseException:
        try:
            _fail(call, _LOST)
        except BaseException:
            pass


def _serve(number, functions):
    while True:
        try:
            call = _next(number)
        except (InterpreterError, KeyboardInterrupt):
            return
        if call is not None:
            _serve_one(functions, call)


def serve(child, functions):
    thread = threading.Thread(target=_serve, args=(_coop.reference(child), functions), name=f"aliases of {child.id}", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        child.kill()
        raise
