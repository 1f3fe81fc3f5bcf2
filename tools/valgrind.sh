#!/bin/sh
# valgrind.sh PROGRAM... - runs each test program under Valgrind's memcheck. Fails on an error, a leak, a failed test, or when Valgrind took a
# switch of stacks for something else ("client switching stacks": it was not told of one).
set -u
failed=0
log=$(mktemp) out=$(mktemp)
trap 'rm -f "$log" "$out"' EXIT INT TERM
for program in "$@"; do
    timeout -k 10 "${TEST_TIMEOUT:-240}" valgrind --error-exitcode=99 --leak-check=full --log-file="$log" "$program" >"$out" 2>&1 </dev/null
    code=$?
    if [ "$code" -ne 0 ] || grep -q 'switching stacks' "$log"; then
        failed=$((failed + 1))
        echo "$program: code $code"
        grep -v '^\[ RUN      \]\|^\[       OK \]' "$out"
        cat "$log"
    else
        printf '%-52s %s\n' "${program#build/}" "$(sed -n 's/.*ERROR SUMMARY: //p' "$log")"
    fi
done
[ "$failed" -eq 0 ]
