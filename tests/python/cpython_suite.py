"""CPython's own tests inside a tasklet: cpython_suite.py DIRECTORY plain|sliced|ours|sealed MODULE... DIRECTORY has the package test (libpython3.11-testsuite).

plain: the tests are all that runs. sliced: slices of a millisecond, and a neighbour that computes; some slice has to end. ours: asyncio's default loop is
coop_asyncio's; sealed: that of a sealed worker, which has no descriptors. A line for each module, and one for each test that failed unexpectedly, or passed though
EXPECTED says it fails: those run each in a process of its own, which may end as it likes. Many of them measure time, which a busy machine does not have: who fails is run once more,
alone, as CPython's own runner does (-w), and has failed when that fails, too. A dot on standard error for each test says that it goes on.
"""

import faulthandler
import gc
import io
import os
import stackless
import subprocess
import sys
import time
import unittest

# The end of a test's id -> why it cannot hold here, where a tasklet is a thread of its own to Python.
SIGINT = "only the main tasklet is Python's main thread: asyncio.run() of another takes no SIGINT, as in any other thread"
PICKLED = "where there are tasklets, generators and coroutines can be copied and pickled"
EXPECTED = {
    "CoroutineTest.test_copy": PICKLED,
    "CoroutineTest.test_pickle": PICKLED,
    "GeneratorTest.test_copy": PICKLED,
    "GeneratorTest.test_pickle": PICKLED,
    "RunTests.test_asyncio_run_without_uncancel": SIGINT,
    "RunnerTests.test_interrupt_call_soon": SIGINT,
    "RunnerTests.test_interrupt_wait": SIGINT,
    "RunnerTests.test_interrupt_cancelled_task": SIGINT,
    "RunnerTests.test_signal_install_not_supported_ok": SIGINT,
}


def neighbour(over):
    n = 0
    while not over:
        n += 1


def without_expected(suite, expected):
    """The same suite, whose fixtures stay; what is expected to fail is counted."""
    kept = []
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            without_expected(test, expected)
        elif any(test.id().endswith(name) for name in EXPECTED):
            expected.append(test.id())
            continue
        kept.append(test)
    suite._tests = kept


class Result(unittest.TextTestResult):
    def startTest(self, test):
        os.write(2, b".")
        gc.freeze()  # most of asyncio's tests collect at their end, up to four times: only what is theirs need be looked at
        super().startTest(test)


def run_tests(suite, said):
    try:
        return unittest.TextTestRunner(stream=said, verbosity=0, warnings="ignore", resultclass=Result).run(suite)
    finally:
        gc.unfreeze()


def run_suite(name, said, expected, one):
    module = __import__(name, fromlist=["*"])
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    if one is None:
        without_expected(suite, expected)
    else:
        only(suite, {one})
    return run_tests(suite, said)


def again(name, result, said):
    """The tests that failed, once more; those that fail again are the result's."""
    bad = {test.id() for test, _ in result.failures + result.errors}
    suite = unittest.defaultTestLoader.loadTestsFromModule(__import__(name, fromlist=["*"]))
    only(suite, bad)
    if suite.countTestCases() < len(bad):
        return  # a fixture of a class or a module, which has no test's name
    second = run_tests(suite, said)
    result.failures[:], result.errors[:] = second.failures, second.errors


def only(suite, ids):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            only(test, ids)
    suite._tests = [test for test in suite if isinstance(test, unittest.TestSuite) or test.id() in ids]


APART = 10  # seconds; one that hangs has failed


def passes_apart(name, test):
    """Whether it passes after all: this very program, for that test alone."""
    words = [*sys.orig_argv[:-len(sys.argv[1:])], *sys.argv[1:3], "--one", name, test]
    try:
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=APART).returncode == PASSED
    except subprocess.TimeoutExpired:
        return False


PASSED = 42  # no exit code by chance


def run_one(name, test, sliced):
    result = run_module(name, sliced, test)[0]
    sys.exit(PASSED if result.testsRun == 1 and result.wasSuccessful() and not result.skipped else 1)


def run_module(name, sliced, one=None):
    over, said, results, expected = [], io.StringIO(), [], []

    def tests():
        try:
            results.append(run_suite(name, said, expected, one))
            if one is None and not results[0].wasSuccessful():
                again(name, results[0], said)
        finally:
            over.append(True)
    t = stackless.tasklet(tests)()
    if sliced:
        stackless._set_slice(0.001)
        stackless.tasklet(neighbour)(over)
    before = stackless._slices()
    while not over:
        stackless.run(threadblock=True)
    if sliced:
        stackless._set_slice(0.01)
    assert not t.alive
    return results[0], said.getvalue(), stackless._slices() - before, expected


def main():
    faulthandler.enable()
    directory, how, *names = sys.argv[1:]
    import test  # of the standard library's package, which has the package's support, too
    test.__path__.append(directory + "/test")
    test.support.__path__.append(directory + "/test/support") if hasattr(test, "support") else None
    if how in ("ours", "sealed"):
        import asyncio
        import coop_asyncio
    if how == "sealed":
        coop_asyncio.EventLoop = coop_asyncio.EventLoopPolicy._loop_factory = coop_asyncio._SealedLoop
        coop_asyncio._threads_max = lambda: 8  # a job's limit
    if how in ("ours", "sealed"):
        asyncio.DefaultEventLoopPolicy = asyncio.unix_events.DefaultEventLoopPolicy = coop_asyncio.EventLoopPolicy
        asyncio.unix_events.SelectorEventLoop = asyncio.SelectorEventLoop = coop_asyncio.EventLoop
        with asyncio.Runner() as runner:
            assert type(runner.get_loop()) is coop_asyncio.EventLoop
    if names[0] == "--one":
        run_one(*names[1:], how == "sliced")
    bad, ended = 0, 0
    for name in names:
        result, said, slices, expected = run_module(name, how == "sliced")
        ended += slices
        wrong = [test for test, _ in result.failures + result.errors]
        print(f"{name}: {result.testsRun} run, {len(result.skipped)} skipped, {len(expected)} expected failures, {len(wrong)} failed, {slices} slices",
              flush=True)
        for test in wrong:
            print("not ok", test.id())
        if wrong:
            print(said)
        better = [test for test in expected if passes_apart(name, test)]
        for test in better:
            print("passes, and EXPECTED says that it fails:", test)
        bad += len(wrong) + len(better)
    if how == "sliced" and ended == 0:
        print("no slice has ended in all of them")
        bad += 1
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
