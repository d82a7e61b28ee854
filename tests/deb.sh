#!/bin/bash
# SPDX-License-Identifier: MIT
#
# deb.sh DEB: the package in a clean Debian of its own: install, use,
# upgrade, remove, install again, purge.  Needs root, debootstrap and a mirror;
# the root is under /tmp and is removed.  DEB_ROOT: a root made by
# debootstrap before, which is copied instead of making one.
set -eu

deb=$(realpath "$1")
root=$(mktemp -d /tmp/pusherd-deb-XXXXXX)
chmod 755 "$root" # it is the / of users without rights
daemon=
clean() {
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
	umount "$root/proc" 2>/dev/null || true
	rm -rf --one-file-system "$root"
}
trap clean EXIT
n=0
ok() {
	n=$((n + 1))
	echo "ok $n - $1"
}
fail() {
	echo "not ok - $1"
	exit 1
}
# want WHAT COMMAND...: it has to succeed.
want() {
	local what=$1
	shift
	if "$@" >"$root.out" 2>&1; then
		ok "$what"
		rm -f "$root.out"
	else
		tail -n 20 "$root.out"
		rm -f "$root.out"
		fail "$what"
	fi
}
inside() { LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
apt() { inside apt-get -qq -y --no-install-recommends "$@" </dev/null; }
mode() { inside stat -c '%a %U %G' "$1"; }

if [ -n "${DEB_ROOT:-}" ]; then
	cp -a "$DEB_ROOT/." "$root"
else
	want 'a clean Debian' debootstrap --variant=minbase \
		"$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" "$root"
fi
want 'proc' mount -t proc proc "$root/proc"
cp "$deb" "$root/pusherd.deb"

want 'install' apt install /pusherd.deb
want 'the user' inside id pusherd
[ "$(mode /var/lib/pusherd)" = '700 pusherd pusherd' ] ||
	fail "/var/lib/pusherd: $(mode /var/lib/pusherd)"
ok 'the directory is of the user alone'
[ "$(mode /etc/pusherd/pusherd.conf)" = '644 root root' ] || fail 'conf mode'
ok 'the configuration'
want 'pusherd -t' inside pusherd -t
want 'root makes an app' inside pusherctl app create --name shop
[ "$(mode /var/lib/pusherd/apps.db)" = '600 pusherd pusherd' ] ||
	fail "apps.db: $(mode /var/lib/pusherd/apps.db)"
ok 'the database is of the user'

# Started by root it becomes the user; port 0 is a free one.
listen='listen=127.0.0.1:0'
chroot "$root" pusherd -F -o "$listen" -o metrics_listen= >"$root/log" 2>&1 &
daemon=$!
for _ in $(seq 100); do
	grep -q 'ready: listening' "$root/log" && break
	sleep 0.1
done
grep -q 'ready: listening' "$root/log" || {
	cat "$root/log"
	fail 'pusherd starts'
}
ok 'pusherd starts'
[ "$(ps -o user= -p "$daemon")" != root ] || fail 'it is still root'
ok 'it has become the user'
want 'pusherctl status' inside pusherctl status
want 'pusherctl publish' inside pusherctl publish shop room hello '{}'
kill -TERM "$daemon"
wait "$daemon" || fail "exit code $?"
daemon=
ok 'pusherd stops'

echo 'drain_time 7' >>"$root/etc/pusherd/pusherd.conf"
want 'upgrade' apt install --reinstall /pusherd.deb
grep -q '^drain_time 7' "$root/etc/pusherd/pusherd.conf" || fail 'conf lost'
ok 'the configuration survives an upgrade'

want 'remove' apt remove pusherd
[ ! -e "$root/usr/sbin/pusherd" ] || fail 'the program is still there'
[ -e "$root/var/lib/pusherd/apps.db" ] || fail 'the database is gone'
[ -e "$root/etc/pusherd/pusherd.conf" ] || fail 'the configuration is gone'
ok 'removal keeps database and configuration'
want 'install again' apt install /pusherd.deb
inside pusherctl app show shop >/dev/null || fail 'the app is gone'
ok 'the app is still there'

want 'purge' apt purge pusherd
[ ! -e "$root/var/lib/pusherd" ] || fail '/var/lib/pusherd is there'
[ ! -e "$root/etc/pusherd" ] || fail '/etc/pusherd is there'
! inside id pusherd >/dev/null 2>&1 || fail 'the user is there'
left=$(inside find / -xdev -name '*pusherd*' -not -path '/pusherd.deb' \
	-not -path '/proc/*' -not -path '/var/lib/dpkg/*')
[ -z "$left" ] || fail "left behind: $left"
ok 'purge leaves nothing'
echo "$n passed, 0 failed"
