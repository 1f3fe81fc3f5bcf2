"""Execution state by pickle: what pickle.dumps() does here beside CPython's own, and the seal that such a pickle has.

A blob is one line, that says what made it, the SHA-256 of the line and the pickle in it, a MAC of that, and the pickle. The broker makes and checks the
MAC, with a key that no worker has, for the tenant of whoever asks.
"""

import _pickle
import collections
import copyreg
import hashlib
import hmac
import io
import os
import pickle
import sys
import types
from importlib.util import MAGIC_NUMBER

_WORD = b"coop blob 1"
_MADE_BY = f"python {sys.implementation.cache_tag} magic {int.from_bytes(MAGIC_NUMBER[:2], 'little')}".encode()
_LONGEST_LINE = 200
_plain_dumps, _plain_loads, _PlainPickler = _pickle.dumps, _pickle.loads, _pickle.Pickler


# ---- the seal

def _keeper():
    """What seals and what checks. What seals stands in no module under a name: a pickle can call whatever has one."""
    own_key = None

    def local_mac(digest):
        """Of a process that is no worker: it has nobody to ask."""
        nonlocal own_key
        if own_key is None:
            own_key = os.urandom(32)
        return hmac.digest(own_key, digest, "sha256")

    def mac(digest):
        worker = sys.modules.get("_coop")
        if worker is None:
            return local_mac(digest)
        return worker.Ask("blob_seal", {"digest": digest}).take()["mac"]

    def is_sealed(digest, its):
        worker = sys.modules.get("_coop")
        if worker is None:
            return hmac.compare_digest(local_mac(digest), its)
        return worker.Ask("blob_check", {"digest": digest, "mac": its}).take()["good"]

    def seal(data):
        line = b"%s %s bytes %d\n" % (_WORD, _MADE_BY, len(data))
        h = hashlib.sha256(line)
        h.update(data)
        digest = h.digest()
        return b"".join((line, digest, mac(digest), data))

    return seal, is_sealed


def _refuse(why):
    raise pickle.UnpicklingError("this blob is refused: " + why)


def _unseal(blob):
    """The pickle in it; UnpicklingError says what is wrong with the blob."""
    if type(blob) is not bytes or not blob.startswith(_WORD + b" "):
        _refuse("it does not begin as one does")
    end = blob.find(b"\n", 0, _LONGEST_LINE) + 1
    made_by, _, length = blob[len(_WORD) + 1:max(end - 1, 0)].rpartition(b" bytes ")
    if end == 0 or not length.isdigit():
        _refuse("its first line was changed")
    if len(blob) != end + 64 + int(length):
        _refuse(f"it was cut, or something was added: it has {len(blob)} bytes of {end + 64 + int(length)}")
    if made_by != _MADE_BY:
        _refuse(f"it was made by {made_by.decode(errors='replace')}, and this is {_MADE_BY.decode()}")
    view = memoryview(blob)
    digest, mac = blob[end:end + 32], blob[end + 32:end + 64]
    h = hashlib.sha256(view[:end])
    h.update(view[end + 64:])
    if h.digest() != digest:
        _refuse("it was changed after it was made")
    if not _is_sealed(digest, mac):
        _refuse("its seal is not this broker's for this tenant")
    return view[end + 64:]


def _open(blob):
    return load(blob)


class _Sealed:
    """What is pickled in the place of whatever a blob has."""

    __slots__ = ("blob",)

    def __init__(self, blob):
        self.blob = blob

    def __reduce__(self):
        return _open, (self.blob,)


# ---- dumping

class _Freezer(_PlainPickler):
    """Asks its reducer_override, a Dump, first."""


def _dump(obj, protocol, fix_imports=True, buffer_callback=None, by_value=False, root=None):
    file = io.BytesIO()
    pickler = _Freezer(file, protocol, fix_imports=fix_imports, buffer_callback=buffer_callback)
    pickler.reducer_override = d = Dump(by_value, root)
    try:
        pickler.dump(obj)
    except Exception as error:
        if d.live:
            _say_where(error, d.live)
        raise
    for generator, goes in d.steps.items():
        if not goes:
            code = generator.ag_code
            raise pickle.PicklingError(f"{generator!r}, of file {code.co_filename}, line {code.co_firstlineno}: it runs, and who awaits it is not in the dump")
    return file.getvalue(), d


def _say_where(error, live):
    """Which variables of the frames that were to go along can not: a note each."""
    for frame in live:
        if type(frame) is types.FrameType:
            for name, value in frame.f_locals.items():
                if not _goes(value):
                    error.add_note(f"frame {frame.f_code.co_qualname}, file {frame.f_code.co_filename}, line {frame.f_lineno}: its variable {name} cannot be pickled")


def _goes(value):
    pickler = _Freezer(io.BytesIO(), 5)
    pickler.reducer_override = Dump(True)
    try:
        pickler.dump(value)
    except Exception:
        return False
    return True


def _dumpers(seal):
    def blob(obj, data, d, root=None):
        """data: as d has left it, by the newest protocol; None: it is not."""
        if d.by_name or data is None:
            data, d = _dump(obj, 5, by_value=True, root=root)
        return seal(data)

    def dumps(obj, protocol=None, *, fix_imports=True, buffer_callback=None):
        data, d = _dump(obj, protocol, fix_imports, buffer_callback)
        if not d.used:
            return data
        old = (protocol is not None and 0 <= protocol < 4) or buffer_callback is not None
        return _plain_dumps(_Sealed(blob(obj, None if old else data, d)), protocol, fix_imports=fix_imports)

    def alone(obj):
        """For a pickler that is not ours, and for copy: a blob of this object and what it knows."""
        data, d = _dump(obj, 5, root=obj)
        return _open, (blob(obj, data, d, obj),)

    return dumps, alone


def dump(obj, file, protocol=None, *, fix_imports=True, buffer_callback=None):
    write = file.write
    write(dumps(obj, protocol, fix_imports=fix_imports, buffer_callback=buffer_callback))


_seals, _is_sealed = _keeper()
dumps, alone = _dumpers(_seals)
del _seals, _keeper, _dumpers


class Pickler(_PlainPickler):
    __doc__ = _PlainPickler.__doc__
    reducer_override = nested


def _unsealed(obj):
    return Dump()(obj)


_TABLE = copyreg.dispatch_table
_REDUCERS = {
    **dict.fromkeys((types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, types.CodeType, types.CellType, types.FrameType, types.TracebackType,
                    StepType, ThrowType, AwaitType), alone),
    **dict.fromkeys((types.ModuleType, *(type(view) for d in ({}, collections.OrderedDict()) for view in (d.keys(), d.values(), d.items()))), _unsealed),
}


def _close(kind, closed):
    """The Unpickler that is in Python: as _pickle's loads are closed where they are made."""
    own = kind.load

    def load(self):
        return closed(own, self)
    load.__qualname__, load.__doc__, load.__module__ = own.__qualname__, own.__doc__, own.__module__
    kind.load = load


def _install():
    for f in dumps, dump:
        f.__qualname__, f.__doc__, f.__module__ = f.__name__, getattr(_pickle, f.__name__).__doc__, "_pickle"
    Pickler.__module__, Pickler.__qualname__ = "_pickle", "Pickler"
    for module in pickle, _pickle:
        module.dumps, module.dump, module.Pickler = dumps, dump, Pickler
    pickle._Pickler.reducer_override = nested
    _close(pickle._Unpickler, closed)
    for kind, reduce in _REDUCERS.items():
        copyreg.pickle(kind, reduce)


_install()
