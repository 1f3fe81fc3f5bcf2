#!/bin/sh
# build.sh VERSION ARCH OUT - a Debian package of what `make install` puts into place; OUT/coop_VERSION_ARCH.deb. Needs dpkg-dev; not root: the
# files are root's by dpkg-deb's word.
set -eu
version=$1 arch=$2 out=$3
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
tree=$out/tree
rm -rf "$out"
mkdir -p "$tree/DEBIAN" "$out/debian"

make -s -C "$top" --no-print-directory install DESTDIR="$(cd "$out" && pwd)/tree" PREFIX=/usr >"$out/install.log"
# Units are read from /lib, in Debian 12 too.
mkdir -p "$tree/lib/systemd" && mv "$tree/usr/lib/systemd/system" "$tree/lib/systemd/system" && rmdir "$tree/usr/lib/systemd"
install -D -m 644 "$top/packaging/coopd.yaml" "$tree/etc/coop/coopd.yaml"
install -D -m 644 "$top/LICENSE" "$tree/usr/share/doc/coop/copyright"
find "$tree/usr/share/man" -type f -name '*.[0-9]' -exec gzip -9n {} +
strip --strip-unneeded "$tree"/usr/bin/* "$tree"/usr/libexec/coop/* "$tree"/usr/lib/libcoop.so.*.*
# The engine python is loaded by Debian's own program, of just that version; whoever has no use for it goes without.
recommends=
[ ! -f "$tree/usr/libexec/coop/coop_python.so" ] || recommends=', python3.11'
find "$tree" -type d -exec chmod 755 {} +

# What the programs are linked with, by the packages that are installed here.
printf 'Source: coop\n\nPackage: coop\nArchitecture: any\n' >"$out/debian/control"
depends=$(cd "$out" && dpkg-shlibdeps -O -Stree tree/usr/bin/* tree/usr/libexec/coop/* tree/usr/lib/libcoop.so.0 2>/dev/null |
    sed -n 's/^shlibs:Depends=//p')
sed -e "s|@VERSION@|$version|" -e "s|@ARCH@|$arch|" -e "s|@DEPENDS@|$depends|" -e "s#@RECOMMENDS@#$recommends#" \
    -e "s|@SIZE@|$(du -sk "$tree" | cut -f1)|" "$here/control.in" >"$tree/DEBIAN/control"
echo /etc/coop/coopd.yaml >"$tree/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "$here/$script" "$tree/DEBIAN/$script"; done
(cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb --root-owner-group --build "$tree" "$out/coop_${version}_$arch.deb" >/dev/null
echo "$out/coop_${version}_$arch.deb"
