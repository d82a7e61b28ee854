#!/bin/sh
# SPDX-License-Identifier: MIT
#
# libraries.sh: gets the official server libraries that libraries.test.js
# drives, and WebSocket clients: Python's into a virtual environment, Go's and
# Java's into programs, with pinned versions and hashes.  Does nothing when they
# are there already.
#
# Always ends with 0: what could not be had is a sentence in a file
# `missing`, and the test says it.
set -u
cd "$(dirname "$0")/system" || exit 2

# newer STAMP FILE...: is the stamp there, and newer than all the files?
newer() {
	stamp=$1
	shift
	[ -e "$stamp" ] || return 1
	for f in "$@"; do
		[ "$stamp" -nt "$f" ] || return 1
	done
}

# get NAME FUNCTION: runs it, and keeps what it says when it fails.
get() {
	echo "getting the $1 library"
	if "$2" >"$1/log" 2>&1; then
		rm -f "$1/missing" "$1/log"
	else
		tail -n 3 "$1/log" >"$1/missing"
		echo "the $1 library cannot be had:"
		cat "$1/missing"
	fi
}

python_library() {
	rm -rf python/venv
	python3 -m venv python/venv &&
		python/venv/bin/python -m pip install --require-hashes \
			--disable-pip-version-check --prefer-binary \
			-r python/requirements.txt &&
		touch python/venv/done
}

go_library() {
	(cd go && CGO_ENABLED=0 GOFLAGS=-mod=readonly \
		go build -buildvcs=false -o driver . &&
		CGO_ENABLED=0 GOFLAGS=-mod=readonly \
		go build -buildvcs=false -o wire/wire ./wire)
}

java_library() {
	(cd java && mvn -q -B dependency:copy-dependencies \
		-DoutputDirectory=jars && sha256sum -c --quiet jars.sha256 &&
		javac -cp 'jars/*' -d classes Wire.java PusherClient.java)
}

newer python/venv/done python/requirements.txt || get python python_library
newer go/wire/wire go/go.mod go/go.sum go/main.go go/wire/main.go ||
	get go go_library
newer java/classes/PusherClient.class java/Wire.java java/PusherClient.java \
	java/pom.xml java/jars.sha256 || get java java_library
exit 0
