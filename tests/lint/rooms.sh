#!/bin/bash
# SPDX-License-Identifier: MIT
#
# rooms.sh: which room may use which.  A module is NAME.c, NAME.h and NAME.def
# together; every include of ours is an edge between two modules and between
# the rooms (folders) they are in.  rooms.txt names each room and the rooms
# that it may use.  Refuses an include that is not written from the root, an
# edge that rooms.txt does not allow, and any circle of rooms or modules.
set -u

cd "$(dirname "$0")/../.." || exit 2

# "file included" for each #include "..." in our files.
edges() {
	tests/files.sh 'shared/*.[ch]' 'shared/*.def' \
		'broker/*.[ch]' 'worker/*.[ch]' 'cli/*.[ch]' |
		xargs grep -HoE '^#include "[^"]+"' |
		sed -E 's/:#include "([^"]+)"/ \1/'
}

edges | awk -f tests/lint/rooms.awk
