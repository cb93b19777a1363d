#!/bin/bash
# bin/version.sh [time]: the version, as common/svc_version.h has it; or when it was released, in seconds since 1970, as
# packaging/debian/changelog has it. Fails when these two are not about the same version. In the packages' version,
# -0upstream1 comes before whatever Debian itself may make of it.
set -eu -o pipefail
cd "$(dirname "$0")/.."
die() { echo "version: $*" >&2; exit 1; }

version=$(sed -n 's/^#define SVC_VERSION "\([0-9][0-9.]*\)"$/\1/p' common/svc_version.h)
[ -n "$version" ] || die "common/svc_version.h has no SVC_VERSION"
packaged=$(sed -n '1s/^[a-z-]* (\([0-9.]*\)-0upstream[0-9]*) .*/\1/p' packaging/debian/changelog)
[ "$packaged" = "$version" ] ||
    die "SVC_VERSION is $version, and packaging/debian/changelog begins with '$packaged': tell there what is new"
case ${1:-} in
'')   echo "$version" ;;
time) date -u -d "$(sed -n '/^ -- /{s/.*>  //p;q}' packaging/debian/changelog)" +%s ;;
*)    die "say time, or nothing" ;;
esac
