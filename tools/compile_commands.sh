#!/bin/sh
# compile_commands.sh 'COMPILER FLAGS' FILE... - the JSON compilation database of these files, on standard output.
set -eu
# clang does not know gcc's -Wno-format-truncation
command=$(printf '%s' "$1" | sed 's/["\\]/\\&/g; s/ -Wno-format-truncation//')
shift
comma=
echo '['
for file in "$@"; do
    printf '%s  {"directory": "%s", "file": "%s", "command": "%s -c %s"}' "$comma" "$PWD" "$file" "$command" "$file"
    comma=',
'
done
printf '\n]\n'
