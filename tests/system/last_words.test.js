// SPDX-License-Identifier: MIT
//
// A publish was answered 200, and then its worker is killed: the event comes,
// also if the broker was not reading that worker's link.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { onEachWorker } = require('./lib/http');

const EXPECTED = [/was killed by signal 9|link to the broker lost/];

// Of each app a client of one worker, the victim, which will be stopped; and a
// connection to the other worker.
async function cast(napps, conf, settings) {
	const d = new Daemon({ workers: 2, log_level: 'debug', ...conf });
	const apps = Array.from({ length: napps }, () => d.app(settings));
	d.allow(...EXPECTED);
	await d.start();
	const [victim, other] = d.pidsOf('worker');
	const clients = [];
	for (const app of apps) {
		const [c, not] = await Client.onEachWorker(d, app);
		await not.close();
		await c.subscribe('room');
		clients.push(c);
	}
	const [idle, http] = await onEachWorker(d);
	idle.end();
	return { d, apps, clients, http, victim, other };
}

async function publish({ http }, app, channels, data) {
	const r = await http.api(app, 'POST', '/events', { body: {
		name: 'e', channels, data } });
	assert.equal(r.status, 200, r.text);
}

// The other worker has died, and its next one has said HELLO, or will soon.
async function replaced({ d, other }) {
	await until('another worker', () => d.pidsOf('worker').length === 2 &&
		!d.pidsOf('worker').includes(other));
	await sleep(200);
}

async function ends({ d, clients, http }) {
	http.end();
	for (const c of clients) await c.close();
	await d.stop();
}

test('a broker waits for another worker, and reads no other one', async () => {
	const s = await cast(1);
	const { d, clients: [c] } = s;
	process.kill(s.victim, 'SIGSTOP');
	try {
		process.kill(d.pidsOf('broker')[0], 'SIGKILL');
		await until('a replay', () =>
			d.readLog().split('has replayed its state').length === 4);
		await publish(s, s.apps[0], ['room'], 'last words');
		process.kill(s.other, 'SIGKILL');
		await replaced(s);
	} finally {
		process.kill(s.victim, 'SIGCONT');
	}
	assert.equal(await c.expect('e', 'room'), 'last words');
	await ends(s);
});

test('a worker has too much to read, so that none is read', async () => {
	const s = await cast(2, { client_buffer: 256 << 20 },
		{ max_event_bytes: 600000 });
	const { clients, apps } = s;
	const [c] = clients;
	const pad = 'x'.repeat(500000);
	const big = Array.from({ length: 10 }, (_, i) => `big${i}`);
	for (const name of big)
		for (const each of clients) await each.subscribe(name);
	let asked;
	process.kill(s.victim, 'SIGSTOP');
	try {
		// More than 64 MiB wait for it, and 256 KiB are in its ring.
		for (let i = 0; i < 13; i++) await publish(s, apps[i % 2], big, pad);
		await publish(s, apps[1], big.slice(5), pad);
		for (let i = 0; i < 5; i++) await publish(s, apps[0], ['room'], `${i}`);
		process.kill(s.other, 'SIGKILL');
		// The broker writes to each worker.
		asked = s.d.ctlAsync(['app', 'set', apps[1].id,
			'max_event_bytes=600001']);
		await replaced(s);
	} finally {
		process.kill(s.victim, 'SIGCONT');
	}
	assert.equal((await asked).code, 0);
	for (let i = 0; i < 70; i++)
		assert.equal((await c.expect('e', big[i % 10])).length, pad.length);
	for (let i = 0; i < 5; i++)
		assert.equal(await c.expect('e', 'room'), `${i}`);
	await ends(s);
});
