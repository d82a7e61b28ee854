// SPDX-License-Identifier: MIT
//
// TLS itself: versions, server names, sessions in every worker, certificates
// that change, and clients that do not finish the handshake.  The traffic
// over TLS is tested in over_tls.test.js.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const { describe, test, before, after } = require('node:test');
const tls = require('node:tls');
const { Daemon, SLOW, until } = require('./lib/daemon');
const { Client } = require('./lib/client');
const { parse } = require('./lib/prometheus');
const { Authority } = require('./lib/tls');

describe('TLS', () => {
	const a = new Authority();
	const other = a.sign('other-', ['DNS:other.test', 'DNS:*.wild.test']);
	const d = new Daemon({ workers: 4, handshake_timeout: 2 * SLOW,
		metrics_listen: '127.0.0.1:0',
		listen: ['127.0.0.1:0', '127.0.0.1:0 tls'],
		tls_certificate: [a.file('cert.pem'), other.cert],
		tls_key: [a.file('key.pem'), other.key] });
	const app = d.app({ tls_only: 'on' });
	let port;

	before(async () => {
		await d.start();
		port = d.ports[1];
	});
	after(async () => {
		try {
			await d.stop();
		} finally {
			d.kill();
			a.remove();
		}
	});

	// A connection that stands; with its peer's certificate and session.
	const connect = (how = {}) => new Promise((resolve, reject) => {
		const s = tls.connect({ port, host: '127.0.0.1', ca: a.ca,
			servername: 'localhost', ...how });
		s.once('session', (ticket) => { s.ticket = ticket; });
		s.once('secureConnect', () => resolve(s));
		s.once('error', reject);
	});
	const ask = async (s) => {
		s.write('GET /ready HTTP/1.1\r\nHost: x\r\n\r\n');
		return String(await new Promise((ok) => s.once('data', ok)));
	};

	for (const version of ['TLSv1.2', 'TLSv1.3'])
		test(`${version}: a session goes on in any worker`, async () => {
			const how = { minVersion: version, maxVersion: version,
				ALPNProtocols: ['http/1.1'] };
			const first = await connect(how);
			assert.equal(first.getProtocol(), version);
			assert.equal(first.alpnProtocol, 'http/1.1');
			assert.match(await ask(first), /"ready":true/);
			await until('a ticket', () => first.ticket);
			for (let i = 0; i < 12; i++) {
				const s = await connect({ ...how,
					session: first.ticket });
				assert.equal(s.isSessionReused(), true, `number ${i}`);
				assert.match(await ask(s), /"ready":true/);
				s.destroy();
			}
			first.destroy();
		});

	test('older versions and other protocols are refused', async () => {
		await assert.rejects(connect({ minVersion: 'TLSv1.1',
			maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
		await assert.rejects(connect({ ALPNProtocols: ['h2'] }));
	});

	test('the server name chooses the certificate', async () => {
		for (const name of ['other.test', 'a.wild.test', 'localhost']) {
			const s = await connect({ servername: name });
			assert.match(s.getPeerCertificate().subjectaltname,
				name === 'localhost' ? /localhost/ : /other/);
			s.destroy();
		}
	});

	test('tls_only: 4000 without TLS, welcome with it', async () => {
		const plain = new Client({ port: d.ports[0] },
			`/app/${app.key}?protocol=7`);
		await plain.upgraded();
		await plain.expectFatal(4000);
		const s = await connect();
		s.write(`GET /app/${app.key}?protocol=7 HTTP/1.1\r\nHost: x\r\n` +
			'Upgrade: websocket\r\nConnection: Upgrade\r\n' +
			'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ' +
			'AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
		let text = '';
		s.on('data', (b) => { text += b; });
		await until('the greeting', () => /established/.test(text));
		s.destroy();
	});

	test('plain HTTP on the port gets an answer in its language', async () => {
		const s = net.connect(port, '127.0.0.1');
		s.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
		const text = await new Promise((ok) => s.once('data', ok));
		assert.match(String(text), /^HTTP\/1\.1 400 .*use https/s);
		s.destroy();
	});

	test('half a handshake is given up', async () => {
		const s = net.connect(port, '127.0.0.1');
		s.on('error', () => {});
		s.write(Buffer.from('16030100', 'hex'));
		await new Promise((ok) => s.once('close', ok));
	});

	test('days to expiry in status and metrics', async () => {
		const [{ certificates }] = d.ctl(['status']);
		assert.deepEqual(certificates.map((c) => c.certificate),
			['localhost', 'other.test']);
		for (const c of certificates) {
			assert.equal(c.days_left, 89);
			assert.match(c.sha256, /^[0-9a-f]{64}$/);
			const left = c.expires - Date.now() / 1000;
			assert.equal(Math.floor(left / 86400), 89);
		}
		const r = await fetch(`http://127.0.0.1:${d.metrics}/metrics`);
		const m = parse(await r.text());
		certificates.forEach((c, i) => {
			const labels = { certificate: String(i), name: c.certificate };
			assert.equal(m.value('pusherd_certificate_days_left', labels),
				c.days_left);
			assert.equal(m.value('pusherd_certificate_expiry_time_seconds',
				labels), c.expires);
		});
	});

	test('certificates change under handshakes; a bad one does not',
		async () => {
			d.allow(/certificates are not replaced/);
			let stop = false;
			let n = 0;
			const stream = (async () => {
				while (!stop) {
					(await connect()).destroy();
					n++;
				}
			})();
			const serial = async () => {
				const s = await connect();
				const c = s.getPeerCertificate().serialNumber;
				s.destroy();
				return c;
			};
			const before = await serial();
			const good = fs.readFileSync(a.file('cert.pem'));
			fs.writeFileSync(a.file('cert.pem'), good.subarray(0, 99));
			await until('the bad one to be noticed', () =>
				/certificates are not replaced/.test(d.readLog()));
			assert.equal(await serial(), before);
			a.sign('', ['IP:127.0.0.1', 'DNS:localhost']);
			await until('the new one', async () =>
				await serial() !== before, 20000);
			stop = true;
			await stream;
			assert.ok(n > 0);
		});
});

test('C10: a certificate with a day left, and with two', async () => {
	const a = new Authority();
	const d = new Daemon({ listen: '127.0.0.1:0 tls',
		tls_certificate: a.file('cert.pem'), tls_key: a.file('key.pem') });
	d.app();
	d.allow(/expires in [12] days?"/);
	for (const [days, words] of [[2, '1 day'], [3, '2 days']]) {
		a.sign('', ['IP:127.0.0.1', 'DNS:localhost'], { days });
		d.spawn();
		await until(words, () => new RegExp(
			`certificate of localhost expires in ${words}"`).test(d.readLog()));
		d.signal('SIGTERM');
		await d.exited;
		d.exit = null;
	}
	a.remove();
	d.remove();
});
