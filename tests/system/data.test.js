// SPDX-License-Identifier: MIT
//
// A subscriber gets what a publisher sent, byte for byte.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const vectors = require('../vectors.json').vectors;
const { Client, closeAll } = require('./lib/client');
const { api, publish } = require('./lib/http');
const { suite } = require('./lib/suite');

const PAYLOADS = {
	'empty string': '',
	'64-bit integers': '{"a":9223372036854775807,"b":-9223372036854775808,' +
		'"c":18446744073709551615,"d":9007199254740993}',
	'huge numbers': '[1e400,-1e400,1E+2,1.0,0.10,-0,1e-999]',
	'key order': '{"b":1,"a":2,"10":3,"2":4}',
	'duplicate keys': '{"a":1,"a":2,"A":3}',
	'escapes': '{"a":"\\u00e9\\/\\b\\f\\n\\r\\t\\"\\\\","b":"\\u0000"}',
	'white space': '{ "a" :\n\t[ 1 ,2 ] }  ',
	'emoji and others': 'é🎈\u2028\u2029日本語 \u007f',
	'control characters': Array.from({ length: 32 },
		(_, i) => String.fromCharCode(i)).join(''),
	'not JSON': 'plain text, "quotes" and \\ backslashes',
	'HTML': '<script>alert("x")</script>&amp;',
	'JSON in JSON in JSON': JSON.stringify(JSON.stringify(
		JSON.stringify({ a: '"' }))),
	'like a frame': '{"event":"pusher:error","data":{"code":4001}}',
	'10240 bytes': 'x'.repeat(10240),
	'10240 bytes of emoji': '🎈'.repeat(2560),
	'10240 quotes': '"'.repeat(10240),
	'10240 NULs': '\0'.repeat(10240),
};

suite('data', (d) => {
	const app = d.app({ client_events: 'on' });

	for (const [name, data] of Object.entries(PAYLOADS))
		test(`published: ${name}`, async () => {
			const all = await Client.onEachWorker(d, app);
			for (const c of all) await c.subscribe('room');
			await publish(d, app, 'room', 'e', data);
			for (const c of all)
				assert.deepEqual(await c.next(),
					{ event: 'e', channel: 'room', data });
			await closeAll(all);
		});

	// The string as its sender escaped it: each of these is one string.
	for (const raw of ['"\\u00e9"', '"é"', '"\\/"', '"\\u002f"', '"\\ud83c' +
		'\\udf88"', '"\\u0000\\u001f"', '"\\u0022\\u005c"', '"\\u007f"',
	'"\\u2028"', '"\\b\\f\\n\\r\\t"'])
		test(`escaped as ${raw}`, async () => {
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			const r = await api(d, app, 'POST', '/events', {
				body: `{"name":"e","channel":"room","data":${raw}}` });
			assert.equal(r.status, 200, r.text);
			assert.equal((await c.next()).data, JSON.parse(raw));
			await c.close();
		});

	test('a lone surrogate is refused or passed through', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		for (const raw of ['"\\ud800"', '"a\\udc00b"', '"\\ud800\\ud800"']) {
			const r = await api(d, app, 'POST', '/events', {
				body: `{"name":"e","channel":"room","data":${raw}}` });
			if (r.status === 200)
				assert.equal((await c.next()).data, JSON.parse(raw));
			else assert.equal(r.status, 400, r.text);
		}
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	test('event names of any kind', async () => {
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		for (const name of ['App\\Events\\OrderShipped', '.dot', 'a b', 'é🎈',
			'"', '\0', 'client-from-the-server', 'x'.repeat(200),
			'Pusher:x', 'pusherx', '\ud83c\udf88'.repeat(100)]) {
			await publish(d, app, 'room', name, '1');
			assert.deepEqual(await c.next(),
				{ event: name, channel: 'room', data: '1' });
		}
		await c.close();
	});

	for (const v of vectors.filter((x) => x.kind === 'wire_publish'))
		test(`vector ${v.id}`, async () => {
			const c = await Client.connect(d, app);
			await c.subscribe('room-1');
			const r = await api(d, app, 'POST', '/events',
				{ body: v.input.http_body });
			assert.equal(r.status, 200, r.text);
			assert.deepEqual(await c.next(), JSON.parse(v.expect.frame));
			await c.close();
		});

	// A client event carries any JSON value; receivers get a string.
	for (const raw of ['{"on":true}', '"text"', '""', '[1,2]', '9007199254740993',
		'1e400', 'true', 'null', '{"b":1,"a":2,"a":3}', '"\\u00e9\\/"',
		'{ "a" : [ 1 ] }', '"{\\"a\\":1}"'])
		test(`client event with ${raw}`, async () => {
			const [a, b] = await Client.several(d, app, 2);
			await a.subscribe('private-x');
			await b.subscribe('private-x');
			a.sendText(`{"event":"client-e","channel":"private-x",` +
				`"data":${raw}}`);
			const m = await b.next();
			assert.equal(m.event, 'client-e');
			assert.equal(typeof m.data, 'string', b.text);
			const plain = raw.startsWith('"') ? JSON.parse(raw) : raw;
			assert.equal(m.data.replace(/\s/g, ''), plain.replace(/\s/g, ''));
			assert.equal('user_id' in m, false);
			assert.deepEqual(await a.sync(), []);
			await closeAll([a, b]);
		});

	test('user_info is not touched', async () => {
		const [a, b] = await Client.several(d, app, 2);
		const info = '{"n":18446744073709551615,"b":1,"a":1e400,"a":2,' +
			'"s":"\\u00e9\\/"}';
		await b.join('presence-x', 'watcher');
		a.sendSubscribe('presence-x',
			{ data: `{"user_id":"u","user_info":${info}}` });
		const m = await a.next();
		assert.ok(m.data.includes(info), m.data);
		const added = await b.next();
		assert.equal(added.event, 'pusher_internal:member_added');
		assert.ok(added.data.includes(info), added.data);
		await closeAll([a, b]);
	});
});
