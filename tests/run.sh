#!/bin/sh
# run.sh PROGRAM... - runs each test program (cmocka), several at a time; at the end shows the output of each that failed, so that the end of
# a CI log tells why, and one line: "N passed, N failed, N skipped".
#
# JOBS=n runs n at a time: by default two more than there are processors, for most of them wait most of the time. What takes long begins
# first, and what bears no other beside it comes last, alone: tests/order.txt names both. An interrupt ends all of it.
#
# Lines of a program's output that begin with "@ " are shown as they are: figures, and seeds to repeat it with.
#
# A program of another machine runs by an emulator; where that, or the compiler that makes it, is not installed it is skipped by name.
#
# T=word runs only the programs whose path has the word in it. Each program gets TEST_TIMEOUT seconds (default 480), then it has failed.
set -u
here=$(dirname "$0")
dir=$(mktemp -d) # of each program, by its number: PROGRAM.log its output, .said its lines, .why of a failure, .count "passed failed skipped"
trap 'rm -rf "$dir"' EXIT

# ---- which, and in what order -----------------------------------------------------------------------------------------------------

# The programs that T picks, one a line, after whether it runs alone (0 or 1) and its line of order.txt.
placed() {
    for program in "$@"; do
        case $program in *"${T:-}"*) echo "$program" ;; esac
    done | awk '
        NR == FNR { if (/^[a-z]/) { place[$1] = NR; alone[$1] = $2 == "alone" }; next }
        { name = $0; sub("^build/[^/]*/", "", name); print alone[name] + 0, (name in place) ? place[name] : 999, $0 }
    ' "$here/order.txt" -
}
chosen() { # 0|1 (alone) PROGRAM...
    alone=$1
    shift
    placed "$@" | sort -s -n -k 2,2 | sed -n "s/^$alone [0-9]* //p"
}

# ---- one program ------------------------------------------------------------------------------------------------------------------

count() { # LOG: sets p, f and s
    p=$(grep -c '^\[       OK \]' "$1")
    f=$(grep -c '^\[  FAILED  \] [^0-9]' "$1")
    s=$(grep -c '^\[  SKIPPED \] [^0-9]' "$1")
    # cmocka names a failed test twice, in its place and in its summary
    [ "$f" -gt 1 ] && f=$((f / 2))
    [ "$s" -gt 1 ] && s=$((s / 2))
}

# In the background and waited for: so an interrupt is heard at once. timeout(1) gives it the signals as they are by default.
run() { # SECONDS LOG COMMAND...: sets code
    limit=$1 log=$2
    shift 2
    timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null &
    wait $!
    code=$?
}

one() { # PROGRAM FILES: FILES is the beginning of the names of its files
    program=$1 files=$2 emulator=
    case $program in build/aarch64/*)
        emulator=qemu-aarch64
        if ! command -v $emulator >/dev/null || [ ! -x "$program" ]; then
            printf '%-52s skipped: as root, tools/deps.sh cross installs what it takes\n' "${program#build/}" >"$files.said"
            echo 0 0 1 >"$files.count"
            return
        fi
        ;;
    esac
    limit=${TEST_TIMEOUT:-480}
    case $program in tests/vm/*) limit=$((limit * 3)) ;; esac # many programs, on an emulated machine
    start=$(date +%s)
    # shellcheck disable=SC2086  # none, or one word
    run "$limit" "$files.log" $emulator "$program"
    count "$files.log"
    {
        if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then
            f=1
            echo "$program ended with code $code"
        fi
        printf '%-52s %4d passed %3d failed %3d skipped  %3ds\n' "${program#build/}" "$p" "$f" "$s" "$(($(date +%s) - start))"
        sed -n 's/^@ /    /p' "$files.log"
        [ "$s" -eq 0 ] || grep '^\[  SKIPPED \] [^0-9]' "$files.log" | sort -u | sed 's/^/    /'
    } >"$files.said"
    if [ "$f" -gt 0 ]; then
        echo "---- $program"
        grep -v '^\[ RUN      \]\|^\[       OK \]\|^@ ' "$files.log"
    fi >"$files.why"
    echo "$p $f $s" >"$files.count"
}

# ---- several at a time -------------------------------------------------------------------------------------------------------------

# Takes of the programs the first that no other lane has taken, until there is none. A directory is made by one of them only.
lane() { # PREFIX PROGRAM...
    prefix=$1 number=100
    shift
    trap 'trap "" TERM; kill ${!:-} 2>/dev/null; wait; exit 143' TERM
    for program in "$@"; do
        number=$((number + 1))
        mkdir "$dir/$prefix$number" 2>/dev/null || continue
        one "$program" "$dir/$prefix$number/program"
        cat "$dir/$prefix$number/program.said" # one write a program: they do not mix
    done
}

lanes() { # JOBS PREFIX PROGRAM...
    left=$1
    shift
    pids=
    while [ "$left" -gt 0 ]; do
        lane "$@" &
        pids="$pids $!"
        left=$((left - 1))
    done
    wait
    pids=
}

failures() {
    find "$dir" -name '*.why' | sort | xargs -r cat
}

stop() { # CODE
    trap '' INT TERM HUP
    # shellcheck disable=SC2086  # a list of words
    [ -z "$pids" ] || kill $pids 2>/dev/null
    wait
    failures # of those that had ended
    exit "$1"
}
pids=
trap 'stop 130' INT
trap 'stop 143' TERM HUP

jobs=${JOBS:-$(($(nproc) + 2))}
case $jobs in '' | *[!0-9]* | 0*)
    echo "JOBS is a number of programs, not '$jobs'" >&2
    exit 2
    ;;
esac
together=$(chosen 0 "$@") alone=$(chosen 1 "$@")
# shellcheck disable=SC2086  # lists of words
{
    lanes "$jobs" a $together
    lanes 1 b $alone
    wanted=$(echo $together $alone | wc -w)
}
failures
# A program without a count: its lane was ended from outside.
find "$dir" -name '*.count' -exec cat {} + | awk -v wanted="$wanted" '
    { passed += $1; failed += $2; skipped += $3 }
    END {
        printf "%d passed, %d failed, %d skipped\n", passed, failed + wanted - NR, skipped
        exit !(failed + wanted == NR && passed > 0)
    }'
