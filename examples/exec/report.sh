#!/bin/sh
# report.sh - a pipeline of several programs that leaves files in directories of its own:
#
#     coop run --output 'report/*' --output-dir /tmp/reports examples/exec/report.sh < /usr/share/common-licenses/GPL-3
set -eu
mkdir report
tr -cs '[:alpha:]' '\n' | tr '[:upper:]' '[:lower:]' | sort | uniq -c | sort -rn >report/words
awk '{ n += $1 } END { print NR " words, " n " in all" }' report/words | tee report/summary
gzip -9 report/words
