// SPDX-License-Identifier: MIT
//
// The file of the outbox: two servers that use one, a file that is deleted,
// replaced or damaged under the courier's hands, and a database that is made
// anew.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { Client } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { Receiver } = require('./lib/receiver');

const status = (d) => d.ctl(['status'])[0].webhooks;
const rooms = (r) => r.events.filter((e) => e.name === 'channel_occupied')
	.map((e) => e.channel);

async function enter(d, app, names) {
	const c = await Client.connect(d, app);
	for (const n of names) await c.subscribe(n);
	return c;
}

for (const deleted of [false, true])
	test('L8: the second server on one database says who has the outbox, and ' +
	`takes over${deleted ? '; the lock file is deleted' : ''}`, async () => {
		const b = new Daemon({ workers: 1, webhook_allow_private: 'on' });
		const a = new Daemon({ workers: 1, webhook_allow_private: 'on',
			database: b.conf.database });
		const app = a.app();
		await a.start();
		const r = await Receiver.start();
		b.allow(/belongs to the courier of another/);
		try {
			a.ctl(['webhook', 'add', app.id, r.url]);
			const ca = await enter(a, app, ['room-a']);
			await r.have(1);
			const [pid] = a.pidsOf('courier');
			if (deleted)
				fs.rmSync(path.join(path.dirname(a.conf.database),
					'outbox.db.lock'));
			await b.start();
			const cb = await enter(b, app, ['room-b']);
			await until('the sentence', () => {
				const w = status(b);
				return w.state === 'stuck' && w.trouble.includes(deleted ?
					'its lock file was deleted' :
					`pid ${pid}, runtime_dir ${a.conf.runtime_dir}`);
			});
			assert.match(b.readLog(), /webhooks wait: .*two servers use one/);
			assert.deepEqual(rooms(r), ['room-a']);
			await ca.close();
			await a.stop();
			await until('the rest', () => rooms(r).includes('room-b'), 15000);
			await until('all well', () => status(b).state === 'up');
			await cb.close();
			await b.stop();
			assert.equal(new Set(rooms(r)).size, rooms(r).length, 'none twice');
		} catch (e) {
			a.kill();
			b.kill();
			throw e;
		} finally {
			await r.stop();
		}
	});

// Rooms wait in the outbox while harm is done to its file.
async function withHarm(harm, why) {
	const d = new Daemon({ workers: 1, webhook_allow_private: 'on' });
	const app = d.app();
	const sick = { well: false };
	d.allow(/webhooks wait: |courier was killed|not kept on disk.*open files/,
		/statistics over time are dropped: .*open files/);
	await d.start();
	const r = await Receiver.start({ answer: (req, res) => {
		res.statusCode = sick.well ? 200 : 503;
		res.end();
	} });
	try {
		d.ctl(['webhook', 'add', app.id, r.url]);
		const c = await enter(d, app, ['one', 'two', 'three']);
		await until('they wait', () => status(d).waiting === 3);
		await harm(path.join(path.dirname(d.conf.database), 'outbox.db'), d);
		await until('it is noticed', () => why.test(status(d).trouble), 5000);
		await until('it goes on', () => status(d).state === 'up');
		assert.equal(status(d).waiting, 3);
		await c.subscribe('four');
		await until('four wait', () => status(d).waiting === 4);
		process.kill(d.pidsOf('courier')[0], 'SIGKILL');
		sick.well = true;
		await until('all arrive', () => ['one', 'two', 'three', 'four'].every(
			(x) => rooms(r).includes(x)), 20000);
		// A request that was refused often waits the longest for its next try.
		await until('nothing waits', () => status(d).waiting === 0, 60000);
		await c.close();
		await d.stop();
	} catch (e) {
		d.kill();
		throw e;
	} finally {
		await r.stop();
	}
}

test('T4: the outbox is deleted while it is in use', () => withHarm((f) => {
	for (const end of ['', '-wal', '-shm'])
		fs.rmSync(f + end, { force: true });
}, /was deleted or replaced/));

test('T4: only the main file is deleted', () => withHarm((f) => fs.rmSync(f),
	/was deleted or replaced/));

test('T4: another file is put in its place', () => withHarm((f) => {
	fs.writeFileSync(`${f}.x`, 'something else', { mode: 0o600 });
	fs.renameSync(`${f}.x`, f);
}, /was deleted or replaced/));

test('T4: the file is cut off', () => withHarm((f) => fs.truncateSync(f, 0),
	/was cut off/));

test('T8: the outbox is deleted while no descriptor is free to save it', () =>
	withHarm(async (f, d) => {
		const limit = (n) => execFileSync('prlimit',
			['--pid', String(d.pidsOf('courier')[0]), `--nofile=${n}:`]);
		limit(3);
		fs.rmSync(f);
		await until('it to be told', () =>
			/no free descriptor/.test(status(d).trouble));
		await sleep(2500);
		limit(500);
	}, /was deleted or replaced/));
