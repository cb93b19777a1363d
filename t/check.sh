#!/bin/bash
# t/check.sh [FILE|FOLDER]...: build, then run the layout checks, the C unit tests, the simulation and the
# Apache::Test suites, or only those named (t/smoke.t, t/tickets, t/unit/svc_id_test.c, t/sim).
# The last line is "N passed, N failed".
#
# All runs in private copies, which an unprivileged user owns when this is started by root; t/root/ stays root.
# t/root/long, where a suite takes more than a minute, is run only when it is named, and so are t/cluster,
# t/console, which needs Chromium, and t/root/package, which needs what packages are made with.
# Environment: DB (sqlite3, pgsql, mysql: the engine; the last two are private servers), PGBOUNCER=1 (with DB=pgsql: all
# connections of httpd lead through a private PgBouncer in transaction mode), MPM (event, worker, prefork),
# SANITIZE and CC (apxs-build.sh), V=1 (each assertion), KEEP=1 (keep the copy, with its logs, also after success),
# SEEDS (schedules of the simulation), TEST_PRISM=1 (what the Perl suites ask and are answered is judged by
# docs/openapi.yaml), LANES (how many suites run at once, each lane with a copy, a server and an engine of its own).
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1

die() { echo "check: $*" >&2; echo "0 passed, 1 failed"; exit 1; }

export SANITIZE=${SANITIZE:-} MPM=${MPM:-event}
export BUILD=${BUILD:-build${SANITIZE:+/${SANITIZE//,/-}}}
[ -z "$SANITIZE" ] || export SEEDS=${SEEDS:-200}   # sanitizers are slow
case $MPM in event|worker|prefork) ;; *) die "MPM=$MPM: say event, worker or prefork" ;; esac
export TEST_DB=${DB:-sqlite3} TEST_PGBOUNCER=${PGBOUNCER:-}
case $TEST_DB in sqlite3|pgsql|mysql) ;; *) die "DB=$TEST_DB: say sqlite3, pgsql or mysql" ;; esac
[ -z "$SANITIZE" ] || LANES=${LANES:-2}
export LANES=${LANES:-3}   # suites wait more than they work
case $LANES in [1-9]) ;; *) die "LANES=$LANES: say 1 to 9" ;; esac
[ -z "${V:-}" ] || LANES=1
./apxs-build.sh modules tools units sim crash || die "the build failed"

libexec=$(apxs -q LIBEXECDIR)
server=$(apxs -q SBINDIR)/$(apxs -q PROGNAME)
work=$(mktemp -d "${TMPDIR:-/tmp}/check.XXXXXX") || die "no temporary directory"
finish() {
    local rc=$? dir pid
    cd / || exit
    # What still runs in the copy (a suite was interrupted): its folder or its arguments say that it is ours.
    for dir in /proc/[0-9]*; do
        pid=${dir#/proc/}
        case $(readlink "$dir/cwd" 2>/dev/null)/ in "$work"/*) ;; *) grep -q -F -e "$work/" "$dir/cmdline" 2>/dev/null ;; esac &&
            [ "$pid" != $$ ] && kill -9 "$pid" 2>/dev/null
    done
    if [ "$rc" = 0 ] && [ -z "${KEEP:-}" ]; then rm -rf "$work"; else echo "check: logs are in $work/*/t/logs" >&2; fi
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# The first lane's copy: the checkout, and of everything built only what is tested now.
lane=$work/1
mkdir "$lane" "$work/taken"
tar -c --exclude=./.git --exclude=./build --exclude=./run --exclude=node_modules . | tar -x -C "$lane" ||
    die "could not copy the checkout"
mkdir "$lane/build" && cp -a "$BUILD"/{*.so,svc-keygen,svc-schema,obj,unit,sim} "$lane/build/" || die "could not copy the build"
[ ! -d build/galera ] || cp -a build/galera "$lane/build/" || die "could not copy what nodes of Galera join by"
sed -i -e "s,/usr/lib/apache2/modules,$libexec,; s,mpm_event,mpm_$MPM,g" "$lane/t/conf/modules.conf"
mkdir -p "$lane/t/logs" "$lane/tmp" "$lane/db"

if [ -n "$SANITIZE" ]; then   # the runtime must come first in a program that was not built with it
    runtime=asan; [ "$SANITIZE" = thread ] && runtime=tsan
    runtime=$(${CC:-gcc} -print-file-name=lib$runtime.so)
    cat >"$lane/httpd" <<WRAPPER
#!/bin/sh
options=log_path=\${0%/httpd}/t/logs/sanitizer:detect_leaks=0:print_stacktrace=1:abort_on_error=1
LD_PRELOAD=$runtime\${LD_PRELOAD:+:\$LD_PRELOAD} ASAN_OPTIONS=\$options UBSAN_OPTIONS=\$options TSAN_OPTIONS=\$options exec $server "\$@"
WRAPPER
    chmod +x "$lane/httpd"; server=
fi

as=
if [ "$(id -u)" = 0 ]; then
    as=${CHECK_USER:-$(getent passwd www-data nobody | head -n 1 | cut -d: -f1)}
    [ -n "$as" ] || die "found no unprivileged user; name one with CHECK_USER="
    chmod 755 "$work" && chown -R "$as:" "$lane"
fi

cd "$lane" || exit 1
if [ $# = 0 ]; then
    set -- t/layout.t t/unit t/sim t
fi
root_suites() {   # folder
    if [ -z "$as" ]; then
        echo "check: $1 needs root, left out" >&2
    elif [ "$1" != t/root ] && [ -z "${CI:-}" ] && ! unshare --net --mount true 2>/dev/null; then
        # A container may not permit them; in CI (CI is set) it has to.
        echo "check: $1 needs namespaces (CAP_SYS_ADMIN), left out" >&2
    else
        ls "$1"/*.t
    fi
}
suites=()
for name; do
    case ${name#./} in
    t)             # where answers are judged by the document, that judge is tested, too
                   suites+=($(find t -name '*.t' -not -path 't/layout.t' -not -path 't/root/*' -not -path 't/cluster/*' -not -path 't/console/*' \
                              \( -not -path 't/openapi/*' -o -name document.t \) | sort))
                   [ -z "${TEST_PRISM:-}" ] || suites+=(t/openapi/judge.t t/openapi/answers.t)
                   suites+=($(root_suites t/root) $(root_suites t/root/faults)) ;;
    t/root|t/root/long|t/root/faults|t/root/package) suites+=($(root_suites "${name#./}")) ;;
    t/unit)        suites+=(build/unit/*_test) ;;
    t/sim)         suites+=(build/sim) ;;
    t/unit/*.c)    name=${name##*/}; suites+=("build/unit/${name%.c}") ;;
    *.t)           suites+=("$name") ;;
    *)             suites+=($(find "$name" -name '*.t' | sort)) ;;
    esac
done

# Suites that need packages of npm: bin/need-packages.sh test fetches them, where it can.
folder_of_node() {
    case $1 in
    t/examples/follow_node.t|t/examples/asyncapi.t) echo examples ;;
    t/openapi/*) echo t/openapi ;;
    t/console/*) echo t/console ;;
    t/run/docs.t) echo docs/viewer ;;
    esac
}
has_node() { command -v node >/dev/null && [ -e "$top/$1/node_modules/.package-lock.json" ]; }
kept=() folders=
for suite in "${suites[@]}"; do
    folder=$(folder_of_node "$suite")
    if [ -z "$folder" ] || has_node "$folder"; then
        kept+=("$suite") folders="$folders $folder"
    else
        [ -z "${CI:-}" ] || die "$suite needs node, and npm ci in $folder/"
        echo "check: $suite needs node, and npm ci in $folder/; left out"
    fi
done
suites=("${kept[@]}")

# What is about SQLite, about servers, or about one of them, says so in its first lines.
case $TEST_DB in
sqlite3) others="servers|PostgreSQL|MariaDB" ;;
pgsql)   others="SQLite|MariaDB" ;;
mysql)   others="SQLite|PostgreSQL" ;;
esac
kept=()
for suite in "${suites[@]}"; do
    case $suite in
    *.t)          head -n 12 "$suite" | grep -q -E "^# Of ($others) only" && continue ;;
    build/unit/*) head -n 12 "t/unit/${suite##*/}.c" | grep -q -E "^ \* Of ($others) only" && continue ;;
    esac
    kept+=("$suite")
done
suites=("${kept[@]}")
if [ -n "${TEST_PRISM:-}" ]; then
    has_node t/openapi || die "TEST_PRISM needs node, and npm ci in t/openapi/"
    folders="$folders t/openapi"
fi
for folder in $(printf '%s\n' $folders | sort -u); do
    cp -r "$top/$folder/node_modules" "$folder/" || die "could not copy node_modules"
    [ -z "$as" ] || chown -R "$as:" "$folder"
done

[ ${#suites[@]} -ge "$LANES" ] || LANES=${#suites[@]}
for ((n = 2; n <= LANES; n++)); do cp -a "$lane" "$work/$n" || die "could not copy the copy"; done

export TEST_USER=$as TEST_MODULES=$libexec TEST_MPM=$MPM TEST_TAKEN=$work/taken
export TEST_APXS=$(command -v apxs)
lanes=()
for ((n = 1; n <= LANES; n++)); do
    lane=$work/$n
    cd "$lane" || exit 1
    TEST_LANE=$n TEST_HTTPD=${server:-$lane/httpd} TEST_BUILD=$lane/build TEST_DB_DIR=$lane/db MARIADB_HOME=$lane/db \
        HOME=$lane TMPDIR=$lane/tmp perl t/suites.pl "${suites[@]}" &   # waited for, so that a signal is heard at once
    lanes+=($!)
done
for pid in "${lanes[@]}"; do wait "$pid"; done
cd "$work" || exit 1
awk -v lanes="$LANES" '
    { passed += $1; failed += $2; said++ }
    END {
        if (said != lanes) failed++
        printf "%d passed, %d failed\n", passed, failed
        exit failed || !passed
    }' /dev/null */result
