#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh build|check|lint|cover|fuzz|conformance|browser|prometheus|... ...:
# installs the packages that these parts need and that are missing.  The names
# are Debian's and Ubuntu's; Fedora, Alpine and Arch have a table of theirs.
# Asks the package manager only when something is missing, and uses sudo only
# when it is not root.
set -eu

packages() {
	case $1 in
	build) echo gcc libc6-dev make libev-dev libssl-dev libcjson-dev \
		libsqlite3-dev libcurl4-openssl-dev libhiredis-dev \
		libseccomp-dev zlib1g-dev \
		libjs-chart.js ;;
	unit) echo libcmocka-dev ;;
	# Any Node.js that is there will do, if it is 18 or newer.
	node) node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' \
		2>/dev/null && command -v npm >/dev/null || echo nodejs npm ;;
	check)
		packages unit
		packages node
		echo zsh fish procps sqlite3 util-linux bsdutils \
			groff-base openssl redis-server redis-sentinel iproute2
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
	rpm) echo rpm ;;
	debtest) echo debootstrap procps ;;
	container) echo podman podman-compose runc debootstrap git \
		ca-certificates ;;
	valgrind) echo valgrind ;;
	browser) echo chromium ;;
	proxy) echo nginx-light libnginx-mod-stream haproxy caddy apache2 openssl ;;
	laravel) echo php-laravel-framework php-cli php-curl php-sqlite3 ;;
	sockudo) echo protobuf-compiler libprotobuf-dev ;;
	rails) echo ruby-railties ruby-rack ruby-webrick ;;
	fuzz) echo clang llvm libclang-rt-dev ;;
	conformance) echo nginx-light haproxy ;;
	prometheus) echo prometheus ;;
	cluster) echo redis-server redis-sentinel ;;
	*)
		echo "deps.sh: what is \"$1\"?" >&2
		exit 2
		;;
	esac
}

# The names elsewhere: Debian, Fedora, Alpine, Arch.  "=": comes with another
# package; "-": not packaged there.
names='
gcc gcc gcc gcc
libc6-dev glibc-devel musl-dev,linux-headers =
make make make make
libev-dev libev-devel libev-dev libev
libssl-dev openssl-devel openssl-dev openssl
libcjson-dev cjson-devel cjson-dev cjson
libsqlite3-dev sqlite-devel sqlite-dev sqlite
libcurl4-openssl-dev libcurl-devel curl-dev curl
libseccomp-dev libseccomp-devel libseccomp-dev libseccomp
zlib1g-dev zlib-devel zlib-dev zlib
libjs-chart.js - - -
libcmocka-dev libcmocka-devel cmocka-dev cmocka
zsh zsh zsh zsh
fish fish fish fish
procps procps-ng procps procps-ng
sqlite3 sqlite sqlite sqlite
util-linux util-linux util-linux util-linux
bsdutils util-linux util-linux util-linux
groff-base groff-base groff groff
openssl openssl openssl openssl
nodejs nodejs nodejs nodejs
npm nodejs-npm npm npm
python3 python3 python3 python
python3-venv = = =
golang-go golang go go
ca-certificates ca-certificates ca-certificates ca-certificates
maven maven maven maven
default-jdk-headless java-21-openjdk-devel openjdk21-jdk jdk-openjdk
clang-format clang-tools-extra clang-extra-tools clang
clang-tidy clang-tools-extra clang-extra-tools clang
cppcheck cppcheck cppcheck cppcheck
git git git git
redis-server redis redis redis
redis-sentinel = = =
iproute2 iproute iproute2 iproute2
libhiredis-dev hiredis-devel hiredis-dev hiredis
'

has() { command -v "$1" >/dev/null; }

# The package manager, its column of the table, and how it installs.
if has apt-get; then
	manager=apt-get column=1
	install='apt-get install -y --no-install-recommends'
elif has dnf; then
	manager=dnf column=2 install='dnf -q -y install'
elif has apk; then
	manager=apk column=3 install='apk -q add'
elif has pacman; then
	manager=pacman column=4 install='pacman -Sq --noconfirm --needed'
else
	manager='' column=1 install=''
fi

is_installed() {
	case $manager in
	dnf) rpm -q --whatprovides "$1" ;;
	apk) apk info -e "$1" ;;
	pacman) pacman -Qq "$1" ;;
	*) [ "$(dpkg-query -W -f '${Status}' "$1")" = \
		"install ok installed" ] ;;
	esac >/dev/null 2>&1
}

# For another architecture (dpkg-architecture -aARCH -c ...) Debian's compiler
# and libraries have other names.
debian_name() {
	if [ "${DEB_HOST_ARCH:-}" = "${DEB_BUILD_ARCH:-}" ]; then
		echo "$1"
		return
	fi
	case $1 in
	gcc) echo "gcc-$(echo "$DEB_HOST_GNU_TYPE" | tr _ -)" ;;
	*-dev) echo "$1:$DEB_HOST_ARCH" ;;
	*) echo "$1" ;;
	esac
}

# The names here of a Debian package; "-NAME" when this system has none.
here() {
	if [ "$column" = 1 ]; then
		debian_name "$1"
		return
	fi
	name=$(echo "$names" | awk -v p="$1" -v c="$column" '$1 == p {
		print $c }')
	case $name in
	= ) ;;
	'' | -) echo "-$1" ;;
	*) echo "$name" | tr , ' ' ;;
	esac
}

missing='' unknown=''
for part in "$@"; do
	list=$(packages "$part")
	for debian in $list; do
		for p in $(here "$debian"); do
			case $p in
			-libjs-chart.js) [ -e "${CHARTJS:-}" ] ||
				unknown="$unknown ${p#-}" ;;
			-*) unknown="$unknown ${p#-}" ;;
			*) is_installed "$p" || missing="$missing $p" ;;
			esac
		done
	done
done
if [ -n "$unknown" ]; then
	echo "deps.sh: not packaged for $manager, and needed:$unknown" >&2
	case $unknown in
	*libjs-chart.js*)
		echo "  Chart.js 3: download its dist/chart.min.js, then" \
			"make CHARTJS=/path/to/chart.min.js" >&2 ;;
	esac
fi
if [ -n "$missing" ] && [ -z "$manager" ]; then
	echo "deps.sh: no package manager that is known here; install the" \
		"equivalents of:$missing" >&2
	exit 1
fi
as_root=
if [ -n "$missing" ] && [ "$(id -u)" -ne 0 ]; then
	as_root=sudo
	if ! has sudo; then
		echo "deps.sh: packages are missing; as an administrator run:" >&2
		echo "  $install$missing" >&2
		exit 1
	fi
fi
if [ -n "$missing" ]; then
	echo "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	# Two that install at once take turns.
	if has flock; then
		exec 9<"$0"
		flock 9
	fi
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# shellcheck disable=SC2086
	if ! { { [ "$manager" != apt-get ] || $as_root apt-get -qq update; } &&
		$as_root $install $missing; } </dev/null >"$log" 2>&1; then
		cat "$log" >&2
		echo "deps.sh: $manager failed" >&2
		exit 1
	fi
fi
[ -z "$unknown" ]
