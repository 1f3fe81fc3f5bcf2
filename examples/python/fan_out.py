"""fan_out.py - work for several interpreters at once, each a sealed process: coop run --cap interpreters=3 examples/python/fan_out.py 20000

InterpreterPoolExecutor is used as ThreadPoolExecutor is. A function goes to the other interpreter as its code, so what it needs it
imports there; what fails there is an exception here, with the other one's traceback, and the interpreter goes on to the next.
"""

import sys
from concurrent.futures import InterpreterPoolExecutor, as_completed


def primes_between(first, last):
    import math
    return sum(all(n % d for d in range(2, math.isqrt(n) + 1)) for n in range(max(first, 2), last))


def check(n):
    if n % 3 == 0:
        raise ValueError(f"{n} is divided by three")
    return n


limit = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
step = max(1, limit // 12)
with InterpreterPoolExecutor(max_workers=3) as pool:
    parts = {pool.submit(primes_between, first, min(first + step, limit)): first for first in range(0, limit, step)}
    found = {parts[future]: future.result() for future in as_completed(parts)}
    print(f"{sum(found.values())} primes below {limit}, counted in {len(found)} parts")
    print("squares:", *pool.map(pow, range(1, 8), [2] * 7))
    for future in [pool.submit(check, n) for n in range(1, 5)]:
        error = future.exception()
        print("checked:", future.result() if error is None else f"{error.excinfo.type.__name__}: {error.excinfo.msg}")
