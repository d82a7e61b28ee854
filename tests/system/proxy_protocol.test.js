// SPDX-License-Identifier: MIT
//
// nginx and HAProxy from Debian in front of an address with proxy_protocol:
// version 1 and 2, and a proxy that ends TLS.  `pusherctl
// connections list` shows the client's address; the flag for TLS decides about
// apps with tls_only, and counts only from trusted proxies.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const tls = require('node:tls');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { needs } = require('./lib/deps');
const { api, publish } = require('./lib/http');
const { freePort } = require('./lib/port');
const { Authority } = require('./lib/tls');

// A client of this address is told from the proxy's own.
const CLIENT = '127.0.0.9';

const answers = (port) => new Promise((ok) => {
	const s = net.connect(port, '127.0.0.1');
	s.once('connect', () => { s.destroy(); ok(true); });
	s.once('error', () => ok(false));
});

// nginx sends version 1 only, and only from stream {}.
function nginx(dir, ports, back) {
	const modules = '/usr/lib/nginx/modules/ngx_stream_module.so';
	const load = fs.existsSync(modules) ? `load_module ${modules};` : '';
	fs.writeFileSync(`${dir}/nginx.conf`, `${load} daemon off;
		pid ${dir}/nginx.pid; error_log ${dir}/error.log;
		events { worker_connections 512; }
		stream {
		server { listen 127.0.0.1:${ports.v1};
		proxy_pass 127.0.0.1:${back.proxy}; proxy_protocol on; } }
		http { access_log off; client_body_temp_path ${dir}/body;
		proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f;
		uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
		server { listen 127.0.0.1:${ports.http} ssl;
		ssl_certificate ${dir}/cert.pem; ssl_certificate_key ${dir}/key.pem;
		location / { proxy_pass http://127.0.0.1:${back.plain};
		proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
		proxy_set_header Connection upgrade;
		proxy_set_header X-Forwarded-For $remote_addr;
		proxy_set_header X-Forwarded-Proto $scheme; } } }`);
	return ['/usr/sbin/nginx', ['-p', dir, '-c', `${dir}/nginx.conf`, '-e',
		`${dir}/error.log`]];
}

function haproxy(dir, ports, back) {
	fs.writeFileSync(`${dir}/both.pem`, fs.readFileSync(`${dir}/cert.pem`) +
		'\n' + fs.readFileSync(`${dir}/key.pem`));
	const through = (name, bind, how) => `listen ${name}
		mode tcp
		bind 127.0.0.1:${bind}
		server s 127.0.0.1:${back.proxy} ${how}\n`;
	fs.writeFileSync(`${dir}/haproxy.cfg`, `defaults
		timeout connect 5s
		timeout client 60s
		timeout server 60s
		timeout tunnel 300s
	${through('v1', ports.v1, 'send-proxy')}
	${through('v2', ports.v2, 'send-proxy-v2')}
	${through('tls', `${ports.tls} ssl crt ${dir}/both.pem`,
		'send-proxy-v2-ssl')}
	listen http
		mode http
		bind 127.0.0.1:${ports.http} ssl crt ${dir}/both.pem
		option forwardfor
		http-request set-header X-Forwarded-Proto https
		server s 127.0.0.1:${back.plain}\n`);
	return ['/usr/sbin/haproxy', ['-db', '-f', `${dir}/haproxy.cfg`]];
}

for (const [name, write] of Object.entries({ nginx, haproxy })) {
	describe(`PROXY protocol from ${name}`, () => {
		const a = new Authority();
		const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pusherd-proxy-'));
		const listen = ['127.0.0.1:0', '127.0.0.1:0 proxy_protocol'];
		const d = new Daemon({ workers: 2, listen,
			trusted_proxies: '127.0.0.1' });
		const distrustful = new Daemon({ listen,
			trusted_proxies: '10.9.8.7' });
		const both = [d, distrustful];
		// The listener behind each port of the proxy.
		const ports = new Map();
		const proxies = [];
		const app = d.app();
		const strict = d.app({ tls_only: 'on' });
		const strange = distrustful.app({ tls_only: 'on' });

		before(async () => {
			needs('proxy');
			fs.chmodSync(dir, 0o755);
			for (const [i, x] of both.entries()) {
				await x.start();
				const own = path.join(dir, String(i));
				fs.mkdirSync(own);
				for (const f of ['cert.pem', 'key.pem'])
					fs.copyFileSync(a.file(f), path.join(own, f));
				const mine = {};
				for (const k of ['v1', 'v2', 'tls', 'http'])
					mine[k] = await freePort();
				ports.set(x, mine);
				const out = fs.openSync(`${own}/out`, 'a');
				const p = spawn(...write(own, mine, { plain: x.ports[0],
					proxy: x.ports[1] }), { stdio: ['ignore', out, out] });
				fs.closeSync(out);
				proxies.push(p);
				await until(`${name} to be ready`, () => {
					if (p.exitCode !== null)
						assert.fail(fs.readFileSync(`${own}/out`, 'utf8') +
							(fs.existsSync(`${own}/error.log`) ?
								fs.readFileSync(`${own}/error.log`, 'utf8') :
								''));
					return answers(mine.http);
				});
			}
		});

		after(async () => {
			for (const p of proxies)
				if (p.exitCode === null) {
					p.kill('SIGTERM');
					await new Promise((ok) => p.once('exit', ok));
				}
			try {
				for (const x of both) await x.stop();
			} finally {
				for (const x of both) if (x.child && !x.exit) x.kill();
				fs.rmSync(dir, { recursive: true });
				a.remove();
			}
		});

		// A client at CLIENT; with TLS to the proxy, or without.
		const come = (x, to, who, secure) => new Client({
			port: ports.get(x)[to] }, `/app/${who.key}` +
			'?protocol=7&client=js&version=8.6.0', { sock: () => {
			const raw = net.connect({ port: ports.get(x)[to],
				host: '127.0.0.1', localAddress: CLIENT });
			return secure ? Object.assign(tls.connect({ socket: raw,
				ca: a.ca, servername: 'localhost' }), { raw }) : raw;
		} });

		const shows = async (c, from) => {
			await c.greeted();
			const row = d.ctl(['connections', 'list']).find((r) =>
				r.socket_id === c.sid);
			assert.equal(row.address, from(c.sock.localPort));
		};

		const versions = name === 'nginx' ? ['v1'] : ['v1', 'v2'];
		for (const v of versions)
			test(`${v}: the client's own address, events, the API`,
				async () => {
					const c = come(d, v, app);
					c.app = app;
					await shows(c, (port) => `${CLIENT}:${port}`);
					await c.subscribe('room');
					await publish({ port: ports.get(d)[v] }, app, 'room', 'e',
						'by the proxy');
					assert.equal(await c.expect('e'), 'by the proxy');
					assert.equal((await api({ port: ports.get(d)[v] }, app,
						'GET', '/channels')).status, 200);
					await c.close();
				});

		test('TLS that the proxy ends, X-Forwarded-Proto: https', async () => {
			const c = come(d, 'http', strict, true);
			await shows(c, () => CLIENT);
			c.destroy();
		});

		test('tls_only without TLS to the proxy: 4000', async () => {
			const c = come(d, 'v1', strict);
			await c.upgraded();
			await c.expectFatal(4000);
		});

		test('X-Forwarded-Proto of somebody who is not trusted: 4000',
			async () => {
				const c = come(distrustful, 'http', strange, true);
				await c.upgraded();
				await c.expectFatal(4000);
			});

		test('PROXY protocol of somebody who is not trusted: no', async () => {
			const c = come(distrustful, versions.at(-1), strange);
			await c.ended();
			assert.equal(c.head, undefined);
		});

		// nginx sends version 1, which cannot say it.
		if (name === 'nginx') return;
		test('TLS that the proxy ends, told by the PROXY protocol', async () => {
			const c = come(d, 'tls', strict, true);
			await shows(c, (port) => `${CLIENT}:${port}`);
			c.destroy();
		});
	});
}
