// SPDX-License-Identifier: MIT
//
// The stream in Redis has a bounded number of bytes, whatever is published.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { host, startReady } = require('./lib/cluster');
const { Client } = require('./lib/client');
const { publish } = require('./lib/http');
const { Redis } = require('./lib/redis');

const MIB = 1 << 20;
const BIG = 'x'.repeat(10000);

describe('the stream of a cluster', () => {
	const redis = new Redis();
	let a, b, c;

	before(async () => {
		await redis.start();
		a = host(redis, 'a', { cluster_stream_bytes: MIB });
		b = host(redis, 'b', { cluster_stream_bytes: MIB });
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
		const n = 4 * MIB / BIG.length;
		for (let i = 0; i < n; i++) {
			await publish(a, a.shared, ['c'], 'e', BIG);
			await c.expect('e', 'c');
		}
		const left = await entries();
		// Redis lets go of whole nodes, which have a few entries.
		assert.ok(left > 80 && left < 130, `${left} of ${n} entries`);
	});

	test('small ones: there are more of them again', async () => {
		for (let i = 0; i < 300; i++) await publish(a, a.shared, ['c'], 'e', 'x');
		for (let i = 0; i < 300; i++) await c.expect('e', 'c');
		const left = await entries();
		assert.ok(left > 300, `${left} entries`);
	});

	test('a host that joins reads what is left', async () => {
		await b.stop();
		b = host(redis, 'b', { cluster_stream_bytes: MIB });
		await startReady(b);
		c = await Client.connect(b, b.shared);
		await c.subscribe('c');
		await publish(a, a.shared, ['c'], 'e', 'y');
		assert.equal(await c.expect('e', 'c'), 'y');
	});
});
