"""Channels of stackless: runtime.md 1.2, row by row; and its deadlocks."""

import stackless
import threading
from rows import main, raises, same
from stackless import channel, run, schedule, tasklet

log = []


def say(*what):
    return lambda *_: log.extend(what)


def said():
    s = " ".join(map(str, log))
    log.clear()
    return s


def balance_and_queue_show_who_waits():
    c = channel()
    assert c.balance == 0 and c.queue is None
    t = [tasklet(c.send)(i) for i in range(3)]
    run()
    assert c.balance == 3 and c.queue is t[0] and c.queue.next is t[1] and t[2].next is None and t[1].prev is t[0]
    same([c.receive() for _ in range(3)], [0, 1, 2])
    same(c.balance, 0)
    r = [tasklet(c.receive)() for _ in range(2)]
    run()
    same(c.balance, -2)
    [t.kill() for t in r]


def meet(**attrs):
    """Who goes on first when main sends, and when main receives; o is another tasklet that can run."""
    def order(other, act):
        c = channel()
        for name, value in attrs.items():
            setattr(c, name, value)
        t = tasklet(lambda: (getattr(c, other)(*([1] if other == "send" else [])), log.append(other[0])))()
        run()
        o = tasklet(say("o"))()
        getattr(c, act)(*([1] if act == "send" else []))
        log.append(act[0])
        run()
        assert not t.alive and not o.alive
        return said()
    return order("receive", "send"), order("send", "receive")


def preference_minus_one_runs_the_receiver():
    same(channel().preference, -1)
    same(meet(), ("r o s", "r o s"))


def preference_one_runs_the_sender():
    c = channel()
    c.preference = 7
    same(c.preference, 1)
    same(meet(preference=1), ("s o r", "s o r"))


def preference_zero_lets_the_caller_go_on():
    same(meet(preference=0), ("s o r", "r o s"))


def schedule_all_lets_the_caller_yield_whatever_the_preference():
    for p in -1, 0, 1:
        same(meet(preference=p, schedule_all=1), ("o r s", "o s r"))


def flags_of_the_wrong_kind_are_refused():
    c = channel()
    raises(TypeError, "preference must be set to an integer", setattr, c, "preference", "x")
    raises(TypeError, "preference must be set to a bool or integer", setattr, c, "schedule_all", "x")
    for name in "balance", "queue", "closing", "closed":
        raises(AttributeError, None, setattr, c, name, 1)


def a_closing_channel_serves_those_that_wait_and_refuses_the_rest():
    c = channel()
    tasklet(c.send)("last")
    run()
    c.close()
    assert c.closing and not c.closed
    same(c.receive(), "last")
    assert c.closed
    raises(ValueError, "Send/receive operation on a closed channel", c.receive)
    raises(ValueError, "Send/receive operation on a closed channel", c.send, 1)
    c.open()
    assert not c.closing and not c.closed
    tasklet(c.send)("again")
    same(c.receive(), "again")


def a_close_does_not_wake_one_that_receives_already():
    c = channel()
    tasklet(lambda: log.append(c.receive()))()
    run()
    c.close()
    run()
    assert c.balance == -1 and c.closing and not c.closed
    c.open()
    c.send("it")
    same(said(), "it")


def the_block_trap_comes_before_the_close():
    text = "this tasklet does not like to be blocked."
    c, me = channel(), stackless.current
    me.block_trap = True
    raises(RuntimeError, text, c.receive)
    c.close()
    raises(RuntimeError, text, c.send, 1)
    c.open()
    t = tasklet(c.send)(1)
    t.block_trap = True
    raises(RuntimeError, text, run)
    tasklet(c.send)(2)
    run()
    same(c.receive(), 2)
    me.block_trap = False
    same(c.balance, 0)


def send_exception_and_send_throw_raise_in_the_receiver():
    c = channel()

    def get(f, *args):
        tasklet(f)(*args)
        return raises(ValueError, None, c.receive)
    same(get(c.send_exception, ValueError, "v", 2).args, ("v", 2))
    try:
        raise ValueError("t")
    except ValueError as e:
        tb = e.__traceback__
    e = get(c.send_throw, ValueError, "thrown", tb)
    same(str(e), "thrown")
    last = e.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    assert last is tb
    raises(TypeError, "send_exception() takes at least 1 argument", c.send_exception)


def send_sequence_counts_what_it_sent():
    c, counts = channel(), []

    def f():
        counts.append(c.send_sequence([1, 2, 3]))
        counts.append(c.send_sequence(x for x in "ab"))
        c.send_exception(StopIteration)
    tasklet(f)()
    same(list(c), [1, 2, 3, "a", "b"])
    run()
    same(counts, [3, 2])


def iteration_ends_with_the_close_or_a_sent_stopiteration():
    c = channel()
    for i in range(2):
        tasklet(c.send)(i)
    run()
    c.close()
    same(list(c), [0, 1])
    c.open()
    tasklet(lambda: (c.send(3), c.send_exception(StopIteration)))()
    same(list(c), [3])
    tasklet(lambda: c.send_exception(ValueError))()
    raises(ValueError, None, list, c)


def values_of_every_kind_travel():
    c = channel()
    values = [1, "x", say, c, True, None, ValueError("a value"), ()]
    tasklet(lambda: c.send_sequence(values))()
    same([c.receive() for _ in values], values)


def a_subclass_has_attributes():
    class Sub(channel):
        def receive(self):
            return ("sub", super().receive())
    c = Sub()
    c.name = "named"
    tasklet(c.send)(1)
    same((c.receive(), c.name), (("sub", 1), "named"))


def the_channel_callback_sees_each_operation():
    c, seen = channel(), []
    assert stackless.set_channel_callback(lambda *a: seen.append(a)) is None
    t = tasklet(c.send)(1)
    c.receive()
    assert callable(stackless.get_channel_callback()) and callable(stackless.set_channel_callback(None))
    same(seen, [(c, stackless.main, False, True), (c, t, True, False)])
    run()


def a_channel_cannot_be_used_from_its_callback():
    c = channel()
    stackless.set_channel_callback(lambda *a: c.send(1))
    raises(RuntimeError, "Recursive channel call due to callbacks!", c.receive)
    same(c.balance, 0)
    stackless.set_channel_callback(lambda *a: schedule())
    t = tasklet(say())()
    raises(RuntimeError, "switch_trap", c.receive)
    stackless.set_channel_callback(None)
    run()
    assert not t.alive


def a_failed_switch_undoes_the_operation():
    c = channel()
    tasklet(lambda: log.append(c.receive()))()
    run()
    stackless.switch_trap(1)
    raises(RuntimeError, "switch_trap", c.send, 1)
    same((c.balance, stackless.switch_trap(-1)), (-1, 1))
    c.send(2)
    same(said(), "2")


# ---- deadlocks -------------------------------------------------------------------------------------------------------------------------

LAST = "Deadlock: the last runnable tasklet cannot be blocked."


def the_last_runnable_tasklet_cannot_be_blocked():
    c = channel()
    raises(RuntimeError, LAST, c.receive)
    raises(RuntimeError, LAST, c.send, 1)
    same(c.balance, 0)


def main_is_told_when_nobody_is_left_to_send_or_receive():
    c = channel()
    tasklet(say())()
    raises(RuntimeError, "the main tasklet is receiving without a sender available.", c.receive)
    tasklet(say())()
    raises(RuntimeError, "the main tasklet is sending without a receiver available.", c.send, 1)
    same(c.balance, 0)


def the_deadlock_of_another_tasklet_reaches_a_blocked_main():
    c, d = channel(), channel()
    tasklet(lambda: (raises(RuntimeError, LAST, d.receive), d.receive()))()
    raises(RuntimeError, LAST, c.receive)
    same((c.balance, d.balance), (0, 0))


def one_that_was_thrown_at_while_it_received_waits_for_no_channel_afterwards():
    lock, c = threading.Lock(), channel()

    def f():
        raises(ValueError, None, c.receive)
        with lock:
            pass
    t = tasklet(f)()
    schedule()
    same((t.blocked, t._channel), (-1, c))
    lock.acquire()
    t.throw(ValueError)
    same((t._channel, t.next, t.prev), (None, None, None))
    lock.release()
    run()
    assert not t.alive


if __name__ == "__main__":
    main(globals())
