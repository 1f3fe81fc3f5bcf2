"""concurrent.futures.InterpreterPoolExecutor of Python 3.14, by coop's interpreters: each is a sealed process that keeps its state."""
