#!/bin/bash
# SPDX-License-Identifier: MIT
#
# commits.sh: the subject of the last commit is "area: what changes" and has
# at most 72 columns.  Only the last one: older ones cannot be changed.
set -u

cd "$(dirname "$0")/../.." || exit 2
git rev-parse --git-dir >/dev/null 2>&1 || exit 0
git log -1 --no-merges --format=%s | awk '
	length($0) > 72 { print "over 72 columns: " $0; bad = 1 }
	!/^[a-z.][a-z0-9_.\/, -]*: ./ { print "no \"area: \": " $0; bad = 1 }
	END { exit bad }'
