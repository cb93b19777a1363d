# Targets for people; how to compile is known to apxs-build.sh alone, how to test to t/check.sh alone.
#
# Variables: CC, SANITIZE, BUILD (see apxs-build.sh), PORT (run, demo), T (files for `make test`), ENGINES, ROUNDS (soak),
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

#: make               build/mod_tickets.so, build/mod_orders.so and build/svc-keygen
#: make run           start both on http://127.0.0.1:8080 (PORT=...), Ctrl-C stops
#: make demo          load the weekly prices of t/data into the one that runs on PORT
#: make test          layout checks, unit tests, simulation, all suites (T="t/tickets/x.t" for some)
#: make unit          C unit tests only
#: make simulate      SEEDS=1000 random schedules of losses and crashes in a simulated world
#: make check-layout  the rules about files, symbols and includes only
#: make test-faults   what a database can do to us while there is trade, on each engine: killed, hangs, full, slow
#: make test-long     the suites that take minutes: the network is cut for a minute (needs root)
#: make test-openapi  the Perl suites, each answer judged by docs/openapi.yaml (prism)
#: make test-asan     unit tests and suites under AddressSanitizer and UBSan
#: make test-mpms     the suites under event, worker and prefork
#: make soak          the suites with crashes, races and real data, ROUNDS=20 times, by hand
#: make bench         measure, and write bench/RESULTS.md; a few minutes (bench/README.md)
#: make install       modules, svc-keygen and example configuration (DESTDIR, PREFIX)
#: make clean         remove everything built or generated

packages-build:
	@bin/need-packages.sh build

packages:
	@bin/need-packages.sh test

packages-run:
	@bin/need-packages.sh run

packages-engines:
	@bin/need-packages.sh engines

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

test: packages
	@t/check.sh $(T)

ENGINES ?= pgsql mysql
CONTRACT = t/unit t/smoke.t t/tickets t/orders t/events t/real/broadway.t t/lifecycle/crash-points.t t/lifecycle/instances.t \
           t/faults/server.t

test-engines: packages-engines
	@for db in $(ENGINES); do echo "== $$db"; DB=$$db t/check.sh $(or $(T),$(CONTRACT)) || exit 1; done

test-all: packages-engines
	@for db in sqlite3 $(ENGINES); do echo "== $$db"; DB=$$db t/check.sh $(T) || exit 1; done

test-faults: packages-engines
	@for db in sqlite3 $(ENGINES); do echo "== $$db"; DB=$$db t/check.sh $(or $(T),t/faults t/root/faults) || exit 1; done

test-long: packages
	@t/check.sh t/root/long

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

install: all
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" bin/install.sh

clean:
	@rm -rf build run

.PHONY: all help packages packages-build packages-run packages-engines packages-bench run demo unit simulate check-layout test \
        test-engines test-all test-faults test-long test-openapi test-asan test-mpms soak bench install clean
