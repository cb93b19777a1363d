# Targets for people; how to compile is known to apxs-build.sh alone, how to test to t/check.sh alone.
#
# Variables: CC, SANITIZE, BUILD (see apxs-build.sh), PORT (run, demo), T (files for `make test`), DB (the engine for it), ROUNDS (soak),
# SEEDS (simulate), DESTDIR, PREFIX.

PORT ?= 8080
T ?=
ROUNDS ?= 20
SEEDS ?= 1000
export PORT

# make's own default of CC is "cc": leave the choice to apxs-build.sh unless the caller made one.
ifneq ($(origin CC),default)
export CC
endif

all:
	@./apxs-build.sh modules tools

help:
	@sed -n 's/^#: //p' Makefile

#: make               build/mod_tickets.so, build/mod_orders.so, build/svc-keygen and build/svc-schema
#: make run           start both on http://127.0.0.1:8080 (PORT=...), Ctrl-C stops
#: make demo          load the weekly prices of t/data into the one that runs on PORT
#: make test          layout checks, unit tests, simulation, all suites on SQLite, those of the API and of events on
#:                    PostgreSQL and MariaDB (T="t/tickets/x.t" for some, DB=pgsql for one engine)
#: make test-all      all suites on all three, and test-cluster
#: make unit          C unit tests only
#: make simulate      SEEDS=1000 random schedules of losses and crashes in a simulated world
#: make check-layout  the rules about files, symbols and includes only
#: make test-cluster  several httpd on one database: PostgreSQL, MariaDB; and on three nodes of Galera
#: make test-faults   what a database can do to us while there is trade, on each engine: killed, hangs, full, slow
#: make test-long     the suites that take minutes: the network is cut for a minute (needs root)
#: make test-console  the page of make run, in Chromium
#: make test-deb      the packages are made, installed in a copy of this system, upgraded and purged (needs root)
#: make test-failover PostgreSQL's primary dies; its sessions are a pooler's
#: make test-openapi  the Perl suites, each answer judged by docs/openapi.yaml (prism)
#: make test-asan     unit tests and suites under AddressSanitizer and UBSan
#: make test-mpms     the suites under event, worker and prefork
#: make soak          the suites with crashes, races and real data, ROUNDS=20 times, by hand
#: make bench         measure, and write bench/RESULTS.md; ten minutes (bench/README.md)
#: make bench-memory  memory over a million requests; minutes
#: make schema        write conf/schema/ anew, after a step of a schema was added
#: make install       modules, svc-keygen, svc-schema and example configuration (DESTDIR, PREFIX)
#: make dist          build/mod_tickets-orders-VERSION.tar.gz, the source of a release
#: make deb           build/deb: packages for Debian (libapache2-mod-tickets, libapache2-mod-orders)
#: make manual        build/manual: the manual of docs/manual as HTML and manual pages
#: make clean         remove everything built or generated

packages-build:
	@bin/need-packages.sh build

packages:
	@bin/need-packages.sh test

packages-run:
	@bin/need-packages.sh run

packages-cluster:
	@bin/need-packages.sh cluster

run: packages-run
	@bin/run.sh

demo:
	@bin/demo.pl

unit: packages-build
	@./apxs-build.sh modules units
	@prove --exec '' $${BUILD:-build}/unit/*_test

simulate: packages-build
	@./apxs-build.sh sim
	@SEEDS=$(SEEDS) $${BUILD:-build}/sim

check-layout: all
	@prove t/layout.t

# What has to hold on each engine: the API and the events. The rest, also what breaks them, is in test-all.
CONTRACT = t/smoke.t t/compat t/tickets t/orders t/events t/real/broadway.t
DATABASES = $(or $(DB),sqlite3 pgsql mysql)

test: packages
	@t/engines.sh $(foreach db,$(DATABASES),"$(db) $(or $(T),$(if $(filter sqlite3,$(db)),,$(CONTRACT)))")

# Each is several servers by itself, so never two at once.
CLUSTER = $(foreach db,$(filter-out sqlite3,$(DATABASES)),"$(db) t/cluster/machines.t") \
          $(if $(filter mysql,$(DATABASES)),"sqlite3 t/cluster/galera.t")

POOLED = "pgsql PGBOUNCER=1 t/smoke.t t/tickets t/orders t/events/dance.t"

test-all: packages-cluster
	@t/engines.sh $(foreach db,$(DATABASES),"$(db) $(T)") $(if $(T),,$(CLUSTER) $(if $(filter pgsql,$(DATABASES)),$(POOLED)))

test-cluster: packages-cluster
	@t/engines.sh $(CLUSTER)

test-faults: packages
	@t/engines.sh $(foreach db,$(DATABASES),"$(db) $(or $(T),t/faults t/root/faults)")

test-failover: packages
	@t/engines.sh "pgsql $(or $(T),t/failover)" $(if $(T),,$(POOLED))

test-long: packages
	@t/check.sh t/root/long

test-console:
	@bin/need-packages.sh console
	@t/check.sh t/console

test-deb: packages
	@bin/need-packages.sh deb
	@t/check.sh t/root/package

test-openapi: packages
	@TEST_PRISM=1 t/check.sh $(or $(T),t)

test-asan: packages
	@SANITIZE=address,undefined t/check.sh $(T)

test-mpms: packages
	@for mpm in event worker prefork; do MPM=$$mpm t/check.sh $(T) || exit 1; done

soak: packages
	@for round in $$(seq $(ROUNDS)); do \
	    echo "== round $$round of $(ROUNDS)"; \
	    t/check.sh t/lifecycle t/real t/events t/orders/race.t t/tickets/race.t || exit 1; \
	done

packages-bench:
	@bin/need-packages.sh test libsqlite3-dev

bench: packages-bench
	@./apxs-build.sh modules bench
	@bench/run

bench-memory: packages-bench
	@./apxs-build.sh modules bench
	@bench/run memory

schema: all
	@bin/schema-files.sh

install: all
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" bin/install.sh

dist:
	@bin/dist.sh

deb:
	@bin/need-packages.sh deb
	@bin/deb.sh

manual:
	@bin/need-packages.sh build xsltproc
	@bin/manual.sh

clean:
	@rm -rf build run

.PHONY: all help packages packages-build packages-run packages-cluster packages-bench run demo unit simulate check-layout schema test \
        test-all test-faults test-cluster test-failover test-console test-long test-openapi test-asan test-mpms soak bench bench-memory install dist deb test-deb manual clean
