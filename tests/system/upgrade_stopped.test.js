// SPDX-License-Identifier: MIT
//
// An upgrade whose broker stands still for three seconds: the old one at each
// step, and the new one before it serves; or a worker, while the broker is
// replaced.  The upgrade takes longer; every client stays, and gets each event
// that was answered with 200 once.
'use strict';

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { Client, closeAll } = require('./lib/client');
const { Daemon, becomes, sleep, until } = require('./lib/daemon');
const programs = require('./lib/programs');
const { Publisher, messages, numbers } = require('./lib/publisher');

const WORKERS = 3;
const LATE = 1200; // then the master knows that a worker is late
const PERIOD = 3000; // as long as a machine that is moved stands still
const CHANNELS = ['room', 'presence-room'];

const count = (d, pattern) => d.readLog().match(pattern)?.length ?? 0;
const logged = (d, what, pattern, n = 1) =>
	until(what, () => count(d, pattern) >= n);
const stop = (pid) => process.kill(pid, 'SIGSTOP');
const go = (pid) => process.kill(pid, 'SIGCONT');

// Each asks for the upgrade and returns the process, stopped at this moment.
// Another process that is stopped meanwhile holds the upgrade there.
const MOMENTS = {
	'the old one, before the first worker': async (d, ask) => {
		const [worker] = d.pidsOf('worker 0');
		const [broker] = d.pidsOf('broker');
		stop(worker);
		ask();
		await logged(d, 'the first hand-over', /replace: worker \d/g);
		stop(broker);
		go(worker);
		return broker;
	},
	'the old one, when it is told to go': async (d, ask) => {
		const [courier] = d.pidsOf('courier');
		const [broker] = d.pidsOf('broker');
		stop(courier);
		ask();
		await logged(d, 'the courier', /courier pid \d+: replaced/g);
		stop(broker);
		go(courier);
		await logged(d, 'the broker', /broker pid \d+: replaced/g);
		return broker;
	},
	'the new one, before it has heard all workers': async (d, ask) => {
		const [old] = d.pidsOf('broker');
		const [courier] = d.pidsOf('courier');
		stop(courier);
		ask();
		await logged(d, 'the courier', /courier pid \d+: replaced/g);
		const [worker] = d.pidsOf('worker 0');
		stop(worker);
		go(courier);
		await logged(d, 'the new broker', /serving workers=/g, 2);
		const [broker] = d.pidsOf('broker').filter((p) => p !== old);
		stop(broker);
		go(worker);
		return broker;
	},
	'a worker, before the old one is told to go': async (d, ask) => {
		const [courier] = d.pidsOf('courier');
		stop(courier);
		ask();
		await logged(d, 'the courier', /courier pid \d+: replaced/g);
		const [worker] = d.pidsOf('worker 0');
		stop(worker);
		await sleep(LATE);
		go(courier);
		return worker;
	},
	'a worker, before the new one has heard it': async (d, ask) => {
		const [courier] = d.pidsOf('courier');
		const [broker] = d.pidsOf('broker');
		stop(courier);
		ask();
		await logged(d, 'the courier', /courier pid \d+: replaced/g);
		stop(broker);
		go(courier);
		await logged(d, 'the broker', /broker pid \d+: replaced/g);
		const [worker] = d.pidsOf('worker 0');
		stop(worker);
		go(broker);
		return worker;
	},
};

async function open(d, app) {
	const all = await Client.onEachWorker(d, app);
	for (const c of all) await c.subscribe('room');
	await Client.joinAll(all, 'presence-room', (c, i) => ({ id: String(i) }));
	return all;
}

describe('an upgrade, and one stands still:', () => {
	for (const [name, moment] of Object.entries(MOMENTS))
		test(name, async () => {
			const d = new Daemon({ workers: WORKERS, log_level: 'info' });
			d.allow(/after 2 s .*: try again/, // and it does
				/the slot is not taken over/);
			const app = d.app();
			await d.start();
			const clients = await open(d, app);
			// 503: there was no broker for a second.
			const p = new Publisher(d, app, CHANNELS, [200, 503]);
			const program = programs.ofVersion(d, '0.1.1');
			let asked;
			const pid = await moment(d, () => {
				asked = d.ctlAsync(['-j', 'upgrade', '--binary', program]);
			});
			await sleep(PERIOD);
			go(pid);
			const r = await asked;
			assert.equal(r.code, 0, r.err);
			assert.equal(JSON.parse(r.out).closed, 0);
			const before = p.answers.length;
			await until('an answer of the new broker', () =>
				p.answers.lastIndexOf(200) > before);
			await p.stop();
			const promised = (n) => p.answers[n] === 200;
			for (const c of clients) {
				for (const channel of CHANNELS)
					await becomes(
						() => numbers(c, channel).filter(promised),
						[...p.answers.keys()].filter(promised));
				assert.deepEqual(
					messages(c).filter((m) => m.event !== 'e'), []);
				assert.ok(!c.gone);
			}
			await closeAll(clients);
			await d.stop();
		});
});
