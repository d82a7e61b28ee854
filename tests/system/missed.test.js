// SPDX-License-Identifier: MIT
//
// Absence is told: a client that may have missed an event is closed for a
// reconnect, and never left open with a hole in what it has seen.
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { Daemon, until } = require('./lib/daemon');
const { Client } = require('./lib/client');
const { onEachWorker } = require('./lib/http');

const DEATH = [/was killed by signal 9|link to the broker lost|another one in/,
	/resync: not every worker|connected too late|events may be missing/];

async function publish(http, app, n) {
	const { status } = await http.api(app, 'POST', '/events', { body:
		{ name: 'e', channel: 'room', data: String(n) } });
	assert.equal(status, 200);
}

const killBroker = async (d) => {
	const [old] = d.pidsOf('broker');
	process.kill(old, 'SIGKILL');
	await until('a new broker', () => {
		const now = d.pidsOf('broker');
		return now.length === 1 && now[0] !== old;
	});
};

// The close that tells it; the events before that.
async function toldAfter(c, code) {
	const got = [];
	let m;
	while ((m = await c.next(undefined, `error ${code}`)).event === 'e')
		got.push(m.data);
	assert.equal(m.event, 'pusher:error', c.text);
	assert.equal(m.data.code, code, c.text);
	await c.expectClose(code);
	return got;
}

for (const deaths of [1, 2])
	test(`L1: a worker that sleeps through ${deaths} of the broker tells ` +
		'its clients', async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app();
		d.allow(...DEATH);
		await d.start();
		const [a, b] = await Client.onEachWorker(d, app);
		for (const c of [a, b]) await c.subscribe('room');
		const pid = a.worker;
		const both = await onEachWorker(d);
		const http = both.find((h) => h.worker !== pid);
		const idle = both.find((h) => h.worker === pid);
		process.kill(pid, 'SIGSTOP');
		try {
			await killBroker(d);
			await until('the broker to go on', () =>
				d.readLog().split('resync: complete').length === 3);
			await publish(http, app, 1);
			if (deaths === 2) process.kill(d.pidsOf('broker')[0], 'SIGKILL');
		} finally {
			process.kill(pid, 'SIGCONT');
		}
		// A broker hands on what the one before it had not acknowledged.
		const got = await toldAfter(a, 4200);
		assert.ok(got.length === 0 || deaths === 2 && got[0] === '1', got);
		assert.ok(d.pidsOf('worker').includes(pid), 'it stays');
		assert.equal(await b.expect('e', 'room'), '1');
		const again = await Client.connect(d, app);
		await again.subscribe('room');
		await publish(idle, app, 2); // no publisher is closed
		assert.equal(await again.expect('e', 'room'), '2');
		assert.equal(await b.expect('e', 'room'), '2');
		assert.ok(!b.gone);
		await d.stop();
	});
