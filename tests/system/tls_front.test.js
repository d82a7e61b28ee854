// SPDX-License-Identifier: MIT
//
// A server whose only address for clients is TLS: snippets say so, `pusherctl
// subscribe` comes by it and trusts exactly the certificates of its own
// configuration, `pusherctl bench` measures it.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { describe, test, before, after } = require('node:test');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const { Running } = require('./lib/running');
const { Authority } = require('./lib/tls');

describe('only TLS', () => {
	const a = new Authority();
	const named = a.sign('named-', ['DNS:ws.example.com', 'DNS:localhost']);
	const d = new Daemon({ workers: 2,
		listen: ['127.0.0.1:0 role=admin', '127.0.0.1:0 tls'],
		tls_certificate: named.cert, tls_key: named.key });
	const app = d.app({ client_events: 'on',
		max_client_events_per_second: 0 });

	before(async () => { await d.start(); });
	after(async () => {
		try {
			await d.stop();
		} finally {
			d.kill();
			a.remove();
		}
	});

	test('snippets: the name of the certificate, wss, https', () => {
		const [s] = d.ctl(['app', 'snippets', app.id]);
		assert.deepEqual([s.app.host, s.app.port, s.app.tls],
			['ws.example.com', d.ports[1], true]);
		for (const [key, ...want] of [
			['pusher-js', 'forceTLS: true', `wssPort: ${d.ports[1]}`],
			['laravel-echo', 'forceTLS: true', `wssPort: ${d.ports[1]}`],
			['laravel-env', 'PUSHER_SCHEME=https'],
			['node', 'useTLS: true'], ['php', "'useTLS' => true"],
			['curl', `"https://ws.example.com:${d.ports[1]}$path`]])
			for (const text of want)
				assert.ok(s[key].includes(text), s[key]);
	});

	test('subscribe', async () => {
		const s = new Running(d, ['subscribe', app.id, 'news', 'private-p']);
		await until('two confirmations', () =>
			(s.err.match(/subscribed to/g) ?? []).length === 2);
		const big = 'é'.repeat(5000);
		for (const [c, data] of [['news', 'one'], ['private-p', big]])
			await publish({ port: d.ports[0] }, app, c, 'e', data);
		await until('two events', () => s.rows.length === 2);
		assert.deepEqual(s.rows.map((r) => r.data), ['one', big]);
		const [{ socket_id: sid }] = d.ctl(['connections', 'list', app.id]);
		d.ctl(['connections', 'kill', sid]);
		assert.equal(await s.ended, 1);
		assert.match(s.err, /closed by the server: 4009/);
	});

	test('subscribe: another certificate is not trusted', () => {
		const conf = d.conf;
		d.conf = { ...conf, tls_certificate: a.file('cert.pem'),
			tls_key: a.file('key.pem') };
		const wrong = d.ctlRaw(['subscribe', app.id, 'news']);
		d.conf = { ...conf, tls_certificate: '/nonexistent' };
		const none = d.ctlRaw(['subscribe', app.id, 'news']);
		d.conf = conf;
		assert.equal(wrong.code, 1);
		assert.match(wrong.err, /is not among those of tls_certificate/);
		assert.equal(none.code, 1);
		assert.match(none.err, /nonexistent/);
	});

	for (const args of [['fanout', '--clients', '20', '--channels', '2',
		'--in-flight', '2'], ['client-events', '--clients', '12',
		'--channels', '3'], ['publish'], ['presence', '--clients', '12',
		'--channels', '1'], ['stampede', '--clients', '30'],
	['slow', '--clients', '20', '--slow', '2']])
		test(`bench ${args[0]}`, async () => {
			const r = await d.ctlAsync(['-j', 'bench', ...args, '--app',
				app.id, '--tls', '--port', String(d.ports[1]),
				'--seconds', '1']);
			assert.equal(r.code, 0, r.err);
			const said = JSON.parse(r.out);
			for (const k of ['lost', 'duplicate', 'out_of_order', 'refused'])
				assert.ok(!said[k], `${k}: ${said[k]}`);
		});

	test('bench without --tls says what is wrong', async () => {
		d.allow(/plain HTTP on a listener with TLS/);
		const r = await d.ctlAsync(['bench', 'fanout', '--clients', '4',
			'--app', app.id, '--port', String(d.ports[1])]);
		assert.equal(r.code, 1);
		assert.match(r.err, /did not upgrade/);
	});
});

test('an app with tls_only gets the address with TLS', async () => {
	const a = new Authority();
	const d = new Daemon({ listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
		tls_certificate: a.file('cert.pem'), tls_key: a.file('key.pem') });
	const strict = d.app({ tls_only: 'on' });
	const lax = d.app();
	try {
		await d.start();
		const port = (app) => d.ctl(['app', 'snippets', app.id])[0].app.port;
		assert.deepEqual([port(strict), port(lax)],
			[d.ports[1], d.ports[0]]);
		const s = new Running(d, ['subscribe', strict.id, 'news',
			'--limit', '1']);
		await until('it to be there', () => /subscribed/.test(s.err));
		await publish({ port: d.ports[0] }, lax, 'news', 'e', 'no');
		d.ctl(['publish', strict.id, 'news', 'e', 'yes']);
		assert.equal(await s.ended, 0);
		assert.equal(s.rows[0].data, 'yes');
		await d.stop();
	} finally {
		d.kill();
		a.remove();
		fs.rmSync(d.dir, { recursive: true, force: true });
	}
});
