#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build.sh BUILD VERSION CHARTJS: makes an RPM below BUILD-rpm from the tarball
# in BUILD, takes it apart again and runs what is in it.  Where the system has
# no database of RPM packages (Debian), rpmbuild cannot look for BuildRequires.
set -eu

build=$(realpath "$1") version=$2 chartjs=$3
top=$build-rpm
here=$(dirname "$0")
rm -rf "$top"
mkdir -p "$top/SOURCES"
cp "$build/pusherd-$version.tar.gz" "$top/SOURCES/"
cp -L "$chartjs" "$top/SOURCES/chart.min.js"
sed "s/@VERSION@/$version/" "$here/pusherd.spec" >"$top/pusherd.spec"
nodeps=
rpm -q rpm >/dev/null 2>&1 || nodeps=--nodeps
if ! rpmbuild -bb $nodeps --define "_topdir $top" "$top/pusherd.spec" \
    >"$top/log" 2>&1; then
	cat "$top/log" >&2
	exit 1
fi
rpm=$(ls "$top"/RPMS/*/pusherd-"$version"-1.*.rpm)

# It is whole, and its programs start.
mkdir "$top/root"
(cd "$top/root" && rpm2archive - <"$rpm" | tar -xzf -)
pusherd=$top/root/usr/sbin/pusherd
"$pusherd" --version | grep -qx "pusherd $version" || {
	echo "build.sh: $pusherd is not version $version" >&2
	exit 1
}
"$pusherd" -t -c "$top/root/etc/pusherd/pusherd.conf" -o user="$(id -un)" >&2
rpm -qp --requires "$rpm" | grep -q '^libev\.so' || {
	echo "build.sh: $rpm does not require libev" >&2
	exit 1
}
echo "$rpm"
