// SPDX-License-Identifier: MIT
//
// Fewer workers by a reload: the clients of those that leave stay connected,
// and lose, double and reorder nothing, while others take them over.
'use strict';

const assert = require('node:assert/strict');
const { describe, before, after, test } = require('node:test');
const tls = require('node:tls');
const { Client, DEFLATE, closeAll, frame, OP } = require('./lib/client');
const { until } = require('./lib/daemon');
const { Http, api, get, publish } = require('./lib/http');
const { descriptors, memory } = require('./lib/process');
const { Publisher, check } = require('./lib/publisher');
const { Receiver } = require('./lib/receiver');
const reloads = require('./lib/reloads');
const resume = require('./lib/resume');
const { signedTarget } = require('./lib/sign');
const { Authority } = require('./lib/tls');

describe('fewer workers', () => {
	let d;
	let app;
	let kept;
	let r;

	before(async () => {
		d = reloads.daemon({ workers: 4 }, { log_level: 'info' });
		app = d.app({ client_events: 'on' });
		kept = d.app({ resume: 'on' });
		await d.start(d.extra);
		r = await Receiver.start();
		d.ctl(['webhook', 'add', app.id, r.url]);
	});
	after(async () => {
		await r.stop();
		try {
			await d.stop();
		} finally {
			d.kill();
		}
	});

	// So many workers; the answer says what came of the clients.
	async function workers(n) {
		const row = await d.reload({ workers: n });
		assert.equal(row.workers, n);
		await until(`${n} workers`, () => d.pidsOf('worker').length === n);
		return row;
	}

	test('4, 1, 4, 2 under load: nothing lost, doubled or reordered',
		async (t) => {
			const all = [];
			for (let i = 0; i < 6; i++)
				all.push(...await Client.onEachWorker(d, app));
			for (const c of all) await c.subscribe('load');
			await Client.joinAll(all, 'presence-m',
				(c, i) => ({ id: `u${i}`, info: { i } }));
			// Channels of one worker's clients alone.
			for (const [i, c] of all.entries())
				await c.subscribe(`own-${i % 4}`);
			const packed = await Client.onEachWorker(d, app,
				{ headers: DEFLATE });
			for (const c of packed) await c.subscribe('load');
			const signed = await Client.onEachWorker(d, app);
			for (const [i, c] of signed.entries())
				await c.signin({ id: `ann${i}`, watchlist: ['bob'] });
			const cached = await Client.onEachWorker(d, app);
			for (const c of cached) await c.subscribe('cache-c');
			const sessions = [];
			for (let i = 0; i < 8; i++) {
				const s = await resume.open(d, kept, resume.newId());
				await resume.enter(s, 'load');
				sessions.push(s);
			}
			const text = frame(OP.TEXT, JSON.stringify(
				{ event: 'pusher:ping', data: { x: 'y'.repeat(300) } }));
			const half = await Client.onEachWorker(d, app);
			for (const c of half) c.sock.write(text.subarray(0, 100));
			const head = await Client.onEachWorker(d, app);
			for (const c of head) c.sock.write(text.subarray(0, 3));
			const keep = [];
			for (let i = 0; i < 8; i++) keep.push(await Http.connect(d));
			for (const c of all) await c.sync();
			for (const c of signed) await c.sync();
			const events = r.events.length;
			const p = new Publisher(d, app, ['load', 'cache-c']);
			const own = [0, 1, 2, 3].map((i) =>
				new Publisher(d, app, [`own-${i}`]));
			const q = new Publisher(d, kept, ['load']);
			const target = signedTarget(app, 'GET',
				`/apps/${app.id}/channels`, {});
			const req = `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
			const worker = () => Math.min(...d.pidsOf('worker'));
			const usage = [];
			for (const n of [1, 4, 2]) {
				for (const h of keep) await h.write(req + req.slice(0, 40));
				const row = await workers(n);
				for (const h of keep) {
					await h.write(req.slice(40));
					assert.equal((await h.answer()).status, 200);
					assert.equal((await h.answer()).status, 200);
				}
				t.diagnostic(JSON.stringify(row));
				if (n !== 4) assert.equal(row.closed, 0);
				if (n === 1) {
					assert.ok(row.moved >= 30, JSON.stringify(row));
					assert.equal(Number(d.ctl(['status'])
						.flatMap((o) => o.workers ?? o)
						.find((w) => w.slot === 0).connections),
					all.length + packed.length + signed.length +
					cached.length + sessions.length + half.length +
					head.length);
				}
				usage.push([descriptors(worker()), memory(worker()) >> 10]);
				if (n === 4) {
					const fresh = await Client.onEachWorker(d, app);
					for (const c of fresh) await c.subscribe('other');
					half.push(...fresh);
					for (const c of fresh)
						c.sock.write(text.subarray(0, 100));
				}
			}
			for (const x of [p, q, ...own]) await x.stop();
			t.diagnostic(`descriptors, kB: ${usage.join('; ')}; longest ` +
				`publish ${Math.max(p.pause, q.pause)} ms`);
			for (const [i, c] of all.entries()) {
				const mine = own[i % 4];
				await until('all', () => c.frames.length >= p.n + mine.n);
				check(c, 'load', p.n, `client ${i}`);
				check(c, `own-${i % 4}`, mine.n, `client ${i}, own`);
				c.frames.splice(0, p.n + mine.n);
				assert.deepEqual(await c.sync(), [], 'and nothing else');
			}
			for (const [list, n, ch] of [[packed, p.n, 'load'],
				[cached, p.n, 'cache-c'], [sessions, q.n, 'load']])
				for (const c of list) {
					await until('all', () => c.frames.length >= n);
					check(c, ch, n, ch);
					c.frames = [];
				}
			for (const c of half) c.sock.write(text.subarray(100));
			for (const c of head) c.sock.write(text.subarray(3));
			for (const c of [...half, ...head])
				await c.expect('pusher:pong');
			// Users are where they were.
			const bob = await Client.connect(d, app);
			await bob.signin({ id: 'bob' });
			for (const [i, c] of signed.entries()) {
				await c.expect('pusher_internal:watchlist_events');
				await api(d, app, 'POST', '/events', { body: { name: 'e',
					channel: `#server-to-user-ann${i}`, data: 'x' } });
				assert.equal(await c.expect('e'), 'x');
			}
			await bob.close();
			// Presence and webhooks were silent.
			assert.deepEqual(r.events.slice(events).filter((e) =>
				e.name !== 'cache_miss' && e.channel !== 'other'), []);
			const list = await get(d, app, '/channels/presence-m/users');
			assert.equal(list.users.length, all.length);
			const late = await Client.connect(d, app);
			assert.equal((await late.join('presence-m', 'new')).count,
				all.length + 1);
			for (const c of all)
				await c.expect('pusher_internal:member_added');
			await late.close();
			for (const c of all)
				await c.expect('pusher_internal:member_removed');
			// Each leaves as it came: nothing is left behind.
			for (const c of [...all, ...packed, ...signed, ...cached,
				...sessions, ...half, ...head])
				await c.close();
			for (const h of keep) h.end();
			await until('no channel', async () => Object.keys(
				(await get(d, app, '/channels')).channels).length === 0);
			await until('no connection', () => d.ctl(['status'])
				.flatMap((o) => o.workers ?? o)
				.filter((w) => w.slot !== undefined)
				.every((w) => Number(w.connections) === 0));
		});
});

test('clients with TLS stay connected through the old process', async () => {
	const a = new Authority();
	const d = reloads.daemon({ workers: 2 }, {
		listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
		tls_certificate: a.file('cert.pem'),
		tls_key: a.file('key.pem') });
	const app = d.app();
	await d.start(d.extra);
	const sock = () => tls.connect({ port: d.ports[1], host: '127.0.0.1',
		servername: 'localhost', ca: a.ca });
	const all = await Client.several(d, app, 12, { sock });
	for (const c of all) await c.subscribe('room');
	const row = await d.reload({ workers: 1 });
	assert.ok(row.tls_lingers > 0 && row.tls_lingers === row.moved,
		JSON.stringify(row));
	assert.equal(row.closed, 0);
	for (let i = 0; i < 20; i++)
		await publish(d, app, 'room', 'e', String(i));
	for (const c of all)
		for (let i = 0; i < 20; i++)
			assert.equal(await c.expect('e'), String(i));
	await closeAll(all);
	// The process that spoke TLS for them has nothing left to do.
	await until('its end', () => Object.values(d.processes())
		.every((title) => !/TLS of/.test(title)));
	await d.stop();
	a.remove();
});
