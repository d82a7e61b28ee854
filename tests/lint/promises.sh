#!/bin/bash
# SPDX-License-Identifier: MIT
#
# promises.sh: the table of tests/README.md is true.  Each of its rows names
# an id and the files with the tests of that id: each file exists and has a
# test (or, in faults, a recipe) whose name begins with the id; each id that
# begins the name of a test is in the table.
set -u

cd "$(dirname "$0")/../.." || exit 2
page=tests/README.md
bad=0

complain() {
	echo "$page: $*"
	bad=1
}

# has ID FILE: 'M1: ...' in JavaScript, m1_... in C.
has() {
	case $2 in
	*.c) grep -qE "\b${1,,}_[a-z0-9_]+\(" "$2" ;;
	*) grep -qE "['\"\`( ]$1: " "$2" ;;
	esac
}

declare -A listed
while IFS='|' read -r _ id _ files _; do
	id=${id// /}
	listed[$id]=1
	for file in $(grep -oE '`[^`]+`' <<<"$files" | tr -d '`'); do
		if [ ! -f "tests/$file" ]; then
			complain "$id: there is no tests/$file"
		elif ! has "$id" "tests/$file"; then
			complain "$id: tests/$file has no test of that name"
		fi
	done
	[[ $files == *\`* ]] || complain "$id: no test"
done < <(grep -E '^\| [A-Z][0-9]+ \|' "$page")

for id in $(tests/files.sh 'tests/*.js' |
	xargs grep -hoE "(test|it)\(\s*['\"\`][MSLOCT][0-9]+: " |
	grep -oE '[MSLOCT][0-9]+' | sort -u); do
	[ -n "${listed[$id]:-}" ] || complain "$id: a test has it, no row does"
done
[ "${#listed[@]}" -gt 0 ] || complain "the table is gone"
exit $bad
