#!/bin/bash
# SPDX-License-Identifier: MIT
#
# files.sh PATTERN...: the files of the source that match, in which * stands
# for a / too; all without a PATTERN.  A clone's git knows them; in an unpacked
# tarball they are all files but those that make and npm have made.
set -eu

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- '*'
if [ -e .git ]; then
	git ls-files -co --exclude-standard -- "$@"
	exit
fi
find . \( -path './build*' -o -path ./run -o -name node_modules -o \
	-name __pycache__ \) -prune -o -type f -printf '%P\n' | LC_ALL=C sort |
	while IFS= read -r file; do
		for pattern in "$@"; do
			# shellcheck disable=SC2254
			case $file in $pattern) echo "$file" && break ;; esac
		done
	done
