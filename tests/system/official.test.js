// SPDX-License-Identifier: MIT
//
// The official libraries against the daemon, unmodified: pusher-js of every
// major version from 4 on, laravel-echo, the server library, and ws.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { test, before, after } = require('node:test');
const WebSocket = require('ws');
const { Client } = require('./lib/client');
const { until } = require('./lib/daemon');
const { VERSIONS, server, authServer, client, once, connected } =
	require('./lib/official');
const { suite } = require('./lib/suite');

const OK = 'pusher:subscription_succeeded';

suite('official libraries', (d) => {
	const app = d.app({ client_events: 'on', subscription_count: 'on' });
	let lib;
	let auth;
	const connect = (version, how) =>
		connected(client(version, d, app, auth, how));

	before(async () => {
		lib = server(d, app);
		auth = await authServer(lib);
	});
	after(async () => {
		await auth.stop();
	});

	for (const version of Object.keys(VERSIONS)) {
		test(`B35 pusher-js ${version}: all kinds of channels`, async () => {
			const p = await connect(version, { user: 'ann' });
			assert.match(p.connection.socket_id, /^\d+\.\d+$/);
			for (const name of ['room', 'private-x', 'private-cache-x',
				'cache-x', 'private-encrypted-x'].slice(0, 4)) {
				const ch = p.subscribe(name);
				await once(ch, OK);
				const got = once(ch, 'my-event');
				await lib.trigger(name, 'my-event', { hello: 'é🎈', n: 1 });
				assert.deepEqual(await got, { hello: 'é🎈', n: 1 });
			}
			p.disconnect();
		});

		test(`pusher-js ${version}: presence and client events`, async () => {
			const a = await connect(version, { user: 'ann' });
			const chA = a.subscribe(`presence-v${version}`);
			const members = await once(chA, OK);
			assert.equal(members.count, 1);
			assert.deepEqual(members.me, { id: 'ann', info: { name: 'ann' } });
			const added = once(chA, 'pusher:member_added');
			const b = await connect(version, { user: 'bob' });
			const chB = b.subscribe(`presence-v${version}`);
			const other = await once(chB, OK);
			assert.equal(other.count, 2);
			assert.deepEqual(Object.keys(other.members).sort(),
				['ann', 'bob']);
			assert.deepEqual(await added, { id: 'bob',
				info: { name: 'bob' } });
			const typed = new Promise((ok) => chB.bind('client-typing',
				(data, meta) => ok([data, meta?.user_id])));
			assert.equal(chA.trigger('client-typing', { on: [1, 'x'] }), true);
			const [data, who] = await typed;
			assert.deepEqual(data, { on: [1, 'x'] });
			if (version >= 6) assert.equal(who, 'ann');
			const removed = once(chA, 'pusher:member_removed');
			b.disconnect();
			assert.equal((await removed).id, 'bob');
			a.disconnect();
		});

		test(`pusher-js ${version}: refusals reach the application`,
			async () => {
				const p = client(version, d, { key: 'nobody' }, auth);
				const errors = [];
				p.connection.bind('error', (e) => errors.push(e));
				await until('the error', () => errors.length > 0 &&
					p.connection.state !== 'connecting');
				assert.ok(JSON.stringify(errors).includes('4001'));
				p.disconnect();
			});
	}

	test('an event published through another worker', async () => {
		const raw = await Client.onEachWorker(d, app);
		const p = await connect(8);
		const ch = p.subscribe('news');
		await once(ch, OK);
		for (const c of raw) await c.subscribe('news');
		const got = [];
		const want = [...Array(30).keys()];
		ch.bind('e', (data) => got.push(data));
		for (let i = 0; i < 30; i++) await lib.trigger('news', 'e', { i });
		for (const c of raw) {
			// The library takes a new connection for each, so their order
			// is free; see the tests of the order.
			const seen = [];
			while (seen.length < 30) {
				const m = await c.next();
				if (m.event === 'e') seen.push(JSON.parse(m.data).i);
			}
			assert.deepEqual(seen.sort((x, y) => x - y), want);
			await c.close();
		}
		await until('30 events', () => got.length === 30);
		assert.deepEqual(got.map((x) => x.i).sort((x, y) => x - y), want);
		p.disconnect();
	});

	test('pusher-js: a refused channel', async () => {
		const wrong = await authServer(server(d, { ...app, secret: 'no' }));
		const p = await connected(client(8, d, app, wrong));
		const e = await once(p.subscribe('private-x'),
			'pusher:subscription_error');
		assert.equal(e.status, 401);
		p.disconnect();
		await wrong.stop();
	});

	test('pusher-js: encrypted channel, end to end', async () => {
		const key = crypto.randomBytes(32).toString('base64');
		const secretLib = server(d, app, { encryptionMasterKeyBase64: key });
		const endpoint = await authServer(secretLib);
		for (const name of ['private-encrypted-x',
			'private-encrypted-cache-x']) {
			const p = await connected(client(8, d, app, endpoint));
			const raw = await Client.connect(d, app);
			await raw.subscribe(name);
			if (name.includes('cache'))
				await raw.expect('pusher:cache_miss', name);
			const ch = p.subscribe(name);
			await once(ch, OK);
			const got = once(ch, 'secret');
			await secretLib.trigger(name, 'secret', { words: 'héllo' });
			assert.deepEqual(await got, { words: 'héllo' });
			let m;
			do m = await raw.next();
			while (m.event !== 'secret');
			const box = JSON.parse(m.data);
			assert.deepEqual(Object.keys(box).sort(), ['ciphertext', 'nonce']);
			// Nothing shorter: three letters of base64 come by chance.
			assert.ok(!m.data.includes('words'));
			assert.ok(!m.data.includes('héllo'));
			await raw.close();
			p.disconnect();
		}
		await endpoint.stop();
	});

	test('pusher-js: cache channel and cache_miss', async () => {
		const p = await connect(8);
		const ch = p.subscribe('cache-c');
		await once(ch, 'pusher:cache_miss');
		await lib.trigger('cache-c', 'state', { v: 1 });
		const q = await connect(8);
		assert.deepEqual(await once(q.subscribe('cache-c'), 'state'), { v: 1 });
		p.disconnect();
		q.disconnect();
	});

	test('pusher-js: subscription count', async () => {
		const p = await connect(8);
		const ch = p.subscribe('counted');
		const first = await once(ch, 'pusher:subscription_count');
		assert.equal(first.subscription_count, 1);
		const c = await Client.connect(d, app);
		const second = once(ch, 'pusher:subscription_count');
		await c.subscribe('counted');
		const s = await second;
		assert.equal(s.subscription_count, 2);
		assert.equal(ch.subscriptionCount, 2);
		await c.close();
		p.disconnect();
	});

	test('pusher-js: sign-in, watchlist, events to a user, terminate',
		async () => {
			const p = await connect(8, { user: 'u-1', watch: ['u-2'] });
			const online = once(p.user.watchlist, 'online');
			const offline = once(p.user.watchlist, 'offline');
			p.signin();
			await p.user.signinDonePromise;
			assert.equal(p.user.user_data.id, 'u-1');
			assert.deepEqual((await offline).user_ids, ['u-2']);
			const q = await connect(8, { user: 'u-2' });
			q.signin();
			await q.user.signinDonePromise;
			assert.deepEqual((await online).user_ids, ['u-2']);
			const got = once(p.user, 'notice');
			await lib.sendToUser('u-1', 'notice', { x: 1 });
			assert.deepEqual(await got, { x: 1 });
			const ended = once(p.connection, 'disconnected');
			await lib.terminateUserConnections('u-1');
			await ended;
			assert.equal(q.connection.state, 'connected');
			q.disconnect();
		});

	test('pusher-js comes back by itself after a 4200', async () => {
		const p = await connect(8);
		const first = p.connection.socket_id;
		const ch = p.subscribe('back');
		await once(ch, OK);
		// Cut the line under it.
		p.connection.connection.transport.socket.close();
		await until('a new connection', () => p.connection.state ===
			'connected' && p.connection.socket_id !== first);
		await until('the subscription', () => ch.subscribed);
		const got = once(ch, 'e');
		await lib.trigger('back', 'e', 1);
		assert.equal(await got, 1);
		p.disconnect();
	});

	test('server library: trigger, batch, queries, exclusion', async () => {
		const a = await connect(8, { user: 'ann' });
		const b = await connect(8, { user: 'bob' });
		const got = { a: [], b: [] };
		for (const [who, p] of [['a', a], ['b', b]])
			for (const name of ['one', 'two', 'presence-lib']) {
				const ch = p.subscribe(name);
				ch.bind('e', (x) => got[who].push(`${name} ${x}`));
				await once(ch, OK);
			}
		await lib.trigger(['one', 'two'], 'e', 1);
		await lib.trigger('one', 'e', 2, { socket_id: a.connection.socket_id });
		await lib.triggerBatch([{ channel: 'one', name: 'e', data: 3 },
			{ channel: 'two', name: 'e', data: 4,
				socket_id: b.connection.socket_id }]);
		await until('the events', () => got.a.length === 4 &&
			got.b.length === 4);
		assert.deepEqual(got.a.sort(), ['one 1', 'one 3', 'two 1', 'two 4']);
		assert.deepEqual(got.b.sort(), ['one 1', 'one 2', 'one 3', 'two 1']);

		const ask = async (path, params) => {
			const res = await lib.get({ path, params });
			assert.equal(res.status, 200);
			return res.json();
		};
		assert.deepEqual(await ask('/channels',
			{ filter_by_prefix: 'presence-lib', info: 'user_count' }),
		{ channels: { 'presence-lib': { user_count: 2 } } });
		assert.deepEqual(await ask('/channels/presence-lib',
			{ info: 'user_count,subscription_count' }),
		{ occupied: true, user_count: 2, subscription_count: 2 });
		assert.deepEqual(await ask('/channels/presence-lib/users'),
			{ users: [{ id: 'ann' }, { id: 'bob' }] });
		const r = await lib.trigger(['one', 'presence-lib'], 'x', 1,
			{ info: 'user_count,subscription_count' });
		assert.deepEqual(await r.json(), { channels: {
			one: { subscription_count: 2 },
			'presence-lib': { user_count: 2, subscription_count: 2 } } });
		a.disconnect();
		b.disconnect();
	});

	test('server library: errors have a status and a text', async () => {
		const wrong = server(d, { ...app, secret: 'wrong' });
		await assert.rejects(wrong.trigger('x', 'e', 1),
			(e) => e.status === 401 && /auth_timestamp/.test(e.body));
		await assert.rejects(lib.trigger('x', 'e', 'y'.repeat(20000)),
			(e) => e.status === 413 && /10240/.test(e.body));
		await assert.rejects(lib.trigger('x', 'pusher:e', 1),
			(e) => e.status === 400);
	});

	test('laravel-echo', async () => {
		const { default: Echo } = await import('laravel-echo');
		const make = async (user) => {
			const echo = new Echo({ broadcaster: 'pusher',
				client: await connect(8, { user }) });
			return echo;
		};
		const a = await make('ann');
		const here = new Promise((ok) => a.join('chat').here(ok));
		assert.deepEqual(await here, [{ name: 'ann' }]);
		const joined = new Promise((ok) => a.join('chat').joining(ok));
		const b = await make('bob');
		const both = new Promise((ok) => b.join('chat').here(ok));
		assert.equal((await both).length, 2);
		assert.deepEqual(await joined, { name: 'bob' });
		const whisper = new Promise((ok) =>
			b.join('chat').listenForWhisper('typing', ok));
		a.join('chat').whisper('typing', { name: 'ann' });
		assert.deepEqual(await whisper, { name: 'ann' });
		const ordered = new Promise((ok) => b.private('orders')
			.subscribed(async () => {
				b.private('orders').listen('OrderShipped', ok);
				await lib.trigger('private-orders',
					'App\\Events\\OrderShipped', { id: 7 });
			}));
		assert.deepEqual(await ordered, { id: 7 });
		const errors = [];
		a.connector.pusher.connection.bind('error', (e) => errors.push(e));
		const left = new Promise((ok) => a.join('chat').leaving(ok));
		b.leave('chat');
		assert.deepEqual(await left, { name: 'bob' });
		a.leave('never-joined');
		a.leave('chat');
		await lib.trigger('x', 'e', 1);
		assert.deepEqual(errors, [], 'leaving is quiet');
		a.disconnect();
		b.disconnect();
	});

	test('ws: connect, ping, close', async () => {
		const scheme = d.tls ? 'wss' : 'ws';
		const ws = new WebSocket(
			`${scheme}://127.0.0.1:${d.port}/app/${app.key}` +
			'?protocol=7', { perMessageDeflate: true });
		const first = await new Promise((ok) => ws.once('message', ok));
		assert.match(first.toString(), /connection_established/);
		const pong = new Promise((ok) => ws.once('pong', ok));
		ws.ping('abc');
		assert.equal((await pong).toString(), 'abc');
		const closed = new Promise((ok) => ws.once('close',
			(code, reason) => ok([code, reason.toString()])));
		ws.close(3001, 'bye');
		assert.equal((await closed)[0], 3001);
	});
});
