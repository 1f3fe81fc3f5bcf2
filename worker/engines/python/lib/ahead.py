"""What the zygote does once, so that no job has to: after a fork the first write to each page costs a copy of it, and code that runs for
the first time writes much.

What the standard library's modules would do after each fork is kept from CPython's list: the zygote has one thread, which holds no lock
when it forks, so that a job needs nothing of it but new random numbers. A template, whose init is a tenant's, has it all (register).
"""

import os

NEEDLESS = "threading", "logging"  # they make their locks anew
REHEARSALS = 40  # CPython specializes code, and fills its caches, within some twenty runs of it

at_fork = []
register_at_fork = os.register_at_fork


def record():
    os.register_at_fork = lambda **functions: at_fork.append(functions)


def record_no_more():
    os.register_at_fork = register_at_fork


def register():
    for functions in at_fork:
        register_at_fork(**functions)
    at_fork.clear()


def after_fork():
    """In a job that was forked from the zygote."""
    for functions in at_fork:
        f = functions.get("after_in_child")
        if f is not None and f.__module__ not in NEEDLESS:
            f()


def rehearse(go):
    for _ in range(REHEARSALS):
        after_fork()
        go()
