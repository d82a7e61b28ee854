// SPDX-License-Identifier: MIT
//
// A restart: the old server is told to stop, and another one is started when
// it has left and a little later.  How long is each client away?
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const WebSocket = require('ws');
const { WebSocketServer } = WebSocket;
const { Client } = require('./lib/client');
const { Daemon, sleep, until, SLOW } = require('./lib/daemon');
const official = require('./lib/official');
const { freePort } = require('./lib/port');

// A second is what the clients wait; the rest is the machine's.
const BOUND = 2200 * SLOW;

// The older pusher-js try wss, too, where the answer takes long.
const IMPATIENT = SLOW > 1 ? [/TLS on a listener without TLS/] : [];

// Notes how long it was without a connection.
class Watch {
	constructor(name) {
		this.name = name;
		this.away = [];
	}

	up() {
		if (this.since) this.away.push(Date.now() - this.since);
		this.since = null;
		this.connected = true;
	}

	down() {
		this.since ??= Date.now();
		this.connected = false;
	}
}

function pusherJs(version, d, app) {
	const w = new Watch(`pusher-js ${version}`);
	const p = official.client(version, d, app);
	p.connection.bind('state_change', ({ current }) => {
		w.state = current;
		if (current === 'connected') w.up();
		else w.down();
	});
	w.stop = () => p.disconnect();
	return w;
}

async function echo(d, app) {
	const { default: Echo } = await import('laravel-echo');
	const w = new Watch('Laravel Echo');
	const e = new Echo({ broadcaster: 'pusher', key: app.key,
		cluster: 'local', wsHost: '127.0.0.1', wsPort: d.port,
		forceTLS: false, enabledTransports: ['ws'], disableStats: true,
		Pusher: require('pusher-js') });
	const { pusher } = e.connector;
	pusher.connection.bind('state_change', ({ current }) =>
		current === 'connected' ? w.up() : w.down());
	w.stop = () => e.disconnect();
	return w;
}

// As libraries without the browser's rules: wait(attempt, code) in ms.
function plain(name, d, app, wait) {
	const w = new Watch(name);
	let attempt = 0;
	let stopped = false;
	let socket;
	const connect = () => {
		if (stopped) return;
		let code = 0;
		socket = new WebSocket(
			`ws://127.0.0.1:${d.port}/app/${app.key}?protocol=7`);
		socket.on('message', (text) => {
			if (!/connection_established/.test(text)) return;
			attempt = 0;
			w.up();
		});
		socket.on('error', () => {});
		socket.on('close', (c) => {
			code = c;
			w.down();
			setTimeout(connect, wait(++attempt, code));
		});
	};
	connect();
	w.stop = () => { stopped = true; socket.terminate(); };
	return w;
}

async function everybody(d, app) {
	return [
		...[4, 5, 6, 7, 8].map((v) => pusherJs(v, d, app)), await echo(d, app),
		plain('as the Java library', d, app,
			(n) => Math.min(30, n * n) * 1000),
		plain('as a Go library', d, app, (n, code) =>
			code >= 4200 && code < 4300 ? 0 :
				code === 1006 ? n * 2000 : 1000),
	];
}

// Where a child process shall be the only one, with a log of its own.
async function again(d) {
	const next = new Daemon(d.conf);
	Object.assign(next, { napps: d.napps });
	next.remove();
	next.dir = d.dir;
	next.spawn();
	next.port = d.port;
	await until('the next server', () =>
		(next.readLog().match(/ready: listening/g) ?? []).length > d.starts);
	next.starts = d.starts + 1;
	return next;
}

for (const gap of [20, 500])
	test(`L9: a restart with ${gap} ms between: all clients are back in a ` +
	    'second', async (t) => {
		const port = await freePort();
		let d = new Daemon({ listen: `127.0.0.1:${port}`, workers: 2,
			drain_time: [] });
		const app = d.app();
		d.allow(...IMPATIENT);
		await d.start();
		d.starts = 1;
		const all = await everybody(d, app);
		await until('all clients', () => all.every((w) => w.connected));
		const from = Date.now();
		// pusher-js says nothing of the second in which it waits.
		for (const w of all) w.since = from;
		d.signal('SIGTERM');
		await d.exited;
		const gone = Date.now() - from;
		await sleep(gap);
		d = await again(d);
		d.allow(...IMPATIENT);
		await until('all clients again',
			() => all.every((w) => w.away.length > 0 && w.connected), 20000)
			.catch(() => {});
		for (const w of all)
			t.diagnostic(`${w.name}: away ${w.away.join(' and ')} ms`);
		t.diagnostic(`left after ${gone} ms`);
		const late = all.filter((w) => !w.connected ||
			Math.max(...w.away) >= BOUND);
		for (const w of all) w.stop();
		assert.deepEqual(late.map((w) => w.name), []);
		await d.stop();
	});

// These count closes: pusher-js 4 to 7 under Node gives up for ever after the
// second connection that did not live for 20 s (etc/doc/restart.md).
test('L9: 500 clients in one worker: a restart costs each one connection',
	async (t) => {
		const port = await freePort();
		let d = new Daemon({ listen: `127.0.0.1:${port}`, workers: 1,
			drain_time: [] });
		const app = d.app();
		await d.start();
		d.starts = 1;
		const all = [];
		while (all.length < 500) {
			for (let i = 0; i < 50; i++) all.push(pusherJs(4 + i % 5, d, app));
			await until('all clients', () => all.every((w) => w.connected));
		}
		const from = Date.now();
		for (const w of all) w.since = from;
		d.signal('SIGTERM');
		await d.exited;
		t.diagnostic(`left after ${Date.now() - from} ms`);
		d = await again(d);
		await until('all clients again',
			() => all.every((w) => w.away.length > 0 && w.connected), 20000)
			.catch(() => {});
		const late = all.filter((w) => !w.connected || w.away.length > 1 ||
			Math.max(...w.away) >= 3 * BOUND); // one refused has 15 s
		t.diagnostic(`away ${Math.max(...all.flatMap((w) => w.away))} ms`);
		const names = late.map((w) => `${w.name} ${w.state} ${w.away}`);
		for (const w of all) w.stop();
		assert.deepEqual(names, []);
		await d.stop();
	});

test('L9: pusher-js 4 to 7 under Node give up also when another server closes',
	async () => {
		const s = new WebSocketServer({ port: 0 });
		await new Promise((ok) => s.once('listening', ok));
		s.on('connection', (c) => {
			c.send(JSON.stringify({ event: 'pusher:connection_established',
				data: '{"socket_id":"1.1","activity_timeout":120}' }));
			setTimeout(() => c.close(4100, 'again'), 20);
		});
		const all = [4, 5, 6, 7, 8].map((v) =>
			pusherJs(v, { port: s.address().port }, { key: 'x' }));
		await until('the end of the old ones', () =>
			all.filter((w) => w.state === 'failed').length === 4);
		assert.notEqual(all[4].state, 'failed');
		for (const w of all) w.stop();
		s.close();
	});

test('L9: a client that connects during the exit waits, and gets 4100',
	async () => {
		const d = new Daemon({ workers: 2, drain_time: 2 });
		const app = d.app();
		await d.start();
		const all = [];
		for (let i = 0; i < 24; i++)
			all.push(...await Client.several(d, app, 100));
		d.signal('SIGTERM');
		await sleep(700);
		const began = Date.now();
		const late = await Promise.all([...Array(8)].map(async () => {
			const c = new Client(d, `/app/${app.key}?protocol=7`);
			assert.equal((await c.upgraded()).status, 101);
			await c.expectFatal(4100);
			return Date.now() - began;
		}));
		// All at the end, and none before it.
		assert.ok(Math.min(...late) > 300, `${late}`);
		assert.ok(Math.max(...late) - Math.min(...late) < 1000 * SLOW, `${late}`);
		await d.exited;
		for (const c of all) c.destroy();
		await d.stop();
	});

test('O5: 3,000 clients, half of which never answer: gone in 8 s', async () => {
	const d = new Daemon({ workers: 2, drain_time: [] });
	const app = d.app();
	await d.start();
	const all = [];
	for (let i = 0; i < 30; i++)
		all.push(...await Client.several(d, app, 100));
	for (let i = 0; i < all.length; i += 2) all[i].sock.pause();
	const began = Date.now();
	d.signal('SIGTERM');
	await d.exited;
	const ms = Date.now() - began;
	assert.ok(ms < 8000 * SLOW, `${ms} ms`);
	for (const c of all) c.destroy();
	await d.stop();
});
