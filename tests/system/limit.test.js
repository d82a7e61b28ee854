// SPDX-License-Identifier: MIT
//
// Limits of an app that count over all workers: connections, rates; and
// idempotency and origins.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { sleep, until } = require('./lib/daemon');
const { Http, api, get, onEachWorker } = require('./lib/http');
const { suite } = require('./lib/suite');

// The tokens that a bucket of this rate may have given since, on a slow machine
// too.
function allowed(rate) {
	const began = performance.now();
	return () => rate + Math.ceil((performance.now() - began) / 1000 * rate);
}

suite('limit', (d) => {
	async function tryConnect(app, how) {
		const c = new Client(d, `/app/${app.key}?protocol=7`, how);
		c.app = app;
		assert.equal((await c.upgraded()).status, 101);
		const m = await c.next();
		if (m.event === 'pusher:connection_established') return c;
		assert.equal(m.data.code, 4004, c.text);
		assert.match(m.data.message, /5/);
		await c.expectClose(4004);
		return null;
	}

	test('B13 max_connections: exact, released on every way out',
		async () => {
			const app = d.app({ max_connections: 5 });
			for (let round = 0; round < 4; round++) {
				const got = await Promise.all(Array.from({ length: 30 },
					() => tryConnect(app)));
				const some = got.filter(Boolean);
				assert.equal(some.length, 5);
				some[0].destroy();
				some[1].reset();
				some[2].sock.write(Buffer.from([0xff, 0xff]));
				await closeAll(some.slice(3));
				await until('no connections', async () =>
					(await get(d, app, '/connections')).connections === 0);
			}
		});

	test('a limit that is lowered holds for newcomers', async () => {
		const app = d.app({ max_connections: 0 });
		const all = await Client.several(d, app, 8);
		d.ctl(['app', 'set', app.id, 'max_connections=5']);
		assert.equal(await tryConnect(app), null);
		await closeAll(all.slice(4));
		await until('4 connections', async () =>
			(await get(d, app, '/connections')).connections === 4);
		const c = await tryConnect(app);
		assert.ok(c);
		assert.equal(await tryConnect(app), null);
		await closeAll([c, ...all.slice(0, 4)]);
	});

	test('max_backend_events_per_second: 429 with Retry-After', async () => {
		const app = d.app({ max_backend_events_per_second: 20 });
		const https = await onEachWorker(d);
		const body = { name: 'e', channel: 'x', data: '1' };
		let may = allowed(20);
		const results = await Promise.all(https.map(async (h) => {
			const list = [];
			for (let i = 0; i < 60 / https.length; i++)
				list.push(await h.api(app, 'POST', '/events', { body }));
			return list;
		}));
		const all = results.flat();
		const ok = all.filter((r) => r.status === 200).length;
		assert.ok(ok >= Math.min(20, all.length) && ok <= may(),
			`${ok} accepted`);
		for (const r of all.filter((x) => x.status !== 200)) {
			assert.equal(r.status, 429);
			assert.match(r.headers['retry-after'], /^[1-9]\d*$/);
			assert.match(r.json.error, /20/);
		}
		await sleep(1200);
		// A batch takes as many as it holds, all or nothing.
		const batch = { batch: Array.from({ length: 10 }, () => body) };
		may = allowed(20);
		const got = [];
		for (let i = 0; i < 3; i++)
			got.push((await https[0].api(app, 'POST', '/batch_events',
				{ body: batch })).status);
		assert.deepEqual(got.slice(0, 2), [200, 200]);
		assert.ok(got[2] === 429 || may() >= 30, `${got}`);
		assert.equal((await https[0].api(app, 'GET', '/channels')).status, 200);
		assert.equal(d.ctl(['stats', app.id])[0].app.limited_api,
			all.length - ok + (got[2] === 429));
		for (const h of https) h.end();
	});

	test('max_read_requests_per_second', async () => {
		const app = d.app({ max_read_requests_per_second: 10 });
		const h = await Http.connect(d);
		const may = allowed(10);
		const got = [];
		for (let i = 0; i < 30; i++)
			got.push((await h.api(app, 'GET', '/channels')).status);
		const ok = got.filter((s) => s === 200).length;
		assert.ok(ok >= 10 && ok <= may(), `${ok} answered`);
		assert.ok(got.every((s) => s === 200 || s === 429));
		assert.equal(d.ctl(['stats', app.id])[0].app.limited_api,
			got.length - ok);
		assert.equal((await h.api(app, 'POST', '/events', { body:
			{ name: 'e', channel: 'x', data: '1' } })).status, 200);
		h.end();
	});

	test('idempotency: the same answer, nothing sent twice', async () => {
		const app = d.app();
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		const https = await onEachWorker(d);
		const send = (h, key, data, path = '/events') => h.api(app, 'POST',
			path, { body: { name: 'e', channel: 'room', data,
				info: 'subscription_count' },
			headers: { 'X-Idempotency-Key': key } });
		const first = await send(https[0], 'k1', '1');
		assert.equal(first.status, 200);
		for (const h of [...https, https[0]]) {
			const r = await send(h, 'k1', '1');
			assert.equal(r.status, 200);
			assert.equal(r.text, first.text);
		}
		await send(https[0], 'k2', '2');
		assert.equal(await c.expect('e'), '1');
		assert.equal(await c.expect('e'), '2');
		const other = d.app();
		assert.equal((await https[0].api(other, 'POST', '/events', { body:
			{ name: 'e', channel: 'room', data: '3' },
		headers: { 'X-Idempotency-Key': 'k1' } })).text, '{}');
		assert.deepEqual(await c.sync(), []);
		for (const h of https) h.end();
		await c.close();
	});

	test('idempotency: the route that answers 202', async () => {
		const app = d.app();
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		for (let i = 0; i < 3; i++)
			assert.equal((await api(d, app, 'POST',
				'/channels/room/events', { query: { name: 'e' },
					body: 'old', headers: { 'X-Idempotency-Key': 'k' } }))
				.status, 202);
		assert.equal(await c.expect('e'), 'old');
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	// The first try is under way when its connection ends.
	for (const info of [undefined, 'subscription_count'])
		test(`idempotency: the connection is lost, info ${info}`, async () => {
			const app = d.app({ max_backend_events_per_second: 0 });
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			const [broker] = d.pidsOf('broker');
			for (let i = 0; i < 20; i++) {
				const go = async (h) => h.api(app, 'POST', '/events', {
					body: { name: 'e', channel: 'room', data: `${i}`, info },
					headers: { 'X-Idempotency-Key': `lost-${i}` } });
				const h = await Http.connect(d);
				process.kill(broker, 'SIGSTOP');
				go(h).catch(() => {});
				await sleep(10);
				if (i % 2) h.sock.resetAndDestroy();
				else h.end();
				const other = await Http.connect(d);
				const retry = go(other);
				await sleep(10);
				process.kill(broker, 'SIGCONT');
				const r = await retry;
				assert.equal(r.status, 200);
				other.end();
			}
			for (let i = 0; i < 20; i++)
				assert.equal(await c.expect('e'), `${i}`);
			assert.deepEqual(await c.sync(), []);
			await c.close();
		});
});

suite('origin', (d) => {
	const app = d.app({ allowed_origins:
		'https://example.com https://*.example.org http://localhost:3000' });
	const from = (origin, a = app) => new Client(d, `/app/${a.key}?protocol=7`,
		{ headers: { Origin: origin } });

	for (const origin of ['https://example.com', 'https://a.example.org',
		'https://a.b.example.org', 'http://localhost:3000', undefined])
		test(`${origin} is let in`, async () => {
			const c = from(origin);
			await c.greeted();
			await c.close();
		});

	for (const origin of ['https://example.com.evil.net', 'null', '',
		'http://example.com', 'https://evil.net', 'https://example.org',
		'https://evilexample.org', 'https://a.example.org.evil.net',
		'http://localhost', 'http://localhost:30000', 'https://*.example.org',
		'https://example.com:8443', 'https://example.com/'])
		test(`D08 ${JSON.stringify(origin)}: 4009 and closed`, async () => {
			const c = from(origin);
			assert.equal((await c.upgraded()).status, 101);
			await c.expectFatal(4009, /origin/i);
		});

	test('no list: everybody', async () => {
		const open = d.app();
		for (const origin of ['https://evil.net', 'null']) {
			const c = from(origin, open);
			await c.greeted();
			await c.close();
		}
	});

	test('the API does not look at origins', async () => {
		const r = await api(d, app, 'GET', '/channels',
			{ headers: { Origin: 'https://evil.net' } });
		assert.equal(r.status, 200);
		assert.equal(r.headers['access-control-allow-origin'], undefined);
	});
});
