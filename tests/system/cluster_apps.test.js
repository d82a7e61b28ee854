// SPDX-License-Identifier: MIT
//
// Apps of a cluster: changed on one host, known on all when the prompt returns;
// a host that was away catches up; one rule when two hosts change the same app.
'use strict';

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { TROUBLES, becomesReady, host, hosts, joined, joins, status } =
	require('./lib/cluster');
const { becomes } = require('./lib/daemon');
const { get } = require('./lib/http');
const { Redis } = require('./lib/redis');

const SECRET = 'a-secret-that-no-log-may-have';

describe('apps of a cluster', () => {
	const redis = new Redis();
	let a, b, c;

	const show = (d, id = '7') => d.ctl(['app', 'show', '--reveal', id])[0];
	const connects = async (d, app) => (await Client.connect(d, app)).close();
	const refused = async (d, app, code) => {
		const x = new Client(d, `/app/${app.key}?protocol=7`);
		await x.expectFatal(code);
	};

	before(async () => {
		await redis.start();
		[a, b, c] = ['a', 'b', 'c'].map((n) => host(redis, n));
		for (const d of [a, b, c]) {
			d.allow(/host \w is gone/);
			await d.start();
			await joined(d);
		}
	});

	after(async () => {
		for (const d of [a, b, c]) {
			const log = d.readLog();
			await d.stop();
			assert.ok(!log.includes(SECRET), 'a secret in the log');
		}
		await redis.remove();
	});

	test('one that a host has when it joins comes to the others', async () => {
		for (const d of [a, b, c])
			await becomes(async () => d.ctl(['app', 'list'])
				.map((x) => x.id).sort(), ['42', '999']);
	});

	test('created, changed, rotated, disabled, deleted: known at the prompt',
		async () => {
			const app = a.app({ max_connections: '5' },
				{ id: '7', key: 'k7', secret: SECRET, name: 'seven' });
			for (const d of [b, c]) {
				await connects(d, app);
				assert.deepEqual(show(d), show(a));
			}
			b.ctl(['app', 'set', '7', 'name=other', 'client_events=on']);
			assert.equal(show(a).name, 'other');
			assert.equal(show(c).client_events, true);
			c.ctl(['app', 'rotate-key', '7', '--overlap', '3600']);
			const now = show(c);
			assert.notEqual(now.key, app.key);
			for (const d of [a, b]) {
				assert.equal(show(d).secret, now.secret);
				for (const one of [app, now]) {
					await connects(d, one);
					await get(d, one, '/channels');
				}
			}
			a.ctl(['app', 'disable', '7']);
			await refused(b, app, 4003);
			b.ctl(['app', 'enable', '7']);
			await connects(c, app);
			const x = await Client.connect(c, app);
			b.ctl(['app', 'delete', '7', '--yes']);
			await x.expectFatal(4001);
			for (const d of [a, c]) {
				await refused(d, app, 4001);
				assert.equal(d.ctlRaw(['app', 'show', '7']).code, 1);
			}
			a.app({}, { id: '7', key: 'k7b', secret: SECRET, name: 'new' });
			assert.equal(show(c).key, 'k7b');
		});

	test('webhooks are those of all hosts', async () => {
		a.ctl(['webhook', 'add', '7', 'https://hooks.example/1',
			'--header', 'X-A: b']);
		a.ctl(['webhook', 'add', '7', 'https://hooks.example/2',
			'--events', 'member_added']);
		const list = (d) => d.ctl(['webhook', 'list', '7']);
		for (const d of [b, c])
			assert.deepEqual(list(d).map((h) => h.url),
				list(a).map((h) => h.url));
		const [w] = list(b);
		b.ctl(['webhook', 'set', String(w.webhook), 'enabled=off']);
		assert.deepEqual(list(c).map((h) => h.enabled), [false, true]);
		b.ctl(['webhook', 'remove', String(w.webhook)]);
		for (const d of [a, b, c])
			assert.deepEqual(list(d).map((h) => h.url),
				['https://hooks.example/2']);
	});

	test('many at once: an import', async () => {
		const apps = Array.from({ length: 50 }, (_, i) => ({ id: `i${i}`,
			key: `ik${i}`, secret: SECRET, name: `i${i}` }));
		a.ctl(['app', 'import', '--from', 'pusherd', '-'],
			JSON.stringify(apps));
		for (const d of [b, c])
			assert.equal(d.ctl(['app', 'list']).length, 53);
	});

	test('a new host is ready when it knows all apps', async () => {
		const e = host(redis, 'e');
		for (const d of [a, b, c]) d.allow(/host e is gone/);
		await e.start();
		await becomesReady(e);
		await connects(e, { id: 'i49', key: 'ik49' });
		await e.stop();
	});

	test('two hosts change one app at the same time: all have one of both',
		async () => {
			for (let i = 0; i < 5; i++) {
				const r = await Promise.all([a, b].map((d, n) =>
					d.ctlAsync(['app', 'set', '7', `name=n${i}${n}`,
						`max_connections=${n}`])));
				r.forEach((x) => assert.equal(x.code, 0, x.err));
				await becomes(async () => new Set([a, b, c].map((d) =>
					JSON.stringify(show(d)))).size, 1);
				assert.match(show(a).name, new RegExp(`^n${i}`));
				assert.equal(show(a).name, `n${i}${show(a).max_connections}`);
			}
		});

	test('a host that was away catches up, also with what was done there',
		async () => {
			c.signal('SIGTERM');
			await c.exited;
			a.ctl(['app', 'set', '7', 'name=while-away']);
			a.ctl(['app', 'delete', 'i1', '--yes']);
			// Here the server does not run; the cluster has other values.
			assert.match(c.ctlRaw(['app', 'set', '7', 'name=lost']).err,
				/pusherd is not running: when it starts, its cluster's version of an app replaces this one/);
			c.ctl(['app', 'set', 'i1', 'name=lost']);
			c.app({}, { id: 'c1', key: 'kc1', secret: SECRET, name: 'c1' });
			const n = joins(c);
			c.exit = null;
			await c.start();
			await joined(c, n + 1);
			await becomes(async () => show(c).name, 'while-away');
			assert.equal(c.ctlRaw(['app', 'show', 'i1']).code, 1);
			for (const d of [a, b])
				await becomes(async () => d.ctlRaw(['app', 'show', 'c1']).code,
					0);
			assert.equal(show(a).name, 'while-away');
			await connects(b, { id: 'c1', key: 'kc1' });
		});

	test('a stopped host: the prompt says which one does not answer',
		async () => {
			c.signalAll('SIGSTOP');
			const made = a.ctlAsync(['app', 'set', '7', 'name=stopped']);
			setTimeout(() => c.signalAll('SIGCONT'), 3000);
			const r = await made;
			assert.equal(r.code, 0, r.err);
			assert.equal(show(c).name, 'stopped');
		});

	test('Redis away: nothing is changed; empty: the apps stay', async () => {
		for (const d of [a, b, c]) d.allow(...TROUBLES);
		await redis.stop();
		await becomes(async () => status(a).state, 'away');
		const r = a.ctlRaw(['app', 'set', '7', 'name=away']);
		assert.equal(r.code, 1);
		assert.match(r.err, /nothing was changed.*cluster is away here/);
		assert.equal(show(a).name, 'stopped');
		await redis.start();
		for (const d of [a, b, c])
			await becomes(async () => [status(d).state, hosts(d).length],
				['up', 3], 20000);
		for (const d of [a, b, c])
			assert.equal(d.ctl(['app', 'list']).length, 53);
		b.ctl(['app', 'set', '7', 'name=back']);
		for (const d of [a, c]) assert.equal(show(d).name, 'back');
	});
});
