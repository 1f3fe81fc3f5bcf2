"""Queues between interpreters: what is put in by one is got by another, each item once."""

import _coop

from coop import _ask, _patience
from coop.errors import Closed, ItemInterpreterDestroyed, QueueEmpty, QueueError, QueueFull

__all__ = ["create", "open", "Queue", "QueueError", "QueueEmpty", "QueueFull", "Closed", "ItemInterpreterDestroyed", "UNBOUND", "UNBOUND_ERROR",
           "UNBOUND_REMOVE", "PERSIST"]

_BATCH = 256  # items in one message


class _Unbound:
    """What becomes of an item when whoever put it in has ended before it was taken."""

    def __init__(self, name, number):
        self._name, self._number = name, number

    def __repr__(self):
        return self._name


UNBOUND = _Unbound("UNBOUND", 1)
UNBOUND_ERROR = _Unbound("UNBOUND_ERROR", 2)
UNBOUND_REMOVE = _Unbound("UNBOUND_REMOVE", 3)
PERSIST = _Unbound("PERSIST", 4)
_unbounds = {"replace": UNBOUND, "error": UNBOUND_ERROR, "remove": UNBOUND_REMOVE, "persist": PERSIST}


def _unbound_number(unbound):
    if unbound is None:
        return 0
    if not isinstance(unbound, _Unbound):
        raise ValueError(f"UNBOUND, UNBOUND_ERROR, UNBOUND_REMOVE or PERSIST is needed, not {unbound!r}")
    return unbound._number


def _item(item):
    return item["value"] if "value" in item or item["unbound"] != "replace" else UNBOUND


class Queue(_coop.Handle):
    """One queue. Seconds: None waits for ever, 0 not at all."""

    # ---- putting

    def put(self, obj, block=True, timeout=None, *, unbounditems=None):
        """Waits while it is full; QueueFull when the time is over."""
        _ask("queue_put", queue=self, items=[obj], unbound=_unbound_number(unbounditems), timeout_us=_patience(timeout) if block else 0)

    def put_nowait(self, obj, *, unbounditems=None):
        self.put(obj, False, unbounditems=unbounditems)

    def put_many(self, objs, timeout=None, *, unbounditems=None):
        """How many are in: all, unless the time was over; none: QueueFull."""
        import time
        objs, done = list(objs), 0
        end = None if timeout is None else time.monotonic() + timeout
        while done < len(objs):
            left = None if end is None else max(end - time.monotonic(), 0)
            if done and left == 0:
                break
            batch = objs[done:done + _BATCH]
            taken = self._put_batch(batch, left, unbounditems)
            done += taken
            if taken < len(batch):
                break
        return done

    def _put_batch(self, batch, seconds, unbound):
        answer = _ask("queue_put", queue=self, items=batch, unbound=_unbound_number(unbound), timeout_us=_patience(seconds))
        return answer["count"] if answer is not None else len(batch)

    # ---- getting

    def _get(self, most, timeout_us):
        answer = _ask("queue_get", queue=self, max=most, timeout_us=timeout_us)
        if not answer["items"]:
            raise Closed("the queue is closed, and empty") if answer["closed"] else QueueEmpty("the queue is empty")
        return answer["items"]

    def get(self, block=True, timeout=None):
        """Waits while it is empty; QueueEmpty when the time is over. UNBOUND: of an item whose sender has ended."""
        return _item(self._get(1, _patience(timeout) if block else 0)[0])

    def get_nowait(self):
        return self.get(False)

    def get_many(self, max, timeout=None):
        """A list of 1 to max items, as many as are there."""
        return [_item(i) for i in self._get(min(max, _BATCH), _patience(timeout))]

    def __iter__(self):
        """All that come, until it is closed and empty."""
        while True:
            try:
                item = self.get()
            except Closed:
                return
            yield item

    # ---- the rest

    def info(self):
        """How full it is and who waits: a dict."""
        q = _ask("queue_info", queue=self)
        about = q.pop("queue") or {}
        q["id"], q["name"] = about.get("id", ""), about.get("name", "")
        q["unbound"] = _unbounds.get(q["unbound"])
        return q

    def qsize(self):
        return self.info()["items"]

    def empty(self):
        return self.qsize() == 0

    def full(self):
        q = self.info()
        return q["items"] >= q["max_items"]

    @property
    def maxsize(self):
        return self.info()["max_items"]

    @property
    def unbounditems(self):
        return self.info()["unbound"]

    def close(self, discard=False):
        """No more puts; discard: and what is in it is gone."""
        _ask("queue_close", queue=self, discard=discard)


_coop.register("queue", Queue)


def create(*, name="", max_items=0, max_bytes=0, unbound=None, durable=False):
    """An anonymous one ends with this interpreter, or with the last handle of it. Needs the capability "queues"."""
    return _ask("queue_create", name=name, max_items=max_items, max_bytes=max_bytes, unbound=_unbound_number(unbound), durable=durable)


def open(name, rights=None):
    """The named queue that the capability queue=NAME:RIGHTS gives."""
    from coop.caps import _bits
    return _ask("queue_open", name=name, rights=_bits(rights))
