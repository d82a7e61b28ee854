// SPDX-License-Identifier: MIT
//
// Redis stops while requests are on their way: each is answered in bounded
// time, with 503 and a sentence, and what was answered 200 has come.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { becomesReady, host, isReady, metric, startReady, tryPublish } =
	require('./lib/cluster');
const { until } = require('./lib/daemon');
const { Http } = require('./lib/http');
const { Redis } = require('./lib/redis');
const { signedTarget } = require('./lib/sign');

const KEY = { 'X-Idempotency-Key': 'once' };

const body = (data) => JSON.stringify({ name: 'e', channel: 'c', data });
const request = (d, data, headers) => [signedTarget(d.shared, 'POST',
	'/apps/42/events', { body: body(data) }), body(data), headers];

describe('Redis stops while requests are on their way', () => {
	const redis = new Redis();
	let a, client;

	before(async () => {
		await redis.start();
		a = host(redis, 'a');
		await startReady(a);
		client = await Client.connect(a, a.shared);
		await client.subscribe('c');
	});

	after(async () => {
		await client.close();
		await a.stop();
		await redis.remove();
	});

	test('each gets 503, whatever else is on its connection', async () => {
		const keeps = await Http.connect(a);
		const closes = await Http.connect(a);
		const many = await Http.connect(a);
		assert.equal((await tryPublish(a, 'c', 'before')).status, 200);
		await client.expect('e', 'c');
		redis.child.kill('SIGSTOP');
		await keeps.request('POST', ...request(a, '1', KEY));
		await closes.request('POST', ...request(a, '2', { Connection: 'close' }));
		for (const i of ['3', '4'])
			await many.request('POST', ...request(a, i));
		for (const h of [keeps, closes, many]) {
			const r = await h.answer({ ms: 9000 });
			assert.equal(r.status, 503, r.text);
			assert.match(r.json.error, /has not confirmed this request/);
			assert.equal(r.headers['retry-after'], '1');
			await h.closed();
			assert.equal(h.in.length, 0);
		}
		assert.equal(await metric(a, 'pusherd_publishes_unconfirmed_total',
			{ worker: '0' }), 3);
		// By now the host knows it, and nothing is taken any more.
		await until('not ready', async () => !await isReady(a));
		const r = await tryPublish(a, 'c', 'never', { 'X-Idempotency-Key': 'k' });
		assert.equal(r.status, 503);
		assert.match(r.json.error, /cannot be reached/);
		assert.match(a.ctlRaw(['publish', '42', 'c', 'e', 'never']).err,
			/takes no events now/);
		redis.child.kill('SIGCONT');
		await becomesReady(a);
		// The events that the 503 called possible are here, once and in order.
		for (const [data, headers] of [['1', KEY], ['after']])
			assert.equal((await tryPublish(a, 'c', data, headers)).status, 200);
		const got = [];
		do got.push(await client.expect('e', 'c'));
		while (got.at(-1) !== 'after');
		assert.deepEqual(got.slice().sort(),
			['1', '2', '3', '4', 'after']);
	});

	test('a request with a key, and the broker dies: it comes once', async () => {
		const key = { 'X-Idempotency-Key': 'twice' };
		assert.equal((await tryPublish(a, 'c', 'before', key)).status, 200);
		redis.child.kill('SIGSTOP');
		const h = await Http.connect(a);
		const under = { 'X-Idempotency-Key': 'under way' };
		await h.request('POST', ...request(a, 'under way', under));
		assert.equal((await h.answer({ ms: 9000 })).status, 503);
		process.kill(a.pidsOf('broker')[0], 'SIGKILL');
		redis.child.kill('SIGCONT');
		await becomesReady(a);
		for (const [data, headers] of [['before', key], ['under way', under],
			['after']])
			assert.equal((await tryPublish(a, 'c', data, headers)).status, 200);
		const got = [];
		do got.push(await client.expect('e', 'c'));
		while (got.at(-1) !== 'after');
		assert.deepEqual(got, ['before', 'under way', 'after']);
	});

	test('the broker dies while Redis is away: no 200 before Redis has it',
		async () => {
			await redis.stop();
			await until('not ready', async () => !await isReady(a));
			const waits = tryPublish(a, 'c', 'early');
			process.kill(a.pidsOf('broker')[0], 'SIGKILL');
			assert.equal((await waits).status, 503);
			assert.equal((await tryPublish(a, 'c', 'late')).status, 503);
			await redis.start();
			await becomesReady(a);
			const z = await Client.connect(a, a.shared);
			await z.subscribe('c');
			assert.equal((await tryPublish(a, 'c', 'now')).status, 200);
			assert.equal(await z.expect('e', 'c'), 'now');
			await z.close();
		});
});
