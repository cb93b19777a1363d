#!/bin/bash
# bin/install.sh: install the built modules, svc-keygen and svc-schema, and the example configuration beside them.
#   without PREFIX: where apxs says this machine's httpd looks, and has its programs; with PREFIX: PREFIX/modules,
#   PREFIX/conf and PREFIX/bin
#   DESTDIR is put before each path, for packagers
set -eu
cd "$(dirname "$0")/.."
if [ -n "${PREFIX:-}" ]; then
    modules=$PREFIX/modules conf=$PREFIX/conf/shop programs=$PREFIX/bin
else
    modules=$(apxs -q LIBEXECDIR) conf=$(apxs -q SYSCONFDIR)/shop programs=$(apxs -q BINDIR)
fi
install -d "${DESTDIR:-}$modules" "${DESTDIR:-}$conf" "${DESTDIR:-}$programs"
for name in tickets orders; do
    install -m 644 "${BUILD:-build}/mod_$name.so" "${DESTDIR:-}$modules/"
done
install -m 755 "${BUILD:-build}/svc-keygen" "${BUILD:-build}/svc-schema" "${DESTDIR:-}$programs/"
for file in tickets orders shop tuned tickets-apart orders-apart orders-many shop-postgresql shop-postgresql-failover shop-mariadb shop-galera reference \
            auth-basic auth-bearer auth-issuer auth-certificate auth-cookie-session; do
    # Debian's ServerRoot has no modules/: the installed examples name the folder.
    sed "s,LoadModule \([a-z_]*\) modules/mod_\(tickets\|orders\),LoadModule \1 $modules/mod_\2,; s, modules/mod_, $(apxs -q LIBEXECDIR)/mod_,; s,/etc/apache2/shop/,$conf/," \
        "conf/$file.conf" >"${DESTDIR:-}$conf/$file.conf"
    chmod 644 "${DESTDIR:-}$conf/$file.conf"
done
install -m 644 conf/cookie-session.lua conf/pgbouncer.ini "${DESTDIR:-}$conf/"
for engine in sqlite3 pgsql mysql; do
    install -d "${DESTDIR:-}$conf/schema/$engine"
    install -m 644 conf/schema/$engine/*.sql "${DESTDIR:-}$conf/schema/$engine/"
done
echo "installed mod_tickets.so and mod_orders.so in ${DESTDIR:-}$modules, svc-keygen and svc-schema in ${DESTDIR:-}$programs," \
     "examples in ${DESTDIR:-}$conf"
