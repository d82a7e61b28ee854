// SPDX-License-Identifier: MIT
//
// A whole session, and the order in which one thing's effects come: every
// frame that is sent, in the shape of the vectors.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const vectors = require('../vectors.json').vectors;
const { Client, closeAll } = require('./lib/client');
const { api, publish } = require('./lib/http');
const { suite } = require('./lib/suite');

// A text without what differs from run to run.
function shape(text) {
	const m = JSON.parse(text);
	const data = typeof m.data === 'string' ? ['string', tryParse(m.data)] :
		['object', m.data];
	return { keys: Object.keys(m).sort(), event: m.event, kind: data[0],
		data: keysOf(data[1]) };
}

function tryParse(text) {
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}

const keysOf = (x) => (x && typeof x === 'object' && !Array.isArray(x) ?
	Object.keys(x).sort() : typeof x);

suite('session', (d) => {
	const app = d.app({ client_events: 'on', subscription_count: 'on' });

	test('the session of the protocol reference', async () => {
		const friend = await Client.connect(d, app);
		await friend.signin({ id: 'u-9' });
		const c = await Client.connect(d, app);
		await c.signin({ id: 'u-7', watchlist: ['u-8', 'u-9'] });
		assert.deepEqual(await c.expect(
			'pusher_internal:watchlist_events'), { events: [
			{ name: 'online', user_ids: ['u-9'] },
			{ name: 'offline', user_ids: ['u-8'] }] });
		await c.subscribe('#server-to-user-u-7', { auth: '' });
		const lobby = 'presence-cache-lobby';
		assert.deepEqual(await c.join(lobby, 'u-7'),
			{ ids: ['u-7'], hash: { 'u-7': null }, count: 1 });
		await c.expect('pusher:cache_miss', lobby);
		await publish(d, app, lobby, 'state', '{"v":1}');
		assert.equal(await c.expect('state', lobby), '{"v":1}');
		const other = await Client.connect(d, app);
		await other.join(lobby, 'u-8');
		await other.expect('state', lobby);
		await c.expect('pusher_internal:member_added', lobby);
		c.trigger(lobby, 'client-typing', { on: true });
		assert.deepEqual(await other.next(), { event: 'client-typing',
			channel: lobby, data: '{"on":true}', user_id: 'u-7' });
		const r = await api(d, app, 'POST',
			'/users/u-7/terminate_connections', { body: '{}' });
		assert.equal(r.text, '{}');
		await c.expectFatal(4009);
		assert.deepEqual(await other.expect(
			'pusher_internal:member_removed', lobby), { user_id: 'u-7' });
		await closeAll([other, friend]);
	});

	test('subscribe: confirmation, cached event, then the count',
		async () => {
			await publish(d, app, 'cache-o', 'e', '1');
			const c = await Client.connect(d, app);
			c.sendSubscribe('cache-o');
			await c.expect('pusher_internal:subscription_succeeded');
			await c.expect('e');
			assert.deepEqual(await c.expect(
				'pusher_internal:subscription_count', 'cache-o'),
			{ subscription_count: 1 });
			await c.close();
		});

	test('member_removed, then the count of the rest', async () => {
		const [a, b] = await Client.several(d, app, 2);
		for (const c of [a, b]) await c.subscribe('room');
		await b.close();
		let m;
		do m = await a.next();
		while (!/"subscription_count\\?":1\}/.test(a.text) || m === undefined);
		await a.close();
	});

	// Each message of a vector, provoked here, has to have its shape.
	const provoke = {
		'sf-01': async (c) => c.text,
		'sf-02': async (c) => {
			c.sendSubscribe('room-1');
			await c.next();
			return c.text;
		},
		'sf-03': async (c) => {
			await c.join('presence-lobby', 'u-7', { nick: 'Ada' });
			return c.text;
		},
		'sf-04': async (c, o) => {
			await o.join('presence-lobby', 'u-9');
			await c.join('presence-lobby', 'u-7', { nick: 'Ada' });
			await o.next();
			return o.text;
		},
		'sf-05': async (c, o) => {
			await o.join('presence-lobby', 'u-9');
			await c.join('presence-lobby', 'u-7');
			await o.next();
			c.unsubscribe('presence-lobby');
			await o.next();
			return o.text;
		},
		'sf-06': async (c) => {
			c.send({ event: 'pusher:ping', data: {} });
			await c.next();
			return c.text;
		},
		'sf-08': async (c) => {
			c.sendText('nonsense');
			await c.next();
			return c.text;
		},
		'sf-09': async (c) => {
			await c.subscribe('cache-weather');
			await c.next();
			return c.text;
		},
		'sf-10': async (c) => {
			c.sendSubscribe('private-orders.42', { auth: 'x:y' });
			await c.next();
			return c.text;
		},
		'sf-11': async (c) => {
			await c.subscribe('room-count');
			await c.next();
			return c.text;
		},
		'sf-12': async (c) => {
			await c.signin({ id: 'u-7' });
			return c.text;
		},
		'sf-13': async (c) => {
			await c.signin({ id: 'u-7', watchlist: ['u-0'] });
			await c.next();
			return c.text;
		},
		'sf-14': async (c, o) => {
			await o.join('presence-lobby', 'u-9');
			await c.join('presence-lobby', 'u-7');
			await o.next();
			c.trigger('presence-lobby', 'client-typing', { on: true });
			await o.next();
			return o.text;
		},
		'sf-15': async (c) => {
			await c.signin({ id: 'u-7' });
			await publish(d, app, '#server-to-user-u-7', 'notice', '{"a":1}');
			await c.next();
			return c.text;
		},
	};

	for (const v of vectors.filter((x) => x.kind === 'server_frame')) {
		// sf-07: pusher:ping is never sent; pings are WebSocket pings.
		if (v.id === 'sf-07') continue;
		test(`vector ${v.id}: ${v.note}`, async () => {
			const [c, o] = await Client.several(d, app, 2);
			c.text = c.text ?? '';
			const text = await provoke[v.id](c, o);
			assert.deepEqual(shape(text), shape(v.expect.frame), text);
			await closeAll([c, o]);
		});
	}
});
