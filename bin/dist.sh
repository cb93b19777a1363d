#!/bin/bash
# bin/dist.sh: build/mod_tickets-orders-VERSION.tar.gz, the source of a release: what is checked in, or, in what was
# unpacked from such a file, all but what is built. The same source gives the same file, byte for byte.
set -eu -o pipefail
cd "$(dirname "$0")/.."

name=mod_tickets-orders-$(bin/version.sh)
time=$(bin/version.sh time)
out=${BUILD:-build}/$name.tar.gz
sources() {
    if [ -e .git ]; then
        git -c safe.directory='*' ls-files -z
    else
        find . \( -path ./build -o -path ./run -o -name node_modules \) -prune -o ! -type d -printf '%P\0'
    fi
}
mkdir -p "${out%/*}"
sources | LC_ALL=C sort -z | tar --create --no-recursion --null --files-from=- --mtime="@$time" --owner=0 --group=0 \
    --numeric-owner --mode=u=rwX,go=rX --format=gnu --transform="flags=rSH;s,^,$name/," | gzip -9 -n >"$out.new"
mv "$out.new" "$out"
echo "$out"
