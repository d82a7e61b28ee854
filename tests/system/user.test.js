// SPDX-License-Identifier: MIT
//
// Sign-in, events to a user, terminating a user's connections, presence by
// sign-in, and connections that have to be authorised in time.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const vectors = require('../vectors.json').vectors;
const { Client, closeAll } = require('./lib/client');
const { sleep } = require('./lib/daemon');
const { api, get, publish } = require('./lib/http');
const { channelAuth, userAuth } = require('./lib/sign');
const { suite } = require('./lib/suite');

const toUser = (id) => `#server-to-user-${id}`;

suite('sign-in', (d) => {
	const app = d.app();
	const other = d.app();

	test('the exact answer: user_data as it was signed', async () => {
		const c = await Client.connect(d, app);
		const data = '{ "user_info":{"n":1e400,"n":2}, "id":"u-7","x":"\\u00e9" }';
		c.sendSignin(data);
		const m = await c.next();
		assert.deepEqual(Object.keys(m).sort(), ['data', 'event']);
		assert.equal(m.event, 'pusher:signin_success');
		assert.deepEqual(JSON.parse(m.data), { user_data: data });
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	for (const v of vectors.filter((x) => x.kind === 'user_auth'))
		test(`vector ${v.id}, moved to this socket`, async () => {
			const c = await Client.connect(d, app);
			const data = v.input.user_data;
			const good = userAuth(app, c.sid, data);
			const digest = good.split(':')[1];
			const auth = { 'ua-n1': channelAuth(app, c.sid, data),
				'ua-n2': `${app.key}::user::${digest}`,
				'ua-n6': userAuth(app, c.sid, '{"id":"u-7"}') }[v.id] ?? good;
			c.sendSignin(data, auth);
			if (v.expect.verdict === 'reject')
				await c.expectError(4009);
			else await c.expect('pusher:signin_success');
			await c.sync();
			await c.close();
		});

	test('the channel of the user is confirmed after the sign-in',
		async () => {
			const c = await Client.connect(d, app);
			c.sock.cork(); // all in one packet
			c.sendSignin({ id: 'early', watchlist: ['w'] });
			c.sendSubscribe(toUser('early'));
			c.sock.uncork();
			for (const [event, channel] of [['pusher:signin_success'],
				['pusher_internal:watchlist_events'],
				['pusher_internal:subscription_succeeded', toUser('early')]])
				await c.expect(event, channel);
			await c.close();
		});

	test('refused: 4009 as an error, the connection stays', async () => {
		const c = await Client.connect(d, app);
		const data = '{"id":"u"}';
		const good = userAuth(app, c.sid, data);
		for (const auth of [undefined, null, 7, '', ':', app.key,
			`${good}0`, good.slice(0, -1), good.toUpperCase(),
			userAuth(other, c.sid, data), userAuth(app, '1.1', data),
			channelAuth(app, c.sid, `:user::${data}`)]) {
			if (auth === good) continue;
			c.send({ event: 'pusher:signin', data: { auth, user_data: data } });
			// This one is the very string that has to be signed.
			if (auth === channelAuth(app, c.sid, `:user::${data}`)) {
				await c.sync();
				continue;
			}
			await c.expectError(4009);
		}
		for (const bad of ['', 'x', '[]', '"u"', 'null', '{}', '{"id":null}',
			'{"id":7}', '{"id":""}', '{"id":["u"]}', '{"id":"a\\nb"}',
			'{"id":"a\\u007fb"}', `{"id":"${'x'.repeat(129)}"}`, '{"id":"u"',
			'{"id":"u","watchlist":7}', '{"id":"u","watchlist":{}}',
			'{"id":"u","watchlist":[7]}']) {
			c.sendSignin(bad);
			await c.expectError(4009);
		}
		for (const m of [undefined, null, 7, [], {}, 'x',
			{ auth: good }, { user_data: data },
			{ auth: good, user_data: { id: 'u' } }]) {
			c.send({ event: 'pusher:signin', data: m });
			const got = await c.sync();
			assert.equal(got.length, 1, JSON.stringify(m));
			assert.equal(got[0].event, 'pusher:error');
		}
		await c.close();
	});

	test('again: the same id replaces, another id fails', async () => {
		const c = await Client.connect(d, app);
		await c.signin({ id: 'u', user_info: { v: 1 } });
		await c.signin({ id: 'u', user_info: { v: 2 } });
		c.sendSignin({ id: 'v' });
		await c.expectError(4009);
		c.sendSubscribe('presence-s');
		const p = await c.expect('pusher_internal:subscription_succeeded');
		assert.deepEqual(p.presence,
			{ ids: ['u'], hash: { u: { v: 2 } }, count: 1 });
		await c.close();
	});

	test('presence without channel_data by sign-in', async () => {
		const [a, b] = await Client.several(d, app, 2);
		await a.signin({ id: 'ann', user_info: { n: 18014398509481985 } });
		await b.join('presence-x', 'bob');
		a.sendSubscribe('presence-x');
		const p = (await a.expect('pusher_internal:subscription_succeeded'))
			.presence;
		assert.deepEqual(p.ids, ['bob', 'ann']);
		assert.deepEqual(await b.expect('pusher_internal:member_added'),
			{ user_id: 'ann', user_info: { n: 18014398509481985 } });
		// channel_data goes before the sign-in.
		await a.subscribe('presence-y', { data: { user_id: 'zoe' } });
		const users = await get(d, app, '/channels/presence-y/users');
		assert.deepEqual(users, { users: [{ id: 'zoe' }] });
		// And the signature must be without channel_data.
		a.sendSubscribe('presence-z', { auth: channelAuth(app, a.sid,
			'presence-z', '{"user_id":"ann"}') });
		await a.expectRefused('presence-z', 'AuthError', 401);
		await closeAll([a, b]);
	});

	test('sign-in without watchlist: no further frame', async () => {
		const c = await Client.connect(d, app);
		await c.signin({ id: 'u' });
		await c.signin({ id: 'u', watchlist: [] });
		await c.quiet(100);
		await c.close();
	});
});

suite('events to a user', (d) => {
	const app = d.app({ client_events: 'on' });

	test('all connections of the user, on every worker, nobody else',
		async () => {
			const mine = await Client.onEachWorker(d, app);
			const others = await Client.onEachWorker(d, app);
			for (const c of mine) await c.signin({ id: 'u' });
			for (const c of others) await c.signin({ id: 'v' });
			await publish(d, app, toUser('u'), 'notice', '{"a":1}');
			for (const c of mine)
				assert.deepEqual(await c.next(), { event: 'notice',
					channel: toUser('u'), data: '{"a":1}' });
			const r = await api(d, app, 'POST', '/batch_events', { body: {
				batch: [{ name: 'b', channel: toUser('u'), data: '1' },
					{ name: 'b', channel: toUser('v'), data: '2' }] } });
			assert.equal(r.status, 200);
			for (const c of mine) assert.equal(await c.expect('b'), '1');
			for (const c of others) assert.equal(await c.expect('b'), '2');
			await closeAll([...mine, ...others]);
		});

	test('B34 with or without the subscribe frame, once', async () => {
		const [a, b] = await Client.several(d, app, 2);
		const id = '@a.b-c_d=e,f;g';
		await a.signin({ id });
		await b.signin({ id });
		for (let i = 0; i < 2; i++)
			await a.subscribe(toUser(id), { auth: '' });
		await publish(d, app, toUser(id), 'e', '1');
		for (const c of [a, b]) {
			await c.expect('e', toUser(id));
			assert.deepEqual(await c.sync(), []);
		}
		a.unsubscribe(toUser(id));
		assert.deepEqual(await a.sync(), []);
		await publish(d, app, toUser(id), 'e', '2');
		assert.equal(await a.expect('e'), '2');
		await closeAll([a, b]);
	});

	test('only the user may subscribe', async () => {
		const c = await Client.connect(d, app);
		c.sendSubscribe(toUser('u'), { auth: '' });
		await c.expectRefused(toUser('u'), 'AuthError', 401);
		await c.signin({ id: 'u' });
		for (const name of [toUser('v'), toUser(''), toUser('U'),
			`${toUser('u')} `, '#server-to-user', '#server-to-usr-u']) {
			c.sendSubscribe(name, { auth: '' });
			await c.expectRefused(name);
		}
		c.sendSubscribe(toUser('v'),
			{ auth: channelAuth(app, c.sid, toUser('v')) });
		await c.expectRefused(toUser('v'), 'AuthError', 401);
		await c.subscribe(toUser('u'), { auth: '' });
		await c.close();
	});

	test('exclusion, absent users, no traces', async () => {
		const all = await Client.onEachWorker(d, app);
		for (const c of all) {
			await c.signin({ id: 'u' });
			await c.subscribe(toUser('u'), { auth: '' });
		}
		await publish(d, app, toUser('u'), 'e', '1',
			{ socket_id: all[0].sid });
		await publish(d, app, toUser('nobody'), 'e', '1');
		await publish(d, app, toUser('u'), 'end', '1');
		for (const c of all) {
			if (c !== all[0]) await c.expect('e');
			await c.expect('end');
		}
		assert.deepEqual(await get(d, app, '/channels'), { channels: {} });
		all[0].trigger(toUser('u'), 'client-e', '1');
		await all[0].expectError(null);
		await closeAll(all);
	});
});

suite('terminate', (d) => {
	const app = d.app();
	const terminate = (id, how) =>
		api(d, app, 'POST', `/users/${id}/terminate_connections`, how);

	test('D11 every connection of the user, wherever; 4009', async () => {
		const mine = await Client.onEachWorker(d, app);
		const [member, other] = await Client.several(d, app, 2);
		for (const c of mine) await c.signin({ id: 'u' });
		await other.signin({ id: 'v' });
		await member.join('presence-x', 'u'); // not signed in: stays
		const r = await terminate('u', { body: '{}' });
		assert.equal(r.status, 200);
		assert.equal(r.text, '{}');
		for (const c of mine) await c.expectFatal(4009);
		for (const c of [member, other]) assert.deepEqual(await c.sync(), []);
		// The user may come back.
		const back = await Client.connect(d, app);
		await back.signin({ id: 'u' });
		await closeAll([back, member, other]);
	});

	test('without a body, for nobody, with an encoded id', async () => {
		assert.equal((await terminate('nobody')).text, '{}');
		const c = await Client.connect(d, app);
		await c.signin({ id: 'a@b' });
		const r = await terminate('a%40b', { body: '{}' });
		assert.equal(r.status, 200, r.text);
		await c.expectFatal(4009);
	});
});

suite('authorized connections', (d) => {
	const strict = d.app({ authorized_connections: 'on',
		authorized_connection_timeout: 2 });
	const off = d.app({ authorized_connection_timeout: 2 });

	test('B36 neither signed in nor in a private channel: 4009',
		async () => {
			const [none, pub, priv, pres, user] =
				await Client.several(d, strict, 5);
			const free = await Client.connect(d, off);
			await pub.subscribe('room');
			await priv.subscribe('private-x');
			await pres.join('presence-x', 'u');
			await user.signin({ id: 'u' });
			await none.expectFatal(4009, /authorized_connection_timeout \(2 s\)$/);
			await pub.expectFatal(4009);
			await sleep(700);
			for (const c of [priv, pres, user, free])
				assert.deepEqual(await c.sync(), []);
			// Leaving the private channel later does not disconnect.
			priv.unsubscribe('private-x');
			await sleep(2300);
			assert.deepEqual(await priv.sync(), []);
			await closeAll([priv, pres, user, free]);
		});

	test('a wrong signature does not authorise', async () => {
		const c = await Client.connect(d, strict);
		c.sendSubscribe('private-x', { auth: 'x:y' });
		await c.expectRefused('private-x');
		c.sendSignin('{"id":"u"}', 'x:y');
		await c.expectError(4009);
		await c.expectFatal(4009);
	});

	test('open connections are not touched when it is switched on',
		async () => {
			const app = d.app({ authorized_connection_timeout: 1 });
			const old = await Client.connect(d, app);
			d.ctl(['app', 'set', app.id, 'authorized_connections=on']);
			const fresh = await Client.connect(d, app);
			await fresh.expectFatal(4009);
			await sleep(500);
			assert.deepEqual(await old.sync(), []);
			await old.close();
		});
});
