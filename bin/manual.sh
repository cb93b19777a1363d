#!/bin/bash
# bin/manual.sh: of docs/manual, in build/manual: mod_NAME.html, the manual page mod_NAME.8, and those that are written as
# such (docs/man). The same source gives the same files, byte for byte.
set -eu -o pipefail
cd "$(dirname "$0")/.."

command -v xsltproc >/dev/null || { echo "manual: xsltproc is missing; make manual installs it where it can" >&2; exit 1; }
out=${BUILD:-build}/manual
version=$(bin/version.sh)
date=$(date -u -d "@$(bin/version.sh time)" +%Y-%m-%d)
mkdir -p "$out"
for page in docs/manual/mod/*.xml; do
    name=$(basename "$page" .xml)
    for kind in html man; do
        target=$out/$name.${kind/man/8}
        xsltproc --nonet --novalid --stringparam version "$version" --stringparam date "$date" -o "$target.new" \
            "docs/manual/style/$kind.xsl" "$page"
        mv "$target.new" "$target"
    done
done
for page in docs/man/*; do
    sed "s/@DATE@/$date/; s/@VERSION@/$version/" "$page" >"$out/$(basename "$page")"
done
