// SPDX-License-Identifier: MIT
//
// Servers that reach each other by a network that a test cuts: each has a
// network namespace of its own.  The bridge between them is this machine, so
// that the test itself reaches all.  Needs root.
'use strict';

const { execFileSync, spawnSync } = require('node:child_process');

// Of 198.18.0.0/15, for tests of networks (RFC 2544); another one for each
// process.
const NET = `198.${18 + (process.pid >> 8 & 1)}.${process.pid & 255}`;

// Listens on 127.0.0.1:PORT, also when the program is in another namespace.
const LISTEN = `import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', int(sys.argv[1])))
s.listen(511)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])`;

const ip = (...args) => execFileSync('ip', args, { stdio: 'pipe' });

class Network {
	// names: of one letter.  null: this machine does not let us make one.
	static open(names) {
		const net = new Network();
		net.bridge = `pusherd${process.pid}`;
		net.names = names;
		net.end = () => net.remove();
		process.once('exit', net.end);
		try {
			ip('link', 'add', net.bridge, 'type', 'bridge');
			ip('addr', 'add', `${NET}.1/24`, 'dev', net.bridge);
			ip('link', 'set', net.bridge, 'up');
			for (const name of names) net.add(name);
			return net;
		} catch {
			net.remove();
			return null;
		}
	}

	space(name) {
		return `${this.bridge}${name}`;
	}

	address(name) {
		return `${NET}.${2 + this.names.indexOf(name)}`;
	}

	add(name) {
		const space = this.space(name);
		ip('netns', 'add', space);
		ip('link', 'add', space, 'type', 'veth', 'peer', 'name', 'eth0',
			'netns', space);
		ip('link', 'set', space, 'master', this.bridge, 'up');
		ip('-n', space, 'addr', 'add', `${this.address(name)}/24`,
			'dev', 'eth0');
		for (const dev of ['lo', 'eth0'])
			ip('-n', space, 'link', 'set', dev, 'up');
	}

	// What runs a program in there.
	wrap(name) {
		return ['nsenter', `--net=/run/netns/${this.space(name)}`];
	}

	// The same, and clients outside reach it on 127.0.0.1 at this port.
	wrapHost(name, port) {
		return ['python3', '-c', LISTEN, String(port), ...this.wrap(name)];
	}

	route(how, a, b) {
		for (const [x, y] of [[a, b], [b, a]])
			ip('-n', this.space(x), 'route', how, 'blackhole',
				`${this.address(y)}/32`);
	}

	// Nothing passes between this one and the others, until the function is
	// called that it returns.
	cut(name, others) {
		for (const other of others) this.route('add', name, other);
		return () => others.forEach((other) => this.route('del', name, other));
	}

	remove() {
		process.off('exit', this.end);
		for (const name of this.names)
			spawnSync('ip', ['netns', 'del', this.space(name)]);
		spawnSync('ip', ['link', 'del', this.bridge]);
	}
}

module.exports = { Network };
