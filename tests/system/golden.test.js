// SPDX-License-Identifier: MIT
//
// Every frame that the server sends, to the byte, its WebSocket head with it;
// and every frame that the official clients send, as they send it.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, OP, closeAll, closeOf } = require('./lib/client');
const { publish } = require('./lib/http');
const { channelAuth, userAuth } = require('./lib/sign');
const { suite } = require('./lib/suite');

// The next frame has to be these bytes and nothing else.
async function golden(c, text) {
	const f = await c.nextFrame(undefined, text);
	assert.notEqual(f, null, `closed instead of ${text}`);
	assert.equal(f.payload.toString('utf8'), text);
	assert.deepEqual([f.fin, f.rsv, f.opcode, f.masked],
		[true, 0, OP.TEXT, false]);
	// One head in its shortest form, then the text.
	const n = Buffer.byteLength(text);
	assert.equal(f.size, n + (n < 126 ? 2 : n < 65536 ? 4 : 10));
}

const CONFIRMED = (ch, data = '{}') => '{"event":"pusher_internal:' +
	`subscription_succeeded","channel":"${ch}","data":${JSON.stringify(data)}}`;
const COUNT = (ch, n) => '{"event":"pusher_internal:subscription_count",' +
	`"channel":"${ch}","data":"{\\"subscription_count\\":${n}}"}`;
const ERROR = (code, text) => '{"event":"pusher:error","data":{"code":' +
	`${code},"message":${JSON.stringify(text)}}}`;

// With resume on a client without a session gets the same bytes.
for (const resume of ['off', 'on']) suite(`golden, resume ${resume}`, (d) => {
	const app = d.app({ client_events: 'on', activity_timeout: 90, resume });
	const counted = d.app({ subscription_count: 'on', resume });

	test('to the client: greeting, ping, pong, close', async () => {
		const c = new Client(d, `/app/${app.key}?protocol=7`);
		await c.upgraded();
		const f = await c.nextFrame();
		const sid = /\\"socket_id\\":\\"(\d+\.\d+)\\"/.exec(f.payload)[1];
		assert.equal(f.payload.toString(), '{"event":"pusher:connection_' +
			`established","data":"{\\"socket_id\\":\\"${sid}\\",` +
			'\\"activity_timeout\\":90}"}');
		c.sendText('{"event":"pusher:ping","data":{}}');
		await golden(c, '{"event":"pusher:pong","data":"{}"}');
		c.sendFrame(OP.PING, 'abc');
		const pong = await c.nextFrame();
		assert.deepEqual([pong.opcode, pong.payload.toString(), pong.size],
			[OP.PONG, 'abc', 5]);
		await c.close();
		const end = await c.nextFrame();
		assert.deepEqual([end.opcode, closeOf(end)],
			[OP.CLOSE, { code: 1000, reason: '' }]);
	});

	test('to the client: the ping of an idle connection', async () => {
		const idle = d.app({ activity_timeout: 1, resume });
		const c = await Client.connect(d, idle);
		c.keepPings = true;
		const f = await c.nextFrame();
		assert.deepEqual([f.opcode, f.payload.length, f.size],
			[OP.PING, 0, 2]);
		c.keepPings = false;
		await c.close();
	});

	test('to the client: a refusal before the greeting', async () => {
		const c = new Client(d, '/app/nobody?protocol=7');
		await c.upgraded();
		await golden(c, ERROR(4001, 'There is no app with this key: "nobody"'));
		const f = await c.nextFrame();
		assert.deepEqual([f.opcode, closeOf(f)], [OP.CLOSE,
			{ code: 4001,
				reason: 'There is no app with this key: "nobody"' }]);
		c.destroy();
	});

	test('to the client: the confirmation of each kind of channel',
		async () => {
			const c = await Client.connect(d, app);
			for (const ch of ['room-1', 'private-a', 'private-encrypted-a']) {
				c.sendSubscribe(ch);
				await golden(c, CONFIRMED(ch));
			}
			for (const ch of ['cache-a', 'private-cache-a',
				'private-encrypted-cache-a']) {
				c.sendSubscribe(ch);
				await golden(c, CONFIRMED(ch));
				await golden(c, '{"event":"pusher:cache_miss","channel":' +
					`"${ch}","data":"{}"}`);
			}
			for (const ch of ['presence-a', 'presence-cache-a']) {
				c.sendSubscribe(ch, { data:
					'{"user_id":"u-7","user_info":{"nick": "Ada"}}' });
				await golden(c, CONFIRMED(ch, '{"presence":{"ids":["u-7"],' +
					'"hash":{"u-7":{"nick": "Ada"}},"count":1}}'));
			}
			await golden(c, '{"event":"pusher:cache_miss","channel":' +
				'"presence-cache-a","data":"{}"}');
			await c.close();
		});

	test('to the client: members', async () => {
		const [a, b] = await Client.several(d, app, 2);
		await a.join('presence-m', 'a"b');
		b.sendSubscribe('presence-m', { data:
			'{"user_id":7,"user_info":{"n":1.50}}' });
		await golden(b, CONFIRMED('presence-m', '{"presence":{"ids":' +
			'["a\\"b","7"],"hash":{"a\\"b":null,"7":{"n":1.50}},"count":2}}'));
		await golden(a, '{"event":"pusher_internal:member_added","channel":' +
			'"presence-m","data":"{\\"user_id\\":\\"7\\",' +
			'\\"user_info\\":{\\"n\\":1.50}}"}');
		b.trigger('presence-m', 'client-e', { on: true });
		await golden(a, '{"event":"client-e","channel":"presence-m",' +
			'"data":"{\\"on\\":true}","user_id":"7"}');
		b.unsubscribe('presence-m');
		await golden(a, '{"event":"pusher_internal:member_removed",' +
			'"channel":"presence-m","data":"{\\"user_id\\":\\"7\\"}"}');
		await closeAll([a, b]);
	});

	test('to the client: events of each origin', async () => {
		const [a, b] = await Client.several(d, app, 2);
		for (const c of [a, b]) await c.subscribe('private-e');
		await publish(d, app, 'private-e', 'App\\Events\\X', '{"a": "é\n/"}');
		const event = '{"event":"App\\\\Events\\\\X","channel":"private-e",' +
			'"data":"{\\"a\\": \\"é\\n/\\"}"}';
		for (const c of [a, b]) await golden(c, event);
		await publish(d, app, 'private-e', 'e', '');
		for (const c of [a, b])
			await golden(c, '{"event":"e","channel":"private-e","data":""}');
		a.sendText('{"event":"client-e","channel":"private-e",' +
			'"data":"plain \\"text\\""}');
		await golden(b, '{"event":"client-e","channel":"private-e",' +
			'"data":"plain \\"text\\""}');
		a.sendText('{"event":"client-e","channel":"private-e",' +
			'"data": [1.0, {"k" : null}] }');
		await golden(b, '{"event":"client-e","channel":"private-e",' +
			'"data":"[1.0,{\\"k\\":null}]"}');
		await publish(d, app, 'cache-e', 'state', '{"v":1}');
		b.sendSubscribe('cache-e');
		await golden(b, CONFIRMED('cache-e'));
		await golden(b,
			'{"event":"state","channel":"cache-e","data":"{\\"v\\":1}"}');
		await closeAll([a, b]);
	});

	test('to the client: sign-in, watchlist, events for a user, the end',
		async () => {
			const [c, friend] = await Client.several(d, app, 2);
			await friend.signin({ id: 'u-8' });
			const user = '{"id":"u-7", "watchlist":["u-8","u-9"],"é":1}';
			c.sendSignin(user);
			await golden(c, '{"event":"pusher:signin_success","data":' +
				`${JSON.stringify(JSON.stringify({ user_data: user }))}}`);
			const watch = (name, id) => `{\\"name\\":\\"${name}\\",` +
				`\\"user_ids\\":[\\"${id}\\"]}`;
			await golden(c, '{"event":"pusher_internal:watchlist_events",' +
				`"data":"{\\"events\\":[${watch('online', 'u-8')},${
					watch('offline', 'u-9')}]}"}`);
			c.sendSubscribe('#server-to-user-u-7');
			await golden(c, CONFIRMED('#server-to-user-u-7'));
			await publish(d, app, '#server-to-user-u-7', 'notice', '{"a":1}');
			await golden(c, '{"event":"notice","channel":' +
				'"#server-to-user-u-7","data":"{\\"a\\":1}"}');
			const late = await Client.connect(d, app);
			await late.signin({ id: 'u-9' });
			await golden(c, '{"event":"pusher_internal:watchlist_events",' +
				`"data":"{\\"events\\":[${watch('online', 'u-9')}]}"}`);
			c.sendSignin({ id: 'u-10' });
			await golden(c, ERROR(4009,
				'sign-in refused: signed in as "u-7" already'));
			d.publisher.api(app, 'POST', '/users/u-7/terminate_connections',
				{ body: {} });
			await golden(c, ERROR(4009, 'connection terminated'));
			await c.expectClose(4009, /^connection terminated$/);
			await closeAll([friend, late]);
		});

	test('to the client: the count', async () => {
		const [a, b] = await Client.several(d, counted, 2);
		a.sendSubscribe('room');
		await golden(a, CONFIRMED('room'));
		await golden(a, COUNT('room', 1));
		b.sendSubscribe('room');
		await golden(a, COUNT('room', 2));
		await golden(b, CONFIRMED('room'));
		await golden(b, COUNT('room', 2));
		await b.close();
		await golden(a, COUNT('room', 1));
		await a.close();
	});

	test('to the client: errors', async () => {
		const c = await Client.connect(d, app);
		c.sendText('{"event":7}');
		await golden(c, ERROR(null,
			'bad message: no event that is a string'));
		c.sendText('{"event":"what"}');
		await golden(c, ERROR(null, 'unknown event "what": names of client ' +
			'events start with client-'));
		c.sendSubscribe('a b');
		const why = 'a channel name is 1 to 164 (max_channel_name_length) ' +
			'characters out of A-Z a-z 0-9 _ - = @ , . ; (this one has " ")';
		await golden(c, '{"event":"pusher:subscription_error","channel":' +
			`"a b","data":${JSON.stringify(JSON.stringify({
				type: 'InvalidChannel', error: why, status: 400 }))}}`);
		const both = await c.expectError(null);
		assert.ok(both.message.includes(why) && both.message.includes('a b'));
		c.trigger('room', 'client-e', 1);
		await golden(c, ERROR(null, 'client event dropped: only private ' +
			'and presence channels have client events'));
		await c.close();
	});

	// As each official client writes them; {auth:X} becomes a signature.
	const SAID = {
		'pusher-js': ['{"event":"pusher:subscribe","data":{"auth":"",' +
			'"channel":"room"}}', '{"event":"pusher:subscribe","data":' +
			'{"auth":"{auth:private-x}","channel":"private-x"}}',
		'{"event":"pusher:subscribe","data":{"auth":"{auth:presence-x}",' +
			'"channel_data":"{\\"user_id\\":\\"u\\"}",' +
			'"channel":"presence-x"}}'],
		Java: ['{"event":"pusher:subscribe","data":{"channel":"room"}}',
			'{"data":{"channel":"private-x","auth":"{auth:private-x}"},' +
			'"event":"pusher:subscribe"}', '{"event":"pusher:subscribe",' +
			'"data":{"auth":"{auth:presence-x}","channel":"presence-x",' +
			'"channel_data":"{\\"user_id\\":\\"u\\"}"}}'],
		Swift: ['{"data":{"channel":"room"},"event":"pusher:subscribe"}',
			'{"data":{"auth":"{auth:private-x}","channel":"private-x"},' +
			'"event":"pusher:subscribe"}', '{"event":"pusher:subscribe",' +
			'"data":{"channel":"presence-x","auth":"{auth:presence-x}",' +
			'"channel_data":"{\\"user_id\\":\\"u\\"}"}}'],
		'.NET': ['{\r\n  "event": "pusher:subscribe",\r\n  "data": {\r\n' +
			'    "channel": "room"\r\n  }\r\n}', '{"event":' +
			'"pusher:subscribe","data":"{\\"channel\\":\\"private-x\\",' +
			'\\"auth\\":\\"{auth:private-x}\\"}"}', '{"event":' +
			'"pusher:subscribe","data":{"channel":"presence-x","auth":' +
			'"{auth:presence-x}","channel_data":' +
			'"{\\"user_id\\":\\"u\\"}"}}'],
	};
	for (const [who, frames] of Object.entries(SAID))
		test(`from the client: the messages of ${who}`, async () => {
			const c = await Client.connect(d, app);
			const o = await Client.connect(d, app);
			await o.subscribe('private-x');
			for (const text of frames) {
				c.sendText(text.replace(/\{auth:([^}]*)\}/, (_, ch) =>
					channelAuth(app, c.sid, ch, ch.startsWith('presence-') ?
						'{"user_id":"u"}' : undefined)));
				await c.expect('pusher_internal:subscription_succeeded');
			}
			c.sendText('{"event":"client-e","data":{"a":1},' +
				'"channel":"private-x"}');
			c.sendText('{"channel":"private-x","event":"client-e",' +
				'"data":"{\\"a\\":1}"}');
			for (let i = 0; i < 2; i++)
				await golden(o, '{"event":"client-e","channel":"private-x",' +
					'"data":"{\\"a\\":1}"}');
			for (const ping of ['{"event":"pusher:ping","data":{}}',
				'{"event":"pusher:ping"}', '{"event":"pusher:ping",' +
				'"data":"{}"}']) {
				c.sendText(ping);
				await golden(c, '{"event":"pusher:pong","data":"{}"}');
			}
			c.sendText('{"event":"pusher:pong","data":{}}');
			c.sendText('{"event":"pusher:unsubscribe","data":' +
				'{"channel":"room"}}');
			const user = '{"id":"s"}';
			c.sendText(`{"event":"pusher:signin","data":{"auth":"${
				userAuth(app, c.sid, user)}","user_data":${
				JSON.stringify(user)}}}`);
			await c.expect('pusher:signin_success');
			assert.deepEqual(await c.sync(), []);
			await closeAll([c, o]);
		});
});
