"""The engine python as one of interpreters: what a call means in here, and what is said of how it failed. The call itself is made by interp.c."""

import _coop_run as run
import builtins
import importlib
import linecache
import sys
import traceback
import types
import warnings

TRACEBACK_MOST = 15 << 10  # characters; what is cut off is its beginning
REMEMBERED = 64  # sources of exec, for tracebacks
NAMED = 1000  # names of sources that are counted each; all others are counted together

main = None  # the module __main__
named = {}  # how often each name of a source has been used; None: any other
remembered = []


class Refused(Exception):
    """The call is none: the name of docs/calls.md, and why."""


def begin(name, source, args, env, modules):
    global main
    main = run.begin(source, name, args, env, modules)


def forget():
    """In the zygote, which has no __main__."""
    global main
    main = None
    named.clear()
    remembered.clear()


# ---- what is called -------------------------------------------------------------------------------------------------------------------


def remember(name, source):
    """The name by which tracebacks find this source, and no other of that name."""
    name = name or "<exec>"
    key = name if name in named or len(named) < NAMED else None
    named[key] = named.get(key, 0) + 1
    if key is None or named[key] > 1:
        name = f"{name} ({named[key]})"
    remembered.append(name)
    if len(remembered) > REMEMBERED:
        linecache.cache.pop(remembered.pop(0), None)
    run.fill_linecache(name, source)
    return name


def find_exec(source, name):
    """(function, arguments, keywords, whether its value may be one that cannot be sent)"""
    name = remember(name, source)
    code = expression(name, source)
    if code is None:
        return exec, (compile(source, name, "exec", dont_inherit=True), main.__dict__), {}, True
    return eval, (code, main.__dict__), {}, True


def expression(name, source):
    try:
        return compile(source, name, "eval", dont_inherit=True)
    except SyntaxError:
        return None


def imported(name):
    """The module, or None: there is none of that name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name + ".").startswith(error.name + "."):
            return None
        raise


def walk(thing, names):
    for name in names:
        thing = getattr(thing, name, None)
    return thing


def find_function(name):
    """"f", "thing.method": of __main__, or Python's own; "json.dumps", "json:dumps": of a module."""
    module, colon, path = name.partition(":")
    if colon:
        return walk(imported(module), path.split("."))
    first, *rest = name.split(".")
    if first in main.__dict__:
        return walk(main.__dict__[first], rest)
    if hasattr(builtins, first):
        return walk(getattr(builtins, first), rest)
    module = imported(".".join([first, *rest[:-1]])) if rest and all([first, *rest]) else None
    if module is None and len(rest) > 1:
        module, rest = imported(first), [None, *rest]
        return walk(module, rest[1:])
    return walk(module, rest[-1:]) if module is not None else None


def find_call(name, args):
    kwargs = {}
    if name == ":call":
        from coop.functions import build
        if not isinstance(args, (list, tuple)) or len(args) != 3:
            raise Refused("BadRequest", "':call' is of three values: the function, its arguments and its keywords")
        what, args, kwargs = args
        name = what if isinstance(what, str) else what["name"]
        function = find_function(what) if isinstance(what, str) else build(what, main.__dict__)
    else:
        function = find_function(name)
    if not callable(function):
        raise Refused("NoFunction", f"there is no function '{name}' in this interpreter")
    args = tuple(args or ())
    if isinstance(function, types.BuiltinFunctionType):  # eval(), globals() and their like want to be called by somebody
        return eval, (BY_HAND.replace(co_consts=(function, args, kwargs)), main.__dict__), {}, False
    return function, args, kwargs, False


def code_by_hand():
    """A call of what stands in its constants, by a frame of __main__ that has no names of its own: its locals are the module's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile("'f'(*'a', **'k')", "<coop _call>", "eval", dont_inherit=True)
    assert code.co_consts == ("f", "a", "k")
    return code


BY_HAND = code_by_hand()


def set_names(names):
    if not isinstance(names, dict):
        raise Refused("BadRequest", "what is prepared is a map of names to values")
    if not all(isinstance(name, str) for name in names):
        raise Refused("BadRequest", "a name is text")
    main.__dict__.update(names)


def find_prepare(names):
    return set_names, (names,), {}, False


# ---- what is said of it ---------------------------------------------------------------------------------------------------------------


def message_of(error):
    return run.attempt(lambda: str(error)[:4096], otherwise="<its message cannot be had>")


def traceback_of(error, tb):
    return "".join(traceback.format_exception(type(error), error, tb, limit=run.LAST_FRAMES)).rstrip("\n")


MORE_MEMORY = "the memory limit of this interpreter is reached; create(limits={'memory': SIZE}) sets another"


def was_sent(tb):
    """Whether it stands in a function that came by value: its globals are __main__'s, its source is nobody's in here."""
    while tb.tb_next is not None:
        tb = tb.tb_next
    return tb.tb_frame.f_globals is main.__dict__ and tb.tb_frame.f_code.co_filename not in linecache.cache


def hint_for(error):
    """What would have helped whoever calls, where that is known."""
    if isinstance(error, MemoryError):
        return MORE_MEMORY
    if isinstance(error, ModuleNotFoundError) and run.hint_for(error) is not None:
        return f"a module of yours is given to an interpreter: create(modules={{{error.name.replace('.', '/') + '.py'!r}: SOURCE}})"
    if type(error) is NameError and error.name and error.__traceback__ is not None and was_sent(error.__traceback__):
        return f"a function is sent without what is around it: make {error.name} an argument, or give it by prepare_main({error.name}=VALUE)"
    return None


def report(error):
    """(type, message, traceback), texts."""
    tb = run.cut_traceback(error)
    run.add_hint(error, hint_for)
    text = run.attempt(traceback_of, error, tb, otherwise="")
    if len(text) > TRACEBACK_MOST:
        text = "[...]\n" + text[-TRACEBACK_MOST:].partition("\n")[2]
    return run.type_name(type(error)), message_of(error), text


def flush():
    """What was printed is there before the value is."""
    for name in "stdout", "stderr":
        run.attempt(run.flush_stream, name)


def say(error):
    """Of an interpreter that does not begin: on standard error, too."""
    run.print_exception(type(error), error, run.cut_traceback(error))


def exit_code(error):
    return run.exit_code_of(error)


def finish():
    run.finish()
