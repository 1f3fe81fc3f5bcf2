#!/bin/sh
# layers.sh - who may include whom: broker/ and worker/ share proto/ and include/ and nothing else; nobody includes the CLI.
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
exit $bad
