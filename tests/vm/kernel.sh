#!/bin/sh
# kernel.sh DIR - Debian's own kernel for machines in a cloud, unpacked below DIR and never installed; prints the path of its image.
#
# Downloaded once. Ends with 1 and says why when it is neither there nor to be had.
set -eu
dir=$1
mkdir -p "$dir"
newest() { find "$dir/kernel/boot" -name 'vmlinuz-*' 2>/dev/null | sort -V | tail -1; }

package() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -1; }

if [ -z "$(newest)" ]; then
    name=$(package)
    if [ -z "$name" ] && [ "$(id -u)" -eq 0 ]; then
        apt-get update -qq >&2
        name=$(package)
    fi
    if [ -z "$name" ]; then
        echo "apt knows no package linux-image-cloud-amd64" >&2
        exit 1
    fi
    new=$(mktemp -d "$dir/new.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    chmod 755 "$new"
    if ! (cd "$new" && apt-get -o APT::Sandbox::User= download -qq "$name" >apt.log 2>&1); then
        echo "$name cannot be downloaded: $(tail -1 "$new/apt.log")" >&2
        exit 1
    fi
    dpkg-deb -x "$new"/linux-image-*.deb "$new/kernel"
    rm -rf "$new/kernel/lib" "$new/kernel/usr" "$dir/kernel" # its modules: what the tests need is in the image itself
    mv "$new/kernel" "$dir/kernel"
fi
newest
