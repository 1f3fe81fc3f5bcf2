#!/bin/sh
# layers.sh - who may include whom: broker/ and worker/ share proto/ and include/ and nothing else; nobody includes the CLI. And who looks into CPython.
set -eu
bad=0
refuse() { # FOLDER PATTERN
    if grep -rnE "#include \"($2)/" "$1"; then
        echo "layers: $1/ must not include $2/" >&2
        bad=1
    fi
}
refuse broker 'worker|client|cli'
refuse worker 'broker|client|cli'
refuse proto 'broker|worker|client|cli'
refuse client 'broker|worker|cli'
refuse cli 'broker|worker|client'
refuse include 'broker|worker|client|cli|proto'

# Each file with what CPython shows to nobody is named in state.h, and the version is asked in one place.
python=worker/engines/python
named=$(sed -n '/ \* Version:/,/ \* Switch:/p' $python/state.h | tr -s '{},; ' '\n' | sed -n 's/^\([a-z_]*\)\.c\.*$/\1/p; s/^\(chain\|code\|frame\|gen\|step\)$/freeze_\1/p')
for file in $(grep -lE '<internal/|->cframe->|->trash_delete|ts->context|->c_(trace|profile)obj|_PyThread_at_fork' $python/*.[ch]); do
    name=$(basename "$file" | sed 's/\.[ch]$//')
    if ! echo "$named" | grep -qx "$name"; then
        echo "layers: $file looks into CPython, and is not named in $python/state.h" >&2
        bad=1
    fi
done
if grep -l 'PY_VERSION_HEX' $python/*.[ch] | grep -v '/version\.h$'; then
    echo "layers: CPython's version is checked in $python/version.h" >&2
    bad=1
fi
exit $bad
