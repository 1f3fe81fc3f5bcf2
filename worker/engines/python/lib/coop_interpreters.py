"""Interpreters: sealed processes that keep their state, and are called as often as one likes. The names are PEP 734's, and more."""

import _coop
import os
import textwrap
import weakref

from coop import _ask, _limit, _patience, is_shareable, why_not_shareable
from coop.errors import *
from coop.errors import (ExecutionFailed, InterpreterError, InterpreterNotFoundError, ItemInterpreterDestroyed, NotShareableError, QueueEmpty, QueueFull)

__all__ = [
    "create", "list_all", "get_current", "get_main", "current", "list", "is_shareable", "why_not_shareable", "Interpreter", "Future",
    "InterpreterError", "InterpreterNotFoundError", "ExecutionFailed", "NotShareableError",
    "create_queue", "Queue", "QueueEmpty", "QueueFull", "ItemInterpreterDestroyed", "UNBOUND", "UNBOUND_ERROR", "UNBOUND_REMOVE",
]


class Future:
    """A call that is under way. Its value or its error is there for as often as one asks."""

    def __init__(self, ask):
        self._ask = ask

    def wait(self, timeout=None):
        """The value, or what was raised; TimedOut: it is not there yet."""
        return self._ask.wait(timeout)

    result = wait

    def exception(self, timeout=None):
        """What was raised, or None."""
        try:
            self._ask.wait(timeout)
        except InterpreterError as error:
            if not self._ask.done():
                raise
            return error
        return None

    def done(self):
        return self._ask.done()

    def __await__(self):
        """As wait(), for a coroutine; one that is cancelled waits no longer, and the call goes on."""
        from coop_asyncio import to_tasklet
        return to_tasklet(self.wait).__await__()

    def cancel(self):
        """The call is interrupted, or never begins; wait() says so, unless its value was already on the way."""
        self._ask.cancel()


class Interpreter(_coop.Handle):
    """One interpreter, as its maker or whoever was handed it has it."""

    @property
    def whence(self):
        """"runtime": a host program made it; "spawned": a worker; "adopted": a new broker took it up; "template"."""
        return self.info()["whence"]

    # ---- calls

    def _send_call(self, function, args, kwargs, timeout=None):
        from coop.functions import ask, describe
        name, args = describe(function, args, kwargs)
        return ask(self, name, args, timeout_us=_limit(timeout))

    def _send_exec(self, code, timeout, name, dedent):
        if not isinstance(code, str):
            return self._send_call(code, (), {}, timeout)
        source = textwrap.dedent(code) if dedent else code
        return _coop.Ask("interp_exec", {"interp": self, "source": source, "timeout_us": _limit(timeout), "source_name": name})

    def exec(self, code, /, dedent=True, *, timeout=None, name=""):
        """Runs source, or a function without arguments, in its __main__. The value of source that is one expression, when it can be sent; else None."""
        return self._send_exec(code, timeout, name, dedent).take()

    def exec_async(self, code, /, dedent=True, *, timeout=None, name=""):
        return Future(self._send_exec(code, timeout, name, dedent))

    def call(self, callable, /, *args, **kwargs):
        """Its value. callable: a function, by value; or the name of one in there."""
        return self._send_call(callable, args, kwargs).take()

    def call_for(self, seconds, callable, /, *args, **kwargs):
        """The same, no longer than that: then it is interrupted, and TimedOut raised."""
        return self._send_call(callable, args, kwargs, seconds).take()

    def call_async(self, callable, /, *args, **kwargs):
        """The same; its value comes by a Future."""
        return Future(self._send_call(callable, args, kwargs))

    def call_in_thread(self, callable, /, *args, **kwargs):
        """The same in a thread of this interpreter; what it returns is nobody's. Returns the threading.Thread."""
        import threading
        from coop.functions import describe
        describe(callable, args, kwargs)
        thread = threading.Thread(target=self.call, args=(callable, *args), kwargs=kwargs)
        thread.start()
        return thread

    def prepare_main(self, ns=None, /, *, _timeout=None, **kwargs):
        """Each name is a global of its __main__ from now on; all at once."""
        names = dict(ns) if ns is not None else {}
        names.update(kwargs)
        _ask("interp_prepare", interp=self, names=names, timeout_us=_limit(_timeout))

    # ---- its life

    def info(self):
        """What it is and does: a dict."""
        return _status(_ask("interp_info", interp=self))

    def is_running(self):
        return self.info()["state"] == "running"

    def wait(self, timeout=None):
        """Once it has ended, how: a monitor. TimedOut: it has not."""
        us = 0 if timeout is None else max(_patience(timeout), 1)
        return _status(_ask("interp_wait", interp=self, timeout_us=us))

    def interrupt(self):
        """Ends the call that runs; it lives on."""
        _ask("interp_interrupt", interp=self)

    def close(self):
        """Ends it in good order: Busy while a call runs or waits."""
        _ask("interp_close", interp=self)

    def kill(self):
        """Ends it at once, with all that it made."""
        _ask("interp_kill", interp=self)

    def reset(self):
        """A new process under the same id, with its template's state."""
        _ask("interp_reset", interp=self)

    def link(self):
        """From now on, when one of the two ends otherwise than well, so does the other."""
        _ask("interp_link", interp=self)

    def unlink(self):
        _ask("interp_link", interp=self, undo=True)


_coop.register("interpreter", Interpreter)


def _status(s):
    """A status as it is told: times in seconds, names without the handle."""
    about = s.pop("interp") or {}
    s["id"], s["name"] = about.get("id", ""), about.get("name", "")
    s["cpu"], s["created"] = s.pop("cpu_us") / 1e6, s.pop("created_us") / 1e6
    s["memory"] = s.pop("mem_bytes")
    s.pop("limits")
    return s


# ---- making them

_made = weakref.WeakValueDictionary()  # by id

def _pairs(what, table):
    if not isinstance(table, dict) or not all(isinstance(k, str) for k in table):
        raise TypeError(f"{what} must be a dict with names as keys")
    return table.items()


def _bytes(text):
    return os.fsencode(text) if isinstance(text, str) else text


def create(*, engine=None, template="", source=None, source_name="init", name="", limits=None, caps=(), grants=None, aliases=None, env=None,
           modules=None, args=(), max_children=0):
    """Makes an interpreter, which ends with this one.

    engine: "python", "lua", "native"; template instead: NAME or NAME@VERSION. source: is run before the first call. limits: {"memory": "32M", "wall": 2}: a
    number of seconds, bytes or things, or text as the command takes it. caps: as --cap. grants: {name: object}. aliases: {name: function}, which it may call.
    modules: {name: source} that it can import."""
    if engine is None:
        engine = "" if template else "python"
    spec = {
        "engine": engine, "name": name, "source": source, "source_name": source_name if source is not None else "",
        "limits": _coop.limits(dict(limits)) if limits else None, "caps": [str(c) for c in caps],
        "env": [{"name": k, "value": _bytes(v)} for k, v in _pairs("env", env or {})],
        "modules": [{"name": k, "source": v} for k, v in _pairs("modules", modules or {})],
        "args": [_bytes(a) for a in args],
    }
    aliases = dict(_pairs("aliases", aliases or {}))
    made = _ask("interp_create", spec=spec, template=template, max_children=max_children, aliases=[*aliases],
                grants=[{"name": k, "handle": v} for k, v in _pairs("grants", grants or {})])
    _made[made.id] = made
    if aliases:
        from coop.aliases import serve
        serve(made, aliases)
    return made


def list():
    """What is known of each interpreter below this one: dicts."""
    return [_status(s) for s in _ask("interp_list")["interps"]]


def current():
    """What is known of this one."""
    return _status(_ask("interp_info"))


# ---- PEP 734's, where ours have other names


class _Own:
    """This interpreter, or the job that this is: it can be asked about, not called."""

    def __init__(self):
        self._info = current()

    @property
    def id(self):
        return self._info["id"]

    @property
    def whence(self):
        return self._info["whence"]

    def info(self):
        return current()

    def is_running(self):
        return True

    def __eq__(self, other):
        return getattr(other, "id", None) == self.id

    def __hash__(self):
        return hash(self.id)

    def __repr__(self):
        return f"<interpreter {self.id} (this one)>"

    def _not_from_inside(self, *args, **kwargs):
        raise InterpreterError("an interpreter cannot call itself")

    exec = call = call_in_thread = prepare_main = close = _not_from_inside


def get_current():
    return _Own()


get_main = get_current  # whoever made this one cannot be called from it


def list_all():
    """This one, and those that it has made and holds: Interpreter objects."""
    below = (_made.get(s["id"]) for s in list() if s["state"] != "ended")
    return [get_current(), *(i for i in below if i is not None)]


def __getattr__(name):
    if name in ("Queue", "UNBOUND", "UNBOUND_ERROR", "UNBOUND_REMOVE", "PERSIST"):
        from coop import queues
        return getattr(queues, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def create_queue(maxsize=0, *, unbounditems=None):
    from coop import queues
    return queues.create(max_items=max(maxsize, 0), unbound=unbounditems)
