#!/bin/sh
# compile_commands.sh 'COMPILER FLAGS' FILE... - the JSON compilation database of these files, on standard output.
set -eu
command=$(printf '%s' "$1" | sed 's/["\\]/\\&/g')
shift
comma=
echo '['
for file in "$@"; do
    printf '%s  {"directory": "%s", "file": "%s", "command": "%s -c %s"}' "$comma" "$PWD" "$file" "$command" "$file"
    comma=',
'
done
printf '\n]\n'
