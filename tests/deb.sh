#!/bin/bash
# SPDX-License-Identifier: MIT
#
# deb.sh [SUITE [ARCH]]: the package in two clean Debians of their own.  One
# builds it, twice and with the same bytes, and an older version; in the other
# it is installed, used, upgraded while it runs, removed, installed again and
# purged.  SUITE is this machine's or, for example, trixie.  For another ARCH
# the package is cross-built, and qemu runs the programs and the unit tests.
# Needs root, debootstrap and a mirror; the roots are under /tmp and are
# removed.  DEB_ROOT: a root of SUITE made by debootstrap before, which is
# copied instead of making one.
set -eu

# Only these processes see the mounts, which end with the last of them.
[ -n "${DEB_MOUNTS:-}" ] || DEB_MOUNTS=own exec unshare --mount "$0" "$@"

cd "$(dirname "$0")/.."
suite=${1:-$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)}
here=$(dpkg --print-architecture)
arch=${2:-$here}
work=$(mktemp -d /tmp/pusherd-deb-XXXXXX)
chmod 755 "$work"
mount --bind "$work" "$work"
out=$work/out
builder=$work/builder
root=$work/root
daemon=
in_roots() { # the processes
	for p in /proc/[0-9]*; do
		case $(readlink "$p/root") in
		"$work"/*) echo "${p#/proc/}" ;;
		esac
	done
}
clean() {
	while pids=$(in_roots) && [ -n "$pids" ]; do
		# shellcheck disable=SC2086
		kill -KILL $pids 2>/dev/null || true
	done
	umount -l -R "$work"
	rm -rf --one-file-system "$work"
}
trap clean EXIT
. tests/tap.sh
logs() { cat "$root/log"; }

# in_root ROOT COMMAND...: what this machine compiles with stays outside.
in_root() {
	LC_ALL=C DEBIAN_FRONTEND=noninteractive env -u CC -u CXX -u CI \
		-u MAKEFLAGS -u MFLAGS -u MAKELEVEL chroot "$@"
}
get() { in_root "$1" apt-get -qq -y --no-install-recommends "${@:2}" </dev/null; }
# prepare ROOT: for the libraries of ARCH, and to run its programs.
prepare() {
	mount -t proc proc "$1/proc"
	in_root "$1" dpkg --add-architecture "$arch"
	get "$1" update
	[ -z "$emulator" ] || get "$1" install qemu-user-static
}
emulator=
[ "$arch" = "$here" ] ||
	emulator=qemu-$(dpkg-architecture -a"$arch" -qDEB_HOST_GNU_CPU)-static

if [ -n "${DEB_ROOT:-}" ]; then
	cp -a "$DEB_ROOT" "$root"
else
	want "a clean Debian, $suite" debootstrap --variant=minbase \
		"$suite" "$root"
fi
cp -a "$root" "$builder"
want 'a root to build in' prepare "$builder"
want 'a root to install in' prepare "$root"

# The files of a clone, and nothing that was built beside them.
built=build-release
compile() { # DIRECTORY TARGET...
	in_root "$builder" dpkg-architecture -a"$arch" \
		-c make -s -C "$@" -j"$(nproc)"
}
mkdir -p "$builder/src"
tests/files.sh | xargs -d '\n' cp --parents -t "$builder/src"
cp -a "$builder/src" "$builder/another-name"
want 'make, dpkg-dev, lintian' get "$builder" install make dpkg-dev lintian
want 'build' compile /src deb
deb=$(cd "$builder" && ls src/$built/pusherd_*_"$arch".deb)
want 'lintian has no complaint' in_root "$builder" lintian --allow-root \
	--fail-on error,warning "/$deb"
want 'built again elsewhere' compile /another-name deb
want 'it is the same, byte by byte' cmp "$builder/$deb" \
	"$builder/another-name/${deb#src/}"
version=$(dpkg-deb -f "$builder/$deb" Version)
(cd "$builder/another-name" &&
	sed -i "s/$version/0.0.9/" Makefile shared/base/base.h etc/debian/changelog)
want 'an older version' compile /another-name deb
old=$builder/another-name/$built/pusherd_0.0.9_$arch.deb
if [ -n "$emulator" ]; then
	want 'cmocka' get "$builder" install "libcmocka-dev:$arch"
	want 'the unit tests' compile /src unit-bins
	# qemu emulates no seccomp filters, and what a process says of itself
	# in /proc is that of qemu.
	rm "$builder"/src/build/unit/{worker/sandbox,shared/proc/proc}_test
	want "the unit tests pass on $arch" in_root "$builder" \
		env TEST_WRAP="$emulator" TEST_SLOW=5 /src/tests/run.sh build unit
fi
cp "$builder/$deb" "$root/pusherd.deb"

inside() { in_root "$root" "$@"; }
apt() { get "$root" "$@"; }
ctl() { inside $emulator /usr/sbin/pusherctl "$@"; }
mode() { inside stat -c '%a %U %G' "$1"; }

want 'install' apt install /pusherd.deb
want 'the user' inside id pusherd
[ "$(mode /var/lib/pusherd)" = '700 pusherd pusherd' ] ||
	fail "/var/lib/pusherd: $(mode /var/lib/pusherd)"
ok 'the directory is of the user alone'
[ "$(mode /etc/pusherd/pusherd.conf)" = '644 root root' ] || fail 'conf mode'
ok 'the configuration'
want 'pusherd --version' inside $emulator /usr/sbin/pusherd --version
want 'pusherd -t' inside $emulator /usr/sbin/pusherd -t
want 'root makes an app' ctl app create --name shop
[ "$(mode /var/lib/pusherd/apps.db)" = '600 pusherd pusherd' ] ||
	fail "apps.db: $(mode /var/lib/pusherd/apps.db)"
ok 'the database is of the user'

# Started by root it becomes the user; port 0 is a free one.
serve() {
	rm -f "$root/log" "$root/events"
	chroot "$root" $emulator /usr/sbin/pusherd -F -o listen=127.0.0.1:0 \
		-o metrics_listen= >"$root/log" 2>&1 &
	daemon=$!
	till 'pusherd starts' grep -q 'ready: listening' "$root/log"
	ctl subscribe shop room >"$root/events" 2>&1 &
	till 'a subscriber' grep -qs . "$root/events"
}
hears() { # EVENT
	want 'pusherctl publish' ctl publish shop room "$1" '{}'
	till 'its event' grep -q "$1" "$root/events"
}
leave() {
	kill -TERM "$daemon"
	wait "$daemon" || fail "exit code $?"
	daemon=
	wait || true # for the subscriber
	ok 'pusherd stops'
}

serve
[ "$(ps -o user= -p "$daemon")" != root ] || fail 'it is still root'
ok 'it has become the user'
want 'pusherctl status' ctl status
hears hello
leave

echo 'drain_time 7' >>"$root/etc/pusherd/pusherd.conf"
want 'upgrade' apt install --reinstall /pusherd.deb
grep -q '^drain_time 7' "$root/etc/pusherd/pusherd.conf" || fail 'conf lost'
ok 'the configuration survives an upgrade'

# The older package: one that does not know the database's layout, and one that
# does.
older() {
	rm -rf "$root/older"
	dpkg-deb -R "$old" "$root/older"
	sed -i "s/ layout=.*/ layout=$1/" "$root/older/DEBIAN/prerm"
	dpkg-deb --root-owner-group -b "$root/older" "$root/older.deb" >/dev/null
}
older 1
if apt install --allow-downgrades /older.deb >"$out" 2>&1; then
	fail 'a downgrade that cannot read the database is let through'
fi
grep -q "cannot read /var/lib/pusherd/apps.db: its layout is [0-9]*, and this version knows up to 1" \
	"$out" || { cat "$out"; fail 'the refusal has a reason'; }
ok 'a downgrade that cannot read the database is refused, with the reason'
want 'the newer one still works' ctl app show shop
older 999
want 'a downgrade that can read it' apt install --allow-downgrades /older.deb
rm -rf "$root/older" "$root/older.deb"

# Up again, on a machine that looks as if systemd ran: this systemctl says yes
# to everything.  Not under qemu, which executes no program that another one
# executes.
if [ -n "$emulator" ]; then
	want 'and up again' apt install /pusherd.deb
else
	mkdir -p "$root/run/systemd/system"
	printf '#!/bin/sh\necho "$*" >>/asked\n' \
		>"$root/usr/local/sbin/systemctl"
	chmod 755 "$root/usr/local/sbin/systemctl"
	serve
	hears earlier
	want 'and up again while it runs' inside dpkg -i /pusherd.deb
	grep -q "upgrade: done .* from version 0.0.9 to $version" \
		"$root/log" || { logs; fail 'there was no upgrade'; }
	grep -q 'is-active pusherd.service' "$root/asked" || fail 'not asked'
	! grep -E '\<(re)?start|stop' "$root/asked" || fail 'it was restarted'
	[ "/proc/$daemon/exe" -ef "$root/usr/sbin/pusherd" ] ||
		fail "$(readlink "/proc/$daemon/exe") runs"
	ok 'the same process runs the new program'
	hears later
	grep -q earlier "$root/events" || fail 'it is another subscriber'
	ok 'its client has stayed'
	leave
	rm -r "$root/usr/local/sbin/systemctl" "$root/run/systemd"
fi

want 'remove' apt remove pusherd
[ ! -e "$root/usr/sbin/pusherd" ] || fail 'the program is still there'
[ -e "$root/var/lib/pusherd/apps.db" ] || fail 'the database is gone'
[ -e "$root/etc/pusherd/pusherd.conf" ] || fail 'the configuration is gone'
ok 'removal keeps database and configuration'
want 'install again' apt install /pusherd.deb
want 'the app is still there' ctl app show shop

want 'purge' apt purge pusherd
[ ! -e "$root/var/lib/pusherd" ] || fail '/var/lib/pusherd is there'
[ ! -e "$root/etc/pusherd" ] || fail '/etc/pusherd is there'
! inside id pusherd >/dev/null 2>&1 || fail 'the user is there'
left=$(inside find / -xdev -name '*pusherd*' -not -path '/pusherd.deb' \
	-not -path '/proc/*' -not -path '/var/lib/dpkg/*')
[ -z "$left" ] || fail "left behind: $left"
ok 'purge leaves nothing'
echo "$n passed, 0 failed"
