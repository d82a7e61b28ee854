#!/bin/bash
# SPDX-License-Identifier: MIT
#
# includes.sh: who may include whom.  shared <- broker, shared <- worker, all
# three <- cli; broker and broker/courier do not include each other.  Every
# include of ours is written from the root, and headers form no cycle.
set -u

cd "$(dirname "$0")/../.." || exit 2

# "file included" for each #include "..." in our files.
edges() {
	grep -HoE '^#include "[^"]+"' shared/*.[ch] shared/*.def broker/*.[ch] \
		broker/courier/*.[ch] worker/*.[ch] cli/*.[ch] 2>/dev/null |
		sed -E 's/:#include "([^"]+)"/ \1/'
}

edges | awk '
	function part(f) {
		sub("/[^/]*$", "", f)
		return f
	}
	{
		from = part($1)
		to = part($2)
		if ($2 !~ /\//)
			why = "not written from the root"
		else if (from == to || from == "cli")
			next
		else if (to == "shared")
			next
		else
			why = from " may not include " to
		print $1 ": #include \"" $2 "\": " why
		bad = 1
	}
	END { exit bad }' || exit 1

# tsort complains about a cycle; lists (.def) are read inside a header.
if ! edges | awk '$1 ~ /\.h$/ && $2 ~ /\.h$/ && $1 != $2' |
	tsort 2>&1 >/dev/null | sed 's/^tsort: -: /cycle: /' | grep .; then
	exit 0
fi
exit 1
