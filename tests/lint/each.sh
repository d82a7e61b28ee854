#!/bin/bash
# SPDX-License-Identifier: MIT
#
# each.sh TOOL FILE: clang-tidy or gcc's analyser on one file, unless it found
# nothing the last time in the same text, headers and settings included.  The
# results are in build/lint/.
set -u

tool=$1
file=$2
flags="-std=c11 -D_GNU_SOURCE -I."
known=build/lint/$tool/$file
# A path with a blank in it there is none.
# shellcheck disable=SC2086
text=$({ gcc $flags -E -C "$file" && cat .clang-tidy tests/lint/analyze.txt; } |
	sha256sum)
[ "$(cat "$known" 2>/dev/null)" = "$text" ] && exit 0

case $tool in
# It says on stderr how many warnings it did not show.
tidy) found=$(clang-tidy --quiet "$file" -- $flags 2>/dev/null) ||
	found=${found:-clang-tidy failed on $file} ;;
# gcc does not know that list_remove() takes an item out of its list for good,
# so that no turn of a loop that frees the first one sees the one that was
# freed: analyze.txt says what is not counted.
analyze) found=$(gcc $flags -O1 -fanalyzer -c -o /dev/null "$file" 2>&1 |
	grep 'warning: ' | grep -vf tests/lint/analyze.txt) ;;
esac
if [ -n "$found" ]; then
	echo "$found"
	exit 1
fi
mkdir -p "$(dirname "$known")"
echo "$text" >"$known"
