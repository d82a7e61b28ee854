#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh build|check|lint|cover|fuzz|conformance|browser|prometheus|... ...:
# installs the Debian packages that these parts need and that are missing.  Asks
# apt-get only when something is missing, and uses sudo only when it is not root.
set -eu

packages() {
	case $1 in
	build) echo gcc libc6-dev make libev-dev libssl-dev libcjson-dev \
		libsqlite3-dev libcurl4-openssl-dev libseccomp-dev zlib1g-dev ;;
	check)
		echo libcmocka-dev procps sqlite3 util-linux bsdutils \
			groff-base openssl
		# Whatever Node.js is there will do, if it is 18 or newer.
		if ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' \
		    2>/dev/null || ! command -v npm >/dev/null; then
			echo nodejs npm
		fi
		# For the server libraries of these languages.
		python3 -c 'import ensurepip, venv' 2>/dev/null ||
			echo python3 python3-venv
		command -v go >/dev/null || echo golang-go ca-certificates
		command -v mvn >/dev/null || echo maven
		command -v javac >/dev/null || echo default-jdk-headless
		;;
	lint) echo clang-format clang-tidy cppcheck git ;;
	cross) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
	cover) echo gcovr ;;
	deb) echo dpkg-dev binutils ;;
	debtest) echo debootstrap procps ;;
	valgrind) echo valgrind ;;
	browser) echo chromium ;;
	proxy) echo nginx-light libnginx-mod-stream haproxy openssl ;;
	fuzz) echo clang llvm libclang-rt-dev ;;
	conformance) echo nginx-light haproxy ;;
	prometheus) echo prometheus ;;
	*)
		echo "deps.sh: what is \"$1\"?" >&2
		exit 2
		;;
	esac
}

missing=
for part in "$@"; do
	list=$(packages "$part")
	for p in $list; do
		status=$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || true)
		case $status in
		"install ok installed") ;;
		*) missing="$missing $p" ;;
		esac
	done
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "deps.sh: no apt-get here; install the equivalents of:$missing" >&2
	exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
	as_root=sudo
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$as_root apt-get -qq update </dev/null
# shellcheck disable=SC2086
$as_root apt-get -qq install -y --no-install-recommends $missing </dev/null
