"""CPython's own tests inside a tasklet: cpython_suite.py DIRECTORY plain|sliced MODULE... DIRECTORY has the package test (libpython3.11-testsuite).

plain: the tests are all that runs. sliced: slices of a millisecond, and a neighbour that computes. A line for each module, and one for each test that
failed unexpectedly, or passed though EXPECTED says it fails.
"""

import faulthandler
import io
import stackless
import sys
import time
import unittest

# Test -> why it cannot hold in here. The end of its id is enough.
EXPECTED = {
}


class Ends(Exception):
    pass


def neighbour(over):
    n = 0
    while not over:
        n += 1


def is_expected(test):
    return any(test.id().endswith(name) for name in EXPECTED)


def run_suite(name, said):
    module = __import__(name, fromlist=["*"])
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(stream=said, verbosity=0, warnings="ignore").run(suite)
    if hasattr(module, "tearDownModule") and not suite.countTestCases():
        module.tearDownModule()
    return result


def run_module(name, sliced):
    over, said, results = [], io.StringIO(), []

    def tests():
        try:
            results.append(run_suite(name, said))
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
    return results[0], said.getvalue(), stackless._slices() - before


def main():
    faulthandler.enable()
    directory, how, *names = sys.argv[1:]
    import test  # of the standard library's package, which has the package's support, too
    test.__path__.append(directory + "/test")
    test.support.__path__.append(directory + "/test/support") if hasattr(test, "support") else None
    bad = 0
    for name in names:
        result, said, slices = run_module(name, how == "sliced")
        failures = [test for test, _ in result.failures + result.errors]
        wrong = [test for test in failures if not is_expected(test)]
        print(f"{name}: {result.testsRun} run, {len(result.skipped)} skipped, {len(failures) - len(wrong)} expected failures, {len(wrong)} failed, "
              f"{slices} slices", flush=True)
        for test in wrong:
            print("not ok", test.id())
        if wrong:
            print(said)
        bad += len(wrong)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
