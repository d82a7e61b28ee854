// SPDX-License-Identifier: MIT
//
// The services of an address, the client behind a proxy, and paths with a
// prefix.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { Daemon, until } = require('./lib/daemon');
const { Http } = require('./lib/http');

const V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000c' +
	'09080706' + '7f000001' + '1234' + '0050', 'hex');
const UPGRADE = (app, more = '') => `GET /app/${app.key}?protocol=9 HTTP/1.1` +
	'\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
	`Sec-WebSocket-Version: 13\r\n${more}` +
	'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

describe('listeners', () => {
	const d = new Daemon({ workers: 2, log_level: 'debug',
		trusted_proxies: '127.0.0.1, 10.0.0.0/8', path_prefix: '/ws/',
		listen: ['127.0.0.1:0', '127.0.0.1:0 role=api',
			'127.0.0.1:0 role=admin', '127.0.0.1:0 proxy_protocol'] });
	d.conf.listen.push(`unix:${path.join(d.dir, 'sock')} mode=0600`);
	const app = d.app();
	before(() => d.start());
	after(async () => {
		try {
			await d.stop();
		} finally {
			d.kill();
		}
	});
	const ask = async (port, target) => {
		const h = await Http.connect({ port });
		const { status } = await h.ask('GET', target);
		h.end();
		return status;
	};
	// Sends it all; resolves once the log names the client.
	const named = async (where, bytes, address) => {
		const s = net.connect(where);
		s.on('error', () => {});
		for (const b of bytes) s.write(b);
		await until(`${address} in the log`, () =>
			d.readLog().includes(`"peer":"${address}"`) ||
			d.readLog().includes(`peer=${address}`));
		s.destroy();
	};

	test('roles', async () => {
		const [pub, api, admin] = d.ports;
		const channels = `/apps/${app.id}/channels`;
		for (const port of [pub, api, admin])
			assert.equal(await ask(port, '/up'), 200);
		assert.equal(await ask(pub, channels), 404);
		assert.equal(await ask(api, channels), 401);
		assert.equal(await ask(admin, channels), 401);
		assert.equal(await ask(pub, `/app/${app.key}`), 426);
		assert.equal(await ask(api, `/app/${app.key}`), 404);
		assert.equal(await ask(pub, '/metrics'), 404);
		assert.equal(await ask(admin, '/metrics'), 200);
	});

	test('path_prefix', async () => {
		const [pub, api] = d.ports;
		assert.equal(await ask(pub, `/ws/app/${app.key}`), 426);
		assert.equal(await ask(api, `/ws/apps/${app.id}/channels`), 401);
		assert.equal(await ask(pub, '/wsup'), 404);
		const h = await Http.connect({ port: api });
		const { status } = await h.api(app, 'GET', '/channels');
		assert.equal(status, 200);
		h.end();
	});

	test('PROXY protocol, in one piece and byte by byte', async () => {
		const where = { port: d.ports[3], host: '127.0.0.1' };
		await named(where, ['PROXY TCP4 9.8.7.1 127.0.0.1 77 80\r\n',
			UPGRADE(app)], '9.8.7.1:77');
		await named(where, [V2, UPGRADE(app)], '9.8.7.6:4660');
		const s = net.connect(where);
		s.setNoDelay(true);
		for (const c of `PROXY TCP4 9.8.7.2 127.0.0.1 77 80\r\n`) {
			s.write(c);
			await new Promise((ok) => setTimeout(ok, 2));
		}
		s.write(UPGRADE(app));
		await until('it in the log', () => /9\.8\.7\.2:77/.test(d.readLog()));
		s.destroy();
		const bad = net.connect(where);
		bad.on('error', () => {});
		bad.write('GET / HTTP/1.1\r\n\r\n');
		await new Promise((ok) => bad.once('close', ok));
	});

	test('X-Forwarded-For: the right-most that is not trusted', () =>
		named({ port: d.ports[0], host: '127.0.0.1' }, [UPGRADE(app,
			'X-Forwarded-For: 6.6.6.6, 9.8.7.3, 10.1.1.1\r\n')], '9.8.7.3'));

	test('Unix socket', async () => {
		const file = path.join(d.dir, 'sock');
		assert.equal(fs.statSync(file).mode & 0o777, 0o600);
		await named({ path: file }, [UPGRADE(app,
			'X-Forwarded-For: 9.8.7.4\r\n')], '9.8.7.4');
	});
});
