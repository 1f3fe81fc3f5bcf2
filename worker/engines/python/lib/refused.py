"""What Python itself would try in vain, and what it is told instead: errors with their reason, at the line that asks."""

import errno
import functools
import os

NO_PROGRAMS = "no program is started from in here: coop run --engine exec runs programs"


def no_programs(*args, **kwargs):
    raise PermissionError(errno.EPERM, NO_PROGRAMS)


def refuse_programs():
    import _posixsubprocess
    import subprocess

    init = subprocess.Popen.__init__

    @functools.wraps(init)
    def __init__(self, *args, **kwargs):
        no_programs()

    subprocess.Popen.__init__ = __init__
    _posixsubprocess.fork_exec = no_programs
    for name in ("system", "posix_spawn", "posix_spawnp", "forkpty"):
        setattr(os, name, functools.wraps(getattr(os, name))(functools.partial(no_programs)))


def name_the_limit():
    """A thread more than the job may have: says how many those are."""
    import _thread
    import threading
    import _coop

    start = _thread.start_new_thread

    @functools.wraps(start)
    def start_new_thread(*args):
        try:
            return start(*args)
        except RuntimeError as error:
            n = _coop.threads_max()
            raise RuntimeError(f"{error}: the job's limit is threads={n}, main included (--limit threads={n + 1})") from None

    def run(function, args):
        try:
            function(*args)
        finally:
            _coop.thread_ends()

    _thread.start_new_thread = _thread.start_new = start_new_thread
    threading._start_new_thread = lambda function, args: start_new_thread(run, (function, args))


def exit_well():
    import _coop
    os._exit = functools.wraps(os._exit)(lambda status: _coop.finish(status))


def on_cancel(signo, frame):
    """The job is cancelled: as Ctrl-C would, and as whoever handles that (asyncio.run) wants it."""
    import signal
    handler = signal.getsignal(signal.SIGINT)
    (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)


def install():
    import signal
    refuse_programs()
    name_the_limit()
    exit_well()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, on_cancel)
