// SPDX-License-Identifier: MIT
//
// The files of etc/doc for nginx, HAProxy, Caddy, Apache and Traefik with the
// real programs: pusher-js over WSS, the server library over HTTPS, a large publish,
// a close code, all through the proxy.  Only addresses, ports and certificates
// are replaced.  The app accepts only encrypted connections, so that the proxy
// has to say that its client's is one.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const https = require('node:https');
const { describe, test, before, after } = require('node:test');
const WebSocket = require('ws');
const { Daemon, sleep, until, SLOW } = require('./lib/daemon');
const { Line } = require('./lib/line');
const { server, client, once, connected } = require('./lib/official');
const { PROXIES, Proxy, run } = require('./lib/proxies');
const { newId, confirmed } = require('./lib/resume');

const OK = 'pusher:subscription_succeeded';

// The way to make each of them read its configuration again.
const RELOAD = {
	nginx: (proxy) => proxy.kill('SIGHUP'),
	haproxy: (proxy) => proxy.kill('SIGUSR2'),
	caddy: (proxy, dir) => run('caddy', ['reload', '--force', '--adapter',
		'caddyfile', '--config', `${dir}/Caddyfile`]),
	apache: (proxy) => proxy.kill('SIGUSR1'),
	// It watches the file.
	traefik: (proxy, dir) => fs.appendFileSync(`${dir}/traefik.yml`,
		'    other: {loadBalancer: {servers: [{url: "http://[::1]"}]}}\n'),
};

for (const name of Object.keys(PROXIES)) {
	describe(`behind ${name}`, () => {
		const d = new Daemon({ workers: 2, trusted_proxies: '127.0.0.1' });
		const app = d.app({ max_event_bytes: '400000', resume: 'on',
			tls_only: 'on' });
		let port;
		let proxy;
		let back; // the line from it to pusherd
		let ca;
		let lib;
		let agent;
		const open = [];

		before(async () => {
			await d.start();
			back = await Line.open(d);
			proxy = await Proxy.open(name, back.port);
			({ ca, port } = proxy);
			agent = new https.Agent({ ca, keepAlive: true });
			lib = server({ port }, app, { useTLS: true, agent });
		});

		after(async () => {
			for (const p of open) p.disconnect();
			agent?.destroy();
			await proxy?.stop();
			await back?.close();
			await d.stop();
		});

		// A WebSocket that trusts the test's own certificate.
		const socket = () => new WebSocket(`wss://127.0.0.1:${port}/app/` +
			`${app.key}?protocol=7&client=js&version=8.6.0`, { ca });

		test('pusher-js subscribes and gets what the library sends',
			async () => {
				// faye-websocket in pusher-js has no place for
				// a CA.
				process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
				const p = client(8, { port: 1 }, app, undefined, {
					wsPort: 1, wssPort: port, forceTLS: true,
					enabledTransports: ['ws', 'wss'] });
				open.push(p);
				await connected(p);
				delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
				const ch = p.subscribe('room');
				await once(ch, OK);
				for (let i = 0; i < 20; i++) {
					const got = once(ch, 'my-event');
					await lib.trigger('room', 'my-event', { i, é: '🎈' });
					assert.deepEqual(await got, { i, é: '🎈' });
				}
			});

		test('resume: cut before it and behind it, and its reload',
			async () => {
				process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
				const front = await Line.open({ port });
				open.push({ disconnect: () => front.cut('FIN') });
				const id = newId();
				const p = client(8, { port: 1 }, app, undefined, {
					wsPort: 1, wssPort: front.port, forceTLS: true,
					enabledTransports: ['ws', 'wss'],
					wsPath: `/app/resume/${id}` });
				open.push(p);
				// It may be back before anybody looks.
				let ends = 0;
				p.connection.bind('state_change', ({ previous }) => {
					if (previous === 'connected') ends++;
				});
				const got = [];
				const words = [];
				p.subscribe('again').bind('e', (n) => got.push(n))
					.bind('pusher:resume', (w) => words.push(w));
				let n = 0;
				const send = async (k) => {
					while (k-- > 0) await lib.trigger('again', 'e', ++n);
				};
				await until('the first word', () => words.length === 1);
				assert.equal(words[0].status, 'new');
				const faults = [() => back.cut('RST'), () => front.cut('FIN'),
					async () => {
						RELOAD[name](proxy.child, proxy.dir);
						// Caddy closes every WebSocket then.
						if (name === 'caddy') return;
						await sleep(500 * SLOW);
						await send(1); // it goes on
						await until('it', () => got.length === n);
						await confirmed(d, id);
						front.cut('FIN');
					}];
				for (const [i, fault] of faults.entries()) {
					await send(2);
					await until('both', () => got.length === n);
					await confirmed(d, id);
					const before = ends;
					await fault();
					await until('its end', () => ends > before);
					await send(3);
					await until('its return', () =>
						words.length === i + 2, 30000);
					assert.equal(words[i + 1].status, 'continued');
				}
				await until('the last', () => got.length >= n);
				assert.deepEqual(got,
					Array.from({ length: n }, (_, i) => i + 1));
				p.disconnect();
				delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
				await front.close();
			});

		test('a large event comes whole', async () => {
			const ws = socket();
			const got = new Promise((ok, bad) => {
				ws.on('error', bad);
				ws.on('message', (m) => {
					const e = JSON.parse(m);
					if (e.event === 'pusher:connection_established')
						ws.send(JSON.stringify({ event: 'pusher:subscribe',
							data: { channel: 'large' } }));
					if (e.event === 'pusher_internal:subscription_succeeded')
						lib.trigger('large', 'big', 'x'.repeat(390000))
							.catch(bad);
					if (e.event === 'big') ok(e.data);
				});
			});
			assert.equal((await got).length, 390000);
			ws.terminate();
		});

		test('B27 the API answers: channels, a wrong signature', async () => {
			const r = await lib.get({ path: '/channels' });
			assert.equal(r.status, 200);
			const bad = server({ port }, { ...app, secret: 'wrong' },
				{ useTLS: true, agent });
			await assert.rejects(bad.trigger('a', 'b', {}),
				(e) => e.status === 401);
		});

		test('close codes reach the client', async () => {
			const ws = new WebSocket(
				`wss://127.0.0.1:${port}/app/no-such-key?protocol=7`, { ca });
			const code = await new Promise((ok, bad) => {
				ws.on('error', bad);
				ws.on('close', ok);
			});
			assert.equal(code, 4001);
		});
	});
}
