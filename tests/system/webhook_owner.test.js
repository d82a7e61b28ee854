// SPDX-License-Identifier: MIT
//
// The database is replaced while webhooks wait: what waits for an app is never
// sent to the app that has its number then, nor signed with its key.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { Receiver } = require('./lib/receiver');

const status = (d) => d.ctl(['status'])[0].webhooks;
const dead = (d) => d.ctl(['webhook', 'deliveries', '--state', 'dead']);
const channels = (r) => r.events.map((e) => `${e.name} ${e.channel}`);

// Two rooms of an app wait for an endpoint that refuses them.
async function waiting(fn) {
	const d = new Daemon({ workers: 1, webhook_allow_private: 'on' });
	const first = d.app({}, { id: '901' });
	d.allow(/belong to another|killed by signal 9|link to the broker lost/);
	await d.start();
	const bad = await Receiver.start({ answer: (req, res) => {
		res.statusCode = 503;
		res.end();
	} });
	const good = await Receiver.start();
	try {
		d.ctl(['webhook', 'add', first.id, bad.url]);
		const c = await Client.connect(d, first);
		await c.subscribe('secret-1');
		await c.subscribe('secret-2');
		await until('both wait', () => status(d).waiting === 2);
		await fn({ d, first, bad, good, c });
		await d.stop();
	} catch (e) {
		d.kill();
		throw e;
	} finally {
		await bad.stop();
		await good.stop();
	}
}

// Another database takes the place, with an app of that number and, if it has
// a URL, an endpoint of that number.
function replace(d, url, id = '902') {
	const { database } = d.conf;
	fs.renameSync(database, `${database}.old`);
	const other = new Daemon({ ...d.conf, runtime_dir:
		path.join(d.dir, 'nobody') });
	const app = other.app({}, { id, key: 'key-2', secret: 'secret-2' });
	if (url) other.ctl(['webhook', 'add', id, url]);
	other.remove?.();
	return app;
}

for (const [how, id] of [['a reload', '902'], ['a reload', '901'],
	['a new broker', '902'], ['a restart', '902']])
	test(`T2: another database with ${how}, app ${id} instead of 901`, () =>
		waiting(async ({ d, good, c }) => {
			let app;
			if (how === 'a restart') {
				await c.close();
				const again = new Daemon({ ...d.conf });
				d.signal('SIGTERM');
				await d.exited;
				app = replace(d, good.url, id);
				d.exit = null;
				await d.start();
				again.stopped = true;
			} else {
				app = replace(d, good.url, id);
				const [pid] = d.pidsOf('broker');
				if (how === 'a reload')
					assert.equal((await d.ctlAsync(['reload'])).code, 0);
				else
					process.kill(pid, 'SIGKILL');
			}
			await until('dead letters', () => dead(d).length === 2, 20000);
			const n = await until('the other app', () =>
				Client.connect(d, app).catch(() => null));
			await n.subscribe('room');
			await until('its own webhook', () => good.hooks.length > 0);
			for (const h of good.hooks) good.check(h, app);
			assert.deepEqual([...new Set(channels(good))],
				['channel_occupied room']);
			assert.match(dead(d)[0].answer, /belongs to another/);
			assert.match(d.readLog(), /belong to another/);
			d.ctl(['webhook', 'retry', '1']);
			await until('dead letters again', () => dead(d).length === 2);
			assert.equal(good.hooks.length, 1);
			await n.close();
		}));

test('T2: a database without endpoints, and rows without an owner', () =>
	waiting(async ({ d, good, c }) => {
		const file = path.join(d.dir, 'outbox.db');
		const sql = (text) => execFileSync('python3', ['-c', 'import sqlite3,' +
			`sys; c = sqlite3.connect(sys.argv[1]); c.execute("${text}");` +
			'c.commit()', file]);
		sql("update requests set owner = ''");
		await until('they are adopted', () => execFileSync('python3', ['-c',
			'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(' +
			'"select count(*) from requests where length(owner) = 36")' +
			'.fetchone()[0])', file], { encoding: 'utf8' }).trim() === '2');
		replace(d, null);
		assert.equal((await d.ctlAsync(['reload'])).code, 0);
		await until('dead letters', () => dead(d).length === 2);
		assert.equal(good.hooks.length, 0);
		c.destroy();
	}));
