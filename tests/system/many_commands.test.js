// SPDX-License-Identifier: MIT
//
// Many commands at once, many apps, a master that does not answer, and the
// sentences that pusherctl says.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, SLOW, until } = require('./lib/daemon');

// pusherctl waits ten seconds for its answer, however slow the server is.
const CREATES = 200 / SLOW;
const RELOADS = Math.ceil(25 / SLOW);

describe('many commands', () => {
	const d = new Daemon({ workers: 2 });
	d.app();
	d.allow(/cannot read the apps: .*(locked|busy)/);
	before(() => d.start());
	after(() => d.stop());

	test(`T8: ${CREATES} app create at once: every one is confirmed`, async () => {
		const all = await Promise.all(Array.from({ length: CREATES }, (_, i) =>
			d.ctlAsync(['app', 'create', '--id', `${5000 + i}`])));
		for (const r of all)
			assert.deepEqual([r.code, r.err], [0, '']);
	});

	test(`T8: ${RELOADS} reloads at once: none is refused`, async () => {
		const all = await Promise.all(Array.from({ length: RELOADS }, () =>
			d.ctlAsync(['-j', 'reload'])));
		for (const r of all) {
			assert.deepEqual([r.code, r.err], [0, '']);
			assert.equal(JSON.parse(r.out).workers, 2);
		}
	});

	test('C9: an id that is not of digits', () => {
		const r = d.ctlRaw(['app', 'create', '--id', 'h5app']);
		assert.equal(r.code, 0);
		assert.match(r.err, /id h5app .*Python.*only digits/);
		assert.equal(d.ctlRaw(['app', 'create', '--id', '4711']).err, '');
	});

	test('C10: two apps of one name: both ids', () => {
		for (const id of ['71', '72'])
			d.ctl(['app', 'create', '--id', id, '--name', 'twin']);
		const r = d.ctlRaw(['app', 'show', 'twin']);
		assert.equal(r.code, 1);
		assert.match(r.err, /2 apps have the name "twin".*71, 72/);
		assert.match(d.ctlRaw(['app', 'show', 'none']).err,
			/no app has the id, the key or the name "none"/);
	});

	test('C10: status: the pid of the server and its addresses', () => {
		const [{ server }] = d.ctl(['status']);
		assert.equal(server.pid, d.child.pid);
		assert.match(server.addresses, new RegExp(`127.0.0.1:${d.port}`));
	});

	test('C10: a presence channel without CHANNEL_DATA', () => {
		const r = d.ctlRaw(['sign', '71', '1.1', 'presence-x']);
		assert.equal(r.code, 0);
		assert.match(r.err, /without CHANNEL_DATA.*signed in.*"user_id"/);
		assert.equal(d.ctlRaw(['sign', '71', '1.1', 'private-x']).err, '');
	});

	test('C10: a client in the terminal, and no server', () => {
		const none = new Daemon({ listen: '127.0.0.1:1' });
		const app = none.app();
		const r = none.ctlRaw(['subscribe', app.id, 'c']);
		assert.match(r.err, /127\.0\.0\.1:1: .* refused: start pusherd, or /);
		assert.equal(r.code, 3);
		none.remove();
	});

	test('C10: no sentence has the name of the program twice', () => {
		const wrong = [];
		for (const args of [['nonsense'], ['app', 'show'],
			['app', 'show', 'none'], ['app', 'set', 'none', 'x=1'],
			['app', 'set', '71', 'nonsense=1'], ['app', 'set', '71', 'x'],
			['app', 'create', '--id', '71'], ['app', 'import', '--from', 'x',
				'/'], ['app', 'import', '--from', 'soketi', '/none'],
			['webhook', 'show', 'x'], ['webhook', 'show', '99'],
			['webhook', 'add', '71', 'ftp://x'], ['webhook', 'test', '99'],
			['publish', 'none', 'c', 'e', '{}'], ['publish', '71', 'c'],
			['channel', 'show', '71', 'none'], ['config', 'nonsense'],
			['connections', 'kill', '1.1'], ['user', 'terminate', '71', ''],
			['-o', 'nonsense=1', 'status'], ['-c', '/none', 'app', 'show', 'none'],
			['-o', 'runtime_dir=/none',
				'status'],
			['-o', 'database=/none/x.db', 'app', 'list'],
			['explain', '9999'], ['stats', 'none'], ['log-level', 'x']]) {
			const r = d.ctlRaw(args);
			if (r.code === 0 || /pusherctl:.*pusherctl:/.test(r.err))
				wrong.push([args.join(' '), r.code, r.err]);
		}
		assert.deepEqual(wrong, []);
	});

	test('O17: 10,000 apps are imported in seconds', () => {
		const file = path.join(d.dir, 'apps.json');
		fs.writeFileSync(file, JSON.stringify(Array.from({ length: 10000 },
			(_, i) => ({ id: `${100000 + i}`, key: `many-${i}`,
				secret: `secret-of-${i}`, name: `name ${i % 7}` }))));
		const start = Date.now();
		const r = d.ctlRaw(['app', 'import', '--from', 'soketi', file]);
		assert.equal(r.code, 0, r.err);
		assert.ok(Date.now() - start < 15000 * SLOW, `${Date.now() - start}`);
		const again = Date.now();
		d.ctl(['app', 'create', '--name', 'one more']);
		assert.ok(d.ctl(['app', 'list']).length > 10000);
		assert.ok(Date.now() - again < 5000 * SLOW, `${Date.now() - again}`);
	});

	test('O17: an id or a key twice is still found', () => {
		const file = path.join(d.dir, 'twins.json');
		fs.writeFileSync(file, JSON.stringify([['1', 'a'], ['2', 'b'],
			['1', 'c'], ['4', 'b']].map(([id, key]) =>
			({ id, key, secret: 'secret' }))));
		const r = d.ctlRaw(['app', 'import', '--from', 'soketi', file]);
		assert.equal(r.code, 1);
		assert.match(r.out, /app 1 of the file has the same id/);
		assert.match(r.out, /app 2 of the file has the same key/);
	});

	test('T8: drain while the master is stopped: the answer is true',
		async () => {
			process.kill(d.child.pid, 'SIGSTOP');
			let r;
			try {
				r = await d.ctlAsync(['drain', '--time', '2']);
			} finally {
				process.kill(d.child.pid, 'SIGCONT');
			}
			assert.equal(r.code, 1);
			assert.match(r.err, /does not answer/);
			assert.match(r.err, /runs it when it continues/);
			await until('the end', () => d.exit);
		});
});

test('C10: drain twice, and a worker more', async () => {
	const d = new Daemon({ workers: 1 });
	const file = path.join(d.dir, 'c.conf');
	fs.writeFileSync(file, 'workers 1\n');
	delete d.conf.workers;
	const app = d.app();
	await d.start(['-c', file]);
	fs.writeFileSync(file, 'workers 2\n');
	const up = await d.ctlAsync(['reload']);
	assert.equal(up.code, 0, up.err);
	await until('the new worker', () =>
		/worker 1: ready pid=/.test(d.readLog()));
	assert.doesNotMatch(d.readLog(), /the one before/);
	const c = await Client.connect(d, app);
	await c.subscribe('a');
	assert.equal((await d.ctlAsync(['drain', '--time', '3'])).code, 0);
	const r = await d.ctlAsync(['drain', '--time', '3']);
	assert.notEqual(r.code, 0);
	assert.match(r.err, /stopping|not running/);
	assert.doesNotMatch(r.err, /reset/);
	await until('the end', () => d.exit);
	await d.stop();
});
