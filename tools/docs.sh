#!/bin/sh
# docs.sh [--check] BUILD - writes the parts of the documents that come from tables: docs/man/coop.1 from the CLI's, the policies and the view
# in docs/security.md from the worker's, and there the attempts of programs from the last run of their test;
# docs/libcoop.md from its header and the table of errors; docs/calls.md from the broker's table of calls. With --check changes nothing
# and fails when a part is out of date, or a link leads nowhere.
set -eu
check=0
if [ "$1" = --check ]; then
    check=1
    shift
fi
build=$1
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

"$build/coop" help --man >"$new/coop.1"
for profile in compute lua lua-template python python-template native exec init; do
    "$build/coop-worker" --explain-policy $profile >"$new/policy.$profile"
done
"$build/coop-worker" --explain-view >"$new/view"
# The last whole run of tests/escape/test_exec_escape.c; without one the page keeps what it has.
table=build/escape-table.md
[ -e "$table" ] || table=
awk -v new="$new" -v table="$table" '
    /^<!-- generated: attempts -->/ && table != "" {
        print
        while ((getline line < table) > 0) print line
        skip = 1; next
    }
    /^<!-- generated: policy [a-z-]* -->/ {
        policy = new "/policy." $4
        print; print "```"
        while ((getline line < policy) > 0) print line
        print "```"; skip = 1; next
    }
    /^<!-- generated: view -->/ {
        view = new "/view"
        print; print "```"
        while ((getline line < view) > 0) print line
        print "```"; skip = 1; next
    }
    /^<!-- end -->/ { skip = 0 }
    !skip' docs/security.md >"$new/security.md"

awk -f tools/libcoop_docs.awk include/coop/client.h >"$new/libcoop"
awk -f tools/call_errors_docs.awk proto/call_errors.c >"$new/errors"
for part in table calls messages errors; do
    "$build/tools/calls_doc" $part proto/calls.proto >"$new/calls.$part"
done
# The parts between marks, each from the file of its name.
fill() { # PREFIX PAGE NEW
    awk -v at="$1" '
        /^<!-- generated: [a-z]* -->/ {
            part = at $3
            print
            while ((getline line < part) > 0) print line
            skip = 1; next
        }
        /^<!-- end -->/ { skip = 0 }
        !skip' "$2" >"$3"
}
fill "$new/" docs/libcoop.md "$new/libcoop.md"
fill "$new/calls." docs/calls.md "$new/calls.md"

bad=0
put() { # NEW OLD
    if cmp -s "$1" "$2"; then
        return
    fi
    if [ $check -eq 1 ]; then
        echo "$2 is out of date; run: make docs" >&2
        bad=1
    else
        cp "$1" "$2"
        echo "wrote $2"
    fi
}
put "$new/coop.1" docs/man/coop.1
put "$new/security.md" docs/security.md
put "$new/libcoop.md" docs/libcoop.md
put "$new/calls.md" docs/calls.md
# The pages that are written by hand are made from their sources where scdoc is installed (tools/deps.sh dev); what they say of coopd's options is
# its own word.
options() { # PAGE's lines, from coopd --help
    "$build/coopd" --help | awk -v page="$1" '
        function plain(t) { gsub(/[_*\\]/, "\\\\&", t); return t }
        !/^[fr ] --[a-z]/ { next }
        {
            place = substr($0, 1, 1); name = substr($2 == "" ? $1 : (place == " " ? $1 : $2), 3)
            rest = substr($0, index($0, "--" name) + length(name) + 2); sub(/^ +/, "", rest)
            argument = ""
            if (rest ~ /^[A-Z]+(=[A-Z]+)? / || rest ~ /^[A-Za-z0-9]+\|/) { argument = rest; sub(/ .*/, "", argument); sub(/^[^ ]+ +/, "", rest) }
            if (page == "keys" && place == " ") next
            if (page == "keys") printf "*%s:* _%s_%s\n\t%s.\n\n", name, plain(argument), place == "r" ? " (reload)" : "", plain(rest)
            else printf "*--%s*%s%s\n\t%s.\n\n", name, argument != "" ? " _" plain(argument) "_" : "", place == " " ? " (command line)" : "", plain(rest)
        }'
}
options options >"$new/options"
options keys >"$new/keys"
for source in docs/man/*.scd; do
    page=$(basename "$source" .scd)
    command -v scdoc >/dev/null || continue
    sed -e "/^@OPTIONS@/{r $new/options
d}" -e "/^@KEYS@/{r $new/keys
d}" "$source" | SOURCE_DATE_EPOCH=0 scdoc >"$new/$page"
    put "$new/$page" "docs/man/$page"
done
# Each key of coopd's file is in the one that is installed, where it means something there.
for key in $("$build/coopd" --help | sed -n 's/^[fr] --\([a-z-]*\) .*/\1/p'); do
    case $key in run-dir | state-dir | worker | idle-exit) continue ;; esac # the unit's, or of no use there
    grep -q "^# $key:" packaging/coopd.yaml || { echo "packaging/coopd.yaml lacks $key" >&2; bad=1; }
done

for page in README.md CONTRIBUTING.md docs/*.md; do
    for link in $(grep -o '](\([^)#:]*\))' "$page" | sed 's/](\(.*\))/\1/'); do
        if [ ! -e "$(dirname "$page")/$link" ]; then
            echo "$page: $link is not there" >&2
            bad=1
        fi
    done
done
# What a document names as a row of Python's tests is one.
for row in $(grep -oE '`[a-z]+(_[a-z]+){3,}`' docs/stackless-python.md | tr -d '`' | sort -u); do
    grep -q "^def $row()" tests/python/*.py || { echo "docs/stackless-python.md: no test is named $row" >&2; bad=1; }
done
exit $bad
