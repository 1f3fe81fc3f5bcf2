"""What this job was given, and giving less of it to others."""

import _coop

from coop import _ask

__all__ = ["granted", "attenuate", "revoke", "drop", "list", "rights"]

_rights = {"call": 1, "manage": 2, "send": 4, "recv": 8, "read": 16, "write": 32, "grant": 64}
_words = {"both": 12, "ro": 16, "rw": 48}  # as --cap has them
_kinds = {"none": 0, "interpreter": 1, "queue": 2, "buffer": 3, "alias": 4, "kv": 5}


def _bits(rights):
    """Names of rights, or one name, or a word of --cap; None: all that was given."""
    if rights is None:
        return 0
    bits = 0
    for name in (rights,) if isinstance(rights, str) else rights:
        bit = _rights.get(name) or _words.get(name)
        if bit is None:
            raise ValueError(f"there is no right {name!r}: {', '.join((*_rights, *_words))}")
        bits |= bit
    return bits


def _names(bits):
    return [name for name, bit in _rights.items() if bits & bit]


def rights(thing):
    """What may be done with it: a list of names."""
    return _names(thing._rights)


def granted(name):
    """The object that was granted by this name, or that the capability "queue=NAME", "interp=NAME", "kv=PREFIX" gives."""
    return _ask("handle_granted", name=name)


def attenuate(thing, rights=None, prefix=""):
    """A new object of the same thing with these rights only. prefix: of a kv.Store, the keys that begin so."""
    return _ask("handle_attenuate", ref=thing, kind=_kinds[thing.kind], rights=_bits(rights), prefix=prefix)


def revoke(thing):
    """Ends all that was derived from it, wherever it is; itself stays."""
    _ask("handle_revoke", ref=thing, kind=_kinds[thing.kind])


def drop(thing):
    """Gives it back."""
    thing.drop()


def list():
    """What is held: a list of dicts with name, kind, id, rights, number."""
    def row(entry):
        h = entry["handle"]
        kind = "interpreter" if h["kind"] == "interp" else h["kind"]
        return {"name": entry["name"], "kind": kind, "id": h["id"], "rights": _names(h["rights"]), "number": h["handle"]}
    return [row(e) for e in _ask("handle_list")["handles"]]
