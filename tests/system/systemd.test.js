// SPDX-License-Identifier: MIT
//
// The part of a service manager: sockets that it has made, and the datagrams
// that it is sent, received by a small program of the test's own.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test, describe } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, PUSHERD, environment, options, until } =
	require('./lib/daemon');

// Starts it as a service manager does, with listening sockets from 3 on.
async function startWith(d, fds, env = {}) {
	d.app();
	const log = fs.openSync(path.join(d.dir, 'log'), 'a');
	d.child = spawn('/bin/sh', ['-c', 'LISTEN_PID=$$ exec "$0" "$@"', PUSHERD,
		...options(d.conf), '-F'], { env: { ...environment(),
		LISTEN_FDS: String(fds.length), ...env }, cwd: d.dir,
	detached: true, stdio: ['ignore', log, log, ...fds] });
	fs.closeSync(log);
	d.exited = new Promise((ok) => d.child.on('exit', (code, signal) => {
		d.exit = { code, signal };
		ok(d.exit);
	}));
	await until('the start', () => /ready: listening/.test(d.readLog()));
}

describe('socket activation', () => {
	test('a socket that is given is used by all workers', async () => {
		const s = net.createServer();
		await new Promise((ok) => s.listen(0, '127.0.0.1', ok));
		const port = s.address().port;
		const d = new Daemon({ listen: `127.0.0.1:${port}`, workers: 4,
			drain_time: 1 });
		const app = { key: 'key-1', secret: 'secret-1', id: '101' };
		await startWith(d, [s._handle.fd]);
		s.close();
		d.port = port;
		const all = await Client.onEachWorker(d, app);
		assert.equal(all.length, 4);
		assert.doesNotMatch(d.readLog(), /service manager/);
		await closeAll(all);
		await d.stop();
	});

	test('one that the configuration does not have is closed', async () => {
		const s = net.createServer();
		await new Promise((ok) => s.listen(0, '127.0.0.1', ok));
		const d = new Daemon();
		d.allow(/a socket of the service manager has an address/);
		await startWith(d, [s._handle.fd]);
		assert.match(d.readLog(), /a socket of the service manager/);
		s.close();
		await d.stop();
	});
});

describe('notifications', () => {
	test('ready, watchdog, reloading, stopping', async () => {
		const d = new Daemon({ workers: 2 });
		const address = path.join(d.dir, 'notify');
		const receiver = spawn('python3', ['-u', '-c', [
			'import socket, sys',
			's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)',
			's.bind(sys.argv[1])',
			'print("bound")',
			'while True: print(repr(s.recv(4096).decode()))',
		].join('\n'), address]);
		let text = '';
		receiver.stdout.on('data', (b) => { text += b; });
		try {
			await until('the receiver', () => /bound/.test(text));
			await startWith(d, [], { NOTIFY_SOCKET: address,
				WATCHDOG_USEC: '1500000' });
			await until('ready', () => /READY=1\\nMAINPID=\d+/.test(text));
			await until('three signs of life', () =>
				text.split('WATCHDOG=1').length > 3);
			d.signal('SIGHUP');
			await until('reloading', () =>
				/RELOADING=1\\nMONOTONIC_USEC=\d+'\n(.*\n)*'READY=1'/
					.test(text));
			await d.stop();
			assert.match(text, /STOPPING=1\\nEXTEND_TIMEOUT_USEC=\d+/);
		} finally {
			receiver.kill();
		}
	});
});
