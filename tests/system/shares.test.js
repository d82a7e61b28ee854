// SPDX-License-Identifier: MIT
//
// What all apps share is shared fairly: an app may use all that is free, and
// loses its own when another one comes.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { api, publish } = require('./lib/http');

const CACHE = 262144; // bytes
const DATA = 'x'.repeat(4000);

async function has(d, app, channel) {
	const c = await Client.connect(d, app);
	await c.subscribe(channel);
	const m = await c.next();
	await c.close();
	return m.event !== 'pusher:cache_miss';
}

// app publishes to n cache channels.
async function fill(d, app, n, prefix) {
	for (let i = 0; i < n; i += 10) {
		const batch = Array.from({ length: 10 }, (_, k) => ({ name: 'e',
			channel: `cache-${prefix}${i + k}`, data: DATA }));
		const r = await api(d, app, 'POST', '/batch_events',
			{ body: { batch } });
		assert.equal(r.status, 200, r.text);
	}
}

for (const workers of [1, 4])
	test('S7: an app that fills the cache loses its own events, not ' +
		`another one's, ${workers} workers`, async () => {
		const d = new Daemon({ workers, cache_memory: CACHE });
		const unlimited = { max_backend_events_per_second: 0 };
		const [a, b, c] = [d.app(unlimited), d.app(unlimited),
			d.app(unlimited)];
		await d.start();
		await publish(d, b, 'cache-mine', 'e', DATA);
		await fill(d, a, 300, 'a');
		assert.equal(await has(d, b, 'cache-mine'), true);
		assert.equal(await has(d, a, 'cache-a0'), false);
		assert.equal(await has(d, a, 'cache-a299'), true);
		// Alone it had nearly all of it; who comes gets his part.
		await fill(d, c, 300, 'c');
		assert.equal(await has(d, b, 'cache-mine'), true);
		assert.equal(await has(d, a, 'cache-a299'), true);
		assert.equal(await has(d, c, 'cache-c299'), true);
		assert.equal(await has(d, c, 'cache-c0'), false);
		// And what a broker's successor is given back is the same.
		d.allow(/broker was killed|link to the broker lost/);
		const [broker] = d.pidsOf('broker');
		process.kill(broker, 'SIGKILL');
		await until('a broker', () => d.pidsOf('broker')
			.some((pid) => pid !== broker));
		assert.equal(await has(d, b, 'cache-mine'), true);
		await d.stop();
	});
