"""concurrent.interpreters of Python 3.14 (PEP 734), by coop's interpreters: sealed processes."""

from coop.interpreters import (
    ExecutionFailed, Interpreter, InterpreterError, InterpreterNotFoundError, NotShareableError, QueueEmpty, QueueFull, ItemInterpreterDestroyed,
    create, create_queue, get_current, get_main, is_shareable, list_all)
from coop.queues import UNBOUND, UNBOUND_ERROR, UNBOUND_REMOVE, Queue, QueueError

QueueNotFoundError = InterpreterNotFoundError

__all__ = [
    "get_current", "get_main", "create", "list_all", "is_shareable", "Interpreter", "InterpreterError", "InterpreterNotFoundError", "ExecutionFailed",
    "NotShareableError", "create_queue", "Queue", "QueueEmpty", "QueueFull", "QueueError", "QueueNotFoundError", "ItemInterpreterDestroyed",
    "UNBOUND", "UNBOUND_ERROR", "UNBOUND_REMOVE",
]
