#!/bin/bash
# need-packages.sh build|run|test|cluster|console|deb [PACKAGE]...: make sure that what building (build), running (run),
# or also testing (test), on SQLite, PostgreSQL and MariaDB, also on a cluster of MariaDB (cluster), testing the page of
# make run in a browser (console), or packaging (deb) needs is installed. Quick and silent when it is. Where apt-get is not possible: one sentence, and non-zero.
# Packages of npm are for the page /docs/ of make run, which is plain without, and for tests, which are left out where
# they cannot be had, but for CI (CI=...).
# apache2-bin and mariadb-server-core are servers without Debian's service around them: installing them starts nothing;
# of PostgreSQL, no cluster is made; PgBouncer is not started, now or at the next start of the machine.
set -u
cd "$(dirname "$0")/.." || exit 1

build="gcc libc6-dev make pkg-config apache2-bin apache2-dev libapr1-dev libaprutil1-dev libaprutil1-dbd-sqlite3
       libjansson-dev libzmq3-dev perl curl"
tests="libapache2-mod-perl2 libwww-perl libhttp-message-perl libzmq-ffi-perl libdbi-perl libdbd-sqlite3-perl sqlite3 iproute2
       python3-zmq openssl libapache2-mod-auth-openidc libio-socket-ssl-perl liblwp-protocol-https-perl
       xsltproc mandoc groff-base libxml-libxml-perl"
engines="postgresql pgbouncer libaprutil1-dbd-pgsql libdbd-pg-perl
         mariadb-server-core mariadb-client-core libaprutil1-dbd-mysql libdbd-mariadb-perl mariadb-client"
galera="galera-4 rsync"
browser="chromium"
deb="dpkg-dev debhelper xsltproc lintian"
# Node may have come from elsewhere: Debian's packages would not go with it.
command -v node >/dev/null || tests="$tests nodejs"
command -v npm >/dev/null || tests="$tests npm"

die() { echo "need-packages: $*" >&2; exit 1; }

case ${1:-} in
build|run) wanted=$build ;;
test)  wanted="$build $tests $engines" ;;
cluster) wanted="$build $tests $engines $galera" ;;
console) wanted="$build $tests $browser" ;;
deb)   wanted="$build $deb" ;;
*)     die "say build, run, test, cluster, console or deb" ;;
esac
purpose=$1; shift
wanted="$wanted $*"

# Debian's package makes and starts a cluster unless it is told not to before.
no_cluster() {
    case " $missing " in *" postgresql "*) ;; *) return 0 ;; esac
    [ -e /etc/postgresql-common/createcluster.conf ] && return
    $as env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql-common &&
        $as sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
}

# Debian's package starts PgBouncer unless the machine's policy says no: ours does meanwhile, if it has none.
quietly() {   # command...
    case " $missing " in *" pgbouncer "*) ;; *) "$@"; return ;; esac
    local policy=/usr/sbin/policy-rc.d ours= rc
    if [ ! -e $policy ]; then
        ours=1
        printf '#!/bin/sh\nexit 101\n' | $as tee $policy >/dev/null && $as chmod 755 $policy || return
    fi
    "$@"; rc=$?
    [ -z "$ours" ] || $as rm -f $policy
    [ $rc = 0 ] && $as update-rc.d pgbouncer disable
}

packages_of_the_system() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        local missing=
        for tool in gcc make pkg-config apxs apr-1-config apu-1-config perl curl; do
            command -v $tool >/dev/null || missing="$missing $tool"
        done
        for lib in jansson libzmq; do pkg-config --exists $lib 2>/dev/null || missing="$missing $lib(headers)"; done
        if [ "$purpose" = test ] || [ "$purpose" = cluster ] || [ "$purpose" = console ]; then
            for module in Apache::Test LWP::UserAgent LWP::Protocol::https ZMQ::FFI DBD::SQLite XML::LibXML; do
                perl -M$module -e 1 2>/dev/null || missing="$missing perl($module)"
            done
            for tool in openssl xsltproc mandoc groff; do command -v $tool >/dev/null || missing="$missing $tool"; done
            python3 -c 'import zmq' 2>/dev/null || missing="$missing python3(pyzmq)"
        fi
        if [ "$purpose" = console ]; then command -v chromium >/dev/null || missing="$missing chromium"; fi
        if [ "$purpose" = cluster ]; then
            command -v rsync >/dev/null || missing="$missing rsync"
            command -v wsrep_sst_rsync >/dev/null || missing="$missing wsrep_sst_rsync(MariaDB)"
        fi
        [ -z "$missing" ] && return
        die "this is no Debian, so please install by hand:$missing, httpd 2.4.49 or later, and apr-util's drivers sqlite3, pgsql, mysql"
    fi

    local missing=
    for package in $wanted; do
        case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
        ?i*) ;;
        *)   missing="$missing $package" ;;
        esac
    done
    [ -z "$missing" ] && return

    local command="apt-get install -y --no-install-recommends$missing"
    local as=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null ||
            die "not root and no sudo without a password; run this as root, then try again: apt-get update && $command"
        as="sudo -n"
    fi
    echo "need-packages: installing$missing"
    local log; log=$(mktemp) || exit 1
    trap "rm -f $log" EXIT
    if ! { $as apt-get update && no_cluster && quietly $as env DEBIAN_FRONTEND=noninteractive $command; } </dev/null >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        die "apt-get could not install them (above); try: apt-get update && $command"
    fi
}

# What a node of Galera joins by is in Debian's mariadb-server, which makes a database and starts a service: its two
# scripts are enough. galera-4 and rsync start nothing.
state_transfer() {
    command -v wsrep_sst_rsync >/dev/null || [ -x build/galera/wsrep_sst_rsync ] && return
    echo "need-packages: fetching wsrep_sst_rsync of mariadb-server"
    local folder; folder=$(mktemp -d) || exit 1
    { (cd "$folder" && apt-get download mariadb-server && dpkg-deb --fsys-tarfile ./*.deb |
           tar -x ./usr/bin/wsrep_sst_common ./usr/bin/wsrep_sst_rsync) &&
        mkdir -p build/galera && mv "$folder"/usr/bin/wsrep_sst_* build/galera/; } >"$folder/log" 2>&1 </dev/null ||
        { tail -n 5 "$folder/log" >&2; die "apt-get download mariadb-server failed (above)"; }
    rm -rf "$folder"
}

# Prebuilt, or JavaScript alone, so no script runs.
packages_of_node() {   # folder, what is missing without
    [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return
    echo "need-packages: npm ci in $1/"
    local said
    said=$(cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=1 \
               --fetch-retry-mintimeout=2000 2>&1 </dev/null) && return
    tail -n 5 <<<"$said" >&2
    [ -z "${CI:-}" ] || die "npm ci in $1/ failed (above)"
    echo "need-packages: npm ci in $1/ failed (above): $2" >&2
}

packages_of_the_system
case $purpose in
cluster) state_transfer ;;
console) packages_of_node t/console "the tests that need it are left out" ;;
run)
    if command -v npm >/dev/null; then
        packages_of_node docs/viewer "/docs/ will be a plain page"
    fi ;;
test)
    packages_of_node examples "the tests that need it are left out"
    packages_of_node t/openapi "the tests that need it are left out"
    packages_of_node docs/viewer "the tests that need it are left out" ;;
esac
