// SPDX-License-Identifier: MIT
//
// From the upgrade to the greeting, and every way to be refused on it.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { test, describe } = require('node:test');
const { Client, GUID, closeAll } = require('./lib/client');
const { Daemon } = require('./lib/daemon');
const { suite } = require('./lib/suite');

const upgrade = (d, path, headers, how) =>
	new Client(d, path, { headers, ...how });

async function refused(d, path, code, pattern, how) {
	const c = new Client(d, path, how);
	assert.equal((await c.upgraded()).status, 101, path);
	await c.expectFatal(code, pattern);
}

suite('greeting', (d) => {
	const app = d.app();
	const url = `/app/${app.key}`;

	test('is the first frame, with id and activity timeout', async () => {
		const c = await Client.connect(d, app);
		assert.match(c.text, /^\{"event":"pusher:connection_established",/);
		const m = JSON.parse(c.text);
		assert.deepEqual(Object.keys(m).sort(), ['data', 'event']);
		assert.equal(typeof m.data, 'string');
		assert.match(c.sid, /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$/);
		assert.ok(c.sid.length <= 33);
		assert.equal(c.greeting.activity_timeout, 30);
		await c.quiet(50);
		await c.close();
	});

	test('socket ids are not repeated', async () => {
		const all = await Client.several(d, app, 200);
		assert.equal(new Set(all.map((c) => c.sid)).size, 200);
		await closeAll(all);
	});

	test('C6: activity_timeout of the app', async () => {
		const short = d.app({ activity_timeout: 45 });
		const c = await Client.connect(d, short);
		assert.equal(c.greeting.activity_timeout, 45);
		await c.close();
	});

	for (const p of ['4', '5', '6', '7'])
		test(`protocol ${p} is accepted`, async () => {
			const c = await Client.connect(d, app,
				{ path: `${url}?client=java-client&protocol=${p}&version=1` });
			await c.close();
		});

	test('absent protocol, odd version and query are accepted', async () => {
		for (const q of ['', '?', '?version=abc', '?a=b&&c', '?flash=true',
			'?protocol=7&protocol_x=1'])
			await (await Client.connect(d, app, { path: url + q })).close();
	});

	for (const p of ['1', '2', '3', '8', '99', 'abc', '7x', '-7', '7.0', '',
		'99999999999999999999999'])
		test(`protocol "${p}" is refused with 4007`, () =>
			refused(d, `${url}?protocol=${p}`, 4007));

	test('unknown key: 4001', async () => {
		await refused(d, '/app/nobody?protocol=7', 4001, /no app|exist/);
		await refused(d, `${url}x`, 4001);
		await refused(d, `/app/${app.key.toUpperCase()}`, 4001);
	});

	for (const path of ['/', '/app', '/apps/1', '/x/app/key', '/APP/key',
		`/app/${app.key}/`, `/app/${app.key}/more`])
		test(`path ${path}: 4005`, () => refused(d, path, 4005));

	test('the key is percent-decoded', async () => {
		const path = `/app/${app.key.replace('-', '%2D')}`;
		await (await Client.connect(d, app, { path })).close();
		await refused(d, '/app/%zz', 4001);
	});

	test('a key with odd characters', async () => {
		const odd = d.app({}, { key: 'a_b-c.d_1' });
		await (await Client.connect(d, odd)).close();
	});

	test('app for TLS only: 4000', async () => {
		const tls = d.app({ tls_only: 'on' });
		await refused(d, `/app/${tls.key}`, 4000, /TLS|wss/i);
	});

	test('disabled app: 4003', async () => {
		const off = d.app();
		d.ctl(['app', 'disable', off.id]);
		await refused(d, `/app/${off.key}`, 4003);
	});

	test('Sec-WebSocket-Accept of RFC 6455', async () => {
		for (const key of ['dGhlIHNhbXBsZSBub25jZQ==',
			'AAAAAAAAAAAAAAAAAAAAAA==', '/////////////////////w==']) {
			const c = upgrade(d, url, { 'Sec-WebSocket-Key': key });
			const { headers } = await c.upgraded();
			assert.equal(headers['sec-websocket-accept'],
				crypto.createHash('sha1').update(key + GUID)
					.digest('base64'));
			assert.match(headers.upgrade, /^websocket$/i);
			assert.match(headers.connection, /upgrade/i);
			assert.equal(headers['sec-websocket-protocol'], undefined);
			await c.close();
		}
	});

	for (const [offer, answer] of [
		['pusher-channels-protocol-7', 'pusher-channels-protocol-7'],
		['foo, pusher-channels-protocol-5 ,bar', 'pusher-channels-protocol-5'],
		['pusher-channels-protocol-4', 'pusher-channels-protocol-4'],
		['pusher-channels-protocol-9', undefined],
		['pusher-channels-protocol-', undefined],
		['pusher-channels-protocol-7x', undefined],
		['chat, superchat', undefined]])
		test(`sub-protocol "${offer}"`, async () => {
			const c = upgrade(d, url, { 'Sec-WebSocket-Protocol': offer });
			const { status, headers } = await c.upgraded();
			assert.equal(status, 101);
			assert.equal(headers['sec-websocket-protocol'], answer);
			await c.greeted();
			await c.close();
		});

	test('unknown extensions are declined', async () => {
		const c = upgrade(d, url, { 'Sec-WebSocket-Extensions':
			'x-webkit-deflate-frame; no_context_takeover' });
		const { headers } = await c.upgraded();
		assert.equal(headers['sec-websocket-extensions'], undefined);
		await c.greeted();
		await c.close();
	});

	test('header names and tokens in any case', async () => {
		const c = upgrade(d, url, { Upgrade: 'WebSocket',
			Connection: 'keep-alive, UPGRADE' });
		await c.greeted();
		await c.close();
	});

	for (const [what, headers, status] of [
		['no Upgrade', { Upgrade: undefined }, 426],
		['another Upgrade', { Upgrade: 'h2c' }, 426],
		['no Connection', { Connection: undefined }, [400, 426]],
		['version 8', { 'Sec-WebSocket-Version': '8' }, 426],
		['no version', { 'Sec-WebSocket-Version': undefined }, [400, 426]],
		['no key', { 'Sec-WebSocket-Key': undefined }, 400],
		['short key', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, 400],
		['key that is not base64', { 'Sec-WebSocket-Key': '!'.repeat(24) },
			400],
		['no Host', { Host: undefined }, 400]])
		test(`handshake with ${what}`, async () => {
			const c = upgrade(d, url, headers);
			const r = await c.upgraded();
			assert.ok([].concat(status).includes(r.status), `${r.status}`);
			if (r.status === 426)
				assert.equal(r.headers['sec-websocket-version'], '13');
			c.destroy();
		});

	test('POST or HTTP/1.0 do not upgrade', async () => {
		for (const first of [`POST ${url} HTTP/1.1`, `GET ${url} HTTP/1.0`]) {
			const c = new Client(d, '', { raw: `${first}\r\nHost: x\r\n` +
				'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
				'Sec-WebSocket-Version: 13\r\n' +
				'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n' });
			const { status } = await c.upgraded();
			assert.ok([400, 405, 426].includes(status), `${first} ${status}`);
			c.destroy();
		}
	});

	test('the upgrade split at every byte', async () => {
		const text = `GET ${url}?protocol=7 HTTP/1.1\r\nHost: x\r\n` +
			'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
			'Sec-WebSocket-Version: 13\r\n' +
			'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
		for (let i = 1; i < text.length; i++) {
			const c = new Client(d, '', { raw: text.slice(0, i) });
			await new Promise((ok) => c.sock.once('connect', ok));
			await new Promise(setImmediate);
			c.sock.write(text.slice(i));
			await c.greeted();
			await c.close();
		}
	});

	test('frames right behind the upgrade', async () => {
		const { frame, OP } = require('./lib/client');
		const head = `GET ${url} HTTP/1.1\r\nHost: x\r\n` +
			'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
			'Sec-WebSocket-Version: 13\r\n' +
			'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
		const c = new Client(d, '', { raw: Buffer.concat([
			Buffer.from(head), frame(OP.TEXT,
				'{"event":"pusher:subscribe","data":{"channel":"a"}}')]) });
		await c.greeted();
		await c.expect('pusher_internal:subscription_succeeded', 'a');
		await c.close();
	});

	test('after a refusal the server waits for the close only briefly',
		async () => {
			const c = new Client(d, '/app/nobody');
			await c.upgraded();
			await c.expectError(4001);
			await c.nextFrame();
			await c.ended(15000); // we never answer the close
		});
});

describe('refusals by options', () => {
	test('strict_protocol: 4006, 4007, 4008', async () => {
		const d = new Daemon({ strict_protocol: 'on' });
		const app = d.app();
		await d.start();
		const url = `/app/${app.key}`;
		await refused(d, url, 4008);
		await refused(d, `${url}?version=8.6.0`, 4008);
		await refused(d, `${url}?protocol=x&version=8.6.0`, 4007);
		for (const v of ['', 'x', '8', '1.2.3.4.5', '1..2'])
			await refused(d, `${url}?protocol=7&version=${v}`, 4006);
		for (const v of ['8.6.0', '1.2', '1.2.3.4', '8.4.0-rc2', '2.0.0-beta'])
			await (await Client.connect(d, app,
				{ path: `${url}?protocol=7&version=${v}` })).close();
		await d.stop();
	});

	test('max_connections of the server: 4100, and released', async () => {
		const d = new Daemon({ max_connections: 8, workers: 4 });
		const app = d.app();
		await d.start();
		const some = [];
		let full = 0;
		for (let i = 0; i < 30; i++) {
			const c = new Client(d, `/app/${app.key}?protocol=7`);
			await c.upgraded();
			const m = await c.next();
			if (m.event === 'pusher:error') {
				assert.equal(m.data.code, 4100);
				await c.expectClose(4100);
				full++;
			} else {
				some.push(c);
			}
		}
		assert.ok(some.length <= 8 && full >= 22, `${some.length} ${full}`);
		await closeAll(some);
		await (await Client.connect(d, app)).close();
		await d.stop();
	});
});
