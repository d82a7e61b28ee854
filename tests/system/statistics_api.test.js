// SPDX-License-Identifier: MIT
//
// GET /apps/{id}/stats: the rows of pusherctl stats, of this app only, and no
// tenant waits for what another one asks.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { api } = require('./lib/http');

const now = () => Math.floor(Date.now() / 1000);
const ask = (d, app, query, how = {}) =>
	api(d, app, 'GET', '/stats', { query, ...how });

// A daemon that has stopped once: a graceful stop writes the running minute.
async function withRows(run) {
	const d = new Daemon({ workers: 2 });
	const apps = [d.app(), d.app(), d.app()];
	await d.run(async () => {
		await d.start();
		const clients = await Client.several(d, apps[0], 2);
		for (const [app, n] of [[apps[0], 3], [apps[1], 2]])
			for (let i = 0; i < n; i++)
				await api(d, app, 'POST', '/events',
					{ body: { name: 'e', channel: 'room', data: '{}' } });
		await closeAll(clients);
		d.signal('SIGTERM');
		await d.exited;
		d.exit = null;
		await d.start();
		await until('the courier', async () =>
			(await ask(d, apps[0])).status === 200);
		await run(d, apps);
	});
}

// The courier is stopped: of five requests one is refused, so four wait there.
async function fourAndOneMore(d, app) {
	const answers = [];
	const all = Array.from({ length: 5 }, async () =>
		answers.push(await ask(d, app)));
	await until('a refusal', () => answers.length > 0);
	const [r] = answers;
	assert.equal(r.status, 429, r.text);
	assert.equal(r.headers['retry-after'], '1');
	assert.match(r.json.error, /has 4 requests .* that wait/);
	return () => Promise.all(all).then(() => answers.slice(1));
}

test('rows, CSV and refusals of GET /apps/{id}/stats', () =>
	withRows(async (d, [app, other, idle]) => {
		const rows = async (a, query) => {
			const r = await ask(d, a, query);
			assert.equal(r.status, 200, r.text);
			return r.json.rows;
		};
		const all = { minute: '1m', hour: '1h', day: '1d' };
		for (const [step, text] of Object.entries(all)) {
			const got = await rows(app, { step, from: now() - 7200 });
			assert.ok(got.length > 0);
			assert.equal(got.reduce((n, r) => n + r.published, 0), 3);
			assert.deepEqual(got, d.ctl(['stats', app.id, '--since', '2h',
				'--step', text]));
		}
		assert.equal((await rows(other))[0].published, 2);
		assert.deepEqual(await rows(idle, {}), []);
		assert.deepEqual(await rows(app,
			{ from: now() + 7200, to: now() + 9000 }), []);
		// The end is not in it.
		const [{ time }] = await rows(app, { step: 'minute' });
		assert.deepEqual(await rows(app,
			{ step: 'minute', from: time - 60, to: time }), []);
		assert.equal((await rows(app,
			{ step: 'minute', from: time + 59, to: time + 60 })).length, 1);

		const csv = await ask(d, app, { format: 'csv' });
		assert.equal(csv.headers['content-type'], 'text/csv; charset=utf-8');
		assert.equal(csv.text, d.ctlRaw(['stats', app.id, '--since', '24h',
			'--csv']).out);
		assert.equal((await ask(d, app, {},
			{ auth: { auth_signature: 'f'.repeat(64) } })).status, 401);
		assert.equal((await ask(d, { ...other, id: app.id })).status, 401);
		assert.equal((await api(d, app, 'POST', '/stats', { body: {} })).status,
			405);
		for (const [query, why] of [
			[{ step: 'week' }, /step is minute, hour or day, not week/],
			[{ from: 'yesterday' }, /from is a time in Unix seconds/],
			[{ to: '-1' }, /to is a time in Unix seconds/],
			[{ to: '99999999999999999999' }, /to is a time in Unix seconds/],
			[{ from: 5 }, /from=5 is too long ago: .* 395 days/],
			[{ from: now() - 49 * 3600, step: 'minute' },
				/minutes are kept for 48 hours/],
			[{ from: now() - 1501 * 60, step: 'minute' },
				/150[12] steps apart, and an answer has at most 1500 rows/],
			[{ from: now() + 5, to: now() + 5 }, /has to be before to/],
			[{ format: 'xml' }, /format is json or csv, not xml/]]) {
			const r = await ask(d, app, query);
			assert.equal(r.status, 400, r.text);
			assert.match(r.json.error, why);
		}
	}));

test('statistics of one app delay no other, and the courier may die', () =>
	withRows(async (d, [app, other]) => {
		d.allow(/courier|link|statistics cannot be read/);
		const [courier] = d.pidsOf('courier');
		process.kill(courier, 'SIGSTOP');
		const first = await fourAndOneMore(d, app);
		const another = ask(d, other);
		assert.equal((await api(d, app, 'POST', '/events',
			{ body: { name: 'e', channel: 'room', data: '{}' } })).status, 200);
		process.kill(courier, 'SIGCONT');
		for (const r of await first()) assert.equal(r.status, 200, r.text);
		assert.equal((await another).json.rows[0].published, 2);

		// It dies with questions.
		process.kill(courier, 'SIGSTOP');
		const lost = await fourAndOneMore(d, other);
		process.kill(courier, 'SIGKILL');
		for (const r of await lost()) {
			assert.equal(r.status, 503, r.text);
			assert.equal(r.headers['retry-after'], '1');
		}
		await until('another courier', async () =>
			(await ask(d, other)).status === 200, 20000);

		fs.writeFileSync(path.join(d.dir, 'stats.db'), 'no SQLite '.repeat(900));
		await until('the damage to be seen', async () => {
			const bad = await ask(d, other);
			if (bad.status !== 503) return false;
			assert.match(bad.json.error, /the log of the server says why/);
			return true;
		});
		assert.match(d.readLog(), /cannot be read: .*damaged/);
	}));
