// SPDX-License-Identifier: MIT
//
// A worker that leaves while there is no broker hands over what it has
// answered 200 before it goes.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until, sleep } = require('./lib/daemon');
const { Http, onEachWorker } = require('./lib/http');

const CONNS = 6;
const N = 10 * CONNS;
const PAD = 'x'.repeat(9000); // all of them do not fit into a socket
const RETIRED = 2500; // ms; by then it would have left

const titleOf = (d, pid) => d.processes()[pid];

// A new broker, which is stopped as soon as it is there.
async function stoppedBroker(d, old) {
	process.kill(old, 'SIGKILL');
	const [pid] = await until('a new broker', () => {
		const now = d.pidsOf('broker').filter((p) => p !== old);
		return now.length === 1 && now;
	});
	process.kill(pid, 'SIGSTOP');
	return pid;
}

// Publishes through this worker while the broker is stopped; then it dies.
async function publishIntoTheDark(d, app, https) {
	const [broker] = d.pidsOf('broker');
	process.kill(broker, 'SIGSTOP');
	const batch = (h, from) => h.api(app, 'POST', '/batch_events', { body: {
		batch: Array.from({ length: 10 }, (_, i) => ({ name: 'e',
			channel: 'room', data: `${from + i} ${PAD}` })) } });
	const answers = https.map((h, i) => batch(h, 10 * i));
	await sleep(200);
	const next = await stoppedBroker(d, broker);
	return { next, answers: await Promise.all(answers) };
}

// workers: before; from 10 a broker that starts for 1 had no room for them.
for (const workers of [2, 10])
	test(`L4: 1 worker instead of ${workers} while there is no broker`,
		async () => {
			const d = new Daemon({ drain_time: 1 });
			const app = d.app();
			const file = path.join(d.dir, 'pusherd.conf');
			fs.writeFileSync(file, `workers ${workers}\n`);
			delete d.conf.workers;
			d.allow(/killed by signal 9|link to the broker lost/,
				/reload: incomplete|broker: stuck/, /move: /, /clients stay with it/);
			await d.start(['-c', file]);
			const all = await Client.onEachWorker(d, app);
			const last = `worker ${workers - 1}`;
			const [c] = all.filter((x) => /worker 0/.test(
				titleOf(d, x.worker)));
			await c.subscribe('room');
			await closeAll(all.filter((x) => x !== c));
			const https = (await onEachWorker(d)).filter((h) =>
				titleOf(d, h.worker).endsWith(last));
			const pid = https[0].worker;
			while (https.length < CONNS) {
				const h = await Http.connect(d);
				if (h.worker === pid) https.push(h);
				else h.end();
			}
			const { next, answers } = await publishIntoTheDark(d, app, https);
			for (const h of https) h.end();
			fs.writeFileSync(file, 'workers 1\n');
			d.signal('SIGHUP');
			await sleep(RETIRED);
			try {
				process.kill(next, 'SIGKILL');
			} catch { /* a slow test: the master was faster */ }
			assert.deepEqual(answers.map((a) => a.status),
				Array(CONNS).fill(200));
			const got = [];
			while (got.length < N) got.push(parseInt(await c.expect('e', 'room'), 10));
			assert.deepEqual(got.sort((a, b) => a - b),
				Array.from({ length: N }, (_, i) => i));
			await until('one worker', () => d.pidsOf('worker').length === 1);
			assert.doesNotMatch(d.readLog(), /accepted events are lost/);
			await c.close();
			await d.stop();
		});

// A new process in the only slot that stays takes publishes at once.
test('L4: the worker that stays is killed while another one leaves',
	async () => {
		const d = new Daemon({ drain_time: 8 });
		const app = d.app();
		const file = path.join(d.dir, 'pusherd.conf');
		fs.writeFileSync(file, 'workers 2\n');
		delete d.conf.workers;
		d.allow(/killed by signal 9/, /reload: incomplete/);
		await d.start(['-c', file]);
		const all = await Client.onEachWorker(d, app);
		const [leaves] = all.filter((c) =>
			titleOf(d, c.worker).endsWith('worker 1'));
		const killed = all.find((c) => c !== leaves).worker;
		fs.writeFileSync(file, 'workers 1\n');
		d.signal('SIGHUP');
		await until('worker 1 leaves', () => /reload: done/.test(d.readLog()));
		process.kill(killed, 'SIGKILL');
		const h = await until('a new worker 0', async () => {
			const c = await Http.connect(d).catch(() => null);
			const pid = c?.sock.localPort && c.worker;
			if (pid !== killed && titleOf(d, pid)?.endsWith('worker 0'))
				return c;
			c?.end();
			return null;
		});
		const watcher = await Client.connect(d, app);
		await watcher.subscribe('room');
		const [broker] = d.pidsOf('broker');
		process.kill(broker, 'SIGSTOP');
		for (const data of ['0', '1'])
			assert.equal((await h.api(app, 'POST', '/events', { body:
				{ name: 'e', channel: 'room', data } })).status, 200);
		assert.ok(!leaves.gone, 'the other one is there');
		process.kill(broker, 'SIGCONT');
		for (const data of ['0', '1'])
			assert.equal(await watcher.expect('e'), data);
		h.end();
		for (const c of [...all, watcher]) c.destroy();
		await d.stop();
	});
