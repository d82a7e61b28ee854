// SPDX-License-Identifier: MIT
//
// Cache channels of all four kinds, and what encrypted channels are to the
// server: opaque.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { becomes, sleep } = require('./lib/daemon');
const { api, get, publish } = require('./lib/http');
const { suite } = require('./lib/suite');

const KINDS = ['cache-', 'private-cache-', 'private-encrypted-cache-',
	'presence-cache-'];
const as = { data: { user_id: 'u' } };

suite('cache channel', (d) => {
	const app = d.app({ client_events: 'on' });

	for (const kind of KINDS) {
		test(`${kind}: a miss, then the last event, on every worker`,
			async () => {
				const name = `${kind}x`;
				const all = await Client.onEachWorker(d, app);
				await all[0].subscribe(name, as);
				assert.deepEqual(await all[0].next(), {
					event: 'pusher:cache_miss', channel: name, data: '{}' });
				await publish(d, app, name, 'first', '1');
				await publish(d, app, name, 'last', '{"v":9007199254740993}');
				await all[0].expect('first');
				await all[0].expect('last');
				for (const c of all.slice(1)) {
					await c.subscribe(name, as);
					assert.deepEqual(await c.next(), { event: 'last',
						channel: name, data: '{"v":9007199254740993}' });
				}
				await closeAll(all);
			});

		test(`D09 ${kind}: kept while nobody is there`, async () => {
			const name = `${kind}alone`;
			await publish(d, app, name, 'e', 'kept');
			for (let i = 0; i < 2; i++) {
				const c = await Client.connect(d, app);
				await c.subscribe(name, as);
				assert.equal(await c.expect('e', name), 'kept');
				await c.close();
			}
			await becomes(async () => (await get(d, app,
				`/channels/${name}`)).occupied, false);
		});
	}

	test('B33 the replayed frame is the live frame, byte for byte',
		async () => {
			const name = 'cache-bytes';
			const live = await Client.connect(d, app);
			await live.subscribe(name);
			await live.expect('pusher:cache_miss');
			const raw = '{"name":"\\u00e9/\\"","channel":"cache-bytes",' +
				'"data":"\\u00e9\\/ \\ud83c\\udf88 \\u0000 {\\"a\\":1e400}"}';
			const r = await api(d, app, 'POST', '/events', { body: raw });
			assert.equal(r.status, 200, r.text);
			await live.next();
			const late = await Client.connect(d, app);
			await late.subscribe(name);
			await late.next();
			assert.equal(late.text, live.text);
			await closeAll([live, late]);
		});

	test('client events are delivered and not kept', async () => {
		const name = 'private-cache-c';
		const [a, b, c] = await Client.several(d, app, 3);
		for (const x of [a, b]) {
			await x.subscribe(name);
			await x.expect('pusher:cache_miss');
		}
		a.trigger(name, 'client-e', '1');
		await b.expect('client-e');
		await c.subscribe(name);
		await c.expect('pusher:cache_miss');
		await closeAll([a, b, c]);
	});

	test('events with socket_id are kept too', async () => {
		const a = await Client.connect(d, app);
		await a.subscribe('cache-s');
		await a.expect('pusher:cache_miss');
		await publish(d, app, 'cache-s', 'e', '1', { socket_id: a.sid });
		const b = await Client.connect(d, app);
		await b.subscribe('cache-s');
		await b.expect('e');
		assert.deepEqual(await a.sync(), []);
		await closeAll([a, b]);
	});

	test('a batch and several channels fill the cache', async () => {
		await api(d, app, 'POST', '/batch_events', { body: { batch: [
			{ name: 'e', channel: 'cache-b1', data: 'one' },
			{ name: 'e', channel: 'cache-b1', data: 'two' }] } });
		await publish(d, app, ['cache-b2', 'cache-b3'], 'e', 'three');
		const c = await Client.connect(d, app);
		for (const [name, data] of [['cache-b1', 'two'], ['cache-b2', 'three'],
			['cache-b3', 'three']]) {
			await c.subscribe(name);
			assert.equal(await c.expect('e', name), data);
		}
		await c.close();
	});

	test('a second subscribe does not repeat the event', async () => {
		await publish(d, app, 'cache-2', 'e', '1');
		const c = await Client.connect(d, app);
		await c.subscribe('cache-2');
		await c.expect('e');
		await c.subscribe('cache-2');
		await c.sync().then((x) => assert.deepEqual(x, []));
		await c.close();
	});

	test('D02 only anchored prefixes are cache channels', async () => {
		const c = await Client.connect(d, app);
		for (const name of ['my-cache-x', 'xcache-x', 'cache',
			'private-my-cache-x', 'Cache-x', 'presence-encrypted-cache-x']) {
			await publish(d, app, name, 'e', '1');
			await c.subscribe(name, as);
			assert.deepEqual(await c.sync(), [], name);
			assert.equal((await api(d, app, 'GET', `/channels/${name}`,
				{ query: { info: 'cache' } })).status, 400);
		}
		await c.close();
	});

	test('info=cache', async () => {
		const path = '/channels/cache-i';
		assert.deepEqual(await get(d, app, path, { info: 'cache' }),
			{ occupied: false, cache: null });
		await publish(d, app, 'cache-i', 'e', '{"a":"é"}');
		const r = await get(d, app, path, { info: 'cache,subscription_count' });
		assert.equal(r.cache.data, '{"a":"é"}');
		assert.ok(r.cache.ttl > 1700 && r.cache.ttl <= 1800);
		assert.equal(r.subscription_count, 0);
	});

	test('D19 cache_ttl of the app', async () => {
		const short = d.app({ cache_ttl: 1 });
		const c = await Client.connect(d, short);
		await publish(d, short, 'cache-t', 'e', '1');
		await c.subscribe('cache-t');
		await c.expect('e');
		c.unsubscribe('cache-t');
		await sleep(1300);
		await c.subscribe('cache-t');
		await c.expect('pusher:cache_miss');
		assert.deepEqual((await get(d, short, '/channels/cache-t',
			{ info: 'cache' })).cache, null);
		await c.close();
	});

	test('pusherctl channel purge-cache', async () => {
		await publish(d, app, 'cache-p', 'e', '1');
		await publish(d, app, 'cache-q', 'e', '1');
		d.ctl(['channel', 'purge-cache', app.id, 'cache-p']);
		const c = await Client.connect(d, app);
		await c.subscribe('cache-p');
		await c.expect('pusher:cache_miss');
		await c.subscribe('cache-q');
		await c.expect('e');
		await c.close();
	});

	test('the channels of two apps are two', async () => {
		const other = d.app();
		await publish(d, app, 'cache-o', 'e', 'mine');
		const c = await Client.connect(d, other);
		await c.subscribe('cache-o');
		await c.expect('pusher:cache_miss');
		await c.close();
	});

	test('presence: list first, then the event; others first hear later',
		async () => {
			const name = 'presence-cache-o';
			await publish(d, app, name, 'e', '1');
			const [a, b] = await Client.several(d, app, 2);
			assert.equal((await a.join(name, 'a')).count, 1);
			await a.expect('e');
			assert.equal((await b.join(name, 'b')).count, 2);
			await b.expect('e');
			await a.expect('pusher_internal:member_added');
			await closeAll([a, b]);
		});
});

suite('cache_memory', (d) => {
	test('the least recently used go first', async () => {
		const app = d.app();
		const data = 'x'.repeat(10000);
		await publish(d, app, 'cache-0', 'e', data);
		const c = await Client.connect(d, app);
		for (let i = 1; i < 12; i++) {
			await publish(d, app, `cache-${i}`, 'e', data);
			// Asked for all the time, so it stays.
			await c.subscribe('cache-0');
			await c.expect('e', 'cache-0');
			c.unsubscribe('cache-0');
		}
		await c.subscribe('cache-1');
		await c.expect('pusher:cache_miss', 'cache-1');
		await c.subscribe('cache-11');
		await c.expect('e', 'cache-11');
		await c.close();
	});
}, { cache_memory: 65536 });

suite('encrypted channel', (d) => {
	const app = d.app({ client_events: 'on' });
	const box = '{"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",' +
		'"ciphertext":"3q2+7w=="}';

	test('the data is opaque', async () => {
		const all = await Client.onEachWorker(d, app);
		for (const c of all) await c.subscribe('private-encrypted-x');
		await publish(d, app, 'private-encrypted-x', 'e', box);
		for (const c of all) assert.equal(await c.expect('e'), box);
		await publish(d, app, 'private-encrypted-x', 'e', 'not even a box');
		for (const c of all)
			assert.equal(await c.expect('e'), 'not even a box');
		await closeAll(all);
	});

	test('client events are relayed like on private channels', async () => {
		const [a, b] = await Client.several(d, app, 2);
		for (const c of [a, b]) await c.subscribe('private-encrypted-x');
		a.trigger('private-encrypted-x', 'client-e', box);
		assert.equal(await b.expect('client-e'), box);
		await closeAll([a, b]);
	});
});
