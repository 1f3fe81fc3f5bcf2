"""asyncio in tasklets: a loop that has nothing to do parks its tasklet, and the others run.

So several asyncio.run() live side by side, each in a tasklet of its own. In a sealed worker a loop has no descriptors: what wakes it is a timer, another
tasklet or call_soon_threadsafe(). Where there are descriptors it has the selector of the system as well, and waits for that as a tasklet does.
"""

import _coop_loop
import asyncio
import asyncio.base_events
import asyncio.events
import asyncio.futures
import selectors
import stackless
from asyncio import unix_events

__all__ = ["EventLoop", "EventLoopPolicy", "wait_tasklet", "receive", "send", "to_tasklet"]


def _seconds_until(timeout):
    return None if timeout is None else max(0.0, timeout)


class _Nothing:
    """A selector of no descriptors: select() parks the tasklet until its time has come or somebody calls wake()."""

    def __init__(self):
        self.parked = _coop_loop.Parking()

    def select(self, timeout=None):
        self.parked.wait(_seconds_until(timeout))
        return []

    def wake(self):
        self.parked.wake()

    def get_map(self):
        return {}

    def close(self):
        pass


class _Descriptors(selectors.EpollSelector):
    """The system's, which waits as a tasklet while others could run."""

    def select(self, timeout=None):
        events = super().select(0)
        if events or timeout is not None and timeout <= 0:
            return events
        if not _coop_loop.alone():
            _coop_loop.wait_readable(self.fileno(), _seconds_until(timeout))
            return super().select(0)
        return super().select(timeout)


class _SealedLoop(asyncio.base_events.BaseEventLoop):
    """Timers, tasks, futures, threads' and tasklets' calls; no descriptors, signals or processes."""

    def __init__(self):
        super().__init__()
        self._selector = _Nothing()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        self._selector.wake()

    def close(self):
        if not self.is_closed():
            super().close()
            self._selector.close()

    def add_signal_handler(self, sig, callback, *args):
        raise NotImplementedError("the signals of a job are not its own: a cancel is a KeyboardInterrupt in the main tasklet")


class _OpenLoop(unix_events.SelectorEventLoop):
    def __init__(self, selector=None):
        super().__init__(selector if selector is not None else _Descriptors())


EventLoop = _SealedLoop if _coop_loop.sealed else _OpenLoop


class EventLoopPolicy(unix_events.DefaultEventLoopPolicy):
    """asyncio's own, with our loop."""
    _loop_factory = EventLoop


# ---- what a coroutine may wait for beside asyncio's own ---------------------------------------------------------------------------------

async def to_tasklet(function, *args, **kwargs):
    """What function gives, which runs in a tasklet of its own and may block there. A coroutine, as asyncio.to_thread() is."""
    return await _in_tasklet(function, args, kwargs)


def _in_tasklet(function, args, kwargs):
    loop = asyncio.events.get_running_loop()
    future = loop.create_future()

    def tell(*call):
        if not future.done() and not loop.is_closed():
            loop.call_soon_threadsafe(*call)

    def settle(result, error):
        if not future.done():
            future.set_result(result) if error is None else future.set_exception(error)

    def run():
        result = error = None
        try:
            result = function(*args, **kwargs)
        except stackless.TaskletExit:
            tell(future.cancel)
            return
        except BaseException as e:
            error = e if not isinstance(e, StopIteration) else RuntimeError("StopIteration cannot be raised into a future")
        tell(settle, result, error)
    tasklet = stackless.tasklet(run)()

    def done(future):
        if future.cancelled() and tasklet.alive:
            tasklet.kill(pending=True)
    future.add_done_callback(done)
    return future


async def receive(channel):
    """The next value of a channel."""
    return await to_tasklet(channel.receive)


async def send(channel, value):
    """A value for a channel, when somebody receives it."""
    return await to_tasklet(channel.send, value)


async def wait_tasklet(tasklet):
    """Until it has ended."""
    loop = asyncio.events.get_running_loop()
    while True:
        told = asyncio.Event()

        def ended():
            if not loop.is_closed():
                loop.call_soon_threadsafe(told.set)
        if not _coop_loop.watch(tasklet, ended):
            return
        try:
            await told.wait()
        finally:
            _coop_loop.unwatch(tasklet, ended)
