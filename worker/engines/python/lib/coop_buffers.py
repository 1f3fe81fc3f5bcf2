"""Buffers: memory that travels as a descriptor and is never copied on its way.

Whoever makes one writes it, then seals it: from then on nobody can, and it may be handed over. memoryview(buffer) is its memory."""

import _coop

from coop import _ask
from coop.errors import NotAllowed

__all__ = ["new", "Buffer"]


class Buffer(_coop.Handle):
    """One buffer. It has the buffer protocol: memoryview(b), bytes(b), numpy.frombuffer(b) read it; until it is sealed they may write."""

    def __len__(self):
        return self._bytes

    def read(self, start=0, size=None):
        """A copy of a part of it."""
        with memoryview(self) as m:
            return bytes(m[start:] if size is None else m[start:start + size])

    def write(self, start, data):
        """Before it is sealed."""
        if not self._writable:
            raise NotAllowed("the buffer is sealed")
        data = memoryview(data).cast("B")
        if start < 0 or start + len(data) > self._bytes:
            raise ValueError("it does not fit the buffer")
        with memoryview(self) as m:
            m[start:start + len(data)] = data

    def seal(self):
        """From now on nobody can write it, and it may be handed over. BufferError: somebody still looks at it, through a memoryview."""
        self._unmap()
        _ask("buffer_seal", buffer=self)
        return self


_coop.register("buffer", Buffer)


def new(what):
    """A number: so many zeros, to be written; bytes or the like: one that holds them, sealed. Needs the capability "buffers"."""
    if isinstance(what, int):
        if what < 1:
            raise ValueError("a buffer has 1 byte or more")
        return _ask("buffer_new", bytes=what)
    data = memoryview(what).cast("B")
    if len(data) < 1:
        raise ValueError("a buffer has 1 byte or more")
    made = _ask("buffer_new", bytes=len(data))
    made.write(0, data)
    return made.seal()
