// SPDX-License-Identifier: MIT
//
// The logs of an app on two hosts, for clients that resume: they have each
// event once and in the same order, though brokers die.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { becomesReady, host, startReady, status, tryPublish } =
	require('./lib/cluster');
const { until } = require('./lib/daemon');
const { get } = require('./lib/http');
const { Redis } = require('./lib/redis');

describe('the log of an app in a cluster', () => {
	const redis = new Redis();
	let a, b;

	before(async () => {
		await redis.start();
		[a, b] = ['a', 'b'].map((name) => host(redis, name, { workers: 2 }));
		for (const d of [a, b]) {
			d.ctl(['app', 'set', '42', 'resume=on']);
			await startReady(d);
		}
	});
	after(async () => {
		for (const d of [a, b]) await d.stop();
		await redis.remove();
	});

	// A process compares the apps after each JOIN, and talks to the broker.
	// When all hosts have a later change, no such process is to begin.
	const rest = async () => {
		const r = await a.ctlAsync(['app', 'set', '42', `name=${Date.now()}`]);
		assert.equal(r.code, 0, r.err);
		await until('the processes for apps to end', () => [a, b]
			.every((d) => d.pidsOf('apps').length === 0));
	};
	const log = async (d) => {
		const all = [];
		let more = await get(d, d.shared, '/channels/c/events');
		while (more.events.length > 0) {
			all.push(...more.events.map((e) => e.data));
			more = await get(d, d.shared, '/channels/c/events',
				{ after: more.events.at(-1).id });
		}
		return all;
	};

	test('brokers die: no event twice, and none is missing', async () => {
		const taken = [];
		let n = 0;
		let go = true;
		const publishers = [a, b, a, b].map(async (d) => {
			while (go) {
				const data = `e${n++}`;
				if ((await tryPublish(d, 'c', data)).status === 200)
					taken.push(data);
			}
		});
		for (const d of [a, b, a]) {
			const before = taken.length;
			await rest();
			const [pid] = d.pidsOf('broker');
			process.kill(pid, 'SIGKILL');
			await until('another broker', () => d.pidsOf('broker')
				.some((p) => p !== pid));
			await becomesReady(d);
			await until('more events', () => taken.length > before + 50);
		}
		go = false;
		await Promise.all(publishers);
		// One that Redis takes after its broker has died comes again.
		await rest();
		redis.child.kill('SIGSTOP');
		const waits = tryPublish(a, 'c', 'again');
		await until('it to be on its way', () => status(a).waiting > 0);
		process.kill(a.pidsOf('broker')[0], 'SIGKILL');
		redis.child.kill('SIGCONT');
		assert.equal((await waits).status, 200);
		taken.push('again');
		await becomesReady(a);
		await tryPublish(a, 'c', 'end');
		await until('the end on b', async () => (await log(b)).at(-1) === 'end');
		const logs = [await log(a), await log(b)];
		for (const l of logs) {
			assert.equal(new Set(l).size, l.length, 'none twice');
			const has = new Set(l);
			assert.deepEqual(taken.filter((e) => !has.has(e)), []);
		}
		assert.deepEqual(logs[1], logs[0]);
		await rest();
	});
});
