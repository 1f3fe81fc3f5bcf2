"""service.py - asyncio that answers a queue: coop run --cap queues --cap interpreters=1 examples/python/service.py

Queues connect interpreters, here this one and a client that it makes. A request is handled by a task of its own, which may wait, here
for other requests, while the rest go on. Reading a queue blocks, so that is for tasklets: to_tasklet() runs it in one, and the loop
goes on meanwhile.
"""

import asyncio
from contextlib import closing

from coop import interpreters, queues
from coop_asyncio import to_tasklet

BORN = {"ada": 1815, "grace": 1906, "alan": 1912}
LAST = "who was the last?"


def client(requests, answers):
    """Runs in the other interpreter: asks all at once, then waits for the answers, which come in an order of their own."""
    questions = ["ada", "who was the last?", "nobody", "grace", "alan"]
    for i, question in enumerate(questions):
        requests.put({"id": i, "question": question})
    requests.close()
    got = [answers.get() for _ in questions]
    return [[questions[answer["id"]], answer["text"]] for answer in got]


class Service:
    def __init__(self, requests, answers):
        self.requests, self.answers = requests, answers
        self.answered, self.enough = [], asyncio.Event()

    async def answer_to(self, question):
        if question == LAST:
            await self.enough.wait()
            return f"{self.answered[-1]}, of {len(self.answered)}"
        return f"born in {BORN[question]}" if question in BORN else "nobody knows"

    async def handle(self, request):
        async with asyncio.timeout(30):
            text = await self.answer_to(request["question"])
        await to_tasklet(self.answers.put, {"id": request["id"], "text": text})
        self.answered.append(request["question"])
        if len(self.answered) == 4:
            self.enough.set()

    async def serve(self):
        """Until the queue of requests is closed and empty, and all have been answered."""
        async with asyncio.TaskGroup() as handlers:
            while True:
                try:
                    request = await to_tasklet(self.requests.get)
                except queues.Closed:
                    return
                handlers.create_task(self.handle(request))


async def main():
    service = Service(queues.create(max_items=16), queues.create(max_items=16))
    with closing(interpreters.create()) as other:
        asking = asyncio.create_task(to_tasklet(other.call, client, service.requests, service.answers))
        await service.serve()
        told = await asking
    print(f"the last answer was to: {told[-1][0]}")
    for question, text in sorted(told[:-1]):
        print(f"{question}: {text}")


asyncio.run(main())
