// SPDX-License-Identifier: MIT
//
// Subscribing: public and private channels, names, signatures, the order of
// the checks, both frames of a refusal, twice, and out again.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const vectors = require('../vectors.json').vectors;
const { Client, closeAll } = require('./lib/client');
const { becomes } = require('./lib/daemon');
const { publish, get, api } = require('./lib/http');
const { channelAuth, userAuth, hmac } = require('./lib/sign');
const { suite } = require('./lib/suite');

const NEED_AUTH = ['private-', 'private-cache-', 'private-encrypted-',
	'private-encrypted-cache-', 'presence-', 'presence-cache-',
	'private-my-cache-', 'private-encrypted', 'presence-encrypted-',
	'private-cache', 'presence-cache', 'private-presence-',
	'presence-private-'];

suite('channel', (d) => {
	const app = d.app({ client_events: 'on' });
	const other = d.app();

	test('a public channel: the exact confirmation', async () => {
		const c = await Client.connect(d, app);
		c.sendText('{"event":"pusher:subscribe","data":{"channel":"room-1"}}');
		assert.deepEqual(await c.next(), {
			event: 'pusher_internal:subscription_succeeded',
			channel: 'room-1', data: '{}' });
		await c.close();
	});

	test('data as a string with an object', async () => {
		const c = await Client.connect(d, app);
		c.send({ event: 'pusher:subscribe',
			data: JSON.stringify({ channel: 'room-1', auth: '' }) });
		await c.expect('pusher_internal:subscription_succeeded', 'room-1');
		await c.close();
	});

	test('a public channel ignores auth', async () => {
		const c = await Client.connect(d, app);
		for (const [i, auth] of ['', 'x', 'a:b'].entries())
			await c.subscribe(`open-${i}`, { auth });
		await c.close();
	});

	test('an event reaches the subscribers on every worker', async () => {
		const all = await Client.onEachWorker(d, app);
		const outside = await Client.connect(d, app);
		const foreign = await Client.connect(d, other);
		for (const c of all) await c.subscribe('room');
		await foreign.subscribe('room');
		await outside.subscribe('Room');
		await publish(d, app, 'room', 'e', '"x"');
		for (const c of all) assert.equal(await c.expect('e', 'room'), '"x"');
		await publish(d, other, 'room', 'mine', '1');
		await foreign.expect('mine', 'room');
		await publish(d, app, 'Room', 'case', '1');
		await outside.expect('case', 'Room');
		for (const c of all) assert.deepEqual(await c.sync(), []);
		await closeAll([...all, outside, foreign]);
	});

	for (const v of vectors.filter((x) => x.kind === 'channel_class'))
		test(`vector ${v.id}: ${JSON.stringify(v.input.channel).slice(0, 40)}`,
			() => classVector(v));

	async function classVector(v) {
		const name = v.input.channel;
		const e = v.expect;
		const c = await Client.connect(d, app);
		if (e.subscribe === 'invalid') {
			c.send({ event: 'pusher:subscribe', data: { channel: name,
				auth: channelAuth(app, c.sid, name) } });
			await c.expectRefused(name, undefined, undefined);
			const r = await api(d, app, 'POST', '/events', { body:
				{ name: 'e', channel: name, data: '1' } });
			assert.equal(r.status, e.http_publish === 'valid' ? 200 : 400);
			return c.close();
		}
		c.send({ event: 'pusher:subscribe', data: { channel: name } });
		if (e.access === 'auth') {
			await c.expectRefused(name, 'AuthError', 401);
			c.sendSubscribe(name, { data: '{"user_id":"u"}', auth:
				channelAuth(app, c.sid, name, '{"user_id":"u"}') });
		}
		const m = await c.next();
		assert.equal(m.event, 'pusher_internal:subscription_succeeded');
		assert.equal('presence' in JSON.parse(m.data), e.presence);
		if (e.cache) await c.expect('pusher:cache_miss', name);
		c.trigger(name, 'client-x', '1');
		if (!e.client_events) await c.expectError(null);
		assert.deepEqual(await c.sync(), []);
		await c.close();
	}

	for (const v of vectors.filter((x) => x.kind === 'channel_auth' &&
		/^(private|presence)-/.test(x.input.channel)))
		test(`vector ${v.id}: signature, moved to this socket`,
			() => authVector(v));

	// The vectors are about other sockets; the same strings with the id of
	// this connection and its app must be taken or refused alike.
	async function authVector(v) {
		const { channel, channel_data: data } = v.input;
		const c = await Client.connect(d, app);
		let auth = channelAuth(app, c.sid, channel, data);
		if (v.expect.verdict === 'reject' && v.input.auth !== undefined)
			auth = wrongAuth(v, c) ?? auth;
		c.sendSubscribe(channel, { data, auth });
		if (v.expect.verdict === 'reject' || v.id === 'ca-20')
			await c.expectRefused(channel);
		else
			await c.expect('pusher_internal:subscription_succeeded', channel);
		await c.close();
	}

	// The fault of each vector, made in the signature of this socket.
	function wrongAuth(v, c) {
		const { channel, channel_data: data } = v.input;
		const good = channelAuth(app, c.sid, channel, data);
		const digest = good.split(':')[1];
		return {
			'ca-n1': channelAuth(app, c.sid, 'private-other'),
			'ca-n2': channelAuth(app, '1.1', channel),
			'ca-n3': `${other.key}:${digest}`,
			'ca-n4': digest,
			'ca-n5': '',
			'ca-n6': good.slice(0, -1),
			'ca-n7': `${app.key}:${digest.toUpperCase()}`,
			'ca-n8': channelAuth(app, c.sid, channel, `${data} `),
			'ca-n9': channelAuth(app, c.sid, channel),
			'ca-n10': channelAuth(app, c.sid, channel),
			'ca-n13': userAuth(app, c.sid, '{"id":"u-7"}'),
			'ca-n0': channelAuth(app, c.sid, channel, `${data}x`),
		}[v.id];
	}

	for (const prefix of NEED_AUTH)
		test(`D14 wrong signatures on ${prefix}`, async () => {
			const name = `${prefix}x`;
			const data = '{"user_id":"u"}';
			const c = await Client.connect(d, app);
			const good = channelAuth(app, c.sid, name, data);
			const [key, sig] = good.split(':');
			const flip = (sig[0] === '0' ? '1' : '0') + sig.slice(1);
			const bad = [undefined, null, 7, {}, '', ':', key, `${key}:`,
				sig, `:${sig}`, `${key}:${flip}`, `${key}:${sig}0`,
				`${key}:${sig.slice(1)}`, `${key}:${sig.toUpperCase()}`,
				`x${good}`, ` ${good}`, `${good} `, `${good}\0`,
				`${key}::${sig}`, `${key}:${hmac('', `${c.sid}:${name}`)}`,
				`${key}:${'0'.repeat(64)}`, `${other.key}:${sig}`,
				channelAuth(other, c.sid, name, data),
				channelAuth(app, `${c.sid}0`, name, data),
				channelAuth(app, c.sid, name.toUpperCase(), data),
				channelAuth(app, c.sid, name)];
			for (const auth of bad) {
				c.send({ event: 'pusher:subscribe', data:
					{ channel: name, auth, channel_data: data } });
				await c.expectRefused(name, 'AuthError', 401);
			}
			assert.equal((await get(d, app,
				`/channels/${name}`)).occupied, false);
			// And the good one still works on the same connection.
			await c.subscribe(name, { data, auth: good });
			await c.close();
		});

	test('channel_data is part of a private signature', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('private-a', { data: 'anything at all' });
		c.sendSubscribe('private-b', { data: 'x',
			auth: channelAuth(app, c.sid, 'private-b') });
		await c.expectRefused('private-b', 'AuthError', 401);
		c.send({ event: 'pusher:subscribe', data: { channel: 'private-c',
			auth: channelAuth(app, c.sid, 'private-c', '[object Object]'),
			channel_data: { a: 1 } } });
		await c.expectRefused('private-c');
		await c.close();
	});

	test('D01 B23 subscribe with missing or wrong members', async () => {
		const c = await Client.connect(d, app);
		const e = 'pusher:subscribe';
		for (const m of [{ event: e }, { event: e, data: null },
			{ event: e, data: 7 }, { event: e, data: [] },
			{ event: e, data: {} }, { event: e, data: '' },
			{ event: e, data: 'x' }, { event: e, data: '[]' },
			{ event: e, data: { channel: null } },
			{ event: e, data: { channel: 7 } },
			{ event: e, data: { channel: ['a'] } },
			{ event: e, data: { channel: {} } }]) {
			c.send(m);
			const errors = await c.sync();
			assert.ok(errors.length >= 1, JSON.stringify(m));
			assert.equal(errors.at(-1).event, 'pusher:error');
			assert.equal(errors.at(-1).data.code, null);
		}
		await c.close();
	});

	test('the order of the checks', async () => {
		const c = await Client.connect(d, app);
		const long = `private-${'x'.repeat(160)}`;
		c.sendSubscribe(long, { auth: 'wrong' });
		await c.expectRefused(long, undefined, 400); // name before auth
		c.sendSubscribe('presence-x', { data: 'no json', auth: 'wrong' });
		await c.expectRefused('presence-x', 'AuthError', 401); // then data
		await c.subscribe('private-y');
		c.sendSubscribe('private-y', { auth: 'wrong' }); // auth also twice
		await c.expectRefused('private-y', 'AuthError', 401);
		await c.close();
	});

	test('refusals name the channel', async () => {
		const c = await Client.connect(d, app);
		c.sendSubscribe('private-z', { auth: 'nonsense' });
		const r = await c.expectRefused('private-z', 'AuthError', 401);
		assert.match(r.message, /private-z/);
		await c.close();
	});

	test('a second subscribe confirms again, without side effects',
		async () => {
			const c = await Client.connect(d, app);
			for (let i = 0; i < 3; i++) await c.subscribe('room');
			await publish(d, app, 'room', 'e', '1');
			await c.expect('e', 'room'); // once
			assert.deepEqual(await c.sync(), []);
			const q = await get(d, app, '/channels/room',
				{ info: 'subscription_count' });
			assert.equal(q.subscription_count, 1);
			c.unsubscribe('room');
			await c.sync();
			await publish(d, app, 'room', 'e', '2');
			assert.deepEqual(await c.sync(), []);
			await becomes(async () => (await get(d, app,
				'/channels/room')).occupied, false);
			await c.close();
		});

	test('subscribes in one breath, also the same one', async () => {
		const c = await Client.connect(d, app);
		for (const name of ['a', 'b', 'a', 'b', 'a']) c.sendSubscribe(name);
		// One answer each; two channels may be answered in either
		// order.
		const n = { a: 0, b: 0 };
		for (let i = 0; i < 5; i++) {
			const m = await c.next();
			assert.equal(m.event, 'pusher_internal:subscription_succeeded');
			n[m.channel]++;
		}
		assert.deepEqual(n, { a: 3, b: 2 });
		await publish(d, app, ['a', 'b'], 'e', '1');
		const got = [(await c.next()).channel, (await c.next()).channel];
		assert.deepEqual(got.sort(), ['a', 'b']);
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	test('subscribe and unsubscribe in one breath', async () => {
		const c = await Client.connect(d, app);
		for (let i = 0; i < 50; i++) {
			c.sendSubscribe('flip');
			c.unsubscribe('flip');
		}
		c.sendSubscribe('mark');
		for (;;) {
			const m = await c.next();
			assert.equal(m.event, 'pusher_internal:subscription_succeeded');
			if (m.channel === 'mark') break;
		}
		assert.equal((await get(d, app, '/channels/flip')).occupied, false);
		await publish(d, app, ['flip', 'mark'], 'e', '1');
		await c.expect('e', 'mark');
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	test('unsubscribe is silent and final', async () => {
		const all = await Client.onEachWorker(d, app);
		for (const c of all) await c.subscribe('room');
		for (const c of all) {
			c.unsubscribe('room');
			assert.deepEqual(await c.sync(), []);
		}
		await publish(d, app, 'room', 'e', '1');
		for (const c of all) assert.deepEqual(await c.sync(), []);
		await closeAll(all);
	});

	test('unsubscribe of what is unknown is quiet', async () => {
		const c = await Client.connect(d, app);
		for (const name of ['never', 'private-never', 'presence-never',
			'private-encrypted-never', '#x', '', 'ä', 'x'.repeat(500),
			'#server-to-user-me'])
			c.unsubscribe(name);
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	test('max_subscriptions', async () => {
		const few = d.app({ max_subscriptions: 3 });
		const c = await Client.connect(d, few);
		for (const name of ['a', 'b', 'c']) await c.subscribe(name);
		c.sendSubscribe('d');
		const r = await c.expectRefused('d', 'LimitReached', 413);
		assert.match(r.error + r.message, /3/);
		await c.subscribe('a'); // once more is free
		c.unsubscribe('a');
		await c.subscribe('d');
		await c.close();
	});

	test('max_channel_name_length of the app', async () => {
		const short = d.app({ max_channel_name_length: 10 });
		const c = await Client.connect(d, short);
		await c.subscribe('x'.repeat(10));
		c.sendSubscribe('x'.repeat(11));
		const r = await c.expectRefused('x'.repeat(11), undefined, 400);
		assert.match(r.error + r.message, /10/);
		await c.close();
	});

	test('all legal characters, and B34 no other ASCII', async () => {
		const c = await Client.connect(d, app);
		for (let i = 0; i < 128; i++) {
			const ch = String.fromCharCode(i);
			c.sendSubscribe(`x${ch}`);
			if (/[A-Za-z0-9_\-=@,.;]/.test(ch))
				await c.expect('pusher_internal:subscription_succeeded');
			else await c.expectRefused(`x${ch}`, undefined, 400);
		}
		await c.close();
	});
});

suite('strict_subscribe', (d) => {
	test('the hosted form: an error', async () => {
		const c = await Client.connect(d, d.app());
		await c.subscribe('room');
		c.sendSubscribe('room');
		await c.expectError(null, /room/);
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});
}, { strict_subscribe: 'on' });
