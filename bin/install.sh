#!/bin/bash
# bin/install.sh: install the built modules, and the example configuration beside them.
#   without PREFIX: where apxs says this machine's httpd looks; with PREFIX: PREFIX/modules and PREFIX/conf
#   DESTDIR is put before each path, for packagers
set -eu
cd "$(dirname "$0")/.."
if [ -n "${PREFIX:-}" ]; then
    modules=$PREFIX/modules conf=$PREFIX/conf/shop
else
    modules=$(apxs -q LIBEXECDIR) conf=$(apxs -q SYSCONFDIR)/shop
fi
install -d "${DESTDIR:-}$modules" "${DESTDIR:-}$conf"
for name in tickets orders; do
    install -m 644 "${BUILD:-build}/mod_$name.so" "${DESTDIR:-}$modules/"
done
for file in tickets orders shop reference; do
    # Debian's ServerRoot has no modules/: the installed examples name the folder.
    sed "s,LoadModule \([a-z_]*\) modules/mod_\(tickets\|orders\),LoadModule \1 $modules/mod_\2,; s, modules/mod_dbd, $(apxs -q LIBEXECDIR)/mod_dbd," \
        "conf/$file.conf" >"${DESTDIR:-}$conf/$file.conf"
    chmod 644 "${DESTDIR:-}$conf/$file.conf"
done
echo "installed mod_tickets.so and mod_orders.so in ${DESTDIR:-}$modules, examples in ${DESTDIR:-}$conf"
