#!/bin/sh
# demo.sh BUILD - runs a real job on real input and prints its receipt: the word frequencies of the GPL, which every Debian carries.
set -eu
build=$1
text=/usr/share/common-licenses/GPL-3
[ -r "$text" ] || text=$(find /usr/share/common-licenses -name 'GPL*' -type f | sort | tail -n 1)
echo
echo "\$ coop run --receipt examples/wordfreq.lua 12 < $text"
exec "$build/coop" run --receipt examples/wordfreq.lua 12 <"$text"
