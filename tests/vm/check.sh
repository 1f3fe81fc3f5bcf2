#!/bin/bash
# check.sh [BUILD] - boots Debian's cloud kernel under software emulation with coop and the tests of tests/vm/programs.txt, and says in cmocka's
# words what became of them; lines that begin with "@ " are a table for the reader. What it takes and is not to be had: skipped, by name.
#
# VM_SECONDS (900): then it has failed. VM_ONLY=word: only programs with the word in their name.
set -u
build=${1:-build/debug}
here=$(dirname "$0")
dir=build/vm
mkdir -p "$dir"

skip() {
    printf '[  SKIPPED ] on_the_users_kernel: %s\n' "$1"
    exit 0
}
fail() { # twice, as cmocka does
    printf '[  FAILED  ] %s\n[  FAILED  ] %s\n' "$1" "$1"
}

[ "$(uname -m)" = x86_64 ] || skip "not an x86_64 machine"
tools/deps.sh vm >/dev/null 2>&1 || skip "as root, tools/deps.sh vm installs what it takes"
kernel=$("$here/kernel.sh" "$dir" 2>"$dir/kernel.log") || skip "$(tail -1 "$dir/kernel.log")"
"$here/image.sh" "$build" "$dir" || { fail "image.sh: the machine's files cannot be put together"; exit 1; }

results=$dir/results.log
rm -f "$results"
began=$(date +%s)
# What costs the emulator most is translating: without random addresses (norandmaps) a library that each program loads is translated once.
# Page tables of five levels and SMAP make each miss of its TLB dearer, and are nothing to coop.
# no_timer_check: where others compute the emulated timer may be late for the kernel's test of it, and that is a panic.
timeout -k 5 "${VM_SECONDS:-900}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,la57=off,smap=off -m 3G -smp 2 -display none -monitor none -nic none -no-reboot \
    -kernel "$kernel" -initrd "$dir/initrd" -serial "file:$dir/console.log" -serial "file:$results" \
    -append "console=ttyS0 rdinit=/init panic=-1 loglevel=4 tsc=unstable norandmaps no_timer_check coop.only=${VM_ONLY:-}" >"$dir/qemu.log" 2>&1 </dev/null
code=$?
tr -d '\r' <"$results" >"$results.text" 2>/dev/null
mv "$results.text" "$results"

awk '
    $1 == "@@" && $2 == "kernel" { print "@ Linux " substr($0, 11); next }
    $1 == "@@" && $2 == "begin"  { program = $3 " " $4; ok = failed = skipped = 0; next }
    $1 == "@@" && $2 == "end" {
        printf "@ %-36s %4d passed %3d failed %3d skipped  %3ds\n", program, ok, failed / 2, skipped / 2, $6
        if ($5 != 0 && failed == 0)
            print "[  FAILED  ] " program " ended with code " $5 "\n[  FAILED  ] " program " ended with code " $5
        next
    }
    $1 == "@@" && $2 == "log"  { in_log = 1; next }
    $1 == "@@" && $2 == "over" { in_log = 0; next }
    in_log && NF { print "[  FAILED  ] the kernel says: " $0 "\n[  FAILED  ] the kernel says: " $0; next }
    /^\[       OK \]/ { ok++ }
    /^\[  FAILED  \] [^0-9]/ { failed++ }
    /^\[  SKIPPED \] [^0-9]/ { skipped++ }
    /^\[/ { print; next }
    { print }
' "$results"
echo "@ the machine ran for $(($(date +%s) - began)) s"

if ! grep -q '^@@ over' "$results"; then
    fail "the machine did not come to its end (code $code); see $dir/console.log"
    tail -20 "$dir/console.log"
    exit 1
fi
wanted=$(grep '^[a-z]' "$here/programs.txt" | awk -v only="${VM_ONLY:-}" 'index($1, only) || only == "" { n += $2 == "both" ? 2 : 1 } END { print n + 0 }')
[ "$(grep -c '^@@ end ' "$results")" -eq "$wanted" ] || fail "not every program of programs.txt has come to its end"
