// SPDX-License-Identifier: MIT
//
// The end of a request: the same for us, whatever the split, and for Debian's
// nginx and HAProxy in front of us.  A proxy and a server that see different
// numbers of requests in the same bytes are a way to smuggle one past the
// proxy.  Between proxy and server a relay counts the answers.
'use strict';

const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { Daemon, sleep, until, SLOW } = require('../system/lib/daemon');
const { requests } = require('./http_requests');

const AT_ONCE = 64;
const SILENCE_MS = 150 * SLOW;
const WAIT_MS = 3000 * SLOW;

// The answers in these bytes: { status, ours }.  100 is none.
function answers(bytes) {
	const list = [];
	for (let at = 0; at < bytes.length;) {
		const end = bytes.indexOf('\r\n\r\n', at);
		const head = bytes.subarray(at, end).toString('latin1');
		const m = /^HTTP\/1\.[01] (\d{3})/.exec(head);
		if (end < 0 || !m) {
			// No head: nginx answers so to HTTP/0.9.
			list.push({ status: 0, ours: at === 0 && bytes[0] === 0x7b });
			break;
		}
		const n = /^content-length: (\d+)/im.exec(head);
		const status = Number(m[1]);
		at = end + 4 + (n ? Number(n[1]) : 0);
		if (status >= 200)
			list.push({ status, ours: status === 204 ||
				/application\/json/i.test(head),
			closes: /^connection: close/im.test(head) });
	}
	return list;
}

// Sends the pieces one after the other, then FIN, at once or after so long a
// silence; all that came back.
function talk(port, pieces, silence = 0) {
	return new Promise((resolve) => {
		const got = [];
		const sock = net.connect({ port, host: '127.0.0.1',
			allowHalfOpen: true });
		const timer = setTimeout(() => sock.destroy(), WAIT_MS);
		sock.setNoDelay(true);
		let quiet;
		const fin = () => {
			clearTimeout(quiet);
			quiet = setTimeout(() => sock.end(), silence);
		};
		sock.on('data', (b) => {
			got.push(b);
			if (silence) fin();
		});
		sock.on('error', () => {});
		sock.on('close', () => {
			clearTimeout(timer);
			clearTimeout(quiet);
			resolve(Buffer.concat(got));
		});
		sock.on('end', () => sock.destroy());
		sock.on('connect', async () => {
			for (const p of pieces) {
				await new Promise((ok) => sock.write(p, () => ok()));
				await new Promise(setImmediate);
			}
			if (silence) fin();
			else sock.end();
		});
	});
}

async function eachAtOnce(list, fn) {
	const todo = [...list];
	await Promise.all(Array.from({ length: AT_ONCE }, async () => {
		while (todo.length) await fn(todo.pop());
	}));
}

// Refused for its form: the connection ends there.
const isRefusal = (a) => [0, 400, 408, 411, 413, 414, 417, 431, 501, 502, 505]
	.includes(a.status);

function freePort() {
	return new Promise((resolve) => {
		const s = net.createServer().listen(0, '127.0.0.1', () => {
			const { port } = s.address();
			s.close(() => resolve(port));
		});
	});
}

// Bytes to and fro, and how many answers have passed.
class Relay {
	async start(target) {
		this.seen = 0;
		this.socks = new Set();
		this.server = net.createServer((a) => this.accept(a, target));
		await new Promise((ok) => {
			this.server.listen(0, '127.0.0.1', ok);
		});
		this.port = this.server.address().port;
		return this;
	}

	accept(a, target) {
		const b = net.connect({ port: target, host: '127.0.0.1' });
		let bytes = Buffer.alloc(0);
		let counted = 0;
		for (const s of [a, b]) {
			this.socks.add(s);
			s.setNoDelay(true);
			s.on('error', () => {});
			s.on('close', () => { a.destroy(); b.destroy(); });
		}
		a.pipe(b);
		b.on('data', (d) => {
			bytes = Buffer.concat([bytes, d]);
			const n = answers(bytes).length;
			this.seen += n - counted;
			counted = n;
			a.write(d);
		});
		b.on('end', () => a.end());
	}

	stop() {
		for (const s of this.socks) s.destroy();
		this.server.close();
	}
}

const PROXIES = {
	nginx: {
		conf: (port, up, dir) => `
daemon off; master_process off; pid ${dir}/nginx.pid; error_log ${dir}/nginx.log;
events { worker_connections 256; }
http {
	access_log off; client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p;
	fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u;
	scgi_temp_path ${dir}/s;
	client_header_timeout 1s; client_body_timeout 1s; keepalive_timeout 1s;
	upstream pusherd { server 127.0.0.1:${up}; keepalive 4; }
	server {
		listen 127.0.0.1:${port}; underscores_in_headers on;
		location / {
			proxy_pass http://pusherd; proxy_http_version 1.1;
			proxy_set_header Connection ""; proxy_next_upstream off;
			proxy_ignore_client_abort on;
		}
	}
}`,
		args: (file, dir) => ['nginx', ['-c', file, '-p', dir,
			'-e', path.join(dir, 'nginx.log')]],
	},
	haproxy: {
		conf: (port, up) => `
defaults
	mode http
	http-reuse always
	timeout connect 1s
	timeout client 1s
	timeout server 2s
	timeout http-request 1s
	retries 0
frontend f
	bind 127.0.0.1:${port}
	default_backend b
backend b
	server s 127.0.0.1:${up}
`,
		args: (file) => ['haproxy', ['-db', '-q', '-f', file]],
	},
};

const there = (program) =>
	spawnSync(program, ['-v'], { stdio: 'ignore' }).status === 0;

describe('HTTP differential', () => {
	const d = new Daemon();
	const direct = new Map();

	before(async () => {
		await d.start();
		for (const [name, bytes] of requests)
			direct.set(name, answers(await talk(d.port, [bytes])));
	});
	after(() => d.stop());

	test(`${requests.size} requests`, () => {
		assert.ok(requests.size >= 200);
		// Every one is answered, and behind a refusal comes nothing.
		for (const [name, list] of direct) {
			list.slice(0, -1).forEach((a) =>
				assert.ok(!isRefusal(a), `${name}: goes on`));
			assert.ok(list.every((a) => a.status !== 0), name);
		}
	});

	test('split at every byte', async () => {
		let n = 0;
		for (const [name, bytes] of requests) {
			const want = direct.get(name).map((a) => a.status);
			const cuts = Array.from({ length: Math.min(bytes.length, 400) - 1 },
				(_, i) => i + 1);
			await eachAtOnce(cuts, async (i) => {
				const got = answers(await talk(d.port,
					[bytes.subarray(0, i), bytes.subarray(i)]));
				// A body that has not come is not waited for:
				// the answer to its head is the last one.
				const end = got.at(-1)?.closes ? got.length : want.length;
				assert.deepEqual(got.map((a) => a.status),
					want.slice(0, end),
					`${name}, cut at ${i}`);
				n++;
			});
		}
		assert.ok(n > 10000);
	});

	for (const [proxy, how] of Object.entries(PROXIES))
		describe(`through ${proxy}`, { skip: !there(proxy) }, () => {
			let relay;
			let child;
			let port;

			before(async () => {
				relay = await new Relay().start(d.port);
				port = await freePort();
				const file = path.join(d.dir, `${proxy}.conf`);
				fs.writeFileSync(file, how.conf(port, relay.port, d.dir));
				child = spawn(...how.args(file, d.dir), { stdio: 'ignore' });
				await until(`${proxy} to answer`, async () =>
					answers(await talk(port, ['GET /up HTTP/1.1\r\n' +
						'Host: x\r\nConnection: close\r\n\r\n']))[0]?.ours);
			});
			after(async () => {
				child.kill('SIGKILL');
				relay.stop();
				await sleep(10);
			});

			for (const cut of [0, 60])
				test(cut ? `cut at ${cut}` : 'in one piece', async () => {
					const bad = [];
					for (const [name, bytes] of requests) {
						const from = relay.seen;
						const got = answers(await talk(port, cut ?
							[bytes.subarray(0, cut), bytes.subarray(cut)] :
							[bytes], SILENCE_MS));
						const passed = got.filter((a) => a.ours).length;
						const seen = relay.seen - from;
						const us = direct.get(name);
						// The client got what the
						// server answered.
						if (seen !== passed)
							bad.push(`${name}: ${passed} of ${seen} answers`);
						// Both took all of it: the same
						// number.
						if (![...us, ...got].some(isRefusal) &&
						    !us.at(-1)?.closes && us.length !== got.length)
							bad.push(`${name}: ${us.length} requests for ` +
								`us, ${got.length} for the proxy`);
					}
					assert.deepEqual(bad, []);
				});
		});
});
