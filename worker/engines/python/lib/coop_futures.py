"""concurrent.futures.InterpreterPoolExecutor of Python 3.14, by coop's interpreters: each is a sealed process that keeps its state.

It needs no threads: whoever waits for a future, or asks whether it is done, moves all of the pool's calls on. Where there are event loops, which only
leave a callback, a tasklet follows each call that has one."""

import _coop
import collections
import concurrent.futures as _futures
import os
import sys
import threading
import time

from coop import interpreters
from coop.errors import InterpreterError

MOST = 64  # that one wait is told of


class BrokenInterpreterPool(_futures.BrokenExecutor):
    """An interpreter of the pool cannot be made, or its initializer has failed."""


class _Event:
    """The event of concurrent.futures.wait() and its like: waiting for it moves the pool on."""

    def __init__(self, pool, event):
        self._pool, self._event = pool, event

    def wait(self, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while not self._event.is_set():
            if not self._pool._move(end):
                return self._event.is_set()
        return True

    def __getattr__(self, name):
        return getattr(self._event, name)


class _Waiters(list):
    def __init__(self, pool):
        self._pool = pool

    def append(self, waiter):
        if not isinstance(waiter.event, _Event):
            waiter.event = _Event(self._pool, waiter.event)
        super().append(waiter)


class _PoolFuture(_futures.Future):
    def __init__(self, pool):
        super().__init__()
        self._pool = pool
        self._waiters = _Waiters(pool)
        self._asked = None  # the call, once it is sent
        self._followed = False

    def _await(self, timeout):
        end = None if timeout is None else time.monotonic() + timeout
        while not super().done():
            if not (self._pool._move(end) if self._asked is None else self._answered(end)):
                break

    def _answered(self, end):
        """Whether its own call is answered by then: others may be waited for by others."""
        try:
            self._asked.wait(None if end is None else max(end - time.monotonic(), 0))
        except InterpreterError:
            if not self._asked.done():
                return False
        self._pool._move(0)
        return True

    def add_done_callback(self, fn):
        super().add_done_callback(fn)
        if not super().done() and not self._followed and "coop_asyncio" in sys.modules:
            self._followed = True
            self._follow()

    def _follow(self):
        """Once it is sent, a tasklet waits for it; before that the pool calls this again."""
        if self._followed and self._asked is not None:
            import stackless
            stackless.tasklet(self._answered)(None)

    def __await__(self):
        import asyncio
        return asyncio.wrap_future(self).__await__()

    def done(self):
        self._pool._move(0)
        return super().done()

    def running(self):
        self._pool._move(0)
        return super().running()

    def result(self, timeout=None):
        self._await(timeout)
        return super().result(0)

    def exception(self, timeout=None):
        self._await(timeout)
        return super().exception(0)


class InterpreterPoolExecutor(_futures.Executor):
    """max_workers: interpreters; none: as many as there are processors, at most 8. They are made when they are needed. More than the arguments of 3.14:
    create, a dict of what interpreters.create() takes."""

    def __init__(self, max_workers=None, thread_name_prefix="", initializer=None, initargs=(), *, create=None):
        if max_workers is None:
            max_workers = min(os.cpu_count() or 1, 8)
        if max_workers < 1:
            raise ValueError("max_workers must be greater than 0")
        self._max, self._create = min(max_workers, MOST), dict(create or {})
        self._initializer, self._initargs = initializer, tuple(initargs)
        self._lock = threading.RLock()
        self._idle, self._busy, self._queue = [], {}, collections.deque()  # busy: Ask -> (interpreter, future)
        self._alive, self._closed, self._broken = 0, False, None

    def submit(self, fn, /, *args, **kwargs):
        from coop.functions import describe
        described = describe(fn, args, kwargs)
        with self._lock:
            if self._broken is not None:
                raise BrokenInterpreterPool(str(self._broken))
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future = _PoolFuture(self)
            self._queue.append((future, described))
            self._start()
        return future

    # ---- moving on

    def _worker(self):
        """One that is free, or a new one; None: all are at work."""
        if self._idle:
            return self._idle.pop()
        if self._alive >= self._max:
            return None
        made = interpreters.create(**self._create)
        try:
            if self._initializer is not None:
                made.call(self._initializer, *self._initargs)
        except BaseException:
            made.kill()
            raise
        self._alive += 1
        return made

    def _break(self, error):
        self._broken = error
        while self._queue:
            future = self._queue.popleft()[0]
            if future.set_running_or_notify_cancel():
                future.set_exception(BrokenInterpreterPool(str(error)))

    def _start(self):
        """As many of those in line as there are interpreters for."""
        from coop.functions import ask as call
        while self._queue:
            try:
                worker = self._worker()
            except InterpreterError as error:
                if self._alive:
                    return  # those that there are will do
                return self._break(error)
            if worker is None:
                return
            future, (name, args) = self._queue.popleft()
            if not future.set_running_or_notify_cancel():
                self._idle.append(worker)
                continue
            try:
                ask = call(worker, name, args)
            except InterpreterError as error:
                self._idle.append(worker)
                future.set_exception(error)
                continue
            self._busy[ask] = worker, future
            future._asked = ask
            future._follow()

    def _settle(self, ask):
        worker, future = self._busy.pop(ask)
        try:
            value = ask.take()
        except InterpreterError as error:
            if error.cause is None:
                self._idle.append(worker)
            else:  # it has ended; the next call has another one
                self._alive -= 1
            future.set_exception(error)
        else:
            self._idle.append(worker)
            future.set_result(value)

    def _settle_all(self):
        """Those that have been answered. Whether there were any."""
        answered = [ask for ask in self._busy if ask.done()]
        for ask in answered:
            self._settle(ask)
        self._start()
        return bool(answered)

    def _move(self, end):
        """Until one has been answered, or that time of the clock has come: then False. end 0: at once; None: never."""
        with self._lock:
            if self._settle_all():
                return True
            asks = tuple(self._busy)[:MOST]
        if not asks:
            return False
        left = None if end is None else max(end - time.monotonic(), 0)
        if left == 0 or not _coop.wait_any(asks, left):
            return False
        with self._lock:
            self._settle_all()
        return True

    # ---- the end

    def shutdown(self, wait=True, *, cancel_futures=False):
        with self._lock:
            self._closed = True
            while cancel_futures and self._queue:
                future = self._queue.pop()[0]
                future.cancel()
                future.set_running_or_notify_cancel()
        if not wait:
            return
        while self._move(None):
            pass
        while self._idle:
            worker = self._idle.pop()
            try:
                worker.close()
            except InterpreterError:
                pass
            worker.drop()
