"""Functions that this interpreter offers to one that it has made, by name. The broker passes each call on and writes it down.

A thread asks for the next call and answers it. It ends with the child, or when the child's object was dropped."""

import _coop
import threading
import traceback

from _coop_run import type_name
from coop import _ask
from coop.errors import InterpreterError


def _answer(functions, call):
    """One call: its value, or what the function has raised."""
    try:
        if call["name"] not in functions:
            raise LookupError(f"there is no function behind the alias {call['name']!r}")
        value = functions[call["name"]](*(call.get("args") or ()))
    except Exception as error:
        failed = {"type": type_name(type(error)), "message": str(error), "traceback": traceback.format_exc()}
        return _ask("alias_done", number=call["number"], error=failed)
    try:
        return _ask("alias_done", number=call["number"], value=value)
    except InterpreterError as error:
        failed = {"type": error.type, "message": str(error), "traceback": ""}
        return _ask("alias_done", number=call["number"], error=failed)


def _serve(number, functions):
    while True:
        try:
            call = _coop.Ask("alias_next", {"interp": number}).take()
        except (InterpreterError, KeyboardInterrupt):
            return
        try:
            _answer(functions, call)
        except InterpreterError:
            pass  # whether the caller is still there is no matter of ours


def serve(child, functions):
    thread = threading.Thread(target=_serve, args=(_coop.reference(child), functions), name=f"aliases of {child.id}", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        child.kill()
        raise
