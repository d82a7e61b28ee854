// SPDX-License-Identifier: MIT
//
// Processes of an upgrade stand still for longer than any of its periods, at
// each step: all of them, as on a machine that sleeps, or one, which the master
// replaces.  The upgrade is done in the end, and each client is still there.
'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, sleep, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const programs = require('./lib/programs');

const FROZEN = 16000; // longer than STALL_MS of cli/master/renew.c
// Longer than REPLACE_MS of cli/master/replace.c; the broker drops a worker
// that is silent for 15 s.
const ALONE = 12000;
const RETRIES = [/is not replaced: it (took too long|is being replaced)/,
	/move: (this worker keeps its clients|the slot is not taken over): /];
const KILLED = [/stuck, no sign of life/, /was killed by signal/,
	/reload: incomplete: courier/];

const count = (d, pattern) => d.readLog().match(pattern)?.length ?? 0;
const logged = (d, pattern, n = 1) =>
	until(String(pattern), () => count(d, pattern) >= n);
const stop = (pid) => process.kill(pid, 'SIGSTOP');

// A process of this role that was not there before.
const newOne = async (d, role, ask) => {
	const before = d.pidsOf(role);
	ask();
	const pid = await until(`a new ${role}`, () =>
		d.pidsOf(role).find((p) => !before.includes(p)));
	stop(pid);
	return pid;
};

// Each begins the upgrade, and returns the process that holds it at its step.
const STEPS = {
	'the first worker': async (d, ask) => {
		const [pid] = d.pidsOf('worker 0');
		stop(pid);
		ask();
		await logged(d, /replace: worker \d/g);
		return pid;
	},
	'the last worker': async (d, ask) => {
		const [pid] = d.pidsOf('worker 1');
		stop(pid);
		ask();
		await logged(d, /replace: worker \d/g, 2);
		return pid;
	},
	'the old courier': async (d, ask) => {
		const [pid] = d.pidsOf('courier');
		stop(pid);
		ask();
		await logged(d, /courier pid \d+: replaced/g);
		return pid;
	},
	'the new courier': (d, ask) => newOne(d, 'courier', ask),
	'the old broker': async (d, ask) => {
		const [courier] = d.pidsOf('courier');
		const [pid] = d.pidsOf('broker');
		stop(courier);
		ask();
		await logged(d, /courier pid \d+: replaced/g);
		stop(pid);
		process.kill(courier, 'SIGCONT');
		await logged(d, /broker pid \d+: replaced/g);
		return pid;
	},
	'the new broker': (d, ask) => newOne(d, 'broker', ask),
};

async function frozen(step, freeze) {
	const d = new Daemon({ workers: 2, log_level: 'info' });
	const app = d.app();
	await d.start();
	const all = await Client.onEachWorker(d, app);
	for (const c of all) await c.subscribe('room');
	let asked;
	const pid = await step(d, () => {
		asked = d.ctlAsync(['-j', 'upgrade', '--binary',
			programs.ofVersion(d, '0.1.1')]);
	});
	await freeze(d, pid);
	const r = await asked;
	assert.equal(r.code, 0, r.err);
	const report = JSON.parse(r.out);
	assert.deepEqual([report.to, report.closed], ['0.1.1', 0]);
	await publish(d, app, 'room', 'e', 'after');
	for (const c of all) assert.equal(await c.expect('e'), 'after');
	await closeAll(all);
	await d.stop();
}

describe('for long', { concurrency: true }, () => {
	for (const [name, step] of Object.entries(STEPS)) {
		test(`all stand still at ${name}`, () =>
			frozen(step, async (d) => {
				d.allow(...RETRIES);
				d.signalAll('SIGSTOP');
				await sleep(FROZEN);
				d.signalAll('SIGCONT');
			}));
		test(`${name} alone stands still`, () =>
			frozen(step, async (d, pid) => {
				d.allow(...RETRIES, ...KILLED);
				await sleep(ALONE);
				try {
					process.kill(pid, 'SIGCONT');
				} catch { /* it has been killed */ }
			}));
	}
});
