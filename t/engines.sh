#!/bin/bash
# t/engines.sh "ENGINE [NAME=VALUE]... [SUITE]..."...: t/check.sh on each ENGINE (sqlite3, pgsql, mysql), with those suites
# or all of them, and what t/check.sh finds in its environment; one after another whatever fails. The last line is "N passed, N failed" of all together.
set -u
cd "$(dirname "$0")/.." || exit 1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

passed=0 failed=0
for run; do
    read -r -a words <<<"$run"
    echo "== ${words[0]}"
    settings=() suites=()
    for word in "${words[@]:1}"; do
        case $word in [A-Z]*=*) settings+=("$word") ;; *) suites+=("$word") ;; esac
    done
    env DB="${words[0]}" "${settings[@]}" t/check.sh "${suites[@]}" 2>&1 | tee "$log" | sed -u "s/^[0-9]* passed, [0-9]* failed$/${words[0]}: &/"
    read -r p f < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log") || { p=0 f=1; }
    passed=$((passed + p)) failed=$((failed + f))
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed != 0 ]
