// SPDX-License-Identifier: MIT
//
// kill -9 of the master at each step of an upgrade: all processes leave, also
// those of the other version, each client is told to come back, and the next
// start serves them.  A process that is stopped holds the upgrade at its step.
'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, until } = require('./lib/daemon');
const { publish } = require('./lib/http');
const programs = require('./lib/programs');

const count = (d, pattern) => d.readLog().match(pattern)?.length ?? 0;
const logged = async (d, what, pattern, n = 1) => {
	await until(what, () => count(d, pattern) >= n);
};

// The process that is stopped, and when the upgrade has come to it; held()
// gives another process, if that one holds it.
const STEPS = {
	'the first worker': { role: 'worker 0',
		held: (d) => logged(d, 'the first hand-over',
			/replace: worker \d/g) },
	'the second worker': { role: 'worker 1',
		held: (d) => logged(d, 'the second hand-over',
			/replace: worker \d/g, 2) },
	'the courier': { role: 'courier',
		held: (d) => logged(d, 'the courier', /courier pid \d+: replaced/g) },
	'the broker': { role: 'courier',
		// The workers need it until they have handed over.
		held: async (d) => {
			await STEPS['the courier'].held(d);
			const [broker] = d.pidsOf('broker');
			process.kill(broker, 'SIGSTOP');
			process.kill(d.pidsOf('courier')[0], 'SIGCONT');
			await logged(d, 'the broker', /broker pid \d+: replaced/g);
			return broker;
		} },
};

async function daemon() {
	const d = new Daemon({ workers: 2, log_level: 'info' });
	d.allow(/./); // the processes say in their own words that it is gone
	const app = d.app();
	await d.start();
	const clients = await Client.several(d, app, 4);
	for (const c of clients) await c.subscribe('room');
	return { d, app, clients };
}

// Nobody is left, each client has its close, and the next start serves.
async function check({ d, app, clients }) {
	await until('all processes to leave', () =>
		Object.keys(d.processes()).length === 0);
	for (const c of clients) {
		await c.expectFatal(4200);
		c.destroy();
	}
	d.checkLog();
	const next = new Daemon(d.conf);
	next.allow(/./);
	await next.start();
	const back = await Client.several(next, app, 4);
	for (const c of back) await c.subscribe('room');
	await publish(next, app, 'room', 'e', 'again');
	for (const c of back) assert.equal(await c.expect('e'), 'again');
	await closeAll(back);
	await next.stop();
	d.stopped = true;
	d.remove();
}

describe('kill -9 of the master in an upgrade', () => {
	test('in the trial', async () => {
		const s = await daemon();
		const before = Object.keys(s.d.processes());
		const asked = s.d.ctlAsync(['upgrade', '--binary',
			programs.hanging(s.d)]);
		const trial = await until('the trial', () =>
			Object.keys(s.d.processes()).find((p) => !before.includes(p)));
		s.d.signal('SIGKILL');
		await s.d.exited;
		assert.notEqual((await asked).code, 0);
		await until('the trial to end', () =>
			!Object.keys(s.d.processes()).includes(trial));
		await check(s);
	});

	for (const [name, step] of Object.entries(STEPS))
		test(`at ${name}`, async () => {
			const s = await daemon();
			const [first] = s.d.pidsOf(step.role);
			process.kill(first, 'SIGSTOP');
			s.d.signal('SIGUSR2');
			const held = await step.held(s.d) ?? first;
			s.d.signal('SIGKILL');
			await s.d.exited;
			process.kill(held, 'SIGCONT');
			await check(s);
		});

	test('behind its end', async () => {
		const s = await daemon();
		const r = await s.d.ctlAsync(['upgrade', '--binary',
			programs.ofVersion(s.d, '0.1.1')]);
		assert.equal(r.code, 0, r.err);
		s.d.signal('SIGKILL');
		await s.d.exited;
		await check(s);
	});
});
