// SPDX-License-Identifier: MIT
//
// Two hosts and one Redis: one order of all events, exact presence and counts
// over both; a 200 only after the stream; a host or Redis that goes away.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { host, joined } = require('./lib/cluster');
const { Daemon, becomes, until } = require('./lib/daemon');
const { Http, api, get, publish } = require('./lib/http');
const { parse } = require('./lib/prometheus');
const { Redis } = require('./lib/redis');

const ADDED = 'pusher_internal:member_added';
const REMOVED = 'pusher_internal:member_removed';

const close = (...all) => Promise.all(all.map((c) => c.close()));
const status = async (d, app) => (await api(d, app, 'POST', '/events',
	{ body: { name: 'e', channel: 'c', data: 'x' } })).status;
const ready = async (d) => {
	const h = await Http.connect(d);
	const r = await h.ask('GET', '/ready');
	h.end();
	return r.status;
};
// Values by their names behind "cluster_".
const metrics = async (d) => {
	const h = await Http.connect({ ...d, port: d.metrics });
	const { text } = await h.ask('GET', '/metrics');
	h.end();
	const m = parse(text);
	return (...names) => names.map((n) => m.value(`pusherd_cluster_${n}`));
};

test('without a cluster: status says so, and the metrics are 0', async () => {
	const d = await new Daemon({ metrics_listen: '127.0.0.1:0' }).start();
	try {
		assert.deepEqual(d.ctl(['cluster', 'status']),
			[{ cluster: { state: 'off' }, hosts: [] }]);
		assert.equal(d.ctlRaw(['cluster', 'status']).out,
			'cluster\tThis host is alone: the option cluster is empty.\n');
		assert.match(d.ctlRaw(['cluster', 'hosts']).err,
			/This host is alone: the option cluster is empty\./);
		assert.deepEqual((await metrics(d))('connected', 'hosts',
			'entries_behind', 'connects_total'), [0, 0, 0, 0]);
	} finally {
		await d.stop();
	}
});

describe('cluster', () => {
	const redis = new Redis();
	let a, b, app;

	before(async () => {
		await redis.start();
		a = await host(redis, 'a').start();
		b = await host(redis, 'b', { workers: 2 }).start();
		app = a.shared;
	});

	after(async () => {
		await a.stop();
		b.allow(/host a is gone/);
		await b.stop();
		await redis.remove();
	});

	test('one order of events on both hosts, and the sender left out',
		async () => {
			const x = await Client.connect(a, app);
			const y = await Client.connect(b, app);
			for (const c of [x, y]) await c.subscribe('private-order');
			const sent = [];
			for (let i = 0; i < 50; i++)
				for (const d of [a, b])
					sent.push(publish(d, app, ['private-order'], 'e',
						`${d === a ? 'a' : 'b'}${i}`));
			await Promise.all(sent);
			const log = { x: [], y: [] };
			for (let i = 0; i < 100; i++) {
				log.x.push(await x.expect('e', 'private-order'));
				log.y.push(await y.expect('e', 'private-order'));
			}
			assert.equal(new Set(log.x).size, 100);
			assert.deepEqual(log.y, log.x);
			x.trigger('private-order', 'client-typing', { n: 1 });
			await y.expect('client-typing', 'private-order');
			await publish(b, app, ['private-order'], 'but', 'x',
				{ socket_id: x.sid });
			await y.expect('but', 'private-order');
			await publish(b, app, ['private-order'], 'all', '1');
			await x.expect('all', 'private-order');
			await y.expect('all', 'private-order');
			b.ctl(['publish', '42', 'private-order', 'ctl', '1']);
			for (const c of [x, y]) await c.expect('ctl', 'private-order');
			await close(x, y);
		});

	test('members, counts and queries are those of both', async () => {
		const x = await Client.connect(a, app);
		const y = await Client.connect(b, app);
		assert.equal((await x.join('presence-p', 'u1')).count, 1);
		assert.deepEqual((await y.join('presence-p', 'u2', { n: '"q"' })),
			{ ids: ['u1', 'u2'], count: 2,
				hash: { u1: null, u2: { n: '"q"' } } });
		await x.expect(ADDED, 'presence-p');
		for (const d of [a, b]) {
			const users = await get(d, app, '/channels/presence-p/users');
			assert.deepEqual(users.users, [{ id: 'u1' }, { id: 'u2' }]);
		}
		await y.close();
		await x.expect(REMOVED, 'presence-p');
		await x.close();
		await becomes(() => get(b, app, '/channels'), { channels: {} });
	});

	test('sign-in, server-to-user, terminate, cache channels', async () => {
		const x = await Client.connect(a, app);
		const y = await Client.connect(b, app);
		await y.signin({ id: 'ada' });
		await publish(a, app, ['#server-to-user-ada'], 'hi', '1');
		await y.expect('hi', '#server-to-user-ada');
		await publish(a, app, ['cache-c'], 'last', '7');
		await y.subscribe('cache-c');
		await y.expect('last', 'cache-c');
		const r = await api(a, app, 'POST',
			'/users/ada/terminate_connections', { body: {} });
		assert.equal(r.status, 200);
		await y.expectFatal(4009);
		await x.close();
	});

	test('a host that joins gets the state; one that dies is removed',
		async () => {
			const x = await Client.connect(a, app);
			const y = await Client.connect(b, app);
			await x.join('presence-j', 'u1', { n: 'a"\\b' });
			await y.subscribe('plain');
			// Those of a worker stand before the event in the state.
			for (const w of [x, y]) {
				await w.subscribe('cache-j');
				await w.expect('pusher:cache_miss', 'cache-j');
			}
			await publish(a, app, ['cache-j'], 'last', '8');
			for (const w of [x, y]) await w.expect('last', 'cache-j');
			const c = await host(redis, 'c').start();
			await joined(c, 1);
			const z = await Client.connect(c, app);
			assert.deepEqual(await z.join('presence-j', 'u3'),
				{ ids: ['u1', 'u3'], count: 2,
					hash: { u1: { n: 'a"\\b' }, u3: null } });
			await x.expect(ADDED, 'presence-j');
			assert.deepEqual((await get(c, app, '/channels')).channels,
				{ 'cache-j': {}, 'presence-j': {}, plain: {} });
			await z.subscribe('cache-j');
			await z.expect('last', 'cache-j');
			for (const d of [a, b]) d.allow(/host c is gone/);
			c.kill();
			await c.exited;
			c.remove();
			await x.expect(REMOVED, 'presence-j', 12000);
			await close(x, y);
		});

	test('cluster status and the metrics: hosts, beats, entries', async () => {
		const x = await Client.connect(a, app);
		const y = await Client.connect(b, app);
		await x.subscribe('s1');
		for (const c of ['s1', 's2']) await y.subscribe(c);
		const now = (d) => d.ctl(['cluster', 'status'])[0];
		await becomes(() => now(a).hosts.map((h) => [h.host, h.workers,
			h.subscriptions, h.connections, h.beat_ms >= 0]),
		[['a', 1, 1, 1, true], ['b', 2, 2, null, true]]);
		assert.deepEqual(a.ctl(['cluster', 'hosts']).map((h) => h.host),
			['a', 'b']);
		const table = a.ctlRaw(['cluster', 'hosts']).out;
		assert.match(table, /^a\t1\t1\t1\tyes\t\d+\nb\t2\t-\t2\tno\t\d+\n$/);
		const { cluster } = now(a);
		assert.equal(cluster.state, 'up');
		assert.equal(cluster.redis, redis.url);
		assert.match(cluster.place, /^\d+-\d+$/);
		assert.ok(cluster.appended > 0 && cluster.read > cluster.appended);
		assert.equal(cluster.connects, 1);
		assert.match(a.ctlRaw(['cluster', 'status']).out,
			/^state\tup\nname\tpusherd\nhost\ta\n[^]*\nb\t2\t-\t2\tno\t\d+\n$/);
		const m = await metrics(b);
		assert.deepEqual(m('connected', 'hosts', 'connects_total'), [1, 2, 1]);
		const names = ['entries_appended_total', 'entries_read_total'];
		const before = m(...names);
		await publish(b, app, ['s2'], 'e', '1');
		const after = (await metrics(b))(...names);
		names.forEach((n, i) => assert.ok(after[i] > before[i], n));
		await close(x, y);
	});

	test('kill -9 of a broker: nothing is lost, nobody flaps', async () => {
		a.allow(/broker/);
		const x = await Client.connect(a, app);
		const y = await Client.connect(b, app);
		await x.join('presence-k', 'u1');
		await y.join('presence-k', 'u2');
		await x.expect(ADDED, 'presence-k');
		for (const c of [x, y]) {
			await c.subscribe('cache-k');
			await c.expect('pusher:cache_miss', 'cache-k');
		}
		await publish(a, app, ['cache-k'], 'last', '9');
		for (const c of [x, y]) await c.expect('last', 'cache-k');
		const before = a.readLog().split('cluster: joined').length - 1;
		process.kill(a.pidsOf('broker')[0], 'SIGKILL');
		const sent = [];
		for (let i = 0; i < 20; i++)
			sent.push(publish(b, app, ['presence-k'], 'e', String(i)));
		await Promise.all(sent);
		await joined(a, before + 1);
		await publish(a, app, ['presence-k'], 'e', '20');
		for (const c of [x, y])
			for (let i = 0; i <= 20; i++)
				assert.equal(await c.expect('e', 'presence-k'),
					String(i));
		await publish(b, app, ['cache-k'], 'next', '10');
		for (const c of [x, y]) // the old one has not come again
			await c.expect('next', 'cache-k');
		for (const d of [a, b])
			assert.deepEqual((await get(d, app,
				'/channels/presence-k/users')).users,
			[{ id: 'u1' }, { id: 'u2' }]);
		await close(x, y);
	});

	test('Redis away: 503, not ready; it comes back empty', async () => {
		for (const d of [a, b]) d.allow(/cluster: /, /broker/, /events may be missing/);
		const x = await Client.connect(a, app);
		const y = await Client.connect(b, app);
		for (const c of [x, y]) await c.subscribe('c');
		await redis.stop();
		for (const d of [a, b])
			await until('not ready', async () => await ready(d) === 503);
		assert.equal(await status(a, app), 503);
		const { cluster } = a.ctl(['cluster', 'status'])[0];
		assert.equal(cluster.state, 'away');
		assert.notEqual(cluster.error, '');
		assert.deepEqual((await metrics(a))('connected', 'hosts'), [0, 2]);
		assert.equal((await api(a, app, 'GET', '/channels')).status, 200);
		await close(x, y);
		await redis.start();
		for (const d of [a, b])
			await until('200', async () => await status(d, app) === 200);
		const z = await Client.connect(b, app);
		await z.subscribe('back');
		await becomes(async () => (await get(a, app, '/channels')).channels,
			{ back: {} });
		await publish(a, app, ['back'], 'e', '1');
		await z.expect('e', 'back');
		await z.close();
	});
});
