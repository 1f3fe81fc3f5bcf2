"""Tasklets in a sealed job, and what others have for the same: the operations of tasklets.py by name, nanoseconds of CPU time each.

`turns.py greenlet` is Debian's own greenlet, by python3.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import tasklets
from serve import serve

OURS = {
    "yield": tasklets.stackless_yield, "message": tasklets.stackless_message, "spawn": tasklets.stackless_spawn,
    "greenlet-switch": tasklets.our_greenlet_switch, "asyncio-yield": tasklets.asyncio_yield, "asyncio-message": tasklets.asyncio_message,
    "asyncio-spawn": tasklets.asyncio_spawn,
}


def debians():
    try:
        import greenlet
    except ImportError:
        sys.exit(3)
    return {"greenlet-switch": lambda: tasklets.greenlet_switch(greenlet), "greenlet-spawn": lambda: tasklets.greenlet_spawn(greenlet)}


tasklets.N = 20000
serve(debians() if sys.argv[1:] == ["greenlet"] else OURS)
