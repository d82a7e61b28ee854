#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench.sh BUILD: measures pusherd beside the bare floor, in one run: the
# server on the first core, the load generator on the second.  Each figure is
# the median of RUNS runs (5; QUICK=1: 3 shorter ones).  Prints a table.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=$1
runs=5
seconds=5
if [ -n "${QUICK:-}" ]; then
	runs=3
	seconds=2
fi
dir=$(mktemp -d)
chmod 700 "$dir"
opts=(-o "database=$dir/apps.db" -o "runtime_dir=$dir/run"
	-o metrics_listen=)
unset "${!PUSHERD_@}"
trap 'stop; rm -rf "$dir"' EXIT
pid=

cores=$(nproc)
on_server=(taskset -c 0)
on_tool=(taskset -c 1)
if [ "$cores" -lt 2 ]; then
	echo "one core only: server and tool share it, figures mean little"
	on_server=()
	on_tool=()
fi

stop() {
	[ -z "$pid" ] && return
	kill "$pid" 2>/dev/null
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
	pid=
}

start() {
	stop
	"${on_server[@]}" "$build/pusherd" "${opts[@]}" -F -o "workers=$1" \
		-o listen=127.0.0.1:0 >"$dir/log" 2>&1 &
	for _ in $(seq 100); do
		grep -q 'ready:' "$dir/log" && break
		sleep 0.05
	done
	pid=$(cat "$dir/run/pusherd.pid") || exit 1
	port=$(sed -n 's/.*://p' "$dir/run/listen" | head -n 1)
}

median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

field() { sed -n "s/.*\"$1\":\"\\{0,1\\}\\([0-9.]*\\).*/\\1/p"; }

# bench NAME FIELD... -- ARGS: the medians of these fields.
bench() {
	local name=$1 fields=() f line r
	shift
	while [ "$1" != -- ]; do
		fields+=("$1")
		shift
	done
	shift
	: >"$dir/out"
	for r in $(seq "$runs"); do
		[ -t 2 ] && printf '\r%-40s %d/%d ' "$name" "$r" "$runs" >&2
		"${on_tool[@]}" "$build/pusherctl" "${opts[@]}" -j bench "$@" \
			--port "$port" --pid "$pid" --seconds "$seconds" \
			>>"$dir/out" 2>"$dir/err" || cat "$dir/err" >&2
	done
	line=
	for f in "${fields[@]}"; do
		line+=$(printf ' %s=%s' "$f" "$(field "$f" <"$dir/out" | median)")
	done
	[ -t 2 ] && printf '\r%60s\r' '' >&2
	printf '%-34s%s\n' "$name" "$line"
}

floor() {
	: >"$dir/floor"
	for _ in $(seq "$runs"); do
		"${on_server[@]}" "$build/floor" 1000 "$seconds" \
			>>"$dir/floor"
	done
	local way
	for way in "send" "send 16 together"; do
		printf '%-34s per_second=%s cpu_us_each=%s\n' "floor: $way" \
			"$(grep "\"$way\"" "$dir/floor" | field per_second |
				median)" \
			"$(grep "\"$way\"" "$dir/floor" | field cpu_us_each |
				median)"
	done
}

"$build/pusherctl" "${opts[@]}" app create --name demo --set \
	max_presence_members=1000 >/dev/null 2>&1 || exit 1
echo "# $(date -u +%F), $cores cores, $(sed -n 's/^model name.*: //p' \
	/proc/cpuinfo | head -n 1), $runs runs of $seconds s, medians"
floor
start 1
bench "fan-out 1 x 1000, one at a time" delivered_per_second \
	server_cpu_us_each p50_us p99_us lost -- fanout
bench "fan-out 1 x 1000, 8 in flight" delivered_per_second \
	server_cpu_us_each p50_us p99_us lost -- fanout --in-flight 8
bench "fan-out 100 x 100, 4 in flight" delivered_per_second \
	server_cpu_us_each p50_us p99_us lost -- fanout --clients 10000 \
	--channels 100 --in-flight 4
bench "publish, 8 connections" published_per_second server_cpu_us_each \
	p50_us p99_us refused -- publish --publishers 8 --in-flight 8
bench "publish, batches of 10" published_per_second server_cpu_us_each \
	p50_us p99_us refused -- publish --publishers 8 --in-flight 8 --batch 10
bench "connect and subscribe 5000" connects_per_second -- connect \
	--clients 5000
start 1
bench "10000 idle, subscribed" server_bytes_per_client -- idle \
	--clients 10000 --channels 100
