#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh BUILD unit|fuzz|system|faults|torture|conformance ...: runs the unit
# tests in BUILD/unit, the fuzz targets in BUILD/fuzz over their corpora (each counts
# as one test), and the others against BUILD/pusherd and BUILD/ws_echo.  The
# last line counts all of them, and the exit code is not 0 when one has failed.
# Each program, and each file of node tests, has its time; TEST_SLOW times as
# much where everything is that much slower.
set -u
slow=${TEST_SLOW:-1}

build=$1
shift
cd "$(dirname "$0")/.." || exit 2
passed=0
failed=0
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# One cmocka program; one that ends without its closing lines has crashed.
unit_program() {
	local ok bad
	timeout $((300 * slow)) "$1" >"$out/unit" 2>&1 </dev/null
	local code=$?
	ok=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$out/unit" |
		tail -n 1)
	bad=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$out/unit" |
		head -n 1)
	passed=$((passed + ${ok:-0}))
	if [ "$code" -eq 0 ] && [ -n "$ok" ]; then
		echo "ok ${1#"$build"/}: ${ok} passed"
		return
	fi
	if [ "${bad:-0}" -eq 0 ]; then
		bad=1
		echo "$1 ended with code $code" >>"$out/unit"
	fi
	failed=$((failed + bad))
	cat "$out/unit"
}

unit() {
	local program
	find "$build/unit" -name '*_test' | sort >"$out/programs"
	while read -r program; do
		unit_program "$program"
	done <"$out/programs"
}

fuzz() {
	local program name
	for program in "$build"/fuzz/*_corpus; do
		name=$(basename "$program" _corpus)
		if timeout $((300 * slow)) "$program" "tests/fuzz/corpus/$name" \
			>"$out/fuzz" 2>&1 </dev/null; then
			echo "ok fuzz/$name: $(tail -n 1 "$out/fuzz")"
			passed=$((passed + 1))
		else
			tail -n 50 "$out/fuzz"
			echo "$program failed"
			failed=$((failed + 1))
		fi
	done
}

# The short form of faults (what kills and starves, in about a minute) and of
# torture (what makes calls fail, always the same ones).
short() {
	local ok bad
	PUSHERD_BIN=$build/pusherd timeout $((1200 * slow)) \
		node "tests/$1/run.js" --short 2>&1 </dev/null | tee "$out/short"
	ok=$(sed -n "s/^# $1 \([0-9]*\) passed.*/\1/p" "$out/short")
	bad=$(sed -n "s/^# $1 .*, \([0-9]*\) failed\$/\1/p" "$out/short")
	passed=$((passed + ${ok:-0}))
	failed=$((failed + ${bad:-1}))
}

number() { sed -n "s/^# $1 \([0-9]*\)$/\1/p" "$out/tap" | tail -n 1; }

# One file of tests; one that does not end (a test that failed may have left
# something open) is ended, and counts as one more that failed.
node_file() {
	local ok bad cancelled skipped code began=$SECONDS
	: >"$out/tap"
	PUSHERD_BIN=$build/pusherd timeout $((900 * slow)) node --test \
		--test-reporter=spec --test-reporter-destination="$out/spec" \
		--test-reporter=tap --test-reporter-destination="$out/tap" \
		"$1" </dev/null >"$out/said" 2>&1
	code=$?
	ok=$(number pass)
	bad=$(number fail)
	cancelled=$(number cancelled)
	skipped=$(number skipped)
	bad=$((${bad:-0} + ${cancelled:-0}))
	# Only a sanitizer or valgrind (TEST_SLOW) and a user without root's
	# rights leave tests out; the gate has neither.
	if [ -n "${CI:-}" ] && [ "$slow" -eq 1 ] && [ "${skipped:-0}" -gt 0 ]; then
		echo "not ok ${1#tests/}: $skipped skipped themselves" \
			>>"$out/said"
		bad=$((bad + skipped))
	fi
	if [ "$code" -eq 0 ] && [ "$bad" -eq 0 ] &&
		[ $((${ok:-0} + ${skipped:-0})) -gt 0 ]; then
		echo "ok ${1#tests/}: $ok passed, $skipped skipped" \
			"($((SECONDS - began)) s)"
	else
		cat "$out/said" "$out/spec"
		[ "$code" -ne 124 ] || echo "not ok ${1#tests/}: it did not end"
		[ "$bad" -gt 0 ] || bad=1
		echo "not ok ${1#tests/}: $bad failed (node: $code)"
	fi
	passed=$((passed + ${ok:-0}))
	failed=$((failed + bad))
}

# One after another: they share two cores.
node_tests() {
	local file
	for file in "tests/$1"/*.test.js; do
		node_file "$file"
	done
}

for kind in "$@"; do
	case $kind in
	unit) unit ;;
	fuzz) fuzz ;;
	faults | torture) short "$kind" ;;
	system | conformance) node_tests "$kind" ;;
	*)
		echo "run.sh: what is \"$kind\"?" >&2
		exit 2
		;;
	esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
