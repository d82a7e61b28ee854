// SPDX-License-Identifier: MIT
//
// A broker that dies while the database cannot be read: the next one has the
// apps that were read last, and reads the database when that is possible.
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const fs = require('node:fs');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { Client } = require('./lib/client');
const { Daemon, environment, options, PUSHERCTL, sleep, until } =
	require('./lib/daemon');
const { publish } = require('./lib/http');

const SOON = 5000; // ms; most of it is for a slow machine
const LOCKED = 8000;

// Holds the write lock; the function that gives it back.
async function lock(file) {
	const p = spawn('sqlite3', [file], { stdio: ['pipe', 'pipe', 'inherit'] });
	p.stdin.write('BEGIN EXCLUSIVE;\n.print locked\n');
	await new Promise((ok) => p.stdout.once('data', ok));
	for (const x of [p, p.stdin, p.stdout]) x.unref(); // a test may fail
	return () => {
		p.ref();
		p.stdin.end('ROLLBACK;\n');
		return new Promise((ok) => p.on('exit', ok));
	};
}

const SPOIL = {
	locked: [/busy/, async (file) => {
		const unlock = await lock(file);
		const began = Date.now();
		return async () => {
			await until('8 s', () => Date.now() - began > LOCKED);
			await unlock();
		};
	}],
	'locked and of journal_mode WAL': [/busy/, async (file, d) => {
		execFileSync('sqlite3', [file, 'PRAGMA journal_mode = WAL']);
		assert.equal(d.ctlRaw(['reload']).code, 0); // it is read so
		const p = spawn('sqlite3', [file],
			{ stdio: ['pipe', 'pipe', 'inherit'] });
		// In this mode readers wait only for one who does not share.
		p.stdin.write('PRAGMA locking_mode = EXCLUSIVE;\n' +
			'BEGIN EXCLUSIVE;\n.print locked\n');
		await new Promise((ok) => p.stdout.on('data', (b) => {
			if (/locked/.test(b)) ok();
		}));
		return () => new Promise((ok) => {
			p.on('exit', ok);
			p.stdin.end('ROLLBACK;\n');
		});
	}],
	damaged: [/damaged/, (file) => {
		const good = fs.readFileSync(file);
		fs.writeFileSync(file, Buffer.alloc(good.length, 'x'));
		return () => fs.writeFileSync(file, good);
	}],
	'cut to nothing': [/schema 0/, (file) => {
		const good = fs.readFileSync(file);
		fs.truncateSync(file, 0);
		return () => fs.writeFileSync(file, good);
	}],
	gone: [/there is no database/, (file) => {
		fs.renameSync(file, `${file}.away`);
		return () => fs.renameSync(`${file}.away`, file);
	}],
};

async function killBroker(d) {
	const [old] = d.pidsOf('broker');
	process.kill(old, 'SIGKILL');
	await until('a new broker', () => {
		const now = d.pidsOf('broker');
		return now.length === 1 && now[0] !== old;
	});
}

const resyncs = (d) => d.readLog().split('resync: complete').length - 1;

for (const [how, [says, spoil]] of Object.entries(SPOIL))
	test(`L5: the database is ${how} while a broker starts`, async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app();
		d.allow(/killed by signal 9|link to the broker lost/,
			/cannot read the database/, /cannot read the apps/,
			/reload: incomplete/);
		await d.start();
		const later = d.app(); // the broker is told of it
		const no = d.app();
		d.ctl(['app', 'delete', '--yes', no.id]);
		const old = await Client.connect(d, app);
		await old.subscribe('room');
		const mend = await spoil(d.conf.database, d);
		const began = Date.now();
		for (let i = 1; i <= 2; i++) { // also one that follows such a one
			const n = resyncs(d);
			await killBroker(d);
			await until('it goes on', () => resyncs(d) > n, SOON);
		}
		for (const a of [app, later]) {
			const c = await Client.connect(d, a);
			await c.subscribe('room');
			await publish(d, a, 'room', 'e', a.id);
			assert.equal(await c.expect('e', 'room'), a.id);
			await c.close();
		}
		assert.equal(await old.expect('e', 'room'), app.id);
		if (how === 'locked')
			assert.ok(Date.now() - began < LOCKED, 'while it is locked');
		const gone = new Client(d, `/app/${no.key}?protocol=7`);
		await gone.upgraded();
		await gone.expectFatal(4001);
		const r = d.ctlRaw(['reload']);
		assert.equal(r.code, 1, r.out);
		assert.match(r.err, says);
		await mend();
		await until('the database is read', () =>
			/the database can be read again/.test(d.readLog()));
		assert.equal(d.ctlRaw(['reload']).code, 0);
		const fresh = d.app();
		await (await Client.connect(d, fresh)).close();
		await old.close();
		await d.stop();
	});

test('a command that waits for the database says so in a terminal', async () => {
	const d = new Daemon();
	d.app();
	const unlock = await lock(d.conf.database);
	const p = spawn('script', ['-qec', [PUSHERCTL, ...options(d.conf), 'app',
		'create', '--id', '77'].join(' '), '/dev/null'],
	{ env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
	let out = '';
	p.stdout.on('data', (b) => { out += b; });
	const ended = once(p, 'close');
	await until('the note', () => /apps\.db is busy with another process: waiting, for at most 60 s/.test(out));
	assert.doesNotMatch(out, /77/);
	await unlock();
	assert.equal((await ended)[0], 0);
	assert.match(out, /id.*77/);
	assert.equal(out.match(/busy/g).length, 1, 'once');
	d.remove();
});

test('L5: the database is locked for 5 s when the server starts', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app();
	d.allow(/waiting for the database/);
	const unlock = await lock(d.conf.database);
	const began = Date.now();
	const ready = d.start();
	await until('it to wait', () =>
		/waiting for the database/.test(d.readLog()));
	await until('5 s', () => Date.now() - began > 5000);
	assert.doesNotMatch(d.readLog(), /ready: listening/);
	await unlock();
	await ready;
	const says = d.readLog().match(/waiting for the database[^"]*/g);
	assert.equal(says.length, 1, 'once');
	assert.match(says[0], /is busy with another process/);
	const c = await Client.connect(d, app);
	await c.close();
	await d.stop();
});

// Free for a moment only, now and then: the master may get it, and the broker
// not; each of them waits.
test('L5: the database is locked again and again while the server starts',
	async () => {
		const d = new Daemon({ workers: 2 });
		const app = d.app();
		d.allow(/waiting for the database/);
		let unlock = await lock(d.conf.database);
		const locks = (async () => {
			for (let i = 0; i < 6; i++) {
				await sleep(700);
				await unlock();
				await sleep(i * 10);
				unlock = await lock(d.conf.database).catch(() => () => {});
			}
			await unlock();
		})();
		await d.start();
		const c = await Client.connect(d, app);
		await c.close();
		await locks;
		assert.doesNotMatch(d.readLog(), /broker (ended|was killed|exited)/);
		await d.stop();
	});

test('L5: a stop ends a server that waits for its database', async () => {
	const d = new Daemon();
	d.app();
	d.allow(/waiting for the database/);
	const unlock = await lock(d.conf.database);
	d.spawn();
	await until('it waits', () => /waiting for/.test(d.readLog()));
	d.signal('SIGTERM');
	await d.exited;
	await unlock();
	d.remove();
});

// For this process the kernel drops signals that have no handler.
test('L5: a stop ends the first process of a container, which waits likewise',
	async () => {
		const d = new Daemon();
		d.app();
		d.wrap = ['unshare', ...(process.getuid() === 0 ? [] :
			['--user', '--map-root']), '--pid', '--fork', '--kill-child'];
		for (const sig of ['SIGTERM', 'SIGINT', 'SIGQUIT']) {
			const unlock = await lock(d.conf.database);
			fs.rmSync(path.join(d.dir, 'log'), { force: true });
			d.spawn();
			await until('it waits', () => /waiting for/.test(d.readLog()));
			const { pid } = d.child;
			process.kill(Number(fs.readFileSync(
				`/proc/${pid}/task/${pid}/children`, 'utf8')), sig);
			await d.end(5000);
			await unlock();
		}
		d.remove();
	});

// The master has 30 s of patience at the start.  It finds the database free
// here, and the broker does not: the lock comes between, if need be in another
// try.  This one waits beside the tests above.
async function lockedForTheBroker(began) {
	const d = new Daemon({ workers: 1 });
	const app = d.app();
	const p = spawn('sqlite3', [d.conf.database],
		{ stdio: ['pipe', 'ignore', 'ignore'] });
	p.stdin.write('SELECT count(*) FROM sqlite_master;\n');
	d.spawn();
	await until('the master has read it', () =>
		/descriptors:/.test(d.readLog()) || d.exit);
	for (let i = 0; i < 50; i++) p.stdin.write('BEGIN EXCLUSIVE;\n');
	await until('one of both', () =>
		/waiting for the database|ready: listening/.test(d.readLog()));
	if (/"broker","msg":"apps: waiting/.test(d.readLog()))
		return { d, app, p, began };
	p.stdin.end('ROLLBACK;\n');
	d.allow(/waiting for the database/);
	d.kill();
	await d.exited.catch(() => {});
	d.remove();
	return lockedForTheBroker(began);
}
const longStart = lockedForTheBroker(Date.now());

test('L5: the database is locked for longer than a start may take', async () => {
	const { d, app, p, began } = await longStart;
	d.allow(/waiting for the database/);
	await until('36 s', () => Date.now() - began > 36000, 40000);
	assert.ok(!d.exit, d.readLog());
	p.stdin.end('ROLLBACK;\n');
	await until('it is ready', () => /ready: listening/.test(d.readLog()));
	d.port = Number(/ready: listening on [^ ]*:(\d+)/.exec(d.readLog())[1]);
	await (await Client.connect(d, app)).close();
	await d.stop();
});
