"""_interpreters of Python 3.13 and later: functions that name an interpreter by its id. Ids are text here."""

from coop import interpreters as _i
from coop.errors import InterpreterError, InterpreterNotFoundError, NotShareableError

_held = {}

WHENCE_UNKNOWN, WHENCE_RUNTIME, WHENCE_STDLIB = 0, 1, 5


def _of(id):
    if id not in _held:
        raise InterpreterNotFoundError(f"unrecognized interpreter ID {id}")
    return _held[id]


def _failed(f, *args, **kwargs):
    """None, or what was raised in there: as these functions tell of it."""
    try:
        f(*args, **kwargs)
    except _i.ExecutionFailed as error:
        if error.excinfo is None:
            raise
        return error.excinfo
    return None


def create(config="isolated", *, reqrefs=False):
    made = _i.create()
    _held[made.id] = made
    return made.id


def destroy(id, *, restrict=False):
    _of(id).close()
    _held.pop(id).drop()


def list_all(*, require_ready=False):
    return [(get_current()[0], WHENCE_RUNTIME), *((id, WHENCE_STDLIB) for id in _held)]


def get_current():
    return _i.current()["id"], WHENCE_RUNTIME


get_main = get_current


def is_running(id, *, restrict=False):
    return _of(id).is_running()


def is_shareable(obj):
    return _i.is_shareable(obj)


def whence(id):
    return WHENCE_STDLIB if id in _held else WHENCE_RUNTIME


def set___main___attrs(id, updates, *, restrict=False):
    _of(id).prepare_main(updates)


def exec(id, code, shared=None, *, restrict=False):
    if shared:
        _of(id).prepare_main(shared)
    return _failed(_of(id).exec, code, False)


run_string = exec


def run_func(id, func, shared=None, *, restrict=False):
    if shared:
        _of(id).prepare_main(shared)
    return _failed(_of(id).call, func)


def call(id, callable, args=None, kwargs=None, *, preserve_exc=False, restrict=False):
    """(its value, None), or (None, what was raised)."""
    try:
        return _of(id).call(callable, *(args or ()), **(kwargs or {})), None
    except _i.ExecutionFailed as error:
        if error.excinfo is None:
            raise
        return None, error.excinfo
