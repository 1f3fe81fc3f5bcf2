# mean.py - the mean of many numbers, by interpreters that each take a part; coop run --cap interpreters=4 --cap queues examples/interp/mean.py
from coop import interpreters, queues


def work(tasks, sums):
    for numbers in tasks:
        sums.put([sum(numbers), len(numbers)])


tasks, sums = queues.create(), queues.create()
workers = [interpreters.create() for _ in range(3)]
running = [worker.call_async(work, tasks, sums) for worker in workers]
for start in range(0, 1000, 100):
    tasks.put(list(range(start, start + 100)))
tasks.close()
for future in running:
    future.wait()
parts = sums.get_many(10)
print(sum(total for total, _ in parts) / sum(count for _, count in parts))
