#!/bin/bash
# check.sh - makes the Debian package, and installs, upgrades, removes and purges it in a Debian of its own (a directory that debootstrap fills,
# once: build/deb-root.tar), in mount, pid, ipc and network namespaces that end with it. Says in cmocka's words what became of it.
#
# What it takes and is not to be had: skipped, by name. DEB_FLAVOUR (debug): which programs are packed; the scripts around them are the same.
set -u
dir=$PWD/build/deb-check
root=$dir/root
image=$PWD/build/deb-root.tar
flavour=${DEB_FLAVOUR:-debug}

skip() {
    printf '[  SKIPPED ] the_package: %s\n' "$1"
    exit 0
}
fail() { # twice, as cmocka does
    printf '[  FAILED  ] %s\n[  FAILED  ] %s\n' "$1" "$1"
    exit 1
}

[ "$(id -u)" -eq 0 ] || skip "only root can make another root"
unshare -m true 2>/dev/null || skip "no mount namespace can be made here"
tools/deps.sh deb >/dev/null 2>&1 || skip "as root, tools/deps.sh deb installs what it takes"

rm -rf "$dir"
mkdir -p "$dir"
version=$(sed -n 's/.*COOP_VERSION *"\(.*\)"/\1/p' include/coop/version.h)
arch=$(dpkg --print-architecture)
INSTALL_FLAVOUR=$flavour packaging/deb/build.sh "$version" "$arch" "$dir/new" >"$dir/build.log" 2>&1 ||
    { cat "$dir/build.log"; fail "the package cannot be made"; }
# The same of an earlier version, with another word in the file that its administrator may change.
cp -r "$dir/new/tree" "$dir/old"
sed -i "s/^Version:.*/Version: 0.0.1/" "$dir/old/DEBIAN/control"
sed -i '1s/.*/# Configuration of an earlier coopd./' "$dir/old/etc/coop/coopd.yaml"
dpkg-deb --root-owner-group --build "$dir/old" "$dir/old.deb" >/dev/null

# What the package depends on, and what it recommends for an engine of its own.
needed="$(dpkg-deb -f "$dir/old.deb" Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/,/ /g') python3.11"
save() { tar -C "$root" -cf "$image.new" . && mv "$image.new" "$image"; }
lacks() { # of them, what the Debian in $root does not have
    for package in $needed; do
        dpkg-query --admindir="$root/var/lib/dpkg" -W "$package" >/dev/null 2>&1 || echo "$package"
    done
}

if [ ! -f "$image" ]; then
    debootstrap --variant=minbase --include="systemd,$(echo $needed | tr ' ' ,)" bookworm "$root" >"$dir/debootstrap.log" 2>&1 ||
        skip "debootstrap: $(tail -1 "$dir/debootstrap.log")"
    save
else
    mkdir -p "$root"
    tar -C "$root" -xf "$image"
fi
# One that was filled for an earlier package gets what has come since, fetched out here, where there is a network.
missing=$(lacks)
if [ -n "$missing" ]; then
    mkdir -p "$dir/fetched/partial" "$root/packages"
    # shellcheck disable=SC2086  # a list of words
    apt-get install -y -qq --no-install-recommends --download-only -o Dir::State::status="$root/var/lib/dpkg/status" \
        -o Dir::Cache::archives="$dir/fetched/" $missing >"$dir/fetch.log" 2>&1 || skip "apt-get: $(tail -1 "$dir/fetch.log")"
    cp "$dir"/fetched/*.deb "$root/packages"
    unshare --mount --propagation private sh -c 'mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh -c "$2"' sh "$root" \
        'PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io -i /packages/*.deb' >"$dir/fill.log" 2>&1 ||
        { cat "$dir/fill.log"; fail "what the package depends on cannot be installed"; }
    rm -rf "$root/packages" "$dir/fetched"
    save
fi
mkdir -p "$root/packages"
cp "$dir/old.deb" "$root/packages/old.deb"
cp "$dir/new/coop_${version}_$arch.deb" "$root/packages/new.deb"
cp tests/deb/inside.sh "$root/packages/inside.sh"

# Its own pids: what is left running when the script ends is ended with it.
timeout -k 5 200 unshare --mount --pid --ipc --net --uts --fork --kill-child --propagation private sh -c '
    mount -t proc proc "$1/proc" && mount --rbind /sys "$1/sys" && mount -t tmpfs tmpfs "$1/run" && mount --rbind /dev "$1/dev" &&
    exec chroot "$1" /bin/bash /packages/inside.sh "$2"' sh "$root" "$version" 2>&1
code=$?
rm -rf --one-file-system "$root"
exit $code
