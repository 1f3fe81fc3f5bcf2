#!/usr/bin/env python3
"""longest.py - the longest words of what comes in; a script that its first line makes a program:

    coop run --engine exec examples/exec/longest.py 3 < /usr/share/common-licenses/GPL-3
"""
import re
import sys

count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
words = set(re.findall(r"[a-z]+", sys.stdin.read().lower()))
for word in sorted(words, key=lambda w: (-len(w), w))[:count]:
    print(len(word), word)
