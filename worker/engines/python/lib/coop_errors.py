"""How calls fail: one class for each name of docs/calls.md. Python's own names where PEP 734 has them."""

import queue
import types

_EXECUTION_FAILED = """
{superstr}

Uncaught in the interpreter:

{formatted}
""".strip()


class InterpreterError(Exception):
    """Whatever the broker says no to.

    type: its name in docs/calls.md. path: of the element of a value, else "". cause, cause_detail, receipt: how an interpreter has ended, and under which id
    its receipt is. cycle: the ids of those that would wait for each other."""

    type = "Internal"
    path = cause_detail = receipt = ""
    cause = None
    cycle = ()

    @property
    def message(self):
        return self.args[0] if self.args else ""

    def __str__(self):
        text = str(self.message)
        return f"{self.path}: {text}" if self.path else text

    def _fill(self, failure):
        for name in ("path", "cause", "cause_detail", "receipt", "cycle"):
            value = failure[name]
            if value:
                setattr(self, name, value)


class ExecutionFailed(InterpreterError):
    """An uncaught exception in there, or the interpreter has ended meanwhile: then cause says how.

    excinfo: of the exception: type (__name__, __qualname__, __module__), msg, formatted, errdisplay (its traceback)."""

    type = "ExecutionFailed"
    excinfo = None

    @property
    def traceback(self):
        return self.excinfo.errdisplay if self.excinfo is not None else ""

    @property
    def remote_type(self):
        return self.excinfo.type.__name__ if self.excinfo is not None else ""

    def _fill(self, failure):
        super()._fill(failure)
        remote = failure["remote"]
        if remote is not None:
            self.excinfo = _excinfo(remote["type"], remote["message"], remote["traceback"])
            self.args = (self.excinfo.formatted,)

    def __str__(self):
        text = super().__str__()
        return _EXECUTION_FAILED.format(superstr=text, formatted=self.traceback) if self.traceback else text


def _excinfo(name, message, traceback):
    module, _, qualname = name.rpartition(".")
    kind = types.SimpleNamespace(__name__=qualname, __qualname__=qualname, __module__=module or "builtins")
    return types.SimpleNamespace(type=kind, msg=message, formatted=f"{name}: {message}" if message else name, errdisplay=traceback)


class InterpreterNotFoundError(InterpreterError):
    """There is none, or none any more."""

    type = "NotFound"


class Closed(InterpreterNotFoundError):
    """It was closed in good order before; of a queue: and nothing is left in it."""

    type = "Closed"


class Dead(InterpreterNotFoundError):
    """It ended otherwise, before: cause says how."""

    type = "Dead"


class NotShareableError(InterpreterError, TypeError):
    """A value that cannot be sent; path names the element: args[1].rows[3]. Places are counted from 1."""

    type = "NotShareable"


class TooDeep(NotShareableError):
    type = "TooDeep"


class TooBig(NotShareableError):
    type = "TooBig"


class TimedOut(InterpreterError, TimeoutError):
    type = "TimedOut"


class QueueError(InterpreterError):
    pass


class QueueEmpty(QueueError, queue.Empty):
    type = "QueueEmpty"


class QueueFull(QueueError, queue.Full):
    type = "QueueFull"


class ItemInterpreterDestroyed(QueueError):
    """Who has put the item has ended before it was taken, and its policy is UNBOUND_ERROR."""

    type = "ItemInterpreterDestroyed"


def _more():
    """The others have nothing of their own."""
    for name in ("BadRequest", "BadHandle", "Revoked", "NotAllowed", "Busy", "Interrupted", "NoFunction", "Deadlock", "Limit", "NameTaken",
                 "TemplateFailed", "Unsupported", "Temporary", "Internal"):
        globals()[name] = type(name, (InterpreterError,), {"type": name, "__module__": __name__})


_more()
NotFound = InterpreterNotFoundError
NotShareable = NotShareableError
_classes = {c.type: c for c in list(globals().values()) if isinstance(c, type) and issubclass(c, InterpreterError) and c not in (InterpreterError, QueueError)}


def make(name, message, failure):
    """The exception for what the broker has answered."""
    error = _classes.get(name, InterpreterError)(message)
    error._fill(failure)
    return error
