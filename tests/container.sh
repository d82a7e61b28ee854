#!/bin/bash
# SPDX-License-Identifier: MIT
#
# container.sh: the image of etc/container/Dockerfile over a clean Debian:
# built, measured, run as several users with a read-only root.  Needs root,
# podman, podman-compose, debootstrap and a mirror; what it makes is under /tmp
# and is removed.
# CONTAINER_ROOT: a root made by debootstrap before, used instead of a new one.
set -eu

cd "$(dirname "$0")/.."
work=$(mktemp -d /tmp/pusherd-container-XXXXXX)
tree=$work/tree
out=$work/out
# Layers that no other container of this machine shares.
podman=$(command -v podman)
pod() {
	"$podman" --root "$work/images" --runroot "$work/run" \
		--storage-driver "${CONTAINER_DRIVER:-overlay}" \
		--cgroup-manager cgroupfs --events-backend file \
		--runtime runc "$@"
}
limits=(--ulimit nofile=8192:8192 --ulimit nproc=4096:4096)
clean() {
	pod rm -f -a -t 0 >/dev/null 2>&1 || true
	pod volume rm -f -a >/dev/null 2>&1 || true
	pod system reset -f >/dev/null 2>&1 || true
	rm -rf --one-file-system "$work"
}
trap clean EXIT
. tests/tap.sh
logs() {
	pod logs box
	cat "$work/events"
}
# A subscriber writes there; the words of the one before must not be read.
begin_events() { : >"$work/events"; }
size() { pod image inspect --format '{{.Size}}' "$1"; }
free_port() {
	node -e 'const s = require("net").createServer().listen(0, () => {
		console.log(s.address().port); s.close() })'
}
# start ARGUMENT...: a container with ports that are free.
start() {
	metrics=127.0.0.1:$(free_port)
	pod run -d --name box --network host --read-only --cap-drop all \
		"${limits[@]}" \
		-e "PUSHERD_LISTEN=127.0.0.1:0,127.0.0.1:$(free_port) role=console" \
		-e "PUSHERD_METRICS_LISTEN=$metrics" \
		-e SOKETI_DEFAULT_APP_ID=1 -e SOKETI_DEFAULT_APP_KEY=key \
		-e SOKETI_DEFAULT_APP_SECRET=secret "$@" >"$out" 2>&1 || {
		cat "$out"
		fail 'podman run'
	}
}
logged() { pod logs box 2>&1 | grep -q "$1"; }
inside() { pod exec box "$@"; }

root=${CONTAINER_ROOT:-$work/root}
[ -n "${CONTAINER_ROOT:-}" ] ||
	want 'a clean Debian' debootstrap --variant=minbase \
		"$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" "$root"
tar -C "$root" --exclude=./var/cache/apt --exclude=./var/lib/apt/lists/* \
	-cf "$work/base.tar" .
want 'the base' pod import "$work/base.tar" base
rm "$work/base.tar"

# The files of a clone, and nothing that was built beside them.
mkdir "$tree"
tests/files.sh | xargs -d '\n' cp --parents -t "$tree"

# The commands of containers.md run as they stand there, with podman as docker.
# The containers share one network: a bridge needs what a container in a
# container has not.
want 'a network' pod run -d --name net --network none "${limits[@]}" base \
	sleep infinity
network=/proc/$(pod inspect --format '{{.State.Pid}}' net)/ns/net
mkdir "$work/bin"
cat >"$work/bin/podman" <<EOF
#!/bin/bash
work=$work podman=$podman args=()
$(declare -f pod)
case \$1 in
create | run)
	args=("\$1" --network ns:$network --add-host pusherd:127.0.0.1
		${limits[*]})
	shift ;;
build) args=(build --isolation chroot --format docker
	--build-arg BASE=localhost/base) && shift ;;
esac
while [ \$# -gt 0 ]; do
	case \$1 in
	--net | --network-alias | -p) shift 2 ;;
	*) args+=("\$1") && shift ;;
	esac
done
pod "\${args[@]}"
EOF
# The podman-compose of Debian 12 has no --profile: its services are named.
cat >"$work/bin/docker" <<EOF
#!/bin/bash
[ "\$1" = compose ] || exec podman "\$@"
args=() up=()
for arg in "\${@:2}"; do
	case \$arg in
	*compose.yaml) args+=("\$arg" -f $work/here.yaml) ;;
	--profile) ;;
	tls) up+=(caddy) ;;
	cluster) up+=(pusherd-2 redis) ;;
	up) args+=(up) && up+=(pusherd) ;;
	*) args+=("\$arg") ;;
	esac
done
exec timeout 100 podman-compose "\${args[@]}" "\${up[@]}"
EOF
chmod +x "$work/bin/podman" "$work/bin/docker"
block() { # N
	awk -v n="$1" '/^```sh$/ { i++; p = 1; next } /^```$/ { p = 0 }
		p && i == n' etc/doc/containers.md
}
as_printed() { (cd "$tree" && PATH=$work/bin:$PATH sh -ec "$1"); }

want 'containers.md: the image and a container' as_printed "$(block 1)"
box=$(tail -n 1 "$out")
till 'containers.md: ready' pod exec "$box" pusherctl status
want 'containers.md: pusherctl in it' \
	as_printed "$(block 2 | sed "s/CONTAINER/$box/")"
want 'containers.md: it is removed' pod rm -f -t 20 "$box"
pod volume rm -f -a >/dev/null
more=$((($(size pusherd) - $(size base)) / 1000000))
[ "$more" -lt 60 ] || fail "the image is $more MB larger than its base"
ok "the image is $more MB larger than its base (limit 60)"

for user in pusherd 12345 12345:12345 0:0; do
	start --user "$user" -v data:/var/lib/pusherd pusherd
	till "as $user: ready" logged 'ready: listening'
	want "as $user: the health check" pod healthcheck run box
	want "as $user: it is PID 1" inside grep -q pusherd /proc/1/cmdline
	begin_events
	inside timeout 20 pusherctl subscribe 1 room >"$work/events" 2>&1 &
	till "as $user: a subscriber" \
		sh -c "grep -q . '$work/events'"
	want "as $user: a publish" inside pusherctl publish 1 room hello '{}'
	till "as $user: the event" grep -q hello "$work/events"
	want "as $user: stop" pod stop -t 20 box
	[ "$(pod inspect --format '{{.State.ExitCode}}' box)" = 0 ] ||
		fail "exit code $(pod inspect --format '{{.State.ExitCode}}' box)"
	ok "as $user: exit code 0"
	pod rm -f box >/dev/null
	pod volume rm -f -a >/dev/null
done

# The app stays with the volume; a start without one says so.
start -v data:/var/lib/pusherd pusherd
till 'a first start' logged 'ready: listening'
want 'the metrics' node -e 'fetch(process.argv[1]).then((answer) =>
	process.exit(answer.ok ? 0 : 1))' "http://$metrics/metrics"
want 'a URL of the console' inside pusherctl console
want 'a setting is changed' inside pusherctl app set 1 client_events=on
want 'it is removed' pod rm -f -t 20 box
start -v data:/var/lib/pusherd pusherd
till 'a second start' logged 'ready: listening'
inside pusherctl app show 1 >"$out"
grep -q '^client_events[[:space:]]*on$' "$out" || {
	cat "$out"
	fail 'the setting is lost'
}
ok 'the app is that of the volume'
pod rm -f -t 20 box >/dev/null

# A volume that the user cannot write to is a sentence, not a crash.
mkdir -m 700 "$work/foreign"
start --user 12345:12345 -v "$work/foreign:/var/lib/pusherd" pusherd
till 'a foreign volume ends it' sh -c "$(declare -f pod); work='$work' podman='$podman'
	[ \"\$(pod inspect --format '{{.State.Status}}' box)\" = exited ]"
logged '/var/lib/pusherd' || { pod logs box; fail 'no word of the volume'; }
ok 'the log names the volume'
pod rm -f box >/dev/null

# compose.yaml with the example's environment, as containers.md says.
cat >"$work/here.yaml" <<EOF
services:
  pusherd:
    ulimits: {nofile: 8192, nproc: 4096}
  pusherd-2:
    environment: {PUSHERD_LISTEN: "127.0.0.1:6002",
        PUSHERD_METRICS_LISTEN: "", PUSHERD_CLUSTER_HOST: second}
    ulimits: {nofile: 8192, nproc: 4096}
  redis:
    ulimits: {nofile: 8192, nproc: 4096}
  caddy:
    ulimits: {nofile: 8192, nproc: 4096}
EOF
environment=$tree/etc/container/.env
line() { block 3 | sed -n "$1p"; }
of() { pod ps -q --filter "label=com.docker.compose.service=$1"; }
ready() { # SERVICE
	till "compose: $1 is ready" sh -c "'$work/bin/podman' logs \
		'$(of "$1")' 2>&1 | grep -q 'ready: listening'"
}
down() {
	want 'compose: down' as_printed \
		'docker compose -f etc/container/compose.yaml down'
	[ "$(pod ps -q | wc -l)" = 1 ] || fail 'more than the network runs'
	ok 'compose: nothing runs'
}
want 'compose: its environment' as_printed "$(line 1)"
want 'compose: up' as_printed "$(line 2)"
ready pusherd
want 'compose: the app of the example' \
	pod exec "$(of pusherd)" pusherctl publish 1 room hello '{}'
down

# The profile "tls", with Debian's Caddy in the place of its image.
want 'an image of Caddy' pod build --isolation chroot --format docker \
	-t docker.io/library/caddy:2 - <<'EOF'
FROM localhost/base
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends caddy
ENV XDG_DATA_HOME=/data
EOF
sed -i 's/^#\(PUSHERD_TRUSTED_PROXIES=\).*/\1127.0.0.0\/8/
	s/^#\(DOMAIN=\).*/\1localhost/' "$environment"
want 'compose: up with Caddy' as_printed "$(line 3)"
ready pusherd
want 'compose: TLS only' \
	pod exec "$(of pusherd)" pusherctl app set 1 tls_only=on
ca=$work/ca.pem
certificate() {
	pod exec "$(of caddy)" cat \
		/data/caddy/pki/authorities/local/root.crt >"$ca"
}
till 'compose: the certificate' certificate
cat >"$work/tls.js" <<'EOF'
const key = Buffer.alloc(16).toString('base64');
require('https').get('https://localhost/app/change-me?protocol=7', {
	headers: { Connection: 'Upgrade', Upgrade: 'websocket',
		'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': key } })
	.on('response', (r) => { throw new Error(`answer ${r.statusCode}`); })
	.on('upgrade', (r, socket, head) => {
		const said = (bytes) => {
			console.log(String(bytes));
			process.exit(/connection_established/.test(bytes) ? 0 : 1);
		};
		if (head.length > 0) said(head);
		socket.on('data', said);
	});
EOF
till 'compose: a client with TLS' nsenter --net="$network" \
	env NODE_EXTRA_CA_CERTS="$ca" node "$work/tls.js"
want 'compose: without TLS again' \
	pod exec "$(of pusherd)" pusherctl app set 1 tls_only=off
down

# The profile "cluster", with Debian's Redis in the place of its image.
want 'an image of Redis' pod build --isolation chroot --format docker \
	-t docker.io/library/redis:7 - <<'EOF'
FROM localhost/base
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends \
    redis-server
WORKDIR /data
EOF
sed -i 's/^#\(PUSHERD_CLUSTER=\)/\1/' "$environment"
want 'compose: up with Redis' as_printed "$(line 4)"
till 'compose: two hosts' sh -c "'$work/bin/podman' exec '$(of pusherd)' \
	pusherctl -j cluster status | grep -q second"
ready pusherd-2
begin_events
pod exec "$(of pusherd-2)" timeout 60 pusherctl subscribe 1 room \
	>"$work/events" 2>&1 &
till 'compose: a subscriber on the second' grep -q subscribed "$work/events"
want 'compose: a publish on the first' \
	pod exec "$(of pusherd)" pusherctl publish 1 room across '{}'
till 'compose: the event' grep -q across "$work/events"
down
echo "$n passed, 0 failed"
