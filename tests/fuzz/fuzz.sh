#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fuzz.sh BUILD SECONDS [TARGET ...]: runs the fuzz targets (all of them, if
# none is named) for so long each, from the corpora of the tree.  New inputs
# stay in BUILD/corpus/TARGET; one that crashes a target in BUILD/found.  The
# exit code is not 0 when something was found.
set -u

build=$1
seconds=$2
shift 2
cd "$(dirname "$0")/../.." || exit 2
if [ $# -eq 0 ]; then
	for f in tests/fuzz/*_fuzz.c; do
		set -- "$@" "$(basename "$f" _fuzz.c)"
	done
fi
bad=0
mkdir -p "$build/found"
export ASAN_OPTIONS=detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1
for target in "$@"; do
	mkdir -p "$build/corpus/$target"
	if "$build/fuzz/${target}_fuzz" -max_total_time="$seconds" \
		-timeout=10 -max_len=4096 -print_final_stats=1 \
		-artifact_prefix="$build/found/$target-" \
		"$build/corpus/$target" "tests/fuzz/corpus/$target" \
		>"$build/$target.log" 2>&1 </dev/null; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' \
			"$build/$target.log")
		echo "ok   $target: $seconds s, $runs runs"
	else
		tail -n 40 "$build/$target.log"
		echo "FAIL $target: see $build/found"
		bad=1
	fi
done
exit $bad
