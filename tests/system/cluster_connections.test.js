// SPDX-License-Identifier: MIT
//
// max_connections of an app over three hosts: never more in all, every host
// gets free places, and none is granted while the others cannot be asked.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { TROUBLES, host, hosts, joined, joins, status } =
	require('./lib/cluster');
const { becomes, until } = require('./lib/daemon');
const { Redis } = require('./lib/redis');

const FULL = 4004;
const LATER = 4100;

describe('max_connections of a cluster', () => {
	const redis = new Redis();
	let all, app;

	before(async () => {
		await redis.start();
		all = ['a', 'b', 'c'].map((n) => host(redis, n,
			{ workers: n === 'b' ? 2 : 1 }));
		for (const d of all) {
			d.allow(/host \w is gone/);
			await d.start();
			await joined(d);
		}
		app = all[0].shared;
	});

	after(async () => {
		for (const d of all) await d.stop();
		await redis.remove();
	});

	const limit = (n) => all[0].ctl(['app', 'set', '42',
		`max_connections=${n}`]);
	// A client that is greeted, or the code of its refusal.
	const tries = async (d) => {
		const c = new Client(d, `/app/${app.key}?protocol=7`);
		assert.equal((await c.upgraded()).status, 101);
		const m = await c.next(10000);
		if (m.event === 'pusher:connection_established') return c;
		await c.close();
		return m.data.code;
	};
	const isIn = (x) => x instanceof Client;
	const fill = (n) => Promise.all(Array.from({ length: n }, (_, i) =>
		tries(all[i % all.length])));
	const close = (list) => Promise.all(list.filter(isIn)
		.map((c) => c.close()));
	const places = async (d) => d.ctl(['app', 'show', '42'])[0]
		.max_connections;

	test('many at once on all hosts: exactly the limit gets in', async () => {
		limit(40);
		const got = await fill(90);
		assert.equal(got.filter(isIn).length, 40);
		assert.deepEqual([...new Set(got.filter((x) => !isIn(x)))], [FULL]);
		await close(got);
		assert.equal(await places(all[2]), 40);
	});

	test('one host alone may have all places, then another one', async () => {
		for (const d of all) {
			const list = [];
			for (let i = 0; i < 40; i++)
				list.push(await until('a place', async () => {
					const c = await tries(d);
					return isIn(c) && c;
				}));
			assert.equal(await tries(all[(all.indexOf(d) + 1) % 3]), FULL);
			await close(list);
		}
	});

	test('a place that becomes free on one host is there for the others',
		async () => {
			limit(3);
			const list = await fill(3);
			assert.equal(list.filter(isIn).length, 3);
			for (let i = 0; i < 6; i++) {
				await list.shift().close();
				list.push(await until('the free place', async () => {
					const c = await tries(all[i % 3]);
					return isIn(c) && c;
				}));
				assert.equal(await tries(all[(i + 1) % 3]), FULL);
			}
			await close(list);
		});

	test('a limit for clients that are there already', async () => {
		limit(0);
		const list = await fill(12);
		assert.equal(list.filter(isIn).length, 12);
		limit(13);
		const more = await until('the hosts to know', async () => {
			const got = await fill(6);
			if (got.filter(isIn).length <= 1) return got;
			await close(got);
			return null;
		});
		await close([...list, ...more]);
	});

	test('a host dies: its places are free; a stop of 3 s loses none',
		async () => {
			limit(10);
			const list = await fill(10);
			assert.equal(list.filter(isIn).length, 10);
			// The refusal takes up to 1.5 s; b is silent for less than 6 s.
			all[1].signalAll('SIGSTOP');
			try {
				await new Promise((ok) => setTimeout(ok, 1500));
				assert.equal(await tries(all[0]), FULL);
			} finally {
				all[1].signalAll('SIGCONT');
			}
			assert.equal(await tries(all[2]), FULL);
			all[1].kill();
			await all[1].exited;
			all[1].remove();
			all.splice(1, 1);
			await until('the places of the dead host', async () => {
				const c = await tries(all[0]);
				if (isIn(c)) list.push(c);
				return isIn(c);
			}, 20000);
			await close(list);
		});

	test('kill -9 of a broker: its clients still count', async () => {
		const [a, c] = all;
		a.allow(/broker/);
		const list = [];
		for (let i = 0; i < 10; i++)
			list.push(await until('a place', async () => {
				const x = await tries(a);
				return isIn(x) && x;
			}));
		const n = joins(a);
		process.kill(a.pidsOf('broker')[0], 'SIGKILL');
		await joined(a, n + 1);
		assert.equal(await tries(c), FULL);
		assert.equal(await tries(a), FULL);
		await close(list);
	});

	test('Redis away: a share may be filled for 6 s, then "try again later"; '
		+ 'back, and empty: all places are there', async () => {
		for (const d of all) d.allow(...TROUBLES);
		const [a] = all;
		const one = await tries(a);
		await redis.stop();
		await becomes(async () => status(a).state, 'away');
		await until('the code 4100', async () => {
			const c = await tries(a);
			if (!isIn(c)) return c === LATER;
			await c.close();
			return false;
		}, 20000);
		await redis.start();
		for (const d of all)
			await becomes(async () => [status(d).state, hosts(d).length],
				['up', 2], 20000);
		await until('all places', async () => {
			const got = await fill(9);
			const n = got.filter(isIn).length;
			await close(got);
			return n === 9;
		});
		await one.close();
	});
});
