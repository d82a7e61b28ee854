#!/bin/bash
# SPDX-License-Identifier: MIT
#
# lint.sh: the part of the conventions that a machine can check.  Every check
# runs; the exit code is not 0 when one has found something.
set -u

cd "$(dirname "$0")/../.." || exit 2
bad=0
jobs=$(nproc)

mapfile -t sources < <(tests/files.sh \
	'shared/*.c' 'broker/*.c' 'worker/*.c' 'cli/*.c')
mapfile -t headers < <(tests/files.sh \
	'shared/*.h' 'broker/*.h' 'worker/*.h' 'cli/*.h')
mapfile -t tests < <(tests/files.sh \
	'tests/unit/*.[ch]' 'tests/fuzz/*.[ch]' 'tests/conformance/*.[ch]' \
	'tests/torture/*.[ch]')
mapfile -t scripts < <(tests/files.sh \
	'tests/*.sh' 'tests/*.js' 'tests/lint/*' .ci/run)
ours=("${sources[@]}" "${headers[@]}")

check() {
	local name=$1
	shift
	if "$@"; then
		echo "ok   $name"
	else
		echo "FAIL $name"
		bad=1
	fi
}

format() {
	printf '%s\n' "${ours[@]}" "${tests[@]}" |
		xargs -r clang-format --dry-run -Werror
}

# each TOOL: on every source, several at a time.
each() {
	printf '%s\n' "${sources[@]}" |
		xargs -r -P "$jobs" -n 1 tests/lint/each.sh "$1"
}

cppcheck_all() {
	mkdir -p build/lint/cppcheck
	cppcheck --quiet --cppcheck-build-dir=build/lint/cppcheck --std=c11 --enable=warning,portability,performance \
		--inline-suppr --error-exitcode=1 -j "$jobs" -I. -D_GNU_SOURCE \
		--suppressions-list=tests/lint/cppcheck.txt "${sources[@]}"
}

spdx() {
	local f r=0
	for f in "${ours[@]}" "${tests[@]}" "${scripts[@]}" \
		shared/*/*.def Makefile; do
		case $f in *.json | *.txt) continue ;; esac
		if ! head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MIT'; then
			echo "$f: no SPDX line at its head"
			r=1
		fi
	done
	return $r
}

lengths() {
	awk 'FNR == 501 { print FILENAME ": more than 500 lines"; r = 1 }
		END { exit r }' "${ours[@]}" "${tests[@]}" "${scripts[@]}"
}

# Every .c begins with a comment that says what it is for.
heads() {
	local f r=0
	for f in "${sources[@]}"; do
		if ! sed -n 2p "$f" | grep -q '^/\*$'; then
			echo "$f: line 2 does not begin a comment on the file"
			r=1
		fi
	done
	return $r
}

# Words that have one home or none.  Comments and strings do not count.
code() {
	gcc -fpreprocessed -dD -E -P -x c "$1" 2>/dev/null |
		sed 's/"\([^"\\]\|\\.\)*"/""/g'
}

banned_in() {
	local f=$1 words=$2
	code "$f" | grep -nwE "($words) *\(" | sed "s|^|$f: banned: |"
}

banned() {
	local f all
	all=$(for f in "${sources[@]}"; do
		banned_in "$f" 'strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|alloca|rand|strncpy|strncat|system|popen'
		[ "$f" = shared/base/xmalloc.c ] ||
			banned_in "$f" 'malloc|calloc|realloc|strdup|strndup'
		case $f in cli/*) ;; *) banned_in "$f" 'printf|puts|putchar' ;; esac
		[ "$f" = shared/proc/proc.c ] || banned_in "$f" signal
	done)
	[ -z "$all" ] || { echo "$all" && false; }
}

# A struct is never hidden behind a typedef.
typedefs() {
	! grep -nE '^typedef (struct|union|enum)' "${ours[@]}"
}

check 'SPDX line' spdx
check 'file lengths' lengths
check 'file comments' heads
check 'no typedef of structs' typedefs
check 'banned functions' banned
check 'rooms and circles' tests/lint/rooms.sh
check 'promises' tests/lint/promises.sh
check 'commit subjects' tests/lint/commits.sh
check 'format' format
check 'cppcheck' cppcheck_all
check 'clang-tidy' each tidy
check 'gcc -fanalyzer' each analyze
exit $bad
