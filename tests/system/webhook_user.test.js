// SPDX-License-Identifier: MIT
//
// The outbox belongs to the user whom pusherd becomes, whoever looks into it,
// daemon or not.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Receiver } = require('./lib/receiver');

const NOBODY = 65534;

test('the outbox of another user, with and without the daemon', async (t) => {
	if (process.getuid() !== 0) return t.skip('only root becomes another');
	const conf = { workers: 1, user: 'nobody', webhook_allow_private: 'on' };
	const d = new Daemon(conf);
	let well = false;
	const r = await Receiver.start({ answer: (req, res) => {
		res.statusCode = well ? 200 : 503;
		res.end();
	} });
	const file = path.join(d.dir, 'outbox.db');
	const owners = () => fs.readdirSync(d.dir)
		.filter((f) => f.startsWith('outbox.db'))
		.map((f) => fs.statSync(path.join(d.dir, f)))
		.map((s) => [s.uid, s.mode & 0o777]);
	const rows = () => d.ctl(['webhook', 'deliveries']);
	const again = new Daemon(conf);
	try {
		const app = d.app();
		fs.chownSync(d.dir, NOBODY, NOBODY);
		for (const f of fs.readdirSync(d.dir))
			fs.chownSync(path.join(d.dir, f), NOBODY, NOBODY);
		// Before there is a daemon.
		const [{ webhook }] = d.ctl(['webhook', 'add', app.id, r.url]);
		assert.deepEqual(rows(), []);
		assert.ok(!fs.existsSync(file), 'looking makes no file');
		await d.start();
		const c = await Client.connect(d, app);
		await c.subscribe('room');
		await until('a try', () => rows()[0]?.attempts > 0);
		owners().forEach((o) => assert.deepEqual(o, [NOBODY, 0o600]));
		assert.ok(owners().length >= 2, 'a write-ahead log');
		await c.close();
		const { dir } = d;
		d.remove = () => {};
		await d.stop();
		// While it is down, by root.
		assert.equal(rows()[0].state, 'waiting');
		assert.deepEqual(d.ctl(['webhook', 'retry', String(webhook)]),
			[{ retried: 0 }]);
		owners().forEach((o) => assert.deepEqual(o, [NOBODY, 0o600]));
		well = true;
		fs.rmSync(again.dir, { recursive: true });
		Object.assign(again, { dir, conf: d.conf });
		await again.start();
		await until('it arrives', () => rows().some((x) =>
			x.state === 'done'), 15000);
		await again.stop();
	} catch (e) {
		for (const x of [d, again]) if (x.child) x.kill();
		throw e;
	} finally {
		await r.stop();
	}
	return undefined;
});
