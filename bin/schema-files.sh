#!/bin/bash
# bin/schema-files.sh [FOLDER]: write conf/schema/ENGINE/*.sql (or FOLDER/ENGINE/*.sql) as svc-schema prints them: the
# tables of each service for an empty database, and what upgrades them from each earlier version to the next.
# t/schema/files.t sees that conf/schema is up to date.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-conf/schema}
schema() { "${BUILD:-build}/svc-schema" "$@"; }
for engine in sqlite3 pgsql mysql; do
    mkdir -p "$folder/$engine"
    rm -f "$folder/$engine"/*.sql
    for service in tickets orders; do
        schema --driver $engine --from 0 $service print >"$folder/$engine/$service.sql"
        last=$(sed -n 's/.* to \([0-9]*\)\.$/\1/p;q' "$folder/$engine/$service.sql")
        for ((from = 1; from < last; from++)); do
            schema --driver $engine --from $from --to $((from + 1)) $service print \
                >"$folder/$engine/$service-$from-to-$((from + 1)).sql"
        done
    done
done
