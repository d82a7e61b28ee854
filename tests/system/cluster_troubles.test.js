// SPDX-License-Identifier: MIT
//
// What the log and the metrics say of a host's troubles: another host that is
// gone, a clock that is wrong, Redis that is slow, lost its data, or dropped
// what this host has not read; and of a host that was stopped for too long.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { WrongClock } = require('./lib/clock');
const { becomesReady, host, hosts, logSays, metric, startReady, status,
	tryPublish } = require('./lib/cluster');
const { becomes, until } = require('./lib/daemon');
const { Line } = require('./lib/line');
const { Redis } = require('./lib/redis');

const HOUR = 3600;
const rejoins = (d, reason) => metric(d, 'pusherd_cluster_rejoins_total',
	{ reason });
const error = (d) => metric(d, 'pusherd_cluster_clock_error_seconds');
const published = async (d) =>
	assert.equal((await tryPublish(d)).status, 200);

describe('troubles of a cluster', () => {
	const redis = new Redis();
	let a, b;

	before(async () => {
		await redis.start();
		[a, b] = ['a', 'b'].map((name) => host(redis, name));
		for (const d of [a, b]) await startReady(d);
	});
	after(async () => {
		for (const d of [a, b]) await d.stop();
		await redis.remove();
	});

	test('a clock that is wrong by an hour: said, and nothing else', async () => {
		const clock = new WrongClock();
		clock.set(HOUR);
		const c = host(redis, 'c');
		c.allow(/cluster: /);
		await clock.with({}, () => c.start());
		try {
			await becomesReady(c);
			const x = await Client.connect(c, c.shared);
			const y = await Client.connect(a, a.shared);
			await x.join('presence-c', 'u1');
			await y.join('presence-c', 'u2');
			await x.expect('pusher_internal:member_added', 'presence-c');
			assert.equal((await tryPublish(a, 'presence-c', '1')).status, 200);
			for (const w of [x, y])
				assert.equal(await w.expect('e', 'presence-c'), '1');
			await logSays(c,
				/the clock of this host is 3[56]\d\d s ahead of that of Redis/);
			const off = await error(c);
			assert.ok(off >= HOUR - 2 && off <= HOUR + 2, off);
			assert.ok(await error(a) < 2);
			assert.equal((await tryPublish(c)).status, 401); // signed too early
			clock.set(0);
			await until('the clock to be right again', async () => {
				await published(c);
				return /the clock of this host is right/.test(c.readLog());
			});
			assert.ok(await error(c) < 2);
			await x.close();
			await y.expect('pusher_internal:member_removed', 'presence-c');
			await y.close();
		} finally {
			c.kill();
			await c.exited;
			c.remove();
			clock.remove();
		}
	});

	// That was the end of host c.
	test('a host that is gone is counted', async () => {
		for (const d of [a, b]) {
			await becomes(async () => hosts(d).length, 2, 12000);
			assert.match(d.readLog(), /cluster: host c is gone/);
			assert.equal(await metric(d,
				'pusherd_cluster_hosts_gone_total'), 1);
			assert.equal(await metric(d, 'pusherd_cluster_hosts'), 2);
		}
	});

	test('Redis is slow: said once, and when it is over', async () => {
		redis.child.kill('SIGSTOP');
		const waits = tryPublish(a);
		await until('it to be on its way', () => status(a).waiting > 0);
		await new Promise((ok) => setTimeout(ok, 1200)); // so slow Redis is
		redis.child.kill('SIGCONT');
		await waits;
		await logSays(a, /cluster: Redis is slow: an entry took 1\d\d\d ms/);
		await becomesReady(a);
		await published(a);
		await logSays(a, /cluster: Redis is as fast as before/);
	});

	test('Redis answers byte by byte: as if it did not answer', async () => {
		const line = await Line.open(redis);
		const d = host({ url: `redis://127.0.0.1:${line.port}` }, 'd');
		a.allow(/host d is gone/);
		b.allow(/host d is gone/);
		await startReady(d);
		const held = [...line.pairs];
		line.hold(); // those that are made later are not held
		const timer = setInterval(() => {
			for (const { near, far } of held) {
				const byte = far.read(1);
				if (byte !== null && !near.destroyed) near.write(byte);
			}
		}, 100);
		try {
			await logSays(d, /no answer for 5 seconds/);
			await until('another connection', () => published(d)
				.then(() => true, () => false));
		} finally {
			clearInterval(timer);
			await d.stop();
			await line.close();
		}
	});

	test('stopped for longer than its lease: declared dead', async () => {
		const began = await rejoins(b, 'declared_dead');
		b.signalAll('SIGSTOP');
		try {
			await becomes(async () => hosts(a).length, 1, 12000);
		} finally {
			b.signalAll('SIGCONT');
		}
		await logSays(b, /have declared this one dead, because it was silent/);
		await becomesReady(b);
		assert.equal(await rejoins(b, 'declared_dead'), began + 1);
		assert.equal(await rejoins(b, 'lost'), 0);
	});

	test('entries were dropped before this host has read them', async () => {
		const x = await Client.connect(b, b.shared);
		await x.subscribe('c');
		const [pid] = b.pidsOf('broker');
		process.kill(pid, 'SIGSTOP');
		for (let i = 0; i < 3; i++) await published(a);
		await redis.ask('XTRIM', 'pusherd:stream', 'MAXLEN', '1');
		process.kill(pid, 'SIGCONT');
		await logSays(b, /entries of the stream are missing/);
		if ((await x.next()).event === 'e') // b had read the first one
			await x.expectFatal(4200);
		else
			await x.expectClose(4200);
		await becomesReady(b);
		assert.equal(await rejoins(b, 'missing'), 1);
	});

	test('Redis comes back empty', async () => {
		await redis.stop();
		await redis.start();
		for (const d of [a, b]) {
			await logSays(d, /Redis has lost its last entries, or all data/);
			await becomesReady(d);
			assert.equal(await rejoins(d, 'lost'), 1);
		}
		assert.equal(await rejoins(a, 'declared_dead'), 0);
	});
});
