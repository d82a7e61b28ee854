// SPDX-License-Identifier: MIT
//
// The queue from worker to broker is driven to its bound (8 MiB) while the
// broker is stopped: publishes above it are refused with 503 and are never
// delivered, those below it are delivered when it goes on.  The same with
// client events, which get pusher:error: when the broker goes on, when it dies
// and they are sent again, and while there is none.
'use strict';

const assert = require('node:assert/strict');
const { Client } = require('../system/lib/client');
const { Http } = require('../system/lib/http');
const { until, SLOW } = require('../system/lib/daemon');
const { Watcher, sleep, settle } = require('./lib/actors');
const { memory } = require('../system/lib/process');

const MIB = 1 << 20;
const N = 200;
const PAD = ` ${'x'.repeat(90000)}`;

const KILLED = /broker was killed by signal 9|link to the broker lost/;
const EVENTS = 300;
const EVENT_PAD = 'x'.repeat(50000);
const AT_ONCE_MS = 950; // the others wait for a second

// Sends client events until some are refused; how many were taken.  Nothing
// leaves the worker meanwhile, so those are the first ones.
async function overflow(a, round) {
	const before = memory(a.worker);
	for (let i = 1; i <= EVENTS; i++)
		a.trigger('private-x', `client-${round}`, `${i} ${EVENT_PAD}`);
	const refused = (await a.sync()).map((m) => {
		assert.equal(m.event, 'pusher:error', JSON.stringify(m));
		assert.equal(m.data.code, null);
		assert.match(m.data.message, /the server is overloaded/);
	}).length;
	const taken = EVENTS - refused;
	const bytes = taken * EVENT_PAD.length;
	assert.ok(bytes > 7 << 20 && bytes < 10 << 20, `${taken} were taken`);
	const grown = memory(a.worker) - before;
	assert.ok(grown < 32 * MIB * SLOW,
		`the worker has grown by ${grown} bytes`);
	return taken;
}

// Each one that was taken comes once and in order, and the next one too.
async function arrive(a, b, round, taken) {
	for (let i = 1; i <= taken; i++) {
		const data = await b.expect(`client-${round}`, 'private-x');
		assert.equal(Number(data.split(' ')[0]), i);
	}
	a.trigger('private-x', `client-${round}`, 'again');
	assert.equal(await b.expect(`client-${round}`, 'private-x'), 'again');
}

// Until the master, which is stopped, goes on.
async function noBroker(d) {
	d.signal('SIGSTOP');
	process.kill(d.pidsOf('broker')[0], 'SIGKILL');
	await until('no broker', () => d.pidsOf('broker').length === 0);
}

// While there is no broker a publish waits for a second; 8 MiB of them, and
// what is over that is refused at once.  No 503 is delivered later.
async function waiting(d, app, history, w) {
	const status = {};
	let atOnce = 0, began;
	const https = await Promise.all(Array.from({ length: N },
		() => Http.connect(d)));
	await noBroker(d);
	await until('the worker to know it', async () =>
		(await https[0].ask('GET', '/ready')).status === 503);
	// The worker reads all at once, though a busy machine sends slowly.
	const [worker] = d.pidsOf('worker');
	process.kill(worker, 'SIGSTOP');
	const before = memory(worker);
	const all = https.map(async (h, i) => {
		const a = await h.api(app, 'POST', '/events', { body: { name: 'n',
			channel: `c${i}`, data: `2 ${performance.now()}${PAD}` } });
		status[a.status] = (status[a.status] ?? 0) + 1;
		if (a.status === 503 && performance.now() - began < AT_ONCE_MS)
			atOnce++;
		history.published(`c${i}`, 2, a.status);
		h.end();
	});
	await until('all to be sent', () => https.every(({ sock }) =>
		sock.bytesWritten > PAD.length && sock.writableLength === 0));
	began = performance.now();
	process.kill(worker, 'SIGCONT');
	await Promise.all(all);
	const grown = memory(worker) - before;
	d.signal('SIGCONT');
	assert.ok(grown < 64 * MIB * SLOW,
		`the worker has grown by ${grown} bytes`);
	assert.ok(atOnce >= 50 && atOnce < 150, `${atOnce} at once`);
	await until('a broker', async () => {
		const h = await Http.connect(d);
		const a = await h.api(app, 'POST', '/events', { body: { name: 'n',
			channel: 'c0', data: `3 ${performance.now()}` } });
		h.end();
		return a.status === 200;
	});
	history.published('c0', 3, 200);
	await settle([w]);
	history.checkWatcher(w);
	return { ...status, 'of them at once': atOnce };
}

async function clientEvents(start) {
	const { d, app } = await start({ workers: 2, client_buffer: 64 << 20 },
		{ max_event_bytes: 100000, client_events: 'on',
			max_client_events_per_second: 0 });
	d.allow(KILLED);
	const [a, b] = await Client.onEachWorker(d, app);
	await a.subscribe('private-x');
	await b.subscribe('private-x');
	const rounds = {
		'goes on': (pid) => process.kill(pid, 'SIGCONT'),
		dies: (pid) => process.kill(pid, 'SIGKILL'),
	};
	const figures = {};
	for (const [round, end] of Object.entries(rounds)) {
		const [pid] = d.pidsOf('broker');
		d.signal('SIGSTOP'); // the master: it would kill the broker
		process.kill(pid, 'SIGSTOP');
		figures[round] = await overflow(a, round);
		end(pid);
		d.signal('SIGCONT');
		await arrive(a, b, round, figures[round]);
	}
	await noBroker(d);
	figures['is not there'] = await overflow(a, 'gone');
	d.signal('SIGCONT');
	await arrive(a, b, 'gone', figures['is not there']);
	assert.deepEqual(await b.sync(), []);
	await a.close();
	await b.close();
	return figures;
}

async function publishes({ start, history }) {
	const { d, app } = await start({ workers: 1, client_buffer: 64 << 20 },
		{ max_event_bytes: 100000 });
	d.allow(KILLED);
	const w = await Watcher.open(d, app, history, 'watcher',
		Array.from({ length: N }, (_, i) => `c${i}`));
	const [worker] = d.pidsOf('worker');
	const [broker] = d.pidsOf('broker');
	const before = memory(worker);
	process.kill(broker, 'SIGSTOP');
	const status = {};
	const all = Array.from({ length: N }, async (_, i) => {
		const h = await Http.connect(d);
		const a = await h.api(app, 'POST', '/events', { body: { name: 'n',
			channel: `c${i}`, data: `1 ${performance.now()}${PAD}` } });
		status[a.status] = (status[a.status] ?? 0) + 1;
		if (a.status === 503) assert.equal(a.headers['retry-after'], '1');
		history.published(`c${i}`, 1, a.status);
		h.end();
	});
	await until('refusals', () => status[503] > 50);
	await sleep(500);
	const grown = memory(worker) - before;
	assert.ok(grown < 64 * MIB * SLOW,
		`the worker has grown by ${grown} bytes`);
	process.kill(broker, 'SIGCONT');
	await Promise.all(all);
	await settle([w]);
	history.checkWatcher(w);
	assert.ok(status[200] > 50 && status[503] > 50, JSON.stringify(status));
	return { answers: status, 'MiB that the worker grew': grown >> 20,
		'while there is no broker': await waiting(d, app, history, w) };
};

module.exports = async function bound(how) {
	return { ...await publishes(how),
		'client events taken when the broker': await clientEvents(how.start) };
};
