"""words.py - the most frequent words of what comes in: coop run examples/python/words.py 5 < /usr/share/common-licenses/GPL-3"""

import collections
import re
import sys

count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
words = collections.Counter(word for line in sys.stdin for word in re.findall(r"[a-z']+", line.lower()))
for word, n in words.most_common(count):
    print(f"{n:6} {word}")
