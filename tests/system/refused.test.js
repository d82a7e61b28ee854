// SPDX-License-Identifier: MIT
//
// A refusal leaves a trace in the log, without secrets; and a refusal
// that the client answers by coming back at once makes it wait.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { Http, api } = require('./lib/http');
const { signedTarget } = require('./lib/sign');

const lines = (d, re) => d.readLog().split('\n').filter((l) => re.test(l));
const logged = (d, re) => until(`${re} in the log`, () => lines(d, re)[0]);

async function running(conf, fn) {
	const d = new Daemon({ workers: 2, max_auth_failures_per_minute: 0,
		...conf });
	const app = d.app();
	await d.start();
	try {
		await fn(d, app);
		await d.stop();
	} finally {
		d.kill();
	}
}

test('C5: refused requests, with method, path and reason', () =>
	running({}, async (d, app) => {
		const body = { name: 'e', channel: 'a', data: 'secret data' };
		const signature = /auth_signature=([0-9a-f]+)/;
		const target = signedTarget({ ...app, secret: 'wrong' }, 'POST',
			`/apps/${app.id}/events`, { body: JSON.stringify(body) });
		const h = await Http.connect(d);
		assert.equal((await h.ask('POST', target, JSON.stringify(body))).status,
			401);
		h.end();
		await logged(d, new RegExp('request refused: 401 POST ' +
			`/apps/${app.id}/events: the signature does not match.*127\\.0`));
		await api(d, { ...app, id: 'nobody' }, 'POST', '/events', { body });
		await logged(d, /404 POST \/apps\/nobody\/events: there is no app/);
		await api(d, { ...app, key: 'the-secret-by-mistake' }, 'POST', '/events',
			{ body });
		await logged(d, /401 POST .*: auth_key is not the key of the app/);
		await api(d, app, 'GET', '/nothing');
		await logged(d, /404 GET .*\/nothing: /);
		await api(d, app, 'DELETE', '/channels');
		await logged(d, /405 DELETE .*\/channels: /);
		await api(d, app, 'GET', '/channels', { query: { info: 'wrong' } });
		await logged(d, /400 GET .*\/channels\?info=wrong: /);
		await api(d, app, 'POST', '/events', { body: '{' });
		await logged(d, /400 POST .*: the parameters are not valid JSON/);
		await api(d, app, 'POST', '/events', { query: {
			name: 'e', channel: 'a b', data: 'secret data' } });
		await logged(d, /400 POST .*\/events: a b: a channel name is 1 to/);
		const log = d.readLog();
		assert.ok(!log.includes('secret data'), 'no data of events');
		assert.ok(!log.includes('the-secret-by-mistake'));
		assert.ok(!log.includes('auth_signature='));
		assert.ok(!log.includes(signature.exec(target)[1]));
	}));

test('C5: wrong signatures of clients; an unknown key is named', () =>
	running({}, async (d, app) => {
		const c = await Client.connect(d, app);
		c.sendSubscribe('private-a', { auth: `${app.key}:${'0'.repeat(64)}` });
		await c.expectRefused('private-a');
		await logged(d, new RegExp('subscribe refused: the signature does not ' +
			`match channel=private-a app=${app.id} sid=${c.sid} peer=127`));
		c.sendSignin({ id: 'u' }, 'x:y');
		await c.expectError(4009);
		await logged(d, /sign-in refused: the key in auth is not the key/);
		await c.close();
		const key = 'wrong"\u001b[31m-ü-' + 'x'.repeat(100);
		const no = new Client(d, `/app/${encodeURIComponent(key)}?protocol=7`);
		const { message } = await no.expectFatal(4001).then((x) => ({
			message: x.reason }));
		assert.match(message, /no app with this key: "wrong%22/);
		assert.ok(Buffer.byteLength(message) < 124);
		await logged(d, /client refused: There is no app .*wrong%22/);
		const raw = new Client(d, '', { raw: 'GET /app/w\u00ff\u00fe?protocol=7 ' +
			'HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n' +
			'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
			'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n' });
		raw.destroy();
		const rows = await until('a row of closes', () => {
			const r = d.ctl(['closes']).filter((x) => x.code === 4001);
			return r.length > 0 && r;
		});
		assert.match(rows[0].reason, /wrong%22/);
	}));

test('C5: many are counted, not printed', () =>
	running({}, async (d, app) => {
		const h = await Http.connect(d);
		for (let i = 0; i < 300; i++)
			await h.ask('GET', `/apps/${app.id}/channels`);
		h.end();
		await until('a count', () => /more: request refused|\(\+\d+ more\)/
			.test(d.readLog()), 5000);
		const printed = lines(d, /request refused/).length;
		assert.ok(printed < 100, `${printed} lines`);
		const told = [...d.readLog().matchAll(/(?:\(\+)?(\d+) more[:)]/g)]
			.reduce((n, m) => n + Number(m[1]), 0);
		assert.ok(told > 150, `${told} counted`);
	}));

const forwarded = { 'X-Forwarded-For': '203.0.113.7',
	'X-Forwarded-Proto': 'https' };

test('O4: a proxy that is not trusted is named once', () =>
	running({ workers: 3 }, async (d, app) => {
		for (let i = 0; i < 12; i++) {
			const c = await Client.connect(d, app, { headers: forwarded });
			await c.close();
		}
		await api(d, app, 'GET', '/channels', { headers: forwarded });
		await logged(d, /127\.0\.0\.1 sends X-Forwarded-For.*trusted_proxies/);
		assert.equal(lines(d, /not in trusted_proxies/).length, 1);
		const h = await Http.connect(d, '127.0.0.2').catch(() => null);
		h?.end();
	}));

test('O4: one that is trusted is not', () =>
	running({ trusted_proxies: '127.0.0.1' }, async (d, app) => {
		const c = await Client.connect(d, app, { headers: forwarded });
		await c.close();
		assert.deepEqual(lines(d, /not in trusted_proxies/), []);
	}));

// As pusher-js: 4000 is answered with a new connection at once.
async function insist(d, app, headers, ms) {
	const end = Date.now() + ms;
	let n = 0;
	while (Date.now() < end) {
		const c = new Client(d, `/app/${app.key}?protocol=7`, { headers });
		n++;
		await c.wait('its end', () => c.gone || c.frames.length > 1 ||
			Date.now() > end, ms + 100).catch(() => {});
		c.destroy();
	}
	return n;
}

for (const [name, headers] of [['says https', forwarded],
	['says nothing', {}]])
	test(`O4: tls_only behind a proxy that ${name}: few connects`, () =>
		running({}, async (d) => {
			const app = d.app({ tls_only: 'on' });
			const n = await insist(d, app, headers, 5000);
			assert.ok(n <= 4, `${n} connects in 5 s`);
			const c = new Client(d, `/app/${app.key}?protocol=7`, { headers });
			await c.expectError(4000, headers === forwarded ?
				/trusted_proxies/ : /wss/);
			await c.expectClose(4000);
		}));

test('O4: a client without TLS is sent to it at once', () =>
	running({}, async (d) => {
		const app = d.app({ tls_only: 'on' });
		const begin = Date.now();
		const c = new Client(d, `/app/${app.key}?protocol=7`);
		await c.expectFatal(4000, /wss/);
		assert.ok(Date.now() - begin < 3000);
	}));

test('O4: those that wait leave when they are closed', () =>
	running({}, async (d) => {
		const app = d.app({ tls_only: 'on' });
		const all = [];
		for (let i = 0; i < 20; i++)
			all.push(new Client(d, `/app/${app.key}?protocol=7`,
				{ headers: forwarded }));
		await Promise.all(all.map((c) => c.upgraded()));
		all.slice(0, 10).forEach((c) => c.destroy());
		await sleep(200);
		d.ctl(['app', 'delete', '--yes', app.id]);
		for (const c of all.slice(10)) await c.expectFatal(4000);
	}));
