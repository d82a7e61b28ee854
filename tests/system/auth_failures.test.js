// SPDX-License-Identifier: MIT
//
// Wrong signatures: over max_auth_failures_per_minute a client that sends
// another wrong one is closed with 4100 or gets 429, by address; right ones
// pass from everywhere.  A trusted proxy says which address it is.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon } = require('./lib/daemon');
const { Http, onEachWorker } = require('./lib/http');
const { parse } = require('./lib/prometheus');
const { suite, WORKERS } = require('./lib/suite');

const LIMIT = 20;
const REASON = /more than 20 wrong .* \(max_auth_failures_per_minute\)/;

const from = (address) => ({ headers: { 'X-Forwarded-For': address } });
const bad = (app) => `${app.key}:${'0'.repeat(64)}`;

function sendWrong(c, app, kind = 'subscribe') {
	if (kind === 'subscribe')
		c.sendSubscribe('private-x', { auth: bad(app) });
	else
		c.sendSignin({ id: 'u' }, bad(app));
}

// Sends wrong signatures until it is closed; how many were answered.
// Meanwhile the bucket gets one more every three seconds.
async function sendWrongUntilClosed(c, app, kind) {
	let n = 0;
	for (; n < 5 * LIMIT; n++) {
		sendWrong(c, app, kind);
		let m = await c.next();
		if (kind !== 'signin' && m.event === 'pusher:subscription_error')
			m = await c.next();
		assert.equal(m.event, 'pusher:error', c.text);
		if (m.data.code !== 4100) continue;
		assert.match(m.data.message, REASON);
		await c.expectClose(4100, REASON);
		return n;
	}
	assert.fail('it was never closed');
}

async function limited(d, app) {
	const h = await Http.connect({ ...d, port: d.metrics });
	const { text } = await h.ask('GET', '/metrics');
	h.end();
	return parse(text).sum('pusherd_rate_limited_total',
		{ app: app.id, kind: 'auth' });
}

suite('auth failures', (d) => {
	const app = d.app();

	for (const kind of ['subscribe', 'signin'])
		test(`${kind}: closed with 4100, right signatures pass`,
			async () => {
				const address = kind === 'signin' ? '192.0.2.1'
					: '192.0.2.2';
				for (const c of await Client.onEachWorker(d, app,
					from(address))) {
					const [same, late] = await onWorker(c, 2, address);
					const n = await sendWrongUntilClosed(c, app, kind);
					assert.ok(n <= LIMIT + 10, `${n} answered`);
					// The same address, and right.
					await same.subscribe('private-x');
					await same.join('presence-x', 'a');
					await same.signin({ id: 'u' });
					assert.deepEqual(await same.sync(), []);
					await same.close();
					// And wrong, on a connection of its own.
					await sendWrongUntilClosed(late, app, kind);
				}
			});

	// Clients on the worker of this one.
	async function onWorker(c, n, address) {
		const all = [];
		for (let i = 0; i < 400 && all.length < n; i++) {
			const x = await Client.connect(d, app, from(address));
			if (x.worker === c.worker) all.push(x);
			else await x.close();
		}
		assert.equal(all.length, n);
		return all;
	}

	test('other addresses are not touched, a /64 is one', async () => {
		const c = await Client.connect(d, app, from('2001:db8:0:1::1'));
		const [same] = await onWorker(c, 1, '2001:db8:0:1:ffff::9');
		// Two of 4,096 may be the same bucket; not most of them.
		const others = [];
		for (const a of ['2001:db8:0:2::1', '2001:db8:1:1::1',
			'198.51.100.1', '198.51.100.2', '198.51.100.3'])
			others.push(...await onWorker(c, 1, a));
		await sendWrongUntilClosed(c, app);
		await sendWrongUntilClosed(same, app);
		let free = 0;
		for (const o of others) {
			sendWrong(o, app);
			free += (await o.next()).event ===
				'pusher:subscription_error' ? 1 : 0;
		}
		assert.ok(free >= 3, `${free} of ${others.length}`);
		for (const o of others) o.destroy();
	});

	test('API: 429 with Retry-After, right signatures pass', async () => {
		const before = await limited(d, app);
		const https = await onEachWorker(d);
		const how = from('192.0.2.77');
		for (const h of https) {
			const got = [];
			for (let i = 0; i < LIMIT + 10; i++)
				got.push(await h.api({ ...app, secret: 'wrong' }, 'GET',
					'/channels', how));
			const last = got.filter((r) => r.status !== 401);
			assert.ok(last.length > 0, 'never throttled');
			for (const r of last) {
				assert.equal(r.status, 429, r.text);
				assert.match(r.headers['retry-after'], /^[1-9]\d*$/);
				assert.match(r.json.error, /more than 20 .*max_auth_/);
			}
			assert.equal((await h.api(app, 'GET', '/channels', how))
				.status, 200);
			assert.equal((await h.api({ ...app, id: 'none' }, 'GET',
				'/channels', how)).status, 429);
			assert.equal((await h.api({ ...app, key: 'none' }, 'GET',
				'/channels', how)).status, 429);
			assert.equal((await h.api(app, 'POST', '/events', { ...how,
				body: { name: 'e', channel: 'x', data: '1' } })).status,
			200);
			h.end();
		}
		assert.ok(await limited(d, app) >= before + https.length);
	});
}, { max_auth_failures_per_minute: LIMIT, trusted_proxies: '127.0.0.1',
	metrics_listen: '127.0.0.1:0' });

for (const workers of WORKERS)
	test(`a reload changes the limit, 0 is none (${workers})`, async () => {
		const d = new Daemon({ workers });
		const app = d.app();
		const file = path.join(d.dir, 'p.conf');
		const write = (n) => fs.writeFileSync(file,
			`max_auth_failures_per_minute ${n}\n`);
		const reload = async (n) => {
			write(n);
			const r = await d.ctlAsync(['-c', file, 'reload']);
			assert.equal(r.code, 0, r.err);
		};
		write(0);
		await d.start(['-c', file]);
		const all = await Client.onEachWorker(d, app);
		for (const c of all)
			for (let i = 0; i < 700; i++) sendWrong(c, app, 'signin');
		for (const c of all) {
			const said = await c.sync();
			assert.equal(said.length, 700);
			assert.ok(said.every((m) => m.data.code === 4009));
		}
		await reload(LIMIT);
		for (const c of all) await sendWrongUntilClosed(c, app);
		const again = await Client.several(d, app, 4);
		await reload(0);
		for (const c of again) {
			sendWrong(c, app);
			await c.expectRefused('private-x', 'AuthError', 401);
		}
		await closeAll(again);
		await d.stop();
	});
