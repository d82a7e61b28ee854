// SPDX-License-Identifier: MIT
//
// The stream in Redis has a bounded number of bytes, whatever is published.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { host, startReady } = require('./lib/cluster');
const { Client } = require('./lib/client');
const { api, publish } = require('./lib/http');
const { Redis } = require('./lib/redis');

const BYTES = 32 << 20;
const BIG = 'x'.repeat(10000);
const EVENTS = 10; // in one entry

describe('the stream of a cluster', () => {
	const redis = new Redis();
	let a, b, c;

	before(async () => {
		await redis.start();
		a = host(redis, 'a', { cluster_stream_bytes: BYTES });
		b = host(redis, 'b', { cluster_stream_bytes: BYTES });
		for (const d of [a, b]) await startReady(d);
		c = await Client.connect(b, b.shared);
		await c.subscribe('c');
	});
	after(async () => {
		c?.destroy();
		for (const d of [a, b]) await d?.stop();
		await redis.remove();
	});

	const entries = async () => Number(
		(await redis.ask('XLEN', 'pusherd:stream')).slice(1));

	test('large events: no more than cluster_stream_bytes', async () => {
		const most = BYTES / BIG.length / EVENTS;
		const batch = Array(EVENTS).fill({ name: 'e', channel: 'c', data: BIG });
		for (let i = 0; i < 1.5 * most; i++) {
			const r = await api(a, a.shared, 'POST', '/batch_events',
				{ body: { batch } });
			assert.equal(r.status, 200, r.text);
			for (let k = 0; k < EVENTS; k++) await c.expect('e', 'c');
		}
		const left = await entries();
		assert.ok(left > most * 0.9 && left < most * 1.1,
			`${left} entries, not ${most}`);
	});

	test('small ones: there are more of them again', async () => {
		const before = await entries();
		for (let i = 0; i < 300; i++) {
			await publish(a, a.shared, ['c'], 'e', 'x');
			await c.expect('e', 'c');
		}
		const left = await entries();
		assert.ok(left > before + 250, `${left} entries, ${before} before`);
	});

	test('a host that joins reads what is left', async () => {
		await b.stop();
		b = host(redis, 'b', { cluster_stream_bytes: BYTES });
		await startReady(b);
		c = await Client.connect(b, b.shared);
		await c.subscribe('c');
		await publish(a, a.shared, ['c'], 'e', 'y');
		assert.equal(await c.expect('e', 'c'), 'y');
	});
});
