// SPDX-License-Identifier: MIT
//
// Three hosts, one Redis: one host sends the webhooks of all, each event once,
// also when that host dies, stops for a while, or starts again.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { becomes, sleep, until } = require('./lib/daemon');
const { TROUBLES, hostWithWebhook, hosts, joined, joins, metric, status } =
	require('./lib/cluster');
const { publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { Redis } = require('./lib/redis');

const COUNT = 'pusher_internal:subscription_count';
const ADDED = 'pusher_internal:member_added';

// As the host that sends the webhooks, as `d` sees it.
const leader = (d) => hosts(d).filter((h) => h.webhooks).map((h) => h.host);
const name = (e) => [e.name, e.event ?? e.user_id ?? e.subscription_count]
	.filter((v) => v !== undefined).join(' ');

describe('webhooks of a cluster', () => {
	const redis = new Redis();
	const all = {};
	let r, app;

	// The events of a channel, in their order.
	const of = (channel) => r.events.filter((e) => e.channel === channel)
		.map(name);
	const told = (channel, want) => becomes(async () => of(channel), want,
		20000);
	const start = async (n) => {
		const d = hostWithWebhook(redis, n, r.url);
		d.ctl(['app', 'set', '42', 'subscription_count=on']);
		d.allow(/host \w has joined/);
		all[n] = await d.start();
		await joined(d);
		return d;
	};

	before(async () => {
		await redis.start();
		r = await Receiver.start();
		for (const n of ['a', 'b', 'c'])
			await start(n);
		app = all.a.shared;
	});

	after(async () => {
		for (const d of Object.values(all)) await d.stop();
		await r.stop();
		await redis.remove();
	});

	test('the host that joined first sends them, and all say so',
		async () => {
			for (const d of Object.values(all))
				await becomes(async () => leader(d), ['a']);
			for (const [n, d] of Object.entries(all))
				assert.equal(await metric(d, 'pusherd_cluster_webhooks'),
					n === 'a' ? 1 : 0);
		});

	test('each kind comes once, whichever host has the clients', async () => {
		const x = await Client.connect(all.b, app);
		const y = await Client.connect(all.c, app);
		await x.join('presence-k', 'u1');
		await y.join('presence-k', 'u2');
		await x.expect(ADDED, 'presence-k');
		await y.subscribe('cache-k');
		await y.expect('pusher:cache_miss', 'cache-k');
		await y.expect(COUNT, 'cache-k');
		await x.subscribe('private-k');
		await told('private-k', ['channel_occupied', 'subscription_count 1']);
		await y.subscribe('private-k');
		await y.expect(COUNT, 'private-k');
		x.trigger('private-k', 'client-e', { n: 1 });
		await y.expect('client-e', 'private-k');
		await told('presence-k', ['channel_occupied', 'member_added u1',
			'member_added u2']);
		await told('private-k', ['channel_occupied', 'subscription_count 1',
			...of('private-k').slice(2).sort()]);
		await until('the count and the client event', () =>
			of('private-k').length === 4);
		assert.deepEqual(of('private-k').slice(2).sort(),
			['client_event client-e', 'subscription_count 2']);
		await told('cache-k', ['channel_occupied', 'cache_miss',
			'subscription_count 1']);
		await x.close();
		await y.close();
		await until('the channels to be vacated', () =>
			['presence-k', 'private-k', 'cache-k'].every((c) =>
				of(c).at(-1) === 'channel_vacated'));
		assert.deepEqual(of('presence-k').slice(3).sort(),
			['channel_vacated', 'member_removed u1', 'member_removed u2']);
		r.hooks.forEach((h) => r.check(h, app));
	});

	test('a stop of 3 s of the host that sends delays, and doubles nothing',
		async () => {
			const x = await Client.connect(all.b, app);
			all.a.signalAll('SIGSTOP');
			await x.join('presence-s', 'u');
			x.trigger('presence-s', 'client-e', {});
			await new Promise((ok) => setTimeout(ok, 3000));
			assert.deepEqual(of('presence-s'), []);
			all.a.signalAll('SIGCONT');
			await told('presence-s', ['channel_occupied', 'member_added u',
				'client_event client-e']);
			await x.close();
			await told('presence-s', ['channel_occupied', 'member_added u',
				'client_event client-e', 'member_removed u',
				'channel_vacated']);
		});

	test('every event has an id of its own', () => {
		const of_ = (e) => e.name !== 'subscription_count';
		const ids = r.events.filter(of_).map((e) => e.id);
		assert.ok(ids.every((id) => /^[0-9a-f]{16}$/.test(id)));
		assert.equal(new Set(ids).size, ids.length);
	});

	test('kill -9 of the host that sends: the next one tells the rest once',
		async () => {
			const x = await Client.connect(all.b, app);
			await x.join('presence-d', 'u1');
			await told('presence-d', ['channel_occupied', 'member_added u1']);
			// The broker stops, then the host dies: what is published now
			// is told by nobody yet.
			process.kill(all.a.pidsOf('broker')[0], 'SIGSTOP');
			const y = await Client.connect(all.c, app);
			await y.join('presence-d', 'u2');
			await x.expect(ADDED, 'presence-d');
			const fresh = Array.from('12345', (i) => `presence-d${i}`);
			for (const channel of fresh) await y.join(channel, 'u3');
			x.trigger('presence-d', 'client-e', { n: 1 });
			await y.expect('client-e', 'presence-d');
			await x.close();
			all.a.kill();
			await all.a.exited;
			all.a.remove();
			delete all.a;
			await told('presence-d', ['channel_occupied', 'member_added u1',
				...['member_added u2', 'client_event client-e',
					'member_removed u1']]);
			for (const channel of fresh)
				await told(channel, ['channel_occupied',
					'member_added u3']);
			for (const d of Object.values(all))
				await becomes(async () => leader(d), ['b']);
			await y.close();
			await until('the end', () =>
				of('presence-d').at(-1) === 'channel_vacated');
			assert.equal(of('presence-d').length, 7, of('presence-d'));
		});

	test('a host that comes back does not send; kill -9 of the broker that '
		+ 'does: another host goes on', async () => {
		await start('a');
		const x = await Client.connect(all.a, app);
		await x.join('presence-b', 'u1');
		await told('presence-b', ['channel_occupied', 'member_added u1']);
		for (const d of Object.values(all)) d.allow(/broker/);
		const n = joins(all.b);
		process.kill(all.b.pidsOf('broker')[0], 'SIGKILL');
		await x.close();
		await joined(all.b, n + 1);
		for (const d of Object.values(all))
			await becomes(async () => leader(d), ['c']);
		await told('presence-b', ['channel_occupied', 'member_added u1',
			'member_removed u1', 'channel_vacated']);
	});

	// A member is reported as gone three seconds after it left.
	test('Redis stands still: nothing is sent until it goes on', async () => {
		for (const d of Object.values(all)) d.allow(...TROUBLES);
		const [stays, x] = [await Client.connect(all.b, app),
			await Client.connect(all.a, app)];
		await stays.join('presence-away', 'stays');
		await x.join('presence-away', 'u1');
		await stays.expect(ADDED, 'presence-away');
		const there = ['channel_occupied', 'member_added stays',
			'member_added u1'];
		await told('presence-away', there);
		x.destroy();
		await stays.expect('pusher_internal:member_removed', 'presence-away');
		redis.child.kill('SIGSTOP');
		await sleep(4500);
		const meanwhile = of('presence-away');
		redis.child.kill('SIGCONT');
		assert.deepEqual(meanwhile, there);
		await told('presence-away', [...there, 'member_removed u1']);
		await stays.close();
	});

	test('Redis comes back empty: no webhook is sent again',
		async () => {
			for (const d of Object.values(all))
				d.allow(...TROUBLES);
			const x = await Client.connect(all.a, app);
			await x.join('presence-r', 'u1');
			await told('presence-r', ['channel_occupied',
				'member_added u1']);
			const n = r.events.length;
			await redis.stop();
			for (const d of Object.values(all))
				await becomes(async () => status(d).state, 'away');
			await redis.start();
			for (const d of Object.values(all))
				await becomes(async () => hosts(d).length, 3, 20000);
			await publish(all.b, app, ['presence-r'], 'e', '1');
			await x.close();
			await until('the member to be removed', () =>
				of('presence-r').includes('channel_vacated'), 20000);
			assert.deepEqual(r.events.slice(n).filter((e) =>
				e.channel === 'presence-r').map(name),
			['member_removed u1', 'channel_vacated']);
		});
	test('the host that sends is stopped and declared dead: the next one sends, '
		+ 'and nothing comes twice when it goes on', async () => {
		const [old] = leader(all.b);
		const d = all[old];
		const other = Object.values(all).find((x) => x !== d);
		const x = await Client.connect(other, app);
		await x.join('presence-w', 'u1');
		await told('presence-w', ['channel_occupied', 'member_added u1']);
		const n = joins(d);
		const pids = Object.keys(d.processes());
		for (const pid of pids) process.kill(pid, 'SIGSTOP');
		x.trigger('presence-w', 'client-e', {});
		await x.close();
		await told('presence-w', ['channel_occupied', 'member_added u1',
			'client_event client-e', 'member_removed u1',
			'channel_vacated']);
		for (const pid of pids) process.kill(pid, 'SIGCONT');
		await joined(d, n + 1);
		await becomes(async () => leader(d).includes(old), false);
		const y = await Client.connect(d, app);
		await y.join('presence-w', 'u2');
		await until('the next events', () => of('presence-w').length >= 7);
		assert.deepEqual(of('presence-w').slice(5),
			['channel_occupied', 'member_added u2']);
		await y.close();
	});

	// It dies between "on disk" and "the others know": the same id comes twice.
	test('an event that two hosts send has the same id', async () => {
		const [old] = leader(all.b);
		const [p, q] = Object.keys(all).filter((n) => n !== old);
		const [broker] = all[old].pidsOf('broker');
		const [courier] = all[old].pidsOf('courier');
		const x = await Client.connect(all[p], app);
		await x.join('presence-t', 'u1');
		await told('presence-t', ['channel_occupied', 'member_added u1']);
		process.kill(courier, 'SIGSTOP');
		const y = await Client.connect(all[q], app);
		await y.join('presence-t', 'u2');
		await x.expect(ADDED, 'presence-t');
		x.trigger('presence-t', 'client-e', { n: 1 });
		await y.expect('client-e', 'presence-t');
		await publish(all[old], app, ['c'], 'e', '1'); // it has read all that
		process.kill(broker, 'SIGSTOP'); // it does not hear of the disk
		process.kill(courier, 'SIGCONT');
		const twice = ['member_added u2', 'client_event client-e'];
		await told('presence-t', ['channel_occupied', 'member_added u1',
			...twice]);
		all[old].kill();
		await all[old].exited;
		await told('presence-t', ['channel_occupied', 'member_added u1',
			...twice, ...twice]);
		const ids = r.events.filter((e) => e.channel === 'presence-t')
			.map((e) => e.id);
		assert.deepEqual(ids.slice(4), ids.slice(2, 4));
		assert.equal(new Set(ids).size, 4);
		all[old].remove();
		delete all[old];
		await x.close();
		await y.close();
	});
});
