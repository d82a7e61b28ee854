# SPDX-License-Identifier: MIT
# pusherd: `make help` lists the targets.

VERSION := 0.1.0
BUILD   := build
SAN     :=

CC      ?= gcc
CSTD    := -std=c11 -D_GNU_SOURCE -I.
OPT     ?= -O2
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	-Wcast-qual -Wcast-align=strict -Wwrite-strings -Wformat=2 -Wundef \
	-Wvla -Wconversion -Wno-sign-conversion -Wimplicit-fallthrough \
	-Wnull-dereference -Wduplicated-cond -Wlogical-op
HARDEN  := -fno-common -fno-strict-aliasing -D_FORTIFY_SOURCE=3 \
	-fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
LDHARD  := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
WERROR  := $(if $(CI),-Werror)
CFLAGS  := $(CSTD) -g $(OPT) $(WARN) $(HARDEN) $(WERROR) $(SAN) -MMD -MP
LDFLAGS := $(LDHARD) $(SAN)
LIBS    := -lev -lssl -lcrypto -lcjson -lsqlite3 -lm

SHARED  := $(wildcard shared/*.c)
BROKER  := $(wildcard broker/*.c broker/courier/*.c)
WORKER  := $(wildcard worker/*.c)
DAEMON  := cli/pusherd.c cli/master.c cli/child.c cli/listen.c cli/notify.c \
	cli/rundir.c
CTL     := $(filter-out $(DAEMON),$(wildcard cli/*.c))
UNIT    := $(wildcard tests/unit/*/*_test.c)

obj      = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
# What unit tests link: everything but the two files with a main().
TESTOBJ := $(call obj,$(SHARED) $(BROKER) $(WORKER) \
	$(filter-out cli/pusherd.c cli/pusherctl.c,$(DAEMON) $(CTL)))
UNITBIN := $(patsubst tests/%.c,$(BUILD)/%,$(UNIT))

all: $(BUILD)/pusherd $(BUILD)/pusherctl

$(BUILD)/pusherd: $(call obj,$(DAEMON) $(SHARED) $(BROKER) $(WORKER))
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/pusherctl: $(call obj,$(CTL) $(SHARED))
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(TESTOBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(TESTOBJ) $(LIBS) -lcmocka

unit-bins: $(UNITBIN)

clean:
	rm -rf $(BUILD) build-asan

.PHONY: all unit-bins clean
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
