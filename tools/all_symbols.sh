#!/bin/sh
# all_symbols.sh HEADER... - writes a native job that names each function that the headers declare or speak of, and calls none: it can be
# loaded where all of them are. Those that a job itself defines are not among them.
set -eu
echo '#include <coop/native.h>'
echo '#include <coop/interp.h>'
echo 'void *const all[] = {'
grep -oh 'coop_[a-z_]*(' "$@" | grep -vE '^coop_(x_|job|start|stop)' | sort -u | sed 's/(//; s/.*/    (void *)&,/'
echo '};'
echo 'int coop_job(int argc, char **argv) { return argc == 0 || argv == 0 || all[0] == 0; }'
