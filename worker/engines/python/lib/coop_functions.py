"""Functions by value: their code travels, and runs with the globals of the other interpreter's __main__."""

import _coop
import importlib.util
import inspect
import marshal
import sys
import types

from coop.errors import NotShareableError

CALL = ":call"  # no function of that name can be: its arguments are the function, the arguments and the keywords


def _refuse(what):
    raise NotShareableError(what)


def _is_known_everywhere(module):
    return module is not None and module.partition(".")[0] in sys.stdlib_module_names | {"builtins", "coop"}


def _by_code(code, name, defaults=None, kwdefaults=None):
    if code.co_freevars:
        _refuse(f"{name}() is a closure over {', '.join(code.co_freevars)}: it cannot be sent; pass what it needs as arguments")
    return {"magic": importlib.util.MAGIC_NUMBER, "code": marshal.dumps(code), "name": name,
            "defaults": defaults, "kwdefaults": kwdefaults}


def _by_value(f):
    if isinstance(f, types.CodeType):
        return _by_code(f, f.co_name)
    if isinstance(f, types.FunctionType) and not _is_known_everywhere(f.__module__):
        return _by_code(f.__code__, f.__name__, f.__defaults__, f.__kwdefaults__)
    name, owner = getattr(f, "__qualname__", ""), getattr(f, "__self__", None)
    module = getattr(f, "__module__", None) or getattr(owner, "__module__", None)
    of_nothing = owner is None or isinstance(owner, (types.ModuleType, type))
    if callable(f) and of_nothing and name and "<" not in name and _is_known_everywhere(module):
        return f"{module}:{name}"
    if inspect.ismethod(f):
        _refuse(f"{f.__qualname__}() is bound to an object, which cannot be sent along: send a function, and what it needs as arguments")
    _refuse(f"an object of the type {type(f).__name__} is not a function, or the name of one, that can be sent")


def describe(f, args, kwargs):
    """The name that is called, and its arguments."""
    if isinstance(f, str) and not kwargs:
        return f, args
    return CALL, [f if isinstance(f, str) else _by_value(f), args, kwargs]


OWN_NAMES = (("args[1].", ""), ("args[1]", "function"), ("args[2]", "args"), ("args[3]", "kwargs"))  # what describe() has put them into


def ask(interpreter, name, args, **more):
    """The call of what describe() has returned. A path in an error is that of what was given."""
    try:
        return _coop.Ask("interp_call", {"interp": interpreter, "function": name, "args": args, **more})
    except NotShareableError as error:
        if name == CALL:
            error.path = next((own + error.path[len(sent):] for sent, own in OWN_NAMES if error.path.startswith(sent)), error.path)
        raise


def build(what, main):
    """The other side: a function from its description."""
    if what.get("magic") != importlib.util.MAGIC_NUMBER:
        raise ImportError("the function's code was made by another version of Python")
    code = marshal.loads(what["code"])
    if not isinstance(code, types.CodeType):
        raise TypeError("what has come as a function is none")
    defaults = what["defaults"]
    f = types.FunctionType(code, main, what["name"], None if defaults is None else tuple(defaults))
    f.__kwdefaults__ = what["kwdefaults"]
    return f
