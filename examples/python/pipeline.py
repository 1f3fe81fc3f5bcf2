"""pipeline.py - a pipeline of tasklets: coop run examples/python/pipeline.py 4 < /usr/share/common-licenses/GPL-3

A reader hands lines on, several workers split them into words at once, a collector counts. Whoever waits for a channel gives up its
turn, so that no stage gets ahead of the next one, and nothing is kept but what is under way.
"""

import collections
import re
import sys

import stackless

DONE = None


def read(lines, into, readers):
    for line in lines:
        into.send(line)
    for _ in range(readers):
        into.send(DONE)


def split(lines, words):
    """Ends when it gets DONE, and says so to whoever comes next."""
    n = 0
    for line in iter(lines.receive, DONE):
        for word in re.findall(r"[a-z']+", line.lower()):
            words.send(word)
        n += 1
    words.send(DONE)
    return n


def count(words, senders, result):
    while senders:
        word = words.receive()
        if word is DONE:
            senders -= 1
        else:
            result[word] += 1


workers = int(sys.argv[1]) if len(sys.argv) > 1 else 3
lines, words, result = stackless.channel(), stackless.channel(), collections.Counter()
stackless.tasklet(read)(sys.stdin, lines, workers)
for _ in range(workers):
    stackless.tasklet(split)(lines, words)
stackless.tasklet(count)(words, workers, result)
stackless.run()  # until nobody can go on: all have ended
for word, n in sorted(result.most_common(5), key=lambda item: (-item[1], item[0])):
    print(f"{n:6} {word}")
print(f"{sum(result.values())} words of {workers} workers")
