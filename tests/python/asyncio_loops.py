"""asyncio in tasklets: a loop that waits parks its tasklet, so several run side by side."""

import asyncio
import coop_asyncio
import gc
import stackless
import sys
import time
import weakref
from rows import main, raises, same, together
from stackless import channel, run, tasklet

asyncio.set_event_loop_policy(coop_asyncio.EventLoopPolicy())


def several_loops_run_side_by_side():
    log, turn = [], {name: channel() for name in "abc"}

    async def takes_turns(name, following):
        for i in range(2):
            await asyncio.sleep(0.001)
            await coop_asyncio.receive(turn[name])
            log.append(name + str(i))
            stackless.tasklet(turn[following].send)(None)
        return asyncio.get_running_loop()
    stackless.tasklet(turn["a"].send)(None)
    loops = together(*(lambda pair=pair: asyncio.run(takes_turns(*pair)) for pair in ("ab", "bc", "ca")))
    turn["a"].receive()
    same(log, ["a0", "b0", "c0", "a1", "b1", "c1"])
    same(len(set(map(id, loops))), 3)


def main_has_a_loop_like_any_other():
    async def f():
        assert type(asyncio.get_running_loop()) is coop_asyncio.EventLoop
        await asyncio.sleep(0.001)
        return await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0.001, 2))
    same(asyncio.run(f()), [1, 2])


def a_loop_that_waits_lets_tasklets_run_and_a_busy_one_too():
    turns = []

    async def busy():
        for _ in range(50):
            await asyncio.sleep(0)

    def other():
        for _ in range(5):
            turns.append(1)
            stackless.schedule()
    together(lambda: asyncio.run(asyncio.sleep(0.01)), other, lambda: asyncio.run(busy()))
    same(len(turns), 5)


def a_coroutine_awaits_channels_and_tasklets():
    c, d = channel(), channel()

    async def f():
        got = [await coop_asyncio.receive(c) for _ in range(3)]
        await coop_asyncio.send(d, got)
        t = tasklet(lambda: time.sleep(0.01))()
        await coop_asyncio.wait_tasklet(t)
        assert not t.alive
        return await coop_asyncio.to_tasklet(lambda x: x + 1, 41)
    same(together(lambda: asyncio.run(f()), lambda: c.send_sequence([1, 2, 3]), d.receive), [42, 3, [1, 2, 3]])


def a_coroutine_waits_for_one_that_never_has_a_turn():
    t = tasklet().bind(lambda: None, ())

    async def f():
        asyncio.get_running_loop().call_soon(t.kill)
        await coop_asyncio.wait_tasklet(t)
        await coop_asyncio.wait_tasklet(t)
    asyncio.run(f())
    assert not t.alive


def who_waits_no_longer_leaves_nothing_behind():
    c = channel()
    t = tasklet(c.receive)()

    async def f():
        waits = asyncio.ensure_future(coop_asyncio.wait_tasklet(t))
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.wait([waits])
        return weakref.ref(asyncio.get_running_loop())
    ref = asyncio.run(f())
    gc.collect()
    assert ref() is None
    c.send(None)


def one_that_is_bound_anew_is_waited_for_again():
    t = tasklet().bind(lambda: None, ())

    async def f():
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: t.bind(lambda: ended.append(1), ()))
        loop.call_soon(lambda: loop.call_soon(t.insert))
        await coop_asyncio.wait_tasklet(t)
    ended = []
    asyncio.run(f())
    same(ended, [1])


def an_error_in_a_tasklet_is_the_awaiting_coroutines():
    def bad():
        raise KeyError("k")

    async def f():
        await coop_asyncio.to_tasklet(bad)
    raises(KeyError, "'k'", asyncio.run, f())


def a_timeout_cancels_what_waits_for_a_channel():
    c = channel()

    async def f():
        async with asyncio.timeout(0.01):
            await coop_asyncio.receive(c)
    raises(TimeoutError, None, asyncio.run, f())
    run()
    same(c.balance, 0)


def a_cancelled_receive_leaves_what_had_come_to_the_next_one_in_order():
    c, got = channel(), []

    async def f(turns):
        waits = asyncio.ensure_future(coop_asyncio.receive(c))
        for _ in range(2):
            await asyncio.sleep(0)
        c.send("first")
        for _ in range(turns):  # between the message and its taking
            await asyncio.sleep(0)
        for value in "second", "third":
            tasklet(c.send)(value)
        stackless.schedule()
        if waits.done():
            return got.append((turns, waits.result()))
        waits.cancel()
        await asyncio.wait([waits])
        assert waits.cancelled()
        got.append((turns, await coop_asyncio.receive(c)))
    for turns in range(4):
        asyncio.run(f(turns))
        same([c.receive(), c.receive()], ["second", "third"])
        same(c.balance, 0)
    same(got, [(turns, "first") for turns in range(4)])


def what_it_leaves_meets_whoever_receives_by_then():
    c, got = channel(), []

    async def f():
        waits = asyncio.ensure_future(coop_asyncio.receive(c))
        for _ in range(2):
            await asyncio.sleep(0)
        c.send("message")
        t = tasklet(lambda: got.append(c.receive()))()
        stackless.schedule()
        waits.cancel()
        await asyncio.wait([waits])
        await coop_asyncio.wait_tasklet(t)
    asyncio.run(f())
    same((got, c.balance), (["message"], 0))


def an_error_that_was_sent_and_a_channel_that_is_closed_since_are_left_too():
    c = channel()

    async def f():
        waits = asyncio.ensure_future(coop_asyncio.receive(c))
        for _ in range(2):
            await asyncio.sleep(0)
        c.send_exception(KeyError, "sent")
        c.close()
        waits.cancel()
        await asyncio.wait([waits])
        assert c.closing
        await coop_asyncio.receive(c)
    raises(KeyError, "'sent'", asyncio.run, f())

    async def refused():
        waits = asyncio.ensure_future(coop_asyncio.receive(c))
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.wait([waits])
    asyncio.run(refused())
    run()
    same(c.balance, 0)


def tasklets_and_channels_can_be_awaited():
    c = channel()

    async def f():
        t = tasklet(lambda: time.sleep(0.001))()
        same(await t, None)
        assert not t.alive
        await t
        tasklet(c.send)("value")
        async with asyncio.timeout(10):
            return await c
    same(asyncio.run(f()), "value")

    class Named(tasklet):
        pass

    async def g():
        return await asyncio.gather(asyncio.wait_for(Named(lambda: None)(), 10), coop_asyncio.to_tasklet(lambda: 2))
    same(asyncio.run(g()), [None, 2])


def another_tasklet_calls_soon():
    async def f():
        loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        tasklet(lambda: loop.call_soon_threadsafe(future.set_result, "called"))()
        return await future
    same(asyncio.run(f()), "called")


def task_groups_queues_and_locks_of_two_loops_do_not_meet():
    async def f(n):
        q, lock, got = asyncio.Queue(2), asyncio.Lock(), []

        async def put():
            for i in range(n):
                await q.put(i)
            await q.put(None)

        async def get():
            while (x := await q.get()) is not None:
                async with lock:
                    await asyncio.sleep(0)
                    got.append(x)
        async with asyncio.TaskGroup() as group:
            group.create_task(put())
            group.create_task(get())
        return got
    same(together(lambda: asyncio.run(f(10)), lambda: asyncio.run(f(20))), [list(range(10)), list(range(20))])


def a_sealed_workers_default_loop_is_this_one():
    if "_coop" not in sys.modules:
        return
    asyncio.set_event_loop_policy(None)

    async def f():
        return type(asyncio.get_running_loop())
    assert asyncio.run(f()) is coop_asyncio.EventLoop
    asyncio.set_event_loop_policy(coop_asyncio.EventLoopPolicy())


if __name__ == "__main__":
    main(globals())
