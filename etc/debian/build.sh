#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build.sh BUILD VERSION: makes BUILD/pusherd_VERSION_ARCH.deb from what is
# built, with dpkg-deb alone.  The dependencies are read from the binaries.
# The same source gives the same bytes: the times are that of the changelog, or
# SOURCE_DATE_EPOCH.  For another architecture, where dpkg knows it and has its
# libraries: dpkg-architecture -aARCH -c make deb.
set -eu

build=$1
version=$2
cd "$(dirname "$0")/../.."
arch=${DEB_HOST_ARCH:-$(dpkg --print-architecture)}
tools=${DEB_HOST_GNU_TYPE:+$DEB_HOST_GNU_TYPE-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
umask 022

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(dpkg-parsechangelog \
	-l etc/debian/changelog -S Timestamp)}
export SOURCE_DATE_EPOCH
[ "$(dpkg-parsechangelog -l etc/debian/changelog -S Version)" = "$version" ] || {
	echo "build.sh: etc/debian/changelog does not begin with $version" >&2
	exit 1
}

make -s install BUILD="$build" DESTDIR="$root" PREFIX=/usr
doc=$root/usr/share/doc/pusherd
"${tools}strip" --strip-unneeded --remove-section=.comment "$root"/usr/sbin/*
find "$root/usr/share/man" -type f -exec gzip -9n {} +
{
	echo 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/'
	echo 'Upstream-Name: pusherd'
	echo
	echo 'Files: *'
	sed -n 's/^Copyright (c) /Copyright: /p' LICENSE
	echo 'License: MIT'
	sed -e '1,/^Copyright/d' -e '/./,$!d' -e 's/^$/./' -e 's/^/ /' LICENSE |
		sed '1{/^ \.$/d}'
} >"$doc/copyright"
rm "$doc/LICENSE"
gzip -9nc etc/debian/changelog >"$doc/changelog.gz"
install -D -m 644 etc/debian/lintian \
	"$root/usr/share/lintian/overrides/pusherd"

# dpkg-shlibdeps wants a source package around it.
mkdir "$work/debian"
printf 'Source: pusherd\n\nPackage: pusherd\nArchitecture: any\n' \
	>"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O root/usr/sbin/* 2>/dev/null |
	sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ]

mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<EOF
Package: pusherd
Version: $version
Architecture: $arch
Maintainer: pusherd <pusherd@pusherd.invalid>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Depends: $depends, adduser
Recommends: ca-certificates
Section: net
Priority: optional
Description: Pusher-Channels-compatible WebSocket server
 pusherd serves the Pusher Channels protocol and HTTP API, so that
 pusher-js, Laravel Echo and the Pusher server libraries work with a
 server of one's own. pusherctl is its admin command.
EOF
printf '%s\n' /etc/pusherd/pusherd.conf /etc/logrotate.d/pusherd \
	>"$root/DEBIAN/conffiles"
layout=$(sed -n 's/.*PRAGMA user_version = \([0-9]*\);.*/\1/p' \
	shared/app/appdb_open.c | tail -n 1)
for script in postinst prerm postrm; do
	sed "s/@VERSION@/$version/; s/@LAYOUT@/$layout/" \
		"etc/debian/$script" >"$root/DEBIAN/$script"
	chmod 755 "$root/DEBIAN/$script"
done
(cd "$root" && find usr -type f -exec md5sum {} +) >"$root/DEBIAN/md5sums"

deb=$build/pusherd_${version}_$arch.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$deb" >/dev/null
echo "$deb"
