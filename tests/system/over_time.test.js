// SPDX-License-Identifier: MIT
//
// Statistics over time: a minute is in stats.db once, whatever dies around its
// end, and pusherctl reads it with and without a daemon.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { api } = require('./lib/http');

const sum = (rows, key) => rows.reduce((n, r) => n + r[key], 0);

test('a minute is written once, though courier and broker die', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app();
	const file = path.join(d.dir, 'stats.db');
	const read = (...args) => d.ctl(['stats', ...args, '--since', '30m']);
	d.allow(/broker|courier|link|statistics/);
	await d.start();
	await d.run(async () => {
		// All of it belongs to one minute.  The broker notices within a second
		// that one has ended.
		while (Date.now() % 60000 > 45000 || Date.now() % 60000 < 2000)
			await sleep(500);
		const minute = Math.floor(Date.now() / 60000) * 60;
		fs.writeFileSync(file, 'no SQLite '.repeat(900), { mode: 0o600 });
		const clients = await Client.several(d, app, 3);
		for (const c of clients) await c.subscribe('room');
		for (let i = 0; i < 5; i++)
			await api(d, app, 'POST', '/events',
				{ body: { name: 'e', channel: 'room', data: '{}' } });
		await Promise.all(clients.map((c) => c.expect('e')));
		assert.match(d.ctlRaw(['stats', '--since', '30m']).err, /damaged/);
		fs.unlinkSync(file);
		assert.deepEqual(read('--step', '1m'), []);

		while (Date.now() < (minute + 57) * 1000) await sleep(500);
		const [courier] = d.pidsOf('courier');
		process.kill(courier, 'SIGSTOP');
		while (Date.now() < (minute + 62.5) * 1000) await sleep(200);
		process.kill(courier, 'SIGKILL');
		const rows = await until('the minute', () => {
			const all = read(app.id, '--step', '1m');
			return all.length > 0 && all;
		}, 20000);
		const check = (all) => {
			assert.equal(sum(all, 'opened'), 3);
			assert.equal(sum(all, 'published'), 5);
			assert.equal(sum(all, 'delivered'), 15);
			assert.equal(sum(all, 'api_2xx'), 5);
			assert.equal(Math.max(...all.map((r) => r.connections)), 3);
		};
		check(rows);
		assert.equal(rows[0].time, minute);
		assert.equal(rows[0].subscriptions, 3);
		assert.equal(rows[0].channels, 1);
		assert.ok(rows[0].connections_mean <= 3);
		await until('the server', () => read('--step', '1m').length > 0);
		const [broker] = d.pidsOf('broker');
		process.kill(broker, 'SIGKILL');
		await until('another broker', () => d.pidsOf('broker')[0] !== broker &&
			d.ctlRaw(['-j', 'status']).code === 0, 20000);
		await closeAll(clients);
		d.signal('SIGTERM');
		await d.exited;
		for (const who of [[], [app.id]])
			for (const step of ['1m', '1h', '1d'])
				check(read(...who, '--step', step));

		const csv = d.ctlRaw(['stats', app.id, '--step', '1h', '--csv']).out
			.trim().split('\n').map((l) => l.split(','));
		assert.equal(csv.length, 2);
		assert.equal(csv[1].length, csv[0].length);
		assert.equal(csv[1][csv[0].indexOf('published')], '5');
		for (const [args, why] of [
			[['--since', '3d', '--step', '1m'], /minutes are kept for 48 hours/],
			[['--since', '396d'], /kept for 395 days/],
			[['--since', 'soon'], /--since is a time like/],
			[['--since', '0h'], /--since is a time like/],
			[['--step', '2h'], /--step is 1m, 1h or 1d/],
			[['--step', '1h', '--hours', '2'], /either --minutes/]]) {
			const r = d.ctlRaw(['stats', ...args]);
			assert.equal(r.code, 2);
			assert.match(r.err, why);
		}
	});
});
