// SPDX-License-Identifier: MIT
//
// A broker must not go on as if its clients had what they have not, or had not
// what they have: its successor tells them, or gives them the rest.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { TROUBLES, becomesReady, host, joined, joins, status, tryPublish } =
	require('./lib/cluster');
const { until } = require('./lib/daemon');
const { Redis } = require('./lib/redis');

describe('clients that have more than Redis has', () => {
	const redis = new Redis();
	const replica = new Redis();
	let a, b, c, d, x;

	const ask = async (...words) => (await redis.ask(...words)).trim();
	// The place up to which the host has said to have read: ID NUMBER.
	const read = async (name) => /\d+-\d+ \d+/.exec(
		await ask('HGET', 'pusherd:read', name))?.[0];
	const last = async () => /\d+-\d+/.exec(await ask('XREVRANGE',
		'pusherd:stream', '+', '-', 'COUNT', '1'))[0];
	const publish = async (at, data, channel = 'c') =>
		assert.equal((await tryPublish(at, channel, data)).status, 200);
	const goBack = (place) => ask('HSET', 'pusherd:read', 'a', `'${place}'`);
	const lose = async () => {
		await ask('XDEL', 'pusherd:stream', await last());
		await ask('DECR', 'pusherd:count');
	};
	const comeBack = async () => {
		await x.expectFatal(4200);
		await becomesReady(a);
		x = await Client.connect(a, a.shared);
		await x.subscribe('c');
		await publish(a, 'after');
		assert.equal(await x.expect('e', 'c'), 'after');
	};

	before(async () => {
		await redis.start();
		await replica.start([['replicaof', '127.0.0.1', redis.port]]);
		await replica.follows();
		[a, b, c] = ['a', 'b', 'c'].map((name) => host(redis, name,
			{ workers: 1 }));
		d = host(redis, 'd', { workers: 1, cluster_wait: 1 });
		for (const one of [a, b, c, d]) one.allow(...TROUBLES);
		await a.start();
		await becomesReady(a);
		x = await Client.connect(a, a.shared);
		await x.subscribe('c');
	});
	after(async () => {
		for (const one of [a, b, c, d]) await one.stop();
		for (const r of [redis, replica]) await r.remove();
	});

	// Its broker, stopped; Redis has only what there was at this place.
	const loseAnEvent = async (place) => {
		await publish(a, 'lost');
		assert.equal(await x.expect('e', 'c'), 'lost');
		const [pid] = a.pidsOf('broker');
		process.kill(pid, 'SIGSTOP');
		await lose();
		await goBack(place);
		return pid;
	};

	// As after a failover, when the other hosts have declared this one dead.
	test('declared dead, and its last entry lost: 4200', async () => {
		await publish(a, 'kept');
		await x.expect('e', 'c');
		await until('a beat', async () =>
			(await read('a')).startsWith(await last()));
		const place = await read('a');
		const pid = await loseAnEvent(place);
		await ask('HDEL', 'pusherd:hosts', 'a');
		await ask('CLIENT', 'KILL', 'TYPE', 'normal');
		process.kill(pid, 'SIGCONT');
		await comeBack();
	});

	test('the same, but killed before it has asked Redis: 4200', async () => {
		const pid = await loseAnEvent(await read('a'));
		process.kill(pid, 'SIGKILL');
		await comeBack();
	});

	test('a broker that waits for a host is killed: nothing is missing',
		async () => {
			for (const one of [b, c]) {
				await one.start();
				await becomesReady(one);
			}
			await until('a beat', async () =>
				(await read('a')).startsWith(await last()));
			const [stopped] = b.pidsOf('broker');
			process.kill(stopped, 'SIGSTOP');
			const old = await read('a');
			process.kill(a.pidsOf('broker')[0], 'SIGKILL');
			await until('its successor to join', () =>
				c.readLog().includes('host a has joined'));
			await publish(c, 'between');
			let left = Infinity;
			await until('two beats', async () => {
				const before = left;
				left = Number((await ask('PTTL', 'pusherd:alive:a')).slice(1));
				return left > before && await read('a') !== old;
			});
			process.kill(a.pidsOf('broker')[0], 'SIGKILL');
			process.kill(stopped, 'SIGCONT');
			assert.equal(await x.expect('e', 'c'), 'between');
			await becomesReady(a);
			await publish(a, 'end');
			assert.equal(await x.expect('e', 'c'), 'end');
		});

	test('an event from before a subscription does not come after it',
		async () => {
			const place = await read('a');
			await publish(b, 'before', 'quiet');
			const y = await Client.connect(a, a.shared);
			await y.subscribe('quiet');
			const [pid] = a.pidsOf('broker');
			process.kill(pid, 'SIGSTOP'); // it does not beat any more
			await goBack(place);
			process.kill(pid, 'SIGKILL');
			await until('another broker', () => !a.pidsOf('broker').includes(pid));
			await becomesReady(a);
			await publish(a, 'behind', 'quiet');
			assert.equal(await y.expect('e', 'quiet'), 'behind');
			await y.close();
		});

	test('an event that comes again is for nobody, though brokers have begun',
		async () => {
			const [master, broker] = [a.child.pid, a.pidsOf('broker')[0]];
			const old = await last();
			redis.child.kill('SIGSTOP');
			const waits = tryPublish(a, 'c', 'again');
			await until('it to be on its way', () => status(a).waiting > 0);
			process.kill(master, 'SIGSTOP'); // there is no other broker yet
			process.kill(broker, 'SIGKILL');
			redis.child.kill('SIGCONT');
			await until('a beat of b behind it', async () => {
				const now = await last();
				return now !== old && (await read('b')).startsWith(now);
			});
			const n = joins(b);
			process.kill(b.pidsOf('broker')[0], 'SIGKILL');
			await joined(b, n + 1);
			const y = await Client.connect(b, b.shared);
			await y.subscribe('c');
			process.kill(master, 'SIGCONT');
			await becomesReady(a);
			assert.match(String((await waits).status), /200|503/); // by its age
			assert.equal(await x.expect('e', 'c'), 'again');
			await publish(a, 'end');
			assert.equal(await x.expect('e', 'c'), 'end');
			assert.equal(await y.expect('e', 'c'), 'end');
			await y.close();
		});

	// As after a failover: d knows of no replica that has it, and sends it again.
	test('an event that Redis has lost reaches later clients only', async () => {
		await d.start();
		await becomesReady(d);
		// d has said, too, that it has the apps: an entry that the replica does
		// not get would hold up the event.
		a.ctl(['app', 'set', '42', 'name=known']);
		await publish(d, 'kept'); // the replica has it, too
		assert.equal(await x.expect('e', 'c'), 'kept');
		const [, origin, number] = /\n(\w+)\r\n\$\d+\r\n(\d+ \d+)/.exec(
			await ask('HGETALL', 'pusherd:events:d'));
		await replica.stop();
		const waits = tryPublish(d, 'c', 'lost');
		assert.equal(await x.expect('e', 'c'), 'lost');
		process.kill(d.child.pid, 'SIGSTOP'); // there is no other broker yet
		process.kill(d.pidsOf('broker')[0], 'SIGKILL');
		await lose();
		await ask('HSET', 'pusherd:events:d', origin, `'${number}'`);
		await x.expectFatal(4200);
		await becomesReady(a);
		const z = await Client.connect(a, a.shared);
		await z.subscribe('c');
		process.kill(d.child.pid, 'SIGCONT');
		assert.equal(await z.expect('e', 'c'), 'lost');
		assert.equal((await waits).status, 503);
		await z.close();
	});
});
