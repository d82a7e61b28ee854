# SPDX-License-Identifier: MIT
# pusherd: `make help` lists the targets.

VERSION := 0.1.0
BUILD   := build
SAN     :=

# The tools for another architecture: dpkg-architecture -aARCH -c make ...
TOOLS   := $(DEB_HOST_GNU_TYPE:%=%-)
ifeq ($(origin CC),default)
CC      := $(TOOLS)gcc
endif
CSTD    := -std=c11 -D_GNU_SOURCE -I.
OPT     ?= -O2
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	-Wcast-qual -Wcast-align=strict -Wwrite-strings -Wformat=2 -Wundef \
	-Wvla -Wconversion -Wno-sign-conversion -Wimplicit-fallthrough \
	-Wnull-dereference -Wduplicated-cond -Wlogical-op -Wno-unused-parameter
# A flag that this compiler has for its machine, or nothing.
cc-option = $(shell echo 'int x;' | $(CC) -Werror $(1) -x c -c -o /dev/null - \
	2>/dev/null && echo '$(1)')
HARDEN  := -fno-common -fno-strict-aliasing -D_FORTIFY_SOURCE=3 \
	-fstack-protector-strong -fPIE $(call cc-option,-fstack-clash-protection) \
	$(call cc-option,-fcf-protection) \
	$(call cc-option,-mbranch-protection=standard)
LDHARD  := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed \
	-Wl,--build-id=sha1
WERROR  := $(if $(CI),-Werror)
CFLAGS  := $(CSTD) -g $(OPT) $(WARN) $(HARDEN) $(WERROR) $(SAN) -MMD -MP
LDFLAGS := $(LDHARD) $(SAN) $(BUILDID)
LIBS    := -lev -lssl -lcrypto -lcjson -lsqlite3 -lcurl -lhiredis -lseccomp -lz -lm

files    = $(shell find $(1) -name '*$(2).c' | sort)
SHARED  := $(call files,shared)
BROKER  := $(call files,broker)
# pusherctl looks into the outbox, too.
OUTBOX  := $(wildcard shared/app/outbox*.c)
WORKER  := $(call files,worker)
MASTER  := cli/pusherd.c $(call files,cli/master)
CTL     := $(filter-out $(MASTER),$(call files,cli))
# The console runs the commands of pusherctl, so that pusherd has them, too.
DAEMON  := $(MASTER) $(filter-out cli/pusherctl.c,$(CTL))
UNIT    := $(if $(wildcard tests/unit),$(call files,tests/unit,_test))
FUZZ    := $(wildcard tests/fuzz/*_fuzz.c)

# The console's page, with the charts of Debian's libjs-chart.js.
CHARTJS := /usr/share/javascript/chart.js/Chart.min.js
PAGE    := $(wildcard worker/page/*.html worker/page/*.css worker/page/*.js \
	worker/page/*.svg)
PAGEOBJ := $(BUILD)/page/page.o $(BUILD)/page/page_data.o

obj      = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
# Unit tests link this: everything but the two files with a main().
TESTOBJ := $(call obj,$(SHARED) $(BROKER) $(WORKER) \
	$(filter-out cli/pusherd.c,$(DAEMON))) $(PAGEOBJ)
UNITBIN := $(patsubst tests/%.c,$(BUILD)/%,$(UNIT))
# A fuzz target as a plain program over its corpus, and with libFuzzer.
CORPUSBIN := $(patsubst tests/%_fuzz.c,$(BUILD)/%_corpus,$(FUZZ))
FUZZBIN := $(patsubst tests/%_fuzz.c,$(BUILD)/%_fuzz,$(FUZZ))

JOBS    := -j$(shell nproc)
MAKEFLAGS += --no-print-directory

# A line for each file built; V=1 prints the commands instead.
Q        = $(if $(V),,@)
say      = $(if $(V),,@printf '%-4s %s\n' $(1) $(2))
# Builds a program from one file of its own and objects.
program  = $(CC) $(CFLAGS) -MT $@ $(LDFLAGS) -o $@

all: $(BUILD)/pusherd $(BUILD)/pusherctl ## build pusherd and pusherctl

$(BUILD)/page/page.c: worker/page/embed.sh $(PAGE) $(CHARTJS)
	$(call say,PAGE,$@)
	$(Q)mkdir -p $(@D) && cp -L $(CHARTJS) $(@D)/chart.js
	$(Q)worker/page/embed.sh $(@D) $(PAGE) $(@D)/chart.js
$(BUILD)/page/page.o: $(BUILD)/page/page.c
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<
$(BUILD)/page/page_data.o: $(BUILD)/page/page.c
	$(Q)$(CC) -c -o $@ $(@D)/page.S

$(BUILD)/pusherd: $(call obj,$(DAEMON) $(SHARED) $(BROKER) $(WORKER)) \
    $(PAGEOBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/pusherctl: $(call obj,$(CTL) $(SHARED))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<

# Each program of the tests takes from this library what it calls.
$(BUILD)/tests.a: $(TESTOBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(TOOLS)ar rcsT $@ $^

# gcc does not know that a failed assertion of cmocka's does not return.
$(BUILD)/obj/tests/unit/%.o: \
    CFLAGS += -Wno-null-dereference -Wno-maybe-uninitialized
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/tests.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(BUILD)/tests.a $(LIBS) -lcmocka

.SECONDARY: $(UNIT:%.c=$(BUILD)/obj/%.o)
unit-bins: $(UNITBIN)

FUZZOBJ := $(call obj,$(FUZZ) tests/fuzz/corpus.c)
$(BUILD)/fuzz/%_corpus: $(BUILD)/obj/tests/fuzz/%_fuzz.o \
    $(BUILD)/obj/tests/fuzz/corpus.o $(TESTOBJ)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/fuzz/%_fuzz: $(BUILD)/obj/tests/fuzz/%_fuzz.o $(TESTOBJ)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# worker/conn/ws.c for any bytes, and what looks into messages replaced.
ECHO    := $(BUILD)/obj/tests/conformance
$(BUILD)/ws_echo: tests/conformance/ws_echo.c $(TESTOBJ)
	@mkdir -p $(ECHO)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -DWS_ECHO -c -o $(ECHO)/ws.o worker/conn/ws.c
	$(Q)$(program) $< $(ECHO)/ws.o \
	    $(filter-out %/worker/conn/ws.o,$(TESTOBJ)) $(LIBS)

# Every object for ARM.  Headers of the libraries are those of this machine,
# behind the compiler's own; nothing is linked, since Debian has the libraries
# of another architecture only where it has been added to dpkg.
HOSTINC := /usr/include
cross: ## compile every object for 64-bit ARM
	@tests/deps.sh build cross
	@$(MAKE) $(JOBS) BUILD=build-arm64 CC=aarch64-linux-gnu-gcc objects \
	    CSTD="$(CSTD) -idirafter $(HOSTINC) \
	    -idirafter $(HOSTINC)/$(shell gcc -print-multiarch)"
	@echo "build-arm64: every object compiles for ARM"
objects: $(TESTOBJ) $(call obj,cli/pusherd.c cli/pusherctl.c)

# Tools of the tests: a reader to compare with, a library that makes calls fail.
$(BUILD)/json_say: tests/conformance/json_say.c $(call obj,$(SHARED))
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(program) $(filter %.c %.o,$^) $(LIBS)

$(BUILD)/timing: tests/conformance/timing.c $(call obj,$(SHARED))
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(program) $(filter %.c %.o,$^) $(LIBS)

$(BUILD)/torture_shim.so: tests/torture/shim.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CSTD) -O2 -Wall -Wextra $(WERROR) -fPIC -shared -o $@ $<

tools: $(BUILD)/json_say $(BUILD)/torture_shim.so $(BUILD)/ws_echo
corpus-bins: $(CORPUSBIN)
fuzz-bins: $(FUZZBIN)

# ---- for people ----

# The name of one test is that of the command line; some systems have a variable
# NAME for something else.
ifneq ($(origin NAME),command line)
NAME :=
endif

RUN := run

deps: ## install what the build needs (Debian packages)
	@tests/deps.sh build

run: deps ## build and start a server on port 6001, state under ./run
	@etc/run.sh $(BUILD) $(RUN)

NPM := tests/system/node_modules/.package-lock.json
$(NPM): tests/system/package-lock.json
	cd tests/system && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

console-shots: all $(NPM) ## pictures of the console for etc/doc
	@PUSHERD_BIN=$(BUILD)/pusherd node tests/shots/run.js etc/doc

check: ## unit and system tests, with all they need
	@tests/deps.sh build check browser proxy laravel rails
	@$(MAKE) $(JOBS) libraries all unit-bins corpus-bins tools $(NPM)
	@tests/run.sh $(BUILD) unit fuzz system faults torture

libraries: # what libraries.test.js drives; most of it is waiting
	@tests/libraries.sh

unit: ## unit tests (cmocka; NAME=broker/channel/presence: one of them)
	@tests/deps.sh build $(if $(NAME),unit,check)
	@$(MAKE) $(JOBS) $(if $(NAME),$(BUILD)/unit/$(NAME)_test,unit-bins)
	@tests/run.sh $(BUILD) unit

faults: libraries all $(NPM) ## kill, stop and starve it (long; NAME=recipe SEED=n)
	@PUSHERD_BIN=$(BUILD)/pusherd node tests/faults/run.js \
	    $(if $(SEED),--seed $(SEED)) $(NAME)

system: ## the real daemon and the official clients (NAME=channel: one file)
	@tests/deps.sh build $(if $(NAME),node,check browser proxy laravel rails)
	@$(MAKE) $(JOBS) $(if $(NAME),,libraries) all tools $(NPM)
	@tests/run.sh $(BUILD) system

sandboxed: ## the system tests with every worker in its sandbox
	@PUSHERD_SANDBOX=on $(MAKE) system

timing: $(BUILD)/timing ## can a signature be guessed by the clock?
	@$(BUILD)/timing

torture: ## make each call fail once (an hour; NAME="ROLE:CALL[:N] ...")
	@tests/deps.sh build check
	@$(MAKE) $(JOBS) all tools $(NPM)
	@PUSHERD_BIN=$(BUILD)/pusherd node tests/torture/run.js $(NAME)

asan: ## the same tests with address and undefined behaviour sanitizers
	@TEST_SLOW=5 $(MAKE) check BUILD=build-asan \
	    OPT="-O1 -fno-omit-frame-pointer" \
	    SAN="-fsanitize=address,undefined -fno-sanitize-recover=all"

MEMCHECK := valgrind -q --trace-children=yes --vgdb=no \
	--error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
	--errors-for-leak-kinds=definite --num-callers=24

valgrind: ## memcheck: unit tests, and the daemon in those of the promises
	@tests/deps.sh build check valgrind
	@$(MAKE) $(JOBS) BUILD=build-valgrind OPT=-O1 all unit-bins tools $(NPM)
	@TEST_SLOW=10 TEST_WORKERS=1 TEST_WRAP="$(MEMCHECK)" \
	    tests/run.sh build-valgrind unit $(or $(KIND),promises)

ws-echo: ## build/ws_echo PORT: the WebSocket code as an echo server
	@tests/deps.sh build
	@$(MAKE) $(JOBS) $(BUILD)/ws_echo

conformance: ## RFC 6455 by Autobahn, HTTP against nginx and HAProxy
	@tests/deps.sh build check conformance
	@$(MAKE) $(JOBS) all $(BUILD)/ws_echo $(NPM)
	@LANES=1 tests/run.sh $(BUILD) conformance

SOCKUDO = build-sockudo/bin/sockudo
build-sockudo/bin/sockudo: # ten minutes on two cores
	@tests/deps.sh sockudo
	@command -v cargo >/dev/null || { echo \
	    "Sockudo needs Rust 1.95 or newer (rustup.rs)"; exit 1; }
	cargo install sockudo --version 5.2.0 --locked --no-default-features \
	    --features local --root build-sockudo

walks: ## from soketi and Sockudo to pusherd, with both (SOCKUDO=program)
	@tests/deps.sh build check
	@$(MAKE) $(JOBS) all $(NPM) $(SOCKUDO)
	@PUSHERD_BIN=$(BUILD)/pusherd SOCKUDO=$(SOCKUDO) \
	    node --test tests/walks/

laravel: ## laravel.md with Laravel 10 and 13 of Debian trixie and sid (root)
	@tests/deps.sh build check laravel debtest
	@$(MAKE) $(JOBS) all $(NPM)
	@PUSHERD_BIN=$(BUILD)/pusherd tests/laravel.sh trixie sid

prometheus: ## the metrics, rules and the board with a real Prometheus
	@tests/deps.sh build check prometheus
	@$(MAKE) $(JOBS) all $(NPM)
	@PUSHERD_BIN=$(BUILD)/pusherd node tests/prometheus/run.js

FUZZMAKE = $(MAKE) BUILD=build-fuzz CC=clang OPT=-O1 \
	SAN="-fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all" WARN=-w

fuzz: ## hostile bytes with libFuzzer: SECONDS=60 for each of TARGETS
	@tests/deps.sh build fuzz
	@$(FUZZMAKE) $(JOBS) fuzz-bins
	@tests/fuzz/fuzz.sh build-fuzz $(or $(SECONDS),60) $(TARGETS)

cover: ## line coverage of all tests, into build-cover/index.html
	@tests/deps.sh cover
	@$(MAKE) check BUILD=build-cover OPT=-O0 SAN=--coverage
	@gcovr -r . --object-directory build-cover -e tests/ \
	    --html-details build-cover/index.html --print-summary
	@tests/fuzz/cover.sh build-cover

cover-parsers: ## lines of what reads foreign bytes, by unit tests and corpora
	@tests/deps.sh build check cover
	@$(MAKE) $(JOBS) unit-bins corpus-bins BUILD=build-cover OPT=-O0 \
	    SAN=--coverage
	@tests/run.sh build-cover unit fuzz
	@tests/fuzz/cover.sh build-cover

lint: ## format, clang-tidy, cppcheck, includes, banned functions, ...
	@tests/deps.sh build lint
	@tests/lint/lint.sh

include etc/install.mk

format: ## clang-format all of our C
	@tests/deps.sh lint
	@tests/files.sh '*.c' '*.h' | xargs clang-format -i

$(BUILD)/floor $(BUILD)/relay $(BUILD)/groups: $(BUILD)/%: tests/bench/%.c tests/bench/two_cores.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CSTD) -O2 -o $@ $<

$(BUILD)/routing: $(BUILD)/obj/tests/bench/routing.o $(BUILD)/tests.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/sequencer: tests/bench/sequencer.c
	@tests/deps.sh cluster
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CSTD) -O2 -o $@ $< -lhiredis

# This build is packaged and measured.  Its build id is that of the
# source: the linker's depends on the directory of the build, too.
SOURCEID = $(shell find shared broker worker cli -type f | LC_ALL=C sort | \
    xargs cat | sha1sum | cut -c 1-40)
RELEASE = BUILD=build-release OPT="-O3 -flto=auto" \
    BUILDID=-Wl,--build-id=0x$(SOURCEID)

release: ## build with -O3 -flto into build-release/
	@tests/deps.sh build
	@$(MAKE) $(JOBS) $(RELEASE) all

bench: release ## the numbers, beside the floor and peers (QUICK=1: 2 min)
	@tests/deps.sh build check
	@$(MAKE) $(JOBS) $(RELEASE) $(addprefix build-release/,floor relay groups)
	@node tests/bench/bench.js build-release
	@[ -n "$(QUICK)" ] || node tests/bench/tls.js build-release
	@[ -n "$(QUICK)" ] || node tests/bench/compression.js build-release
	@[ -n "$(QUICK)" ] || node tests/bench/cluster.js build-release

clean: ## remove all that was built
	rm -rf build build-release build-asan build-cover build-fuzz \
	    build-valgrind build-rpm

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1 \2/p' Makefile \
	    etc/install.mk | while read -r t d; do printf '%-13s %s\n' \
	    "$$t" "$$d"; done

.SECONDARY: $(FUZZOBJ)
.PHONY: all cross objects unit-bins corpus-bins fuzz-bins tools timing \
	torture valgrind deps run check faults unit system sandboxed asan fuzz release bench \
	console-shots libraries ws-echo conformance laravel prometheus walks cover cover-parsers lint format clean \
	help
-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
