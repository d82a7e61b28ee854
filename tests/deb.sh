#!/bin/bash
# SPDX-License-Identifier: MIT
#
# deb.sh DEB: the package in a clean Debian of its own: install, use,
# upgrade, remove, install again, purge.  Needs root, debootstrap and a mirror;
# the root is under /tmp and is removed.  DEB_ROOT: a root made by
# debootstrap before, which is copied instead of making one.
set -eu

deb=$(realpath "$1")
out=$(mktemp)
root=$(mktemp -d /tmp/pusherd-deb-XXXXXX)
chmod 755 "$root" # it is the / of users without rights
daemon=
clean() {
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
	umount "$root/proc" 2>/dev/null || true
	rm -rf --one-file-system "$root" "$out" "$root-again"
}
trap clean EXIT
. "$(dirname "$0")/tap.sh"
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

want 'lintian has no complaint' lintian --allow-root \
	--fail-on error,warning "$deb"
again=$root-again/under/another/name
mkdir -p "$again"
tar -C "$(dirname "$0")/.." --exclude=./build* --exclude=./.git \
	--exclude=node_modules -cf - . | tar -C "$again" -xf -
want 'built again elsewhere' make -C "$again" deb
want 'it is the same, byte by byte' cmp "$deb" \
	"$again/build-release/$(basename "$deb")"
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

# An older package, made of this one: one that knows the database's layout,
# and one that does not.
older() {
	rm -rf "$root/older"
	dpkg-deb -R "$deb" "$root/older"
	sed -i 's/^Version: .*/Version: 0.0.9/' "$root/older/DEBIAN/control"
	sed -i "s/^version=[^ ]* layout=\(.*\)/version=0.0.9 layout=$1/" \
		"$root/older/DEBIAN/prerm"
	dpkg-deb --root-owner-group -b "$root/older" "$root/older.deb" >/dev/null
}
older 1
if apt install --allow-downgrades /older.deb >"$out" 2>&1; then
	fail 'a downgrade that cannot read the database is let through'
fi
grep -q "cannot read /var/lib/pusherd/apps.db: its layout is [0-9]*, and this version knows up to 1" \
	"$out" || { cat "$out"; fail 'the refusal has a reason'; }
ok 'a downgrade that cannot read the database is refused, with the reason'
want 'the newer one still works' inside pusherctl app show shop
older 999
want 'a downgrade that can read it' apt install --allow-downgrades /older.deb
want 'and up again' apt install /pusherd.deb
rm -rf "$root/older" "$root/older.deb"

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
