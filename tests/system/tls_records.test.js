// SPDX-License-Identifier: MIT
//
// TLS records without data, from a stranger who has not even a key: the worker
// handles one in a turn, so that nobody else waits until all are read.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Http } = require('./lib/http');
const { parse } = require('./lib/prometheus');
const { Authority } = require('./lib/tls');

const UPDATES = 20000;

async function turns(d) {
	const h = await Http.connect({ port: d.metrics });
	const { text } = await h.ask('GET', '/metrics');
	h.end();
	return parse(text).sum('pusherd_worker_turn_seconds_count');
}

test('key updates: each has a turn of its own', async () => {
	const a = new Authority();
	const d = new Daemon({ workers: 1, metrics_listen: '127.0.0.1:0',
		listen: ['127.0.0.1:0', '127.0.0.1:0 tls'], handshake_timeout: 60,
		tls_certificate: a.file('cert.pem'), tls_key: a.file('key.pem') });
	const program = path.join(d.dir, 'key_updates');
	let flood;
	try {
		execFileSync('cc', ['-O1', '-o', program,
			path.join(__dirname, 'lib/key_updates.c'), '-lssl', '-lcrypto']);
		const app = d.app();
		await d.start();
		const c = await Client.connect(d, app);
		const before = await turns(d);
		flood = spawn(program, [d.ports[1], UPDATES], { stdio: 'pipe' });
		flood.ended = new Promise((ok) => flood.once('exit', ok));
		await until('a turn for each', async () =>
			await turns(d) - before >= UPDATES, 60000);
		await c.sync();
		flood.stdin.end();
		assert.equal(await flood.ended, 0);
		await c.close();
		await d.stop();
	} finally {
		flood?.kill();
		d.kill();
		a.remove();
	}
});
