#!/bin/bash
# image.sh BUILD DIR - writes DIR/initrd: a small Debian of files of this machine (the packages named below), and coop with the tests of
# tests/vm/programs.txt from BUILD, without their debug information. The first part is made once, or when this file changes.
set -eu -o pipefail
build=$1 dir=$(realpath "$2")
here=$(dirname "$0")
flavour=$(basename "$build")

PACKAGES="bash dash coreutils findutils grep sed util-linux util-linux-extra mount procps diffutils python3-minimal python3.11-minimal libpython3.11-minimal libpython3.11-stdlib tzdata base-files libc-bin"
EXTRA="/usr/bin/busybox /bin/busybox /usr/bin/mount /usr/bin/umount /usr/sbin/ip"

# Files, one a line, that are there and are no directories: each at its real place, for here /bin is /usr/bin.
real() {
    sed -E 's#^/(bin|sbin|lib|lib64)/#/usr/\1/#' | xargs -r -d '\n' sh -c 'find "$@" -maxdepth 0 ! -type d 2>/dev/null || true' sh | sort -u
}
into() { # ROOT: the files, one a line, and what those of them point to that are links
    local root=$1 list=$tmp/list
    real >"$list"
    for _ in 1 2; do
        { cat "$list"; xargs -r -d '\n' realpath -q <"$list"; xargs -r -d '\n' sh -c 'find "$@" -maxdepth 0 -type l -printf "%h/%l\n"' sh <"$list"; } |
            sed 's#^/.*//#/#' | xargs -r -d '\n' realpath -sm | real >"$list.new"
        mv "$list.new" "$list"
    done
    sed 's#^/##' "$list" | (cd / && cpio -pdmu --quiet "$root")
}
libraries() { # ROOT: what its programs and their modules are linked with
    { find "$1" -type f \( -perm -100 -o -name '*.so' \) -exec ldd {} + 2>/dev/null || true; } | grep -o '/[^ :]* (' | sed 's/ ($//' | into "$1"
}
skeleton() { # ROOT
    local root=$1 d
    mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},proc,sys,dev,run,tmp,etc,root,home/user,mnt,var/tmp,var/lib}
    for d in bin sbin lib lib64; do ln -s usr/$d "$root/$d"; done
    printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n' >"$root/etc/passwd"
    printf 'root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n' >"$root/etc/group"
    printf 'root:*:19000:0:99999:7:::\n' >"$root/etc/shadow"
    chmod 600 "$root/etc/shadow"
    printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
    printf 'passwd: files\ngroup: files\nhosts: files\n' >"$root/etc/nsswitch.conf"
}
pack() { # ROOT FILE
    (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) >"$2"
}

tmp=$(mktemp -d "$dir/image.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
if [ ! -e "$dir/base.cpio" ] || [ "$0" -nt "$dir/base.cpio" ]; then
    skeleton "$tmp/base"
    # shellcheck disable=SC2086  # lists of words
    {
        printf '%s\n' $EXTRA
        dpkg -L $PACKAGES 2>/dev/null | grep -vE '^/(usr/share/(doc|man|locale|info|lintian|bash-completion)|etc/(init|cron))' || true
        find /usr/lib/python3.11 -name '*.pyc' ! -path '*/test/*' 2>/dev/null || true # made when it was installed; without, each start compiles all of it
    } | into "$tmp/base"
    libraries "$tmp/base"
    cp /etc/ld.so.cache "$tmp/base/etc/"
    pack "$tmp/base" "$tmp/base.cpio"
    mv "$tmp/base.cpio" "$dir/base.cpio"
fi

to=$tmp/coop/coop
mkdir -p "$to/build/$flavour" "$to/tests/vm"
cp "$here/programs.txt" "$here/guest.sh" "$to/tests/vm/"
cp "$here/init" "$tmp/coop/init"
programs=$(sed -n 's|^\([a-z][^ ]*\) .*|tests/\1|p' "$here/programs.txt" | sort -u)
mkdir -p "$build/tests/escape/probes"
python=
[ ! -e "$build/coop_python.so" ] || python=coop_python.so # not everywhere is it built
# shellcheck disable=SC2086  # a list of words
(cd "$build" && find $programs coop coopd coop-worker $python tests/escape/probe-worker tests/escape/probe-template tests/escape/probes tests/halt tests/support/deny tests/native examples \
    -type f \( -perm -100 -o -name '*.so' \) | cpio -pdm --quiet "$to/build/$flavour")
cp -r docs examples README.md "$to/"
mkdir -p "$to/tests/python" && cp tests/python/*.py "$to/tests/python/"
find "$to/build" -type f -exec strip -g {} + 2>/dev/null || true
libraries "$tmp/coop"
pack "$tmp/coop" "$tmp/coop.cpio"
cat "$dir/base.cpio" "$tmp/coop.cpio" >"$tmp/initrd"
mv "$tmp/initrd" "$dir/initrd"
