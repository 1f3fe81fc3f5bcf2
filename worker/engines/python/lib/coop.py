"""What a script has of the broker: interpreters, queues, buffers, keys, capabilities; each a module below this one.

    from coop import interpreters
    i = interpreters.create()
    print(i.call(pow, 2, 10))
"""

import _coop

from coop.errors import InterpreterError, NotShareableError

__all__ = ["alias", "is_shareable", "InterpreterError", "NotShareableError"]


def _ask(name, /, **fields):
    """Asks the broker and waits: docs/calls.md says what for and which fields."""
    return _coop.Ask(name, fields).take()


def _limit(seconds):
    """What a call may take, in microseconds; None: for ever."""
    if seconds is None or seconds > 1e12:
        return 0
    if not seconds > 0:
        raise ValueError("a time limit must be above 0 seconds")
    return -int(-seconds * 1e6 // 1)


def _patience(seconds):
    """How long to wait for a queue, in microseconds; None: for ever."""
    if seconds is None or seconds > 1e12:
        return -1
    return -int(-seconds * 1e6 // 1) if seconds > 0 else 0


def alias(name, /, *args, timeout=None):
    """Calls the function that who made this interpreter offers by that name."""
    return _ask("alias_call", name=name, args=args, timeout_us=_limit(timeout))


def is_shareable(value, /):
    """Whether it can be sent to another interpreter."""
    return _coop.why_not_shareable(value) is None


def why_not_shareable(value, /):
    """None, or (where, why): the path of the element that cannot be sent."""
    return _coop.why_not_shareable(value)
