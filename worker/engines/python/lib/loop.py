"""asyncio in tasklets: a loop that has nothing to do parks its tasklet, and the others run.

So several asyncio.run() live side by side, each in a tasklet of its own. In a sealed worker a loop has no descriptors: what wakes it is a timer, another
tasklet or call_soon_threadsafe(). Where there are descriptors it has the selector of the system as well, and waits for that as a tasklet does.
"""

import _coop_loop
import asyncio
import asyncio.base_events
import asyncio.events
import asyncio.futures
import concurrent.futures
import selectors
import socket
import stackless
from asyncio import unix_events

__all__ = ["EventLoop", "EventLoopPolicy", "wait_tasklet", "receive", "send", "to_tasklet"]


def _threads_max():
    import _coop
    return _coop.threads_max()


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


class _Threads(concurrent.futures.ThreadPoolExecutor):
    """The default executor of a job that has threads: no more than it may have, and it knows what has not ended."""

    def __init__(self, n):
        super().__init__(n, thread_name_prefix="asyncio")
        self.under_way = set()

    def submit(self, function, /, *args, **kwargs):
        future = super().submit(function, *args, **kwargs)
        self.under_way.add(future)
        future.add_done_callback(self.under_way.discard)
        return future


class _SealedLoop(asyncio.base_events.BaseEventLoop):
    """Timers, tasks, futures, threads' and tasklets' calls; no descriptors, signals or processes."""

    def __init__(self):
        super().__init__()
        self._selector = _Nothing()
        self._tasklets = set()  # futures of what runs there instead of in an executor's threads

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        self._selector.wake()

    def close(self):
        if not self.is_closed():
            super().close()
            self._selector.close()

    def run_in_executor(self, executor, function, *args):
        """The default one: threads, of which the job has some; a tasklet each where it has none."""
        if executor is None and self._default_executor is None:
            self._check_closed()
            self._check_default_executor()
            threads = _threads_max()
            if threads == 1:
                return self._run_in_tasklet(function, args)
            self._default_executor = _Threads(threads - 1)
        return super().run_in_executor(executor, function, *args)

    def _run_in_tasklet(self, function, args):
        future = _in_tasklet(function, args, {}, self)
        self._tasklets.add(future)
        future.add_done_callback(self._tasklets.discard)
        return future

    async def shutdown_default_executor(self):
        """Without the thread that asyncio takes to wait for the others: the job may not have one more."""
        executor = self._default_executor
        if executor is not None and not isinstance(executor, _Threads):
            return await super().shutdown_default_executor()
        self._executor_shutdown_called = True
        await asyncio.gather(*self._tasklets, return_exceptions=True)
        if executor is not None:
            executor.shutdown(wait=False)
            await asyncio.gather(*map(asyncio.wrap_future, list(executor.under_way)), return_exceptions=True)
            executor.shutdown()

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):
        """At once: nobody is asked, for there is no network."""
        return socket.getaddrinfo(host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr, flags=0):
        return socket.getnameinfo(sockaddr, flags)

    def add_signal_handler(self, sig, callback, *args):
        raise NotImplementedError("the signals of a job are not its own: a cancel is a KeyboardInterrupt in the main tasklet")

    async def _make_subprocess_transport(self, *args, **kwargs):
        import _coop_refused
        _coop_refused.no_programs()

    def _no_descriptors(self, *args, **kwargs):
        raise NotImplementedError("a job's loop has no descriptors: await coop_asyncio.to_tasklet(sys.stdin.readline) reads a line")

    add_reader = add_writer = remove_reader = remove_writer = _no_descriptors
    _make_read_pipe_transport = _make_write_pipe_transport = _no_descriptors


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


def _in_tasklet(function, args, kwargs, loop=None):
    loop = loop or asyncio.events.get_running_loop()
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
    """The next value of a channel. Who is cancelled has received nothing: what had come already is the channel's again, before all that is sent there."""
    receiver = _Receiver(channel)
    try:
        await receiver.told
    except BaseException:
        receiver.leave()
        raise
    return receiver.take()


class _Receiver:
    """A tasklet that receives for a coroutine, which takes it when it runs."""

    def __init__(self, channel):
        self.channel, self.loop = channel, asyncio.events.get_running_loop()
        self.told = self.loop.create_future()
        self.begun = self.came = self.left = False
        self.value = self.error = None
        self.tasklet = stackless.tasklet(self._run)()

    def _run(self):
        self.begun, refused = True, self.channel.closing and self.channel.balance <= 0
        try:
            self.value = self.channel.receive()
        except stackless.TaskletExit:
            self._tell(self.told.cancel)
            return
        except BaseException as error:
            self.error = error
            self.sent = not refused and not (isinstance(error, RuntimeError) and str(error).startswith("Deadlock"))
        else:
            self.sent = True
        self.came = True
        if self.left or not self._tell(self._settle):
            self._put_back()

    def _tell(self, function):
        if self.loop.is_closed():
            return False
        self.loop.call_soon_threadsafe(function)
        return True

    def _settle(self):
        if not self.told.done():
            self.told.set_result(None)

    def take(self):
        if self.error is not None:
            raise self.error
        return self.value

    def leave(self):
        self.left = True
        if self.came:
            self._put_back()
        elif self.tasklet.blocked or not self.begun:  # else it has been given something, and has not had its turn
            self.tasklet.kill(pending=True)

    def _put_back(self):
        if not self.sent:
            return
        value = self.value if self.error is None else stackless.bomb(type(self.error), self.error, self.error.__traceback__)
        closing, sender = self.channel.closing, stackless.tasklet(self.channel.send)(value)
        sender.set_atomic(True)
        self.channel.open()  # who sent it did so before the close
        try:
            sender.run()  # until it waits, or has met somebody
        except RuntimeError:
            pass  # nobody may switch here: it comes behind those that send already
        if closing:
            self.channel.close()
        _coop_loop.to_front(self.channel, sender)


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
