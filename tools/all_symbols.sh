#!/bin/sh
# all_symbols.sh HEADER - writes a native job that names each function that the header declares or speaks of, and calls none: it can be
# loaded where all of them are.
set -eu
echo '#include <coop/native.h>'
echo 'void *const all[] = {'
grep -o 'coop_[a-z_]*(' "$1" | grep -v '^coop_x_' | sort -u | sed 's/(//; s/.*/    (void *)&,/'
echo '};'
echo 'int coop_job(int argc, char **argv) { return argc == 0 || argv == 0 || all[0] == 0; }'
