// SPDX-License-Identifier: MIT
//
// The files of etc/doc for nginx, HAProxy, Caddy, Apache and Traefik with the
// real programs: pusher-js over WSS, the server library over HTTPS, a large publish,
// a close code, all through the proxy.  Only addresses, ports and certificates
// are replaced.  The app accepts only encrypted connections, so that the proxy
// has to say that its client's is one.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const https = require('node:https');
const os = require('node:os');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const WebSocket = require('ws');
const { Daemon, sleep, until, SLOW } = require('./lib/daemon');
const { needs } = require('./lib/deps');
const { Line } = require('./lib/line');
const { server, client, once, connected } = require('./lib/official');
const { freePort } = require('./lib/port');
const { newId, confirmed } = require('./lib/resume');

const TOP = path.resolve(__dirname, '../..');
const OK = 'pusher:subscription_succeeded';

function run(program, args) {
	const r = spawnSync(program, args, { encoding: 'utf8', timeout: 300000 });
	assert.equal(r.error, undefined, `${program}: ${r.error}`);
	assert.equal(r.status, 0, `${program}: ${r.stdout}${r.stderr}`);
}

// Replaces exactly what is there, or fails: the file may have changed.
function edit(file, changes) {
	let text = fs.readFileSync(path.join(TOP, 'etc/doc', file), 'utf8');
	for (const [from, to] of changes) {
		assert.ok(text.includes(from), `${file} has "${from}"`);
		text = text.replaceAll(from, to);
	}
	return text;
}

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

const PROXIES = {
	nginx(dir, front, back) {
		const text = edit('nginx.conf', [
			['listen 443', `listen 127.0.0.1:${front}`],
			['127.0.0.1:6001', `127.0.0.1:${back}`],
			['/etc/ssl/ws.example.com.pem', `${dir}/cert.pem`],
			['/etc/ssl/ws.example.com.key', `${dir}/key.pem`]]);
		fs.writeFileSync(`${dir}/nginx.conf`, `daemon off;
			pid ${dir}/nginx.pid; error_log ${dir}/error.log;
			events { worker_connections 512; }
			http { access_log off; client_body_temp_path ${dir}/body;
			proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f;
			uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
			${text} }`);
		return ['/usr/sbin/nginx', ['-p', dir, '-c', `${dir}/nginx.conf`,
			'-e', `${dir}/error.log`]];
	},
	haproxy(dir, front, back) {
		fs.writeFileSync(`${dir}/both.pem`,
			fs.readFileSync(`${dir}/cert.pem`, 'utf8') +
			fs.readFileSync(`${dir}/key.pem`, 'utf8'));
		fs.writeFileSync(`${dir}/haproxy.cfg`, edit('haproxy.cfg', [
			['bind :443', `bind 127.0.0.1:${front}`],
			['127.0.0.1:6001', `127.0.0.1:${back}`],
			['/etc/ssl/ws.example.com.pem', `${dir}/both.pem`]]));
		return ['/usr/sbin/haproxy', ['-W', '-db', '-f',
			`${dir}/haproxy.cfg`]];
	},
	caddy(dir, front, back) {
		const text = edit('Caddyfile', [
			['ws.example.com {', `https://127.0.0.1:${front} {
				tls ${dir}/cert.pem ${dir}/key.pem`],
			['127.0.0.1:6001', `127.0.0.1:${back}`]]);
		fs.writeFileSync(`${dir}/Caddyfile`, `{
			admin unix/${dir}/admin.sock
			auto_https disable_redirects
			default_bind 127.0.0.1
			storage file_system ${dir}/data
			}
			${text}`);
		return ['/usr/bin/caddy', ['run', '--adapter', 'caddyfile',
			'--config', `${dir}/Caddyfile`]];
	},
	apache(dir, front, back) {
		const text = edit('apache.conf', [
			['*:443', `127.0.0.1:${front}`],
			['127.0.0.1:6001', `127.0.0.1:${back}`],
			['/etc/ssl/ws.example.com.pem', `${dir}/cert.pem`],
			['/etc/ssl/ws.example.com.key', `${dir}/key.pem`]]);
		const modules = ['mpm_event', 'authz_core', 'socache_shmcb', 'ssl',
			'proxy', 'proxy_http', 'proxy_wstunnel', 'headers'];
		fs.writeFileSync(`${dir}/apache.conf`, `${modules.map((m) =>
			`LoadModule ${m}_module /usr/lib/apache2/modules/mod_${m}.so`)
			.join('\n')}
			ServerName 127.0.0.1
			Listen 127.0.0.1:${front}
			User www-data
			Group www-data
			PidFile ${dir}/apache.pid
			DefaultRuntimeDir ${dir}
			ErrorLog ${dir}/error.log
			${text}`);
		return ['/usr/sbin/apache2', ['-DFOREGROUND', '-d', dir, '-f',
			`${dir}/apache.conf`]];
	},
	traefik(dir, front, back) {
		fs.writeFileSync(`${dir}/traefik.yml`, `tls:
  stores:
    default:
      defaultCertificate: {certFile: ${dir}/cert.pem, keyFile: ${dir}/key.pem}
${edit('traefik.yml', [
		['Host(`ws.example.com`)', 'Host(`127.0.0.1`)'],
		['tls:\n        certResolver: letsencrypt', 'tls: {}'],
		['127.0.0.1:6001', `127.0.0.1:${back}`]])}`);
		return [`${__dirname}/python/venv/bin/traefik`, [
			`--entryPoints.websecure.address=127.0.0.1:${front}`,
			`--providers.file.filename=${dir}/traefik.yml`]];
	},
};

// Answers GET /ready through the proxy.
function isReady(port, ca) {
	return new Promise((resolve) => {
		https.get({ port, host: '127.0.0.1', path: '/ready', ca,
			agent: false }, (res) => {
			res.resume();
			resolve(res.statusCode === 200);
		}).on('error', () => resolve(false));
	});
}

for (const [name, write] of Object.entries(PROXIES)) {
	describe(`behind ${name}`, () => {
		const d = new Daemon({ workers: 2, trusted_proxies: '127.0.0.1' });
		const app = d.app({ max_event_bytes: '400000', resume: 'on',
			tls_only: 'on' });
		let dir;
		let port;
		let proxy;
		let back; // the line from it to pusherd
		let ca;
		let lib;
		let agent;
		const open = [];

		before(async () => {
			needs('proxy');
			await d.start();
			dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-proxy-'));
			// nginx gives its work to a user that has to get here.
			fs.chmodSync(dir, 0o755);
			run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt',
				'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
				'-subj', '/CN=127.0.0.1', '-addext',
				'subjectAltName=IP:127.0.0.1', '-keyout',
				`${dir}/key.pem`, '-out', `${dir}/cert.pem`]);
			ca = fs.readFileSync(`${dir}/cert.pem`);
			port = await freePort();
			const out = fs.openSync(`${dir}/out`, 'a');
			back = await Line.open(d);
			proxy = spawn(...write(dir, port, back.port),
				{ stdio: ['ignore', out, out] });
			fs.closeSync(out);
			await until(`${name} to be ready`, () => {
				if (proxy.exitCode !== null)
					assert.fail(fs.readFileSync(`${dir}/out`, 'utf8'));
				return isReady(port, ca);
			});
			agent = new https.Agent({ ca, keepAlive: true });
			lib = server({ port }, app, { useTLS: true, agent });
		});

		after(async () => {
			for (const p of open) p.disconnect();
			agent?.destroy();
			if (proxy && proxy.exitCode === null) {
				proxy.kill('SIGTERM');
				await new Promise((ok) => proxy.once('exit', ok));
			}
			await back?.close();
			try {
				await d.stop();
			} catch (e) {
				d.kill();
				throw e;
			} finally {
				if (dir) fs.rmSync(dir, { recursive: true });
			}
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
						RELOAD[name](proxy, dir);
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
