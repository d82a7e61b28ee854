#!/bin/bash
# SPDX-License-Identifier: MIT
#
# rooms.sh [--list]: the arrows of the house.  A module is NAME.c, NAME.h and
# NAME.def together; every include of ours is an edge between two modules and
# between the rooms (folders) they are in.  rooms.txt names each room and the
# rooms that it may use; circles.txt names the modules, and with a slash the
# rooms, that are still part of a circle.  Refuses an include that is not
# written from the root, an edge that rooms.txt does not allow, a module or
# room that is in a circle and not listed, and one that is listed and in none.
set -u

cd "$(dirname "$0")/../.." || exit 2

# "file included" for each #include "..." in our files.
edges() {
	git ls-files -co --exclude-standard -- 'shared/*.[ch]' 'shared/*.def' \
		'broker/*.[ch]' 'worker/*.[ch]' 'cli/*.[ch]' |
		xargs grep -HoE '^#include "[^"]+"' |
		sed -E 's/:#include "([^"]+)"/ \1/'
}

if [ "${1:-}" = --list ]; then
	edges | awk -f tests/lint/rooms.awk -v list=1
	exit
fi
edges | awk -f tests/lint/rooms.awk
