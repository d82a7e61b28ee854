// SPDX-License-Identifier: MIT
//
// POST events and batch_events: what is taken, what is refused with which
// sentence, who gets it and who is left out.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const vectors = require('../vectors.json').vectors;
const { Client, closeAll } = require('./lib/client');
const { api, publish, onEachWorker } = require('./lib/http');
const { suite } = require('./lib/suite');

const names = (n) => Array.from({ length: n }, (_, i) => `room-${i}`);

suite('POST events', (d) => {
	const app = d.app();
	const post = (body, path = '/events') =>
		api(d, app, 'POST', path, { body });
	const refused = async (body, status, pattern, path) => {
		const r = await post(body, path);
		assert.equal(r.status, status, `${JSON.stringify(body)?.slice(0, 200)
		} -> ${r.text}`);
		assert.equal(r.json.code, status);
		assert.equal(typeof r.json.error, 'string');
		assert.equal(r.headers['content-type'], 'application/json');
		if (pattern) assert.match(r.json.error, pattern);
	};

	test('the answer is {}', async () => {
		const r = await post({ name: 'e', channel: 'room', data: '1' });
		assert.equal(r.status, 200);
		assert.equal(r.text, '{}');
		assert.equal(r.headers['content-type'], 'application/json');
		assert.equal(r.headers['content-length'], '2');
	});

	test('through each worker to each worker', async () => {
		const clients = await Client.onEachWorker(d, app);
		for (const c of clients) await c.subscribe('room');
		for (const h of await onEachWorker(d)) {
			const r = await h.api(app, 'POST', '/events', { body:
				{ name: 'e', channel: 'room', data: `${h.worker}` } });
			assert.equal(r.status, 200);
			for (const c of clients)
				assert.equal(await c.expect('e', 'room'), `${h.worker}`);
			h.end();
		}
		await closeAll(clients);
	});

	test('channel and channels: the union, each once', async () => {
		const c = await Client.connect(d, app);
		for (const name of ['a', 'b', 'c']) await c.subscribe(name);
		await publish(d, app, ['a', 'b', 'a', 'a'], 'e', '1', { channel: 'c' });
		const got = [];
		for (let i = 0; i < 3; i++) got.push((await c.next()).channel);
		assert.deepEqual(got.sort(), ['a', 'b', 'c']);
		assert.deepEqual(await c.sync(), []);
		await closeAll([c]);
	});

	test('100 channels', async () => {
		const c = await Client.connect(d, app);
		for (const name of names(100)) await c.subscribe(name);
		await publish(d, app, names(100), 'e', '1');
		for (let i = 0; i < 100; i++) await c.expect('e');
		await refused({ name: 'e', channels: names(101), data: '1' }, 400,
			/100.*101|101.*100/);
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	test('B25 413 names the limit, the size and the option', async () => {
		const body = (n) => ({ name: 'e', channel: 'room',
			data: 'x'.repeat(n) });
		assert.equal((await post(body(10239))).status, 200);
		assert.equal((await post(body(10240))).status, 200);
		await refused(body(10241), 413, /10240/);
		await refused(body(10241), 413, /10241/);
		await refused(body(10241), 413, /max_event_bytes/);
		const batch = { batch: [body(1), body(10241)] };
		await refused(batch, 413, /10240/, '/batch_events');
	});

	test('the copies of one event are bounded', async () => {
		const large = d.app({ max_event_channels: 1000,
			max_event_bytes: 1048576 });
		const c = await Client.connect(d, large);
		await c.subscribe('copy-999');
		const go = (n, channels) => api(d, large, 'POST', '/events', { body: {
			name: 'e', data: 'x'.repeat(n), channels: Array.from(
				{ length: channels }, (_, i) => `copy-${i}`) } });
		// With its quotes in 1,000 channels just under 32 MiB.
		assert.equal((await go(33552, 1000)).status, 200);
		assert.equal((await c.expect('e')).length, 33552);
		const r = await go(33553, 1000);
		assert.equal(r.status, 413, r.text);
		assert.match(r.json.error, /33555 bytes, for 1000 channels.*33554432/);
		assert.equal((await go(1000000, 33)).status, 200);
		assert.equal((await go(1000000, 34)).status, 413);
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	test('the limit counts bytes after unescaping', async () => {
		const data = (raw) =>
			`{"name":"e","channel":"room","data":"${raw}"}`;
		assert.equal((await post(data('\\u0041'.repeat(10240)))).status, 200);
		assert.equal((await post(data('\\u00e9'.repeat(5120)))).status, 200);
		await refused(data('\\u00e9'.repeat(5121)), 413);
		await refused(data('é'.repeat(5121)), 413);
	});

	test('missing, null, of the wrong type, too long', async () => {
		const good = { name: 'e', channel: 'room', data: '1' };
		for (const name of ['name', 'data', 'channel'])
			for (const value of [undefined, null, 7, true, {}, []])
				await refused({ ...good, [name]: value }, 400);
		await refused({ ...good, name: '' }, 400);
		await refused({ ...good, name: 'x'.repeat(201) }, 400, /200/);
		await refused({ ...good, channel: 'x'.repeat(165) }, 400, /164/);
		for (const channels of [[], {}, 'room', 7, [7], [null], ['room', ''],
			['ok', 'not ok'], [['room']], ['room', 'a\n']])
			await refused({ name: 'e', data: '1', channels }, 400);
		for (const name of ['pusher:x', 'pusher_internal:member_added',
			'pusher:', 'pusher_internal:'])
			await refused({ ...good, name }, 400);
		for (const socket_id of [7, {}, [], ...vectors
			.filter((v) => v.kind === 'socket_id' && !v.expect.valid)
			.map((v) => v.input.socket_id)])
			await refused({ ...good, socket_id }, 400);
		for (const info of ['nonsense', 'user_count,x', 7, {}])
			await refused({ ...good, info }, 400);
	});

	test('bodies that are not a JSON object', async () => {
		for (const body of ['x', '[]', 'null', '7', '"x"', '{', '{}}', '{"a"}',
			'{"name":"e","channel":"room","data":"1"}x', '\0', '{\'a\':1}',
			'\ufeff{"name":"e","channel":"room","data":"1"}',
			`{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`,
			Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])])
			await refused(body, 400);
	});

	for (const v of vectors.filter((x) => x.kind === 'socket_id' &&
		x.expect.valid))
		test(`vector ${v.id}: an unknown socket_id is no error`, async () => {
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			await publish(d, app, 'room', 'e', '1', v.input);
			await c.expect('e');
			await c.close();
		});

	test('one illegal channel: nothing is sent', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		await refused({ name: 'e', channels: ['room', 'il legal'], data: '1' },
			400, /il legal/);
		await refused({ batch: [{ name: 'e', channel: 'room', data: '1' },
			{ name: 'e', channel: 'il legal', data: '1' }] }, 400, undefined,
		'/batch_events');
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	test('B28 socket_id is left out, on whatever worker', async () => {
		const clients = await Client.onEachWorker(d, app);
		const https = await onEachWorker(d);
		for (const c of clients) await c.subscribe('room');
		for (const h of https)
			for (const left of clients) {
				const r = await h.api(app, 'POST', '/events', { body: {
					name: 'e', channel: 'room', data: '1',
					socket_id: left.sid } });
				assert.equal(r.status, 200);
				for (const c of clients)
					if (c !== left) await c.expect('e', 'room');
			}
		await publish(d, app, 'room', 'end', '1');
		for (const c of clients) await c.expect('end');
		for (const h of https) h.end();
		await closeAll(clients);
	});

	test('info', async () => {
		const [a, b] = await Client.several(d, app, 2);
		await a.join('presence-i', 'u');
		await b.join('presence-i', 'u');
		await a.subscribe('room-i');
		await b.subscribe('room-i');
		const how = { info: 'user_count,subscription_count' };
		const answer = await publish(d, app,
			['presence-i', 'room-i', 'empty'], 'e', '1', how);
		assert.deepEqual(answer, { channels: {
			'presence-i': { user_count: 1, subscription_count: 2 },
			'room-i': { subscription_count: 2 },
			empty: { subscription_count: 0 } } });
		assert.deepEqual(await publish(d, app, 'room-i', 'e', '1',
			{ info: 'user_count' }), { channels: { 'room-i': {} } });
		await closeAll([a, b]);
	});

	test('batch: order, exclusion, answers', async () => {
		const [a, b] = await Client.several(d, app, 2);
		for (const c of [a, b])
			for (const name of ['x', 'y']) await c.subscribe(name);
		const one = (channel, i, more) =>
			({ name: 'e', channel, data: `${i}`, ...more });
		let r = await post({ batch: [one('x', 0), one('x', 1),
			one('x', 2, { socket_id: a.sid }), one('y', 3), one('x', 4)] },
		'/batch_events');
		assert.equal(r.status, 200);
		assert.equal(r.text, '{}');
		const ofX = async (c, n) => {
			const got = [];
			for (let i = 0; i < n; i++) got.push(await c.next());
			return got.filter((m) => m.channel === 'x').map((m) => m.data);
		};
		assert.deepEqual(await ofX(a, 4), ['0', '1', '4']);
		assert.deepEqual(await ofX(b, 5), ['0', '1', '2', '4']);
		r = await post({ batch: [one('x', 0, { info: 'subscription_count' }),
			one('y', 1), one('x', 2, { info: 'subscription_count' })] },
		'/batch_events');
		assert.deepEqual(r.json, { batch: [{ subscription_count: 2 }, {},
			{ subscription_count: 2 }] });
		await closeAll([a, b]);
	});

	test('batch: bad events are refused', async () => {
		const one = { name: 'e', channel: 'x', data: '1' };
		const ten = Array.from({ length: 10 }, () => one);
		assert.equal((await post({ batch: ten }, '/batch_events')).status,
			200);
		await refused({ batch: [...ten, one] }, 400, /10.*11|11.*10/,
			'/batch_events');
		for (const batch of [[], {}, null, 'x', [7], [null], [[]], [{}],
			[{ ...one, name: 7 }], [{ ...one, data: {} }],
			[{ name: 'e', data: '1' }], [{ ...one, socket_id: 'x' }],
			[{ ...one, info: 'nonsense' }], [{ ...one, channel: ['x'] }]])
			await refused({ batch }, 400, undefined, '/batch_events');
		await refused({}, 400, undefined, '/batch_events');
	});

	test('limits of the app', async () => {
		const small = d.app({ max_event_bytes: 5, max_event_channels: 2,
			max_batch_events: 2, max_event_name_length: 3,
			max_channel_name_length: 4 });
		const go = async (body, path = '/events') =>
			(await api(d, small, 'POST', path, { body })).status;
		const e = { name: 'abc', channel: 'room', data: '12345' };
		assert.equal(await go(e), 200);
		assert.equal(await go({ ...e, name: 'abcd' }), 400);
		assert.equal(await go({ ...e, channel: 'rooms' }), 400);
		assert.equal(await go({ ...e, data: '123456' }), 413);
		assert.equal(await go({ name: 'a', data: '1',
			channels: ['a', 'b', 'c'] }), 400);
		assert.equal(await go({ batch: [e, e] }, '/batch_events'), 200);
		assert.equal(await go({ batch: [e, e, e] }, '/batch_events'), 400);
	});

	test('parameters in the query of a POST', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		const r = await api(d, app, 'POST', '/events', { query:
			{ name: 'e', channel: 'room', data: '{"a":"b&c=d+e f"}' } });
		assert.equal(r.status, 200, r.text);
		assert.equal(await c.expect('e', 'room'), '{"a":"b&c=d+e f"}');
		await c.close();
	});

	test('the deprecated POST /channels/{name}/events', async () => {
		const [a, b] = await Client.several(d, app, 2);
		for (const c of [a, b]) await c.subscribe('room');
		const r = await api(d, app, 'POST', '/channels/room/events', {
			body: '{"not":"touched"} ',
			query: { name: 'e', socket_id: a.sid } });
		assert.equal(r.status, 202, r.text);
		assert.equal(await b.expect('e', 'room'), '{"not":"touched"} ');
		assert.deepEqual(await a.sync(), []);
		await closeAll([a, b]);
	});
});
