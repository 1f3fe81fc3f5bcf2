"""What the scripts of bench_python share: an operation's name comes as a line, its figure goes back as one."""
import sys
import time


def serve(operations):
    for line in sys.stdin:
        name, *args = line.split()
        print(operations[name](*args), flush=True)


def cpu(f, *args):
    """Microseconds of CPU time: of this thread, as a limit of CPU time, which jobs have, makes the process's own clock move by ticks of the kernel."""
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
