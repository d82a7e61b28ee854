// SPDX-License-Identifier: MIT
//
// A reload says what it could not do, and where; and one can add workers and
// listeners whoever the server was started by.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const { Client } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');

test('T5: a worker that cannot take it is named, code 1', async () => {
	const d = new Daemon({ workers: 2 });
	const app = d.app();
	await d.start();
	d.allow(/reload: incomplete: worker [01]/, /worker [01].*signal [69]/,
		/worker [01]: stuck/);
	const [, pid] = d.pidsOf('worker');
	process.kill(pid, 'SIGSTOP');
	// The watchdog ends it before the reload gives up waiting.
	const r = await d.ctlAsync(['reload']);
	assert.equal(r.code, 1, r.out);
	assert.match(r.err, new RegExp(`worker [01].*pid ${pid}\\b`));
	await until('it to take the configuration', async () =>
		(await d.ctlAsync(['reload'])).code === 0);
	await (await Client.connect(d, app)).close();
	await d.stop();
});

test('the next broker numbers questions anew: each gets its own answer',
	async () => {
		const d = new Daemon({ workers: 2 });
		await d.start();
		d.allow(/reload: incomplete: (broker|worker [01])/, /stuck/,
			/(worker [01]|broker) was killed by signal [69]/,
			/link to the broker lost/, /resync: not every worker/,
			/events may be missing/);
		const [worker] = d.pidsOf('worker');
		const [broker] = d.pidsOf('broker');
		process.kill(worker, 'SIGSTOP');
		const first = d.ctlAsync(['reload']); // ends with the worker
		await until('it to begin', () => /reload: reading/.test(d.readLog()));
		process.kill(broker, 'SIGKILL');
		await until('another broker', () =>
			/broker: ready again/.test(d.readLog()));
		const second = await d.ctlAsync(['reload']);
		assert.equal(second.code, 0, second.err);
		assert.notEqual((await first).code, 0);
		await d.stop();
	});

for (const [what, spoil, mend] of [
	['is gone', (f) => fs.renameSync(f, `${f}.away`),
		(f) => fs.renameSync(`${f}.away`, f)],
	['is a directory', (f) => {
		fs.renameSync(f, `${f}.away`);
		fs.mkdirSync(f);
	}, (f) => { fs.rmdirSync(f); fs.renameSync(`${f}.away`, f); }],
	['is damaged', (f) => {
		fs.copyFileSync(f, `${f}.away`);
		fs.writeFileSync(f, 'no database'.repeat(1000));
	}, (f) => fs.renameSync(`${f}.away`, f)],
])
	test(`O16: the database ${what}: reload says so, code 1`, async () => {
		const d = new Daemon({ workers: 1 });
		const app = d.app();
		await d.start();
		d.allow(/reload: incomplete: broker: the apps are unchanged/,
			/cannot read the apps/);
		spoil(d.conf.database);
		const r = await d.ctlAsync(['reload']);
		assert.equal(r.code, 1, r.out);
		assert.match(r.err, /broker: the apps are unchanged.*apps\.db/);
		await (await Client.connect(d, app)).close();
		mend(d.conf.database);
		assert.equal((await d.ctlAsync(['reload'])).code, 0);
		await d.stop();
	});

// A port below 1024 that is free.
async function lowPort() {
	for (let port = 1023; port > 600; port--) {
		const s = net.createServer();
		const ok = await new Promise((done) => {
			s.once('error', () => done(false));
			s.listen(port, '127.0.0.1', () => done(true));
		});
		if (!ok) continue;
		await new Promise((done) => s.close(done));
		return port;
	}
	throw new Error('no port below 1024 is free');
}

const root = process.getuid() === 0;
// The user of the tests; and root's other ways, where it is root.  A user may
// not raise a priority that is low already.
const ways = [['as its caller', { user: '' }, []]];
if (root)
	ways.push(['by root with the option user', { user: 'nobody' }, []],
		['by another user than root', { user: '' }, ['nice', '-n', '15',
			'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']]);

for (const [what, conf, wrap] of ways)
	test(`O3: started ${what}: a reload adds workers and listeners`,
		async () => {
			const d = new Daemon({ ...conf, workers: undefined,
				listen: undefined });
			delete d.conf.workers;
			delete d.conf.listen;
			const file = path.join(d.dir, 'p.conf');
			const write = (workers, ...listen) => fs.writeFileSync(file,
				`workers ${workers}\n${listen.map((l) =>
					`listen ${l}\n`).join('')}`);
			const low = root && wrap.length === 0 ? await lowPort() : 0;
			const first = `127.0.0.1:${low}`;
			write(1, first);
			fs.chmodSync(file, 0o644);
			const app = d.app();
			if (wrap.length > 0 || conf.user) {
				execFileSync('chown', ['-R', '65534:65534', d.dir]);
				fs.chmodSync(d.dir, 0o755);
			}
			d.wrap = wrap;
			if (wrap.length > 0) {
				// The build may lie where only its owner comes.
				d.env = { HOME: '/' };
			}
			await d.start(['-c', file]);
			const second = `127.0.0.1:${low ? await lowPort() : 0}`;
			write(3, first, second, '127.0.0.1:0');
			d.signal('SIGHUP');
			await until('three workers', () =>
				/reload: (done|nothing)/.test(d.readLog()));
			assert.equal(d.pidsOf('worker').length, 3, d.readLog());
			// Without root's rights, but for the master's one of them.
			for (const pid of d.pidsOf('worker'))
				assert.match(fs.readFileSync(`/proc/${pid}/status`, 'utf8'),
					root && !conf.user && wrap.length === 0 ?
						/CapEff/ : /CapPrm:\s*0{16}/);
			for (let i = 0; i < 12; i++)
				await (await Client.connect(d, app)).close();
			await d.stop();
		});
