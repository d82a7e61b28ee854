// SPDX-License-Identifier: MIT
//
// Resources of all apps are shared fairly: an app may use all that is free, and
// loses its own when another one comes.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Http, api, publish, onEachWorker } = require('./lib/http');
const { enter, newId, open } = require('./lib/resume');
const { sip13 } = require('./lib/sip');

const CACHE = 262144; // bytes
const DATA = 'x'.repeat(4000);

async function has(d, app, channel) {
	const c = await Client.connect(d, app);
	await c.subscribe(channel);
	const m = await c.next();
	await c.close();
	return m.event !== 'pusher:cache_miss';
}

// app publishes to n cache channels.
async function fill(d, app, n, prefix) {
	for (let i = 0; i < n; i += 10) {
		const batch = Array.from({ length: 10 }, (_, k) => ({ name: 'e',
			channel: `cache-${prefix}${i + k}`, data: DATA }));
		const r = await api(d, app, 'POST', '/batch_events',
			{ body: { batch } });
		assert.equal(r.status, 200, r.text);
	}
}

for (const workers of [1, 4])
	test('S7: an app that fills the cache loses its own events, not ' +
		`another one's, ${workers} workers`, async () => {
		const d = new Daemon({ workers, cache_memory: CACHE });
		const unlimited = { max_backend_events_per_second: 0 };
		const [a, b, c] = [d.app(unlimited), d.app(unlimited),
			d.app(unlimited)];
		await d.start();
		await publish(d, b, 'cache-mine', 'e', DATA);
		await fill(d, a, 300, 'a');
		assert.equal(await has(d, b, 'cache-mine'), true);
		assert.equal(await has(d, a, 'cache-a0'), false);
		assert.equal(await has(d, a, 'cache-a299'), true);
		// Alone it had nearly all of it; who comes gets his part.
		await fill(d, c, 300, 'c');
		assert.equal(await has(d, b, 'cache-mine'), true);
		assert.equal(await has(d, a, 'cache-a299'), true);
		assert.equal(await has(d, c, 'cache-c299'), true);
		assert.equal(await has(d, c, 'cache-c0'), false);
		// And what a broker's successor is given back is the same.
		d.allow(/broker was killed|link to the broker lost/);
		const [broker] = d.pidsOf('broker');
		process.kill(broker, 'SIGKILL');
		await until('a broker', () => d.pidsOf('broker')
			.some((pid) => pid !== broker));
		assert.equal(await has(d, b, 'cache-mine'), true);
		await d.stop();
	});

// The copy of each cached event is in one worker, which the name decides.
test('S7: an app that knows the code gives its cached events to no worker of ' +
	'its choice', async () => {
	const d = new Daemon({ workers: 4 });
	const app = d.app({ max_backend_events_per_second: 0 });
	await d.start();
	const kilobytes = (pid) => Number(/VmRSS:\s+(\d+)/.exec(
		fs.readFileSync(`/proc/${pid}/status`))[1]);
	const names = [];
	for (let i = 0; names.length < 1500; i++)
		if (sip13(0n, 0n, 1n, `cache-${i}`) % 8n === 1n)
			names.push(`cache-${i}`);
	const before = d.pidsOf('worker').map(kilobytes);
	for (let i = 0; i < names.length; i += 10) {
		const batch = names.slice(i, i + 10).map((channel) => ({ name: 'e',
			channel, data: DATA.repeat(2) }));
		assert.equal((await api(d, app, 'POST', '/batch_events',
			{ body: { batch } })).status, 200);
	}
	// 12 MB of copies: a quarter for each of them.
	await until('the copies', () => d.pidsOf('worker').map(kilobytes)
		.every((n, i) => n > before[i] + 1500));
	await d.stop();
});

// Until resume(): the master, which is stopped, starts no other broker.
function noBroker(d) {
	process.kill(d.child.pid, 'SIGSTOP');
	process.kill(d.pidsOf('broker')[0], 'SIGKILL');
	return () => process.kill(d.child.pid, 'SIGCONT');
}

for (const key of [false, true])
	test('S3: publishes that wait while there is no broker: the app that ' +
		`fills the room gets 503, not another one${key ? ' (keys)' : ''}`,
	async () => {
		const d = new Daemon({ workers: 1 });
		const big = { max_event_bytes: 100000,
			max_backend_events_per_second: 0 };
		const [greedy, other] = [d.app(big), d.app(big)];
		await d.start();
		d.allow(/broker was killed by signal 9|link to the broker lost/);
		const c = await Client.connect(d, other);
		await c.subscribe('c');
		const send = async (h, app, i, size) => {
			const began = performance.now();
			const r = await h.api(app, 'POST', '/events', {
				body: { name: 'e', channel: 'c', data: `${i} ${size}` },
				headers: key ? { 'X-Idempotency-Key': `k${i}` } : {} });
			h.end();
			return { i, status: r.status, ms: performance.now() - began,
				retry: r.headers['retry-after'] };
		};
		const https = await Promise.all(Array.from({ length: 140 },
			() => Http.connect(d)));
		const pad = 'x'.repeat(90000);
		const resume = noBroker(d);
		// The worker reads all at once, though a busy machine sends slowly.
		const [worker] = d.pidsOf('worker');
		process.kill(worker, 'SIGSTOP');
		const many = https.splice(20);
		const full = many.map((h, i) => send(h, greedy, i, pad));
		await until('all to be sent', () =>
			many.every(({ sock }) => sock.bytesWritten > pad.length &&
				sock.writableLength === 0));
		process.kill(worker, 'SIGCONT');
		// There is no room for this one; those before it wait their second.
		const first = await Promise.race(full);
		assert.ok(first.i >= 40, `${first.i} is refused first`);
		// Others have room: theirs wait their second.
		const theirs = await Promise.all(https.map((h, i) =>
			send(h, other, i, pad)));
		for (const r of await Promise.all(full))
			assert.deepEqual([r.status, r.retry], [503, '1']);
		for (const r of theirs)
			assert.ok(r.ms > 800, `${r.status} after ${r.ms} ms`);
		resume();
		await until('a broker', async () =>
			(await send(await Http.connect(d), other, 'z', '')).status === 200);
		await c.close();
		await d.stop();
	});

for (const workers of [1, 2])
	test('S3: events that wait for a stopped broker: the app that fills the ' +
		`room gets 503, not another one, ${workers} workers`, async () => {
		const d = new Daemon({ workers });
		const big = { max_event_bytes: 100000, client_events: 'on',
			max_client_events_per_second: 0,
			max_backend_events_per_second: 0 };
		const [greedy, other] = [d.app(big), d.app(big)];
		await d.start();
		const [c, from] = [await Client.connect(d, other),
			await Client.connect(d, other)];
		await c.subscribe('private-c');
		await from.subscribe('private-d');
		const send = (h, app, data) => h.api(app, 'POST', '/events',
			{ body: { name: 'e', channel: 'private-c', data } });
		const pad = 'x'.repeat(90000);
		const connections = (n) => Promise.all(Array.from({ length: n },
			() => Http.connect(d)));
		const https = await connections(150 * workers);
		const theirs = await connections(20);
		const [broker] = d.pidsOf('broker');
		process.kill(broker, 'SIGSTOP');
		let refused = 0, first;
		const full = https.map(async (h) => {
			const r = await send(h, greedy, pad);
			refused += r.status === 503;
			if (r.status === 503) first ??= r;
			return r.status;
		});
		await until('refusals', () => refused > 10 * workers);
		assert.match(first.text, /overloaded: \d{7} bytes of this app's events/);
		assert.equal(first.headers['retry-after'], '1');
		const taken = theirs.map((h, i) => send(h, other, `${i} ${pad}`));
		from.trigger('private-d', 'client-e', pad);
		assert.deepEqual(await from.sync(), [], 'no pusher:error');
		process.kill(broker, 'SIGCONT');
		for (const r of await Promise.all(taken))
			assert.equal(r.status, 200, r.text);
		const got = [];
		for (let i = 0; i < 20; i++)
			got.push(Number((await c.expect('e', 'private-c')).split(' ')[0]));
		assert.deepEqual(got.sort((a, b) => a - b), [...got.keys()]);
		await Promise.all(full);
		for (const h of [...https, ...theirs]) h.end();
		await d.stop();
	});

// One worker delivers nothing, and its queue is not acknowledged.
const BATCH = 500; // events; that worker is not stopped for long
test('an app with very many deliveries on their way waits, and no other app ' +
	'does', async () => {
	const d = new Daemon({ workers: 2 });
	const [greedy, other] = [d.app({ max_batch_events: BATCH }), d.app()];
	await d.start();
	const [here, there] = await Client.onEachWorker(d, greedy);
	const crowd = await Client.several(d, greedy, 100);
	for (const c of [here, there, ...crowd]) await c.subscribe('room');
	for (const c of crowd) c.onData = () => {};
	const [listener, idle] = await Client.onEachWorker(d, other);
	await listener.subscribe('calm');
	const [h, spare] = await onEachWorker(d);
	const send = (n) => h.api(greedy, 'POST', '/batch_events', { body: {
		batch: Array.from({ length: BATCH }, (_, i) => ({ name: 'e',
			channel: 'room', data: String(n * BATCH + i) })) } });
	process.kill(there.worker, 'SIGSTOP');
	let taken = 0, r;
	while ((r = await send(taken)).status === 200 && taken < 60) taken++;
	assert.equal(r.status, 503, `${taken} were taken`);
	assert.match(r.text, /deliveries of this app's events are on their way/);
	assert.equal(r.headers['retry-after'], '1');
	const own = await h.api(other, 'POST', '/events', { body: { name: 'e',
		channel: 'calm', data: 'at once' } });
	assert.equal(own.status, 200, own.text);
	assert.equal(await listener.expect('e', 'calm'), 'at once');
	process.kill(there.worker, 'SIGCONT');
	await until('room', async () => (await send(taken)).status === 200);
	for (const c of [here, there])
		for (let i = 0; i < taken * BATCH + BATCH; i++)
			assert.equal(await c.expect('e', 'room'), String(i));
	for (const c of [here, there, listener, idle, ...crowd])
		c.sock.destroy();
	h.end();
	spare.end();
	await d.stop();
});

// Three quarters of the rows, while no other app wants more.
test('resume: the clients of one app do not take all sessions', async () => {
	const d = new Daemon({ workers: 2, resume_sessions: 100 });
	const [greedy, other] = [d.app({ resume: 'on' }), d.app({ resume: 'on' })];
	await d.start();
	d.allow(/an app may have three times as many sessions as are left/);
	const all = [];
	for (let i = 0; i < 75; i++) all.push(await open(d, greedy, newId()));
	assert.equal((await enter(all[74], 'c')).status, 'new');
	all.push(await open(d, greedy, newId()));
	assert.deepEqual(await enter(all[75], 'c'),
		{ status: 'off', reason: 'full', events: [] });
	await until('a line in the log', () => d.logLines().some((l) =>
		l.includes(`app=${greedy.id} connected=75 left=25 ` +
			'resume_sessions=100')));
	for (let i = 0; i < 18; i++) all.push(await open(d, other, newId()));
	assert.equal((await enter(all.at(-1), 'c')).status, 'new');
	await Promise.all(all.map((c) => c.close()));
	await d.stop();
});

// The list of closed connections, in each worker and in the broker.
test('closes: a flood of one app pushes out only its own', async () => {
	const d = new Daemon({ workers: 1 });
	const [noisy, calm] = [d.app(), d.app()];
	await d.start();
	const c = await Client.connect(d, calm);
	const crowd = await Client.several(d, noisy, 1100);
	await c.close();
	for (const x of crowd) x.sock.destroy();
	const of = (app) => d.ctl(['closes', app.id]).length;
	await until('the closes', () => of(noisy) === 999);
	assert.equal(of(calm), 1);
	await d.stop();
});
