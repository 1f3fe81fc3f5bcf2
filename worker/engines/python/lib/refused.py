"""What Python itself would try in vain, and what it is told instead: errors with their reason, at the line that asks."""

import errno
import functools
import importlib
import operator
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


TURNS = "turns on a processor are the broker's business"
TIMERS = "SIGALRM and the timers of a process are the worker's own: threading.Timer, asyncio.timeout(), --limit wall=SECONDS"
SIGNALS = "no signal comes to a job but its cancel: signal.signal(signal.SIGTERM, f)"
MACHINE = "nothing is told of the machine in here"
REASONS = {  # why the kernel says no to these; module: function: reason
    "os": {"getloadavg": MACHINE, "nice": TURNS, "getpriority": TURNS, "setpriority": TURNS, "sched_setaffinity": TURNS,
           "sched_getscheduler": TURNS, "sched_setscheduler": TURNS, "sched_getparam": TURNS, "sched_setparam": TURNS,
           "sched_rr_get_interval": TURNS, "pipe": "there is no other process to talk to: queue, stackless.channel, coop.queues, coop.interpreters",
           "pipe2": "there is no other process to talk to: queue, stackless.channel, coop.queues, coop.interpreters"},
    "signal": {"alarm": TIMERS, "setitimer": TIMERS, "getitimer": TIMERS, "sigwait": SIGNALS, "sigwaitinfo": SIGNALS, "sigtimedwait": SIGNALS,
               "sigpending": SIGNALS},
}


def give_reasons():
    for module, reasons in REASONS.items():
        module = importlib.import_module(module)
        for name, reason in reasons.items():
            setattr(module, name, with_reason(getattr(module, name), reason))


def with_reason(f, reason):
    def refused(*args, **kwargs):
        raise PermissionError(errno.EPERM, reason)
    return functools.wraps(f)(refused)


NETWORK = "there is no network in here: what a job needs comes with it (--file, standard input); coop.queues lead to others"


def say_there_is_no_network():
    """libc has two words for it, of which one says "Temporary", and the kernel none. Numbers are looked up as ever."""
    import socket

    def asked(f):
        @functools.wraps(f)
        def ask(*args, **kwargs):
            try:
                return f(*args, **kwargs)
            except socket.gaierror as error:
                told = error
                if error.errno == socket.EAI_AGAIN:
                    told = socket.gaierror(socket.EAI_FAIL, NETWORK)
                elif error.errno == socket.EAI_NONAME:
                    told = socket.gaierror(error.errno, f"{error.strerror}: {NETWORK}")
            raise told
        ask.__module__ = "socket"  # where pickle finds it, by name
        return ask

    for name in "getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr":
        setattr(socket, name, asked(getattr(socket, name)))
    init = socket.socket.__init__

    @functools.wraps(init)
    def __init__(self, *args, **kwargs):
        try:
            return init(self, *args, **kwargs)
        except PermissionError as error:
            told = PermissionError(error.errno, f"{error.strerror}: {NETWORK}")
        raise told

    socket.socket.__init__ = __init__


def have_memory_to_map():
    """mmap.mmap(-1, n) is shared with the children that a process may have. A job has none, so memory of its own is the same thing."""
    import mmap

    class Mapping(mmap.mmap):
        __doc__ = mmap.mmap.__doc__

        def __new__(cls, fileno, length, *args, **kwargs):
            if fileno == -1:
                args, kwargs = private(mmap, args, kwargs)
            return super().__new__(cls, fileno, length, *args, **kwargs)

    Mapping.__name__ = Mapping.__qualname__ = "mmap"
    Mapping.__module__ = "mmap"
    mmap.mmap = Mapping


def private(mmap, args, kwargs):
    names = ("flags", "prot", "access", "offset")
    given = dict(zip(names, args)) | kwargs if len(args) <= len(names) else None
    if given is None or given.get("access") not in (None, mmap.ACCESS_DEFAULT, mmap.ACCESS_WRITE):
        return args, kwargs
    if given.pop("access", mmap.ACCESS_DEFAULT) == mmap.ACCESS_WRITE and given.keys() & {"flags", "prot"}:
        return args, kwargs  # which is an error of mmap's own
    flags = given.get("flags", mmap.MAP_SHARED)
    if isinstance(flags, int) and flags & mmap.MAP_SHARED:
        given["flags"] = flags & ~mmap.MAP_SHARED | mmap.MAP_PRIVATE
    return (), given


def send_elsewhere():
    """A further interpreter of CPython's own cannot start without files, and would be in this process: it is one of coop's."""
    import _xxsubinterpreters

    @functools.wraps(_xxsubinterpreters.create)
    def create(*args, **kwargs):
        raise RuntimeError("CPython's subinterpreters cannot be made in here: from coop import interpreters, and --cap interpreters=N")

    _xxsubinterpreters.create = create


def signal_threads():
    """All handlers run in the main thread: which one a signal is for makes no difference. libc would ask with SIGSYS blocked, which ends the job."""
    import signal
    import sys

    @functools.wraps(signal.pthread_kill)
    def pthread_kill(thread_id, signalnum, /):
        sys.audit("signal.pthread_kill", thread_id, signalnum)
        if thread_id not in sys._current_frames():
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        if signalnum != 0:
            signal.raise_signal(signalnum)

    signal.pthread_kill = pthread_kill


SLICES = "SIGVTALRM ends the slices of tasklets, and has no other handler: stackless.set_schedule_callback()"


def keep_slices():
    """Python's table of handlers has ours for SIGVTALRM: another one would end no slice. Once that is in it."""
    import _signal
    set_handler = _signal.signal  # which signal.signal() asks for, too

    @functools.wraps(set_handler)
    def signal(signalnum, handler, /):
        if operator.index(signalnum) == _signal.SIGVTALRM:
            raise PermissionError(errno.EPERM, SLICES)
        return set_handler(signalnum, handler)

    _signal.signal = signal


def name_the_limit():
    """A thread more than the job may have: says how many those are."""
    import _thread
    import threading
    import _coop

    start = _thread.start_new_thread

    @functools.wraps(start)
    def start_new_thread(*args):
        n = _coop.threads_max()
        try:
            return start(*args)
        except RuntimeError as error:
            told = RuntimeError(f"{error}: the job's limit is threads={n}, main included (--limit threads={n + 1})")
        raise told  # out here: what is being handled meanwhile stays its context, and is shown

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
    give_reasons()
    say_there_is_no_network()
    have_memory_to_map()
    send_elsewhere()
    signal_threads()
    name_the_limit()
    exit_well()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, on_cancel)
