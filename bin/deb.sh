#!/bin/bash
# bin/deb.sh [OPTION]...: Debian's packages, in build/deb, of the source file that make dist makes and of packaging/debian;
# lintian has to find nothing. The OPTIONs are for dpkg-buildpackage: -b leaves out the source package.
# DEB_BUILD_OPTIONS=nocheck leaves out the unit tests.
set -eu -o pipefail
cd "$(dirname "$0")/.."

version=$(bin/version.sh)
tarball=$(bin/dist.sh)
mkdir -p "${BUILD:-build}"
out=$(cd "${BUILD:-build}" && pwd)/deb
tree=$out/mod-tickets-orders-$version
rm -rf "$out"
mkdir -p "$tree"
cp "$tarball" "$out/mod-tickets-orders_$version.orig.tar.gz"
tar -xzf "$tarball" --strip-components=1 -C "$tree"
cp -r "$tree/packaging/debian" "$tree/debian"
(cd "$tree" && env -u BUILD -u CC -u CFLAGS -u SANITIZE -u MAKEFLAGS -u MAKELEVEL -u MFLAGS dpkg-buildpackage -us -uc "$@") </dev/null
lintian --allow-root --fail-on error,warning "$out"/*.changes
rm -rf "$tree"
ls "$out"/*.deb
