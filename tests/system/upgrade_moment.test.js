// SPDX-License-Identifier: MIT
//
// Upgrades at a bad moment: others are asked for, a reload or a stop is under
// way, the host is one of a cluster.  Each client gets each event once.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { test, describe } = require('node:test');
const { becomesReady, host } = require('./lib/cluster');
const { Client, closeAll } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { check, Publisher } = require('./lib/publisher');
const { Redis } = require('./lib/redis');

const upgrade = (d) => d.ctlAsync(['-j', 'upgrade']);
const count = (d, pattern) => d.readLog().match(pattern)?.length ?? 0;

async function daemon(conf = {}) {
	const d = new Daemon({ workers: 2, log_level: 'info', ...conf });
	const app = d.app();
	await d.start();
	return { d, app };
}

async function open(d, app) {
	const all = await Client.several(d, app, 4);
	for (const c of all) await c.subscribe('room');
	return all;
}

// Each of them has had every event once, in order.
async function complete(all, p) {
	await p.stop();
	for (const [i, c] of all.entries()) {
		await until('all', () => c.frames.length >= p.n);
		check(c, 'room', p.n, `client ${i}`);
	}
	await closeAll(all);
}

const pipes = (pid) => fs.readdirSync(`/proc/${pid}/fd`).filter((fd) =>
	/^pipe:/.test(fs.readlinkSync(`/proc/${pid}/fd/${fd}`))).length;

// Replaces worker 0, and stops the new process at once when it has the clients.
// It may have said before that it serves, and closed the pipe for that: then
// undefined.
async function stoppedBeforeItServes(d, usual) {
	const before = count(d, /has taken over from pid/g);
	const replaced = d.ctlAsync(['worker', 'replace', '0']);
	const end = Date.now() + 5000;
	while (count(d, /has taken over from pid/g) === before)
		assert.ok(Date.now() < end, 'nothing happens');
	const pid = Number(d.readLog()
		.match(/\d+(?= has taken over from pid)/g).pop());
	process.kill(pid, 'SIGSTOP');
	await sleep(20);
	if (pipes(pid) > usual) return { pid, replaced };
	process.kill(pid, 'SIGCONT');
	await replaced;
	return undefined;
}

describe('an upgrade', () => {
	test('and others at the same time', async () => {
		const { d, app } = await daemon();
		d.allow(/nothing has changed/);
		const all = await open(d, app);
		const p = new Publisher(d, app, ['room']);
		const rs = await Promise.all([1, 2, 3, 4].map(() => upgrade(d)));
		const done = rs.filter((r) => r.code === 0);
		assert.ok(done.length >= 1, rs.map((r) => r.err).join());
		for (const r of rs)
			if (r.code !== 0) assert.match(r.err, /under way|try again/);
		await until('the end', () => count(d, /reload: done/g) > 0);
		await complete(all, p);
		await d.stop();
	});

	test('with reloads', async () => {
		const { d, app } = await daemon();
		d.allow(/nothing has changed/);
		const all = await open(d, app);
		const p = new Publisher(d, app, ['room']);
		for (let i = 0; i < 5; i++) {
			d.signal('SIGHUP');
			const [r, reload] = await Promise.all([upgrade(d),
				d.ctlAsync(['reload'])]);
			if (r.code !== 0)
				assert.match(r.err, /a reload is under way: try again/);
			if (reload.code !== 0)
				assert.match(reload.err, /try again in a moment|under way/);
		}
		const last = await until('one that is let through', async () => {
			const r = await upgrade(d);
			return r.code === 0 && r;
		});
		assert.equal(JSON.parse(last.out).closed, 0);
		await complete(all, p);
		await d.stop();
	});

	test('during a stop is refused', async () => {
		const { d, app } = await daemon();
		d.allow(/nothing has changed, .*: pusherd is starting or stopping/);
		const all = await open(d, app);
		d.signal('SIGTERM');
		const r = await upgrade(d);
		assert.notEqual(r.code, 0);
		d.signal('SIGUSR2');
		for (const c of all) {
			await c.expectFatal(4100);
			c.destroy();
		}
		await d.exited;
		assert.equal(count(d, /upgrade: trying/g), 0);
		await d.stop();
	});

	// It has the clients, and has not said yet that it serves.
	test('while a process that has just taken over a worker begins',
		async () => {
			const { d, app } = await daemon();
			d.allow(/nothing has changed, .*a worker is being replaced/);
			const all = await Client.onEachWorker(d, app);
			for (const c of all) await c.subscribe('room');
			const usual = pipes(d.pidsOf('worker')[0]);
			const { pid, replaced } = await until('one that is stopped then',
				() => stoppedBeforeItServes(d, usual), 60000);
			d.signal('SIGUSR2');
			await until('the trial is over', () =>
				count(d, /nothing has changed|state version \S+ has taken/g));
			process.kill(pid, 'SIGCONT');
			assert.equal((await replaced).code, 0);
			const r = await until('one that is let through', async () => {
				const last = await upgrade(d);
				return last.code === 0 && last;
			});
			assert.equal(JSON.parse(r.out).closed, 0);
			await complete(all, new Publisher(d, app, ['room']));
			await d.stop();
		});

	test('of a host of a cluster', async () => {
		const redis = new Redis();
		await redis.start();
		const a = host(redis, 'a', { workers: 2, log_level: 'info' });
		const b = host(redis, 'b');
		b.allow(/cluster: host a is gone/); // in the end
		for (const d of [a, b]) {
			await d.start();
			await becomesReady(d);
		}
		const all = [...await open(a, a.shared), ...await open(b, b.shared)];
		const p = new Publisher(b, b.shared, ['room']);
		for (let i = 1; i <= 2; i++) {
			const r = await upgrade(a);
			assert.equal(r.code, 0, r.err);
			assert.equal(JSON.parse(r.out).closed, 0);
			await until('its end', () => count(a, /reload: done/g) >= i);
			await becomesReady(a);
		}
		await complete(all, p);
		await a.stop();
		await b.stop();
		await redis.remove();
	});
});
