#!/bin/bash
# SPDX-License-Identifier: MIT
#
# laravel.sh SUITE...: laravel.test.js with the Laravel and the PHP of other
# Debians, trixie or sid, each in a root of its own.  Needs root, debootstrap
# and a mirror; the roots are under /tmp and are removed.
set -eu

# Only these processes see the mounts, which end with the last of them.
[ -n "${LARAVEL_MOUNTS:-}" ] || LARAVEL_MOUNTS=own exec unshare --mount "$0" "$@"

cd "$(dirname "$0")/.."
work=$(mktemp -d /tmp/pusherd-laravel-XXXXXX)
mount --bind "$work" "$work"
clean() {
	umount -l -R "$work"
	rm -rf --one-file-system "$work"
}
trap clean EXIT
mkdir "$work/tmp" "$work/bin"

for suite in "$@"; do
	root=$work/$suite
	debootstrap --variant=minbase \
		--include=php-laravel-framework,php-cli,php-curl,php-sqlite3 \
		"$suite" "$root" >"$work/log" 2>&1 || {
		tail -n 20 "$work/log"
		exit 1
	}
	# PHP finds there what the test writes.
	mkdir -p "$root$work/tmp"
	mount --bind "$work/tmp" "$root$work/tmp"
	cat >"$work/bin/php" <<-EOF
		#!/bin/sh
		exec unshare --root="$root" --wd="\$PWD" php "\$@"
	EOF
	chmod +x "$work/bin/php"
	echo "$suite: $(chroot "$root" dpkg-query -W php-laravel-framework)"
	TMPDIR=$work/tmp PATH=$work/bin:$PATH \
		node --test tests/system/laravel.test.js
done
