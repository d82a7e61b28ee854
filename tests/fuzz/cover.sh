#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cover.sh BUILD: prints the lines that tests have reached of every file that
# reads what others write.  The exit code is not 0 when one of them is below
# 95 %.
set -u

cd "$(dirname "$0")/../.." || exit 2
files=(shared/http.c shared/http_chunks.c shared/http_field.c
	shared/ws_frame.c shared/json_parse.c shared/json_slice.c
	shared/json_write.c shared/str.c shared/channel_name.c
	shared/ipc_msg.c shared/frames.c shared/conf.c shared/conf_read.c
	shared/listen_spec.c shared/proxy_head.c shared/forwarded.c
	shared/ip.c shared/sign.c shared/webhook.c shared/webhook_addr.c
	shared/cord.c worker/api_params.c worker/api_auth.c worker/auth.c
	worker/identity.c worker/origin.c worker/guess.c cli/asked.c)
filters=()
for f in "${files[@]}"; do
	filters+=(-f "${f//./\\.}\$")
done
gcovr -r . --object-directory "$1" "${filters[@]}" --csv |
	awk -F, -v want="${#files[@]}" '
		NR == 1 { next }
		{
			n++
			bad += $4 < 0.95
			printf "%-28s %5d %5.0f %%%s\n", $1, $2,
			    int($4 * 100), $4 < 0.95 ? "  below 95 %" : ""
		}
		END {
			if (n != want)
				print "of " want " files " n " were found"
			exit bad > 0 || n != want
		}'
