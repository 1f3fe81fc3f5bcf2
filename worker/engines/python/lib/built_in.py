"""Finds the modules that are built into the engine: coop and those below it, and the names that Python's own library has for them in later versions."""

import _coop
import gc
import importlib
import importlib.machinery
import signal
import sys

PRELOADED = "coop coop.errors coop.interpreters coop.functions coop.queues coop.buffers coop.kv coop.caps _coop_freeze".split()

_codes = {}  # name: (code, whether it is a package, source)


class Loader:
    """Finder and loader in one: a class that nobody makes an object of."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in _codes:
            return None
        spec = importlib.machinery.ModuleSpec(name, Loader, origin=_codes[name][0].co_filename, is_package=_codes[name][1])
        spec.cached = None
        return spec

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        exec(_codes[module.__spec__.name][0], module.__dict__)

    @staticmethod
    def get_code(name):
        return _codes[name][0]

    @staticmethod
    def get_source(name):
        return _codes[name][2]

    @staticmethod
    def is_package(name):
        return _codes[name][1]


def _executor(futures):
    """concurrent.futures.InterpreterPoolExecutor, which it has from Python 3.14 on."""
    older = futures.__getattr__

    def __getattr__(name):
        if name != "InterpreterPoolExecutor":
            return older(name)
        from coop.futures import InterpreterPoolExecutor
        futures.InterpreterPoolExecutor = InterpreterPoolExecutor
        return InterpreterPoolExecutor

    futures.__getattr__ = __getattr__


def prepare():
    """In the zygote, once: what is compiled here is compiled in no job."""
    for name, (source, is_package) in _coop.built_in_modules().items():
        _codes[name] = compile(source, f"<coop {name}>", "exec", dont_inherit=True), is_package, source
    sys.meta_path.insert(0, Loader)
    import concurrent.futures
    _executor(concurrent.futures)
    for name in PRELOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGINT, _coop.on_interrupt)
    gc.collect()
    gc.freeze()
