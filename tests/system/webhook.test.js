// SPDX-License-Identifier: MIT
//
// Webhooks: every kind with its exact payload, headers and signature; order,
// hold-back, filters, batches, several endpoints, official parser.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const Pusher = require('pusher');
const { Client, closeAll } = require('./lib/client');
const { becomes, sleep } = require('./lib/daemon');
const { get, publish } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { suite } = require('./lib/suite');

suite('webhooks', (d) => {
	const make = async (settings, ...args) => {
		const app = d.app(settings);
		const r = await Receiver.start();
		const [w] = d.ctl(['webhook', 'add', app.id, r.url, ...args]);
		return { app, r, num: String(w.webhook) };
	};

	test('occupied, added, removed, vacated: order, bytes, headers',
		async () => {
			const { app, r } = await make({}, '--header', 'X-Mine: 1 2',
				'--header', 'Authorization: Bearer x');
			const a = await Client.connect(d, app);
			await a.join('presence-x', 'u-7');
			await r.have(2);
			const [first] = r.hooks;
			r.hooks.forEach((h) => r.check(h, app));
			assert.deepEqual(r.events, [
				{ name: 'channel_occupied', channel: 'presence-x' },
				{ name: 'member_added', channel: 'presence-x',
					user_id: 'u-7' }]);
			assert.equal(first.body.toString(), `{"time_ms":${
				first.json.time_ms},"events":[{"name":"channel_occupied",` +
				'"channel":"presence-x"}]}');
			const names = first.raw.filter((_, i) => i % 2 === 0).sort();
			assert.deepEqual(names, ['Authorization', 'Content-Length',
				'Content-Type', 'Host', 'User-Agent', 'X-Mine',
				'X-Pusher-Key', 'X-Pusher-Signature',
				'X-Pusherd-Delivery']);
			assert.equal(first.headers['x-mine'], '1 2');
			assert.match(first.headers['user-agent'], /^pusherd\/\d/);
			const left = Date.now();
			await a.close();
			await r.have(4);
			assert.ok(r.hooks[2].at - left >= 2900, 'held back');
			assert.deepEqual(r.events.slice(2), [
				{ name: 'member_removed', channel: 'presence-x',
					user_id: 'u-7' },
				{ name: 'channel_vacated', channel: 'presence-x' }]);
			assert.equal(new Set(r.hooks.map((h) => h.id)).size, 4);
			await r.stop();
		});

	test('a member that is back in time never left', async () => {
		const { app, r } = await make({});
		const a = await Client.connect(d, app);
		await a.join('presence-x', 'u');
		await r.have(2);
		await a.close();
		await becomes(async () => (await get(d, app,
			'/channels/presence-x')).occupied, false);
		const b = await Client.connect(d, app);
		await b.join('presence-x', 'u');
		await sleep(3500);
		assert.equal(r.events.length, 2, JSON.stringify(r.events));
		await b.close();
		await r.have(4);
		await r.stop();
	});

	test('B09 one emission per fact on several workers', async () => {
		const { app, r } = await make({});
		const all = await Client.onEachWorker(d, app);
		for (const c of all) await c.join('presence-x', 'u');
		for (const c of all) await c.subscribe('room');
		await r.have(3);
		await closeAll(all);
		await r.have(6);
		await sleep(300);
		assert.deepEqual(r.events.map((e) => e.name).sort(), [
			'channel_occupied', 'channel_occupied', 'channel_vacated',
			'channel_vacated', 'member_added', 'member_removed']);
		await r.stop();
	});

	test('B47 client_event with string values, as relayed', async () => {
		const { app, r } = await make({ client_events: 'on' },
			'--events', 'client_event');
		const [a, b] = await Client.several(d, app, 2);
		await a.join('presence-x', 'u"7');
		await b.subscribe('private-y');
		a.trigger('presence-x', 'client-a', { on: true });
		b.trigger('private-y', 'client-b', 'plain é');
		await r.have(2);
		const by = Object.fromEntries(r.events.map((e) => [e.event, e]));
		assert.deepEqual(by['client-a'], { name: 'client_event',
			channel: 'presence-x', event: 'client-a', data: '{"on":true}',
			socket_id: a.sid, user_id: 'u"7' });
		assert.deepEqual(by['client-b'], { name: 'client_event',
			channel: 'private-y', event: 'client-b', data: 'plain é',
			socket_id: b.sid });
		await closeAll([a, b]);
		await r.stop();
	});

	test('cache_miss once until filled or vacated', async () => {
		const { app, r } = await make({}, '--events', 'cache_miss');
		const [a, b, c] = await Client.several(d, app, 3);
		await a.subscribe('cache-x');
		await b.subscribe('cache-x');
		await r.have(1);
		await publish(d, app, 'cache-x', 'e', '1');
		await c.subscribe('cache-x');
		d.ctl(['channel', 'purge-cache', app.id, 'cache-x']);
		const e = await Client.connect(d, app);
		await e.subscribe('cache-x');
		await r.have(2);
		await sleep(200);
		assert.deepEqual(r.events, Array(2).fill(
			{ name: 'cache_miss', channel: 'cache-x' }));
		await closeAll([a, b, c, e]);
		await r.stop();
	});

	test('subscription_count', async () => {
		const { app, r } = await make({ subscription_count: 'on' },
			'--events', 'subscription_count');
		const [a, b] = await Client.several(d, app, 2);
		await a.subscribe('room');
		await b.subscribe('room');
		await r.have(1);
		await sleep(200);
		assert.deepEqual(r.events.at(-1), { name: 'subscription_count',
			channel: 'room', subscription_count: 2 });
		await closeAll([a, b]);
		await r.stop();
	});

	test('B12 D03 filters: events, prefix, suffix, glob', async () => {
		const { app, r } = await make({}, '--events',
			'channel_occupied,member_added');
		const add = async (...args) => {
			const x = await Receiver.start();
			d.ctl(['webhook', 'add', app.id, x.url, ...args]);
			return x;
		};
		const prefix = await add('--channel-prefix', 'room-');
		const suffix = await add('--channel-suffix', '-eu');
		const glob = await add('--channel-glob', 'r*-?u');
		const a = await Client.connect(d, app);
		for (const ch of ['room-eu', 'room-us', 'x-eu', 'lobby'])
			await a.subscribe(ch);
		await r.have(4);
		await prefix.have(2);
		await suffix.have(2);
		await glob.have(1);
		await a.close();
		await prefix.have(4);
		await sleep(200);
		assert.deepEqual(glob.events.map((e) => [e.name, e.channel]),
			[['channel_occupied', 'room-eu'], ['channel_vacated', 'room-eu']]);
		assert.deepEqual([...new Set(suffix.events.map((e) => e.channel))]
			.sort(), ['room-eu', 'x-eu']);
		assert.ok(r.events.every((e) => e.name === 'channel_occupied'));
		for (const x of [r, prefix, suffix, glob]) {
			x.hooks.forEach((h) => x.check(h, app));
			await x.stop();
		}
	});

	test('B11 batches, and never two apps in one body', async () => {
		const one = await make({}, '--batch');
		const two = await make({}, '--batch');
		const a = await Client.connect(d, one.app);
		const b = await Client.connect(d, two.app);
		for (let i = 0; i < 250; i++) {
			a.sendSubscribe(`one-${i}`);
			b.sendSubscribe(`two-${i}`);
		}
		for (const [x, name] of [[one, 'one'], [two, 'two']]) {
			await x.r.have(250);
			assert.ok(x.r.hooks.length < 40, `${x.r.hooks.length} requests`);
			assert.ok(x.r.hooks.every((h) => h.json.events.length <= 100));
			x.r.hooks.forEach((h) => x.r.check(h, x.app));
			assert.deepEqual(x.r.events.map((e) => e.channel),
				Array.from({ length: 250 }, (_, i) => `${name}-${i}`));
		}
		await closeAll([a, b]);
		await one.r.stop();
		await two.r.stop();
	});

	test('the official library accepts them', async () => {
		const { app, r } = await make({ client_events: 'on' });
		const lib = new Pusher({ appId: app.id, key: app.key,
			secret: app.secret, host: '127.0.0.1', port: d.port });
		const a = await Client.connect(d, app);
		await a.join('presence-cache-x', 'u');
		a.trigger('presence-cache-x', 'client-a', { x: 1 });
		await r.have(4);
		for (const h of r.hooks) {
			const hook = lib.webhook({ headers: h.headers,
				rawBody: h.body.toString() });
			assert.equal(hook.isValid(), true);
			assert.deepEqual(hook.getEvents(), h.json.events);
		}
		assert.deepEqual(r.events.map((e) => e.name).sort(), ['cache_miss',
			'channel_occupied', 'client_event', 'member_added']);
		await a.close();
		await r.stop();
	});

	test('a channel older than its endpoint is notified only at its end',
		async () => {
			const app = d.app();
			const a = await Client.connect(d, app);
			await a.join('presence-x', 'u');
			const r = await Receiver.start();
			d.ctl(['webhook', 'add', app.id, r.url]);
			await a.close();
			await r.have(2);
			assert.deepEqual(r.events.map((e) => e.name),
				['member_removed', 'channel_vacated']);
			await r.stop();
		});

	test('the oldest key that counts signs, and then the next', async () => {
		const { app, r } = await make({}, '--events', 'channel_occupied');
		const [now] = d.ctl(['app', 'rotate-key', app.id, '--overlap', '2']);
		const end = Date.now() + 2000;
		const c = await Client.connect(d, app);
		await c.subscribe('one');
		await r.have(1);
		await sleep(Math.max(0, end + 1100 - Date.now()));
		await c.subscribe('two');
		await r.have(2);
		const keys = r.hooks.map((h) => h.headers['x-pusher-key']);
		if (r.hooks[0].at < end) assert.equal(keys[0], app.key);
		assert.equal(keys[1], now.key);
		r.hooks.forEach((h, i) => r.check(h, keys[i] === app.key ? app : now));
		await c.close();
		await r.stop();
	});

	test('test, set, remove, verify', async () => {
		const { app, r, num } = await make({});
		const answer = await d.ctlAsync(['-j', 'webhook', 'test', num]);
		assert.equal(answer.code, 0, answer.err);
		const t = JSON.parse(answer.out);
		assert.equal(t.status, 200);
		assert.equal(t.state, 'done');
		assert.deepEqual(r.events, [{ name: 'test',
			channel: 'pusherd-test' }]);
		const [h] = r.hooks;
		assert.equal(t.delivery, h.id);
		assert.deepEqual(d.ctl(['verify-webhook', app.id,
			h.headers['x-pusher-signature']], h.body),
		[{ valid: true, key: app.key }]);
		assert.equal(d.ctlRaw(['verify-webhook', app.id,
			h.headers['x-pusher-signature']], `${h.body} `).code, 1);
		const [w] = d.ctl(['webhook', 'set', num, 'enabled=off',
			'events=member_added', '--header', 'A: b']);
		assert.equal(w.enabled, false);
		assert.equal(w.headers, 'A');
		assert.equal(d.ctl(['webhook', 'show', num, '--reveal'])[0].headers,
			'A: b');
		for (const bad of [['add', app.id, 'ftp://x/'],
			['add', app.id, r.url, '--events', 'all'],
			['add', app.id, r.url, '--header', 'Host: x'],
			['add', app.id, r.url, '--header', 'A: b\r\nC: d'],
			['add', app.id, r.url, '--header', 'X-Pusher-Key: x'],
			['set', num, 'url=nonsense'], ['show', '999999']])
			assert.notEqual(d.ctlRaw(['webhook', ...bad]).code, 0);
		assert.ok(d.ctl(['webhook', 'list', app.id]).length === 1);
		d.ctl(['webhook', 'remove', num]);
		assert.deepEqual(d.ctl(['webhook', 'list', app.id]), []);
		await r.stop();
	});
}, { webhook_allow_private: 'on' });
