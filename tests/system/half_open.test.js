// SPDX-License-Identifier: MIT
//
// Clients that begin a handshake and stop half-way: what they may hold, and
// that others come in all the same.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const { test } = require('node:test');
const tls = require('node:tls');
const { Client } = require('./lib/client');
const { Daemon, sleep, until, SLOW } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { memory } = require('./lib/process');
const { Authority } = require('./lib/tls');

const MIB = 1 << 20;
const LIMIT = (SLOW > 1 ? 1024 : 64) * MIB;

// The first bytes of a real client.
const hello = () => new Promise((ok) => {
	const s = net.createServer((c) => c.once('data', (bytes) => {
		c.destroy();
		s.close();
		ok(bytes);
	})).listen(0, '127.0.0.1', () => tls.connect({ host: '127.0.0.1',
		port: s.address().port }).on('error', () => {}));
});

const stop = (port, n, bytes) => Array.from({ length: n }, () =>
	net.connect(port, '127.0.0.1', function () { this.write(bytes); })
		.on('error', () => {}).resume());

async function running(conf) {
	const a = new Authority();
	const d = new Daemon({ workers: 1, handshake_timeout: 60,
		listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
		tls_certificate: [a.file('cert.pem')],
		tls_key: [a.file('key.pem')], ...conf });
	const app = d.app();
	await d.start();
	const honest = await Client.connect(d, app);
	await honest.subscribe('room');
	return { a, d, app, honest, worker: d.pidsOf('worker')[0] };
}

// Nobody honest has noticed; then the end.
async function check({ a, d, app, honest, worker }, all) {
	await publish(d, app, 'room', 'e', 'x');
	assert.equal(await honest.expect('e', 'room'), 'x');
	assert.deepEqual(d.pidsOf('worker'), [worker]);
	for (const s of all) s.destroy();
	await honest.close();
	await d.stop();
	a.remove();
}

// It tries again after a pause, as clients that got 4100 do.
async function comesIn(d, app) {
	await until('somebody new to be greeted', async () => {
		try {
			await (await Client.connect(d, app)).close();
			return true;
		} catch {
			await sleep(1000);
			return false;
		}
	}, 20000);
}

for (const part of [1, 0.5])
	test(`S4: 1,500 TLS handshakes stop ${part === 1 ? 'after' : 'within'} ` +
		'the first message: they stay within memory_limit', async () => {
		const r = await running({ memory_limit: LIMIT });
		r.d.allow(/over memory_limit/, /no room for new clients/);
		const bytes = await hello();
		let peak = 0;
		const all = [];
		while (all.length < 1500) {
			all.push(...stop(r.d.ports[1], 50,
				bytes.subarray(0, bytes.length * part)));
			await until('these to be read', () => all.every((s) =>
				s.destroyed || (!s.connecting && s.writableLength === 0)));
			await sleep(10);
			peak = Math.max(peak, memory(r.worker));
		}
		assert.ok(peak < LIMIT / 16 * 10, `${peak >> 20} MiB`);
		await comesIn(r.d, r.app);
		await check(r, all);
	});

for (const [what, bytes] of [['no byte', ''], ['half a head',
	'GET /app/key HTTP/1.1\r\nHost: '], ['one request, and stay',
	'GET /ready HTTP/1.1\r\nHost: x\r\n\r\n']])
	test(`S4: more clients than max_connections that send ${what}: the next ` +
		'one comes in', async () => {
		const r = await running({ max_connections: 50 });
		r.d.allow(/no room for new clients/);
		const all = stop(r.d.ports[0], 80, bytes);
		await comesIn(r.d, r.app);
		assert.match(r.d.readLog(), /no room for new clients .*closed for/);
		await check(r, all);
	});

test('S4: no descriptor left, and connections without a request: the next ' +
	'client comes in', async () => {
	const r = await running();
	r.d.allow(/no room for new clients|accept paused/);
	const most = Math.max(...fs.readdirSync(`/proc/${r.worker}/fd`)
		.map(Number)) + 20;
	execFileSync('prlimit', ['--pid', String(r.worker), `--nofile=${most}:`]);
	const all = stop(r.d.ports[1], 100, '');
	await until('all to be in use', () =>
		/accept paused|no room for new/.test(r.d.readLog()));
	await comesIn(r.d, r.app);
	await check(r, all);
});
