// SPDX-License-Identifier: MIT
//
// Sentinel: finds the primary, follows a failover; a new primary that lacks
// the last entries is told to the clients, and doubles nothing.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client, OP } = require('./lib/client');
const { becomesReady, host, isReady, logSays, startReady, status,
	tryPublish } = require('./lib/cluster');
const { until } = require('./lib/daemon');
const { Redis, Sentinel } = require('./lib/redis');

const SUBSCRIBED = 'pusher_internal:subscription_succeeded';

// A client that connects again when it is told to, until 'end' has come.
async function follow(d) {
	const f = { log: [], told: false };
	const open = async () => {
		const c = await Client.connect(d, d.shared);
		c.sendSubscribe('c'); // answered when the host is in its cluster
		return c;
	};
	let c = await open();
	await c.expect(SUBSCRIBED, 'c');
	f.ended = (async () => {
		while (f.log.at(-1) !== 'end') {
			const frame = await c.nextFrame(60000);
			const e = frame?.opcode === OP.TEXT ? JSON.parse(frame.payload) : {};
			if (e.event === 'e') {
				f.log.push(e.data);
			} else if (e.event !== SUBSCRIBED) {
				f.told = true;
				c.sock.destroy();
				await becomesReady(d, 40000);
				c = await open();
			}
		}
		await c.close();
	})();
	return f;
}

const KEEP = ['appendonly', 'yes'];
const replicaOf = (redis) => ['replicaof', '127.0.0.1', redis.port];

describe('Sentinel', () => {
	const first = new Redis();
	const second = new Redis();
	const sentinel = new Sentinel();
	let a, b;

	before(async () => {
		await first.start([KEEP]);
		await second.start([KEEP, replicaOf(first)]);
		await second.follows();
		await sentinel.start(first);
		await sentinel.knows(1);
		const more = { cluster_wait: 1,
			cluster: `sentinel://127.0.0.1:1,127.0.0.1:${sentinel.port}/main` };
		a = host(sentinel, 'a', more);
		b = host(sentinel, 'b', more);
		for (const d of [a, b]) await startReady(d);
	});
	after(async () => {
		for (const d of [a, b]) await d.stop();
		for (const r of [sentinel, first, second]) await r.remove();
	});

	const failedOver = (to) => until('the Sentinel to name the other one',
		async () => (await sentinel.ask('SENTINEL', 'get-master-addr-by-name',
			'main')).includes(String(to.port)), 30000);

	// The primary and its replica, which follows it.  A busy machine may have
	// brought another failover.
	const roles = async () => {
		let two;
		await until('a primary and its replica', async () => {
			const primary = await sentinel.ask('SENTINEL',
				'get-master-addr-by-name', 'main');
			two = primary.includes(String(first.port))
				? [first, second] : [second, first];
			return /master_link_status:up/.test(
				await two[1].ask('INFO', 'replication'));
		}, 30000);
		return two;
	};

	// Both hosts publish, one after the other; what was answered 200.
	const publishing = () => {
		const p = { taken: [], go: true };
		p.ended = (async () => {
			for (let i = 0; p.go; i++) {
				const data = `e${i}`;
				if ((await tryPublish(i % 2 ? a : b, 'c', data)).status === 200)
					p.taken.push(data);
			}
		})();
		return p;
	};

	// The followers have what was answered 200, once and in one order.
	const complete = async (p, followed) => {
		const before = p.taken.length;
		await until('events after it', () => p.taken.length > before + 20,
			60000);
		p.go = false;
		await p.ended;
		await until('the last one to be taken', async () =>
			(await tryPublish(a, 'c', 'end')).status === 200, 30000);
		for (const f of followed) {
			await f.ended;
			assert.equal(new Set(f.log).size, f.log.length, 'none twice');
			// Who was told nothing has all that was answered 200.
			const come = new Set(f.log);
			if (!f.told)
				assert.deepEqual(p.taken.filter((e) => !come.has(e)), []);
		}
		const [x, y] = followed.map((f) => f.log);
		assert.deepEqual(x.filter((e) => y.includes(e)),
			y.filter((e) => x.includes(e)), 'one order');
		assert.equal(status(a).state, 'up');
	};

	test('a failover: the hosts follow, what was answered 200 has come once',
		async () => {
			const followed = await Promise.all([a, b].map(follow));
			const p = publishing();
			await until('some events', () => p.taken.length > 20);
			await first.stop();
			await failedOver(second);
			// The old one comes back, as a replica: it confirms events.
			await first.start([KEEP]);
			await complete(p, followed);
		});

	test('a primary without the last entries: 4200, and none twice', async () => {
		for (const d of [a, b]) await becomesReady(d);
		const [primary, replica] = await roles();
		const x = await Client.connect(a, a.shared);
		await x.subscribe('c');
		assert.equal((await tryPublish(a, 'c', 'kept')).status, 200);
		assert.equal(await x.expect('e', 'c'), 'kept');
		await replica.stop(); // it hears no more
		const lost = tryPublish(a, 'c', 'lost');
		assert.equal(await x.expect('e', 'c'), 'lost');
		await primary.stop();
		assert.equal((await lost).status, 503); // cluster_wait 1
		await replica.start([KEEP, replicaOf(primary)]);
		await failedOver(replica);
		await primary.start([KEEP]);
		await x.expectFatal(4200);
		await logSays(a, /Redis has lost its last entries|are missing/);
		for (const d of [a, b]) await becomesReady(d, 40000);
		const z = await Client.connect(a, a.shared);
		z.sendSubscribe('c');
		// Its entry waits for a replica, as the event does.
		await z.expect(SUBSCRIBED, 'c', 30000);
		await until('200', async () =>
			(await tryPublish(b, 'c', 'after')).status === 200, 30000);
		assert.equal(await z.expect('e', 'c'), 'after');
		await z.close();
		assert.equal(await isReady(a), true);
	});

	test('an upgrade at the moment of a failover: done, or nothing has changed',
		async () => {
			a.allow(/move: |replace: |upgrade: /);
			for (const d of [a, b]) await becomesReady(d);
			const [primary, replica] = await roles();
			const followed = await Promise.all([a, b].map(follow));
			const p = publishing();
			await until('some events', () => p.taken.length > 20);
			await primary.stop();
			const r = await a.ctlAsync(['-j', 'upgrade']);
			// A worker is not replaced while its messages wait for Redis.
			if (r.code !== 0) assert.match(r.err, /is not replaced: .*try again/);
			else assert.equal(JSON.parse(r.out).closed, 0, r.out);
			await failedOver(replica);
			await primary.start([KEEP]);
			await complete(p, followed);
			await becomesReady(a);
			const again = await a.ctlAsync(['-j', 'upgrade']);
			assert.equal(again.code, 0, again.err);
			assert.equal(JSON.parse(again.out).closed, 0, again.out);
			await becomesReady(a);
		});
});
