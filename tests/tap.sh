#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tap.sh: the checks of deb.sh and container.sh, which source it.  They set
# $out, the file for the output of a command, and have a function logs, which
# prints what the server has said.  The first failure ends the run.
n=0
ok() {
	n=$((n + 1))
	echo "ok $n - $1"
}
fail() {
	echo "not ok - $1"
	exit 1
}
# want TEXT COMMAND...: the command must succeed.
want() {
	local text=$1
	shift
	"$@" >"$out" 2>&1 || {
		tail -n 20 "$out"
		fail "$text"
	}
	ok "$text"
}
# till TEXT COMMAND...: the command must succeed within 30 seconds.
till() {
	local text=$1 i
	shift
	for i in $(seq 150); do
		if "$@" >"$out" 2>&1; then
			ok "$text"
			return
		fi
		sleep 0.2
	done
	tail -n 20 "$out"
	logs || true
	fail "$text"
}
