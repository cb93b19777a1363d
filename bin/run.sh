#!/bin/bash
# bin/run.sh: build, then run both modules in the foreground on http://127.0.0.1:$PORT until Ctrl-C or SIGTERM.
# Everything it writes is under $RUN (default run/): httpd.conf, users, data/shop.db, logs. The data stay for the
# next time. As root, httpd's children run as www-data. / shows examples/console/, both at work. /docs/ shows docs/openapi.yaml, in the viewer of docs/viewer/ if
# that is installed (bin/need-packages.sh run).
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 1
port=${PORT:-8080}

die() { echo "run: $*" >&2; exit 1; }

case $port in ''|*[!0-9]*) die "PORT=$port is not a number" ;; esac
[ "$port" -ge 1 ] && [ "$port" -le 65535 ] || die "PORT=$port is not between 1 and 65535"
./apxs-build.sh modules || exit 1

user=
run=${RUN:-$top/run}
mkdir -p "$run" && run=$(cd "$run" && pwd) || die "cannot make $run"
if [ "$(id -u)" = 0 ]; then
    user=$(getent passwd www-data nobody | head -n 1 | cut -d: -f1)
    [ -n "$user" ] || die "found neither the user www-data nor nobody to run as"
    if ! runuser -u "$user" -- test -x "$run"; then
        [ -z "${RUN:-}" ] || die "the user $user cannot enter RUN=$run"
        run=/var/tmp/mod_tickets-run   # the checkout is private to root, as in /root
        echo "run: the user $user cannot enter $top, so the data are in $run"
    fi
fi
mkdir -p "$run/data" "$run/logs" "$run/htdocs/docs" || die "cannot make $run"
[ -z "$user" ] || chown -R "$user:" "$run/data" || die "cannot give $run/data to $user"

exec 8>"$run/lock"
flock -n 8 || die "another make run uses $run; stop it, or choose another folder with RUN="

# Can be bound on loopback? SO_REUSEADDR: connections of the last run may still be in TIME_WAIT.
free() {
    perl -MIO::Socket::INET -e '
        for (@ARGV) { IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $_, Listen => 1, ReuseAddr => 1)
                          or do { print STDERR "$!\n"; exit 1 } }' "$@" 2>"$run/logs/ports"
}
free "$port" || die "port $port cannot be used ($(cat "$run/logs/ports")); choose another: make run PORT=8081"
events=5556   # four in a row; other runs may have the first ones
until free $events $((events + 1)) $((events + 2)) $((events + 3)); do
    events=$((events + 4))
    [ $events -lt 5956 ] || die "found no four free ports for events from 5556 on"
done
rm -f "$run/logs/ports"

server=${HTTPD:-$(apxs -q SBINDIR)/$(apxs -q PROGNAME)}
sed -e "s,@run@,$run,g; s,@build@,$top/${BUILD:-build},g; s,@modules@,$(apxs -q LIBEXECDIR),g" \
    -e "s,@port@,$port,g; s,@user@,${user:+User $user\\nGroup $(id -gn "$user")},g" \
    -e "s,@tickets_pub@,$events,g; s,@tickets_replay@,$((events + 1)),g" \
    -e "s,@orders_pub@,$((events + 2)),g; s,@orders_replay@,$((events + 3)),g" \
    conf/run.conf.in >"$run/httpd.conf" || die "cannot write $run/httpd.conf"
for name in alice bob carol payments; do   # "secret", as htpasswd -s writes it: a demonstration, not an example
    echo "$name:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
done >"$run/users"
# /docs/: copies, since $user may not be able to enter $top.
viewer=docs/viewer/node_modules/swagger-ui-dist
page=plain.html
[ ! -e $viewer/swagger-ui-bundle.js ] || page=index.html
cp docs/openapi.yaml docs/asyncapi.yaml docs/viewer/start.js "$run/htdocs/docs/" &&
    cp docs/viewer/$page "$run/htdocs/docs/index.html" || die "cannot write $run/htdocs/docs"
if [ $page = index.html ]; then
    cp $viewer/swagger-ui.css $viewer/swagger-ui-bundle.js $viewer/swagger-ui-bundle.js.LICENSE.txt $viewer/favicon-32x32.png \
       $viewer/LICENSE $viewer/NOTICE "$run/htdocs/docs/" || die "cannot write $run/htdocs/docs"
fi
cp examples/console/* "$run/htdocs/" || die "cannot write $run/htdocs"   # the page at /
chmod -R a+rX "$run/htdocs" || die "cannot open $run/htdocs"
"$server" -f "$run/httpd.conf" -t >"$run/logs/configtest" 2>&1 ||
    die "httpd refuses the configuration: $(cat "$run/logs/configtest")"

SECONDS=0
# A session of its own: httpd takes the terminal's SIGWINCH, a resized window, for "stop".
setsid "$server" -f "$run/httpd.conf" -DFOREGROUND </dev/null 8>&- &
pid=$!
stop() { trap '' INT TERM HUP PIPE; kill -TERM "$pid" 2>/dev/null; wait "$pid"; echo "run: stopped" 2>/dev/null; exit 0; }
trap stop INT TERM HUP PIPE

url=http://127.0.0.1:$port
until curl -sf -o /dev/null "$url/api/tickets"; do
    if ! kill -0 "$pid" 2>/dev/null || [ $SECONDS -gt 30 ]; then
        kill -TERM "$pid" 2>/dev/null
        tail -n 20 "$run/logs/error_log" >&2
        die "httpd does not answer; above is the end of $run/logs/error_log"
    fi
    sleep 0.1
done
cat <<TEXT

mod_tickets and mod_orders run on $url (Ctrl-C stops).
Users: alice, bob, carol, and payments, who may say what was paid; password: secret. Data: $run/data/shop.db. Log: $run/logs/error_log
See both at work, in a browser: $url/
The API to read and to try: $url/docs/
How they are: $url/status/tickets and $url/status/orders
Events: tickets on tcp://127.0.0.1:$events, orders on tcp://127.0.0.1:$((events + 2))

Paste these into another bash: alice sells a ticket, bob orders it, it becomes his to pay for, he cancels.

url=$url
T=\$(curl -si -u alice:secret -H 'Content-Type: application/json' -d '{"title": "Hamlet", "price": 20.5}' \$url/api/tickets | tr -d '\r' | sed -n 's,^Location:.*/,,p')
curl -s \$url/api/tickets/\$T; echo; sleep 1
O=\$(curl -si -u bob:secret -H 'Content-Type: application/json' -d "{\"ticketId\": \"\$T\"}" \$url/api/orders | tr -d '\r' | sed -n 's,^Location:.*/,,p')
for i in 1 2 3; do curl -s -u bob:secret \$url/api/orders/\$O; echo; sleep 0.5; done
curl -s -u bob:secret -X DELETE -o /dev/null -w '%{http_code}\n' \$url/api/orders/\$O
curl -s -u bob:secret \$url/api/orders/\$O; echo

More to look at: make demo loads a year of weekly prices, curl \$url/api/tickets lists them.
TEXT
wait "$pid"
die "httpd ended by itself, see $run/logs/error_log"
