// SPDX-License-Identifier: MIT
//
// Two hosts, one Redis: watchlists and the counts of the API over both; a
// worker that dies while the other host publishes.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { host, joined } = require('./lib/cluster');
const { becomes, until } = require('./lib/daemon');
const { get, publish } = require('./lib/http');
const { Redis } = require('./lib/redis');

const WATCHED = 'pusher_internal:watchlist_events';
const ADDED = 'pusher_internal:member_added';
const REMOVED = 'pusher_internal:member_removed';

async function watched(c) {
	const data = await c.expect(WATCHED);
	const { events } = typeof data === 'string' ? JSON.parse(data) : data;
	return Object.fromEntries(events.map((e) => [e.name,
		e.user_ids.sort()]));
}

describe('a cluster: users, counts, a dead worker', () => {
	const redis = new Redis();
	let a, b, app;

	before(async () => {
		await redis.start();
		a = host(redis, 'a', { workers: 2 });
		b = host(redis, 'b');
		for (const d of [a, b]) {
			d.allow(/host \w is gone/);
			await d.start();
			await joined(d);
		}
		app = a.shared;
		a.ctl(['app', 'set', '42', 'subscription_count=on']);
	});

	after(async () => {
		for (const d of [a, b]) await d.stop();
		await redis.remove();
	});

	test('a watchlist has the users of the other host', async () => {
		const x = await Client.connect(a, app);
		await x.signin({ id: 'ann', watchlist: ['bob', 'cleo'] });
		assert.deepEqual(await watched(x), { offline: ['bob', 'cleo'] });
		const y = await Client.connect(b, app);
		await y.signin({ id: 'bob' });
		assert.deepEqual(await watched(x), { online: ['bob'] });
		const late = await Client.connect(a, app);
		await late.signin({ id: 'dan', watchlist: ['bob'] });
		assert.deepEqual(await watched(late), { online: ['bob'] });
		await y.close();
		for (const c of [x, late])
			assert.deepEqual(await watched(c), { offline: ['bob'] });
		await Promise.all([x.close(), late.close()]);
	});

	test('counts of channels and of a publish are those of both', async () => {
		const all = [];
		for (const [i, d] of [a, b, b].entries()) {
			const c = await Client.connect(d, app);
			// In this order: counts of private-n may come at any time.
			await c.join('presence-n', `u${i % 2}`);
			await c.subscribe('private-n');
			all.push(c);
		}
		for (const d of [a, b]) {
			const ask = (path, query) => get(d, app, path, query);
			await becomes(() => ask('/channels/private-n',
				{ info: 'subscription_count' }),
			{ occupied: true, subscription_count: 3 });
			assert.deepEqual(await ask('/channels', { info: 'user_count',
				filter_by_prefix: 'presence-' }),
			{ channels: { 'presence-n': { user_count: 2 } } });
			assert.deepEqual((await publish(d, app, ['private-n',
				'presence-n'], 'e', 'x',
			{ info: 'subscription_count,user_count' })).channels,
			{ 'private-n': { subscription_count: 3 },
				'presence-n': { subscription_count: 3, user_count: 2 } });
			assert.equal(d.ctl(['publish', '42', 'private-n', 'ctl',
				'1'])[0].subscriptions, 3);
		}
		await Promise.all(all.map((c) => c.close()));
	});

	// An event that the dead worker should have had must not end the broker.
	test('a worker dies while the other host publishes: its neighbours get '
		+ 'each event once, in order', async () => {
		a.allow(/worker/, /clients are told to reconnect/);
		const both = await Client.onEachWorker(a, app);
		const far = await Client.connect(b, app);
		for (const c of [...both, far]) await c.subscribe('private-w');
		for (let round = 0; round < 5; round++) {
			const [dies, stays] = both;
			const broker = a.pidsOf('broker')[0];
			const sent = [];
			for (let i = 0; i < 60; i++) {
				sent.push(publish(b, app, ['private-w'], 'e',
					`${round}-${i}`));
				if (i === 20) process.kill(dies.worker, 'SIGKILL');
			}
			await Promise.all(sent);
			for (const c of [stays, far])
				for (let i = 0; i < 60; i++) {
					let got;
					do got = await c.next();
					while (got.event !== 'e');
					assert.equal(got.data, `${round}-${i}`);
				}
			await dies.ended();
			await until('the next worker', () =>
				a.pidsOf('worker').length === 2);
			assert.equal(a.pidsOf('broker')[0], broker, 'the same broker');
			const two = await Client.onEachWorker(a, app);
			const next = two.find((c) => c.worker !== stays.worker);
			await two.find((c) => c !== next).close();
			await next.subscribe('private-w');
			both.splice(0, 2, stays, next);
			both.reverse();
		}
		await Promise.all([...both, far].map((c) => c.close()));
		await becomes(async () => (await get(b, app, '/channels')).channels,
			{});
	});

	test('with fewer workers the clients of those that leave get 4200, and ' +
		'the other host sees their members go', async () => {
		const all = await Client.onEachWorker(a, app);
		const [pid] = a.pidsOf('worker 1');
		const goes = all.find((c) => c.worker === pid);
		const stays = all.find((c) => c !== goes);
		const y = await Client.connect(b, app);
		const rest = [y, stays];
		await y.join('presence-w', 'y');
		await stays.join('presence-w', 'stays');
		await y.expect(ADDED, 'presence-w');
		await goes.join('presence-w', 'goes');
		for (const c of rest) await c.expect(ADDED, 'presence-w');
		a.ctl(['config', 'set', 'workers', '1']);
		await goes.expectFatal(4200);
		for (const c of rest) await c.expect(REMOVED, 'presence-w');
		await publish(b, app, ['presence-w'], 'e', '1');
		for (const c of rest)
			assert.equal(await c.expect('e', 'presence-w'), '1');
		for (const d of [a, b])
			assert.equal((await get(d, app, '/channels/presence-w/users'))
				.users.length, 2);
		await Promise.all([stays.close(), y.close()]);
	});
});
