#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh BUILD unit|fuzz|system|promises|faults|torture|conformance ...: runs
# the unit tests in BUILD/unit, the fuzz targets in BUILD/fuzz over their corpora
# (each counts as one test), and the others against BUILD/pusherd and
# BUILD/ws_echo.  `promises` are the files of system/ in the table of README.md.
# NAME (unit: broker/channel/presence, system: channel) chooses one test.
# The last line counts all of them, and the exit code is not 0 when one has
# failed.  Most of the tests wait more than they compute, so three run at a
# time (LANES), except those in tests/alone.txt.  Each program, each file of
# node tests and each recipe has its time; TEST_SLOW times as much where
# everything is that much slower.  TEST_WRAP is a program, with its options, that runs the
# unit tests and the daemon (make valgrind); valgrind.txt names what it cannot
# run.
#
# A file of tests or a recipe that fails runs once more with nothing beside it.
# When it passes then, the last lines name it: it depends on how busy the
# machine is, which is a defect of the test or of the product.
set -u
slow=${TEST_SLOW:-1}
lanes=${LANES:-3}

build=$1
shift
cd "$(dirname "$0")/.." || exit 2
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
trap 'kill $(cat "$out"/*/pid) 2>/dev/null; wait; exit 130' INT TERM

# Every function below runs as a job, with a directory of its own in $dir.  It
# prints what a person should see, and says its two numbers to count().
count() { echo "$1 $2" >"$dir/count"; }

# limited SECONDS COMMAND...: at most so long, times TEST_SLOW.
limited() {
	local seconds=$(($1 * slow))
	shift
	timeout "$seconds" "$@" </dev/null &
	echo $! >"$dir/pid"
	wait $!
	local code=$?
	rm -f "$dir/pid"
	return $code
}

# One cmocka program; one that ends without its closing lines has crashed.
unit() {
	local ok bad code
	# shellcheck disable=SC2086
	limited 300 ${TEST_WRAP:-} "$1" >"$dir/said" 2>&1
	code=$?
	ok=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$dir/said" |
		tail -n 1)
	bad=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$dir/said" |
		head -n 1)
	if [ "$code" -eq 0 ] && [ -n "$ok" ]; then
		echo "ok ${1#"$build"/}: ${ok} passed"
		count "$ok" 0
		return
	fi
	cat "$dir/said"
	[ "${bad:-0}" -gt 0 ] || echo "$1 ended with code $code"
	count "${ok:-0}" "$((${bad:-0} > 0 ? bad : 1))"
}

fuzz() {
	local name
	name=$(basename "$1" _corpus)
	if limited 300 "$1" "tests/fuzz/corpus/$name" >"$dir/said" 2>&1; then
		echo "ok fuzz/$name: $(tail -n 1 "$dir/said")"
		count 1 0
	else
		tail -n 50 "$dir/said"
		echo "$1 failed"
		count 0 1
	fi
}

# short KIND NAME...: the short form of a recipe of faults (what kills and
# starves), or of torture (what makes calls fail, always the same ones).
short() {
	local ok bad kind=$1
	shift
	PUSHERD_BIN=$build/pusherd limited 1200 \
		node "tests/$kind/run.js" --short "$@" >"$dir/said" 2>&1
	ok=$(sed -n "s/^# $kind \([0-9]*\) passed.*/\1/p" "$dir/said")
	bad=$(sed -n "s/^# $kind .*, \([0-9]*\) failed\$/\1/p" "$dir/said")
	if [ "${bad:-1}" -eq 0 ]; then
		sed -n "s,^ok faults/,&,p; s/^# torture/ok torture:/p" "$dir/said"
	else
		cat "$dir/said"
	fi
	count "${ok:-0}" "${bad:-1}"
}
faults() { short faults "$1"; }
torture() { short torture; }

number() { sed -n "s/^# $1 \([0-9]*\)$/\1/p" "$dir/tap" | tail -n 1; }

# One file of tests; one that does not end (a test that failed may have left
# something open) is ended, and counts as one more that failed.
node_file() {
	local ok bad cancelled skipped code began=$SECONDS
	: >"$dir/tap"
	PUSHERD_BIN=$build/pusherd limited 900 node --test \
		--test-reporter=spec --test-reporter-destination="$dir/spec" \
		--test-reporter=tap --test-reporter-destination="$dir/tap" \
		"$1" >"$dir/said" 2>&1
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
			>>"$dir/said"
		bad=$((bad + skipped))
	fi
	if [ "$code" -eq 0 ] && [ "$bad" -eq 0 ] &&
		[ $((${ok:-0} + ${skipped:-0})) -gt 0 ]; then
		echo "ok ${1#tests/}: $ok passed, $skipped skipped" \
			"($((SECONDS - began)) s)"
	else
		cat "$dir/said" "$dir/spec"
		[ "$code" -ne 124 ] || echo "not ok ${1#tests/}: it did not end"
		[ "$bad" -gt 0 ] || bad=1
		echo "not ok ${1#tests/}: $bad failed (node: $code)"
	fi
	count "${ok:-0}" "$bad"
}
system() { node_file "$1"; }
conformance() { node_file "$1"; }

# Those of a kind that NAME asks for: all, or one.
chosen() {
	case ${NAME:+$1} in
	unit) grep -Fx "$build/unit/${NAME}_test" ;;
	system) grep -Fx "tests/system/$NAME.test.js" ;;
	*) cat ;;
	esac || {
		echo "tests/$1 has no test \"$NAME\"" >&2
		return 2
	}
}

# All jobs of a kind: lines "KIND NAME".
list() {
	case $1 in
	unit) find "$build/unit" -name '*_test' | sort ;;
	fuzz) printf '%s\n' "$build"/fuzz/*_corpus ;;
	system | conformance) printf '%s\n' "tests/$1"/*.test.js ;;
	promises) grep -o 'system/[a-z_0-9]*\.test\.js' tests/README.md |
		sed 's,^,tests/,' | sort -u ;;
	faults) printf '%s\n' tests/faults/*.js | sed 's,.*/,,; s,\.js$,,' |
		grep -vx run ;;
	torture) echo all ;;
	*)
		echo "run.sh: what is \"$1\"?" >&2
		return 2
		;;
	esac | chosen "$1" | sed "s/^/${1/promises/system} /"
}

jobs=0
# run_jobs LANES FILE: runs the jobs in FILE, at most so many at a time.  The
# output of a job is printed when it has ended.
run_jobs() {
	local kind name busy=0 dir
	while read -r kind name; do
		if [ "$busy" -eq "$1" ]; then
			wait -n
			busy=$((busy - 1))
		fi
		jobs=$((jobs + 1))
		dir=$out/$jobs
		mkdir "$dir"
		echo "$kind $name" >"$dir/job"
		(
			trap - EXIT INT TERM
			"$kind" "$name" >"$dir/shown"
			flock "$out" cat "$dir/shown"
		) &
		busy=$((busy + 1))
	done <"$2"
	wait
}

# has_failed DIR: a job that left no count has not ended as it should.
has_failed() {
	local bad=1
	[ ! -e "$1/count" ] || read -r _ bad <"$1/count"
	[ "$bad" -gt 0 ]
}

# The files and recipes that failed, once more and one by one.  When many did,
# it was not the load: they stay as they are.
second_run() {
	local kind name dir dirs=()
	for dir in "$out"/*/; do
		dir=${dir%/}
		read -r kind name <"$dir/job"
		case $kind in system | faults) ;; *) continue ;; esac
		! has_failed "$dir" || dirs+=("$dir")
	done
	[ "${#dirs[@]}" -le 5 ] || return
	for dir in "${dirs[@]}"; do
		read -r kind name <"$dir/job"
		echo "once more, with nothing beside it: $kind $name"
		rm -f "$dir/count"
		"$kind" "$name"
		has_failed "$dir" || echo "$kind $name" >>"$out/unsteady"
	done
}

set -o pipefail
for kind in "$@"; do
	list "$kind" || exit 2
done >"$out/all"
sed 's/ *#.*//; /^$/d' tests/alone.txt >"$out/alone"
if [ -n "${TEST_WRAP:-}" ]; then
	sed '/^#/d; s/^/left out, it cannot run under valgrind: /' \
		tests/valgrind.txt
	sed '/^#/d; s/ *#.*//' tests/valgrind.txt >"$out/cannot"
	grep -vFf "$out/cannot" "$out/all" >"$out/can"
	mv "$out/can" "$out/all"
fi
grep -Fxf "$out/alone" "$out/all" >"$out/one"
grep -Fvxf "$out/alone" "$out/all" >"$out/many"
run_jobs 1 "$out/one"
run_jobs "$lanes" "$out/many"
second_run

if [ -e "$out/unsteady" ]; then
	echo "passed only with nothing beside it, which is a defect:"
	sed 's/^/  /' "$out/unsteady"
fi
read -r passed failed < <(cat "$out"/*/count 2>/dev/null | awk -v jobs="$jobs" \
	'{ p += $1; f += $2 } END { print p + 0, f + jobs - NR }')
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
