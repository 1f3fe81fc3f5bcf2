"""How a job of the engine python begins and ends. Runs in the zygote up to prepare()'s end, from run() on sealed."""

import _coop
import _coop_finder as finder
import builtins
import gc
import io
import linecache
import os
import sys
import traceback
import types

STDLIB = "/usr/lib/python3.11"

# What scripts import most, and what those need: there before they begin.
PRELOADED = """
    __future__ _collections_abc abc argparse array atexit base64 binascii bisect calendar codecs collections collections.abc contextlib contextvars copy
    copyreg csv dataclasses datetime decimal enum errno fnmatch fractions functools gc genericpath glob hashlib heapq hmac html importlib importlib.abc
    importlib.machinery importlib.resources importlib.util inspect io itertools json json.decoder json.encoder keyword linecache locale logging math
    numbers operator os os.path pathlib pickle posixpath pprint queue random re reprlib secrets select selectors shutil signal socket stat statistics
    string struct subprocess sys tempfile textwrap threading time timeit token tokenize traceback types typing unicodedata unittest.mock urllib.parse
    uuid warnings weakref zlib ctypes encodings.ascii encodings.latin_1 encodings.idna encodings.utf_8_sig
""".split()
PRELOADED.remove("unittest.mock")


def preload(names):
    import importlib
    for name in names:
        importlib.import_module(name)


def prepare():
    finder.build(STDLIB)
    finder.install()
    preload(PRELOADED)
    sys.modules.pop("__main__", None)
    gc.collect()
    gc.freeze()


def open_streams():
    def text(raw, **more):
        return io.TextIOWrapper(raw, encoding="utf-8", newline="\n", **more)

    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(_coop.Input(0)), encoding="utf-8", errors="strict", newline=None)
    sys.stdout = sys.__stdout__ = text(_coop.Output(1), errors="strict", write_through=True)
    sys.stderr = sys.__stderr__ = text(_coop.Output(2), errors="backslashreplace", write_through=True)


def fill_linecache(name, source):
    try:
        lines = source.decode("utf-8", "replace").splitlines(True)
    except MemoryError:
        return
    linecache.cache[name] = (len(source), None, lines, name)


def new_main(name):
    main = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __file__=name, __annotations__={})
    sys.modules["__main__"] = main
    return main


def exit_code_of(error):
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xff
    print(code, file=sys.stderr)
    return 1


def own_part(tb):
    """Without the frames of this file, which are the first."""
    while tb is not None and tb.tb_frame.f_code.co_filename == __spec_file__:
        tb = tb.tb_next
    return tb


__spec_file__ = prepare.__code__.co_filename


def ending_of(error):
    error.__traceback__ = own_part(error.__traceback__)
    if isinstance(error, SystemExit):
        return exit_code_of(error), None, None, None
    sys.excepthook(type(error), error, error.__traceback__)
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    lines = traceback.format_exception(kind, error, error.__traceback__)
    return 1, name, str(error), "".join(lines).rstrip("\n")


def print_exception(kind, error, tb):
    sys.stdout.flush()
    traceback.print_exception(kind, error, tb)


def finish():
    import atexit
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):
            pass


def begin(name, source, args, env, modules):
    """What a job finds: its streams, words, variables and modules. The module __main__."""
    open_streams()
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [name, *args]
    sys.excepthook = sys.__excepthook__ = print_exception
    fill_linecache(name, source)
    finder.take_sent(modules)
    return new_main(name)


def run(source, name, args, env, modules):
    ending = (0, None, None, None)
    main = begin(name, source, args, env, modules)
    try:
        exec(compile(source, name, "exec", dont_inherit=True), main.__dict__)
    except BaseException as error:
        ending = ending_of(error)
    finish()
    return ending
