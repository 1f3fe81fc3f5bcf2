#!/bin/sh
# deps.sh GROUP... - make sure that the Debian packages of these groups (tools/packages.txt) are installed.
#
# Nothing missing: says nothing and needs no network. Missing and root: installs them with apt-get. Missing and not root: prints
# the command that an administrator has to run, and ends with 1.
set -eu
list=$(dirname "$0")/packages.txt
missing=
for group in "$@"; do
    for package in $(awk -v g="$group" '$1 !~ /^#/ && $2 == g { print $1 }' "$list"); do
        status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
        case $status in
        ii*) ;;
        *) missing="$missing $package" ;;
        esac
    done
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "coop needs Debian packages that are not installed. Run this, then try again:" >&2
    echo "    sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null; }
