#!/bin/bash
# apxs-build.sh [modules|tools|lib|units|sim|crash|bench]...: compile what changed. The only place that knows compiler flags.
#
#   lib      $BUILD/libsvc.a     common/ without httpd: all but svc_ap_*
#            $BUILD/libsvc_ap.a  common/svc_ap_*, which needs httpd
#   modules  $BUILD/mod_tickets.so, $BUILD/mod_orders.so: each exports its module record and nothing else
#   tools    $BUILD/svc-keygen, and $BUILD/svc-schema, which knows the tables of both modules
#   units    $BUILD/unit/NAME_test from each t/unit/NAME_test.c, with the pure half of everything (no httpd)
#   sim      $BUILD/sim from t/sim/*.c, with the pure half of everything in a simulated world
#   crash    $BUILD/NAME.so from each t/crash/NAME.c, which suites preload into httpd or a database server; never with a
#            sanitizer
#   bench    $BUILD/bench/NAME from each bench/NAME.c, alike; needs libsqlite3's headers
#
# Environment: CC (default gcc), BUILD (default build, or build/SANITIZE), SANITIZE=address,undefined | thread,
# CPPFLAGS, CFLAGS, LDFLAGS (added last), JOBS (compilers at a time).
set -u -o pipefail
cd "$(dirname "$0")" || exit 1

die() { echo "apxs-build: $*" >&2; exit 1; }

CC=${CC:-gcc}
SANITIZE=${SANITIZE:-}
BUILD=${BUILD:-build${SANITIZE:+/${SANITIZE//,/-}}}
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}

for tool in "$CC" apxs apr-1-config apu-1-config pkg-config ar; do
    command -v "${tool%% *}" >/dev/null || die "$tool is missing; bin/need-packages.sh installs what is needed"
done
pkg-config --exists jansson libzmq || die "jansson or libzmq is missing; bin/need-packages.sh installs what is needed"

# Headers of others are system headers: our warnings are for our own code.
system=$(for dir in "$(apxs -q INCLUDEDIR)" "$(apr-1-config --includedir)" "$(apu-1-config --includedir)"; do
             [ "$dir" = /usr/include ] || printf -- '-isystem %s ' "$dir"
         done
         pkg-config --cflags jansson libzmq | sed 's/-I/-isystem /g')
flags="-std=gnu11 -O2 -g -fPIC -pthread -fno-strict-aliasing -fstack-protector-strong
       -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wwrite-strings
       $(apxs -q EXTRA_CPPFLAGS) $(apr-1-config --cppflags) $system"
link="-pthread -Wl,--as-needed -Wl,-z,relro,-z,now ${LDFLAGS:-}"
added="${CPPFLAGS:-} ${CFLAGS:-}"
plain="$flags $added"
[ -z "$SANITIZE" ] || { sanitize="-fsanitize=$SANITIZE -fno-sanitize-recover=all -fno-omit-frame-pointer"
                        flags="$flags $sanitize" link="$link $sanitize"; }
flags="$flags $added"
libs="$(pkg-config --libs jansson libzmq) -lm"
apr_libs="$(apu-1-config --link-ld) $(apr-1-config --link-ld --libs)"

mkdir -p "$BUILD/obj" || exit 1
command -v flock >/dev/null && { exec 9>"$BUILD/obj/.lock"; flock 9; }   # two builds in one checkout take turns
if [ "$(cat "$BUILD/obj/.flags" 2>/dev/null)" != "$CC $flags $link" ]; then
    find "$BUILD/obj" -name '*.o' -delete
    echo "$CC $flags $link" >"$BUILD/obj/.flags"
fi

object() { echo "$BUILD/obj/${1%.c}.o"; }
objects() { local src; for src; do object "$src"; done; }
up_to_date() {   # target, inputs...: is the target newer than each of them?
    local target=$1 input; shift
    [ -e "$target" ] || return 1
    for input; do [ "$input" -nt "$target" ] || [ ! -e "$input" ] && return 1; done
    return 0
}
includes() {   # which folders a source may include from
    case $1 in
    common/svc_ap_*) echo -Icommon "-I$BUILD/obj/common" ;;
    common/*)       echo -Icommon ;;
    bin/*)          echo -Icommon -Imod_tickets -Imod_orders ;;
    mod_tickets/*)  echo -Icommon -Imod_tickets ;;
    mod_orders/*)   echo -Icommon -Imod_orders ;;
    bench/*)        echo -Icommon -Imod_tickets -Imod_orders -Ibench ;;
    t/unit/*)       echo -Icommon -Imod_tickets -Imod_orders -It/unit ;;
    t/sim/*)        echo -Icommon -Imod_tickets -Imod_orders -It/unit -It/sim ;;
    esac
}
compile() {
    local obj; obj=$(object "$1")
    echo "cc $1"
    mkdir -p "${obj%/*}"
    $CC $(includes "$1") $flags -MMD -MF "${obj%.o}.d" -c "$1" -o "$obj"
}
export -f object includes compile
export CC BUILD flags
compile_all() {   # sources...: several at a time; goes on after a failure so that all messages are seen
    local src obj dep todo=()
    for src; do
        obj=$(object "$src") dep=
        [ -e "${obj%.o}.d" ] && dep=$(sed -e 's/^[^:]*://' -e 's/\\$//' "${obj%.o}.d")
        [ -n "$dep" ] && up_to_date "$obj" $dep || todo+=("$src")
    done
    [ ${#todo[@]} = 0 ] || printf '%s\n' "${todo[@]}" | xargs -P "$JOBS" -n 1 bash -c 'compile "$1"' compile ||
        die "compilation failed"
}
archive() {   # lib, objects...
    local lib=$1; shift
    up_to_date "$lib" "$@" && [ "$(ar t "$lib" | sort)" = "$(printf '%s\n' "${@##*/}" | sort)" ] && return
    echo "ar $lib"; rm -f "$lib"; ar crs "$lib" "$@" || die "could not make $lib"
}
sources() { ls "$@" 2>/dev/null; }
pure_common() { sources common/*.c | grep -v '/svc_ap_'; }
pure_modules() { sources mod_tickets/*.c mod_orders/*.c | grep -v '/mod_[^/]*$'; }

page() {   # a page as the text of a C string, a line for each line; told when it changes
    local out=$BUILD/obj/$1.inc
    mkdir -p "${out%/*}"
    up_to_date "$out" "$1" || sed -e 's/[\\"]/\\&/g; s/^.*$/"&\\n"/' "$1" >"$out" || die "could not make $out"
}

build_lib() {
    local pure edge
    page common/status.html
    pure=$(pure_common); edge=$(sources common/svc_ap_*.c)
    [ -n "$pure" ] || die "no sources in common/"
    compile_all $pure $edge
    archive "$BUILD/libsvc.a" $(objects $pure)
    [ -z "$edge" ] || archive "$BUILD/libsvc_ap.a" $(objects $edge)
}
build_module() {   # name: httpd loads modules RTLD_GLOBAL, so only the record is visible to others
    local name=$1 src obj out=$BUILD/mod_$1.so map=$BUILD/obj/mod_$1.map script
    src=$(sources "mod_$name"/*.c); [ -n "$src" ] || die "no sources in mod_$name/"
    compile_all $src
    obj=$(objects $src)
    script="{ global: ${name}_module; local: *; }; /* of $(echo $obj) */"
    [ "$(cat "$map" 2>/dev/null)" = "$script" ] || echo "$script" >"$map"   # another list of objects: link again
    up_to_date "$out" "$map" $obj "$BUILD/libsvc.a" "$BUILD/libsvc_ap.a" && return
    echo "ld $out"
    $CC -shared -o "$out" $obj -Wl,--start-group "$BUILD/libsvc_ap.a" "$BUILD/libsvc.a" -Wl,--end-group \
        -Wl,--version-script="$map" $link $libs || die "could not link $out"
}
build_tool() {   # program, sources...
    local out=$BUILD/$1; shift
    compile_all "$@"
    up_to_date "$out" $(objects "$@") "$BUILD/libsvc.a" && return
    echo "ld $out"
    $CC -o "$out" $(objects "$@") "$BUILD/libsvc.a" $link $libs $apr_libs || die "could not link $out"
}
build_tools() {
    build_tool svc-keygen bin/svc_keygen.c
    build_tool svc-schema bin/svc_schema_tool.c mod_tickets/tickets_schema.c mod_orders/orders_schema.c
}
link_all() {   # folder, libs, sources...: a program $BUILD/FOLDER/NAME of each source and the pure half of everything
    local folder=$BUILD/$1 more=$2 pure src out; shift 2
    pure=$(pure_modules)
    compile_all $pure
    mkdir -p "$folder"
    for src; do
        out=$folder/$(basename "$src" .c)
        up_to_date "$out" "$(object "$src")" $(objects $pure) "$BUILD/libsvc.a" && continue
        echo "ld $out"
        $CC -o "$out" "$(object "$src")" $(objects $pure) "$BUILD/libsvc.a" $link $libs $apr_libs $more || die "could not link $out"
    done
}
build_units() {
    compile_all $(sources t/unit/*.c)
    link_all unit "" $(sources t/unit/*_test.c)
}
build_bench() {
    pkg-config --exists sqlite3 || die "the headers of libsqlite3 are missing; make bench installs them"
    compile_all $(sources bench/*.c)
    link_all bench "$(pkg-config --libs sqlite3)" $(sources bench/*.c)
}

build_crash() {   # they are loaded into sh as well, which starts httpd where a sanitizer is used
    local src out
    for src in t/crash/*.c; do
        out=$BUILD/$(basename "$src" .c).so
        up_to_date "$out" "$src" "$BUILD/obj/.flags" && continue
        echo "cc $src"
        $CC $plain -shared -o "$out" "$src" -Wl,-z,relro,--as-needed $(pkg-config --libs libzmq) -ldl || die "could not build $out"
    done
}
# Its own svc_bus_* come before the library's, its clock is exported to libapr and libsqlite3, and the calls that it
# wants to see come by it.
build_sim() {
    local src pure name wraps= out=$BUILD/sim
    pure=$(pure_modules)
    src=$(sources t/sim/*.c)
    compile_all $src $pure
    up_to_date "$out" $(objects $src $pure) "$BUILD/libsvc.a" && return
    for name in apr_dbd_open_ex apr_dbd_close apr_dbd_query apr_dbd_pquery apr_dbd_pselect apr_pool_create_ex apr_hash_make; do
        wraps="$wraps -Wl,--wrap=$name"
    done
    echo "ld $out"
    $CC -rdynamic -o "$out" $(objects $src $pure) "$BUILD/libsvc.a" $wraps $link $libs $apr_libs || die "could not link $out"
}

[ $# -gt 0 ] || set -- modules
for what; do
    [ "$what" = crash ] || build_lib
    case $what in
    lib)     ;;
    modules) build_module tickets; build_module orders ;;
    tools)   build_tools ;;
    units)   build_units ;;
    sim)     build_sim ;;
    crash)   build_crash ;;
    bench)   build_bench ;;
    *)       die "unknown target '$what' (modules, tools, lib, units, sim, crash, bench)" ;;
    esac
done
