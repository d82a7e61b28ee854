// SPDX-License-Identifier: MIT
//
// memory_limit is true: whatever clients send and do not read, a worker stays
// within its share, those that hold most are closed with the reason, and
// who holds nothing stays.  Strangers are refused before a body is kept.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const { test } = require('node:test');
const { Client, frame, OP } = require('./lib/client');
const { TROUBLES, becomesReady, host, isReady } = require('./lib/cluster');
const { Console } = require('./lib/console');
const { Daemon, sleep, until, SLOW } = require('./lib/daemon');
const { Http, api, publish } = require('./lib/http');
const { memory } = require('./lib/process');
const { Redis } = require('./lib/redis');
const { signedTarget } = require('./lib/sign');

const MIB = 1 << 20;
// With sanitizers a process is large from its beginning.
const LIMIT = (SLOW > 1 ? 1024 : 64) * MIB;
const SHARE = LIMIT / 16 * 10;
const N = SLOW > 1 ? 0.3 : 1; // of the clients

// A daemon with one worker and an honest client.
function running(conf = {}, settings = {}) {
	const d = new Daemon({ workers: 1, memory_limit: LIMIT, ...conf });
	return starts(d, d.app({ max_backend_events_per_second: 0, ...settings }));
}

async function starts(d, app) {
	d.env = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:' +
		'quarantine_size_mb=1:allocator_release_to_os_interval_ms=0' };
	await d.start();
	d.allow(/over memory_limit/);
	const honest = await Client.connect(d, app);
	await honest.subscribe('room');
	const [worker] = d.pidsOf('worker');
	return { d, app, honest, worker };
}

// The worker is the same, and has never had more than its share.
function fits({ d, worker }) {
	const peak = memory(worker, 'VmHWM');

	assert.deepEqual(d.pidsOf('worker'), [worker]);
	assert.ok(peak < SHARE, `${peak >> 20} of ${SHARE >> 20} MiB`);
}

// And the honest one is still there.
async function check({ d, app, honest, worker }) {
	fits({ d, worker });
	await publish(d, app, 'room', 'e', 'x');
	assert.equal(await honest.expect('e', 'room'), 'x');
	await honest.close();
	await d.stop();
}

// A socket of somebody who does not care.
function raw(d, bytes) {
	const s = net.connect({ port: d.port, host: '127.0.0.1' });
	s.got = '';
	s.on('error', () => {}).on('close', () => { s.gone = true; });
	s.on('data', (b) => { s.got += b.toString('latin1'); });
	if (bytes) s.write(bytes);
	return s;
}

const upgrade = (app) => `GET /app/${app.key}?protocol=7 HTTP/1.1\r\n` +
	'Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
	'Sec-WebSocket-Version: 13\r\n' +
	`Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}` +
	'\r\n\r\n';

// n WebSockets in steps, so that none is refused for want of a place.
async function sockets(d, app, n) {
	const all = [];
	while (all.length < n) {
		const some = Array.from({ length: Math.min(100, n - all.length) },
			() => raw(d, upgrade(app)));
		await until('greetings', () => some.every((s) => s.gone ||
			/connection_established|pusher:error/.test(s.got)));
		all.push(...some);
	}
	return all;
}

test('S4: a body without a signature is answered 401 from its head', async () => {
	const { d, app, ...rest } = await running();
	const body = Buffer.alloc(MIB - 1, 0x20);
	const all = Array.from({ length: 1500 * N }, () => raw(d,
		`POST /apps/${app.id}/events?auth_key=${app.key}&auth_timestamp=` +
		`${Date.now() / 1000 | 0}&auth_version=1.0&auth_signature=` +
		`${'0'.repeat(64)}&body_md5=${'0'.repeat(32)} HTTP/1.1\r\n` +
		`Host: a\r\nContent-Length: ${MIB - 1}\r\n\r\n`));
	for (const s of all) s.write(body.subarray(0, 200000));
	await until('answers', () => all.every((s) => s.gone ||
		/^HTTP\/1.1 (401|429)/.test(s.got)), 30000);
	assert.ok(memory(rest.worker, 'VmHWM') < (SLOW > 1 ? 200 : 16) * MIB);
	for (const s of all) s.destroy();
	await check({ d, app, ...rest });
});

// A message whose end does not come.
const begun = frame(OP.TEXT, Buffer.alloc(131071, 0x20)).subarray(0, 131000);

const HEADS = {
	'an unknown app': ['POST', '/apps/none/events', /^HTTP\/1.1 404/],
	'no such path': ['POST', '/nothing', /^HTTP\/1.1 404/],
	'a health check': ['GET', '/up', /^HTTP\/1.1 200/],
	'a wrong method': ['PUT', '/up', /^HTTP\/1.1 405/],
	'a GET of the API': ['GET', '/apps/101/channels', /^HTTP\/1.1 401/],
	'no query': ['POST', '/apps/101/events', /^HTTP\/1.1 401/],
};

test('S4: nothing of a body is awaited that is for nobody', async () => {
	const d = new Daemon();
	await d.start();
	for (const [what, [method, path, want]] of Object.entries(HEADS)) {
		const s = raw(d, `${method} ${path} HTTP/1.1\r\nHost: a\r\n` +
			'Content-Length: 1000000\r\n\r\nx');
		await until(what, () => want.test(s.got));
		s.destroy();
	}
	await d.stop();
});

test('S4: a chunked body without a signature is read and thrown away',
	async () => {
		const { d, app, ...rest } = await running();
		const part = `10000\r\n${'x'.repeat(65536)}\r\n`;
		const all = Array.from({ length: 500 * N }, () => raw(d,
			`POST /apps/${app.id}/events HTTP/1.1\r\nHost: a\r\n` +
			'Transfer-Encoding: chunked\r\n\r\n'));
		for (let i = 0; i < 10; i++)
			for (const s of all) s.write(part);
		for (const s of all) s.write('0\r\n\r\n');
		await until('answers', () => all.every((s) =>
			/^HTTP\/1.1 (401|429)/.test(s.got)), 30000);
		for (const s of all) s.destroy();
		await check({ d, app, ...rest });
	});

test('S4: a signed body in pieces is still read', async () => {
	const { d, app, ...rest } = await running();
	const body = JSON.stringify({ name: 'e', channel: 'room',
		data: 'y'.repeat(9000) }).padEnd(500000);
	const target = signedTarget(app, 'POST', `/apps/${app.id}/events`,
		{ body });
	const h = await Http.connect(d);
	await h.write(`POST ${target} HTTP/1.1\r\nHost: a\r\n` +
		`Content-Length: ${body.length}\r\n\r\n`);
	for (let i = 0; i < body.length; i += 100000)
		await h.write(body.slice(i, i + 100000));
	assert.equal((await h.answer()).status, 200);
	assert.equal((await rest.honest.expect('e', 'room')).length, 9000);
	// And the body's own digest counts as ever.
	await h.write(`POST ${target} HTTP/1.1\r\nHost: a\r\n` +
		`Content-Length: ${body.length}\r\n\r\n`);
	await sleep(50);
	await h.write(' '.repeat(body.length));
	const a = await h.answer();
	assert.equal(a.status, 401);
	assert.match(a.text, /body_md5 .* does not match/);
	h.end();
	await check({ d, app, ...rest });
});

test('S4: signed bodies that never end: the largest get 503, memory_limit ' +
	'holds', async () => {
	const r = await running();
	const body = Buffer.alloc(MIB - 1, 0x20);
	const target = signedTarget(r.app, 'POST', `/apps/${r.app.id}/events`,
		{ body });
	const all = Array.from({ length: 150 }, () => raw(r.d,
		`POST ${target} HTTP/1.1\r\nHost: a\r\n` +
		`Content-Length: ${body.length}\r\n\r\n`));
	for (const s of all) s.write(body.subarray(0, MIB - 2));
	if (SLOW === 1)
		await until('some to be closed', () => all.some((s) =>
			/^HTTP\/1.1 503[^]*memory_limit/.test(s.got)), 20000);
	await sleep(1000);
	for (const s of all) s.destroy();
	await check(r);
});

test('S4: 3,000 unfinished messages: the largest holders are closed, 4100',
	async () => {
		const r = await running();
		const all = await sockets(r.d, r.app, 3000 * N);
		for (const s of all) s.write(begun);
		if (SLOW === 1) {
			await until('some to be closed', () => all.some((s) =>
				/"code":4100[^]*memory_limit|memory_limit[^]*4100/
					.test(s.got)), 20000);
			const closes = r.d.ctl(['closes']);
			assert.ok(closes.some((c) =>
				/over memory_limit .* connection held \d+/.test(c.reason)),
			JSON.stringify(closes.slice(0, 3)));
		}
		await sleep(1000);
		for (const s of all) s.destroy();
		await check(r);
	});

test('S4: 1,500 clients that do not read a cache channel', async () => {
	const r = await running({}, { max_event_bytes: 10240 });
	await publish(r.d, r.app, 'cache-c', 'e', 'z'.repeat(10000));
	const all = await sockets(r.d, r.app, 1500 * N);
	for (const s of all) s.pause();
	const sub = (event) => frame(OP.TEXT, JSON.stringify({ event,
		data: { channel: 'cache-c' } }));
	const pair = Buffer.concat([sub('pusher:subscribe'),
		sub('pusher:unsubscribe')]);
	for (let i = 0; i < 60; i++) {
		for (const s of all) if (!s.gone) s.write(pair);
		await sleep(20);
	}
	await sleep(1000);
	for (const s of all) s.destroy();
	await check(r);
});

test('S4: 2,500 clients that do not read the small events of a channel',
	async () => {
		const r = await running({ client_buffer_age: 300 });
		const all = await sockets(r.d, r.app, 2500 * N);
		for (const s of all)
			s.write(frame(OP.TEXT, JSON.stringify({
				event: 'pusher:subscribe', data: { channel: 'busy' } })));
		await until('answers', () => all.every((s) =>
			/subscription_succeeded/.test(s.got)), 20000);
		for (const s of all) s.pause();
		// Between two events of it comes another one, so that each has
		// a slice of its own in every queue.
		const reader = await Client.connect(r.d, r.app);
		await reader.subscribe('between');
		reader.onData = () => {};
		const event = (channel) => ({ name: 'e', channel, data: 'x' });
		const body = { batch: Array.from({ length: 10 }, (_, i) =>
			event(i % 2 ? 'busy' : 'between')) };
		const over = () => SLOW === 1 &&
			/over memory_limit by/.test(r.d.readLog());
		const lines = await Promise.all(Array.from({ length: 16 },
			() => Http.connect(r.d)));
		for (let i = 0; i < (SLOW > 1 ? 50 : 2000) && !over(); i++) {
			const answers = await Promise.all(lines.map((h) =>
				h.api(r.app, 'POST', '/batch_events', { body })));
			assert.ok(answers.every((a) => a.status === 200));
		}
		assert.equal(over(), SLOW === 1);
		for (const h of lines) h.end();
		for (const s of all) s.destroy();
		await reader.close();
		await check(r);
	});

test('S4: subscribe and unsubscribe while no broker runs', async () => {
	const r = await running();
	r.d.allow(/broker was killed|link to the broker lost/);
	const all = await sockets(r.d, r.app, 50);
	for (let i = 0, last = 0; i < 4; i++) {
		last = await until('a broker', () => r.d.pidsOf('broker')
			.find((p) => p !== last));
		process.kill(last, 'SIGKILL');
	}
	const sub = (event) => frame(OP.TEXT, JSON.stringify({ event,
		data: { channel: `c${'x'.repeat(150)}` } }));
	const pair = Buffer.concat(Array.from({ length: 100 }, () =>
		[sub('pusher:subscribe'), sub('pusher:unsubscribe')]).flat());
	const end = Date.now() + 1500;
	while (Date.now() < end) {
		for (const s of all)
			if (!s.gone && s.writableLength < MIB) s.write(pair);
		await sleep(1);
	}
	for (const s of all) s.destroy();
	await until('a broker', () => r.d.pidsOf('broker').length > 0, 20000);
	await until('it to serve', async () => {
		const h = await Http.connect(r.d);
		const a = await h.ask('GET', '/ready');
		h.end();
		return a.status === 200;
	}, 20000);
	await check(r);
});

test('S4: a replay to a new broker needs no more memory',
	async () => {
		const r = await running({}, { max_subscriptions: 1000 });
		const all = await sockets(r.d, r.app, 1200 * N);
		const name = (k) => `c${k}-`.padEnd(150, 'x');
		for (const s of all) {
			s.got = '';
			for (let k = 0; k < 60; k++)
				s.write(frame(OP.TEXT, JSON.stringify({
					event: 'pusher:subscribe',
					data: { channel: name(k) } })));
		}
		await until('answers', () => all.every((s) =>
			(s.got.match(/subscription_succeeded/g) || []).length === 60),
		60000);
		const before = memory(r.worker, 'VmHWM');
		const [broker] = r.d.pidsOf('broker');
		r.d.allow(/broker was killed|link to the broker lost/);
		process.kill(broker, 'SIGKILL');
		await until('a broker', () =>
			r.d.pidsOf('broker').some((p) => p !== broker), 20000);
		await publish(r.d, r.app, name(59), 'e', 'all');
		await until('the event', () => all.every((s) =>
			s.gone || s.got.endsWith('"data":"all"}')));
		assert.equal(all.filter((s) => s.gone).length, 0);
		const grown = memory(r.worker, 'VmHWM') - before;
		assert.ok(grown < 8 * MIB * (SLOW > 1 ? 4 : 1), `${grown >> 20} MiB`);
		for (const s of all) s.destroy();
		await check(r);
	});

test('S4: subscriptions fill the memory: some clients are closed, not all',
	async () => {
		const r = await running({}, { max_subscriptions: 1000 });
		const all = await sockets(r.d, r.app, SLOW > 1 ? 50 : 330);
		const bytes = Buffer.concat(Array.from({ length: 1000 }, (_, k) =>
			frame(OP.TEXT, JSON.stringify({ event: 'pusher:subscribe',
				data: { channel: `c${k}-`.padEnd(150, 'x') } }))));
		// Its last words to a client are the reason.
		const said = (s) => /memory_limit/.test(s.got.slice(-1000));
		for (const s of all) {
			s.removeAllListeners('data');
			s.got = '';
			s.n = 0;
			s.on('data', (b) => {
				const text = b.toString('latin1');
				s.n += (text.match(/subscription_succeeded/g) || []).length;
				s.got = (s.got + text).slice(-2000);
			});
		}
		for (const s of all) {
			s.write(bytes);
			await until('answers', () => s.gone || s.n > 900, 20000);
		}
		await sleep(1000);
		const closed = all.filter((s) => s.gone || said(s)).length;
		if (SLOW === 1)
			assert.ok(closed > 0 && closed < all.length / 2, `${closed}`);
		fits(r);
		for (const s of all) s.destroy(); // all at once
		await until('their ends', async () =>
			(await api(r.d, r.app, 'GET', '/connections')).json
				.connections === 1, 20000);
		await check(r);
	});

test('S4: commands of the console that go on count, and are closed first',
	async () => {
		const c = await Console.start({ workers: 1, memory_limit: LIMIT });
		const app = c.d.app({ max_backend_events_per_second: 0 });
		const r = await starts(c.d, app);
		const body = JSON.stringify({ verb: 'tail', args: { app: app.id } });
		const all = [];
		for (let i = 0; i < 16; i++) {
			const cookie = i % 8 ? all[i - 1].cookie : await c.login();
			const s = raw({ port: c.port }, 'POST /verb HTTP/1.1\r\n' +
				`Host: a:${c.port}\r\nCookie: ${cookie}\r\nX-Requested-With: test\r\n` +
				`Content-Length: ${body.length}\r\n\r\n${body}`);
			all.push(Object.assign(s, { cookie }));
		}
		await until('the commands', () =>
			c.d.pidsOf('console').length === 2 * all.length);
		const others = await sockets(r.d, app, 150);
		for (let i = 0; i < 110; i++)
			await publish(r.d, app, 'c', 'e', 'x'.repeat(10000));
		assert.deepEqual(all.map((s) => s.got).filter(Boolean), []);
		for (const s of others) s.write(begun);
		if (SLOW === 1)
			await until('a command to be closed', () =>
				all.some((s) => s.gone), 20000);
		await sleep(1000);
		assert.equal(others.filter((s) => s.gone).length, 0);
		for (const s of [...all, ...others]) s.destroy();
		await check(r);
	});

test('S4: while Redis is away: the sockets of clients that end come back, ' +
	'and the largest holders are closed', async () => {
	const redis = await new Redis().start();
	const d = host(redis, 'a', { workers: 1, memory_limit: LIMIT,
		max_connections: 800 });
	d.allow(...TROUBLES);
	const r = await starts(d, d.shared);
	const open = () => fs.readdirSync(`/proc/${r.worker}/fd`).length;
	await becomesReady(d);
	const others = await sockets(d, d.shared, 400);
	for (const s of others)
		s.write(frame(OP.TEXT, JSON.stringify({ event: 'pusher:subscribe',
			data: { channel: 'other' } })));
	await until('answers', () => others.every((s) =>
		/subscription_succeeded/.test(s.got)), 20000);
	const before = open();
	const all = await Client.several(d, d.shared, 300);
	await Promise.all(all.map(async (c) => {
		for (let k = 0; k < 100; k++)
			await c.subscribe(`c${k}-`.padEnd(150, 'x'));
	}));
	await redis.stop();
	await until('the host to know', async () => !await isReady(d));
	for (const c of all) c.destroy();
	await until('their sockets', () => open() <= before, 20000);
	// They take no place, though the broker knows them.
	const newcomers = await sockets(d, d.shared, 300);
	assert.ok(newcomers.every((s) => /connection_established/.test(s.got)));
	for (const s of newcomers) s.destroy();
	for (const s of others) s.write(begun);
	if (SLOW === 1)
		await until('some to be closed', () => others.some((s) =>
			/4100[^]*memory_limit/.test(s.got)), 20000);
	await sleep(1000);
	fits(r);
	assert.ok(!r.honest.gone);
	for (const s of others) s.destroy();
	await redis.start();
	await becomesReady(d);
	await until('their ends', async () =>
		(await api(d, d.shared, 'GET', '/connections')).json.connections === 0,
	20000);
	await d.stop();
	await redis.remove();
});
