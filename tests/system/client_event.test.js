// SPDX-License-Identifier: MIT
//
// Events from clients: who may send what to whom, and how often.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { sleep } = require('./lib/daemon');
const { suite } = require('./lib/suite');

suite('client event', (d) => {
	const app = d.app({ client_events: 'on' });
	const fast = d.app({ client_events: 'on',
		max_client_events_per_second: 0 });

	test('reaches all others on every worker, not the sender', async () => {
		const all = await Client.onEachWorker(d, app);
		const twin = await Client.connect(d, app);
		for (const c of [...all, twin]) await c.subscribe('private-x');
		for (const sender of all) {
			sender.trigger('private-x', 'client-typing', { on: true });
			for (const c of [...all, twin]) {
				if (c === sender) continue;
				assert.deepEqual(await c.next(), { event: 'client-typing',
					channel: 'private-x', data: '{"on":true}' });
			}
			assert.deepEqual(await sender.sync(), []);
		}
		await closeAll([...all, twin]);
	});

	test('on presence channels user_id says who, from the subscription',
		async () => {
			const [a, b, tab] = await Client.several(d, app, 3);
			await b.join('presence-x', 'bob');
			await a.join('presence-x', 'ann');
			await tab.join('presence-x', 'ann');
			await b.expect('pusher_internal:member_added');
			a.send({ event: 'client-e', channel: 'presence-x', data: 'x',
				user_id: 'bob' });
			for (const c of [b, tab])
				assert.deepEqual(await c.next(), { event: 'client-e',
					channel: 'presence-x', data: 'x', user_id: 'ann' });
			assert.deepEqual(await a.sync(), []);
			await closeAll([a, b, tab]);
		});

	test('B28 the sender is left out when it sits elsewhere', async () => {
		const all = await Client.onEachWorker(d, fast);
		for (const c of all) await c.subscribe('private-x');
		for (let i = 0; i < 20; i++)
			for (const c of all) c.trigger('private-x', 'client-e', `${i}`);
		for (const c of all) {
			for (let i = 0; i < 20 * (all.length - 1); i++)
				await c.expect('client-e');
			assert.deepEqual(await c.sync(), []);
		}
		await closeAll(all);
	});

	test('all kinds of channels that allow it', async () => {
		const [a, b] = await Client.several(d, fast, 2);
		for (const name of ['private-x', 'private-cache-x',
			'private-encrypted-x', 'private-encrypted-cache-x',
			'presence-x', 'presence-cache-x']) {
			const data = { user_id: 'u' };
			for (const c of [a, b]) {
				await c.subscribe(name, { data });
				if (name.includes('-cache-'))
					await c.expect('pusher:cache_miss', name);
			}
			a.trigger(name, 'client-e', '1');
			assert.equal((await b.next()).channel, name);
		}
		await closeAll([a, b]);
	});

	test('B29 refused, one error each, nothing closed', async () => {
		const [a, b] = await Client.several(d, fast, 2);
		for (const name of ['room', 'cache-x']) {
			for (const c of [a, b]) {
				await c.subscribe(name);
				if (name === 'cache-x') await c.expect('pusher:cache_miss');
			}
		}
		await b.subscribe('private-x');
		await a.subscribe('private-y');
		const long = `client-${'x'.repeat(194)}`;
		for (const m of [
			{ event: 'client-e', channel: 'private-x', data: 1 }, // not in
			{ event: 'client-e', channel: 'room', data: 1 },
			{ event: 'client-e', channel: 'cache-x', data: 1 },
			{ event: 'client-e', data: 1 }, // no channel
			{ event: 'client-e', channel: 7, data: 1 },
			{ event: 'client-e', channel: null, data: 1 },
			{ event: 'client-e', channel: '', data: 1 },
			{ event: 'client-e', channel: '#server-to-user-u', data: 1 },
			{ event: 'client_e', channel: 'private-y', data: 1 },
			{ event: 'Client-e', channel: 'private-y', data: 1 },
			{ event: 'x-client-e', channel: 'private-y', data: 1 },
			{ event: 'event', channel: 'private-y', data: 1 },
			{ event: '', channel: 'private-y', data: 1 },
			{ event: long, channel: 'private-y', data: 1 },
			{ event: 'client-e', channel: 'private-y',
				data: 'x'.repeat(10241) },
		]) {
			a.send(m);
			await a.expectError(null);
		}
		assert.deepEqual(await a.sync(), []);
		assert.deepEqual(await b.sync(), []);
		await closeAll([a, b]);
	});

	test('B32 clients cannot send pusher events', async () => {
		const [a, b] = await Client.several(d, fast, 2);
		await a.subscribe('private-x');
		await b.subscribe('private-x');
		for (const event of ['pusher:error', 'pusher:signin_success',
			'pusher_internal:member_added', 'pusher:x', 'pusher_internal:',
			'pusher:subscription_count',
			'pusher_internal:subscription_succeeded',
			'pusher:connection_established']) {
			a.send({ event, channel: 'private-x', data: '{}' });
			await a.expectError(null);
		}
		assert.deepEqual(await b.sync(), []);
		await closeAll([a, b]);
	});

	test('the largest that fit', async () => {
		const [a, b] = await Client.several(d, fast, 2);
		for (const c of [a, b]) await c.subscribe('private-x');
		const name = `client-${'x'.repeat(193)}`;
		a.trigger('private-x', name, 'x'.repeat(10240));
		assert.deepEqual(await b.next(), { event: name,
			channel: 'private-x', data: 'x'.repeat(10240) });
		await closeAll([a, b]);
	});

	test('a size error names the limit and the size', async () => {
		const a = await Client.connect(d, fast);
		await a.subscribe('private-x');
		a.trigger('private-x', 'client-e', 'x'.repeat(10241));
		await a.expectError(null, /10240.*10241|10241.*10240/);
		await a.close();
	});

	test('off by default', async () => {
		const plain = d.app();
		const [a, b] = await Client.several(d, plain, 2);
		for (const c of [a, b]) await c.subscribe('private-x');
		a.trigger('private-x', 'client-e', '1');
		await a.expectError(null, /client_events|not enabled|off/);
		assert.deepEqual(await b.sync(), []);
		await closeAll([a, b]);
	});

	test('the rate limit: 4301, dropped, the socket stays', async () => {
		const [a, b] = await Client.several(d, app, 2);
		for (const c of [a, b]) await c.subscribe('private-x');
		for (let i = 0; i < 30; i++) a.trigger('private-x', 'client-e', `${i}`);
		const errors = await a.sync();
		assert.ok(errors.length >= 15 && errors.length <= 20,
			`${errors.length} refused`);
		for (const m of errors) {
			assert.equal(m.event, 'pusher:error');
			assert.equal(m.data.code, 4301);
			assert.match(m.data.message, /10/);
		}
		for (let i = 0; i < 10; i++)
			assert.equal(await b.expect('client-e'), `${i}`);
		await sleep(1100);
		await b.sync();
		a.trigger('private-x', 'client-e', 'later');
		assert.equal(await b.expect('client-e'), 'later');
		await closeAll([a, b]);
	});

	test('the rate is each connection\'s own', async () => {
		const all = await Client.several(d, app, 6);
		for (const c of all) await c.subscribe('private-r');
		for (const c of all)
			for (let i = 0; i < 10; i++)
				c.trigger('private-r', 'client-e', `${i}`);
		for (const c of all)
			for (let i = 0; i < 50; i++) await c.expect('client-e');
		await closeAll(all);
	});

	test('D12 messages that make no sense: an error each, then 4009',
		async () => {
			const c = await Client.connect(d, app);
			const bad = ['', 'x', '{', '[]', '7', 'null', '"e"', '{}',
				'{"data":1}', '{"event":7}', '{"event":null}',
				'{"event":{}}', '{"event":["a"]}', '{"event":"x"}trailing',
				'{"event":"pusher:ping"', '\0', '{"event":"\\ud800"}',
				`{"event":"x","a":${'['.repeat(100)}${']'.repeat(100)}}`,
				'{\'event\':\'pusher:ping\'}', '{"event":"pusher:ping",}'];
			for (const text of bad) {
				c.sendText(text);
				await c.expectError(null);
			}
			for (let i = bad.length; i < 110 && !c.gone; i++)
				c.sendText('nonsense');
			let m;
			do m = await c.next(); while (m.data.code === null);
			assert.equal(m.data.code, 4009);
			await c.expectClose(4009);
		});

	test('duplicate members: the last one counts', async () => {
		const c = await Client.connect(d, app);
		c.sendText('{"event":"x","event":"pusher:ping"}');
		await c.expect('pusher:pong');
		c.sendText('{"event":"pusher:subscribe","data":{"channel":"private-a",' +
			'"channel":"b"}}');
		await c.expect('pusher_internal:subscription_succeeded', 'b');
		await c.close();
	});
});
