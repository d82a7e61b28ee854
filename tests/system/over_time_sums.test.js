// SPDX-License-Identifier: MIT
//
// Statistics over time say what the counters of GET /metrics say, also when
// workers and the courier die, when an app is deleted, and when the disk is
// full.  A graceful stop writes the minute that runs, so that nothing here
// waits for the end of one.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { until } = require('./lib/daemon');
const { Http } = require('./lib/http');
const { Receiver } = require('./lib/receiver');
const { enter, newId, open } = require('./lib/resume');
const { counted, scrape, settled, stored, withDaemon } =
	require('./lib/statistics');

// Over a connection of its own: a worker may be dead.
async function publish(d, app, n = 1) {
	const h = await Http.connect(d);
	for (let i = 0; i < n; i++) {
		const r = await h.api(app, 'POST', '/events',
			{ body: { name: 'e', channel: 'room', data: '{}' } });
		assert.equal(r.status, 200, r.text);
	}
	h.sock.destroy();
}

async function kill(d, role) {
	const [pid] = d.pidsOf(role);
	process.kill(pid, 'SIGKILL');
	await until(`another ${role}`, () => !d.pidsOf(role).includes(pid) &&
		d.ctlRaw(['-j', 'status']).code === 0, 20000);
}

const OPEN = { workers: 2, metrics_listen: '127.0.0.1:0',
	webhook_allow_private: 'on' };

test('the sums are those of the counters, whatever dies', () =>
	withDaemon(OPEN, async (d) => {
		const app = d.app({ resume: 'on', client_events: 'on' });
		const other = d.app();
		let refusals = 1;
		const receiver = await Receiver.start({ answer: (req, res) => {
			res.writeHead(refusals-- > 0 ? 500 : 200).end();
		} });
		d.allow(/worker|courier|link/);
		await d.start();
		d.ctl(['webhook', 'add', app.id, receiver.url,
			'--events', 'channel_occupied']);
		const clients = [await Client.connect(d, app),
			await Client.connect(d, other), await open(d, app, newId())];
		await enter(clients[2], 'room');
		for (const c of clients.slice(0, 2)) await c.subscribe('room');
		await publish(d, app, 3);
		await publish(d, other, 2);
		await Promise.all(clients.map((c) => c.expect('e')));
		await clients[0].sync();
		d.ctl(['publish', app.id, 'room', 'e', '{}']);
		const h = await Http.connect(d);
		assert.equal((await h.api(app, 'GET', '/nothing')).status, 404);
		await until('the webhook to arrive', () => receiver.hooks.length >= 2);
		await until('its numbers', async () => {
			const m = await scrape(d);
			return counted(m, app).webhooks_ok >= 1 && m.value(
				'pusherd_delivery_confirmed_seconds_count',
				{ app: app.id }) >= 1;
		});
		await kill(d, 'worker');
		await kill(d, 'courier');
		await publish(d, app);
		h.sock.destroy();
		for (const c of clients) c.destroy();
		const more = await Client.several(d, app, 4);
		await closeAll(more);
		const m = await settled(d);
		d.signal('SIGTERM');
		await d.exited;
		receiver.server.closeAllConnections();
		receiver.server.close();
		for (const who of [app, other, null])
			for (const step of ['1m', '1h', '1d'])
				assert.deepEqual(stored(d, who, step).sums,
					counted(m, who), `${who?.id} ${step}`);
		const { rows, sums } = stored(d, app);
		assert.ok(sums.published >= 5 && sums.webhooks_failed === 1);
		assert.equal(sums.closed, sums.closed_normal + sums.closed_lost +
			sums.closed_busy + sums.closed_reconnect + sums.closed_error);
		assert.ok(rows.some((r) => r.confirmed_p50_us > 0 &&
			r.confirmed_p99_us >= r.confirmed_p50_us));
	}));

test('an app is deleted: its last minute is written, and can be read', () =>
	withDaemon(OPEN, async (d) => {
		const app = d.app({}, { id: 'gone', name: 'shop' });
		await d.start();
		const clients = await Client.several(d, app, 4);
		for (const c of clients) await c.subscribe('room');
		await publish(d, app);
		await Promise.all(clients.map((c) => c.expect('e')));
		d.ctl(['app', 'delete', '--yes', 'gone']);
		for (const c of clients) {
			await c.expect('pusher:error');
			await c.expectClose(4001);
		}
		await settled(d);
		d.signal('SIGTERM');
		await d.exited;
		const { sums } = stored(d, app);
		assert.equal(sums.opened, 4);
		assert.equal(sums.closed_error, 4);
		assert.equal(sums.delivered, 4);
		// Its name belongs to another app now, and its id to nobody.
		d.app({}, { id: 'new', key: 'new', name: 'gone' });
		assert.equal(stored(d, { id: 'gone' }).sums.opened, 0);
		d.ctl(['app', 'delete', '--yes', 'new']);
		assert.equal(stored(d, { id: 'gone' }).sums.opened, 4);
		assert.match(d.ctlRaw(['stats', 'never', '--since', '1h']).err,
			/no app has the id/);
	}));

test('a full disk: the server stops as ever, and says what is missing', () =>
	withDaemon(OPEN, async (d) => {
		const app = d.app();
		d.allow(/statistics over time are dropped: .*(full|I\/O)/);
		await d.start();
		execFileSync('prlimit', ['--pid', d.pidsOf('courier')[0],
			'--fsize=8192']);
		await publish(d, app);
		d.signal('SIGTERM');
		await d.exited;
		assert.match(d.readLog(), /statistics over time are dropped/);
	}));
