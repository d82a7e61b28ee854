// SPDX-License-Identifier: MIT
//
// A client with a session moves from one host of a cluster to another: it is
// told that events may be missing, and no event comes twice.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { host, joined } = require('./lib/cluster');
const { publish } = require('./lib/http');
const { Redis } = require('./lib/redis');

describe('a session and the hosts of a cluster', () => {
	const redis = new Redis();
	let a, b, app;

	before(async () => {
		await redis.start();
		[a, b] = ['a', 'b'].map((n) => host(redis, n, { workers: 2 }));
		for (const d of [a, b]) {
			d.allow(/host a is gone/);
			d.ctl(['app', 'set', '42', 'resume=on']);
			await d.start();
			await joined(d);
		}
		app = a.shared;
	});

	after(async () => {
		await a.stop();
		await b.stop();
		await redis.remove();
	});

	// A client of this session, in the channel; what it was told of it, and
	// the events that came before.
	async function enter(d, id) {
		const c = await Client.connect(d, app,
			{ path: `/app/resume/${id}/app/${app.key}?protocol=7` });
		const events = [];
		c.sendSubscribe('c');
		for (;;) {
			const m = await c.next();
			if (m.event === 'e') events.push(m.data);
			if (m.event === 'pusher:resume')
				return { c, events, ...JSON.parse(m.data) };
		}
	}

	// An event that the client has confirmed.
	async function has(c, data) {
		const { pings } = c;
		await publish(b, app, ['c'], 'e', data);
		assert.equal(await c.expect('e', 'c'), data);
		await c.wait('the ping behind it', () => c.pings > pings);
		await c.sync();
	}

	test('on the same host it continues', async () => {
		const x = await enter(a, 'stays-at-its-host-1');
		assert.equal(x.status, 'new');
		await has(x.c, '1');
		x.c.destroy();
		await publish(b, app, ['c'], 'e', '2');
		const y = await enter(a, 'stays-at-its-host-1');
		assert.deepEqual([y.status, y.events], ['continued', ['2']]);
		y.c.destroy();
	});

	test('on another host, and back: gap, and no event twice', async () => {
		const id = 'moves-to-another-1';
		const x = await enter(a, id);
		assert.equal(x.status, 'new');
		await has(x.c, '1');
		x.c.destroy();
		await publish(b, app, ['c'], 'e', '2');
		const y = await enter(b, id);
		assert.deepEqual([y.status, y.reason, y.events],
			['gap', 'expired', []]);
		await has(y.c, '3');
		y.c.destroy();
		const z = await enter(a, id);
		assert.deepEqual([z.status, z.reason, z.events],
			['gap', 'expired', []]);
		await has(z.c, '4');
		z.c.destroy();
		await publish(b, app, ['c'], 'e', '5');
		const again = await enter(a, id);
		assert.deepEqual([again.status, again.events], ['continued', ['5']]);
		again.c.destroy();
	});

	test('the old connection stays, and another one has the session',
		async () => {
			const id = 'half-open-at-first-1';
			const x = await enter(a, id);
			await has(x.c, '1');
			const y = await enter(b, id);
			assert.equal(y.status, 'gap');
			await publish(a, app, ['c'], 'e', '2');
			for (const { c } of [x, y])
				assert.equal(await c.expect('e', 'c'), '2');
			x.c.sendSubscribe('d');
			await x.c.expect('pusher_internal:subscription_succeeded', 'd');
			assert.deepEqual(await x.c.expect('pusher:resume', 'd'),
				{ status: 'off', reason: 'taken' });
			x.c.destroy();
			y.c.destroy();
		});
});
