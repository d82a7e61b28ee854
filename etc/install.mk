# SPDX-License-Identifier: MIT
# install, uninstall and deb: read by the Makefile.

PREFIX  ?= /usr/local
DESTDIR ?=
SBINDIR := $(PREFIX)/sbin
MANDIR  := $(PREFIX)/share/man
DOCDIR  := $(PREFIX)/share/doc/pusherd
COMPDIR := $(PREFIX)/share/bash-completion/completions
# Debian's own packages have another place than all others.
ZSHDIR  := $(PREFIX)/share/zsh/$(if \
    $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISHDIR := $(PREFIX)/share/fish/vendor_completions.d
# Both /usr/lib and /usr/local/lib are searched by systemd.
UNITDIR := $(PREFIX)/lib/systemd/system
CONFDIR := /etc/pusherd
INSTALL := install -D -m

DOCS := README.md LICENSE $(wildcard etc/doc/*) etc/grafana/pusherd.json \
    etc/prometheus/pusherd.rules.yml tests/bench/RESULTS.md tests/bench/results.svg
# Installed, all of them are in one directory.
LINKS := s,\([[(]\)\(\.\./\.\./\(tests/bench/\)*\|etc/doc/\),\1,g

pages: all ## write the manual pages and the completion in etc/ again
	$(BUILD)/pusherctl help --print pusherctl.8 >etc/man/pusherctl.8
	$(BUILD)/pusherctl help --print pusherd.conf.5 >etc/man/pusherd.conf.5
	$(BUILD)/pusherctl help --print pusherd.conf >etc/pusherd.conf
	$(BUILD)/pusherctl help --print metrics >etc/doc/metrics.md
	$(BUILD)/pusherctl help --print completion >etc/pusherd.bash
	$(BUILD)/pusherctl help --print zsh >etc/pusherctl.zsh
	$(BUILD)/pusherctl help --print fish >etc/pusherctl.fish

# A configuration that is there is never touched.  Installed, it names the
# user, so that root may start pusherd and make apps.
install: all ## install below DESTDIR and PREFIX (/usr/local)
	$(INSTALL) 755 $(BUILD)/pusherd "$(DESTDIR)$(SBINDIR)/pusherd"
	$(INSTALL) 755 $(BUILD)/pusherctl "$(DESTDIR)$(SBINDIR)/pusherctl"
	$(INSTALL) 644 etc/man/pusherd.8 "$(DESTDIR)$(MANDIR)/man8/pusherd.8"
	$(INSTALL) 644 etc/man/pusherctl.8 \
	    "$(DESTDIR)$(MANDIR)/man8/pusherctl.8"
	$(INSTALL) 644 etc/man/pusherd.conf.5 \
	    "$(DESTDIR)$(MANDIR)/man5/pusherd.conf.5"
	$(INSTALL) 644 etc/pusherd.bash "$(DESTDIR)$(COMPDIR)/pusherctl"
	ln -sf pusherctl "$(DESTDIR)$(COMPDIR)/pusherd"
	$(INSTALL) 644 etc/pusherctl.zsh "$(DESTDIR)$(ZSHDIR)/_pusherctl"
	$(INSTALL) 644 etc/pusherctl.fish "$(DESTDIR)$(FISHDIR)/pusherctl.fish"
	$(INSTALL) 644 etc/pusherd.sysusers \
	    "$(DESTDIR)$(PREFIX)/lib/sysusers.d/pusherd.conf"
	$(INSTALL) 644 etc/pusherd.tmpfiles \
	    "$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/pusherd.conf"
	$(INSTALL) 644 etc/pusherd.logrotate \
	    "$(DESTDIR)/etc/logrotate.d/pusherd"
	$(INSTALL) 644 etc/pusherd.socket \
	    "$(DESTDIR)$(DOCDIR)/pusherd.socket"
	mkdir -p "$(DESTDIR)$(UNITDIR)"
	sed 's|@SBINDIR@|$(SBINDIR)|' etc/pusherd.service \
	    >"$(DESTDIR)$(UNITDIR)/pusherd.service"
	chmod 644 "$(DESTDIR)$(UNITDIR)/pusherd.service"
	for f in $(DOCS); do \
	    $(INSTALL) 644 $$f "$(DESTDIR)$(DOCDIR)/$${f##*/}" || exit 1; done
	sed -i '$(LINKS)' "$(DESTDIR)$(DOCDIR)"/*.md
	mkdir -p -m 755 "$(DESTDIR)$(CONFDIR)"
	[ -e "$(DESTDIR)$(CONFDIR)/pusherd.conf" ] || { \
	    sed 's/^#user ""$$/user pusherd/' etc/pusherd.conf \
	    >"$(DESTDIR)$(CONFDIR)/pusherd.conf" && \
	    chmod 644 "$(DESTDIR)$(CONFDIR)/pusherd.conf"; }

uninstall: ## remove what install has put there, but no configuration, no data
	rm -f "$(DESTDIR)$(SBINDIR)/pusherd" "$(DESTDIR)$(SBINDIR)/pusherctl" \
	    "$(DESTDIR)$(MANDIR)/man8/pusherd.8" \
	    "$(DESTDIR)$(MANDIR)/man8/pusherctl.8" \
	    "$(DESTDIR)$(MANDIR)/man5/pusherd.conf.5" \
	    "$(DESTDIR)$(COMPDIR)/pusherctl" "$(DESTDIR)$(COMPDIR)/pusherd" \
	    "$(DESTDIR)$(ZSHDIR)/_pusherctl" \
	    "$(DESTDIR)$(FISHDIR)/pusherctl.fish" \
	    "$(DESTDIR)$(PREFIX)/lib/sysusers.d/pusherd.conf" \
	    "$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/pusherd.conf" \
	    "$(DESTDIR)$(UNITDIR)/pusherd.service" \
	    "$(DESTDIR)/etc/logrotate.d/pusherd"
	rm -rf "$(DESTDIR)$(DOCDIR)"

deb: release ## build-release/pusherd_VERSION_ARCH.deb
	@tests/deps.sh build deb
	@etc/debian/build.sh build-release $(VERSION)

debtest: ## the package in clean Debians (SUITE=trixie, ARCH=arm64; root)
	@tests/deps.sh deb debtest
	@tests/deb.sh "$(SUITE)" $(ARCH)

rpm: dist ## build-rpm/RPMS/ARCH/pusherd-VERSION-1.ARCH.rpm
	@tests/deps.sh build rpm
	@etc/rpm/build.sh $(BUILD) $(VERSION) $(CHARTJS)

containertest: ## the container image, built and run (root, podman, debootstrap)
	@tests/deps.sh check container
	@tests/container.sh

# git gives the same bytes for the same commit.
dist: ## build/pusherd-VERSION.tar.gz: the source of the last commit
	@mkdir -p $(BUILD)
	@git archive --prefix=pusherd-$(VERSION)/ \
	    -o $(BUILD)/pusherd-$(VERSION).tar.gz HEAD
	@echo $(BUILD)/pusherd-$(VERSION).tar.gz

.PHONY: dist pages install uninstall deb debtest rpm containertest
