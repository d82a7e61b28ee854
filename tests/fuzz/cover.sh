#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cover.sh BUILD: prints the lines that tests have reached of every file that
# reads what others write.  The exit code is not 0 when one of them is below
# 95 %.
set -u

cd "$(dirname "$0")/../.." || exit 2
files=(shared/net/http.c shared/net/http_chunks.c shared/net/http_field.c
	shared/net/ws_frame.c shared/json/json_parse.c shared/json/json_slice.c
	shared/json/json_write.c shared/base/str.c shared/pusher/channel_name.c
	shared/ipc/ipc_msg.c shared/pusher/frames.c shared/conf/conf.c shared/conf/conf_read.c
	shared/net/listen_spec.c shared/net/proxy_head.c shared/net/forwarded.c
	shared/net/ip.c shared/net/deflate.c
	shared/crypto/sign.c shared/pusher/webhook.c shared/pusher/webhook_addr.c
	shared/ipc/fdpass.c shared/ipc/memring.c shared/ipc/carrier.c
	shared/pusher/api_params.c shared/pusher/api_auth.c shared/pusher/channel_auth.c
	worker/client/identity.c worker/client/origin.c worker/app/auth_failures.c cli/master/request.c)
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
