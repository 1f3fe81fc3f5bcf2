#!/bin/sh
# run.sh PROGRAM... - runs each test program (cmocka); at the end shows the output of each that failed, so that the end of a CI log tells
# why, and one line: "N passed, N failed, N skipped".
#
# Lines of a program's output that begin with "@ " are shown as they are: figures, and seeds to repeat it with.
#
# A program of another machine runs by an emulator; where that, or the compiler that makes it, is not installed it is skipped by name.
#
# T=word runs only the programs whose path has the word in it. Each program gets TEST_TIMEOUT seconds (default 240), then it has failed.
set -u
passed=0 failed=0 skipped=0
log=$(mktemp) why=$(mktemp)
trap 'rm -f "$log" "$why"' EXIT INT TERM
for program in "$@"; do
    case $program in *"${T:-}"*) ;; *) continue ;; esac
    emulator=
    case $program in build/aarch64/*)
        emulator=qemu-aarch64
        if ! command -v $emulator >/dev/null || [ ! -x "$program" ]; then
            skipped=$((skipped + 1))
            printf '%-52s skipped: as root, tools/deps.sh cross installs what it takes\n' "${program#build/}"
            continue
        fi
        ;;
    esac
    limit=${TEST_TIMEOUT:-240}
    case $program in tests/vm/*) limit=$((limit * 3)) ;; esac # many programs, on an emulated machine
    start=$(date +%s)
    # shellcheck disable=SC2086  # none, or one word
    timeout -k 10 "$limit" $emulator "$program" >"$log" 2>&1 </dev/null
    code=$?
    p=$(grep -c '^\[       OK \]' "$log")
    f=$(grep -c '^\[  FAILED  \] [^0-9]' "$log")
    s=$(grep -c '^\[  SKIPPED \] [^0-9]' "$log")
    # cmocka names a failed test twice, in its place and in its summary
    [ "$f" -gt 1 ] && f=$((f / 2))
    [ "$s" -gt 1 ] && s=$((s / 2))
    if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1
        echo "$program ended with code $code"
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-52s %4d passed %3d failed %3d skipped  %3ds\n' "${program#build/}" "$p" "$f" "$s" "$(($(date +%s) - start))"
    sed -n 's/^@ /    /p' "$log"
    [ "$s" -eq 0 ] || grep '^\[  SKIPPED \] [^0-9]' "$log" | sort -u | sed 's/^/    /'
    if [ "$f" -gt 0 ]; then
        echo "---- $program"
        grep -v '^\[ RUN      \]\|^\[       OK \]\|^@ ' "$log"
    fi >>"$why"
done
cat "$why"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
