#!/bin/bash
# need-packages.sh build|test [PACKAGE]...: make sure that what building and running (build), or also testing
# (test) needs is installed. Quick and silent when it is. Where apt-get is not possible: one sentence, and non-zero.
# apache2-bin is the server without Debian's service around it: installing it starts nothing.
set -u

build="gcc libc6-dev make pkg-config apache2-bin apache2-dev libapr1-dev libaprutil1-dev libaprutil1-dbd-sqlite3
       libjansson-dev libzmq3-dev perl curl"
tests="libapache2-mod-perl2 libwww-perl libhttp-message-perl libzmq-ffi-perl libdbi-perl libdbd-sqlite3-perl iproute2"

die() { echo "need-packages: $*" >&2; exit 1; }

case ${1:-} in
build) wanted=$build ;;
test)  wanted="$build $tests" ;;
*)     die "say build or test" ;;
esac
purpose=$1; shift
wanted="$wanted $*"

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    missing=
    for tool in gcc make pkg-config apxs apr-1-config apu-1-config perl curl; do
        command -v $tool >/dev/null || missing="$missing $tool"
    done
    for lib in jansson libzmq; do pkg-config --exists $lib 2>/dev/null || missing="$missing $lib(headers)"; done
    if [ "$purpose" = test ]; then
        for module in Apache::Test LWP::UserAgent ZMQ::FFI DBD::SQLite; do
            perl -M$module -e 1 2>/dev/null || missing="$missing perl($module)"
        done
    fi
    [ -z "$missing" ] && exit 0
    die "this is no Debian, so please install by hand:$missing, httpd 2.4.49 or later, and apr-util's sqlite3 driver"
fi

missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
    ?i*) ;;
    *)   missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0

command="apt-get install -y --no-install-recommends$missing"
as=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null ||
        die "not root and no sudo without a password; run this as root, then try again: apt-get update && $command"
    as="sudo -n"
fi
echo "need-packages: installing$missing"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
if ! { $as apt-get update && $as env DEBIAN_FRONTEND=noninteractive $command; } </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "apt-get could not install them (above); try: apt-get update && $command"
fi
