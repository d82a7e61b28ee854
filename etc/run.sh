#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh BUILD DIR: builds pusherd and runs it with its state in DIR: what
# `make run` does.  One line of progress, one screen when it is ready.  On the
# first start DIR/pusherd.conf and an app are made; later ones keep them.
set -eu

build=$1
dir=$2
conf=$dir/pusherd.conf
log=$dir/pusherd.log
ctl="$build/pusherctl -c $conf"

mkdir -p -m 700 "$dir"
if [ ! -w "$dir" ]; then
	echo "$dir belongs to $(stat -c %U "$dir"): start it as that user, or" \
		"first: sudo chown -R $(id -un) $build $dir" >&2
	exit 1
fi
if [ -e "$conf" ] && $ctl status >/dev/null 2>&1; then
	echo "pusherd runs already with $conf: see $ctl status" >&2
	exit 1
fi
tty=
[ ! -t 1 ] || tty=1
# Counts the lines "CC   file" against the files that there are.
progress() {
	all=$(find shared broker worker cli -name '*.c' | wc -l)
	awk -v all="$all" -v tty="$tty" '
	/^CC / { n++; if (tty) printf "\rbuilding: %d of %d files ", n, all }
	{ if (tty) fflush() }
	END { if (n && tty) printf "\rbuilding: done%20s\n", "" }'
}
[ -n "$tty" ] || echo "building; the log is $dir/build.log"
{ make "-j$(nproc)" BUILD="$build" all 2>&1 && touch "$dir/.built"; } |
	tee "$dir/build.log" | progress
if [ ! -e "$dir/.built" ]; then
	tail -n 20 "$dir/build.log" >&2
	echo "the build failed: $dir/build.log has all of it" >&2
	exit 1
fi
rm "$dir/.built"

[ -e "$conf" ] || cat >"$conf" <<EOF
# The server of "make run"; etc/pusherd.conf lists every option.
database $dir/apps.db
runtime_dir $dir
log $log
listen 0.0.0.0:6001
listen 127.0.0.1:6003 role=console
EOF
$ctl app create --name demo --if-none --set resume=on >/dev/null 2>&1 ||
	$ctl app create --name demo --if-none --set resume=on
id=$($ctl app list | head -n 1 | cut -f 1)

[ ! -e "$log" ] || mv "$log" "$log.old"
$build/pusherd -c "$conf" -F &
daemon=$!
# Ctrl-C reaches the daemon, too: this waits for it.
trap : INT
trap 'kill -TERM $daemon' TERM HUP
stopped() { ! kill -0 "$daemon" 2>/dev/null; }
until $ctl status >/dev/null 2>&1; do
	if stopped; then
		[ ! -e "$log" ] || tail -n 5 "$log" >&2
		echo "pusherd has not started: mend what it says, or edit $conf" >&2
		exit 1
	fi
	sleep 0.2
done

address=$(sed -n 's/^listen \([^ ]*\)$/\1/p' "$conf" | head -n 1 |
	sed 's/^0\.0\.0\.0:/127.0.0.1:/')
url=$($ctl console --ttl 3600 2>/dev/null | cut -f 2)
url=${url:-not served}
$ctl app show "$id" --reveal | awk -v address="$address" -v url="$url" \
	-v log_="$log" -v ctl="$ctl" -v id="$id" '
{ value[$1] = $2 }
END {
	print ""
	print "pusherd is ready."
	print ""
	print "  clients and API  http://" address
	print "  console          " url
	if (url ~ /#/)
		print "  (the URL opens once; later: " ctl " console)"
	print "  app              id " id
	print "                   key " value["key"]
	print "                   secret " value["secret"]
	print "  resume           wsPath: \047/app/resume/\047 + " \
		"crypto.randomUUID()"
	print "  log              " log_
	print ""
	print "Try this in another terminal, in this directory:"
	print ""
	print "  " ctl " subscribe " id " my-channel"
	print "  " ctl " publish " id " my-channel my-event " \
		"\047{\"hello\":\"world\"}\047"
	print "  " ctl " app snippets " id
	print ""
	print "The last one prints code for your clients and your server. " \
		"Ctrl-C stops pusherd."
}'
code=0
until stopped; do
	wait "$daemon" && code=0 || code=$?
done
exit "$code"
