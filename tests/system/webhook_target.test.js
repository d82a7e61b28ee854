// SPDX-License-Identifier: MIT
//
// Where webhooks go: certificates, names and addresses, and name servers that
// do not answer.
'use strict';

const assert = require('node:assert/strict');
const { describe, test, after } = require('node:test');
const tls = require('node:tls');
const { Client } = require('./lib/client');
const { Daemon, until, sleep } = require('./lib/daemon');
const { Authority } = require('./lib/certificate');
const { Names } = require('./lib/names');
const { Receiver } = require('./lib/receiver');

// Runs fn with a daemon of its own; conf: options, wrap: see daemon.js.
async function withDaemon({ wrap, ...conf }, fn) {
	const d = new Daemon({ workers: 2, webhook_retry_time: 60, ...conf });
	d.wrap = wrap;
	const app = d.app({ webhook_allow_private: 'on' });
	await d.start();
	await d.run(() => fn(d, app));
}

const add = (d, app, url) =>
	String(d.ctl(['webhook', 'add', app.id, url])[0].webhook);
const firstAnswer = async (d, num) => {
	let row;
	await until(`an answer for webhook ${num}`, () => {
		[row] = d.ctl(['webhook', 'deliveries', num]);
		return row?.attempts > 0;
	}, 15000);
	return row;
};

describe('certificates', () => {
	const ca = new Authority();
	const other = new Authority();
	after(() => { ca.remove(); other.remove(); });

	test('a good one of our authority; each kind of bad one', async () => {
		const good = ca.issue('DNS:localhost,IP:127.0.0.1');
		const receivers = {
			good: { tls: good },
			expired: { tls: ca.issue('IP:127.0.0.1', { from:
				'20200101000000Z', to: '20200201000000Z' }),
			why: /expired/ },
			early: { tls: ca.issue('IP:127.0.0.1', { from:
				'20500101000000Z', to: '20510101000000Z' }),
			why: /not yet valid/ },
			name: { tls: ca.issue('DNS:elsewhere.test,IP:127.0.0.9'),
				why: /no alternative certificate subject name matches/ },
			stranger: { tls: other.issue('IP:127.0.0.1'),
				why: /certificate/ },
		};
		await withDaemon({ webhook_ca_file: ca.file }, async (d, app) => {
			for (const x of Object.values(receivers)) {
				x.r = await Receiver.start({ tls: x.tls });
				x.num = add(d, app, x.r.url);
			}
			const byName = add(d, app,
				receivers.good.r.url.replace('127.0.0.1', 'localhost'));
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			for (const x of Object.values(receivers)) {
				const row = await firstAnswer(d, x.num);
				if (!x.why) {
					assert.equal(row.status, 200, row.answer);
					x.r.hooks.forEach((h) => x.r.check(h, app));
					continue;
				}
				assert.equal(row.status, 0);
				assert.match(row.answer, x.why);
				assert.equal(x.r.hooks.length, 0, 'nothing was sent');
			}
			assert.equal((await firstAnswer(d, byName)).status, 200);
			await c.close();
			for (const x of Object.values(receivers)) await x.r.stop();
		});
	});

	test('the system store knows nothing of our authority', async () => {
		const r = await Receiver.start({ tls: ca.issue('IP:127.0.0.1') });
		await withDaemon({}, async (d, app) => {
			const num = add(d, app, r.url);
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			assert.match((await firstAnswer(d, num)).answer, /certificate/);
			assert.equal(r.hooks.length, 0);
			await c.close();
		});
		await r.stop();
	});

	test('nobody speaks TLS 1.1 any more, and plain HTTP is no TLS',
		async () => {
			const old = await Receiver.start({ tls: {
				...ca.issue('IP:127.0.0.1'), minVersion: 'TLSv1',
				maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } });
			const plain = await Receiver.start();
			await withDaemon({ webhook_ca_file: ca.file }, async (d, app) => {
				const nums = [old.url, plain.url.replace('http:', 'https:')]
					.map((url) => add(d, app, url));
				const c = await Client.connect(d, app);
				await c.subscribe('room');
				for (const num of nums)
					assert.equal((await firstAnswer(d, num)).status, 0);
				assert.equal(old.hooks.length + plain.hooks.length, 0);
				await c.close();
			});
			await old.stop();
			await plain.stop();
			assert.ok(tls.DEFAULT_MIN_VERSION);
		});
});

describe('addresses', () => {
	test('O14: every way to write a private address is refused', async () => {
		const r = await Receiver.start();
		const r6 = await Receiver.start({ host: '::1' }).catch(() => null);
		await withDaemon({}, async (d, app) => {
			d.ctl(['app', 'set', app.id, 'webhook_allow_private=off']);
			const hosts = ['127.0.0.1', '127.1', '2130706433', '0x7f000001',
				'0177.0.0.1', '0', '0.0.0.0', 'localhost', 'LOCALHOST',
				'localhost.', '[::1]', '[::]', '[::ffff:127.0.0.1]',
				'[::ffff:7f00:1]', '[::127.0.0.1]', '[64:ff9b::7f00:1]',
				'[2002:7f00:1::]', '127.0.0.1.', '[::ffff:0:127.0.0.1]',
				'[::ffff:0:7f00:1]', '[64:ff9b:1::7f00:1]',
				'[2001:0:7f00:1::1]', '[0:0:0:0:0:0:0:1]'];
			const nums = hosts.map((host) => add(d, app,
				`http://${host}:${r.port}/`));
			if (r6) nums.push(add(d, app, `http://[::1]:${r6.port}/`));
			const c = await Client.connect(d, app);
			await c.subscribe('room');
			for (const [i, num] of nums.entries()) {
				const row = await firstAnswer(d, num);
				assert.equal(row.status, 0, `${hosts[i]}: ${row.answer}`);
			}
			assert.equal(r.connections, 0, 'no connection at all');
			assert.equal(r6?.connections ?? 0, 0);
			await c.close();
		});
		await r.stop();
		await r6?.stop();
	});

	test('C10: add and set warn of an address that is never reached',
		() => withDaemon({}, async (d, app) => {
			const run = (...args) => d.ctlRaw(['webhook', ...args]);
			d.ctl(['app', 'set', app.id, 'webhook_allow_private=off']);
			const r = run('add', app.id, 'http://localhost:1/');
			assert.equal(r.code, 0);
			assert.match(r.err, /never be delivered.*webhook_allow_private/);
			assert.equal(run('add', app.id, 'http://example.com/').err, '');
			assert.match(run('set', '2', 'url=http://[::ffff:0:a00:1]/').err,
				/webhook 2 will never be delivered/);
			d.ctl(['app', 'set', app.id, 'webhook_allow_private=on']);
			assert.equal(run('add', app.id, 'http://127.0.0.1:1/').err, '');
		}));

	test('a connection that was kept is of no use when that is over',
		async () => {
			const r = await Receiver.start();
			await withDaemon({}, async (d, app) => {
				add(d, app, r.url);
				const c = await Client.connect(d, app);
				await c.subscribe('one');
				await r.have(1);
				d.ctl(['app', 'set', app.id, 'webhook_allow_private=off']);
				await c.subscribe('two');
				await until('a refusal', () => d.ctl(['webhook', 'deliveries'])
					.some((x) => /webhook_allow_private/.test(x.answer)));
				assert.equal(r.events.length, 1);
				assert.equal(r.connections, 1);
				await c.close();
			});
			await r.stop();
		});
});

describe('names', () => {
	test('a name of a private address; a name server that is silent',
		async (t) => {
			const names = await Names.start({ 'good.test': ['127.0.0.1'],
				'both.test': ['127.0.0.1', '::1'], 'slow.test': null });
			if (names === null)
				return t.skip('no right to be a name server');
			const r = await Receiver.start();
			const at = (host) => r.url.replace('127.0.0.1', host);
			await withDaemon({ wrap: names.wrap, webhook_timeout: 2 },
				async (d, app) => {
					await private_(d, app, { r, at, names });
					await silent(d, app, { r, at });
				});
			names.stop();
			await r.stop();
			return undefined;
		});

	// Refused by its address, whatever its name; sent when that is allowed.
	async function private_(d, app, { r, at, names }) {
		d.ctl(['app', 'set', app.id, 'webhook_allow_private=off']);
		const nums = ['good.test', 'both.test'].map((x) => add(d, app, at(x)));
		const none = add(d, app, at('none.test'));
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		for (const num of nums)
			assert.match((await firstAnswer(d, num)).answer,
				/address is private/);
		assert.match((await firstAnswer(d, none)).answer, /resolve/);
		assert.equal(r.connections, 0);
		assert.ok(names.asked.includes('both.test'));
		d.ctl(['app', 'set', app.id, 'webhook_allow_private=on']);
		await until('both', () => r.events.length >= 2, 15000);
		assert.equal(r.hooks[0].headers.host.replace(/:.*/, '')
			.replace('both', 'good'), 'good.test');
		for (const num of [...nums, none]) d.ctl(['webhook', 'remove', num]);
		await c.close();
	}

	// Lookups that take 16 s delay neither others nor the end.
	async function silent(d, app, { r, at }) {
		const [courier] = d.pidsOf('courier');
		const slow = add(d, app, at('slow.test'));
		const fast = add(d, app, r.url);
		const c = await Client.connect(d, app);
		r.hooks.length = 0;
		let worst = 0;
		for (let i = 0; i < 60; i++) {
			const sent = Date.now();
			await c.subscribe(`fast-${i}`);
			await r.have(i + 1);
			worst = Math.max(worst, Date.now() - sent);
			await sleep(100);
		}
		assert.ok(worst < 1500, `${worst} ms beside a silent name server`);
		assert.match((await firstAnswer(d, slow)).answer, /time/i);
		assert.deepEqual(d.pidsOf('courier'), [courier], 'it was not replaced');
		d.ctl(['webhook', 'remove', fast]);
		await c.close();
	}
});
