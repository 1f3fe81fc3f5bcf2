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

    _thread.start_new_thread = _thread.start_new = threading._start_new_thread = start_new_thread


def exit_well():
    import _coop
    os._exit = functools.wraps(os._exit)(lambda status: _coop.finish(status))


NO_ALARM = "no alarm is set in here: wait with a time-out, use threading.Timer (--limit threads=2), or bound the job by --limit wall=TIME"


def refuse_alarms():
    """SIGALRM is the engine's own: what is printed goes out by it."""
    import signal

    setitimer = signal.setitimer

    def no_alarm(*args):
        raise PermissionError(errno.EPERM, NO_ALARM)

    @functools.wraps(setitimer)
    def only_virtual(which, *args):
        return no_alarm() if which == signal.ITIMER_REAL else setitimer(which, *args)

    signal.alarm, signal.setitimer = functools.wraps(signal.alarm)(no_alarm), only_virtual


NO_INTERPRETERS = "an interpreter of the same process is not made in here: coop.interpreters makes one in a process of its own (--cap interpreters=N)"


def refuse_interpreters():
    import _xxsubinterpreters

    def create(*args, **kwargs):
        raise RuntimeError(NO_INTERPRETERS)

    _xxsubinterpreters.create = create


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
    refuse_alarms()
    refuse_interpreters()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, on_cancel)
