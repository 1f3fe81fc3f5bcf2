"""Keys on disk, as the capability kv=PREFIX:ro or kv=PREFIX:rw gives them; they are named without the prefix."""

import _coop

from coop import _ask
from coop.errors import InterpreterNotFoundError

__all__ = ["open", "Store"]


class Store(_coop.Handle):
    """The keys of one prefix. Values are bytes, at most 64 KiB."""

    def get(self, key, default=None):
        """Its value; default when there is none."""
        try:
            return _ask("kv_get", kv=self, key=key)["value"]
        except InterpreterNotFoundError:
            return default

    def put(self, key, value, only_new=False):
        """On disk when this returns. NameTaken: it is there, and only_new."""
        _ask("kv_put", kv=self, key=key, value=value, only_new=only_new)

    def delete(self, key):
        """NotFound: there is none."""
        _ask("kv_delete", kv=self, key=key)

    def keys(self, prefix="", after="", limit=None):
        """Those that begin so, in order; all of them, page by page."""
        left = limit
        while left is None or left > 0:
            page = _ask("kv_list", kv=self, prefix=prefix, after=after, limit=min(left or 1000, 1000))
            yield from page["keys"]
            if not page["more"] or not page["keys"]:
                return
            after = page["keys"][-1]
            left = None if left is None else left - len(page["keys"])


_coop.register("kv", Store)


def open(prefix="", rights=None):
    from coop.caps import _bits
    return _ask("kv_open", prefix=prefix, rights=_bits(rights))
