// SPDX-License-Identifier: MIT
//
// Pings in both directions, on both levels, and what happens to the silent.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client, OP } = require('./lib/client');
const { sleep, until } = require('./lib/daemon');
const { nginx } = require('./lib/doctor');
const { publish } = require('./lib/http');
const { signedTarget } = require('./lib/sign');
const { suite } = require('./lib/suite');

suite('liveness', (d) => {
	const app = d.app();
	const short = d.app({ activity_timeout: 2 });

	test('pusher:ping with object, string, nothing', async () => {
		const c = await Client.connect(d, app);
		for (const text of ['{"event":"pusher:ping","data":{}}',
			'{"event":"pusher:ping","data":"{}"}', '{"event":"pusher:ping"}',
			'{"data":null,"event":"pusher:ping","x":[1,2]}']) {
			c.sendText(text);
			assert.deepEqual(await c.next(),
				{ event: 'pusher:pong', data: '{}' }, text);
		}
		await c.close();
	});

	test('pusher:pong is not answered', async () => {
		const c = await Client.connect(d, app);
		c.send({ event: 'pusher:pong', data: {} });
		assert.deepEqual(await c.sync(), []);
		await c.close();
	});

	test('B03 a silent socket is pinged, then closed with 4201', async () => {
		const c = await Client.connect(d, short);
		c.answerPings = false;
		c.keepPings = true;
		const f = await c.nextFrame();
		assert.equal(f.opcode, OP.PING);
		await c.expectClose(4201, /pong/);
	});

	test('an answered ping keeps the socket', async () => {
		const c = await Client.connect(d, short);
		await until('two pings', () => c.pings >= 2);
		await sleep(1500);
		assert.ok(!c.gone);
		await c.quiet(0);
		await c.close();
	});

	// As nginx with its 60 s, when activity_timeout is 30 and when it is 120.
	test('C6: a proxy ends what is idle for 4 s', async () => {
		const slow = d.app({ activity_timeout: 16 });
		const proxy = await nginx(`location / {
			proxy_pass http://127.0.0.1:${d.port};
			proxy_http_version 1.1; proxy_read_timeout 4s;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection "upgrade"; }`);
		const c = await Client.connect({ port: proxy.port }, short);
		const cut = await Client.connect({ port: proxy.port }, slow);
		await c.subscribe('room');
		await cut.ended();
		assert.equal(cut.pings, 0);
		await until('three pings', () => c.pings >= 3);
		await publish(d, short, 'room', 'e', '1');
		assert.equal(await c.expect('e', 'room'), '1');
		await c.close();
		await proxy.stop();
	});

	test('B26 native pings alone keep the socket', async () => {
		const c = await Client.connect(d, short);
		c.answerPings = false;
		for (let i = 0; i < 10; i++) {
			c.sendFrame(OP.PING, '');
			assert.equal((await c.nextFrame()).opcode, OP.PONG);
			await sleep(400);
		}
		assert.equal(c.pings, 0, 'a busy socket is not pinged');
		assert.ok(!c.gone);
		await c.close();
	});

	test('any message counts as life', async () => {
		const c = await Client.connect(d, short);
		c.answerPings = false;
		for (let i = 0; i < 10; i++) {
			await c.sync();
			await sleep(400);
		}
		assert.equal(c.pings, 0);
		await c.close();
	});
}, { pong_timeout: 1 });

suite('first request', (d) => {
	const { Http } = require('./lib/http');
	const app = d.app();

	test('a connection that says nothing is closed', async () => {
		const h = await Http.connect(d);
		await h.closed(8000);
		h.end();
	});

	test('a request that drips is closed', async () => {
		const h = await Http.connect(d);
		const text = `GET /app/${app.key} HTTP/1.1\r\nHost: x\r\n`;
		for (let i = 0; i < text.length && !h.ended; i++) {
			await h.write(text[i]);
			await sleep(100);
		}
		assert.equal((await h.answer()).json.error, 'the head of the request ' +
			'has not arrived after handshake_timeout (2 s)');
		await h.closed(8000);
		h.end();
	});

	test('a body that does not come: what it has in time', async () => {
		const h = await Http.connect(d);
		const path = `/apps/${app.id}/events`;
		const body = '{"name":"e","channel":"c","data":"{}"}';
		await h.write(`POST ${signedTarget(app, 'POST', path, { body })} HTTP/1.1` +
			`\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n{`);
		const r = await h.answer({ ms: 8000 });
		assert.equal(r.status, 408);
		assert.equal(r.json.error, 'the body has not arrived after ' +
			'handshake_timeout (2 s) and a second for each KiB of it');
		await h.closed(8000);
		h.end();
	});

	test('an idle keep-alive connection is closed', async () => {
		const h = await Http.connect(d);
		assert.equal((await h.ask('GET', '/up')).status, 200);
		await h.closed(8000);
		h.end();
	});
}, { handshake_timeout: 2, keepalive_timeout: 2 });
