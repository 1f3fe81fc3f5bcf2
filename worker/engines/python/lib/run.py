"""How a job of the engine python begins and ends. Runs in the zygote up to prepare()'s end, from run() on sealed."""

import _coop
import _coop_ahead as ahead

ahead.record()  # before the modules that would do something after each fork
import _coop_finder as finder
import _coop_refused as refused
import atexit
import builtins
import errno
import gc
import io
import linecache
import os
import re
import sys
import threading
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


PACKAGES = "/usr/lib/python3/dist-packages"
LIMITS_OF_LIBRARIES = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMPY_MADVISE_HUGEPAGE": "0"}


def preload_if_there(*names):
    for name in names:
        if name in finder.image.modules:
            try:
                preload([name])
            except Exception as error:
                print(f"{name}: {error!r}", file=sys.stderr)


def preload(names):
    import importlib
    for name in names:
        importlib.import_module(name)


def prepare(packages):
    os.environ.update(LIMITS_OF_LIBRARIES)
    finder.build(STDLIB, PACKAGES if packages else None)
    finder.install()
    preload(PRELOADED)
    if packages:
        preload_if_there("numpy", "yaml")
    refused.install()
    add_words()
    os.environ.clear()
    ahead.record_no_more()


def prepared():
    """After all parts of the engine."""
    refused.keep_slices()
    rehearse()
    streams.append(new_streams())
    gc.collect()
    gc.freeze()


OF_A_JOB = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__", "argv", "excepthook", "__excepthook__", "unraisablehook",
            "__unraisablehook__")


def rehearse():
    """A job, but for its end, and an interpreter with a call; what they find is the zygote's no more."""
    import _coop_interp as interp
    kept, hooks = {name: getattr(sys, name) for name in OF_A_JOB}, (threading.excepthook, threading.__excepthook__)
    name, source, variables = "<rehearsal>", b"def same(x): return x\n", {"NAME": "value"}

    def leave():
        flush_streams()
        drop_main()
        del sys.modules["__main__"]
        linecache.cache.pop(name, None)

    def go():
        execute(begin(source, name, [], variables, {}), source, name)
        leave()
        interp.begin(name, source, [], variables, {})
        for find, *what in (interp.find_exec, source, name), (interp.find_call, "same", [1]):
            f, args, kwargs, _ = find(*what)
            f(*args, **kwargs)
        leave()
        interp.forget()
    sys.modules.pop("__main__", None)
    try:
        ahead.rehearse(go)
    finally:
        vars(sys).update(kept)
        threading.excepthook, threading.__excepthook__ = hooks
        os.environ.clear()


streams = []  # made ahead, for a job that is forked from the zygote


def new_streams():
    def text(raw, **more):
        return io.TextIOWrapper(raw, encoding="utf-8", newline="\n", **more)

    return (io.TextIOWrapper(io.BufferedReader(_coop.Input(0)), encoding="utf-8", errors="strict", newline=None),
            text(_coop.Output(1), errors="strict", write_through=True), text(_coop.Output(2), errors="backslashreplace", write_through=True))


def open_streams():
    stdin, stdout, stderr = streams.pop() if streams else new_streams()
    sys.stdin = sys.__stdin__ = stdin
    sys.stdout = sys.__stdout__ = stdout
    sys.stderr = sys.__stderr__ = stderr


def fill_linecache(name, source):
    try:
        lines = io.StringIO(source.decode("utf-8", "replace"), newline=None).readlines()
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"  # as linecache has it: where the carets stand is counted without its end
    except MemoryError:
        return
    linecache.cache[name] = (len(source), None, lines, name)


class Words:
    """What site gives to an interpreter: calling it, or looking at it, says so. It is there without site, too."""

    def __init__(self, name, text, called):
        self.name, self.text, self.called = name, text, called

    def __repr__(self):
        return self.text

    def __call__(self, *args):
        return self.called(self, *args)


def leave(words, code=None):
    try:
        sys.stdin.close()  # as site has it: even in a shell that catches SystemExit
    except Exception:
        pass
    raise SystemExit(code)


def no_help(words, *args):
    raise NotImplementedError("help() is not here: there is no terminal to read it at; pydoc.render_doc(x) is its text")


def say_words(words):
    print(words.text)


def add_words():
    """site's builtins, without site, which would look for directories."""
    for name in "exit", "quit":
        setattr(builtins, name, Words(name, f"Use {name}() or Ctrl-D (i.e. EOF) to exit", leave))
    builtins.help = Words("help", "help() is not here; pydoc.render_doc(x) is its text", no_help)
    builtins.copyright = Words("copyright", sys.copyright, say_words)
    builtins.credits = Words("credits", "See https://www.python.org for those who made Python.", say_words)
    builtins.license = Words("license", "See https://www.python.org/psf/license/", say_words)


def new_main(name):
    """Of a template's child: the template's, with all that its init has put there."""
    main = sys.modules.get("__main__") or types.ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __file__=name, __annotations__={})
    sys.modules["__main__"] = main
    return main


def attempt(what, *args, otherwise=None):
    """Of an ending, what the script may have changed or can make fail: then that part of what would be said is lost, and no more."""
    try:
        return what(*args)
    except BaseException:
        return otherwise


def exit_code_of(error):
    """As CPython has it: what has no code that can be had is told itself."""
    code = attempt(getattr, error, "code", otherwise=error)
    if code is None:
        return 0
    if isinstance(code, int):
        return int.__and__(code, 0xff)
    attempt(say_code, code)
    return 1


def say_code(code):
    print(code, file=sys.stderr)
    say_why_not_found(code)


def say_why_not_found(words):
    """Of -m: runpy has words of its own for a module that there is not, and ends by them."""
    found = re.fullmatch(r".*: No module named '?([\w.]+)'?", str(words))
    if sys.argv[:1] == ["<module>"] and found is not None:
        why = finder.why_absent(found[1]) or hint_for(ModuleNotFoundError(f"No module named {found[1]!r}", name=found[1]))
        if why is not None:
            print(why, file=sys.stderr)


def own_part(tb):
    """Without the frames of the engine's own files, which are the first."""
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith("<coop _"):
        tb = tb.tb_next
    return tb


TRACEBACK = BaseException.__dict__["__traceback__"]  # a class of the script's may have another


def cut_traceback(error):
    """Its own_part(), which it has from now on."""
    tb = own_part(TRACEBACK.__get__(error))
    TRACEBACK.__set__(error, tb)
    return tb


TYPE_QUALNAME, TYPE_MODULE = (type.__dict__[name] for name in ("__qualname__", "__module__"))  # so may a metaclass


def type_name(kind):
    name, module = TYPE_QUALNAME.__get__(kind), attempt(TYPE_MODULE.__get__, kind)
    if not isinstance(module, str):
        module = "<unknown>"
    return name if module in ("builtins", "__main__") else f"{module}.{name}"


NO_PATHS = "no path is there but files that were sent with the job, to be read: --file NAME. coop run --engine exec runs programs, which have files"


DEEP = "calls were nested until their frames had filled the memory limit: see sys.setrecursionlimit(), and --limit memory=SIZE"
MORE_MEMORY = "the job's memory limit is reached; --limit memory=SIZE sets another"


def hint_for(error):
    """What would have helped, where that is known."""
    if isinstance(error, ModuleNotFoundError) and error.name and error.args[:1] == (f"No module named {error.name!r}",):
        top = error.name.partition(".")[0]
        if top != error.name and top not in finder.sent:
            return None
        path = error.name.replace(".", "/") + ".py"
        return f"a module of yours is sent with the job: --file {path}, or --file PATH:{path} from elsewhere"
    if isinstance(error, PermissionError) and error.errno == errno.EACCES and isinstance(error.filename, (str, bytes)):
        return NO_PATHS
    if isinstance(error, MemoryError):
        return MORE_MEMORY
    if isinstance(error, SystemError) and error.args == ("error return without exception set",):
        return DEEP  # what CPython says when there is no memory for a frame
    return None


def add_hint(error, hint_for=hint_for):
    try:
        hint = hint_for(error)
        if hint is not None and hint not in getattr(error, "__notes__", ()):
            error.add_note(hint)
    except BaseException:
        pass  # what the script made of it


def ending_of(error):
    """(exit code, type, message, traceback), the last three None: it was no error."""
    tb = cut_traceback(error)
    if issubclass(type(error), SystemExit):
        return exit_code_of(error), None, None, None
    add_hint(error)
    code = show(error, tb)
    return (code, None, None, None) if code is not None else ending_as(error)


def ending_as(error):
    traceback = attempt(traceback_of, error, TRACEBACK.__get__(error), otherwise="")
    return 1, as_bytes(type_name(type(error))), as_bytes(text_of(error)), as_bytes(traceback)


def as_bytes(text):
    return str.encode(text, "utf-8", "backslashreplace")


def traceback_of(error, tb):
    return "".join(traceback.format_exception(type(error), error, tb, limit=LAST_FRAMES)).rstrip("\n")


LAST_FRAMES = -1000  # as many as CPython prints


def text_of(error):
    return attempt(str, error, otherwise="<exception str() failed>")


def show(error, tb):
    """By sys.excepthook, as CPython calls it. The exit code of a sys.exit() in there, or None."""
    try:
        sys.excepthook(type(error), error, tb)
    except SystemExit as left:
        return exit_code_of(left)
    except BaseException as broken:
        attempt(print_both, error, tb, broken)
    return None


def print_both(error, tb, broken):
    if hasattr(sys, "excepthook"):
        print("Error in sys.excepthook:", file=sys.stderr)
        print_exception(type(broken), broken, cut_traceback(broken))
        print("\nOriginal exception was:", file=sys.stderr)
    else:
        print("sys.excepthook is missing, printing exception and traceback", file=sys.stderr)
    print_exception(type(error), error, tb)


def print_exception(kind, error, tb):
    attempt(flush_stream, "stdout")
    if getattr(sys, "stderr", None) is not None:
        traceback.print_exception(kind, error, tb, limit=lines_printed())


def lines_printed():
    limit = getattr(sys, "tracebacklimit", None)
    return -max(limit, 0) if isinstance(limit, int) else LAST_FRAMES


def print_thread_exception(args):
    """As threading's own, which would look for source lines in files."""
    if args.exc_type is SystemExit or sys.stderr is None:
        return
    name = args.thread.name if args.thread is not None else "<unknown>"
    print(f"Exception in thread {name}:", file=sys.stderr)
    traceback.print_exception(args.exc_type, args.exc_value, args.exc_traceback, limit=LAST_FRAMES)


def print_unraisable(u):
    print(f"{u.err_msg or 'Exception ignored in'}: {u.object!r}", file=sys.stderr)
    if u.exc_traceback is not None or u.exc_value is not None:
        traceback.print_exception(u.exc_type, u.exc_value, u.exc_traceback, limit=LAST_FRAMES)


def finish():
    """Each part in any case, what one raises is told. (what has ended the wait for threads, what keeps standard output from taking all)"""
    waited = told(wait_for_threads)
    told(run_atexit)
    lost = flush_streams()
    told(drop_main)
    return waited, lost or flush_streams()


def told(part, *args):
    """What it raises, or None."""
    try:
        part(*args)
    except BaseException as error:
        attempt(tell, error, part.__name__)
        return error
    return None


def tell(error, part):
    sys.unraisablehook(types.SimpleNamespace(exc_type=type(error), exc_value=error, exc_traceback=cut_traceback(error),
                                             err_msg="Exception ignored at the end, in", object=part))


def wait_for_threads():
    threading._shutdown()


def run_atexit():
    atexit._run_exitfuncs()


def flush_streams():
    attempt(flush_stream, "stderr")
    return told(flush_stream, "stdout")


def flush_stream(name):
    try:
        getattr(sys, name).flush()
    except (AttributeError, ValueError):
        pass  # there is none, or it is closed


def drop_main():
    """What the script made goes, in its order, so that finalizers run; the process's end does the rest."""
    names = getattr(sys.modules.get("__main__"), "__dict__", {})
    for name in [name for name in names if type(name) is not str or not (name.startswith("__") and name.endswith("__"))]:
        names[name] = None


def begin(source, name, args, env, modules):
    """What a job finds: its streams, words, variables and modules. The module __main__."""
    open_streams()
    if os.environ:
        os.environ.clear()
    if env:
        os.environ.update(env)
    sys.argv = ["-c" if name == "<string>" else name, *args]
    sys.excepthook = sys.__excepthook__ = print_exception
    sys.unraisablehook = sys.__unraisablehook__ = print_unraisable
    threading.excepthook = threading.__excepthook__ = print_thread_exception
    fill_linecache(name, source)
    finder.take_sent(modules)
    return new_main(name)


COOKIE = re.compile(rb"(?:[ \t\f]*(?:#[^\n]*)?\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)")  # PEP 263: in the first two lines


def check_encoding(source, name):
    """As for a file: compile() looks at no byte of a comment."""
    cookie = COOKIE.match(source)
    try:
        source.decode(cookie[1].decode("ascii", "replace") if cookie else "utf-8-sig")
    except LookupError:
        pass  # compile() names it
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise SyntaxError(f"(unicode error) {error}", (name, line, None, None)) from None


def execute(main, source, name):
    try:
        check_encoding(source, name)
        _coop.execute_alone(compile(source, name, "exec", dont_inherit=True), main.__dict__)
    except BaseException as error:
        return ending_of(error)
    return 0, None, None, None


OUTPUT_IS_LOST = 120  # as CPython has it


def run(source, name, args, env, modules):
    ending = execute(begin(source, name, args, env, modules), source, name)
    waited, lost = finish()
    if ending[1] is None and isinstance(waited, KeyboardInterrupt):
        return ending_as(waited)  # a cancel, while threads went on
    if ending[1] is None and lost is not None:
        return OUTPUT_IS_LOST, None, None, None
    return ending


after_fork = ahead.after_fork


def warm(source, name, args, env, modules):
    """A template's init: what it leaves is what each of its children begins with."""
    ahead.register()
    ending = execute(begin(source, name, args, env, modules), source, name)
    gc.collect()
    begun = _coop.tasklets_begun()
    others = [t.name for t in threading.enumerate() if t is not threading.current_thread()]
    if ending[1] is None and ending[0] != 0:
        ending = ending[0], "SystemExit", f"the init of a template ended with exit code {ending[0]}", ""
    elif ending[1] is None and others:
        ending = 1, "RuntimeError", f"the init of a template leaves threads that run: {', '.join(others)}; join them first", ""
    elif ending[1] is None and begun:
        ending = 1, "RuntimeError", f"the init of a template leaves {begun} tasklets that have not ended; wait for them first", ""
    flush_streams()
    gc.freeze()
    return ending
