"""What the scripts of bench_python share: an operation's name comes as a line, its figure goes back as one."""
import sys
import time


def serve(operations):
    for line in sys.stdin:
        name, *args = line.split()
        print(operations[name](*args), flush=True)


def cpu(f, *args):
    """Microseconds of this thread's CPU time: the process's clock moves by ticks of the kernel where it has a limit, as jobs have."""
    start = time.thread_time_ns()
    f(*args)
    return (time.thread_time_ns() - start) / 1000


def wall(f, *args):
    """Microseconds by the clock on the wall."""
    start = time.perf_counter_ns()
    f(*args)
    return (time.perf_counter_ns() - start) / 1000


def median(samples):
    return sorted(samples)[len(samples) // 2]
