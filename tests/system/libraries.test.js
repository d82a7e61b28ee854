// SPDX-License-Identifier: MIT
//
// The official server libraries for Node.js, Python and Go, unmodified and
// live: what they publish reaches real clients, what they sign lets real
// clients in, what they ask is answered, and the webhooks that the daemon
// sends are accepted by their parsers.
//
// The PHP and Ruby libraries are in no registry that Debian or this test
// set-up uses; the requests that they send are in vectors.json (hp-*, hr-*,
// hc-*, captured from them) and run in api_auth.test.js.
'use strict';

const assert = require('node:assert/strict');
const { describe, test, before, after } = require('node:test');
const Pusher = require('pusher-js');
const { Client } = require('./lib/client');
const { LIBRARIES, LibraryError, drive, masterKey, missing } =
	require('./lib/driver');
const { once, connected } = require('./lib/official');
const { Receiver } = require('./lib/receiver');
const { suite } = require('./lib/suite');

const OK = 'pusher:subscription_succeeded';

// pusher-js whose tickets come from a library.
function client(d, app, lib, id = 'ann') {
	const hand = (promise, callback) => promise.then(
		(got) => callback(null, got), (e) => callback(e, null));
	return connected(new Pusher(app.key, {
		wsHost: '127.0.0.1', wsPort: d.port, forceTLS: false,
		enabledTransports: ['ws'], disableStats: true, cluster: 'local',
		channelAuthorization: { customHandler: (q, callback) =>
			hand(lib.call({ do: 'auth', channel: q.channelName,
				socket_id: q.socketId,
				...(q.channelName.startsWith('presence-') &&
					{ member: { user_id: id, user_info: { name: id } } }),
			}), callback) },
		userAuthentication: { customHandler: (q, callback) =>
			hand(lib.call({ do: 'user_auth', socket_id: q.socketId,
				user: { id, name: 'Zoë <&>' } }), callback) },
	}));
}

function tests(d, name) {
	const app = d.app({ client_events: 'on' });
	let lib;

	before(() => {
		app.master = masterKey();
		lib = drive(name, d, app);
	});
	after(() => lib.stop());

	test(`${name}: trigger one, several, a batch, all but one`, async () => {
		const [a, b] = await Client.several(d, app, 2);
		for (const c of [a, b])
			for (const ch of ['one', 'two']) await c.subscribe(ch);
		const trigger = (m) => lib.call({ do: 'trigger', event: 'e', ...m });
		const text = 'é "q" \\ / \u2028 <&> 🎈';
		await trigger({ channels: ['one'], data: text });
		await trigger({ channels: ['one', 'two'], data: { n: 1 } });
		await trigger({ channels: ['one', 'two'], data: '2',
			socket_id: a.sid });
		await lib.call({ do: 'batch', events: [
			{ channel: 'one', name: 'e', data: '3' },
			{ channel: 'two', name: 'e', data: { n: 4 }, socket_id: b.sid }] });
		await trigger({ channels: ['one', 'two'], data: 'end' });
		const seen = async (c) => {
			const got = { one: [], two: [] };
			while (got.one.at(-1) !== 'end' || got.two.at(-1) !== 'end') {
				const m = await c.next();
				assert.equal(m.event, 'e');
				got[m.channel].push(m.data.replace(/[{ }]/g, (x) =>
					(m.data === text ? x : x.trim())));
			}
			return got;
		};
		assert.deepEqual(await seen(a), { one: [text, '{"n":1}', '3', 'end'],
			two: ['{"n":1}', '{"n":4}', 'end'] });
		assert.deepEqual(await seen(b), {
			one: [text, '{"n":1}', '2', '3', 'end'],
			two: ['{"n":1}', '2', 'end'] });
		await a.close();
		await b.close();
	});

	test(`${name}: encrypted, end to end`, async () => {
		const ch = 'private-encrypted-x';
		const raw = await Client.connect(d, app);
		await raw.subscribe(ch);
		const p = await client(d, app, lib);
		const secret = p.subscribe(ch);
		await once(secret, OK);
		const got = once(secret, 'e');
		await lib.call({ do: 'trigger', channels: [ch], event: 'e',
			data: { words: 'héllo' } });
		assert.deepEqual(await got, { words: 'héllo' });
		assert.deepEqual(Object.keys(JSON.parse(await raw.expect('e'))).sort(),
			['ciphertext', 'nonce']);
		p.disconnect();
		await raw.close();
	});

	test(`${name}: private and presence, with its signatures`, async () => {
		const p = await client(d, app, lib, 'ann');
		await once(p.subscribe('private-a'), OK);
		const room = p.subscribe('presence-a');
		const members = await once(room, OK);
		assert.deepEqual(members.members, { ann: { name: 'ann' } });
		const added = once(room, 'pusher:member_added');
		const q = await client(d, app, lib, 'bob');
		await once(q.subscribe('presence-a'), OK);
		assert.deepEqual(await added, { id: 'bob', info: { name: 'bob' } });
		p.disconnect();
		q.disconnect();
	});

	test(`${name}: channels, one channel, users`, async () => {
		const [a, b] = await Client.several(d, app, 2);
		for (const c of [a, b]) await c.subscribe('room-q');
		await a.join('presence-q', 'u-1');
		await b.join('presence-q', 'u-2');
		const all = await lib.call({ do: 'channels', prefix: 'presence-q',
			info: ['user_count'] });
		assert.deepEqual(all, { channels: { 'presence-q': { user_count: 2 } } });
		const one = (channel, info) => lib.call({ do: 'channel', channel, info });
		const got = await one('presence-q',
			['user_count', 'subscription_count']);
		assert.equal(got.occupied ?? got.Occupied, true);
		assert.equal(got.user_count, 2);
		assert.equal(got.subscription_count, 2);
		const none = await one('never', []);
		assert.ok(!none.occupied);
		assert.deepEqual(await lib.call({ do: 'users',
			channel: 'presence-q' }), { users: [{ id: 'u-1' }, { id: 'u-2' }] });
		assert.deepEqual((await lib.call({ do: 'channels',
			prefix: 'nothing-', info: [] })).channels, {});
		await a.close();
		await b.close();
	});

	test(`${name}: sign-in, send to user, terminate`, async () => {
		const p = await client(d, app, lib, 'u-9');
		p.signin();
		await p.user.signinDonePromise;
		assert.equal(p.user.user_data.name, 'Zoë <&>');
		const got = once(p.user, 'notice');
		await lib.call({ do: 'send_to_user', user: 'u-9', event: 'notice',
			data: { x: 1 } });
		assert.deepEqual(await got, { x: 1 });
		const ended = once(p.connection, 'disconnected');
		const how = LIBRARIES[name];
		if (how.has?.includes('terminate'))
			await lib.call({ do: 'terminate', user: 'u-9' });
		else {
			// Not offered, or on a wrong path: then it has to be told so.
			await assert.rejects(lib.call({ do: 'terminate', user: 'u-9' }),
				(e) => e instanceof LibraryError && (!how.terminate ||
					e.message.includes(String(how.terminate))));
			p.disconnect();
		}
		await ended;
	});

	test(`${name}: its webhook parser takes what the daemon sends`,
		async () => {
			const receiver = await Receiver.start();
			d.ctl(['webhook', 'add', app.id, receiver.url]);
			const a = await Client.connect(d, app);
			await a.subscribe('first');
			await receiver.have(1);
			await a.join('presence-cache-w', 'u-7');
			await a.expect('pusher:cache_miss');
			a.trigger('presence-cache-w', 'client-e', { on: 'é' });
			await receiver.have(5);
			const seen = [];
			for (const h of receiver.hooks) {
				const m = { do: 'webhook', key: h.headers['x-pusher-key'],
					signature: h.headers['x-pusher-signature'],
					body: h.body.toString() };
				const got = await lib.call(m);
				assert.equal(got.time_ms ?? got.TimeMs, h.json.time_ms);
				assert.deepEqual(got.events, h.json.events);
				seen.push(...got.events.map((e) => e.name));
				const wrong = (x) => assert.rejects(lib.call({ ...m, ...x }),
					LibraryError);
				await wrong({ body: `${m.body} ` });
				await wrong({ key: 'other' });
				await wrong({ signature: m.signature.replace(/.$/, (c) =>
					(c === '0' ? '1' : '0')) });
			}
			assert.deepEqual(seen.sort(), ['cache_miss', 'channel_occupied',
				'channel_occupied', 'client_event', 'member_added']);
			const [event] = receiver.events.filter((e) =>
				e.name === 'client_event');
			assert.deepEqual(event, { name: 'client_event',
				channel: 'presence-cache-w', event: 'client-e',
				data: '{"on":"é"}', socket_id: a.sid, user_id: 'u-7' });
			await a.close();
			await receiver.stop();
		});

	test(`${name}: refusals are errors with their sentence`, async () => {
		const fails = async (who, m, ...patterns) => {
			await assert.rejects(who.call({ do: 'trigger', channels: ['x'],
				event: 'e', data: '1', ...m }), (e) => {
				assert.ok(e instanceof LibraryError);
				for (const p of patterns) assert.match(e.message, p);
				return true;
			});
		};
		const wrong = drive(name, d, { ...app, secret: 'wrong' });
		await fails(wrong, {}, /Invalid signature/, /auth_timestamp=/);
		await wrong.stop();
		await fails(lib, { event: 'pusher:e' }, /only the server may send/);
		// Go refuses it by itself.
		await fails(lib, { data: 'x'.repeat(10241) },
			/max_event_bytes|too much/);
		await fails(lib, { channels: ['a', 'x'.repeat(165)] },
			/max_channel_name_length/);
	});
}

suite('server library', (d) => {
	for (const name of Object.keys(LIBRARIES)) {
		const why = missing(name);
		if (why === null) {
			describe(name, () => tests(d, name));
			continue;
		}
		// Only where nobody looks at the output it has to be an error.
		test(`${name}: not installed`, { skip: process.env.CI ? false :
			`the ${name} library could not be had: ${why}` },
		() => assert.fail(`the ${name} library could not be had: ${why}`));
	}
}, { webhook_allow_private: 'on' });

